//! What a step takes.

use crate::error::{StepFailure, StudyError};
use crate::kind::{InputSpec, InputType, KindSpec};
use crate::literal::{Binding, Bound, Origin, bounds};
use crate::outputs::{NUMBER, Output, WithAny};
use scalade_record::{ContentHash, Scale, Tracked};
use scalade_units::{Dimension, Quantity, dimension};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A value of an input.
#[derive(Clone, Debug)]
pub(crate) enum Slot {
    /// A quantity or a pure number, in SI.
    Number {
        si: f64,
        dimension: Dimension,
        origin: Origin,
    },
    Integer(i64),
    Text(String),
    Boolean(bool),
    /// The hash is known when the step runs.
    File {
        path: PathBuf,
        hash: Option<ContentHash>,
    },
    /// An output of another step, perhaps multiplied.
    Taken(Arc<Output>),
    /// An output of a step that has not run.
    Pending(String),
    List(Vec<Slot>),
}

/// The inputs of a step, by key. A getter whose type does not fit, or whose key is absent, gives an error.
#[derive(Clone, Debug)]
pub struct Inputs {
    slots: BTreeMap<String, Slot>,
    scale: Scale,
}

impl Inputs {
    pub(crate) fn new(slots: BTreeMap<String, Slot>, scale: Scale) -> Self {
        Self { slots, scale }
    }

    /// The inputs while a study is only checked: references are pending.
    pub(crate) fn unresolved(bindings: &BTreeMap<String, Binding>, scale: Scale) -> Self {
        let slots = bindings.iter().map(|(key, b)| (key.clone(), pending_slot(b))).collect();
        Self { slots, scale }
    }

    /// Whether an input is given (or has a default).
    pub fn has(&self, key: &str) -> bool {
        self.slots.contains_key(key)
    }

    /// A quantity in SI.
    pub fn quantity_si(&self, key: &str) -> Result<f64, StudyError> {
        number_of(key, self.slot(key)?)
    }

    /// A pure number.
    pub fn number(&self, key: &str) -> Result<f64, StudyError> {
        number_of(key, self.slot(key)?)
    }

    /// An integer.
    pub fn integer(&self, key: &str) -> Result<i64, StudyError> {
        integer_of(key, self.slot(key)?)
    }

    /// An integer that fits an index or a count.
    pub fn count(&self, key: &str) -> Result<usize, StudyError> {
        let value = self.integer(key)?;
        usize::try_from(value).map_err(|_| wrong(key, format!("{value} is no count")))
    }

    /// A text, or the word of a choice.
    pub fn text(&self, key: &str) -> Result<&str, StudyError> {
        text_of(key, self.slot(key)?)
    }

    /// A boolean.
    pub fn boolean(&self, key: &str) -> Result<bool, StudyError> {
        match self.slot(key)? {
            Slot::Boolean(flag) => Ok(*flag),
            other => Err(unfit(key, other, "a boolean")),
        }
    }

    /// Path of a file.
    pub fn path(&self, key: &str) -> Result<&Path, StudyError> {
        path_of(key, self.slot(key)?)
    }

    /// Content of a file. Refused if it is no longer the content that the cache key was made of.
    pub fn bytes(&self, key: &str) -> Result<Vec<u8>, StudyError> {
        bytes_of(key, self.slot(key)?)
    }

    /// Content of each file of a list; as [`bytes`](Self::bytes).
    pub fn bytes_of_each(&self, key: &str) -> Result<Vec<Vec<u8>>, StudyError> {
        self.list(key)?.iter().map(|slot| bytes_of(key, slot)).collect()
    }

    /// Content of a text file in UTF-8; as [`bytes`](Self::bytes).
    pub fn file_text(&self, key: &str) -> Result<String, StudyError> {
        String::from_utf8(self.bytes(key)?).map_err(|e| wrong(key, format!("the file is not UTF-8: {e}")))
    }

    /// A list of quantities in SI.
    pub fn quantities_si(&self, key: &str) -> Result<Vec<f64>, StudyError> {
        self.list(key)?.iter().map(|slot| number_of(key, slot)).collect()
    }

    /// A list of pure numbers.
    pub fn numbers(&self, key: &str) -> Result<Vec<f64>, StudyError> {
        self.quantities_si(key)
    }

    /// A list of integers.
    pub fn integers(&self, key: &str) -> Result<Vec<i64>, StudyError> {
        self.list(key)?.iter().map(|slot| integer_of(key, slot)).collect()
    }

    /// A list of texts or words.
    pub fn texts(&self, key: &str) -> Result<Vec<&str>, StudyError> {
        self.list(key)?.iter().map(|slot| text_of(key, slot)).collect()
    }

    /// A list of files.
    pub fn paths(&self, key: &str) -> Result<Vec<&Path>, StudyError> {
        self.list(key)?.iter().map(|slot| path_of(key, slot)).collect()
    }

    /// A quantity or number with its record, in SI. A literal is identified at the scale of this step.
    pub fn tracked_number(&self, key: &str) -> Result<Tracked<f64>, StudyError> {
        self.tracked_of(key, self.slot(key)?)
    }

    /// A list of quantities or numbers with their records, in SI.
    pub fn tracked_numbers(&self, key: &str) -> Result<Vec<Tracked<f64>>, StudyError> {
        self.list(key)?.iter().map(|slot| self.tracked_of(key, slot)).collect()
    }

    /// A hand-off with its record.
    pub fn hand_off<T: DeserializeOwned>(&self, key: &str) -> Result<Tracked<T>, StudyError> {
        taken(key, self.slot(key)?)
    }

    /// A list of hand-offs with their records.
    pub fn hand_offs<T: DeserializeOwned>(&self, key: &str) -> Result<Vec<Tracked<T>>, StudyError> {
        self.list(key)?.iter().map(|slot| taken(key, slot)).collect()
    }

    fn slot(&self, key: &str) -> Result<&Slot, StudyError> {
        match self.slots.get(key) {
            Some(Slot::Pending(reference)) => {
                Err(StudyError::Pending { key: key.into(), reference: reference.clone() })
            }
            Some(slot) => Ok(slot),
            None => Err(wrong(key, "it is not given".into())),
        }
    }

    fn list(&self, key: &str) -> Result<&[Slot], StudyError> {
        match self.slot(key)? {
            Slot::List(items) => Ok(items),
            other => Err(unfit(key, other, "a list")),
        }
    }

    fn tracked_of(&self, key: &str, slot: &Slot) -> Result<Tracked<f64>, StudyError> {
        match slot {
            Slot::Number { si, dimension, origin } => Ok(Tracked {
                value: *si,
                unit: si_unit(*dimension),
                uncertainty: origin.uncertainty.clone(),
                provenance: origin.provenance.clone(),
                scale: self.scale,
                sealed: false,
            }),
            Slot::Taken(output) => {
                let tracked = output.number().ok_or_else(|| unfit(key, slot, "a number"))?;
                let (factor, dimension) = unit_in_si(key, &tracked.unit)?;
                let value = in_si(key, tracked.value, &tracked.unit)?;
                let uncertainty = tracked.uncertainty.scaled(factor);
                Ok(Tracked { uncertainty, unit: si_unit(dimension), ..tracked.with_value(value) })
            }
            Slot::Pending(reference) => {
                Err(StudyError::Pending { key: key.into(), reference: reference.clone() })
            }
            other => Err(unfit(key, other, "a number")),
        }
    }

    /// Bounds that could not be checked while references were pending.
    pub(crate) fn check_bounds(&self, spec: &KindSpec) -> Result<(), StepFailure> {
        for input in &spec.inputs {
            match self.slots.get(&input.key) {
                Some(Slot::List(items)) => {
                    for item in items {
                        check_taken(input, item)?;
                    }
                }
                Some(slot) => check_taken(input, slot)?,
                None => {}
            }
        }
        Ok(())
    }
}

fn check_taken(input: &InputSpec, slot: &Slot) -> Result<(), StepFailure> {
    let Slot::Taken(output) = slot else { return Ok(()) };
    if output.type_name != NUMBER {
        return Ok(());
    }
    let value = number_of(&input.key, slot)?;
    let mut kind = &input.kind;
    while let InputType::List(inner) = kind {
        kind = inner;
    }
    let trouble = match kind {
        InputType::Quantity(dimension) => input.out_of_range(value, *dimension),
        InputType::Number { min, max }
            if min.is_some_and(|m| value < m) || max.is_some_and(|m| value > m) =>
        {
            Some(format!("{value} is outside {}", bounds(*min, *max)))
        }
        _ => None,
    };
    match trouble {
        Some(reason) => Err(StepFailure::bad_input(&input.key, format!("\"{}\": {reason}", input.key))),
        None => Ok(()),
    }
}

fn pending_slot(binding: &Binding) -> Slot {
    match &binding.bound {
        Bound::Reference { step, output, .. } => Slot::Pending(format!("{step}.{output}")),
        Bound::List(items) => Slot::List(items.iter().map(pending_slot).collect()),
        _ => literal_slot(binding, None),
    }
}

/// The slot of anything but references and lists.
pub(crate) fn literal_slot(binding: &Binding, hash: Option<ContentHash>) -> Slot {
    match &binding.bound {
        Bound::Quantity { si, dimension } => {
            Slot::Number { si: *si, dimension: *dimension, origin: binding.origin.clone() }
        }
        Bound::Number(x) => {
            Slot::Number { si: *x, dimension: dimension::NONE, origin: binding.origin.clone() }
        }
        Bound::Integer(i) => Slot::Integer(*i),
        Bound::Text(text) => Slot::Text(text.clone()),
        Bound::Boolean(flag) => Slot::Boolean(*flag),
        Bound::File(path) => Slot::File { path: path.clone(), hash },
        Bound::Reference { step, output, .. } => Slot::Pending(format!("{step}.{output}")),
        Bound::List(items) => Slot::List(items.iter().map(|b| literal_slot(b, None)).collect()),
    }
}

fn wrong(key: &str, reason: String) -> StudyError {
    StudyError::Input { key: key.into(), reason }
}

fn unfit(key: &str, slot: &Slot, wanted: &str) -> StudyError {
    let is = match slot {
        Slot::Number { .. } => "a number",
        Slot::Integer(_) => "an integer",
        Slot::Text(_) => "a text",
        Slot::Boolean(_) => "a boolean",
        Slot::File { .. } => "a file",
        Slot::Taken(output) => &output.type_name,
        Slot::Pending(_) => "not computed yet",
        Slot::List(_) => "a list",
    };
    wrong(key, format!("{wanted} was asked for, and it is {is}"))
}

fn number_of(key: &str, slot: &Slot) -> Result<f64, StudyError> {
    match slot {
        Slot::Number { si, .. } => Ok(*si),
        Slot::Taken(output) => match output.tracked.value.as_f64() {
            Some(value) if output.type_name == NUMBER => in_si(key, value, &output.tracked.unit),
            _ => Err(unfit(key, slot, "a number")),
        },
        Slot::Pending(reference) => {
            Err(StudyError::Pending { key: key.into(), reference: reference.clone() })
        }
        other => Err(unfit(key, other, "a number")),
    }
}

fn integer_of(key: &str, slot: &Slot) -> Result<i64, StudyError> {
    match slot {
        Slot::Integer(i) => Ok(*i),
        other => Err(unfit(key, other, "an integer")),
    }
}

fn text_of<'a>(key: &str, slot: &'a Slot) -> Result<&'a str, StudyError> {
    match slot {
        Slot::Text(text) => Ok(text),
        other => Err(unfit(key, other, "a text")),
    }
}

fn path_of<'a>(key: &str, slot: &'a Slot) -> Result<&'a Path, StudyError> {
    match slot {
        Slot::File { path, .. } => Ok(path),
        other => Err(unfit(key, other, "a file")),
    }
}

fn bytes_of(key: &str, slot: &Slot) -> Result<Vec<u8>, StudyError> {
    let path = path_of(key, slot)?;
    let bytes =
        std::fs::read(path).map_err(|e| wrong(key, format!("cannot read {}: {e}", path.display())))?;
    match slot {
        Slot::File { hash: Some(hash), .. } if *hash != scalade_record::hash_bytes(&bytes) => {
            Err(wrong(key, format!("{} changed during the run; run again", path.display())))
        }
        _ => Ok(bytes),
    }
}

fn taken<T: DeserializeOwned>(key: &str, slot: &Slot) -> Result<Tracked<T>, StudyError> {
    match slot {
        Slot::Taken(output) => {
            let value = T::deserialize(&output.tracked.value)
                .map_err(|e| wrong(key, format!("the {} cannot be read: {e}", output.type_name)))?;
            let record = &output.tracked;
            Ok(Tracked {
                value: (),
                unit: record.unit.clone(),
                uncertainty: record.uncertainty.clone(),
                provenance: record.provenance.clone(),
                scale: record.scale,
                sealed: record.sealed,
            }
            .with_any(value))
        }
        Slot::Pending(reference) => {
            Err(StudyError::Pending { key: key.into(), reference: reference.clone() })
        }
        other => Err(unfit(key, other, "a hand-off")),
    }
}

/// A number in a unit, in SI, through its decimal text: no rounding by decimal prefixes.
fn in_si(key: &str, value: f64, unit: &str) -> Result<f64, StudyError> {
    if unit.is_empty() {
        return Ok(value);
    }
    let text = format!("{value:e} {unit}");
    text.parse::<Quantity>().map(Quantity::si).map_err(|e| wrong(key, e.to_string()))
}

fn unit_in_si(key: &str, unit: &str) -> Result<(f64, Dimension), StudyError> {
    if unit.is_empty() {
        return Ok((1.0, dimension::NONE));
    }
    let one: Quantity = format!("1 {unit}").parse().map_err(|e| wrong(key, format!("{e}")))?;
    Ok((one.si(), one.dimension()))
}

/// Symbol of the coherent SI unit of a dimension; empty for pure numbers.
pub(crate) fn si_unit(of: Dimension) -> String {
    match of {
        dimension::NONE => String::new(),
        dimension::CHARGE => "C".into(),
        dimension::ENERGY => "J".into(),
        other => other.to_string(),
    }
}

/// The output multiplied by `factor`; `scale` is the kind's own multiplication of hand-offs.
pub(crate) fn multiplied(
    output: &Output,
    factor: f64,
    scale: impl FnOnce(Value, f64) -> Result<Value, String>,
) -> Result<Output, String> {
    let value = if output.type_name == NUMBER {
        let x = output.tracked.value.as_f64().ok_or("it is no number")? * factor;
        serde_json::Number::from_f64(x).map(Value::Number).ok_or(format!("{x} is not finite"))?
    } else {
        let moved = scale(output.tracked.value.clone(), factor)?;
        // JSON has no infinity: a number that overflowed has become a null.
        if nulls(&moved) > nulls(&output.tracked.value) {
            return Err(format!("times {factor} it holds numbers that are not finite"));
        }
        moved
    };
    let mut tracked = output.tracked.clone().with_any(value);
    tracked.uncertainty = tracked.uncertainty.scaled(factor);
    Ok(Output { type_name: output.type_name.clone(), tracked })
}

/// Number of nulls within a value.
fn nulls(value: &Value) -> usize {
    match value {
        Value::Null => 1,
        Value::Array(items) => items.iter().map(nulls).sum(),
        Value::Object(map) => map.values().map(nulls).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scalade_record::{Provenance, Uncertainty};
    use serde_json::json;

    fn output(type_name: &str, value: Value) -> Output {
        let origin = Provenance::Assumed { why: "test".into() };
        let uncertainty = Uncertainty::Interval { low: 1.0, high: 2.0, level: 0.9 };
        let tracked = Tracked::of(value, "mV", uncertainty, origin, Scale::Cell).unwrap();
        Output { type_name: type_name.into(), tracked }
    }

    fn tenfold(value: &Value, factor: f64) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|v| tenfold(v, factor)).collect(),
            other => other.as_f64().map_or(Value::Null, |x| Value::from(x * factor)),
        }
    }

    #[test]
    fn factors_multiply_values_and_uncertainties_and_may_not_overflow() {
        let number = multiplied(&output(NUMBER, json!(1.5)), 2.0, |_, _| Err("not asked".into())).unwrap();
        assert_eq!(number.tracked.value, json!(3.0));
        assert_eq!(number.tracked.uncertainty, Uncertainty::Interval { low: 2.0, high: 4.0, level: 0.9 });
        let curve = output("Curve", json!([[1.0, 2.0], [3.0, null]]));
        let moved = multiplied(&curve, 2.0, |v, f| Ok(tenfold(&v, f))).unwrap();
        assert_eq!(moved.tracked.value, json!([[2.0, 4.0], [6.0, null]]));
        assert!(multiplied(&curve, 1e308, |v, f| Ok(tenfold(&v, f))).unwrap_err().contains("not finite"));
        assert!(multiplied(&output(NUMBER, json!(1.5)), 1.7e308, |_, _| Err(String::new())).is_err());
    }

    #[test]
    fn getters_say_what_does_not_fit() {
        let slots = BTreeMap::from([
            ("v".to_string(), Slot::Taken(Arc::new(output(NUMBER, json!(1.5))))),
            ("i".to_string(), Slot::Integer(-3)),
            ("t".to_string(), Slot::Text("word".into())),
            ("p".to_string(), Slot::Pending("a.b".into())),
            ("l".to_string(), Slot::List(vec![Slot::Integer(1), Slot::Text("x".into())])),
            ("c".to_string(), Slot::Taken(Arc::new(output("Curve", json!([1.0, "x"]))))),
        ]);
        let inputs = Inputs::new(slots, Scale::Pack);
        assert_eq!(inputs.quantity_si("v").unwrap(), 1.5e-3);
        let tracked = inputs.tracked_number("v").unwrap();
        assert_eq!((tracked.value, tracked.unit.as_str(), tracked.scale), (1.5e-3, "V", Scale::Cell));
        assert_eq!(tracked.uncertainty, Uncertainty::Interval { low: 1e-3, high: 2e-3, level: 0.9 });
        let says = |e: StudyError, part: &str| assert!(e.to_string().contains(part), "{e}");
        says(inputs.quantity_si("t").unwrap_err(), "a number was asked for, and it is a text");
        says(inputs.quantity_si("none").unwrap_err(), "\"none\": it is not given");
        says(inputs.count("i").unwrap_err(), "-3 is no count");
        says(inputs.number("p").unwrap_err(), "@a.b, which is not computed yet");
        says(inputs.integers("l").unwrap_err(), "an integer was asked for");
        says(inputs.integers("i").unwrap_err(), "a list was asked for");
        says(inputs.hand_off::<Vec<f64>>("c").unwrap_err(), "the Curve cannot be read");
        says(inputs.path("t").unwrap_err(), "a file was asked for");
        says(inputs.boolean("t").unwrap_err(), "a boolean was asked for");
        says(inputs.hand_off::<f64>("i").unwrap_err(), "a hand-off was asked for");
        assert!(!inputs.has("none") && inputs.has("p"));
    }
}
