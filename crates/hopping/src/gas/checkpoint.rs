//! What a checkpoint holds of the run of a lattice gas: see [`crate::checkpoint`] for the file around it.

use super::engine::{GasEngine, Selection};
use super::transport::{GasRequest, Prepared, Settled};
use crate::HoppingError;
use crate::checkpoint::{Checkpoint, Identity, Reader, Refused, Shape, Writer, digest};
use crate::sampling::{Block, ion_stride_level};
use crate::transport::samples_per_block;
use std::path::Path;

/// Hops of a block at most.
const MOST_HOPS: u64 = 1 << 50;

impl Settled {
    fn save(&self, out: &mut Writer) -> Result<(), Refused> {
        out.occupation(&self.occupied);
        out.equilibration(&self.equilibration);
        out.stream(&self.rng)?;
        out.f64(self.acceptance);
        Ok(())
    }

    fn read(from: &mut Reader<'_>, request: &GasRequest<'_>) -> Result<Self, Refused> {
        let occupied = from.occupation(request.model.sites(), request.ions)?;
        let (equilibration, rng, acceptance) = (from.equilibration()?, from.stream()?, from.f64()?);
        Ok(Self { occupied, equilibration, rng, acceptance })
    }
}

impl<'a> Prepared<'a> {
    fn save(&self, out: &mut Writer) -> Result<(), Refused> {
        self.engine.save(out)?;
        out.equilibration(&self.equilibration);
        out.floats(&[self.hop_rate, self.balance_error, self.clock]);
        out.u32(self.blocks.len() as u32);
        for block in &self.blocks {
            out.block(block);
        }
        Ok(())
    }

    fn read(
        from: &mut Reader<'_>,
        request: &GasRequest<'a>,
        selection: Selection,
        shape: Shape,
    ) -> Result<Self, Refused> {
        let engine = GasEngine::restored(request.model, selection, request.ions, from)?;
        let equilibration = from.equilibration()?;
        let [hop_rate, balance_error, clock] = from.vector()?;
        let count = from.count(1)?;
        let blocks: Vec<Block> = (0..count).map(|_| from.block(shape)).collect::<Result<_, _>>()?;
        Ok(Self { engine, equilibration, hop_rate, balance_error, clock, blocks })
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

impl Round {
    fn save(self, out: &mut Writer) {
        let number = Selection::ALL.iter().position(|s| *s == self.selection).unwrap_or_default() as u8;
        out.u8(number + 1);
        out.f64(self.pilot_acceptance);
        out.u64(self.hops_per_block);
        out.u64(self.wanted as u64);
    }

    /// Windows of a block.
    fn shape(self, request: &GasRequest<'_>) -> Shape {
        let (ions, sites) = (request.ions, request.model.sites());
        let samples = samples_per_block(self.hops_per_block, ions.min(sites - ions));
        let first_ion_level = ion_stride_level(samples, ions, sites);
        Shape { levels: samples.ilog2() as usize, first_ion_level }
    }
}

/// What a file holds.
pub(super) enum Restored<'a> {
    /// Replicas on their way to equilibrium: those that are there.
    Settling(Vec<Option<Settled>>),
    /// All of them, and what is asked of them.
    Running(Round, Vec<Prepared<'a>>),
}

/// Whose run it is. What decides the states that a run goes through is in the digest; the rest tells a reader what differs.
fn identity(request: &GasRequest<'_>) -> Identity {
    let GasRequest { model, ions, seed, selection, .. } = request;
    let engine = selection.map_or("by acceptance", Selection::name);
    let digest = digest(format_args!("{model:?} {ions} {seed} {engine}"));
    Identity {
        header: serde_json::json!({
            "sites": model.sites(), "ions": ions, "seed": seed, "engine": engine, "digest": digest,
        }),
        keys: &["sites", "ions", "seed", "engine"],
        otherwise: "sites, ions and seed are the same, lattice, energies or rate differ",
    }
}

/// Reads all that follows the header, of so many replicas; the request has ions and vacancies.
fn restored<'a>(
    from: &mut Reader<'_>,
    request: &GasRequest<'a>,
    replicas: usize,
) -> Result<Restored<'a>, Refused> {
    let number = from.u8()?;
    if number == 0 {
        let one = |from: &mut Reader<'_>| match from.u8()? {
            0 => Ok(None),
            _ => Settled::read(from, request).map(Some),
        };
        return Ok(Restored::Settling((0..replicas).map(|_| one(from)).collect::<Result<_, Refused>>()?));
    }
    let selection = *Selection::ALL.get(usize::from(number) - 1).ok_or("its engine is unknown")?;
    let (pilot_acceptance, hops_per_block) = (from.f64()?, from.u64()?);
    let wanted = from.u64()? as usize;
    if hops_per_block == 0 || hops_per_block > MOST_HOPS || wanted == 0 {
        return Err("its round asks for nothing, or for more than any run can do");
    }
    let round = Round { selection, pilot_acceptance, hops_per_block, wanted };
    let shape = round.shape(request);
    let all = (0..replicas).map(|_| Prepared::read(from, request, selection, shape));
    let all: Vec<Prepared<'_>> = all.collect::<Result<_, Refused>>()?;
    if all.iter().any(|r| r.blocks.len() > wanted) {
        return Err("a replica has more blocks than its round asks for");
    }
    Ok(Restored::Running(round, all))
}

/// The file of a run of a lattice gas.
#[derive(Debug)]
pub(super) struct GasCheckpoint(Checkpoint);

impl GasCheckpoint {
    /// For a run; nothing is read or written yet.
    pub(super) fn new(file: &Path, request: &GasRequest<'_>) -> Self {
        Self(Checkpoint::new(file, identity(request)))
    }

    /// Reads the file; none where there is none.
    pub(super) fn read<'a>(
        &self,
        request: &GasRequest<'a>,
        replicas: usize,
    ) -> Result<Option<Restored<'a>>, HoppingError> {
        self.0.read(|from| restored(from, request, replicas))
    }

    /// Writes what is kept for the first time, which tells whether the file can be written.
    pub(super) fn begin(&self, kept: &[Option<Settled>]) -> Result<(), HoppingError> {
        let one = |state: &Option<Settled>, out: &mut Writer| {
            out.u8(u8::from(state.is_some()));
            state.as_ref().map_or(Ok(()), |state| state.save(out))
        };
        self.0.lay_out(|out| out.u8(0), kept, one)?;
        self.0.check()
    }

    /// Saves a replica in equilibrium.
    pub(super) fn settled(&self, index: usize, state: &Settled) -> Result<(), HoppingError> {
        self.0.save(index, |out| {
            out.u8(1);
            state.save(out)
        })
    }

    /// Saves all replicas and what is asked of them, at the beginning of a round and at the end of the run.
    pub(super) fn round(&self, round: Round, replicas: &[Prepared<'_>]) -> Result<(), HoppingError> {
        self.0.lay_out(|out| round.save(out), replicas, Prepared::save)
    }

    /// Saves a replica at the end of a block if that is due, and the file.
    pub(super) fn block(
        &self,
        index: usize,
        replica: &Prepared<'_>,
        wanted: usize,
    ) -> Result<(), HoppingError> {
        self.0.keep(index, replica.blocks.len() >= wanted, |out| replica.save(out))
    }

    /// Why the last writing failed, if it did.
    pub(super) fn failure(&self) -> Option<String> {
        self.0.failure()
    }

    /// The same as an error.
    pub(super) fn check(&self) -> Result<(), HoppingError> {
        self.0.check()
    }
}
