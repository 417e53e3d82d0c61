//! Replica exchange between the points of a run.

use super::Counted;
use super::multispin::{Multispin, Observed};
use super::run::{Algorithm, Condition, Ended, HeatBath, Progress, RunSettings, SampledPoint, finished};
use crate::LatticeError;
use crate::metropolis::{Words, accepts, open_uniform};
use rayon::prelude::*;

/// Stream of the random numbers that decide on exchanges.
const STREAM_EXCHANGE: u32 = 0x6d20;

/// Samples all conditions in step. After every sweep, points that follow one another (by kT, and by mu up and down in turns) may exchange the
/// configurations of each replica, with probability min(1, exp((1/kT - 1/kT')(E - E') - (mu/kT - mu'/kT')(N - N')))
/// (K. Hukushima and K. Nemoto, J. Phys. Soc. Jpn. 65, 1604 (1996)). All points run until the last has its precision.
pub(super) fn sample_exchanging<M: Counted>(
    model: &M,
    conditions: &[Condition],
    settings: &RunSettings,
) -> Result<Vec<SampledPoint>, LatticeError> {
    if !Multispin::suits(model) || !matches!(settings.algorithm, Algorithm::Auto | Algorithm::HeatBath) {
        return Err(LatticeError::Setting {
            name: "replica exchange",
            value: 1.0,
            want: "it works with the heat bath, for models with at most 96 bits of cluster counts and 256 neighbours; leave out the algorithm or the exchange",
        });
    }
    let order = snake(conditions);
    let mut walkers = order
        .par_iter()
        .map(|i| HeatBath::new(model, conditions[*i], settings.seed, *i as u32))
        .collect::<Result<Vec<_>, _>>()?;
    let replicas = walkers[0].kernel.replicas();
    let mut progress: Vec<Progress> = order
        .iter()
        .map(|_| Progress::new(model.sites(), replicas, walkers[0].kernel.cost(), settings))
        .collect();
    let mut observed: Vec<Vec<Observed>> = vec![Vec::new(); order.len()];
    let mut random = Words::new(settings.seed, STREAM_EXCHANGE, 0);
    let mut ladder = Ladder::new(order.iter().map(|i| conditions[*i]).collect());
    let mut ends: Vec<Option<Ended>> = order.iter().map(|_| None).collect();
    let mut round = 0;
    loop {
        let moves: Vec<u64> = walkers.par_iter_mut().zip(&mut observed).map(|(w, o)| w.advance(o)).collect();
        for (p, seen) in observed.iter().enumerate() {
            if let Some(end) = progress[p].take(seen, moves[p], conditions[order[p]], settings) {
                ends[p] = Some(end);
            } else if progress[p].looked() {
                ends[p] = None;
            }
        }
        let out = ends.iter().any(|e| matches!(e, Some(Ended::OutOfMoves)));
        if out || ends.iter().all(Option::is_some) {
            break;
        }
        ladder.exchange(&mut walkers, &mut observed, &mut random, round % 2);
        round += 1;
    }
    let mut points: Vec<(usize, SampledPoint)> = Vec::new();
    for (p, (progress, end)) in progress.into_iter().zip(ends).enumerate() {
        let end = end.unwrap_or(Ended::OutOfMoves);
        let acceptance = Some(walkers[p].kernel.acceptance());
        let mut point = finished(progress, &end, conditions[order[p]], Algorithm::HeatBath, acceptance);
        point.exchange_acceptance = ladder.acceptance(p);
        points.push((order[p], point));
    }
    points.sort_by_key(|p| p.0);
    Ok(points.into_iter().map(|p| p.1).collect())
}

/// The points by kT, and by mu upwards and downwards in turns, so that points that follow one another differ in one of both.
fn snake(conditions: &[Condition]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..conditions.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (conditions[*a], conditions[*b]);
        a.kt.total_cmp(&b.kt).then(a.mu.total_cmp(&b.mu))
    });
    for (row, of_one_kt) in order.chunk_by_mut(|a, b| conditions[*a].kt == conditions[*b].kt).enumerate() {
        if row % 2 == 1 {
            of_one_kt.reverse();
        }
    }
    order
}

/// The points in order, with the counts of their exchanges.
struct Ladder {
    conditions: Vec<Condition>,
    tried: Vec<u64>,
    done: Vec<u64>,
}

impl Ladder {
    fn new(conditions: Vec<Condition>) -> Self {
        let pairs = conditions.len();
        Self { conditions, tried: vec![0; pairs], done: vec![0; pairs] }
    }

    fn acceptance(&self, point: usize) -> Option<f64> {
        (self.tried[point] > 0).then(|| self.done[point] as f64 / self.tried[point] as f64)
    }

    /// Tries the pairs that begin at even (`parity` 0) or odd places.
    fn exchange(
        &mut self,
        walkers: &mut [HeatBath],
        observed: &mut [Vec<Observed>],
        random: &mut Words,
        parity: usize,
    ) {
        for first in (parity..self.conditions.len().saturating_sub(1)).step_by(2) {
            let (a, b) = (self.conditions[first], self.conditions[first + 1]);
            let mut which = 0u64;
            for r in 0..observed[first].len() {
                // What was observed may have been turned over, which leaves its own weight but not that of the other point: observe
                // the configuration itself.
                let (x, y) = (walkers[first].seen[r], walkers[first + 1].seen[r]);
                let exponent = (1.0 / b.kt - 1.0 / a.kt) * (x.energy - y.energy)
                    - (b.mu / b.kt - a.mu / a.kt) * (x.occupied - y.occupied);
                if accepts(exponent, open_uniform(random.pair()[0])) {
                    which |= 1 << r;
                }
                self.tried[first] += 1;
            }
            self.done[first] += u64::from(which.count_ones());
            if which != 0 {
                let (left, right) = walkers.split_at_mut(first + 1);
                left[first].kernel.exchange(&mut right[0].kernel, which);
            }
        }
    }
}
