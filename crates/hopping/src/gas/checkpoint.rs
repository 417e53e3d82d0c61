//! Checkpoints of transport runs: a file from which a run goes on to the same result, bit for bit, as if it had never been interrupted.
//!
//! Replicas are independent and their random streams are counters, so that a file holds each of them as it was at the end of one of its blocks, whichever, and
//! what the present round asks of all. Layout, numbers little-endian: the magic line; the version; the length and the text of a JSON header that says whose
//! run it is; the round; each replica; the BLAKE3 hash of all before it. A file is written whole beside its place and renamed over it: one that is cut short
//! comes from a copy or a broken disk, and the hash finds it out.

use super::engine::{GasEngine, Selection};
use super::transport::{GasRequest, Prepared, Settled};
use crate::sampling::{Block, Symmetric};
use crate::{Equilibration, HoppingError};
use scalade_numerics::Philox;
use std::io::Write as _;
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

/// Why bytes are no state.
pub(crate) type Refused = &'static str;

/// A state of which no engine can be made.
pub(super) const NO_ENGINE: Refused = "no engine takes the occupation of a replica";

/// Bytes of a state.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    fn floats(&mut self, values: &[f64]) {
        for value in values {
            self.f64(*value);
        }
    }

    /// The position of a random stream.
    pub(super) fn stream(&mut self, rng: &Philox) -> Result<(), Refused> {
        let text = serde_json::to_vec(rng).map_err(|_| "a random stream cannot be written")?;
        self.text(&text);
        Ok(())
    }

    fn text(&mut self, text: &[u8]) {
        self.u32(text.len() as u32);
        self.0.extend_from_slice(text);
    }

    fn tensors(&mut self, list: &[Symmetric]) {
        self.u32(list.len() as u32);
        self.floats(list.as_flattened());
    }

    fn block(&mut self, block: &Block) {
        self.u64(block.first_ion_level as u64);
        for list in [&block.tracer_msd, &block.ion_loss, &block.total_msd, &block.total_loss] {
            self.tensors(list);
        }
        self.floats(&block.uncorrelated);
        self.f64(block.interval_s);
    }

    fn equilibration(&mut self, of: &Equilibration) {
        self.u64(of.sweeps as u64);
        self.u8(u8::from(of.equilibrated));
        self.floats(&[of.drift_z, of.mean_energy_ev, of.acceptance]);
    }

    /// Settled replicas hold an occupation, one bit a site.
    fn settled(&mut self, of: &Settled) -> Result<(), Refused> {
        for eight in of.occupied.chunks(8) {
            self.u8(eight.iter().enumerate().map(|(bit, o)| u8::from(*o) << bit).sum());
        }
        self.equilibration(&of.equilibration);
        self.stream(&of.rng)?;
        self.f64(of.acceptance);
        Ok(())
    }

    fn prepared(&mut self, of: &Prepared<'_>) -> Result<(), Refused> {
        of.engine.save(self)?;
        self.equilibration(&of.equilibration);
        self.floats(&[of.hop_rate, of.balance_error, of.clock]);
        self.u32(of.blocks.len() as u32);
        for block in &of.blocks {
            self.block(block);
        }
        Ok(())
    }
}

/// Reads what [`Writer`] wrote.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Refused> {
        let (here, rest) = self.0.split_at_checked(count).ok_or("it ends early")?;
        self.0 = rest;
        Ok(here)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Refused> {
        self.take(N)?.try_into().map_err(|_| "it ends early")
    }

    pub(super) fn u8(&mut self) -> Result<u8, Refused> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, Refused> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Refused> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn f64(&mut self) -> Result<f64, Refused> {
        Ok(f64::from_bits(self.u64()?))
    }

    /// A count of things of which each takes so many bytes at least: no room is made for more than the file can hold.
    pub(super) fn count(&mut self, bytes: usize) -> Result<usize, Refused> {
        let count = self.u32()? as usize;
        if count.saturating_mul(bytes) > self.0.len() {
            return Err("it ends early");
        }
        Ok(count)
    }

    pub(super) fn stream(&mut self) -> Result<Philox, Refused> {
        let count = self.count(1)?;
        serde_json::from_slice(self.take(count)?).map_err(|_| "a random stream is malformed")
    }

    fn tensors(&mut self) -> Result<Vec<Symmetric>, Refused> {
        let count = self.count(size_of::<Symmetric>())?;
        (0..count).map(|_| self.tensor()).collect()
    }

    fn tensor(&mut self) -> Result<Symmetric, Refused> {
        let mut out = [0.0; 6];
        for value in &mut out {
            *value = self.f64()?;
        }
        Ok(out)
    }

    fn block(&mut self) -> Result<Block, Refused> {
        let first_ion_level = self.u64()? as usize;
        let [tracer_msd, ion_loss, total_msd, total_loss] =
            [self.tensors()?, self.tensors()?, self.tensors()?, self.tensors()?];
        let levels = total_msd.len();
        let same = total_loss.len() == levels && first_ion_level <= levels;
        if !same || tracer_msd.len() != levels - first_ion_level || ion_loss.len() > tracer_msd.len() {
            return Err("the windows of a block do not belong together");
        }
        let (uncorrelated, interval_s) = (self.tensor()?, self.f64()?);
        Ok(Block { first_ion_level, tracer_msd, ion_loss, total_msd, total_loss, uncorrelated, interval_s })
    }

    fn equilibration(&mut self) -> Result<Equilibration, Refused> {
        let (sweeps, equilibrated) = (self.u64()? as usize, self.u8()? != 0);
        let [drift_z, mean_energy_ev, acceptance] = [self.f64()?, self.f64()?, self.f64()?];
        Ok(Equilibration { sweeps, drift_z, equilibrated, mean_energy_ev, acceptance })
    }

    fn settled(&mut self, request: &GasRequest<'_>) -> Result<Settled, Refused> {
        let sites = request.model.sites();
        let bytes = self.take(sites.div_ceil(8))?;
        let occupied: Vec<bool> = (0..sites).map(|site| bytes[site / 8] >> (site % 8) & 1 == 1).collect();
        if occupied.iter().filter(|o| **o).count() != request.ions {
            return Err("a replica has another number of ions");
        }
        let (equilibration, rng, acceptance) = (self.equilibration()?, self.stream()?, self.f64()?);
        Ok(Settled { occupied, equilibration, rng, acceptance })
    }

    fn prepared<'m>(
        &mut self,
        request: &GasRequest<'m>,
        selection: Selection,
    ) -> Result<Prepared<'m>, Refused> {
        let engine = GasEngine::restored(request.model, selection, request.ions, self)?;
        let equilibration = self.equilibration()?;
        let [hop_rate, balance_error, clock] = [self.f64()?, self.f64()?, self.f64()?];
        let count = self.count(1)?;
        let blocks: Vec<Block> = (0..count).map(|_| self.block()).collect::<Result<_, _>>()?;
        let levels = |b: &Block| (b.first_ion_level, b.total_msd.len());
        if blocks.windows(2).any(|pair| levels(&pair[0]) != levels(&pair[1])) {
            return Err("blocks of different lengths are mixed");
        }
        Ok(Prepared { engine, equilibration, hop_rate, balance_error, clock, blocks })
    }
}

/// What a round asks of every replica.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Round {
    pub(super) selection: Selection,
    pub(super) pilot_acceptance: f64,
    pub(super) hops_per_block: u64,
    pub(super) wanted: usize,
}

/// What a file holds.
pub(super) enum Restored<'a> {
    /// Replicas on their way to equilibrium: those that are there.
    Settling(Vec<Option<Settled>>),
    /// All of them, and what is asked of them.
    Running(Round, Vec<Prepared<'a>>),
}

/// Whose run it is. What decides the states that a run goes through is in the digest; the rest tells a reader what differs.
fn header(request: &GasRequest<'_>) -> serde_json::Value {
    let GasRequest { model, ions, seed, selection, .. } = request;
    let engine = selection.map_or("by acceptance", Selection::name);
    let digest = blake3::hash(format!("{model:?} {ions} {seed} {engine}").as_bytes());
    serde_json::json!({
        "sites": model.sites(), "ions": ions, "seed": seed, "engine": engine, "digest": digest.to_hex().as_str(),
    })
}

/// What differs between a file's run and the present one.
fn differences(theirs: &serde_json::Value, ours: &serde_json::Value) -> String {
    let keys = ["sites", "ions", "seed", "engine"];
    let differing = keys.iter().filter(|key| theirs[**key] != ours[**key]);
    let said: Vec<String> =
        differing.map(|key| format!("{key} {} there, {} here", theirs[*key], ours[*key])).collect();
    if said.is_empty() {
        "sites, ions and seed are the same, lattice, energies or rate differ".into()
    } else {
        said.join("; ")
    }
}

/// All that follows the header.
fn restored<'a>(
    from: &mut Reader<'_>,
    request: &GasRequest<'a>,
    replicas: usize,
) -> Result<Restored<'a>, Refused> {
    let number = from.u8()?;
    let out = if number == 0 {
        let one = |from: &mut Reader<'_>| match from.u8()? {
            0 => Ok(None),
            _ => from.settled(request).map(Some),
        };
        Restored::Settling((0..replicas).map(|_| one(from)).collect::<Result<_, Refused>>()?)
    } else {
        let selection = *Selection::ALL.get(usize::from(number) - 1).ok_or("its engine is unknown")?;
        let (pilot_acceptance, hops_per_block) = (from.f64()?, from.u64()?);
        let wanted = from.u64()? as usize;
        if hops_per_block == 0 || wanted == 0 {
            return Err("its round asks for nothing");
        }
        let all = (0..replicas).map(|_| from.prepared(request, selection));
        let all: Vec<Prepared<'_>> = all.collect::<Result<_, Refused>>()?;
        if all.iter().any(|r| r.blocks.len() > wanted) {
            return Err("a replica has more blocks than its round asks for");
        }
        Restored::Running(Round { selection, pilot_acceptance, hops_per_block, wanted }, all)
    };
    if from.0.is_empty() { Ok(out) } else { Err("it goes on where its end is due") }
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
}

/// A file that a run keeps its state in.
#[derive(Debug)]
pub(super) struct Checkpoint {
    file: PathBuf,
    header: String,
    shared: Mutex<Shared>,
}

impl Checkpoint {
    /// For a run; nothing is read or written yet.
    pub(super) fn new(file: &Path, request: &GasRequest<'_>, replicas: usize) -> Self {
        let now = Instant::now();
        let slots = (0..replicas).map(|_| Slot { bytes: vec![0], saved: now }).collect();
        let shared = Shared { round: vec![0], slots, written: now, took: Duration::ZERO, failure: None };
        Self { file: file.to_path_buf(), header: header(request).to_string(), shared: Mutex::new(shared) }
    }

    fn refused(&self, reason: impl Into<String>) -> HoppingError {
        HoppingError::Checkpoint { file: self.file.display().to_string(), reason: reason.into() }
    }

    /// Reads the file; none where there is none.
    pub(super) fn read<'a>(
        &self,
        request: &GasRequest<'a>,
        replicas: usize,
    ) -> Result<Option<Restored<'a>>, HoppingError> {
        match std::fs::read(&self.file) {
            Ok(bytes) => self.parsed(&bytes, request, replicas).map(Some),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.refused(format!("cannot be read: {e}"))),
        }
    }

    fn parsed<'a>(
        &self,
        bytes: &[u8],
        request: &GasRequest<'a>,
        replicas: usize,
    ) -> Result<Restored<'a>, HoppingError> {
        let Some(rest) = bytes.strip_prefix(MAGIC) else {
            return Err(self.refused(format!(
                "is no checkpoint: its {} bytes do not begin with {:?}; it is left as it is, give another file",
                bytes.len(),
                String::from_utf8_lossy(MAGIC).trim_end()
            )));
        };
        let cut = |why: &str| {
            self.refused(format!(
                "is damaged: {why} ({} bytes); it is left as it is, put back a copy or remove it to begin anew",
                bytes.len()
            ))
        };
        let mut reader = Reader(rest);
        let version = reader.u32().map_err(cut)?;
        if version != VERSION {
            return Err(self.refused(format!("has version {version}, this program reads {VERSION}")));
        }
        let whole = bytes.len().saturating_sub(HASH);
        if bytes[whole..] != blake3::hash(&bytes[..whole]).as_bytes()[..] {
            return Err(cut("its content does not fit its hash"));
        }
        let length = reader.count(1).map_err(cut)?;
        let text = reader.take(length).map_err(cut)?;
        if text != self.header.as_bytes() {
            let theirs = serde_json::from_slice(text).unwrap_or_default();
            return Err(self.refused(format!(
                "is the checkpoint of another model ({}); it is left as it is, give another file",
                differences(&theirs, &header(request))
            )));
        }
        let body = reader.0.len().checked_sub(HASH).and_then(|n| reader.0.get(..n));
        let body = body.ok_or_else(|| cut("it ends early"))?;
        restored(&mut Reader(body), request, replicas).map_err(cut)
    }

    /// What is shared; a thread that panicked with the lock has left whole bytes behind.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of a state.
    fn bytes(&self, write: impl FnOnce(&mut Writer) -> Result<(), Refused>) -> Result<Slot, HoppingError> {
        let mut writer = Writer::default();
        write(&mut writer).map_err(|why| self.refused(why))?;
        Ok(Slot { bytes: writer.0, saved: Instant::now() })
    }

    /// Writes what is kept for the first time, which tells whether the file can be written.
    pub(super) fn begin(&self, kept: &[Option<Settled>]) -> Result<(), HoppingError> {
        let slots = kept.iter().map(|state| {
            self.bytes(|w| {
                w.u8(u8::from(state.is_some()));
                state.as_ref().map_or(Ok(()), |state| w.settled(state))
            })
        });
        let slots = slots.collect::<Result<Vec<Slot>, HoppingError>>()?;
        let mut shared = self.lock();
        shared.slots = slots;
        self.write(&mut shared);
        drop(shared);
        self.check()
    }

    /// Saves a replica in equilibrium.
    pub(super) fn settled(&self, index: usize, state: &Settled) -> Result<(), HoppingError> {
        let slot = self.bytes(|w| {
            w.u8(1);
            w.settled(state)
        })?;
        let mut shared = self.lock();
        if let Some(old) = shared.slots.get_mut(index) {
            *old = slot;
        }
        self.write(&mut shared);
        Ok(())
    }

    /// Saves all replicas and what is asked of them, at the beginning of a round and at the end of the run.
    pub(super) fn round(&self, round: Round, replicas: &[Prepared<'_>]) -> Result<(), HoppingError> {
        let slots = replicas.iter().map(|r| self.bytes(|w| w.prepared(r)));
        let slots = slots.collect::<Result<Vec<Slot>, HoppingError>>()?;
        let number = Selection::ALL.iter().position(|s| *s == round.selection).unwrap_or_default() as u8;
        let mut head = Writer::default();
        head.u8(number + 1);
        head.f64(round.pilot_acceptance);
        head.u64(round.hops_per_block);
        head.u64(round.wanted as u64);
        let mut shared = self.lock();
        (shared.round, shared.slots) = (head.0, slots);
        self.write(&mut shared);
        Ok(())
    }

    /// Saves a replica at the end of a block if that is due, and the file.
    pub(super) fn block(&self, index: usize, replica: &Prepared<'_>) -> Result<(), HoppingError> {
        {
            let shared = self.lock();
            if shared.slots.get(index).is_none_or(|s| s.saved.elapsed() < shared.pause()) {
                return Ok(());
            }
        }
        // Outside the lock: the other replicas go on meanwhile.
        let slot = self.bytes(|w| w.prepared(replica))?;
        let mut shared = self.lock();
        if let Some(old) = shared.slots.get_mut(index) {
            *old = slot;
        }
        if shared.written.elapsed() >= shared.pause() {
            self.write(&mut shared);
        }
        Ok(())
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
        out.all(MAGIC)?;
        out.all(&VERSION.to_le_bytes())?;
        out.all(&(self.header.len() as u32).to_le_bytes())?;
        out.all(self.header.as_bytes())?;
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
    pub(super) fn failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    /// The same as an error.
    pub(super) fn check(&self) -> Result<(), HoppingError> {
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
