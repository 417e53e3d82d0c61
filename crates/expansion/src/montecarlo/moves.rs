//! Moves: exchanges and changes of species, within what is to be kept.

use super::energy::SpeciesEnergy;
use crate::error::ExpansionError;
use scalade_handoff::SpeciesSite;
use scalade_numerics::Philox;
use std::collections::{BTreeMap, BTreeSet};

/// What the box exchanges with its surroundings.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Reservoir {
    /// Nothing: the numbers of all species stay.
    #[default]
    Closed,
    /// Species at chemical potentials: weights exp(-(E - sum_s mu_s N_s)/kT), N_s counted on the sites with a choice.
    Open {
        /// Chemical potentials, eV; 0 for species that are not named.
        chemical_potentials_ev: BTreeMap<String, f64>,
        /// Whether the charge of the box stays what it is: moves then change up to three sites at once, and exchange species. Arrangements that only
        /// four or more changes together connect are not reached from one another.
        neutral: bool,
    },
}

/// What may move.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MoveRules {
    /// Sublattices that stay as they are.
    pub frozen: Vec<usize>,
    /// Pairs of species that may take each other's place; all if there are none.
    pub exchanges: Vec<[String; 2]>,
}

/// Kinds of moves and their shares where changes keep the charge: exchanges, and changes of one, two, three sites.
const NEUTRAL_SHARES: [f64; 4] = [0.3, 0.1, 0.4, 0.2];

fn refuse(problem: impl Into<String>) -> ExpansionError {
    ExpansionError::Run { problem: problem.into() }
}

/// Moves compiled for a box.
#[derive(Clone, Debug)]
pub(super) struct Mover {
    /// All species of sites with a choice.
    pub(super) names: Vec<String>,
    /// Number of a species by sublattice and place in its list.
    pub(super) number: Vec<Vec<usize>>,
    /// Place in the list of a sublattice by number of the species.
    place: Vec<Vec<Option<u8>>>,
    allowed: Vec<Vec<bool>>,
    /// Sites that may change.
    pub(super) sites: Vec<u32>,
    charges: Vec<Vec<f64>>,
    mu: Vec<f64>,
    open: bool,
    neutral: bool,
}

/// Species of sublattices with a choice, in order of appearance.
pub(super) fn species_names(sublattices: &[SpeciesSite]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in sublattices.iter().filter(|s| s.species.len() > 1).flat_map(|s| &s.species) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

impl Mover {
    pub(super) fn new(
        energy: &SpeciesEnergy,
        rules: &MoveRules,
        reservoir: &Reservoir,
    ) -> Result<Self, ExpansionError> {
        let sublattices = energy.sublattices();
        let names = species_names(sublattices);
        let known = |name: &String| {
            names.iter().position(|n| n == name).ok_or_else(|| {
                refuse(format!("no site with a choice takes {name}; the species are {}", names.join(", ")))
            })
        };
        if let Some(bad) = rules.frozen.iter().find(|b| **b >= sublattices.len()) {
            return Err(refuse(format!(
                "frozen sublattice {bad} does not exist; they are numbered 0 to {}",
                sublattices.len() - 1
            )));
        }
        let frozen: BTreeSet<usize> = rules.frozen.iter().copied().collect();
        let mut allowed = vec![vec![rules.exchanges.is_empty(); names.len()]; names.len()];
        for [a, b] in &rules.exchanges {
            let (a, b) = (known(a)?, known(b)?);
            (allowed[a][b], allowed[b][a]) = (true, true);
        }
        let number_of = |name: &String| names.iter().position(|n| n == name).unwrap_or(0);
        let number: Vec<Vec<usize>> =
            sublattices.iter().map(|s| s.species.iter().map(number_of).collect()).collect();
        let place = |s: &SpeciesSite| -> Vec<Option<u8>> {
            names.iter().map(|n| s.species.iter().position(|m| m == n).map(|p| p as u8)).collect()
        };
        let movable = |b: usize| sublattices[b].species.len() > 1 && !frozen.contains(&b);
        let sites: Vec<u32> = (0..energy.grid().sites())
            .filter(|site| movable(energy.sublattice(*site)))
            .map(|site| site as u32)
            .collect();
        if sites.is_empty() {
            return Err(refuse("every sublattice is frozen; leave one to move"));
        }
        let (mut mu, mut open, mut neutral) = (vec![0.0; names.len()], false, false);
        if let Reservoir::Open { chemical_potentials_ev, neutral: keep } = reservoir {
            (open, neutral) = (true, *keep);
            for (name, value) in chemical_potentials_ev {
                if !value.is_finite() {
                    return Err(refuse(format!("the chemical potential of {name} is {value}")));
                }
                mu[known(name)?] = *value;
            }
        }
        let charges: Vec<Vec<f64>> = sublattices.iter().map(|s| s.charges.clone()).collect();
        if neutral && sublattices.iter().any(|s| s.species.len() > 1 && s.charges.is_empty()) {
            return Err(refuse(
                "moves that keep the charge need the charges of the species; the expansion has none",
            ));
        }
        let place = sublattices.iter().map(place).collect();
        Ok(Self { names, number, place, allowed, sites, charges, mu, open, neutral })
    }

    /// Numbers of all species on the sites with a choice.
    pub(super) fn counts(&self, energy: &SpeciesEnergy) -> Vec<f64> {
        let mut out = vec![0.0; self.names.len()];
        for (site, s) in energy.species().iter().enumerate() {
            let basis = energy.sublattice(site);
            if energy.sublattices()[basis].species.len() > 1 {
                out[self.number[basis][usize::from(*s)]] += 1.0;
            }
        }
        out
    }

    /// Chemical potentials by number of the species, eV.
    pub(super) fn chemical_potentials_ev(&self) -> &[f64] {
        &self.mu
    }

    pub(super) fn is_neutral(&self) -> bool {
        self.neutral
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    fn draw(&self, rng: &mut Philox) -> usize {
        self.sites[rng.below(self.sites.len() as u32) as usize] as usize
    }

    /// A site and another species for it, drawn alike in both directions; `None` where the rules forbid the change.
    fn draw_change(&self, energy: &SpeciesEnergy, rng: &mut Philox) -> Option<(usize, u8)> {
        let site = self.draw(rng);
        let basis = energy.sublattice(site);
        let from = energy.species()[site];
        let drawn = rng.below(self.number[basis].len() as u32 - 1) as u8;
        let to = drawn + u8::from(drawn >= from);
        let numbers = &self.number[basis];
        self.allowed[numbers[usize::from(from)]][numbers[usize::from(to)]].then_some((site, to))
    }

    fn work(&self, energy: &SpeciesEnergy, (site, to): (usize, u8)) -> f64 {
        let numbers = &self.number[energy.sublattice(site)];
        let from = energy.species()[site];
        self.mu[numbers[usize::from(to)]] - self.mu[numbers[usize::from(from)]]
    }

    fn charge(&self, energy: &SpeciesEnergy, (site, to): (usize, u8)) -> f64 {
        let charges = &self.charges[energy.sublattice(site)];
        charges[usize::from(to)] - charges[usize::from(energy.species()[site])]
    }

    /// Tries one move; whether it was accepted. Every kind of move is drawn with the same probability as its reverse.
    #[inline]
    pub(super) fn step(&self, energy: &mut SpeciesEnergy, kt: f64, rng: &mut Philox) -> bool {
        if !self.open {
            return self.exchange(energy, kt, rng);
        }
        if !self.neutral {
            let Some(change) = self.draw_change(energy, rng) else { return false };
            let delta = energy.delta_ev(change.0, change.1) - self.work(energy, change);
            return accept(delta, kt, rng) && {
                energy.change(change.0, change.1);
                true
            };
        }
        let mut pick = rng.uniform();
        for (count, share) in NEUTRAL_SHARES.iter().enumerate() {
            if pick < *share {
                return match count {
                    0 => self.exchange(energy, kt, rng),
                    _ => self.changes(energy, count, kt, rng),
                };
            }
            pick -= share;
        }
        self.exchange(energy, kt, rng)
    }

    fn exchange(&self, energy: &mut SpeciesEnergy, kt: f64, rng: &mut Philox) -> bool {
        let (a, b) = (self.draw(rng), self.draw(rng));
        let (at_a, at_b) = (energy.sublattice(a), energy.sublattice(b));
        let of_a = self.number[at_a][usize::from(energy.species()[a])];
        let of_b = self.number[at_b][usize::from(energy.species()[b])];
        if of_a == of_b || !self.allowed[of_a][of_b] {
            return false;
        }
        let (Some(to_a), Some(to_b)) = (self.place[at_a][of_b], self.place[at_b][of_a]) else {
            return false;
        };
        let delta = energy.delta_pair_ev((a, to_a), (b, to_b));
        accept(delta, kt, rng) && {
            energy.change(a, to_a);
            energy.change(b, to_b);
            true
        }
    }

    /// Changes of several different sites that keep the charge.
    fn changes(&self, energy: &mut SpeciesEnergy, count: usize, kt: f64, rng: &mut Philox) -> bool {
        let mut changes = [(0, 0); 3];
        let (mut charge, mut work) = (0.0, 0.0);
        for k in 0..count {
            let Some(change) = self.draw_change(energy, rng) else { return false };
            if changes[..k].iter().any(|c| c.0 == change.0) {
                return false;
            }
            charge += self.charge(energy, change);
            work += self.work(energy, change);
            changes[k] = change;
        }
        if charge.abs() > 1e-9 {
            return false;
        }
        let changes = &changes[..count];
        let delta = match changes {
            [a] => energy.delta_ev(a.0, a.1),
            [a, b] => energy.delta_pair_ev(*a, *b),
            _ => {
                // Made, and taken back if it is not accepted.
                let before: Vec<(usize, u8)> =
                    changes.iter().map(|(site, _)| (*site, energy.species()[*site])).collect();
                let delta: f64 = changes.iter().map(|(site, to)| energy.change(*site, *to)).sum();
                let taken = accept(delta - work, kt, rng);
                if !taken {
                    for (site, from) in before.iter().rev() {
                        energy.change(*site, *from);
                    }
                }
                return taken;
            }
        };
        accept(delta - work, kt, rng) && {
            for (site, to) in changes {
                energy.change(*site, *to);
            }
            true
        }
    }
}

#[inline]
fn accept(delta: f64, kt: f64, rng: &mut Philox) -> bool {
    delta <= 0.0 || rng.uniform() < (-delta / kt).exp()
}
