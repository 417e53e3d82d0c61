//! Tracer and jump diffusivity of a lattice gas to a wanted standard error.

use super::checkpoint::{GasCheckpoint, Restored, Round};
use super::engine::{GasEngine, Selection};
use super::equilibrium::equilibrate_gas;
use super::model::GasModel;
use crate::checkpoint::Resumed;
use crate::sampling::{Block, Kind, run_block};
use crate::transport::{Progress, samples_per_block};
use crate::verdict::{Diffusivity, Judged, WithError};
use crate::{Engine, Equilibration, HoppingError, TensorWithError, random_occupation};
use rayon::prelude::*;
use scalade_numerics::Philox;

/// Independent replicas.
const REPLICAS: usize = 8;
/// Blocks of each in the first round, and in boxes of many carriers.
const FIRST_BLOCKS: [usize; 2] = [4, 1];
/// Carriers above which one block a replica has to do at first.
const MANY_CARRIERS: usize = 100_000;
/// Most blocks of a replica.
const MOST_BLOCKS: usize = 4096;
/// Equilibration sweeps.
const SWEEPS: usize = 100;
/// Hops of each ion in a block at first, and of each carrier: windows have to outlast the correlations between hops.
const HOPS_PER_ION: u64 = 32;
/// Trials of the rejection engine that tell its acceptance.
const FIRST_TRIALS: u64 = 200_000;
/// Trials of the pilot that tells the rate of hops at most.
const PILOT_TRIALS: u64 = 20_000_000;
/// Trials that a hop may take on average with the rejection engine before one that keeps all rates is faster (measured, see docs/benchmarks.md).
const MOST_TRIALS_PER_HOP: f64 = 40.0;
/// Sites from which on composition and rejection is faster than a tree.
const LARGE: usize = 1 << 17;
/// Largest deviation from detailed balance, as ln of the ratio of rates.
const LARGEST_IMBALANCE: f64 = 1e-9;
/// Growth of blocks, where windows are too short for a plateau.
const LONGER: u64 = 4;
/// Growth of the number of blocks from one round to the next at most.
const LARGEST_GROWTH: f64 = 16.0;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct GasRequest<'a> {
    /// The gas.
    pub model: &'a GasModel,
    /// Number of ions.
    pub ions: usize,
    /// Standard error wanted on the tracer correlation factor, and relative on the diffusivities.
    pub standard_error: f64,
    /// Hops at most, all replicas together.
    pub most_hops: u64,
    /// Seed of the random streams.
    pub seed: u64,
    /// How hops are found; by the trials that a hop takes if not given.
    pub selection: Option<Selection>,
}

/// Transport of a lattice gas; diffusivities in 10^-20 of the unit length squared over the unit of time (as if the unit length were an angstrom).
#[derive(Clone, Debug, PartialEq)]
pub struct GasTransport {
    /// Tracer diffusivity.
    pub tracer: Diffusivity,
    /// Jump (collective) diffusivity.
    pub jump: Diffusivity,
    /// Uncorrelated part of both.
    pub uncorrelated: TensorWithError,
    /// Tracer correlation factor, the ratio of the traces of D* and the uncorrelated part.
    pub tracer_correlation: Option<WithError>,
    /// Collective correlation factor.
    pub collective_correlation: Option<WithError>,
    /// Haven ratio.
    pub haven: Option<WithError>,
    /// Running tr D*/3 and tr D_J/3 against the window: (time, value, error, value, error).
    pub running: Vec<[f64; 5]>,
    /// Mean squared displacements against the window, of an ion and of the total one over the number of ions: (time, value, error, value, error), in units
    /// of length squared.
    pub displacements: Vec<[f64; 5]>,
    /// Hops made.
    pub events: u64,
    /// How hops were found.
    pub selection: Selection,
    /// Hops per trial.
    pub acceptance: f64,
    /// Hops per trial of the rejection engine in the pilot.
    pub pilot_acceptance: f64,
    /// Largest deviation from detailed balance over all hops from the states after equilibration, as ln of the ratio of rates.
    pub balance_error: f64,
    /// Whether vacancies were followed.
    pub follows_vacancies: bool,
    /// Worst drift of the energy in the tests of equilibrium, standard errors.
    pub equilibration_z: f64,
    /// Whether all replicas passed it.
    pub equilibrated: bool,
    /// Part of the relative errors of D* and D_J that longer windows bring down, not more of them.
    pub systematic: [f64; 2],
    /// Whether the wanted standard error was reached.
    pub reached: bool,
}

/// A replica ready to be measured, or being measured.
pub(super) struct Prepared<'a> {
    pub(super) engine: GasEngine<'a>,
    pub(super) equilibration: Equilibration,
    pub(super) hop_rate: f64,
    pub(super) balance_error: f64,
    /// Where its next block begins.
    pub(super) clock: f64,
    pub(super) blocks: Vec<Block>,
}

/// A replica in equilibrium, and hops per trial of the rejection engine from there.
pub(super) struct Settled {
    pub(super) occupied: Vec<bool>,
    pub(super) equilibration: Equilibration,
    pub(super) rng: Philox,
    pub(super) acceptance: f64,
}

fn settle(request: &GasRequest<'_>, index: u32) -> Result<Settled, HoppingError> {
    let mut rng = Philox::new(request.seed, 0, index);
    let mut occupied = random_occupation(request.model.sites(), request.ions, &mut rng)?;
    let equilibration = equilibrate_gas(request.model, &mut occupied, SWEEPS, &mut rng)?;
    let mut pilot = GasEngine::new(request.model, &occupied, Selection::Rejection, rng.clone())?;
    pilot.run_until(f64::INFINITY, FIRST_TRIALS)?;
    let acceptance = pilot.events() as f64 / pilot.attempts() as f64;
    Ok(Settled { occupied, equilibration, rng, acceptance })
}

fn prepare<'a>(
    request: &GasRequest<'a>,
    settled: Settled,
    selection: Selection,
) -> Result<Prepared<'a>, HoppingError> {
    let Settled { occupied, equilibration, rng, .. } = settled;
    let engine = GasEngine::new(request.model, &occupied, selection, rng)?;
    let balance_error = engine.balance_error();
    if crate::error::exceeds(balance_error, LARGEST_IMBALANCE) {
        return Err(HoppingError::Imbalance { deviation: balance_error });
    }
    // The pilot runs on a copy: a state after a given number of hops is not one at a given time.
    let mut pilot = engine.clone();
    let hops = 2000 + 4 * pilot.carriers() as u64;
    while pilot.events() < hops && pilot.attempts() < PILOT_TRIALS {
        pilot.run_until(f64::INFINITY, 10_000)?;
    }
    let (hops, trials) = (pilot.events(), pilot.attempts());
    // Too few for a rate.
    if hops < 100 {
        return Err(HoppingError::RareHops { hops, trials });
    }
    let hop_rate = hops as f64 / pilot.time_s();
    Ok(Prepared { engine, equilibration, hop_rate, balance_error, clock: 0.0, blocks: Vec::new() })
}

/// What the acceptance of the rejection engine speaks for.
fn fastest(acceptance: f64, sites: usize) -> Selection {
    if acceptance * MOST_TRIALS_PER_HOP >= 1.0 {
        Selection::Rejection
    } else if sites < LARGE {
        Selection::Tree
    } else {
        Selection::CompositionRejection
    }
}

/// Runs replicas in parallel, in rounds: longer blocks while there is no plateau, then more of them until the wanted standard error is reached or the hops
/// are spent; with the same result for any number of threads.
pub fn gas_transport(
    request: &GasRequest<'_>,
    progress: &dyn Progress,
) -> Result<GasTransport, HoppingError> {
    run(request, progress, None)
}

/// The same with its state kept in a file, at the end of each block but not more often than every second; where the file is there, the run goes on from it,
/// to the same result bit for bit. Another standard error or number of hops may be asked for then: what is there is taken as it is, and blocks are added.
///
/// Errors: a file that cannot be read or is damaged, one of another model, one that cannot be written at the beginning. None of them changes the file.
pub fn gas_transport_resumable(
    request: &GasRequest<'_>,
    progress: &dyn Progress,
    file: &std::path::Path,
    tell: &dyn Fn(u64),
) -> Result<(GasTransport, Resumed), HoppingError> {
    check(request)?;
    let checkpoint = GasCheckpoint::new(file, request);
    let kept = checkpoint.read(request, REPLICAS)?;
    let from_events = match &kept {
        Some(Restored::Running(_, replicas)) => replicas.iter().map(|r| r.engine.events()).sum(),
        _ => 0,
    };
    if kept.is_some() {
        tell(from_events);
    }
    let found = run(request, progress, Some((&checkpoint, kept)))?;
    Ok((found, Resumed { from_events, failure: checkpoint.failure() }))
}

/// Replicas in equilibrium: those that are kept, and the others.
fn settled_replicas(
    request: &GasRequest<'_>,
    kept: Vec<Option<Settled>>,
    checkpoint: Option<&GasCheckpoint>,
) -> Result<Vec<Settled>, HoppingError> {
    if let Some(checkpoint) = checkpoint {
        // Nothing of what was kept is lost by the first writing, which tells whether the file can be written at all.
        checkpoint.begin(&kept)?;
    }
    let one = |(index, kept): (usize, Option<Settled>)| {
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let found = settle(request, index as u32)?;
        if let Some(checkpoint) = checkpoint {
            checkpoint.settled(index, &found)?;
        }
        Ok(found)
    };
    let all: Vec<Result<Settled, HoppingError>> = kept.into_par_iter().enumerate().map(one).collect();
    all.into_iter().collect()
}

/// The first round.
fn begin<'a>(
    request: &GasRequest<'a>,
    settled: Vec<Settled>,
) -> Result<(Round, Vec<Prepared<'a>>), HoppingError> {
    let (ions, sites) = (request.ions, request.model.sites());
    let pilot_acceptance = settled.iter().map(|s| s.acceptance).sum::<f64>() / REPLICAS as f64;
    let selection = request.selection.unwrap_or_else(|| fastest(pilot_acceptance, sites));
    let ready: Vec<Result<Prepared<'_>, HoppingError>> =
        settled.into_par_iter().map(|settled| prepare(request, settled, selection)).collect();
    let replicas = ready.into_iter().collect::<Result<Vec<_>, _>>()?;
    let carriers = ions.min(sites - ions);
    // Ions next to few vacancies hop seldom, each of them as often as the carriers together share out.
    let hops_per_block = HOPS_PER_ION * ions.max(carriers) as u64;
    let wanted = FIRST_BLOCKS[usize::from(carriers > MANY_CARRIERS)];
    Ok((Round { selection, pilot_acceptance, hops_per_block, wanted }, replicas))
}

/// The round that is kept, or the first one.
fn start<'a>(
    request: &GasRequest<'a>,
    kept: Option<Restored<'a>>,
    checkpoint: Option<&GasCheckpoint>,
) -> Result<(Round, Vec<Prepared<'a>>), HoppingError> {
    let settling = match kept {
        Some(Restored::Running(round, replicas)) => {
            if let Some(checkpoint) = checkpoint {
                checkpoint.round(round, &replicas)?;
                // Before anything is done it is told whether the file can be written.
                checkpoint.check()?;
            }
            return Ok((round, replicas));
        }
        Some(Restored::Settling(settling)) => settling,
        None => (0..REPLICAS).map(|_| None).collect(),
    };
    let (round, replicas) = begin(request, settled_replicas(request, settling, checkpoint)?)?;
    if let Some(checkpoint) = checkpoint {
        checkpoint.round(round, &replicas)?;
    }
    Ok((round, replicas))
}

/// Refuses what cannot be asked.
fn check(request: &GasRequest<'_>) -> Result<(), HoppingError> {
    crate::error::positive("standard error wanted", request.standard_error)?;
    let (ions, sites) = (request.ions, request.model.sites());
    if ions == 0 || ions >= sites {
        return Err(HoppingError::Composition { ions, sites });
    }
    Ok(())
}

fn run<'a>(
    request: &GasRequest<'a>,
    progress: &dyn Progress,
    kept: Option<(&GasCheckpoint, Option<Restored<'a>>)>,
) -> Result<GasTransport, HoppingError> {
    check(request)?;
    let (ions, sites) = (request.ions, request.model.sites());
    let checkpoint = kept.as_ref().map(|k| k.0);
    let (mut round, mut replicas) = start(request, kept.and_then(|k| k.1), checkpoint)?;
    let carriers = ions.min(sites - ions);
    // Trials cost time too, where the rejection engine is asked for in spite of many of them to a hop.
    let trials_per_hop =
        if round.selection == Selection::Rejection { 1.0 / round.pilot_acceptance } else { 1.0 };
    let most_hops = (request.most_hops as f64 * (MOST_TRIALS_PER_HOP / trials_per_hop).min(1.0)) as u64;
    let first = FIRST_BLOCKS[usize::from(carriers > MANY_CARRIERS)];
    loop {
        if progress.cancelled() {
            return Err(HoppingError::Cancelled);
        }
        extend(&mut replicas, round, carriers, progress, checkpoint)?;
        let spent: u64 = replicas.iter().map(|r| r.engine.events()).sum();
        progress.report((spent as f64 / most_hops.max(1) as f64).min(1.0));
        let result = gather(request, &replicas, round);
        let missing = shortfall(&result, request.standard_error);
        let left = most_hops.saturating_sub(spent) / (REPLICAS as u64 * round.hops_per_block);
        let wanted = round.wanted;
        let done = missing <= 1.0 || !result.equilibrated;
        // More blocks do not help where what is still to come of a fall is most of the error.
        let systematic = result.systematic.iter().copied().fold(0.0, f64::max) / request.standard_error;
        let longer = missing.is_infinite() || systematic > 0.7 * missing;
        let needed = if longer { LONGER * (wanted as u64 / LONGER).max(first as u64) } else { 1 };
        let ends = done || left < needed || (wanted >= MOST_BLOCKS && !longer);
        if !ends && longer {
            round.hops_per_block *= LONGER;
            // As many hops as before, in longer blocks.
            round.wanted = (wanted / LONGER as usize).max(first);
            for replica in &mut replicas {
                replica.blocks.clear();
            }
        } else if !ends {
            let growth = (1.2 * missing * missing).clamp(1.5, LARGEST_GROWTH);
            let more = (wanted as f64 * growth).ceil() as usize;
            round.wanted = more.min(wanted + left.min(1 << 30) as usize).min(MOST_BLOCKS);
        }
        if let Some(checkpoint) = checkpoint {
            checkpoint.round(round, &replicas)?;
        }
        if ends {
            return Ok(GasTransport { reached: missing <= 1.0, ..result });
        }
    }
}

/// Brings every replica to a number of blocks.
fn extend(
    replicas: &mut [Prepared<'_>],
    round: Round,
    carriers: usize,
    progress: &dyn Progress,
    checkpoint: Option<&GasCheckpoint>,
) -> Result<(), HoppingError> {
    let Round { hops_per_block, wanted, .. } = round;
    let rate = replicas.iter().map(|r| r.hop_rate).sum::<f64>() / replicas.len() as f64;
    let samples = samples_per_block(hops_per_block, carriers);
    let interval = hops_per_block as f64 / (rate * samples as f64);
    if !(interval.is_finite() && interval > 0.0) {
        return Err(HoppingError::Stuck { total_hz: rate, events: 0 });
    }
    let measure = |(index, replica): (usize, &mut Prepared<'_>)| {
        while replica.blocks.len() < wanted {
            if progress.cancelled() {
                return Err(HoppingError::Cancelled);
            }
            let sites = replica.engine.sites();
            if let Some(block) =
                run_block(&mut replica.engine, &mut replica.clock, samples, interval, u64::MAX, sites)?
            {
                replica.blocks.push(block);
            }
            if let Some(checkpoint) = checkpoint {
                checkpoint.block(index, replica, wanted)?;
            }
        }
        Ok(())
    };
    let outcomes: Vec<Result<(), HoppingError>> = replicas.par_iter_mut().enumerate().map(measure).collect();
    outcomes.into_iter().collect()
}

fn gather(request: &GasRequest<'_>, replicas: &[Prepared<'_>], round: Round) -> GasTransport {
    let Round { wanted: per_replica, pilot_acceptance, .. } = round;
    let blocks: Vec<&Block> = replicas.iter().flat_map(|r| &r.blocks).collect();
    let (ions, sites) = (request.ions, request.model.sites());
    let equilibrated = replicas.iter().all(|r| r.equilibration.equilibrated);
    let judged = Judged {
        blocks: &blocks,
        per_replica,
        complete: replicas.iter().all(|r| r.blocks.len() == per_replica),
        equilibrated,
        single_file: request.model.is_single_file(),
        hop_angstrom: request.model.hop_length(),
        ions_per_carrier: ions as f64 / ions.min(sites - ions) as f64,
        tracer: Kind::IonSquares,
        collective: Kind::TotalSquares,
        plateau: [None; Kind::COUNT],
    }
    .with_plateaus();
    let attempts: u64 = replicas.iter().map(|r| r.engine.attempts()).sum();
    let events: u64 = replicas.iter().map(|r| r.engine.events()).sum();
    GasTransport {
        tracer: judged.verdict(judged.tracer),
        jump: judged.verdict(judged.collective),
        uncorrelated: judged.uncorrelated(),
        tracer_correlation: judged.ratio(judged.tracer, None),
        collective_correlation: judged.ratio(judged.collective, None),
        haven: judged.ratio(judged.tracer, Some(judged.collective)),
        running: judged.running(),
        displacements: judged.displacements(),
        events,
        selection: replicas.first().map_or(Selection::Rejection, |r| r.engine.selection()),
        pilot_acceptance,
        balance_error: replicas.iter().map(|r| r.balance_error).fold(0.0, f64::max),
        acceptance: if attempts == 0 { 0.0 } else { events as f64 / attempts as f64 },
        follows_vacancies: replicas.iter().any(|r| r.engine.follows_vacancies()),
        equilibration_z: replicas.iter().map(|r| r.equilibration.drift_z.abs()).fold(0.0, f64::max),
        equilibrated,
        systematic: [judged.systematic(judged.tracer), judged.systematic(judged.collective)],
        reached: false,
    }
}

/// By how much the largest error exceeds what is wanted; infinite where there is no result.
fn shortfall(result: &GasTransport, wanted: f64) -> f64 {
    let relative = |d: &Diffusivity| match d {
        Diffusivity::Converged { tensor, .. } => {
            let trace = |m: &[[f64; 3]; 3]| m[0][0] + m[1][1] + m[2][2];
            // Errors of the components are not independent; their quadrature sum is that of independent ones.
            let error = (0..3).map(|a| tensor.std_m2_s[a][a].powi(2)).sum::<f64>().sqrt();
            error / trace(&tensor.value_m2_s).abs()
        }
        // A single file has no tracer diffusivity: nothing more is to be found out.
        Diffusivity::SubDiffusive { .. } => 0.0,
        Diffusivity::NotConverged { .. } => f64::INFINITY,
    };
    let factor = result.tracer_correlation.map_or(0.0, |f| f.std);
    relative(&result.tracer).max(relative(&result.jump)).max(factor) / wanted
}
