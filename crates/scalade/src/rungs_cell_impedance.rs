//! Impedance of cells at rest and at work.

use crate::error::ScaladeError;
use crate::rungs_cell::{CellSourceRequest, ProtocolRequest, cell_of, read_protocol, start_of};
use scalade_cell::{DfnOptions, MeshOptions, ParticleMeshOptions};
use serde_json::{Value, json};

/// A request for an impedance.
#[derive(Clone, Debug, Default)]
pub struct ImpedanceRequest {
    /// The cell, its model and its state.
    pub source: CellSourceRequest,
    /// A logarithmic range from:to:count, or a list, Hz.
    pub frequencies: String,
    /// Sentences, or a file of them, at whose end the impedance is taken; at rest without.
    pub after: Option<String>,
}

/// Frequencies of a range such as 1e-4:1e4:60, or of a list.
fn read_frequencies(text: &str) -> Result<Vec<f64>, ScaladeError> {
    let bad = || {
        ScaladeError::input(format!(
            "--frequencies: cannot read \"{text}\"; write a logarithmic range from:to:count such as 1e-4:1e4:60, or a list such as 1,10,100 (Hz)"
        ))
    };
    let number = |t: &str| t.trim().parse::<f64>().map_err(|_| bad());
    let list = if text.contains(':') {
        let parts: Vec<&str> = text.split(':').collect();
        let [from, to, count] = parts.as_slice() else { return Err(bad()) };
        let (from, to) = (number(from)?, number(to)?);
        let count: usize = count.trim().parse().map_err(|_| bad())?;
        if !((2..=100_000).contains(&count) && from > 0.0 && to > 0.0) {
            let message = "--frequencies: a range has positive ends and 2 to 100000 frequencies";
            return Err(ScaladeError::input(message));
        }
        let step = (to / from).ln() / (count - 1) as f64;
        (0..count).map(|i| if i + 1 == count { to } else { from * (step * i as f64).exp() }).collect()
    } else {
        text.split(',').map(number).collect::<Result<Vec<f64>, _>>()?
    };
    if let Some(value) = list.iter().find(|f: &&f64| !(f.is_finite() && **f > 0.0)) {
        return Err(ScaladeError::input(format!("--frequencies: {value} Hz is not positive and finite")));
    }
    Ok(list)
}

/// `eis cell`: impedance of a cell at rest, or at the end of a protocol.
///
/// # Errors
/// Input that is not acceptable, and a protocol whose end is not reached.
pub fn impedance(request: &ImpedanceRequest) -> Result<Value, ScaladeError> {
    let frequencies = read_frequencies(&request.frequencies)?;
    let (set, model) = cell_of(&request.source)?;
    let after = request
        .after
        .as_deref()
        .map(|text| read_protocol("--after", text, &ProtocolRequest::default()))
        .transpose()?;
    let start = scalade_numerics::cpu_seconds();
    let (spectrum, found) = match &after {
        None => (scalade_cell::impedance_at_rest(&set, model, &frequencies)?, None),
        Some(protocol) => {
            let options = DfnOptions { model, mesh: state_mesh(), rtol: 1e-6, ..DfnOptions::default() };
            let found = scalade_cell::impedance_after(&set, protocol, &options, &frequencies)
                .map_err(|error| ScaladeError::input(format!("--after: {error}")))?;
            (found.spectrum, Some((found.state, found.error_estimate)))
        }
    };
    let seconds = scalade_numerics::cpu_seconds() - start;
    let mut document = json!({
        "parameters": set.name,
        "model": model,
        "start": start_of(&set),
        "frequency_Hz": spectrum.frequency_hz,
        "z_real_ohm": spectrum.z_real_ohm,
        "z_imag_ohm": spectrum.z_imag_ohm,
        "contributions": spectrum.contributions,
        "processes": spectrum.processes,
        "cpu_time_s": seconds,
    });
    if let (Some((state, error)), Some(map)) = (found, document.as_object_mut()) {
        map.insert("error_estimate".into(), json!(error));
        map.insert(
            "state".into(),
            json!({
                "time_s": state.time_s,
                "end_reason": state.end_reason,
                "voltage_V": state.voltage_v,
                "current_A": state.current_a,
                "temperature_K": state.temperature_k,
                "negative_lithium_content": state.negative_stoichiometry,
                "positive_lithium_content": state.positive_stoichiometry,
                "negative_surface_content": state.negative_surface_stoichiometry,
                "positive_surface_content": state.positive_surface_stoichiometry,
            }),
        );
    }
    Ok(document)
}

/// A mesh on which the state of a working cell is known about as well as its response.
fn state_mesh() -> MeshOptions {
    let mut mesh = MeshOptions { order: 6, ..MeshOptions::default() };
    for electrode in [&mut mesh.negative, &mut mesh.positive] {
        electrode.particle = ParticleMeshOptions::graded(3, 8);
    }
    mesh
}

#[cfg(test)]
mod tests {
    use super::read_frequencies;

    #[test]
    fn frequencies_are_ranges_or_lists() {
        let range = read_frequencies("1e-4:1e4:60").unwrap();
        assert_eq!((range.len(), range[0], range[59]), (60, 1e-4, 1e4));
        let ratio = range[1] / range[0];
        assert!(range.windows(2).all(|w| (w[1] / w[0] / ratio - 1.0).abs() < 1e-12));
        assert_eq!(read_frequencies("1, 10,100").unwrap(), [1.0, 10.0, 100.0]);
        assert_eq!(read_frequencies("100:1:3").unwrap()[2], 1.0);
        for bad in ["", "a", "1:2", "1:2:1", "-1:2:3", "0:1:5", "1,,2", "1,-2", "nan", "1:inf:3", "1:2:3:4"] {
            assert!(read_frequencies(bad).is_err(), "{bad}");
        }
    }
}
