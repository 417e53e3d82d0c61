//! The journal: an append-only file of events.
//!
//! Layout: 8 bytes `SCALJNL1`, then records of 4 bytes length (little endian), the first 16 bytes of BLAKE3(length,
//! payload), payload (JSON). A record that a crash cut off, or whose hash is wrong, ends the journal: it and what
//! follows are dropped when the journal is next opened for writing.

use super::disk::{Disk, read_if_present};
use crate::error::StudyError;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"SCALJNL1";
const HEAD: usize = 4 + 16;
/// A journal longer than this, most of it outdated, is rewritten.
const COMPACT_FROM: u64 = 4 << 20;

/// One input of a step when it last ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct InputMark {
    /// As a person reads it.
    pub shown: String,
    /// Hash of its canonical bytes.
    pub mark: String,
}

/// What a step of a study was when it last finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Last {
    pub key: String,
    pub kind: String,
    pub revision: u32,
    pub seed: u64,
    pub inputs: BTreeMap<String, InputMark>,
}

/// An event of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    Started { study: String },
    Step { study: String, step: String, last: Last },
    Finished { study: String, result: String },
}

/// What the events add up to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Memory {
    /// By study and step.
    pub steps: BTreeMap<(String, String), Last>,
    /// Studies with a run that began and did not end.
    pub unfinished: BTreeSet<String>,
}

impl Memory {
    fn apply(&mut self, event: Event) {
        match event {
            Event::Started { study } => {
                self.unfinished.insert(study);
            }
            Event::Step { study, step, last } => {
                self.steps.insert((study, step), last);
            }
            Event::Finished { study, .. } => {
                self.unfinished.remove(&study);
            }
        }
    }

    fn events(&self) -> Vec<Event> {
        let started = self.unfinished.iter().map(|study| Event::Started { study: study.clone() });
        let steps = self.steps.iter().map(|((study, step), last)| Event::Step {
            study: study.clone(),
            step: step.clone(),
            last: last.clone(),
        });
        started.chain(steps).collect()
    }
}

fn frame(event: &Event) -> Result<Vec<u8>, StudyError> {
    let payload = scalade_record::canonical_bytes(event)?;
    let length = (payload.len() as u32).to_le_bytes();
    let mut out = Vec::with_capacity(HEAD + payload.len());
    out.extend_from_slice(&length);
    out.extend_from_slice(&check(length, &payload));
    out.extend_from_slice(&payload);
    Ok(out)
}

fn check(length: [u8; 4], payload: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&length).update(payload);
    let mut out = [0; 16];
    out.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    out
}

/// The events of the sound part of a journal, and where that part ends.
pub(crate) fn replay(bytes: &[u8]) -> (Memory, usize) {
    let mut memory = Memory::default();
    if !bytes.starts_with(MAGIC) {
        return (memory, 0);
    }
    let mut at = MAGIC.len();
    while let Some(head) = bytes.get(at..at + HEAD) {
        let mut length = [0; 4];
        length.copy_from_slice(&head[..4]);
        let from = at + HEAD;
        let Some(payload) =
            from.checked_add(u32::from_le_bytes(length) as usize).and_then(|to| bytes.get(from..to))
        else {
            break;
        };
        if head[4..] != check(length, payload) {
            break;
        }
        let Ok(event) = serde_json::from_slice(payload) else { break };
        memory.apply(event);
        at = from + payload.len();
    }
    (memory, at)
}

/// The journal, open for appending.
#[derive(Debug)]
pub(crate) struct Journal {
    disk: Disk,
    path: PathBuf,
    file: File,
    /// End of the last whole record.
    end: u64,
    dirty: bool,
    pub memory: Memory,
}

impl Journal {
    /// Opens the journal of a locked store: drops a torn tail, and rewrites a journal that is mostly outdated. The
    /// second value tells how many bytes were dropped.
    pub fn open(disk: &Disk, path: &Path, temporary: &Path) -> Result<(Self, u64), StudyError> {
        let bytes = read_if_present(path)?.unwrap_or_default();
        let (memory, sound) = replay(&bytes);
        let dropped = (bytes.len() - sound) as u64;
        if sound == 0 || bytes.len() as u64 > COMPACT_FROM {
            let mut content = MAGIC.to_vec();
            for event in memory.events() {
                content.extend(frame(&event)?);
            }
            if sound == 0 || (content.len() as u64) < bytes.len() as u64 / 4 {
                disk.write_atomic(temporary, path, &content)?;
                return Self::at(disk, path, content.len() as u64, memory).map(|j| (j, dropped));
            }
        }
        Self::at(disk, path, sound as u64, memory).map(|j| (j, dropped))
    }

    fn at(disk: &Disk, path: &Path, end: u64, memory: Memory) -> Result<Self, StudyError> {
        let opened = OpenOptions::new().read(true).write(true).open(path).and_then(|mut file| {
            if file.metadata()?.len() != end {
                file.set_len(end)?;
                file.sync_data()?;
            }
            file.seek(SeekFrom::Start(end))?;
            Ok(file)
        });
        let file = opened.map_err(StudyError::io("open", path))?;
        Ok(Self { disk: disk.clone(), path: path.to_path_buf(), file, end, dirty: false, memory })
    }

    /// Appends an event. What was written of a record that failed is taken back.
    pub fn append(&mut self, event: Event) -> Result<(), StudyError> {
        let bytes = frame(&event)?;
        if let Err(e) = self.disk.append(&mut self.file, &self.path, &bytes) {
            // If this fails too, the torn record is dropped when the journal is next opened.
            let _ = self.file.set_len(self.end).and_then(|()| self.file.seek(SeekFrom::Start(self.end)));
            return Err(e);
        }
        self.end += bytes.len() as u64;
        self.dirty = true;
        self.memory.apply(event);
        Ok(())
    }

    /// Makes what was appended durable.
    pub fn sync(&mut self) -> Result<(), StudyError> {
        if self.dirty {
            self.disk.sync(&self.file, &self.path)?;
            self.dirty = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn last(key: &str) -> Last {
        let inputs = BTreeMap::from([("x".into(), InputMark { shown: "1 m".into(), mark: "00".into() })]);
        Last { key: key.into(), kind: "add".into(), revision: 1, seed: 7, inputs }
    }

    fn step(n: usize) -> Event {
        Event::Step { study: "s".into(), step: format!("step{n}"), last: last(&n.to_string()) }
    }

    fn open(directory: &Path) -> (Journal, u64) {
        Journal::open(&Disk::default(), &directory.join("journal"), directory).unwrap()
    }

    #[test]
    fn a_journal_cut_at_any_byte_of_its_last_record_keeps_the_rest() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let (mut journal, _) = open(directory.path());
        for n in 0..3 {
            journal.append(step(n)).unwrap();
        }
        let two = journal.end as usize;
        journal.append(step(3)).unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        for cut in two..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (mut journal, dropped) = open(directory.path());
            assert_eq!(journal.memory.steps.len(), 3);
            assert_eq!(dropped as usize, cut - two);
            // Shorter than what was cut off, so that nothing of that may stay behind it.
            journal.append(Event::Started { study: "s".into() }).unwrap();
            drop(journal);
            let (journal, dropped) = open(directory.path());
            assert_eq!((journal.memory.unfinished.len(), dropped), (1, 0), "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_ends_the_journal_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let (mut journal, _) = open(directory.path());
        let mut ends = vec![];
        for n in 0..3 {
            journal.append(step(n)).unwrap();
            ends.push(journal.end as usize);
        }
        let whole = std::fs::read(&path).unwrap();
        for at in MAGIC.len()..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            let sound = ends.iter().filter(|end| **end <= at).count();
            assert_eq!(replay(&bytes).0.steps.len(), sound, "flipped at {at}");
        }
        assert_eq!(replay(b"something else entirely").1, 0);
    }

    #[test]
    fn an_outdated_journal_is_rewritten() {
        let directory = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(directory.path());
        let long = "x".repeat(100_000);
        for n in 0..60 {
            let mut event = last(&n.to_string());
            event.inputs.insert("long".into(), InputMark { shown: long.clone(), mark: String::new() });
            journal.append(Event::Step { study: "s".into(), step: "one".into(), last: event }).unwrap();
        }
        let before = journal.end;
        drop(journal);
        let (journal, _) = open(directory.path());
        assert!(journal.end < before / 4);
        assert_eq!(journal.memory.steps[&("s".into(), "one".into())].key, "59");
    }

    #[test]
    fn runs_that_did_not_end_are_known() {
        let directory = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(directory.path());
        journal.append(Event::Started { study: "a".into() }).unwrap();
        journal.append(Event::Started { study: "b".into() }).unwrap();
        journal.append(Event::Finished { study: "a".into(), result: "r".into() }).unwrap();
        drop(journal);
        let unfinished: Vec<String> = open(directory.path()).0.memory.unfinished.into_iter().collect();
        assert_eq!(unfinished, ["b"]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut with_magic = MAGIC.to_vec();
            with_magic.extend(&bytes);
            replay(&bytes);
            replay(&with_magic);
        }
    }
}
