//! Runs the steps of a protocol on the closed form.

use super::cell::{BATCH, Batch, ClosedCell};
use super::panel::{POINTS, Rule, Values, Verdict};
use crate::FARADAY;
use crate::options::DfnOptions;
use crate::parameters::ParameterSet;
use crate::property::Undefined;
use crate::protocol::{Control, Limit, PlacedStep, Step, StepState};
use crate::solution::{
    DfnSolution, EndReason, EnergyBalance, Inventory, Profile, StepSummary, StoichiometryRange, WorkCounters,
};
use crate::solver::root::root;

/// A limit overstepped by less than this between points is not met, V (or stoichiometry).
const TOUCH: f64 = 1e-9;
/// Narrowest panel, as a part of the square root of the longest duration.
const NARROWEST: f64 = 1e-9;
/// Accuracy of the time at which a limit is met, as a part of the square root of the time since the step began.
const ROOT_TOLERANCE: f64 = 5e-12;
/// A panel over which a surface stoichiometry changes by more than this is not tried. Its points are then at most 0.02
/// apart, so that features of open-circuit potentials down to a width of 0.005 show in the values at some of them.
const TRAVEL: f64 = 0.1;
/// Interpolation error of the voltage that is allowed in a panel, in `rtol` volts.
const INTERPOLATION: f64 = 3.0;

/// The closed form does not go on: the general solver tells why.
pub(super) struct Stop;

impl From<Undefined> for Stop {
    fn from(_: Undefined) -> Self {
        Self
    }
}

/// What ends a step before its duration.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cause {
    /// The limit of the step with this index.
    Limit(usize),
    /// Particles of electrode `place` (0 negative, 1 positive), empty or full at their surface.
    Particles { place: usize, empty: bool },
}

impl Cause {
    fn end_reason(self, step: &Step) -> EndReason {
        match self {
            Self::Limit(index) => step.limits[index].end_reason(),
            Self::Particles { place: 0, .. } => EndReason::NegativeStoichiometry,
            Self::Particles { .. } => EndReason::PositiveStoichiometry,
        }
    }
}

/// The part of a step that is still to be done, in the square root of the time since it began over the longest
/// duration.
struct Leg {
    /// Longest duration, s.
    longest: f64,
    left: f64,
    width: f64,
    end: f64,
    /// What happens at `end`; the duration is over if nothing does.
    cause: Option<Cause>,
}

impl Leg {
    fn seconds(&self, position: f64) -> f64 {
        self.longest * position * position
    }

    /// End of the next panel: no sliver is left before the end.
    fn right(&self) -> f64 {
        let remaining = self.end - self.left;
        if self.width > 0.999 * remaining { self.end } else { self.left + self.width.min(0.5 * remaining) }
    }

    /// Whether the panel up to `right` is the last one, ended by `cause`.
    fn ends_by(&self, cause: Cause, right: f64) -> bool {
        right >= self.end && self.cause == Some(cause)
    }

    /// The step ends at `position`, or at the left end of the present panel if that is later.
    fn end_at(&mut self, position: f64, cause: Cause) {
        self.end = position.max(self.left);
        self.cause = Some(cause);
    }
}

/// A panel that holds, with what it needs to be added.
struct Accepted {
    /// Interpolation error over what is allowed.
    error: f64,
}

/// Integrals per area.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    /// A s/m2
    charge: f64,
    /// J/m2
    energy: f64,
    contact: f64,
    reaction: f64,
    reversible: f64,
    /// Work at the equilibrium potentials.
    surface: f64,
}

pub(super) struct ClosedRun<'a> {
    p: &'a ParameterSet,
    options: &'a DfnOptions,
    /// How close particles may come to empty or full in this step.
    margin: f64,
    output_times: &'a [f64],
    cell: ClosedCell<'a>,
    area: f64,
    time: f64,
    next_output: usize,
    next_profile: usize,
    /// Times since the start of the step at which its period falls: the next, and their distance.
    next_period: f64,
    period: f64,
    /// Times since the start of the step at which it was sampled, if they are to be kept.
    sampled: Vec<f64>,
    sums: Sums,
    /// Lithium of the electrodes at the start, mol/m2.
    starts: [f64; 2],
    end_voltage: f64,
    panels: usize,
    repeated: usize,
    solution: DfnSolution,
}

impl<'a> ClosedRun<'a> {
    /// None if the diffusivity of a material is not constant.
    pub(super) fn new(p: &'a ParameterSet, options: &'a DfnOptions, output_times: &'a [f64]) -> Option<Self> {
        let cell = ClosedCell::new(p)?;
        let area = p.total_area_m2();
        let mut starts = [0.0; 2];
        for (place, side) in cell.sides() {
            starts[place] = side.lithium().0;
        }
        let nothing = StoichiometryRange { low: 1.0, high: 0.0 };
        let sheet = StoichiometryRange { low: 0.5, high: 0.5 };
        let outputs = || Vec::with_capacity(output_times.len());
        let solution = DfnSolution {
            time_s: outputs(),
            voltage_v: outputs(),
            current_a: outputs(),
            temperature_k: outputs(),
            discharge_capacity_ah: outputs(),
            end_time_s: 0.0,
            end_reason: EndReason::TimeLimit,
            end_voltage_v: 0.0,
            end_temperature_k: p.initial_temperature_k,
            end_capacity_ah: 0.0,
            inventory: Inventory {
                solid_lithium_mol: area * (starts[0] + starts[1]),
                ..Inventory::default()
            },
            energy: EnergyBalance::default(),
            negative_stoichiometry: if p.negative.porous().is_some() { nothing } else { sheet },
            positive_stoichiometry: nothing,
            steps: Vec::new(),
            profiles: Vec::new(),
            work: WorkCounters::default(),
        };
        Some(Self {
            p,
            options,
            margin: options.stoichiometry_margin,
            output_times,
            cell,
            area,
            time: 0.0,
            next_output: 0,
            next_profile: 0,
            next_period: f64::INFINITY,
            period: f64::INFINITY,
            sampled: Vec::new(),
            sums: Sums::default(),
            starts,
            end_voltage: 0.0,
            panels: 0,
            repeated: 0,
            solution,
        })
    }

    /// Does one step; gives whether one of its limits ended it.
    pub(super) fn step(&mut self, placed: &PlacedStep) -> Result<bool, Stop> {
        let step = placed.step;
        let amperes = match step.control {
            Control::Current { amperes } => amperes,
            Control::CRate(rate) => self.p.current_of_rate(rate),
            _ => 0.0,
        };
        let current = amperes / self.area;
        self.cell.set_current(current)?;
        let mut batch = Batch::new();
        self.cell.surfaces(&[0.0], 0, &mut batch);
        self.cell.voltages(0..1, &mut batch)?;
        self.solution.work.outside_table += batch.outside;
        self.see(&batch, 0);
        (self.next_period, self.period) =
            step.period_s.map_or((f64::INFINITY, f64::INFINITY), |period| (0.0, period));
        self.sampled.clear();
        self.record_start(&batch);
        let start = self.time;
        let before = self.sums;
        let (longest, asked_for) = step.longest_s(self.p.nominal_capacity_ah);
        let mut cause = self.met_at_start(step, &batch);
        if cause.is_none() {
            let (seconds, end) = self.march(step, longest, &mut batch)?;
            self.pass(seconds)?;
            cause = end;
        }
        self.end_voltage = batch.voltage[0];
        self.audit();
        let wanted = self.options.record_every_step || step.period_s.is_some();
        if wanted && self.solution.time_s.last().is_none_or(|last| *last < self.time) {
            self.push(self.time, 0.0, self.end_voltage);
        }
        let at_end = if asked_for { EndReason::TimeLimit } else { EndReason::LongestDuration };
        let reason = cause.map_or(at_end, |cause| cause.end_reason(step));
        self.solution.steps.push(StepSummary {
            cycle: placed.cycle,
            start_s: start,
            end_s: self.time,
            end_reason: reason,
            charge_ah: (self.sums.charge - before.charge) * self.area / 3600.0,
            energy_wh: (self.sums.energy - before.energy) * self.area / 3600.0,
            ageing: None,
            hysteresis: None,
        });
        self.solution.end_reason = reason;
        Ok(matches!(cause, Some(Cause::Limit(_))))
    }

    /// Sets how close particles may come to empty or full in the step that begins: those that ended the step before
    /// and now move away from the bound are given half of what is left to it.
    fn set_margin(&mut self, batch: &Batch) {
        /// A moment, s, after which the surface shows which way it goes.
        const MOMENT: f64 = 1e-3;
        self.margin = self.options.stoichiometry_margin;
        let mut least = self.margin;
        for (place, side) in self.cell.sides() {
            let (now, then) = (batch.x[place][0], side.sphere.surface(MOMENT));
            for empty in [true, false] {
                let left = room(now, empty, 0.0);
                if left <= self.margin + TOUCH && room(then, empty, 0.0) > left {
                    least = least.min(0.5 * left);
                }
            }
        }
        self.margin = least;
    }

    /// The limit that is met, or furthest overstepped, when the step begins.
    fn met_at_start(&mut self, step: &Step, batch: &Batch) -> Option<Cause> {
        let state = StepState {
            voltage_v: batch.voltage[0],
            current_a: self.cell.current() * self.area,
            temperature_k: self.p.initial_temperature_k,
            time_s: 0.0,
            charge_ah: 0.0,
            voltage_slope_v_per_s: f64::INFINITY,
        };
        let capacity = self.p.nominal_capacity_ah;
        let limits = step.limits.iter().enumerate();
        self.set_margin(batch);
        let margin = self.margin;
        let particles = self.cell.sides().flat_map(|(place, _)| {
            // Particles that ended the step before are at the margin to rounding.
            [true, false].map(|empty| {
                (Cause::Particles { place, empty }, room(batch.x[place][0], empty, margin) - TOUCH)
            })
        });
        limits
            .map(|(index, limit)| (Cause::Limit(index), limit.gap(&state, capacity)))
            .chain(particles)
            .reduce(|best, gap| if gap.1 < best.1 { gap } else { best })
            .filter(|(_, gap)| *gap <= 0.0)
            .map(|(cause, _)| cause)
    }

    /// Duration and end of a step whose start is in the first place of `batch`; leaves its end there and adds its
    /// integrals.
    fn march(&mut self, step: &Step, longest: f64, batch: &mut Batch) -> Result<(f64, Option<Cause>), Stop> {
        let rule = Rule::get();
        let mut leg = self.leg(step, longest);
        // Integrals of the lists of a batch, V s.
        let mut integrals = [0.0; 4];
        let mut count = 0;
        while leg.left < leg.end {
            count += 1;
            if count > self.options.max_steps {
                return Err(Stop);
            }
            let right = leg.right();
            let width = right - leg.left;
            let Some(Accepted { error }) = self.examine(step, &mut leg, right, batch)? else {
                self.repeated += 1;
                continue;
            };
            self.panels += 1;
            let weights = rule.points.map(|u| 2.0 * leg.longest * (leg.left + width * u) * width);
            for (sum, values) in integrals.iter_mut().zip(batch.lists()) {
                *sum += rule.mean(&std::array::from_fn(|i| weights[i] * values[i]));
            }
            for i in 1..POINTS {
                self.see(batch, i);
            }
            if self.options.record_every_step {
                let points = rule.points[1..].iter().map(|u| leg.seconds(leg.left + width * u));
                self.sampled.extend(points);
            }
            batch.move_to_front(POINTS - 1);
            leg.left = right;
            leg.width = width * growth(error).clamp(0.5, 2.0);
        }
        let seconds = leg.seconds(leg.end);
        let current = self.cell.current();
        self.sums.energy += current * integrals[0];
        self.sums.contact += current * current * self.cell.contact_resistance() * seconds;
        self.sums.surface -= current * integrals[1];
        self.sums.reaction += current * integrals[2];
        self.sums.reversible += current * integrals[3];
        Ok((seconds, leg.cause))
    }

    /// The whole step, with a first panel over which the mean stoichiometry changes by a few per cent.
    fn leg(&self, step: &Step, longest: f64) -> Leg {
        let amperes = self.cell.current().abs() * self.area;
        let mut leg = Leg { longest, left: 0.0, width: 0.0, end: 1.0, cause: None };
        for (index, limit) in step.limits.iter().enumerate() {
            if let Limit::ChargeAbove { ampere_hours } = limit {
                let seconds = ampere_hours * 3600.0 / amperes;
                if seconds <= leg.longest {
                    (leg.longest, leg.cause) = (seconds, Some(Cause::Limit(index)));
                }
            }
        }
        let fastest = self
            .cell
            .sides()
            .map(|(_, side)| (side.sphere.mean_rate().abs() / 0.05).max(0.1 * side.sphere.rate()))
            .fold(0.0, f64::max);
        leg.width = (1.0 / (fastest * leg.longest)).sqrt().clamp(1e-6, 1.0);
        leg
    }

    /// Fills the panel up to `right`, of which the first place is known. Gives none if it must be done again: shorter, or
    /// with an end of the step that was found in it.
    fn examine(
        &mut self,
        step: &Step,
        leg: &mut Leg,
        right: f64,
        batch: &mut Batch,
    ) -> Result<Option<Accepted>, Stop> {
        let rule = Rule::get();
        let width = right - leg.left;
        let seconds = rule.points.map(|u| leg.seconds(if u == 1.0 { right } else { leg.left + width * u }));
        self.cell.surfaces(&seconds[1..], 1, batch);
        let Some(mut error) = self.examine_particles(leg, right, batch) else { return Ok(None) };
        let allowed = INTERPOLATION * self.options.rtol;
        let too_wide = |error: f64, leg: &mut Leg| {
            let refused = error > allowed && width >= NARROWEST;
            if refused {
                leg.width = width * growth(error / allowed).clamp(0.2, 0.7);
            }
            refused
        };
        let watched =
            step.limits.iter().any(|l| matches!(l, Limit::VoltageBelow { .. } | Limit::VoltageAbove { .. }));
        if self.cell.current() == 0.0 && !watched {
            if too_wide(error, leg) {
                return Ok(None);
            }
            if right >= leg.end {
                self.cell.voltages(POINTS - 1..POINTS, batch)?;
            }
            return Ok(Some(Accepted { error: error / allowed }));
        }
        if self.cell.voltages(1..POINTS, batch).is_err() {
            if width < NARROWEST {
                return Err(Stop);
            }
            leg.width = 0.25 * width;
            return Ok(None);
        }
        let of_voltage = rule.error(&first(&batch.voltage));
        error = error.max(of_voltage).max(rule.error(&first(&batch.entropic)));
        if too_wide(error, leg) || !self.examine_voltages(step, leg, right, batch, of_voltage)? {
            return Ok(None);
        }
        self.solution.work.outside_table += batch.outside;
        Ok(Some(Accepted { error: error / allowed }))
    }

    /// Interpolation error of the surface stoichiometries; none if the panel must be done again.
    fn examine_particles(&self, leg: &mut Leg, right: f64, batch: &Batch) -> Option<f64> {
        let rule = Rule::get();
        let width = right - leg.left;
        let margin = self.margin;
        let mut largest = 0.0_f64;
        for (place, _) in self.cell.sides() {
            let x: Values = first(&batch.x[place]);
            let (low, high) = x.iter().fold((f64::MAX, f64::MIN), |(a, b), x| (a.min(*x), b.max(*x)));
            let travel = high - low;
            if travel > TRAVEL && width >= NARROWEST {
                leg.width = (0.95 * TRAVEL / travel).max(0.2) * width;
                return None;
            }
            let error = rule.error(&x);
            largest = largest.max(error);
            for empty in [true, false] {
                let cause = Cause::Particles { place, empty };
                let rooms = x.map(|x| room(x, empty, margin));
                match rule.judge(&rooms, error, TOUCH, leg.ends_by(cause, right)) {
                    Verdict::Unsure if width >= NARROWEST => {
                        leg.width = 0.5 * width;
                        return None;
                    }
                    Verdict::Positive | Verdict::Unsure => {}
                    Verdict::Crossing(j) => {
                        self.locate_particles(leg, width, j, &rooms, cause);
                        return None;
                    }
                }
            }
        }
        Some(largest)
    }

    /// Whether no limit of the voltage, known to `error`, is met within the panel; if not, the panel must be done again.
    fn examine_voltages(
        &mut self,
        step: &Step,
        leg: &mut Leg,
        right: f64,
        batch: &Batch,
        error: f64,
    ) -> Result<bool, Stop> {
        let width = right - leg.left;
        let voltages: Values = first(&batch.voltage);
        for (index, limit) in step.limits.iter().enumerate() {
            let gaps = match limit {
                Limit::VoltageBelow { volts } => voltages.map(|v| v - volts),
                Limit::VoltageAbove { volts } => voltages.map(|v| volts - v),
                _ => continue,
            };
            let cause = Cause::Limit(index);
            match Rule::get().judge(&gaps, error, TOUCH, leg.ends_by(cause, right)) {
                Verdict::Unsure if width >= NARROWEST => {
                    leg.width = 0.5 * width;
                    return Ok(false);
                }
                Verdict::Positive | Verdict::Unsure => {}
                Verdict::Crossing(j) => {
                    self.locate_voltage(leg, width, j, &gaps, cause, limit)?;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Ends the step where the room of the particles, positive before point `j` of a panel, is used up.
    fn locate_particles(&self, leg: &mut Leg, width: f64, j: usize, rooms: &Values, cause: Cause) {
        let Cause::Particles { place, empty } = cause else { return };
        let Some((_, side)) = self.cell.sides().find(|(own, _)| *own == place) else { return };
        let (low, high) = bracket(leg, width, j, rooms);
        let margin = self.margin;
        let surface = |position: f64| {
            Ok::<f64, std::convert::Infallible>(room(
                side.sphere.surface(leg.seconds(position)),
                empty,
                margin,
            ))
        };
        let start = low.0 + (high.0 - low.0) * low.1 / (low.1 - high.1);
        let Ok(position) = root(low, high, start, None, ROOT_TOLERANCE * high.0, surface);
        leg.end_at(position, cause);
    }

    /// Ends the step where the gap to a limit of the voltage, positive before point `j` of a panel, is used up.
    fn locate_voltage(
        &mut self,
        leg: &mut Leg,
        width: f64,
        j: usize,
        gaps: &Values,
        cause: Cause,
        limit: &Limit,
    ) -> Result<(), Stop> {
        let rule = Rule::get();
        let (low, high) = bracket(leg, width, j, gaps);
        let at = |position: f64| rule.interpolate(gaps, (position - leg.left) / width);
        let interpolant = |position: f64| Ok::<f64, std::convert::Infallible>(at(position));
        let middle = 0.5 * (low.0 + high.0);
        let Ok(start) = root(low, high, middle, None, 1e-9 * width, interpolant);
        let shift = 1e-4 * width;
        let slope = (at(start + shift) - at(start - shift)) / (2.0 * shift);
        let mut probe = Batch::new();
        let gap = |position: f64| -> Result<f64, Stop> {
            self.cell.surfaces(&[leg.seconds(position)], 0, &mut probe);
            self.cell.voltages(0..1, &mut probe)?;
            Ok(match limit {
                Limit::VoltageAbove { volts } => volts - probe.voltage[0],
                Limit::VoltageBelow { volts } => probe.voltage[0] - volts,
                _ => 0.0,
            })
        };
        let position = root(low, high, start, Some(slope), ROOT_TOLERANCE * high.0, gap)?;
        leg.end_at(position, cause);
        Ok(())
    }

    /// Takes the surface stoichiometries in place `i` into the ranges.
    fn see(&mut self, batch: &Batch, i: usize) {
        let ranges = [&mut self.solution.negative_stoichiometry, &mut self.solution.positive_stoichiometry];
        for (range, x) in ranges.into_iter().zip(&batch.x) {
            range.low = range.low.min(x[i]);
            range.high = range.high.max(x[i]);
        }
    }

    /// Outputs and profiles that fall on the start of a step, which is in the first place of `batch`.
    fn record_start(&mut self, batch: &Batch) {
        let voltage = batch.voltage[0];
        while let Some(time) = self.due_output(0.0) {
            self.push(time, 0.0, voltage);
        }
        if self.options.record_every_step && self.solution.time_s.last() != Some(&self.time) {
            self.push(self.time, 0.0, voltage);
        }
        self.record_profiles(self.time, true);
    }

    /// Lets `seconds` of the present step pass, with the outputs and profiles that fall into them.
    fn pass(&mut self, seconds: f64) -> Result<(), Stop> {
        let mut times = [0.0; BATCH];
        let mut count = 0;
        let mut sampled = std::mem::take(&mut self.sampled).into_iter().peekable();
        let mut output = self.due_output(seconds);
        let mut last = f64::NEG_INFINITY;
        loop {
            let own = sampled.peek().map(|s| self.time + s);
            let (time, is_own) = match (output, own) {
                (Some(time), None) => (time, false),
                (Some(time), Some(own)) if time <= own => (time, false),
                (_, Some(own)) => (own, true),
                (None, None) => break,
            };
            if is_own {
                sampled.next();
            } else {
                output = self.due_output(seconds);
            }
            if is_own && time <= last {
                continue;
            }
            last = time;
            times[count] = time;
            count += 1;
            if count == BATCH {
                self.push_outputs(&times)?;
                count = 0;
            }
        }
        self.push_outputs(&times[..count])?;
        let end = self.time + seconds;
        self.record_profiles(end, false);
        self.cell.advance(seconds);
        self.sums.charge += self.cell.current() * seconds;
        self.time = end;
        Ok(())
    }

    /// Next output time up to `seconds` after the start of the step: of the list asked for, or of the step's period.
    fn due_output(&mut self, seconds: f64) -> Option<f64> {
        let listed = self.output_times.get(self.next_output).copied().unwrap_or(f64::INFINITY);
        let periodic = self.time + self.next_period;
        let next = listed.min(periodic);
        if next > self.time + seconds || next == f64::INFINITY {
            return None;
        }
        if listed <= periodic {
            self.next_output += 1;
        }
        if periodic <= listed {
            self.next_period += self.period;
        }
        Some(next)
    }

    /// Outputs within the present step.
    fn push_outputs(&mut self, times: &[f64]) -> Result<(), Stop> {
        if times.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new();
        let mut seconds = [0.0; BATCH];
        for (s, t) in seconds.iter_mut().zip(times) {
            *s = t - self.time;
        }
        self.cell.surfaces(&seconds[..times.len()], 0, &mut batch);
        self.cell.voltages(0..times.len(), &mut batch)?;
        for ((time, seconds), voltage) in times.iter().zip(seconds).zip(batch.voltage) {
            self.push(*time, seconds, voltage);
        }
        Ok(())
    }

    /// An output `seconds` after the state that is kept.
    fn push(&mut self, time: f64, seconds: f64, voltage: f64) {
        let current = self.cell.current();
        let charge = self.sums.charge + current * seconds;
        self.solution.time_s.push(time);
        self.solution.voltage_v.push(voltage);
        self.solution.current_a.push(current * self.area);
        self.solution.temperature_k.push(self.p.initial_temperature_k);
        self.solution.discharge_capacity_ah.push(charge * self.area / 3600.0);
    }

    /// Profiles that are due up to `end`; with `at_start` they show the start of the step, whatever their times.
    fn record_profiles(&mut self, end: f64, at_start: bool) {
        let options = self.options;
        while let Some(time_s) = options.profile_times_s.get(self.next_profile).filter(|t| **t <= end) {
            self.next_profile += 1;
            let seconds = if at_start { 0.0 } else { time_s - self.time };
            let mut surface = [Vec::new(), Vec::new()];
            let mut currents = [Vec::new(), Vec::new()];
            for (place, side) in self.cell.sides() {
                surface[place].push(side.sphere.surface(seconds));
                currents[place].push(side.interfacial_current(self.cell.current()));
            }
            let [negative_surface_stoichiometry, positive_surface_stoichiometry] = surface;
            let [negative_interfacial_current, positive_interfacial_current] = currents;
            self.solution.profiles.push(Profile {
                hysteresis_states: Vec::new(),
                time_s: *time_s,
                position_m: Vec::new(),
                electrolyte_concentration: Vec::new(),
                electrolyte_potential_v: Vec::new(),
                negative_surface_stoichiometry,
                positive_surface_stoichiometry,
                negative_interfacial_current,
                positive_interfacial_current,
            });
        }
    }

    /// Conservation at the end of a step.
    fn audit(&mut self) {
        let (charge, current) = (self.sums.charge, self.cell.current());
        let audit = &mut self.solution.inventory;
        let (mut now, mut before) = (0.0, 0.0);
        for (place, side) in self.cell.sides() {
            let (lithium, capacity) = side.lithium();
            let expected = self.starts[place] - side.sign() * charge / FARADAY;
            audit.coulomb_count_error =
                audit.coulomb_count_error.max(((lithium - expected) / capacity).abs());
            let miss = (side.charge(current) - side.sign() * current).abs() / current.abs().max(1.0);
            audit.charge_balance_error = audit.charge_balance_error.max(miss);
            now += lithium;
            before += self.starts[place];
        }
        if self.p.negative.porous().is_none() {
            // The lithium sheet gave what the electrode gained.
            now -= charge / FARADAY;
        }
        audit.solid_lithium_drift = audit.solid_lithium_drift.max((now / before - 1.0).abs());
    }

    pub(super) fn finish(self) -> DfnSolution {
        let Self { area, sums, mut solution, .. } = self;
        solution.end_time_s = self.time;
        solution.end_voltage_v = self.end_voltage;
        solution.end_capacity_ah = sums.charge * area / 3600.0;
        solution.energy = EnergyBalance {
            electrical_j: sums.energy * area,
            ohmic_solid_j: sums.contact * area,
            reaction_j: sums.reaction * area,
            reversible_j: sums.reversible * area,
            surface_work_j: sums.surface * area,
            residual_j: (sums.energy + sums.contact + sums.reaction + sums.surface) * area,
            ..EnergyBalance::default()
        };
        solution.work.steps = self.panels;
        solution.work.residuals = self.cell.evaluations;
        solution.work.error_test_failures = self.repeated;
        solution
    }
}

/// How far a surface stoichiometry is from the margin at 0 (`empty`) or at 1.
fn room(x: f64, empty: bool, margin: f64) -> f64 {
    if empty { x - margin } else { 1.0 - margin - x }
}

/// Factor of the width that brings an interpolation error `error` (over what is allowed) to a safe part of 1.
fn growth(error: f64) -> f64 {
    0.9 * (error + 1e-12).powf(-1.0 / (POINTS as f64 - 1.0))
}

/// The values at the points of a panel.
fn first(values: &[f64; BATCH]) -> Values {
    std::array::from_fn(|i| values[i])
}

/// Positions and values of the points between which the values, positive before point `j`, change sign.
fn bracket(leg: &Leg, width: f64, j: usize, values: &Values) -> ((f64, f64), (f64, f64)) {
    let points = &Rule::get().points;
    let at = |i: usize| (leg.left + width * points[i], values[i]);
    (at(j.max(1) - 1), at(j.max(1)))
}
