//! Cubic splines with continuous second derivative.

use crate::InterpolationError;
use crate::interpolation::check_table;

/// The C2 cubic spline through given points with the not-a-knot end condition (C. de Boor, A Practical Guide to Splines, Springer 1978,
/// chapter IV): exact for cubics, error O(h^4) up to the ends. With three points it is the parabola, with two the line.
#[derive(Clone, Debug, PartialEq)]
pub struct CubicSpline {
    x: Vec<f64>,
    y: Vec<f64>,
    /// Second derivatives at the points.
    curvature: Vec<f64>,
}

impl CubicSpline {
    /// Builds the spline; abscissae must increase.
    pub fn new(x: &[f64], y: &[f64]) -> Result<Self, InterpolationError> {
        check_table(x, y)?;
        Ok(Self { curvature: curvatures(x, y), x: x.to_vec(), y: y.to_vec() })
    }

    /// First and last abscissa.
    pub fn domain(&self) -> (f64, f64) {
        (self.x[0], self.x[self.x.len() - 1])
    }

    /// Value, first and second derivative; outside the domain the outermost cubic goes on.
    pub fn evaluate(&self, at: f64) -> [f64; 3] {
        let right = self.x.partition_point(|v| *v <= at).clamp(1, self.x.len() - 1);
        let left = right - 1;
        let h = self.x[right] - self.x[left];
        let (a, b) = (self.x[right] - at, at - self.x[left]);
        let (m0, m1) = (self.curvature[left], self.curvature[right]);
        let (y0, y1) = (self.y[left] / h - m0 * h / 6.0, self.y[right] / h - m1 * h / 6.0);
        [
            (m0 * a * a * a + m1 * b * b * b) / (6.0 * h) + y0 * a + y1 * b,
            (m1 * b * b - m0 * a * a) / (2.0 * h) + y1 - y0,
            (m0 * a + m1 * b) / h,
        ]
    }
}

/// Second derivatives at the points.
fn curvatures(x: &[f64], y: &[f64]) -> Vec<f64> {
    let n = x.len();
    let h: Vec<f64> = x.windows(2).map(|w| w[1] - w[0]).collect();
    let s: Vec<f64> = (0..n - 1).map(|i| (y[i + 1] - y[i]) / h[i]).collect();
    match n {
        2 => return vec![0.0; 2],
        3 => return vec![2.0 * (s[1] - s[0]) / (h[0] + h[1]); 3],
        _ => {}
    }
    // Continuity of the slope at the inner points; not-a-knot (a continuous third derivative at the outermost inner points)
    // removes the two unknowns at the ends.
    let inner = n - 2;
    let (mut low, mut middle, mut high, mut right) =
        (vec![0.0; inner], vec![0.0; inner], vec![0.0; inner], vec![0.0; inner]);
    for k in 0..inner {
        low[k] = h[k];
        middle[k] = 2.0 * (h[k] + h[k + 1]);
        high[k] = h[k + 1];
        right[k] = 6.0 * (s[k + 1] - s[k]);
    }
    // m_0 = (1 + r) m_1 - r m_2 with r = h_0/h_1, and the mirror image at the other end.
    let (first, last) = (h[0] / h[1], h[n - 2] / h[n - 3]);
    middle[0] += low[0] * (1.0 + first);
    high[0] -= low[0] * first;
    middle[inner - 1] += high[inner - 1] * (1.0 + last);
    low[inner - 1] -= high[inner - 1] * last;
    for k in 1..inner {
        let factor = low[k] / middle[k - 1];
        middle[k] -= factor * high[k - 1];
        right[k] -= factor * right[k - 1];
    }
    let mut m = vec![0.0; n];
    for k in (0..inner).rev() {
        let beyond = if k + 1 < inner { high[k] * m[k + 2] } else { 0.0 };
        m[k + 1] = (right[k] - beyond) / middle[k];
    }
    m[0] = (1.0 + first) * m[1] - first * m[2];
    m[n - 1] = (1.0 + last) * m[n - 2] - last * m[n - 3];
    m
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cubics_are_reproduced() {
        let cubic = |x: f64| {
            [1.0 - 2.0 * x + 3.0 * x * x - 0.5 * x.powi(3), -2.0 + 6.0 * x - 1.5 * x * x, 6.0 - 3.0 * x]
        };
        for x in [
            vec![0.0, 0.3, 1.1, 1.5],
            vec![-1.0, 0.1, 0.2, 0.7, 2.0, 2.1],
            (0..30).map(|i| f64::from(i) * 0.1).collect(),
        ] {
            let y: Vec<f64> = x.iter().map(|x| cubic(*x)[0]).collect();
            let spline = CubicSpline::new(&x, &y).unwrap();
            for at in [x[0], 0.15, 0.63, x[x.len() - 1], x[x.len() - 1] + 0.2] {
                for (got, expected) in spline.evaluate(at).into_iter().zip(cubic(at)) {
                    assert!((got - expected).abs() < 1e-11, "{at}: {got} {expected}");
                }
            }
        }
    }

    #[test]
    fn observed_order_is_four() {
        let error = |n: usize| {
            let x: Vec<f64> = (0..=n).map(|i| i as f64 / n as f64).collect();
            let spline =
                CubicSpline::new(&x, &x.iter().map(|x| (3.0 * x).sin()).collect::<Vec<_>>()).unwrap();
            (0..8000)
                .map(|i| {
                    (spline.evaluate(f64::from(i) / 7999.0)[0] - (3.0 * f64::from(i) / 7999.0).sin()).abs()
                })
                .fold(0.0, f64::max)
        };
        // The cubics at the ends, which reach over two intervals, have a larger constant: the order shows where the grid is fine.
        let orders: Vec<f64> = [40, 80, 160].map(|n| (error(n) / error(2 * n)).log2()).to_vec();
        assert!(orders.iter().all(|o| (3.9..4.5).contains(o)), "{orders:?}");
        assert!((orders[2] - 4.0).abs() < 0.15 && orders[2] < orders[0], "{orders:?}");
    }

    #[test]
    fn short_and_bad_tables() {
        assert_eq!(CubicSpline::new(&[0.0, 2.0], &[1.0, 5.0]).unwrap().evaluate(0.5), [2.0, 2.0, 0.0]);
        let parabola = CubicSpline::new(&[0.0, 1.0, 3.0], &[0.0, 1.0, 9.0]).unwrap().evaluate(2.0);
        assert!(
            parabola.into_iter().zip([4.0, 4.0, 2.0]).all(|(a, b)| (a - b).abs() < 1e-13),
            "{parabola:?}"
        );
        assert!(CubicSpline::new(&[0.0], &[1.0]).is_err());
        assert!(CubicSpline::new(&[0.0, 0.0], &[1.0, 2.0]).is_err());
        assert!(CubicSpline::new(&[0.0, f64::NAN], &[1.0, 2.0]).is_err());
    }
}
