//! Averages, fluctuations and their errors from replicas that are sampled side by side.

use super::multispin::Observed;
use super::samples::{Samples, Thinned};
use crate::{Estimate, transient};
use scalade_numerics::{BlockedMean, Blocks, blocked_mean, mean, variance};
use serde::{Deserialize, Serialize};

/// Blocks kept; when there are more, neighbours are joined.
const MOST_BLOCKS: usize = 2048;
/// Replicas from which on their spread is an error estimate of its own.
const MANY_REPLICAS: usize = 8;

/// Moments of a block: E, N, E^2, EN, N^2 about the shift, |m|, m^2, m^4.
type Moments = [f64; MOMENTS];
const MOMENTS: usize = 8;

/// What a run at fixed conditions tells, per site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PointSummary {
    /// Mean N.
    pub concentration: Estimate,
    /// Mean E.
    pub energy: Estimate,
    /// var(E - mu N)/(kT)^2, in units of k.
    pub heat_capacity: Estimate,
    /// var(N).
    pub variance: Estimate,
    /// Mean of |2N/sites - 1|.
    pub absolute_magnetisation: Estimate,
    /// 1 - <m^4>/(3 <m^2>^2), m = 2N/sites - 1.
    pub binder_cumulant: Estimate,
    /// Integrated autocorrelation time of the energy of one replica, in records (1/2 if uncorrelated).
    pub autocorrelation_time: f64,
    /// Records kept of each replica.
    pub kept: u64,
    /// Records cut off at the beginning.
    pub discarded: u64,
    /// Independent replicas.
    pub replicas: usize,
    /// Whether the transient ended before the middle of the run.
    pub equilibrated: bool,
    /// Whether blocking reached its plateau for energy and concentration.
    pub plateau: bool,
}

/// Collects the replicas' observables record by record in blocks of bounded number.
#[derive(Clone, Debug)]
pub struct Recorder {
    sites: f64,
    replicas: usize,
    shift: Observed,
    /// Moments, then E and N of each replica.
    blocks: Blocks,
    /// Sums over the replicas of the record in progress.
    sums: Moments,
    shifted: bool,
    /// The replicas as last seen.
    last: Vec<Observed>,
    /// Whether records are averages over their time.
    averaged: bool,
    thinned: Option<Thinned>,
}

impl Recorder {
    /// A recorder for `replicas` boxes.
    pub fn new(sites: usize, replicas: usize) -> Self {
        Self {
            sites: sites as f64,
            replicas,
            shift: Observed::default(),
            blocks: Blocks::new(MOMENTS + 2 * replicas, MOST_BLOCKS),
            sums: [0.0; MOMENTS],
            shifted: false,
            last: vec![Observed::default(); replicas],
            averaged: false,
            thinned: None,
        }
    }

    /// The same that also keeps up to `most` single configurations (0: none).
    #[must_use]
    pub fn keeping(mut self, most: usize) -> Self {
        self.thinned = (most > 0).then(|| Thinned::new(self.replicas, most));
        self
    }

    /// The configurations kept after the transient that a summary of this recorder found.
    pub fn samples(&self, summary: &PointSummary) -> Option<Samples> {
        self.thinned.as_ref().map(|t| t.after(summary, self.sites, self.averaged))
    }

    /// Records so far.
    pub fn records(&self) -> u64 {
        self.blocks.records()
    }

    /// Adds one record: an entry per replica.
    pub fn add(&mut self, observed: &[Observed]) {
        if self.records() == 0 {
            let n = observed.len().max(1) as f64;
            self.shift = Observed {
                energy: (observed.iter().map(|o| o.energy).sum::<f64>() / n).round(),
                occupied: (observed.iter().map(|o| o.occupied).sum::<f64>() / n).round(),
            };
            self.shifted = true;
        }
        for (replica, o) in observed.iter().enumerate() {
            self.add_share(replica, *o, 1.0);
        }
        self.end_record();
    }

    /// Adds a part of a record of one replica; the shares of each replica add up to 1. The part that comes last is the configuration at the end of the
    /// record, which is the one that may be kept.
    pub fn add_share(&mut self, replica: usize, o: Observed, share: f64) {
        if !self.shifted {
            self.shift = Observed { energy: o.energy.round(), occupied: o.occupied };
            self.shifted = true;
        }
        let (e, n) = (o.energy - self.shift.energy, o.occupied - self.shift.occupied);
        let m = 2.0 * o.occupied / self.sites - 1.0;
        let terms = [e, n, e * e, e * n, n * n, m.abs(), m * m, m * m * m * m];
        for (sum, term) in self.sums.iter_mut().zip(terms) {
            *sum += share * term;
        }
        let lane = &mut self.blocks.open()[MOMENTS + 2 * replica..];
        lane[0] += share * e;
        lane[1] += share * n;
        self.averaged |= share < 1.0;
        self.last[replica] = o;
    }

    /// Ends a record.
    pub fn end_record(&mut self) {
        for (open, sum) in self.blocks.open().iter_mut().zip(self.sums) {
            *open += sum / self.replicas as f64;
        }
        self.sums = [0.0; MOMENTS];
        self.blocks.end_record();
        if let Some(thinned) = &mut self.thinned {
            thinned.take(&self.last);
        }
    }

    /// Standard error of the mean over replicas, if there are enough of them.
    fn spread(&self, from: usize, which: usize) -> f64 {
        if self.replicas < MANY_REPLICAS {
            return 0.0;
        }
        let lane = |r: usize| self.blocks.column(from, |b| b[MOMENTS + 2 * r + which]);
        let means: Vec<f64> = (0..self.replicas).map(|r| mean(&lane(r))).collect();
        (variance(&means) / self.replicas as f64).sqrt()
    }

    /// The summary of what was recorded after its transient; `None` below 16 blocks.
    pub fn summary(&self, kt: f64, mu: f64) -> Option<PointSummary> {
        if self.blocks.len() < 16 {
            return None;
        }
        let cut =
            transient(&self.blocks.column(0, |b| b[0])).max(transient(&self.blocks.column(0, |b| b[1])));
        let kept = (self.blocks.len() - cut) as u64 * self.blocks.block();
        let means: Moments = std::array::from_fn(|i| mean(&self.blocks.column(cut, |b| b[i])));
        let [e, n, ee, en, nn, m, mm, mmmm] = means;
        let of_e = blocked_mean(&self.blocks.column(cut, |b| b[0]));
        let of_n = blocked_mean(&self.blocks.column(cut, |b| b[1]));
        // Replicas that do not mix show in their spread, slow modes of all of them in the blocks: the larger counts.
        let error = |blocked: &BlockedMean, which| blocked.standard_error.max(self.spread(cut, which));
        let (error_e, error_n) = (error(&of_e, 0), error(&of_n, 1));
        // Error of a function of the means: that of the series of its linearisation.
        let linear = |of: &dyn Fn(&[f64]) -> f64| blocked_mean(&self.blocks.column(cut, of)).standard_error;
        let (size, kt2) = (self.sites, kt * kt);
        let var_e = (ee - e * e).max(0.0);
        let var_n = (nn - n * n).max(0.0) + error_n * error_n;
        let grand = e - mu * n;
        let second = ee - 2.0 * mu * en + mu * mu * nn;
        let grand_error = linear(&|b| b[0] - mu * b[1]);
        let var_grand = (second - grand * grand).max(0.0) + grand_error * grand_error;
        let error_grand =
            linear(&|b| b[2] - 2.0 * mu * b[3] + mu * mu * b[4] - 2.0 * grand * (b[0] - mu * b[1]));
        let error_var_n = linear(&|b| b[4] - 2.0 * n * b[1]);
        let binder_error = linear(&|b| b[7] / (3.0 * mm * mm) - 2.0 * mmmm * b[6] / (3.0 * mm * mm * mm));
        let per_site = |value: f64, error: f64| Estimate { value: value / size, error: error / size };
        let single = var_e / (self.replicas as f64 * kept as f64);
        Some(PointSummary {
            concentration: per_site(self.shift.occupied + n, error_n),
            energy: per_site(self.shift.energy + e, error_e),
            heat_capacity: per_site(var_grand / kt2, error_grand / kt2),
            variance: per_site(var_n, error_var_n),
            absolute_magnetisation: Estimate { value: m, error: linear(&|b| b[5]) },
            binder_cumulant: Estimate { value: 1.0 - mmmm / (3.0 * mm * mm), error: binder_error },
            autocorrelation_time: if single > 0.0 {
                (0.5 * error_e * error_e / single).max(0.5)
            } else {
                0.5
            },
            kept,
            discarded: cut as u64 * self.blocks.block(),
            replicas: self.replicas,
            equilibrated: cut * 2 < self.blocks.len() - self.blocks.len() / 20,
            plateau: of_e.plateau && of_n.plateau,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scalade_numerics::Philox;

    #[test]
    fn errors_are_those_of_correlated_replicas_however_long_the_run() {
        // Gaussian AR(1) energies: mean 3, variance 1/(1 - phi^2), inefficiency (1 + phi)/(1 - phi).
        let phi: f64 = 0.9;
        let (mut z2, mut c2) = (0.0, 0.0);
        for trial in 0..40 {
            let mut rng = Philox::new(9, 0, trial);
            let mut recorder = Recorder::new(1, 4);
            let mut x: Vec<f64> = (0..4).map(|_| rng.normal() / (1.0 - phi * phi).sqrt()).collect();
            for _ in 0..20_000 {
                for v in &mut x {
                    *v = phi * *v + rng.normal();
                }
                let observed: Vec<Observed> =
                    x.iter().map(|v| Observed { energy: 3.0 + v, occupied: 0.5 }).collect();
                recorder.add(&observed);
            }
            let summary = recorder.summary(1.0, 0.0).unwrap();
            z2 += ((summary.energy.value - 3.0) / summary.energy.error).powi(2) / 40.0;
            let exact = 1.0 / (1.0 - phi * phi);
            c2 += ((summary.heat_capacity.value - exact) / summary.heat_capacity.error).powi(2) / 40.0;
            assert!(
                (summary.autocorrelation_time / 9.5 - 1.0).abs() < 0.5,
                "{}",
                summary.autocorrelation_time
            );
        }
        // chi^2/40 with 40 degrees of freedom: standard deviation 0.22.
        assert!((0.4..1.7).contains(&z2) && (0.4..1.7).contains(&c2), "{z2} {c2}");
    }
}
