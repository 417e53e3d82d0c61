//! Numerical building blocks on plain `f64`: dense solves, monotone interpolation, counter-based random streams, and
//! statistics of correlated series. No units here; callers say theirs.

pub mod blocks;
mod cpu_time;
pub mod dense;
pub mod interpolation;
pub mod nonnegative;
pub mod philox;
pub mod reweighting;
pub mod spline;
pub mod statistics;

pub use blocks::Blocks;
pub use cpu_time::cpu_seconds;
pub use dense::{Cholesky, DenseError, Matrix};
pub use interpolation::{InterpolationError, Pchip};
pub use nonnegative::{least_distance, nonnegative_least_squares};
pub use philox::{Philox, philox4x32};
pub use reweighting::{Combination, ReweightedPoint, Reweighting, ReweightingError, SampledState};
pub use spline::CubicSpline;
pub use statistics::{BlockedMean, blocked_mean, mean, ordered_sum, variance};
