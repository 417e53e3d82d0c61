//! Sampling of a box at given conditions to a wanted precision.

use super::energy::SpeciesEnergy;
use super::moves::{MoveRules, Mover, Reservoir};
use super::recorder::Kept;
use crate::error::ExpansionError;
use rayon::prelude::*;
use scalade_lattice::{BOLTZMANN_EV_PER_K, Estimate, LatticeError};
use scalade_numerics::{Blocks, Philox, variance};

const STREAM_MOVES: u32 = 0x5801;
/// Independent boxes of a point.
const REPLICAS: usize = 4;
/// Blocks kept of a run.
const MOST_BLOCKS: usize = 1024;
/// Records before the first look at errors.
const FIRST_RECORDS: u64 = 64;
/// Records between looks that boxes make by themselves.
const RECORDS_AT_ONCE: u64 = 32;
/// Autocorrelation times that a run has to hold.
const LEAST_TIMES: f64 = 30.0;
/// Temperatures of the annealing, and sweeps at each.
const ANNEALING: [u32; 2] = [24, 8];
/// Accepted moves that a run has to hold: so many, and so many for each site that may change. Errors from fewer, which come in bursts, mean little.
const LEAST_ACCEPTED: u64 = 1000;
const LEAST_ACCEPTED_PER_SITE: u64 = 10;
/// Largest drift of the increments, eV per site.
const LARGEST_DRIFT_EV: f64 = 1e-9;

/// Settings of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeciesRunSettings {
    /// What may move.
    pub rules: MoveRules,
    /// What the box exchanges with its surroundings.
    pub reservoir: Reservoir,
    /// Temperature, kelvin.
    pub temperature_k: f64,
    /// Standard error of the energy per formula unit at which the run is done, eV.
    pub precision_ev: f64,
    /// Most moves, all boxes together.
    pub most_moves: u64,
    /// Seed of the random streams.
    pub seed: u64,
    /// Number of the point: points have streams of their own.
    pub point: u32,
}

/// Mean occupancies of a sublattice.
#[derive(Clone, Debug, PartialEq)]
pub struct SublatticeOccupancy {
    /// Number of the sublattice.
    pub sublattice: usize,
    /// Its species with the share of its sites that they take.
    pub shares: Vec<(String, Estimate)>,
}

/// Averages at given conditions; extensive ones per formula unit.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeciesPoint {
    /// Temperature, kelvin.
    pub temperature_k: f64,
    /// Energy, eV.
    pub energy_ev: Estimate,
    /// var(E - sum_s mu_s N_s)/(kT)^2, in units of k.
    pub heat_capacity: Estimate,
    /// Species of sites with a choice, with their numbers.
    pub composition: Vec<(String, Estimate)>,
    /// Covariances of these numbers: kT dN_s/dmu_t.
    pub covariance: Vec<Vec<Estimate>>,
    /// Mean occupancies of the sublattices with a choice.
    pub occupancies: Vec<SublatticeOccupancy>,
    /// Charge of the box, elementary charges, where the species carry charges and the charge stays.
    pub charge: Option<f64>,
    /// Moves made.
    pub moves: u64,
    /// Share of accepted moves.
    pub acceptance: f64,
    /// Integrated autocorrelation time of the energy of a box, in sweeps (1/2 if uncorrelated).
    pub autocorrelation_time: f64,
    /// Sweeps kept and left out at the beginning, of each box.
    pub sweeps: [u64; 2],
    /// Whether the transient ended before the middle of the run.
    pub equilibrated: bool,
    /// Whether the precision was reached by an equilibrated run that is long over its autocorrelation.
    pub converged: bool,
    /// The last arrangement of the first box.
    pub arrangement: Vec<u8>,
}

/// Where the observables are in a record.
struct Layout {
    species: usize,
    slots: usize,
}

impl Layout {
    fn number(s: usize) -> usize {
        2 + s
    }

    fn product(&self, s: usize, t: usize) -> usize {
        2 + self.species + s * self.species + t
    }

    fn energy_times(&self, s: usize) -> usize {
        2 + self.species * (self.species + 1) + s
    }

    fn occupancy(&self, slot: usize) -> usize {
        2 + self.species * (self.species + 2) + slot
    }

    /// Observables of one box.
    fn width(&self) -> usize {
        self.occupancy(self.slots)
    }

    /// The observable `which` (energy, then numbers) of a box by itself: boxes that do not mix show in their spread.
    fn lane(&self, replica: usize, which: usize) -> usize {
        self.width() + replica * (self.species + 1) + which
    }

    fn record_width(&self) -> usize {
        self.lane(REPLICAS, 0)
    }

    /// Where the energy (0) or a number (1 ...) is.
    fn column(which: usize) -> usize {
        if which == 0 { 0 } else { Self::number(which - 1) }
    }
}

struct Walker {
    energy: SpeciesEnergy,
    rng: Philox,
    moves: u64,
    accepted: u64,
}

impl Walker {
    fn sweep(&mut self, mover: &Mover, kt: f64) {
        for _ in 0..mover.sites.len() {
            self.accepted += u64::from(mover.step(&mut self.energy, kt, &mut self.rng));
        }
        self.moves += mover.sites.len() as u64;
    }

    /// Records of some sweeps, each written to `out`.
    fn records(&mut self, mover: &Mover, kt: f64, shift: &Shift, layout: &Layout) -> Vec<Vec<f64>> {
        (0..RECORDS_AT_ONCE)
            .map(|_| {
                self.sweep(mover, kt);
                shift.observe(mover, &self.energy, layout)
            })
            .collect()
    }
}

/// Origin of the observables: products of large numbers would lose their digits.
struct Shift {
    energy: f64,
    counts: Vec<f64>,
    /// Sublattice and species of every occupancy slot.
    slots: Vec<(usize, usize)>,
}

impl Shift {
    fn observe(&self, mover: &Mover, energy: &SpeciesEnergy, layout: &Layout) -> Vec<f64> {
        let mut out = vec![0.0; layout.width()];
        let e = energy.energy_ev() - self.energy;
        (out[0], out[1]) = (e, e * e);
        let counts = mover.counts(energy);
        let n: Vec<f64> = counts.iter().zip(&self.counts).map(|(n, o)| n - o).collect();
        for s in 0..n.len() {
            out[Layout::number(s)] = n[s];
            out[layout.energy_times(s)] = e * n[s];
            for t in 0..n.len() {
                out[layout.product(s, t)] = n[s] * n[t];
            }
        }
        let mut start = vec![usize::MAX; energy.grid().basis()];
        for (slot, (basis, species)) in self.slots.iter().enumerate() {
            if *species == 0 {
                start[*basis] = layout.occupancy(slot);
            }
        }
        for (site, s) in energy.species().iter().enumerate() {
            let from = start[energy.sublattice(site)];
            if from != usize::MAX {
                out[from + usize::from(*s)] += 1.0;
            }
        }
        out
    }
}

/// Samples a box from its present arrangement: annealed from a temperature at which most moves are accepted, then run until the standard error of the
/// energy is small enough or the moves are used up. Four independent boxes, whose spread counts where it is larger than the error that blocks show: boxes
/// that are stuck do not converge. The result depends on the seed, not on the number of threads.
///
/// Errors: settings out of range, rules that leave nothing to move, increments that drift.
pub fn sample_species(
    start: &SpeciesEnergy,
    formula_units_per_cell: f64,
    settings: &SpeciesRunSettings,
) -> Result<SpeciesPoint, ExpansionError> {
    let positive = |name, value: f64| {
        let holds = value > 0.0 && value.is_finite();
        let want = "a positive number is due";
        if holds { Ok(()) } else { Err(LatticeError::Setting { name, value, want }) }
    };
    positive("temperature (K)", settings.temperature_k)?;
    positive("precision", settings.precision_ev)?;
    let mover = Mover::new(start, &settings.rules, &settings.reservoir)?;
    let kt = BOLTZMANN_EV_PER_K * settings.temperature_k;
    let mut walkers: Vec<Walker> = (0..REPLICAS as u32)
        .map(|r| Walker {
            energy: start.clone(),
            rng: Philox::new(settings.seed, STREAM_MOVES, settings.point * REPLICAS as u32 + r),
            moves: 0,
            accepted: 0,
        })
        .collect();
    walkers.par_iter_mut().for_each(|walker| anneal(walker, &mover, kt));
    let shift = Shift {
        energy: walkers[0].energy.energy_ev(),
        counts: mover.counts(&walkers[0].energy),
        slots: slots(start),
    };
    let layout = Layout { species: mover.names.len(), slots: shift.slots.len() };
    let mut blocks = Blocks::new(layout.record_width(), MOST_BLOCKS);
    let formulas = formula_units_per_cell * start.grid().cells() as f64;
    let mut next = FIRST_RECORDS;
    loop {
        let lists: Vec<Vec<Vec<f64>>> =
            walkers.par_iter_mut().map(|w| w.records(&mover, kt, &shift, &layout)).collect();
        for record in 0..RECORDS_AT_ONCE as usize {
            let mut joined: Vec<f64> = (0..layout.width())
                .map(|k| lists.iter().map(|l| l[record][k]).sum::<f64>() / REPLICAS as f64)
                .collect();
            let lanes = |l: &Vec<Vec<f64>>| {
                (0..=layout.species).map(|w| l[record][Layout::column(w)]).collect::<Vec<f64>>()
            };
            joined.extend(lists.iter().flat_map(lanes));
            for (open, value) in blocks.open().iter_mut().zip(&joined) {
                *open += value;
            }
            blocks.end_record();
        }
        let moves: u64 = walkers.iter().map(|w| w.moves).sum();
        let out = moves >= settings.most_moves;
        if blocks.records() < next && !out {
            continue;
        }
        // At records that grow by a half, so that stopping when errors are small does not select for small estimates.
        next += next / 2;
        let watched = (0..=mover.names.len()).map(Layout::column);
        let Some(kept) = Kept::of(&blocks, watched) else { continue };
        let accepted = walkers.iter().map(|w| w.accepted).sum();
        let summary = Summary { kept, layout: &layout, shift: &shift, mover: &mover, formulas, kt, accepted };
        let done = summary.is_done(settings.precision_ev);
        if done || out {
            check_drift(&mut walkers)?;
            return Ok(summary.point(&walkers, settings, done));
        }
    }
}

/// Sublattices with a choice, with their species.
fn slots(energy: &SpeciesEnergy) -> Vec<(usize, usize)> {
    let sublattices = energy.sublattices().iter().enumerate().filter(|(_, s)| s.species.len() > 1);
    sublattices.flat_map(|(b, s)| (0..s.species.len()).map(move |k| (b, k))).collect()
}

fn anneal(walker: &mut Walker, mover: &Mover, kt: f64) {
    // The spread of energies of a box that moves freely is the scale of what moves cost.
    let free = 1e9;
    walker.sweep(mover, free);
    let before = walker.energy.energy_ev();
    let trials = 64.max(mover.sites.len());
    let (mut squares, mut made, mut last) = (0.0, 0.0, before);
    for _ in 0..trials {
        if mover.step(&mut walker.energy, free, &mut walker.rng) {
            squares += (walker.energy.energy_ev() - last).powi(2);
            last = walker.energy.energy_ev();
            made += 1.0;
        }
    }
    let hot = 2.0 * (squares / f64::max(made, 1.0)).sqrt();
    let [levels, sweeps] = ANNEALING;
    if hot > kt {
        for level in 0..levels {
            let share = f64::from(level) / f64::from(levels);
            let between = hot.powf(1.0 - share) * kt.powf(share);
            (0..sweeps).for_each(|_| walker.sweep(mover, between));
        }
    }
    (0..sweeps).for_each(|_| walker.sweep(mover, kt));
    (walker.moves, walker.accepted) = (0, 0);
    walker.energy.recompute();
}

fn check_drift(walkers: &mut [Walker]) -> Result<(), ExpansionError> {
    for walker in walkers {
        let drift = walker.energy.recompute().abs() / walker.energy.grid().sites() as f64;
        let small = drift <= LARGEST_DRIFT_EV;
        if !small {
            return Err(LatticeError::Drift {
                drift_ev_per_site: drift,
                limit: LARGEST_DRIFT_EV,
                chemical_potential_ev: 0.0,
            }
            .into());
        }
    }
    Ok(())
}

/// Averages of what was recorded.
struct Summary<'a> {
    kept: Kept<'a>,
    layout: &'a Layout,
    shift: &'a Shift,
    mover: &'a Mover,
    formulas: f64,
    kt: f64,
    accepted: u64,
}

impl Summary<'_> {
    fn autocorrelation_time(&self) -> f64 {
        // The records are means over the boxes.
        let variance = (self.kept.mean(1) - self.kept.mean(0).powi(2)).max(0.0) / REPLICAS as f64;
        self.kept.autocorrelation_time(0, variance)
    }

    /// Energy (0) or a number (1 ...) of the mean box, with the larger of the errors that blocks and the spread of the boxes show.
    fn mean_of(&self, which: usize) -> Estimate {
        let found = self.kept.estimate(|b| b[Layout::column(which)]);
        let means: Vec<f64> = (0..REPLICAS).map(|r| self.kept.mean(self.layout.lane(r, which))).collect();
        let spread = (variance(&means) / REPLICAS as f64).sqrt();
        let seen = found.error.max(spread);
        let unseen = if which == 0 { self.unseen_ev() } else { 0.0 };
        Estimate { value: found.value, error: seen.hypot(unseen) }
    }

    /// What rare excitations may add to the energy of a box that no record shows, eV: n independent records leave room for some of probability 3/n, which at
    /// that probability cost kT ln n. Nothing beside the fluctuations of a box that moves; all there is to say of one that is frozen.
    fn unseen_ev(&self) -> f64 {
        let n = self.kept.records() as f64 * REPLICAS as f64 / (2.0 * self.autocorrelation_time());
        3.0 * self.kt * n.max(2.0).ln() / n.max(2.0)
    }

    fn is_done(&self, precision_ev: f64) -> bool {
        let (_, blocked) = self.kept.blocked(|b| b[0]);
        let due = LEAST_ACCEPTED.max(LEAST_ACCEPTED_PER_SITE * self.mover.sites.len() as u64);
        self.mean_of(0).error / self.formulas <= precision_ev
            && self.accepted >= due
            && blocked.plateau
            && self.kept.equilibrated()
            && self.kept.records() as f64 >= LEAST_TIMES * self.autocorrelation_time()
    }

    fn heat_capacity(&self) -> Estimate {
        let mu = self.mover.chemical_potentials_ev();
        let n = mu.len();
        let grand = |b: &[f64]| b[0] - (0..n).map(|s| mu[s] * b[Layout::number(s)]).sum::<f64>();
        let square = |b: &[f64]| {
            let mut sum = b[1];
            for s in 0..n {
                sum -= 2.0 * mu[s] * b[self.layout.energy_times(s)];
                sum += (0..n).map(|t| mu[s] * mu[t] * b[self.layout.product(s, t)]).sum::<f64>();
            }
            sum
        };
        let mean = self.kept.estimate(grand);
        // Error of a function of the means: that of the series of its linearisation.
        let linear = self.kept.estimate(|b| square(b) - 2.0 * mean.value * grand(b));
        let variance = (linear.value + mean.value * mean.value).max(0.0) + mean.error * mean.error;
        let scale = 1.0 / (self.kt * self.kt * self.formulas);
        Estimate { value: scale * variance, error: scale * linear.error }
    }

    fn point(&self, walkers: &[Walker], settings: &SpeciesRunSettings, converged: bool) -> SpeciesPoint {
        let per_formula = |of: Estimate, shift: f64| Estimate {
            value: (of.value + shift) / self.formulas,
            error: of.error / self.formulas,
        };
        let n = self.mover.names.len();
        let composition = (0..n)
            .map(|s| (self.mover.names[s].clone(), per_formula(self.mean_of(s + 1), self.shift.counts[s])))
            .collect();
        let energy = &walkers[0].energy;
        let moves: u64 = walkers.iter().map(|w| w.moves).sum();
        let charges = energy.sublattices().iter().any(|s| !s.charges.is_empty());
        let stays = !self.mover.is_open() || self.mover.is_neutral();
        SpeciesPoint {
            temperature_k: settings.temperature_k,
            energy_ev: per_formula(self.mean_of(0), self.shift.energy),
            heat_capacity: self.heat_capacity(),
            composition,
            covariance: (0..n).map(|s| (0..n).map(|t| self.covariance(s, t)).collect()).collect(),
            occupancies: self.occupancies(energy),
            charge: (charges && stays).then(|| energy.charge()),
            moves,
            acceptance: self.accepted as f64 / moves.max(1) as f64,
            autocorrelation_time: self.autocorrelation_time(),
            sweeps: [self.kept.records(), self.kept.discarded()],
            equilibrated: self.kept.equilibrated(),
            converged,
            arrangement: energy.species().to_vec(),
        }
    }

    /// Covariance of two numbers per formula unit, with the error of its linearisation.
    fn covariance(&self, s: usize, t: usize) -> Estimate {
        let (of_s, of_t) = (Layout::number(s), Layout::number(t));
        let (mean_s, mean_t) = (self.kept.mean(of_s), self.kept.mean(of_t));
        let product = self.layout.product(s, t);
        let linear = self.kept.estimate(|b| b[product] - mean_s * b[of_t] - mean_t * b[of_s]);
        let scale = 1.0 / self.formulas;
        Estimate { value: scale * (linear.value + mean_s * mean_t), error: scale * linear.error }
    }

    fn occupancies(&self, energy: &SpeciesEnergy) -> Vec<SublatticeOccupancy> {
        let cells = energy.grid().cells() as f64;
        let mut out: Vec<SublatticeOccupancy> = Vec::new();
        for (slot, (sublattice, species)) in self.shift.slots.iter().enumerate() {
            let column = self.layout.occupancy(slot);
            let mean = self.kept.estimate(|b| b[column]);
            let share = Estimate { value: mean.value / cells, error: mean.error / cells };
            let name = energy.sublattices()[*sublattice].species[*species].clone();
            match out.last_mut() {
                Some(last) if last.sublattice == *sublattice => last.shares.push((name, share)),
                _ => out.push(SublatticeOccupancy { sublattice: *sublattice, shares: vec![(name, share)] }),
            }
        }
        out
    }
}
