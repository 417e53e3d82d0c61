//! `scalade bpx`: parameter files of cells.

use crate::arguments::Common;
use crate::output::{Output, say};
use clap::{Args, Subcommand};
use scalade::rungs_bpx::{self, Conversion, Target};
use scalade::runner::Failure;
use std::path::PathBuf;

/// Options of reading a BPX file.
#[derive(Clone, Copy, Debug, Args)]
pub struct Reading {
    /// Take rate constants of files of version 0.1 and 0.2 as their text has it, j = j0 sinh(F eta/2RT), instead of 2 j0 sinh as since 0.3.
    #[arg(long)]
    pub old_rates: bool,
}

/// What to do with parameter files.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Everything that is wrong with a BPX file, with place and advice; exit code 2 if there are errors.
    Check {
        /// The BPX file.
        file: PathBuf,
        #[command(flatten)]
        reading: Reading,
        #[command(flatten)]
        common: Common,
    },
    /// Convert a BPX file of any version, a native parameter file or a bundled set to BPX 1.1, a PyBaMM script or a native parameter file.
    Convert {
        /// File to read (BPX or native JSON), or the name of a bundled set.
        input: PathBuf,
        /// File to write: .json (BPX), .py (PyBaMM), .scalade.json (native).
        output: PathBuf,
        /// What to write, if the name of the file does not tell it.
        #[arg(long, value_parser = Target::NAMES)]
        to: Option<String>,
        /// Start the cell at this state of charge, from 0 to 1, instead of where the input starts it.
        #[arg(long)]
        state_of_charge: Option<f64>,
        #[command(flatten)]
        reading: Reading,
        #[command(flatten)]
        common: Common,
    },
    /// The parameter sets that come with the program, with their papers.
    Sets {
        #[command(flatten)]
        common: Common,
    },
}

impl Action {
    /// The options that every command takes.
    pub fn common(&self) -> &Common {
        match self {
            Self::Check { common, .. } | Self::Convert { common, .. } | Self::Sets { common } => common,
        }
    }
}

/// Runs one of them.
pub fn run(action: &Action) -> Result<Output, Failure> {
    match action {
        Action::Check { file, reading, .. } => {
            let (json, text) = rungs_bpx::check(file, reading.old_rates)?;
            Ok(Output { json, text })
        }
        Action::Convert { input, output, to, state_of_charge, reading, .. } => {
            let conversion = Conversion {
                input,
                output,
                to: to.as_deref(),
                state_of_charge: *state_of_charge,
                old_rates: reading.old_rates,
            };
            let document = rungs_bpx::convert(&conversion)?;
            for warning in document["warnings"].as_array().into_iter().flatten() {
                let part = |key: &str| warning[key].as_str().unwrap_or_default();
                say(&format!("warning[{}] {}: {}", part("name"), part("path"), part("message")));
            }
            let text =
                format!("wrote {} ({})", output.display(), document["format"].as_str().unwrap_or_default());
            Ok(Output { json: document, text })
        }
        Action::Sets { .. } => {
            let json = rungs_bpx::sets()?;
            Ok(Output { text: scalade::document_text::as_text(&json), json })
        }
    }
}
