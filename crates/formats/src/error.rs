//! What can be wrong with a file.

use scalade_crystal::CrystalError;
use std::fmt;
use thiserror::Error;

/// Where in a file: everything is counted from 1; columns count characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Name of the file, as the caller gave it.
    pub file: String,
    /// Line.
    pub line: Option<usize>,
    /// Column, in characters.
    pub column: Option<usize>,
    /// Frame of a file that holds many.
    pub frame: Option<usize>,
}

impl Place {
    /// A whole file.
    pub fn file(file: &str) -> Self {
        Self { file: file.to_string(), ..Self::default() }
    }

    /// A line of a file.
    pub fn line(file: &str, line: usize) -> Self {
        Self { line: Some(line), ..Self::file(file) }
    }

    /// The same place at a column.
    #[must_use]
    pub fn column(mut self, column: usize) -> Self {
        self.column = Some(column);
        self
    }

    /// The same place in a frame.
    #[must_use]
    pub fn frame(mut self, frame: usize) -> Self {
        self.frame = Some(frame);
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        if let Some(frame) = self.frame {
            write!(f, " (frame {frame})")?;
        }
        Ok(())
    }
}

/// Why a file cannot be read, or something cannot be written.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Nothing in the file.
    #[error("{place}: the file is empty; expected {wanted}")]
    Empty {
        /// Where.
        place: Box<Place>,
        /// The format expected.
        wanted: &'static str,
    },
    /// A file of another format.
    #[error("{place}: this looks like {looks_like}, not {wanted}; {way_out}")]
    WrongFormat {
        /// Where.
        place: Box<Place>,
        /// The format it looks like.
        looks_like: &'static str,
        /// The format expected.
        wanted: &'static str,
        /// What to do.
        way_out: &'static str,
    },
    /// Text that breaks the grammar.
    #[error("{place}: {problem}")]
    Syntax {
        /// Where.
        place: Box<Place>,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Text that is not a finite number.
    #[error("{place}: '{text}' is not a number that can be used for {what}{hint}")]
    Number {
        /// Where.
        place: Box<Place>,
        /// What stands there.
        text: String,
        /// What the number is for.
        what: String,
        /// How to mend it; empty or beginning with a separator.
        hint: &'static str,
    },
    /// A list that is shorter or longer than announced.
    #[error("{place}: {what}: expected {expected}, found {found}")]
    Count {
        /// Where.
        place: Box<Place>,
        /// Which list.
        what: String,
        /// Entries announced.
        expected: u64,
        /// Entries found.
        found: u64,
    },
    /// Something that must be there and is not.
    #[error("{place}: {what} {}; there is: {available}", if id.is_empty() { "is missing".to_string() } else { format!("is missing in {id}") })]
    Missing {
        /// Where.
        place: Box<Place>,
        /// What is missing.
        what: String,
        /// Id of the frame or row; empty if it has none.
        id: String,
        /// What is there instead, and what to do.
        available: String,
    },
    /// A frame without a usable energy.
    #[error(
        "frame {frame} (id {id}, {}{file}) has no energy: {problem}; name the key that holds the total energy in eV, or remove the frame",
        if *line > 0 { format!("line {line} of ") } else { String::new() }
    )]
    Energy {
        /// File.
        file: String,
        /// Frame, counted from 1.
        frame: usize,
        /// Id of the frame.
        id: String,
        /// Line on which the frame begins; 0 where the format has none.
        line: usize,
        /// What was looked for and what was found.
        problem: String,
    },
    /// A number outside its range.
    #[error("{what} {value}{unit} of {id} (line {} of {}): {want}", place.line.unwrap_or(0), place.file)]
    Value {
        /// Where.
        place: Box<Place>,
        /// Id of the row or frame.
        id: String,
        /// What the number is.
        what: String,
        /// Its unit after a blank; empty for a pure number.
        unit: &'static str,
        /// The number.
        value: f64,
        /// What is admissible and what to do.
        want: String,
    },
    /// A structure that is none.
    #[error("{place}: {source}")]
    Structure {
        /// Where.
        place: Box<Place>,
        /// What is wrong.
        source: CrystalError,
    },
    /// Something that a format cannot hold.
    #[error("{what} cannot be written as {format}: {reason}")]
    Unwritable {
        /// What was to be written.
        what: String,
        /// The format.
        format: &'static str,
        /// Why not, and what to do.
        reason: String,
    },
    /// A conversion that has no meaning.
    #[error("cannot convert {from} to {to}: {reason}")]
    Conversion {
        /// Source format.
        from: &'static str,
        /// Target format.
        to: &'static str,
        /// Why not, and what to do.
        reason: String,
    },
}

impl FormatError {
    pub(crate) fn syntax(place: Place, problem: impl Into<String>) -> Self {
        Self::Syntax { place: Box::new(place), problem: problem.into() }
    }

    pub(crate) fn missing(place: Place, what: impl Into<String>, available: impl Into<String>) -> Self {
        Self::Missing {
            place: Box::new(place),
            what: what.into(),
            id: String::new(),
            available: available.into(),
        }
    }

    pub(crate) fn unwritable(
        what: impl Into<String>,
        format: &'static str,
        reason: impl Into<String>,
    ) -> Self {
        Self::Unwritable { what: what.into(), format, reason: reason.into() }
    }
}

/// The first 60 characters of a text, for error messages.
pub(crate) fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(60).is_some() {
        out.push_str("...");
    }
    out
}
