//! Lattice models with pair energies: exact sums and Monte Carlo to a wanted precision.
//!
//! A [`PairModel`] is a lattice in a periodic box with one energy per neighbour shell. Energies, chemical potentials and kT are in one
//! unit, whichever it is: the code sees kT, never a temperature in kelvin. N is the number of occupied sites (spin +1 = occupied), in either
//! basis of variables:
//!
//! - spins: E = sum_k pairs\[k\] sum_(bonds of shell k) s s', each bond once (so a ferromagnet has negative pairs);
//! - occupations: E = sum_k pairs\[k\] sum_(bonds of shell k) n n'.
//!
//! The semi-grand-canonical weight is exp(-(E - mu N)/kT). Heat capacities are (<(E - mu N)^2> - <E - mu N>^2)/(kT)^2 per site, in units of k.
//!
//! Bonds are counted by vector: in a box so narrow that two vectors lead to the same site, that bond counts twice, and a site that meets
//! itself has a bond with itself ([`PairModel::warnings`] says so).
//!
//! ```
//! use scalade_crystal::NamedLattice;
//! use scalade_lattice::model::{PairModel, Variables, exact::Levels};
//!
//! // The 4 x 4 Ising model at T = 3: u = -1.017069627 (Kaufman).
//! let model = PairModel::named(NamedLattice::Square, &[4, 4], Variables::Spin, &[-1.0])?;
//! let point = Levels::enumerate(&model)?.at(3.0, 0.0);
//! assert!((point.energy - -1.017069627).abs() < 1e-9);
//! # Ok::<(), scalade_lattice::LatticeError>(())
//! ```

mod conditional_law;
mod counted;
mod definition;
pub mod exact;
mod exchange;
mod flat_histogram;
mod local;
mod multispin;
mod recorder;
mod rejection_free;
mod reweight;
mod run;
mod samples;
mod stencil;
mod wolff;

pub use counted::{Counted, Seen, SpinExpansion};
pub use definition::{PairModel, Shell, Variables};
pub use flat_histogram::{FlatHistogram, ReweightedPoint, StateDensity, flat_histogram};
pub use local::{Chains, Configuration, Law, PairConfiguration, PairTables, ScratchConfiguration};
pub use multispin::{Multispin, Observed};
pub use recorder::{PointSummary, Recorder};
pub use rejection_free::RejectionFree;
pub use reweight::{FEWEST_EFFECTIVE_SAMPLES, FreeEnergyCurve, Reweighted, ReweightedAverages, reweight};
pub use run::{
    Algorithm, Condition, RunSettings, SampledPoint, hot, sample, sample_canonical, sample_chains,
    sample_counted, sample_laws,
};
pub use samples::Samples;
pub use stencil::Stencil;
pub use wolff::Wolff;
