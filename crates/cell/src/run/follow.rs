//! What a run tells about every one of its time steps to what differentiates it.

use super::Run;
use super::limits::Cause;
use crate::error::CellError;
use crate::model::ControlRow;
use crate::parameters::ParameterSet;
use crate::protocol::{Control, DriveQuantity, Step};
use crate::solver::LastStep;

/// A value that is held, in the unit of the protocol: what it is per area depends on the parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Held {
    /// A.
    Current(f64),
    /// 1/h.
    CRate(f64),
    /// V.
    Voltage(f64),
    /// W.
    Power(f64),
    /// Ohm.
    Resistance(f64),
}

impl Held {
    /// `value` of a trace of `quantity`.
    pub(crate) fn traced(quantity: DriveQuantity, value: f64) -> Self {
        match quantity {
            DriveQuantity::Current => Self::Current(value),
            DriveQuantity::CRate => Self::CRate(value),
            DriveQuantity::Power => Self::Power(value),
            DriveQuantity::Voltage => Self::Voltage(value),
        }
    }

    /// What a control holds at its start.
    pub(crate) fn of(control: &Control) -> Self {
        match control {
            Control::Current { amperes } => Self::Current(*amperes),
            Control::CRate(rate) => Self::CRate(*rate),
            Control::Voltage { volts } => Self::Voltage(*volts),
            Control::Power { watts } => Self::Power(*watts),
            Control::Rest => Self::Current(0.0),
            Control::Resistance { ohms } => Self::Resistance(*ohms),
            Control::Profile { cycle, factor } => Self::traced(cycle.quantity(), factor * cycle.value(0.0)),
        }
    }

    /// The row that closes the system of a cell with `parameters`.
    pub(crate) fn row(self, parameters: &ParameterSet) -> ControlRow {
        let area = parameters.total_area_m2();
        match self {
            Self::Current(amperes) => ControlRow::Current(amperes / area),
            Self::CRate(rate) => ControlRow::Current(parameters.current_of_rate(rate) / area),
            Self::Voltage(volts) => ControlRow::Voltage(volts),
            Self::Power(watts) => ControlRow::Power(watts / area),
            Self::Resistance(ohms) => ControlRow::Resistance(ohms * area),
        }
    }
}

/// One thing that happens in a run.
#[derive(Debug)]
pub(crate) enum Entry<'a> {
    /// From `start` on, `held` is held, changing by `slope` per second.
    Hold { held: Held, slope: Held, start: f64 },
    /// An integrator starts from the consistent state `y`.
    Begin { time: f64, y: &'a [f64] },
    /// A time step was taken.
    Step(LastStep<'a>),
    /// A protocol step ends at `time` in state `y`, by `cause` if not by its duration.
    End { step: &'a Step, cause: Option<Cause>, time: f64, y: &'a [f64] },
}

/// What follows every time step of a run.
pub(crate) trait Follower {
    /// Takes an entry.
    ///
    /// # Errors
    /// What ends the run here.
    fn follow(&mut self, entry: Entry<'_>) -> Result<(), CellError>;

    /// Takes an output at `time`, s, within the last time step or at the state from which it starts.
    fn output(&mut self, time: f64);
}

impl Run<'_> {
    /// Tells that an integrator starts.
    pub(super) fn follow_begin(&mut self) -> Result<(), CellError> {
        match self.follower.as_deref_mut() {
            Some(follower) => follower.follow(Entry::Begin { time: self.time, y: &self.y }),
            None => Ok(()),
        }
    }

    /// Tells of the last time step.
    pub(super) fn follow_step(&mut self) -> Result<(), CellError> {
        match self.follower.as_deref_mut() {
            Some(follower) => follower.follow(Entry::Step(self.integrators.last_step())),
            None => Ok(()),
        }
    }

    /// Tells how a protocol step ended.
    pub(super) fn follow_end(&mut self, step: &Step, cause: Option<Cause>) -> Result<(), CellError> {
        match self.follower.as_deref_mut() {
            Some(follower) => follower.follow(Entry::End { step, cause, time: self.time, y: &self.y }),
            None => Ok(()),
        }
    }
}
