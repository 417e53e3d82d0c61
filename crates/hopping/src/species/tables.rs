//! Sums over clusters as tables: one look-up for all products of site functions on the same sites.

use super::model::{EventKind, LocalAttempts};
use crate::HoppingError;
use scalade_crystal::{LatticeSite, SiteGrid};
use scalade_handoff::{LocalEvent, SiteFactor, SpeciesHamiltonian, SpeciesSite};
use std::collections::{BTreeMap, BTreeSet};

/// Most entries of a table.
const MOST_ENTRIES: usize = 1 << 16;
/// Most entries of all tables together.
const MOST_VALUES: usize = 1 << 26;

/// Tables of pairs of numbers, equal ones once.
#[derive(Clone, Debug, Default)]
pub(super) struct TableStore {
    values: Vec<[f64; 2]>,
    known: BTreeMap<Vec<u64>, u32>,
}

impl TableStore {
    pub fn values(&self) -> &[[f64; 2]] {
        &self.values
    }

    fn add(&mut self, table: &[[f64; 2]]) -> Result<u32, HoppingError> {
        if self.values.len() + table.len() > MOST_VALUES {
            let (what, value) = ("entries of the tables of all events", self.values.len() as f64);
            let want = "at most 2^26 are possible: take fewer clusters or species";
            return Err(HoppingError::Parameter { what, value, want });
        }
        let bits = table.iter().flatten().map(|v| v.to_bits()).collect();
        let values = &mut self.values;
        Ok(*self.known.entry(bits).or_insert_with(|| {
            values.extend_from_slice(table);
            (values.len() - table.len()) as u32
        }))
    }
}

/// Sites with a table of the species on them; the first site runs fastest.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cluster {
    pub sites: Vec<LatticeSite>,
    pub table: u32,
}

/// E_KRA and dE of an event in kT: `base` plus an entry of the table of every cluster. Sites are folded into the box about its origin.
///
/// Where the attempt frequency nu depends on the surroundings, E_KRA/kT less ln(nu/nu_0) stands in place of E_KRA/kT: without the rule for missing barriers
/// nothing else is needed for a rate nu_0 exp(-(E_KRA/kT - ln(nu/nu_0) + dE/2kT)).
#[derive(Clone, Debug)]
pub(super) struct EventTables {
    pub base: [f64; 2],
    pub clusters: Vec<Cluster>,
    /// Whether a rate may change though neither sum does: that of an attempt frequency under the rule for missing barriers.
    pub eager: bool,
}

/// The image of a site nearest to cell (0, 0, 0) in a periodic box.
pub(super) fn folded(site: LatticeSite, grid: &SiteGrid) -> LatticeSite {
    let cell = std::array::from_fn(|k| {
        let n = grid.dims()[k] as i64;
        let half = (n - 1) / 2;
        ((i64::from(site.cell[k]) + half).rem_euclid(n) - half) as i32
    });
    LatticeSite { cell, ..site }
}

/// Sums of products of site functions by the sites they are on.
struct Sums<'a> {
    sites: &'a [SpeciesSite],
    tables: BTreeMap<Vec<LatticeSite>, Vec<[f64; 2]>>,
    /// The same of the present orbit alone: terms of an orbit on the same sites come in any order, and their sum must not depend on it.
    orbit: BTreeMap<Vec<LatticeSite>, Vec<[f64; 2]>>,
}

impl<'a> Sums<'a> {
    fn new(sites: &'a [SpeciesSite]) -> Self {
        Self { sites, tables: BTreeMap::new(), orbit: BTreeMap::new() }
    }

    /// Adds a product; the values of the functions belong to those of `functions`, which may be other ones than those of the model.
    fn add(
        &mut self,
        factors: &[SiteFactor],
        functions: &[SpeciesSite],
        coefficient: [f64; 2],
    ) -> Result<(), HoppingError> {
        let set: Vec<LatticeSite> =
            factors.iter().map(|f| f.site).collect::<BTreeSet<_>>().into_iter().collect();
        let counts: Vec<usize> = set.iter().map(|s| self.sites[s.basis].species.len()).collect();
        let size = counts.iter().try_fold(1usize, |n, c| n.checked_mul(*c)).filter(|n| *n <= MOST_ENTRIES);
        let Some(size) = size else {
            let (what, value) = ("sites of a term", set.len() as f64);
            let want = "at most 65536 choices of species on its sites are possible";
            return Err(HoppingError::Parameter { what, value, want });
        };
        let place = |site: &LatticeSite| set.iter().position(|s| s == site).unwrap_or(0);
        let places: Vec<usize> = factors.iter().map(|f| place(&f.site)).collect();
        let table = self.orbit.entry(set).or_insert_with(|| vec![[0.0; 2]; size]);
        let mut species = vec![0usize; counts.len()];
        for entry in table.iter_mut() {
            let value = |(f, k): (&SiteFactor, &usize)| {
                functions[f.site.basis].functions[f.function - 1][species[*k]]
            };
            let product: f64 = factors.iter().zip(&places).map(value).product();
            for (sum, c) in entry.iter_mut().zip(coefficient) {
                *sum += c * product;
            }
            advance(&mut species, &counts);
        }
        Ok(())
    }

    fn end_orbit(&mut self) {
        for (set, table) in std::mem::take(&mut self.orbit) {
            let sums = self.tables.entry(set).or_insert_with(|| vec![[0.0; 2]; table.len()]);
            for (sum, value) in sums.iter_mut().zip(table) {
                sum[0] += value[0];
                sum[1] += value[1];
            }
        }
    }

    /// The constant and the clusters, the small ones first; those without any effect are left out unless they are `eager`.
    fn into_clusters(mut self, store: &mut TableStore, eager: bool) -> Result<EventTables, HoppingError> {
        let base = self.tables.remove(&Vec::new()).map_or([0.0; 2], |t| t[0]);
        let mut clusters = Vec::new();
        for (set, table) in self.tables {
            if !eager && table.iter().flatten().all(|v| *v == 0.0) {
                continue;
            }
            let (sites, table) = ordered(&set, &table, self.sites);
            clusters.push(Cluster { sites, table: store.add(&table)? });
        }
        clusters.sort_by_key(|c| c.sites.len());
        Ok(EventTables { base, clusters, eager })
    }
}

/// The next choice of species, the first site fastest.
fn advance(species: &mut [usize], counts: &[usize]) {
    for (s, count) in species.iter_mut().zip(counts) {
        *s += 1;
        if *s < *count {
            return;
        }
        *s = 0;
    }
}

/// A table in an order of its sites, with the bits by which orders are compared.
type Ordered = (Vec<u64>, Vec<LatticeSite>, Vec<[f64; 2]>);

/// The order of the sites of small clusters that makes the table least, so that clusters alike by symmetry share it.
fn ordered(
    set: &[LatticeSite],
    table: &[[f64; 2]],
    model: &[SpeciesSite],
) -> (Vec<LatticeSite>, Vec<[f64; 2]>) {
    let orders: &[&[usize]] = match set.len() {
        2 => &[&[0, 1], &[1, 0]],
        3 => &[&[0, 1, 2], &[0, 2, 1], &[1, 0, 2], &[1, 2, 0], &[2, 0, 1], &[2, 1, 0]],
        _ => return (set.to_vec(), table.to_vec()),
    };
    let count = |site: &LatticeSite| model[site.basis].species.len();
    let old: Vec<usize> = set.iter().map(count).collect();
    let mut best: Option<Ordered> = None;
    for order in orders {
        let sites: Vec<LatticeSite> = order.iter().map(|k| set[*k]).collect();
        let new: Vec<usize> = sites.iter().map(count).collect();
        let mut species = vec![0; sites.len()];
        let mut turned = Vec::with_capacity(table.len());
        for _ in 0..table.len() {
            let mut there = vec![0; set.len()];
            for (k, s) in order.iter().zip(&species) {
                there[*k] = *s;
            }
            let index = there.iter().zip(&old).rev().fold(0, |sum, (s, n)| sum * n + s);
            turned.push(table[index]);
            advance(&mut species, &new);
        }
        let key: Vec<u64> =
            new.iter().map(|n| *n as u64).chain(turned.iter().flatten().map(|v| v.to_bits())).collect();
        if best.as_ref().is_none_or(|b| key < b.0) {
            best = Some((key, sites, turned));
        }
    }
    best.map_or_else(|| (set.to_vec(), table.to_vec()), |b| (b.1, b.2))
}

/// Tables of (E_KRA, dE) of an event from before to after, in kT; see [`EventTables`] for attempt frequencies that depend on the surroundings.
///
/// Errors: an activation that depends on a site of the event itself by periodicity, terms with too many choices.
pub(super) fn event_tables(
    (kind, attempts): (&EventKind, Option<&LocalAttempts>),
    local: &LocalEvent,
    energy: Option<(&SpeciesHamiltonian, &[f64])>,
    sites: &[SpeciesSite],
    grid: &SiteGrid,
    thermal_ev: f64,
    store: &mut TableStore,
) -> Result<EventTables, HoppingError> {
    let mut sums = Sums::new(sites);
    let own: BTreeMap<LatticeSite, (usize, usize)> =
        local.changes.iter().map(|c| (folded(c.site, grid), (c.before, c.after))).collect();
    let expansion = &kind.expansion;
    for (number, orbit) in local.orbits.iter().enumerate() {
        let terms = orbit.terms.len() as f64;
        let mut coefficient = expansion.coefficients_ev[number + 1] / (terms * thermal_ev);
        let frequency = attempts.map_or(0.0, |a| a.coefficients[number + 1] / terms);
        let acts = coefficient != 0.0 || frequency != 0.0;
        if attempts.is_some() {
            coefficient -= frequency;
        }
        for term in &orbit.terms {
            let term: Vec<SiteFactor> =
                term.iter().map(|f| SiteFactor { site: folded(f.site, grid), ..*f }).collect();
            if acts && let Some(f) = term.iter().find(|f| own.contains_key(&f.site)) {
                return Err(HoppingError::EventBox {
                    kind: kind.name.clone(),
                    cells: grid.dims(),
                    reason: format!(
                        "its activation depends on site {:?} of sublattice {}, a periodic image of one of its own",
                        f.site.cell, f.site.basis
                    ),
                });
            }
            if acts {
                sums.add(&term, &expansion.sites, [coefficient, 0.0])?;
            }
        }
        sums.end_orbit();
    }
    if let Some((h, coefficients)) = energy {
        add_energy_difference(&mut sums, h, coefficients, &own, grid, thermal_ev)?;
    }
    let mut tables = sums.into_clusters(store, attempts.is_some())?;
    tables.base[0] += expansion.coefficients_ev[0] / thermal_ev;
    if let Some(attempts) = attempts {
        tables.base[0] -= attempts.coefficients[0];
    }
    Ok(tables)
}

/// Every term of the box that holds a site of the event: after less before.
fn add_energy_difference(
    sums: &mut Sums<'_>,
    h: &SpeciesHamiltonian,
    coefficients: &[f64],
    own: &BTreeMap<LatticeSite, (usize, usize)>,
    grid: &SiteGrid,
    thermal_ev: f64,
) -> Result<(), HoppingError> {
    for (orbit, c) in h.orbits.iter().zip(&coefficients[1..]) {
        for term in &orbit.terms {
            // A term with several sites of the event is met from each of them: its translates in the box tell it.
            let mut seen: BTreeSet<[i32; 3]> = BTreeSet::new();
            for (site, factor) in own.keys().flat_map(|s| term.iter().map(move |f| (s, f))) {
                if site.basis != factor.site.basis {
                    continue;
                }
                let by: [i32; 3] = std::array::from_fn(|k| site.cell[k] - factor.site.cell[k]);
                let by = folded(LatticeSite { cell: by, basis: 0 }, grid).cell;
                if !seen.insert(by) {
                    continue;
                }
                let (mut before, mut after) = (1.0, 1.0);
                let mut rest = Vec::new();
                for f in term {
                    let cell = std::array::from_fn(|k| f.site.cell[k] + by[k]);
                    let there = folded(LatticeSite { cell, ..f.site }, grid);
                    if let Some((from, to)) = own.get(&there) {
                        let values = &h.sites[f.site.basis].functions[f.function - 1];
                        before *= values[*from];
                        after *= values[*to];
                    } else {
                        rest.push(SiteFactor { site: there, ..*f });
                    }
                }
                let change = c * (after - before) / thermal_ev;
                if change != 0.0 {
                    sums.add(&rest, &h.sites, [0.0, change])?;
                }
            }
        }
        sums.end_orbit();
    }
    Ok(())
}

/// Tables of the energy (eV) of all terms of the box that hold a site of each sublattice in cell (0, 0, 0), that site among theirs. For changes of one site at a
/// time.
pub(super) fn site_tables(
    h: &SpeciesHamiltonian,
    coefficients: &[f64],
    sites: &[SpeciesSite],
    grid: &SiteGrid,
) -> Result<(TableStore, Vec<EventTables>), HoppingError> {
    let mut store = TableStore::default();
    let mut out = Vec::new();
    for basis in 0..sites.len() {
        let mut sums = Sums::new(sites);
        for (orbit, c) in h.orbits.iter().zip(&coefficients[1..]) {
            for term in &orbit.terms {
                let mut seen: BTreeSet<[i32; 3]> = BTreeSet::new();
                for factor in term.iter().filter(|f| f.site.basis == basis) {
                    let by: [i32; 3] = factor.site.cell.map(|n| -n);
                    let by = folded(LatticeSite { cell: by, basis: 0 }, grid).cell;
                    if !seen.insert(by) {
                        continue;
                    }
                    let moved = |f: &SiteFactor| {
                        let cell = std::array::from_fn(|k| f.site.cell[k] + by[k]);
                        SiteFactor { site: folded(LatticeSite { cell, ..f.site }, grid), ..*f }
                    };
                    let term: Vec<SiteFactor> = term.iter().map(moved).collect();
                    if *c != 0.0 {
                        sums.add(&term, &h.sites, [*c, 0.0])?;
                    }
                }
            }
            sums.end_orbit();
        }
        out.push(sums.into_clusters(&mut store, false)?);
    }
    Ok((store, out))
}
