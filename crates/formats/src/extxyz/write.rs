//! The writer of extended XYZ: what it writes reads back to the bit.

use crate::error::{FormatError, shown};
use crate::frame::{AtomArray, Frame, InfoValue};
use crate::text::{parse_integer, parse_logical, parse_number};
use std::fmt::Write;

const NAME: &str = super::NAME;

/// Frames as extended XYZ. Numbers are written with the fewest digits that read back to the same bits; keys
/// are sorted.
///
/// Errors: [`FormatError::Unwritable`] for frames without atoms, with numbers that are not finite, with
/// lists that do not
/// fit the atoms, or with species and words that hold blanks.
pub fn write_extxyz(frames: &[Frame]) -> Result<String, FormatError> {
    let mut out = String::new();
    for frame in frames {
        let refuse = |reason: String| FormatError::unwritable(frame.id(), NAME, reason);
        if let Some(defect) = frame.defect() {
            return Err(refuse(defect));
        }
        out.push_str(&frame.species.len().to_string());
        out.push('\n');
        out.push_str(&header(frame).map_err(refuse)?);
        out.push('\n');
        for atom in 0..frame.species.len() {
            write_atom(&mut out, frame, atom).map_err(refuse)?;
            out.push('\n');
        }
    }
    Ok(out)
}

fn header(frame: &Frame) -> Result<String, String> {
    let mut parts = Vec::new();
    if let Some(lattice) = &frame.lattice_angstrom {
        let numbers: Vec<String> = lattice.iter().flatten().map(|c| format!("{c:?}")).collect();
        parts.push(format!("Lattice=\"{}\"", numbers.join(" ")));
    }
    let mut properties = super::PLAIN_PROPERTIES.to_string();
    for (name, array) in &frame.arrays {
        let reserved = matches!(name.as_str(), "species" | "pos");
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ':' | '"' | '\'' | '=' | '\\');
        if name.is_empty() || reserved || name.contains(odd) {
            return Err(format!(
                "'{}' cannot name a per-atom property; use letters, digits and _",
                shown(name)
            ));
        }
        let kind = match array {
            AtomArray::Real { .. } => 'R',
            AtomArray::Integer { .. } => 'I',
            AtomArray::Logical { .. } => 'L',
            AtomArray::Text { .. } => 'S',
        };
        let _ = write!(properties, ":{name}:{kind}:{}", array.width());
    }
    parts.push(format!("Properties={properties}"));
    for (key, value) in &frame.info {
        if key.is_empty()
            || matches!(key.as_str(), "Lattice" | "Properties" | "pbc")
            || key.contains(['\n', '\r'])
        {
            return Err(format!("'{}' cannot be a key of the header", shown(key)));
        }
        let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        let key = if key.chars().all(bare) { key.clone() } else { quoted(key, false) };
        parts.push(format!("{key}={}", info_value(value)?));
    }
    let letters = frame.periodic.map(|p| if p { "T" } else { "F" });
    parts.push(format!("pbc=\"{}\"", letters.join(" ")));
    Ok(parts.join(" "))
}

fn logical(value: bool) -> String {
    if value { "T".into() } else { "F".into() }
}

fn real(value: f64) -> Result<String, String> {
    if value.is_finite() {
        Ok(format!("{value:?}"))
    } else {
        Err(format!("the number {value} is not finite"))
    }
}

/// A text in double quotes. `force` escapes a character that needs none, by which the reader knows a text.
fn quoted(text: &str, force: bool) -> String {
    let mut out = String::from("\"");
    let mut pending = force;
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            // Never n, which would make a line break: what looks typed begins with a digit, a sign, a point,
            // t or f.
            c if pending => {
                out.push('\\');
                out.push(c);
                pending = false;
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A text so that it reads back as a text.
fn text(value: &str) -> Result<String, String> {
    if value.contains(['\r', '\0']) {
        return Err(format!("the text '{}' holds a carriage return or a NUL", shown(value)));
    }
    let typed = |token: &str| {
        parse_integer(token).is_some() || parse_number(token).is_some() || parse_logical(token).is_some()
    };
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '+' | '/');
    if !value.is_empty() && value.chars().all(bare) && !typed(value) {
        return Ok(value.to_string());
    }
    let looks_typed = !value.trim().is_empty() && value.split_whitespace().all(typed);
    Ok(quoted(value, looks_typed))
}

fn info_value(value: &InfoValue) -> Result<String, String> {
    match value {
        InfoValue::Bool(value) => Ok(logical(*value)),
        InfoValue::Int(value) => Ok(value.to_string()),
        InfoValue::Float(value) => real(*value),
        InfoValue::Text(value) => text(value),
        InfoValue::Rows(rows) => {
            let rows: Result<Vec<String>, String> = rows
                .iter()
                .map(|row| match row {
                    InfoValue::Bools(_) | InfoValue::Ints(_) | InfoValue::Floats(_) | InfoValue::Texts(_) => {
                        Ok(format!("[{}]", elements(row)?.join(", ")))
                    }
                    other => Err(format!("a row of a matrix is {}", other.kind())),
                })
                .collect();
            Ok(format!("[{}]", rows?.join(", ")))
        }
        list => {
            let elements = elements(list)?;
            // Lists of numbers and logicals in quotes, as most programs write and read them; a single
            // element in quotes
            // would read back as a scalar.
            if elements.len() > 1 && !matches!(list, InfoValue::Texts(_)) {
                Ok(format!("\"{}\"", elements.join(" ")))
            } else {
                Ok(format!("[{}]", elements.join(", ")))
            }
        }
    }
}

fn elements(list: &InfoValue) -> Result<Vec<String>, String> {
    match list {
        InfoValue::Bools(values) => Ok(values.iter().map(|v| logical(*v)).collect()),
        InfoValue::Ints(values) => Ok(values.iter().map(i64::to_string).collect()),
        InfoValue::Floats(values) => values.iter().map(|v| real(*v)).collect(),
        InfoValue::Texts(values) => {
            if values.iter().any(|v| v.contains(['\r', '\0'])) {
                return Err("a text of a list holds a carriage return or a NUL".into());
            }
            Ok(values.iter().map(|v| quoted(v, false)).collect())
        }
        other => Err(format!("{} is not a list", other.kind())),
    }
}

fn word(text: &str) -> Result<&str, String> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(format!("the word '{}' is empty or holds a blank", shown(text)));
    }
    Ok(text)
}

fn write_atom(out: &mut String, frame: &Frame, atom: usize) -> Result<(), String> {
    let _ = write!(out, "{:<2}", word(&frame.species[atom])?);
    for component in frame.positions_angstrom[atom] {
        let _ = write!(out, " {component:?}");
    }
    for array in frame.arrays.values() {
        let range = atom * array.width()..(atom + 1) * array.width();
        match array {
            AtomArray::Real { values, .. } => {
                for value in &values[range] {
                    out.push(' ');
                    out.push_str(&real(*value)?);
                }
            }
            AtomArray::Integer { values, .. } => {
                for value in &values[range] {
                    let _ = write!(out, " {value}");
                }
            }
            AtomArray::Logical { values, .. } => {
                for value in &values[range] {
                    out.push(' ');
                    out.push_str(&logical(*value));
                }
            }
            AtomArray::Text { values, .. } => {
                for value in &values[range] {
                    out.push(' ');
                    out.push_str(word(value)?);
                }
            }
        }
    }
    Ok(())
}
