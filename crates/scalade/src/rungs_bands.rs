//! `bands`: chemical potential, conductivity, Seebeck coefficient, heat conductivity and effective masses of electron bands.
//!
//! Every number comes as `value`, `error` and `unit`. The error is the sum of two estimates: how far the last two Brillouin-zone grids differ, and, for bands
//! interpolated between computed k points, how far a less smooth interpolation of the same data differs on the same grid. Both are bounds of the
//! size of one standard deviation by experience, not by statistics; `std_error` repeats the number, so that results of all commands can be weighted alike. What
//! the bands themselves are worth (functional, rigid bands, a relaxation time) is no part of it.

use crate::band_file::BandFile;
use crate::band_source::{BandSource, CrystalBands, Diagnostic, read_bands};
use crate::bands_masses::{Edges, Masses};
use crate::bands_request::{Asked, BandsRequest, levels, relaxation_time, temperatures};
use crate::error::ScaladeError;
use crate::model_file::bad;
use crate::runner::Failure;
use scalade_bands::{
    Bands, BandsError, Condition, Level, Refinement, RelaxationTime, TransportError, TransportPoint,
    transport, transport_on_grid,
};
use scalade_crystal::Matrix3;
use scalade_units::constants::BOLTZMANN_EV;
use serde_json::{Map, Value, json};

/// Relative error that evaluation leaves at best: the interpolation of Fermi functions on the energy mesh.
pub(crate) const FLOOR: f64 = 1e-9;
/// Relative errors asked for where nothing is said: of models, and of interpolated bands.
const RELATIVE_ERROR: [f64; 2] = [1e-4, 1e-3];
/// V/K for each unit of relative error.
const SEEBECK_ERROR: f64 = 1e-3;
/// Most points of a grid where nothing is said: of a model with one orbital, and of others.
const MOST_POINTS: [usize; 2] = [1 << 27, 8_000_000];
const FIRST_DIVISIONS: usize = 16;
/// Numbers of microvolts in a volt.
pub(crate) const MICRO: f64 = 1e6;

/// A number with its error and unit.
pub(crate) fn estimate(value: f64, error: f64, unit: &str) -> Value {
    json!({ "value": value, "error": error, "std_error": error, "unit": unit })
}

/// Why there is none.
pub(crate) fn absent(unit: &str, reason: impl Into<String>) -> Value {
    json!({ "value": null, "error": null, "std_error": null, "unit": unit, "reason": reason.into() })
}

pub(crate) fn cut(tensor: &Matrix3, dimensions: usize, scale: f64) -> Vec<Vec<f64>> {
    tensor[..dimensions].iter().map(|row| row[..dimensions].iter().map(|v| v * scale).collect()).collect()
}

/// A tensor with its errors, at least [`FLOOR`] of its largest component, and the mean of its diagonal.
pub(crate) fn tensor(value: &Matrix3, error: &Matrix3, dimensions: usize, scale: f64, unit: &str) -> Value {
    let size = value.iter().flatten().fold(0.0f64, |a, x| a.max(x.abs()));
    let error = error.map(|row| row.map(|e| e.max(FLOOR * size)));
    let mean = |m: &Matrix3| scale * (0..dimensions).map(|i| m[i][i]).sum::<f64>() / dimensions as f64;
    let (rows, errors) = (cut(value, dimensions, scale), cut(&error, dimensions, scale));
    json!({
        "value": rows, "error": errors, "std_error": errors, "unit": unit,
        "mean": { "value": mean(value), "error": mean(&error), "std_error": mean(&error), "unit": unit },
    })
}

fn refused(error: &BandsError) -> ScaladeError {
    let more = match error {
        BandsError::Electrons { .. } => {
            "; the set of bands is too small for these carriers (or they are too many): ask for fewer, or compute more bands"
        }
        _ => "",
    };
    bad(format!("{error}{more}"))
}

/// Runs the command: the document of one file, or of a series of files.
pub fn bands(request: &BandsRequest<'_>) -> Result<Value, Failure> {
    crate::rungs::with_threads(request.jobs, || {
        if request.x.is_some() || request.files.len() > 1 {
            return crate::rungs_bands_series::series(request);
        }
        let [file] = request.files else { return Err(bad("no file of bands is given").into()) };
        if request.rigid_x.is_some() {
            return Err(bad("--rigid-x needs --x, the content of the file").into());
        }
        let asked = levels(request.carriers, request.chemical_potential)?;
        let at = temperatures(request.temperature)?;
        match read_bands(file, &request.reading)? {
            BandSource::Crystal(source) => crystal(&source, request, asked.as_deref(), &at),
            BandSource::Closed(BandFile::Parabolic { valleys, exponent }) => {
                let given = crate::rungs_bands_closed::Parabolic { valleys, exponent, file };
                Ok(crate::rungs_bands_closed::parabolic(&given, request, asked.as_deref(), &at)?)
            }
            BandSource::Closed(BandFile::Polaron { hopping, filling }) => Ok(
                crate::rungs_bands_closed::polaron(&hopping, &filling, file, request, asked.as_deref(), &at)?,
            ),
            BandSource::Closed(BandFile::TightBinding(_)) => {
                Err(ScaladeError::internal("a tight-binding model that is no crystal").into())
            }
        }
    })?
}

/// A point with its errors, or a chemical potential at which nothing conducts.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// Transport.
    Found(Box<(TransportPoint, TransportError)>),
    /// No carriers.
    Empty {
        /// Chemical potential, eV.
        mu_ev: f64,
        /// Why.
        reason: String,
    },
}

impl Outcome {
    /// Chemical potential, eV.
    pub(crate) fn mu_ev(&self) -> f64 {
        match self {
            Self::Found(found) => found.0.potential_ev,
            Self::Empty { mu_ev, .. } => *mu_ev,
        }
    }
}

/// Results of all conditions.
pub(crate) struct Solved {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) grids: Vec<[usize; 3]>,
    pub(crate) converged: bool,
}

pub(crate) fn refinement(
    request: &BandsRequest<'_>,
    source: &CrystalBands,
) -> Result<Refinement, ScaladeError> {
    let computed = source.computed;
    let relative_error = request.relative_error.unwrap_or(RELATIVE_ERROR[usize::from(computed)]);
    if !(1e-10..=0.5).contains(&relative_error) {
        return Err(bad(format!("--relative-error is {relative_error}; 1e-10 to 0.5 is due")));
    }
    let usual = MOST_POINTS[usize::from(source.bands.bands() > 1 || computed)];
    Ok(Refinement {
        relative_error,
        seebeck_error: SEEBECK_ERROR * relative_error,
        first_divisions: FIRST_DIVISIONS,
        most_points: request.most_points.unwrap_or(usual),
    })
}

/// Transport on refined grids. Conditions without carriers are kept apart, since they end a run of all.
fn refined(
    bands: &dyn Bands,
    conditions: &[Condition],
    tau: &RelaxationTime,
    settings: &Refinement,
) -> Result<Solved, ScaladeError> {
    match transport(bands, conditions, tau, settings) {
        Ok(found) => Ok(Solved {
            outcomes: found
                .points
                .into_iter()
                .zip(found.errors)
                .map(|(p, e)| Outcome::Found(Box::new((p, e))))
                .collect(),
            grids: found.grids,
            converged: found.converged,
        }),
        Err(error @ BandsError::NoCarriers { mu_ev, .. }) if conditions.len() == 1 => Ok(Solved {
            outcomes: vec![Outcome::Empty { mu_ev, reason: error.to_string() }],
            grids: Vec::new(),
            converged: true,
        }),
        Err(BandsError::NoCarriers { .. }) => {
            let mut all = Solved { outcomes: Vec::new(), grids: Vec::new(), converged: true };
            for condition in conditions {
                let one = refined(bands, std::slice::from_ref(condition), tau, settings)?;
                all.outcomes.extend(one.outcomes);
                all.converged &= one.converged;
                if one.grids.len() > all.grids.len() {
                    all.grids = one.grids;
                }
            }
            Ok(all)
        }
        Err(error) => Err(refused(&error)),
    }
}

/// The same with the second interpolation's difference on the last grid added to the errors.
pub(crate) fn solve(
    source: &CrystalBands,
    conditions: &[Condition],
    tau: &RelaxationTime,
    settings: &Refinement,
) -> Result<Solved, ScaladeError> {
    let mut found = refined(&*source.bands, conditions, tau, settings)?;
    let (Some(second), Some(grid)) = (&source.second, found.grids.last().copied()) else { return Ok(found) };
    let kept: Vec<usize> =
        (0..conditions.len()).filter(|i| matches!(found.outcomes[*i], Outcome::Found(_))).collect();
    let again: Vec<Condition> = kept.iter().map(|i| conditions[*i]).collect();
    let (Ok(a), Ok(b)) = (
        transport_on_grid(&*source.bands, &again, tau, grid),
        transport_on_grid(&**second, &again, tau, grid),
    ) else {
        // A grid that has no carriers in one of the two: nothing can be said but that they differ.
        for outcome in &mut found.outcomes {
            if let Outcome::Found(one) = outcome {
                one.1.conductivity = one.0.conductivity.map(|row| row.map(f64::abs));
            }
        }
        return Ok(found);
    };
    for ((i, a), b) in kept.into_iter().zip(&a.points).zip(&b.points) {
        if let Outcome::Found(one) = &mut found.outcomes[i] {
            let apart = TransportError::between(a, b);
            let error = &mut one.1;
            error.conductivity_relative += apart.conductivity_relative;
            error.seebeck += apart.seebeck;
            error.heat_relative += apart.heat_relative;
            error.potential_ev += apart.potential_ev;
            error.electrons += apart.electrons;
            for (sum, more) in [
                (&mut error.conductivity, &apart.conductivity),
                (&mut error.seebeck_tensor, &apart.seebeck_tensor),
                (&mut error.heat, &apart.heat),
            ] {
                sum.iter_mut().flatten().zip(more.iter().flatten()).for_each(|(s, m)| *s += m);
            }
        }
    }
    Ok(found)
}

/// The level of a condition for a crystal.
fn level(source: &CrystalBands, asked: Asked) -> Result<Level, ScaladeError> {
    let added = match asked {
        Asked::Potential(mu) => return Ok(Level::Potential(mu)),
        Asked::PerCell(n) => n,
        Asked::PerVolume(n) => n * source.cell_volume(),
    };
    let neutral = source.neutral.ok_or_else(|| {
        bad("--carriers counts from the neutral crystal, whose electrons the file does not state: give --electrons N, or --chemical-potential")
    })?;
    Ok(Level::Electrons { neutral, added })
}

/// What is asked where nothing is said: the neutral crystal.
fn asked_or_neutral(source: &CrystalBands, asked: Option<&[Asked]>) -> Result<Vec<Asked>, ScaladeError> {
    match asked {
        Some(list) => Ok(list.to_vec()),
        None if source.neutral.is_some_and(|n| n > 0.0) => Ok(vec![Asked::PerCell(0.0)]),
        None => Err(bad(
            "no electrons are known of the neutral crystal: give --carriers (electrons per cell, counted from empty bands) or --chemical-potential",
        )),
    }
}

fn crystal(
    source: &CrystalBands,
    request: &BandsRequest<'_>,
    asked: Option<&[Asked]>,
    at: &[f64],
) -> Result<Value, Failure> {
    let asked = asked_or_neutral(source, asked)?;
    let tau_s = request.tau.map(relaxation_time).transpose()?;
    let settings = refinement(request, source)?;
    let mut conditions = Vec::new();
    let mut labels = Vec::new();
    for t in at {
        for one in &asked {
            conditions.push(Condition { level: level(source, *one)?, temperature_k: *t });
            labels.push(*one);
        }
    }
    let edges = Edges::new(source).map_err(|e| refused(&e))?;
    let constant = RelaxationTime::constant(1.0).map_err(|e| refused(&e))?;
    let mut solved = solve(source, &conditions, &constant, &settings)?;
    if let Some(exponent) = request.exponent.filter(|r| *r != 0.0) {
        solved = with_exponent(source, &conditions, &solved, exponent, &edges, &settings)?;
    }
    let mut diagnostics = source.diagnostics.clone();
    let mut masses = Masses::new(source, &edges);
    let mut points = Vec::with_capacity(conditions.len());
    for ((condition, asked), outcome) in conditions.iter().zip(&labels).zip(&solved.outcomes) {
        points.push(point(source, condition, *asked, outcome, tau_s, &mut masses)?);
    }
    if request.hall {
        let tau = (request.exponent.unwrap_or(0.0), tau_s);
        crate::bands_hall::add(source, &conditions, &solved, tau, &settings, &mut points)?;
    }
    remarks(source, &conditions, &solved, &edges, &mut diagnostics);
    let mut document = Map::new();
    if let [only] = &points[..] {
        // The one point's numbers are those of the document.
        document.extend(only.as_object().cloned().unwrap_or_default());
    }
    let wanted: Result<Vec<Value>, ScaladeError> =
        request.mass_at.iter().map(|text| masses.at(text)).collect();
    let more = json!({
        "source": source.told,
        "cell_volume_angstrom3": source.cell_volume() * 1e30,
        "neutral_electrons_per_cell": source.neutral,
        "gap_eV": edges.gap(source),
        "scattering_exponent": request.exponent.unwrap_or(0.0),
        "tau_s": tau_s,
        "points": points,
        "masses": wanted?,
        "grids": solved.grids,
        "converged": solved.converged,
        "diagnostics": Diagnostic::told(&diagnostics),
        "warnings": diagnostics.iter().map(|d| format!("{}: {}", d.name, d.message)).collect::<Vec<_>>(),
    });
    if let Value::Object(more) = more {
        document.extend(more);
    }
    let document = Value::Object(document);
    if solved.converged {
        return Ok(document);
    }
    let message = format!(
        "not converged, partial result kept: {} points of the grid (--max-points) did not bring the relative error to {:e}; raise the one or the other, or the temperature",
        settings.most_points, settings.relative_error
    );
    Err(Failure::Partial { document: Box::new(document), message })
}

/// Times tau0 (|E - edge|/kT)^r: each condition counts energies from the edge that its carriers are at.
fn with_exponent(
    source: &CrystalBands,
    conditions: &[Condition],
    first: &Solved,
    exponent: f64,
    edges: &Edges,
    settings: &Refinement,
) -> Result<Solved, ScaladeError> {
    let mut out = Solved { outcomes: first.outcomes.clone(), grids: first.grids.clone(), converged: true };
    let mut groups: Vec<(f64, Vec<usize>)> = Vec::new();
    for (i, (condition, outcome)) in conditions.iter().zip(&first.outcomes).enumerate() {
        let Some(edge) = edges.of_carriers(outcome.mu_ev(), added(condition)) else { continue };
        match groups.iter_mut().find(|(e, _)| *e == edge.energy_ev) {
            Some((_, list)) => list.push(i),
            None => groups.push((edge.energy_ev, vec![i])),
        }
    }
    for (edge_ev, list) in groups {
        let tau = RelaxationTime::power(1.0, exponent, edge_ev).map_err(|e| refused(&e))?;
        let own: Vec<Condition> = list.iter().map(|i| conditions[*i]).collect();
        let found = solve(source, &own, &tau, settings)?;
        out.converged &= found.converged;
        for (i, outcome) in list.into_iter().zip(found.outcomes) {
            out.outcomes[i] = outcome;
        }
        if found.grids.len() > out.grids.len() {
            out.grids = found.grids;
        }
    }
    Ok(out)
}

/// Electrons added, where they are what is known.
pub(crate) fn added(condition: &Condition) -> f64 {
    match condition.level {
        Level::Electrons { added, .. } => added,
        Level::Potential(_) => 0.0,
    }
}

pub(crate) fn told_level(asked: Asked) -> (&'static str, Value) {
    match asked {
        Asked::Potential(mu) => ("asked", json!({ "chemical_potential_eV": mu })),
        Asked::PerCell(n) => ("asked", json!({ "carriers_per_cell": n })),
        Asked::PerVolume(n) => ("asked", json!({ "carriers_per_m3": n })),
    }
}

fn point(
    source: &CrystalBands,
    condition: &Condition,
    asked: Asked,
    outcome: &Outcome,
    tau_s: Option<f64>,
    masses: &mut Masses<'_>,
) -> Result<Value, ScaladeError> {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| out.insert(key.to_string(), value);
    let (key, told) = told_level(asked);
    put(key, told);
    put("temperature_K", json!(condition.temperature_k));
    let (d, scale) = (source.dimensions, source.dilution);
    put("effective_mass", masses.of(outcome.mu_ev(), added(condition))?);
    let sigma_unit = "S/(m s)";
    match outcome {
        Outcome::Empty { mu_ev, reason } => {
            let zero = [[0.0; 3]; 3];
            let undoped = matches!(condition.level, Level::Electrons { added: 0.0, .. });
            put(
                "fermi_level_eV",
                match masses.gap().filter(|_| undoped) {
                    Some((top, bottom)) => {
                        let mut level = estimate(0.5 * (top + bottom), 0.5 * (bottom - top), "eV");
                        level["reason"] =
                            json!("no carriers: every level within the gap is as good, this is its middle");
                        level
                    }
                    None => estimate(*mu_ev, 0.0, "eV"),
                },
            );
            let mut none = tensor(&zero, &zero, d, 1.0, sigma_unit);
            none["reason"] = json!(reason);
            put("conductivity_over_tau", none.clone());
            put("seebeck", absent("uV/K", reason.clone()));
            put("heat_conductivity_over_tau", absent("W/(m K s)", reason.clone()));
            put("lorenz", absent("V^2/K^2", reason.clone()));
            if tau_s.is_some() {
                none["unit"] = json!("S/m");
                put("conductivity", none);
            }
        }
        Outcome::Found(found) => {
            let (p, e) = &**found;
            let exact = matches!(condition.level, Level::Potential(_));
            let level_error =
                if exact { 0.0 } else { e.potential_ev.max(FLOOR * BOLTZMANN_EV * condition.temperature_k) };
            put("fermi_level_eV", estimate(p.potential_ev, level_error, "eV"));
            put("conductivity_over_tau", tensor(&p.conductivity, &e.conductivity, d, scale, sigma_unit));
            let floor = FLOOR * BOLTZMANN_EV;
            let errors = e.seebeck_tensor.map(|row| row.map(|x| x.max(floor)));
            let mut seebeck = tensor(&p.seebeck, &errors, d, MICRO, "uV/K");
            if p.conducting < d {
                seebeck["reason"] = json!(
                    "not every direction conducts; there the coefficient has no value and is given as 0"
                );
            }
            put("seebeck", seebeck);
            put("heat_conductivity_over_tau", tensor(&p.heat_conductivity, &e.heat, d, scale, "W/(m K s)"));
            let relative = (e.conductivity_relative + e.heat_relative).max(2.0 * FLOOR);
            put("lorenz", estimate(p.lorenz, p.lorenz * relative, "V^2/K^2"));
            let unit = BOLTZMANN_EV * BOLTZMANN_EV;
            put("lorenz_reduced", estimate(p.lorenz / unit, p.lorenz / unit * relative, "(k/e)^2"));
            put("electrons_per_cell", estimate(p.electrons, e.electrons.max(FLOOR * p.electrons), "1"));
            if let Some((n, h)) = p.carriers {
                // Counted from the sum, whose error both share.
                let share = |x: f64| estimate(x, (e.conductivity_relative * x).max(FLOOR * x), "1");
                put("electrons_above_gap_per_cell", share(n));
                put("holes_below_gap_per_cell", share(h));
            }
            put("conducting_directions", json!(p.conducting));
            if let Some(tau) = tau_s {
                put("conductivity", tensor(&p.conductivity, &e.conductivity, d, scale * tau, "S/m"));
                put("heat_conductivity", tensor(&p.heat_conductivity, &e.heat, d, scale * tau, "W/(m K)"));
            }
        }
    }
    Ok(Value::Object(out))
}

/// Names what a result should be read with.
fn remarks(
    source: &CrystalBands,
    conditions: &[Condition],
    solved: &Solved,
    edges: &Edges,
    out: &mut Vec<Diagnostic>,
) {
    match edges.neutral_state(source) {
        Some(Ok(_)) => {}
        Some(Err(message)) => out.push(Diagnostic::new("metal", message)),
        None => {
            let inside = solved.outcomes.iter().find(|o| edges.crossed(o.mu_ev()));
            if let Some(o) = inside {
                let message =
                    format!("bands cross the chemical potential {:.6} eV: no gap there", o.mu_ev() + 0.0);
                out.push(Diagnostic::new("metal", message));
            }
        }
    }
    let empty = solved.outcomes.iter().filter(|o| matches!(o, Outcome::Empty { .. })).count();
    if empty > 0 {
        out.push(Diagnostic::new(
            "no-carriers",
            format!("at {empty} of {} points no state is occupied or emptied by heat: an insulator there; the conductivity is 0 and the Seebeck coefficient has no value", conditions.len()),
        ));
    }
    if source.computed {
        let bottom = edges.bottom_of_last();
        let reached = conditions
            .iter()
            .zip(&solved.outcomes)
            .any(|(c, o)| o.mu_ev() + 10.0 * BOLTZMANN_EV * c.temperature_k > bottom);
        if reached {
            out.push(Diagnostic::new(
                "too-few-bands",
                format!("carriers reach the highest band of the file, which begins at {bottom:.4} eV: bands above it, which are not there, may take part; compute more bands"),
            ));
        }
    }
    if !solved.converged {
        out.push(Diagnostic::new(
            "not-converged",
            "the last two grids differ by more than the error asked for",
        ));
    }
}

/// A document for a terminal: numbers at the top are not told again, errors once, and tensors of cubic crystals as one number.
pub fn for_text(document: &Value) -> Value {
    let mut out = short(document);
    if let Value::Object(map) = &mut out {
        if map.get("points").and_then(Value::as_array).is_some_and(|p| p.len() == 1) {
            map.remove("points");
        }
        // Warnings are told on stderr.
        map.remove("warnings");
        map.remove("grids");
    }
    out
}

fn short(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(short).collect(),
        Value::Object(map) => {
            if let Some(mean) =
                map.get("mean").filter(|_| !map.contains_key("reason") && isotropic(&map["value"]))
            {
                return mean.clone();
            }
            let number = map.get("value").is_some_and(Value::is_number);
            map.iter()
                .filter(|(key, _)| number || !matches!(key.as_str(), "std_error" | "error"))
                .map(|(key, value)| (key.clone(), short(value)))
                .collect::<Map<String, Value>>()
                .into()
        }
        other => other.clone(),
    }
}

/// Whether a tensor is a multiple of the unit tensor to nine digits.
fn isotropic(tensor: &Value) -> bool {
    let Some(rows) = tensor.as_array() else { return false };
    let at = |i: usize, j: usize| tensor[i][j].as_f64();
    let Some(first) = at(0, 0) else { return false };
    (0..rows.len()).all(|i| {
        (0..rows.len()).all(|j| {
            at(i, j).is_some_and(|x| (x - if i == j { first } else { 0.0 }).abs() <= 1e-9 * first.abs())
        })
    })
}
