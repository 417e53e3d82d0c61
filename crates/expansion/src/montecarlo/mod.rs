//! Monte Carlo of several species: energies of changes, moves that keep what is to be kept, averages with errors, and the exact sums they are held to.

mod compiled;
mod coulomb;
mod energy;
mod exact;
mod moves;
mod recorder;
mod run;
mod start;

pub use energy::SpeciesEnergy;
pub use exact::{ExactSpeciesPoint, exact_point};
pub use moves::{MoveRules, Reservoir};
pub use run::{SpeciesPoint, SpeciesRunSettings, SublatticeOccupancy, sample_species};
pub use start::{arrange_composition, tile};
