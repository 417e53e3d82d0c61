//! Penalised smoothing that stays within error bars.
//!
//! Minimises sum (y_i - z_i)^2/s_i^2 + sum ((z_(i+1) - z_i)/h_i - v_i)^2/t_i^2 + lambda sum (second difference of z)^2
//! (E. T. Whittaker, Proc. Edinb. Math. Soc. 41, 63 (1923), with slope data v_i on the intervals). lambda is the largest one for which the residuals
//! of the data are what their error bars say: mean square at most one, none of a value beyond a limit (the discrepancy principle of C. H. Reinsch,
//! Numer. Math. 10, 177 (1967)). A step that the data resolve therefore survives.

use crate::LatticeError;
use scalade_numerics::{Cholesky, Matrix};

/// Largest residual in units of its error bar.
const LARGEST_RESIDUAL: f64 = 3.5;

/// A value or slope with its standard error.
pub(crate) type Datum = (f64, f64);

/// Smoothed values with their posterior covariance.
#[derive(Clone, Debug)]
pub(crate) struct Smoothed {
    pub values: Vec<f64>,
    /// Inverse of the normal matrix: covariance of the values.
    pub covariance: Matrix,
    /// Mean squared residual over the error bars.
    pub reduced_chi2: f64,
    /// Largest residual of a value over its error bar.
    pub largest_residual: f64,
}

impl Smoothed {
    /// Standard error of value i.
    pub fn error(&self, i: usize) -> f64 {
        self.covariance.row(i)[i].max(0.0).sqrt()
    }

    /// Standard error of z_j - z_i.
    pub fn difference_error(&self, i: usize, j: usize) -> f64 {
        let c = |a: usize, b: usize| self.covariance.row(a)[b];
        (c(i, i) + c(j, j) - 2.0 * c(i, j)).max(0.0).sqrt()
    }
}

/// Smooths data at increasing abscissae; `slopes` has one entry per interval or is empty.
pub(crate) fn smooth(x: &[f64], data: &[Datum], slopes: &[Datum]) -> Result<Smoothed, LatticeError> {
    let n = x.len();
    if n < 3 {
        let mut covariance = Matrix::zeros(n, n);
        for i in 0..n {
            covariance.row_mut(i)[i] = data[i].1 * data[i].1;
        }
        let values = data.iter().map(|d| d.0).collect();
        return Ok(Smoothed { values, covariance, reduced_chi2: 0.0, largest_residual: 0.0 });
    }
    // Units in which mean spacing and error bars are one, so that one ladder of lambda serves all data.
    let spacing = (x[n - 1] - x[0]) / (n - 1) as f64;
    let mut precisions: Vec<f64> = data.iter().map(|d| d.1.recip()).collect();
    precisions.sort_by(f64::total_cmp);
    let typical = precisions[n / 2];
    let mut ladder = Vec::new();
    for step in 0..36 {
        ladder.push(solve(
            x,
            data,
            slopes,
            typical * typical * 10f64.powf(8.0 - 0.4 * f64::from(step)),
            spacing,
        )?);
    }
    // Where even the stiffness of next to nothing leaves more, because slopes and values disagree by chance, that is the measure.
    let floor = ladder.last().map_or((1.0, 0.0), |(s, _)| (s.reduced_chi2, s.largest_residual));
    let limits = (1f64.max(1.1 * floor.0), LARGEST_RESIDUAL.max(1.1 * floor.1));
    let chosen =
        ladder.into_iter().find(|(s, _)| s.reduced_chi2 <= limits.0 && s.largest_residual <= limits.1);
    let (mut smoothed, factor) =
        chosen.ok_or(LatticeError::Length { what: "points to smooth", expected: 3, got: n })?;
    smoothed.covariance = factor.inverse();
    Ok(smoothed)
}

/// Adds w (row . z - ...)^2 to the normal matrix for a sparse row.
fn accumulate(matrix: &mut Matrix, row: &[(usize, f64)], weight: f64) {
    for (i, a) in row {
        for (j, b) in row {
            matrix.row_mut(*i)[*j] += weight * a * b;
        }
    }
}

fn solve(
    x: &[f64],
    data: &[Datum],
    slopes: &[Datum],
    lambda: f64,
    spacing: f64,
) -> Result<(Smoothed, Cholesky), LatticeError> {
    let n = x.len();
    let mut matrix = Matrix::zeros(n, n);
    let mut right = vec![0.0; n];
    for (i, (value, error)) in data.iter().enumerate() {
        let weight = 1.0 / (error * error);
        accumulate(&mut matrix, &[(i, 1.0)], weight);
        right[i] += weight * value;
    }
    for (i, (slope, error)) in slopes.iter().enumerate() {
        let (h, weight) = (x[i + 1] - x[i], 1.0 / (error * error));
        accumulate(&mut matrix, &[(i, -1.0 / h), (i + 1, 1.0 / h)], weight);
        right[i] -= weight * slope / h;
        right[i + 1] += weight * slope / h;
    }
    for i in 1..n - 1 {
        let (a, b) = ((x[i] - x[i - 1]) / spacing, (x[i + 1] - x[i]) / spacing);
        let scale = 2.0 / (a + b);
        accumulate(
            &mut matrix,
            &[(i - 1, scale / a), (i, -scale * (1.0 / a + 1.0 / b)), (i + 1, scale / b)],
            lambda,
        );
    }
    let factor = Cholesky::new(&matrix).map_err(LatticeError::dense("smoothing"))?;
    let values = factor.solve(&right);
    let of_values: Vec<f64> = data.iter().zip(&values).map(|(d, z)| (d.0 - z) / d.1).collect();
    let of_slopes: Vec<f64> = slopes
        .iter()
        .enumerate()
        .map(|(i, s)| (s.0 - (values[i + 1] - values[i]) / (x[i + 1] - x[i])) / s.1)
        .collect();
    let squares: f64 = of_values.iter().chain(&of_slopes).map(|r| r * r).sum();
    let smoothed = Smoothed {
        reduced_chi2: squares / (of_values.len() + of_slopes.len()) as f64,
        largest_residual: of_values.iter().fold(0.0, |m, r| r.abs().max(m)),
        covariance: Matrix::zeros(0, 0),
        values,
    };
    Ok((smoothed, factor))
}

/// Weighted isotonic regression by pooling adjacent violators (R. E. Barlow et al., Statistical Inference under Order Restrictions, 1972),
/// then parted by `least` so that neighbours strictly rise.
pub(crate) fn strictly_increasing(values: &[f64], errors: &[f64], least: f64) -> Vec<f64> {
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for (v, e) in values.iter().zip(errors) {
        let mut block = (*v, 1.0 / (e * e).max(1e-300), 1);
        while let Some(previous) = blocks.last().copied().filter(|p| p.0 >= block.0) {
            let weight = previous.1 + block.1;
            block = ((previous.0 * previous.1 + block.0 * block.1) / weight, weight, previous.2 + block.2);
            blocks.pop();
        }
        blocks.push(block);
    }
    let mut out: Vec<f64> = blocks.iter().flat_map(|b| std::iter::repeat_n(b.0, b.2)).collect();
    for i in 1..out.len() {
        out[i] = out[i].max(out[i - 1] + least);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use scalade_numerics::Philox;

    #[test]
    fn noise_is_reduced_and_a_resolved_step_survives() {
        let mut rng = Philox::new(9, 0, 0);
        let x: Vec<f64> = (0..81).map(|i| 0.01 * f64::from(i)).collect();
        let truth = |t: f64| t + 0.3 * ((t - 0.4) / 0.008).tanh();
        let error = 0.003;
        let data: Vec<Datum> = x.iter().map(|t| (truth(*t) + error * rng.normal(), error)).collect();
        let smoothed = smooth(&x, &data, &[]).unwrap();
        assert!(smoothed.reduced_chi2 <= 1.0 && smoothed.largest_residual <= 3.5);
        for (i, t) in x.iter().enumerate() {
            assert!((smoothed.values[i] - truth(*t)).abs() < 4.0 * error, "{t}");
        }
        // Without a step the line is found far below the error bars.
        let flat: Vec<Datum> = x.iter().map(|t| (2.0 * t + error * rng.normal(), error)).collect();
        let slopes: Vec<Datum> = x[1..].iter().map(|_| (2.0 + 0.5 * rng.normal(), 0.5)).collect();
        let line = smooth(&x, &flat, &slopes).unwrap();
        let worst = x.iter().zip(&line.values).map(|(t, z)| (z - 2.0 * t).abs()).fold(0.0, f64::max);
        assert!(worst < 0.7 * error, "{worst}");
        assert!(line.error(40) < 0.3 * error && line.difference_error(39, 41) < error);
    }

    #[test]
    fn violators_are_pooled() {
        let z = strictly_increasing(&[0.0, 2.0, 1.0, 3.0], &[1.0; 4], 1e-9);
        assert!((z[1] - 1.5).abs() < 1e-8 && z[2] > z[1] && z[2] - z[1] < 1e-8 && z[3] == 3.0);
    }
}
