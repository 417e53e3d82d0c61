//! Colourings of a fixed composition, numbered in lexicographic order.
//!
//! The number of a colouring among those with its composition follows from multinomial coefficients: colourings that agree up to a site and
//! have a smaller colour there come before. G. L. W. Hart, L. J. Nelson, R. W. Forcade, Comput. Mater. Sci. 59, 101 (2012).

/// Largest number of colourings of a composition: with at most 2^14 sites no product of a rank and a site number overflows.
pub(crate) const MOST_COLOURINGS: u128 = u128::MAX >> 15;

/// Number of arrangements of `counts[c]` sites of each colour c; `None` above [`MOST_COLOURINGS`].
pub(crate) fn multinomial(counts: &[u32]) -> Option<u128> {
    let (mut result, mut total) = (1u128, 0u128);
    for count in counts {
        for i in 1..=u128::from(*count) {
            total += 1;
            // A product of binomial coefficients: the division is exact at every step.
            result = result.checked_mul(total)? / i;
        }
    }
    (result <= MOST_COLOURINGS).then_some(result)
}

/// How often each colour occurs in each class of sites, and the number of such colourings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Composition {
    pub(crate) counts: Vec<Vec<u32>>,
    arrangements: Vec<u128>,
    pub(crate) colourings: u128,
}

impl Composition {
    /// `None` with more than [`MOST_COLOURINGS`].
    pub(crate) fn new(counts: Vec<Vec<u32>>) -> Option<Self> {
        let arrangements = counts.iter().map(|c| multinomial(c)).collect::<Option<Vec<u128>>>()?;
        let colourings = arrangements.iter().try_fold(1u128, |n, a| n.checked_mul(*a))?;
        (colourings <= MOST_COLOURINGS).then_some(Self { counts, arrangements, colourings })
    }

    /// The colouring with this number.
    pub(crate) fn unrank(&self, mut rank: u128, colours: &mut [u8]) {
        let mut end = colours.len();
        for (counts, arrangements) in self.counts.iter().zip(&self.arrangements).rev() {
            let sites = counts.iter().sum::<u32>() as usize;
            let start = end - sites;
            unrank_class(counts, *arrangements, rank % arrangements, &mut colours[start..end]);
            rank /= arrangements;
            end = start;
        }
    }

    /// Number of a colouring; `left` is scratch of any content.
    pub(crate) fn rank(&self, colours: &[u8], left: &mut Vec<u32>) -> u128 {
        let (mut rank, mut start) = (0, 0);
        for (counts, arrangements) in self.counts.iter().zip(&self.arrangements) {
            left.clear();
            left.extend_from_slice(counts);
            let end = start + counts.iter().sum::<u32>() as usize;
            // Below 2^50 colourings of at most 2^14 sites all products fit 64 bits, which is several times faster.
            let within = if *arrangements < 1 << 50 {
                u128::from(rank_short(*arrangements as u64, left, &colours[start..end]))
            } else {
                rank_long(*arrangements, left, &colours[start..end])
            };
            rank = rank * arrangements + within;
            start = end;
        }
        rank
    }
}

fn unrank_class(counts: &[u32], arrangements: u128, mut rank: u128, colours: &mut [u8]) {
    let mut left = counts.to_vec();
    let (mut ways, mut sites) = (arrangements, colours.len() as u128);
    for colour in colours.iter_mut() {
        for (candidate, count) in left.iter_mut().enumerate() {
            let with = ways * u128::from(*count) / sites;
            if rank < with {
                *colour = candidate as u8;
                *count -= 1;
                ways = with;
                break;
            }
            rank -= with;
        }
        sites -= 1;
    }
}

fn rank_long(mut ways: u128, left: &mut [u32], colours: &[u8]) -> u128 {
    let (mut rank, mut sites) = (0, colours.len() as u128);
    for colour in colours {
        let colour = usize::from(*colour);
        let before: u32 = left[..colour].iter().sum();
        rank += ways * u128::from(before) / sites;
        ways = ways * u128::from(left[colour]) / sites;
        left[colour] -= 1;
        sites -= 1;
    }
    rank
}

fn rank_short(mut ways: u64, left: &mut [u32], colours: &[u8]) -> u64 {
    let (mut rank, mut sites) = (0, colours.len() as u64);
    for colour in colours {
        // One arrangement is left: all that follows is fixed.
        if ways == 1 {
            break;
        }
        let colour = usize::from(*colour);
        let before: u32 = left[..colour].iter().sum();
        rank += ways * u64::from(before) / sites;
        ways = ways * u64::from(left[colour]) / sites;
        left[colour] -= 1;
        sites -= 1;
    }
    rank
}

/// The next colouring of the same composition in lexicographic order, class by class with the last class first; whether there is one.
pub(crate) fn advance(class_sizes: &[usize], colours: &mut [u8]) -> bool {
    let mut end = colours.len();
    for sites in class_sizes.iter().rev() {
        let start = end - sites;
        if advance_class(&mut colours[start..end]) {
            return true;
        }
        end = start;
    }
    false
}

/// The next permutation of a multiset; after the last one the first again, and `false`.
fn advance_class(colours: &mut [u8]) -> bool {
    let Some(rise) = colours.windows(2).rposition(|w| w[0] < w[1]) else {
        colours.reverse();
        return false;
    };
    let above = colours.iter().rposition(|c| *c > colours[rise]).unwrap_or(rise);
    colours.swap(rise, above);
    colours[rise + 1..].reverse();
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_are_the_known_ones() {
        assert_eq!(multinomial(&[3, 2, 1]), Some(60));
        assert_eq!(multinomial(&[0, 0]), Some(1));
        assert_eq!(multinomial(&[499, 1]), Some(500));
        assert_eq!(multinomial(&[50, 50]), Some(100891344545564193334812497256));
        assert_eq!(multinomial(&[100, 100]), None);
    }

    #[test]
    fn ranks_count_up_in_lexicographic_order() {
        let composition = Composition::new(vec![vec![2, 1, 2], vec![1, 3]]).unwrap();
        assert_eq!(composition.colourings, 30 * 4);
        let (mut colours, mut stepped, mut scratch) =
            (vec![0; 9], vec![0, 0, 1, 2, 2, 0, 1, 1, 1], Vec::new());
        let mut previous = None;
        for rank in 0..composition.colourings {
            composition.unrank(rank, &mut colours);
            assert_eq!(colours, stepped);
            assert_eq!(composition.rank(&colours, &mut scratch), rank);
            assert!(previous.is_none_or(|p: Vec<u8>| p < colours));
            previous = Some(colours.clone());
            assert_eq!(advance(&[5, 4], &mut stepped), rank + 1 < composition.colourings);
        }
        assert!(Composition::new(vec![vec![60, 60], vec![20, 20]]).is_none());
    }

    #[test]
    fn long_and_short_ranks_agree() {
        let composition = Composition::new(vec![vec![20, 9, 11]]).unwrap();
        let mut colours = vec![0; 40];
        for step in 0..50u128 {
            let rank = composition.colourings / 50 * step;
            composition.unrank(rank, &mut colours);
            assert_eq!(composition.rank(&colours, &mut Vec::new()), rank);
        }
        let small = Composition::new(vec![vec![4, 3, 5]]).unwrap();
        let mut colours = vec![0; 12];
        for rank in 0..small.colourings {
            small.unrank(rank, &mut colours);
            assert_eq!(rank_long(small.colourings, &mut [4, 3, 5], &colours), rank);
        }
    }
}
