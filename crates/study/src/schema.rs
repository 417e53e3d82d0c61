//! JSON schema of study files, for editors.

use crate::kind::{InputSpec, InputType, KindSpec, Need, Registry};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// A decimal number.
const NUMBER_PATTERN: &str = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?";
/// A unit after a number; "1e5" is a number without one, "1eV" and "1 eV" have one.
const UNIT_PATTERN: &str = r"(\s+\S.*|[^\s0-9eE.+-].*|[eE][^0-9+-].*)";
const REFERENCE_PATTERN: &str = r"^@[A-Za-z0-9_-]+\.[^\s]+$";

/// The JSON schema (draft 7, which TOML editors read) of study files whose steps are of the registered kinds.
pub fn schema(registry: &Registry) -> Value {
    let kinds: Vec<Value> = registry.kinds().map(|k| step(k.spec())).collect();
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Scalade study",
        "type": "object",
        "additionalProperties": false,
        "required": ["study", "steps"],
        "properties": {
            "study": {
                "type": "object",
                "additionalProperties": false,
                "required": ["name"],
                "properties": {
                    "name": {
                        "type": "string",
                        "pattern": "^[a-z0-9_-]{1,128}$",
                        "description": "Name of the study; results are remembered under it"
                    },
                    "title": { "type": "string", "description": "Title, for people" },
                    "seed": {
                        "type": "integer",
                        "minimum": 0,
                        "default": 0,
                        "description": "Seed of every random stream of the study"
                    }
                }
            },
            "steps": {
                "type": "object",
                "propertyNames": { "pattern": "^[A-Za-z0-9_-]{1,128}$" },
                "additionalProperties": { "oneOf": kinds }
            }
        }
    })
}

fn step(spec: &KindSpec) -> Value {
    let mut properties = Map::new();
    let kind = json!({ "const": spec.name, "description": spec.about });
    properties.insert("kind".into(), kind);
    let mut required = vec![Value::from("kind")];
    let mut movable = Map::new();
    for input in &spec.inputs {
        properties.insert(input.key.clone(), described(input));
        if input.need == Need::Required {
            required.push(Value::from(input.key.as_str()));
        }
        if takes_reference(&input.kind) {
            movable.insert(input.key.clone(), retune());
        }
    }
    if !movable.is_empty() {
        let table = json!({
            "type": "object",
            "additionalProperties": false,
            "properties": movable,
            "description": "Factors on results of other steps; a sealed result needs a reason"
        });
        properties.insert("retune".into(), table);
    }
    json!({
        "type": "object",
        "title": spec.name,
        "description": format!("{} ({} scale)", spec.about, spec.scale),
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

fn retune() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["factor"],
        "properties": {
            "factor": { "type": "number", "exclusiveMinimum": 0 },
            "unseal": { "type": "string", "minLength": 1, "description": "Why this value must move" }
        }
    })
}

fn takes_reference(kind: &InputType) -> bool {
    matches!(kind, InputType::Quantity(_) | InputType::Number { .. } | InputType::HandOff(_))
}

fn described(input: &InputSpec) -> Value {
    let plain = value(&input.kind);
    let mut out = match &input.kind {
        InputType::HandOff(_) => plain,
        _ => json!({ "anyOf": [plain, with_origin(&input.kind)] }),
    };
    if let Value::Object(map) = &mut out {
        let mut about = input.about.clone();
        if let InputType::Quantity(d) = &input.kind {
            let _ = write!(about, " ({})", scalade_units::accepted_units(*d));
        }
        map.insert("description".into(), Value::from(about));
        if let Need::Default(default) = &input.need {
            map.insert("default".into(), default.clone());
        }
    }
    out
}

fn value(kind: &InputType) -> Value {
    let reference = json!({ "type": "string", "pattern": REFERENCE_PATTERN });
    match kind {
        InputType::Quantity(d) if *d == scalade_units::dimension::NONE => {
            let text = json!({ "type": "string", "pattern": format!(r"^{NUMBER_PATTERN}\s*%?$") });
            json!({ "anyOf": [{ "type": "number" }, text, reference] })
        }
        InputType::Quantity(_) => {
            let text =
                json!({ "type": "string", "pattern": format!("^\\s*{NUMBER_PATTERN}{UNIT_PATTERN}$") });
            json!({ "anyOf": [text, reference] })
        }
        InputType::Number { min, max } => {
            json!({ "anyOf": [bounded("number", *min, *max), { "type": "string", "pattern": format!(r"^{NUMBER_PATTERN}\s*%?$") }, reference] })
        }
        InputType::Integer { min, max } => bounded("integer", *min, *max),
        InputType::Text => json!({ "type": "string" }),
        InputType::Choice(words) => json!({ "enum": words }),
        InputType::Boolean => json!({ "type": "boolean" }),
        InputType::File => json!({ "type": "string", "pattern": "^file:." }),
        InputType::List(inner) => json!({ "type": "array", "items": value(inner) }),
        InputType::HandOff(name) => {
            json!({ "type": "string", "pattern": REFERENCE_PATTERN, "title": format!("reference to a {name}") })
        }
    }
}

fn bounded<T: Into<Value>>(kind: &str, min: Option<T>, max: Option<T>) -> Value {
    let mut map = Map::from_iter([("type".to_string(), Value::from(kind))]);
    if let Some(min) = min {
        map.insert("minimum".into(), min.into());
    }
    if let Some(max) = max {
        map.insert("maximum".into(), max.into());
    }
    Value::Object(map)
}

/// `{ value, std | interval + level | samples, doi + locator | assumed | data_set + method }`.
fn with_origin(kind: &InputType) -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    let one = json!({ "type": ["string", "number"] });
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["value"],
        "properties": {
            "value": value(kind),
            "std": one,
            "interval": { "type": "array", "items": one, "minItems": 2, "maxItems": 2 },
            "level": { "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 },
            "samples": { "type": "array", "items": one },
            "doi": text,
            "locator": text,
            "assumed": text,
            "data_set": text,
            "method": text
        }
    })
}
