//! Tabulated properties: monotone piecewise cubic interpolation with a stated policy outside the data.

use crate::error::CellError;
use scalade_numerics::Pchip;
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
#[serde(deny_unknown_fields)]
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
    /// Through y, or log10 y.
    curve: Pchip,
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
        let curve = Pchip::new(&x, &ordinates).map_err(|e| fault(e.to_string()))?;
        if let Some(i) = (0..x.len()).find(|&i| !curve.evaluate(x[i]).1.is_finite()) {
            let message = format!("the slope at x[{i}] = {} overflows; the abscissae are too close", x[i]);
            return Err(fault(message));
        }
        Ok(Self { document: TableDocument { x, y, log10, outside }, curve })
    }

    /// The points: abscissae and values.
    pub fn points(&self) -> (&[f64], &[f64]) {
        (&self.document.x, &self.document.y)
    }

    /// Whether log10 of the values is interpolated.
    pub fn is_logarithmic(&self) -> bool {
        self.document.log10
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
        if self.document.outside != Outside::Extend && self.is_outside(x) {
            let (low, high) = self.range();
            return (self.curve.evaluate(x.clamp(low, high)).0, 0.0);
        }
        self.curve.evaluate(x)
    }
}
