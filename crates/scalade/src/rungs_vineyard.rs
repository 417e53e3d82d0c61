//! `barriers --frequencies FILE`: attempt frequencies of computed hops from their normal modes.
//!
//! ```toml
//! unit = "THz"               # or "1/cm", "meV"
//! acoustic = 3               # translations among the modes: 3 of a periodic crystal, 0 where atoms are held
//! temperature = 300.0        # optional, K: quantum instead of classical oscillators
//!
//! [[hop]]
//! id = "r1"                  # as in the images
//! initial = [0.0, 0.0, 0.0, 3.1, 4.5]     # all modes of each state, imaginary ones negative
//! saddle = [0.0, 0.0, 0.0, -5.0, 4.2]
//! final = [0.0, 0.0, 0.0, 3.3, 4.4]
//! ```

use crate::error::ScaladeError;
use crate::model_file::{Section, bad, known};
use crate::orderings::read_text;
use scalade_hopping::vineyard::{HopModes, attempt_frequencies};
use scalade_units::constants::{BOLTZMANN, BOLTZMANN_EV, PLANCK};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use toml::Table;

/// Speed of light in cm THz: one inverse centimetre.
const INVERSE_CENTIMETRE_THZ: f64 = 2.997_924_58e-2;

/// The document's part on attempt frequencies; `hops` are the names of the hops in the images.
pub fn frequencies_document(path: &Path, hops: &[&str]) -> Result<Value, ScaladeError> {
    of_text(&read_text(path)?, &path.display().to_string(), hops)
}

fn of_text(text: &str, file: &str, hops: &[&str]) -> Result<Value, ScaladeError> {
    let root: Table =
        text.parse().map_err(|e: toml::de::Error| bad(format!("{file}: {}", e.to_string().trim_end())))?;
    known(file, "", &root, &["unit", "acoustic", "temperature", "hop"])?;
    let mut top = root.clone();
    let list = top.remove("hop");
    let top = Section::over(file, "file", &top);
    // 1 meV = 1e-3 e/h hertz; e = k/(k/e).
    let milli = 1e-15 * BOLTZMANN / BOLTZMANN_EV / PLANCK;
    let units = [("THz", 1.0), ("1/cm", INVERSE_CENTIMETRE_THZ), ("meV", milli)];
    let scale = top.word("unit", &units)?.ok_or_else(|| top.missing("unit", "THz, 1/cm or meV is due"))?;
    let acoustic = top.count("acoustic")?.unwrap_or(3);
    let temperature = top.number("temperature", |t| t > 0.0, "a positive number of kelvin is due")?;
    let list = match list {
        Some(toml::Value::Array(list)) if !list.is_empty() => list,
        _ => return Err(bad(format!("{file}: no hop; give [[hop]] with id, initial, saddle and final"))),
    };
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    for (k, entry) in list.iter().enumerate() {
        let table = entry
            .as_table()
            .ok_or_else(|| bad(format!("{file}: hop[{k}] is no table; give [[hop]] with id and modes")))?;
        known(file, "hop", table, &["id", "initial", "saddle", "final"])?;
        let hop = Section::over(file, "hop", table);
        let id = hop
            .text("id", "the name of a hop in the images is due")?
            .ok_or_else(|| hop.missing("id", "give the name of a hop in the images"))?;
        if !hops.contains(&id) {
            return Err(hop.wrong(
                "id",
                &format!("is \"{id}\", which no image has"),
                "name a hop of the images",
            ));
        }
        if !seen.insert(id.to_string()) {
            return Err(hop.wrong("id", &format!("is \"{id}\" again"), "give each hop once"));
        }
        let modes = |key: &str| -> Result<Vec<f64>, ScaladeError> {
            let want = "frequencies are due, imaginary ones negative";
            let list = hop.numbers(key, |_| true, want)?.ok_or_else(|| hop.missing(key, want))?;
            Ok(list.into_iter().map(|f| f * scale).collect())
        };
        let modes = HopModes {
            initial_thz: modes("initial")?,
            saddle_thz: modes("saddle")?,
            final_thz: modes("final")?,
        };
        let found =
            attempt_frequencies(id, &modes, usize::try_from(acoustic).unwrap_or(usize::MAX / 2), temperature)
                .map_err(|e| ScaladeError::input(format!("{file}: {e}")))?;
        out.push(json!({
            "id": id,
            "forward_THz": found.forward_thz, "backward_THz": found.backward_thz,
            "symmetric_THz": found.symmetric_thz(),
            "free_energy_difference_kT": found.free_energy_difference_kt(),
            "unstable_THz": found.unstable_thz, "largest_acoustic_THz": found.largest_acoustic_thz,
            "modes": found.modes,
        }));
    }
    let without: Vec<&str> = hops.iter().copied().filter(|h| !seen.contains(*h)).collect();
    Ok(json!({
        "oscillators": if temperature.is_some() { "quantum" } else { "classical" },
        "temperature_K": temperature, "hops": out, "without": without,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_of_one_size() {
        let text = |unit: &str, scale: f64| {
            let list = |f: [f64; 3]| format!("{:?}", f.map(|f| f * scale));
            format!(
                "unit = \"{unit}\"\nacoustic = 0\ntemperature = 300\n[[hop]]\nid = \"a\"\ninitial = {}\nsaddle = {}\nfinal = {}\n",
                list([2.0, 3.0, 4.0]),
                list([2.5, -3.0, 4.5]),
                list([2.1, 3.1, 4.1])
            )
        };
        let of = |text: &str| {
            let found = of_text(text, "f.toml", &["a", "b"]).unwrap();
            assert_eq!(found["without"], json!(["b"]));
            found["hops"][0]["forward_THz"].as_f64().unwrap()
        };
        // CODATA 2022: 1 THz is 33.356 409 52 1/cm and 4.135 667 697 meV.
        let thz = of(&text("THz", 1.0));
        assert!((of(&text("1/cm", 33.356_409_52)) / thz - 1.0).abs() < 1e-8);
        assert!((of(&text("meV", 4.135_667_697)) / thz - 1.0).abs() < 1e-8);
    }
}
