//! Reweighting of samples taken at several states: the multistate Bennett acceptance ratio.
//!
//! M. R. Shirts, J. D. Chodera, "Statistically optimal analysis of samples from multiple equilibrium states", J. Chem.
//! Phys. 129, 124105 (2008); equation numbers below are of that paper. For two states it is C. H. Bennett, J. Comput.
//! Phys. 22, 245 (1976).

use thiserror::Error;

use crate::dense::{Cholesky, DenseError, Matrix};
use crate::statistics::ordered_sum;

/// Newton steps allowed.
const ITERATIONS: usize = 200;
/// Largest gradient at the solution, over the number of samples of its state.
const TOLERANCE: f64 = 1e-12;
/// Halvings of a Newton step: a step that needs more goes nowhere.
const HALVINGS: usize = 40;
/// What is added to the diagonal of a singular Hessian, over the numbers of samples.
const RIDGE: f64 = 1e-8;
/// What rounding may add to the objective per sample: far above its rounding error, far below the distance from which
/// full Newton steps converge.
const SLACK: f64 = 1e-11;
/// Largest standard error (in kT, for uncorrelated samples) of the free energy between two groups of states. Beyond it
/// the asymptotic errors mean nothing: fewer than about one sample is shared.
const LARGEST_GAP: f64 = 1.0;
/// Rows added up before they join the total, as in [`ordered_sum`].
const CHUNK: usize = 4096;

/// What can be wrong with the samples of several states.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum ReweightingError {
    /// No states at all.
    #[error("reweighting needs at least one state")]
    NoStates,
    /// A state without samples.
    #[error("state {state} has no samples")]
    NoSamples {
        /// Index of the state.
        state: usize,
    },
    /// An input that is infinite or not a number.
    #[error("the {what} of state {state} (sample {sample}) is {value}, not finite")]
    NotFinite {
        /// The quantity.
        what: &'static str,
        /// Index of the state.
        state: usize,
        /// Index of the sample, in the order of the states (0 for what belongs to the state).
        sample: usize,
        /// The number.
        value: f64,
    },
    /// A statistical inefficiency below one.
    #[error("the statistical inefficiency of state {state} is {value}, below 1")]
    Inefficiency {
        /// Index of the state.
        state: usize,
        /// The inefficiency.
        value: f64,
    },
    /// Self-consistent equations that stay unsolved.
    #[error(
        "the free energies did not converge in {iterations} iterations: the gradient of state {state} is {gradient:e} \
         per sample, the tolerance {TOLERANCE:e}"
    )]
    NotConverged {
        /// Iterations done.
        iterations: usize,
        /// State of the largest gradient.
        state: usize,
        /// Largest gradient over the number of samples of its state.
        gradient: f64,
    },
    /// States that share no samples.
    #[error(
        "the states do not overlap: neighbours {first} and {second} have the overlap {overlap:e}, and the free energy \
         between their sides has the standard error {gap} kT"
    )]
    NoOverlap {
        /// One state.
        first: usize,
        /// Its neighbour.
        second: usize,
        /// O of (first, second).
        overlap: f64,
        /// Standard error of the free energy between the states on the two sides, in kT.
        gap: f64,
    },
    /// A Hessian that rounding makes singular.
    #[error(transparent)]
    Dense(#[from] DenseError),
}

/// Samples of a lattice model at one state (kT, mu), whose reduced potential is u(E, N) = (E - mu N)/kT.
#[derive(Clone, Debug, PartialEq)]
pub struct SampledState {
    /// 1/kT, in the inverse unit of the energies.
    pub beta: f64,
    /// mu, in the unit of the energies.
    pub chemical_potential: f64,
    /// The samples [E, N]: total energy and number of particles of single configurations.
    pub samples: Vec<[f64; 2]>,
    /// Statistical inefficiency g >= 1: neighbouring samples are correlated such that the mean of all has the variance
    /// of the mean of one in g. It enters the errors only, never the values.
    pub inefficiency: f64,
}

impl SampledState {
    fn reduced_potential(&self, sample: [f64; 2]) -> f64 {
        reduced_potential(self.beta, self.chemical_potential, sample)
    }
}

fn reduced_potential(beta: f64, chemical_potential: f64, [energy, number]: [f64; 2]) -> f64 {
    beta * (energy - chemical_potential * number)
}

/// Expectation values at one state; pairs are (value, standard error).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReweightedPoint {
    /// Dimensionless free energy f = -ln Z relative to state 0.
    pub free_energy: (f64, f64),
    /// Mean energy.
    pub energy: (f64, f64),
    /// Mean number of particles.
    pub number: (f64, f64),
    /// Variance of the energy.
    pub energy_variance: f64,
    /// Variance of the number of particles.
    pub number_variance: f64,
    /// Covariance of energy and number of particles.
    pub covariance: f64,
    /// Effective number of samples (sum w)^2 / sum w^2 (L. Kish, Survey Sampling, Wiley (1965)), as if all samples were
    /// uncorrelated. Where it is small (below some tens) neither values nor errors can be trusted.
    pub effective_samples: f64,
}

/// The multistate Bennett acceptance ratio estimator for K states with N_k samples each, N in all.
///
/// The free energies f_k = -ln Z_k solve
///
///   f_k = -ln sum_n exp(-u_k(x_n)) / sum_l N_l exp(f_l - u_l(x_n)),
///
/// f_0 = 0, which is the minimum of the convex -sum_n ln p_{n s(n)}, where s(n) is the state that sample n was taken
/// at and p_nk = N_k W_nk is the probability that a sample with its (E, N) was taken at state k,
///
///   W_nk = exp(f_k - u_k(x_n)) / sum_l N_l exp(f_l - u_l(x_n)).
///
/// Every estimate is linear in fluctuations of its sums over samples: with v_n the weights that it gives them at fixed
/// f (W_na for -f_a, W_na (A_n - mean A) for mean A), p = (p_nk), H = diag(N_k) - p^T p and any generalised inverse of
/// H, the fluctuations of f included, sample n moves it by
///
///   psi = v + p H^-1 p^T v = (1 - W diag(N_k) W^T)^+ v,
///
/// and its variance is sum_k g_k N_k var_k(psi), where var_k(psi), the variance at state k, is itself reweighted from
/// all samples. For equal inefficiencies g this is g v^T (1 - W diag(N_k) W^T)^+ v, that is, eqs. (8) and (15) of the
/// matrix W augmented by the columns of the states and observables asked for, with effective counts N_k/g. For unequal
/// ones eq. (8) with counts N_k/g_k would be the error of another estimator, one that weighs samples by 1/g_k, and too
/// small for this one, whose values do not depend on g.
///
/// It holds K + 3 numbers per sample; each iteration evaluates K exponentials per sample and the K x K matrix p^T p.
#[derive(Clone, Debug, PartialEq)]
pub struct Reweighting {
    counts: Vec<f64>,
    inefficiencies: Vec<f64>,
    samples: Vec<[f64; 2]>,
    /// ln sum_k N_k exp(f_k - u_k(x_n)).
    log_density: Vec<f64>,
    /// p_nk.
    memberships: Matrix,
    /// p^T p.
    shared: Matrix,
    free_energies: Vec<f64>,
    /// Of H without state 0.
    factor: Cholesky,
    covariance: Matrix,
}

impl Reweighting {
    /// Solves for the free energies, by Newton steps with backtracking from the pairwise solutions for consecutive
    /// states, to a gradient below 1e-12 N_k in at most 200 steps.
    ///
    /// Refuses: no states; a state without samples; numbers that are not finite; inefficiencies below one; a gradient
    /// that stays larger; states that fall into two groups between which the free energy has a standard error above
    /// kT, with the pair of states that links them best.
    pub fn new(states: &[SampledState]) -> Result<Self, ReweightingError> {
        check(states)?;
        let mut mixture = Mixture::new(states);
        let shifts = mixture.solve()?;
        let free_energies = mixture.guess.iter().zip(&shifts).map(|(g, s)| g + s).collect();
        let shared = mixture.shared();
        if let Some((gap, first, second)) = widest_gap(&shared, &mixture.counts)
            && gap > LARGEST_GAP
        {
            let overlap = shared.row(first)[second] / mixture.counts[first];
            return Err(ReweightingError::NoOverlap { first, second, overlap, gap });
        }
        let factor = Cholesky::new(&mixture.hessian(&shared))?;
        let Mixture { counts, memberships, log_density, .. } = mixture;
        let inefficiencies: Vec<f64> = states.iter().map(|s| s.inefficiency).collect();
        let covariance = covariance(&counts, &inefficiencies, &memberships, &shared, &factor);
        let samples = states.iter().flat_map(|s| s.samples.iter().copied()).collect();
        Ok(Self {
            counts,
            inefficiencies,
            samples,
            log_density,
            memberships,
            shared,
            free_energies,
            factor,
            covariance,
        })
    }

    /// The K dimensionless free energies f_k = -ln Z_k; f_0 = 0.
    pub fn free_energies(&self) -> &[f64] {
        &self.free_energies
    }

    /// The K x K asymptotic covariance of f_i - f_0 (row and column 0 are zero), eq. (8) for equal inefficiencies:
    /// H^-1 M H^-1 with M = sum_k g_k N_k cov_k(p_n), the covariance of the gradient.
    pub fn free_energy_covariance(&self) -> &Matrix {
        &self.covariance
    }

    /// The K x K overlap matrix O_ij = sum_n W_ni N_j W_nj, the mean probability at state i that a sample was taken at
    /// state j: rows add up to one.
    pub fn overlap(&self) -> Matrix {
        let mut overlap = self.shared.clone();
        for (i, count) in self.counts.iter().enumerate() {
            overlap.row_mut(i).iter_mut().for_each(|value| *value /= count);
        }
        overlap
    }

    /// Expectation values at the state (beta, mu), sampled or not: mean A = sum_n W_na A_n, the
    /// free energy by the equation of f_k, errors by eqs. (8) and (15) as above. Values that are not finite give results that are not.
    pub fn at(&self, beta: f64, chemical_potential: f64) -> ReweightedPoint {
        let log_weight =
            |(sample, log): (&[f64; 2], &f64)| -reduced_potential(beta, chemical_potential, *sample) - log;
        let log_weights: Vec<f64> = self.samples.iter().zip(&self.log_density).map(log_weight).collect();
        let log_sum = log_sum_exp(&log_weights);
        let weights: Vec<f64> = log_weights.iter().map(|log| (log - log_sum).exp()).collect();
        let average = |observable: &dyn Fn(&[f64; 2]) -> f64| {
            let terms: Vec<f64> = weights.iter().zip(&self.samples).map(|(w, s)| w * observable(s)).collect();
            ordered_sum(&terms)
        };
        let energy = average(&|s| s[0]);
        let number = average(&|s| s[1]);
        let deviations = |which: usize, mean: f64| -> Vec<f64> {
            weights.iter().zip(&self.samples).map(|(w, s)| w * (s[which] - mean)).collect()
        };
        let reference = |n: usize| self.memberships.row(n)[0] / self.counts[0];
        let difference: Vec<f64> = weights.iter().enumerate().map(|(n, w)| w - reference(n)).collect();
        let squares: Vec<f64> = weights.iter().map(|w| w * w).collect();
        ReweightedPoint {
            free_energy: (-log_sum, self.standard_error(&difference)),
            energy: (energy, self.standard_error(&deviations(0, energy))),
            number: (number, self.standard_error(&deviations(1, number))),
            energy_variance: average(&|s| (s[0] - energy).powi(2)),
            number_variance: average(&|s| (s[1] - number).powi(2)),
            covariance: average(&|s| (s[0] - energy) * (s[1] - number)),
            effective_samples: ordered_sum(&weights).powi(2) / ordered_sum(&squares),
        }
    }

    /// Standard error of an estimate that gives the samples the weights v at fixed free energies; sum v = 0.
    fn standard_error(&self, v: &[f64]) -> f64 {
        let mut solved = vec![0.0];
        solved.extend(self.factor.solve(&self.memberships.transposed_times(v)[1..]));
        let mut influence = self.memberships.times(&solved);
        influence.iter_mut().zip(v).for_each(|(psi, vn)| *psi += vn);
        let mut means = self.memberships.transposed_times(&influence);
        means.iter_mut().zip(&self.counts).for_each(|(mean, count)| *mean /= count);
        // Deviations, not a difference of squares: rounding cannot make the variance negative.
        let term = |(n, psi): (usize, &f64)| -> f64 {
            let row = self.memberships.row(n).iter().zip(&means).zip(&self.inefficiencies);
            row.map(|((p, m), g)| g * p * (psi - m).powi(2)).sum()
        };
        let terms: Vec<f64> = influence.iter().enumerate().map(term).collect();
        ordered_sum(&terms).sqrt()
    }
}

/// Refuses states that cannot be used.
fn check(states: &[SampledState]) -> Result<(), ReweightingError> {
    if states.is_empty() {
        return Err(ReweightingError::NoStates);
    }
    let finite = |what, state, sample, value: f64| {
        let refusal = ReweightingError::NotFinite { what, state, sample, value };
        if value.is_finite() { Ok(()) } else { Err(refusal) }
    };
    for (k, state) in states.iter().enumerate() {
        if state.samples.is_empty() {
            return Err(ReweightingError::NoSamples { state: k });
        }
        finite("inverse temperature", k, 0, state.beta)?;
        finite("chemical potential", k, 0, state.chemical_potential)?;
        finite("statistical inefficiency", k, 0, state.inefficiency)?;
        if state.inefficiency < 1.0 {
            return Err(ReweightingError::Inefficiency { state: k, value: state.inefficiency });
        }
        for (n, [energy, number]) in state.samples.iter().enumerate() {
            finite("energy", k, n, *energy)?;
            finite("number of particles", k, n, *number)?;
        }
    }
    // Finite factors may still overflow in their product.
    for (k, state) in states.iter().enumerate() {
        for (n, sample) in states.iter().flat_map(|s| &s.samples).enumerate() {
            finite("reduced potential", k, n, state.reduced_potential(*sample))?;
        }
    }
    Ok(())
}

/// ln sum exp(x) without overflow.
fn log_sum_exp(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let terms: Vec<f64> = values.iter().map(|v| (v - largest).exp()).collect();
    largest + ordered_sum(&terms).ln()
}

/// f of `after` less that of `before` within 0.01, from their own samples only: Bennett's equation by bisection.
/// Anything in between where they do not overlap.
fn coarse_difference(before: &SampledState, after: &SampledState) -> f64 {
    let differences = |at: &SampledState| -> Vec<f64> {
        at.samples.iter().map(|s| after.reduced_potential(*s) - before.reduced_potential(*s)).collect()
    };
    let (left, right) = (differences(before), differences(after));
    let log_ratio = (right.len() as f64 / left.len() as f64).ln();
    // Bennett's equation has its solution between the extreme differences.
    let mut low = left.iter().chain(&right).copied().fold(f64::INFINITY, f64::min);
    let mut high = left.iter().chain(&right).copied().fold(f64::NEG_INFINITY, f64::max);
    // Rounding may keep the ends of a wide interval apart for ever: 200 halvings take any to its last digit.
    let mut halvings = 0..200;
    while high - low > 0.01 && halvings.next().is_some() {
        let middle = 0.5 * (low + high);
        let shift = middle + log_ratio;
        let taken: f64 = left.iter().map(|d| 1.0 / (1.0 + (d - shift).exp())).sum();
        let given: f64 = right.iter().map(|d| 1.0 / (1.0 + (shift - d).exp())).sum();
        if taken < given { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The mixture of all states' distributions, at free energies f_k = guess_k + shift_k. The shifts are small, so that
/// their last digits are not lost in free energies of large systems.
struct Mixture<'a> {
    states: &'a [SampledState],
    counts: Vec<f64>,
    guess: Vec<f64>,
    memberships: Matrix,
    log_density: Vec<f64>,
    /// sum_n p_nk.
    sums: Vec<f64>,
    /// -sum_n ln p_{n s(n)} / N.
    objective: f64,
}

impl<'a> Mixture<'a> {
    fn new(states: &'a [SampledState]) -> Self {
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
    fn shared(&self) -> Matrix {
        self.memberships.weighted_gram(&vec![1.0; self.memberships.rows()])
    }

    /// H = diag(sum_n p_nk) - p^T p without state 0, whose free energy is fixed.
    fn hessian(&self, shared: &Matrix) -> Matrix {
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
    fn solve(&mut self) -> Result<Vec<f64>, ReweightingError> {
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

/// Covariance of f_i - f_0 by H^-1 M H^-1, M = sum_k g_k N_k cov_k(p). The covariance at state k is reweighted from all
/// samples, so M = p^T diag(sum_k g_k p_nk) p - B diag(g_k/N_k) B for B = p^T p.
fn covariance(
    counts: &[f64],
    inefficiencies: &[f64],
    memberships: &Matrix,
    shared: &Matrix,
    factor: &Cholesky,
) -> Matrix {
    let order = counts.len() - 1;
    let first = memberships.weighted_gram(&memberships.times(inefficiencies));
    let ratios: Vec<f64> = inefficiencies.iter().zip(counts).map(|(g, c)| g / c).collect();
    let second = shared.weighted_gram(&ratios);
    let mut half = Matrix::zeros(order, order);
    for i in 0..order {
        let gradient = first.row(i + 1)[1..].iter().zip(&second.row(i + 1)[1..]);
        let row: Vec<f64> = gradient.map(|(a, b)| a - b).collect();
        half.row_mut(i).copy_from_slice(&factor.solve(&row));
    }
    let mut out = Matrix::zeros(order + 1, order + 1);
    for j in 0..order {
        let column: Vec<f64> = (0..order).map(|i| half.row(i)[j]).collect();
        for (i, value) in factor.solve(&column).into_iter().enumerate() {
            // Both orders of the indices, so that rounding leaves the matrix symmetric.
            out.row_mut(i + 1)[j + 1] += 0.5 * value;
            out.row_mut(j + 1)[i + 1] += 0.5 * value;
        }
    }
    for i in 0..=order {
        // For states that are the same the variance is zero but for rounding.
        out.row_mut(i)[i] = out.row(i)[i].max(0.0);
    }
    out
}

/// The widest gap between neighbours, that is, along the tree that links all states with the largest overlaps
/// B_ij/sqrt(N_i N_j) (R. C. Prim, Bell Syst. Tech. J. 36, 1389 (1957)): its error in kT and both states.
///
/// The states on either side of a link, taken together as one each, are two states with N_a and N_b samples, between
/// which the free energy has the variance 1/B_ab - 1/N_a - 1/N_b (Bennett's, eq. (8) for K = 2).
fn widest_gap(shared: &Matrix, counts: &[f64]) -> Option<(f64, usize, usize)> {
    let order = counts.len();
    let strength = |i: usize, j: usize| shared.row(i)[j] / (counts[i] * counts[j]).sqrt();
    let mut parents = vec![0; order];
    let mut joined = vec![0];
    let mut outside: Vec<usize> = (1..order).collect();
    let link = |parents: &[usize], k: usize| strength(parents[k], k);
    let closest = |outside: &[usize], parents: &[usize]| {
        let places = (0..outside.len()).rev();
        places.max_by(|a, b| link(parents, outside[*a]).total_cmp(&link(parents, outside[*b])))
    };
    while let Some(place) = closest(&outside, &parents) {
        let next = outside.remove(place);
        joined.push(next);
        for k in &outside {
            // Equal overlaps (none at all) go to the latest state, which leaves states in their order.
            if strength(next, *k) >= strength(parents[*k], *k) {
                parents[*k] = next;
            }
        }
    }
    let mut widest: Option<(f64, usize, usize)> = None;
    for child in joined.iter().skip(1) {
        // A state joins after its parent, so one pass finds all that hang on this child.
        let mut side = vec![false; order];
        for k in &joined {
            side[*k] = k == child || (*k != 0 && side[parents[*k]]);
        }
        let here: f64 = (0..order).filter(|i| side[*i]).map(|i| counts[i]).sum();
        let there = counts.iter().sum::<f64>() - here;
        let row = |i: usize| (0..order).filter(|j| !side[*j]).map(|j| shared.row(i)[j]).sum::<f64>();
        let both: f64 = (0..order).filter(|i| side[*i]).map(row).sum();
        let error = (1.0 / both - 1.0 / here - 1.0 / there).max(0.0).sqrt();
        if widest.is_none_or(|(largest, ..)| error > largest) {
            widest = Some((error, parents[*child], *child));
        }
    }
    widest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Philox;

    const GAS_STATES: [(f64, f64); 5] = [(0.5, 0.0), (0.6, 1.0), (0.9, 1.5), (1.2, 2.5), (0.8, 4.0)];

    fn sampled(beta: f64, chemical_potential: f64, samples: Vec<[f64; 2]>) -> SampledState {
        SampledState { beta, chemical_potential, samples, inefficiency: 1.0 }
    }

    /// x^2/2 of an oscillator at these temperatures, with numbers of samples that differ.
    fn oscillators(betas: &[f64], replica: u32) -> Vec<SampledState> {
        let mut rng = Philox::new(5, 0, replica);
        let mut energies = |count: usize, b: f64| -> Vec<[f64; 2]> {
            (0..count).map(|_| [0.5 * rng.normal().powi(2) / b, 0.0]).collect()
        };
        let draw = |(k, b): (usize, &f64)| sampled(*b, 0.0, energies(150 + 100 * (k % 2), *b));
        betas.iter().enumerate().map(draw).collect()
    }

    /// [E, N] of all 512 configurations of a periodic 3 x 3 lattice gas with unit repulsion of neighbours.
    fn configurations() -> Vec<[f64; 2]> {
        let bonds: Vec<[u32; 2]> =
            (0..9).flat_map(|s| [[s, s / 3 * 3 + (s + 1) % 3], [s, (s + 3) % 9]]).collect();
        let energy = |c: u32| bonds.iter().filter(|[i, j]| (c >> i) & (c >> j) & 1 == 1).count();
        (0..512u32).map(|c| [energy(c) as f64, f64::from(c.count_ones())]).collect()
    }

    /// f, the probabilities, and the means of E and N.
    fn exact(all: &[[f64; 2]], (beta, mu): (f64, f64)) -> (f64, Vec<f64>, [f64; 2]) {
        let logs: Vec<f64> = all.iter().map(|c| -reduced_potential(beta, mu, *c)).collect();
        let f = -log_sum_exp(&logs);
        let probabilities: Vec<f64> = logs.iter().map(|l| (l + f).exp()).collect();
        let means = [0, 1].map(|i| all.iter().zip(&probabilities).map(|(c, p)| c[i] * p).sum());
        (f, probabilities, means)
    }

    /// Samples of the lattice gas, each repeated as often as the inefficiency says.
    fn gas(all: &[[f64; 2]], inefficiencies: [usize; 5], count: usize, replica: u32) -> Vec<SampledState> {
        let mut rng = Philox::new(6, 0, replica);
        let draw = |((beta, mu), g): ((f64, f64), usize)| {
            let mut cumulated = exact(all, (beta, mu)).1;
            (1..512).for_each(|c| cumulated[c] += cumulated[c - 1]);
            let uniform = (0..count).map(|_| rng.uniform());
            let drawn = uniform.map(|u| all[cumulated.partition_point(|c| *c < u).min(511)]);
            let samples = drawn.flat_map(|s| vec![s; g]).collect();
            SampledState { inefficiency: g as f64, ..sampled(beta, mu, samples) }
        };
        GAS_STATES.into_iter().zip(inefficiencies).map(draw).collect()
    }

    /// The first deviation (in standard errors) is below 4; their mean square is 1 and their mean 0, within 4 sigma.
    fn assert_calibrated(what: &str, deviations: &[f64]) {
        let n = deviations.len() as f64;
        let (mean, square) = (ordered_sum(deviations) / n, deviations.iter().map(|z| z * z).sum::<f64>() / n);
        assert!(deviations[0].abs() < 4.0, "{what}: {} sigma", deviations[0]);
        assert!(mean.abs() < 4.0 / n.sqrt(), "{what}: mean {mean} of {n}");
        assert!((square - 1.0).abs() < 4.0 * (2.0 / n).sqrt(), "{what}: mean square {square} of {n}");
    }

    #[test]
    fn oscillators_have_their_free_energies_with_calibrated_errors() {
        let betas = [1.0, 2.0, 4.0, 8.0];
        let mut deviations = vec![Vec::new(); 4];
        for replica in 0..300 {
            let r = Reweighting::new(&oscillators(&betas, replica)).unwrap();
            for k in 1..4 {
                let error = r.free_energy_covariance().row(k)[k].sqrt();
                deviations[k].push((r.free_energies()[k] - 0.5 * betas[k].ln()) / error);
                let at = r.at(betas[k], 0.0).free_energy;
                assert!((at.0 - r.free_energies()[k]).abs() < 1e-10 && (at.1 / error - 1.0).abs() < 1e-8);
            }
        }
        deviations[1..].iter().for_each(|z| assert_calibrated("oscillators", z));
        // Neither the order of the states nor a poor guess matters.
        let states = oscillators(&[1.0, 4.0, 16.0, 64.0, 256.0], 0);
        let shuffled = [0, 4, 1, 3, 2].map(|k: usize| states[k].clone());
        let (a, b) = (Reweighting::new(&states).unwrap(), Reweighting::new(&shuffled).unwrap());
        assert!((a.free_energies()[4] - b.free_energies()[1]).abs() < 1e-10);
    }

    #[test]
    fn lattice_gas_agrees_with_enumeration_and_errors_are_calibrated() {
        let all = configurations();
        let target = (0.75, 2.0);
        let (f, probabilities, means) = exact(&all, target);
        let f0 = exact(&all, GAS_STATES[0]).0;
        for inefficiencies in [[1; 5], [1, 12, 1, 6, 2]] {
            let mut deviations = vec![Vec::new(); 4];
            for replica in 0..300 {
                let r = Reweighting::new(&gas(&all, inefficiencies, 60, replica)).unwrap();
                let p = r.at(target.0, target.1);
                deviations[0].push((p.free_energy.0 - (f - f0)) / p.free_energy.1);
                deviations[1].push((p.energy.0 - means[0]) / p.energy.1);
                deviations[2].push((p.number.0 - means[1]) / p.number.1);
                let f4 = r.free_energies()[4] - (exact(&all, GAS_STATES[4]).0 - f0);
                deviations[3].push(f4 / r.free_energy_covariance().row(4)[4].sqrt());
            }
            for (what, z) in ["free energy", "energy", "number", "f_4"].iter().zip(&deviations) {
                assert_calibrated(what, z);
            }
        }
        let p = Reweighting::new(&gas(&all, [1; 5], 20_000, 0)).unwrap().at(target.0, target.1);
        let moment = |i: usize, j: usize| -> f64 {
            all.iter().zip(&probabilities).map(|(c, p)| p * (c[i] - means[i]) * (c[j] - means[j])).sum()
        };
        assert!((p.energy_variance / moment(0, 0) - 1.0).abs() < 0.03);
        assert!((p.number_variance / moment(1, 1) - 1.0).abs() < 0.03);
        assert!((p.covariance / moment(0, 1) - 1.0).abs() < 0.03);
        assert!(p.effective_samples > 40_000.0 && p.effective_samples < 100_000.0, "{p:?}");
    }

    #[test]
    fn errors_are_those_of_equations_8_and_15() {
        let r = Reweighting::new(&gas(&configurations(), [3; 5], 8, 1)).unwrap();
        let p = r.at(0.7, 2.2);
        let n = r.samples.len();
        // 1 - W diag(N_k) W^T is singular along ones only, to which differences of columns are orthogonal.
        let mut inner = Matrix::from_rows(n, n, vec![1.0 / n as f64; n * n]).unwrap();
        for (a, b) in (0..n * n).map(|i| (i / n, i % n)) {
            let pairs = r.memberships.row(a).iter().zip(r.memberships.row(b)).zip(&r.counts);
            inner.row_mut(a)[b] += f64::from(a == b) - pairs.map(|((x, y), c)| x * y / c).sum::<f64>();
        }
        let inverse = Cholesky::new(&inner).unwrap();
        let error = |v: Vec<f64>| (3.0 * inverse.inverse_quadratic(&v)).sqrt();
        let column = |k: usize, i: usize| r.memberships.row(i)[k] / r.counts[k];
        let weight =
            |i: usize| (p.free_energy.0 - reduced_potential(0.7, 2.2, r.samples[i]) - r.log_density[i]).exp();
        let energy = error((0..n).map(|i| weight(i) * (r.samples[i][0] - p.energy.0)).collect());
        let f = error((0..n).map(|i| weight(i) - column(0, i)).collect());
        let f3 = error((0..n).map(|i| column(3, i) - column(0, i)).collect());
        assert!((energy / p.energy.1 - 1.0).abs() < 1e-9 && (f / p.free_energy.1 - 1.0).abs() < 1e-9);
        assert!((f3 / r.free_energy_covariance().row(3)[3].sqrt() - 1.0).abs() < 1e-9);
        for (i, j) in (0..25).map(|i| (i / 5, i % 5)) {
            let direct: f64 = (0..n).map(|s| column(i, s) * r.counts[j] * column(j, s)).sum();
            assert!((r.overlap().row(i)[j] - direct).abs() < 1e-14);
            assert!((r.overlap().row(i).iter().sum::<f64>() - 1.0).abs() < 1e-11);
        }
    }

    #[test]
    fn one_state_gives_averages_and_equal_states_no_difference() {
        let mut state = gas(&configurations(), [4, 1, 1, 1, 1], 50, 2).swap_remove(0);
        let r = Reweighting::new(std::slice::from_ref(&state)).unwrap();
        let p = r.at(state.beta, state.chemical_potential);
        let energies: Vec<f64> = state.samples.iter().map(|s| s[0]).collect();
        let (mean, n) = (crate::mean(&energies), energies.len() as f64);
        let variance = crate::variance(&energies) * (n - 1.0) / n;
        assert!((p.energy.0 - mean).abs() < 1e-12 && (p.energy_variance - variance).abs() < 1e-12);
        assert!((p.energy.1 - (4.0 * variance / n).sqrt()).abs() < 1e-12);
        assert!(p.free_energy.0.abs() < 1e-12 && p.free_energy.1 < 1e-12);
        assert!((p.effective_samples - n).abs() < 1e-9);
        let mut states = vec![state.clone(); 3];
        state.samples.truncate(1);
        states.push(state);
        let r = Reweighting::new(&states).unwrap();
        assert!(r.free_energies().iter().all(|f| f.abs() < 1e-12));
        assert!((0..4).all(|k| r.free_energy_covariance().row(k)[k] < 1e-12));
    }

    #[test]
    fn two_states_solve_bennetts_equation() {
        let states = oscillators(&[1.0, 9.0], 3);
        let log_ratio = (states[1].samples.len() as f64 / states[0].samples.len() as f64).ln();
        let fermi = |k: usize, sign: f64, shift: f64| -> f64 {
            let terms = states[k].samples.iter().map(|s| 1.0 / (1.0 + (sign * (8.0 * s[0] - shift)).exp()));
            terms.sum()
        };
        let (mut low, mut high) = (-20.0, 20.0);
        for _ in 0..100 {
            let f = 0.5 * (low + high);
            let shift = f + log_ratio;
            if fermi(0, 1.0, shift) < fermi(1, -1.0, shift) { low = f } else { high = f }
        }
        let f = Reweighting::new(&states).unwrap().free_energies()[1];
        assert!((f - low).abs() < 1e-9, "{f} {low}");
    }

    /// A Gaussian density of states of width 1000: E ~ N(-beta 1e6, 1e6), f = -beta^2 1e6 / 2.
    fn gaussians(betas: &[f64]) -> Vec<SampledState> {
        let mut rng = Philox::new(8, 0, 0);
        let mut draw = |b: f64| (0..500).map(|_| [1e3 * rng.normal() - 1e6 * b, 0.0]).collect();
        betas.iter().map(|b| sampled(*b, 0.0, draw(*b))).collect()
    }

    #[test]
    fn large_systems_converge() {
        let betas: Vec<f64> = (0..12).map(|k| 1.0 + 1.5e-3 * f64::from(k)).collect();
        let r = Reweighting::new(&gaussians(&betas)).unwrap();
        let exact = -0.5e6 * (betas[11] * betas[11] - 1.0);
        let error = r.free_energy_covariance().row(11)[11].sqrt();
        assert!((r.free_energies()[11] - exact).abs() < 4.0 * error && error < 1.0, "{error}");
    }

    #[test]
    fn what_cannot_be_reweighted_is_refused() {
        use ReweightingError as E;
        let good = oscillators(&[1.0, 2.0, 3.0], 4);
        let refused = |change: &dyn Fn(&mut Vec<SampledState>)| {
            let mut states = good.clone();
            change(&mut states);
            Reweighting::new(&states).unwrap_err()
        };
        assert_eq!(refused(&Vec::clear), E::NoStates);
        assert_eq!(refused(&|s| s[1].samples.clear()), E::NoSamples { state: 1 });
        assert_eq!(refused(&|s| s[2].inefficiency = 0.5), E::Inefficiency { state: 2, value: 0.5 });
        assert!(matches!(refused(&|s| s[1].beta = f64::NAN), E::NotFinite { state: 1, .. }));
        assert!(matches!(refused(&|s| s[0].samples[7][1] = f64::INFINITY), E::NotFinite { sample: 7, .. }));
        let huge = refused(&|s| (s[2].beta, s[1].samples[0][0]) = (1e200, 1e200));
        assert!(matches!(huge, E::NotFinite { what: "reduced potential", state: 2, sample: 150, .. }));
        let error = Reweighting::new(&gaussians(&[1.0, 1.001, 1.01, 1.011])).unwrap_err();
        assert!(matches!(error, E::NoOverlap { first: 1, second: 2, gap, .. } if gap > 1.0), "{error}");
    }
}
