//! Rows of ASE: what they hold, and how they stand in JSON, as databases and single atoms.

use super::json_tree::{Node, finite};
use super::method::{Method, canonical_calculator, canonical_functional};
use crate::elements::element_symbol;
use crate::error::{FormatError, Place, shown};
use crate::frame::{AtomArray, Frame, InfoValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use scalade_crystal::{CrystalError, Matrix3, determinant};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Whether an object is one `Atoms`.
pub(super) fn is_atoms(object: &Map<String, Value>) -> bool {
    object.contains_key("numbers") && object.contains_key("positions")
}

fn row_number(key: &str) -> Option<u64> {
    key.bytes().all(|b| b.is_ascii_digit()).then(|| key.parse().ok())?
}

/// Whether an object is a database: rows by their numbers.
pub(super) fn is_database(object: &Map<String, Value>) -> bool {
    object.contains_key("nextid")
        || object.iter().any(|(key, row)| row_number(key).is_some() && row.is_object())
}

pub(super) fn single(object: &Map<String, Value>, name: &str) -> Result<Frame, FormatError> {
    atoms(Node { object, name, index: 1, id: name })
}

/// Rows in the order of their numbers.
pub(super) fn database(object: &Map<String, Value>, name: &str) -> Result<Vec<Frame>, FormatError> {
    let mut rows: Vec<(u64, &str, &Map<String, Value>)> = object
        .iter()
        .filter_map(|(key, row)| Some((row_number(key)?, key.as_str(), row.as_object()?)))
        .collect();
    rows.sort_by_key(|(number, ..)| *number);
    if rows.is_empty() {
        return Err(FormatError::missing(Place::file(name), "a row", "a database of ASE without rows"));
    }
    rows.iter()
        .enumerate()
        .map(|(index, (_, id, object))| atoms(Node { object, name, index: index + 1, id }))
        .collect()
}

/// The arrays of a row, from whichever file they come. Lengths are checked by [`frame`].
#[derive(Default)]
pub(super) struct Arrays {
    /// Atomic numbers.
    pub numbers: Option<Vec<f64>>,
    /// Cartesian, angstrom, atom by atom.
    pub positions: Option<Vec<f64>>,
    /// Three vectors or three edges, angstrom.
    pub cell: Option<Vec<f64>>,
    pub periodic: [bool; 3],
    /// Magnetic moments that a calculation began with, Bohr magnetons: one or three an atom.
    pub initial_magmoms: Option<Vec<f64>>,
    /// Magnetic moments that a calculation gave, Bohr magnetons: one or three an atom.
    pub magmoms: Option<Vec<f64>>,
}

fn atoms(node: Node<'_>) -> Result<Frame, FormatError> {
    let inner = node.child("cell").filter(|cell| cell.object.contains_key("array"));
    let arrays = Arrays {
        numbers: numbers_of(&node, "numbers")?,
        positions: numbers_of(&node, "positions")?,
        cell: match inner {
            Some(cell) => numbers_of(&cell, "array")?,
            None => numbers_of(&node, "cell")?,
        },
        periodic: periodic(&node)?,
        initial_magmoms: numbers_of(&node, "initial_magmoms")?,
        magmoms: numbers_of(&node, "magmoms")?,
    };
    frame(&node, arrays)
}

/// The frame of a row: its arrays, and under the keys of ASE's JSON its energies, calculator and pairs.
pub(super) fn frame(node: &Node<'_>, arrays: Arrays) -> Result<Frame, FormatError> {
    let numbers = arrays.numbers.ok_or_else(|| node.missing("the list numbers", "a row without atoms"))?;
    let species: Option<Vec<String>> = numbers
        .iter()
        .map(|z| {
            (z.fract() == 0.0 && *z >= 0.0).then(|| element_symbol(*z as u64)).flatten().map(str::to_string)
        })
        .collect();
    let species = species.ok_or_else(|| node.refuse("numbers holds a value that is no atomic number"))?;
    let positions =
        arrays.positions.ok_or_else(|| node.missing("the list positions", "a row without positions"))?;
    if species.is_empty() || positions.len() != 3 * species.len() {
        return Err(count(node, "positions", 3 * species.len(), positions.len()));
    }
    let lattice = arrays.cell.map_or(Ok(None), |cell| lattice(node, &cell))?;
    let mut frame = Frame {
        file: node.name.to_string(),
        index: node.index,
        line: 0,
        lattice_angstrom: lattice,
        periodic: if lattice.is_some() { arrays.periodic } else { [false; 3] },
        species,
        positions_angstrom: positions.as_chunks::<3>().0.to_vec(),
        info: std::collections::BTreeMap::new(),
        arrays: std::collections::BTreeMap::new(),
    };
    for (key, values) in [("initial_magmoms", arrays.initial_magmoms), ("magmoms", arrays.magmoms)] {
        let Some(values) = values else { continue };
        let atoms = frame.species.len();
        let width = if values.len() == 3 * atoms { 3 } else { 1 };
        if values.len() != width * atoms {
            return Err(count(node, key, atoms, values.len()));
        }
        frame.arrays.insert(key.into(), AtomArray::Real { width, values });
    }
    pairs(node, &mut frame)?;
    method(node)?.write(&mut frame.info);
    if let Some(calculator) = node.text("calculator") {
        frame.info.insert("calculator".into(), InfoValue::Text(canonical_calculator(calculator).to_string()));
    }
    for key in ["energy", "free_energy"] {
        if let Some(energy) = node.number(key)? {
            frame.info.insert(key.into(), InfoValue::Float(energy));
        }
    }
    if !["id", "name", "label"].iter().any(|key| frame.info.contains_key(*key)) {
        frame.info.insert("id".into(), InfoValue::Text(node.id.to_string()));
    }
    Ok(frame)
}

fn count(node: &Node<'_>, key: &str, expected: usize, found: usize) -> FormatError {
    FormatError::Count {
        place: Box::new(node.place()),
        what: format!("numbers in {key} of entry {}", shown(node.id)),
        expected: expected as u64,
        found: found as u64,
    }
}

/// The vectors of the cell; `None` for a molecule, whose cell is zero.
fn lattice(node: &Node<'_>, cell: &[f64]) -> Result<Option<Matrix3>, FormatError> {
    let matrix = match cell {
        [a, b, c] => [[*a, 0.0, 0.0], [0.0, *b, 0.0], [0.0, 0.0, *c]],
        [a, b, c, d, e, f, g, h, i] => [[*a, *b, *c], [*d, *e, *f], [*g, *h, *i]],
        _ => return Err(node.refuse(format!("cell holds {} numbers instead of nine", cell.len()))),
    };
    if matrix.iter().flatten().all(|c| *c == 0.0) {
        return Ok(None);
    }
    let volume = determinant(&matrix);
    if volume.is_finite() && volume.abs() > 1e-9 {
        return Ok(Some(matrix));
    }
    let source = CrystalError::Degenerate { determinant: volume };
    Err(FormatError::Structure { place: Box::new(node.place()), source })
}

fn periodic(node: &Node<'_>) -> Result<[bool; 3], FormatError> {
    let flags = match node.get("pbc") {
        None => vec![0.0; 3],
        Some(Value::Bool(all)) => vec![f64::from(u8::from(*all)); 3],
        Some(_) => numbers_of(node, "pbc")?.unwrap_or_default(),
    };
    match flags.as_slice() {
        [a, b, c] => Ok([*a != 0.0, *b != 0.0, *c != 0.0]),
        _ => Err(node.refuse("pbc must be three logicals")),
    }
}

/// Pairs of the user: numbers, logicals and texts.
fn pairs(node: &Node<'_>, frame: &mut Frame) -> Result<(), FormatError> {
    let Some(pairs) = node.child("key_value_pairs") else {
        return match node.get("key_value_pairs") {
            None | Some(Value::Null) => Ok(()),
            Some(_) => Err(node.refuse("key_value_pairs is no object of pairs")),
        };
    };
    for (key, value) in pairs.object {
        if key.is_empty()
            || matches!(key.as_str(), "Lattice" | "Properties" | "pbc")
            || key.contains(['\n', '\r'])
        {
            continue;
        }
        let value = match value {
            Value::Bool(logical) => InfoValue::Bool(*logical),
            Value::String(text) => InfoValue::Text(text.clone()),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => InfoValue::Int(integer),
                None => InfoValue::Float(
                    finite(value).ok_or_else(|| node.refuse(format!("{} is not finite", shown(key))))?,
                ),
            },
            _ => continue,
        };
        frame.info.insert(key.clone(), value);
    }
    Ok(())
}

/// Functional from `xc`; Hubbard parameters from `ldau_luj` of VASP (U - J) and `setups` of GPAW (`:d,3.32`).
fn method(node: &Node<'_>) -> Result<Method, FormatError> {
    let mut method = Method::default();
    let Some(object) = parameters(node)? else { return Ok(method) };
    let parameters = Node { object: &object, ..*node };
    let xc = parameters.text("xc").or_else(|| parameters.child("xc").and_then(|xc| xc.text("name")));
    method.functional = xc.map(canonical_functional);
    for (element, luj) in parameters.child("ldau_luj").iter().flat_map(|node| node.object) {
        let value = |key: &str| match luj.get(key) {
            None | Some(Value::Null) => Ok(0.0),
            Some(value) => finite(value)
                .ok_or_else(|| node.refuse(format!("ldau_luj: {key} of {} is no number", shown(element)))),
        };
        if value("L")? >= 0.0 {
            method.add_hubbard(element, value("U")? - value("J")?);
        }
    }
    for (element, setup) in parameters.child("setups").iter().flat_map(|node| node.object) {
        let hubbard =
            setup.as_str().and_then(|text| text.split_once(':')).and_then(|(_, u)| u.split(',').nth(1));
        if let Some(value) = hubbard.and_then(crate::parse_number) {
            method.add_hubbard(element, value);
        }
    }
    Ok(method)
}

/// Parameters of the calculator. Early versions of ASE wrote them as a text of JSON, each copy of the row as a text
/// of the text before.
fn parameters<'a>(node: &Node<'a>) -> Result<Option<Cow<'a, Map<String, Value>>>, FormatError> {
    let mut text = match node.get("calculator_parameters") {
        Some(Value::Object(object)) => return Ok(Some(Cow::Borrowed(object))),
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => return Ok(None),
        Some(_) => return Err(node.refuse("calculator_parameters is no object")),
    };
    // Every text is shorter than that which holds it.
    loop {
        let inner = serde_json::from_str(&text).map_err(|error| {
            node.refuse(format!("calculator_parameters is a text that is no JSON: {error}"))
        })?;
        match inner {
            Value::Object(object) => return Ok(Some(Cow::Owned(object))),
            Value::String(inner) => text = inner,
            Value::Null => return Ok(None),
            _ => return Err(node.refuse("calculator_parameters is a text of JSON that is no object")),
        }
    }
}

/// The numbers under a key, row by row: nested lists or an array of NumPy. Logicals are 0 and 1.
fn numbers_of(node: &Node<'_>, key: &str) -> Result<Option<Vec<f64>>, FormatError> {
    let Some(value) = node.get(key) else { return Ok(None) };
    let numbers = match value.get("__ndarray__").and_then(Value::as_array).map(Vec::as_slice) {
        Some([shape, kind, data]) => array(shape, kind, data),
        Some(_) => Err("an array needs shape, type and data".to_string()),
        None => {
            let mut out = Vec::new();
            flatten(value, &mut out).map(|()| out)
        }
    };
    numbers.map(Some).map_err(|problem| node.refuse(format!("{key}: {problem}")))
}

/// The depth is bounded by the reader of JSON.
fn flatten(value: &Value, out: &mut Vec<f64>) -> Result<(), String> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| flatten(item, out)),
        Value::Bool(logical) => {
            out.push(f64::from(u8::from(*logical)));
            Ok(())
        }
        other => {
            out.push(finite(other).ok_or_else(|| format!("{} is no number", shown(&other.to_string())))?);
            Ok(())
        }
    }
}

fn array(shape: &Value, kind: &Value, data: &Value) -> Result<Vec<f64>, String> {
    let mut size = Some(1_u64);
    for length in shape.as_array().ok_or("the shape of an array is a list")? {
        size = size.zip(length.as_u64()).and_then(|(size, length)| size.checked_mul(length));
    }
    let numbers = match data {
        Value::String(text) => {
            let bytes = STANDARD.decode(text).map_err(|error| format!("no base64: {error}"))?;
            unpack(&bytes, kind.as_str().unwrap_or(""))?
        }
        list => {
            let mut out = Vec::new();
            flatten(list, &mut out)?;
            out
        }
    };
    if size != Some(numbers.len() as u64) {
        return Err(format!(
            "the shape {} does not fit {} numbers",
            shown(&shape.to_string()),
            numbers.len()
        ));
    }
    Ok(numbers)
}

/// Little-endian numbers.
pub(super) fn unpack(bytes: &[u8], kind: &str) -> Result<Vec<f64>, String> {
    fn split<const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> f64) -> Option<Vec<f64>> {
        let (chunks, rest) = bytes.as_chunks::<N>();
        rest.is_empty().then(|| chunks.iter().map(|chunk| convert(*chunk)).collect())
    }
    let numbers = match kind.trim_start_matches('<') {
        "float64" | "f8" => split(bytes, f64::from_le_bytes),
        "float32" | "f4" => split(bytes, |b| f64::from(f32::from_le_bytes(b))),
        "int64" | "i8" => split(bytes, |b| i64::from_le_bytes(b) as f64),
        "int32" | "i4" => split(bytes, |b| f64::from(i32::from_le_bytes(b))),
        "bool" | "|b1" | "int8" | "i1" => split(bytes, |[b]: [u8; 1]| f64::from(b)),
        other => return Err(format!("arrays of type '{}' are not read", shown(other))),
    };
    let numbers = numbers.ok_or_else(|| format!("{} bytes are no whole number of {kind}", bytes.len()))?;
    match numbers.iter().position(|number| !number.is_finite()) {
        None => Ok(numbers),
        Some(at) => Err(format!(
            "number {} of {} is {}; NaN and infinity are refused: remove or repair the entry",
            at + 1,
            numbers.len(),
            numbers[at]
        )),
    }
}
