//! Onsager coefficients and tracer diffusivities of several species to a wanted standard error.

mod saved;

use super::engine::SpeciesEngine;
use super::equilibrium::equilibrate_species;
use super::model::SpeciesModel;
use super::moves::Mobility;
use super::sampling::{Followed, SpeciesBlock, run_block};
use crate::checkpoint::{Checkpoint, Resumed, completed};
use crate::error::{exceeds, positive};
use crate::sampling::{Block, Kind};
use crate::transport::{Progress, samples_per_block};
use crate::verdict::{Diffusivity, Judged, SQUARE_ANGSTROM, WithError};
use crate::{Equilibration, HoppingError, TensorWithError};
use rayon::prelude::*;
use scalade_crystal::{Matrix3, norm};
use scalade_handoff::VACANT;
use scalade_numerics::Philox;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// Independent replicas.
const REPLICAS: usize = 8;
/// Blocks of each in the first round.
const FIRST_BLOCKS: usize = 4;
/// Most blocks of a replica.
const MOST_BLOCKS: usize = 4096;
/// Events of each atom in a block at first.
const EVENTS_PER_ATOM: u64 = 32;
/// Events of a block at least.
const FEWEST_EVENTS: u64 = 200;
/// Growth of blocks, where windows are too short for a plateau.
const LONGER: u64 = 4;
/// Growth of the number of blocks from one round to the next at most.
const LARGEST_GROWTH: f64 = 16.0;
/// Rate of events over that of the pilot at which a block is given up.
const RUNAWAY: u64 = 50;
/// Look-ups that the total energies of an audit may take, and events of it at least and at most.
const AUDIT_WORK: usize = 20_000_000;
const AUDIT_EVENTS: [usize; 2] = [4, 64];
/// A difference from the value two levels earlier by more standard errors than this is resolved; a third of it is then still to come.
const RESOLVED: f64 = 2.0;
const REMAINING_SHARE: f64 = 1.0 / 3.0;

/// What is asked: a pure function of these.
#[derive(Clone, Copy, Debug)]
pub struct SpeciesRequest<'a> {
    /// The crystal, the events and the box.
    pub model: &'a SpeciesModel,
    /// An arrangement with the numbers of atoms wanted; it is brought to equilibrium.
    pub arrangement: &'a [u8],
    /// Standard error wanted, relative: of the traces of L_aa and D*_a of all species of atoms that can go far.
    pub relative_error: f64,
    /// Events at most, all replicas together.
    pub most_events: u64,
    /// Equilibration sweeps of each replica.
    pub sweeps: usize,
    /// Seed of the random streams.
    pub seed: u64,
}

/// Transport of one species.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpeciesCoefficients {
    /// The species.
    pub species: String,
    /// Its atoms.
    pub count: usize,
    /// Tracer diffusivity D*.
    pub tracer: Diffusivity,
    /// L_aa.
    pub collective: Diffusivity,
    /// Tracer correlation factor tr D* over tr of its uncorrelated part.
    pub tracer_correlation: Option<WithError>,
    /// Collective correlation factor tr L_aa over tr of its uncorrelated part.
    pub collective_correlation: Option<WithError>,
    /// Why it does not move, or not along all axes.
    pub note: Option<String>,
}

/// L_ab of two species.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnsagerCoefficient {
    /// Numbers of the species in the list of results: rows and columns of the tensor.
    pub species: [usize; 2],
    /// L_ab, m2/s; not symmetric as a tensor in general.
    pub value: Diffusivity,
}

/// Transport of all species, see [`super`] for the normalisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpeciesTransport {
    /// By number of the species.
    pub species: Vec<SpeciesCoefficients>,
    /// L_ab with a < b.
    pub cross: Vec<OnsagerCoefficient>,
    /// N of the normalisation: sites on sublattices that events change.
    pub mobile_sites: usize,
    /// Events made.
    pub events: u64,
    /// Simulated time, all replicas together, s.
    pub time_s: f64,
    /// Whether all replicas passed the test of equilibrium, and the worst drift of the energy in it, standard errors.
    pub equilibrated: bool,
    /// See `equilibrated`.
    pub equilibration_z: f64,
    /// Largest deviation from detailed balance that the audit found, |ln(k_there/k_back) + dE/kT|.
    pub balance_gap: f64,
    /// Largest deviation of sums kept by increments from ones computed anew.
    pub largest_deviation: f64,
    /// Whether the wanted standard error was reached.
    pub reached: bool,
    /// What is unusual about the model.
    pub warnings: Vec<String>,
}

struct Replica<'a> {
    engine: SpeciesEngine<'a>,
    equilibration: Equilibration,
    balance_gap: f64,
    rate_hz: f64,
    blocks: Vec<SpeciesBlock>,
    complete: bool,
}

fn prepare<'a>(
    request: &SpeciesRequest<'a>,
    index: u32,
    progress: &dyn Progress,
) -> Result<Replica<'a>, HoppingError> {
    if progress.cancelled() {
        return Err(HoppingError::Cancelled);
    }
    let model = request.model;
    let mut rng = Philox::new(request.seed, 0, index);
    let mut arrangement = request.arrangement.to_vec();
    let equilibration = equilibrate_species(model, &mut arrangement, request.sweeps, &mut rng)?;
    let engine = SpeciesEngine::new(model, &arrangement, rng)?;
    let terms =
        model.hamiltonian().map_or(1, |(h, _)| h.orbits.iter().map(|o| o.terms.len() * o.order).sum());
    let work = model.grid().cells().saturating_mul(terms).max(1);
    let most = (AUDIT_WORK / work).clamp(AUDIT_EVENTS[0], AUDIT_EVENTS[1]);
    let mut other = Philox::new(request.seed, 1, index);
    let audit = engine.audit(most, &mut other)?;
    // The pilot runs on a copy: a state after a given number of events is not one at a given time.
    let mut pilot = engine.clone_with_stream(other);
    let events = 1000 + engine.live().len() as u64 / 4;
    pilot.run_until(f64::INFINITY, events)?;
    let rate_hz = pilot.events() as f64 / pilot.time_s();
    let balance_gap = audit.largest_gap;
    Ok(Replica { engine, equilibration, balance_gap, rate_hz, blocks: Vec::new(), complete: true })
}

/// Species that can go far, with their atoms.
fn followed(model: &SpeciesModel, engine: &SpeciesEngine<'_>) -> Vec<Followed> {
    let mut atoms: Vec<Vec<u32>> = vec![Vec::new(); model.species().len()];
    for (atom, species) in engine.species_of_atoms().iter().enumerate() {
        atoms[usize::from(*species)].push(atom as u32);
    }
    let vacancies = model.vacancy().map_or(0, |v| atoms[v].len());
    let mut out = Vec::new();
    for (species, (list, mobility)) in atoms.into_iter().zip(model.mobility()).enumerate() {
        if mobility.dimensions > 0 && !list.is_empty() {
            let carriers = if vacancies == 0 { list.len() } else { vacancies };
            out.push(Followed { species, atoms: list, projector: mobility.projector, carriers });
        }
    }
    out
}

/// What a round asks of every replica: blocks of so many events, so many of them.
#[derive(Clone, Copy, Debug)]
struct Round {
    per_block: u64,
    wanted: usize,
}

impl Round {
    /// The first one.
    fn first(request: &SpeciesRequest<'_>) -> Self {
        let model = request.model;
        // Atoms are numbered by the sites of the equilibrium arrangement, which is that of each replica alone.
        let carriers = carriers(model, request.arrangement);
        let counts = model.counts(request.arrangement);
        let of_atoms = |s: &usize| Some(*s) != model.vacancy() && model.mobility()[*s].moves;
        let atoms: usize = (0..counts.len()).filter(of_atoms).map(|s| counts[s]).sum();
        let affordable = request.most_events / (REPLICAS * FIRST_BLOCKS) as u64;
        let per_block = (EVENTS_PER_ATOM * atoms.max(carriers) as u64).min(affordable).max(FEWEST_EVENTS);
        Self { per_block, wanted: FIRST_BLOCKS }
    }
}

/// Refuses what cannot be asked.
fn check(request: &SpeciesRequest<'_>) -> Result<(), HoppingError> {
    positive("relative standard error wanted", request.relative_error)?;
    let least = FEWEST_EVENTS * (REPLICAS * FIRST_BLOCKS) as u64;
    if request.most_events < least || request.most_events > 1 << 50 {
        let (what, value) = ("events", request.most_events as f64);
        return Err(HoppingError::Parameter { what, value, want: "6400 to 2^50 are due" });
    }
    if request.sweeps > 100_000_000 {
        let (what, value) = ("equilibration sweeps", request.sweeps as f64);
        return Err(HoppingError::Parameter { what, value, want: "at most 1e8 are due" });
    }
    request.model.check_arrangement(request.arrangement)
}

/// Computes the transport coefficients of all species: replicas in parallel, in rounds: longer blocks while there is no plateau, then more of them until the
/// wanted standard error is reached or the events are spent; the same result for any number of threads.
///
/// Errors: numbers out of range, an arrangement that does not fit, detailed balance that is broken, nothing that can happen.
pub fn species_transport(
    request: &SpeciesRequest<'_>,
    progress: &dyn Progress,
) -> Result<SpeciesTransport, HoppingError> {
    check(request)?;
    run(request, progress, Round::first(request), nobody(), None)
}

/// The same with its state kept in a file, at the end of each block but not more often than every second; where the file is there, the run goes on from it,
/// to the same result bit for bit, and `tell` is called with the number of events in it. Another error or number of events may be asked for then: what is there is
/// taken as it is, and blocks are added.
///
/// Errors: those of [`species_transport`]; a file that cannot be read or is damaged, one of another model, one that cannot be written at the beginning. None of
/// them changes the file. A run that is told to stop by `progress` keeps all it has done in the file.
pub fn species_transport_resumable(
    request: &SpeciesRequest<'_>,
    progress: &dyn Progress,
    file: &Path,
    tell: &dyn Fn(u64),
) -> Result<(SpeciesTransport, Resumed), HoppingError> {
    check(request)?;
    let checkpoint = Checkpoint::new(file, saved::identity(request));
    let mut from_events = 0;
    let (round, kept) = match checkpoint.read(|from| saved::restored(from, request))? {
        Some((round, kept)) => {
            from_events = kept.iter().flatten().map(|r| r.engine.events()).sum();
            tell(from_events);
            (round, kept)
        }
        None => (Round::first(request), nobody()),
    };
    checkpoint.lay_out(
        |out| saved::round(round, out),
        &kept,
        |of, out| out.optional(of.as_ref(), saved::replica),
    )?;
    // Before anything is done it is told whether the file can be written.
    checkpoint.check()?;
    let found = run(request, progress, round, kept, Some(&checkpoint));
    if matches!(found, Err(HoppingError::Cancelled)) {
        checkpoint.flush();
    }
    Ok((found?, Resumed { from_events, failure: checkpoint.failure() }))
}

/// No replica is there yet.
fn nobody<'a>() -> Vec<Option<Replica<'a>>> {
    (0..REPLICAS).map(|_| None).collect()
}

/// Rounds from the one given, with the replicas that are kept.
fn run<'a>(
    request: &SpeciesRequest<'a>,
    progress: &dyn Progress,
    mut round: Round,
    kept: Vec<Option<Replica<'a>>>,
    checkpoint: Option<&Checkpoint>,
) -> Result<SpeciesTransport, HoppingError> {
    let model = request.model;
    let mut replicas =
        completed(kept, checkpoint, |index| prepare(request, index as u32, progress), saved::replica)?;
    let carriers = carriers(model, request.arrangement);
    loop {
        if progress.cancelled() {
            return Err(HoppingError::Cancelled);
        }
        extend(model, &mut replicas, round, carriers, progress, checkpoint)?;
        let Round { per_block, wanted } = round;
        let spent: u64 = replicas.iter().map(|r| r.engine.events()).sum();
        progress.report((spent as f64 / request.most_events as f64).min(1.0));
        let (result, systematic) = gather(request, &replicas, wanted);
        let missing = shortfall(&result, model, request.relative_error);
        let left = request.most_events.saturating_sub(spent) / (REPLICAS as u64 * per_block);
        let complete = replicas.iter().all(|r| r.complete);
        // More blocks do not help where what is still to come of a fall is most of the error.
        let longer = missing.is_infinite() || systematic / request.relative_error > 0.7 * missing;
        let needed = if longer { LONGER * (wanted as u64 / LONGER).max(FIRST_BLOCKS as u64) } else { 1 };
        let done = missing <= 1.0 || !result.equilibrated || !complete;
        let ends = done || left < needed || (wanted >= MOST_BLOCKS && !longer);
        if !ends && longer {
            round.per_block *= LONGER;
            round.wanted = (wanted / LONGER as usize).max(FIRST_BLOCKS);
            for replica in &mut replicas {
                replica.blocks.clear();
            }
        } else if !ends {
            let growth = (1.2 * missing * missing).clamp(1.5, LARGEST_GROWTH);
            let more = (wanted as f64 * growth).ceil() as usize;
            round.wanted = more.min(wanted + left.min(1 << 30) as usize).min(MOST_BLOCKS);
        }
        if let Some(checkpoint) = checkpoint {
            checkpoint.lay_out(|out| saved::round(round, out), &replicas, saved::replica)?;
        }
        if ends {
            return Ok(SpeciesTransport { reached: missing <= 1.0, ..result });
        }
    }
}

/// Vacancies, or the rarest species that can go far where there are none.
fn carriers(model: &SpeciesModel, arrangement: &[u8]) -> usize {
    let counts = model.counts(arrangement);
    let vacancies = model.vacancy().map_or(0, |v| counts[v]);
    let far = (0..counts.len()).filter(|s| model.mobility()[*s].dimensions > 0 && counts[*s] > 0);
    if vacancies > 0 { vacancies } else { far.map(|s| counts[s]).min().unwrap_or(1) }
}

/// Brings every replica to a number of blocks.
fn extend(
    model: &SpeciesModel,
    replicas: &mut [Replica<'_>],
    round: Round,
    carriers: usize,
    progress: &dyn Progress,
    checkpoint: Option<&Checkpoint>,
) -> Result<(), HoppingError> {
    let Round { per_block, wanted } = round;
    let rate = replicas.iter().map(|r| r.rate_hz).sum::<f64>() / replicas.len() as f64;
    let samples = samples_per_block(per_block, carriers.max(1));
    let interval = per_block as f64 / (rate * samples as f64);
    if !(interval.is_finite() && interval > 0.0) {
        return Err(HoppingError::Stuck { total_hz: rate, events: 0 });
    }
    let measure = |(index, replica): (usize, &mut Replica<'_>)| {
        let keep = |replica: &Replica<'_>, last: bool| {
            checkpoint.map_or(Ok(()), |c| c.keep(index, last, |out| saved::replica(replica, out)))
        };
        let followed = followed(model, &replica.engine);
        while replica.complete && replica.blocks.len() < wanted {
            if progress.cancelled() {
                keep(replica, true)?;
                return Err(HoppingError::Cancelled);
            }
            let most = per_block.saturating_mul(RUNAWAY);
            match run_block(&mut replica.engine, &followed, samples, interval, most)? {
                Some(block) => replica.blocks.push(block),
                None => replica.complete = false,
            }
            keep(replica, !replica.complete || replica.blocks.len() >= wanted)?;
        }
        Ok(())
    };
    let outcomes: Vec<Result<(), HoppingError>> = replicas.par_iter_mut().enumerate().map(measure).collect();
    outcomes.into_iter().collect()
}

/// Whether atoms move one by one in rows that do not cross: none can pass another.
fn is_single_file(model: &SpeciesModel) -> bool {
    let vacancy = model.vacancy();
    let mut bonds = BTreeSet::new();
    for (_, changes, moves) in model.events() {
        let mut atoms = moves.iter().filter(|m| Some(m.species) != vacancy);
        let (Some(m), None) = (atoms.next(), atoms.next()) else { return false };
        let (from, to) = (changes[m.from].site, changes[m.to].site);
        let shift: [i32; 3] = std::array::from_fn(|k| to.cell[k] - from.cell[k]);
        bonds.insert((from.basis, to.basis, shift));
        bonds.insert((to.basis, from.basis, shift.map(|n| -n)));
    }
    (0..model.sites().len()).all(|b| bonds.iter().filter(|bond| bond.0 == b).count() <= 2)
}

fn hop_length(model: &SpeciesModel, species: usize) -> f64 {
    let lengths = model.events().flat_map(|e| e.2).filter(|m| m.species == species);
    lengths.map(|m| norm(m.vector_angstrom)).fold(f64::INFINITY, f64::min)
}

fn zero() -> Diffusivity {
    let none = [[0.0; 3]; 3];
    let tensor = TensorWithError { value_m2_s: none, std_m2_s: none };
    Diffusivity::Converged { tensor, degrees_of_freedom: 0, window_s: 0.0 }
}

fn named(species: &str, value: Diffusivity) -> Diffusivity {
    match value {
        Diffusivity::NotConverged { reason } => {
            let reason = reason.replace("jump diffusivity", "L_aa");
            Diffusivity::NotConverged { reason: format!("{species}: {reason}") }
        }
        other => other,
    }
}

/// Single atoms and the sum of a species judged, from their blocks.
fn judged_pair<'a>(
    model: &SpeciesModel,
    counts: &[usize],
    species: usize,
    blocks: &'a [Vec<&'a Block>; 2],
    per_replica: usize,
    [complete, equilibrated, single_file]: [bool; 3],
) -> [Judged<'a>; 2] {
    let count = counts[species];
    let vacancies = model.vacancy().map_or(0, |v| counts[v]);
    let carriers = if vacancies == 0 { count } else { count.min(vacancies) };
    [0, 1].map(|which: usize| {
        Judged {
            blocks: &blocks[which],
            per_replica,
            complete,
            equilibrated,
            single_file: single_file && Some(species) != model.vacancy(),
            hop_angstrom: hop_length(model, species),
            ions_per_carrier: count as f64 / carriers as f64,
            tracer: Kind::IonSquares,
            collective: Kind::TotalSquares,
            plateau: [None; Kind::COUNT],
        }
        .with_plateaus()
    })
}

/// The result and the largest relative error that longer blocks alone bring down.
fn gather(
    request: &SpeciesRequest<'_>,
    replicas: &[Replica<'_>],
    per_replica: usize,
) -> (SpeciesTransport, f64) {
    let model = request.model;
    let counts = model.counts(request.arrangement);
    let complete = replicas.iter().all(|r| r.complete);
    let equilibrated = replicas.iter().all(|r| r.equilibration.equilibrated);
    let single_file = is_single_file(model);
    let far: Vec<usize> =
        (0..counts.len()).filter(|s| model.mobility()[*s].dimensions > 0 && counts[*s] > 0).collect();
    let blocks: Vec<&SpeciesBlock> = replicas.iter().flat_map(|r| &r.blocks).collect();
    let lists: Vec<[Vec<&Block>; 2]> = (0..far.len())
        .map(|k| {
            [blocks.iter().map(|b| &b.tracer[k]).collect(), blocks.iter().map(|b| &b.collective[k]).collect()]
        })
        .collect();
    let state = [complete, equilibrated, single_file];
    let judged: Vec<[Judged<'_>; 2]> = lists
        .iter()
        .zip(&far)
        .map(|(list, s)| judged_pair(model, &counts, *s, list, per_replica, state))
        .collect();
    let one = |(n, mobility): (usize, &Mobility)| {
        let note = mobility.why_zero().or_else(|| mobility.why_frozen());
        let mut out = SpeciesCoefficients {
            species: mobility.species.clone(),
            count: counts[n],
            tracer: zero(),
            collective: zero(),
            tracer_correlation: None,
            collective_correlation: None,
            note,
        };
        if let Some([tracer, collective]) = far.iter().position(|s| *s == n).map(|k| &judged[k]) {
            out.tracer = named(&mobility.species, tracer.verdict(tracer.tracer));
            out.collective = named(&mobility.species, collective.verdict(collective.collective));
            out.tracer_correlation = tracer.ratio(tracer.tracer, None);
            out.collective_correlation = collective.ratio(collective.collective, None);
        }
        out
    };
    let species: Vec<SpeciesCoefficients> = model.mobility().iter().enumerate().map(one).collect();
    let atoms = |k: &usize| model.species()[far[*k]] != VACANT;
    let systematic = (0..far.len())
        .filter(atoms)
        .map(|k| {
            let [tracer, collective] = &judged[k];
            tracer.systematic(tracer.tracer).max(collective.systematic(collective.collective))
        })
        .fold(0.0, f64::max);
    let cross = cross(model, &far, &judged, &blocks, &species);
    let worst = |of: fn(&Replica<'_>) -> f64| replicas.iter().map(of).fold(0.0, f64::max);
    let result = SpeciesTransport {
        species,
        cross,
        mobile_sites: model.mobile_sites(),
        events: replicas.iter().map(|r| r.engine.events()).sum(),
        time_s: replicas.iter().map(|r| r.engine.time_s()).sum(),
        equilibrated,
        equilibration_z: worst(|r| r.equilibration.drift_z.abs()),
        balance_gap: worst(|r| r.balance_gap),
        largest_deviation: worst(|r| r.engine.largest_deviation()),
        reached: false,
        warnings: model.warnings().to_vec(),
    };
    (result, systematic)
}

/// L_ab of all pairs.
fn cross(
    model: &SpeciesModel,
    far: &[usize],
    judged: &[[Judged<'_>; 2]],
    blocks: &[&SpeciesBlock],
    species: &[SpeciesCoefficients],
) -> Vec<OnsagerCoefficient> {
    let mut out = Vec::new();
    for a in 0..model.species().len() {
        for b in a + 1..model.species().len() {
            let places = [a, b].map(|s| far.iter().position(|f| *f == s));
            let value = match places {
                [Some(p), Some(q)] => {
                    // Pairs are numbered row by row.
                    let pair = p * far.len() - p * (p + 1) / 2 + (q - p - 1);
                    let names = format!("L of {} and {}", species[a].species, species[b].species);
                    cross_value(&names, [&judged[p][1], &judged[q][1]], blocks, pair)
                }
                _ => zero(),
            };
            out.push(OnsagerCoefficient { species: [a, b], value });
        }
    }
    out
}

/// Reads a cross coefficient where both diagonal ones are read, from the quieter of its two estimators.
fn cross_value(names: &str, judged: [&Judged<'_>; 2], blocks: &[&SpeciesBlock], pair: usize) -> Diffusivity {
    let no = |reason: String| Diffusivity::NotConverged { reason: format!("{names}: {reason}") };
    let mut level = 0;
    for one in judged {
        let Diffusivity::Converged { .. } = one.verdict(one.collective) else {
            return no("one of the diagonal coefficients is not converged".into());
        };
        let kinds = [Kind::TotalSquares, Kind::TotalDrift];
        let read = kinds.iter().filter_map(|kind| one.plateau[*kind as usize]).map(|p| p.read_at).max();
        level = level.max(read.unwrap_or(0));
    }
    let series = |from_drift: bool, level: usize, i: usize, j: usize| -> Vec<f64> {
        blocks.iter().map(|b| b.cross[pair].running(from_drift, level)[i][j]).collect()
    };
    let tensor = |from_drift: bool| {
        let (mut value, mut error): (Matrix3, Matrix3) = ([[0.0; 3]; 3], [[0.0; 3]; 3]);
        let mut degrees = usize::MAX;
        for i in 0..3 {
            for j in 0..3 {
                let here = series(from_drift, level, i, j);
                let (mean, mut std, n) = judged[0].mean_error(&here);
                if level >= 2 {
                    let earlier = series(from_drift, level - 2, i, j);
                    let gaps: Vec<f64> = here.iter().zip(&earlier).map(|(x, y)| x - y).collect();
                    let (gap, gap_error, _) = judged[0].mean_error(&gaps);
                    if gap.abs() > RESOLVED * gap_error {
                        std = std.hypot(REMAINING_SHARE * gap);
                    }
                }
                degrees = degrees.min(n);
                value[i][j] = SQUARE_ANGSTROM * mean;
                error[i][j] = SQUARE_ANGSTROM * std;
            }
        }
        (TensorWithError { value_m2_s: value, std_m2_s: error }, degrees)
    };
    let size = |t: &TensorWithError| t.std_m2_s.iter().flatten().map(|e| e * e).sum::<f64>();
    let (squares, drift) = (tensor(false), tensor(true));
    let (tensor, degrees_of_freedom) = if size(&squares.0) < size(&drift.0) { squares } else { drift };
    let interval = judged[0].blocks.first().map_or(0.0, |b| b.interval_s);
    let window_s = interval * (1u64 << level) as f64;
    Diffusivity::Converged { tensor, degrees_of_freedom, window_s }
}

/// By how much the largest relative error of the atoms that can go far exceeds what is wanted; infinite where there is no result.
fn shortfall(result: &SpeciesTransport, model: &SpeciesModel, wanted: f64) -> f64 {
    let relative = |d: &Diffusivity| match d {
        Diffusivity::Converged { tensor, .. } => {
            let error = (0..3).map(|k| tensor.std_m2_s[k][k].powi(2)).sum::<f64>().sqrt();
            let trace: f64 = (0..3).map(|k| tensor.value_m2_s[k][k]).sum();
            if error == 0.0 { 0.0 } else { error / trace.abs() }
        }
        Diffusivity::SubDiffusive { .. } => 0.0,
        Diffusivity::NotConverged { .. } => f64::INFINITY,
    };
    let mut worst: f64 = 0.0;
    for (s, mobility) in result.species.iter().zip(model.mobility()) {
        if s.species == VACANT || s.count == 0 || mobility.dimensions == 0 {
            continue;
        }
        for value in [relative(&s.tracer), relative(&s.collective)] {
            if exceeds(value, worst) {
                worst = value;
            }
        }
    }
    worst / wanted
}
