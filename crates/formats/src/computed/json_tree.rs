//! JSON that holds structures: which program wrote it, and how to read numbers of it.

use super::{ase, pymatgen};
use crate::error::{FormatError, Place, shown};
use crate::frame::Frame;
use crate::json::{parse, read_frames_json};
use serde_json::{Map, Value};

/// Structures of a JSON text: frames of this package, a database or single atoms of ASE, entries and structures
/// of pymatgen. The content tells which.
///
/// **ASE** (`ase db`'s JSON: an object by row numbers; or one `Atoms`): `numbers`, `positions`, `cell`, `pbc`
/// as lists or arrays (`{"__ndarray__": [shape, type, data]}`, data a list or base64 of little-endian numbers);
/// `energy` and `free_energy` in eV; `calculator`; `functional` from the parameter `xc`; `hubbard_u` from
/// `ldau_luj` or `setups`; `initial_magmoms` and `magmoms` (Bohr magnetons) as per-atom properties;
/// `key_value_pairs` under their own keys; `id` is the row where the pairs have no id, name or label. Constraints
/// are not read.
///
/// **pymatgen** (`ComputedEntry`, `ComputedStructureEntry`, `Structure`; one, a list, or
/// `{"entries": [...]}`): `energy` is the uncorrected energy in eV per cell; `correction` and
/// `corrected_energy` stand beside it. `functional` from `run_type` and `potcar_symbols` (`GGA` with PBE
/// potentials is `PBE`), `hubbard_u` from `hubbards`, `calculator` is VASP where potentials are named; `id` from `entry_id`. An entry without structure gives a
/// frame with species only ([`Frame::is_composition`]).
///
/// NaN and Infinity, which Python writes, are passed over where nothing is read, and a text in key-value pairs.
///
/// Errors: with line and column for JSON that is none, with the number of the entry for
/// what is missing or not finite, for species with oxidation states, partly occupied sites, fractional compositions,
/// and classes that are not read.
pub fn read_structures_json(text: &str, name: &str) -> Result<Vec<Frame>, FormatError> {
    frames(text, name)?.into_iter().map(Frame::checked).collect()
}

fn frames(text: &str, name: &str) -> Result<Vec<Frame>, FormatError> {
    let value: Value = match parse(text, name) {
        Ok(value) => value,
        Err(error) => parse(&words_for_nan(text).ok_or(error)?, name)?,
    };
    match &value {
        Value::Object(object) if object.contains_key("format") => {
            read_frames_json(text, name).map_err(|error| with_hint(error, text))
        }
        Value::Object(object) if pymatgen::is_entry(object) => {
            pymatgen::read(std::slice::from_ref(&value), name)
        }
        Value::Object(object) if object.get("entries").is_some_and(Value::is_array) => {
            pymatgen::read(object.get("entries").and_then(Value::as_array).map_or(&[], Vec::as_slice), name)
        }
        Value::Array(entries)
            if entries.first().and_then(Value::as_object).is_some_and(pymatgen::is_entry) =>
        {
            pymatgen::read(entries, name)
        }
        Value::Object(object) if ase::is_atoms(object) => Ok(vec![ase::single(object, name)?]),
        Value::Object(object) if ase::is_database(object) => ase::database(object, name),
        other => {
            let keys: Vec<&str> =
                other.as_object().into_iter().flat_map(Map::keys).map(String::as_str).take(8).collect();
            let found = match other {
                Value::Object(_) => format!("an object with the keys {}", shown(&keys.join(", "))),
                Value::Array(items) => format!("a list of {} values", items.len()),
                _ => "a single value".to_string(),
            };
            Err(FormatError::missing(
                Place::file(name),
                "a structure or an entry",
                format!(
                    "{found}; read are frames of scalade, databases and atoms of ASE, entries and structures of pymatgen"
                ),
            ))
        }
    }
}

/// Python writes NaN and Infinity, which JSON does not have: the text with texts in their place, which no reader
/// takes for a number; `None` if there are none. Where nothing is read they do no harm: pymatgen gives every
/// adjustment of an energy an uncertainty, which is NaN where nobody knows it.
pub(crate) fn words_for_nan(text: &str) -> Option<String> {
    const WORDS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];
    let bytes = text.as_bytes();
    let mut out = String::new();
    let (mut at, mut copied, mut quoted) = (0, 0, false);
    while at < bytes.len() {
        let word = match bytes[at] {
            b'\\' if quoted => {
                at += 2;
                continue;
            }
            b'"' => {
                quoted = !quoted;
                None
            }
            b'N' | b'I' | b'-' if !quoted => {
                WORDS.into_iter().find(|w| bytes[at..].starts_with(w.as_bytes()))
            }
            _ => None,
        };
        if let Some(word) = word {
            out.push_str(&text[copied..at]);
            out.extend(["\"", word, "\""]);
            at += word.len();
            copied = at;
        } else {
            at += 1;
        }
    }
    (copied > 0).then(|| out + &text[copied..])
}

/// NaN and Infinity where every number is read: the message says so.
fn with_hint(error: FormatError, text: &str) -> FormatError {
    let FormatError::Syntax { place, problem } = error else { return error };
    let hint = if words_for_nan(text).is_some() {
        "; NaN and Infinity are refused: remove or repair the entry"
    } else {
        ""
    };
    FormatError::Syntax { place, problem: problem + hint }
}

/// An object of the text with its place, for errors.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    pub object: &'a Map<String, Value>,
    pub name: &'a str,
    /// Number of the entry, from 1.
    pub index: usize,
    /// What the entry is called.
    pub id: &'a str,
}

impl<'a> Node<'a> {
    pub fn place(&self) -> Place {
        Place::file(self.name).frame(self.index)
    }

    pub fn refuse(&self, problem: impl AsRef<str>) -> FormatError {
        FormatError::syntax(self.place(), format!("entry {}: {}", shown(self.id), problem.as_ref()))
    }

    pub fn missing(&self, what: &str, available: impl Into<String>) -> FormatError {
        FormatError::Missing {
            place: Box::new(self.place()),
            what: what.to_string(),
            id: self.id.to_string(),
            available: available.into(),
        }
    }

    /// A value that is there and not null.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key).and_then(Value::as_str)
    }

    /// The object under a key, at the same place.
    pub fn child(&self, key: &str) -> Option<Node<'a>> {
        let object = self.get(key)?.as_object()?;
        Some(Node { object, ..*self })
    }

    /// A finite number, if the key is there.
    pub fn number(&self, key: &str) -> Result<Option<f64>, FormatError> {
        self.get(key)
            .map(|value| {
                finite(value).ok_or_else(|| match value.as_str() {
                    Some(word @ ("NaN" | "Infinity" | "-Infinity")) => self.refuse(format!(
                        "{key} is {word}; NaN and Infinity are refused: remove or repair the entry"
                    )),
                    _ => self.refuse(format!("{key} is no number")),
                })
            })
            .transpose()
    }
}

/// A finite number.
pub(super) fn finite(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| number.is_finite())
}

/// `[[x, y, z], ...]`.
pub(super) fn rows(value: &Value) -> Option<Vec<[f64; 3]>> {
    value.as_array()?.iter().map(row).collect()
}

/// `[x, y, z]`.
pub(super) fn row(value: &Value) -> Option<[f64; 3]> {
    match value.as_array()?.as_slice() {
        [x, y, z] => Some([finite(x)?, finite(y)?, finite(z)?]),
        _ => None,
    }
}
