//! Averages of many observables over blocks of bounded number.

use scalade_lattice::{Estimate, transient};
use scalade_numerics::{BlockedMean, blocked_mean, mean};

/// Blocks kept; when there are more, neighbours are joined.
const MOST_BLOCKS: usize = 1024;

/// Collects records of one width in blocks.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    block: u64,
    blocks: Vec<Vec<f64>>,
    open: Vec<f64>,
    opened: u64,
    records: u64,
}

impl Recorder {
    pub(super) fn new(width: usize) -> Self {
        Self { block: 1, blocks: Vec::new(), open: vec![0.0; width], opened: 0, records: 0 }
    }

    pub(super) fn records(&self) -> u64 {
        self.records
    }

    pub(super) fn add(&mut self, record: &[f64]) {
        for (open, value) in self.open.iter_mut().zip(record) {
            *open += value;
        }
        self.records += 1;
        self.opened += 1;
        if self.opened < self.block {
            return;
        }
        let scale = 1.0 / self.block as f64;
        self.blocks.push(self.open.iter().map(|v| v * scale).collect());
        self.open.fill(0.0);
        self.opened = 0;
        if self.blocks.len() == MOST_BLOCKS {
            let joined =
                |pair: &[Vec<f64>]| pair[0].iter().zip(&pair[1]).map(|(a, b)| 0.5 * (a + b)).collect();
            self.blocks = self.blocks.chunks_exact(2).map(joined).collect();
            self.block *= 2;
        }
    }

    /// What was recorded after the longest transient of the given columns; `None` below 16 blocks.
    pub(super) fn kept(&self, watched: impl Iterator<Item = usize>) -> Option<Kept<'_>> {
        if self.blocks.len() < 16 {
            return None;
        }
        let column = |k: usize| self.blocks.iter().map(|b| b[k]).collect::<Vec<f64>>();
        let cut = watched.map(|k| transient(&column(k))).max().unwrap_or(0);
        Some(Kept { blocks: &self.blocks[cut..], block: self.block, cut, all: self.blocks.len() })
    }
}

/// The blocks after the transient.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept<'a> {
    blocks: &'a [Vec<f64>],
    block: u64,
    cut: usize,
    all: usize,
}

impl Kept<'_> {
    pub(super) fn records(&self) -> u64 {
        self.blocks.len() as u64 * self.block
    }

    pub(super) fn discarded(&self) -> u64 {
        self.cut as u64 * self.block
    }

    /// Whether the transient ended before the middle of the run.
    pub(super) fn equilibrated(&self) -> bool {
        self.cut * 5 <= self.all * 2
    }

    pub(super) fn mean(&self, column: usize) -> f64 {
        mean(&self.blocks.iter().map(|b| b[column]).collect::<Vec<f64>>())
    }

    /// Mean of a linear function of the columns, with its blocking analysis.
    pub(super) fn blocked(&self, of: impl Fn(&[f64]) -> f64) -> (f64, BlockedMean) {
        let values: Vec<f64> = self.blocks.iter().map(|b| of(b)).collect();
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
