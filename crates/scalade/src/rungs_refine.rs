//! `refine`: fits, looks for ground states, computes those that the data do not hold, and fits again, until there are none.

use crate::compute::{COMPUTED_FILE, ComputeRequest, compute};
use crate::error::ScaladeError;
use crate::orderings::Orderings;
use crate::rungs::{FitRequest, fit, write_expansion};
use crate::rungs_groundstates::groundstates;
use crate::runner::Failure;
use scalade_formats::{Frame, InfoValue};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// A request for a loop.
#[derive(Clone, Debug)]
pub struct RefineRequest<'a> {
    /// How energies are computed; its folder holds everything.
    pub compute: ComputeRequest<'a>,
    /// How the expansion is fitted.
    pub fit: FitRequest<'a>,
    /// Largest cell of the search, in primitive cells.
    pub max_size: usize,
    /// Most rounds.
    pub rounds: usize,
}

/// Structures below the hull after a round.
const PREDICTED_FILE: &str = "predicted.extxyz";
/// The last expansion.
const EXPANSION_FILE: &str = "expansion.json";

/// Runs the loop. Every structure is computed by the one calculator, those of the files first; results are kept, so that the same command goes on where
/// it was interrupted. A loop that ends with predictions left is a [`Failure::Partial`] that holds the document.
pub fn refine(
    mut orderings: Orderings,
    request: &RefineRequest,
    cancel: &AtomicBool,
    told: &dyn Fn(usize, usize),
) -> Result<Value, Failure> {
    if request.rounds == 0 {
        return Err(ScaladeError::input("--rounds is 0; at least one is due").into());
    }
    let out = request.compute.out;
    let (mut rounds, mut why) = (Vec::new(), None);
    let mut converged = false;
    for round in 1..=request.rounds {
        let done = compute(&orderings, &request.compute, cancel, told)?;
        let computed =
            Orderings::read_files(&[out.join(COMPUTED_FILE)], &orderings.working_ion, &orderings.energy_key)?;
        let fitted = fit(&computed, &request.fit)?;
        write_expansion(&fitted.fit.hamiltonian, &out.join(EXPANSION_FILE))?;
        let file = out.join(PREDICTED_FILE);
        let found = groundstates(&fitted, request.max_size, None, Some(&file))?;
        let predicted = found["below_data_hull"].as_array().map_or(0, Vec::len);
        let deepest = found["below_data_hull"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|c| c["below_data_hull_meV"].as_f64())
            .fold(0.0, f64::max);
        rounds.push(json!({
            "round": round,
            "structures": computed.frames.len(),
            "excluded": fitted.report.excluded.len(),
            "computed": done["computed"],
            "leave_one_out_error_eV": fitted.fit.leave_one_out_rmse_ev,
            "predicted": predicted,
            "deepest_below_hull_meV": deepest,
        }));
        if predicted == 0 {
            converged = true;
            break;
        }
        // Nothing new was computed, and the same is predicted again: it does not stay the ordering that it was.
        if round > 1 && done["computed"] == 0 {
            why = Some(
                "the predicted orderings are computed already and do not stay on the lattice or its hull",
            );
            break;
        }
        append(&mut orderings, &file, round)?;
    }
    let document = json!({
        "rounds": rounds,
        "converged": converged,
        "file": out.join(COMPUTED_FILE),
        "expansion": out.join(EXPANSION_FILE),
    });
    if converged {
        return Ok(document);
    }
    let why = why.unwrap_or("there are still predictions below the hull; raise --rounds");
    let message = format!("not converged, partial result kept: {why}");
    Err(Failure::Partial { document: Box::new(document), message })
}

/// Takes the predicted structures in, with names of their own.
fn append(orderings: &mut Orderings, file: &Path, round: usize) -> Result<(), ScaladeError> {
    let read = Orderings::read_files(&[file.to_path_buf()], &orderings.working_ion, &orderings.energy_key)?;
    for mut frame in read.frames {
        let same = |known: &Frame| {
            known.species == frame.species
                && known.lattice_angstrom == frame.lattice_angstrom
                && known.positions_angstrom == frame.positions_angstrom
        };
        if orderings.frames.iter().any(same) {
            continue;
        }
        let name = format!("round-{round}-{}", frame.id());
        frame.info.insert("id".into(), InfoValue::Text(name));
        orderings.frames.push(frame);
    }
    orderings.formats.extend(read.formats);
    Ok(())
}
