//! What `scalade bands` is asked: temperatures, carriers and chemical potentials as texts.

use crate::band_file::energy_ev;
use crate::band_source::Reading;
use crate::error::ScaladeError;
use crate::model_file::bad;
use crate::rungs::quantity;
use scalade_units::{Dimension, dimension};
use std::path::PathBuf;

/// Most points of one command.
const MOST_POINTS: usize = 10_000;
const PER_VOLUME: Dimension = Dimension([-3, 0, 0, 0, 0, 0, 0]);

/// What is asked; texts are lists of quantities.
#[derive(Clone, Debug)]
pub struct BandsRequest<'a> {
    /// Bands or models.
    pub files: &'a [PathBuf],
    /// How files are read.
    pub reading: Reading<'a>,
    /// Temperatures.
    pub temperature: &'a str,
    /// Carriers added to the neutral crystal.
    pub carriers: Option<&'a str>,
    /// Chemical potentials instead.
    pub chemical_potential: Option<&'a str>,
    /// Relaxation time.
    pub tau: Option<&'a str>,
    /// Exponent r of the relaxation time.
    pub exponent: Option<f64>,
    /// Relative error wanted.
    pub relative_error: Option<f64>,
    /// Most points of a grid.
    pub most_points: Option<usize>,
    /// k points at which masses are wanted, `k1,k2,k3` or `k1,k2,k3:band`.
    pub mass_at: &'a [String],
    /// Hall tensors too.
    pub hall: bool,
    /// Lithium content of every file.
    pub x: Option<&'a str>,
    /// Contents to which the bands of every file are filled rigidly.
    pub rigid_x: Option<&'a str>,
    /// Ions of a content of 1 per cell of the file.
    pub ions_per_cell: f64,
    /// Threads.
    pub jobs: Option<usize>,
}

/// What fixes the chemical potential of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Asked {
    /// It itself, eV.
    Potential(f64),
    /// Electrons added per cell.
    PerCell(f64),
    /// Electrons added per volume, 1/m3.
    PerVolume(f64),
}

/// A list of values with ranges `FROM..TO/COUNT` in it.
fn list(
    option: &str,
    text: &str,
    example: &str,
    one: impl Fn(&str) -> Result<f64, ScaladeError>,
) -> Result<Vec<f64>, ScaladeError> {
    let mut out = Vec::new();
    for item in text.split(',').map(str::trim).filter(|t| !t.is_empty()) {
        let Some((from, rest)) = item.split_once("..") else {
            out.push(one(item)?);
            continue;
        };
        let wrong = || {
            let short: String = item.chars().take(60).collect();
            bad(format!(
                "{option}: the range {short:?} is not FROM..TO/COUNT with a COUNT from 2 to {MOST_POINTS}, such as {example}"
            ))
        };
        let (to, count) = rest.rsplit_once('/').ok_or_else(wrong)?;
        let count: usize = count.trim().parse().map_err(|_| wrong())?;
        if !(2..=MOST_POINTS).contains(&count) {
            return Err(wrong());
        }
        let (from, to) = (one(from.trim())?, one(to.trim())?);
        out.extend((0..count).map(|i| {
            let share = i as f64 / (count - 1) as f64;
            from * (1.0 - share) + to * share
        }));
    }
    if out.is_empty() {
        return Err(bad(format!("{option} is empty; give one value or several, such as {example}")));
    }
    if out.len() > MOST_POINTS {
        return Err(bad(format!("{option} has {} values; at most {MOST_POINTS} are possible", out.len())));
    }
    Ok(out)
}

/// A plain number, which must be finite.
fn plain(option: &str, text: &str) -> Option<Result<f64, ScaladeError>> {
    let number: f64 = text.parse().ok()?;
    Some(if number.is_finite() {
        Ok(number)
    } else {
        Err(bad(format!("{option} is {text}; a finite number is due")))
    })
}

/// Temperatures in kelvin: "300 K", or numbers.
///
/// Errors: no temperature, texts that are none, temperatures outside 0.001 to 100000 K.
pub fn temperatures(text: &str) -> Result<Vec<f64>, ScaladeError> {
    let example = "\"300 K\", \"200 K, 300 K\" or \"100 K..500 K/5\"";
    let found = list("--temperature", text, example, |t| {
        plain("--temperature", t).unwrap_or_else(|| quantity("--temperature", t, dimension::TEMPERATURE))
    })?;
    match found.iter().find(|t| !(1e-3..=1e5).contains(*t)) {
        Some(wrong) => Err(bad(format!("--temperature is {wrong} K; 0.001 to 100000 K is due"))),
        None => Ok(found),
    }
}

/// Carriers or chemical potentials; none if neither is given.
///
/// Errors: both given, no value, texts that are none, densities and counts in one list.
pub fn levels(carriers: Option<&str>, potential: Option<&str>) -> Result<Option<Vec<Asked>>, ScaladeError> {
    let carriers = match (carriers, potential) {
        (Some(_), Some(_)) => {
            return Err(bad("--carriers and --chemical-potential fix the same thing; give one of them"));
        }
        (None, None) => return Ok(None),
        (None, Some(text)) => {
            let found = list("--chemical-potential", text, "\"-0.1 eV\" or \"-0.5..0.5/11\"", |t| {
                plain("--chemical-potential", t).unwrap_or_else(|| energy_ev("--chemical-potential", t))
            })?;
            return Ok(Some(found.into_iter().map(Asked::Potential).collect()));
        }
        (Some(text), None) => text,
    };
    let example = "0.1 (electrons per cell), \"-1e20 cm^-3\" (holes per volume) or \"0..0.5/6\"";
    let per_cell = |t: &str| t.strip_suffix("per cell").unwrap_or(t).trim().to_string();
    let volumes = carriers
        .split([','])
        .flat_map(|item| item.split("..").map(|p| p.split('/').next().unwrap_or(p)))
        .map(str::trim)
        .filter(|t| !t.is_empty() && per_cell(t).parse::<f64>().is_err())
        .count();
    if volumes == 0 {
        let found = list("--carriers", carriers, example, |t| {
            plain("--carriers", &per_cell(t)).unwrap_or_else(|| Err(not_carriers(t)))
        })?;
        return Ok(Some(found.into_iter().map(Asked::PerCell).collect()));
    }
    let found = list("--carriers", carriers, example, |t| {
        if per_cell(t).parse::<f64>().is_ok() {
            return Err(bad("--carriers: counts per cell and densities stand in one list; give one kind"));
        }
        quantity("--carriers", t, PER_VOLUME).map_err(|e| {
            bad(format!("{e}; electrons added per cell (a number) or per volume are due, such as {example}"))
        })
    })?;
    Ok(Some(found.into_iter().map(Asked::PerVolume).collect()))
}

fn not_carriers(text: &str) -> ScaladeError {
    let short: String = text.chars().take(60).collect();
    bad(format!(
        "--carriers: {short:?} is neither a number of electrons per cell nor a density such as \"1e20 cm^-3\""
    ))
}

/// A gap in eV.
///
/// Errors: a text that is no energy, a gap that is not > 0.
pub fn gap_ev(text: &str) -> Result<f64, ScaladeError> {
    let found = energy_ev("--gap", text)?;
    if found > 0.0 && found < 1e3 {
        Ok(found)
    } else {
        Err(bad(format!("--gap is {found} eV; a gap > 0 is due")))
    }
}

/// A relaxation time in seconds.
///
/// Errors: a text that is no time, a time that is not > 0.
pub fn relaxation_time(text: &str) -> Result<f64, ScaladeError> {
    let found = plain("--tau", text).unwrap_or_else(|| quantity("--tau", text, dimension::TIME))?;
    if found > 0.0 && found < 1.0 {
        Ok(found)
    } else {
        Err(bad(format!(
            "--tau is {found} s; a time from 0 to 1 s is due, such as \"10 fs\" or 1e-14 (seconds)"
        )))
    }
}

/// Contents from 0 to 1.
///
/// Errors: no value, values outside 0 to 1.
pub fn contents(option: &str, text: &str) -> Result<Vec<f64>, ScaladeError> {
    let found = list(option, text, "\"0, 0.5, 1\" or \"0..1/11\"", |t| {
        plain(option, t).unwrap_or_else(|| Err(bad(format!("{option}: {t:?} is no number"))))
    })?;
    match found.iter().find(|x| !(0.0..=1.0).contains(*x)) {
        Some(wrong) => Err(bad(format!("{option} is {wrong}; 0 to 1 is due"))),
        None => Ok(found),
    }
}

/// A k point with a band from 1: `k1,k2,k3` or `k1,k2,k3:band`.
///
/// Errors: texts that are none.
pub fn k_point(text: &str) -> Result<([f64; 3], Option<usize>), ScaladeError> {
    let wrong = || {
        let short: String = text.chars().take(60).collect();
        bad(format!(
            "--mass-at {short:?}: three fractional coordinates are due, and a band from 1 if it matters, such as 0,0,0 or 0.5,0.5,0.5:3"
        ))
    };
    let (k, band) = match text.split_once(':') {
        Some((k, band)) => {
            let band: usize = band.trim().parse().map_err(|_| wrong())?;
            (k, Some(band.checked_sub(1).ok_or_else(wrong)?))
        }
        None => (text, None),
    };
    let k: Vec<f64> =
        k.split(',').map(|x| x.trim().parse::<f64>()).collect::<Result<_, _>>().map_err(|_| wrong())?;
    let k = <[f64; 3]>::try_from(k).map_err(|_| wrong())?;
    if k.iter().any(|x| x.abs().is_nan() || x.abs() > 1e3) {
        return Err(wrong());
    }
    Ok((k, band))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_ranges_and_units() {
        assert_eq!(temperatures("300").unwrap(), [300.0]);
        assert_eq!(temperatures("100 K, 200 K..400 K/3").unwrap(), [100.0, 200.0, 300.0, 400.0]);
        assert_eq!(levels(None, None).unwrap(), None);
        let found = levels(Some("0..1/3"), None).unwrap().unwrap();
        assert_eq!(found, [0.0, 0.5, 1.0].map(Asked::PerCell));
        assert_eq!(levels(Some("0.5 per cell"), None).unwrap().unwrap(), [Asked::PerCell(0.5)]);
        let found = levels(Some("-1e20 cm^-3"), None).unwrap().unwrap();
        assert!(matches!(found[..], [Asked::PerVolume(n)] if (n + 1e26).abs() < 1e12), "{found:?}");
        let found = levels(None, Some("-0.088 Ha, 0")).unwrap().unwrap();
        assert!(
            matches!(found[..], [Asked::Potential(a), Asked::Potential(0.0)] if (a + 2.394602).abs() < 1e-6)
        );
        assert_eq!(relaxation_time("10 fs").unwrap(), 1e-14);
        assert_eq!(k_point("0, 0.5,-0.5:3").unwrap(), ([0.0, 0.5, -0.5], Some(2)));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for wrong in ["", "0 K", "-3 K", "nan", "inf", "300 eV", "300 K..400 K", "1..2/1", "1..2/x"] {
            assert!(temperatures(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "nan", "one", "1 K", "1, 1e20 cm^-3", "1..2", "inf"] {
            assert!(levels(Some(wrong), None).is_err(), "{wrong}");
        }
        assert!(levels(Some("1"), Some("1")).is_err() && levels(None, Some("1 K")).is_err());
        for wrong in ["0", "-1e-14", "nan", "10 m", "2"] {
            assert!(relaxation_time(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "0,0", "0,0,x", "0,0,0:0", "0,0,0:a", "nan,0,0", "0,0,0,0"] {
            assert!(k_point(wrong).is_err(), "{wrong}");
        }
        assert!(contents("--x", "1.5").is_err() && contents("--x", "-0.1").is_err());
    }
}
