//! What can go wrong: in the store, in a step's inputs and outputs, in a step, in a run.

use crate::outputs::Outputs;
use crate::record::RunRecord;
use scalade_record::RecordError;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// What can go wrong with a store, with the inputs and outputs of a step, or with a registration.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StudyError {
    /// The store is locked by another run.
    #[error("another run{holder} is using this store ({}); wait until it ends, or give this run another store", path.display())]
    Busy {
        /// Directory of the store.
        path: PathBuf,
        /// " (process 1234)" when the other run left its number, else empty.
        holder: String,
    },
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// An input that is absent, or not of the type that was asked for, or not readable.
    #[error("input \"{key}\": {reason}")]
    Input {
        /// Key of the input.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An input that refers to a step that has not run: its value is not known while a study is only checked.
    #[error("input \"{key}\" comes from @{reference}, which is not computed yet")]
    Pending {
        /// Key of the input.
        key: String,
        /// The reference, `step.output`.
        reference: String,
    },
    /// A result with a NaN or an infinity in it.
    #[error("output \"{output}\" holds {value} at {path}: no result may contain NaN or infinity")]
    NotFinite {
        /// Key of the output.
        output: String,
        /// Place within it, such as `curve.voltage[3]`.
        path: String,
        /// The number.
        value: f64,
    },
    /// An output that is not as the kind's specification says.
    #[error("output \"{output}\": {reason}")]
    Output {
        /// Key of the output.
        output: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A step kind whose specification contradicts itself or another one.
    #[error("the kind \"{kind}\" cannot be registered: {reason}")]
    Registration {
        /// Name of the kind.
        kind: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A quantity that is not in a run.
    #[error("there is no quantity \"{name}\" in this run{hint}")]
    UnknownQuantity {
        /// The name that was asked for.
        name: String,
        /// What may have been meant; empty when there is no guess.
        hint: String,
    },
    /// A record refused a value.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl StudyError {
    /// An [`StudyError::Io`] maker for `map_err`.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

/// Why a step gave no result.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StepFailure {
    /// An input is not acceptable.
    #[error("{message}")]
    BadInput {
        /// Key of the input, when one is to blame.
        key: Option<String>,
        /// What is wrong with it and what to do.
        message: String,
    },
    /// A solver did not converge. What it has is kept with the record of the run, and never cached.
    #[error("not converged: {message}")]
    NotConverged {
        /// The variable, place, time and last residual.
        message: String,
        /// What was computed until then.
        partial: Box<Outputs>,
    },
    /// A defect of the step itself.
    #[error("{message}")]
    Internal {
        /// What happened.
        message: String,
    },
    /// The step noticed [`StepContext::cancelled`](crate::StepContext::cancelled) and stopped; its checkpoints stay.
    #[error("interrupted")]
    Interrupted,
}

impl StepFailure {
    /// A [`StepFailure::BadInput`] for one key.
    pub fn bad_input(key: &str, message: impl Into<String>) -> Self {
        Self::BadInput { key: Some(key.to_string()), message: message.into() }
    }

    /// A [`StepFailure::Internal`] from any error.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal { message: error.to_string() }
    }
}

/// A bad input stays one; everything else is a defect of the step or of the machine.
impl From<StudyError> for StepFailure {
    fn from(error: StudyError) -> Self {
        match error {
            StudyError::Input { ref key, .. } => {
                Self::BadInput { key: Some(key.clone()), message: error.to_string() }
            }
            other => Self::Internal { message: other.to_string() },
        }
    }
}

impl From<RecordError> for StepFailure {
    fn from(error: RecordError) -> Self {
        Self::Internal { message: error.to_string() }
    }
}

/// Category of a failed step, as it appears in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCategory {
    /// A defect of the step: exit code 1.
    Internal,
    /// An input was not acceptable: exit code 2.
    BadInput,
    /// A solver did not converge: exit code 3.
    NotConverged,
    /// The run was interrupted: exit code 130.
    Interrupted,
}

impl FailureCategory {
    /// Exit code of a command that ends with this failure.
    pub fn exit_code(self) -> i32 {
        match self {
            Self::Internal => 1,
            Self::BadInput => 2,
            Self::NotConverged => 3,
            Self::Interrupted => 130,
        }
    }
}

/// Why a run did not finish. Everything that did finish is in the store and in the record.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The store failed: busy, read-only, full.
    #[error("{source}")]
    Store {
        /// What the store said.
        source: StudyError,
        /// The steps that had finished.
        record: Box<RunRecord>,
    },
    /// Steps failed; the steps that do not depend on them have finished.
    #[error("{}", describe_failures(record))]
    Failed {
        /// The steps that finished, those that failed and those that were left out.
        record: Box<RunRecord>,
    },
    /// The run was interrupted; the same command resumes it.
    #[error("interrupted after {} finished steps; run again to resume", record.steps.len())]
    Interrupted {
        /// The steps that had finished.
        record: Box<RunRecord>,
    },
}

fn describe_failures(record: &RunRecord) -> String {
    let mut text = String::new();
    for (step, failure) in &record.failures {
        if !text.is_empty() {
            text.push('\n');
        }
        let _ = write!(text, "step {step}: {}", failure.message);
    }
    if !record.skipped.is_empty() {
        let _ = write!(text, "\n{} steps that depend on them were left out", record.skipped.len());
    }
    text
}

impl RunError {
    /// Exit code of a command that ends with this error: 1 internal, 2 bad input, 3 not converged, 130 interrupted. When
    /// several steps failed, the lowest category in that order counts.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Store { .. } => FailureCategory::Internal.exit_code(),
            Self::Interrupted { .. } => FailureCategory::Interrupted.exit_code(),
            Self::Failed { record } => record
                .failures
                .values()
                .map(|f| f.category)
                .min()
                .unwrap_or(FailureCategory::Internal)
                .exit_code(),
        }
    }

    /// The record of what did finish.
    pub fn record(&self) -> &RunRecord {
        match self {
            Self::Store { record, .. } | Self::Failed { record } | Self::Interrupted { record } => record,
        }
    }
}
