//! The events that symmetry makes of one, and the map that leads to each.

use crate::correlations::check;
use crate::error::ExpansionError;
use crate::prim::Prim;
use scalade_crystal::LatticeSite;
use scalade_handoff::local_expansion::{
    canonical_event, check_event, event_maps, orbit_means, reversed, translation,
};
use scalade_handoff::{FunctionOrbit, Parity, SiteMap, SpeciesChange, SpeciesSite};
use scalade_lattice::Supercell;
use std::collections::BTreeMap;

/// All events that translations and the space group (and, for an even property, reversal) make of a prototype.
#[derive(Clone, Debug)]
pub struct EventClass {
    sites: Vec<SpeciesSite>,
    parity: Parity,
    /// Maps from the prototype to each event of a primitive cell in its canonical form.
    maps: BTreeMap<Vec<SpeciesChange>, SiteMap>,
}

impl EventClass {
    /// The class of an event.
    ///
    /// Errors: an event that cannot be.
    pub fn new(prim: &Prim, event: &[SpeciesChange], parity: Parity) -> Result<Self, ExpansionError> {
        let sites = prim.hand_off_sites();
        check_event(&sites, event)?;
        let maps = event_maps(&prim.site_maps()?, event, parity).into_iter().collect();
        Ok(Self { sites, parity, maps })
    }

    /// Number of events of a primitive cell.
    pub fn multiplicity(&self) -> usize {
        self.maps.len()
    }

    /// The events of a primitive cell.
    pub fn events(&self) -> impl Iterator<Item = &[SpeciesChange]> {
        self.maps.keys().map(Vec::as_slice)
    }

    /// The map that takes the prototype and what is around it to an event; `None` if symmetry does not make this event of it.
    pub fn map_to(&self, event: &[SpeciesChange]) -> Option<SiteMap> {
        let canonical = canonical_event(event, self.parity);
        let map = self.maps.get(&canonical)?;
        let by = translation(&canonical, event).or_else(|| translation(&canonical, &reversed(event)))?;
        Some(map.clone().moved(by))
    }

    /// For every orbit about the prototype the mean of its products of site functions about an event of this class, in an arrangement of a supercell.
    ///
    /// Errors: [`ExpansionError::OtherEvent`], and an arrangement that does not belong to the sites.
    pub fn correlations(
        &self,
        orbits: &[FunctionOrbit],
        event: &[SpeciesChange],
        supercell: &Supercell,
        species: &[u8],
    ) -> Result<Vec<f64>, ExpansionError> {
        check(&self.sites, supercell, species)?;
        let map = self.map_to(event).ok_or(ExpansionError::OtherEvent { sites: event.len() })?;
        let at = |site: LatticeSite| usize::from(species[supercell.index(map.image(site))]);
        Ok(orbit_means(orbits, &self.sites, at))
    }
}
