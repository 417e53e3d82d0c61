//! Many-body terms seen from one sublattice, on a gathered copy of the neighbourhood.
//!
//! All cells see the same terms, so that only the list of neighbours is stored for every cell; spins of the neighbours are gathered into a
//! small array, the terms are evaluated there, and the sums are handed back for each neighbour.

use scalade_crystal::{LatticeSite, SiteGrid};
use std::collections::BTreeMap;

/// Most neighbours: local numbers are bytes, whose range needs no bounds check in arrays of this length.
const MOST_NEIGHBOURS: usize = 256;

/// Gathered spins and accumulated sums.
#[derive(Clone, Debug)]
pub(crate) struct Scratch {
    spin: Box<[f64; MOST_NEIGHBOURS]>,
    sum: Box<[f64; MOST_NEIGHBOURS]>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { spin: Box::new([0.0; MOST_NEIGHBOURS]), sum: Box::new([0.0; MOST_NEIGHBOURS]) }
    }
}

/// Terms that share all sites but the last: coefficients and last sites at `first..last` of the item lists.
#[derive(Clone, Debug)]
struct Group<const N: usize> {
    shared: [u8; N],
    first: u32,
    last: u32,
}

/// Terms with N + 1 other sites, grouped by the first N.
#[derive(Clone, Debug, Default)]
struct Terms<const N: usize> {
    groups: Vec<Group<N>>,
    items: Vec<(f64, u8)>,
}

impl<const N: usize> Terms<N> {
    fn push(&mut self, shared: [u8; N], item: u8, coefficient: f64) {
        let first = self.items.len() as u32;
        self.items.push((coefficient, item));
        match self.groups.last_mut() {
            Some(group) if group.shared == shared => group.last = first + 1,
            _ => self.groups.push(Group { shared, first, last: first + 1 }),
        }
    }

    fn of(&self, group: &Group<N>) -> &[(f64, u8)] {
        &self.items[group.first as usize..group.last as usize]
    }
}

/// Terms of order three and more (two and more other sites) seen from one sublattice.
#[derive(Clone, Debug)]
pub(crate) struct LocalTerms {
    width: usize,
    /// Site indices, `[site on this sublattice][neighbour]`.
    neighbours: Vec<u32>,
    triplets: Terms<1>,
    quadruplets: Terms<2>,
    larger: Vec<(Vec<u8>, f64)>,
}

impl LocalTerms {
    /// Compiles terms given by the offsets of their other sites; `None` if they involve more than 256 neighbours.
    pub fn new<'a>(
        grid: &SiteGrid,
        basis: usize,
        terms: impl Iterator<Item = (&'a [LatticeSite], f64)>,
    ) -> Option<Self> {
        let mut numbers: BTreeMap<usize, (usize, LatticeSite)> = BTreeMap::new();
        let mut local: Vec<(Vec<u8>, f64)> = Vec::new();
        for (sites, coefficient) in terms {
            let mut ids = Vec::with_capacity(sites.len());
            for site in sites {
                let next = numbers.len();
                let id = numbers.entry(grid.offset(basis, *site)).or_insert((next, *site)).0;
                ids.push(u8::try_from(id).ok()?);
            }
            ids.sort_unstable();
            local.push((ids, coefficient));
        }
        local.sort_by(|a, b| a.0.cmp(&b.0));
        let mut sites: Vec<(usize, LatticeSite)> = numbers.into_values().collect();
        sites.sort_unstable();
        let mut neighbours = Vec::with_capacity(grid.cells() * sites.len());
        for cell in 0..grid.cells() {
            let from = cell * grid.basis() + basis;
            neighbours.extend(sites.iter().map(|(_, s)| grid.offset(from, *s) as u32));
        }
        let (mut triplets, mut quadruplets) = (Terms::default(), Terms::default());
        let mut larger = Vec::new();
        for (ids, coefficient) in local {
            match ids[..] {
                [a, b] => triplets.push([a], b, coefficient),
                [a, b, c] => quadruplets.push([a, b], c, coefficient),
                _ => larger.push((ids, coefficient)),
            }
        }
        Some(Self { width: sites.len(), neighbours, triplets, quadruplets, larger })
    }

    fn near(&self, cell: usize) -> &[u32] {
        &self.neighbours[cell * self.width..(cell + 1) * self.width]
    }

    fn gather(&self, cell: usize, spin: &[f64], scratch: &mut Scratch) {
        for (local, site) in scratch.spin.iter_mut().zip(self.near(cell)) {
            *local = spin[*site as usize];
        }
    }

    /// Sums of the terms by the number of other sites, times what a site's share of the energy needs: (sum, sum/order).
    pub fn sums(&self, cell: usize, spin: &[f64], scratch: &mut Scratch) -> (f64, f64) {
        self.gather(cell, spin, scratch);
        let s = &scratch.spin;
        let at = |id: u8| s[usize::from(id)];
        let (mut three, mut four) = (0.0, 0.0);
        for group in &self.triplets.groups {
            let inner: f64 = self.triplets.of(group).iter().map(|(c, b)| c * at(*b)).sum();
            three += at(group.shared[0]) * inner;
        }
        for group in &self.quadruplets.groups {
            let inner: f64 = self.quadruplets.of(group).iter().map(|(c, b)| c * at(*b)).sum();
            four += at(group.shared[0]) * at(group.shared[1]) * inner;
        }
        let (mut sum, mut share) = (three + four, three / 3.0 + four / 4.0);
        for (ids, coefficient) in &self.larger {
            let term = coefficient * ids.iter().map(|id| at(*id)).product::<f64>();
            sum += term;
            share += term / (ids.len() + 1) as f64;
        }
        (sum, share)
    }

    /// Adds `change` times the derivative of the terms with respect to each neighbour's spin to that neighbour's field.
    pub fn spread(&self, cell: usize, change: f64, spin: &[f64], field: &mut [f64], scratch: &mut Scratch) {
        self.gather(cell, spin, scratch);
        let Scratch { spin: s, sum } = scratch;
        sum[..self.width].fill(0.0);
        for group in &self.triplets.groups {
            let a = usize::from(group.shared[0]);
            let own = s[a];
            let mut inner = 0.0;
            for (c, b) in self.triplets.of(group) {
                let b = usize::from(*b);
                inner += c * s[b];
                sum[b] += c * own;
            }
            sum[a] += inner;
        }
        for group in &self.quadruplets.groups {
            let [a, b] = group.shared.map(usize::from);
            let own = s[a] * s[b];
            let mut inner = 0.0;
            for (c, k) in self.quadruplets.of(group) {
                let k = usize::from(*k);
                inner += c * s[k];
                sum[k] += c * own;
            }
            sum[a] += s[b] * inner;
            sum[b] += s[a] * inner;
        }
        for (ids, coefficient) in &self.larger {
            let product: f64 = coefficient * ids.iter().map(|id| s[usize::from(*id)]).product::<f64>();
            for id in ids {
                // Spins are +-1: dividing by one is multiplying by it.
                sum[usize::from(*id)] += product * s[usize::from(*id)];
            }
        }
        for (site, sum) in self.near(cell).iter().zip(sum.iter()) {
            field[*site as usize] += change * sum;
        }
    }
}
