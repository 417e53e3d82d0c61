//! Canonical equilibrium of several species by exchanges over any distance.

use super::model::SpeciesModel;
use super::stencil::SiteSums;
use super::tables::{TableStore, site_tables};
use crate::HoppingError;
use crate::equilibrium::{Equilibration, Exchanges, settle};
use scalade_numerics::Philox;

/// Places species at random: `counts[b][s]` sites of sublattice b hold its species s.
///
/// Errors: counts that are not those of the box.
pub fn random_arrangement(
    model: &SpeciesModel,
    counts: &[Vec<usize>],
    rng: &mut Philox,
) -> Result<Vec<u8>, HoppingError> {
    let grid = model.grid();
    let mut out = vec![0u8; grid.sites()];
    if counts.len() != grid.basis() {
        let (what, want) = ("number of sublattices with counts", "one list per sublattice is due");
        return Err(HoppingError::Arrangement { what, value: counts.len(), site: 0, want });
    }
    for (basis, list) in counts.iter().enumerate() {
        let sum = list.iter().fold(0usize, |sum, n| sum.saturating_add(*n));
        if list.len() != model.sites()[basis].species.len() || sum != grid.cells() {
            let (what, want) =
                ("sum of the counts of a sublattice", "one count per species is due, together one per cell");
            return Err(HoppingError::Arrangement { what, value: sum, site: basis, want });
        }
        let mut species: Vec<u8> =
            list.iter().enumerate().flat_map(|(s, n)| std::iter::repeat_n(s as u8, *n)).collect();
        for k in (1..species.len()).rev() {
            species.swap(k, rng.below(k as u32 + 1) as usize);
        }
        for (cell, s) in species.into_iter().enumerate() {
            out[cell * grid.basis() + basis] = s;
        }
    }
    Ok(out)
}

/// An arrangement that is changed by exchanges of two species, each of which could have gone to the place of the other by the events.
struct Swaps<'m> {
    model: &'m SpeciesModel,
    energy: Option<(TableStore, SiteSums)>,
    memory: Vec<u8>,
    arrangement: Vec<u8>,
    /// Sites by species.
    lists: Vec<Vec<u32>>,
    /// Species that stand somewhere, in pairs.
    pairs: Vec<[usize; 2]>,
    /// Index of a species (by its number) among those of each sublattice.
    local: Vec<Vec<Option<u8>>>,
    total_ev: f64,
}

impl<'m> Swaps<'m> {
    fn new(model: &'m SpeciesModel, arrangement: &[u8]) -> Result<Self, HoppingError> {
        let grid = model.grid();
        let energy = match model.hamiltonian() {
            None => None,
            Some((h, c)) => {
                let (store, tables) = site_tables(h, c, model.sites(), grid)?;
                Some((store, SiteSums::new(grid, model.sites(), &tables)?))
            }
        };
        let mut lists = vec![Vec::new(); model.species().len()];
        for (site, s) in arrangement.iter().enumerate() {
            lists[model.global(site % grid.basis(), usize::from(*s))].push(site as u32);
        }
        let there: Vec<usize> = (0..lists.len()).filter(|s| !lists[*s].is_empty()).collect();
        let local: Vec<Vec<Option<u8>>> = (0..grid.basis())
            .map(|b| {
                let list = &model.sites()[b].species;
                let index = |name: &String| list.iter().position(|n| n == name).map(|n| n as u8);
                model.species().iter().map(index).collect()
            })
            .collect();
        // Two species that share no sublattice have nothing to exchange.
        let shared = |x: usize, y: usize| local.iter().any(|l| l[x].is_some() && l[y].is_some());
        let pairs = there
            .iter()
            .flat_map(|x| there.iter().map(|y| [*x, *y]))
            .filter(|[x, y]| x < y && shared(*x, *y))
            .collect();
        let memory = energy.as_ref().map_or(Vec::new(), |(_, sums)| vec![0; sums.space.size()]);
        let mut out = Self {
            model,
            energy,
            memory,
            arrangement: arrangement.to_vec(),
            lists,
            pairs,
            local,
            total_ev: 0.0,
        };
        for site in 0..arrangement.len() {
            out.set(site, arrangement[site]);
        }
        out.recompute();
        Ok(out)
    }

    fn place(&self, site: usize) -> ([usize; 3], usize) {
        let grid = self.model.grid();
        let [_, n1, n2] = grid.dims();
        let (cell, basis) = (site / grid.basis(), site % grid.basis());
        ([cell / n2 / n1, cell / n2 % n1, cell % n2], basis)
    }

    fn set(&mut self, site: usize, species: u8) {
        let (cell, basis) = self.place(site);
        self.arrangement[site] = species;
        if let Some((_, sums)) = &self.energy {
            sums.space.set(&mut self.memory, cell, basis, species);
        }
    }

    /// Changes a site; returns the change of the energy.
    fn change(&mut self, site: usize, species: u8) -> f64 {
        let (cell, basis) = self.place(site);
        let at = |memory: &[u8]| {
            self.energy.as_ref().map_or(0.0, |(store, sums)| sums.energy(store.values(), memory, cell, basis))
        };
        let before = at(&self.memory);
        self.set(site, species);
        let at = |memory: &[u8]| {
            self.energy.as_ref().map_or(0.0, |(store, sums)| sums.energy(store.values(), memory, cell, basis))
        };
        at(&self.memory) - before
    }

    /// One attempted exchange.
    fn attempt(&mut self, thermal_ev: f64, rng: &mut Philox) -> bool {
        let [x, y] = self.pairs[rng.below(self.pairs.len() as u32) as usize];
        let one = rng.below(self.lists[x].len() as u32) as usize;
        let other = rng.below(self.lists[y].len() as u32) as usize;
        let (a, b) = (self.lists[x][one] as usize, self.lists[y][other] as usize);
        let basis = self.model.grid().basis();
        let joined = |species: usize| {
            let parts = &self.model.mobility()[species].parts;
            parts[a % basis].is_some() && parts[a % basis] == parts[b % basis]
        };
        let (Some(to_a), Some(to_b)) = (self.local[a % basis][y], self.local[b % basis][x]) else {
            return false;
        };
        if !(joined(x) && joined(y)) {
            return false;
        }
        let (from_a, from_b) = (self.arrangement[a], self.arrangement[b]);
        let delta = self.change(a, to_a) + self.change(b, to_b);
        if delta <= 0.0 || rng.uniform() < (-delta / thermal_ev).exp() {
            self.lists[x][one] = b as u32;
            self.lists[y][other] = a as u32;
            self.total_ev += delta;
            true
        } else {
            self.set(a, from_a);
            self.set(b, from_b);
            false
        }
    }
}

impl Exchanges for Swaps<'_> {
    fn sweep(&mut self, factor: f64, rng: &mut Philox) -> u64 {
        let thermal = self.model.thermal_energy_ev() * factor;
        let mut accepted = 0;
        for _ in 0..self.pairs() {
            accepted += u64::from(self.attempt(thermal, rng));
        }
        accepted
    }

    fn energy(&self) -> f64 {
        self.total_ev
    }

    fn recompute(&mut self) {
        let (grid, at) = (self.model.grid(), &self.arrangement);
        self.total_ev = self.model.hamiltonian().map_or(0.0, |(h, c)| h.reference_energy_ev(c, grid, at));
    }

    fn pairs(&self) -> usize {
        let smaller = |[x, y]: &[usize; 2]| self.lists[*x].len().min(self.lists[*y].len());
        self.pairs.iter().map(smaller).sum()
    }
}

/// Brings an arrangement to canonical equilibrium: annealing and exchanges at temperature of any two species, each on sublattices that the events join for it, so
/// that the numbers that the events keep are kept. With a test whether the energy still drifts. Without a Hamiltonian every arrangement is equally likely and the exchanges shuffle.
///
/// Errors: an arrangement that does not fit, or nothing to exchange.
pub fn equilibrate_species(
    model: &SpeciesModel,
    arrangement: &mut [u8],
    sweeps: usize,
    rng: &mut Philox,
) -> Result<Equilibration, HoppingError> {
    model.check_arrangement(arrangement)?;
    let mut swaps = Swaps::new(model, arrangement)?;
    let (ions, sites) = (model.counts(arrangement).into_iter().max().unwrap_or(0), arrangement.len());
    if swaps.pairs.is_empty() {
        return Err(HoppingError::Composition { ions, sites });
    }
    let out = settle(&mut swaps, sweeps, rng).ok_or(HoppingError::Composition { ions, sites })?;
    arrangement.copy_from_slice(&swaps.arrangement);
    Ok(out)
}
