//! Attempt frequencies of computed hops: read from the comment lines of their images, expanded about the hop as the activations are.
//!
//! `attempt_frequency_THz=5.2` in the comment line of one image of a hop (or of several, which then agree) is the attempt frequency nu of the hop in both
//! directions, as [`scalade_hopping::vineyard`] makes it of normal modes (`symmetric_THz`; G. H. Vineyard, J. Phys. Chem. Solids 3, 121 (1957)). What is fitted is
//! ln(nu/Hz), on the orbits of the activation: positive whatever the surroundings are, and of both directions one value, since the orbits are those of an event
//! and its reverse.

use crate::error::ScaladeError;
use scalade_expansion::Prim;
use scalade_expansion::local::{ArrangedHop, LocalCutoffs, LocalFit, fit_local_expansion};
use scalade_formats::{Frame, InfoValue};
use scalade_handoff::{Parity, SpeciesChange};
use scalade_lattice::SolveSettings;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Key of a comment line.
pub(crate) const KEY: &str = "attempt_frequency_THz";
/// Frequencies taken, THz: what lies beyond has another unit.
const RANGE_THZ: [f64; 2] = [1e-9, 1e6];
/// Images of one hop agree to this, relative.
const SAME: f64 = 1e-9;
/// Hertz in a terahertz.
const TERAHERTZ: f64 = 1e12;
/// Sets the random stream of the samples apart from that of the activation: errors of the two fits are independent.
const SAMPLES_KEY: u64 = 0x6174_7465_6d70_7473;

/// The attempt frequency of a hop, THz, from its images.
pub(crate) fn frequency_of<'a>(
    id: &str,
    images: impl Iterator<Item = &'a Frame>,
) -> Result<Option<f64>, ScaladeError> {
    let mut known: Option<f64> = None;
    for frame in images {
        let Some(value) = frame.info.get(KEY) else { continue };
        let wrong = |what: String| {
            ScaladeError::input(format!(
                "hop {id} ({}): {KEY} {what}; {:e} to {:e} THz are due, the same in all images that have it",
                frame.place(),
                RANGE_THZ[0],
                RANGE_THZ[1]
            ))
        };
        let number = match value {
            InfoValue::Float(number) => *number,
            InfoValue::Int(number) => *number as f64,
            InfoValue::Text(text) => return Err(wrong(format!("is {text:?}, no number"))),
            _ => return Err(wrong("is no number".into())),
        };
        if !(RANGE_THZ[0]..=RANGE_THZ[1]).contains(&number) {
            return Err(wrong(format!("is {number}")));
        }
        if let Some(other) = known.filter(|other| (number / other - 1.0).abs() > SAME) {
            return Err(wrong(format!("is {number} and, in another image, {other}")));
        }
        known = known.or(Some(number));
    }
    Ok(known)
}

/// ln(nu/Hz) by the names of the hops, if they have attempt frequencies.
///
/// Errors: some have one and others have none.
pub(crate) fn ln_frequencies<'a>(
    hops: impl Iterator<Item = (&'a str, Option<f64>)>,
) -> Result<Option<BTreeMap<String, f64>>, ScaladeError> {
    let (mut out, mut without) = (BTreeMap::new(), None);
    for (id, thz) in hops {
        match thz {
            Some(thz) => _ = out.insert(id.to_string(), (thz * TERAHERTZ).ln()),
            None => without = without.or(Some(id)),
        }
    }
    match (out.first_key_value(), without) {
        (None, _) => Ok(None),
        (Some(_), None) => Ok(Some(out)),
        (Some((with, _)), Some(without)) => Err(ScaladeError::input(format!(
            "hop {without} has no {KEY}, which hop {with} has; give all hops their attempt frequency, or none"
        ))),
    }
}

/// The expansion of ln(nu/Hz) about an event, by the method of the activation.
pub(crate) fn fit(
    prim: &Prim,
    event: &[SpeciesChange],
    hops: &[ArrangedHop],
    ln_hz: &BTreeMap<String, f64>,
    cutoffs: &LocalCutoffs,
    settings: &SolveSettings,
) -> Result<LocalFit, ScaladeError> {
    let mut valued = hops.to_vec();
    for hop in &mut valued {
        let value = ln_hz.get(&hop.id);
        hop.value_ev = *value.ok_or_else(|| ScaladeError::internal(format!("hop {} is unknown", hop.id)))?;
    }
    let settings = SolveSettings { seed: settings.seed ^ SAMPLES_KEY, folds: None, ..*settings };
    fit_local_expansion(prim, event, Parity::Even, &valued, cutoffs, &settings)
        .map_err(|e| ScaladeError::input(format!("attempt frequencies: {e}")))
}

/// The document's part on the fit; clusters stand in the order of those of the activation.
pub(crate) fn told(fit: &LocalFit, error_of_the_mean: f64) -> Value {
    let solution = &fit.solution;
    let term =
        |k: usize| json!({ "value": solution.coefficients[k], "std_error": solution.standard_deviations[k] });
    let hop = |p: &scalade_expansion::local::LocalParity| {
        json!({
            "id": p.id, "data": p.data_ev, "fitted": p.fitted_ev, "leave_one_out_residual": p.leave_one_out_residual_ev,
            "leave_one_out_std_error": p.leave_one_out_std_ev, "leverage": p.leverage,
        })
    };
    json!({
        "property": "ln(attempt frequency/Hz)",
        "hops": fit.parity.len(),
        "constant": term(0),
        "interactions": (1..solution.coefficients.len()).map(term).collect::<Vec<_>>(),
        "leave_one_out_error": solution.leave_one_out_rmse(),
        "leave_one_out_error_of_the_mean": error_of_the_mean,
        "training_error": solution.training_rmse(),
        "effective_parameters": solution.effective_parameters,
        "penalty": solution.penalty,
        "diagnostics": fit.diagnostics,
        "parity": fit.parity.iter().map(hop).collect::<Vec<_>>(),
    })
}
