//! The real binary, called from tests.

#![allow(clippy::unwrap_used, dead_code, reason = "a test uses what it needs, and fails with it")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub fn scalade(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_scalade")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// The document of a command that must succeed; `--json` is added.
pub fn document(arguments: &[&str]) -> Value {
    let done = scalade(&[arguments, &["--json"]].concat());
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// Exit code 2 and a message with every one of `words`.
pub fn refused(arguments: &[&str], words: &[&str]) {
    let done = scalade(arguments);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(2), "{arguments:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?} does not say {word:?}:\n{said}");
    }
}

/// A file of the bundled LiCoO2 data.
pub fn data(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/licoo2").join(name).to_string_lossy().into_owned()
}

/// A folder of its own for a test.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn path(&self, name: &str) -> String {
        self.at(name).to_string_lossy().into_owned()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.at(name), text).unwrap();
        self.path(name)
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.at(name)).unwrap()).unwrap()
    }
}
