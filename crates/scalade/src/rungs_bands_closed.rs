//! `bands` for models in closed form: parabolic bands and small polarons.

use crate::bands_request::{Asked, BandsRequest, relaxation_time};
use crate::error::ScaladeError;
use crate::model_file::bad;
use crate::rungs_bands::{MICRO, absent, estimate, told_level};
use scalade_bands::parabolic::Carrier;
use scalade_bands::parabolic_model::{ParabolicModel, ParabolicPoint, Valleys};
use scalade_bands::polaron::PolaronHopping;
use scalade_bands::{BandsError, Level};
use scalade_crystal::Matrix3;
use scalade_units::constants::BOLTZMANN_EV;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Relative error of the integrals of Fermi and Dirac and of what is made of them, with room for cancellation.
const CLOSED_FORM: f64 = 1e-10;

fn refused(file: &Path) -> impl Fn(BandsError) -> ScaladeError + '_ {
    move |e| bad(format!("{}: {e}", file.display()))
}

fn closed(value: f64, unit: &str) -> Value {
    estimate(value, CLOSED_FORM * value.abs(), unit)
}

fn tensor(value: &Matrix3, unit: &str) -> Value {
    let errors = value.map(|row| row.map(|x| CLOSED_FORM * x.abs()));
    let mean = (value[0][0] + value[1][1] + value[2][2]) / 3.0;
    json!({ "value": value, "error": errors, "std_error": errors, "unit": unit, "mean": closed(mean, unit) })
}

fn scaled(of: &Matrix3, by: f64) -> Matrix3 {
    of.map(|row| row.map(|x| x * by))
}

/// Refuses options that closed forms do not read.
fn only(request: &BandsRequest<'_>, what: &str, more: &[(&str, bool)]) -> Result<(), ScaladeError> {
    let given = [
        ("--mass-at", !request.mass_at.is_empty()),
        ("--relative-error", request.relative_error.is_some()),
        ("--max-points", request.most_points.is_some()),
    ];
    match given.iter().chain(more).find(|g| g.1) {
        Some((option, _)) => Err(bad(format!("{option} means nothing for {what}; remove it"))),
        None => Ok(()),
    }
}

/// One point's numbers at the top where there is only one.
fn document(points: Vec<Value>, more: Value) -> Value {
    let mut out = Map::new();
    if let [only] = &points[..] {
        out.extend(only.as_object().cloned().unwrap_or_default());
    }
    if let Value::Object(more) = more {
        out.extend(more);
    }
    out.insert("points".into(), Value::Array(points));
    out.insert("converged".into(), json!(true));
    Value::Object(out)
}

/// A file of parabolic bands.
pub(crate) struct Parabolic<'a> {
    pub(crate) valleys: Vec<Valleys>,
    pub(crate) exponent: Option<f64>,
    pub(crate) file: &'a Path,
}

pub(crate) fn parabolic(
    given: &Parabolic<'_>,
    request: &BandsRequest<'_>,
    asked: Option<&[Asked]>,
    at: &[f64],
) -> Result<Value, ScaladeError> {
    only(request, "parabolic bands", &[])?;
    let exponent = match (given.exponent, request.exponent) {
        (Some(own), Some(other)) if own != other => {
            return Err(bad(format!(
                "--scattering-exponent {other} stands against exponent = {own} of {}; give one of them",
                given.file.display()
            )));
        }
        (own, other) => own.or(other).unwrap_or(0.0),
    };
    let both =
        [Carrier::Electron, Carrier::Hole].iter().all(|c| given.valleys.iter().any(|v| v.carrier == *c));
    let neutral = [Asked::PerVolume(0.0)];
    let asked = match asked {
        Some(list) => list,
        None if both => &neutral,
        None => {
            return Err(bad(
                "carriers of one kind only: give --carriers, such as \"1e20 cm^-3\" (holes: below 0), or --chemical-potential",
            ));
        }
    };
    let model = ParabolicModel::new(given.valleys.clone(), 1.0, exponent).map_err(refused(given.file))?;
    let tau_s = request.tau.map(relaxation_time).transpose()?;
    let mut points = Vec::new();
    for t in at {
        for one in asked {
            let level = match one {
                Asked::Potential(mu) => Level::Potential(*mu),
                Asked::PerVolume(n) => Level::Electrons { neutral: 0.0, added: *n },
                Asked::PerCell(_) => {
                    return Err(bad(
                        "a parabolic band has no cell: --carriers is a density here, such as \"1e20 cm^-3\"",
                    ));
                }
            };
            points.push(match model.transport(level, *t) {
                Ok(found) => parabolic_point(&model, &found, *one, *t, tau_s, request.hall),
                Err(BandsError::NoCarriers { temperature_k, mu_ev, distance_kt }) => {
                    let reason = BandsError::NoCarriers { temperature_k, mu_ev, distance_kt }.to_string();
                    empty_point(*one, *t, mu_ev, &reason)
                }
                Err(error) => return Err(refused(given.file)(error)),
            });
        }
    }
    let more = json!({
        "source": { "file": given.file.display().to_string(), "format": "parabolic bands", "bands": given.valleys.len() },
        "scattering_exponent": exponent,
        "tau_s": tau_s,
        "diagnostics": [],
        "warnings": [],
    });
    Ok(document(points, more))
}

fn empty_point(asked: Asked, temperature: f64, mu_ev: f64, reason: &str) -> Value {
    let (key, told) = told_level(asked);
    let mut none = tensor(&[[0.0; 3]; 3], "S/(m s)");
    none["reason"] = json!(reason);
    json!({
        key: told, "temperature_K": temperature,
        "fermi_level_eV": estimate(mu_ev, 0.0, "eV"),
        "conductivity_over_tau": none,
        "seebeck": absent("uV/K", reason),
        "heat_conductivity_over_tau": absent("W/(m K s)", reason),
        "lorenz": absent("V^2/K^2", reason),
        "effective_mass": absent("m_e", reason),
    })
}

fn parabolic_point(
    model: &ParabolicModel,
    found: &ParabolicPoint,
    asked: Asked,
    temperature: f64,
    tau_s: Option<f64>,
    hall: bool,
) -> Value {
    let (key, told) = told_level(asked);
    let unit = BOLTZMANN_EV * BOLTZMANN_EV;
    let level_error =
        if matches!(asked, Asked::Potential(_)) { 0.0 } else { CLOSED_FORM * BOLTZMANN_EV * temperature };
    let mut out = json!({
        key: told, "temperature_K": temperature,
        "fermi_level_eV": estimate(found.potential_ev, level_error, "eV"),
        "electrons": closed(found.carriers.0, "m^-3"),
        "holes": closed(found.carriers.1, "m^-3"),
        "conductivity_over_tau": tensor(&found.conductivity, "S/(m s)"),
        "seebeck": tensor(&scaled(&found.seebeck, MICRO), "uV/K"),
        "heat_conductivity_over_tau": tensor(&found.heat_conductivity, "W/(m K s)"),
        "lorenz": closed(found.lorenz, "V^2/K^2"),
        "lorenz_reduced": closed(found.lorenz / unit, "(k/e)^2"),
        "effective_mass": mass(model, found.potential_ev),
    });
    if let Some(tau) = tau_s {
        out["conductivity"] = tensor(&scaled(&found.conductivity, tau), "S/m");
        out["heat_conductivity"] = tensor(&scaled(&found.heat_conductivity, tau), "W/(m K)");
    }
    if hall {
        out["hall_coefficient"] = match found.hall_coefficient() {
            Some(r) => {
                let errors = r.map(|x| CLOSED_FORM * x.abs());
                let mean = r.iter().sum::<f64>() / 3.0;
                json!({
                    "value": r, "error": errors, "std_error": errors, "unit": "m^3/C",
                    "field_along": ["x", "y", "z"], "mean": closed(mean, "m^3/C"),
                })
            }
            None => absent("m^3/C", "tau^2 of r = -1 has no mean in closed form here"),
        };
    }
    out
}

/// Masses of the band whose edge is nearest.
fn mass(model: &ParabolicModel, mu_ev: f64) -> Value {
    let distance = |v: &&Valleys| (v.edge_ev - mu_ev).abs();
    let Some(v) = model.valleys().iter().min_by(|a, b| distance(a).total_cmp(&distance(b))) else {
        return absent("m_e", "no band");
    };
    let rows: Matrix3 =
        std::array::from_fn(|i| std::array::from_fn(|j| if i == j { v.masses[i] } else { 0.0 }));
    let zero = [[0.0; 3]; 3];
    json!({
        "value": rows, "error": zero, "std_error": zero, "unit": "m_e", "principal": v.masses, "valleys": v.count,
        "conductivity_mass": 3.0 / v.masses.iter().map(|m| m.recip()).sum::<f64>(),
        "density_of_states_mass": (f64::from(v.count).powi(2) * v.masses.iter().product::<f64>()).cbrt(),
        "carrier": if v.carrier == Carrier::Electron { "electrons" } else { "holes" },
        "edge_eV": v.edge_ev,
    })
}

pub(crate) fn polaron(
    hopping: &PolaronHopping,
    filling: &[f64],
    file: &Path,
    request: &BandsRequest<'_>,
    asked: Option<&[Asked]>,
    at: &[f64],
) -> Result<Value, ScaladeError> {
    let none = [
        ("--hall", request.hall),
        ("--tau", request.tau.is_some()),
        ("--scattering-exponent", request.exponent.is_some()),
        ("--chemical-potential", request.chemical_potential.is_some()),
    ];
    only(request, "small polarons", &none)?;
    let filling: Vec<f64> = match asked {
        None => filling.to_vec(),
        Some(list) => list
            .iter()
            .map(|one| match one {
                Asked::PerCell(x) => Ok(*x),
                Asked::PerVolume(n) => Ok(n / hopping.site_density),
                Asked::Potential(_) => Err(bad("polarons have no chemical potential here: give --carriers")),
            })
            .collect::<Result<_, _>>()?,
    };
    if filling.is_empty() {
        return Err(bad(format!(
            "{}: [polaron] filling is missing; give it, or --carriers (polarons per site)",
            file.display()
        )));
    }
    let refused = refused(file);
    let no_bands = "polarons hop between sites: there are no bands";
    let mut points = Vec::new();
    for t in at {
        for x in &filling {
            let sigma = hopping.conductivity(*x, *t).map_err(&refused)?;
            let mobility = hopping.dilute_mobility(*t).map_err(&refused)?;
            points.push(json!({
                "temperature_K": t, "filling": x,
                "conductivity": closed(sigma, "S/m"),
                "conductivity_S_per_cm": closed(sigma * 1e-2, "S/cm"),
                "dilute_mobility": closed(mobility, "m^2/(V s)"),
                "mobility": closed(mobility * (1.0 - x), "m^2/(V s)"),
                "dilute_diffusion": closed(hopping.diffusion(*t).map_err(&refused)?, "m^2/s"),
                "fermi_level_eV": absent("eV", no_bands),
                "conductivity_over_tau": absent("S/(m s)", no_bands),
                "seebeck": absent("uV/K", "the hopping model gives conductivities alone"),
                "effective_mass": absent("m_e", no_bands),
            }));
        }
    }
    let more = json!({
        "source": {
            "file": file.display().to_string(), "format": "small polarons", "site_density_per_m3": hopping.site_density,
            "hop_length_angstrom": hopping.hop_length_angstrom, "attempt_frequency_Hz": hopping.attempt_hz,
            "barrier_eV": hopping.barrier_ev,
        },
        "diagnostics": [],
        "warnings": [],
    });
    Ok(document(points, more))
}
