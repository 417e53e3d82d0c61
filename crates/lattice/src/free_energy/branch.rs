//! One phase at one temperature: its grand potential and composition over the chemical potential, as far as it lasts.

use super::low_temperature::{LowTemperature, PhaseSeed};
use crate::metropolis::Series;
use crate::{BOLTZMANN_EV_PER_K, Estimate, LatticeError, Metropolis, PointStatistics, point_statistics};
use scalade_crystal::SiteGrid;
use scalade_handoff::{LatticeEnergy, LatticeHamiltonian};
use scalade_numerics::{Philox, blocked_mean};
use serde::{Deserialize, Serialize};

/// Largest second order of the low-temperature expansion at an anchor, eV per site.
const ANCHOR_EV: f64 = 1e-6;
/// Ratio of successive temperatures on the way from the anchor.
const COOLING: f64 = 0.93;
/// Lowest temperature of an anchor, K.
const COLDEST_K: f64 = 1.0;
/// Order (0 to 1) below which a phase has lost its pattern.
const LEAST_ORDER: f64 = 0.5;
/// Uncertainty of the integral over a step above which the step is halved, kT.
const COARSE_KT: f64 = 1e-3;
/// Most times a step of the chemical potential is halved where the composition changes fast.
const MOST_HALVINGS: u32 = 8;
/// Steps from infinite temperature.
const STEPS_FROM_INFINITY: usize = 48;

/// Budget of a branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BranchSettings {
    /// Primitive cells of the box along each lattice vector.
    pub dims: [usize; 3],
    /// Spacing of the chemical potentials in units of kT.
    pub spacing_kt: f64,
    /// Sweeps before recording at each point.
    pub equilibration: usize,
    /// Recorded sweeps at each point.
    pub sweeps: usize,
    /// Seed.
    pub seed: u64,
}

impl Default for BranchSettings {
    fn default() -> Self {
        Self { dims: [12; 3], spacing_kt: 0.5, equilibration: 30, sweeps: 200, seed: 1 }
    }
}

impl BranchSettings {
    pub(super) fn check(&self) -> Result<(), LatticeError> {
        let require = LatticeError::require;
        require(
            (0.01..=5.0).contains(&self.spacing_kt),
            "spacing of mu (kT)",
            self.spacing_kt,
            "0.01 to 5 is due",
        )?;
        require(self.sweeps >= 8, "sweeps per point", self.sweeps as f64, "at least 8 are due")
    }
}

/// Where the potential of a branch is known from an expansion.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anchor {
    /// Temperature of the low-temperature expansion, K.
    pub temperature_k: f64,
    /// Chemical potential, eV.
    pub chemical_potential_ev: f64,
    /// Grand potential per site there, eV.
    pub potential_ev: f64,
    /// Size of the last order taken along, eV.
    pub last_order_ev: f64,
}

/// A phase at one temperature. The lists run over the chemical potential, rising by one step of the common grid each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Branch {
    /// Number of the seed.
    pub phase: usize,
    /// Temperature, K.
    pub temperature_k: f64,
    /// Sites of the box.
    pub sites: usize,
    /// Whether its pattern has occupied and vacant sites.
    pub ordered: bool,
    /// Number of the first grid point.
    pub first: i64,
    /// Chemical potentials, eV.
    pub mu_ev: Vec<f64>,
    /// Grand potential per site, eV.
    pub potential_ev: Vec<Estimate>,
    /// Occupied over all sites.
    pub x: Vec<Estimate>,
    /// dx/dmu from the fluctuations, 1/eV.
    pub slope_per_ev: Vec<f64>,
    /// Energy per site, eV.
    pub energy_ev: Vec<f64>,
    /// Order: occupation of the sites that the pattern occupies less that of the others; 1 for uniform phases.
    pub order: Vec<f64>,
    /// Where it starts; none from infinite temperature.
    pub anchor: Option<Anchor>,
}

/// Common grid of chemical potentials at a temperature: mu = number * step.
pub(super) fn grid_step(temperature_k: f64, settings: &BranchSettings) -> f64 {
    settings.spacing_kt * BOLTZMANN_EV_PER_K * temperature_k
}

/// What a run at one point gives.
struct Run {
    statistics: PointStatistics,
    /// Mean of (E - mu N)/sites, eV.
    grand: Estimate,
    order: f64,
}

struct Walker<'a> {
    chain: Metropolis,
    pattern: &'a [bool],
    uniform: bool,
    settings: &'a BranchSettings,
    series: Series,
}

impl<'a> Walker<'a> {
    fn new(
        energy: &LatticeEnergy,
        pattern: &'a [bool],
        settings: &'a BranchSettings,
        stream: [u32; 2],
    ) -> Result<Self, LatticeError> {
        let mut start = energy.clone();
        start.set_occupation(pattern)?;
        let uniform = pattern.windows(2).all(|w| w[0] == w[1]);
        let chain = Metropolis::new(start, settings.seed, stream[0], stream[1]);
        Ok(Self { chain, pattern, uniform, settings, series: Series::default() })
    }

    fn run(&mut self, temperature_k: f64, mu: f64) -> Result<Run, LatticeError> {
        let clear = |series: &mut Series| {
            series.occupied.clear();
            series.energy_ev.clear();
        };
        clear(&mut self.series);
        self.chain.record(temperature_k, mu, self.settings.equilibration, &mut self.series)?;
        clear(&mut self.series);
        self.chain.record(temperature_k, mu, self.settings.sweeps, &mut self.series)?;
        self.chain.recompute();
        let sites = self.chain.energy().grid().sites();
        let statistics = point_statistics(&self.series, sites, temperature_k, mu, 0.0)?;
        let pairs = self.series.energy_ev.iter().zip(&self.series.occupied).skip(statistics.discarded);
        let grand: Vec<f64> = pairs.map(|(e, n)| (e - mu * n) / sites as f64).collect();
        let of_grand = blocked_mean(&grand);
        let grand = Estimate { value: of_grand.mean, error: of_grand.standard_error };
        Ok(Run { statistics, grand, order: self.order() })
    }

    /// Occupation of the sites that the pattern occupies less that of the others.
    fn order(&self) -> f64 {
        if self.uniform {
            return 1.0;
        }
        let mut counts = [[0.0f64; 2]; 2];
        for (site, wanted) in self.pattern.iter().enumerate() {
            let of = &mut counts[usize::from(*wanted)];
            of[0] += 1.0;
            of[1] += f64::from(u8::from(self.chain.energy().is_occupied(site)));
        }
        counts[1][1] / counts[1][0].max(1.0) - counts[0][1] / counts[0][0].max(1.0)
    }
}

/// Integral of a function between two points a distance h apart, from its values and slopes (Hermite: the error falls as h^5).
fn hermite(h: f64, values: [f64; 2], slopes: [f64; 2]) -> f64 {
    0.5 * h * (values[0] + values[1]) + h * h / 12.0 * (slopes[0] - slopes[1])
}

/// One node of a branch on its way from the anchor.
#[derive(Clone, Debug)]
struct Node {
    x: Estimate,
    slope: f64,
    energy: f64,
    order: f64,
    potential: f64,
    variance: f64,
}

impl Node {
    fn new(run: &Run, temperature_k: f64, potential: f64, variance: f64) -> Self {
        let kt = BOLTZMANN_EV_PER_K * temperature_k;
        // A short run may underestimate its correlation: never below the error of independent sweeps.
        let s = &run.statistics;
        let floor = (s.variance.value.max(0.0) / (s.sites as f64 * s.kept as f64)).sqrt();
        Self {
            x: Estimate { value: s.x.value, error: s.x.error.max(floor) },
            slope: s.variance.value / kt,
            energy: s.energy_ev.value,
            order: run.order,
            potential,
            variance,
        }
    }
}

/// Whether the composition moves from one node to the next far more than its fluctuations say, or the run changed over to another phase on its way: its
/// fluctuations are then far larger than those before.
fn jumps(from: &Node, to: &Node, h: f64, kt: f64) -> bool {
    let rise = (to.x.value - from.x.value).abs();
    let noise = 6.0 * from.x.error.hypot(to.x.error);
    rise > (h.abs() * from.slope.max(0.0) * 4.0).max(0.04) + noise
        || (rise > 0.01 && to.slope > 5.0 * from.slope.max(to.x.value * (1.0 - to.x.value) / kt))
}

/// Whether values and slopes at the ends of a step contradict one another: the integral over it is then uncertain by about their product with the step.
fn is_coarse(from: &Node, to: &Node, h: f64, kt: f64) -> bool {
    let missing = (to.x.value - from.x.value - 0.5 * h * (from.slope + to.slope)).abs();
    h.abs() * missing > COARSE_KT * kt + 4.0 * h.abs() * from.x.error.hypot(to.x.error)
}

impl Branch {
    /// Follows a phase at a temperature over the chemical potentials `range` (eV); `None` if it does not last even at its anchor.
    pub fn new(
        seeds: &[PhaseSeed],
        phase: usize,
        energy: &LatticeEnergy,
        temperature_k: f64,
        range_ev: [f64; 2],
        settings: &BranchSettings,
    ) -> Result<Option<Self>, LatticeError> {
        settings.check()?;
        let grid = *energy.grid();
        let Some(pattern) = seeds.get(phase).and_then(|s| s.pattern(&grid)) else { return Ok(None) };
        let seed = &seeds[phase];
        let mut at_rest = energy.clone();
        at_rest.set_occupation(&pattern)?;
        let series = LowTemperature::new(seed, &mut at_rest)?;
        let Some((start, anchor)) = anchor(&series, temperature_k, range_ev, settings) else {
            return Ok(None);
        };
        let mu = start as f64 * grid_step(temperature_k, settings);
        let stream = [0x7100 + phase as u32, (temperature_k * 1000.0).round() as u32];
        let mut walker = Walker::new(energy, &pattern, settings, stream)?;
        let Some((potential, variance, last)) = warm(&mut walker, &anchor, mu, temperature_k)? else {
            return Ok(None);
        };
        let home = Node::new(&last, temperature_k, potential, variance);
        let rested = walker.chain.clone();
        let up = follow(&mut walker, &home, start, 1, temperature_k, range_ev)?;
        walker.chain = rested;
        let down = follow(&mut walker, &home, start, -1, temperature_k, range_ev)?;
        let mut branch =
            Self::assemble(phase, temperature_k, start, Some(anchor), (down, home, up), settings);
        branch.sites = grid.sites();
        branch.ordered = !seed.is_uniform();
        Ok(Some(branch))
    }

    fn assemble(
        phase: usize,
        temperature_k: f64,
        start: i64,
        anchor: Option<Anchor>,
        (down, home, up): (Vec<Node>, Node, Vec<Node>),
        settings: &BranchSettings,
    ) -> Self {
        let first = start - down.len() as i64;
        let nodes: Vec<Node> = down.into_iter().rev().chain(std::iter::once(home)).chain(up).collect();
        let step = grid_step(temperature_k, settings);
        let truncated = anchor.map_or(0.0, |a| a.last_order_ev);
        Self {
            phase,
            temperature_k,
            sites: 0,
            ordered: false,
            first,
            mu_ev: (0..nodes.len()).map(|k| (first + k as i64) as f64 * step).collect(),
            potential_ev: nodes
                .iter()
                .map(|n| Estimate { value: n.potential, error: n.variance.sqrt().max(truncated) })
                .collect(),
            x: nodes.iter().map(|n| n.x).collect(),
            slope_per_ev: nodes.iter().map(|n| n.slope).collect(),
            energy_ev: nodes.iter().map(|n| n.energy).collect(),
            order: nodes.iter().map(|n| n.order).collect(),
            anchor,
        }
    }

    /// Standard deviation of the composition of the box at node k.
    pub(super) fn fluctuation(&self, k: usize) -> f64 {
        let kt = BOLTZMANN_EV_PER_K * self.temperature_k;
        (self.slope_per_ev[k].max(0.0) * kt / self.sites.max(1) as f64).sqrt()
    }

    /// Place of a grid number in the lists.
    pub(super) fn place(&self, number: i64) -> Option<usize> {
        usize::try_from(number - self.first).ok().filter(|k| *k < self.mu_ev.len())
    }
}

/// The grid number at which a branch starts, and the temperature and potential of its low-temperature expansion.
fn anchor(
    series: &LowTemperature,
    temperature_k: f64,
    range_ev: [f64; 2],
    settings: &BranchSettings,
) -> Option<(i64, Anchor)> {
    let [low, high] = series.window_ev();
    let mu = match (low.is_finite(), high.is_finite()) {
        (true, true) if high > low => 0.5 * (low + high),
        (false, true) => range_ev[0].min(high),
        (true, false) => range_ev[1].max(low),
        _ => return None,
    };
    let step = grid_step(temperature_k, settings);
    let start = (mu / step).round() as i64;
    let mu = start as f64 * step;
    let mut cold = temperature_k;
    while cold >= COLDEST_K {
        let point = series.at(cold, mu);
        if point.last_order_ev.is_finite() && point.last_order_ev < ANCHOR_EV {
            let anchor = Anchor {
                temperature_k: cold,
                chemical_potential_ev: mu,
                potential_ev: point.potential_ev,
                last_order_ev: point.last_order_ev,
            };
            return Some((start, anchor));
        }
        cold *= COOLING;
    }
    None
}

/// Integrates from the anchor to the temperature at fixed mu; phi there, its variance and the last run. `None` if the order is lost on the way.
fn warm(
    walker: &mut Walker,
    anchor: &Anchor,
    mu: f64,
    temperature_k: f64,
) -> Result<Option<(f64, f64, Run)>, LatticeError> {
    let beta = |t: f64| 1.0 / (BOLTZMANN_EV_PER_K * t);
    let steps = ((anchor.temperature_k / temperature_k).ln() / COOLING.ln()).round().max(0.0) as usize;
    let run = walker.run(anchor.temperature_k, mu)?;
    let slope = |run: &Run, t: f64| -run.statistics.heat_capacity_mu.value * (BOLTZMANN_EV_PER_K * t).powi(2);
    let (mut t, mut last) = (anchor.temperature_k, run);
    let mut reduced = anchor.potential_ev * beta(t);
    // Every inner node enters with the mean of the steps on both sides.
    let (mut variance, mut left) = (0.0, 0.0);
    for k in 1..=steps {
        let next = if k == steps {
            temperature_k
        } else {
            anchor.temperature_k * (temperature_k / anchor.temperature_k).powf(k as f64 / steps as f64)
        };
        let run = walker.run(next, mu)?;
        if run.order < LEAST_ORDER {
            return Ok(None);
        }
        let h = beta(next) - beta(t);
        reduced += hermite(h, [last.grand.value, run.grand.value], [slope(&last, t), slope(&run, next)]);
        variance += (0.5 * (left + h) * last.grand.error).powi(2);
        (t, last, left) = (next, run, h);
    }
    variance += (0.5 * left * last.grand.error).powi(2);
    if last.order < LEAST_ORDER {
        return Ok(None);
    }
    let potential = reduced / beta(temperature_k);
    Ok(Some((potential, variance / beta(temperature_k).powi(2) + anchor.last_order_ev.powi(2), last)))
}

/// A walk over the chemical potential at one temperature.
struct Walk<'w, 'a> {
    walker: &'w mut Walker<'a>,
    temperature_k: f64,
    /// Variance of the nodes that have both their steps behind them.
    inner: f64,
    /// The last step, whose half the last node has.
    behind: f64,
}

impl Walk<'_, '_> {
    /// The node at `mu`, in steps that are halved as long as the composition changes too much in one; `None` if the phase is lost.
    fn to(&mut self, before: Node, from: f64, mu: f64, depth: u32) -> Result<Option<Node>, LatticeError> {
        let rested = self.walker.chain.clone();
        let run = self.walker.run(self.temperature_k, mu)?;
        let mut node = Node::new(&run, self.temperature_k, 0.0, 0.0);
        let h = mu - from;
        let kt = BOLTZMANN_EV_PER_K * self.temperature_k;
        let lost = run.order < LEAST_ORDER || jumps(&before, &node, h, kt);
        if lost && depth == MOST_HALVINGS {
            return Ok(None);
        }
        if lost || (depth < MOST_HALVINGS && is_coarse(&before, &node, h, kt)) {
            self.walker.chain = rested;
            let middle = 0.5 * (from + mu);
            return match self.to(before, from, middle, depth + 1)? {
                Some(half) => self.to(half, middle, mu, depth + 1),
                None => Ok(None),
            };
        }
        let area = hermite(h, [before.x.value, node.x.value], [before.slope, node.slope]);
        self.inner += (0.5 * (self.behind + h.abs()) * before.x.error).powi(2);
        self.behind = h.abs();
        node.potential = before.potential - area;
        node.variance = self.inner + (0.5 * h * node.x.error).powi(2);
        Ok(Some(node))
    }
}

/// Nodes away from home in one direction, until the phase is lost or the range ends.
fn follow(
    walker: &mut Walker,
    home: &Node,
    start: i64,
    direction: i64,
    temperature_k: f64,
    range_ev: [f64; 2],
) -> Result<Vec<Node>, LatticeError> {
    let step = grid_step(temperature_k, walker.settings);
    let mut nodes: Vec<Node> = Vec::new();
    let mut walk = Walk { walker, temperature_k, inner: home.variance, behind: 0.0 };
    let mut number = start;
    loop {
        let from = number as f64 * step;
        number += direction;
        let mu = number as f64 * step;
        if mu < range_ev[0] - step || mu > range_ev[1] + step {
            break;
        }
        let before = nodes.last().unwrap_or(home).clone();
        match walk.to(before, from, mu, 0)? {
            Some(node) => nodes.push(node),
            None => break,
        }
    }
    Ok(nodes)
}

impl Branch {
    /// The phase that is reached from infinite temperature at a chemical potential, followed from there like any other; it is numbered `phase`.
    pub fn from_infinite_temperature(
        phase: usize,
        energy: &LatticeEnergy,
        temperature_k: f64,
        mu_ev: f64,
        range_ev: [f64; 2],
        settings: &BranchSettings,
    ) -> Result<Self, LatticeError> {
        settings.check()?;
        let step = grid_step(temperature_k, settings);
        let start = (mu_ev / step).round() as i64;
        let mu = start as f64 * step;
        let pattern = random_pattern(energy, settings);
        let (mut walker, potential, variance, last) = cool(energy, &pattern, temperature_k, mu, settings)?;
        // Whatever order it has found by itself is its own.
        walker.uniform = true;
        let home = Node::new(&last, temperature_k, potential, variance);
        let rested = walker.chain.clone();
        let up = follow(&mut walker, &home, start, 1, temperature_k, range_ev)?;
        walker.chain = rested;
        let down = follow(&mut walker, &home, start, -1, temperature_k, range_ev)?;
        let mut branch = Self::assemble(phase, temperature_k, start, None, (down, home, up), settings);
        branch.sites = energy.grid().sites();
        Ok(branch)
    }
}

/// Each site occupied with probability one half.
fn random_pattern(energy: &LatticeEnergy, settings: &BranchSettings) -> Vec<bool> {
    let mut random = Philox::new(settings.seed, 0x7000, 0);
    (0..energy.grid().sites()).map(|_| random.uniform() < 0.5).collect()
}

/// Integrates over 1/kT from zero at fixed mu: the walker at the end, phi there, its variance, and the last run.
fn cool<'a>(
    energy: &LatticeEnergy,
    pattern: &'a [bool],
    temperature_k: f64,
    mu_ev: f64,
    settings: &'a BranchSettings,
) -> Result<(Walker<'a>, f64, f64, Run), LatticeError> {
    // Runs to different chemical potentials are independent.
    let number = (mu_ev / grid_step(temperature_k, settings)).round() as i64;
    let stream = [0x7001 ^ ((number as u32) << 16), (temperature_k * 1000.0).round() as u32];
    let mut walker = Walker::new(energy, pattern, settings, stream)?;
    let end = 1.0 / (BOLTZMANN_EV_PER_K * temperature_k);
    let h = end / STEPS_FROM_INFINITY as f64;
    let (mut reduced, mut variance) = (-std::f64::consts::LN_2, 0.0);
    // The chain divides by the temperature: very hot is 1/T = 0 to rounding.
    let temperature = |k: usize| {
        if k == 0 { 1e15 } else { temperature_k * STEPS_FROM_INFINITY as f64 / k as f64 }
    };
    let slope = |run: &Run, t: f64| -run.statistics.heat_capacity_mu.value * (BOLTZMANN_EV_PER_K * t).powi(2);
    let mut last = walker.run(temperature(0), mu_ev)?;
    variance += (0.5 * h * last.grand.error).powi(2);
    for k in 1..=STEPS_FROM_INFINITY {
        let run = walker.run(temperature(k), mu_ev)?;
        let slopes = [slope(&last, temperature(k - 1)), slope(&run, temperature(k))];
        reduced += hermite(h, [last.grand.value, run.grand.value], slopes);
        let weight = if k == STEPS_FROM_INFINITY { 0.5 * h } else { h };
        variance += (weight * run.grand.error).powi(2);
        last = run;
    }
    Ok((walker, reduced / end, variance / (end * end), last))
}

/// The grand potential per site (eV) at a temperature and chemical potential, integrated over 1/kT from zero, where each site is occupied with
/// probability one half: phi/kT = -ln 2 there. Holds where no first-order transition lies between.
pub fn from_infinite_temperature(
    hamiltonian: &LatticeHamiltonian,
    coefficients_ev: &[f64],
    temperature_k: f64,
    mu_ev: f64,
    settings: &BranchSettings,
) -> Result<Estimate, LatticeError> {
    settings.check()?;
    let holds = temperature_k > 0.0 && temperature_k.is_finite();
    LatticeError::require(holds, "temperature (kelvin)", temperature_k, "a positive number is due")?;
    let grid = SiteGrid::new(settings.dims, hamiltonian.basis_fractional.len())?;
    let energy = LatticeEnergy::new(hamiltonian, coefficients_ev, grid, &[])?;
    let pattern = random_pattern(&energy, settings);
    let (_, potential, variance, _) = cool(&energy, &pattern, temperature_k, mu_ev, settings)?;
    Ok(Estimate { value: potential, error: variance.sqrt() })
}
