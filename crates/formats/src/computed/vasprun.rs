//! vasprun.xml of VASP.

use super::method::{Method, functional_of_gga, functional_of_titles};
use crate::elements::{atomic_number, element_symbol};
use crate::error::{FormatError, Place, shown};
use crate::frame::{Frame, InfoValue};
use crate::text::{Look, demand_number, parse_logical, parse_number};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use scalade_crystal::{Matrix3, Structure};
use std::collections::BTreeMap;

const NAME: &str = "vasprun.xml";
const DEPTH_LIMIT: usize = 64;
/// NELM where the file does not state it.
const DEFAULT_STEPS: f64 = 60.0;
/// Settings that say how the energy was computed.
const SETTINGS: [&str; 15] = [
    "GGA", "METAGGA", "LDAU", "LDAUTYPE", "LDAUL", "LDAUU", "LDAUJ", "NELM", "ISPIN", "NSW", "LHFCALC",
    "HFSCREEN", "AEXX", "IVDW", "LUSE_VDW",
];

/// A text and where it ends, in bytes.
#[derive(Clone, Debug, Default)]
struct Found {
    text: String,
    at: usize,
}

/// Energies by name, as they stand.
type Energies = BTreeMap<String, Found>;

#[derive(Debug, Default)]
struct Crystal {
    basis: Vec<Found>,
    positions: Vec<Found>,
}

/// One ionic step.
#[derive(Debug, Default)]
struct Step {
    electronic_steps: usize,
    last_electronic: Energies,
    energies: Energies,
    crystal: Crystal,
}

#[derive(Debug, Default)]
struct Document {
    settings: BTreeMap<&'static str, Found>,
    elements: Vec<Found>,
    types: Vec<Found>,
    steps: usize,
    last: Option<Step>,
    complete: bool,
}

/// The last ionic step of a vasprun.xml.
///
/// `energy` is the total energy in eV per cell, extrapolated to zero smearing (sigma -> 0, `e_0_energy`); some
/// versions of VASP write a wrong `e_0_energy` at the end of an ionic step, so that it is
/// `e_fr_energy(ionic step) + (e_0_energy - e_fr_energy)(last electronic step)` where electronic steps are there.
/// `e_fr_energy` (free energy F of the smeared electrons) and `e_wo_entrp` are kept under these names.
/// `functional` is named by METAGGA, LHFCALC, GGA and, where GGA is `--`, by the titles of the potentials;
/// corrections of dispersion are added (`PBE+IVDW=12`). `hubbard_u` is U - J (LDAUTYPE 2) or U/J of every
/// element with LDAUL >= 0, eV. `ispin`, `potentials`, `ionic_steps` and, where the steps ran out (NSW),
/// `relaxation_converged=F` are told beside. `id` is the name of the file.
///
/// Errors: with the line for XML that is none, declared entities, a file that ends early (a run that was
/// interrupted), electronic steps that reached NELM (not converged), no ionic step, numbers that are not finite;
/// [`FormatError::WrongFormat`] for files of another format.
pub fn read_vasprun(text: &str, name: &str) -> Result<Frame, FormatError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(FormatError::Empty { place: Box::new(Place::file(name)), wanted: NAME });
    }
    if let Some(error) = super::wrong_format(text, name, NAME, &[Look::Vasprun, Look::Xml]) {
        return Err(error);
    }
    let document =
        Parser { text, name, path: Vec::new(), leaf: String::new(), step: Step::default() }.run()?;
    Source { text, name, document: &document }.frame()?.checked()
}

/// Symbol of an element; VASP writes `r` for zirconium with some of its potentials.
fn element_name(text: &str) -> &str {
    if text == "r" { "Zr" } else { text }
}

/// Line of a byte.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count()
}

/// An open element: its tag and its attribute `name`.
struct Open {
    tag: String,
    name: String,
}

struct Parser<'a> {
    text: &'a str,
    name: &'a str,
    path: Vec<Open>,
    leaf: String,
    step: Step,
}

impl Parser<'_> {
    fn refuse(&self, at: usize, problem: impl Into<String>) -> FormatError {
        FormatError::syntax(Place::line(self.name, line_of(self.text, at)), problem)
    }

    fn run(mut self) -> Result<Document, FormatError> {
        let mut reader = Reader::from_str(self.text);
        // VASP writes SYSTEM as the user wrote it: a bare & is a text.
        reader.config_mut().allow_dangling_amp = true;
        let mut document = Document::default();
        loop {
            let event = reader.read_event();
            let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            match event {
                Ok(Event::Start(start)) => self.open(&start, at, &document)?,
                Ok(Event::Empty(start)) => {
                    self.open(&start, at, &document)?;
                    self.close(at, &mut document);
                }
                Ok(Event::End(_)) => self.close(at, &mut document),
                Ok(Event::Text(text)) if self.in_leaf() => self.leaf.push_str(text.as_ref()),
                Ok(Event::CData(text)) if self.in_leaf() => self.leaf.push_str(text.as_ref()),
                Ok(Event::GeneralRef(reference)) => {
                    let character = match reference.as_ref() {
                        "lt" => '<',
                        "gt" => '>',
                        "amp" => '&',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => reference.resolve_char_ref().ok().flatten().ok_or_else(|| {
                            let entity = shown(reference.as_ref());
                            self.refuse(at, format!("the entity &{entity}; is not expanded; remove it"))
                        })?,
                    };
                    if self.in_leaf() {
                        self.leaf.push(character);
                    }
                }
                Ok(Event::DocType(_)) => {
                    return Err(self.refuse(at, "a document type is declared, which VASP does not write; remove it (entities are not expanded)"));
                }
                Ok(Event::Eof) => break,
                Ok(_) => {}
                Err(error) => {
                    let position = usize::try_from(reader.error_position()).unwrap_or(at);
                    return Err(self.refuse(
                        position,
                        format!("this is no well-formed XML: {}", shown(&error.to_string())),
                    ));
                }
            }
        }
        if document.complete {
            return Ok(document);
        }
        let inside = self.path.iter().map(|open| open.tag.as_str()).collect::<Vec<_>>().join("/");
        let problem = format!(
            "the file ends within {}: the run was interrupted or the copy is not whole; finish the run, or leave the file out",
            if inside.is_empty() { "its beginning" } else { &inside }
        );
        Err(self.refuse(self.text.len(), problem))
    }

    fn open(&mut self, start: &BytesStart<'_>, at: usize, document: &Document) -> Result<(), FormatError> {
        let tag = start.name().into_inner();
        if self.path.is_empty() && (tag != "modeling" || document.complete) {
            let problem =
                format!("expected one element modeling, found {}; this is no vasprun.xml", shown(tag));
            return Err(self.refuse(at, problem));
        }
        if self.path.len() >= DEPTH_LIMIT {
            return Err(self.refuse(at, format!("elements are nested deeper than {DEPTH_LIMIT}")));
        }
        let attribute = start.try_get_attribute("name").map_err(|error| {
            self.refuse(at, format!("an attribute is malformed: {}", shown(&error.to_string())))
        })?;
        let name = attribute.map(|a| a.value.trim().to_string()).unwrap_or_default();
        self.path.push(Open { tag: tag.to_string(), name });
        self.leaf.clear();
        match self.tags().as_slice() {
            ["modeling", "calculation"] => self.step = Step::default(),
            ["modeling", "calculation", "scstep"] => {
                self.step.electronic_steps += 1;
                self.step.last_electronic.clear();
            }
            ["modeling", "calculation", "structure"] => self.step.crystal = Crystal::default(),
            _ => {}
        }
        Ok(())
    }

    fn tags(&self) -> Vec<&str> {
        self.path.iter().take(8).map(|open| open.tag.as_str()).collect()
    }

    /// Whether the text of the innermost element is wanted.
    fn in_leaf(&self) -> bool {
        let tag = |at: usize| self.path.get(at).map_or("", |open| open.tag.as_str());
        let leaf = matches!(self.path.last().map_or("", |open| open.tag.as_str()), "i" | "v" | "c");
        let section = match tag(1) {
            "incar" | "parameters" | "atominfo" => true,
            "calculation" => matches!(tag(2), "scstep" | "energy" | "structure"),
            _ => false,
        };
        leaf && section
    }

    fn close(&mut self, at: usize, document: &mut Document) {
        if self.in_leaf() {
            let found = Found { text: self.leaf.trim().to_string(), at };
            self.keep(found, document);
        }
        if self.tags() == ["modeling", "calculation"] {
            document.steps += 1;
            document.last = Some(std::mem::take(&mut self.step));
        }
        if self.tags() == ["modeling"] {
            document.complete = true;
        }
        self.path.pop();
        self.leaf.clear();
    }

    fn keep(&mut self, found: Found, document: &mut Document) {
        let name = |from_end: usize| {
            self.path
                .len()
                .checked_sub(from_end)
                .and_then(|at| self.path.get(at))
                .map_or("", |open| open.name.as_str())
        };
        let own = name(1);
        match self.tags().as_slice() {
            ["modeling", "incar" | "parameters", .., "i" | "v"] => {
                if let Some(setting) = SETTINGS.iter().find(|s| **s == own) {
                    // `parameters`, which comes later, holds what VASP made of the input.
                    document.settings.insert(setting, found);
                }
            }
            ["modeling", "atominfo", "array", "set", "rc", "c"] => match name(4) {
                "atoms" => document.elements.push(found),
                "atomtypes" => document.types.push(found),
                _ => {}
            },
            ["modeling", "calculation", "scstep", "energy", "i"] => {
                self.step.last_electronic.insert(own.to_string(), found);
            }
            ["modeling", "calculation", "energy", "i"] => {
                self.step.energies.insert(own.to_string(), found);
            }
            ["modeling", "calculation", "structure", "crystal", "varray", "v"] if name(2) == "basis" => {
                self.step.crystal.basis.push(found);
            }
            ["modeling", "calculation", "structure", "varray", "v"] if name(2) == "positions" => {
                self.step.crystal.positions.push(found);
            }
            _ => {}
        }
    }
}

/// What was found, to be understood.
struct Source<'a> {
    text: &'a str,
    name: &'a str,
    document: &'a Document,
}

impl Source<'_> {
    fn place(&self, at: usize) -> Place {
        Place::line(self.name, line_of(self.text, at))
    }

    fn number(&self, found: &Found, what: &str) -> Result<f64, FormatError> {
        demand_number(&found.text, || self.place(found.at), what)
    }

    fn setting(&self, key: &str) -> Option<&str> {
        self.document.settings.get(key).map(|found| found.text.as_str())
    }

    fn logical(&self, key: &str) -> bool {
        self.setting(key).and_then(parse_logical).unwrap_or(false)
    }

    fn numeric(&self, key: &str) -> Option<f64> {
        self.setting(key).and_then(parse_number)
    }

    fn frame(&self) -> Result<Frame, FormatError> {
        let Some(step) = &self.document.last else {
            let available = "no ionic step that was finished; rerun, or leave the file out";
            return Err(FormatError::missing(Place::file(self.name), "an energy", available));
        };
        let limit = self.numeric("NELM").unwrap_or(DEFAULT_STEPS);
        if step.electronic_steps > 0 && step.electronic_steps as f64 >= limit {
            let problem = format!(
                "the last ionic step took {} electronic steps of at most {limit} (NELM) and is taken as not converged; raise NELM or change ALGO and rerun, or leave the file out",
                step.electronic_steps
            );
            return Err(FormatError::syntax(Place::file(self.name), problem));
        }
        let mut frame = Frame::from_structure(&self.structure(&step.crystal)?);
        frame.file = self.name.to_string();
        let info = &mut frame.info;
        info.insert("id".into(), InfoValue::Text(self.name.to_string()));
        self.energies(step, info)?;
        self.method()?.write(info);
        info.insert("calculator".into(), InfoValue::Text(super::method::VASP.into()));
        if let Some(spin) = self.numeric("ISPIN") {
            info.insert("ispin".into(), InfoValue::Int(spin as i64));
        }
        let titles: Vec<&str> = self.titles().collect();
        if !titles.is_empty() {
            info.insert("potentials".into(), InfoValue::Text(titles.join(", ")));
        }
        info.insert("ionic_steps".into(), InfoValue::Int(self.document.steps as i64));
        if self.numeric("NSW").is_some_and(|steps| steps > 1.0 && self.document.steps as f64 >= steps) {
            info.insert("relaxation_converged".into(), InfoValue::Bool(false));
        }
        Ok(frame)
    }

    fn energies(&self, step: &Step, info: &mut BTreeMap<String, InfoValue>) -> Result<(), FormatError> {
        let read = |energies: &Energies, key: &str| -> Result<Option<f64>, FormatError> {
            energies.get(key).map(|found| self.number(found, key)).transpose()
        };
        let free = read(&step.energies, "e_fr_energy")?;
        let without_entropy = read(&step.energies, "e_wo_entrp")?;
        let zero = read(&step.energies, "e_0_energy")?;
        let electronic =
            (read(&step.last_electronic, "e_0_energy")?, read(&step.last_electronic, "e_fr_energy")?);
        let energy = match (free, electronic) {
            (Some(free), (Some(last_zero), Some(last_free))) => {
                let corrected = free + (last_zero - last_free);
                // The digits of the file where they agree with it.
                zero.filter(|zero| (zero - corrected).abs() <= 1e-7).unwrap_or(corrected)
            }
            _ => zero.or(without_entropy).ok_or_else(|| {
                let found: Vec<&str> = step.energies.keys().map(String::as_str).take(10).collect();
                let available = if found.is_empty() { "none".into() } else { found.join(", ") };
                FormatError::missing(
                    Place::file(self.name),
                    "the energy e_0_energy of the last ionic step",
                    available,
                )
            })?,
        };
        let named = [("energy", Some(energy)), ("e_fr_energy", free), ("e_wo_entrp", without_entropy)];
        for (key, value) in named {
            if let Some(value) = value {
                info.insert(key.into(), InfoValue::Float(value));
            }
        }
        Ok(())
    }

    fn vector(&self, found: &Found, what: &str) -> Result<[f64; 3], FormatError> {
        let mut tokens = found.text.split_whitespace();
        let mut out = [0.0; 3];
        for (index, value) in out.iter_mut().enumerate() {
            let token = tokens.next().ok_or_else(|| FormatError::Count {
                place: Box::new(self.place(found.at)),
                what: format!("numbers of {what}"),
                expected: 3,
                found: index as u64,
            })?;
            *value = demand_number(token, || self.place(found.at), what)?;
        }
        Ok(out)
    }

    fn structure(&self, crystal: &Crystal) -> Result<Structure, FormatError> {
        let count = |what: &str, expected: usize, found: usize| FormatError::Count {
            place: Box::new(Place::file(self.name)),
            what: format!("{what} of the last ionic step"),
            expected: expected as u64,
            found: found as u64,
        };
        // The columns of `atoms` are element and type.
        let species: Vec<String> =
            self.document.elements.iter().step_by(2).map(|f| element_name(&f.text).to_string()).collect();
        if let Some(wrong) = species.iter().find(|symbol| atomic_number(symbol).is_none()) {
            let problem = format!("'{}' in the list of atoms is no element", shown(wrong));
            return Err(FormatError::syntax(Place::file(self.name), problem));
        }
        if crystal.basis.len() != 3 {
            return Err(count("lattice vectors", 3, crystal.basis.len()));
        }
        if species.is_empty() || crystal.positions.len() != species.len() {
            return Err(count("positions", species.len(), crystal.positions.len()));
        }
        let mut lattice: Matrix3 = [[0.0; 3]; 3];
        for (vector, found) in lattice.iter_mut().zip(&crystal.basis) {
            *vector = self.vector(found, "a lattice vector")?;
        }
        let positions: Result<Vec<_>, _> =
            crystal.positions.iter().map(|f| self.vector(f, "a position")).collect();
        Structure::new(lattice, species, positions?)
            .map_err(|source| FormatError::Structure { place: Box::new(Place::file(self.name)), source })
    }

    /// Rows of `atomtypes`: number of atoms, element, mass, valence, title of the potential.
    fn type_rows(&self) -> impl Iterator<Item = &[Found]> {
        self.document.types.chunks_exact(5)
    }

    fn titles(&self) -> impl Iterator<Item = &str> {
        self.type_rows().map(|row| row[4].text.as_str())
    }

    fn method(&self) -> Result<Method, FormatError> {
        let meta =
            self.setting("METAGGA").filter(|tag| !matches!(tag.trim(), "" | "--" | "NONE" | "F" | ".FALSE."));
        let base =
            self.setting("GGA").and_then(functional_of_gga).or_else(|| functional_of_titles(self.titles()));
        let mut functional = match meta {
            Some(tag) => Some(super::method::canonical_functional(tag)),
            None if self.logical("LHFCALC") => Some(self.hybrid(base.as_deref())),
            None => base,
        };
        let mut add = |text: String| {
            functional = Some(format!("{}+{text}", functional.as_deref().unwrap_or("unknown")));
        };
        if self.logical("LUSE_VDW") {
            add("vdW".into());
        }
        if let Some(kind) = self.numeric("IVDW").filter(|kind| *kind != 0.0) {
            add(format!("IVDW={kind}"));
        }
        let mut method = Method { functional, ..Method::default() };
        if self.logical("LDAU") {
            self.hubbard(&mut method)?;
        }
        Ok(method)
    }

    fn hybrid(&self, base: Option<&str>) -> String {
        let (share, screening) =
            (self.numeric("AEXX").unwrap_or(0.25), self.numeric("HFSCREEN").unwrap_or(0.0));
        match base {
            Some("PBE") if share == 0.25 && (screening - 0.2).abs() < 0.011 => "HSE06".into(),
            Some("PBE") if share == 0.25 && (screening - 0.3).abs() < 1e-6 => "HSE03".into(),
            Some("PBE") if share == 0.25 && screening == 0.0 => "PBE0".into(),
            base => format!("hybrid of {} (AEXX={share}, HFSCREEN={screening})", base.unwrap_or("unknown")),
        }
    }

    fn hubbard(&self, method: &mut Method) -> Result<(), FormatError> {
        let list = |key: &str| -> Result<Option<Vec<f64>>, FormatError> {
            let Some(found) = self.document.settings.get(key) else { return Ok(None) };
            let parse = |token| demand_number(token, || self.place(found.at), key);
            found.text.split_whitespace().map(parse).collect::<Result<Vec<_>, _>>().map(Some)
        };
        let elements: Vec<&str> = self
            .type_rows()
            .map(|row| atomic_number(element_name(&row[1].text)).and_then(element_symbol).unwrap_or("X"))
            .collect();
        let (u, j, l) = (list("LDAUU")?, list("LDAUJ")?, list("LDAUL")?);
        let of = |values: &Option<Vec<f64>>, at: usize, default: f64| {
            values.as_ref().and_then(|v| v.get(at)).copied().unwrap_or(default)
        };
        let rotationally_invariant = self.numeric("LDAUTYPE").is_some_and(|kind| kind != 2.0);
        for (at, element) in elements.iter().enumerate().filter(|(at, _)| of(&l, *at, 2.0) >= 0.0) {
            let (u, j) = (of(&u, at, 0.0), of(&j, at, 0.0));
            if rotationally_invariant && (u != 0.0 || j != 0.0) {
                method.hubbard.insert((*element).to_string(), format!("{u}/{j}"));
            } else {
                method.add_hubbard(element, u - j);
            }
        }
        Ok(())
    }
}
