//! A Python process that computes structures one by one.

use crate::error::ScaladeError;
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

const DRIVER: &str = include_str!("driver.py");
/// Longest answer of the driver, bytes.
const LONGEST_LINE: u64 = 1 << 30;
/// Time for imports and for loading weights.
const START: Duration = Duration::from_mins(10);

/// Why there is no answer.
pub(super) enum Lost {
    /// The process ended.
    Ended,
    /// It did not answer in time and was killed.
    Late,
}

/// A running driver.
pub(super) struct Driver {
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
    /// Version of the calculator's package.
    pub version: String,
}

/// Last line that a process left in its log.
fn last_line(log: &Path) -> String {
    let text = std::fs::read(log).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
    text.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("it said nothing").to_string()
}

impl Driver {
    /// Starts Python with the settings of a run; its output goes to `log`.
    pub fn start(python: &Path, settings: &Value, log: &PathBuf) -> Result<Self, ScaladeError> {
        let cannot = |e: std::io::Error| ScaladeError::input(format!("cannot write {}: {e}", log.display()));
        let file: File = OpenOptions::new().create(true).append(true).open(log).map_err(cannot)?;
        let mut child = Command::new(python)
            .args(["-u", "-c", DRIVER, &settings.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(file))
            .spawn()
            .map_err(|e| {
                ScaladeError::input(format!(
                    "cannot start {}: {e}; name the Python that has the calculator with --python",
                    python.display()
                ))
            })?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(ScaladeError::internal("a process without pipes"));
        };
        let (send, answers) = channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(output);
            loop {
                let mut line = String::new();
                match std::io::Read::take(&mut reader, LONGEST_LINE).read_line(&mut line) {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {
                        if send.send(line).is_err() {
                            break;
                        }
                    }
                }
            }
        });
        let mut driver = Self { child, input, answers, version: String::new() };
        let Ok(hello) = driver.receive(START) else {
            return Err(ScaladeError::input(format!(
                "{} did not get as far as the calculator: {} (all of it in {})",
                python.display(),
                last_line(log),
                log.display()
            )));
        };
        if let Some(error) = hello["error"].as_str() {
            return Err(ScaladeError::input(format!(
                "the calculator could not be made in {}: {error} (all of it in {})",
                python.display(),
                log.display()
            )));
        }
        driver.version = hello["version"].as_str().unwrap_or_default().to_string();
        Ok(driver)
    }

    fn receive(&mut self, limit: Duration) -> Result<Value, Lost> {
        match self.answers.recv_timeout(limit) {
            Ok(line) => serde_json::from_str(&line).map_err(|_| Lost::Ended),
            Err(RecvTimeoutError::Timeout) => Err(Lost::Late),
            Err(RecvTimeoutError::Disconnected) => Err(Lost::Ended),
        }
    }

    /// The answer to one job.
    pub fn compute(&mut self, job: &Value, limit: Duration) -> Result<Value, Lost> {
        let sent = writeln!(self.input, "{job}").and_then(|()| self.input.flush());
        if sent.is_err() {
            return Err(Lost::Ended);
        }
        self.receive(limit)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing of it is left running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
