//! Electron bands as programs write them: plain arrays, from vasprun.xml, data-file-schema.xml of Quantum ESPRESSO and JSON of pymatgen.
//!
//! The readers return numbers and know no physics of bands: what is made of them (symmetry, interpolation, integrals) is the business of others.

mod espresso;
mod pymatgen;
mod vasprun;
mod xml;

use crate::error::{FormatError, Place};
use scalade_crystal::{Matrix3, Structure, determinant};

/// Eigenvalues on k points.
#[derive(Clone, Debug, PartialEq)]
pub struct ComputedBands {
    /// Which format it was.
    pub format: &'static str,
    /// Lattice vectors as rows, angstrom.
    pub lattice_angstrom: Matrix3,
    /// The structure, if the file holds one.
    pub structure: Option<Structure>,
    /// Fractional k points (a_i . b_j = 2 pi delta_ij).
    pub k_points: Vec<[f64; 3]>,
    /// Weights, sum 1; none where the format has none.
    pub weights: Option<Vec<f64>>,
    /// Eigenvalues \[spin\]\[k\]\[band\], eV; one spin or two.
    pub energies_ev: Vec<Vec<Vec<f64>>>,
    /// Electrons that a band holds at a k: 2, or 1 for each of two spins and with spin-orbit coupling.
    pub spin_degeneracy: f64,
    /// Electrons per cell, all spins.
    pub electrons: Option<f64>,
    /// Fermi level, eV.
    pub fermi_level_ev: Option<f64>,
}

/// Bands of a text, whose content tells the format; none if it is of no format that is read here.
///
/// ```
/// let text = r#"{"@class": "BandStructure", "lattice_rec": {"matrix": [[2, 0, 0], [0, 2, 0], [0, 0, 2]]}, "efermi": 0.5,
///     "kpoints": [[0, 0, 0], [0.5, 0, 0]], "bands": {"1": [[-1.0, -0.5], [1.0, 2.0]]}}"#;
/// let bands = scalade_formats::read_computed_bands(text, "bands.json").unwrap()?;
/// assert_eq!(bands.energies_ev[0][1], [-0.5, 2.0]);
/// assert!((bands.lattice_angstrom[0][0] - std::f64::consts::PI).abs() < 1e-12);
/// # Ok::<(), scalade_formats::FormatError>(())
/// ```
///
/// Errors: those of the reader, with file and line where it can.
pub fn read_computed_bands(text: &str, name: &str) -> Option<Result<ComputedBands, FormatError>> {
    let head: String = text.trim_start_matches('\u{feff}').trim_start().chars().take(4000).collect();
    let found = if head.starts_with('<') {
        if head.contains("<modeling") {
            vasprun::read(text, name)
        } else if head.contains("espresso") {
            espresso::read(text, name)
        } else {
            return None;
        }
    } else if head.starts_with('{') && text.contains("\"kpoints\"") && text.contains("\"bands\"") {
        pymatgen::read(text, name)
    } else {
        return None;
    };
    Some(found.and_then(|bands| checked(bands, name)))
}

/// What every reader promises.
fn checked(mut bands: ComputedBands, name: &str) -> Result<ComputedBands, FormatError> {
    let refuse = |problem: String| Err(FormatError::syntax(Place::file(name), problem));
    let points = bands.k_points.len();
    if points == 0 || bands.energies_ev.is_empty() {
        return refuse("the file has no k points with eigenvalues; were they written?".into());
    }
    if determinant(&bands.lattice_angstrom).abs() < 1e-9 {
        return refuse("the lattice vectors lie in one plane; three independent ones are due".into());
    }
    for (spin, rows) in bands.energies_ev.iter().enumerate() {
        if rows.len() != points {
            let what = format!("spin {} has eigenvalues at {} k points of {points}", spin + 1, rows.len());
            return refuse(what + "; the file is not whole");
        }
    }
    if let Some(weights) = &mut bands.weights {
        let sum: f64 = weights.iter().sum();
        if weights.len() != points || sum <= 0.0 || weights.iter().any(|w| *w < 0.0) {
            let what = format!("{} weights of the sum {sum} for {points} k points", weights.len());
            return refuse(what + "; one each, none below 0, is due");
        }
        for weight in weights.iter_mut() {
            *weight /= sum;
        }
        // Points of weight 0 follow a mesh where a band structure was computed along with it: they belong to no mesh.
        if weights.contains(&0.0) {
            let keep: Vec<bool> = weights.iter().map(|w| *w > 0.0).collect();
            let mut at = keep.iter();
            bands.k_points.retain(|_| *at.next().unwrap_or(&true));
            for rows in &mut bands.energies_ev {
                let mut at = keep.iter();
                rows.retain(|_| *at.next().unwrap_or(&true));
            }
            weights.retain(|w| *w > 0.0);
        }
    }
    Ok(bands)
}

#[cfg(test)]
mod tests;
