//! Counter-based random numbers: Philox4x32-10.
//!
//! J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11 (2011).
//! A stream is named by (seed, stream, replica); its numbers depend on nothing else, so results are the same for any
//! number of threads and any order of work.

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
/// Blocks made side by side.
const LANES: usize = 4;

/// The bijection itself: ten rounds on one 128-bit counter with a 64-bit key.
#[inline]
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let a = u64::from(MULTIPLIERS[0]) * u64::from(counter[0]);
        let b = u64::from(MULTIPLIERS[1]) * u64::from(counter[2]);
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
    }
    counter
}

mod four;

/// A random stream with a buffer of one block (four words). Cloning copies the position.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Philox {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
    used: u8,
}

impl Philox {
    /// The stream `(seed, stream, replica)`: the seed is the key, stream and replica are the upper half of the
    /// counter, so that each stream holds 2^64 blocks and no two streams overlap.
    pub fn new(seed: u64, stream: u32, replica: u32) -> Self {
        Self {
            key: [seed as u32, (seed >> 32) as u32],
            counter: [0, 0, stream, replica],
            block: [0; 4],
            used: 4,
        }
    }

    /// 32 random bits.
    #[inline]
    pub fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            self.block = philox4x32(self.counter, self.key);
            let low = (u64::from(self.counter[0]) | (u64::from(self.counter[1]) << 32)).wrapping_add(1);
            self.counter[0] = low as u32;
            self.counter[1] = (low >> 32) as u32;
            self.used = 0;
        }
        let word = self.block[usize::from(self.used & 3)];
        self.used += 1;
        word
    }

    /// Fills with what as many calls of [`Self::next_u64`] would give: four blocks side by side, which do not wait for one another.
    pub fn fill_u64(&mut self, out: &mut [u64]) {
        let mut rest = out;
        // What is left of the present block, until a new one begins.
        while self.used != 4 && !rest.is_empty() {
            if self.used % 2 == 1 {
                break;
            }
            rest[0] = self.next_u64();
            rest = &mut rest[1..];
        }
        if self.used == 4 {
            while rest.len() >= 2 * LANES {
                let (now, later) = rest.split_at_mut(2 * LANES);
                self.four_blocks(now);
                rest = later;
            }
        }
        for word in rest {
            *word = self.next_u64();
        }
    }

    /// Eight words of 64 bits from the next four blocks; the present one is used up.
    fn four_blocks(&mut self, out: &mut [u64]) {
        let first = u64::from(self.counter[0]) | (u64::from(self.counter[1]) << 32);
        let words = four::blocks(first, [self.counter[2], self.counter[3]], self.key);
        for (word, made) in out.iter_mut().zip(words) {
            *word = made;
        }
        let next = first.wrapping_add(LANES as u64);
        (self.counter[0], self.counter[1]) = (next as u32, (next >> 32) as u32);
        // As after the last word of the last of them.
        let [.., one, two] = words;
        self.block = [one as u32, (one >> 32) as u32, two as u32, (two >> 32) as u32];
        self.used = 4;
    }

    /// 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        u64::from(self.next_u32()) | (u64::from(self.next_u32()) << 32)
    }

    /// Uniform in [0, 1) with 53 bits.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in [0, 1) with 32 bits: half the cost, for acceptance tests whose probability need not be resolved
    /// below 2.3e-10.
    #[inline]
    pub fn uniform_32(&mut self) -> f64 {
        f64::from(self.next_u32()) * (1.0 / 4_294_967_296.0)
    }

    /// Uniform integer in [0, n) without bias (D. Lemire, "Fast random integer generation in an interval", ACM
    /// TOMACS 29, 3 (2019)); 0 for n = 0.
    #[inline]
    pub fn below(&mut self, n: u32) -> u32 {
        let mut product = u64::from(self.next_u32()) * u64::from(n);
        if (product as u32) < n {
            let threshold = n.wrapping_neg() % n.max(1);
            while (product as u32) < threshold {
                product = u64::from(self.next_u32()) * u64::from(n);
            }
        }
        (product >> 32) as u32
    }

    /// Exponential with mean one: -ln(1 - u).
    #[inline]
    pub fn exponential(&mut self) -> f64 {
        -(-self.uniform()).ln_1p()
    }

    /// Standard normal by the Box-Muller transform (the cosine branch only: no hidden state).
    pub fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filling_gives_the_numbers_one_by_one() {
        for skipped in 0..5 {
            for length in [0, 1, 2, 3, 7, 8, 9, 31, 32, 100] {
                // Near where the counter carries over.
                let mut one = Philox::new(0x1234_5678_9ABC_DEF0, 7, 9);
                one.counter[0] = u32::MAX - 5;
                (0..skipped).for_each(|_| {
                    one.next_u32();
                });
                let mut all = one.clone();
                let mut got = vec![0; length];
                all.fill_u64(&mut got);
                let want: Vec<u64> = (0..length).map(|_| one.next_u64()).collect();
                assert_eq!(got, want, "{skipped} {length}");
                assert_eq!(all, one, "{skipped} {length}");
            }
        }
    }

    #[test]
    fn known_answers_of_the_reference_distribution() {
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox4x32([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
    }

    #[test]
    fn streams_differ_and_repeat() {
        let take = |seed, stream, replica| {
            let mut rng = Philox::new(seed, stream, replica);
            (0..64).map(|_| rng.next_u32()).collect::<Vec<_>>()
        };
        assert_eq!(take(1, 2, 3), take(1, 2, 3));
        assert_ne!(take(1, 2, 3), take(2, 2, 3));
        assert_ne!(take(1, 2, 3), take(1, 3, 3));
        assert_ne!(take(1, 2, 3), take(1, 2, 4));
    }

    #[test]
    fn moments_within_four_standard_errors() {
        let mut rng = Philox::new(7, 0, 0);
        let n = 200_000;
        let (mut u, mut e, mut g, mut g2) = (0.0, 0.0, 0.0, 0.0);
        let mut counts = [0u32; 7];
        for _ in 0..n {
            u += rng.uniform();
            e += rng.exponential();
            let x = rng.normal();
            g += x;
            g2 += x * x;
            counts[rng.below(7) as usize] += 1;
        }
        let n = f64::from(n);
        assert!((u / n - 0.5).abs() < 4.0 * (1.0 / 12.0 / n).sqrt());
        assert!((e / n - 1.0).abs() < 4.0 / n.sqrt());
        assert!((g / n).abs() < 4.0 / n.sqrt());
        assert!((g2 / n - 1.0).abs() < 4.0 * (2.0 / n).sqrt());
        let chi2: f64 = counts.iter().map(|c| (f64::from(*c) - n / 7.0).powi(2) / (n / 7.0)).sum();
        assert!(chi2 < 6.0 + 4.0 * 12f64.sqrt(), "chi2 {chi2}");
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
    }
}
