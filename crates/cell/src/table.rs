//! Tabulated properties: monotone piecewise cubic interpolation with a stated policy outside the data.

use crate::error::CellError;
use serde::{Deserialize, Serialize};

/// What a table gives outside its range of stoichiometry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outside {
    /// Refuse: the solver shortens its step, and reports the place if that does not help.
    #[default]
    Error,
    /// Value at the nearest end, counted.
    Clamp,
    /// Straight line with the slope at the nearest end (in log10 of the value if the table is logarithmic),
    /// counted.
    Extend,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct TableDocument {
    x: Vec<f64>,
    y: Vec<f64>,
    #[serde(default)]
    log10: bool,
    #[serde(default)]
    outside: Outside,
}

/// A property tabulated over stoichiometry, interpolated by a monotone C1 piecewise cubic (Fritsch and
/// Carlson, SIAM J. Numer. Anal. 17 (1980) 238, with the weighted harmonic mean slopes of Fritsch and
/// Butland 1984), optionally in log10 of the value.
///
/// ```
/// use scalade_cell::{Outside, Table};
/// let table = Table::new(vec![0.0, 0.5, 1.0], vec![4.2, 4.0, 3.6], false, Outside::Extend)?;
/// assert_eq!(table.value_and_slope(0.5).unwrap().0, 4.0);
/// # Ok::<(), scalade_cell::CellError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TableDocument", into = "TableDocument")]
pub struct Table {
    document: TableDocument,
    /// Ordinates that are interpolated: y, or log10 y.
    ordinates: Vec<f64>,
    /// Slopes at the abscissae.
    slopes: Vec<f64>,
}

impl TryFrom<TableDocument> for Table {
    type Error = CellError;

    fn try_from(document: TableDocument) -> Result<Self, CellError> {
        Self::new(document.x, document.y, document.log10, document.outside)
    }
}

impl From<Table> for TableDocument {
    fn from(table: Table) -> Self {
        table.document
    }
}

impl Table {
    /// Builds a table from strictly increasing abscissae `x` and values `y`.
    ///
    /// # Errors
    /// [`CellError::Table`] if there are fewer than two points, the lengths differ, a number is not finite,
    /// `x` does not increase strictly, or `log10` is asked for with a value that is not positive.
    pub fn new(x: Vec<f64>, y: Vec<f64>, log10: bool, outside: Outside) -> Result<Self, CellError> {
        let fault =
            |message: String| CellError::Table { property: "a stoichiometry table".to_owned(), message };
        if x.len() != y.len() {
            return Err(fault(format!("{} abscissae but {} values", x.len(), y.len())));
        }
        if x.len() < 2 {
            return Err(fault("at least two points are needed".to_owned()));
        }
        if let Some(i) = (0..x.len()).find(|&i| !x[i].is_finite() || !y[i].is_finite()) {
            return Err(fault(format!("point {i} is ({}, {}): numbers must be finite", x[i], y[i])));
        }
        if let Some(i) = (1..x.len()).find(|&i| x[i] <= x[i - 1]) {
            return Err(fault(format!("x[{i}] = {} does not exceed x[{}] = {}", x[i], i - 1, x[i - 1])));
        }
        if let (true, Some(i)) = (log10, (0..y.len()).find(|&i| y[i] <= 0.0)) {
            return Err(fault(format!("value {} at point {i} has no logarithm; it must be positive", y[i])));
        }
        let ordinates: Vec<f64> = if log10 { y.iter().map(|v| v.log10()).collect() } else { y.clone() };
        let slopes = monotone_slopes(&x, &ordinates);
        if let Some(i) = slopes.iter().position(|s| !s.is_finite()) {
            return Err(fault(format!(
                "the slope at x[{i}] = {} overflows; the abscissae are too close",
                x[i]
            )));
        }
        Ok(Self { document: TableDocument { x, y, log10, outside }, ordinates, slopes })
    }

    /// Smallest and largest abscissa.
    pub fn range(&self) -> (f64, f64) {
        let x = &self.document.x;
        (x[0], x[x.len() - 1])
    }

    /// What happens outside [`Self::range`].
    pub fn outside(&self) -> Outside {
        self.document.outside
    }

    /// Whether `x` lies outside the data.
    pub fn is_outside(&self, x: f64) -> bool {
        let (low, high) = self.range();
        !(low..=high).contains(&x)
    }

    /// Value and slope at `x`; `None` outside the data if the policy is [`Outside::Error`], and for NaN.
    pub fn value_and_slope(&self, x: f64) -> Option<(f64, f64)> {
        if x.is_nan() || (self.document.outside == Outside::Error && self.is_outside(x)) {
            return None;
        }
        let (ordinate, slope) = self.interpolate(x);
        if !self.document.log10 {
            return Some((ordinate, slope));
        }
        let value = (ordinate * std::f64::consts::LN_10).exp();
        Some((value, value * slope * std::f64::consts::LN_10))
    }

    fn interpolate(&self, x: f64) -> (f64, f64) {
        let xs = &self.document.x;
        let last = xs.len() - 1;
        if x < xs[0] || x > xs[last] {
            let end = if x < xs[0] { 0 } else { last };
            return match self.document.outside {
                Outside::Extend => (self.ordinates[end] + self.slopes[end] * (x - xs[end]), self.slopes[end]),
                Outside::Clamp | Outside::Error => (self.ordinates[end], 0.0),
            };
        }
        let i = xs.partition_point(|v| *v <= x).clamp(1, last) - 1;
        let h = xs[i + 1] - xs[i];
        let t = (x - xs[i]) / h;
        let (y0, y1, d0, d1) =
            (self.ordinates[i], self.ordinates[i + 1], self.slopes[i] * h, self.slopes[i + 1] * h);
        // Cubic Hermite form in t: y0 + t (d0 + t (3 dy - 2 d0 - d1 + t (d0 + d1 - 2 dy))).
        let rise = y1 - y0;
        let second = 3.0 * rise - 2.0 * d0 - d1;
        let third = d0 + d1 - 2.0 * rise;
        let value = y0 + t * (d0 + t * (second + t * third));
        let slope = (d0 + t * (2.0 * second + 3.0 * t * third)) / h;
        (value, slope)
    }
}

/// Slopes of the monotone cubic at the abscissae.
fn monotone_slopes(x: &[f64], y: &[f64]) -> Vec<f64> {
    let n = x.len();
    let width: Vec<f64> = x.windows(2).map(|w| w[1] - w[0]).collect();
    let secant: Vec<f64> = (0..n - 1).map(|i| (y[i + 1] - y[i]) / width[i]).collect();
    if n == 2 {
        return vec![secant[0]; 2];
    }
    let mut slopes = vec![0.0; n];
    for i in 1..n - 1 {
        let (left, right) = (secant[i - 1], secant[i]);
        if left * right > 0.0 {
            let w1 = 2.0 * width[i] + width[i - 1];
            let w2 = width[i] + 2.0 * width[i - 1];
            slopes[i] = (w1 + w2) / (w1 / left + w2 / right);
        }
    }
    slopes[0] = end_slope(width[0], width[1], secant[0], secant[1]);
    slopes[n - 1] = end_slope(width[n - 2], width[n - 3], secant[n - 2], secant[n - 3]);
    slopes
}

/// Three-point one-sided slope, limited so that the first interval stays monotone.
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
