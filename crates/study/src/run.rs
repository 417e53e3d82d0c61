//! Running a study: what is in the store is taken from there, the rest runs in parallel as far as references allow.

use crate::context::{SharedPool, StepContext, Surroundings};
use crate::error::{FailureCategory, RunError, StepFailure, StudyError};
use crate::inputs::Inputs;
use crate::outputs::{Output, Outputs};
use crate::progress::{Event, Progress, Silent};
use crate::record::{FailureRecord, RunRecord, StepRecord};
use crate::resolve::{Files, Outcome, Resolved, Resolver};
use crate::store::journal::{Event as JournalEvent, Last};
use crate::store::{Cached, Lookup, Session, Store};
use crate::study::{Step, Study};
use scalade_record::ContentHash;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Stack of a thread that runs a step.
const STACK_BYTES: usize = 8 << 20;

static NOT_CANCELLED: AtomicBool = AtomicBool::new(false);

/// How to run.
#[derive(Clone, Copy)]
pub struct RunOptions<'a> {
    /// Threads for all steps together; 0 for as many as the machine has. Results do not depend on it.
    pub jobs: usize,
    /// Receives the events.
    pub progress: &'a dyn Progress,
    /// Set to interrupt: running steps store a checkpoint if they keep any, and stop.
    pub cancel: &'a AtomicBool,
    /// Time between checkpoints of a step that asks [`StepContext::checkpoint_due`].
    pub checkpoint_interval: Duration,
}

impl Default for RunOptions<'_> {
    /// All threads, no progress, never cancelled, a checkpoint every 30 s.
    fn default() -> Self {
        Self {
            jobs: 0,
            progress: &Silent,
            cancel: &NOT_CANCELLED,
            checkpoint_interval: Duration::from_secs(30),
        }
    }
}

impl std::fmt::Debug for RunOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunOptions").field("jobs", &self.jobs).finish_non_exhaustive()
    }
}

impl Study {
    /// Runs what changed and takes the rest from the store. A step that fails does not stop those that do not need it.
    ///
    /// # Errors
    /// The store failed or is in use, steps failed, or the run was interrupted; the error carries the record of what
    /// did finish, all of which is in the store.
    pub fn run(&self, store: &Store, options: &RunOptions<'_>) -> Result<RunRecord, RunError> {
        let session = store
            .session()
            .map_err(|source| RunError::Store { source, record: Box::new(self.empty_record()) })?;
        Runner::new(self, store, session, options).run()
    }

    /// The record of what the store already holds of this study; runs nothing, writes nothing, and may be asked while a
    /// run uses the store. Steps without a result are listed as skipped, each with the first step (perhaps itself) that
    /// would have to run for it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn recorded(&self, store: &Store) -> Result<RunRecord, StudyError> {
        let mut record = self.empty_record();
        let mut files = Files::default();
        let mut steps = BTreeMap::new();
        let mut outcomes: Vec<Option<Arc<Outcome>>> = vec![None; self.steps.len()];
        for at in &self.order {
            let step = &self.steps[*at];
            let waits = step.dependencies.iter().find(|d| outcomes[**d].is_none());
            if let Some(first) = waits.map(|d| record.skipped[&self.steps[*d].name].clone()) {
                record.skipped.insert(step.name.clone(), first);
                continue;
            }
            let mut resolver = Resolver { study: self, outcomes: &outcomes, files: &mut files };
            let found = match resolver.resolve(step) {
                Ok(resolved) => match store.get(&resolved.key, &step.name, step.kind.spec())? {
                    Lookup::Hit(cached) => Some((resolved, cached)),
                    _ => None,
                },
                Err(_) => None,
            };
            match found {
                Some((resolved, cached)) => {
                    let (step, outcome) = recorded(step, &resolved, *cached, true);
                    steps.insert(*at, step);
                    outcomes[*at] = Some(Arc::new(outcome));
                }
                None => {
                    record.skipped.insert(step.name.clone(), step.name.clone());
                }
            }
        }
        assemble(self, &mut record, steps, &mut outcomes);
        Ok(record)
    }

    fn empty_record(&self) -> RunRecord {
        RunRecord {
            study: self.name.clone(),
            title: self.title().to_string(),
            seed: self.seed,
            steps: BTreeMap::new(),
            failures: BTreeMap::new(),
            skipped: BTreeMap::new(),
            warnings: Vec::new(),
            result_hash: String::new(),
        }
    }
}

/// A step that must run.
struct Job {
    at: usize,
    resolved: Resolved,
    inputs: Inputs,
}

/// A step that ran.
struct Done {
    at: usize,
    resolved: Resolved,
    result: Result<Cached, Trouble>,
}

enum Trouble {
    Step(StepFailure),
    Store(StudyError),
}

struct Runner<'a> {
    study: &'a Study,
    store: &'a Store,
    session: Session,
    options: &'a RunOptions<'a>,
    jobs: usize,
    files: Files,
    /// Position of each step in the running order.
    position: Vec<usize>,
    users: Vec<Vec<usize>>,
    /// Number of dependencies that have not finished.
    missing: Vec<usize>,
    outcomes: Vec<Option<Arc<Outcome>>>,
    settled: usize,
    record: RunRecord,
    /// Steps without outputs in them: those are moved in at the end.
    steps: BTreeMap<usize, StepRecord>,
    /// Steps that wait for a running step with the same key.
    twins: BTreeMap<String, Vec<usize>>,
    fatal: Option<StudyError>,
    /// Set when the store fails: running steps should stop.
    stop: &'a AtomicBool,
    announced: bool,
}

impl<'a> Runner<'a> {
    fn new(study: &'a Study, store: &'a Store, session: Session, options: &'a RunOptions<'a>) -> Self {
        let count = study.steps.len();
        let mut position = vec![0; count];
        for (place, at) in study.order.iter().enumerate() {
            position[*at] = place;
        }
        let mut users = vec![Vec::new(); count];
        let mut missing = vec![0; count];
        for (at, step) in study.steps.iter().enumerate() {
            missing[at] = step.dependencies.len();
            for dependency in &step.dependencies {
                users[*dependency].push(at);
            }
        }
        let jobs = match options.jobs {
            0 => thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
            jobs => jobs,
        };
        let mut record = study.empty_record();
        record.warnings.clone_from(&session.warnings);
        Self {
            study,
            store,
            session,
            options,
            jobs,
            files: Files::default(),
            position,
            users,
            missing,
            outcomes: vec![None; count],
            settled: 0,
            record,
            steps: BTreeMap::new(),
            twins: BTreeMap::new(),
            fatal: None,
            stop: &NOT_CANCELLED,
            announced: false,
        }
    }

    fn run(self) -> Result<RunRecord, RunError> {
        let stop = AtomicBool::new(false);
        let count = self.study.steps.len();
        self.emit(&Event::RunStarted { study: &self.study.name, steps: count });
        // The flag lives in this call; the runner only borrows it while it schedules.
        let mut runner = Runner { stop: &stop, ..self };
        runner.schedule();
        let cancelled = runner.cancelled();
        runner.finish(cancelled)
    }

    fn emit(&self, event: &Event<'_>) {
        self.options.progress.event(event);
    }

    fn cancelled(&self) -> bool {
        self.options.cancel.load(Ordering::Relaxed)
    }

    fn step(&self, at: usize) -> &'a Step {
        &self.study.steps[at]
    }

    /// Starts what can start until nothing runs and nothing can start.
    fn schedule(&mut self) {
        let (study, position) = (self.study, self.position.clone());
        // By position in the running order, so that what starts first is the same in every run.
        let mut ready: BTreeSet<(usize, usize)> =
            (0..study.steps.len()).filter(|at| self.missing[*at] == 0).map(|at| (position[at], at)).collect();
        let mut queue: BTreeMap<usize, Job> = BTreeMap::new();
        let mut running = 0;
        let pool = SharedPool::default();
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel::<Done>();
            loop {
                while let Some((_, at)) = ready.pop_first() {
                    if self.cancelled() || self.fatal.is_some() {
                        break;
                    }
                    if let Some(job) = self.prepare(at, &mut ready) {
                        queue.insert(position[at], job);
                    }
                }
                while running < self.jobs && !self.cancelled() && self.fatal.is_none() {
                    let Some((_, job)) = queue.pop_first() else { break };
                    if !self.announce() {
                        break;
                    }
                    let work = Worker {
                        step: self.step(job.at),
                        store: self.store,
                        options: self.options,
                        stop: self.stop,
                        threads: self.jobs,
                        pool: SharedPool::clone(&pool),
                    };
                    let back = sender.clone();
                    let (at, key) = (job.at, job.resolved.key.clone());
                    let spawned =
                        thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, move || {
                            // The receiver outlives every worker.
                            let _ = back.send(work.run(job));
                        });
                    match spawned {
                        Ok(_) => running += 1,
                        Err(e) => {
                            let failure = StepFailure::internal(format!("cannot start a thread: {e}"));
                            self.release_twins(&key, &mut ready);
                            self.fail(at, failure);
                        }
                    }
                }
                if running == 0 {
                    break;
                }
                if let Ok(done) = receiver.recv() {
                    running -= 1;
                    self.settle(done, &mut ready);
                }
            }
        });
    }

    /// Notes in the journal, once, that a run has begun to compute. False when the store failed.
    fn announce(&mut self) -> bool {
        if self.announced {
            return true;
        }
        self.announced = true;
        let event = JournalEvent::Started { study: self.study.name.clone() };
        let noted = self.session.journal.append(event);
        self.guard(noted).is_some()
    }

    /// Remembers the first failure of the store, and stops what runs.
    fn guard<T>(&mut self, result: Result<T, StudyError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(e) => {
                self.stop.store(true, Ordering::Relaxed);
                self.fatal.get_or_insert(e);
                None
            }
        }
    }

    /// Takes a step from the store, or makes a job of it.
    fn prepare(&mut self, at: usize, ready: &mut BTreeSet<(usize, usize)>) -> Option<Job> {
        let step = self.step(at);
        let mut resolver = Resolver { study: self.study, outcomes: &self.outcomes, files: &mut self.files };
        let resolved = match resolver.resolve(step) {
            Ok(resolved) => resolved,
            Err(failure) => {
                self.fail(at, failure);
                return None;
            }
        };
        let found = self.store.get(&resolved.key, &step.name, step.kind.spec());
        match self.guard(found)? {
            Lookup::Hit(cached) => {
                self.emit(&Event::StepCached { step: &step.name });
                self.complete(at, &resolved, *cached, true, ready);
                return None;
            }
            Lookup::Corrupt(what) => {
                self.record.warnings.push(format!("{what}: step {} runs again", step.name));
            }
            Lookup::Miss => {}
        }
        if let Some(waiting) = self.twins.get_mut(&resolved.key.0) {
            waiting.push(at);
            return None;
        }
        let mut resolver = Resolver { study: self.study, outcomes: &self.outcomes, files: &mut self.files };
        let inputs = resolver.inputs(step).and_then(|inputs| {
            inputs.check_bounds(step.kind.spec())?;
            match step.kind.validate(&inputs).into_iter().next() {
                Some(p) => Err(StepFailure::bad_input(&p.key, format!("\"{}\": {}", p.key, p.message))),
                None => Ok(inputs),
            }
        });
        match inputs {
            Ok(inputs) => {
                self.twins.insert(resolved.key.0.clone(), Vec::new());
                Some(Job { at, resolved, inputs })
            }
            Err(failure) => {
                self.fail(at, failure);
                None
            }
        }
    }

    /// Lets the steps go on that waited for a running one with the same key.
    fn release_twins(&mut self, key: &ContentHash, ready: &mut BTreeSet<(usize, usize)>) {
        for twin in self.twins.remove(&key.0).unwrap_or_default() {
            ready.insert((self.position[twin], twin));
        }
    }

    fn settle(&mut self, done: Done, ready: &mut BTreeSet<(usize, usize)>) {
        self.release_twins(&done.resolved.key, ready);
        match done.result {
            Ok(cached) => {
                let event = Event::StepFinished { step: &self.step(done.at).name, seconds: cached.seconds };
                self.emit(&event);
                self.complete(done.at, &done.resolved, cached, false, ready);
            }
            Err(Trouble::Step(StepFailure::Interrupted)) if self.cancelled() || self.fatal.is_some() => {}
            Err(Trouble::Step(failure)) => self.fail(done.at, failure),
            Err(Trouble::Store(e)) => {
                self.guard::<()>(Err(e));
            }
        }
    }

    /// Records a result and frees the steps that waited for it.
    fn complete(
        &mut self,
        at: usize,
        resolved: &Resolved,
        cached: Cached,
        from_store: bool,
        ready: &mut BTreeSet<(usize, usize)>,
    ) {
        let step = self.step(at);
        self.remember(step, resolved);
        let (record, outcome) = recorded(step, resolved, cached, from_store);
        self.steps.insert(at, record);
        self.outcomes[at] = Some(Arc::new(outcome));
        self.settled += 1;
        for user in &self.users[at] {
            self.missing[*user] -= 1;
            if self.missing[*user] == 0 {
                ready.insert((self.position[*user], *user));
            }
        }
    }

    /// Notes in the journal what the step was, if that is news.
    fn remember(&mut self, step: &Step, resolved: &Resolved) {
        let name = (self.study.name.clone(), step.name.clone());
        let spec = step.kind.spec();
        let known = self.session.journal.memory.steps.get(&name);
        if known.is_some_and(|last| last.key == resolved.key.0) {
            return;
        }
        let last = Last {
            key: resolved.key.0.clone(),
            kind: spec.name.clone(),
            revision: spec.revision,
            seed: resolved.seed,
            inputs: resolved.marks(),
        };
        let noted = self.session.journal.append(JournalEvent::Step { study: name.0, step: name.1, last });
        self.guard(noted);
    }

    /// Records a failure and leaves out all that needs the step.
    fn fail(&mut self, at: usize, failure: StepFailure) {
        let step = self.step(at);
        let message = failure.to_string();
        let (category, input, partial) = match failure {
            StepFailure::BadInput { key, .. } => (FailureCategory::BadInput, key, BTreeMap::new()),
            StepFailure::NotConverged { partial, .. } => {
                (FailureCategory::NotConverged, None, partial.into_parts().0)
            }
            StepFailure::Internal { .. } => (FailureCategory::Internal, None, BTreeMap::new()),
            StepFailure::Interrupted => (FailureCategory::Interrupted, None, BTreeMap::new()),
        };
        self.emit(&Event::StepFailed { step: &step.name, category, message: &message });
        let kind = step.kind.spec().name.clone();
        self.record
            .failures
            .insert(step.name.clone(), FailureRecord { kind, category, message, input, partial });
        self.settled += 1;
        let mut stack = self.users[at].clone();
        while let Some(user) = stack.pop() {
            let name = &self.step(user).name;
            if self.record.skipped.contains_key(name) {
                continue;
            }
            self.record.skipped.insert(name.clone(), step.name.clone());
            self.settled += 1;
            self.emit(&Event::StepSkipped { step: name, because: &step.name });
            stack.extend(self.users[user].iter().copied());
        }
    }

    /// Moves the outputs into the record, hashes them, and tells how the run ended.
    fn finish(mut self, cancelled: bool) -> Result<RunRecord, RunError> {
        assemble(self.study, &mut self.record, std::mem::take(&mut self.steps), &mut self.outcomes);
        let complete = self.settled == self.study.steps.len();
        if self.fatal.is_none() {
            self.close_journal(complete);
        }
        self.emit(&Event::RunFinished {
            finished: self.record.steps.len(),
            cached: self.record.cached(),
            failed: self.record.failures.len(),
        });
        let record = self.record;
        match self.fatal {
            Some(source) => Err(RunError::Store { source, record: Box::new(record) }),
            None if cancelled && !complete => Err(RunError::Interrupted { record: Box::new(record) }),
            None if !record.failures.is_empty() => Err(RunError::Failed { record: Box::new(record) }),
            None => Ok(record),
        }
    }

    /// Notes the end of a run that computed something, or that ended one which did not end before. The journal is made
    /// durable only here: it explains plans, and results do not need it.
    fn close_journal(&mut self, complete: bool) {
        let study = &self.study.name;
        if complete && self.session.journal.memory.unfinished.contains(study) {
            let result = self.record.result_hash.clone();
            let noted = self.session.journal.append(JournalEvent::Finished { study: study.clone(), result });
            self.guard(noted);
        }
        let synced = self.session.journal.sync();
        self.guard(synced);
    }
}

/// The record of a step with a result, its outputs apart, and what the steps that take them see.
fn recorded(step: &Step, resolved: &Resolved, cached: Cached, from_store: bool) -> (StepRecord, Outcome) {
    let spec = step.kind.spec();
    let record = StepRecord {
        kind: spec.name.clone(),
        revision: spec.revision,
        scale: spec.scale,
        key: resolved.key.0.clone(),
        cached: from_store,
        seconds: cached.seconds,
        outputs: BTreeMap::new(),
        warnings: cached.warnings,
        citations: cached.citations,
        retuned: resolved.retuned.clone(),
        inputs: resolved.inputs.iter().map(|(k, known)| (k.clone(), known.record.clone())).collect(),
    };
    let retuned = resolved.retuned.clone();
    (record, Outcome { outputs: cached.outputs, hashes: cached.hashes, retuned })
}

/// Moves the outputs into the record and hashes them.
fn assemble(
    study: &Study,
    record: &mut RunRecord,
    steps: BTreeMap<usize, StepRecord>,
    outcomes: &mut [Option<Arc<Outcome>>],
) {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"scalade results 1");
    for (at, mut step) in steps {
        let name = &study.steps[at].name;
        if let Some(outcome) = outcomes[at].take() {
            for (key, hash) in &outcome.hashes {
                hasher.update(name.as_bytes()).update(&[0]).update(key.as_bytes()).update(&[0]);
                hasher.update(hash.0.as_bytes());
            }
            let outputs =
                Arc::try_unwrap(outcome).map_or_else(|shared| shared.outputs.clone(), |o| o.outputs);
            let owned =
                |output: Arc<Output>| Arc::try_unwrap(output).unwrap_or_else(|shared| (*shared).clone());
            step.outputs = outputs.into_iter().map(|(key, output)| (key, owned(output))).collect();
        }
        record.steps.insert(name.clone(), step);
    }
    record.result_hash = hasher.finalize().to_hex().to_string();
}

/// Runs one step in its own thread.
struct Worker<'a> {
    step: &'a Step,
    store: &'a Store,
    options: &'a RunOptions<'a>,
    stop: &'a AtomicBool,
    threads: usize,
    pool: SharedPool,
}

impl Worker<'_> {
    fn run(self, job: Job) -> Done {
        // A panic of one model must not lose the results of the others.
        let result = catch_unwind(AssertUnwindSafe(|| self.result(&job))).unwrap_or_else(|panic| {
            let message = format!("the step panicked: {}", panic_text(panic.as_ref()));
            Err(Trouble::Step(StepFailure::Internal { message }))
        });
        Done { at: job.at, resolved: job.resolved, result }
    }

    fn result(&self, job: &Job) -> Result<Cached, Trouble> {
        let (step, key) = (self.step, &job.resolved.key);
        let spec = step.kind.spec();
        let resumed = self.store.has_checkpoint(key);
        self.options.progress.event(&Event::StepStarted { step: &step.name, resumed });
        let around = Surroundings {
            seed: job.resolved.seed,
            threads: self.threads,
            pool: SharedPool::clone(&self.pool),
            cancel: [self.options.cancel, self.stop],
            progress: self.options.progress,
            checkpoints: Some((self.store, key.clone())),
            checkpoint_interval: self.options.checkpoint_interval,
        };
        let context = StepContext::new(&step.name, spec, around);
        let started = Instant::now();
        let ran = step.kind.run(&job.inputs, &context);
        let seconds = started.elapsed().as_secs_f64();
        let outputs = match ran {
            Ok(outputs) => self.finished(outputs, true)?,
            Err(StepFailure::NotConverged { message, partial }) => {
                let partial = Box::new(self.finished(*partial, false)?);
                return Err(Trouble::Step(StepFailure::NotConverged { message, partial }));
            }
            Err(failure) => return Err(Trouble::Step(failure)),
        };
        if let Some((path, _)) = job.resolved.files.iter().find(|(path, file)| !file.unchanged(path)) {
            let message = format!("{} changed during the run; run again", path.display());
            return Err(Trouble::Step(StepFailure::BadInput { key: None, message }));
        }
        let (outputs, warnings, citations) = outputs.into_parts();
        let outputs: BTreeMap<String, Arc<Output>> =
            outputs.into_iter().map(|(key, output)| (key, Arc::new(output))).collect();
        let mut hashes = BTreeMap::new();
        for (key, output) in &outputs {
            let hash = output.value_hash().map_err(|e| Trouble::Step(e.into()))?;
            hashes.insert(key.clone(), hash);
        }
        let cached = Cached { outputs, hashes, seconds, warnings, citations };
        self.store.put(key, &step.name, &spec.name, &cached).map_err(Trouble::Store)?;
        self.store.remove_checkpoints(key).map_err(Trouble::Store)?;
        Ok(cached)
    }

    fn finished(&self, outputs: Outputs, complete: bool) -> Result<Outputs, Trouble> {
        let finished = outputs.finish(&self.step.name, self.step.kind.spec(), complete);
        finished.map_err(|e| Trouble::Step(e.into()))
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
