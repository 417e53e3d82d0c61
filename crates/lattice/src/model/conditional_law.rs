//! The conditional distribution of a site given the counts around it, drawn for 64 lanes at once.

use super::counted::Counted;
use crate::metropolis::Words;

/// Most bit planes of the counts of one site.
pub(super) const MOST_PLANES: usize = 96;
/// Most planes for which combinations are told apart by masks.
pub(super) const MASK_PLANES: usize = 5;
/// Most planes for which there is a table of all combinations.
pub(super) const MOST_TABLE_PLANES: usize = 20;
/// Most planes of one of the tables that are summed.
const SUM_PLANES: usize = 11;
/// Random bits with which a lane is decided first.
const FIRST_BITS: u32 = 12;

/// P(occupied) = 1/(1 + exp(gap/kT)), with the gap taken less the chemical potential.
#[derive(Clone, Debug)]
pub(super) enum Law {
    /// Used combinations of counts, and for each bit of the thresholds (most significant first) a mask per combination.
    Masks { used: Vec<usize>, bits: Vec<u64> },
    /// Threshold by index.
    Table(Vec<u32>),
    /// Parts of gap/kT that are summed: planes of each part, and its values by index.
    Sums { parts: Vec<(usize, Vec<f64>)>, logits: Vec<f64> },
}

/// Counts by class of an index into `planes` bits a class; `None` where a count is beyond the number of clusters.
fn counts_of(mut index: usize, planes: &[usize], around: &[usize]) -> Option<Vec<usize>> {
    let counts: Vec<usize> = planes
        .iter()
        .map(|planes| {
            let count = index & ((1 << planes) - 1);
            index >>= planes;
            count
        })
        .collect();
    counts.iter().zip(around).all(|(n, z)| n <= z).then_some(counts)
}

impl Law {
    /// The law of a sublattice with `planes` bits for the count of each class.
    pub(super) fn new<M: Counted + ?Sized>(
        model: &M,
        sublattice: usize,
        planes: &[usize],
        kt: f64,
        mu: f64,
    ) -> Self {
        let total: usize = planes.iter().sum();
        let around = model.coordination(sublattice);
        if total > MOST_TABLE_PLANES {
            return Self::sums(model, sublattice, planes, &around, kt, mu);
        }
        let probability: Vec<Option<f64>> = (0..1usize << total)
            .map(|index| {
                counts_of(index, planes, &around)
                    .map(|counts| 1.0 / (1.0 + ((model.gap(sublattice, &counts) - mu) / kt).exp()))
            })
            .collect();
        if total > MASK_PLANES {
            let threshold = |p: &Option<f64>| (threshold_64(p.unwrap_or(0.0)) >> 32) as u32;
            return Self::Table(probability.iter().map(threshold).collect());
        }
        let used: Vec<usize> = (0..probability.len()).filter(|i| probability[*i].is_some()).collect();
        let thresholds: Vec<u64> =
            used.iter().map(|i| threshold_64(probability[*i].unwrap_or(0.0))).collect();
        let bits = (0..64)
            .rev()
            .flat_map(|bit| thresholds.iter().map(move |t| 0u64.wrapping_sub(t >> bit & 1)))
            .collect();
        Self::Masks { used, bits }
    }

    /// The gap is a sum over classes, so that few small tables give it.
    fn sums<M: Counted + ?Sized>(
        model: &M,
        sublattice: usize,
        planes: &[usize],
        around: &[usize],
        kt: f64,
        mu: f64,
    ) -> Self {
        let mut counts = vec![0; planes.len()];
        let base = model.gap(sublattice, &counts);
        let mut parts = Vec::new();
        let mut first = 0;
        while first < planes.len() {
            let mut last = first;
            let mut bits = 0;
            while last < planes.len() && (last == first || bits + planes[last] <= SUM_PLANES) {
                bits += planes[last];
                last += 1;
            }
            let values = (0..1usize << bits)
                .map(|index| {
                    let Some(own) = counts_of(index, &planes[first..last], &around[first..last]) else {
                        return 0.0;
                    };
                    counts[first..last].copy_from_slice(&own);
                    let gap = model.gap(sublattice, &counts) - base;
                    counts[first..last].fill(0);
                    let once = if first == 0 { base - mu } else { 0.0 };
                    (gap + once) / kt
                })
                .collect();
            parts.push((bits, values));
            first = last;
        }
        let steps = 1u32 << FIRST_BITS;
        let logits = (0..=steps).map(|h| logit(f64::from(h) / f64::from(steps))).collect();
        Self::Sums { parts, logits }
    }

    /// Whether a draw costs several times one by masks.
    pub(super) fn is_costly(planes: &[usize]) -> bool {
        planes.iter().sum::<usize>() > MASK_PLANES
    }

    /// Occupied lanes, drawn with the counts in `planes`.
    #[inline]
    pub(super) fn draw(&self, planes: &[u64], random: &mut Words) -> u64 {
        match self {
            Self::Masks { used, bits } => draw_masks(planes, used, bits, random),
            Self::Table(table) => draw_table(planes, table, random),
            Self::Sums { parts, logits } => draw_sums(planes, parts, logits, random),
        }
    }
}

/// ln((1 - u)/u): u is below 1/(1 + exp(x)) exactly where x is below it.
fn logit(u: f64) -> f64 {
    ((1.0 - u) / u).ln()
}

/// Lanes whose uniform number is below the threshold of their combination.
#[inline]
fn draw_masks(planes: &[u64], used: &[usize], bits: &[u64], random: &mut Words) -> u64 {
    let mut combinations = [0u64; 1 << MASK_PLANES];
    combinations[0] = !0;
    let mut count = 1;
    for plane in planes {
        for c in 0..count {
            combinations[c + count] = combinations[c] & plane;
            combinations[c] &= !plane;
        }
        count *= 2;
    }
    let mut chosen = [0u64; 1 << MASK_PLANES];
    for (out, index) in chosen.iter_mut().zip(used) {
        *out = combinations[*index];
    }
    let chosen = &chosen[..used.len()];
    let (mut below, mut undecided) = (0u64, !0u64);
    for masks in bits.chunks_exact(used.len()) {
        let threshold = chosen.iter().zip(masks).fold(0, |t, (c, m)| t | (c & m));
        let [a, b] = random.pair();
        let uniform = u64::from(a) | u64::from(b) << 32;
        below |= undecided & threshold & !uniform;
        undecided &= !(threshold ^ uniform);
        if undecided == 0 {
            break;
        }
    }
    below
}

/// The index of each lane that up to 32 planes form, the first plane its lowest bit.
#[inline]
fn indices(planes: &[u64]) -> [u32; 64] {
    let mut index = [0u32; 64];
    for (eight, of) in planes.chunks(8).enumerate() {
        for group in 0..8 {
            let square = of
                .iter()
                .enumerate()
                .fold(0u64, |s, (p, plane)| s | (plane >> (8 * group) & 0xff) << (8 * p));
            let bytes = transpose_8x8(square).to_le_bytes();
            for (slot, byte) in index[8 * group..8 * group + 8].iter_mut().zip(bytes) {
                *slot |= u32::from(byte) << (8 * eight);
            }
        }
    }
    index
}

/// The same with a table: 16 random bits per lane, 16 more where they tie.
#[inline]
fn draw_table(planes: &[u64], table: &[u32], random: &mut Words) -> u64 {
    let index = indices(planes);
    let mut out = 0u64;
    for four in 0..16 {
        let [a, b] = random.pair();
        let quarters = [a as u16, (a >> 16) as u16, b as u16, (b >> 16) as u16];
        for (q, high) in quarters.into_iter().enumerate() {
            let lane = 4 * four + q;
            let threshold = table[index[lane] as usize];
            let below = if u32::from(high) == threshold >> 16 {
                (random.pair()[0] & 0xffff) < threshold & 0xffff
            } else {
                u32::from(high) < threshold >> 16
            };
            out |= u64::from(below) << lane;
        }
    }
    out
}

/// Sums the parts of gap/kT of each lane and compares with the logit of a uniform number: 12 bits decide but for one lane in some thousands,
/// which gets 32 more.
#[inline]
fn draw_sums(planes: &[u64], parts: &[(usize, Vec<f64>)], logits: &[f64], random: &mut Words) -> u64 {
    let mut gaps = [0.0f64; 64];
    let mut first = 0;
    for (bits, values) in parts {
        let index = indices(&planes[first..first + bits]);
        for (gap, i) in gaps.iter_mut().zip(index) {
            *gap += values[i as usize];
        }
        first += bits;
    }
    let mut out = 0u64;
    for four in 0..16 {
        let [a, b] = random.pair();
        let quarters = [a as u16, (a >> 16) as u16, b as u16, (b >> 16) as u16];
        for (q, word) in quarters.into_iter().enumerate() {
            let lane = 4 * four + q;
            let high = usize::from(word >> (16 - FIRST_BITS));
            // The uniform number lies between high and high + 1 in units of 2^-12, where the logit falls.
            let below = if gaps[lane] < logits[high + 1] {
                true
            } else if gaps[lane] >= logits[high] {
                false
            } else {
                let rest = (f64::from(random.pair()[0]) + 0.5) / 4_294_967_296.0;
                gaps[lane] < logit((high as f64 + rest) / f64::from(1u32 << FIRST_BITS))
            };
            out |= u64::from(below) << lane;
        }
    }
    out
}
/// floor(p 2^64), at most 2^64 - 1.
fn threshold_64(p: f64) -> u64 {
    // The cast saturates.
    (p * 18_446_744_073_709_551_616.0) as u64
}

/// Rows and columns of a square of 8 x 8 bits exchanged (H. S. Warren, Hacker's Delight, 7-3).
pub(super) fn transpose_8x8(mut x: u64) -> u64 {
    let mut t = (x ^ (x >> 7)) & 0x00aa_00aa_00aa_00aa;
    x ^= t ^ (t << 7);
    t = (x ^ (x >> 14)) & 0x0000_cccc_0000_cccc;
    x ^= t ^ (t << 14);
    t = (x ^ (x >> 28)) & 0x0000_0000_f0f0_f0f0;
    x ^ t ^ (t << 28)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_and_transposition() {
        assert_eq!(threshold_64(0.5), 1 << 63);
        assert_eq!(threshold_64(1.0), u64::MAX);
        assert_eq!(threshold_64(0.0), 0);
        let x = 0x0123_4567_89ab_cdef_u64;
        assert_eq!(transpose_8x8(transpose_8x8(x)), x);
        assert_eq!(transpose_8x8(0b10), 1 << 8);
    }
}
