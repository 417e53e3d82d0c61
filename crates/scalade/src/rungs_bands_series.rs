//! `bands` through a lithiation series: sigma/tau(x, T) from a set of bands for every content, or from rigid bands filled by the ions.
//!
//! An ion of charge +1 that goes in brings one electron. With rigid bands the set of the content x0 holds (x - x0) `ions_per_cell` electrons more at the content x;
//! a set for each content at hand tells how far that is true.

use crate::band_source::{BandSource, Diagnostic, read_bands};
use crate::bands_request::{BandsRequest, contents, relaxation_time, temperatures};
use crate::model_file::bad;
use crate::rungs_bands::{FLOOR, MICRO, Outcome, absent, estimate, refinement, solve, tensor};
use crate::runner::Failure;
use scalade_bands::{Condition, Level, RelaxationTime};
use scalade_units::constants::BOLTZMANN_EV;
use serde_json::{Value, json};

/// The table of a series.
pub(crate) fn series(request: &BandsRequest<'_>) -> Result<Value, Failure> {
    let Some(x) = request.x else {
        return Err(
            bad("several files are a series: give the content of each with --x, such as --x 0,1").into()
        );
    };
    let own = contents("--x", x)?;
    if own.len() != request.files.len() {
        let message =
            format!("--x has {} values for {} files; one each is due", own.len(), request.files.len());
        return Err(bad(message).into());
    }
    for (option, given) in [
        ("--carriers", request.carriers.is_some()),
        ("--chemical-potential", request.chemical_potential.is_some()),
        ("--scattering-exponent", request.exponent.is_some_and(|r| r != 0.0)),
        ("--hall", request.hall),
        ("--mass-at", !request.mass_at.is_empty()),
    ] {
        if given {
            let message = format!("{option} does not belong to a series; run the file alone");
            return Err(bad(message).into());
        }
    }
    if !(request.ions_per_cell > 0.0 && request.ions_per_cell <= 1e4) {
        let message = format!("--ions-per-cell is {}; a number > 0 is due", request.ions_per_cell);
        return Err(bad(message).into());
    }
    let rigid = request.rigid_x.map(|t| contents("--rigid-x", t)).transpose()?;
    let at = temperatures(request.temperature)?;
    let tau_s = request.tau.map(relaxation_time).transpose()?;
    let mut rows = Vec::new();
    let mut sources = Vec::new();
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    let mut converged = true;
    for (file, x0) in request.files.iter().zip(&own) {
        let name = file.display().to_string();
        let BandSource::Crystal(source) = read_bands(file, &request.reading)? else {
            return Err(bad(format!("{name}: a series takes bands of crystals")).into());
        };
        let Some(neutral) = source.neutral.filter(|n| *n > 0.0) else {
            return Err(bad(format!(
                "{name}: a series needs the electrons of the neutral crystal: give --electrons N"
            ))
            .into());
        };
        diagnostics.extend(
            source
                .diagnostics
                .iter()
                .map(|d| Diagnostic { name: d.name, message: format!("{name}: {}", d.message) }),
        );
        let settings = refinement(request, &source)?;
        let list = rigid.clone().unwrap_or_else(|| vec![*x0]);
        let mut conditions = Vec::new();
        for t in &at {
            for x in &list {
                let added = (x - x0) * request.ions_per_cell;
                conditions.push(Condition { level: Level::Electrons { neutral, added }, temperature_k: *t });
            }
        }
        let constant = RelaxationTime::constant(1.0).map_err(|e| bad(e.to_string()))?;
        let solved =
            solve(&source, &conditions, &constant, &settings).map_err(|e| bad(format!("{name}: {e}")))?;
        converged &= solved.converged;
        for (i, (condition, outcome)) in conditions.iter().zip(&solved.outcomes).enumerate() {
            let x = list[i % list.len()];
            rows.push(row(x, *x0, condition, outcome, &name, tau_s));
        }
        sources.push(source.told);
    }
    let document = json!({
        "sources": sources,
        "ions_per_cell": request.ions_per_cell,
        "tau_s": tau_s,
        "series": rows,
        "converged": converged,
        "diagnostics": Diagnostic::told(&diagnostics),
        "warnings": diagnostics.iter().map(|d| format!("{}: {}", d.name, d.message)).collect::<Vec<_>>(),
    });
    if converged {
        return Ok(document);
    }
    let message = "not converged, partial result kept: raise --max-points or --relative-error".to_string();
    Err(Failure::Partial { document: Box::new(document), message })
}

fn row(x: f64, own: f64, condition: &Condition, outcome: &Outcome, file: &str, tau_s: Option<f64>) -> Value {
    let mut out = json!({
        "x": x, "bands_of_x": own, "rigid": x != own, "temperature_K": condition.temperature_k, "file": file,
    });
    match outcome {
        Outcome::Empty { mu_ev, reason } => {
            let zero = [[0.0; 3]; 3];
            out["fermi_level_eV"] = estimate(*mu_ev, 0.0, "eV");
            out["conductivity_over_tau"] = tensor(&zero, &zero, 3, 1.0, "S/(m s)");
            out["conductivity_over_tau"]["reason"] = json!(reason);
            out["seebeck"] = absent("uV/K", reason.clone());
        }
        Outcome::Found(found) => {
            let (p, e) = &**found;
            let kt = BOLTZMANN_EV * condition.temperature_k;
            out["fermi_level_eV"] = estimate(p.potential_ev, e.potential_ev.max(FLOOR * kt), "eV");
            out["conductivity_over_tau"] = tensor(&p.conductivity, &e.conductivity, 3, 1.0, "S/(m s)");
            let errors = e.seebeck_tensor.map(|r| r.map(|v| v.max(FLOOR * BOLTZMANN_EV)));
            out["seebeck"] = tensor(&p.seebeck, &errors, 3, MICRO, "uV/K");
            out["lorenz"] = estimate(
                p.lorenz,
                p.lorenz * (e.conductivity_relative + e.heat_relative).max(FLOOR),
                "V^2/K^2",
            );
            if let Some(tau) = tau_s {
                out["conductivity"] = tensor(&p.conductivity, &e.conductivity, 3, tau, "S/m");
            }
        }
    }
    out
}
