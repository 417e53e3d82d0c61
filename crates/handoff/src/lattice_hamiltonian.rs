//! Energy of an occupation of a lattice: the hand-off from first-principles energies to lattice statistics and hopping.

use crate::HandoffError;
use scalade_crystal::{LatticeSite, Matrix3};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A set of symmetry-equivalent clusters of sites.
///
/// `clusters` holds one representative of every translation class: translating each by all lattice vectors gives every cluster of
/// the orbit exactly once (a pair appears once, not once from either end).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterOrbit {
    /// Number of sites in a cluster: 1 point, 2 pair, 3 triplet ...
    pub order: usize,
    /// Largest distance between two sites of a cluster, angstrom (0 for points).
    pub diameter_angstrom: f64,
    /// The clusters per primitive cell (their number is the multiplicity per cell).
    pub clusters: Vec<Vec<LatticeSite>>,
}

/// A cluster expansion of the energy in spin variables.
///
/// With sigma = +1 on an occupied site and -1 on a vacant one, and sums over all cells R,
///
/// E = cells * c_0 + sum_orbits c_o sum_(R, clusters of o) prod_(s in cluster) sigma_(R+s)
///
/// (J. M. Sanchez, F. Ducastelle, D. Gratias, Physica A 128, 334 (1984)). Coefficients are in eV: c_0 per cell, c_o per cluster.
/// Energies are on the scale of the data they were fitted to (total energies, not formation energies), so that a chemical
/// potential dE/dN compares directly with the reference energy of the working ion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatticeHamiltonian {
    /// Lattice vectors of the primitive cell as rows, angstrom.
    pub lattice_angstrom: Matrix3,
    /// Fractional positions of the sites of the working ion in the primitive cell.
    pub basis_fractional: Vec<[f64; 3]>,
    /// Symbol of the working ion.
    pub working_ion: String,
    /// Formula units of the host per primitive cell.
    pub formula_units_per_cell: f64,
    /// The orbits.
    pub orbits: Vec<ClusterOrbit>,
    /// Best coefficients: `[c_0, c_1, ...]`, one more than there are orbits, eV.
    pub coefficients_ev: Vec<f64>,
    /// Posterior samples of the coefficients, each like `coefficients_ev`; member k of the ladder's ensemble uses sample k.
    pub samples_ev: Vec<Vec<f64>>,
}

impl LatticeHamiltonian {
    /// Checks lengths, sublattice indices, finiteness, and that no cluster repeats a site or stands twice (up to translation).
    pub fn check(&self) -> Result<(), HandoffError> {
        let expected = self.orbits.len() + 1;
        for list in std::iter::once(&self.coefficients_ev).chain(&self.samples_ev) {
            if list.len() != expected {
                return Err(HandoffError::Length { what: "coefficients", expected, got: list.len() });
            }
            if let Some(index) = list.iter().position(|c| !c.is_finite()) {
                let value = list[index];
                return Err(HandoffError::Value {
                    what: "coefficients",
                    index,
                    value,
                    want: "finite numbers are due",
                });
            }
        }
        if self.basis_fractional.is_empty() {
            return Err(HandoffError::Length { what: "basis sites", expected: 1, got: 0 });
        }
        let mut seen = BTreeSet::new();
        for (o, orbit) in self.orbits.iter().enumerate() {
            for (c, cluster) in orbit.clusters.iter().enumerate() {
                let error = |reason| HandoffError::Cluster { orbit: o, cluster: c, reason };
                if cluster.len() != orbit.order || cluster.is_empty() {
                    return Err(error("its number of sites is not the order of its orbit"));
                }
                if cluster.iter().any(|s| s.basis >= self.basis_fractional.len()) {
                    return Err(error("it names a sublattice that does not exist"));
                }
                if cluster.iter().any(|s| s.cell.iter().any(|n| n.unsigned_abs() > 1 << 20)) {
                    return Err(error("a site lies more than 2^20 cells away"));
                }
                let canonical = canonical(cluster);
                if canonical.windows(2).any(|w| w[0] == w[1]) {
                    return Err(error("it holds a site twice"));
                }
                if !seen.insert(canonical) {
                    return Err(error("it stands twice up to a translation: every cluster is counted once"));
                }
            }
        }
        Ok(())
    }

    /// Energy in eV of an occupation by straight summation: the slow, readable reference for every fast kernel.
    /// `occupied` has one entry per site of `grid`.
    pub fn reference_energy_ev(
        &self,
        coefficients_ev: &[f64],
        grid: &scalade_crystal::SiteGrid,
        occupied: &[bool],
    ) -> f64 {
        let mut energy = coefficients_ev[0] * grid.cells() as f64;
        for (orbit, coefficient) in self.orbits.iter().zip(&coefficients_ev[1..]) {
            for cell in (0..grid.cells()).map(|c| grid.site(c * grid.basis()).cell) {
                for cluster in &orbit.clusters {
                    let product: f64 = cluster
                        .iter()
                        .map(|s| {
                            let here =
                                LatticeSite { cell: std::array::from_fn(|a| s.cell[a] + cell[a]), ..*s };
                            if occupied[grid.index(here)] { 1.0 } else { -1.0 }
                        })
                        .product();
                    energy += coefficient * product;
                }
            }
        }
        energy
    }
}

/// The cluster moved so that its smallest site lies in cell (0, 0, 0), sites sorted: equal for clusters that differ by a translation.
pub fn canonical(cluster: &[LatticeSite]) -> Vec<LatticeSite> {
    let mut best: Option<Vec<LatticeSite>> = None;
    for anchor in cluster {
        let mut moved: Vec<LatticeSite> = cluster
            .iter()
            .map(|s| LatticeSite {
                cell: std::array::from_fn(|a| s.cell[a].wrapping_sub(anchor.cell[a])),
                ..*s
            })
            .collect();
        moved.sort_unstable();
        if best.as_ref().is_none_or(|b| moved < *b) {
            best = Some(moved);
        }
    }
    best.unwrap_or_default()
}
