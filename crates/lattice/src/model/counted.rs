//! Models whose energy is a sum over classes of clusters: what the multi-spin kernel counts.

use super::{PairModel, Variables};
use crate::LatticeError;
use scalade_crystal::{LatticeSite, SiteGrid};
use scalade_handoff::LatticeHamiltonian;
use scalade_handoff::lattice_hamiltonian::canonical;

/// A cluster seen from one of its sites: its class and its other sites, relative to the cell of that site.
pub type Seen<'a> = (usize, &'a [LatticeSite]);

/// Energy = constant + sum over classes of (energy of the class) * sum over its clusters of the product of their variables.
///
/// A cluster that holds a site twice (through a period of the box) must not be listed: [`Self::gap`] takes it in where it matters.
pub trait Counted: Sync {
    /// The numbering of the sites.
    fn grid(&self) -> SiteGrid;

    /// What is multiplied.
    fn variables(&self) -> Variables;

    /// Energy of a cluster of each class.
    fn energies(&self) -> Vec<f64>;

    /// Energy of the box that does not depend on the occupation.
    fn constant(&self) -> f64;

    /// Every cluster of two and more sites through the site (0, sublattice), by class. A cluster that holds several sites of a sublattice appears
    /// once for each.
    fn through(&self, sublattice: usize) -> Vec<Seen<'_>>;

    /// Every cluster once, points among them, seen from a site of it on the sublattice.
    fn once(&self, sublattice: usize) -> Vec<Seen<'_>>;

    /// Clusters of each class in the box.
    fn totals(&self) -> Vec<i64>;

    /// Energy of an occupied site less that of a vacant one, when `counts[k]` of the clusters of class k through it have a product of +1 (spins)
    /// or 1 (occupations) over their other sites.
    fn gap(&self, sublattice: usize, counts: &[usize]) -> f64;

    /// The chemical potential at which exchanging occupied and vacant is a symmetry.
    fn symmetric_chemical_potential(&self) -> Option<f64>;

    /// Whether uniform boxes are the stable phases.
    fn is_ferromagnetic(&self) -> bool;

    /// kT at which the model is disordered.
    fn hot(&self, mu: f64) -> f64;

    /// Number of sites.
    fn sites(&self) -> usize {
        self.grid().sites()
    }

    /// Number of clusters of each class through a site of the sublattice.
    fn coordination(&self, sublattice: usize) -> Vec<usize> {
        let mut counts = vec![0; self.energies().len()];
        for (class, _) in self.through(sublattice) {
            counts[class] += 1;
        }
        counts
    }
}

impl Counted for PairModel {
    fn grid(&self) -> SiteGrid {
        Self::grid(self)
    }

    fn variables(&self) -> Variables {
        Self::variables(self)
    }

    fn energies(&self) -> Vec<f64> {
        self.shells().iter().map(|s| s.energy).collect()
    }

    fn constant(&self) -> f64 {
        0.0
    }

    fn through(&self, sublattice: usize) -> Vec<Seen<'_>> {
        let all = self.shells().iter().enumerate();
        all.flat_map(|(k, shell)| shell.neighbours[sublattice].chunks_exact(1).map(move |n| (k, n)))
            .filter(|(_, n)| Self::grid(self).index(n[0]) != sublattice)
            .collect()
    }

    fn once(&self, sublattice: usize) -> Vec<Seen<'_>> {
        let home = LatticeSite { cell: [0; 3], basis: sublattice };
        let all = self.shells().iter().enumerate();
        all.flat_map(|(k, shell)| shell.neighbours[sublattice].chunks_exact(1).map(move |n| (k, n)))
            .filter(|(_, n)| n[0] > home)
            .collect()
    }

    fn totals(&self) -> Vec<i64> {
        let cells = Self::grid(self).cells() as i64;
        self.shells()
            .iter()
            .map(|s| s.neighbours.iter().map(Vec::len).sum::<usize>() as i64 / 2 * cells)
            .collect()
    }

    fn gap(&self, sublattice: usize, counts: &[usize]) -> f64 {
        Self::gap(self, sublattice, counts)
    }

    fn symmetric_chemical_potential(&self) -> Option<f64> {
        Self::symmetric_chemical_potential(self)
    }

    fn is_ferromagnetic(&self) -> bool {
        Self::is_ferromagnetic(self)
    }

    fn hot(&self, mu: f64) -> f64 {
        super::hot(self, mu)
    }
}

/// A cluster expansion in a box, as classes of spin products. Orbits of equal sites and coefficient zero are left out.
#[derive(Clone, Debug)]
pub struct SpinExpansion {
    grid: SiteGrid,
    constant: f64,
    energies: Vec<f64>,
    totals: Vec<i64>,
    /// By sublattice: class and other sites.
    through: Vec<Vec<(usize, Vec<LatticeSite>)>>,
    once: Vec<Vec<(usize, Vec<LatticeSite>)>>,
    /// Number of clusters of each class through a site, by sublattice.
    around: Vec<Vec<usize>>,
    /// Energy of a spin +1 less that of -1 by point terms, by sublattice.
    field: Vec<f64>,
}

impl SpinExpansion {
    /// The expansion with these coefficients in a box; `None` if a cluster meets itself in it (the box is too narrow).
    pub fn new(
        expansion: &LatticeHamiltonian,
        coefficients: &[f64],
        grid: SiteGrid,
    ) -> Result<Option<Self>, LatticeError> {
        expansion.check()?;
        let (expected, got) = (expansion.orbits.len() + 1, coefficients.len());
        if expected != got {
            return Err(LatticeError::Length { what: "coefficients", expected, got });
        }
        if grid.basis() != expansion.basis_fractional.len() {
            let (expected, got) = (expansion.basis_fractional.len(), grid.basis());
            return Err(LatticeError::Length { what: "sublattices of the box", expected, got });
        }
        let basis = grid.basis();
        let mut out = Self {
            grid,
            constant: coefficients[0] * grid.cells() as f64,
            energies: Vec::new(),
            totals: Vec::new(),
            through: vec![Vec::new(); basis],
            once: vec![Vec::new(); basis],
            around: Vec::new(),
            field: vec![0.0; basis],
        };
        for (orbit, coefficient) in expansion.orbits.iter().zip(&coefficients[1..]) {
            if *coefficient == 0.0 {
                continue;
            }
            let class = out.energies.len();
            out.energies.push(*coefficient);
            out.totals.push((orbit.clusters.len() * grid.cells()) as i64);
            for cluster in &orbit.clusters {
                let cluster = canonical(cluster);
                let mut indices: Vec<usize> = cluster.iter().map(|s| grid.index(*s)).collect();
                indices.sort_unstable();
                if indices.windows(2).any(|w| w[0] == w[1]) {
                    return Ok(None);
                }
                if let [point] = cluster[..] {
                    // Its product over no other sites is the same everywhere: nothing to count, but something to observe.
                    out.field[point.basis] += 2.0 * coefficient;
                    out.once[point.basis].push((class, Vec::new()));
                    continue;
                }
                for (n, anchor) in cluster.iter().enumerate() {
                    let others: Vec<LatticeSite> = cluster
                        .iter()
                        .enumerate()
                        .filter(|(m, _)| *m != n)
                        .map(|(_, s)| LatticeSite {
                            cell: std::array::from_fn(|a| s.cell[a] - anchor.cell[a]),
                            ..*s
                        })
                        .collect();
                    if n == 0 {
                        out.once[anchor.basis].push((class, others.clone()));
                    }
                    out.through[anchor.basis].push((class, others));
                }
            }
        }
        for list in out.through.iter_mut().chain(&mut out.once) {
            list.sort_by_key(|(class, _)| *class);
        }
        out.around = (0..basis).map(|b| Counted::coordination(&out, b)).collect();
        Ok(Some(out))
    }
}

impl Counted for SpinExpansion {
    fn grid(&self) -> SiteGrid {
        self.grid
    }

    fn variables(&self) -> Variables {
        Variables::Spin
    }

    fn energies(&self) -> Vec<f64> {
        self.energies.clone()
    }

    fn constant(&self) -> f64 {
        self.constant
    }

    fn through(&self, sublattice: usize) -> Vec<Seen<'_>> {
        self.through[sublattice].iter().map(|(k, others)| (*k, others.as_slice())).collect()
    }

    fn once(&self, sublattice: usize) -> Vec<Seen<'_>> {
        self.once[sublattice].iter().map(|(k, others)| (*k, others.as_slice())).collect()
    }

    fn totals(&self) -> Vec<i64> {
        self.totals.clone()
    }

    fn gap(&self, sublattice: usize, counts: &[usize]) -> f64 {
        let around = &self.around[sublattice];
        let of_class =
            |(k, n): (usize, &usize)| 2.0 * self.energies[k] * (2.0 * *n as f64 - around[k] as f64);
        self.field[sublattice] + counts.iter().enumerate().map(of_class).sum::<f64>()
    }

    fn symmetric_chemical_potential(&self) -> Option<f64> {
        None
    }

    fn is_ferromagnetic(&self) -> bool {
        false
    }

    fn hot(&self, mu: f64) -> f64 {
        let widest: f64 = (0..self.grid.basis())
            .map(|b| {
                let clusters: f64 = self.through[b].iter().map(|(k, _)| 2.0 * self.energies[*k].abs()).sum();
                clusters + self.field[b].abs()
            })
            .fold(0.0, f64::max);
        2.0 * (widest + mu.abs())
    }
}
