//! Following a run while it goes on: records as they are made, and checkpoints from which it can go on.

use super::Run;
use crate::error::CellError;
use crate::solution::{DfnSolution, EndReason, StepSummary};
use serde::{Deserialize, Serialize};

/// State of the cell at one time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Cycle, from 0.
    pub cycle: usize,
    /// Protocol step, from 0.
    pub step: usize,
    /// Time, s.
    pub time_s: f64,
    /// Terminal voltage, V.
    pub voltage_v: f64,
    /// Current, A.
    pub current_a: f64,
    /// Temperature, K.
    pub temperature_k: f64,
    /// Charge drawn since the start, A h.
    pub discharge_capacity_ah: f64,
}

/// A run between two protocol steps: everything that what follows depends on. A run that goes on from it takes
/// the same steps, bit for bit, as one that was never interrupted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    version: u32,
    time_s: f64,
    unknowns: Vec<f64>,
    start: Vec<f64>,
    next_output: usize,
    next_profile: usize,
    last_record_s: Option<f64>,
    solution: DfnSolution,
}

const VERSION: u32 = 1;

impl Checkpoint {
    /// Protocol steps that are done.
    pub fn steps_done(&self) -> usize {
        self.solution.steps.len()
    }

    /// Time reached, s.
    pub fn time_s(&self) -> f64 {
        self.time_s
    }
}

/// What follows a run.
pub trait Watch {
    /// Takes a record; `true` if the run's solution need not keep it.
    fn record(&mut self, record: &Record) -> bool;

    /// A protocol step is done; `checkpoint` makes a checkpoint if one is wanted now.
    ///
    /// # Errors
    /// What ends the run here, for example that a checkpoint cannot be written.
    fn step_done(
        &mut self,
        summary: &StepSummary,
        checkpoint: &mut dyn FnMut() -> Checkpoint,
    ) -> Result<(), CellError>;
}

/// Nothing follows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn record(&mut self, _: &Record) -> bool {
        false
    }

    fn step_done(&mut self, _: &StepSummary, _: &mut dyn FnMut() -> Checkpoint) -> Result<(), CellError> {
        Ok(())
    }
}

/// Whether a step that ended so was ended by one of its own limits.
pub(super) fn ended_by_limit(reason: EndReason) -> bool {
    !matches!(
        reason,
        EndReason::TimeLimit
            | EndReason::LongestDuration
            | EndReason::NegativeStoichiometry
            | EndReason::PositiveStoichiometry
            | EndReason::Failure
    )
}

impl Run<'_> {
    /// Tells `watch` what the last protocol step brought.
    pub(super) fn tell(&mut self, watch: &mut dyn Watch) -> Result<(), CellError> {
        let Some(summary) = self.solution.steps.last().copied() else { return Ok(()) };
        let step = self.solution.steps.len() - 1;
        let solution = &mut self.solution;
        let mut kept = self.told;
        for i in self.told..solution.time_s.len() {
            let record = Record {
                cycle: self.cycle,
                step,
                time_s: solution.time_s[i],
                voltage_v: solution.voltage_v[i],
                current_a: solution.current_a[i],
                temperature_k: solution.temperature_k[i],
                discharge_capacity_ah: solution.discharge_capacity_ah[i],
            };
            if !watch.record(&record) {
                for list in solution.records_mut() {
                    list[kept] = list[i];
                }
                kept += 1;
            }
        }
        for list in solution.records_mut() {
            list.truncate(kept);
        }
        self.told = kept;
        watch.step_done(&summary, &mut || self.checkpoint())
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            version: VERSION,
            time_s: self.time,
            unknowns: self.y.clone(),
            start: self.start.clone(),
            next_output: self.next_output,
            next_profile: self.next_profile,
            last_record_s: self.last_record_s,
            solution: DfnSolution { work: self.work_so_far(), ..self.solution.clone() },
        }
    }

    /// Goes on from a checkpoint.
    pub(super) fn resume(&mut self, checkpoint: Checkpoint) -> Result<(), CellError> {
        let fault = |value: f64, requirement: &'static str| {
            Err(CellError::Option { option: "checkpoint", value, requirement })
        };
        if checkpoint.version != VERSION {
            return fault(f64::from(checkpoint.version), "must have version 1");
        }
        let n = self.y.len();
        if checkpoint.unknowns.len() != n || checkpoint.start.len() != n {
            let found = checkpoint.unknowns.len() as f64;
            return fault(found, "has another number of unknowns than this model: it belongs to another run");
        }
        let all = checkpoint.unknowns.iter().chain(&checkpoint.start);
        if let Some(value) = all.chain([&checkpoint.time_s]).find(|v| !v.is_finite()) {
            return fault(*value, "holds a number that is not finite: it is damaged");
        }
        if checkpoint.next_output > self.output_times.len()
            || checkpoint.next_profile > self.options.profile_times_s.len()
        {
            return fault(checkpoint.next_output as f64, "knows more output times than this run");
        }
        self.time = checkpoint.time_s;
        self.y = checkpoint.unknowns;
        self.start = checkpoint.start;
        self.next_output = checkpoint.next_output;
        self.next_profile = checkpoint.next_profile;
        self.last_record_s = checkpoint.last_record_s;
        self.solution = checkpoint.solution;
        self.told = self.solution.time_s.len();
        let lists = [&self.solution.voltage_v, &self.solution.current_a, &self.solution.temperature_k];
        if lists.iter().any(|list| list.len() != self.told)
            || self.solution.discharge_capacity_ah.len() != self.told
        {
            return fault(self.told as f64, "holds lists of unequal lengths: it is damaged");
        }
        self.earlier_work = self.solution.work;
        self.started = true;
        Ok(())
    }
}
