//! Terms of an expansion on a periodic grid, as each sublattice sees them.

use crate::error::ExpansionError;
use crate::site_span::SiteSpan;
use scalade_crystal::{LatticeSite, SiteGrid};
use scalade_handoff::SpeciesHamiltonian;
use std::collections::BTreeMap;

/// Most table entries (cells times neighbours) of a sublattice.
const MOST_ENTRIES: usize = 1 << 28;
/// Shares of a product of site functions smaller than this are rounding.
const NOTHING: f64 = 1e-13;

/// A factor of a term other than that of the site it is seen from.
#[derive(Clone, Copy, Debug)]
struct Factor {
    /// Number among the neighbours.
    offset: u32,
    /// Site function, counted from 0.
    function: u32,
}

/// A term as seen from one of its sites.
#[derive(Clone, Debug)]
pub(super) struct Term {
    pub(super) coefficient_ev: f64,
    start: u32,
    end: u32,
}

impl Term {
    /// Number of other sites.
    pub(super) fn others(&self) -> usize {
        (self.end - self.start) as usize
    }
}

/// A term that holds a given neighbour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shared {
    /// Site function of the site it is seen from.
    pub(super) own: usize,
    /// Number of the term among those of this function.
    pub(super) term: usize,
    /// Which factor is the neighbour's.
    pub(super) factor: usize,
    /// Its site function.
    pub(super) function: usize,
}

/// What a sublattice sees.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Point terms, by site function.
    pub(super) points: Vec<f64>,
    /// Other terms, by site function.
    pub(super) terms: Vec<Vec<Term>>,
    factors: Vec<Factor>,
    /// Sites around, `[cell][offset]`.
    neighbours: Vec<u32>,
    offsets: usize,
    shared: Vec<Vec<Shared>>,
}

impl Table {
    /// The sites around the one in a cell.
    #[inline]
    pub(super) fn around(&self, cell: usize) -> &[u32] {
        &self.neighbours[cell * self.offsets..(cell + 1) * self.offsets]
    }

    /// Terms that hold a neighbour.
    pub(super) fn shared(&self, offset: usize) -> &[Shared] {
        &self.shared[offset]
    }

    fn factors(&self, term: &Term) -> &[Factor] {
        &self.factors[term.start as usize..term.end as usize]
    }

    /// Product of the site functions of the other sites.
    #[inline]
    pub(super) fn product(&self, term: &Term, around: &[u32], values: &[f64], stride: usize) -> f64 {
        let value = |f: &Factor| values[around[f.offset as usize] as usize * stride + f.function as usize];
        self.factors(term).iter().map(value).product()
    }

    /// The same without one of them.
    pub(super) fn product_without(
        &self,
        term: &Term,
        without: usize,
        around: &[u32],
        values: &[f64],
        stride: usize,
    ) -> f64 {
        let value = |f: &Factor| values[around[f.offset as usize] as usize * stride + f.function as usize];
        let kept = self.factors(term).iter().enumerate().filter(|(k, _)| *k != without);
        kept.map(|(_, f)| value(f)).product()
    }

    /// Adds what a change of the own site function does to the fields of the other sites.
    #[inline]
    pub(super) fn spread(
        &self,
        term: &Term,
        change: f64,
        around: &[u32],
        values: &[f64],
        fields: &mut [f64],
        stride: usize,
    ) {
        let factors = self.factors(term);
        let slot = |f: &Factor| around[f.offset as usize] as usize * stride + f.function as usize;
        let change = change * term.coefficient_ev;
        match factors {
            [a] => fields[slot(a)] += change,
            [a, b] => {
                let (a, b) = (slot(a), slot(b));
                fields[a] += change * values[b];
                fields[b] += change * values[a];
            }
            _ => {
                for (k, f) in factors.iter().enumerate() {
                    let others = factors.iter().enumerate().filter(|(other, _)| *other != k);
                    let product: f64 = others.map(|(_, o)| values[slot(o)]).product();
                    fields[slot(f)] += change * product;
                }
            }
        }
    }
}

/// Sites of cell 0's terms by their index in the grid, with a site function each, sites distinct.
type GridTerm = Vec<(usize, usize)>;

/// All terms of the representative cell on the grid: where periodicity lays several sites of a term on one, the product of their functions is
/// written as a sum.
fn grid_terms(
    hamiltonian: &SpeciesHamiltonian,
    coefficients_ev: &[f64],
    grid: &SiteGrid,
) -> Result<BTreeMap<GridTerm, f64>, ExpansionError> {
    let spans: Vec<SiteSpan> = hamiltonian.sites.iter().map(SiteSpan::new).collect::<Result<_, _>>()?;
    let mut out: BTreeMap<GridTerm, f64> = BTreeMap::new();
    *out.entry(Vec::new()).or_default() += coefficients_ev[0];
    for (orbit, coefficient) in hamiltonian.orbits.iter().zip(&coefficients_ev[1..]) {
        if *coefficient == 0.0 {
            continue;
        }
        for term in &orbit.terms {
            let mut by_site: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for factor in term {
                by_site.entry(grid.index(factor.site)).or_default().push(factor.function);
            }
            let mut sums: Vec<(f64, GridTerm)> = vec![(*coefficient, Vec::new())];
            for (site, functions) in by_site {
                let shares = match functions.as_slice() {
                    [single] => vec![(*single, 1.0)],
                    several => spans[site % grid.basis()]
                        .of_product(several)
                        .into_iter()
                        .enumerate()
                        .filter(|(_, share)| share.abs() > NOTHING)
                        .collect(),
                };
                sums = sums
                    .into_iter()
                    .flat_map(|(weight, factors)| {
                        shares.iter().map(move |(function, share)| {
                            let mut longer = factors.clone();
                            if *function > 0 {
                                longer.push((site, *function));
                            }
                            (weight * share, longer)
                        })
                    })
                    .collect();
            }
            for (weight, factors) in sums {
                *out.entry(factors).or_default() += weight;
            }
        }
    }
    Ok(out)
}

/// Terms seen from a sublattice: (own function, others relative to the own cell), with merged coefficients.
type Seen = BTreeMap<(usize, Vec<(usize, usize)>), f64>;

/// The constant per cell, and the tables of all sublattices.
pub(super) fn compile(
    hamiltonian: &SpeciesHamiltonian,
    coefficients_ev: &[f64],
    grid: &SiteGrid,
) -> Result<(f64, Vec<Table>), ExpansionError> {
    let mut constant = 0.0;
    let mut seen: Vec<Seen> = vec![BTreeMap::new(); grid.basis()];
    for (term, coefficient) in grid_terms(hamiltonian, coefficients_ev, grid)? {
        if term.is_empty() {
            constant += coefficient;
        }
        for (own_index, own_function) in &term {
            let own = grid.site(*own_index);
            let mut others: Vec<(usize, usize)> = term
                .iter()
                .filter(|(index, _)| index != own_index)
                .map(|(index, function)| {
                    let there = grid.site(*index);
                    let cell = std::array::from_fn(|a| there.cell[a] - own.cell[a]);
                    (grid.index(LatticeSite { cell, ..there }), *function)
                })
                .collect();
            others.sort_unstable();
            *seen[own.basis].entry((*own_function, others)).or_default() += coefficient;
        }
    }
    let mut tables = Vec::with_capacity(seen.len());
    for (basis, list) in seen.iter().enumerate() {
        tables.push(table(grid, basis, hamiltonian.sites[basis].functions.len(), list)?);
    }
    Ok((constant, tables))
}

fn table(grid: &SiteGrid, basis: usize, functions: usize, seen: &Seen) -> Result<Table, ExpansionError> {
    // Offsets from the site of this sublattice in cell 0, numbered.
    let mut numbers: BTreeMap<usize, u32> = BTreeMap::new();
    for (index, _) in seen.keys().flat_map(|(_, others)| others) {
        let next = numbers.len() as u32;
        numbers.entry(*index).or_insert(next);
    }
    let mut ordered: Vec<(u32, usize)> = numbers.iter().map(|(index, n)| (*n, *index)).collect();
    ordered.sort_unstable();
    let entries = grid.cells().saturating_mul(ordered.len());
    if entries > MOST_ENTRIES {
        let what = "neighbours in the box";
        return Err(ExpansionError::TooMany { what, count: entries, limit: MOST_ENTRIES });
    }
    let mut neighbours = Vec::with_capacity(entries);
    for cell in 0..grid.cells() {
        let from = cell * grid.basis() + basis;
        neighbours.extend(ordered.iter().map(|(_, index)| grid.offset(from, grid.site(*index)) as u32));
    }
    let mut out = Table {
        points: vec![0.0; functions],
        terms: vec![Vec::new(); functions],
        factors: Vec::new(),
        neighbours,
        offsets: ordered.len(),
        shared: vec![Vec::new(); ordered.len()],
    };
    for ((own, others), coefficient) in seen {
        let own = own - 1;
        if others.is_empty() {
            out.points[own] += coefficient;
            continue;
        }
        let (start, term) = (out.factors.len() as u32, out.terms[own].len());
        for (factor, (index, function)) in others.iter().enumerate() {
            let offset = numbers[index];
            let function = function - 1;
            out.factors.push(Factor { offset, function: function as u32 });
            out.shared[offset as usize].push(Shared { own, term, factor, function });
        }
        let end = out.factors.len() as u32;
        out.terms[own].push(Term { coefficient_ev: *coefficient, start, end });
    }
    Ok(out)
}
