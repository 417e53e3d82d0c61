//! Means of many observables over blocks of records, bounded in number however long a run is.

/// Records of one width, averaged in blocks. When there are as many blocks as are kept, neighbours are joined and blocks become twice as long.
///
/// ```
/// use scalade_numerics::Blocks;
/// let mut blocks = Blocks::new(1, 4);
/// for n in 0..8 {
///     blocks.open()[0] += f64::from(n);
///     blocks.end_record();
/// }
/// assert_eq!((blocks.records(), blocks.len(), blocks.block()), (8, 2, 4));
/// assert_eq!(blocks.column(0, |b| b[0]), [1.5, 5.5]);
/// ```
#[derive(Clone, Debug)]
pub struct Blocks {
    width: usize,
    most: usize,
    block: u64,
    rows: Vec<f64>,
    open: Vec<f64>,
    opened: u64,
    records: u64,
}

impl Blocks {
    /// Blocks of `width` observables, fewer than `most` of them (an even number).
    pub fn new(width: usize, most: usize) -> Self {
        let (width, most) = (width.max(1), most.next_multiple_of(2).max(2));
        Self { width, most, block: 1, rows: Vec::new(), open: vec![0.0; width], opened: 0, records: 0 }
    }

    /// Sums of the block in progress: add the observables of a record here.
    pub fn open(&mut self) -> &mut [f64] {
        &mut self.open
    }

    /// Ends a record.
    pub fn end_record(&mut self) {
        self.records += 1;
        self.opened += 1;
        if self.opened < self.block {
            return;
        }
        let scale = 1.0 / self.block as f64;
        self.rows.extend(self.open.iter().map(|v| v * scale));
        self.open.fill(0.0);
        self.opened = 0;
        if self.len() == self.most {
            let width = self.width;
            let pairs = self.rows.chunks_exact(2 * width);
            self.rows = pairs.flat_map(|p| (0..width).map(|i| 0.5 * (p[i] + p[i + width]))).collect();
            self.block *= 2;
        }
    }

    /// Records ended.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Blocks kept.
    pub fn len(&self) -> usize {
        self.rows.len() / self.width
    }

    /// Whether no block is complete.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Records of a block.
    pub fn block(&self) -> u64 {
        self.block
    }

    /// A function of the observables for every block from number `from` on.
    pub fn column(&self, from: usize, of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        self.rows.chunks_exact(self.width).skip(from).map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_blocks_keep_the_mean_and_stay_few() {
        let mut blocks = Blocks::new(2, 8);
        assert!(blocks.is_empty());
        for n in 0..64 {
            blocks.open()[0] += f64::from(n);
            blocks.open()[1] -= 1.0;
            blocks.end_record();
            assert!(blocks.len() < 8);
        }
        let total: f64 = blocks.column(0, |b| b[0]).iter().sum::<f64>() / blocks.len() as f64;
        assert_eq!((total, blocks.len() as u64 * blocks.block(), blocks.records()), (31.5, 64, 64));
        assert!(blocks.column(1, |b| b[1]).iter().all(|v| *v == -1.0));
        assert_eq!(blocks.column(1, |b| b[0]).len(), blocks.len() - 1);
    }
}
