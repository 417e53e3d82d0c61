//! Long runs of cells on disk: records streamed to a table, and a checkpoint from which the same command goes on.

use crate::error::ScaladeError;
use crate::runner::write_atomic;
use scalade_cell::{CellError, Checkpoint, Record, StepSummary, Watch};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Least time between two checkpoints on disk.
const PAUSE: Duration = Duration::from_secs(5);
const HEADER: &str = "cycle,step,time_s,voltage_V,current_A,temperature_K,discharge_capacity_Ah\n";

/// The file of a checkpoint.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointFile {
    scalade_cell_checkpoint: u32,
    /// Hash of everything that the run depends on.
    fingerprint: String,
    /// Length of the streamed table when the checkpoint was made.
    stream_bytes: u64,
    state: Checkpoint,
}

/// Follows a run for `scalade cell`.
pub(crate) struct Follower<'a> {
    checkpoint: Option<PathBuf>,
    stream: Option<(BufWriter<File>, PathBuf)>,
    stream_bytes: u64,
    fingerprint: String,
    last_write: Option<Instant>,
    cancel: &'a AtomicBool,
    /// What went wrong with a file.
    pub(crate) trouble: Option<ScaladeError>,
    /// The run was asked to stop.
    pub(crate) stopped: bool,
}

impl<'a> Follower<'a> {
    /// Opens the files; gives the checkpoint to go on from, if there is one of this very run.
    pub(crate) fn open(
        checkpoint: Option<&Path>,
        stream: Option<&Path>,
        fingerprint: String,
        cancel: &'a AtomicBool,
    ) -> Result<(Self, Option<Checkpoint>), ScaladeError> {
        let known = match checkpoint.filter(|path| path.exists()) {
            None => None,
            Some(path) => Some(read_checkpoint(path, &fingerprint)?),
        };
        let stream_bytes = known.as_ref().map_or(0, |file| file.stream_bytes);
        let stream = stream.map(|path| open_stream(path, stream_bytes)).transpose()?;
        let mut follower = Self {
            checkpoint: checkpoint.map(Path::to_path_buf),
            stream,
            stream_bytes,
            fingerprint,
            last_write: None,
            cancel,
            trouble: None,
            stopped: false,
        };
        if stream_bytes == 0 && follower.stream.is_some() {
            follower.write_row(HEADER);
            if let Some(trouble) = follower.trouble.take() {
                return Err(trouble);
            }
        }
        Ok((follower, known.map(|file| file.state)))
    }

    fn write_row(&mut self, row: &str) {
        let Some((file, path)) = &mut self.stream else { return };
        match file.write_all(row.as_bytes()) {
            Ok(()) => self.stream_bytes += row.len() as u64,
            Err(e) => {
                self.trouble = Some(ScaladeError::input(format!("cannot write {}: {e}", path.display())));
            }
        }
    }

    /// Writes what is still in memory.
    pub(crate) fn finish(&mut self) -> Result<(), ScaladeError> {
        if let Some((file, path)) = &mut self.stream {
            file.flush().map_err(|e| ScaladeError::input(format!("cannot write {}: {e}", path.display())))?;
        }
        self.trouble.take().map_or(Ok(()), Err)
    }

    fn write_checkpoint(&mut self, state: Checkpoint) -> Result<(), ScaladeError> {
        let Some(path) = self.checkpoint.clone() else { return Ok(()) };
        if let Some((file, of)) = &mut self.stream {
            // The table must hold what the checkpoint believes it holds.
            file.flush()
                .and_then(|()| file.get_ref().sync_data())
                .map_err(|e| ScaladeError::input(format!("cannot write {}: {e}", of.display())))?;
        }
        let file = CheckpointFile {
            scalade_cell_checkpoint: 1,
            fingerprint: self.fingerprint.clone(),
            stream_bytes: self.stream_bytes,
            state,
        };
        let text = serde_json::to_string(&file).map_err(|e| ScaladeError::internal(e.to_string()))?;
        self.last_write = Some(Instant::now());
        write_atomic(&path, text.as_bytes())
    }
}

fn read_checkpoint(path: &Path, fingerprint: &str) -> Result<CheckpointFile, ScaladeError> {
    let text = crate::orderings::read_text(path)?;
    let fault = |why: &str| {
        ScaladeError::input(format!(
            "the checkpoint {} {why}; remove it to start anew, or name another file",
            path.display()
        ))
    };
    let file: CheckpointFile =
        serde_json::from_str(&text).map_err(|e| fault(&format!("cannot be read ({e})")))?;
    if file.scalade_cell_checkpoint != 1 {
        return Err(fault("is of another version of the program"));
    }
    if file.fingerprint != fingerprint {
        return Err(fault("is of another run (cell, protocol or options differ)"));
    }
    Ok(file)
}

/// The table, cut to what a checkpoint knows of it.
fn open_stream(path: &Path, known: u64) -> Result<(BufWriter<File>, PathBuf), ScaladeError> {
    let fault =
        |e: &dyn std::fmt::Display| ScaladeError::input(format!("cannot write {}: {e}", path.display()));
    let mut file =
        OpenOptions::new().create(true).write(true).truncate(false).open(path).map_err(|e| fault(&e))?;
    let length = file.metadata().map_err(|e| fault(&e))?.len();
    if length < known {
        return Err(fault(&format!(
            "it has {length} bytes, but the checkpoint knows of {known}; it is not the table of this run"
        )));
    }
    file.set_len(known).map_err(|e| fault(&e))?;
    file.seek(SeekFrom::End(0)).map_err(|e| fault(&e))?;
    Ok((BufWriter::new(file), path.to_path_buf()))
}

impl Watch for Follower<'_> {
    fn record(&mut self, r: &Record) -> bool {
        if self.stream.is_none() {
            return false;
        }
        let row = format!(
            "{},{},{},{},{},{},{}\n",
            r.cycle + 1,
            r.step + 1,
            r.time_s,
            r.voltage_v,
            r.current_a,
            r.temperature_k,
            r.discharge_capacity_ah
        );
        self.write_row(&row);
        true
    }

    fn step_done(
        &mut self,
        summary: &StepSummary,
        checkpoint: &mut dyn FnMut() -> Checkpoint,
    ) -> Result<(), CellError> {
        let stop = self.cancel.load(Ordering::Relaxed);
        let due = self.last_write.is_none_or(|last| last.elapsed() >= PAUSE);
        if self.checkpoint.is_some()
            && (stop || due)
            && let Err(error) = self.write_checkpoint(checkpoint())
        {
            self.trouble = Some(error);
        }
        self.stopped |= stop;
        if stop || self.trouble.is_some() {
            return Err(CellError::Stopped { time_s: summary.end_s });
        }
        Ok(())
    }
}
