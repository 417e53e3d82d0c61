//! Derivatives of a cell's run with respect to its parameters.

use crate::error::ScaladeError;
use scalade_cell::{DfnOptions, Parameter, ParameterSet, Protocol, Sensitivities, solve_with_sensitivities};
use serde_json::{Map, Value, json};

/// Most parameters of one run.
const MOST: usize = 1000;

/// Parameters by their paths, joined by commas.
pub(crate) fn read_parameters(text: &str, set: &ParameterSet) -> Result<Vec<Parameter>, ScaladeError> {
    let mut parameters: Vec<Parameter> = Vec::new();
    for path in text.split(',').map(str::trim).filter(|path| !path.is_empty()) {
        if parameters.iter().any(|known| known.name() == path) {
            return Err(ScaladeError::input(format!("--sensitivities: {path} is named twice")));
        }
        let parameter = Parameter::at(path);
        // Wrong paths are told before anything is solved.
        parameter
            .changed(set, 0.0)
            .map_err(|error| ScaladeError::input(format!("--sensitivities: {error}")))?;
        parameters.push(parameter);
        if parameters.len() > MOST {
            return Err(ScaladeError::input(format!(
                "--sensitivities: at most {MOST} parameters in one run"
            )));
        }
    }
    if parameters.is_empty() {
        let message = "--sensitivities: names no parameter; write paths such as positive.material.diffusivity,electrolyte.conductivity";
        return Err(ScaladeError::input(message));
    }
    Ok(parameters)
}

/// Lists by parameter under the names of the parameters.
fn by_name(names: &[String], lists: &[Vec<f64>]) -> Value {
    Value::Object(names.iter().zip(lists).map(|(name, list)| (name.clone(), json!(list))).collect())
}

/// The run again with its derivatives, on the mesh and with the time tolerance that it took.
pub(crate) fn document(
    set: &ParameterSet,
    protocol: &Protocol,
    options: &DfnOptions,
    times: &[f64],
    parameters: &[Parameter],
) -> Result<Value, ScaladeError> {
    let start = scalade_numerics::cpu_seconds();
    let (outcome, found) = solve_with_sensitivities(set, protocol, options, times, parameters)?;
    let seconds = scalade_numerics::cpu_seconds() - start;
    let Sensitivities { parameters: names, steps, .. } = &found;
    let rows: Vec<Value> = steps
        .iter()
        .map(|step| {
            let columns = [
                ("end_time_s", &step.end_time_s),
                ("charge_Ah", &step.charge_ah),
                ("energy_Wh", &step.energy_wh),
            ];
            let row = columns.into_iter().map(|(key, values)| {
                let values = names.iter().zip(values).map(|(name, value)| (name.clone(), json!(value)));
                (key.to_owned(), Value::Object(values.collect()))
            });
            Value::Object(row.collect::<Map<String, Value>>())
        })
        .collect();
    Ok(json!({
        "meaning": "derivatives with respect to the logarithm of each parameter, at times that stay",
        "time_s": found.time_s,
        "voltage_V": by_name(names, &found.voltage_v),
        "currents_A": by_name(names, &found.current_a),
        "temperature_K": by_name(names, &found.temperature_k),
        "discharge_capacity_Ah": by_name(names, &found.discharge_capacity_ah),
        "protocol_steps": rows,
        "complete": outcome.failure.is_none(),
        "cpu_time_s": seconds,
    }))
}
