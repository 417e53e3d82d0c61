//! Tables of the fast engine: Boltzmann factors of every cluster and the local part of every hop rate.
//!
//! With g_s = dE/dsigma_s and p_s = exp(sigma_s (g_s - g_0)/kT), the rate of a hop between an occupied and a vacant site is
//!
//! k = nu m min(e^(-E_KRA/kT) X, 1, X^2), X = e^(-dE/2kT) = p_i p_j e^(2C/kT), C = d2E/(dsigma_i dsigma_j)
//!
//! (the reference g_0 cancels). A flip of site s multiplies p of every other site of a cluster with coefficient c by
//! e^(-2 c prod sigma/kT): one of two constants. So no exponential is evaluated while the simulation runs.

use crate::{GridNetwork, HoppingError, KraModel, Mechanism};
use scalade_crystal::{LatticeSite, SiteGrid};
use scalade_handoff::LatticeHamiltonian;
use std::collections::BTreeMap;

/// Sites whose occupation is looked up in a table, at most: 2^12 entries of each table stay in cache.
const PATTERN_BITS: usize = 12;

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

/// A cluster on the grid: distinct sites (as seen from cell 0) and coefficient in eV.
type Term = (Vec<LatticeSite>, f64);

/// Clusters on the grid; sites that coincide by periodicity cancel in pairs (sigma^2 = 1).
fn reduced_terms(hamiltonian: &LatticeHamiltonian, coefficients_ev: &[f64], grid: &SiteGrid) -> Vec<Term> {
    let mut out = Vec::new();
    for (orbit, coefficient) in hamiltonian.orbits.iter().zip(&coefficients_ev[1..]) {
        for cluster in orbit.clusters.iter().filter(|_| *coefficient != 0.0) {
            let mut odd: BTreeMap<usize, (LatticeSite, bool)> = BTreeMap::new();
            for site in cluster {
                let entry = odd.entry(grid.index(*site)).or_insert((*site, false));
                entry.1 = !entry.1;
            }
            let sites: Vec<LatticeSite> = odd.into_values().filter(|s| s.1).map(|s| s.0).collect();
            if !sites.is_empty() {
                out.push((sites, *coefficient));
            }
        }
    }
    out
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

/// Factor stencils of one sublattice, by number of other sites (1, 2, ...).
fn factor_stencils(terms: &[Term], grid: &SiteGrid, basis: usize, thermal_ev: f64) -> Vec<FactorStencil> {
    let largest = terms.iter().map(|t| t.0.len()).max().unwrap_or(0);
    (1..=largest)
        .map(|others| {
            let chosen: Vec<&Term> = terms.iter().filter(|t| t.0.len() == others).collect();
            // prod sigma of the others + 1 sites is +1 where the number of vacant sites is even.
            let factors = chosen
                .iter()
                .map(|t| {
                    std::array::from_fn(|parity| {
                        let sign = if (others + 1 - parity).is_multiple_of(2) { 1.0 } else { -1.0 };
                        (-2.0 * t.1 * sign / thermal_ev).exp()
                    })
                })
                .collect();
            let mut indices = Vec::with_capacity(grid.cells() * others * chosen.len());
            for cell in 0..grid.cells() {
                let from = cell * grid.basis() + basis;
                for term in &chosen {
                    indices.extend(term.0.iter().map(|s| grid.offset(from, *s) as u32));
                }
            }
            FactorStencil { others, factors, indices }
        })
        .collect()
}

/// Local part of a rate for one pattern.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalEntry {
    /// m e^(-E_KRA/kT).
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
    /// Per pattern.
    pub entries: Vec<LocalEntry>,
    /// Per pattern: ceil(log2) of an upper bound of activation times coupling, whatever the outer sites hold.
    pub exponent: Vec<i32>,
    /// Terms of C that reach beyond the pattern.
    pub outer: Option<OuterTerms>,
    /// Surroundings that count in n but are not in the pattern: weights and indices `[cell][k]`.
    pub outer_count: Option<(Vec<u32>, Vec<u32>)>,
    /// Slopes for them by mechanism: eV per count.
    pub slopes_ev: [f64; 2],
}

/// Terms of the coupling C outside the pattern: other sites `[cell][term][other]` of varying number, factors by parity.
#[derive(Clone, Debug)]
pub(crate) struct OuterTerms(pub Vec<FactorStencil>);

impl LocalTable {
    /// e^(2C/kT) of the outer terms for a bond from `cell`.
    pub fn outer_coupling(&self, cell: usize, occupied: impl Fn(u32) -> u8) -> f64 {
        let mut product = 1.0;
        if let Some(outer) = &self.outer {
            for stencil in &outer.0 {
                for (sites, factor) in stencil.of(cell).chunks_exact(stencil.others).zip(&stencil.factors) {
                    let parity = sites.iter().fold(0, |p, s| p ^ occupied(*s));
                    product *= factor[usize::from(parity)];
                }
            }
        }
        product
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
    coupling: f64,
}

/// Everything the fast engine looks up.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    /// Per sublattice: stencils by number of other sites.
    pub stencils: Vec<Vec<FactorStencil>>,
    /// Per bond type.
    pub tables: Vec<LocalTable>,
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
        let stencils =
            seen.iter().enumerate().map(|(b, t)| factor_stencils(t, grid, b, thermal_ev)).collect();
        let tables = (0..network.types())
            .map(|kind| local_table(network, kind, &seen, model, thermal_ev))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { stencils, tables, thermal_ev })
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
) -> Result<LocalTable, HoppingError> {
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
    let mut coupling = coupling_terms(network, kind, seen);
    // Strongest terms first: they are the ones the pattern should hold.
    coupling.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    for (sites, _) in &coupling {
        let fresh = sites.iter().filter(|s| !roles.contains_key(&index(**s))).count();
        if roles.len() + fresh <= PATTERN_BITS {
            for site in sites {
                roles.entry(index(*site)).or_insert((*site, Role::default()));
            }
        }
    }
    let order: BTreeMap<usize, usize> = roles.keys().enumerate().map(|(k, s)| (*s, k)).collect();
    let (mut constant, mut inner, mut outer) = (0.0, Vec::new(), Vec::new());
    for (sites, c) in coupling {
        if sites.is_empty() {
            constant += c;
        } else if let Some(bits) =
            sites.iter().map(|s| order.get(&index(*s)).copied()).collect::<Option<Vec<_>>>()
        {
            if let [one] = bits[..] {
                let key = roles.keys().nth(one).copied().unwrap_or_default();
                if let Some(role) = roles.get_mut(&key) {
                    role.1.coupling += c;
                }
            } else {
                inner.push((bits, c));
            }
        } else {
            outer.push((sites, c));
        }
    }
    let roles: Vec<(LatticeSite, Role)> = roles.into_values().collect();
    Ok(fill(network, kind, model, thermal_ev, &roles, constant, &inner, &outer, &outer_count))
}

fn fill(
    network: &GridNetwork,
    kind: usize,
    model: &KraModel,
    thermal_ev: f64,
    roles: &[(LatticeSite, Role)],
    constant: f64,
    inner: &[(Vec<usize>, f64)],
    outer: &[Term],
    outer_count: &[(LatticeSite, u32)],
) -> LocalTable {
    let grid = network.grid();
    let from = network.network().bonds()[kind].from;
    let outer_bound: f64 = outer.iter().map(|t| 2.0 * t.1.abs() / thermal_ev).sum();
    let outer_max: u32 = outer_count.iter().map(|o| o.1).sum();
    let patterns = 1usize << roles.len();
    let mut out = LocalTable {
        sites: roles.iter().map(|r| r.0).collect(),
        entries: Vec::with_capacity(patterns),
        exponent: Vec::with_capacity(patterns),
        outer: None,
        outer_count: None,
        slopes_ev: [model.odh.slope_ev, model.tsh.slope_ev],
    };
    for pattern in 0..patterns {
        let bit = |k: usize| pattern >> k & 1 == 1;
        let spin = |k: usize| if bit(k) { 1.0 } else { -1.0 };
        let vacant: u32 = roles.iter().enumerate().filter(|r| !bit(r.0)).map(|r| r.1.1.common).sum();
        let count: u32 = roles.iter().enumerate().filter(|r| bit(r.0)).map(|r| r.1.1.weight).sum();
        let local = model.barrier(vacant, count);
        let mut c = constant;
        c += roles.iter().enumerate().map(|(k, r)| r.1.coupling * spin(k)).sum::<f64>();
        c += inner.iter().map(|t| t.1 * t.0.iter().map(|k| spin(*k)).product::<f64>()).sum::<f64>();
        let slope = model.law(local.mechanism).slope_ev;
        let count_bound = (-slope * f64::from(outer_max) / thermal_ev).max(0.0);
        // ln of the largest product of activation and coupling, raised by more than its rounding.
        let log_bound =
            local.paths.ln() + (2.0 * c - local.kra_ev) / thermal_ev + outer_bound + count_bound + 1e-9;
        out.entries.push(LocalEntry {
            activation: local.paths * (-local.kra_ev / thermal_ev).exp(),
            coupling: (2.0 * c / thermal_ev).exp(),
            paths: local.paths,
            kra_ev: local.kra_ev,
            tsh: local.mechanism == Mechanism::Tsh,
        });
        out.exponent.push((log_bound / std::f64::consts::LN_2).ceil() as i32);
    }
    if !outer.is_empty() {
        // e^(2 c prod sigma/kT) over sites that do not include the ends: the factor of a stencil one site short, inverted.
        let longest = outer.iter().map(|t| t.0.len()).max().unwrap_or(0);
        let stencils = (1..=longest)
            .map(|others| {
                let chosen: Vec<&Term> = outer.iter().filter(|t| t.0.len() == others).collect();
                let factors = chosen
                    .iter()
                    .map(|t| {
                        std::array::from_fn(|parity| {
                            let sign = if (others - parity).is_multiple_of(2) { 1.0 } else { -1.0 };
                            (2.0 * t.1 * sign / thermal_ev).exp()
                        })
                    })
                    .collect();
                let mut indices = Vec::new();
                for cell in 0..grid.cells() {
                    let start = cell * grid.basis() + from;
                    for term in &chosen {
                        indices.extend(term.0.iter().map(|s| grid.offset(start, *s) as u32));
                    }
                }
                FactorStencil { others, factors, indices }
            })
            .collect();
        out.outer = Some(OuterTerms(stencils));
    }
    if !outer_count.is_empty() {
        let sites: Vec<LatticeSite> = outer_count.iter().map(|o| o.0).collect();
        let weights = outer_count.iter().map(|o| o.1).collect();
        out.outer_count = Some((weights, crate::network::indices(grid, from, &sites)));
    }
    out
}
