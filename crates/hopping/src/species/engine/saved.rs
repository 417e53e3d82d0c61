//! What has to be kept of the engine to go on to the same bits: who sits where and what each atom has travelled, and the sums of the events that can happen,
//! which are changed event by event and carry their rounding. Which events can happen follows from the arrangement, their rates from the sums, and the sums of
//! rates from the rates, whatever came before.

use super::{NONE, SpeciesEngine};
use crate::checkpoint::{NO_ENGINE, Reader, Refused, Writer};
use crate::gas::selector::Selector;
use crate::species::model::SpeciesModel;

/// No atom is on a site.
const NOBODY: u32 = u32::MAX;

impl<'m> SpeciesEngine<'m> {
    /// Writes what has to be kept to go on from here.
    pub(in crate::species) fn save(&self, out: &mut Writer) -> Result<(), Refused> {
        out.bytes(&self.arrangement());
        for atom in &self.holder {
            out.u32(*atom);
        }
        out.floats(self.displacement.as_flattened());
        out.stream(&self.rng)?;
        out.floats(&[self.time_s, self.deviation]);
        out.u64(self.events);
        out.u64(self.last_resync);
        for count in self.made.as_flattened() {
            out.u64(*count);
        }
        for slot in self.slots.iter().filter(|s| s.event != NONE) {
            out.floats(&slot.values);
        }
        Ok(())
    }

    /// The engine that was written, with the numbers of atoms of each species that are due.
    pub(in crate::species) fn restored(
        model: &'m SpeciesModel,
        counts: &[usize],
        from: &mut Reader<'_>,
    ) -> Result<Self, Refused> {
        let sites = model.grid().sites();
        let arrangement = from.take(sites)?;
        model.check_arrangement(arrangement).map_err(|_| NO_ENGINE)?;
        if model.counts(arrangement) != counts {
            return Err("a replica has other numbers of atoms");
        }
        let mut place = vec![NOBODY; sites];
        let mut holder = Vec::with_capacity(sites);
        for site in 0..sites {
            let atom = from.u32()?;
            match place.get_mut(atom as usize) {
                Some(free) if *free == NOBODY => *free = site as u32,
                _ => return Err("an atom is on two sites, or there is none of its number"),
            }
            holder.push(atom);
        }
        let displacement = (0..sites).map(|_| from.vector()).collect::<Result<Vec<_>, _>>()?;
        let rng = from.stream()?;
        let mut out = Self::new(model, arrangement, rng).map_err(|_| NO_ENGINE)?;
        (out.time_s, out.deviation) = (from.f64()?, from.f64()?);
        (out.events, out.last_resync) = (from.counted()?, from.counted()?);
        if out.last_resync > out.events || out.time_s.is_nan() || out.time_s < 0.0 {
            return Err("a clock runs backwards");
        }
        for count in out.made.as_flattened_mut() {
            *count = from.counted()?;
        }
        // Atoms were numbered by the sites of the arrangement with numbers of their own; now each is on a site of its species.
        let basis = model.grid().basis();
        let species =
            |site: u32| model.global(site as usize % basis, usize::from(arrangement[site as usize]));
        out.kind = place.iter().map(|site| species(*site) as u8).collect();
        (out.holder, out.displacement) = (holder, displacement);
        for number in 0..out.slots.len() {
            if out.slots[number].event == NONE {
                continue;
            }
            out.slots[number].values = [from.f64()?, from.f64()?];
            out.set_rate(number);
        }
        out.tree.settle();
        Ok(out)
    }
}
