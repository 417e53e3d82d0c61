//! What a checkpoint holds of the run of several species: what the round asks, and the replicas that are there. See [`crate::checkpoint`] for the file around it.

use super::{REPLICAS, Replica, Round, SpeciesRequest, carriers, followed};
use crate::checkpoint::{Identity, Reader, Refused, Shape, Writer, digest};
use crate::sampling::ion_stride_level;
use crate::species::engine::SpeciesEngine;
use crate::species::sampling::{Cross, SpeciesBlock};
use crate::transport::samples_per_block;
use scalade_crystal::Matrix3;

/// Events of a block at most.
const MOST_EVENTS: u64 = 1 << 50;

/// Whose run it is. What decides the states that a run goes through is in the digest; the rest tells a reader what differs.
pub(super) fn identity(request: &SpeciesRequest<'_>) -> Identity {
    let SpeciesRequest { model, arrangement, sweeps, seed, .. } = request;
    let arranged = blake3::hash(arrangement);
    let digest = digest(format_args!("{:?} {arranged} {sweeps} {seed}", model.origin()));
    let counts = model.counts(arrangement);
    let atoms: serde_json::Map<_, _> =
        model.species().iter().cloned().zip(counts.into_iter().map(Into::into)).collect();
    Identity {
        header: serde_json::json!({
            "run": "several species", "sites": model.grid().sites(), "size": model.grid().dims(), "atoms": atoms,
            "temperature_K": model.temperature_k(), "seed": seed, "digest": digest,
        }),
        keys: &["sites", "size", "atoms", "temperature_K", "seed"],
        otherwise: "sites, atoms, temperature and seed are the same, lattice, energies or events differ",
    }
}

/// What a round asks.
pub(super) fn round(of: Round, out: &mut Writer) {
    out.u64(of.per_block);
    out.u64(of.wanted as u64);
}

/// A replica that is there.
pub(super) fn replica(of: &Replica<'_>, out: &mut Writer) -> Result<(), Refused> {
    out.u8(1);
    of.engine.save(out)?;
    out.equilibration(&of.equilibration);
    out.floats(&[of.balance_gap, of.rate_hz]);
    out.u8(u8::from(of.complete));
    out.u32(of.blocks.len() as u32);
    for block in &of.blocks {
        for (tracer, collective) in block.tracer.iter().zip(&block.collective) {
            // The two differ in nothing else.
            out.block(tracer);
            out.floats(&collective.uncorrelated);
        }
        for cross in &block.cross {
            for matrix in cross.msd.iter().chain(&cross.loss).chain([&cross.uncorrelated]) {
                out.floats(matrix.as_flattened());
            }
            out.f64(cross.interval_s);
        }
    }
    Ok(())
}

/// The round and the replicas that were written.
pub(super) fn restored<'a>(
    from: &mut Reader<'_>,
    request: &SpeciesRequest<'a>,
) -> Result<(Round, Vec<Option<Replica<'a>>>), Refused> {
    let round = Round { per_block: from.u64()?, wanted: from.u64()? as usize };
    if round.per_block == 0 || round.per_block > MOST_EVENTS || round.wanted == 0 {
        return Err("its round asks for nothing, or for more than any run can do");
    }
    let counts = request.model.counts(request.arrangement);
    let one = |from: &mut Reader<'_>| match from.u8()? {
        0 => Ok(None),
        _ => read(from, request, &counts, round).map(Some),
    };
    let replicas = (0..REPLICAS).map(|_| one(from)).collect::<Result<_, Refused>>()?;
    Ok((round, replicas))
}

fn read<'a>(
    from: &mut Reader<'_>,
    request: &SpeciesRequest<'a>,
    counts: &[usize],
    round: Round,
) -> Result<Replica<'a>, Refused> {
    let model = request.model;
    let engine = SpeciesEngine::restored(model, counts, from)?;
    let equilibration = from.equilibration()?;
    let (balance_gap, rate_hz, complete) = (from.f64()?, from.f64()?, from.u8()? != 0);
    let samples = samples_per_block(round.per_block, carriers(model, request.arrangement).max(1));
    let levels = samples.ilog2() as usize;
    let shape = |atoms: usize, carriers: usize| Shape {
        levels,
        first_ion_level: ion_stride_level(samples, atoms, atoms + carriers),
    };
    let shapes: Vec<Shape> =
        followed(model, &engine).iter().map(|f| shape(f.atoms.len(), f.carriers)).collect();
    let count = from.count(1)?;
    if count > round.wanted {
        return Err("a replica has more blocks than its round asks for");
    }
    let blocks = (0..count).map(|_| block(from, &shapes, levels)).collect::<Result<_, _>>()?;
    Ok(Replica { engine, equilibration, balance_gap, rate_hz, blocks, complete })
}

fn block(from: &mut Reader<'_>, shapes: &[Shape], levels: usize) -> Result<SpeciesBlock, Refused> {
    let (mut tracer, mut collective, mut cross) = (Vec::new(), Vec::new(), Vec::new());
    for shape in shapes {
        let one = from.block(*shape)?;
        let mut all = one.clone();
        all.uncorrelated = from.tensor()?;
        tracer.push(one);
        collective.push(all);
    }
    for _ in 0..shapes.len() * shapes.len().saturating_sub(1) / 2 {
        let msd = (0..levels).map(|_| matrix(from)).collect::<Result<_, _>>()?;
        let loss = (0..levels).map(|_| matrix(from)).collect::<Result<_, _>>()?;
        cross.push(Cross { msd, loss, uncorrelated: matrix(from)?, interval_s: from.f64()? });
    }
    Ok(SpeciesBlock { tracer, collective, cross })
}

fn matrix(from: &mut Reader<'_>) -> Result<Matrix3, Refused> {
    Ok([from.vector()?, from.vector()?, from.vector()?])
}
