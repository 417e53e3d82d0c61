//! Derivatives of a run with respect to parameters of the cell, through all steps of a protocol, the times at which
//! they end, and the jumps between them.

mod event;
mod forward;
mod pair;
mod parameter;
mod points;

use crate::error::CellError;
use crate::model::CellModel;
use crate::options::DfnOptions;
use crate::parameters::ParameterSet;
use crate::protocol::Protocol;
use crate::run::{Inputs, Outcome, run_followed};
use crate::solver::bdf::Trouble;
use serde::{Deserialize, Serialize};

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

/// A trouble of the linearised equations, where it is.
fn located(model: &CellModel, time_s: f64, trouble: Trouble) -> CellError {
    let (variable, node) = model.describe(trouble.unknown);
    CellError::TimeStep { reason: trouble.reason, variable, node, time_s, step_s: 0.0, value: trouble.value }
}
