//! Band edges: where a band is lowest or highest, and its mass there.

use crate::error::{BandsError, within};
use crate::field::Bands;
use crate::interpolate::StarInterpolation;
use crate::mass::MassTensor;
use crate::model::TightBinding;
use crate::symmetry::{Grid, even_divisions, lattice_inverse};
use nalgebra::{Matrix3 as Tensor, Vector3};
use scalade_crystal::{Matrix3, dot, norm};
use std::f64::consts::PI;

/// Newton steps at most.
const MOST_STEPS: usize = 60;

/// A band at a k point with its first and second derivatives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bend {
    /// Energy, eV.
    pub energy_ev: f64,
    /// dE/dk, Cartesian, eV angstrom.
    pub slope: [f64; 3],
    /// d2E/dk_i dk_j, Cartesian, eV angstrom^2.
    pub curvature: Matrix3,
    /// What rounding leaves uncertain of a second derivative, eV angstrom^2.
    pub rounding: f64,
}

/// Bands whose second derivatives are known at any k.
pub trait Curved: Bands {
    /// Band `band` (from 0) at a fractional k point.
    ///
    /// Errors: a band that is not there or meets another at k, a k that is not finite.
    fn bend(&self, k: [f64; 3], band: usize) -> Result<Bend, BandsError>;

    /// The same for quadratures: where bands meet, terms that are infinite at this one point are left out.
    ///
    /// Errors: a band that is not there, a k that is not finite.
    fn regular_bend(&self, k: [f64; 3], band: usize) -> Result<Bend, BandsError> {
        self.bend(k, band)
    }
}

impl Curved for TightBinding {
    fn regular_bend(&self, k: [f64; 3], band: usize) -> Result<Bend, BandsError> {
        let curvature = self.second_derivatives(k, band, false)?;
        let (energy_ev, slope) = self.slopes(k, [0.53, 0.71, 0.46])?[band];
        Ok(Bend { energy_ev, slope, curvature, rounding: self.rounding_of_curvature() })
    }

    fn bend(&self, k: [f64; 3], band: usize) -> Result<Bend, BandsError> {
        let curvature = self.curvature(k, band)?;
        let (energy_ev, slope) = self.slopes(k, [1.0, 0.0, 0.0])?[band];
        Ok(Bend { energy_ev, slope, curvature, rounding: self.rounding_of_curvature() })
    }
}

impl Curved for StarInterpolation {
    fn bend(&self, k: [f64; 3], band: usize) -> Result<Bend, BandsError> {
        let curvature = self.curvature(k, band)?;
        let at = self.at(&[k])?[band];
        let rounding = self.rounding_of_curvature(band);
        Ok(Bend { energy_ev: at.energy_ev, slope: at.slope, curvature, rounding })
    }
}

/// An extremum of a band.
#[derive(Clone, Debug, PartialEq)]
pub struct BandEdge {
    /// The band, from 0.
    pub band: usize,
    /// Whether it is the highest energy of the band or the lowest.
    pub highest: bool,
    /// Fractional k point, components from -1/2 (excluded) to 1/2.
    pub k: [f64; 3],
    /// Energy, eV.
    pub energy_ev: f64,
}

/// Mass of a band at a k point with what rounding leaves uncertain of its components, m_e: |dm| <= |m|^2 |d(1/m)|. Of a crystal that extends in
/// fewer than three `dimensions`, which come first, the rows and columns beyond mean nothing.
///
/// Errors: as [`Curved::bend`] and [`MassTensor::of_curvature`].
pub fn mass_at(
    bands: &dyn Curved,
    k: [f64; 3],
    band: usize,
    dimensions: usize,
) -> Result<(MassTensor, f64), BandsError> {
    let mut bend = bands.bend(k, band)?;
    let size = bend.curvature.iter().flatten().fold(0.0f64, |a, x| a.max(x.abs()));
    for axis in dimensions..3 {
        bend.curvature[axis] = [0.0; 3];
        for row in &mut bend.curvature {
            row[axis] = 0.0;
        }
        bend.curvature[axis][axis] = size;
    }
    let mass = MassTensor::of_curvature(&bend.curvature, band)?;
    let most = |m: &Matrix3| m.iter().flatten().fold(0.0f64, |a, x| a.max(x.abs()));
    let largest_inverse = most(&mass.inverse);
    let share = bend.rounding / most(&bend.curvature).max(f64::MIN_POSITIVE);
    let size = mass.principal.iter().fold(0.0f64, |a, m| a.max(m.abs()));
    Ok((mass, size * size * largest_inverse * share))
}

/// The lowest or highest point of a band: the best point of a uniform grid of about `longest` points along the longest reciprocal vector, then
/// Newton's steps that are taken only while they improve the energy. A pocket narrower than the grid is missed.
///
/// Errors: a band that is not there, a grid out of range, and those of the bands.
pub fn band_edge(
    bands: &dyn Curved,
    band: usize,
    highest: bool,
    longest: usize,
) -> Result<BandEdge, BandsError> {
    if band >= bands.bands() {
        let want = "bands are counted from 0";
        return Err(BandsError::Count { what: "a band", got: band, expected: bands.bands() - 1, want });
    }
    let sign = if highest { -1.0 } else { 1.0 };
    let (mut k, mut energy, divisions) = best_of_grid(bands, band, sign, longest)?;
    let lattice = *bands.lattice_angstrom();
    let back = lattice_inverse(&lattice)?;
    // Half the diagonal of a grid cell bounds a step.
    let reach: f64 =
        (0..3).map(|i| PI * norm([back[0][i], back[1][i], back[2][i]]) / divisions[i] as f64).sum();
    for _ in 0..MOST_STEPS {
        let Ok(bend) = bands.bend(k, band) else { break };
        let Some(step) = newton_step(&bend, sign, reach) else { break };
        let mut share = 1.0;
        let mut moved = false;
        while share > 1e-6 {
            let next: [f64; 3] = std::array::from_fn(|i| k[i] + share * dot(lattice[i], step) / (2.0 * PI));
            let mut found = Vec::new();
            bands.points(next, &mut found)?;
            if sign * found[band].energy_ev < sign * energy {
                (k, energy, moved) = (next, found[band].energy_ev, true);
                break;
            }
            share *= 0.5;
        }
        if !moved || norm(step) * share < 1e-10 {
            break;
        }
    }
    let k = k.map(|x| {
        // Points of high symmetry are met to rounding.
        let x = x - (x - 0.5).ceil();
        let snapped = (x * 5040.0).round() / 5040.0;
        if (x - snapped).abs() < 1e-9 { snapped } else { x }
    });
    Ok(BandEdge { band, highest, k, energy_ev: energy })
}

/// Lowest and highest energy of every band (eV) on a uniform grid of about `longest` points along the longest reciprocal vector.
///
/// Errors: a grid out of range, and those of the bands.
pub fn band_ranges(bands: &dyn Curved, longest: usize) -> Result<Vec<[f64; 2]>, BandsError> {
    let divisions = even_divisions(bands.lattice_angstrom(), bands.group(), longest)?;
    let grid = Grid::new(divisions, bands.group())?;
    let mut out = vec![[f64::INFINITY, f64::NEG_INFINITY]; bands.bands()];
    for batch in bands.batches() {
        let planes = bands.on_grid(&grid, batch.clone())?;
        let mut found = Vec::new();
        for (i1, wanted) in grid.planes.iter().enumerate().filter(|(_, w)| !w.is_empty()) {
            found.clear();
            planes.plane(i1, wanted, &mut found)?;
            for at in found.chunks(batch.len()) {
                for (range, point) in out[batch.clone()].iter_mut().zip(at) {
                    *range = [range[0].min(point.energy_ev), range[1].max(point.energy_ev)];
                }
            }
        }
    }
    Ok(out)
}

/// Best point of a grid; among equal ones the first.
fn best_of_grid(
    bands: &dyn Curved,
    band: usize,
    sign: f64,
    longest: usize,
) -> Result<([f64; 3], f64, [usize; 3]), BandsError> {
    let divisions = even_divisions(bands.lattice_angstrom(), bands.group(), longest)?;
    let grid = Grid::new(divisions, bands.group())?;
    let mut best = ([0.0; 3], f64::INFINITY);
    for batch in bands.batches().into_iter().filter(|b| b.contains(&band)) {
        let planes = bands.on_grid(&grid, batch.clone())?;
        let mut found = Vec::new();
        for (i1, wanted) in grid.planes.iter().enumerate().filter(|(_, w)| !w.is_empty()) {
            found.clear();
            planes.plane(i1, wanted, &mut found)?;
            for (point, at) in wanted.iter().zip(found.chunks(batch.len())) {
                let value = sign * at[band - batch.start].energy_ev;
                if value < best.1 - 1e-12 {
                    best = (grid.k(i1, point.index), value);
                }
            }
        }
    }
    Ok((best.0, sign * best.1, divisions))
}

/// Newton's step where the band bends the right way, else down the slope; none at a stationary point.
fn newton_step(bend: &Bend, sign: f64, reach: f64) -> Option<[f64; 3]> {
    let slope = Vector3::from(bend.slope) * sign;
    let mut curvature = Tensor::from_fn(|i, j| sign * bend.curvature[i][j]);
    for axis in 0..3 {
        // Nothing changes along an axis on which the crystal does not extend.
        if bend.curvature[axis] == [0.0; 3] {
            curvature[(axis, axis)] = 1.0;
        }
    }
    if slope.norm() <= 1e-12 {
        return None;
    }
    let down = || -slope / slope.norm() * reach;
    let step = match curvature.cholesky() {
        Some(factor) => -factor.solve(&slope),
        None => down(),
    };
    let length = step.norm();
    if !within(length, 1e6) {
        return None;
    }
    let step = if length > reach { step * (reach / length) } else { step };
    Some([step[0], step[1], step[2]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Hopping;
    use crate::symmetry::cubic_rotations;

    fn cubic() -> TightBinding {
        let hop = |cell| Hopping { row: 0, column: 0, cell, amplitude_ev: [-0.5, 0.0] };
        let lattice = [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]];
        TightBinding::new(lattice, 1, &[[1, 0, 0], [0, 1, 0], [0, 0, 1]].map(hop), true, 2.0)
            .unwrap()
            .with_rotations(&cubic_rotations(), true)
            .unwrap()
    }

    #[test]
    fn edges_of_a_cubic_band_and_their_masses() {
        let band = cubic();
        let low = band_edge(&band, 0, false, 8).unwrap();
        let high = band_edge(&band, 0, true, 8).unwrap();
        assert_eq!((low.k, high.k), ([0.0; 3], [0.5; 3]));
        assert!((low.energy_ev + 3.0).abs() < 1e-14 && (high.energy_ev - 3.0).abs() < 1e-14);
        // hbar^2/(2 t a^2 m_e) = 7.6199642/9.
        for (edge, sign) in [(&low, 1.0), (&high, -1.0)] {
            let (mass, rounding) = mass_at(&band, edge.k, 0, 3).unwrap();
            assert!((mass.mass[1][1] - sign * 7.619_964_2 / 9.0).abs() < 1e-7);
            assert!(rounding > 0.0 && rounding < 1e-12, "{rounding}");
        }
        let range = band_ranges(&band, 8).unwrap()[0];
        assert!((range[0] + 3.0).abs() < 1e-14 && (range[1] - 3.0).abs() < 1e-14);
        assert!(band_edge(&band, 1, true, 8).is_err() && band_edge(&band, 0, true, 0).is_ok());
    }

    #[test]
    fn an_edge_off_the_grid_is_found() {
        // A flux moves the minimum of -2t cos(2 pi k + phi) to k = -phi/2 pi.
        let (s, c) = 0.9f64.sin_cos();
        let list = [
            Hopping { row: 0, column: 0, cell: [1, 0, 0], amplitude_ev: [-0.5 * c, -0.5 * s] },
            Hopping { row: 0, column: 0, cell: [0, 1, 0], amplitude_ev: [-0.3, 0.0] },
            Hopping { row: 0, column: 0, cell: [0, 0, 1], amplitude_ev: [-0.2, 0.0] },
        ];
        let lattice = [[3.0, 0.0, 0.0], [0.5, 2.0, 0.0], [0.0, 0.0, 4.0]];
        let band = TightBinding::new(lattice, 1, &list, true, 2.0).unwrap();
        let edge = band_edge(&band, 0, false, 12).unwrap();
        assert!((edge.k[0] + 0.9 / (2.0 * PI)).abs() < 1e-9, "{:?}", edge.k);
        assert!((edge.energy_ev + 2.0).abs() < 1e-14);
    }
}
