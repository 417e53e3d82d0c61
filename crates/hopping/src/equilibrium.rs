//! Canonical equilibrium by exchanges of an ion and a vacancy anywhere on the grid (Kawasaki dynamics with non-local moves),
//! with a test whether the energy has stopped drifting.

use crate::{HoppingError, RateParameters};
use scalade_handoff::LatticeEnergy;
use scalade_numerics::{Philox, blocked_mean};

/// How an equilibration ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Equilibration {
    /// Sweeps made (one attempted exchange per ion or vacancy, whichever are fewer).
    pub sweeps: usize,
    /// Difference of the mean energies of an early and a late stretch, in standard errors.
    pub drift_z: f64,
    /// Whether |drift_z| is below 3.
    pub equilibrated: bool,
    /// Mean energy of the late stretch, eV.
    pub mean_energy_ev: f64,
    /// Share of the exchanges accepted.
    pub acceptance: f64,
}

/// Places `ions` ions at random.
pub fn random_occupation(sites: usize, ions: usize, rng: &mut Philox) -> Result<Vec<bool>, HoppingError> {
    if ions == 0 || ions >= sites {
        return Err(HoppingError::Composition { ions, sites });
    }
    let mut out = vec![false; sites];
    // Floyd's sampling: every subset is equally likely.
    for last in sites - ions..sites {
        let pick = rng.below(last as u32 + 1) as usize;
        let site = if out[pick] { last } else { pick };
        out[site] = true;
    }
    Ok(out)
}

/// One sweep of Metropolis exchanges; returns the accepted ones.
fn sweep(energy: &mut LatticeEnergy, lists: &mut [Vec<u32>; 2], thermal_ev: f64, rng: &mut Philox) -> u64 {
    let mut accepted = 0;
    for _ in 0..lists[0].len().min(lists[1].len()) {
        let ion = rng.below(lists[0].len() as u32) as usize;
        let hole = rng.below(lists[1].len() as u32) as usize;
        let (from, to) = (lists[0][ion] as usize, lists[1][hole] as usize);
        let first = energy.flip(from);
        let delta = first + energy.flip_delta_ev(to);
        if delta <= 0.0 || rng.uniform() < (-delta / thermal_ev).exp() {
            energy.flip(to);
            lists[0][ion] = to as u32;
            lists[1][hole] = from as u32;
            accepted += 1;
        } else {
            energy.flip(from);
        }
    }
    accepted
}

/// An occupation that is changed by exchanges.
pub(crate) trait Exchanges {
    /// One attempted exchange per ion or vacancy, whichever are fewer, at a multiple of the temperature; returns the accepted ones.
    fn sweep(&mut self, factor: f64, rng: &mut Philox) -> u64;
    /// Its energy.
    fn energy(&self) -> f64;
    /// Computes the energy anew.
    fn recompute(&mut self);
    /// Ions or vacancies, whichever are fewer.
    fn pairs(&self) -> usize;
}

/// Annealing from four times the temperature over a quarter of the sweeps, then the temperature itself. The test compares the mean energies of the second
/// and the fourth quarter of the sweeps at temperature, with errors that allow for correlation; on failure the sweeps are doubled, up to three times.
pub(crate) fn settle(state: &mut impl Exchanges, sweeps: usize, rng: &mut Philox) -> Option<Equilibration> {
    let annealing = (sweeps / 4).max(8);
    let mut made = 0;
    for k in 0..annealing {
        let factor = 4f64.powf(1.0 - (k + 1) as f64 / annealing as f64);
        state.sweep(factor, rng);
        made += 1;
    }
    let (mut stretch, mut result) = (sweeps.max(32), None);
    for _ in 0..4 {
        state.recompute();
        let mut accepted = 0;
        let mut series = Vec::with_capacity(stretch);
        for _ in 0..stretch {
            accepted += state.sweep(1.0, rng);
            series.push(state.energy());
        }
        made += stretch;
        let quarter = stretch / 4;
        let (early, late) =
            (blocked_mean(&series[quarter..2 * quarter]), blocked_mean(&series[3 * quarter..]));
        let error = early.standard_error.hypot(late.standard_error);
        let gap = late.mean - early.mean;
        let drift_z = if error > 0.0 { gap / error } else { 0.0 };
        let equilibrated = drift_z.abs() < 3.0;
        let attempts = (stretch * state.pairs()) as f64;
        let acceptance = accepted as f64 / attempts;
        result = Some(Equilibration {
            sweeps: made,
            drift_z,
            equilibrated,
            mean_energy_ev: late.mean,
            acceptance,
        });
        if equilibrated {
            break;
        }
        stretch *= 2;
    }
    state.recompute();
    result
}

/// The occupation of an energy kernel with the lists of its ions and vacancies.
struct Kernel<'a> {
    energy: &'a mut LatticeEnergy,
    lists: [Vec<u32>; 2],
    thermal_ev: f64,
}

impl Exchanges for Kernel<'_> {
    fn sweep(&mut self, factor: f64, rng: &mut Philox) -> u64 {
        sweep(self.energy, &mut self.lists, self.thermal_ev * factor, rng)
    }

    fn energy(&self) -> f64 {
        self.energy.energy_ev()
    }

    fn recompute(&mut self) {
        self.energy.recompute();
    }

    fn pairs(&self) -> usize {
        self.lists[0].len().min(self.lists[1].len())
    }
}

/// Brings the occupation of `energy` to canonical equilibrium by annealing and exchanges at temperature, with a test whether its energy still drifts.
pub fn equilibrate(
    energy: &mut LatticeEnergy,
    parameters: &RateParameters,
    sweeps: usize,
    rng: &mut Philox,
) -> Result<Equilibration, HoppingError> {
    parameters.check()?;
    let sites = energy.grid().sites();
    let ions = energy.occupied_count();
    if ions == 0 || ions >= sites {
        return Err(HoppingError::Composition { ions, sites });
    }
    let thermal = parameters.thermal_energy_ev();
    let listed = |energy: &LatticeEnergy, occupied: bool| -> Vec<u32> {
        (0..sites).filter(|s| energy.is_occupied(*s) == occupied).map(|s| s as u32).collect()
    };
    let lists = [listed(energy, true), listed(energy, false)];
    let mut kernel = Kernel { energy, lists, thermal_ev: thermal };
    settle(&mut kernel, sweeps, rng).ok_or(HoppingError::Composition { ions, sites })
}
