//! Derivative structures of a parent lattice: listed, counted, drawn as special quasi-random structures.
//!
//! A derivative structure is a colouring of a superlattice. For every index n the superlattices are the Hermite normal forms of determinant n,
//! one of each class under the point group. The cells of a superlattice form the finite group G = Z_d1 x Z_d2 x Z_d3 of its Smith normal form;
//! its sites are coloured with the allowed species composition by composition, each colouring with its number from multinomial coefficients.
//! Of colourings that translations or operations of the parent take into each other one is kept, and none that has a smaller period.
//!
//! * G. L. W. Hart and R. W. Forcade, Phys. Rev. B 77, 224115 (2008): superlattices, the quotient group, colourings.
//! * G. L. W. Hart and R. W. Forcade, Phys. Rev. B 80, 014120 (2009): several sites per cell.
//! * G. L. W. Hart, L. J. Nelson, R. W. Forcade, Comput. Mater. Sci. 59, 101 (2012): fixed concentrations.
//! * A. Zunger, S.-H. Wei, L. G. Ferreira, J. E. Bernard, Phys. Rev. Lett. 65, 353 (1990): special quasi-random structures.
//!
//! ```
//! use scalade_crystal::enumeration::{ConcentrationLimit, DerivativeStructures, Fraction, ParentLattice};
//! use scalade_crystal::{NamedLattice, Structure};
//! // One vacancy among the lithium sites of a rock-salt-like cell.
//! let cell = NamedLattice::Fcc.vectors().map(|row| row.map(|v| 2.9 * v));
//! let rock_salt = Structure::new(cell, vec!["Li".into(), "O".into()], vec![[0.0; 3], [0.5; 3]])?;
//! let parent = ParentLattice::from_structure(&rock_salt, &[("Li".into(), vec!["Li".into(), "Vac".into()])], false, 0.01)?;
//! let limit = ConcentrationLimit::Count { species: "Vac".into(), minimum: 1, maximum: 1 };
//! let structures = DerivativeStructures::new(&parent, &[limit])?;
//! // Every superlattice has one such structure.
//! let count = structures.count(8)?;
//! assert_eq!(count.structures, u128::from(count.inequivalent_superlattices));
//! let first = structures.stream(8..=8)?.next().unwrap()?;
//! assert_eq!(structures.structure(&first)?.count("Vac"), 1);
//! # Ok::<(), scalade_crystal::enumeration::EnumerationError>(())
//! ```

mod colouring;
mod count;
mod error;
mod limits;
mod parent;
mod quasirandom;
mod sieve;
mod sites;
mod stream;
mod superlattice;

pub use error::EnumerationError;
pub use limits::{ConcentrationLimit, Fraction};
pub use parent::{ParentLattice, VACANCY};
pub use quasirandom::{
    Quasirandom, QuasirandomCell, QuasirandomCorrelation, QuasirandomSearch, QuasirandomSettings,
    special_quasirandom,
};
pub use stream::{Cursor, DerivativeStructure, DerivativeStructures, SizeCount, StructureStream};
pub use superlattice::{IntegerMatrix, Superlattices, hermite_normal_form};
