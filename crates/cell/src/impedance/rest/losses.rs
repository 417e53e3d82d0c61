//! Impedance at rest by processes: integrals over the closed form.
//!
//! With the modes y of X'' = A X, y'' = mu y, Green's formulas give (square brackets: difference of both ends)
//!
//! ```text
//! int y z   = [y' z - y z']/(mu_y - mu_z),      int y' z' = [y z'] - mu_z int y z,
//! int y y   = ([y y'] - E L)/(2 mu),            int y' y' = ([y y'] + E L)/2,      E = y'^2 - mu y^2 anywhere.
//! ```

use super::{Matrix, RestedElectrode, eigenvalues};
use crate::impedance::kernel::sphere_impedance;
use crate::model::harmonic::Losses;
use num_complex::Complex64;

type Vector = [Complex64; 2];

/// X and X' at both ends of an electrode.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) values: [Vector; 2],
    pub(super) slopes: [Vector; 2],
}

/// int X' X'^T and int psi^2 over an electrode.
struct Moments {
    slopes: Matrix,
    square: Complex64,
}

impl RestedElectrode {
    /// Adds the interfacial losses for int psi^2 = `square`.
    fn add_interface(&self, s: Complex64, square: Complex64, losses: &mut Losses) {
        for family in &self.families {
            let diffusion = family.diffusion * sphere_impedance(s * family.time);
            let admittance = 1.0 / (family.charge_transfer + diffusion);
            let current = family.surface * square * admittance * admittance;
            losses.transfer += current * family.charge_transfer;
            losses.diffusion += current * diffusion;
        }
        losses.double_layer += s * self.capacitance * square;
    }

    /// Losses of uniform reaction at unit current, without the salt's.
    pub(super) fn add_uniform_losses(&self, s: Complex64, resolved: bool, losses: &mut Losses) {
        let psi = 1.0 / (self.admittance(s).total * self.thickness);
        self.add_interface(s, psi * psi * self.thickness, losses);
        if resolved {
            losses.ionic += self.thickness / 3.0 / self.kappa;
            losses.solid += self.thickness / 3.0 / self.sigma;
        }
    }

    /// Losses at cell current `current`, where X has `ends`.
    pub(super) fn add_losses(
        &self,
        s: Complex64,
        (matrix, g): (Matrix, f64),
        current: f64,
        ends: &Ends,
        losses: &mut Losses,
    ) {
        let l = self.thickness;
        let Moments { slopes, square } = moments(matrix, l, ends);
        self.add_interface(s, square, losses);
        // i_e = k (psi' + g c' + I/sigma), the current of the solid is I - i_e.
        let parallel = self.sigma * self.kappa / (self.sigma + self.kappa);
        let own = current / self.sigma;
        let change = [0, 1].map(|i| ends.values[1][i] - ends.values[0][i]);
        let drive = change[0] + g * change[1];
        let squared = slopes[0][0] + 2.0 * g * slopes[0][1] + g * g * slopes[1][1];
        let ionic = parallel * (drive + own * l);
        let ionic_square = parallel * parallel * (squared + 2.0 * own * drive + own * own * l);
        losses.ionic += ionic_square / self.kappa;
        losses.solid += (current * current * l - 2.0 * current * ionic + ionic_square) / self.sigma;
        losses.concentration -= g * parallel * (slopes[0][1] + g * slopes[1][1] + own * change[1]);
    }
}

/// Moments from the ends, by modes. The first mode is mostly the potential, the second mostly the salt:
/// psi = y1 - (b/d) y2 and c = (c/d) y1 + y2 with d = mu1 - A22.
fn moments(a: Matrix, length: f64, ends: &Ends) -> Moments {
    let half_difference = 0.5 * (a[0][0] - a[1][1]);
    let root = (half_difference * half_difference + a[0][1] * a[1][0]).sqrt();
    let plus = (half_difference * root.conj()).re >= 0.0;
    let distance = if plus { half_difference + root } else { half_difference - root };
    let [larger, smaller] = eigenvalues(a);
    let expected = a[1][1] + distance;
    let mu = if (larger - expected).norm() <= (smaller - expected).norm() {
        [larger, smaller]
    } else {
        [smaller, larger]
    };
    let [to_psi, to_salt] = [-a[0][1] / distance, a[1][0] / distance];
    let determinant = 1.0 - to_psi * to_salt;
    let modes = |x: Vector| [(x[0] - to_psi * x[1]) / determinant, (x[1] - to_salt * x[0]) / determinant];
    let (y, slope) = (ends.values.map(modes), ends.slopes.map(modes));
    let difference = |f: &dyn Fn(usize) -> Complex64| f(1) - f(0);
    let mut products = [[Complex64::ZERO; 2]; 2];
    let mut slopes = [[Complex64::ZERO; 2]; 2];
    for m in 0..2 {
        let boundary = difference(&|end| y[end][m] * slope[end][m]);
        // The same at both ends: less is cancelled where both terms are small.
        let terms = [0, 1].map(|end: usize| [slope[end][m] * slope[end][m], mu[m] * y[end][m] * y[end][m]]);
        let small = usize::from(terms[1][1].norm() < terms[0][1].norm());
        let energy = (terms[small][0] - terms[small][1]) * length;
        products[m][m] = (boundary - energy) / (2.0 * mu[m]);
        slopes[m][m] = 0.5 * (boundary + energy);
    }
    let both = difference(&|end| slope[end][0] * y[end][1] - y[end][0] * slope[end][1]) / (mu[0] - mu[1]);
    let cross = difference(&|end| y[end][0] * slope[end][1]) - mu[1] * both;
    (products[0][1], products[1][0]) = (both, both);
    (slopes[0][1], slopes[1][0]) = (cross, cross);
    let back = [[Complex64::ONE, to_psi], [to_salt, Complex64::ONE]];
    let turned = |moment: &Matrix, row: usize, column: usize| -> Complex64 {
        let pairs = [(0, 0), (0, 1), (1, 0), (1, 1)];
        pairs.iter().map(|(m, n)| back[row][*m] * moment[*m][*n] * back[column][*n]).sum()
    };
    let of_slopes = |row: usize| [turned(&slopes, row, 0), turned(&slopes, row, 1)];
    Moments { slopes: [of_slopes(0), of_slopes(1)], square: turned(&products, 0, 0) }
}
