//! A crystal with several species and the events in it.

use super::moves::{AtomMove, Mobility, Step, mobility, moves_of};
use super::stencil::Stencil;
use super::tables::{TableStore, event_tables};
use crate::error::positive;
use crate::{HoppingError, RateParameters};
use scalade_crystal::{LatticeSite, Matrix3, SiteGrid, row_times};
use scalade_handoff::local_expansion::{canonical_event, reversed};
use scalade_handoff::{
    LocalEvent, LocalExpansion, Parity, SpeciesChange, SpeciesHamiltonian, SpeciesSite, VACANT,
};
use scalade_units::constants::BOLTZMANN_EV;
use std::collections::{BTreeMap, BTreeSet};

/// Differences of fractional positions, and relative ones of lattice vectors, below this are rounding.
const SAME: f64 = 1e-6;
/// Largest coefficient, eV.
const LARGEST_COEFFICIENT: f64 = 1e4;
/// Largest magnitude of ln(nu/Hz).
const MOST_LN_HZ: f64 = 250.0;
/// Most kinds of events, and most events of a primitive cell.
const MOST_EVENTS: usize = 16_384;
/// Most sites of a box.
const MOST_SITES: usize = 1 << 26;

/// A kind of event: a prototype with its symmetry images.
#[derive(Clone, Debug, PartialEq)]
pub struct EventKind {
    /// A name for messages.
    pub name: String,
    /// The prototype and E_KRA about it (eV, its best coefficients); of even parity.
    pub expansion: LocalExpansion,
    /// Attempt frequency nu, Hz; 1 where the expansion tells nu in every surroundings, which it multiplies.
    pub prefactor_hz: f64,
}

/// An attempt frequency that depends on the surroundings: ln(nu/nu_0), nu_0 at or above every nu.
#[derive(Clone, Debug)]
pub(super) struct LocalAttempts {
    /// Coefficients on the orbits of the expansion.
    pub coefficients: Vec<f64>,
    /// A lower bound.
    pub lowest: f64,
}

/// nu_0 of a kind, Hz, and what surroundings make of it.
///
/// Errors: frequencies that do not fit a double.
fn attempts(kind: &EventKind) -> Result<(f64, Option<LocalAttempts>), HoppingError> {
    let Some(own) = &kind.expansion.attempt_frequency else { return Ok((kind.prefactor_hz, None)) };
    let [low, high] = kind.expansion.bounds(&own.coefficients_ln_hz);
    for value in [low, high] {
        if crate::error::exceeds(value.abs(), MOST_LN_HZ) {
            let (what, want) = ("bound of ln(attempt frequency/Hz)", "a number within +-250 is due");
            return Err(HoppingError::Parameter { what, value, want });
        }
    }
    let mut coefficients = own.coefficients_ln_hz.clone();
    coefficients[0] -= high;
    let local = (low < high).then_some(LocalAttempts { coefficients, lowest: low - high });
    Ok((kind.prefactor_hz * high.exp(), local))
}

/// What a model is built from.
#[derive(Clone, Copy, Debug)]
pub struct SpeciesParts<'a> {
    /// Lattice vectors of the primitive cell as rows, angstrom.
    pub lattice_angstrom: Matrix3,
    /// The sublattices; [`VACANT`] is the vacancy.
    pub sites: &'a [SpeciesSite],
    /// The energy with its coefficients (eV; the best ones or a sample without c_C); without one all arrangements are equally likely. A Coulomb term is refused.
    pub hamiltonian: Option<(&'a SpeciesHamiltonian, &'a [f64])>,
    /// The events.
    pub kinds: &'a [EventKind],
    /// Cells of the box along each lattice vector.
    pub cells: [usize; 3],
    /// Temperature, K.
    pub temperature_k: f64,
}

/// An event of the primitive cell; its reverse is the same entry.
#[derive(Clone, Debug)]
pub(super) struct EventType {
    pub kind: usize,
    pub local: LocalEvent,
    /// Of the changes from before to after, for the reverse with from and to exchanged.
    pub moves: Vec<AtomMove>,
}

/// A crystal with several species in a periodic box, and the events in it: checked and compiled.
#[derive(Clone, Debug)]
pub struct SpeciesModel {
    lattice_angstrom: Matrix3,
    sites: Vec<SpeciesSite>,
    grid: SiteGrid,
    temperature_k: f64,
    names: Vec<String>,
    global: Vec<Vec<usize>>,
    hamiltonian: Option<(SpeciesHamiltonian, Vec<f64>)>,
    kinds: Vec<EventKind>,
    types: Vec<EventType>,
    /// By event: the attempt frequency, or the largest that there can be.
    prefactors_hz: Vec<f64>,
    /// By kind of events; empty if none has any.
    local_attempts: Vec<Option<LocalAttempts>>,
    mobility: Vec<Mobility>,
    mobile: Vec<bool>,
    warnings: Vec<String>,
    store: TableStore,
    stencil: Stencil,
}

/// Refuses an event that changes the number of a species.
pub(super) fn check_count(
    kind: &str,
    species: &str,
    before: usize,
    after: usize,
) -> Result<(), HoppingError> {
    if before == after {
        return Ok(());
    }
    Err(HoppingError::NotConserved { kind: kind.into(), species: species.into(), before, after })
}

impl SpeciesModel {
    /// Checks and compiles a model.
    ///
    /// Errors: numbers that are not finite or out of range; sublattices that differ between the model, the Hamiltonian and the events; an event that does not keep
    /// the number of each species or is not of even parity; a box in which an event meets itself; no event at all.
    pub fn new(parts: &SpeciesParts<'_>) -> Result<Self, HoppingError> {
        positive("temperature (K)", parts.temperature_k)?;
        let grid = SiteGrid::new(parts.cells, parts.sites.len())?;
        if grid.sites() > MOST_SITES {
            let (what, value, want) = ("sites of the box", grid.sites() as f64, "at most 2^26 are possible");
            return Err(HoppingError::Parameter { what, value, want });
        }
        check_parts(parts)?;
        let (names, global) = species_of(parts.sites);
        let types = event_types(parts, &names, &global)?;
        let mut warnings = doubles(parts.kinds, &types);
        warnings.extend(folded_events(parts, &types, &grid)?);
        let networks = networks(parts, &names, &global, &types);
        let mut mobile = vec![false; parts.sites.len()];
        for change in types.iter().flat_map(|t| &t.local.changes) {
            mobile[change.site.basis] = true;
        }
        let hamiltonian = parts.hamiltonian.map(|(h, c)| (h.clone(), c.to_vec()));
        let (largest_hz, local_attempts): (Vec<f64>, Vec<Option<LocalAttempts>>) =
            parts.kinds.iter().map(attempts).collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let thermal = BOLTZMANN_EV * parts.temperature_k;
        let mut store = TableStore::default();
        let mut tables = Vec::with_capacity(types.len());
        for event in &types {
            let kind = (&parts.kinds[event.kind], local_attempts[event.kind].as_ref());
            let energy = hamiltonian.as_ref().map(|(h, c)| (h, c.as_slice()));
            tables.push(event_tables(kind, &event.local, energy, parts.sites, &grid, thermal, &mut store)?);
        }
        let stencil = Stencil::new(&grid, parts.sites, &types, &tables)?;
        Ok(Self {
            lattice_angstrom: parts.lattice_angstrom,
            sites: parts.sites.to_vec(),
            grid,
            temperature_k: parts.temperature_k,
            names,
            global,
            hamiltonian,
            kinds: parts.kinds.to_vec(),
            prefactors_hz: types.iter().map(|t| largest_hz[t.kind]).collect(),
            local_attempts: if local_attempts.iter().any(Option::is_some) {
                local_attempts
            } else {
                Vec::new()
            },
            types,
            mobility: networks,
            mobile,
            warnings,
            store,
            stencil,
        })
    }

    /// Names of all species of the sublattices in alphabetical order, [`VACANT`] among them.
    pub fn species(&self) -> &[String] {
        &self.names
    }

    /// Number of the vacancy among the species, if there is one.
    pub fn vacancy(&self) -> Option<usize> {
        self.names.iter().position(|n| n == VACANT)
    }

    /// The sublattices.
    pub fn sites(&self) -> &[SpeciesSite] {
        &self.sites
    }

    /// The box.
    pub fn grid(&self) -> &SiteGrid {
        &self.grid
    }

    /// Temperature, K.
    pub fn temperature_k(&self) -> f64 {
        self.temperature_k
    }

    /// kT, eV.
    pub fn thermal_energy_ev(&self) -> f64 {
        BOLTZMANN_EV * self.temperature_k
    }

    /// Number of a species of a sublattice among [`Self::species`].
    pub fn global(&self, basis: usize, local: usize) -> usize {
        self.global[basis][local]
    }

    /// Where each species can go.
    pub fn mobility(&self) -> &[Mobility] {
        &self.mobility
    }

    /// Sites of the box on sublattices that events change: N of the Onsager coefficients.
    pub fn mobile_sites(&self) -> usize {
        self.grid.cells() * self.mobile.iter().filter(|m| **m).count()
    }

    /// What is unusual though admissible: events that stand twice, events whose images in the box are the same changes.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Events of a primitive cell, an event and its reverse counted once.
    pub fn events_per_cell(&self) -> usize {
        self.types.len()
    }

    /// The events of a primitive cell with the moves of their atoms: (number of the kind, changes, moves).
    pub fn events(&self) -> impl Iterator<Item = (usize, &[SpeciesChange], &[AtomMove])> {
        self.types.iter().map(|t| (t.kind, t.local.changes.as_slice(), t.moves.as_slice()))
    }

    pub(super) fn types(&self) -> &[EventType] {
        &self.types
    }

    pub(super) fn kind_of(&self, event: usize) -> &EventKind {
        &self.kinds[self.types[event].kind]
    }

    /// Attempt frequency of an event, Hz, or the largest that there can be where it depends on the surroundings.
    #[inline]
    pub(super) fn prefactor_hz(&self, event: usize) -> f64 {
        self.prefactors_hz[event]
    }

    /// What surroundings make of the attempt frequency of an event.
    pub(super) fn local_attempts(&self, event: usize) -> Option<&LocalAttempts> {
        self.local_attempts.get(self.types[event].kind)?.as_ref()
    }

    /// Whether an attempt frequency depends on the surroundings.
    pub(super) fn has_local_attempts(&self) -> bool {
        !self.local_attempts.is_empty()
    }

    pub(super) fn hamiltonian(&self) -> Option<(&SpeciesHamiltonian, &[f64])> {
        self.hamiltonian.as_ref().map(|(h, c)| (h, c.as_slice()))
    }

    /// All that follows neither from anything else here nor from the arrangement.
    pub(super) fn origin(&self) -> impl std::fmt::Debug {
        let box_of = (&self.lattice_angstrom, &self.sites, self.grid.dims(), self.temperature_k);
        (box_of, &self.hamiltonian, &self.kinds)
    }

    pub(super) fn store(&self) -> &TableStore {
        &self.store
    }

    pub(super) fn stencil(&self) -> &Stencil {
        &self.stencil
    }

    /// Lattice vectors as rows, angstrom.
    pub fn lattice_angstrom(&self) -> &Matrix3 {
        &self.lattice_angstrom
    }

    /// Checks an arrangement: for each site of the box (numbered by [`SiteGrid`]) an index into the species of its sublattice.
    pub fn check_arrangement(&self, arrangement: &[u8]) -> Result<(), HoppingError> {
        let (site, value) = (arrangement.len(), self.grid.sites());
        if site != value {
            let (what, want) = ("number of sites of the box", "one entry per site is due");
            return Err(HoppingError::Arrangement { what, value, site, want });
        }
        for (site, species) in arrangement.iter().enumerate() {
            let value = usize::from(*species);
            if value >= self.sites[site % self.grid.basis()].species.len() {
                let (what, want) = ("species", "an index into the species of the sublattice is due");
                return Err(HoppingError::Arrangement { what, value, site, want });
            }
        }
        Ok(())
    }

    /// Sites with each species.
    pub fn counts(&self, arrangement: &[u8]) -> Vec<usize> {
        let mut out = vec![0; self.names.len()];
        for (site, species) in arrangement.iter().enumerate() {
            out[self.global[site % self.grid.basis()][usize::from(*species)]] += 1;
        }
        out
    }

    /// Energy of an arrangement by straight summation, eV.
    pub fn energy_ev(&self, arrangement: &[u8]) -> Result<f64, HoppingError> {
        self.check_arrangement(arrangement)?;
        Ok(self.hamiltonian().map_or(0.0, |(h, c)| h.reference_energy_ev(c, &self.grid, arrangement)))
    }

    /// Rate of an event (or its reverse) with an energy change in a cell by straight summation over the local expansions, Hz.
    pub(super) fn reference_rate_hz(
        &self,
        event: usize,
        cell: [i32; 3],
        arrangement: &[u8],
        delta_ev: f64,
    ) -> f64 {
        let EventKind { expansion, prefactor_hz, .. } = self.kind_of(event);
        let there = |site: LatticeSite| usize::from(arrangement[self.at(site, cell)]);
        let sum = |c: &[f64]| self.types[event].local.value_ev(&expansion.sites, c, there);
        let kra_ev = sum(&expansion.coefficients_ev);
        let own = expansion.attempt_frequency.as_ref();
        let prefactor_hz = prefactor_hz * own.map_or(1.0, |own| sum(&own.coefficients_ln_hz).exp());
        let local = crate::LocalBarrier { mechanism: crate::Mechanism::Odh, kra_ev, paths: 1.0 };
        RateParameters { temperature_k: self.temperature_k, prefactor_hz }.rate_hz(&local, delta_ev)
    }

    /// Index of the site of an event in a cell.
    pub(super) fn at(&self, site: LatticeSite, cell: [i32; 3]) -> usize {
        let cell = std::array::from_fn(|k| site.cell[k] + cell[k]);
        self.grid.index(LatticeSite { cell, ..site })
    }

    /// Makes an event (or its reverse) in a cell.
    pub(super) fn apply(&self, event: usize, backward: bool, cell: [i32; 3], arrangement: &mut [u8]) {
        for c in &self.types[event].local.changes {
            arrangement[self.at(c.site, cell)] = if backward { c.before } else { c.after } as u8;
        }
    }
}

fn check_parts(parts: &SpeciesParts<'_>) -> Result<(), HoppingError> {
    if parts.kinds.is_empty() || parts.kinds.len() > MOST_EVENTS {
        let (what, value) = ("kinds of events", parts.kinds.len() as f64);
        return Err(HoppingError::Parameter {
            what,
            value,
            want: "1 to 16384 are due: without one nothing moves",
        });
    }
    let bounded = |what, list: &[f64]| {
        let far = list.iter().find(|c| !c.is_finite() || c.abs() > LARGEST_COEFFICIENT);
        let want = "a finite number within +-1e4 eV is due";
        far.map_or(Ok(()), |value| Err(HoppingError::Parameter { what, value: *value, want }))
    };
    if let Some((h, coefficients)) = parts.hamiltonian {
        h.check()?;
        bounded("coefficient of the Hamiltonian (eV)", coefficients)?;
        if coefficients.len() != h.orbits.len() + 1 {
            let (what, value) = ("coefficients of the Hamiltonian", coefficients.len() as f64);
            let want = "one more than orbits are due, without that of a Coulomb term";
            return Err(HoppingError::Parameter { what, value, want });
        }
        if h.coulomb_coefficient != 0.0 {
            let (what, value) = ("Coulomb coefficient", h.coulomb_coefficient);
            let want = "0 is due: an event sees its surroundings, not the whole box; expand the Coulomb energy in clusters";
            return Err(HoppingError::Parameter { what, value, want });
        }
        same_sublattices("Hamiltonian", parts, &h.lattice_angstrom, &h.sites)?;
    }
    for kind in parts.kinds {
        positive("attempt frequency (Hz)", kind.prefactor_hz)?;
        let error = |reason: String| HoppingError::EventKind { kind: kind.name.clone(), reason };
        kind.expansion.check().map_err(|e| error(e.to_string()))?;
        bounded("coefficient of an event (eV)", &kind.expansion.coefficients_ev)?;
        if kind.expansion.parity != Parity::Even {
            return Err(error(
                "its parity is directed; E_KRA, the same for an event and its reverse, is due (parity even), for detailed balance".into(),
            ));
        }
        if kind.expansion.event.len() < 2 {
            return Err(error(format!("it changes {} site; 2 to 16 are due", kind.expansion.event.len())));
        }
        same_sublattices(
            &format!("event {}", kind.name),
            parts,
            &kind.expansion.lattice_angstrom,
            &kind.expansion.sites,
        )?;
    }
    Ok(())
}

fn same_sublattices(
    what: &str,
    parts: &SpeciesParts<'_>,
    lattice: &Matrix3,
    sites: &[SpeciesSite],
) -> Result<(), HoppingError> {
    let error = |sublattice, reason| HoppingError::Sublattices { what: what.into(), sublattice, reason };
    if sites.len() != parts.sites.len() {
        let reason = format!("it has {} sublattices, the model {}", sites.len(), parts.sites.len());
        return Err(error(sites.len().min(parts.sites.len()), reason));
    }
    let size = parts.lattice_angstrom.iter().flatten().fold(0.0f64, |m, v| m.max(v.abs()));
    for (a, b) in lattice.iter().flatten().zip(parts.lattice_angstrom.iter().flatten()) {
        if crate::error::exceeds((a - b).abs(), SAME * size) {
            return Err(error(
                0,
                format!("a component of its lattice vectors is {a}, of the model's {b} angstrom"),
            ));
        }
    }
    for (n, (a, b)) in sites.iter().zip(parts.sites).enumerate() {
        if a.species != b.species {
            return Err(error(
                n,
                format!("its species are {:?}, those of the model {:?}", a.species, b.species),
            ));
        }
        for (p, q) in a.fractional.iter().zip(b.fractional) {
            if crate::error::exceeds((p - q).abs(), SAME) {
                return Err(error(n, format!("its fractional coordinate is {p}, in the model {q}")));
            }
        }
    }
    Ok(())
}

/// Names of all species, and their numbers by sublattice.
fn species_of(sites: &[SpeciesSite]) -> (Vec<String>, Vec<Vec<usize>>) {
    let names: BTreeSet<&String> = sites.iter().flat_map(|s| &s.species).collect();
    let names: Vec<String> = names.into_iter().cloned().collect();
    let number = |name: &String| names.iter().position(|n| n == name).unwrap_or(0);
    let global = sites.iter().map(|s| s.species.iter().map(number).collect()).collect();
    (names, global)
}

/// Cartesian position of a site of the infinite crystal.
fn position(parts: &SpeciesParts<'_>, site: LatticeSite) -> [f64; 3] {
    let fractional = parts.sites[site.basis].fractional;
    row_times(std::array::from_fn(|k| fractional[k] + f64::from(site.cell[k])), &parts.lattice_angstrom)
}

fn event_types(
    parts: &SpeciesParts<'_>,
    names: &[String],
    global: &[Vec<usize>],
) -> Result<Vec<EventType>, HoppingError> {
    let mut out = Vec::new();
    for (number, kind) in parts.kinds.iter().enumerate() {
        let error = |e: scalade_handoff::HandoffError| HoppingError::EventKind {
            kind: kind.name.clone(),
            reason: e.to_string(),
        };
        // The prototype first, so that messages tell of the event as it was given.
        moves_of(&kind.name, names, global, &kind.expansion.event, |s| position(parts, s))?;
        for mut local in kind.expansion.events().map_err(error)? {
            // In the order of sites, so that events on the same sites have them in the same order.
            local.changes.sort_unstable_by_key(|c| c.site);
            let moves = moves_of(&kind.name, names, global, &local.changes, |s| position(parts, s))?;
            out.push(EventType { kind: number, local, moves });
        }
        if out.len() > MOST_EVENTS {
            let (what, value) = ("events of a primitive cell", out.len() as f64);
            return Err(HoppingError::Parameter { what, value, want: "at most 16384 are possible" });
        }
    }
    Ok(out)
}

/// Warnings about events that several kinds hold.
fn doubles(kinds: &[EventKind], types: &[EventType]) -> Vec<String> {
    let mut seen: BTreeMap<Vec<SpeciesChange>, usize> = BTreeMap::new();
    let mut out = BTreeSet::new();
    for event in types {
        if let Some(other) = seen.insert(canonical_event(&event.local.changes, Parity::Even), event.kind) {
            let (a, b) = (&kinds[other].name, &kinds[event.kind].name);
            out.insert(format!("events {a} and {b} hold the same changes: both happen, their rates add"));
        }
    }
    out.into_iter().collect()
}

/// Refuses events of which two sites are the same in the box, and warns of different events that are the same changes there.
fn folded_events(
    parts: &SpeciesParts<'_>,
    types: &[EventType],
    grid: &SiteGrid,
) -> Result<Vec<String>, HoppingError> {
    let mut seen: BTreeMap<Vec<(usize, usize, usize)>, usize> = BTreeMap::new();
    let mut count = 0;
    for event in types {
        let index: Vec<usize> = event.local.changes.iter().map(|c| grid.index(c.site)).collect();
        let distinct: BTreeSet<&usize> = index.iter().collect();
        if distinct.len() < index.len() {
            return Err(HoppingError::EventBox {
                kind: parts.kinds[event.kind].name.clone(),
                cells: parts.cells,
                reason: format!("its {} sites are {} in the box", index.len(), distinct.len()),
            });
        }
        for changes in [event.local.changes.clone(), reversed(&event.local.changes)] {
            // The least of its translates in the box.
            let moved = |anchor: &SpeciesChange| {
                let mut list: Vec<(usize, usize, usize)> = changes
                    .iter()
                    .map(|c| {
                        let cell = std::array::from_fn(|k| c.site.cell[k] - anchor.site.cell[k]);
                        (grid.index(LatticeSite { cell, ..c.site }), c.before, c.after)
                    })
                    .collect();
                list.sort_unstable();
                list
            };
            let least = changes.iter().map(moved).min().unwrap_or_default();
            if seen.insert(least, event.kind).is_some_and(|other| other == event.kind) {
                count += 1;
            }
        }
    }
    Ok(if count == 0 {
        Vec::new()
    } else {
        vec![format!(
            "in a box of {:?} cells {count} events are the same changes as another one by periodicity; each is counted with its own displacements",
            parts.cells
        )]
    })
}

fn networks(
    parts: &SpeciesParts<'_>,
    names: &[String],
    global: &[Vec<usize>],
    types: &[EventType],
) -> Vec<Mobility> {
    let mut steps: Vec<BTreeSet<Step>> = vec![BTreeSet::new(); names.len()];
    for event in types {
        for m in &event.moves {
            let (from, to) = (event.local.changes[m.from].site, event.local.changes[m.to].site);
            let shift = std::array::from_fn(|k| to.cell[k] - from.cell[k]);
            steps[m.species].insert((from.basis, to.basis, shift));
        }
    }
    let one = |(n, name): (usize, &String)| {
        let allowed: Vec<bool> = global.iter().map(|list| list.contains(&n)).collect();
        mobility(name, &allowed, &steps[n], &parts.lattice_angstrom)
    };
    names.iter().enumerate().map(one).collect()
}
