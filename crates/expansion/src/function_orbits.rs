//! Orbits of products of site functions.

use crate::error::ExpansionError;
use crate::prim::Prim;
use scalade_crystal::LatticeSite;
use scalade_handoff::species_hamiltonian::canonical_term;
use scalade_handoff::{FunctionOrbit, SiteFactor, SiteMap};
use scalade_lattice::Cutoffs;
use std::collections::BTreeSet;

/// Most terms per cell, or about an event, that an expansion may hold.
pub(crate) const MOST_TERMS: usize = 1_000_000;

/// The orbits of an expansion: for every orbit of clusters of sites with a choice, the assignments of site functions to the sites of a cluster that no
/// operation of the space group takes into one another. Ordered by number of sites, diameter and functions.
pub fn function_orbits(prim: &Prim, cutoffs: &Cutoffs) -> Result<Vec<FunctionOrbit>, ExpansionError> {
    let (active, functions, maps) = (prim.active(), prim.function_counts(), prim.site_maps()?);
    let mut out: Vec<FunctionOrbit> = Vec::new();
    let mut terms = 0;
    for mut orbit in prim.active_lattice().orbits(cutoffs)? {
        for site in orbit.clusters.iter_mut().flatten() {
            site.basis = active[site.basis];
        }
        let decorated = decorate(&orbit.clusters, &functions, &maps, canonical_term)?;
        terms += decorated.iter().map(Vec::len).sum::<usize>();
        if terms > MOST_TERMS {
            return Err(ExpansionError::TooMany { what: "terms per cell", count: terms, limit: MOST_TERMS });
        }
        out.extend(decorated.into_iter().map(|terms| FunctionOrbit {
            order: orbit.order,
            diameter_angstrom: orbit.diameter_angstrom,
            terms,
        }));
    }
    Ok(out)
}

/// All assignments of site functions to the sites of clusters, those together that the maps take into one another. `functions` counts those of each
/// sublattice; terms are told apart by their `canonical` form, in which they are given.
pub(crate) fn decorate(
    clusters: &[Vec<LatticeSite>],
    functions: &[usize],
    maps: &[SiteMap],
    canonical: impl Fn(&[SiteFactor]) -> Vec<SiteFactor>,
) -> Result<Vec<Vec<Vec<SiteFactor>>>, ExpansionError> {
    let assignments = |cluster: &Vec<LatticeSite>| {
        cluster.iter().fold(1usize, |count, site| count.saturating_mul(functions[site.basis]))
    };
    let count = clusters.iter().fold(0usize, |sum, cluster| sum.saturating_add(assignments(cluster)));
    if count > MOST_TERMS {
        return Err(ExpansionError::TooMany { what: "terms of equal clusters", count, limit: MOST_TERMS });
    }
    let mut open: BTreeSet<Vec<SiteFactor>> = BTreeSet::new();
    for cluster in clusters {
        let mut assigned: Vec<Vec<SiteFactor>> = vec![Vec::new()];
        for site in cluster {
            assigned = assigned
                .into_iter()
                .flat_map(|term| {
                    (1..=functions[site.basis]).map(move |function| {
                        let mut longer = term.clone();
                        longer.push(SiteFactor { site: *site, function });
                        longer
                    })
                })
                .collect();
        }
        open.extend(assigned.iter().map(|t| canonical(t)));
    }
    let mut found = Vec::new();
    while let Some(seed) = open.pop_first() {
        let mut members: BTreeSet<Vec<SiteFactor>> =
            maps.iter().map(|map| canonical(&map.term_image(&seed))).collect();
        members.insert(seed);
        for member in &members {
            open.remove(member);
        }
        found.push(members.into_iter().collect());
    }
    Ok(found)
}
