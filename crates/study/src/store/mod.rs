//! The store: results by content, what each step's key gave, checkpoints, the journal, and the lock.
//!
//! ```text
//! objects/ab/cdef...      one large output each, named by the BLAKE3 hash of its bytes
//! steps/<key>.json        what a step with this cache key gave: small outputs, the hashes of large ones
//! checkpoints/<key>/...   state of a step that is running, or was killed
//! journal                 what every step was when it last finished
//! tmp/                    files that are being written
//! lock                    held by the run that uses the store
//! ```
//! Every file appears whole or not at all, and is verified against its hash when read: a corrupt one counts as absent.

pub(crate) mod disk;
pub(crate) mod journal;
#[cfg(test)]
mod tests;

use crate::error::StudyError;
use crate::kind::KindSpec;
use crate::outputs::{Citation, Output};
use disk::{Disk, read_if_present};
use journal::{Journal, Memory};
use scalade_record::{ContentHash, Provenance, canonical_bytes, hash_bytes};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory of results, shared by any number of studies. Only one run at a time uses it; plans may be made any time.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    pub(crate) disk: Disk,
}

/// Outputs up to this size stand in the entry of their step: one file, one flush, one read for a small step.
const INLINE_BYTES: usize = 8 << 10;

/// What is stored of one output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// Hash of what a step that takes it can see.
    pub value: ContentHash,
    /// Hash of its object, for a large one.
    pub object: Option<ContentHash>,
    /// The output itself, for a small one.
    pub output: Option<Output>,
}

/// What a step gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Name of the step that ran; another step with the same key may take the result.
    pub step: String,
    pub kind: String,
    pub seconds: f64,
    pub outputs: BTreeMap<String, Stored>,
    pub warnings: Vec<String>,
    pub citations: Vec<Citation>,
}

/// A step's result, verified.
#[derive(Clone, Debug)]
pub(crate) struct Cached {
    pub outputs: BTreeMap<String, Arc<Output>>,
    pub hashes: BTreeMap<String, ContentHash>,
    pub seconds: f64,
    pub warnings: Vec<String>,
    pub citations: Vec<Citation>,
}

/// Outcome of looking for a key.
#[derive(Debug)]
pub(crate) enum Lookup {
    Hit(Box<Cached>),
    Miss,
    /// Something is there and is not what its hash says.
    Corrupt(String),
}

/// A locked store with its journal, for the duration of a run.
#[derive(Debug)]
pub(crate) struct Session {
    pub journal: Journal,
    pub warnings: Vec<String>,
    /// Unlocked when dropped.
    _lock: File,
}

const ENTRY_HEAD: &str = "{\"hash\":\"";
const ENTRY_MIDDLE: &str = "\",\"entry\":";
const CHECKPOINT_MAGIC: &[u8; 8] = b"SCALCHK1";

impl Store {
    /// Opens a store, creating it where there is none.
    ///
    /// # Errors
    /// The directory cannot be created or read.
    pub fn open(directory: &Path) -> Result<Self, StudyError> {
        let store = Self { root: directory.to_path_buf(), disk: Disk::default() };
        store.create_layout()?;
        Ok(store)
    }

    fn create_layout(&self) -> Result<(), StudyError> {
        for part in ["objects", "steps", "checkpoints", "tmp"] {
            self.disk.create_directory(&self.root.join(part))?;
        }
        Ok(())
    }

    /// A store on a disk that is full after some changes.
    #[cfg(test)]
    pub(crate) fn on_failing_disk(
        directory: &Path,
        faults: &Arc<disk::faults::Faults>,
    ) -> Result<Self, StudyError> {
        let disk = Disk { faults: Some(Arc::clone(faults)) };
        let store = Self { root: directory.to_path_buf(), disk };
        store.create_layout()?;
        Ok(store)
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.root
    }

    fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Locks the store for a run, removes what a killed run left half-written, and opens the journal.
    pub(crate) fn session(&self) -> Result<Session, StudyError> {
        let lock = self.lock()?;
        let temporary = self.temporary();
        let entries = std::fs::read_dir(&temporary).map_err(StudyError::io("read", &temporary))?;
        for entry in entries.flatten() {
            // A scratch file that cannot be removed does no harm.
            let _ = std::fs::remove_file(entry.path());
        }
        let path = self.root.join("journal");
        let (journal, dropped) = Journal::open(&self.disk, &path, &temporary)?;
        let mut warnings = Vec::new();
        if dropped > 0 {
            warnings.push(format!(
                "the last {dropped} bytes of the journal were cut off or damaged, and dropped"
            ));
        }
        Ok(Session { journal, warnings, _lock: lock })
    }

    /// The operating system frees the lock of a process that is gone: a stale lock file is no lock.
    fn lock(&self) -> Result<File, StudyError> {
        let path = self.root.join("lock");
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(StudyError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let holder = match file.take(32).read_to_string(&mut text) {
                    Ok(_) if text.trim().parse::<u32>().is_ok() => format!(" (process {})", text.trim()),
                    _ => String::new(),
                };
                return Err(StudyError::Busy { path: self.root.clone(), holder });
            }
            Err(TryLockError::Error(e)) => return Err(StudyError::io("lock", &path)(e)),
        }
        // The number only serves messages: a failure to write it is none of the run.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(file)
    }

    /// What the journal remembers; readable while another run appends to it.
    pub(crate) fn memory(&self) -> Result<Memory, StudyError> {
        let bytes = read_if_present(&self.root.join("journal"))?.unwrap_or_default();
        Ok(journal::replay(&bytes).0)
    }

    fn object_path(&self, hash: &ContentHash) -> PathBuf {
        let (directory, name) = hash.0.split_at(2.min(hash.0.len()));
        self.root.join("objects").join(directory).join(name)
    }

    fn entry_path(&self, key: &ContentHash) -> PathBuf {
        self.root.join("steps").join(format!("{key}.json"))
    }

    /// Stores an output, a large one as an object; an object that is there and sound is not written again.
    fn put_output(&self, output: &Output, value: ContentHash) -> Result<Stored, StudyError> {
        let bytes = canonical_bytes(output)?;
        if bytes.len() <= INLINE_BYTES {
            return Ok(Stored { value, object: None, output: Some(output.clone()) });
        }
        let hash = hash_bytes(&bytes);
        let path = self.object_path(&hash);
        if read_if_present(&path)?.is_none_or(|old| old != bytes) {
            if let Some(directory) = path.parent() {
                self.disk.create_directory(directory)?;
            }
            self.disk.write_atomic(&self.temporary(), &path, &bytes)?;
        }
        Ok(Stored { value, object: Some(hash), output: None })
    }

    /// Stores what a step gave: the outputs first, so that an entry never names an absent one.
    pub(crate) fn put(
        &self,
        key: &ContentHash,
        step: &str,
        kind: &str,
        result: &Cached,
    ) -> Result<(), StudyError> {
        let mut outputs = BTreeMap::new();
        for (name, output) in &result.outputs {
            let value = result.hashes.get(name).cloned().map_or_else(|| output.value_hash(), Ok)?;
            outputs.insert(name.clone(), self.put_output(output, value)?);
        }
        let entry = Entry {
            step: step.into(),
            kind: kind.into(),
            seconds: result.seconds,
            outputs,
            warnings: result.warnings.clone(),
            citations: result.citations.clone(),
        };
        let body = canonical_bytes(&entry)?;
        let mut bytes = format!("{ENTRY_HEAD}{}{ENTRY_MIDDLE}", hash_bytes(&body)).into_bytes();
        bytes.extend(body);
        bytes.push(b'}');
        self.disk.write_atomic(&self.temporary(), &self.entry_path(key), &bytes)
    }

    /// Looks for the result of a key and verifies every byte of it. `step` of kind `spec` is who asks.
    pub(crate) fn get(&self, key: &ContentHash, step: &str, spec: &KindSpec) -> Result<Lookup, StudyError> {
        let Some(bytes) = read_if_present(&self.entry_path(key))? else { return Ok(Lookup::Miss) };
        let Some(entry) = read_entry(&bytes) else {
            return Ok(Lookup::Corrupt(format!("steps/{key}.json is damaged")));
        };
        let mut cached = Cached {
            outputs: BTreeMap::new(),
            hashes: BTreeMap::new(),
            seconds: entry.seconds,
            warnings: entry.warnings,
            citations: entry.citations,
        };
        for (name, stored) in entry.outputs {
            let found = match (stored.output, &stored.object) {
                (Some(output), _) => Some(output),
                (None, Some(hash)) => self.get_object(hash)?,
                (None, None) => None,
            };
            let Some(mut output) = found else {
                let which = stored.object.map_or_else(String::new, |h| format!(" {h}"));
                return Ok(Lookup::Corrupt(format!("the object{which} is damaged or absent")));
            };
            if entry.step != step {
                relabel(&mut output.tracked.provenance, &entry.step, step);
            }
            cached.outputs.insert(name.clone(), Arc::new(output));
            cached.hashes.insert(name, stored.value);
        }
        // A kind may have gained an output without a new revision: what is stored does not serve then.
        let lacking = spec
            .outputs
            .iter()
            .find(|o| cached.outputs.get(&o.key).is_none_or(|found| found.type_name != o.type_name));
        match lacking {
            Some(output) => {
                Ok(Lookup::Corrupt(format!("the stored result has no output \"{}\"", output.key)))
            }
            None => Ok(Lookup::Hit(Box::new(cached))),
        }
    }

    /// An object, if it is there and is what its name says.
    fn get_object(&self, hash: &ContentHash) -> Result<Option<Output>, StudyError> {
        let bytes = read_if_present(&self.object_path(hash))?;
        let sound = bytes.filter(|b| hash_bytes(b) == *hash);
        Ok(sound.and_then(|b| serde_json::from_slice(&b).ok()))
    }

    fn checkpoint_directory(&self, key: &ContentHash) -> PathBuf {
        self.root.join("checkpoints").join(&key.0)
    }

    fn checkpoint_path(&self, key: &ContentHash, name: &str) -> PathBuf {
        // Any name is allowed: the file is named by its hash.
        self.checkpoint_directory(key).join(&hash_bytes(name.as_bytes()).0[..32])
    }

    /// Stores a checkpoint of a running step: magic, length, hash, content.
    pub(crate) fn put_checkpoint(
        &self,
        key: &ContentHash,
        name: &str,
        bytes: &[u8],
    ) -> Result<(), StudyError> {
        self.disk.create_directory(&self.checkpoint_directory(key))?;
        let mut framed = Vec::with_capacity(bytes.len() + 48);
        framed.extend_from_slice(CHECKPOINT_MAGIC);
        framed.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        framed.extend_from_slice(blake3::hash(bytes).as_bytes());
        framed.extend_from_slice(bytes);
        self.disk.write_atomic(&self.temporary(), &self.checkpoint_path(key, name), &framed)
    }

    /// A checkpoint, if a whole one is there.
    pub(crate) fn get_checkpoint(&self, key: &ContentHash, name: &str) -> Option<Vec<u8>> {
        let framed = read_if_present(&self.checkpoint_path(key, name)).ok()??;
        let content = framed.strip_prefix(CHECKPOINT_MAGIC)?;
        let (length, content) = content.split_first_chunk::<8>()?;
        let (hash, content) = content.split_first_chunk::<32>()?;
        let sound =
            u64::from_le_bytes(*length) == content.len() as u64 && blake3::hash(content).as_bytes() == hash;
        sound.then(|| content.to_vec())
    }

    /// Whether a step with this key was interrupted after a checkpoint.
    pub(crate) fn has_checkpoint(&self, key: &ContentHash) -> bool {
        std::fs::read_dir(self.checkpoint_directory(key)).is_ok_and(|mut d| d.next().is_some())
    }

    /// Forgets the checkpoints of a finished step.
    pub(crate) fn remove_checkpoints(&self, key: &ContentHash) -> Result<(), StudyError> {
        self.disk.remove_directory(&self.checkpoint_directory(key))
    }
}

/// The entry within its frame, if its hash is right.
fn read_entry(bytes: &[u8]) -> Option<Entry> {
    let rest = bytes.strip_prefix(ENTRY_HEAD.as_bytes())?;
    let (hash, rest) = rest.split_at_checked(64)?;
    let body = rest.strip_prefix(ENTRY_MIDDLE.as_bytes())?.strip_suffix(b"}")?;
    if hash_bytes(body).0.as_bytes() != hash {
        return None;
    }
    serde_json::from_slice(body).ok()
}

/// A result found under another step's name was computed by the asking step as well: same kind, inputs and seed.
fn relabel(provenance: &mut Provenance, from: &str, to: &str) {
    match provenance {
        Provenance::Computed { step, .. } if step == from => *step = to.to_string(),
        Provenance::Retuned { from: inner, .. } => relabel(inner, from, to),
        _ => {}
    }
}
