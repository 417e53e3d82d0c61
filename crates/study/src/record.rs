//! The record of a run.

use crate::error::FailureCategory;
use crate::outputs::{Citation, Output};
use scalade_record::{Provenance, Scale, Uncertainty};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A seal that was broken upstream of (or at) a step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RetuneMark {
    /// Step whose input was moved.
    pub step: String,
    /// Key of that input.
    pub key: String,
    /// Why.
    pub reason: String,
}

/// What an input of a step was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum InputRecord {
    /// A literal of the study, or a default.
    Literal {
        /// As written.
        written: String,
        /// In SI; a list for a list of literals.
        value: Value,
        /// SI unit; empty for pure numbers and texts.
        unit: String,
        /// Uncertainty in SI.
        uncertainty: Uncertainty,
        /// Origin.
        provenance: Provenance,
    },
    /// A file.
    File {
        /// As written.
        written: String,
        /// BLAKE3 of its content.
        hash: String,
        /// Length of its content.
        bytes: u64,
    },
    /// An output of another step.
    Reference {
        /// The step.
        step: String,
        /// Its output.
        output: String,
        /// Factor it was multiplied by, if it was re-tuned.
        factor: Option<f64>,
        /// Why its seal was broken, if it was.
        unseal: Option<String>,
    },
    /// A list with references or files in it.
    List {
        /// The items.
        items: Vec<InputRecord>,
    },
}

/// The record of one step that has a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Registered kind.
    pub kind: String,
    /// Revision of the algorithm.
    pub revision: u32,
    /// Scale of the kind.
    pub scale: Scale,
    /// Cache key.
    pub key: String,
    /// The result was in the store.
    pub cached: bool,
    /// Seconds that computing it took, now or when it was computed.
    pub seconds: f64,
    /// The outputs.
    pub outputs: BTreeMap<String, Output>,
    /// What the reader should know.
    pub warnings: Vec<String>,
    /// Works to cite.
    pub citations: Vec<Citation>,
    /// Seals broken at this step or upstream of it. Empty: nothing that this result depends on was re-tuned.
    pub retuned: Vec<RetuneMark>,
    /// What it took.
    pub inputs: BTreeMap<String, InputRecord>,
}

/// The record of a step that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// Registered kind.
    pub kind: String,
    /// How it failed.
    pub category: FailureCategory,
    /// Why.
    pub message: String,
    /// Input to blame, if one is.
    pub input: Option<String>,
    /// What a solver that did not converge had; never cached, never handed on.
    pub partial: BTreeMap<String, Output>,
}

/// The record of a run. It is the same for the same study and results, but for timings and `cached`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Name of the study.
    pub study: String,
    /// Title of the study.
    pub title: String,
    /// Seed of the study.
    pub seed: u64,
    /// Steps that have a result.
    pub steps: BTreeMap<String, StepRecord>,
    /// Steps that failed.
    pub failures: BTreeMap<String, FailureRecord>,
    /// Steps that were left out, and the failed step that each needs.
    pub skipped: BTreeMap<String, String>,
    /// What the store had to say (a damaged object, a torn journal).
    pub warnings: Vec<String>,
    /// BLAKE3 over the outputs of all steps that have a result (values, units, uncertainties, scales, seals): not over
    /// timings, nor over where a result came from.
    pub result_hash: String,
}

impl RunRecord {
    /// An output by `step`, `key`.
    pub fn output(&self, step: &str, key: &str) -> Option<&Output> {
        self.steps.get(step)?.outputs.get(key)
    }

    /// Number of steps whose result was in the store.
    pub fn cached(&self) -> usize {
        self.steps.values().filter(|s| s.cached).count()
    }

    /// All works to cite, each once, in order.
    pub fn citations(&self) -> Vec<&Citation> {
        let all: BTreeSet<&Citation> = self.steps.values().flat_map(|s| &s.citations).collect();
        all.into_iter().collect()
    }
}
