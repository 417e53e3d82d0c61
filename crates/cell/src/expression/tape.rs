//! The evaluated form of a formula: a list of operations in static single assignment, run over a batch of
//! points.

use super::MATERIAL_VARIABLES;
use crate::error::CellError;
use serde::{Deserialize, Serialize};

/// One operation; operands are indices of earlier operations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Operation {
    Constant(f64),
    /// Index of a variable in the list of names that the formula was read with.
    Variable(usize),
    Add(usize, usize),
    Subtract(usize, usize),
    Multiply(usize, usize),
    Divide(usize, usize),
    Negate(usize),
    Power(usize, usize),
    PowerInteger(usize, i32),
    PowerThreeHalves(usize),
    Scale(usize, f64),
    Shift(usize, f64),
    Exponential(usize),
    HyperbolicTangent(usize),
    HyperbolicCosine(usize),
    HyperbolicSine(usize),
    Logarithm(usize),
    SquareRoot(usize),
}

/// A list of operations; the last one is the value of the formula.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tape {
    operations: Vec<Operation>,
}

impl Tape {
    pub(super) fn len(&self) -> usize {
        self.operations.len()
    }

    fn constant(&self, index: usize) -> Option<f64> {
        match self.operations[index] {
            Operation::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// Appends `operation`, folding constants and choosing cheap forms of powers.
    pub(super) fn push(&mut self, operation: Operation) -> usize {
        use Operation as O;
        let simplified = match operation {
            O::Add(a, b) => match (self.constant(a), self.constant(b)) {
                (Some(u), Some(v)) => O::Constant(u + v),
                (Some(u), None) => O::Shift(b, u),
                (None, Some(v)) => O::Shift(a, v),
                _ => operation,
            },
            O::Subtract(a, b) => match (self.constant(a), self.constant(b)) {
                (Some(u), Some(v)) => O::Constant(u - v),
                (None, Some(v)) => O::Shift(a, -v),
                _ => operation,
            },
            O::Multiply(a, b) => match (self.constant(a), self.constant(b)) {
                (Some(u), Some(v)) => O::Constant(u * v),
                (Some(u), None) => O::Scale(b, u),
                (None, Some(v)) => O::Scale(a, v),
                _ => operation,
            },
            O::Divide(a, b) => match (self.constant(a), self.constant(b)) {
                (Some(u), Some(v)) => O::Constant(u / v),
                _ => operation,
            },
            O::Negate(a) => self.constant(a).map_or(operation, |u| O::Constant(-u)),
            O::Power(a, b) => match (self.constant(a), self.constant(b)) {
                (Some(u), Some(v)) => O::Constant(u.powf(v)),
                (None, Some(0.5)) => O::SquareRoot(a),
                (None, Some(1.5)) => O::PowerThreeHalves(a),
                (None, Some(v)) if v.fract() == 0.0 && v.abs() <= 64.0 => O::PowerInteger(a, v as i32),
                _ => operation,
            },
            O::Exponential(a) => self.constant(a).map_or(operation, |u| O::Constant(u.exp())),
            O::HyperbolicTangent(a) => self.constant(a).map_or(operation, |u| O::Constant(u.tanh())),
            O::HyperbolicCosine(a) => self.constant(a).map_or(operation, |u| O::Constant(u.cosh())),
            O::HyperbolicSine(a) => self.constant(a).map_or(operation, |u| O::Constant(u.sinh())),
            O::Logarithm(a) => self.constant(a).map_or(operation, |u| O::Constant(u.ln())),
            O::SquareRoot(a) => self.constant(a).map_or(operation, |u| O::Constant(u.sqrt())),
            other => other,
        };
        self.operations.push(simplified);
        self.operations.len() - 1
    }

    /// Makes `result` the last operation and drops those it does not use (constants that were folded).
    pub(super) fn finish(&mut self, result: usize) {
        let mut used = vec![false; self.operations.len()];
        used[result] = true;
        for index in (0..=result).rev() {
            if used[index] {
                for operand in operands(self.operations[index]).into_iter().flatten() {
                    used[operand] = true;
                }
            }
        }
        let mut renamed = vec![0; self.operations.len()];
        let mut kept = Vec::new();
        for index in 0..=result {
            if used[index] {
                renamed[index] = kept.len();
                kept.push(rename(self.operations[index], &renamed));
            }
        }
        self.operations = kept;
    }

    /// Values over a batch: each of `variables` is as long as `out` or of length 1.
    pub(super) fn evaluate(&self, variables: &[&[f64]], workspace: &mut FormulaWorkspace, out: &mut [f64]) {
        let n = out.len();
        let length = self.operations.len() * n;
        if workspace.values.len() < length {
            workspace.values.resize(length, 0.0);
        }
        for (index, operation) in self.operations.iter().enumerate() {
            let (before, after) = workspace.values.split_at_mut(index * n);
            run(*operation, variables, n, before, &mut after[..n]);
        }
        out.copy_from_slice(&workspace.values[length - n..length]);
    }
}

fn operands(operation: Operation) -> [Option<usize>; 2] {
    use Operation as O;
    match operation {
        O::Constant(_) | O::Variable(_) => [None, None],
        O::Add(a, b) | O::Subtract(a, b) | O::Multiply(a, b) | O::Divide(a, b) | O::Power(a, b) => {
            [Some(a), Some(b)]
        }
        O::Negate(a)
        | O::PowerInteger(a, _)
        | O::PowerThreeHalves(a)
        | O::Scale(a, _)
        | O::Shift(a, _)
        | O::Exponential(a)
        | O::HyperbolicTangent(a)
        | O::HyperbolicCosine(a)
        | O::HyperbolicSine(a)
        | O::Logarithm(a)
        | O::SquareRoot(a) => [Some(a), None],
    }
}

fn rename(operation: Operation, map: &[usize]) -> Operation {
    use Operation as O;
    match operation {
        O::Constant(_) | O::Variable(_) => operation,
        O::Add(a, b) => O::Add(map[a], map[b]),
        O::Subtract(a, b) => O::Subtract(map[a], map[b]),
        O::Multiply(a, b) => O::Multiply(map[a], map[b]),
        O::Divide(a, b) => O::Divide(map[a], map[b]),
        O::Power(a, b) => O::Power(map[a], map[b]),
        O::Negate(a) => O::Negate(map[a]),
        O::PowerInteger(a, n) => O::PowerInteger(map[a], n),
        O::PowerThreeHalves(a) => O::PowerThreeHalves(map[a]),
        O::Scale(a, v) => O::Scale(map[a], v),
        O::Shift(a, v) => O::Shift(map[a], v),
        O::Exponential(a) => O::Exponential(map[a]),
        O::HyperbolicTangent(a) => O::HyperbolicTangent(map[a]),
        O::HyperbolicCosine(a) => O::HyperbolicCosine(map[a]),
        O::HyperbolicSine(a) => O::HyperbolicSine(map[a]),
        O::Logarithm(a) => O::Logarithm(map[a]),
        O::SquareRoot(a) => O::SquareRoot(map[a]),
    }
}

/// A formula that has been read and can be evaluated.
///
/// ```
/// use scalade_cell::Formula;
/// let formula = Formula::parse("2e-5 * (c_e ** 0.5) * (c_s ** 0.5)")?;
/// assert_eq!(formula.value([0.5, 1000.0, 1000.0, 298.15]), 2e-5 * 1000.0_f64.sqrt() * 1000.0_f64.sqrt());
/// let (value, slope) = Formula::parse("tanh(2*x) - x**3")?.value_and_derivative([0.3, 0.0, 0.0, 0.0],
/// [1.0, 0.0, 0.0, 0.0]); assert!((value - (0.6_f64.tanh() - 0.027)).abs() < 1e-15); assert!((slope - (2.0 /
/// 0.6_f64.cosh().powi(2) - 0.27)).abs() < 1e-15);
/// # Ok::<(), scalade_cell::CellError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Formula {
    text: String,
    tape: Tape,
}

impl TryFrom<String> for Formula {
    type Error = CellError;

    fn try_from(text: String) -> Result<Self, CellError> {
        Self::parse(&text)
    }
}

impl From<Formula> for String {
    fn from(formula: Formula) -> Self {
        formula.text
    }
}

/// Registers of a formula's evaluation over a batch: reused, so that evaluation allocates nothing.
#[derive(Debug, Clone, Default)]
pub struct FormulaWorkspace {
    values: Vec<f64>,
    derivatives: Vec<f64>,
}

impl Formula {
    /// Reads a formula.
    ///
    /// # Errors
    /// [`CellError::Formula`] with the column of the first fault: unknown name, misplaced symbol, or a limit
    /// (20 000 bytes, 64 levels, 4 000 operations).
    pub fn parse(text: &str) -> Result<Self, CellError> {
        Ok(Self { text: text.to_owned(), tape: super::parser::parse(text, &MATERIAL_VARIABLES)? })
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a variable stands in the formula (and was not folded away, as in `0 * 2`).
    pub(crate) fn depends_on(&self, variable: super::Variable) -> bool {
        self.tape.operations.contains(&Operation::Variable(variable as usize))
    }

    /// The value, if the formula holds no variable.
    pub fn as_constant(&self) -> Option<f64> {
        match self.tape.operations.as_slice() {
            [Operation::Constant(value)] => Some(*value),
            _ => None,
        }
    }

    /// Value at one point (x, c_e, c_s, T).
    pub fn value(&self, point: [f64; 4]) -> f64 {
        self.value_and_derivative(point, [0.0; 4]).0
    }

    /// Value and directional derivative at one point: `point` and `direction` are (x, c_e, c_s, T).
    pub fn value_and_derivative(&self, point: [f64; 4], direction: [f64; 4]) -> (f64, f64) {
        let mut workspace = FormulaWorkspace::default();
        let mut value = [0.0];
        let mut derivative = [0.0];
        let [x, c_e, c_s, t] = point.map(|v| [v]);
        self.evaluate_dual([&x, &c_e, &c_s, &t], direction, &mut workspace, &mut value, &mut derivative);
        (value[0], derivative[0])
    }

    /// Values over a batch: `variables` holds x, c_e, c_s and T, each as long as `out` or of length 1 (the same
    /// everywhere).
    pub fn evaluate(&self, variables: [&[f64]; 4], workspace: &mut FormulaWorkspace, out: &mut [f64]) {
        self.tape.evaluate(&variables, workspace, out);
    }

    /// Values and directional derivatives over a batch; every point uses the same `direction` in (x, c_e, c_s, T).
    pub fn evaluate_dual(
        &self,
        variables: [&[f64]; 4],
        direction: [f64; 4],
        workspace: &mut FormulaWorkspace,
        out: &mut [f64],
        derivative_out: &mut [f64],
    ) {
        let n = out.len();
        let length = self.tape.operations.len() * n;
        self.evaluate(variables, workspace, out);
        if workspace.derivatives.len() < length {
            workspace.derivatives.resize(length, 0.0);
        }
        for (index, operation) in self.tape.operations.iter().enumerate() {
            let (before, after) = workspace.derivatives.split_at_mut(index * n);
            let values = &workspace.values;
            differentiate(*operation, direction, n, index, values, before, &mut after[..n]);
        }
        derivative_out.copy_from_slice(&workspace.derivatives[length - n..length]);
    }
}

fn unary(n: usize, before: &[f64], a: usize, out: &mut [f64], f: impl Fn(f64) -> f64) {
    for (o, u) in out.iter_mut().zip(&before[a * n..(a + 1) * n]) {
        *o = f(*u);
    }
}

fn binary(n: usize, before: &[f64], a: usize, b: usize, out: &mut [f64], f: impl Fn(f64, f64) -> f64) {
    let left = &before[a * n..(a + 1) * n];
    let right = &before[b * n..(b + 1) * n];
    for ((o, u), v) in out.iter_mut().zip(left).zip(right) {
        *o = f(*u, *v);
    }
}

fn run(operation: Operation, variables: &[&[f64]], n: usize, before: &[f64], out: &mut [f64]) {
    use Operation as O;
    match operation {
        O::Constant(value) => out.fill(value),
        O::Variable(variable) => match variables[variable] {
            [value] => out.fill(*value),
            values => out.copy_from_slice(&values[..n]),
        },
        O::Add(a, b) => binary(n, before, a, b, out, |u, v| u + v),
        O::Subtract(a, b) => binary(n, before, a, b, out, |u, v| u - v),
        O::Multiply(a, b) => binary(n, before, a, b, out, |u, v| u * v),
        O::Divide(a, b) => binary(n, before, a, b, out, |u, v| u / v),
        O::Power(a, b) => binary(n, before, a, b, out, f64::powf),
        O::Negate(a) => unary(n, before, a, out, |u| -u),
        O::PowerInteger(a, 2) => unary(n, before, a, out, |u| u * u),
        O::PowerInteger(a, 3) => unary(n, before, a, out, |u| u * u * u),
        O::PowerInteger(a, -1) => unary(n, before, a, out, |u| 1.0 / u),
        O::PowerInteger(a, -2) => unary(n, before, a, out, |u| 1.0 / (u * u)),
        O::PowerInteger(a, k) => unary(n, before, a, out, |u| u.powi(k)),
        O::PowerThreeHalves(a) => unary(n, before, a, out, |u| u * u.sqrt()),
        O::Scale(a, s) => unary(n, before, a, out, |u| s * u),
        O::Shift(a, s) => unary(n, before, a, out, |u| u + s),
        O::Exponential(a) => unary(n, before, a, out, f64::exp),
        O::HyperbolicTangent(a) => unary(n, before, a, out, hyperbolic_tangent),
        O::HyperbolicCosine(a) => unary(n, before, a, out, hyperbolic_cosine),
        O::HyperbolicSine(a) => unary(n, before, a, out, f64::sinh),
        O::Logarithm(a) => unary(n, before, a, out, f64::ln),
        O::SquareRoot(a) => unary(n, before, a, out, f64::sqrt),
    }
}

/// tanh by one exponential where that is accurate to rounding (the library's needs twice the time), by its
/// continued fraction 1/(1/u + 1/(3/u + 1/(5/u + ... 1/(15/u)))) (Abramowitz and Stegun 4.5.70) below 1/2, exactly
/// +-1 beyond 20.
fn hyperbolic_tangent(u: f64) -> f64 {
    let size = u.abs();
    if size < 0.5 || size.is_nan() {
        // As u minus a smaller term, which rounds less.
        let w = u * u;
        let above = 675675.0 + w * (45045.0 + w * (594.0 + w));
        return u - u * (w * above / (2027025.0 + w * (945945.0 + w * (51975.0 + w * (630.0 + w)))));
    }
    if size > 20.0 {
        return 1.0_f64.copysign(u);
    }
    let decay = (-2.0 * size).exp();
    ((1.0 - decay) / (1.0 + decay)).copysign(u)
}

/// cosh by one exponential where nothing overflows.
fn hyperbolic_cosine(u: f64) -> f64 {
    let size = u.abs();
    if size > 700.0 {
        return u.cosh();
    }
    let growth = size.exp();
    0.5 * (growth + 1.0 / growth)
}

/// Derivative of operation `index`; `values` are the values of all operations, `before` the derivatives of
/// the earlier ones.
fn differentiate(
    operation: Operation,
    direction: [f64; 4],
    n: usize,
    index: usize,
    values: &[f64],
    before: &[f64],
    out: &mut [f64],
) {
    use Operation as O;
    let value = |a: usize, k: usize| values[a * n + k];
    let slope = |a: usize, k: usize| before[a * n + k];
    for (k, o) in out.iter_mut().enumerate() {
        *o = match operation {
            O::Constant(_) | O::PowerInteger(_, 0) => 0.0,
            O::Variable(variable) => direction[variable],
            O::Add(a, b) => slope(a, k) + slope(b, k),
            O::Subtract(a, b) => slope(a, k) - slope(b, k),
            O::Multiply(a, b) => slope(a, k) * value(b, k) + value(a, k) * slope(b, k),
            O::Divide(a, b) => (slope(a, k) - value(index, k) * slope(b, k)) / value(b, k),
            O::Power(a, b) => {
                power_slope(value(a, k), value(b, k), value(index, k), slope(a, k), slope(b, k))
            }
            O::Negate(a) => -slope(a, k),
            O::PowerInteger(a, m) => f64::from(m) * value(a, k).powi(m - 1) * slope(a, k),
            O::PowerThreeHalves(a) => 1.5 * value(a, k).sqrt() * slope(a, k),
            O::Scale(a, s) => s * slope(a, k),
            O::Shift(a, _) => slope(a, k),
            O::Exponential(a) => value(index, k) * slope(a, k),
            O::HyperbolicTangent(a) => (1.0 - value(index, k) * value(index, k)) * slope(a, k),
            O::HyperbolicCosine(a) => value(a, k).sinh() * slope(a, k),
            O::HyperbolicSine(a) => value(a, k).cosh() * slope(a, k),
            O::Logarithm(a) => slope(a, k) / value(a, k),
            O::SquareRoot(a) => 0.5 * slope(a, k) / value(index, k),
        };
    }
}

/// d(a^b) = b a^(b-1) da + a^b ln(a) db, without 0 * inf where a direction is zero.
fn power_slope(base: f64, exponent: f64, power: f64, base_slope: f64, exponent_slope: f64) -> f64 {
    let from_base = if base_slope == 0.0 { 0.0 } else { exponent * base.powf(exponent - 1.0) * base_slope };
    let from_exponent = if exponent_slope == 0.0 { 0.0 } else { power * base.ln() * exponent_slope };
    from_base + from_exponent
}

#[cfg(test)]
mod tests {
    use super::{hyperbolic_cosine, hyperbolic_tangent};

    #[test]
    fn hyperbolic_functions_are_accurate_to_rounding() {
        for i in -30000..=30000 {
            let u = f64::from(i) * 0.001;
            assert!((hyperbolic_tangent(u) - u.tanh()).abs() <= 2.0 * f64::EPSILON * u.tanh().abs(), "{u}");
            assert!((hyperbolic_cosine(u) - u.cosh()).abs() <= 2.0 * f64::EPSILON * u.cosh(), "{u}");
        }
        assert!(hyperbolic_tangent(f64::NAN).is_nan() && hyperbolic_cosine(f64::NAN).is_nan());
        assert_eq!([hyperbolic_tangent(0.0), hyperbolic_tangent(1e-300)], [0.0, 1e-300]);
        assert_eq!([hyperbolic_cosine(-710.0), hyperbolic_cosine(1e3)], [710.0_f64.cosh(), f64::INFINITY]);
    }
}
