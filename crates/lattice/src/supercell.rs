//! Supercells of a lattice given by any integer matrix, with their sites numbered.

use crate::LatticeError;
use scalade_crystal::LatticeSite;
use scalade_crystal::enumeration::hermite_normal_form;
use serde::{Deserialize, Serialize};

/// Determinant of an integer matrix; `None` on overflow.
fn determinant(m: &[[i64; 3]; 3]) -> Option<i64> {
    let wide = m.map(|row| row.map(i128::from));
    let minor = |a: usize, b: usize| {
        wide[1][a].checked_mul(wide[2][b])?.checked_sub(wide[1][b].checked_mul(wide[2][a])?)
    };
    let terms = [
        wide[0][0].checked_mul(minor(1, 2)?)?,
        wide[0][1].checked_mul(minor(2, 0)?)?,
        wide[0][2].checked_mul(minor(0, 1)?)?,
    ];
    i64::try_from(terms[0].checked_add(terms[1])?.checked_add(terms[2])?).ok()
}

/// A periodic box whose vectors are the rows of an integer matrix times the primitive vectors, with `basis` sites in each cell.
///
/// Cells are told apart by their remainder modulo the Hermite normal form of the matrix: lower triangular, so that the remainder is
/// taken from the last component to the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supercell {
    matrix: [[i64; 3]; 3],
    hermite: [[i64; 3]; 3],
    basis: usize,
}

impl Supercell {
    /// A supercell; refuses a singular matrix, entries above 2^12, an empty basis and more than 2^24 cells.
    pub fn new(matrix: [[i64; 3]; 3], basis: usize) -> Result<Self, LatticeError> {
        let det = determinant(&matrix).unwrap_or(i64::MAX);
        let small = matrix.iter().flatten().all(|e| e.unsigned_abs() <= 1 << 12);
        if det == 0 || det.unsigned_abs() > 1 << 24 || !small || basis == 0 {
            return Err(LatticeError::Supercell { matrix, determinant: det });
        }
        let hermite =
            hermite_normal_form(&matrix).map_err(|_| LatticeError::Supercell { matrix, determinant: det })?;
        Ok(Self { matrix, hermite, basis })
    }

    /// Rows: supercell vectors in units of the primitive ones.
    pub fn matrix(&self) -> [[i64; 3]; 3] {
        self.matrix
    }

    /// Number of primitive cells.
    pub fn cells(&self) -> usize {
        (self.hermite[0][0] * self.hermite[1][1] * self.hermite[2][2]) as usize
    }

    /// Sites per primitive cell.
    pub fn basis(&self) -> usize {
        self.basis
    }

    /// Number of sites.
    pub fn sites(&self) -> usize {
        self.cells() * self.basis
    }

    /// Index of a site, wrapped into the box. The sublattice must be below `basis`.
    pub fn index(&self, site: LatticeSite) -> usize {
        let mut rest = site.cell.map(i64::from);
        for axis in (0..3).rev() {
            let times = rest[axis].div_euclid(self.hermite[axis][axis]);
            for (r, h) in rest.iter_mut().zip(self.hermite[axis]) {
                *r -= times * h;
            }
        }
        let cell = (rest[0] * self.hermite[1][1] + rest[1]) * self.hermite[2][2] + rest[2];
        cell as usize * self.basis + site.basis
    }

    /// The representative cell with this index.
    pub fn cell(&self, index: usize) -> [i32; 3] {
        let (n1, n2) = (self.hermite[1][1] as usize, self.hermite[2][2] as usize);
        [(index / n2 / n1) as i32, (index / n2 % n1) as i32, (index % n2) as i32]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn singular_and_huge_matrices_are_refused() {
        assert!(Supercell::new([[1, 0, 0], [2, 0, 0], [0, 0, 1]], 1).is_err());
        assert!(Supercell::new([[i64::MAX, 1, 0], [2, i64::MAX, 0], [0, 0, i64::MAX]], 1).is_err());
        assert!(Supercell::new([[1, 0, 0], [0, 1, 0], [0, 0, 1]], 0).is_err());
    }

    proptest! {
        #[test]
        fn indices_are_complete_and_periodic(
            entries in proptest::array::uniform9(-4i64..5), shift in proptest::array::uniform3(-3i64..4), basis in 1usize..3
        ) {
            let m = [[entries[0], entries[1], entries[2]], [entries[3], entries[4], entries[5]], [entries[6], entries[7], entries[8]]];
            let det = determinant(&m).unwrap();
            prop_assume!(det != 0);
            let cell = Supercell::new(m, basis).unwrap();
            prop_assert_eq!(cell.cells(), det.unsigned_abs() as usize);
            for index in 0..cell.cells() {
                let here = cell.cell(index);
                for b in 0..basis {
                    let moved: [i32; 3] = std::array::from_fn(|j| {
                        here[j] + (0..3).map(|i| shift[i] * m[i][j]).sum::<i64>() as i32
                    });
                    prop_assert_eq!(cell.index(LatticeSite { cell: here, basis: b }), index * basis + b);
                    prop_assert_eq!(cell.index(LatticeSite { cell: moved, basis: b }), index * basis + b);
                }
            }
        }
    }
}
