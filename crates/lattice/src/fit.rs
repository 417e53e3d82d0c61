//! Fits a cluster expansion to mapped structures: prior from cluster size, hyperparameters by evidence, errors by leave-one-out.

use crate::fit_method::{
    DEPENDENT, FitMethod, Solved, folds, groups, leave_one_out, refitted_residuals, samples, solve,
};
use crate::hull::{hull_energy, lower_hull};
use crate::regression::{Regression, maximise};
use crate::{Cutoffs, LatticeError, MappedStructure, Parent, correlations};
use rayon::prelude::*;
use scalade_handoff::{ClusterOrbit, LatticeHamiltonian};
use scalade_numerics::{Matrix, Philox};
use serde::{Deserialize, Serialize};

/// Prior width of the constant and of the point terms about the straight line through the energies, eV.
const LINE_WIDTH_EV: f64 = 10.0;
/// Smallest noise that the evidence may choose, eV per formula unit.
pub(crate) const LEAST_NOISE_EV: f64 = 1e-6;

/// Settings of a fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitSettings {
    /// Largest diameters of pairs, triplets ..., angstrom.
    pub cutoffs: Cutoffs,
    /// Posterior samples to draw.
    pub samples: usize,
    /// Seed of the samples.
    pub seed: u64,
    /// Energy above the hull (eV per formula unit) over which the weight of a structure falls by e, down to 0.05; `None` weighs
    /// all alike.
    pub hull_weight_ev: Option<f64>,
    /// Factor on the weight of the lowest empty and the lowest full structure: their energies fix the mean voltage, which an
    /// expansion should not miss by its own error.
    pub end_member_weight: f64,
    /// How the coefficients are found.
    #[serde(default)]
    pub method: FitMethod,
    /// Grouped folds whose error is told beside the leave-one-out error.
    #[serde(default)]
    pub folds: Option<usize>,
}

impl FitSettings {
    /// Weight 10 on the end members, equal ones elsewhere, eight samples, the Bayesian method.
    pub fn new(cutoffs: Cutoffs) -> Self {
        Self {
            cutoffs,
            samples: 8,
            seed: 1,
            hull_weight_ev: None,
            end_member_weight: 10.0,
            method: FitMethod::Bayesian,
            folds: None,
        }
    }
}

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

/// One structure in the fit. Energies in eV per formula unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParityPoint {
    /// Name in the data set.
    pub id: String,
    /// Occupied over all working-ion sites.
    pub site_fraction: f64,
    /// Energy in the data.
    pub data_ev: f64,
    /// Energy of the expansion.
    pub fitted_ev: f64,
    /// Data minus the prediction of a fit without this structure.
    pub leave_one_out_residual_ev: f64,
    /// Leverage.
    pub leverage: f64,
    /// Weight.
    pub weight: f64,
}

/// One orbit's coefficient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// Sites of a cluster.
    pub order: usize,
    /// Diameter, angstrom.
    pub diameter_angstrom: f64,
    /// Clusters per primitive cell.
    pub multiplicity: usize,
    /// Effective cluster interaction per cluster, eV.
    pub value_ev: f64,
    /// Posterior standard deviation, eV.
    pub standard_deviation_ev: f64,
    /// Prior width, eV.
    pub prior_width_ev: f64,
}

/// A structure about which the hulls of data and expansion differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HullDisagreement {
    /// Name in the data set.
    pub id: String,
    /// Occupied over all working-ion sites.
    pub site_fraction: f64,
    /// Above the hull of the data, eV per formula unit (0: a vertex).
    pub above_data_hull_ev: f64,
    /// Above the hull of the expansion, eV per formula unit (0: a vertex).
    pub above_fitted_hull_ev: f64,
}

/// A fitted expansion with all that is needed to judge it.
#[derive(Clone, Debug)]
pub struct Fit {
    /// The hand-off: best coefficients and posterior samples.
    pub hamiltonian: LatticeHamiltonian,
    /// Every structure.
    pub parity: Vec<ParityPoint>,
    /// Every orbit.
    pub interactions: Vec<Interaction>,
    /// Root mean square of the training residuals, eV per formula unit. Not a measure of accuracy.
    pub training_rmse_ev: f64,
    /// Root mean square of the leave-one-out residuals, eV per formula unit.
    pub leave_one_out_rmse_ev: f64,
    /// Hyperparameters of largest evidence. Of other methods than the Bayesian: the noise, and the root mean square of the widths.
    pub hyperparameters: Hyperparameters,
    /// Logarithm of the evidence of the Gaussian posterior.
    pub log_evidence: f64,
    /// The method.
    pub method: FitMethod,
    /// The penalty of a ridge or a LASSO, relative as in [`FitMethod`].
    pub penalty: Option<f64>,
    /// Folds of whole groups of equivalent structures and the root mean square of the residuals of fits without them, eV per formula unit.
    pub folds: Option<(usize, f64)>,
    /// Orbits that the structures do not tell apart from the others, counted from 0.
    pub dependent_orbits: Vec<usize>,
    /// Independent columns among `columns` (orbits and the constant).
    pub rank: usize,
    /// Columns of the design.
    pub columns: usize,
    /// Sum of the leverages.
    pub effective_parameters: f64,
    /// Where the hulls of data and expansion differ.
    pub hull_disagreements: Vec<HullDisagreement>,
}

/// One candidate in a choice of cutoffs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CutoffScore {
    /// The candidate.
    pub cutoffs: Cutoffs,
    /// Orbits.
    pub orbits: usize,
    /// Leave-one-out error, eV per formula unit.
    pub leave_one_out_rmse_ev: f64,
    /// Training error, eV per formula unit.
    pub training_rmse_ev: f64,
    /// Logarithm of the evidence.
    pub log_evidence: f64,
}

/// Prepared numbers of a fit.
pub(crate) struct Problem {
    pub(crate) regression: Regression,
    pub(crate) ids: Vec<String>,
    orbits: Vec<ClusterOrbit>,
    /// Straight line taken out: energy per formula unit at site fraction 0, and its slope.
    line: [f64; 2],
    energies: Vec<f64>,
    fractions: Vec<f64>,
    weights: Vec<f64>,
}

impl Problem {
    fn new(
        parent: &Parent,
        mapped: &[MappedStructure],
        settings: &FitSettings,
    ) -> Result<Self, LatticeError> {
        if mapped.len() < 3 {
            return Err(LatticeError::Length { what: "mapped structures", expected: 3, got: mapped.len() });
        }
        let orbits = parent.sites.orbits(&settings.cutoffs)?;
        let per_cell = parent.formula_units_per_cell;
        let energies: Vec<f64> =
            mapped.iter().map(|m| m.energy_ev / (m.supercell.cells() as f64 * per_cell)).collect();
        let fractions: Vec<f64> = mapped.iter().map(MappedStructure::site_fraction).collect();
        let weights = weights(&fractions, &energies, settings)?;
        let line = line(&fractions, &energies, &weights);
        let rows: Vec<Vec<f64>> = mapped
            .par_iter()
            .map(|m| correlations(&orbits, &m.supercell, &m.occupied))
            .collect::<Result<_, _>>()?;
        let mut design = Matrix::zeros(mapped.len(), orbits.len() + 1);
        for (i, row) in rows.iter().enumerate() {
            let out = design.row_mut(i);
            out[0] = 1.0 / per_cell;
            for (k, (value, orbit)) in row.iter().zip(&orbits).enumerate() {
                out[k + 1] = value * orbit.clusters.len() as f64 / per_cell;
            }
        }
        let targets = energies.iter().zip(&fractions).map(|(e, x)| e - line[0] - line[1] * x).collect();
        let regression = Regression::new(design, targets, weights.clone())?;
        let ids = mapped.iter().map(|m| m.id.clone()).collect();
        Ok(Self { regression, ids, orbits, line, energies, fractions, weights })
    }

    /// Columns that no method penalises: the constant and the point terms.
    pub(crate) fn free(&self) -> Vec<bool> {
        std::iter::once(true).chain(self.orbits.iter().map(|o| o.order < 2)).collect()
    }

    /// Wide widths and a noise to start from, eV.
    pub(crate) fn widest(&self) -> (Vec<f64>, f64) {
        let h = Hyperparameters { noise_ev: 1e-2, width_ev: 0.1, order_decay: 0.0, diameter_decay: 0.0 };
        (self.prior(&h), h.noise_ev)
    }

    /// What is wrong with columns that depend on others.
    pub(crate) fn rank_deficient(&self, regression: &Regression, dependent: &[usize]) -> LatticeError {
        let columns = regression.columns();
        let names: Vec<String> = dependent
            .iter()
            .map(|k| match k.checked_sub(1).and_then(|o| self.orbits.get(o)) {
                Some(o) => format!("{} sites, {:.3} angstrom", o.order, o.diameter_angstrom),
                None => "the constant".into(),
            })
            .collect();
        LatticeError::RankDeficient {
            rank: columns - dependent.len(),
            columns,
            rows: regression.rows(),
            orbits: if names.is_empty() { "none".into() } else { names.join("; ") },
        }
    }

    pub(crate) fn prior(&self, h: &Hyperparameters) -> Vec<f64> {
        let pairs = self.orbits.iter().filter(|o| o.order > 1).map(|o| o.diameter_angstrom);
        let shortest = pairs.fold(f64::INFINITY, f64::min);
        let width = |o: &ClusterOrbit| {
            if o.order < 2 {
                return LINE_WIDTH_EV;
            }
            let falls = h.order_decay * (o.order as f64 - 2.0)
                + h.diameter_decay * (o.diameter_angstrom / shortest).ln();
            h.width_ev * (-falls).exp()
        };
        std::iter::once(LINE_WIDTH_EV).chain(self.orbits.iter().map(width)).collect()
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

    /// Coefficients per cell with the straight line put back: x = (1 + mean spin)/2.
    fn restore(&self, coefficients: &[f64], per_cell: f64) -> Vec<f64> {
        let mut out = coefficients.to_vec();
        let points: usize = self.orbits.iter().filter(|o| o.order == 1).map(|o| o.clusters.len()).sum();
        out[0] += per_cell * (self.line[0] + 0.5 * self.line[1]);
        for (c, orbit) in out[1..].iter_mut().zip(&self.orbits) {
            if orbit.order == 1 {
                *c += 0.5 * per_cell * self.line[1] / points as f64;
            }
        }
        out
    }
}

/// Weights by the energy above the lower hull and of the end members.
fn weights(fractions: &[f64], energies: &[f64], settings: &FitSettings) -> Result<Vec<f64>, LatticeError> {
    let factor = settings.end_member_weight;
    let holds = factor > 0.0 && factor.is_finite();
    LatticeError::require(holds, "weight of the end members", factor, "a positive number is due")?;
    let mut weights = vec![1.0; energies.len()];
    if let Some(scale) = settings.hull_weight_ev {
        let holds = scale > 0.0 && scale.is_finite();
        LatticeError::require(holds, "hull weight (eV per formula unit)", scale, "a positive number is due")?;
        let above = above_hull(fractions, energies);
        weights = above.iter().map(|d| (-d / scale).exp().max(0.05)).collect();
    }
    for end in [0.0, 1.0] {
        let at_end = (0..energies.len()).filter(|i| fractions[*i] == end);
        if let Some(lowest) = at_end.min_by(|a, b| energies[*a].total_cmp(&energies[*b])) {
            weights[lowest] *= factor;
        }
    }
    Ok(weights)
}

/// Distance of every point above the lower hull.
fn above_hull(fractions: &[f64], energies: &[f64]) -> Vec<f64> {
    let points: Vec<[f64; 2]> = fractions.iter().zip(energies).map(|(x, e)| [*x, *e]).collect();
    let hull = lower_hull(&points);
    points.iter().map(|p| hull_energy(&points, &hull, p[0]).map_or(0.0, |e| (p[1] - e).max(0.0))).collect()
}

/// Weighted least-squares straight line; horizontal when all fractions are equal.
fn line(x: &[f64], y: &[f64], w: &[f64]) -> [f64; 2] {
    let total: f64 = w.iter().sum();
    let mean = |v: &[f64]| v.iter().zip(w).map(|(v, w)| v * w).sum::<f64>() / total;
    let (mx, my) = (mean(x), mean(y));
    let (mut sxx, mut sxy) = (0.0, 0.0);
    for ((x, y), w) in x.iter().zip(y).zip(w) {
        sxx += w * (x - mx) * (x - mx);
        sxy += w * (x - mx) * (y - my);
    }
    let slope = if sxx > 1e-12 * total { sxy / sxx } else { 0.0 };
    [my - slope * mx, slope]
}

fn root_mean_square(values: &[f64]) -> f64 {
    (values.iter().map(|v| v * v).sum::<f64>() / values.len().max(1) as f64).sqrt()
}

/// Fits the expansion.
pub fn fit_expansion(
    parent: &Parent,
    mapped: &[MappedStructure],
    settings: &FitSettings,
) -> Result<Fit, LatticeError> {
    let problem = Problem::new(parent, mapped, settings)?;
    let equivalent = groups(&problem.regression);
    let solved = solve(&problem, &problem.regression, &equivalent, settings.method)?;
    let per_cell = parent.formula_units_per_cell;
    let mut rng = Philox::new(settings.seed, 0x464954, 0);
    let (drawn, deviations) = samples(&problem, &solved, &equivalent, settings.samples, &mut rng)?;
    let hamiltonian = LatticeHamiltonian {
        lattice_angstrom: parent.sites.lattice_angstrom,
        basis_fractional: parent.sites.sites_fractional.clone(),
        working_ion: parent.working_ion.clone(),
        formula_units_per_cell: per_cell,
        orbits: problem.orbits.clone(),
        coefficients_ev: problem.restore(solved.coefficients(), per_cell),
        samples_ev: drawn.iter().map(|c| problem.restore(c, per_cell)).collect(),
    };
    hamiltonian.check()?;
    let loo = leave_one_out(&problem, &solved, &equivalent, settings.method)?;
    let residuals = problem.residuals(solved.coefficients());
    let parity = parity(&problem, &residuals, &loo, &solved.posterior().leverages);
    let dependent = problem.regression.dependent_columns(DEPENDENT);
    Ok(Fit {
        interactions: interactions(&problem, &deviations, solved.prior(), &hamiltonian),
        hull_disagreements: disagreements(&parity),
        training_rmse_ev: root_mean_square(&residuals),
        leave_one_out_rmse_ev: root_mean_square(&loo),
        hyperparameters: problem.told_hyperparameters(&solved),
        log_evidence: solved.posterior().log_evidence,
        method: settings.method,
        penalty: solved.penalty(),
        folds: folds_error(&problem, &equivalent, settings)?,
        dependent_orbits: dependent.iter().filter_map(|k| k.checked_sub(1)).collect(),
        rank: problem.regression.columns() - dependent.len(),
        columns: problem.regression.columns(),
        effective_parameters: solved.posterior().effective_parameters(),
        parity,
        hamiltonian,
    })
}

/// The number of grouped folds and the root mean square of their residuals, if folds are asked for.
fn folds_error(
    problem: &Problem,
    equivalent: &[usize],
    settings: &FitSettings,
) -> Result<Option<(usize, f64)>, LatticeError> {
    let Some(count) = settings.folds else { return Ok(None) };
    LatticeError::require(count >= 2, "folds", count as f64, "at least two are due")?;
    let parts = folds(equivalent, count);
    let residuals = refitted_residuals(problem, equivalent, &parts, settings.method)?;
    Ok(Some((parts.len(), root_mean_square(&residuals))))
}

impl Problem {
    /// Data minus fit, eV per formula unit.
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
}

fn parity(problem: &Problem, residuals: &[f64], loo: &[f64], leverages: &[f64]) -> Vec<ParityPoint> {
    (0..residuals.len())
        .map(|i| ParityPoint {
            id: problem.ids[i].clone(),
            site_fraction: problem.fractions[i],
            data_ev: problem.energies[i],
            fitted_ev: problem.energies[i] - residuals[i],
            leave_one_out_residual_ev: loo[i],
            leverage: leverages[i],
            weight: problem.weights[i],
        })
        .collect()
}

fn interactions(
    problem: &Problem,
    deviations: &[f64],
    prior: &[f64],
    hamiltonian: &LatticeHamiltonian,
) -> Vec<Interaction> {
    problem
        .orbits
        .iter()
        .enumerate()
        .map(|(k, o)| Interaction {
            order: o.order,
            diameter_angstrom: o.diameter_angstrom,
            multiplicity: o.clusters.len(),
            value_ev: hamiltonian.coefficients_ev[k + 1],
            standard_deviation_ev: deviations[k + 1],
            prior_width_ev: prior[k + 1],
        })
        .collect()
}

/// Structures that are a vertex of one hull and not of the other (more than 1e-9 eV above it).
fn disagreements(parity: &[ParityPoint]) -> Vec<HullDisagreement> {
    let x: Vec<f64> = parity.iter().map(|p| p.site_fraction).collect();
    let data = above_hull(&x, &parity.iter().map(|p| p.data_ev).collect::<Vec<_>>());
    let fitted = above_hull(&x, &parity.iter().map(|p| p.fitted_ev).collect::<Vec<_>>());
    let differ = |i: &usize| (data[*i] < 1e-9) != (fitted[*i] < 1e-9);
    (0..parity.len())
        .filter(differ)
        .map(|i| HullDisagreement {
            id: parity[i].id.clone(),
            site_fraction: x[i],
            above_data_hull_ev: data[i],
            above_fitted_hull_ev: fitted[i],
        })
        .collect()
}

/// Scores candidates by their leave-one-out error and fits the best. The score of the winner is a minimum over the candidates and
/// therefore a little optimistic as an estimate of its error; all scores are returned.
pub fn choose_cutoffs(
    parent: &Parent,
    mapped: &[MappedStructure],
    settings: &FitSettings,
    candidates: &[Cutoffs],
) -> Result<(Fit, Vec<CutoffScore>), LatticeError> {
    let fits: Vec<Fit> = candidates
        .par_iter()
        .map(|c| fit_expansion(parent, mapped, &FitSettings { cutoffs: c.clone(), ..settings.clone() }))
        .collect::<Result<_, _>>()?;
    let scores = fits
        .iter()
        .zip(candidates)
        .map(|(f, c)| CutoffScore {
            cutoffs: c.clone(),
            orbits: f.columns - 1,
            leave_one_out_rmse_ev: f.leave_one_out_rmse_ev,
            training_rmse_ev: f.training_rmse_ev,
            log_evidence: f.log_evidence,
        })
        .collect();
    let best = fits.into_iter().min_by(|a, b| a.leave_one_out_rmse_ev.total_cmp(&b.leave_one_out_rmse_ev));
    let none = LatticeError::Length { what: "candidate cutoffs", expected: 1, got: 0 };
    best.map(|f| (f, scores)).ok_or(none)
}
