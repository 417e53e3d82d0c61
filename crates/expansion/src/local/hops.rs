//! From the structures at the two ends of computed hops to events on the lattice.

use crate::error::ExpansionError;
use crate::local::EventClass;
use crate::prim::Prim;
use scalade_crystal::{LatticeSite, Structure, inverse, norm, row_times};
use scalade_handoff::local_expansion::{MOST_CHANGES, canonical_event};
use scalade_handoff::{Parity, SpeciesChange};
use scalade_lattice::{Arrangement, Exclusion, MappingSettings, SiteLattice, Supercell};
use thiserror::Error;

/// Two images of a site closer to being equally near than this are told as one distance, angstrom.
const SAME_DISTANCE: f64 = 0.05;
/// Most images of a site that are looked at.
const MOST_IMAGES: f64 = 1e6;

/// A computed hop: its ends, and a property of it.
#[derive(Clone, Debug)]
pub struct Hop {
    /// Name in the data set.
    pub id: String,
    /// The structure before.
    pub initial: Structure,
    /// The structure after, atoms in any order.
    pub last: Structure,
    /// The property, eV.
    pub value_ev: f64,
}

/// The kinetically resolved activation E_saddle - (E_initial + E_last)/2, the part of a barrier that both directions share.
///
/// ```
/// use scalade_expansion::local::kinetically_resolved_activation_ev;
/// let barrier = |ends: [f64; 2]| kinetically_resolved_activation_ev(ends, 0.5);
/// assert_eq!(barrier([0.0, 0.2]), 0.4);
/// ```
pub fn kinetically_resolved_activation_ev(ends_ev: [f64; 2], saddle_ev: f64) -> f64 {
    saddle_ev - 0.5 * (ends_ev[0] + ends_ev[1])
}

/// A hop on the lattice.
#[derive(Clone, Debug, PartialEq)]
pub struct ArrangedHop {
    /// Name in the data set.
    pub id: String,
    /// What changes. Its sites are neighbours as they stand: of the images of a site that the box repeats the nearest one is named.
    pub event: Vec<SpeciesChange>,
    /// The arrangement before; that after differs by the event alone.
    pub initial: Arrangement,
    /// Larger of the largest distances of atoms from their sites at both ends, angstrom.
    pub displacement_angstrom: f64,
    /// The property, eV.
    pub value_ev: f64,
}

/// Why a hop is left out.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum HopExclusion {
    /// Its property is no number.
    #[error("its value is {value_ev} eV; a finite number is due")]
    Value {
        /// The value.
        value_ev: f64,
    },
    /// An end is not on the lattice.
    #[error("its {end} structure does not belong to the lattice: {reason}")]
    End {
        /// Which of the two.
        end: &'static str,
        /// Why.
        reason: Exclusion,
    },
    /// Both ends are one arrangement.
    #[error("both ends are the same arrangement: no site changes its species")]
    NoChange,
    /// More changes than an event has.
    #[error(
        "{changes} sites change their species between the ends, at most {limit} do in an event; give the two ends of one hop in one cell"
    )]
    TooManyChanges {
        /// Sites that change.
        changes: usize,
        /// The limit.
        limit: usize,
    },
    /// A box in which it is not clear which images of the changed sites are neighbours.
    #[error(
        "the cell is too small: a changed site has two images about {distance_angstrom:.3} angstrom from others; give a larger cell"
    )]
    Ambiguous {
        /// Their distance.
        distance_angstrom: f64,
    },
    /// A box so oblique that the nearest image of a changed site is not found within 10^6.
    #[error(
        "the vectors of the cell are so oblique that the nearest image of a changed site {distance_angstrom:.3} angstrom away is not among the first million; give a reduced cell"
    )]
    Oblique {
        /// Distance in the cell as it stands.
        distance_angstrom: f64,
    },
    /// Symmetry does not make this event of the prototype.
    #[error("it is another kind of event than the prototype: no operation of the crystal joins the two")]
    OtherEvent,
}

/// A hop that is left out.
#[derive(Clone, Debug, PartialEq)]
pub struct ExcludedHop {
    /// Name in the data set.
    pub id: String,
    /// Why.
    pub reason: HopExclusion,
}

/// The fate of every hop: `arranged` and `excluded` together hold each exactly once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HopReport {
    /// Hops on the lattice.
    pub arranged: Vec<ArrangedHop>,
    /// Hops left out.
    pub excluded: Vec<ExcludedHop>,
}

/// Puts the ends of every hop on the lattice and finds the event between them.
pub fn arrange_hops(prim: &Prim, hops: &[Hop], settings: &MappingSettings) -> HopReport {
    let mut report = HopReport::default();
    for hop in hops {
        match arrange(prim, hop, settings) {
            Ok(arranged) => report.arranged.push(arranged),
            Err(reason) => report.excluded.push(ExcludedHop { id: hop.id.clone(), reason }),
        }
    }
    report
}

fn arrange(prim: &Prim, hop: &Hop, settings: &MappingSettings) -> Result<ArrangedHop, HopExclusion> {
    let value_ev = hop.value_ev;
    if !value_ev.is_finite() {
        return Err(HopExclusion::Value { value_ev });
    }
    let placed = prim
        .choices()
        .place_together(&[&hop.initial, &hop.last], settings)
        .map_err(|(n, reason)| HopExclusion::End { end: if n == 0 { "initial" } else { "last" }, reason })?;
    let Ok([initial, last]) = <[Arrangement; 2]>::try_from(placed) else {
        return Err(HopExclusion::NoChange);
    };
    let event = event_between(prim, &initial, &last)?;
    let furthest = |a: &Arrangement| a.anchor_displacement_angstrom.max(a.other_displacement_angstrom);
    let displacement_angstrom = furthest(&initial).max(furthest(&last));
    Ok(ArrangedHop { id: hop.id.clone(), event, initial, displacement_angstrom, value_ev })
}

/// The sites that differ, as neighbours.
fn event_between(
    prim: &Prim,
    initial: &Arrangement,
    last: &Arrangement,
) -> Result<Vec<SpeciesChange>, HopExclusion> {
    let supercell = &initial.supercell;
    let change = |(index, (before, after)): (usize, (&u8, &u8))| {
        let site =
            LatticeSite { cell: supercell.cell(index / supercell.basis()), basis: index % supercell.basis() };
        (before != after).then(|| SpeciesChange {
            site,
            before: usize::from(*before),
            after: usize::from(*after),
        })
    };
    let open: Vec<SpeciesChange> =
        initial.species.iter().zip(&last.species).enumerate().filter_map(change).collect();
    if open.len() > MOST_CHANGES {
        return Err(HopExclusion::TooManyChanges { changes: open.len(), limit: MOST_CHANGES });
    }
    if open.is_empty() {
        return Err(HopExclusion::NoChange);
    }
    gather(&prim.site_lattice(), supercell, open)
}

/// The changes as neighbours: the nearest one to those that are there already comes next, in the cell in which it is nearest. Any two that are as near to
/// each other as some that were joined so have to be neighbours without doubt.
fn gather(
    lattice: &SiteLattice,
    supercell: &Supercell,
    mut open: Vec<SpeciesChange>,
) -> Result<Vec<SpeciesChange>, HopExclusion> {
    let mut gathered: Vec<SpeciesChange> = open.pop().into_iter().collect();
    let mut longest: f64 = 0.0;
    while !open.is_empty() {
        let mut best: Option<(usize, NearestImage)> = None;
        for (n, candidate) in open.iter().enumerate() {
            for anchor in &gathered {
                let image = nearest_image(lattice, supercell, anchor.site, candidate.site)?;
                if best.as_ref().is_none_or(|b| image.distance_angstrom < b.1.distance_angstrom) {
                    best = Some((n, image));
                }
            }
        }
        let Some((n, image)) = best else { break };
        longest = longest.max(image.distance_angstrom);
        let taken = open.swap_remove(n);
        gathered.push(SpeciesChange { site: image.site, ..taken });
    }
    for (n, a) in gathered.iter().enumerate() {
        for b in &gathered[n + 1..] {
            let image = nearest_image(lattice, supercell, a.site, b.site)?;
            let distance_angstrom = image.distance_angstrom;
            let near = distance_angstrom < longest + SAME_DISTANCE;
            if near && !(image.unique && image.site == b.site) {
                return Err(HopExclusion::Ambiguous { distance_angstrom });
            }
        }
    }
    gathered.sort_unstable();
    Ok(gathered)
}

/// The image of a site that is nearest to another in a periodic box.
struct NearestImage {
    site: LatticeSite,
    distance_angstrom: f64,
    /// Whether no other image is as near.
    unique: bool,
}

fn nearest_image(
    lattice: &SiteLattice,
    supercell: &Supercell,
    anchor: LatticeSite,
    site: LatticeSite,
) -> Result<NearestImage, HopExclusion> {
    let matrix = supercell.matrix();
    let vectors = matrix.map(|row| row_times(row.map(|e| e as f64), &lattice.lattice_angstrom));
    let moved = |n: [i64; 3]| {
        let shift: [i64; 3] = std::array::from_fn(|j| (0..3).map(|i| n[i] * matrix[i][j]).sum::<i64>());
        let cell = std::array::from_fn(|j| site.cell[j].wrapping_add(shift[j] as i32));
        LatticeSite { cell, ..site }
    };
    let (a, b) = (lattice.position_angstrom(anchor), lattice.position_angstrom(site));
    let between = std::array::from_fn(|i| a[i] - b[i]);
    let oblique = || HopExclusion::Oblique { distance_angstrom: norm(between) };
    let inverse = inverse(&vectors).ok_or_else(oblique)?;
    let centre = row_times(between, &inverse).map(|f| f.round() as i64);
    // All images within the distance of the first one.
    let first = lattice.distance_angstrom(anchor, moved(centre)) + SAME_DISTANCE;
    let reach: [f64; 3] =
        std::array::from_fn(|i| (first * norm([inverse[0][i], inverse[1][i], inverse[2][i]])).ceil() + 1.0);
    if reach.iter().map(|r| 2.0 * r + 1.0).product::<f64>() > MOST_IMAGES {
        return Err(oblique());
    }
    let reach = reach.map(|r| r as i64);
    let mut found: Vec<(f64, LatticeSite)> = Vec::new();
    for i in -reach[0]..=reach[0] {
        for j in -reach[1]..=reach[1] {
            for k in -reach[2]..=reach[2] {
                let image = moved([centre[0] + i, centre[1] + j, centre[2] + k]);
                found.push((lattice.distance_angstrom(anchor, image), image));
            }
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    let Some(&(distance_angstrom, site)) = found.first() else { return Err(oblique()) };
    let unique = found.get(1).is_none_or(|next| next.0 - distance_angstrom >= SAME_DISTANCE);
    Ok(NearestImage { site, distance_angstrom, unique })
}

/// A kind of events among hops.
#[derive(Clone, Debug, PartialEq)]
pub struct HopKind {
    /// Its prototype: the canonical event of the first hop of this kind.
    pub event: Vec<SpeciesChange>,
    /// The hops that symmetry makes of it, by their position in the list.
    pub hops: Vec<usize>,
}

/// The kinds of events among the hops, the most frequent one first.
///
/// Errors: those of [`EventClass::new`].
pub fn hop_kinds(prim: &Prim, hops: &[ArrangedHop], parity: Parity) -> Result<Vec<HopKind>, ExpansionError> {
    let mut kinds: Vec<(EventClass, HopKind)> = Vec::new();
    for (n, hop) in hops.iter().enumerate() {
        if let Some((_, kind)) = kinds.iter_mut().find(|k| k.0.map_to(&hop.event).is_some()) {
            kind.hops.push(n);
            continue;
        }
        let event = canonical_event(&hop.event, parity);
        kinds.push((EventClass::new(prim, &event, parity)?, HopKind { event, hops: vec![n] }));
    }
    kinds.sort_by_key(|k| std::cmp::Reverse(k.1.hops.len()));
    Ok(kinds.into_iter().map(|k| k.1).collect())
}
