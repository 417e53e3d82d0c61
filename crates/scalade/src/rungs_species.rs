//! `expand --prim`: the expansion of any species on any sublattices.

use crate::error::ScaladeError;
use crate::orderings::Orderings;
use crate::prim_file::read_prim;
use crate::rungs::{FitRequest, excluded, folds, method_name};
use scalade_expansion::{ArrangementReport, SpeciesFit, arrange_frames, fit_species_expansion};
use scalade_lattice::{Column, FitMethod, Solution, SolveSettings};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Posterior samples where none are asked for.
const SAMPLES: usize = 8;

/// A fitted expansion with the fate of every structure.
#[derive(Debug)]
pub struct FittedSpecies {
    /// The fit.
    pub fit: SpeciesFit,
    /// Which structures took part.
    pub report: ArrangementReport,
}

/// Puts the orderings on the lattice of a primitive cell and fits an expansion.
pub fn fit_species(
    orderings: &Orderings,
    prim: &Path,
    request: &FitRequest,
) -> Result<FittedSpecies, ScaladeError> {
    if request.parent.is_some() {
        return Err(ScaladeError::input(
            "--parent belongs to an expansion of one ion; --prim names the cell",
        ));
    }
    if request.cutoffs[0] == "auto" {
        return Err(ScaladeError::input(
            "--pair-cutoff auto belongs to an expansion of one ion; give a length",
        ));
    }
    if request.keep_hull {
        return Err(ScaladeError::input(
            "--keep-hull belongs to an expansion of one ion, whose hull has one axis",
        ));
    }
    let prim = read_prim(prim)?;
    let settings = request.mapping()?;
    let report = arrange_frames(&prim, &orderings.labelled_frames()?, &settings);
    orderings.check_excluded(&report.excluded, &settings, request.max_excluded)?;
    let solve = SolveSettings {
        method: request.method,
        folds: request.folds,
        samples: request.samples.unwrap_or(SAMPLES),
        seed: request.seed,
    };
    let fit = fit_species_expansion(&prim, &report.mapped, &request.lengths()?, &solve)
        .map_err(|e| ScaladeError::input(e.to_string()))?;
    Ok(FittedSpecies { fit, report })
}

/// How a solution was found and how well it predicts, for every document that tells of one; `error` is that of leaving entries out.
pub(crate) fn quality(
    solution: &Solution,
    columns: usize,
    method: FitMethod,
    error: Option<f64>,
) -> Map<String, Value> {
    let values = json!({
        "leave_one_out_error_eV": error,
        "training_error_eV": solution.training_rmse(),
        "effective_parameters": solution.effective_parameters,
        "method": method_name(method),
        "penalty": solution.penalty,
        "folds": folds(solution.folds),
        "rank": columns - solution.dependent_columns.len(),
        "columns": columns,
    });
    if let Value::Object(map) = values { map } else { Map::new() }
}

/// The document: quality of the fit, its interactions, every structure.
pub fn document(fitted: &FittedSpecies, request: &FitRequest) -> Value {
    let (fit, solution) = (&fitted.fit, &fitted.fit.solution);
    let hamiltonian = &fit.hamiltonian;
    let interactions: Vec<Value> = hamiltonian
        .orbits
        .iter()
        .enumerate()
        .map(|(k, orbit)| {
            let site = |f: &scalade_handoff::SiteFactor| json!([f.site.basis, f.function]);
            json!({
                "order": orbit.order, "diameter_angstrom": orbit.diameter_angstrom, "multiplicity": orbit.terms.len(),
                "factors": orbit.terms.first().map(|t| t.iter().map(site).collect::<Vec<_>>()),
                "eci_eV": solution.coefficients[k + 1], "std_error_eV": solution.standard_deviations[k + 1],
            })
        })
        .collect();
    let parity: Vec<Value> = fit
        .parity
        .iter()
        .map(|p| {
            json!({
                "id": p.id, "composition": p.composition, "energy_eV_per_formula": p.data_ev, "fitted_eV_per_formula": p.fitted_ev,
                "leave_one_out_residual_eV": p.leave_one_out_residual_ev, "leverage": p.leverage,
            })
        })
        .collect();
    let coulomb = fit.columns.iter().position(|c| *c == Column::Coulomb);
    let mut document = json!({
        "structures": fitted.report.mapped.len(),
        "diagnostics": fit.diagnostics,
        "excluded": excluded(&fitted.report.excluded),
        "sites": hamiltonian.sites.iter().map(|s| json!({ "fractional": s.fractional, "species": s.species })).collect::<Vec<_>>(),
        "interactions": interactions,
        "electrostatic": coulomb.map(|k| json!({
            "inverse_permittivity": { "value": solution.coefficients[k], "std_error": solution.standard_deviations[k] },
        })),
        "parity": parity,
    });
    if let Value::Object(map) = &mut document {
        let error = Some(solution.leave_one_out_rmse());
        map.extend(quality(solution, fit.columns.len(), request.method, error));
    }
    document
}
