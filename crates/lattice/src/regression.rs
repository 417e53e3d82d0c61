//! Bayesian linear regression with a Gaussian prior and exact leave-one-out errors.
//!
//! y_i = sum_k X_ik c_k + e_i with e_i ~ N(0, noise^2 / w_i) and c_k ~ N(0, prior_k^2). With the normal matrix
//! A = X^T W X + noise^2 diag(prior^-2), the posterior is N(A^-1 X^T W y, noise^2 A^-1)
//! (C. M. Bishop, Pattern Recognition and Machine Learning, sec. 3.3 and 3.5).

use crate::LatticeError;
use scalade_numerics::{Cholesky, Matrix, Philox};

/// Rows, targets and weights of a regression.
#[derive(Clone, Debug)]
pub struct Regression {
    design: Matrix,
    targets: Vec<f64>,
    weights: Vec<f64>,
}

/// The posterior of the coefficients for one prior and noise.
#[derive(Clone, Debug)]
pub struct Posterior {
    /// Posterior mean.
    pub coefficients: Vec<f64>,
    /// Logarithm of the marginal likelihood of the targets (the evidence).
    pub log_evidence: f64,
    /// Residuals y - X c of the training rows.
    pub residuals: Vec<f64>,
    /// Leverages: the diagonal of X A^-1 X^T W.
    pub leverages: Vec<f64>,
    /// Noise of a row of unit weight.
    pub noise: f64,
    factor: Cholesky,
}

impl Regression {
    /// A regression; refuses lengths that do not fit, numbers that are not finite and weights that are not positive.
    pub fn new(design: Matrix, targets: Vec<f64>, weights: Vec<f64>) -> Result<Self, LatticeError> {
        let expected = design.rows();
        for (what, list) in [("regression targets", &targets), ("regression weights", &weights)] {
            if list.len() != expected {
                return Err(LatticeError::Length { what, expected, got: list.len() });
            }
            if let Some(index) = list.iter().position(|v| !v.is_finite()) {
                return Err(LatticeError::NotFinite { what, index, value: list[index] });
            }
        }
        for i in 0..design.rows() {
            if let Some(value) = design.row(i).iter().find(|v| !v.is_finite()) {
                return Err(LatticeError::NotFinite { what: "regression row", index: i, value: *value });
            }
        }
        for weight in &weights {
            LatticeError::require(*weight > 0.0, "regression weight", *weight, "a positive number is due")?;
        }
        if expected == 0 || design.columns() == 0 {
            return Err(LatticeError::Length { what: "regression rows", expected: 1, got: 0 });
        }
        Ok(Self { design, targets, weights })
    }

    pub(crate) fn design(&self) -> &Matrix {
        &self.design
    }

    pub(crate) fn targets(&self) -> &[f64] {
        &self.targets
    }

    pub(crate) fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The regression of some of its rows.
    pub(crate) fn of_rows(&self, rows: &[usize]) -> Result<Self, LatticeError> {
        let data = rows.iter().flat_map(|i| self.design.row(*i).to_vec()).collect();
        let design = Matrix::from_rows(rows.len(), self.columns(), data)
            .map_err(LatticeError::dense("rows of the fit"))?;
        let pick = |list: &[f64]| rows.iter().map(|i| list[*i]).collect();
        Self::new(design, pick(&self.targets), pick(&self.weights))
    }

    /// The same with all columns zero but those kept.
    pub(crate) fn masked(&self, keep: &[bool]) -> Self {
        let mut masked = self.clone();
        for i in 0..self.rows() {
            for (x, keep) in masked.design.row_mut(i).iter_mut().zip(keep) {
                if !keep {
                    *x = 0.0;
                }
            }
        }
        masked
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.design.rows()
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.design.columns()
    }

    /// Numerical rank of the design: columns that keep more than `relative` of their norm after the others have been projected out in turn
    /// (modified Gram-Schmidt with column pivoting).
    pub fn rank(&self, relative: f64) -> usize {
        self.columns() - self.dependent_columns(relative).len()
    }

    /// The columns that are left when the independent ones have been picked, largest first: each is a combination of the others.
    pub fn dependent_columns(&self, relative: f64) -> Vec<usize> {
        let (rows, columns) = (self.rows(), self.columns());
        let mut vectors: Vec<Vec<f64>> =
            (0..columns).map(|k| (0..rows).map(|i| self.design.row(i)[k]).collect()).collect();
        let squared = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>();
        for v in &mut vectors {
            let length = squared(v).sqrt();
            if length > 0.0 {
                for x in v {
                    *x /= length;
                }
            }
        }
        let mut numbers: Vec<usize> = (0..columns).collect();
        while let Some((pick, size)) =
            vectors.iter().map(|v| squared(v)).enumerate().max_by(|a, b| a.1.total_cmp(&b.1))
        {
            if size.sqrt() <= relative {
                break;
            }
            numbers.swap_remove(pick);
            let pivot: Vec<f64> = vectors.swap_remove(pick).iter().map(|x| x / size.sqrt()).collect();
            for v in &mut vectors {
                let along: f64 = v.iter().zip(&pivot).map(|(a, b)| a * b).sum();
                v.iter_mut().zip(&pivot).for_each(|(a, b)| *a -= along * b);
            }
        }
        numbers.sort_unstable();
        numbers
    }

    /// The posterior for prior widths (one a column, the unit of the coefficients) and noise (the unit of the targets).
    pub fn posterior(&self, prior: &[f64], noise: f64) -> Result<Posterior, LatticeError> {
        let columns = self.columns();
        if prior.len() != columns {
            return Err(LatticeError::Length { what: "prior widths", expected: columns, got: prior.len() });
        }
        LatticeError::require(
            noise > 0.0 && noise.is_finite(),
            "noise of the regression",
            noise,
            "a positive number is due",
        )?;
        for width in prior {
            let holds = *width > 0.0 && width.is_finite();
            LatticeError::require(holds, "prior width", *width, "a positive number is due")?;
        }
        // Unit-width coefficients c_k / prior_k keep the matrix well scaled.
        let mut gram = self.design.weighted_gram(&self.weights);
        for a in 0..columns {
            for (b, entry) in gram.row_mut(a).iter_mut().enumerate() {
                *entry *= prior[a] * prior[b];
                if a == b {
                    *entry += noise * noise;
                }
            }
        }
        let factor = Cholesky::new(&gram).map_err(LatticeError::dense("normal equations of the fit"))?;
        let weighted: Vec<f64> = self.targets.iter().zip(&self.weights).map(|(y, w)| y * w).collect();
        let mut right = self.design.transposed_times(&weighted);
        right.iter_mut().zip(prior).for_each(|(r, p)| *r *= p);
        let scaled = factor.solve(&right);
        let coefficients: Vec<f64> = scaled.iter().zip(prior).map(|(c, p)| c * p).collect();
        let fitted = self.design.times(&coefficients);
        let residuals: Vec<f64> = self.targets.iter().zip(&fitted).map(|(y, f)| y - f).collect();
        let leverages = (0..self.rows())
            .map(|i| {
                let row: Vec<f64> = self.design.row(i).iter().zip(prior).map(|(x, p)| x * p).collect();
                self.weights[i] * factor.inverse_quadratic(&row)
            })
            .collect();
        // ln p(y) by the determinant lemma: |noise^2 W^-1 + X P X^T| = noise^(2(n-k)) |A| / |W| with A of the scaled columns.
        let n = self.rows() as f64;
        let misfit: f64 = residuals.iter().zip(&self.weights).map(|(r, w)| w * r * r).sum();
        let penalty: f64 = scaled.iter().map(|c| c * c).sum();
        let log_weights: f64 = self.weights.iter().map(|w| w.ln()).sum();
        let log_determinant =
            2.0 * (n - columns as f64) * noise.ln() + factor.log_determinant() - log_weights;
        let log_evidence =
            -0.5 * (n * std::f64::consts::TAU.ln() + log_determinant + misfit / (noise * noise) + penalty);
        Ok(Posterior { coefficients, log_evidence, residuals, leverages, noise, factor })
    }
}

impl Posterior {
    /// Leave-one-out residuals r_i / (1 - h_i): exactly those of refitting without row i for the same prior and noise.
    pub fn leave_one_out(&self) -> Vec<f64> {
        self.residuals.iter().zip(&self.leverages).map(|(r, h)| r / (1.0 - h)).collect()
    }

    /// Effective number of parameters: the sum of the leverages.
    pub fn effective_parameters(&self) -> f64 {
        self.leverages.iter().sum()
    }

    /// A sample of the posterior: mean + noise prior L^-T z, z standard normal.
    pub fn sample(&self, prior: &[f64], rng: &mut Philox) -> Vec<f64> {
        let z: Vec<f64> = (0..prior.len()).map(|_| rng.normal()).collect();
        let step = self.of_coordinates(prior, &z);
        self.coefficients.iter().zip(&step).map(|(c, s)| c + s).collect()
    }

    /// The step in the coefficients for one in coordinates z in which the posterior is a standard normal distribution: noise prior L^-T z.
    pub(crate) fn of_coordinates(&self, prior: &[f64], z: &[f64]) -> Vec<f64> {
        let scaled: Vec<f64> = z.iter().map(|v| self.noise * v).collect();
        self.factor.solve_upper(&scaled).iter().zip(prior).map(|(s, p)| s * p).collect()
    }

    /// The row of factors in these coordinates for one in the coefficients: noise L^-1 prior g.
    pub(crate) fn to_coordinates(&self, prior: &[f64], row: &[f64]) -> Vec<f64> {
        let scaled: Vec<f64> = row.iter().zip(prior).map(|(g, p)| g * p).collect();
        self.factor.solve_lower(&scaled).iter().map(|v| self.noise * v).collect()
    }

    /// Standard deviations of the coefficients.
    pub fn standard_deviations(&self, prior: &[f64]) -> Vec<f64> {
        let inverse = self.factor.inverse();
        (0..prior.len()).map(|k| prior[k] * self.noise * inverse.row(k)[k].sqrt()).collect()
    }
}

/// Maximises a function by the simplex method of J. A. Nelder and R. Mead, Comput. J. 7, 308 (1965), from `start` with edges `steps`;
/// returns the best point and value. Points where the function is not finite are avoided.
pub(crate) fn maximise(
    function: &dyn Fn(&[f64]) -> f64,
    start: &[f64],
    steps: &[f64],
    evaluations: usize,
) -> (Vec<f64>, f64) {
    let n = start.len();
    let value = |p: &[f64]| {
        let v = function(p);
        if v.is_finite() { v } else { f64::NEG_INFINITY }
    };
    let mut simplex: Vec<(Vec<f64>, f64)> = vec![(start.to_vec(), value(start))];
    for axis in 0..n {
        let mut p = start.to_vec();
        p[axis] += steps[axis];
        let v = value(&p);
        simplex.push((p, v));
    }
    let mut used = n + 1;
    while used < evaluations {
        simplex.sort_by(|a, b| b.1.total_cmp(&a.1));
        if simplex[0].1 - simplex[n].1 < 1e-7 {
            break;
        }
        let centre: Vec<f64> =
            (0..n).map(|k| simplex[..n].iter().map(|s| s.0[k]).sum::<f64>() / n as f64).collect();
        let along = |t: f64| -> (Vec<f64>, f64) {
            let p: Vec<f64> = (0..n).map(|k| centre[k] + t * (simplex[n].0[k] - centre[k])).collect();
            let v = value(&p);
            (p, v)
        };
        let reflected = along(-1.0);
        used += 1;
        if reflected.1 > simplex[0].1 {
            let expanded = along(-2.0);
            used += 1;
            simplex[n] = if expanded.1 > reflected.1 { expanded } else { reflected };
        } else if reflected.1 > simplex[n - 1].1 {
            simplex[n] = reflected;
        } else {
            let contracted = along(if reflected.1 > simplex[n].1 { -0.5 } else { 0.5 });
            used += 1;
            if contracted.1 > simplex[n].1.max(reflected.1) {
                simplex[n] = contracted;
            } else {
                let best = simplex[0].0.clone();
                for s in &mut simplex[1..] {
                    for (x, b) in s.0.iter_mut().zip(&best) {
                        *x = b + 0.5 * (*x - b);
                    }
                    s.1 = value(&s.0);
                }
                used += n;
            }
        }
    }
    simplex.sort_by(|a, b| b.1.total_cmp(&a.1));
    simplex.swap_remove(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(rows: usize, columns: usize, seed: u64) -> (Regression, Vec<f64>) {
        let mut rng = Philox::new(seed, 0, 0);
        let data = (0..rows * columns).map(|_| rng.normal()).collect();
        let design = Matrix::from_rows(rows, columns, data).unwrap();
        let targets = (0..rows).map(|i| design.row(i)[0] - 0.3 + 0.1 * rng.normal()).collect();
        let weights = (0..rows).map(|_| 0.5 + rng.uniform()).collect();
        let prior = (0..columns).map(|k| 1.0 / (1.0 + k as f64)).collect();
        (Regression::new(design, targets, weights).unwrap(), prior)
    }

    #[test]
    fn leave_one_out_equals_brute_force_refits() {
        // More columns than rows: only the prior makes it solvable.
        for (rows, columns) in [(15, 4), (12, 20)] {
            let (regression, prior) = problem(rows, columns, 3);
            let fit = regression.posterior(&prior, 0.2).unwrap();
            let loo = fit.leave_one_out();
            for left in 0..rows {
                let keep: Vec<usize> = (0..rows).filter(|i| *i != left).collect();
                let data = keep.iter().flat_map(|i| regression.design.row(*i).to_vec()).collect();
                let smaller = Regression::new(
                    Matrix::from_rows(rows - 1, columns, data).unwrap(),
                    keep.iter().map(|i| regression.targets[*i]).collect(),
                    keep.iter().map(|i| regression.weights[*i]).collect(),
                )
                .unwrap();
                let refit = smaller.posterior(&prior, 0.2).unwrap();
                let predicted: f64 =
                    regression.design.row(left).iter().zip(&refit.coefficients).map(|(x, c)| x * c).sum();
                assert!((regression.targets[left] - predicted - loo[left]).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn evidence_is_the_density_of_the_targets() {
        // Dense reference: ln N(y; 0, noise^2 W^-1 + X P X^T).
        let (regression, prior) = problem(9, 5, 8);
        let noise = 0.3;
        let mut covariance = Matrix::zeros(9, 9);
        for i in 0..9 {
            for j in 0..9 {
                covariance.row_mut(i)[j] = (0..5)
                    .map(|k| regression.design.row(i)[k] * regression.design.row(j)[k] * prior[k] * prior[k])
                    .sum::<f64>()
                    + if i == j { noise * noise / regression.weights[i] } else { 0.0 };
            }
        }
        let factor = Cholesky::new(&covariance).unwrap();
        let exact = -0.5
            * (9.0 * std::f64::consts::TAU.ln()
                + factor.log_determinant()
                + factor.inverse_quadratic(&regression.targets));
        let fit = regression.posterior(&prior, noise).unwrap();
        assert!((fit.log_evidence - exact).abs() < 1e-9, "{} {exact}", fit.log_evidence);
    }

    #[test]
    fn samples_have_the_posterior_mean_and_spread() {
        let (regression, prior) = problem(20, 3, 5);
        let fit = regression.posterior(&prior, 0.2).unwrap();
        let deviations = fit.standard_deviations(&prior);
        let mut rng = Philox::new(1, 0, 0);
        let n = 20_000;
        let samples: Vec<Vec<f64>> = (0..n).map(|_| fit.sample(&prior, &mut rng)).collect();
        for k in 0..3 {
            let values: Vec<f64> = samples.iter().map(|s| s[k]).collect();
            let mean = scalade_numerics::mean(&values);
            let variance = scalade_numerics::variance(&values);
            let s = deviations[k];
            assert!((mean - fit.coefficients[k]).abs() < 4.0 * s / f64::from(n).sqrt());
            assert!((variance / (s * s) - 1.0).abs() < 4.0 * (2.0 / f64::from(n)).sqrt());
        }
    }

    #[test]
    fn rank_and_refusals() {
        let design = Matrix::from_rows(3, 3, vec![1.0, 2.0, 3.0, 1.0, 0.0, 1.0, 2.0, 2.0, 4.0]).unwrap();
        let regression = Regression::new(design.clone(), vec![0.0; 3], vec![1.0; 3]).unwrap();
        assert_eq!(regression.rank(1e-9), 2);
        assert!(Regression::new(design.clone(), vec![0.0; 2], vec![1.0; 3]).is_err());
        assert!(Regression::new(design.clone(), vec![f64::NAN; 3], vec![1.0; 3]).is_err());
        assert!(Regression::new(design, vec![0.0; 3], vec![0.0; 3]).is_err());
        assert!(regression.posterior(&[1.0; 3], 0.0).is_err());
        assert!(regression.posterior(&[1.0; 2], 1.0).is_err());
    }

    #[test]
    fn simplex_finds_a_maximum() {
        let f = |p: &[f64]| -(p[0] - 1.0).powi(2) - 10.0 * (p[1] + 2.0 - p[0]).powi(2);
        let (best, _) = maximise(&f, &[5.0, 5.0], &[0.5, 0.5], 2000);
        assert!((best[0] - 1.0).abs() < 1e-2 && (best[1] + 1.0).abs() < 1e-2);
    }
}
