//! `hop MODEL.toml`: transport of lattice gases, by kinetic Monte Carlo or by the master equation. Models of expansions are those of
//! [`crate::rungs_hop_network`].
//!
//! Lengths are in nearest-neighbour distances (angstrom where the lattice comes from a file), times in the unit of 1/rate. Tensors have one row for each dimension of the lattice. `jump` is D_J, from the
//! motion of all ions together; `chemical` is theta D_J with the thermodynamic factor theta = d(mu/kT)/d ln c; `haven_ratio` is tr D*/tr D_J;
//! `correlation_factor` is tr D* over the trace of the uncorrelated part.

use crate::error::ScaladeError;
use crate::hop_document::{NOWHERE, Results, across, exactly, extend, finished};
use crate::hop_file::{Filling, HopFile, HopLattice, HopSource};
use crate::hop_theta::{Missing, SHARES, ThetaRequest, Told, by_levels, by_sampling, hard_core};
use crate::orderings::read_text;
use crate::rungs_hop_network;
use crate::rungs_hop_species;
use crate::rungs_model::{Model, read_structure, sample_all};
use crate::runner::Failure;
use scalade_crystal::Structure;
use scalade_hopping::gas::{
    GasModel, GasRequest, GasTransport, Resumed, conventional_cell, gas_transport, gas_transport_resumable,
};
use scalade_hopping::{Follow, HoppingError, exact_gas_transport};
use scalade_lattice::LatticeError;
use scalade_lattice::model::exact::{Levels, MOST_STATES_LOG2};
use scalade_lattice::model::{Law, PairModel, RunSettings, Variables};
use scalade_numerics::cpu_seconds;
use serde_json::{Value, json};
use std::path::Path;

fn refused(error: &HoppingError) -> ScaladeError {
    ScaladeError::input(error.to_string())
}

fn lattice(error: &LatticeError) -> ScaladeError {
    ScaladeError::input(error.to_string())
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

    /// What the surroundings do to the energy of a site at most, kT: as far as the mean field reaches.
    fn reach(&self, pairs: &PairModel) -> f64 {
        self.pairs.iter().zip(pairs.shells()).map(|(j, s)| j.abs() * s.neighbours[0].len() as f64).sum()
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
    let model = Model::Pairs(pairs.clone());
    let run = |laws: &[Law], precision: f64, most_moves: u64| {
        let points: Vec<(f64, Law)> = laws.iter().map(|law| (1.0, *law)).collect();
        let settings = RunSettings { precision, seed: file.seed, most_moves, ..RunSettings::default() };
        sample_all(&model, &points, &settings).map_err(|e| lattice(&e))
    };
    let reach = gas.reach(&pairs);
    let sites = gas.model.sites();
    let request = ThetaRequest { concentration, reach, sites, standard_error: file.standard_error };
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
    let pairs = gas.pair_model()?;
    let levels = Levels::enumerate(&pairs).map_err(|e| lattice(&e))?;
    Ok(Ok(by_levels(&levels, concentration, gas.reach(&pairs))))
}

pub(crate) fn too_many_states(sites: usize, limit_log2: usize) -> Missing {
    Missing::Absent(format!(
        "{sites} sites have more states than the 2^{limit_log2} that are summed up for the thermodynamic factor"
    ))
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

/// A file from which a run goes on, and which it keeps up to date.
#[derive(Clone, Copy)]
pub struct Checkpoint<'a> {
    /// The file.
    pub file: &'a Path,
    /// Called with the number of hops (events of several species) in the file, where there is one; of an expansion with one ion those of its present round.
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
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.unwrap_or(0)).build();
    let pool = pool.map_err(|e| ScaladeError::internal(e.to_string()))?;
    let exact = exact || file.exact;
    if exact && checkpoint.is_some() {
        let why = "a master equation is solved at once and leaves no checkpoint: leave --checkpoint out";
        return Err(ScaladeError::input(why).into());
    }
    pool.install(|| match &file.source {
        HopSource::Network { .. } if matches!(file.filling, Filling::Composition(_)) => {
            rungs_hop_species::run(&file, path, exact, checkpoint)
        }
        HopSource::Network { .. } => rungs_hop_network::run(&file, path, exact, checkpoint),
        HopSource::Gas { lattice, pairs, rate } => {
            let gas = Gas::build(&file, lattice, pairs, *rate, path)?;
            let ions = file.ions(gas.model.sites())?;
            if exact { by_master_equation(&file, &gas, ions) } else { sampled(&file, &gas, ions, checkpoint) }
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

fn sampled(
    file: &HopFile,
    gas: &Gas,
    ions: usize,
    checkpoint: Option<Checkpoint<'_>>,
) -> Result<Value, Failure> {
    let start = cpu_seconds();
    let request = GasRequest {
        model: &gas.model,
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
    let theta = thermodynamic_factor(file, gas, ions)?;
    let mut document = header(file, gas, ions);
    extend(&mut document, told_by(&found, &theta, gas.model.dimensions(), seconds));
    gone_on(&mut document, &resumed, found.events, seconds);
    finished(document, found.reached, found.events, file.standard_error, &theta)
}

/// What a run that keeps a checkpoint has to say: the hops it made itself by the time it took, and a file that could not be written.
pub(crate) fn gone_on(document: &mut Value, resumed: &Resumed, events: u64, seconds: f64) {
    let made = events.saturating_sub(resumed.from_events);
    extend(document, json!({ "events_per_cpu_second": made as f64 / seconds }));
    if let (Some(why), Some(list)) = (&resumed.failure, document["warnings"].as_array_mut()) {
        list.push(json!(format!("the checkpoint could not be written the last time: {why}")));
    }
}

fn told_by(found: &GasTransport, theta: &Told, dimensions: usize, seconds: f64) -> Value {
    let results = Results {
        tracer: &found.tracer,
        jump: &found.jump,
        uncorrelated: &found.uncorrelated,
        correlations: [found.tracer_correlation, found.collective_correlation, found.haven],
        running: &found.running,
        displacements: &found.displacements,
        dimensions,
        mobile_dimensions: dimensions,
    };
    let mut document = results.told(theta);
    extend(
        &mut document,
        json!({
            "engine": found.selection.name(),
            "carriers": if found.follows_vacancies { "vacancies" } else { "particles" },
            "events": found.events,
            "cpu_time_s": seconds,
            "acceptance": found.acceptance,
            "rejection_acceptance": found.pilot_acceptance,
            "detailed_balance_error": found.balance_error,
            "equilibration_z": found.equilibration_z,
            "converged": found.reached,
        }),
    );
    document
}
