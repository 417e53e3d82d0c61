//! `compute`: energies of structures from any calculator of a Python environment.
//!
//! Each result is a file of its own in the output folder, named by the hash of the structure, the calculator and the relaxation, and written in one step: a run that
//! was interrupted at any moment goes on with what is missing. All results together stand in `computed.extxyz`, which `voltage`, `expand` and `montecarlo` read.

mod process;

use crate::error::ScaladeError;
use crate::ordering_files::without_vacancies;
use crate::orderings::METHOD_KEYS;
use crate::orderings::Orderings;
use crate::runner::{Failure, write_atomic};
use process::{Driver, Lost};
use scalade_energetics::element_of_species;
use scalade_formats::{Frame, InfoValue, atomic_number, write_extxyz};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Name of the file with all results.
pub const COMPUTED_FILE: &str = "computed.extxyz";
/// Name of the log of the calculator.
const LOG_FILE: &str = "calculator.log";

/// What is asked for.
#[derive(Clone, Debug)]
pub struct ComputeRequest<'a> {
    /// Python interpreter.
    pub python: &'a Path,
    /// Name of a known calculator, or `module:factory`.
    pub calculator: &'a str,
    /// Keyword options of the calculator, `key=value` with JSON values (a bare word is text).
    pub options: &'a [String],
    /// `none`, `positions` or `cell`.
    pub relax: &'a str,
    /// Largest force at which a relaxation ends, with unit.
    pub fmax: &'a str,
    /// Most steps of a relaxation.
    pub steps: u32,
    /// Longest time of one structure, with unit.
    pub timeout: &'a str,
    /// Folder of the results.
    pub out: &'a Path,
}

/// A stored result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stored {
    energy_ev: f64,
    positions_angstrom: Vec<[f64; 3]>,
    cell_angstrom: [[f64; 3]; 3],
    largest_force_ev_per_angstrom: f64,
    steps: u64,
    calculator: String,
}

fn options(list: &[String]) -> Result<BTreeMap<String, Value>, ScaladeError> {
    list.iter()
        .map(|text| {
            let Some((key, value)) = text.split_once('=') else {
                return Err(ScaladeError::input(format!("--option \"{text}\": key=value is due")));
            };
            let parsed = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_string()));
            Ok((key.trim().to_string(), parsed))
        })
        .collect()
}

/// The job of a frame: atomic numbers, positions, cell.
fn job(frame: &Frame) -> Result<Value, ScaladeError> {
    let place = || format!("{} ({})", frame.id(), frame.place());
    let bad = |what: &str| ScaladeError::input(format!("{}: {what}", place()));
    let Some(cell) = frame.lattice_angstrom else {
        return Err(bad("there is no lattice; periodic structures are due"));
    };
    if frame.positions_angstrom.len() != frame.species.len() || frame.species.is_empty() {
        return Err(bad("it has no positions"));
    }
    let numbers = frame
        .species
        .iter()
        .map(|s| atomic_number(element_of_species(s)).ok_or_else(|| bad(&format!("{s} is no element"))))
        .collect::<Result<Vec<u64>, _>>()?;
    Ok(json!({ "numbers": numbers, "positions": frame.positions_angstrom, "cell": cell }))
}

fn stored(answer: &Value, atoms: usize, calculator: &str) -> Result<Stored, String> {
    if let Some(error) = answer["error"].as_str() {
        return Err(error.chars().take(400).collect());
    }
    let number = |key: &str| answer[key].as_f64().filter(|v| v.is_finite());
    let energy_ev = number("energy").ok_or("its energy is not a finite number")?;
    let positions: Vec<[f64; 3]> =
        serde_json::from_value(answer["positions"].clone()).map_err(|e| format!("its positions: {e}"))?;
    let cell: [[f64; 3]; 3] =
        serde_json::from_value(answer["cell"].clone()).map_err(|e| format!("its cell: {e}"))?;
    if positions.len() != atoms {
        return Err(format!("{} positions came back for {atoms} atoms", positions.len()));
    }
    let largest_force = number("largest_force").ok_or("its forces are not finite")?;
    let steps = answer["steps"].as_u64().unwrap_or(0);
    if answer["converged"] != true {
        return Err(format!(
            "the relaxation did not converge in {steps} steps (largest force {largest_force:.3} eV/angstrom)"
        ));
    }
    Ok(Stored {
        energy_ev,
        positions_angstrom: positions,
        cell_angstrom: cell,
        largest_force_ev_per_angstrom: largest_force,
        steps,
        calculator: calculator.to_string(),
    })
}

/// A run: settings for the driver, and the words by which results are told apart.
struct Run<'a> {
    request: &'a ComputeRequest<'a>,
    settings: Value,
    limit: Duration,
    log: PathBuf,
    driver: Option<Driver>,
}

impl Run<'_> {
    fn path(&self, job: &Value) -> Result<PathBuf, ScaladeError> {
        let hash = scalade_record::content_hash(&json!({ "job": job, "settings": self.settings }))
            .map_err(|e| ScaladeError::input(format!("a structure that cannot be written: {e}")))?;
        Ok(self.request.out.join(format!("{hash}.json").replace(':', "-")))
    }

    /// One structure; the reason if there is no result. A process that is lost is started anew for the next one.
    fn compute(&mut self, job: &Value, atoms: usize) -> Result<Result<Stored, String>, ScaladeError> {
        let mut driver = match self.driver.take() {
            Some(driver) => driver,
            None => Driver::start(self.request.python, &self.settings, &self.log)?,
        };
        let name = format!("{} {}", self.request.calculator, driver.version).trim().to_string();
        let calculator = match self.request.relax {
            "none" => name,
            relax => format!("{name}, relaxed {relax}"),
        };
        match driver.compute(job, self.limit) {
            Ok(answer) => {
                self.driver = Some(driver);
                Ok(stored(&answer, atoms, &calculator))
            }
            Err(Lost::Ended) => {
                Ok(Err(format!("the calculator ended without an answer; see {}", self.log.display())))
            }
            Err(Lost::Late) => Ok(Err(format!("no answer within {} s", self.limit.as_secs_f64()))),
        }
    }
}

/// Other energies that formats keep beside the total one; they belong to the calculation that the frame came with.
const OLD_ENERGIES: [&str; 8] = [
    "corrected_energy",
    "correction",
    "energy_per_fu",
    "energy_std",
    "e_fr_energy",
    "e_wo_entrp",
    "free_energy",
    "smearing_contribution",
];

/// The frame with its result. What it says about the method and the energies of an earlier calculation is left off.
fn finished(frame: &Frame, result: &Stored) -> Frame {
    let mut out = frame.clone();
    out.lattice_angstrom = Some(result.cell_angstrom);
    out.periodic = [true; 3];
    out.positions_angstrom.clone_from(&result.positions_angstrom);
    out.arrays.clear();
    for key in METHOD_KEYS.iter().chain(&OLD_ENERGIES) {
        out.info.remove(*key);
    }
    out.info.insert("id".into(), InfoValue::Text(frame.id()));
    out.info.insert("energy".into(), InfoValue::Float(result.energy_ev));
    out.info.insert("calculator".into(), InfoValue::Text(result.calculator.clone()));
    out.info.insert("largest_force".into(), InfoValue::Float(result.largest_force_ev_per_angstrom));
    out.info.insert("relaxation_steps".into(), InfoValue::Int(result.steps as i64));
    out
}

fn run_settings(request: &ComputeRequest) -> Result<(Value, Duration), ScaladeError> {
    let joule = scalade_units::constants::ELEMENTARY_CHARGE;
    let force = scalade_units::dimension::FORCE;
    let fmax = crate::rungs::quantity("--fmax", request.fmax, force)? / joule * 1e-10;
    let seconds = crate::rungs::quantity("--timeout", request.timeout, scalade_units::dimension::TIME)?;
    if !(fmax > 0.0 && (1e-3..=1e7).contains(&seconds)) {
        return Err(ScaladeError::input("--fmax and --timeout must be positive, and the time at most 1e7 s"));
    }
    if !["none", "positions", "cell"].contains(&request.relax) {
        return Err(ScaladeError::input(format!(
            "--relax is \"{}\"; none, positions or cell is due",
            request.relax
        )));
    }
    let settings = json!({
        "calculator": request.calculator, "options": options(request.options)?, "relax": request.relax,
        "fmax": fmax, "steps": request.steps,
    });
    Ok((settings, Duration::from_secs_f64(seconds)))
}

/// Computes every frame that has no result yet. Frames that fail are listed with their reason, and the document is then that of a [`Failure::Partial`].
pub fn compute(
    orderings: &Orderings,
    request: &ComputeRequest,
    cancel: &AtomicBool,
    told: &dyn Fn(usize, usize),
) -> Result<Value, Failure> {
    let (settings, limit) = run_settings(request)?;
    let cannot =
        |e: std::io::Error| ScaladeError::input(format!("cannot make {}: {e}", request.out.display()));
    std::fs::create_dir_all(request.out).map_err(cannot)?;
    let log = request.out.join(LOG_FILE);
    let mut run = Run { request, settings, limit, log, driver: None };
    let (mut frames, mut failed, mut kept) = (Vec::new(), Vec::new(), 0);
    let total = orderings.frames.len();
    for (done, frame) in orderings.frames.iter().enumerate() {
        if cancel.load(Ordering::Relaxed) {
            return Err(ScaladeError::Interrupted.into());
        }
        told(done, total);
        let frame = &without_vacancies(frame);
        let job = job(frame)?;
        let path = run.path(&job)?;
        let known = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Stored>(&bytes).ok());
        let result = if let Some(known) = known {
            kept += 1;
            Ok(known)
        } else {
            let result = run.compute(&job, frame.species.len())?;
            if let Ok(new) = &result {
                let bytes = serde_json::to_vec(new).map_err(|e| ScaladeError::internal(e.to_string()))?;
                write_atomic(&path, &bytes)?;
            }
            result
        };
        match result {
            Ok(result) => frames.push(finished(frame, &result)),
            Err(reason) => {
                failed
                    .push(json!({ "id": frame.id(), "place": frame.place().to_string(), "reason": reason }));
            }
        }
    }
    told(total, total);
    let file = request.out.join(COMPUTED_FILE);
    if !frames.is_empty() {
        let text = write_extxyz(&frames).map_err(|e| ScaladeError::input(e.to_string()))?;
        write_atomic(&file, text.as_bytes())?;
    }
    let document = json!({
        "structures": total, "computed": frames.len() - kept, "kept": kept, "failed": failed,
        "file": if frames.is_empty() { Value::Null } else { json!(file) },
        "log": request.out.join(LOG_FILE),
    });
    if failed.is_empty() {
        return Ok(document);
    }
    let message = format!(
        "{} of {total} structures have no energy; the others are in {}. The same command tries them again",
        failed.len(),
        file.display()
    );
    Err(Failure::Partial { document: Box::new(document), message })
}
