//! Nine Chebyshev points on [0, 1]: integral, an estimate of the interpolation error, and bounds between the
//! points.

use std::f64::consts::PI;
use std::sync::LazyLock;

/// Points of a panel, both ends included.
pub(super) const POINTS: usize = 9;
const DEGREE: usize = POINTS - 1;

/// Values at the points of a panel.
pub(super) type Values = [f64; POINTS];

/// What a panel knows between its points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The function stays positive.
    Positive,
    /// It is not positive at this point, and positive at all points before.
    Crossing(usize),
    /// It may touch zero between points.
    Unsure,
}

#[derive(Debug)]
pub(super) struct Rule {
    /// (1 - cos(j pi/8))/2.
    pub(super) points: Values,
    /// Clenshaw-Curtis weights; their sum is 1.
    weights: Values,
    /// Rows that give the last two Chebyshev coefficients of the interpolant.
    last: [Values; 2],
    /// Rows that give the interpolant's coefficients in the Bernstein basis.
    bernstein: [Values; POINTS],
}

static RULE: LazyLock<Rule> = LazyLock::new(Rule::new);

fn dot(row: &Values, values: &Values) -> f64 {
    row.iter().zip(values).map(|(r, v)| r * v).sum()
}

impl Rule {
    pub(super) fn get() -> &'static Self {
        &RULE
    }

    fn new() -> Self {
        let n = DEGREE as f64;
        let end = |j: usize| if j == 0 || j == DEGREE { 0.5 } else { 1.0 };
        // Chebyshev coefficient k of the interpolant in 1 - 2 u: a discrete cosine transform.
        let row = |k: usize| -> Values {
            std::array::from_fn(|j| 2.0 / n * end(k) * end(j) * ((k * j) as f64 * PI / n).cos())
        };
        let mut weights = [0.0; POINTS];
        for k in (0..=DEGREE).step_by(2) {
            // The integral of T_k over [-1, 1] is 2/(1 - k^2) for even k.
            let integral = 1.0 / (1.0 - (k * k) as f64);
            for (w, c) in weights.iter_mut().zip(row(k)) {
                *w += integral * c;
            }
        }
        let points: Values = std::array::from_fn(|j| 0.5 * (1.0 - (j as f64 * PI / n).cos()));
        Self { points, weights, last: [row(DEGREE - 1), row(DEGREE)], bernstein: bernstein(&points) }
    }

    /// Mean over the panel; exact for polynomials of degree 9.
    pub(super) fn mean(&self, values: &Values) -> f64 {
        dot(&self.weights, values)
    }

    /// Estimate of the interpolant's error: the size of its last two Chebyshev coefficients. For the analytic
    /// functions of this module those left out are smaller.
    pub(super) fn error(&self, values: &Values) -> f64 {
        dot(&self.last[0], values).abs() + dot(&self.last[1], values).abs()
    }

    /// The interpolant at `u` in [0, 1], by the barycentric formula for Chebyshev points.
    pub(super) fn interpolate(&self, values: &Values, u: f64) -> f64 {
        let (mut above, mut below) = (0.0, 0.0);
        for (j, (point, value)) in self.points.iter().zip(values).enumerate() {
            let distance = u - point;
            if distance == 0.0 {
                return *value;
            }
            let size = if j == 0 || j == DEGREE { 0.5 } else { 1.0 };
            let weight = if j % 2 == 0 { size } else { -size } / distance;
            above += weight * value;
            below += weight;
        }
        above / below
    }

    /// Whether a function with these values, known to `error` between the points, stays positive. It may
    /// overstep zero by `tolerance` there. With `ends_at_zero` the last value is zero.
    ///
    /// An interpolant lies between its least and its largest Bernstein coefficient; and it is monotone, with
    /// the function, if the coefficients rise or fall by steps that are large against the derivative of the
    /// error: the error's derivative is at most 2 n^2 = 128 times the error, that of the interpolant at least
    /// n = 8 times the least step.
    pub(super) fn judge(&self, values: &Values, error: f64, tolerance: f64, ends_at_zero: bool) -> Verdict {
        const STEEP: f64 = 16.0;
        let inner = if ends_at_zero { &values[..DEGREE] } else { &values[..] };
        if let Some(j) = inner.iter().position(|v| *v <= 0.0) {
            return Verdict::Crossing(j);
        }
        let coefficients: Values = std::array::from_fn(|i| dot(&self.bernstein[i], values));
        let least = coefficients.iter().fold(f64::INFINITY, |a, b| a.min(*b));
        if least + tolerance > error {
            return Verdict::Positive;
        }
        let steps = || coefficients.windows(2).map(|w| w[1] - w[0]);
        if steps().all(|step| step > STEEP * error) || steps().all(|step| step < -STEEP * error) {
            return Verdict::Positive;
        }
        Verdict::Unsure
    }
}

/// Inverse of the matrix of Bernstein polynomials at the points, by Gauss-Jordan elimination.
fn bernstein(points: &Values) -> [Values; POINTS] {
    let mut matrix: [Values; POINTS] = [[0.0; POINTS]; POINTS];
    let mut inverse = matrix;
    for (j, u) in points.iter().enumerate() {
        let mut binomial = 1.0;
        for i in 0..POINTS {
            matrix[j][i] = binomial * u.powi(i as i32) * (1.0 - u).powi((DEGREE - i) as i32);
            binomial *= (DEGREE - i) as f64 / (i + 1) as f64;
        }
        inverse[j][j] = 1.0;
    }
    for k in 0..POINTS {
        let pivot =
            (k..POINTS).fold(k, |best, i| if matrix[i][k].abs() > matrix[best][k].abs() { i } else { best });
        matrix.swap(k, pivot);
        inverse.swap(k, pivot);
        let scale = 1.0 / matrix[k][k];
        for rows in [&mut matrix, &mut inverse] {
            rows[k].iter_mut().for_each(|v| *v *= scale);
        }
        for i in (0..POINTS).filter(|i| *i != k) {
            let factor = matrix[i][k];
            for rows in [&mut matrix, &mut inverse] {
                let source = rows[k];
                rows[i].iter_mut().zip(source).for_each(|(t, s)| *t -= factor * s);
            }
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(f: impl Fn(f64) -> f64) -> Values {
        Rule::get().points.map(f)
    }

    #[test]
    fn rule_is_exact_for_polynomials() {
        let rule = Rule::get();
        for degree in 0..=DEGREE as i32 {
            let v = values(|u| u.powi(degree));
            assert!((rule.mean(&v) - 1.0 / f64::from(degree + 1)).abs() < 1e-15, "{degree}");
            assert!((rule.interpolate(&v, 0.3) - 0.3_f64.powi(degree)).abs() < 1e-15);
        }
        // T_8 on [0, 1], and a polynomial of degree 6.
        assert!(
            (rule.error(&values(|u| (8.0 * (1.0 - 2.0 * u).clamp(-1.0, 1.0).acos()).cos())) - 1.0).abs()
                < 1e-14
        );
        assert!(rule.error(&values(|u| 1.0 + u.powi(6))) < 1e-15);
    }

    #[test]
    fn bernstein_coefficients_bound_and_interpolate() {
        let rule = Rule::get();
        let v = values(|u| 3.0 * u * u);
        // The degree-elevated coefficients of u^2 are i (i - 1)/(n (n - 1)).
        for (i, row) in rule.bernstein.iter().enumerate() {
            let wanted = 3.0 * (i as f64) * (i as f64 - 1.0) / 56.0;
            assert!((dot(row, &v) - wanted).abs() < 1e-12, "{i}");
        }
    }

    #[test]
    fn verdicts() {
        let rule = Rule::get();
        let judge = |f: &dyn Fn(f64) -> f64, end| {
            let v = values(f);
            rule.judge(&v, rule.error(&v), 1e-9, end)
        };
        assert_eq!(judge(&|u| 1.0 - 0.9 * u, false), Verdict::Positive);
        assert_eq!(judge(&|u| 1.0 - u, false), Verdict::Crossing(8));
        assert_eq!(judge(&|u| 1.0 - u, true), Verdict::Positive);
        assert_eq!(judge(&|u| 0.499 - u, false), Verdict::Crossing(4));
        // A dip between two points that no point sees.
        let middle = 0.5 * (rule.points[3] + rule.points[4]);
        assert_eq!(judge(&|u| (u - middle).powi(2) - 1e-4, false), Verdict::Unsure);
        assert_eq!(judge(&|u| (u - middle).powi(2) + 0.05, false), Verdict::Positive);
        // A fall to 1e-3 is believed if it is steep against the error.
        let falling = values(|u| 0.05 - 0.049 * u);
        assert_eq!(rule.judge(&falling, 1e-2, 1e-9, false), Verdict::Unsure);
        assert_eq!(rule.judge(&falling, 1e-4, 1e-9, false), Verdict::Positive);
        // What the interpolant does not resolve is not believed.
        assert_eq!(judge(&|u| 1e-3 + (40.0 * u).sin().powi(2), false), Verdict::Unsure);
    }
}
