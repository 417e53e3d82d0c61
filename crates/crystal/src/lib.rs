//! Crystal structures, periodic site grids and symmetry. Lengths are in angstrom.
//!
//! ```
//! use scalade_crystal::Structure;
//! let lithium = Structure::new(
//!     [[3.44, 0.0, 0.0], [0.0, 3.44, 0.0], [0.0, 0.0, 3.44]],
//!     vec!["Li".into(), "Li".into()],
//!     vec![[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]],
//! )?;
//! assert!((lithium.volume_cubic_angstrom() - 3.44f64.powi(3)).abs() < 1e-12);
//! assert_eq!(lithium.count("Li"), 2);
//! # Ok::<(), scalade_crystal::CrystalError>(())
//! ```

pub mod enumeration;
mod ewald;
mod grid;
mod matrix;
mod named;
mod structure;
mod symmetry;

pub use ewald::{COULOMB_EV_ANGSTROM, Ewald};
pub use grid::{LatticeSite, SiteGrid};
pub use matrix::{Matrix3, cross, determinant, dot, inverse, norm, row_times};
pub use named::NamedLattice;
pub use structure::{CrystalError, Structure};
pub use symmetry::{
    MoyoFinder, SpaceGroup, SymmetryFinder, SymmetryOperation, periodic_distance_angstrom, primitive_cell,
    site_images,
};
