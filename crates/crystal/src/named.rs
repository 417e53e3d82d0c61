//! The lattices that textbooks and models name.

use crate::{CrystalError, Matrix3, Structure};
use serde::{Deserialize, Serialize};

/// A lattice by its name, with nearest neighbours at distance 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NamedLattice {
    /// Sites on a line.
    Chain,
    /// Square.
    Square,
    /// Triangular (hexagonal close packing in the plane).
    Triangular,
    /// Honeycomb: two sites per cell.
    Honeycomb,
    /// Simple cubic.
    Sc,
    /// Body-centred cubic.
    Bcc,
    /// Face-centred cubic.
    Fcc,
    /// Diamond: two sites per cell.
    Diamond,
    /// Hexagonal close packing with the ideal axial ratio: two sites per cell.
    Hcp,
}

/// Length of the lattice vectors along which a lattice of one or two dimensions does not extend: no simple multiple of the others, so that no
/// symmetry mixes them.
const EMPTY_AXIS: [f64; 2] = [std::f64::consts::E, std::f64::consts::PI];

impl NamedLattice {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Chain,
        Self::Square,
        Self::Triangular,
        Self::Honeycomb,
        Self::Sc,
        Self::Bcc,
        Self::Fcc,
        Self::Diamond,
        Self::Hcp,
    ];

    /// The name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Square => "square",
            Self::Triangular => "triangular",
            Self::Honeycomb => "honeycomb",
            Self::Sc => "sc",
            Self::Bcc => "bcc",
            Self::Fcc => "fcc",
            Self::Diamond => "diamond",
            Self::Hcp => "hcp",
        }
    }

    /// The lattice of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|l| l.name() == name)
    }

    /// Number of dimensions along which it extends: 1, 2 or 3. They come first.
    pub fn dimensions(self) -> usize {
        match self {
            Self::Chain => 1,
            Self::Square | Self::Triangular | Self::Honeycomb => 2,
            Self::Sc | Self::Bcc | Self::Fcc | Self::Diamond | Self::Hcp => 3,
        }
    }

    /// Number of nearest neighbours.
    pub fn neighbours(self) -> usize {
        match self {
            Self::Chain => 2,
            Self::Honeycomb => 3,
            Self::Square | Self::Diamond => 4,
            Self::Triangular | Self::Sc => 6,
            Self::Bcc => 8,
            Self::Fcc | Self::Hcp => 12,
        }
    }

    /// Primitive lattice vectors as rows, in units of the nearest-neighbour distance.
    pub fn vectors(self) -> Matrix3 {
        let [flat, thin] = EMPTY_AXIS;
        let half = 0.5 * 3f64.sqrt();
        let scaled = |m: Matrix3, s: f64| m.map(|row| row.map(|v| v * s));
        match self {
            Self::Chain => [[1.0, 0.0, 0.0], [0.0, thin, 0.0], [0.0, 0.0, flat]],
            Self::Square => [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, flat]],
            // At 60 degrees: neighbours along (1, 0), (0, 1) and (1, -1).
            Self::Triangular => [[1.0, 0.0, 0.0], [0.5, half, 0.0], [0.0, 0.0, flat]],
            Self::Honeycomb => {
                let a = 3f64.sqrt();
                [[a, 0.0, 0.0], [0.5 * a, half * a, 0.0], [0.0, 0.0, flat]]
            }
            Self::Sc => [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            Self::Bcc => scaled([[-1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 1.0, -1.0]], 1.0 / 3f64.sqrt()),
            Self::Fcc => scaled([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]], 1.0 / 2f64.sqrt()),
            Self::Diamond => scaled([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]], 2.0 / 3f64.sqrt()),
            Self::Hcp => [[1.0, 0.0, 0.0], [-0.5, half, 0.0], [0.0, 0.0, (8f64 / 3.0).sqrt()]],
        }
    }

    /// Fractional positions of the sites of a cell.
    pub fn basis(self) -> Vec<[f64; 3]> {
        let third = 1.0 / 3.0;
        match self {
            Self::Honeycomb => vec![[0.0; 3], [third, third, 0.0]],
            Self::Diamond => vec![[0.0; 3], [0.25; 3]],
            Self::Hcp => vec![[0.0; 3], [third, 2.0 * third, 0.5]],
            _ => vec![[0.0; 3]],
        }
    }

    /// A cell with one species on every site.
    pub fn structure(self, species: &str) -> Result<Structure, CrystalError> {
        let basis = self.basis();
        Structure::new(self.vectors(), vec![species.to_string(); basis.len()], basis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MoyoFinder, SymmetryFinder, norm, row_times};

    #[test]
    fn nearest_neighbours_are_at_distance_one() {
        for lattice in NamedLattice::ALL {
            let (vectors, basis) = (lattice.vectors(), lattice.basis());
            for from in &basis {
                let mut count = 0;
                for to in &basis {
                    for cell in 0..125 {
                        let shift = [cell % 5 - 2, cell / 5 % 5 - 2, cell / 25 - 2].map(f64::from);
                        let d =
                            norm(row_times(std::array::from_fn(|k| to[k] + shift[k] - from[k]), &vectors));
                        assert!(!(1e-9..1.0 - 1e-9).contains(&d), "{lattice:?} {d}");
                        count += usize::from((d - 1.0).abs() < 1e-9);
                    }
                }
                assert_eq!(count, lattice.neighbours(), "{lattice:?}");
            }
            assert_eq!(NamedLattice::from_name(lattice.name()), Some(lattice));
        }
    }

    #[test]
    fn space_groups_are_the_known_ones() {
        let numbers = [47, 123, 191, 191, 221, 229, 225, 227, 194];
        for (lattice, number) in NamedLattice::ALL.into_iter().zip(numbers) {
            let group = MoyoFinder.space_group(&lattice.structure("A").unwrap(), 1e-6).unwrap();
            assert_eq!(group.number, number, "{lattice:?}");
        }
    }
}
