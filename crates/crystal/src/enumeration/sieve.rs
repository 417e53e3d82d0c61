//! One colouring of each class of a composition.
//!
//! A colouring stands for its class exactly if none of its images has a smaller number, and it has no smaller period. Where one bit for each
//! colouring fits the memory, images of earlier colourings are marked and skipped; where not, every colouring is tested, and left at the first
//! image that comes before it. Both give the same colourings in the same order, and both may start anywhere: marks only save work.

use super::colouring::{Composition, advance};
use super::sites::SupercellSites;

/// The colourings of one composition that are not passed yet.
#[derive(Clone, Debug)]
pub(crate) struct Sieve {
    composition: Composition,
    /// Next colouring to look at.
    next: u128,
    /// The colouring with number `at`.
    colours: Vec<u8>,
    at: u128,
    /// Images of colourings that were looked at; none where they would not fit.
    met: Option<Vec<u64>>,
    scratch: Scratch,
}

/// Buffers.
#[derive(Clone, Debug, Default)]
struct Scratch {
    turned: Vec<u8>,
    image: Vec<u8>,
    left: Vec<u32>,
}

/// The first number from `from` on whose bit is not set.
fn next_clear(met: &[u64], from: u128, total: u128) -> u128 {
    let mut number = from;
    while number < total {
        let (word, bit) = ((number / 64) as usize, (number % 64) as u32);
        let clear = !met[word] >> bit;
        if clear != 0 {
            return number + u128::from(clear.trailing_zeros());
        }
        number = (word as u128 + 1) * 64;
    }
    total
}

impl Sieve {
    /// The colourings from number `first` on, which must exist; one bit for each is kept if at most `memory_bits` are needed.
    pub(crate) fn new(composition: Composition, first: u128, memory_bits: u64) -> Self {
        let fits = composition.colourings <= u128::from(memory_bits);
        let met = fits.then(|| vec![0; composition.colourings.div_ceil(64) as usize]);
        let sites: u32 = composition.counts.iter().flatten().sum();
        let mut colours = vec![0; sites as usize];
        composition.unrank(first, &mut colours);
        Self { composition, next: first, colours, at: first, met, scratch: Scratch::default() }
    }

    /// Number of colourings of the composition.
    pub(crate) fn colourings(&self) -> u128 {
        self.composition.colourings
    }

    /// The colouring that [`Sieve::next_kept`] gave last.
    pub(crate) fn colours(&self) -> &[u8] {
        &self.colours
    }

    /// The next colouring that stands for its class: its number and the number of permutations that keep it.
    /// `translations` is the table of [`SupercellSites::translation_table`].
    pub(crate) fn next_kept(&mut self, sites: &SupercellSites, translations: &[u32]) -> Option<(u128, u64)> {
        let total = self.composition.colourings;
        loop {
            let rank = self.met.as_ref().map_or(self.next, |met| next_clear(met, self.next, total));
            if rank >= total {
                self.next = total;
                return None;
            }
            if self.at + 1 == rank {
                advance(&sites.class_sizes, &mut self.colours);
            } else if self.at != rank {
                self.composition.unrank(rank, &mut self.colours);
            }
            (self.at, self.next) = (rank, rank + 1);
            let stabiliser = if self.met.is_some() {
                self.mark(sites, translations)
            } else {
                self.test(sites, translations)
            };
            if let Some(stabiliser) = stabiliser {
                return Some((rank, stabiliser));
            }
        }
    }

    /// Marks all images of the colouring; the number of permutations that keep it if it stands for its class.
    fn mark(&mut self, sites: &SupercellSites, translations: &[u32]) -> Option<u64> {
        let n = sites.cells();
        let (mut stabiliser, mut kept) = (0, true);
        let Scratch { turned, image, left } = &mut self.scratch;
        for (index, operation) in sites.operations.iter().enumerate() {
            turned.clear();
            turned.extend(operation.iter().map(|s| self.colours[*s as usize]));
            for t in 0..n {
                translate(turned, &translations[t * n..(t + 1) * n], image);
                if *image == self.colours {
                    stabiliser += 1;
                    kept &= index > 0 || t == 0;
                    continue;
                }
                let rank = self.composition.rank(image, left);
                kept &= rank > self.at;
                if let Some(met) = &mut self.met {
                    met[(rank / 64) as usize] |= 1 << (rank % 64);
                }
            }
        }
        kept.then_some(stabiliser)
    }

    /// As [`Sieve::mark`] without marks: ends at the first image that comes before the colouring, and at a smaller period.
    fn test(&mut self, sites: &SupercellSites, translations: &[u32]) -> Option<u64> {
        let n = sites.cells();
        let mut stabiliser = 0;
        let turned = &mut self.scratch.turned;
        for (index, operation) in sites.operations.iter().enumerate() {
            turned.clear();
            turned.extend(operation.iter().map(|s| self.colours[*s as usize]));
            for t in 0..n {
                let cells = &translations[t * n..(t + 1) * n];
                let images =
                    turned.chunks_exact(n).flat_map(|block| cells.iter().map(|g| block[*g as usize]));
                match images.cmp(self.colours.iter().copied()) {
                    std::cmp::Ordering::Less => return None,
                    std::cmp::Ordering::Equal if index == 0 && t > 0 => return None,
                    std::cmp::Ordering::Equal => stabiliser += 1,
                    std::cmp::Ordering::Greater => {}
                }
            }
        }
        Some(stabiliser)
    }
}

/// The colouring moved by a translation, sublattice by sublattice.
fn translate(colours: &[u8], cells: &[u32], image: &mut Vec<u8>) {
    image.clear();
    for block in colours.chunks_exact(cells.len()) {
        image.extend(cells.iter().map(|g| block[*g as usize]));
    }
}

#[cfg(test)]
mod tests {
    use super::next_clear;

    #[test]
    fn clear_bits_are_found_across_words() {
        let met = [u64::MAX, u64::MAX - (1 << 5), u64::MAX];
        assert_eq!(next_clear(&met, 0, 192), 69);
        assert_eq!(next_clear(&met, 69, 192), 69);
        assert_eq!(next_clear(&met, 70, 192), 192);
        assert_eq!(next_clear(&met, 70, 150), 150);
        assert_eq!(next_clear(&[0, 0], 100, 101), 100);
        assert_eq!(next_clear(&[0, u64::MAX << 30], 94, 90), 90);
    }
}
