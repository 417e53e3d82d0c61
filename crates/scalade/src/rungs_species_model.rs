//! `montecarlo MODEL.toml` with an expansion of several species.
//!
//! Extensive results are per formula unit, `energy_per_site` per site with a choice. The document holds a point for every pair of a temperature and a set of
//! chemical potentials, temperatures first; weights are exp(-(E - sum_s mu_s N_s)/kT), N_s counted on the sites with a choice.

use crate::error::ScaladeError;
use crate::ordering_files::{first_structure, without_vacancies};
use crate::orderings::read_text;
use crate::runner::{Failure, write_atomic};
use crate::species_model_file::{SpeciesModelFile, Start};
use rayon::prelude::*;
use scalade_crystal::{SiteGrid, Structure};
use scalade_expansion::ExpansionError;
use scalade_expansion::montecarlo::{
    MoveRules, Reservoir, SpeciesEnergy, SpeciesPoint, SpeciesRunSettings, arrange_composition, exact_point,
    sample_species, tile,
};
use scalade_formats::{Frame, InfoValue, write_extxyz};
use scalade_handoff::SpeciesHamiltonian;
use scalade_lattice::{Estimate, MappingSettings, SiteChoice, SiteChoices};
use scalade_numerics::cpu_seconds;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Moves of a point where none are given.
const MOST_MOVES: u64 = 2_000_000_000;

fn refused(error: &ExpansionError) -> ScaladeError {
    ScaladeError::input(error.to_string())
}

fn estimate(of: Estimate) -> Value {
    json!({ "value": of.value, "std_error": of.error })
}

/// The expansion that a model file names, if it is one of several species.
pub(crate) fn species_expansion(text: &str, path: &Path) -> Result<Option<SpeciesHamiltonian>, ScaladeError> {
    let named = |root: toml::Table| Some(root.get("energy")?.get("expansion")?.as_str()?.to_string());
    let Some(name) = text.parse::<toml::Table>().ok().and_then(named) else { return Ok(None) };
    let other = path.parent().unwrap_or(Path::new("")).join(name);
    let input = |e: &dyn std::fmt::Display| ScaladeError::input(format!("{}: {e}", other.display()));
    let value: Value = serde_json::from_str(&read_text(&other)?).map_err(|e| input(&e))?;
    if value.get("sites").is_none() {
        return Ok(None);
    }
    let hamiltonian: SpeciesHamiltonian = serde_json::from_value(value).map_err(|e| input(&e))?;
    hamiltonian.check().map_err(|e| input(&e))?;
    Ok(Some(hamiltonian))
}

/// A model on its box, filled with its start.
struct Model {
    hamiltonian: SpeciesHamiltonian,
    energy: SpeciesEnergy,
    formulas: f64,
    sites: usize,
}

/// Runs a model file. A run that misses its precision is a [`Failure::Partial`] that holds the document.
pub(crate) fn run(
    text: &str,
    path: &Path,
    hamiltonian: SpeciesHamiltonian,
    exact: bool,
    jobs: Option<usize>,
) -> Result<Value, Failure> {
    let file = SpeciesModelFile::parse(text, &path.display().to_string())?;
    let model = build(&file, path, hamiltonian)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.unwrap_or(0)).build();
    let pool = pool.map_err(|e| ScaladeError::internal(e.to_string()))?;
    let mut document = header(&file, &model);
    let start = cpu_seconds();
    if exact || file.exact {
        let points = exact_points(&file, model)?;
        document.insert("method".into(), json!("exact enumeration"));
        document.insert("points".into(), Value::Array(points));
        document.insert("cpu_time_s".into(), json!(cpu_seconds() - start));
        document.insert("converged".into(), json!(true));
        return Ok(Value::Object(document));
    }
    let (runs, points) = pool.install(|| sampled(&file, &model))?;
    let seconds = cpu_seconds() - start;
    let moves: f64 = points.iter().map(|p| p.moves as f64).sum();
    let missed: Vec<String> = runs
        .iter()
        .zip(&points)
        .filter(|(_, p)| !p.converged)
        .map(|(r, _)| format!("{} K", r.temperature_k))
        .collect();
    let values = runs.iter().zip(&points).map(|(r, p)| point(&model, r, p)).collect();
    document.insert("method".into(), json!("Monte Carlo"));
    document.insert("points".into(), Value::Array(values));
    document.insert("moves".into(), json!(moves));
    document.insert("moves_per_cpu_second".into(), json!(moves / seconds.max(1e-9)));
    document.insert("cpu_time_s".into(), json!(seconds));
    document.insert("converged".into(), json!(missed.is_empty()));
    if let Some(name) = &file.write {
        let out = path.parent().unwrap_or(Path::new("")).join(name);
        write_arrangements(&model, &runs, &points, &out)?;
        document.insert("wrote".into(), json!(out));
    }
    if missed.is_empty() {
        return Ok(Value::Object(document));
    }
    let message = format!(
        "not converged, partial result kept: {} missed the precision of {:e} eV per formula unit, or moved too little for its error to mean much (see acceptance); raise max_moves, precision or temperature",
        missed.join(", "),
        file.precision_ev
    );
    Err(Failure::Partial { document: Box::new(Value::Object(document)), message })
}

fn build(
    file: &SpeciesModelFile,
    path: &Path,
    hamiltonian: SpeciesHamiltonian,
) -> Result<Model, ScaladeError> {
    let input = |e: &dyn std::fmt::Display| ScaladeError::input(format!("{}: {e}", path.display()));
    let orbits = hamiltonian.orbits.len();
    let (coefficients, coulomb) = match file.sample {
        None => (hamiltonian.coefficients_ev.clone(), hamiltonian.coulomb_coefficient),
        Some(k) => {
            let sample = hamiltonian.samples_ev.get(k).ok_or_else(|| {
                let known = hamiltonian.samples_ev.len();
                input(&format!(
                    "[energy] sample {k} does not exist; the expansion holds {known}, counted from 0"
                ))
            })?;
            (sample[..=orbits].to_vec(), sample[orbits + 1])
        }
    };
    let grid = SiteGrid::new(file.size, hamiltonian.sites.len()).map_err(|e| input(&e))?;
    let mut energy = SpeciesEnergy::new(&hamiltonian, &coefficients, coulomb, grid).map_err(|e| input(&e))?;
    let formulas = hamiltonian.formula_units_per_cell * grid.cells() as f64;
    match &file.start {
        Start::First => {}
        Start::Composition(composition) => {
            let numbers = numbers(composition, formulas).map_err(|e| input(&e))?;
            let species = arrange_composition(&hamiltonian.sites, &grid, &numbers, file.seed);
            energy.set(&species.map_err(|e| input(&e))?).map_err(|e| input(&e))?;
        }
        Start::Structure(name) => {
            let other = path.parent().unwrap_or(Path::new("")).join(name);
            let structure = first_structure(&other)?;
            let of_file = |e: &dyn std::fmt::Display| input(&format!("{}: {e}", other.display()));
            let arrangement = choices(&hamiltonian)
                .place(&structure, &MappingSettings::default())
                .map_err(|e| of_file(&e))?;
            let species = tile(&grid, &arrangement).map_err(|e| of_file(&e))?;
            energy.set(&species).map_err(|e| of_file(&e))?;
        }
    }
    let choice = hamiltonian.sites.iter().filter(|s| s.species.len() > 1).count();
    let sites = choice * grid.cells();
    Ok(Model { hamiltonian, energy, formulas, sites })
}

fn choices(hamiltonian: &SpeciesHamiltonian) -> SiteChoices {
    let choice = |s: &scalade_handoff::SpeciesSite| SiteChoice {
        fractional: s.fractional,
        species: s.species.clone(),
    };
    SiteChoices {
        lattice_angstrom: hamiltonian.lattice_angstrom,
        sites: hamiltonian.sites.iter().map(choice).collect(),
    }
}

/// Whole numbers of atoms from a composition per formula unit.
fn numbers(composition: &BTreeMap<String, f64>, formulas: f64) -> Result<BTreeMap<String, usize>, String> {
    composition
        .iter()
        .map(|(name, amount)| {
            let atoms = amount * formulas;
            let whole = atoms.round();
            let fits = *amount >= 0.0 && (atoms - whole).abs() < 1e-6 * formulas.max(1.0);
            if fits {
                Ok((name.clone(), whole as usize))
            } else {
                Err(format!(
                    "[run] composition: {amount} {name} per formula unit are {atoms} atoms in {formulas} formula units; choose a size that holds a whole number"
                ))
            }
        })
        .collect()
}

fn header(file: &SpeciesModelFile, model: &Model) -> Map<String, Value> {
    let value = json!({
        "sites": model.sites,
        "cells": file.size,
        "formula_units": model.formulas,
        "energy_unit": "eV",
        "temperature_unit": "K",
        "heat_capacity_unit": "k",
        "seed": file.seed,
    });
    if let Value::Object(map) = value { map } else { Map::new() }
}

fn settings(file: &SpeciesModelFile) -> Vec<SpeciesRunSettings> {
    let rules = MoveRules { frozen: file.frozen.clone(), exchanges: file.exchanges.clone() };
    let reservoirs: Vec<Reservoir> = match &file.chemical_potentials_ev {
        None => vec![Reservoir::Closed],
        Some(list) => list
            .iter()
            .map(|mu| Reservoir::Open { chemical_potentials_ev: mu.clone(), neutral: file.neutral })
            .collect(),
    };
    let pairs = file.temperature_k.iter().flat_map(|t| reservoirs.iter().map(move |r| (*t, r)));
    pairs
        .enumerate()
        .map(|(point, (temperature_k, reservoir))| SpeciesRunSettings {
            rules: rules.clone(),
            reservoir: reservoir.clone(),
            temperature_k,
            precision_ev: file.precision_ev,
            most_moves: file.most_moves.unwrap_or(MOST_MOVES),
            seed: file.seed,
            point: point as u32,
        })
        .collect()
}

fn sampled(
    file: &SpeciesModelFile,
    model: &Model,
) -> Result<(Vec<SpeciesRunSettings>, Vec<SpeciesPoint>), ScaladeError> {
    let runs = settings(file);
    let per_cell = model.hamiltonian.formula_units_per_cell;
    let points = runs
        .par_iter()
        .map(|run| sample_species(&model.energy, per_cell, run))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| refused(&e))?;
    Ok((runs, points))
}

fn potentials(reservoir: &Reservoir) -> Value {
    match reservoir {
        Reservoir::Closed => Value::Null,
        Reservoir::Open { chemical_potentials_ev, .. } => json!(chemical_potentials_ev),
    }
}

fn point(model: &Model, run: &SpeciesRunSettings, p: &SpeciesPoint) -> Value {
    let per_site = model.formulas / model.sites as f64;
    let shares = |list: &[(String, Estimate)]| -> Map<String, Value> {
        list.iter().map(|(name, value)| (name.clone(), estimate(*value))).collect()
    };
    let names: Vec<&String> = p.composition.iter().map(|c| &c.0).collect();
    json!({
        "temperature": p.temperature_k,
        "chemical_potential_eV": potentials(&run.reservoir),
        "composition": shares(&p.composition),
        "energy_per_formula_eV": estimate(p.energy_ev),
        "energy_per_site": estimate(Estimate { value: per_site * p.energy_ev.value, error: per_site * p.energy_ev.error }),
        "heat_capacity_per_formula": estimate(p.heat_capacity),
        "covariance": {
            "species": names,
            "per_formula": p.covariance.iter().map(|row| row.iter().map(|c| c.value).collect()).collect::<Vec<Vec<f64>>>(),
            "std_error": p.covariance.iter().map(|row| row.iter().map(|c| c.error).collect()).collect::<Vec<Vec<f64>>>(),
        },
        "sublattices": p.occupancies.iter().map(|o| json!({ "sublattice": o.sublattice, "shares": shares(&o.shares) })).collect::<Vec<_>>(),
        "charge": p.charge,
        "acceptance": p.acceptance,
        "autocorrelation_time_sweeps": p.autocorrelation_time,
        "sweeps": p.sweeps[0],
        "equilibration_sweeps": p.sweeps[1],
        "equilibrated": p.equilibrated,
        "moves": p.moves,
        "converged": p.converged,
    })
}

fn exact_points(file: &SpeciesModelFile, mut model: Model) -> Result<Vec<Value>, ScaladeError> {
    let exactly = |value: f64| json!({ "value": value, "std_error": 0.0 });
    let mut out = Vec::new();
    for run in settings(file) {
        let p = exact_point(&mut model.energy, &run.rules, &run.reservoir, run.temperature_k)
            .map_err(|e| refused(&e))?;
        let composition: Map<String, Value> =
            p.numbers.iter().map(|(name, n)| (name.clone(), exactly(n / model.formulas))).collect();
        let names: Vec<&String> = p.numbers.iter().map(|n| &n.0).collect();
        let covariance: Vec<Vec<f64>> =
            p.covariance.iter().map(|row| row.iter().map(|c| c / model.formulas).collect()).collect();
        out.push(json!({
            "temperature": run.temperature_k,
            "chemical_potential_eV": potentials(&run.reservoir),
            "composition": composition,
            "energy_per_formula_eV": exactly(p.energy_ev / model.formulas),
            "energy_per_site": exactly(p.energy_ev / model.sites as f64),
            "heat_capacity_per_formula": exactly(p.heat_capacity / model.formulas),
            "covariance": { "species": names, "per_formula": covariance },
            "log_partition_per_formula": exactly(p.log_partition / model.formulas),
            "states": p.states,
        }));
    }
    Ok(out)
}

/// Writes the last arrangement of each point, vacant sites left out.
fn write_arrangements(
    model: &Model,
    runs: &[SpeciesRunSettings],
    points: &[SpeciesPoint],
    out: &Path,
) -> Result<(), ScaladeError> {
    let input =
        |e: &dyn std::fmt::Display| ScaladeError::input(format!("cannot write {}: {e}", out.display()));
    let grid = model.energy.grid();
    let lattice = &model.hamiltonian.lattice_angstrom;
    let dims = grid.dims();
    let vectors = std::array::from_fn(|a| lattice[a].map(|v| v * dims[a] as f64));
    let mut frames = Vec::with_capacity(points.len());
    for (run, p) in runs.iter().zip(points) {
        let (mut species, mut fractional) = (Vec::new(), Vec::new());
        for (index, s) in p.arrangement.iter().enumerate() {
            let site = grid.site(index);
            let sublattice = &model.hamiltonian.sites[site.basis];
            species.push(sublattice.species[usize::from(*s)].clone());
            fractional.push(std::array::from_fn(|a| {
                (sublattice.fractional[a] + f64::from(site.cell[a])) / dims[a] as f64
            }));
        }
        let structure = Structure::new(vectors, species, fractional).map_err(|e| input(&e))?;
        let mut frame = without_vacancies(&Frame::from_structure(&structure));
        frame.info.insert("temperature_K".into(), InfoValue::Float(run.temperature_k));
        frames.push(frame);
    }
    let text = write_extxyz(&frames).map_err(|e| input(&e))?;
    write_atomic(out, text.as_bytes())
}
