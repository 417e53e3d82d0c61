//! Sampling to a wanted precision.

use super::local::{Chains, Configuration, Law, PairTables, ScratchConfiguration};
use super::multispin::{Multispin, Observed};
use super::recorder::{PointSummary, Recorder};
use super::rejection_free::RejectionFree;
use super::samples::Samples;
use super::wolff::Wolff;
use super::{Counted, PairModel, exchange};
use crate::LatticeError;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Streams of the random numbers by purpose.
const STREAM_HEAT_BATH: u32 = 0x6d00;
const STREAM_WOLFF: u32 = 0x6d01;
const STREAM_SINGLE: u32 = 0x6d02;
const STREAM_EVENTS: u32 = 0x6d03;

/// Moves of the heat bath in words that cost as much as one site by itself, flipped alone or in a cluster.
pub(super) const LOCAL_COST: u64 = 10;
/// The same for an event of the n-fold way.
const EVENT_COST: u64 = 200;
/// Share of changed sites below which events are cheaper than trials.
const FROZEN_ACCEPTANCE: f64 = 1e-3;

/// Chains of cluster updates per point.
const WOLFF_CHAINS: usize = 8;
/// Autocorrelation time in sweeps from which on clusters are cheaper than local updates in words of 64.
const SLOW_SWEEPS: f64 = 40.0;
/// Records before the first look.
const FIRST_RECORDS: u64 = 64;
/// Autocorrelation times that a run has to hold.
const LEAST_TIMES: f64 = 30.0;

/// How configurations are updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// The fastest valid one; the result says which.
    Auto,
    /// Heat bath, 64 sites to a word ([`Multispin`]).
    HeatBath,
    /// Single clusters ([`Wolff`]); ferromagnets without a field only.
    Wolff,
    /// One site at a time with a table of neighbours ([`super::Chains`]).
    Single,
    /// The n-fold way ([`RejectionFree`]): chosen where hardly any trial is accepted.
    RejectionFree,
    /// One site at a time with every energy from scratch: slow, for tests.
    Reference,
}

/// Settings of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSettings {
    /// Standard error of the energy per site at which a point is done.
    pub precision: f64,
    /// Seed of all random streams.
    pub seed: u64,
    /// Most trial moves of a point, as moves of the heat bath in words: one of the kernels that move single sites or clusters counts for 10, an
    /// event of the n-fold way for 200, and a move of the heat bath itself for 5 where its law is a table.
    pub most_moves: u64,
    /// How configurations are updated.
    pub algorithm: Algorithm,
    /// Whether neighbouring points exchange configurations.
    pub replica_exchange: bool,
    /// Most single configurations of a point that are kept ([`SampledPoint::samples`]); 0 keeps none.
    pub samples: usize,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            precision: 1e-3,
            seed: 0,
            most_moves: 20_000_000_000,
            algorithm: Algorithm::Auto,
            replica_exchange: false,
            samples: 0,
        }
    }
}

/// A point of the semi-grand-canonical ensemble.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// kT in the unit of the energies.
    pub kt: f64,
    /// Chemical potential of an occupied site.
    pub mu: f64,
}

/// The result of a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampledPoint {
    /// Its conditions.
    pub condition: Condition,
    /// Averages.
    pub summary: PointSummary,
    /// Which algorithm gave them.
    pub algorithm: Algorithm,
    /// Moves (heat bath, single: sites drawn; Wolff: sites flipped; n-fold way: events) without the pilot of another algorithm.
    pub moves: u64,
    /// Sweeps between records.
    pub sweeps_per_record: f64,
    /// Accepted over all moves (heat bath: share of the drawn sites that changed), where moves can be rejected.
    pub acceptance: Option<f64>,
    /// Share of accepted exchanges with the next point, with replica exchange.
    pub exchange_acceptance: Option<f64>,
    /// Whether the precision was reached by an equilibrated run that is long over its autocorrelation.
    pub converged: bool,
    /// Single configurations, where the settings ask for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<Samples>,
}

/// A sampler that gives one record at a time.
pub(super) trait Walker {
    /// Makes the moves of one record and records; returns their number.
    fn record(&mut self, recorder: &mut Recorder) -> u64;

    /// Whether so few moves are accepted that events are cheaper.
    fn is_frozen(&self) -> bool {
        false
    }
}

/// Why a run ended.
pub(super) enum Ended {
    Converged,
    OutOfMoves,
    /// Strongly correlated: clusters are cheaper.
    Slow,
    /// Hardly any move is accepted: events are cheaper.
    Frozen,
}

/// A run in progress: a recorder with its moves and the number of records at which it is looked at next.
pub(super) struct Progress {
    cost: u64,
    recorder: Recorder,
    next: u64,
    looked: bool,
    pub(super) moves: u64,
    pub(super) summary: Option<PointSummary>,
}

impl Progress {
    /// `cost`: moves of the heat bath that cost as much as one of these.
    pub(super) fn new(sites: usize, replicas: usize, cost: u64, settings: &RunSettings) -> Self {
        Self {
            cost,
            recorder: Recorder::new(sites, replicas).keeping(settings.samples),
            next: FIRST_RECORDS,
            looked: false,
            moves: 0,
            summary: None,
        }
    }

    /// Whether the last record was one at which errors were looked at.
    pub(super) fn looked(&self) -> bool {
        self.looked
    }

    /// Takes a record.
    pub(super) fn take(
        &mut self,
        observed: &[Observed],
        moves: u64,
        condition: Condition,
        settings: &RunSettings,
    ) -> Option<Ended> {
        self.recorder.add(observed);
        self.look(moves, condition, settings)
    }

    /// Looks at the errors at records that grow by a half, so that stopping when they are small does not select for
    /// small estimates.
    fn look(&mut self, moves: u64, condition: Condition, settings: &RunSettings) -> Option<Ended> {
        self.looked = false;
        self.moves += moves;
        let out = self.moves.saturating_mul(self.cost) >= settings.most_moves;
        if self.recorder.records() < self.next && !out {
            return None;
        }
        self.next += self.next / 2;
        self.looked = true;
        self.summary = self.recorder.summary(condition.kt, condition.mu);
        let done = self.summary.as_ref().is_some_and(|s| is_done(s, settings.precision));
        if done {
            return Some(Ended::Converged);
        }
        out.then_some(Ended::OutOfMoves)
    }
}

fn is_done(summary: &PointSummary, precision: f64) -> bool {
    summary.energy.error <= precision
        && summary.equilibrated
        && summary.plateau
        && summary.kept as f64 >= LEAST_TIMES * summary.autocorrelation_time
}

/// Which changes of the algorithm a run may end with.
#[derive(Clone, Copy, Default)]
struct Alternatives {
    clusters: bool,
    events: bool,
}

fn drive(
    walker: &mut dyn Walker,
    progress: &mut Progress,
    condition: Condition,
    settings: &RunSettings,
    alternatives: Alternatives,
) -> Ended {
    loop {
        let moves = walker.record(&mut progress.recorder);
        if let Some(end) = progress.look(moves, condition, settings) {
            return end;
        }
        if !progress.looked || progress.recorder.records() < 400 {
            continue;
        }
        if alternatives.events && walker.is_frozen() {
            return Ended::Frozen;
        }
        let slow = progress.summary.as_ref().is_some_and(|s| s.autocorrelation_time > SLOW_SWEEPS);
        if alternatives.clusters && slow {
            return Ended::Slow;
        }
    }
}

/// Heat bath in words of 64.
pub(super) struct HeatBath {
    pub(super) kernel: Multispin,
    /// The field-free case: exchanging occupied and vacant is a symmetry.
    symmetric: bool,
    mu: f64,
    /// The replicas as last observed, before any is turned over.
    pub(super) seen: Vec<Observed>,
    shown: Vec<Observed>,
}

impl HeatBath {
    /// An equilibrating start: uniform in the stable phase of a ferromagnet, cooled from random otherwise.
    pub(super) fn new<M: Counted + ?Sized>(
        model: &M,
        condition: Condition,
        seed: u64,
        replica: u32,
    ) -> Result<Self, LatticeError> {
        let fewest = match model.sites() {
            0..=16_384 => 64,
            16_385..=65_536 => 16,
            65_537..=262_144 => 4,
            _ => 1,
        };
        let mut kernel = Multispin::new(model, fewest, seed, STREAM_HEAT_BATH, replica)?;
        let symmetric_mu = model.symmetric_chemical_potential();
        let scale: f64 = model.energies().iter().map(|e| e.abs()).sum();
        let symmetric = symmetric_mu.is_some_and(|m| (m - condition.mu).abs() <= 1e-12 * scale);
        if let (true, Some(at)) = (model.is_ferromagnetic(), symmetric_mu) {
            kernel.fill(if condition.mu >= at { !0 } else { 0 });
        } else {
            kernel.randomize();
            let (levels, hot) = (24, model.hot(condition.mu));
            if hot > condition.kt {
                for level in 0..levels {
                    let share = f64::from(level) / f64::from(levels);
                    kernel.set_law(model, hot.powf(1.0 - share) * condition.kt.powf(share), condition.mu);
                    (0..8).for_each(|_| kernel.sweep());
                }
            }
        }
        kernel.set_law(model, condition.kt, condition.mu);
        Ok(Self { kernel, symmetric, mu: condition.mu, seen: Vec::new(), shown: Vec::new() })
    }

    /// Observes; without a field every replica is turned over with probability one half.
    pub(super) fn observe(&mut self, out: &mut Vec<Observed>) {
        self.kernel.observe(&mut self.seen);
        out.clone_from(&self.seen);
        if self.symmetric {
            let turn = self.kernel.random_word();
            let sites = self.kernel.sites() as f64;
            for (r, o) in out.iter_mut().enumerate() {
                if turn >> r & 1 == 1 {
                    let turned = sites - o.occupied;
                    // E - mu N is the same on both sides.
                    o.energy += self.mu * (turned - o.occupied);
                    o.occupied = turned;
                }
            }
        }
    }
}

impl HeatBath {
    /// A sweep, observed.
    pub(super) fn advance(&mut self, out: &mut Vec<Observed>) -> u64 {
        self.kernel.sweep();
        self.observe(out);
        (self.kernel.sites() * self.kernel.replicas()) as u64
    }
}

impl Walker for HeatBath {
    fn record(&mut self, recorder: &mut Recorder) -> u64 {
        let mut observed = std::mem::take(&mut self.shown);
        let moves = self.advance(&mut observed);
        recorder.add(&observed);
        self.shown = observed;
        moves
    }

    fn is_frozen(&self) -> bool {
        self.kernel.acceptance() < FROZEN_ACCEPTANCE
    }
}

struct Clusters<'a> {
    model: &'a PairModel,
    chains: Vec<Wolff>,
    steps: usize,
}

impl<'a> Clusters<'a> {
    fn new(model: &'a PairModel, condition: Condition, seed: u64, replica: u32) -> Self {
        let first = replica.wrapping_mul(WOLFF_CHAINS as u32);
        let mut chains: Vec<Wolff> = (0..WOLFF_CHAINS as u32)
            .map(|c| Wolff::new(model, condition.kt, seed, STREAM_WOLFF, first.wrapping_add(c)))
            .collect();
        // The number of clusters in a record, about a sweep, is fixed before recording: it must not depend on what is recorded.
        let (mut flipped, mut steps) = (0usize, 0usize);
        let enough = 16 * model.sites();
        while flipped < enough {
            flipped += chains[steps % WOLFF_CHAINS].step();
            steps += 1;
        }
        let mean_size = flipped as f64 / steps as f64;
        let steps = (model.sites() as f64 / mean_size).ceil().max(1.0) as usize;
        for chain in &mut chains {
            (0..8 * steps).for_each(|_| {
                chain.step();
            });
        }
        Self { model, chains, steps }
    }
}

impl Walker for Clusters<'_> {
    fn record(&mut self, recorder: &mut Recorder) -> u64 {
        let (model, steps) = (self.model, self.steps);
        let advance = |chain: &mut Wolff| {
            let before = chain.visited();
            (0..steps).for_each(|_| {
                chain.step();
            });
            (chain.observe(model), chain.visited() - before)
        };
        // Chains are independent streams: in parallel or one after the other they give the same bits.
        let records: Vec<(Observed, u64)> = if model.sites() * WOLFF_CHAINS >= 1 << 15 {
            self.chains.par_iter_mut().map(advance).collect()
        } else {
            self.chains.iter_mut().map(advance).collect()
        };
        let observed: Vec<Observed> = records.iter().map(|r| r.0).collect();
        recorder.add(&observed);
        records.iter().map(|r| r.1).sum()
    }
}

/// Samples every condition to the wanted precision, in parallel. The result depends on the seed, not on the number of threads.
pub fn sample(
    model: &PairModel,
    conditions: &[Condition],
    settings: &RunSettings,
) -> Result<Vec<SampledPoint>, LatticeError> {
    check(conditions, settings)?;
    if settings.algorithm == Algorithm::Wolff
        && let Some(bad) = conditions.iter().find(|c| !Wolff::suits(model, c.mu))
    {
        return Err(LatticeError::Setting {
            name: "chemical potential of a run with clusters",
            value: bad.mu,
            want: "cluster updates need pairs that are not positive and the chemical potential of the symmetric point",
        });
    }
    if settings.replica_exchange && conditions.len() > 1 {
        return exchange::sample_exchanging(model, conditions, settings);
    }
    conditions
        .par_iter()
        .enumerate()
        .map(|(index, condition)| sample_one(model, *condition, settings, index as u32))
        .collect()
}

/// The same for any model that the heat bath suits ([`Multispin::suits`]), with exchanges between neighbouring points if the settings ask for them.
pub fn sample_counted<M: Counted>(
    model: &M,
    conditions: &[Condition],
    settings: &RunSettings,
) -> Result<Vec<SampledPoint>, LatticeError> {
    check(conditions, settings)?;
    if settings.replica_exchange && conditions.len() > 1 {
        return exchange::sample_exchanging(model, conditions, settings);
    }
    let points = conditions.par_iter().enumerate().map(|(index, condition)| {
        let mut walker = HeatBath::new(model, *condition, settings.seed, index as u32)?;
        let mut progress =
            Progress::new(model.sites(), walker.kernel.replicas(), walker.kernel.cost(), settings);
        let end = drive(&mut walker, &mut progress, *condition, settings, Alternatives::default());
        let acceptance = Some(walker.kernel.acceptance());
        Ok(finished(progress, &end, *condition, Algorithm::HeatBath, acceptance))
    });
    points.collect()
}

pub(super) fn check(conditions: &[Condition], settings: &RunSettings) -> Result<(), LatticeError> {
    for condition in conditions {
        let holds = condition.kt > 0.0 && condition.kt.is_finite();
        LatticeError::require(holds, "kT", condition.kt, "a positive number is due")?;
        LatticeError::require(
            condition.mu.is_finite(),
            "chemical potential",
            condition.mu,
            "a finite number is due",
        )?;
    }
    let holds = settings.precision > 0.0;
    LatticeError::require(holds, "precision", settings.precision, "a positive number is due")
}

fn sample_one(
    model: &PairModel,
    condition: Condition,
    settings: &RunSettings,
    index: u32,
) -> Result<SampledPoint, LatticeError> {
    let fast = Multispin::suits(model);
    let clusters = Wolff::suits(model, condition.mu);
    let mut algorithm = match settings.algorithm {
        Algorithm::Auto if fast => Algorithm::HeatBath,
        Algorithm::Auto if clusters => Algorithm::Wolff,
        Algorithm::Auto => Algorithm::Single,
        given => given,
    };
    if algorithm == Algorithm::HeatBath {
        let mut walker = HeatBath::new(model, condition, settings.seed, index)?;
        let mut progress =
            Progress::new(model.sites(), walker.kernel.replicas(), walker.kernel.cost(), settings);
        let free = settings.algorithm == Algorithm::Auto;
        let alternatives = Alternatives { clusters: free && clusters, events: free };
        let end = drive(&mut walker, &mut progress, condition, settings, alternatives);
        match end {
            Ended::Slow => algorithm = Algorithm::Wolff,
            Ended::Frozen => algorithm = Algorithm::RejectionFree,
            _ => {
                let acceptance = Some(walker.kernel.acceptance());
                return Ok(finished(progress, &end, condition, Algorithm::HeatBath, acceptance));
            }
        }
    }
    if algorithm == Algorithm::Wolff {
        let mut walker = Clusters::new(model, condition, settings.seed, index);
        let mut progress = Progress::new(model.sites(), WOLFF_CHAINS, LOCAL_COST, settings);
        let end = drive(&mut walker, &mut progress, condition, settings, Alternatives::default());
        return Ok(finished(progress, &end, condition, Algorithm::Wolff, None));
    }
    if algorithm == Algorithm::RejectionFree {
        return Ok(sample_events(model, condition, settings, index));
    }
    let law = Law::SemiGrand { mu: condition.mu };
    if algorithm == Algorithm::Reference {
        let state = ScratchConfiguration::new(model);
        return Ok(sample_chains(&state, law, condition, 0.0, algorithm, settings, index));
    }
    let tables = PairTables::new(model);
    let hot = hot(model, condition.mu);
    Ok(sample_chains(&tables.empty(), law, condition, hot, algorithm, settings, index))
}

/// The n-fold way, from the stable uniform phase of a ferromagnet or a cooled start.
fn sample_events(
    model: &PairModel,
    condition: Condition,
    settings: &RunSettings,
    index: u32,
) -> SampledPoint {
    let tables = PairTables::new(model);
    let law = Law::SemiGrand { mu: condition.mu };
    let uniform = model.symmetric_chemical_potential().filter(|_| model.is_ferromagnetic());
    let hot = if uniform.is_some() { 0.0 } else { hot(model, condition.mu) };
    let start = Chains::new(&tables.empty(), law, condition.kt, hot, settings.seed, STREAM_SINGLE, index);
    let mut states = start.into_states();
    if let Some(at) = uniform {
        for state in &mut states {
            state.fill(condition.mu >= at);
        }
    }
    let mut walker = RejectionFree::new(states, condition, settings.seed, STREAM_EVENTS, index);
    let mut progress = Progress::new(model.sites(), walker.replicas(), EVENT_COST, settings);
    let end = drive(&mut walker, &mut progress, condition, settings, Alternatives::default());
    let mut point = finished(progress, &end, condition, Algorithm::RejectionFree, None);
    point.sweeps_per_record = walker.interval();
    point
}

/// A temperature at which a model is disordered: twice the widest energy gap of a site.
pub fn hot(model: &PairModel, mu: f64) -> f64 {
    let widest: f64 = model
        .shells()
        .iter()
        .map(|s| s.energy.abs() * s.neighbours.iter().map(Vec::len).max().unwrap_or(0) as f64)
        .sum();
    2.0 * (widest + (mu - model.symmetric_chemical_potential().unwrap_or(0.0)).abs())
}

/// Samples one point by chains that are cooled from the temperature `hot`, in any ensemble. In the condition, mu enters only the heat capacity.
pub fn sample_chains<C: Configuration>(
    state: &C,
    law: Law,
    condition: Condition,
    hot: f64,
    algorithm: Algorithm,
    settings: &RunSettings,
    index: u32,
) -> SampledPoint {
    let mut walker = Chains::new(state, law, condition.kt, hot, settings.seed, STREAM_SINGLE, index);
    let mut progress = Progress::new(state.sites(), walker.replicas(), LOCAL_COST, settings);
    let end = drive(&mut walker, &mut progress, condition, settings, Alternatives::default());
    let acceptance = Some(walker.acceptance());
    finished(progress, &end, condition, algorithm, acceptance)
}

/// Samples every (kT, number of occupied sites) of the canonical ensemble by exchanges of an occupied with a vacant site.
pub fn sample_canonical(
    model: &PairModel,
    points: &[(f64, usize)],
    settings: &RunSettings,
) -> Result<Vec<SampledPoint>, LatticeError> {
    let laws: Vec<(f64, Law)> = points.iter().map(|(kt, n)| (*kt, Law::Canonical { occupied: *n })).collect();
    sample_laws(model, &laws, settings)
}

/// Samples every (kT, law), in parallel, by single sites or exchanges.
pub fn sample_laws(
    model: &PairModel,
    laws: &[(f64, Law)],
    settings: &RunSettings,
) -> Result<Vec<SampledPoint>, LatticeError> {
    let conditions: Vec<Condition> = laws.iter().map(|(kt, _)| Condition { kt: *kt, mu: 0.0 }).collect();
    check(&conditions, settings)?;
    let tables = PairTables::new(model);
    let points = laws.par_iter().enumerate().map(|(index, (kt, law))| {
        let mu = if let Law::SemiGrand { mu } = law { *mu } else { 0.0 };
        let condition = Condition { kt: *kt, mu };
        if settings.algorithm == Algorithm::Reference {
            let state = ScratchConfiguration::new(model);
            return sample_chains(&state, *law, condition, 0.0, Algorithm::Reference, settings, index as u32);
        }
        sample_chains(
            &tables.empty(),
            *law,
            condition,
            hot(model, mu),
            Algorithm::Single,
            settings,
            index as u32,
        )
    });
    Ok(points.collect())
}

pub(super) fn finished(
    progress: Progress,
    end: &Ended,
    condition: Condition,
    algorithm: Algorithm,
    acceptance: Option<f64>,
) -> SampledPoint {
    let summary = progress.summary.unwrap_or_default();
    SampledPoint {
        condition,
        moves: progress.moves,
        samples: progress.recorder.samples(&summary),
        summary,
        algorithm,
        sweeps_per_record: 1.0,
        acceptance,
        exchange_acceptance: None,
        converged: matches!(end, Ended::Converged),
    }
}
