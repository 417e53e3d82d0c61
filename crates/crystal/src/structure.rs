//! A periodic structure: lattice, species, fractional positions.

use crate::matrix::{Matrix3, determinant, inverse, row_times};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What can be wrong with a structure.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum CrystalError {
    /// The lattice vectors span no volume.
    #[error("the lattice vectors span no volume (determinant {determinant} cubic angstrom)")]
    Degenerate {
        /// Determinant of the lattice.
        determinant: f64,
    },
    /// A coordinate that is not a finite number.
    #[error("coordinate {axis} of atom {atom} (counted from 0) is {value}")]
    NotFinite {
        /// Index of the atom.
        atom: usize,
        /// Index of the coordinate.
        axis: usize,
        /// The value.
        value: f64,
    },
    /// Lists of different lengths.
    #[error("{species} species for {positions} positions")]
    Lengths {
        /// Number of species.
        species: usize,
        /// Number of positions.
        positions: usize,
    },
    /// A supercell or grid that is empty or too large.
    #[error("a grid of {dims:?} cells with {basis} sites each is empty or too large (at most 2^31 sites)")]
    Grid {
        /// Cells along each lattice vector.
        dims: [usize; 3],
        /// Sites per cell.
        basis: usize,
    },
    /// The symmetry search failed.
    #[error("no symmetry was found within {tolerance_angstrom} angstrom: {reason}")]
    Symmetry {
        /// Tolerance on positions.
        tolerance_angstrom: f64,
        /// What the search reported.
        reason: String,
    },
}

/// What a structure is read from.
#[derive(Deserialize)]
struct StructureParts {
    lattice_angstrom: Matrix3,
    species: Vec<String>,
    fractional: Vec<[f64; 3]>,
}

/// A periodic structure. Rows of `lattice_angstrom` are the lattice vectors; positions are fractional. One that is read back is checked again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StructureParts")]
pub struct Structure {
    lattice_angstrom: Matrix3,
    species: Vec<String>,
    fractional: Vec<[f64; 3]>,
}

impl TryFrom<StructureParts> for Structure {
    type Error = CrystalError;

    fn try_from(parts: StructureParts) -> Result<Self, CrystalError> {
        Self::new(parts.lattice_angstrom, parts.species, parts.fractional)
    }
}

impl Structure {
    /// A structure from fractional positions.
    pub fn new(
        lattice_angstrom: Matrix3,
        species: Vec<String>,
        fractional: Vec<[f64; 3]>,
    ) -> Result<Self, CrystalError> {
        let det = determinant(&lattice_angstrom);
        if !(det.is_finite() && det.abs() > 1e-9) {
            return Err(CrystalError::Degenerate { determinant: det });
        }
        if species.len() != fractional.len() {
            return Err(CrystalError::Lengths { species: species.len(), positions: fractional.len() });
        }
        for (atom, position) in fractional.iter().enumerate() {
            if let Some(axis) = position.iter().position(|c| !c.is_finite()) {
                return Err(CrystalError::NotFinite { atom, axis, value: position[axis] });
            }
        }
        Ok(Self { lattice_angstrom, species, fractional })
    }

    /// A structure from Cartesian positions in angstrom.
    pub fn from_cartesian(
        lattice_angstrom: Matrix3,
        species: Vec<String>,
        cartesian_angstrom: &[[f64; 3]],
    ) -> Result<Self, CrystalError> {
        let degenerate = || CrystalError::Degenerate { determinant: determinant(&lattice_angstrom) };
        let inverse = inverse(&lattice_angstrom).ok_or_else(degenerate)?;
        let fractional = cartesian_angstrom.iter().map(|r| row_times(*r, &inverse)).collect();
        Self::new(lattice_angstrom, species, fractional)
    }

    /// Lattice vectors as rows, angstrom.
    pub fn lattice_angstrom(&self) -> &Matrix3 {
        &self.lattice_angstrom
    }

    /// Species symbol of every site.
    pub fn species(&self) -> &[String] {
        &self.species
    }

    /// Fractional positions.
    pub fn fractional(&self) -> &[[f64; 3]] {
        &self.fractional
    }

    /// Cartesian position of one site, angstrom.
    pub fn cartesian_angstrom(&self, site: usize) -> [f64; 3] {
        row_times(self.fractional[site], &self.lattice_angstrom)
    }

    /// Number of sites.
    pub fn len(&self) -> usize {
        self.species.len()
    }

    /// Whether there are no sites.
    pub fn is_empty(&self) -> bool {
        self.species.is_empty()
    }

    /// Number of sites of one species.
    pub fn count(&self, species: &str) -> usize {
        self.species.iter().filter(|s| *s == species).count()
    }

    /// Volume, cubic angstrom.
    pub fn volume_cubic_angstrom(&self) -> f64 {
        determinant(&self.lattice_angstrom).abs()
    }
}
