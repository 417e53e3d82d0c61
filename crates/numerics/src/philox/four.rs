//! Four blocks side by side, with vector instructions where there are any: the same words as one block after another.

#[cfg(target_arch = "x86_64")]
pub(super) use vector::blocks;

#[cfg(not(target_arch = "x86_64"))]
pub(super) use plain::blocks;

/// With registers of two words of 64 bits, which every x86-64 processor has.
#[cfg(target_arch = "x86_64")]
mod vector {
    use super::super::{LANES, MULTIPLIERS, WEYL};
    use std::arch::x86_64::{
        __m128i, _mm_add_epi32, _mm_and_si128, _mm_cvtsi128_si64, _mm_mul_epu32, _mm_or_si128,
        _mm_set_epi64x, _mm_set1_epi64x, _mm_slli_epi64, _mm_srli_epi64, _mm_unpackhi_epi64, _mm_xor_si128,
    };

    #[inline]
    #[target_feature(enable = "sse2")]
    fn both(word: u32) -> __m128i {
        _mm_set1_epi64x(i64::from(word))
    }

    /// The words of the blocks `first` and three more of the upper half of a counter.
    #[allow(unsafe_code, reason = "a kernel with instructions that the compiler does not choose")]
    #[inline]
    pub(in super::super) fn blocks(first: u64, upper: [u32; 2], key: [u32; 2]) -> [u64; 2 * LANES] {
        // SAFETY: the kernel touches no memory; all it asks for is SSE2, which belongs to the x86-64 architecture and is there on every such processor.
        unsafe { kernel(first, upper, key) }
    }

    #[target_feature(enable = "sse2")]
    #[allow(clippy::redundant_closure, reason = "what asks for a feature is no closure itself")]
    fn kernel(first: u64, upper: [u32; 2], key: [u32; 2]) -> [u64; 2 * LANES] {
        // Words of 32 bits stand in the lower halves of places of 64; products leave the upper halves out, so that these need no clearing until the end.
        let pair = |k: u64| _mm_set_epi64x(first.wrapping_add(k + 1) as i64, first.wrapping_add(k) as i64);
        let mut c = [pair(0), pair(2)].map(|n| [n, _mm_srli_epi64::<32>(n), both(upper[0]), both(upper[1])]);
        let [even, odd] = MULTIPLIERS.map(|word| both(word));
        let (mut keys, steps) = (key.map(|word| both(word)), WEYL.map(|word| both(word)));
        for _ in 0..10 {
            c = c.map(|c| {
                let (a, b) = (_mm_mul_epu32(even, c[0]), _mm_mul_epu32(odd, c[2]));
                [
                    _mm_xor_si128(_mm_xor_si128(_mm_srli_epi64::<32>(b), c[1]), keys[0]),
                    b,
                    _mm_xor_si128(_mm_xor_si128(_mm_srli_epi64::<32>(a), c[3]), keys[1]),
                    a,
                ]
            });
            keys = [_mm_add_epi32(keys[0], steps[0]), _mm_add_epi32(keys[1], steps[1])];
        }
        let join = |low: __m128i, high: __m128i| {
            _mm_or_si128(_mm_and_si128(low, both(u32::MAX)), _mm_slli_epi64::<32>(high))
        };
        let ends = |pair: __m128i| {
            [_mm_cvtsi128_si64(pair), _mm_cvtsi128_si64(_mm_unpackhi_epi64(pair, pair))].map(|n| n as u64)
        };
        let [[p, q], [r, s]] = c.map(|c| [ends(join(c[0], c[1])), ends(join(c[2], c[3]))]);
        [p[0], q[0], p[1], q[1], r[0], s[0], r[1], s[1]]
    }
}

/// For any processor; the reference of the others.
#[cfg(any(test, not(target_arch = "x86_64")))]
mod plain {
    use super::super::{LANES, philox4x32};

    /// The words of the blocks `first` and three more of the upper half of a counter.
    pub(in super::super) fn blocks(first: u64, upper: [u32; 2], key: [u32; 2]) -> [u64; 2 * LANES] {
        let mut out = [0; 2 * LANES];
        for (k, pair) in out.chunks_exact_mut(2).enumerate() {
            let count = first.wrapping_add(k as u64);
            let block = philox4x32([count as u32, (count >> 32) as u32, upper[0], upper[1]], key);
            pair[0] = u64::from(block[0]) | (u64::from(block[1]) << 32);
            pair[1] = u64::from(block[2]) | (u64::from(block[3]) << 32);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn four_blocks_are_those_one_by_one() {
        for first in [0, 1, u64::from(u32::MAX) - 1, u64::MAX - 2, 0x1234_5678_9abc_def0] {
            for (upper, key) in [([0, 0], [0, 0]), ([u32::MAX, 7], [0xdead_beef, u32::MAX])] {
                assert_eq!(
                    super::blocks(first, upper, key),
                    super::plain::blocks(first, upper, key),
                    "{first:x}"
                );
            }
        }
    }
}
