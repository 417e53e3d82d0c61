//! The errors of the cell model.

use crate::bpx::{BpxDiagnostic, Severity};

/// Everything that can go wrong when a cell model is built or solved.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CellError {
    /// A formula could not be read; `column` counts characters from 1.
    #[error("formula, column {column}: {message}\n  {source_text}\n  {caret}", caret = caret(*column))]
    Formula {
        /// Character position, from 1.
        column: usize,
        /// What is wrong and what to write instead.
        message: String,
        /// The formula (shortened if it is long).
        source_text: String,
    },
    /// A table of a property is not usable.
    #[error("table of {property}: {message}")]
    Table {
        /// Which property or table.
        property: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// A parameter is missing, not finite or outside its physical range.
    #[error("parameter '{name}'{}: {requirement}", value_of(*value))]
    Parameter {
        /// Name with unit.
        name: String,
        /// The value found (NaN if missing).
        value: f64,
        /// What is required.
        requirement: String,
    },
    /// A parameter document could not be read.
    #[error("parameter document: {0}")]
    Document(String),
    /// A BPX file cannot be used.
    #[error("BPX file: {}", listed(findings))]
    Bpx {
        /// All that was found, errors first.
        findings: Vec<BpxDiagnostic>,
    },
    /// A protocol or a solver option is not usable.
    #[error("{option} = {value}: {requirement}")]
    Option {
        /// Which option.
        option: &'static str,
        /// The value found.
        value: f64,
        /// What is required.
        requirement: &'static str,
    },
    /// A protocol is not usable, or its text could not be read.
    #[error("{}", protocol_fault(*line, *column, message, source_text))]
    Protocol {
        /// Line of the text, from 1; 0 if the fault has no place in a text.
        line: usize,
        /// Character in the line, from 1; 0 if the fault has no place in a line.
        column: usize,
        /// What is wrong and what to write instead.
        message: String,
        /// The line or the step.
        source_text: String,
    },
    /// A trace of current, power or voltage is not usable.
    #[error("trace {name}{}: {message}", line_of(*line))]
    Trace {
        /// Name of the trace or its file.
        name: String,
        /// Line of the file, from 1; 0 if the fault has no place in a file.
        line: usize,
        /// What is wrong and what to do.
        message: String,
    },
    /// No consistent potentials were found at the start of a protocol step.
    #[error(
        "no consistent potentials at t = {time_s} s: after {iterations} damped Newton iterations {variable} at node \
         {node} still changes by {residual:e}; check that the initial stoichiometries lie inside the data and that \
         the current is not extreme"
    )]
    InitialPotentials {
        /// The variable with the largest correction, or the one whose material function has no value.
        variable: &'static str,
        /// Its node, counted from the negative current collector.
        node: usize,
        /// Time at which the step starts, s.
        time_s: f64,
        /// Largest Newton correction (V, or relative for the current), or the value that has no function value.
        residual: f64,
        /// Newton iterations done.
        iterations: usize,
    },
    /// The time integrator could not go on.
    #[error(
        "time integration stopped at t = {time_s} s (step {step_s:e} s, {reason}): {variable} at node {node}, value {value:e}; \
         the protocol may drive the cell beyond what its parameters allow, otherwise loosen the tolerance or refine the mesh"
    )]
    TimeStep {
        /// What happened in the last attempt.
        reason: &'static str,
        /// The variable concerned.
        variable: &'static str,
        /// Its node, counted from the negative current collector.
        node: usize,
        /// Time reached, s.
        time_s: f64,
        /// Last step size tried, s.
        step_s: f64,
        /// Offending value or weighted correction.
        value: f64,
    },
    /// What followed the run asked it to stop.
    #[error("stopped at t = {time_s} s, as it was asked to")]
    Stopped {
        /// Time reached, s.
        time_s: f64,
    },
    /// The work limit was reached.
    #[error("{steps} time steps were not enough to go beyond t = {time_s} s; raise max_steps or loosen rtol")]
    TooManySteps {
        /// Steps taken.
        steps: usize,
        /// Time reached, s.
        time_s: f64,
    },
}

fn caret(column: usize) -> String {
    format!("{}^", " ".repeat(column.saturating_sub(1).min(200)))
}

/// A value that was found; nothing where there is none.
fn value_of(value: f64) -> String {
    if value.is_nan() { String::new() } else { format!(" = {value}") }
}

fn line_of(line: usize) -> String {
    if line == 0 { String::new() } else { format!(", line {line}") }
}

/// A fault with its place, the line it stands in and a caret below the place. Of a long line only the part
/// around the place is told.
fn protocol_fault(line: usize, column: usize, message: &str, source_text: &str) -> String {
    const BEFORE: usize = 60;
    const SHOWN: usize = 110;
    if column == 0 {
        let of = if source_text.is_empty() { String::new() } else { format!(" '{source_text}'") };
        return format!("protocol{}{of}: {message}", line_of(line));
    }
    let start = (column - 1).saturating_sub(BEFORE);
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let shown: String = source_text.chars().skip(start).take(SHOWN).map(printable).collect();
    let caret = caret(column - start);
    format!("protocol{}, column {column}: {message}\n  {shown}\n  {caret}", line_of(line))
}

/// Errors of a file, one on a line, cut after ten.
fn listed(findings: &[BpxDiagnostic]) -> String {
    let errors: Vec<String> =
        findings.iter().filter(|d| d.severity == Severity::Error).map(ToString::to_string).collect();
    let count = if errors.len() == 1 { "1 error".to_owned() } else { format!("{} errors", errors.len()) };
    let more = if errors.len() > 10 { format!("\n  and {} more", errors.len() - 10) } else { String::new() };
    let shown: Vec<String> = errors.into_iter().take(10).collect();
    format!("{count}\n  {}{more}", shown.join("\n  "))
}
