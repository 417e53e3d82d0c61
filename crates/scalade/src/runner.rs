//! Studies on disk: where their results lie, and what a run writes beside them.

use crate::error::ScaladeError;
use crate::headline::{Headline, headlines};
use crate::{kinds, report_content};
use scalade_study::{Diagnostics, Plan, Registry, RunError, RunOptions, RunRecord, Store, Study, StudyError};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Folder of cached results beside a study file.
pub const STORE_FOLDER: &str = ".scalade";
/// File with the results of a run beside a study file.
pub const RESULT_FILE: &str = "result.json";
/// File with the report beside a study file.
pub const REPORT_FILE: &str = "report.html";

/// Why a study gave no result.
#[derive(Debug)]
pub enum Failure {
    /// The study file has problems (exit code 2).
    Study(Box<Diagnostics>),
    /// Steps failed; what finished is kept.
    Run(Box<RunError>),
    /// A run that ended before it converged, with what it found (exit code 3).
    Partial {
        /// The result so far.
        document: Box<Value>,
        /// What is missing.
        message: String,
    },
    /// An input that was looked through and is not acceptable, with what was found (exit code 2).
    Refused {
        /// What was found.
        document: Box<Value>,
        /// The same for a terminal.
        text: String,
        /// The verdict.
        message: String,
    },
    /// Anything else.
    Other(ScaladeError),
}

impl Failure {
    /// Exit code of a command that ends with this failure.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Study(_) | Self::Refused { .. } => 2,
            Self::Run(error) => error.exit_code(),
            Self::Partial { .. } => 3,
            Self::Other(error) => error.exit_code(),
        }
    }

    /// What to show, with colours if they are welcome.
    pub fn render(&self, colours: bool) -> String {
        match self {
            Self::Study(diagnostics) => diagnostics.render(colours),
            Self::Run(error) => format!("error: {error}"),
            Self::Partial { message, .. } | Self::Refused { message, .. } => format!("error: {message}"),
            Self::Other(error) => format!("error: {error}"),
        }
    }

    /// The partial result, if there is one.
    pub fn partial(&self) -> Option<&Value> {
        match self {
            Self::Partial { document, .. } => Some(document),
            _ => None,
        }
    }

    /// What goes to stdout for a terminal: a partial result, or what was found in an input.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Partial { document, .. } => Some(crate::document_text::as_text(document)),
            Self::Refused { text, .. } => Some(text.clone()),
            _ => None,
        }
    }

    /// The same as a JSON document.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Study(diagnostics) => json!({ "error": "study", "diagnostics": diagnostics.to_json() }),
            Self::Partial { document, .. } | Self::Refused { document, .. } => (**document).clone(),
            other => json!({ "error": "run", "message": other.render(false) }),
        }
    }
}

impl From<ScaladeError> for Failure {
    fn from(error: ScaladeError) -> Self {
        Self::Other(error)
    }
}

impl From<StudyError> for Failure {
    fn from(error: StudyError) -> Self {
        Self::Other(match error {
            StudyError::UnknownQuantity { .. } | StudyError::Busy { .. } => {
                ScaladeError::input(error.to_string())
            }
            other => ScaladeError::internal(other.to_string()),
        })
    }
}

/// A study file with the registry of kinds.
#[derive(Debug)]
pub struct Workspace {
    /// The checked study.
    pub study: Study,
    folder: PathBuf,
}

/// The registry of all kinds; a defect of the program if it contradicts itself.
pub fn registry() -> Result<Registry, ScaladeError> {
    kinds::registry().map_err(|e| ScaladeError::internal(e.to_string()))
}

impl Workspace {
    /// Loads and checks a study file.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let study = Study::load(path, &registry()?).map_err(|d| Failure::Study(Box::new(d)))?;
        let folder = match path.parent() {
            Some(parent) if parent != Path::new("") => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        Ok(Self { study, folder })
    }

    /// Folder of the study file.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn store(&self) -> Result<Store, Failure> {
        Ok(Store::open(&self.folder.join(STORE_FOLDER))?)
    }

    /// What would run, and why.
    pub fn plan(&self) -> Result<Plan, Failure> {
        Ok(self.study.plan(&self.store()?)?)
    }

    /// Runs what is not in the store, then writes `result.json` and `report.html` beside the study.
    pub fn run(&self, options: &RunOptions<'_>) -> Result<Finished, Failure> {
        let record = self.study.run(&self.store()?, options).map_err(|e| Failure::Run(Box::new(e)))?;
        let finished = Finished::new(record);
        write_atomic(&self.folder.join(RESULT_FILE), pretty(&finished.document)?.as_bytes())?;
        write_atomic(&self.folder.join(REPORT_FILE), report_content::render(&finished.record)?.as_bytes())?;
        Ok(finished)
    }

    /// The record of a finished run from the store; computes nothing.
    pub fn finished(&self) -> Result<Finished, Failure> {
        let waiting = self.plan()?;
        if let Some(step) = waiting.steps.iter().find(|s| !s.cached) {
            let message = format!("the step {} has no result yet; run the study first", step.name);
            return Err(ScaladeError::input(message).into());
        }
        let record =
            self.study.run(&self.store()?, &RunOptions::default()).map_err(|e| Failure::Run(Box::new(e)))?;
        Ok(Finished::new(record))
    }
}

/// A finished run.
#[derive(Debug)]
pub struct Finished {
    /// Its record.
    pub record: RunRecord,
    /// The headline numbers.
    pub headline: Vec<Headline>,
    /// What `result.json` holds.
    pub document: Value,
}

impl Finished {
    fn new(record: RunRecord) -> Self {
        let headline = headlines(&record);
        let mut steps = serde_json::Map::new();
        for (name, step) in &record.steps {
            let numbers: serde_json::Map<String, Value> = step
                .outputs
                .iter()
                .filter(|(_, output)| output.type_name != "plain")
                .map(|(key, output)| {
                    let t = &output.tracked;
                    let value = if output.type_name == "number" { t.value.clone() } else { Value::Null };
                    let entry = json!({
                        "type": output.type_name, "value": value, "unit": t.unit,
                        "std_error": t.uncertainty.standard(), "provenance": t.provenance.to_string(),
                        "scale": t.scale, "sealed": t.sealed,
                    });
                    (key.clone(), entry)
                })
                .collect();
            steps.insert(
                name.clone(),
                json!({
                    "kind": step.kind, "revision": step.revision, "key": step.key, "outputs": numbers,
                    "warnings": step.warnings, "retuned": step.retuned,
                }),
            );
        }
        let document = json!({
            "study": record.study,
            "title": record.title,
            "seed": record.seed,
            "version": env!("CARGO_PKG_VERSION"),
            "constants": format!("CODATA {}", scalade_units::constants::CODATA_YEAR),
            "headline": headline,
            "steps": steps,
            "result_hash": record.result_hash,
        });
        Self { record, headline, document }
    }
}

fn pretty(document: &Value) -> Result<String, ScaladeError> {
    let text = serde_json::to_string_pretty(document).map_err(|e| ScaladeError::internal(e.to_string()))?;
    Ok(text + "\n")
}

/// Writes a file as a whole or not at all: a temporary file beside it, synchronised, then renamed over it.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), ScaladeError> {
    let failed = |e: std::io::Error| ScaladeError::internal(format!("cannot write {}: {e}", path.display()));
    let temporary = path.with_extension(format!("tmp{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(|e| {
        // The temporary file is of no use to anyone; that it could not be removed either is not worth a second message.
        let _ = std::fs::remove_file(&temporary);
        failed(e)
    })
}
