//! How an energy was computed, in the words by which frames of different programs are compared.

use crate::frame::InfoValue;
use std::collections::BTreeMap;

/// Value of `calculator` for VASP.
pub(super) const VASP: &str = "VASP";
/// Value of `calculator` for Quantum ESPRESSO.
pub(super) const QUANTUM_ESPRESSO: &str = "Quantum ESPRESSO";

/// Functional and Hubbard parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Method {
    /// Name of the functional, such as `PBE`.
    pub functional: Option<String>,
    /// Hubbard parameter of every element that has one, eV, as text.
    pub hubbard: BTreeMap<String, String>,
}

impl Method {
    /// Adds an effective Hubbard parameter in eV; zero is none.
    pub fn add_hubbard(&mut self, element: &str, value_ev: f64) {
        // A difference such as 4.32 - 1 has rounding noise, by which equal methods would differ.
        let value_ev = (value_ev * 1e6).round() / 1e6;
        if value_ev != 0.0 {
            self.hubbard.insert(element.to_string(), value_ev.to_string());
        }
    }

    /// Writes the keys `functional` and `hubbard_u` (elements in alphabetic order, `Co:3.32,Ni:6.2`).
    pub fn write(&self, info: &mut BTreeMap<String, InfoValue>) {
        if let Some(functional) = &self.functional {
            info.insert("functional".into(), InfoValue::Text(functional.clone()));
        }
        if !self.hubbard.is_empty() {
            let parts: Vec<String> =
                self.hubbard.iter().map(|(element, u)| format!("{element}:{u}")).collect();
            info.insert("hubbard_u".into(), InfoValue::Text(parts.join(",")));
        }
    }
}

/// Functional for which the potentials of VASP with this title were made: `PAW_PBE Li_sv 10Sep2004` and
/// `PBE Li_sv` are PBE, `PAW_GGA Li 21Jan2003` is PW91, `PAW Li 17Jan2003` is LDA.
pub(super) fn functional_of_title(title: &str) -> Option<&'static str> {
    let mut words = title.split_whitespace();
    let kind = words.next()?;
    match kind {
        "PAW_PBE" | "PBE" => Some("PBE"),
        "PAW_GGA" | "PAW_PW91" | "PW91" | "GGA" => Some("PW91"),
        "PAW" | "US" | "LDA" | "PAW_LDA" => Some("LDA"),
        _ if kind.starts_with("PBE_") => Some("PBE"),
        _ if kind.starts_with("LDA_") => Some("LDA"),
        _ => None,
    }
}

/// The one functional of a set of titles; several are named together.
pub(super) fn functional_of_titles<'a>(titles: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut found: Vec<&str> = titles.into_iter().filter_map(functional_of_title).collect();
    found.sort_unstable();
    found.dedup();
    (!found.is_empty()).then(|| found.join("/"))
}

/// Functional of the tag GGA of VASP; `None` for `--` (that of the potentials).
pub(super) fn functional_of_gga(tag: &str) -> Option<String> {
    let name = match tag.trim().to_ascii_uppercase().as_str() {
        "" | "--" | "NONE" => return None,
        "PE" => "PBE",
        "91" => "PW91",
        "PS" => "PBEsol",
        "RP" => "RPBE",
        "RE" => "revPBE",
        "AM" => "AM05",
        "CA" | "LDA" | "PZ" => "LDA",
        "OR" => "optPBE",
        "BO" => "optB88",
        "MK" => "optB86b",
        "CX" => "vdW-DF-cx",
        other => return Some(format!("GGA={other}")),
    };
    Some(name.to_string())
}

/// Spelling of a functional by which those of different programs compare equal: the common names without
/// regard to case, any other name as it stands.
pub(super) fn canonical_functional(name: &str) -> String {
    const KNOWN: [&str; 14] = [
        "LDA", "PBE", "PBEsol", "RPBE", "revPBE", "PW91", "AM05", "BLYP", "SCAN", "RSCAN", "R2SCAN", "HSE06",
        "HSE03", "PBE0",
    ];
    let name = name.trim();
    KNOWN
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name))
        .map_or_else(|| name.to_string(), |k| (*k).to_string())
}

/// Name of a calculator as the other readers give it; ASE writes it in small letters.
pub(super) fn canonical_calculator(name: &str) -> &str {
    match name {
        "vasp" => VASP,
        "espresso" => QUANTUM_ESPRESSO,
        other => other,
    }
}
