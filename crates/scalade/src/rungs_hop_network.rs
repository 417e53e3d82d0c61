//! `hop MODEL.toml` of expansions: ions on the sites of a cluster expansion, their hops with one activation or with local cluster expansions.
//!
//! Lengths are in angstrom, times in seconds (in the unit of 1/rate where a rate is given), so that diffusivities are in angstrom^2/s. Tensors are Cartesian,
//! three rows of three. Rates are those of [`scalade_hopping::rates`], the attempt frequency of a local expansion that tells it being that of the surroundings; with a rate nu alone they are nu exp(-(E_final - E_initial)/2kT) for every hop.

use crate::error::ScaladeError;
use crate::hop_document::{NOWHERE, Results, across, exactly, extend, finished};
use crate::hop_file::{HopActivation, HopFile, HopSource};
use crate::hop_theta::{SHARES, ThetaRequest, Told, by_levels, by_sampling, hard_core};
use crate::orderings::read_text;
use crate::rungs_hop_model::{Checkpoint, gone_on, too_many_states};
use crate::rungs_model::{MOST_EXPANSION_SITES, expansion_model, levels, sample_all};
use crate::runner::Failure;
use scalade_crystal::{LatticeSite, SiteGrid};
use scalade_handoff::{ClusterOrbit, LatticeHamiltonian, LocalExpansion, SpeciesHamiltonian, VACANT};
use scalade_hopping::{
    ASSUMED_PREFACTOR_HZ, Budget, Diffusivity, EventKind, Follow, GridNetwork, HopNetwork, HopShell,
    HoppingError, KraModel, RateParameters, Resumed, TransportPoint, TransportRequest, exact_transport,
    transport_to_error, transport_to_error_resumable,
};
use scalade_lattice::model::{Law, RunSettings};
use scalade_numerics::cpu_seconds;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Hops of the first try at an error.
const FIRST_HOPS: u64 = 400_000;
/// Half of the largest energy change that a hop may have with a rate alone, in kT: its exponential must fit a double.
const LARGEST_HALF: f64 = 300.0;

fn refused(error: &HoppingError) -> ScaladeError {
    ScaladeError::input(error.to_string())
}

/// Reads JSON of a type, from a file beside the model file.
fn read<T: DeserializeOwned>(model: &Path, name: &str) -> Result<(T, PathBuf), ScaladeError> {
    let path = model.parent().unwrap_or(Path::new("")).join(name);
    let read = serde_json::from_str(&read_text(&path)?);
    let value = read.map_err(|e| ScaladeError::input(format!("{}: {e}", path.display())))?;
    Ok((value, path))
}

/// The coefficients asked for: the best ones, or a sample.
pub(crate) fn coefficients<'a>(
    best: &'a [f64],
    samples: &'a [Vec<f64>],
    sample: Option<usize>,
    name: &str,
) -> Result<&'a [f64], ScaladeError> {
    match sample {
        None => Ok(best),
        Some(k) => samples.get(k).map(Vec::as_slice).ok_or_else(|| {
            ScaladeError::input(format!(
                "{name}: sample {k} is asked for; it holds {}, counted from 0",
                samples.len()
            ))
        }),
    }
}

/// A model ready to run.
struct Network {
    hamiltonian: LatticeHamiltonian,
    coefficients_ev: Vec<f64>,
    grid: GridNetwork,
    laws: KraModel,
    parameters: RateParameters,
    /// Directions along which ions can go.
    span: Vec<[f64; 3]>,
    names: Vec<String>,
    /// Whether hops have activations: a rate alone has none, and times in the unit of its inverse.
    has_barriers: bool,
}

impl Network {
    fn build(file: &HopFile, path: &Path) -> Result<Self, ScaladeError> {
        let HopSource::Network { expansion, sample, activation, within_angstrom, temperature_k } =
            &file.source
        else {
            return Err(ScaladeError::internal("a lattice gas is no network"));
        };
        let mut names = Vec::new();
        let local = match activation {
            HopActivation::Local { files, attempt_frequencies_hz, sample } => {
                names.extend(files.iter().cloned());
                local_kinds(path, files, attempt_frequencies_hz.as_deref(), *sample)?
            }
            _ => Vec::new(),
        };
        let hamiltonian = match expansion {
            Some(name) => {
                names.insert(0, name.clone());
                let (species, chosen) = energies(path, name, *sample)?;
                species.of_one_ion(&chosen).map_err(|e| ScaladeError::input(format!("{name}: {e}")))?
            }
            None => without_energies(&local, &names)?,
        };
        let coefficients_ev = hamiltonian.coefficients_ev.clone();
        let network = join(&hamiltonian, activation, &local, *within_angstrom)?;
        let span = network.span();
        if span.is_empty() {
            return Err(ScaladeError::input(NOWHERE));
        }
        let sites = hamiltonian.basis_fractional.len();
        let dims = [file.size[0], file.size[1], file.size[2]];
        let grid = SiteGrid::new(dims, sites).map_err(|e| ScaladeError::input(e.to_string()))?;
        let grid = GridNetwork::new(network, grid).map_err(|e| refused(&e))?;
        let (laws, prefactor_hz) = rates(activation, &local, &hamiltonian, &coefficients_ev, *temperature_k)?;
        let parameters = RateParameters { temperature_k: *temperature_k, prefactor_hz };
        let has_barriers = !matches!(activation, HopActivation::Rate(_));
        Ok(Self { hamiltonian, coefficients_ev, grid, laws, parameters, span, names, has_barriers })
    }

    fn sites(&self) -> usize {
        self.grid.grid().sites()
    }

    fn thermal_ev(&self) -> f64 {
        self.parameters.thermal_energy_ev()
    }

    /// Whether all arrangements of so many ions have one energy.
    fn is_hard_core(&self) -> bool {
        let orbits = self.hamiltonian.orbits.iter().zip(&self.coefficients_ev[1..]);
        orbits.into_iter().all(|(_, c)| *c == 0.0)
    }
}

/// The bonds: the events of local expansions, or the pairs of sites near enough.
fn join(
    hamiltonian: &LatticeHamiltonian,
    activation: &HopActivation,
    local: &[LocalKind],
    within_angstrom: Option<f64>,
) -> Result<HopNetwork, ScaladeError> {
    let HopActivation::Local { files, .. } = activation else {
        let shell = within_angstrom.map_or(HopShell::Nearest, HopShell::Within);
        return HopNetwork::new(hamiltonian, shell).map_err(|e| refused(&e));
    };
    let mut kinds = Vec::new();
    for of in local {
        kinds.push(EventKind {
            expansion: &of.expansion,
            coefficients_ev: &of.expansion.coefficients_ev,
            attempts: of.frequency_hz / local[0].frequency_hz,
            ln_attempts: of.ln_attempts.as_deref(),
        });
    }
    let basis = hamiltonian.basis_fractional.clone();
    HopNetwork::from_events(hamiltonian.lattice_angstrom, basis, &kinds).map_err(|e| match e {
        HoppingError::Event { kind, reason } => {
            ScaladeError::input(format!("{}: {reason}", files.get(kind).map_or("kra", |f| f)))
        }
        other => refused(&other),
    })
}

/// Hops of one kind.
pub(crate) struct LocalKind {
    pub name: String,
    /// With the coefficients asked for: its best ones or a sample.
    pub expansion: LocalExpansion,
    /// Attempt frequency in Hz, but for what follows.
    pub frequency_hz: f64,
    /// Coefficients of the logarithm of a factor that depends on the surroundings, without a constant.
    ln_attempts: Option<Vec<f64>>,
}

/// Largest magnitude of ln(nu/Hz), nu the attempt frequency in any surroundings.
const MOST_LN_HZ: f64 = 250.0;

/// Reads local expansions with what is asked of them. Attempt frequencies come from the model file, or from all of the files, or are the customary one.
pub(crate) fn local_kinds(
    model: &Path,
    files: &[String],
    given_hz: Option<&[f64]>,
    sample: Option<usize>,
) -> Result<Vec<LocalKind>, ScaladeError> {
    let mut out = Vec::new();
    for (k, name) in files.iter().enumerate() {
        let mut expansion = local_expansion(model, name)?;
        expansion.coefficients_ev =
            coefficients(&expansion.coefficients_ev, &expansion.samples_ev, sample, name)?.to_vec();
        let mut frequency_hz = given_hz.and_then(|list| list.get(k).copied()).unwrap_or(ASSUMED_PREFACTOR_HZ);
        let mut ln_attempts = None;
        if let Some(own) = &mut expansion.attempt_frequency {
            if given_hz.is_some() {
                return Err(ScaladeError::input(format!(
                    "[hops] attempt_frequency stands beside {name}, which has attempt frequencies of its own (attempt_frequency); leave one of them out"
                )));
            }
            own.coefficients_ln_hz =
                coefficients(&own.coefficients_ln_hz, &own.samples_ln_hz, sample, name)?.to_vec();
            let chosen = own.coefficients_ln_hz.clone();
            let [low, high] = expansion.bounds(&chosen);
            if low.abs().max(high.abs()).partial_cmp(&MOST_LN_HZ) != Some(std::cmp::Ordering::Less) {
                return Err(ScaladeError::input(format!(
                    "{name}: ln(nu/Hz) of its attempt frequencies reaches from {low:.1} to {high:.1}; within +-{MOST_LN_HZ} is due"
                )));
            }
            frequency_hz = chosen[0].exp();
            ln_attempts = Some(std::iter::once(0.0).chain(chosen.into_iter().skip(1)).collect());
        }
        out.push(LocalKind { name: name.clone(), expansion, frequency_hz, ln_attempts });
    }
    let (with, without): (Vec<&LocalKind>, Vec<&LocalKind>) =
        out.iter().partition(|kind| kind.ln_attempts.is_some());
    if let (Some(one), Some(other)) = (with.first(), without.first()) {
        return Err(ScaladeError::input(format!(
            "[hops] kra: {} has attempt frequencies of its own and {} has none; give all files attempt frequencies (barriers, with attempt_frequency_THz of every hop), or none",
            one.name, other.name
        )));
    }
    Ok(out)
}

fn local_expansion(model: &Path, name: &str) -> Result<LocalExpansion, ScaladeError> {
    let (expansion, path): (LocalExpansion, _) = read(model, name)?;
    let input = |e: &dyn std::fmt::Display| ScaladeError::input(format!("{}: {e}", path.display()));
    expansion.check().map_err(|e| input(&e))?;
    if expansion.parity != scalade_handoff::Parity::Even {
        return Err(input(
            &"the barriers of both directions were fitted apart (parity \"directed\"): rates of hops must balance; fit their mean (barriers without --directed)",
        ));
    }
    Ok(expansion)
}

/// Energies of any species in either form that `expand --write` writes, with the coefficients asked for.
pub(crate) fn energies(
    model: &Path,
    name: &str,
    sample: Option<usize>,
) -> Result<(SpeciesHamiltonian, Vec<f64>), ScaladeError> {
    let (value, path): (Value, _) = read(model, name)?;
    let input = |e: &dyn std::fmt::Display| ScaladeError::input(format!("{}: {e}", path.display()));
    let hamiltonian = if value.get("sites").is_some() {
        serde_json::from_value(value).map_err(|e| input(&e))?
    } else {
        let binary: LatticeHamiltonian = serde_json::from_value(value).map_err(|e| input(&e))?;
        binary.check().map_err(|e| input(&e))?;
        SpeciesHamiltonian::from(&binary)
    };
    hamiltonian.check().map_err(|e| input(&e))?;
    let chosen = coefficients(&hamiltonian.coefficients_ev, &hamiltonian.samples_ev, sample, name)?;
    // A sample has the Coulomb coefficient at its end.
    let chosen = chosen.get(..hamiltonian.coefficients_ev.len()).unwrap_or(chosen).to_vec();
    Ok((hamiltonian, chosen))
}

/// The lattice of the first local expansion, where nothing but exclusion acts.
fn without_energies(local: &[LocalKind], names: &[String]) -> Result<LatticeHamiltonian, ScaladeError> {
    let (Some(LocalKind { expansion: first, .. }), Some(name)) = (local.first(), names.first()) else {
        return Err(ScaladeError::internal("neither energies nor local expansions"));
    };
    let taken: Vec<_> = first.sites.iter().filter(|s| s.species.len() > 1).collect();
    let ion = taken.iter().flat_map(|s| &s.species).find(|s| *s != VACANT);
    let Some(ion) = ion else {
        return Err(ScaladeError::input(format!("{name}: no site takes an ion and {VACANT}")));
    };
    Ok(LatticeHamiltonian {
        lattice_angstrom: first.lattice_angstrom,
        basis_fractional: taken.iter().map(|s| s.fractional).collect(),
        working_ion: ion.clone(),
        formula_units_per_cell: 1.0,
        orbits: Vec::new(),
        coefficients_ev: vec![0.0],
        samples_ev: Vec::new(),
    })
}

/// The laws of the barriers and the attempt frequency.
///
/// A rate nu alone knows no smallest barrier: an activation above half of every energy change, with nu times its exponential as attempt frequency, leaves
/// nu exp(-(E_final - E_initial)/2kT).
fn rates(
    activation: &HopActivation,
    local: &[LocalKind],
    hamiltonian: &LatticeHamiltonian,
    coefficients_ev: &[f64],
    temperature_k: f64,
) -> Result<(KraModel, f64), ScaladeError> {
    let parameters = RateParameters::at(temperature_k);
    match activation {
        HopActivation::Local { .. } => {
            let first = local.first().ok_or_else(|| ScaladeError::internal("no kind of hops"))?;
            Ok((KraModel::uniform(0.0), first.frequency_hz))
        }
        HopActivation::Uniform { barrier_ev, attempt_frequency_hz } => {
            Ok((KraModel::uniform(*barrier_ev), *attempt_frequency_hz))
        }
        HopActivation::Rate(rate) => {
            // A hop flips two spins, each of which is in this many clusters at most.
            let clusters = |o: &ClusterOrbit, basis: usize| {
                o.clusters.iter().flatten().filter(|s| s.basis == basis).count() as f64
            };
            let orbits = || hamiltonian.orbits.iter().zip(&coefficients_ev[1..]);
            let flip = |basis| orbits().map(|(o, c)| 2.0 * c.abs() * clusters(o, basis)).sum::<f64>();
            let widest = (0..hamiltonian.basis_fractional.len()).map(flip).fold(0.0, f64::max);
            let (half, thermal) = (widest, parameters.thermal_energy_ev());
            if half / thermal > LARGEST_HALF {
                return Err(ScaladeError::input(format!(
                    "[hops] rate: energies change by up to {:.0} kT in a hop, {:.0} are the most; give barriers (barrier or kra), or raise the temperature",
                    2.0 * half / thermal,
                    2.0 * LARGEST_HALF
                )));
            }
            Ok((KraModel::uniform(half), rate * (half / thermal).exp()))
        }
    }
}

/// The energies in kT, less what is linear in the number of ions at this concentration in the mean field: a shift of the chemical potential, without
/// which the spread of the number of ions would hide in that of the energy.
fn without_linear_part(of: &Network, concentration: f64) -> (LatticeHamiltonian, Vec<f64>) {
    let mut hamiltonian = of.hamiltonian.clone();
    let mut scaled: Vec<f64> = of.coefficients_ev.iter().map(|c| c / of.thermal_ev()).collect();
    let (sites, spin) = (hamiltonian.basis_fractional.len(), 2.0 * concentration - 1.0);
    let share = |(o, c): (&ClusterOrbit, &f64)| {
        c * (o.order * o.clusters.len()) as f64 / sites as f64 * spin.powi(o.order as i32 - 1)
    };
    let slope: f64 = hamiltonian.orbits.iter().zip(&scaled[1..]).map(share).sum();
    let mut covered = vec![false; sites];
    for (orbit, c) in hamiltonian.orbits.iter().zip(&mut scaled[1..]).filter(|o| o.0.order == 1) {
        *c -= slope;
        orbit.clusters.iter().flatten().for_each(|s| covered[s.basis] = true);
    }
    let clusters: Vec<Vec<LatticeSite>> =
        (0..sites).filter(|b| !covered[*b]).map(|basis| vec![LatticeSite { cell: [0; 3], basis }]).collect();
    if !clusters.is_empty() {
        hamiltonian.orbits.push(ClusterOrbit { order: 1, diameter_angstrom: 0.0, clusters });
        scaled.push(-slope);
    }
    hamiltonian.coefficients_ev.clone_from(&scaled);
    hamiltonian.samples_ev.clear();
    (hamiltonian, scaled)
}

/// theta by sampling the same energies.
fn thermodynamic_factor(file: &HopFile, of: &Network, concentration: f64) -> Result<Told, ScaladeError> {
    if of.is_hard_core() {
        return Ok(Ok(hard_core(concentration)));
    }
    let (hamiltonian, scaled) = without_linear_part(of, concentration);
    let model = expansion_model(&hamiltonian, &scaled, of.grid.grid().dims())?;
    let run = |laws: &[Law], precision: f64, most_moves: u64| {
        let points: Vec<(f64, Law)> = laws.iter().map(|law| (1.0, *law)).collect();
        let settings = RunSettings { precision, seed: file.seed, most_moves, ..RunSettings::default() };
        sample_all(&model, &points, &settings).map_err(|e| ScaladeError::input(e.to_string()))
    };
    // A bound of what a site's surroundings do to its energy.
    let bound = |(o, c): (&ClusterOrbit, &f64)| 2.0 * c.abs() * (o.order * o.clusters.len()) as f64;
    let reach = hamiltonian.orbits.iter().zip(&scaled[1..]).map(bound).sum();
    let sites = of.sites();
    let request = ThetaRequest { concentration, reach, sites, standard_error: file.standard_error };
    by_sampling(&request, &run)
}

/// The same from all states of a small box.
fn exact_factor(of: &Network, concentration: f64) -> Result<Told, ScaladeError> {
    if of.is_hard_core() {
        return Ok(Ok(hard_core(concentration)));
    }
    if of.sites() > MOST_EXPANSION_SITES {
        return Ok(Err(too_many_states(of.sites(), MOST_EXPANSION_SITES)));
    }
    let scaled: Vec<f64> = of.coefficients_ev.iter().map(|c| c / of.thermal_ev()).collect();
    let model = expansion_model(&of.hamiltonian, &scaled, of.grid.grid().dims())?;
    let levels = levels(&model)?.ok_or_else(|| ScaladeError::internal("a small box without its levels"))?;
    let widest: f64 = scaled
        .iter()
        .skip(1)
        .zip(&of.hamiltonian.orbits)
        .map(|(c, o)| 2.0 * c.abs() * (o.order * o.clusters.len()) as f64)
        .sum();
    Ok(Ok(by_levels(&levels, concentration, widest)))
}

fn header(file: &HopFile, of: &Network, ions: usize) -> Value {
    let (sites, network) = (of.sites(), of.grid.network());
    let mut lengths: Vec<f64> =
        network.bonds().iter().map(|b| scalade_crystal::norm(b.vector_angstrom)).collect();
    lengths.sort_by(f64::total_cmp);
    lengths.dedup_by(|a, b| (*a - *b).abs() < 1e-4 * *b);
    let warnings: Vec<String> = across(&of.span, 3).into_iter().collect();
    json!({
        "lattice": of.names.join(", "), "ion": of.hamiltonian.working_ion, "dimensions": 3, "sites": sites, "particles": ions,
        "vacancies": sites - ions, "concentration": ions as f64 / sites as f64, "seed": file.seed,
        "temperature_K": of.parameters.temperature_k, "hop_lengths_angstrom": lengths, "mobile_directions": of.span,
        "length_unit": "angstrom", "time_unit": if of.has_barriers { "s" } else { "inverse of the unit of rate" },
        "warnings": warnings,
    })
}

/// A diffusivity P D P within the directions along which ions can go, P the projector on them: what is left across is motion to and fro. Errors of the
/// components are taken as independent.
fn mobile(of: &Diffusivity, span: &[[f64; 3]]) -> Diffusivity {
    let mut out = of.clone();
    let Diffusivity::Converged { tensor, .. } = &mut out else { return out };
    if span.len() == 3 {
        return out;
    }
    let projector: [[f64; 3]; 3] =
        std::array::from_fn(|i| std::array::from_fn(|j| span.iter().map(|along| along[i] * along[j]).sum()));
    let sandwich = |of: &[[f64; 3]; 3], p: &[[f64; 3]; 3]| -> [[f64; 3]; 3] {
        let term =
            |i: usize, j: usize| (0..9).map(|n| p[i][n / 3] * of[n / 3][n % 3] * p[n % 3][j]).sum::<f64>();
        std::array::from_fn(|i| std::array::from_fn(|j| term(i, j)))
    };
    // What rounding leaves of a zero is none.
    let clean = |of: [[f64; 3]; 3]| {
        let largest = of.iter().flatten().fold(0.0, |m: f64, v| m.max(v.abs()));
        of.map(|row| row.map(|v| if v.abs() < 1e-14 * largest { 0.0 } else { v }))
    };
    tensor.value_m2_s = clean(sandwich(&tensor.value_m2_s, &projector));
    let variances = tensor.std_m2_s.map(|row| row.map(|s| s * s));
    let squares = projector.map(|row| row.map(|p| p * p));
    tensor.std_m2_s = clean(sandwich(&variances, &squares)).map(|row| row.map(f64::sqrt));
    out
}

/// Runs a model: the master equation with `exact`, else kinetic Monte Carlo.
pub(crate) fn run(
    file: &HopFile,
    path: &Path,
    exact: bool,
    checkpoint: Option<Checkpoint<'_>>,
) -> Result<Value, Failure> {
    let of = Network::build(file, path)?;
    let ions = file.ions(of.sites())?;
    let concentration = ions as f64 / of.sites() as f64;
    let mut document = header(file, &of, ions);
    if exact {
        let solve = |follow| {
            exact_transport(
                &of.grid,
                &of.hamiltonian,
                &of.coefficients_ev,
                &of.laws,
                &of.parameters,
                ions,
                follow,
            )
            .map_err(|e| refused(&e))
        };
        let (all, one) = (solve(Follow::All)?, solve(Follow::One)?);
        extend(&mut document, exactly(&all, &one, &exact_factor(&of, concentration)?, 3));
        return Ok(document);
    }
    let start = cpu_seconds();
    let first = FIRST_HOPS.min(file.most_events);
    let mut request = TransportRequest {
        network: &of.grid,
        hamiltonian: &of.hamiltonian,
        coefficients_ev: &of.coefficients_ev,
        model: of.laws,
        parameters: of.parameters,
        x: concentration,
        budget: Budget { hops: first, ..Budget::default() },
        seed: file.seed,
        stream: 0,
    };
    let wanted = SHARES[0] * file.standard_error;
    let most = file.most_events;
    let found = match checkpoint {
        None => transport_to_error(&mut request, wanted, most, &()).map(|found| (found, Resumed::default())),
        Some(Checkpoint { file, tell }) => {
            transport_to_error_resumable(&mut request, wanted, most, &(), file, tell)
        }
    };
    let (found, resumed) = found.map_err(|e| refused(&e))?;
    let seconds = (cpu_seconds() - start).max(1e-9);
    let theta = thermodynamic_factor(file, &of, concentration)?;
    let tracer_known =
        matches!(found.tracer, Diffusivity::SubDiffusive { .. }) || found.tracer.relative_error() <= wanted;
    let reached = found.jump.relative_error() <= wanted && tracer_known;
    extend(&mut document, told_by(&found, &of, &theta, seconds));
    gone_on(&mut document, &resumed, found.events, seconds);
    finished(document, reached, found.events, file.standard_error, &theta)
}

fn told_by(found: &TransportPoint, of: &Network, theta: &Told, seconds: f64) -> Value {
    let (tracer, jump) = (mobile(&found.tracer, &of.span), mobile(&found.jump, &of.span));
    let results = Results {
        tracer: &tracer,
        jump: &jump,
        uncorrelated: &found.uncorrelated,
        correlations: [found.tracer_correlation, found.collective_correlation, found.haven],
        running: &found.running,
        displacements: &found.displacements,
        dimensions: 3,
        mobile_dimensions: of.span.len(),
    };
    let mut document = results.told(theta);
    extend(
        &mut document,
        json!({
            "engine": "composition-rejection",
            "events": found.events,
            "cpu_time_s": seconds,
            "acceptance": found.acceptance,
            // A rate alone has no activation.
            "mean_activation_eV": of.has_barriers.then_some(found.mean_activation_ev),
            "hops_without_barrier": of.has_barriers.then_some(found.without_barrier),
            "converged": true,
            "detailed_balance_error": found.detailed_balance_gap,
            "equilibration_z": found.equilibration_z,
        }),
    );
    document
}
