//! A value with its dimension.

use crate::dimension::Dimension;
use crate::parse;
use crate::table::accepted_units;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// What can be wrong with a quantity's text or dimension.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum UnitError {
    /// The text does not start with a finite number.
    #[error(
        "\"{text}\" does not start with a finite number; write a value and a unit, such as \"3.9e-14 m2/s\""
    )]
    Number {
        /// The text as given.
        text: String,
    },
    /// A symbol that is no unit.
    #[error("unknown unit \"{symbol}\" in \"{text}\"{hint}")]
    UnknownUnit {
        /// The symbol that was not found.
        symbol: String,
        /// The whole text.
        text: String,
        /// What the writer may have meant; empty when there is no guess.
        hint: String,
    },
    /// The unit expression itself is malformed.
    #[error("cannot read the unit in \"{text}\": {reason} at column {column}")]
    Syntax {
        /// The whole text.
        text: String,
        /// Column (in characters, from 1) of the offending character.
        column: usize,
        /// What was expected.
        reason: &'static str,
    },
    /// A right unit of the wrong dimension.
    #[error("got {got}, want {want} (accepted: {accepted})")]
    Dimension {
        /// Dimension of the quantity.
        got: String,
        /// Dimension asked for.
        want: String,
        /// Spellings that would be accepted.
        accepted: &'static str,
    },
    /// The value leaves the range of a 64-bit float, or is not a number.
    #[error("\"{text}\" is not a finite number in SI units")]
    NotFinite {
        /// The whole text.
        text: String,
    },
}

/// A finite value in SI base units with its dimension.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    si: f64,
    dimension: Dimension,
}

impl Quantity {
    /// A quantity from its value in SI base units; refuses NaN and infinity.
    pub fn from_si(si: f64, dimension: Dimension) -> Result<Self, UnitError> {
        if si.is_finite() {
            Ok(Self { si, dimension })
        } else {
            Err(UnitError::NotFinite { text: si.to_string() })
        }
    }

    /// The dimension.
    pub fn dimension(self) -> Dimension {
        self.dimension
    }

    /// The value in SI base units, whatever the dimension.
    pub fn si(self) -> f64 {
        self.si
    }

    /// The value in SI base units if the dimension is `want`, else an error that names both.
    pub fn in_si(self, want: Dimension) -> Result<f64, UnitError> {
        if self.dimension == want {
            Ok(self.si)
        } else {
            Err(UnitError::Dimension {
                got: describe(self.dimension),
                want: describe(want),
                accepted: accepted_units(want),
            })
        }
    }

    /// The value in the unit `unit` (such as `"mV"`); an error if the dimensions differ.
    pub fn to(self, unit: &str) -> Result<f64, UnitError> {
        let one = parse::unit(unit)?;
        if one.dimension != self.dimension {
            return Err(UnitError::Dimension {
                got: describe(self.dimension),
                want: describe(one.dimension),
                accepted: accepted_units(one.dimension),
            });
        }
        Ok(one.convert_si(self.si))
    }
}

fn describe(dimension: Dimension) -> String {
    match dimension.name() {
        Some(name) => format!("{name} ({dimension})"),
        None => dimension.to_string(),
    }
}

impl FromStr for Quantity {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (si, dimension) = parse::quantity(text)?;
        Ok(Self { si, dimension })
    }
}

/// Writes the shortest decimal that reads back to the same bits, and the coherent unit.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.si.abs();
        if magnitude != 0.0 && !(1e-4..1e7).contains(&magnitude) {
            write!(f, "{:e}", self.si)?;
        } else {
            write!(f, "{}", self.si)?;
        }
        match self.dimension {
            crate::dimension::NONE => Ok(()),
            crate::dimension::CHARGE => f.write_str(" C"),
            crate::dimension::ENERGY => f.write_str(" J"),
            other => write!(f, " {other}"),
        }
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dimension as d;
    use proptest::prelude::*;

    fn si(text: &str, dimension: Dimension) -> f64 {
        text.parse::<Quantity>().unwrap().in_si(dimension).unwrap()
    }

    #[test]
    fn the_same_quantity_in_another_decimal_unit_has_the_same_bits() {
        assert_eq!(si("5.8 um", d::LENGTH).to_bits(), si("5.8e-6 m", d::LENGTH).to_bits());
        assert_eq!(
            si("3.9e-10 cm2/s", d::DIFFUSIVITY).to_bits(),
            si("3.9e-14 m2/s", d::DIFFUSIVITY).to_bits()
        );
        assert_eq!(
            si("1.2 mol/L", d::CONCENTRATION).to_bits(),
            si("1200 mol/m3", d::CONCENTRATION).to_bits()
        );
        assert_eq!(si("10 mS/cm", d::CONDUCTIVITY), 1.0);
        assert_eq!(si("1 A.h", d::CHARGE), 3600.0);
        assert_eq!(si("25 mA/cm2", d::CURRENT_DENSITY), 250.0);
        assert_eq!(si("10 W/(m2 K)", d::HEAT_TRANSFER), 10.0);
        assert_eq!(si("10 W m-2 K-1", d::HEAT_TRANSFER), 10.0);
        assert_eq!(si("10 W/m^2/K", d::HEAT_TRANSFER), 10.0);
        assert_eq!(si("3 Ah", d::CHARGE), 3.0 * 3600.0);
        assert_eq!(si("50 %", d::NONE), 0.5);
        assert_eq!(si("0.5", d::NONE), 0.5);
        assert!((si("1 eV/atom", d::MOLAR_ENERGY) - 96_485.332_123_310_02).abs() < 1e-9);
    }

    #[test]
    fn errors_name_the_place_and_the_way_out() {
        let message = |text: &str| text.parse::<Quantity>().unwrap_err().to_string();
        assert!(message("m2/s").contains("finite number"));
        assert!(message("NaN V").contains("finite number"));
        assert!(message("inf V").contains("finite number"));
        assert!(message("1e999 V").contains("finite"));
        assert!(message("1 mv").contains("\"mV\""), "{}", message("1 mv"));
        assert!(message("300 degC").contains('K'), "{}", message("300 degC"));
        assert!(message("1 au").contains("bohr"), "{}", message("1 au"));
        assert!(message("1 m/(s").contains("column"));
        assert!(message("1 m2//s").contains("column"));
        assert!(message("1 m999").contains("column"));
        let wrong = "3 V".parse::<Quantity>().unwrap().in_si(d::DIFFUSIVITY).unwrap_err().to_string();
        assert!(wrong.contains("a voltage (V)") && wrong.contains("a diffusivity (m2/s)"), "{wrong}");
    }

    #[test]
    fn conversion_to_a_unit() {
        let v: Quantity = "3.9 V".parse().unwrap();
        assert_eq!(v.to("mV").unwrap(), 3900.0);
        assert!(v.to("m").is_err());
    }

    proptest! {
        #[test]
        fn display_reads_back_to_the_same_bits(value in proptest::num::f64::NORMAL, which in 0usize..8) {
            let dimension = [d::LENGTH, d::VOLTAGE, d::DIFFUSIVITY, d::ENERGY, d::CHARGE, d::CONDUCTIVITY, d::NONE, Dimension([1, 1, 0, -2, 3, 0, 0])][which];
            let q = Quantity::from_si(value, dimension).unwrap();
            let back: Quantity = q.to_string().parse().unwrap();
            prop_assert_eq!(back.dimension(), dimension);
            prop_assert_eq!(back.si().to_bits(), value.to_bits());
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Quantity>();
        }

        #[test]
        fn no_unit_like_text_panics(text in "[0-9eE+. ]{1,6}[ munkMAVsShK/().^0-9-]{0,16}") {
            let _ = text.parse::<Quantity>();
        }
    }
}
