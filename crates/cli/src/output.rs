//! Writing to stdout and stderr without a panic on a closed pipe.

use serde_json::Value;
use std::io::{self, Write};

/// What a command prints.
#[derive(Debug, Default)]
pub struct Output {
    /// The JSON document for `--json`.
    pub json: Value,
    /// The text without `--json`.
    pub text: String,
}

/// Prints the document or the text; a reader that has gone away (`| head`) is no error.
pub fn print(output: &Output, as_json: bool) -> io::Result<()> {
    let mut text = if as_json {
        serde_json::to_string_pretty(&output.json).map_err(io::Error::other)?
    } else {
        output.text.clone()
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Says something on stderr.
pub fn say(text: &str) {
    // Nowhere is left to report that stderr is closed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
