//! `barriers`: from the images of computed hops to kinetically resolved activations and a local cluster expansion of them, and of the logarithm of their attempt
//! frequencies where the images have these.

use crate::barrier_frequencies::{self, KEY, frequency_of, ln_frequencies};
use crate::error::ScaladeError;
use crate::orderings::Orderings;
use crate::prim_file::read_prim;
use crate::rungs::{mapping_settings, quantity};
use crate::rungs_species::quality;
use scalade_expansion::Prim;
use scalade_expansion::local::{
    ArrangedHop, EventClass, Hop, HopKind, HopReport, LocalCutoffs, LocalFit, arrange_hops,
    fit_local_expansion, hop_kinds, kinetically_resolved_activation_ev, reach_angstrom,
};
use scalade_formats::{Frame, InfoValue};
use scalade_handoff::{LocalFrequencies, Parity, SpeciesChange};
use scalade_lattice::{FitMethod, SolveSettings};
use scalade_units::dimension;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Keys of a comment line by which images of one hop are told from others, the first that is there.
const HOP_KEYS: [&str; 4] = ["hop", "path", "id", "name"];
/// Values of the key `state` that name the saddle.
const SADDLE: [&str; 4] = ["saddle", "ts", "transition", "transition_state"];

/// What is asked of the fit.
#[derive(Clone, Debug)]
pub struct BarrierRequest<'a> {
    /// The primitive cell.
    pub prim: &'a Path,
    /// Lengths with units, comma-separated: how far clusters of 1, 2 ... sites reach from the event.
    pub radius: &'a str,
    /// The same for the largest distance within clusters of 2, 3 ... sites.
    pub diameter: &'a str,
    /// Barriers of both directions apart, instead of their mean.
    pub directed: bool,
    /// Which kind of hop is fitted, from 1, the most frequent one first.
    pub kind: usize,
    /// Hops that may be left out because their ends are not on the lattice.
    pub max_excluded: usize,
    /// Largest strain.
    pub max_strain: Option<f64>,
    /// Largest distance of an atom from its site, with unit.
    pub max_drift: Option<&'a str>,
    /// How the coefficients are found.
    pub method: FitMethod,
    /// Grouped folds whose error is told too.
    pub folds: Option<usize>,
    /// Posterior samples.
    pub samples: usize,
    /// Seed of the samples.
    pub seed: u64,
}

/// Barriers of one path, eV.
#[derive(Clone, Debug)]
struct PathBarriers {
    id: String,
    initial: usize,
    last: usize,
    ends_ev: [f64; 2],
    saddle_ev: f64,
    images: usize,
    attempt_frequency_thz: Option<f64>,
}

/// Hops with their local expansion.
#[derive(Debug)]
pub struct FittedBarriers {
    prim: Prim,
    paths: Vec<PathBarriers>,
    report: HopReport,
    kinds: Vec<HopKind>,
    /// The fit of the kind asked for.
    pub fit: LocalFit,
    /// Root mean square of the errors of fits without a whole path, eV: of barriers of both directions apart, which share a saddle.
    path_error_ev: Option<f64>,
    /// The fit of ln(nu/Hz) to the same hops, where all have an attempt frequency nu.
    frequencies: Option<LocalFit>,
}

fn key_of(frame: &Frame) -> Result<String, ScaladeError> {
    let text = |key: &&str| match frame.info.get(*key) {
        Some(InfoValue::Text(text)) => Some(text.clone()),
        Some(InfoValue::Int(number)) => Some(number.to_string()),
        _ => None,
    };
    HOP_KEYS.iter().find_map(text).ok_or_else(|| {
        ScaladeError::input(format!(
            "{}: nothing tells which hop this image belongs to; give every frame hop=NAME in its comment line",
            frame.place()
        ))
    })
}

fn state_of(frame: &Frame) -> Option<String> {
    match frame.info.get("state") {
        Some(InfoValue::Text(text)) => Some(text.to_ascii_lowercase()),
        _ => None,
    }
}

/// Images of one hop in the order of the files: its ends are those named so by `state` (initial, final), else the first and the last; its saddle is that
/// named so, else the image of highest energy.
fn path_of(
    id: &str,
    images: &[usize],
    frames: &[Frame],
    energies: &[f64],
) -> Result<PathBarriers, ScaladeError> {
    let wrong = |problem: &str| {
        let place =
            images.first().and_then(|n| frames.get(*n)).map_or_else(String::new, |f| f.place().to_string());
        ScaladeError::input(format!("hop {id} ({place}): {problem}"))
    };
    let named = |names: &[&str]| -> Result<Option<usize>, ScaladeError> {
        let mut found = images
            .iter()
            .copied()
            .filter(|n| state_of(&frames[*n]).is_some_and(|s| names.contains(&s.as_str())));
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(wrong(&format!("two images have the state {}; one is due", names[0]))),
            (one, None) => Ok(one),
        }
    };
    let (initial, saddle, last) = (named(&["initial"])?, named(&SADDLE)?, named(&["final", "last"])?);
    if images.len() < 3 {
        return Err(wrong(&format!("it has {} images; its two ends and its saddle are due", images.len())));
    }
    let ends = [initial.unwrap_or(images[0]), last.unwrap_or(images[images.len() - 1])];
    let highest = images.iter().copied().max_by(|a, b| energies[*a].total_cmp(&energies[*b]));
    let saddle = saddle.or(highest).filter(|s| !ends.contains(s) && ends[0] != ends[1]);
    let Some(saddle) = saddle else {
        return Err(wrong(
            "its highest image is one of its ends: there is no barrier between them, or an image is missing",
        ));
    };
    Ok(PathBarriers {
        id: id.to_string(),
        initial: ends[0],
        last: ends[1],
        ends_ev: ends.map(|n| energies[n]),
        saddle_ev: energies[saddle],
        images: images.len(),
        attempt_frequency_thz: frequency_of(id, images.iter().filter_map(|n| frames.get(*n)))?,
    })
}

/// Lengths with units in angstrom.
fn lengths(option: &str, text: &str) -> Result<Vec<f64>, ScaladeError> {
    let one = |t: &str| quantity(option, t.trim(), dimension::LENGTH).map(|m| m * 1e10);
    text.split(',').filter(|t| !t.trim().is_empty()).map(one).collect()
}

fn paths(orderings: &Orderings, energies: &[f64]) -> Result<Vec<PathBarriers>, ScaladeError> {
    let mut order: Vec<String> = Vec::new();
    let mut images: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (n, frame) in orderings.frames.iter().enumerate() {
        let key = key_of(frame)?;
        let list = images.entry(key.clone()).or_default();
        if list.is_empty() {
            order.push(key);
        }
        list.push(n);
    }
    order.iter().map(|id| path_of(id, &images[id], &orderings.frames, energies)).collect()
}

/// Reads hops, finds the events between their ends, and fits the local expansion of one kind of them.
pub fn fit_barriers(
    orderings: &Orderings,
    request: &BarrierRequest<'_>,
) -> Result<FittedBarriers, ScaladeError> {
    let refused = |e: scalade_expansion::ExpansionError| ScaladeError::input(e.to_string());
    let prim = read_prim(request.prim)?;
    let cutoffs = LocalCutoffs {
        radius_angstrom: lengths("--radius", request.radius)?,
        diameter_angstrom: lengths("--diameter", request.diameter)?,
    };
    let drift = request.max_drift.map(|t| quantity("--max-drift", t, dimension::LENGTH)).transpose()?;
    let settings = mapping_settings(request.max_strain, drift.map(|m| m * 1e10))?;
    let frames = orderings.labelled_frames()?;
    let energies: Vec<f64> = frames.iter().map(|f| f.energy_ev.unwrap_or(f64::NAN)).collect();
    let paths = paths(orderings, &energies)?;
    let frequencies = ln_frequencies(paths.iter().map(|p| (p.id.as_str(), p.attempt_frequency_thz)))?;
    if request.directed && frequencies.is_some() {
        return Err(ScaladeError::input(format!(
            "--directed expands both directions apart; an attempt frequency ({KEY}) is one for both: leave one of them out"
        )));
    }
    let mut hops = Vec::new();
    for path in &paths {
        let ends = [path.initial, path.last].map(|n| frames[n].structure.clone());
        let [initial, last] = ends;
        let id = path.id.clone();
        if request.directed {
            let [forward, backward] = path.ends_ev.map(|e| path.saddle_ev - e);
            hops.push(Hop {
                id: id.clone(),
                initial: initial.clone(),
                last: last.clone(),
                value_ev: forward,
            });
            hops.push(Hop { id: format!("{id}{BACK}"), initial: last, last: initial, value_ev: backward });
        } else {
            let value_ev = kinetically_resolved_activation_ev(path.ends_ev, path.saddle_ev);
            hops.push(Hop { id, initial, last, value_ev });
        }
    }
    let report = arrange_hops(&prim, &hops, &settings);
    if report.excluded.len() > request.max_excluded {
        let shown: Vec<String> =
            report.excluded.iter().take(5).map(|e| format!("{}: {}", e.id, e.reason)).collect();
        return Err(ScaladeError::input(format!(
            "{} of {} hops are left out and {} may be:\n  {}\nremove or repair them, widen the limits (--max-strain, --max-drift), or allow more with --max-excluded (they are then listed)",
            report.excluded.len(),
            hops.len(),
            request.max_excluded,
            shown.join("\n  ")
        )));
    }
    let parity = if request.directed { Parity::Directed } else { Parity::Even };
    let kinds = hop_kinds(&prim, &report.arranged, parity).map_err(refused)?;
    let Some(kind) = request.kind.checked_sub(1).and_then(|k| kinds.get(k)) else {
        let message =
            format!("--kind is {}; there are {} kinds of hops, counted from 1", request.kind, kinds.len());
        return Err(ScaladeError::input(message));
    };
    let chosen: Vec<ArrangedHop> = kind.hops.iter().map(|n| report.arranged[*n].clone()).collect();
    let solve = SolveSettings {
        method: request.method,
        folds: request.folds,
        samples: request.samples,
        seed: request.seed,
    };
    let fitted = |hops: &[ArrangedHop]| {
        let settings =
            SolveSettings { samples: if hops.len() == chosen.len() { solve.samples } else { 0 }, ..solve };
        fit_local_expansion(&prim, &kind.event, parity, hops, &cutoffs, &settings).map_err(refused)
    };
    let mut fit = fitted(&chosen)?;
    let frequencies = frequencies
        .map(|ln_hz| barrier_frequencies::fit(&prim, &kind.event, &chosen, &ln_hz, &cutoffs, &solve))
        .transpose()?;
    if let Some(found) = &frequencies {
        fit.expansion.attempt_frequency = Some(LocalFrequencies {
            coefficients_ln_hz: found.expansion.coefficients_ev.clone(),
            samples_ln_hz: found.expansion.samples_ev.clone(),
        });
        fit.expansion.check().map_err(|e| ScaladeError::internal(e.to_string()))?;
    }
    let class = EventClass::new(&prim, &kind.event, parity).map_err(refused)?;
    let path_error_ev = request.directed.then(|| path_error(&class, &chosen, fitted)).transpose()?;
    Ok(FittedBarriers { prim, paths, report, kinds, fit, path_error_ev, frequencies })
}

/// What ends the name of the way back of a hop.
const BACK: &str = " (back)";

/// Root mean square of the errors of predicting both directions of each path by a fit to the others.
fn path_error(
    class: &EventClass,
    hops: &[ArrangedHop],
    fitted: impl Fn(&[ArrangedHop]) -> Result<LocalFit, ScaladeError>,
) -> Result<f64, ScaladeError> {
    let path = |hop: &ArrangedHop| hop.id.strip_suffix(BACK).unwrap_or(&hop.id).to_string();
    let names: BTreeSet<String> = hops.iter().map(path).collect();
    let mut square = 0.0;
    for name in names {
        let (own, others): (Vec<ArrangedHop>, Vec<ArrangedHop>) =
            hops.iter().cloned().partition(|hop| path(hop) == name);
        let expansion = fitted(&others)?.expansion;
        for hop in own {
            let means = class
                .correlations(&expansion.orbits, &hop.event, &hop.initial.supercell, &hop.initial.species)
                .map_err(|e| ScaladeError::internal(e.to_string()))?;
            let terms = means.iter().zip(&expansion.coefficients_ev[1..]).map(|(m, c)| m * c);
            square += (hop.value_ev - expansion.coefficients_ev[0] - terms.sum::<f64>()).powi(2);
        }
    }
    Ok((square / hops.len() as f64).sqrt())
}

fn changes(prim: &Prim, event: &[SpeciesChange]) -> Value {
    let sites = &prim.choices().sites;
    let one = |c: &SpeciesChange| {
        json!({
            "sublattice": c.site.basis, "cell": c.site.cell,
            "before": sites[c.site.basis].species[c.before], "after": sites[c.site.basis].species[c.after],
        })
    };
    event.iter().map(one).collect()
}

/// Root mean square of the errors of predicting each value by the mean of the others.
fn error_of_the_mean(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let square = |v: &f64| ((v - mean) * n / (n - 1.0)).powi(2);
    (values.iter().map(square).sum::<f64>() / n).sqrt()
}

/// The document: barriers of every path, kinds of hops, the local expansion and its quality.
pub fn document(fitted: &FittedBarriers, request: &BarrierRequest<'_>) -> Result<Value, ScaladeError> {
    let (fit, solution) = (&fitted.fit, &fitted.fit.solution);
    let barriers: Vec<Value> = fitted
        .paths
        .iter()
        .map(|p| {
            let mut told = json!({
                "id": p.id, "images": p.images,
                "forward_eV": p.saddle_ev - p.ends_ev[0], "backward_eV": p.saddle_ev - p.ends_ev[1],
                "kra_eV": kinetically_resolved_activation_ev(p.ends_ev, p.saddle_ev),
            });
            if let Some(thz) = p.attempt_frequency_thz {
                told[KEY] = thz.into();
            }
            told
        })
        .collect();
    let kinds: Vec<Value> = fitted
        .kinds
        .iter()
        .map(|kind| {
            let class = EventClass::new(&fitted.prim, &kind.event, fit.expansion.parity)
                .map_err(|e| ScaladeError::internal(e.to_string()))?;
            let ids: Vec<&str> = kind.hops.iter().map(|n| fitted.report.arranged[*n].id.as_str()).collect();
            Ok(json!({ "hops": ids, "event": changes(&fitted.prim, &kind.event), "events_per_cell": class.multiplicity() }))
        })
        .collect::<Result<_, ScaladeError>>()?;
    let interactions: Vec<Value> = fit
        .expansion
        .orbits
        .iter()
        .enumerate()
        .map(|(k, orbit)| {
            let first = orbit.terms.first().cloned().unwrap_or_default();
            let sites: Vec<_> = first.iter().map(|f| f.site).collect();
            json!({
                "order": orbit.order, "reach_angstrom": reach_angstrom(&fitted.prim, &fit.expansion.event, &sites),
                "diameter_angstrom": orbit.diameter_angstrom, "multiplicity": orbit.terms.len(),
                "factors": first.iter().map(|f| json!([f.site.basis, f.function])).collect::<Vec<_>>(),
                "keci_eV": solution.coefficients[k + 1], "std_error_eV": solution.standard_deviations[k + 1],
            })
        })
        .collect();
    let parity: Vec<Value> = fit
        .parity
        .iter()
        .map(|p| {
            json!({
                "id": p.id, "data_eV": p.data_ev, "fitted_eV": p.fitted_ev,
                "leave_one_out_residual_eV": p.leave_one_out_residual_ev,
                "leave_one_out_std_error_eV": p.leave_one_out_std_ev, "leverage": p.leverage,
            })
        })
        .collect();
    let excluded: Vec<Value> = fitted
        .report
        .excluded
        .iter()
        .map(|e| json!({ "id": e.id, "reason": e.reason.to_string() }))
        .collect();
    let values: Vec<f64> = fit.parity.iter().map(|p| p.data_ev).collect();
    let mut document = json!({
        "barriers": barriers,
        "kinds": kinds,
        "kind": request.kind,
        "property": if request.directed { "barrier" } else { "kinetically resolved activation" },
        "hops": fit.parity.len(),
        "excluded": excluded,
        "diagnostics": fit.diagnostics,
        "constant": { "value": solution.coefficients[0], "std_error": solution.standard_deviations[0], "unit": "eV" },
        "interactions": interactions,
        "leave_one_path_out_error_eV": fitted.path_error_ev,
        "leave_one_out_error_of_the_mean_eV": error_of_the_mean(&values),
        "parity": parity,
    });
    if let Value::Object(map) = &mut document {
        // Both directions of a path share its saddle: without one of them the other still tells of it.
        let error = fitted.path_error_ev.is_none().then(|| solution.leave_one_out_rmse());
        map.extend(quality(solution, fit.columns.len(), request.method, error));
        if let Some(found) = &fitted.frequencies {
            let values: Vec<f64> = found.parity.iter().map(|p| p.data_ev).collect();
            let told = barrier_frequencies::told(found, error_of_the_mean(&values));
            map.insert("ln_attempt_frequency".into(), told);
        }
    }
    Ok(document)
}
