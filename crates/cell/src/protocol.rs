//! What is done to a cell.

use crate::error::CellError;
use serde::{Deserialize, Serialize};

/// What is held during a step. Discharge is positive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
    /// Constant resistance of the load.
    Resistance {
        /// Resistance, ohm.
        ohms: f64,
    },
}

/// When a step ends; whichever limit is met first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepLimits {
    /// Longest duration, s.
    pub duration_s: f64,
    /// End when the voltage falls to this, V.
    pub min_voltage_v: Option<f64>,
    /// End when the voltage rises to this, V.
    pub max_voltage_v: Option<f64>,
    /// End when the magnitude of the current falls to this, A.
    pub min_current_a: Option<f64>,
}

/// One step of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What is held.
    pub control: Control,
    /// When it ends.
    pub limits: StepLimits,
}

/// Steps done one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// The steps.
    pub steps: Vec<Step>,
}

/// A protocol of one discharge step.
pub type DischargeProtocol = Protocol;

/// Longest step, s (10 years).
const LONGEST: f64 = 3.2e8;

impl Step {
    /// A step with a duration and no other limit.
    pub fn lasting(control: Control, duration_s: f64) -> Self {
        Self {
            control,
            limits: StepLimits { duration_s, min_voltage_v: None, max_voltage_v: None, min_current_a: None },
        }
    }

    /// The step, ended when the voltage falls to `volts`.
    #[must_use]
    pub fn until_voltage_below(mut self, volts: f64) -> Self {
        self.limits.min_voltage_v = Some(volts);
        self
    }

    /// The step, ended when the voltage rises to `volts`.
    #[must_use]
    pub fn until_voltage_above(mut self, volts: f64) -> Self {
        self.limits.max_voltage_v = Some(volts);
        self
    }

    /// The step, ended when |current| falls to `amperes`.
    #[must_use]
    pub fn until_current_below(mut self, amperes: f64) -> Self {
        self.limits.min_current_a = Some(amperes);
        self
    }

    fn validate(&self) -> Result<(), CellError> {
        let (option, value) = match self.control {
            Control::Current { amperes } => ("current [A]", amperes),
            Control::CRate(rate) => ("C-rate", rate),
            Control::Voltage { volts } => ("voltage [V]", volts),
            Control::Power { watts } => ("power [W]", watts),
            Control::Resistance { ohms } => ("resistance [ohm]", ohms),
        };
        if !value.is_finite() {
            return Err(CellError::Option { option, value, requirement: "must be finite" });
        }
        let limits = &self.limits;
        if !(limits.duration_s > 0.0 && limits.duration_s <= LONGEST) {
            let requirement = "must be positive and at most 3.2e8 s";
            return Err(CellError::Option { option: "duration [s]", value: limits.duration_s, requirement });
        }
        for (option, limit) in [
            ("minimum voltage [V]", limits.min_voltage_v),
            ("maximum voltage [V]", limits.max_voltage_v),
            ("minimum current [A]", limits.min_current_a),
        ] {
            if let Some(value) = limit.filter(|v| !v.is_finite()) {
                return Err(CellError::Option { option, value, requirement: "must be finite" });
            }
        }
        Ok(())
    }
}

impl Protocol {
    /// A discharge (or, for a negative rate, a charge) at `rate` C until the voltage reaches
    /// `end_voltage_v`, at most three times as long as the nominal capacity lasts.
    pub fn discharge(rate: f64, end_voltage_v: f64) -> Self {
        let duration = if rate == 0.0 { 3600.0 } else { 3.0 * 3600.0 / rate.abs() };
        let step = Step::lasting(Control::CRate(rate), duration);
        let step = if rate < 0.0 {
            step.until_voltage_above(end_voltage_v)
        } else {
            step.until_voltage_below(end_voltage_v)
        };
        Self { steps: vec![step] }
    }

    /// A protocol of several steps.
    pub fn sequence(steps: Vec<Step>) -> Self {
        Self { steps }
    }

    /// Checks every number.
    ///
    /// # Errors
    /// [`CellError::Option`] with the first that does not fit.
    pub fn validate(&self) -> Result<(), CellError> {
        if self.steps.is_empty() || self.steps.len() > 100_000 {
            let value = self.steps.len() as f64;
            return Err(CellError::Option {
                option: "number of steps",
                value,
                requirement: "must be 1 to 100000",
            });
        }
        self.steps.iter().try_for_each(Step::validate)
    }
}
