//! Hop barriers, kinetic Monte Carlo and diffusivities. Energies are in eV, lengths in angstrom, times in seconds;
//! diffusivities leave the crate in m2/s.

mod arrhenius;
pub mod barrier;
mod checkpoint;
mod compile;
pub mod dilute;
pub mod engine;
pub mod equilibrium;
mod error;
pub mod fast;
pub mod gas;
mod local_network;
pub mod network;
pub mod oracle;
pub mod rates;
pub mod sampling;
pub mod species;
pub mod synthetic;
pub mod trajectory;
pub mod transport;
mod verdict;
pub mod vineyard;

pub use arrhenius::{Arrhenius, TensorWithError, arrhenius, chemical_diffusivity};
pub use barrier::{BarrierRow, KraFit, LawFit, LawForm, fit_barriers};
pub use checkpoint::Resumed;
pub use engine::{Attempt, Engine, ReferenceEngine, Tracked};
pub use equilibrium::{Equilibration, equilibrate, random_occupation};
pub use error::HoppingError;
pub use fast::FastEngine;
pub use local_network::{BondActivation, EventKind};
pub use network::{GridNetwork, HopBond, HopNetwork, HopShell};
pub use oracle::{ExactTransport, Follow, exact_gas_transport, exact_transport};
pub use rates::{
    ASSUMED_PREFACTOR_HZ, BarrierLaw, KraModel, LocalBarrier, Mechanism, Paths, RateParameters,
    audit_detailed_balance, bond_rate,
};
pub use trajectory::Trajectory;
pub use transport::{
    Budget, Progress, TransportPoint, TransportRequest, transport_point, transport_to_error,
    transport_to_error_resumable,
};
pub use verdict::{Diffusivity, WithError};
