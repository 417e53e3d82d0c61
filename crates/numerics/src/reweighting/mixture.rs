//! The mixture of all states' distributions and the Newton solve for their free energies.

use super::{ReweightingError, SampledState, coarse_difference};
use crate::dense::{Cholesky, Matrix};

/// Newton steps allowed.
const ITERATIONS: usize = 200;
/// Largest gradient at the solution, over the number of samples of its state.
pub(super) const TOLERANCE: f64 = 1e-12;
/// Halvings of a Newton step: a step that needs more goes nowhere.
const HALVINGS: usize = 40;
/// What is added to the diagonal of a singular Hessian, over the numbers of samples.
const RIDGE: f64 = 1e-8;
/// What rounding may add to the objective per sample: far above its rounding error, far below the distance from which
/// full Newton steps converge.
const SLACK: f64 = 1e-11;
/// Rows added up before they join the total, as in [`crate::ordered_sum`].
const CHUNK: usize = 4096;

/// The mixture of all states' distributions, at free energies f_k = guess_k + shift_k. The shifts are small, so that
/// their last digits are not lost in free energies of large systems.
pub(super) struct Mixture<'a> {
    states: &'a [SampledState],
    pub(super) counts: Vec<f64>,
    pub(super) guess: Vec<f64>,
    pub(super) memberships: Matrix,
    pub(super) log_density: Vec<f64>,
    /// sum_n p_nk.
    sums: Vec<f64>,
    /// -sum_n ln p_{n s(n)} / N.
    objective: f64,
}

impl<'a> Mixture<'a> {
    pub(super) fn new(states: &'a [SampledState]) -> Self {
        let counts: Vec<f64> = states.iter().map(|s| s.samples.len() as f64).collect();
        let samples = states.iter().map(|s| s.samples.len()).sum();
        let mut guess = vec![0.0; states.len()];
        for k in 1..states.len() {
            guess[k] = guess[k - 1] + coarse_difference(&states[k - 1], &states[k]);
        }
        Self {
            states,
            counts,
            guess,
            memberships: Matrix::zeros(samples, states.len()),
            log_density: vec![0.0; samples],
            sums: vec![0.0; states.len()],
            objective: 0.0,
        }
    }

    /// Everything that depends on the free energies.
    fn evaluate(&mut self, shifts: &[f64]) {
        let order = self.states.len();
        let log_counts: Vec<f64> = self.counts.iter().map(|c| c.ln()).collect();
        let mut potentials = vec![0.0; order];
        let mut partial = vec![0.0; order];
        let (mut n, mut objective, mut partial_objective) = (0, 0.0, 0.0);
        self.sums.fill(0.0);
        for (own, state) in self.states.iter().enumerate() {
            for sample in &state.samples {
                for ((p, s), g) in potentials.iter_mut().zip(self.states).zip(&self.guess) {
                    *p = s.reduced_potential(*sample) - g;
                }
                let row = self.memberships.row_mut(n);
                let mut largest = f64::NEG_INFINITY;
                for k in 0..order {
                    // Relative to the own state first: ln of a density is about an entropy, which is large.
                    row[k] = (potentials[own] - potentials[k]) + (log_counts[k] + shifts[k]);
                    largest = largest.max(row[k]);
                }
                let log_sum = largest + row.iter().map(|e| (e - largest).exp()).sum::<f64>().ln();
                partial_objective += log_sum - row[own];
                for (k, value) in row.iter_mut().enumerate() {
                    *value = (*value - log_sum).exp();
                    partial[k] += *value;
                }
                self.log_density[n] = log_sum - potentials[own];
                n += 1;
                if n % CHUNK == 0 || n == self.memberships.rows() {
                    for (sum, part) in self.sums.iter_mut().zip(&mut partial) {
                        *sum += std::mem::take(part);
                    }
                    objective += std::mem::take(&mut partial_objective);
                }
            }
        }
        self.objective = objective / self.log_density.len() as f64;
    }

    /// The gradient of N times the objective, sum_n p_nk - N_k.
    fn gradient(&self) -> Vec<f64> {
        self.sums.iter().zip(&self.counts).map(|(s, c)| s - c).collect()
    }

    /// p^T p.
    pub(super) fn shared(&self) -> Matrix {
        self.memberships.weighted_gram(&vec![1.0; self.memberships.rows()])
    }

    /// H = diag(sum_n p_nk) - p^T p without state 0, whose free energy is fixed.
    pub(super) fn hessian(&self, shared: &Matrix) -> Matrix {
        let order = self.counts.len() - 1;
        let mut hessian = Matrix::zeros(order, order);
        for i in 0..order {
            let row = &shared.row(i + 1)[1..];
            hessian.row_mut(i).iter_mut().zip(row).for_each(|(h, s)| *h = -s);
            // The other states' part of row i, since p_nk adds up to one over k: no cancellation for weak overlap.
            let others = shared.row(i + 1).iter().enumerate().filter(|(k, _)| *k != i + 1);
            hessian.row_mut(i)[i] = others.map(|(_, s)| s).sum();
        }
        hessian
    }

    /// The Newton step -H^-1 gradient, with its 0 for state 0.
    fn newton_step(&self) -> Option<Vec<f64>> {
        let mut hessian = self.hessian(&self.shared());
        let factor = Cholesky::new(&hessian).or_else(|_| {
            // Where groups of states share nothing (yet), the ridge lets the others go on.
            for (i, count) in self.counts[1..].iter().enumerate() {
                hessian.row_mut(i)[i] += RIDGE * count;
            }
            Cholesky::new(&hessian)
        });
        let mut step = vec![0.0];
        step.extend(factor.ok()?.solve(&self.gradient()[1..]).iter().map(|x| -x));
        Some(step)
    }

    /// The shifts after the longest of the steps 1, 1/2, 1/4 ... that lowers the objective enough; evaluated there.
    fn backtrack(&mut self, shifts: &[f64], step: &[f64]) -> Option<Vec<f64>> {
        let slope =
            self.gradient().iter().zip(step).map(|(g, s)| g * s).sum::<f64>() / self.log_density.len() as f64;
        let before = self.objective;
        let mut length = 1.0;
        for _ in 0..HALVINGS {
            let trial: Vec<f64> = shifts.iter().zip(step).map(|(f, s)| f + length * s).collect();
            self.evaluate(&trial);
            if self.objective <= before + 1e-4 * length * slope + SLACK {
                return Some(trial);
            }
            length *= 0.5;
        }
        None
    }

    /// The shifts at which the gradient vanishes; evaluated there.
    pub(super) fn solve(&mut self) -> Result<Vec<f64>, ReweightingError> {
        let mut shifts = vec![0.0; self.counts.len()];
        self.evaluate(&shifts);
        let mut iterations = 0;
        loop {
            let (state, gradient) = self.largest_gradient();
            if gradient <= TOLERANCE {
                return Ok(shifts);
            }
            let next = if iterations < ITERATIONS { self.newton_step() } else { None };
            let Some(next) = next.and_then(|step| self.backtrack(&shifts, &step)) else {
                return Err(ReweightingError::NotConverged { iterations, state, gradient });
            };
            shifts = next;
            iterations += 1;
        }
    }

    /// The state with the largest gradient over its number of samples, and this ratio.
    fn largest_gradient(&self) -> (usize, f64) {
        let gradient = self.gradient().into_iter().zip(&self.counts).map(|(g, c)| g.abs() / c);
        gradient.enumerate().fold((0, 0.0), |worst, (k, g)| if g > worst.1 { (k, g) } else { worst })
    }
}
