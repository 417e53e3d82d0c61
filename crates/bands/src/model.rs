//! Tight-binding models: H(k) = sum_R H_R e^(2 pi i k.R) with fractional k and whole-numbered cell vectors R, and its exact derivatives.
//!
//! Velocities are those of Hellmann and Feynman, dE_n/dk = <n| dH/dk |n>, inverse masses those of second-order perturbation theory (k.p):
//!
//! d2E_n/dk_i dk_j = <n| d2H/dk_i dk_j |n> + 2 Re sum_(m != n) <n|dH/dk_i|m> <m|dH/dk_j|n> / (E_n - E_m).
//!
//! Slopes dE/dk are in eV angstrom (velocity = slope / hbar), second derivatives in eV angstrom^2.

use crate::error::{BandsError, refuse, within};
use crate::field::{BandPoint, Bands};
use crate::symmetry::{PAIRS, PointGroup, Rotation, lattice_inverse};
use nalgebra::{Complex, DMatrix};
use scalade_crystal::{Matrix3, row_times};
use std::f64::consts::PI;

type C = Complex<f64>;

/// Bands closer than this share of the width of the spectrum (or 1e-9 eV) count as degenerate.
const DEGENERATE: f64 = 1e-9;
const MOST_ORBITALS: usize = 2000;
const MOST_CELLS: usize = 200_000;
const LARGEST_CELL: i32 = 10_000;

/// One matrix element <row, cell 0| H |column, cell R>.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hopping {
    /// Orbital in cell 0, from 0.
    pub row: usize,
    /// Orbital in cell R, from 0.
    pub column: usize,
    /// Cell R in lattice vectors.
    pub cell: [i32; 3],
    /// Real and imaginary part, eV.
    pub amplitude_ev: [f64; 2],
}

#[derive(Clone, Debug, PartialEq)]
struct Block {
    cell: [i32; 3],
    /// R in Cartesian components, angstrom.
    vector: [f64; 3],
    /// Row-major.
    matrix: Vec<C>,
}

/// A tight-binding Hamiltonian.
#[derive(Clone, Debug, PartialEq)]
pub struct TightBinding {
    lattice: Matrix3,
    orbitals: usize,
    blocks: Vec<Block>,
    spin_degeneracy: f64,
    group: PointGroup,
}

/// Eigenvalues with eigenvectors as columns, ascending.
struct States {
    energies: Vec<f64>,
    vectors: DMatrix<C>,
}

impl TightBinding {
    /// From matrix elements. An element and its reverse (row and column exchanged, cell negated, conjugated) may both be given or only one of
    /// them: with `add_reverse` the reverse of every element off the diagonal of cell 0 is added, else the list must be Hermitian as it stands.
    ///
    /// `spin_degeneracy`: 2 for bands of both spins, 1 where orbitals carry a spin.
    ///
    /// Errors: orbitals out of range, numbers that are not finite, a lattice without volume, a Hamiltonian that is not Hermitian.
    pub fn new(
        lattice: Matrix3,
        orbitals: usize,
        hoppings: &[Hopping],
        add_reverse: bool,
        spin_degeneracy: f64,
    ) -> Result<Self, BandsError> {
        lattice_inverse(&lattice)?;
        if !(1..=MOST_ORBITALS).contains(&orbitals) {
            return refuse("the number of orbitals", orbitals as f64, "1 to 2000 is due");
        }
        if spin_degeneracy != 1.0 && spin_degeneracy != 2.0 {
            return refuse("the spin degeneracy", spin_degeneracy, "1 or 2 is due");
        }
        let mut blocks = std::collections::BTreeMap::<[i32; 3], Vec<C>>::new();
        for hopping in hoppings {
            let Hopping { row, column, cell, amplitude_ev } = *hopping;
            if row >= orbitals || column >= orbitals {
                let got = row.max(column);
                let want = "orbitals are counted from 0";
                return Err(BandsError::Count {
                    what: "an orbital of a hopping",
                    got,
                    expected: orbitals - 1,
                    want,
                });
            }
            if let Some(bad) = amplitude_ev.iter().find(|a| !within(**a, 1e6)) {
                return refuse("a hopping (eV)", *bad, "a finite number is due");
            }
            if let Some(bad) = cell.iter().find(|c| c.unsigned_abs() > LARGEST_CELL as u32) {
                return refuse("a cell of a hopping", f64::from(*bad), "at most 10000 cells away is due");
            }
            let value = C::new(amplitude_ev[0], amplitude_ev[1]);
            let zero = || vec![C::new(0.0, 0.0); orbitals * orbitals];
            blocks.entry(cell).or_insert_with(zero)[row * orbitals + column] += value;
            let reverse = cell.map(|c| -c);
            if add_reverse && (reverse, column, row) != (cell, row, column) {
                blocks.entry(reverse).or_insert_with(zero)[column * orbitals + row] += value.conj();
            }
            if blocks.len() > MOST_CELLS || blocks.len() * orbitals * orbitals > 1 << 27 {
                return refuse("the number of cells with hoppings", blocks.len() as f64, "fewer are due");
            }
        }
        check_hermitian(&blocks, orbitals)?;
        let blocks = blocks
            .into_iter()
            .map(|(cell, matrix)| Block { cell, vector: row_times(cell.map(f64::from), &lattice), matrix })
            .collect();
        Ok(Self { lattice, orbitals, blocks, spin_degeneracy, group: PointGroup::identity() })
    }

    /// Lets integrals use rotations of k (and k -> -k with `time_reversal`). The bands are compared at general points first.
    ///
    /// Errors: rotations that are no group, or under which the bands change by more than 1e-6 eV.
    pub fn with_rotations(mut self, rotations: &[Rotation], time_reversal: bool) -> Result<Self, BandsError> {
        let group = PointGroup::new(&self.lattice, rotations, time_reversal)?;
        for k in [[0.1131, 0.2317, 0.3713], [-0.0719, 0.4437, 0.1879]] {
            let own = self.energies(k)?;
            for m in group.rotations() {
                let image = std::array::from_fn(|i| (0..3).map(|j| f64::from(m[i][j]) * k[j]).sum());
                for (band, (a, b)) in own.iter().zip(self.energies(image)?).enumerate() {
                    if (a - b).abs() > 1e-6 {
                        let reason = format!(
                            "band {} is {a} eV at k = {k:?} and {b} eV at its image under {m:?}",
                            band + 1
                        );
                        return Err(BandsError::Symmetry { reason });
                    }
                }
            }
        }
        self.group = group;
        Ok(self)
    }

    /// Number of orbitals, which is the number of bands.
    pub fn orbitals(&self) -> usize {
        self.orbitals
    }

    /// sum_R H_R e^(2 pi i k.R) weight(R).
    fn sum(&self, k: [f64; 3], weight: impl Fn(&[f64; 3]) -> C) -> DMatrix<C> {
        let n = self.orbitals;
        let mut out = DMatrix::from_element(n, n, C::new(0.0, 0.0));
        for block in &self.blocks {
            let phase: f64 = (0..3).map(|i| k[i] * f64::from(block.cell[i])).sum();
            let (sine, cosine) = (2.0 * PI * phase).sin_cos();
            let factor = C::new(cosine, sine) * weight(&block.vector);
            for row in 0..n {
                for column in 0..n {
                    out[(row, column)] += factor * block.matrix[row * n + column];
                }
            }
        }
        out
    }

    /// The three dH/dk, eV angstrom.
    fn slopes_of_hamiltonian(&self, k: [f64; 3]) -> [DMatrix<C>; 3] {
        std::array::from_fn(|axis| self.sum(k, |r| C::new(0.0, r[axis])))
    }

    fn states(&self, k: [f64; 3]) -> Result<States, BandsError> {
        check_k(k)?;
        let eigen = self.sum(k, |_| C::new(1.0, 0.0)).symmetric_eigen();
        let mut order: Vec<usize> = (0..self.orbitals).collect();
        order.sort_by(|a, b| eigen.eigenvalues[*a].total_cmp(&eigen.eigenvalues[*b]));
        let energies = order.iter().map(|i| eigen.eigenvalues[*i]).collect();
        let vectors =
            DMatrix::from_fn(self.orbitals, self.orbitals, |i, j| eigen.eigenvectors[(i, order[j])]);
        Ok(States { energies, vectors })
    }

    /// Energies at a fractional k point, ascending, eV.
    ///
    /// Errors: a k that is not finite.
    pub fn energies(&self, k: [f64; 3]) -> Result<Vec<f64>, BandsError> {
        Ok(self.states(k)?.energies)
    }

    /// Energies (eV) and slopes dE/dk (Cartesian, eV angstrom). Bands that meet at k get the slopes along which they part in the Cartesian
    /// `direction`: dH/d(direction) is diagonalised among them.
    ///
    /// Errors: a k that is not finite.
    pub fn slopes(&self, k: [f64; 3], direction: [f64; 3]) -> Result<Vec<(f64, [f64; 3])>, BandsError> {
        let States { energies, mut vectors } = self.states(k)?;
        let slopes = self.slopes_of_hamiltonian(k);
        for (first, last) in groups(&energies) {
            if last - first < 2 {
                continue;
            }
            let inside = vectors.columns(first, last - first).into_owned();
            let along = &slopes[0] * C::new(direction[0], 0.0)
                + &slopes[1] * C::new(direction[1], 0.0)
                + &slopes[2] * C::new(direction[2], 0.0);
            let small = inside.adjoint() * along * &inside;
            let eigen = small.symmetric_eigen();
            let mut order: Vec<usize> = (0..last - first).collect();
            order.sort_by(|a, b| eigen.eigenvalues[*a].total_cmp(&eigen.eigenvalues[*b]));
            let turned = &inside * &eigen.eigenvectors;
            for (place, from) in order.into_iter().enumerate() {
                vectors.set_column(first + place, &turned.column(from));
            }
        }
        Ok(energies
            .iter()
            .enumerate()
            .map(|(n, e)| {
                let state = vectors.column(n);
                (*e, std::array::from_fn(|axis| state.dotc(&(&slopes[axis] * state)).re))
            })
            .collect())
    }

    /// Second derivatives d2E/dk_i dk_j of one band (Cartesian, eV angstrom^2), band counted from 0.
    ///
    /// Errors: a band out of range or one that meets another at k.
    pub fn curvature(&self, k: [f64; 3], band: usize) -> Result<Matrix3, BandsError> {
        self.second_derivatives(k, band, true)
    }

    /// The same; without `strict` the terms among bands that meet are left out: what a quadrature may put at the one point where they are infinite.
    pub(crate) fn second_derivatives(
        &self,
        k: [f64; 3],
        band: usize,
        strict: bool,
    ) -> Result<Matrix3, BandsError> {
        if band >= self.orbitals {
            let want = "bands are counted from 0";
            return Err(BandsError::Count { what: "a band", got: band, expected: self.orbitals - 1, want });
        }
        let States { energies, vectors } = self.states(k)?;
        let slopes = self.slopes_of_hamiltonian(k);
        let state = vectors.column(band);
        let between: Vec<Vec<C>> = slopes
            .iter()
            .map(|s| {
                let turned = s * state;
                (0..self.orbitals).map(|m| vectors.column(m).dotc(&turned)).collect()
            })
            .collect();
        let mut out = [[0.0; 3]; 3];
        for (i, j) in PAIRS {
            let second = self.sum(k, |r| C::new(-r[i] * r[j], 0.0));
            let mut value = state.dotc(&(second * state)).re;
            for m in (0..self.orbitals).filter(|m| *m != band) {
                let gap = energies[band] - energies[m];
                if gap.abs() < tolerance(&energies) {
                    if !strict {
                        continue;
                    }
                    return Err(BandsError::Degenerate { first: band + 1, second: m + 1, gap_ev: gap.abs() });
                }
                value += 2.0 * (between[i][m].conj() * between[j][m]).re / gap;
            }
            out[i][j] = value;
            out[j][i] = value;
        }
        Ok(out)
    }

    /// Size of the rounding in a second derivative, eV angstrom^2: that of a sum of terms |H_R| R^2.
    pub(crate) fn rounding_of_curvature(&self) -> f64 {
        let size = |b: &Block| b.matrix.iter().map(|v| v.norm()).sum::<f64>();
        let sum: f64 =
            self.blocks.iter().map(|b| size(b) * b.vector.iter().map(|x| x * x).sum::<f64>()).sum();
        4.0 * f64::EPSILON * sum
    }

    /// The one band of a model with one orbital, without matrices.
    fn single(&self, k: [f64; 3]) -> BandPoint {
        let (mut energy, mut slope) = (0.0, [0.0; 3]);
        for block in &self.blocks {
            let phase: f64 = (0..3).map(|i| k[i] * f64::from(block.cell[i])).sum();
            let (sine, cosine) = (2.0 * PI * phase).sin_cos();
            let amplitude = block.matrix[0];
            energy += amplitude.re * cosine - amplitude.im * sine;
            let turned = -(amplitude.re * sine + amplitude.im * cosine);
            for axis in 0..3 {
                slope[axis] += block.vector[axis] * turned;
            }
        }
        BandPoint { energy_ev: energy, products: PAIRS.map(|(i, j)| slope[i] * slope[j]) }
    }
}

impl Bands for TightBinding {
    fn lattice_angstrom(&self) -> &Matrix3 {
        &self.lattice
    }

    fn bands(&self) -> usize {
        self.orbitals
    }

    fn spin_degeneracy(&self) -> f64 {
        self.spin_degeneracy
    }

    fn group(&self) -> &PointGroup {
        &self.group
    }

    /// Among bands that meet, v_i v_j is Re Tr(P v_i P v_j) over their number: the same for any choice of states among them.
    fn points(&self, k: [f64; 3], out: &mut Vec<BandPoint>) -> Result<(), BandsError> {
        if self.orbitals == 1 {
            out.push(self.single(k));
            return Ok(());
        }
        let States { energies, vectors } = self.states(k)?;
        let turned = self.slopes_of_hamiltonian(k).map(|s| vectors.adjoint() * s * &vectors);
        for (first, last) in groups(&energies) {
            let mut products = [0.0; 6];
            for n in first..last {
                for m in first..last {
                    for (p, (i, j)) in products.iter_mut().zip(PAIRS) {
                        *p += (turned[i][(n, m)] * turned[j][(m, n)]).re / (last - first) as f64;
                    }
                }
            }
            out.extend((first..last).map(|n| BandPoint { energy_ev: energies[n], products }));
        }
        Ok(())
    }
}

fn check_k(k: [f64; 3]) -> Result<(), BandsError> {
    match k.iter().find(|x| !within(**x, 1e6)) {
        Some(bad) => refuse("a component of k", *bad, "a finite fractional coordinate is due"),
        None => Ok(()),
    }
}

fn tolerance(energies: &[f64]) -> f64 {
    let width = energies.last().zip(energies.first()).map_or(0.0, |(a, b)| a - b);
    DEGENERATE * width.max(1.0)
}

/// Half-open ranges of bands that meet.
fn groups(energies: &[f64]) -> Vec<(usize, usize)> {
    let limit = tolerance(energies);
    let (mut out, mut first) = (Vec::new(), 0);
    for n in 1..=energies.len() {
        if n == energies.len() || energies[n] - energies[n - 1] > limit {
            out.push((first, n));
            first = n;
        }
    }
    out
}

fn check_hermitian(
    blocks: &std::collections::BTreeMap<[i32; 3], Vec<C>>,
    orbitals: usize,
) -> Result<(), BandsError> {
    let largest = blocks.values().flatten().map(|a| a.norm()).fold(0.0, f64::max);
    for (cell, matrix) in blocks {
        let reverse = blocks.get(&cell.map(|c| -c));
        for row in 0..orbitals {
            for column in 0..orbitals {
                let other = reverse.map_or(C::new(0.0, 0.0), |b| b[column * orbitals + row].conj());
                let difference = (matrix[row * orbitals + column] - other).norm();
                if difference > 1e-5 * largest.max(1e-3) {
                    return Err(BandsError::NotHermitian { row, column, cell: *cell, difference });
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(n: usize) -> TightBinding {
        // Skew lattice, complex hoppings between two orbitals in 3D.
        let lattice = [[3.1, 0.0, 0.2], [0.4, 2.7, 0.0], [0.0, 0.3, 4.2]];
        let hop = |row, column, cell, re, im| Hopping { row, column, cell, amplitude_ev: [re, im] };
        let mut list = vec![
            hop(0, 0, [0, 0, 0], 0.4, 0.0),
            hop(0, 0, [1, 0, 0], -0.7, 0.2),
            hop(0, 0, [0, 1, 1], 0.3, 0.0),
        ];
        if n == 2 {
            list.extend([
                hop(1, 1, [0, 0, 0], -0.3, 0.0),
                hop(0, 1, [0, 0, 0], 0.25, 0.1),
                hop(1, 0, [0, 1, 0], 0.5, -0.3),
                hop(1, 1, [0, 0, 1], 0.6, 0.0),
            ]);
        }
        TightBinding::new(lattice, n, &list, true, 2.0).unwrap()
    }

    #[test]
    fn slopes_and_curvatures_are_the_derivatives_of_the_energies() {
        for n in [1, 2] {
            let model = chain(n);
            let k = [0.13, 0.29, -0.41];
            // Cartesian steps of k: fractional components are a_i . dk / 2 pi.
            let at = |d: [f64; 3]| -> Vec<f64> {
                let f = std::array::from_fn(|i| {
                    k[i] + (0..3).map(|j| model.lattice[i][j] * d[j]).sum::<f64>() / (2.0 * PI)
                });
                model.energies(f).unwrap()
            };
            let slopes = model.slopes(k, [1.0, 0.0, 0.0]).unwrap();
            let h = 1e-4;
            for band in 0..n {
                let curvature = model.curvature(k, band).unwrap();
                for i in 0..3 {
                    let mut d = [0.0; 3];
                    d[i] = h;
                    let slope = (at(d)[band] - at(d.map(|x| -x))[band]) / (2.0 * h);
                    assert!((slope - slopes[band].1[i]).abs() < 1e-7, "{slope} {:?}", slopes[band]);
                    for j in 0..3 {
                        let step = |a: f64, b: f64| {
                            let mut d = [0.0; 3];
                            d[i] += 2.0 * a * h;
                            d[j] += 2.0 * b * h;
                            at(d)[band]
                        };
                        let second = (step(1.0, 1.0) - step(1.0, -1.0) - step(-1.0, 1.0) + step(-1.0, -1.0))
                            / (16.0 * h * h);
                        assert!((second - curvature[i][j]).abs() < 2e-5, "{second} {curvature:?}");
                    }
                }
                let mut points = Vec::new();
                model.points(k, &mut points).unwrap();
                assert!((points[band].products[3] - slopes[band].1[1] * slopes[band].1[2]).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn bands_that_meet_part_along_the_direction_asked_for() {
        // A Dirac point: H = t (sin kx sigma_x + sin ky sigma_y) near Gamma has E = +- t |k|.
        let hop = |row, column, cell, re, im| Hopping { row, column, cell, amplitude_ev: [re, im] };
        let list = [
            hop(0, 1, [1, 0, 0], 0.0, -0.5),
            hop(0, 1, [-1, 0, 0], 0.0, 0.5),
            hop(0, 1, [0, 1, 0], -0.5, 0.0),
            hop(0, 1, [0, -1, 0], 0.5, 0.0),
        ];
        let cube = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let model = TightBinding::new(cube, 2, &list, true, 1.0).unwrap();
        for direction in [[1.0, 0.0, 0.0], [0.6, 0.8, 0.0]] {
            let slopes = model.slopes([0.0; 3], direction).unwrap();
            for (sign, (energy, slope)) in [-1.0, 1.0].into_iter().zip(slopes) {
                assert!(energy.abs() < 1e-12);
                for i in 0..3 {
                    assert!((slope[i] - sign * direction[i]).abs() < 1e-12, "{slope:?}");
                }
            }
        }
        assert!(matches!(model.curvature([0.0; 3], 0), Err(BandsError::Degenerate { .. })));
        let mut points = Vec::new();
        model.points([0.0; 3], &mut points).unwrap();
        assert!((points[0].products[0] - 1.0).abs() < 1e-12 && points[0].products[5].abs() < 1e-12);
    }

    #[test]
    fn models_that_cannot_be_are_refused() {
        let cube = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let hop = |cell, re| Hopping { row: 0, column: 0, cell, amplitude_ev: [re, 0.0] };
        let one = |list: &[Hopping], reverse| TightBinding::new(cube, 1, list, reverse, 2.0);
        assert!(matches!(one(&[hop([1, 0, 0], 1.0)], false), Err(BandsError::NotHermitian { .. })));
        assert!(one(&[hop([1, 0, 0], f64::NAN)], true).is_err());
        assert!(one(&[hop([i32::MIN, 0, 0], 1.0)], true).is_err());
        assert!(TightBinding::new(cube, 1, &[Hopping { row: 1, ..hop([0; 3], 1.0) }], true, 2.0).is_err());
        assert!(TightBinding::new(cube, 0, &[], true, 2.0).is_err());
        assert!(TightBinding::new(cube, 1, &[], true, 3.0).is_err());
        assert!(TightBinding::new([[0.0; 3]; 3], 1, &[], true, 2.0).is_err());
        let model = one(&[hop([1, 0, 0], 1.0)], true).unwrap();
        assert!(model.energies([f64::NAN, 0.0, 0.0]).is_err());
        assert!(model.curvature([0.0; 3], 1).is_err());
        // A chain along x has no fourfold axis along z.
        assert!(model.with_rotations(&crate::symmetry::cubic_rotations(), true).is_err());
    }
}
