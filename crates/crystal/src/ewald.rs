//! Electrostatic energy of point charges in a periodic cell.

use crate::{CrystalError, Matrix3, determinant, dot, inverse, norm, row_times};
use std::f64::consts::PI;

/// e^2 / (4 pi epsilon_0) = alpha hbar c, in eV angstrom (CODATA 2022).
pub const COULOMB_EV_ANGSTROM: f64 = 14.399_645_468_602_671;
/// Terms are left out once erfc and the Gaussian are below exp(-REACH^2) = 2e-16.
const REACH: f64 = 6.0;
/// Most vectors of either sum: cells much longer than wide need many.
const MOST_VECTORS: f64 = 2e6;

/// The periodic Coulomb potential of a cell by the sums of P. P. Ewald, Ann. Phys. 369, 253 (1921).
///
/// With lattice vectors n, reciprocal vectors k, volume V and a splitting a, which the result does not depend on,
///
/// psi(r) = sum_n erfc(a |r + n|)/|r + n| + (4 pi/V) sum_(k != 0) exp(-k^2/4a^2)/k^2 cos(k r) - pi/(a^2 V),
///
/// where at r = 0 the term n = 0 is -2a/sqrt(pi): a charge feels its images and not itself. Surroundings conduct, and a uniform background makes a
/// charged cell neutral. The energy of charges q_i e at r_i is (e^2/(4 pi epsilon_0)) (1/2) sum_ij q_i q_j psi(r_i - r_j).
///
/// ```
/// use scalade_crystal::{COULOMB_EV_ANGSTROM, Ewald, NamedLattice};
/// // Rock salt with neighbours at distance 1: Madelung constant 1.747565.
/// let cell = NamedLattice::Fcc.vectors().map(|row| row.map(|v| v * 2f64.sqrt()));
/// let ewald = Ewald::new(&cell)?;
/// let energy = ewald.energy_ev(&[1.0, -1.0], &[[0.0; 3], [1.0, 0.0, 0.0]]);
/// assert!((energy / COULOMB_EV_ANGSTROM + 1.747_564_594_633).abs() < 1e-11);
/// # Ok::<(), scalade_crystal::CrystalError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ewald {
    lattice: Matrix3,
    inverse: Matrix3,
    splitting: f64,
    /// Lattice vectors, all that a point of the cell around the origin needs.
    real: Vec<[f64; 3]>,
    /// One of k and -k, with (8 pi/V) exp(-k^2/4a^2)/k^2.
    waves: Vec<([f64; 3], f64)>,
    background: f64,
}

/// All integer combinations of the rows no longer than `radius`.
fn combinations(lattice: &Matrix3, radius: f64) -> Result<Vec<[f64; 3]>, CrystalError> {
    let dual = inverse(lattice).ok_or(CrystalError::Degenerate { determinant: 0.0 })?;
    // |n_a| <= radius x length of the a-th dual vector.
    let reach: [f64; 3] =
        std::array::from_fn(|a| (radius * norm([dual[0][a], dual[1][a], dual[2][a]])).floor());
    let candidates: f64 = reach.iter().map(|r| 2.0 * r + 1.0).product();
    if candidates.is_nan() || candidates > MOST_VECTORS {
        return Err(CrystalError::Degenerate { determinant: determinant(lattice) });
    }
    let reach = reach.map(|r| r as i32);
    let mut out = Vec::new();
    for i in -reach[0]..=reach[0] {
        for j in -reach[1]..=reach[1] {
            for k in -reach[2]..=reach[2] {
                let vector = row_times([i, j, k].map(f64::from), lattice);
                if norm(vector) <= radius {
                    out.push(vector);
                }
            }
        }
    }
    Ok(out)
}

impl Ewald {
    /// The potential of a cell, its splitting chosen so that both sums are of about one size.
    ///
    /// Errors: [`CrystalError::Degenerate`] for a cell without volume, or so narrow that the sums would have millions of terms.
    pub fn new(lattice_angstrom: &Matrix3) -> Result<Self, CrystalError> {
        let volume = determinant(lattice_angstrom).abs();
        Self::with_splitting(lattice_angstrom, (PI.powf(1.5) / volume).cbrt())
    }

    /// The same with a splitting (1/angstrom): for tests.
    fn with_splitting(lattice: &Matrix3, splitting: f64) -> Result<Self, CrystalError> {
        let dual = inverse(lattice).ok_or(CrystalError::Degenerate { determinant: 0.0 })?;
        let volume = determinant(lattice).abs();
        // Points are folded into the cell around the origin, whose corners are at most so far away.
        let corner: f64 = lattice.iter().map(|row| 0.5 * norm(*row)).sum();
        let real = combinations(lattice, REACH / splitting + corner)?;
        let reciprocal: Matrix3 = std::array::from_fn(|a| std::array::from_fn(|c| 2.0 * PI * dual[c][a]));
        let half = |k: &[f64; 3]| k.iter().find(|c| c.abs() > 1e-12).is_some_and(|c| *c > 0.0);
        let waves = combinations(&reciprocal, 2.0 * REACH * splitting)?
            .into_iter()
            .filter(half)
            .map(|k| {
                let square = dot(k, k);
                let weight = (-square / (4.0 * splitting * splitting)).exp() / square;
                (k, 8.0 * PI / volume * weight)
            })
            .collect();
        let background = -PI / (splitting * splitting * volume);
        Ok(Self { lattice: *lattice, inverse: dual, splitting, real, waves, background })
    }

    /// psi at a displacement (angstrom), 1/angstrom.
    pub fn potential(&self, displacement_angstrom: [f64; 3]) -> f64 {
        let fractional = row_times(displacement_angstrom, &self.inverse).map(|f| f - f.round());
        let r = row_times(fractional, &self.lattice);
        let mut sum = self.background;
        for n in &self.real {
            let distance = norm([r[0] + n[0], r[1] + n[1], r[2] + n[2]]);
            if distance < 1e-9 {
                sum -= 2.0 * self.splitting / PI.sqrt();
            } else if self.splitting * distance < REACH {
                sum += libm::erfc(self.splitting * distance) / distance;
            }
        }
        sum + self.waves.iter().map(|(k, weight)| weight * dot(*k, r).cos()).sum::<f64>()
    }

    /// Energy of charges (elementary charges) at positions (angstrom), eV.
    pub fn energy_ev(&self, charges: &[f64], positions_angstrom: &[[f64; 3]]) -> f64 {
        let own = self.potential([0.0; 3]);
        let mut sum = 0.0;
        for (i, (q, r)) in charges.iter().zip(positions_angstrom).enumerate() {
            sum += 0.5 * q * q * own;
            for (p, s) in charges.iter().zip(positions_angstrom).take(i) {
                if *q != 0.0 && *p != 0.0 {
                    sum += q * p * self.potential([r[0] - s[0], r[1] - s[1], r[2] - s[2]]);
                }
            }
        }
        COULOMB_EV_ANGSTROM * sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NamedLattice;

    /// Madelung constants per pair, neighbours at distance 1 (Y. Sakamoto, J. Chem. Phys. 28, 164 (1958)).
    #[test]
    fn madelung_constants() {
        let cube = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let side = 2.0 / 3f64.sqrt();
        let caesium = Ewald::new(&cube.map(|row| row.map(|v| v * side))).unwrap();
        let energy = caesium.energy_ev(&[1.0, -1.0], &[[0.0; 3], [side / 2.0; 3]]);
        assert!((energy / COULOMB_EV_ANGSTROM + 1.762_674_773_070).abs() < 1e-10);
        let edge = 4.0 / 3f64.sqrt();
        let blende = Ewald::new(&NamedLattice::Fcc.vectors().map(|row| row.map(|v| v * edge / 2f64.sqrt())));
        let energy = blende.unwrap().energy_ev(&[1.0, -1.0], &[[0.0; 3], [edge / 4.0; 3]]);
        assert!((energy / COULOMB_EV_ANGSTROM + 1.638_055_053_388).abs() < 1e-10);
    }

    /// A charge on a simple cubic lattice in its background: -1.418648739 (e^2/(4 pi epsilon_0 a)), the Wigner crystal value.
    #[test]
    fn charged_cells_have_a_background() {
        let cube = Ewald::new(&[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]).unwrap();
        let energy = cube.energy_ev(&[1.0], &[[0.3; 3]]) / COULOMB_EV_ANGSTROM;
        assert!((energy + 1.418_648_739_7).abs() < 1e-9, "{energy}");
    }

    #[test]
    fn neither_splitting_nor_cell_nor_origin_change_the_energy() {
        let cell = [[3.1, 0.2, 0.0], [-0.7, 4.4, 0.3], [0.5, 0.1, 7.9]];
        let charges = [1.0, 2.0, -3.0, 0.7];
        let positions = [[0.1, 0.2, 0.3], [1.4, 0.9, 3.0], [2.2, 3.1, 6.0], [0.3, 2.5, 1.1]];
        let energy = Ewald::new(&cell).unwrap().energy_ev(&charges, &positions);
        for splitting in [0.25, 0.5, 0.9] {
            let other = Ewald::with_splitting(&cell, splitting).unwrap().energy_ev(&charges, &positions);
            assert!((energy - other).abs() < 1e-10 * energy.abs(), "{splitting}: {energy} {other}");
        }
        let moved = positions.map(|p| [p[0] + 5.3 - 3.1, p[1] - 2.0 - 0.2, p[2] + 0.7]);
        let other = Ewald::new(&cell).unwrap().energy_ev(&charges, &moved);
        assert!((energy - other).abs() < 1e-10 * energy.abs());
        // Twice the cell, twice the energy; a sheared setting of the same lattice, the same.
        let long = [cell[0], cell[1], cell[2].map(|v| 2.0 * v)];
        let copies: Vec<[f64; 3]> =
            positions.iter().flat_map(|p| [*p, std::array::from_fn(|a| p[a] + cell[2][a])]).collect();
        let twice: Vec<f64> = charges.iter().flat_map(|q| [*q, *q]).collect();
        let doubled = Ewald::new(&long).unwrap().energy_ev(&twice, &copies);
        assert!((doubled - 2.0 * energy).abs() < 1e-10 * energy.abs());
        let sheared = [cell[0], std::array::from_fn(|a| cell[1][a] + 3.0 * cell[0][a]), cell[2]];
        let other = Ewald::new(&sheared).unwrap().energy_ev(&charges, &positions);
        assert!((energy - other).abs() < 1e-10 * energy.abs());
    }

    #[test]
    fn cells_without_volume_are_refused() {
        assert!(Ewald::new(&[[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 1.0]]).is_err());
        assert!(Ewald::new(&[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1e9]]).is_err());
    }
}
