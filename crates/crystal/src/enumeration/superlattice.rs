//! Superlattices of an index: Hermite normal forms, their reduction under a point group, Smith normal forms.
//!
//! G. L. W. Hart and R. W. Forcade, Phys. Rev. B 77, 224115 (2008). Rows are lattice vectors, so the Hermite normal form is reached by row
//! operations and is lower triangular with entries H\[i\]\[j\] in 0 .. H\[j\]\[j\] below the diagonal.

use super::EnumerationError;

/// Rows of integers: `matrix[i]` is a superlattice vector in units of the parent's vectors.
pub type IntegerMatrix = [[i64; 3]; 3];

/// Largest entry of a supercell matrix that is accepted.
pub(crate) const LARGEST_ENTRY: i64 = 1 << 12;

/// Product of two matrices.
pub(crate) fn product(a: &IntegerMatrix, b: &IntegerMatrix) -> IntegerMatrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

/// The superlattice moved by a rotation that acts on columns: H becomes H R^T.
pub(crate) fn rotated(hermite: &IntegerMatrix, rotation: &[[i32; 3]; 3]) -> IntegerMatrix {
    std::array::from_fn(|i| {
        std::array::from_fn(|j| (0..3).map(|k| hermite[i][k] * i64::from(rotation[j][k])).sum())
    })
}

/// Hermite normal form of a matrix with entries of at most 2^12, by unimodular row operations. Errors: a singular matrix or larger entries.
///
/// ```
/// use scalade_crystal::enumeration::hermite_normal_form;
/// let conventional = [[-1, 1, 1], [1, -1, 1], [1, 1, -1]];
/// assert_eq!(hermite_normal_form(&conventional)?, [[2, 0, 0], [0, 2, 0], [1, 1, 1]]);
/// # Ok::<(), scalade_crystal::enumeration::EnumerationError>(())
/// ```
pub fn hermite_normal_form(matrix: &IntegerMatrix) -> Result<IntegerMatrix, EnumerationError> {
    let refuse = || EnumerationError::Supercell { matrix: *matrix, largest: LARGEST_ENTRY };
    if matrix.iter().flatten().any(|e| e.unsigned_abs() > LARGEST_ENTRY as u64) {
        return Err(refuse());
    }
    reduce(*matrix).ok_or_else(refuse)
}

/// Hermite normal form; `None` for a singular matrix.
pub(crate) fn reduce(mut m: IntegerMatrix) -> Option<IntegerMatrix> {
    for axis in (0..3).rev() {
        // Euclid on column `axis` of rows 0..=axis until only row `axis` keeps an entry.
        loop {
            let pivot = (0..=axis).filter(|r| m[*r][axis] != 0).min_by_key(|r| m[*r][axis].unsigned_abs())?;
            m.swap(pivot, axis);
            let row = m[axis];
            let mut done = true;
            for other in m.iter_mut().take(axis) {
                let times = other[axis].div_euclid(row[axis]);
                for (o, r) in other.iter_mut().zip(row) {
                    *o -= times * r;
                }
                done &= other[axis] == 0;
            }
            if done {
                break;
            }
        }
        if m[axis][axis] < 0 {
            m[axis] = m[axis].map(|e| -e);
        }
    }
    for lower in 1..3 {
        for axis in (0..lower).rev() {
            let times = m[lower][axis].div_euclid(m[axis][axis]);
            for column in 0..=axis {
                m[lower][column] -= times * m[axis][column];
            }
        }
    }
    Some(m)
}

/// Diagonal D = U H V of a Smith normal form (each entry divides the next) with V and its inverse: a cell x (a row of integers) belongs to
/// the superlattice exactly where x V is zero modulo D.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SmithForm {
    pub(crate) diagonal: [i64; 3],
    pub(crate) right: IntegerMatrix,
    pub(crate) right_inverse: IntegerMatrix,
}

impl SmithForm {
    /// Of a matrix that is not singular.
    pub(crate) fn of(hermite: &IntegerMatrix) -> Self {
        let identity = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
        let mut work = Columns { matrix: *hermite, right: identity, inverse: identity };
        for k in 0..3 {
            while !work.clear(k) {}
            if work.matrix[k][k] < 0 {
                work.negate(k);
            }
        }
        Self {
            diagonal: [work.matrix[0][0], work.matrix[1][1], work.matrix[2][2]],
            right: work.right,
            right_inverse: work.inverse,
        }
    }
}

/// A matrix under row and column operations, of which those on columns are kept.
struct Columns {
    matrix: IntegerMatrix,
    right: IntegerMatrix,
    inverse: IntegerMatrix,
}

impl Columns {
    /// One round on row and column `k`; whether they are clear and the pivot divides all that is left.
    fn clear(&mut self, k: usize) -> bool {
        let rest = (k..3).flat_map(|i| (k..3).map(move |j| (i, j)));
        let entry =
            rest.filter(|p| self.matrix[p.0][p.1] != 0).min_by_key(|p| self.matrix[p.0][p.1].unsigned_abs());
        let Some((i, j)) = entry else { return true };
        self.matrix.swap(i, k);
        self.swap(j, k);
        let pivot = self.matrix[k][k];
        let row = self.matrix[k];
        for i in k + 1..3 {
            let times = self.matrix[i][k].div_euclid(pivot);
            for (o, r) in self.matrix[i].iter_mut().zip(row) {
                *o -= times * r;
            }
        }
        for j in k + 1..3 {
            let times = self.matrix[k][j].div_euclid(pivot);
            self.subtract(j, k, times);
        }
        if (k + 1..3).any(|i| self.matrix[i][k] != 0 || self.matrix[k][i] != 0) {
            return false;
        }
        let odd = (k + 1..3).find(|i| (k + 1..3).any(|j| self.matrix[*i][j] % pivot != 0));
        if let Some(i) = odd {
            let row = self.matrix[i];
            for (o, r) in self.matrix[k].iter_mut().zip(row) {
                *o += r;
            }
            return false;
        }
        true
    }

    fn swap(&mut self, a: usize, b: usize) {
        for row in self.matrix.iter_mut().chain(&mut self.right) {
            row.swap(a, b);
        }
        self.inverse.swap(a, b);
    }

    /// Column `j` less `times` column `k`.
    fn subtract(&mut self, j: usize, k: usize, times: i64) {
        for row in self.matrix.iter_mut().chain(&mut self.right) {
            row[j] -= times * row[k];
        }
        let row = self.inverse[j];
        for (o, r) in self.inverse[k].iter_mut().zip(row) {
            *o += times * r;
        }
    }

    fn negate(&mut self, k: usize) {
        for row in self.matrix.iter_mut().chain(&mut self.right) {
            row[k] = -row[k];
        }
        self.inverse[k] = self.inverse[k].map(|e| -e);
    }
}

/// Hermite normal forms that share a diagonal.
#[derive(Clone, Debug)]
struct Block {
    diagonal: [i64; 3],
    first: u64,
}

/// All superlattices of one index, numbered from 0: by diagonal, then by the entries below it, both in lexicographic order. Nothing is held
/// but the diagonals.
///
/// ```
/// use scalade_crystal::enumeration::Superlattices;
/// let counts: Vec<u64> = (1..=10).map(|n| Superlattices::new(n, 3).count()).collect();
/// assert_eq!(counts, [1, 7, 13, 35, 31, 91, 57, 155, 130, 217]);
/// // In the plane their number is the sum of the divisors.
/// assert_eq!(Superlattices::new(6, 2).count(), 1 + 2 + 3 + 6);
/// ```
#[derive(Clone, Debug)]
pub struct Superlattices {
    dimensions: usize,
    blocks: Vec<Block>,
    count: u64,
}

impl Superlattices {
    /// Superlattices of `index` primitive cells of a lattice that extends along its first `dimensions` vectors (1, 2 or 3).
    pub fn new(index: usize, dimensions: usize) -> Self {
        let index = index as u64;
        let mut list = Self { dimensions, blocks: Vec::new(), count: 0 };
        for a in (1..=index).filter(|a| index.is_multiple_of(*a)) {
            let rest = index / a;
            for b in (1..=rest).filter(|b| rest.is_multiple_of(*b)) {
                let diagonal = [a, b, rest / b];
                if diagonal[dimensions.min(3)..].iter().all(|d| *d == 1) {
                    let size = match dimensions {
                        3 => a * a * b,
                        2 => a,
                        _ => 1,
                    };
                    list.blocks.push(Block { diagonal: diagonal.map(|d| d as i64), first: list.count });
                    list.count += size;
                }
            }
        }
        list
    }

    /// Number of superlattices.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The Hermite normal form with this number.
    pub fn get(&self, ordinal: u64) -> Option<IntegerMatrix> {
        if ordinal >= self.count {
            return None;
        }
        let block = &self.blocks[self.blocks.partition_point(|b| b.first <= ordinal) - 1];
        let (rest, [a, b, c]) = ((ordinal - block.first) as i64, block.diagonal);
        let below = match self.dimensions {
            3 => [rest / (a * b), rest / b % a, rest % b],
            2 => [rest, 0, 0],
            _ => [0; 3],
        };
        Some([[a, 0, 0], [below[0], b, 0], [below[1], below[2], c]])
    }
}

/// Key by which [`Superlattices`] orders Hermite normal forms.
fn order_key(h: &IntegerMatrix) -> [i64; 6] {
    [h[0][0], h[1][1], h[2][2], h[1][0], h[2][0], h[2][1]]
}

/// The rotations that keep a superlattice, as indices; `None` if a rotation takes it to one with a smaller number.
pub(crate) fn stabiliser(hermite: &IntegerMatrix, rotations: &[[[i32; 3]; 3]]) -> Option<Vec<usize>> {
    let key = order_key(hermite);
    let mut kept = Vec::new();
    for (index, rotation) in rotations.iter().enumerate() {
        let image = order_key(&reduce(rotated(hermite, rotation))?);
        if image < key {
            return None;
        }
        if image == key {
            kept.push(index);
        }
    }
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn singular_and_large_matrices_are_refused() {
        assert!(hermite_normal_form(&[[1, 0, 0], [2, 0, 0], [0, 0, 1]]).is_err());
        assert!(hermite_normal_form(&[[i64::MIN, 0, 0], [0, 1, 0], [0, 0, 1]]).is_err());
        assert!(hermite_normal_form(&[[0; 3]; 3]).is_err());
    }

    #[test]
    fn every_superlattice_is_there_once_and_in_order() {
        for dimensions in 1..=3 {
            for index in 1..=24 {
                let list = Superlattices::new(index, dimensions);
                let keys: Vec<_> = (0..list.count()).map(|o| order_key(&list.get(o).unwrap())).collect();
                assert!(keys.is_sorted() && keys.windows(2).all(|w| w[0] != w[1]));
                for ordinal in 0..list.count() {
                    let h = list.get(ordinal).unwrap();
                    assert_eq!(reduce(h), Some(h));
                    assert_eq!(h[0][0] * h[1][1] * h[2][2], index as i64);
                }
                assert_eq!(list.get(list.count()), None);
            }
        }
    }

    proptest! {
        #[test]
        fn normal_forms_keep_the_lattice(entries in proptest::array::uniform9(-6i64..7)) {
            let m = [[entries[0], entries[1], entries[2]], [entries[3], entries[4], entries[5]], [entries[6], entries[7], entries[8]]];
            let det = m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
                + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
            prop_assume!(det != 0);
            let h = hermite_normal_form(&m).unwrap();
            prop_assert_eq!(h[0][0] * h[1][1] * h[2][2], det.abs());
            let smith = SmithForm::of(&h);
            let d = smith.diagonal;
            prop_assert_eq!(d[0] * d[1] * d[2], det.abs());
            prop_assert!(d[1] % d[0] == 0 && d[2] % d[1] == 0, "{:?}", d);
            prop_assert_eq!(product(&smith.right, &smith.right_inverse), [[1, 0, 0], [0, 1, 0], [0, 0, 1]]);
            // The rows of the matrix, and no more than the superlattice, vanish modulo D.
            for row in product(&m, &smith.right) {
                prop_assert!(row.iter().zip(d).all(|(e, d)| e % d == 0));
            }
        }
    }
}
