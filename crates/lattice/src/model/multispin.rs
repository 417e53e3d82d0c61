//! The fast kernel: 64 sites to a machine word.
//!
//! The 64 bits of a word are lanes. With one slab, lane r is the site of replica r of the box: 64 independent copies. A large box is cut along
//! one axis into S slabs (a power of two) of more than the longest bond each; lane s R + r is the site of slab s in replica r of R = 64/S.
//! A bond that leaves its slab is a rotation of the word by R lanes, so all lanes of a word update at once and the law of each replica is that
//! of one box, whatever S.
//!
//! Sites are visited in order and drawn from their conditional distribution (heat bath): P(occupied) = 1/(1 + exp((gap - mu)/kT)) with the gap
//! of [`Counted::gap`]. That is stationary for the semi-grand-canonical weight and, unlike Metropolis in order, always ergodic.
//! Occupied neighbours (clusters whose other spins have a product of +1) are counted class by class in bit planes. For few combinations of counts, a uniform number per lane is compared bit by
//! bit, most significant first, with the threshold of its combination until all lanes are decided: exact to 2^-64 with about eight random
//! words for 64 sites. For many combinations the planes are transposed to an index per lane into a table of 32-bit thresholds, or into a few
//! tables whose entries are summed to the gap.
//! (Multi-spin coding: L. Jacobs and C. Rebbi, J. Comput. Phys. 41, 203 (1981); bitwise comparison as in the sampling of Bernoulli vectors.)

use super::Variables;
use super::conditional_law::{Law, MOST_PLANES, transpose_8x8};
use super::counted::{Counted, Seen};
use crate::LatticeError;
use crate::metropolis::Words;
use scalade_crystal::LatticeSite;
use std::collections::{BTreeMap, BTreeSet};

/// Most distinct sites that share a cluster with one.
const MOST_NEAR: usize = 256;

/// Contribution of a coordinate to the number of a word, and the rotation it brings.
#[derive(Clone, Copy, Debug)]
struct Place {
    index: u32,
    rotation: u32,
}

/// A site relative to another one.
#[derive(Clone, Copy, Debug)]
struct Step {
    cell: [i32; 3],
    basis: u32,
}

/// Clusters of one class and one number of other sites, as numbers of steps: `width` each.
#[derive(Clone, Debug)]
struct Class {
    number: usize,
    width: usize,
    steps: Vec<u16>,
    /// Bit planes of their count.
    planes: usize,
}

#[derive(Clone, Debug)]
struct Sublattice {
    /// The distinct sites that clusters through a site hold beside it; with pairs alone one for each pair, class by class.
    around: Vec<Step>,
    /// Whether every cluster is a pair, so that step n belongs to pair n.
    pairs: bool,
    classes: Vec<Class>,
    /// The distinct other sites of the clusters that are observed from here, and those clusters.
    seen: Vec<Step>,
    observed: Vec<Class>,
    law: Law,
}

/// 64 lanes of a model of clusters.
#[derive(Clone, Debug)]
pub struct Multispin {
    dims: [usize; 3],
    slabs: usize,
    replicas: usize,
    sites: usize,
    words: Vec<u64>,
    places: [Vec<Place>; 3],
    reach: [i32; 3],
    sublattices: Vec<Sublattice>,
    variables: Variables,
    energies: Vec<f64>,
    constant: f64,
    /// Clusters of each class in the box.
    totals: Vec<i64>,
    random: Words,
    draws: u64,
    flips: u64,
}

/// Energy and number of occupied sites of a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Observed {
    /// Energy of the box.
    pub energy: f64,
    /// Number of occupied sites.
    pub occupied: f64,
}

fn plane_count(coordination: usize) -> usize {
    (usize::BITS - coordination.leading_zeros()) as usize
}

impl Multispin {
    /// Whether the counts of the model fit into the planes of this kernel.
    pub fn suits<M: Counted + ?Sized>(model: &M) -> bool {
        (0..model.grid().basis()).all(|b| {
            let planes = model.coordination(b).into_iter().map(plane_count);
            let (through, once) = (model.through(b), model.once(b));
            let near = |seen: &[Seen<'_>]| {
                seen.iter().flat_map(|(_, others)| *others).collect::<BTreeSet<_>>().len() <= MOST_NEAR
            };
            planes.sum::<usize>() <= MOST_PLANES && near(&through) && near(&once)
        })
    }

    /// The kernel with all sites vacant, driven by the random stream (seed, stream, replica). At least `fewest_replicas` independent copies
    /// of the box are kept (at most 64).
    pub fn new<M: Counted + ?Sized>(
        model: &M,
        fewest_replicas: usize,
        seed: u64,
        stream: u32,
        replica: u32,
    ) -> Result<Self, LatticeError> {
        if !Self::suits(model) {
            return Err(LatticeError::TooMany {
                what: "bits of the neighbour counts of a site",
                count: MOST_PLANES + 1,
                limit: MOST_PLANES,
            });
        }
        let grid = model.grid();
        let basis = grid.basis();
        let mut reach = [0; 3];
        for b in 0..basis {
            for site in model.through(b).into_iter().chain(model.once(b)).flat_map(|(_, others)| others) {
                for (r, c) in reach.iter_mut().zip(site.cell) {
                    *r = (*r).max(c.abs());
                }
            }
        }
        let (order, slabs) = decomposition(grid.dims(), reach, 64 / fewest_replicas.clamp(1, 64));
        let replicas = 64 / slabs;
        let mut dims = order.map(|a| grid.dims()[a]);
        dims[0] /= slabs;
        let reach = order.map(|a| reach[a]);
        let stride = [dims[1] * dims[2] * basis, dims[2] * basis, basis];
        let places = std::array::from_fn(|a| {
            (-reach[a]..dims[a] as i32 + reach[a])
                .map(|x| Place {
                    index: (x.rem_euclid(dims[a] as i32) as usize * stride[a]) as u32,
                    rotation: if a == 0 {
                        (x.div_euclid(dims[0] as i32) * replicas as i32).rem_euclid(64) as u32
                    } else {
                        0
                    },
                })
                .collect()
        });
        let sublattices = (0..basis).map(|b| sublattice(model, b, order)).collect();
        Ok(Self {
            dims,
            slabs,
            replicas,
            sites: grid.sites(),
            words: vec![0; grid.sites() / slabs],
            places,
            reach,
            sublattices,
            variables: model.variables(),
            energies: model.energies(),
            constant: model.constant(),
            totals: model.totals(),
            random: Words::new(seed, stream, replica),
            draws: 0,
            flips: 0,
        })
    }

    /// Independent copies of the box.
    pub fn replicas(&self) -> usize {
        self.replicas
    }

    /// Sites of a copy.
    pub fn sites(&self) -> usize {
        self.sites
    }

    /// Slabs into which each copy is cut.
    pub fn slabs(&self) -> usize {
        self.slabs
    }

    /// Sets the conditional law for a temperature and a chemical potential, and counts the acceptance anew.
    pub fn set_law<M: Counted + ?Sized>(&mut self, model: &M, kt: f64, mu: f64) {
        (self.draws, self.flips) = (0, 0);
        for (b, sublattice) in self.sublattices.iter_mut().enumerate() {
            sublattice.law = Law::new(model, b, &all_planes(sublattice, self.energies.len()), kt, mu);
        }
    }

    /// Sets every word.
    pub fn fill(&mut self, word: u64) {
        self.words.fill(word);
    }

    /// Sets every lane at random, occupied with probability one half.
    pub fn randomize(&mut self) {
        for word in &mut self.words {
            let [a, b] = self.random.pair();
            *word = u64::from(a) | u64::from(b) << 32;
        }
    }

    /// One sweep: each site of each replica is drawn once.
    pub fn sweep(&mut self) {
        let sublattices = std::mem::take(&mut self.sublattices);
        let mut rows: Vec<Vec<(u32, u32)>> =
            sublattices.iter().map(|s| vec![(0, 0); s.around.len()]).collect();
        let basis = sublattices.len();
        for i in 0..self.dims[0] {
            for j in 0..self.dims[1] {
                for (row, sublattice) in rows.iter_mut().zip(&sublattices) {
                    self.row(i, j, &sublattice.around, row);
                }
                let start = (i * self.dims[1] + j) * self.dims[2] * basis;
                for k in 0..self.dims[2] {
                    for (b, sublattice) in sublattices.iter().enumerate() {
                        let at = start + k * basis + b;
                        let drawn = self.draw(sublattice, &rows[b], k);
                        self.flips += u64::from((self.words[at] ^ drawn).count_ones());
                        self.words[at] = drawn;
                    }
                }
            }
        }
        self.sublattices = sublattices;
        self.draws += 64 * self.words.len() as u64;
    }

    /// How many moves of a model with few combinations of counts cost as much as one of this.
    pub fn cost(&self) -> u64 {
        let costly = |s: &Sublattice| Law::is_costly(&all_planes(s, self.energies.len()));
        if self.sublattices.iter().any(costly) { 5 } else { 1 }
    }

    /// Share of the sites drawn so far that changed.
    pub fn acceptance(&self) -> f64 {
        self.flips as f64 / self.draws.max(1) as f64
    }

    /// Number of the word and rotation of each step from row (i, j), without the innermost coordinate.
    fn row(&self, i: usize, j: usize, steps: &[Step], row: &mut [(u32, u32)]) {
        for (out, step) in row.iter_mut().zip(steps) {
            let a = self.places[0][(i as i32 + step.cell[0] + self.reach[0]) as usize];
            let b = self.places[1][(j as i32 + step.cell[1] + self.reach[1]) as usize];
            *out = (a.index + b.index + step.basis, a.rotation);
        }
    }

    #[inline]
    fn word(&self, row: (u32, u32), step: &Step, k: usize) -> u64 {
        let c = self.places[2][(k as i32 + step.cell[2] + self.reach[2]) as usize];
        self.words[(row.0 + c.index) as usize].rotate_right(row.1)
    }

    #[inline]
    fn draw(&mut self, sublattice: &Sublattice, row: &[(u32, u32)], k: usize) -> u64 {
        let mut planes = [0u64; MOST_PLANES];
        let used = if sublattice.pairs {
            self.count_pairs(sublattice, row, k, &mut planes)
        } else {
            self.count_clusters(sublattice, row, k, &mut planes)
        };
        sublattice.law.draw(&planes[..used], &mut self.random)
    }

    /// Counts occupied neighbours class by class; returns the number of planes.
    #[inline]
    fn count_pairs(
        &self,
        sublattice: &Sublattice,
        row: &[(u32, u32)],
        k: usize,
        planes: &mut [u64; MOST_PLANES],
    ) -> usize {
        let (mut first, mut at) = (0, 0);
        for class in &sublattice.classes {
            let mine = &mut planes[first..first + class.planes];
            let end = at + class.steps.len();
            while at + 1 < end {
                let a = self.word(row[at], &sublattice.around[at], k);
                let b = self.word(row[at + 1], &sublattice.around[at + 1], k);
                add_two(mine, a, b);
                at += 2;
            }
            if at < end {
                add_one(mine, self.word(row[at], &sublattice.around[at], k));
                at += 1;
            }
            first += class.planes;
        }
        first
    }

    /// Counts clusters of any size whose other spins have a product of +1.
    #[inline]
    fn count_clusters(
        &self,
        sublattice: &Sublattice,
        row: &[(u32, u32)],
        k: usize,
        planes: &mut [u64; MOST_PLANES],
    ) -> usize {
        let mut near = [0u64; MOST_NEAR];
        for ((word, row), step) in near.iter_mut().zip(row).zip(&sublattice.around) {
            *word = self.word(*row, step, k);
        }
        let mut first = 0;
        for class in &sublattice.classes {
            let mine = &mut planes[first..first + class.planes];
            let odd_turns = class.even();
            let mut clusters = class.steps.chunks_exact(class.width);
            while let Some(a) = clusters.next() {
                let a = product(&near, a) ^ odd_turns;
                match clusters.next() {
                    Some(b) => add_two(mine, a, product(&near, b) ^ odd_turns),
                    None => add_one(mine, a),
                }
            }
            first += class.planes;
        }
        first
    }

    /// Energy and number of occupied sites of each replica, from scratch and in integers.
    pub fn observe(&self, out: &mut Vec<Observed>) {
        let classes = self.energies.len();
        let mut counters = vec![LaneCounter::default(); classes + 1];
        let basis = self.sublattices.len();
        let mut rows: Vec<Vec<(u32, u32)>> =
            self.sublattices.iter().map(|s| vec![(0, 0); s.seen.len()]).collect();
        let spins = self.variables == Variables::Spin;
        let mut near = [0u64; MOST_NEAR];
        for i in 0..self.dims[0] {
            for j in 0..self.dims[1] {
                for (row, sublattice) in rows.iter_mut().zip(&self.sublattices) {
                    self.row(i, j, &sublattice.seen, row);
                }
                let start = (i * self.dims[1] + j) * self.dims[2] * basis;
                for k in 0..self.dims[2] {
                    for (b, sublattice) in self.sublattices.iter().enumerate() {
                        let here = self.words[start + k * basis + b];
                        counters[classes].add(here);
                        for ((word, row), step) in near.iter_mut().zip(&rows[b]).zip(&sublattice.seen) {
                            *word = self.word(*row, step, k);
                        }
                        for class in &sublattice.observed {
                            let counter = &mut counters[class.number];
                            if class.width == 0 {
                                counter.add(!here);
                            } else if spins {
                                // Set where the product of the spins is -1: an odd number of vacant sites.
                                let turns = here ^ class.even();
                                let clusters = class.steps.chunks_exact(class.width);
                                clusters.for_each(|c| counter.add(product(&near, c) ^ turns));
                            } else {
                                class.steps.iter().for_each(|n| counter.add(here & near[usize::from(*n)]));
                            }
                        }
                    }
                }
            }
        }
        out.clear();
        out.resize(self.replicas, Observed { energy: self.constant, occupied: 0.0 });
        for (class, counter) in counters.iter_mut().enumerate() {
            let lanes = counter.lanes();
            for (replica, observed) in out.iter_mut().enumerate() {
                let count: u64 = lanes.iter().skip(replica).step_by(self.replicas).sum();
                if class == classes {
                    observed.occupied = count as f64;
                } else {
                    let sum = if spins { self.totals[class] - 2 * count as i64 } else { count as i64 };
                    observed.energy += self.energies[class] * sum as f64;
                }
            }
        }
    }

    /// Exchanges the configurations of the replicas whose bit is set in `which` (bit r = replica r) with another kernel of the same box.
    pub fn exchange(&mut self, other: &mut Self, which: u64) {
        let mask = (0..self.slabs).fold(0u64, |m, s| m | which << (s * self.replicas));
        for (a, b) in self.words.iter_mut().zip(&mut other.words) {
            let difference = (*a ^ *b) & mask;
            *a ^= difference;
            *b ^= difference;
        }
    }

    /// A random word of the stream of this kernel.
    pub fn random_word(&mut self) -> u64 {
        let [a, b] = self.random.pair();
        u64::from(a) | u64::from(b) << 32
    }
}

/// Order of the axes (the one that is cut first, the longest of the others last) and the number of slabs, at most `most`.
fn decomposition(dims: [usize; 3], reach: [i32; 3], most: usize) -> ([usize; 3], usize) {
    let mut best = (0, 1);
    for axis in 0..3 {
        let mut slabs = 1;
        while slabs * 2 <= most
            && dims[axis].is_multiple_of(slabs * 2)
            && dims[axis] / (slabs * 2) > reach[axis] as usize
        {
            slabs *= 2;
        }
        if slabs > best.1 {
            best = (axis, slabs);
        }
    }
    let mut others: Vec<usize> = (0..3).filter(|a| *a != best.0).collect();
    others.sort_by_key(|a| dims[*a]);
    ([best.0, others[0], others[1]], best.1)
}

/// Planes of every class, in order of the classes that a site counts.
fn all_planes(sublattice: &Sublattice, classes: usize) -> Vec<usize> {
    let mut planes = vec![0; classes];
    for class in &sublattice.classes {
        planes[class.number] += class.planes;
    }
    planes
}

impl Class {
    /// All ones if the number of other sites is even: the exclusive or of their occupations is then the opposite of their spins' product.
    #[inline]
    fn even(&self) -> u64 {
        if self.width.is_multiple_of(2) { !0 } else { 0 }
    }
}

/// The exclusive or of words.
#[inline]
fn product(near: &[u64; MOST_NEAR], numbers: &[u16]) -> u64 {
    numbers.iter().fold(0, |x, n| x ^ near[usize::from(*n) % MOST_NEAR])
}

/// Adds a bit to each lane's count.
#[inline]
fn add_one(planes: &mut [u64], bit: u64) {
    let mut carry = bit;
    for plane in planes {
        let next = *plane & carry;
        *plane ^= carry;
        carry = next;
    }
}

/// Adds two bits to each lane's count: through a full adder into the lowest plane.
#[inline]
fn add_two(planes: &mut [u64], a: u64, b: u64) {
    let Some((lowest, higher)) = planes.split_first_mut() else { return };
    let half = *lowest ^ a;
    let carry = (*lowest & a) | (half & b);
    *lowest = half ^ b;
    add_one(higher, carry);
}

/// Distinct steps and clusters class by class in numbers of steps; with `repeat`, every site of a cluster has a step of its own.
fn compile(seen: &[Seen<'_>], order: [usize; 3], repeat: bool) -> (Vec<Step>, Vec<Class>) {
    let mut numbers: BTreeMap<LatticeSite, u16> = BTreeMap::new();
    let (mut steps, mut classes): (Vec<Step>, Vec<Class>) = (Vec::new(), Vec::new());
    for (class, others) in seen {
        let known = classes.last().is_some_and(|c| c.number == *class && c.width == others.len());
        if !known {
            classes.push(Class { number: *class, width: others.len(), steps: Vec::new(), planes: 0 });
        }
        for site in *others {
            let next = steps.len() as u16;
            let number = if repeat { next } else { *numbers.entry(*site).or_insert(next) };
            if number == next {
                steps.push(Step { cell: order.map(|a| site.cell[a]), basis: site.basis as u32 });
            }
            if let Some(last) = classes.last_mut() {
                last.steps.push(number);
            }
        }
    }
    for class in &mut classes {
        class.planes = plane_count(class.steps.len() / class.width.max(1));
    }
    (steps, classes)
}

fn sublattice<M: Counted + ?Sized>(model: &M, b: usize, order: [usize; 3]) -> Sublattice {
    let through = model.through(b);
    let pairs = through.iter().all(|(_, others)| others.len() == 1);
    let (around, classes) = compile(&through, order, pairs);
    let (seen, observed) = compile(&model.once(b), order, false);
    Sublattice { around, pairs, classes, seen, observed, law: Law::Table(Vec::new()) }
}

/// Counts the set bits of each lane over many words.
#[derive(Clone, Debug)]
struct LaneCounter {
    planes: [u64; 8],
    added: u32,
    totals: [u64; 64],
}

impl Default for LaneCounter {
    fn default() -> Self {
        Self { planes: [0; 8], added: 0, totals: [0; 64] }
    }
}

impl LaneCounter {
    #[inline]
    fn add(&mut self, word: u64) {
        add_one(&mut self.planes, word);
        self.added += 1;
        if self.added == 255 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        for group in 0..8 {
            let square = (0..8).fold(0u64, |s, p| s | (self.planes[p] >> (8 * group) & 0xff) << (8 * p));
            let bytes = transpose_8x8(square).to_le_bytes();
            for (total, byte) in self.totals[8 * group..8 * group + 8].iter_mut().zip(bytes) {
                *total += u64::from(byte);
            }
        }
        self.planes = [0; 8];
        self.added = 0;
    }

    fn lanes(&mut self) -> [u64; 64] {
        self.flush();
        self.totals
    }
}

#[cfg(test)]
mod tests {
    use super::super::PairModel;
    use super::*;
    use scalade_crystal::NamedLattice;

    /// The occupation of a replica in the numbering of the model's grid.
    fn occupation(kernel: &Multispin, model: &PairModel, order: [usize; 3], replica: usize) -> Vec<u8> {
        let basis = model.grid().basis();
        (0..model.sites())
            .map(|site| {
                let here = model.grid().site(site);
                let cell = order.map(|a| here.cell[a] as usize);
                let (slab, x) = (cell[0] / kernel.dims[0], cell[0] % kernel.dims[0]);
                let word = ((x * kernel.dims[1] + cell[1]) * kernel.dims[2] + cell[2]) * basis + here.basis;
                (kernel.words[word] >> (slab * kernel.replicas + replica) & 1) as u8
            })
            .collect()
    }

    #[test]
    fn lanes_are_boxes_with_the_reference_energy() {
        for (lattice, size, pairs, fewest, slabs) in [
            (NamedLattice::Square, vec![6, 5], vec![-1.0, 0.3], 64, 1),
            (NamedLattice::Square, vec![64, 3], vec![-1.0], 1, 32),
            (NamedLattice::Triangular, vec![7, 32], vec![0.7, 0.2, -0.1], 4, 8),
            (NamedLattice::Honeycomb, vec![8, 2], vec![1.0, -0.5], 1, 4),
            (NamedLattice::Fcc, vec![2, 8, 3], vec![-1.0, 0.25, 0.5], 1, 2),
            (NamedLattice::Chain, vec![256], vec![1.0, 0.5], 1, 64),
            (NamedLattice::Chain, vec![2], vec![1.0, 0.5], 1, 1),
        ] {
            for variables in [Variables::Spin, Variables::Occupation] {
                let model = PairModel::named(lattice, &size, variables, &pairs).unwrap();
                let mut kernel = Multispin::new(&model, fewest, 5, 0, 0).unwrap();
                assert_eq!(kernel.slabs, slabs, "{lattice:?} {size:?}");
                let reach: [i32; 3] = std::array::from_fn(|a| {
                    let cells = model.shells().iter().flat_map(|s| s.neighbours.iter().flatten());
                    cells.map(|s| s.cell[a].abs()).max().unwrap()
                });
                let (order, _) = decomposition(model.grid().dims(), reach, 64 / fewest);
                kernel.randomize();
                kernel.set_law(&model, 2.0, 0.3);
                kernel.sweep();
                let mut observed = Vec::new();
                kernel.observe(&mut observed);
                assert_eq!(observed.len(), 64 / slabs);
                for (r, o) in observed.iter().enumerate() {
                    let occupied = occupation(&kernel, &model, order, r);
                    assert_eq!(o.occupied, occupied.iter().map(|n| f64::from(*n)).sum::<f64>());
                    let energy = model.reference_energy(&occupied);
                    assert!(
                        (o.energy - energy).abs() < 1e-9,
                        "{lattice:?} {variables:?} {r}: {} {energy}",
                        o.energy
                    );
                }
            }
        }
    }
}
