//! Physical quantities: dimensions as exponents of the SI base units, unit strings, and physical constants.
//!
//! Kernels compute with plain `f64` in SI. At every public edge a number meets its unit here: a study, a
//! command line, a report. A [`Quantity`] is a value in SI base units with its [`Dimension`].
//!
//! ```
//! use scalade_units::{dimension, Quantity};
//! let diffusivity: Quantity = "3.9e-14 m2/s".parse()?;
//! assert_eq!(diffusivity.in_si(dimension::DIFFUSIVITY)?, 3.9e-14);
//! // A wrong dimension is an error that names both sides.
//! let error = diffusivity.in_si(dimension::VOLTAGE).unwrap_err();
//! assert!(error.to_string().contains("m2/s") && error.to_string().contains("V"));
//! # Ok::<(), scalade_units::UnitError>(())
//! ```

pub mod constants;
pub mod dimension;
mod parse;
mod quantity;
mod table;

pub use dimension::Dimension;
pub use quantity::{Quantity, UnitError};
pub use table::{Unit, accepted_units, find_unit, units};
