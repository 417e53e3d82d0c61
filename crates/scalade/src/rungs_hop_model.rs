//! `hop MODEL.toml`: transport of lattice gases, by kinetic Monte Carlo or by the master equation.
//!
//! Lengths are in nearest-neighbour distances, times in the unit of 1/rate. Tensors have one row for each dimension of the lattice. `jump` is D_J, from the
//! motion of all ions together; `chemical` is theta D_J with the thermodynamic factor theta = d(mu/kT)/d ln c; `haven_ratio` is tr D*/tr D_J;
//! `correlation_factor` is tr D* over the trace of the uncorrelated part.

use crate::error::ScaladeError;
use crate::hop_file::HopFile;
use crate::orderings::read_text;
use crate::runner::Failure;
use scalade_crystal::Structure;
use scalade_hopping::gas::{
    GasModel, GasRequest, GasTransport, Resumed, conventional_cell, gas_transport, gas_transport_resumable,
};
use scalade_hopping::{Diffusivity, ExactTransport, Follow, HoppingError, WithError, exact_gas_transport};
use scalade_lattice::LatticeError;
use scalade_lattice::model::exact::{Levels, MOST_STATES_LOG2};
use scalade_lattice::model::{Condition, PairModel, RunSettings, SampledPoint, Variables, sample};
use scalade_numerics::cpu_seconds;
use serde_json::{Value, json};
use std::path::Path;

/// Diffusivities leave the hopping crate in 10^-20 of the squared unit length.
const UNIT: f64 = 1e20;
/// Standard errors by which the two estimates of the thermodynamic factor may differ.
const LARGEST_DISAGREEMENT: f64 = 5.0;
/// Moves of the sampling behind a thermodynamic factor.
const MOST_MOVES: u64 = 2_000_000_000;
/// By how much the step of the chemical potential may be cut where its curve bends.
const SMALLEST_STEP: f64 = 15.0;
/// Steps towards the chemical potential of a concentration.
const MOST_STEPS: usize = 60;

fn refused(error: &HoppingError) -> ScaladeError {
    ScaladeError::input(error.to_string())
}

fn lattice(error: &LatticeError) -> ScaladeError {
    ScaladeError::input(error.to_string())
}

/// Shares of the standard error asked for that D_J and theta may have, so that theta D_J keeps it: 0.8^2 + 0.6^2 = 1.
const SHARES: [f64; 2] = [0.8, 0.6];

/// A number with its standard error, or why there is none.
type Told = Result<WithError, Missing>;

/// Why a number is missing.
#[derive(Clone, Debug)]
enum Missing {
    /// It does not exist or is not worked out for this box.
    Absent(String),
    /// Two ways to it disagree, or its error was not reached.
    Failed(String),
}

impl Missing {
    fn reason(&self) -> &str {
        match self {
            Self::Absent(reason) | Self::Failed(reason) => reason,
        }
    }
}

fn told(of: &Told) -> Value {
    match of {
        Ok(known) => json!({ "value": known.value, "std_error": known.std }),
        Err(missing) => json!({ "value": null, "std_error": null, "reason": missing.reason() }),
    }
}

fn cut(tensor: &[[f64; 3]; 3], dimensions: usize, scale: f64) -> Vec<Vec<f64>> {
    tensor[..dimensions].iter().map(|row| row[..dimensions].iter().map(|v| v * scale).collect()).collect()
}

fn diffusivity(of: &Diffusivity, dimensions: usize) -> Value {
    match of {
        Diffusivity::Converged { tensor, degrees_of_freedom, window_s } => json!({
            "value": cut(&tensor.value_m2_s, dimensions, UNIT),
            "std_error": cut(&tensor.std_m2_s, dimensions, UNIT),
            "verdict": "converged", "degrees_of_freedom": degrees_of_freedom, "window": window_s,
        }),
        Diffusivity::SubDiffusive { exponent, exponent_std } => json!({
            "value": vec![vec![0.0; dimensions]; dimensions],
            "std_error": vec![vec![0.0; dimensions]; dimensions],
            "verdict": "sub_diffusive",
            "exponent": { "value": exponent, "std_error": exponent_std },
            "reason": "ions cannot pass each other: their mean squared displacement grows slower than time, so that the diffusivity is 0",
        }),
        Diffusivity::NotConverged { reason } => {
            json!({ "value": null, "std_error": null, "verdict": "not_converged", "reason": reason })
        }
    }
}

/// theta D_J with both errors.
fn chemical(jump: &Diffusivity, theta: &Told, dimensions: usize) -> Value {
    let Diffusivity::Converged { tensor, .. } = jump else { return diffusivity(jump, dimensions) };
    let Ok(factor) = theta else {
        let reason = theta.as_ref().err().map(Missing::reason);
        return json!({ "value": null, "std_error": null, "verdict": "not_converged", "reason": reason });
    };
    let mut errors = [[0.0; 3]; 3];
    for ((error, value), std) in errors
        .iter_mut()
        .flatten()
        .zip(tensor.value_m2_s.iter().flatten())
        .zip(tensor.std_m2_s.iter().flatten())
    {
        *error = (factor.value * std).hypot(factor.std * value);
    }
    json!({
        "value": cut(&tensor.value_m2_s, dimensions, UNIT * factor.value),
        "std_error": cut(&errors, dimensions, UNIT),
        "verdict": "converged",
    })
}

/// The model of the lattice rung for the same box.
fn pair_model(file: &HopFile) -> Result<PairModel, ScaladeError> {
    let (vectors, basis) = conventional_cell(file.lattice);
    let structure = Structure::new(vectors, vec!["X".to_string(); basis.len()], basis)
        .map_err(|e| ScaladeError::internal(e.to_string()))?;
    let mut dims = [1; 3];
    dims[..file.size.len()].copy_from_slice(&file.size);
    PairModel::new(&structure, file.size.len(), dims, Variables::Occupation, &file.pairs)
        .map_err(|e| lattice(&e))
}

/// theta = d(mu/kT)/d ln c = <N>/var N in the semi-grand ensemble at the chemical potential where <N> is the number of ions, and from the difference of
/// chemical potentials between neighbouring concentrations. The two must agree.
fn thermodynamic_factor(file: &HopFile, model: &GasModel, ions: usize) -> Result<Told, ScaladeError> {
    let concentration = ions as f64 / model.sites() as f64;
    if model.is_hard_core() {
        return Ok(Ok(WithError { value: 1.0 / (1.0 - concentration), std: 0.0 }));
    }
    let pairs = pair_model(file)?;
    let run = |mus: &[f64], precision: f64, most_moves: u64| {
        let conditions: Vec<Condition> = mus.iter().map(|mu| Condition { kt: 1.0, mu: *mu }).collect();
        let settings = RunSettings { precision, seed: file.seed, most_moves, ..RunSettings::default() };
        sample(&pairs, &conditions, &settings).map_err(|e| lattice(&e))
    };
    // Newton's steps with the spread of the composition as slope, held in a bracket that begins with the reach of the mean field.
    let reach: f64 =
        file.pairs.iter().zip(pairs.shells()).map(|(j, s)| j.abs() * s.neighbours[0].len() as f64).sum();
    let ideal = (concentration / (1.0 - concentration)).ln();
    let (mut low, mut high) = (ideal - reach - 1.0, ideal + reach + 1.0);
    let minority = concentration.min(1.0 - concentration);
    let mut mu = 0.5 * (low + high);
    let mut half = 0.0;
    for _ in 0..MOST_STEPS {
        let point = &run(&[mu], 1e-3, MOST_MOVES / 100)?[0];
        let (c, spread) = (point.summary.concentration, point.summary.variance.value.max(1e-12));
        let missing = concentration - c.value;
        // Three points a twentieth of the minority apart, the middle one close to where it is wanted.
        half = 0.05 * minority / spread;
        if missing.abs() < 0.01 * minority + 2.0 * c.error {
            break;
        }
        if missing > 0.0 {
            low = mu;
        } else {
            high = mu;
        }
        let step = mu + missing / spread;
        mu = if step > low && step < high { step } else { 0.5 * (low + high) };
    }
    let whole = half;
    let mut precision = 5e-4;
    // Doublings of the precision and halvings of the step.
    for _ in 0..10 {
        let points = run(&[mu - half, mu, mu + half], precision, MOST_MOVES)?;
        let found = two_estimates(&points, half, concentration);
        let Ok((by_fluctuation, by_difference)) = found else {
            return Ok(Err(found.err().unwrap_or_else(|| Missing::Failed("no estimate".into()))));
        };
        let error = by_fluctuation.std.hypot(by_difference.std);
        let gap = (by_fluctuation.value - by_difference.value) / error;
        let disagree = gap.abs() > LARGEST_DISAGREEMENT;
        if by_fluctuation.std > SHARES[1] * file.standard_error * by_fluctuation.value {
            precision *= 0.5;
        } else if !disagree {
            return Ok(Ok(by_fluctuation));
        } else if half * SMALLEST_STEP > whole {
            // The curve bends within the step, as near an order: a shorter one tells bending from disagreement.
            half *= 0.5;
        } else {
            return Ok(Err(Missing::Failed(format!(
                "fluctuations give a thermodynamic factor of {:.4}({:.4}), the change of the chemical potential {:.4}({:.4}): they disagree by {gap:.1} standard errors; the box may hold two phases",
                by_fluctuation.value, by_fluctuation.std, by_difference.value, by_difference.std
            ))));
        }
    }
    Ok(Err(Missing::Failed(format!(
        "the thermodynamic factor did not reach a standard error of {:e}; raise standard_error",
        SHARES[1] * file.standard_error
    ))))
}

/// c/var N, and d mu/d ln c of the curve through three points, both interpolated to the concentration asked for.
fn two_estimates(
    points: &[SampledPoint],
    half: f64,
    concentration: f64,
) -> Result<(WithError, WithError), Missing> {
    let [below, middle, above] = points else {
        return Err(Missing::Failed("three points are due".into()));
    };
    let c = [below, middle, above].map(|p| p.summary.concentration);
    let variance = [below, middle, above].map(|p| p.summary.variance);
    let slack = 5.0 * c[1].error + 0.01 * (c[2].value - c[0].value).abs();
    if concentration < c[0].value - slack || concentration > c[2].value + slack {
        return Err(Missing::Absent(format!(
            "no chemical potential gives the concentration {concentration:.4} in one phase (nearest {:.4}): the ions separate, and theta is not positive within the gap",
            c[1].value
        )));
    }
    if !(c[0].value < c[1].value && c[1].value < c[2].value) || variance.iter().any(|v| v.value <= 0.0) {
        return Err(Missing::Failed("the concentration does not rise with the chemical potential".into()));
    }
    // Weights of Lagrange's polynomial in c and of its derivative.
    let others = |k: usize| [c[(k + 1) % 3].value, c[(k + 2) % 3].value];
    let norm = |k: usize| others(k).map(|o| c[k].value - o).iter().product::<f64>();
    let weight = |k: usize| others(k).map(|o| concentration - o).iter().product::<f64>() / norm(k);
    let slope = |k: usize| others(k).map(|o| concentration - o).iter().sum::<f64>() / norm(k);
    let sum = |of: &dyn Fn(usize) -> f64| (0..3).map(of).sum::<f64>();
    let spread = sum(&|k| weight(k) * variance[k].value);
    let spread_error = sum(&|k| (weight(k) * variance[k].error).powi(2)).sqrt();
    let fluctuation =
        WithError { value: concentration / spread, std: concentration * spread_error / spread.powi(2) };
    let mus = [-half, 0.0, half];
    let derivative = sum(&|k| slope(k) * mus[k]);
    // An error of c at a point moves mu there by d mu/dc times it.
    let error = sum(&|k| (slope(k) * derivative * c[k].error).powi(2)).sqrt();
    let difference = WithError { value: concentration * derivative, std: concentration * error };
    Ok((fluctuation, difference))
}

/// The same from all states of a small box.
fn exact_factor(file: &HopFile, model: &GasModel, ions: usize) -> Result<Told, ScaladeError> {
    let concentration = ions as f64 / model.sites() as f64;
    if model.is_hard_core() {
        return Ok(Ok(WithError { value: 1.0 / (1.0 - concentration), std: 0.0 }));
    }
    if model.sites() > MOST_STATES_LOG2 {
        return Ok(Err(Missing::Absent(format!(
            "{} sites have more states than the 2^{MOST_STATES_LOG2} that are summed up for the thermodynamic factor",
            model.sites()
        ))));
    }
    let levels = Levels::enumerate(&pair_model(file)?).map_err(|e| lattice(&e))?;
    let (mut low, mut high) = (-1e3, 1e3);
    for _ in 0..200 {
        let mu = 0.5 * (low + high);
        if levels.at(1.0, mu).concentration < concentration {
            low = mu;
        } else {
            high = mu;
        }
    }
    let at = levels.at(1.0, 0.5 * (low + high));
    Ok(Ok(WithError { value: at.concentration / at.variance, std: 0.0 }))
}

fn header(file: &HopFile, model: &GasModel, ions: usize) -> Value {
    let sites = model.sites();
    json!({
        "lattice": file.lattice.name(), "dimensions": model.dimensions(), "sites": sites, "particles": ions,
        "vacancies": sites - ions, "concentration": ions as f64 / sites as f64, "seed": file.seed,
        "length_unit": "nearest-neighbour distance", "time_unit": "inverse of the unit of rate", "warnings": model.warnings(),
    })
}

fn extend(document: &mut Value, more: Value) {
    if let (Value::Object(map), Value::Object(more)) = (document, more) {
        map.extend(more);
    }
}

/// A file from which a run goes on, and which it keeps up to date.
#[derive(Clone, Copy)]
pub struct Checkpoint<'a> {
    /// The file.
    pub file: &'a Path,
    /// Called with the number of hops in the file, where there is one.
    pub tell: &'a (dyn Fn(u64) + Sync),
}

/// Reads and runs a model file. A run that misses its standard error is a [`Failure::Partial`] that holds the document.
pub fn hop_model(
    path: &Path,
    exact: bool,
    jobs: Option<usize>,
    checkpoint: Option<Checkpoint<'_>>,
) -> Result<Value, Failure> {
    let file = HopFile::parse(&read_text(path)?, &path.display().to_string())?;
    let model = GasModel::named(file.lattice, &file.size, &file.pairs, file.rate).map_err(|e| refused(&e))?;
    let ions = file.ions(model.sites())?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.unwrap_or(0)).build();
    let pool = pool.map_err(|e| ScaladeError::internal(e.to_string()))?;
    pool.install(|| {
        if !exact && !file.exact {
            return sampled(&file, &model, ions, checkpoint);
        }
        if checkpoint.is_some() {
            let why = "a master equation is solved at once and leaves no checkpoint: leave --checkpoint out";
            return Err(ScaladeError::input(why).into());
        }
        by_master_equation(&file, &model, ions)
    })
}

fn by_master_equation(file: &HopFile, model: &GasModel, ions: usize) -> Result<Value, Failure> {
    let dimensions = model.dimensions();
    let all = exact_gas_transport(model, ions, Follow::All).map_err(|e| refused(&e))?;
    let one = exact_gas_transport(model, ions, Follow::One).map_err(|e| refused(&e))?;
    let theta = exact_factor(file, model, ions)?;
    let trace = |m: &[[f64; 3]; 3]| m[0][0] + m[1][1] + m[2][2];
    let tensor = |m: &[[f64; 3]; 3], scale: f64| json!({ "value": cut(m, dimensions, scale), "std_error": vec![vec![0.0; dimensions]; dimensions], "verdict": "exact" });
    let sure = |value: f64| json!({ "value": value, "std_error": 0.0 });
    let ratio = |of: &ExactTransport| trace(&of.diffusivity) / trace(&of.uncorrelated);
    let mut document = header(file, model, ions);
    extend(
        &mut document,
        json!({
            "engine": "master equation",
            "tracer": tensor(&one.diffusivity, 1.0),
            "jump": tensor(&all.diffusivity, 1.0),
            "chemical": match &theta {
                Ok(factor) => tensor(&all.diffusivity, factor.value),
                Err(missing) => json!({ "value": null, "std_error": null, "reason": missing.reason() }),
            },
            "uncorrelated": tensor(&all.uncorrelated, 1.0),
            "correlation_factor": sure(ratio(&one)),
            "collective_correlation_factor": sure(ratio(&all)),
            "haven_ratio": sure(trace(&one.diffusivity) / trace(&all.diffusivity)),
            "thermodynamic_factor": told(&theta),
            "states": all.states + one.states,
            "converged": true,
        }),
    );
    Ok(document)
}

fn sampled(
    file: &HopFile,
    model: &GasModel,
    ions: usize,
    checkpoint: Option<Checkpoint<'_>>,
) -> Result<Value, Failure> {
    let start = cpu_seconds();
    let request = GasRequest {
        model,
        ions,
        standard_error: SHARES[0] * file.standard_error,
        most_hops: file.most_events,
        seed: file.seed,
        selection: file.selection,
    };
    let found = match checkpoint {
        None => gas_transport(&request, &()).map(|found| (found, Resumed::default())),
        Some(Checkpoint { file, tell }) => gas_transport_resumable(&request, &(), file, tell),
    };
    let (found, resumed) = found.map_err(|e| refused(&e))?;
    let seconds = (cpu_seconds() - start).max(1e-9);
    let theta = thermodynamic_factor(file, model, ions)?;
    let mut document = header(file, model, ions);
    extend(&mut document, told_by(&found, &theta, model.dimensions(), seconds));
    let made = found.events.saturating_sub(resumed.from_events);
    extend(&mut document, json!({ "events_per_cpu_second": made as f64 / seconds }));
    if let (Some(why), Some(list)) = (&resumed.failure, document["warnings"].as_array_mut()) {
        list.push(json!(format!("the checkpoint could not be written the last time: {why}")));
    }
    let mut problems = Vec::new();
    if !found.reached {
        problems.push(format!(
            "{} hops did not bring the errors to {:e}; raise max_events or standard_error",
            found.events, file.standard_error
        ));
    }
    if let Err(Missing::Failed(reason)) = &theta {
        problems.push(reason.clone());
    }
    if problems.is_empty() {
        return Ok(document);
    }
    let message = format!("not converged, partial result kept: {}", problems.join("; "));
    extend(&mut document, json!({ "converged": false }));
    Err(Failure::Partial { document: Box::new(document), message })
}

fn told_by(found: &GasTransport, theta: &Told, dimensions: usize, seconds: f64) -> Value {
    let single_file = matches!(found.tracer, Diffusivity::SubDiffusive { .. });
    let factor = |of: Option<WithError>| match of {
        Some(known) => json!({ "value": known.value, "std_error": known.std }),
        None if single_file => {
            json!({ "value": 0.0, "std_error": 0.0, "reason": "single file: sub-diffusive" })
        }
        None => json!({ "value": null, "std_error": null, "reason": "not converged" }),
    };
    // The traces over three axes become means over those along which the lattice extends.
    let mean = 3.0 * UNIT / dimensions as f64;
    let running: Vec<Value> = found
        .running
        .iter()
        .map(|[time, tracer, tracer_error, jump, jump_error]| {
            json!({
                "window": time, "tracer": tracer * mean, "tracer_std_error": tracer_error * mean,
                "jump": jump * mean, "jump_std_error": jump_error * mean,
            })
        })
        .collect();
    let displacements: Vec<Value> = found
        .displacements
        .iter()
        .map(|[time, ion, ion_error, total, total_error]| {
            json!({
                "window": time, "tracer": ion, "tracer_std_error": ion_error,
                "collective": total, "collective_std_error": total_error,
            })
        })
        .collect();
    json!({
        "engine": found.selection.name(),
        "carriers": if found.follows_vacancies { "vacancies" } else { "particles" },
        "tracer": diffusivity(&found.tracer, dimensions),
        "jump": diffusivity(&found.jump, dimensions),
        "chemical": chemical(&found.jump, theta, dimensions),
        "uncorrelated": {
            "value": cut(&found.uncorrelated.value_m2_s, dimensions, UNIT),
            "std_error": cut(&found.uncorrelated.std_m2_s, dimensions, UNIT),
        },
        "correlation_factor": factor(found.tracer_correlation),
        "collective_correlation_factor": match found.collective_correlation {
            Some(known) => json!({ "value": known.value, "std_error": known.std }),
            None => json!({ "value": null, "std_error": null, "reason": "not converged" }),
        },
        "haven_ratio": factor(found.haven),
        "thermodynamic_factor": told(theta),
        "running": running,
        "mean_squared_displacement": displacements,
        "events": found.events,
        "cpu_time_s": seconds,
        "acceptance": found.acceptance,
        "rejection_acceptance": found.pilot_acceptance,
        "detailed_balance_error": found.balance_error,
        "equilibration_z": found.equilibration_z,
        "converged": found.reached,
    })
}
