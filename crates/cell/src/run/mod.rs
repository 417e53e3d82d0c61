//! Runs a protocol.

mod follow;
mod limits;
mod probes;
mod record;
mod watch;

use crate::closed_form;
use crate::error::CellError;
use crate::model::{CellModel, integral};
use crate::options::{DfnOptions, check_times};
use crate::parameters::ParameterSet;
use crate::protocol::{Control, DriveCycle, PlacedStep, Protocol, Step};
use crate::solution::{
    DfnSolution, EndReason, EnergyBalance, Inventory, StepSummary, StoichiometryRange, WorkCounters,
};
use crate::solver::Integrators;
use crate::solver::bdf::DaeSystem;

pub(crate) use follow::{Entry, Follower, Held};
pub(crate) use limits::{Cause, Gap};
pub(crate) use probes::Probes;
pub use watch::{Checkpoint, Record, Unwatched, Watch};

/// Solves `protocol` for a cell that starts at rest, and gives voltage, current, temperature and charge at
/// `output_times` (s, not decreasing; those beyond the end of the run are left out) with audits of
/// conservation, energy and work.
///
/// # Errors
/// Parameters, options and protocols that make no sense; starting potentials that cannot be found; time
/// steps that cannot be taken: with the variable, its place, the time and the residual.
pub fn solve(
    parameters: &ParameterSet,
    protocol: &Protocol,
    options: &DfnOptions,
    output_times: &[f64],
) -> Result<DfnSolution, CellError> {
    let outcome = solve_or_partial(parameters, protocol, options, output_times)?;
    outcome.failure.map_or(Ok(outcome.solution), Err)
}

/// As [`solve`], but a run that cannot go on gives what it has: the part before the failure.
///
/// # Errors
/// Parameters, options and protocols that make no sense.
pub fn solve_or_partial(
    parameters: &ParameterSet,
    protocol: &Protocol,
    options: &DfnOptions,
    output_times: &[f64],
) -> Result<Outcome, CellError> {
    Ok(solve_counting(parameters, protocol, options, output_times)?.0)
}

/// As [`solve_or_partial`], followed by `watch`, and going on from `checkpoint` if one is given. The checkpoint must
/// be of a run with the same parameters, protocol, options and output times.
///
/// # Errors
/// Parameters, options and protocols that make no sense, a checkpoint that does not fit.
pub fn solve_watched(
    parameters: &ParameterSet,
    protocol: &Protocol,
    options: &DfnOptions,
    output_times: &[f64],
    checkpoint: Option<Checkpoint>,
    watch: &mut dyn Watch,
) -> Result<Outcome, CellError> {
    let inputs = Inputs { parameters, protocol, options, output_times };
    Ok(run_with_probes(&inputs, Probes::none(), checkpoint, watch)?.0)
}

/// What a run is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) parameters: &'a ParameterSet,
    pub(crate) protocol: &'a Protocol,
    pub(crate) options: &'a DfnOptions,
    pub(crate) output_times: &'a [f64],
}

/// As [`solve_or_partial`], with the number of the model's unknowns (0 for a closed form).
///
/// # Errors
/// Parameters, options and protocols that make no sense.
pub fn solve_counting(
    parameters: &ParameterSet,
    protocol: &Protocol,
    options: &DfnOptions,
    output_times: &[f64],
) -> Result<(Outcome, usize), CellError> {
    options.validate()?;
    protocol.validate()?;
    check_times("output times [s]", output_times)?;
    // Nothing follows the run from step to step: where a closed form exists, it is all there is to do.
    if let Some(solution) = closed_form::run(parameters, protocol, options, output_times)? {
        return Ok((Outcome { solution, failure: None }, 0));
    }
    let inputs = Inputs { parameters, protocol, options, output_times };
    let (outcome, _, states) = run_with_probes(&inputs, Probes::none(), None, &mut Unwatched)?;
    Ok((outcome, states))
}

/// The same with the voltages that `probes` asks for, and the number of unknowns. A run that is probed ends after
/// the probed steps.
pub(crate) fn run_with_probes(
    inputs: &Inputs<'_>,
    probes: Probes,
    checkpoint: Option<Checkpoint>,
    watch: &mut dyn Watch,
) -> Result<(Outcome, Probes, usize), CellError> {
    let Inputs { parameters, protocol, options, output_times } = *inputs;
    options.validate()?;
    protocol.validate()?;
    check_times("output times [s]", output_times)?;
    let model = CellModel::new(parameters, options)?;
    let states = model.layout.integrals;
    let mut run = Run::new(parameters, model, options, output_times);
    run.probes = probes;
    if let Some(checkpoint) = checkpoint {
        run.resume(checkpoint)?;
    }
    let failure = run.follow_protocol(protocol, watch);
    let probes = std::mem::take(&mut run.probes);
    Ok((Outcome { solution: run.finish(), failure }, probes, states))
}

/// As [`solve_or_partial`] with the general solver, every time step of which `follower` is told.
pub(crate) fn run_followed(inputs: &Inputs<'_>, follower: &mut dyn Follower) -> Result<Outcome, CellError> {
    let Inputs { parameters, protocol, options, output_times } = *inputs;
    options.validate()?;
    protocol.validate()?;
    check_times("output times [s]", output_times)?;
    let model = CellModel::new(parameters, options)?;
    let mut run = Run::new(parameters, model, options, output_times);
    run.follower = Some(follower);
    let failure = run.follow_protocol(protocol, &mut Unwatched);
    Ok(Outcome { solution: run.finish(), failure })
}

/// A cell at the end of a run.
pub(crate) struct EndState {
    pub(crate) model: CellModel,
    /// Unknowns.
    pub(crate) y: Vec<f64>,
    pub(crate) time_s: f64,
    pub(crate) end_reason: EndReason,
}

/// The state at the end of `protocol`.
///
/// # Errors
/// As [`solve`].
pub(crate) fn run_to_end(
    parameters: &ParameterSet,
    protocol: &Protocol,
    options: &DfnOptions,
) -> Result<EndState, CellError> {
    options.validate()?;
    protocol.validate()?;
    let mut run = Run::new(parameters, CellModel::new(parameters, options)?, options, &[]);
    match run.follow_protocol(protocol, &mut Unwatched) {
        Some(error) => Err(error),
        None => {
            Ok(EndState { end_reason: run.solution.end_reason, model: run.model, y: run.y, time_s: run.time })
        }
    }
}

/// How a run went: all of it, or what there is up to a failure.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The run, or the part before the failure.
    pub solution: DfnSolution,
    /// Why it did not reach the end of the protocol.
    pub failure: Option<CellError>,
}

/// Lithium of one electrode at the start, and what it can hold, mol/m2.
#[derive(Debug, Clone, Copy)]
struct ElectrodeStart {
    lithium: f64,
    capacity: f64,
}

struct Run<'a> {
    parameters: &'a ParameterSet,
    options: &'a DfnOptions,
    output_times: &'a [f64],
    model: CellModel,
    integrators: Integrators,
    time: f64,
    y: Vec<f64>,
    scratch: Vec<f64>,
    started: bool,
    /// Time and charge (A s/m2) at the start of the step.
    step_start: (f64, f64),
    /// Index of the next output and the next profile.
    next_output: usize,
    next_profile: usize,
    /// Unknowns at the start.
    start: Vec<f64>,
    starts: Vec<ElectrodeStart>,
    start_salt: f64,
    start_temperature: f64,
    /// Times since the start of the step at which its period falls: the next, and their distance.
    next_period: f64,
    period: f64,
    probes: Probes,
    /// How close particles may come to empty or full.
    margin: f64,
    /// What is told of every time step.
    follower: Option<&'a mut dyn Follower>,
    /// Cycle of the present step.
    cycle: usize,
    /// Time of the last record, s.
    last_record_s: Option<f64>,
    /// Records that the watch knows.
    told: usize,
    /// Work before the checkpoint that the run goes on from.
    earlier_work: WorkCounters,
    solution: DfnSolution,
}

impl<'a> Run<'a> {
    fn new(
        parameters: &'a ParameterSet,
        model: CellModel,
        options: &'a DfnOptions,
        output_times: &'a [f64],
    ) -> Self {
        let y = model.rested_state(parameters);
        let starts: Vec<ElectrodeStart> = model
            .electrodes
            .iter()
            .map(|e| ElectrodeStart { lithium: e.lithium(&y), capacity: e.capacity() })
            .collect();
        let nothing = StoichiometryRange { low: 1.0, high: 0.0 };
        let area = parameters.total_area_m2();
        let solution = DfnSolution {
            time_s: Vec::with_capacity(output_times.len()),
            voltage_v: Vec::with_capacity(output_times.len()),
            current_a: Vec::with_capacity(output_times.len()),
            temperature_k: Vec::with_capacity(output_times.len()),
            discharge_capacity_ah: Vec::with_capacity(output_times.len()),
            end_time_s: 0.0,
            end_reason: EndReason::TimeLimit,
            end_voltage_v: 0.0,
            end_temperature_k: 0.0,
            end_capacity_ah: 0.0,
            inventory: Inventory {
                solid_lithium_mol: area * starts.iter().map(|s| s.lithium).sum::<f64>(),
                ..Inventory::default()
            },
            energy: EnergyBalance::default(),
            negative_stoichiometry: nothing,
            positive_stoichiometry: nothing,
            steps: Vec::new(),
            profiles: Vec::new(),
            work: WorkCounters::default(),
        };
        Self {
            parameters,
            options,
            output_times,
            integrators: Integrators::new(&model),
            time: 0.0,
            scratch: y.clone(),
            start: y.clone(),
            started: false,
            step_start: (0.0, 0.0),
            next_output: 0,
            next_profile: 0,
            starts,
            start_salt: model.salt(&y),
            start_temperature: parameters.initial_temperature_k,
            next_period: f64::INFINITY,
            period: f64::INFINITY,
            probes: Probes::none(),
            margin: options.stoichiometry_margin,
            follower: None,
            cycle: 0,
            last_record_s: None,
            told: 0,
            earlier_work: WorkCounters::default(),
            solution,
            y,
            model,
        }
    }

    /// Does all steps of `protocol` that are not done; gives why it could not go on, if so.
    fn follow_protocol(&mut self, protocol: &Protocol, watch: &mut dyn Watch) -> Option<CellError> {
        let mut steps = protocol.steps();
        let mut done = 0;
        while let Some(placed) = steps.next() {
            if let Some(known) = self.solution.steps.get(done) {
                // Done before the checkpoint.
                if placed.step.leaves_repeat && watch::ended_by_limit(known.end_reason) {
                    steps.leave_repeat();
                }
                done += 1;
                continue;
            }
            let outcome = self.step(&placed);
            match self.tell(watch).and(outcome) {
                Ok(by_limit) if placed.step.leaves_repeat && by_limit => steps.leave_repeat(),
                Ok(_) => {}
                Err(error) => return Some(error),
            }
            done += 1;
            if self.probes.complete(self.solution.steps.len()) {
                break;
            }
        }
        None
    }

    /// Does one step; gives whether one of its limits ended it.
    fn step(&mut self, placed: &PlacedStep) -> Result<bool, CellError> {
        let step = placed.step;
        self.cycle = placed.cycle;
        let area = self.parameters.total_area_m2();
        let held = Held::of(&step.control);
        self.hold(held, Held::Current(0.0))?;
        if !self.started {
            let mut y = std::mem::take(&mut self.y);
            let outcome = self.model.guess_potentials(&mut y, self.time);
            self.y = y;
            outcome?;
            self.started = true;
        }
        let start = self.time;
        let (longest, asked_for) = step.longest_s(self.parameters.nominal_capacity_ah);
        let stop = start + longest;
        let integrals = self.model.layout.integrals;
        let before = [self.y[integrals + integral::CHARGE], self.y[integrals + integral::ENERGY]];
        self.step_start = (start, before[0]);
        (self.next_period, self.period) =
            step.period_s.map_or((f64::INFINITY, f64::INFINITY), |period| (0.0, period));
        self.probes.begin(self.solution.steps.len());
        self.integrators.forget();
        let outcome = match &step.control {
            Control::Profile { cycle, factor } => self.follow(step, cycle, *factor, stop),
            _ => self.hold_until(step, stop),
        };
        self.audit(&self.y.clone());
        self.record_end(step);
        if let Ok(cause) = &outcome {
            self.follow_end(step, *cause)?;
        }
        let at_end = if asked_for { EndReason::TimeLimit } else { EndReason::LongestDuration };
        let reason = match &outcome {
            Ok(cause) => cause.map_or(at_end, |cause| cause.end_reason(step)),
            Err(_) => EndReason::Failure,
        };
        self.solution.steps.push(StepSummary {
            cycle: placed.cycle,
            start_s: start,
            end_s: self.time,
            end_reason: reason,
            charge_ah: (self.y[integrals + integral::CHARGE] - before[0]) * area / 3600.0,
            energy_wh: (self.y[integrals + integral::ENERGY] - before[1]) * area / 3600.0,
            ageing: self.model.ageing_state(&self.y, &self.start, area),
            hysteresis: self.model.hysteresis_state(&self.y),
        });
        self.solution.end_reason = reason;
        Ok(matches!(outcome?, Some(Cause::Limit(_))))
    }

    /// Holds a value from now on that changes at `slope` per second (in the same unit).
    fn hold(&mut self, held: Held, slope: Held) -> Result<(), CellError> {
        self.model.control = held.row(self.parameters);
        (self.model.control_slope, self.model.control_start) =
            (slope.row(self.parameters).value(), self.time);
        self.model.set_time(self.time);
        match self.follower.as_deref_mut() {
            Some(follower) => follower.follow(Entry::Hold { held, slope, start: self.time }),
            None => Ok(()),
        }
    }

    /// Makes the potentials consistent with the control and starts an integrator; gives a limit that is met at
    /// once.
    fn begin(&mut self, step: &Step, kinks: bool, span: f64) -> Result<Option<Cause>, CellError> {
        self.model.solve_potentials(&mut self.y, self.time)?;
        let slope = self.model.starting_slope(&self.y, self.time)?;
        self.set_margin(&slope);
        let slope =
            if self.margin < self.options.stoichiometry_margin { self.potentials_too(slope) } else { slope };
        self.integrators.restart(&mut self.model, kinks, (self.time, &self.y, &slope), span);
        self.follow_begin()?;
        self.record_start();
        self.met_limit(step, &self.y, self.time, f64::INFINITY)
    }

    /// Holds one value until a limit, which is given, or `stop`.
    fn hold_until(&mut self, step: &Step, stop: f64) -> Result<Option<Cause>, CellError> {
        if let Some(cause) = self.begin(step, false, stop - self.time)? {
            return Ok(Some(cause));
        }
        self.integrate(step, stop, self.options.max_steps)
    }

    /// Follows a trace until a limit, which is given, or `stop`, piece by piece.
    fn follow(
        &mut self,
        step: &Step,
        cycle: &DriveCycle,
        factor: f64,
        stop: f64,
    ) -> Result<Option<Cause>, CellError> {
        let start = self.time;
        // Time in the trace: that of the run is rounded.
        let mut local = 0.0;
        let mut before = f64::NAN;
        while start + local < stop {
            let segment = cycle.segment(local);
            let end = (start + segment.end_s).min(stop);
            let slope = (segment.end_value - segment.start_value) / (segment.end_s - segment.start_s);
            let held = |value: f64| Held::traced(cycle.quantity(), factor * value);
            self.hold(held(segment.start_value), held(slope))?;
            let jump = (segment.start_value - before).abs() > 1e-12 * cycle.largest();
            if (jump || before.is_nan())
                && let Some(cause) = self.begin(step, true, end - self.time)?
            {
                return Ok(Some(cause));
            }
            if let Some(cause) = self.integrate(step, end, self.options.max_steps)? {
                return Ok(Some(cause));
            }
            (local, before) = (segment.end_s, segment.end_value);
        }
        Ok(None)
    }

    /// Steps until a limit, which is given, or `stop`; leaves the state at the end, or the last one before a
    /// failure, in `self.y`.
    fn integrate(&mut self, step: &Step, stop: f64, most: usize) -> Result<Option<Cause>, CellError> {
        for _ in 0..most {
            if let Err(failure) = self.integrators.advance(&mut self.model, stop) {
                self.integrators.copy_last_accepted(&mut self.y);
                self.time = self.integrators.time();
                let (variable, node) = self.model.describe(failure.trouble.unknown);
                return Err(CellError::TimeStep {
                    reason: failure.trouble.reason,
                    variable,
                    node,
                    time_s: self.time,
                    step_s: failure.step,
                    value: failure.trouble.value,
                });
            }
            self.follow_step()?;
            self.solution.work.outside_table += self.model.outside;
            let y = std::mem::take(self.integrators.state());
            self.audit(&y);
            let time = self.integrators.time();
            let slope = self.voltage_slope(step, time);
            let met = self.met_limit(step, &y, time, slope);
            *self.integrators.state() = y;
            if met?.is_some() {
                let (cause, time) = self.locate(step)?;
                self.record_until(time);
                self.time = time;
                return Ok(Some(cause));
            }
            self.record_until(time);
            self.record_time_step(time);
            self.time = time.min(stop);
            self.y.copy_from_slice(self.integrators.state());
            if time >= stop {
                return Ok(None);
            }
        }
        Err(CellError::TooManySteps { steps: most, time_s: self.integrators.time() })
    }
}
