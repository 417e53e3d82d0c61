//! `montecarlo MODEL.toml`: Monte Carlo and exact sums of lattice models.
//!
//! The document holds a point for every pair of a temperature and a chemical potential (concentration, phi), temperatures first. With N occupied
//! sites (spin +1 is occupied), E the energy without - mu N, and weights exp(-(E - mu N)/kT):
//!
//! - `concentration` <N>/sites, `energy_per_site` <E>/sites, `variance_per_site` (<N^2> - <N>^2)/sites;
//! - `heat_capacity_per_site` (<(E - mu N)^2> - <E - mu N>^2)/(kT)^2 per site, in units of k whatever the unit of the energies (mu counts as 0 in
//!   the ensembles that do not take one);
//! - `log_partition_per_site` ln sum exp(-(E - mu N)/kT) per site (exact sums, and Wang-Landau at mu = 0);
//! - `mu`: that of the file; none in the canonical ensemble; -kT kappa (phi + 2 <c>) in the variance-constrained one;
//! - `density_of_states` (exact enumeration, Wang-Landau): ln g of every energy, with sum g = 2^sites.
//! - `reweighted` (with a table `[reweighting]`): all points together, see [`crate::rungs_reweighting`].
//!
//! Energies are those of the box in the unit of the file. `moves_per_cpu_second` counts moves over the CPU time of the run with its equilibration
//! and averages: sites drawn (heat bath), tried (single) or flipped (clusters), events (rejection-free), states (exact enumeration).

use crate::error::ScaladeError;
use crate::model_file::{EnergySource, Ensemble, LatticeSource, ModelFile, ReweightingRequest};
use crate::orderings::read_text;
use crate::rungs_reweighting::{apart_message, exact_beside, reweighted};
use crate::rungs_species_model::{self, species_expansion};
use crate::runner::Failure;
use rayon::prelude::*;
use scalade_crystal::SiteGrid;
use scalade_handoff::{LatticeEnergy, LatticeHamiltonian};
use scalade_lattice::exact::Enumeration;
use scalade_lattice::model::exact::{ExactAverages, Levels, MOST_STATES_LOG2, ring};
use scalade_lattice::model::{
    Algorithm, Condition, FlatHistogram, Law, Multispin, PairModel, PairTables, RunSettings, SampledPoint,
    SpinExpansion, flat_histogram, hot, sample, sample_chains, sample_counted, sample_laws,
};
use scalade_lattice::{BOLTZMANN_EV_PER_K, Estimate, LatticeError};
use scalade_numerics::cpu_seconds;
use serde_json::{Value, json};
use std::path::Path;

fn refused(error: &LatticeError) -> ScaladeError {
    ScaladeError::input(error.to_string())
}

fn with_error(value: f64, error: f64) -> Value {
    json!({ "value": value, "std_error": error })
}

fn estimate(of: Estimate) -> Value {
    with_error(of.value, of.error)
}

/// Whether a file name is that of a lattice model.
pub fn is_model(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("toml"))
}

/// Reads and runs a model file. A run that misses its precision is a [`Failure::Partial`] that holds the document.
pub fn montecarlo_model(path: &Path, exact: bool, jobs: Option<usize>) -> Result<Value, Failure> {
    let name = path.display().to_string();
    let text = read_text(path)?;
    if let Some(hamiltonian) = species_expansion(&text, path)? {
        return rungs_species_model::run(&text, path, hamiltonian, exact, jobs);
    }
    let file = ModelFile::parse(&text, &name)?;
    let model = build(&file, path)?;
    let exact = exact || file.exact;
    let boltzmann = if file.electronvolt { BOLTZMANN_EV_PER_K } else { 1.0 };
    let mut document = header(&file, &model);
    let start = cpu_seconds();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.unwrap_or(0)).build();
    let pool = pool.map_err(|e| ScaladeError::internal(e.to_string()))?;
    let work = || -> Result<Body, ScaladeError> {
        match (&file.ensemble, exact) {
            (Ensemble::SemiGrand { chemical_potential }, true) => {
                let asked = file.reweighting.as_ref();
                exact_points(&model, &file.temperature, chemical_potential, asked, boltzmann)
            }
            (_, true) => Err(ScaladeError::input(
                "exact sums are those of the semigrand ensemble; set ensemble = \"semigrand\"",
            )),
            (Ensemble::WangLandau, false) => density_points(&model, &file, boltzmann),
            (ensemble, false) => sampled_points(&model, &file, ensemble, boltzmann),
        }
    };
    let body = pool.install(work)?;
    let seconds = cpu_seconds() - start;
    if let Value::Object(map) = &mut document {
        map.insert("method".into(), json!(body.method));
        map.insert("points".into(), Value::Array(body.points));
        for (key, value) in body.beside {
            map.insert(key.into(), value);
        }
        map.insert("moves".into(), json!(body.moves));
        map.insert("moves_per_cpu_second".into(), json!(body.moves / seconds.max(1e-9)));
        map.insert("cpu_time_s".into(), json!(seconds));
        map.insert("converged".into(), json!(body.unconverged.is_empty() && body.apart.is_none()));
    }
    if let Some(message) = body.apart {
        return Err(Failure::Partial { document: Box::new(document), message });
    }
    if body.unconverged.is_empty() {
        return Ok(document);
    }
    let message = format!(
        "not converged, partial result kept: {} missed the precision of {:e} on the energy per site; raise max_moves or precision, or set replica_exchange = true",
        body.unconverged.join(", "),
        file.precision
    );
    Err(Failure::Partial { document: Box::new(document), message })
}

/// The results of a run.
struct Body {
    method: &'static str,
    points: Vec<Value>,
    beside: Vec<(&'static str, Value)>,
    moves: f64,
    /// Points that missed their precision.
    unconverged: Vec<String>,
    /// Why the points could not be taken together.
    apart: Option<String>,
}

/// A model on its box.
pub(crate) enum Model {
    Pairs(PairModel),
    Expansion {
        energy: Box<LatticeEnergy>,
        /// Bound on the energy gap of a site.
        widest: f64,
        /// What the heat bath counts, if it suits the expansion and the box.
        counted: Option<Box<SpinExpansion>>,
    },
}

impl Model {
    fn sites(&self) -> usize {
        match self {
            Self::Pairs(model) => model.sites(),
            Self::Expansion { energy, .. } => energy.grid().sites(),
        }
    }
}

/// Most terms (sites times clusters) of an expansion in a box.
const MOST_TERMS: usize = 1 << 27;

fn build(file: &ModelFile, path: &Path) -> Result<Model, ScaladeError> {
    let beside = |name: &str| path.parent().unwrap_or(Path::new("")).join(name);
    match (&file.energy, &file.lattice) {
        (EnergySource::Pairs { variables, pairs }, LatticeSource::Named(named)) => {
            PairModel::named(*named, &file.size, *variables, pairs).map(Model::Pairs).map_err(|e| refused(&e))
        }
        (EnergySource::Pairs { variables, pairs }, LatticeSource::Structure(name)) => {
            let structure = read_structure(&beside(name))?;
            let dims = [file.size[0], file.size[1], file.size[2]];
            PairModel::new(&structure, 3, dims, *variables, pairs).map(Model::Pairs).map_err(|e| refused(&e))
        }
        (EnergySource::Expansion(name), _) => {
            let path = beside(name);
            let input = |e: &dyn std::fmt::Display| ScaladeError::input(format!("{}: {e}", path.display()));
            let expansion: LatticeHamiltonian =
                serde_json::from_str(&read_text(&path)?).map_err(|e| input(&e))?;
            let dims = [file.size[0], file.size[1], file.size[2]];
            expansion_model(&expansion, &expansion.coefficients_ev, dims).map_err(|e| input(&e))
        }
        (EnergySource::Pairs { .. }, LatticeSource::Expansion) => {
            Err(ScaladeError::internal("a lattice without a source"))
        }
    }
}

/// An expansion on a box, its energies in the unit of the coefficients.
pub(crate) fn expansion_model(
    expansion: &LatticeHamiltonian,
    coefficients: &[f64],
    dims: [usize; 3],
) -> Result<Model, ScaladeError> {
    let input = |e: &dyn std::fmt::Display| ScaladeError::input(e.to_string());
    expansion.check().map_err(|e| input(&e))?;
    let grid = SiteGrid::new(dims, expansion.basis_fractional.len()).map_err(|e| input(&e))?;
    let per_cell: usize = expansion.orbits.iter().map(|o| o.order * o.clusters.len()).sum();
    if grid.cells().saturating_mul(per_cell.max(1)) > MOST_TERMS {
        return Err(input(&format!(
            "{} cells with {per_cell} cluster sites each are more than {MOST_TERMS} terms; use a smaller size",
            grid.cells()
        )));
    }
    let weights = expansion.orbits.iter().zip(coefficients.iter().skip(1));
    let widest: f64 = weights.map(|(o, c)| 2.0 * c.abs() * (o.order * o.clusters.len()) as f64).sum();
    let energy = LatticeEnergy::new(expansion, coefficients, grid, &[]).map_err(|e| input(&e))?;
    let counted = SpinExpansion::new(expansion, coefficients, grid).map_err(|e| input(&e))?;
    let counted = counted.filter(Multispin::suits).map(Box::new);
    Ok(Model::Expansion { energy: Box::new(energy), widest, counted })
}

/// A structure from a JSON file of frames, or a POSCAR.
pub(crate) fn read_structure(path: &Path) -> Result<scalade_crystal::Structure, ScaladeError> {
    let name = path.display().to_string();
    let text = read_text(path)?;
    let input = |e: scalade_formats::FormatError| ScaladeError::input(e.to_string());
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) {
        if let Ok(structure) = serde_json::from_str(&text) {
            return Ok(structure);
        }
        let frames = scalade_formats::read_frames_json(&text, &name).map_err(input)?;
        let Some(first) = frames.first() else {
            return Err(ScaladeError::input(format!("{name}: no structure in the file")));
        };
        return first.structure().map_err(|e| ScaladeError::input(format!("{name}: {e}")));
    }
    Ok(scalade_formats::read_poscar(&text, &name).map_err(input)?.structure)
}

fn header(file: &ModelFile, model: &Model) -> Value {
    let unit = if file.electronvolt { "eV" } else { "1" };
    let (shells, warnings) = match model {
        Model::Pairs(model) => {
            let shells = model.shells().iter().map(
                |s| json!({ "distance": s.distance, "neighbours": s.neighbours[0].len(), "pair": s.energy }),
            );
            (Some(shells.collect::<Vec<_>>()), model.warnings())
        }
        Model::Expansion { .. } => (None, Vec::new()),
    };
    json!({
        "sites": model.sites(),
        "shells": shells,
        "energy_unit": unit,
        "temperature_unit": if file.electronvolt { "K" } else { "1" },
        "heat_capacity_unit": "k",
        "seed": file.seed,
        "warnings": warnings,
    })
}

/// Largest box of an expansion that is enumerated (its states are listed one by one).
pub(crate) const MOST_EXPANSION_SITES: usize = 24;

pub(crate) fn levels(model: &Model) -> Result<Option<Levels>, ScaladeError> {
    match model {
        Model::Pairs(pairs) if pairs.sites() <= MOST_STATES_LOG2 => {
            Levels::enumerate(pairs).map(Some).map_err(|e| refused(&e))
        }
        Model::Pairs(_) => Ok(None),
        Model::Expansion { energy, .. } => {
            let sites = energy.grid().sites();
            if sites > MOST_EXPANSION_SITES {
                return Err(refused(&LatticeError::TooManyStates {
                    sites,
                    limit_log2: MOST_EXPANSION_SITES,
                }));
            }
            let states = Enumeration::new((**energy).clone()).map_err(|e| refused(&e))?;
            Ok(Some(Levels::of_states(sites, states.states())))
        }
    }
}

fn exact_points(
    model: &Model,
    temperatures: &[f64],
    mus: &[f64],
    asked: Option<&ReweightingRequest>,
    boltzmann: f64,
) -> Result<Body, ScaladeError> {
    let levels = levels(model)?;
    let enumerable = levels.is_some();
    let at = |condition: Condition| match (&levels, model) {
        (Some(levels), _) => Ok(levels.at(condition.kt, condition.mu)),
        (None, Model::Pairs(pairs)) => ring(pairs, condition.kt, condition.mu).map_err(|e| refused(&e)),
        (None, Model::Expansion { .. }) => Err(ScaladeError::internal("an expansion without its levels")),
    };
    let mut points = Vec::new();
    for temperature in temperatures {
        for mu in mus {
            let found = at(Condition { kt: boltzmann * temperature, mu: *mu })?;
            points.push(exact_point(*temperature, *mu, &found));
        }
    }
    let mut beside = Vec::new();
    if let Some(asked) = asked {
        let zero = Condition { kt: boltzmann * temperatures[0], mu: mus[0] };
        beside.push(("reweighted", exact_beside(asked, zero, boltzmann, at)?));
    }
    if let Some(levels) = &levels {
        let states: Vec<Value> = levels
            .density_of_states()
            .into_iter()
            .map(|(energy, g)| json!({ "energy": energy, "ln_g": (g as f64).ln(), "g": g }))
            .collect();
        // Models with incommensurate energies have as many levels as states: a list of those helps nobody.
        if states.len() <= 65_536 {
            beside.push(("density_of_states", Value::Array(states)));
        }
    }
    let moves = if enumerable { (1u64 << model.sites()) as f64 } else { 0.0 };
    let method = if enumerable { "exact enumeration" } else { "transfer matrix" };
    Ok(Body { method, points, beside, moves, unconverged: Vec::new(), apart: None })
}

fn exact_point(temperature: f64, mu: f64, at: &ExactAverages) -> Value {
    json!({
        "temperature": temperature,
        "mu": mu,
        "concentration": with_error(at.concentration, 0.0),
        "energy_per_site": with_error(at.energy, 0.0),
        "heat_capacity_per_site": with_error(at.heat_capacity, 0.0),
        "variance_per_site": with_error(at.variance, 0.0),
        "log_partition_per_site": with_error(at.log_partition, 0.0),
        "absolute_magnetisation": at.absolute_magnetisation.map(|m| with_error(m, 0.0)),
        "binder_cumulant": at.binder_cumulant.map(|b| with_error(b, 0.0)),
    })
}

fn settings(file: &ModelFile) -> RunSettings {
    let default = RunSettings::default();
    RunSettings {
        precision: file.precision,
        seed: file.seed,
        most_moves: file.most_moves.unwrap_or(default.most_moves),
        algorithm: file.algorithm,
        replica_exchange: file.replica_exchange,
        samples: file.reweighting.as_ref().map_or(0, |r| r.samples),
    }
}

/// The second coordinate of a point, with its law.
fn laws(ensemble: &Ensemble, sites: usize) -> Vec<Law> {
    match ensemble {
        Ensemble::SemiGrand { chemical_potential } => {
            chemical_potential.iter().map(|mu| Law::SemiGrand { mu: *mu }).collect()
        }
        Ensemble::Canonical { concentration } => concentration
            .iter()
            .map(|c| Law::Canonical { occupied: (c * sites as f64).round() as usize })
            .collect(),
        Ensemble::VarianceConstrained { phi, kappa } => {
            phi.iter().map(|phi| Law::VarianceConstrained { phi: *phi, kappa: *kappa }).collect()
        }
        Ensemble::WangLandau => Vec::new(),
    }
}

/// The conditions of points that are all semi-grand-canonical.
fn grand(points: &[(f64, Law)]) -> Option<Vec<Condition>> {
    points
        .iter()
        .map(|(kt, law)| match law {
            Law::SemiGrand { mu } => Some(Condition { kt: *kt, mu: *mu }),
            _ => None,
        })
        .collect()
}

pub(crate) fn sample_all(
    model: &Model,
    points: &[(f64, Law)],
    settings: &RunSettings,
) -> Result<Vec<SampledPoint>, LatticeError> {
    let grand = grand(points);
    match (model, grand) {
        (Model::Pairs(pairs), Some(conditions)) => sample(pairs, &conditions, settings),
        (Model::Pairs(pairs), None) => sample_laws(pairs, points, settings),
        (Model::Expansion { counted: Some(counted), .. }, Some(conditions))
            if matches!(settings.algorithm, Algorithm::Auto | Algorithm::HeatBath) =>
        {
            sample_counted(&**counted, &conditions, settings)
        }
        (Model::Expansion { energy, widest, .. }, _) => Ok(points
            .par_iter()
            .enumerate()
            .map(|(index, (kt, law))| {
                let mu = if let Law::SemiGrand { mu } = law { *mu } else { 0.0 };
                let condition = Condition { kt: *kt, mu };
                let hot = 2.0 * (widest + mu.abs());
                sample_chains(&**energy, *law, condition, hot, Algorithm::Single, settings, index as u32)
            })
            .collect()),
    }
}

/// Refuses an algorithm or exchanges that an expansion cannot have.
fn check_algorithm(model: &Model, file: &ModelFile, ensemble: &Ensemble) -> Result<(), ScaladeError> {
    let grand = matches!(ensemble, Ensemble::SemiGrand { .. });
    if file.replica_exchange && !grand {
        return Err(ScaladeError::input("replica_exchange works in the semigrand ensemble; leave it out"));
    }
    let Model::Expansion { counted, .. } = model else { return Ok(()) };
    let bath = grand && counted.is_some();
    match file.algorithm {
        Algorithm::HeatBath if !bath => Err(ScaladeError::input(
            "algorithm: the heat bath of an expansion needs the semigrand ensemble, a box in which no cluster meets itself, and at most 256 neighbours of a site; leave it out",
        )),
        Algorithm::Wolff | Algorithm::RejectionFree | Algorithm::Reference => Err(ScaladeError::input(
            "algorithm: an expansion is sampled by \"heat-bath\" or \"single\"; leave it out",
        )),
        _ if file.replica_exchange && (!bath || file.algorithm == Algorithm::Single) => {
            Err(ScaladeError::input(
                "replica_exchange needs the heat bath, which does not suit this expansion and box; leave it out",
            ))
        }
        _ => Ok(()),
    }
}

fn sampled_points(
    model: &Model,
    file: &ModelFile,
    ensemble: &Ensemble,
    boltzmann: f64,
) -> Result<Body, ScaladeError> {
    let laws = laws(ensemble, model.sites());
    let pairs: Vec<(f64, Law)> =
        file.temperature.iter().flat_map(|t| laws.iter().map(|law| (*t, *law))).collect();
    check_algorithm(model, file, ensemble)?;
    let points: Vec<(f64, Law)> = pairs.iter().map(|(t, law)| (boltzmann * t, *law)).collect();
    let sampled = sample_all(model, &points, &settings(file)).map_err(|e| refused(&e))?;
    let mut unconverged = Vec::new();
    let mut out = Vec::new();
    for (((temperature, law), (kt, _)), point) in pairs.iter().zip(&points).zip(&sampled) {
        let (mu, extra) = match law {
            Law::SemiGrand { mu } => (json!(mu), Vec::new()),
            Law::Canonical { occupied } => (Value::Null, vec![("occupied", json!(occupied))]),
            Law::VarianceConstrained { phi, kappa } => {
                let c = point.summary.concentration;
                let mu = -kt * kappa * (phi + 2.0 * c.value);
                let error = json!(2.0 * kt * kappa * c.error);
                (json!(mu), vec![("mu_std_error", error), ("phi", json!(phi)), ("kappa", json!(kappa))])
            }
        };
        if !point.converged {
            unconverged.push(match law {
                Law::SemiGrand { mu } => format!("temperature {temperature}, mu {mu}"),
                Law::Canonical { occupied } => {
                    format!("temperature {temperature}, {occupied} occupied sites")
                }
                Law::VarianceConstrained { phi, .. } => format!("temperature {temperature}, phi {phi}"),
            });
        }
        let mut value = sampled_point(*temperature, &mu, point);
        if let Value::Object(map) = &mut value {
            map.extend(extra.into_iter().map(|(k, v)| (k.to_string(), v)));
        }
        out.push(value);
    }
    let moves = sampled.iter().map(|p| p.moves as f64).sum();
    let mut beside = Vec::new();
    let mut apart = None;
    if let Some(request) = &file.reweighting {
        match reweighted(model.sites(), &sampled, request, boltzmann) {
            Ok(value) => beside.push(("reweighted", value)),
            Err(error) => apart = Some(apart_message(&error, &pairs)),
        }
    }
    Ok(Body { method: "Monte Carlo", points: out, beside, moves, unconverged, apart })
}

fn density_points(model: &Model, file: &ModelFile, boltzmann: f64) -> Result<Body, ScaladeError> {
    if file.replica_exchange {
        return Err(ScaladeError::input(
            "replica_exchange does not belong to the ensemble \"wang-landau\"; leave it out",
        ));
    }
    let kts: Vec<f64> = file.temperature.iter().map(|t| boltzmann * t).collect();
    let settings = settings(file);
    let found: FlatHistogram = match model {
        Model::Pairs(pairs) => {
            let tables = PairTables::new(pairs);
            flat_histogram(&tables.empty(), hot(pairs, 0.0) * pairs.sites() as f64, &kts, &settings)
        }
        Model::Expansion { energy, widest, .. } => {
            flat_histogram(&**energy, 2.0 * widest * energy.grid().sites() as f64, &kts, &settings)
        }
    }
    .map_err(|e| refused(&e))?;
    let mut unconverged = Vec::new();
    let mut points = Vec::new();
    for (temperature, p) in file.temperature.iter().zip(&found.points) {
        if p.energy.error > settings.precision {
            unconverged.push(format!("temperature {temperature}"));
        }
        points.push(json!({
            "temperature": temperature,
            "mu": 0.0,
            "concentration": estimate(p.concentration),
            "energy_per_site": estimate(p.energy),
            "heat_capacity_per_site": estimate(p.heat_capacity),
            "variance_per_site": estimate(p.variance),
            "absolute_magnetisation": estimate(p.absolute_magnetisation),
            "log_partition_per_site": estimate(p.log_partition),
        }));
    }
    let density: Vec<Value> = found
        .density
        .iter()
        .map(|d| json!({ "energy": d.energy, "ln_g": d.ln_g.value, "std_error": d.ln_g.error }))
        .collect();
    let beside = vec![("density_of_states", Value::Array(density))];
    Ok(Body { method: "flat histogram", points, beside, moves: found.moves as f64, unconverged, apart: None })
}

fn sampled_point(temperature: f64, mu: &Value, point: &SampledPoint) -> Value {
    let s = &point.summary;
    json!({
        "temperature": temperature,
        "mu": mu,
        "concentration": estimate(s.concentration),
        "energy_per_site": estimate(s.energy),
        "heat_capacity_per_site": estimate(s.heat_capacity),
        "variance_per_site": estimate(s.variance),
        "absolute_magnetisation": estimate(s.absolute_magnetisation),
        "binder_cumulant": estimate(s.binder_cumulant),
        "algorithm": point.algorithm,
        "autocorrelation_time_sweeps": s.autocorrelation_time * point.sweeps_per_record,
        "sweeps": s.kept as f64 * point.sweeps_per_record,
        "equilibration_sweeps": s.discarded as f64 * point.sweeps_per_record,
        "equilibrated": s.equilibrated,
        "replicas": s.replicas,
        "moves": point.moves,
        "acceptance": point.acceptance,
        "exchange_acceptance": point.exchange_acceptance,
        "converged": point.converged,
    })
}
