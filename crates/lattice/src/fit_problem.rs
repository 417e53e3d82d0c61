//! The regression behind every fit of an expansion: a column for each cluster function, solved by any method, with all that is told about it.

use crate::LatticeError;
use crate::fit_method::{
    DEPENDENT, FitMethod, Solved, folds, groups, leave_one_out, refitted_residuals, samples, solve,
};
use crate::regression::{Posterior, Regression, maximise};
use scalade_numerics::{Matrix, Philox, least_distance, nonnegative_least_squares};
use serde::{Deserialize, Serialize};

/// Prior width of the columns that no method penalises, about the baseline, eV.
const LINE_WIDTH_EV: f64 = 10.0;
/// Smallest noise that the evidence may choose, eV per formula unit.
pub(crate) const LEAST_NOISE_EV: f64 = 1e-6;
/// Relative size of the eigenvalue below which a baseline does not use a direction.
const FLAT: f64 = 1e-10;

/// Hyperparameters: prior width of an orbit of n sites and diameter d is
/// width * exp(-order_decay (n - 2)) * (d / d_0)^(-diameter_decay), with d_0 the shortest pair.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hyperparameters {
    /// Noise, eV per formula unit.
    pub noise_ev: f64,
    /// Prior width of the shortest pair, eV.
    pub width_ev: f64,
    /// Fall with the number of sites.
    pub order_decay: f64,
    /// Fall with the diameter.
    pub diameter_decay: f64,
}

/// What a column of the design stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Column {
    /// The energy of all structures alike.
    Constant,
    /// The electrostatic energy of the charges of the species.
    Coulomb,
    /// The products of a set of equivalent clusters.
    Cluster {
        /// Sites of a cluster.
        order: usize,
        /// Largest distance between two of them, angstrom.
        diameter_angstrom: f64,
    },
    /// The products of a set of equivalent clusters about an event.
    Local {
        /// Sites of a cluster, those of the event left out.
        order: usize,
        /// Distance of the furthest of them from the event, angstrom.
        reach_angstrom: f64,
    },
}

impl Column {
    /// Whether no method penalises its coefficient: the constant, the point terms, the electrostatic energy.
    pub fn is_free(&self) -> bool {
        !matches!(self, Self::Cluster { order: 2.., .. } | Self::Local { .. })
    }

    /// What a message calls it.
    pub fn name(&self) -> String {
        match self {
            Self::Constant => "the constant".into(),
            Self::Coulomb => "the electrostatic energy".into(),
            Self::Cluster { order, diameter_angstrom } => {
                format!("{order} sites, {diameter_angstrom:.3} angstrom")
            }
            Self::Local { order, reach_angstrom } => {
                let sites = if *order == 1 { "site" } else { "sites" };
                format!("{order} {sites} up to {reach_angstrom:.3} angstrom from the event")
            }
        }
    }
}

/// Prepared numbers of a fit: energies per formula unit, one row of the design for each.
#[derive(Clone, Debug)]
pub struct FitProblem {
    pub(crate) regression: Regression,
    pub(crate) ids: Vec<String>,
    columns: Vec<Column>,
    /// Coefficients that were taken out before the fit.
    baseline: Vec<f64>,
}

/// How a problem is solved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SolveSettings {
    /// The method.
    pub method: FitMethod,
    /// Grouped folds whose error is told beside the leave-one-out error.
    pub folds: Option<usize>,
    /// Posterior samples to draw.
    pub samples: usize,
    /// Seed of the samples.
    pub seed: u64,
}

/// What a fit has to respect: the sum over structures of factor times fitted energy is at least so much, eV per formula unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Inequality {
    /// Structures with their factors.
    pub structures: Vec<(usize, f64)>,
    /// The least value.
    pub at_least_ev: f64,
}

/// A solved problem with all that is needed to judge it. Coefficients and widths in eV, errors in eV per formula unit.
#[derive(Clone, Debug)]
pub struct Solution {
    /// Best coefficients, one a column.
    pub coefficients: Vec<f64>,
    /// Samples of the posterior.
    pub samples: Vec<Vec<f64>>,
    /// Standard deviations of the posterior.
    pub standard_deviations: Vec<f64>,
    /// Widths of the prior.
    pub prior_widths: Vec<f64>,
    /// Data minus fit.
    pub residuals: Vec<f64>,
    /// Data minus the prediction of a fit without the structure.
    pub leave_one_out: Vec<f64>,
    /// Leverages.
    pub leverages: Vec<f64>,
    /// Hyperparameters of largest evidence. Of other methods than the Bayesian: the noise, and the root mean square of the widths.
    pub hyperparameters: Hyperparameters,
    /// Logarithm of the evidence of the Gaussian posterior.
    pub log_evidence: f64,
    /// The penalty of a ridge or a LASSO, relative as in [`FitMethod`].
    pub penalty: Option<f64>,
    /// Folds of whole groups of equivalent structures and the root mean square of the residuals of fits without them.
    pub folds: Option<(usize, f64)>,
    /// Columns that the structures do not tell apart from the others.
    pub dependent_columns: Vec<usize>,
    /// Sum of the leverages.
    pub effective_parameters: f64,
}

pub(crate) fn root_mean_square(values: &[f64]) -> f64 {
    (values.iter().map(|v| v * v).sum::<f64>() / values.len().max(1) as f64).sqrt()
}

impl Solution {
    /// Root mean square of the training residuals. Not a measure of accuracy.
    pub fn training_rmse(&self) -> f64 {
        root_mean_square(&self.residuals)
    }

    /// Root mean square of the leave-one-out residuals.
    pub fn leave_one_out_rmse(&self) -> f64 {
        root_mean_square(&self.leave_one_out)
    }
}

/// Weighted least squares in the free columns alone, the smallest coefficients where several fit alike.
///
/// Where the compositions of the data depend on one another (charge neutrality ties them) the point terms do too: directions that the data do not show stay 0.
fn least_squares_baseline(
    design: &Matrix,
    energies: &[f64],
    weights: &[f64],
    columns: &[Column],
) -> Vec<f64> {
    let free: Vec<usize> = (0..columns.len()).filter(|k| columns[*k].is_free()).collect();
    let n = free.len();
    let mut gram = nalgebra::DMatrix::<f64>::zeros(n, n);
    let mut right = nalgebra::DVector::<f64>::zeros(n);
    for (i, (energy, weight)) in energies.iter().zip(weights).enumerate() {
        let row = design.row(i);
        for a in 0..n {
            right[a] += weight * row[free[a]] * energy;
            for b in 0..n {
                gram[(a, b)] += weight * row[free[a]] * row[free[b]];
            }
        }
    }
    let spectrum = gram.symmetric_eigen();
    let largest = spectrum.eigenvalues.max();
    let mut out = vec![0.0; columns.len()];
    for (k, eigenvalue) in spectrum.eigenvalues.iter().enumerate() {
        if *eigenvalue > FLAT * largest {
            let direction = spectrum.eigenvectors.column(k);
            let along = direction.dot(&right) / eigenvalue;
            for a in 0..n {
                out[free[a]] += along * direction[a];
            }
        }
    }
    out
}

impl FitProblem {
    /// A problem from its design, the energies (eV per formula unit) and weights of its rows, with the straight line, plane ... of least squares in the
    /// compositions taken out first.
    pub fn new(
        design: Matrix,
        energies: &[f64],
        weights: Vec<f64>,
        columns: Vec<Column>,
        ids: Vec<String>,
    ) -> Result<Self, LatticeError> {
        check_lengths(&design, energies, &columns, &ids)?;
        // Before a decomposition: it would never end on numbers that are not finite.
        let checked = Regression::new(design, energies.to_vec(), weights)?;
        let baseline = least_squares_baseline(checked.design(), energies, checked.weights(), &columns);
        let (design, weights) = (checked.design().clone(), checked.weights().to_vec());
        Self::with_baseline(design, energies, weights, columns, ids, baseline)
    }

    /// The same with the coefficients that are taken out first.
    pub(crate) fn with_baseline(
        design: Matrix,
        energies: &[f64],
        weights: Vec<f64>,
        columns: Vec<Column>,
        ids: Vec<String>,
        baseline: Vec<f64>,
    ) -> Result<Self, LatticeError> {
        check_lengths(&design, energies, &columns, &ids)?;
        let taken = design.times(&baseline);
        let targets = energies.iter().zip(&taken).map(|(e, t)| e - t).collect();
        Ok(Self { regression: Regression::new(design, targets, weights)?, ids, columns, baseline })
    }

    /// What the columns stand for.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Columns that no method penalises.
    pub(crate) fn free(&self) -> Vec<bool> {
        self.columns.iter().map(Column::is_free).collect()
    }

    /// Wide widths and a noise to start from, eV.
    pub(crate) fn widest(&self) -> (Vec<f64>, f64) {
        let h = Hyperparameters { noise_ev: 1e-2, width_ev: 0.1, order_decay: 0.0, diameter_decay: 0.0 };
        (self.prior(&h), h.noise_ev)
    }

    /// What is wrong with columns that depend on others.
    pub(crate) fn rank_deficient(&self, regression: &Regression, dependent: &[usize]) -> LatticeError {
        let columns = regression.columns();
        let mut names: Vec<(String, usize)> = Vec::new();
        for name in dependent.iter().map(|k| self.columns[*k].name()) {
            match names.last_mut() {
                Some((last, count)) if *last == name => *count += 1,
                _ => names.push((name, 1)),
            }
        }
        let told = |(name, count): (String, usize)| {
            if count > 1 { format!("{name} ({count} functions)") } else { name }
        };
        let names: Vec<String> = names.into_iter().map(told).collect();
        LatticeError::RankDeficient {
            rank: columns - dependent.len(),
            columns,
            rows: regression.rows(),
            orbits: if names.is_empty() { "none".into() } else { names.join("; ") },
        }
    }

    pub(crate) fn prior(&self, h: &Hyperparameters) -> Vec<f64> {
        // Bodies and length of what is penalised; an event is one body of its clusters.
        let size = |c: &Column| match c {
            Column::Cluster { order: order @ 2.., diameter_angstrom } => Some((*order, *diameter_angstrom)),
            Column::Local { order, reach_angstrom } => Some((order + 1, *reach_angstrom)),
            Column::Cluster { .. } | Column::Constant | Column::Coulomb => None,
        };
        let shortest = self.columns.iter().filter_map(size).map(|s| s.1).fold(f64::INFINITY, f64::min);
        let width = |c: &Column| match size(c) {
            Some((order, length)) => {
                let falls =
                    h.order_decay * (order as f64 - 2.0) + h.diameter_decay * (length / shortest).ln();
                h.width_ev * (-falls).exp()
            }
            None => LINE_WIDTH_EV,
        };
        self.columns.iter().map(width).collect()
    }

    /// Hyperparameters of largest evidence within 0 <= order_decay <= 5, 0 <= diameter_decay <= 8.
    pub(crate) fn hyperparameters(&self, regression: &Regression) -> Hyperparameters {
        let read = |p: &[f64]| Hyperparameters {
            noise_ev: p[0].exp(),
            width_ev: p[1].exp(),
            order_decay: p[2],
            diameter_decay: p[3],
        };
        let evidence = |p: &[f64]| {
            let h = read(p);
            let inside = (LEAST_NOISE_EV..10.0).contains(&h.noise_ev)
                && (1e-7..10.0).contains(&h.width_ev)
                && (0.0..=5.0).contains(&h.order_decay)
                && (0.0..=8.0).contains(&h.diameter_decay);
            if !inside {
                return f64::NEG_INFINITY;
            }
            regression.posterior(&self.prior(&h), h.noise_ev).map_or(f64::NEG_INFINITY, |p| p.log_evidence)
        };
        let starts = [[3e-3f64, 2e-2, 0.5, 1.0], [1e-3, 1e-2, 1.0, 3.0]];
        let mut best = (Vec::new(), f64::NEG_INFINITY);
        for s in starts {
            let mut point = vec![s[0].ln(), s[1].ln(), s[2], s[3]];
            // A second simplex from the first one's end guards against a collapsed one.
            for edge in [1.0, 0.3] {
                point = maximise(&evidence, &point, &[edge, edge, 0.5 * edge, 0.5 * edge], 150).0;
            }
            let value = evidence(&point);
            if value > best.1 {
                best = (point, value);
            }
        }
        if best.0.is_empty() { read(&[3e-3f64.ln(), 2e-2f64.ln(), 0.5, 1.0]) } else { read(&best.0) }
    }

    /// Data minus fit, eV per formula unit, for coefficients about the baseline.
    fn residuals(&self, coefficients: &[f64]) -> Vec<f64> {
        let fitted = self.regression.design().times(coefficients);
        self.regression.targets().iter().zip(&fitted).map(|(y, f)| y - f).collect()
    }

    /// The hyperparameters of the Bayesian method, or the noise and the common size of the widths of another.
    fn told_hyperparameters(&self, solved: &Solved) -> Hyperparameters {
        if let Solved::Gaussian { hyperparameters: Some(known), .. } = solved {
            return *known;
        }
        let widths: Vec<f64> =
            solved.prior().iter().zip(self.free()).filter(|(_, free)| !free).map(|(w, _)| *w).collect();
        Hyperparameters {
            noise_ev: solved.posterior().noise,
            width_ev: root_mean_square(&widths),
            order_decay: 0.0,
            diameter_decay: 0.0,
        }
    }

    fn restore(&self, coefficients: &[f64]) -> Vec<f64> {
        coefficients.iter().zip(&self.baseline).map(|(c, b)| c + b).collect()
    }

    /// Solves the problem.
    pub fn solve(&self, settings: &SolveSettings) -> Result<Solution, LatticeError> {
        self.solve_within(settings, &[])
    }

    /// The same within inequalities: of the coefficients that respect them, the most probable ones of the Gaussian posterior; its samples are moved to the
    /// nearest ones that do, in the measure of the posterior. Leave-one-out errors and standard deviations are those without inequalities.
    ///
    /// Errors: inequalities that contradict one another for these clusters, and a LASSO, which has no Gaussian posterior.
    pub fn solve_within(
        &self,
        settings: &SolveSettings,
        inequalities: &[Inequality],
    ) -> Result<Solution, LatticeError> {
        let equivalent = groups(&self.regression);
        let solved = solve(self, &self.regression, &equivalent, settings.method)?;
        // Before the errors: what it refuses would take refits to tell.
        let within = Within::new(self, &solved, inequalities)?;
        let mut rng = Philox::new(settings.seed, 0x46_4954, 0);
        let (drawn, standard_deviations) = samples(self, &solved, &equivalent, settings.samples, &mut rng)?;
        let leave_one_out = leave_one_out(self, &solved, &equivalent, settings.method)?;
        let posterior: &Posterior = solved.posterior();
        let best = within.nearest(self.restore(solved.coefficients()))?;
        let about: Vec<f64> = best.iter().zip(&self.baseline).map(|(c, b)| c - b).collect();
        Ok(Solution {
            samples: drawn.iter().map(|c| within.nearest(self.restore(c))).collect::<Result<_, _>>()?,
            coefficients: best,
            standard_deviations,
            prior_widths: solved.prior().to_vec(),
            residuals: self.residuals(&about),
            leave_one_out,
            leverages: posterior.leverages.clone(),
            hyperparameters: self.told_hyperparameters(&solved),
            log_evidence: posterior.log_evidence,
            penalty: solved.penalty(),
            folds: self.folds_error(&equivalent, settings)?,
            dependent_columns: self.regression.dependent_columns(DEPENDENT),
            effective_parameters: posterior.effective_parameters(),
        })
    }

    /// The number of grouped folds and the root mean square of their residuals, if folds are asked for.
    fn folds_error(
        &self,
        equivalent: &[usize],
        settings: &SolveSettings,
    ) -> Result<Option<(usize, f64)>, LatticeError> {
        let Some(count) = settings.folds else { return Ok(None) };
        LatticeError::require(count >= 2, "folds", count as f64, "at least two are due")?;
        let parts = folds(equivalent, count);
        let residuals = refitted_residuals(self, equivalent, &parts, settings.method)?;
        Ok(Some((parts.len(), root_mean_square(&residuals))))
    }
}

/// Rows of inequalities that are nothing but rounding, relative to their factors.
const NO_ROW: f64 = 1e-10;

/// Inequalities in the coordinates in which the posterior is a standard normal distribution.
struct Within<'a> {
    solved: &'a Solved,
    /// Rows in the coefficients.
    rows: Vec<Vec<f64>>,
    /// The same in the coordinates.
    coordinates: Option<Matrix>,
    at_least: Vec<f64>,
    /// The structure that each is about.
    names: Vec<String>,
}

impl<'a> Within<'a> {
    fn new(
        problem: &FitProblem,
        solved: &'a Solved,
        inequalities: &[Inequality],
    ) -> Result<Self, LatticeError> {
        let (mut rows, mut at_least, mut names) = (Vec::new(), Vec::new(), Vec::new());
        let design = problem.regression.design();
        for inequality in inequalities {
            let mut row = vec![0.0; design.columns()];
            let mut size: f64 = 0.0;
            for (structure, factor) in &inequality.structures {
                if *structure >= design.rows() {
                    let (expected, got) = (design.rows(), structure + 1);
                    return Err(LatticeError::Length { what: "structures of an inequality", expected, got });
                }
                for (sum, value) in row.iter_mut().zip(design.row(*structure)) {
                    *sum += factor * value;
                    size = size.max((factor * value).abs());
                }
            }
            // Structures that the clusters do not tell apart: nothing can be asked of them.
            if row.iter().any(|v| v.abs() > NO_ROW * size) {
                rows.push(row);
                at_least.push(inequality.at_least_ev);
                let about = inequality.structures.first().map(|(k, _)| problem.ids[*k].clone());
                names.push(about.unwrap_or_default());
            }
        }
        if rows.is_empty() {
            return Ok(Self { solved, rows, coordinates: None, at_least, names });
        }
        if matches!(solved, Solved::Sparse { .. }) {
            return Err(LatticeError::NoPosterior);
        }
        let data =
            rows.iter().flat_map(|row| solved.posterior().to_coordinates(solved.prior(), row)).collect();
        let coordinates = Matrix::from_rows(rows.len(), design.columns(), data)
            .map_err(LatticeError::dense("inequalities of the fit"))?;
        Ok(Self { solved, rows, coordinates: Some(coordinates), at_least, names })
    }

    /// The coefficients nearest to given ones that respect all inequalities.
    fn nearest(&self, coefficients: Vec<f64>) -> Result<Vec<f64>, LatticeError> {
        let Some(coordinates) = &self.coordinates else { return Ok(coefficients) };
        let value = |row: &Vec<f64>| row.iter().zip(&coefficients).map(|(a, c)| a * c).sum::<f64>();
        let missing: Vec<f64> = self.rows.iter().zip(&self.at_least).map(|(r, h)| h - value(r)).collect();
        let step = least_distance(coordinates, &missing)
            .map_err(LatticeError::dense("inequalities of the fit"))?
            .map_or_else(|| Err(self.contradiction(coordinates, &missing)), Ok)?;
        let step = self.solved.posterior().of_coordinates(self.solved.prior(), &step);
        Ok(coefficients.iter().zip(&step).map(|(c, s)| c + s).collect())
    }
}

impl Within<'_> {
    /// Names the inequalities of a contradiction: factors u >= 0 with sum_i u_i g_i = 0 and sum_i u_i h_i > 0 (the lemma of Farkas).
    fn contradiction(&self, coordinates: &Matrix, missing: &[f64]) -> LatticeError {
        let (rows, columns) = (coordinates.rows(), coordinates.columns());
        let mut system = Matrix::zeros(columns + 1, rows);
        for (i, h) in missing.iter().enumerate() {
            for (k, g) in coordinates.row(i).iter().enumerate() {
                system.row_mut(k)[i] = *g;
            }
            system.row_mut(columns)[i] = *h;
        }
        let mut right = vec![0.0; columns + 1];
        right[columns] = 1.0;
        let factors = nonnegative_least_squares(&system, &right).unwrap_or_default();
        let mut named: Vec<&str> =
            factors.iter().zip(&self.names).filter(|(u, _)| **u > 0.0).map(|(_, n)| n.as_str()).collect();
        named.dedup();
        let count = named.len();
        let shown = named.into_iter().take(8).collect::<Vec<_>>().join(", ");
        LatticeError::Contradictory { inequalities: rows, count, structures: shown }
    }
}

fn check_lengths(
    design: &Matrix,
    energies: &[f64],
    columns: &[Column],
    ids: &[String],
) -> Result<(), LatticeError> {
    for (what, expected, got) in [
        ("columns of the fit", design.columns(), columns.len()),
        ("energies of the fit", design.rows(), energies.len()),
        ("names of the structures", design.rows(), ids.len()),
    ] {
        if expected != got {
            return Err(LatticeError::Length { what, expected, got });
        }
    }
    Ok(())
}
