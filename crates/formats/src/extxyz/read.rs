//! The reader of extended XYZ.

use super::header::parse_header;
use super::{NAME, PLAIN_PROPERTIES};
use crate::elements::element_symbol;
use crate::error::{FormatError, Place, shown};
use crate::frame::{AtomArray, Frame, InfoValue};
use crate::text::{column_of, demand_number, parse_integer, parse_logical, recognise};
use scalade_crystal::{CrystalError, Matrix3, determinant};
use std::collections::{BTreeMap, BTreeSet};

/// All frames of an extended XYZ text. `name` is the file's name in messages.
///
/// The header's `Lattice`, `pbc` and `Properties` become fields of the frame, every other key an entry of
/// `info`. Without
/// `Lattice` a frame is a molecule (not periodic); with it and without `pbc` it is periodic along all three
/// vectors.
/// Without `Properties` the columns are species and position; if `Lattice` is not there either, the header
/// is free text (plain
/// XYZ) and is kept as `info["comment"]`. What ASE writes as `_JSON ...` stays a text.
///
/// Errors: [`FormatError`] with line, column and frame for a malformed count, missing atoms, numbers that
/// are none or not
/// finite, columns that do not fit `Properties`, lattices without volume, an empty file, and files of
/// another format.
pub fn read_extxyz(text: &str, name: &str) -> Result<Vec<Frame>, FormatError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(FormatError::Empty { place: Box::new(Place::file(name)), wanted: NAME });
    }
    let mut lines = Lines { lines: text.lines(), number: 0 };
    let mut frames = Vec::new();
    while let Some((line, number)) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        let index = frames.len() + 1;
        let place = Place::line(name, number).frame(index);
        let count =
            atom_count(line, &place).map_err(|error| other_format(text, name, index).unwrap_or(error))?;
        frames.push(read_frame(&mut lines, count, &place)?);
    }
    Ok(frames)
}

struct Lines<'a> {
    lines: std::str::Lines<'a>,
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<(&'a str, usize)> {
        self.number += 1;
        self.lines.next().map(|line| (line, self.number))
    }
}

fn other_format(text: &str, name: &str, index: usize) -> Option<FormatError> {
    let (looks_like, way_out) = if index == 1 { recognise(text)? } else { return None };
    Some(FormatError::WrongFormat { place: Box::new(Place::file(name)), looks_like, wanted: NAME, way_out })
}

fn atom_count(line: &str, place: &Place) -> Result<u64, FormatError> {
    let token = line.trim();
    let digits = !token.is_empty() && token.bytes().all(|b| b.is_ascii_digit());
    match token.parse::<u64>() {
        Ok(0) => {
            Err(FormatError::syntax(place.clone(), "a frame must have at least one atom, this one has 0"))
        }
        Ok(count) if digits => Ok(count),
        _ => {
            let hint =
                if place.frame == Some(1) { "" } else { "; is the count of the frame before too small?" };
            let problem = format!("expected the number of atoms of a frame, found '{}'{hint}", shown(line));
            Err(FormatError::syntax(place.clone(), problem))
        }
    }
}

fn read_frame(lines: &mut Lines<'_>, count: u64, start: &Place) -> Result<Frame, FormatError> {
    let frame_index = start.frame.unwrap_or(1);
    let too_few = |found: u64| FormatError::Count {
        place: Box::new(start.clone()),
        what: format!("atoms of frame {frame_index} before the file ends"),
        expected: count,
        found,
    };
    let Some((header, header_line)) = lines.next() else { return Err(too_few(0)) };
    let place = |line: usize| Place::line(&start.file, line).frame(frame_index);
    let mut frame = Frame {
        file: start.file.clone(),
        index: frame_index,
        line: start.line.unwrap_or(0),
        lattice_angstrom: None,
        periodic: [false; 3],
        species: Vec::new(),
        positions_angstrom: Vec::new(),
        info: BTreeMap::new(),
        arrays: BTreeMap::new(),
    };
    let properties = read_header(header, &place(header_line), &mut frame)?;
    let mut columns = Columns::new(&properties, &place(header_line))?;
    for atom in 0..count {
        let Some((line, number)) = lines.next() else { return Err(too_few(atom)) };
        columns.read_atom(line, || place(number))?;
    }
    columns.finish(&mut frame, &place(header_line))?;
    Ok(frame)
}

/// Fills lattice, periodicity and info; returns the `Properties`.
fn read_header(header: &str, place: &Place, frame: &mut Frame) -> Result<String, FormatError> {
    let extended = header.contains("Lattice") || header.contains("Properties") || header.contains("pbc");
    let pairs = match parse_header(header, place) {
        Ok(pairs) if extended => pairs,
        Err(error) if extended => return Err(error),
        _ => {
            if !header.trim().is_empty() {
                frame.info.insert("comment".into(), InfoValue::Text(header.to_string()));
            }
            return Ok(PLAIN_PROPERTIES.into());
        }
    };
    let (mut properties, mut periodic) = (None, None);
    for (key, value, offset) in pairs {
        let here = || place.clone().column(header[..offset].chars().count() + 1);
        match key.as_str() {
            "Lattice" => frame.lattice_angstrom = Some(lattice(&value).ok_or_else(|| {
                let problem = "Lattice needs nine finite numbers (three vectors one after the other, angstrom) or three for a right-angled cell";
                FormatError::syntax(here(), problem)
            })?),
            "pbc" => periodic = Some(periodicity(&value).ok_or_else(|| {
                FormatError::syntax(here(), "pbc needs three logicals such as pbc=\"T T T\"")
            })?),
            "Properties" => match value {
                InfoValue::Text(text) if properties.is_none() => properties = Some(text),
                _ => {
                    let problem = "Properties must stand once and read like species:S:1:pos:R:3";
                    return Err(FormatError::syntax(here(), problem));
                }
            },
            _ => {
                if frame.info.insert(key.clone(), value).is_some() {
                    return Err(FormatError::syntax(here(), format!("key '{}' stands twice", shown(&key))));
                }
            }
        }
    }
    frame.periodic = periodic.unwrap_or([frame.lattice_angstrom.is_some(); 3]);
    if let Some(lattice) = &frame.lattice_angstrom {
        let determinant = determinant(lattice);
        let flat = !(determinant.is_finite() && determinant.abs() > 1e-9);
        if flat && frame.periodic != [false; 3] {
            let source = CrystalError::Degenerate { determinant };
            return Err(FormatError::Structure { place: Box::new(place.clone()), source });
        }
    } else if frame.periodic != [false; 3] {
        return Err(FormatError::syntax(
            place.clone(),
            "pbc is T along a direction but there is no Lattice; add it or write pbc=\"F F F\"",
        ));
    }
    Ok(properties.unwrap_or_else(|| PLAIN_PROPERTIES.into()))
}

fn lattice(value: &InfoValue) -> Option<Matrix3> {
    match value.numbers()?.as_slice() {
        [a, b, c, d, e, f, g, h, i] => Some([[*a, *b, *c], [*d, *e, *f], [*g, *h, *i]]),
        [a, b, c] => Some([[*a, 0.0, 0.0], [0.0, *b, 0.0], [0.0, 0.0, *c]]),
        _ => None,
    }
}

fn periodicity(value: &InfoValue) -> Option<[bool; 3]> {
    match value {
        InfoValue::Bool(all) => Some([*all; 3]),
        InfoValue::Bools(three) => three.as_slice().try_into().ok(),
        InfoValue::Ints(three) if three.iter().all(|i| matches!(i, 0 | 1)) => {
            <[i64; 3]>::try_from(three.as_slice()).ok().map(|three| three.map(|i| i == 1))
        }
        _ => None,
    }
}

/// The columns that `Properties` declares, and what has been read into them.
struct Columns {
    arrays: Vec<(String, AtomArray)>,
    total: u64,
}

impl Columns {
    fn new(properties: &str, place: &Place) -> Result<Self, FormatError> {
        let malformed = |problem: &str| {
            let text = format!(
                "Properties={}: {problem}; it reads name:type:columns with type S, I, R or L",
                shown(properties)
            );
            FormatError::syntax(place.clone(), text)
        };
        let parts: Vec<&str> = properties.split(':').collect();
        let mut arrays: Vec<(String, AtomArray)> = Vec::new();
        let (mut total, mut names) = (0u64, BTreeSet::new());
        for triplet in parts.chunks(3) {
            let [name, kind, count] = triplet else { return Err(malformed("it is not a list of triplets")) };
            let width = count.parse::<u32>().ok().filter(|w| *w > 0);
            let width =
                width.ok_or_else(|| malformed("a number of columns is not a positive integer"))? as usize;
            let array = match *kind {
                "R" => AtomArray::Real { width, values: Vec::new() },
                "I" => AtomArray::Integer { width, values: Vec::new() },
                "L" => AtomArray::Logical { width, values: Vec::new() },
                "S" => AtomArray::Text { width, values: Vec::new() },
                _ => return Err(malformed("an unknown type")),
            };
            if name.is_empty() || !names.insert(*name) {
                return Err(malformed("a name is empty or stands twice"));
            }
            arrays.push(((*name).to_string(), array));
            total += width as u64;
        }
        Ok(Self { arrays, total })
    }

    fn read_atom(&mut self, line: &str, place: impl Fn() -> Place) -> Result<(), FormatError> {
        let mut tokens = line.split_whitespace();
        for (name, array) in &mut self.arrays {
            for _ in 0..array.width() {
                let Some(token) = tokens.next() else {
                    let found = line.split_whitespace().count() as u64;
                    let what = "columns of this atom (Properties declares them)".to_string();
                    return Err(FormatError::Count {
                        place: Box::new(place()),
                        what,
                        expected: self.total,
                        found,
                    });
                };
                let here = || place().column(column_of(line, token));
                let wrong = |wanted: &str| {
                    FormatError::syntax(
                        here(),
                        format!("'{}' is not {wanted} for property '{name}'", shown(token)),
                    )
                };
                match array {
                    AtomArray::Real { values, .. } => values.push(demand_number(token, here, name)?),
                    AtomArray::Integer { values, .. } => {
                        values.push(parse_integer(token).ok_or_else(|| wrong("an integer"))?);
                    }
                    AtomArray::Logical { values, .. } => {
                        values.push(parse_logical(token).ok_or_else(|| wrong("a logical (T or F)"))?);
                    }
                    AtomArray::Text { values, .. } => values.push(token.to_string()),
                }
            }
        }
        if tokens.next().is_some() {
            let found = line.split_whitespace().count() as u64;
            let what = "columns of this atom (declare all of them in Properties)".to_string();
            return Err(FormatError::Count { place: Box::new(place()), what, expected: self.total, found });
        }
        Ok(())
    }

    fn finish(self, frame: &mut Frame, place: &Place) -> Result<(), FormatError> {
        let wrong = |problem: &str| FormatError::syntax(place.clone(), problem);
        let mut numbers = None;
        let mut positions = None;
        let mut species = None;
        for (name, array) in self.arrays {
            match (name.as_str(), array) {
                ("pos", AtomArray::Real { width: 3, values }) => {
                    positions = Some(values.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect());
                }
                ("pos", _) => return Err(wrong("the property pos must be pos:R:3")),
                ("species", AtomArray::Text { width: 1, values }) => species = Some(values),
                ("species", _) => return Err(wrong("the property species must be species:S:1")),
                ("Z", AtomArray::Integer { width: 1, values }) => numbers = Some(values),
                (_, array) => {
                    frame.arrays.insert(name, array);
                }
            }
        }
        frame.positions_angstrom =
            positions.ok_or_else(|| wrong("Properties names no positions; it needs pos:R:3"))?;
        frame.species = match (species, numbers) {
            (Some(species), None) => species,
            (Some(species), Some(values)) => {
                frame.arrays.insert("Z".into(), AtomArray::Integer { width: 1, values });
                species
            }
            (None, Some(values)) => {
                let symbol = |z: &i64| u64::try_from(*z).ok().and_then(element_symbol).map(str::to_string);
                let symbols: Option<Vec<String>> = values.iter().map(symbol).collect();
                symbols.ok_or_else(|| wrong("an atomic number Z is not between 0 and 118"))?
            }
            (None, None) => return Err(wrong("Properties names no species; it needs species:S:1 or Z:I:1")),
        };
        Ok(())
    }
}
