//! Orbits of products of site functions.

use crate::error::ExpansionError;
use crate::prim::Prim;
use scalade_crystal::{LatticeSite, SymmetryOperation, site_images};
use scalade_handoff::species_hamiltonian::canonical_term;
use scalade_handoff::{ClusterOrbit, FunctionOrbit, SiteFactor};
use scalade_lattice::Cutoffs;
use std::collections::BTreeSet;

/// Most terms per cell that an expansion may hold.
const MOST_TERMS: usize = 1_000_000;

/// The orbits of an expansion: for every orbit of clusters of sites with a choice, the assignments of site functions to the sites of a cluster that no
/// operation of the space group takes into one another. Ordered by number of sites, diameter and functions.
pub fn function_orbits(prim: &Prim, cutoffs: &Cutoffs) -> Result<Vec<FunctionOrbit>, ExpansionError> {
    let lattice = prim.active_lattice();
    let active = prim.active();
    let operations: Vec<(SymmetryOperation, Vec<LatticeSite>)> = prim
        .space_group()
        .operations
        .iter()
        .map(|o| {
            let images = site_images(
                &lattice.lattice_angstrom,
                &lattice.sites_fractional,
                o,
                lattice.tolerance_angstrom,
            )?;
            Ok((*o, images))
        })
        .collect::<Result<_, ExpansionError>>()?;
    let functions: Vec<usize> = active.iter().map(|i| prim.choices().sites[*i].species.len() - 1).collect();
    let mut out: Vec<FunctionOrbit> = Vec::new();
    let mut terms = 0;
    for orbit in lattice.orbits(cutoffs)? {
        let decorated = decorate(&orbit, &functions, &operations);
        terms += decorated.iter().map(|o| o.terms.len()).sum::<usize>();
        if terms > MOST_TERMS {
            return Err(ExpansionError::TooMany { what: "terms per cell", count: terms, limit: MOST_TERMS });
        }
        out.extend(decorated);
    }
    for factor in out.iter_mut().flat_map(|o| o.terms.iter_mut().flatten()) {
        factor.site.basis = active[factor.site.basis];
    }
    Ok(out)
}

/// All assignments of functions to the clusters of an orbit, equivalent ones together.
fn decorate(
    orbit: &ClusterOrbit,
    functions: &[usize],
    operations: &[(SymmetryOperation, Vec<LatticeSite>)],
) -> Vec<FunctionOrbit> {
    let mut open: BTreeSet<Vec<SiteFactor>> = BTreeSet::new();
    for cluster in &orbit.clusters {
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
        open.extend(assigned.iter().map(|t| canonical_term(t)));
    }
    let mut found = Vec::new();
    while let Some(seed) = open.pop_first() {
        let image = |(operation, images): &(SymmetryOperation, Vec<LatticeSite>)| {
            let moved: Vec<SiteFactor> = seed
                .iter()
                .map(|f| {
                    let (turned, home) = (operation.rotate_cell(f.site.cell), images[f.site.basis]);
                    let cell = std::array::from_fn(|i| turned[i] + home.cell[i]);
                    SiteFactor { site: LatticeSite { cell, ..home }, ..*f }
                })
                .collect();
            canonical_term(&moved)
        };
        let mut members: BTreeSet<Vec<SiteFactor>> = operations.iter().map(image).collect();
        members.insert(seed.clone());
        for member in &members {
            open.remove(member);
        }
        found.push(FunctionOrbit {
            order: orbit.order,
            diameter_angstrom: orbit.diameter_angstrom,
            terms: members.into_iter().collect(),
        });
    }
    found
}
