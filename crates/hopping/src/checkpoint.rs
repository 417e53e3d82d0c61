//! Checkpoints of transport runs: a file from which a run goes on to the same result, bit for bit, as if it had never been interrupted.
//!
//! Replicas are independent and their random streams are counters, so that a file holds each of them as it was at the end of one of its blocks, whichever, and
//! what the present round asks of all. Layout, numbers little-endian: the magic line; the version; the length and the text of a JSON header that says whose
//! run it is; the round; each replica; the BLAKE3 hash of all before it. A file is written whole beside its place and renamed over it: one that is cut short
//! comes from a copy or a broken disk, and the hash finds it out. What a round and a replica are is told by the kinds of runs.

mod bytes;

pub(crate) use bytes::{NO_ENGINE, Reader, Refused, Shape, Writer};

use crate::HoppingError;
use bytes::ENDS_EARLY;
use rayon::prelude::*;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const MAGIC: &[u8] = b"scalade hop checkpoint\n";
/// To be raised with every change of the layout, or of what a run draws from its random streams.
const VERSION: u32 = 1;
/// Length of the hash at the end.
const HASH: usize = 32;
/// Time from one saving to the next at least.
const INTERVAL: Duration = Duration::from_secs(1);
/// Savings take at most one part in so many of the time.
const LARGEST_SHARE: u32 = 20;

/// What a run that keeps a checkpoint tells of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resumed {
    /// Hops of the result that the file held, 0 without a file.
    pub from_events: u64,
    /// Why the file could not be written the last time it was tried, if it could not.
    pub failure: Option<String>,
}

/// Whose run it is.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The header of the file: what tells a reader which run it is, and a digest of all that decides the states that a run goes through.
    pub(crate) header: Value,
    /// Keys of the header that are named where they differ.
    pub(crate) keys: &'static [&'static str],
    /// What differs where none of them does.
    pub(crate) otherwise: &'static str,
}

impl Identity {
    /// What differs between a file's run and the present one.
    fn differences(&self, theirs: &Value) -> String {
        let ours = &self.header;
        let kind = |of: &Value| of["run"].as_str().unwrap_or("a lattice gas").to_owned();
        let (there, here) = (kind(theirs), kind(ours));
        if there != here {
            return format!("of {there} there, of {here} here");
        }
        let differing = self.keys.iter().filter(|key| theirs[**key] != ours[**key]);
        let said: Vec<String> =
            differing.map(|key| format!("{key} {} there, {} here", theirs[*key], ours[*key])).collect();
        if said.is_empty() { self.otherwise.into() } else { said.join("; ") }
    }
}

/// Replicas of a round as they are ready, in parallel: those that are kept, and the others as `make` makes them by their number, each of which is kept at once.
pub(crate) fn completed<S: Send>(
    kept: Vec<Option<S>>,
    checkpoint: Option<&Checkpoint>,
    make: impl Fn(usize) -> Result<S, HoppingError> + Sync,
    write: impl Fn(&S, &mut Writer) -> Result<(), Refused> + Sync,
) -> Result<Vec<S>, HoppingError> {
    let one = |(index, kept): (usize, Option<S>)| {
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let made = make(index)?;
        if let Some(checkpoint) = checkpoint {
            checkpoint.keep(index, true, |out| write(&made, out))?;
        }
        Ok(made)
    };
    // All are made before an error is told, so that none of them is lost to it.
    let all: Vec<Result<S, HoppingError>> = kept.into_par_iter().enumerate().map(one).collect();
    all.into_iter().collect()
}

/// The digest of what is formatted.
pub(crate) fn digest(of: std::fmt::Arguments<'_>) -> String {
    let mut hashing = Hashing(blake3::Hasher::new());
    // Nothing is out of memory here, and nothing else can fail.
    let _ = std::fmt::write(&mut hashing, of);
    hashing.0.finalize().to_hex().to_string()
}

/// Text that is hashed and not kept.
struct Hashing(blake3::Hasher);

impl std::fmt::Write for Hashing {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

/// A part of the file that belongs to one replica.
#[derive(Debug)]
struct Slot {
    bytes: Vec<u8>,
    saved: Instant,
}

/// What all threads share.
#[derive(Debug)]
struct Shared {
    /// The bytes that tell the round.
    round: Vec<u8>,
    slots: Vec<Slot>,
    written: Instant,
    /// How long the last writing took.
    took: Duration,
    failure: Option<String>,
}

impl Shared {
    /// Long enough that savings do not slow a run down.
    fn pause(&self) -> Duration {
        INTERVAL.max(self.took * LARGEST_SHARE)
    }

    fn put(&mut self, index: usize, slot: Slot) {
        if let Some(old) = self.slots.get_mut(index) {
            *old = slot;
        }
    }
}

/// A file that a run keeps its state in.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    file: PathBuf,
    identity: Identity,
    shared: Mutex<Shared>,
}

impl Checkpoint {
    /// For a run; nothing is read or written yet.
    pub(crate) fn new(file: &Path, identity: Identity) -> Self {
        let shared = Shared {
            round: Vec::new(),
            slots: Vec::new(),
            written: Instant::now(),
            took: Duration::ZERO,
            failure: None,
        };
        Self { file: file.to_path_buf(), identity, shared: Mutex::new(shared) }
    }

    fn refused(&self, reason: impl Into<String>) -> HoppingError {
        HoppingError::Checkpoint { file: self.file.display().to_string(), reason: reason.into() }
    }

    /// Reads the file, the round and the replicas by `body`; none where there is no file.
    pub(crate) fn read<T>(
        &self,
        body: impl FnOnce(&mut Reader<'_>) -> Result<T, Refused>,
    ) -> Result<Option<T>, HoppingError> {
        let unreadable = |e: std::io::Error| self.refused(format!("cannot be read: {e}"));
        let file = match std::fs::File::open(&self.file) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(unreadable(e)),
        };
        // The rest only if it begins as a checkpoint does: other files may be of any size.
        let mut bytes = Vec::new();
        (&file).take(MAGIC.len() as u64).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes != MAGIC {
            let size = file.metadata().map_err(unreadable)?.len();
            return Err(self.refused(format!(
                "is no checkpoint: its {size} bytes do not begin with {:?}; it is left as it is, give another file",
                String::from_utf8_lossy(MAGIC).trim_end()
            )));
        }
        (&file).read_to_end(&mut bytes).map_err(unreadable)?;
        self.parsed(&bytes, body).map(Some)
    }

    fn parsed<T>(
        &self,
        bytes: &[u8],
        body: impl FnOnce(&mut Reader<'_>) -> Result<T, Refused>,
    ) -> Result<T, HoppingError> {
        let cut = |why: &str| {
            self.refused(format!(
                "is damaged: {why} ({} bytes); it is left as it is, put back a copy or remove it to begin anew",
                bytes.len()
            ))
        };
        let mut reader = Reader(bytes.get(MAGIC.len()..).unwrap_or_default());
        let version = reader.u32().map_err(cut)?;
        if version != VERSION {
            return Err(self.refused(format!("has version {version}, this program reads {VERSION}; it is left as it is, go on with the program that wrote it or give another file")));
        }
        let whole = bytes.len().saturating_sub(HASH);
        if bytes[whole..] != blake3::hash(&bytes[..whole]).as_bytes()[..] {
            return Err(cut("its content does not fit its hash"));
        }
        let length = reader.count(1).map_err(cut)?;
        let text = reader.take(length).map_err(cut)?;
        if text != self.identity.header.to_string().as_bytes() {
            let theirs = serde_json::from_slice(text).unwrap_or_default();
            return Err(self.refused(format!(
                "is the checkpoint of another model ({}); it is left as it is, give another file",
                self.identity.differences(&theirs)
            )));
        }
        let rest = reader.0.len().checked_sub(HASH).and_then(|n| reader.0.get(..n));
        let mut rest = Reader(rest.ok_or_else(|| cut(ENDS_EARLY))?);
        let out = body(&mut rest).map_err(cut)?;
        if rest.0.is_empty() { Ok(out) } else { Err(cut("it goes on where its end is due")) }
    }

    /// What is shared; a thread that panicked with the lock has left whole bytes behind.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of a replica.
    fn slot(&self, write: impl FnOnce(&mut Writer) -> Result<(), Refused>) -> Result<Slot, HoppingError> {
        let mut writer = Writer::default();
        write(&mut writer).map_err(|why| self.refused(why))?;
        Ok(Slot { bytes: writer.0, saved: Instant::now() })
    }

    /// Writes a round and all its replicas: where it begins, and where it ends.
    pub(crate) fn lay_out<S>(
        &self,
        round: impl FnOnce(&mut Writer),
        replicas: &[S],
        write: impl Fn(&S, &mut Writer) -> Result<(), Refused>,
    ) -> Result<(), HoppingError> {
        let slots = replicas.iter().map(|replica| self.slot(|w| write(replica, w)));
        let slots = slots.collect::<Result<Vec<Slot>, HoppingError>>()?;
        let mut head = Writer::default();
        round(&mut head);
        let mut shared = self.lock();
        (shared.round, shared.slots) = (head.0, slots);
        self.write(&mut shared);
        Ok(())
    }

    /// Keeps a replica, and writes the file at once.
    pub(crate) fn save(
        &self,
        index: usize,
        write: impl FnOnce(&mut Writer) -> Result<(), Refused>,
    ) -> Result<(), HoppingError> {
        let slot = self.slot(write)?;
        let mut shared = self.lock();
        shared.put(index, slot);
        self.write(&mut shared);
        Ok(())
    }

    /// Keeps a replica if that is due, or if it is the `last` time in its round, and writes the file if that is due.
    pub(crate) fn keep(
        &self,
        index: usize,
        last: bool,
        write: impl FnOnce(&mut Writer) -> Result<(), Refused>,
    ) -> Result<(), HoppingError> {
        if !last {
            let shared = self.lock();
            if shared.slots.get(index).is_none_or(|s| s.saved.elapsed() < shared.pause()) {
                return Ok(());
            }
        }
        // Outside the lock: the other replicas go on meanwhile.
        let slot = self.slot(write)?;
        let mut shared = self.lock();
        shared.put(index, slot);
        if shared.written.elapsed() >= shared.pause() {
            self.write(&mut shared);
        }
        Ok(())
    }

    /// Writes what is kept: for runs that are told to stop.
    pub(crate) fn flush(&self) {
        let mut shared = self.lock();
        self.write(&mut shared);
    }

    /// Writes the file. What goes wrong is kept: a full disk is no reason to lose the run as well.
    fn write(&self, shared: &mut Shared) {
        let start = Instant::now();
        shared.failure = self.written(shared).err().map(|e| e.to_string());
        shared.written = Instant::now();
        shared.took = start.elapsed();
    }

    fn written(&self, shared: &Shared) -> std::io::Result<()> {
        // One name for all runs, so that those that are killed do not leave a file each.
        let mut name = self.file.clone().into_os_string();
        name.push(".tmp");
        let temporary = PathBuf::from(name);
        let file = std::fs::File::options().create(true).write(true).truncate(false).open(&temporary)?;
        // A file system without locks is no reason to write nothing.
        if matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)) {
            return Err(std::io::Error::other("another run writes it"));
        }
        file.set_len(0)?;
        let mut out = Hashed { file: std::io::BufWriter::new(&file), hash: blake3::Hasher::new() };
        let header = self.identity.header.to_string();
        out.all(MAGIC)?;
        out.all(&VERSION.to_le_bytes())?;
        out.all(&(header.len() as u32).to_le_bytes())?;
        out.all(header.as_bytes())?;
        out.all(&shared.round)?;
        for slot in &shared.slots {
            out.all(&slot.bytes)?;
        }
        let hash = out.hash.finalize();
        out.file.write_all(hash.as_bytes())?;
        out.file.flush()?;
        file.sync_all()?;
        std::fs::rename(&temporary, &self.file)
    }

    /// Why the last writing failed, if it did.
    pub(crate) fn failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    /// The same as an error.
    pub(crate) fn check(&self) -> Result<(), HoppingError> {
        self.failure().map_or(Ok(()), |why| Err(self.refused(format!("cannot be written: {why}"))))
    }
}

/// A file with the hash of what went into it.
struct Hashed<W> {
    file: W,
    hash: blake3::Hasher,
}

impl<W: std::io::Write> Hashed<W> {
    fn all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.hash.update(bytes);
        self.file.write_all(bytes)
    }
}
