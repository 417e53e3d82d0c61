//! Time integrators and linear algebra.

pub(crate) mod banded;
pub(crate) mod bdf;
pub(crate) mod one_step;
pub(crate) mod quadrature;
pub(crate) mod root;

use bdf::{Bdf, Counters, DaeSystem, StepFailure};
use one_step::OneStep;

/// The last time step, as what differentiates it needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LastStep<'a> {
    /// Of the multistep integrator: its end, the state there, dy'/dy and the order of the method.
    Multistep { time: f64, y: &'a [f64], leading: f64, order: usize },
    /// Of the one-step integrator: its start and length, and the states and slopes of all stages.
    OneStep { start: f64, length: f64, stages: &'a [Vec<f64>], slopes: &'a [Vec<f64>] },
}

/// The multistep integrator and, made when it is first needed, the one-step integrator; one of them is at work.
#[derive(Debug)]
pub(crate) struct Integrators {
    multistep: Bdf,
    one_step: Option<Box<OneStep>>,
    one_step_works: bool,
}

impl Integrators {
    pub(crate) fn new(system: &impl DaeSystem) -> Self {
        Self { multistep: Bdf::new(system), one_step: None, one_step_works: false }
    }

    /// Makes what follows independent of what went before.
    pub(crate) fn forget(&mut self) {
        if let Some(one_step) = &mut self.one_step {
            one_step.forget();
        }
    }

    /// Starts from consistent `y`, `slope` at `time` with at most `span` to go; `kinks` asks for the one-step
    /// integrator.
    pub(crate) fn restart<S: DaeSystem>(
        &mut self,
        system: &mut S,
        kinks: bool,
        (time, y, slope): (f64, &[f64], &[f64]),
        span: f64,
    ) {
        self.one_step_works = kinks;
        if kinks {
            let one_step = self.one_step.get_or_insert_with(|| Box::new(OneStep::new(system)));
            one_step.restart(system, time, y, slope, span);
        } else {
            self.multistep.restart(system, time, y, slope, span);
        }
    }

    fn working_one_step(&self) -> Option<&OneStep> {
        self.one_step.as_deref().filter(|_| self.one_step_works)
    }

    pub(crate) fn advance(&mut self, system: &mut impl DaeSystem, stop: f64) -> Result<(), StepFailure> {
        match &mut self.one_step {
            Some(one_step) if self.one_step_works => one_step.advance(system, stop),
            _ => self.multistep.advance(system, stop),
        }
    }

    pub(crate) fn time(&self) -> f64 {
        self.working_one_step().map_or(self.multistep.time, |one_step| one_step.time)
    }

    /// Start of the last step.
    pub(crate) fn previous_time(&self) -> f64 {
        self.working_one_step().map_or_else(|| self.multistep.previous_time(), OneStep::previous_time)
    }

    /// State at the end of the last step.
    pub(crate) fn state(&mut self) -> &mut Vec<f64> {
        match &mut self.one_step {
            Some(one_step) if self.one_step_works => &mut one_step.y,
            _ => &mut self.multistep.y,
        }
    }

    /// State that a failed step started from.
    pub(crate) fn copy_last_accepted(&self, out: &mut [f64]) {
        match self.working_one_step() {
            Some(one_step) => out.copy_from_slice(&one_step.y),
            None => self.multistep.copy_last_accepted(out),
        }
    }

    /// State at `time` within the last step.
    pub(crate) fn interpolate(&self, time: f64, out: &mut [f64]) {
        match self.working_one_step() {
            Some(one_step) => one_step.interpolate_all(time, out),
            None => self.multistep.interpolate_all(time, out),
        }
    }

    /// The last step that was accepted.
    pub(crate) fn last_step(&self) -> LastStep<'_> {
        match self.working_one_step() {
            Some(one_step) => one_step.last_step(),
            None => self.multistep.last_step(),
        }
    }

    /// Work of both.
    pub(crate) fn counters(&self) -> Counters {
        let mut sum = self.multistep.counters;
        if let Some(one_step) = &self.one_step {
            sum.add(&one_step.counters);
        }
        sum
    }
}
