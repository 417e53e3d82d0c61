//! A lattice in a periodic box with one energy per neighbour shell.

use crate::LatticeError;
use scalade_crystal::{LatticeSite, Matrix3, NamedLattice, SiteGrid, Structure, inverse, norm, row_times};
use serde::{Deserialize, Serialize};

/// What a pair energy multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variables {
    /// s = +1 on occupied sites, -1 on vacant ones.
    Spin,
    /// n = 1 on occupied sites, 0 on vacant ones.
    Occupation,
}

/// Most neighbour shells of a model.
pub const MOST_SHELLS: usize = 64;
/// Most neighbours of a site.
const MOST_NEIGHBOURS: usize = 4096;
/// Most sites of a box.
const MOST_SITES: usize = 1 << 27;
/// Relative tolerance within which distances are one shell.
const SHELL_TOLERANCE: f64 = 1e-5;

/// Sites at one distance of one another.
#[derive(Clone, Debug, PartialEq)]
pub struct Shell {
    /// Distance, in the unit of the lattice vectors.
    pub distance: f64,
    /// Energy of a bond: the factor of s s' or n n'.
    pub energy: f64,
    /// Neighbours of a site in cell (0, 0, 0), by its sublattice. A bond stands here twice, once from either end.
    pub neighbours: Vec<Vec<LatticeSite>>,
}

/// A pair model in a periodic box.
#[derive(Clone, Debug, PartialEq)]
pub struct PairModel {
    grid: SiteGrid,
    variables: Variables,
    shells: Vec<Shell>,
    lattice: Matrix3,
}

impl PairModel {
    /// A named lattice (nearest neighbours at distance 1): `size` has one number of primitive cells for each of its dimensions, `pairs` one
    /// energy per neighbour shell, nearest first.
    pub fn named(
        lattice: NamedLattice,
        size: &[usize],
        variables: Variables,
        pairs: &[f64],
    ) -> Result<Self, LatticeError> {
        let dimensions = lattice.dimensions();
        if size.len() != dimensions {
            return Err(LatticeError::Length {
                what: "size (one number of cells for each dimension of the lattice)",
                expected: dimensions,
                got: size.len(),
            });
        }
        let mut dims = [1; 3];
        dims[..dimensions].copy_from_slice(size);
        Self::new(&lattice.structure("X")?, dimensions, dims, variables, pairs)
    }

    /// Any structure, all of whose atoms are sites; it extends along its first `dimensions` lattice vectors.
    pub fn new(
        structure: &Structure,
        dimensions: usize,
        dims: [usize; 3],
        variables: Variables,
        pairs: &[f64],
    ) -> Result<Self, LatticeError> {
        let basis = structure.fractional();
        let sites = dims.iter().try_fold(basis.len(), |n, d| n.checked_mul(*d)).unwrap_or(usize::MAX);
        if sites > MOST_SITES {
            return Err(LatticeError::TooMany { what: "sites of a box", count: sites, limit: MOST_SITES });
        }
        let grid = SiteGrid::new(dims, basis.len())?;
        if pairs.is_empty() {
            return Err(LatticeError::Length { what: "pair energies", expected: 1, got: 0 });
        }
        if pairs.len() > MOST_SHELLS {
            return Err(LatticeError::TooMany {
                what: "pair energies (one per neighbour shell)",
                count: pairs.len(),
                limit: MOST_SHELLS,
            });
        }
        if let Some(index) = pairs.iter().position(|p| !p.is_finite() || p.abs() > 1e100) {
            return Err(LatticeError::NotFinite { what: "pair energies", index, value: pairs[index] });
        }
        let lattice = *structure.lattice_angstrom();
        let shells = neighbour_shells(&lattice, basis, dimensions.clamp(1, 3), pairs)?;
        Ok(Self { grid, variables, shells, lattice })
    }

    /// The numbering of the sites.
    pub fn grid(&self) -> SiteGrid {
        self.grid
    }

    /// Number of sites.
    pub fn sites(&self) -> usize {
        self.grid.sites()
    }

    /// What a pair energy multiplies.
    pub fn variables(&self) -> Variables {
        self.variables
    }

    /// The neighbour shells.
    pub fn shells(&self) -> &[Shell] {
        &self.shells
    }

    /// Lattice vectors as rows.
    pub fn lattice(&self) -> &Matrix3 {
        &self.lattice
    }

    /// Number of neighbours of a site on a sublattice in a shell, without its own images.
    pub fn coordination(&self, sublattice: usize, shell: usize) -> usize {
        self.shells[shell].neighbours[sublattice].len() - 2 * self.self_bonds(sublattice, shell)
    }

    /// Number of bonds of a site with its own images.
    pub fn self_bonds(&self, sublattice: usize, shell: usize) -> usize {
        let home = self.grid.index(LatticeSite { cell: [0; 3], basis: sublattice });
        self.shells[shell].neighbours[sublattice].iter().filter(|s| self.grid.index(**s) == home).count() / 2
    }

    /// Energy of an occupied site less that of a vacant one, when `occupied[k]` of its neighbours in shell k are occupied.
    pub fn gap(&self, sublattice: usize, occupied: &[usize]) -> f64 {
        self.shells
            .iter()
            .zip(occupied)
            .enumerate()
            .map(|(k, (shell, n))| {
                let weight = match self.variables {
                    Variables::Spin => 2.0 * (2.0 * *n as f64 - self.coordination(sublattice, k) as f64),
                    Variables::Occupation => (*n + self.self_bonds(sublattice, k)) as f64,
                };
                shell.energy * weight
            })
            .sum()
    }

    /// Sum of s s' (or n n') over the bonds of each shell by straight summation: the slow, readable reference.
    pub fn bond_sums(&self, occupied: &[u8]) -> Vec<i64> {
        let variable = |site: usize| match self.variables {
            Variables::Spin => 2 * i64::from(occupied[site]) - 1,
            Variables::Occupation => i64::from(occupied[site]),
        };
        self.shells
            .iter()
            .map(|shell| {
                let twice: i64 = (0..self.sites())
                    .map(|site| {
                        let around = &shell.neighbours[site % self.grid.basis()];
                        let sum: i64 = around.iter().map(|n| variable(self.grid.offset(site, *n))).sum();
                        variable(site) * sum
                    })
                    .sum();
                twice / 2
            })
            .collect()
    }

    /// Energy of bond sums.
    pub fn energy_of(&self, bond_sums: &[i64]) -> f64 {
        self.shells.iter().zip(bond_sums).map(|(shell, b)| shell.energy * *b as f64).sum()
    }

    /// Energy of an occupation from scratch.
    pub fn reference_energy(&self, occupied: &[u8]) -> f64 {
        self.energy_of(&self.bond_sums(occupied))
    }

    /// The chemical potential at which occupied and vacant sites are equivalent (mu = 0 for spins, half the sum of the bond energies of a
    /// site for occupations), if the sublattices agree on it.
    pub fn symmetric_chemical_potential(&self) -> Option<f64> {
        if self.variables == Variables::Spin {
            return Some(0.0);
        }
        let of = |sublattice: usize| -> f64 {
            self.shells.iter().map(|s| 0.5 * s.energy * s.neighbours[sublattice].len() as f64).sum()
        };
        let first = of(0);
        let scale: f64 = self.shells.iter().map(|s| s.energy.abs()).sum();
        (0..self.grid.basis()).all(|b| (of(b) - first).abs() <= 1e-12 * scale).then_some(first)
    }

    /// Whether every bond favours equal sites.
    pub fn is_ferromagnetic(&self) -> bool {
        self.shells.iter().all(|s| s.energy <= 0.0)
    }

    /// What is unusual about the box: bonds that coincide or that a site has with itself.
    pub fn warnings(&self) -> Vec<String> {
        let mut own = Vec::new();
        let mut double = Vec::new();
        for (k, shell) in self.shells.iter().enumerate() {
            let (mut meets_itself, mut coincide) = (false, false);
            for (b, around) in shell.neighbours.iter().enumerate() {
                meets_itself |= self.self_bonds(b, k) > 0;
                let mut ends: Vec<usize> = around.iter().map(|s| self.grid.index(*s)).collect();
                ends.sort_unstable();
                coincide |= ends.windows(2).any(|w| w[0] == w[1]);
            }
            if meets_itself {
                own.push((k + 1).to_string());
            } else if coincide {
                double.push((k + 1).to_string());
            }
        }
        let mut out = Vec::new();
        if !own.is_empty() {
            out.push(format!(
                "the box is so small that sites are neighbours of their own images in shell {}: such bonds count (they add a constant, or an energy per occupied site); use a larger box",
                own.join(", ")
            ));
        }
        if !double.is_empty() {
            out.push(format!(
                "the box is so small that several bond vectors of shell {} lead to the same site: each counts; use a larger box",
                double.join(", ")
            ));
        }
        out
    }
}

/// The shells of all sublattices, nearest first.
fn neighbour_shells(
    lattice: &Matrix3,
    basis: &[[f64; 3]],
    dimensions: usize,
    pairs: &[f64],
) -> Result<Vec<Shell>, LatticeError> {
    let wanted = pairs.len();
    let mut radius = (0..dimensions).map(|a| norm(lattice[a])).fold(f64::INFINITY, f64::min);
    loop {
        let mut found = within(lattice, basis, dimensions, radius)?;
        found.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let mut shells: Vec<Shell> = Vec::new();
        for (distance, from, to) in found {
            if distance < 1e-3 * radius.min(1.0) {
                return Err(LatticeError::Setting {
                    name: "distance between two sites",
                    value: distance,
                    want: "sites have to differ",
                });
            }
            let same = shells.last().is_some_and(|s| distance - s.distance <= SHELL_TOLERANCE * s.distance);
            if !same {
                if shells.len() == wanted {
                    // One shell more than wanted was met, so the last one is complete.
                    return Ok(shells);
                }
                shells.push(Shell {
                    distance,
                    energy: pairs[shells.len()],
                    neighbours: vec![Vec::new(); basis.len()],
                });
            }
            if let Some(shell) = shells.last_mut() {
                shell.neighbours[from].push(to);
            }
        }
        radius *= 1.5;
    }
}

/// Distances and directed pairs up to a radius. Components of the cells stay 0 beyond the dimensions of the lattice.
fn within(
    lattice: &Matrix3,
    basis: &[[f64; 3]],
    dimensions: usize,
    radius: f64,
) -> Result<Vec<(f64, usize, LatticeSite)>, LatticeError> {
    let dual = inverse(lattice).unwrap_or([[0.0; 3]; 3]);
    // |n_a| <= radius x |a-th dual vector| + 1, the spread of the basis.
    let reach: [i32; 3] = std::array::from_fn(|a| {
        let column = norm([dual[0][a], dual[1][a], dual[2][a]]);
        if a < dimensions { (radius * column).ceil().min(1e6) as i32 + 1 } else { 0 }
    });
    let candidates =
        reach.iter().fold(basis.len() * basis.len(), |n, r| n.saturating_mul(2 * *r as usize + 1));
    let limit = 1 << 24;
    if candidates > limit {
        return Err(LatticeError::TooMany { what: "neighbour candidates", count: candidates, limit });
    }
    let mut out = Vec::new();
    for (from, here) in basis.iter().enumerate() {
        let before = out.len();
        for (to, there) in basis.iter().enumerate() {
            for i in -reach[0]..=reach[0] {
                for j in -reach[1]..=reach[1] {
                    for k in -reach[2]..=reach[2] {
                        let cell = [i, j, k];
                        if cell == [0; 3] && from == to {
                            continue;
                        }
                        let step = std::array::from_fn(|a| there[a] - here[a] + f64::from(cell[a]));
                        let distance = norm(row_times(step, lattice));
                        if distance <= radius {
                            out.push((distance, from, LatticeSite { cell, basis: to }));
                        }
                    }
                }
            }
        }
        let count = out.len() - before;
        if count > MOST_NEIGHBOURS {
            return Err(LatticeError::TooMany {
                what: "neighbours of a site; give fewer pairs",
                count,
                limit: MOST_NEIGHBOURS,
            });
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_have_the_known_numbers_of_neighbours() {
        for (lattice, size, counts) in [
            (NamedLattice::Chain, vec![12], vec![2, 2, 2]),
            (NamedLattice::Square, vec![9, 9], vec![4, 4, 4, 8]),
            (NamedLattice::Triangular, vec![9, 9], vec![6, 6, 6, 12]),
            (NamedLattice::Honeycomb, vec![9, 9], vec![3, 6, 3, 6]),
            (NamedLattice::Sc, vec![5, 5, 5], vec![6, 12, 8, 6]),
            (NamedLattice::Bcc, vec![5, 5, 5], vec![8, 6, 12, 24]),
            (NamedLattice::Fcc, vec![5, 5, 5], vec![12, 6, 24, 12]),
            (NamedLattice::Diamond, vec![5, 5, 5], vec![4, 12, 12, 6]),
            (NamedLattice::Hcp, vec![5, 5, 5], vec![12, 6, 2, 18]),
        ] {
            let pairs = vec![1.0; counts.len()];
            let model = PairModel::named(lattice, &size, Variables::Spin, &pairs).unwrap();
            for b in 0..model.grid().basis() {
                let got: Vec<usize> = model.shells().iter().map(|s| s.neighbours[b].len()).collect();
                assert_eq!(got, counts, "{lattice:?}");
            }
            assert!((model.shells()[0].distance - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn impossible_models_are_refused_and_narrow_boxes_are_named() {
        let square = |size: &[usize], pairs: &[f64]| {
            PairModel::named(NamedLattice::Square, size, Variables::Spin, pairs)
        };
        assert!(square(&[4], &[1.0]).is_err());
        assert!(square(&[4, 0], &[1.0]).is_err());
        assert!(square(&[1 << 20, 1 << 20], &[1.0]).is_err());
        assert!(square(&[usize::MAX, 3], &[1.0]).is_err());
        assert!(square(&[4, 4], &[]).is_err());
        assert!(square(&[4, 4], &[f64::NAN]).is_err());
        assert!(square(&[4, 4], &[1.0; 65]).is_err());
        assert!(square(&[4, 4], &[1.0]).unwrap().warnings().is_empty());
        assert_eq!(square(&[2, 4], &[1.0]).unwrap().warnings().len(), 1);
        assert!(square(&[1, 4], &[1.0]).unwrap().warnings()[0].contains("own images"));
        // A ring of two spins has two bonds between them, a ring of one has one with itself.
        let ring = |n| PairModel::named(NamedLattice::Chain, &[n], Variables::Spin, &[1.0]).unwrap();
        assert_eq!(ring(2).bond_sums(&[1, 0]), [-2]);
        assert_eq!(ring(1).bond_sums(&[0]), [1]);
    }
}
