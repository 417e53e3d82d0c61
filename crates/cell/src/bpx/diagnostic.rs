//! What a check of a BPX file finds.

use serde::Serialize;
use std::fmt;

/// Findings beyond this number are counted, not kept.
const MOST: usize = 500;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file can be read, but something is probably not meant.
    Warning,
    /// The file cannot be used as it is.
    Error,
}

/// One finding in a BPX file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BpxDiagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Name of the kind of finding, such as `missing-key`.
    pub name: &'static str,
    /// Place as a JSON pointer (RFC 6901), such as `/Parameterisation/Cell/Electrode area [m2]`.
    pub path: String,
    /// What is wrong, with its numbers.
    pub message: String,
    /// What to do.
    pub advice: String,
}

impl fmt::Display for BpxDiagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let place = if self.path.is_empty() { "/" } else { &self.path };
        write!(f, "{severity}[{}] {place}: {}", self.name, self.message)?;
        if self.advice.is_empty() { Ok(()) } else { write!(f, "; {}", self.advice) }
    }
}

/// Findings as they are gathered.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<BpxDiagnostic>,
    more: usize,
    errors: usize,
}

impl Findings {
    fn add(&mut self, severity: Severity, name: &'static str, path: &str, message: String, advice: String) {
        self.errors += usize::from(severity == Severity::Error);
        if self.list.len() < MOST {
            self.list.push(BpxDiagnostic { severity, name, path: path.to_owned(), message, advice });
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn error(
        &mut self,
        name: &'static str,
        path: &str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(Severity::Error, name, path, message.into(), advice.into());
    }

    pub(crate) fn warning(
        &mut self,
        name: &'static str,
        path: &str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(Severity::Warning, name, path, message.into(), advice.into());
    }

    /// Whether further findings are only counted, so that advice on them is wasted.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MOST
    }

    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// The findings, errors first, otherwise in the order in which they were made.
    pub(crate) fn finish(mut self) -> Vec<BpxDiagnostic> {
        self.list.sort_by_key(|d| std::cmp::Reverse(d.severity));
        if self.more > 0 {
            self.list.push(BpxDiagnostic {
                severity: Severity::Warning,
                name: "more-findings",
                path: String::new(),
                message: format!("{} more findings are not listed", self.more),
                advice: "correct those that are".to_owned(),
            });
        }
        self.list
    }
}
