//! The engine: events chosen by their rates, which are changed where a change of a site concerns them.

mod saved;

use super::model::SpeciesModel;
use super::stencil::{Impact, Joint, NONE, Stencil};
use crate::HoppingError;
use crate::engine::cleared;
use crate::error::exceeds;
use crate::gas::selector::{Selector, SumTree};
use scalade_handoff::SpeciesChange;
use scalade_numerics::Philox;

/// Events between two comparisons of the rates with ones computed anew.
const RESYNC: u64 = 1 << 20;
/// Largest deviation of E_KRA and dE from ones computed anew, relative to the larger of 1 and their magnitude, kT.
const LARGEST_DRIFT: f64 = 1e-8;

/// The events on one set of sites.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// (E_KRA, dE) of the event, not of its reverse, in kT; see [`super::tables::EventTables`].
    values: [f64; 2],
    /// Number of the step that last changed it.
    stamp: u32,
    /// Twice the event that can happen, plus 1 for the reverse.
    event: u16,
}

/// A group that an event concerns, with its event and sums.
#[derive(Clone, Copy, Debug)]
struct Found {
    values: [f64; 2],
    /// Where it is in memory.
    origin: usize,
    slot: u32,
    /// Number in the list of groups concerned.
    number: u32,
    event: u16,
}

const NOT_FOUND: Found = Found { values: [0.0; 2], origin: 0, slot: 0, number: 0, event: NONE };

/// A state and its events. Kinetic Monte Carlo without rejection (A. B. Bortz, M. H. Kalos, J. L. Lebowitz, J. Comput. Phys. 17, 10 (1975)), with residence times drawn
/// from their exponential law.
#[derive(Clone, Debug)]
pub struct SpeciesEngine<'m> {
    model: &'m SpeciesModel,
    /// Species of every site and of its images, see [`super::stencil::PaddedBox`].
    memory: Vec<u8>,
    /// The same after the event that is being made.
    after: Vec<u8>,
    /// Groups in which an event can happen among those that an event concerns.
    found: Vec<Found>,
    /// Exponents of the rates that change.
    exponents: Vec<f64>,
    /// Atom (or vacancy) on every site.
    holder: Vec<u32>,
    /// Species of every atom.
    kind: Vec<u8>,
    displacement: Vec<[f64; 3]>,
    slots: Vec<Slot>,
    tree: SumTree,
    changed: Vec<u32>,
    stamp: u32,
    /// Events made by type, there and back.
    made: Vec<[u64; 2]>,
    rng: Philox,
    time_s: f64,
    events: u64,
    last_resync: u64,
    /// Largest deviation met at a comparison.
    deviation: f64,
}

/// -(barrier)/kT of an event or its reverse: see [`crate::RateParameters::barrier_ev`].
#[inline]
fn exponent(values: [f64; 2], backward: bool) -> f64 {
    let [kra, there] = values;
    let delta = if backward { -there } else { there };
    -(kra + 0.5 * delta).max(delta.max(0.0))
}

/// e^x for x up to 0 to 2e-16 relative, 0 below -708 and NaN for NaN: in line and without branches, so that several are computed side by side.
#[inline]
fn exp_below(x: f64) -> f64 {
    // ln 2 in two parts, the first with zeros at its end: products with small integers are exact.
    const HIGH: f64 = 0.693_147_180_369_123_8;
    const LOW: f64 = 1.908_214_929_270_587_7e-10;
    /// Adding this rounds to an integer, which is then in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let kept = x.max(-708.0);
    let shifted = kept * std::f64::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (kept - n * HIGH) - n * LOW;
    // 1/k! up to r^13: the rest is below 5e-18.
    let r2 = r * r;
    let r4 = r2 * r2;
    let p0 = (0.5 + r * (1.0 / 6.0)) + r2 * (1.0 / 24.0 + r * (1.0 / 120.0));
    let p1 = (1.0 / 720.0 + r * (1.0 / 5_040.0)) + r2 * (1.0 / 40_320.0 + r * (1.0 / 362_880.0));
    let p2 = (1.0 / 3_628_800.0 + r * (1.0 / 39_916_800.0))
        + r2 * (1.0 / 479_001_600.0 + r * (1.0 / 6_227_020_800.0));
    let sum = 1.0 + (r + r2 * (p0 + r4 * (p1 + r4 * p2)));
    let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    let value = sum * power;
    if x < -708.0 {
        0.0
    } else if x.is_nan() {
        x
    } else {
        value
    }
}

impl<'m> SpeciesEngine<'m> {
    /// Starts from an arrangement (see [`SpeciesModel::check_arrangement`]). Atoms are numbered by the sites on which they start.
    ///
    /// Errors: an arrangement that does not fit.
    pub fn new(model: &'m SpeciesModel, arrangement: &[u8], rng: Philox) -> Result<Self, HoppingError> {
        model.check_arrangement(arrangement)?;
        let (stencil, grid) = (model.stencil(), model.grid());
        let mut memory = vec![0; stencil.space.size()];
        let mut kind = Vec::with_capacity(grid.sites());
        for (site, species) in arrangement.iter().enumerate() {
            let (cell, basis) = (site / grid.basis(), site % grid.basis());
            stencil.space.set(&mut memory, stencil.space.cell(cell), basis, *species);
            kind.push(model.global(basis, usize::from(*species)) as u8);
        }
        let count = grid.cells() * stencil.width;
        if count > u32::MAX as usize {
            let (what, value) = ("events of the box", count as f64);
            return Err(HoppingError::Parameter { what, value, want: "at most 2^32 are possible" });
        }
        let mut engine = Self {
            model,
            after: memory.clone(),
            memory,
            found: Vec::new(),
            exponents: Vec::new(),
            holder: (0..grid.sites() as u32).collect(),
            kind,
            displacement: vec![[0.0; 3]; grid.sites()],
            slots: vec![Slot { values: [0.0; 2], stamp: 0, event: NONE }; count],
            tree: SumTree::new(count, 0.0),
            changed: Vec::new(),
            stamp: 0,
            made: vec![[0; 2]; model.types().len()],
            rng,
            time_s: 0.0,
            events: 0,
            last_resync: 0,
            deviation: 0.0,
        };
        for slot in 0..count {
            engine.slots[slot] = engine.anew(slot);
            engine.set_rate(slot);
        }
        engine.tree.settle();
        Ok(engine)
    }

    /// The same state with another random stream.
    #[must_use]
    pub fn clone_with_stream(&self, rng: Philox) -> Self {
        Self { rng, ..self.clone() }
    }

    fn anew(&self, slot: usize) -> Slot {
        let stencil = self.model.stencil();
        let (cell, group) = (slot / stencil.width, slot % stencil.width);
        let origin = stencil.space.origin(stencil.space.cell(cell));
        let event = stencil.groups.get(group).map_or(NONE, |g| g.event(&self.memory, origin));
        let values = if event == NONE {
            [0.0; 2]
        } else {
            let values = self.model.store().values();
            stencil.sums[usize::from(event / 2)].value(values, &self.memory, origin)
        };
        Slot { values, stamp: 0, event }
    }

    #[inline]
    fn set_rate(&mut self, slot: usize) {
        let Slot { values, event, .. } = self.slots[slot];
        let rate = if event == NONE {
            0.0
        } else {
            let x = self.local_exponent(slot).unwrap_or_else(|| exponent(values, event % 2 == 1));
            self.model.prefactor_hz(usize::from(event / 2)) * exp_below(x)
        };
        self.tree.set(slot, rate);
    }

    /// ln(rate/nu_0) of the event of a slot whose attempt frequency depends on the surroundings: see [`super::tables::EventTables`]. The rule for missing barriers
    /// is one of energies, nu staying what it is: -max(E_KRA + dE/2, dE, 0)/kT + ln(nu/nu_0). What the bound of nu does not rule out is looked at closely.
    fn local_exponent(&self, slot: usize) -> Option<f64> {
        let Slot { values, event, .. } = self.slots[slot];
        if event == NONE {
            return None;
        }
        let (number, backward) = (usize::from(event / 2), event % 2 == 1);
        let attempts = self.model.local_attempts(number)?;
        let delta = if backward { -values[1] } else { values[1] };
        let (bare, floor) = (values[0] + 0.5 * delta, delta.max(0.0));
        if bare >= floor - attempts.lowest {
            return Some(-bare);
        }
        let (grid, stencil) = (self.model.grid(), self.model.stencil());
        let cell = grid.site(slot / stencil.width * grid.basis()).cell;
        let there = |site| {
            let (at, basis) = (self.model.at(site, cell), grid.basis());
            usize::from(self.memory[stencil.space.origin(stencil.space.cell(at / basis)) + at % basis])
        };
        let sites = &self.model.kind_of(number).expansion.sites;
        let frequency = self.model.types()[number].local.value_ev(sites, &attempts.coefficients, there);
        // At or above 0 but for rounding.
        Some(-bare.max(floor - frequency.min(0.0)))
    }

    /// One event, unless it would come after `limit_s`: then the clock is set to the limit, which the exponential law allows. Returns whether one happened.
    ///
    /// Errors: nothing can happen; rates that left those computed anew.
    pub fn step(&mut self, limit_s: f64) -> Result<bool, HoppingError> {
        let total = self.tree.total();
        if !(total.is_finite() && total > 0.0) {
            return Err(HoppingError::Stuck { total_hz: total, events: self.events });
        }
        let next = self.time_s + self.rng.exponential() / total;
        if next > limit_s {
            self.time_s = limit_s;
            return Ok(false);
        }
        let Some(pick) = self.tree.pick(&mut self.rng) else {
            return Err(HoppingError::Stuck { total_hz: total, events: self.events });
        };
        self.time_s = next;
        self.make(pick.site);
        self.events += 1;
        if self.events - self.last_resync >= RESYNC {
            self.resync()?;
        }
        Ok(true)
    }

    /// Runs to a time, at most `most` events; returns whether the time was reached.
    pub fn run_until(&mut self, limit_s: f64, most: u64) -> Result<bool, HoppingError> {
        for _ in 0..most {
            if !self.step(limit_s)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes the event that can happen in a slot.
    fn make(&mut self, slot: usize) {
        let model = self.model;
        let stencil = model.stencil();
        let event = self.slots[slot].event;
        let (number, backward) = (usize::from(event / 2), event % 2 == 1);
        let origin = stencil.space.cell(slot / stencil.width);
        let dims = model.grid().dims();
        let kind = &model.types()[number];
        self.stamp = self.stamp.wrapping_add(1);
        self.changed.clear();
        let mut cells = [[0usize; 3]; scalade_handoff::local_expansion::MOST_CHANGES];
        for (cell, change) in cells.iter_mut().zip(&kind.local.changes) {
            *cell = std::array::from_fn(|k| {
                (origin[k] as i64 + i64::from(change.site.cell[k])).rem_euclid(dims[k] as i64) as usize
            });
        }
        let ends = |change: &SpeciesChange| {
            if backward { (change.after, change.before) } else { (change.before, change.after) }
        };
        let placed = || cells.iter().zip(&kind.local.changes);
        let joint = &stencil.joint[slot % stencil.width];
        if let [one, other] = kind.local.changes.as_slice() {
            for (cell, change) in placed() {
                stencil.space.set(&mut self.after, *cell, change.site.basis, ends(change).1 as u8);
            }
            self.update_jointly(stencil, joint, origin, [ends(one), ends(other)]);
            for (cell, change) in placed() {
                stencil.space.set(&mut self.memory, *cell, change.site.basis, ends(change).1 as u8);
            }
        } else {
            for (cell, change) in placed() {
                // Sums change with this site alone, the others being old or new as they are in memory.
                self.update_sums(stencil, *cell, change.site.basis, ends(change));
                stencil.space.set(&mut self.memory, *cell, change.site.basis, ends(change).1 as u8);
                stencil.space.set(&mut self.after, *cell, change.site.basis, ends(change).1 as u8);
            }
        }
        for (cell, change) in cells.iter().zip(&kind.local.changes) {
            self.renew(stencil, *cell, change.site.basis, slot);
        }
        // The event just made has become its reverse, with the same sums.
        self.slots[slot].event = event ^ 1;
        self.changed.push(slot as u32);
        self.move_atoms(number, backward, &cells);
        self.set_rates();
    }

    /// Rates of the slots that changed.
    fn set_rates(&mut self) {
        self.exponents.clear();
        for slot in &self.changed {
            let Slot { values, event, .. } = self.slots[*slot as usize];
            self.exponents.push(exponent(values, event % 2 == 1));
        }
        if self.model.has_local_attempts() {
            for (k, slot) in self.changed.iter().enumerate() {
                if let Some(x) = self.local_exponent(*slot as usize) {
                    self.exponents[k] = x;
                }
            }
        }
        // All at once: one does not wait for another.
        for x in &mut self.exponents {
            *x = exp_below(*x);
        }
        for (slot, factor) in self.changed.iter().zip(&self.exponents) {
            let event = self.slots[*slot as usize].event;
            let rate =
                if event == NONE { 0.0 } else { self.model.prefactor_hz(usize::from(event / 2)) * factor };
            self.tree.set(*slot as usize, rate);
        }
        self.tree.settle();
    }

    /// Sums of the events that see one or both sites of an event of two, made at a cell of the box: first the change of the one with the other as it was, then that of
    /// the other with the one as it is now.
    fn update_jointly(
        &mut self,
        stencil: &Stencil,
        joint: &[Joint],
        cell: [usize; 3],
        species: [(usize, usize); 2],
    ) {
        let here = stencil.space.origin(cell);
        let values = self.model.store().values();
        // Few of the groups can make an event: those are found first, without a branch that nobody can foresee.
        self.found.resize(joint.len().max(self.found.len()), NOT_FOUND);
        let mut count = 0;
        for (number, other) in joint.iter().enumerate() {
            let event = stencil.joint_event(other, &self.memory, here);
            let found = &mut self.found[count];
            (found.number, found.event) = (number as u32, event);
            count += usize::from(event != NONE);
        }
        let found = &mut self.found[..count];
        // All sums are fetched before any is changed: memory is far away in large boxes, and is waited for once.
        for one in found.iter_mut() {
            let other = &joint[one.number as usize];
            let (cell, origin) = stencil.space.before(cell, other.shift);
            let slot = cell * stencil.width + usize::from(other.group);
            (one.slot, one.origin, one.values) = (slot as u32, origin, self.slots[slot].values);
        }
        for one in found.iter() {
            let other = &joint[one.number as usize];
            let sums = &stencil.sums[usize::from(one.event / 2)];
            let mut change = [0.0; 2];
            for (k, memory) in [&self.memory, &self.after].into_iter().enumerate() {
                if other.seen[k] != NONE
                    && let Some(part) = sums.change(values, memory, one.origin, other.seen[k], species[k])
                {
                    change[0] += part[0];
                    change[1] += part[1];
                }
            }
            if change != [0.0; 2] || sums.eager {
                self.slots[one.slot as usize].values = [one.values[0] + change[0], one.values[1] + change[1]];
                // Groups that hold a site of the event are not among these, and each of these is met once.
                self.changed.push(one.slot);
            }
        }
    }

    /// Sums of the events that see a site in their surroundings.
    #[inline]
    fn update_sums(&mut self, stencil: &Stencil, cell: [usize; 3], basis: usize, species: (usize, usize)) {
        let here = stencil.space.origin(cell) + basis;
        let values = self.model.store().values();
        for impact in &stencil.seen[basis] {
            let event = stencil.event(impact, &self.memory, here);
            if event == NONE {
                continue;
            }
            let origin = here.wrapping_add_signed(-(impact.back as isize));
            let sums = &stencil.sums[usize::from(event / 2)];
            let Some(change) = sums.change(values, &self.memory, origin, impact.seen, species) else {
                continue;
            };
            let number =
                stencil.space.before(cell, impact.shift).0 * stencil.width + usize::from(impact.group);
            let slot = &mut self.slots[number];
            slot.values[0] += change[0];
            slot.values[1] += change[1];
            if slot.stamp != self.stamp {
                slot.stamp = self.stamp;
                self.changed.push(number as u32);
            }
        }
    }

    /// Events on sets that hold a site, which has changed.
    #[inline]
    fn renew(&mut self, stencil: &Stencil, cell: [usize; 3], basis: usize, made: usize) {
        let here = stencil.space.origin(cell) + basis;
        let values = self.model.store().values();
        for impact in &stencil.own[basis] {
            let Impact { shift, group, back, .. } = *impact;
            let number = stencil.space.before(cell, shift).0 * stencil.width + usize::from(group);
            if number == made {
                continue;
            }
            let event = stencil.event(impact, &self.memory, here);
            let slot = &mut self.slots[number];
            let was = slot.event;
            slot.event = event;
            if event != NONE {
                let origin = here.wrapping_add_signed(-(back as isize));
                slot.values = stencil.sums[usize::from(event / 2)].value(values, &self.memory, origin);
            }
            if (event != NONE || was != NONE) && slot.stamp != self.stamp {
                slot.stamp = self.stamp;
                self.changed.push(number as u32);
            }
        }
    }

    fn move_atoms(&mut self, event: usize, backward: bool, cells: &[[usize; 3]]) {
        let model = self.model;
        let grid = model.grid();
        let [_, n1, n2] = grid.dims();
        let kind = &model.types()[event];
        let site = |change: usize| {
            let [x, y, z] = cells[change];
            ((x * n1 + y) * n2 + z) * grid.basis() + kind.local.changes[change].site.basis
        };
        let mut taken = [0u32; scalade_handoff::local_expansion::MOST_CHANGES];
        for (atom, change) in taken.iter_mut().zip(0..kind.local.changes.len()) {
            *atom = self.holder[site(change)];
        }
        for m in &kind.moves {
            let (from, to, sign) = if backward { (m.to, m.from, -1.0) } else { (m.from, m.to, 1.0) };
            let atom = taken[from];
            self.holder[site(to)] = atom;
            for (sum, v) in self.displacement[atom as usize].iter_mut().zip(m.vector_angstrom) {
                *sum += sign * v;
            }
        }
        self.made[event][usize::from(backward)] += 1;
    }

    /// Compares all sums, events and rates with ones computed anew and goes on with these.
    ///
    /// Errors: a deviation above 1e-8.
    pub fn resync(&mut self) -> Result<(), HoppingError> {
        let mut worst: f64 = 0.0;
        for number in 0..self.slots.len() {
            let (kept, anew) = (self.slots[number], self.anew(number));
            let gap = if kept.event == anew.event {
                let off = |k: usize| (kept.values[k] - anew.values[k]).abs() / anew.values[k].abs().max(1.0);
                if kept.event == NONE { 0.0 } else { off(0).max(off(1)) }
            } else {
                f64::INFINITY
            };
            if exceeds(gap, worst) {
                worst = gap;
            }
            self.slots[number] = anew;
            self.set_rate(number);
        }
        self.tree.settle();
        // All stamps are 0: numbers of steps do not come round.
        self.stamp = 0;
        let events = self.events - self.last_resync;
        self.last_resync = self.events;
        self.deviation = self.deviation.max(worst);
        if exceeds(worst, LARGEST_DRIFT) {
            return Err(HoppingError::Drift { drift: worst, events, limit: LARGEST_DRIFT });
        }
        Ok(())
    }

    /// The model.
    pub fn model(&self) -> &'m SpeciesModel {
        self.model
    }

    /// Time, s.
    pub fn time_s(&self) -> f64 {
        self.time_s
    }

    /// Events made.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Events made of each type of [`SpeciesModel::events`]: there and back.
    pub fn events_by_type(&self) -> &[[u64; 2]] {
        &self.made
    }

    /// Sum of all rates, Hz.
    pub fn total_rate_hz(&self) -> f64 {
        self.tree.total()
    }

    /// Largest relative deviation found by a comparison so far.
    pub fn largest_deviation(&self) -> f64 {
        self.deviation
    }

    /// Species of every site, as an index into those of its sublattice.
    pub fn arrangement(&self) -> Vec<u8> {
        let space = &self.model.stencil().space;
        let basis = space.basis();
        let of = |site: usize| self.memory[space.origin(space.cell(site / basis)) + site % basis];
        (0..self.holder.len()).map(of).collect()
    }

    /// Species of every atom, as a number among [`SpeciesModel::species`]; vacancies are atoms too.
    pub fn species_of_atoms(&self) -> &[u8] {
        &self.kind
    }

    /// Atom on every site.
    pub fn atoms(&self) -> &[u32] {
        &self.holder
    }

    /// Unwrapped displacement of an atom since the start, angstrom.
    pub fn displacement_angstrom(&self, atom: usize) -> [f64; 3] {
        self.displacement[atom]
    }

    /// Sum of the displacements of all atoms of each species since the start, angstrom. From the numbers of events, so that nothing is lost to rounding.
    pub fn collective_displacements_angstrom(&self) -> Vec<[f64; 3]> {
        let mut out = vec![[0.0; 3]; self.model.species().len()];
        for (kind, [there, back]) in self.model.types().iter().zip(&self.made) {
            let net = *there as f64 - *back as f64;
            for m in &kind.moves {
                for (sum, v) in out[m.species].iter_mut().zip(m.vector_angstrom) {
                    *sum += net * v;
                }
            }
        }
        out
    }

    /// Slots in which an event can happen.
    pub(super) fn live(&self) -> Vec<usize> {
        (0..self.slots.len()).filter(|s| self.slots[*s].event != NONE).collect()
    }

    /// Event of a slot: (type, whether it is the reverse, cell, rate in Hz).
    pub(super) fn in_slot(&self, slot: usize) -> (usize, bool, usize, f64) {
        let Slot { values, event, .. } = self.slots[slot];
        let (kind, backward) = (usize::from(event / 2), event % 2 == 1);
        let x = self.local_exponent(slot).unwrap_or_else(|| exponent(values, backward));
        let rate = self.model.prefactor_hz(kind) * exp_below(x);
        (kind, backward, slot / self.model.stencil().width, rate)
    }

    /// Makes the event of a slot out of turn.
    pub(super) fn take(&mut self, slot: usize) {
        self.make(slot);
    }

    /// Every event that can happen: (type, whether it is the reverse, cell, rate in Hz).
    pub fn possible(&self) -> impl Iterator<Item = (usize, bool, usize, f64)> {
        (0..self.slots.len()).filter(|s| self.slots[*s].event != NONE).map(|slot| self.in_slot(slot))
    }

    /// The drift of each species, sum over events that can happen of rate times displacement, angstrom per second; the part of each atom goes to `by_atom`.
    pub fn drift(&self, by_atom: Option<&mut Vec<[f64; 3]>>) -> Vec<[f64; 3]> {
        let model = self.model;
        let width = model.stencil().width;
        let grid = model.grid();
        let mut parts = by_atom.map(|p| cleared(p, self.holder.len()));
        let mut rates = vec![0.0; model.types().len()];
        for (number, rate) in self.tree.rates(self.slots.len()).iter().enumerate() {
            if *rate == 0.0 {
                continue;
            }
            let event = self.slots[number].event;
            let (kind, backward) = (usize::from(event / 2), event % 2 == 1);
            let signed = if backward { -rate } else { *rate };
            rates[kind] += signed;
            if let Some(parts) = &mut parts {
                let cell = grid.site(number / width * grid.basis()).cell;
                let kind = &model.types()[kind];
                for m in &kind.moves {
                    let from = kind.local.changes[if backward { m.to } else { m.from }].site;
                    let atom = self.holder[model.at(from, cell)] as usize;
                    for (sum, v) in parts[atom].iter_mut().zip(m.vector_angstrom) {
                        *sum += signed * v;
                    }
                }
            }
        }
        let mut out = vec![[0.0; 3]; model.species().len()];
        for (kind, rate) in model.types().iter().zip(rates) {
            for m in &kind.moves {
                for (sum, v) in out[m.species].iter_mut().zip(m.vector_angstrom) {
                    *sum += rate * v;
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_that_of_the_library() {
        let mut rng = Philox::new(1, 0, 0);
        for k in 0..200_000 {
            let x = -rng.uniform() * if k % 2 == 0 { 40.0 } else { 708.0 };
            assert!((exp_below(x) / x.exp() - 1.0).abs() < 5e-16, "{x}");
        }
        assert_eq!(exp_below(0.0), 1.0);
        assert_eq!(exp_below(-0.0), 1.0);
        assert_eq!(exp_below(f64::NEG_INFINITY), 0.0);
        assert!(exp_below(f64::NAN).is_nan());
    }
}
