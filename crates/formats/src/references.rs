//! Reference energies from JSON: `{"Li_bcc": {"energy_eV_per_atom": -1.9, ...}, "CoO2": {"energy_eV_per_fu":
//! -20.5, ...}}`.

use crate::error::{FormatError, Place};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a reference energy is counted per.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnergyPer {
    /// Per atom.
    Atom,
    /// Per formula unit.
    FormulaUnit,
}

/// A reference state.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceEnergy {
    /// Energy, eV per atom or formula unit.
    pub energy_ev: f64,
    /// What it is counted per.
    pub per: EnergyPer,
    /// Whether the calculation converged, if stated.
    pub converged: Option<bool>,
    /// All other numbers, under the names of the file.
    pub numbers: BTreeMap<String, f64>,
}

/// Reference energies by name. Every entry holds `energy_eV_per_atom` or `energy_eV_per_fu`.
///
/// Errors: JSON that is none, with line and column; [`FormatError::Missing`] and [`FormatError::Syntax`]
/// with the entry's name for an entry
/// that is no object, has no energy or both; an entry stated as not converged.
pub fn read_references(text: &str, name: &str) -> Result<BTreeMap<String, ReferenceEnergy>, FormatError> {
    let entries: BTreeMap<String, BTreeMap<String, Value>> = crate::json::parse(text, name)?;
    let mut references = BTreeMap::new();
    for (id, fields) in entries {
        let mut numbers = BTreeMap::new();
        let mut converged = None;
        for (key, value) in &fields {
            match value {
                Value::Bool(flag) if key == "converged" => converged = Some(*flag),
                Value::Number(number) => {
                    if let Some(number) = number.as_f64().filter(|n| n.is_finite()) {
                        numbers.insert(key.clone(), number);
                    }
                }
                _ => {}
            }
        }
        if converged == Some(false) {
            let problem = format!("reference '{id}' is stated as not converged; converge it or remove it");
            return Err(FormatError::syntax(Place::file(name), problem));
        }
        let (atom, unit) = (numbers.remove("energy_eV_per_atom"), numbers.remove("energy_eV_per_fu"));
        let (energy_ev, per) = match (atom, unit) {
            (Some(energy), None) => (energy, EnergyPer::Atom),
            (None, Some(energy)) => (energy, EnergyPer::FormulaUnit),
            (Some(_), Some(_)) => {
                let problem =
                    format!("reference '{id}' has an energy per atom and one per formula unit; keep one");
                return Err(FormatError::syntax(Place::file(name), problem));
            }
            (None, None) => {
                let keys: Vec<&str> = fields.keys().map(String::as_str).take(20).collect();
                return Err(FormatError::Missing {
                    place: Box::new(Place::file(name)),
                    what: "a number energy_eV_per_atom or energy_eV_per_fu".into(),
                    id: format!("reference '{id}'"),
                    available: keys.join(", "),
                });
            }
        };
        references.insert(id, ReferenceEnergy { energy_ev, per, converged, numbers });
    }
    if references.is_empty() {
        return Err(FormatError::Empty {
            place: Box::new(Place::file(name)),
            wanted: "reference energies in JSON",
        });
    }
    Ok(references)
}
