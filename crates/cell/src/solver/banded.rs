//! LU factors of a banded matrix with partial pivoting, stored by rows.

/// A diagonal entry at least this large relative to its column is taken as pivot.
const DIAGONAL_PREFERENCE: f64 = 0.1;

/// A square matrix of dimension `n` with `bandwidth` sub- and superdiagonals, and room for the fill of
/// pivoting.
///
/// Row i holds columns i - b .. i + 2 b at positions 0 .. 3 b.
#[derive(Debug, Clone, Default)]
pub(crate) struct Banded {
    n: usize,
    bandwidth: usize,
    width: usize,
    entries: Vec<f64>,
    /// Multipliers of each elimination step, `bandwidth` per column.
    multipliers: Vec<f64>,
    /// Reciprocal row scales applied before elimination.
    scales: Vec<f64>,
    pivots: Vec<usize>,
    /// Last column with an entry in each pivot row.
    ends: Vec<usize>,
}

impl Banded {
    pub(crate) fn new(n: usize, bandwidth: usize) -> Self {
        let width = 3 * bandwidth + 1;
        Self {
            n,
            bandwidth,
            width,
            entries: vec![0.0; n * width],
            multipliers: vec![0.0; n * bandwidth],
            scales: vec![1.0; n],
            pivots: vec![0; n],
            ends: vec![0; n],
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.fill(0.0);
    }

    pub(crate) fn add(&mut self, row: usize, column: usize, value: f64) {
        self.entries[row * self.width + column + self.bandwidth - row] += value;
    }

    pub(crate) fn set_row_to_unit(&mut self, row: usize) {
        self.entries[row * self.width..(row + 1) * self.width].fill(0.0);
        self.add(row, row, 1.0);
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
                let size = self.entries[row * width + k + b - row].abs();
                if size > largest {
                    largest = size;
                    pivot = row;
                }
            }
            // Threshold pivoting: the diagonal is kept unless it is much smaller, which saves half of the fill.
            if self.entries[k * width + b].abs() >= DIAGONAL_PREFERENCE * largest {
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
            let reciprocal = 1.0 / self.entries[k * width + b];
            self.entries[k * width + b] = reciprocal;
            for row in k + 1..=last_row {
                let (upper, lower) = self.entries.split_at_mut(row * width);
                let target = &mut lower[k + b - row..k + b - row + length];
                let factor = target[0] * reciprocal;
                self.multipliers[k * b + row - k - 1] = factor;
                if factor == 0.0 {
                    continue;
                }
                let source = &upper[k * width + b + 1..k * width + b + length];
                for (t, s) in target[1..].iter_mut().zip(source) {
                    *t -= factor * s;
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
            let largest =
                entries.iter().fold(0.0_f64, |m, v| if v.abs() > m || v.is_nan() { v.abs() } else { m });
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
    pub(crate) fn solve_several(&self, rhs: &mut [f64], count: usize) {
        let (n, b, width) = (self.n, self.bandwidth, self.width);
        for (values, scale) in rhs.chunks_exact_mut(count).zip(&self.scales) {
            for value in values {
                *value *= scale;
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
                if *factor != 0.0 {
                    for (t, v) in target.iter_mut().zip(value.iter()) {
                        *t -= factor * v;
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
                    *v -= entry * s;
                }
            }
            for v in value {
                *v *= self.entries[start];
            }
        }
    }

    /// Solves with the factors, in place.
    pub(crate) fn solve(&self, rhs: &mut [f64]) {
        let (n, b, width) = (self.n, self.bandwidth, self.width);
        for (value, scale) in rhs.iter_mut().zip(&self.scales) {
            *value *= scale;
        }
        for k in 0..n {
            rhs.swap(k, self.pivots[k]);
            let value = rhs[k];
            if value != 0.0 {
                let multipliers = &self.multipliers[k * b..(k + 1) * b];
                for (target, factor) in rhs[k + 1..].iter_mut().zip(multipliers) {
                    *target -= factor * value;
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
fn dot(a: &[f64], x: &[f64]) -> f64 {
    let (a_head, a_tail) = a.as_chunks::<4>();
    let (x_head, x_tail) = x[..a.len()].as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (u, v) in a_head.iter().zip(x_head) {
        for i in 0..4 {
            sums[i] += u[i] * v[i];
        }
    }
    let tail: f64 = a_tail.iter().zip(x_tail).map(|(u, v)| u * v).sum();
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
