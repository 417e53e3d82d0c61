//! What a running step may use besides its inputs.

use crate::error::StudyError;
use crate::kind::KindSpec;
use crate::outputs::computed;
use crate::progress::{Event, Progress, Silent};
use crate::store::Store;
use scalade_record::{ContentHash, Provenance, RecordError, Scale, Tracked, Uncertainty};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Two progress events of one step are at least this far apart.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(20);

static NEVER: AtomicBool = AtomicBool::new(false);

/// Pace of a step, for the estimate of its end.
#[derive(Debug, Default)]
struct Pace {
    /// Fraction and time of the first report.
    first: Option<(f64, Instant)>,
    last: Option<Instant>,
}

/// Seed, progress, cancellation, threads and checkpoints of a running step.
pub struct StepContext<'a> {
    step: String,
    provenance: Provenance,
    scale: Scale,
    seed: u64,
    threads: usize,
    pool: SharedPool,
    cancel: [&'a AtomicBool; 2],
    progress: &'a dyn Progress,
    checkpoints: Option<(&'a Store, ContentHash)>,
    checkpoint_interval: Duration,
    last_checkpoint: Mutex<Instant>,
    pace: Mutex<Pace>,
}

impl std::fmt::Debug for StepContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StepContext")
            .field("step", &self.step)
            .field("seed", &self.seed)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// The threads of a run, made when the first step asks for them. Steps that run at once share them, so that a long step has all of them as soon as
/// the others have ended; `None` inside where no threads can be made.
pub(crate) type SharedPool = Arc<OnceLock<Option<rayon::ThreadPool>>>;

/// How the engine makes a context.
pub(crate) struct Surroundings<'a> {
    pub seed: u64,
    pub threads: usize,
    pub pool: SharedPool,
    pub cancel: [&'a AtomicBool; 2],
    pub progress: &'a dyn Progress,
    pub checkpoints: Option<(&'a Store, ContentHash)>,
    pub checkpoint_interval: Duration,
}

impl<'a> StepContext<'a> {
    pub(crate) fn new(step: &str, spec: &KindSpec, around: Surroundings<'a>) -> Self {
        Self {
            step: step.to_string(),
            provenance: computed(step, spec),
            scale: spec.scale,
            seed: around.seed,
            threads: around.threads.max(1),
            pool: around.pool,
            cancel: around.cancel,
            progress: around.progress,
            checkpoints: around.checkpoints,
            checkpoint_interval: around.checkpoint_interval,
            last_checkpoint: Mutex::new(Instant::now()),
            pace: Mutex::new(Pace::default()),
        }
    }

    /// A context outside any study: no progress, no checkpoints, never cancelled.
    pub fn detached(step: &str, spec: &KindSpec, seed: u64, threads: usize) -> StepContext<'static> {
        let around = Surroundings {
            seed,
            threads,
            pool: SharedPool::default(),
            cancel: [&NEVER, &NEVER],
            progress: &Silent,
            checkpoints: None,
            checkpoint_interval: Duration::MAX,
        };
        StepContext::new(step, spec, around)
    }

    /// Name of the step in the study.
    pub fn step(&self) -> &str {
        &self.step
    }

    /// Seed of the step: a function of the study's seed and the step's name; 0 for a kind without randomness.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Scale of the kind.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// Provenance of what this step computes.
    pub fn provenance(&self) -> Provenance {
        self.provenance.clone()
    }

    /// A value computed here: provenance and scale are those of this step.
    ///
    /// # Errors
    /// The uncertainty is not admissible.
    pub fn tracked<T>(
        &self,
        value: T,
        unit: &str,
        uncertainty: Uncertainty,
    ) -> Result<Tracked<T>, RecordError> {
        Tracked::of(value, unit, uncertainty, self.provenance(), self.scale)
    }

    /// Reports the part that is done (0 to 1) and what is being done.
    pub fn progress(&self, fraction: f64, message: &str) {
        let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
        let eta_seconds = {
            let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            if fraction < 1.0 && pace.last.is_some_and(|last| now - last < PROGRESS_INTERVAL) {
                return;
            }
            pace.last = Some(now);
            let (from, since) = *pace.first.get_or_insert((fraction, now));
            let gained = fraction - from;
            (gained > 0.0).then(|| (now - since).as_secs_f64() * (1.0 - fraction) / gained)
        };
        self.progress.event(&Event::StepProgress { step: &self.step, fraction, message, eta_seconds });
    }

    /// Whether the step should stop and return [`StepFailure::Interrupted`](crate::StepFailure::Interrupted), after
    /// storing a checkpoint if it keeps any.
    pub fn cancelled(&self) -> bool {
        self.cancel.iter().any(|flag| flag.load(Ordering::Relaxed))
    }

    /// Number of threads this step may use. Results must not depend on it.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Runs `work` with rayon's parallel iterators limited to [`threads`](Self::threads) threads. Where no threads can be
    /// made, `work` runs in the calling thread.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        let pool =
            self.pool.get_or_init(|| rayon::ThreadPoolBuilder::new().num_threads(self.threads).build().ok());
        match pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// The last checkpoint of this name that this step stored under the same inputs and seed, if the step did not finish.
    /// A torn or damaged one counts as absent.
    pub fn checkpoint_load(&self, name: &str) -> Option<Vec<u8>> {
        let (store, key) = self.checkpoints.as_ref()?;
        store.get_checkpoint(key, name)
    }

    /// Stores a checkpoint durably: after a crash at any moment the old or the new one is there, whole. It is removed when
    /// the step finishes.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn checkpoint_store(&self, name: &str, bytes: &[u8]) -> Result<(), StudyError> {
        if let Some((store, key)) = &self.checkpoints {
            store.put_checkpoint(key, name, bytes)?;
        }
        *self.last_checkpoint.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(())
    }

    /// Whether the last checkpoint (or the start) is longer ago than the run's checkpoint interval. A step asks where it
    /// could store one; the answer may change when a step is interrupted, never what it computes.
    pub fn checkpoint_due(&self) -> bool {
        let last = self.last_checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
        last.elapsed() >= self.checkpoint_interval
    }
}
