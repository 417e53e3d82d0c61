//! Derivatives of a run with respect to parameters of the cell, through all steps of a protocol, the times at which
//! they end, and the jumps between them.

mod backward;
mod backward_event;
mod event;
mod forward;
mod pair;
mod parameter;
mod points;
mod tape;

use crate::error::CellError;
use crate::model::CellModel;
use crate::options::{DfnOptions, Thermal};
use crate::parameters::ParameterSet;
use crate::protocol::Protocol;
use crate::run::{Inputs, Outcome, run_followed};
use crate::solution::DfnSolution;
use crate::solver::bdf::Trouble;
use backward::Backward;
use pair::Pair;
use serde::{Deserialize, Serialize};
use tape::Tape;

pub use parameter::Parameter;

/// Derivatives of the outputs of a run with respect to parameters: lists by parameter, then by output. With
/// [`Parameter::at`] they are those with respect to ln p.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sensitivities {
    /// Names of the parameters.
    pub parameters: Vec<String>,
    /// Times of the outputs, s. All derivatives of outputs are those at a time that stays.
    pub time_s: Vec<f64>,
    /// Of the voltage, V. NaN (as of the following) where an output falls on a jump that itself moves.
    pub voltage_v: Vec<Vec<f64>>,
    /// Of the current, A.
    pub current_a: Vec<Vec<f64>>,
    /// Of the temperature, K.
    pub temperature_k: Vec<Vec<f64>>,
    /// Of the charge drawn, A h.
    pub discharge_capacity_ah: Vec<Vec<f64>>,
    /// Of what each protocol step brought.
    pub steps: Vec<StepSensitivity>,
}

/// Derivatives of the end of a protocol step, by parameter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StepSensitivity {
    /// Of the time at its end, s.
    pub end_time_s: Vec<f64>,
    /// Of the charge that it draws, A h.
    pub charge_ah: Vec<f64>,
    /// Of the energy that it delivers, W h.
    pub energy_wh: Vec<f64>,
}

impl Sensitivities {
    fn new(parameters: &[Parameter]) -> Self {
        let lists = || vec![Vec::new(); parameters.len()];
        Self {
            parameters: parameters.iter().map(|p| p.name().to_owned()).collect(),
            voltage_v: lists(),
            current_a: lists(),
            temperature_k: lists(),
            discharge_capacity_ah: lists(),
            ..Self::default()
        }
    }
}

/// Solves `protocol` as [`crate::solve_or_partial`] does (in every model on its mesh), with the derivatives of its
/// outputs with respect to `parameters`. They are exact derivatives of what is found with the time steps taken; the
/// steps that end by a condition move with the parameters.
///
/// ```
/// use scalade_cell::{DfnOptions, Parameter, ParameterSet, Protocol, solve_with_sensitivities};
/// let cell = ParameterSet::marquis2019()?;
/// let parameters = [Parameter::at("positive.material.diffusivity"), Parameter::at("electrolyte.diffusivity")];
/// let discharge = Protocol::discharge(1.0, 3.105);
/// let (_, found) =
///     solve_with_sensitivities(&cell, &discharge, &DfnOptions::default(), &[300.0], &parameters)?;
/// // dV/d ln p.
/// assert!((found.voltage_v[0][0] - 6.7503e-3).abs() < 1e-6);
/// assert!((found.voltage_v[1][0] - 8.154e-3).abs() < 1e-6);
/// # Ok::<(), scalade_cell::CellError>(())
/// ```
///
/// # Errors
/// Parameters, options and protocols that make no sense; an entry that does not exist or cannot be scaled; a
/// condition that ends a step whose value stands still there.
pub fn solve_with_sensitivities(
    set: &ParameterSet,
    protocol: &Protocol,
    options: &DfnOptions,
    output_times: &[f64],
    parameters: &[Parameter],
) -> Result<(Outcome, Sensitivities), CellError> {
    let inputs = Inputs { parameters: set, protocol, options, output_times };
    let mut forward = forward::Forward::new(inputs, parameters)?;
    let outcome = run_followed(&inputs, &mut forward)?;
    Ok((outcome, forward.result))
}

/// A scalar of a run, with its derivatives with respect to what came out: lists as long as those of the run, or empty
/// where it does not depend on them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LossSlope {
    /// The scalar.
    pub value: f64,
    /// With respect to the voltages, 1/V.
    pub voltage_v: Vec<f64>,
    /// With respect to the currents, 1/A.
    pub current_a: Vec<f64>,
    /// With respect to the temperatures, 1/K.
    pub temperature_k: Vec<f64>,
    /// With respect to the charges drawn, 1/(A h).
    pub discharge_capacity_ah: Vec<f64>,
    /// With respect to the times at which the protocol steps end, 1/s.
    pub end_time_s: Vec<f64>,
    /// With respect to the charges that they draw, 1/(A h).
    pub charge_ah: Vec<f64>,
    /// With respect to the energies that they deliver, 1/(W h).
    pub energy_wh: Vec<f64>,
}

/// A run with the gradient of a scalar.
#[derive(Debug, Clone)]
pub struct Gradient {
    /// The run.
    pub outcome: Outcome,
    /// The scalar.
    pub value: f64,
    /// Its derivative with respect to each parameter; with [`Parameter::at`] to ln p.
    pub by_parameter: Vec<f64>,
}

/// Solves `protocol` as [`solve_with_sensitivities`] does, and differentiates one scalar of the run (a `loss` such as
/// the sum of squared residuals of a fit) with respect to many `parameters` by a single pass backwards. The result is
/// that of the forward sensitivities to rounding, at a cost that hardly grows with the number of parameters. All time
/// steps are kept until then: 8 bytes times unknowns and time steps, at most 4 GB.
///
/// ```
/// use scalade_cell::{DfnOptions, LossSlope, Parameter, ParameterSet, Protocol, solve_with_gradient};
/// let cell = ParameterSet::marquis2019()?;
/// let measured = [3.77, 3.66];
/// let found = solve_with_gradient(
///     &cell,
///     &Protocol::discharge(1.0, 3.105),
///     &DfnOptions::default(),
///     &[300.0, 1200.0],
///     &[Parameter::at("positive.material.diffusivity"), Parameter::at("negative.thickness_m")],
///     |run| {
///         let residuals: Vec<f64> = run.voltage_v.iter().zip(measured).map(|(v, m)| v - m).collect();
///         LossSlope {
///             value: residuals.iter().map(|r| r * r).sum(),
///             voltage_v: residuals.iter().map(|r| 2.0 * r).collect(),
///             ..LossSlope::default()
///         }
///     },
/// )?;
/// assert_eq!(found.by_parameter.len(), 2);
/// # Ok::<(), scalade_cell::CellError>(())
/// ```
///
/// # Errors
/// As [`solve_with_sensitivities`]; side reactions and hysteresis, whose equations have no transposed solution here;
/// a run that fails; a loss whose lists have other lengths than the run's; memory.
pub fn solve_with_gradient(
    set: &ParameterSet,
    protocol: &Protocol,
    options: &DfnOptions,
    output_times: &[f64],
    parameters: &[Parameter],
    loss: impl FnOnce(&DfnSolution) -> LossSlope,
) -> Result<Gradient, CellError> {
    /// Most numbers of all kept states.
    const MOST: usize = 500_000_000;
    let inputs = Inputs { parameters: set, protocol, options, output_times };
    let base = CellModel::new(set, options)?;
    if !base.can_transpose() {
        return Err(CellError::Parameter {
            name: "ageing or hysteresis".to_owned(),
            value: f64::NAN,
            requirement: "has no backward pass: take forward sensitivities".to_owned(),
        });
    }
    let pairs: Vec<Pair> =
        parameters.iter().map(|p| Pair::new(p, set, options, &base)).collect::<Result<_, _>>()?;
    let fixed = base.layout.temperature;
    if let Some(place) = pairs.iter().position(|pair| pair.rested()[fixed] != 0.0)
        && options.thermal == Thermal::Isothermal
    {
        return Err(CellError::Parameter {
            name: parameters[place].name().to_owned(),
            value: f64::NAN,
            requirement: "moves the temperature of an isothermal run, which has no backward pass: take forward sensitivities, or the lumped thermal model".to_owned(),
        });
    }
    let mut tape = Tape::new(MOST);
    let outcome = run_followed(&inputs, &mut tape)?;
    if let Some(error) = outcome.failure {
        return Err(error);
    }
    let slopes = loss(&outcome.solution);
    slopes.check(&outcome.solution)?;
    let value = slopes.value;
    let mut backward = Backward::new(inputs, base, pairs, slopes);
    if let Err((time, fault)) = backward.run(&tape) {
        return Err(match fault {
            Fault::Error(error) => error,
            Fault::Trouble(trouble) => located(&backward.base, time, trouble),
        });
    }
    Ok(Gradient { outcome, value, by_parameter: backward.gradient })
}

impl LossSlope {
    fn check(&self, solution: &DfnSolution) -> Result<(), CellError> {
        let (outputs, steps) = (solution.time_s.len(), solution.steps.len());
        let lists = [
            (&self.voltage_v, outputs),
            (&self.current_a, outputs),
            (&self.temperature_k, outputs),
            (&self.discharge_capacity_ah, outputs),
            (&self.end_time_s, steps),
            (&self.charge_ah, steps),
            (&self.energy_wh, steps),
        ];
        for (list, length) in lists {
            if !(list.is_empty() || list.len() == length) {
                let requirement = "must be that of the run's list, or 0";
                return Err(CellError::Option {
                    option: "length of a loss's slopes",
                    value: list.len() as f64,
                    requirement,
                });
            }
            if let Some(value) = list.iter().find(|v| !v.is_finite()) {
                let requirement = "must be finite";
                return Err(CellError::Option { option: "slope of a loss", value: *value, requirement });
            }
        }
        Ok(())
    }
}

/// Why a pass backwards stopped.
#[derive(Debug)]
enum Fault {
    Trouble(Trouble),
    Error(CellError),
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// A trouble of the linearised equations, where it is.
fn located(model: &CellModel, time_s: f64, trouble: Trouble) -> CellError {
    let (variable, node) = model.describe(trouble.unknown);
    CellError::TimeStep { reason: trouble.reason, variable, node, time_s, step_s: 0.0, value: trouble.value }
}
