//! Structures to a file, so that a process that is killed at any moment can be gone on with to the same bytes.
//!
//! Beside FILE, FILE.partial takes the structures and FILE.cursor says how many bytes of it are good and where the stream goes on. The cursor
//! is replaced only after the bytes that it counts are on disk, FILE.partial is renamed only after a cursor that says it is finished.

use super::{input, refused};
use crate::error::ScaladeError;
use crate::ordering_files::without_vacancies;
use crate::runner::write_atomic;
use scalade_crystal::enumeration::{Cursor, DerivativeStructure, DerivativeStructures, StructureStream};
use scalade_formats::{Frame, InfoValue, write_extxyz};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const FORMAT: &str = "scalade-enumeration-cursor";
const VERSION: u32 = 1;

/// Bytes after which the file is brought to disk and the cursor is moved.
const BLOCK_BYTES: usize = 1 << 20;

/// Where an interrupted writing stands.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Checkpoint {
    format: String,
    version: u32,
    /// What is enumerated; a cursor of another request is of no use.
    request: Value,
    cursor: Cursor,
    progress: Progress,
    finished: bool,
}

/// What is written so far.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    bytes: u64,
    /// Structures in the file.
    pub(super) written: u64,
    /// Structures of nothing but vacancies, which a file cannot hold.
    pub(super) without_atoms: u64,
}

/// The paths beside the file.
struct Paths {
    out: PathBuf,
    partial: PathBuf,
    cursor: PathBuf,
}

impl Paths {
    fn new(out: &Path) -> Result<Self, ScaladeError> {
        let name = out.file_name().ok_or_else(|| input(format!("--out: {} names no file", out.display())))?;
        if !out.extension().is_some_and(|e| e.eq_ignore_ascii_case("extxyz") || e.eq_ignore_ascii_case("xyz"))
        {
            return Err(input(format!("--out: {} must end with .extxyz or .xyz", out.display())));
        }
        let beside = |ending: &str| {
            let mut name = name.to_os_string();
            name.push(ending);
            out.with_file_name(name)
        };
        Ok(Self { out: out.to_path_buf(), partial: beside(".partial"), cursor: beside(".cursor") })
    }
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> ScaladeError + use<'_> {
    move |e| {
        ScaladeError::internal(format!(
            "cannot write {}: {e}; --resume goes on once that is mended",
            path.display()
        ))
    }
}

/// All that the stream of structures follows from.
fn identity(structures: &DerivativeStructures, sizes: [usize; 2]) -> Value {
    let parent = structures.parent();
    let allowed: Vec<&[usize]> = (0..parent.sites().len()).map(|b| parent.allowed(b)).collect();
    json!({
        "lattice_angstrom": parent.lattice_angstrom(), "sites": parent.sites(), "species": parent.species(), "allowed": allowed,
        "dimensions": parent.dimensions(), "operations": parent.operation_count(), "limits": structures.limits(), "sizes": sizes,
    })
}

fn read_checkpoint(paths: &Paths, request: &Value) -> Result<Option<Checkpoint>, ScaladeError> {
    if !paths.cursor.exists() {
        return Ok(None);
    }
    let text = crate::orderings::read_text(&paths.cursor)?;
    let name = paths.cursor.display();
    let again = "start again without --resume";
    let found: Checkpoint =
        serde_json::from_str(&text).map_err(|e| input(format!("{name} is no cursor ({e}); {again}")))?;
    if found.format != FORMAT || found.version != VERSION {
        return Err(input(format!("{name} is no cursor of this version; {again}")));
    }
    if found.request != *request {
        return Err(input(format!("{name} belongs to another request; repeat that one, or {again}")));
    }
    Ok(Some(found))
}

/// Opens the partial file for this process alone.
fn open_partial(paths: &Paths) -> Result<File, ScaladeError> {
    let name = paths.partial.display();
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&paths.partial);
    let file = file.map_err(|e| input(format!("cannot write {name}: {e}; choose another --out")))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            Err(input(format!("another process writes {name}; wait for it or choose another --out")))
        }
        // File systems without locks: two writers at once are then the user's to avoid.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// Cuts the partial file to the bytes that the cursor counts.
fn cut(file: &mut File, paths: &Paths, bytes: u64) -> Result<(), ScaladeError> {
    let name = paths.partial.display();
    let length = file.metadata().map_err(failed(&paths.partial))?.len();
    if length < bytes {
        return Err(input(format!(
            "{name} has {length} bytes where its cursor counts {bytes}; start again without --resume"
        )));
    }
    file.set_len(bytes).and_then(|()| file.seek(SeekFrom::End(0))).map_err(failed(&paths.partial))?;
    Ok(())
}

/// A structure as text; none if nothing is left of it without its vacancies.
fn frame_text(
    structures: &DerivativeStructures,
    found: &DerivativeStructure,
) -> Result<Option<String>, ScaladeError> {
    let structure = structures.structure(found).map_err(|e| refused(&e))?;
    let mut frame = without_vacancies(&Frame::from_structure(&structure));
    if frame.species.is_empty() {
        return Ok(None);
    }
    let id = format!("n{}-l{}-c{}", found.size, found.superlattice, found.colouring);
    let equivalent = found.equivalent_colourings * found.equivalent_superlattices;
    frame.info.insert("id".into(), InfoValue::Text(id));
    frame.info.insert("size".into(), InfoValue::Int(found.size as i64));
    let rows = found.hermite.iter().map(|row| InfoValue::Ints(row.to_vec())).collect();
    frame.info.insert("hermite".into(), InfoValue::Rows(rows));
    frame.info.insert("equivalent".into(), InfoValue::Int(equivalent as i64));
    write_extxyz(&[frame]).map(Some).map_err(|e| input(e.to_string()))
}

/// Writes the structures of a stream from its start; with `resume` from where an interrupted writing of the same stream stands.
pub(super) fn write(
    structures: &DerivativeStructures,
    stream: StructureStream,
    resume: bool,
    out: &Path,
) -> Result<Progress, ScaladeError> {
    let paths = Paths::new(out)?;
    let request = identity(structures, [*stream.sizes().start(), *stream.sizes().end()]);
    let checkpoint = if resume { read_checkpoint(&paths, &request)? } else { None };
    let mut stream = stream;
    let mut progress = Progress::default();
    if let Some(checkpoint) = checkpoint {
        progress = checkpoint.progress;
        // Renamed, but the cursor could not be removed any more.
        if checkpoint.finished && !paths.partial.exists() && paths.out.exists() {
            std::fs::remove_file(&paths.cursor).map_err(failed(&paths.cursor))?;
            return Ok(progress);
        }
        stream = structures.resume(stream.sizes(), checkpoint.cursor).map_err(|e| refused(&e))?;
    }
    let mut file = open_partial(&paths)?;
    if progress.bytes == 0 && paths.cursor.exists() {
        // A cursor of an earlier writing counts bytes that are about to go.
        std::fs::remove_file(&paths.cursor).map_err(failed(&paths.cursor))?;
    }
    cut(&mut file, &paths, progress.bytes)?;
    let mut buffer = String::new();
    loop {
        let found = stream.next().transpose().map_err(|e| refused(&e))?;
        if let Some(found) = &found {
            if let Some(text) = frame_text(structures, found)? {
                buffer.push_str(&text);
                progress.written += 1;
            } else {
                progress.without_atoms += 1;
            }
        }
        if found.is_none() || buffer.len() >= BLOCK_BYTES {
            file.write_all(buffer.as_bytes())
                .and_then(|()| file.sync_data())
                .map_err(failed(&paths.partial))?;
            progress.bytes += buffer.len() as u64;
            buffer.clear();
            let checkpoint = Checkpoint {
                format: FORMAT.into(),
                version: VERSION,
                request: request.clone(),
                cursor: stream.cursor(),
                progress,
                finished: found.is_none(),
            };
            let text = serde_json::to_string_pretty(&checkpoint)
                .map_err(|e| ScaladeError::internal(e.to_string()))?;
            write_atomic(&paths.cursor, text.as_bytes())?;
        }
        if found.is_none() {
            break;
        }
    }
    std::fs::rename(&paths.partial, &paths.out).map_err(failed(&paths.out))?;
    std::fs::remove_file(&paths.cursor).map_err(failed(&paths.cursor))?;
    Ok(progress)
}
