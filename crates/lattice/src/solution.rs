//! Analytic solution models and their common tangents: the reference for free energies, and the simplest ones for phase-field models.

use crate::tangent::{Fraction, MixingCurve, ideal};
use serde::{Deserialize, Serialize};

/// g(x) = kT [x ln x + (1-x) ln(1-x)] + x (1-x) sum_k L_k (1-2x)^k per site (O. Redlich, A. T. Kister, Ind. Eng. Chem. 40, 345 (1948)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RedlichKister {
    /// kT, eV.
    pub kt_ev: f64,
    /// L_0, L_1 ..., eV.
    pub interactions_ev: Vec<f64>,
}

impl MixingCurve for RedlichKister {
    fn evaluate(&self, at: Fraction) -> [f64; 3] {
        let mut g = ideal(at).map(|v| self.kt_ev * v);
        let (p, dp, u) = (at.x * at.rest, at.rest - at.x, at.rest - at.x);
        for (k, l) in self.interactions_ev.iter().enumerate() {
            let n = k as f64;
            let power = |m: i32| if m < 0 { 0.0 } else { u.powi(m) };
            let (q, q1, q2) =
                (power(k as i32), -2.0 * n * power(k as i32 - 1), 4.0 * n * (n - 1.0) * power(k as i32 - 2));
            g[0] += l * p * q;
            g[1] += l * (dp * q + p * q1);
            g[2] += l * (-2.0 * q + 2.0 * dp * q1 + p * q2);
        }
        g
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BOLTZMANN_EV_PER_K;
    use crate::tangent::{spinodals, tangents};

    #[test]
    fn l07_regular_solution() {
        for (w, binodal, spinodal, gap) in [
            (2.5, 0.144794108, 0.276393202, 0.311220677),
            // In closed form the gap is 2 (sqrt 3 - arcosh 2) for w = 3.
            (3.0, 0.070720182, 0.211324865, 0.8301858212881212),
            (4.0, 0.021247988, 0.146446609, 2.131359901),
        ] {
            let model = RedlichKister { kt_ev: 1.0, interactions_ev: vec![w] };
            let [b] = tangents(&model).unwrap()[..] else { panic!("{w}") };
            let x = b.x();
            assert!((x[0] - binodal).abs() < 1e-9 && (x[1] - 1.0 + binodal).abs() < 1e-9, "{b:?}");
            let s = spinodals(&model);
            assert!((s[0].x - spinodal).abs() < 1e-9 && (s[1].rest - spinodal).abs() < 1e-9);
            let height = model.evaluate(s[0])[1] - model.evaluate(s[1])[1];
            assert!((height - gap).abs() < 1e-9, "{height}");
        }
        assert!(tangents(&RedlichKister { kt_ev: 1.0, interactions_ev: vec![1.9] }).unwrap().is_empty());
    }

    #[test]
    fn l08_subregular_common_tangent() {
        let model = RedlichKister { kt_ev: 300.0 * BOLTZMANN_EV_PER_K, interactions_ev: vec![0.08, 0.01] };
        let b = tangents(&model).unwrap()[0];
        let x = b.x();
        assert!((x[0] - 0.0393206126).abs() < 1e-9 && (x[1] - 0.9076319794).abs() < 1e-9, "{b:?}");
        assert!((b.slope - -0.00117796365).abs() < 1e-9 && b.residual < 1e-13, "{b:?}");
    }

    #[test]
    fn derivatives_agree_with_differences() {
        let model = RedlichKister { kt_ev: 0.0257, interactions_ev: vec![0.05, -0.02, 0.03, 0.01] };
        for x in [0.1, 0.37, 0.5, 0.9] {
            let h = 1e-5;
            let [a, b, c] = [x - h, x, x + h].map(|x| model.evaluate(Fraction::of(x)));
            assert!(((c[0] - a[0]) / (2.0 * h) - b[1]).abs() < 1e-8);
            assert!(((c[1] - a[1]) / (2.0 * h) - b[2]).abs() < 1e-7);
        }
    }
}
