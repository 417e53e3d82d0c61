//! From bindings to values: hashes of inputs, the cache key, the record, and what the step takes.

use crate::error::{StepFailure, StudyError};
use crate::inputs::{Inputs, Slot, literal_slot, multiplied, si_unit};
use crate::literal::{Binding, Bound, Retune};
use crate::outputs::{NUMBER, Output};
use crate::record::{InputRecord, RetuneMark};
use crate::store::journal::InputMark;
use crate::study::{Step, Study};
use scalade_record::{ContentHash, Provenance, Scale, Uncertainty, canonical_bytes};
use scalade_units::dimension;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// A finished step, as its users see it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub outputs: BTreeMap<String, Arc<Output>>,
    pub hashes: BTreeMap<String, ContentHash>,
    pub retuned: Vec<RetuneMark>,
}

/// A file as it was when it was hashed.
#[derive(Clone, Debug)]
pub(crate) struct HashedFile {
    pub hash: ContentHash,
    pub bytes: u64,
    modified: Option<SystemTime>,
}

/// Hashes of files, each read once per run.
#[derive(Debug, Default)]
pub(crate) struct Files(BTreeMap<PathBuf, HashedFile>);

impl Files {
    fn get(&mut self, path: &Path) -> Result<HashedFile, StepFailure> {
        if let Some(found) = self.0.get(path) {
            return Ok(found.clone());
        }
        let unreadable = |e: std::io::Error| StepFailure::BadInput {
            key: None,
            message: format!("cannot read {}: {e}", path.display()),
        };
        let mut file = std::fs::File::open(path).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        let mut hasher = blake3::Hasher::new();
        let bytes = std::io::copy(&mut file, &mut hasher).map_err(unreadable)?;
        let hash = ContentHash(hasher.finalize().to_hex().to_string());
        let found = HashedFile { hash, bytes, modified: about.modified().ok() };
        self.0.insert(path.to_path_buf(), found.clone());
        Ok(found)
    }
}

impl HashedFile {
    /// Whether the file still looks as it did when it was hashed.
    pub fn unchanged(&self, path: &Path) -> bool {
        std::fs::metadata(path)
            .is_ok_and(|now| now.len() == self.bytes && now.modified().ok() == self.modified)
    }
}

/// What is known of one input: its hash, its text, its record.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub mark: blake3::Hash,
    pub shown: String,
    pub record: InputRecord,
}

/// What is known of a step before it runs.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub key: ContentHash,
    pub seed: u64,
    pub inputs: BTreeMap<String, Known>,
    pub retuned: Vec<RetuneMark>,
    pub files: Vec<(PathBuf, HashedFile)>,
}

impl Resolved {
    /// The inputs as the journal remembers them.
    pub fn marks(&self) -> BTreeMap<String, InputMark> {
        let mark = |k: &Known| InputMark { shown: k.shown.clone(), mark: k.mark.to_hex().to_string() };
        self.inputs.iter().map(|(key, known)| (key.clone(), mark(known))).collect()
    }
}

/// Writes canonical bytes: every field is preceded by a tag or a length, so that no two inputs have equal bytes.
struct Canonical(blake3::Hasher);

impl Canonical {
    fn new(domain: &str) -> Self {
        let mut out = Self(blake3::Hasher::new());
        out.text(domain);
        out
    }

    fn tag(&mut self, tag: u8) {
        self.0.update(&[tag]);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn float(&mut self, x: f64) {
        self.0.update(&x.to_bits().to_le_bytes());
    }

    fn integer(&mut self, i: u64) {
        self.0.update(&i.to_le_bytes());
    }
}

/// The steps of a study as far as they have finished.
pub(crate) struct Resolver<'a> {
    pub study: &'a Study,
    pub outcomes: &'a [Option<Arc<Outcome>>],
    pub files: &'a mut Files,
}

impl Resolver<'_> {
    /// Hashes, records and cache key of a step whose dependencies have all finished.
    pub fn resolve(&mut self, step: &Step) -> Result<Resolved, StepFailure> {
        let spec = step.kind.spec();
        let seed = self.study.step_seed(step);
        let mut inputs = BTreeMap::new();
        let mut files = Vec::new();
        for (key, binding) in &step.bindings {
            let known = self.known(binding, &mut files).map_err(|e| about_input(key, e))?;
            inputs.insert(key.clone(), known);
        }
        let mut canonical = Canonical::new("scalade step 1");
        canonical.text(&spec.name);
        canonical.integer(u64::from(spec.revision));
        canonical.tag(u8::from(spec.seeded));
        canonical.integer(seed);
        canonical.integer(inputs.len() as u64);
        for (key, known) in &inputs {
            canonical.text(key);
            canonical.0.update(known.mark.as_bytes());
        }
        let key = ContentHash(canonical.0.finalize().to_hex().to_string());
        Ok(Resolved { key, seed, inputs, retuned: self.marks(step), files })
    }

    /// What is known of those inputs that do not wait for an unfinished step.
    pub fn known_inputs(&mut self, step: &Step) -> BTreeMap<String, Known> {
        let mut files = Vec::new();
        step.bindings
            .iter()
            .filter_map(|(key, binding)| Some((key.clone(), self.known(binding, &mut files).ok()?)))
            .collect()
    }

    /// Broken seals at a step and upstream of it, each once.
    fn marks(&self, step: &Step) -> Vec<RetuneMark> {
        let mut marks: Vec<RetuneMark> = step
            .dependencies
            .iter()
            .filter_map(|d| self.outcomes[*d].as_ref())
            .flat_map(|o| o.retuned.iter().cloned())
            .collect();
        for (key, binding) in &step.bindings {
            if let Bound::Reference { retune: Some(Retune { unseal: Some(reason), .. }), .. } = &binding.bound
            {
                marks.push(RetuneMark { step: step.name.clone(), key: key.clone(), reason: reason.clone() });
            }
        }
        marks.sort();
        marks.dedup();
        marks
    }

    fn outcome(&self, step: &str) -> Result<&Outcome, StepFailure> {
        let found = self.study.index(step).and_then(|i| self.outcomes[i].as_deref());
        found.ok_or_else(|| StepFailure::internal(format!("the step \"{step}\" has not finished")))
    }

    fn known(
        &mut self,
        binding: &Binding,
        files: &mut Vec<(PathBuf, HashedFile)>,
    ) -> Result<Known, StepFailure> {
        let mut canonical = Canonical::new("scalade input 1");
        let shown;
        let record;
        match &binding.bound {
            Bound::Reference { step, output, retune } => {
                let outcome = self.outcome(step)?;
                let (value, hash) = lookup(outcome, step, output)?;
                canonical.tag(b'R');
                canonical.text(&hash.0);
                let factor = retune.as_ref().map(|r| r.factor);
                canonical.tag(u8::from(factor.is_some()));
                canonical.float(factor.unwrap_or(1.0));
                shown = shown_reference(&binding.written, value, hash, factor);
                record = InputRecord::Reference {
                    step: step.clone(),
                    output: output.clone(),
                    factor,
                    unseal: retune.as_ref().and_then(|r| r.unseal.clone()),
                };
            }
            Bound::File(path) => {
                let found = self.files.get(path)?;
                canonical.tag(b'F');
                canonical.text(&found.hash.0);
                shown = format!("{} ({}...)", binding.written, &found.hash.0[..8]);
                record = InputRecord::File {
                    written: binding.written.clone(),
                    hash: found.hash.0.clone(),
                    bytes: found.bytes,
                };
                files.push((path.clone(), found));
            }
            Bound::List(items) => {
                canonical.tag(b'[');
                canonical.integer(items.len() as u64);
                let plain = items.iter().all(is_literal);
                let mut records = Vec::new();
                for item in items {
                    if plain {
                        literal_bytes(&mut canonical, item)?;
                    } else {
                        let known = self.known(item, files)?;
                        canonical.0.update(known.mark.as_bytes());
                        records.push(known.record);
                    }
                }
                shown = binding.written.clone();
                record =
                    if plain { self.literal_record(binding)? } else { InputRecord::List { items: records } };
                uncertainty_bytes(&mut canonical, &binding.origin.uncertainty)?;
            }
            _ => {
                literal_bytes(&mut canonical, binding)?;
                shown = binding.written.clone();
                record = self.literal_record(binding)?;
            }
        }
        Ok(Known { mark: canonical.0.finalize(), shown, record })
    }

    fn literal_record(&mut self, binding: &Binding) -> Result<InputRecord, StepFailure> {
        let (value, unit) = literal_value(binding);
        let mut provenance = binding.origin.provenance.clone();
        if let (Provenance::Measured { hash, .. }, Some(path)) = (&mut provenance, &binding.origin.data_file)
        {
            *hash = Some(self.files.get(path)?.hash.0);
        }
        Ok(InputRecord::Literal {
            written: binding.written.clone(),
            value,
            unit,
            uncertainty: binding.origin.uncertainty.clone(),
            provenance,
        })
    }

    /// What the step takes. Multiplies re-tuned values, and breaks or respects their seals.
    pub fn inputs(&mut self, step: &Step) -> Result<Inputs, StepFailure> {
        let scale = step.kind.spec().scale;
        let mut slots = BTreeMap::new();
        for (key, binding) in &step.bindings {
            let slot = self.slot(step, key, binding, scale).map_err(|e| about_input(key, e))?;
            slots.insert(key.clone(), slot);
        }
        Ok(Inputs::new(slots, scale))
    }

    fn slot(&mut self, step: &Step, key: &str, binding: &Binding, scale: Scale) -> Result<Slot, StepFailure> {
        match &binding.bound {
            Bound::Reference { step: producer, output, retune } => {
                let (value, _) = lookup(self.outcome(producer)?, producer, output)?;
                match retune {
                    None => Ok(Slot::Taken(Arc::clone(value))),
                    Some(retune) => {
                        retuned(step, key, value, retune, scale).map(|o| Slot::Taken(Arc::new(o)))
                    }
                }
            }
            Bound::File(path) => Ok(literal_slot(binding, Some(self.files.get(path)?.hash))),
            Bound::List(items) => {
                let slots: Result<Vec<Slot>, StepFailure> =
                    items.iter().map(|item| self.slot(step, key, item, scale)).collect();
                slots.map(Slot::List)
            }
            _ => Ok(literal_slot(binding, None)),
        }
    }
}

fn about_input(key: &str, failure: StepFailure) -> StepFailure {
    match failure {
        StepFailure::BadInput { key: None, message } => {
            StepFailure::bad_input(key, format!("input \"{key}\": {message}"))
        }
        other => other,
    }
}

fn lookup<'a>(
    outcome: &'a Outcome,
    step: &str,
    output: &str,
) -> Result<(&'a Arc<Output>, &'a ContentHash), StepFailure> {
    match (outcome.outputs.get(output), outcome.hashes.get(output)) {
        (Some(value), Some(hash)) => Ok((value, hash)),
        _ => Err(StepFailure::internal(format!("the step \"{step}\" has no output \"{output}\""))),
    }
}

/// A multiplied value whose record says so.
fn retuned(
    step: &Step,
    key: &str,
    value: &Arc<Output>,
    retune: &Retune,
    scale: Scale,
) -> Result<Output, StepFailure> {
    let moved = multiplied(value, retune.factor, |v, factor| step.kind.scale_handoff(key, v, factor))
        .map_err(|e| StepFailure::bad_input(key, format!("cannot re-tune \"{key}\": {e}")))?;
    // Without a reason, the record itself decides: a value may have been identified below its producer's own scale.
    let why = if let Some(reason) = &retune.unseal {
        reason.clone()
    } else {
        let allowed = moved.tracked.allow_change_at(scale);
        allowed.map_err(|e| StepFailure::bad_input(key, format!("\"{key}\": {e}")))?;
        format!("multiplied by {} at the {scale} scale", retune.factor)
    };
    let tracked = moved.tracked.unseal(&why).map_err(StudyError::from)?;
    Ok(Output { type_name: moved.type_name, tracked })
}

fn shown_reference(written: &str, value: &Output, hash: &ContentHash, factor: Option<f64>) -> String {
    let mut text = match value.number() {
        Some(number) if value.type_name == NUMBER => {
            let shown = scalade_record::value_with_uncertainty(number.value, number.uncertainty.standard());
            let blank = if number.unit.is_empty() { "" } else { " " };
            format!("{written} = {shown}{blank}{}", number.unit)
        }
        _ => format!("{written} ({}...)", &hash.0[..8.min(hash.0.len())]),
    };
    if let Some(factor) = factor {
        let _ = write!(text, " x {factor}");
    }
    text
}

fn is_literal(binding: &Binding) -> bool {
    match &binding.bound {
        Bound::Reference { .. } | Bound::File(_) => false,
        Bound::List(items) => items.iter().all(is_literal),
        _ => true,
    }
}

/// Canonical bytes of a literal and its uncertainty: SI bits, no spelling, no origin.
fn literal_bytes(canonical: &mut Canonical, binding: &Binding) -> Result<(), StepFailure> {
    match &binding.bound {
        Bound::Quantity { si, dimension } => {
            canonical.tag(b'Q');
            for exponent in dimension.0 {
                canonical.tag(exponent as u8);
            }
            canonical.float(*si);
        }
        Bound::Number(x) => {
            canonical.tag(b'N');
            canonical.float(*x);
        }
        Bound::Integer(i) => {
            canonical.tag(b'I');
            canonical.integer(*i as u64);
        }
        Bound::Text(text) => {
            canonical.tag(b'T');
            canonical.text(text);
        }
        Bound::Boolean(flag) => {
            canonical.tag(b'B');
            canonical.tag(u8::from(*flag));
        }
        Bound::List(items) => {
            canonical.tag(b'[');
            canonical.integer(items.len() as u64);
            for item in items {
                literal_bytes(canonical, item)?;
            }
        }
        Bound::Reference { .. } | Bound::File(_) => {
            return Err(StepFailure::internal("a reference or a file is no literal"));
        }
    }
    uncertainty_bytes(canonical, &binding.origin.uncertainty)
}

/// The reason for an absent uncertainty is text, not data.
fn uncertainty_bytes(canonical: &mut Canonical, uncertainty: &Uncertainty) -> Result<(), StepFailure> {
    match uncertainty {
        Uncertainty::None { .. } => canonical.tag(b'0'),
        stated => {
            canonical.tag(b'1');
            canonical.bytes(&canonical_bytes(stated).map_err(StudyError::from)?);
        }
    }
    Ok(())
}

/// A literal in SI with its unit, as JSON.
fn literal_value(binding: &Binding) -> (Value, String) {
    match &binding.bound {
        Bound::Quantity { si, dimension } => (Value::from(*si), si_unit(*dimension)),
        Bound::Number(x) => (Value::from(*x), si_unit(dimension::NONE)),
        Bound::Integer(i) => (Value::from(*i), String::new()),
        Bound::Text(text) => (Value::from(text.as_str()), String::new()),
        Bound::Boolean(flag) => (Value::from(*flag), String::new()),
        Bound::List(items) => {
            let values: Vec<(Value, String)> = items.iter().map(literal_value).collect();
            let unit = values.first().map_or_else(String::new, |v| v.1.clone());
            (Value::Array(values.into_iter().map(|v| v.0).collect()), unit)
        }
        Bound::Reference { .. } | Bound::File(_) => (Value::Null, String::new()),
    }
}
