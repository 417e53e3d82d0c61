//! Frames: structures with what a calculation says of them.

use crate::error::{FormatError, Place};
use scalade_crystal::{Matrix3, Structure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A value of a frame's header. Numbers are finite; a word such as `nan` stays a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum InfoValue {
    /// A logical.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A real number.
    Float(f64),
    /// A text.
    Text(String),
    /// A list of integers; also the empty list.
    Ints(Vec<i64>),
    /// A list of logicals.
    Bools(Vec<bool>),
    /// A list of real numbers.
    Floats(Vec<f64>),
    /// A list of texts.
    Texts(Vec<String>),
    /// A matrix as its rows, each a list of the same length and kind.
    Rows(Vec<InfoValue>),
}

impl InfoValue {
    /// The number, if this is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The numbers of a list, row by row for a matrix; `None` if there is anything else in it.
    pub fn numbers(&self) -> Option<Vec<f64>> {
        match self {
            Self::Ints(values) => Some(values.iter().map(|v| *v as f64).collect()),
            Self::Floats(values) => Some(values.clone()),
            Self::Rows(rows) => {
                let parts: Option<Vec<_>> = rows.iter().map(Self::numbers).collect();
                Some(parts?.concat())
            }
            _ => None,
        }
    }

    /// The kind in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "a logical",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a real number",
            Self::Text(_) => "a text",
            Self::Bools(_) => "a list of logicals",
            Self::Ints(_) => "a list of integers",
            Self::Floats(_) => "a list of real numbers",
            Self::Texts(_) => "a list of texts",
            Self::Rows(_) => "a matrix",
        }
    }
}

/// A per-atom property, atom by atom: `values[atom * width + component]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum AtomArray {
    /// Real numbers.
    Real {
        /// Components per atom.
        width: usize,
        /// Values.
        values: Vec<f64>,
    },
    /// Integers.
    Integer {
        /// Components per atom.
        width: usize,
        /// Values.
        values: Vec<i64>,
    },
    /// Logicals.
    Logical {
        /// Components per atom.
        width: usize,
        /// Values.
        values: Vec<bool>,
    },
    /// Words without whitespace.
    Text {
        /// Components per atom.
        width: usize,
        /// Values.
        values: Vec<String>,
    },
}

impl AtomArray {
    /// Components per atom.
    pub fn width(&self) -> usize {
        match self {
            Self::Real { width, .. }
            | Self::Integer { width, .. }
            | Self::Logical { width, .. }
            | Self::Text { width, .. } => *width,
        }
    }

    /// Number of values.
    pub(crate) fn value_count(&self) -> usize {
        match self {
            Self::Real { values, .. } => values.len(),
            Self::Integer { values, .. } => values.len(),
            Self::Logical { values, .. } => values.len(),
            Self::Text { values, .. } => values.len(),
        }
    }
}

/// One frame of a file. Cartesian positions are kept as they stand in the file; [`Frame::structure`] gives
/// the periodic
/// structure with fractional positions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frame {
    /// Name of the file.
    #[serde(skip)]
    pub file: String,
    /// Number of the frame in its file, from 1.
    #[serde(skip)]
    pub index: usize,
    /// Line on which the frame begins, from 1; 0 if the frame comes from no text.
    #[serde(skip)]
    pub line: usize,
    /// Rows are the lattice vectors, angstrom; none for a molecule.
    pub lattice_angstrom: Option<Matrix3>,
    /// Periodic along each lattice vector.
    pub periodic: [bool; 3],
    /// Species of every atom.
    pub species: Vec<String>,
    /// Cartesian positions, angstrom; none at all where only the composition is known (an entry of pymatgen
    /// without a structure).
    pub positions_angstrom: Vec<[f64; 3]>,
    /// Values of the header, by key.
    #[serde(default)]
    pub info: BTreeMap<String, InfoValue>,
    /// Per-atom properties beside species and positions, by name.
    #[serde(default)]
    pub arrays: BTreeMap<String, AtomArray>,
}

impl Frame {
    /// A frame with all that a periodic structure says, and no more.
    pub fn from_structure(structure: &Structure) -> Self {
        Self {
            file: String::new(),
            index: 1,
            line: 0,
            lattice_angstrom: Some(*structure.lattice_angstrom()),
            periodic: [true; 3],
            species: structure.species().to_vec(),
            positions_angstrom: (0..structure.len()).map(|i| structure.cartesian_angstrom(i)).collect(),
            info: BTreeMap::new(),
            arrays: BTreeMap::new(),
        }
    }

    /// The periodic structure. Errors: [`FormatError::Missing`] without lattice or with an open direction,
    /// [`FormatError::Structure`] for a lattice without volume.
    pub fn structure(&self) -> Result<Structure, FormatError> {
        if self.is_composition() {
            return Err(FormatError::Missing {
                place: Box::new(self.place()),
                what: "the structure".to_string(),
                id: self.id(),
                available: format!(
                    "a composition of {} atoms and an energy, which is enough for voltages; give entries with structures (ComputedStructureEntry)",
                    self.species.len()
                ),
            });
        }
        let lattice = self
            .lattice_angstrom
            .ok_or_else(|| self.not_periodic("Lattice", "add Lattice=\"nine numbers\""))?;
        if self.periodic != [true; 3] {
            return Err(self.not_periodic(
                "periodicity along every lattice vector",
                "set pbc=\"T T T\" if the cell repeats",
            ));
        }
        Structure::from_cartesian(lattice, self.species.clone(), &self.positions_angstrom)
            .map_err(|source| FormatError::Structure { place: Box::new(self.place()), source })
    }

    /// Whether only the composition is known: species without positions.
    pub fn is_composition(&self) -> bool {
        self.positions_angstrom.is_empty() && !self.species.is_empty()
    }

    fn not_periodic(&self, what: &str, way_out: &str) -> FormatError {
        let available = format!("{} atoms that are not a periodic crystal; {way_out}", self.species.len());
        FormatError::Missing {
            place: Box::new(self.place()),
            what: what.to_string(),
            id: self.id(),
            available,
        }
    }

    /// Refuses a number that became infinite on its way from the file's unit, or in a sum or product.
    pub(crate) fn checked(self) -> Result<Self, FormatError> {
        let bad = |value: &InfoValue| matches!(value, InfoValue::Float(number) if !number.is_finite());
        let info = self.info.iter().find(|(_, value)| bad(value)).map(|(key, _)| key.clone());
        let lattice = self.lattice_angstrom.iter().flatten().flatten().any(|c| !c.is_finite());
        let position = self.positions_angstrom.iter().position(|r| r.iter().any(|c| !c.is_finite()));
        let what = info
            .or_else(|| lattice.then(|| "a lattice vector".to_string()))
            .or_else(|| position.map(|atom| format!("the position of atom {}", atom + 1)));
        match what {
            None => Ok(self),
            Some(what) => Err(FormatError::Number {
                place: Box::new(self.place()),
                text: "infinity".into(),
                what,
                hint: "; a number of the file is too large",
            }),
        }
    }

    /// Where the frame begins.
    pub fn place(&self) -> Place {
        let line = (self.line > 0).then_some(self.line);
        Place { file: self.file.clone(), line, column: None, frame: Some(self.index) }
    }

    /// The frame's name: the header's `id`, `name` or `label`, else "frame N".
    pub fn id(&self) -> String {
        for key in ["id", "name", "label"] {
            match self.info.get(key) {
                Some(InfoValue::Text(text)) => return text.clone(),
                Some(InfoValue::Int(number)) => return number.to_string(),
                _ => {}
            }
        }
        format!("frame {}", self.index)
    }

    /// The first reason why the lists of this frame do not belong together, if any.
    pub(crate) fn defect(&self) -> Option<String> {
        let atoms = self.species.len();
        if atoms == 0 {
            return Some("it has no atoms".into());
        }
        if self.positions_angstrom.len() != atoms {
            let positions = self.positions_angstrom.len();
            return Some(format!("{atoms} species for {positions} positions"));
        }
        if let Some(atom) = self.positions_angstrom.iter().position(|p| p.iter().any(|c| !c.is_finite())) {
            return Some(format!("the position of atom {} is not finite", atom + 1));
        }
        let lattice_finite = self.lattice_angstrom.is_none_or(|l| l.iter().flatten().all(|c| c.is_finite()));
        if !lattice_finite {
            return Some("the lattice is not finite".into());
        }
        if self.lattice_angstrom.is_none() && self.periodic != [false; 3] {
            return Some("it is periodic without a lattice".into());
        }
        let misfit = self.arrays.iter().find(|(_, array)| {
            array.width() == 0 || array.width().checked_mul(atoms) != Some(array.value_count())
        });
        misfit.map(|(name, array)| {
            format!(
                "property '{name}' has {} values of width {} for {atoms} atoms",
                array.value_count(),
                array.width()
            )
        })
    }
}

/// Total energy of a frame in eV, under `key` of its header. Errors: [`FormatError::Energy`] when the key is
/// not there or
/// holds no finite number; the message lists the keys that hold one.
pub fn energy_ev(frame: &Frame, key: &str) -> Result<f64, FormatError> {
    let refuse = |problem: String| FormatError::Energy {
        file: frame.file.clone(),
        frame: frame.index,
        id: frame.id(),
        line: frame.line,
        problem,
    };
    let Some(value) = frame.info.get(key) else {
        let numeric = frame.info.iter().filter(|(_, v)| v.number().is_some());
        let keys: Vec<&str> = numeric.map(|(k, _)| k.as_str()).take(20).collect();
        let listed = if keys.is_empty() { "none".to_string() } else { keys.join(", ") };
        return Err(refuse(format!("there is no key '{key}'; keys with numbers: {listed}")));
    };
    match value.number() {
        Some(energy) if energy.is_finite() => Ok(energy),
        _ => {
            let found = crate::error::shown(&format!("{value:?}"));
            Err(refuse(format!("'{key}' holds {} ({found})", value.kind())))
        }
    }
}

/// Standard error of the total energy in eV under `key`; `None` when the key is not there. Errors: as
/// [`energy_ev`], and
/// [`FormatError::Value`] for a negative one.
pub fn standard_error_ev(frame: &Frame, key: &str) -> Result<Option<f64>, FormatError> {
    if !frame.info.contains_key(key) {
        return Ok(None);
    }
    let value = energy_ev(frame, key)?;
    if value < 0.0 {
        return Err(FormatError::Value {
            place: Box::new(frame.place()),
            id: frame.id(),
            what: format!("standard error ({key})"),
            unit: " eV",
            value,
            want: "a standard error is not negative".into(),
        });
    }
    Ok(Some(value))
}
