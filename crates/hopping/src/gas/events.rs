//! Engines of a lattice gas that keep the rate of every possible hop, for where most trials of the rejection engine would fail.
//!
//! The rates of the hops across the bonds of a site, each bond counted at one of its ends, make the site's rate; a site is chosen by it ([`super::selector`]),
//! then a bond. After a hop the rates of the sites around are computed anew from tables. What a hop reaches is listed once by its kind: the sites whose rate may
//! change and the sites that those depend on. These are gathered into short lists first, so that the rates, several for each of them, work on those.
//!
//! With the weight w = e^(sum_k J_k n_k/2kT) of a site with n_k occupied neighbours in shell k, the rate of a hop from s to t is w(s)/w(t) times what its
//! direction alone tells (the bonds between its ends, the images of an ion). Weights are 0 where an ion is to leave a vacant site or to reach an occupied one:
//! which hops can happen needs no branches, that would be mispredicted half of the time.

use super::model::{GasHop, GasModel};
use super::selector::{Pick, Selector};
use super::state::{
    GasState, Move, Numbering, OCCUPIED, Place, Saved, motion_of_the_state, told_by_the_state,
};
use crate::checkpoint::{NO_ENGINE, Reader, Refused, Writer};
use crate::error::exceeds;
use crate::{Attempt, Engine, HoppingError};
use scalade_crystal::LatticeSite;
use scalade_numerics::Philox;
use std::collections::{BTreeMap, BTreeSet};

/// Rejections in a row after which nothing can be expected any more.
const MOST_REJECTIONS: u64 = 100_000_000;
/// Room for rounding between a rate and its bound.
const ROUNDING: f64 = 1.0 + 1e-12;

/// Most that weights may differ, as the logarithm.
const LARGEST_EXPONENT: f64 = 650.0;

/// A bond of a site, counted there.
#[derive(Clone, Copy, Debug)]
struct Bond {
    /// Direction from the site, and the one back.
    way: u8,
    back: u8,
    /// Share of a hop along each, without the weights.
    there: f64,
    thither: f64,
}

/// Weights of a site that an ion may leave, and of one that it may reach.
#[derive(Clone, Copy, Debug, Default)]
struct Weights {
    leave: f64,
    reach: f64,
}

/// Weights by the first mark of a site and factors by the others: e^(+-J_k (n - z_k/2)/2kT) for each shell.
#[derive(Clone, Debug)]
struct WeightTables(Vec<Box<[Weights; 256]>>);

impl WeightTables {
    fn new(model: &GasModel) -> Result<Self, HoppingError> {
        let mut reach = 0.0;
        let mut out = Vec::new();
        for k in 0..model.energies().len().max(1) {
            // Without energies, exclusion alone.
            let energy = model.energies().get(k).copied().unwrap_or(0.0);
            let around = |by_shell: &Vec<Vec<LatticeSite>>| by_shell.get(k).map_or(0, Vec::len);
            let most = model.neighbours().iter().map(around).max().unwrap_or(0);
            let mut table = Box::new([Weights::default(); 256]);
            for (mark, weights) in table.iter_mut().enumerate() {
                let occupied = mark & usize::from(OCCUPIED) != 0;
                let count = if k == 0 { mark & usize::from(!OCCUPIED) } else { mark };
                if count > most {
                    continue;
                }
                let exponent = 0.5 * energy * (count as f64 - 0.5 * most as f64);
                // Beyond the first shell a mark says nothing of the occupation, and both factors are due.
                if k > 0 || occupied {
                    weights.leave = exponent.exp();
                }
                if k > 0 || !occupied {
                    weights.reach = (-exponent).exp();
                }
            }
            out.push(table);
            reach += 0.5 * energy.abs() * most as f64;
        }
        if exceeds(reach, LARGEST_EXPONENT) {
            let want = "half the sum of pair energies over the neighbours of a site may have 650 kT at most";
            return Err(HoppingError::Parameter {
                what: "the energy around a site (kT)",
                value: reach,
                want,
            });
        }
        Ok(Self(out))
    }

    #[inline]
    fn of(&self, marks: &[u8]) -> Weights {
        let mut out = Weights { leave: 1.0, reach: 1.0 };
        for (table, mark) in self.0.iter().zip(marks) {
            let more = table[usize::from(*mark)];
            out.leave *= more.leave;
            out.reach *= more.reach;
        }
        out
    }
}

impl Bond {
    /// Share of the hop across the bond, 0 where there is none.
    #[inline]
    fn share(&self, here: Weights, other: Weights) -> f64 {
        self.there * here.leave * other.reach + self.thither * other.leave * here.reach
    }
}

/// Site index along each axis, from a coordinate and an offset, wrapped: no branches.
#[derive(Clone, Debug)]
struct Wrapped {
    axes: [Vec<u32>; 3],
}

impl Wrapped {
    fn new(shape: &Numbering, margin: usize) -> Self {
        let along = |a: usize| {
            let parts = shape.along(a);
            let length = parts.len();
            (0..length + 2 * margin).map(|k| parts[(k + length * margin - margin) % length]).collect()
        };
        Self { axes: std::array::from_fn(along) }
    }
}

/// A site near a hop: its cell less that of the start of the hop, plus the margin, and its sublattice.
#[derive(Clone, Copy, Debug)]
struct Near {
    cell: [u16; 3],
    basis: u8,
}

/// What a hop of one kind reaches.
#[derive(Clone, Debug)]
struct Reach {
    /// All sites that matter.
    near: Vec<Near>,
    /// Sites whose rate may change: index in `near`.
    sites: Vec<u16>,
    /// Index in `near` of the other ends of the bonds of those, one after another.
    ends: Vec<u16>,
}

/// An engine that chooses among all possible hops with the selector `S`.
#[derive(Clone, Debug)]
pub(super) struct EventEngine<'a, S> {
    state: GasState<'a>,
    selector: S,
    /// Bonds of every sublattice that are counted there.
    bonds: Vec<Vec<Bond>>,
    /// By sublattice and direction of the hop.
    reach: Vec<Vec<Reach>>,
    wrapped: Wrapped,
    tables: WeightTables,
    /// Numbers and weights of the sites of a reach.
    numbers: Vec<u32>,
    weights: Vec<Weights>,
    attempts: u64,
    last_hop: u64,
    time: f64,
    rng: Philox,
}

/// Whether a bond is counted at the end with this sublattice and direction.
fn counted(basis: usize, way: usize, hop: &GasHop) -> bool {
    (basis, way) < (hop.to.basis, hop.back)
}

fn bonds(state: &GasState<'_>) -> Vec<Vec<Bond>> {
    let of = |(basis, list): (usize, &Vec<GasHop>)| {
        let bond = |(way, hop): (usize, &GasHop)| {
            counted(basis, way, hop).then(|| Bond {
                way: way as u8,
                back: hop.back as u8,
                there: state.bare_share(basis, way),
                thither: state.bare_share(hop.to.basis, hop.back),
            })
        };
        list.iter().enumerate().filter_map(bond).collect()
    };
    state.model.hops().iter().enumerate().map(of).collect()
}

/// The sites at the end of steps from a site of the infinite lattice.
fn beyond(from: LatticeSite, to: LatticeSite) -> LatticeSite {
    LatticeSite { cell: std::array::from_fn(|a| from.cell[a] + to.cell[a]), basis: to.basis }
}

/// Sites of the infinite lattice that a hop reaches: those whose rate may change with the other ends of their bonds.
fn reached(model: &GasModel, bonds: &[Vec<Bond>], from: usize, hop: &GasHop) -> BTreeMap<Key, Vec<Key>> {
    let start = LatticeSite { cell: [0; 3], basis: from };
    let mut changed = BTreeSet::new();
    for end in [start, hop.to] {
        changed.insert(key(end));
        for neighbour in model.neighbours()[end.basis].iter().flatten() {
            changed.insert(key(beyond(end, *neighbour)));
        }
    }
    // A site's rate changes with either end of its bonds: with itself, or with the start of a hop that leads back to it.
    let mut due = changed.clone();
    for site in &changed {
        let site = unkey(*site);
        due.extend(model.hops()[site.basis].iter().map(|hop| key(beyond(site, hop.to))));
    }
    let mut out = BTreeMap::new();
    for site in due {
        let here = unkey(site);
        let other = |bond: &Bond| key(beyond(here, model.hops()[here.basis][usize::from(bond.way)].to));
        let ends: Vec<Key> = bonds[here.basis].iter().map(other).collect();
        if changed.contains(&site) || ends.iter().any(|end| changed.contains(end)) {
            out.insert(site, ends);
        }
    }
    out
}

/// Cell and sublattice, in the order of the numbering of sites.
type Key = ([i32; 3], usize);

fn key(site: LatticeSite) -> Key {
    (site.cell, site.basis)
}

fn unkey((cell, basis): Key) -> LatticeSite {
    LatticeSite { cell, basis }
}

/// Lists what every hop reaches, and how far that is from its start.
fn reaches(model: &GasModel, bonds: &[Vec<Bond>]) -> (Vec<Vec<Reach>>, usize) {
    let all: Vec<Vec<BTreeMap<Key, Vec<Key>>>> = model
        .hops()
        .iter()
        .enumerate()
        .map(|(from, list)| list.iter().map(|hop| reached(model, bonds, from, hop)).collect())
        .collect();
    let keys = || all.iter().flatten().flat_map(|m| m.iter().flat_map(|(k, e)| e.iter().chain([k])));
    let margin = keys().flat_map(|k| k.0).map(i32::unsigned_abs).max().unwrap_or(0) as usize;
    let compact = |map: &BTreeMap<Key, Vec<Key>>| {
        let sites: BTreeSet<Key> = map.iter().flat_map(|(k, ends)| ends.iter().chain([k])).copied().collect();
        let index: BTreeMap<Key, u16> = sites.iter().copied().zip(0..).collect();
        let near = |(cell, basis): &Key| Near {
            cell: cell.map(|c| (c + margin as i32) as u16),
            basis: *basis as u8,
        };
        Reach {
            near: sites.iter().map(near).collect(),
            sites: map.keys().map(|k| index[k]).collect(),
            ends: map.values().flatten().map(|k| index[k]).collect(),
        }
    };
    (all.iter().map(|list| list.iter().map(compact).collect()).collect(), margin)
}

impl<'a, S: Selector> EventEngine<'a, S> {
    /// Starts from an occupation.
    pub(super) fn new(model: &'a GasModel, occupied: &[bool], rng: Philox) -> Result<Self, HoppingError> {
        let state = GasState::new(model, occupied)?;
        let bonds = bonds(&state);
        let (reach, margin) = reaches(model, &bonds);
        let most = bonds.iter().map(Vec::len).max().unwrap_or(0);
        let near = reach.iter().flatten().map(|r| r.near.len()).max().unwrap_or(0);
        let mut out = Self {
            selector: S::new(state.room(), most as f64 * ROUNDING),
            wrapped: Wrapped::new(&state.shape, margin),
            bonds,
            reach,
            numbers: vec![0; near],
            weights: vec![Weights::default(); near],
            tables: WeightTables::new(model)?,
            attempts: 0,
            last_hop: 0,
            time: 0.0,
            rng,
            state,
        };
        for place in out.state.all_places() {
            let (site, mut rate) = (out.state.shape.index(place), 0.0);
            for bond in &out.bonds[usize::from(place.basis)] {
                rate += out.across(place, site, *bond).1;
            }
            out.selector.set(site, rate);
        }
        out.selector.settle();
        Ok(out)
    }

    /// The other end of a bond with the share of the hop across it.
    #[inline]
    fn across(&self, place: Place, site: usize, bond: Bond) -> (Place, f64) {
        let state = &self.state;
        let outward = &state.directions[usize::from(place.basis)][usize::from(bond.way)];
        let other = state.shape.stepped(place, outward.step);
        let weights = |site: usize| self.tables.of(state.marks(site));
        (other, bond.share(weights(site), weights(state.shape.index(other))))
    }

    /// Brings the rates of the sites around a hop that has been made up to date.
    fn renew(&mut self, from: Place, way: usize) {
        let Self { state, selector, bonds, reach, wrapped, tables, numbers, weights, .. } = self;
        let reach = &reach[usize::from(from.basis)][way];
        let [x, y, z] = std::array::from_fn(|a| &wrapped.axes[a][usize::from(from.cell[a])..]);
        for ((near, number), weights) in reach.near.iter().zip(numbers.iter_mut()).zip(weights.iter_mut()) {
            let [i, j, k] = near.cell.map(usize::from);
            let site = x[i] + y[j] + z[k] + u32::from(near.basis);
            *number = site;
            *weights = tables.of(state.marks(site as usize));
        }
        let mut ends = reach.ends.as_slice();
        for here in &reach.sites {
            let here = usize::from(*here);
            let bonds = bonds[usize::from(reach.near[here].basis)].as_slice();
            let (others, rest) = ends.split_at(bonds.len());
            ends = rest;
            let own = weights[here];
            let mut rate = 0.0;
            for (bond, other) in bonds.iter().zip(others) {
                rate += bond.share(own, weights[usize::from(*other)]);
            }
            selector.set(numbers[here] as usize, rate);
        }
        selector.settle();
    }

    /// The hop meant by a choice, none for a rejection.
    fn chosen(&mut self, pick: Pick) -> Result<Option<Move>, HoppingError> {
        let place = self.state.shape.place(pick.site);
        let (mut rate, mut found, mut last) = (0.0, None, None);
        for bond in &self.bonds[usize::from(place.basis)] {
            let (other, share) = self.across(place, pick.site, *bond);
            rate += share;
            if share > 0.0 {
                last = Some((*bond, other));
            }
            if found.is_none() && pick.level < rate {
                found = last;
            }
        }
        if exceeds(rate, pick.bound * ROUNDING) {
            let (rate, bound) = (rate * self.state.bound, pick.bound * self.state.bound);
            return Err(HoppingError::Bound { bond: pick.site, rate, bound, time_s: self.time });
        }
        if found.is_none() && pick.bound <= rate {
            // Rounding put the level onto the rate: the last bond is meant.
            found = last;
        }
        let Some((bond, other)) = found else {
            self.selector.rejected(pick.site, rate);
            return Ok(None);
        };
        let other_site = self.state.shape.index(other);
        let hop = if self.state.is_vacant(other_site) {
            let way = usize::from(bond.way);
            Move { from: place, to: other, from_site: pick.site, to_site: other_site, way }
        } else {
            let way = usize::from(bond.back);
            Move { from: other, to: place, from_site: other_site, to_site: pick.site, way }
        };
        // Against the tables of the rejection engine, so that one law holds.
        self.state.checked_share(&hop, self.time)?;
        Ok(Some(hop))
    }
}

impl<'a, S: Selector> EventEngine<'a, S> {
    /// Writes what has to be kept. Rates follow from the occupation, to the last bit; how a selector files them may not.
    pub(super) fn save(&self, out: &mut Writer) -> Result<(), Refused> {
        self.state.save(out);
        out.u64(self.attempts);
        out.u64(self.last_hop);
        out.f64(self.time);
        out.stream(&self.rng)?;
        self.selector.save(out);
        Ok(())
    }

    /// The engine that was written, its state being read already.
    pub(super) fn restored(
        model: &'a GasModel,
        saved: Saved,
        from: &mut Reader<'_>,
    ) -> Result<Self, Refused> {
        let (attempts, last_hop, time, rng) = (from.counted()?, from.u64()?, from.f64()?, from.stream()?);
        let mut out = Self::new(model, &saved.occupied, rng).map_err(|_| NO_ENGINE)?;
        (out.attempts, out.last_hop, out.time) = (attempts, last_hop.min(attempts), time);
        out.selector.restore(from)?;
        out.state.put(saved)?;
        Ok(out)
    }
}

impl<S: Selector> EventEngine<'_, S> {
    told_by_the_state!();
}

impl<S: Selector> Engine for EventEngine<'_, S> {
    fn attempt(&mut self, limit_s: f64) -> Result<Attempt, HoppingError> {
        let rate = self.state.model.rate() * self.state.bound * self.selector.total();
        if self.time + 1.0 / rate > limit_s {
            return Ok(Attempt::TimeReached);
        }
        let stuck = HoppingError::Stuck { total_hz: rate, events: self.state.events };
        let Some(pick) = self.selector.pick(&mut self.rng) else { return Err(stuck) };
        self.time += 1.0 / rate;
        self.attempts += 1;
        let Some(hop) = self.chosen(pick)? else {
            if self.attempts - self.last_hop > MOST_REJECTIONS {
                return Err(stuck);
            }
            return Ok(Attempt::Rejected);
        };
        self.last_hop = self.attempts;
        self.state.make(&hop);
        self.renew(hop.from, hop.way);
        Ok(Attempt::Hopped)
    }

    fn time_s(&self) -> f64 {
        self.time
    }

    fn attempts(&self) -> u64 {
        self.attempts
    }

    motion_of_the_state!();
}
