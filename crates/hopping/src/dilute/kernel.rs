//! The potential kernel of the vacancy's walk, by quadrature over the Brillouin zone.

use super::crystal::VacancyCrystal;
use rayon::prelude::*;
use std::f64::consts::PI;
use std::ops::{Add, Mul, Sub};

#[derive(Clone, Copy, Debug)]
struct Complex(f64, f64);

impl Complex {
    fn conj(self) -> Self {
        Self(self.0, -self.1)
    }

    fn scaled(self, by: f64) -> Self {
        Self(self.0 * by, self.1 * by)
    }

    fn inverse(self) -> Self {
        let norm = self.0 * self.0 + self.1 * self.1;
        Self(self.0 / norm, -self.1 / norm)
    }
}

impl Add for Complex {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Self(self.0 + o.0, self.1 + o.1)
    }
}

impl Sub for Complex {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        Self(self.0 - o.0, self.1 - o.1)
    }
}

impl Mul for Complex {
    type Output = Self;
    fn mul(self, o: Self) -> Self {
        Self(self.0 * o.0 - self.1 * o.1, self.0 * o.1 + self.1 * o.0)
    }
}

/// What the kernel is wanted for: g_ij(R) for sublattices i and j and cells R.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// Sublattices of each group, and its first and last entry in `cells`.
    pub groups: Vec<(usize, usize, std::ops::Range<usize>)>,
    /// Cells of all groups.
    pub cells: Vec<[i32; 3]>,
}

/// Gauss-Legendre nodes and weights on (0, 1): Newton's method on Legendre's polynomial from Tricomi's starts.
fn gauss_legendre(n: usize) -> Vec<[f64; 2]> {
    let order = n as f64;
    (0..n)
        .map(|k| {
            let mut x = (PI * (k as f64 + 0.75) / (order + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..20 {
                let (mut before, mut value) = (1.0, x);
                for m in 2..=n {
                    let m = m as f64;
                    (before, value) = (value, ((2.0 * m - 1.0) * x * value - (m - 1.0) * before) / m);
                }
                if n == 1 {
                    (before, value) = (1.0, x);
                }
                slope = order * (x * value - before) / (x * x - 1.0);
                let step = value / slope;
                x -= step;
                if step.abs() < 1e-15 {
                    break;
                }
            }
            [0.5 * (1.0 - x), 1.0 / ((1.0 - x * x) * slope * slope)]
        })
        .collect()
}

/// Nodes and weights on (-1, 1) for functions with poles at `centre` +- i `width`: x = centre + width sinh t.
fn graded(rule: &[[f64; 2]], centre: f64, width: f64) -> impl Iterator<Item = [f64; 2]> + '_ {
    let ends = [-1.0, 1.0].map(|e: f64| ((e - centre) / width).asinh());
    rule.iter().map(move |[t, weight]| {
        let s = ends[0] + (ends[1] - ends[0]) * t;
        [(centre + width * s.sinh()).clamp(-1.0, 1.0), weight * (ends[1] - ends[0]) * width * s.cosh()]
    })
}

/// Where the quadratic form a + 2 b x + c x^2 is least, and the distance of its zeros from the real axis.
fn least(a: f64, b: f64, c: f64) -> (f64, f64) {
    (-b / c, (a * c - b * b).max(1e-12 * a * c).sqrt() / c)
}

/// Points of the pyramids with their weights; only half of the zone, as k and -k give the same. One list for each value of `u` in each pyramid.
struct Points {
    rule: Vec<[f64; 2]>,
    form: [[f64; 3]; 3],
    dimensions: usize,
}

impl Points {
    fn slices(&self) -> usize {
        self.dimensions * self.rule.len()
    }

    /// Fractional coordinates and weight of all points of a slice.
    fn slice(&self, slice: usize) -> Vec<([f64; 3], f64)> {
        let (axis, n) = (slice / self.rule.len(), slice % self.rule.len());
        let [node, weight] = self.rule[n];
        // u runs to 1/2; twice for the two pyramids of an axis.
        let u = 0.5 * node;
        let base = weight * u.powi(self.dimensions as i32 - 1);
        let m = &self.form;
        match self.dimensions {
            1 => vec![([u, 0.0, 0.0], base)],
            2 => {
                let other = 1 - axis;
                let (centre, width) = least(m[axis][axis], m[axis][other], m[other][other]);
                graded(&self.rule, centre, width)
                    .map(|[v, w]| {
                        let mut k = [0.0; 3];
                        k[axis] = u;
                        k[other] = u * v;
                        (k, base * w)
                    })
                    .collect()
            }
            _ => {
                let (b, c) = ((axis + 1) % 3, (axis + 2) % 3);
                // The form with its third coordinate where it is least.
                let rest = |i: usize, j: usize| m[i][j] - m[i][c] * m[j][c] / m[c][c];
                let (centre, width) = least(rest(axis, axis), rest(axis, b), rest(b, b));
                let mut out = Vec::with_capacity(self.rule.len().pow(2));
                for [v, weight] in graded(&self.rule, centre, width) {
                    let constant = m[axis][axis] + 2.0 * v * m[axis][b] + v * v * m[b][b];
                    let (centre, width) = least(constant, m[axis][c] + v * m[b][c], m[c][c]);
                    for [w, weight_w] in graded(&self.rule, centre, width) {
                        let mut k = [0.0; 3];
                        k[axis] = u;
                        k[b] = u * v;
                        k[c] = u * w;
                        out.push((k, base * weight * weight_w));
                    }
                }
                out
            }
        }
    }
}

/// e^(i pi k m) for m from -reach to reach along every axis.
struct Phases {
    reach: usize,
    dimensions: usize,
    powers: Vec<Complex>,
}

impl Phases {
    fn new(reach: usize, dimensions: usize) -> Self {
        Self { reach, dimensions, powers: vec![Complex(1.0, 0.0); dimensions * (2 * reach + 1)] }
    }

    fn set(&mut self, k: &[f64; 3]) {
        let width = 2 * self.reach + 1;
        for (row, coordinate) in self.powers.chunks_exact_mut(width).zip(k) {
            let (sine, cosine) = (PI * coordinate).sin_cos();
            let step = Complex(cosine, sine);
            let mut power = Complex(1.0, 0.0);
            for m in 1..=self.reach {
                power = power * step;
                row[self.reach + m] = power;
                row[self.reach - m] = power.conj();
            }
        }
    }

    /// cos and sin of k R / 2.
    fn half(&self, cell: &[i32; 3]) -> Complex {
        let width = 2 * self.reach + 1;
        let at = |axis: usize| self.powers[axis * width + (self.reach as i32 + cell[axis]) as usize];
        (1..self.dimensions).fold(at(0), |product, axis| product * at(axis))
    }
}

/// G(k) without its common part: s, and what stands beside 1/s in each element.
struct Green {
    others: usize,
    /// K and its inverse.
    block: Vec<Complex>,
    border: Vec<Complex>,
    /// K^-1 b.
    h: Vec<Complex>,
    s: f64,
}

impl Green {
    fn new(sublattices: usize) -> Self {
        let others = sublattices - 1;
        let zero = Complex(0.0, 0.0);
        Self {
            others,
            block: vec![zero; others * others],
            border: vec![zero; others],
            h: vec![zero; others],
            s: 0.0,
        }
    }

    fn set(&mut self, crystal: &VacancyCrystal, phases: &Phases) {
        let n = self.others;
        self.block.fill(Complex(0.0, 0.0));
        self.border.fill(Complex(0.0, 0.0));
        self.s = 0.0;
        for bond in crystal.bonds() {
            let half = phases.half(&bond.to.cell);
            let c = bond.conductance;
            let (i, j) = (bond.from, bond.to.basis);
            let less = 2.0 * c * half.1 * half.1;
            let sine = 2.0 * c * half.0 * half.1;
            self.s += 2.0 * less;
            // Row sums c (1 - e^(+-ikR)), diagonal c, off the diagonal -c e^(+-ikR).
            for (x, y, sine) in [(i, j, sine), (j, i, -sine)] {
                let Some(x) = x.checked_sub(1) else { continue };
                self.border[x] = self.border[x] + Complex(less, -sine);
                self.block[x * n + x].0 += c;
                if let Some(y) = y.checked_sub(1) {
                    self.block[x * n + y] = self.block[x * n + y] - Complex(c - less, sine);
                }
            }
        }
        self.invert();
        for x in 0..n {
            self.h[x] = (0..n).fold(Complex(0.0, 0.0), |sum, y| sum + self.block[x * n + y] * self.border[y]);
            self.s -= (self.border[x].conj() * self.h[x]).0;
        }
    }

    /// Gauss-Jordan in place; K is Hermitian and positive definite at every k.
    fn invert(&mut self) {
        let n = self.others;
        for p in 0..n {
            let pivot = self.block[p * n + p].inverse();
            self.block[p * n + p] = Complex(1.0, 0.0);
            for y in 0..n {
                self.block[p * n + y] = self.block[p * n + y] * pivot;
            }
            for x in (0..n).filter(|x| *x != p) {
                let factor = self.block[x * n + p];
                self.block[x * n + p] = Complex(0.0, 0.0);
                for y in 0..n {
                    self.block[x * n + y] = self.block[x * n + y] - factor * self.block[p * n + y];
                }
            }
        }
    }

    /// G_ij - 1/s.
    fn beside(&self, i: usize, j: usize) -> Complex {
        let zero = Complex(0.0, 0.0);
        let (x, y) = (i.checked_sub(1), j.checked_sub(1));
        let left = x.map_or(zero, |x| self.h[x]);
        let right = y.map_or(zero, |y| self.h[y].conj());
        let element = match (x, y) {
            (Some(x), Some(y)) => self.block[x * self.others + y],
            _ => zero,
        };
        element + (left * right - left - right).scaled(1.0 / self.s)
    }
}

/// g_ij(R) of all that is wanted, with `order` points along every coordinate. The kernel solves sum_y c(x, y) (g(x) - g(y)) = delta.
pub(super) fn kernel(crystal: &VacancyCrystal, wanted: &Wanted, order: usize) -> Vec<f64> {
    let dimensions = crystal.dimensions();
    let points = Points { rule: gauss_legendre(order), form: crystal.quadratic_form(), dimensions };
    let bonds = crystal.bonds().iter().map(|b| &b.to.cell);
    let reach = wanted.cells.iter().chain(bonds).flatten().map(|c| c.unsigned_abs()).max().unwrap_or(0);
    let of_slice = |slice: usize| -> Vec<f64> {
        let mut phases = Phases::new(reach as usize, dimensions);
        let mut green = Green::new(crystal.sublattices());
        let mut out = vec![0.0; wanted.cells.len()];
        for (k, weight) in points.slice(slice) {
            phases.set(&k);
            green.set(crystal, &phases);
            let common = -2.0 / green.s;
            for (i, j, range) in &wanted.groups {
                let beside = green.beside(*i, *j);
                for (sum, cell) in out[range.clone()].iter_mut().zip(&wanted.cells[range.clone()]) {
                    let half = phases.half(cell);
                    let less = half.1 * half.1;
                    // Re [ (e^(ikR) - 1)/s + e^(ikR) beside ].
                    *sum += weight
                        * (less * common + beside.0 * (1.0 - 2.0 * less) - beside.1 * 2.0 * half.0 * half.1);
                }
            }
        }
        out
    };
    let slices: Vec<Vec<f64>> = (0..points.slices()).into_par_iter().map(of_slice).collect();
    let mut out = vec![0.0; wanted.cells.len()];
    for slice in slices {
        for (sum, value) in out.iter_mut().zip(slice) {
            *sum += value;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauss_points_integrate_polynomials() {
        for n in [1_usize, 2, 5, 40] {
            let rule = gauss_legendre(n);
            for power in 0..2 * n {
                let sum: f64 = rule.iter().map(|[x, w]| w * x.powi(power as i32)).sum();
                let exact = 1.0 / (power + 1) as f64;
                assert!((sum - exact).abs() < 1e-14, "{n} {power}: {sum}");
            }
        }
    }

    /// The substitution leaves poles at the distance pi/2 from an interval of half-length asinh(1/width) = 7.6: errors fall as 1.23^(-2n), where without it
    /// they would need thousands of points.
    #[test]
    fn graded_points_integrate_a_peak() {
        let (centre, width) = (0.2_f64, 1e-3_f64);
        let exact = (((1.0 - centre) / width).atan() + ((1.0 + centre) / width).atan()) / width;
        let peak = |x: f64| 1.0 / ((x - centre) * (x - centre) + width * width);
        for (n, most) in [(20, 1e-2), (40, 1e-6), (80, 1e-12)] {
            let rule = gauss_legendre(n);
            let sum: f64 = graded(&rule, centre, width).map(|[x, w]| w * peak(x)).sum();
            assert!((sum / exact - 1.0).abs() < most, "{n}: {sum} {exact}");
            let plain: f64 = rule.iter().map(|[x, w]| 2.0 * w * peak(2.0 * x - 1.0)).sum();
            assert!((plain / exact - 1.0).abs() > 0.1, "{n}: {plain} {exact}");
        }
    }
}
