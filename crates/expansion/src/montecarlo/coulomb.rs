//! Electrostatic energy of the charges in a box, with a potential per site that is kept up to date.

use crate::error::ExpansionError;
use scalade_crystal::{COULOMB_EV_ANGSTROM, Ewald, LatticeSite, SiteGrid, row_times};
use scalade_handoff::{SpeciesHamiltonian, SpeciesSite};

/// Most entries of the table of pair potentials.
const MOST_ENTRIES: usize = 1 << 26;

/// Charges in a periodic box. The potential between two sites depends on their sublattices and on the difference of their cells.
#[derive(Clone, Debug)]
pub(super) struct Coulomb {
    /// Sublattices.
    basis: usize,
    dims: [usize; 3],
    /// eV per squared elementary charge: `[cell difference][from sublattice][to sublattice]`, scaled by the coefficient of the expansion.
    pair_ev: Vec<f64>,
    /// Potential of all charges at each site, eV per elementary charge.
    potential_ev: Vec<f64>,
}

impl Coulomb {
    pub(super) fn new(
        hamiltonian: &SpeciesHamiltonian,
        coefficient: f64,
        grid: &SiteGrid,
    ) -> Result<Self, ExpansionError> {
        let n = grid.basis();
        let count = grid.cells().saturating_mul(n * n);
        if count > MOST_ENTRIES {
            let what = "pairs of sublattices and cells of the electrostatic energy";
            return Err(ExpansionError::TooMany { what, count, limit: MOST_ENTRIES });
        }
        let lattice = &hamiltonian.lattice_angstrom;
        let dims = grid.dims();
        let vectors = std::array::from_fn(|a| lattice[a].map(|v| v * dims[a] as f64));
        let ewald = Ewald::new(&vectors)?;
        let mut pair_ev = Vec::with_capacity(count);
        for c in 0..grid.cells() {
            let cell = grid.site(c * n).cell;
            for a in 0..n {
                for b in 0..n {
                    let step = std::array::from_fn(|i| {
                        let inside = hamiltonian.sites[b].fractional[i] - hamiltonian.sites[a].fractional[i];
                        inside + f64::from(cell[i])
                    });
                    let potential = ewald.potential(row_times(step, lattice));
                    pair_ev.push(coefficient * COULOMB_EV_ANGSTROM * potential);
                }
            }
        }
        Ok(Self { basis: n, dims, pair_ev, potential_ev: vec![0.0; grid.sites()] })
    }

    fn pair(&self, grid: &SiteGrid, from: usize, to: usize) -> f64 {
        let (a, b) = (grid.site(from), grid.site(to));
        let step = std::array::from_fn(|i| b.cell[i] - a.cell[i]);
        let cell = grid.index(LatticeSite { cell: step, basis: 0 }) / self.basis;
        self.pair_ev[(cell * self.basis + a.basis) * self.basis + b.basis]
    }

    /// Computes all potentials anew; returns the energy, eV.
    pub(super) fn set(&mut self, grid: &SiteGrid, sites: &[SpeciesSite], species: &[u8]) -> f64 {
        self.potential_ev.fill(0.0);
        let mut energy = 0.0;
        for (site, s) in species.iter().enumerate() {
            let charge = sites[site % self.basis].charges[usize::from(*s)];
            if charge != 0.0 {
                self.change(grid, site, charge);
            }
        }
        for (site, s) in species.iter().enumerate() {
            energy += 0.5 * sites[site % self.basis].charges[usize::from(*s)] * self.potential_ev[site];
        }
        energy
    }

    /// Energy change on adding a charge to a site, eV: q times the potential there, and half the square of q times that of its own images.
    #[inline]
    pub(super) fn delta(&self, site: usize, sublattice: usize, charge: f64) -> f64 {
        let own = self.pair_ev[sublattice * self.basis + sublattice];
        charge * (self.potential_ev[site] + 0.5 * charge * own)
    }

    /// What two added charges cost together, eV.
    pub(super) fn coupling(&self, grid: &SiteGrid, first: (usize, f64), second: (usize, f64)) -> f64 {
        first.1 * second.1 * self.pair(grid, first.0, second.0)
    }

    /// Adds a charge to a site.
    pub(super) fn change(&mut self, grid: &SiteGrid, site: usize, charge: f64) {
        if charge == 0.0 {
            return;
        }
        let here = grid.site(site);
        let n = self.basis;
        let [d0, d1, d2] = self.dims;
        let shift = |at: usize, from: i32, dim: usize| (at + dim - from as usize) % dim;
        for i in 0..d0 {
            let row = shift(i, here.cell[0], d0) * d1;
            for j in 0..d1 {
                let column = (row + shift(j, here.cell[1], d1)) * d2;
                for k in 0..d2 {
                    let cell = column + shift(k, here.cell[2], d2);
                    let start = (cell * n + here.basis) * n;
                    let out = ((i * d1 + j) * d2 + k) * n;
                    let pairs = &self.pair_ev[start..start + n];
                    for (potential, pair) in self.potential_ev[out..out + n].iter_mut().zip(pairs) {
                        *potential += charge * pair;
                    }
                }
            }
        }
    }
}
