//! The fast kernel for energies of occupations: a field per site, kept up to date.
//!
//! The energy is multilinear in the spins, so g_i = dE/dsigma_i does not depend on sigma_i and the change on flipping site i is
//! -2 sigma_i g_i: a trial costs one read. An accepted flip updates the fields of the sites that share a cluster with i.

use crate::local_terms::{LocalTerms, Scratch};
use crate::{HandoffError, LatticeHamiltonian};
use scalade_crystal::{LatticeSite, SiteGrid};
use std::collections::BTreeMap;

/// A directed neighbour relation along which ions hop: from any site on sublattice `from` to the site at `to.cell` cells
/// from it, on sublattice `to.basis`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bond {
    /// Sublattice of the start.
    pub from: usize,
    /// Cell offset and sublattice of the end.
    pub to: LatticeSite,
}

/// Terms of one order seen from one sublattice: `coefficients[k]` times the product of the spins at `order` other sites.
#[derive(Clone, Debug)]
struct Stencil {
    others: usize,
    coefficients: Vec<f64>,
    /// Site indices, `[site on this sublattice][term][other]`.
    indices: Vec<u32>,
}

impl Stencil {
    fn empty(others: usize) -> Self {
        Self { others, coefficients: Vec::new(), indices: Vec::new() }
    }

    fn of(&self, cell: usize) -> &[u32] {
        let width = self.others * self.coefficients.len();
        &self.indices[cell * width..(cell + 1) * width]
    }
}

/// Per-sublattice and per-bond tables. Terms with two and more other sites are in `local`, or in `triplet` and `larger` where there are
/// too many neighbours for it or only their sum is needed.
#[derive(Clone, Debug)]
struct Tables {
    constant: f64,
    pair: Stencil,
    local: Option<LocalTerms>,
    triplet: Stencil,
    larger: Vec<Stencil>,
}

/// Energy of an occupation on a periodic grid, with incremental flips.
#[derive(Clone, Debug)]
pub struct LatticeEnergy {
    grid: SiteGrid,
    constant: f64,
    tables: Vec<Tables>,
    bonds: Vec<(Bond, Tables)>,
    spin: Vec<f64>,
    field: Vec<f64>,
    energy: f64,
    scratch: Scratch,
}

/// Clusters on the grid as seen from cell 0, sites that coincide by periodicity cancelled in pairs (sigma^2 = 1): the map from
/// grid-reduced cluster to summed coefficient, and the constant per cell.
fn reduced_clusters(
    hamiltonian: &LatticeHamiltonian,
    coefficients: &[f64],
    grid: &SiteGrid,
) -> (f64, Vec<(Vec<LatticeSite>, f64)>) {
    let mut constant = coefficients[0];
    let mut out = Vec::new();
    for (orbit, coefficient) in hamiltonian.orbits.iter().zip(&coefficients[1..]) {
        if *coefficient == 0.0 {
            continue;
        }
        for cluster in &orbit.clusters {
            let mut sites: Vec<(usize, LatticeSite)> = cluster.iter().map(|s| (grid.index(*s), *s)).collect();
            sites.sort_unstable();
            let mut kept: Vec<(usize, LatticeSite)> = Vec::with_capacity(sites.len());
            for site in sites {
                if kept.last().is_some_and(|k| k.0 == site.0) {
                    kept.pop();
                } else {
                    kept.push(site);
                }
            }
            if kept.is_empty() {
                constant += coefficient;
            } else {
                out.push((kept.into_iter().map(|k| k.1).collect(), *coefficient));
            }
        }
    }
    (constant, out)
}

fn relative(site: LatticeSite, to: LatticeSite) -> LatticeSite {
    LatticeSite { cell: std::array::from_fn(|a| site.cell[a] - to.cell[a]), basis: site.basis }
}

/// Terms with their other sites given as offsets; equal terms (after wrapping into the grid) are merged.
fn tables(grid: &SiteGrid, basis: usize, terms: &[(Vec<LatticeSite>, f64)], gathered: bool) -> Tables {
    let mut merged: BTreeMap<Vec<usize>, (Vec<LatticeSite>, f64)> = BTreeMap::new();
    for (others, coefficient) in terms {
        let mut key: Vec<usize> = others.iter().map(|s| grid.index(*s)).collect();
        key.sort_unstable();
        merged.entry(key).or_insert_with(|| (others.clone(), 0.0)).1 += coefficient;
    }
    let many = merged.values().filter(|t| t.0.len() > 1).map(|t| (t.0.as_slice(), t.1));
    let local = if gathered { LocalTerms::new(grid, basis, many) } else { None };
    let stencil = |others: usize| {
        let chosen: Vec<&(Vec<LatticeSite>, f64)> = merged.values().filter(|t| t.0.len() == others).collect();
        let mut indices = Vec::with_capacity(grid.cells() * others * chosen.len());
        for cell in 0..grid.cells() {
            let from = cell * grid.basis() + basis;
            for (sites, _) in &chosen {
                indices.extend(sites.iter().map(|s| grid.offset(from, *s) as u32));
            }
        }
        Stencil { others, coefficients: chosen.iter().map(|t| t.1).collect(), indices }
    };
    let largest = merged.values().map(|t| t.0.len()).max().unwrap_or(0);
    let (triplet, larger) = match local {
        Some(_) => (Stencil::empty(2), Vec::new()),
        None => (stencil(2), (3..=largest).map(stencil).collect()),
    };
    Tables {
        constant: merged.get(&Vec::new()).map_or(0.0, |t| t.1),
        pair: stencil(1),
        local,
        triplet,
        larger,
    }
}

impl LatticeEnergy {
    /// Compiles the Hamiltonian for a grid; all sites start vacant. `bonds` are those for which
    /// [`Self::swap_delta_ev`] will be asked.
    pub fn new(
        hamiltonian: &LatticeHamiltonian,
        coefficients_ev: &[f64],
        grid: SiteGrid,
        bonds: &[Bond],
    ) -> Result<Self, HandoffError> {
        hamiltonian.check()?;
        let expected = hamiltonian.orbits.len() + 1;
        if coefficients_ev.len() != expected {
            return Err(HandoffError::Length { what: "coefficients", expected, got: coefficients_ev.len() });
        }
        let basis_sites = hamiltonian.basis_fractional.len();
        if grid.basis() != basis_sites {
            return Err(HandoffError::Length {
                what: "sublattices",
                expected: basis_sites,
                got: grid.basis(),
            });
        }
        let (constant, clusters) = reduced_clusters(hamiltonian, coefficients_ev, &grid);
        let seen_from = |basis: usize| {
            let mut terms = Vec::new();
            for (sites, coefficient) in &clusters {
                for here in sites.iter().filter(|s| s.basis == basis) {
                    let others: Vec<LatticeSite> =
                        sites.iter().filter(|s| *s != here).map(|s| relative(*s, *here)).collect();
                    terms.push((others, *coefficient));
                }
            }
            terms
        };
        let all: Vec<_> = (0..basis_sites).map(seen_from).collect();
        let per_basis: Vec<Tables> = all.iter().enumerate().map(|(b, t)| tables(&grid, b, t, true)).collect();
        let mut per_bond = Vec::with_capacity(bonds.len());
        for (index, bond) in bonds.iter().enumerate() {
            if bond.from >= basis_sites || bond.to.basis >= basis_sites {
                let reason = "a bond names a sublattice that does not exist";
                return Err(HandoffError::Cluster { orbit: 0, cluster: index, reason });
            }
            let end = grid.offset(bond.from, bond.to);
            let mut coupled = Vec::new();
            for (others, coefficient) in &all[bond.from] {
                if let Some(k) = others.iter().position(|s| grid.offset(bond.from, *s) == end) {
                    let mut rest = others.clone();
                    rest.remove(k);
                    coupled.push((rest, *coefficient));
                }
            }
            per_bond.push((*bond, tables(&grid, bond.from, &coupled, false)));
        }
        let sites = grid.sites();
        let mut out = Self {
            grid,
            constant,
            tables: per_basis,
            bonds: per_bond,
            spin: vec![-1.0; sites],
            field: vec![0.0; sites],
            energy: 0.0,
            scratch: Scratch::default(),
        };
        out.recompute();
        Ok(out)
    }

    /// The grid.
    pub fn grid(&self) -> &SiteGrid {
        &self.grid
    }

    /// Energy of the present occupation, eV.
    pub fn energy_ev(&self) -> f64 {
        self.energy
    }

    /// Whether a site is occupied.
    #[inline]
    pub fn is_occupied(&self, site: usize) -> bool {
        self.spin[site] > 0.0
    }

    /// +1 for an occupied site, -1 for a vacant one.
    #[inline]
    pub fn spin(&self, site: usize) -> f64 {
        self.spin[site]
    }

    /// Number of occupied sites.
    pub fn occupied_count(&self) -> usize {
        self.spin.iter().filter(|s| **s > 0.0).count()
    }

    /// Sets the whole occupation.
    pub fn set_occupation(&mut self, occupied: &[bool]) -> Result<(), HandoffError> {
        let expected = self.grid.sites();
        if occupied.len() != expected {
            return Err(HandoffError::Length { what: "occupation", expected, got: occupied.len() });
        }
        for (spin, o) in self.spin.iter_mut().zip(occupied) {
            *spin = if *o { 1.0 } else { -1.0 };
        }
        self.recompute();
        Ok(())
    }

    /// The occupation, one entry per site.
    pub fn occupation(&self) -> Vec<bool> {
        self.spin.iter().map(|s| *s > 0.0).collect()
    }

    /// Computes fields and energy anew; returns the change of the energy, which is the drift of the increments (eV).
    pub fn recompute(&mut self) -> f64 {
        let mut energy = self.constant * self.grid.cells() as f64;
        for site in 0..self.grid.sites() {
            let (cell, basis) = (site / self.grid.basis(), site % self.grid.basis());
            let table = &self.tables[basis];
            let pair = product_sum(&table.pair, cell, &self.spin);
            let triplet = product_sum(&table.triplet, cell, &self.spin);
            let mut field = table.constant + pair + triplet;
            // A cluster of n sites is seen from each of them: its share of the energy is 1/n.
            let mut share = table.constant + pair / 2.0 + triplet / 3.0;
            if let Some(local) = &table.local {
                let (sum, part) = local.sums(cell, &self.spin, &mut self.scratch);
                field += sum;
                share += part;
            }
            for stencil in &table.larger {
                let sum = product_sum(stencil, cell, &self.spin);
                field += sum;
                share += sum / (stencil.others + 1) as f64;
            }
            self.field[site] = field;
            energy += self.spin[site] * share;
        }
        let drift = energy - self.energy;
        self.energy = energy;
        drift
    }

    /// Energy change on flipping a site, eV.
    #[inline]
    pub fn flip_delta_ev(&self, site: usize) -> f64 {
        -2.0 * self.spin[site] * self.field[site]
    }

    /// Flips a site and updates the fields; returns the energy change, eV.
    pub fn flip(&mut self, site: usize) -> f64 {
        let delta = self.flip_delta_ev(site);
        let (cell, basis) = (site / self.grid.basis(), site % self.grid.basis());
        let table = &self.tables[basis];
        let change = -2.0 * self.spin[site];
        for (other, coefficient) in table.pair.of(cell).iter().zip(&table.pair.coefficients) {
            self.field[*other as usize] += change * coefficient;
        }
        if let Some(local) = &table.local {
            local.spread(cell, change, &self.spin, &mut self.field, &mut self.scratch);
        }
        for (others, coefficient) in table.triplet.of(cell).chunks_exact(2).zip(&table.triplet.coefficients) {
            let (a, b) = (others[0] as usize, others[1] as usize);
            self.field[a] += change * coefficient * self.spin[b];
            self.field[b] += change * coefficient * self.spin[a];
        }
        for stencil in &table.larger {
            for (others, coefficient) in
                stencil.of(cell).chunks_exact(stencil.others).zip(&stencil.coefficients)
            {
                let product: f64 = others.iter().map(|o| self.spin[*o as usize]).product();
                for other in others {
                    // Spins are +-1: dividing by one is multiplying by it.
                    self.field[*other as usize] +=
                        change * coefficient * product * self.spin[*other as usize];
                }
            }
        }
        self.spin[site] = -self.spin[site];
        self.energy += delta;
        delta
    }

    /// The end of a registered bond from a site (which must lie on the bond's sublattice).
    pub fn bond_end(&self, bond: usize, site: usize) -> usize {
        self.grid.offset(site, self.bonds[bond].0.to)
    }

    /// Energy change on moving an ion along a registered bond from the occupied `site` to the vacant `end`, eV.
    /// With C = d2E/(dsigma_i dsigma_j), dE = -2 g_i + 2 g_j - 4 C.
    #[inline]
    pub fn swap_delta_ev(&self, bond: usize, site: usize, end: usize) -> f64 {
        let coupling = self.coupling(bond, site / self.grid.basis());
        -2.0 * self.field[site] + 2.0 * self.field[end] - 4.0 * coupling
    }

    /// C = d2E/(dsigma_i dsigma_j) for the bond from cell `cell`.
    #[inline]
    fn coupling(&self, bond: usize, cell: usize) -> f64 {
        let table = &self.bonds[bond].1;
        let mut sum = table.constant;
        for (other, coefficient) in table.pair.of(cell).iter().zip(&table.pair.coefficients) {
            sum += coefficient * self.spin[*other as usize];
        }
        if !table.triplet.coefficients.is_empty() {
            sum += product_sum(&table.triplet, cell, &self.spin);
        }
        for stencil in &table.larger {
            sum += product_sum(stencil, cell, &self.spin);
        }
        sum
    }
}

fn product_sum(stencil: &Stencil, cell: usize, spin: &[f64]) -> f64 {
    if stencil.others == 0 || stencil.coefficients.is_empty() {
        return 0.0;
    }
    let terms = stencil.of(cell).chunks_exact(stencil.others);
    terms
        .zip(&stencil.coefficients)
        .map(|(others, c)| c * others.iter().map(|o| spin[*o as usize]).product::<f64>())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClusterOrbit;
    use proptest::prelude::*;
    use scalade_numerics::Philox;

    fn site(cell: [i32; 3], basis: usize) -> LatticeSite {
        LatticeSite { cell, basis }
    }

    /// Two sublattices, points, pairs, triplets and a quadruplet, some reaching across small boxes.
    fn hamiltonian() -> LatticeHamiltonian {
        let o = [0, 0, 0];
        let orbit = |clusters: Vec<Vec<LatticeSite>>| ClusterOrbit {
            order: clusters[0].len(),
            diameter_angstrom: 1.0,
            clusters,
        };
        let orbits = vec![
            orbit(vec![vec![site(o, 0)]]),
            orbit(vec![vec![site(o, 1)]]),
            orbit(vec![vec![site(o, 0), site([1, 0, 0], 0)], vec![site(o, 0), site([0, 1, 0], 0)]]),
            orbit(vec![vec![site(o, 0), site(o, 1)], vec![site([0, 0, 1], 0), site(o, 1)]]),
            orbit(vec![vec![site(o, 0), site([3, 0, 0], 0)]]),
            orbit(vec![vec![site(o, 0), site([1, 0, 0], 0), site(o, 1)]]),
            orbit(vec![vec![site(o, 0), site([2, 1, 0], 0), site([4, 0, -1], 1)]]),
            orbit(vec![vec![site(o, 0), site([1, 0, 0], 0), site([0, 1, 0], 1), site(o, 1)]]),
            orbit(vec![vec![
                site(o, 0),
                site([1, 0, 0], 0),
                site([1, 1, 0], 0),
                site([1, 1, 1], 1),
                site(o, 1),
            ]]),
        ];
        let coefficients_ev: Vec<f64> =
            (0..=orbits.len()).map(|k| 0.3 - 0.07 * k as f64 * (-1f64).powi(k as i32)).collect();
        LatticeHamiltonian {
            lattice_angstrom: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            basis_fractional: vec![[0.0; 3], [0.5; 3]],
            working_ion: "Li".into(),
            formula_units_per_cell: 1.0,
            samples_ev: vec![coefficients_ev.clone()],
            orbits,
            coefficients_ev,
        }
    }

    proptest! {
        #[test]
        fn increments_agree_with_straight_summation(dims in proptest::array::uniform3(1usize..5), seed in 0u64..1000) {
            let h = hamiltonian();
            let grid = SiteGrid::new(dims, 2).unwrap();
            let bonds = [
                Bond { from: 0, to: site([1, 0, 0], 0) },
                Bond { from: 0, to: site([0, 0, 0], 1) },
                Bond { from: 1, to: site([0, 0, 1], 0) },
            ];
            let mut energy = LatticeEnergy::new(&h, &h.coefficients_ev, grid, &bonds).unwrap();
            let mut rng = Philox::new(seed, 0, 0);
            let start: Vec<bool> = (0..grid.sites()).map(|_| rng.uniform() < 0.5).collect();
            energy.set_occupation(&start).unwrap();
            let reference = |e: &LatticeEnergy| h.reference_energy_ev(&h.coefficients_ev, &grid, &e.occupation());
            prop_assert!((energy.energy_ev() - reference(&energy)).abs() < 1e-10);
            for _ in 0..30 {
                let flipped = rng.below(grid.sites() as u32) as usize;
                let before = reference(&energy);
                let delta = energy.flip(flipped);
                prop_assert!((reference(&energy) - before - delta).abs() < 1e-10);
                for (b, bond) in bonds.iter().enumerate() {
                    let from = rng.below(grid.cells() as u32) as usize * 2 + bond.from;
                    let end = energy.bond_end(b, from);
                    if energy.is_occupied(from) && !energy.is_occupied(end) {
                        let here = reference(&energy);
                        let swap = energy.swap_delta_ev(b, from, end);
                        let mut moved = energy.clone();
                        moved.flip(from);
                        moved.flip(end);
                        prop_assert!((reference(&moved) - here - swap).abs() < 1e-10);
                    }
                }
            }
            prop_assert!(energy.recompute().abs() < 1e-10);
        }
    }

    #[test]
    fn inadmissible_hamiltonians_are_refused() {
        let mut twice = hamiltonian();
        twice.orbits[2].clusters.push(vec![site([5, 0, 0], 0), site([4, 0, 0], 0)]);
        assert!(matches!(twice.check(), Err(HandoffError::Cluster { orbit: 2, cluster: 2, .. })));
        let mut repeated = hamiltonian();
        repeated.orbits[2].clusters[0][1] = site([0, 0, 0], 0);
        assert!(repeated.check().is_err());
        let mut unknown = hamiltonian();
        unknown.orbits[3].clusters[0][1].basis = 7;
        assert!(unknown.check().is_err());
        let mut short = hamiltonian();
        short.coefficients_ev.pop();
        assert!(short.check().is_err());
        let mut not_a_number = hamiltonian();
        not_a_number.samples_ev[0][3] = f64::NAN;
        assert!(not_a_number.check().is_err());
    }
}
