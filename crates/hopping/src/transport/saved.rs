//! What a checkpoint holds of the run of one species of ions: the budget of the round and its replicas, those that are there. See [`crate::checkpoint`] for the
//! file around it.

use super::{Budget, MOST_REPLICAS, Replica, Setting, TransportRequest, samples_per_block};
use crate::checkpoint::{Identity, Reader, Refused, Shape, Writer, digest};
use crate::sampling::{Block, ion_stride_level};

/// Whose run it is. What decides the states that a run goes through is in the digest; the rest tells a reader what differs.
pub(super) fn identity(request: &TransportRequest<'_>, ions: usize) -> Identity {
    let TransportRequest { network, hamiltonian, coefficients_ev, model, parameters, budget, .. } = request;
    let (grid, hops) = (network.grid(), network.network());
    let (seed, stream) = (request.seed, request.stream);
    let digest = digest(format_args!(
        "{hops:?} {:?} {hamiltonian:?} {coefficients_ev:?} {model:?} {parameters:?} {ions} {seed} {stream} {} {}",
        grid.dims(),
        budget.blocks_per_replica,
        budget.equilibration_sweeps
    ));
    Identity {
        header: serde_json::json!({
            "run": "an expansion with one ion", "sites": grid.sites(), "size": grid.dims(), "ions": ions,
            "temperature_K": parameters.temperature_k, "attempt_frequency_Hz": parameters.prefactor_hz,
            "seed": seed, "digest": digest,
        }),
        keys: &["sites", "size", "ions", "temperature_K", "attempt_frequency_Hz", "seed"],
        otherwise: "sites, ions, temperature and seed are the same, lattice, energies or activations differ",
    }
}

/// What a round asks.
pub(super) fn round(budget: &Budget, out: &mut Writer) {
    out.u64(budget.hops);
    out.u32(budget.replicas);
}

/// A replica that is there.
pub(super) fn replica(of: &Replica<'_>, out: &mut Writer) -> Result<(), Refused> {
    out.u8(1);
    of.engine.save(out)?;
    out.equilibration(&of.equilibration);
    out.floats(&[of.gap, of.hop_rate_hz, of.clock_s]);
    out.u64(of.attempts_per_hop);
    out.u8(u8::from(of.complete));
    out.u32(of.blocks.len() as u32);
    for block in &of.blocks {
        out.block(block);
    }
    Ok(())
}

/// The round and the replicas that were written.
pub(super) fn restored<'a>(
    from: &mut Reader<'_>,
    request: &TransportRequest<'a>,
    setting: &Setting<'a>,
) -> Result<(Budget, Vec<Option<Replica<'a>>>), Refused> {
    let budget = Budget { hops: from.u64()?, replicas: from.u32()?, ..request.budget };
    if budget.replicas > MOST_REPLICAS.max(request.budget.replicas) || budget.check().is_err() {
        return Err("its round asks for nothing, or for more than any run can do");
    }
    let (ions, sites) = (setting.ions, request.network.grid().sites());
    let blocks = u64::from(budget.replicas) * u64::from(budget.blocks_per_replica);
    let samples = samples_per_block(budget.hops / blocks, ions.min(sites - ions));
    let first_ion_level = ion_stride_level(samples, ions, sites);
    let shape = Shape { levels: samples.ilog2() as usize, first_ion_level };
    let most = budget.blocks_per_replica as usize;
    let one = |from: &mut Reader<'_>| match from.u8()? {
        0 => Ok(None),
        _ => read(from, setting, shape, most).map(Some),
    };
    let replicas = (0..budget.replicas).map(|_| one(from)).collect::<Result<_, Refused>>()?;
    Ok((budget, replicas))
}

fn read<'a>(
    from: &mut Reader<'_>,
    setting: &Setting<'a>,
    shape: Shape,
    most: usize,
) -> Result<Replica<'a>, Refused> {
    let engine = setting.idle.restored(from)?;
    let equilibration = from.equilibration()?;
    let [gap, hop_rate_hz, clock_s] = from.vector()?;
    let (attempts_per_hop, complete) = (from.counted()?, from.u8()? != 0);
    let count = from.count(1)?;
    if count > most {
        return Err("a replica has more blocks than its round asks for");
    }
    let blocks: Vec<Block> = (0..count).map(|_| from.block(shape)).collect::<Result<_, _>>()?;
    Ok(Replica { engine, equilibration, gap, hop_rate_hz, attempts_per_hop, clock_s, blocks, complete })
}
