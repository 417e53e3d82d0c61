//! What can be wrong with an expansion of several species.

use scalade_crystal::CrystalError;
use scalade_handoff::HandoffError;
use scalade_lattice::LatticeError;
use thiserror::Error;

/// Why a primitive cell, an expansion or a run was refused.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum ExpansionError {
    /// The crystal layer refused a structure or its symmetry.
    #[error(transparent)]
    Crystal(#[from] CrystalError),
    /// The Hamiltonian was refused.
    #[error(transparent)]
    Handoff(#[from] HandoffError),
    /// The lattice layer refused clusters or a fit.
    #[error(transparent)]
    Lattice(#[from] LatticeError),
    /// A primitive cell that cannot be used.
    #[error("{problem}")]
    Prim {
        /// What is wrong, with a way out.
        problem: String,
    },
    /// More terms than are possible.
    #[error("{what}: {count} exceed the limit of {limit}; reduce the cutoffs or the cell")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there are (at least).
        count: usize,
        /// The limit.
        limit: usize,
    },
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
    /// An event that symmetry does not make of another.
    #[error(
        "the event of {sites} sites is not of the kind of the prototype: no operation of the crystal joins the two"
    )]
    OtherEvent {
        /// Sites that change in it.
        sites: usize,
    },
    /// A composition, a start or a reservoir that a run cannot have.
    #[error("{problem}")]
    Run {
        /// What is wrong, with a way out.
        problem: String,
    },
}

pub(crate) fn prim(problem: impl Into<String>) -> ExpansionError {
    ExpansionError::Prim { problem: problem.into() }
}
