//! Monotone piecewise cubic Hermite interpolation (PCHIP).
//!
//! F. N. Fritsch, J. Butland, "A method for constructing local monotone piecewise cubic interpolants", SIAM J. Sci.
//! Stat. Comput. 5, 300 (1984): continuous first derivative, monotone wherever the data are.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What can be wrong with a table.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum InterpolationError {
    /// Too few points, or lists of different lengths.
    #[error(
        "a table needs at least two points and as many ordinates as abscissae; got {abscissae} and {ordinates}"
    )]
    Lengths {
        /// Number of abscissae.
        abscissae: usize,
        /// Number of ordinates.
        ordinates: usize,
    },
    /// A value that is not finite, or an abscissa that does not increase.
    #[error("point {index} of the table ({x}, {y}) is not finite or does not lie above its predecessor")]
    Point {
        /// Index of the point.
        index: usize,
        /// Abscissa.
        x: f64,
        /// Ordinate.
        y: f64,
    },
}

/// Refuses fewer than two points, lists of different lengths, values that are not finite, and abscissae that do not increase.
pub(crate) fn check_table(x: &[f64], y: &[f64]) -> Result<(), InterpolationError> {
    if x.len() < 2 || x.len() != y.len() {
        return Err(InterpolationError::Lengths { abscissae: x.len(), ordinates: y.len() });
    }
    for i in 0..x.len() {
        let rises = i == 0 || x[i] > x[i - 1];
        if !(x[i].is_finite() && y[i].is_finite() && rises) {
            return Err(InterpolationError::Point { index: i, x: x[i], y: y[i] });
        }
    }
    Ok(())
}

/// A C1 interpolant through given points with strictly increasing abscissae.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pchip {
    x: Vec<f64>,
    y: Vec<f64>,
    slope: Vec<f64>,
}

impl Pchip {
    /// Builds the interpolant.
    pub fn new(x: &[f64], y: &[f64]) -> Result<Self, InterpolationError> {
        check_table(x, y)?;
        Ok(Self { x: x.to_vec(), y: y.to_vec(), slope: slopes(x, y) })
    }

    /// Abscissae.
    pub fn abscissae(&self) -> &[f64] {
        &self.x
    }

    /// Ordinates.
    pub fn ordinates(&self) -> &[f64] {
        &self.y
    }

    /// First and last abscissa.
    pub fn domain(&self) -> (f64, f64) {
        (self.x[0], self.x[self.x.len() - 1])
    }

    /// Value and first derivative; beyond the ends the end tangent is continued.
    pub fn evaluate(&self, at: f64) -> (f64, f64) {
        let n = self.x.len();
        if at <= self.x[0] {
            return (self.y[0] + self.slope[0] * (at - self.x[0]), self.slope[0]);
        }
        if at >= self.x[n - 1] {
            return (self.y[n - 1] + self.slope[n - 1] * (at - self.x[n - 1]), self.slope[n - 1]);
        }
        let i = self.interval(at);
        let h = self.x[i + 1] - self.x[i];
        let t = (at - self.x[i]) / h;
        let [c0, c1, c2, c3] = self.coefficients(i);
        (c0 + t * (c1 + t * (c2 + t * c3)), (c1 + t * (2.0 * c2 + t * 3.0 * c3)) / h)
    }

    /// Integral from the first abscissa to `at`, exact for the interpolant (and its linear continuation).
    pub fn integral(&self, at: f64) -> f64 {
        let (first, last) = self.domain();
        if at <= first {
            let d = at - first;
            return self.y[0] * d + 0.5 * self.slope[0] * d * d;
        }
        let stop = at.min(last);
        let mut sum = 0.0;
        for i in 0..self.x.len() - 1 {
            if self.x[i] >= stop {
                break;
            }
            let h = self.x[i + 1] - self.x[i];
            let t = ((stop - self.x[i]) / h).min(1.0);
            let [c0, c1, c2, c3] = self.coefficients(i);
            sum += h * t * (c0 + t * (c1 / 2.0 + t * (c2 / 3.0 + t * c3 / 4.0)));
        }
        if at > last {
            let d = at - last;
            let end = self.x.len() - 1;
            sum += self.y[end] * d + 0.5 * self.slope[end] * d * d;
        }
        sum
    }

    fn interval(&self, at: f64) -> usize {
        self.x.partition_point(|v| *v <= at).clamp(1, self.x.len() - 1) - 1
    }

    /// Power coefficients of the cubic in t = (x - x_i)/h on interval i.
    fn coefficients(&self, i: usize) -> [f64; 4] {
        let h = self.x[i + 1] - self.x[i];
        let (y0, y1) = (self.y[i], self.y[i + 1]);
        let (m0, m1) = (h * self.slope[i], h * self.slope[i + 1]);
        [y0, m0, 3.0 * (y1 - y0) - 2.0 * m0 - m1, 2.0 * (y0 - y1) + m0 + m1]
    }
}

fn slopes(x: &[f64], y: &[f64]) -> Vec<f64> {
    let n = x.len();
    let secant: Vec<f64> = (0..n - 1).map(|i| (y[i + 1] - y[i]) / (x[i + 1] - x[i])).collect();
    if n == 2 {
        return vec![secant[0]; 2];
    }
    let mut out = vec![0.0; n];
    for i in 1..n - 1 {
        let (before, after) = (secant[i - 1], secant[i]);
        if before * after > 0.0 {
            let (h0, h1) = (x[i] - x[i - 1], x[i + 1] - x[i]);
            let (w0, w1) = (2.0 * h1 + h0, h1 + 2.0 * h0);
            out[i] = (w0 + w1) / (w0 / before + w1 / after);
        }
    }
    out[0] = end_slope(x[1] - x[0], x[2] - x[1], secant[0], secant[1]);
    out[n - 1] = end_slope(x[n - 1] - x[n - 2], x[n - 2] - x[n - 3], secant[n - 2], secant[n - 3]);
    out
}

/// Three-point end slope, limited so that the end interval stays monotone.
fn end_slope(h0: f64, h1: f64, s0: f64, s1: f64) -> f64 {
    let slope = ((2.0 * h0 + h1) * s0 - h0 * s1) / (h0 + h1);
    if slope * s0 <= 0.0 {
        0.0
    } else if s0 * s1 <= 0.0 && slope.abs() > 3.0 * s0.abs() {
        3.0 * s0
    } else {
        slope
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn converges_at_second_order_or_better_on_a_smooth_function() {
        let error = |n: usize| {
            let x: Vec<f64> = (0..=n).map(|i| i as f64 / n as f64).collect();
            let y: Vec<f64> = x.iter().map(|v| v.exp()).collect();
            let p = Pchip::new(&x, &y).unwrap();
            (0..1000)
                .map(|i| (p.evaluate(i as f64 / 999.0).0 - (i as f64 / 999.0).exp()).abs())
                .fold(0.0, f64::max)
        };
        let order = (error(40) / error(80)).log2();
        assert!(order > 2.5, "order {order}");
    }

    #[test]
    fn refuses_bad_tables() {
        assert!(Pchip::new(&[0.0], &[1.0]).is_err());
        assert!(Pchip::new(&[0.0, 0.0], &[1.0, 2.0]).is_err());
        assert!(Pchip::new(&[0.0, 1.0], &[1.0, f64::NAN]).is_err());
    }

    proptest! {
        #[test]
        fn monotone_data_give_a_monotone_interpolant_and_exact_calculus(steps in proptest::collection::vec((0.01f64..2.0, 0.0f64..3.0), 2..12)) {
            let (mut x, mut y) = (vec![0.0], vec![0.0]);
            for (dx, dy) in &steps {
                x.push(x[x.len() - 1] + dx);
                y.push(y[y.len() - 1] - dy);
            }
            let p = Pchip::new(&x, &y).unwrap();
            let (a, b) = p.domain();
            for i in 0..200 {
                let at = a + (b - a) * f64::from(i) / 199.0;
                let (value, slope) = p.evaluate(at);
                prop_assert!(slope <= 1e-12);
                let h = 1e-6;
                let numeric = (p.integral(at + h) - p.integral(at - h)) / (2.0 * h);
                prop_assert!((numeric - value).abs() < 1e-6 * (1.0 + value.abs()));
            }
        }
    }
}
