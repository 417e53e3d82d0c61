//! Mean squared displacements in many windows of one run.
//!
//! A run is cut into blocks, a block into samples at equal times. For window lengths n = 1, 2, 4, ... samples,
//! M(n) = < dR dR^T >, once for single ions (tracer) and once for the sum over all ions divided by their number (collective). The
//! running diffusivity D(n) = [M(2n) - M(n)]/(2 n dt) is a slope: the constant that fast back-and-forth hops add to M drops
//! out. For reversible dynamics it falls monotonically to the diffusivity.
//!
//! The same function has a second, quieter estimator for the collective motion. With the drift b (the sum over possible hops of rate times hop
//! vector, a function of the state) the expected displacement from a state is the integral of the expected drift, so that
//! < b(0) P(t) > = int_0^t < b(0) b(s) > ds and
//!
//! D(t) = (1/2N) dM/dt = D_uncorrelated - (1/N) < b(0) P(t) > = D_uncorrelated - (1/2N) < [b(0) - b(t)] P(0, t) >,
//!
//! the last step by time reversal (b is even, P odd). The uncorrelated part is nearly free of noise, and only what correlations take away
//! fluctuates: without interactions b is zero and the estimate exact.

use crate::{Engine, HoppingError};

/// Upper triangle of a symmetric tensor: xx, yy, zz, xy, xz, yz.
pub type Symmetric = [f64; 6];
/// Index pairs of [`Symmetric`].
pub const PAIRS: [(usize, usize); 6] = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)];

/// Which motion is followed, and how its diffusivity is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Single ions, from mean squared displacements.
    Tracer,
    /// All ions together, from mean squared displacements.
    Total,
    /// All ions together, from the uncorrelated part and the drift.
    Drift,
}

/// Running diffusivities and counts of one block.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// M(2^level) of single ions, square angstrom.
    pub tracer_msd: Vec<Symmetric>,
    /// M(2^level) of the total displacement over the number of ions, square angstrom.
    pub total_msd: Vec<Symmetric>,
    /// (1/2N) < [b(0) - b(n)] P(0, n) > for n = 2^level, symmetrised, square angstrom per second.
    pub drift_loss: Vec<Symmetric>,
    /// Uncorrelated part sum over hops of d d^T/(2 N t), square angstrom per second.
    pub uncorrelated: Symmetric,
    /// Time between samples, s.
    pub interval_s: f64,
}

impl Block {
    /// Number of window lengths for which D(n) exists.
    pub fn levels(&self) -> usize {
        self.tracer_msd.len() - 1
    }

    /// Running diffusivity at window length 2^level, square angstrom per second.
    pub fn running(&self, kind: Kind, level: usize) -> Symmetric {
        let msd = match kind {
            Kind::Tracer => &self.tracer_msd,
            Kind::Total => &self.total_msd,
            Kind::Drift => {
                return std::array::from_fn(|k| self.uncorrelated[k] - self.drift_loss[level][k]);
            }
        };
        let scale = 1.0 / (2.0 * self.interval_s * (1u64 << level) as f64);
        std::array::from_fn(|k| scale * (msd[level + 1][k] - msd[level][k]))
    }
}

/// Sum of the diagonal.
pub fn trace(tensor: &Symmetric) -> f64 {
    tensor[0] + tensor[1] + tensor[2]
}

/// The full tensor.
pub fn full(tensor: &Symmetric) -> [[f64; 3]; 3] {
    let mut out = [[0.0; 3]; 3];
    for (value, (i, j)) in tensor.iter().zip(PAIRS) {
        out[i][j] = *value;
        out[j][i] = *value;
    }
    out
}

fn add_square(sum: &mut Symmetric, v: [f64; 3]) {
    for (s, (i, j)) in sum.iter_mut().zip(PAIRS) {
        *s += v[i] * v[j];
    }
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// Runs one block of `samples` (a power of two, at least 4) intervals of `interval_s`. Fails if more than `max_attempts` attempts are needed.
pub fn run_block(
    engine: &mut impl Engine,
    samples: usize,
    interval_s: f64,
    max_attempts: u64,
) -> Result<Option<Block>, HoppingError> {
    let ions = engine.trajectory().ions();
    let levels = samples.ilog2() as usize;
    let mut marks = vec![Vec::new(); levels];
    let positions = |engine: &dyn Engine| -> Vec<[f64; 3]> {
        (0..ions).map(|i| engine.trajectory().displacement_angstrom(i)).collect()
    };
    let first = positions(engine);
    for mark in &mut marks {
        mark.clone_from(&first);
    }
    let mut tracer = vec![[0.0; 6]; levels];
    let mut totals = Vec::with_capacity(samples + 1);
    totals.push(engine.trajectory().total_displacement_angstrom());
    let mut drifts = Vec::with_capacity(samples + 1);
    drifts.push(engine.drift());
    let squares = engine.trajectory().squared_hops();
    let (start, attempts) = (engine.time_s(), engine.attempts());
    for k in 1..=samples {
        let used = engine.attempts() - attempts;
        let limit = start + interval_s * k as f64;
        if used >= max_attempts || !engine.run_until(limit, max_attempts - used)? {
            return Ok(None);
        }
        totals.push(engine.trajectory().total_displacement_angstrom());
        drifts.push(engine.drift());
        let here = positions(engine);
        for (level, mark) in marks.iter_mut().enumerate().filter(|m| k.is_multiple_of(1 << m.0)) {
            for (old, new) in mark.iter_mut().zip(&here) {
                add_square(&mut tracer[level], minus(*new, *old));
                *old = *new;
            }
        }
    }
    for (level, sum) in tracer.iter_mut().enumerate() {
        let count = (ions * (samples >> level)) as f64;
        for v in sum {
            *v /= count;
        }
    }
    let total_msd = (0..levels).map(|level| overlapping(&totals, 1 << level, ions)).collect();
    let drift_loss = (0..levels).map(|level| drift_loss(&totals, &drifts, 1 << level, ions)).collect();
    let after = engine.trajectory().squared_hops();
    let scale = 1.0 / (2.0 * ions as f64 * interval_s * samples as f64);
    let uncorrelated = PAIRS.map(|(i, j)| scale * (after[i][j] - squares[i][j]));
    Ok(Some(Block { tracer_msd: tracer, total_msd, drift_loss, uncorrelated, interval_s }))
}

/// M(n) of the total displacement over all overlapping windows.
fn overlapping(totals: &[[f64; 3]], window: usize, ions: usize) -> Symmetric {
    let mut sum = [0.0; 6];
    for k in window..totals.len() {
        add_square(&mut sum, minus(totals[k], totals[k - window]));
    }
    let count = ((totals.len() - window) * ions) as f64;
    sum.map(|v| v / count)
}

/// (1/2N) < [b(0) - b(n)] P(0, n) > over all overlapping windows, symmetrised.
fn drift_loss(totals: &[[f64; 3]], drifts: &[[f64; 3]], window: usize, ions: usize) -> Symmetric {
    let mut sum = [0.0; 6];
    for k in window..totals.len() {
        let p = minus(totals[k], totals[k - window]);
        let b = minus(drifts[k - window], drifts[k]);
        for (s, (i, j)) in sum.iter_mut().zip(PAIRS) {
            *s += 0.5 * (b[i] * p[j] + b[j] * p[i]);
        }
    }
    let count = ((totals.len() - window) * 2 * ions) as f64;
    sum.map(|v| v / count)
}
