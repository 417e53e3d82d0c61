//! Variable-order (1 to 5), variable-step BDF integrator in fixed-leading-coefficient form for
//! semi-explicit differential-algebraic systems F(y, y') = 0.
//!
//! The method is that of DASSL (Brenan, Campbell and Petzold 1996, chapter 5) as refined in IDA (Hindmarsh
//! et al., ACM Trans. Math. Softw. 31 (2005) 363): modified divided differences, order and step chosen from
//! error estimates at neighbouring orders, modified Newton iteration with a convergence-rate test. Here the
//! linear factors follow every change of the leading coefficient, while the derivatives of the material
//! functions are kept as long as Newton converges fast: so the rows that are linear in the unknowns
//! (conservation of lithium, salt and charge) hold to rounding after every iteration.

use super::LastStep;

/// Highest order.
pub(crate) const MAX_ORDER: usize = 5;
const MAX_ITERATIONS: usize = 4;
/// Most iterations that may be cut short to keep the unknowns admissible.
const MAX_RESTRAINED: usize = 12;
const NEWTON_TOLERANCE: f64 = 0.33;
/// Slower convergence asks for new derivatives at the next step.
const SLOW_RATE: f64 = 0.1;
/// Least bound on error / correction that is believed without a measurement.
const RATE_FLOOR: f64 = 0.02;
/// Growth of that bound at every step, and at every change of the leading coefficient.
const STEP_DOUBT: f64 = 1.5;
const FACTOR_DOUBT: f64 = 2.0;

/// What the integrator needs from a system. The last [`DaeSystem::quadratures`] unknowns are pure integrals.
pub(crate) trait DaeSystem {
    /// Unknowns, the integrals included.
    fn dimension(&self) -> usize;
    /// Number of integrals at the end of the vector.
    fn quadratures(&self) -> usize;
    /// F(y, y') of all but the integrals.
    fn residual(&mut self, y: &[f64], slope: &[f64], out: &mut [f64]) -> Result<(), Trouble>;
    /// Keeps the derivatives of the nonlinear functions at y.
    fn linearize(&mut self, y: &[f64], slope: &[f64]) -> Result<(), Trouble>;
    /// Factors dF/dy + leading dF/dy' from the kept derivatives.
    fn factor(&mut self, leading: f64) -> Result<(), Trouble>;
    /// Overwrites a residual by the factored matrix's solution.
    fn solve(&mut self, residual: &mut [f64]);
    /// Keeps `candidate` where the material functions have values, by going only part of the way from the admissible `from`; tells
    /// whether it had to.
    fn restrain(&self, candidate: &mut [f64], from: &[f64]) -> bool;
    /// Sets the tolerances of the norm from y.
    fn set_weights(&mut self, y: &[f64]);
    /// Weighted norm and the unknown that contributes most.
    fn norm(&self, v: &[f64]) -> f64;
    /// Index of the largest weighted entry.
    fn largest(&self, v: &[f64]) -> usize;
    /// Which of the unknowns but the integrals have a rate of change in the equations.
    fn differential(&self) -> Vec<bool>;
    /// Time at which inputs that change with time are taken from now on.
    fn set_time(&mut self, time: f64);
    /// Rates of the integrals.
    fn quadrature_rates(&mut self, y: &[f64], out: &mut [f64]);
}

/// Why a system could not be evaluated: the unknown concerned and its value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Trouble {
    pub(crate) unknown: usize,
    pub(crate) value: f64,
    pub(crate) reason: &'static str,
}

/// Why the integrator stopped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StepFailure {
    pub(crate) trouble: Trouble,
    pub(crate) step: f64,
}

/// How much work was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) steps: usize,
    pub(crate) residuals: usize,
    pub(crate) linearizations: usize,
    pub(crate) factorizations: usize,
    pub(crate) newton_iterations: usize,
    pub(crate) error_failures: usize,
    pub(crate) newton_failures: usize,
}

impl Counters {
    /// Adds the work of another integrator.
    pub(crate) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.residuals += other.residuals;
        self.linearizations += other.linearizations;
        self.factorizations += other.factorizations;
        self.newton_iterations += other.newton_iterations;
        self.error_failures += other.error_failures;
        self.newton_failures += other.newton_failures;
    }
}

/// The state of the integrator. All arrays are allocated once.
#[derive(Debug)]
pub(crate) struct Bdf {
    dimension: usize,
    integrals: usize,
    pub(crate) time: f64,
    step: f64,
    last_step: f64,
    order: usize,
    last_order: usize,
    constant_steps: usize,
    raising: bool,
    differences: Vec<Vec<f64>>,
    psi: [f64; MAX_ORDER + 2],
    alpha: [f64; MAX_ORDER + 2],
    beta: [f64; MAX_ORDER + 2],
    sigma: [f64; MAX_ORDER + 2],
    gamma: [f64; MAX_ORDER + 2],
    leading: f64,
    error_coefficient: f64,
    factored_leading: f64,
    stale: bool,
    rate_bound: f64,
    steps_here: usize,
    pub(crate) y: Vec<f64>,
    slope: Vec<f64>,
    predicted: Vec<f64>,
    predicted_slope: Vec<f64>,
    correction: Vec<f64>,
    residual: Vec<f64>,
    scratch: Vec<f64>,
    pub(crate) counters: Counters,
}

/// Error estimates of one step at its order and the orders below.
struct Estimates {
    at_order: f64,
    one_below: f64,
    error: f64,
    next_order: usize,
    next_error: f64,
}

impl Bdf {
    pub(crate) fn new(system: &impl DaeSystem) -> Self {
        let n = system.dimension();
        let zero = || vec![0.0; n];
        Self {
            dimension: n,
            integrals: system.quadratures(),
            time: 0.0,
            step: 0.0,
            last_step: 0.0,
            order: 1,
            last_order: 0,
            constant_steps: 0,
            raising: true,
            differences: (0..MAX_ORDER + 2).map(|_| zero()).collect(),
            psi: [0.0; MAX_ORDER + 2],
            alpha: [0.0; MAX_ORDER + 2],
            beta: [0.0; MAX_ORDER + 2],
            sigma: [0.0; MAX_ORDER + 2],
            gamma: [0.0; MAX_ORDER + 2],
            leading: 0.0,
            error_coefficient: 0.0,
            factored_leading: f64::NAN,
            stale: true,
            rate_bound: 100.0,
            steps_here: 0,
            y: zero(),
            slope: zero(),
            predicted: zero(),
            predicted_slope: zero(),
            correction: zero(),
            residual: zero(),
            scratch: zero(),
            counters: Counters::default(),
        }
    }

    /// Starts (again) at order 1 from consistent `y`, `slope` at `time`, with at most `span` to go.
    pub(crate) fn restart(
        &mut self,
        system: &mut impl DaeSystem,
        time: f64,
        y: &[f64],
        slope: &[f64],
        span: f64,
    ) {
        system.set_weights(y);
        self.time = time;
        self.y.copy_from_slice(y);
        self.slope.copy_from_slice(slope);
        let rate = system.norm(slope);
        let mut step = 1e-3 * span;
        if rate * step > 0.5 {
            step = 0.5 / rate;
        }
        self.step = step;
        self.order = 1;
        self.last_order = 0;
        self.last_step = 0.0;
        self.constant_steps = 0;
        self.raising = true;
        self.steps_here = 0;
        self.stale = true;
        self.rate_bound = 100.0;
        self.psi[0] = step;
        self.differences[0].copy_from_slice(y);
        for (d, s) in self.differences[1].iter_mut().zip(slope) {
            *d = s * step;
        }
    }

    /// Start of the last step.
    pub(crate) fn previous_time(&self) -> f64 {
        self.time - self.last_step
    }

    /// Takes one step that does not pass `stop`.
    pub(crate) fn advance(&mut self, system: &mut impl DaeSystem, stop: f64) -> Result<(), StepFailure> {
        if self.steps_here > 0 {
            system.set_weights(&self.y);
        }
        self.fit_to_stop(stop);
        let start = self.time;
        let mut error_failures = 0;
        loop {
            self.set_coefficients();
            let outcome = self.attempt(system);
            let failure = match outcome {
                Ok(estimates) if estimates.error <= 1.0 => {
                    if (self.time - stop).abs() <= 1e-13 * stop.abs() + 1e-300 {
                        self.time = stop;
                    }
                    self.accept(system, &estimates);
                    return Ok(());
                }
                Ok(estimates) => {
                    self.restore(start);
                    self.counters.error_failures += 1;
                    error_failures += 1;
                    self.shorten_after_error(&estimates, error_failures);
                    Trouble {
                        unknown: system.largest(&self.correction),
                        value: estimates.error,
                        reason: "the local error stays too large",
                    }
                }
                Err(trouble) => {
                    self.restore(start);
                    self.counters.newton_failures += 1;
                    self.rescale(0.25);
                    trouble
                }
            };
            if self.step < 1e-14 * (start.abs() + 1.0) {
                return Err(StepFailure { trouble: failure, step: self.step });
            }
        }
    }

    fn fit_to_stop(&mut self, stop: f64) {
        let remaining = stop - self.time;
        let mut wanted = self.step;
        if wanted >= remaining * (1.0 - 1e-10) {
            wanted = remaining;
        } else if wanted > 0.5 * remaining {
            // Two even steps instead of one full and one tiny.
            wanted = 0.5 * remaining;
        }
        if wanted < self.step {
            let ratio = wanted / self.step;
            self.rescale(ratio);
            self.step = wanted;
        }
    }

    fn rescale(&mut self, ratio: f64) {
        self.step *= ratio;
        if self.last_order == 0 {
            // Before the first step the difference of order one is h y'.
            self.psi[0] = self.step;
            for d in &mut self.differences[1] {
                *d *= ratio;
            }
        }
    }

    fn shorten_after_error(&mut self, estimates: &Estimates, failures: usize) {
        let ratio = match failures {
            1 => {
                self.order = estimates.next_order;
                let power = -1.0 / (self.order + 1) as f64;
                (0.9 * (2.0 * estimates.next_error + 1e-4).powf(power)).clamp(0.25, 0.9)
            }
            2 => {
                self.order = estimates.next_order;
                0.25
            }
            _ => {
                self.order = 1;
                0.25
            }
        };
        self.rescale(ratio);
    }

    fn set_coefficients(&mut self) {
        let h = self.step;
        let k = self.order;
        if h != self.last_step || k != self.last_order {
            self.constant_steps = 0;
        }
        self.constant_steps = (self.constant_steps + 1).min(self.last_order + 2);
        let first = self.constant_steps;
        if k + 1 >= first {
            self.beta[0] = 1.0;
            self.alpha[0] = 1.0;
            self.gamma[0] = 0.0;
            self.sigma[0] = 1.0;
            let mut sum = h;
            for i in 1..=k {
                let before = self.psi[i - 1];
                self.psi[i - 1] = sum;
                self.beta[i] = self.beta[i - 1] * self.psi[i - 1] / before;
                sum = before + h;
                self.alpha[i] = h / sum;
                self.sigma[i] = i as f64 * self.sigma[i - 1] * self.alpha[i];
                self.gamma[i] = self.gamma[i - 1] + self.alpha[i - 1] / h;
            }
            self.psi[k] = sum;
        }
        let mut harmonic = 0.0;
        let mut alpha_sum = 0.0;
        for i in 0..k {
            harmonic -= 1.0 / (i + 1) as f64;
            alpha_sum -= self.alpha[i];
        }
        self.leading = -harmonic / h;
        self.error_coefficient = (self.alpha[k] + harmonic - alpha_sum).abs().max(self.alpha[k]);
        for i in first..=k {
            let factor = self.beta[i];
            for d in &mut self.differences[i] {
                *d *= factor;
            }
        }
        self.time += h;
    }

    /// Undoes [`Self::set_coefficients`].
    fn restore(&mut self, start: f64) {
        self.time = start;
        for j in 1..=self.order {
            self.psi[j - 1] = self.psi[j] - self.step;
        }
        for j in self.constant_steps..=self.order {
            let factor = 1.0 / self.beta[j];
            for d in &mut self.differences[j] {
                *d *= factor;
            }
        }
    }

    fn predict(&mut self) {
        self.predicted.copy_from_slice(&self.differences[0]);
        self.predicted_slope.fill(0.0);
        for j in 1..=self.order {
            let gamma = self.gamma[j];
            let difference = &self.differences[j];
            for ((p, s), d) in self.predicted.iter_mut().zip(&mut self.predicted_slope).zip(difference) {
                *p += d;
                *s += gamma * d;
            }
        }
    }

    fn attempt(&mut self, system: &mut impl DaeSystem) -> Result<Estimates, Trouble> {
        self.predict();
        let mut fresh = false;
        loop {
            if self.stale {
                self.counters.linearizations += 1;
                self.start_iteration(system);
                system.linearize(&self.y, &self.slope)?;
                self.factored_leading = f64::NAN;
                self.rate_bound = 0.5;
                self.stale = false;
                fresh = true;
            }
            if self.factored_leading != self.leading {
                self.counters.factorizations += 1;
                if let Err(trouble) = system.factor(self.leading) {
                    self.stale = true;
                    self.factored_leading = f64::NAN;
                    return Err(trouble);
                }
                self.factored_leading = self.leading;
                self.rate_bound = (FACTOR_DOUBT * self.rate_bound).clamp(RATE_FLOOR, 100.0);
            }
            match self.newton(system) {
                Ok(()) => break,
                Err(trouble) => {
                    self.stale = true;
                    if fresh {
                        return Err(trouble);
                    }
                }
            }
        }
        self.integrate_quadratures(system);
        Ok(self.estimate(system))
    }

    /// Newton's method from the prediction. An iterate that leaves the admissible region is cut short and linearised anew; only a full
    /// iteration can end the method, so that the rows that are linear in the unknowns are exact at the end.
    fn newton(&mut self, system: &mut impl DaeSystem) -> Result<(), Trouble> {
        self.start_iteration(system);
        let mut first_size = 0.0;
        // The convergence rate measured earlier is trusted less from step to step.
        self.rate_bound = (STEP_DOUBT * self.rate_bound).clamp(RATE_FLOOR, 100.0);
        let mut iteration = 0;
        let mut restrained = 0;
        while iteration < MAX_ITERATIONS {
            if self.iterate(system)? {
                restrained += 1;
                if restrained > MAX_RESTRAINED {
                    let size = system.norm(&self.residual);
                    return Err(self.newton_trouble(system, size, "the unknowns do not stay admissible"));
                }
                self.relinearize(system)?;
                iteration = 0;
                continue;
            }
            let size = system.norm(&self.residual);
            if !size.is_finite() {
                return Err(self.newton_trouble(system, size, "the Newton correction is not finite"));
            }
            if iteration == 0 {
                first_size = size;
                if size <= 1e-4 * NEWTON_TOLERANCE {
                    return Ok(());
                }
            } else {
                let rate = (size / first_size).powf(1.0 / iteration as f64);
                if rate > 0.9 {
                    return Err(self.newton_trouble(system, size, "Newton's method diverges"));
                }
                self.rate_bound = rate / (1.0 - rate);
                // Slow convergence: new derivatives at the next step.
                self.stale = rate > SLOW_RATE;
            }
            if self.rate_bound * size <= NEWTON_TOLERANCE {
                return Ok(());
            }
            iteration += 1;
        }
        let size = system.norm(&self.residual);
        Err(self.newton_trouble(system, size, "Newton's method is too slow"))
    }

    /// Starts from the prediction, as far as it is admissible.
    fn start_iteration(&mut self, system: &impl DaeSystem) {
        self.y.copy_from_slice(&self.predicted);
        self.slope.copy_from_slice(&self.predicted_slope);
        self.correction.fill(0.0);
        if system.restrain(&mut self.y, &self.differences[0]) {
            for i in 0..self.dimension - self.integrals {
                self.correction[i] = self.y[i] - self.predicted[i];
                self.slope[i] += self.leading * self.correction[i];
            }
        }
    }

    /// One iteration; the correction is left in `residual`. Tells whether it was cut short.
    fn iterate(&mut self, system: &mut impl DaeSystem) -> Result<bool, Trouble> {
        let main = self.dimension - self.integrals;
        self.counters.residuals += 1;
        self.counters.newton_iterations += 1;
        system.residual(&self.y, &self.slope, &mut self.residual)?;
        system.solve(&mut self.residual);
        self.scratch.copy_from_slice(&self.y);
        for i in 0..main {
            self.correction[i] -= self.residual[i];
            self.y[i] = self.predicted[i] + self.correction[i];
            self.slope[i] = self.predicted_slope[i] + self.leading * self.correction[i];
        }
        let restrained = system.restrain(&mut self.y, &self.scratch);
        if restrained {
            for i in 0..main {
                self.correction[i] = self.y[i] - self.predicted[i];
                self.slope[i] = self.predicted_slope[i] + self.leading * self.correction[i];
            }
        }
        Ok(restrained)
    }

    fn relinearize(&mut self, system: &mut impl DaeSystem) -> Result<(), Trouble> {
        self.counters.linearizations += 1;
        self.counters.factorizations += 1;
        self.factored_leading = f64::NAN;
        system.linearize(&self.y, &self.slope)?;
        system.factor(self.leading)?;
        self.factored_leading = self.leading;
        Ok(())
    }

    fn newton_trouble(&self, system: &impl DaeSystem, value: f64, reason: &'static str) -> Trouble {
        Trouble { unknown: system.largest(&self.residual), value, reason }
    }

    fn integrate_quadratures(&mut self, system: &mut impl DaeSystem) {
        let main = self.dimension - self.integrals;
        system.quadrature_rates(&self.y, &mut self.scratch[main..]);
        for i in main..self.dimension {
            self.slope[i] = self.scratch[i];
            self.correction[i] = (self.scratch[i] - self.predicted_slope[i]) / self.leading;
            self.y[i] = self.predicted[i] + self.correction[i];
        }
    }

    fn estimate(&mut self, system: &impl DaeSystem) -> Estimates {
        let k = self.order;
        let size = system.norm(&self.correction);
        let at_order = self.sigma[k] * size;
        let mut result = Estimates {
            at_order,
            one_below: 0.0,
            error: self.error_coefficient * size,
            next_order: k,
            next_error: at_order,
        };
        if k > 1 {
            for ((s, d), e) in self.scratch.iter_mut().zip(&self.differences[k]).zip(&self.correction) {
                *s = d + e;
            }
            result.one_below = self.sigma[k - 1] * system.norm(&self.scratch);
            let scaled = (k + 1) as f64 * at_order;
            let scaled_below = k as f64 * result.one_below;
            let lower = if k > 2 {
                for (s, d) in self.scratch.iter_mut().zip(&self.differences[k - 1]) {
                    *s += d;
                }
                let two_below = self.sigma[k - 2] * system.norm(&self.scratch);
                scaled_below.max((k - 1) as f64 * two_below) <= scaled
            } else {
                scaled_below <= 0.5 * scaled
            };
            if lower {
                result.next_order = k - 1;
                result.next_error = result.one_below;
            }
        }
        result
    }

    fn accept(&mut self, system: &impl DaeSystem, estimates: &Estimates) {
        self.counters.steps += 1;
        self.steps_here += 1;
        let order_change = self.order as i64 - self.last_order as i64;
        self.last_order = self.order;
        self.last_step = self.step;
        let k = self.order;
        if estimates.next_order + 1 == k || k == MAX_ORDER {
            self.raising = false;
        }
        if self.raising {
            if self.steps_here > 1 {
                self.order += 1;
                self.step *= 2.0;
            }
        } else {
            self.choose_next(system, estimates, order_change);
        }
        self.update_differences(k);
    }

    fn choose_next(&mut self, system: &impl DaeSystem, estimates: &Estimates, order_change: i64) {
        let k = self.order;
        let mut error = estimates.at_order;
        let mut next = k;
        if estimates.next_order + 1 == k {
            next = k - 1;
            error = estimates.one_below;
        } else if k < MAX_ORDER && k + 1 < self.constant_steps && order_change != 1 {
            for ((s, e), d) in self.scratch.iter_mut().zip(&self.correction).zip(&self.differences[k + 1]) {
                *s = e - d;
            }
            let above = system.norm(&self.scratch) / (k + 2) as f64;
            let scaled_above = (k + 2) as f64 * above;
            let scaled = (k + 1) as f64 * estimates.at_order;
            let scaled_below = k as f64 * estimates.one_below;
            if k == 1 {
                if scaled_above < 0.5 * scaled {
                    next = 2;
                    error = above;
                }
            } else if scaled_below <= scaled.min(scaled_above) {
                next = k - 1;
                error = estimates.one_below;
            } else if scaled_above < scaled {
                next = k + 1;
                error = above;
            }
        }
        self.order = next;
        let ratio = (2.0 * error + 1e-4).powf(-1.0 / (next + 1) as f64);
        if ratio >= 2.0 {
            self.step *= 2.0;
        } else if ratio <= 1.0 {
            self.step *= ratio.clamp(0.5, 0.9);
        }
    }

    fn update_differences(&mut self, k: usize) {
        if k < MAX_ORDER {
            self.differences[k + 1].copy_from_slice(&self.correction);
        }
        for (d, e) in self.differences[k].iter_mut().zip(&self.correction) {
            *d += e;
        }
        for j in (0..k).rev() {
            let (low, high) = self.differences.split_at_mut(j + 1);
            for (d, e) in low[j].iter_mut().zip(&high[0]) {
                *d += e;
            }
        }
    }

    /// The last step that was accepted.
    pub(crate) fn last_step(&self) -> LastStep<'_> {
        LastStep::Multistep { time: self.time, y: &self.y, leading: self.leading, order: self.last_order }
    }

    /// State that a failed step started from.
    pub(crate) fn copy_last_accepted(&self, out: &mut [f64]) {
        out.copy_from_slice(&self.differences[0]);
    }

    /// The interpolating polynomial of the last step at `time`.
    pub(crate) fn interpolate_all(&self, time: f64, out: &mut [f64]) {
        let coefficients = self.interpolation_coefficients(time);
        out.fill(0.0);
        for j in 0..=self.last_order.max(1) {
            for (o, d) in out.iter_mut().zip(&self.differences[j]) {
                *o += coefficients[j] * d;
            }
        }
    }

    fn interpolation_coefficients(&self, time: f64) -> [f64; MAX_ORDER + 2] {
        let order = self.last_order.max(1);
        let offset = time - self.time;
        let mut coefficients = [0.0; MAX_ORDER + 2];
        coefficients[0] = 1.0;
        let mut factor = offset / self.psi[0];
        for j in 1..=order {
            coefficients[j] = coefficients[j - 1] * factor;
            factor = (offset + self.psi[j - 1]) / self.psi[j];
        }
        coefficients
    }
}
