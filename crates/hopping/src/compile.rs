//! Tables of the fast engine: Boltzmann factors of every cluster and the local part of every hop rate.
//!
//! With g_s = dE/dsigma_s and p_s = exp(sigma_s (g_s - g_0)/kT), the rate of a hop between an occupied and a vacant site is
//!
//! k = nu m min(e^(-E_KRA/kT) X, 1, X^2), X = e^(-dE/2kT) = p_i p_j e^(2C/kT), C = d2E/(dsigma_i dsigma_j)
//!
//! (the reference g_0 cancels). So no exponential is evaluated while the simulation runs: a hop multiplies the weights around by
//! constants (see [`HopStencil`]), and the rest of X depends on few sites (see [`LocalTable`]).

use crate::{GridNetwork, HoppingError, KraModel, Mechanism};
use scalade_crystal::{LatticeSite, SiteGrid};
use scalade_handoff::LatticeHamiltonian;
use std::collections::BTreeMap;

/// Sites whose occupation is looked up in a table, at most: 2^12 entries of each table stay in cache.
const PATTERN_BITS: usize = 12;

/// Largest magnitude of the exponent of a local bound: beyond what the product of two doubles can hold, and such that the sum with two
/// exponents of doubles, whatever is taken as its reference, fits the 16 bits of the fast engine's states.
pub(crate) const EXPONENT_LIMIT: i32 = 4096;

/// Sites beside one another in clusters: other sites as indices `[cell][term][other]`, factor pairs by parity of the occupied sites.
#[derive(Clone, Debug)]
pub(crate) struct FactorStencil {
    pub others: usize,
    pub factors: Vec<[f64; 2]>,
    pub indices: Vec<u32>,
}

impl FactorStencil {
    #[inline]
    pub fn of(&self, cell: usize) -> &[u32] {
        let width = self.others * self.factors.len();
        &self.indices[cell * width..(cell + 1) * width]
    }
}

/// Terms with the same number of other sites: one factor pair each, by parity of the occupied ones among the first end and the others.
#[derive(Clone, Debug)]
pub(crate) struct FactorGroup {
    pub others: usize,
    pub factors: Vec<[f64; 2]>,
}

/// What a hop along a bond type changes: weights of sites and patterns of bonds around.
///
/// A hop flips both ends, a and b, whose spins are opposite. The product over a cluster that holds both stays; one with coefficient c
/// that holds a alone changes ln p of its other sites by -2 c prod sigma/kT, and one that holds b alone by the same with the sign of
/// sigma_b = -sigma_a. So terms with the same other sites are merged into the coefficient c_a - c_b, and many cancel by symmetry.
#[derive(Clone, Debug)]
pub(crate) struct HopStencil {
    /// The longest terms first; every site has a term of its own, of factor 1 if need be.
    pub groups: Vec<FactorGroup>,
    /// For every bond whose local table sees an end of the hop, the bits to flip in its pattern.
    pub masks: Vec<u32>,
    /// Number of other sites, all terms together: where the bonds begin in a row.
    pub sites: usize,
    /// `[class of the cell][k]`: index of a site less that of the bond's first end, then index of a bond less that of the bond.
    offsets: Vec<u32>,
}

impl HopStencil {
    /// Offsets of the other sites of all terms, and of the bonds, for a hop from a cell of this class (see [`CellClasses`]); to be
    /// added with wrapping.
    #[inline]
    pub fn row(&self, class: u32) -> (&[u32], &[u32]) {
        let width = self.sites + self.masks.len();
        let start = class as usize * width;
        self.offsets[start..start + width].split_at(self.sites)
    }
}

/// For every site, its bonds with the sites at their other ends.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    bonds: Vec<[u32; 2]>,
    start: Vec<u32>,
}

impl Incident {
    pub fn new(network: &GridNetwork) -> Self {
        let (mut bonds, mut start) = (Vec::new(), vec![0]);
        for site in 0..network.grid().sites() {
            for bond in network.incident(site) {
                let [a, b] = network.ends()[*bond as usize];
                bonds.push([*bond, if a as usize == site { b } else { a }]);
            }
            start.push(bonds.len() as u32);
        }
        Self { bonds, start }
    }

    /// Bonds of a site, with the other ends.
    #[inline]
    pub fn of(&self, site: u32) -> &[[u32; 2]] {
        &self.bonds[self.start[site as usize] as usize..self.start[site as usize + 1] as usize]
    }

    /// The most bonds of a site.
    pub fn most(&self) -> usize {
        self.start.windows(2).map(|w| (w[1] - w[0]) as usize).max().unwrap_or(0)
    }
}

/// Cells by how the offsets within reach wrap around the grid: equal classes have equal differences of indices.
#[derive(Clone, Debug)]
pub(crate) struct CellClasses {
    /// Class of every cell.
    pub of: Vec<u32>,
    /// A cell of every class.
    cells: Vec<usize>,
}

impl CellClasses {
    fn new(grid: &SiteGrid, reach: [[i32; 2]; 3]) -> Self {
        let dims = grid.dims();
        let mut known: BTreeMap<[i64; 3], u32> = BTreeMap::new();
        let (mut of, mut cells) = (Vec::with_capacity(grid.cells()), Vec::new());
        for cell in 0..grid.cells() {
            let at = grid.site(cell * grid.basis()).cell;
            let key = std::array::from_fn(|a| {
                let place = i64::from(at[a]);
                let inside =
                    place + i64::from(reach[a][0]) >= 0 && place + i64::from(reach[a][1]) < dims[a] as i64;
                if inside { -1 } else { place }
            });
            let next = known.len() as u32;
            let class = *known.entry(key).or_insert(next);
            if class == next && cells.len() == next as usize {
                cells.push(cell);
            }
            of.push(class);
        }
        Self { of, cells }
    }
}

/// A cluster on the grid: distinct sites (as seen from cell 0) and coefficient in eV.
type Term = (Vec<LatticeSite>, f64);

/// Clusters on the grid.
fn reduced_terms(hamiltonian: &LatticeHamiltonian, coefficients_ev: &[f64], grid: &SiteGrid) -> Vec<Term> {
    let mut out = Vec::new();
    for (orbit, coefficient) in hamiltonian.orbits.iter().zip(&coefficients_ev[1..]) {
        for cluster in orbit.clusters.iter().filter(|_| *coefficient != 0.0) {
            let sites = without_pairs(cluster, grid);
            if !sites.is_empty() {
                out.push((sites, *coefficient));
            }
        }
    }
    out
}

/// The sites of a product of spins on the grid: those that coincide by periodicity cancel in pairs (sigma^2 = 1).
fn without_pairs(cluster: &[LatticeSite], grid: &SiteGrid) -> Vec<LatticeSite> {
    let mut odd: BTreeMap<usize, (LatticeSite, bool)> = BTreeMap::new();
    for site in cluster {
        let entry = odd.entry(grid.index(*site)).or_insert((*site, false));
        entry.1 = !entry.1;
    }
    odd.into_values().filter(|s| s.1).map(|s| s.0).collect()
}

/// Terms that hold a site of sublattice `basis`, with the other sites relative to that site's cell; equal ones merged.
fn seen_from(terms: &[Term], grid: &SiteGrid, basis: usize) -> Vec<Term> {
    let mut merged: BTreeMap<Vec<usize>, Term> = BTreeMap::new();
    for (sites, coefficient) in terms {
        for (k, here) in sites.iter().enumerate().filter(|s| s.1.basis == basis) {
            let others: Vec<LatticeSite> = sites
                .iter()
                .enumerate()
                .filter(|s| s.0 != k)
                .map(|(_, s)| LatticeSite { cell: std::array::from_fn(|a| s.cell[a] - here.cell[a]), ..*s })
                .collect();
            let mut key: Vec<usize> = others.iter().map(|s| grid.index(*s)).collect();
            key.sort_unstable();
            merged.entry(key).or_insert_with(|| (others, 0.0)).1 += coefficient;
        }
    }
    merged.into_values().filter(|t| t.1 != 0.0).collect()
}

/// What a bond type's hop changes, before it is laid out: terms c_a - c_b by their other sites, and bonds with their bits.
struct HopTerms {
    /// By number of other sites.
    terms: Vec<Vec<Term>>,
    /// First end's site, bond type, bits.
    seen: Vec<(LatticeSite, usize, u32)>,
}

impl HopTerms {
    fn new(network: &GridNetwork, kind: usize, seen: &[Vec<Term>], tables: &[LocalTable]) -> Self {
        let (grid, bonds) = (network.grid(), network.network().bonds());
        let from = LatticeSite { cell: [0; 3], basis: bonds[kind].from };
        let to = bonds[kind].to;
        let index = |s: LatticeSite| grid.offset(from.basis, s);
        let mut merged: BTreeMap<Vec<usize>, Term> = BTreeMap::new();
        let mut patterns: BTreeMap<(usize, usize), (LatticeSite, u32)> = BTreeMap::new();
        for (end, other_end, sign) in [(from, to, 1.0), (to, from, -1.0)] {
            for (others, coefficient) in &seen[end.basis] {
                let others: Vec<LatticeSite> = others.iter().map(|s| shifted(*s, end.cell, 1)).collect();
                let mut key: Vec<usize> = others.iter().map(|s| index(*s)).collect();
                if !key.contains(&index(other_end)) {
                    key.sort_unstable();
                    merged.entry(key).or_insert((others, 0.0)).1 += sign * coefficient;
                }
            }
            for (kind, table) in tables.iter().enumerate() {
                for (bit, site) in table.sites.iter().enumerate().filter(|s| s.1.basis == end.basis) {
                    let first = LatticeSite { basis: bonds[kind].from, ..shifted(end, site.cell, -1) };
                    patterns.entry((index(first), kind)).or_insert((first, 0)).1 ^= 1 << bit;
                }
            }
        }
        merged.retain(|_, term| term.1 != 0.0 && !term.0.is_empty());
        // A term of its own for every site.
        let alone: Vec<LatticeSite> = merged.values().flat_map(|t| t.0.clone()).collect();
        for site in alone {
            merged.entry(vec![index(site)]).or_insert((vec![site], 0.0));
        }
        let merged: Vec<Term> = merged.into_values().collect();
        let longest = merged.iter().map(|t| t.0.len()).max().unwrap_or(0);
        let terms =
            (1..=longest).map(|n| merged.iter().filter(|t| t.0.len() == n).cloned().collect()).collect();
        let seen = patterns.into_iter().map(|((_, kind), (first, mask))| (first, kind, mask)).collect();
        Self { terms, seen }
    }

    fn sites(&self) -> impl Iterator<Item = &LatticeSite> {
        self.terms.iter().rev().flatten().flat_map(|t| &t.0)
    }

    fn lay_out(
        &self,
        network: &GridNetwork,
        kind: usize,
        cells: &CellClasses,
        thermal_ev: f64,
    ) -> HopStencil {
        let grid = network.grid();
        let from = network.network().bonds()[kind].from;
        let groups = self.terms.iter().enumerate().rev();
        let groups = groups
            .map(|(k, terms)| {
                let others = k + 1;
                // prod sigma of the others + 1 sites is +1 where the number of vacant sites is even.
                let factors = terms
                    .iter()
                    .map(|t| {
                        std::array::from_fn(|parity| {
                            let sign = if (others + 1 - parity).is_multiple_of(2) { 1.0 } else { -1.0 };
                            (-2.0 * t.1 * sign / thermal_ev).exp()
                        })
                    })
                    .collect();
                FactorGroup { others, factors }
            })
            .collect();
        let mut offsets = Vec::new();
        for cell in &cells.cells {
            let site = cell * grid.basis() + from;
            let bond = cell * network.types() + kind;
            offsets.extend(self.sites().map(|s| (grid.offset(site, *s) as u32).wrapping_sub(site as u32)));
            offsets.extend(self.seen.iter().map(|(first, kind, _)| {
                let there = grid.offset(site, *first) / grid.basis() * network.types() + kind;
                (there as u32).wrapping_sub(bond as u32)
            }));
        }
        let masks = self.seen.iter().map(|s| s.2).collect();
        HopStencil { groups, masks, sites: self.sites().count(), offsets }
    }
}

/// A site moved by a number of times a cell.
fn shifted(site: LatticeSite, by: [i32; 3], times: i32) -> LatticeSite {
    LatticeSite { cell: std::array::from_fn(|a| site.cell[a] + times * by[a]), ..site }
}

/// Local part of a rate for one pattern.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalEntry {
    /// m e^(-E_KRA/kT), with m the number of paths times the attempt frequency in units of that of the run (the pattern's part of both).
    pub activation: f64,
    /// e^(2C/kT), the part of C that depends on the pattern alone.
    pub coupling: f64,
    /// m.
    pub paths: f64,
    /// E_KRA (the pattern's part), eV.
    pub kra_ev: f64,
    /// Whether the mechanism is `tsh`.
    pub tsh: bool,
}

/// Local part of the rates of one bond type.
#[derive(Clone, Debug)]
pub(crate) struct LocalTable {
    /// Sites of the pattern, relative to the cell of the bond's first end; bit k of a pattern is 1 where site k is occupied.
    pub sites: Vec<LatticeSite>,
    /// Where the entries begin, one per pattern.
    pub start: u32,
    /// Terms of C that reach beyond the pattern.
    pub outer: Option<OuterTerms>,
    /// Terms of the bond's own activation that do.
    pub outer_activation: Option<OuterTerms>,
    /// Terms of the logarithm of the bond's own attempt frequency that do.
    pub outer_attempts: Option<OuterTerms>,
    /// Surroundings that count in n but are not in the pattern: weights and indices `[cell][k]`.
    pub outer_count: Option<(Vec<u32>, Vec<u32>)>,
    /// Slopes for them by mechanism: eV per count.
    pub slopes_ev: [f64; 2],
}

/// A local entry and ceil(log2) of an upper bound of its activation times coupling, whatever the outer sites hold.
type Pattern = (LocalEntry, i32);

/// Terms outside the pattern: sites `[cell][term][site]` of varying number, factors by parity.
#[derive(Clone, Debug)]
pub(crate) struct OuterTerms(pub Vec<FactorStencil>);

impl OuterTerms {
    /// Factors e^(scale c prod sigma) of terms.
    fn new(network: &GridNetwork, from: usize, terms: &[Term], scale: f64) -> Self {
        let grid = network.grid();
        let longest = terms.iter().map(|t| t.0.len()).max().unwrap_or(0);
        let stencil = |others: usize| {
            let chosen: Vec<&Term> = terms.iter().filter(|t| t.0.len() == others).collect();
            // prod sigma is +1 where the number of vacant sites is even.
            let factor = |t: &&Term| {
                std::array::from_fn(|parity| {
                    let sign = if (others - parity).is_multiple_of(2) { 1.0 } else { -1.0 };
                    (scale * t.1 * sign).exp()
                })
            };
            let factors = chosen.iter().map(factor).collect();
            let mut indices = Vec::new();
            for cell in 0..grid.cells() {
                let start = cell * grid.basis() + from;
                for term in &chosen {
                    indices.extend(term.0.iter().map(|s| grid.offset(start, *s) as u32));
                }
            }
            FactorStencil { others, factors, indices }
        };
        Self((1..=longest).map(stencil).filter(|s| !s.factors.is_empty()).collect())
    }

    /// Product of the factors for a bond from `cell`.
    fn product(&self, cell: usize, occupied: impl Fn(u32) -> u8) -> f64 {
        let mut product = 1.0;
        for stencil in &self.0 {
            for (sites, factor) in stencil.of(cell).chunks_exact(stencil.others).zip(&stencil.factors) {
                let parity = sites.iter().fold(0, |p, s| p ^ occupied(*s));
                product *= factor[usize::from(parity)];
            }
        }
        product
    }
}

impl LocalTable {
    /// Whether a rate depends on sites beyond the pattern.
    #[inline]
    pub fn reaches_out(&self) -> bool {
        self.outer.is_some()
            || self.outer_activation.is_some()
            || self.outer_attempts.is_some()
            || self.outer_count.is_some()
    }

    /// e^(2C/kT) of the outer terms for a bond from `cell`.
    pub fn outer_coupling(&self, cell: usize, occupied: impl Fn(u32) -> u8) -> f64 {
        self.outer.as_ref().map_or(1.0, |outer| outer.product(cell, occupied))
    }

    /// e^(-E/kT) of the outer terms of the bond's own activation.
    pub fn outer_activation(&self, cell: usize, occupied: impl Fn(u32) -> u8) -> f64 {
        self.outer_activation.as_ref().map_or(1.0, |outer| outer.product(cell, occupied))
    }

    /// What the outer terms make of the bond's own attempt frequency.
    pub fn outer_attempts(&self, cell: usize, occupied: impl Fn(u32) -> u8) -> f64 {
        self.outer_attempts.as_ref().map_or(1.0, |outer| outer.product(cell, occupied))
    }

    /// The count of the outer surroundings for a bond from `cell`.
    pub fn outer_occupied(&self, cell: usize, occupied: impl Fn(u32) -> u8) -> u32 {
        self.outer_count.as_ref().map_or(0, |(weights, indices)| {
            let row = &indices[cell * weights.len()..(cell + 1) * weights.len()];
            row.iter().zip(weights).map(|(s, w)| w * u32::from(occupied(*s))).sum()
        })
    }
}

/// A pattern site's part in the barrier.
#[derive(Clone, Copy, Default)]
struct Role {
    common: u32,
    weight: u32,
}

/// Terms divided between the pattern (by the bits of their sites) and what lies beyond.
#[derive(Default)]
struct Divided {
    constant: f64,
    inner: Vec<(Vec<usize>, f64)>,
    outer: Vec<Term>,
}

impl Divided {
    fn new(terms: Vec<Term>, bit: impl Fn(&LatticeSite) -> Option<usize>) -> Self {
        let mut out = Self::default();
        for (sites, c) in terms {
            if sites.is_empty() {
                out.constant += c;
            } else if let Some(bits) = sites.iter().map(&bit).collect::<Option<Vec<_>>>() {
                out.inner.push((bits, c));
            } else {
                out.outer.push((sites, c));
            }
        }
        out
    }

    /// Constant and inner terms for a pattern.
    fn inner(&self, pattern: usize) -> f64 {
        let spin = |k: &usize| if pattern >> k & 1 == 1 { 1.0 } else { -1.0 };
        self.constant
            + self.inner.iter().map(|(bits, c)| c * bits.iter().map(spin).product::<f64>()).sum::<f64>()
    }

    /// Largest magnitude of the outer terms together.
    fn outer_bound(&self) -> f64 {
        self.outer.iter().map(|t| t.1.abs()).sum()
    }
}

/// Everything the fast engine looks up.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    /// Per bond type.
    pub hops: Vec<HopStencil>,
    /// For the rows of those.
    pub cells: CellClasses,
    /// Per bond type.
    pub tables: Vec<LocalTable>,
    /// Their entries, one table after the other, each at a multiple of its size: a bit of a pattern is one of the index too.
    pub entries: Vec<LocalEntry>,
    /// Per entry: a bound of ceil(log2) of activation times coupling, whatever the outer sites hold.
    pub exponents: Vec<i16>,
    /// kT, eV.
    pub thermal_ev: f64,
}

impl Compiled {
    pub fn new(
        network: &GridNetwork,
        hamiltonian: &LatticeHamiltonian,
        coefficients_ev: &[f64],
        model: &KraModel,
        thermal_ev: f64,
    ) -> Result<Self, HoppingError> {
        let grid = network.grid();
        let terms = reduced_terms(hamiltonian, coefficients_ev, grid);
        let seen: Vec<Vec<Term>> = (0..grid.basis()).map(|b| seen_from(&terms, grid, b)).collect();
        let (mut tables, mut entries, mut exponents) = (Vec::new(), Vec::new(), Vec::new());
        for kind in 0..network.types() {
            let (mut table, patterns) = local_table(network, kind, &seen, model, thermal_ev)?;
            let start = entries.len().next_multiple_of(patterns.len());
            table.start = start as u32;
            entries.resize(start, patterns[0].0);
            exponents.resize(start, 0);
            for (entry, exponent) in patterns {
                if exponent > EXPONENT_LIMIT {
                    let want =
                        "local rates must fit a double: raise the temperature or check the coefficients";
                    let what = "log2 of a local rate";
                    return Err(HoppingError::Parameter { what, value: f64::from(exponent), want });
                }
                entries.push(entry);
                // From below a bound may be loose.
                exponents.push(exponent.max(-EXPONENT_LIMIT) as i16);
            }
            tables.push(table);
        }
        let terms: Vec<HopTerms> =
            (0..network.types()).map(|kind| HopTerms::new(network, kind, &seen, &tables)).collect();
        let mut reach = [[0; 2]; 3];
        let firsts = terms.iter().flat_map(|t| t.seen.iter().map(|s| &s.0));
        for site in terms.iter().flat_map(HopTerms::sites).chain(firsts) {
            for (axis, cell) in reach.iter_mut().zip(site.cell) {
                *axis = [axis[0].min(cell), axis[1].max(cell)];
            }
        }
        let cells = CellClasses::new(grid, reach);
        let lay_out = |(kind, t): (usize, &HopTerms)| t.lay_out(network, kind, &cells, thermal_ev);
        let hops = terms.iter().enumerate().map(lay_out).collect();
        Ok(Self { hops, cells, tables, entries, exponents, thermal_ev })
    }
}

/// The coupling C of a bond type: constant, and terms with their sites.
fn coupling_terms(network: &GridNetwork, kind: usize, seen: &[Vec<Term>]) -> Vec<Term> {
    let (grid, bond) = (network.grid(), &network.network().bonds()[kind]);
    let end = grid.offset(bond.from, bond.to);
    let mut out = Vec::new();
    for (others, coefficient) in &seen[bond.from] {
        if let Some(k) = others.iter().position(|s| grid.offset(bond.from, *s) == end) {
            let mut rest = others.clone();
            rest.remove(k);
            out.push((rest, *coefficient));
        }
    }
    out
}

fn local_table(
    network: &GridNetwork,
    kind: usize,
    seen: &[Vec<Term>],
    model: &KraModel,
    thermal_ev: f64,
) -> Result<(LocalTable, Vec<Pattern>), HoppingError> {
    let (grid, bond) = (network.grid(), &network.network().bonds()[kind]);
    let index = |s: LatticeSite| grid.offset(bond.from, s);
    let mut roles: BTreeMap<usize, (LatticeSite, Role)> = BTreeMap::new();
    let depends_on_common = model.odh != model.tsh || model.paths != crate::Paths::One;
    let depends_on_count = model.odh.slope_ev != 0.0 || model.tsh.slope_ev != 0.0;
    if depends_on_common {
        for site in &bond.common {
            roles.entry(index(*site)).or_insert((*site, Role::default())).1.common += 1;
        }
    }
    if roles.len() > PATTERN_BITS {
        let want = "at most 12 for a barrier model that tells mechanisms apart";
        return Err(HoppingError::Parameter {
            what: "common neighbours of a bond",
            value: roles.len() as f64,
            want,
        });
    }
    let mut outer_count: Vec<(LatticeSite, u32)> = Vec::new();
    if depends_on_count {
        for (site, weight) in crate::network::merge(grid, &bond.surroundings) {
            if roles.contains_key(&index(site)) || roles.len() < PATTERN_BITS {
                roles.entry(index(site)).or_insert((site, Role::default())).1.weight += weight;
            } else {
                outer_count.push((site, weight));
            }
        }
    }
    let coupling = coupling_terms(network, kind, seen);
    let activation = reduced(&bond.activation.terms, grid);
    let attempts = reduced(&bond.activation.attempt_terms, grid);
    // Strongest terms first: they are the ones the pattern should hold. C counts twice in the exponent.
    let mut strongest: Vec<(&Term, f64)> = coupling.iter().map(|t| (t, 2.0 * t.1.abs())).collect();
    strongest.extend(activation.iter().map(|t| (t, t.1.abs())));
    strongest.extend(attempts.iter().map(|t| (t, thermal_ev * t.1.abs())));
    strongest.sort_by(|a, b| b.1.total_cmp(&a.1));
    for ((sites, _), _) in strongest {
        let fresh = sites.iter().filter(|s| !roles.contains_key(&index(**s))).count();
        if roles.len() + fresh <= PATTERN_BITS {
            for site in sites {
                roles.entry(index(*site)).or_insert((*site, Role::default()));
            }
        }
    }
    let order: BTreeMap<usize, usize> = roles.keys().enumerate().map(|(k, s)| (*s, k)).collect();
    let bit = |s: &LatticeSite| order.get(&index(*s)).copied();
    let parts = Parts {
        roles: roles.into_values().collect(),
        coupling: Divided::new(coupling, bit),
        activation: Divided::new(activation, bit),
        attempts: Divided::new(attempts, bit),
        outer_count,
    };
    Ok(fill(network, kind, model, thermal_ev, &parts))
}

/// Terms on the grid, equal ones merged.
fn reduced(terms: &[Term], grid: &SiteGrid) -> Vec<Term> {
    let mut merged: BTreeMap<Vec<usize>, Term> = BTreeMap::new();
    for (cluster, coefficient) in terms {
        let sites = without_pairs(cluster, grid);
        let key = sites.iter().map(|s| grid.index(*s)).collect();
        merged.entry(key).or_insert_with(|| (sites, 0.0)).1 += coefficient;
    }
    merged.into_values().filter(|t| t.1 != 0.0).collect()
}

/// What the table of a bond type is made of.
struct Parts {
    /// Sites of the pattern.
    roles: Vec<(LatticeSite, Role)>,
    coupling: Divided,
    activation: Divided,
    /// Of the logarithm of the attempt frequency.
    attempts: Divided,
    /// Surroundings beyond the pattern, with their weights.
    outer_count: Vec<(LatticeSite, u32)>,
}

fn fill(
    network: &GridNetwork,
    kind: usize,
    model: &KraModel,
    thermal_ev: f64,
    parts: &Parts,
) -> (LocalTable, Vec<Pattern>) {
    let bond = &network.network().bonds()[kind];
    let Parts { roles, coupling, activation, attempts, outer_count } = parts;
    let outer_bound =
        (2.0 * coupling.outer_bound() + activation.outer_bound()) / thermal_ev + attempts.outer_bound();
    let outer_max: u32 = outer_count.iter().map(|o| o.1).sum();
    let outer = |of: &Divided, scale: f64| {
        (!of.outer.is_empty()).then(|| OuterTerms::new(network, bond.from, &of.outer, scale))
    };
    let patterns = (0..1usize << roles.len())
        .map(|pattern| {
            let bit = |k: usize| pattern >> k & 1 == 1;
            let vacant: u32 = roles.iter().enumerate().filter(|r| !bit(r.0)).map(|r| r.1.1.common).sum();
            let count: u32 = roles.iter().enumerate().filter(|r| bit(r.0)).map(|r| r.1.1.weight).sum();
            let local = model.barrier(vacant, count);
            let kra_ev = local.kra_ev + bond.activation.constant_ev + activation.inner(pattern);
            let paths = local.paths * bond.activation.attempts * attempts.inner(pattern).exp();
            let c = coupling.inner(pattern);
            let slope = model.law(local.mechanism).slope_ev;
            let count_bound = (-slope * f64::from(outer_max) / thermal_ev).max(0.0);
            // ln of the largest product of activation and coupling, raised by more than its rounding.
            let log_bound = paths.ln() + (2.0 * c - kra_ev) / thermal_ev + outer_bound + count_bound + 1e-9;
            let entry = LocalEntry {
                activation: paths * (-kra_ev / thermal_ev).exp(),
                coupling: (2.0 * c / thermal_ev).exp(),
                paths,
                kra_ev,
                tsh: local.mechanism == Mechanism::Tsh,
            };
            (entry, (log_bound / std::f64::consts::LN_2).ceil() as i32)
        })
        .collect();
    let table = LocalTable {
        sites: roles.iter().map(|r| r.0).collect(),
        start: 0,
        outer: outer(coupling, 2.0 / thermal_ev),
        outer_activation: outer(activation, -1.0 / thermal_ev),
        outer_attempts: outer(attempts, 1.0),
        outer_count: (!outer_count.is_empty()).then(|| {
            let sites: Vec<LatticeSite> = outer_count.iter().map(|o| o.0).collect();
            let weights = outer_count.iter().map(|o| o.1).collect();
            (weights, crate::network::indices(network.grid(), bond.from, &sites))
        }),
        slopes_ev: [model.odh.slope_ev, model.tsh.slope_ev],
    };
    (table, patterns)
}
