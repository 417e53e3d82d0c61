//! Lattice gases with pair energies on any lattice, and the engines that are made for them.

mod equilibrium;
mod model;
mod rejection;
mod transport;

pub use equilibrium::equilibrate_gas;
pub use model::{GasHop, GasModel, MOST_SHELLS, conventional_cell};
pub use rejection::RejectionEngine;
pub use transport::{GasRequest, GasTransport, gas_transport};
