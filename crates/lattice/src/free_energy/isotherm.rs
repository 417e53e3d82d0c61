//! Which phases are stable at one temperature, and where they coexist.

use super::branch::{Branch, BranchSettings, grid_step};
use super::low_temperature::{LowTemperature, PhaseSeed};
use crate::{BOLTZMANN_EV_PER_K, Estimate, LatticeError};
use rayon::prelude::*;
use scalade_handoff::LatticeEnergy;
use serde::{Deserialize, Serialize};

/// Compositions that differ by less than this are one.
const RESOLVED_X: f64 = 0.01;
/// Standard errors by which compositions of two phases must differ.
const RESOLVED_SIGMAS: f64 = 4.0;
/// Standard deviations of the fluctuating compositions of both phases by which they must lie apart.
const RESOLVED_WIDTHS: f64 = 2.0;
/// kT by which the chemical potentials reach beyond the windows of the phases.
const MARGIN_KT: f64 = 14.0;

/// Two phases in equilibrium.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Boundary {
    /// Numbers of the seeds, the poorer in ions first; one more than there are seeds stands for the phase from infinite temperature.
    pub phases: [usize; 2],
    /// Chemical potential of coexistence, eV.
    pub chemical_potential_ev: Estimate,
    /// Compositions of the two phases.
    pub x: [Estimate; 2],
    /// Energies per site of the two phases, eV.
    pub energy_ev: [f64; 2],
    /// Whether both phases were sampled on both sides of the crossing; if not, one ended within a step of it and the error is that step.
    pub resolved: bool,
}

/// The phases at one temperature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Isotherm {
    /// Temperature, K.
    pub temperature_k: f64,
    /// All phases that last at this temperature, stable or not.
    pub branches: Vec<Branch>,
    /// Stable phases over the chemical potential, rising: branch, first and last grid number.
    pub stable: Vec<(usize, i64, i64)>,
    /// First-order boundaries, with rising chemical potential.
    pub boundaries: Vec<Boundary>,
    /// Chemical potentials (eV) at which one phase passes into another without a jump.
    pub continuous_ev: Vec<f64>,
}

impl Isotherm {
    /// The equilibrium curve: compositions and chemical potentials (eV), both rising, with the ends of every plateau.
    pub fn equilibrium(&self) -> Vec<[f64; 2]> {
        let mut points: Vec<[f64; 2]> = Vec::new();
        for (branch, first, last) in &self.stable {
            let branch = &self.branches[*branch];
            points.extend(
                (*first..=*last)
                    .filter_map(|n| branch.place(n))
                    .map(|k| [branch.x[k].value, branch.mu_ev[k]]),
            );
        }
        for b in &self.boundaries {
            points.extend(b.x.map(|x| [x.value, b.chemical_potential_ev.value]));
        }
        points.sort_by(|a, b| a[1].total_cmp(&b[1]).then(a[0].total_cmp(&b[0])));
        // Noise of the compositions of ordered phases is no fall of x.
        let mut highest = 0.0f64;
        for p in &mut points {
            highest = highest.max(p[0]);
            p[0] = highest;
        }
        points
    }
}

/// Chemical potentials that hold the windows of all phases, eV.
pub(super) fn range(
    seeds: &[PhaseSeed],
    energy: &LatticeEnergy,
    hottest_k: f64,
) -> Result<[f64; 2], LatticeError> {
    let grid = *energy.grid();
    let mut range = [f64::INFINITY, f64::NEG_INFINITY];
    for seed in seeds {
        let Some(pattern) = seed.pattern(&grid) else { continue };
        let mut state = energy.clone();
        state.set_occupation(&pattern)?;
        let [low, high] = LowTemperature::new(seed, &mut state)?.window_ev();
        for end in [low, high] {
            if end.is_finite() {
                range = [range[0].min(end), range[1].max(end)];
            }
        }
    }
    let margin = MARGIN_KT * BOLTZMANN_EV_PER_K * hottest_k;
    Ok([range[0] - margin, range[1] + margin])
}

/// Follows every phase at a temperature and finds which are stable. Where they leave a gap, the phase that is reached from infinite temperature is
/// taken in; its number is that of the seeds.
pub fn isotherm(
    seeds: &[PhaseSeed],
    energy: &LatticeEnergy,
    temperature_k: f64,
    settings: &BranchSettings,
) -> Result<Isotherm, LatticeError> {
    let holds = (1.0..=1e5).contains(&temperature_k);
    LatticeError::require(holds, "temperature (kelvin)", temperature_k, "1 to 100000 is due")?;
    let range_ev = range(seeds, energy, temperature_k)?;
    let some = range_ev[1] > range_ev[0];
    if !some {
        return Err(LatticeError::Length { what: "phases that fit the box", expected: 1, got: 0 });
    }
    let points = (range_ev[1] - range_ev[0]) / grid_step(temperature_k, settings);
    if points > 50_000.0 {
        let count = points as usize;
        return Err(LatticeError::TooMany { what: "chemical potentials", count, limit: 50_000 });
    }
    let mut branches: Vec<Branch> = (0..seeds.len())
        .into_par_iter()
        .map(|phase| Branch::new(seeds, phase, energy, temperature_k, range_ev, settings))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect();
    let mut found = envelope(temperature_k, branches.clone(), settings);
    // Where a phase ends before the next begins, something else is stable between: what comes from infinite temperature.
    let gaps: Vec<f64> =
        found.boundaries.iter().filter(|b| !b.resolved).map(|b| b.chemical_potential_ev.value).collect();
    if !gaps.is_empty() {
        let more = gaps
            .par_iter()
            .map(|mu| {
                Branch::from_infinite_temperature(seeds.len(), energy, temperature_k, *mu, range_ev, settings)
            })
            .collect::<Result<Vec<_>, _>>()?;
        branches.extend(more);
        found = envelope(temperature_k, branches, settings);
    }
    Ok(found)
}

/// The lower envelope of the potentials and its corners.
fn envelope(temperature_k: f64, branches: Vec<Branch>, settings: &BranchSettings) -> Isotherm {
    let first = branches.iter().map(|b| b.first).min().unwrap_or(0);
    let last = branches.iter().map(|b| b.first + b.mu_ev.len() as i64).max().unwrap_or(0);
    let lowest = |number: i64| {
        let here = branches
            .iter()
            .enumerate()
            .filter_map(|(b, branch)| branch.place(number).map(|k| (b, branch.potential_ev[k].value)));
        let best = here.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(b, _)| b)?;
        // A disordered phase that has ordered by itself is the ordered one.
        let named = (0..branches.len())
            .find(|b| branches[*b].ordered && same(&branches[best], &branches[*b], number));
        Some(named.filter(|_| !branches[best].ordered).unwrap_or(best))
    };
    let mut stable: Vec<(usize, i64, i64)> = Vec::new();
    for number in first..last {
        let Some(best) = lowest(number) else { continue };
        match stable.last_mut() {
            // Of phases that have become one the first stays: their potentials differ by noise.
            Some((phase, _, end))
                if *phase == best
                    || (branches[*phase].ordered == branches[best].ordered
                        && same(&branches[*phase], &branches[best], number)) =>
            {
                *end = number;
            }
            _ => stable.push((best, number, number)),
        }
    }
    let step = grid_step(temperature_k, settings);
    let (mut boundaries, mut continuous) = (Vec::new(), Vec::new());
    for pair in stable.windows(2) {
        let (a, b) = (&branches[pair[0].0], &branches[pair[1].0]);
        // A branch that ended where it had become the other one has no boundary with it.
        let merged = same(a, b, pair[0].2) || same(a, b, pair[1].1);
        match crossing(a, b, pair[0].2, pair[1].1, step).filter(|_| !merged) {
            Some(boundary) => boundaries.push(boundary),
            None if merged && a.ordered == b.ordered => {}
            None => continuous.push((pair[0].2 as f64 + 0.5) * step),
        }
    }
    Isotherm { temperature_k, branches, stable, boundaries, continuous_ev: continuous }
}

/// Whether two branches are one phase at a grid point: equal compositions and potentials within their errors.
fn same(a: &Branch, b: &Branch, number: i64) -> bool {
    let (Some(i), Some(j)) = (a.place(number), b.place(number)) else { return false };
    let apart = |p: Estimate, q: Estimate, least: f64| {
        (p.value - q.value).abs() > least.max(RESOLVED_SIGMAS * p.error.hypot(q.error))
    };
    !apart(a.x[i], b.x[j], RESOLVED_X) && !apart(a.potential_ev[i], b.potential_ev[j], 1e-6)
}

/// Value at a fraction of the step from node k on, with the larger error of both nodes.
fn between(list: &[Estimate], k: usize, fraction: f64) -> Estimate {
    let next = list.get(k + 1).unwrap_or(&list[k]);
    Estimate {
        value: (1.0 - fraction) * list[k].value + fraction * next.value,
        error: list[k].error.max(next.error),
    }
}

/// Where `b` takes over from `a`, which is stable up to the grid number `end`; `None` if they do not differ there.
fn crossing(a: &Branch, b: &Branch, end: i64, begin: i64, step: f64) -> Option<Boundary> {
    let gap = |n: i64| -> Option<(f64, f64, f64)> {
        let (i, j) = (a.place(n)?, b.place(n)?);
        let (p, q) = (a.potential_ev[i], b.potential_ev[j]);
        Some((p.value - q.value, p.error.hypot(q.error), b.x[j].value - a.x[i].value))
    };
    // Where only one grid point has both phases, their difference goes on with its slope, the difference of the compositions.
    let (fraction, error, resolved) = match (gap(end), gap(end + 1)) {
        (Some((here, error, _)), Some((next, _, _))) => (here / (here - next), error, true),
        (Some((here, error, rise)), None) => (-here / (rise * step), error, true),
        (None, Some((next, error, rise))) => (1.0 - next / (rise * step), error, true),
        (None, None) => (0.5 * (begin - end) as f64, 0.0, false),
    };
    let fraction = if resolved { fraction.clamp(0.0, 1.0) } else { fraction };
    let (i, j, offset) = match (a.place(end), b.place(end), b.place(begin)) {
        (Some(i), Some(j), _) => (i, j, fraction),
        (Some(i), None, Some(j)) => (i, j, 0.0),
        _ => return None,
    };
    let within = |f: f64| if resolved { f } else { 0.0 };
    let x = [between(&a.x, i, within(fraction)), between(&b.x, j, within(offset))];
    let rise = x[1].value - x[0].value;
    // Phases whose compositions overlap as they fluctuate are one, or too near to a critical point for this box to tell.
    let overlap = RESOLVED_WIDTHS * (a.fluctuation(i) + b.fluctuation(j));
    if rise.abs() < RESOLVED_X.max(RESOLVED_SIGMAS * x[0].error.hypot(x[1].error)).max(overlap) {
        return None;
    }
    let mu = (end as f64 + fraction) * step;
    let error = if resolved { error / rise.abs() } else { 0.5 * (begin - end) as f64 * step };
    Some(Boundary {
        phases: [a.phase, b.phase],
        chemical_potential_ev: Estimate { value: mu, error },
        x,
        energy_ev: [a.energy_ev[i], b.energy_ev[j]],
        resolved,
    })
}
