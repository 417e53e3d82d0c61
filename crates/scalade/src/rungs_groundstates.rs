//! Ground states of a fitted expansion: `groundstates`.

use crate::error::ScaladeError;
use crate::rungs::FittedExpansion;
use crate::runner::write_atomic;
use scalade_formats::{Frame, InfoValue, write_extxyz};
use scalade_lattice::ground_states::{Candidate, GroundStates, search_ground_states};
use serde_json::{Value, json};
use std::path::Path;

/// Orderings searched at most.
const LIMIT: u64 = 2_000_000;
/// A candidate this far below the data's hull is worth a calculation, eV per formula unit.
const WORTH_EV: f64 = 1e-6;

/// `groundstates`: every ordering in cells of up to `max_size` primitive cells, its energy by the expansion. Those that lie below the hull which the same
/// expansion gives for the structures of the data are written to `out`, to be computed and fitted.
pub fn groundstates(
    fitted: &FittedExpansion,
    max_size: usize,
    out: Option<&Path>,
) -> Result<Value, ScaladeError> {
    if !(1..=64).contains(&max_size) {
        return Err(ScaladeError::input(format!(
            "--max-size is {max_size}; 1 to 64 primitive cells are due"
        )));
    }
    let found = search_ground_states(&fitted.parent, &fitted.fit.hamiltonian, max_size, LIMIT)
        .map_err(|e| ScaladeError::input(format!("--max-size {max_size}: {e}")))?;
    let data: Vec<[f64; 2]> = fitted.fit.parity.iter().map(|p| [p.site_fraction, p.fitted_ev]).collect();
    let below = |c: &Candidate| GroundStates::below_ev(c, &data);
    let document = |c: &Candidate| {
        json!({
            "x": c.site_fraction, "cells": c.cells, "energy_eV_per_formula": c.energy_ev,
            "below_data_hull_meV": below(c).map(|e| e * 1e3), "on_hull_share": c.on_hull_share,
        })
    };
    let fresh: Vec<&Candidate> =
        found.candidates.iter().filter(|c| below(c).is_some_and(|e| e > WORTH_EV)).collect();
    // An empty file is no file of structures.
    let out = out.filter(|_| !fresh.is_empty());
    if let Some(path) = out {
        write(&fresh, path)?;
    }
    Ok(json!({
        "searched": found.searched,
        "max_size": max_size,
        "leave_one_out_error_eV": fitted.fit.leave_one_out_rmse_ev,
        "hull": found.on_hull().map(document).collect::<Vec<_>>(),
        "below_data_hull": fresh.iter().map(|c| document(c)).collect::<Vec<_>>(),
        "written": out,
    }))
}

fn write(candidates: &[&Candidate], path: &Path) -> Result<(), ScaladeError> {
    let frames: Vec<Frame> = candidates
        .iter()
        .enumerate()
        .map(|(k, c)| {
            let mut frame = Frame::from_structure(&c.structure);
            frame.info.insert("id".into(), InfoValue::Text(format!("predicted-{}", k + 1)));
            frame.info.insert("site_fraction".into(), InfoValue::Float(c.site_fraction));
            frame.info.insert("predicted_energy_per_formula".into(), InfoValue::Float(c.energy_ev));
            frame
        })
        .collect();
    let text = write_extxyz(&frames).map_err(|e| ScaladeError::input(e.to_string()))?;
    write_atomic(path, text.as_bytes())
}
