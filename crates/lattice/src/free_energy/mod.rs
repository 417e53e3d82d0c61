//! Free energies of phases from their own anchors, and the phase diagram they make.
//!
//! A scan of the chemical potential cannot find ordered phases that nucleate slowly. Here every phase starts from its own arrangement at zero temperature,
//! a ground state of the expansion, and keeps to it:
//!
//! - its grand potential per site, phi = e - T s - mu x, is known at low temperature from the [`LowTemperature`] expansion in flips of single sites
//!   and of pairs;
//! - from there it is integrated over temperature, d(phi/T)/d(1/T) = e - mu x at fixed mu, and over the chemical potential, dphi/dmu = -x, as long as the
//!   phase lasts ([`Branch`]);
//! - at every mu the phase of lowest phi is stable, and where two cross they coexist ([`Isotherm`]);
//! - temperatures are added until the ends of the boundaries are known to a wanted width ([`trace`]);
//! - [`from_infinite_temperature`] integrates the same potential from 1/T = 0, where it is -ln 2 (in units of kT, per site): both must agree.
//!
//! Energies in eV, per site of the working ion; N counts working ions.

mod branch;
mod diagram;
mod isotherm;
mod low_temperature;

pub use branch::{Anchor, Branch, BranchSettings, from_infinite_temperature};
pub use diagram::{Diagram, DiagramSettings, trace};
pub use isotherm::{Boundary, Isotherm, isotherm};
pub use low_temperature::{LowTemperature, PhaseSeed};
