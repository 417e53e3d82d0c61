//! Rings of any length by their transfer matrix.

use super::ExactAverages;
use crate::LatticeError;
use crate::model::{PairModel, Variables};

/// Largest number of shells (the matrix has 2^shells rows).
pub const MOST_RING_SHELLS: usize = 6;

/// Sums over states of 1, e, n, e^2, e n, n^2 times the weight, where e and n are those of a stretch of the ring.
type Moments = [f64; 6];

/// The sums of two stretches in a row: e and n add, so the moments follow by the binomial rule.
fn joined(a: &Moments, b: &Moments) -> Moments {
    [
        a[0] * b[0],
        a[1] * b[0] + a[0] * b[1],
        a[2] * b[0] + a[0] * b[2],
        a[3] * b[0] + 2.0 * a[1] * b[1] + a[0] * b[3],
        a[4] * b[0] + a[1] * b[2] + a[2] * b[1] + a[0] * b[4],
        a[5] * b[0] + 2.0 * a[2] * b[2] + a[0] * b[5],
    ]
}

/// A matrix of moments times exp(log).
#[derive(Clone)]
struct Transfer {
    width: usize,
    log: f64,
    entries: Vec<Moments>,
}

impl Transfer {
    fn times(&self, other: &Self) -> Self {
        let width = self.width;
        let mut entries = vec![[0.0; 6]; width * width];
        for i in 0..width {
            for j in 0..width {
                let left = &self.entries[i * width + j];
                for k in 0..width {
                    let product = joined(left, &other.entries[j * width + k]);
                    for (sum, p) in entries[i * width + k].iter_mut().zip(product) {
                        *sum += p;
                    }
                }
            }
        }
        let largest = entries.iter().fold(0.0, |l: f64, e| l.max(e[0]));
        entries.iter_mut().flatten().for_each(|v| *v /= largest);
        Self { width, log: self.log + other.log + largest.ln(), entries }
    }

    fn power(&self, mut exponent: usize) -> Self {
        let width = self.width;
        let mut identity = vec![[0.0; 6]; width * width];
        for i in 0..width {
            identity[i * width + i][0] = 1.0;
        }
        let (mut result, mut square) = (Self { width, log: 0.0, entries: identity }, self.clone());
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = result.times(&square);
            }
            exponent >>= 1;
            if exponent > 0 {
                square = square.times(&square);
            }
        }
        result
    }

    /// ln of the trace and the means of e, n, e^2, en, n^2.
    fn trace(&self) -> (f64, [f64; 5]) {
        let mut sums = [0.0; 6];
        for i in 0..self.width {
            for (sum, v) in sums.iter_mut().zip(self.entries[i * self.width + i]) {
                *sum += v;
            }
        }
        (self.log + sums[0].ln(), std::array::from_fn(|i| sums[i + 1] / sums[0]))
    }
}

/// Exact averages of a ring: a model on a chain with up to six shells, at least as long as its longest bond.
///
/// The state of the transfer matrix is the occupation of the last `shells` sites (H. A. Kramers and G. H. Wannier, Phys. Rev. 60, 252 (1941)).
/// A first pass finds the mean energy and occupation, a second one the fluctuations about them, so that no digits are lost in long rings.
pub fn ring(model: &PairModel, kt: f64, mu: f64) -> Result<ExactAverages, LatticeError> {
    let shells = model.shells().len();
    let length = model.sites();
    let is_ring = model.grid().basis() == 1
        && model.grid().dims()[0] == length
        && model.shells().iter().enumerate().all(|(k, s)| {
            s.neighbours[0].len() == 2
                && s.neighbours[0].iter().all(|n| n.cell[0].unsigned_abs() as usize == k + 1)
        });
    if !is_ring || shells > MOST_RING_SHELLS || length <= shells {
        return Err(LatticeError::TooManyStates { sites: length, limit_log2: super::MOST_STATES_LOG2 });
    }
    let width = 1usize << shells;
    let build = |shift_e: f64, shift_n: f64| {
        let mut entries = vec![[0.0; 6]; width * width];
        let mut steps = Vec::new();
        for state in 0..width {
            for next in 0..2usize {
                // Bit j of a state is the site j + 1 places back.
                let to = ((state << 1) | next) & (width - 1);
                let energy: f64 = (0..shells)
                    .map(|k| {
                        let back = state >> k & 1;
                        let product = match model.variables() {
                            Variables::Spin => {
                                if back == next {
                                    1.0
                                } else {
                                    -1.0
                                }
                            }
                            Variables::Occupation => (back * next) as f64,
                        };
                        model.shells()[k].energy * product
                    })
                    .sum();
                steps.push((state * width + to, energy, next as f64));
            }
        }
        let exponent = |e: f64, n: f64| (mu * n - e) / kt;
        let largest = steps.iter().map(|s| exponent(s.1, s.2)).fold(f64::NEG_INFINITY, f64::max);
        for (at, energy, n) in steps {
            let w = (exponent(energy, n) - largest).exp();
            let (e, n) = (energy - shift_e, n - shift_n);
            entries[at] = [w, w * e, w * n, w * e * e, w * e * n, w * n * n];
        }
        Transfer { width, log: largest, entries }
    };
    let size = length as f64;
    let (log, first) = build(0.0, 0.0).power(length).trace();
    let (energy, concentration) = (first[0] / size, first[1] / size);
    let (_, [de, dn, ee, en, nn]) = build(energy, concentration).power(length).trace();
    let (ee, en, nn) = (ee - de * de, en - de * dn, nn - dn * dn);
    Ok(ExactAverages {
        log_partition: log / size,
        concentration,
        energy,
        heat_capacity: (ee - 2.0 * mu * en + mu * mu * nn).max(0.0) / (kt * kt * size),
        variance: nn.max(0.0) / size,
        absolute_magnetisation: None,
        binder_cumulant: None,
    })
}
