//! The file format of parameter sets: one JSON document of a version, with its sources.

use super::ParameterSet;
use crate::error::CellError;
use serde::{Deserialize, Serialize};

/// Version of the format that is written, and the only one that is read.
const VERSION: u64 = 1;
/// Longest document, bytes.
const MAX_LENGTH: usize = 64 << 20;

/// Where parameters come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellSource {
    /// The paper, data set or program, as one cites it.
    pub text: String,
    /// Digital object identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doi: Option<String>,
}

/// A file with a parameter set: JSON with the version of the format in `scalade_cell`, the `sources` of the
/// numbers, and the [`ParameterSet`] as `parameters`. Keys that are not known are refused.
///
/// ```
/// use scalade_cell::{CellDocument, ParameterSet};
/// let document = CellDocument::new(ParameterSet::chen2020()?);
/// let text = document.to_json()?;
/// assert_eq!(CellDocument::read(&text)?, document);
/// # Ok::<(), scalade_cell::CellError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellDocument {
    /// Version of the format: 1.
    scalade_cell: u64,
    /// Electrodes and cell in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chemistry: Option<String>,
    /// Where the parameters come from.
    #[serde(default)]
    pub sources: Vec<CellSource>,
    /// The parameters.
    pub parameters: ParameterSet,
}

impl CellDocument {
    /// A document of the present version, without sources.
    pub fn new(parameters: ParameterSet) -> Self {
        Self { scalade_cell: VERSION, chemistry: None, sources: Vec::new(), parameters }
    }

    /// Reads a document and checks its numbers.
    ///
    /// # Errors
    /// [`CellError::Document`] with line and column if it is not JSON, of another version, or holds a key
    /// that is unknown, missing or given twice; [`CellError::Parameter`] for a number out of its range.
    pub fn read(text: &str) -> Result<Self, CellError> {
        if text.len() > MAX_LENGTH {
            let message = format!("the file has {} bytes, the limit is {MAX_LENGTH}", text.len());
            return Err(CellError::Document(message));
        }
        let refuse = |error: serde_json::Error| CellError::Document(error.to_string());
        // The version first: keys of another version would only be called unknown.
        let version = serde_json::from_str::<VersionOnly>(text).map_err(refuse)?.scalade_cell;
        match version {
            Some(VERSION) => {}
            Some(other) => {
                let message = format!("scalade_cell is {other}; this program reads version {VERSION}");
                return Err(CellError::Document(message));
            }
            None => {
                let message = "\"scalade_cell\": 1 is missing: not a parameter set of this project";
                return Err(CellError::Document(message.to_owned()));
            }
        }
        let document: Self = serde_json::from_str(text).map_err(refuse)?;
        document.parameters.validate()?;
        Ok(document)
    }

    /// The document as JSON, ended by a line feed.
    ///
    /// # Errors
    /// [`CellError::Parameter`] if a number of the set is out of its range: such a file could not be read.
    pub fn to_json(&self) -> Result<String, CellError> {
        self.parameters.validate()?;
        let text = serde_json::to_string_pretty(self).map_err(|e| CellError::Document(e.to_string()))?;
        Ok(text + "\n")
    }
}

#[derive(Deserialize)]
struct VersionOnly {
    scalade_cell: Option<u64>,
}

impl ParameterSet {
    /// The parameters of a document in the format of [`CellDocument`].
    ///
    /// # Errors
    /// As [`CellDocument::read`].
    pub fn from_json(text: &str) -> Result<Self, CellError> {
        CellDocument::read(text).map(|document| document.parameters)
    }
}
