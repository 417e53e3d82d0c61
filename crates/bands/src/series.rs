//! Star functions and sums of them at arbitrary k points.
//!
//! With the rows and inner sums of [`Octants`], u = t_0 t_1 summed over the rows of a class and a_j the coefficients of its inner sum,
//!
//! E = sum_classes u sum_j a_j t_2(m_j x_2), dE/dx_0 = sum u_0 sum_j a_j t_2, dE/dx_2 = sum u sum_j a_j m_j t_2'(m_j x_2), dE/dk = sum_i b_i dE/dx_i.
//!
//! The inner sums of all classes and bands at a batch of k points are one product of matrices; what follows has the k points side by side.

use crate::interpolate::EnergySlope;
use crate::octants::{Block, Class, Octants};
use nalgebra::{DMatrixView, DMatrixViewMut};
use scalade_crystal::{Matrix3, row_times};
use std::f64::consts::PI;

/// k points side by side.
pub(crate) const LANES: usize = 16;
/// Columns of one product of matrices: what stays in the nearest caches.
const COLUMNS: usize = 256;

/// cos(m x) and sin(m x) of each axis: \[axis\]\[sine\]\[m\]\[k\].
struct Tables<const L: usize>([[Vec<[f64; L]>; 2]; 3]);

impl<const L: usize> Tables<L> {
    fn new(octants: &Octants, k: &[[f64; 3]; L]) -> Self {
        let turns = k.map(|k| octants.axes.turns(k));
        Self(std::array::from_fn(|axis| {
            let steps = turns.map(|t| (2.0 * PI * t[axis]).sin_cos());
            let (mut x, mut y) = ([1.0; L], [0.0; L]);
            let (mut cosine, mut sine) = (vec![x], vec![y]);
            for _ in 0..octants.reach[axis] {
                for (lane, (s, c)) in steps.iter().enumerate() {
                    (x[lane], y[lane]) = (x[lane] * c - y[lane] * s, x[lane] * s + y[lane] * c);
                }
                cosine.push(x);
                sine.push(y);
            }
            [cosine, sine]
        }))
    }

    /// t(m x) and the factor that makes the other function its derivative by x.
    #[inline]
    fn pair(&self, axis: usize, sine: bool, m: u32) -> (&[f64; L], &[f64; L], f64) {
        let [cosines, sines] = &self.0[axis];
        let (c, s, m_f) = (&cosines[m as usize], &sines[m as usize], f64::from(m));
        if sine { (s, c, m_f) } else { (c, s, -m_f) }
    }

    /// u and its derivatives by x_0 and x_1.
    #[inline]
    fn across(&self, class: &Class) -> [[f64; L]; 3] {
        let mut out = [[0.0; L]; 3];
        for row in &class.rows {
            let (a, a_other, a_factor) = self.pair(0, row.sine[0], row.m[0]);
            let (b, b_other, b_factor) = self.pair(1, row.sine[1], row.m[1]);
            let (first, second) = (row.sign * a_factor, row.sign * b_factor);
            for lane in 0..L {
                out[0][lane] += row.sign * a[lane] * b[lane];
                out[1][lane] += first * a_other[lane] * b[lane];
                out[2][lane] += second * a[lane] * b_other[lane];
            }
        }
        out
    }

    /// t_2 and its derivatives of a block side by side: \[place\]\[t, t'\]\[k\].
    fn along(&self, block: &Block) -> Vec<f64> {
        let mut out = Vec::with_capacity(2 * L * block.count);
        for place in 0..block.count {
            let (t, other, factor) = self.pair(2, block.sine, (block.start + block.step * place) as u32);
            out.extend_from_slice(t);
            out.extend(other.iter().map(|o| factor * o));
        }
        out
    }
}

/// Values of all stars, \[star\]\[k\].
pub(crate) fn star_values<const L: usize>(
    octants: &Octants,
    stars: usize,
    k: &[[f64; 3]; L],
) -> Vec<[f64; L]> {
    let tables = Tables::new(octants, k);
    let mut out = vec![[0.0; L]; stars];
    for block in &octants.blocks {
        for class in &block.classes {
            let [u, ..] = tables.across(class);
            for term in &class.terms {
                let m = block.start + block.step * term.place as usize;
                let (t, ..) = tables.pair(2, block.sine, m as u32);
                let at = &mut out[term.star as usize];
                for lane in 0..L {
                    at[lane] += term.weight * u[lane] * t[lane];
                }
            }
        }
    }
    out
}

/// Bands as sums of stars.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    octants: Octants,
    /// Of each block: \[class\]\[band\]\[place\].
    sums: Vec<Vec<f64>>,
    bands: usize,
    steps: Matrix3,
}

impl Series {
    /// `coefficients` are \[star\]\[band\].
    pub fn new(octants: Octants, lattice: &Matrix3, coefficients: &[f64], bands: usize) -> Self {
        let sums = octants.sums(coefficients, bands, 0..bands);
        let steps = octants.axes.steps(lattice);
        Self { octants, sums, bands, steps }
    }

    /// How many inner sums there are, and their terms.
    #[cfg(test)]
    pub fn inner_sums(&self) -> (usize, usize) {
        let classes = || self.octants.blocks.iter().flat_map(|b| &b.classes);
        (classes().count(), classes().map(|c| c.terms.len()).sum())
    }

    /// Energies and slopes \[k\]\[band\].
    pub fn at(&self, k: &[[f64; 3]], out: &mut Vec<EnergySlope>) {
        for chunk in k.chunks(LANES) {
            if chunk.len() <= 2 {
                for k in chunk {
                    self.batch::<1>(&[*k], 1, out);
                }
            } else {
                // Lanes left over hold the last point again.
                let all = std::array::from_fn(|i| chunk[i.min(chunk.len() - 1)]);
                self.batch::<LANES>(&all, chunk.len(), out);
            }
        }
    }

    fn batch<const L: usize>(&self, k: &[[f64; 3]; L], wanted: usize, out: &mut Vec<EnergySlope>) {
        let tables = Tables::new(&self.octants, k);
        let mut totals = vec![[[0.0; L]; 4]; self.bands];
        let at_once = (COLUMNS / self.bands).max(1);
        let mut inner = vec![0.0; 2 * L * at_once * self.bands];
        for (block, sums) in self.octants.blocks.iter().zip(&self.sums) {
            let along = tables.along(block);
            let parts = sums.chunks(at_once * self.bands * block.count);
            for (classes, sums) in block.classes.chunks(at_once).zip(parts) {
                let inner = &mut inner[..2 * L * classes.len() * self.bands];
                inner_sums::<L>(&along, block.count, sums, inner);
                for (class, inner) in classes.iter().zip(inner.chunks_exact(2 * L * self.bands)) {
                    let across = tables.across(class);
                    for (total, inner) in totals.iter_mut().zip(inner.chunks_exact(2 * L)) {
                        join(total, &across, inner);
                    }
                }
            }
        }
        for lane in 0..wanted {
            out.extend(totals.iter().map(|t| EnergySlope {
                energy_ev: t[0][lane],
                slope: row_times([t[1][lane], t[2][lane], t[3][lane]], &self.steps),
            }));
        }
    }

    /// Second derivatives of a band by the Cartesian components of k.
    pub fn curvature(&self, k: [f64; 3], band: usize) -> Matrix3 {
        let tables = Tables::new(&self.octants, &[k]);
        // By (x_0, x_1, x_2) twice.
        let mut second = [[0.0; 3]; 3];
        for (block, sums) in self.octants.blocks.iter().zip(&self.sums) {
            let along = tables.along(block);
            let columns = sums.chunks_exact(block.count).skip(band).step_by(self.bands);
            for (class, column) in block.classes.iter().zip(columns) {
                let mut inner = [0.0; 3];
                for (place, (a, t)) in column.iter().zip(along.chunks_exact(2)).enumerate() {
                    let m = (block.start + block.step * place) as f64;
                    inner[0] += a * t[0];
                    inner[1] += a * t[1];
                    inner[2] -= a * t[0] * m * m;
                }
                for row in &class.rows {
                    let (a, a_other, a_factor) = tables.pair(0, row.sine[0], row.m[0]);
                    let (b, b_other, b_factor) = tables.pair(1, row.sine[1], row.m[1]);
                    let (a, a_slope) = (row.sign * a[0], row.sign * a_factor * a_other[0]);
                    let (b, b_slope) = (b[0], b_factor * b_other[0]);
                    second[0][0] -= f64::from(row.m[0]).powi(2) * a * b * inner[0];
                    second[1][1] -= f64::from(row.m[1]).powi(2) * a * b * inner[0];
                    second[2][2] += a * b * inner[2];
                    second[0][1] += a_slope * b_slope * inner[0];
                    second[0][2] += a_slope * b * inner[1];
                    second[1][2] += a * b_slope * inner[1];
                }
            }
        }
        for (i, j) in [(0, 1), (0, 2), (1, 2)] {
            second[j][i] = second[i][j];
        }
        let half = second.map(|row| row_times(row, &self.steps));
        std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|p| self.steps[p][i] * half[p][j]).sum()))
    }
}

/// Inner sums \[class, band\]\[value, derivative\]\[k\] of coefficients \[class, band\]\[place\].
#[inline]
fn inner_sums<const L: usize>(along: &[f64], count: usize, sums: &[f64], out: &mut [f64]) {
    if L == 1 {
        for (column, out) in sums.chunks_exact(count).zip(out.chunks_exact_mut(2)) {
            let mut strands = [0.0; 4];
            let (pairs, last) = column.as_chunks::<2>();
            let (waves, last_waves) = along.as_chunks::<4>();
            for (a, t) in pairs.iter().zip(waves) {
                strands[0] += a[0] * t[0];
                strands[1] += a[0] * t[1];
                strands[2] += a[1] * t[2];
                strands[3] += a[1] * t[3];
            }
            out[0] = strands[0] + strands[2];
            out[1] = strands[1] + strands[3];
            for (a, t) in last.iter().zip(last_waves.chunks_exact(2)) {
                out[0] += a * t[0];
                out[1] += a * t[1];
            }
        }
        return;
    }
    let columns = sums.len() / count;
    let along = DMatrixView::from_slice(along, 2 * L, count);
    let sums = DMatrixView::from_slice(sums, count, columns);
    DMatrixViewMut::from_slice(out, 2 * L, columns).gemm(1.0, &along, &sums, 0.0);
}

/// Adds a class to energy and slopes.
#[inline]
fn join<const L: usize>(total: &mut [[f64; L]; 4], across: &[[f64; L]; 3], inner: &[f64]) {
    let (value, slope) = inner.split_at(L);
    let [energy, first, second, third] = total;
    for lane in 0..L {
        energy[lane] += across[0][lane] * value[lane];
        first[lane] += across[1][lane] * value[lane];
        second[lane] += across[2][lane] * value[lane];
        third[lane] += across[0][lane] * slope[lane];
    }
}
