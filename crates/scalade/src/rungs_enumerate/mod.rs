//! `enumerate`: derivative structures of a named lattice or of a structure, counted or written to a file.

mod write;

use crate::error::ScaladeError;
use crate::ordering_files::first_structure;
use scalade_crystal::NamedLattice;
use scalade_crystal::enumeration::{
    ConcentrationLimit, DerivativeStructures, EnumerationError, Fraction, ParentLattice, SizeCount,
};
use scalade_units::{Quantity, dimension};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Most species of a named lattice.
const MOST_SPECIES: usize = 8;

/// The parent of derivative structures.
#[derive(Clone, Debug)]
pub struct ParentRequest {
    /// Name of a lattice; this or `structure`.
    pub lattice: Option<String>,
    /// File with a structure.
    pub structure: Option<PathBuf>,
    /// Species of the structure with those that may replace them, such as `Li=Li,Vac`.
    pub sites: Vec<String>,
    /// Species of a named lattice, separated by commas.
    pub species: Option<String>,
    /// Whether a structure that is not primitive is replaced by its primitive cell.
    pub primitive: bool,
    /// Tolerance on the positions of a structure, with unit.
    pub tolerance: String,
}

/// A request for derivative structures.
#[derive(Clone, Debug)]
pub struct EnumerateRequest {
    /// Their parent.
    pub parent: ParentRequest,
    /// Smallest number of primitive cells.
    pub min_size: usize,
    /// Largest number of primitive cells.
    pub max_size: usize,
    /// Ranges of fractions, such as `A=0.25..0.5`.
    pub concentration: Vec<String>,
    /// Ranges of numbers of sites, such as `Vac=1..2`.
    pub count: Vec<String>,
    /// Extended XYZ file to write.
    pub out: Option<PathBuf>,
    /// Whether an interrupted file is gone on with.
    pub resume: bool,
    /// Most structures to write.
    pub limit: u64,
}

fn input(message: impl Into<String>) -> ScaladeError {
    ScaladeError::input(message)
}

pub(crate) fn refused(error: &EnumerationError) -> ScaladeError {
    let way_out = match error {
        EnumerationError::NotPrimitive { .. } => ", or add --primitive to have it taken",
        _ => "",
    };
    input(format!("{error}{way_out}"))
}

/// Species separated by commas: letters, digits and underscores, each once.
fn species_list(what: &str, text: &str) -> Result<Vec<String>, ScaladeError> {
    let names: Vec<String> = text.split(',').map(|n| n.trim().to_string()).collect();
    for (index, name) in names.iter().enumerate() {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if name.is_empty() || name.len() > 16 || !plain {
            return Err(input(format!(
                "{what}: '{name}' is no species; use 1 to 16 letters, digits or _, such as {what} \"A,B\""
            )));
        }
        if names[..index].contains(name) {
            return Err(input(format!("{what}: {name} is there twice; give it once")));
        }
    }
    Ok(names)
}

/// The two sides of `name=rest`.
pub(crate) fn assignment<'a>(
    what: &str,
    text: &'a str,
    example: &str,
) -> Result<(&'a str, &'a str), ScaladeError> {
    let split = text.split_once('=').map(|(name, rest)| (name.trim(), rest.trim()));
    split
        .filter(|(name, rest)| !name.is_empty() && !rest.is_empty())
        .ok_or_else(|| input(format!("{what}: '{text}' is not of the form {what} \"{example}\"")))
}

/// The two ends of `low..high`, or one value twice; an open end is `None`.
fn ends(text: &str) -> [Option<&str>; 2] {
    let end = |t| Some(str::trim(t)).filter(|t| !t.is_empty());
    text.split_once("..").map_or_else(|| [end(text), end(text)], |(low, high)| [end(low), end(high)])
}

fn limits(request: &EnumerateRequest) -> Result<Vec<ConcentrationLimit>, ScaladeError> {
    let mut out = Vec::new();
    for text in &request.concentration {
        let (species, range) = assignment("--concentration", text, "A=0.25..0.5")?;
        let read = |end: Option<&str>, open| {
            end.map_or(Some(Fraction::new(open, 1)), Fraction::read).ok_or_else(|| {
                input(format!("--concentration: '{text}' holds no fraction; write it as 0.25 or 1/4, such as \"A=0.25..0.5\""))
            })
        };
        let [low, high] = ends(range);
        out.push(ConcentrationLimit::Fraction {
            species: species.to_string(),
            minimum: read(low, 0)?,
            maximum: read(high, 1)?,
        });
    }
    for text in &request.count {
        let (species, range) = assignment("--count", text, "Vac=1..2")?;
        let read = |end: Option<&str>, open| {
            end.map_or(Ok(open), str::parse::<u32>).map_err(|_| {
                input(format!(
                    "--count: '{text}' holds no whole number of sites; write it as \"Vac=1..2\" or \"Vac=1\""
                ))
            })
        };
        let [low, high] = ends(range);
        let (minimum, maximum) = (read(low, 0)?, read(high, u32::MAX)?);
        out.push(ConcentrationLimit::Count { species: species.to_string(), minimum, maximum });
    }
    Ok(out)
}

fn named_parent(name: &str, request: &ParentRequest) -> Result<ParentLattice, ScaladeError> {
    let lattice = NamedLattice::from_name(name).ok_or_else(|| {
        let names = NamedLattice::ALL.map(NamedLattice::name);
        let nearest = scalade_study::did_you_mean(name, names).map_or_else(String::new, |m| format!("{m} "));
        input(format!("--lattice: there is no lattice '{name}'; {nearest}lattices are {}", names.join(", ")))
    })?;
    if !request.sites.is_empty() || request.primitive {
        return Err(input(
            "--sites and --primitive belong to --structure; a named lattice takes --species \"A,B\"",
        ));
    }
    let species = species_list("--species", request.species.as_deref().unwrap_or("A,B"))?;
    if !(2..=MOST_SPECIES).contains(&species.len()) {
        return Err(input(format!(
            "--species: {} species are given; give 2 to {MOST_SPECIES}",
            species.len()
        )));
    }
    let species: Vec<&str> = species.iter().map(String::as_str).collect();
    ParentLattice::named(lattice, &species).map_err(|e| refused(&e))
}

fn file_parent(path: &Path, request: &ParentRequest) -> Result<ParentLattice, ScaladeError> {
    if request.species.is_some() {
        return Err(input("--species belongs to --lattice; a structure takes --sites \"Li=Li,Vac\""));
    }
    let structure = first_structure(path)?;
    if request.sites.is_empty() {
        return Err(input("say which species may be replaced by which: --sites \"Li=Li,Vac\""));
    }
    let replacements = request
        .sites
        .iter()
        .map(|text| {
            let (species, list) = assignment("--sites", text, "Li=Li,Vac")?;
            Ok((species.to_string(), species_list("--sites", list)?))
        })
        .collect::<Result<Vec<_>, ScaladeError>>()?;
    let tolerance: Result<Quantity, _> = request.tolerance.parse();
    let tolerance =
        tolerance.and_then(|t| t.in_si(dimension::LENGTH)).map_err(|e| input(format!("--tolerance: {e}")))?;
    ParentLattice::from_structure(&structure, &replacements, request.primitive, tolerance * 1e10).map_err(
        |e| {
            let message = refused(&e);
            input(format!("{}: {message}", path.display()))
        },
    )
}

impl ParentRequest {
    /// The parent with its name.
    pub(crate) fn read(&self) -> Result<(String, ParentLattice), ScaladeError> {
        match (&self.lattice, &self.structure) {
            (Some(name), None) => Ok((name.clone(), named_parent(name, self)?)),
            (None, Some(path)) => Ok((path.display().to_string(), file_parent(path, self)?)),
            _ => Err(input("say what to colour: either --lattice fcc or --structure FILE with --sites")),
        }
    }
}

/// A whole number; as text where JSON readers would lose its digits.
fn whole(value: u128) -> Value {
    u64::try_from(value).map_or_else(|_| json!(value.to_string()), |v| json!(v))
}

/// `enumerate`: numbers of structures by size; with `out` the structures themselves.
pub fn enumerate(request: &EnumerateRequest) -> Result<Value, ScaladeError> {
    let (name, parent) = request.parent.read()?;
    if request.resume && request.out.is_none() {
        return Err(input("--resume goes on with a file; add --out FILE.extxyz"));
    }
    let structures = DerivativeStructures::new(&parent, &limits(request)?).map_err(|e| refused(&e))?;
    let sizes = request.min_size..=request.max_size;
    // Refuses sizes that are out of range, or too large to count, before any work.
    let stream = structures.stream(sizes.clone()).map_err(|e| refused(&e))?;
    let counts: Vec<SizeCount> =
        sizes.clone().map(|n| structures.count(n)).collect::<Result<_, _>>().map_err(|e| refused(&e))?;
    let total = counts.iter().try_fold(0u128, |sum, c| sum.checked_add(c.structures));
    let total =
        total.ok_or_else(|| refused(&EnumerationError::TooManyColourings { size: request.max_size }))?;
    let mut document = json!({
        "lattice": name,
        "species": parent.species(),
        "sizes": sizes.collect::<Vec<_>>(),
        "superlattices": counts.iter().map(|c| c.inequivalent_superlattices).collect::<Vec<_>>(),
        "counts": counts.iter().map(|c| whole(c.structures)).collect::<Vec<_>>(),
        "total": whole(total),
    });
    if let Some(out) = &request.out {
        if total > u128::from(request.limit) {
            return Err(input(format!(
                "{total} structures would be written, at most {} are (--limit); narrow the sizes or concentrations, or raise --limit",
                request.limit
            )));
        }
        let written = write::write(&structures, stream, request.resume, out)?;
        document["out"] = json!(out);
        document["written"] = json!(written.written);
        document["without_atoms"] = json!(written.without_atoms);
    }
    Ok(document)
}

/// The document as a table.
pub fn as_text(document: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    let list = |key: &str| document[key].as_array().map_or(&[][..], Vec::as_slice);
    let species: Vec<String> = list("species").iter().map(text).collect();
    let mut out = format!("lattice {}, species {}\n", text(&document["lattice"]), species.join(", "));
    let _ = writeln!(out, "{:>5} {:>14} {:>20}", "size", "superlattices", "structures");
    for ((size, superlattices), count) in list("sizes").iter().zip(list("superlattices")).zip(list("counts"))
    {
        let _ = writeln!(out, "{:>5} {:>14} {:>20}", text(size), text(superlattices), text(count));
    }
    let _ = writeln!(out, "{:>5} {:>14} {:>20}", "total", "", text(&document["total"]));
    if document["out"].is_string() {
        let _ = writeln!(out, "wrote {} structures to {}", document["written"], text(&document["out"]));
        if document["without_atoms"].as_u64().is_some_and(|n| n > 0) {
            let _ =
                writeln!(out, "left out {} structures of nothing but vacancies", document["without_atoms"]);
        }
    }
    out
}
