//! Independent members of an ensemble: run in parallel within the step's threads, each kept as a checkpoint.

use rayon::prelude::*;
use scalade_study::{StepContext, StepFailure};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::{Mutex, PoisonError};

/// Progress and cancellation of one job among many.
pub struct Shared<'a> {
    context: &'a StepContext<'a>,
    parts: &'a Mutex<Vec<f64>>,
    index: usize,
}

impl Shared<'_> {
    /// Reports that `done` of `total` parts of this job are done.
    pub fn part(&self, done: usize, total: usize, message: &str) {
        let fraction = {
            let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
            parts[self.index] = done as f64 / total.max(1) as f64;
            parts.iter().sum::<f64>() / parts.len() as f64
        };
        self.context.progress(fraction, message);
    }

    /// Whether the run is to stop.
    pub fn cancelled(&self) -> bool {
        self.context.cancelled()
    }
}

/// Runs every job, in parallel; results in the order of the jobs, whatever the number of threads. A finished job is stored under its name, so that an
/// interrupted step goes on where it stopped. JSON keeps every bit of a number (shortest form that reads back).
pub fn run_jobs<J: Sync, R: Serialize + DeserializeOwned + Send>(
    context: &StepContext,
    jobs: &[J],
    name: impl Fn(&J) -> String + Sync,
    work: impl Fn(&J, &Shared) -> Result<R, StepFailure> + Sync,
) -> Result<Vec<R>, StepFailure> {
    let parts = Mutex::new(vec![0.0; jobs.len()]);
    context.install(|| {
        jobs.par_iter()
            .enumerate()
            .map(|(index, job)| {
                let shared = Shared { context, parts: &parts, index };
                let label = name(job);
                let kept = context.checkpoint_load(&label);
                if let Some(result) = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
                    shared.part(1, 1, "from a checkpoint");
                    return Ok(result);
                }
                if context.cancelled() {
                    return Err(StepFailure::Interrupted);
                }
                let result = work(job, &shared)?;
                let bytes = serde_json::to_vec(&result).map_err(StepFailure::internal)?;
                context.checkpoint_store(&label, &bytes)?;
                shared.part(1, 1, "member done");
                Ok(result)
            })
            .collect()
    })
}
