//! One step of a protocol: what is held and when it ends.

use super::drive::DriveCycle;
use crate::error::CellError;
use crate::expression::Condition;
use crate::solution::EndReason;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Longest step, s (10 years).
const LONGEST: f64 = 3.2e8;
/// Longest rest or hold whose duration is not told, s (48 h).
const LONGEST_HOLD: f64 = 172_800.0;
/// A current whose duration is not told lasts at most so many times as long as it needs for the nominal capacity.
const NOMINAL_TIMES: f64 = 10.0;

/// What is held during a step. Discharge is positive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Control {
    /// Constant current.
    Current {
        /// Current, A.
        amperes: f64,
    },
    /// Constant current in multiples of the nominal capacity per hour.
    CRate(f64),
    /// Constant terminal voltage.
    Voltage {
        /// Voltage, V.
        volts: f64,
    },
    /// Constant power delivered.
    Power {
        /// Power, W.
        watts: f64,
    },
    /// Constant ratio of voltage to current, V = R I.
    Resistance {
        /// Resistance, ohm; a negative one charges.
        ohms: f64,
    },
    /// No current.
    Rest,
    /// A trace over time, times a factor.
    Profile {
        /// The trace, shared between the steps that follow it.
        #[serde(with = "shared")]
        cycle: Arc<DriveCycle>,
        /// Factor of its values.
        factor: f64,
    },
}

/// A shared trace is written out in documents.
mod shared {
    use super::{Arc, DriveCycle};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(cycle: &Arc<DriveCycle>, to: S) -> Result<S::Ok, S::Error> {
        (**cycle).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<DriveCycle>, D::Error> {
        DriveCycle::deserialize(from).map(Arc::new)
    }
}

/// What may end a step before its duration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Limit {
    /// The voltage falls to this.
    VoltageBelow {
        /// Voltage, V.
        volts: f64,
    },
    /// The voltage rises to this.
    VoltageAbove {
        /// Voltage, V.
        volts: f64,
    },
    /// |current| falls to this.
    CurrentBelow {
        /// Current, A.
        amperes: f64,
    },
    /// |current| rises to this.
    CurrentAbove {
        /// Current, A.
        amperes: f64,
    },
    /// |current| over nominal capacity falls to this.
    CRateBelow {
        /// Rate, 1/h.
        rate: f64,
    },
    /// |current| over nominal capacity rises to this.
    CRateAbove {
        /// Rate, 1/h.
        rate: f64,
    },
    /// The step has moved this charge, in whichever direction.
    ChargeAbove {
        /// Charge, A h.
        ampere_hours: f64,
    },
    /// The temperature rises to this.
    TemperatureAbove {
        /// Temperature, K.
        kelvin: f64,
    },
    /// The temperature falls to this.
    TemperatureBelow {
        /// Temperature, K.
        kelvin: f64,
    },
    /// |dV/dt| falls to this; not asked at the very start of a step.
    VoltageSlopeBelow {
        /// Slope, V/s.
        volts_per_second: f64,
    },
    /// A condition on voltage, current, temperature, time and charge of the step.
    Custom(Condition),
}

/// What the limits of a step look at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepState {
    /// Terminal voltage, V.
    pub voltage_v: f64,
    /// Current, A.
    pub current_a: f64,
    /// Temperature, K.
    pub temperature_k: f64,
    /// Time since the step began, s.
    pub time_s: f64,
    /// Charge drawn since the step began, A h; negative when charging.
    pub charge_ah: f64,
    /// dV/dt, V/s; infinite at the very start of a step.
    pub voltage_slope_v_per_s: f64,
}

impl Limit {
    /// How far the limit is from being met, in the unit of its quantity: met when not positive. NaN where a
    /// condition has no value.
    pub fn gap(&self, state: &StepState, nominal_capacity_ah: f64) -> f64 {
        let current = state.current_a.abs();
        match self {
            Self::VoltageBelow { volts } => state.voltage_v - volts,
            Self::VoltageAbove { volts } => volts - state.voltage_v,
            Self::CurrentBelow { amperes } => current - amperes,
            Self::CurrentAbove { amperes } => amperes - current,
            Self::CRateBelow { rate } => current - rate * nominal_capacity_ah,
            Self::CRateAbove { rate } => rate * nominal_capacity_ah - current,
            Self::ChargeAbove { ampere_hours } => ampere_hours - state.charge_ah.abs(),
            Self::TemperatureAbove { kelvin } => kelvin - state.temperature_k,
            Self::TemperatureBelow { kelvin } => state.temperature_k - kelvin,
            Self::VoltageSlopeBelow { volts_per_second } => {
                state.voltage_slope_v_per_s.abs() - volts_per_second
            }
            Self::Custom(condition) => condition.value([
                state.voltage_v,
                state.current_a,
                state.temperature_k,
                state.time_s,
                state.charge_ah,
            ]),
        }
    }

    /// What a run tells when this limit ended it.
    pub fn end_reason(&self) -> EndReason {
        match self {
            Self::VoltageBelow { .. } => EndReason::MinimumVoltage,
            Self::VoltageAbove { .. } => EndReason::MaximumVoltage,
            Self::CurrentBelow { .. } | Self::CRateBelow { .. } => EndReason::MinimumCurrent,
            Self::CurrentAbove { .. } | Self::CRateAbove { .. } => EndReason::MaximumCurrent,
            Self::ChargeAbove { .. } => EndReason::Charge,
            Self::TemperatureAbove { .. } => EndReason::MaximumTemperature,
            Self::TemperatureBelow { .. } => EndReason::MinimumTemperature,
            Self::VoltageSlopeBelow { .. } => EndReason::VoltageSlope,
            Self::Custom(_) => EndReason::Condition,
        }
    }

    /// Name with unit and number, for checks; none for a condition.
    fn number(&self) -> Option<(&'static str, f64, bool)> {
        Some(match self {
            Self::VoltageBelow { volts } => ("minimum voltage [V]", *volts, false),
            Self::VoltageAbove { volts } => ("maximum voltage [V]", *volts, false),
            Self::CurrentBelow { amperes } => ("minimum current [A]", *amperes, true),
            Self::CurrentAbove { amperes } => ("maximum current [A]", *amperes, true),
            Self::CRateBelow { rate } => ("minimum C-rate", *rate, true),
            Self::CRateAbove { rate } => ("maximum C-rate", *rate, true),
            Self::ChargeAbove { ampere_hours } => ("charge of a step [A h]", *ampere_hours, true),
            Self::TemperatureAbove { kelvin } => ("maximum temperature [K]", *kelvin, true),
            Self::TemperatureBelow { kelvin } => ("minimum temperature [K]", *kelvin, true),
            Self::VoltageSlopeBelow { volts_per_second } => ("dV/dt [V/s]", *volts_per_second, true),
            Self::Custom(_) => return None,
        })
    }
}

/// One step of a protocol. Two steps are equal if they do the same, whatever their labels.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// What is held.
    pub control: Control,
    /// What may end it; whichever is met first.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// Longest duration, s. Without one: a pass of the trace, or see [`Self::longest_s`].
    #[serde(default)]
    pub duration_s: Option<f64>,
    /// Time between outputs, s, if this step has its own.
    #[serde(default)]
    pub period_s: Option<f64>,
    /// Whether the innermost repeat around the step is left when one of `limits` ends it.
    #[serde(default)]
    pub leaves_repeat: bool,
    /// The sentence it was read from, for messages.
    #[serde(default)]
    pub label: String,
}

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        let Self { control, limits, duration_s, period_s, leaves_repeat, label: _ } = self;
        *control == other.control
            && *limits == other.limits
            && *duration_s == other.duration_s
            && *period_s == other.period_s
            && *leaves_repeat == other.leaves_repeat
    }
}

impl Step {
    /// A step without limits and duration; give it one or the other.
    pub fn new(control: Control) -> Self {
        Self {
            control,
            limits: Vec::new(),
            duration_s: None,
            period_s: None,
            leaves_repeat: false,
            label: String::new(),
        }
    }

    /// A step with a duration and no other limit.
    pub fn lasting(control: Control, duration_s: f64) -> Self {
        Self { duration_s: Some(duration_s), ..Self::new(control) }
    }

    /// The step, ended by `limit` too.
    #[must_use]
    pub fn until(mut self, limit: Limit) -> Self {
        self.limits.push(limit);
        self
    }

    /// The step, ended when the voltage falls to `volts`.
    #[must_use]
    pub fn until_voltage_below(self, volts: f64) -> Self {
        self.until(Limit::VoltageBelow { volts })
    }

    /// The step, ended when the voltage rises to `volts`.
    #[must_use]
    pub fn until_voltage_above(self, volts: f64) -> Self {
        self.until(Limit::VoltageAbove { volts })
    }

    /// The step, ended when |current| falls to `amperes`.
    #[must_use]
    pub fn until_current_below(self, amperes: f64) -> Self {
        self.until(Limit::CurrentBelow { amperes })
    }

    /// Longest duration of the step, s, and whether the protocol asked for it (a duration, or the length of a
    /// trace). If not, it is a bound of last resort: 10 times what the current needs for the nominal capacity
    /// (for a power the current at 5 V, for a resistance that at 1 V), 48 h for rests and voltages; at most
    /// 3.2e8 s.
    pub fn longest_s(&self, nominal_capacity_ah: f64) -> (f64, bool) {
        if let Some(duration) = self.duration_s {
            return (duration, true);
        }
        let hours_at = |amperes: f64| NOMINAL_TIMES * nominal_capacity_ah / amperes.abs();
        let seconds = match &self.control {
            Control::Profile { cycle, .. } => return (cycle.length_s(), true),
            Control::Current { amperes } if *amperes != 0.0 => 3600.0 * hours_at(*amperes),
            Control::CRate(rate) if *rate != 0.0 => 3600.0 * NOMINAL_TIMES / rate.abs(),
            Control::Power { watts } if *watts != 0.0 => 3600.0 * hours_at(watts / 5.0),
            Control::Resistance { ohms } => 3600.0 * hours_at(1.0 / ohms),
            _ => LONGEST_HOLD,
        };
        (seconds.min(LONGEST), false)
    }

    /// Checks every number, and that the step ends: it has a duration, follows a trace, or has a limit that its
    /// control reaches.
    ///
    /// # Errors
    /// [`CellError::Option`] with the number that does not fit, [`CellError::Protocol`] for a step that may
    /// never end.
    pub(super) fn validate(&self) -> Result<(), CellError> {
        let (option, value) = match &self.control {
            Control::Current { amperes } => ("current [A]", *amperes),
            Control::CRate(rate) => ("C-rate", *rate),
            Control::Voltage { volts } => ("voltage [V]", *volts),
            Control::Power { watts } => ("power [W]", *watts),
            Control::Resistance { ohms } => ("resistance [ohm]", *ohms),
            Control::Rest => ("current [A]", 0.0),
            Control::Profile { factor, .. } => ("factor of a trace", *factor),
        };
        if !value.is_finite() {
            return Err(CellError::Option { option, value, requirement: "must be finite" });
        }
        if matches!(self.control, Control::Resistance { .. }) && value == 0.0 {
            return Err(CellError::Option { option, value, requirement: "must not be 0" });
        }
        let durations = [("duration [s]", self.duration_s), ("period of outputs [s]", self.period_s)];
        for (option, value) in durations.into_iter().filter_map(|(option, d)| Some((option, d?))) {
            if !(value > 0.0 && value <= LONGEST) {
                let requirement = "must be positive and at most 3.2e8 s";
                return Err(CellError::Option { option, value, requirement });
            }
        }
        for (option, value, positive) in self.limits.iter().filter_map(Limit::number) {
            if !value.is_finite() {
                return Err(CellError::Option { option, value, requirement: "must be finite" });
            }
            if positive && value <= 0.0 {
                return Err(CellError::Option { option, value, requirement: "must be positive" });
            }
        }
        match self.advice() {
            None => Ok(()),
            Some(advice) => Err(CellError::Protocol {
                line: 0,
                column: 0,
                message: advice.to_owned(),
                source_text: self.label.chars().take(160).collect(),
            }),
        }
    }

    /// What to add to a step that may never end; nothing if it ends.
    fn advice(&self) -> Option<&'static str> {
        let direction = self.direction();
        if self.duration_s.is_some()
            || matches!(self.control, Control::Profile { .. })
            || self.limits.iter().any(|limit| reaches(&self.control, direction, limit))
        {
            return None;
        }
        Some(match (&self.control, direction) {
            (Control::Voltage { .. }, _) => {
                "a hold that may never end: add 'until C/50' (the current falls while a voltage is held) or a duration, 'for 1 hour'"
            }
            (_, 0) => "a rest that may never end: add a duration, 'for 1 hour', or 'until dV/dt < 1 mV/h'",
            (_, 1) => {
                "a discharge that may never end: the voltage falls, so add 'until 2.5 V', a charge, 'until 1 A.h', or a duration, 'for 1 hour'"
            }
            _ => {
                "a charge that may never end: the voltage rises, so add 'until 4.2 V', a charge, 'until 1 A.h', or a duration, 'for 1 hour'"
            }
        })
    }

    /// 1 for a discharge, -1 for a charge, 0 for a rest and where the control does not tell.
    pub(super) fn direction(&self) -> i8 {
        let value = match &self.control {
            Control::Current { amperes } => *amperes,
            Control::CRate(rate) => *rate,
            Control::Power { watts } => *watts,
            Control::Resistance { ohms } => *ohms,
            Control::Voltage { .. } | Control::Rest | Control::Profile { .. } => 0.0,
        };
        if value > 0.0 {
            1
        } else if value < 0.0 {
            -1
        } else {
            0
        }
    }
}

/// Whether `control` drives the cell towards `limit`.
fn reaches(control: &Control, direction: i8, limit: &Limit) -> bool {
    use Limit as L;
    if matches!(limit, L::Custom(_)) {
        return true;
    }
    match (control, direction) {
        // The current of a held voltage decays.
        (Control::Voltage { .. }, _) => {
            matches!(limit, L::CurrentBelow { .. } | L::CRateBelow { .. } | L::ChargeAbove { .. })
        }
        // Voltage and temperature relax to values that the protocol does not know; only their changes are sure to
        // fade, and a cell that was heated cools.
        (_, 0) => {
            matches!(
                limit,
                L::VoltageSlopeBelow { .. } | L::TemperatureAbove { .. } | L::TemperatureBelow { .. }
            )
        }
        (Control::Current { .. } | Control::CRate(_), 1) => {
            matches!(limit, L::VoltageBelow { .. } | L::ChargeAbove { .. })
        }
        (Control::Current { .. } | Control::CRate(_), _) => {
            matches!(limit, L::VoltageAbove { .. } | L::ChargeAbove { .. })
        }
        // I = P/V: the current rises while the voltage falls, and the other way round.
        (Control::Power { .. }, 1) => matches!(
            limit,
            L::VoltageBelow { .. } | L::ChargeAbove { .. } | L::CurrentAbove { .. } | L::CRateAbove { .. }
        ),
        (Control::Power { .. }, _) => matches!(
            limit,
            L::VoltageAbove { .. } | L::ChargeAbove { .. } | L::CurrentBelow { .. } | L::CRateBelow { .. }
        ),
        // |I| = V/R follows the voltage.
        (_, 1) => matches!(
            limit,
            L::VoltageBelow { .. } | L::ChargeAbove { .. } | L::CurrentBelow { .. } | L::CRateBelow { .. }
        ),
        _ => matches!(
            limit,
            L::VoltageAbove { .. } | L::ChargeAbove { .. } | L::CurrentAbove { .. } | L::CRateAbove { .. }
        ),
    }
}
