//! What a step gives.

use crate::error::StudyError;
use crate::finite::to_finite_value;
use crate::kind::{KindSpec, unit_dimension};
use scalade_record::{ContentHash, Provenance, Tracked, Uncertainty, content_hash};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Type name of tracked numbers.
pub const NUMBER: &str = "number";
/// Type name of auxiliary data (plot series): kept and hashed, and no input of any step.
pub const PLAIN: &str = "plain";

/// One output: its type name and its tracked value as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// `"number"`, `"plain"`, or a hand-off's type name.
    pub type_name: String,
    /// The value with its record.
    pub tracked: Tracked<Value>,
}

#[derive(Serialize)]
struct Essence<'a> {
    type_name: &'a str,
    value: &'a Value,
    unit: &'a str,
    uncertainty: &'a Uncertainty,
    scale: scalade_record::Scale,
    sealed: bool,
}

impl Output {
    /// Hash of what a step that takes this output can see of it: all but the provenance, whose text is no data.
    pub(crate) fn value_hash(&self) -> Result<ContentHash, StudyError> {
        let t = &self.tracked;
        Ok(content_hash(&Essence {
            type_name: &self.type_name,
            value: &t.value,
            unit: &t.unit,
            uncertainty: &t.uncertainty,
            scale: t.scale,
            sealed: t.sealed,
        })?)
    }

    /// The tracked number, for outputs of type `"number"`.
    pub fn number(&self) -> Option<Tracked<f64>> {
        let value = self.tracked.value.as_f64().filter(|_| self.type_name == NUMBER)?;
        Some(Tracked {
            value,
            unit: self.tracked.unit.clone(),
            uncertainty: self.tracked.uncertainty.clone(),
            provenance: self.tracked.provenance.clone(),
            scale: self.tracked.scale,
            sealed: self.tracked.sealed,
        })
    }
}

/// A work to cite for a result.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Citation {
    /// Authors, title, journal, year.
    pub text: String,
    /// Digital object identifier, if it has one.
    pub doi: Option<String>,
}

/// The results of a step. Every number in them is finite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outputs {
    values: BTreeMap<String, Output>,
    /// What the reader of the results should know.
    pub warnings: Vec<String>,
    /// Works to cite.
    pub citations: Vec<Citation>,
}

impl Outputs {
    /// No results yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tracked number.
    ///
    /// # Errors
    /// NaN or infinity anywhere in it, or a key that exists.
    pub fn number(&mut self, key: &str, tracked: Tracked<f64>) -> Result<(), StudyError> {
        self.hand_off(key, NUMBER, tracked)
    }

    /// Adds a hand-off.
    ///
    /// # Errors
    /// NaN or infinity anywhere in it (the place is named), a value that has no JSON form, or a key that exists.
    pub fn hand_off<T: Serialize>(
        &mut self,
        key: &str,
        type_name: &str,
        tracked: Tracked<T>,
    ) -> Result<(), StudyError> {
        let value = finite(key, &tracked.value)?;
        finite(key, &tracked.uncertainty)?;
        self.insert(key, Output { type_name: type_name.to_string(), tracked: tracked.with_any(value) })
    }

    /// Adds auxiliary data, such as the series of a plot. They need no declaration; no step can take them as an input.
    ///
    /// # Errors
    /// As [`hand_off`](Self::hand_off).
    pub fn plain<T: Serialize + ?Sized>(&mut self, key: &str, data: &T) -> Result<(), StudyError> {
        let value = finite(key, data)?;
        // Provenance and scale are those of the step, and are set when the step ends.
        let tracked = Tracked {
            value,
            unit: String::new(),
            uncertainty: Uncertainty::none("auxiliary data"),
            provenance: Provenance::Assumed { why: "auxiliary data".into() },
            scale: scalade_record::Scale::Atomic,
            sealed: false,
        };
        self.insert(key, Output { type_name: PLAIN.into(), tracked })
    }

    /// Adds a warning.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    /// Adds a citation.
    pub fn cite(&mut self, text: impl Into<String>, doi: Option<&str>) {
        self.citations.push(Citation { text: text.into(), doi: doi.map(ToString::to_string) });
    }

    /// The outputs by key.
    pub fn values(&self) -> &BTreeMap<String, Output> {
        &self.values
    }

    fn insert(&mut self, key: &str, output: Output) -> Result<(), StudyError> {
        if self.values.contains_key(key) {
            return Err(StudyError::Output { output: key.into(), reason: "it is given twice".into() });
        }
        self.values.insert(key.to_string(), output);
        Ok(())
    }

    /// Checks the outputs against the kind's specification, gives auxiliary data their record, and seals what is handed on:
    /// what a step identified may not be moved at a larger scale.
    pub(crate) fn finish(mut self, step: &str, spec: &KindSpec, complete: bool) -> Result<Self, StudyError> {
        let wrong = |output: &str, reason: String| Err(StudyError::Output { output: output.into(), reason });
        for (key, output) in &mut self.values {
            if output.type_name == PLAIN && spec.find_output(key).is_none() {
                output.tracked.scale = spec.scale;
                output.tracked.provenance = computed(step, spec);
                continue;
            }
            let Some(declared) = spec.find_output(key) else {
                return wrong(key, format!("the kind \"{}\" does not declare it", spec.name));
            };
            if declared.type_name != output.type_name {
                let reason = format!("it is a {}, declared as a {}", output.type_name, declared.type_name);
                return wrong(key, reason);
            }
            if output.type_name == NUMBER && unit_dimension(&output.tracked.unit) != declared.dimension() {
                let reason =
                    format!("its unit is \"{}\", declared as \"{}\"", output.tracked.unit, declared.unit);
                return wrong(key, reason);
            }
            output.tracked.sealed = true;
        }
        if complete && let Some(absent) = spec.outputs.iter().find(|o| !self.values.contains_key(&o.key)) {
            return wrong(&absent.key, format!("the kind \"{}\" did not give it", spec.name));
        }
        Ok(self)
    }

    pub(crate) fn into_parts(self) -> (BTreeMap<String, Output>, Vec<String>, Vec<Citation>) {
        (self.values, self.warnings, self.citations)
    }
}

/// The provenance of what a step computes.
pub(crate) fn computed(step: &str, spec: &KindSpec) -> Provenance {
    Provenance::Computed { step: step.into(), method: spec.name.clone(), revision: spec.revision }
}

fn finite<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Value, StudyError> {
    to_finite_value(value).map_err(|refusal| {
        let path = if refusal.place().is_empty() { key.to_string() } else { refusal.place() };
        match refusal.number {
            Some(number) => StudyError::NotFinite { output: key.into(), path, value: number },
            None => {
                StudyError::Output { output: key.into(), reason: format!("{} at {path}", refusal.reason) }
            }
        }
    })
}

/// The same record around a value of another type.
pub(crate) trait WithAny {
    fn with_any<U>(self, value: U) -> Tracked<U>;
}

impl<T> WithAny for Tracked<T> {
    fn with_any<U>(self, value: U) -> Tracked<U> {
        Tracked {
            value,
            unit: self.unit,
            uncertainty: self.uncertainty,
            provenance: self.provenance,
            scale: self.scale,
            sealed: self.sealed,
        }
    }
}
