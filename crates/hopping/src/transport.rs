//! Tracer and jump diffusivity at one composition and temperature, from independent replicas.

mod saved;

use crate::checkpoint::{Checkpoint, Resumed, completed};
use crate::sampling::{Block, Kind, run_block};
use crate::verdict::Judged;
use crate::{
    Diffusivity, Engine, Equilibration, FastEngine, GridNetwork, HoppingError, KraModel, RateParameters,
    TensorWithError, Tracked, Trajectory, WithError, audit_detailed_balance, equilibrate, random_occupation,
};
use rayon::prelude::*;
use scalade_handoff::{LatticeEnergy, LatticeHamiltonian};
use scalade_numerics::Philox;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Hops of the audit of detailed balance at the start of each point.
const AUDIT_HOPS: usize = 24;

/// Sets the random stream of pilot runs apart.
const PILOT_KEY: u64 = 0x7069_6c6f_7400_0000;
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
    /// Mean squared displacements against the window, of an ion and of the total one over the number of ions: (s, angstrom^2, its error, angstrom^2, its
    /// error).
    #[serde(default)]
    pub displacements: Vec<[f64; 5]>,
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

/// A replica ready to be measured, or being measured.
struct Replica<'a> {
    engine: FastEngine<'a>,
    equilibration: Equilibration,
    gap: f64,
    /// Hop rate in the pilot, Hz, and attempts per hop.
    hop_rate_hz: f64,
    attempts_per_hop: u64,
    /// Where its next block begins, s.
    clock_s: f64,
    blocks: Vec<Block>,
    complete: bool,
}

/// What is made once for all replicas and rounds: what follows from the lattice, the coefficients and the temperature.
struct Setting<'a> {
    ions: usize,
    energy: LatticeEnergy,
    idle: FastEngine<'a>,
}

impl<'a> Setting<'a> {
    fn new(request: &TransportRequest<'a>) -> Result<Self, HoppingError> {
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
        let (network, hamiltonian, coefficients) =
            (request.network, request.hamiltonian, request.coefficients_ev);
        let directed = network.network().directed();
        let energy = LatticeEnergy::new(hamiltonian, coefficients, *network.grid(), &directed)?;
        let (model, parameters) = (&request.model, &request.parameters);
        let first: Vec<bool> = (0..sites).map(|site| site < ions).collect();
        let unused = Philox::new(request.seed, request.stream, u32::MAX);
        let idle = FastEngine::new(network, hamiltonian, coefficients, model, parameters, &first, unused)?;
        Ok(Self { ions, energy, idle })
    }
}

/// Samples of a block: half a hop to one hop of each carrier (ion or vacancy, whichever are fewer) between samples. Coarser ones would lengthen the
/// windows at which diffusivities are read, and with them the errors.
pub(crate) fn samples_per_block(hops_per_block: u64, carriers: usize) -> usize {
    (hops_per_block / carriers as u64).clamp(32, 4096).next_power_of_two() as usize
}

/// Equilibrates a replica, audits its rates and makes a pilot run for the time scale. The pilot runs on a copy: a state after a given number
/// of hops is not an equilibrium one (states that are left quickly are met too often), and nothing else is taken from it.
fn prepare<'a>(
    request: &TransportRequest<'a>,
    setting: &Setting<'a>,
    index: u32,
    pilot: u64,
    progress: &dyn Progress,
) -> Result<Replica<'a>, HoppingError> {
    if progress.cancelled() {
        return Err(HoppingError::Cancelled);
    }
    let (network, parameters, model) = (request.network, &request.parameters, &request.model);
    let mut rng = Philox::new(request.seed, request.stream, index);
    let mut energy = setting.energy.clone();
    energy.set_occupation(&random_occupation(network.grid().sites(), setting.ions, &mut rng)?)?;
    let equilibration = equilibrate(&mut energy, parameters, request.budget.equilibration_sweeps, &mut rng)?;
    let gap = audit_detailed_balance(network, &energy, model, parameters, AUDIT_HOPS, &mut rng)?;
    let engine = setting.idle.restarted(&energy.occupation(), rng)?;
    let mut copy = engine.clone_with_stream(Philox::new(request.seed ^ PILOT_KEY, request.stream, index));
    copy.run_hops(pilot)?;
    let hop_rate_hz = pilot as f64 / copy.time_s();
    let attempts_per_hop = copy.attempts() / pilot + 1;
    let (clock_s, blocks) = (engine.time_s(), Vec::new());
    Ok(Replica { engine, equilibration, gap, hop_rate_hz, attempts_per_hop, clock_s, blocks, complete: true })
}

/// The blocks of a round.
#[derive(Clone, Copy)]
struct Blocks {
    per_replica: usize,
    samples: usize,
    interval_s: f64,
    most_attempts: u64,
    sites: usize,
}

impl Blocks {
    /// Measures a replica, in so far as it is not measured yet.
    fn measure(
        self,
        replica: &mut Replica<'_>,
        finished: &(dyn Fn() + Sync),
        progress: &dyn Progress,
        keep: impl Fn(&Replica<'_>, bool) -> Result<(), HoppingError>,
    ) -> Result<(), HoppingError> {
        while replica.complete && replica.blocks.len() < self.per_replica {
            if progress.cancelled() {
                keep(replica, true)?;
                return Err(HoppingError::Cancelled);
            }
            let Replica { engine, clock_s, .. } = replica;
            let Self { samples, interval_s, most_attempts, sites, .. } = self;
            match run_block(engine, clock_s, samples, interval_s, most_attempts, sites)? {
                Some(block) => {
                    replica.blocks.push(block);
                    finished();
                }
                None => replica.complete = false,
            }
            keep(replica, !replica.complete || replica.blocks.len() == self.per_replica)?;
        }
        Ok(())
    }
}

/// Computes one point; replicas run in parallel on the current rayon pool, with the same result for any number of threads.
pub fn transport_point(
    request: &TransportRequest<'_>,
    progress: &dyn Progress,
) -> Result<TransportPoint, HoppingError> {
    request.budget.check()?;
    let setting = Setting::new(request)?;
    point(request, &setting, nobody(&request.budget), progress, None)
}

/// No replica of a budget is there yet.
fn nobody<'a>(budget: &Budget) -> Vec<Option<Replica<'a>>> {
    (0..budget.replicas).map(|_| None).collect()
}

/// Computes one point from the replicas that are kept.
fn point<'a>(
    request: &TransportRequest<'a>,
    setting: &Setting<'a>,
    kept: Vec<Option<Replica<'a>>>,
    progress: &dyn Progress,
    checkpoint: Option<&Checkpoint>,
) -> Result<TransportPoint, HoppingError> {
    let budget = request.budget;
    budget.check()?;
    let (ions, sites) = (setting.ions, request.network.grid().sites());
    let blocks = u64::from(budget.replicas) * u64::from(budget.blocks_per_replica);
    let hops_per_block = budget.hops / blocks;
    let pilot = (hops_per_block / 4).max(200);
    let mut replicas = completed(
        kept,
        checkpoint,
        |index| prepare(request, setting, index as u32, pilot, progress),
        saved::replica,
    )?;
    // One interval for all replicas: each weighs the same time, whatever its hop rate. Where slow hops (odh) make and break the
    // carriers of fast ones (tsh), replicas without carriers stand still meanwhile, which is their share of the mean.
    let rate = replicas.iter().map(|r| r.hop_rate_hz).sum::<f64>() / replicas.len() as f64;
    let samples = samples_per_block(hops_per_block, ions.min(sites - ions));
    let interval_s = hops_per_block as f64 / (rate * samples as f64);
    if !(interval_s.is_finite() && interval_s > 0.0) {
        return Err(HoppingError::Stuck { total_hz: rate, events: pilot });
    }
    let attempts = replicas.iter().map(|r| r.attempts_per_hop).max().unwrap_or(1);
    let most_attempts = hops_per_block.saturating_mul(attempts).saturating_mul(20);
    let per_replica = budget.blocks_per_replica as usize;
    let round = Blocks { per_replica, samples, interval_s, most_attempts, sites };
    let done = AtomicU64::new(replicas.iter().map(|r| r.blocks.len() as u64).sum());
    let finished = || progress.report((done.fetch_add(1, Ordering::Relaxed) + 1) as f64 / blocks as f64);
    let outcomes: Vec<Result<(), HoppingError>> = replicas
        .par_iter_mut()
        .enumerate()
        .map(|(index, replica)| {
            round.measure(replica, &finished, progress, |replica, last| {
                checkpoint.map_or(Ok(()), |c| c.keep(index, last, |out| saved::replica(replica, out)))
            })
        })
        .collect();
    outcomes.into_iter().collect::<Result<(), HoppingError>>()?;
    if let Some(checkpoint) = checkpoint {
        checkpoint.lay_out(|out| saved::round(&budget, out), &replicas, saved::replica)?;
    }
    Ok(gather(request, ions, &replicas))
}

/// Most replicas of a point.
const MOST_REPLICAS: u32 = 4096;

/// What a run is to reach.
#[derive(Clone, Copy)]
struct Goal {
    wanted: f64,
    most_hops: u64,
}

/// Rounds until a goal is reached, the first one with the replicas that are kept; with the point comes whether it is that of the first round.
fn rounds<'a>(
    request: &mut TransportRequest<'a>,
    setting: &Setting<'a>,
    goal: Goal,
    mut kept: Vec<Option<Replica<'a>>>,
    progress: &dyn Progress,
    checkpoint: Option<&Checkpoint>,
) -> Result<(TransportPoint, bool), HoppingError> {
    let Goal { wanted, most_hops } = goal;
    let mut first = true;
    loop {
        if let Some(checkpoint) = checkpoint {
            checkpoint.lay_out(
                |out| saved::round(&request.budget, out),
                &kept,
                |of, out| out.optional(of.as_ref(), saved::replica),
            )?;
            if first {
                // Before anything is done it is told whether the file can be written.
                checkpoint.check()?;
            }
        }
        let point = point(request, setting, kept, progress, checkpoint)?;
        // A single file has no D* whose error could fall.
        let single_file = matches!(point.tracer, Diffusivity::SubDiffusive { .. });
        let of_tracer = if single_file { 0.0 } else { point.tracer.relative_error() };
        let missing = point.jump.relative_error().max(of_tracer) / wanted;
        if wanted <= 0.0 || missing <= 1.0 || request.budget.hops >= most_hops {
            return Ok((point, first));
        }
        // A point without a number needs longer windows, which more hops give.
        let growth = (1.3 * missing * missing).clamp(2.0, 8.0).ceil() as u64;
        request.budget.hops = request.budget.hops.saturating_mul(growth).min(most_hops);
        if missing.is_finite() {
            // Windows are long enough. What hops conserve, as the ions of a layer, differs between replicas: more of them are due, not longer ones.
            let replicas = request.budget.replicas.saturating_mul(growth as u32);
            request.budget.replicas = replicas.min(MOST_REPLICAS.max(request.budget.replicas));
        }
        kept = nobody(&request.budget);
        first = false;
    }
}

/// Computes a point, and again with more hops while the relative errors of the traces of D* and D_J exceed the one wanted (0: any will do); the last run
/// takes `most_hops` at most. What was spent in the end stands in the request.
pub fn transport_to_error(
    request: &mut TransportRequest<'_>,
    wanted: f64,
    most_hops: u64,
    progress: &dyn Progress,
) -> Result<TransportPoint, HoppingError> {
    request.budget.check()?;
    let setting = Setting::new(request)?;
    let kept = nobody(&request.budget);
    Ok(rounds(request, &setting, Goal { wanted, most_hops }, kept, progress, None)?.0)
}

/// The same with its state kept in a file, at the end of each block but not more often than every second; where the file is there, the run goes on from it,
/// to the same result bit for bit, and `tell` is called with the number of hops of its round. Another error or number of hops may be asked for then: a round that
/// is finished is taken as it is, and the next one follows if the errors are too large.
///
/// Errors: those of [`transport_to_error`]; a file that cannot be read or is damaged, one of another model, one that cannot be written at the beginning. None of
/// them changes the file. A run that is told to stop by `progress` keeps all it has done in the file.
pub fn transport_to_error_resumable(
    request: &mut TransportRequest<'_>,
    wanted: f64,
    most_hops: u64,
    progress: &dyn Progress,
    file: &Path,
    tell: &dyn Fn(u64),
) -> Result<(TransportPoint, Resumed), HoppingError> {
    request.budget.check()?;
    let setting = Setting::new(request)?;
    let checkpoint = Checkpoint::new(file, saved::identity(request, setting.ions));
    let mut from_events = 0;
    let kept = match checkpoint.read(|from| saved::restored(from, request, &setting))? {
        Some((budget, replicas)) => {
            request.budget = budget;
            from_events = replicas.iter().flatten().map(|r| r.engine.events()).sum();
            tell(from_events);
            replicas
        }
        None => nobody(&request.budget),
    };
    let found = rounds(request, &setting, Goal { wanted, most_hops }, kept, progress, Some(&checkpoint));
    if matches!(found, Err(HoppingError::Cancelled)) {
        checkpoint.flush();
    }
    let (point, same_round) = found?;
    // Later rounds begin anew.
    let from_events = if same_round { from_events } else { 0 };
    Ok((point, Resumed { from_events, failure: checkpoint.failure() }))
}

fn gather(request: &TransportRequest<'_>, ions: usize, replicas: &[Replica<'_>]) -> TransportPoint {
    let trajectories = || replicas.iter().map(|r| r.engine.trajectory());
    let events = trajectories().map(Trajectory::events).sum::<u64>();
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let by: [u64; 2] = std::array::from_fn(|k| trajectories().map(|t| t.by_mechanism[k]).sum());
    let returns: [u64; 2] = std::array::from_fn(|k| trajectories().map(|t| t.returns[k]).sum());
    // A hop and the one that undoes it cross the same bond; nearly always by the same mechanism.
    let lasting = [by[0].saturating_sub(2 * returns[0]), by[1].saturating_sub(2 * returns[1])];
    let complete = replicas.iter().all(|r| r.complete);
    let equilibrated = replicas.iter().all(|r| r.equilibration.equilibrated);
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
        displacements: judged.displacements(),
        hop_shares: by.map(|n| share(n, events)),
        lasting_hop_shares: lasting.map(|n| share(n, lasting[0] + lasting[1])),
        flicker_share: share(2 * (returns[0] + returns[1]), events),
        events,
        acceptance: share(events, replicas.iter().map(|r| r.engine.attempts()).sum()),
        mean_activation_ev: if events == 0 {
            0.0
        } else {
            trajectories().map(|t| t.activation_sum_ev).sum::<f64>() / events as f64
        },
        without_barrier: trajectories().map(|t| t.without_barrier).sum(),
        longest_rms_angstrom: judged.longest_rms(),
        detailed_balance_gap: replicas.iter().map(|r| r.gap).fold(0.0, f64::max),
        equilibrated,
        equilibration_z: replicas.iter().map(|r| r.equilibration.drift_z.abs()).fold(0.0, f64::max),
    }
}
