//! Smallest value of a sum of products of site functions over all states of a few sites, by branch and bound.

use std::collections::BTreeMap;

/// Values of the site functions of a site: `[function - 1][species]`.
pub(super) type Functions = Vec<Vec<f64>>;
/// A product: sites with a function each (from 1), sites increasing.
pub(super) type Monomial = Vec<(usize, usize)>;

/// Sites left from which on a node is bounded before it is opened.
const WORTH_BOUNDING: usize = 4;

/// Products of site functions, closed under leaving out the last site.
#[derive(Clone, Debug)]
pub(super) struct Polynomial {
    functions: Vec<Functions>,
    monomials: Vec<Monomial>,
    number: BTreeMap<Monomial, usize>,
    /// What is left of a product without its last site.
    rest: Vec<usize>,
    /// Products of the first k sites come first: `starts[k]` of them.
    starts: Vec<usize>,
    /// Smallest and largest value of each product.
    ranges: Vec<[f64; 2]>,
}

/// The smallest value found, with the states that were best on the way, the last of them lowest.
#[derive(Clone, Debug)]
pub(super) struct Minimum {
    /// No state has a smaller value. Equal to that of the last state if there is one.
    pub(super) bound: f64,
    pub(super) states: Vec<Vec<u8>>,
    /// Nodes opened.
    pub(super) nodes: u64,
}

/// A search in progress.
struct Search {
    best: f64,
    states: Vec<Vec<u8>>,
    /// The lowest bound among nodes that were not opened for want of time.
    unopened: f64,
    nodes: u64,
    most_nodes: u64,
    state: Vec<u8>,
    /// Coefficients by number of sites left.
    stack: Vec<Vec<f64>>,
}

impl Polynomial {
    pub(super) fn new(functions: Vec<Functions>, wanted: impl IntoIterator<Item = Monomial>) -> Self {
        let mut all: BTreeMap<Monomial, usize> = BTreeMap::from([(Vec::new(), 0)]);
        for mut monomial in wanted {
            while all.insert(monomial.clone(), 0).is_none() && monomial.pop().is_some() {}
        }
        let mut monomials: Vec<Monomial> = all.into_keys().collect();
        let last = |m: &Monomial| m.last().map_or(0, |f| f.0 + 1);
        monomials.sort_by(|a, b| last(a).cmp(&last(b)).then_with(|| a.cmp(b)));
        let number: BTreeMap<Monomial, usize> =
            monomials.iter().enumerate().map(|(k, m)| (m.clone(), k)).collect();
        let rest = monomials
            .iter()
            .map(|m| {
                let shorter = m.split_last().map_or(&[][..], |(_, rest)| rest);
                number.get(shorter).copied().unwrap_or(0)
            })
            .collect();
        let starts = (0..=functions.len()).map(|k| monomials.partition_point(|m| last(m) <= k)).collect();
        let range = |m: &Monomial| {
            m.iter().fold([1.0, 1.0], |[low, high], (site, f)| {
                let values = &functions[*site][f - 1];
                let least = values.iter().copied().fold(f64::INFINITY, f64::min);
                let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let ends = [low * least, low * most, high * least, high * most];
                [
                    ends.iter().copied().fold(f64::INFINITY, f64::min),
                    ends.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                ]
            })
        };
        let ranges = monomials.iter().map(range).collect();
        Self { functions, monomials, number, rest, starts, ranges }
    }

    pub(super) fn len(&self) -> usize {
        self.monomials.len()
    }

    /// Number of a product.
    pub(super) fn number(&self, monomial: &[(usize, usize)]) -> Option<usize> {
        self.number.get(monomial).copied()
    }

    /// Values of all products in a state.
    pub(super) fn values(&self, state: &[u8]) -> Vec<f64> {
        let mut out = vec![1.0; self.len()];
        for (k, m) in self.monomials.iter().enumerate() {
            if let Some((site, f)) = m.last() {
                out[k] = out[self.rest[k]] * self.functions[*site][f - 1][usize::from(state[*site])];
            }
        }
        out
    }

    /// The smallest value of sum_k c_k m_k over all states below `above`, or none below it.
    pub(super) fn minimise(&self, coefficients: &[f64], above: f64, most_nodes: u64) -> Minimum {
        let sites = self.functions.len();
        let mut search = Search {
            best: above,
            states: Vec::new(),
            unopened: f64::INFINITY,
            nodes: 0,
            most_nodes,
            state: vec![0; sites],
            stack: (0..=sites).map(|k| vec![0.0; self.starts[k]]).collect(),
        };
        search.stack[sites].copy_from_slice(coefficients);
        self.open(sites, &mut search);
        Minimum { bound: search.best.min(search.unopened), states: search.states, nodes: search.nodes }
    }

    fn bound(&self, coefficients: &[f64]) -> f64 {
        let terms = coefficients.iter().zip(&self.ranges);
        terms.map(|(c, [low, high])| if *c > 0.0 { c * low } else { c * high }).sum()
    }

    /// Opens the node in which the first `left` sites are free.
    fn open(&self, left: usize, search: &mut Search) {
        search.nodes += 1;
        if left == 0 {
            let value = search.stack[0][0];
            if value < search.best {
                search.best = value;
                search.states.push(search.state.clone());
            }
            return;
        }
        if left >= WORTH_BOUNDING {
            let bound = self.bound(&search.stack[left]);
            if bound >= search.best {
                return;
            }
            if search.nodes >= search.most_nodes {
                search.unopened = search.unopened.min(bound);
                return;
            }
        }
        let site = left - 1;
        let species = self.functions[site].first().map_or(1, Vec::len);
        // The species whose rest is bounded lower first: good states early close more nodes.
        let mut order: Vec<(f64, u8)> = Vec::with_capacity(species);
        for s in 0..species {
            if left > WORTH_BOUNDING {
                self.assign(site, s, search);
                order.push((self.bound(&search.stack[site]), s as u8));
            } else {
                order.push((0.0, s as u8));
            }
        }
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (_, s) in order {
            self.assign(site, usize::from(s), search);
            search.state[site] = s;
            self.open(site, search);
        }
    }

    /// Coefficients with the last free site given a species.
    fn assign(&self, site: usize, species: usize, search: &mut Search) {
        let kept = self.starts[site];
        let (lower, upper) = search.stack.split_at_mut(site + 1);
        let (to, from) = (&mut lower[site], &upper[0]);
        to.copy_from_slice(&from[..kept]);
        for (k, c) in from.iter().enumerate().skip(kept) {
            if let Some((_, f)) = self.monomials[k].last() {
                to[self.rest[k]] += c * self.functions[site][f - 1][species];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scalade_numerics::Philox;

    #[test]
    fn minima_are_those_of_all_states() {
        let mut rng = Philox::new(1, 0, 0);
        for trial in 0..40 {
            let species: Vec<usize> = (0..6).map(|_| 2 + rng.below(2) as usize).collect();
            let functions: Vec<Functions> = species
                .iter()
                .map(|m| (1..*m).map(|_| (0..*m).map(|_| rng.normal()).collect()).collect())
                .collect();
            let mut wanted = Vec::new();
            for a in 0..6 {
                for b in a + 1..6 {
                    wanted.push(vec![(a, 1), (b, species[b] - 1)]);
                    if b < 5 {
                        wanted.push(vec![(a, 1), (b, 1), (5, 1)]);
                    }
                }
            }
            let polynomial = Polynomial::new(functions, wanted);
            let coefficients: Vec<f64> = (0..polynomial.len()).map(|_| rng.normal()).collect();
            let value = |state: &[u8]| -> f64 {
                polynomial.values(state).iter().zip(&coefficients).map(|(v, c)| v * c).sum()
            };
            let mut state = vec![0u8; 6];
            let mut least = f64::INFINITY;
            'all: loop {
                least = least.min(value(&state));
                for (site, s) in state.iter_mut().enumerate() {
                    *s += 1;
                    if usize::from(*s) < species[site] {
                        continue 'all;
                    }
                    *s = 0;
                }
                break;
            }
            let found = polynomial.minimise(&coefficients, f64::INFINITY, u64::MAX);
            assert!((found.bound - least).abs() < 1e-12, "{trial}: {} {least}", found.bound);
            assert!((value(found.states.last().unwrap()) - least).abs() < 1e-12);
            // Nothing below the smallest value; a search cut short says less, never more.
            let none = polynomial.minimise(&coefficients, least - 1e-9, u64::MAX);
            assert!(none.states.is_empty() && (none.bound - (least - 1e-9)).abs() < 1e-12);
            let short = polynomial.minimise(&coefficients, f64::INFINITY, 3);
            assert!(short.bound <= least + 1e-12);
        }
    }
}
