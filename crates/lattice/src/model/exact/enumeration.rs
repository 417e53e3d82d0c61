//! All states of a small box in Gray-code order, gathered by bond sums and N: one pass serves every temperature and chemical potential.

use super::ExactAverages;
use crate::LatticeError;
use crate::model::{PairModel, Stencil, Variables};
use std::collections::BTreeMap;

/// Largest number of sites that are enumerated.
pub const MOST_STATES_LOG2: usize = 26;

/// Largest dense histogram over bond sums and N.
const MOST_BINS: usize = 1 << 25;

/// The states of a box that share their bond sums and N.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Energy.
    pub energy: f64,
    /// Number of occupied sites.
    pub occupied: u32,
    /// Number of states.
    pub states: u64,
}

/// The density of states over (E, N).
#[derive(Clone, Debug, PartialEq)]
pub struct Levels {
    sites: usize,
    levels: Vec<Level>,
}

/// One site's neighbours as bit masks by multiplicity: the number of occupied ones is sum w popcount(state & mask).
struct Masks {
    /// `(multiplicity, mask)` by shell.
    shells: Vec<Vec<(i64, u32)>>,
    coordination: Vec<i64>,
    self_bonds: Vec<i64>,
}

impl Masks {
    fn new(model: &PairModel, stencil: &Stencil, site: usize) -> Self {
        let shells = model.shells().len();
        let sublattice = site % model.grid().basis();
        let mut counts = vec![BTreeMap::<usize, i64>::new(); shells];
        stencil.visit(site, |k, n| *counts[k].entry(n).or_default() += 1);
        let by_weight = |of: &BTreeMap<usize, i64>| {
            let mut masks = BTreeMap::<i64, u32>::new();
            for (neighbour, weight) in of {
                *masks.entry(*weight).or_default() |= 1 << neighbour;
            }
            masks.into_iter().collect()
        };
        Self {
            shells: counts.iter().map(by_weight).collect(),
            coordination: (0..shells).map(|k| model.coordination(sublattice, k) as i64).collect(),
            self_bonds: (0..shells).map(|k| model.self_bonds(sublattice, k) as i64).collect(),
        }
    }

    /// Change of the bond sum of a shell when the site becomes occupied.
    #[inline]
    fn gain(&self, spins: bool, shell: usize, state: u32) -> i64 {
        let n: i64 = self.shells[shell].iter().map(|(w, m)| w * i64::from((state & m).count_ones())).sum();
        if spins { 2 * (2 * n - self.coordination[shell]) } else { n + self.self_bonds[shell] }
    }
}

/// Place of a state in the histogram: N + sum stride_k (B_k - least_k)/step.
struct Bins {
    least: Vec<i64>,
    step: i64,
    stride: Vec<i64>,
    total: usize,
}

impl Bins {
    fn new(model: &PairModel) -> Self {
        let step = if model.variables() == Variables::Spin { 2 } else { 1 };
        let (mut least, mut stride) = (Vec::new(), Vec::new());
        let mut total = model.sites() + 1;
        let basis = model.grid().basis();
        let cells = model.grid().cells() as i64;
        for (k, shell) in model.shells().iter().enumerate() {
            let bonds = shell.neighbours.iter().map(Vec::len).sum::<usize>() as i64 * cells / 2;
            let own = (0..basis).map(|b| model.self_bonds(b, k)).sum::<usize>() as i64 * cells;
            let (low, high) = match model.variables() {
                Variables::Spin => (2 * own - bonds, bonds),
                Variables::Occupation => (0, bonds),
            };
            least.push(low);
            stride.push(total as i64);
            total = total.saturating_mul(((high - low) / step + 1) as usize);
        }
        Self { least, step, stride, total }
    }
}

impl Levels {
    /// Visits all 2^sites states (at most 2^26), one flip each.
    pub fn enumerate(model: &PairModel) -> Result<Self, LatticeError> {
        let sites = model.sites();
        if sites > MOST_STATES_LOG2 {
            return Err(LatticeError::TooManyStates { sites, limit_log2: MOST_STATES_LOG2 });
        }
        let stencil = Stencil::new(model);
        let masks: Vec<Masks> = (0..sites).map(|s| Masks::new(model, &stencil, s)).collect();
        let bins = Bins::new(model);
        let levels =
            if bins.total <= MOST_BINS { dense(model, &masks, &bins) } else { sparse(model, &masks)? };
        Ok(Self { sites, levels })
    }

    /// The levels of states (energy, number of occupied sites) that are listed one by one, such as those of [`crate::exact::Enumeration`].
    pub fn of_states(sites: usize, states: &[(f64, u32)]) -> Self {
        let mut levels: Vec<Level> = states
            .iter()
            .map(|(energy, occupied)| Level { energy: *energy, occupied: *occupied, states: 1 })
            .collect();
        levels.sort_by(|a, b| a.occupied.cmp(&b.occupied).then(a.energy.total_cmp(&b.energy)));
        levels.dedup_by(|later, first| {
            let same = later.occupied == first.occupied && later.energy == first.energy;
            if same {
                first.states += later.states;
            }
            same
        });
        Self { sites, levels }
    }

    /// Number of sites.
    pub fn sites(&self) -> usize {
        self.sites
    }

    /// The levels. Equal energies with equal N may stand in several entries that differ in their bond sums.
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Energies (merged within 1e-9 of their scale) with the number of states of each, ascending.
    pub fn density_of_states(&self) -> Vec<(f64, u64)> {
        let mut sorted: Vec<(f64, u64)> = self.levels.iter().map(|l| (l.energy, l.states)).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let scale = sorted.iter().fold(0.0, |s: f64, l| s.max(l.0.abs()));
        let mut out: Vec<(f64, u64)> = Vec::new();
        for (energy, states) in sorted {
            match out.last_mut() {
                Some(last) if energy - last.0 <= 1e-9 * scale => last.1 += states,
                _ => out.push((energy, states)),
            }
        }
        out
    }

    /// ln Z of a fixed number of occupied sites, -F/kT, with the energies in kT; minus infinity for a number that no state has.
    pub fn log_partition_of(&self, occupied: u32) -> f64 {
        let some = || self.levels.iter().filter(|l| l.occupied == occupied);
        let exponent = |l: &Level| (l.states as f64).ln() - l.energy;
        let largest = some().map(exponent).fold(f64::NEG_INFINITY, f64::max);
        if largest == f64::NEG_INFINITY {
            return largest;
        }
        largest + some().map(|l| (exponent(l) - largest).exp()).sum::<f64>().ln()
    }

    /// Averages with weights exp(-(E - mu N)/kT).
    pub fn at(&self, kt: f64, mu: f64) -> ExactAverages {
        let exponent = |l: &Level| (mu * f64::from(l.occupied) - l.energy) / kt + (l.states as f64).ln();
        let largest = self.levels.iter().map(exponent).fold(f64::NEG_INFINITY, f64::max);
        let size = self.sites as f64;
        let magnetisation = |l: &Level| 2.0 * f64::from(l.occupied) / size - 1.0;
        let mut sums = [0.0; 6];
        for level in &self.levels {
            let weight = (exponent(level) - largest).exp();
            let m = magnetisation(level);
            let terms = [1.0, f64::from(level.occupied), level.energy, m.abs(), m * m, m * m * m * m];
            for (sum, term) in sums.iter_mut().zip(terms) {
                *sum += weight * term;
            }
        }
        let mean = sums.map(|s| s / sums[0]);
        let grand = mean[2] - mu * mean[1];
        let (mut variance, mut grand_variance) = (0.0, 0.0);
        for level in &self.levels {
            let weight = (exponent(level) - largest).exp() / sums[0];
            let n = f64::from(level.occupied);
            variance += weight * (n - mean[1]).powi(2);
            grand_variance += weight * (level.energy - mu * n - grand).powi(2);
        }
        ExactAverages {
            log_partition: (largest + sums[0].ln()) / size,
            concentration: mean[1] / size,
            energy: mean[2] / size,
            heat_capacity: grand_variance / (kt * kt * size),
            variance: variance / size,
            absolute_magnetisation: Some(mean[3]),
            binder_cumulant: Some(1.0 - mean[5] / (3.0 * mean[4] * mean[4])),
        }
    }
}

/// Visits the states after the first in Gray-code order: the site that flips, and the state before.
fn gray(sites: usize, mut visit: impl FnMut(usize, u32)) {
    let mut state = 0u32;
    for step in 1u32..(1u64 << sites) as u32 {
        let site = step.trailing_zeros() as usize;
        visit(site, state);
        state ^= 1 << site;
    }
}

fn dense(model: &PairModel, masks: &[Masks], bins: &Bins) -> Vec<Level> {
    let spins = model.variables() == Variables::Spin;
    let mut histogram = vec![0u32; bins.total];
    let empty = model.bond_sums(&vec![0; masks.len()]);
    let place = |sums: &[i64]| -> i64 {
        (0..sums.len()).map(|k| bins.stride[k] * ((sums[k] - bins.least[k]) / bins.step)).sum()
    };
    let mut bin = place(&empty);
    histogram[bin as usize] += 1;
    gray(masks.len(), |site, state| {
        let mask = &masks[site];
        let mut change = 1;
        for k in 0..mask.shells.len() {
            let gain = mask.gain(spins, k, state);
            change += bins.stride[k] * if spins { gain >> 1 } else { gain };
        }
        bin += if state >> site & 1 == 0 { change } else { -change };
        histogram[bin as usize] += 1;
    });
    let decode = |(bin, states): (usize, &u32)| {
        let mut rest = bin as i64;
        let mut sums = vec![0; bins.stride.len()];
        for k in (0..sums.len()).rev() {
            sums[k] = bins.least[k] + bins.step * (rest / bins.stride[k]);
            rest %= bins.stride[k];
        }
        Level { energy: model.energy_of(&sums), occupied: rest as u32, states: u64::from(*states) }
    };
    histogram.iter().enumerate().filter(|(_, n)| **n > 0).map(decode).collect()
}

/// For many shells: states are sorted by (bond sums, N) in batches and merged.
fn sparse(model: &PairModel, masks: &[Masks]) -> Result<Vec<Level>, LatticeError> {
    let spins = model.variables() == Variables::Spin;
    let shells = model.shells().len();
    let mut sums = model.bond_sums(&vec![0; masks.len()]);
    let mut occupied = 0u32;
    // Energies are merged as numbers on a grid of 2^-40 of their scale: exact sums of equal bond sums are equal bits.
    let scale: f64 = model
        .shells()
        .iter()
        .map(|s| s.energy.abs() * s.neighbours.iter().map(Vec::len).sum::<usize>() as f64)
        .sum::<f64>()
        * model.grid().cells() as f64;
    let quantum = if scale > 0.0 { scale / (1u64 << 40) as f64 } else { 1.0 };
    let mut merged: Vec<((u32, i64), f64, u64)> = Vec::new();
    let mut batch: Vec<((u32, i64), f64, u64)> = Vec::new();
    let limit = 1 << 23;
    let mut overflow = None;
    let mut put = |energy: f64, occupied: u32, last: bool| {
        batch.push(((occupied, (energy / quantum).round() as i64), energy, 1));
        if batch.len() < 1 << 20 && !last {
            return;
        }
        merged.append(&mut batch);
        merged.sort_by_key(|a| a.0);
        merged.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                first.2 += later.2;
            }
            same
        });
        if merged.len() > limit && overflow.is_none() {
            overflow = Some(merged.len());
        }
        if overflow.is_some() {
            merged.clear();
        }
    };
    put(model.energy_of(&sums), 0, masks.is_empty());
    let last_state = (1u64 << (masks.len() - 1)) as u32;
    gray(masks.len(), |site, state| {
        let up = state >> site & 1 == 0;
        for k in 0..shells {
            let gain = masks[site].gain(spins, k, state);
            sums[k] += if up { gain } else { -gain };
        }
        occupied = if up { occupied + 1 } else { occupied - 1 };
        put(model.energy_of(&sums), occupied, state ^ (1 << site) == last_state);
    });
    if let Some(count) = overflow {
        return Err(LatticeError::TooMany { what: "distinct levels (E, N)", count, limit });
    }
    Ok(merged.into_iter().map(|((occupied, _), energy, states)| Level { energy, occupied, states }).collect())
}
