//! Exact sums: enumeration of small boxes, transfer matrices for rings, Kaufman's solution of the square Ising torus.

mod enumeration;
mod kaufman;
mod ring;

pub use enumeration::{Levels, MOST_STATES_LOG2};
pub use kaufman::{KaufmanPoint, kaufman};
pub use ring::{MOST_RING_SHELLS, ring};

use serde::{Deserialize, Serialize};

/// Exact averages of a box at one (T, mu).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExactAverages {
    /// ln sum exp(-(E - mu N)/kT) per site.
    pub log_partition: f64,
    /// Mean N per site.
    pub concentration: f64,
    /// Mean E per site.
    pub energy: f64,
    /// var(E - mu N)/(kT)^2 per site, in units of k.
    pub heat_capacity: f64,
    /// var(N) per site.
    pub variance: f64,
    /// Mean of |2N/sites - 1|, where the method gives it.
    pub absolute_magnetisation: Option<f64>,
    /// Binder's cumulant 1 - <m^4>/(3 <m^2>^2) with m = 2N/sites - 1, where the method gives it.
    pub binder_cumulant: Option<f64>,
}
