//! The rungs of the ladder, ordered by length.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Scale at which a value was identified. The order is the order of the rungs: `Atomic < Lattice < ... < Pack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Electronic structure and single hops, angstroms.
    Atomic,
    /// Lattice statistics, nanometres.
    Lattice,
    /// Particles, 0.01 to 10 micrometres.
    Particle,
    /// Porous electrodes, 10 to 100 micrometres.
    Electrode,
    /// Cells, millimetres to centimetres.
    Cell,
    /// Modules and packs, metres.
    Pack,
}

impl Scale {
    /// All scales from the smallest to the largest.
    pub const ALL: [Self; 6] =
        [Self::Atomic, Self::Lattice, Self::Particle, Self::Electrode, Self::Cell, Self::Pack];

    /// The lower-case name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Atomic => "atomic",
            Self::Lattice => "lattice",
            Self::Particle => "particle",
            Self::Electrode => "electrode",
            Self::Cell => "cell",
            Self::Pack => "pack",
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
