//! Smoothed Fourier interpolation of bands with star functions.
//!
//! E(k) = sum_m a_m S_m(k), S_m(k) = mean over the star of e^(ik.R), with more stars than k points: among all sets that pass through the data the one with the
//! least roughness sum_m a_m^2 rho(R_m) is taken (D. G. Shankland, Int. J. Quantum Chem. 5, 497 (1971); D. D. Koelling, J. H. Wood, J. Comput. Phys. 67, 253 (1986)),
//! rho = (1 - 3/4 (R/R_1)^2)^2 + 3/4 (R/R_1)^6 with R_1 the shortest vector (W. E. Pickett, H. Krakauer, P. B. Allen, Phys. Rev. B 38, 2721 (1988)).
//! Subtracting the last k point removes a_0; the multipliers lambda of the constraints solve
//!
//! sum_j H_ij lambda_j = E(k_i) - E(k_N), H_ij = sum_(m>0) D_im D_jm / rho_m, D_im = S_m(k_i) - S_m(k_N), a_m = sum_i lambda_i D_im / rho_m.
//!
//! Slopes and second derivatives are those of the series, term by term. Bands are followed by their order in energy: where two cross, each has a kink that no
//! Fourier series can follow, and the interpolation errs by up to some 0.1 eV there.

use crate::bands::BandSet;
use crate::dense::{DensePlanes, Member};
use crate::error::{BandsError, refuse, within};
use crate::field::{BandPoint, Bands, Planes};
use crate::stars::{image, members, shortest_stars};
use crate::symmetry::{Grid, PAIRS, PointGroup, Rotation};
use nalgebra::{Cholesky, DMatrix};
use rayon::prelude::*;
use scalade_crystal::{Matrix3, row_times};
use std::f64::consts::PI;
use std::ops::Range;

/// Roughness constants of Pickett, Krakauer and Allen.
const ROUGHNESS: [f64; 2] = [0.75, 0.75];
/// Largest deviation from the data, eV.
const LARGEST_RESIDUAL: f64 = 1e-6;
/// Eigenvalues of H below this share of the largest carry no information (equivalent k points).
const RANK: f64 = 1e-13;
/// k points that share one pass over the stars.
const BLOCK_K: usize = 8;
const BLOCK_STARS: usize = 32;

/// Bands as star functions.
#[derive(Clone, Debug)]
pub struct StarInterpolation {
    lattice: Matrix3,
    group: PointGroup,
    /// One of each pair M, -M.
    half: Vec<Rotation>,
    bands: usize,
    spin_degeneracy: f64,
    /// Ascending in (R1, R2, R3).
    cells: Vec<[i32; 3]>,
    /// Cartesian M^T R of every star: \[star\]\[axis\]\[rotation of `half`\], angstrom.
    vectors: Vec<f64>,
    /// \[star\]\[band\], eV.
    coefficients: Vec<f64>,
    /// Largest |R_i|.
    reach: [usize; 3],
    /// Every lattice vector with its star.
    members: Vec<Member>,
    residual_ev: f64,
}

/// Energy and its first derivative.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EnergySlope {
    /// Energy, eV.
    pub energy_ev: f64,
    /// dE/dk, Cartesian, eV angstrom.
    pub slope: [f64; 3],
}

/// Phases e^(2 pi i r (M k)_axis), r from -reach to reach: \[axis\]\[r\]\[rotation\].
struct Phases {
    re: [Vec<f64>; 3],
    im: [Vec<f64>; 3],
}

impl StarInterpolation {
    /// Interpolates a band set with at least `multiplier` stars per k point (5 is customary; 2 to 100).
    ///
    /// Errors: a multiplier out of range, more lattice vectors than memory should hold, data that no function with these rotations can pass through
    /// (two equivalent k points with different energies).
    pub fn new(set: &BandSet, multiplier: f64) -> Result<Self, BandsError> {
        Self::with_roughness(set, multiplier, roughness)
    }

    /// The same with a roughness that grows as the fifth power of R instead of the sixth, rho = (1 - 3/4 (R/R_1)^2)^2 + 3/4 (R/R_1)^5: a less smooth function through
    /// the same data. Between the points it errs more, so that its difference from [`Self::new`] bounds the error of that one by the size.
    ///
    /// Errors: as [`Self::new`].
    pub fn less_smooth(set: &BandSet, multiplier: f64) -> Result<Self, BandsError> {
        Self::with_roughness(set, multiplier, |ratio| {
            let square = ratio * ratio;
            (1.0 - ROUGHNESS[0] * square).powi(2) + ROUGHNESS[1] * square.powi(2) * ratio
        })
    }

    fn with_roughness(
        set: &BandSet,
        multiplier: f64,
        roughness: impl Fn(f64) -> f64,
    ) -> Result<Self, BandsError> {
        if !(2.0..=100.0).contains(&multiplier) {
            return refuse("stars per k point", multiplier, "2 to 100 is due");
        }
        let points = set.k_points().len();
        let count = (multiplier * points as f64).ceil() as usize + 1;
        let (lattice, group) = (*set.lattice_angstrom(), set.group().clone());
        let mut stars = shortest_stars(&lattice, &group, count)?;
        let shortest = stars.get(1).map_or(1.0, |s| s.length);
        stars.sort_by_key(|s| s.cell);
        let cells: Vec<[i32; 3]> = stars.iter().map(|s| s.cell).collect();
        let mut half: Vec<Rotation> = Vec::new();
        for rotation in group.rotations() {
            if !half.contains(&rotation.map(|row| row.map(|x| -x))) {
                half.push(*rotation);
            }
        }
        let mut vectors = Vec::with_capacity(cells.len() * 3 * half.len());
        for cell in &cells {
            let turned: Vec<[f64; 3]> =
                half.iter().map(|m| row_times(image(m, *cell).map(f64::from), &lattice)).collect();
            for axis in 0..3 {
                vectors.extend(turned.iter().map(|v| v[axis]));
            }
        }
        let reach =
            std::array::from_fn(|i| cells.iter().map(|c| c[i].unsigned_abs() as usize).max().unwrap_or(0));
        let mut list = Vec::new();
        for (star, cell) in cells.iter().enumerate() {
            let all = members(&group, *cell);
            let share = 1.0 / all.len() as f64;
            list.extend(all.into_iter().map(|cell| Member {
                cell,
                vector: row_times(cell.map(f64::from), &lattice),
                star,
                share,
            }));
        }
        let mut out = Self {
            lattice,
            group,
            half,
            bands: set.bands(),
            spin_degeneracy: set.spin_degeneracy(),
            coefficients: vec![0.0; cells.len() * set.bands()],
            cells,
            vectors,
            reach,
            members: list,
            residual_ev: 0.0,
        };
        let roughness: Vec<f64> = stars.iter().map(|s| roughness(s.length / shortest)).collect();
        out.fit(set, &roughness)?;
        Ok(out)
    }

    /// Largest deviation from the data, eV.
    pub fn residual_ev(&self) -> f64 {
        self.residual_ev
    }

    /// Number of stars.
    pub fn stars(&self) -> usize {
        self.cells.len()
    }

    /// Star functions \[k\]\[star\].
    fn star_functions(&self, k: &[[f64; 3]]) -> DMatrix<f64> {
        let rows: Vec<Vec<f64>> = k
            .par_iter()
            .map(|k| {
                let phases = self.phases(*k);
                let mut work = Work::new(self.half.len());
                (0..self.cells.len()).map(|star| self.star(star, &phases, &mut work)).collect()
            })
            .collect();
        DMatrix::from_fn(k.len(), self.cells.len(), |i, j| rows[i][j])
    }

    fn fit(&mut self, set: &BandSet, roughness: &[f64]) -> Result<(), BandsError> {
        let k = set.k_points();
        let (points, stars, bands) = (k.len(), self.cells.len(), self.bands);
        let functions = self.star_functions(k);
        let origin = self.cells.iter().position(|c| *c == [0; 3]).unwrap_or(0);
        let energies = DMatrix::from_fn(points, bands, |i, b| set.energies(i)[b]);
        let scaled: Vec<f64> = roughness
            .iter()
            .enumerate()
            .map(|(m, r)| if m == origin { 0.0 } else { r.sqrt().recip() })
            .collect();
        let last = points - 1;
        let differences =
            DMatrix::from_fn(last, stars, |i, m| (functions[(i, m)] - functions[(last, m)]) * scaled[m]);
        let solve = constraint_solver(&differences * differences.transpose());
        let mut coefficients = DMatrix::zeros(stars, bands);
        // A second turn on what the first left over removes its rounding.
        for _ in 0..2 {
            let rest = &energies - &functions * &coefficients;
            let right = DMatrix::from_fn(last, bands, |i, b| rest[(i, b)] - rest[(last, b)]);
            let weighted = differences.tr_mul(&solve(&right));
            for m in 0..stars {
                for b in 0..bands {
                    coefficients[(m, b)] += weighted[(m, b)] * scaled[m];
                }
            }
            let rest = &energies - &functions * &coefficients;
            for b in 0..bands {
                coefficients[(origin, b)] += rest[(last, b)];
            }
        }
        let rest = &energies - &functions * &coefficients;
        let mut worst = (0.0f64, 0, 0);
        for i in 0..points {
            for b in 0..bands {
                if !worst.0.is_nan() && !within(rest[(i, b)], worst.0) {
                    worst = (rest[(i, b)].abs(), b, i);
                }
            }
        }
        if !within(worst.0, LARGEST_RESIDUAL) {
            return Err(BandsError::Residual { residual_ev: worst.0, band: worst.1 + 1, point: worst.2 + 1 });
        }
        self.residual_ev = worst.0;
        self.coefficients = (0..stars * bands).map(|i| coefficients[(i / bands, i % bands)]).collect();
        Ok(())
    }

    fn phases(&self, k: [f64; 3]) -> Phases {
        let lanes = self.half.len();
        let mut out = Phases { re: Default::default(), im: Default::default() };
        let turned: Vec<[f64; 3]> = self
            .half
            .iter()
            .map(|m| std::array::from_fn(|i| (0..3).map(|j| f64::from(m[i][j]) * k[j]).sum()))
            .collect();
        for axis in 0..3 {
            let reach = self.reach[axis];
            let mut re = vec![1.0; (2 * reach + 1) * lanes];
            let mut im = vec![0.0; (2 * reach + 1) * lanes];
            for lane in 0..lanes {
                let angle = 2.0 * PI * (turned[lane][axis] - turned[lane][axis].round());
                let (s, c) = angle.sin_cos();
                let (mut x, mut y) = (1.0, 0.0);
                for r in 1..=reach {
                    (x, y) = (x * c - y * s, x * s + y * c);
                    let (plus, minus) = ((reach + r) * lanes + lane, (reach - r) * lanes + lane);
                    (re[plus], im[plus], re[minus], im[minus]) = (x, y, x, -y);
                }
            }
            (out.re[axis], out.im[axis]) = (re, im);
        }
        out
    }

    /// Row of the phase table of an axis.
    fn row(&self, axis: usize, r: i32) -> Range<usize> {
        let lanes = self.half.len();
        let at = (self.reach[axis] as i64 + i64::from(r)) as usize * lanes;
        at..at + lanes
    }

    /// S_m(k); leaves the sines of the members in `work.sine`.
    fn star(&self, star: usize, phases: &Phases, work: &mut Work) -> f64 {
        let cell = self.cells[star];
        if work.pair != Some([cell[0], cell[1]]) {
            work.pair = Some([cell[0], cell[1]]);
            let (first, second) = (self.row(0, cell[0]), self.row(1, cell[1]));
            let (ar, ai) = (&phases.re[0][first.clone()], &phases.im[0][first]);
            let (br, bi) = (&phases.re[1][second.clone()], &phases.im[1][second]);
            for lane in 0..ar.len() {
                work.re[lane] = ar[lane] * br[lane] - ai[lane] * bi[lane];
                work.im[lane] = ar[lane] * bi[lane] + ai[lane] * br[lane];
            }
        }
        let third = self.row(2, cell[2]);
        let lanes = third.len();
        let (cr, ci) = (&phases.re[2][third.clone()], &phases.im[2][third]);
        let (pr, pi) = (&work.re[..lanes], &work.im[..lanes]);
        let (cosine, sine) = (&mut work.cosine[..lanes], &mut work.sine[..lanes]);
        for lane in 0..lanes {
            cosine[lane] = pr[lane] * cr[lane] - pi[lane] * ci[lane];
            sine[lane] = pr[lane] * ci[lane] + pi[lane] * cr[lane];
        }
        fold(cosine) / lanes as f64
    }

    /// Energies and slopes \[k\]\[band\] at any fractional k points.
    ///
    /// Errors: a k that is not finite.
    pub fn at(&self, k: &[[f64; 3]]) -> Result<Vec<EnergySlope>, BandsError> {
        if let Some(bad) = k.iter().flatten().find(|x| !within(**x, 1e6)) {
            return refuse("a component of k", *bad, "a finite fractional coordinate is due");
        }
        let parts: Vec<Vec<EnergySlope>> = k.par_chunks(BLOCK_K).map(|block| self.block(block)).collect();
        Ok(parts.concat())
    }

    fn block(&self, k: &[[f64; 3]]) -> Vec<EnergySlope> {
        let (lanes, bands) = (self.half.len(), self.bands);
        let phases: Vec<Phases> = k.iter().map(|k| self.phases(*k)).collect();
        let mut works: Vec<Work> = k.iter().map(|_| Work::new(lanes)).collect();
        let mut out = vec![EnergySlope::default(); k.len() * bands];
        let scale = -1.0 / lanes as f64;
        for first in (0..self.cells.len()).step_by(BLOCK_STARS) {
            for ((phases, work), at) in phases.iter().zip(&mut works).zip(out.chunks_mut(bands)) {
                for star in first..(first + BLOCK_STARS).min(self.cells.len()) {
                    let value = self.star(star, phases, work);
                    let vectors = &self.vectors[star * 3 * lanes..(star + 1) * 3 * lanes];
                    let slope: [f64; 3] = std::array::from_fn(|axis| {
                        scale * inner(&vectors[axis * lanes..(axis + 1) * lanes], &work.sine)
                    });
                    for (o, a) in at.iter_mut().zip(&self.coefficients[star * bands..(star + 1) * bands]) {
                        o.energy_ev += a * value;
                        o.slope[0] += a * slope[0];
                        o.slope[1] += a * slope[1];
                        o.slope[2] += a * slope[2];
                    }
                }
            }
        }
        out
    }

    /// Size of the rounding in a second derivative of a band, eV angstrom^2: that of a sum of terms |a_R| R^2.
    pub(crate) fn rounding_of_curvature(&self, band: usize) -> f64 {
        let term = |m: &Member| {
            let a = self.coefficients[m.star * self.bands + band] * m.share;
            a.abs() * m.vector.iter().map(|x| x * x).sum::<f64>()
        };
        4.0 * f64::EPSILON * self.members.iter().map(term).sum::<f64>()
    }

    /// Second derivatives d2E/dk_i dk_j of a band (from 0) at a fractional k point, Cartesian, eV angstrom^2.
    ///
    /// Errors: a band that is not there, a k that is not finite.
    pub fn curvature(&self, k: [f64; 3], band: usize) -> Result<Matrix3, BandsError> {
        if band >= self.bands {
            let want = "bands are counted from 0";
            return Err(BandsError::Count { what: "a band", got: band, expected: self.bands - 1, want });
        }
        if let Some(bad) = k.iter().find(|x| !within(**x, 1e6)) {
            return refuse("a component of k", *bad, "a finite fractional coordinate is due");
        }
        let mut out = [[0.0; 3]; 3];
        for member in &self.members {
            let phase: f64 = (0..3).map(|i| k[i] * f64::from(member.cell[i])).sum();
            let factor =
                -self.coefficients[member.star * self.bands + band] * member.share * (2.0 * PI * phase).cos();
            for i in 0..3 {
                for j in 0..3 {
                    out[i][j] += factor * member.vector[i] * member.vector[j];
                }
            }
        }
        Ok(out)
    }
}

/// Room for the phases of one star at one k.
struct Work {
    pair: Option<[i32; 2]>,
    re: Vec<f64>,
    im: Vec<f64>,
    cosine: Vec<f64>,
    sine: Vec<f64>,
}

impl Work {
    fn new(lanes: usize) -> Self {
        let zero = || vec![0.0; lanes];
        Self { pair: None, re: zero(), im: zero(), cosine: zero(), sine: zero() }
    }
}

/// Sum in four strands, which the compiler can keep in registers side by side.
fn fold(x: &[f64]) -> f64 {
    let mut strands = [0.0; 4];
    let chunks = x.chunks_exact(4);
    let rest: f64 = chunks.remainder().iter().sum();
    for c in chunks {
        for (s, v) in strands.iter_mut().zip(c) {
            *s += v;
        }
    }
    (strands[0] + strands[1]) + (strands[2] + strands[3]) + rest
}

fn inner(x: &[f64], y: &[f64]) -> f64 {
    let mut strands = [0.0; 4];
    let (a, b) = (x.chunks_exact(4), y.chunks_exact(4));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(x, y)| x * y).sum();
    for (a, b) in a.zip(b) {
        for i in 0..4 {
            strands[i] += a[i] * b[i];
        }
    }
    (strands[0] + strands[1]) + (strands[2] + strands[3]) + rest
}

fn roughness(ratio: f64) -> f64 {
    let square = ratio * ratio;
    (1.0 - ROUGHNESS[0] * square).powi(2) + ROUGHNESS[1] * square.powi(3)
}

/// Solves H lambda = right by Cholesky, or within the space that H spans where it is singular.
fn constraint_solver(h: DMatrix<f64>) -> impl Fn(&DMatrix<f64>) -> DMatrix<f64> {
    let order = h.nrows();
    let diagonal = (0..order).map(|i| h[(i, i)]).fold(0.0, f64::max);
    let factor = Cholesky::new(h.clone()).filter(|c| {
        let l = c.l_dirty();
        (0..order).all(|i| l[(i, i)] * l[(i, i)] > RANK * diagonal)
    });
    let eigen = factor.is_none().then(|| h.symmetric_eigen());
    move |right: &DMatrix<f64>| match (&factor, &eigen) {
        (Some(factor), _) => factor.solve(right),
        (None, Some(eigen)) => {
            let largest = eigen.eigenvalues.iter().fold(0.0f64, |a, b| a.max(b.abs()));
            let mut turned = eigen.eigenvectors.tr_mul(right);
            for (i, value) in eigen.eigenvalues.iter().enumerate() {
                let inverse = if *value > RANK * largest { value.recip() } else { 0.0 };
                turned.row_mut(i).scale_mut(inverse);
            }
            &eigen.eigenvectors * turned
        }
        (None, None) => right.clone(),
    }
}

impl Bands for StarInterpolation {
    fn lattice_angstrom(&self) -> &Matrix3 {
        &self.lattice
    }

    fn bands(&self) -> usize {
        self.bands
    }

    fn spin_degeneracy(&self) -> f64 {
        self.spin_degeneracy
    }

    fn group(&self) -> &PointGroup {
        &self.group
    }

    fn points(&self, k: [f64; 3], out: &mut Vec<BandPoint>) -> Result<(), BandsError> {
        out.extend(self.at(&[k])?.iter().map(|p| BandPoint {
            energy_ev: p.energy_ev,
            products: PAIRS.map(|(i, j)| p.slope[i] * p.slope[j]),
        }));
        Ok(())
    }

    fn batches(&self) -> Vec<Range<usize>> {
        (0..self.bands).map(|b| b..b + 1).collect()
    }

    fn on_grid<'a>(
        &'a self,
        grid: &'a Grid,
        bands: Range<usize>,
    ) -> Result<Box<dyn Planes + 'a>, BandsError> {
        let coefficients: Vec<Vec<f64>> = bands
            .map(|b| (0..self.cells.len()).map(|star| self.coefficients[star * self.bands + b]).collect())
            .collect();
        Ok(Box::new(DensePlanes::new(grid, &self.members, &coefficients)))
    }
}

/// Bands whose states have relaxation times of their own: both are interpolated, times as ln tau, so that they stay positive.
/// Use it with [`crate::RelaxationTime::constant`] of 1 s.
#[derive(Clone, Copy, Debug)]
pub struct StateTimes<'a> {
    bands: &'a StarInterpolation,
    logarithms: &'a StarInterpolation,
}

impl<'a> StateTimes<'a> {
    /// From bands and an interpolation of ln(tau/s) \[k\]\[band\] on the same lattice. Since [`BandSet`] sorts what it is given, give times of one band at a time
    /// or such that they do not cross.
    ///
    /// Errors: different lattices, rotations or numbers of bands.
    pub fn new(bands: &'a StarInterpolation, logarithms: &'a StarInterpolation) -> Result<Self, BandsError> {
        if bands.bands != logarithms.bands {
            let want = "a time for each band is due";
            return Err(BandsError::Count {
                what: "bands with times",
                got: logarithms.bands,
                expected: bands.bands,
                want,
            });
        }
        if bands.lattice != logarithms.lattice || bands.group != logarithms.group {
            return Err(BandsError::Symmetry {
                reason: "bands and times have different lattices or rotations".into(),
            });
        }
        Ok(Self { bands, logarithms })
    }
}

fn with_times(bands: &mut [BandPoint], logarithms: &[BandPoint]) {
    for (point, logarithm) in bands.iter_mut().zip(logarithms) {
        let time = logarithm.energy_ev.exp();
        point.products = point.products.map(|p| p * time);
    }
}

struct TimedPlanes<'a>(Box<dyn Planes + 'a>, Box<dyn Planes + 'a>);

impl Planes for TimedPlanes<'_> {
    fn plane(
        &self,
        i1: usize,
        wanted: &[crate::GridPoint],
        out: &mut Vec<BandPoint>,
    ) -> Result<(), BandsError> {
        let first = out.len();
        self.0.plane(i1, wanted, out)?;
        let mut logarithms = Vec::with_capacity(out.len() - first);
        self.1.plane(i1, wanted, &mut logarithms)?;
        with_times(&mut out[first..], &logarithms);
        Ok(())
    }
}

impl Bands for StateTimes<'_> {
    fn lattice_angstrom(&self) -> &Matrix3 {
        &self.bands.lattice
    }

    fn bands(&self) -> usize {
        self.bands.bands
    }

    fn spin_degeneracy(&self) -> f64 {
        self.bands.spin_degeneracy
    }

    fn group(&self) -> &PointGroup {
        &self.bands.group
    }

    fn points(&self, k: [f64; 3], out: &mut Vec<BandPoint>) -> Result<(), BandsError> {
        let first = out.len();
        self.bands.points(k, out)?;
        let mut logarithms = Vec::new();
        self.logarithms.points(k, &mut logarithms)?;
        with_times(&mut out[first..], &logarithms);
        Ok(())
    }

    fn batches(&self) -> Vec<Range<usize>> {
        self.bands.batches()
    }

    fn on_grid<'a>(
        &'a self,
        grid: &'a Grid,
        bands: Range<usize>,
    ) -> Result<Box<dyn Planes + 'a>, BandsError> {
        Ok(Box::new(TimedPlanes(
            self.bands.on_grid(grid, bands.clone())?,
            self.logarithms.on_grid(grid, bands)?,
        )))
    }
}
