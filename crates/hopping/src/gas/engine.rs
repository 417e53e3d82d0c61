//! The engines of a lattice gas behind one face: one law, three ways to make the next hop.

use super::events::EventEngine;
use super::model::GasModel;
use super::rejection::RejectionEngine;
use super::selector::{Classes, SumTree};
use super::state::Saved;
use crate::checkpoint::{Reader, Refused, Writer};
use crate::{Attempt, Engine, HoppingError};
use scalade_numerics::Philox;

/// How the next hop is found. All three make every hop at its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// A carrier and a direction at random, accepted with rate over the largest rate there is.
    Rejection,
    /// Sites filed by powers of two above their rates, one of them at random, accepted with rate over bound.
    CompositionRejection,
    /// A tree of sums of rates; nothing is rejected.
    Tree,
}

impl Selection {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rejection, Self::CompositionRejection, Self::Tree];

    /// Its name in files and results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejection => "rejection",
            Self::CompositionRejection => "composition-rejection",
            Self::Tree => "tree",
        }
    }
}

/// An engine of a lattice gas.
#[derive(Clone, Debug)]
pub struct GasEngine<'a>(Inner<'a>);

#[derive(Clone, Debug)]
enum Inner<'a> {
    Rejection(Box<RejectionEngine<'a>>),
    Classes(Box<EventEngine<'a, Classes>>),
    Tree(Box<EventEngine<'a, SumTree>>),
}

/// One call for whichever engine it is.
macro_rules! whichever {
    ($engine:expr, $inner:ident => $call:expr) => {
        match $engine {
            Inner::Rejection($inner) => $call,
            Inner::Classes($inner) => $call,
            Inner::Tree($inner) => $call,
        }
    };
}

impl<'a> GasEngine<'a> {
    /// Starts from an occupation.
    pub fn new(
        model: &'a GasModel,
        occupied: &[bool],
        selection: Selection,
        rng: Philox,
    ) -> Result<Self, HoppingError> {
        Ok(Self(match selection {
            Selection::Rejection => Inner::Rejection(Box::new(RejectionEngine::new(model, occupied, rng)?)),
            Selection::CompositionRejection => {
                Inner::Classes(Box::new(EventEngine::new(model, occupied, rng)?))
            }
            Selection::Tree => Inner::Tree(Box::new(EventEngine::new(model, occupied, rng)?)),
        }))
    }

    /// How it finds the next hop.
    pub fn selection(&self) -> Selection {
        match self.0 {
            Inner::Rejection(_) => Selection::Rejection,
            Inner::Classes(_) => Selection::CompositionRejection,
            Inner::Tree(_) => Selection::Tree,
        }
    }

    /// Number of sites.
    pub fn sites(&self) -> usize {
        whichever!(&self.0, e => e.sites())
    }

    /// Ions or vacancies, whichever are fewer.
    pub fn carriers(&self) -> usize {
        whichever!(&self.0, e => e.carriers())
    }

    /// Whether vacancies are fewer than ions.
    pub fn follows_vacancies(&self) -> bool {
        whichever!(&self.0, e => e.follows_vacancies())
    }

    /// The occupation.
    pub fn occupation(&self) -> Vec<bool> {
        whichever!(&self.0, e => e.occupation())
    }

    /// The same state with another random stream: for statistics over many runs from one start.
    #[must_use]
    pub fn clone_with_stream(&self, rng: Philox) -> Self {
        Self(match &self.0 {
            Inner::Rejection(e) => Inner::Rejection(Box::new(e.clone_with_stream(rng))),
            Inner::Classes(e) => Inner::Classes(Box::new(e.clone_with_stream(rng))),
            Inner::Tree(e) => Inner::Tree(Box::new(e.clone_with_stream(rng))),
        })
    }

    /// Writes what has to be kept to go on from here.
    pub(super) fn save(&self, out: &mut Writer) -> Result<(), Refused> {
        whichever!(&self.0, e => e.save(out))
    }

    /// The engine that was written.
    pub(super) fn restored(
        model: &'a GasModel,
        selection: Selection,
        ions: usize,
        from: &mut Reader<'_>,
    ) -> Result<Self, Refused> {
        let saved = Saved::read(model, ions, from)?;
        Ok(Self(match selection {
            Selection::Rejection => {
                Inner::Rejection(Box::new(RejectionEngine::restored(model, saved, from)?))
            }
            Selection::CompositionRejection => {
                Inner::Classes(Box::new(EventEngine::restored(model, saved, from)?))
            }
            Selection::Tree => Inner::Tree(Box::new(EventEngine::restored(model, saved, from)?)),
        }))
    }

    /// Compares the counts of occupied neighbours with ones made anew: the largest difference, 0 unless the engine is defective.
    pub fn count_error(&self) -> usize {
        whichever!(&self.0, e => e.count_error())
    }

    /// Largest |ln(rate there / rate back) + (E after - E before)/kT| over all hops that can happen in the present state, with energy differences from the
    /// pairs one by one: 0 to rounding where detailed balance holds.
    pub fn balance_error(&self) -> f64 {
        whichever!(&self.0, e => e.balance_error())
    }
}

impl Engine for GasEngine<'_> {
    fn attempt(&mut self, limit_s: f64) -> Result<Attempt, HoppingError> {
        whichever!(&mut self.0, e => e.attempt(limit_s))
    }

    fn run_until(&mut self, limit_s: f64, max_attempts: u64) -> Result<bool, HoppingError> {
        whichever!(&mut self.0, e => e.run_until(limit_s, max_attempts))
    }

    fn time_s(&self) -> f64 {
        whichever!(&self.0, e => e.time_s())
    }

    fn attempts(&self) -> u64 {
        whichever!(&self.0, e => e.attempts())
    }

    fn events(&self) -> u64 {
        whichever!(&self.0, e => e.events())
    }

    fn ions(&self) -> usize {
        whichever!(&self.0, e => e.ions())
    }

    fn displacement_angstrom(&self, ion: usize) -> [f64; 3] {
        whichever!(&self.0, e => e.displacement_angstrom(ion))
    }

    fn total_displacement_angstrom(&self) -> [f64; 3] {
        whichever!(&self.0, e => e.total_displacement_angstrom())
    }

    fn squared_hops(&self) -> [[f64; 3]; 3] {
        whichever!(&self.0, e => e.squared_hops())
    }

    fn drift(&mut self, by_ion: Option<&mut Vec<[f64; 3]>>) -> [f64; 3] {
        whichever!(&mut self.0, e => e.drift(by_ion))
    }

    fn is_occupied(&self, site: usize) -> bool {
        whichever!(&self.0, e => e.is_occupied(site))
    }
}
