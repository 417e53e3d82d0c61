//! Ground states of a fitted expansion: `groundstates`.

use crate::error::ScaladeError;
use crate::rungs::FittedExpansion;
use crate::runner::write_atomic;
use rayon::prelude::*;
use scalade_expansion::{BoundSettings, EnergyBound, GroundStateBound};
use scalade_formats::{Frame, InfoValue, write_extxyz};
use scalade_handoff::SpeciesHamiltonian;
use scalade_lattice::ground_states::{Candidate, GroundStates, search_ground_states};
use serde_json::{Value, json};
use std::path::Path;

/// Orderings searched at most.
const LIMIT: u64 = 2_000_000;
/// A candidate this far below the data's hull is worth a calculation, eV per formula unit.
const WORTH_EV: f64 = 1e-6;

/// `groundstates`: every ordering in cells of up to `max_size` primitive cells, its energy by the expansion. Those that lie below the hull which the same
/// expansion gives for the structures of the data are written to `out`, to be computed and fitted. With `motif_sites`, the energy of every arrangement of
/// any cell is bounded from below by a motif of at most so many sites.
pub fn groundstates(
    fitted: &FittedExpansion,
    max_size: usize,
    motif_sites: Option<usize>,
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
    let bound = motif_sites.map(|sites| bound(fitted, &found, sites)).transpose()?;
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
        "bound": bound,
        "written": out,
    }))
}

/// Motifs of more sites take too long.
const LARGEST_MOTIF: usize = 64;
/// Chemical potentials closer than this are one, eV.
const SAME_POTENTIAL_EV: f64 = 1e-9;
/// A bound this close to the energy found proves it, eV per formula unit.
const PROVEN_EV: f64 = 1e-5;

/// How far the hull that was found can lie above the true one of the expansion.
///
/// At the chemical potential at which two neighbouring vertices coexist, E - mu N of every arrangement is bounded from below. The least E - mu N is concave
/// in mu, so that between these potentials the true hull is no further below than at them.
fn bound(fitted: &FittedExpansion, found: &GroundStates, most_sites: usize) -> Result<Value, ScaladeError> {
    if !(1..=LARGEST_MOTIF).contains(&most_sites) {
        return Err(ScaladeError::input(format!(
            "--bound is {most_sites}; 1 to {LARGEST_MOTIF} sites are due"
        )));
    }
    let refused =
        |e: scalade_expansion::ExpansionError| ScaladeError::input(format!("--bound {most_sites}: {e}"));
    let hamiltonian = SpeciesHamiltonian::from(&fitted.fit.hamiltonian);
    let settings = BoundSettings { most_sites, ..BoundSettings::default() };
    let bounds = GroundStateBound::new(&hamiltonian, settings).map_err(refused)?;
    let formulas = hamiltonian.formula_units_per_cell;
    let sites = hamiltonian.sites.len() as f64;
    let vertices: Vec<&Candidate> = found.on_hull().collect();
    let pairs: Vec<[&Candidate; 2]> = vertices.windows(2).map(|w| [w[0], w[1]]).collect();
    let per_cell = |c: &Candidate| (c.energy_ev * formulas, c.site_fraction * sites);
    let potential = |[a, b]: &[&Candidate; 2]| {
        let ((e_a, n_a), (e_b, n_b)) = (per_cell(a), per_cell(b));
        (e_b - e_a) / (n_b - n_a)
    };
    // Vertices on one line coexist at one potential: it is bounded once.
    let mut distinct: Vec<[&Candidate; 2]> = pairs.clone();
    distinct.dedup_by(|later, earlier| (potential(later) - potential(earlier)).abs() < SAME_POTENTIAL_EV);
    let bounded = distinct
        .par_iter()
        .map(|pair| {
            let (mu, (energy, ions)) = (potential(pair), per_cell(pair[0]));
            let known = energy - mu * ions;
            let ion = fitted.fit.hamiltonian.working_ion.clone();
            let found = bounds.at(&[(ion, mu)].into(), known)?;
            Ok((mu, (known - found.bound_ev) / formulas, found))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(refused)?;
    // A bound belongs above no arrangement: if it does, search and motif do not speak of one Hamiltonian.
    if let Some((mu, gap, _)) = bounded.iter().find(|b| b.1 < -PROVEN_EV) {
        return Err(ScaladeError::internal(format!(
            "at mu = {mu} eV the bound lies {} eV per formula unit above an ordering that was found",
            -gap
        )));
    }
    let edges: Vec<_> = pairs
        .iter()
        .filter_map(|pair| {
            let near = |b: &&(f64, f64, EnergyBound)| (b.0 - potential(pair)).abs() < 2.0 * SAME_POTENTIAL_EV;
            let (mu, gap, found) = bounded.iter().find(near)?;
            Some((pair[0].site_fraction, pair[1].site_fraction, mu, gap.max(0.0), found))
        })
        .collect();
    let largest = edges.iter().map(|e| e.3).fold(0.0, f64::max);
    Ok(json!({
        "motif_sites": edges.first().map(|e| e.4.motif_sites),
        "largest_gap_eV_per_formula": largest,
        "proven": largest <= PROVEN_EV,
        "edges": edges.iter().map(|(from, to, mu, gap, found)| json!({
            "x_from": from, "x_to": to, "chemical_potential_eV": mu, "gap_eV_per_formula": gap, "rounds": found.rounds, "nodes": found.nodes,
        })).collect::<Vec<_>>(),
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
