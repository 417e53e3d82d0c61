//! The phase diagram over temperature: isotherms, and more of them where the boundaries end.

use super::branch::BranchSettings;
use super::isotherm::{Isotherm, isotherm};
use super::low_temperature::PhaseSeed;
use crate::LatticeError;
use rayon::prelude::*;
use scalade_crystal::SiteGrid;
use scalade_handoff::{LatticeEnergy, LatticeHamiltonian};
use serde::{Deserialize, Serialize};

/// Most isotherms of a diagram.
const MOST_ISOTHERMS: usize = 1000;

/// What a diagram takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiagramSettings {
    /// Temperatures, K.
    pub temperatures_k: Vec<f64>,
    /// Where the set of boundaries changes between two temperatures, more are put between until they are this close, K; `None` adds none.
    pub resolution_k: Option<f64>,
    /// Budget of the branches.
    pub branch: BranchSettings,
}

/// Isotherms with rising temperature, and the temperatures between which boundaries begin or end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagram {
    /// Isotherms.
    pub isotherms: Vec<Isotherm>,
    /// A pair of phases and the temperatures (K) between which their boundary begins or ends.
    pub ends: Vec<([usize; 2], [f64; 2])>,
    /// Seeds that do not fit the box.
    pub unfit: Vec<usize>,
}

/// Pairs of phases in equilibrium.
fn pairs(isotherm: &Isotherm) -> Vec<[usize; 2]> {
    let mut pairs: Vec<[usize; 2]> = isotherm.boundaries.iter().map(|b| b.phases).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

impl Diagram {
    /// The diagram of isotherms, which are sorted by temperature.
    pub fn new(mut isotherms: Vec<Isotherm>, seeds: &[PhaseSeed], grid: &SiteGrid) -> Self {
        isotherms.sort_by(|a, b| a.temperature_k.total_cmp(&b.temperature_k));
        let ends = isotherms
            .windows(2)
            .flat_map(|w| {
                let (below, above) = (pairs(&w[0]), pairs(&w[1]));
                let between = [w[0].temperature_k, w[1].temperature_k];
                let changed: Vec<[usize; 2]> = below
                    .iter()
                    .filter(|p| !above.contains(p))
                    .chain(above.iter().filter(|p| !below.contains(p)))
                    .copied()
                    .collect();
                changed.into_iter().map(move |p| (p, between))
            })
            .collect();
        let unfit = (0..seeds.len()).filter(|s| seeds[*s].pattern(grid).is_none()).collect();
        Self { isotherms, ends, unfit }
    }
}

/// Isotherms at the temperatures asked for and where boundaries begin or end.
pub fn trace(
    seeds: &[PhaseSeed],
    hamiltonian: &LatticeHamiltonian,
    coefficients_ev: &[f64],
    settings: &DiagramSettings,
) -> Result<Diagram, LatticeError> {
    settings.branch.check()?;
    let grid = SiteGrid::new(settings.branch.dims, hamiltonian.basis_fractional.len())?;
    let energy = LatticeEnergy::new(hamiltonian, coefficients_ev, grid, &[])?;
    if let Some(resolution) = settings.resolution_k {
        LatticeError::require(resolution >= 0.01, "resolution (kelvin)", resolution, "at least 0.01 is due")?;
    }
    let mut temperatures = settings.temperatures_k.clone();
    temperatures.sort_by(f64::total_cmp);
    temperatures.dedup();
    if temperatures.is_empty() {
        return Err(LatticeError::Length { what: "temperatures", expected: 1, got: 0 });
    }
    let mut isotherms: Vec<Isotherm> = Vec::new();
    while !temperatures.is_empty() {
        if isotherms.len() + temperatures.len() > MOST_ISOTHERMS {
            let count = isotherms.len() + temperatures.len();
            return Err(LatticeError::TooMany { what: "isotherms", count, limit: MOST_ISOTHERMS });
        }
        let more = temperatures
            .par_iter()
            .map(|t| isotherm(seeds, &energy, *t, &settings.branch))
            .collect::<Result<Vec<_>, _>>()?;
        isotherms.extend(more);
        isotherms.sort_by(|a, b| a.temperature_k.total_cmp(&b.temperature_k));
        temperatures = match settings.resolution_k {
            None => Vec::new(),
            Some(resolution) => isotherms
                .windows(2)
                .filter(|w| {
                    w[1].temperature_k - w[0].temperature_k > resolution && pairs(&w[0]) != pairs(&w[1])
                })
                .map(|w| 0.5 * (w[0].temperature_k + w[1].temperature_k))
                .collect(),
        };
    }
    Ok(Diagram::new(isotherms, seeds, &grid))
}
