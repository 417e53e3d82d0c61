//! The typed properties that pass between scales. Each is constructed only if it is admissible, evaluates in batches with
//! derivatives, and serialises; reading one back checks it again.

mod diffusivity;
mod domain;
mod electrode;
mod error;
pub mod lattice_energy;
pub mod lattice_hamiltonian;
pub mod local_expansion;
mod local_terms;
pub mod one_ion;
pub mod species_hamiltonian;
mod tensor;
mod thermodynamic_factor;
mod voltage;

pub use diffusivity::{Diffusivity, DiffusivityKind, DiffusivityTable, FactorsAtNodes, Projection, kind};
pub use domain::{DomainUse, OutOfDomain};
pub use electrode::{
    Conductivity, ConductivityTable, EffectiveTransport, EffectiveTransportParts, InsertionKinetics,
    InsertionKineticsParts,
};
pub use error::HandoffError;
pub use lattice_energy::{Bond, LatticeEnergy};
pub use lattice_hamiltonian::{ClusterOrbit, LatticeHamiltonian};
pub use local_expansion::{LocalEvent, LocalExpansion, LocalFrequencies, Parity, SiteMap, SpeciesChange};
pub use species_hamiltonian::{FunctionOrbit, SiteFactor, SpeciesHamiltonian, SpeciesSite, VACANT};
pub use tensor::SymmetricTensor;
pub use thermodynamic_factor::{ThermodynamicFactor, ThermodynamicFactorTable};
pub use voltage::{OpenCircuitVoltage, VoltageMember, VoltageTable};
