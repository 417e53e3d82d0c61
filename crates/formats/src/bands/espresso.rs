//! Bands in data-file-schema.xml of Quantum ESPRESSO.

use super::ComputedBands;
use super::xml::{Open, Source, Visitor, visit};
use crate::error::{FormatError, Place};
use crate::text::demand_number;
use scalade_crystal::{Matrix3, Structure, dot};

/// Hartree energy, eV, and Bohr radius, angstrom: CODATA 2022.
const HARTREE_EV: f64 = 27.211_386_245_981;
const BOHR_ANGSTROM: f64 = 0.529_177_210_544;

#[derive(Default)]
struct Document {
    alat: Option<f64>,
    cell: Vec<[f64; 3]>,
    species: Vec<String>,
    positions: Vec<[f64; 3]>,
    /// Cartesian in 2 pi/alat.
    k_points: Vec<[f64; 3]>,
    weights: Vec<f64>,
    /// Hartree, up then down.
    eigenvalues: Vec<Vec<f64>>,
    polarised: bool,
    noncollinear: bool,
    up: Option<usize>,
    electrons: Option<f64>,
    level: Option<f64>,
}

/// Bands of the element `output` of the document: cell and positions (bohr), `ks_energies` (k in 2 pi/alat, eigenvalues in Hartree), `nelec`, `fermi_energy` or
/// `highestOccupiedLevel`, `lsda`, `noncolin`.
///
/// Errors: XML that is none or ends early, numbers that are none, lists that do not fit.
pub(super) fn read(text: &str, name: &str) -> Result<ComputedBands, FormatError> {
    let mut found = Document::default();
    visit(Source { text, name }, &mut found)?;
    let missing = |what: &str| {
        FormatError::missing(
            Place::file(name),
            what,
            "output/band_structure and output/atomic_structure are due",
        )
    };
    let bohr: Matrix3 = found.cell.clone().try_into().map_err(|_| missing("the cell of three vectors"))?;
    let alat = found.alat.ok_or_else(|| missing("the attribute alat of atomic_structure"))?;
    let lattice = bohr.map(|row| row.map(|x| x * BOHR_ANGSTROM));
    let cartesian: Vec<[f64; 3]> = found.positions.iter().map(|p| p.map(|x| x * BOHR_ANGSTROM)).collect();
    let structure = Structure::from_cartesian(lattice, found.species, &cartesian)
        .map_err(|source| FormatError::Structure { place: Box::new(Place::file(name)), source })?;
    let k_points = found.k_points.iter().map(|k| std::array::from_fn(|i| dot(bohr[i], *k) / alat)).collect();
    let ev = |list: &[f64]| -> Vec<f64> { list.iter().map(|e| e * HARTREE_EV).collect() };
    let energies_ev = if found.polarised {
        let split = |list: &Vec<f64>| found.up.unwrap_or(list.len() / 2).min(list.len());
        let up = found.eigenvalues.iter().map(|l| ev(&l[..split(l)])).collect();
        vec![up, found.eigenvalues.iter().map(|l| ev(&l[split(l)..])).collect()]
    } else {
        vec![found.eigenvalues.iter().map(|l| ev(l)).collect()]
    };
    Ok(ComputedBands {
        format: "data-file-schema.xml",
        lattice_angstrom: lattice,
        structure: Some(structure),
        k_points,
        weights: Some(found.weights),
        energies_ev,
        spin_degeneracy: if found.polarised || found.noncollinear { 1.0 } else { 2.0 },
        electrons: found.electrons,
        fermi_level_ev: found.level.map(|e| e * HARTREE_EV),
    })
}

fn within(path: &[Open], tags: &[&str]) -> bool {
    tags.iter().all(|t| path.iter().any(|o| o.tag == *t))
}

/// An element without the number that tells species of one element apart.
fn label(name: &str) -> String {
    name.chars().take(12).collect()
}

impl Visitor for Document {
    fn open(&mut self, path: &[Open], source: Source<'_>, at: usize) -> Result<(), FormatError> {
        let Some(last) = path.last().filter(|_| within(path, &["output"])) else { return Ok(()) };
        if last.tag == "atomic_structure" {
            (self.cell, self.species, self.positions) = Default::default();
            let alat = last.attribute("alat").unwrap_or("");
            self.alat = Some(demand_number(alat, || source.place(at), "alat")?);
        }
        if last.tag == "k_point" && within(path, &["ks_energies"]) {
            let weight = last.attribute("weight").unwrap_or("");
            self.weights.push(demand_number(weight, || source.place(at), "the weight of a k point")?);
        }
        Ok(())
    }

    fn close(&mut self, path: &[Open], text: &str, source: Source<'_>, at: usize) -> Result<(), FormatError> {
        let Some(last) = path.last().filter(|_| within(path, &["output"])) else { return Ok(()) };
        let number = |what: &str| demand_number(text, || source.place(at), what);
        let structure = within(path, &["atomic_structure"]);
        let bands = within(path, &["band_structure"]);
        match last.tag.as_str() {
            "a1" | "a2" | "a3" if structure => self.cell.push(source.vector(text, at, "a lattice vector")?),
            "atom" if structure => {
                self.species.push(label(last.name()));
                self.positions.push(source.vector(text, at, "a position")?);
            }
            "k_point" if within(path, &["ks_energies"]) => {
                self.k_points.push(source.vector(text, at, "a k point")?);
            }
            "eigenvalues" if within(path, &["ks_energies"]) => {
                self.eigenvalues.push(source.numbers(text, at, "an eigenvalue")?);
            }
            "lsda" if bands => self.polarised = text == "true",
            "noncolin" if bands => self.noncollinear = text == "true",
            "nbnd_up" if bands => self.up = Some(number("nbnd_up")? as usize),
            "nelec" if bands => self.electrons = Some(number("nelec")?),
            "fermi_energy" if bands => self.level = Some(number("fermi_energy")?),
            "highestOccupiedLevel" if bands && self.level.is_none() => {
                self.level = Some(number("highestOccupiedLevel")?);
            }
            _ => {}
        }
        Ok(())
    }
}
