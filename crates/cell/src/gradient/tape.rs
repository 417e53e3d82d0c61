//! A run as it was made: what a pass backwards in time needs.

use crate::error::CellError;
use crate::model::integral;
use crate::protocol::Step;
use crate::run::{Cause, Entry, Follower, Held};
use crate::solver::LastStep;

/// A value held from a time on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hold {
    pub(super) held: Held,
    pub(super) slope: Held,
    pub(super) start: f64,
}

/// One time step, with the index of what was held.
#[derive(Debug)]
pub(super) enum TimeStep {
    Multistep { hold: usize, time: f64, y: Vec<f64>, leading: f64, order: usize },
    OneStep { hold: usize, start: f64, length: f64, stages: Vec<Vec<f64>>, slopes: Vec<Vec<f64>> },
}

impl TimeStep {
    pub(super) fn hold(&self) -> usize {
        match self {
            Self::Multistep { hold, .. } | Self::OneStep { hold, .. } => *hold,
        }
    }
}

/// An output after so many time steps of its piece.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    pub(super) place: usize,
    pub(super) time: f64,
    pub(super) after: usize,
}

/// End of a protocol step.
#[derive(Debug)]
pub(super) struct End {
    pub(super) step: Step,
    pub(super) cause: Option<Cause>,
    pub(super) time: f64,
    pub(super) y: Vec<f64>,
}

/// From one start of an integrator to the next.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) hold: usize,
    pub(super) time: f64,
    pub(super) y: Vec<f64>,
    pub(super) steps: Vec<TimeStep>,
    pub(super) outputs: Vec<Output>,
    pub(super) end: Option<End>,
}

/// All of a run.
#[derive(Debug, Default)]
pub(super) struct Tape {
    pub(super) holds: Vec<Hold>,
    pub(super) pieces: Vec<Piece>,
    outputs: usize,
    /// Numbers kept, and the most that may be.
    kept: usize,
    most: usize,
}

impl Tape {
    pub(super) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Time, and charge and energy per area, at the start of protocol step `step`.
    pub(super) fn start_of(&self, step: usize, integrals: usize) -> (f64, [f64; 2]) {
        let ends = self.pieces.iter().filter_map(|piece| piece.end.as_ref());
        let before = step.checked_sub(1).and_then(|before| ends.clone().nth(before));
        before.map_or((0.0, [0.0; 2]), |end| {
            (end.time, [integral::CHARGE, integral::ENERGY].map(|place| end.y[integrals + place]))
        })
    }

    fn keep(&mut self, numbers: usize, time_s: f64) -> Result<(), CellError> {
        self.kept += numbers;
        if self.kept > self.most {
            return Err(CellError::Option {
                option: "time reached when the memory for the way back was full [s]",
                value: time_s,
                requirement: "must be the end of the run: shorten the protocol, coarsen the mesh, or take forward sensitivities, which need no memory",
            });
        }
        Ok(())
    }
}

impl Follower for Tape {
    fn follow(&mut self, entry: Entry<'_>) -> Result<(), CellError> {
        let hold = self.holds.len().saturating_sub(1);
        match entry {
            Entry::Hold { held, slope, start } => self.holds.push(Hold { held, slope, start }),
            Entry::Begin { time, y } => {
                self.keep(y.len(), time)?;
                let (steps, outputs) = (Vec::new(), Vec::new());
                self.pieces.push(Piece { hold, time, y: y.to_vec(), steps, outputs, end: None });
            }
            Entry::Step(last) => {
                let (step, numbers, time) = match last {
                    LastStep::Multistep { time, y, leading, order } => {
                        (TimeStep::Multistep { hold, time, y: y.to_vec(), leading, order }, y.len(), time)
                    }
                    LastStep::OneStep { start, length, stages, slopes } => {
                        let numbers = stages.iter().chain(slopes).map(Vec::len).sum();
                        let (stages, slopes) = (stages.to_vec(), slopes.to_vec());
                        (TimeStep::OneStep { hold, start, length, stages, slopes }, numbers, start + length)
                    }
                };
                self.keep(numbers, time)?;
                if let Some(piece) = self.pieces.last_mut() {
                    piece.steps.push(step);
                    // What waited for a slope has one now.
                    for output in piece.outputs.iter_mut().filter(|output| output.after == 0) {
                        output.after = 1;
                    }
                }
            }
            Entry::End { step, cause, time, y } => {
                self.keep(y.len(), time)?;
                if let Some(piece) = self.pieces.last_mut() {
                    piece.end = Some(End { step: step.clone(), cause, time, y: y.to_vec() });
                }
            }
        }
        Ok(())
    }

    fn output(&mut self, time: f64) {
        let place = self.outputs;
        self.outputs += 1;
        if let Some(piece) = self.pieces.last_mut() {
            piece.outputs.push(Output { place, time, after: piece.steps.len() });
        }
    }
}
