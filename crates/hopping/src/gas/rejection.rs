//! The rejection engine of a lattice gas: a carrier and a direction at random, accepted with rate over the largest rate there is.
//!
//! Carriers are the ions or the vacancies, whichever are fewer. A trial takes the time 1/(carriers times directions times largest rate) whatever comes of it,
//! so that every hop happens at its rate (the mean residence time of a state is that of the rejection-free method). The largest rate is that of the tables
//! that hold all of them: none lies above, and a trial that finds one stops the run.

use super::checkpoint::{NO_ENGINE, Reader, Refused, Writer};
use super::model::GasModel;
use super::state::{Direction, GasState, Move, Place, Saved, motion_of_the_state, told_by_the_state};
use crate::{Attempt, Engine, HoppingError};
use scalade_numerics::Philox;

/// Sites from which on their state does not fit the nearest caches.
const LARGE: usize = 1 << 16;
/// Trials drawn together in a box of so many.
const TOGETHER: usize = 32;

/// What a trial draws.
#[derive(Clone, Copy, Debug)]
struct Draw {
    carrier: u32,
    turn: u32,
    uniform: f64,
}

/// The rejection engine.
#[derive(Clone, Debug)]
pub struct RejectionEngine<'a> {
    state: GasState<'a>,
    /// Directions tried per carrier: the most of any sublattice.
    width: u64,
    attempts: u64,
    interval: f64,
    rng: Philox,
}

impl<'a> RejectionEngine<'a> {
    /// Starts from an occupation.
    pub fn new(model: &'a GasModel, occupied: &[bool], rng: Philox) -> Result<Self, HoppingError> {
        let state = GasState::new(model, occupied)?;
        let width = state.directions.iter().map(Vec::len).max().unwrap_or(0) as u64;
        let interval = 1.0 / (model.rate() * state.bound * state.carriers() as f64 * width as f64);
        Ok(Self { state, width, attempts: 0, interval, rng })
    }

    /// What a trial draws from a random word: carrier, direction and a number uniform in [0, 1), what is left of the word below the unit.
    #[inline]
    fn draw(&self, word: u64) -> Draw {
        let choices = self.state.carriers() as u64 * self.width;
        let product = u128::from(word) * u128::from(choices);
        let pick = (product >> 64) as u64;
        let uniform = ((product as u64) >> 11) as f64 * (1.0 / (1u64 << 53) as f64);
        // Divisions of 32 bits take half the time.
        let (carrier, turn) = match (u32::try_from(pick), u32::try_from(self.width)) {
            (Ok(pick), Ok(width)) if width > 0 => (pick / width, pick % width),
            _ => ((pick / self.width) as u32, (pick % self.width) as u32),
        };
        Draw { carrier, turn, uniform }
    }

    /// The carrier's place.
    #[inline]
    fn start(&self, draw: Draw) -> Place {
        match &self.state.holes {
            Some(holes) => holes[draw.carrier as usize],
            None => self.state.places[draw.carrier as usize],
        }
    }

    /// The direction drawn, and the place that a carrier here would exchange with.
    #[inline]
    fn end(&self, start: Place, draw: Draw) -> Option<(Place, &Direction)> {
        let outward = self.state.directions[usize::from(start.basis)].get(draw.turn as usize)?;
        Some((self.state.shape.stepped(start, outward.step), outward))
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
            if let Some((end, _)) = self.end(*start, *draw) {
                seen ^= self.state.is_vacant(self.state.shape.index(end));
                seen ^= self.state.is_vacant(self.state.shape.index(*start));
            }
        }
        std::hint::black_box(seen);
    }

    /// The hop that a draw stands for, if there is one: an ion and a vacancy must be at its ends.
    #[inline]
    fn hop(&self, draw: Draw) -> Option<Move> {
        let state = &self.state;
        let start = self.start(draw);
        let (end, outward) = self.end(start, draw)?;
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

    /// Makes a hop or rejects it. Apart from the search for one, which fails more often than not.
    #[inline(never)]
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
        let (attempts, rng) = (from.u64()?, from.stream()?);
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
            let count = left.min(TOGETHER as u64) as usize;
            let some = &mut draws[..count];
            self.rng.fill_u64(&mut words[..count]);
            for (draw, word) in some.iter_mut().zip(words) {
                *draw = self.draw(word);
            }
            if large {
                self.glance(some);
            }
            for draw in some.iter() {
                self.attempts += 1;
                if let Some(hop) = self.hop(*draw) {
                    self.decide(&hop, draw.uniform)?;
                }
            }
            left -= some.len() as u64;
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
