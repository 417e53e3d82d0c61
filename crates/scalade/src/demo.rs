//! The bundled study: LiCoO2 from orderings and hop barriers to a cell.

use crate::error::ScaladeError;
use crate::runner::write_atomic;
use std::path::{Path, PathBuf};

/// Files of a template, by their path within the study's folder.
type Template = &'static [(&'static str, &'static [u8])];

const LICOO2: Template = &[
    ("study.toml", include_bytes!("../../../data/licoo2/study.toml")),
    ("data/orderings.extxyz", include_bytes!("../../../data/licoo2/orderings.extxyz")),
    ("data/barriers.csv", include_bytes!("../../../data/licoo2/barriers.csv")),
    ("data/references.json", include_bytes!("../../../data/licoo2/references.json")),
    ("data/README.md", include_bytes!("../../../data/licoo2/README.md")),
];

const CELL: Template = &[("study.toml", include_bytes!("../../../data/cell/study.toml"))];

/// Names of the templates.
pub const TEMPLATES: [&str; 2] = ["licoo2", "cell"];

fn template(name: &str) -> Result<Template, ScaladeError> {
    match name {
        "licoo2" => Ok(LICOO2),
        "cell" => Ok(CELL),
        _ => Err(ScaladeError::input(format!(
            "unknown template \"{name}\"; there are {}",
            TEMPLATES.join(", ")
        ))),
    }
}

fn create_folder(path: &Path) -> Result<(), ScaladeError> {
    std::fs::create_dir_all(path)
        .map_err(|e| ScaladeError::input(format!("cannot create the folder {}: {e}", path.display())))
}

fn write_template(folder: &Path, files: Template) -> Result<PathBuf, ScaladeError> {
    for (name, bytes) in files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            create_folder(parent)?;
        }
        if std::fs::read(&path).is_ok_and(|present| present == *bytes) {
            continue;
        }
        write_atomic(&path, bytes)?;
    }
    Ok(folder.join("study.toml"))
}

/// Writes a template into a folder that holds no study yet; returns the path of the study file.
pub fn new_study(folder: &Path, from: &str) -> Result<PathBuf, ScaladeError> {
    let files = template(from)?;
    let study = folder.join("study.toml");
    if study.exists() {
        let message = format!("{} exists; choose another folder, or edit that study", study.display());
        return Err(ScaladeError::input(message));
    }
    write_template(folder, files)
}

/// Puts the bundled LiCoO2 study into a folder (or finds it there) and returns the path of the study file. Files that were edited are not
/// overwritten: that study is the user's now.
pub fn prepare(folder: &Path) -> Result<PathBuf, ScaladeError> {
    for (name, bytes) in LICOO2 {
        let path = folder.join(name);
        match std::fs::read(&path) {
            Ok(present) if present != *bytes => {
                return Err(ScaladeError::input(format!(
                    "{} was edited; run it with `scalade run {}`, or give the demo another folder with --out",
                    path.display(),
                    folder.join("study.toml").display()
                )));
            }
            _ => {}
        }
    }
    write_template(folder, LICOO2)
}
