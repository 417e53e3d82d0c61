//! One site at a time: a table-driven kernel with a byte per site, the same with every energy from scratch, and full expansions.

use super::multispin::Observed;
use super::recorder::Recorder;
use super::run::Walker;
use super::{PairModel, Stencil};
use crate::metropolis::{Words, accepts, open_uniform};
use scalade_handoff::LatticeEnergy;

/// Independent chains of a point.
const CHAINS: usize = 8;
/// Largest table of energy gaps by neighbour counts.
const MOST_ENTRIES: usize = 1 << 16;

/// An occupation with the energies of changing it.
pub trait Configuration: Clone + Send {
    /// Number of sites.
    fn sites(&self) -> usize;
    /// Whether a site is occupied.
    fn is_occupied(&self, site: usize) -> bool;
    /// Energy with the site occupied less that with it vacant.
    fn gap(&mut self, site: usize) -> f64;
    /// Changes the occupation of a site.
    fn flip(&mut self, site: usize);
    /// Energy of the box from scratch.
    fn energy(&mut self) -> f64;
}

/// Energy gaps by the counts of occupied neighbours, by sublattice.
#[derive(Clone, Debug)]
struct Gaps {
    /// Stride of each shell and the table; no table if it would be too large.
    tables: Vec<(Vec<u32>, Vec<f64>)>,
    /// For models without tables: gap of no occupied neighbour, and gain of each shell.
    linear: Vec<(f64, Vec<f64>)>,
}

impl Gaps {
    fn new(model: &PairModel) -> Self {
        let shells = model.shells().len();
        let (mut tables, mut linear) = (Vec::new(), Vec::new());
        for b in 0..model.grid().basis() {
            let width: Vec<usize> = (0..shells).map(|k| model.coordination(b, k) + 1).collect();
            let total = width.iter().fold(1usize, |n, w| n.saturating_mul(*w));
            let none = vec![0; shells];
            let base = model.gap(b, &none);
            let gain = (0..shells)
                .map(|k| {
                    let mut one = none.clone();
                    one[k] = 1;
                    model.gap(b, &one) - base
                })
                .collect();
            linear.push((base, gain));
            if total > MOST_ENTRIES {
                tables.push((Vec::new(), Vec::new()));
                continue;
            }
            let mut stride = Vec::new();
            let mut next = 1u32;
            for w in &width {
                stride.push(next);
                next *= *w as u32;
            }
            let counts =
                |i: usize| -> Vec<usize> { (0..shells).map(|k| i / stride[k] as usize % width[k]).collect() };
            let table = (0..total).map(|i| model.gap(b, &counts(i))).collect();
            tables.push((stride, table));
        }
        Self { tables, linear }
    }
}

/// What the configurations of a pair model share.
#[derive(Clone, Debug)]
pub struct PairTables<'a> {
    model: &'a PairModel,
    stencil: Stencil,
    gaps: Gaps,
}

impl<'a> PairTables<'a> {
    /// The tables of a model.
    pub fn new(model: &'a PairModel) -> Self {
        Self { model, stencil: Stencil::new(model), gaps: Gaps::new(model) }
    }

    /// All sites vacant.
    pub fn empty(&'a self) -> PairConfiguration<'a> {
        PairConfiguration { tables: self, occupied: vec![0; self.model.sites()] }
    }
}

/// An occupation of a pair model, a byte per site; gaps are read from a table by the counts of occupied neighbours.
#[derive(Clone, Debug)]
pub struct PairConfiguration<'a> {
    tables: &'a PairTables<'a>,
    occupied: Vec<u8>,
}

impl PairConfiguration<'_> {
    /// Calls `see` for each neighbour of a site.
    pub fn neighbours(&self, site: usize, mut see: impl FnMut(usize)) {
        self.tables.stencil.visit(site, |_, n| see(n));
    }

    /// Occupies all sites, or none.
    pub fn fill(&mut self, occupied: bool) {
        self.occupied.fill(u8::from(occupied));
    }
}

impl Configuration for PairConfiguration<'_> {
    fn sites(&self) -> usize {
        self.occupied.len()
    }

    #[inline]
    fn is_occupied(&self, site: usize) -> bool {
        self.occupied[site] == 1
    }

    #[inline]
    fn gap(&mut self, site: usize) -> f64 {
        let PairTables { stencil, gaps, .. } = self.tables;
        let sublattice = site % gaps.tables.len();
        let (stride, table) = &gaps.tables[sublattice];
        if table.is_empty() {
            let (base, gain) = &gaps.linear[sublattice];
            let mut sum = *base;
            stencil.visit(site, |k, n| sum += gain[k] * f64::from(self.occupied[n]));
            return sum;
        }
        let mut index = 0;
        stencil.visit(site, |k, n| index += stride[k] * u32::from(self.occupied[n]));
        table[index as usize]
    }

    #[inline]
    fn flip(&mut self, site: usize) {
        self.occupied[site] ^= 1;
    }

    fn energy(&mut self) -> f64 {
        self.tables.stencil.energy(self.tables.model, &self.occupied)
    }
}

/// The slow, readable reference: both energies of a gap by straight summation over the definition.
#[derive(Clone, Debug)]
pub struct ScratchConfiguration<'a> {
    model: &'a PairModel,
    occupied: Vec<u8>,
}

impl<'a> ScratchConfiguration<'a> {
    /// All sites vacant.
    pub fn new(model: &'a PairModel) -> Self {
        Self { model, occupied: vec![0; model.sites()] }
    }
}

impl Configuration for ScratchConfiguration<'_> {
    fn sites(&self) -> usize {
        self.occupied.len()
    }

    fn is_occupied(&self, site: usize) -> bool {
        self.occupied[site] == 1
    }

    fn gap(&mut self, site: usize) -> f64 {
        let here = self.occupied[site];
        self.occupied[site] = 1;
        let with = self.model.reference_energy(&self.occupied);
        self.occupied[site] = 0;
        let without = self.model.reference_energy(&self.occupied);
        self.occupied[site] = here;
        with - without
    }

    fn flip(&mut self, site: usize) {
        self.occupied[site] ^= 1;
    }

    fn energy(&mut self) -> f64 {
        self.model.reference_energy(&self.occupied)
    }
}

impl Configuration for LatticeEnergy {
    fn sites(&self) -> usize {
        self.grid().sites()
    }

    fn is_occupied(&self, site: usize) -> bool {
        LatticeEnergy::is_occupied(self, site)
    }

    fn gap(&mut self, site: usize) -> f64 {
        let change = self.flip_delta_ev(site);
        if LatticeEnergy::is_occupied(self, site) { -change } else { change }
    }

    fn flip(&mut self, site: usize) {
        LatticeEnergy::flip(self, site);
    }

    fn energy(&mut self) -> f64 {
        self.recompute();
        self.energy_ev()
    }
}

/// What an ensemble holds fixed besides the temperature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Law {
    /// Weight exp(-(E - mu N)/kT).
    SemiGrand {
        /// Chemical potential of an occupied site.
        mu: f64,
    },
    /// A fixed number of occupied sites.
    Canonical {
        /// The number.
        occupied: usize,
    },
    /// Weight exp(-E/kT - kappa sites (c + phi/2)^2), c = N/sites: the variance-constrained semi-grand-canonical ensemble
    /// (B. Sadigh and P. Erhart, Phys. Rev. B 86, 134204 (2012), in the dimensionless form of mchammer). The chemical potential of the mean
    /// composition is mu = dF/dN = -kT kappa (phi + 2 <c>); kappa of some hundreds holds compositions inside a miscibility gap.
    VarianceConstrained {
        /// Average constraint: c is drawn to -phi/2.
        phi: f64,
        /// Variance constraint.
        kappa: f64,
    },
}

/// Metropolis chains that are updated one random site, or one random exchange, at a time.
#[derive(Clone, Debug)]
pub struct Chains<C> {
    members: Vec<Chain<C>>,
    law: Law,
    kt: f64,
    trials: u64,
    accepted: u64,
}

#[derive(Clone, Debug)]
struct Chain<C> {
    state: C,
    count: usize,
    /// Occupied and vacant sites, in the canonical ensemble.
    full: Vec<u32>,
    empty: Vec<u32>,
    random: Words,
}

impl<C: Configuration> Chain<C> {
    fn new(mut state: C, law: Law, mut random: Words) -> Self {
        let sites = state.sites();
        let (mut full, mut empty) = (Vec::new(), Vec::new());
        let mut count = 0;
        for site in 0..sites {
            let wanted = match law {
                // Selection sampling: each site with the share of what is left to occupy.
                Law::Canonical { occupied } => {
                    let left = (sites - site) as f64;
                    open_uniform(random.pair()[0]) * left < occupied.saturating_sub(count) as f64
                }
                _ => random.pair()[0] & 1 == 1,
            };
            if wanted != state.is_occupied(site) {
                state.flip(site);
            }
            count += usize::from(wanted);
            if let Law::Canonical { .. } = law {
                if wanted { full.push(site as u32) } else { empty.push(site as u32) }
            }
        }
        Self { state, count, full, empty, random }
    }

    fn pick(&mut self, of: usize) -> (usize, f64) {
        let [pick, chance] = self.random.pair();
        (((u64::from(pick) * of as u64) >> 32) as usize, open_uniform(chance))
    }

    /// Exchanges a random occupied with a random vacant site, or not.
    fn exchange(&mut self, kt: f64) -> bool {
        if self.full.is_empty() || self.empty.is_empty() {
            return false;
        }
        let (a, _) = self.pick(self.full.len());
        let (b, chance) = self.pick(self.empty.len());
        let (from, to) = (self.full[a] as usize, self.empty[b] as usize);
        let leave = self.state.gap(from);
        self.state.flip(from);
        let enter = self.state.gap(to);
        if accepts((enter - leave) / kt, chance) {
            self.state.flip(to);
            std::mem::swap(&mut self.full[a], &mut self.empty[b]);
            return true;
        }
        self.state.flip(from);
        false
    }

    /// Flips a random site, or not.
    fn trial(&mut self, kt: f64, law: Law) -> bool {
        let sites = self.state.sites();
        let (site, chance) = self.pick(sites);
        let occupied = self.state.is_occupied(site);
        let sign = if occupied { -1.0 } else { 1.0 };
        let gap = self.state.gap(site);
        let exponent = match law {
            Law::SemiGrand { mu } => sign * (gap - mu) / kt,
            Law::VarianceConstrained { phi, kappa } => {
                let c = self.count as f64 / sites as f64;
                sign * gap / kt + kappa * (2.0 * sign * (c + 0.5 * phi) + 1.0 / sites as f64)
            }
            Law::Canonical { .. } => return false,
        };
        let accepted = accepts(exponent, chance);
        if accepted {
            self.state.flip(site);
            self.count = if occupied { self.count - 1 } else { self.count + 1 };
        }
        accepted
    }

    fn sweep(&mut self, kt: f64, law: Law) -> u64 {
        let mut accepted = 0;
        for _ in 0..self.state.sites() {
            let done =
                if matches!(law, Law::Canonical { .. }) { self.exchange(kt) } else { self.trial(kt, law) };
            accepted += u64::from(done);
        }
        accepted
    }
}

impl<C: Configuration> Chains<C> {
    /// Eight chains from random occupations that are cooled to kT from the temperature `hot` over 24 steps.
    pub fn new(state: &C, law: Law, kt: f64, hot: f64, seed: u64, stream: u32, replica: u32) -> Self {
        let first = replica.wrapping_mul(CHAINS as u32);
        let mut members: Vec<Chain<C>> = (0..CHAINS as u32)
            .map(|c| Chain::new(state.clone(), law, Words::new(seed, stream, first.wrapping_add(c))))
            .collect();
        if hot > kt {
            let levels = 24;
            for level in 0..levels {
                let share = f64::from(level) / f64::from(levels);
                let warm = hot.powf(1.0 - share) * kt.powf(share);
                for chain in &mut members {
                    (0..4).for_each(|_| {
                        chain.sweep(warm, law);
                    });
                }
            }
        }
        Self { members, law, kt, trials: 0, accepted: 0 }
    }

    /// The configurations.
    pub fn into_states(self) -> Vec<C> {
        self.members.into_iter().map(|c| c.state).collect()
    }

    /// Number of chains.
    pub fn replicas(&self) -> usize {
        self.members.len()
    }

    /// Accepted over all trials.
    pub fn acceptance(&self) -> f64 {
        self.accepted as f64 / self.trials.max(1) as f64
    }

    /// One sweep of every chain: as many trials as sites. Returns the number of trials.
    pub fn sweep(&mut self, out: &mut Vec<Observed>) -> u64 {
        out.clear();
        for chain in &mut self.members {
            self.accepted += chain.sweep(self.kt, self.law);
            out.push(Observed { energy: chain.state.energy(), occupied: chain.count as f64 });
        }
        let moves = self.members.iter().map(|c| c.state.sites() as u64).sum();
        self.trials += moves;
        moves
    }
}

impl<C: Configuration> Walker for Chains<C> {
    fn record(&mut self, recorder: &mut Recorder) -> u64 {
        let mut observed = Vec::new();
        let moves = self.sweep(&mut observed);
        recorder.add(&observed);
        moves
    }
}
