//! Sparse regression: the LASSO by coordinate descent and automatic relevance determination by the evidence.

use crate::LatticeError;
use crate::regression::{Posterior, Regression};

/// Relative duality gap at which coordinate descent stops.
const GAP: f64 = 1e-12;
/// Most sweeps over all columns.
const MOST_SWEEPS: usize = 100_000;
/// Most updates of the widths of automatic relevance determination.
const MOST_UPDATES: usize = 2000;
/// Width, relative to the widest, below which a column is switched off.
const SWITCHED_OFF: f64 = 1e-7;

/// minimises 1/2 sum_i w_i (y_i - sum_k X_ik c_k)^2 + penalty sum_(k not free) |c_k| (R. Tibshirani, J. R. Stat. Soc. B 58, 267 (1996)), by cyclic
/// coordinate descent (J. Friedman, T. Hastie, R. Tibshirani, J. Stat. Softw. 33, 1 (2010)) from `start`, until the duality gap is below 1e-12 of the
/// objective at c = 0.
pub(crate) fn lasso(
    regression: &Regression,
    free: &[bool],
    penalty: f64,
    start: &[f64],
) -> Result<Vec<f64>, LatticeError> {
    let holds = penalty >= 0.0 && penalty.is_finite();
    LatticeError::require(holds, "penalty of the LASSO", penalty, "a number from 0 on is due")?;
    let (design, weights) = (regression.design(), regression.weights());
    let (rows, columns) = (regression.rows(), regression.columns());
    let column: Vec<Vec<f64>> =
        (0..columns).map(|k| (0..rows).map(|i| design.row(i)[k] * weights[i].sqrt()).collect()).collect();
    let norm: Vec<f64> = column.iter().map(|c| c.iter().map(|x| x * x).sum()).collect();
    let target: Vec<f64> = regression.targets().iter().zip(weights).map(|(y, w)| y * w.sqrt()).collect();
    let scale = 0.5 * target.iter().map(|y| y * y).sum::<f64>();
    let mut c = start.to_vec();
    let mut rest = target.clone();
    for k in 0..columns {
        rest.iter_mut().zip(&column[k]).for_each(|(r, x)| *r -= x * c[k]);
    }
    let along = |k: usize, rest: &[f64]| column[k].iter().zip(rest).map(|(x, r)| x * r).sum::<f64>();
    for _ in 0..MOST_SWEEPS {
        let mut moved = 0.0f64;
        for k in 0..columns {
            if norm[k] == 0.0 {
                continue;
            }
            let pull = along(k, &rest) + norm[k] * c[k];
            let threshold = if free[k] { 0.0 } else { penalty };
            let new = pull.signum() * (pull.abs() - threshold).max(0.0) / norm[k];
            let step = new - c[k];
            if step != 0.0 {
                rest.iter_mut().zip(&column[k]).for_each(|(r, x)| *r -= x * step);
                c[k] = new;
                moved = moved.max(step * step * norm[k]);
            }
        }
        if moved <= GAP * GAP * scale {
            return Ok(c);
        }
        // The dual point is the residual, shrunk until no penalised column pulls harder than the penalty; free columns are orthogonal to it
        // once they have converged.
        let pulls = |of_free: bool| {
            (0..columns).filter(|k| free[*k] == of_free).map(|k| along(k, &rest).abs()).fold(0.0, f64::max)
        };
        let shrink = if pulls(false) > penalty { penalty / pulls(false) } else { 1.0 };
        let square: f64 = rest.iter().map(|r| r * r).sum();
        let absolute: f64 = (0..columns).filter(|k| !free[*k]).map(|k| c[k].abs()).sum();
        let primal = 0.5 * square + penalty * absolute;
        let cross: f64 = rest.iter().zip(&target).map(|(r, y)| r * y).sum();
        let dual = shrink * cross - 0.5 * shrink * shrink * square;
        if primal - dual <= GAP * scale && pulls(true) <= GAP.sqrt() * (2.0 * scale).sqrt() {
            return Ok(c);
        }
    }
    Err(LatticeError::Setting {
        name: "sweeps of the LASSO",
        value: MOST_SWEEPS as f64,
        want: "it did not converge within them: the columns are nearly dependent; raise the penalty or lower the cutoffs",
    })
}

/// The smallest penalty at which no penalised column is used.
pub(crate) fn largest_penalty(regression: &Regression, free: &[bool]) -> Result<f64, LatticeError> {
    let start = vec![0.0; regression.columns()];
    // With only the free columns the residual is that of their least-squares fit.
    let used: Vec<f64> = lasso(&regression.masked(free), free, 0.0, &start)?;
    let fitted = regression.design().times(&used);
    let weighted: Vec<f64> = regression
        .targets()
        .iter()
        .zip(&fitted)
        .zip(regression.weights())
        .map(|((y, f), w)| (y - f) * w)
        .collect();
    let pulls = regression.design().transposed_times(&weighted);
    Ok(pulls.iter().zip(free).filter(|(_, free)| !**free).map(|(p, _)| p.abs()).fold(0.0, f64::max))
}

/// Widths and noise of largest evidence for a width of its own for every column that is not free, with the posterior (D. J. C. MacKay, Neural Computation 4,
/// 415 (1992); M. E. Tipping, J. Mach. Learn. Res. 1, 211 (2001)). Updates of MacKay are taken where they raise the evidence, else those of expectation
/// maximisation, which cannot lower it.
pub(crate) fn automatic_relevance(
    regression: &Regression,
    free: &[bool],
    widths: &[f64],
    noise: f64,
    least_noise: f64,
) -> Result<(Vec<f64>, Posterior), LatticeError> {
    let mut prior = widths.to_vec();
    let mut fit = regression.posterior(&prior, noise)?;
    for _ in 0..MOST_UPDATES {
        let before = fit.log_evidence;
        let deviations = fit.standard_deviations(&prior);
        let rows = regression.rows() as f64;
        let misfit: f64 = fit.residuals.iter().zip(regression.weights()).map(|(r, w)| w * r * r).sum();
        let update = |mackay: bool| -> (Vec<f64>, f64) {
            let mut next = prior.clone();
            let mut determined = 0.0;
            for k in 0..prior.len() {
                let share = 1.0 - (deviations[k] / prior[k]).powi(2);
                determined += share;
                if free[k] {
                    continue;
                }
                let square = fit.coefficients[k].powi(2);
                next[k] = if mackay {
                    (square / share.max(1e-12)).sqrt()
                } else {
                    (square + deviations[k].powi(2)).sqrt()
                };
                // A width of zero has no posterior: what is switched off stays so at a width that does nothing.
                next[k] = next[k].clamp(SWITCHED_OFF * widths[k], widths[k] * 1e6);
            }
            let variance = if mackay {
                misfit / (rows - determined).max(1e-3 * rows)
            } else {
                (misfit + fit.noise.powi(2) * determined) / rows
            };
            (next, variance.sqrt().max(least_noise))
        };
        let (fast, fast_noise) = update(true);
        let mut better = regression.posterior(&fast, fast_noise).ok().map(|p| (fast, p));
        if better.as_ref().is_none_or(|(_, p)| p.log_evidence.is_nan() || p.log_evidence <= before) {
            let (slow, slow_noise) = update(false);
            better = Some((slow.clone(), regression.posterior(&slow, slow_noise)?));
        }
        let Some((next, posterior)) = better else { break };
        let gain = posterior.log_evidence - before;
        if gain.is_nan() || gain < 0.0 {
            break;
        }
        (prior, fit) = (next, posterior);
        if gain < 1e-9 {
            break;
        }
    }
    Ok((prior, fit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use scalade_numerics::{Matrix, Philox};

    /// Five columns of twelve matter; the first is free.
    fn planted(noise: f64) -> (Regression, Vec<f64>, Vec<bool>) {
        let (rows, columns) = (60, 12);
        let mut rng = Philox::new(4, 0, 0);
        let data: Vec<f64> = (0..rows * columns).map(|_| rng.normal()).collect();
        let design = Matrix::from_rows(rows, columns, data).unwrap();
        let truth: Vec<f64> = (0..columns)
            .map(|k| if [0, 2, 5, 7, 11].contains(&k) { 1.0 + 0.2 * k as f64 } else { 0.0 })
            .collect();
        let targets = design.times(&truth).iter().map(|y| y + noise * rng.normal()).collect();
        let weights = (0..rows).map(|_| 0.5 + rng.uniform()).collect();
        let free = (0..columns).map(|k| k == 0).collect();
        (Regression::new(design, targets, weights).unwrap(), truth, free)
    }

    /// X^T W (y - X c).
    fn gradient(regression: &Regression, c: &[f64]) -> Vec<f64> {
        let fitted = regression.design().times(c);
        let weighted: Vec<f64> = (0..regression.rows())
            .map(|i| regression.weights()[i] * (regression.targets()[i] - fitted[i]))
            .collect();
        regression.design().transposed_times(&weighted)
    }

    #[test]
    fn the_lasso_meets_its_optimality_conditions_and_its_ends() {
        let (regression, _, free) = planted(0.3);
        let start = vec![0.0; 12];
        let largest = largest_penalty(&regression, &free).unwrap();
        for share in [0.9, 0.3, 0.02] {
            let penalty = share * largest;
            let c = lasso(&regression, &free, penalty, &start).unwrap();
            for (k, g) in gradient(&regression, &c).into_iter().enumerate() {
                let wanted = if free[k] { 0.0 } else { penalty * c[k].signum() };
                if free[k] || c[k] != 0.0 {
                    assert!((g - wanted).abs() < 1e-6 * largest, "{k}: {g} {wanted}");
                } else {
                    assert!(g.abs() <= penalty * (1.0 + 1e-6), "{k}: {g} {penalty}");
                }
            }
        }
        let none = lasso(&regression, &free, 1.0001 * largest, &start).unwrap();
        assert!(none[0] != 0.0 && none[1..].iter().all(|c| *c == 0.0));
        let some = lasso(&regression, &free, 0.999 * largest, &start).unwrap();
        assert_eq!(some[1..].iter().filter(|c| **c != 0.0).count(), 1);
        // Without a penalty it is least squares.
        let all = lasso(&regression, &free, 0.0, &start).unwrap();
        assert!(gradient(&regression, &all).iter().all(|g| g.abs() < 1e-6 * largest));
        assert!(lasso(&regression, &free, f64::NAN, &start).is_err());
    }

    #[test]
    fn orthonormal_columns_are_soft_thresholded() {
        let design = Matrix::from_rows(3, 3, vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]).unwrap();
        let regression = Regression::new(design, vec![2.0, -0.7, 0.2], vec![1.0; 3]).unwrap();
        let c = lasso(&regression, &[false; 3], 0.5, &[0.0; 3]).unwrap();
        for (got, want) in c.iter().zip([1.5, -0.2, 0.0]) {
            assert!((got - want).abs() < 1e-12);
        }
    }

    #[test]
    fn relevance_finds_the_planted_columns() {
        let (regression, truth, free) = planted(0.05);
        let start = regression.posterior(&[1.0; 12], 1.0).unwrap().log_evidence;
        let (widths, fit) = automatic_relevance(&regression, &free, &[1.0; 12], 1.0, 1e-6).unwrap();
        assert!(fit.log_evidence > start);
        for k in 1..12 {
            let on = widths[k] > 0.1;
            assert_eq!(on, truth[k] != 0.0, "{k}: {}", widths[k]);
            assert!((fit.coefficients[k] - truth[k]).abs() < 0.05, "{k}: {}", fit.coefficients[k]);
        }
        assert!((fit.noise / 0.05 - 1.0).abs() < 0.4, "{}", fit.noise);
        assert_eq!(widths[0], 1.0);
    }
}
