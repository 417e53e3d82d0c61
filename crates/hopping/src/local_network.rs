//! Hop networks whose bonds are the events of local cluster expansions, each bond with the activation that its surroundings give it.
//!
//! A local cluster expansion ([`LocalExpansion`]) tells E_KRA of one event of the crystal as a sum of products of site functions around it; its symmetry
//! images are the hops of one kind. Where every site is held by one ion or empty, the expansion of a bond becomes
//! E_KRA = constant + sum_t c_t prod_(s in t) sigma_s with sigma = +1 (occupied) or -1 (vacant): see [`scalade_handoff::one_ion`].
//!
//! The attempt frequency of a kind of hops may have an expansion of its logarithm on the same orbits. A bond has it whichever way it is crossed, so that
//! forward and backward rate keep the ratio exp(-dE/kT); nor does it take part in the rule for missing barriers (see [`crate::rates`]), which is one of energies.

use crate::network::{HopBond, HopNetwork, shifted};
use crate::{HoppingError, error::exceeds};
use scalade_crystal::{LatticeSite, Matrix3, row_times};
use scalade_handoff::one_ion::product_in_spins;
use scalade_handoff::{LocalEvent, LocalExpansion, VACANT};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Fractional coordinates that differ by less are one.
const SAME_POSITION: f64 = 1e-3;
/// Lattice vectors that differ by less, relative to their length, are one.
const SAME_LATTICE: f64 = 1e-4;
/// Most terms of a bond.
const MOST_TERMS: usize = 4096;
/// Largest magnitude of the logarithm of what surroundings do to an attempt frequency: rates must fit a double.
const MOST_LN_ATTEMPTS: f64 = 250.0;

/// Activation that a bond has of its own, beside the laws that all bonds share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BondActivation {
    /// Part of E_KRA that is the same in all surroundings, eV.
    pub constant_ev: f64,
    /// Products of spins (sites relative to the cell of the bond's first end, none of them an end) with their coefficients, eV.
    pub terms: Vec<(Vec<LatticeSite>, f64)>,
    /// Attempt frequency of the bond in units of that of the run, but for what follows.
    pub attempts: f64,
    /// Products of spins like `terms` with their coefficients in the logarithm of the attempt frequency. Empty where it is the same in all surroundings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempt_terms: Vec<(Vec<LatticeSite>, f64)>,
}

impl BondActivation {
    /// Sites on which the activation or the attempt frequency depends.
    pub(crate) fn sites(&self) -> impl Iterator<Item = &LatticeSite> {
        self.terms.iter().chain(&self.attempt_terms).flat_map(|t| &t.0)
    }
}

impl Default for BondActivation {
    fn default() -> Self {
        Self { constant_ev: 0.0, terms: Vec::new(), attempts: 1.0, attempt_terms: Vec::new() }
    }
}

/// Hops of one kind.
#[derive(Clone, Copy, Debug)]
pub struct EventKind<'a> {
    /// Their activation.
    pub expansion: &'a LocalExpansion,
    /// Its coefficients: the best ones or a sample, eV.
    pub coefficients_ev: &'a [f64],
    /// Their attempt frequency in units of that of the run, but for what follows.
    pub attempts: f64,
    /// Coefficients, on the orbits of the expansion, of the logarithm of a factor of the attempt frequency that depends on the surroundings; none if it does not.
    pub ln_attempts: Option<&'a [f64]>,
}

/// What a sublattice of a local expansion is on the lattice of the ions.
#[derive(Clone, Copy)]
struct Home {
    /// Sublattice, and cells to add.
    site: LatticeSite,
    /// Index of the ion among the species of the site.
    ion: usize,
}

impl HopNetwork {
    /// The network whose bonds are the events of local expansions on a lattice (rows are vectors, angstrom) of sites that hold an ion or none.
    ///
    /// Errors: expansions of another lattice, with choices on other sites or of more than two species; events that are not one ion's hop to a vacancy; two
    /// events between the same sites.
    pub fn from_events(
        lattice_angstrom: Matrix3,
        basis_fractional: Vec<[f64; 3]>,
        kinds: &[EventKind<'_>],
    ) -> Result<Self, HoppingError> {
        let mut bonds: Vec<HopBond> = Vec::new();
        for (kind, of) in kinds.iter().enumerate() {
            crate::error::positive("attempt frequency of a kind of hops, relative", of.attempts)?;
            let homes = homes(&lattice_angstrom, &basis_fractional, of.expansion)
                .map_err(|reason| HoppingError::Event { kind, reason })?;
            for event in of.expansion.events()? {
                let bond = bond(&lattice_angstrom, &basis_fractional, of, &homes, &event)
                    .map_err(|reason| HoppingError::Event { kind, reason })?;
                let same = |other: &HopBond| {
                    other.from == bond.from && other.to == bond.to || reversed(other) == (bond.from, bond.to)
                };
                if bonds.iter().any(same) {
                    let reason = format!(
                        "two events join the same sites, {:.4} angstrom apart",
                        scalade_crystal::norm(bond.vector_angstrom)
                    );
                    return Err(HoppingError::Event { kind, reason });
                }
                bonds.push(bond);
            }
        }
        Self::of_bonds(lattice_angstrom, basis_fractional, bonds)
    }
}

/// A bond as seen from its other end.
fn reversed(bond: &HopBond) -> (usize, LatticeSite) {
    (bond.to.basis, LatticeSite { cell: bond.to.cell.map(|c| -c), basis: bond.from })
}

/// The sublattices of the ions for those of an expansion that have a choice.
fn homes(
    lattice: &Matrix3,
    basis: &[[f64; 3]],
    expansion: &LocalExpansion,
) -> Result<BTreeMap<usize, Home>, String> {
    let scale = lattice.iter().flatten().fold(0.0, |m: f64, v| m.max(v.abs()));
    let off = lattice
        .iter()
        .flatten()
        .zip(expansion.lattice_angstrom.iter().flatten())
        .fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()));
    if exceeds(off, SAME_LATTICE * scale) {
        return Err(format!(
            "its lattice vectors differ by up to {off:.4} angstrom from those of the energies; fit both with one primitive cell (expand --prim, barriers --prim)"
        ));
    }
    let mut out = BTreeMap::new();
    for (sublattice, site) in expansion.sites.iter().enumerate().filter(|s| s.1.species.len() > 1) {
        let place = |b: &[f64; 3]| -> Option<[i32; 3]> {
            let cells: [f64; 3] = std::array::from_fn(|a| (site.fractional[a] - b[a]).round());
            let near = (0..3).all(|a| (site.fractional[a] - b[a] - cells[a]).abs() < SAME_POSITION);
            near.then(|| cells.map(|c| c as i32))
        };
        let found = basis.iter().enumerate().find_map(|(k, b)| Some((k, place(b)?)));
        let Some((basis, cell)) = found else {
            return Err(format!(
                "its sublattice {sublattice} ({}) at {:?} is none of the sites of the ions",
                site.species.join(", "),
                site.fractional
            ));
        };
        let Some(ion) = site.ion() else {
            return Err(format!(
                "its sublattice {sublattice} takes {}; one ion and {VACANT} are due",
                site.species.join(", ")
            ));
        };
        out.insert(sublattice, Home { site: LatticeSite { cell, basis }, ion });
    }
    Ok(out)
}

fn on_lattice(homes: &BTreeMap<usize, Home>, site: LatticeSite) -> Result<LatticeSite, String> {
    let home =
        homes.get(&site.basis).ok_or_else(|| format!("a site of sublattice {} has no choice", site.basis))?;
    Ok(shifted(home.site, site.cell))
}

/// The bond of an event, from the cell of its first site.
fn bond(
    lattice: &Matrix3,
    basis: &[[f64; 3]],
    kind: &EventKind<'_>,
    homes: &BTreeMap<usize, Home>,
    event: &LocalEvent,
) -> Result<HopBond, String> {
    let ion = |change: &scalade_handoff::SpeciesChange| homes.get(&change.site.basis).map(|h| h.ion);
    let [first, second] = event.changes[..] else {
        return Err(format!(
            "{} sites change in an event; a hop of one ion changes two",
            event.changes.len()
        ));
    };
    let hop = ion(&first) == Some(first.before) && ion(&second) == Some(second.after);
    let back = ion(&first) == Some(first.after) && ion(&second) == Some(second.before);
    if !hop && !back {
        return Err("an event does not move one ion to a vacancy: the number of ions would change".into());
    }
    let (a, b) = (on_lattice(homes, first.site)?, on_lattice(homes, second.site)?);
    let origin = a.cell.map(|c| -c);
    let to = shifted(b, origin);
    let fractional: [f64; 3] =
        std::array::from_fn(|k| f64::from(to.cell[k]) + basis[to.basis][k] - basis[a.basis][k]);
    let activation = activation(kind, homes, event, origin)?;
    if activation.sites().any(|s| *s == to || *s == LatticeSite { cell: [0; 3], basis: a.basis }) {
        return Err("a cluster of its surroundings holds a site of the hop".into());
    }
    Ok(HopBond {
        from: a.basis,
        to,
        vector_angstrom: row_times(fractional, lattice),
        common: Vec::new(),
        surroundings: Vec::new(),
        activation,
    })
}

/// The expansions of an event in products of spins.
fn activation(
    kind: &EventKind<'_>,
    homes: &BTreeMap<usize, Home>,
    event: &LocalEvent,
    origin: [i32; 3],
) -> Result<BondActivation, String> {
    let (constant_ev, terms) = in_spins(kind, kind.coefficients_ev, homes, event, origin)?;
    let mut out = BondActivation { constant_ev, terms, attempts: kind.attempts, attempt_terms: Vec::new() };
    if let Some(coefficients) = kind.ln_attempts {
        let (constant, terms) = in_spins(kind, coefficients, homes, event, origin)?;
        let reach = constant.abs() + terms.iter().map(|t| t.1.abs()).sum::<f64>();
        if exceeds(reach, MOST_LN_ATTEMPTS) {
            return Err(format!(
                "its attempt frequencies in different surroundings may differ by factors of e^{reach:.0} from that of its kind; e^{MOST_LN_ATTEMPTS:.0} is the most"
            ));
        }
        out.attempts *= constant.exp();
        out.attempt_terms = terms;
    }
    Ok(out)
}

/// Products of spins with their coefficients.
type SpinTerms = Vec<(Vec<LatticeSite>, f64)>;

/// An expansion on the orbits of an event: its constant and its products of spins.
fn in_spins(
    kind: &EventKind<'_>,
    coefficients: &[f64],
    homes: &BTreeMap<usize, Home>,
    event: &LocalEvent,
    origin: [i32; 3],
) -> Result<(f64, SpinTerms), String> {
    let Some((constant, rest)) = coefficients.split_first() else {
        return Err("it has no coefficients".into());
    };
    if rest.len() != event.orbits.len() {
        return Err(format!(
            "{} coefficients for {} orbits and a constant",
            rest.len() + 1,
            event.orbits.len()
        ));
    }
    let mut sums: BTreeMap<Vec<LatticeSite>, f64> = BTreeMap::new();
    sums.insert(Vec::new(), *constant);
    for (orbit, coefficient) in event.orbits.iter().zip(rest).filter(|o| *o.1 != 0.0) {
        for term in &orbit.terms {
            let parts = product_in_spins(term, &kind.expansion.sites).ok_or_else(|| {
                "a cluster holds more than 12 sites, or a site without an ion and its vacancy".to_string()
            })?;
            for (sites, c) in parts {
                let moved: Result<Vec<LatticeSite>, String> =
                    sites.iter().map(|s| Ok(shifted(on_lattice(homes, *s)?, origin))).collect();
                let mut moved = moved?;
                moved.sort_unstable();
                *sums.entry(moved).or_insert(0.0) += c * coefficient / orbit.terms.len() as f64;
            }
        }
    }
    let constant = sums.remove(&Vec::new()).unwrap_or(0.0);
    let terms: SpinTerms = sums.into_iter().filter(|t| t.1 != 0.0).collect();
    if terms.len() > MOST_TERMS {
        return Err(format!("{} products of spins around a hop; {MOST_TERMS} are the most", terms.len()));
    }
    Ok((constant, terms))
}
