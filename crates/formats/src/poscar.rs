//! POSCAR and CONTCAR of VASP 5 and later.

use crate::error::{FormatError, Place, shown};
use crate::text::{column_of, demand_number, parse_number, recognise};
use scalade_crystal::{Matrix3, Structure, determinant};
use std::fmt::Write;

const NAME: &str = "POSCAR";

/// A POSCAR file.
#[derive(Clone, Debug, PartialEq)]
pub struct Poscar {
    /// The first line.
    pub comment: String,
    /// Lattice, species and positions.
    pub structure: Structure,
    /// Which fractional coordinates may move (selective dynamics), atom by atom.
    pub selective: Option<Vec<[bool; 3]>>,
    /// Lines after the positions (velocities, predictor-corrector data), which are not read.
    pub unread_lines: usize,
}

struct Reader<'a> {
    lines: std::iter::Enumerate<std::str::Lines<'a>>,
    name: &'a str,
    last: usize,
}

impl<'a> Reader<'a> {
    fn line(&mut self, what: &str) -> Result<&'a str, FormatError> {
        match self.lines.next() {
            Some((index, line)) => {
                self.last = index + 1;
                Ok(line)
            }
            None => Err(FormatError::syntax(
                Place::line(self.name, self.last + 1),
                format!("the file ends where {what} should be"),
            )),
        }
    }

    fn place(&self) -> Place {
        Place::line(self.name, self.last)
    }

    /// The first N numbers of a line.
    fn numbers<const N: usize>(&self, line: &str, what: &str) -> Result<[f64; N], FormatError> {
        let mut tokens = line.split_whitespace();
        let mut out = [0.0; N];
        for (found, value) in out.iter_mut().enumerate() {
            let token = tokens.next().ok_or_else(|| FormatError::Count {
                place: Box::new(self.place()),
                what: format!("numbers of {what}"),
                expected: N as u64,
                found: found as u64,
            })?;
            *value = demand_number(token, || self.place().column(column_of(line, token)), what)?;
        }
        Ok(out)
    }
}

/// A POSCAR or CONTCAR text of VASP 5 and later: one scaling factor (negative: the cell's volume in cubic
/// angstrom) or three,
/// Direct or Cartesian coordinates, selective dynamics. Suffixes of symbols (`Li_sv`, `Co/1a2b`) are
/// dropped. Whatever follows the
/// positions is not read, only counted.
///
/// Errors: with file and line for everything malformed; the older form without a line of symbols is refused.
pub fn read_poscar(text: &str, name: &str) -> Result<Poscar, FormatError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(FormatError::Empty { place: Box::new(Place::file(name)), wanted: NAME });
    }
    // The first line of a POSCAR is free: what it looks like matters only where it cannot be read.
    parse(text, name).map_err(|error| {
        match recognise(text).filter(|(format, _)| *format != "a POSCAR file") {
            Some((looks_like, way_out)) => FormatError::WrongFormat {
                place: Box::new(Place::file(name)),
                looks_like,
                wanted: NAME,
                way_out,
            },
            None => error,
        }
    })
}

fn parse(text: &str, name: &str) -> Result<Poscar, FormatError> {
    let mut reader = Reader { lines: text.lines().enumerate(), name, last: 0 };
    let comment = reader.line("a comment")?.trim().to_string();
    let scale_line = reader.line("the scaling factor")?;
    let scale_place = reader.place();
    let mut lattice: Matrix3 = [[0.0; 3]; 3];
    for vector in &mut lattice {
        let line = reader.line("a lattice vector")?;
        *vector = reader.numbers(line, "a lattice vector")?;
    }
    let scale = scaling(scale_line, &scale_place, &lattice)?;
    for vector in &mut lattice {
        for (component, factor) in vector.iter_mut().zip(scale) {
            *component *= factor;
        }
    }
    let (symbols, counts) = species(&mut reader)?;
    let (selective, cartesian) = mode(&mut reader)?;
    let mut species = Vec::new();
    let mut positions = Vec::new();
    let mut flags = Vec::new();
    for (symbol, count) in symbols.iter().zip(&counts) {
        for _ in 0..*count {
            let line = reader.line("a position")?;
            positions.push(reader.numbers::<3>(line, "a position")?);
            species.push(symbol.clone());
            if selective {
                flags.push(selective_flags(line, &reader.place())?);
            }
        }
    }
    let structure = if cartesian {
        for position in &mut positions {
            for (component, factor) in position.iter_mut().zip(scale) {
                *component *= factor;
            }
        }
        Structure::from_cartesian(lattice, species, &positions)
    } else {
        Structure::new(lattice, species, positions)
    };
    let structure =
        structure.map_err(|source| FormatError::Structure { place: Box::new(Place::file(name)), source })?;
    let unread_lines = reader.lines.filter(|(_, line)| !line.trim().is_empty()).count();
    Ok(Poscar { comment, structure, selective: selective.then_some(flags), unread_lines })
}

/// Factors of the three Cartesian axes.
fn scaling(line: &str, place: &Place, lattice: &Matrix3) -> Result<[f64; 3], FormatError> {
    let numbers: Vec<f64> = line.split_whitespace().map_while(parse_number).take(3).collect();
    let volume = determinant(lattice).abs();
    let scale = match numbers.as_slice() {
        [a, b, c] if *a > 0.0 && *b > 0.0 && *c > 0.0 => [*a, *b, *c],
        [target] | [target, _] if *target < 0.0 => [(-target / volume).cbrt(); 3],
        [factor] | [factor, _] if *factor > 0.0 => [*factor; 3],
        _ => {
            let problem = format!(
                "the scaling factor must be one number that is not zero (negative: the volume) or three positive ones, found '{}'",
                shown(line)
            );
            return Err(FormatError::syntax(place.clone(), problem));
        }
    };
    if scale.iter().all(|s| s.is_finite() && *s > 0.0) {
        return Ok(scale);
    }
    let source = scalade_crystal::CrystalError::Degenerate { determinant: volume };
    Err(FormatError::Structure { place: Box::new(place.clone()), source })
}

fn species(reader: &mut Reader<'_>) -> Result<(Vec<String>, Vec<u64>), FormatError> {
    let line = reader.line("the line of element symbols")?;
    let first = line.split_whitespace().next().unwrap_or("");
    if !first.starts_with(|c: char| c.is_alphabetic()) {
        let problem = format!(
            "expected element symbols, found '{}'; files of VASP 4 have none: insert a line such as 'Li Co O' before the counts",
            shown(line)
        );
        return Err(FormatError::syntax(reader.place(), problem));
    }
    let symbol = |token: &str| token.split(['_', '/']).next().unwrap_or("").to_string();
    let symbols: Vec<String> = line.split_whitespace().map(symbol).collect();
    let line = reader.line("the line of atom counts")?;
    let mut counts = Vec::new();
    for token in line.split_whitespace().take_while(|t| !t.starts_with('!')) {
        counts.push(token.parse::<u64>().ok().filter(|c| *c > 0).ok_or_else(|| {
            let place = reader.place().column(column_of(line, token));
            FormatError::syntax(place, format!("'{}' is not a number of atoms", shown(token)))
        })?);
    }
    if counts.len() != symbols.len() {
        return Err(FormatError::Count {
            place: Box::new(reader.place()),
            what: "atom counts, one for each element symbol".into(),
            expected: symbols.len() as u64,
            found: counts.len() as u64,
        });
    }
    Ok((symbols, counts))
}

/// Whether the dynamics are selective and the coordinates Cartesian.
fn mode(reader: &mut Reader<'_>) -> Result<(bool, bool), FormatError> {
    let mut line = reader.line("'Direct' or 'Cartesian'")?;
    let first = |line: &str| line.trim_start().chars().next().unwrap_or(' ').to_ascii_lowercase();
    let selective = first(line) == 's';
    if selective {
        line = reader.line("'Direct' or 'Cartesian'")?;
    }
    match first(line) {
        'd' => Ok((selective, false)),
        'c' | 'k' => Ok((selective, true)),
        _ => {
            let problem = format!("expected 'Direct' or 'Cartesian', found '{}'", shown(line));
            Err(FormatError::syntax(reader.place(), problem))
        }
    }
}

fn selective_flags(line: &str, place: &Place) -> Result<[bool; 3], FormatError> {
    let mut tokens = line.split_whitespace().skip(3);
    let mut flags = [false; 3];
    for flag in &mut flags {
        let token = tokens.next().unwrap_or("");
        // Fortran reads T, .TRUE. and the like by the first letter.
        *flag = match token.trim_start_matches('.').chars().next().map(|c| c.to_ascii_lowercase()) {
            Some('t') => true,
            Some('f') => false,
            _ => {
                let problem = format!(
                    "selective dynamics needs three of T or F after the position, found '{}'",
                    shown(token)
                );
                return Err(FormatError::syntax(place.clone(), problem));
            }
        };
    }
    Ok(flags)
}

/// A structure as POSCAR with Direct coordinates, in its own order of atoms; it reads back to the bit.
///
/// Errors: [`FormatError::Unwritable`] for a comment of several lines, flags that do not fit the atoms, no
/// atoms, and symbols that
/// are not words.
pub fn write_poscar(poscar: &Poscar) -> Result<String, FormatError> {
    let refuse = |reason: &str| FormatError::unwritable(shown(&poscar.comment), NAME, reason);
    let structure = &poscar.structure;
    if structure.is_empty() {
        return Err(refuse("it has no atoms"));
    }
    if poscar.comment.contains(['\n', '\r']) || poscar.comment.trim() != poscar.comment {
        return Err(refuse("the comment must be one line without blanks at its ends"));
    }
    if poscar.selective.as_ref().is_some_and(|flags| flags.len() != structure.len()) {
        return Err(refuse("selective dynamics needs flags for every atom"));
    }
    let mut groups: Vec<(&str, usize)> = Vec::new();
    for symbol in structure.species() {
        let letters = !symbol.is_empty() && symbol.chars().all(char::is_alphanumeric);
        if !letters || !symbol.starts_with(char::is_alphabetic) {
            return Err(refuse("a species is not an element symbol; remove charges and labels"));
        }
        match groups.last_mut() {
            Some((last, count)) if last == symbol => *count += 1,
            _ => groups.push((symbol, 1)),
        }
    }
    let mut out = format!("{}\n1.0\n", poscar.comment);
    for vector in structure.lattice_angstrom() {
        let _ = writeln!(out, "  {:?} {:?} {:?}", vector[0], vector[1], vector[2]);
    }
    let symbols: Vec<&str> = groups.iter().map(|(symbol, _)| *symbol).collect();
    let counts: Vec<String> = groups.iter().map(|(_, count)| count.to_string()).collect();
    let _ = writeln!(out, "{}\n{}", symbols.join(" "), counts.join(" "));
    if poscar.selective.is_some() {
        out.push_str("Selective dynamics\n");
    }
    out.push_str("Direct\n");
    for (atom, position) in structure.fractional().iter().enumerate() {
        let _ = write!(out, "  {:?} {:?} {:?}", position[0], position[1], position[2]);
        if let Some(flags) = poscar.selective.as_ref().and_then(|flags| flags.get(atom)) {
            let letters = flags.map(|f| if f { "T" } else { "F" });
            let _ = write!(out, " {}", letters.join(" "));
        }
        out.push('\n');
    }
    Ok(out)
}
