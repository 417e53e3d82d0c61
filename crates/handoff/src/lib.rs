//! The typed properties that pass between scales. Each is constructed only if it is admissible, evaluates in batches with
//! derivatives, and serialises.

mod error;
pub mod lattice_energy;
pub mod lattice_hamiltonian;

pub use error::HandoffError;
pub use lattice_energy::{Bond, LatticeEnergy};
pub use lattice_hamiltonian::{ClusterOrbit, LatticeHamiltonian};
