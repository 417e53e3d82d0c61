//! Density of states by the linear tetrahedron method (G. Lehmann, M. Taut, Phys. Status Solidi B 54, 469 (1972)), tetrahedra along the shortest diagonal of the
//! grid cells (P. E. Bloechl, O. Jepsen, O. K. Andersen, Phys. Rev. B 49, 16223 (1994), appendix B and C). Errors fall as the square of the grid spacing.

use crate::bands::BandSet;
use crate::error::{BandsError, refuse};
use crate::field::Bands;
use crate::symmetry::{Grid, Rotation, lattice_inverse};
use scalade_crystal::{Matrix3, norm, row_times};

/// Bands on a whole uniform grid, linear within its tetrahedra.
#[derive(Clone, Debug, PartialEq)]
pub struct TetrahedronDos {
    spin_degeneracy: f64,
    /// Corner energies ascending, per band and tetrahedron.
    corners: Vec<[f64; 4]>,
    /// Tetrahedra of one band.
    tetrahedra: usize,
}

/// Grid steps to the corners of the six tetrahedra of a cell around the shortest diagonal.
fn shapes(lattice: &Matrix3, divisions: [usize; 3]) -> Result<[[[usize; 3]; 4]; 6], BandsError> {
    let back = lattice_inverse(lattice)?;
    let step: Matrix3 = std::array::from_fn(|i| std::array::from_fn(|j| back[j][i] / divisions[i] as f64));
    let diagonal = |flip: usize| {
        let signs: [f64; 3] = std::array::from_fn(|i| if flip >> i & 1 == 1 { -1.0 } else { 1.0 });
        norm(row_times(signs, &step))
    };
    // Flips of one axis at most: the four diagonals.
    let mut best = 0;
    for flip in [1, 2, 4] {
        if diagonal(flip) < diagonal(best) * (1.0 - 1e-9) {
            best = flip;
        }
    }
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    Ok(orders.map(|order| {
        let mut at: [usize; 3] = std::array::from_fn(|i| best >> i & 1);
        let mut out = [at; 4];
        for (corner, axis) in order.into_iter().enumerate() {
            at[axis] = 1 - at[axis];
            out[corner + 1] = at;
        }
        out
    }))
}

fn turned(rotation: &Rotation, k: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|i| (0..3).map(|j| f64::from(rotation[i][j]) * k[j]).sum())
}

/// Place of a fractional k on the grid; none off it.
fn place(k: [f64; 3], divisions: [usize; 3]) -> Option<usize> {
    let mut out = 0;
    for i in 0..3 {
        let n = divisions[i] as f64;
        let at = (k[i] * n).round();
        if (k[i] * n - at).abs() > 1e-4 {
            return None;
        }
        out = out * divisions[i] + at.rem_euclid(n) as usize;
    }
    Some(out)
}

impl TetrahedronDos {
    /// From a band set whose points and their images fill the grid i/n.
    ///
    /// Errors: points off the grid, or a grid that they do not fill.
    pub fn of_set(set: &BandSet, divisions: [usize; 3]) -> Result<Self, BandsError> {
        let points: usize = divisions.iter().try_fold(1usize, |a, n| a.checked_mul(*n)).unwrap_or(usize::MAX);
        if !(1..=1 << 24).contains(&points) {
            return refuse("the number of points of a grid", points as f64, "1 to 2^24 is due");
        }
        let mut owner = vec![usize::MAX; points];
        for (index, k) in set.k_points().iter().enumerate() {
            for rotation in set.group().rotations() {
                let Some(at) = place(turned(rotation, *k), divisions) else {
                    let reason =
                        format!("k point {} or an image is not on the grid {divisions:?}", index + 1);
                    return Err(BandsError::Symmetry { reason });
                };
                owner[at] = index;
            }
        }
        if let Some(hole) = owner.iter().position(|o| *o == usize::MAX) {
            let reason = format!("point {hole} of the grid {divisions:?} is no image of a k point given");
            return Err(BandsError::Symmetry { reason });
        }
        let energies = |band: usize, at: usize| set.energies(owner[at])[band];
        Self::build(set.lattice_angstrom(), divisions, set.bands(), set.spin_degeneracy(), energies)
    }

    /// From a model or an interpolation.
    ///
    /// Errors: grids that the rotations do not keep, and those of the bands.
    pub fn of_bands(bands: &dyn Bands, divisions: [usize; 3]) -> Result<Self, BandsError> {
        let grid = Grid::new(divisions, bands.group())?;
        let (points, count) = (grid.points(), bands.bands());
        if points.checked_mul(count).is_none_or(|n| n > 1 << 27) {
            return refuse(
                "bands times points of a grid",
                points as f64 * count as f64,
                "at most 2^27 is due",
            );
        }
        let mut all = vec![0.0; points * count];
        for batch in bands.batches() {
            let planes = bands.on_grid(&grid, batch.clone())?;
            for (i1, wanted) in grid.planes.iter().enumerate() {
                let mut found = Vec::new();
                planes.plane(i1, wanted, &mut found)?;
                for (p, at) in wanted.iter().zip(found.chunks(batch.len())) {
                    for rotation in bands.group().rotations() {
                        let Some(to) = place(turned(rotation, grid.k(i1, p.index)), divisions) else {
                            continue;
                        };
                        for (band, point) in batch.clone().zip(at) {
                            all[band * points + to] = point.energy_ev;
                        }
                    }
                }
            }
        }
        let energies = |band: usize, at: usize| all[band * points + at];
        Self::build(bands.lattice_angstrom(), divisions, count, bands.spin_degeneracy(), energies)
    }

    fn build(
        lattice: &Matrix3,
        divisions: [usize; 3],
        bands: usize,
        spin_degeneracy: f64,
        energy: impl Fn(usize, usize) -> f64,
    ) -> Result<Self, BandsError> {
        let shapes = shapes(lattice, divisions)?;
        let [n1, n2, n3] = divisions;
        let mut corners = Vec::with_capacity(bands * n1 * n2 * n3 * 6);
        for band in 0..bands {
            for cell in 0..n1 * n2 * n3 {
                let (a, b, c) = (cell / (n2 * n3), cell / n3 % n2, cell % n3);
                for shape in &shapes {
                    let mut e = shape.map(|[x, y, z]| {
                        energy(band, ((a + x) % n1 * n2 + (b + y) % n2) * n3 + (c + z) % n3)
                    });
                    e.sort_by(f64::total_cmp);
                    corners.push(e);
                }
            }
        }
        Ok(Self { spin_degeneracy, corners, tetrahedra: n1 * n2 * n3 * 6 })
    }

    /// States per eV and cell at an energy, all spins.
    pub fn density(&self, energy_ev: f64) -> f64 {
        let sum: f64 = self.corners.iter().map(|c| density_of(c, energy_ev)).sum();
        self.spin_degeneracy * sum / self.tetrahedra as f64
    }

    /// States per cell below an energy, all spins.
    pub fn states(&self, energy_ev: f64) -> f64 {
        let sum: f64 = self.corners.iter().map(|c| states_of(c, energy_ev)).sum();
        self.spin_degeneracy * sum / self.tetrahedra as f64
    }

    /// Energy below which there are `electrons` states, eV; within a gap its middle.
    ///
    /// Errors: more electrons than states.
    pub fn fermi_level(&self, electrons: f64) -> Result<f64, BandsError> {
        let capacity = self.spin_degeneracy * (self.corners.len() / self.tetrahedra) as f64;
        if !(electrons > 0.0 && electrons < capacity) {
            return Err(BandsError::Electrons { electrons, capacity });
        }
        let lowest = self.corners.iter().map(|c| c[0]).fold(f64::INFINITY, f64::min) - 1.0;
        let highest = self.corners.iter().map(|c| c[3]).fold(f64::NEG_INFINITY, f64::max) + 1.0;
        let slack = 1e-9;
        let find = |wanted: f64| {
            let (mut low, mut high) = (lowest, highest);
            for _ in 0..60 {
                let middle = 0.5 * (low + high);
                if self.states(middle) < wanted { low = middle } else { high = middle }
            }
            0.5 * (low + high)
        };
        Ok(0.5 * (find(electrons - slack) + find(electrons + slack)))
    }
}

fn density_of(e: &[f64; 4], x: f64) -> f64 {
    let [a, b, c, d] = *e;
    if x <= a || x >= d {
        0.0
    } else if x < b {
        3.0 * (x - a).powi(2) / ((b - a) * (c - a) * (d - a))
    } else if x < c {
        let y = x - b;
        (3.0 * (b - a) + 6.0 * y - 3.0 * (c - a + d - b) * y * y / ((c - b) * (d - b))) / ((c - a) * (d - a))
    } else {
        3.0 * (d - x).powi(2) / ((d - a) * (d - b) * (d - c))
    }
}

fn states_of(e: &[f64; 4], x: f64) -> f64 {
    let [a, b, c, d] = *e;
    if x <= a {
        0.0
    } else if x >= d {
        1.0
    } else if x < b {
        (x - a).powi(3) / ((b - a) * (c - a) * (d - a))
    } else if x < c {
        let (y, base) = (x - b, b - a);
        (base * base + 3.0 * base * y + 3.0 * y * y - (c - a + d - b) * y.powi(3) / ((c - b) * (d - b)))
            / ((c - a) * (d - a))
    } else {
        1.0 - (d - x).powi(3) / ((d - a) * (d - b) * (d - c))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hopping, TightBinding, cubic_rotations};

    #[test]
    fn density_is_the_slope_of_the_states() {
        for e in [[0.0, 1.0, 2.5, 3.0], [0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 0.5, 0.5], [-1.0, -0.2, -0.1, 4.0]] {
            for i in 0..90 {
                let x = -1.5 + 0.0613 * f64::from(i);
                let slope = (states_of(&e, x + 1e-6) - states_of(&e, x - 1e-6)) / 2e-6;
                assert!((slope - density_of(&e, x)).abs() < 1e-4, "{e:?} {x}");
            }
        }
    }

    #[test]
    fn a_cubic_band_is_half_full_in_its_middle_and_converges_as_the_square_of_the_spacing() {
        let hop = |cell| Hopping { row: 0, column: 0, cell, amplitude_ev: [-0.5, 0.0] };
        let cube = [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]];
        let list = [hop([1, 0, 0]), hop([0, 1, 0]), hop([0, 0, 1])];
        let model = TightBinding::new(cube, 1, &list, true, 2.0)
            .unwrap()
            .with_rotations(&cubic_rotations(), true)
            .unwrap();
        let at = |n: usize| TetrahedronDos::of_bands(&model, [n; 3]).unwrap();
        let dos = at(24);
        assert!((dos.states(0.0) - 1.0).abs() < 2e-3 && dos.states(3.1) == 2.0 && dos.states(-3.1) == 0.0);
        assert!((dos.fermi_level(1.0).unwrap()).abs() < 5e-3);
        assert!(dos.fermi_level(2.5).is_err());
        let [a, b, c] = [12, 24, 48].map(|n| at(n).states(-1.9));
        let order = ((a - b) / (b - c)).log2();
        assert!((1.6..2.6).contains(&order), "{order}");
        assert!(TetrahedronDos::of_bands(&model, [0; 3]).is_err());
    }
}
