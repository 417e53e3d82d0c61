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

use crate::axes::Axes;
use crate::bands::BandSet;
use crate::error::{BandsError, refuse, within};
use crate::field::{BandPoint, Bands, Planes};
use crate::octants::Octants;
use crate::planes::{GridPlanes, ORDER};
use crate::series::{LANES, Series, star_values};
use crate::stars::shortest_stars;
use crate::symmetry::{Grid, PAIRS, PointGroup};
use nalgebra::{Cholesky, DMatrix, DMatrixView};
use rayon::prelude::*;
use scalade_crystal::Matrix3;
use std::ops::Range;
use std::sync::OnceLock;

/// Roughness constants of Pickett, Krakauer and Allen.
const ROUGHNESS: [f64; 2] = [0.75, 0.75];
/// Largest deviation from the data, eV.
const LARGEST_RESIDUAL: f64 = 1e-6;
/// Eigenvalues of H below this share of the largest carry no information (equivalent k points).
const RANK: f64 = 1e-13;
/// Rows of H that are multiplied together.
const BLOCK_ROWS: usize = 64;
/// k points of one task.
const TASK_K: usize = 4 * LANES;

/// Bands as star functions.
#[derive(Clone, Debug)]
pub struct StarInterpolation {
    lattice: Matrix3,
    group: PointGroup,
    bands: usize,
    spin_degeneracy: f64,
    /// Ascending in (R1, R2, R3).
    cells: Vec<[i32; 3]>,
    /// |R|^2 of each star, square angstrom.
    squares: Vec<f64>,
    /// \[star\]\[band\], eV.
    coefficients: Vec<f64>,
    series: Series,
    /// Along the lattice vectors, for grids; made when first asked for.
    octants: OnceLock<Octants>,
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
        let axes = Axes::adapted(&lattice, group.rotations());
        let octants = Octants::new(axes, group.rotations(), &cells);
        let roughness: Vec<f64> = stars.iter().map(|s| roughness(s.length / shortest)).collect();
        let functions = star_functions(&octants, cells.len(), set.k_points());
        let origin = cells.iter().position(|c| *c == [0; 3]).unwrap_or(0);
        let (coefficients, residual_ev) = fit(set, &functions, origin, &roughness)?;
        Ok(Self {
            series: Series::new(octants, &lattice, &coefficients, set.bands()),
            lattice,
            group,
            bands: set.bands(),
            spin_degeneracy: set.spin_degeneracy(),
            cells,
            squares: stars.iter().map(|s| s.length * s.length).collect(),
            coefficients,
            octants: OnceLock::new(),
            residual_ev,
        })
    }

    /// Largest deviation from the data, eV.
    pub fn residual_ev(&self) -> f64 {
        self.residual_ev
    }

    /// Number of stars.
    pub fn stars(&self) -> usize {
        self.cells.len()
    }

    /// Energies and slopes \[k\]\[band\] at any fractional k points.
    ///
    /// Errors: a k that is not finite.
    pub fn at(&self, k: &[[f64; 3]]) -> Result<Vec<EnergySlope>, BandsError> {
        if let Some(bad) = k.iter().flatten().find(|x| !within(**x, 1e6)) {
            return refuse("a component of k", *bad, "a finite fractional coordinate is due");
        }
        let part = |task: &[[f64; 3]]| {
            let mut out = Vec::with_capacity(task.len() * self.bands);
            self.series.at(task, &mut out);
            out
        };
        if k.len() <= TASK_K {
            return Ok(part(k));
        }
        let parts: Vec<Vec<EnergySlope>> = k.par_chunks(TASK_K).map(part).collect();
        Ok(parts.concat())
    }

    /// One vector of each star.
    #[cfg(test)]
    pub(crate) fn cells(&self) -> &[[i32; 3]] {
        &self.cells
    }

    /// \[star\]\[band\], eV.
    #[cfg(test)]
    pub(crate) fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// How many inner sums there are, and their terms.
    #[cfg(test)]
    pub(crate) fn inner_sums(&self) -> (usize, usize) {
        self.series.inner_sums()
    }

    /// Size of the rounding in a second derivative of a band, eV angstrom^2: that of a sum of terms |a_R| R^2.
    pub(crate) fn rounding_of_curvature(&self, band: usize) -> f64 {
        let coefficients = self.coefficients.iter().skip(band).step_by(self.bands);
        let terms = coefficients.zip(&self.squares).map(|(a, square)| a.abs() * square);
        4.0 * f64::EPSILON * terms.sum::<f64>()
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
        Ok(self.series.curvature(k, band))
    }
}

/// Star functions \[k\]\[star\].
fn star_functions(octants: &Octants, stars: usize, k: &[[f64; 3]]) -> DMatrix<f64> {
    let mut out = DMatrix::zeros(k.len(), stars);
    let tasks: Vec<Vec<[f64; LANES]>> = k
        .par_chunks(LANES)
        .map(|task| star_values(octants, stars, &std::array::from_fn(|i| task[i.min(task.len() - 1)])))
        .collect();
    for (task, values) in tasks.iter().enumerate() {
        let first = task * LANES;
        let count = LANES.min(k.len() - first);
        for (star, lanes) in values.iter().enumerate() {
            out.view_mut((first, star), (count, 1)).copy_from_slice(&lanes[..count]);
        }
    }
    out
}

/// Coefficients \[star\]\[band\] and the largest deviation from the data, eV.
fn fit(
    set: &BandSet,
    functions: &DMatrix<f64>,
    origin: usize,
    roughness: &[f64],
) -> Result<(Vec<f64>, f64), BandsError> {
    let (points, stars, bands) = (functions.nrows(), functions.ncols(), set.bands());
    let energies = DMatrix::from_fn(points, bands, |i, b| set.energies(i)[b]);
    let scaled: Vec<f64> =
        roughness.iter().enumerate().map(|(m, r)| if m == origin { 0.0 } else { r.sqrt().recip() }).collect();
    let last = points - 1;
    let differences =
        DMatrix::from_fn(last, stars, |i, m| (functions[(i, m)] - functions[(last, m)]) * scaled[m]);
    let solve = constraint_solver(gram(&differences));
    let mut coefficients = DMatrix::zeros(stars, bands);
    // A second turn on what the first left over removes its rounding.
    for _ in 0..2 {
        let rest = &energies - functions * &coefficients;
        let right = DMatrix::from_fn(last, bands, |i, b| rest[(i, b)] - rest[(last, b)]);
        let weighted = differences.tr_mul(&solve(&right));
        for m in 0..stars {
            for b in 0..bands {
                coefficients[(m, b)] += weighted[(m, b)] * scaled[m];
            }
        }
        let rest = &energies - functions * &coefficients;
        for b in 0..bands {
            coefficients[(origin, b)] += rest[(last, b)];
        }
    }
    let rest = &energies - functions * &coefficients;
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
    Ok(((0..stars * bands).map(|i| coefficients[(i / bands, i % bands)]).collect(), worst.0))
}

fn roughness(ratio: f64) -> f64 {
    let square = ratio * ratio;
    (1.0 - ROUGHNESS[0] * square).powi(2) + ROUGHNESS[1] * square.powi(3)
}

/// D D^T, by blocks of rows so that each pair is multiplied once.
fn gram(d: &DMatrix<f64>) -> DMatrix<f64> {
    let (rows, columns) = d.shape();
    let mut out = DMatrix::zeros(rows, rows);
    for first in (0..rows).step_by(BLOCK_ROWS) {
        let count = BLOCK_ROWS.min(rows - first);
        let right = DMatrixView::from_slice_with_strides(&d.as_slice()[first..], columns, count, rows, 1);
        out.view_mut((first, first), (rows - first, count)).gemm(1.0, &d.rows_range(first..), &right, 0.0);
    }
    out.fill_upper_triangle_with_lower_triangle();
    out
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
        let make = || Octants::new(Axes::of_lattice(ORDER), self.group.rotations(), &self.cells);
        let octants = self.octants.get_or_init(make);
        let coefficients = (self.coefficients.as_slice(), self.bands);
        Ok(Box::new(GridPlanes::new(grid, octants, &self.lattice, coefficients, bands)))
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
