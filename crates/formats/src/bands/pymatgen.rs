//! Band structures as JSON of pymatgen (`BandStructure.as_dict()`).

use super::ComputedBands;
use crate::computed::words_for_nan;
use crate::error::{FormatError, Place};
use crate::json::parse;
use scalade_crystal::{Matrix3, inverse};
use serde_json::Value;
use std::f64::consts::PI;

/// `kpoints` (fractional), `bands` by spin (\[band\]\[k\], eV), `lattice_rec` (rows with 2 pi), `efermi`, and the structure where there is one. The format has neither
/// weights nor a number of electrons: the latter follows from `efermi` where it lies in a gap of all k points.
///
/// Errors: JSON that is none, keys that are missing, numbers that are none.
pub(super) fn read(text: &str, name: &str) -> Result<ComputedBands, FormatError> {
    let value: Value = match parse(text, name) {
        Ok(value) => value,
        Err(error) => parse(&words_for_nan(text).ok_or(error)?, name)?,
    };
    let missing = |what: &str| {
        let keys: Vec<&str> =
            value.as_object().into_iter().flat_map(|o| o.keys()).map(String::as_str).collect();
        FormatError::missing(Place::file(name), what, format!("the keys {}", keys.join(", ")))
    };
    let lattice = lattice(&value).ok_or_else(|| missing("lattice_rec with a matrix of three rows"))?;
    let k_points =
        list(&value["kpoints"], triple).ok_or_else(|| missing("kpoints, a list of three numbers each"))?;
    let spins = value["bands"].as_object().ok_or_else(|| missing("bands by spin"))?;
    let mut energies_ev = Vec::new();
    for key in ["1", "-1"] {
        let Some(of_bands) = spins.get(key) else { continue };
        let of_bands = of_bands.get("data").unwrap_or(of_bands);
        let by_band: Vec<Vec<f64>> = list(of_bands, |b| list(b, Value::as_f64))
            .ok_or_else(|| missing("bands, lists of finite numbers"))?;
        if let Some((band, row)) = by_band.iter().enumerate().find(|(_, b)| b.len() != k_points.len()) {
            return Err(FormatError::Count {
                place: Box::new(Place::file(name)),
                what: format!("energies of band {} of spin {key}", band + 1),
                expected: k_points.len() as u64,
                found: row.len() as u64,
            });
        }
        energies_ev.push((0..k_points.len()).map(|k| by_band.iter().map(|b| b[k]).collect()).collect());
    }
    if energies_ev.is_empty() {
        return Err(missing("bands of spin 1"));
    }
    let structure = match value.get("structure").filter(|s| s.is_object()) {
        Some(found) => {
            let frames = crate::computed::read_structures_json(&found.to_string(), name)?;
            frames.first().map(crate::frame::Frame::structure).transpose()?
        }
        None => None,
    };
    let fermi_level_ev = value["efermi"].as_f64();
    let spin_degeneracy = if energies_ev.len() == 2 { 1.0 } else { 2.0 };
    let electrons =
        fermi_level_ev.and_then(|level| whole_bands(&energies_ev, level)).map(|n| spin_degeneracy * n);
    Ok(ComputedBands {
        format: "JSON of pymatgen",
        lattice_angstrom: lattice,
        structure,
        k_points,
        weights: None,
        energies_ev,
        spin_degeneracy,
        electrons,
        fermi_level_ev,
    })
}

fn list<T>(value: &Value, one: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    value.as_array()?.iter().map(one).collect()
}

fn triple(value: &Value) -> Option<[f64; 3]> {
    list(value, Value::as_f64)?.try_into().ok()
}

/// Rows a_i with a_i . b_j = 2 pi delta_ij.
fn lattice(value: &Value) -> Option<Matrix3> {
    let matrix = value["lattice_rec"].get("matrix")?;
    let rows: Matrix3 = list(matrix, triple)?.try_into().ok()?;
    let back = inverse(&rows)?;
    Some(std::array::from_fn(|i| std::array::from_fn(|j| 2.0 * PI * back[j][i])))
}

/// Bands below a level, all spins, if their number is the same at every k point.
fn whole_bands(energies: &[Vec<Vec<f64>>], level: f64) -> Option<f64> {
    let mut sum = 0;
    for rows in energies {
        let below = |row: &Vec<f64>| row.iter().filter(|e| **e <= level).count();
        let first = below(rows.first()?);
        if rows.iter().any(|row| below(row) != first) {
            return None;
        }
        sum += first;
    }
    Some(f64::from(u32::try_from(sum).ok()?))
}
