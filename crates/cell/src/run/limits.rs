//! Limits that end a step, and the time at which they are met.

use super::Run;
use crate::error::CellError;
use crate::model::{CellModel, ControlRow, INSTANT, integral};
use crate::parameters::ParameterSet;
use crate::protocol::{Limit, Step, StepState};
use crate::solution::EndReason;
use crate::solver::bdf::DaeSystem;

/// What ends a step before its duration.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cause {
    /// The limit of the step with this index.
    Limit(usize),
    /// Particles of an electrode (0 negative, 1 positive) that are empty or full at their surface.
    Particles(usize),
}

impl Cause {
    pub(super) fn end_reason(self, step: &Step) -> EndReason {
        match self {
            Self::Limit(index) => step.limits[index].end_reason(),
            Self::Particles(0) => EndReason::NegativeStoichiometry,
            Self::Particles(_) => EndReason::PositiveStoichiometry,
        }
    }
}

/// What limits look at beside the state: the cell, and where the protocol step began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gap<'a> {
    pub(crate) parameters: &'a ParameterSet,
    pub(crate) model: &'a CellModel,
    /// A step ends when a surface stoichiometry comes this close to 0 or 1.
    pub(crate) margin: f64,
    /// Time, s, and charge, C/m2, at the start of the step.
    pub(crate) step_start: (f64, f64),
}

impl Gap<'_> {
    fn state(&self, y: &[f64], time: f64, slope: f64) -> StepState {
        let area = self.parameters.total_area_m2();
        let l = self.model.layout;
        StepState {
            voltage_v: y[l.voltage],
            current_a: y[l.current] * area,
            temperature_k: y[l.temperature],
            time_s: time - self.step_start.0,
            charge_ah: (y[l.integrals + integral::CHARGE] - self.step_start.1) * area / 3600.0,
            voltage_slope_v_per_s: slope,
        }
    }

    /// How far state `y` with dV/dt `slope` is from what `cause` ends; NaN for a condition without a value.
    pub(crate) fn to(&self, cause: Cause, step: &Step, (y, time, slope): (&[f64], f64, f64)) -> f64 {
        match cause {
            Cause::Limit(index) => step.limits.get(index).map_or(f64::NAN, |limit| {
                limit.gap(&self.state(y, time, slope), self.parameters.nominal_capacity_ah)
            }),
            Cause::Particles(electrode) => {
                let (low, high) = self.surface_range(if electrode == 0 { 1.0 } else { -1.0 }, y);
                (low - self.margin).min(1.0 - self.margin - high)
            }
        }
    }

    /// The limit that is closest to being met at a state, or furthest beyond, and its value: met when not
    /// positive, NaN for a condition without a value.
    fn nearest(&self, step: &Step, at: (&[f64], f64, f64)) -> (Cause, f64) {
        let particles = [Cause::Particles(0), Cause::Particles(1)];
        let causes = (0..step.limits.len()).map(Cause::Limit).chain(particles);
        causes
            .map(|cause| (cause, self.to(cause, step, at)))
            .reduce(|best, gap| if gap.1 < best.1 || gap.1.is_nan() { gap } else { best })
            .unwrap_or((particles[0], f64::NAN))
    }

    /// Smallest and largest surface stoichiometry of the negative (`sign` 1) or the positive electrode (-1);
    /// an electrode without particles is half full.
    fn surface_range(&self, sign: f64, y: &[f64]) -> (f64, f64) {
        let mut range = (f64::MAX, f64::MIN);
        for family in self.model.electrodes.iter().filter(|e| e.sign == sign).flat_map(|e| &e.families) {
            let start = family.surface_start();
            for c in &y[start..start + family.count()] {
                let x = c / family.max_concentration;
                range = (range.0.min(x), range.1.max(x));
            }
        }
        if range.0 > range.1 { (0.5, 0.5) } else { range }
    }
}

impl Run<'_> {
    fn limits(&self) -> Gap<'_> {
        Gap {
            parameters: self.parameters,
            model: &self.model,
            margin: self.margin,
            step_start: self.step_start,
        }
    }

    /// Surface stoichiometries of an electrode, as [`Gap::surface_range`].
    pub(super) fn surface_range(&self, sign: f64, y: &[f64]) -> (f64, f64) {
        self.limits().surface_range(sign, y)
    }

    /// Sets how close particles may come to empty or full from here on, where concentrations change by `slope`: those
    /// that ended the step before and now move away from the bound are given half of what is left to it.
    pub(super) fn set_margin(&mut self, slope: &[f64]) {
        let bound = self.options.stoichiometry_margin;
        self.margin = bound;
        for family in self.model.families() {
            let start = family.surface_start();
            for i in start..start + family.count() {
                let x = self.y[i] / family.max_concentration;
                for (left, inward) in [(x, slope[i] > 0.0), (1.0 - x, slope[i] < 0.0)] {
                    if left <= bound && inward {
                        self.margin = self.margin.min(0.5 * left);
                    }
                }
            }
        }
    }

    /// The slope with that of the potentials: beside empty or full particles they change by volts in no time, and a
    /// prediction that holds them would take no step. Left alone where it has none.
    pub(super) fn potentials_too(&mut self, slope: Vec<f64>) -> Vec<f64> {
        let complete = self
            .model
            .linearize(&self.y, &slope)
            .and_then(|()| self.model.factor(INSTANT))
            .and_then(|()| self.model.rate_of_all(&self.y, &slope));
        let integrals = self.model.layout.integrals;
        match complete {
            Ok(mut complete) => {
                complete[integrals..].copy_from_slice(&slope[integrals..]);
                complete
            }
            Err(_) => slope,
        }
    }

    pub(super) fn met_limit(
        &self,
        step: &Step,
        y: &[f64],
        time: f64,
        slope: f64,
    ) -> Result<Option<Cause>, CellError> {
        let (cause, value) = self.limits().nearest(step, (y, time, slope));
        if value.is_nan() {
            let requirement =
                "the condition that ends a step has no value here; check its logarithms, roots and quotients";
            return Err(CellError::Option { option: "condition of a step", value, requirement });
        }
        Ok((value <= 0.0).then_some(cause))
    }

    /// dV/dt at `time` in the last time step, if the step asks for it.
    pub(super) fn voltage_slope(&mut self, step: &Step, time: f64) -> f64 {
        if !step.limits.iter().any(|limit| matches!(limit, Limit::VoltageSlopeBelow { .. })) {
            return f64::INFINITY;
        }
        let width = 1e-3 * (self.integrators.time() - self.integrators.previous_time());
        let mut y = std::mem::take(&mut self.scratch);
        self.integrators.interpolate(time, &mut y);
        let voltage = y[self.model.layout.voltage];
        self.integrators.interpolate(time - width, &mut y);
        let before = y[self.model.layout.voltage];
        self.scratch = y;
        (voltage - before) / width
    }

    /// The nearest limit and its value at `time` in the last step.
    fn gap(&mut self, step: &Step, time: f64) -> (Cause, f64) {
        let slope = self.voltage_slope(step, time);
        let mut y = std::mem::take(&mut self.scratch);
        self.integrators.interpolate(time, &mut y);
        let nearest = self.limits().nearest(step, (&y, time, slope));
        self.scratch = y;
        nearest
    }

    /// Time within the last step at which a limit is met, and the state there: bisection on the
    /// interpolating polynomial, then secant steps in which the potentials are solved again for the
    /// interpolated concentrations.
    pub(super) fn locate(&mut self, step: &Step) -> Result<(Cause, f64), CellError> {
        let (mut low, mut high) = (self.integrators.previous_time(), self.integrators.time());
        let mut cause = self.gap(step, high).0;
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high || high - low < 1e-9 * (high.abs() + 1.0) {
                break;
            }
            let (found, value) = self.gap(step, middle);
            if value <= 0.0 {
                high = middle;
                cause = found;
            } else {
                low = middle;
            }
        }
        let mut time = high;
        self.integrators.interpolate(time, &mut self.y);
        if !matches!(self.model.control, ControlRow::Current(_)) {
            return Ok((cause, time));
        }
        let Cause::Limit(index) = cause else { return Ok((cause, time)) };
        if let Limit::VoltageBelow { volts } | Limit::VoltageAbove { volts } = step.limits[index] {
            time = self.polish(time, volts)?;
        }
        Ok((cause, time))
    }

    fn polish(&mut self, located: f64, target: f64) -> Result<f64, CellError> {
        let span = self.integrators.time() - self.integrators.previous_time();
        let ends = (self.integrators.previous_time(), self.integrators.time() + 0.1 * span);
        let mut time = located;
        let width = 1e-4 * span;
        let unknown = self.model.layout.voltage;
        for _ in 0..8 {
            self.integrators.interpolate(time, &mut self.y);
            self.model.set_time(time);
            self.model.solve_potentials(&mut self.y, time)?;
            let miss = self.y[unknown] - target;
            let mut at = |t: f64| {
                self.integrators.interpolate(t, &mut self.scratch);
                self.scratch[unknown]
            };
            let slope = (at(time + width) - at(time - width)) / (2.0 * width);
            let change = -miss / slope;
            if !change.is_finite() || change.abs() < 1e-10 * (time.abs() + 1.0) {
                break;
            }
            time = (time + change).clamp(ends.0, ends.1);
        }
        Ok(time)
    }
}
