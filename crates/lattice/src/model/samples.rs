//! Single configurations kept from a run, for reweighting.

use super::multispin::Observed;
use super::recorder::PointSummary;
use scalade_numerics::{mean, variance};
use serde::{Deserialize, Serialize};

/// [E, N] of single configurations of a run, after its transient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    /// Total energy and number of occupied sites.
    pub values: Vec<[f64; 2]>,
    /// Statistical inefficiency g >= 1: the mean of all has the variance of the mean of one in g of them.
    pub inefficiency: f64,
}

/// Evenly thinned records of bounded number.
#[derive(Clone, Debug)]
pub(super) struct Thinned {
    replicas: usize,
    most: usize,
    stride: u64,
    record: u64,
    /// The replicas of one kept record after the other.
    values: Vec<[f64; 2]>,
}

impl Thinned {
    /// Keeps between half of `most` and `most` configurations of a long run; at least one record of all replicas.
    pub(super) fn new(replicas: usize, most: usize) -> Self {
        Self { replicas, most: most.max(2 * replicas), stride: 1, record: 0, values: Vec::new() }
    }

    /// Takes the configurations at the end of a record.
    pub(super) fn take(&mut self, observed: &[Observed]) {
        if self.record.is_multiple_of(self.stride) {
            self.values.extend(observed.iter().map(|o| [o.energy, o.occupied]));
            if self.values.len() > self.most {
                let rows = self.values.chunks_exact(self.replicas).step_by(2);
                self.values = rows.flatten().copied().collect();
                self.stride *= 2;
            }
        }
        self.record += 1;
    }

    /// What was kept after the transient that the summary found. The inefficiency follows from the standard errors of
    /// the summary, which are those of all n records: G = (standard error)^2 n / variance. For correlations that decay
    /// as exp(-t/L) between records, G = coth(1/(2L)), and every s-th record has coth(s/(2L)). Records that are
    /// averages over their time have (for L well above one) G = 2L instead, with coth(s/(2L)) for the configurations at their ends as before.
    /// The larger one of energy and number counts.
    pub(super) fn after(&self, summary: &PointSummary, sites: f64, averaged: bool) -> Samples {
        let skipped = summary.discarded.div_ceil(self.stride) as usize * self.replicas;
        let values = self.values.get(skipped..).unwrap_or_default().to_vec();
        let errors = [summary.energy.error * sites, summary.concentration.error * sites];
        let records = (summary.kept as usize * self.replicas) as f64;
        let inefficiency = |which: usize| {
            let column: Vec<f64> = values.iter().map(|v| v[which]).collect();
            let about = mean(&column);
            let spread = if column.len() > 1 { variance(&column) } else { 0.0 };
            // Equal values up to rounding have no correlation to speak of.
            if spread <= (1e-12 * about).powi(2) {
                return 1.0;
            }
            let full = errors[which].powi(2) * records / spread;
            let inverse = if averaged {
                1.0 / full
            } else if full > 1.0 {
                (1.0 / full).atanh()
            } else {
                return 1.0;
            };
            1.0 / (self.stride as f64 * inverse).tanh()
        };
        let inefficiency = inefficiency(0).max(inefficiency(1)).max(1.0);
        Samples { values, inefficiency }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_evenly_spaced_records_and_drops_the_transient() {
        let mut thinned = Thinned::new(2, 8);
        for record in 0..37 {
            let at = |r: usize| Observed { energy: f64::from(record), occupied: r as f64 };
            thinned.take(&[at(0), at(1)]);
        }
        let summary = PointSummary { discarded: 9, ..PointSummary::default() };
        let of = |summary: &PointSummary| -> Vec<f64> {
            thinned.after(summary, 1.0, false).values.iter().step_by(2).map(|v| v[0]).collect()
        };
        assert_eq!(of(&PointSummary::default()), [0.0, 16.0, 32.0]);
        assert_eq!(of(&summary), [16.0, 32.0]);
        assert_eq!(thinned.after(&summary, 1.0, false).values[1], [16.0, 1.0]);
    }

    #[test]
    fn inefficiency_of_thinned_samples_is_that_of_their_correlations() {
        // Gaussian AR(1): means of every 4th value scatter by (1 + phi^4)/(1 - phi^4), whatever all of them do.
        let phi: f64 = 0.7;
        let kept = 1 << 12;
        let summary = |thinned: &Thinned, error: f64| {
            let estimate = crate::Estimate { value: 0.0, error };
            let of = PointSummary { energy: estimate, kept, ..PointSummary::default() };
            thinned.after(&of, 1.0, false)
        };
        let mut rng = scalade_numerics::Philox::new(3, 0, 0);
        let mut thinned = Thinned::new(1, 1 << 10);
        let mut x = rng.normal();
        for _ in 0..kept {
            x = phi * x + (1.0 - phi * phi).sqrt() * rng.normal();
            thinned.take(&[Observed { energy: x, occupied: 0.0 }]);
        }
        let g = |step: i32| (1.0 + phi.powi(step)) / (1.0 - phi.powi(step));
        let found = summary(&thinned, (g(1) / kept as f64).sqrt());
        assert_eq!(found.values.len(), 1 << 10);
        // The variance is estimated, from 1000 values.
        assert!((found.inefficiency / g(4) - 1.0).abs() < 0.1, "{} {}", found.inefficiency, g(4));
        assert_eq!(summary(&thinned, 0.0).inefficiency, 1.0);
    }
}
