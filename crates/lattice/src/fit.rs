//! Fits a cluster expansion to mapped structures: prior from cluster size, hyperparameters by evidence, errors by leave-one-out.

use crate::fit_method::FitMethod;
use crate::fit_problem::{Column, FitProblem, Hyperparameters, Inequality, Solution, SolveSettings};
use crate::hull::{hull_energy, lower_hull};
use crate::{Cutoffs, LatticeError, MappedStructure, Parent, correlations};
use rayon::prelude::*;
use scalade_handoff::{ClusterOrbit, LatticeHamiltonian};
use scalade_numerics::Matrix;
use serde::{Deserialize, Serialize};

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
    /// Whether the expansion must have the hull of the data.
    #[serde(default)]
    pub keep_hull: bool,
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
            keep_hull: false,
        }
    }
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

/// Numbers of a fit beside those of the regression.
struct Prepared {
    problem: FitProblem,
    orbits: Vec<ClusterOrbit>,
    energies: Vec<f64>,
    fractions: Vec<f64>,
    weights: Vec<f64>,
}

impl Prepared {
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
        let cluster =
            |o: &ClusterOrbit| Column::Cluster { order: o.order, diameter_angstrom: o.diameter_angstrom };
        let columns = std::iter::once(Column::Constant).chain(orbits.iter().map(cluster)).collect();
        let baseline = line_baseline(line(&fractions, &energies, &weights), &orbits, per_cell);
        let ids = mapped.iter().map(|m| m.id.clone()).collect();
        let problem = FitProblem::with_baseline(design, &energies, weights.clone(), columns, ids, baseline)?;
        Ok(Self { problem, orbits, energies, fractions, weights })
    }
}

/// Coefficients of a straight line in the site fraction, energy per formula unit at 0 and slope: x = (1 + mean spin)/2.
fn line_baseline(line: [f64; 2], orbits: &[ClusterOrbit], per_cell: f64) -> Vec<f64> {
    let points: usize = orbits.iter().filter(|o| o.order == 1).map(|o| o.clusters.len()).sum();
    let slope = |o: &ClusterOrbit| {
        if o.order == 1 { 0.5 * per_cell * line[1] / points as f64 } else { 0.0 }
    };
    std::iter::once(per_cell * (line[0] + 0.5 * line[1])).chain(orbits.iter().map(slope)).collect()
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

/// Energy by which vertices lie below their neighbours' line, and others above the hull, where the data leave so much, eV per formula unit.
const CLEAR_EV: f64 = 1e-6;

/// What the data's hull asks of a fit: every vertex lies below the line through its neighbours, every other structure above the edge it is over.
fn hull_inequalities(fractions: &[f64], energies: &[f64]) -> Vec<Inequality> {
    let points: Vec<[f64; 2]> = fractions.iter().zip(energies).map(|(x, e)| [*x, *e]).collect();
    let hull = lower_hull(&points);
    // How far structure i is above the line through a and b.
    let above = |i: usize, a: usize, b: usize| {
        let t = if a == b { 0.0 } else { (points[i][0] - points[a][0]) / (points[b][0] - points[a][0]) };
        let structures = vec![(i, 1.0), (a, t - 1.0), (b, -t)];
        let in_data = structures.iter().map(|(k, f)| f * points[*k][1]).sum::<f64>();
        (structures, in_data)
    };
    let mut out = Vec::new();
    for k in 1..hull.len().saturating_sub(1) {
        let (structures, in_data) = above(hull[k], hull[k - 1], hull[k + 1]);
        let structures = structures.into_iter().map(|(i, f)| (i, -f)).collect();
        out.push(Inequality { structures, at_least_ev: CLEAR_EV.min(-0.5 * in_data) });
    }
    for i in (0..points.len()).filter(|i| !hull.contains(i)) {
        let x = points[i][0];
        let edge = hull.windows(2).find(|e| points[e[0]][0] <= x && x <= points[e[1]][0]);
        let (a, b) = edge.map_or((hull[0], hull[0]), |e| (e[0], e[1]));
        let (structures, in_data) = above(i, a, b);
        out.push(Inequality { structures, at_least_ev: CLEAR_EV.min(0.5 * in_data.max(0.0)) });
    }
    out
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

/// Fits the expansion.
pub fn fit_expansion(
    parent: &Parent,
    mapped: &[MappedStructure],
    settings: &FitSettings,
) -> Result<Fit, LatticeError> {
    let prepared = Prepared::new(parent, mapped, settings)?;
    let solve = SolveSettings {
        method: settings.method,
        folds: settings.folds,
        samples: settings.samples,
        seed: settings.seed,
    };
    let inequalities = if settings.keep_hull {
        hull_inequalities(&prepared.fractions, &prepared.energies)
    } else {
        Vec::new()
    };
    let solution = prepared.problem.solve_within(&solve, &inequalities)?;
    let hamiltonian = LatticeHamiltonian {
        lattice_angstrom: parent.sites.lattice_angstrom,
        basis_fractional: parent.sites.sites_fractional.clone(),
        working_ion: parent.working_ion.clone(),
        formula_units_per_cell: parent.formula_units_per_cell,
        orbits: prepared.orbits.clone(),
        coefficients_ev: solution.coefficients.clone(),
        samples_ev: solution.samples.clone(),
    };
    hamiltonian.check()?;
    let parity = parity(&prepared, &solution);
    let columns = prepared.problem.columns().len();
    Ok(Fit {
        interactions: interactions(&prepared.orbits, &solution),
        hull_disagreements: disagreements(&parity),
        training_rmse_ev: solution.training_rmse(),
        leave_one_out_rmse_ev: solution.leave_one_out_rmse(),
        hyperparameters: solution.hyperparameters,
        log_evidence: solution.log_evidence,
        method: settings.method,
        penalty: solution.penalty,
        folds: solution.folds,
        dependent_orbits: solution.dependent_columns.iter().filter_map(|k| k.checked_sub(1)).collect(),
        rank: columns - solution.dependent_columns.len(),
        columns,
        effective_parameters: solution.effective_parameters,
        parity,
        hamiltonian,
    })
}

fn parity(prepared: &Prepared, solution: &Solution) -> Vec<ParityPoint> {
    (0..solution.residuals.len())
        .map(|i| ParityPoint {
            id: prepared.problem.ids[i].clone(),
            site_fraction: prepared.fractions[i],
            data_ev: prepared.energies[i],
            fitted_ev: prepared.energies[i] - solution.residuals[i],
            leave_one_out_residual_ev: solution.leave_one_out[i],
            leverage: solution.leverages[i],
            weight: prepared.weights[i],
        })
        .collect()
}

fn interactions(orbits: &[ClusterOrbit], solution: &Solution) -> Vec<Interaction> {
    orbits
        .iter()
        .enumerate()
        .map(|(k, o)| Interaction {
            order: o.order,
            diameter_angstrom: o.diameter_angstrom,
            multiplicity: o.clusters.len(),
            value_ev: solution.coefficients[k + 1],
            standard_deviation_ev: solution.standard_deviations[k + 1],
            prior_width_ev: solution.prior_widths[k + 1],
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
