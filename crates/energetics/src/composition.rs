//! From atoms and total energies to energies per host formula unit.

use crate::error::EnergeticsError;
use scalade_crystal::Structure;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Atoms in a cell up to which all counts and their products are exact in `f64` (products of two stay below
/// 2^53).
const ATOM_LIMIT: u64 = 1 << 26;
/// Largest total energy that is taken for one, eV.
const ENERGY_LIMIT_EV: f64 = 1e12;

/// Element of a species: a charge such as in `Ni3+` or `O2-` is dropped.
///
/// ```
/// use scalade_energetics::element_of_species;
/// assert_eq!(element_of_species("Ni3+"), "Ni");
/// assert_eq!(element_of_species("Li"), "Li");
/// ```
pub fn element_of_species(species: &str) -> &str {
    let bare = species.trim_end_matches(['+', '-']);
    if bare.len() == species.len() {
        return species;
    }
    bare.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
}

/// Whether a species is a vacancy, by the symbols of ASE and icet (X), CASM (Va), ATAT and smol (Vac,
/// Vacancy).
pub fn is_vacancy(species: &str) -> bool {
    matches!(element_of_species(species), "X" | "Va" | "Vac" | "Vacancy" | "vac" | "vacancy")
}

/// One calculation: what is in the cell and its total energy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComputedEntry {
    /// Name, unique in its set.
    pub id: String,
    /// Atoms in the cell, by element.
    pub counts: BTreeMap<String, u64>,
    /// Total energy of the cell, eV.
    pub energy_ev: Option<f64>,
    /// Standard error of the total energy, eV, if one is stated.
    pub standard_error_ev: Option<f64>,
    /// What the energy was computed with (functional, U); entries of different labels are not compared.
    pub label: Option<String>,
}

impl ComputedEntry {
    /// An entry from the atoms of its cell and their total energy, eV. Counts of one element add up.
    pub fn new<'a>(id: &str, atoms: impl IntoIterator<Item = (&'a str, u64)>, energy_ev: f64) -> Self {
        let mut counts = BTreeMap::new();
        for (species, count) in atoms.into_iter().filter(|(species, _)| !is_vacancy(species)) {
            let total: &mut u64 = counts.entry(element_of_species(species).to_string()).or_insert(0);
            *total = total.saturating_add(count);
        }
        counts.retain(|_, count| *count > 0);
        Self { id: id.to_string(), counts, energy_ev: Some(energy_ev), standard_error_ev: None, label: None }
    }

    /// An entry from a structure (vacancies do not count, charges of species are dropped) and its total
    /// energy, eV, if it has one.
    pub fn from_structure(id: &str, structure: &Structure, energy_ev: Option<f64>) -> Self {
        let atoms = structure.species().iter().map(|species| (species.as_str(), 1));
        Self { energy_ev, ..Self::new(id, atoms, 0.0) }
    }

    /// The same entry with the standard error of its total energy, eV.
    #[must_use]
    pub fn with_standard_error_ev(mut self, standard_error_ev: f64) -> Self {
        self.standard_error_ev = Some(standard_error_ev);
        self
    }

    /// The same entry with the label of its method.
    #[must_use]
    pub fn with_label(mut self, label: &str) -> Self {
        self.label = Some(label.to_string());
        self
    }

    fn check(&self, entry: usize) -> Result<f64, EnergeticsError> {
        let energy =
            self.energy_ev.ok_or_else(|| EnergeticsError::MissingEnergy { entry, id: self.id.clone() })?;
        let refuse =
            |what, value, want| EnergeticsError::Energy { entry, id: self.id.clone(), what, value, want };
        if !energy.is_finite() || energy.abs() > ENERGY_LIMIT_EV {
            return Err(refuse(
                "the total energy",
                energy,
                "it must be a finite number, in eV for the whole cell",
            ));
        }
        match self.standard_error_ev {
            Some(error) if !(0.0..=ENERGY_LIMIT_EV).contains(&error) => {
                Err(refuse("the standard error of the energy", error, "it must be a finite number >= 0"))
            }
            _ => Ok(energy),
        }
    }
}

/// An entry per host formula unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostPoint {
    /// Id of the entry.
    pub id: String,
    /// Working ions per formula unit of the host.
    pub x: f64,
    /// Working ions in the cell.
    pub ions: u64,
    /// Reduced host formulas in the cell.
    pub reduced_formulas: u64,
    /// Total energy of the cell, eV.
    pub total_energy_ev: f64,
    /// Energy per formula unit of the host, eV.
    pub energy_ev: f64,
    /// Its standard error, eV, if one is stated.
    pub standard_error_ev: Option<f64>,
}

/// All entries of a set, per formula unit of their common host, sorted by composition, then energy, then id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostSpace {
    /// The working ion.
    pub working_ion: String,
    /// Formula of the host, per which x and energies are counted.
    pub host_formula: String,
    /// Label common to all entries, if they have one.
    pub label: Option<String>,
    /// The entries.
    pub points: Vec<HostPoint>,
}

impl HostSpace {
    /// Energies per host formula unit. The host is all that is not the working ion; its formula is reduced
    /// by the greatest common
    /// divisor of its counts (Ti4O8 counts as four TiO2), and `formula_multiple` of them make the unit (2
    /// for Mn2O4 where MnO2 is
    /// the reduced formula).
    ///
    /// Errors: no entries, ids that stand twice, energies that are missing or not finite, mixed labels,
    /// entries without host or of another
    /// host, cells above 2^26 atoms.
    pub fn from_entries(
        entries: &[ComputedEntry],
        working_ion: &str,
        formula_multiple: u64,
    ) -> Result<Self, EnergeticsError> {
        if entries.is_empty() {
            return Err(EnergeticsError::Empty);
        }
        if !(1..=1000).contains(&formula_multiple) {
            return Err(EnergeticsError::FormulaMultiple { multiple: formula_multiple });
        }
        let energies: Result<Vec<f64>, _> = entries.iter().enumerate().map(|(i, e)| e.check(i + 1)).collect();
        check_ids_and_labels(entries)?;
        let mut host: Option<BTreeMap<&str, u64>> = None;
        let mut points = Vec::with_capacity(entries.len());
        for (index, (entry, total_energy_ev)) in entries.iter().zip(energies?).enumerate() {
            let (reduced, reduced_formulas) = reduced_host(entry, index + 1, working_ion)?;
            match &host {
                Some(expected) if *expected != reduced => {
                    return Err(EnergeticsError::HostMismatch {
                        entry: index + 1,
                        id: entry.id.clone(),
                        found: formula(&reduced, 1),
                        expected: formula(expected, 1),
                        ion: working_ion.to_string(),
                    });
                }
                Some(_) => {}
                None => host = Some(reduced),
            }
            let ions = entry.counts.get(working_ion).copied().unwrap_or(0);
            let units = reduced_formulas as f64 / formula_multiple as f64;
            points.push(HostPoint {
                id: entry.id.clone(),
                // Products and quotients of exact integers: equal compositions have equal bits.
                x: (ions * formula_multiple) as f64 / reduced_formulas as f64,
                ions,
                reduced_formulas,
                total_energy_ev,
                energy_ev: total_energy_ev / units,
                standard_error_ev: entry.standard_error_ev.map(|error| error / units),
            });
        }
        points.sort_by(|a, b| {
            a.x.total_cmp(&b.x).then(a.energy_ev.total_cmp(&b.energy_ev)).then_with(|| a.id.cmp(&b.id))
        });
        let host_formula = host.map(|host| formula(&host, formula_multiple)).unwrap_or_default();
        let label = entries[0].label.clone();
        Ok(Self { working_ion: working_ion.to_string(), host_formula, label, points })
    }
}

fn check_ids_and_labels(entries: &[ComputedEntry]) -> Result<(), EnergeticsError> {
    let mut seen = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        if let Some(first) = seen.insert(entry.id.as_str(), index) {
            let id = entry.id.clone();
            return Err(EnergeticsError::DuplicateId { id, first: first + 1, second: index + 1 });
        }
        if entry.label != entries[0].label {
            return Err(mixed(
                (&entries[0].id, entries[0].label.as_ref()),
                (&entry.id, entry.label.as_ref()),
            ));
        }
    }
    Ok(())
}

pub(crate) fn mixed(first: (&str, Option<&String>), second: (&str, Option<&String>)) -> EnergeticsError {
    let named =
        |label: Option<&String>| label.map_or("not labelled".to_string(), |l| format!("labelled '{l}'"));
    EnergeticsError::MixedLabels {
        first_id: first.0.to_string(),
        first_label: named(first.1),
        second_id: second.0.to_string(),
        second_label: named(second.1),
    }
}

/// Reduced host formula and how many of it are in the cell.
fn reduced_host<'a>(
    entry: &'a ComputedEntry,
    number: usize,
    working_ion: &str,
) -> Result<(BTreeMap<&'a str, u64>, u64), EnergeticsError> {
    let atoms = entry.counts.values().fold(0u64, |sum, count| sum.saturating_add(*count));
    if atoms > ATOM_LIMIT {
        return Err(EnergeticsError::Size { entry: number, id: entry.id.clone(), atoms, limit: ATOM_LIMIT });
    }
    let host = entry.counts.iter().filter(|(element, count)| *element != working_ion && **count > 0);
    let mut reduced: BTreeMap<&str, u64> = host.map(|(element, count)| (element.as_str(), *count)).collect();
    let divisor = reduced.values().fold(0, |divisor, count| greatest_common_divisor(divisor, *count));
    if divisor == 0 {
        let (id, ion) = (entry.id.clone(), working_ion.to_string());
        return Err(EnergeticsError::NoHost { entry: number, id, ion });
    }
    for count in reduced.values_mut() {
        *count /= divisor;
    }
    Ok((reduced, divisor))
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Formula with metals before anions: by the usual order of electronegative elements, else alphabetic.
fn formula(counts: &BTreeMap<&str, u64>, multiple: u64) -> String {
    const ANIONS: [&str; 10] = ["P", "S", "Se", "Te", "N", "O", "I", "Br", "Cl", "F"];
    let rank = |element: &str| ANIONS.iter().position(|a| *a == element).map_or(0, |i| i + 1);
    let mut elements: Vec<(&str, u64)> = counts.iter().map(|(element, count)| (*element, *count)).collect();
    elements.sort_by_key(|(element, _)| rank(element));
    let part = |(element, count): &(&str, u64)| match count * multiple {
        1 => (*element).to_string(),
        n => format!("{element}{n}"),
    };
    elements.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, atoms: &[(&'static str, u64)]) -> ComputedEntry {
        ComputedEntry::new(id, atoms.iter().copied(), -1.0)
    }

    #[test]
    fn hosts_are_reduced_within_each_cell() {
        let entries = [entry("a", &[("Ti", 4), ("O", 8)]), entry("b", &[("Li", 1), ("Ti", 2), ("O", 4)])];
        let space = HostSpace::from_entries(&entries, "Li", 1).unwrap();
        assert_eq!(space.host_formula, "TiO2");
        assert_eq!((space.points[0].reduced_formulas, space.points[1].x), (4, 0.5));
        assert_eq!((space.points[0].energy_ev, space.points[1].energy_ev), (-0.25, -0.5));
        let doubled = HostSpace::from_entries(&entries, "Li", 2).unwrap();
        assert_eq!((doubled.host_formula.as_str(), doubled.points[1].x), ("Ti2O4", 1.0));
        assert_eq!(doubled.points[1].energy_ev, -1.0);
        let phosphate = [entry("p", &[("O", 16), ("P", 4), ("Fe", 4)])];
        assert_eq!(HostSpace::from_entries(&phosphate, "Li", 1).unwrap().host_formula, "FePO4");
    }

    #[test]
    fn vacancies_and_charges_of_species() {
        let lattice = [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]];
        let species = ["Li+", "Ni3+", "Ni4+", "O2-", "O2-", "X", "Va"].map(str::to_string).to_vec();
        let structure = Structure::new(lattice, species, vec![[0.0; 3]; 7]).unwrap();
        let entry = ComputedEntry::from_structure("a", &structure, None);
        let counts: Vec<(&str, u64)> = entry.counts.iter().map(|(e, n)| (e.as_str(), *n)).collect();
        assert_eq!(counts, [("Li", 1), ("Ni", 2), ("O", 2)]);
        let error = HostSpace::from_entries(&[entry], "Li", 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "entry 1 (a) has no energy; give its total energy in eV or leave it out"
        );
        assert_eq!(element_of_species("V"), "V");
        assert!(!is_vacancy("V"));
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let good = || vec![entry("a", &[("Co", 1), ("O", 2)]), entry("b", &[("Li", 1), ("Co", 1), ("O", 2)])];
        let refused =
            |entries: &[ComputedEntry]| HostSpace::from_entries(entries, "Li", 1).unwrap_err().to_string();
        assert!(HostSpace::from_entries(&good(), "Li", 1).is_ok());
        assert!(refused(&[]).contains("no entries"));
        assert!(HostSpace::from_entries(&good(), "Li", 0).is_err());
        for energy in [f64::NAN, f64::INFINITY, 1e300] {
            let mut entries = good();
            entries[1].energy_ev = Some(energy);
            assert!(refused(&entries).starts_with("entry 2 (b): the total energy is"));
        }
        for error in [f64::NAN, -0.1, f64::INFINITY] {
            let mut entries = good();
            entries[1].standard_error_ev = Some(error);
            assert!(refused(&entries).contains("standard error"));
        }
        let mut entries = good();
        entries[1].id = "a".into();
        assert!(refused(&entries).contains("entries 1 and 2 are both called a"));
        let mut entries = good();
        entries[1].label = Some("PBE+U".into());
        assert!(refused(&entries).contains("a is not labelled, b is labelled 'PBE+U'; compute all"));
        let mut entries = good();
        entries.push(entry("c", &[("Li", 1), ("Co", 1), ("O", 3)]));
        let message = refused(&entries);
        assert!(
            message.contains("entry 3 (c) has the host CoO3, the entries before it have CoO2"),
            "{message}"
        );
        let mut entries = good();
        entries.push(entry("metal", &[("Li", 2)]));
        assert!(refused(&entries).contains("entry 3 (metal) has no host"));
        let mut entries = good();
        entries.push(entry("huge", &[("Li", u64::MAX), ("Co", u64::MAX)]));
        assert!(refused(&entries).contains("counted exactly"));
    }
}
