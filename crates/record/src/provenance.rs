//! Where a value comes from.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Origin of a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Provenance {
    /// Computed by a step of a study.
    Computed {
        /// Name of the step in the study.
        step: String,
        /// Registered kind of the step.
        method: String,
        /// Revision of the algorithm.
        revision: u32,
    },
    /// Measured, or computed outside and read from a data set.
    Measured {
        /// File or data set.
        data_set: String,
        /// Content hash of the data, when it was read here.
        hash: Option<String>,
        /// How the value was obtained from the data.
        method: String,
    },
    /// Taken from the literature.
    Published {
        /// Digital object identifier.
        doi: String,
        /// Table, figure, page or file within it.
        locator: String,
    },
    /// Assumed, and why.
    Assumed {
        /// The reason.
        why: String,
    },
    /// Moved away from a sealed value.
    Retuned {
        /// Where the value came from before it was moved.
        from: Box<Provenance>,
        /// Why it was moved.
        why: String,
    },
}

impl Provenance {
    /// The one-word kind: computed, measured, published, assumed or retuned.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Computed { .. } => "computed",
            Self::Measured { .. } => "measured",
            Self::Published { .. } => "published",
            Self::Assumed { .. } => "assumed",
            Self::Retuned { .. } => "retuned",
        }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Computed { step, method, revision } => {
                write!(f, "computed by step {step} ({method}, revision {revision})")
            }
            Self::Measured { data_set, method, .. } => write!(f, "from data set {data_set} ({method})"),
            Self::Published { doi, locator } => write!(f, "published, doi:{doi}, {locator}"),
            Self::Assumed { why } => write!(f, "assumed: {why}"),
            Self::Retuned { from, why } => write!(f, "re-tuned: {why} (was {from})"),
        }
    }
}
