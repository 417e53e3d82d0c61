//! What documents of `hop` have in common: diffusivities, factors, running averages, and whether a run came to its error.

use crate::hop_theta::{Factor, Missing, Told};
use crate::runner::Failure;
use scalade_hopping::{Diffusivity, ExactTransport, TensorWithError, WithError};
use serde_json::{Value, json};

/// Diffusivities leave the hopping crate in 10^-20 of the squared unit length: m^2 for angstrom.
pub(crate) const UNIT: f64 = 1e20;
pub(crate) fn told(of: &Told) -> Value {
    match of {
        Ok(Factor { value, std, gap: None }) => json!({ "value": value, "std_error": std }),
        Ok(Factor { value, std, gap: Some(why) }) => {
            json!({ "value": value, "std_error": std, "verdict": verdict(*value, *std), "reason": why })
        }
        Err(missing) => json!({ "value": null, "std_error": null, "reason": missing.reason() }),
    }
}

/// What a factor within a gap means.
fn verdict(theta: f64, std: f64) -> &'static str {
    if theta < -2.0 * std { "spinodal" } else { "two_phases" }
}

pub(crate) fn cut(tensor: &[[f64; 3]; 3], dimensions: usize, scale: f64) -> Vec<Vec<f64>> {
    tensor[..dimensions].iter().map(|row| row[..dimensions].iter().map(|v| v * scale).collect()).collect()
}

pub(crate) fn diffusivity(of: &Diffusivity, dimensions: usize) -> Value {
    match of {
        Diffusivity::Converged { tensor, degrees_of_freedom, window_s } => json!({
            "value": cut(&tensor.value_m2_s, dimensions, UNIT),
            "std_error": cut(&tensor.std_m2_s, dimensions, UNIT),
            "verdict": "converged", "degrees_of_freedom": degrees_of_freedom, "window": window_s,
        }),
        Diffusivity::SubDiffusive { exponent, exponent_std } => json!({
            "value": vec![vec![0.0; dimensions]; dimensions],
            "std_error": vec![vec![0.0; dimensions]; dimensions],
            "verdict": "sub_diffusive",
            "exponent": { "value": exponent, "std_error": exponent_std },
            "reason": "ions cannot pass each other: their mean squared displacement grows slower than time, so that the diffusivity is 0",
        }),
        Diffusivity::NotConverged { reason } => {
            json!({ "value": null, "std_error": null, "verdict": "not_converged", "reason": reason })
        }
    }
}

/// theta D_J with both errors.
pub(crate) fn chemical(jump: &Diffusivity, theta: &Told, dimensions: usize) -> Value {
    let Diffusivity::Converged { tensor, .. } = jump else { return diffusivity(jump, dimensions) };
    let Ok(factor) = theta else {
        let reason = theta.as_ref().err().map(Missing::reason);
        return json!({ "value": null, "std_error": null, "verdict": "not_converged", "reason": reason });
    };
    let mut errors = [[0.0; 3]; 3];
    for ((error, value), std) in errors
        .iter_mut()
        .flatten()
        .zip(tensor.value_m2_s.iter().flatten())
        .zip(tensor.std_m2_s.iter().flatten())
    {
        *error = (factor.value * std).hypot(factor.std * value);
    }
    let mut document = json!({
        "value": cut(&tensor.value_m2_s, dimensions, UNIT * factor.value),
        "std_error": cut(&errors, dimensions, UNIT),
        "verdict": "converged",
    });
    extend(&mut document, of_gap(factor));
    document
}

/// Verdict and reason of a diffusivity within a gap, nothing elsewhere.
fn of_gap(factor: &Factor) -> Value {
    match &factor.gap {
        Some(why) => json!({ "verdict": verdict(factor.value, factor.std), "reason": why }),
        None => json!({}),
    }
}

/// What a sampled run came to.
pub(crate) struct Results<'a> {
    pub tracer: &'a Diffusivity,
    pub jump: &'a Diffusivity,
    pub uncorrelated: &'a TensorWithError,
    /// Of the tracer, collective, and the Haven ratio.
    pub correlations: [Option<WithError>; 3],
    /// Running traces by window, with errors.
    pub running: &'a [[f64; 5]],
    /// Mean squared displacements by window, with errors.
    pub displacements: &'a [[f64; 5]],
    /// Rows of tensors.
    pub dimensions: usize,
    /// Dimensions that ions can cross: traces are told as means over them.
    pub mobile_dimensions: usize,
}

impl Results<'_> {
    pub(crate) fn told(&self, theta: &Told) -> Value {
        let single_file = matches!(self.tracer, Diffusivity::SubDiffusive { .. });
        let factor = |of: Option<WithError>, tracer: bool| match of {
            Some(known) => json!({ "value": known.value, "std_error": known.std }),
            None if single_file && tracer => {
                json!({ "value": 0.0, "std_error": 0.0, "reason": "single file: sub-diffusive" })
            }
            None => json!({ "value": null, "std_error": null, "reason": "not converged" }),
        };
        // The traces over three axes become means over those along which ions can go.
        let mean = 3.0 * UNIT / self.mobile_dimensions as f64;
        let running = self.running.iter().map(|[time, tracer, tracer_error, jump, jump_error]| {
            json!({
                "window": time, "tracer": tracer * mean, "tracer_std_error": tracer_error * mean,
                "jump": jump * mean, "jump_std_error": jump_error * mean,
            })
        });
        let displacements = self.displacements.iter().map(|[time, ion, ion_error, total, total_error]| {
            json!({
                "window": time, "tracer": ion, "tracer_std_error": ion_error,
                "collective": total, "collective_std_error": total_error,
            })
        });
        let [tracer, collective, haven] = self.correlations;
        json!({
            "tracer": diffusivity(self.tracer, self.dimensions),
            "jump": diffusivity(self.jump, self.dimensions),
            "chemical": chemical(self.jump, theta, self.dimensions),
            "uncorrelated": {
                "value": cut(&self.uncorrelated.value_m2_s, self.dimensions, UNIT),
                "std_error": cut(&self.uncorrelated.std_m2_s, self.dimensions, UNIT),
            },
            "correlation_factor": factor(tracer, true),
            "collective_correlation_factor": factor(collective, false),
            "haven_ratio": factor(haven, true),
            "thermodynamic_factor": told(theta),
            "running": running.collect::<Vec<Value>>(),
            "mean_squared_displacement": displacements.collect::<Vec<Value>>(),
        })
    }
}

/// What the master equation tells; lengths squared over times as they are.
pub(crate) fn exactly(all: &ExactTransport, one: &ExactTransport, theta: &Told, dimensions: usize) -> Value {
    let trace = |m: &[[f64; 3]; 3]| m[0][0] + m[1][1] + m[2][2];
    let tensor = |m: &[[f64; 3]; 3], scale: f64| json!({ "value": cut(m, dimensions, scale), "std_error": vec![vec![0.0; dimensions]; dimensions], "verdict": "exact" });
    let sure = |value: f64| json!({ "value": value, "std_error": 0.0 });
    let ratio = |of: &ExactTransport| trace(&of.diffusivity) / trace(&of.uncorrelated);
    json!({
        "engine": "master equation",
        "tracer": tensor(&one.diffusivity, 1.0),
        "jump": tensor(&all.diffusivity, 1.0),
        "chemical": match theta {
            Ok(factor) => {
                let mut told = tensor(&all.diffusivity, factor.value);
                extend(&mut told, of_gap(factor));
                told
            }
            Err(missing) => json!({ "value": null, "std_error": null, "reason": missing.reason() }),
        },
        "uncorrelated": tensor(&all.uncorrelated, 1.0),
        "correlation_factor": sure(ratio(one)),
        "collective_correlation_factor": sure(ratio(all)),
        "haven_ratio": sure(trace(&one.diffusivity) / trace(&all.diffusivity)),
        "thermodynamic_factor": told(theta),
        "states": all.states + one.states,
        "converged": true,
    })
}

/// The document, as a partial result where an error was missed.
pub(crate) fn finished(
    mut document: Value,
    reached: bool,
    events: u64,
    standard_error: f64,
    theta: &Told,
) -> Result<Value, Failure> {
    let mut problems = Vec::new();
    if !reached {
        problems.push(format!(
            "{events} hops did not bring the errors to {standard_error:e}; raise max_events or standard_error"
        ));
    }
    if let Err(Missing::Failed(reason)) = theta {
        problems.push(reason.clone());
    }
    if problems.is_empty() {
        return Ok(document);
    }
    let message = format!("not converged, partial result kept: {}", problems.join("; "));
    extend(&mut document, json!({ "converged": false }));
    Err(Failure::Partial { document: Box::new(document), message })
}

pub(crate) fn extend(document: &mut Value, more: Value) {
    if let (Value::Object(map), Value::Object(more)) = (document, more) {
        map.extend(more);
    }
}

/// Why all diffusivities of a model would be 0.
pub(crate) const NOWHERE: &str = "the hops join sites in finite groups only: no ion gets anywhere, all diffusivities are 0; add kinds of hops, widen [hops] within, or check the structure";

/// Where diffusivities are 0, if anywhere.
pub(crate) fn across(span: &[[f64; 3]], dimensions: usize) -> Option<String> {
    let s = if span.len() == 1 { "" } else { "s" };
    (span.len() < dimensions).then(|| {
        format!(
            "the hops cross the crystal along {} direction{s} only: diffusivities across are 0",
            span.len()
        )
    })
}
