//! How the coefficients of an expansion are found, and how well they predict what they have not seen.

use crate::LatticeError;
use crate::fit_problem::{FitProblem, Hyperparameters};
use crate::regression::{Posterior, Regression};
use crate::sparse::{automatic_relevance, largest_penalty, lasso};
use rayon::prelude::*;
use scalade_numerics::Philox;
use serde::{Deserialize, Serialize};

/// Relative size below which a column counts as a combination of others.
pub(crate) const DEPENDENT: f64 = 1e-8;
/// Penalty of columns that carry none, relative to the largest diagonal element of the normal matrix.
const NEXT_TO_NONE: f64 = 1e-13;
/// Penalties that are tried, from the largest down over this many decades.
const DECADES: f64 = 7.0;
/// Penalties of a ridge that are tried.
const RIDGE_STEPS: usize = 57;
/// Penalties of a LASSO that are tried.
const LASSO_STEPS: usize = 36;
/// Folds by which the penalty of a LASSO is chosen.
const CHOOSING_FOLDS: usize = 10;
/// Bootstrap refits behind the standard deviations of a LASSO.
const BOOTSTRAPS: usize = 64;
/// Correlations closer than this make two structures equivalent.
const EQUIVALENT: f64 = 1e-8;
/// One less the leverage below which a structure alone fixes a coefficient.
const ALONE: f64 = 1e-9;

/// A way to find the coefficients. The constant and the point terms are never penalised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FitMethod {
    /// A Gaussian prior that narrows with the size and diameter of a cluster, its widths and the noise by the evidence.
    #[default]
    Bayesian,
    /// Least squares. Refused where the structures do not tell the clusters apart.
    LeastSquares,
    /// A penalty times the sum of squares, by default that of the smallest exact leave-one-out error (A. E. Hoerl, R. W. Kennard, Technometrics 12, 55 (1970)).
    Ridge {
        /// The penalty, in units of the largest diagonal element of the normal matrix.
        penalty: Option<f64>,
    },
    /// A penalty times the sum of magnitudes, which switches clusters off; by default the largest penalty within one standard error of the smallest error in
    /// grouped folds.
    Lasso {
        /// The penalty, as a share of that at which all clusters are off.
        penalty: Option<f64>,
    },
    /// A Gaussian prior with a width of its own for every cluster, all by the evidence, which switches clusters off.
    AutomaticRelevance,
}

/// Coefficients by one method.
pub(crate) enum Solved {
    /// With a Gaussian posterior.
    Gaussian {
        prior: Vec<f64>,
        posterior: Posterior,
        penalty: Option<f64>,
        hyperparameters: Option<Hyperparameters>,
    },
    /// Of the LASSO: coefficients, and the posterior of the clusters that are on, for its leverages.
    Sparse { coefficients: Vec<f64>, refit: Posterior, prior: Vec<f64>, penalty: f64, share: f64 },
}

impl Solved {
    pub(crate) fn coefficients(&self) -> &[f64] {
        match self {
            Self::Gaussian { posterior, .. } => &posterior.coefficients,
            Self::Sparse { coefficients, .. } => coefficients,
        }
    }

    /// The penalty, relative as in [`FitMethod`].
    pub(crate) fn penalty(&self) -> Option<f64> {
        match self {
            Self::Gaussian { penalty, .. } => *penalty,
            Self::Sparse { share, .. } => Some(*share),
        }
    }

    pub(crate) fn posterior(&self) -> &Posterior {
        match self {
            Self::Gaussian { posterior, .. } => posterior,
            Self::Sparse { refit, .. } => refit,
        }
    }

    pub(crate) fn prior(&self) -> &[f64] {
        match self {
            Self::Gaussian { prior, .. } | Self::Sparse { prior, .. } => prior,
        }
    }
}

/// Largest diagonal element of X^T W X.
fn largest_diagonal(regression: &Regression) -> f64 {
    let (design, weights) = (regression.design(), regression.weights());
    (0..regression.columns())
        .map(|k| (0..regression.rows()).map(|i| weights[i] * design.row(i)[k].powi(2)).sum::<f64>())
        .fold(0.0, f64::max)
}

/// The Gaussian posterior for penalties (one a column, absolute) with the noise that its own residuals show.
fn penalised(regression: &Regression, penalties: &[f64]) -> Result<(Vec<f64>, Posterior), LatticeError> {
    let widths = |noise: f64| penalties.iter().map(|p| noise / p.sqrt()).collect::<Vec<f64>>();
    let first = regression.posterior(&widths(1.0), 1.0)?;
    let misfit: f64 = first.residuals.iter().zip(regression.weights()).map(|(r, w)| w * r * r).sum();
    let left = (regression.rows() as f64 - first.effective_parameters()).max(1e-3);
    let noise = (misfit / left).sqrt().max(1e-9);
    let prior = widths(noise);
    let posterior = regression.posterior(&prior, noise)?;
    Ok((prior, posterior))
}

fn ridge(regression: &Regression, free: &[bool], share: f64) -> Result<(Vec<f64>, Posterior), LatticeError> {
    let scale = largest_diagonal(regression);
    let of = |free: &bool| scale * if *free { NEXT_TO_NONE } else { share.max(NEXT_TO_NONE) };
    penalised(regression, &free.iter().map(of).collect::<Vec<f64>>())
}

fn weighted_mean_square(residuals: &[f64], weights: &[f64]) -> f64 {
    let total: f64 = weights.iter().sum();
    residuals.iter().zip(weights).map(|(r, w)| w * r * r).sum::<f64>() / total
}

/// Solves a regression whose columns are those of a problem.
pub(crate) fn solve(
    problem: &FitProblem,
    regression: &Regression,
    groups: &[usize],
    method: FitMethod,
) -> Result<Solved, LatticeError> {
    let free = problem.free();
    match method {
        FitMethod::Bayesian => {
            let h = problem.hyperparameters(regression);
            let prior = problem.prior(&h);
            let posterior = regression.posterior(&prior, h.noise_ev)?;
            Ok(Solved::Gaussian { prior, posterior, penalty: None, hyperparameters: Some(h) })
        }
        FitMethod::LeastSquares => {
            let dependent = regression.dependent_columns(DEPENDENT);
            if !dependent.is_empty() || regression.rows() < regression.columns() {
                return Err(problem.rank_deficient(regression, &dependent));
            }
            let (prior, posterior) = ridge(regression, &free, 0.0)?;
            Ok(Solved::Gaussian { prior, posterior, penalty: None, hyperparameters: None })
        }
        FitMethod::Ridge { penalty: Some(share) } => {
            let holds = share >= 0.0 && share.is_finite();
            LatticeError::require(holds, "penalty of the ridge", share, "a number from 0 on is due")?;
            let (prior, posterior) = ridge(regression, &free, share)?;
            Ok(Solved::Gaussian { prior, posterior, penalty: Some(share), hyperparameters: None })
        }
        FitMethod::Ridge { penalty: None } => choose_ridge(regression, &free),
        FitMethod::Lasso { penalty } => solve_lasso(regression, &free, groups, penalty),
        FitMethod::AutomaticRelevance => {
            let (widths, noise) = problem.widest();
            let (prior, posterior) =
                automatic_relevance(regression, &free, &widths, noise, crate::fit_problem::LEAST_NOISE_EV)?;
            Ok(Solved::Gaussian { prior, posterior, penalty: None, hyperparameters: None })
        }
    }
}

/// The ridge of smallest exact leave-one-out error.
fn choose_ridge(regression: &Regression, free: &[bool]) -> Result<Solved, LatticeError> {
    let mut best: Option<(f64, f64, Vec<f64>, Posterior)> = None;
    for step in 0..RIDGE_STEPS {
        let share = 10f64.powf(1.0 - (DECADES + 5.0) * step as f64 / (RIDGE_STEPS - 1) as f64);
        let (prior, posterior) = ridge(regression, free, share)?;
        let error = weighted_mean_square(&posterior.leave_one_out(), regression.weights());
        if error.is_finite() && best.as_ref().is_none_or(|b| error < b.0) {
            best = Some((error, share, prior, posterior));
        }
    }
    let none = LatticeError::Length { what: "penalties with a finite error", expected: 1, got: 0 };
    let (_, share, prior, posterior) = best.ok_or(none)?;
    Ok(Solved::Gaussian { prior, posterior, penalty: Some(share), hyperparameters: None })
}

fn solve_lasso(
    regression: &Regression,
    free: &[bool],
    groups: &[usize],
    share: Option<f64>,
) -> Result<Solved, LatticeError> {
    let share = match share {
        Some(share) => {
            let holds = (0.0..=1.0).contains(&share);
            LatticeError::require(holds, "penalty of the LASSO", share, "a share from 0 to 1 is due")?;
            share
        }
        None => choose_lasso(regression, free, groups)?,
    };
    let penalty = share * largest_penalty(regression, free)?;
    let start = vec![0.0; regression.columns()];
    let coefficients = lasso(regression, free, penalty, &start)?;
    let on: Vec<bool> = coefficients.iter().zip(free).map(|(c, free)| *free || *c != 0.0).collect();
    let (prior, refit) = ridge(&regression.masked(&on), &vec![true; free.len()], 0.0)?;
    Ok(Solved::Sparse { coefficients, refit, prior, penalty, share })
}

/// Shares of the largest penalty that are tried, falling.
fn shares() -> impl Iterator<Item = f64> {
    (0..LASSO_STEPS).map(|s| 10f64.powf(-(DECADES - 3.0) * s as f64 / (LASSO_STEPS - 1) as f64))
}

/// The largest share whose error in grouped folds is within one standard error of the smallest.
fn choose_lasso(regression: &Regression, free: &[bool], groups: &[usize]) -> Result<f64, LatticeError> {
    let parts = folds(groups, CHOOSING_FOLDS);
    // Errors by fold and penalty.
    let errors: Vec<Vec<f64>> = parts
        .par_iter()
        .map(|left| {
            let (_, training) = without(regression, left)?;
            let largest = largest_penalty(&training, free)?;
            let mut c = vec![0.0; regression.columns()];
            shares()
                .map(|share| {
                    c = lasso(&training, free, share * largest, &c)?;
                    let rest = residuals_of(regression, &c, left);
                    let weights: Vec<f64> = left.iter().map(|i| regression.weights()[*i]).collect();
                    Ok(weighted_mean_square(&rest, &weights))
                })
                .collect::<Result<Vec<f64>, LatticeError>>()
        })
        .collect::<Result<_, LatticeError>>()?;
    let n = errors.len() as f64;
    let mean = |s: usize| errors.iter().map(|e| e[s]).sum::<f64>() / n;
    let means: Vec<f64> = (0..LASSO_STEPS).map(mean).collect();
    let best = (0..LASSO_STEPS).min_by(|a, b| means[*a].total_cmp(&means[*b])).unwrap_or(0);
    let spread: f64 =
        errors.iter().map(|e| (e[best] - means[best]).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    let limit = means[best] + (spread / n).sqrt();
    let chosen = (0..=best).find(|s| means[*s] <= limit).unwrap_or(best);
    Ok(shares().nth(chosen).unwrap_or(1.0))
}

/// Rows by fold: whole groups, dealt in order of their size, so that the folds are of about one size; at most one fold for each group.
pub(crate) fn folds(groups: &[usize], count: usize) -> Vec<Vec<usize>> {
    let most = groups.iter().max().map_or(0, |g| g + 1);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); most];
    for (row, group) in groups.iter().enumerate() {
        members[*group].push(row);
    }
    members.retain(|m| !m.is_empty());
    members.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
    let mut parts: Vec<Vec<usize>> = vec![Vec::new(); count.clamp(1, members.len().max(1))];
    for group in members {
        if let Some(smallest) = parts.iter_mut().min_by_key(|p| p.len()) {
            smallest.extend(group);
        }
    }
    parts
}

/// Numbers of groups of equivalent rows: equal within 1e-8 in every column.
pub(crate) fn groups(regression: &Regression) -> Vec<usize> {
    let rows: Vec<Vec<f64>> = (0..regression.rows()).map(|i| regression.design().row(i).to_vec()).collect();
    groups_of(&rows)
}

/// The same for any rows.
pub(crate) fn groups_of(rows: &[Vec<f64>]) -> Vec<usize> {
    let equal = |a: usize, b: usize| rows[a].iter().zip(&rows[b]).all(|(x, y)| (x - y).abs() < EQUIVALENT);
    let mut first: Vec<usize> = Vec::new();
    (0..rows.len())
        .map(|row| {
            first.iter().position(|f| equal(*f, row)).unwrap_or_else(|| {
                first.push(row);
                first.len() - 1
            })
        })
        .collect()
}

fn without(regression: &Regression, left: &[usize]) -> Result<(Vec<usize>, Regression), LatticeError> {
    let kept: Vec<usize> = (0..regression.rows()).filter(|i| !left.contains(i)).collect();
    let training = regression.of_rows(&kept)?;
    Ok((kept, training))
}

fn residuals_of(regression: &Regression, coefficients: &[f64], rows: &[usize]) -> Vec<f64> {
    rows.iter()
        .map(|i| {
            let fitted: f64 = regression.design().row(*i).iter().zip(coefficients).map(|(x, c)| x * c).sum();
            regression.targets()[*i] - fitted
        })
        .collect()
}

/// Residuals of every row in a fit without its fold, with all that the method chooses chosen anew in each.
pub(crate) fn refitted_residuals(
    problem: &FitProblem,
    groups: &[usize],
    parts: &[Vec<usize>],
    method: FitMethod,
) -> Result<Vec<f64>, LatticeError> {
    let regression = &problem.regression;
    let found: Vec<(Vec<usize>, Vec<f64>)> = parts
        .par_iter()
        .map(|left| {
            let (kept, training) = without(regression, left)?;
            let groups: Vec<usize> = kept.iter().map(|i| groups[*i]).collect();
            let solved = solve(problem, &training, &groups, method)?;
            Ok((left.clone(), residuals_of(regression, solved.coefficients(), left)))
        })
        .collect::<Result<_, LatticeError>>()?;
    let mut out = vec![0.0; regression.rows()];
    for (rows, residuals) in found {
        rows.into_iter().zip(residuals).for_each(|(i, r)| out[i] = r);
    }
    Ok(out)
}

/// Leave-one-out residuals: exact by the leverages where the method is linear in the energies for given hyperparameters, by refits with everything chosen
/// anew where it switches clusters off. Refused where a structure alone fixes a coefficient of least squares.
pub(crate) fn leave_one_out(
    problem: &FitProblem,
    solved: &Solved,
    groups: &[usize],
    method: FitMethod,
) -> Result<Vec<f64>, LatticeError> {
    let posterior = solved.posterior();
    match method {
        FitMethod::Lasso { .. } | FitMethod::AutomaticRelevance => {
            let each: Vec<Vec<usize>> = (0..problem.regression.rows()).map(|i| vec![i]).collect();
            refitted_residuals(problem, groups, &each, method)
        }
        FitMethod::LeastSquares => {
            if let Some(row) = posterior.leverages.iter().position(|h| 1.0 - h < ALONE) {
                return Err(LatticeError::AloneDetermines {
                    structure: problem.ids[row].clone(),
                    leverage: posterior.leverages[row],
                });
            }
            Ok(posterior.leave_one_out())
        }
        _ => Ok(posterior.leave_one_out()),
    }
}

/// Samples of the coefficients and their standard deviations: of the Gaussian posterior, or of refits of the LASSO to resampled groups.
pub(crate) fn samples(
    problem: &FitProblem,
    solved: &Solved,
    groups: &[usize],
    count: usize,
    rng: &mut Philox,
) -> Result<(Vec<Vec<f64>>, Vec<f64>), LatticeError> {
    match solved {
        Solved::Gaussian { prior, posterior, .. } => {
            let list = (0..count).map(|_| posterior.sample(prior, rng)).collect();
            Ok((list, posterior.standard_deviations(prior)))
        }
        Solved::Sparse { coefficients, penalty, .. } => {
            let free = problem.free();
            let regression = &problem.regression;
            let most = groups.iter().max().map_or(1, |g| g + 1);
            let draws: Vec<Vec<usize>> = (0..count.max(BOOTSTRAPS))
                .map(|_| {
                    let picked: Vec<usize> =
                        (0..most).map(|_| ((rng.uniform() * most as f64) as usize).min(most - 1)).collect();
                    let rows = |g: &usize| (0..groups.len()).filter(|i| groups[*i] == *g).collect::<Vec<_>>();
                    picked.iter().flat_map(rows).collect()
                })
                .collect();
            let list: Vec<Vec<f64>> = draws
                .par_iter()
                .map(|rows| lasso(&regression.of_rows(rows)?, &free, *penalty, coefficients))
                .collect::<Result<_, _>>()?;
            let deviation = |k: usize| {
                let values: Vec<f64> = list.iter().map(|c| c[k]).collect();
                scalade_numerics::variance(&values).sqrt()
            };
            let deviations = (0..coefficients.len()).map(deviation).collect();
            Ok((list.into_iter().take(count).collect(), deviations))
        }
    }
}
