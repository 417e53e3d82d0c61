//! Primitive cells in TOML: what `scalade expand --prim` reads.
//!
//! ```toml
//! structure = "prim.vasp"        # beside this file; or lattice_angstrom and [[site]] below
//! basis = "spin"                 # spin, sinusoid or occupation
//! formula_units = 1.0            # of the primitive cell
//! electrostatic = true           # a term for the electrostatic energy of the charges
//!
//! [sites]                        # what may stand on the sites of a symbol of the structure; the others stay
//! Li = ["Vac", "Li+", "Mn3+"]
//!
//! [charges]                      # of species whose name does not tell: Mn3+ is 3, Vac is 0
//! O = -2.0
//! ```
//!
//! or, for sites of one symbol that differ,
//!
//! ```toml
//! lattice_angstrom = [[0.0, 2.1, 2.1], [2.1, 0.0, 2.1], [2.1, 2.1, 0.0]]
//! [[site]]
//! fractional = [0.0, 0.0, 0.0]
//! species = ["Vac", "Li+", "Mn3+"]
//! ```

use crate::error::ScaladeError;
use crate::ordering_files::first_structure;
use crate::orderings::read_text;
use scalade_crystal::{Matrix3, MoyoFinder};
use scalade_energetics::{element_of_species, is_vacancy};
use scalade_expansion::{Prim, SiteBasis};
use scalade_handoff::VACANT;
use scalade_lattice::{SiteChoice, SiteChoices};
use scalade_study::did_you_mean;
use scalade_units::{Quantity, dimension};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Tolerance on positions where the file gives none.
const TOLERANCE: &str = "0.01 angstrom";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrimFile {
    structure: Option<String>,
    lattice_angstrom: Option<Matrix3>,
    basis: Option<String>,
    formula_units: Option<f64>,
    tolerance: Option<String>,
    #[serde(default)]
    electrostatic: bool,
    #[serde(default)]
    sites: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    site: Vec<SiteEntry>,
    #[serde(default)]
    charges: BTreeMap<String, f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SiteEntry {
    fractional: [f64; 3],
    species: Vec<String>,
}

/// One name for every symbol of a vacancy.
fn plain(name: &str) -> String {
    if is_vacancy(name) { VACANT.into() } else { name.to_string() }
}

/// The charge that a name tells: Mn3+ is 3, F- is -1, a vacancy is 0; `None` for an element alone.
fn charge_of(name: &str) -> Option<f64> {
    if name == VACANT {
        return Some(0.0);
    }
    let element = element_of_species(name);
    let rest = &name[element.len()..];
    let sign = match rest.chars().last()? {
        '+' => 1.0,
        '-' => -1.0,
        _ => return None,
    };
    let digits = rest.trim_end_matches(['+', '-']);
    let size = if digits.is_empty() { 1.0 } else { digits.parse::<f64>().ok()? };
    Some(sign * size)
}

/// Reads a primitive cell.
pub fn read_prim(path: &Path) -> Result<Prim, ScaladeError> {
    let name = path.display().to_string();
    let bad = |problem: String| ScaladeError::input(format!("{name}: {problem}"));
    let file: PrimFile =
        toml::from_str(&read_text(path)?).map_err(|e| bad(e.to_string().trim_end().to_string()))?;
    let choices = choices(&file, path, &bad)?;
    let basis = match file.basis.as_deref() {
        None => SiteBasis::default(),
        Some(word) => {
            let known = SiteBasis::ALL.iter().find(|(n, _)| *n == word);
            known.map(|k| k.1).ok_or_else(|| {
                let names = SiteBasis::ALL.map(|k| k.0);
                let short: String = word.chars().take(40).collect();
                let hint = did_you_mean(word, names).unwrap_or_default();
                bad(format!("basis is \"{short}\"; {hint} bases are {}", names.join(", ")))
            })?
        }
    };
    let tolerance: Result<Quantity, _> = file.tolerance.as_deref().unwrap_or(TOLERANCE).parse();
    let tolerance =
        tolerance.and_then(|t| t.in_si(dimension::LENGTH)).map_err(|e| bad(format!("tolerance: {e}")))?
            * 1e10;
    let charges = charges(&file, &choices, &bad)?;
    let prim = Prim::new(choices, basis, file.formula_units.unwrap_or(1.0), &MoyoFinder, tolerance)
        .map_err(|e| bad(e.to_string()))?;
    match charges {
        Some(charges) => prim.with_charges(charges, file.electrostatic).map_err(|e| bad(e.to_string())),
        None => Ok(prim),
    }
}

fn choices(
    file: &PrimFile,
    path: &Path,
    bad: &dyn Fn(String) -> ScaladeError,
) -> Result<SiteChoices, ScaladeError> {
    let list = |names: &[String]| names.iter().map(|n| plain(n)).collect::<Vec<String>>();
    match (&file.structure, &file.lattice_angstrom) {
        (Some(beside), None) => {
            if !file.site.is_empty() {
                return Err(
                    bad("[[site]] belongs to lattice_angstrom; with a structure give [sites]".into()),
                );
            }
            let other = path.parent().unwrap_or(Path::new("")).join(beside);
            let structure = first_structure(&other)?;
            if let Some(unknown) = file.sites.keys().find(|s| structure.count(s) == 0) {
                return Err(bad(format!("[sites] {unknown}: {} holds no {unknown}", other.display())));
            }
            let atoms = structure.fractional().iter().zip(structure.species());
            let sites = atoms.map(|(fractional, symbol)| SiteChoice {
                fractional: *fractional,
                species: list(file.sites.get(symbol).unwrap_or(&vec![symbol.clone()])),
            });
            Ok(SiteChoices { lattice_angstrom: *structure.lattice_angstrom(), sites: sites.collect() })
        }
        (None, Some(lattice_angstrom)) => {
            if !file.sites.is_empty() {
                return Err(
                    bad("[sites] belongs to a structure; with lattice_angstrom give [[site]]".into()),
                );
            }
            let site = |s: &SiteEntry| SiteChoice { fractional: s.fractional, species: list(&s.species) };
            let sites = file.site.iter().map(site).collect();
            Ok(SiteChoices { lattice_angstrom: *lattice_angstrom, sites })
        }
        _ => Err(bad(
            "give either structure = \"FILE\" with [sites], or lattice_angstrom with [[site]]".into()
        )),
    }
}

/// Charges of all species: those of the file, else those that names tell. `None` where some are not known and none are asked for.
fn charges(
    file: &PrimFile,
    choices: &SiteChoices,
    bad: &dyn Fn(String) -> ScaladeError,
) -> Result<Option<BTreeMap<String, f64>>, ScaladeError> {
    let species = || choices.sites.iter().flat_map(|s| &s.species);
    if let Some(unknown) = file.charges.keys().find(|n| !species().any(|s| s == *n)) {
        return Err(bad(format!("[charges] {unknown}: no site takes {unknown}")));
    }
    let mut known = BTreeMap::new();
    for name in species() {
        match file.charges.get(name).copied().or_else(|| charge_of(name)) {
            Some(charge) => _ = known.insert(name.clone(), charge),
            None if file.electrostatic || !file.charges.is_empty() => {
                return Err(bad(format!(
                    "the charge of {name} is not known; give it under [charges], or call the species {name}2+ or the like"
                )));
            }
            None => return Ok(None),
        }
    }
    Ok(Some(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_charges() {
        let cases =
            [("Mn3+", Some(3.0)), ("F-", Some(-1.0)), ("O2-", Some(-2.0)), ("Vac", Some(0.0)), ("Li", None)];
        for (name, charge) in cases {
            assert_eq!(charge_of(name), charge, "{name}");
        }
        assert_eq!(charge_of("Ti3.5+"), Some(3.5));
        assert_eq!(plain("X"), "Vac");
        assert_eq!(plain("Li+"), "Li+");
    }
}
