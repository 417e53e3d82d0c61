//! The record of a number: how uncertain it is, where it comes from, at which scale it was identified, and
//! whether it is sealed against re-tuning at a larger scale.
//!
//! ```
//! use scalade_record::{Provenance, Scale, Tracked, Uncertainty};
//! let barrier = Tracked::new(
//!     0.58, "eV", Uncertainty::Standard { value: 0.01 },
//!     Provenance::Published { doi: "10.1000/example".into(), locator: "Table 2".into() },
//!     Scale::Atomic,
//! )?.sealed();
//! // A cell-scale fit may not move a number that was identified at the atomic scale ...
//! assert!(barrier.allow_change_at(Scale::Cell).is_err());
//! // ... unless the seal is broken on record, and everything downstream then says so.
//! let moved = barrier.unseal("cell discharge asks for faster hops")?.with_value(0.55);
//! assert_eq!(moved.retuned_reason(), Some("cell discharge asks for faster hops"));
//! # Ok::<(), scalade_record::RecordError>(())
//! ```

mod canonical;
mod number;
mod provenance;
mod scale;
mod tracked;
mod uncertainty;

pub use canonical::{ContentHash, canonical_bytes, content_hash, hash_bytes};
pub use number::{
    Decimal, decimal, power_of_ten, significant, superscript, typeset_numbers, typeset_unit, value_typeset,
    value_with_uncertainty,
};
pub use provenance::Provenance;
pub use scale::Scale;
pub use tracked::{RecordError, Tracked};
pub use uncertainty::Uncertainty;
