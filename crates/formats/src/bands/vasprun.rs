//! Bands in vasprun.xml.

use super::ComputedBands;
use super::xml::{Open, Source, Visitor, visit};
use crate::error::{FormatError, Place};
use crate::text::{demand_number, parse_logical};
use scalade_crystal::{Matrix3, Structure};

#[derive(Default)]
struct Document {
    k_points: Vec<[f64; 3]>,
    weights: Vec<f64>,
    basis: Vec<[f64; 3]>,
    positions: Vec<[f64; 3]>,
    elements: Vec<String>,
    column: usize,
    energies: Vec<Vec<Vec<f64>>>,
    electrons: Option<f64>,
    fermi_level: Option<f64>,
    noncollinear: bool,
}

/// Bands of the last ionic step, with its structure.
///
/// Read are `kpoints` (`kpointlist`, `weights`), the structure, `eigenvalues` of the last step (not those within `projected`), `NELECT`, `LNONCOLLINEAR` and `LSORBIT`
/// of the parameters, and `efermi`.
///
/// Errors: XML that is none or ends early, numbers that are none, lists that do not fit.
pub(super) fn read(text: &str, name: &str) -> Result<ComputedBands, FormatError> {
    let mut found = Document::default();
    visit(Source { text, name }, &mut found)?;
    let missing = |what: &str| {
        let there = "the run did not write it; set LORBIT or keep the run's default output, and run it again";
        FormatError::missing(Place::file(name), what, there)
    };
    if found.energies.is_empty() {
        return Err(missing("the list of eigenvalues"));
    }
    let lattice: Matrix3 =
        found.basis.clone().try_into().map_err(|_| missing("the basis of three lattice vectors"))?;
    let structure = Structure::new(lattice, found.elements.clone(), found.positions.clone())
        .map_err(|source| FormatError::Structure { place: Box::new(Place::file(name)), source })?;
    let paired = found.energies.len() == 1 && !found.noncollinear;
    Ok(ComputedBands {
        format: "vasprun.xml",
        lattice_angstrom: lattice,
        structure: Some(structure),
        k_points: found.k_points,
        weights: Some(found.weights),
        energies_ev: found.energies,
        spin_degeneracy: if paired { 2.0 } else { 1.0 },
        electrons: found.electrons,
        fermi_level_ev: found.fermi_level,
    })
}

/// Tags of a path, from the root on.
fn ends_with(path: &[Open], tags: &[&str]) -> bool {
    path.len() >= tags.len() && path[path.len() - tags.len()..].iter().zip(tags).all(|(o, t)| o.tag == *t)
}

impl Visitor for Document {
    fn open(&mut self, path: &[Open], source: Source<'_>, at: usize) -> Result<(), FormatError> {
        let Some(last) = path.last() else { return Ok(()) };
        let projected = path.iter().any(|o| o.tag == "projected");
        match last.tag.as_str() {
            "eigenvalues" if !projected => self.energies.clear(),
            "set" if !projected && ends_with(path, &["eigenvalues", "array", "set", "set"]) => {
                self.energies.push(Vec::new());
                if self.energies.len() > 2 {
                    return Err(source.refuse(at, "more than two spins stand in one list of eigenvalues"));
                }
            }
            "set" if !projected && ends_with(path, &["eigenvalues", "array", "set", "set", "set"]) => {
                if let Some(rows) = self.energies.last_mut() {
                    rows.push(Vec::new());
                }
            }
            "varray" => match last.name() {
                "basis" => self.basis.clear(),
                "positions" => self.positions.clear(),
                "kpointlist" => self.k_points.clear(),
                "weights" => self.weights.clear(),
                _ => {}
            },
            "rc" => self.column = 0,
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, path: &[Open], text: &str, source: Source<'_>, at: usize) -> Result<(), FormatError> {
        let [.., parent, last] = path else { return Ok(()) };
        match last.tag.as_str() {
            "v" => match (parent.name(), path.iter().any(|o| o.tag == "structure")) {
                ("kpointlist", _) => self.k_points.push(source.vector(text, at, "a k point")?),
                ("weights", _) => {
                    self.weights.push(demand_number(text, || source.place(at), "the weight of a k point")?);
                }
                ("basis", true) => self.basis.push(source.vector(text, at, "a lattice vector")?),
                ("positions", true) => self.positions.push(source.vector(text, at, "a position")?),
                _ => {}
            },
            "r" if !path.iter().any(|o| o.tag == "projected")
                && ends_with(path, &["eigenvalues", "array", "set", "set", "set", "r"]) =>
            {
                let token = text.split_whitespace().next().unwrap_or("");
                let energy = demand_number(token, || source.place(at), "an eigenvalue")?;
                if let Some(row) = self.energies.last_mut().and_then(|rows| rows.last_mut()) {
                    row.push(energy);
                }
            }
            "c" if path.iter().any(|o| o.tag == "array" && o.name() == "atoms") => {
                self.column += 1;
                if self.column == 1 {
                    // VASP writes r for zirconium with some of its potentials.
                    self.elements.push(if text == "r" { "Zr".into() } else { text.to_string() });
                }
            }
            "i" => match last.name() {
                "NELECT" => self.electrons = Some(demand_number(text, || source.place(at), "NELECT")?),
                "efermi" => self.fermi_level = Some(demand_number(text, || source.place(at), "efermi")?),
                "LNONCOLLINEAR" | "LSORBIT" => {
                    self.noncollinear |= parse_logical(text).unwrap_or(text == ".TRUE.");
                }
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }
}
