//! `hop MODEL.toml --dilute`: one vacancy in the infinite crystal of a model.
//!
//! The file is that of `hop`; `[lattice] size`, `[state]` and what `[run]` says of sampling play no part and may be missing. A solute may be described:
//!
//! ```toml
//! [solute]
//! exchange_rate = 10.0       # of a solute with a neighbouring vacancy, in the unit of [hops] rate
//! binding = [-0.5]           # optional: energy of a vacancy in the nearest shells about it, negative binds
//! unit = "kT"                # or "eV", with [run] temperature in K
//! hops = [{ shells = [1, 0], factor = 2.0 }]   # optional: factors of rates between shells, both ways; 0 is all beyond the named shells
//! ```
//!
//! Diffusivities of atoms and of all ions together are per site fraction of vacancies, as they vanish with it.

use crate::error::ScaladeError;
use crate::hop_file::{read_lattice, read_name, read_pairs, read_rate};
use crate::model_file::{Section, bad, known};
use crate::orderings::read_text;
use scalade_crystal::{Matrix3, NamedLattice};
use scalade_hopping::HoppingError;
use scalade_hopping::dilute::{DiluteTransport, ShellHop, TaggedAtom, VacancyCrystal, dilute_transport};
use scalade_hopping::gas::GasModel;
use scalade_units::constants::BOLTZMANN_EV;
use serde_json::{Value, json};
use std::path::Path;
use toml::Table;

/// What diffusivities that vanish with the vacancies are divided by.
const PER: &str = "vacancy site fraction";

/// The same where a solute binds some of them.
const PER_FREE: &str = "site fraction of vacancies far from solutes";
/// What terms of the solute are divided by.
const PER_BOTH: &str = "product of the site fractions of solutes and of vacancies far from them";

/// A model without a box.
#[derive(Clone, Debug, PartialEq)]
struct DiluteFile {
    lattice: NamedLattice,
    pairs: Vec<f64>,
    rate: f64,
    solute: Option<TaggedAtom>,
}

impl DiluteFile {
    fn parse(text: &str, file: &str) -> Result<Self, ScaladeError> {
        let root: Table = text
            .parse()
            .map_err(|e: toml::de::Error| bad(format!("{file}: {}", e.to_string().trim_end())))?;
        known(file, "", &root, &["lattice", "energy", "hops", "state", "run", "solute"])?;
        let place = Section::of(file, &root, "lattice", &["name", "size"])?;
        let lattice = if place.has("size") { read_lattice(&place)?.0 } else { read_name(&place)? };
        let run_keys = ["standard_error", "seed", "max_events", "exact", "temperature", "engine"];
        let empty = Table::new();
        let run = match root.get("run") {
            None => Section::over(file, "run", &empty),
            Some(_) => Section::of(file, &root, "run", &run_keys)?,
        };
        let pairs = if root.contains_key("energy") {
            read_pairs(&Section::of(file, &root, "energy", &["basis", "pairs", "unit"])?, &run)?
        } else {
            Vec::new()
        };
        let rate = read_rate(file, &root)?;
        let solute = if root.contains_key("solute") {
            let keys = ["exchange_rate", "binding", "unit", "hops"];
            Some(read_solute(&Section::of(file, &root, "solute", &keys)?, &run, rate)?)
        } else {
            None
        };
        Ok(Self { lattice, pairs, rate, solute })
    }
}

fn read_solute(solute: &Section<'_>, run: &Section<'_>, rate: f64) -> Result<TaggedAtom, ScaladeError> {
    let exchange = solute
        .number("exchange_rate", |r| r > 0.0, "a positive number is due")?
        .ok_or_else(|| solute.missing("exchange_rate", "give it in the unit of [hops] rate"))?;
    let electronvolt = solute.word("unit", &[("kT", false), ("eV", true)])?.unwrap_or(false);
    let scale = if electronvolt {
        let kelvin = run.number("temperature", |t| t > 0.0, "a positive number of kelvin is due")?;
        let kelvin = kelvin.ok_or_else(|| run.missing("temperature", "energies in eV need one, in K"))?;
        1.0 / (BOLTZMANN_EV * kelvin)
    } else {
        1.0
    };
    let binding = solute.numbers("binding", |_| true, "finite numbers are due, one per neighbour shell")?;
    let want = "give tables such as { shells = [1, 0], factor = 2.0 }";
    let list = match solute.table.get("hops") {
        None => &Vec::new(),
        Some(toml::Value::Array(list)) => list,
        Some(_) => return Err(solute.wrong("hops", "is no list", want)),
    };
    let mut hops = Vec::new();
    for (k, entry) in list.iter().enumerate() {
        let wrong = || solute.wrong(&format!("hops[{k}]"), "is no such table", want);
        let table = entry.as_table().ok_or_else(wrong)?;
        known(solute.file, &format!("solute.hops[{k}]"), table, &["shells", "factor"])?;
        let shells = table.get("shells").and_then(toml::Value::as_array).ok_or_else(wrong)?;
        let number = |v: &toml::Value| v.as_integer().and_then(|n| usize::try_from(n).ok());
        let shells: Vec<usize> = shells.iter().map_while(number).collect();
        let shells: [usize; 2] = shells.try_into().map_err(|_| wrong())?;
        let factor = table.get("factor").ok_or_else(wrong)?;
        let factor = factor.as_float().or_else(|| factor.as_integer().map(|n| n as f64)).ok_or_else(wrong)?;
        hops.push(ShellHop { shells, factor });
    }
    Ok(TaggedAtom {
        exchange: exchange / rate,
        binding_kt: binding.unwrap_or_default().into_iter().map(|e| e * scale).collect(),
        hops,
    })
}

fn refused(error: &HoppingError) -> ScaladeError {
    ScaladeError::input(error.to_string())
}

fn cut(tensor: &Matrix3, dimensions: usize) -> Vec<Vec<f64>> {
    tensor[..dimensions].iter().map(|row| row[..dimensions].to_vec()).collect()
}

/// A tensor with one error for all its elements.
fn tensor(value: &Matrix3, error: f64, dimensions: usize, per: Option<&str>) -> Value {
    let mut out = json!({
        "value": cut(value, dimensions), "std_error": vec![vec![error; dimensions]; dimensions], "verdict": "exact",
    });
    if let (Value::Object(map), Some(per)) = (&mut out, per) {
        map.insert("per".into(), per.into());
    }
    out
}

fn trace(m: &Matrix3) -> f64 {
    m[0][0] + m[1][1] + m[2][2]
}

/// f and its tensor.
fn correlation(of: &DiluteTransport, dimensions: usize) -> [Value; 2] {
    let error = of.correlation_error();
    let tensor = match of.correlation_tensor(dimensions) {
        Some(f) => {
            json!({ "value": cut(&f, dimensions), "std_error": vec![vec![error; dimensions]; dimensions] })
        }
        None => json!({ "value": null, "std_error": null, "reason": "nothing moves along an axis" }),
    };
    [json!({ "value": of.correlation_factor(), "std_error": error }), tensor]
}

/// Reads a model file and gives its limit of few vacancies.
pub fn hop_dilute(path: &Path, jobs: Option<usize>) -> Result<Value, ScaladeError> {
    let file = DiluteFile::parse(&read_text(path)?, &path.display().to_string())?;
    let mut dims = [1; 3];
    // Wide enough that no site of the nearest shell is its own image; the box itself plays no part.
    dims[..file.lattice.dimensions()].fill(4);
    let (vectors, basis) = (file.lattice.vectors(), file.lattice.basis());
    let gas = GasModel::new(vectors, basis, file.lattice.dimensions(), dims, &file.pairs, file.rate)
        .map_err(|e| refused(&e))?;
    let crystal = VacancyCrystal::of_gas(&gas).map_err(|e| refused(&e))?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.unwrap_or(0)).build();
    let pool = pool.map_err(|e| ScaladeError::internal(e.to_string()))?;
    pool.install(|| {
        let found = dilute_transport(&crystal, &TaggedAtom::alike()).map_err(|e| refused(&e))?;
        let mut document = document(&file, &found, gas.is_single_file());
        if let Some(atom) = &file.solute {
            let solute = dilute_transport(&crystal, atom).map_err(|e| refused(&e))?;
            if let Value::Object(map) = &mut document {
                map.insert("solute".into(), solute_document(&file, atom, &solute));
            }
        }
        Ok(document)
    })
}

fn document(file: &DiluteFile, found: &DiluteTransport, single_file: bool) -> Value {
    let dimensions = file.lattice.dimensions();
    let sure = |value: f64| json!({ "value": value, "std_error": 0.0 });
    let [factor, factors] = correlation(found, dimensions);
    let mut tracer = tensor(&found.tagged, found.tagged_error, dimensions, Some(PER));
    if let (Value::Object(map), true) = (&mut tracer, single_file) {
        map.insert("verdict".into(), "sub_diffusive".into());
        map.insert(
            "reason".into(),
            "ions cannot pass each other: their mean squared displacement grows slower than time, so that the diffusivity is 0".into(),
        );
    }
    json!({
        "lattice": file.lattice.name(), "dimensions": dimensions,
        "length_unit": "nearest-neighbour distance", "time_unit": "inverse of the unit of rate",
        "engine": "Green function",
        "tracer": tracer,
        "jump": tensor(&found.vacancy, 0.0, dimensions, Some(PER)),
        "chemical": tensor(&found.vacancy, 0.0, dimensions, None),
        "uncorrelated": tensor(&found.vacancy_uncorrelated, 0.0, dimensions, Some(PER)),
        "correlation_factor": factor,
        "correlation_tensor": factors,
        "collective_correlation_factor": sure(trace(&found.vacancy) / trace(&found.vacancy_uncorrelated)),
        "haven_ratio": {
            "value": trace(&found.tagged) / trace(&found.vacancy),
            "std_error": dimensions as f64 * found.tagged_error / trace(&found.vacancy),
        },
        "thermodynamic_factor": { "value": 1.0, "std_error": 0.0, "per": "inverse vacancy site fraction" },
        "points_per_axis": found.order,
        "converged": true,
    })
}

fn solute_document(file: &DiluteFile, atom: &TaggedAtom, found: &DiluteTransport) -> Value {
    let dimensions = file.lattice.dimensions();
    let [factor, factors] = correlation(found, dimensions);
    json!({
        "exchange_rate": atom.exchange * file.rate,
        "binding_kT": atom.binding_kt,
        "tracer": tensor(&found.tagged, found.tagged_error, dimensions, Some(PER_FREE)),
        "uncorrelated": tensor(&found.tagged_uncorrelated, 0.0, dimensions, Some(PER_FREE)),
        "correlation_factor": factor,
        "correlation_tensor": factors,
        "onsager": {
            "solute_solute": tensor(&found.tagged, found.tagged_error, dimensions, Some(PER_BOTH)),
            "solute_vacancy": tensor(&found.tagged_vacancy, found.vacancy_error, dimensions, Some(PER_BOTH)),
            "vacancy_vacancy": tensor(&found.vacancy, 0.0, dimensions, Some(PER_FREE)),
            "vacancy_vacancy_by_solute": tensor(&found.vacancy_correction, found.vacancy_error, dimensions, Some(PER_BOTH)),
        },
    })
}
