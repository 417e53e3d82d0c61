//! Density of states over the energy by flat histograms.
//!
//! A first part follows F. Wang and D. P. Landau, Phys. Rev. Lett. 86, 2050 (2001), with the modification factor ln f = levels/moves once that is
//! smaller (R. E. Belardinelli and V. D. Pereyra, Phys. Rev. E 75, 046701 (2007)). Then the weights are fixed, and a production run counts
//! visits and moments of N at each energy: its corrections ln g += ln H are unbiased. Independent walkers give the errors.

use super::local::Configuration;
use super::run::RunSettings;
use crate::metropolis::{Words, accepts, open_uniform};
use crate::{Estimate, LatticeError};
use rayon::prelude::*;
use scalade_numerics::{mean, variance};
use std::collections::{BTreeMap, HashMap};

/// Independent walkers.
const WALKERS: u32 = 8;
/// Stream of their random numbers.
const STREAM_FLAT: u32 = 0x6d10;
/// Most energies that are told apart.
const MOST_LEVELS: usize = 1 << 16;
/// Modification factor at which the weights are fixed.
const LAST_FACTOR: f64 = 1e-5;
/// Production moves per walker and level, at first.
const MOVES_PER_LEVEL: u64 = 400_000;

/// An energy and its number of states.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StateDensity {
    /// Energy of the box.
    pub energy: f64,
    /// ln of the number of states; they add up to 2^sites.
    pub ln_g: Estimate,
}

/// Averages at one temperature from the density of states, mu = 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReweightedPoint {
    /// ln Z per site.
    pub log_partition: Estimate,
    /// Mean N per site.
    pub concentration: Estimate,
    /// Mean E per site.
    pub energy: Estimate,
    /// var(E)/(kT)^2 per site, in units of k.
    pub heat_capacity: Estimate,
    /// var(N) per site.
    pub variance: Estimate,
    /// Mean of |2N/sites - 1|.
    pub absolute_magnetisation: Estimate,
}

/// A finished flat-histogram run.
#[derive(Clone, Debug)]
pub struct FlatHistogram {
    /// The density of states, ascending energies.
    pub density: Vec<StateDensity>,
    /// A point for each temperature.
    pub points: Vec<ReweightedPoint>,
    /// Trial moves of all walkers.
    pub moves: u64,
    /// Whether the errors of all points reached the precision.
    pub converged: bool,
}

/// What a walker knows of an energy.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    energy: f64,
    ln_g: f64,
    visits: u64,
    /// Sums of N, N^2 and |m| over the visits.
    sums: [f64; 3],
}

struct WalkerState<C> {
    state: C,
    random: Words,
    energy: f64,
    count: f64,
    at: usize,
    index: HashMap<i64, usize>,
    levels: Vec<Level>,
    quantum: f64,
    moves: u64,
}

impl<C: Configuration> WalkerState<C> {
    fn new(mut state: C, scale: f64, mut random: Words) -> Self {
        let mut count = 0.0;
        for site in 0..state.sites() {
            if random.pair()[0] & 1 == 1 {
                state.flip(site);
                count += 1.0;
            }
        }
        let energy = state.energy();
        // A spacing that no simple set of energies is a multiple of, far above the rounding of sums and far below differences.
        let quantum = if scale > 0.0 { scale * 1.3711e-10 } else { 1.0 };
        let mut walker = Self {
            state,
            random,
            energy,
            count,
            at: 0,
            index: HashMap::new(),
            levels: Vec::new(),
            quantum,
            moves: 0,
        };
        walker.at = walker.find(energy);
        walker
    }

    fn find(&mut self, energy: f64) -> usize {
        let key = (energy / self.quantum).round() as i64;
        if let Some(found) = self.index.get(&key) {
            return *found;
        }
        // A new energy starts at the least known weight, so that it is visited at once.
        let least = self.levels.iter().map(|l| l.ln_g).fold(f64::INFINITY, f64::min);
        let ln_g = if least.is_finite() { least } else { 0.0 };
        self.levels.push(Level { energy, ln_g, ..Level::default() });
        self.index.insert(key, self.levels.len() - 1);
        self.levels.len() - 1
    }

    /// One trial with acceptance min(1, g(E)/g(E')), then a visit of the present energy.
    fn trial(&mut self, factor: f64, measure: bool) {
        let sites = self.state.sites();
        let [pick, chance] = self.random.pair();
        let site = ((u64::from(pick) * sites as u64) >> 32) as usize;
        let sign = if self.state.is_occupied(site) { -1.0 } else { 1.0 };
        let energy = self.energy + sign * self.state.gap(site);
        let to = self.find(energy);
        if accepts(self.levels[to].ln_g - self.levels[self.at].ln_g, open_uniform(chance)) {
            self.state.flip(site);
            self.count += sign;
            self.at = to;
            // The stored energy of the level keeps the sum from drifting.
            self.energy = self.levels[to].energy;
        }
        let here = &mut self.levels[self.at];
        here.visits += 1;
        here.ln_g += factor;
        if measure {
            let m = (2.0 * self.count / sites as f64 - 1.0).abs();
            here.sums[0] += self.count;
            here.sums[1] += self.count * self.count;
            here.sums[2] += m;
        }
        self.moves += 1;
    }

    fn too_many(&self) -> Result<(), LatticeError> {
        if self.levels.len() > MOST_LEVELS {
            return Err(LatticeError::TooMany {
                what: "energies of a density of states (their pair energies have no common measure: sample the semigrand ensemble)",
                count: self.levels.len(),
                limit: MOST_LEVELS,
            });
        }
        Ok(())
    }

    /// Finds the weights.
    fn learn(&mut self, most_moves: u64) -> Result<(), LatticeError> {
        let mut factor = 1.0;
        while factor > LAST_FACTOR && self.moves < most_moves {
            let batch = 1000 * self.levels.len() as u64;
            for _ in 0..batch {
                self.trial(factor, false);
            }
            self.too_many()?;
            let mean = self.levels.iter().map(|l| l.visits as f64).sum::<f64>() / self.levels.len() as f64;
            let flat = self.levels.iter().all(|l| l.visits as f64 > 0.8 * mean);
            let late = self.levels.len() as f64 / self.moves as f64;
            if factor <= late {
                factor = late;
            } else if flat {
                factor *= 0.5;
                for level in &mut self.levels {
                    level.visits = 0;
                }
            }
        }
        for level in &mut self.levels {
            level.visits = 0;
        }
        Ok(())
    }

    /// Levels with corrected, normalised ln g: visited ones only.
    fn result(&self) -> Vec<Level> {
        let mut out: Vec<Level> = self
            .levels
            .iter()
            .filter(|l| l.visits > 0)
            .map(|l| Level { ln_g: l.ln_g + (l.visits as f64).ln(), ..*l })
            .collect();
        out.sort_by(|a, b| a.energy.total_cmp(&b.energy));
        let total = log_sum(out.iter().map(|l| l.ln_g));
        let shift = self.state.sites() as f64 * std::f64::consts::LN_2 - total;
        for level in &mut out {
            level.ln_g += shift;
        }
        out
    }
}

fn log_sum(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = values.clone().fold(f64::NEG_INFINITY, f64::max);
    largest + values.map(|v| (v - largest).exp()).sum::<f64>().ln()
}

/// ln Z, <N>, <E>, var E/(kT)^2, var N per site and <|m|> of one walker.
fn reweighted(levels: &[Level], kt: f64, sites: f64) -> [f64; 6] {
    let exponent = |l: &Level| l.ln_g - l.energy / kt;
    let log_z = log_sum(levels.iter().map(exponent));
    let mut sums = [0.0; 4];
    for level in levels {
        let weight = (exponent(level) - log_z).exp();
        let visits = level.visits as f64;
        let terms = [level.energy, level.sums[0] / visits, level.sums[1] / visits, level.sums[2] / visits];
        for (sum, term) in sums.iter_mut().zip(terms) {
            *sum += weight * term;
        }
    }
    let spread: f64 = levels.iter().map(|l| (exponent(l) - log_z).exp() * (l.energy - sums[0]).powi(2)).sum();
    [
        log_z / sites,
        sums[1] / sites,
        sums[0] / sites,
        spread / (kt * kt * sites),
        (sums[2] - sums[1] * sums[1]) / sites,
        sums[3],
    ]
}

fn over_walkers(values: &[f64]) -> Estimate {
    Estimate { value: mean(values), error: (variance(values) / values.len().max(1) as f64).sqrt() }
}

/// The density of states and the averages at temperatures `kts` (mu = 0). `scale` bounds the energies of the box.
pub fn flat_histogram<C: Configuration + Sync>(
    state: &C,
    scale: f64,
    kts: &[f64],
    settings: &RunSettings,
) -> Result<FlatHistogram, LatticeError> {
    let each = (settings.most_moves / (super::run::LOCAL_COST * u64::from(WALKERS))).max(1);
    let mut walkers: Vec<WalkerState<C>> = (0..WALKERS)
        .map(|w| WalkerState::new(state.clone(), scale, Words::new(settings.seed, STREAM_FLAT, w)))
        .collect();
    walkers.par_iter_mut().try_for_each(|w| w.learn(each / 2))?;
    let sites = state.sites() as f64;
    let mut batch = MOVES_PER_LEVEL * walkers.iter().map(|w| w.levels.len()).max().unwrap_or(1) as u64;
    loop {
        walkers.par_iter_mut().try_for_each(|w| {
            let count = batch.min(each.saturating_sub(w.moves).max(1));
            for _ in 0..count {
                w.trial(0.0, true);
            }
            w.too_many()
        })?;
        let results: Vec<Vec<Level>> = walkers.iter().map(WalkerState::result).collect();
        let points: Vec<ReweightedPoint> = kts
            .iter()
            .map(|kt| {
                let all: Vec<[f64; 6]> = results.iter().map(|r| reweighted(r, *kt, sites)).collect();
                let of = |i: usize| over_walkers(&all.iter().map(|v| v[i]).collect::<Vec<_>>());
                ReweightedPoint {
                    log_partition: of(0),
                    concentration: of(1),
                    energy: of(2),
                    heat_capacity: of(3),
                    variance: of(4),
                    absolute_magnetisation: of(5),
                }
            })
            .collect();
        let converged = points.iter().all(|p| p.energy.error <= settings.precision);
        let moves = walkers.iter().map(|w| w.moves).sum();
        if converged || walkers.iter().all(|w| w.moves >= each) {
            return Ok(FlatHistogram {
                density: merged(&results, walkers[0].quantum),
                points,
                moves,
                converged,
            });
        }
        batch *= 2;
    }
}

/// The walkers' densities of states in one, with errors over the walkers.
fn merged(results: &[Vec<Level>], quantum: f64) -> Vec<StateDensity> {
    let mut by_key: BTreeMap<i64, (f64, Vec<f64>)> = BTreeMap::new();
    for level in results.iter().flatten() {
        let key = (level.energy / quantum).round() as i64;
        by_key.entry(key).or_insert((level.energy, Vec::new())).1.push(level.ln_g);
    }
    by_key
        .into_values()
        .map(|(energy, values)| StateDensity { energy, ln_g: over_walkers(&values) })
        .collect()
}
