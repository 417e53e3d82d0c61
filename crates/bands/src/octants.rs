//! Star functions as products of cosines and sines along three axes.
//!
//! With R = n_0 b_0 + n_1 b_1 + n_2 b_2 ([`Axes`]), x_i = k.b_i and m_i = |n_i|, stars that hold -R with every R are sums over one octant of m,
//!
//! S(k) = sum_m w_m t_0(m_0 x_0) t_1(m_1 x_1) t_2(m_2 x_2), each t a cosine or an even number of them sines, because
//! cos(x + y + z) = cos x cos y cos z - sin x sin y cos z - sin x cos y sin z - cos x sin y sin z.
//!
//! Sums over m nest by axis. Rows of fixed (m_0, m_1) whose members along the last axis belong to the same stars have the same inner sum, which is formed once:
//! symmetry comes out of the comparison.

use crate::axes::{Axes, signed};
use crate::stars::image;
use crate::symmetry::Rotation;
use std::ops::Range;

/// Inner sums of a block differ in length by less than this.
const LENGTHS: usize = 8;
/// Pairs of axes with sines, and none.
const PARITIES: [[bool; 3]; 4] =
    [[false, false, false], [true, true, false], [true, false, true], [false, true, true]];

/// A term of an inner sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Term {
    /// m_2 = start + step * place of the block.
    pub place: u32,
    pub star: u32,
    pub weight: f64,
}

/// Where an inner sum stands: times `sign` t_0(m_0 x_0) t_1(m_1 x_1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    pub m: [u32; 2],
    pub sine: [bool; 2],
    pub sign: f64,
}

/// Rows with one inner sum.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Class {
    pub rows: Vec<Row>,
    pub terms: Vec<Term>,
}

/// Inner sums over m_2 = start, start + step, ..., of the same kind and about as long.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Block {
    pub sine: bool,
    pub start: usize,
    pub step: usize,
    pub count: usize,
    pub classes: Vec<Class>,
}

/// All stars.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Octants {
    pub axes: Axes,
    /// Largest m of each axis.
    pub reach: [usize; 3],
    pub blocks: Vec<Block>,
}

/// One product and how many members of the star it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Product {
    parity: usize,
    m: [u32; 3],
    star: u32,
    count: i32,
}

/// A row before it is joined with its like: key of its inner sum, (m_2, star, count), and the row.
type Keyed = (bool, Vec<(u32, u32, i32)>, Row);

impl Octants {
    /// Of stars that stand for M^T R with M among the rotations and their negatives.
    pub fn new(axes: Axes, rotations: &[Rotation], cells: &[[i32; 3]]) -> Self {
        let (products, share) = products(&axes, rotations, cells);
        let mut reach = [0; 3];
        for p in &products {
            reach = std::array::from_fn(|i| reach[i].max(p.m[i] as usize));
        }
        let mut rows = rows(&products);
        rows.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let mut blocks: Vec<Block> = Vec::new();
        for like in rows.chunk_by(|a, b| (a.0, &a.1) == (b.0, &b.1)) {
            let (sine, terms, _) = &like[0];
            let first = terms[0].0;
            let step = if terms.iter().all(|t| (t.0 - first).is_multiple_of(2)) { 2 } else { 1 };
            let start = if step == 2 { first as usize % 2 } else { usize::from(*sine) };
            let place = |m: u32| (m as usize - start) / step;
            let count = terms.iter().map(|t| place(t.0) + 1).max().unwrap_or(0);
            let terms = terms.iter().map(|(m, star, count)| Term {
                place: place(*m) as u32,
                star: *star,
                weight: f64::from(*count) * share,
            });
            let class = Class { rows: like.iter().map(|r| r.2).collect(), terms: terms.collect() };
            let same = |b: &&mut Block| {
                (b.sine, b.start, b.step) == (*sine, start, step)
                    && b.count.div_ceil(LENGTHS) == count.div_ceil(LENGTHS)
            };
            if let Some(block) = blocks.iter_mut().find(same) {
                block.count = block.count.max(count);
                block.classes.push(class);
            } else {
                blocks.push(Block { sine: *sine, start, step, count, classes: vec![class] });
            }
        }
        Self { axes, reach, blocks }
    }

    /// Coefficients of the inner sums of each block, \[class\]\[band\]\[place\], from those of the stars, \[star\]\[band of `of`\].
    pub fn sums(&self, of_stars: &[f64], of: usize, bands: Range<usize>) -> Vec<Vec<f64>> {
        let fill = |block: &Block| {
            let (count, wide) = (block.count, bands.len());
            let mut out = vec![0.0; block.classes.len() * wide * count];
            for (class, at) in block.classes.iter().zip(out.chunks_exact_mut((wide * count).max(1))) {
                for term in &class.terms {
                    let from = &of_stars[term.star as usize * of..][bands.clone()];
                    for (b, a) in from.iter().enumerate() {
                        at[b * count + term.place as usize] += term.weight * a;
                    }
                }
            }
            out
        };
        self.blocks.iter().map(fill).collect()
    }
}

/// The products of all stars in ascending order, and the share of a star that one of them is.
fn products(axes: &Axes, rotations: &[Rotation], cells: &[[i32; 3]]) -> (Vec<Product>, f64) {
    const UNIT: [[i32; 3]; 3] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
    // Images of the lattice vectors in n tell rotations apart, and which of them differ by signs of n only.
    let turned = |m: &Rotation| UNIT.map(|e| axes.count(image(m, e)));
    let flipped = |n: [[i32; 3]; 3], signs: usize| n.map(|n| signed_by(n, signs));
    let all: Vec<Rotation> = signed(rotations).collect();
    let unit = turned(&UNIT);
    let present: Vec<[[i32; 3]; 3]> = all.iter().map(&turned).collect();
    let diagonal: Vec<usize> = (0..8).filter(|s| present.contains(&flipped(unit, *s))).collect();
    let mut chosen: Vec<[[i32; 3]; 3]> = Vec::new();
    for n in present {
        if !diagonal.iter().any(|s| chosen.contains(&flipped(n, *s))) {
            chosen.push(n);
        }
    }
    let even = |signs: usize, p: &[bool; 3]| (0..3).filter(|i| p[*i] && signs >> i & 1 == 1).count() % 2 == 0;
    let parities: Vec<usize> = (0..4).filter(|p| diagonal.iter().all(|s| even(*s, &PARITIES[*p]))).collect();
    let mut out = Vec::with_capacity(cells.len() * chosen.len() * parities.len());
    for (star, cell) in cells.iter().enumerate() {
        for images in &chosen {
            let n: [i32; 3] = std::array::from_fn(|i| (0..3).map(|j| cell[j] * images[j][i]).sum());
            for parity in &parities {
                let sines = || (0..3).filter(|i| PARITIES[*parity][*i]).map(|i| n[i].signum());
                let count = if *parity == 0 { 1 } else { -sines().product::<i32>() };
                if count != 0 {
                    let m = n.map(i32::unsigned_abs);
                    out.push(Product { parity: *parity, m, star: star as u32, count });
                }
            }
        }
    }
    out.sort_unstable();
    (out, 1.0 / chosen.len() as f64)
}

fn signed_by(n: [i32; 3], signs: usize) -> [i32; 3] {
    std::array::from_fn(|i| if signs >> i & 1 == 1 { -n[i] } else { n[i] })
}

/// Rows of products in ascending order; inner sums that differ by their sign are made equal.
fn rows(products: &[Product]) -> Vec<Keyed> {
    let mut out = Vec::new();
    for of_row in products.chunk_by(|a, b| (a.parity, a.m[0], a.m[1]) == (b.parity, b.m[0], b.m[1])) {
        let mut terms: Vec<(u32, u32, i32)> = Vec::with_capacity(of_row.len());
        for p in of_row {
            match terms.last_mut() {
                Some(last) if (last.0, last.1) == (p.m[2], p.star) => last.2 += p.count,
                _ => terms.push((p.m[2], p.star, p.count)),
            }
        }
        terms.retain(|t| t.2 != 0);
        let Some(first) = terms.first() else { continue };
        let sign = first.2.signum();
        for term in &mut terms {
            term.2 *= sign;
        }
        let [a, b, last] = PARITIES[of_row[0].parity];
        let row = Row { m: [of_row[0].m[0], of_row[0].m[1]], sine: [a, b], sign: f64::from(sign) };
        out.push((last, terms, row));
    }
    out
}
