//! Structures with energies from several files and folders.

use crate::error::ScaladeError;
use crate::orderings::Orderings;
use scalade_energetics::is_vacancy;
use scalade_formats::{FileFormat, Frame, InfoValue, StructureFormat, read_structures_bytes};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// How far into a file of a folder its marks are looked for, bytes.
const MARKS_WITHIN: usize = 65_536;

impl Orderings {
    /// Reads files, each in the format that its name or content tells, in the order given. Of a folder, the files with known names in it and in its
    /// folders are read, sorted: `vasprun*`, `*.extxyz`, `*.pwo`, `*.out` that pw.x wrote, `*.db` of ASE, and `*.json` of ASE, of pymatgen or of
    /// `scalade convert`.
    /// A file that is named twice is read once. One file alone is read as [`Orderings::read`] does; of several, frames without a name are called by
    /// their file.
    pub fn read_files(paths: &[PathBuf], working_ion: &str, energy_key: &str) -> Result<Self, ScaladeError> {
        let mut seen = BTreeSet::new();
        let mut files = Vec::new();
        for path in paths {
            let found = if path.is_dir() { files_of_folder(path)? } else { vec![path.clone()] };
            files.extend(found.into_iter().filter(|file| seen.insert(file.clone())));
        }
        let mut all = Self {
            frames: Vec::new(),
            working_ion: working_ion.to_string(),
            energy_key: energy_key.to_string(),
            formats: BTreeMap::new(),
        };
        for path in &files {
            let name = path.display().to_string();
            let bytes = read_bytes(path)?;
            let mut read = Self::read(&bytes, &name, working_ion, energy_key)?;
            if files.len() > 1 {
                name_frames(&mut read, &name);
            }
            all.frames.append(&mut read.frames);
            all.formats.append(&mut read.formats);
        }
        Ok(all)
    }
}

/// The format of structures that the name of a file tells.
pub(crate) fn structure_format(name: &str) -> Result<FileFormat, ScaladeError> {
    FileFormat::of_path(name, None).filter(|f| !f.is_table()).ok_or_else(|| {
        ScaladeError::input(format!(
            "the name {name} tells no format of structures; use .extxyz or .xyz, POSCAR, .poscar or .vasp, .cif, .json, .db, vasprun.xml, .pwo (pw.x)"
        ))
    })
}

/// The first structure of a file, whose name tells the format.
pub(crate) fn first_structure(path: &Path) -> Result<scalade_crystal::Structure, ScaladeError> {
    let name = path.display().to_string();
    // A name that tells no format is wrong whether the file exists or not.
    structure_format(&name)?;
    structure_in(&read_bytes(path)?, &name)
}

/// The first structure in the bytes of a file, whose name tells the format.
pub(crate) fn structure_in(bytes: &[u8], name: &str) -> Result<scalade_crystal::Structure, ScaladeError> {
    structure_format(name)?;
    let bad = |e: scalade_formats::FormatError| ScaladeError::input(e.to_string());
    let frames = read_structures_bytes(bytes, name).map_err(bad)?;
    let first = frames.first().ok_or_else(|| ScaladeError::input(format!("{name} holds no structure")))?;
    first.structure().map_err(bad)
}

/// The frame without its vacant sites, which are no atoms. Properties of atoms are left off.
pub(crate) fn without_vacancies(frame: &Frame) -> Frame {
    let kept: Vec<usize> = (0..frame.species.len()).filter(|i| !is_vacancy(&frame.species[*i])).collect();
    let mut out = frame.clone();
    out.species = kept.iter().map(|i| frame.species[*i].clone()).collect();
    if frame.positions_angstrom.len() == frame.species.len() {
        out.positions_angstrom = kept.iter().map(|i| frame.positions_angstrom[*i]).collect();
    }
    out.arrays.clear();
    out
}

/// Reads a whole file; a missing one is bad input.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, ScaladeError> {
    std::fs::read(path).map_err(|e| ScaladeError::input(format!("cannot read {}: {e}", path.display())))
}

/// Calls frames that have no name of their own by their file.
fn name_frames(orderings: &mut Orderings, file: &str) {
    let alone = orderings.frames.len() == 1;
    for frame in &mut orderings.frames {
        let named = ["id", "name", "label"]
            .iter()
            .any(|key| matches!(frame.info.get(*key), Some(InfoValue::Text(_) | InfoValue::Int(_))));
        if !named {
            let id = if alone { file.to_string() } else { format!("{file} (frame {})", frame.index) };
            frame.info.insert("id".into(), InfoValue::Text(id));
        }
    }
}

/// Files of structures with energies in a folder and in its folders, sorted.
fn files_of_folder(folder: &Path) -> Result<Vec<PathBuf>, ScaladeError> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        if !path.is_dir() {
            found.push(path);
            continue;
        }
        // Folders below are not entered: what is there belongs to another set.
        found.extend(entries(&path)?.into_iter().filter(|inner| inner.is_file()));
    }
    found.retain(|path| is_known(path));
    found.sort();
    if found.is_empty() {
        return Err(ScaladeError::input(format!(
            "{}: no file of structures with energies is in this folder or in the folders directly below; looked for vasprun.xml, *.extxyz, *.pwo, *.out of pw.x, *.db of ASE, *.json of ASE or pymatgen; name the files themselves",
            folder.display()
        )));
    }
    Ok(found)
}

/// What a folder holds, without hidden names.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, ScaladeError> {
    let failed = |e: std::io::Error| ScaladeError::input(format!("cannot read {}: {e}", folder.display()));
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            out.push(entry.path());
        }
    }
    Ok(out)
}

fn is_known(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("").to_ascii_lowercase();
    match ending.as_str() {
        "extxyz" | "pwo" => true,
        "xml" => name.starts_with("vasprun"),
        "db" => beginning(path).starts_with("SQLite format 3\0"),
        "out" => StructureFormat::of_content(&beginning(path)) == Some(StructureFormat::Espresso),
        "json" => {
            let text = beginning(path);
            ["\"@class\"", "\"__ndarray__\"", "\"key_value_pairs\"", "\"scalade-frames\""]
                .iter()
                .any(|mark| text.contains(mark))
        }
        _ => false,
    }
}

/// The first part of a file; empty where it cannot be read.
fn beginning(path: &Path) -> String {
    use std::io::Read;
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).map(|file| file.take(MARKS_WITHIN as u64).read_to_end(&mut bytes));
    match read {
        Ok(Ok(_)) => String::from_utf8_lossy(&bytes).trim_end_matches('\u{fffd}').to_string(),
        _ => String::new(),
    }
}
