//! Checks of single numbers.

use crate::error::CellError;
use crate::property::{Activated, Property};
use std::fmt::{Display, Formatter, Result as Formatted};

/// Something, and a quantity of it in two words: a name that is written out only when a check fails.
#[derive(Clone, Copy)]
pub(super) struct Of<'a>(pub(super) &'a str, pub(super) &'static str, pub(super) &'static str);

impl Display for Of<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Formatted {
        write!(formatter, "{}: {}{}", self.0, self.1, self.2)
    }
}

pub(super) fn refuse(name: impl Display, value: f64, requirement: String) -> CellError {
    CellError::Parameter { name: name.to_string(), value, requirement }
}

pub(super) fn positive(name: impl Display, value: f64) -> Result<(), CellError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(refuse(name, value, "must be positive and finite".to_owned()))
}

pub(super) fn within(name: impl Display, value: f64, low: f64, high: f64) -> Result<(), CellError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(refuse(name, value, format!("must lie between {low} and {high}")))
}

pub(super) fn fraction(name: impl Display, value: f64) -> Result<(), CellError> {
    if value > 0.0 && value <= 1.0 {
        return Ok(());
    }
    Err(refuse(name, value, "must be above 0 and at most 1".to_owned()))
}

pub(super) fn activated(name: impl Display, property: &Activated) -> Result<(), CellError> {
    within(
        format_args!("{name}: activation energy [J/mol]"),
        property.activation_energy_j_per_mol,
        -1e6,
        1e6,
    )?;
    property.at_reference.as_constant().map_or(Ok(()), |value| positive(name, value))
}

/// A property that, where it is the same everywhere, must lie in a range.
pub(super) fn property_within(
    name: impl Display,
    property: &Property,
    low: f64,
    high: f64,
) -> Result<(), CellError> {
    property.as_constant().map_or(Ok(()), |value| within(name, value, low, high))
}
