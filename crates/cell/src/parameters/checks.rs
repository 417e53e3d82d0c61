//! Checks of single numbers.

use crate::error::CellError;
use crate::property::{Activated, Property};

pub(super) fn refuse(name: &str, value: f64, requirement: String) -> CellError {
    CellError::Parameter { name: name.to_owned(), value, requirement }
}

pub(super) fn positive(name: &str, value: f64) -> Result<(), CellError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(refuse(name, value, "must be positive and finite".to_owned()))
}

pub(super) fn within(name: &str, value: f64, low: f64, high: f64) -> Result<(), CellError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(refuse(name, value, format!("must lie between {low} and {high}")))
}

pub(super) fn fraction(name: &str, value: f64) -> Result<(), CellError> {
    if value > 0.0 && value <= 1.0 {
        return Ok(());
    }
    Err(refuse(name, value, "must be above 0 and at most 1".to_owned()))
}

pub(super) fn activated(name: &str, property: &Activated) -> Result<(), CellError> {
    within(&format!("{name}: activation energy [J/mol]"), property.activation_energy_j_per_mol, -1e6, 1e6)?;
    property.at_reference.as_constant().map_or(Ok(()), |value| positive(name, value))
}

/// A property that, where it is the same everywhere, must lie in a range.
pub(super) fn property_within(name: &str, property: &Property, low: f64, high: f64) -> Result<(), CellError> {
    property.as_constant().map_or(Ok(()), |value| within(name, value, low, high))
}
