//! A motif: a block of sites, and where the terms of an expansion stand in it.

use super::polynomial::{Functions, Monomial, Polynomial};
use crate::error::ExpansionError;
use scalade_crystal::LatticeSite;
use scalade_handoff::species_hamiltonian::canonical_term;
use scalade_handoff::{SiteFactor, SpeciesHamiltonian};
use std::collections::BTreeMap;

/// Largest extent of a motif in cells.
const FURTHEST: i32 = 6;

/// Products that are translations of one another, and their places in the motif.
#[derive(Clone, Debug)]
pub(super) struct Class {
    /// Coefficient of the expansion, eV per term.
    pub(super) coefficient_ev: f64,
    /// Numbers of the products in the polynomial, one for each place.
    pub(super) places: Vec<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Motif {
    pub(super) sites: Vec<LatticeSite>,
    pub(super) polynomial: Polynomial,
    pub(super) classes: Vec<Class>,
    /// By sublattice: positions in the motif.
    pub(super) positions: Vec<Vec<usize>>,
}

fn block(hamiltonian: &SpeciesHamiltonian, cells: [i32; 3]) -> Vec<LatticeSite> {
    let active: Vec<usize> =
        (0..hamiltonian.sites.len()).filter(|b| hamiltonian.sites[*b].species.len() > 1).collect();
    let mut out = Vec::new();
    for i in 0..cells[0] {
        for j in 0..cells[1] {
            for k in 0..cells[2] {
                out.extend(active.iter().map(|basis| LatticeSite { cell: [i, j, k], basis: *basis }));
            }
        }
    }
    out
}

/// Extent of the terms of an expansion in cells along each lattice vector.
fn extent(hamiltonian: &SpeciesHamiltonian) -> [i32; 3] {
    let mut out = [1; 3];
    for (orbit, c) in hamiltonian.orbits.iter().zip(&hamiltonian.coefficients_ev[1..]) {
        if *c == 0.0 {
            continue;
        }
        for term in &orbit.terms {
            for (axis, o) in out.iter_mut().enumerate() {
                let cells = term.iter().map(|f| f.site.cell[axis]);
                let (low, high) = (cells.clone().min().unwrap_or(0), cells.max().unwrap_or(0));
                *o = (*o).max(high - low + 1);
            }
        }
    }
    out
}

impl Motif {
    /// The smallest block that holds every term of the expansion, made longer where it is shortest while it has at most `most_sites` sites.
    ///
    /// Errors: a block that holds all terms has more sites than that.
    pub(super) fn new(hamiltonian: &SpeciesHamiltonian, most_sites: usize) -> Result<Self, ExpansionError> {
        let mut cells = extent(hamiltonian);
        let count = |cells: [i32; 3]| block(hamiltonian, cells).len();
        if count(cells) > most_sites {
            return Err(ExpansionError::TooMany {
                what: "sites of the smallest block that holds every cluster",
                count: count(cells),
                limit: most_sites,
            });
        }
        loop {
            let mut axes = [0, 1, 2];
            axes.sort_by_key(|a| cells[*a]);
            let longer = axes.into_iter().find_map(|axis| {
                let mut next = cells;
                next[axis] += 1;
                (next[axis] <= FURTHEST && count(next) <= most_sites).then_some(next)
            });
            match longer {
                Some(next) => cells = next,
                None => break,
            }
        }
        Self::of_sites(hamiltonian, block(hamiltonian, cells))
    }

    fn of_sites(hamiltonian: &SpeciesHamiltonian, sites: Vec<LatticeSite>) -> Result<Self, ExpansionError> {
        let functions: Vec<Functions> =
            sites.iter().map(|s| hamiltonian.sites[s.basis].functions.clone()).collect();
        let place: BTreeMap<LatticeSite, usize> = sites.iter().enumerate().map(|(k, s)| (*s, k)).collect();
        let mut terms: BTreeMap<Vec<SiteFactor>, f64> = BTreeMap::new();
        for (orbit, c) in hamiltonian.orbits.iter().zip(&hamiltonian.coefficients_ev[1..]) {
            for term in orbit.terms.iter().filter(|_| *c != 0.0) {
                *terms.entry(canonical_term(term)).or_default() += c;
            }
        }
        // Pairs and points that the expansion does not have tie the motif to its translations too.
        for (k, a) in sites.iter().enumerate() {
            for f in 1..=functions[k].len() {
                let point = SiteFactor { site: *a, function: f };
                terms.entry(canonical_term(&[point])).or_default();
                for (l, b) in sites.iter().enumerate().skip(k + 1) {
                    for g in 1..=functions[l].len() {
                        let pair = [point, SiteFactor { site: *b, function: g }];
                        terms.entry(canonical_term(&pair)).or_default();
                    }
                }
            }
        }
        let placed: Vec<(f64, Vec<Monomial>)> =
            terms.iter().map(|(term, c)| (*c, places(term, &sites, &place))).collect();
        let polynomial = Polynomial::new(functions, placed.iter().flat_map(|p| p.1.iter().cloned()));
        let classes = placed
            .into_iter()
            .map(|(coefficient_ev, monomials)| {
                let places = monomials.iter().filter_map(|m| polynomial.number(m)).collect();
                Class { coefficient_ev, places }
            })
            .collect::<Vec<Class>>();
        if classes.iter().any(|c| c.places.is_empty()) {
            return Err(ExpansionError::Length {
                what: "places of a term in the motif",
                expected: 1,
                got: 0,
            });
        }
        let positions = (0..hamiltonian.sites.len())
            .map(|b| (0..sites.len()).filter(|k| sites[*k].basis == b).collect())
            .collect();
        Ok(Self { sites, polynomial, classes, positions })
    }
}

/// All translations of a term that lie in the motif.
fn places(term: &[SiteFactor], sites: &[LatticeSite], place: &BTreeMap<LatticeSite, usize>) -> Vec<Monomial> {
    let Some(first) = term.first() else { return Vec::new() };
    let at = |start: &LatticeSite| -> Option<Monomial> {
        let mut monomial: Monomial = term
            .iter()
            .map(|f| {
                let cell = std::array::from_fn(|a| f.site.cell[a] - first.site.cell[a] + start.cell[a]);
                place.get(&LatticeSite { cell, ..f.site }).map(|k| (*k, f.function))
            })
            .collect::<Option<_>>()?;
        monomial.sort_unstable();
        Some(monomial)
    };
    sites.iter().filter(|s| s.basis == first.site.basis).filter_map(at).collect()
}
