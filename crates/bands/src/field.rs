//! What the integrals need to know of bands, wherever they come from.

use crate::error::BandsError;
use crate::symmetry::{Grid, GridPoint, PointGroup};
use scalade_crystal::Matrix3;
use std::ops::Range;

/// One band at one k point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BandPoint {
    /// Energy, eV.
    pub energy_ev: f64,
    /// dE/dk_i dE/dk_j as (xx, yy, zz, yz, xz, xy), (eV angstrom)^2; times the relaxation time over a common one where it differs between states.
    pub products: [f64; 6],
}

/// Bands that are known at every k: a model or an interpolation.
pub trait Bands: Sync {
    /// Lattice vectors as rows, angstrom.
    fn lattice_angstrom(&self) -> &Matrix3;
    /// Number of bands.
    fn bands(&self) -> usize;
    /// Electrons that one band holds at one k: 2, or 1 where spin is part of the band.
    fn spin_degeneracy(&self) -> f64;
    /// Rotations under which the bands do not change.
    fn group(&self) -> &PointGroup;
    /// Appends every band at a fractional k point, ascending band index.
    ///
    /// Errors: a k that is not finite.
    fn points(&self, k: [f64; 3], out: &mut Vec<BandPoint>) -> Result<(), BandsError>;
    /// Groups of bands that are evaluated together on a grid.
    fn batches(&self) -> Vec<Range<usize>> {
        std::iter::once(0..self.bands()).collect()
    }
    /// Prepares the evaluation of one of the [`Self::batches`] on a grid.
    ///
    /// Errors: those of the implementation.
    fn on_grid<'a>(
        &'a self,
        grid: &'a Grid,
        bands: Range<usize>,
    ) -> Result<Box<dyn Planes + 'a>, BandsError> {
        Ok(Box::new(PointByPoint { of: self, grid, bands }))
    }
}

/// Bands on a grid, plane by plane.
pub trait Planes: Sync {
    /// Appends [point][band of the batch] for the wanted points of plane `i1`.
    ///
    /// Errors: those of the implementation.
    fn plane(&self, i1: usize, wanted: &[GridPoint], out: &mut Vec<BandPoint>) -> Result<(), BandsError>;
}

struct PointByPoint<'a, B: Bands + ?Sized> {
    of: &'a B,
    grid: &'a Grid,
    bands: Range<usize>,
}

impl<B: Bands + ?Sized> Planes for PointByPoint<'_, B> {
    fn plane(&self, i1: usize, wanted: &[GridPoint], out: &mut Vec<BandPoint>) -> Result<(), BandsError> {
        let mut all = Vec::with_capacity(self.of.bands());
        for point in wanted {
            all.clear();
            self.of.points(self.grid.k(i1, point.index), &mut all)?;
            out.extend_from_slice(&all[self.bands.clone()]);
        }
        Ok(())
    }
}
