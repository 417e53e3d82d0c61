//! Derivative structures by brute force on explicit positions: no normal forms, no symmetry search, no orbit bookkeeping.
//!
//! Everything of index n lives in the box of n x n x n parent cells, with which every superlattice of index n is commensurate. A superlattice is
//! the set of its vectors in the box, a structure is the colour of every site of the box. Two structures are alike if an operation of the
//! parent and a translation take one box to the other.

use scalade_crystal::{Matrix3, Structure, dot, inverse, norm, row_times};
use std::collections::{BTreeMap, BTreeSet};

/// A parent: rows are vectors, fractional sites, colours allowed on each.
pub struct Parent {
    pub lattice: Matrix3,
    pub sites: Vec<[f64; 3]>,
    pub allowed: Vec<Vec<u8>>,
    pub dimensions: usize,
}

/// An operation on the sites of a box: box site s goes to `target[s]`; and on its cells.
struct Operation {
    target: Vec<usize>,
    cell_target: Vec<usize>,
}

/// The box of index n.
pub struct BoxOf<'a> {
    parent: &'a Parent,
    n: usize,
    cells: Vec<[i64; 3]>,
    /// Cell number of the sum of two cells.
    sums: Vec<usize>,
    operations: Vec<Operation>,
}

/// A structure in its box, and the same for all structures that are alike.
pub type Canonical = Vec<u8>;

fn cell_number(cell: [i64; 3], n: usize, dimensions: usize) -> usize {
    (0..dimensions).fold(0, |number, k| number * n + cell[k].rem_euclid(n as i64) as usize)
}

/// Integer rotations (columns) of the lattice with entries of at most 2 that keep all lengths and angles and do not mix the axes.
fn rotations(parent: &Parent) -> Vec<[[i64; 3]; 3]> {
    let gram: Vec<f64> = (0..9).map(|k| dot(parent.lattice[k / 3], parent.lattice[k % 3])).collect();
    let tolerance = 1e-6 * gram.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    let product = |a: [i64; 3], b: [i64; 3]| -> f64 {
        (0..9).map(|k| a[k / 3] as f64 * gram[k] * b[k % 3] as f64).sum()
    };
    let vectors: Vec<[i64; 3]> = (0..125).map(|k| [k / 25 - 2, k / 5 % 5 - 2, k % 5 - 2]).collect();
    let mixes = |v: [i64; 3], axis: usize| {
        (0..3).any(|k| (k < parent.dimensions) != (axis < parent.dimensions) && v[k] != 0)
    };
    let images = |axis: usize| -> Vec<[i64; 3]> {
        let same =
            |v: &&[i64; 3]| (product(**v, **v) - gram[4 * axis]).abs() < tolerance && !mixes(**v, axis);
        vectors.iter().filter(same).copied().collect()
    };
    let (first, second, third) = (images(0), images(1), images(2));
    let mut out = Vec::new();
    for a in &first {
        for b in second.iter().filter(|b| (product(*a, **b) - gram[1]).abs() < tolerance) {
            for c in &third {
                let fits = (product(*a, *c) - gram[2]).abs() < tolerance
                    && (product(*b, *c) - gram[5]).abs() < tolerance;
                if fits {
                    // The images of the axes are the columns.
                    out.push(std::array::from_fn(|i| [a[i], b[i], c[i]]));
                }
            }
        }
    }
    out
}

impl<'a> BoxOf<'a> {
    pub fn new(parent: &'a Parent, n: usize) -> Self {
        let count = n.pow(parent.dimensions as u32);
        let mut cells = vec![[0; 3]; count];
        for (number, cell) in cells.iter_mut().enumerate() {
            let mut rest = number;
            for k in (0..parent.dimensions).rev() {
                cell[k] = (rest % n) as i64;
                rest /= n;
            }
        }
        let sum = |a: [i64; 3], b: [i64; 3]| {
            cell_number(std::array::from_fn(|k| a[k] + b[k]), n, parent.dimensions)
        };
        let sums = cells.iter().flat_map(|a| cells.iter().map(move |b| sum(*a, *b))).collect();
        let mut made = Self { parent, n, cells, sums, operations: Vec::new() };
        made.operations = made.find_operations();
        made
    }

    fn find_operations(&self) -> Vec<Operation> {
        let parent = self.parent;
        let mut out: Vec<Operation> = Vec::new();
        for rotation in rotations(parent) {
            let turn = |v: [f64; 3]| -> [f64; 3] {
                std::array::from_fn(|i| (0..3).map(|j| rotation[i][j] as f64 * v[j]).sum())
            };
            for other in &parent.sites {
                let start = turn(parent.sites[0]);
                let shift: [f64; 3] = std::array::from_fn(|k| other[k] - start[k]);
                let image = |v: [f64; 3]| -> [f64; 3] { std::array::from_fn(|k| turn(v)[k] + shift[k]) };
                let Some(target) = self.permutation(&image) else { continue };
                let cell_image = |c: &[i64; 3]| -> [i64; 3] {
                    std::array::from_fn(|i| (0..3).map(|j| rotation[i][j] * c[j]).sum())
                };
                let cell_target = self
                    .cells
                    .iter()
                    .map(|c| cell_number(cell_image(c), self.n, parent.dimensions))
                    .collect();
                out.push(Operation { target, cell_target });
            }
        }
        assert!(!out.is_empty());
        out
    }

    /// Number of the site of the box at a fractional position (in parent vectors), if there is one.
    fn site_at(&self, position: [f64; 3]) -> Option<usize> {
        for (b, site) in self.parent.sites.iter().enumerate() {
            let difference: [f64; 3] = std::array::from_fn(|k| position[k] - site[k]);
            let rest = std::array::from_fn(|k| difference[k] - difference[k].round());
            if norm(row_times(rest, &self.parent.lattice)) < 1e-4 {
                let cell = difference.map(|d| d.round() as i64);
                return Some(cell_number(cell, self.n, self.parent.dimensions) * self.parent.sites.len() + b);
            }
        }
        None
    }

    fn position(&self, site: usize) -> [f64; 3] {
        let (cell, b) = (self.cells[site / self.parent.sites.len()], site % self.parent.sites.len());
        std::array::from_fn(|k| cell[k] as f64 + self.parent.sites[b][k])
    }

    fn permutation(&self, image: &dyn Fn([f64; 3]) -> [f64; 3]) -> Option<Vec<usize>> {
        let basis = self.parent.sites.len();
        (0..self.cells.len() * basis)
            .map(|s| {
                let target = self.site_at(image(self.position(s)))?;
                (self.parent.allowed[s % basis] == self.parent.allowed[target % basis]).then_some(target)
            })
            .collect()
    }

    fn sum(&self, a: usize, b: usize) -> usize {
        self.sums[a * self.cells.len() + b]
    }

    /// All superlattices of index n as sets of cells of the box.
    pub fn superlattices(&self) -> Vec<Vec<bool>> {
        let count = self.cells.len();
        let wanted = count / self.n;
        let mut all: BTreeSet<Vec<bool>> = BTreeSet::new();
        let zero: Vec<bool> = (0..count).map(|c| c == 0).collect();
        let mut front = BTreeSet::from([zero]);
        while let Some(group) = front.pop_first() {
            if !all.insert(group.clone()) {
                continue;
            }
            for generator in (0..count).filter(|c| !group[*c]) {
                let mut larger = group.clone();
                let mut step = generator;
                while !group[step] {
                    for c in (0..count).filter(|c| group[*c]) {
                        larger[self.sum(c, step)] = true;
                    }
                    step = self.sum(step, generator);
                }
                if larger.iter().filter(|m| **m).count() <= wanted && !all.contains(&larger) {
                    front.insert(larger);
                }
            }
        }
        all.into_iter().filter(|g| g.iter().filter(|m| **m).count() == wanted).collect()
    }

    /// Smallest box that operations and translations make of a structure of this superlattice.
    pub fn canonical(&self, colours: &[u8], lattice: &[bool]) -> Canonical {
        self.images(colours, lattice).map(|(_, image)| image).min().unwrap()
    }

    /// As [`BoxOf::canonical`] for the structure and its superlattice together: the smallest pair.
    pub fn canonical_pair(&self, colours: &[u8], lattice: &[bool]) -> (Vec<bool>, Canonical) {
        self.images(colours, lattice).min().unwrap()
    }

    /// For every operation the superlattice and the smallest of the translated boxes.
    fn images(&self, colours: &[u8], lattice: &[bool]) -> impl Iterator<Item = (Vec<bool>, Canonical)> {
        self.operations.iter().map(move |operation| {
            let mut turned = vec![false; lattice.len()];
            for (cell, target) in operation.cell_target.iter().enumerate() {
                turned[*target] = lattice[cell];
            }
            let mut moved = vec![0; colours.len()];
            for (site, target) in operation.target.iter().enumerate() {
                moved[*target] = colours[site];
            }
            let best = self.translations_of(&moved, &turned).min().unwrap();
            (turned, best)
        })
    }

    /// A box moved by every translation; those that differ by a vector of the superlattice do the same and come once.
    fn translations_of(&self, colours: &[u8], lattice: &[bool]) -> impl Iterator<Item = Canonical> {
        let basis = self.parent.sites.len();
        let mut seen = vec![false; lattice.len()];
        (0..lattice.len()).filter_map(move |t| {
            if seen[t] {
                return None;
            }
            for v in (0..lattice.len()).filter(|v| lattice[*v]) {
                seen[self.sum(t, v)] = true;
            }
            let cells = (0..lattice.len()).map(|c| self.sum(c, t) * basis);
            Some(cells.flat_map(|c| colours[c..c + basis].iter().copied()).collect())
        })
    }

    /// Whether no translation outside of the superlattice keeps the structure.
    pub fn has_full_period(&self, colours: &[u8], lattice: &[bool]) -> bool {
        let basis = self.parent.sites.len();
        let block = |c: usize| &colours[c * basis..(c + 1) * basis];
        let keeps = |t: usize| (0..lattice.len()).all(|c| block(self.sum(c, t)) == block(c));
        (0..lattice.len()).all(|t| lattice[t] || !keeps(t))
    }

    /// Calls `visit` with every colouring of a superlattice.
    pub fn every_colouring(&self, lattice: &[bool], visit: &mut dyn FnMut(&[u8])) {
        let basis = self.parent.sites.len();
        let mut coset = vec![usize::MAX; lattice.len()];
        let mut cosets = 0;
        for cell in 0..lattice.len() {
            if coset[cell] == usize::MAX {
                for v in (0..lattice.len()).filter(|v| lattice[*v]) {
                    coset[self.sum(cell, v)] = cosets;
                }
                cosets += 1;
            }
        }
        assert_eq!(cosets, self.n);
        let radix: Vec<usize> = (0..cosets * basis).map(|k| self.parent.allowed[k % basis].len()).collect();
        let mut digits = vec![0; radix.len()];
        loop {
            let colours: Vec<u8> = (0..lattice.len() * basis)
                .map(|s| self.parent.allowed[s % basis][digits[coset[s / basis] * basis + s % basis]])
                .collect();
            visit(&colours);
            let Some(k) = (0..radix.len()).find(|k| digits[*k] + 1 < radix[*k]) else { return };
            digits[k] += 1;
            digits[..k].fill(0);
        }
    }

    /// The classes of structures with a full period, with the number of (superlattice, colouring) pairs of each.
    pub fn classes(&self) -> BTreeMap<Canonical, u64> {
        let mut out = BTreeMap::new();
        for lattice in self.superlattices() {
            self.every_colouring(&lattice, &mut |colours| {
                if self.has_full_period(colours, &lattice) {
                    *out.entry(self.canonical(colours, &lattice)).or_insert(0) += 1;
                }
            });
        }
        out
    }

    /// The box filled with a structure given by its atoms, and its superlattice; colours are the indices of `names`.
    pub fn fill(&self, structure: &Structure, names: &[String]) -> (Vec<u8>, Vec<bool>) {
        let to_parent = inverse(&self.parent.lattice).unwrap();
        let to_cell = inverse(structure.lattice_angstrom()).unwrap();
        let whole = |v: [f64; 3]| v.iter().all(|c| (c - c.round()).abs() < 1e-5);
        let in_cell = |v: [f64; 3]| whole(row_times(v, &to_cell));
        let lattice = self
            .cells
            .iter()
            .map(|c| in_cell(row_times(c.map(|k| k as f64), &self.parent.lattice)))
            .collect();
        let colours = (0..self.cells.len() * self.parent.sites.len())
            .map(|s| {
                let here = row_times(self.position(s), &self.parent.lattice);
                let at: Vec<usize> = (0..structure.len())
                    .filter(|a| {
                        let there = structure.cartesian_angstrom(*a);
                        in_cell(std::array::from_fn(|k| here[k] - there[k]))
                    })
                    .collect();
                assert_eq!(at.len(), 1, "site {s} of the box has atoms {at:?}");
                names.iter().position(|n| *n == structure.species()[at[0]]).unwrap() as u8
            })
            .collect();
        let vectors = structure.lattice_angstrom();
        assert!(vectors.iter().all(|v| whole(row_times(*v, &to_parent))));
        (colours, lattice)
    }
}
