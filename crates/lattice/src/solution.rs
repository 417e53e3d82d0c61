//! Analytic solution models and their common tangents: the reference for free energies, and the simplest ones for phase-field models.

use crate::LatticeError;
use serde::{Deserialize, Serialize};

/// g(x) = kT [x ln x + (1-x) ln(1-x)] + x (1-x) sum_k L_k (1-2x)^k per site (O. Redlich, A. T. Kister, Ind. Eng. Chem. 40, 345 (1948)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RedlichKister {
    /// kT, eV.
    pub kt_ev: f64,
    /// L_0, L_1 ..., eV.
    pub interactions_ev: Vec<f64>,
}

/// Two phases with a common tangent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Binodal {
    /// Compositions.
    pub x: [f64; 2],
    /// Slope of the tangent: the chemical potential.
    pub slope: f64,
    /// Largest violation of the two tangent conditions, in the units of g.
    pub residual: f64,
}

impl RedlichKister {
    /// g, g' and g'' at 0 < x < 1, eV.
    pub fn evaluate(&self, x: f64) -> [f64; 3] {
        let (a, kt) = (1.0 - x, self.kt_ev);
        let mut g = [kt * (x * x.ln() + a * a.ln()), kt * (x / a).ln(), kt / (x * a)];
        let (p, dp, u) = (x * a, 1.0 - 2.0 * x, 1.0 - 2.0 * x);
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

    /// Compositions at which g'' vanishes, sought by bisection between 4096 equally spaced points.
    pub fn spinodal(&self) -> Vec<f64> {
        let n = 4096;
        let at = |i: usize| (i as f64 + 0.5) / (n as f64 + 1.0);
        let curvature = |x: f64| self.evaluate(x)[2];
        (0..n)
            .filter(|i| curvature(at(*i)) * curvature(at(i + 1)) < 0.0)
            .map(|i| {
                let (mut low, mut high) = (at(i), at(i + 1));
                for _ in 0..100 {
                    let middle = 0.5 * (low + high);
                    if curvature(middle) * curvature(low) > 0.0 { low = middle } else { high = middle }
                }
                0.5 * (low + high)
            })
            .collect()
    }

    /// The binodal across the first spinodal interval; `None` if g is convex.
    pub fn binodal(&self) -> Result<Option<Binodal>, LatticeError> {
        let [low, high, ..] = self.spinodal()[..] else { return Ok(None) };
        common_tangent(&|x| self.evaluate(x), [1e-300, low], [high, 1.0 - 1e-16]).map(Some)
    }
}

/// Common tangent of a free energy that is convex on the intervals `left` and `right`; `g` returns value, first and second derivative.
///
/// For a slope m the point of the left (right) interval with g' = m is found by bisection; the difference of the intercepts g - m x falls by the
/// distance of the points as m grows, so that m follows by bisection again; Newton steps on both conditions finish.
pub fn common_tangent(
    g: &dyn Fn(f64) -> [f64; 3],
    left: [f64; 2],
    right: [f64; 2],
) -> Result<Binodal, LatticeError> {
    let ordered = left[0] < left[1] && left[1] <= right[0] && right[0] < right[1];
    LatticeError::require(
        ordered,
        "start of the right interval",
        right[0],
        "the left interval must lie before it",
    )?;
    let touch = |interval: [f64; 2], slope: f64| {
        let [mut low, mut high] = interval;
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if g(middle)[1] < slope { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    };
    let mut bracket = [g(right[0])[1].max(g(left[0])[1]), g(left[1])[1].min(g(right[1])[1])];
    let overlap = bracket[0] < bracket[1];
    if !overlap {
        return Err(LatticeError::NotConverged {
            what: "common tangent (the slopes of the two intervals do not overlap)",
            iterations: 0,
            residual: bracket[0] - bracket[1],
            tolerance: 0.0,
            at: left[1],
        });
    }
    for _ in 0..100 {
        let slope = 0.5 * (bracket[0] + bracket[1]);
        let [a, b] = [touch(left, slope), touch(right, slope)];
        // The right point has the lower intercept when the slope is too large.
        if (g(b)[0] - slope * b) < (g(a)[0] - slope * a) { bracket[1] = slope } else { bracket[0] = slope }
    }
    let slope = 0.5 * (bracket[0] + bracket[1]);
    let mut x = [touch(left, slope), touch(right, slope)];
    let conditions = |x: [f64; 2]| {
        let [a, b] = x.map(g);
        [a[1] - b[1], b[0] - a[0] - a[1] * (x[1] - x[0])]
    };
    for _ in 0..5 {
        let [a, b] = x.map(g);
        let [r0, r1] = conditions(x);
        // Jacobian: [[a'', -b''], [-a'' (xb - xa), b' - a']].
        let (j00, j01, j10, j11) = (a[2], -b[2], -a[2] * (x[1] - x[0]), b[1] - a[1]);
        let det = j00 * j11 - j01 * j10;
        let next = [x[0] - (r0 * j11 - r1 * j01) / det, x[1] - (j00 * r1 - j10 * r0) / det];
        let worst = |c: [f64; 2]| c[0].abs().max(c[1].abs());
        let inside = next[0] > left[0] && next[0] < left[1] && next[1] > right[0] && next[1] < right[1];
        if !inside || worst(conditions(next)) >= worst(conditions(x)) {
            break;
        }
        x = next;
    }
    let [r0, r1] = conditions(x);
    let residual = r0.abs().max(r1.abs());
    let tolerance = 1e-11 * (1.0 + g(x[0])[0].abs().max(g(x[1])[0].abs()));
    let converged = residual <= tolerance;
    if !converged {
        return Err(LatticeError::NotConverged {
            what: "common tangent",
            iterations: 100,
            residual,
            tolerance,
            at: x[0],
        });
    }
    Ok(Binodal { x, slope: g(x[0])[1], residual })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BOLTZMANN_EV_PER_K;

    #[test]
    fn l07_regular_solution() {
        for (w, binodal, spinodal, gap) in [
            (2.5, 0.144794108, 0.276393202, 0.311220677),
            // In closed form the gap is 2 (sqrt 3 - arcosh 2) for w = 3.
            (3.0, 0.070720182, 0.211324865, 0.8301858212881212),
            (4.0, 0.021247988, 0.146446609, 2.131359901),
        ] {
            let model = RedlichKister { kt_ev: 1.0, interactions_ev: vec![w] };
            let b = model.binodal().unwrap().unwrap();
            assert!((b.x[0] - binodal).abs() < 1e-9 && (b.x[1] - 1.0 + binodal).abs() < 1e-9, "{b:?}");
            let s = model.spinodal();
            assert!((s[0] - spinodal).abs() < 1e-9 && (s[1] - 1.0 + spinodal).abs() < 1e-9);
            let height = model.evaluate(s[0])[1] - model.evaluate(s[1])[1];
            assert!((height - gap).abs() < 1e-9, "{height}");
        }
        assert_eq!(RedlichKister { kt_ev: 1.0, interactions_ev: vec![1.9] }.binodal().unwrap(), None);
    }

    #[test]
    fn l08_subregular_common_tangent() {
        let model = RedlichKister { kt_ev: 300.0 * BOLTZMANN_EV_PER_K, interactions_ev: vec![0.08, 0.01] };
        let b = model.binodal().unwrap().unwrap();
        assert!((b.x[0] - 0.0393206126).abs() < 1e-9 && (b.x[1] - 0.9076319794).abs() < 1e-9, "{b:?}");
        assert!((b.slope - -0.00117796365).abs() < 1e-9 && b.residual < 1e-13, "{b:?}");
    }

    #[test]
    fn derivatives_agree_with_differences() {
        let model = RedlichKister { kt_ev: 0.0257, interactions_ev: vec![0.05, -0.02, 0.03, 0.01] };
        for x in [0.1, 0.37, 0.5, 0.9] {
            let h = 1e-5;
            let (a, b, c) = (model.evaluate(x - h), model.evaluate(x), model.evaluate(x + h));
            assert!(((c[0] - a[0]) / (2.0 * h) - b[1]).abs() < 1e-8);
            assert!(((c[1] - a[1]) / (2.0 * h) - b[2]).abs() < 1e-7);
        }
    }

    #[test]
    fn intervals_without_a_common_tangent_are_refused() {
        let convex = |x: f64| [x * x, 2.0 * x, 2.0];
        assert!(common_tangent(&convex, [0.0, 0.4], [0.6, 1.0]).is_err());
        assert!(common_tangent(&convex, [0.5, 0.4], [0.6, 1.0]).is_err());
    }
}
