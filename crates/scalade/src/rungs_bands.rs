//! `bands`: Fermi level, conductivity, Seebeck coefficient and effective mass from bands, each with an estimate of its error.
//!
//! Errors are not statistical. Of a Brillouin-zone integral they are the change over the last refinement of the grid; where bands were interpolated, the change with
//! a fifth fewer stars is added in square. `std_error` repeats `error`, for readers that treat all errors of this program alike.

use crate::bands_file::{BandSource, DENSITY};
use crate::error::ScaladeError;
use crate::rungs::{electronvolt, quantity};
use crate::runner::Failure;
use scalade_bands::constants::{ANGSTROM, ELECTRON_MASS};
use scalade_bands::mass::{MassTensor, inverse_conductivity_mass};
use scalade_bands::parabolic::ParabolicBand;
use scalade_bands::polaron::PolaronHopping;
use scalade_bands::{
    BandSet, Bands, BandsError, Condition, Level, Refinement, RelaxationTime, StarInterpolation,
    TightBinding, Transport, TransportPoint, transport,
};
use scalade_crystal::{Matrix3, determinant};
use scalade_units::constants::BOLTZMANN_EV;
use scalade_units::dimension;
use serde_json::{Value, json};
use std::path::Path;

/// Stars per k point, and the same for the estimate of its error.
const STARS: [f64; 2] = [5.0, 4.0];
/// Points along each axis of the search for band edges.
const SEARCH: usize = 12;
/// Shortest step of the search, fractional.
const SHORTEST: f64 = 1e-7;
/// Steps of the differences that check a curvature, 1/angstrom.
const STEP: f64 = 5e-3;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct BandsRequest<'a> {
    /// Bands or a model.
    pub file: &'a Path,
    /// Lattice, where the file holds none.
    pub structure: Option<&'a Path>,
    /// Temperatures.
    pub temperature: &'a str,
    /// Electrons added to the neutral cell, or a density of carriers.
    pub carriers: Option<&'a str>,
    /// Chemical potential instead.
    pub potential: Option<&'a str>,
    /// Electrons of the neutral cell, where the file does not say.
    pub neutral: Option<f64>,
    /// Gap to be set by moving the bands above it.
    pub gap: Option<&'a str>,
    /// Relaxation time.
    pub tau: Option<&'a str>,
}

fn refused(error: &BandsError) -> ScaladeError {
    ScaladeError::input(error.to_string())
}

fn list<T>(text: &str, one: impl Fn(&str) -> Result<T, ScaladeError>) -> Result<Vec<T>, ScaladeError> {
    let items: Vec<&str> = text.split(',').map(str::trim).filter(|t| !t.is_empty()).collect();
    if items.is_empty() || items.len() > 1000 {
        return Err(ScaladeError::input(format!(
            "{} values are given; 1 to 1000, parted by commas, are due",
            items.len()
        )));
    }
    items.into_iter().map(one).collect()
}

/// A temperature with a unit, or a number of kelvin.
fn kelvin(text: &str) -> Result<f64, ScaladeError> {
    let value = match text.parse::<f64>() {
        Ok(number) => number,
        Err(_) => quantity("--temperature", text, dimension::TEMPERATURE)?,
    };
    if value > 0.0 && value.is_finite() {
        Ok(value)
    } else {
        Err(ScaladeError::input(format!("--temperature: {value} K is no positive temperature")))
    }
}

/// A count per cell or a density, 1/m3.
#[derive(Clone, Copy, Debug)]
enum Count {
    Cell(f64),
    Density(f64),
}

fn count(text: &str) -> Result<Count, ScaladeError> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Count::Cell(number)),
        Ok(number) => Err(ScaladeError::input(format!("--carriers: {number} is no count"))),
        Err(_) => Ok(Count::Density(quantity("--carriers", text, DENSITY)?)),
    }
}

/// A number or tensor with its error.
fn told_with(value: impl Into<Value>, error: impl Into<Value>, unit: &str) -> Value {
    let error = error.into();
    json!({ "value": value.into(), "error": error, "std_error": error, "unit": unit })
}

fn scaled(tensor: &Matrix3, by: f64) -> Value {
    json!(tensor.map(|row| row.map(|x| x * by)))
}

fn every(value: f64) -> Value {
    let filled: Matrix3 = [[value; 3]; 3];
    json!(filled)
}

/// Bands and the same with an error.
enum Known {
    Model(TightBinding),
    Stars(Box<[StarInterpolation; 2]>),
}

impl Known {
    fn bands(&self) -> &dyn Bands {
        match self {
            Self::Model(model) => model,
            Self::Stars(stars) => &stars[0],
        }
    }

    fn energies(&self, which: usize, k: &[[f64; 3]]) -> Result<Vec<Vec<f64>>, BandsError> {
        match self {
            Self::Model(model) => k.iter().map(|k| model.energies(*k)).collect(),
            Self::Stars(stars) => {
                let found = stars[which].at(k)?;
                let width = found.len() / k.len().max(1);
                Ok(found.chunks(width.max(1)).map(|row| row.iter().map(|e| e.energy_ev).collect()).collect())
            }
        }
    }

    fn curvature(&self, which: usize, k: [f64; 3], band: usize) -> Result<Matrix3, BandsError> {
        match self {
            Self::Model(model) => model.curvature(k, band),
            Self::Stars(stars) => stars[which].curvature(k, band),
        }
    }
}

/// An extremum of a band.
#[derive(Clone, Copy, Debug)]
struct Edge {
    k: [f64; 3],
    band: usize,
    energy: f64,
    /// 1: a minimum, where electrons gather; -1: a maximum.
    sign: f64,
}

/// Minimum and maximum of every band, from a grid and a search around its best point.
fn edges(known: &Known) -> Result<Vec<Edge>, BandsError> {
    let mut k = Vec::with_capacity(SEARCH.pow(3));
    for i in 0..SEARCH {
        for j in 0..SEARCH {
            k.extend((0..SEARCH).map(|l| [i, j, l].map(|n| n as f64 / SEARCH as f64)));
        }
    }
    let energies = known.energies(0, &k)?;
    let mut out = Vec::new();
    for band in 0..known.bands().bands() {
        for sign in [1.0, -1.0] {
            let best = (0..k.len())
                .min_by(|a, b| (sign * energies[*a][band]).total_cmp(&(sign * energies[*b][band])));
            let Some(best) = best else { continue };
            out.push(Edge { k: k[best], band, energy: energies[best][band], sign });
        }
    }
    Ok(out)
}

/// The extremum close to a point of the grid.
fn refine(known: &Known, which: usize, mut edge: Edge) -> Result<Edge, BandsError> {
    let mut step = 0.5 / SEARCH as f64;
    while step > SHORTEST {
        let mut around = vec![edge.k];
        for code in 0..27 {
            let shift = [code / 9, code / 3 % 3, code % 3].map(|n| step * (f64::from(n) - 1.0));
            around.push(std::array::from_fn(|a| edge.k[a] + shift[a]));
        }
        let energies = known.energies(which, &around)?;
        let at = |n: usize| edge.sign * energies[n][edge.band];
        // Only what lies lower by more than rounding counts, so that a symmetric point stays what it is.
        let mut best = 0;
        for n in 1..around.len() {
            if at(n) < at(best) - 1e-13 * (1.0 + at(best).abs()) {
                best = n;
            }
        }
        edge.energy = energies[best][edge.band];
        edge.k = around[best];
        if best == 0 {
            step *= 0.5;
        }
    }
    Ok(edge)
}

/// Second derivatives by differences of fourth order, eV angstrom^2: an independent check of the analytic ones.
fn by_differences(known: &Known, edge: Edge) -> Result<Matrix3, BandsError> {
    let lattice = *known.bands().lattice_angstrom();
    // A Cartesian step of k in fractional coordinates: k_frac = A k / 2 pi with rows of A the lattice vectors.
    let moved = |step: [f64; 3]| -> [f64; 3] {
        std::array::from_fn(|i| {
            let along: f64 = (0..3).map(|j| lattice[i][j] * step[j]).sum();
            edge.k[i] + along / (2.0 * std::f64::consts::PI)
        })
    };
    let second = |i: usize, j: usize, h: f64| -> Result<f64, BandsError> {
        let signs = [[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]];
        let points: Vec<[f64; 3]> = signs
            .iter()
            .map(|[a, b]| {
                let mut step = [0.0; 3];
                step[i] += a * h;
                step[j] += b * h;
                moved(step)
            })
            .collect();
        let e: Vec<f64> = known.energies(0, &points)?.iter().map(|row| row[edge.band]).collect();
        Ok((e[0] + e[1] - e[2] - e[3]) / (4.0 * h * h))
    };
    let mut out = [[0.0; 3]; 3];
    for (i, row) in out.iter_mut().enumerate() {
        for (j, value) in row.iter_mut().enumerate() {
            *value = (4.0 * second(i, j, STEP)? - second(i, j, 2.0 * STEP)?) / 3.0;
        }
    }
    Ok(out)
}

/// Mass tensor at the band edge nearest to a chemical potential.
fn edge_mass(known: &Known, candidates: &[Edge], potential: f64) -> Result<Value, BandsError> {
    let nearest = candidates
        .iter()
        .min_by(|a, b| (a.energy - potential).abs().total_cmp(&(b.energy - potential).abs()));
    let Some(nearest) = nearest else { return Ok(Value::Null) };
    let edge = refine(known, 0, *nearest)?;
    let kind = if edge.sign > 0.0 { "electron" } else { "hole" };
    let place = json!({
        "k_fractional": edge.k.map(|x| x - x.round()), "band": edge.band + 1, "energy_eV": edge.energy,
    });
    let mass = known.curvature(0, edge.k, edge.band).and_then(|c| MassTensor::of_curvature(&c, edge.band));
    let mass = match mass {
        Ok(mass) => mass,
        Err(error) => {
            return Ok(json!({
                "value": null, "error": null, "std_error": null, "unit": "m_e", "carrier": kind, "at": place, "reason": error.to_string(),
            }));
        }
    };
    let mut others = vec![by_differences(known, edge)?];
    if let Known::Stars(_) = known {
        let other = refine(known, 1, *nearest)?;
        others.push(known.curvature(1, other.k, other.band)?);
    }
    let mut error = [[0.0f64; 3]; 3];
    for other in others {
        let Ok(other) = MassTensor::of_curvature(&other, edge.band) else { continue };
        for (sum, (a, b)) in
            error.iter_mut().flatten().zip(mass.mass.iter().flatten().zip(other.mass.iter().flatten()))
        {
            *sum = sum.hypot(a - b);
        }
    }
    let mut told = told_with(json!(mass.mass), json!(error), "m_e");
    told["carrier"] = kind.into();
    told["principal"] = json!(mass.principal);
    told["at"] = place;
    Ok(told)
}

/// A set with the electrons of its neutral cell and, where asked, its gap moved.
fn prepared(set: BandSet, request: &BandsRequest<'_>) -> Result<(BandSet, f64), ScaladeError> {
    let electrons = request.neutral.or(set.electrons()).ok_or_else(|| {
        ScaladeError::input("the file does not tell the electrons of the neutral cell; give --neutral")
    })?;
    let Some(gap) = request.gap else { return Ok((set, electrons)) };
    let wanted = electronvolt("--gap", gap)?;
    let filled = electrons / set.spin_degeneracy();
    let bands = filled.round() as usize;
    if (filled - filled.round()).abs() > 1e-6 || bands == 0 || bands >= set.bands() {
        return Err(ScaladeError::input(format!(
            "--gap: {electrons} electrons fill no whole number of bands below others; a gap can be set only above filled bands"
        )));
    }
    let reach = |band: usize, pick: fn(f64, f64) -> f64, from: f64| {
        (0..set.k_points().len()).map(|k| set.energies(k)[band]).fold(from, pick)
    };
    let now = reach(bands, f64::min, f64::INFINITY) - reach(bands - 1, f64::max, f64::NEG_INFINITY);
    Ok((set.with_scissors(bands, wanted - now).map_err(|e| refused(&e))?, electrons))
}

/// Reads a file and tells its transport. Integrals that miss their error on the densest grid allowed make a [`Failure::Partial`] that holds the document.
pub fn bands(request: &BandsRequest<'_>) -> Result<Value, Failure> {
    let document = worked_out(request)?;
    if document["converged"] == json!(false) {
        let message = "not converged, partial result kept: the densest grid leaves errors above 0.1 % or 0.1 uV/K; raise the temperature or read the errors stated";
        return Err(Failure::Partial { document: Box::new(document), message: message.into() });
    }
    Ok(document)
}

fn worked_out(request: &BandsRequest<'_>) -> Result<Value, ScaladeError> {
    let temperatures = list(request.temperature, kelvin)?;
    let tau = match request.tau {
        Some(text) => Some(quantity("--tau", text, dimension::TIME)?),
        None => None,
    };
    if request.carriers.is_some() && request.potential.is_some() {
        return Err(ScaladeError::input("--carriers and --potential fix the same thing; give one of them"));
    }
    match BandSource::read(request.file, request.structure)? {
        BandSource::Parabolic(band, exponent) => parabolic(&band, exponent, &temperatures, request, tau),
        BandSource::Polaron(polaron) => polarons(&polaron, &temperatures, request),
        BandSource::Model(model, neutral) => {
            let neutral = request.neutral.unwrap_or(neutral);
            if request.gap.is_some() {
                return Err(ScaladeError::input("--gap moves eigenvalues of a file, not bands of a model"));
            }
            let conditions = conditions(request, &temperatures, neutral, model.lattice_angstrom(), None)?;
            let model = Known::Model(model);
            Ok(document(request, told(&model, neutral, &conditions, tau)?, "tight binding"))
        }
        BandSource::Sets(sets) => {
            if sets.len() > 1 {
                return Err(ScaladeError::input(
                    "the file holds two spins, whose common Fermi level is not worked out; give a run without spin",
                ));
            }
            let set = sets.into_iter().next().ok_or_else(|| ScaladeError::internal("no band set"))?;
            let (set, neutral) = prepared(set, request)?;
            let conditions = conditions(request, &temperatures, neutral, set.lattice_angstrom(), Some(0.0))?;
            let star = |multiplier| StarInterpolation::new(&set, multiplier).map_err(|e| refused(&e));
            let stars = Known::Stars(Box::new([star(STARS[0])?, star(STARS[1])?]));
            let mut out = document(
                request,
                told(&stars, neutral, &conditions, tau)?,
                "star functions through eigenvalues",
            );
            out["k_points"] = json!(set.k_points().len());
            Ok(out)
        }
    }
}

fn conditions(
    request: &BandsRequest<'_>,
    temperatures: &[f64],
    neutral: f64,
    lattice: &Matrix3,
    usual: Option<f64>,
) -> Result<Vec<Condition>, ScaladeError> {
    let volume = determinant(lattice).abs() * ANGSTROM.powi(3);
    let levels: Vec<Level> = match (request.potential, request.carriers, usual) {
        (Some(text), _, _) => {
            list(text, |t| electronvolt("--potential", t))?.into_iter().map(Level::Potential).collect()
        }
        (None, Some(text), _) => list(text, count)?
            .into_iter()
            .map(|count| {
                let added = match count {
                    Count::Cell(n) => n,
                    Count::Density(density) => density * volume,
                };
                Level::Electrons { neutral, added }
            })
            .collect(),
        (None, None, Some(added)) => vec![Level::Electrons { neutral, added }],
        (None, None, None) => {
            return Err(ScaladeError::input(
                "--carriers is missing: electrons per cell added to the neutral one, such as 0.1, or a density such as \"1e20 cm^-3\"; or --potential",
            ));
        }
    };
    let at = |level: Level| temperatures.iter().map(move |t| Condition { level, temperature_k: *t });
    Ok(levels.into_iter().flat_map(at).collect())
}

fn relative(a: &Matrix3, b: &Matrix3) -> f64 {
    let norm =
        |of: &dyn Fn(usize, usize) -> f64| (0..9).map(|n| of(n / 3, n % 3).powi(2)).sum::<f64>().sqrt();
    norm(&|i, j| a[i][j] - b[i][j]) / norm(&|i, j| a[i][j]).max(f64::MIN_POSITIVE)
}

/// Every condition in turn, so that one without carriers does not take the others with it.
fn told(
    known: &Known,
    neutral: f64,
    conditions: &[Condition],
    tau: Option<f64>,
) -> Result<Vec<Value>, ScaladeError> {
    let time = RelaxationTime::constant(1.0).map_err(|e| refused(&e))?;
    let settings = Refinement::default();
    let candidates = edges(known).map_err(|e| refused(&e))?;
    let mut out = Vec::new();
    for condition in conditions {
        let one = std::slice::from_ref(condition);
        let found = match transport(known.bands(), one, &time, &settings) {
            Ok(found) => found,
            Err(error @ BandsError::NoCarriers { .. }) if conditions.len() > 1 => {
                out.push(json!({
                    "temperature_K": condition.temperature_k, "carriers": carriers(condition),
                    "fermi_level_eV": { "value": null, "error": null, "std_error": null, "unit": "eV" },
                    "conductivity_over_tau": known_zero(), "seebeck": { "value": null, "error": null, "std_error": null, "unit": "uV/K" },
                    "effective_mass": { "value": null, "error": null, "std_error": null, "unit": "m_e" },
                    "reason": error.to_string(),
                }));
                continue;
            }
            Err(error) => return Err(refused(&error)),
        };
        let other = match known {
            Known::Stars(stars) => {
                Some(transport(&stars[1], one, &time, &settings).map_err(|e| refused(&e))?)
            }
            Known::Model(_) => None,
        };
        out.push(point(known, &found, other.as_ref(), condition, neutral, &candidates, tau)?);
    }
    Ok(out)
}

fn known_zero() -> Value {
    told_with(every(0.0), every(0.0), "S/(m s)")
}

fn carriers(condition: &Condition) -> Value {
    match condition.level {
        Level::Electrons { added, .. } => json!(added),
        Level::Potential(_) => Value::Null,
    }
}

fn point(
    known: &Known,
    found: &Transport,
    other: Option<&Transport>,
    condition: &Condition,
    neutral: f64,
    candidates: &[Edge],
    tau: Option<f64>,
) -> Result<Value, ScaladeError> {
    let (Some(at), Some(error)) = (found.points.first(), found.errors.first()) else {
        return Err(ScaladeError::internal("a condition without a result"));
    };
    let apart = other.and_then(|o| o.points.first());
    let of = |own: f64, gap: &dyn Fn(&TransportPoint) -> f64| own.hypot(apart.map_or(0.0, gap));
    let level = of(error.potential_ev, &|p| p.potential_ev - at.potential_ev);
    let conduction = of(error.conductivity_relative, &|p| relative(&at.conductivity, &p.conductivity));
    let seebeck = of(error.seebeck, &|p| {
        (0..9).map(|n| (at.seebeck[n / 3][n % 3] - p.seebeck[n / 3][n % 3]).abs()).fold(0.0, f64::max)
    });
    let heat = of(error.heat_relative, &|p| relative(&at.heat_conductivity, &p.heat_conductivity));
    let size = |tensor: &Matrix3| tensor.iter().flatten().map(|x| x * x).sum::<f64>().sqrt();
    let volume = determinant(known.bands().lattice_angstrom()).abs() * ANGSTROM.powi(3);
    let mut mass = edge_mass(known, candidates, at.potential_ev).map_err(|e| refused(&e))?;
    // Carriers above and below the gap, else electrons from the empty bands or holes from the full ones.
    let capacity = known.bands().spin_degeneracy() * known.bands().bands() as f64;
    let moving =
        at.carriers.map_or(at.electrons.min(capacity - at.electrons), |(above, below)| above + below);
    if let Ok(inverse) = inverse_conductivity_mass(&at.conductivity, moving / volume) {
        mass["inverse_conductivity_mass"] =
            told_with(json!(inverse), every(conduction * size(&inverse)), "1/m_e");
    }
    let mut out = json!({
        "temperature_K": at.temperature_k,
        "carriers": at.electrons - neutral,
        "electrons_per_cell": at.electrons,
        "fermi_level_eV": told_with(at.potential_ev, level, "eV"),
        "conductivity_over_tau": told_with(scaled(&at.conductivity, 1.0), every(conduction * size(&at.conductivity)), "S/(m s)"),
        "seebeck": told_with(scaled(&at.seebeck, 1e6), every(1e6 * seebeck), "uV/K"),
        "heat_conductivity_over_tau": told_with(
            scaled(&at.heat_conductivity, 1.0), every(heat * size(&at.heat_conductivity)), "W/(m K s)",
        ),
        "lorenz": told_with(at.lorenz / (BOLTZMANN_EV * BOLTZMANN_EV), at.lorenz / (BOLTZMANN_EV * BOLTZMANN_EV) * heat.hypot(conduction), "(kB/e)^2"),
        "effective_mass": mass,
        "conducting_directions": at.conducting,
        "grid": found.grids.last(),
        "converged": found.converged,
    });
    if let Level::Electrons { added, .. } = condition.level {
        out["carriers"] = json!(added);
    }
    if let Some((above, below)) = at.carriers {
        out["electrons_above_gap"] = json!(above);
        out["holes_below_gap"] = json!(below);
    }
    if let Some(tau) = tau {
        out["conductivity_S_m"] =
            told_with(scaled(&at.conductivity, tau), every(tau * conduction * size(&at.conductivity)), "S/m");
    }
    Ok(out)
}

/// One point stands at the top, several in a list.
fn document(request: &BandsRequest<'_>, points: Vec<Value>, kind: &str) -> Value {
    let converged = points.iter().all(|p| p["converged"] != json!(false));
    let mut out = json!({
        "bands": kind, "file": request.file.file_name().map(|n| n.to_string_lossy()), "converged": converged,
    });
    if let ([Value::Object(only)], Value::Object(map)) = (&points[..], &mut out) {
        map.extend(only.clone());
        return out;
    }
    out["points"] = Value::Array(points);
    out
}

/// Rounding of the closed forms, relative.
const CLOSED_FORM: f64 = 1e-12;

fn parabolic(
    band: &ParabolicBand,
    exponent: f64,
    temperatures: &[f64],
    request: &BandsRequest<'_>,
    tau: Option<f64>,
) -> Result<Value, ScaladeError> {
    let mut points = Vec::new();
    for temperature in temperatures {
        let kt = BOLTZMANN_EV * temperature;
        let etas: Vec<f64> = match (request.potential, request.carriers) {
            (Some(text), _) => list(text, |t| Ok(electronvolt("--potential", t)? / kt))?,
            (None, Some(text)) => list(text, |t| match count(t)? {
                Count::Density(n) => band.reduced_level(n, *temperature).map_err(|e| refused(&e)),
                Count::Cell(n) => Err(ScaladeError::input(format!(
                    "--carriers: a parabolic band has no cell to hold {n} carriers; give a density, such as \"1e19 cm^-3\""
                ))),
            })?,
            (None, None) => {
                return Err(ScaladeError::input(
                    "--carriers is missing: a density such as \"1e19 cm^-3\"; or --potential, from the band edge into the band",
                ));
            }
        };
        for eta in etas {
            let at = band.transport(eta, *temperature, 1.0, exponent).map_err(|e| refused(&e))?;
            let density = band.carriers(eta, *temperature).map_err(|e| refused(&e))?;
            let with = |value: f64, unit: &str| told_with(value, CLOSED_FORM * value.abs(), unit);
            let mass = band.conductivity_mass;
            let mut point = json!({
                "temperature_K": temperature, "carriers_per_m3": density, "reduced_fermi_level": eta,
                "fermi_level_eV": with(eta * kt, "eV"),
                "conductivity_over_tau": with(at.conductivity, "S/(m s)"),
                "seebeck": with(1e6 * at.seebeck, "uV/K"),
                "heat_conductivity_over_tau": with(at.heat_conductivity, "W/(m K s)"),
                "lorenz": with(at.lorenz / (BOLTZMANN_EV * BOLTZMANN_EV), "(kB/e)^2"),
                "effective_mass": with(mass, "m_e"),
                "density_mass": with(band.density_mass, "m_e"),
            });
            if let Some(tau) = tau {
                point["conductivity_S_m"] = with(tau * at.conductivity, "S/m");
                let drude = tau * scalade_units::constants::ELEMENTARY_CHARGE / (mass * ELECTRON_MASS);
                point["drude_mobility_m2_Vs"] = with(drude, "m2/(V s)");
            }
            points.push(point);
        }
    }
    Ok(document(request, points, "parabolic"))
}

fn polarons(
    polaron: &PolaronHopping,
    temperatures: &[f64],
    request: &BandsRequest<'_>,
) -> Result<Value, ScaladeError> {
    let Some(text) = request.carriers else {
        return Err(ScaladeError::input(
            "--carriers is missing: the share of sites that hold a polaron, such as 0.5",
        ));
    };
    let fillings = list(text, |t| match count(t)? {
        Count::Cell(x) => Ok(x),
        Count::Density(n) => Ok(n / polaron.site_density),
    })?;
    let mut points = Vec::new();
    for temperature in temperatures {
        for x in &fillings {
            let sigma = polaron.conductivity(*x, *temperature).map_err(|e| refused(&e))?;
            let mobility = polaron.dilute_mobility(*temperature).map_err(|e| refused(&e))?;
            let diffusion = polaron.diffusion(*temperature).map_err(|e| refused(&e))?;
            let with = |value: f64, unit: &str| told_with(value, CLOSED_FORM * value.abs(), unit);
            points.push(json!({
                "temperature_K": temperature, "carriers": x,
                "conductivity_S_m": with(sigma, "S/m"),
                "conductivity_S_cm": with(0.01 * sigma, "S/cm"),
                "mobility_m2_Vs": with((1.0 - x) * mobility, "m2/(V s)"),
                "dilute_mobility_m2_Vs": with(mobility, "m2/(V s)"),
                "diffusion_m2_s": with(diffusion, "m2/s"),
            }));
        }
    }
    Ok(document(request, points, "small polarons"))
}
