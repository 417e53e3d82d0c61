//! Displacements of several species in many windows of one run: the estimators of [`crate::sampling`] for each species and for pairs of them.
//!
//! For two species with the drifts b and the sums of displacements P over a window,
//!
//! L_ab(t) = U_ab - (1/2N) < [b_a(0) - b_a(t)] P_b(0, t)^T >, U_ab = (1/2Nt) sum over events d_a d_b^T,
//!
//! beside the slope of < P_a P_b^T >/2N; both averaged with the transpose of their partner (a and b exchanged), which is the same for reversible dynamics.

use super::engine::SpeciesEngine;
use crate::HoppingError;
use crate::sampling::{Block, IonWindows, PAIRS, Symmetric, ion_stride_level};
use scalade_crystal::Matrix3;

/// A species that is followed.
pub(super) struct Followed {
    /// Its number.
    pub species: usize,
    /// Its atoms.
    pub atoms: Vec<u32>,
    /// Projector on the directions along which it can go far.
    pub projector: Matrix3,
    /// Atoms of it beside which there are vacancies, about.
    pub carriers: usize,
}

/// Running cross coefficients of two species.
pub(super) struct Cross {
    /// < P_a P_b^T >/N by level, square angstrom.
    pub msd: Vec<Matrix3>,
    /// (1/2N) < [b(0) - b(t)] P^T > by level, square angstrom per second.
    pub loss: Vec<Matrix3>,
    /// Uncorrelated part, square angstrom per second.
    pub uncorrelated: Matrix3,
    /// Time between samples, s.
    pub interval_s: f64,
}

impl Cross {
    /// Running coefficient at window 2^level samples, from displacements or from the drift, square angstrom per second.
    pub fn running(&self, from_drift: bool, level: usize) -> Matrix3 {
        let scale = 1.0 / (2.0 * self.interval_s * (1u64 << level) as f64);
        std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                if from_drift {
                    self.uncorrelated[i][j] - self.loss[level][i][j]
                } else {
                    scale * (self.msd[level + 1][i][j] - self.msd[level][i][j])
                }
            })
        })
    }
}

/// One block of a run.
pub(super) struct SpeciesBlock {
    /// By species followed: single atoms, and beside them the sum over the square root of the number of sites, with the uncorrelated part of single atoms.
    pub tracer: Vec<Block>,
    /// The same with the uncorrelated part of the sum.
    pub collective: Vec<Block>,
    /// By pairs of species followed, (0, 1), (0, 2), ..., (1, 2), ...
    pub cross: Vec<Cross>,
}

fn projected(projector: &Matrix3, v: [f64; 3]) -> [f64; 3] {
    // The projector is symmetric.
    std::array::from_fn(|i| projector[i][0] * v[0] + projector[i][1] * v[1] + projector[i][2] * v[2])
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// Mean of x y^T over windows, with x and y told by the first and last sample.
fn mean_product(
    samples: usize,
    window: usize,
    x: impl Fn(usize, usize) -> [f64; 3],
    y: impl Fn(usize, usize) -> [f64; 3],
) -> Matrix3 {
    let mut sum = [[0.0; 3]; 3];
    for end in window..=samples {
        let (p, q) = (x(end - window, end), y(end - window, end));
        for i in 0..3 {
            for j in 0..3 {
                sum[i][j] += p[i] * q[j];
            }
        }
    }
    let count = (samples + 1 - window) as f64;
    sum.map(|row| row.map(|v| v / count))
}

fn scaled(m: Matrix3, by: f64) -> Matrix3 {
    m.map(|row| row.map(|v| by * v))
}

/// (a + b^T)/2.
fn with_transpose(a: &Matrix3, b: &Matrix3) -> Matrix3 {
    std::array::from_fn(|i| std::array::from_fn(|j| 0.5 * (a[i][j] + b[j][i])))
}

fn symmetric(m: &Matrix3) -> Symmetric {
    PAIRS.map(|(i, j)| 0.5 * (m[i][j] + m[j][i]))
}

/// The sums of displacements and drifts of the species followed, sample by sample.
struct Series {
    positions: Vec<Vec<[f64; 3]>>,
    drifts: Vec<Vec<[f64; 3]>>,
}

impl Series {
    fn add(&mut self, engine: &SpeciesEngine<'_>, followed: &[Followed], drift: &[[f64; 3]]) {
        let totals = engine.collective_displacements_angstrom();
        for (k, f) in followed.iter().enumerate() {
            self.positions[k].push(projected(&f.projector, totals[f.species]));
            self.drifts[k].push(projected(&f.projector, drift[f.species]));
        }
    }

    /// < P_a P_b^T >.
    fn squares(&self, a: usize, b: usize, samples: usize, window: usize) -> Matrix3 {
        let p =
            |k: usize| move |from: usize, to: usize| minus(self.positions[k][to], self.positions[k][from]);
        let (one, other) =
            (mean_product(samples, window, p(a), p(b)), mean_product(samples, window, p(b), p(a)));
        with_transpose(&one, &other)
    }

    /// < [b_a(0) - b_a(t)] P_b^T >, averaged with its partner.
    fn losses(&self, a: usize, b: usize, samples: usize, window: usize) -> Matrix3 {
        let p =
            |k: usize| move |from: usize, to: usize| minus(self.positions[k][to], self.positions[k][from]);
        let fall = |k: usize| move |from: usize, to: usize| minus(self.drifts[k][from], self.drifts[k][to]);
        let one = mean_product(samples, window, fall(a), p(b));
        let other = mean_product(samples, window, fall(b), p(a));
        with_transpose(&one, &other)
    }
}

/// Sums over events made of d_a d_b^T for the species followed, and of d d^T of their single atoms.
fn event_squares(
    engine: &SpeciesEngine<'_>,
    before: &[[u64; 2]],
    followed: &[Followed],
) -> (Vec<Vec<Matrix3>>, Vec<Matrix3>) {
    let mut sums = vec![vec![[[0.0; 3]; 3]; followed.len()]; followed.len()];
    let mut single = vec![[[0.0; 3]; 3]; followed.len()];
    let add = |sum: &mut Matrix3, n: f64, p: [f64; 3], q: [f64; 3]| {
        for i in 0..3 {
            for j in 0..3 {
                sum[i][j] += n * p[i] * q[j];
            }
        }
    };
    for ((_, _, moves), (now, then)) in
        engine.model().events().zip(engine.events_by_type().iter().zip(before))
    {
        let n = (now[0] + now[1] - then[0] - then[1]) as f64;
        if n == 0.0 {
            continue;
        }
        let mut totals = vec![[0.0; 3]; followed.len()];
        for m in moves {
            let Some(k) = followed.iter().position(|f| f.species == m.species) else { continue };
            let v = projected(&followed[k].projector, m.vector_angstrom);
            add(&mut single[k], n, v, v);
            for (sum, c) in totals[k].iter_mut().zip(v) {
                *sum += c;
            }
        }
        for a in 0..followed.len() {
            for b in 0..followed.len() {
                add(&mut sums[a][b], n, totals[a], totals[b]);
            }
        }
    }
    (sums, single)
}

/// Runs one block from the time of the engine: `samples` (a power of two, at least 4) intervals of `interval_s`. None if more than `most` events are needed.
pub(super) fn run_block(
    engine: &mut SpeciesEngine<'_>,
    followed: &[Followed],
    samples: usize,
    interval_s: f64,
    most: u64,
) -> Result<Option<SpeciesBlock>, HoppingError> {
    let levels = samples.ilog2() as usize;
    let mut by_atom = Vec::new();
    let drift = engine.drift(Some(&mut by_atom));
    let strides: Vec<usize> = followed
        .iter()
        .map(|f| ion_stride_level(samples, f.atoms.len(), f.atoms.len() + f.carriers))
        .collect();
    let mut windows: Vec<IonWindows> = followed
        .iter()
        .zip(&strides)
        .map(|(f, stride)| {
            let drifts = f.atoms.iter().map(|a| projected(&f.projector, by_atom[*a as usize])).collect();
            let position =
                |k: usize| projected(&f.projector, engine.displacement_angstrom(f.atoms[k] as usize));
            IonWindows::at(position, drifts, levels - stride)
        })
        .collect();
    let none = || vec![Vec::with_capacity(samples + 1); followed.len()];
    let mut series = Series { positions: none(), drifts: none() };
    series.add(engine, followed, &drift);
    let (start, events, made) = (engine.time_s(), engine.events(), engine.events_by_type().to_vec());
    for k in 1..=samples {
        let used = engine.events() - events;
        if used >= most || !engine.run_until(start + interval_s * k as f64, most - used)? {
            return Ok(None);
        }
        let due: Vec<bool> = strides.iter().map(|s| k.is_multiple_of(1 << s)).collect();
        let drift = if due.contains(&true) { engine.drift(Some(&mut by_atom)) } else { engine.drift(None) };
        series.add(engine, followed, &drift);
        for ((f, window), _) in followed.iter().zip(&mut windows).zip(&due).filter(|w| *w.1) {
            let place = |n: usize| projected(&f.projector, engine.displacement_angstrom(f.atoms[n] as usize));
            window.next(place, |n| projected(&f.projector, by_atom[f.atoms[n] as usize]));
        }
    }
    let squares = event_squares(engine, &made, followed);
    Ok(Some(gathered(engine, followed, &windows, &strides, &series, &squares, (samples, interval_s))))
}

fn gathered(
    engine: &SpeciesEngine<'_>,
    followed: &[Followed],
    windows: &[IonWindows],
    strides: &[usize],
    series: &Series,
    (sums, single): &(Vec<Vec<Matrix3>>, Vec<Matrix3>),
    (samples, interval_s): (usize, f64),
) -> SpeciesBlock {
    let levels = samples.ilog2() as usize;
    let sites = engine.model().mobile_sites() as f64;
    let time = interval_s * samples as f64;
    let (mut tracer, mut collective, mut cross) = (Vec::new(), Vec::new(), Vec::new());
    for (a, f) in followed.iter().enumerate() {
        let by_level = |of: &dyn Fn(usize) -> Matrix3, scale: f64| -> Vec<Symmetric> {
            (0..levels).map(|level| symmetric(&scaled(of(1 << level), scale))).collect()
        };
        let block = Block {
            first_ion_level: strides[a],
            tracer_msd: windows[a].mean_squares(),
            ion_loss: windows[a].losses(),
            total_msd: by_level(&|w| series.squares(a, a, samples, w), 1.0 / sites),
            total_loss: by_level(&|w| series.losses(a, a, samples, w), 0.5 / sites),
            uncorrelated: symmetric(&scaled(sums[a][a], 0.5 / (sites * time))),
            interval_s,
        };
        let atoms = f.atoms.len() as f64;
        let uncorrelated = symmetric(&scaled(single[a], 0.5 / (atoms * time)));
        tracer.push(Block { uncorrelated, ..block.clone() });
        collective.push(block);
        for b in a + 1..followed.len() {
            let by_level = |of: &dyn Fn(usize) -> Matrix3, scale: f64| -> Vec<Matrix3> {
                (0..levels).map(|level| scaled(of(1 << level), scale)).collect()
            };
            cross.push(Cross {
                msd: by_level(&|w| series.squares(a, b, samples, w), 1.0 / sites),
                loss: by_level(&|w| series.losses(a, b, samples, w), 0.5 / sites),
                uncorrelated: scaled(sums[a][b], 0.5 / (sites * time)),
                interval_s,
            });
        }
    }
    SpeciesBlock { tracer, collective, cross }
}
