//! Choice of a site with a probability in proportion to its rate, the rates of few sites changing between two choices.

use crate::checkpoint::{Reader, Refused, Writer};
use scalade_numerics::Philox;

/// A chosen site.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pick {
    /// The site.
    pub(crate) site: usize,
    /// Uniform between 0 and `bound`: below the site's rate the choice stands, and tells among the parts of the rate; above, it is a rejection.
    pub(crate) level: f64,
    /// Not below the site's rate.
    pub(crate) bound: f64,
}

/// A way to choose.
pub(crate) trait Selector: Clone + std::fmt::Debug + Send {
    /// Over so many sites of rate 0; no rate will exceed `highest`.
    fn new(sites: usize, highest: f64) -> Self;
    /// Sets the rate of a site.
    fn set(&mut self, site: usize, rate: f64);
    /// To be called after the last of some settings, before the next choice.
    fn settle(&mut self);
    /// Sum of the bounds of all sites: a choice takes the time 1 over it.
    fn total(&self) -> f64;
    /// A site; none where all rates are 0.
    fn pick(&mut self, rng: &mut Philox) -> Option<Pick>;
    /// To be called with the rate of a site whose choice was a rejection.
    fn rejected(&mut self, site: usize, rate: f64);
    /// Writes what does not follow from the rates alone.
    fn save(&self, out: &mut Writer);
    /// Reads it into a selector that holds the same rates.
    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), Refused>;
}

/// Children of a node.
const FANOUT: usize = 8;

/// A tree of sums, every node the sum of eight children: a choice walks down from the root, a change of rate up to it. Nodes are summed anew, so that no
/// rounding piles up. No choice is rejected.
#[derive(Clone, Debug)]
pub(crate) struct SumTree {
    /// Rates first, the root last; each level is filled up to a multiple of [`FANOUT`].
    levels: Vec<Vec<f64>>,
    /// Nodes of the first level above the rates that are to be summed anew.
    due: Vec<u32>,
}

impl SumTree {
    /// The rates of the first sites.
    pub(crate) fn rates(&self, sites: usize) -> &[f64] {
        self.levels.first().map_or(&[], |rates| &rates[..sites.min(rates.len())])
    }

    #[inline]
    fn sum(children: &[f64]) -> f64 {
        // Pairs of pairs: the compiler adds them side by side.
        let mut parts = [0.0; 4];
        for four in children.chunks_exact(4) {
            for (part, value) in parts.iter_mut().zip(four) {
                *part += value;
            }
        }
        (parts[0] + parts[1]) + (parts[2] + parts[3])
    }
}

impl Selector for SumTree {
    fn new(sites: usize, _highest: f64) -> Self {
        let mut levels = Vec::new();
        let mut width = sites.max(1);
        loop {
            levels.push(vec![0.0; width.next_multiple_of(FANOUT)]);
            if width == 1 {
                break;
            }
            width = width.div_ceil(FANOUT);
        }
        Self { levels, due: Vec::new() }
    }

    #[inline]
    fn set(&mut self, site: usize, rate: f64) {
        let here = &mut self.levels[0][site];
        // Many of the sites around a hop keep their rate.
        if here.to_bits() == rate.to_bits() {
            return;
        }
        *here = rate;
        let parent = (site / FANOUT) as u32;
        if self.due.last() != Some(&parent) {
            self.due.push(parent);
        }
    }

    fn settle(&mut self) {
        for level in 1..self.levels.len() {
            let (below, above) = self.levels.split_at_mut(level);
            let (children, nodes) = (&below[level - 1], &mut above[0]);
            let mut kept = 0;
            for k in 0..self.due.len() {
                let node = self.due[k] as usize;
                nodes[node] = Self::sum(&children[node * FANOUT..(node + 1) * FANOUT]);
                let parent = (node / FANOUT) as u32;
                if kept == 0 || self.due[kept - 1] != parent {
                    self.due[kept] = parent;
                    kept += 1;
                }
            }
            self.due.truncate(kept);
        }
        self.due.clear();
    }

    #[inline]
    fn total(&self) -> f64 {
        self.levels.last().map_or(0.0, |root| root[0])
    }

    fn pick(&mut self, rng: &mut Philox) -> Option<Pick> {
        let total = self.total();
        if total <= 0.0 {
            return None;
        }
        let mut rest = rng.uniform() * total;
        let mut node = 0;
        for children in self.levels.iter().rev().skip(1) {
            let mut chosen = None;
            for (k, rate) in children[node * FANOUT..(node + 1) * FANOUT].iter().enumerate() {
                if *rate > 0.0 {
                    chosen = Some(k);
                    if rest < *rate {
                        break;
                    }
                    rest -= rate;
                }
            }
            // Rounding may carry the number past the last child: that one is meant.
            node = node * FANOUT + chosen?;
        }
        let rate = self.levels[0][node];
        Some(Pick { site: node, level: rest.min(rate), bound: rate })
    }

    fn rejected(&mut self, _site: usize, _rate: f64) {}

    fn save(&self, _out: &mut Writer) {}

    fn restore(&mut self, _from: &mut Reader<'_>) -> Result<(), Refused> {
        Ok(())
    }
}

/// Class of a site that is in none.
const IDLE: u8 = u8::MAX;
/// Number of classes.
const CLASSES: usize = 192;

/// Composition and rejection: sites are filed by powers of two at or above their rates; a class is chosen by its number of sites times its bound, then a site
/// of it, which is accepted with rate over bound (A. Slepoy, A. P. Thompson, S. J. Plimpton, J. Chem. Phys. 128, 205101 (2008)). The cost does not depend on the
/// number of sites.
///
/// A site is filed higher as soon as its rate exceeds the bound, and lower when the rate has fallen below a quarter of it or a choice is rejected: rates that go
/// up and down then move few sites. This leaves the law as it is: trial k in one state, with total bound B_k, ends it with probability R/B_k and takes 1/B_k.
#[derive(Clone, Debug)]
pub(super) struct Classes {
    lists: Vec<Vec<u32>>,
    class: Vec<u8>,
    place: Vec<u32>,
    /// Bits of the classes that hold sites.
    filled: [u64; CLASSES / 64],
    /// Exponent bits of the bound of the highest class.
    highest: i32,
    /// Bounds of the classes.
    bounds: Vec<f64>,
}

impl Classes {
    /// The tightest class of a positive rate; 0 is the lowest, which also takes all below it.
    #[inline]
    fn tight(&self, rate: f64) -> usize {
        // 2^(exponent - 1022) lies above.
        let exponent = (rate.to_bits() >> 52) as i32;
        (CLASSES as i32 - 1 - (self.highest - exponent)).max(0) as usize
    }

    fn take(&mut self, site: usize) {
        let class = usize::from(self.class[site]);
        if self.class[site] == IDLE {
            return;
        }
        let list = &mut self.lists[class];
        let place = self.place[site] as usize;
        if let Some(last) = list.pop()
            && last as usize != site
        {
            list[place] = last;
            self.place[last as usize] = place as u32;
        }
        if list.is_empty() {
            self.filled[class / 64] &= !(1 << (class % 64));
        }
        self.class[site] = IDLE;
    }

    fn put(&mut self, site: usize, class: usize) {
        let list = &mut self.lists[class];
        self.filled[class / 64] |= 1 << (class % 64);
        self.place[site] = list.len() as u32;
        list.push(site as u32);
        self.class[site] = class as u8;
    }

    /// Calls for every filled class from the highest down until the call says stop.
    #[inline]
    fn scan(&self, mut call: impl FnMut(usize, f64) -> bool) {
        for word in (0..self.filled.len()).rev() {
            let mut bits = self.filled[word];
            while bits != 0 {
                let bit = 63 - bits.leading_zeros() as usize;
                let class = 64 * word + bit;
                if call(class, self.lists[class].len() as f64 * self.bounds[class]) {
                    return;
                }
                bits &= !(1 << bit);
            }
        }
    }
}

impl Selector for Classes {
    fn new(sites: usize, highest: f64) -> Self {
        let top = (highest.to_bits() >> 52) as i32;
        let bound = |class: usize| f64::from(top - 1022 - (CLASSES as i32 - 1 - class as i32)).exp2();
        Self {
            lists: vec![Vec::new(); CLASSES],
            class: vec![IDLE; sites],
            place: vec![0; sites],
            filled: [0; CLASSES / 64],
            highest: top,
            bounds: (0..CLASSES).map(bound).collect(),
        }
    }

    #[inline]
    fn set(&mut self, site: usize, rate: f64) {
        let class = self.class[site];
        // NaN is filed at the top, where its choice is found out.
        if rate == 0.0 {
            self.take(site);
            return;
        }
        let tight = self.tight(rate).min(CLASSES - 1);
        let here = usize::from(class);
        if class == IDLE || tight > here || tight + 1 < here {
            self.take(site);
            self.put(site, tight);
        }
    }

    fn settle(&mut self) {}

    #[inline]
    fn total(&self) -> f64 {
        let mut total = 0.0;
        self.scan(|_, share| {
            total += share;
            false
        });
        total
    }

    fn pick(&mut self, rng: &mut Philox) -> Option<Pick> {
        let mut rest = rng.uniform() * self.total();
        let mut chosen = None;
        self.scan(|class, share| {
            chosen = Some((class, rest));
            let stop = rest < share;
            rest -= share;
            stop
        });
        let (class, rest) = chosen?;
        let (list, bound) = (&self.lists[class], self.bounds[class]);
        let index = ((rest / bound) as usize).min(list.len().checked_sub(1)?);
        Some(Pick { site: list[index] as usize, level: rng.uniform() * bound, bound })
    }

    fn rejected(&mut self, site: usize, rate: f64) {
        if rate == 0.0 {
            self.take(site);
        } else if self.tight(rate) < usize::from(self.class[site]) {
            let tight = self.tight(rate);
            self.take(site);
            self.put(site, tight);
        }
    }

    fn save(&self, out: &mut Writer) {
        // In which class a site is, and where in its list, tells of the rates it had before.
        for list in &self.lists {
            out.u32(list.len() as u32);
            for site in list {
                out.u32(*site);
            }
        }
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), Refused> {
        let mut due = vec![false; self.class.len()];
        for list in &mut self.lists {
            for site in list.drain(..) {
                due[site as usize] = true;
                self.class[site as usize] = IDLE;
            }
        }
        self.filled = [0; CLASSES / 64];
        for class in 0..CLASSES {
            for _ in 0..from.count(4)? {
                let site = from.u32()? as usize;
                match due.get_mut(site) {
                    Some(due) if *due => *due = false,
                    _ => return Err("a site without a rate is filed, or one twice"),
                }
                self.put(site, class);
            }
        }
        if due.contains(&true) { Err("a site with a rate is not filed") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rates over many powers of two that change at random, some to none.
    fn changed<S: Selector>(sites: usize, seed: u64) -> (S, Vec<f64>) {
        let mut rng = Philox::new(seed, 0, 0);
        let mut selector = S::new(sites, 3.0);
        let mut rates = vec![0.0; sites];
        for k in 0..20 * sites {
            let site = rng.below(sites as u32) as usize;
            rates[site] =
                if rng.uniform() < 0.2 { 0.0 } else { 3.0 * (-12.0 * rng.uniform()).exp2() * rng.uniform() };
            selector.set(site, rates[site]);
            if k % 3 == 0 {
                selector.settle();
            }
        }
        selector.settle();
        (selector, rates)
    }

    /// Accepted choices come in proportion to the rates, and the mean time to the next one is that of their sum.
    fn holds_the_law<S: Selector>(sites: usize) {
        let (mut selector, rates) = changed::<S>(sites, 5);
        let sum: f64 = rates.iter().sum();
        assert!(selector.total() >= sum * (1.0 - 1e-12));
        let mut rng = Philox::new(6, 0, 0);
        let (runs, mut time) = (40_000, 0.0);
        let mut made = vec![0u32; sites];
        for _ in 0..runs {
            loop {
                time += 1.0 / selector.total();
                let pick = selector.pick(&mut rng).unwrap();
                assert!(pick.bound >= rates[pick.site] && pick.level <= pick.bound && rates[pick.site] > 0.0);
                if pick.level < rates[pick.site] {
                    made[pick.site] += 1;
                    break;
                }
                selector.rejected(pick.site, rates[pick.site]);
            }
        }
        let (mut chi, mut freedom) = (0.0, -1.0);
        for (count, rate) in made.iter().zip(&rates) {
            let due = rate / sum * f64::from(runs);
            if due > 5.0 {
                chi += (f64::from(*count) - due).powi(2) / due;
                freedom += 1.0;
            }
        }
        assert!(sites < 100 || freedom > 0.3 * sites as f64, "{freedom}");
        if freedom < 1.0 {
            return;
        }
        assert!((chi - freedom) / (2.0f64 * freedom).sqrt() < 4.0, "{chi} {freedom}");
        let z = (time / f64::from(runs) * sum - 1.0) * f64::from(runs).sqrt();
        assert!(z.abs() < 4.0, "{z}");
    }

    #[test]
    fn choices_follow_the_rates() {
        for sites in [1, 7, 8, 9, 100, 700] {
            if sites > 1 {
                holds_the_law::<SumTree>(sites);
                holds_the_law::<Classes>(sites);
            }
            let (tree, rates) = changed::<SumTree>(sites, 8);
            let sum: f64 = rates.iter().sum();
            assert!((tree.total() - sum).abs() <= 1e-13 * sum);
        }
    }

    #[test]
    fn nothing_is_chosen_where_nothing_can_happen() {
        fn none<S: Selector>() {
            let mut selector = S::new(20, 1.0);
            assert_eq!(selector.total(), 0.0);
            assert!(selector.pick(&mut Philox::new(1, 0, 0)).is_none());
            selector.set(3, 0.5);
            selector.settle();
            assert_eq!(selector.pick(&mut Philox::new(1, 0, 0)).unwrap().site, 3);
            selector.set(3, 0.0);
            selector.settle();
            assert!(selector.pick(&mut Philox::new(1, 0, 0)).is_none());
        }
        none::<SumTree>();
        none::<Classes>();
    }

    #[test]
    fn rates_below_all_classes_are_filed_in_the_lowest() {
        let mut classes = Classes::new(4, 1.0);
        classes.set(2, 1e-200);
        assert!(classes.total() >= 1e-200 && classes.total() < 1e-50);
        assert_eq!(classes.pick(&mut Philox::new(1, 0, 0)).unwrap().site, 2);
    }
}
