//! Lower bounds on the energy of every arrangement of an infinite lattice: how far a ground state that was found can be from the true one.
//!
//! Take a block of sites, the motif. The energy per cell of any arrangement is the mean over all cells of an energy E(s) of the states s that its motifs
//! show, in which every term of the expansion has been shared out among its places in the motif, in any way: its mean does not depend on the place. So
//!
//! e >= max over ways of sharing of min over s of E(s).
//!
//! The maximum is a linear program, solved by cutting planes; the minimum over the states of the motif by branch and bound. Whatever the program says,
//! each such minimum is a bound by itself. Bounds grow with the motif and are often exact.
//!
//! W. Huang, D. A. Kitchaev, S. T. Dacek, Z. Rong, A. Urban, S. Cao, C. Luo, G. Ceder, Phys. Rev. B 94, 134424 (2016).

mod motif;
mod polynomial;

use crate::error::ExpansionError;
use crate::site_span::SiteSpan;
use microlp::{ComparisonOp, LinearExpr, OptimizationDirection, Problem};
use motif::Motif;
use scalade_handoff::SpeciesHamiltonian;
use std::collections::BTreeMap;

/// Settings of a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundSettings {
    /// Most sites of the motif.
    pub most_sites: usize,
    /// Most rounds of cutting planes.
    pub most_rounds: usize,
    /// Most nodes of each branch and bound.
    pub most_nodes: u64,
    /// Distance from the best known energy (eV per cell) at which the bound is good enough.
    pub enough_ev: f64,
}

impl Default for BoundSettings {
    fn default() -> Self {
        Self { most_sites: 18, most_rounds: 400, most_nodes: 20_000_000, enough_ev: 1e-6 }
    }
}

/// A lower bound.
#[derive(Clone, Debug, PartialEq)]
pub struct EnergyBound {
    /// No arrangement has a lower energy, eV per cell (with the chemical potentials taken off).
    pub bound_ev: f64,
    /// Sites of the motif.
    pub motif_sites: usize,
    /// Rounds of cutting planes.
    pub rounds: usize,
    /// Nodes of all branch and bounds.
    pub nodes: u64,
}

/// Bounds the energy of an expansion at chemical potentials.
#[derive(Clone, Debug)]
pub struct GroundStateBound<'a> {
    hamiltonian: &'a SpeciesHamiltonian,
    motif: Motif,
    settings: BoundSettings,
}

impl<'a> GroundStateBound<'a> {
    /// Prepares the motif.
    ///
    /// Errors: an electrostatic term (it has no range), and clusters that a motif of so many sites does not hold.
    pub fn new(hamiltonian: &'a SpeciesHamiltonian, settings: BoundSettings) -> Result<Self, ExpansionError> {
        hamiltonian.check()?;
        if hamiltonian.coulomb_coefficient != 0.0 {
            let problem = "the electrostatic term reaches everywhere: no motif bounds it".into();
            return Err(ExpansionError::Run { problem });
        }
        Ok(Self { hamiltonian, motif: Motif::new(hamiltonian, settings.most_sites)?, settings })
    }

    /// A lower bound on E - sum_s mu_s N_s per cell over all arrangements, N_s counted on the sites with a choice. `known_ev` is the best value known (an
    /// upper bound): rounds end where the bound comes close enough to it. A bound above it, beyond rounding, would mean that it belongs to no arrangement.
    pub fn at(
        &self,
        chemical_potentials_ev: &BTreeMap<String, f64>,
        known_ev: f64,
    ) -> Result<EnergyBound, ExpansionError> {
        let program = Program::new(self.hamiltonian, &self.motif, chemical_potentials_ev)?;
        program.solve(known_ev, &self.settings)
    }
}

/// The linear program at given chemical potentials.
struct Program<'a> {
    motif: &'a Motif,
    /// Coefficients of the products where every term is shared out evenly.
    even: Vec<f64>,
    /// Pairs of products whose means are equal: the first and another place of a class.
    shifts: Vec<[usize; 2]>,
    /// Largest share that may be moved, eV.
    widest: f64,
}

impl<'a> Program<'a> {
    fn new(
        hamiltonian: &SpeciesHamiltonian,
        motif: &'a Motif,
        mus: &BTreeMap<String, f64>,
    ) -> Result<Self, ExpansionError> {
        let mut even = vec![0.0; motif.polynomial.len()];
        even[0] = hamiltonian.coefficients_ev[0];
        let mut shifts = Vec::new();
        let mut widest: f64 = 0.0;
        for class in &motif.classes {
            let share = class.coefficient_ev / class.places.len() as f64;
            widest = widest.max(class.coefficient_ev.abs());
            for place in &class.places {
                even[*place] += share;
            }
            shifts.extend(class.places[1..].iter().map(|place| [class.places[0], *place]));
        }
        for (basis, site) in hamiltonian.sites.iter().enumerate().filter(|(_, s)| s.species.len() > 1) {
            let energies = site.species.iter().map(|s| -mus.get(s).copied().unwrap_or(0.0));
            let expanded = SiteSpan::new(site)?.of_values(energies);
            widest = expanded[1..].iter().fold(widest, |w, c| w.max(c.abs()));
            even[0] += expanded[0];
            let positions = &motif.positions[basis];
            for (f, c) in expanded[1..].iter().enumerate() {
                for position in positions {
                    if let Some(k) = motif.polynomial.number(&[(*position, f + 1)]) {
                        even[k] += c / positions.len() as f64;
                    }
                }
            }
        }
        Ok(Self { motif, even, shifts, widest: widest.max(1e-9) })
    }

    fn coefficients(&self, moved: &[f64]) -> Vec<f64> {
        let mut out = self.even.clone();
        for ([first, other], amount) in self.shifts.iter().zip(moved) {
            out[*first] -= amount;
            out[*other] += amount;
        }
        out
    }

    fn solve(&self, known_ev: f64, settings: &BoundSettings) -> Result<EnergyBound, ExpansionError> {
        let failed = |e: microlp::Error| ExpansionError::Run {
            problem: format!("the linear program of a ground-state bound failed: {e}"),
        };
        // States that are cut off, by the values of all products.
        let mut known: Vec<Vec<f64>> = Vec::new();
        let mut problem = Problem::new(OptimizationDirection::Maximize);
        let theta = problem.add_var(1.0, (f64::NEG_INFINITY, known_ev));
        let shares: Vec<microlp::Variable> =
            self.shifts.iter().map(|_| problem.add_var(0.0, (-self.widest, self.widest))).collect();
        // theta - sum_k x_k (m_other(s) - m_first(s)) <= E_even(s).
        let cut = |values: &[f64]| {
            let mut left = LinearExpr::empty();
            left.add(theta, 1.0);
            for (share, [first, other]) in shares.iter().zip(&self.shifts) {
                let change = values[*other] - values[*first];
                if change != 0.0 {
                    left.add(*share, -change);
                }
            }
            let right: f64 = values.iter().zip(&self.even).map(|(v, c)| v * c).sum();
            (left, right)
        };
        let mut best = EnergyBound {
            bound_ev: f64::NEG_INFINITY,
            motif_sites: self.motif.sites.len(),
            rounds: 0,
            nodes: 0,
        };
        let mut centre = vec![0.0; shares.len()];
        let mut outer = centre.clone();
        let mut reach = f64::INFINITY;
        while best.rounds < settings.most_rounds {
            best.rounds += 1;
            // Between the best point so far and that of the program: cutting planes by themselves jump about.
            let mix = if best.rounds == 1 { 1.0 } else { 0.4 };
            let mut news = false;
            for share in [mix, 1.0] {
                let point: Vec<f64> = centre.iter().zip(&outer).map(|(c, o)| c + share * (o - c)).collect();
                let coefficients = self.coefficients(&point);
                let value = |v: &Vec<f64>| v.iter().zip(&coefficients).map(|(v, c)| v * c).sum::<f64>();
                // States that are cut off already are known to be there: only lower ones are news.
                let lowest = known.iter().map(value).fold(f64::INFINITY, f64::min);
                let found = self.motif.polynomial.minimise(&coefficients, lowest, settings.most_nodes);
                best.nodes += found.nodes;
                if found.bound > best.bound_ev {
                    best.bound_ev = found.bound;
                    centre = point;
                }
                for state in found.states.into_iter().rev().take(8) {
                    let values = self.motif.polynomial.values(&state);
                    let (left, right) = cut(&values);
                    problem.add_constraint(left, ComparisonOp::Le, right);
                    known.push(values);
                    news = true;
                }
                if news {
                    break;
                }
            }
            let enough = best.bound_ev >= known_ev.min(reach) - settings.enough_ev;
            if enough || !news {
                break;
            }
            let outcome = problem.solve().map_err(failed)?;
            let Some(solution) = outcome.solution() else { break };
            reach = solution.var_value(theta);
            outer = shares.iter().map(|v| solution.var_value(*v)).collect();
        }
        Ok(best)
    }
}
