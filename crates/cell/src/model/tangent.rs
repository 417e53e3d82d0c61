//! What the linearised equations need beside the Newton matrix.

use super::{CellModel, integral, trouble};
use crate::FARADAY;
use crate::solver::bdf::{DaeSystem, Trouble};

/// Leading coefficient, 1/s, of an implicit step so short that concentrations stay and only potentials follow.
pub(crate) const INSTANT: f64 = 1e10;
/// Where the Newton matrix is approximate, what is solved with it is corrected until the correction is this small
/// relative to it.
pub(crate) const CORRECTION: f64 = 1e-9;
pub(crate) const MOST_CORRECTIONS: usize = 30;

impl CellModel {
    /// out = dF/dy' v: the masses are constant and stand on the diagonal. Integrals get 0.
    pub(crate) fn mass_times(&self, v: &[f64], out: &mut [f64]) {
        let l = self.layout;
        out.fill(0.0);
        for family in self.families() {
            let count = family.count();
            for (i, mass) in family.particles.mesh.mass.iter().enumerate() {
                let row = family.base + i * count..family.base + (i + 1) * count;
                for (o, v) in out[row.clone()].iter_mut().zip(&v[row]) {
                    *o = mass * v;
                }
            }
        }
        for (range, _) in self.families().filter_map(|f| f.side.as_ref()).flat_map(|side| side.states()) {
            out[range.clone()].copy_from_slice(&v[range]);
        }
        for hysteresis in self.families().filter_map(|f| f.hysteresis.as_ref()) {
            out[hysteresis.range()].copy_from_slice(&v[hysteresis.range()]);
        }
        for (i, pore) in self.electrolyte.pore.iter().enumerate() {
            out[l.salt + i] = FARADAY * pore * v[l.salt + i];
        }
        out[l.temperature] = self.thermal.map_or(1.0, |t| t.capacity) * v[l.temperature];
    }

    /// Whether the Newton matrix leaves out something that changes little within a step: with it alone the
    /// linearised equations are solved to no more than a few digits.
    pub(crate) fn newton_matrix_is_approximate(&self) -> bool {
        self.thermal.is_some() || self.families().any(|family| family.side.is_some())
    }

    /// Rate of change of all unknowns at `y` where that of the concentrations is `known`, with the derivatives at y
    /// that are factored for [`INSTANT`].
    pub(crate) fn rate_of_all(&mut self, y: &[f64], known: &[f64]) -> Result<Vec<f64>, Trouble> {
        let l = self.layout;
        let mut out = vec![0.0; y.len()];
        self.mass_times(known, &mut out);
        for value in &mut out {
            *value *= INSTANT;
        }
        out[l.current] = self.control_slope;
        self.solve(&mut out);
        if self.newton_matrix_is_approximate() {
            self.correct_rate(y, known, &mut out)?;
        }
        out[l.integrals..].fill(0.0);
        out[l.integrals + integral::CHARGE] = y[l.current];
        out[l.integrals + integral::ENERGY] = y[l.current] * y[l.voltage];
        match out.iter().position(|v| !v.is_finite()) {
            None => Ok(out),
            Some(unknown) => Err(trouble(unknown, out[unknown], "the state has no rate of change")),
        }
    }

    /// Corrects a rate for what the Newton matrix leaves out.
    fn correct_rate(&mut self, y: &[f64], known: &[f64], out: &mut [f64]) -> Result<(), Trouble> {
        /// Difference in time by which the residual is differentiated, s.
        const SHIFT: f64 = 1e-3;
        let l = self.layout;
        let zero = vec![0.0; y.len()];
        let mut residuals = [zero.clone(), zero.clone(), zero.clone()];
        let mut difference = zero.clone();
        for _ in 0..MOST_CORRECTIONS {
            let [plus, minus, mass] = &mut residuals;
            for (side, residual) in [(SHIFT, &mut *plus), (-SHIFT, &mut *minus)] {
                let at: Vec<f64> = y.iter().zip(out.iter()).map(|(y, v)| y + side * v).collect();
                self.residual(&at, &zero, residual)?;
            }
            for ((d, v), r) in difference.iter_mut().zip(out.iter()).zip(known) {
                *d = INSTANT * (v - r);
            }
            self.mass_times(&difference, mass);
            for i in 0..l.integrals {
                plus[i] = (plus[i] - minus[i]) / (2.0 * SHIFT) + mass[i];
            }
            plus[l.current] -= self.control_slope;
            plus[l.integrals..].fill(0.0);
            self.solve(plus);
            for (v, c) in out[..l.integrals].iter_mut().zip(plus.iter()) {
                *v -= c;
            }
            if self.norm(plus) <= CORRECTION * self.norm(out) {
                break;
            }
        }
        Ok(())
    }
}
