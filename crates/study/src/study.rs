//! A checked study.

use crate::diagnostic::Diagnostics;
use crate::inputs::Inputs;
use crate::kind::{Registry, StepKind};
use crate::literal::{Binding, Bound};
use crate::load;
use scalade_record::{Provenance, Scale};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// One step of a checked study.
#[derive(Clone)]
pub(crate) struct Step {
    pub name: String,
    pub kind: Arc<dyn StepKind>,
    /// Every given or defaulted input.
    pub bindings: BTreeMap<String, Binding>,
    /// Indices of the steps it refers to.
    pub dependencies: BTreeSet<usize>,
}

impl Step {
    pub fn pending_inputs(&self) -> Inputs {
        Inputs::unresolved(&self.bindings, self.kind.spec().scale)
    }
}

/// A study whose every key, unit, reference and seal has been checked.
#[derive(Clone)]
pub struct Study {
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) seed: u64,
    /// In the order of their names.
    pub(crate) steps: Vec<Step>,
    /// Indices of `steps`, every step after those it refers to.
    pub(crate) order: Vec<usize>,
    pub(crate) warnings: Diagnostics,
}

impl std::fmt::Debug for Study {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let steps: Vec<&str> = self.steps.iter().map(|s| s.name.as_str()).collect();
        f.debug_struct("Study").field("name", &self.name).field("steps", &steps).finish_non_exhaustive()
    }
}

/// One step as [`Study::overview`] tells it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepOverview {
    /// Name in the study.
    pub name: String,
    /// Registered kind.
    pub kind: String,
    /// Scale of the kind.
    pub scale: Scale,
    /// Steps whose outputs it takes.
    pub depends_on: Vec<String>,
    /// Estimated seconds of one thread, when the kind can tell.
    pub estimate_seconds: Option<f64>,
    /// Its inputs in the order of their keys.
    pub inputs: Vec<InputOverview>,
}

/// One input as [`Study::overview`] tells it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InputOverview {
    /// Key.
    pub key: String,
    /// As written in the study (or as the default is written).
    pub written: String,
    /// Origin of a literal; none for references and files.
    pub provenance: Option<Provenance>,
    /// Whether the study itself names that origin: a literal without one is an assumption that nobody signed.
    pub origin_stated: bool,
}

impl Study {
    /// Reads and checks a study file.
    ///
    /// # Errors
    /// Every problem that was found, with its place.
    pub fn load(path: &Path, registry: &Registry) -> Result<Self, Diagnostics> {
        load::from_path(path, registry)
    }

    /// Checks a study given as text; file names are relative to `base_dir`, and messages call the source `name`.
    ///
    /// # Errors
    /// Every problem that was found, with its place.
    pub fn from_text(
        text: &str,
        base_dir: &Path,
        name: &str,
        registry: &Registry,
    ) -> Result<Self, Diagnostics> {
        load::from_text(text, base_dir, name, registry)
    }

    /// Name of the study.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Title, or the name when it has none.
    pub fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.name)
    }

    /// Seed of the study.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Names of the steps, every step after those it refers to.
    pub fn step_names(&self) -> Vec<&str> {
        self.order.iter().map(|i| self.steps[*i].name.as_str()).collect()
    }

    /// The kind of a step.
    pub fn kind_of(&self, step: &str) -> Option<&dyn StepKind> {
        self.index(step).map(|i| self.steps[i].kind.as_ref())
    }

    /// The inputs of a step as far as they are known without running: references are pending.
    pub fn inputs_of(&self, step: &str) -> Option<Inputs> {
        self.index(step).map(|i| self.steps[i].pending_inputs())
    }

    /// Warnings of the check.
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// Every step with its inputs, origins and estimated cost, in running order.
    pub fn overview(&self) -> Vec<StepOverview> {
        self.order.iter().map(|i| self.overview_of(&self.steps[*i])).collect()
    }

    fn overview_of(&self, step: &Step) -> StepOverview {
        let spec = step.kind.spec();
        let inputs = step
            .bindings
            .iter()
            .map(|(key, binding)| {
                let literal = !matches!(binding.bound, Bound::Reference { .. } | Bound::File(_))
                    && binding.references().is_empty();
                InputOverview {
                    key: key.clone(),
                    written: binding.written.clone(),
                    provenance: literal.then(|| binding.origin.provenance.clone()),
                    origin_stated: binding.origin.stated,
                }
            })
            .collect();
        StepOverview {
            name: step.name.clone(),
            kind: spec.name.clone(),
            scale: spec.scale,
            depends_on: step.dependencies.iter().map(|d| self.steps[*d].name.clone()).collect(),
            estimate_seconds: step.kind.estimate_seconds(&step.pending_inputs()).filter(|s| s.is_finite()),
            inputs,
        }
    }

    pub(crate) fn index(&self, step: &str) -> Option<usize> {
        self.steps.binary_search_by(|s| s.name.as_str().cmp(step)).ok()
    }

    /// Seed of a step: the first 8 bytes of the BLAKE3 hash of the study's seed and the step's name; 0 for a kind
    /// without randomness.
    pub(crate) fn step_seed(&self, step: &Step) -> u64 {
        if !step.kind.spec().seeded {
            return 0;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"scalade seed 1");
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(step.name.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        u64::from_le_bytes(first)
    }
}
