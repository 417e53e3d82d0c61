//! Scans of the chemical potential in both directions: hysteresis shows where they differ.

use crate::metropolis::Series;
use crate::phases::{Loop, branches};
use crate::statistics::sample_point;
use crate::{BOLTZMANN_EV_PER_K, DiluteLimit, LatticeError, Metropolis, PointStatistics};
use scalade_crystal::SiteGrid;
use scalade_handoff::{LatticeEnergy, LatticeHamiltonian};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most sites of a box: the kernel keeps a list of neighbours for each.
const MOST_SITES: usize = 1 << 22;

/// Reports progress and asks whether to go on.
pub trait Monitor: Sync {
    /// Called after each finished point. The total grows once if a transition calls for a second, finer pass.
    fn progress(&self, done: usize, total: usize) {
        let _ = (done, total);
    }

    /// True to stop at the next point.
    fn cancelled(&self) -> bool {
        false
    }
}

/// A monitor that stays silent and never stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Monitor for Silent {}

/// Direction of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// From the empty lattice, chemical potential rising.
    Up,
    /// From the full lattice, chemical potential falling.
    Down,
}

/// Budget of a scan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScanSettings {
    /// Primitive cells of the box along each lattice vector.
    pub dims: [usize; 3],
    /// Spacing of the chemical potentials in units of kT.
    pub spacing_kt: f64,
    /// Composition at which the scan starts, and one minus that at which it ends, by the dilute limit.
    pub dilute_fraction: f64,
    /// Sweeps before recording at each chemical potential.
    pub equilibration: usize,
    /// Recorded sweeps at each chemical potential.
    pub sweeps: usize,
    /// Parts into which steps of mu are divided where the first pass finds a transition (1: none).
    pub refinement: usize,
    /// Seed.
    pub seed: u64,
}

impl Default for ScanSettings {
    fn default() -> Self {
        Self {
            dims: [12, 12, 12],
            spacing_kt: 0.5,
            dilute_fraction: 0.0015,
            equilibration: 8,
            sweeps: 40,
            refinement: 6,
            seed: 1,
        }
    }
}

impl ScanSettings {
    pub(crate) fn check(&self) -> Result<(), LatticeError> {
        let require = LatticeError::require;
        let spacing = self.spacing_kt;
        require((1e-3..=5.0).contains(&spacing), "spacing of mu (kT)", spacing, "0.001 to 5 is due")?;
        let dilute = self.dilute_fraction;
        require((1e-5..=0.05).contains(&dilute), "dilute fraction", dilute, "0.00001 to 0.05 is due")?;
        let parts = self.refinement;
        require((1..=1000).contains(&parts), "refinement of mu", parts as f64, "1 to 1000 is due")?;
        require(self.sweeps >= 8, "sweeps per point", self.sweeps as f64, "at least 8 are due")
    }
}

/// Which coefficients of a Hamiltonian are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Member {
    /// The best coefficients.
    Mean,
    /// Posterior sample k.
    Sample(usize),
}

impl Member {
    /// Its coefficients.
    pub fn coefficients(self, hamiltonian: &LatticeHamiltonian) -> Result<&[f64], LatticeError> {
        match self {
            Self::Mean => Ok(&hamiltonian.coefficients_ev),
            Self::Sample(k) => {
                let got = hamiltonian.samples_ev.len();
                let short = LatticeError::Length { what: "posterior samples", expected: k + 1, got };
                hamiltonian.samples_ev.get(k).map(Vec::as_slice).ok_or(short)
            }
        }
    }

    fn stream(self) -> u32 {
        match self {
            Self::Mean => 0,
            Self::Sample(k) => k as u32 + 1,
        }
    }
}

/// The two ends of the lattice: energies per site and the cost of the first ion or vacancy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ends {
    /// Energy per site of the empty lattice, eV.
    pub empty_ev: f64,
    /// Energy per site of the full lattice, eV.
    pub full_ev: f64,
    /// Lowest and highest energy of the first ion in the empty lattice, eV (over sublattices).
    pub first_ion_ev: [f64; 2],
    /// Lowest and highest energy gained by the last ion in the full lattice, eV.
    pub last_ion_ev: [f64; 2],
    /// The gas of ions in the empty lattice.
    pub ions: DiluteLimit,
    /// The gas of vacancies in the full lattice (whose chemical potential is -mu).
    pub vacancies: DiluteLimit,
}

/// Computes the ends on a grid; leaves the lattice full.
pub(crate) fn ends(energy: &mut LatticeEnergy, temperature_k: f64) -> Result<Ends, LatticeError> {
    let grid = *energy.grid();
    let size = grid.sites() as f64;
    energy.set_occupation(&vec![false; grid.sites()])?;
    let empty_ev = energy.energy_ev() / size;
    let bounds = |values: &mut dyn Iterator<Item = f64>| {
        values.fold([f64::INFINITY, f64::NEG_INFINITY], |b, v| [b[0].min(v), b[1].max(v)])
    };
    let first_ion_ev = bounds(&mut (0..grid.basis()).map(|b| energy.flip_delta_ev(b)));
    energy.set_occupation(&vec![true; grid.sites()])?;
    let full_ev = energy.energy_ev() / size;
    let last_ion_ev = bounds(&mut (0..grid.basis()).map(|b| -energy.flip_delta_ev(b)));
    let ions = DiluteLimit::new(energy, false, temperature_k)?;
    let vacancies = DiluteLimit::new(energy, true, temperature_k)?;
    Ok(Ends { empty_ev, full_ev, first_ion_ev, last_ion_ev, ions, vacancies })
}

/// Chemical potentials of a scan, rising, equally spaced: from the dilute gas of ions to that of vacancies, and by `beyond` (eV) further at either
/// end.
pub(crate) fn chemical_potentials(
    ends: &Ends,
    temperature_k: f64,
    settings: &ScanSettings,
    beyond: [f64; 2],
) -> Result<Vec<f64>, LatticeError> {
    let kt = BOLTZMANN_EV_PER_K * temperature_k;
    let margin = kt * (1.0 / settings.dilute_fraction).ln();
    let low = ends.first_ion_ev[0].min(ends.last_ion_ev[0]) - margin - beyond[0];
    let high = ends.first_ion_ev[1].max(ends.last_ion_ev[1]) + margin + beyond[1];
    let points = ((high - low) / (settings.spacing_kt * kt)).ceil().max(4.0);
    let few = points <= 20_000.0;
    if !few {
        let count = points.min(1e18) as usize;
        return Err(LatticeError::TooMany { what: "chemical potentials", count, limit: 20_000 });
    }
    let count = points as usize;
    Ok((0..=count).map(|i| low + (high - low) * i as f64 / count as f64).collect())
}

/// Both scans of one member at one temperature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scan {
    /// Ends of the lattice.
    pub ends: Ends,
    /// From the empty lattice, mu rising.
    pub up: Vec<PointStatistics>,
    /// From the full lattice; listed with mu rising like `up`.
    pub down: Vec<PointStatistics>,
    /// Trials made in all.
    pub trials: u64,
}

/// What both directions of a scan share.
struct Plan<'a> {
    energy: &'a LatticeEnergy,
    temperature_k: f64,
    settings: &'a ScanSettings,
    /// Chemical potentials, rising.
    potentials: Vec<f64>,
    stream: u32,
    replica: u32,
    monitor: &'a dyn Monitor,
    done: &'a AtomicUsize,
    total: usize,
}

impl Plan<'_> {
    /// One direction; the points are listed with mu rising. Also returns the number of trials.
    fn run(&self, direction: Direction) -> Result<(Vec<PointStatistics>, u64), LatticeError> {
        let mut start = self.energy.clone();
        start.set_occupation(&vec![direction == Direction::Down; start.grid().sites()])?;
        let stream = 2 * self.stream + u32::from(direction == Direction::Down);
        let mut chain = Metropolis::new(start, self.settings.seed, stream, self.replica);
        let mut series = Series::default();
        let count = self.potentials.len();
        let mut points = Vec::with_capacity(count);
        for step in 0..count {
            if self.monitor.cancelled() {
                let done = self.done.load(Ordering::Relaxed);
                return Err(LatticeError::Cancelled { done, total: self.total });
            }
            let mu = self.potentials[if direction == Direction::Up { step } else { count - 1 - step }];
            let (equilibration, sweeps) = (self.settings.equilibration, self.settings.sweeps);
            points.push(sample_point(
                &mut chain,
                self.temperature_k,
                mu,
                equilibration,
                sweeps,
                &mut series,
            )?);
            self.monitor.progress(self.done.fetch_add(1, Ordering::Relaxed) + 1, self.total);
        }
        if direction == Direction::Down {
            points.reverse();
        }
        Ok((points, chain.counts().0))
    }

    fn both(&self, ends: Ends) -> Result<Scan, LatticeError> {
        let (up, down) = rayon::join(|| self.run(Direction::Up), || self.run(Direction::Down));
        let ((up, a), (down, b)) = (up?, down?);
        Ok(Scan { ends, up, down, trials: a + b })
    }
}

/// Chemical potentials with every interval that a transition (or its neighbour) lies in parted into `parts`.
fn refine(potentials: &[f64], loops: &[Loop], parts: usize) -> Vec<f64> {
    let mut out = Vec::with_capacity(potentials.len());
    for w in potentials.windows(2) {
        let reach = w[1] - w[0];
        let near = loops.iter().any(|l| w[1] > l.low - reach && w[0] < l.high + reach);
        let parts = if near { parts } else { 1 };
        out.extend((0..parts).map(|k| w[0] + reach * k as f64 / parts as f64));
    }
    out.extend(potentials.last());
    out
}

/// How many times wider than the dilute fraction asked for an end of a scan may be before the scan is widened.
const WIDEST_DILUTE: f64 = 5.0;
/// Most times a scan is widened.
const MOST_WIDENINGS: u32 = 8;

/// By how much the ends of a scan are to move (eV), where an ordered phase is stable at the chemical potential at which the gas alone would be
/// dilute: ions that attract one another leave only at a lower one.
fn widening(scan: &Scan, temperature_k: f64, settings: &ScanSettings) -> [f64; 2] {
    let most = WIDEST_DILUTE * settings.dilute_fraction;
    let (Some(first), Some(last)) = (
        scan.up.first().zip(scan.down.first()).map(|(a, b)| a.x.value.max(b.x.value)),
        scan.up.last().zip(scan.down.last()).map(|(a, b)| a.x.value.min(b.x.value)),
    ) else {
        return [0.0; 2];
    };
    let reach = match (scan.up.first(), scan.up.last()) {
        (Some(a), Some(b)) => b.chemical_potential_ev - a.chemical_potential_ev,
        _ => 0.0,
    };
    let step = (8.0 * BOLTZMANN_EV_PER_K * temperature_k).max(0.25 * reach);
    [if first > most { step } else { 0.0 }, if 1.0 - last > most { step } else { 0.0 }]
}

/// Scans mu up from the empty and down from the full lattice, over as wide a range as it takes to empty and to fill it. Where x jumps or the directions differ, both scans are repeated with finer steps there.
///
/// A pure function of its arguments: the two directions may run on two threads, each with its own random stream (seed, member and direction,
/// pass).
pub fn scan(
    hamiltonian: &LatticeHamiltonian,
    member: Member,
    temperature_k: f64,
    settings: &ScanSettings,
    monitor: &dyn Monitor,
) -> Result<Scan, LatticeError> {
    settings.check()?;
    let holds = temperature_k > 0.0 && temperature_k.is_finite();
    LatticeError::require(holds, "temperature (kelvin)", temperature_k, "a positive number is due")?;
    let grid = SiteGrid::new(settings.dims, hamiltonian.basis_fractional.len())?;
    if grid.sites() > MOST_SITES {
        return Err(LatticeError::TooMany {
            what: "sites of the box",
            count: grid.sites(),
            limit: MOST_SITES,
        });
    }
    let mut energy = LatticeEnergy::new(hamiltonian, member.coefficients(hamiltonian)?, grid, &[])?;
    let ends = ends(&mut energy, temperature_k)?;
    let potentials = chemical_potentials(&ends, temperature_k, settings, [0.0; 2])?;
    let (done, total) = (AtomicUsize::new(0), 2 * potentials.len());
    let stream = member.stream();
    let mut plan = Plan {
        energy: &energy,
        temperature_k,
        settings,
        potentials,
        stream,
        replica: 0,
        monitor,
        done: &done,
        total,
    };
    let mut coarse = plan.both(ends)?;
    let mut beyond = [0.0; 2];
    for _ in 0..MOST_WIDENINGS {
        let more = widening(&coarse, temperature_k, settings);
        if more == [0.0; 2] {
            break;
        }
        beyond = [beyond[0] + more[0], beyond[1] + more[1]];
        plan.potentials = chemical_potentials(&ends, temperature_k, settings, beyond)?;
        plan.total += 2 * plan.potentials.len();
        let wider = plan.both(ends)?;
        coarse = Scan { trials: coarse.trials + wider.trials, ..wider };
    }
    let (_, loops) = branches(&coarse)?;
    if loops.is_empty() || settings.refinement < 2 {
        return Ok(coarse);
    }
    plan.potentials = refine(&plan.potentials, &loops, settings.refinement);
    plan.replica = 1;
    plan.total += 2 * plan.potentials.len();
    let fine = plan.both(ends)?;
    Ok(Scan { trials: coarse.trials + fine.trials, ..fine })
}
