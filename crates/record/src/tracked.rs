//! A value with its record.

use crate::{Provenance, Scale, Uncertainty};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What can be wrong with a record, or with what is asked of it.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A number that is not finite.
    #[error("the value {value} is not finite")]
    NotFinite {
        /// The value.
        value: f64,
    },
    /// An uncertainty that is none.
    #[error("the uncertainty is not admissible: {reason}")]
    Uncertainty {
        /// What is wrong.
        reason: String,
    },
    /// A sealed value would be moved at a larger scale.
    #[error(
        "this value was identified and sealed at the {identified} scale; the {asked} scale may not re-tune it. Improve it where it was identified, or break the seal on record with unseal = \"reason\""
    )]
    Sealed {
        /// Scale at which the value was identified.
        identified: Scale,
        /// Scale that asked for a change.
        asked: Scale,
    },
    /// A seal broken without a reason.
    #[error("breaking a seal needs a reason: write unseal = \"why this value must move\"")]
    Reason,
    /// A document that cannot be written canonically.
    #[error("cannot write the document canonically: {reason}")]
    Canonical {
        /// What the serialiser said.
        reason: String,
    },
}

/// A value with unit, uncertainty, provenance, scale of identification and seal.
///
/// `T` is a number for scalars, or a hand-off (a curve, a tensor table) whose own fields name their units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tracked<T> {
    /// The value, in `unit`.
    pub value: T,
    /// Unit symbol; empty for a pure number or for a hand-off that names its units itself.
    pub unit: String,
    /// Uncertainty in the same unit.
    pub uncertainty: Uncertainty,
    /// Origin.
    pub provenance: Provenance,
    /// Scale at which it was identified.
    pub scale: Scale,
    /// Sealed against change at a larger scale.
    pub sealed: bool,
}

impl Tracked<f64> {
    /// A tracked number, unsealed. Refuses NaN, infinity and inadmissible uncertainties.
    pub fn new(
        value: f64,
        unit: &str,
        uncertainty: Uncertainty,
        provenance: Provenance,
        scale: Scale,
    ) -> Result<Self, RecordError> {
        if !value.is_finite() {
            return Err(RecordError::NotFinite { value });
        }
        Self::of(value, unit, uncertainty, provenance, scale)
    }
}

impl<T> Tracked<T> {
    /// A tracked value of any type, unsealed. Refuses inadmissible uncertainties.
    pub fn of(
        value: T,
        unit: &str,
        uncertainty: Uncertainty,
        provenance: Provenance,
        scale: Scale,
    ) -> Result<Self, RecordError> {
        match uncertainty.defect() {
            Some(reason) => Err(RecordError::Uncertainty { reason }),
            None => Ok(Self { value, unit: unit.to_string(), uncertainty, provenance, scale, sealed: false }),
        }
    }

    /// The same value, sealed.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.sealed = true;
        self
    }

    /// Whether a fit or an override at `scale` may change this value: a sealed value may be changed only at a
    /// scale not larger than the one at which it was identified.
    pub fn allow_change_at(&self, scale: Scale) -> Result<(), RecordError> {
        if self.sealed && scale > self.scale {
            Err(RecordError::Sealed { identified: self.scale, asked: scale })
        } else {
            Ok(())
        }
    }

    /// Breaks the seal on record: the provenance becomes [`Provenance::Retuned`] with the reason.
    pub fn unseal(mut self, reason: &str) -> Result<Self, RecordError> {
        if reason.trim().is_empty() {
            return Err(RecordError::Reason);
        }
        self.sealed = false;
        self.provenance = Provenance::Retuned { from: Box::new(self.provenance), why: reason.to_string() };
        Ok(self)
    }

    /// The same record around another value.
    #[must_use]
    pub fn with_value(mut self, value: T) -> Self {
        self.value = value;
        self
    }

    /// Why the value was re-tuned, if it was.
    pub fn retuned_reason(&self) -> Option<&str> {
        match &self.provenance {
            Provenance::Retuned { why, .. } => Some(why),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn barrier() -> Tracked<f64> {
        let origin = Provenance::Assumed { why: "test".into() };
        Tracked::new(0.58, "eV", Uncertainty::Standard { value: 0.01 }, origin, Scale::Atomic).unwrap()
    }

    #[test]
    fn a_sealed_value_is_moved_only_at_its_own_scale_or_below() {
        let sealed = barrier().sealed();
        assert_eq!(sealed.allow_change_at(Scale::Atomic), Ok(()));
        let refused = sealed.allow_change_at(Scale::Lattice).unwrap_err();
        assert_eq!(refused, RecordError::Sealed { identified: Scale::Atomic, asked: Scale::Lattice });
        assert!(refused.to_string().contains("unseal"));
        assert_eq!(barrier().allow_change_at(Scale::Pack), Ok(()));
    }

    #[test]
    fn unsealing_needs_a_reason_and_leaves_a_mark() {
        assert_eq!(barrier().sealed().unseal("  ").unwrap_err(), RecordError::Reason);
        let moved = barrier().sealed().unseal("because").unwrap();
        assert!(!moved.sealed);
        assert_eq!(moved.provenance.kind(), "retuned");
        assert!(moved.provenance.to_string().contains("was assumed: test"));
    }

    #[test]
    fn inadmissible_records_are_refused() {
        let origin = || Provenance::Assumed { why: "test".into() };
        let new = |value, uncertainty| Tracked::new(value, "V", uncertainty, origin(), Scale::Cell);
        assert!(new(f64::NAN, Uncertainty::none("exact")).is_err());
        assert!(new(1.0, Uncertainty::Standard { value: -1.0 }).is_err());
        assert!(new(1.0, Uncertainty::Interval { low: 2.0, high: 1.0, level: 0.9 }).is_err());
        assert!(new(1.0, Uncertainty::Samples { values: vec![1.0, f64::INFINITY] }).is_err());
        assert!(new(1.0, Uncertainty::none(" ")).is_err());
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let text = serde_json::to_string(&barrier().sealed()).unwrap();
        let back: Tracked<f64> = serde_json::from_str(&text).unwrap();
        assert_eq!(back, barrier().sealed());
    }
}
