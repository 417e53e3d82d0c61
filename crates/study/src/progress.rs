//! What a run tells while it runs.

use crate::error::FailureCategory;

/// An event of a run. Steps run in parallel: events of different steps interleave.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The run begins.
    RunStarted {
        /// Name of the study.
        study: &'a str,
        /// Number of steps.
        steps: usize,
    },
    /// A step begins.
    StepStarted {
        /// Name of the step.
        step: &'a str,
        /// It goes on from a checkpoint.
        resumed: bool,
    },
    /// A step is under way.
    StepProgress {
        /// Name of the step.
        step: &'a str,
        /// Part that is done, 0 to 1.
        fraction: f64,
        /// What it is doing.
        message: &'a str,
        /// Seconds until its end at the pace so far, once that can be told.
        eta_seconds: Option<f64>,
    },
    /// A step's result was in the store.
    StepCached {
        /// Name of the step.
        step: &'a str,
    },
    /// A step finished, and its result is in the store.
    StepFinished {
        /// Name of the step.
        step: &'a str,
        /// Seconds it took.
        seconds: f64,
    },
    /// A step failed.
    StepFailed {
        /// Name of the step.
        step: &'a str,
        /// How.
        category: FailureCategory,
        /// Why.
        message: &'a str,
    },
    /// A step was left out because one that it needs failed.
    StepSkipped {
        /// Name of the step.
        step: &'a str,
        /// The step that failed.
        because: &'a str,
    },
    /// The run is over.
    RunFinished {
        /// Steps that have a result.
        finished: usize,
        /// Of these, steps whose result was in the store.
        cached: usize,
        /// Steps that failed.
        failed: usize,
    },
}

/// Receives the events of a run, from several threads.
pub trait Progress: Sync {
    /// One event. Called often: a slow receiver slows the steps.
    fn event(&self, event: &Event<'_>);
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _event: &Event<'_>) {}
}
