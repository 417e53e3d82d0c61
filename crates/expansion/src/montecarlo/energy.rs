//! The fast kernel for energies of arrangements: fields per site and site function, kept up to date.
//!
//! The energy is linear in the site functions of a site, so g_if = dE/dphi_f(s_i) does not depend on what stands on i, and putting species s' for s costs
//! sum_f (phi_f(s') - phi_f(s)) g_if: a trial reads a few numbers. A change updates the fields of the sites that share a term with i.

use super::compiled::{Table, compile};
use super::coulomb::Coulomb;
use crate::error::ExpansionError;
use scalade_crystal::SiteGrid;
use scalade_handoff::{SpeciesHamiltonian, SpeciesSite};

/// Energy of an arrangement on a periodic grid, with incremental changes.
#[derive(Clone, Debug)]
pub struct SpeciesEnergy {
    grid: SiteGrid,
    sites: Vec<SpeciesSite>,
    constant_ev: f64,
    /// Most site functions of a site: the stride of `values` and `fields`.
    functions: usize,
    tables: Vec<Table>,
    species: Vec<u8>,
    values: Vec<f64>,
    fields: Vec<f64>,
    coulomb: Option<Coulomb>,
    energy_ev: f64,
}

impl SpeciesEnergy {
    /// Compiles an expansion for a grid; every site starts with the first species of its list. `coefficients_ev` are those of the orbits
    /// (`[c_0, c_1, ...]`) and may be those of a sample; `coulomb_coefficient` belongs to them.
    ///
    /// Errors: a Hamiltonian that does not hold together, a grid of other sublattices, more terms than fit.
    pub fn new(
        hamiltonian: &SpeciesHamiltonian,
        coefficients_ev: &[f64],
        coulomb_coefficient: f64,
        grid: SiteGrid,
    ) -> Result<Self, ExpansionError> {
        hamiltonian.check()?;
        let expected = hamiltonian.orbits.len() + 1;
        if coefficients_ev.len() != expected {
            let got = coefficients_ev.len();
            return Err(ExpansionError::Length { what: "coefficients", expected, got });
        }
        if grid.basis() != hamiltonian.sites.len() {
            let (expected, got) = (hamiltonian.sites.len(), grid.basis());
            return Err(ExpansionError::Length { what: "sublattices of the grid", expected, got });
        }
        let (constant_ev, tables) = compile(hamiltonian, coefficients_ev, &grid)?;
        let functions = hamiltonian.sites.iter().map(|s| s.functions.len()).max().unwrap_or(0).max(1);
        let coulomb = if coulomb_coefficient == 0.0 {
            None
        } else {
            Some(Coulomb::new(hamiltonian, coulomb_coefficient, &grid)?)
        };
        let mut out = Self {
            sites: hamiltonian.sites.clone(),
            constant_ev,
            functions,
            tables,
            species: vec![0; grid.sites()],
            values: vec![0.0; grid.sites() * functions],
            fields: vec![0.0; grid.sites() * functions],
            coulomb,
            energy_ev: 0.0,
            grid,
        };
        out.recompute();
        Ok(out)
    }

    /// The grid.
    pub fn grid(&self) -> &SiteGrid {
        &self.grid
    }

    /// The sublattices.
    pub fn sublattices(&self) -> &[SpeciesSite] {
        &self.sites
    }

    /// Energy of the present arrangement, eV.
    pub fn energy_ev(&self) -> f64 {
        self.energy_ev
    }

    /// What stands on each site: an index into the species of its sublattice.
    pub fn species(&self) -> &[u8] {
        &self.species
    }

    /// Charge of the box, elementary charges; 0 without charges.
    pub fn charge(&self) -> f64 {
        let of = |(site, s): (usize, &u8)| {
            self.sites[self.sublattice(site)].charges.get(usize::from(*s)).copied().unwrap_or(0.0)
        };
        self.species.iter().enumerate().map(of).sum()
    }

    /// Sublattice of a site.
    #[inline]
    pub fn sublattice(&self, site: usize) -> usize {
        site % self.grid.basis()
    }

    /// Sets the whole arrangement.
    pub fn set(&mut self, species: &[u8]) -> Result<(), ExpansionError> {
        let expected = self.grid.sites();
        if species.len() != expected {
            return Err(ExpansionError::Length { what: "arrangement", expected, got: species.len() });
        }
        for (site, s) in species.iter().enumerate() {
            let known = self.sites[self.sublattice(site)].species.len();
            if usize::from(*s) >= known {
                let got = usize::from(*s) + 1;
                return Err(ExpansionError::Length { what: "species of a site", expected: known, got });
            }
        }
        self.species.copy_from_slice(species);
        self.recompute();
        Ok(())
    }

    /// Computes values, fields and energy anew; returns the change of the energy, which is the drift of the increments (eV).
    pub fn recompute(&mut self) -> f64 {
        let stride = self.functions;
        for site in 0..self.grid.sites() {
            let sublattice = &self.sites[site % self.grid.basis()];
            for (f, function) in sublattice.functions.iter().enumerate() {
                self.values[site * stride + f] = function[usize::from(self.species[site])];
            }
        }
        let mut energy = self.constant_ev * self.grid.cells() as f64;
        for site in 0..self.grid.sites() {
            let (cell, basis) = (site / self.grid.basis(), site % self.grid.basis());
            let table = &self.tables[basis];
            let around = table.around(cell);
            for f in 0..self.sites[basis].functions.len() {
                let mut field = table.points[f];
                // A term of n sites is seen from each of them: its share of the energy is 1/n.
                let mut share = table.points[f];
                for term in &table.terms[f] {
                    let product = term.coefficient_ev * table.product(term, around, &self.values, stride);
                    field += product;
                    share += product / (term.others() + 1) as f64;
                }
                self.fields[site * stride + f] = field;
                energy += self.values[site * stride + f] * share;
            }
        }
        if let Some(coulomb) = &mut self.coulomb {
            energy += coulomb.set(&self.grid, &self.sites, &self.species);
        }
        let drift = energy - self.energy_ev;
        self.energy_ev = energy;
        drift
    }

    /// Energy change on putting species `to` on a site, eV.
    #[inline]
    pub fn delta_ev(&self, site: usize, to: u8) -> f64 {
        let sublattice = &self.sites[site % self.grid.basis()];
        let (from, to) = (usize::from(self.species[site]), usize::from(to));
        let fields = &self.fields[site * self.functions..];
        let mut sum = 0.0;
        for (function, field) in sublattice.functions.iter().zip(fields) {
            sum += (function[to] - function[from]) * field;
        }
        match &self.coulomb {
            Some(coulomb) => {
                let charge = sublattice.charges[to] - sublattice.charges[from];
                sum + coulomb.delta(site, site % self.grid.basis(), charge)
            }
            None => sum,
        }
    }

    /// Energy change on changing two different sites, eV.
    pub fn delta_pair_ev(&self, first: (usize, u8), second: (usize, u8)) -> f64 {
        let apart = self.delta_ev(first.0, first.1) + self.delta_ev(second.0, second.1);
        apart + self.coupling_ev(first, second)
    }

    /// What two changes cost together beyond what each costs alone: terms that hold both sites.
    fn coupling_ev(&self, first: (usize, u8), second: (usize, u8)) -> f64 {
        let (cell, basis) = (first.0 / self.grid.basis(), first.0 % self.grid.basis());
        let table = &self.tables[basis];
        let around = table.around(cell);
        let mut sum = 0.0;
        if let Some(offset) = around.iter().position(|site| *site as usize == second.0) {
            let there = &self.sites[second.0 % self.grid.basis()];
            let change = |site: &SpeciesSite, f: usize, from: u8, to: u8| {
                site.functions[f][usize::from(to)] - site.functions[f][usize::from(from)]
            };
            for shared in table.shared(offset) {
                let term = &table.terms[shared.own][shared.term];
                let own = change(&self.sites[basis], shared.own, self.species[first.0], first.1);
                let other = change(there, shared.function, self.species[second.0], second.1);
                let rest = table.product_without(term, shared.factor, around, &self.values, self.functions);
                sum += term.coefficient_ev * own * other * rest;
            }
        }
        match &self.coulomb {
            Some(coulomb) => {
                let charge = |(site, to): (usize, u8)| {
                    let charges = &self.sites[site % self.grid.basis()].charges;
                    charges[usize::from(to)] - charges[usize::from(self.species[site])]
                };
                sum + coulomb.coupling(&self.grid, (first.0, charge(first)), (second.0, charge(second)))
            }
            None => sum,
        }
    }

    /// Puts species `to` on a site and updates the fields; returns the energy change, eV.
    pub fn change(&mut self, site: usize, to: u8) -> f64 {
        let from = self.species[site];
        if from == to {
            return 0.0;
        }
        let delta = self.delta_ev(site, to);
        let (cell, basis) = (site / self.grid.basis(), site % self.grid.basis());
        let stride = self.functions;
        let table = &self.tables[basis];
        let around = table.around(cell);
        for f in 0..self.sites[basis].functions.len() {
            let function = &self.sites[basis].functions[f];
            let change = function[usize::from(to)] - function[usize::from(from)];
            if change != 0.0 {
                for term in &table.terms[f] {
                    table.spread(term, change, around, &self.values, &mut self.fields, stride);
                }
            }
            self.values[site * stride + f] = function[usize::from(to)];
        }
        if let Some(coulomb) = &mut self.coulomb {
            let charges = &self.sites[basis].charges;
            let charge = charges[usize::from(to)] - charges[usize::from(from)];
            coulomb.change(&self.grid, site, charge);
        }
        self.species[site] = to;
        self.energy_ev += delta;
        delta
    }
}
