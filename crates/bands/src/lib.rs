//! Electron bands and what they carry: from eigenvalues or a tight-binding model to conductivity, Seebeck coefficient and electronic heat conductivity.
//!
//! 1. Bands: [`TightBinding`] (also [`wannier::read_hr`]), or eigenvalues on k points ([`BandSet`], [`vasp::read_eigenval`]) made continuous by
//!    [`StarInterpolation`].
//! 2. Brillouin-zone integrals on grids chosen for the integrand and refined to a wanted error: [`transport()`]; densities of states: [`TetrahedronDos`].
//! 3. Closed forms beside them: [`fermi_dirac`], [`parabolic`] bands, effective [`mass`]es, small-[`polaron`] hopping and ambipolar diffusion.
//!
//! Units: eV, angstrom and fractional k inside; SI for what comes out. The Seebeck coefficient of electrons is negative. Electron counts are per cell
//! and count both spins where bands hold two electrons.
//!
//! ```
//! use scalade_bands::{Condition, Hopping, Level, Refinement, RelaxationTime, TightBinding, cubic_rotations, transport};
//! // A cubic band, a = 3 angstrom, t = 0.3 eV, tau = 10 fs, with 0.2 electrons per cell at 300 K.
//! let hop = |cell| Hopping { row: 0, column: 0, cell, amplitude_ev: [-0.3, 0.0] };
//! let lattice = [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]];
//! let hoppings = [hop([1, 0, 0]), hop([0, 1, 0]), hop([0, 0, 1])];
//! let band = TightBinding::new(lattice, 1, &hoppings, true, 2.0)?.with_rotations(&cubic_rotations(), true)?;
//! let at = Condition { level: Level::Electrons { neutral: 0.0, added: 0.2 }, temperature_k: 300.0 };
//! let found = transport(&band, &[at], &RelaxationTime::constant(1e-14)?, &Refinement::default())?;
//! assert!(found.converged && found.errors[0].conductivity_relative < 1e-3);
//! assert!(found.points[0].seebeck[0][0] < 0.0);
//! # Ok::<(), scalade_bands::BandsError>(())
//! ```

mod axes;
mod bands;
pub mod constants;
#[cfg(test)]
mod dense;
mod distribution;
mod error;
mod extrema;
pub mod fermi_dirac;
mod field;
mod hall;
mod interpolate;
pub mod mass;
mod model;
mod octants;
pub mod parabolic;
pub mod parabolic_model;
mod planes;
pub mod polaron;
#[cfg(test)]
mod reference;
mod relaxation;
mod series;
mod spin;
mod stars;
mod symmetry;
mod tetrahedron;
mod transport;
pub mod vasp;
pub mod wannier;

pub use bands::{BandSet, BandSetParts};
pub use error::BandsError;
pub use extrema::{BandEdge, Bend, Curved, band_edge, band_ranges, mass_at};
pub use field::{BandPoint, Bands, Planes};
pub use hall::{Hall, HallCondition, HallPoint, hall};
pub use interpolate::{EnergySlope, StarInterpolation, StateTimes};
pub use model::{Hopping, TightBinding};
pub use relaxation::RelaxationTime;
pub use spin::SpinChannels;
pub use symmetry::{Grid, GridPoint, PointGroup, Rotation, cubic_rotations};
pub use tetrahedron::TetrahedronDos;
pub use transport::{
    Condition, Level, Refinement, Transport, TransportError, TransportPoint, transport, transport_on_grid,
};
