//! Conductivity to first order in a magnetic field, and the Hall coefficient.
//!
//! With an electric field E and a weak magnetic field B the current is j_a = sigma_ab E_b + sigma_abc E_b B_c. Boltzmann's equation with a relaxation time that depends on
//! the energy gives, by one iteration in B (C. M. Hurd, The Hall Effect in Metals and Alloys (1972), chapter 2; the form in second derivatives is that of
//! G. K. H. Madsen, D. J. Singh, Comput. Phys. Commun. 175, 67 (2006), equation 12),
//!
//! sigma_abc = e^3/V sum_nk tau^2 (-df/dE) v_a eps_cuv v_v W_bu, W_bu = (1/hbar^2) d2E/dk_b dk_u.
//!
//! v x nabla_k acts as a derivative along the surface of constant energy, so that only the part antisymmetric in a, b is left of the sum:
//! sigma_abc = eps_abd H_dc, H_dc = e^3/V sum tau^2 (-df/dE) (1/2) [v x (W (v x e_c))]_d.
//! The transverse field without transverse current is E_j = R_jik j_i B_k with R_jik = -(sigma^-1)_ja sigma_abk (sigma^-1)_bi; one sort of free electrons has
//! R_yxz = -1/(n e).
//!
//! The sum runs over uniform grids that are refined as those of [`crate::transport()`] are.

use crate::constants::{ANGSTROM, REDUCED_PLANCK};
use crate::error::{BandsError, positive, refuse, within};
use crate::extrema::Curved;
use crate::relaxation::RelaxationTime;
use crate::symmetry::{Grid, PointGroup, cell_volume, even_divisions};
use crate::transport::Refinement;
use rayon::prelude::*;
use scalade_crystal::{Matrix3, cross};
use scalade_units::constants::{BOLTZMANN_EV, ELEMENTARY_CHARGE};

/// States further from the chemical potential, in kT, do not count.
const REACH: f64 = 40.0;

/// Where a Hall tensor is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HallCondition {
    /// Chemical potential, eV.
    pub potential_ev: f64,
    /// Temperature, K.
    pub temperature_k: f64,
}

/// Conductivity to first order in the magnetic field.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HallPoint {
    /// H_dc of sigma_abc = eps_abd H_dc, S/(m T) (over s^2 with times of 1 s).
    pub axial: Matrix3,
}

impl HallPoint {
    /// sigma_abc \[a\]\[b\]\[c\].
    pub fn tensor(&self) -> [Matrix3; 3] {
        let mut out = [[[0.0; 3]; 3]; 3];
        for (a, b, d) in [(0, 1, 2), (1, 2, 0), (2, 0, 1)] {
            for c in 0..3 {
                out[a][b][c] = self.axial[d][c];
                out[b][a][c] = -self.axial[d][c];
            }
        }
        out
    }

    /// Hall coefficient R_yxz, R_zyx, R_xzy, m3/C, for fields along z, x, y in the order x, y, z of the field: current along the next axis but one, voltage along the
    /// other. From a conductivity (S/m) with the same times; none where a direction does not conduct.
    pub fn coefficient(&self, conductivity: &Matrix3) -> Option<[f64; 3]> {
        let rho = scalade_crystal::inverse(conductivity)?;
        let sigma = self.tensor();
        let of = |j: usize, i: usize, k: usize| {
            let mut sum = 0.0;
            for a in 0..3 {
                for b in 0..3 {
                    sum -= rho[j][a] * sigma[a][b][k] * rho[b][i];
                }
            }
            sum
        };
        // Field along k, current along i = k + 1, voltage along j = k + 2: R_yxz has (k, i, j) = (z, x, y).
        Some(std::array::from_fn(|k| of((k + 2) % 3, (k + 1) % 3, k)))
    }
}

/// Hall tensors at all conditions.
#[derive(Clone, Debug, PartialEq)]
pub struct Hall {
    /// One per condition.
    pub points: Vec<HallPoint>,
    /// Differences of the last two grids, component by component.
    pub errors: Vec<Matrix3>,
    /// The grids.
    pub grids: Vec<[usize; 3]>,
    /// Whether the errors, over the size of the tensors, are below the relative error wanted.
    pub converged: bool,
}

/// Hall tensors on grids refined until two in succession agree to the relative error of `settings`, or its number of points is met.
///
/// Errors: conditions out of range, and those of the bands.
pub fn hall(
    bands: &dyn Curved,
    conditions: &[HallCondition],
    tau: &RelaxationTime,
    settings: &Refinement,
) -> Result<Hall, BandsError> {
    for c in conditions {
        positive("the temperature (K)", c.temperature_k)?;
        if !within(c.potential_ev, 1e5) {
            return refuse("the chemical potential (eV)", c.potential_ev, "a finite energy is due");
        }
    }
    positive("the relative error wanted", settings.relative_error)?;
    let mut longest = settings.first_divisions;
    let mut grids: Vec<[usize; 3]> = Vec::new();
    let mut last: Option<Vec<HallPoint>> = None;
    let mut errors = vec![[[f64::INFINITY; 3]; 3]; conditions.len()];
    loop {
        let divisions = even_divisions(bands.lattice_angstrom(), bands.group(), longest)?;
        let total = divisions.iter().try_fold(1usize, |a, n| a.checked_mul(*n)).unwrap_or(usize::MAX);
        if total > settings.most_points && grids.len() >= 2 {
            break;
        }
        let (now, scales): (Vec<HallPoint>, Vec<f64>) =
            on_grid(bands, conditions, tau, divisions)?.into_iter().unzip();
        grids.push(divisions);
        if let Some(before) = &last {
            let before_errors = errors.clone();
            for (((error, earlier), a), b) in errors.iter_mut().zip(before_errors).zip(before).zip(&now) {
                for i in 0..3 {
                    for j in 0..3 {
                        // Two grids may agree by chance: a tenth of the difference before is kept.
                        let least = if earlier[i][j].is_finite() { 0.1 * earlier[i][j] } else { 0.0 };
                        error[i][j] = (a.axial[i][j] - b.axial[i][j]).abs().max(least);
                    }
                }
            }
        }
        let size = |m: &Matrix3| m.iter().flatten().map(|x| x * x).sum::<f64>().sqrt();
        // A tensor that vanishes by symmetry, as at half filling, is compared with the size of its terms.
        let good = errors
            .iter()
            .zip(&now)
            .zip(&scales)
            .all(|((e, p), scale)| size(e) <= settings.relative_error * size(&p.axial).max(1e-3 * scale));
        last = Some(now);
        if good && grids.len() >= 3 {
            return Ok(Hall { points: last.unwrap_or_default(), errors, grids, converged: true });
        }
        longest = (longest * 3).div_ceil(2).max(longest + 2);
    }
    Ok(Hall { points: last.unwrap_or_default(), errors, grids, converged: false })
}

/// Tensors from one grid, each with the sum of the sizes of its terms.
fn on_grid(
    bands: &dyn Curved,
    conditions: &[HallCondition],
    tau: &RelaxationTime,
    divisions: [usize; 3],
) -> Result<Vec<(HallPoint, f64)>, BandsError> {
    let grid = Grid::new(divisions, bands.group())?;
    let plane = |i1: usize| -> Result<Vec<(Matrix3, f64)>, BandsError> {
        let mut own = vec![([[0.0; 3]; 3], 0.0); conditions.len()];
        let mut found = Vec::new();
        for point in &grid.planes[i1] {
            let k = grid.k(i1, point.index);
            found.clear();
            bands.points(k, &mut found)?;
            for (band, at) in found.iter().enumerate() {
                let weights: Vec<f64> = conditions.iter().map(|c| weight(at.energy_ev, c, tau)).collect();
                if weights.iter().all(|w| *w == 0.0) {
                    continue;
                }
                let bend = bands.regular_bend(k, band)?;
                let term = axial(bend.slope, &bend.curvature);
                let size = term.iter().flatten().map(|x| x * x).sum::<f64>().sqrt();
                for ((sum, sizes), w) in own.iter_mut().zip(weights) {
                    let w = w * f64::from(point.multiplicity);
                    *sizes += w * size;
                    sum.iter_mut().flatten().zip(term.iter().flatten()).for_each(|(s, t)| *s += w * t);
                }
            }
        }
        Ok(own)
    };
    // Gathered in order, so that the sums do not depend on the number of threads.
    let planes: Result<Vec<_>, BandsError> = (0..divisions[0]).into_par_iter().map(plane).collect();
    let mut sums = vec![([[0.0; 3]; 3], 0.0); conditions.len()];
    for own in planes? {
        for ((sum, size), (more, more_size)) in sums.iter_mut().zip(own) {
            *size += more_size;
            sum.iter_mut().flatten().zip(more.iter().flatten()).for_each(|(s, m)| *s += m);
        }
    }
    let volume = cell_volume(bands.lattice_angstrom()) * ANGSTROM.powi(3);
    let velocity = ELEMENTARY_CHARGE * ANGSTROM / REDUCED_PLANCK;
    let inverse_mass = ELEMENTARY_CHARGE * (ANGSTROM / REDUCED_PLANCK).powi(2);
    // -df/dE is summed per eV: one charge of three is spent on it.
    let unit = ELEMENTARY_CHARGE.powi(2) * velocity * velocity * inverse_mass * bands.spin_degeneracy()
        / (grid.points() as f64 * volume);
    let thermal = |c: &HallCondition| tau.thermal_factor(BOLTZMANN_EV * c.temperature_k).powi(2) * unit;
    Ok(sums
        .into_iter()
        .zip(conditions)
        .map(|((sum, size), c)| {
            let axial = symmetrised(&sum, bands.group()).map(|row| row.map(|x| x * thermal(c)));
            (HallPoint { axial }, size * thermal(c))
        })
        .collect())
}

/// tau^2 (-df/dE), s^2/eV, but for the thermal factor of tau.
fn weight(energy_ev: f64, condition: &HallCondition, tau: &RelaxationTime) -> f64 {
    let kt = BOLTZMANN_EV * condition.temperature_k;
    let x = (energy_ev - condition.potential_ev) / kt;
    if x.abs() > REACH {
        return 0.0;
    }
    let time = tau.at(energy_ev);
    let bell = crate::distribution::fermi(x) * crate::distribution::fermi(-x) / kt;
    let weight = bell * time * time;
    // A time that diverges at an edge meets a slope of zero there.
    if weight.is_finite() { weight } else { 0.0 }
}

/// (1/2) [v x (W (v x e_c))]_d as \[d\]\[c\].
fn axial(v: [f64; 3], w: &Matrix3) -> Matrix3 {
    let mut out = [[0.0; 3]; 3];
    for c in 0..3 {
        let mut unit = [0.0; 3];
        unit[c] = 1.0;
        let turned = cross(v, unit);
        let bent: [f64; 3] = std::array::from_fn(|i| (0..3).map(|j| w[i][j] * turned[j]).sum());
        let found = cross(v, bent);
        for d in 0..3 {
            out[d][c] = 0.5 * found[d];
        }
    }
    out
}

/// Mean of C H C^T: both indices are axial, so that improper rotations need no sign.
fn symmetrised(h: &Matrix3, group: &PointGroup) -> Matrix3 {
    let mut out = [[0.0; 3]; 3];
    for c in group.cartesian() {
        for (i, row) in out.iter_mut().enumerate() {
            for (j, o) in row.iter_mut().enumerate() {
                for p in 0..3 {
                    for q in 0..3 {
                        *o += c[i][p] * h[p][q] * c[j][q];
                    }
                }
            }
        }
    }
    out.map(|row| row.map(|x| x / group.cartesian().len() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Hopping, TightBinding};
    use crate::symmetry::cubic_rotations;
    use crate::{Condition, Level, RelaxationTime, StarInterpolation, transport_on_grid};
    use std::f64::consts::PI;

    fn unit_time() -> RelaxationTime {
        RelaxationTime::constant(1.0).unwrap()
    }

    fn settings(relative_error: f64) -> Refinement {
        Refinement { relative_error, most_points: 30_000_000, ..Refinement::default() }
    }

    fn cubic(a: f64, t: [f64; 3]) -> TightBinding {
        let list: Vec<Hopping> = (0..3)
            .map(|i| {
                let mut cell = [0; 3];
                cell[i] = 1;
                Hopping { row: 0, column: 0, cell, amplitude_ev: [-t[i], 0.0] }
            })
            .collect();
        let lattice = [[a, 0.0, 0.0], [0.0, a, 0.0], [0.0, 0.0, a]];
        let model = TightBinding::new(lattice, 1, &list, true, 2.0).unwrap();
        let rotations = if t[0] == t[1] && t[1] == t[2] { cubic_rotations() } else { Vec::new() };
        model.with_rotations(&rotations, true).unwrap()
    }

    fn coefficients(model: &dyn Curved, mu: f64, temperature_k: f64) -> ([f64; 3], f64) {
        let at = [HallCondition { potential_ev: mu, temperature_k }];
        let found = hall(model, &at, &unit_time(), &settings(1e-3)).unwrap();
        assert!(found.converged, "{found:?}");
        let condition = Condition { level: Level::Potential(mu), temperature_k };
        let grid = *found.grids.last().unwrap();
        let p = transport_on_grid(model, &[condition], &unit_time(), grid).unwrap().points[0];
        (found.points[0].coefficient(&p.conductivity).unwrap(), p.electrons)
    }

    #[test]
    fn few_electrons_of_any_mass_count_themselves() {
        // Degenerate, near the bottom of a wide band of three masses: R = -1/(n e), less what the band bends away from a parabola, about mu/(6 t).
        let model = cubic(4.0, [3.0, 2.0, 1.5]);
        let bottom = -13.0;
        let (r, electrons) = coefficients(&model, bottom + 0.2, 200.0);
        let n = electrons / 64e-30;
        for value in r {
            let ratio = value * n * ELEMENTARY_CHARGE;
            assert!((ratio + 1.0).abs() < 0.05, "{ratio}");
        }
        // The top holds holes: the sign changes and nothing else.
        let (holes, filled) = coefficients(&model, -bottom - 0.2, 200.0);
        assert!((holes[2] / r[2] + 1.0).abs() < 1e-9 && (filled + electrons - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_cubic_band_follows_its_own_integral() {
        // With E = -2t sum cos: v = 2ta sin/hbar, W = 2ta^2 cos/hbar^2, so that sigma_xyz is a plain sum over one octant of midpoints.
        let (a, t, temperature) = (3.0, 0.5, 900.0);
        let kt = BOLTZMANN_EV * temperature;
        let model = cubic(a, [t; 3]);
        let n = 96;
        let angle = |i: usize| PI * (i as f64 + 0.5) / n as f64;
        for mu in [-2.1, -0.6, 1.3] {
            let mut sum = 0.0;
            for x in (0..n).map(angle) {
                for y in (0..n).map(angle) {
                    for z in (0..n).map(angle) {
                        let e = -2.0 * t * (x.cos() + y.cos() + z.cos());
                        let f = 1.0 / (((e - mu) / kt).exp() + 1.0);
                        sum += f * (1.0 - f) / kt * x.sin().powi(2) * y.cos();
                    }
                }
            }
            let mean = sum / (n * n * n) as f64;
            let hop = t * ELEMENTARY_CHARGE / REDUCED_PLANCK * a * 1e-10;
            let bend = 2.0 * t * ELEMENTARY_CHARGE * (a * 1e-10 / REDUCED_PLANCK).powi(2);
            let want =
                -2.0 * ELEMENTARY_CHARGE.powi(2) * (2.0 * hop).powi(2) * bend * mean / (a * 1e-10).powi(3);
            let at = [HallCondition { potential_ev: mu, temperature_k: temperature }];
            let found = hall(&model, &at, &unit_time(), &settings(1e-6)).unwrap();
            let got = found.points[0].tensor()[0][1][2];
            assert!((got / want - 1.0).abs() < 1e-5, "{mu}: {got:e} {want:e}");
            assert!(found.errors[0][2][2] < 1e-5 * got.abs() && found.converged);
        }
        // Half filling: electrons and holes cancel.
        let at = [HallCondition { potential_ev: 0.0, temperature_k: temperature }];
        let half = hall(&model, &at, &unit_time(), &settings(1e-3)).unwrap();
        let low = HallCondition { potential_ev: -2.1, temperature_k: temperature };
        let reference = hall(&model, &[low], &unit_time(), &settings(1e-3)).unwrap();
        assert!(half.converged);
        assert!(half.points[0].axial[2][2].abs() < 1e-9 * reference.points[0].axial[2][2].abs());
    }

    #[test]
    fn interpolated_bands_agree_with_their_model() {
        let model = cubic(3.0, [0.5; 3]);
        let grid = Grid::new([8; 3], crate::Bands::group(&model)).unwrap();
        let mut parts = crate::BandSetParts {
            lattice_angstrom: *crate::Bands::lattice_angstrom(&model),
            rotations: cubic_rotations(),
            spin_degeneracy: 2.0,
            ..crate::BandSetParts::default()
        };
        for (i1, plane) in grid.planes.iter().enumerate() {
            for p in plane {
                parts.k_points.push(grid.k(i1, p.index));
                parts.weights.push(f64::from(p.multiplicity) / 512.0);
                parts.energies_ev.push(model.energies(grid.k(i1, p.index)).unwrap());
            }
        }
        let bands = StarInterpolation::new(&crate::BandSet::new(parts).unwrap(), 5.0).unwrap();
        let at = [HallCondition { potential_ev: -1.7, temperature_k: 900.0 }];
        let [own, fitted] = [&model as &dyn Curved, &bands]
            .map(|b| hall(b, &at, &unit_time(), &settings(1e-3)).unwrap().points[0].axial[0][0]);
        assert!((own / fitted - 1.0).abs() < 5e-3, "{own:e} {fitted:e}");
    }

    #[test]
    fn bad_questions_are_refused() {
        let model = cubic(3.0, [0.5; 3]);
        for (potential_ev, temperature_k) in [(f64::NAN, 300.0), (0.0, 0.0), (0.0, f64::NAN)] {
            let at = [HallCondition { potential_ev, temperature_k }];
            assert!(hall(&model, &at, &unit_time(), &settings(1e-3)).is_err());
        }
    }
}
