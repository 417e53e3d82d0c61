//! Insertion voltages and convex hulls from first-principles total energies, and what vibrations add to them.
//!
//! A set of calculations of one host with different amounts of a working ion gives, per host formula unit,
//! energies E(x). Their lower
//! convex hull is the ground state; between neighbouring vertices the ion is inserted at constant voltage
//! V = -\[E(x2) - E(x1) - (x2 - x1) E_ref\] / ((x2 - x1) z e)
//! (M. K. Aydinol et al., Phys. Rev. B 56, 1354 (1997)). Energies are in eV, voltages in V against the
//! reference of the ion.
//!
//! ```
//! use scalade_energetics::{ComputedEntry, IonReference, voltage_profile};
//! // GPAW, PBE: bcc Li, LiCoO2, CoO2.
//! let entries = [
//!     ComputedEntry::new("charged", [("Co", 1), ("O", 2)], -17.181656),
//!     ComputedEntry::new("discharged", [("Li", 1), ("Co", 1), ("O", 2)], -22.462356),
//! ];
//! let profile = voltage_profile(&entries, &IonReference::new("Li", -1.904300)?, 1)?;
//! assert_eq!(profile.host_formula, "CoO2");
//! assert!((profile.average_voltage_v - 3.3764).abs() < 1e-6);
//! # Ok::<(), scalade_energetics::EnergeticsError>(())
//! ```

mod composition;
pub mod electronic;
mod error;
mod hull;
pub mod vibration;
mod voltage;

pub use composition::{ComputedEntry, HostPoint, HostSpace, element_of_species, is_vacancy};
pub use error::EnergeticsError;
pub use hull::{ConvexHull, HullPoint};
pub use voltage::{IonReference, Step, VoltageProfile, valence_of, voltage_profile};
