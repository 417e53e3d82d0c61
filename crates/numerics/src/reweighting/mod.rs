//! Reweighting of samples taken at several states: the multistate Bennett acceptance ratio.
//!
//! M. R. Shirts, J. D. Chodera, "Statistically optimal analysis of samples from multiple equilibrium states", J. Chem.
//! Phys. 129, 124105 (2008); equation numbers below are of that paper. For two states it is C. H. Bennett, J. Comput.
//! Phys. 22, 245 (1976).

mod mixture;
#[cfg(test)]
mod tests;

use mixture::{Mixture, TOLERANCE};
use thiserror::Error;

use crate::dense::{Cholesky, DenseError, Matrix};
use crate::statistics::ordered_sum;

/// Largest standard error (in kT, for uncorrelated samples) of the free energy between two groups of states. Beyond it
/// the asymptotic errors mean nothing: fewer than about one sample is shared.
const LARGEST_GAP: f64 = 1.0;
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

/// A linear combination of the free energy f = -ln Z (relative to state 0), the mean energy and the mean number of
/// particles at a state, sampled or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Combination {
    /// 1/kT, in the inverse unit of the energies.
    pub beta: f64,
    /// mu, in the unit of the energies.
    pub chemical_potential: f64,
    /// Coefficients of f, <E> and <N>.
    pub coefficients: [f64; 3],
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
        let target = Target::new(self, beta, chemical_potential);
        let [energy, number] = target.means;
        let error = |coefficients| self.standard_error(&target.direct(self, coefficients));
        let squares: Vec<f64> = target.weights.iter().map(|w| w * w).collect();
        ReweightedPoint {
            free_energy: (target.free_energy, error([1.0, 0.0, 0.0])),
            energy: (energy, error([0.0, 1.0, 0.0])),
            number: (number, error([0.0, 0.0, 1.0])),
            energy_variance: target.average(self, |s| (s[0] - energy).powi(2)),
            number_variance: target.average(self, |s| (s[1] - number).powi(2)),
            covariance: target.average(self, |s| (s[0] - energy) * (s[1] - number)),
            effective_samples: ordered_sum(&target.weights).powi(2) / ordered_sum(&squares),
        }
    }

    /// Values of linear combinations at several states with their joint covariance,
    /// sum_k g_k N_k cov_k(psi_a, psi_b): what a curve g(x) = phi + mu x needs before it is integrated, differentiated
    /// or searched for tangents. It holds one number per sample and combination.
    pub fn combinations(&self, of: &[Combination]) -> (Vec<f64>, Matrix) {
        let samples = self.samples.len();
        let mut influences = Matrix::zeros(samples, of.len());
        let mut means = Matrix::zeros(self.counts.len(), of.len());
        let mut values = Vec::with_capacity(of.len());
        for (a, combination) in of.iter().enumerate() {
            let target = Target::new(self, combination.beta, combination.chemical_potential);
            let [f, e, n] = combination.coefficients;
            values.push(f * target.free_energy + e * target.means[0] + n * target.means[1]);
            let influence = self.influence(&target.direct(self, combination.coefficients));
            for (i, psi) in influence.iter().enumerate() {
                influences.row_mut(i)[a] = *psi;
            }
            for (k, mean) in self.state_means(&influence).into_iter().enumerate() {
                means.row_mut(k)[a] = mean;
            }
        }
        let mut covariance = influences.weighted_gram(&self.memberships.times(&self.inefficiencies));
        let weights: Vec<f64> = self.inefficiencies.iter().zip(&self.counts).map(|(g, n)| g * n).collect();
        let within = means.weighted_gram(&weights);
        for a in 0..of.len() {
            covariance.row_mut(a).iter_mut().zip(within.row(a)).for_each(|(c, w)| *c -= w);
            covariance.row_mut(a)[a] = covariance.row(a)[a].max(0.0);
        }
        (values, covariance)
    }

    /// psi = v + p H^-1 p^T v of an estimate that gives the samples the weights v at fixed free energies; sum v = 0.
    fn influence(&self, v: &[f64]) -> Vec<f64> {
        let mut solved = vec![0.0];
        solved.extend(self.factor.solve(&self.memberships.transposed_times(v)[1..]));
        let mut influence = self.memberships.times(&solved);
        influence.iter_mut().zip(v).for_each(|(psi, vn)| *psi += vn);
        influence
    }

    /// Mean influence of a sample at every state.
    fn state_means(&self, influence: &[f64]) -> Vec<f64> {
        let mut means = self.memberships.transposed_times(influence);
        means.iter_mut().zip(&self.counts).for_each(|(mean, count)| *mean /= count);
        means
    }

    /// Standard error of an estimate that gives the samples the weights v at fixed free energies; sum v = 0.
    fn standard_error(&self, v: &[f64]) -> f64 {
        let influence = self.influence(v);
        let means = self.state_means(&influence);
        // Deviations, not a difference of squares: rounding cannot make the variance negative.
        let term = |(n, psi): (usize, &f64)| -> f64 {
            let row = self.memberships.row(n).iter().zip(&means).zip(&self.inefficiencies);
            row.map(|((p, m), g)| g * p * (psi - m).powi(2)).sum()
        };
        let terms: Vec<f64> = influence.iter().enumerate().map(term).collect();
        ordered_sum(&terms).sqrt()
    }
}

/// A state that the samples are reweighted to.
struct Target {
    /// W_na.
    weights: Vec<f64>,
    free_energy: f64,
    /// Of E and N.
    means: [f64; 2],
}

impl Target {
    fn new(of: &Reweighting, beta: f64, chemical_potential: f64) -> Self {
        let log_weight =
            |(sample, log): (&[f64; 2], &f64)| -reduced_potential(beta, chemical_potential, *sample) - log;
        let log_weights: Vec<f64> = of.samples.iter().zip(&of.log_density).map(log_weight).collect();
        let log_sum = log_sum_exp(&log_weights);
        let weights: Vec<f64> = log_weights.iter().map(|log| (log - log_sum).exp()).collect();
        let mut out = Self { weights, free_energy: -log_sum, means: [0.0; 2] };
        out.means = [0, 1].map(|which| out.average(of, |s| s[which]));
        out
    }

    fn average(&self, of: &Reweighting, observable: impl Fn(&[f64; 2]) -> f64) -> f64 {
        let terms: Vec<f64> = self.weights.iter().zip(&of.samples).map(|(w, s)| w * observable(s)).collect();
        ordered_sum(&terms)
    }

    /// The weights that a combination of f, <E> and <N> gives the samples at fixed free energies of the states.
    fn direct(&self, of: &Reweighting, [f, e, n]: [f64; 3]) -> Vec<f64> {
        let [energy, number] = self.means;
        let weight = |(i, (w, s)): (usize, (&f64, &[f64; 2]))| {
            // -f rises with the weight of a sample here and falls with that at state 0.
            let reference = of.memberships.row(i)[0] / of.counts[0];
            w * (e * (s[0] - energy) + n * (s[1] - number)) - f * (w - reference)
        };
        self.weights.iter().zip(&of.samples).enumerate().map(weight).collect()
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
