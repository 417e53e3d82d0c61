//! Bands on uniform grids, plane by plane, by sums over one axis after the other.
//!
//! In [`Octants`] along the lattice vectors a sum of stars is four sums of products of cosines and sines at most (one where mirrors stand across the axes). Each is a product of
//! three small real matrices: along the first axis for all planes at once, then within a plane along the second and third, for the rows and columns
//! wanted. Points i and n - i differ by signs only, so that half of every axis is enough; derivatives take the derivative of one table. For the few dozen
//! coefficients of an axis this is less work than fast Fourier transforms of grids that are mostly zeros, and it runs at the speed of matrix products.

use crate::error::BandsError;
use crate::field::{BandPoint, Planes};
use crate::octants::Octants;
use crate::symmetry::{Grid, GridPoint};
use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut};
use scalade_crystal::Matrix3;
use std::f64::consts::PI;
use std::ops::{Range, RangeInclusive};

/// The axes of octants for grids: rows by the second and third, inner sums along the first.
pub(crate) const ORDER: [usize; 3] = [1, 2, 0];

/// Functions of the same kind along the second and third axis.
struct Kind {
    /// Sines along the first, second and third axis.
    sine: [bool; 3],
    /// (m_3 + m_2 (reach_3 + 1), class, sign).
    places: Vec<(u32, u32, f64)>,
}

/// cos(2 pi m h / n) or sin, and m times its derivative: \[h\]\[m\] and \[m\]\[h\].
struct Table {
    by_point: [DMatrix<f64>; 2],
    by_m: [DMatrix<f64>; 2],
}

/// Some bands on a grid, ready for its planes.
pub(crate) struct GridPlanes {
    divisions: [usize; 3],
    lattice: Matrix3,
    kinds: Vec<Kind>,
    /// Points of half the first axis.
    half: usize,
    classes: usize,
    /// Per band, inner sums and their derivatives: \[value, derivative\]\[i1\]\[class\].
    profiles: Vec<Vec<f64>>,
    /// \[sine\] of the second and third axis.
    tables: [[Table; 2]; 2],
}

/// cos or sin of 2 pi m h / n for whole h in half the axis, and its derivative by the angle: \[m\]\[h\].
fn waves(n: usize, reach: usize, sine: bool) -> [DMatrix<f64>; 2] {
    let of = |h: usize, m: usize| (2.0 * PI * ((h * m) % n) as f64 / n as f64).sin_cos();
    let half = n / 2 + 1;
    let value = DMatrix::from_fn(reach + 1, half, |m, h| if sine { of(h, m).0 } else { of(h, m).1 });
    let slope =
        DMatrix::from_fn(reach + 1, half, |m, h| m as f64 * if sine { of(h, m).1 } else { -of(h, m).0 });
    [value, slope]
}

impl Table {
    fn new(n: usize, reach: usize, sine: bool) -> Self {
        let by_m = waves(n, reach, sine);
        Self { by_point: [by_m[0].transpose(), by_m[1].transpose()], by_m }
    }
}

impl GridPlanes {
    /// `coefficients` are \[star\]\[band of `of`\]; `octants` are those of the lattice vectors in [`ORDER`].
    pub fn new(
        grid: &Grid,
        octants: &Octants,
        lattice: &Matrix3,
        (coefficients, of): (&[f64], usize),
        bands: Range<usize>,
    ) -> Self {
        let n = grid.divisions;
        let half = n[0] / 2 + 1;
        let classes = octants.blocks.iter().map(|b| b.classes.len()).sum();
        let first = [false, true].map(|sine| waves(n[0], octants.reach[2], sine));
        let profile = |band: usize| {
            let sums = octants.sums(coefficients, of, band..band + 1);
            let mut out = DMatrix::zeros(classes, 2 * half);
            let mut start = 0;
            for (block, sums) in octants.blocks.iter().zip(&sums) {
                let (own, count) = (block.classes.len(), block.count);
                // Turned in memory: products of few rows go wrong in views whose rows are not side by side.
                let sums = DMatrixView::from_slice(sums, count, own).transpose();
                for (derivative, wave) in first[usize::from(block.sine)].iter().enumerate() {
                    let wave = wave.rows_with_step(block.start, count, block.step - 1);
                    out.view_mut((start, derivative * half), (own, half)).gemm(1.0, &sums, &wave, 0.0);
                }
                start += own;
            }
            out.data.into()
        };
        let profiles = bands.map(profile).collect();
        let table =
            |axis: usize| [false, true].map(|sine| Table::new(n[axis + 1], octants.reach[axis], sine));
        let (kinds, tables) = (kinds(octants), [table(0), table(1)]);
        Self { divisions: n, lattice: *lattice, kinds, half, classes, profiles, tables }
    }

    /// Of one kind and band, for the wanted rows and columns of half a plane: \[value, slopes along 1, 2, 3\]\[row\]\[column\].
    fn fields(&self, kind: &Kind, band: usize, h1: usize, place: &Window, work: &mut Work) -> Vec<f64> {
        let (rows, columns) = (place.rows.clone().count(), place.columns.clone().count());
        let (second, third) =
            (&self.tables[0][usize::from(kind.sine[1])], &self.tables[1][usize::from(kind.sine[2])]);
        let (m2, m3) = (second.by_m[0].nrows(), third.by_m[0].nrows());
        let profile = &self.profiles[band];
        let [values, slopes] = [h1, self.half + h1].map(|at| &profile[at * self.classes..][..self.classes]);
        for (dense, from) in [(&mut work.values, values), (&mut work.slopes, slopes)] {
            dense.clear();
            dense.resize(m2 * m3, 0.0);
            for (at, class, sign) in &kind.places {
                dense[*at as usize] = sign * from[*class as usize];
            }
        }
        // Values, then slopes along 1 and 2, all by m_3.
        let size = m3 * rows;
        work.between.clear();
        work.between.resize(3 * size, 0.0);
        let turn = [(&work.values, 0), (&work.slopes, 0), (&work.values, 1)];
        for ((from, table), out) in turn.into_iter().zip(work.between.chunks_exact_mut(size)) {
            let from = DMatrixView::from_slice(from, m3, m2);
            let by = second.by_m[table].columns(*place.rows.start(), rows);
            DMatrixViewMut::from_slice(out, m3, rows).gemm(1.0, &from, &by, 0.0);
        }
        let mut out = vec![0.0; 4 * rows * columns];
        let (plain, along) = out.split_at_mut(3 * rows * columns);
        for (table, many, out) in [(0, 3 * rows, plain), (1, rows, along)] {
            let by = third.by_point[table].rows(*place.columns.start(), columns);
            let from = DMatrixView::from_slice(&work.between[..many * m3], m3, many);
            DMatrixViewMut::from_slice(out, columns, many).gemm(1.0, &by, &from, 0.0);
        }
        out
    }
}

/// The kinds that octants hold.
fn kinds(octants: &Octants) -> Vec<Kind> {
    let width = octants.reach[1] + 1;
    let mut out: Vec<Kind> = Vec::new();
    let mut class = 0;
    for block in &octants.blocks {
        for of in &block.classes {
            for row in &of.rows {
                let sine = [block.sine, row.sine[0], row.sine[1]];
                let at = row.m[0] as usize * width + row.m[1] as usize;
                let place = (at as u32, class, row.sign);
                match out.iter_mut().find(|k| k.sine == sine) {
                    Some(kind) => kind.places.push(place),
                    None => out.push(Kind { sine, places: vec![place] }),
                }
            }
            class += 1;
        }
    }
    out
}

/// Rows and columns of half a plane.
struct Window {
    rows: RangeInclusive<usize>,
    columns: RangeInclusive<usize>,
}

#[derive(Default)]
struct Work {
    values: Vec<f64>,
    slopes: Vec<f64>,
    between: Vec<f64>,
}

/// i or n - i, whichever is smaller, and the sign of an odd function there.
fn folded(i: usize, n: usize) -> (usize, f64) {
    if 2 * i > n { (n - i, -1.0) } else { (i, 1.0) }
}

impl Planes for GridPlanes {
    fn plane(&self, i1: usize, wanted: &[GridPoint], out: &mut Vec<BandPoint>) -> Result<(), BandsError> {
        let Some(place) = self.window(wanted) else { return Ok(()) };
        let (h1, sign1) = folded(i1, self.divisions[0]);
        let bands = self.profiles.len();
        let start = out.len();
        out.resize(start + wanted.len() * bands, BandPoint::default());
        let mut work = Work::default();
        for band in 0..bands {
            let of = |kind: &Kind| (kind.sine, self.fields(kind, band, h1, &place, &mut work));
            let fields: Vec<([bool; 3], Vec<f64>)> = self.kinds.iter().map(of).collect();
            let points = out[start..].iter_mut().skip(band);
            if bands == 1 {
                self.join(&fields, sign1, &place, wanted, points);
            } else {
                self.join(&fields, sign1, &place, wanted, points.step_by(bands));
            }
        }
        Ok(())
    }
}

impl GridPlanes {
    /// The rows and columns of half a plane that hold the wanted points; None where there are none.
    fn window(&self, wanted: &[GridPoint]) -> Option<Window> {
        let [_, n2, n3] = self.divisions;
        let mut ends = [[usize::MAX, 0]; 2];
        let mut widen = |axis: usize, h: usize| {
            ends[axis] = [ends[axis][0].min(h), ends[axis][1].max(h)];
        };
        for (i2, run) in runs(wanted, n3) {
            widen(0, folded(i2, n2).0);
            for point in run {
                widen(1, folded(point.index as usize - i2 * n3, n3).0);
            }
        }
        let [rows, columns] = ends.map(|[first, last]| first..=last);
        (!wanted.is_empty()).then_some(Window { rows, columns })
    }

    /// Adds up the kinds at the wanted points.
    fn join<'a>(
        &self,
        fields: &[([bool; 3], Vec<f64>)],
        sign1: f64,
        place: &Window,
        wanted: &[GridPoint],
        mut out: impl Iterator<Item = &'a mut BandPoint>,
    ) {
        let [_, n2, n3] = self.divisions;
        let (first, width) = (*place.columns.start(), place.columns.clone().count());
        let size = width * place.rows.clone().count();
        let mut row = Row::new(width);
        for (i2, run) in runs(wanted, n3) {
            let (h2, sign2) = folded(i2, n2);
            row.parts.fill(0.0);
            for (sine, field) in fields {
                let from = &field[(h2 - place.rows.start()) * width..];
                row.add(*sine, [sign1, sign2], from, size);
            }
            let mirrored = run.last().is_some_and(|p| 2 * (p.index as usize - i2 * n3) > n3);
            row.turn(&self.lattice, 1 + usize::from(mirrored));
            for (point, out) in run.iter().zip(&mut out) {
                let i3 = point.index as usize - i2 * n3;
                let mirrored = usize::from(2 * i3 > n3);
                let h3 = if mirrored == 1 { n3 - i3 } else { i3 };
                *out = band_point(&row.sides[mirrored][h3 - first]);
            }
        }
    }
}

/// A row of a plane.
struct Row {
    width: usize,
    /// Parts that are even and odd in i3 of the energy and its derivatives by the three x: \[even, odd\]\[quantity\]\[h3\].
    parts: Vec<f64>,
    /// Energies and Cartesian slopes at i3 and at n3 - i3.
    sides: [Vec<[f64; 4]>; 2],
}

impl Row {
    fn new(width: usize) -> Self {
        let side = || vec![[0.0; 4]; width];
        Self { width, parts: vec![0.0; 8 * width], sides: [side(), side()] }
    }

    /// Adds a kind: quantities `size` apart in `from`. A sine is odd; a derivative turns even into odd and odd into even.
    fn add(&mut self, sine: [bool; 3], signs: [f64; 2], from: &[f64], size: usize) {
        let sign: f64 = (0..2).filter(|i| sine[*i]).map(|i| signs[i]).product();
        let flips = [sign, sign * signs[0], sign * signs[1], sign];
        for (quantity, flip) in flips.into_iter().enumerate() {
            let odd = usize::from(sine[2] != (quantity == 3));
            let to = &mut self.parts[(4 * odd + quantity) * self.width..][..self.width];
            for (t, f) in to.iter_mut().zip(&from[quantity * size..]) {
                *t += flip * f;
            }
        }
    }

    /// Energies and Cartesian slopes of the first side, or of both.
    fn turn(&mut self, lattice: &Matrix3, sides: usize) {
        let width = self.width;
        for (side, sign) in self.sides.iter_mut().zip([1.0, -1.0]).take(sides) {
            let part = |quantity: usize| {
                let of = |odd: usize| self.parts[(4 * odd + quantity) * width..][..width].iter();
                of(0).zip(of(1)).map(move |(even, odd)| even + sign * odd)
            };
            let slopes = part(1).zip(part(2)).zip(part(3));
            for ((at, energy), ((x, y), z)) in side.iter_mut().zip(part(0)).zip(slopes) {
                let [a, b, c] = lattice;
                let along = |i: usize| x * a[i] + y * b[i] + z * c[i];
                *at = [energy, along(0), along(1), along(2)];
            }
        }
    }
}

/// Points in ascending order by rows: i2 and the points.
fn runs(wanted: &[GridPoint], n3: usize) -> impl Iterator<Item = (usize, &[GridPoint])> {
    let mut rest = wanted;
    std::iter::from_fn(move || {
        let i2 = rest.first()?.index as usize / n3;
        let end = (i2 + 1) * n3;
        let count = rest.iter().take(n3).take_while(|p| (p.index as usize) < end).count();
        let (run, after) = rest.split_at(count);
        rest = after;
        Some((i2, run))
    })
}

#[inline]
fn band_point([energy_ev, x, y, z]: &[f64; 4]) -> BandPoint {
    BandPoint { energy_ev: *energy_ev, products: [x * x, y * y, z * z, y * z, x * z, x * y] }
}
