//! Durable changes of the file system: every file appears whole or not at all.
//!
//! All writes of a store pass through here, so that a test can make the disk fill up at any of them.

use crate::error::StudyError;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Number of the next temporary file of this process.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The file system below a store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    #[cfg(test)]
    pub(crate) faults: Option<std::sync::Arc<faults::Faults>>,
}

impl Disk {
    /// Called before every change; a test's disk may be full from here on.
    #[cfg(test)]
    fn tick(&self) -> io::Result<()> {
        self.faults.as_ref().map_or(Ok(()), |f| f.tick())
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)]
    fn tick(&self) -> io::Result<()> {
        Ok(())
    }

    /// Writes bytes; a full disk may have taken a part of them.
    fn write_all(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        if let Err(full) = self.tick() {
            file.write_all(&bytes[..bytes.len() / 2])?;
            return Err(full);
        }
        file.write_all(bytes)
    }

    /// Puts a file in place: temporary file, fsync, rename, fsync of the directory. After a crash the file has its old
    /// content, or none, or the new one.
    pub fn write_atomic(&self, temporary: &Path, target: &Path, bytes: &[u8]) -> Result<(), StudyError> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let scratch = temporary.join(format!("{}-{number}", std::process::id()));
        let outcome = self.try_write_atomic(&scratch, target, bytes);
        if outcome.is_err() {
            // The error that counts is the first one; a scratch file that stays is removed by the next run.
            let _ = fs::remove_file(&scratch);
        }
        outcome.map_err(StudyError::io("write", target))
    }

    fn try_write_atomic(&self, scratch: &Path, target: &Path, bytes: &[u8]) -> io::Result<()> {
        self.tick()?;
        let mut file = File::create(scratch)?;
        self.write_all(&mut file, bytes)?;
        self.tick()?;
        file.sync_all()?;
        drop(file);
        self.tick()?;
        fs::rename(scratch, target)?;
        self.sync_directory(target.parent())
    }

    /// Makes renames and creations in a directory durable (a no-op where directories cannot be opened).
    fn sync_directory(&self, directory: Option<&Path>) -> io::Result<()> {
        self.tick()?;
        match directory {
            #[cfg(unix)]
            Some(path) => File::open(path)?.sync_all(),
            _ => Ok(()),
        }
    }

    /// Creates a directory below an existing one, if it is not there.
    pub fn create_directory(&self, path: &Path) -> Result<(), StudyError> {
        if path.is_dir() {
            return Ok(());
        }
        self.tick()
            .and_then(|()| fs::create_dir_all(path))
            .and_then(|()| self.sync_directory(path.parent()))
            .map_err(StudyError::io("create the directory", path))
    }

    /// Appends to a file and makes it durable when asked.
    pub fn append(&self, file: &mut File, path: &Path, bytes: &[u8]) -> Result<(), StudyError> {
        self.write_all(file, bytes).map_err(StudyError::io("append to", path))
    }

    /// Makes the content of a file durable.
    pub fn sync(&self, file: &File, path: &Path) -> Result<(), StudyError> {
        self.tick().and_then(|()| file.sync_data()).map_err(StudyError::io("flush", path))
    }

    /// Removes everything in a directory, or the directory itself. What is absent is removed already.
    pub fn remove_directory(&self, path: &Path) -> Result<(), StudyError> {
        if !path.exists() {
            return Ok(());
        }
        self.tick().and_then(|()| fs::remove_dir_all(path)).map_err(StudyError::io("remove", path))
    }
}

/// Reads a file that may be absent.
pub(crate) fn read_if_present(path: &Path) -> Result<Option<Vec<u8>>, StudyError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(StudyError::Io { action: "read", path: PathBuf::from(path), source: e }),
    }
}

#[cfg(test)]
pub(crate) mod faults {
    use std::io;
    use std::sync::atomic::{AtomicI64, Ordering};

    /// A disk that is full after a number of changes, and stays full until it is repaired.
    #[derive(Debug)]
    pub(crate) struct Faults(AtomicI64);

    impl Faults {
        pub fn after(changes: i64) -> Self {
            Self(AtomicI64::new(changes))
        }

        pub fn tick(&self) -> io::Result<()> {
            if self.0.fetch_sub(1, Ordering::SeqCst) > 0 {
                Ok(())
            } else {
                Err(io::Error::new(io::ErrorKind::StorageFull, "no space left on device"))
            }
        }

        pub fn exhausted(&self) -> bool {
            self.0.load(Ordering::SeqCst) < 0
        }
    }
}
