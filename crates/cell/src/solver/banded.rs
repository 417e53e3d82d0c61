//! LU factors of a real or complex banded matrix with partial pivoting, stored by rows.

use num_complex::Complex64;
use std::ops::{Add, AddAssign, Mul, MulAssign, Sub, SubAssign};

/// A diagonal entry at least this large relative to its column is taken as pivot.
const DIAGONAL_PREFERENCE: f64 = 0.1;

/// Entries of a matrix that can be eliminated.
pub(crate) trait Scalar:
    Copy
    + PartialEq
    + From<f64>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + MulAssign<f64>
{
    /// A measure of the size by which pivots are chosen.
    fn size(self) -> f64;
    fn reciprocal(self) -> Self;
}

impl Scalar for f64 {
    fn size(self) -> f64 {
        self.abs()
    }

    fn reciprocal(self) -> Self {
        1.0 / self
    }
}

impl Scalar for Complex64 {
    /// |Re| + |Im|, within a factor of 1.5 of the modulus and without its root.
    fn size(self) -> f64 {
        self.l1_norm()
    }

    fn reciprocal(self) -> Self {
        self.inv()
    }
}

/// A square matrix of dimension `n` with `bandwidth` sub- and superdiagonals, and room for the fill of
/// pivoting.
///
/// Row i holds columns i - b .. i + 2 b at positions 0 .. 3 b.
#[derive(Debug, Clone, Default)]
pub(crate) struct Banded<T = f64> {
    n: usize,
    bandwidth: usize,
    width: usize,
    entries: Vec<T>,
    /// Multipliers of each elimination step, `bandwidth` per column.
    multipliers: Vec<T>,
    /// Reciprocal row scales applied before elimination.
    scales: Vec<f64>,
    pivots: Vec<usize>,
    /// Last column with an entry in each pivot row.
    ends: Vec<usize>,
}

impl<T: Scalar> Banded<T> {
    pub(crate) fn new(n: usize, bandwidth: usize) -> Self {
        let width = 3 * bandwidth + 1;
        Self {
            n,
            bandwidth,
            width,
            entries: vec![T::from(0.0); n * width],
            multipliers: vec![T::from(0.0); n * bandwidth],
            scales: vec![1.0; n],
            pivots: vec![0; n],
            ends: vec![0; n],
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.fill(T::from(0.0));
    }

    pub(crate) fn add(&mut self, row: usize, column: usize, value: T) {
        self.entries[row * self.width + column + self.bandwidth - row] += value;
    }

    /// The same matrix over other numbers.
    pub(crate) fn copy_from<S: Copy + Into<T>>(&mut self, other: &Banded<S>) {
        for (own, entry) in self.entries.iter_mut().zip(&other.entries) {
            *own = (*entry).into();
        }
    }

    pub(crate) fn set_row_to_unit(&mut self, row: usize) {
        self.entries[row * self.width..(row + 1) * self.width].fill(T::from(0.0));
        self.add(row, row, T::from(1.0));
    }

    /// Eliminates in place; gives the row at which no usable pivot was found, if any.
    pub(crate) fn factor(&mut self) -> Result<(), usize> {
        self.scale_rows()?;
        let (n, b, width) = (self.n, self.bandwidth, self.width);
        let mut end = 0;
        for k in 0..n {
            let last_row = (k + b).min(n - 1);
            let mut pivot = k;
            let mut largest = 0.0;
            for row in k..=last_row {
                let size = self.entries[row * width + k + b - row].size();
                if size > largest {
                    largest = size;
                    pivot = row;
                }
            }
            // Threshold pivoting: the diagonal is kept unless it is much smaller, which saves half of the fill.
            if self.entries[k * width + b].size() >= DIAGONAL_PREFERENCE * largest {
                pivot = k;
            }
            if largest < 1e-200 || !largest.is_finite() {
                return Err(k);
            }
            end = end.max((pivot + b).min(n - 1));
            self.pivots[k] = pivot;
            self.ends[k] = end;
            let length = end - k + 1;
            if pivot != k {
                let (upper, lower) = self.entries.split_at_mut(pivot * width);
                let first = k * width + b;
                let second = k + b - pivot;
                upper[first..first + length].swap_with_slice(&mut lower[second..second + length]);
            }
            let reciprocal = self.entries[k * width + b].reciprocal();
            self.entries[k * width + b] = reciprocal;
            for row in k + 1..=last_row {
                let (upper, lower) = self.entries.split_at_mut(row * width);
                let target = &mut lower[k + b - row..k + b - row + length];
                let factor = target[0] * reciprocal;
                self.multipliers[k * b + row - k - 1] = factor;
                if factor == T::from(0.0) {
                    continue;
                }
                let source = &upper[k * width + b + 1..k * width + b + length];
                for (t, s) in target[1..].iter_mut().zip(source) {
                    *t -= factor * *s;
                }
            }
        }
        Ok(())
    }

    fn scale_rows(&mut self) -> Result<(), usize> {
        const EXPONENT: u64 = 0x7ff0_0000_0000_0000;
        let filled = 2 * self.bandwidth + 1;
        for row in 0..self.n {
            let entries = &mut self.entries[row * self.width..row * self.width + filled];
            let largest = entries
                .iter()
                .map(|v| v.size())
                .fold(0.0_f64, |m, v| if v > m || v.is_nan() { v } else { m });
            if !largest.is_normal() {
                return Err(row);
            }
            // A power of two, so that scaling rounds nothing.
            let scale = 1.0 / f64::from_bits(largest.to_bits() & EXPONENT);
            self.scales[row] = scale;
            for entry in entries {
                *entry *= scale;
            }
        }
        Ok(())
    }

    /// Solves for `count` right-hand sides at once, stored by row, then by side.
    pub(crate) fn solve_several(&self, rhs: &mut [T], count: usize) {
        let (n, b, width) = (self.n, self.bandwidth, self.width);
        for (values, scale) in rhs.chunks_exact_mut(count).zip(&self.scales) {
            for value in values {
                *value *= *scale;
            }
        }
        for k in 0..n {
            let (head, below) = rhs.split_at_mut((k + 1) * count);
            let value = &mut head[k * count..];
            if self.pivots[k] > k {
                let other = (self.pivots[k] - k - 1) * count;
                value.swap_with_slice(&mut below[other..other + count]);
            }
            let multipliers = &self.multipliers[k * b..(k + 1) * b];
            for (target, factor) in below.chunks_exact_mut(count).zip(multipliers) {
                if *factor != T::from(0.0) {
                    for (t, v) in target.iter_mut().zip(value.iter()) {
                        *t -= *factor * *v;
                    }
                }
            }
        }
        for k in (0..n).rev() {
            let start = k * width + b;
            let row = &self.entries[start + 1..=start + self.ends[k] - k];
            let (head, below) = rhs.split_at_mut((k + 1) * count);
            let value = &mut head[k * count..];
            for (source, entry) in below.chunks_exact(count).zip(row) {
                for (v, s) in value.iter_mut().zip(source) {
                    *v -= *entry * *s;
                }
            }
            for v in value {
                *v *= self.entries[start];
            }
        }
    }

    /// Solves with the transposed of the factored matrix, in place.
    pub(crate) fn solve_transposed(&self, rhs: &mut [T]) {
        let (n, b, width) = (self.n, self.bandwidth, self.width);
        for k in 0..n {
            let start = k * width + b;
            let value = rhs[k] * self.entries[start];
            rhs[k] = value;
            let row = &self.entries[start + 1..=start + self.ends[k] - k];
            for (target, entry) in rhs[k + 1..].iter_mut().zip(row) {
                *target -= *entry * value;
            }
        }
        for k in (0..n).rev() {
            let multipliers = &self.multipliers[k * b..(k + 1) * b];
            let mut value = rhs[k];
            for (source, factor) in rhs[k + 1..].iter().zip(multipliers) {
                value -= *factor * *source;
            }
            rhs[k] = value;
            rhs.swap(k, self.pivots[k]);
        }
        for (value, scale) in rhs.iter_mut().zip(&self.scales) {
            *value *= *scale;
        }
    }

    /// Solves with the factors, in place.
    pub(crate) fn solve(&self, rhs: &mut [T]) {
        let (n, b, width) = (self.n, self.bandwidth, self.width);
        for (value, scale) in rhs.iter_mut().zip(&self.scales) {
            *value *= *scale;
        }
        for k in 0..n {
            rhs.swap(k, self.pivots[k]);
            let value = rhs[k];
            if value != T::from(0.0) {
                let multipliers = &self.multipliers[k * b..(k + 1) * b];
                for (target, factor) in rhs[k + 1..].iter_mut().zip(multipliers) {
                    *target -= *factor * value;
                }
            }
        }
        for k in (0..n).rev() {
            let length = self.ends[k] - k;
            let start = k * width + b;
            let row = &self.entries[start + 1..start + 1 + length];
            let sum = dot(row, &rhs[k + 1..]);
            rhs[k] = (rhs[k] - sum) * self.entries[start];
        }
    }
}

/// Dot product over the length of `a`, in four interleaved sums (a single one would wait for every addition).
fn dot<T: Scalar>(a: &[T], x: &[T]) -> T {
    let (a_head, a_tail) = a.as_chunks::<4>();
    let (x_head, x_tail) = x[..a.len()].as_chunks::<4>();
    let mut sums = [T::from(0.0); 4];
    for (u, v) in a_head.iter().zip(x_head) {
        for i in 0..4 {
            sums[i] += u[i] * v[i];
        }
    }
    let tail = a_tail.iter().zip(x_tail).fold(T::from(0.0), |sum, (u, v)| sum + *u * *v);
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + tail
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Readable reference: dense Gaussian elimination with row pivoting.
    fn dense_solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
        let n = b.len();
        for k in 0..n {
            let p = (k..n).max_by(|i, j| a[*i][k].abs().total_cmp(&a[*j][k].abs())).unwrap();
            a.swap(k, p);
            b.swap(k, p);
            for i in k + 1..n {
                let f = a[i][k] / a[k][k];
                for j in k..n {
                    a[i][j] -= f * a[k][j];
                }
                b[i] -= f * b[k];
            }
        }
        for k in (0..n).rev() {
            for j in k + 1..n {
                b[k] -= a[k][j] * b[j];
            }
            b[k] /= a[k][k];
        }
        b
    }

    proptest! {
        /// (A + iB)(x + iy) = c + id as a real system of twice the size.
        #[test]
        fn complex_elimination_agrees_with_the_real_one(
            n in 1_usize..12, bandwidth in 1_usize..4, values in proptest::collection::vec(-1.0_f64..1.0, 2 * 12 * 13)
        ) {
            let mut banded = Banded::new(n, bandwidth);
            let mut dense = vec![vec![0.0; 2 * n]; 2 * n];
            for i in 0..n {
                for j in i.saturating_sub(bandwidth)..=(i + bandwidth).min(n - 1) {
                    let shift = if i == j && i % 3 != 0 { 2.0 } else { 0.0 };
                    let (re, im) = (values[i * 12 + j] + shift, values[156 + i * 12 + j]);
                    banded.add(i, j, Complex64::new(re, im));
                    (dense[i][j], dense[i][n + j], dense[n + i][j], dense[n + i][n + j]) = (re, -im, im, re);
                }
            }
            let rhs: Vec<f64> = (0..2 * n).map(|i| values[144 + i % 12] + i as f64).collect();
            let reference = dense_solve(dense, rhs.clone());
            let size = reference.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
            prop_assume!(size < 1e6);
            let mut solution: Vec<Complex64> = (0..n).map(|i| Complex64::new(rhs[i], rhs[n + i])).collect();
            prop_assert!(banded.factor().is_ok());
            banded.solve(&mut solution);
            for (i, z) in solution.iter().enumerate() {
                let miss = (z.re - reference[i]).hypot(z.im - reference[n + i]);
                prop_assert!(miss < 1e-9 * size * size.max(1.0));
            }
        }

        #[test]
        fn banded_elimination_agrees_with_dense(
            n in 1_usize..24, bandwidth in 1_usize..6, values in proptest::collection::vec(-1.0_f64..1.0, 24 * 25)
        ) {
            let mut banded = Banded::new(n, bandwidth);
            let mut dense = vec![vec![0.0; n]; n];
            for i in 0..n {
                for j in i.saturating_sub(bandwidth)..=(i + bandwidth).min(n - 1) {
                    // A weak diagonal now and then forces pivoting.
                    let value = values[i * 24 + j] + if i == j && i % 3 != 0 { 2.0 } else { 0.0 };
                    banded.add(i, j, value);
                    dense[i][j] = value;
                }
            }
            let rhs: Vec<f64> = (0..n).map(|i| values[i * 24 + 23]).collect();
            let reference = dense_solve(dense, rhs.clone());
            let size = reference.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
            prop_assume!(size < 1e6);
            let mut solution = rhs;
            prop_assert!(banded.factor().is_ok());
            banded.solve(&mut solution);
            for (x, y) in solution.iter().zip(&reference) {
                prop_assert!((x - y).abs() < 1e-9 * size * size.max(1.0));
            }
        }
    }
}
