//! Clusters about an event, and the orbits that its symmetry makes of them.

use crate::error::ExpansionError;
use crate::function_orbits::{MOST_TERMS, decorate};
use crate::prim::Prim;
use scalade_crystal::LatticeSite;
use scalade_handoff::local_expansion::{check_event, sorted, stabiliser};
use scalade_handoff::{FunctionOrbit, Parity, SiteMap, SpeciesChange};
use scalade_lattice::{LatticeError, SiteLattice};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most clusters about an event.
const MOST_CLUSTERS: usize = 1_000_000;
/// Most distances that are looked at in the search for clusters: a second or so.
const MOST_DISTANCES: usize = 200_000_000;
/// Lengths closer than this count as one where orbits are put in order, angstrom.
const SAME_LENGTH: f64 = 1e-3;

/// Which clusters take part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalCutoffs {
    /// Entry k: how far the sites of clusters of k + 1 sites may be from the nearest site of the event, angstrom.
    pub radius_angstrom: Vec<f64>,
    /// Entry k: how far two sites of clusters of k + 2 sites may be from each other, angstrom; where there is none, as far as the radius lets them.
    #[serde(default)]
    pub diameter_angstrom: Vec<f64>,
}

impl LocalCutoffs {
    fn check(&self) -> Result<(), ExpansionError> {
        for length in self.radius_angstrom.iter().chain(&self.diameter_angstrom) {
            let holds = length.is_finite() && *length >= 0.0;
            LatticeError::require(holds, "local cutoff (angstrom)", *length, "a length is due")?;
        }
        let (radii, diameters) = (self.radius_angstrom.len(), self.diameter_angstrom.len());
        if diameters > radii.saturating_sub(1) {
            let (expected, got) = (radii.saturating_sub(1), diameters);
            return Err(ExpansionError::Length {
                what: "diameters (one less than there are radii)",
                expected,
                got,
            });
        }
        Ok(())
    }
}

/// Distance from the event of the furthest site of a cluster, angstrom.
pub fn reach_angstrom(prim: &Prim, event: &[SpeciesChange], cluster: &[LatticeSite]) -> f64 {
    let lattice = prim.site_lattice();
    let near = |site: &LatticeSite| {
        event.iter().map(|c| lattice.distance_angstrom(c.site, *site)).fold(f64::INFINITY, f64::min)
    };
    cluster.iter().map(near).fold(0.0, f64::max)
}

/// The orbits of a local expansion: for every set of equivalent clusters of sites with a choice about the event, the assignments of site functions that no
/// operation of the event takes into one another. Operations of the event are those of the space group, with a translation, that leave it as it is or,
/// for an even property, reverse it. `diameter_angstrom` is the largest distance between two sites of a cluster, 0 of a point. Ordered by number of sites,
/// [`reach_angstrom`], diameter and functions.
///
/// Errors: an event that cannot be, cutoffs that are no lengths, more than 10^6 clusters or terms, a search through more than 2 10^8 distances.
pub fn local_orbits(
    prim: &Prim,
    event: &[SpeciesChange],
    parity: Parity,
    cutoffs: &LocalCutoffs,
) -> Result<Vec<FunctionOrbit>, ExpansionError> {
    cutoffs.check()?;
    check_event(&prim.hand_off_sites(), event)?;
    let functions = prim.function_counts();
    let group = stabiliser(&prim.site_maps()?, event, parity);
    let lattice = prim.site_lattice();
    let mut found: Vec<([f64; 2], Vec<LatticeSite>, FunctionOrbit)> = Vec::new();
    let mut terms = 0;
    for (k, radius) in cutoffs.radius_angstrom.iter().enumerate() {
        let order = k + 1;
        let diameter = if k == 0 { None } else { cutoffs.diameter_angstrom.get(k - 1).copied() };
        let near = surroundings(&lattice, event, *radius, &functions)?;
        for clusters in equivalent(clusters(&lattice, &near, order, diameter)?, &group) {
            let Some(first) = clusters.first().cloned() else { continue };
            let lengths = [reach_angstrom(prim, event, &first), lattice.diameter_angstrom(&first)];
            let decorated = decorate(&clusters, &functions, &group, |t| sorted(t.to_vec()))?;
            terms += decorated.iter().map(Vec::len).sum::<usize>();
            if terms > MOST_TERMS {
                let (what, count, limit) = ("terms about an event", terms, MOST_TERMS);
                return Err(ExpansionError::TooMany { what, count, limit });
            }
            found.extend(decorated.into_iter().map(|terms| {
                (lengths, first.clone(), FunctionOrbit { order, diameter_angstrom: lengths[1], terms })
            }));
        }
    }
    // Lengths of equivalent clusters differ by rounding: whole steps of a length are compared.
    let steps = |lengths: &[f64; 2]| lengths.map(|l| (l / SAME_LENGTH).round() as i64);
    found.sort_by(|a, b| {
        (a.2.order, steps(&a.0), &a.1, &a.2.terms).cmp(&(b.2.order, steps(&b.0), &b.1, &b.2.terms))
    });
    Ok(found.into_iter().map(|f| f.2).collect())
}

/// Sites with a choice within the radius of a site of the event, those of the event left out, in order.
fn surroundings(
    lattice: &SiteLattice,
    event: &[SpeciesChange],
    radius_angstrom: f64,
    functions: &[usize],
) -> Result<Vec<LatticeSite>, ExpansionError> {
    let mut near: BTreeSet<LatticeSite> = BTreeSet::new();
    for change in event {
        let from = change.site;
        for site in lattice.neighbours(from.basis, radius_angstrom)? {
            if functions[site.basis] > 0 {
                let cell = std::array::from_fn(|i| site.cell[i] + from.cell[i]);
                near.insert(LatticeSite { cell, ..site });
            }
        }
    }
    for change in event {
        near.remove(&change.site);
    }
    Ok(near.into_iter().collect())
}

/// All sets of `order` of the sites with no two further apart than the diameter, each in order.
fn clusters(
    lattice: &SiteLattice,
    near: &[LatticeSite],
    order: usize,
    diameter_angstrom: Option<f64>,
) -> Result<BTreeSet<Vec<LatticeSite>>, ExpansionError> {
    let close = |a: LatticeSite, b: LatticeSite| {
        diameter_angstrom.is_none_or(|d| lattice.distance_angstrom(a, b) <= d + lattice.tolerance_angstrom)
    };
    let mut out = BTreeSet::new();
    let mut stack: Vec<(Vec<LatticeSite>, usize)> = vec![(Vec::new(), 0)];
    let mut distances = 0usize;
    while let Some((cluster, from)) = stack.pop() {
        if cluster.len() == order {
            out.insert(cluster);
            if out.len() > MOST_CLUSTERS {
                let (what, count, limit) = ("clusters about an event", out.len(), MOST_CLUSTERS);
                return Err(ExpansionError::TooMany { what, count, limit });
            }
            continue;
        }
        // As many sites as are still missing have to follow the next one.
        let end = (near.len() + cluster.len() + 1).saturating_sub(order);
        distances = distances.saturating_add(end.saturating_sub(from).saturating_mul(cluster.len()));
        if distances > MOST_DISTANCES {
            let (what, count, limit) =
                ("distances in the search for clusters about an event", distances, MOST_DISTANCES);
            return Err(ExpansionError::TooMany { what, count, limit });
        }
        for (n, candidate) in near.iter().enumerate().take(end).skip(from) {
            if cluster.iter().all(|s| close(*s, *candidate)) {
                let mut grown = cluster.clone();
                grown.push(*candidate);
                stack.push((grown, n + 1));
            }
        }
    }
    Ok(out)
}

/// The clusters, those together that the maps take into one another.
fn equivalent(mut open: BTreeSet<Vec<LatticeSite>>, maps: &[SiteMap]) -> Vec<Vec<Vec<LatticeSite>>> {
    let mut out = Vec::new();
    while let Some(seed) = open.pop_first() {
        let image = |map: &SiteMap| {
            let mut moved: Vec<LatticeSite> = seed.iter().map(|s| map.image(*s)).collect();
            moved.sort_unstable();
            moved
        };
        let mut members: BTreeSet<Vec<LatticeSite>> = maps.iter().map(image).collect();
        members.insert(seed);
        for member in &members {
            open.remove(member);
        }
        out.push(members.into_iter().collect());
    }
    out
}
