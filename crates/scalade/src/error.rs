//! Errors of the facade, with the exit code that a command gives them.

use thiserror::Error;

/// Why a command gave no result.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ScaladeError {
    /// The input is not acceptable (exit code 2).
    #[error("{message}")]
    Input {
        /// What is wrong, where, and what to do.
        message: String,
    },
    /// A solver did not converge (exit code 3).
    #[error("not converged: {message}")]
    NotConverged {
        /// Variable, place, time, residual.
        message: String,
    },
    /// Interrupted (exit code 130).
    #[error("interrupted; the same command resumes")]
    Interrupted,
    /// A defect (exit code 1).
    #[error("{message}")]
    Internal {
        /// What happened.
        message: String,
    },
}

impl ScaladeError {
    /// Bad input.
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input { message: message.into() }
    }

    /// A defect.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal { message: message.into() }
    }

    /// Exit code of a command that ends with this error.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Internal { .. } => 1,
            Self::Input { .. } => 2,
            Self::NotConverged { .. } => 3,
            Self::Interrupted => 130,
        }
    }
}

impl From<scalade_handoff::HandoffError> for ScaladeError {
    fn from(error: scalade_handoff::HandoffError) -> Self {
        Self::Input { message: error.to_string() }
    }
}

impl From<scalade_cell::CellError> for ScaladeError {
    fn from(error: scalade_cell::CellError) -> Self {
        use scalade_cell::CellError as E;
        let message = error.to_string();
        match error {
            E::InitialPotentials { .. } | E::TimeStep { .. } | E::TooManySteps { .. } => {
                Self::NotConverged { message }
            }
            _ => Self::Input { message },
        }
    }
}
