//! Cells on the user's own protocol, and their impedance.

use crate::cell_run;
use crate::error::ScaladeError;
use crate::orderings::read_text;
use crate::rungs::quantity;
use crate::rungs_cell_follow::Follower;
use crate::rungs_cell_sensitivity;
use crate::runner::Failure;
use scalade_cell::{
    ActiveMaterial, AgeingOptions, BpxDocument, CellDocument, CellError, Control, CsvOptions, DfnOptions,
    DfnSolution, DriveCycle, DriveRequest, EndReason, Hold, Hysteresis, HysteresisLaw, MeshOptions,
    ModelKind, Outcome, ParameterSet, PlatingLaw, Protocol, ProtocolItem, SeiLaw, Step, Thermal,
};
use scalade_units::dimension;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Where a cell's parameters come from, and the state it starts in.
#[derive(Clone, Debug, Default)]
pub struct CellSourceRequest {
    /// Bundled set by name, or a native parameter file.
    pub parameters: Option<String>,
    /// BPX file.
    pub bpx: Option<PathBuf>,
    /// State of charge (0 to 1), a voltage with unit, or "initial".
    pub start: Option<String>,
    /// Model by name.
    pub model: Option<String>,
}

/// What is done to the cell.
#[derive(Clone, Debug, Default)]
pub struct ProtocolRequest {
    /// Multiple of the nominal capacity per hour.
    pub rate: Option<String>,
    /// Current with unit; negative charges.
    pub current: Option<String>,
    /// Sentences, or a file of them.
    pub protocol: Option<String>,
    /// Cut-off voltage of a constant current.
    pub until: Option<String>,
    /// Traces hold each value until the next sample.
    pub hold_samples: bool,
    /// Traces count charging currents positive.
    pub charge_positive: bool,
}

/// Which ageing takes place, by names.
#[derive(Clone, Debug, Default)]
pub struct AgeingRequest {
    /// Law of SEI growth.
    pub sei: Option<String>,
    /// Law of plating.
    pub plating: Option<String>,
    /// Cracks grow.
    pub cracking: bool,
    /// SEI grows in cracks.
    pub sei_on_cracks: bool,
    /// Products fill the pores.
    pub pore_clogging: bool,
}

/// A request for a run.
#[derive(Clone, Debug, Default)]
pub struct CellRequest {
    /// The cell.
    pub source: CellSourceRequest,
    /// The protocol.
    pub protocol: ProtocolRequest,
    /// Comma-separated times with units; may be empty.
    pub times: String,
    /// Wanted accuracy of the voltage, V.
    pub tolerance: f64,
    /// Lumped temperature.
    pub thermal: bool,
    /// Ageing.
    pub ageing: AgeingRequest,
    /// Law of hysteresis; the default is that of [`hysteresis`].
    pub hysteresis: Option<String>,
    /// Finite volumes per layer instead of a mesh that is chosen.
    pub points: Option<usize>,
    /// Also balance the free energy of the particles.
    pub audit: bool,
    /// File from which the same command goes on.
    pub checkpoint: Option<PathBuf>,
    /// Table to which records go as they are made.
    pub stream: Option<PathBuf>,
    /// Paths of parameters with respect to which the run is differentiated, joined by commas.
    pub sensitivities: Option<String>,
}

/// The cell with its name and model.
pub(crate) fn cell_of(request: &CellSourceRequest) -> Result<(ParameterSet, ModelKind), ScaladeError> {
    let (set, at_state) = match (&request.parameters, &request.bpx) {
        (Some(name), None) => (named(name)?, true),
        (None, Some(path)) => {
            let document = BpxDocument::read(&read_text(path)?)
                .map_err(|e| ScaladeError::input(format!("{}: {e}", path.display())))?;
            // The stoichiometries of the full cell are rounded in files: full is the upper cut-off voltage.
            (document.parameters, document.state_of_charge.is_some_and(|charge| charge < 1.0))
        }
        (Some(_), Some(_)) => {
            return Err(ScaladeError::input("--parameters and --bpx both name a cell; give one of them"));
        }
        (None, None) => {
            let names: Vec<&str> = ParameterSet::names().iter().map(|set| set.name).collect();
            let message = format!(
                "no cell is named; give --parameters with one of {} (or a native parameter file), or --bpx with a BPX file",
                names.join(", ")
            );
            return Err(ScaladeError::input(message));
        }
    };
    let default = if set.without_electrolyte { ModelKind::Spm } else { ModelKind::Dfn };
    let model = match request.model.as_deref() {
        None => default,
        Some(name) => model_kind(name)?,
    };
    let default = if at_state { "initial" } else { "1" };
    Ok((start(set, request.start.as_deref().unwrap_or(default))?, model))
}

/// Adds what to look at to an error of the state at the start.
fn start_fault(error: &CellError) -> ScaladeError {
    ScaladeError::input(format!("--soc (state at the start): {error}"))
}

fn named(name: &str) -> Result<ParameterSet, ScaladeError> {
    let path = Path::new(name);
    if !ParameterSet::names().iter().any(|set| set.name.eq_ignore_ascii_case(name)) && path.is_file() {
        let document = CellDocument::read(&read_text(path)?);
        return Ok(document.map_err(|e| ScaladeError::input(format!("{name}: {e}")))?.parameters);
    }
    if name.contains(['/', '\\', '.']) {
        let short: String = name.chars().take(200).collect();
        let message = format!(
            "--parameters: there is no file {short}; give a native parameter file, or one of the sets {}",
            cell_run::parameter_set_names().join(", ")
        );
        return Err(ScaladeError::input(message));
    }
    cell_run::parameter_set(name)
}

fn model_kind(name: &str) -> Result<ModelKind, ScaladeError> {
    match name {
        "dfn" => Ok(ModelKind::Dfn),
        "spme" => Ok(ModelKind::Spme),
        "spm" => Ok(ModelKind::Spm),
        _ => Err(ScaladeError::input(format!("--model: models are dfn, spme and spm, not \"{name}\""))),
    }
}

fn start(set: ParameterSet, text: &str) -> Result<ParameterSet, ScaladeError> {
    let text = text.trim();
    if text == "initial" {
        // A start outside the data of a potential would only show as a solver that does not converge.
        let negative = set.negative.porous().map(scalade_cell::Electrode::initial_content);
        set.open_circuit_voltage(negative.unwrap_or(0.5), set.positive.initial_content())
            .map_err(|e| start_fault(&e))?;
        return Ok(set);
    }
    let percent = || text.strip_suffix('%').and_then(|p| p.trim().parse::<f64>().ok()).map(|p| p / 100.0);
    if let Some(number) = text.parse::<f64>().ok().or_else(percent) {
        return set.started_at_state_of_charge(number).map_err(|e| start_fault(&e));
    }
    let volts = quantity("soc", text, dimension::VOLTAGE).map_err(|_| {
        let message = format!(
            "--soc: cannot read \"{text}\"; write a state of charge from 0 to 1, a percentage such as 80%, an open-circuit voltage such as \"4.1 V\", or initial"
        );
        ScaladeError::input(message)
    })?;
    set.started_at_voltage(volts).map_err(|e| start_fault(&e))
}

/// Refuses options that would change nothing, and laws whose constants the cell does not have.
fn check_ageing(
    request: &AgeingRequest,
    options: AgeingOptions,
    set: &ParameterSet,
) -> Result<(), ScaladeError> {
    let (grows, plates) = (options.sei != SeiLaw::None, options.plating != PlatingLaw::None);
    if options.sei_on_cracks && !grows {
        return Err(ScaladeError::input("--sei-on-cracks: nothing grows there; also give --sei with a law"));
    }
    if options.pore_clogging && !grows && !plates {
        return Err(ScaladeError::input(
            "--pore-clogging: nothing fills the pores; also give --sei or --plating",
        ));
    }
    let Some(electrode) = set.negative.porous() else { return Ok(()) };
    let has = |known: fn(&ActiveMaterial) -> bool| electrode.materials().any(known);
    let cracks = options.cracking || options.sei_on_cracks;
    for (option, wanted, known) in [
        ("--sei", grows, has(|m| m.sei.is_some())),
        ("--plating", plates, has(|m| m.plating.is_some())),
        (
            if request.cracking { "--cracking" } else { "--sei-on-cracks" },
            cracks,
            has(|m| m.mechanics.is_some()),
        ),
    ] {
        if wanted && !known {
            let message = format!(
                "{option}: the negative electrode of {} has no data for it; take a set that has (okane2022 has all), or a native parameter file with them",
                set.name
            );
            return Err(ScaladeError::input(message));
        }
    }
    Ok(())
}

fn ageing(request: &AgeingRequest, set: &ParameterSet) -> Result<AgeingOptions, ScaladeError> {
    let law = |option: &str, name: &str| -> Result<Value, ScaladeError> {
        if name.len() > 100 {
            return Err(ScaladeError::input(format!("--{option}: the name is too long")));
        }
        Ok(Value::String(name.to_owned()))
    };
    let sei: SeiLaw = match &request.sei {
        None => SeiLaw::None,
        Some(name) => serde_json::from_value(law("sei", name)?).map_err(|_| {
            ScaladeError::input(format!(
                "--sei: laws are solvent-diffusion, reaction-limited, reaction-limited-asymmetric, electron-migration, interstitial-diffusion, ec-reaction and ec-reaction-asymmetric, not \"{name}\""
            ))
        })?,
    };
    let plating: PlatingLaw = match &request.plating {
        None => PlatingLaw::None,
        Some(name) => serde_json::from_value(law("plating", name)?).map_err(|_| {
            ScaladeError::input(format!(
                "--plating: laws are reversible, partly-reversible and irreversible, not \"{name}\""
            ))
        })?,
    };
    let options = AgeingOptions {
        sei,
        plating,
        cracking: request.cracking,
        sei_on_cracks: request.sei_on_cracks,
        pore_clogging: request.pore_clogging,
        ..AgeingOptions::default()
    };
    check_ageing(request, options, set)?;
    Ok(options)
}

/// The law asked for. Without one: one-state, where all branches have a decay constant, else none.
fn hysteresis(request: &CellRequest, set: &ParameterSet) -> Result<HysteresisLaw, ScaladeError> {
    if let Some(name) = &request.hysteresis {
        let name = if name.len() > 100 { "" } else { name.as_str() };
        return serde_json::from_value(Value::String(name.to_owned())).map_err(|_| {
            ScaladeError::input(format!(
                "--hysteresis: laws are one-state, current-sigmoid and off, not \"{name}\""
            ))
        });
    }
    let mut known = branches(set).map(|branches| branches.decay_constant.is_some()).peekable();
    let decays = known.peek().is_some() && known.all(|known| known);
    Ok(if decays { HysteresisLaw::OneState } else { HysteresisLaw::Off })
}

/// Branches of the open-circuit potentials of all materials that have them.
fn branches(set: &ParameterSet) -> impl Iterator<Item = &Hysteresis> {
    let negative = set.negative.porous().into_iter().flat_map(scalade_cell::Electrode::materials);
    negative.chain(set.positive.materials()).filter_map(|material| material.hysteresis.as_deref())
}

/// The protocol, and the rate of a single constant current.
fn protocol_of(
    request: &ProtocolRequest,
    set: &ParameterSet,
) -> Result<(Protocol, Option<f64>), ScaladeError> {
    let given = [&request.rate, &request.current, &request.protocol].into_iter().flatten().count();
    if given > 1 {
        return Err(ScaladeError::input(
            "--rate, --current and --protocol exclude one another; give one of them",
        ));
    }
    let until =
        request.until.as_deref().map(|text| quantity("until", text, dimension::VOLTAGE)).transpose()?;
    if let Some(text) = &request.protocol {
        if until.is_some() {
            let message =
                "--until belongs to --rate and --current; a protocol says itself when its steps end";
            return Err(ScaladeError::input(message));
        }
        return Ok((read_protocol("--protocol", text, request)?, None));
    }
    let rate = match (&request.rate, &request.current) {
        (_, Some(text)) => quantity("current", text, dimension::CURRENT)? / set.nominal_capacity_ah,
        (Some(text), None) => cell_run::read_rate(text, set.nominal_capacity_ah)?,
        (None, None) => 1.0,
    };
    if !(rate.is_finite() && rate != 0.0 && rate.abs() < 1e4) {
        let message = format!("the current is {rate}C; it must not be zero and lie below 10000C");
        return Err(ScaladeError::input(message));
    }
    // Ten times the nominal duration: a cell that has not ended by then is not discharged by this current.
    let step = Step::lasting(Control::CRate(rate), 36_000.0 / rate.abs());
    let step = if rate > 0.0 {
        step.until_voltage_below(until.unwrap_or(set.lower_voltage_v))
    } else {
        step.until_voltage_above(until.unwrap_or(set.upper_voltage_v))
    };
    Ok((Protocol::sequence(vec![step]), Some(rate)))
}

/// Sentences on the command line, or those of a file; traces are looked for beside the file.
pub(crate) fn read_protocol(
    option: &str,
    text: &str,
    request: &ProtocolRequest,
) -> Result<Protocol, ScaladeError> {
    let path = Path::new(text);
    let looks_like_file = text.len() < 4000 && !text.contains('\n') && path.is_file();
    let (sentences, folder) = if looks_like_file {
        (read_text(path)?, path.parent().map(Path::to_path_buf).unwrap_or_default())
    } else {
        (text.to_owned(), PathBuf::new())
    };
    let mut resolve = |wanted: &DriveRequest| -> Result<DriveCycle, CellError> {
        let file = folder.join(&wanted.name);
        let fault = |message: String| CellError::Trace { name: wanted.name.clone(), line: 0, message };
        let table = read_text(&file).map_err(|e| fault(e.to_string()))?;
        let options = CsvOptions {
            quantity: wanted.quantity,
            charge_positive: request.charge_positive,
            hold: wanted.hold,
        };
        DriveCycle::from_csv(&table, &wanted.name, &options)
    };
    if sentences.trim().is_empty() {
        return Err(ScaladeError::input(format!(
            "{option}: is empty; write sentences such as \"Discharge at 1C until 2.5 V; Rest for 1 h\", or name a file of them"
        )));
    }
    let mut protocol = Protocol::parse(&sentences, &mut resolve).map_err(|error| {
        let place = if looks_like_file { format!("{}: ", path.display()) } else { String::new() };
        // A file that is not there is read as a sentence: say so.
        let missing = !looks_like_file && !text.contains(char::is_whitespace);
        let hint = if missing { format!(" (there is no file {text} either)") } else { String::new() };
        ScaladeError::input(format!("{place}{error}{hint}"))
    })?;
    if request.hold_samples {
        hold_samples(&mut protocol.items, &mut Vec::new());
    }
    Ok(protocol)
}

/// Every trace holds its samples; a trace that several steps use stays one in memory. The sentences of a protocol
/// have the last word on how samples are joined, so this cannot be said when a table is read.
fn hold_samples(items: &mut [ProtocolItem], known: &mut Vec<(Arc<DriveCycle>, Arc<DriveCycle>)>) {
    for item in items {
        match item {
            ProtocolItem::Repeat { items, .. } => hold_samples(items, known),
            ProtocolItem::Step(step) => {
                let Control::Profile { cycle, .. } = &mut step.control else { continue };
                let same = known.iter().find(|(joined, _)| Arc::ptr_eq(joined, cycle));
                let held = same.map_or_else(
                    || Arc::new(DriveCycle::clone(cycle).held(Hold::Step)),
                    |(_, held)| Arc::clone(held),
                );
                if same.is_none() {
                    known.push((Arc::clone(cycle), Arc::clone(&held)));
                }
                *cycle = held;
            }
        }
    }
}

fn read_times(text: &str) -> Result<Vec<f64>, ScaladeError> {
    let mut times = text
        .split(',')
        .filter(|t| !t.trim().is_empty())
        .map(|t| quantity("times", t, dimension::TIME))
        .collect::<Result<Vec<f64>, _>>()?;
    if let Some(negative) = times.iter().find(|t| **t < 0.0) {
        return Err(ScaladeError::input(format!("times: {negative} s lies before the start")));
    }
    times.sort_by(f64::total_cmp);
    times.dedup();
    Ok(times)
}

/// A run with what is known about its accuracy.
struct Solved {
    outcome: Outcome,
    states: usize,
    cpu_time_s: f64,
    estimate_cpu_time_s: f64,
    voltage_error_v: Option<f64>,
    end_time_error_s: Option<f64>,
    compared_steps: usize,
    not_reached: bool,
    options: DfnOptions,
}

fn solve(
    request: &CellRequest,
    set: &ParameterSet,
    model: ModelKind,
    protocol: &Protocol,
    times: &[f64],
    cancel: &AtomicBool,
) -> Result<Solved, ScaladeError> {
    let has_periods = protocol.steps().take(1000).any(|placed| placed.step.period_s.is_some());
    let thermal = if request.thermal { Thermal::Lumped } else { Thermal::Isothermal };
    let mut options = DfnOptions {
        model,
        thermal,
        ageing: ageing(&request.ageing, set)?,
        hysteresis: hysteresis(request, set)?,
        // Without times asked for, the run's own time steps show the curve.
        record_every_step: times.is_empty()
            && !has_periods
            && (request.stream.is_some() || protocol.step_count() <= 1000),
        audit_heat_of_mixing: request.audit,
        ..DfnOptions::default()
    };
    if let Some(points) = request.points {
        if !(2..=400).contains(&points) {
            return Err(ScaladeError::input(format!("{points} finite volumes per layer; choose 2 to 400")));
        }
        options.mesh = MeshOptions::finite_volumes(points, points);
        let start = scalade_numerics::cpu_seconds();
        let (outcome, states) = scalade_cell::solve_counting(set, protocol, &options, times)?;
        return Ok(Solved {
            outcome,
            states,
            cpu_time_s: scalade_numerics::cpu_seconds() - start,
            estimate_cpu_time_s: 0.0,
            voltage_error_v: None,
            end_time_error_s: None,
            compared_steps: 0,
            not_reached: false,
            options,
        });
    }
    let run = if request.checkpoint.is_some() || request.stream.is_some() {
        followed(request, (set, protocol), &options, times, cancel)?
    } else {
        scalade_cell::solve_to_tolerance(set, protocol, &options, times, request.tolerance)?
    };
    Ok(Solved {
        outcome: run.outcome,
        states: run.states,
        cpu_time_s: run.cpu_time_s,
        estimate_cpu_time_s: run.estimate_cpu_time_s,
        voltage_error_v: run.voltage_error_v,
        end_time_error_s: run.end_time_error_s,
        compared_steps: run.compared_steps,
        not_reached: run.not_reached,
        options: run.options,
    })
}

/// A run on disk.
fn followed(
    request: &CellRequest,
    of: (&ParameterSet, &Protocol),
    options: &DfnOptions,
    times: &[f64],
    cancel: &AtomicBool,
) -> Result<scalade_cell::Estimated, ScaladeError> {
    let inputs = (of.0, of.1, options, times, request.tolerance, request.stream.is_some());
    let hash = scalade_record::content_hash(&inputs).map_err(|e| ScaladeError::internal(e.to_string()))?;
    let (checkpoint, stream) = (request.checkpoint.as_deref(), request.stream.as_deref());
    let (mut follower, known) = Follower::open(checkpoint, stream, hash.to_string(), cancel)?;
    let run = scalade_cell::solve_to_tolerance_watched(
        of,
        options,
        times,
        request.tolerance,
        known,
        &mut follower,
    )?;
    follower.finish()?;
    if follower.stopped { Err(ScaladeError::Interrupted) } else { Ok(run) }
}

/// `cell`: a cell on a protocol. `cancel` asks a run that keeps a checkpoint to stop after the present step.
///
/// # Errors
/// Input that is not acceptable; [`Failure::Partial`] with the part before a failure of the solver;
/// [`ScaladeError::Interrupted`].
pub fn cell(request: &CellRequest, cancel: &AtomicBool) -> Result<Value, Failure> {
    if request.points.is_some() && (request.checkpoint.is_some() || request.stream.is_some()) {
        let message = "--points solves on a mesh of its own; leave it out with --checkpoint and --stream";
        return Err(ScaladeError::input(message).into());
    }
    let (set, model) = cell_of(&request.source)?;
    let (protocol, rate) = protocol_of(&request.protocol, &set)?;
    let times = read_times(&request.times)?;
    let parameters = match &request.sensitivities {
        None => None,
        Some(_) if request.checkpoint.is_some() || request.stream.is_some() => {
            let message = "--sensitivities belong to runs that are kept as a whole; leave out --checkpoint and --stream";
            return Err(ScaladeError::input(message).into());
        }
        Some(text) => Some(rungs_cell_sensitivity::read_parameters(text, &set)?),
    };
    let solved = solve(request, &set, model, &protocol, &times, cancel)?;
    let mut document = document(request, &set, model, &times, &solved);
    if let (Some(rate), Some(map)) = (rate, document.as_object_mut()) {
        map.insert("rate_C".into(), json!(rate));
        map.insert("current_A".into(), json!(set.current_of_rate(rate)));
    }
    if let (Some(parameters), Some(map)) = (parameters, document.as_object_mut()) {
        let found = rungs_cell_sensitivity::document(&set, &protocol, &solved.options, &times, &parameters)?;
        map.insert("sensitivities".into(), found);
    }
    match &solved.outcome.failure {
        None => Ok(document),
        Some(error) => {
            let message = format!("not converged: {error}");
            Err(Failure::Partial { document: Box::new(document), message })
        }
    }
}

/// Why the run ended. A limit that was met before anything happened was not reached by the run.
fn end_reason(solution: &DfnSolution) -> String {
    let at_once = solution.steps.last().is_some_and(|step| step.end_s <= step.start_s);
    match solution.end_reason {
        EndReason::MinimumVoltage if at_once => {
            format!("the voltage, {:.3} V, was below the limit from the start", solution.end_voltage_v)
        }
        EndReason::MaximumVoltage if at_once => {
            format!("the voltage, {:.3} V, was above the limit from the start", solution.end_voltage_v)
        }
        _ => cell_run::end_reason(solution),
    }
}

fn warnings(request: &CellRequest, set: &ParameterSet, times: &[f64], solved: &Solved) -> Vec<String> {
    // A choice is no surprise.
    let unused_branches = request.hysteresis.is_none()
        && branches(set).next().is_some()
        && hysteresis(request, set).is_ok_and(|law| law == HysteresisLaw::Off);
    let solution = &solved.outcome.solution;
    let mut warnings: Vec<String> = Vec::new();
    if unused_branches {
        warnings.push(
            "the potential's branches for lithiation and delithiation are not used, for the parameters have no hysteresis decay constant; give one, or choose with --hysteresis current-sigmoid or off"
                .to_owned(),
        );
    }
    if solution.end_time_s <= 0.0 && solved.outcome.failure.is_none() {
        warnings.push(
            "nothing happened: the limit was met before the current flowed; start elsewhere with --soc (some sets start empty) or change the limit"
                .to_owned(),
        );
    }
    let behind = times.iter().filter(|t| **t > solution.end_time_s).count();
    if behind > 0 {
        warnings.push(format!(
            "{behind} of the {} times asked for lie behind the end of the run at {:.1} s and are left out",
            times.len(),
            solution.end_time_s
        ));
    }
    for step in &solution.steps {
        if let Some(text) = step.end_reason.warning()
            && !warnings.iter().any(|known| known == text)
        {
            warnings.push(text.to_owned());
        }
    }
    if solved.not_reached && solved.outcome.failure.is_none() {
        warnings.push(format!(
            "the wanted accuracy of {:e} V was not reached on the finest mesh; the estimate tells what was",
            request.tolerance
        ));
    }
    if solution.work.outside_table > 0 {
        warnings.push(format!(
            "{} evaluations lay outside a table and were continued from its end",
            solution.work.outside_table
        ));
    }
    warnings
}

fn document(
    request: &CellRequest,
    set: &ParameterSet,
    model: ModelKind,
    times: &[f64],
    solved: &Solved,
) -> Value {
    let solution = &solved.outcome.solution;
    let steps: Vec<Value> = solution
        .steps
        .iter()
        .map(|step| {
            let mut row = json!({
                "cycle": step.cycle + 1,
                "start_s": step.start_s,
                "end_s": step.end_s,
                "end_reason": step.end_reason,
                "charge_Ah": step.charge_ah,
                "energy_Wh": step.energy_wh,
            });
            if let (Some(state), Some(row)) = (&step.ageing, row.as_object_mut()) {
                row.insert("particle_lithium_mol".into(), json!(state.particle_lithium_mol));
                row.insert("sei_lithium_mol".into(), json!(state.sei_lithium_mol));
                row.insert("plated_lithium_mol".into(), json!(state.plated_lithium_mol));
                row.insert("dead_lithium_mol".into(), json!(state.dead_lithium_mol));
                row.insert("sei_thickness_m".into(), json!(state.sei_thickness_m));
                row.insert("crack_length_m".into(), json!(state.crack_length_m));
            }
            if let (Some(state), Some(row)) = (&step.hysteresis, row.as_object_mut()) {
                row.insert("hysteresis_state".into(), json!(state));
            }
            row
        })
        .collect();
    json!({
        "parameters": set.name,
        "model": model,
        "start": start_of(set),
        "time_s": solution.time_s,
        "voltage_V": solution.voltage_v,
        "currents_A": solution.current_a,
        "temperature_K": solution.temperature_k,
        "discharge_capacity_Ah": solution.discharge_capacity_ah,
        "end_time_s": solution.end_time_s,
        "end_reason": end_reason(solution),
        "end_voltage_V": solution.end_voltage_v,
        "capacity_Ah": solution.end_capacity_ah,
        "energy_Wh": solution.energy.electrical_j / 3600.0,
        "lithium_drift": solution.inventory.solid_lithium_drift,
        "salt_drift": solution.inventory.salt_drift,
        "protocol_steps": steps,
        "states": solved.states,
        "steps": solution.work.steps,
        "cpu_time_s": solved.cpu_time_s,
        "solve_time_s": solved.cpu_time_s,
        "estimate_cpu_time_s": solved.estimate_cpu_time_s,
        "voltage_error_estimate_V": solved.voltage_error_v,
        "end_time_error_estimate_s": solved.end_time_error_s,
        "estimated_from_protocol_steps": solved.compared_steps,
        "balances": balances(request, solution),
        "work": solution.work,
        "warnings": warnings(request, set, times, solved),
    })
}

/// The state at the start.
pub(crate) fn start_of(set: &ParameterSet) -> Value {
    let negative = set.negative.porous().map(scalade_cell::Electrode::initial_content);
    let positive = set.positive.initial_content();
    json!({
        "open_circuit_voltage_V": set.open_circuit_voltage(negative.unwrap_or(0.5), positive).ok(),
        "negative_lithium_content": negative,
        "positive_lithium_content": positive,
        "temperature_K": set.initial_temperature_k,
    })
}

/// Lithium, salt, charge and energy.
fn balances(request: &CellRequest, solution: &DfnSolution) -> Value {
    let (inventory, e) = (&solution.inventory, &solution.energy);
    let scale = e.electrical_j.abs().max(e.surface_work_j.abs()).max(f64::MIN_POSITIVE);
    let mut balances = json!({
        "lithium_relative_drift": inventory.solid_lithium_drift,
        "salt_relative_drift": inventory.salt_drift,
        "coulomb_count_error": inventory.coulomb_count_error,
        "charge_balance_error": inventory.charge_balance_error,
        "energy_relative_error": e.residual_j.abs() / scale,
        "electrical_J": e.electrical_j,
        "ohmic_solid_J": e.ohmic_solid_j,
        "ohmic_electrolyte_J": e.ohmic_electrolyte_j,
        "reaction_J": e.reaction_j,
        "hysteresis_J": e.hysteresis_j,
        "reversible_J": e.reversible_j,
        "surface_work_J": e.surface_work_j,
        "cooling_J": e.cooling_j,
        "stored_heat_J": e.stored_heat_j,
    });
    if let (true, Some(map)) = (request.audit, balances.as_object_mut()) {
        map.insert("mixing_J".into(), json!(e.mixing_j));
        map.insert("free_energy_change_J".into(), json!(e.free_energy_change_j));
    }
    balances
}
