//! `sqs`: a special quasi-random structure.

use crate::error::ScaladeError;
use crate::ordering_files::without_vacancies;
use crate::rungs_enumerate::{ParentRequest, assignment, refused};
use crate::runner::write_atomic;
use scalade_crystal::Structure;
use scalade_crystal::enumeration::{
    Fraction, QuasirandomCell, QuasirandomSearch, QuasirandomSettings, special_quasirandom,
};
use scalade_formats::{Frame, InfoValue, write_extxyz};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A request for a special quasi-random structure.
#[derive(Clone, Debug)]
pub struct QuasirandomRequest {
    /// The parent.
    pub parent: ParentRequest,
    /// Fractions of the sites that take a species, such as `A=1/4`.
    pub composition: Vec<String>,
    /// Primitive cells.
    pub size: Option<usize>,
    /// Repetitions along each lattice vector instead.
    pub supercell: Option<Vec<i64>>,
    /// Weight of the pairs of each shell.
    pub pair_weights: Vec<f64>,
    /// Shells of triplets.
    pub triplet_shells: usize,
    /// Weight of each triplet correlation.
    pub triplet_weight: f64,
    /// Exchanges tried in each supercell.
    pub steps: u64,
    /// Seed of the random streams.
    pub seed: u64,
    /// File to write.
    pub out: Option<PathBuf>,
}

fn input(message: impl Into<String>) -> ScaladeError {
    ScaladeError::input(message)
}

/// `sqs`: the structure found, its correlations beside those of the random alloy, and whether all colourings were looked at.
pub fn sqs(request: &QuasirandomRequest) -> Result<Value, ScaladeError> {
    let (name, parent) = request.parent.read()?;
    let mut composition: Vec<(&str, Fraction)> = Vec::new();
    for text in &request.composition {
        let (species, fraction) = assignment("--composition", text, "A=1/4")?;
        let fraction = Fraction::read(fraction).ok_or_else(|| {
            input(format!(
                "--composition: '{text}' holds no fraction; write it as 0.25 or 1/4, such as \"A=1/4\""
            ))
        })?;
        composition.push((species, fraction));
    }
    let cell = match (request.size, request.supercell.as_deref()) {
        (Some(size), None) => QuasirandomCell::Size(size),
        (None, Some([a, b, c])) => QuasirandomCell::Fixed([[*a, 0, 0], [0, *b, 0], [0, 0, *c]]),
        (None, Some(list)) => {
            return Err(input(format!(
                "--supercell has {} numbers; three are due, such as 2,2,2",
                list.len()
            )));
        }
        _ => return Err(input("give either --size, a number of primitive cells, or --supercell 2,2,2")),
    };
    let triplets = request.triplet_shells > 0;
    let settings = QuasirandomSettings {
        pair_weights: request.pair_weights.clone(),
        triplet_shells: request.triplet_shells,
        triplet_weight: if triplets { request.triplet_weight } else { 0.0 },
        seed: request.seed,
        steps: request.steps,
        ..QuasirandomSettings::default()
    };
    let found = special_quasirandom(&parent, cell, &composition, &settings).map_err(|e| refused(&e))?;
    if let Some(out) = &request.out {
        write(&found.structure, found.deviation, out)?;
    }
    let correlations: Vec<Value> = found
        .correlations
        .iter()
        .map(|c| {
            json!({
                "distances_angstrom": c.distances_angstrom, "functions": c.functions, "weight": c.weight,
                "achieved": c.achieved, "random": c.target,
            })
        })
        .collect();
    let species = found.structure.species();
    let counts: serde_json::Map<String, Value> = parent
        .species()
        .iter()
        .map(|s| (s.clone(), json!(species.iter().filter(|o| *o == s).count())))
        .collect();
    Ok(json!({
        "lattice": name,
        "supercell": found.hermite,
        "counts": counts,
        "deviation": found.deviation,
        "search": match found.search {
            QuasirandomSearch::Exact => "all colourings",
            QuasirandomSearch::Annealing => "annealing",
        },
        "correlations": correlations,
        "written": request.out,
    }))
}

/// Writes a structure without its vacancies.
fn write(structure: &Structure, deviation: f64, out: &Path) -> Result<(), ScaladeError> {
    let mut frame = without_vacancies(&Frame::from_structure(structure));
    frame.info.insert("id".into(), InfoValue::Text("sqs".into()));
    frame.info.insert("deviation".into(), InfoValue::Float(deviation));
    let text = write_extxyz(&[frame]).map_err(|e| input(e.to_string()))?;
    write_atomic(out, text.as_bytes())
}
