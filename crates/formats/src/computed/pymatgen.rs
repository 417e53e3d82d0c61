//! JSON of pymatgen: structures and computed entries.

use super::json_tree::{Node, finite, row, rows};
use super::method::{Method, canonical_functional, functional_of_titles};
use crate::elements::{atomic_number, element_symbol};
use crate::error::{FormatError, Place, shown};
use crate::frame::{AtomArray, Frame, InfoValue};
use scalade_crystal::{Matrix3, Structure};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Atoms of all compositions of a file: a few digits of text can claim any number.
const ATOM_LIMIT: u64 = 2_000_000;

/// Whether an object is a structure or an entry.
pub(super) fn is_entry(object: &Map<String, Value>) -> bool {
    let has = |key: &str| object.contains_key(key);
    has("@class")
        || has("@module")
        || (has("energy") && has("composition"))
        || (has("lattice") && has("sites"))
}

/// One frame for every entry.
pub(super) fn read(entries: &[Value], name: &str) -> Result<Vec<Frame>, FormatError> {
    if entries.is_empty() {
        return Err(FormatError::missing(Place::file(name), "an entry", "an empty list"));
    }
    let mut atoms_left = ATOM_LIMIT;
    let mut frames = Vec::with_capacity(entries.len());
    for (at, value) in entries.iter().enumerate() {
        let index = at + 1;
        let number = index.to_string();
        let Some(object) = value.as_object() else {
            let place = Place::file(name).frame(index);
            return Err(FormatError::syntax(place, format!("entry {index} is no object with @class")));
        };
        let bare = Node { object, name, index, id: &number };
        let id = bare.text("entry_id").or_else(|| bare.child("data").and_then(|d| d.text("material_id")));
        frames.push(entry(&Node { id: id.unwrap_or(&number), ..bare }, id, &mut atoms_left)?);
    }
    Ok(frames)
}

fn entry(node: &Node<'_>, id: Option<&str>, atoms_left: &mut u64) -> Result<Frame, FormatError> {
    let class = node
        .text("@class")
        .unwrap_or_else(|| if node.object.contains_key("sites") { "Structure" } else { "ComputedEntry" });
    let mut frame = match class {
        "Structure" | "IStructure" => structure(node)?,
        "ComputedStructureEntry" => {
            let inner = node
                .child("structure")
                .ok_or_else(|| node.missing("the structure", "a ComputedStructureEntry without it"))?;
            structure(&inner)?
        }
        "ComputedEntry" => match node.child("structure") {
            Some(inner) => structure(&inner)?,
            None => composition(node, atoms_left)?,
        },
        other => {
            let problem = format!(
                "the class {} is not read; ComputedEntry, ComputedStructureEntry and Structure are",
                shown(other)
            );
            return Err(node.refuse(problem));
        }
    };
    frame.file = node.name.to_string();
    frame.index = node.index;
    let info = &mut frame.info;
    if let Some(id) = id {
        info.insert("id".into(), InfoValue::Text(id.to_string()));
    }
    if matches!(class, "Structure" | "IStructure") {
        return Ok(frame);
    }
    let energy = node
        .number("energy")?
        .ok_or_else(|| node.missing("the energy", "an entry without the key energy"))?;
    info.insert("energy".into(), InfoValue::Float(energy));
    if let Some(correction) = correction(node)? {
        info.insert("correction".into(), InfoValue::Float(correction));
        info.insert("corrected_energy".into(), InfoValue::Float(energy + correction));
    }
    if let Some(parameters) = node.child("parameters") {
        method(&parameters)?.write(info);
        if let Some(run_type) = parameters.text("run_type") {
            info.insert("run_type".into(), InfoValue::Text(run_type.to_string()));
        }
        let titles = titles(&parameters);
        if !titles.is_empty() {
            // Only VASP has such potentials: its own files name it too.
            info.insert("calculator".into(), InfoValue::Text(super::method::VASP.into()));
            info.insert("potentials".into(), InfoValue::Text(titles.join(", ")));
        }
    }
    Ok(frame)
}

/// `correction`, else the sum of `energy_adjustments`; `None` where neither tells it.
fn correction(node: &Node<'_>) -> Result<Option<f64>, FormatError> {
    if let Some(correction) = node.number("correction")? {
        return Ok(Some(correction));
    }
    let Some(adjustments) = node.get("energy_adjustments").and_then(Value::as_array) else { return Ok(None) };
    let value = |adjustment: &Value| {
        let number = |key: &str| adjustment.get(key).and_then(finite);
        number("value").or_else(|| Some(number("adj_per_atom")? * number("n_atoms")?))
    };
    Ok(adjustments.iter().map(value).sum::<Option<f64>>().filter(|sum| sum.is_finite()))
}

fn titles<'a>(parameters: &Node<'a>) -> Vec<&'a str> {
    let list = |key: &str| parameters.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let symbols: Vec<&str> = list("potcar_symbols").iter().filter_map(Value::as_str).collect();
    if !symbols.is_empty() {
        return symbols;
    }
    list("potcar_spec").iter().filter_map(|spec| spec.get("titel").and_then(Value::as_str)).collect()
}

fn method(parameters: &Node<'_>) -> Result<Method, FormatError> {
    let mut method = Method::default();
    let run_type = parameters.text("run_type").map(|text| text.trim().trim_end_matches("+U"));
    method.functional = match run_type {
        // GGA says no more than that it is one: the potentials name it.
        Some("GGA") => Some(functional_of_titles(titles(parameters)).unwrap_or_else(|| "GGA".into())),
        Some(other) => Some(canonical_functional(other)),
        None => functional_of_titles(titles(parameters)),
    };
    for (element, value) in parameters.child("hubbards").iter().flat_map(|node| node.object) {
        let value = finite(value).ok_or_else(|| {
            parameters.refuse(format!("the Hubbard parameter of {} is no number", shown(element)))
        })?;
        method.add_hubbard(element, value);
    }
    // With U, but nobody says which: not the same as without.
    if method.hubbard.is_empty()
        && parameters.text("run_type").is_some_and(|text| text.trim().ends_with("+U"))
    {
        method.functional = method.functional.map(|functional| format!("{functional}+U"));
    }
    Ok(method)
}

/// An element.
fn element(node: &Node<'_>, symbol: &str) -> Result<&'static str, FormatError> {
    atomic_number(symbol).and_then(element_symbol).ok_or_else(|| {
        node.refuse(format!(
            "the species {} is no element, with or without an oxidation state",
            shown(symbol)
        ))
    })
}

/// An element with its oxidation state, as pymatgen writes it: Li+, Mn3+, O2-; an element alone where the state is 0.
fn label(element: &str, state: f64) -> String {
    let (size, sign) = (state.abs(), if state < 0.0 { '-' } else { '+' });
    if size < 1e-9 {
        element.to_string()
    } else if (size - 1.0).abs() < 1e-9 {
        format!("{element}{sign}")
    } else {
        format!("{element}{size}{sign}")
    }
}

/// An element, or one with an oxidation state.
fn species(node: &Node<'_>, symbol: &str) -> Result<String, FormatError> {
    let bare = symbol.trim_end_matches(['+', '-']);
    if bare.len() == symbol.len() {
        return Ok(element(node, symbol)?.to_string());
    }
    let sign = &symbol[bare.len()..];
    let digits = bare.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let size = if digits.is_empty() { Some(1.0) } else { digits.parse::<f64>().ok() };
    let (Some(size), true) = (size.filter(|s| s.is_finite()), sign.len() == 1) else {
        return Ok(element(node, symbol)?.to_string());
    };
    let element = element(node, &bare[..bare.len() - digits.len()])?;
    Ok(label(element, if sign == "-" { -size } else { size }))
}

/// Species only: `{"Li": 2.0, "Ti": 4.0, "O": 8.0}`.
fn composition(node: &Node<'_>, atoms_left: &mut u64) -> Result<Frame, FormatError> {
    let composition = node
        .child("composition")
        .ok_or_else(|| node.missing("the composition", "an entry without composition and structure"))?;
    let mut atoms = Vec::new();
    for (symbol, amount) in composition.object.iter().filter(|(symbol, _)| !symbol.starts_with('@')) {
        let symbol = species(node, symbol)?;
        let amount = finite(amount).filter(|amount| *amount >= 0.0 && (amount - amount.round()).abs() < 1e-6);
        let amount = amount.ok_or_else(|| {
            node.refuse(format!(
                "the amount of {symbol} is no whole number of atoms; give the composition of the whole cell"
            ))
        })?;
        let count = amount.round() as u64;
        if count > *atoms_left {
            return Err(
                node.refuse(format!("the compositions of the file hold more than {ATOM_LIMIT} atoms"))
            );
        }
        *atoms_left -= count;
        atoms.extend((0..count).map(|_| symbol.clone()));
    }
    if atoms.is_empty() {
        return Err(node.refuse("the composition is empty"));
    }
    Ok(Frame {
        file: String::new(),
        index: node.index,
        line: 0,
        lattice_angstrom: None,
        periodic: [false; 3],
        species: atoms,
        positions_angstrom: Vec::new(),
        info: BTreeMap::new(),
        arrays: BTreeMap::new(),
    })
}

fn structure(node: &Node<'_>) -> Result<Frame, FormatError> {
    let lattice = node
        .child("lattice")
        .and_then(|lattice| rows(lattice.get("matrix")?))
        .and_then(|rows| Matrix3::try_from(rows).ok())
        .ok_or_else(|| node.missing("lattice.matrix", "a structure without nine numbers under this key"))?;
    let sites = node
        .get("sites")
        .and_then(Value::as_array)
        .filter(|sites| !sites.is_empty())
        .ok_or_else(|| node.missing("the list sites", "a structure without sites"))?;
    let mut species = Vec::with_capacity(sites.len());
    let mut fractional = Vec::with_capacity(sites.len());
    let mut moments = Vec::with_capacity(sites.len());
    for (at, site) in sites.iter().enumerate() {
        species.push(site_species(node, at + 1, site)?);
        let position = site.get("abc").and_then(row);
        fractional.push(position.ok_or_else(|| {
            node.refuse(format!("site {} has no fractional coordinates abc of three finite numbers", at + 1))
        })?);
        moments.extend(site.get("properties").and_then(|p| p.get("magmom")).and_then(finite));
    }
    let structure = Structure::new(lattice, species, fractional)
        .map_err(|source| FormatError::Structure { place: Box::new(node.place()), source })?;
    let mut frame = Frame::from_structure(&structure);
    if moments.len() == sites.len() {
        frame.arrays.insert("magmoms".into(), AtomArray::Real { width: 1, values: moments });
    }
    Ok(frame)
}

fn site_species(node: &Node<'_>, number: usize, site: &Value) -> Result<String, FormatError> {
    let listed = site.get("species").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let described = || {
        let part = |s: &Value| {
            let symbol = s.get("element").and_then(Value::as_str).unwrap_or("?").to_string();
            format!("{symbol} {}", s.get("occu").and_then(finite).unwrap_or(1.0))
        };
        listed.iter().take(8).map(part).collect::<Vec<_>>().join(", ")
    };
    let [single] = listed else {
        let problem =
            format!("site {number} is disordered ({}); give an ordered structure", shown(&described()));
        return Err(node.refuse(problem));
    };
    if single.get("occu").and_then(finite).is_some_and(|occupancy| (occupancy - 1.0).abs() > 1e-6) {
        let problem =
            format!("site {number} is partly occupied ({}); give an ordered structure", shown(&described()));
        return Err(node.refuse(problem));
    }
    let symbol = single.get("element").and_then(Value::as_str).unwrap_or("");
    match single.get("oxidation_state").and_then(finite) {
        Some(state) => Ok(label(element(node, symbol)?, state)),
        None => species(node, symbol),
    }
}
