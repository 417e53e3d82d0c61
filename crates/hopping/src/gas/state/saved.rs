//! What has to be kept of a state, so that the same state can be made of it: who sits where, what each ion has travelled, the order of the vacancies, and the
//! hops made. Counts and rates follow from the occupation.

use super::{GasState, Travel, VACANT};
use crate::checkpoint::{Reader, Refused, Writer};
use crate::gas::model::GasModel;

/// A state as it was written.
#[derive(Debug)]
pub(in crate::gas) struct Saved {
    /// Sites of the ions on the grid of the model.
    sites: Vec<usize>,
    travels: Vec<Travel>,
    /// Sites of the vacancies, where they are listed.
    holes: Vec<usize>,
    made: Vec<Vec<u64>>,
    events: u64,
    /// Which sites are occupied.
    pub(in crate::gas) occupied: Vec<bool>,
}

/// Bytes of an ion: its site, three numbers of cells, and the sublattice on which it started.
const ION: usize = 17;

impl GasState<'_> {
    /// Writes the state.
    pub(in crate::gas) fn save(&self, out: &mut Writer) {
        out.u32(self.places.len() as u32);
        for (place, travel) in self.places.iter().zip(&self.travels) {
            out.u32(self.on_grid(*place) as u32);
            for cells in travel.cells {
                out.u32(cells as u32);
            }
            out.u8(travel.start);
        }
        let holes = self.holes.as_deref().unwrap_or_default();
        out.u32(holes.len() as u32);
        for hole in holes {
            out.u32(self.on_grid(*hole) as u32);
        }
        for made in self.made.iter().flatten() {
            out.u64(*made);
        }
        out.u64(self.events);
    }

    /// Puts what was written into a state that was made from its occupation.
    pub(in crate::gas) fn put(&mut self, saved: Saved) -> Result<(), Refused> {
        let Saved { sites, travels, holes, made, events, .. } = saved;
        if holes.len() != self.holes.as_ref().map_or(0, Vec::len) {
            return Err("a replica has another number of vacancies");
        }
        for (ion, site) in sites.iter().enumerate() {
            let here = self.here(*site);
            self.holder[here] = ion as u32;
            self.places[ion] = self.shape.place(here);
        }
        for (number, site) in holes.iter().enumerate() {
            let here = self.here(*site);
            let place = self.shape.place(here);
            self.holder[here] = VACANT | number as u32;
            if let Some(old) = self.holes.as_mut().and_then(|list| list.get_mut(number)) {
                *old = place;
            }
        }
        (self.travels, self.made, self.events) = (travels, made, events);
        Ok(())
    }
}

impl Saved {
    /// Reads a state of so many ions.
    pub(in crate::gas) fn read(
        model: &GasModel,
        ions: usize,
        from: &mut Reader<'_>,
    ) -> Result<Self, Refused> {
        let mut occupied = vec![false; model.sites()];
        if from.count(ION)? != ions {
            return Err("a replica has another number of ions");
        }
        let (mut sites, mut travels) = (Vec::with_capacity(ions), Vec::with_capacity(ions));
        for _ in 0..ions {
            let site = from.u32()? as usize;
            match occupied.get_mut(site) {
                Some(free) if !*free => *free = true,
                _ => return Err("two ions share a site, or one is outside the box"),
            }
            let cells = from.cells()?;
            let start = from.u8()?;
            if usize::from(start) >= model.basis().len() {
                return Err("an ion started on a sublattice that there is not");
            }
            sites.push(site);
            travels.push(Travel { cells, start });
        }
        let count = from.count(4)?;
        let (mut holes, mut seen) = (Vec::with_capacity(count), occupied.clone());
        for _ in 0..count {
            let site = from.u32()? as usize;
            match seen.get_mut(site) {
                Some(free) if !*free => *free = true,
                _ => return Err("a vacancy is on an ion or another one"),
            }
            holes.push(site);
        }
        let row = |list: &Vec<_>, from: &mut Reader<'_>| list.iter().map(|_| from.counted()).collect();
        let made = model.hops().iter().map(|list| row(list, from)).collect::<Result<_, _>>()?;
        Ok(Self { sites, travels, holes, made, events: from.counted()?, occupied })
    }
}
