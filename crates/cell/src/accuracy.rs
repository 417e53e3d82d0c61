//! Runs to a wanted accuracy of the voltage, with an estimate of the error that is left.

use crate::closed_form;
use crate::error::CellError;
use crate::mesh::{ElectrodeMeshOptions, MeshOptions, ParticleMeshOptions};
use crate::options::{DfnOptions, check_times};
use crate::parameters::ParameterSet;
use crate::protocol::{Control, Protocol};
use crate::run::{Checkpoint, Inputs, Outcome, Probes, Unwatched, Watch, run_with_probes};
use scalade_numerics::cpu_seconds;

/// One refinement: order and elements of an electrode and of the separator, elements and order of the particles,
/// and rtol.
struct Level {
    order: usize,
    elements: usize,
    separator_elements: usize,
    particle: (usize, usize),
    rtol: f64,
}

/// Meshes and tolerances, as a rule each two to eight times as accurate as the one before in smooth discharges.
const LEVELS: [Level; 7] = [
    Level { order: 5, elements: 1, separator_elements: 1, particle: (3, 4), rtol: 2e-4 },
    Level { order: 4, elements: 2, separator_elements: 1, particle: (3, 4), rtol: 1e-4 },
    Level { order: 4, elements: 3, separator_elements: 1, particle: (3, 5), rtol: 3e-5 },
    Level { order: 6, elements: 3, separator_elements: 1, particle: (4, 5), rtol: 1e-5 },
    Level { order: 6, elements: 6, separator_elements: 2, particle: (4, 6), rtol: 2e-6 },
    Level { order: 6, elements: 12, separator_elements: 3, particle: (5, 7), rtol: 5e-7 },
    Level { order: 6, elements: 24, separator_elements: 4, particle: (5, 8), rtol: 2e-7 },
];
/// Protocol steps over which the error is estimated; later ones are solved on the mesh that was found.
const ESTIMATED_STEPS: usize = 12;
/// Half of the most voltages compared in each protocol step, and along a trace.
const PROBES: usize = 40;
const PROBES_OF_TRACES: usize = 2000;

/// A run with an estimate of its error.
#[derive(Debug, Clone)]
pub struct Estimated {
    /// The run.
    pub outcome: Outcome,
    /// Estimate of the largest error of the voltage, V, from one second after the start of each protocol step on
    /// (in shorter steps from 2 % of their duration on: at first the current has a thin layer in the particles
    /// to itself). It is 0.6 times the largest difference d to the next coarser mesh and tolerance at equal times since
    /// the start of each step. Where three runs show that errors fall by a
    /// ratio q only, it is d q/(1 - q) if that is more. It is never below 0.3 rtol. `None` if the coarser run failed. In the closed form of the
    /// single-particle model it is a bound on rounding, and nothing is compared.
    pub voltage_error_v: Option<f64>,
    /// Largest difference of the end times of protocol steps, s.
    pub end_time_error_s: Option<f64>,
    /// Protocol steps that were compared.
    pub compared_steps: usize,
    /// The wanted accuracy was not reached on the finest mesh.
    pub not_reached: bool,
    /// The options that were used.
    pub options: DfnOptions,
    /// Unknowns of the model; 0 for a closed form.
    pub states: usize,
    /// CPU time of the run, s.
    pub cpu_time_s: f64,
    /// CPU time of all other runs that the choice and the estimate took, s.
    pub estimate_cpu_time_s: f64,
}

/// The options at refinement `level`, which keep everything but mesh and tolerances.
fn at_level(base: &DfnOptions, level: usize) -> DfnOptions {
    let Level { order, elements, separator_elements, particle, rtol } = LEVELS[level];
    let particle = ParticleMeshOptions::graded(particle.0, particle.1);
    let electrode = ElectrodeMeshOptions { elements, particle };
    let mesh = MeshOptions { order, negative: electrode, separator_elements, positive: electrode };
    DfnOptions { mesh, rtol, atol: (0.1 * rtol).min(1e-6), ..base.clone() }
}

impl DfnOptions {
    /// Mesh and time tolerances that keep errors of the voltage below `volts` in smooth discharges.
    ///
    /// # Errors
    /// [`CellError::Option`] for a tolerance outside 1e-7 to 1e-2 V.
    pub fn for_tolerance(volts: f64) -> Result<Self, CellError> {
        Ok(at_level(&Self::default(), level_of(volts)?))
    }
}

fn level_of(volts: f64) -> Result<usize, CellError> {
    if !(1e-7..=1e-2).contains(&volts) {
        let requirement = "must lie between 1e-7 and 1e-2 V";
        return Err(CellError::Option { option: "tolerance [V]", value: volts, requirement });
    }
    Ok([5e-5, 9e-6, 3e-6, 1e-6, 3e-7].iter().position(|limit| volts >= *limit).map_or(6, |i| i + 1))
}

/// One run of the refinement.
struct Trial {
    outcome: Outcome,
    probes: Probes,
    states: usize,
    cpu_time_s: f64,
}

fn trial(inputs: &Inputs<'_>, probes: Probes) -> Result<Trial, CellError> {
    watched_trial(inputs, probes, None, &mut Unwatched)
}

fn watched_trial(
    inputs: &Inputs<'_>,
    probes: Probes,
    checkpoint: Option<Checkpoint>,
    watch: &mut dyn Watch,
) -> Result<Trial, CellError> {
    let start = cpu_seconds();
    let (outcome, probes, states) = run_with_probes(inputs, probes, checkpoint, watch)?;
    Ok(Trial { outcome, probes, states, cpu_time_s: cpu_seconds() - start })
}

/// Share of the difference of two runs that is taken for the error of the finer one. In 1C discharges of seven
/// bundled sets the error was 0.11 to 0.56 times the difference of the first two levels at 100 times, along two traces
/// with a sample a second 0.3 and 0.5 times.
const SHARE: f64 = 0.6;
/// Least error in V that is believed, relative to the time tolerance rtol (which is one of the potentials in V): two
/// runs may agree by chance.
const LEAST: f64 = 0.3;
/// By so much the time tolerance of a coarser run along a trace is looser: both runs stop at its samples, so that their
/// errors in time would be alike.
const LOOSER: f64 = 1.5;

/// Error of the finer of two runs that differ by `difference`, where the two coarser ones before differed by
/// `before`; `rtol` is that of the finer one.
fn estimate(difference: f64, before: Option<f64>, rtol: f64) -> f64 {
    let ratio = before.map_or(0.0, |before| (difference / before).clamp(0.0, 0.9));
    (difference * (ratio / (1.0 - ratio)).max(SHARE)).max(LEAST * rtol)
}

/// The run in closed form, if there is one: its error is known without a second run.
fn in_closed_form(inputs: &Inputs<'_>, tolerance_v: f64) -> Result<Option<Estimated>, CellError> {
    let Inputs { parameters, protocol, options, output_times } = *inputs;
    options.validate()?;
    protocol.validate()?;
    check_times("output times [s]", output_times)?;
    let start = cpu_seconds();
    let rtol = options.rtol.min(tolerance_v);
    let options = DfnOptions { rtol, ..options.clone() };
    let Some(solution) = closed_form::run(parameters, protocol, &options, output_times)? else {
        return Ok(None);
    };
    Ok(Some(Estimated {
        voltage_error_v: Some(closed_form::VOLTAGE_ERROR),
        end_time_error_s: Some(closed_form::TIME_ERROR * solution.end_time_s),
        compared_steps: 0,
        not_reached: false,
        options,
        states: 0,
        outcome: Outcome { solution, failure: None },
        cpu_time_s: cpu_seconds() - start,
        estimate_cpu_time_s: 0.0,
    }))
}

/// Solves `protocol` as [`crate::solve_or_partial`] does, on a mesh and with a time tolerance that are refined
/// until the estimated error of the voltage is at most `tolerance_v`; mesh and tolerances of
/// `options` are replaced.
///
/// # Errors
/// Parameters, options and protocols that make no sense.
pub fn solve_to_tolerance(
    parameters: &ParameterSet,
    protocol: &Protocol,
    options: &DfnOptions,
    output_times: &[f64],
    tolerance_v: f64,
) -> Result<Estimated, CellError> {
    level_of(tolerance_v)?;
    let inputs = Inputs { parameters, protocol, options, output_times };
    if let Some(run) = in_closed_form(&inputs, tolerance_v)? {
        return Ok(run);
    }
    to_tolerance(&inputs, tolerance_v, None, None)
}

/// The same for a long run that `watch` follows, and that goes on from `checkpoint` if one is given. Accuracy is
/// settled on the first protocol steps; then the run is made once.
///
/// # Errors
/// As [`solve_to_tolerance`], and a checkpoint that does not fit.
pub fn solve_to_tolerance_watched(
    (parameters, protocol): (&ParameterSet, &Protocol),
    options: &DfnOptions,
    output_times: &[f64],
    tolerance_v: f64,
    checkpoint: Option<Checkpoint>,
    watch: &mut dyn Watch,
) -> Result<Estimated, CellError> {
    let inputs = Inputs { parameters, protocol, options, output_times };
    to_tolerance(&inputs, tolerance_v, checkpoint, Some(watch))
}

fn to_tolerance(
    inputs: &Inputs<'_>,
    tolerance_v: f64,
    mut checkpoint: Option<Checkpoint>,
    mut watch: Option<&mut dyn Watch>,
) -> Result<Estimated, CellError> {
    let options = inputs.options;
    let mut level = level_of(tolerance_v)?;
    let long = watch.is_some() || inputs.protocol.step_count() > ESTIMATED_STEPS;
    let traced = inputs
        .protocol
        .steps()
        .take(ESTIMATED_STEPS)
        .any(|placed| matches!(placed.step.control, Control::Profile { .. }));
    let probes_in_step = if traced { PROBES_OF_TRACES } else { PROBES };
    let mut spent = 0.0;
    let mut coarse: Option<Trial> = None;
    let mut last_difference = None;
    loop {
        if coarse.is_none() {
            let mut options = at_level(options, level - 1);
            options.rtol *= if traced { LOOSER } else { 1.0 };
            let options = &options;
            let inputs = Inputs { options, output_times: &[], ..*inputs };
            coarse = Some(trial(&inputs, Probes::find(ESTIMATED_STEPS, probes_in_step))?);
        }
        let before = coarse.take();
        let probes = match &before {
            Some(before) => before.probes.planned(),
            None => Probes::find(ESTIMATED_STEPS, probes_in_step),
        };
        let chosen = at_level(options, level);
        // Of a long protocol only its beginning is compared.
        let at_chosen = Inputs { options: &chosen, ..*inputs };
        let beginning = Inputs { output_times: &[], ..at_chosen };
        let fine = trial(if long { &beginning } else { &at_chosen }, probes)?;
        let difference = before.as_ref().map(|before| fine.probes.compare(&before.probes));
        let error = difference.as_ref().map(|d| estimate(d.voltage_v, last_difference, chosen.rtol));
        last_difference = difference.as_ref().map(|d| d.voltage_v);
        let ended_alike = before.as_ref().is_none_or(|b| b.outcome.failure.is_none());
        spent += before.map_or(0.0, |b| b.cpu_time_s);
        let reached =
            fine.outcome.failure.is_none() && ended_alike && error.is_some_and(|error| error <= tolerance_v);
        if reached || level + 1 == LEVELS.len() {
            let last = if long {
                spent += fine.cpu_time_s;
                let watch: &mut dyn Watch = match &mut watch {
                    Some(watch) => *watch,
                    None => &mut Unwatched,
                };
                watched_trial(&at_chosen, Probes::none(), checkpoint.take(), watch)?
            } else {
                fine
            };
            let difference = difference.filter(|_| ended_alike);
            return Ok(Estimated {
                outcome: last.outcome,
                voltage_error_v: error.filter(|_| ended_alike),
                end_time_error_s: difference.as_ref().map(|d| d.end_time_s),
                compared_steps: difference.as_ref().map_or(0, |d| d.steps),
                not_reached: !reached,
                options: chosen,
                states: last.states,
                cpu_time_s: last.cpu_time_s,
                estimate_cpu_time_s: spent,
            });
        }
        // The run becomes the coarser one of the next pair.
        coarse = Some(fine);
        level += 1;
    }
}
