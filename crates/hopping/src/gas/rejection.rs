//! The rejection engine of a lattice gas: a carrier and a direction at random, accepted with rate over the largest rate there is.
//!
//! Carriers are the ions or the vacancies, whichever are fewer. A trial takes the time 1/(carriers times directions times largest rate) whatever comes of it,
//! so that every hop happens at its rate (the mean residence time of a state is that of the rejection-free method). The largest rate is that of the tables
//! that hold all of them: none lies above, and a trial that finds one stops the run.

use super::model::GasModel;
use super::state::{GasState, Move, OCCUPIED, Place, Saved, Step, motion_of_the_state, told_by_the_state};
use crate::checkpoint::{NO_ENGINE, Reader, Refused, Writer};
use crate::{Attempt, Engine, HoppingError};
use scalade_numerics::Philox;

/// Sites from which on their state does not fit the nearest caches.
const LARGE: usize = 1 << 16;
/// Trials drawn together.
const TOGETHER: usize = 32;
/// Trials looked at together, at least.
const FEWEST: usize = 2;

/// More than any number of nearest neighbours.
const AMID: usize = 128;

/// What a trial draws.
#[derive(Clone, Copy, Debug)]
struct Draw {
    carrier: u32,
    turn: u32,
    uniform: f64,
}

/// What a trial has to know of a direction of a carrier.
#[derive(Clone, Copy, Debug)]
struct Trial {
    step: Step,
    /// Where the factor of no difference stands in the table of the first shell.
    first: i32,
    /// Share of the hop without the factors; 0 where a sublattice has fewer directions than another.
    own: f64,
}

/// All directions of all sublattices, as many of each.
#[derive(Clone, Debug)]
struct Trials {
    /// Directions of a sublattice.
    width: u32,
    by_direction: Vec<Trial>,
    /// As `first` for the shells beyond, of one direction after another.
    further: Vec<i32>,
    /// The factors of the first shell, from [`AMID`] less than no difference on, NaN where there is no such difference.
    nearest: Box<[f64; 4 * AMID]>,
    /// 1 where the carriers are the ions, -1 where they are what the ions leave for.
    sign: i32,
}

impl Trials {
    fn new(state: &GasState<'_>) -> Self {
        let width = state.directions.iter().map(Vec::len).max().unwrap_or(0);
        let beyond = state.shells().saturating_sub(1);
        let (mut by_direction, mut further) = (Vec::new(), Vec::new());
        for list in &state.directions {
            for outward in list {
                // What hops is the ion, whichever of the two ends is picked.
                let hop = match state.holes {
                    Some(_) => &state.directions[usize::from(outward.step.basis)][usize::from(outward.back)],
                    None => outward,
                };
                let first = hop.origin.first().copied().unwrap_or(0);
                by_direction.push(Trial { step: outward.step, first, own: hop.own });
                further.extend(hop.origin.iter().skip(1));
            }
            let none = Trial { step: Step::NONE, first: 0, own: 0.0 };
            by_direction.extend(vec![none; width - list.len()]);
            further.extend(vec![0; beyond * (width - list.len())]);
        }
        let mut nearest = Box::new([f64::NAN; 4 * AMID]);
        match state.factors.0.first() {
            Some(table) => nearest[AMID..AMID + table.len()].copy_from_slice(table),
            None => nearest.fill(1.0),
        }
        let sign = if state.holes.is_some() { -1 } else { 1 };
        Self { width: width as u32, by_direction, further, nearest, sign }
    }
}

/// The rejection engine.
#[derive(Clone, Debug)]
pub struct RejectionEngine<'a> {
    state: GasState<'a>,
    trials: Trials,
    attempts: u64,
    interval: f64,
    rng: Philox,
}

impl<'a> RejectionEngine<'a> {
    /// Starts from an occupation.
    pub fn new(model: &'a GasModel, occupied: &[bool], rng: Philox) -> Result<Self, HoppingError> {
        let state = GasState::new(model, occupied)?;
        let trials = Trials::new(&state);
        let tried = state.carriers() as f64 * f64::from(trials.width);
        let interval = 1.0 / (model.rate() * state.bound * tried);
        Ok(Self { state, trials, attempts: 0, interval, rng })
    }

    /// What a trial draws from a random word: the whole parts of carrier and direction, and what is left of it as a number uniform in [0, 1).
    #[inline]
    fn draw(&self, word: u64) -> Draw {
        let split = |word: u64, choices: u64| {
            let product = u128::from(word) * u128::from(choices);
            ((product >> 64) as u32, product as u64)
        };
        let (carrier, rest) = split(word, self.state.carriers() as u64);
        let (turn, rest) = split(rest, u64::from(self.trials.width));
        Draw { carrier, turn, uniform: (rest >> 11) as f64 * (1.0 / (1u64 << 53) as f64) }
    }

    /// The carrier's place.
    #[inline]
    fn start(&self, draw: Draw) -> Place {
        match &self.state.holes {
            Some(holes) => holes[draw.carrier as usize],
            None => self.state.places[draw.carrier as usize],
        }
    }

    /// Number of the direction drawn among all.
    #[inline]
    fn direction(&self, start: Place, draw: Draw) -> usize {
        usize::from(start.basis) * self.trials.width as usize + draw.turn as usize
    }

    /// Reads what some trials will need, all places first, then all marks: the memory serves many such reads at once, where trials one after another would wait
    /// for each.
    fn glance(&self, draws: &[Draw]) {
        let mut starts = [Place { cell: [0; 3], basis: 0 }; TOGETHER];
        for (start, draw) in starts.iter_mut().zip(draws) {
            *start = self.start(*draw);
        }
        let mut seen = false;
        for (start, draw) in starts.iter().zip(draws) {
            let step = self.trials.by_direction[self.direction(*start, *draw)].step;
            seen ^= self.state.is_vacant(self.state.shape.index_after(*start, step));
            seen ^= self.state.is_vacant(self.state.shape.index(*start));
        }
        std::hint::black_box(seen);
    }

    /// 1 if a draw of one of the carriers stands for a hop that is to be made as things are, or for one whose rate is none. Without branches that could be
    /// mispredicted, so that several trials are under way in the processor at once. `ONE`: no shell but the first has an energy.
    #[inline]
    fn passes<const ONE: bool>(&self, carriers: &[Place], draw: Draw) -> u32 {
        let state = &self.state;
        let start = carriers[draw.carrier as usize];
        let direction = self.direction(start, draw);
        let trial = &self.trials.by_direction[direction];
        let sites = [state.shape.index(start), state.shape.index_after(start, trial.step)];
        let [here, there] = sites.map(|site| if ONE { state.marks[site] } else { state.marks(site)[0] });
        // An ion and a vacancy must be at the ends.
        let differ = (here ^ there) & OCCUPIED != 0;
        let count = |mark: u8| i32::from(mark & !OCCUPIED);
        let at = AMID as i32 + trial.first + self.trials.sign * (count(there) - count(here));
        let mut share = trial.own * self.trials.nearest[at as usize % (4 * AMID)];
        if !ONE {
            share = self.with_further_shells(share, direction, sites);
        }
        // NaN passes.
        let rejected = draw.uniform >= share;
        u32::from(differ) & u32::from(!rejected)
    }

    /// The share with the factors of the shells beyond the first.
    #[inline]
    fn with_further_shells(&self, mut share: f64, direction: usize, [here, there]: [usize; 2]) -> f64 {
        let tables = &self.state.factors.0[1..];
        let origins = &self.trials.further[direction * tables.len()..(direction + 1) * tables.len()];
        let marks = self.state.marks(here)[1..].iter().zip(&self.state.marks(there)[1..]);
        for ((table, origin), (here, there)) in tables.iter().zip(origins).zip(marks) {
            let at = origin + self.trials.sign * (i32::from(*there) - i32::from(*here));
            share *= table.get(at as usize).unwrap_or(&f64::NAN);
        }
        share
    }

    /// The first of some trials that passes.
    #[inline]
    fn first_to_pass(&self, draws: &[Draw]) -> Option<usize> {
        let carriers = self.state.holes.as_ref().unwrap_or(&self.state.places).as_slice();
        let mut passed = 0u32;
        if self.state.shells() > 1 {
            for (k, draw) in draws.iter().enumerate() {
                passed |= self.passes::<false>(carriers, *draw) << k;
            }
        } else {
            for (k, draw) in draws.iter().enumerate() {
                passed |= self.passes::<true>(carriers, *draw) << k;
            }
        }
        (passed != 0).then(|| passed.trailing_zeros() as usize)
    }

    /// Makes some trials in turn. Several are looked at together, up to the first that passes; it changes what those after it find, and they are looked at again.
    #[inline]
    fn try_all(&mut self, draws: &[Draw], together: usize) -> Result<(), HoppingError> {
        let mut rest = draws;
        while !rest.is_empty() {
            let some = &rest[..together.min(rest.len())];
            let Some(k) = self.first_to_pass(some) else {
                self.attempts += some.len() as u64;
                rest = &rest[some.len()..];
                continue;
            };
            self.attempts += k as u64 + 1;
            if let Some(hop) = self.hop(some[k]) {
                self.decide(&hop, some[k].uniform)?;
            }
            rest = &rest[k + 1..];
        }
        Ok(())
    }

    /// Trials to be looked at together: as many as there are for a hop.
    fn together(&self) -> usize {
        let trials = self.attempts / (self.state.events + 1);
        ((trials as usize).next_power_of_two() / 2).clamp(FEWEST, TOGETHER)
    }

    /// The hop that a draw stands for, if there is one: an ion and a vacancy must be at its ends.
    #[inline]
    fn hop(&self, draw: Draw) -> Option<Move> {
        let state = &self.state;
        let start = self.start(draw);
        let outward = state.directions[usize::from(start.basis)].get(draw.turn as usize)?;
        let end = state.shape.stepped(start, outward.step);
        let (start_site, end_site) = (state.shape.index(start), state.shape.index(end));
        let vacancies = state.holes.is_some();
        if state.is_vacant(end_site) == vacancies {
            return None;
        }
        // A hop leads from an ion's site to a vacant one, whichever of the two was picked.
        Some(if vacancies {
            let way = usize::from(outward.back);
            Move { from: end, to: start, from_site: end_site, to_site: start_site, way }
        } else {
            Move { from: start, to: end, from_site: start_site, to_site: end_site, way: draw.turn as usize }
        })
    }

    /// Makes a hop or rejects it.
    #[inline]
    fn decide(&mut self, hop: &Move, uniform: f64) -> Result<bool, HoppingError> {
        if uniform >= self.state.checked_share(hop, self.time_s())? {
            return Ok(false);
        }
        self.state.make(hop);
        Ok(true)
    }
}

impl<'a> RejectionEngine<'a> {
    /// Writes what has to be kept.
    pub(super) fn save(&self, out: &mut Writer) -> Result<(), Refused> {
        self.state.save(out);
        out.u64(self.attempts);
        out.stream(&self.rng)
    }

    /// The engine that was written, its state being read already.
    pub(super) fn restored(
        model: &'a GasModel,
        saved: Saved,
        from: &mut Reader<'_>,
    ) -> Result<Self, Refused> {
        let (attempts, rng) = (from.counted()?, from.stream()?);
        let mut out = Self::new(model, &saved.occupied, rng).map_err(|_| NO_ENGINE)?;
        out.attempts = attempts;
        out.state.put(saved)?;
        Ok(out)
    }
}

impl RejectionEngine<'_> {
    told_by_the_state!();
}

impl Engine for RejectionEngine<'_> {
    fn attempt(&mut self, limit_s: f64) -> Result<Attempt, HoppingError> {
        if (self.attempts + 1) as f64 * self.interval > limit_s {
            return Ok(Attempt::TimeReached);
        }
        self.attempts += 1;
        let word = self.rng.next_u64();
        let draw = self.draw(word);
        let Some(hop) = self.hop(draw) else { return Ok(Attempt::Rejected) };
        Ok(if self.decide(&hop, draw.uniform)? { Attempt::Hopped } else { Attempt::Rejected })
    }

    fn run_until(&mut self, limit_s: f64, max_attempts: u64) -> Result<bool, HoppingError> {
        // The same attempts as one by one, without a look at the clock between them.
        let mut due = (limit_s / self.interval).min(9e15) as u64;
        while due > self.attempts && due as f64 * self.interval > limit_s {
            due -= 1;
        }
        let wanted = due.saturating_sub(self.attempts);
        let mut left = wanted.min(max_attempts);
        let large = self.state.sites() >= LARGE;
        // Draws do not depend on the state.
        let mut words = [0u64; TOGETHER];
        let mut draws = [Draw { carrier: 0, turn: 0, uniform: 0.0 }; TOGETHER];
        while left > 0 {
            let together = self.together();
            let count = left.min(TOGETHER as u64) as usize;
            let some = &mut draws[..count];
            self.rng.fill_u64(&mut words[..count]);
            for (draw, word) in some.iter_mut().zip(words) {
                *draw = self.draw(word);
            }
            if large {
                self.glance(some);
            }
            self.try_all(some, together)?;
            left -= count as u64;
        }
        Ok(wanted < max_attempts)
    }

    fn time_s(&self) -> f64 {
        self.attempts as f64 * self.interval
    }

    fn attempts(&self) -> u64 {
        self.attempts
    }

    motion_of_the_state!();
}
