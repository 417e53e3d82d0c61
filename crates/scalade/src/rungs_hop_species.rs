//! `hop MODEL.toml` of several species: atoms of any species on the sublattices of local cluster expansions, by kinetic Monte Carlo or, with `exact`, by the
//! master equation.
//!
//! For every species the document has `tracer` D*_a and `collective` L_aa, for every pair L_ab under `onsager`, with the normalisation of
//! [`scalade_hopping::species`]: L_ab = lim < dR_a dR_b^T >/(2 N t) in angstrom^2/s, N sites on the sublattices that events change.

use crate::error::ScaladeError;
use crate::hop_document::{UNIT, cut, diffusivity};
use crate::hop_file::{Filling, HopActivation, HopFile, HopSource};
use crate::rungs_hop_model::{Checkpoint, gone_on};
use crate::rungs_hop_network::{LocalKind, energies, local_kinds};
use crate::runner::Failure;
use scalade_hopping::species::{
    EventKind, SpeciesModel, SpeciesParts, SpeciesRequest, SpeciesTransport, exact_species_transport,
    random_arrangement, species_transport, species_transport_resumable,
};
use scalade_hopping::{HoppingError, Resumed, WithError};
use scalade_numerics::{Philox, cpu_seconds};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Equilibration sweeps of each replica.
const SWEEPS: usize = 200;
/// Sets the random stream of the first arrangement apart.
const START_STREAM: u32 = 0x7374_6172;

fn refused(error: &HoppingError) -> ScaladeError {
    ScaladeError::input(error.to_string())
}

fn build(file: &HopFile, path: &Path) -> Result<SpeciesModel, ScaladeError> {
    let HopSource::Network { expansion, sample, activation, temperature_k, .. } = &file.source else {
        return Err(ScaladeError::input("[state] composition belongs to local expansions: give [hops] kra"));
    };
    let HopActivation::Local { files, attempt_frequencies_hz, sample: of_hops } = activation else {
        return Err(ScaladeError::input(
            "[state] composition: several species need local expansions; give [hops] kra",
        ));
    };
    let local = local_kinds(path, files, attempt_frequencies_hz.as_deref(), *of_hops)?;
    let kind = |of: LocalKind| {
        // The model takes frequencies that depend on the surroundings from the expansion.
        let prefactor_hz = if of.expansion.attempt_frequency.is_some() { 1.0 } else { of.frequency_hz };
        EventKind { name: of.name, expansion: of.expansion, prefactor_hz }
    };
    let kinds: Vec<EventKind> = local.into_iter().map(kind).collect();
    let energy = expansion.as_ref().map(|name| energies(path, name, *sample)).transpose()?;
    let first = kinds.first().ok_or_else(|| ScaladeError::internal("no kind of hops"))?;
    let (lattice_angstrom, sites) = match &energy {
        Some((hamiltonian, _)) => (hamiltonian.lattice_angstrom, hamiltonian.sites.clone()),
        None => (first.expansion.lattice_angstrom, first.expansion.sites.clone()),
    };
    let parts = SpeciesParts {
        lattice_angstrom,
        sites: &sites,
        hamiltonian: energy.as_ref().map(|(h, c)| (h, c.as_slice())),
        kinds: &kinds,
        cells: [file.size[0], file.size[1], file.size[2]],
        temperature_k: *temperature_k,
    };
    SpeciesModel::new(&parts).map_err(|e| refused(&e))
}

/// Atoms of each species on every sublattice.
fn counts(model: &SpeciesModel, shares: &BTreeMap<String, f64>) -> Result<Vec<Vec<usize>>, ScaladeError> {
    let cells = model.grid().cells();
    let known = |name: &String| model.sites().iter().any(|s| s.species.len() > 1 && s.species.contains(name));
    if let Some(name) = shares.keys().find(|name| !known(name)) {
        return Err(ScaladeError::input(format!(
            "[state] composition: no site with a choice takes {name}; known are {}",
            model.species().join(", ")
        )));
    }
    let mut out = Vec::new();
    for (sublattice, site) in model.sites().iter().enumerate() {
        let share = |name: &String| shares.get(name).map(|c| (c * cells as f64).round() as usize);
        let mut list: Vec<usize> = site.species.iter().map(|name| share(name).unwrap_or(0)).collect();
        let open: Vec<usize> =
            (0..site.species.len()).filter(|s| share(&site.species[*s]).is_none()).collect();
        let taken: usize = list.iter().sum();
        match (open[..].first(), cells.checked_sub(taken)) {
            (Some(rest), Some(left)) if open.len() == 1 => list[*rest] = left,
            (None, Some(0)) => {}
            _ => {
                let what = if open.len() > 1 {
                    format!(
                        "{} are left out; one may be",
                        open.iter().map(|s| site.species[*s].as_str()).collect::<Vec<_>>().join(", ")
                    )
                } else {
                    format!("{taken} atoms for {cells} sites")
                };
                return Err(ScaladeError::input(format!(
                    "[state] composition, sublattice {sublattice} ({}): {what}",
                    site.species.join(", ")
                )));
            }
        }
        out.push(list);
    }
    Ok(out)
}

/// Runs a model.
pub(crate) fn run(
    file: &HopFile,
    path: &Path,
    exact: bool,
    checkpoint: Option<Checkpoint<'_>>,
) -> Result<Value, Failure> {
    let Filling::Composition(shares) = &file.filling else {
        return Err(ScaladeError::internal("several species without a composition").into());
    };
    let model = build(file, path)?;
    let mut rng = Philox::new(file.seed, START_STREAM, 0);
    let arrangement =
        random_arrangement(&model, &counts(&model, shares)?, &mut rng).map_err(|e| refused(&e))?;
    let numbers = model.counts(&arrangement);
    let mut document = json!({
        "sites": model.grid().sites(), "mobile_sites": model.mobile_sites(), "events_per_cell": model.events_per_cell(),
        "temperature_K": model.temperature_k(), "seed": file.seed, "dimensions": 3, "length_unit": "angstrom", "time_unit": "s",
        "numbers": model.species().iter().zip(&numbers).map(|(n, c)| (n.clone(), json!(c))).collect::<serde_json::Map<_, _>>(),
    });
    if exact {
        crate::hop_document::extend(&mut document, exactly(&model, &arrangement, &numbers)?);
        return Ok(document);
    }
    let start = cpu_seconds();
    let request = SpeciesRequest {
        model: &model,
        arrangement: &arrangement,
        relative_error: file.standard_error,
        most_events: file.most_events,
        sweeps: SWEEPS,
        seed: file.seed,
    };
    let found = match checkpoint {
        None => species_transport(&request, &()).map(|found| (found, Resumed::default())),
        Some(Checkpoint { file, tell }) => species_transport_resumable(&request, &(), file, tell),
    };
    let (found, resumed) = found.map_err(|e| refused(&e))?;
    let seconds = (cpu_seconds() - start).max(1e-9);
    crate::hop_document::extend(&mut document, sampled(&found, seconds));
    gone_on(&mut document, &resumed, found.events, seconds);
    if found.reached {
        return Ok(document);
    }
    let message = format!(
        "not converged, partial result kept: {} events did not bring the errors to {:e}; raise max_events or standard_error",
        found.events, file.standard_error
    );
    Err(Failure::Partial { document: Box::new(document), message })
}

fn sampled(found: &SpeciesTransport, seconds: f64) -> Value {
    let factor = |of: Option<WithError>| match of {
        Some(known) => json!({ "value": known.value, "std_error": known.std }),
        None => json!({ "value": null, "std_error": null, "reason": "not converged, or it does not move" }),
    };
    let species = found.species.iter().map(|s| {
        json!({
            "species": s.species, "particles": s.count,
            "tracer": diffusivity(&s.tracer, 3), "collective": diffusivity(&s.collective, 3),
            "correlation_factor": factor(s.tracer_correlation),
            "collective_correlation_factor": factor(s.collective_correlation),
            "note": s.note,
        })
    });
    let name = |k: usize| found.species.get(k).map(|s| s.species.clone());
    let cross = found.cross.iter().map(|c| {
        let mut value = diffusivity(&c.value, 3);
        crate::hop_document::extend(&mut value, json!({ "species": c.species.map(name) }));
        value
    });
    json!({
        "engine": "tree",
        "species": species.collect::<Vec<_>>(),
        "onsager": cross.collect::<Vec<_>>(),
        "events": found.events, "cpu_time_s": seconds,
        "detailed_balance_error": found.balance_gap, "equilibration_z": found.equilibration_z,
        "largest_deviation": found.largest_deviation, "warnings": found.warnings, "converged": found.reached,
    })
}

fn exactly(model: &SpeciesModel, arrangement: &[u8], numbers: &[usize]) -> Result<Value, ScaladeError> {
    let found = exact_species_transport(model, arrangement).map_err(|e| refused(&e))?;
    let sure = |of: &[[f64; 3]; 3]| json!({ "value": cut(of, 3, UNIT), "std_error": vec![vec![0.0; 3]; 3], "verdict": "exact" });
    let trace = |m: &[[f64; 3]; 3]| m[0][0] + m[1][1] + m[2][2];
    // Of species without an atom, or which nothing moves, there is no factor.
    let ratio =
        |whole: f64, plain: f64| (plain > 0.0).then(|| json!({ "value": whole / plain, "std_error": 0.0 }));
    let names = model.species();
    let of = |k: usize| {
        let (whole, plain) = (&found.tracer_m2_s[k], &found.tracer_uncorrelated_m2_s[k]);
        let tracer = whole.zip(*plain).and_then(|(w, p)| ratio(trace(&w), trace(&p)));
        json!({
            "species": names[k], "particles": numbers[k],
            "tracer": whole.as_ref().map(sure), "collective": sure(&found.l_m2_s[k][k]),
            "correlation_factor": tracer,
            "collective_correlation_factor": ratio(trace(&found.l_m2_s[k][k]), trace(&found.uncorrelated_m2_s[k][k])),
            "note": model.mobility()[k].why_zero().or_else(|| model.mobility()[k].why_frozen()),
        })
    };
    let mut cross = Vec::new();
    for a in 0..names.len() {
        for b in a + 1..names.len() {
            let mut value = sure(&found.l_m2_s[a][b]);
            crate::hop_document::extend(&mut value, json!({ "species": [&names[a], &names[b]] }));
            cross.push(value);
        }
    }
    Ok(json!({
        "engine": "master equation", "species": (0..names.len()).map(of).collect::<Vec<_>>(), "onsager": cross,
        "states": found.states, "warnings": model.warnings(), "converged": true,
    }))
}
