//! Lattice gases with pair energies on any lattice, and the engines that are made for them.

mod checkpoint;
mod engine;
mod equilibrium;
mod events;
mod model;
mod rejection;
pub(crate) mod selector;
mod state;
mod transport;

pub use crate::checkpoint::Resumed;
pub use engine::{GasEngine, Selection};
pub use equilibrium::equilibrate_gas;
pub use model::{GasHop, GasModel, MOST_SHELLS, conventional_cell};
pub use transport::{GasRequest, GasTransport, gas_transport, gas_transport_resumable};
