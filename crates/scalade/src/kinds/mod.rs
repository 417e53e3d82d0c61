//! Every model as a kind of step.

mod barriers;
mod cell;
mod diffusion;
mod expand;
mod hop;
mod jobs;
mod montecarlo;
mod phases;
mod voltage;

pub use barriers::fit as fit_barrier_laws;
pub use cell::{CellDetail, CurveBand, RateCurve, VarianceShares};
pub use diffusion::DiffusionDetail;
pub(crate) use diffusion::projection;
pub use expand::{ExpandDetail, cutoffs};
pub use hop::{HopDetail, HopPoint, Ladder, network as hop_network};
pub use montecarlo::ThermoDetail;
pub(crate) use montecarlo::lattice_failure;
pub use phases::{BoundaryPoint, PhaseDetail};

use crate::error::ScaladeError;
use scalade_study::{Registry, StepFailure, StudyError};

/// The registry of all kinds.
pub fn registry() -> Result<Registry, StudyError> {
    let mut registry = Registry::new();
    registry.register(voltage::VoltageKind::default())?;
    registry.register(barriers::BarriersKind::default())?;
    registry.register(expand::ExpandKind::default())?;
    registry.register(montecarlo::MonteCarloKind::default())?;
    registry.register(phases::PhasesKind::default())?;
    registry.register(hop::HopKind::default())?;
    registry.register(diffusion::DiffusionKind::default())?;
    registry.register(cell::CellKind::default())?;
    Ok(registry)
}

/// The failure of a step that an error of the facade means.
pub(crate) fn failure(error: ScaladeError) -> StepFailure {
    match error {
        ScaladeError::Input { message } => StepFailure::BadInput { key: None, message },
        ScaladeError::NotConverged { message } => {
            StepFailure::NotConverged { message, partial: Box::default() }
        }
        ScaladeError::Interrupted => StepFailure::Interrupted,
        ScaladeError::Internal { message } => StepFailure::Internal { message },
    }
}

/// Shares of a variance: (name, share of the sum, standard deviation). All shares are zero when nothing varies.
pub(crate) fn fraction_of_variance(parts: &[(String, f64)]) -> Vec<(String, f64, f64)> {
    let sum: f64 = parts.iter().map(|p| p.1).sum();
    let share = |v: f64| if sum > 0.0 { v / sum } else { 0.0 };
    parts.iter().map(|(name, v)| (name.clone(), share(*v), v.sqrt())).collect()
}
