//! What happens outside a table's domain.

use crate::HandoffError;
use serde::{Deserialize, Serialize};

/// Policy for an evaluation outside the declared domain. Clamped and extended evaluations are counted and returned to the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutOfDomain {
    /// Refuse.
    #[default]
    Error,
    /// Use the value at the nearest end, with zero slope.
    Clamp,
    /// Continue the end tangent.
    Extend,
}

/// Count of evaluations outside the domain in a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DomainUse {
    /// Points evaluated.
    pub evaluated: usize,
    /// Points that lay outside and were clamped or extended.
    pub outside: usize,
}

/// Applies the policy to one abscissa: the abscissa to evaluate at, and whether the slope must be set to zero.
pub(crate) fn resolve(
    policy: OutOfDomain,
    hand_off: &'static str,
    value: f64,
    (low, high): (f64, f64),
    count: &mut DomainUse,
) -> Result<(f64, bool), HandoffError> {
    count.evaluated += 1;
    // Written so that NaN counts as outside.
    if value >= low && value <= high {
        return Ok((value, false));
    }
    count.outside += 1;
    match policy {
        OutOfDomain::Clamp if !value.is_nan() => Ok((value.clamp(low, high), true)),
        OutOfDomain::Extend if value.is_finite() => Ok((value, false)),
        _ => Err(HandoffError::Domain { hand_off, variable: "stoichiometry", value, low, high }),
    }
}

/// Checks that a list of stoichiometries increases strictly within [0, 1].
pub(crate) fn check_stoichiometries(what: &'static str, x: &[f64]) -> Result<(), HandoffError> {
    if x.len() < 2 {
        return Err(HandoffError::Length { what, expected: 2, got: x.len() });
    }
    for (index, value) in x.iter().enumerate() {
        let rises = index == 0 || *value > x[index - 1];
        if !((0.0..=1.0).contains(value) && rises) {
            let want = "stoichiometries rise strictly within [0, 1]";
            return Err(HandoffError::Value { what, index, value: *value, want });
        }
    }
    Ok(())
}

/// Checks the length of a list and that its numbers are finite.
pub(crate) fn check_finite(what: &'static str, list: &[f64], expected: usize) -> Result<(), HandoffError> {
    if list.len() != expected {
        return Err(HandoffError::Length { what, expected, got: list.len() });
    }
    match list.iter().position(|v| !v.is_finite()) {
        Some(index) => {
            Err(HandoffError::Value { what, index, value: list[index], want: "finite numbers are due" })
        }
        None => Ok(()),
    }
}
