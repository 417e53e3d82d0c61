//! What can be wrong with a hand-off.

use thiserror::Error;

/// Why a hand-off was not admitted, or cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum HandoffError {
    /// Lists whose lengths do not fit.
    #[error("{what}: expected {expected} entries, got {got}")]
    Length {
        /// Which list.
        what: &'static str,
        /// Entries expected.
        expected: usize,
        /// Entries given.
        got: usize,
    },
    /// A number that is not finite or not in its range.
    #[error("{what}: entry {index} is {value}; {want}")]
    Value {
        /// Which list.
        what: &'static str,
        /// Index of the entry.
        index: usize,
        /// The number.
        value: f64,
        /// What is admissible.
        want: &'static str,
    },
    /// A physical requirement that is violated, with the measured violation.
    #[error("{hand_off} is not admissible: {requirement} is violated at {place} by {violation:e}")]
    Inadmissible {
        /// Name of the hand-off.
        hand_off: &'static str,
        /// The requirement.
        requirement: &'static str,
        /// Where.
        place: String,
        /// By how much, in the units of the requirement.
        violation: f64,
    },
    /// An evaluation outside the declared domain under the policy `error`.
    #[error(
        "{hand_off} was asked at {variable} = {value}, outside its domain [{low}, {high}]; widen the table or choose the policy clamp or extend"
    )]
    Domain {
        /// Name of the hand-off.
        hand_off: &'static str,
        /// Variable.
        variable: &'static str,
        /// Value asked for.
        value: f64,
        /// Lower end of the domain.
        low: f64,
        /// Upper end of the domain.
        high: f64,
    },
    /// A cluster or a bond that names a sublattice that does not exist, or repeats a site.
    #[error("cluster {cluster} of orbit {orbit}: {reason}")]
    Cluster {
        /// Orbit.
        orbit: usize,
        /// Cluster within the orbit.
        cluster: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// A sublattice that does not suit its use.
    #[error("sublattice {site}: {reason}")]
    Site {
        /// The sublattice, counted from 0.
        site: usize,
        /// What is wrong.
        reason: String,
    },
    /// An event that cannot be.
    #[error("change {change} of the event: {reason}")]
    Event {
        /// Change within the event.
        change: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// A symmetry operation that is none of what it is given for.
    #[error("symmetry operation {operation}: {reason}")]
    Operation {
        /// The operation, counted from 0.
        operation: usize,
        /// What is wrong.
        reason: String,
    },
}
