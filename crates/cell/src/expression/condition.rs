//! Conditions that end a protocol step.

use super::parser;
use super::tape::{FormulaWorkspace, Tape};
use crate::error::CellError;
use serde::{Deserialize, Serialize};

/// Names of the variables of a condition, in the order of [`Condition::value`].
const CONDITION_VARIABLES: [&str; 5] = ["V", "I", "T", "t", "Q"];

/// A condition on what a cycler sees: a formula that ends a step when it falls to 0, or a comparison
/// (`<`, `<=`, `>`, `>=`) of two formulas. Variables are `V` (voltage, V), `I` (current, A, discharge positive),
/// `T` (temperature, K), `t` (time since the step began, s) and `Q` (charge drawn since the step began, A h,
/// negative when charging); operators, functions and limits are those of [`crate::Formula`].
///
/// ```
/// use scalade_cell::Condition;
/// // The voltage without the drop over 50 mohm falls to 3 V.
/// let condition = Condition::parse("V + 0.05 * I < 3")?;
/// assert!((condition.value([3.1, 2.0, 298.15, 60.0, 0.1]) - 0.2).abs() < 1e-12);
/// # Ok::<(), scalade_cell::CellError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Condition {
    text: String,
    /// The side that is larger while the condition is not met.
    upper: Tape,
    /// The other side of a comparison.
    lower: Option<Tape>,
}

impl TryFrom<String> for Condition {
    type Error = CellError;

    fn try_from(text: String) -> Result<Self, CellError> {
        Self::parse(&text)
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        condition.text
    }
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// [`CellError::Formula`] with the column of the first fault.
    pub fn parse(text: &str) -> Result<Self, CellError> {
        // Line ends count as spaces, so that the text fits into one line of a protocol.
        let joined = text.trim().replace(|c: char| c.is_whitespace(), " ");
        let text = joined.as_str();
        let read = |part: &str| parser::parse(part, &CONDITION_VARIABLES);
        let Some(sign) = text.find(['<', '>']) else {
            return Ok(Self { text: text.to_owned(), upper: read(text)?, lower: None });
        };
        let right_start = sign + if text[sign + 1..].starts_with('=') { 2 } else { 1 };
        let left = read(&text[..sign]).map_err(|error| within(error, text, 0))?;
        let shift = text[..right_start].chars().count();
        let right = read(&text[right_start..]).map_err(|error| within(error, text, shift))?;
        let (upper, lower) = if text[sign..].starts_with('<') { (left, right) } else { (right, left) };
        Ok(Self { text: text.to_owned(), upper, lower: Some(lower) })
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How far the condition is from being met at (V, I, T, t, Q): it is met when this is not positive. NaN
    /// where a formula has no value.
    pub fn value(&self, point: [f64; 5]) -> f64 {
        let variables = point.each_ref().map(std::slice::from_ref);
        let mut workspace = FormulaWorkspace::default();
        let mut evaluate = |tape: &Tape| {
            let mut out = [0.0];
            tape.evaluate(&variables, &mut workspace, &mut out);
            out[0]
        };
        evaluate(&self.upper) - self.lower.as_ref().map_or(0.0, evaluate)
    }
}

/// A fault in one side of a comparison, told as one of the whole text.
fn within(error: CellError, whole: &str, shift: usize) -> CellError {
    match error {
        CellError::Formula { column, message, .. } => CellError::Formula {
            column: column + shift,
            message,
            source_text: whole.chars().take(160).collect(),
        },
        other => other,
    }
}
