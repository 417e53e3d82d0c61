//! Tracer and jump diffusivity at one composition and temperature, from independent replicas.

use crate::error::exceeds;
use crate::sampling::{Block, Kind, PAIRS, Symmetric, full, run_block, trace};
use crate::{
    Engine, Equilibration, FastEngine, GridNetwork, HoppingError, KraModel, RateParameters, TensorWithError,
    Trajectory, audit_detailed_balance, equilibrate, random_occupation,
};
use rayon::prelude::*;
use scalade_handoff::{LatticeEnergy, LatticeHamiltonian};
use scalade_numerics::{Philox, mean, variance};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// Square angstrom in square metres.
const SQUARE_ANGSTROM: f64 = 1e-20;
/// Coarser windows may undercut a plateau by this many standard errors of the difference.
const PLATEAU_Z: f64 = 2.0;
/// A fall by less than this share is a plateau however well it is resolved; what is resolved of it enters the error.
const PLATEAU_SHARE: f64 = 0.001;
/// Where there is no such plateau, the longest window with a fall below this share is taken.
const TAIL_SHARE: f64 = 0.03;
/// The diffusivity is read this many levels past the first flat window, so at windows four times as long: what a fall that stays
/// unseen at two standard errors leaves there is a quarter of it even under the slowest tail, 1/t, and the error has doubled meanwhile.
const READING_MARGIN: usize = 2;
/// Share of a fall from t to 4t that is still to come under a tail 1/t.
const REMAINING_SHARE: f64 = 1.0 / 3.0;
/// Relative standard error of a diffusivity's trace above which it is not called converged.
const LARGEST_RELATIVE_ERROR: f64 = 0.3;
/// Standard errors by which the two estimates of the jump diffusivity may differ.
const LARGEST_DISAGREEMENT: f64 = 5.0;
/// Hops of the audit of detailed balance at the start of each point.
const AUDIT_HOPS: usize = 24;

/// Sets the random stream of pilot runs apart.
const PILOT_KEY: u64 = 0x7069_6c6f_7400_0000;
/// Ratio of the variance between replicas to that within above which replicas count as different: the errors then come from replica
/// means alone.
const HETEROGENEITY: f64 = 3.0;

/// Progress and cancellation.
pub trait Progress: Sync {
    /// The share of the work done, in [0, 1].
    fn report(&self, share: f64);
    /// Whether to stop.
    fn cancelled(&self) -> bool;
}

impl Progress for () {
    fn report(&self, _share: f64) {}
    fn cancelled(&self) -> bool {
        false
    }
}

/// What to spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Hops of all replicas together, about.
    pub hops: u64,
    /// Independent replicas, each with its own equilibration.
    pub replicas: u32,
    /// Blocks per replica: the errors come from the scatter of all blocks.
    pub blocks_per_replica: u32,
    /// Equilibration sweeps.
    pub equilibration_sweeps: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { hops: 250_000, replicas: 12, blocks_per_replica: 2, equilibration_sweeps: 100 }
    }
}

impl Budget {
    fn check(&self) -> Result<(), HoppingError> {
        let blocks = u64::from(self.replicas) * u64::from(self.blocks_per_replica);
        if !(8..=65_536).contains(&blocks) {
            let want = "8 to 65536 blocks over all replicas are due";
            return Err(HoppingError::Parameter { what: "blocks", value: blocks as f64, want });
        }
        if self.hops < 100 * blocks || self.hops > 1 << 50 {
            let want = "100 hops per block at least and 2^50 at most are due";
            return Err(HoppingError::Parameter { what: "hops", value: self.hops as f64, want });
        }
        if self.equilibration_sweeps > 100_000_000 {
            let want = "at most 1e8 are due";
            let value = self.equilibration_sweeps as f64;
            return Err(HoppingError::Parameter { what: "equilibration sweeps", value, want });
        }
        Ok(())
    }
}

/// One point to compute: a pure function of these.
#[derive(Clone, Copy, Debug)]
pub struct TransportRequest<'a> {
    /// The hop network on its grid.
    pub network: &'a GridNetwork,
    /// The lattice Hamiltonian.
    pub hamiltonian: &'a LatticeHamiltonian,
    /// Its coefficients: the best ones or a sample, eV.
    pub coefficients_ev: &'a [f64],
    /// Barriers: the best ones or a sample.
    pub model: KraModel,
    /// Temperature and attempt frequency.
    pub parameters: RateParameters,
    /// Occupied share of the sites; the nearest number of ions the grid can hold is taken.
    pub x: f64,
    /// What to spend.
    pub budget: Budget,
    /// Seed of the random streams.
    pub seed: u64,
    /// Stream: different points of one study take different ones.
    pub stream: u32,
}

/// A diffusivity with what is known about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Diffusivity {
    /// A plateau was reached.
    Converged {
        /// Tensor, m2/s.
        tensor: TensorWithError,
        /// Degrees of freedom of the standard errors: blocks less one, or replicas less one where replicas differ.
        degrees_of_freedom: usize,
        /// Window length from which the slope was taken, s.
        window_s: f64,
    },
    /// The mean squared displacement grows slower than time.
    SubDiffusive {
        /// Local exponent d ln M/d ln t at the longest windows.
        exponent: f64,
        /// Its standard error.
        exponent_std: f64,
    },
    /// No number can be given.
    NotConverged {
        /// Why, with numbers.
        reason: String,
    },
}

impl Diffusivity {
    /// The tensor if there is one.
    pub fn tensor(&self) -> Option<&TensorWithError> {
        match self {
            Self::Converged { tensor, .. } => Some(tensor),
            _ => None,
        }
    }
}

/// A number with its standard error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WithError {
    /// Value.
    pub value: f64,
    /// Standard error.
    pub std: f64,
}

/// Transport at one composition and temperature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransportPoint {
    /// Occupied share of the sites, as the grid holds it.
    pub x: f64,
    /// Temperature, K.
    pub temperature_k: f64,
    /// Tracer diffusivity D*.
    pub tracer: Diffusivity,
    /// Jump (collective) diffusivity D_J.
    pub jump: Diffusivity,
    /// Uncorrelated part of both, (1/2N) < sum w d d^T >, m2/s.
    pub uncorrelated: TensorWithError,
    /// Haven ratio tr D*/tr D_J where both converged.
    pub haven: Option<WithError>,
    /// Tracer correlation factor f = tr D*/tr D_uncorrelated.
    pub tracer_correlation: Option<WithError>,
    /// Collective correlation factor f_I = tr D_J/tr D_uncorrelated.
    pub collective_correlation: Option<WithError>,
    /// Running tr D*/3 and tr D_J/3 against the window length: (s, m2/s, its error, m2/s, its error).
    pub running: Vec<[f64; 5]>,
    /// Share of the hops by mechanism (`odh`, `tsh`).
    pub hop_shares: [f64; 2],
    /// The same for hops that neither undo the ion's previous hop nor are undone by its next.
    pub lasting_hop_shares: [f64; 2],
    /// Share of the hops that undo the ion's previous one or are undone by its next (flicker).
    pub flicker_share: f64,
    /// Hops made.
    pub events: u64,
    /// Hops per attempt.
    pub acceptance: f64,
    /// Mean activation of the hops made (barrier less half the energy change), eV.
    pub mean_activation_ev: f64,
    /// Hops under the rule for missing barriers.
    pub without_barrier: u64,
    /// Root mean square displacement of an ion over the longest window, angstrom.
    pub longest_rms_angstrom: f64,
    /// Largest violation of detailed balance found by the audit, |ln(k_f/k_b) + dE/kT|.
    pub detailed_balance_gap: f64,
    /// How the replicas were equilibrated.
    pub equilibrated: bool,
    /// Largest |drift| of the energy in the equilibration tests, standard errors.
    pub equilibration_z: f64,
}

/// A replica ready to be measured.
struct Prepared<'a> {
    engine: FastEngine<'a>,
    equilibration: Equilibration,
    gap: f64,
    /// Hop rate in the pilot, Hz, and attempts per hop.
    hop_rate_hz: f64,
    attempts_per_hop: u64,
}

/// A measured replica.
struct Replica<'a> {
    prepared: Prepared<'a>,
    blocks: Vec<Block>,
    complete: bool,
}

/// Samples of a block: half a hop to one hop of each carrier (ion or vacancy, whichever are fewer) between samples. Coarser ones would lengthen the
/// windows at which diffusivities are read, and with them the errors.
fn samples_per_block(hops_per_block: u64, carriers: usize) -> usize {
    (hops_per_block / carriers as u64).clamp(32, 4096).next_power_of_two() as usize
}

/// Equilibrates a replica, audits its rates and makes a pilot run for the time scale. The pilot runs on a copy: a state after a given number
/// of hops is not an equilibrium one (states that are left quickly are met too often), and nothing else is taken from it.
fn prepare<'a>(
    request: &TransportRequest<'a>,
    (template, idle): (&LatticeEnergy, &FastEngine<'a>),
    ions: usize,
    index: u32,
    pilot: u64,
    progress: &dyn Progress,
) -> Result<Prepared<'a>, HoppingError> {
    if progress.cancelled() {
        return Err(HoppingError::Cancelled);
    }
    let (network, parameters, model) = (request.network, &request.parameters, &request.model);
    let mut rng = Philox::new(request.seed, request.stream, index);
    let mut energy = template.clone();
    energy.set_occupation(&random_occupation(network.grid().sites(), ions, &mut rng)?)?;
    let equilibration = equilibrate(&mut energy, parameters, request.budget.equilibration_sweeps, &mut rng)?;
    let gap = audit_detailed_balance(network, &energy, model, parameters, AUDIT_HOPS, &mut rng)?;
    let engine = idle.restarted(&energy.occupation(), rng)?;
    let mut copy = engine.clone_with_stream(Philox::new(request.seed ^ PILOT_KEY, request.stream, index));
    copy.run_hops(pilot)?;
    let hop_rate_hz = pilot as f64 / copy.time_s();
    let attempts_per_hop = copy.attempts() / pilot + 1;
    Ok(Prepared { engine, equilibration, gap, hop_rate_hz, attempts_per_hop })
}

fn measure<'a>(
    mut prepared: Prepared<'a>,
    blocks: u32,
    (samples, interval_s, attempts, sites): (usize, f64, u64, usize),
    finished: &(dyn Fn() + Sync),
    progress: &dyn Progress,
) -> Result<Replica<'a>, HoppingError> {
    let mut out = Vec::new();
    let mut complete = true;
    for _ in 0..blocks {
        if progress.cancelled() {
            return Err(HoppingError::Cancelled);
        }
        let Some(block) = run_block(&mut prepared.engine, samples, interval_s, attempts, sites)? else {
            complete = false;
            break;
        };
        out.push(block);
        finished();
    }
    Ok(Replica { prepared, blocks: out, complete })
}

/// Computes one point; replicas run in parallel on the current rayon pool, with the same result for any number of threads.
pub fn transport_point(
    request: &TransportRequest<'_>,
    progress: &dyn Progress,
) -> Result<TransportPoint, HoppingError> {
    request.budget.check()?;
    request.parameters.check()?;
    request.model.check()?;
    let sites = request.network.grid().sites();
    if !(request.x > 0.0 && request.x < 1.0) {
        return Err(HoppingError::Parameter {
            what: "x",
            value: request.x,
            want: "a share in (0, 1) is due",
        });
    }
    let ions = (request.x * sites as f64).round() as usize;
    if ions == 0 || ions >= sites {
        return Err(HoppingError::Composition { ions, sites });
    }
    let budget = request.budget;
    let blocks = u64::from(budget.replicas) * u64::from(budget.blocks_per_replica);
    let hops_per_block = budget.hops / blocks;
    let pilot = (hops_per_block / 4).max(200);
    // Made once for all replicas: what follows from the lattice, the coefficients and the temperature.
    let (network, hamiltonian, coefficients) =
        (request.network, request.hamiltonian, request.coefficients_ev);
    let energy =
        LatticeEnergy::new(hamiltonian, coefficients, *network.grid(), &network.network().directed())?;
    let (model, parameters) = (&request.model, &request.parameters);
    let first: Vec<bool> = (0..sites).map(|site| site < ions).collect();
    let unused = Philox::new(request.seed, request.stream, u32::MAX);
    let engine = FastEngine::new(network, hamiltonian, coefficients, model, parameters, &first, unused)?;
    let ready: Vec<Result<Prepared<'_>, HoppingError>> = (0..budget.replicas)
        .into_par_iter()
        .map(|index| prepare(request, (&energy, &engine), ions, index, pilot, progress))
        .collect();
    let ready = ready.into_iter().collect::<Result<Vec<_>, _>>()?;
    // One interval for all replicas: each weighs the same time, whatever its hop rate. Where slow hops (odh) make and break the
    // carriers of fast ones (tsh), replicas without carriers stand still meanwhile, which is their share of the mean.
    let rate = ready.iter().map(|r| r.hop_rate_hz).sum::<f64>() / ready.len() as f64;
    let samples = samples_per_block(hops_per_block, ions.min(sites - ions));
    let interval = hops_per_block as f64 / (rate * samples as f64);
    if !(interval.is_finite() && interval > 0.0) {
        return Err(HoppingError::Stuck { total_hz: rate, events: pilot });
    }
    let attempts = ready.iter().map(|r| r.attempts_per_hop).max().unwrap_or(1);
    let limit = hops_per_block.saturating_mul(attempts).saturating_mul(20);
    let done = AtomicU64::new(0);
    let finished = || progress.report((done.fetch_add(1, Ordering::Relaxed) + 1) as f64 / blocks as f64);
    let replicas: Vec<Result<Replica<'_>, HoppingError>> = ready
        .into_par_iter()
        .map(|r| {
            measure(r, budget.blocks_per_replica, (samples, interval, limit, sites), &finished, progress)
        })
        .collect();
    let replicas = replicas.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(gather(request, ions, &replicas))
}

fn gather(request: &TransportRequest<'_>, ions: usize, replicas: &[Replica<'_>]) -> TransportPoint {
    let trajectories = || replicas.iter().map(|r| r.prepared.engine.trajectory());
    let events = trajectories().map(Trajectory::events).sum::<u64>();
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let by: [u64; 2] = std::array::from_fn(|k| trajectories().map(|t| t.by_mechanism[k]).sum());
    let returns: [u64; 2] = std::array::from_fn(|k| trajectories().map(|t| t.returns[k]).sum());
    // A hop and the one that undoes it cross the same bond; nearly always by the same mechanism.
    let lasting = [by[0].saturating_sub(2 * returns[0]), by[1].saturating_sub(2 * returns[1])];
    let complete = replicas.iter().all(|r| r.complete);
    let equilibrated = replicas.iter().all(|r| r.prepared.equilibration.equilibrated);
    let blocks: Vec<&Block> = replicas.iter().flat_map(|r| &r.blocks).collect();
    let bonds = request.network.network().bonds();
    let hop = bonds.iter().map(|b| scalade_crystal::norm(b.vector_angstrom)).fold(f64::INFINITY, f64::min);
    let sites = request.network.grid().sites();
    let judged = Judged {
        blocks: &blocks,
        per_replica: request.budget.blocks_per_replica as usize,
        complete,
        equilibrated,
        single_file: request.network.network().is_single_file(),
        hop_angstrom: hop,
        ions_per_carrier: ions as f64 / ions.min(sites - ions) as f64,
        tracer: Kind::IonSquares,
        collective: Kind::TotalSquares,
        plateau: [None; Kind::COUNT],
    }
    .with_plateaus();
    TransportPoint {
        x: ions as f64 / sites as f64,
        temperature_k: request.parameters.temperature_k,
        tracer: judged.verdict(judged.tracer),
        jump: judged.verdict(judged.collective),
        uncorrelated: judged.uncorrelated(),
        haven: judged.ratio(judged.tracer, Some(judged.collective)),
        tracer_correlation: judged.ratio(judged.tracer, None),
        collective_correlation: judged.ratio(judged.collective, None),
        running: judged.running(),
        hop_shares: by.map(|n| share(n, events)),
        lasting_hop_shares: lasting.map(|n| share(n, lasting[0] + lasting[1])),
        flicker_share: share(2 * (returns[0] + returns[1]), events),
        events,
        acceptance: share(events, replicas.iter().map(|r| r.prepared.engine.attempts()).sum()),
        mean_activation_ev: if events == 0 {
            0.0
        } else {
            trajectories().map(|t| t.activation_sum_ev).sum::<f64>() / events as f64
        },
        without_barrier: trajectories().map(|t| t.without_barrier).sum(),
        longest_rms_angstrom: judged.longest_rms(),
        detailed_balance_gap: replicas.iter().map(|r| r.prepared.gap).fold(0.0, f64::max),
        equilibrated,
        equilibration_z: replicas.iter().map(|r| r.prepared.equilibration.drift_z.abs()).fold(0.0, f64::max),
    }
}

/// Levels of a running diffusivity.
#[derive(Clone, Copy, Debug)]
struct Plateau {
    /// The shortest window that longer ones do not undercut.
    flat_from: usize,
    /// Where the diffusivity is read.
    read_at: usize,
}

/// The blocks and the window chosen for each kind of diffusivity.
struct Judged<'a> {
    blocks: &'a [&'a Block],
    per_replica: usize,
    complete: bool,
    equilibrated: bool,
    single_file: bool,
    hop_angstrom: f64,
    ions_per_carrier: f64,
    /// The estimator of single ions with the smaller error.
    tracer: Kind,
    /// The estimator of collective motion with the smaller error.
    collective: Kind,
    /// By [`Kind`].
    plateau: [Option<Plateau>; Kind::COUNT],
}

impl Judged<'_> {
    fn with_plateaus(mut self) -> Self {
        let kinds = [Kind::IonSquares, Kind::IonDrift, Kind::TotalSquares, Kind::TotalDrift];
        self.plateau = kinds.map(|kind| self.find_plateau(kind));
        let quieter = |one: Kind, other: Kind| if self.error(other) < self.error(one) { other } else { one };
        (self.tracer, self.collective) =
            (quieter(Kind::IonSquares, Kind::IonDrift), quieter(Kind::TotalDrift, Kind::TotalSquares));
        self
    }

    /// Standard error of the trace where it is read.
    fn error(&self, kind: Kind) -> f64 {
        self.read(kind).map_or(f64::INFINITY, |values| self.mean_error(&values).1)
    }

    /// Traces of the blocks where the diffusivity is read.
    fn read(&self, kind: Kind) -> Option<Vec<f64>> {
        self.plateau[kind as usize].map(|p| self.traces(kind, p.read_at))
    }

    fn levels(&self) -> usize {
        self.blocks.first().map_or(0, |b| b.levels())
    }

    fn traces(&self, kind: Kind, level: usize) -> Vec<f64> {
        self.blocks.iter().map(|b| trace(&b.running(kind, level))).collect()
    }

    /// Mean, standard error and its degrees of freedom: from all blocks, or from replica means where these scatter more
    /// than blocks within a replica explain (analysis of variance).
    fn mean_error(&self, values: &[f64]) -> (f64, f64, usize) {
        let n = values.len().max(1) as f64;
        let replicas: Vec<f64> = values.chunks(self.per_replica.max(1)).map(mean).collect();
        let within: f64 =
            values.chunks(self.per_replica.max(1)).map(variance).sum::<f64>() / replicas.len() as f64;
        let between = variance(&replicas) * self.per_replica as f64;
        let (squared, degrees) = if self.per_replica > 1 && between > HETEROGENEITY * within {
            (variance(&replicas) / replicas.len() as f64, replicas.len().saturating_sub(1))
        } else {
            (variance(values) / n, values.len().saturating_sub(1))
        };
        (mean(values), squared.sqrt(), degrees)
    }

    /// The shortest window whose running diffusivity the two next longer windows do not undercut: differences are taken block by
    /// block, so that the common noise drops out. Only a fall counts: D(t) of reversible dynamics cannot rise. A fall within the noise goes
    /// unseen, so that the value there lies too high by a good part of its own error on average; it is read further along.
    fn find_plateau(&self, kind: Kind) -> Option<Plateau> {
        let levels = self.levels();
        if self.blocks.len() < 8 || levels <= READING_MARGIN {
            return None;
        }
        let flat = |level: usize, share: f64| {
            let here = mean(&self.traces(kind, level)).abs();
            (1..=READING_MARGIN).all(|further| {
                let (fall, error) = self.fall(kind, level, level + further);
                fall <= PLATEAU_Z * error + share * here
            })
        };
        let first = self.blocks.first().map_or(0, |b| b.first_level(kind));
        let mut all = first..levels - READING_MARGIN;
        let shortest = all.clone().find(|level| flat(*level, PLATEAU_SHARE));
        let flat_from = shortest.or_else(|| all.rfind(|level| flat(*level, TAIL_SHARE)))?;
        Some(Plateau { flat_from, read_at: flat_from + READING_MARGIN })
    }

    /// Fall of the trace between two levels with its standard error.
    fn fall(&self, kind: Kind, from: usize, to: usize) -> (f64, f64) {
        let pairs = self.traces(kind, from).into_iter().zip(self.traces(kind, to));
        let (fall, error, _) = self.mean_error(&pairs.map(|(here, there)| here - there).collect::<Vec<_>>());
        (fall, error)
    }

    /// Tensor where it is read. What is still to come of a fall that is resolved adds to the errors in quadrature.
    fn tensor(&self, kind: Kind, plateau: Plateau) -> TensorWithError {
        let values: Vec<Symmetric> = self.blocks.iter().map(|b| b.running(kind, plateau.read_at)).collect();
        let mut out = self.with_error(&values);
        let systematic = self.remaining_fall(kind, plateau);
        for (value, error) in out.value_m2_s.iter().flatten().zip(out.std_m2_s.iter_mut().flatten()) {
            *error = error.hypot(systematic * value);
        }
        out
    }

    /// Relative fall of the trace still to come, 0 if the fall so far is below two standard errors.
    fn remaining_fall(&self, kind: Kind, plateau: Plateau) -> f64 {
        let (fall, error) = self.fall(kind, plateau.flat_from, plateau.read_at);
        let value = mean(&self.traces(kind, plateau.read_at));
        if fall > PLATEAU_Z * error { REMAINING_SHARE * fall / value } else { 0.0 }
    }

    fn uncorrelated(&self) -> TensorWithError {
        self.with_error(&self.blocks.iter().map(|b| b.uncorrelated).collect::<Vec<_>>())
    }

    /// Mean squared displacement of an ion over the longest window of each block, square angstrom.
    fn longest_msd(&self) -> Vec<f64> {
        self.blocks.iter().filter_map(|b| b.tracer_msd.last().map(trace)).collect()
    }

    fn longest_rms(&self) -> f64 {
        mean(&self.longest_msd()).sqrt()
    }

    /// Difference of the two estimates of the same diffusivity, in standard errors.
    fn disagreement(&self, kind: Kind) -> Option<f64> {
        let (one, other) = if kind.is_tracer() {
            (Kind::IonSquares, Kind::IonDrift)
        } else {
            (Kind::TotalSquares, Kind::TotalDrift)
        };
        let pairs = self.read(one)?.into_iter().zip(self.read(other)?);
        let (gap, error, _) = self.mean_error(&pairs.map(|(a, b)| a - b).collect::<Vec<_>>());
        (error > 0.0).then(|| gap / error)
    }

    fn verdict(&self, kind: Kind) -> Diffusivity {
        let no = |reason: String| Diffusivity::NotConverged { reason };
        let name = if kind.is_tracer() { "tracer diffusivity" } else { "jump diffusivity" };
        if !self.complete {
            return no(format!(
                "{name}: the hop rate rose more than twentyfold over the pilot's; equilibrate longer"
            ));
        }
        if !self.equilibrated {
            return no(format!("{name}: the energy still drifts after equilibration; raise the sweeps"));
        }
        if kind.is_tracer() && self.single_file {
            let (exponent, exponent_std) = self.exponent();
            return Diffusivity::SubDiffusive { exponent, exponent_std };
        }
        let rms = (mean(&self.longest_msd()) * self.ions_per_carrier).sqrt();
        if exceeds(self.hop_angstrom, rms) {
            return no(format!(
                "{name}: carriers moved {rms:.3} angstrom (rms) in the longest window, less than one hop of {:.3}; hops are undone, raise the budget",
                self.hop_angstrom
            ));
        }
        let Some(plateau) = self.plateau[kind as usize] else {
            return no(format!(
                "{name}: the running diffusivity still falls at the longest window; raise the budget"
            ));
        };
        if let Some(z) = self.disagreement(kind).filter(|z| z.abs() > LARGEST_DISAGREEMENT) {
            return no(format!(
                "{name}: displacements and drift give values {z:.1} standard errors apart; raise the budget"
            ));
        }
        let (value, error, degrees_of_freedom) = self.mean_error(&self.traces(kind, plateau.read_at));
        if exceeds(error, LARGEST_RELATIVE_ERROR * value) {
            return no(format!(
                "{name}: trace {:.3e} m2/s with standard error {:.3e}; raise the budget",
                value * SQUARE_ANGSTROM,
                error * SQUARE_ANGSTROM
            ));
        }
        let window_s = self.blocks.first().map_or(0.0, |b| b.interval_s) * (1u64 << plateau.read_at) as f64;
        let tensor = self.tensor(kind, plateau);
        Diffusivity::Converged { tensor, degrees_of_freedom, window_s }
    }

    /// Local exponent of the tracer's mean squared displacement at the longest windows.
    fn exponent(&self) -> (f64, f64) {
        let values: Vec<f64> = self
            .blocks
            .iter()
            .filter_map(|b| match b.tracer_msd.as_slice() {
                [.., before, last] => Some((trace(last) / trace(before)).log2()).filter(|v| v.is_finite()),
                _ => None,
            })
            .collect();
        let (value, error, _) = self.mean_error(&values);
        (value, error)
    }

    /// Ratio of two traces (`None` is the uncorrelated part), its error from the scatter of linearised block values.
    fn ratio(&self, above: Kind, below: Option<Kind>) -> Option<WithError> {
        let series = |kind: Kind| {
            self.verdict(kind).tensor()?;
            self.read(kind)
        };
        let uncorrelated = || self.blocks.iter().map(|b| trace(&b.uncorrelated)).collect::<Vec<_>>();
        let a = series(above)?;
        let b = match below {
            Some(kind) => series(kind)?,
            None => uncorrelated(),
        };
        let (top, bottom) = (mean(&a), mean(&b));
        let value = top / bottom;
        let linear: Vec<f64> = a.iter().zip(&b).map(|(p, q)| (p - value * q) / bottom).collect();
        let (_, noise, _) = self.mean_error(&linear);
        // What is still to come of the falls moves the ratio too.
        let fall = |kind: Kind| self.plateau[kind as usize].map_or(0.0, |p| self.remaining_fall(kind, p));
        let std = noise.hypot(value * fall(above).hypot(below.map_or(0.0, fall)));
        (value.is_finite() && std.is_finite()).then_some(WithError { value, std })
    }

    fn running(&self) -> Vec<[f64; 5]> {
        let first = self.blocks.first().map_or(0, |b| b.first_level(self.tracer));
        (first..self.levels())
            .map(|level| {
                let interval = self.blocks.first().map_or(0.0, |b| b.interval_s) * (1u64 << level) as f64;
                let (tracer, tracer_error, _) = self.mean_error(&self.traces(self.tracer, level));
                let (jump, jump_error, _) = self.mean_error(&self.traces(self.collective, level));
                let unit = SQUARE_ANGSTROM / 3.0;
                [interval, tracer * unit, tracer_error * unit, jump * unit, jump_error * unit]
            })
            .collect()
    }

    fn with_error(&self, values: &[Symmetric]) -> TensorWithError {
        let (mut value, mut error) = ([0.0; 6], [0.0; 6]);
        for k in 0..PAIRS.len() {
            let component: Vec<f64> = values.iter().map(|v| v[k]).collect();
            let (m, e, _) = self.mean_error(&component);
            value[k] = m * SQUARE_ANGSTROM;
            error[k] = e * SQUARE_ANGSTROM;
        }
        TensorWithError { value_m2_s: full(&value), std_m2_s: full(&error) }
    }
}
