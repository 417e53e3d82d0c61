//! One-step integrator for inputs with frequent kinks, where a multistep method would start again and again at
//! low order: ESDIRK4(3)6L[2]SA of C. A. Kennedy and M. H. Carpenter, Appl. Numer. Math. 44 (2003) 139, the
//! implicit part of ARK4(3)6L[2]SA. Order 4 with an embedded solution of order 3, L-stable and stiffly accurate,
//! so that algebraic equations hold exactly at the end of every step; the first stage is the last one of the
//! step before.
//!
//! All implicit stages share the coefficient 1/4: one matrix serves them all, and as many steps as have the
//! same length.

use super::LastStep;
use super::bdf::{Counters, DaeSystem, StepFailure, Trouble};

pub(crate) const STAGES: usize = 6;
pub(crate) const GAMMA: f64 = 0.25;
/// Times of the stages as parts of the step.
pub(crate) const NODES: [f64; STAGES] = [0.0, 0.5, 83.0 / 250.0, 31.0 / 50.0, 17.0 / 20.0, 1.0];
/// Coefficients below the diagonal.
pub(crate) const A: [[f64; STAGES - 1]; STAGES] = [
    [0.0; 5],
    [0.25, 0.0, 0.0, 0.0, 0.0],
    [8_611.0 / 62_500.0, -1_743.0 / 31_250.0, 0.0, 0.0, 0.0],
    [5_012_029.0 / 34_652_500.0, -654_441.0 / 2_922_500.0, 174_375.0 / 388_108.0, 0.0, 0.0],
    [
        15_267_082_809.0 / 155_376_265_600.0,
        -71_443_401.0 / 120_774_400.0,
        730_878_875.0 / 902_184_768.0,
        2_285_395.0 / 8_070_912.0,
        0.0,
    ],
    [82_889.0 / 524_892.0, 0.0, 15_625.0 / 83_664.0, 69_875.0 / 102_672.0, -2_260.0 / 8_211.0],
];
/// Weights of the embedded solution.
const EMBEDDED: [f64; STAGES] = [
    4_586_570_599.0 / 29_645_900_160.0,
    0.0,
    178_811_875.0 / 945_068_544.0,
    814_220_225.0 / 1_159_782_912.0,
    -3_700_637.0 / 11_593_932.0,
    61_727.0 / 225_920.0,
];
/// Stages through which the state within a step is interpolated (the start comes first).
pub(crate) const INTERPOLATED: [usize; 3] = [2, 3, 5];

const MAX_ITERATIONS: usize = 8;
const NEWTON_TOLERANCE: f64 = 0.03;
/// Slower convergence asks for new derivatives at the next step.
const SLOW_RATE: f64 = 0.3;
const LEAST_STEP: f64 = 1e-12;

/// The state of the integrator. All arrays are allocated once.
#[derive(Debug)]
pub(crate) struct OneStep {
    main: usize,
    differential: Vec<bool>,
    pub(crate) time: f64,
    last_step: f64,
    next_step: f64,
    factored: f64,
    stale: bool,
    rate: f64,
    pub(crate) y: Vec<f64>,
    /// State at the start of the last step.
    before: Vec<f64>,
    stages: Vec<Vec<f64>>,
    slopes: Vec<Vec<f64>>,
    base: Vec<f64>,
    slope: Vec<f64>,
    residual: Vec<f64>,
    from: Vec<f64>,
    pub(crate) counters: Counters,
}

impl OneStep {
    pub(crate) fn new(system: &impl DaeSystem) -> Self {
        let n = system.dimension();
        let zero = || vec![0.0; n];
        Self {
            main: n - system.quadratures(),
            differential: system.differential(),
            time: 0.0,
            last_step: 0.0,
            next_step: 0.0,
            factored: f64::NAN,
            stale: true,
            rate: 1.0,
            y: zero(),
            before: zero(),
            stages: (0..STAGES).map(|_| zero()).collect(),
            slopes: (0..STAGES).map(|_| zero()).collect(),
            base: zero(),
            slope: zero(),
            residual: zero(),
            from: zero(),
            counters: Counters::default(),
        }
    }

    /// Forgets what earlier steps taught about step lengths and derivatives, so that what follows does not depend
    /// on them.
    pub(crate) fn forget(&mut self) {
        self.next_step = 0.0;
        self.stale = true;
        self.factored = f64::NAN;
        self.rate = 1.0;
    }

    /// Starts (again) from consistent `y` and its `slope` at `time`, with a first step of at most `span`.
    pub(crate) fn restart(
        &mut self,
        system: &mut impl DaeSystem,
        time: f64,
        y: &[f64],
        slope: &[f64],
        span: f64,
    ) {
        system.set_weights(y);
        let rate = system.norm(slope);
        let first = if rate * span > 0.5 { (0.5 / rate).min(span) } else { span };
        self.next_step = if self.next_step > 0.0 { self.next_step.min(span) } else { first };
        self.time = time;
        self.last_step = 0.0;
        self.y.copy_from_slice(y);
        self.before.copy_from_slice(y);
        self.slopes[STAGES - 1].copy_from_slice(slope);
    }

    /// Start of the last step.
    pub(crate) fn previous_time(&self) -> f64 {
        self.time - self.last_step
    }

    /// Takes one step that does not pass `stop`, up to which the input is smooth.
    pub(crate) fn advance(&mut self, system: &mut impl DaeSystem, stop: f64) -> Result<(), StepFailure> {
        system.set_weights(&self.y);
        let remaining = stop - self.time;
        let mut step = self.next_step.max(LEAST_STEP);
        if step >= remaining {
            step = remaining;
        } else if step > 0.5 * remaining {
            // Two even steps instead of one full and one tiny.
            step = 0.5 * remaining;
        }
        let start = self.time;
        self.before.copy_from_slice(&self.y);
        // The slope at the start is that at the end of the step before.
        let (first, last) = self.slopes.split_at_mut(STAGES - 1);
        first[0].copy_from_slice(&last[0]);
        self.stages[0].copy_from_slice(&self.y);
        let mut failures = 0;
        loop {
            let outcome = self.attempt(system, start, step);
            let failure = match outcome {
                Ok(error) if error <= 1.0 => {
                    self.accept(system, start, step, stop, error, failures);
                    return Ok(());
                }
                Ok(error) => {
                    self.counters.error_failures += 1;
                    step *= (0.9 * error.powf(-0.25)).clamp(0.1, 0.9);
                    Trouble { unknown: 0, value: error, reason: "the error test failed again and again" }
                }
                Err(trouble) => {
                    self.counters.newton_failures += 1;
                    self.stale = true;
                    step *= 0.25;
                    trouble
                }
            };
            failures += 1;
            self.y.copy_from_slice(&self.before);
            if failures > 30 || step < LEAST_STEP.max(1e-14 * start.abs()) {
                self.time = start;
                let (first, last) = self.slopes.split_at_mut(STAGES - 1);
                last[0].copy_from_slice(&first[0]);
                return Err(StepFailure { trouble: failure, step });
            }
        }
    }

    fn accept(
        &mut self,
        system: &mut impl DaeSystem,
        start: f64,
        step: f64,
        stop: f64,
        error: f64,
        failures: usize,
    ) {
        self.counters.steps += 1;
        self.last_step = step;
        self.time = start + step;
        if (self.time - stop).abs() <= 1e-13 * stop.abs() + 1e-300 {
            self.time = stop;
        }
        self.y.copy_from_slice(&self.stages[STAGES - 1]);
        system.set_time(self.time);
        let growth = (0.9 * error.max(1e-8).powf(-0.25)).clamp(0.2, 4.0);
        let next = step * if failures > 0 { growth.min(1.0) } else { growth };
        // A step cut short by the end of a piece says nothing against a longer one.
        self.next_step = if growth >= 1.0 { next.max(self.next_step) } else { next };
    }

    /// All stages of a step; gives its weighted error.
    fn attempt(&mut self, system: &mut impl DaeSystem, start: f64, step: f64) -> Result<f64, Trouble> {
        let leading = 1.0 / (GAMMA * step);
        for stage in 1..STAGES {
            system.set_time(start + NODES[stage] * step);
            self.prepare(stage, step);
            self.solve_stage(system, stage, leading)?;
            self.integrate_quadratures(system, stage, step);
        }
        Ok(self.error(system, step))
    }

    /// Known part of a stage and its first guess.
    fn prepare(&mut self, stage: usize, step: f64) {
        self.base.copy_from_slice(&self.before);
        for (coefficient, slope) in A[stage][..stage].iter().zip(&self.slopes) {
            if *coefficient != 0.0 {
                for (b, s) in self.base.iter_mut().zip(slope) {
                    *b += step * coefficient * s;
                }
            }
        }
        let (done, rest) = self.stages.split_at_mut(stage);
        let guess = &mut rest[0];
        guess.copy_from_slice(&done[stage - 1]);
        for i in 0..self.main {
            if self.differential[i] {
                guess[i] = self.base[i] + step * GAMMA * self.slopes[stage - 1][i];
            }
        }
    }

    fn solve_stage(
        &mut self,
        system: &mut impl DaeSystem,
        stage: usize,
        leading: f64,
    ) -> Result<(), Trouble> {
        let mut fresh = false;
        let guess = self.stages[stage].clone();
        loop {
            if self.stale || self.factored != leading {
                if self.stale {
                    self.counters.linearizations += 1;
                    let admissible = system.restrain(&mut self.stages[stage], &self.before);
                    self.fill_slope(stage, leading);
                    system.linearize(&self.stages[stage], &self.slope)?;
                    if admissible {
                        self.stages[stage].copy_from_slice(&guess);
                    }
                    self.stale = false;
                    fresh = true;
                    self.rate = 1.0;
                }
                self.counters.factorizations += 1;
                self.factored = f64::NAN;
                if let Err(trouble) = system.factor(leading) {
                    self.stale = true;
                    return Err(trouble);
                }
                self.factored = leading;
                self.rate = self.rate.max(0.5);
            }
            match self.newton(system, stage, leading) {
                Ok(()) => return Ok(()),
                Err(trouble) => {
                    if fresh {
                        return Err(trouble);
                    }
                    self.stale = true;
                    self.stages[stage].copy_from_slice(&guess);
                }
            }
        }
    }

    fn fill_slope(&mut self, stage: usize, leading: f64) {
        for ((s, y), b) in self.slope[..self.main].iter_mut().zip(&self.stages[stage]).zip(&self.base) {
            *s = leading * (y - b);
        }
    }

    fn newton(&mut self, system: &mut impl DaeSystem, stage: usize, leading: f64) -> Result<(), Trouble> {
        let mut before = f64::INFINITY;
        for iteration in 0..MAX_ITERATIONS {
            self.from.copy_from_slice(&self.stages[stage]);
            let restrained_start = iteration == 0 && system.restrain(&mut self.stages[stage], &self.before);
            self.fill_slope(stage, leading);
            self.counters.residuals += 1;
            self.counters.newton_iterations += 1;
            system.residual(&self.stages[stage], &self.slope, &mut self.residual)?;
            system.solve(&mut self.residual);
            for i in 0..self.main {
                self.from[i] = self.stages[stage][i];
                self.stages[stage][i] -= self.residual[i];
            }
            let restrained = system.restrain(&mut self.stages[stage], &self.from) || restrained_start;
            let size = system.norm(&self.residual);
            if !size.is_finite() {
                return Err(self.trouble(system, size, "the Newton correction is not finite"));
            }
            if iteration > 0 {
                let rate = size / before;
                if rate > 0.9 && size > NEWTON_TOLERANCE {
                    return Err(self.trouble(system, size, "Newton's method diverges"));
                }
                self.rate = rate.clamp(0.01, 1.0);
                if rate > SLOW_RATE {
                    self.stale = true;
                }
            }
            // The correction that is left is about this one times the rate.
            let left =
                if iteration == 0 { self.rate * size } else { self.rate / (1.0 - self.rate.min(0.9)) * size };
            if !restrained && left <= NEWTON_TOLERANCE {
                self.fill_slope(stage, leading);
                let slope = &mut self.slopes[stage];
                for i in 0..self.main {
                    slope[i] = if self.differential[i] { self.slope[i] } else { 0.0 };
                }
                // A rate once measured is trusted less from stage to stage.
                self.rate = (1.5 * self.rate).min(1.0);
                return Ok(());
            }
            before = size;
        }
        let size = system.norm(&self.residual);
        Err(self.trouble(system, size, "Newton's method is too slow"))
    }

    fn trouble(&self, system: &impl DaeSystem, value: f64, reason: &'static str) -> Trouble {
        Trouble { unknown: system.largest(&self.residual), value, reason }
    }

    fn integrate_quadratures(&mut self, system: &mut impl DaeSystem, stage: usize, step: f64) {
        let main = self.main;
        system.quadrature_rates(&self.stages[stage], &mut self.slopes[stage][main..]);
        for i in main..self.y.len() {
            self.stages[stage][i] = self.base[i] + step * GAMMA * self.slopes[stage][i];
        }
    }

    fn error(&mut self, system: &impl DaeSystem, step: f64) -> f64 {
        self.residual.fill(0.0);
        for (stage, slope) in self.slopes.iter().enumerate() {
            let weight = if stage == STAGES - 1 { GAMMA } else { A[STAGES - 1][stage] };
            let difference = step * (weight - EMBEDDED[stage]);
            for (e, s) in self.residual[..self.main].iter_mut().zip(slope) {
                *e += difference * s;
            }
        }
        system.norm(&self.residual)
    }

    /// The last step that was accepted.
    pub(crate) fn last_step(&self) -> LastStep<'_> {
        let start = self.previous_time();
        LastStep::OneStep { start, length: self.last_step, stages: &self.stages, slopes: &self.slopes }
    }

    /// State at `time` within the last step: the cubic through its start, two stages and its end.
    pub(crate) fn interpolate_all(&self, time: f64, out: &mut [f64]) {
        let at = if self.last_step > 0.0 { (time - self.previous_time()) / self.last_step } else { 1.0 };
        let points = [0.0, NODES[INTERPOLATED[0]], NODES[INTERPOLATED[1]], NODES[INTERPOLATED[2]]];
        let weight = |i: usize| -> f64 {
            (0..4).filter(|j| *j != i).map(|j| (at - points[j]) / (points[i] - points[j])).product()
        };
        let start = weight(0);
        for (o, v) in out.iter_mut().zip(&self.before) {
            *o = start * v;
        }
        for (index, stage) in INTERPOLATED.iter().enumerate() {
            let weight = weight(index + 1);
            for (o, v) in out.iter_mut().zip(&self.stages[*stage]) {
                *o += weight * v;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Conditions on the coefficients (Hairer, Norsett and Wanner 1993, table II.2.1) to order 4, and 3 of the
    /// embedded weights.
    #[test]
    fn coefficients_satisfy_the_order_conditions() {
        let full = |i: usize, j: usize| {
            if i == j && i > 0 {
                GAMMA
            } else if j < i {
                A[i][j]
            } else {
                0.0
            }
        };
        for i in 0..STAGES {
            let sum: f64 = (0..STAGES).map(|j| full(i, j)).sum();
            assert!((sum - NODES[i]).abs() < 1e-14, "row {i}: {sum}");
            // Stage order 2.
            let second: f64 = (0..STAGES).map(|j| full(i, j) * NODES[j]).sum();
            assert!((second - 0.5 * NODES[i] * NODES[i]).abs() < 1e-13, "row {i}: {second}");
        }
        let weights: Vec<f64> = (0..STAGES).map(|j| full(STAGES - 1, j)).collect();
        let c = |p: i32| move |i: usize| NODES[i].powi(p);
        let inner = |f: &dyn Fn(usize) -> f64, i: usize| (0..STAGES).map(|j| full(i, j) * f(j)).sum::<f64>();
        let outer = |w: &[f64], f: &dyn Fn(usize) -> f64| (0..STAGES).map(|i| w[i] * f(i)).sum::<f64>();
        for (w, order) in [(weights.as_slice(), 4), (&EMBEDDED, 3)] {
            for p in 0..order {
                let expected = 1.0 / f64::from(p + 1);
                assert!((outer(w, &c(p)) - expected).abs() < 1e-13, "order {} of {order}", p + 1);
            }
            assert!((outer(w, &|i| inner(&c(1), i)) - 1.0 / 6.0).abs() < 1e-13);
        }
        assert!((outer(&weights, &|i| NODES[i] * inner(&c(1), i)) - 1.0 / 8.0).abs() < 1e-13);
        assert!((outer(&weights, &|i| inner(&c(2), i)) - 1.0 / 12.0).abs() < 1e-13);
        assert!((outer(&weights, &|i| inner(&|j| inner(&c(1), j), i)) - 1.0 / 24.0).abs() < 1e-13);
    }
}
