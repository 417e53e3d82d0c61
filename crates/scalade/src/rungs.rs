//! Each rung alone, on the user's own files: documents with units in their keys.

use crate::error::ScaladeError;
use crate::kinds;
use crate::ordering_files::read_bytes;
use crate::orderings::Orderings;
use crate::rungs_thermal::FiniteTemperature;
use scalade_formats::FileFormat;
use scalade_hopping::{Budget, Diffusivity, RateParameters, TransportRequest, transport_point};
use scalade_lattice::{
    Fit, FitMethod, FitSettings, MappingReport, MappingSettings, choose_cutoffs, cutoff_candidates, diagnose,
    fit_expansion, sparing_choice,
};
use scalade_units::constants::{ELEMENTARY_CHARGE, FARADAY};
use scalade_units::{Dimension, Quantity, dimension};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;

pub(crate) fn quantity(what: &str, text: &str, want: Dimension) -> Result<f64, ScaladeError> {
    let parsed: Result<Quantity, _> = text.parse();
    parsed.and_then(|q| q.in_si(want)).map_err(|e| ScaladeError::input(format!("{what}: {e}")))
}

/// An energy in eV; one per mole is taken as that of one particle.
pub(crate) fn electronvolt(what: &str, text: &str) -> Result<f64, ScaladeError> {
    match quantity(what, text, dimension::MOLAR_ENERGY) {
        Ok(per_mole) => Ok(per_mole / FARADAY),
        Err(_) => Ok(quantity(what, text, dimension::ENERGY)? / ELEMENTARY_CHARGE),
    }
}

/// `voltage`: steps between hull vertices, average, hull. Without a reference energy, the frames of pure working ion give it; with densities of
/// states, the average voltage between two frames at finite temperature is told too.
pub fn voltage(
    mut orderings: Orderings,
    reference_energy: Option<&str>,
    valence: Option<u32>,
    finite_temperature: &FiniteTemperature,
) -> Result<Value, ScaladeError> {
    let reference = match reference_energy {
        Some(text) => electronvolt("reference energy", text)?,
        None => orderings.take_reference()?,
    };
    let orderings = &orderings;
    let profile = orderings.voltage_profile(reference, valence, None)?;
    let steps: Vec<Value> = profile
        .steps
        .iter()
        .map(|s| {
            json!({
                "x_from": s.x_from, "x_to": s.x_to, "voltage_V": s.voltage_v, "std_error_V": s.standard_error_v,
                "from": s.from_id, "to": s.to_id,
            })
        })
        .collect();
    let hull: Vec<Value> = profile
        .hull
        .vertex_points()
        .map(|p| json!({ "id": p.id, "x": p.x, "formation_energy_eV": p.formation_energy_ev }))
        .collect();
    let mut document = json!({
        "host": profile.host_formula,
        "working_ion": orderings.working_ion,
        "reference_energy_eV": reference,
        "structures": profile.hull.points.len(),
        "steps": steps,
        "average_voltage_V": profile.average_voltage_v,
        "average_std_error_V": profile.average_standard_error_v,
        "hull": hull,
    });
    if finite_temperature.is_given() {
        document["finite_temperature"] = finite_temperature.voltages(orderings, &profile)?;
    }
    Ok(document)
}

/// A fitted expansion with the fate of every structure.
#[derive(Debug)]
pub struct FittedExpansion {
    /// The ideal structure.
    pub parent: scalade_lattice::Parent,
    /// The fit.
    pub fit: Fit,
    /// Which structures took part.
    pub report: MappingReport,
    seed: u64,
    keeps_hull: bool,
    /// The candidates, if the cutoffs were chosen.
    choice: Vec<scalade_lattice::CutoffScore>,
}

impl FittedExpansion {
    /// Seed of the random streams.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

/// What a fit is made with.
#[derive(Clone, Copy, Debug)]
pub struct FitRequest<'a> {
    /// Cutoffs of pairs, triplets, quadruplets: lengths with units; "auto" for the first.
    pub cutoffs: [&'a str; 3],
    /// Structures that may be left out because they are not on the lattice.
    pub max_excluded: usize,
    /// Seed of the random streams.
    pub seed: u64,
    /// Posterior samples.
    pub samples: Option<usize>,
    /// File of the ideal structure, instead of the fullest frame.
    pub parent: Option<&'a Path>,
    /// Largest strain of a structure against the ideal lattice.
    pub max_strain: Option<f64>,
    /// Largest distance of an atom from its site: a length with unit.
    pub max_drift: Option<&'a str>,
    /// How the coefficients are found.
    pub method: FitMethod,
    /// Grouped folds whose error is told too.
    pub folds: Option<usize>,
    /// Whether the expansion must have the hull of the data.
    pub keep_hull: bool,
}

impl<'a> FitRequest<'a> {
    /// These cutoffs, and the defaults for the rest.
    pub fn new(cutoffs: [&'a str; 3]) -> Self {
        Self {
            cutoffs,
            max_excluded: 0,
            seed: 0,
            samples: None,
            parent: None,
            max_strain: None,
            max_drift: None,
            method: FitMethod::Bayesian,
            folds: None,
            keep_hull: false,
        }
    }

    pub(crate) fn mapping(&self) -> Result<MappingSettings, ScaladeError> {
        let drift = self.max_drift.map(|t| quantity("--max-drift", t, dimension::LENGTH)).transpose()?;
        mapping_settings(self.max_strain, drift.map(|m| m * 1e10))
    }

    /// The cutoffs.
    pub(crate) fn lengths(&self) -> Result<scalade_lattice::Cutoffs, ScaladeError> {
        let angstrom = |text: &str| quantity("cutoff", text, dimension::LENGTH).map(|m| m * 1e10);
        let [pair, triplet, quadruplet] = self.cutoffs;
        Ok(kinds::cutoffs(angstrom(pair)?, angstrom(triplet)?, angstrom(quadruplet)?))
    }
}

/// Limits of the mapping; `None` keeps the default. Lengths in angstrom.
pub(crate) fn mapping_settings(
    max_strain: Option<f64>,
    max_drift_angstrom: Option<f64>,
) -> Result<MappingSettings, ScaladeError> {
    let mut settings = MappingSettings::default();
    if let Some(strain) = max_strain {
        if !(0.0..=0.5).contains(&strain) {
            return Err(ScaladeError::input(format!("max_strain is {strain}; 0 to 0.5 is due")));
        }
        settings.max_strain = strain;
    }
    if let Some(drift) = max_drift_angstrom {
        if !(0.0..=3.0).contains(&drift) {
            return Err(ScaladeError::input(format!(
                "max_drift is {drift} angstrom; 0 to 3 angstrom is due"
            )));
        }
        settings.max_host_displacement_angstrom = drift;
        settings.max_working_displacement_angstrom = drift;
    }
    Ok(settings)
}

/// Furthest pairs and triplets that are tried where cutoffs are chosen, angstrom.
const FURTHEST_ANGSTROM: [f64; 2] = [9.0, 6.0];

/// Maps the orderings to their lattice and fits an expansion; `cutoffs` are lengths with units for pairs, triplets, quadruplets. With "auto" for the first,
/// pairs and triplets are chosen by leave-one-out errors, the simplest within one standard error of the least.
/// At most `max_excluded` structures may be left out because they are not on the lattice.
pub fn fit(orderings: &Orderings, request: &FitRequest) -> Result<FittedExpansion, ScaladeError> {
    let FitRequest { cutoffs, max_excluded, seed, samples, .. } = *request;
    let parent = match request.parent {
        Some(path) => orderings.parent_from(&read_bytes(path)?, &path.display().to_string())?,
        None => orderings.parent()?,
    };
    let report = orderings.map(&parent, &request.mapping()?, max_excluded)?;
    let refused = |e: scalade_lattice::LatticeError| ScaladeError::input(e.to_string());
    let mut settings = FitSettings::new(scalade_lattice::Cutoffs(Vec::new()));
    settings.seed = seed;
    settings.samples = samples.unwrap_or(settings.samples);
    settings.method = request.method;
    let mut choice = Vec::new();
    settings.cutoffs = if cutoffs[0] == "auto" {
        let [pair, triplet] = FURTHEST_ANGSTROM;
        let structures = report.mapped.len();
        let candidates =
            cutoff_candidates(&parent, pair, triplet, (structures / 2).max(2)).map_err(refused)?;
        let (_, scores) = choose_cutoffs(&parent, &report.mapped, &settings, &candidates).map_err(refused)?;
        let chosen = sparing_choice(&scores, structures).and_then(|k| candidates.get(k).cloned());
        choice = scores;
        chosen.ok_or_else(|| ScaladeError::input("too few structures to choose cutoffs; give them"))?
    } else {
        request.lengths()?
    };
    settings.folds = request.folds;
    settings.keep_hull = request.keep_hull;
    let fit = fit_expansion(&parent, &report.mapped, &settings).map_err(refused)?;
    Ok(FittedExpansion { parent, fit, report, seed, keeps_hull: request.keep_hull, choice })
}

/// Names of the methods of a fit.
pub const METHODS: [&str; 5] = ["bayes", "least-squares", "ridge", "lasso", "ard"];

/// The method of a name with its penalty.
pub fn fit_method(name: &str, penalty: Option<f64>) -> Result<FitMethod, ScaladeError> {
    let method = match name {
        "bayes" => FitMethod::Bayesian,
        "least-squares" => FitMethod::LeastSquares,
        "ridge" => FitMethod::Ridge { penalty },
        "lasso" => FitMethod::Lasso { penalty },
        "ard" => FitMethod::AutomaticRelevance,
        _ => {
            let short: String = name.chars().take(40).collect();
            let hint = scalade_study::did_you_mean(&short, METHODS).unwrap_or_default();
            return Err(ScaladeError::input(format!(
                "--method: there is no method \"{short}\"; {hint} methods are {}",
                METHODS.join(", ")
            )));
        }
    };
    if penalty.is_some() && !matches!(method, FitMethod::Ridge { .. } | FitMethod::Lasso { .. }) {
        return Err(ScaladeError::input(format!("--penalty belongs to ridge and lasso, not to {name}")));
    }
    Ok(method)
}

pub(crate) fn method_name(method: FitMethod) -> &'static str {
    match method {
        FitMethod::Bayesian => METHODS[0],
        FitMethod::LeastSquares => METHODS[1],
        FitMethod::Ridge { .. } => METHODS[2],
        FitMethod::Lasso { .. } => METHODS[3],
        FitMethod::AutomaticRelevance => METHODS[4],
    }
}

/// `expand`: quality of the fit and its interactions.
pub fn expand(fitted: &FittedExpansion) -> Result<Value, ScaladeError> {
    let fit = &fitted.fit;
    let interactions: Vec<Value> = fit
        .interactions
        .iter()
        .map(|i| {
            json!({
                "order": i.order, "diameter_angstrom": i.diameter_angstrom, "multiplicity": i.multiplicity,
                "eci_eV": i.value_ev, "std_error_eV": i.standard_deviation_ev,
            })
        })
        .collect();
    let parity: Vec<Value> = fit
        .parity
        .iter()
        .map(|p| {
            json!({
                "id": p.id, "x": p.site_fraction, "energy_eV_per_formula": p.data_ev, "fitted_eV_per_formula": p.fitted_ev,
                "leave_one_out_residual_eV": p.leave_one_out_residual_ev,
            })
        })
        .collect();
    let diagnostics =
        diagnose(&fitted.report.mapped, fit).map_err(|e| ScaladeError::internal(e.to_string()))?;
    Ok(json!({
        "structures": fitted.report.mapped.len(),
        "diagnostics": diagnostics,
        "excluded": excluded(&fitted.report.excluded),
        "choice": fitted.choice.iter().map(|c| json!({
            "cutoffs_angstrom": c.cutoffs.0, "orbits": c.orbits, "leave_one_out_error_eV": c.leave_one_out_rmse_ev,
            "training_error_eV": c.training_rmse_ev,
        })).collect::<Vec<_>>(),
        "leave_one_out_error_eV": fit.leave_one_out_rmse_ev,
        "training_error_eV": fit.training_rmse_ev,
        "effective_parameters": fit.effective_parameters,
        "method": method_name(fit.method),
        "keeps_hull": fitted.keeps_hull,
        "penalty": fit.penalty,
        "folds": folds(fit.folds),
        "rank": fit.rank,
        "columns": fit.columns,
        "not_told_apart": fit.dependent_orbits.iter().filter_map(|k| fit.interactions.get(*k)).map(|i| json!({
            "order": i.order, "diameter_angstrom": i.diameter_angstrom, "multiplicity": i.multiplicity,
        })).collect::<Vec<_>>(),
        "interactions": interactions,
        "parity": parity,
        "hull_disagreements": fit.hull_disagreements.iter().map(|h| json!({
            "id": h.id, "x": h.site_fraction, "above_data_hull_eV": h.above_data_hull_ev, "above_fitted_hull_eV": h.above_fitted_hull_ev,
        })).collect::<Vec<_>>(),
    }))
}

/// Structures that were left out, and why.
pub(crate) fn excluded(list: &[scalade_lattice::Excluded]) -> Value {
    let one = |e: &scalade_lattice::Excluded| json!({ "frame": e.frame + 1, "id": e.id, "reason": e.reason.to_string() });
    list.iter().map(one).collect()
}

/// Grouped folds with their error.
pub(crate) fn folds(of: Option<(usize, f64)>) -> Value {
    of.map_or(Value::Null, |(count, error)| json!({ "count": count, "error_eV": error }))
}

/// Writes an expansion as JSON, for model files.
pub fn write_expansion(hamiltonian: &impl serde::Serialize, out: &Path) -> Result<(), ScaladeError> {
    let text = serde_json::to_string(hamiltonian).map_err(|e| ScaladeError::internal(e.to_string()))?;
    crate::runner::write_atomic(out, text.as_bytes())
}

/// Runs `work` with at most `jobs` threads (all cores for `None`).
pub fn with_threads<R: Send>(
    jobs: Option<usize>,
    work: impl FnOnce() -> R + Send,
) -> Result<R, ScaladeError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.unwrap_or(0)).build();
    Ok(pool.map_err(|e| ScaladeError::internal(e.to_string()))?.install(work))
}

/// `convert`: between the formats that the file names tell; `frame` (from 1) picks one structure of many.
pub fn convert(input: &Path, output: &Path, frame: Option<usize>) -> Result<(), ScaladeError> {
    let (from_name, to_name) = (input.display().to_string(), output.display().to_string());
    let unknown = |name: &str| {
        ScaladeError::input(format!(
            "the name {name} tells no format; use .extxyz or .xyz, POSCAR, .poscar or .vasp, .json, .csv, and to read also .cif, .db (ASE), vasprun.xml, .pwo (pw.x)"
        ))
    };
    let from = FileFormat::of_path(&from_name, None).ok_or_else(|| unknown(&from_name))?;
    let to = FileFormat::of_path(&to_name, Some(from)).ok_or_else(|| unknown(&to_name))?;
    // A JSON input holds what its partner format says.
    let from = FileFormat::of_path(&from_name, Some(to)).unwrap_or(from);
    let bytes = read_bytes(input)?;
    let converted = scalade_formats::convert(&bytes, &from_name, from, to, frame)
        .map_err(|e| ScaladeError::input(e.to_string()))?;
    crate::runner::write_atomic(output, converted.as_bytes())
}

/// A request for one point of transport.
#[derive(Clone, Copy, Debug)]
pub struct HopRequest<'a> {
    /// CSV table of barriers.
    pub barriers: &'a Path,
    /// Working ions per site.
    pub composition: f64,
    /// Temperature with unit.
    pub temperature: &'a str,
    /// Attempt frequency with unit.
    pub attempt_frequency: &'a str,
    /// Threads.
    pub jobs: Option<usize>,
}

/// `hop`: tracer and jump diffusivities at one composition and temperature, best coefficients and barrier laws.
pub fn hop(fitted: &FittedExpansion, request: &HopRequest) -> Result<Value, ScaladeError> {
    let text = crate::orderings::read_text(request.barriers)?;
    let name = request.barriers.display().to_string();
    let (laws, _) = kinds::fit_barrier_laws(&text, &name, 0, fitted.seed)?;
    let temperature_k = quantity("temperature", request.temperature, dimension::TEMPERATURE)?;
    let prefactor_hz = quantity("attempt frequency", request.attempt_frequency, dimension::FREQUENCY)?;
    let hamiltonian = &fitted.fit.hamiltonian;
    let network = kinds::hop_network(hamiltonian, &[12, 12, 12])?;
    let transport = TransportRequest {
        network: &network,
        hamiltonian,
        coefficients_ev: &hamiltonian.coefficients_ev,
        model: laws.model,
        parameters: RateParameters { temperature_k, prefactor_hz },
        x: request.composition,
        budget: Budget::default(),
        seed: fitted.seed,
        stream: 0,
    };
    let start = Instant::now();
    let point = with_threads(request.jobs, || transport_point(&transport, &()))?
        .map_err(|e| ScaladeError::input(e.to_string()))?;
    let describe = |d: &Diffusivity| match d {
        Diffusivity::Converged { tensor, window_s, .. } => {
            json!({ "tensor_m2_per_s": tensor.value_m2_s, "std_error_m2_per_s": tensor.std_m2_s, "window_s": window_s })
        }
        Diffusivity::SubDiffusive { exponent, exponent_std } => {
            json!({ "verdict": "sub-diffusive", "exponent": exponent, "exponent_std_error": exponent_std })
        }
        Diffusivity::NotConverged { reason } => json!({ "verdict": "not converged", "reason": reason }),
    };
    Ok(json!({
        "composition": point.x,
        "temperature_K": point.temperature_k,
        "attempt_frequency_Hz": prefactor_hz,
        "jump": describe(&point.jump),
        "tracer": describe(&point.tracer),
        "haven_ratio": point.haven.map(|h| h.value),
        "haven_ratio_std_error": point.haven.map(|h| h.std),
        "tetrahedral_share_of_hops": point.hop_shares[1],
        "flicker_share": point.flicker_share,
        "events": point.events,
        "acceptance": point.acceptance,
        "equilibrated": point.equilibrated,
        "wall_time_s": start.elapsed().as_secs_f64(),
    }))
}
