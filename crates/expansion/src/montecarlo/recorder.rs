//! What a run recorded after its transient.

use scalade_lattice::{Estimate, transient};
use scalade_numerics::{BlockedMean, Blocks, blocked_mean, mean};

/// Blocks below which nothing is told.
const FEWEST_BLOCKS: usize = 16;

/// The blocks after the transient.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept<'a> {
    blocks: &'a Blocks,
    cut: usize,
}

impl<'a> Kept<'a> {
    /// What follows the longest transient of the given columns; `None` below 16 blocks.
    pub(super) fn of(blocks: &'a Blocks, watched: impl Iterator<Item = usize>) -> Option<Self> {
        if blocks.len() < FEWEST_BLOCKS {
            return None;
        }
        let cut = watched.map(|k| transient(&blocks.column(0, |b| b[k]))).max().unwrap_or(0);
        Some(Self { blocks, cut })
    }

    pub(super) fn records(&self) -> u64 {
        (self.blocks.len() - self.cut) as u64 * self.blocks.block()
    }

    pub(super) fn discarded(&self) -> u64 {
        self.cut as u64 * self.blocks.block()
    }

    /// Whether the transient ended before the middle of the run.
    pub(super) fn equilibrated(&self) -> bool {
        self.cut * 2 < self.blocks.len() - self.blocks.len() / 20
    }

    pub(super) fn mean(&self, column: usize) -> f64 {
        mean(&self.blocks.column(self.cut, |b| b[column]))
    }

    /// Mean of a linear function of the columns, with its blocking analysis.
    pub(super) fn blocked(&self, of: impl Fn(&[f64]) -> f64) -> (f64, BlockedMean) {
        let values = self.blocks.column(self.cut, of);
        (mean(&values), blocked_mean(&values))
    }

    pub(super) fn estimate(&self, of: impl Fn(&[f64]) -> f64) -> Estimate {
        let (value, blocked) = self.blocked(of);
        Estimate { value, error: blocked.standard_error }
    }

    /// Integrated autocorrelation time in records, from the error against that of independent blocks (1/2 if uncorrelated).
    pub(super) fn autocorrelation_time(&self, column: usize, variance: f64) -> f64 {
        let (_, blocked) = self.blocked(|b| b[column]);
        if variance <= 0.0 {
            return 0.5;
        }
        let independent = variance / self.records() as f64;
        (0.5 * blocked.standard_error.powi(2) / independent).max(0.5)
    }
}
