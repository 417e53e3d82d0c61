//! Single-phase branches x(mu) from a two-directional scan, and the chemical potentials at which they coexist.

use crate::smoothing::{Datum, Smoothed, smooth, strictly_increasing};
use crate::{BOLTZMANN_EV_PER_K, Ends, LatticeError, PointStatistics, Scan};
use scalade_numerics::Pchip;

/// Branches that differ by less than this in x are one, whatever their error bars.
const RESOLVED_X: f64 = 0.01;
/// Standard errors by which branches must differ to be two.
const RESOLVED_SIGMAS: f64 = 5.0;

/// One chemical potential of one branch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// Place in the scan.
    pub index: usize,
    pub mu: f64,
    pub x: Datum,
    /// Half the difference of the two scans (0 for one scan): its square estimates the variance of their mean.
    pub half_difference: f64,
    /// kT d logit(x)/dmu = var(N)/(sites x (1 - x)): 1 in the dilute limits.
    pub slope: Datum,
    /// Partial energy, eV.
    pub partial: Datum,
    /// Energy per site, eV.
    pub energy: f64,
}

impl Node {
    /// `None` where a run saw too few ions or vacancies for statistics.
    fn of(index: usize, points: &[&PointStatistics]) -> Option<Self> {
        let share = 1.0 / points.len() as f64;
        let pool = |f: &dyn Fn(&PointStatistics) -> Datum| -> Datum {
            let value = points.iter().map(|p| f(p).0).sum::<f64>() * share;
            let error = points.iter().map(|p| f(p).1.powi(2)).sum::<f64>().sqrt() * share;
            (value, error)
        };
        let first = points.first()?;
        let sites = first.sites as f64;
        let x = pool(&|p| {
            // A short run may underestimate its correlation: never below the error of independent sweeps.
            let floor = (p.variance.value / (sites * p.kept as f64)).sqrt();
            (p.x.value, p.x.error.max(floor))
        });
        let half_difference = if let [a, b] = points { 0.5 * (a.x.value - b.x.value) } else { 0.0 };
        let variance = pool(&|p| (p.variance.value, p.variance.error));
        let partial = pool(&|p| (p.partial_energy_ev.value, p.partial_energy_ev.error));
        if (x.0 * sites).min((1.0 - x.0) * sites) < 1.0 {
            return None;
        }
        let spread = x.0 * (1.0 - x.0);
        if !(variance.0 > 0.0 && x.1 > 0.0 && partial.1.is_finite()) {
            return Some(Self::silent(index, points, x, half_difference));
        }
        // The variance of n independent normal values is known to sqrt(2/n) of itself.
        let independent: f64 = points.iter().map(|p| p.kept as f64 / p.inefficiency).sum();
        let slope_error = variance.1.max(variance.0 * (2.0 / independent).sqrt()) / spread;
        Some(Self {
            index,
            mu: first.chemical_potential_ev,
            x,
            half_difference,
            slope: (variance.0 / spread, slope_error),
            partial: (partial.0, partial.1.max(1e-6)),
            energy: pool(&|p| (p.energy_ev.value, p.energy_ev.error)).0,
        })
    }
}

impl Node {
    /// A phase whose number of ions did not change in the whole run, as ordered compounds do at low temperature: its variance is bounded by that of one
    /// change in the run, and its partial energy by the width of kT about mu.
    fn silent(index: usize, points: &[&PointStatistics], x: Datum, half_difference: f64) -> Self {
        let first = points[0];
        let sites = first.sites as f64;
        let sweeps: f64 = points.iter().map(|p| p.kept as f64).sum();
        let spread = x.0 * (1.0 - x.0);
        let variance = 1.0 / (sites * sweeps.max(1.0));
        let energy = points.iter().map(|p| p.energy_ev.value).sum::<f64>() / points.len() as f64;
        Self {
            index,
            mu: first.chemical_potential_ev,
            x: (x.0, x.1.max(variance)),
            half_difference,
            slope: (variance / spread, variance / spread),
            partial: (first.chemical_potential_ev, BOLTZMANN_EV_PER_K * first.temperature_k),
            energy,
        }
    }
}

/// Where a scan hangs: the interval of mu in which the branches differ, or within which x jumps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Loop {
    pub low: f64,
    pub high: f64,
}

/// Whether x rises between two nodes far more than their compressibilities say.
fn jumps(a: &Node, b: &Node, kt: f64) -> bool {
    let rate = |n: &Node| n.slope.0 * n.x.0 * (1.0 - n.x.0) / kt;
    let rise = b.x.0 - a.x.0;
    let expected = (b.mu - a.mu) * rate(a).max(rate(b));
    let noise = RESOLVED_SIGMAS * (a.x.1 * a.x.1 + b.x.1 * b.x.1).sqrt();
    rise - 3.0 * expected > noise.max(2.0 * RESOLVED_X)
}

/// Whether a run of a metastable phase changed over to the other phase on its way: its fluctuations are then far larger than those of the
/// run before it.
fn mixes(before: &Node, node: &Node) -> bool {
    let variance = |n: &Node| n.slope.0 * n.x.0 * (1.0 - n.x.0);
    variance(node) > 4.0 * variance(before)
}

/// Splits a scan into branches and the loops between them (one fewer than branches).
pub(crate) fn branches(scan: &Scan) -> Result<(Vec<Vec<Node>>, Vec<Loop>), LatticeError> {
    let count = scan.up.len();
    if count < 4 || scan.down.len() != count {
        return Err(LatticeError::Length { what: "points of a scan", expected: 4, got: count });
    }
    let kt = BOLTZMANN_EV_PER_K * scan.up[0].temperature_k;
    let splits = |i: usize| {
        let (u, d) = (&scan.up[i].x, &scan.down[i].x);
        // A rising scan that is ahead is no hysteresis but noise, which the difference of the scans adds to the error.
        let difference = d.value - u.value;
        difference > RESOLVED_X
            && difference > RESOLVED_SIGMAS * (u.error * u.error + d.error * d.error).sqrt()
    };
    let (mut done, mut loops, mut current): (Vec<Vec<Node>>, Vec<Loop>, Vec<Node>) = Default::default();
    // Next to a transition the scan that comes through the phase is at rest in it, while the other has just fallen in.
    let settle = |phase: &mut Vec<Node>| {
        if let Some(last) = phase.last_mut() {
            *last = Node::of(last.index, &[&scan.up[last.index]]).unwrap_or(*last);
        }
    };
    let (mut i, mut fresh) = (0, false);
    while i < count {
        if !splits(i) {
            let falling = || Node::of(i, &[&scan.down[i]]);
            let node = if fresh { falling() } else { Node::of(i, &[&scan.up[i], &scan.down[i]]) };
            if let Some(mut node) = node {
                if let Some(low) = current.last().filter(|last| jumps(last, &node, kt)).map(|n| n.mu) {
                    loops.push(Loop { low, high: node.mu });
                    settle(&mut current);
                    done.push(std::mem::take(&mut current));
                    node = falling().unwrap_or(node);
                }
                current.push(node);
                fresh = false;
            }
            i += 1;
            continue;
        }
        let start = i;
        while i < count && splits(i) {
            i += 1;
        }
        let mu = |k: usize| scan.up[k].chemical_potential_ev;
        let low = if start == 0 { mu(0) } else { 0.5 * (mu(start - 1) + mu(start)) };
        let high = if i == count { mu(count - 1) } else { 0.5 * (mu(i - 1) + mu(i)) };
        settle(&mut current);
        // Up to its jump the rising scan continues the lower branch, the falling one the upper branch.
        for k in start..i {
            match (Node::of(k, &[&scan.up[k]]), current.last()) {
                (Some(node), Some(last)) if jumps(last, &node, kt) || mixes(last, &node) => break,
                (Some(node), _) => current.push(node),
                (None, _) => {}
            }
        }
        let mut upper: Vec<Node> = Vec::new();
        for k in (start..i).rev() {
            match (Node::of(k, &[&scan.down[k]]), upper.last()) {
                (Some(node), Some(last)) if jumps(&node, last, kt) || mixes(last, &node) => break,
                (Some(node), _) => upper.push(node),
                (None, _) => {}
            }
        }
        upper.reverse();
        loops.push(Loop { low, high });
        fresh = true;
        done.push(std::mem::replace(&mut current, upper));
    }
    done.push(current);
    if let Some(empty) = done.iter().position(Vec::is_empty) {
        return Err(LatticeError::Length {
            what: "points of a phase with statistics",
            expected: 1,
            got: empty,
        });
    }
    Ok((done, loops))
}

/// Mean over up to two nodes on either side.
fn pooled(nodes: &[Node], at: usize, of: &dyn Fn(&Node) -> f64) -> f64 {
    let near = &nodes[at.saturating_sub(2)..(at + 3).min(nodes.len())];
    near.iter().map(of).sum::<f64>() / near.len() as f64
}

/// Errors of single short runs scatter, and a run that by chance fluctuates little claims too small a one: each node gets the error pooled
/// over its neighbours, relative to what varies slowly along a branch (x(1-x) for the variance of x, the slope for its own error).
fn pool_errors(nodes: &[Node]) -> Vec<Node> {
    let spread = |n: &Node| n.x.0 * (1.0 - n.x.0);
    (0..nodes.len())
        .map(|i| {
            let blocked = pooled(nodes, i, &|n| n.x.1 * n.x.1 / spread(n));
            let between = pooled(nodes, i, &|n| n.half_difference * n.half_difference / spread(n));
            let relative = pooled(nodes, i, &|n| n.slope.1 / n.slope.0);
            let slope = pooled(nodes, i, &|n| n.slope.0);
            let partial = pooled(nodes, i, &|n| n.partial.1 * n.partial.1);
            let mut node = nodes[i];
            node.x.1 = (blocked.max(between) * spread(&node)).sqrt();
            node.slope.1 = relative * slope;
            node.partial.1 = partial.sqrt();
            node
        })
        .collect()
}

/// Puts the exact dilute gases in place of sampled values where they are known better.
fn anchor(node: &mut Node, ends: &Ends, kt: f64) {
    let spread = |x: f64| x * (1.0 - x);
    for (gas, mu, full) in [(&ends.ions, node.mu, false), (&ends.vacancies, -node.mu, true)] {
        let sampled = if full { 1.0 - node.x.0 } else { node.x.0 };
        let Some((density, rate, relative)) = gas.density(mu, kt) else { continue };
        let error = density * relative.max(1e-4);
        // A dense phase can live at the same chemical potential.
        if sampled < 0.05 && density > 0.0 && error < node.x.1 {
            node.x = (if full { 1.0 - density } else { density }, error);
            node.slope = (rate / spread(density), 3.0 * relative.max(1e-4));
        }
    }
}

/// A smoothed single-phase branch: y = kT ln(x/(1 - x)) as a strictly rising function of mu.
///
/// y - mu is bounded and y' = 1 in both dilute limits, which makes y a better variable to smooth than x.
#[derive(Clone, Debug)]
pub(crate) struct Phase {
    kt: f64,
    pub mu: Vec<f64>,
    /// y over mu.
    rising: Pchip,
    /// mu over y.
    inverse: Pchip,
    smooth: Smoothed,
    partial: Smoothed,
    pub nodes: Vec<Node>,
}

fn table(x: &[f64], y: &[f64]) -> Result<Pchip, LatticeError> {
    Pchip::new(x, y).map_err(|source| LatticeError::Table { what: "x(mu) of a phase", source })
}

impl Phase {
    pub fn new(nodes: &[Node], ends: &Ends, temperature_k: f64, spacing: f64) -> Result<Self, LatticeError> {
        let kt = BOLTZMANN_EV_PER_K * temperature_k;
        let mut nodes = pool_errors(nodes);
        for node in &mut nodes {
            anchor(node, ends, kt);
        }
        if let [only] = nodes[..] {
            // A single point still has its slope.
            let step = 0.25 * spacing;
            let odds = (only.x.0 / (1.0 - only.x.0)) * (only.slope.0 * step / kt).exp();
            nodes.push(Node { mu: only.mu + step, x: (odds / (1.0 + odds), only.x.1), ..only });
        }
        let mu: Vec<f64> = nodes.iter().map(|n| n.mu).collect();
        let logit: Vec<Datum> = nodes
            .iter()
            .map(|n| (kt * (n.x.0 / (1.0 - n.x.0)).ln(), kt * n.x.1 / (n.x.0 * (1.0 - n.x.0))))
            .collect();
        let slopes: Vec<Datum> = nodes
            .windows(2)
            .map(|w| {
                let (a, b) = (w[0].slope, w[1].slope);
                // The mean of the end slopes stands for the secant: wrong by a part of their difference where they change.
                let error = (0.25 * (a.1 * a.1 + b.1 * b.1) + (0.25 * (a.0 - b.0)).powi(2)).sqrt();
                (0.5 * (a.0 + b.0), error)
            })
            .collect();
        let smooth_y = smooth(&mu, &logit, &slopes)?;
        let errors: Vec<f64> = (0..mu.len()).map(|i| smooth_y.error(i)).collect();
        let y = strictly_increasing(&smooth_y.values, &errors, 1e-7 * spacing);
        let partials: Vec<Datum> = nodes.iter().map(|n| n.partial).collect();
        let partial = smooth(&mu, &partials, &[])?;
        Ok(Self {
            kt,
            rising: table(&mu, &y)?,
            inverse: table(&y, &mu)?,
            smooth: smooth_y,
            partial,
            nodes,
            mu,
        })
    }

    /// Composition at mu; beyond the ends y goes on along its end tangent.
    pub fn x(&self, mu: f64) -> f64 {
        1.0 / (1.0 + (-self.rising.evaluate(mu).0 / self.kt).exp())
    }

    /// mu and dmu/dy at x.
    pub fn at(&self, x: f64) -> (f64, f64) {
        self.inverse.evaluate(self.kt * (x / (1.0 - x)).ln())
    }

    /// Mean squared residual and largest residual of the smoothing, in error bars.
    pub fn misfit(&self) -> (f64, f64) {
        (self.smooth.reduced_chi2, self.smooth.largest_residual)
    }

    /// Interval of nodes that holds mu, and the position in it (clipped to the ends).
    fn place(&self, mu: f64) -> (usize, f64) {
        let i = self.mu.partition_point(|m| *m <= mu).clamp(1, self.mu.len() - 1) - 1;
        (i, ((mu - self.mu[i]) / (self.mu[i + 1] - self.mu[i])).clamp(0.0, 1.0))
    }

    /// Where residuals exceed the error bars in the mean, the errors are scaled by their ratio (R. T. Birge, Phys. Rev. 40, 207 (1932)).
    fn inflation(&self) -> f64 {
        self.smooth.reduced_chi2.sqrt().max(1.0)
    }

    /// Standard error of y at mu.
    pub fn error_y(&self, mu: f64) -> f64 {
        let (i, t) = self.place(mu);
        self.inflation() * ((1.0 - t) * self.smooth.error(i) + t * self.smooth.error(i + 1))
    }

    /// Standard error of dy/dmu at mu, from the difference over the neighbouring nodes.
    pub fn error_slope(&self, mu: f64) -> f64 {
        let (i, t) = self.place(mu);
        let (low, high) =
            if t < 0.5 { (i.saturating_sub(1), i + 1) } else { (i, (i + 2).min(self.mu.len() - 1)) };
        self.inflation() * self.smooth.difference_error(low, high) / (self.mu[high] - self.mu[low])
    }

    /// Partial energy at mu with its standard error, eV.
    pub fn partial_energy(&self, mu: f64) -> Datum {
        let (i, t) = self.place(mu);
        let mix = |a: f64, b: f64| (1.0 - t) * a + t * b;
        let p = &self.partial;
        (mix(p.values[i], p.values[i + 1]), mix(p.error(i), p.error(i + 1)))
    }

    /// Energy per site at mu: that of the nearest node moved by the partial energy.
    pub fn energy(&self, mu: f64) -> f64 {
        let (i, t) = self.place(mu);
        let node = &self.nodes[if t < 0.5 { i } else { i + 1 }];
        node.energy + self.partial_energy(mu).0 * (self.x(mu) - node.x.0)
    }

    /// Integral of x over mu from a to b, by Simpson's rule with four panels between nodes.
    pub fn integral(&self, a: f64, b: f64) -> f64 {
        let spacing = (self.mu[self.mu.len() - 1] - self.mu[0]) / (self.mu.len() - 1) as f64;
        let panels = ((b - a).abs() / spacing * 4.0).ceil().clamp(4.0, 1e6) as usize;
        let h = (b - a) / panels as f64;
        (0..panels)
            .map(|k| {
                let left = a + h * k as f64;
                h / 6.0 * (self.x(left) + 4.0 * self.x(left + 0.5 * h) + self.x(left + h))
            })
            .sum()
    }

    /// Variance of the integral of x from the start of the branch to b, from the error bars of its nodes.
    pub fn integral_variance(&self, b: f64) -> f64 {
        let step = |i: usize| {
            let left = if i == 0 { self.mu[0] } else { self.mu[i - 1] };
            let right = if i + 1 == self.mu.len() { self.mu[i] } else { self.mu[i + 1] };
            0.5 * (right - left)
        };
        let inside = (0..self.mu.len()).filter(|i| self.mu[*i] <= b);
        inside.map(|i| (step(i) * self.nodes[i].x.1).powi(2)).sum()
    }
}
