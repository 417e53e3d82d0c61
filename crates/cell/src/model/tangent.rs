//! What the linearised equations need beside the Newton matrix.

use super::CellModel;
use crate::FARADAY;

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
}
