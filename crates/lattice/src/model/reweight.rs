//! One estimate from all points of a semi-grand-canonical run: averages at any conditions that the points overlap with,
//! and the free-energy curves g(x) between them with their covariance.

use super::run::{Condition, SampledPoint};
use crate::{Estimate, LatticeError};
use scalade_numerics::{Combination, Matrix, Reweighting, SampledState};
use serde::{Deserialize, Serialize};

/// Effective number of samples below which neither a reweighted value nor its error is to be trusted.
pub const FEWEST_EFFECTIVE_SAMPLES: f64 = 50.0;

/// Most combinations of conditions and samples, in numbers held.
const MOST_NUMBERS: usize = 1 << 26;

/// Averages at conditions that need not have been sampled, per site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReweightedAverages {
    /// The conditions.
    pub condition: Condition,
    /// Mean N.
    pub concentration: Estimate,
    /// Mean E.
    pub energy: Estimate,
    /// var(E - mu N)/(kT)^2, in units of k.
    pub heat_capacity: f64,
    /// var(N).
    pub variance: f64,
    /// ln Xi less that of the first sampled point.
    pub log_partition: Estimate,
    /// Effective number of samples ([`scalade_numerics::ReweightedPoint::effective_samples`]).
    pub effective_samples: f64,
}

/// The free energy of mixing g(x) = phi + mu x per site at one kT, phi = -kT ln Xi / sites, along the conditions asked
/// for. ln Xi counts from the first sampled point, which shifts a curve by a constant.
#[derive(Clone, Debug, PartialEq)]
pub struct FreeEnergyCurve {
    /// kT.
    pub kt: f64,
    /// Chemical potentials, as asked for.
    pub mu: Vec<f64>,
    /// Mean concentrations there.
    pub concentration: Vec<Estimate>,
    /// g there, in the unit of the energies.
    pub free_energy: Vec<f64>,
    /// Their covariance.
    pub covariance: Matrix,
}

/// What all points of a run tell together.
#[derive(Clone, Debug, PartialEq)]
pub struct Reweighted {
    /// Averages at the conditions asked for, in their order.
    pub points: Vec<ReweightedAverages>,
    /// A curve for each kT among them, in the order in which they come.
    pub curves: Vec<FreeEnergyCurve>,
    /// Configurations that were used.
    pub samples: usize,
}

/// Reweights the samples of all points by the multistate Bennett acceptance ratio ([`Reweighting`]).
///
/// Errors: points without samples ([`super::RunSettings::samples`]), points that do not overlap, and sizes beyond the limits.
pub fn reweight(
    sites: usize,
    sampled: &[SampledPoint],
    at: &[Condition],
) -> Result<Reweighted, LatticeError> {
    let states: Vec<SampledState> = sampled
        .iter()
        .map(|point| {
            let (samples, inefficiency) =
                point.samples.as_ref().map_or((Vec::new(), 1.0), |s| (s.values.clone(), s.inefficiency));
            SampledState {
                beta: 1.0 / point.condition.kt,
                chemical_potential: point.condition.mu,
                samples,
                inefficiency,
            }
        })
        .collect();
    let samples: usize = states.iter().map(|s| s.samples.len()).sum();
    let columns = states.len().max(at.len());
    if samples.saturating_mul(columns) > MOST_NUMBERS {
        let value = (samples as f64) * columns as f64;
        let want = "at most 67108864 are possible; keep fewer samples or ask for fewer points";
        return Err(LatticeError::Setting { name: "samples times points of the reweighting", value, want });
    }
    let all = Reweighting::new(&states).map_err(|e| LatticeError::Reweighting(Box::new(e)))?;
    let size = sites as f64;
    let per_site = |(value, error): (f64, f64)| Estimate { value: value / size, error: error / size };
    let points: Vec<ReweightedAverages> = at
        .iter()
        .map(|condition| {
            let p = all.at(1.0 / condition.kt, condition.mu);
            let grand = p.energy_variance - 2.0 * condition.mu * p.covariance
                + condition.mu.powi(2) * p.number_variance;
            let (f, error) = p.free_energy;
            ReweightedAverages {
                condition: *condition,
                concentration: per_site(p.number),
                energy: per_site(p.energy),
                heat_capacity: grand / (condition.kt.powi(2) * size),
                variance: p.number_variance / size,
                log_partition: per_site((-f, error)),
                effective_samples: p.effective_samples,
            }
        })
        .collect();
    let curves = curves(&all, &points, size);
    Ok(Reweighted { points, curves, samples })
}

fn curves(all: &Reweighting, points: &[ReweightedAverages], size: f64) -> Vec<FreeEnergyCurve> {
    let mut temperatures: Vec<f64> = Vec::new();
    for point in points {
        if !temperatures.contains(&point.condition.kt) {
            temperatures.push(point.condition.kt);
        }
    }
    temperatures
        .into_iter()
        .map(|kt| {
            let of: Vec<&ReweightedAverages> = points.iter().filter(|p| p.condition.kt == kt).collect();
            let mu: Vec<f64> = of.iter().map(|p| p.condition.mu).collect();
            let combinations: Vec<Combination> = mu
                .iter()
                .map(|mu| Combination {
                    beta: 1.0 / kt,
                    chemical_potential: *mu,
                    coefficients: [kt / size, 0.0, mu / size],
                })
                .collect();
            let (free_energy, covariance) = all.combinations(&combinations);
            let concentration = of.iter().map(|p| p.concentration).collect();
            FreeEnergyCurve { kt, mu, concentration, free_energy, covariance }
        })
        .collect()
}
