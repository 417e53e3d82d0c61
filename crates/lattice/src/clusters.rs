//! Symmetry orbits of clusters on the sites of the working ion, and correlation functions of occupations.

use crate::{LatticeError, Supercell};
use scalade_crystal::{LatticeSite, Matrix3, SpaceGroup, norm, row_times, site_images};
use scalade_handoff::ClusterOrbit;
use scalade_handoff::lattice_hamiltonian::canonical;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most clusters per cell that an enumeration may hold.
const MOST_CLUSTERS: usize = 200_000;

/// The sites that the working ion can take: lattice, fractional positions of the sublattices, and the space group of the parent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteLattice {
    /// Lattice vectors as rows, angstrom.
    pub lattice_angstrom: Matrix3,
    /// Fractional positions of the sublattices.
    pub sites_fractional: Vec<[f64; 3]>,
    /// Space group that maps the sites on themselves.
    pub space_group: SpaceGroup,
    /// Distance within which the image of a site is taken for a site, angstrom.
    pub tolerance_angstrom: f64,
}

/// Largest diameters (angstrom) of pairs, triplets, quadruplets ...: entry k holds for clusters of k + 2 sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cutoffs(pub Vec<f64>);

impl SiteLattice {
    /// Cartesian position of a site, angstrom.
    pub fn position_angstrom(&self, site: LatticeSite) -> [f64; 3] {
        let f = self.sites_fractional[site.basis];
        row_times(std::array::from_fn(|i| f[i] + f64::from(site.cell[i])), &self.lattice_angstrom)
    }

    /// Distance of two sites, angstrom.
    pub fn distance_angstrom(&self, a: LatticeSite, b: LatticeSite) -> f64 {
        let (a, b) = (self.position_angstrom(a), self.position_angstrom(b));
        norm([a[0] - b[0], a[1] - b[1], a[2] - b[2]])
    }

    /// All sites within `cutoff_angstrom` of the site in cell 0 on sublattice `basis`, itself left out.
    pub fn neighbours(&self, basis: usize, cutoff_angstrom: f64) -> Result<Vec<LatticeSite>, LatticeError> {
        let inverse = scalade_crystal::inverse(&self.lattice_angstrom)
            .ok_or(scalade_crystal::CrystalError::Degenerate { determinant: 0.0 })?;
        // |column i of the inverse| is one over the spacing of lattice planes along axis i.
        let reach: [f64; 3] = std::array::from_fn(|i| {
            (cutoff_angstrom * norm([inverse[0][i], inverse[1][i], inverse[2][i]]) + 2.0).ceil()
        });
        let boxes: f64 = reach.iter().map(|r| 2.0 * r + 1.0).product();
        let few = boxes * self.sites_fractional.len() as f64 <= 1e7;
        if !few {
            let count = boxes.min(1e18) as usize;
            return Err(LatticeError::TooMany { what: "cells within the cutoff", count, limit: 10_000_000 });
        }
        let centre = LatticeSite { cell: [0; 3], basis };
        let reach = reach.map(|r| r as i32);
        let mut out = Vec::new();
        for i in -reach[0]..=reach[0] {
            for j in -reach[1]..=reach[1] {
                for k in -reach[2]..=reach[2] {
                    for other in 0..self.sites_fractional.len() {
                        let site = LatticeSite { cell: [i, j, k], basis: other };
                        let distance = self.distance_angstrom(centre, site);
                        if site != centre && distance <= cutoff_angstrom + self.tolerance_angstrom {
                            out.push(site);
                        }
                    }
                }
            }
        }
        Ok(out)
    }

    /// Largest distance between two sites of a cluster, angstrom.
    pub fn diameter_angstrom(&self, cluster: &[LatticeSite]) -> f64 {
        let mut largest: f64 = 0.0;
        for (n, a) in cluster.iter().enumerate() {
            for b in &cluster[n + 1..] {
                largest = largest.max(self.distance_angstrom(*a, *b));
            }
        }
        largest
    }

    /// All clusters of `order` sites with no two sites further apart than the cutoff, one for each translation class.
    fn clusters(
        &self,
        order: usize,
        cutoff_angstrom: f64,
    ) -> Result<BTreeSet<Vec<LatticeSite>>, LatticeError> {
        let mut out = BTreeSet::new();
        for basis in 0..self.sites_fractional.len() {
            let first = LatticeSite { cell: [0; 3], basis };
            let mut near = self.neighbours(basis, cutoff_angstrom)?;
            near.sort_unstable();
            // Grow cliques whose sites come in order, so that each set containing `first` appears once.
            let mut stack: Vec<(Vec<LatticeSite>, usize)> = vec![(vec![first], 0)];
            while let Some((cluster, from)) = stack.pop() {
                if cluster.len() == order {
                    out.insert(canonical(&cluster));
                    if out.len() > MOST_CLUSTERS {
                        let count = out.len();
                        return Err(LatticeError::TooMany {
                            what: "clusters per cell",
                            count,
                            limit: MOST_CLUSTERS,
                        });
                    }
                    continue;
                }
                for (n, candidate) in near.iter().enumerate().skip(from) {
                    let close = cluster.iter().all(|s| {
                        self.distance_angstrom(*s, *candidate) <= cutoff_angstrom + self.tolerance_angstrom
                    });
                    if close {
                        let mut grown = cluster.clone();
                        grown.push(*candidate);
                        stack.push((grown, n + 1));
                    }
                }
            }
        }
        Ok(out)
    }

    /// Orbits of points and of all clusters within the cutoffs, ordered by number of sites and diameter.
    pub fn orbits(&self, cutoffs: &Cutoffs) -> Result<Vec<ClusterOrbit>, LatticeError> {
        for cutoff in &cutoffs.0 {
            let holds = cutoff.is_finite() && *cutoff >= 0.0;
            LatticeError::require(holds, "cluster cutoff (angstrom)", *cutoff, "a length is due")?;
        }
        let operations: Vec<(&scalade_crystal::SymmetryOperation, Vec<LatticeSite>)> = self
            .space_group
            .operations
            .iter()
            .map(|o| {
                let images =
                    site_images(&self.lattice_angstrom, &self.sites_fractional, o, self.tolerance_angstrom)?;
                Ok((o, images))
            })
            .collect::<Result<_, LatticeError>>()?;
        let mut orbits = Vec::new();
        for order in 1..=cutoffs.0.len() + 1 {
            let cutoff = if order == 1 { 0.0 } else { cutoffs.0[order - 2] };
            let mut open = self.clusters(order, cutoff)?;
            let mut found = Vec::new();
            while let Some(seed) = open.pop_first() {
                let mut members: BTreeSet<Vec<LatticeSite>> = BTreeSet::new();
                for (operation, images) in &operations {
                    let image: Vec<LatticeSite> = seed
                        .iter()
                        .map(|s| {
                            let (turned, home) = (operation.rotate_cell(s.cell), images[s.basis]);
                            LatticeSite { cell: std::array::from_fn(|i| turned[i] + home.cell[i]), ..home }
                        })
                        .collect();
                    members.insert(canonical(&image));
                }
                members.insert(seed);
                for member in &members {
                    open.remove(member);
                }
                let clusters: Vec<Vec<LatticeSite>> = members.into_iter().collect();
                let diameter_angstrom = self.diameter_angstrom(&clusters[0]);
                found.push(ClusterOrbit { order, diameter_angstrom, clusters });
            }
            found.sort_by(|a, b| {
                let rounded = |o: &ClusterOrbit| (o.diameter_angstrom * 1e4).round();
                rounded(a).total_cmp(&rounded(b)).then_with(|| a.clusters.cmp(&b.clusters))
            });
            orbits.extend(found);
        }
        Ok(orbits)
    }
}

/// Correlation functions of an occupation: for every orbit the mean of the spin products of its clusters over the supercell,
/// with spin +1 on an occupied and -1 on a vacant site. `occupied` has one entry per site of the supercell.
pub fn correlations(
    orbits: &[ClusterOrbit],
    supercell: &Supercell,
    occupied: &[bool],
) -> Result<Vec<f64>, LatticeError> {
    let expected = supercell.sites();
    if occupied.len() != expected {
        return Err(LatticeError::Length { what: "occupation", expected, got: occupied.len() });
    }
    let cells: Vec<[i32; 3]> = (0..supercell.cells()).map(|c| supercell.cell(c)).collect();
    // Many clusters share sites relative to the cell: wrap each such site once.
    let mut tables: BTreeMap<LatticeSite, Vec<bool>> = BTreeMap::new();
    for site in orbits.iter().flat_map(|o| o.clusters.iter().flatten()) {
        if site.basis >= supercell.basis() {
            let (expected, got) = (supercell.basis(), site.basis + 1);
            return Err(LatticeError::Length { what: "sublattices", expected, got });
        }
        tables.entry(*site).or_insert_with(|| {
            let at =
                |c: &[i32; 3]| LatticeSite { cell: std::array::from_fn(|i| c[i] + site.cell[i]), ..*site };
            cells.iter().map(|c| occupied[supercell.index(at(c))]).collect()
        });
    }
    let mut out = Vec::with_capacity(orbits.len());
    for orbit in orbits {
        let mut sum = 0i64;
        for cluster in &orbit.clusters {
            let columns: Vec<&Vec<bool>> = cluster.iter().filter_map(|s| tables.get(s)).collect();
            for cell in 0..cells.len() {
                let vacant = columns.iter().filter(|c| !c[cell]).count();
                sum += if vacant % 2 == 0 { 1 } else { -1 };
            }
        }
        out.push(sum as f64 / (orbit.clusters.len() * cells.len()) as f64);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use scalade_crystal::{MoyoFinder, Structure, SymmetryFinder};

    pub(crate) fn site_lattice(lattice: Matrix3, sites: &[[f64; 3]]) -> SiteLattice {
        let structure = Structure::new(lattice, vec!["Li".into(); sites.len()], sites.to_vec()).unwrap();
        SiteLattice {
            lattice_angstrom: lattice,
            sites_fractional: sites.to_vec(),
            space_group: MoyoFinder.space_group(&structure, 1e-4).unwrap(),
            tolerance_angstrom: 1e-3,
        }
    }

    fn multiplicities(lattice: &SiteLattice, cutoffs: &[f64]) -> Vec<(usize, usize)> {
        lattice
            .orbits(&Cutoffs(cutoffs.to_vec()))
            .unwrap()
            .iter()
            .map(|o| (o.order, o.clusters.len()))
            .collect()
    }

    #[test]
    fn cubic_and_triangular_multiplicities_are_the_known_ones() {
        // Face-centred cubic, nearest neighbours at 1: shells of 12, 6, 24, 12 neighbours; per site 8 nearest-neighbour triangles and 2
        // tetrahedra.
        let h = 0.5f64.sqrt();
        let fcc = site_lattice([[0.0, h, h], [h, 0.0, h], [h, h, 0.0]], &[[0.0; 3]]);
        let counts = multiplicities(&fcc, &[2.0, 1.0, 1.0]);
        assert_eq!(counts, [(1, 1), (2, 6), (2, 3), (2, 12), (2, 6), (3, 8), (4, 2)]);
        let sc = site_lattice([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], &[[0.0; 3]]);
        // Triplets up to the face diagonal: 12 right triangles and 8 equilateral ones per site; quadruplets up to it: 3 faces, the corner
        // tripods (8 per site), and the two regular tetrahedra.
        let counts = multiplicities(&sc, &[3f64.sqrt(), 2f64.sqrt(), 2f64.sqrt()]);
        assert_eq!(counts[..6], [(1, 1), (2, 3), (2, 6), (2, 4), (3, 8), (3, 12)]);
        let mut quadruplets: Vec<usize> = counts.iter().filter(|c| c.0 == 4).map(|c| c.1).collect();
        quadruplets.sort_unstable();
        assert_eq!(quadruplets, [2, 3, 8]);
        let triangular =
            site_lattice([[1.0, 0.0, 0.0], [-0.5, 0.75f64.sqrt(), 0.0], [0.0, 0.0, 20.0]], &[[0.0; 3]]);
        assert_eq!(multiplicities(&triangular, &[2.0, 1.0, 1.0]), [(1, 1), (2, 3), (2, 3), (2, 3), (3, 2)]);
        // Honeycomb: two sublattices in one orbit of points, three bonds per cell, six second neighbours.
        let honeycomb = site_lattice(
            [[1.5, 0.75f64.sqrt(), 0.0], [0.0, 3f64.sqrt(), 0.0], [0.0, 0.0, 20.0]],
            &[[0.0; 3], [1.0 / 3.0, 1.0 / 3.0, 0.0]],
        );
        assert_eq!(multiplicities(&honeycomb, &[3f64.sqrt()]), [(1, 2), (2, 3), (2, 6)]);
    }

    #[test]
    fn correlations_do_not_depend_on_the_choice_of_supercell_vectors_or_its_size() {
        let h = 0.5f64.sqrt();
        let fcc = site_lattice([[0.0, h, h], [h, 0.0, h], [h, h, 0.0]], &[[0.0; 3]]);
        let orbits = fcc.orbits(&Cutoffs(vec![2.5, 1.5, 1.5])).unwrap();
        let small = Supercell::new([[2, 0, 1], [0, 1, 1], [0, -1, 2]], 1).unwrap();
        let occupied = [true, false, false, true, false, true];
        let base = correlations(&orbits, &small, &occupied).unwrap();
        let m = small.matrix();
        let row = |a: [i64; 3]| std::array::from_fn(|j| (0..3).map(|i| a[i] * m[i][j]).sum());
        for transform in [
            [[1, 0, 0], [3, 1, 0], [-2, 1, 1]],
            [[0, 1, 0], [1, 0, 0], [0, 0, 1]],
            [[2, 0, 0], [1, 3, 0], [0, 1, 1]],
        ] {
            let other = Supercell::new(transform.map(row), 1).unwrap();
            let copied: Vec<bool> = (0..other.cells())
                .map(|c| occupied[small.index(LatticeSite { cell: other.cell(c), basis: 0 })])
                .collect();
            for (a, b) in base.iter().zip(correlations(&orbits, &other, &copied).unwrap()) {
                assert!((a - b).abs() < 1e-14);
            }
        }
        // A translated occupation is the same state.
        let moved: Vec<bool> = (0..small.cells())
            .map(|c| {
                let n = small.cell(c);
                occupied[small.index(LatticeSite { cell: [n[0] + 1, n[1], n[2] - 1], basis: 0 })]
            })
            .collect();
        assert_eq!(base, correlations(&orbits, &small, &moved).unwrap());
    }

    #[test]
    fn hostile_cutoffs_are_refused() {
        let sc = site_lattice([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], &[[0.0; 3]]);
        for cutoff in [f64::NAN, -1.0, f64::INFINITY] {
            assert!(matches!(sc.orbits(&Cutoffs(vec![cutoff])), Err(LatticeError::Setting { .. })));
        }
        assert!(matches!(sc.orbits(&Cutoffs(vec![1e6])), Err(LatticeError::TooMany { .. })));
        let supercell = Supercell::new([[2, 0, 0], [0, 1, 0], [0, 0, 1]], 1).unwrap();
        assert!(matches!(correlations(&[], &supercell, &[true]), Err(LatticeError::Length { .. })));
    }
}
