//! The same protocol on many cells, in parallel.

use crate::error::CellError;
use crate::options::DfnOptions;
use crate::parameters::ParameterSet;
use crate::protocol::Protocol;
use crate::run::solve;
use crate::solution::DfnSolution;
use rayon::prelude::*;

/// Most threads that are started.
const MOST_THREADS: usize = 512;

/// Solves `protocol` for each of `cells` as [`solve`] does, on `threads` threads (0: as many as there are cores). The
/// results are in the order of the cells, an error in one leaves the others alone, and every bit is that of
/// one run after the other, whatever the number of threads.
///
/// For sweeps of the single-particle model with electrolyte and of the Doyle-Fuller-Newman model
/// [`DfnOptions::draft`] is meant: see there for its accuracy.
///
/// ```
/// use scalade_cell::{DfnOptions, ModelKind, ParameterSet, Protocol, solve_batch};
/// let base = ParameterSet::chen2020()?;
/// let cells: Vec<ParameterSet> = (0..8)
///     .map(|k| {
///         let mut cell = base.clone();
///         cell.positive.material.particle_radius_m *= 0.9 + 0.025 * f64::from(k);
///         cell
///     })
///     .collect();
/// let options = DfnOptions { model: ModelKind::Spme, ..DfnOptions::draft() };
/// let runs = solve_batch(&cells, &Protocol::discharge(1.0, 2.5), &options, &[600.0], 2);
/// let voltage = |k: usize| runs[k].as_ref().map(|run| run.voltage_v[0]);
/// assert!(voltage(7).ok() < voltage(0).ok());
/// # Ok::<(), scalade_cell::CellError>(())
/// ```
///
/// # Errors
/// Of each cell those of [`solve`].
pub fn solve_batch(
    cells: &[ParameterSet],
    protocol: &Protocol,
    options: &DfnOptions,
    output_times: &[f64],
    threads: usize,
) -> Vec<Result<DfnSolution, CellError>> {
    in_parallel(cells.len(), threads, |k| solve(&cells[k], protocol, options, output_times))
}

/// As [`solve_batch`] for `count` cells that `cell` makes from their numbers, so that only those being solved are
/// held.
///
/// # Errors
/// Of each cell those of `cell` and of [`solve`].
pub fn solve_variations(
    count: usize,
    cell: impl Fn(usize) -> Result<ParameterSet, CellError> + Sync,
    protocol: &Protocol,
    options: &DfnOptions,
    output_times: &[f64],
    threads: usize,
) -> Vec<Result<DfnSolution, CellError>> {
    in_parallel(count, threads, |k| solve(&cell(k)?, protocol, options, output_times))
}

/// Results of `member` for 0 to `count` - 1, in this order.
fn in_parallel<T: Send>(count: usize, threads: usize, member: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let one_by_one = || (0..count).map(&member).collect();
    let wanted =
        if threads == 0 { std::thread::available_parallelism().map_or(1, usize::from) } else { threads };
    let threads = wanted.min(count).min(MOST_THREADS);
    if threads < 2 {
        return one_by_one();
    }
    // Where the system gives no threads, the calling one does all the work.
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_or_else(
        |_| one_by_one(),
        |pool| pool.install(|| (0..count).into_par_iter().map(&member).collect()),
    )
}
