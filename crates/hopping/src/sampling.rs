//! Mean squared displacements in many windows of one run.
//!
//! A run is cut into blocks, a block into samples at equal times. For window lengths n = 1, 2, 4, ... samples,
//! M(n) = < dR dR^T >, once for single ions (tracer) and once for the sum over all ions divided by their number (collective). The
//! running diffusivity D(n) = [M(2n) - M(n)]/(2 n dt) is a slope: the constant that fast back-and-forth hops add to M drops
//! out. For reversible dynamics it falls monotonically to the diffusivity.
//!
//! The same function has a second, often quieter estimator. With the drift b (the sum over possible hops of rate times hop vector, a
//! function of the state; of all ions, or of those of one ion) the expected displacement from a state is the integral of the expected
//! drift, so that K(t) = < b(0) P(t) > = int_0^t < b(0) b(s) > ds and
//!
//! D(t) = (1/2N) dM/dt = D_uncorrelated - K(t)/N = D_uncorrelated - (1/2N) < [b(0) - b(t)] P(0, t) >,
//!
//! the last step by time reversal (b is even, P odd). The uncorrelated part is nearly free of noise, and only what correlations take away
//! fluctuates: without interactions the drift of all ions is zero and the estimate exact.
//!
//! For all ions together the last form is averaged over all overlapping windows. For single ions that would need every ion's past, so that
//! windows are joined instead: with samples b_k at times k dt and displacements p_l from sample l to l + 1,
//!
//! F(n) = < sum_{k <= l < n} b_k p_l > = sum_{m = 1}^n K(m dt),
//!
//! which holds for any dt. It is averaged with its time reversal, -sum_{l < k <= n} b_k p_l, and for two adjacent windows of n samples
//! F(2n) = 2 F(n) + < S_1 P_2 - P_1 S_2' >/2, with S_1 the sum of b_k over the first window without its last sample and S_2' over
//! the second without its first. The mean of D(t) over n dt < t <= 2n dt is D_uncorrelated - [F(2n) - F(n)]/n, which is what the
//! slope above estimates.

use crate::{Engine, HoppingError};

/// Upper triangle of a symmetric tensor: xx, yy, zz, xy, xz, yz.
pub type Symmetric = [f64; 6];
/// Index pairs of [`Symmetric`].
pub const PAIRS: [(usize, usize); 6] = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)];

/// Which motion is followed, and how its diffusivity is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Single ions, from mean squared displacements.
    IonSquares,
    /// Single ions, from the uncorrelated part and the drift of each.
    IonDrift,
    /// All ions together, from mean squared displacements.
    TotalSquares,
    /// All ions together, from the uncorrelated part and the drift.
    TotalDrift,
}

impl Kind {
    /// Number of kinds.
    pub const COUNT: usize = 4;

    /// Whether single ions are followed.
    pub fn is_tracer(self) -> bool {
        matches!(self, Self::IonSquares | Self::IonDrift)
    }
}

/// Running diffusivities and counts of one block.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Level of the shortest window of single ions: they are sampled every 2^level samples.
    pub first_ion_level: usize,
    /// M of single ions, square angstrom, for n = 2^level from `first_ion_level` on.
    pub tracer_msd: Vec<Symmetric>,
    /// Mean of K(t) of single ions over n dt < t <= 2n dt, for the same n, symmetrised, square angstrom per second.
    pub ion_loss: Vec<Symmetric>,
    /// M(2^level) of the total displacement over the number of ions, square angstrom.
    pub total_msd: Vec<Symmetric>,
    /// (1/2N) < [b(0) - b(n)] P(0, n) > for n = 2^level, symmetrised, square angstrom per second.
    pub total_loss: Vec<Symmetric>,
    /// Uncorrelated part sum over hops of d d^T/(2 N t), square angstrom per second.
    pub uncorrelated: Symmetric,
    /// Time between samples, s.
    pub interval_s: f64,
}

impl Block {
    /// Number of window lengths for which D(n) exists.
    pub fn levels(&self) -> usize {
        self.total_msd.len() - 1
    }

    /// Level of the shortest window.
    pub fn first_level(&self, kind: Kind) -> usize {
        if kind.is_tracer() { self.first_ion_level } else { 0 }
    }

    /// Running diffusivity at window length 2^level, from the first level of the kind on, square angstrom per second.
    pub fn running(&self, kind: Kind, level: usize) -> Symmetric {
        let index = level - self.first_level(kind);
        let less = |loss: &Symmetric| std::array::from_fn(|k| self.uncorrelated[k] - loss[k]);
        let slope = |msd: &[Symmetric]| {
            let scale = 1.0 / (2.0 * self.interval_s * (1u64 << level) as f64);
            std::array::from_fn(|k| scale * (msd[index + 1][k] - msd[index][k]))
        };
        match kind {
            Kind::IonSquares => slope(&self.tracer_msd),
            Kind::IonDrift => less(&self.ion_loss[index]),
            Kind::TotalSquares => slope(&self.total_msd),
            Kind::TotalDrift => less(&self.total_loss[index]),
        }
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

/// Adds (a b^T + b a^T)/2.
fn add_product(sum: &mut Symmetric, a: [f64; 3], b: [f64; 3]) {
    for (s, (i, j)) in sum.iter_mut().zip(PAIRS) {
        *s += 0.5 * (a[i] * b[j] + b[i] * a[j]);
    }
}

/// What is remembered of an ion at the start of a window.
#[derive(Clone, Copy, Debug)]
struct Mark {
    position: [f64; 3],
    /// Sum of the ion's drift over all samples before this one.
    before: [f64; 3],
    /// The same with this one.
    through: [f64; 3],
}

/// Windows of one length: the marks where the present window and the one before it began, and sums over ions and windows.
#[derive(Clone, Debug)]
struct Windows {
    present: Vec<Mark>,
    previous: Vec<Mark>,
    passed: usize,
    /// Sum of squared displacements.
    squares: Symmetric,
    /// Sum of (S_1 P_2 - P_1 S_2')/2 over pairs of adjacent windows.
    joints: Symmetric,
}

impl Windows {
    fn new(first: &[Mark]) -> Self {
        let none = Mark { position: [0.0; 3], before: [0.0; 3], through: [0.0; 3] };
        Self {
            present: first.to_vec(),
            previous: vec![none; first.len()],
            passed: 0,
            squares: [0.0; 6],
            joints: [0.0; 6],
        }
    }

    /// Ends the present window.
    fn end(&mut self, here: &[Mark]) {
        // Sums in locals: they stay in registers.
        let (mut squares, mut joints) = ([0.0; 6], [0.0; 6]);
        for ((previous, present), end) in self.previous.iter_mut().zip(&mut self.present).zip(here) {
            let moved = minus(end.position, present.position);
            let reversed = minus(previous.position, present.position);
            let earlier = minus(present.before, previous.before);
            let later = minus(end.through, present.through);
            for (k, (i, j)) in PAIRS.into_iter().enumerate() {
                squares[k] += moved[i] * moved[j];
                let forth = earlier[i] * moved[j] + earlier[j] * moved[i];
                joints[k] += forth + (later[i] * reversed[j] + later[j] * reversed[i]);
            }
            *previous = *present;
            *present = *end;
        }
        let pairs = self.passed > 0;
        for k in 0..PAIRS.len() {
            self.squares[k] += squares[k];
            // The first window has none before it.
            self.joints[k] += if pairs { 0.5 * joints[k] } else { 0.0 };
        }
        self.passed += 1;
    }

    fn mean_square(&self) -> Symmetric {
        let count = (self.present.len() * self.passed) as f64;
        self.squares.map(|v| v / count)
    }

    /// < S_1 P_2 - P_1 S_2' >/2.
    fn mean_joint(&self) -> Symmetric {
        let count = (self.present.len() * self.passed.saturating_sub(1)) as f64;
        self.joints.map(|v| 0.5 * v / count)
    }
}

/// Single ions in windows of all lengths.
pub(crate) struct IonWindows {
    levels: Vec<Windows>,
    here: Vec<Mark>,
    drifts: Vec<[f64; 3]>,
    /// Sum of (b_k - b_(k+1)) p_k/2.
    shortest: Symmetric,
    samples: usize,
}

impl IonWindows {
    /// Starts at the present state of an engine; with it comes the drift of all ions.
    fn new(engine: &mut impl Engine, levels: usize) -> (Self, [f64; 3]) {
        let mut drifts = Vec::new();
        let total = engine.drift(Some(&mut drifts));
        (Self::at(|ion| engine.displacement_angstrom(ion), drifts, levels), total)
    }

    /// Starts at given positions and drifts of the ions.
    pub(crate) fn at(position: impl Fn(usize) -> [f64; 3], drifts: Vec<[f64; 3]>, levels: usize) -> Self {
        let mark =
            |(ion, b): (usize, &[f64; 3])| Mark { position: position(ion), before: [0.0; 3], through: *b };
        let here: Vec<Mark> = drifts.iter().enumerate().map(mark).collect();
        let levels = vec![Windows::new(&here); levels];
        Self { levels, here, drifts, shortest: [0.0; 6], samples: 0 }
    }

    /// Takes the next sample: positions and drifts of the ions.
    pub(crate) fn next(&mut self, position: impl Fn(usize) -> [f64; 3], drift: impl Fn(usize) -> [f64; 3]) {
        for (ion, b) in self.drifts.iter_mut().enumerate() {
            *b = drift(ion);
        }
        self.take(position);
    }

    /// M of single ions by level.
    pub(crate) fn mean_squares(&self) -> Vec<Symmetric> {
        self.levels.iter().map(Windows::mean_square).collect()
    }

    /// Takes the next sample, of single ions too if they are due; returns the drift of all ions.
    fn sample(&mut self, engine: &mut impl Engine, ions_are_due: bool) -> [f64; 3] {
        if !ions_are_due {
            return engine.drift(None);
        }
        let total = engine.drift(Some(&mut self.drifts));
        self.take(|ion| engine.displacement_angstrom(ion));
        total
    }

    /// Takes the positions of a sample whose drifts are in place.
    fn take(&mut self, position: impl Fn(usize) -> [f64; 3]) {
        let mut shortest = [0.0; 6];
        for (ion, (mark, b)) in self.here.iter_mut().zip(&self.drifts).enumerate() {
            let position = position(ion);
            let change = minus(minus(mark.through, mark.before), *b);
            let moved = minus(position, mark.position);
            for (k, (i, j)) in PAIRS.into_iter().enumerate() {
                shortest[k] += change[i] * moved[j] + change[j] * moved[i];
            }
            mark.position = position;
            mark.before = mark.through;
            for (sum, v) in mark.through.iter_mut().zip(b) {
                *sum += v;
            }
        }
        for (sum, v) in self.shortest.iter_mut().zip(shortest) {
            *sum += 0.5 * v;
        }
        self.samples += 1;
        for (level, windows) in self.levels.iter_mut().enumerate() {
            if self.samples.is_multiple_of(1 << level) {
                windows.end(&self.here);
            }
        }
    }

    /// Mean of K(t) over n dt < t <= 2n dt, n = 2^level in samples of single ions: [F(2n) - F(n)]/n = [F(n) + joint]/n.
    pub(crate) fn losses(&self) -> Vec<Symmetric> {
        let count = 2.0 * (self.here.len() * self.samples) as f64;
        let mut sums = self.shortest.map(|v| v / count);
        let mut out = Vec::new();
        for (level, windows) in self.levels.iter().enumerate().filter(|w| w.1.passed > 1) {
            let joint = windows.mean_joint();
            let scale = 1.0 / (1u64 << level) as f64;
            out.push(std::array::from_fn(|k| scale * (sums[k] + joint[k])));
            sums = std::array::from_fn(|k| 2.0 * sums[k] + joint[k]);
        }
        out
    }
}

/// Samples per sample of single ions: following many ions of which few move costs more than moving them, and nothing is lost. At least
/// [`FEWEST_ION_SAMPLES`] are kept.
pub(crate) fn ion_stride_level(samples: usize, ions: usize, sites: usize) -> usize {
    let carriers = ions.min(sites.saturating_sub(ions)).max(1);
    let wanted = (ions / (2 * carriers)).max(1).ilog2();
    let most = (samples / FEWEST_ION_SAMPLES).max(1).ilog2();
    wanted.min(most) as usize
}

/// Samples of single ions in a block at least, where the block has as many.
const FEWEST_ION_SAMPLES: usize = 32;

/// Runs one block from the time `clock_s` (that of the engine or after it, before its next attempt), which is brought to the end of the block: an engine stops
/// short of a limit by a part of an attempt, and blocks that began there would lose that part of their time each. A block has `samples` (a power of two, at least 4) intervals of `interval_s` on a lattice of `sites` sites. Fails if more than `max_attempts` attempts are needed.
pub fn run_block(
    engine: &mut impl Engine,
    clock_s: &mut f64,
    samples: usize,
    interval_s: f64,
    max_attempts: u64,
    sites: usize,
) -> Result<Option<Block>, HoppingError> {
    let ions = engine.ions();
    let levels = samples.ilog2() as usize;
    let first_ion_level = ion_stride_level(samples, ions, sites);
    let (mut single, drift) = IonWindows::new(engine, levels - first_ion_level);
    let mut totals = Vec::with_capacity(samples + 1);
    totals.push(engine.total_displacement_angstrom());
    let mut drifts = Vec::with_capacity(samples + 1);
    drifts.push(drift);
    let squares = engine.squared_hops();
    let (start, attempts) = (*clock_s, engine.attempts());
    for k in 1..=samples {
        let used = engine.attempts() - attempts;
        let limit = start + interval_s * k as f64;
        if used >= max_attempts || !engine.run_until(limit, max_attempts - used)? {
            return Ok(None);
        }
        totals.push(engine.total_displacement_angstrom());
        drifts.push(single.sample(engine, k.is_multiple_of(1 << first_ion_level)));
    }
    *clock_s = start + interval_s * samples as f64;
    let tracer_msd = single.mean_squares();
    let total_msd = (0..levels).map(|level| overlapping(&totals, 1 << level, ions)).collect();
    let total_loss = (0..levels).map(|level| total_loss(&totals, &drifts, 1 << level, ions)).collect();
    let after = engine.squared_hops();
    let scale = 1.0 / (2.0 * ions as f64 * interval_s * samples as f64);
    let uncorrelated = PAIRS.map(|(i, j)| scale * (after[i][j] - squares[i][j]));
    let ion_loss = single.losses();
    Ok(Some(Block { first_ion_level, tracer_msd, ion_loss, total_msd, total_loss, uncorrelated, interval_s }))
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
fn total_loss(totals: &[[f64; 3]], drifts: &[[f64; 3]], window: usize, ions: usize) -> Symmetric {
    let mut sum = [0.0; 6];
    for k in window..totals.len() {
        add_product(&mut sum, minus(drifts[k - window], drifts[k]), minus(totals[k], totals[k - window]));
    }
    let count = ((totals.len() - window) * 2 * ions) as f64;
    sum.map(|v| v / count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{PairEnergy, lattice_gas};
    use crate::{
        FastEngine, Follow, GridNetwork, HopNetwork, HopShell, KraModel, RateParameters, exact_transport,
        random_occupation,
    };
    use scalade_crystal::SiteGrid;
    use scalade_numerics::{Philox, mean, variance};
    use scalade_units::constants::BOLTZMANN_EV;

    #[test]
    fn joined_windows_hold_the_double_sum() {
        let mut rng = Philox::new(5, 0, 0);
        let mut vector = || std::array::from_fn::<f64, 3, _>(|_| rng.uniform() - 0.5);
        let positions: Vec<[f64; 3]> = (0..3).map(|_| vector()).collect();
        let drifts: Vec<[f64; 3]> = (0..3).map(|_| vector()).collect();
        let first = Mark { position: positions[0], before: [0.0; 3], through: drifts[0] };
        let mut ions = IonWindows {
            levels: vec![Windows::new(&[first]); 2],
            here: vec![first],
            drifts: vec![drifts[0]],
            shortest: [0.0; 6],
            samples: 0,
        };
        for k in 1..3 {
            ions.drifts[0] = drifts[k];
            ions.take(|_| positions[k]);
        }
        // (F + F')/2 of the window of two samples and the mean over the windows of one, from the definition.
        let double = |from: usize, to: usize| {
            let mut sum = [0.0; 6];
            for l in from..to {
                let p = minus(positions[l + 1], positions[l]);
                (from..=l).for_each(|k| add_product(&mut sum, drifts[k], p));
                (l + 1..=to).for_each(|k| add_product(&mut sum, drifts[k].map(|v| -v), p));
            }
            sum.map(|v| 0.5 * v)
        };
        let (one, two, both) = (double(0, 1), double(1, 2), double(0, 2));
        let losses = ions.losses();
        assert_eq!(losses.len(), 1);
        for k in 0..6 {
            let expected = both[k] - 0.5 * (one[k] + two[k]);
            assert!((losses[0][k] - expected).abs() < 1e-15, "{} {expected}", losses[0][k]);
        }
    }

    #[test]
    fn every_estimator_agrees_with_the_master_equation() {
        let coupling = PairEnergy { distance_angstrom: 1.0, energy_ev: BOLTZMANN_EV * 300.0 };
        let h = lattice_gas([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], &[coupling]).unwrap();
        let network = HopNetwork::new(&h, HopShell::Nearest).unwrap();
        let network = GridNetwork::new(network, SiteGrid::new([3, 3, 3], 1).unwrap()).unwrap();
        let parameters =
            RateParameters { temperature_k: 300.0, prefactor_hz: (0.4 / (BOLTZMANN_EV * 300.0)).exp() };
        let model = KraModel::uniform(0.4);
        let mut rng = Philox::new(11, 0, 0);
        let occupied = random_occupation(27, 3, &mut rng).unwrap();
        let mut engine =
            FastEngine::new(&network, &h, &h.coefficients_ev, &model, &parameters, &occupied, rng).unwrap();
        engine.run_hops(10_000).unwrap();
        let (samples, interval) = (512, 0.4);
        let mut clock = engine.time_s();
        let blocks: Vec<Block> = (0..1000)
            .map(|_| run_block(&mut engine, &mut clock, samples, interval, 1 << 30, 27).unwrap().unwrap())
            .collect();
        let kinds = [
            (Kind::IonSquares, Follow::One, 0.8886740185),
            (Kind::IonDrift, Follow::One, 0.8886740185),
            (Kind::TotalSquares, Follow::All, f64::NAN),
            (Kind::TotalDrift, Follow::All, f64::NAN),
        ];
        for (kind, follow, tabled) in kinds {
            let exact =
                exact_transport(&network, &h, &h.coefficients_ev, &model, &parameters, 3, follow).unwrap();
            let exact = (0..3).map(|k| exact.diffusivity[k][k]).sum::<f64>();
            assert!(tabled.is_nan() || (exact / 3.0 - tabled).abs() < 1e-8, "{exact}");
            // Beyond the longest relaxation of so small a cell.
            for level in [2, 3] {
                let values: Vec<f64> = blocks.iter().map(|b| trace(&b.running(kind, level))).collect();
                let (value, error) = (mean(&values), (variance(&values) / values.len() as f64).sqrt());
                assert!((value - exact).abs() < 4.0 * error, "{kind:?} {level}: {value} {error} {exact}");
                assert!(error < 0.02 * exact, "{kind:?} {level}: {error}");
            }
        }
        // What the second estimator is for: less noise where correlations take little away.
        let noise = |kind: Kind| {
            variance(&blocks.iter().map(|b| trace(&b.running(kind, 3))).collect::<Vec<f64>>()).sqrt()
        };
        assert!(noise(Kind::IonDrift) < 0.5 * noise(Kind::IonSquares));
    }
}
