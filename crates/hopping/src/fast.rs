//! The fast engine: composition and rejection with true upper bounds.
//!
//! Every site weight p (see [`crate::compile`]) has a power of two above it, every local table entry too; the product of the three is
//! an upper bound of a bond's rate, and bonds are filed by a class c with 2^c at or above it. A trial picks a class with
//! probability count 2^c / total (integers: exact, no drift), a bond of the class, and accepts with rate/2^c (A. Slepoy,
//! A. P. Thompson, S. J. Plimpton, J. Chem. Phys. 128, 205101 (2008)). A trial takes the mean time 1/(nu total).
//!
//! A bond is filed higher at once when its bound rises above its class, and lower only when a trial rejects it: back-and-forth hops
//! then move few bonds. This leaves the law as it is: whatever the totals B_k of successive trials in one state, trial k ends it with
//! probability R/B_k and takes 1/B_k, so that the mean time spent is 1/R, and each hop is chosen in proportion to its rate.
//!
//! Each bound is checked against the rate at every trial and never clamped from above; a class index above the range files everything
//! anew with another reference. Bonds whose bound lies below the range are filed at its lower end: still an upper bound, only a
//! loose one.
//!
//! What a hop touches depends on the state at random, so that branches on it would be mispredicted half of the time: the loops after a
//! hop write every candidate to a list and advance its length by whether it belongs there.

mod saved;

use crate::compile::{Compiled, HopStencil, Incident};
use crate::engine::{cleared, told_by_the_trajectory};
use crate::error::exceeds;
use crate::{
    Attempt, Engine, GridNetwork, HoppingError, KraModel, Mechanism, RateParameters, Tracked, Trajectory,
};
use scalade_handoff::{LatticeEnergy, LatticeHamiltonian};
use scalade_numerics::Philox;

/// Class of a bond that cannot hop: the last list, above all classes and of no weight.
const IDLE: u8 = 63;
/// Bound of the local exponent of an idle bond: above every exponent (see [`crate::compile::EXPONENT_LIMIT`]), so that none rises above
/// it.
const IDLE_LOCAL: i16 = i16::MAX / 2;
/// Level of an idle bond: above the class of every two exponents and [`IDLE_LOCAL`], so that none rises above it.
const IDLE_LEVEL: i16 = i16::MAX;
/// Exponents of site weights are counted from here: p < 2^(exponent - 1022), the exponent as in the bits of the double.
const BIAS: i32 = 1022;
/// Classes that a trial looks through without branches.
const SCANNED: usize = 5;
/// Hops between two comparisons of the site weights with ones computed anew.
const RESYNC_HOPS: u64 = 1 << 20;
/// Largest relative drift of the site weights in that many hops.
const DRIFT_LIMIT: f64 = 1e-8;

/// A site's weight p with a bound of it.
#[derive(Clone, Copy, Debug)]
struct SiteState {
    weight: f64,
    /// p is below 2^(exponent - [`BIAS`]).
    exponent: i16,
    occupied: u8,
}

/// Where a bond is filed.
#[derive(Clone, Copy, Debug)]
struct BondState {
    /// Index of its local table entry: start of its type's table plus occupations of the pattern's sites.
    entry: u32,
    /// Index in its class list.
    place: u32,
    /// A bound of the exponent of its local table entry, or [`IDLE_LOCAL`].
    local: i16,
    /// Its class, or [`IDLE_LEVEL`]. The class of the ends' exponents plus `local` is never above it.
    level: i16,
    /// The list it is in, or [`IDLE`].
    class: u8,
    /// Bond type.
    kind: u8,
}

/// The class lists.
#[derive(Clone, Debug)]
struct Filing {
    bonds: Vec<BondState>,
    /// By class, the bonds that are not filed in the last one.
    lists: [Vec<u32>; 64],
    /// 2^class, 0 for the last list.
    weights: [u64; 64],
    /// Number of classes.
    classes: i16,
    /// Sum over classes c of the number of bonds in it times 2^c.
    total: u64,
    /// Class = sum of exponents + offset.
    offset: i32,
    /// No class above this one holds a bond.
    top: usize,
}

impl Filing {
    /// Moves bonds to the lists of their levels, idle ones to [`IDLE`]; true if a level is above the range (then all must be filed
    /// anew).
    fn place(&mut self, due: &[u32]) -> bool {
        let (bonds, lists, weights) = (self.bonds.as_mut_slice(), &mut self.lists, &self.weights);
        let (mut total, mut top, mut above) = (self.total, self.top, false);
        for bond in due {
            let BondState { class: old, place, level, .. } = bonds[*bond as usize];
            let within = level < self.classes;
            above |= !within && level != IDLE_LEVEL;
            let class = if within { level as u8 } else { IDLE };
            if class == old {
                continue;
            }
            let list = &mut lists[usize::from(old & 63)];
            if let Some(last) = list.pop() {
                // The last one may be the bond itself: then its slot is gone, and its place is set anew below.
                if let Some(slot) = list.get_mut(place as usize) {
                    *slot = last;
                }
                bonds[last as usize].place = place;
            }
            let list = &mut lists[usize::from(class & 63)];
            let state = &mut bonds[*bond as usize];
            state.place = list.len() as u32;
            state.class = class;
            list.push(*bond);
            total = total + weights[usize::from(class & 63)] - weights[usize::from(old & 63)];
            top = top.max(if within { usize::from(class) } else { 0 });
        }
        (self.total, self.top) = (total, top);
        above
    }
}

/// Rate of a bond in units of nu, X = e^(-dE/2kT), and whether the rule for missing barriers holds.
#[derive(Clone, Copy)]
struct LocalRate {
    rate: f64,
    x: f64,
    without_barrier: bool,
}

/// The fast engine.
#[derive(Clone, Debug)]
pub struct FastEngine<'a> {
    network: &'a GridNetwork,
    compiled: Compiled,
    energy: LatticeEnergy,
    prefactor_hz: f64,
    sites: Vec<SiteState>,
    incident: Incident,
    filing: Filing,
    scale: f64,
    /// Lists of the current hop, with room for all that one hop can list and one more: sites that rose above their bound, bonds whose
    /// local exponent did, and bonds that are to be placed.
    risen_sites: Vec<u32>,
    risen_bonds: Vec<u32>,
    due: Vec<u32>,
    trajectory: Trajectory,
    rng: Philox,
    time_s: f64,
    attempts: u64,
    rebounds: u64,
    synced_at: u64,
}

impl<'a> FastEngine<'a> {
    /// Starts from an occupation (one entry per site of the network's grid).
    pub fn new(
        network: &'a GridNetwork,
        hamiltonian: &LatticeHamiltonian,
        coefficients_ev: &[f64],
        model: &KraModel,
        parameters: &RateParameters,
        occupied: &[bool],
        rng: Philox,
    ) -> Result<Self, HoppingError> {
        parameters.check()?;
        model.check()?;
        if network.types() > 255 {
            let want = "at most 255 are due";
            return Err(HoppingError::Parameter {
                what: "hop bond types",
                value: network.types() as f64,
                want,
            });
        }
        let grid = network.grid();
        let mut energy = LatticeEnergy::new(hamiltonian, coefficients_ev, *grid, &[])?;
        energy.set_occupation(occupied)?;
        let compiled =
            Compiled::new(network, hamiltonian, coefficients_ev, model, parameters.thermal_energy_ev())?;
        let bonds = network.ends().len();
        // Room for every bond in the highest class without overflow of the 64-bit total.
        let classes = 63 - (usize::BITS - bonds.leading_zeros()) as i16;
        let mut lists: [Vec<u32>; 64] = std::array::from_fn(|_| Vec::new());
        lists[usize::from(IDLE)] = (0..bonds as u32).collect();
        let filed = |b: usize| BondState {
            entry: compiled.tables[b % network.types()].start,
            place: b as u32,
            local: IDLE_LOCAL,
            level: IDLE_LEVEL,
            class: IDLE,
            kind: (b % network.types()) as u8,
        };
        let bond_states = (0..bonds).map(filed).collect();
        let idle = SiteState { weight: 1.0, exponent: 0, occupied: 0 };
        let sites_at_once = compiled.hops.iter().map(|h| h.sites).max().unwrap_or(0);
        let bonds_at_once = compiled.hops.iter().map(|h| h.masks.len()).max().unwrap_or(0);
        let incident = Incident::new(network);
        let room = bonds_at_once + incident.most() * (sites_at_once + 2) + 1;
        let mut out = Self {
            network,
            compiled,
            energy,
            prefactor_hz: parameters.prefactor_hz,
            sites: vec![idle; grid.sites()],
            incident,
            filing: Filing {
                bonds: bond_states,
                lists,
                weights: std::array::from_fn(|c| if c == usize::from(IDLE) { 0 } else { 1 << c }),
                classes,
                total: 0,
                offset: 0,
                top: 0,
            },
            scale: 1.0,
            risen_sites: vec![0; sites_at_once + 1],
            risen_bonds: vec![0; bonds_at_once + 1],
            due: vec![0; room],
            trajectory: Trajectory::new(network, occupied),
            rng,
            time_s: 0.0,
            attempts: 0,
            rebounds: 0,
            synced_at: 0,
        };
        out.set_up(occupied)?;
        Ok(out)
    }

    /// The same engine from another occupation and with another random stream, as [`Self::new`] would make it; what follows from the lattice alone is not
    /// computed again.
    pub fn restarted(&self, occupied: &[bool], rng: Philox) -> Result<Self, HoppingError> {
        let mut out = Self {
            trajectory: Trajectory::new(self.network, occupied),
            rng,
            time_s: 0.0,
            attempts: 0,
            rebounds: 0,
            synced_at: 0,
            ..self.clone()
        };
        out.energy.set_occupation(occupied)?;
        out.set_up(occupied)?;
        Ok(out)
    }

    /// Weights from the energy kernel, patterns and classes from scratch.
    fn set_up(&mut self, occupied: &[bool]) -> Result<(), HoppingError> {
        for (state, o) in self.sites.iter_mut().zip(occupied) {
            state.occupied = u8::from(*o);
        }
        let weights = self.fresh_weights()?;
        for (site, weight) in weights.into_iter().enumerate() {
            if !(weight.is_finite() && weight > 0.0) {
                let want = "site weights must fit a double: raise the temperature or check the coefficients";
                return Err(HoppingError::Parameter { what: "exp(field/kT)", value: weight, want });
            }
            self.sites[site].weight = weight;
        }
        let grid = *self.network.grid();
        for (bond, state) in self.filing.bonds.iter_mut().enumerate() {
            let from = self.network.ends()[bond][0] as usize;
            state.entry = self.compiled.tables[usize::from(state.kind)].start;
            for (bit, site) in self.compiled.tables[usize::from(state.kind)].sites.iter().enumerate() {
                state.entry |= u32::from(self.sites[grid.offset(from, *site)].occupied) << bit;
            }
        }
        self.rebound()
    }

    /// p of every site from fields computed anew, relative to the mean field.
    fn fresh_weights(&mut self) -> Result<Vec<f64>, HoppingError> {
        let occupation = self.occupation();
        self.energy.set_occupation(&occupation)?;
        let spin = |s: usize| if occupation[s] { 1.0 } else { -1.0 };
        let field: Vec<f64> =
            (0..occupation.len()).map(|s| -0.5 * spin(s) * self.energy.flip_delta_ev(s)).collect();
        // Any reference cancels in the product of an occupied and a vacant site; the mean keeps the exponentials in range.
        let mean = field.iter().sum::<f64>() / field.len() as f64;
        let weight = |(s, g): (usize, &f64)| (spin(s) * (g - mean) / self.compiled.thermal_ev).exp();
        Ok(field.iter().enumerate().map(weight).collect())
    }

    /// Files every bond anew, with the highest class in use three quarters up the range.
    fn rebound(&mut self) -> Result<(), HoppingError> {
        self.rebounds += 1;
        for site in &mut self.sites {
            site.tighten();
        }
        let mut highest = i32::MIN;
        for bond in 0..self.filing.bonds.len() {
            self.filing.bonds[bond].level = IDLE_LEVEL;
            self.filing.place(&[bond as u32]);
            if self.can_hop(bond) {
                highest = highest.max(self.exponent_sum(bond));
            }
        }
        if highest == i32::MIN {
            return Err(HoppingError::Stuck { total_hz: 0.0, events: self.trajectory.events() });
        }
        self.filing.offset = i32::from(self.filing.classes) * 3 / 4 - highest;
        self.scale = (-f64::from(self.filing.offset + 2 * BIAS)).exp2();
        if !self.scale.is_normal() {
            return Err(HoppingError::Stuck { total_hz: self.scale, events: self.trajectory.events() });
        }
        // No bond is above the highest class, so that none is left out.
        for bond in 0..self.filing.bonds.len() {
            self.file(bond);
        }
        Ok(())
    }

    /// Whether the ends of a bond are an occupied and a vacant site.
    #[inline]
    fn can_hop(&self, bond: usize) -> bool {
        let [a, b] = self.network.ends()[bond];
        self.sites[a as usize].occupied != self.sites[b as usize].occupied
    }

    /// Sum of the exponents of the bounds of a bond's ends and of its local table entry.
    #[inline]
    fn exponent_sum(&self, bond: usize) -> i32 {
        let [a, b] = self.network.ends()[bond];
        let ends = i32::from(self.sites[a as usize].exponent) + i32::from(self.sites[b as usize].exponent);
        ends + i32::from(self.compiled.exponents[self.filing.bonds[bond].entry as usize])
    }

    /// Puts a bond into its class from scratch.
    fn file(&mut self, bond: usize) {
        let active = self.can_hop(bond);
        let class = (self.exponent_sum(bond) + self.filing.offset).max(0);
        let state = &mut self.filing.bonds[bond];
        state.local = if active { self.compiled.exponents[state.entry as usize] } else { IDLE_LOCAL };
        state.level = if active { class as i16 } else { IDLE_LEVEL };
        self.filing.place(&[bond as u32]);
    }

    /// Files a bond under its bound with the tightest powers of two, which is not above the one it is filed under.
    fn lower(&mut self, bond: usize) {
        for end in self.network.ends()[bond] {
            self.sites[end as usize].tighten();
        }
        self.file(bond);
    }

    /// Moves the ion on a bond with X = e^(-dE/2kT) and files the bonds around anew.
    fn commit(&mut self, bond: usize, x: f64) -> Result<(), HoppingError> {
        let ends = self.network.ends()[bond];
        let [a, b] = ends.map(|s| s as usize);
        let Compiled { hops, cells, exponents, .. } = &self.compiled;
        let stencil = &hops[usize::from(self.filing.bonds[bond].kind)];
        let (others, seen) = stencil.row(cells.of[bond / self.network.types()]);
        let sites = self.sites.as_mut_slice();
        let risen_sites = multiply(stencil, others, sites, ends[0], &mut self.risen_sites);
        // With X = p_a p_b e^(2C/kT), the flips of both ends leave 1/(p_a e^(2C/kT)) = p_b/X and p_a/X.
        let weights = [sites[a].weight, sites[b].weight];
        for (end, weight) in [(a, weights[1] / x), (b, weights[0] / x)] {
            sites[end].weight = weight;
            sites[end].occupied ^= 1;
            sites[end].tighten();
        }
        let bonds = self.filing.bonds.as_mut_slice();
        let masks = &stencil.masks;
        let risen_bonds = flip_patterns(bond as u32, seen, masks, bonds, exponents, &mut self.risen_bonds);
        let mut around = Around { bonds, offset: self.filing.offset, due: &mut self.due, count: 0 };
        for end in ends {
            around.renew(&self.incident, end, sites, exponents);
        }
        around.raise_at(&self.incident, risen_sites, sites);
        for other in risen_bonds {
            let [a, b] = self.network.ends()[*other as usize].map(|s| &sites[s as usize]);
            around.raise(*other, a, b);
        }
        let count = around.count;
        // A total near the bottom of the range means that all bounds have become loose.
        if self.filing.place(&self.due[..count]) || self.filing.total < 1 << 12 {
            self.rebound()?;
        }
        if self.trajectory.events() - self.synced_at >= RESYNC_HOPS {
            self.resync()?;
        }
        Ok(())
    }

    /// Compares the weights with ones computed anew and takes those; returns the largest relative difference.
    pub fn resync(&mut self) -> Result<f64, HoppingError> {
        let fresh = self.fresh_weights()?;
        // The two may differ by the reference: p of occupied sites by a factor, of vacant ones by its inverse.
        let shift = fresh[0] / self.sites[0].weight;
        let shift = if self.sites[0].occupied == 1 { shift } else { 1.0 / shift };
        let mut drift: f64 = 0.0;
        for (state, weight) in self.sites.iter_mut().zip(fresh) {
            let expected = if state.occupied == 1 { state.weight * shift } else { state.weight / shift };
            drift = drift.max((weight / expected - 1.0).abs());
            state.weight = weight;
        }
        let events = self.trajectory.events() - self.synced_at;
        self.synced_at = self.trajectory.events();
        if exceeds(drift, DRIFT_LIMIT) {
            return Err(HoppingError::Drift { drift, events, limit: DRIFT_LIMIT });
        }
        self.rebound()?;
        Ok(drift)
    }

    /// Rate of a bond; meaningful for one that can hop.
    #[inline]
    fn local_rate(&self, bond: usize) -> LocalRate {
        let [a, b] = self.network.ends()[bond];
        let table = &self.compiled.tables[usize::from(self.filing.bonds[bond].kind)];
        let entry = &self.compiled.entries[self.filing.bonds[bond].entry as usize];
        let mut x = self.sites[a as usize].weight * self.sites[b as usize].weight * entry.coupling;
        let (mut activation, mut paths) = (entry.activation, entry.paths);
        if table.reaches_out() {
            let cell = bond / self.network.types();
            let occupied = |s: u32| self.sites[s as usize].occupied;
            x *= table.outer_coupling(cell, occupied);
            activation *= table.outer_activation(cell, occupied);
            let attempts = table.outer_attempts(cell, occupied);
            activation *= attempts;
            paths *= attempts;
            let count = table.outer_occupied(cell, occupied);
            if count > 0 {
                let slope = table.slopes_ev[usize::from(entry.tsh)];
                activation *= (-slope * f64::from(count) / self.compiled.thermal_ev).exp();
            }
        }
        let bare = activation * x;
        let limit = paths * if x < 1.0 { x * x } else { 1.0 };
        LocalRate { rate: bare.min(limit), x, without_barrier: bare > limit }
    }

    /// Rate of every bond, Hz (0 where no hop is possible).
    pub fn rates_hz(&self) -> Vec<f64> {
        (0..self.filing.bonds.len())
            .map(|b| {
                if self.filing.bonds[b].class == IDLE {
                    0.0
                } else {
                    self.prefactor_hz * self.local_rate(b).rate
                }
            })
            .collect()
    }

    /// The same state with another random stream: for statistics over many runs from one start.
    #[must_use]
    pub fn clone_with_stream(&self, rng: Philox) -> Self {
        Self { rng, ..self.clone() }
    }

    /// How often all bonds were filed anew (once at the start).
    pub fn rebounds(&self) -> u64 {
        self.rebounds
    }

    /// The occupation.
    pub fn occupation(&self) -> Vec<bool> {
        self.sites.iter().map(|s| s.occupied == 1).collect()
    }

    /// Picks a bond with probability bound/total; with it comes a number uniform in [0, 1) for the acceptance: what is left of the
    /// random integer where that has 32 bits or more, else a fresh one.
    #[inline]
    fn pick(&mut self) -> Option<(usize, f64)> {
        let total = self.filing.total;
        let mut rest = ((u128::from(self.rng.next_u64()) * u128::from(total)) >> 64) as u64;
        while self.filing.top > 0 && self.filing.lists[self.filing.top].is_empty() {
            self.filing.top -= 1;
        }
        // Most trials end within the classes at the top, at random: those are counted through without branches.
        let mut top = self.filing.top;
        if top >= SCANNED {
            let (mut sum, mut below, mut down) = (0, 0, 0);
            for k in 0..SCANNED {
                let class = (top - k) & 63;
                sum += (self.filing.lists[class].len() as u64) << class;
                let beyond = rest >= sum;
                down += usize::from(beyond);
                below = if beyond { sum } else { below };
            }
            top -= down;
            rest -= below;
        }
        for (class, list) in self.filing.lists[..=top].iter().enumerate().rev() {
            let share = (list.len() as u64) << class;
            if rest < share {
                let bond = list[(rest >> class) as usize] as usize;
                let uniform = if class >= 32 {
                    (rest & ((1 << class) - 1)) as f64 / (1u64 << class) as f64
                } else {
                    self.rng.uniform()
                };
                return Some((bond, uniform));
            }
            rest -= share;
        }
        None
    }

    fn record(&mut self, bond: usize, from: usize, to: usize, local: LocalRate, forward: bool) {
        let table = &self.compiled.tables[usize::from(self.filing.bonds[bond].kind)];
        let entry = &self.compiled.entries[self.filing.bonds[bond].entry as usize];
        let tsh = entry.tsh;
        let mut kra = entry.kra_ev;
        if table.reaches_out() {
            let (cell, occupied) = (bond / self.network.types(), |s: u32| self.sites[s as usize].occupied);
            kra += table.slopes_ev[usize::from(tsh)] * f64::from(table.outer_occupied(cell, occupied));
            kra -= self.compiled.thermal_ev * table.outer_activation(cell, occupied).ln();
        }
        if local.without_barrier {
            // |dE|/2 = kT |ln X| in place of E_KRA.
            kra = local.x.ln().abs() * self.compiled.thermal_ev;
            self.trajectory.without_barrier += 1;
        }
        self.trajectory.activation_sum_ev += kra;
        let mechanism = if tsh { Mechanism::Tsh } else { Mechanism::Odh };
        self.trajectory.hop(bond, from, to, forward, mechanism);
    }
}

/// Flips the bits of the ends of a hop in the patterns around; returns the bonds whose local exponent has risen.
#[inline(never)]
fn flip_patterns<'a>(
    bond: u32,
    row: &[u32],
    masks: &[u32],
    bonds: &mut [BondState],
    exponents: &[i16],
    risen: &'a mut [u32],
) -> &'a [u32] {
    let mut count = 0;
    for (offset, mask) in row.iter().zip(masks) {
        let other = bond.wrapping_add(*offset);
        let state = &mut bonds[other as usize];
        state.entry ^= mask;
        let local = exponents[state.entry as usize];
        risen[count] = other;
        count += usize::from(local > state.local);
        state.local = state.local.max(local);
    }
    &risen[..count]
}

/// What a hop does to the filing around: the bonds that must move are listed.
struct Around<'a> {
    bonds: &'a mut [BondState],
    offset: i32,
    due: &'a mut [u32],
    count: usize,
}

impl Around<'_> {
    /// Where the bonds of an end of the hop are due, whatever they were filed under.
    #[inline(never)]
    fn renew(&mut self, incident: &Incident, end: u32, sites: &[SiteState], exponents: &[i16]) {
        let here = sites[end as usize];
        for [bond, other] in incident.of(end) {
            let there = &sites[*other as usize];
            let state = &mut self.bonds[*bond as usize];
            let local = exponents[state.entry as usize];
            let class = class_of(&here, there, local, self.offset);
            let active = here.occupied != there.occupied;
            state.local = if active { local } else { IDLE_LOCAL };
            state.level = if active { class } else { IDLE_LEVEL };
            let list = if active { class } else { i16::from(IDLE) };
            self.due[self.count] = *bond;
            self.count += usize::from(list != i16::from(state.class));
        }
    }

    /// Raises the bounds of sites, and bonds of theirs whose bound has risen above where they are filed.
    #[inline(never)]
    fn raise_at(&mut self, incident: &Incident, risen: &[u32], sites: &mut [SiteState]) {
        for site in risen {
            sites[*site as usize].tighten();
            let here = sites[*site as usize];
            for [bond, other] in incident.of(*site) {
                self.raise(*bond, &here, &sites[*other as usize]);
            }
        }
    }

    /// Raises a bond if its bound has risen above where it is filed.
    #[inline]
    fn raise(&mut self, bond: u32, a: &SiteState, b: &SiteState) {
        let state = &mut self.bonds[bond as usize];
        let class = class_of(a, b, state.local, self.offset);
        self.due[self.count] = bond;
        self.count += usize::from(class > state.level);
        state.level = state.level.max(class);
    }
}

/// Class of a bound: of the exponents of a bond's ends and the one of its local table entry.
#[inline]
fn class_of(a: &SiteState, b: &SiteState, local: i16, offset: i32) -> i16 {
    (i32::from(a.exponent) + i32::from(b.exponent) + i32::from(local) + offset).max(0) as i16
}

impl SiteState {
    /// Exponent of the next power of two above the weight, from the bits of the double: weights are positive.
    #[inline]
    fn tightest(self) -> i16 {
        (self.weight.to_bits() >> 52) as i16
    }

    /// Brings the bound to the next power of two above the weight.
    #[inline]
    fn tighten(&mut self) {
        self.exponent = self.tightest();
    }

    /// Multiplies the weight; 1 if it rose above its bound.
    #[inline]
    fn scale(&mut self, factor: f64) -> usize {
        self.weight *= factor;
        usize::from(self.tightest() > self.exponent)
    }
}

/// Multiplies the weights around a hop from or to `first`, the bond's first end, by the factors of a stencil; lists the sites that rose
/// above their bound. Every site has a term of its own, and those come last: the weights are then complete.
///
/// Not inlined, as the loops below: what each of them needs fits in the registers, what all of them need does not.
#[inline(never)]
fn multiply<'a>(
    stencil: &HopStencil,
    mut others: &[u32],
    sites: &mut [SiteState],
    first: u32,
    risen: &'a mut [u32],
) -> &'a [u32] {
    let here = sites[first as usize].occupied;
    let mut count = 0;
    for group in &stencil.groups {
        let (row, rest) = others.split_at(group.others * group.factors.len());
        others = rest;
        match group.others {
            1 => {
                for (offset, factor) in row.iter().zip(&group.factors) {
                    let other = first.wrapping_add(*offset);
                    let state = &mut sites[other as usize];
                    risen[count] = other;
                    count += state.scale(factor[usize::from((here ^ state.occupied) & 1)]);
                }
            }
            2 => {
                for (offsets, factor) in row.chunks_exact(2).zip(&group.factors) {
                    let [a, b] = [first.wrapping_add(offsets[0]), first.wrapping_add(offsets[1])];
                    let parity = here ^ sites[a as usize].occupied ^ sites[b as usize].occupied;
                    let factor = factor[usize::from(parity & 1)];
                    sites[a as usize].weight *= factor;
                    sites[b as usize].weight *= factor;
                }
            }
            n => {
                for (offsets, factor) in row.chunks_exact(n).zip(&group.factors) {
                    let occupied = |s: &u32| sites[first.wrapping_add(*s) as usize].occupied;
                    let parity = offsets.iter().fold(here, |p, s| p ^ occupied(s));
                    for offset in offsets {
                        sites[first.wrapping_add(*offset) as usize].weight *= factor[usize::from(parity & 1)];
                    }
                }
            }
        }
    }
    &risen[..count]
}

impl Engine for FastEngine<'_> {
    #[inline]
    fn attempt(&mut self, limit_s: f64) -> Result<Attempt, HoppingError> {
        let interval = 1.0 / (self.prefactor_hz * self.scale * self.filing.total as f64);
        if self.time_s + interval > limit_s {
            return Ok(Attempt::TimeReached);
        }
        let Some((bond, uniform)) = self.pick() else {
            return Err(HoppingError::Stuck { total_hz: 0.0, events: self.trajectory.events() });
        };
        self.time_s += interval;
        self.attempts += 1;
        let bound = self.scale * (1u64 << self.filing.bonds[bond].class) as f64;
        let local = self.local_rate(bond);
        if exceeds(local.rate, bound) {
            return Err(HoppingError::Bound { bond, rate: local.rate, bound, time_s: self.time_s });
        }
        if uniform * bound >= local.rate {
            self.lower(bond);
            return Ok(Attempt::Rejected);
        }
        let [a, b] = self.network.ends()[bond].map(|s| s as usize);
        let forward = self.sites[a].occupied == 1;
        let (from, to) = if forward { (a, b) } else { (b, a) };
        self.record(bond, from, to, local, forward);
        self.commit(bond, local.x)?;
        Ok(Attempt::Hopped)
    }

    fn time_s(&self) -> f64 {
        self.time_s
    }

    fn attempts(&self) -> u64 {
        self.attempts
    }

    told_by_the_trajectory!();

    fn drift(&mut self, by_ion: Option<&mut Vec<[f64; 3]>>) -> [f64; 3] {
        // By type, so that what cancels between hops of one type leaves no rounding behind.
        let mut net = [0.0; 256];
        let mut parts = by_ion.map(|p| cleared(p, self.trajectory.ions()));
        for (bond, state) in self.filing.bonds.iter().enumerate().filter(|b| b.1.class != IDLE) {
            let rate = self.local_rate(bond).rate;
            let [a, b] = self.network.ends()[bond].map(|s| s as usize);
            let forward = self.sites[a].occupied == 1;
            let signed = if forward { rate } else { -rate };
            net[usize::from(state.kind)] += signed;
            if let Some(parts) = &mut parts
                && let Some(ion) = self.trajectory.ion_at(if forward { a } else { b })
            {
                let vector = self.network.network().bonds()[usize::from(state.kind)].vector_angstrom;
                for (p, v) in parts[ion].iter_mut().zip(vector) {
                    *p += self.prefactor_hz * signed * v;
                }
            }
        }
        let mut out = [0.0; 3];
        for (rate, bond) in net.iter().zip(self.network.network().bonds()) {
            for (o, v) in out.iter_mut().zip(bond.vector_angstrom) {
                *o += self.prefactor_hz * rate * v;
            }
        }
        out
    }

    fn is_occupied(&self, site: usize) -> bool {
        self.sites[site].occupied == 1
    }
}

impl Tracked for FastEngine<'_> {
    fn trajectory(&self) -> &Trajectory {
        &self.trajectory
    }
}
