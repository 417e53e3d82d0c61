//! Symmetric 3x3 tensors.

use serde::{Deserialize, Serialize};

/// A symmetric tensor in Cartesian axes: components xx, yy, zz, yz, xz, xy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SymmetricTensor(pub [f64; 6]);

impl SymmetricTensor {
    /// `value` times the identity.
    pub fn isotropic(value: f64) -> Self {
        Self([value, value, value, 0.0, 0.0, 0.0])
    }

    /// The symmetric part of a full tensor.
    pub fn from_full(t: [[f64; 3]; 3]) -> Self {
        let half = |a: f64, b: f64| 0.5 * (a + b);
        Self([
            t[0][0],
            t[1][1],
            t[2][2],
            half(t[1][2], t[2][1]),
            half(t[0][2], t[2][0]),
            half(t[0][1], t[1][0]),
        ])
    }

    /// The full tensor.
    pub fn full(self) -> [[f64; 3]; 3] {
        let [xx, yy, zz, yz, xz, xy] = self.0;
        [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]
    }

    /// Sum of the diagonal.
    pub fn trace(self) -> f64 {
        self.0[0] + self.0[1] + self.0[2]
    }

    /// All components multiplied by `factor`.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self(self.0.map(|c| c * factor))
    }

    /// `(1 - t) self + t other`; keeps positive semi-definiteness for t in [0, 1].
    #[must_use]
    pub fn mix(self, other: Self, t: f64) -> Self {
        Self(std::array::from_fn(|i| (1.0 - t) * self.0[i] + t * other.0[i]))
    }

    /// Eigenvalues in descending order, by cyclic Jacobi rotations (converges quadratically; 3x3 needs few sweeps).
    pub fn eigenvalues(self) -> [f64; 3] {
        let mut a = self.full();
        for _ in 0..32 {
            let off = a[0][1].abs() + a[0][2].abs() + a[1][2].abs();
            let scale = a[0][0].abs() + a[1][1].abs() + a[2][2].abs();
            if off <= 1e-17 * scale || off == 0.0 {
                break;
            }
            for (p, q) in [(0, 1), (0, 2), (1, 2)] {
                rotate(&mut a, p, q);
            }
        }
        let mut out = [a[0][0], a[1][1], a[2][2]];
        out.sort_by(|x, y| y.total_cmp(x));
        out
    }
}

fn rotate(a: &mut [[f64; 3]; 3], p: usize, q: usize) {
    if a[p][q] == 0.0 {
        return;
    }
    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    for row in a.iter_mut() {
        let (x, y) = (row[p], row[q]);
        row[p] = c * x - s * y;
        row[q] = s * x + c * y;
    }
    for k in 0..3 {
        let (x, y) = (a[p][k], a[q][k]);
        a[p][k] = c * x - s * y;
        a[q][k] = s * x + c * y;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn eigenvalues_keep_trace_and_invariants(c in proptest::array::uniform6(-3.0f64..3.0)) {
            let t = SymmetricTensor(c);
            let l = t.eigenvalues();
            prop_assert!(l[0] >= l[1] && l[1] >= l[2]);
            prop_assert!((l.iter().sum::<f64>() - t.trace()).abs() < 1e-12);
            let f = t.full();
            let det = f[0][0] * (f[1][1] * f[2][2] - f[1][2] * f[2][1]) - f[0][1] * (f[1][0] * f[2][2] - f[1][2] * f[2][0])
                + f[0][2] * (f[1][0] * f[2][1] - f[1][1] * f[2][0]);
            prop_assert!((l[0] * l[1] * l[2] - det).abs() < 1e-10);
            let frobenius: f64 = f.iter().flatten().map(|v| v * v).sum();
            prop_assert!((l.iter().map(|v| v * v).sum::<f64>() - frobenius).abs() < 1e-10);
        }
    }
}
