//! The fast kernel: 64 sites to a machine word.
//!
//! The 64 bits of a word are lanes. With one slab, lane r is the site of replica r of the box: 64 independent copies. A large box is cut along
//! one axis into S slabs (a power of two) of more than the longest bond each; lane s R + r is the site of slab s in replica r of R = 64/S.
//! A bond that leaves its slab is a rotation of the word by R lanes, so all lanes of a word update at once and the law of each replica is that
//! of one box, whatever S.
//!
//! Sites are visited in order and drawn from their conditional distribution (heat bath): P(occupied) = 1/(1 + exp((gap - mu)/kT)) with the gap
//! of [`PairModel::gap`]. That is stationary for the semi-grand-canonical weight and, unlike Metropolis in order, always ergodic.
//! Occupied neighbours are counted shell by shell in bit planes. For few combinations of counts, a uniform number per lane is compared bit by
//! bit, most significant first, with the threshold of its combination until all lanes are decided: exact to 2^-64 with about eight random
//! words for 64 sites. For many combinations the planes are transposed to an index per lane into a table of 32-bit thresholds.
//! (Multi-spin coding: L. Jacobs and C. Rebbi, J. Comput. Phys. 41, 203 (1981); bitwise comparison as in the sampling of Bernoulli vectors.)

use super::{PairModel, Variables};
use crate::LatticeError;
use crate::metropolis::Words;
use scalade_crystal::LatticeSite;

/// Most bit planes of the counts of one site.
const MOST_PLANES: usize = 20;
/// Most planes for which combinations are told apart by masks.
const MASK_PLANES: usize = 5;

/// Contribution of a coordinate to the number of a word, and the rotation it brings.
#[derive(Clone, Copy, Debug)]
struct Place {
    index: u32,
    rotation: u32,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    shell: usize,
    cell: [i32; 3],
    basis: u32,
}

/// The conditional law of the sites of one sublattice.
#[derive(Clone, Debug)]
enum Law {
    /// Used combinations of counts, and for each bit of the thresholds (most significant first) a mask per combination.
    Masks { used: Vec<usize>, bits: Vec<u64> },
    /// Threshold by index.
    Table(Vec<u32>),
}

#[derive(Clone, Debug)]
struct Sublattice {
    /// Neighbours by shell, without own images.
    steps: Vec<Step>,
    /// First step of each shell, and the end.
    starts: Vec<usize>,
    /// Bit planes of each shell.
    planes: Vec<usize>,
    /// One end of every bond.
    bonds: Vec<Step>,
    law: Law,
}

/// 64 lanes of a pair model.
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
    /// Bonds of each shell in the box.
    bonds: Vec<i64>,
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
    pub fn suits(model: &PairModel) -> bool {
        (0..model.grid().basis()).all(|b| {
            let planes: usize =
                (0..model.shells().len()).map(|k| plane_count(model.coordination(b, k))).sum();
            planes <= MOST_PLANES
        })
    }

    /// The kernel with all sites vacant, driven by the random stream (seed, stream, replica). At least `fewest_replicas` independent copies
    /// of the box are kept (at most 64).
    pub fn new(
        model: &PairModel,
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
        for site in model.shells().iter().flat_map(|s| s.neighbours.iter().flatten()) {
            for (r, c) in reach.iter_mut().zip(site.cell) {
                *r = (*r).max(c.abs());
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
        let bonds = (0..model.shells().len())
            .map(|k| {
                model.shells()[k].neighbours.iter().map(Vec::len).sum::<usize>() as i64 / 2
                    * grid.cells() as i64
            })
            .collect();
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
            energies: model.shells().iter().map(|s| s.energy).collect(),
            bonds,
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
    pub fn set_law(&mut self, model: &PairModel, kt: f64, mu: f64) {
        (self.draws, self.flips) = (0, 0);
        for (b, sublattice) in self.sublattices.iter_mut().enumerate() {
            let total: usize = sublattice.planes.iter().sum();
            let coordination: Vec<usize> =
                (0..sublattice.planes.len()).map(|k| model.coordination(b, k)).collect();
            let mut probability = vec![None; 1 << total];
            for (index, p) in probability.iter_mut().enumerate() {
                let mut rest = index;
                let counts: Vec<usize> = sublattice
                    .planes
                    .iter()
                    .map(|planes| {
                        let count = rest & ((1 << planes) - 1);
                        rest >>= planes;
                        count
                    })
                    .collect();
                if counts.iter().zip(&coordination).all(|(n, z)| n <= z) {
                    *p = Some(1.0 / (1.0 + ((model.gap(b, &counts) - mu) / kt).exp()));
                }
            }
            sublattice.law = if total <= MASK_PLANES {
                let used: Vec<usize> = (0..probability.len()).filter(|i| probability[*i].is_some()).collect();
                let thresholds: Vec<u64> =
                    used.iter().map(|i| threshold_64(probability[*i].unwrap_or(0.0))).collect();
                let bits = (0..64)
                    .rev()
                    .flat_map(|bit| thresholds.iter().map(move |t| 0u64.wrapping_sub(t >> bit & 1)))
                    .collect();
                Law::Masks { used, bits }
            } else {
                Law::Table(
                    probability.iter().map(|p| (threshold_64(p.unwrap_or(0.0)) >> 32) as u32).collect(),
                )
            };
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
            sublattices.iter().map(|s| vec![(0, 0); s.steps.len()]).collect();
        let basis = sublattices.len();
        for i in 0..self.dims[0] {
            for j in 0..self.dims[1] {
                for (row, sublattice) in rows.iter_mut().zip(&sublattices) {
                    self.row(i, j, &sublattice.steps, row);
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
        let large = self.sublattices.iter().any(|s| s.planes.iter().sum::<usize>() > MASK_PLANES);
        if large { 5 } else { 1 }
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
        let mut first = 0;
        for (shell, depth) in sublattice.planes.iter().enumerate() {
            let range = sublattice.starts[shell]..sublattice.starts[shell + 1];
            let mine = &mut planes[first..first + depth];
            let mut at = range.start;
            while at + 1 < range.end {
                let a = self.word(row[at], &sublattice.steps[at], k);
                let b = self.word(row[at + 1], &sublattice.steps[at + 1], k);
                // Two words at once through a full adder into the lowest plane.
                let half = mine[0] ^ a;
                let mut carry = (mine[0] & a) | (half & b);
                mine[0] = half ^ b;
                for plane in &mut mine[1..] {
                    let next = *plane & carry;
                    *plane ^= carry;
                    carry = next;
                }
                at += 2;
            }
            if at < range.end {
                let mut carry = self.word(row[at], &sublattice.steps[at], k);
                for plane in mine.iter_mut() {
                    let next = *plane & carry;
                    *plane ^= carry;
                    carry = next;
                }
            }
            first += depth;
        }
        match &sublattice.law {
            Law::Masks { used, bits } => self.draw_masks(&planes[..first], used, bits),
            Law::Table(table) => self.draw_table(&planes[..first], table),
        }
    }

    /// Lanes whose uniform number is below the threshold of their combination.
    #[inline]
    fn draw_masks(&mut self, planes: &[u64], used: &[usize], bits: &[u64]) -> u64 {
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
            let [a, b] = self.random.pair();
            let uniform = u64::from(a) | u64::from(b) << 32;
            below |= undecided & threshold & !uniform;
            undecided &= !(threshold ^ uniform);
            if undecided == 0 {
                break;
            }
        }
        below
    }

    /// The same with a table: 16 random bits per lane, 16 more where they tie.
    fn draw_table(&mut self, planes: &[u64], table: &[u32]) -> u64 {
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
        let mut out = 0u64;
        for four in 0..16 {
            let [a, b] = self.random.pair();
            let quarters = [a as u16, (a >> 16) as u16, b as u16, (b >> 16) as u16];
            for (q, high) in quarters.into_iter().enumerate() {
                let lane = 4 * four + q;
                let threshold = table[index[lane] as usize];
                let below = if u32::from(high) == threshold >> 16 {
                    (self.random.pair()[0] & 0xffff) < threshold & 0xffff
                } else {
                    u32::from(high) < threshold >> 16
                };
                out |= u64::from(below) << lane;
            }
        }
        out
    }

    /// Energy and number of occupied sites of each replica, from scratch and in integers.
    pub fn observe(&self, out: &mut Vec<Observed>) {
        let shells = self.energies.len();
        let mut counters = vec![LaneCounter::default(); shells + 1];
        let basis = self.sublattices.len();
        let mut rows: Vec<Vec<(u32, u32)>> =
            self.sublattices.iter().map(|s| vec![(0, 0); s.bonds.len()]).collect();
        for i in 0..self.dims[0] {
            for j in 0..self.dims[1] {
                for (row, sublattice) in rows.iter_mut().zip(&self.sublattices) {
                    self.row(i, j, &sublattice.bonds, row);
                }
                let start = (i * self.dims[1] + j) * self.dims[2] * basis;
                for k in 0..self.dims[2] {
                    for (b, sublattice) in self.sublattices.iter().enumerate() {
                        let here = self.words[start + k * basis + b];
                        counters[shells].add(here);
                        for (row, bond) in rows[b].iter().zip(&sublattice.bonds) {
                            let there = self.word(*row, bond, k);
                            counters[bond.shell].add(match self.variables {
                                Variables::Spin => here ^ there,
                                Variables::Occupation => here & there,
                            });
                        }
                    }
                }
            }
        }
        out.clear();
        out.resize(self.replicas, Observed::default());
        for (shell, counter) in counters.iter_mut().enumerate() {
            let lanes = counter.lanes();
            for (replica, observed) in out.iter_mut().enumerate() {
                let count: u64 = lanes.iter().skip(replica).step_by(self.replicas).sum();
                if shell == shells {
                    observed.occupied = count as f64;
                } else {
                    let sum = match self.variables {
                        Variables::Spin => self.bonds[shell] - 2 * count as i64,
                        Variables::Occupation => count as i64,
                    };
                    observed.energy += self.energies[shell] * sum as f64;
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

/// floor(p 2^64), at most 2^64 - 1.
fn threshold_64(p: f64) -> u64 {
    // The cast saturates.
    (p * 18_446_744_073_709_551_616.0) as u64
}

/// Rows and columns of a square of 8 x 8 bits exchanged (H. S. Warren, Hacker's Delight, 7-3).
fn transpose_8x8(mut x: u64) -> u64 {
    let mut t = (x ^ (x >> 7)) & 0x00aa_00aa_00aa_00aa;
    x ^= t ^ (t << 7);
    t = (x ^ (x >> 14)) & 0x0000_cccc_0000_cccc;
    x ^= t ^ (t << 14);
    t = (x ^ (x >> 28)) & 0x0000_0000_f0f0_f0f0;
    x ^ t ^ (t << 28)
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

fn sublattice(model: &PairModel, b: usize, order: [usize; 3]) -> Sublattice {
    let grid = model.grid();
    let home = LatticeSite { cell: [0; 3], basis: b };
    let step = |shell: usize, site: &LatticeSite| Step {
        shell,
        cell: order.map(|a| site.cell[a]),
        basis: site.basis as u32,
    };
    let (mut steps, mut starts, mut bonds) = (Vec::new(), vec![0], Vec::new());
    for (k, shell) in model.shells().iter().enumerate() {
        let around = &shell.neighbours[b];
        steps.extend(around.iter().filter(|s| grid.index(**s) != b).map(|s| step(k, s)));
        starts.push(steps.len());
        bonds.extend(around.iter().filter(|s| **s > home).map(|s| step(k, s)));
    }
    let planes = (0..model.shells().len()).map(|k| plane_count(model.coordination(b, k))).collect();
    Sublattice { steps, starts, planes, bonds, law: Law::Table(Vec::new()) }
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
        let mut carry = word;
        for plane in &mut self.planes {
            let next = *plane & carry;
            *plane ^= carry;
            carry = next;
        }
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
