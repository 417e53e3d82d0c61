//! `hop MODEL.toml`: transport of lattice gases, by kinetic Monte Carlo or by the master equation. Models of expansions are those of
//! [`crate::rungs_hop_network`].
//!
//! Lengths are in nearest-neighbour distances (angstrom where the lattice comes from a file), times in the unit of 1/rate. Tensors have one row for each dimension of the lattice. `jump` is D_J, from the
//! motion of all ions together; `chemical` is theta D_J with the thermodynamic factor theta = d(mu/kT)/d ln c; `haven_ratio` is tr D*/tr D_J;
//! `correlation_factor` is tr D* over the trace of the uncorrelated part.

use crate::error::ScaladeError;
use crate::hop_file::{HopFile, HopLattice, HopSource};
use crate::hop_theta::{Missing, SHARES, ThetaRequest, Told, by_levels, by_sampling, hard_core};
use crate::orderings::read_text;
use crate::rungs_hop_network;
use crate::rungs_model::read_structure;
use crate::runner::Failure;
use scalade_crystal::Structure;
use scalade_hopping::gas::{GasModel, GasRequest, GasTransport, conventional_cell, gas_transport};
use scalade_hopping::{Diffusivity, ExactTransport, Follow, HoppingError, WithError, exact_gas_transport};
use scalade_lattice::LatticeError;
use scalade_lattice::model::exact::{Levels, MOST_STATES_LOG2};
use scalade_lattice::model::{Condition, PairModel, RunSettings, Variables, sample};
use scalade_numerics::cpu_seconds;
use serde_json::{Value, json};
use std::path::Path;

/// Diffusivities leave the hopping crate in 10^-20 of the squared unit length: m^2 for angstrom.
pub(crate) const UNIT: f64 = 1e20;
fn refused(error: &HoppingError) -> ScaladeError {
    ScaladeError::input(error.to_string())
}

fn lattice(error: &LatticeError) -> ScaladeError {
    ScaladeError::input(error.to_string())
}

pub(crate) fn told(of: &Told) -> Value {
    match of {
        Ok(known) => json!({ "value": known.value, "std_error": known.std }),
        Err(missing) => json!({ "value": null, "std_error": null, "reason": missing.reason() }),
    }
}

pub(crate) fn cut(tensor: &[[f64; 3]; 3], dimensions: usize, scale: f64) -> Vec<Vec<f64>> {
    tensor[..dimensions].iter().map(|row| row[..dimensions].iter().map(|v| v * scale).collect()).collect()
}

pub(crate) fn diffusivity(of: &Diffusivity, dimensions: usize) -> Value {
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
pub(crate) fn chemical(jump: &Diffusivity, theta: &Told, dimensions: usize) -> Value {
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

/// A lattice gas with what the sampling of its thermodynamics needs.
struct Gas {
    model: GasModel,
    /// The cell with its sites, as `size` counts it.
    cell: Structure,
    size: Vec<usize>,
    /// kT.
    pairs: Vec<f64>,
    /// Directions along which ions can go.
    span: Vec<[f64; 3]>,
    /// What results call the lattice.
    name: String,
    from_file: bool,
}

impl Gas {
    fn build(
        file: &HopFile,
        place: &HopLattice,
        pairs: &[f64],
        rate: f64,
        path: &Path,
    ) -> Result<Self, ScaladeError> {
        let (cell, name) = match place {
            HopLattice::Named(named) => {
                let (vectors, basis) = conventional_cell(*named);
                let symbols = vec!["X".to_string(); basis.len()];
                let cell = Structure::new(vectors, symbols, basis)
                    .map_err(|e| ScaladeError::internal(e.to_string()))?;
                (cell, named.name().to_string())
            }
            HopLattice::Structure { file, sites } => {
                let beside = path.parent().unwrap_or(Path::new("")).join(file);
                (chosen_sites(&read_structure(&beside)?, sites, file)?, file.clone())
            }
        };
        let mut dims = [1; 3];
        dims[..file.size.len()].copy_from_slice(&file.size);
        let (vectors, basis) = (*cell.lattice_angstrom(), cell.fractional().to_vec());
        let model =
            GasModel::new(vectors, basis, file.size.len(), dims, pairs, rate).map_err(|e| refused(&e))?;
        let span = model.span();
        if span.is_empty() {
            return Err(ScaladeError::input(NOWHERE));
        }
        let from_file = matches!(place, HopLattice::Structure { .. });
        Ok(Self { model, cell, size: file.size.clone(), pairs: pairs.to_vec(), span, name, from_file })
    }

    /// The model of the lattice rung for the same box.
    fn pair_model(&self) -> Result<PairModel, ScaladeError> {
        let mut dims = [1; 3];
        dims[..self.size.len()].copy_from_slice(&self.size);
        PairModel::new(&self.cell, self.size.len(), dims, Variables::Occupation, &self.pairs)
            .map_err(|e| lattice(&e))
    }
}

/// The atoms of a structure that are sites.
fn chosen_sites(structure: &Structure, sites: &[String], file: &str) -> Result<Structure, ScaladeError> {
    if sites.is_empty() {
        return Ok(structure.clone());
    }
    let symbols = structure.species();
    if let Some(absent) = sites.iter().find(|s| !symbols.contains(s)) {
        return Err(ScaladeError::input(format!("[lattice] sites: {file} holds no atom {absent}")));
    }
    let kept = || (0..symbols.len()).filter(|k| sites.contains(&symbols[*k]));
    let positions = kept().map(|k| structure.fractional()[k]).collect();
    Structure::new(*structure.lattice_angstrom(), kept().map(|k| symbols[k].clone()).collect(), positions)
        .map_err(|e| ScaladeError::input(format!("{file}: {e}")))
}

/// theta by sampling the same lattice.
fn thermodynamic_factor(file: &HopFile, gas: &Gas, ions: usize) -> Result<Told, ScaladeError> {
    let concentration = ions as f64 / gas.model.sites() as f64;
    if gas.model.is_hard_core() {
        return Ok(Ok(hard_core(concentration)));
    }
    let pairs = gas.pair_model()?;
    let run = |mus: &[f64], precision: f64, most_moves: u64| {
        let conditions: Vec<Condition> = mus.iter().map(|mu| Condition { kt: 1.0, mu: *mu }).collect();
        let settings = RunSettings { precision, seed: file.seed, most_moves, ..RunSettings::default() };
        sample(&pairs, &conditions, &settings).map_err(|e| lattice(&e))
    };
    // As far as the mean field reaches.
    let reach =
        gas.pairs.iter().zip(pairs.shells()).map(|(j, s)| j.abs() * s.neighbours[0].len() as f64).sum();
    let request = ThetaRequest { concentration, reach, shift: 0.0, standard_error: file.standard_error };
    by_sampling(&request, &run)
}

/// The same from all states of a small box.
fn exact_factor(gas: &Gas, ions: usize) -> Result<Told, ScaladeError> {
    let sites = gas.model.sites();
    let concentration = ions as f64 / sites as f64;
    if gas.model.is_hard_core() {
        return Ok(Ok(hard_core(concentration)));
    }
    if sites > MOST_STATES_LOG2 {
        return Ok(Err(too_many_states(sites, MOST_STATES_LOG2)));
    }
    let levels = Levels::enumerate(&gas.pair_model()?).map_err(|e| lattice(&e))?;
    Ok(Ok(by_levels(&levels, concentration, 1e3)))
}

pub(crate) fn too_many_states(sites: usize, limit_log2: usize) -> Missing {
    Missing::Absent(format!(
        "{sites} sites have more states than the 2^{limit_log2} that are summed up for the thermodynamic factor"
    ))
}

/// Why all diffusivities of a model would be 0.
pub(crate) const NOWHERE: &str = "the hops join sites in finite groups only: no ion gets anywhere, all diffusivities are 0; add kinds of hops, widen [hops] within, or check the structure";

/// Where diffusivities are 0, if anywhere.
pub(crate) fn across(span: &[[f64; 3]], dimensions: usize) -> Option<String> {
    let s = if span.len() == 1 { "" } else { "s" };
    (span.len() < dimensions).then(|| {
        format!(
            "the hops cross the crystal along {} direction{s} only: diffusivities across are 0",
            span.len()
        )
    })
}

fn header(file: &HopFile, gas: &Gas, ions: usize) -> Value {
    let sites = gas.model.sites();
    let warnings: Vec<String> =
        gas.model.warnings().iter().cloned().chain(across(&gas.span, gas.model.dimensions())).collect();
    json!({
        "lattice": gas.name, "dimensions": gas.model.dimensions(), "sites": sites, "particles": ions,
        "vacancies": sites - ions, "concentration": ions as f64 / sites as f64, "seed": file.seed,
        "length_unit": if gas.from_file { "angstrom" } else { "nearest-neighbour distance" },
        "time_unit": "inverse of the unit of rate", "warnings": warnings,
    })
}

pub(crate) fn extend(document: &mut Value, more: Value) {
    if let (Value::Object(map), Value::Object(more)) = (document, more) {
        map.extend(more);
    }
}

/// Reads and runs a model file. A run that misses its standard error is a [`Failure::Partial`] that holds the document.
pub fn hop_model(path: &Path, exact: bool, jobs: Option<usize>) -> Result<Value, Failure> {
    let file = HopFile::parse(&read_text(path)?, &path.display().to_string())?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.unwrap_or(0)).build();
    let pool = pool.map_err(|e| ScaladeError::internal(e.to_string()))?;
    pool.install(|| match &file.source {
        HopSource::Network { .. } => rungs_hop_network::run(&file, path, exact || file.exact),
        HopSource::Gas { lattice, pairs, rate } => {
            let gas = Gas::build(&file, lattice, pairs, *rate, path)?;
            let ions = file.ions(gas.model.sites())?;
            if exact || file.exact {
                by_master_equation(&file, &gas, ions)
            } else {
                sampled(&file, &gas, ions)
            }
        }
    })
}

fn by_master_equation(file: &HopFile, gas: &Gas, ions: usize) -> Result<Value, Failure> {
    let model = &gas.model;
    let all = exact_gas_transport(model, ions, Follow::All).map_err(|e| refused(&e))?;
    let one = exact_gas_transport(model, ions, Follow::One).map_err(|e| refused(&e))?;
    let theta = exact_factor(gas, ions)?;
    let mut document = header(file, gas, ions);
    extend(&mut document, exactly(&all, &one, &theta, model.dimensions()));
    Ok(document)
}

/// What the master equation tells; lengths squared over times as they are.
pub(crate) fn exactly(all: &ExactTransport, one: &ExactTransport, theta: &Told, dimensions: usize) -> Value {
    let trace = |m: &[[f64; 3]; 3]| m[0][0] + m[1][1] + m[2][2];
    let tensor = |m: &[[f64; 3]; 3], scale: f64| json!({ "value": cut(m, dimensions, scale), "std_error": vec![vec![0.0; dimensions]; dimensions], "verdict": "exact" });
    let sure = |value: f64| json!({ "value": value, "std_error": 0.0 });
    let ratio = |of: &ExactTransport| trace(&of.diffusivity) / trace(&of.uncorrelated);
    json!({
        "engine": "master equation",
        "tracer": tensor(&one.diffusivity, 1.0),
        "jump": tensor(&all.diffusivity, 1.0),
        "chemical": match theta {
            Ok(factor) => tensor(&all.diffusivity, factor.value),
            Err(missing) => json!({ "value": null, "std_error": null, "reason": missing.reason() }),
        },
        "uncorrelated": tensor(&all.uncorrelated, 1.0),
        "correlation_factor": sure(ratio(one)),
        "collective_correlation_factor": sure(ratio(all)),
        "haven_ratio": sure(trace(&one.diffusivity) / trace(&all.diffusivity)),
        "thermodynamic_factor": told(theta),
        "states": all.states + one.states,
        "converged": true,
    })
}

fn sampled(file: &HopFile, gas: &Gas, ions: usize) -> Result<Value, Failure> {
    let start = cpu_seconds();
    let request = GasRequest {
        model: &gas.model,
        ions,
        standard_error: SHARES[0] * file.standard_error,
        most_hops: file.most_events,
        seed: file.seed,
        selection: file.selection,
    };
    let found = gas_transport(&request, &()).map_err(|e| refused(&e))?;
    let seconds = (cpu_seconds() - start).max(1e-9);
    let theta = thermodynamic_factor(file, gas, ions)?;
    let mut document = header(file, gas, ions);
    extend(&mut document, told_by(&found, &theta, gas.model.dimensions(), seconds));
    finished(document, found.reached, found.events, file.standard_error, &theta)
}

/// The document, as a partial result where an error was missed.
pub(crate) fn finished(
    mut document: Value,
    reached: bool,
    events: u64,
    standard_error: f64,
    theta: &Told,
) -> Result<Value, Failure> {
    let mut problems = Vec::new();
    if !reached {
        problems.push(format!(
            "{events} hops did not bring the errors to {standard_error:e}; raise max_events or standard_error"
        ));
    }
    if let Err(Missing::Failed(reason)) = theta {
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
        "events": found.events,
        "events_per_cpu_second": found.events as f64 / seconds,
        "cpu_time_s": seconds,
        "acceptance": found.acceptance,
        "rejection_acceptance": found.pilot_acceptance,
        "detailed_balance_error": found.balance_error,
        "equilibration_z": found.equilibration_z,
        "converged": found.reached,
    })
}
