//! Voltages at times since the start of each protocol step, by which two runs are compared although their steps
//! end at slightly different times.

/// Time after a change of the control, s and as part of the step, before which voltages are not compared.
const EARLY_S: f64 = 1.0;
const EARLY_PART: f64 = 0.02;

/// What is probed, and what was found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Probes {
    /// Steps that are probed; a run that finds its own times stops after them.
    steps: usize,
    /// Most times in a step.
    most: usize,
    /// Whether times are given, or found from the run's own time steps.
    given: bool,
    found: Vec<StepProbes>,
    /// Next of the given times in the present step.
    next: usize,
}

/// Times since the start of one protocol step, and voltages there.
#[derive(Debug, Clone, Default)]
struct StepProbes {
    time_s: Vec<f64>,
    voltage_v: Vec<f64>,
    end_s: f64,
}

/// Largest differences of two runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Difference {
    pub(crate) voltage_v: f64,
    pub(crate) end_time_s: f64,
    pub(crate) steps: usize,
}

impl Probes {
    /// Nothing is probed.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// The first `steps` protocol steps are probed, at up to `most` times each that the run takes by itself.
    pub(crate) fn find(steps: usize, most: usize) -> Self {
        Self { steps, most, ..Self::default() }
    }

    /// The same times for another run.
    pub(crate) fn planned(&self) -> Self {
        let found = self
            .found
            .iter()
            .map(|step| StepProbes { time_s: step.time_s.clone(), ..StepProbes::default() })
            .collect();
        Self { steps: self.steps, most: self.most, given: true, found, next: 0 }
    }

    /// Whether a run that only looks for an estimate has seen enough.
    pub(super) fn complete(&self, steps_done: usize) -> bool {
        self.steps > 0 && steps_done >= self.steps
    }

    pub(super) fn begin(&mut self, step: usize) {
        self.next = 0;
        if step < self.steps && self.found.len() <= step {
            self.found.push(StepProbes::default());
        }
    }

    /// Next time of `step` that is not later than `end` since its start.
    pub(super) fn due(&mut self, step: usize, end: f64) -> Option<f64> {
        let times = if self.given { &self.found.get(step)?.time_s } else { return None };
        let time = times.get(self.next).copied().filter(|t| *t <= end)?;
        self.next += 1;
        Some(time)
    }

    /// Keeps a voltage at a time that was due.
    pub(super) fn keep(&mut self, step: usize, voltage_v: f64) {
        if let Some(found) = self.found.get_mut(step) {
            found.voltage_v.push(voltage_v);
        }
    }

    /// Offers the state at the end of a time step to a run that finds its own times.
    pub(super) fn offer(&mut self, step: usize, time_s: f64, voltage_v: f64) {
        if self.given || step >= self.steps {
            return;
        }
        let most = self.most;
        let Some(found) = self.found.get_mut(step) else { return };
        found.time_s.push(time_s);
        found.voltage_v.push(voltage_v);
        if found.time_s.len() > 2 * most {
            for list in [&mut found.time_s, &mut found.voltage_v] {
                // Every other one is enough.
                let mut index = 0;
                list.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
            }
        }
    }

    pub(super) fn end(&mut self, step: usize, time_s: f64) {
        if let Some(found) = self.found.get_mut(step) {
            found.end_s = time_s;
        }
    }

    /// Largest differences at the times that both have.
    pub(crate) fn compare(&self, other: &Self) -> Difference {
        let mut worst = Difference { voltage_v: 0.0, end_time_s: 0.0, steps: 0 };
        for (a, b) in self.found.iter().zip(&other.found) {
            let first = EARLY_S.min(EARLY_PART * a.end_s.min(b.end_s));
            let both = a.time_s.iter().zip(a.voltage_v.iter().zip(&b.voltage_v));
            let late = both.filter(|(t, _)| **t >= first);
            let difference = late.map(|(_, (u, v))| (u - v).abs()).fold(0.0, f64::max);
            worst.voltage_v = worst.voltage_v.max(difference);
            worst.end_time_s = worst.end_time_s.max((a.end_s - b.end_s).abs());
            worst.steps += 1;
        }
        worst
    }
}
