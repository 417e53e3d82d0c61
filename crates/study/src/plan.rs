//! What a run would do, and why.

use crate::error::StudyError;
use crate::resolve::{Files, Known, Outcome, Resolver};
use crate::store::journal::{Last, Memory};
use crate::store::{Lookup, Store};
use crate::study::{Step, Study};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Why a step would run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// It never finished in this store.
    FirstRun,
    /// An input is not what it was.
    InputChanged {
        /// Key of the input.
        key: String,
        /// As it was; none when the input is new.
        old: Option<String>,
        /// As it is; none when the input is gone.
        new: Option<String>,
    },
    /// The step has another kind.
    KindChanged {
        /// Kind as it was.
        old: String,
        /// Kind as it is.
        new: String,
    },
    /// The algorithm of the kind has another revision.
    RevisionChanged {
        /// Revision as it was.
        old: u32,
        /// Revision as it is.
        new: u32,
    },
    /// The seed of the study changed.
    SeedChanged,
    /// A step that it needs would run; if that gives what it gave before, this one is cached after all.
    UpstreamRuns {
        /// The step.
        step: String,
    },
    /// The result is no longer in the store, or damaged.
    ResultLost {
        /// What is wrong with it.
        what: String,
    },
    /// An input cannot be read.
    Unreadable {
        /// What is wrong.
        message: String,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstRun => f.write_str("first run"),
            Self::InputChanged { key, old, new } => {
                let shown = |x: &Option<String>| x.clone().unwrap_or_else(|| "not given".into());
                write!(f, "{key}: {} -> {}", shown(old), shown(new))
            }
            Self::KindChanged { old, new } => write!(f, "kind: {old} -> {new}"),
            Self::RevisionChanged { old, new } => write!(f, "revision of the algorithm: {old} -> {new}"),
            Self::SeedChanged => f.write_str("the seed changed"),
            Self::UpstreamRuns { step } => write!(f, "step {step} would run"),
            Self::ResultLost { what } => write!(f, "the result is lost: {what}"),
            Self::Unreadable { message } => f.write_str(message),
        }
    }
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedStep {
    /// Name in the study.
    pub name: String,
    /// Registered kind.
    pub kind: String,
    /// The result is in the store.
    pub cached: bool,
    /// Why it would run; empty when cached.
    pub reasons: Vec<Reason>,
    /// It would go on from a checkpoint.
    pub resumes: bool,
    /// Estimated seconds of one thread, when the kind can tell; none when cached.
    pub estimate_seconds: Option<f64>,
}

/// What a run would do, in running order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<PlannedStep>,
    /// A run of this study was interrupted or killed.
    pub interrupted: bool,
}

impl Plan {
    /// A step by name.
    pub fn step(&self, name: &str) -> Option<&PlannedStep> {
        self.steps.iter().find(|s| s.name == name)
    }

    /// Number of steps that would run.
    pub fn would_run(&self) -> usize {
        self.steps.iter().filter(|s| !s.cached).count()
    }
}

/// One line a step, its reasons after it.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            let what = match (step.cached, step.resumes) {
                (true, _) => "cached",
                (false, true) => "resume",
                (false, false) => "run",
            };
            write!(f, "{what:<7} {} ({})", step.name, step.kind)?;
            for (i, reason) in step.reasons.iter().enumerate() {
                write!(f, "{} {reason}", if i == 0 { ":" } else { ";" })?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Study {
    /// What a run would do, and why. Runs nothing, writes nothing, and may be asked while a run uses the store.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn plan(&self, store: &Store) -> Result<Plan, StudyError> {
        let memory = store.memory()?;
        let mut files = Files::default();
        let mut outcomes: Vec<Option<Arc<Outcome>>> = vec![None; self.steps.len()];
        let mut steps = Vec::with_capacity(self.steps.len());
        for at in &self.order {
            let step = &self.steps[*at];
            let mut resolver = Resolver { study: self, outcomes: &outcomes, files: &mut files };
            let (planned, outcome) = planned(&mut resolver, step, store, &memory)?;
            outcomes[*at] = outcome.map(Arc::new);
            steps.push(planned);
        }
        Ok(Plan { steps, interrupted: memory.unfinished.contains(&self.name) })
    }
}

fn planned(
    resolver: &mut Resolver<'_>,
    step: &Step,
    store: &Store,
    memory: &Memory,
) -> Result<(PlannedStep, Option<Outcome>), StudyError> {
    let study = resolver.study;
    let last = memory.steps.get(&(study.name.clone(), step.name.clone()));
    let waits: Vec<&str> = step
        .dependencies
        .iter()
        .filter(|d| resolver.outcomes[**d].is_none())
        .map(|d| study.steps[*d].name.as_str())
        .collect();
    let mut plan = PlannedStep {
        name: step.name.clone(),
        kind: step.kind.spec().name.clone(),
        cached: false,
        reasons: Vec::new(),
        resumes: false,
        estimate_seconds: step.kind.estimate_seconds(&step.pending_inputs()).filter(|s| s.is_finite()),
    };
    if !waits.is_empty() {
        let known = resolver.known_inputs(step);
        plan.reasons =
            last.map_or_else(|| vec![Reason::FirstRun], |last| changes(resolver, step, last, &known));
        plan.reasons.extend(waits.iter().map(|w| Reason::UpstreamRuns { step: (*w).to_string() }));
        return Ok((plan, None));
    }
    let resolved = match resolver.resolve(step) {
        Ok(resolved) => resolved,
        Err(failure) => {
            plan.reasons = vec![Reason::Unreadable { message: failure.to_string() }];
            return Ok((plan, None));
        }
    };
    let lost = match store.get(&resolved.key, &step.name, step.kind.spec())? {
        Lookup::Hit(cached) => {
            plan.cached = true;
            plan.estimate_seconds = None;
            let outcome =
                Outcome { outputs: cached.outputs, hashes: cached.hashes, retuned: resolved.retuned };
            return Ok((plan, Some(outcome)));
        }
        Lookup::Corrupt(what) => Some(what),
        Lookup::Miss => None,
    };
    plan.resumes = store.has_checkpoint(&resolved.key);
    plan.reasons = match (last, lost) {
        (_, Some(what)) => vec![Reason::ResultLost { what }],
        (None, None) => vec![Reason::FirstRun],
        (Some(last), None) if last.key == resolved.key.0 => {
            vec![Reason::ResultLost { what: format!("steps/{} is absent", resolved.key) }]
        }
        (Some(last), None) => changes(resolver, step, last, &resolved.inputs),
    };
    Ok((plan, None))
}

/// What is not as it was when the step last finished. Inputs that wait for a step are not known, and not compared.
fn changes(
    resolver: &Resolver<'_>,
    step: &Step,
    last: &Last,
    known: &BTreeMap<String, Known>,
) -> Vec<Reason> {
    let spec = step.kind.spec();
    let mut reasons = Vec::new();
    if last.kind != spec.name {
        return vec![Reason::KindChanged { old: last.kind.clone(), new: spec.name.clone() }];
    }
    if last.revision != spec.revision {
        reasons.push(Reason::RevisionChanged { old: last.revision, new: spec.revision });
    }
    if last.seed != resolver.study.step_seed(step) {
        reasons.push(Reason::SeedChanged);
    }
    for (key, now) in known {
        let before = last.inputs.get(key);
        if before.is_none_or(|b| b.mark != now.mark.to_hex().as_str()) {
            let old = before.map(|b| b.shown.clone());
            reasons.push(Reason::InputChanged { key: key.clone(), old, new: Some(now.shown.clone()) });
        }
    }
    for (key, before) in &last.inputs {
        if !step.bindings.contains_key(key) {
            reasons.push(Reason::InputChanged {
                key: key.clone(),
                old: Some(before.shown.clone()),
                new: None,
            });
        }
    }
    reasons
}
