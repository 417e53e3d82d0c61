//! Averages and fluctuations of a semi-grand-canonical run, with standard errors that respect its correlation.

use crate::metropolis::{BOLTZMANN_EV_PER_K, Series};
use crate::{LatticeError, Metropolis};
use scalade_numerics::{blocked_mean, mean};
use serde::{Deserialize, Serialize};

/// An estimate with its standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Value.
    pub value: f64,
    /// Standard error.
    pub error: f64,
}

/// What one run at fixed (T, mu) tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PointStatistics {
    /// Chemical potential of the working ion, eV.
    pub chemical_potential_ev: f64,
    /// Temperature, kelvin.
    pub temperature_k: f64,
    /// Sites of the box.
    pub sites: usize,
    /// Mean occupation of a site, x = mean N over sites.
    pub x: Estimate,
    /// Mean energy per site, eV.
    pub energy_ev: Estimate,
    /// var(N)/sites = kT dx/dmu.
    pub variance: Estimate,
    /// cov(N, E)/var(N) = (dE/dN)_T of the means, the partial energy of the working ion, eV.
    pub partial_energy_ev: Estimate,
    /// Thermodynamic factor d(mu/kT)/d ln x = (mean N)/var(N).
    pub thermodynamic_factor: Estimate,
    /// Heat capacity at constant chemical potential, var(E - mu N)/(k T^2) per site, in units of k.
    pub heat_capacity_mu: Estimate,
    /// Heat capacity at constant composition, (var E - cov(N, E)^2/var N)/(k T^2) per site, in units of k.
    pub heat_capacity_x: f64,
    /// Statistical inefficiency of N in sweeps (the larger of N and E).
    pub inefficiency: f64,
    /// Sweeps kept.
    pub kept: usize,
    /// Sweeps left out at the beginning.
    pub discarded: usize,
    /// False if the best cut lies at the middle of the run, so that it may still be drifting.
    pub equilibrated: bool,
    /// Accepted over all trials.
    pub acceptance: f64,
}

impl PointStatistics {
    /// (dmu/dT) at constant x, eV/K: -cov(N, E - mu N)/(T var N) = (mu - dE/dN)/T.
    ///
    /// With weights exp(-(E - mu N)/kT): (dN/dmu)_T = var(N)/kT and (dN/dT)_mu = cov(N, E - mu N)/(k T^2); the ratio with a minus
    /// sign is the derivative of mu along constant N.
    pub fn chemical_potential_slope_ev_per_k(&self) -> f64 {
        (self.chemical_potential_ev - self.partial_energy_ev.value) / self.temperature_k
    }
}

/// Length of the initial transient: the cut d up to half the series for which the squared error of the mean of what is left, sum (y - mean)^2/(n - d)^2,
/// is least (K. P. White, Simulation 69, 323 (1997)), sought at steps of 1/40 of the series.
pub fn transient(series: &[f64]) -> usize {
    let n = series.len();
    let step = (n / 40).max(1);
    let origin = series.last().copied().unwrap_or(0.0);
    let (mut sum, mut squares, mut best) = (0.0, 0.0, (f64::INFINITY, 0));
    for start in (0..n).rev() {
        let value = series[start] - origin;
        sum += value;
        squares += value * value;
        let left = (n - start) as f64;
        if start * 2 <= n && start % step == 0 {
            let score = (squares - sum * sum / left).max(0.0) / (left * left);
            if score <= best.0 {
                best = (score, start);
            }
        }
    }
    best.1
}

/// Statistics of a series after its transient has been cut off. `acceptance` is passed through.
pub fn point_statistics(
    series: &Series,
    sites: usize,
    temperature_k: f64,
    chemical_potential_ev: f64,
    acceptance: f64,
) -> Result<PointStatistics, LatticeError> {
    let total = series.occupied.len();
    if total < 8 || series.energy_ev.len() != total {
        return Err(LatticeError::Length { what: "sweeps of a run", expected: 8, got: total });
    }
    let discarded = transient(&series.occupied).max(transient(&series.energy_ev));
    let (n, e) = (&series.occupied[discarded..], &series.energy_ev[discarded..]);
    let (mean_n, mean_e) = (mean(n), mean(e));
    let (of_n, of_e) = (blocked_mean(n), blocked_mean(e));
    let size = sites as f64;
    let dn: Vec<f64> = n.iter().map(|v| v - mean_n).collect();
    let de: Vec<f64> = e.iter().map(|v| v - mean_e).collect();
    let products = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(p, q)| p * q).collect() };
    let inefficiency = of_n.inefficiency.max(of_e.inefficiency);
    // The mean is estimated from the same series: fluctuations about it miss the variance of the mean.
    let correction = 1.0 / (1.0 - (inefficiency / n.len() as f64).min(0.5));
    let var_n = blocked_mean(&products(&dn, &dn));
    let variance =
        Estimate { value: correction * var_n.mean / size, error: correction * var_n.standard_error / size };
    let covariance = mean(&products(&dn, &de));
    let slope = if var_n.mean > 0.0 { covariance / var_n.mean } else { 0.0 };
    // Error of a ratio of means: that of the residual dN (dE - slope dN) over the denominator.
    let residual: Vec<f64> = dn.iter().zip(&de).map(|(a, b)| a * (b - slope * a)).collect();
    let slope_error =
        if var_n.mean > 0.0 { blocked_mean(&residual).standard_error / var_n.mean } else { f64::INFINITY };
    let grand: Vec<f64> = dn.iter().zip(&de).map(|(a, b)| b - chemical_potential_ev * a).collect();
    let of_grand = blocked_mean(&products(&grand, &grand));
    let scale = correction / ((BOLTZMANN_EV_PER_K * temperature_k).powi(2) * size);
    let var_e = mean(&products(&de, &de));
    let factor = if variance.value > 0.0 { mean_n / size / variance.value } else { f64::INFINITY };
    Ok(PointStatistics {
        chemical_potential_ev,
        temperature_k,
        sites,
        x: Estimate { value: mean_n / size, error: of_n.standard_error / size },
        energy_ev: Estimate { value: mean_e / size, error: of_e.standard_error / size },
        variance,
        partial_energy_ev: Estimate { value: slope, error: slope_error },
        thermodynamic_factor: Estimate { value: factor, error: factor * variance.error / variance.value },
        heat_capacity_mu: Estimate { value: scale * of_grand.mean, error: scale * of_grand.standard_error },
        heat_capacity_x: scale * (var_e - slope * covariance).max(0.0),
        inefficiency,
        kept: n.len(),
        discarded,
        equilibrated: discarded * 2 < total - total / 20,
        acceptance,
    })
}

/// Runs a chain at one (T, mu): `equilibration` sweeps unrecorded, then `sweeps` recorded ones, from which the transient is cut.
/// Fails if the energy increments drifted by more than 1e-9 eV per site.
pub fn sample_point(
    chain: &mut Metropolis,
    temperature_k: f64,
    chemical_potential_ev: f64,
    equilibration: usize,
    sweeps: usize,
    series: &mut Series,
) -> Result<PointStatistics, LatticeError> {
    series.occupied.clear();
    series.energy_ev.clear();
    chain.record(temperature_k, chemical_potential_ev, equilibration, series)?;
    series.occupied.clear();
    series.energy_ev.clear();
    let before = chain.counts();
    chain.record(temperature_k, chemical_potential_ev, sweeps, series)?;
    let after = chain.counts();
    let sites = chain.energy().grid().sites();
    let drift_ev_per_site = chain.recompute() / sites as f64;
    let limit = 1e-9;
    let steady = drift_ev_per_site.abs() <= limit;
    if !steady {
        return Err(LatticeError::Drift { drift_ev_per_site, limit, chemical_potential_ev });
    }
    let acceptance = (after.1 - before.1) as f64 / (after.0 - before.0).max(1) as f64;
    point_statistics(series, sites, temperature_k, chemical_potential_ev, acceptance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use scalade_numerics::Philox;

    #[test]
    fn a_transient_is_cut_and_a_stationary_series_is_kept() {
        let mut rng = Philox::new(3, 0, 0);
        let stationary: Vec<f64> = (0..2000).map(|_| rng.normal()).collect();
        assert!(transient(&stationary) < 500);
        let decaying: Vec<f64> =
            (0..2000).map(|t| 50.0 * (-f64::from(t) / 60.0).exp() + rng.normal()).collect();
        let cut = transient(&decaying);
        assert!((150..700).contains(&cut), "{cut}");
        assert_eq!(transient(&[]), 0);
    }

    #[test]
    fn short_series_are_refused() {
        let series = Series { occupied: vec![0.0; 3], energy_ev: vec![0.0; 3] };
        assert!(point_statistics(&series, 10, 300.0, 0.0, 0.0).is_err());
    }
}
