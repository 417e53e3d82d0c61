//! Small dense matrices: Cholesky factorisation of symmetric positive definite systems (regression, covariances).

use thiserror::Error;

/// What can be wrong with a dense system.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum DenseError {
    /// A pivot that is not positive.
    #[error("the matrix is not positive definite: pivot {index} is {pivot:e} (relative {relative:e})")]
    NotPositiveDefinite {
        /// Row of the pivot.
        index: usize,
        /// The pivot.
        pivot: f64,
        /// The pivot over the diagonal element.
        relative: f64,
    },
    /// Shapes that do not fit.
    #[error("expected {expected} numbers, got {got}")]
    Shape {
        /// Numbers expected.
        expected: usize,
        /// Numbers given.
        got: usize,
    },
    /// An input, or a length computed from it, that is infinite or not a number.
    #[error("number {index} of the {what} is {value}, not finite")]
    NotFinite {
        /// The vector or matrix (row-major) it stands in.
        what: &'static str,
        /// Its place there.
        index: usize,
        /// The number.
        value: f64,
    },
    /// Active-set steps that did not end.
    #[error(
        "nonnegative least squares did not end in {limit} steps for {columns} columns: {positive} are positive \
         and another one still has the gradient {gradient:e} (relative to the column and the right-hand side)"
    )]
    Iterations {
        /// Steps allowed.
        limit: usize,
        /// Columns of the problem.
        columns: usize,
        /// Columns with a positive coefficient at the end.
        positive: usize,
        /// Largest gradient left, over the norms of its column and of the right-hand side.
        gradient: f64,
    },
    /// Constraints that rounding neither lets hold nor refutes.
    #[error(
        "the least distance is lost in rounding: the best point, at {distance:e}, misses constraint {constraint} \
         by {violation:e} (relative to the norm of the constraint)"
    )]
    Undecided {
        /// The constraint missed most.
        constraint: usize,
        /// (h_i - g_i x) / |g_i|.
        violation: f64,
        /// Norm of the point.
        distance: f64,
    },
}

/// A row-major matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    data: Vec<f64>,
}

impl Matrix {
    /// A matrix of zeros.
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self { rows, columns, data: vec![0.0; rows * columns] }
    }

    /// A matrix from its rows one after the other.
    pub fn from_rows(rows: usize, columns: usize, data: Vec<f64>) -> Result<Self, DenseError> {
        if data.len() == rows * columns {
            Ok(Self { rows, columns, data })
        } else {
            Err(DenseError::Shape { expected: rows * columns, got: data.len() })
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// One row.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.data[i * self.columns..(i + 1) * self.columns]
    }

    /// One row, mutable.
    pub fn row_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.data[i * self.columns..(i + 1) * self.columns]
    }

    /// Matrix times vector.
    pub fn times(&self, x: &[f64]) -> Vec<f64> {
        (0..self.rows).map(|i| self.row(i).iter().zip(x).map(|(a, b)| a * b).sum()).collect()
    }

    /// Transposed matrix times vector.
    pub fn transposed_times(&self, x: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.columns];
        for (i, xi) in x.iter().enumerate().take(self.rows) {
            for (o, a) in out.iter_mut().zip(self.row(i)) {
                *o += a * xi;
            }
        }
        out
    }

    /// The Gram matrix `A^T W A` for row weights `W` (one per row).
    #[must_use]
    pub fn weighted_gram(&self, weights: &[f64]) -> Self {
        let mut out = Self::zeros(self.columns, self.columns);
        for (i, w) in weights.iter().enumerate().take(self.rows) {
            let row = self.row(i);
            for (a, ra) in row.iter().enumerate() {
                let scaled = w * ra;
                for (o, rb) in out.row_mut(a).iter_mut().zip(row) {
                    *o += scaled * rb;
                }
            }
        }
        out
    }
}

/// Lower Cholesky factor L of a symmetric positive definite matrix A = L L^T.
#[derive(Clone, Debug, PartialEq)]
pub struct Cholesky {
    lower: Matrix,
}

impl Cholesky {
    /// Factorises; only the lower triangle is read. A pivot below 1e-14 of its diagonal element is refused, since
    /// what follows would be noise.
    pub fn new(matrix: &Matrix) -> Result<Self, DenseError> {
        let n = matrix.rows;
        if matrix.columns != n {
            return Err(DenseError::Shape { expected: n * n, got: matrix.data.len() });
        }
        let mut lower = Matrix::zeros(n, n);
        for i in 0..n {
            for j in 0..=i {
                let (li, lj) = (lower.row(i), lower.row(j));
                let inner: f64 = li[..j].iter().zip(&lj[..j]).map(|(a, b)| a * b).sum();
                let rest = matrix.row(i)[j] - inner;
                if i == j {
                    let relative = rest / matrix.row(i)[i];
                    if !(rest > 0.0 && relative > 1e-14) {
                        return Err(DenseError::NotPositiveDefinite { index: i, pivot: rest, relative });
                    }
                    lower.row_mut(i)[i] = rest.sqrt();
                } else {
                    let pivot = lj[j];
                    lower.row_mut(i)[j] = rest / pivot;
                }
            }
        }
        Ok(Self { lower })
    }

    /// Order of the matrix.
    pub fn order(&self) -> usize {
        self.lower.rows
    }

    /// Solves L y = b.
    pub fn solve_lower(&self, b: &[f64]) -> Vec<f64> {
        let mut y = b.to_vec();
        for i in 0..self.order() {
            let row = self.lower.row(i);
            let inner: f64 = row[..i].iter().zip(&y[..i]).map(|(a, b)| a * b).sum();
            y[i] = (y[i] - inner) / row[i];
        }
        y
    }

    /// Solves L^T x = y.
    pub fn solve_upper(&self, y: &[f64]) -> Vec<f64> {
        let mut x = y.to_vec();
        for i in (0..self.order()).rev() {
            x[i] /= self.lower.row(i)[i];
            let xi = x[i];
            for (xj, l) in x[..i].iter_mut().zip(self.lower.row(i)) {
                *xj -= l * xi;
            }
        }
        x
    }

    /// Solves A x = b.
    pub fn solve(&self, b: &[f64]) -> Vec<f64> {
        self.solve_upper(&self.solve_lower(b))
    }

    /// Natural logarithm of det A.
    pub fn log_determinant(&self) -> f64 {
        2.0 * (0..self.order()).map(|i| self.lower.row(i)[i].ln()).sum::<f64>()
    }

    /// Quadratic form b^T A^-1 b.
    pub fn inverse_quadratic(&self, b: &[f64]) -> f64 {
        self.solve_lower(b).iter().map(|y| y * y).sum()
    }

    /// The inverse.
    pub fn inverse(&self) -> Matrix {
        let n = self.order();
        let mut out = Matrix::zeros(n, n);
        for j in 0..n {
            let mut unit = vec![0.0; n];
            unit[j] = 1.0;
            for (i, v) in self.solve(&unit).into_iter().enumerate() {
                out.row_mut(i)[j] = v;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Philox;

    #[test]
    fn random_systems_are_solved() {
        let mut rng = Philox::new(3, 0, 0);
        for n in [1usize, 2, 5, 20] {
            let mut factor = Matrix::zeros(n + 3, n);
            for i in 0..n + 3 {
                for v in factor.row_mut(i) {
                    *v = rng.normal();
                }
            }
            let a = factor.weighted_gram(&vec![1.0; n + 3]);
            let x: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
            let cholesky = Cholesky::new(&a).unwrap();
            let solved = cholesky.solve(&a.times(&x));
            for (s, e) in solved.iter().zip(&x) {
                assert!((s - e).abs() < 1e-8, "{s} {e}");
            }
            let ratio = cholesky.inverse_quadratic(&a.times(&x))
                / x.iter().zip(a.times(&x)).map(|(p, q)| p * q).sum::<f64>();
            assert!((ratio - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn indefinite_matrices_are_refused_with_the_pivot() {
        let a = Matrix::from_rows(2, 2, vec![1.0, 2.0, 2.0, 1.0]).unwrap();
        assert!(
            matches!(Cholesky::new(&a), Err(DenseError::NotPositiveDefinite { index: 1, pivot, .. }) if pivot == -3.0)
        );
    }
}
