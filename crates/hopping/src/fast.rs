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

use crate::compile::{Compiled, FactorStencil};
use crate::error::exceeds;
use crate::{Attempt, Engine, GridNetwork, HoppingError, KraModel, Mechanism, RateParameters, Trajectory};
use scalade_handoff::{LatticeEnergy, LatticeHamiltonian};
use scalade_numerics::Philox;

/// Class of a bond that cannot hop.
const IDLE: u8 = u8::MAX;
/// Hops between two comparisons of the site weights with ones computed anew.
const RESYNC_HOPS: u64 = 1 << 20;
/// Largest relative drift of the site weights in that many hops.
const DRIFT_LIMIT: f64 = 1e-8;

/// A site's weight p with its bound 2^exponent > p.
#[derive(Clone, Copy, Debug)]
struct SiteState {
    weight: f64,
    /// 2^exponent; 0 where the bound is void.
    upper: f64,
    exponent: i32,
    occupied: u8,
}

/// Where a bond is filed.
#[derive(Clone, Copy, Debug)]
struct BondState {
    /// The exponent under which it is filed, meaningful unless idle.
    sum: i32,
    /// A bound of the exponent of its local table entry; the sum is never below the ends' exponents plus this.
    local: i32,
    /// Index in its class list.
    place: u32,
    /// Occupations of the sites of its local table.
    pattern: u16,
    /// Class, or [`IDLE`].
    class: u8,
    /// Bond type.
    kind: u8,
}

/// The class lists.
#[derive(Clone, Debug)]
struct Filing {
    bonds: Vec<BondState>,
    lists: Vec<Vec<u32>>,
    /// Sum over classes c of the number of bonds in it times 2^c.
    total: u64,
    /// Class = sum of exponents + offset.
    offset: i32,
    /// No class above this one holds a bond.
    top: usize,
}

impl Filing {
    /// Files an active bond under a new sum of exponents; true if its bound is above the range.
    #[inline]
    fn file_at(&mut self, bond: usize, sum: i32) -> bool {
        self.bonds[bond].sum = sum;
        let class = (sum + self.offset).max(0);
        if class >= self.lists.len() as i32 {
            return true;
        }
        self.place_in(bond, class as u8);
        false
    }

    #[inline]
    fn place_in(&mut self, bond: usize, class: u8) {
        let BondState { class: old, place, .. } = self.bonds[bond];
        if class == old {
            return;
        }
        if old != IDLE {
            let list = &mut self.lists[usize::from(old)];
            if let Some(last) = list.pop()
                && last as usize != bond
            {
                list[place as usize] = last;
                self.bonds[last as usize].place = place;
            }
            self.total -= 1 << old;
        }
        if class != IDLE {
            let list = &mut self.lists[usize::from(class)];
            self.bonds[bond].place = list.len() as u32;
            list.push(bond as u32);
            self.total += 1 << class;
            self.top = self.top.max(usize::from(class));
        }
        self.bonds[bond].class = class;
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
    cell_of: Vec<u32>,
    /// For every site the bonds whose pattern holds it, with its bit.
    seen_by: Vec<(u32, u16)>,
    seen_start: Vec<u32>,
    /// Exponents of all local tables one after the other, and where each bond type's begin.
    exponents: Vec<i32>,
    table_start: Vec<u32>,
    filing: Filing,
    scale: f64,
    dirty: Vec<u32>,
    dirty_count: usize,
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
        let classes = 63 - (usize::BITS - bonds.leading_zeros()) as usize;
        let (seen_by, seen_start) = reverse_patterns(network, &compiled);
        let mut table_start = Vec::new();
        let mut exponents = Vec::new();
        for table in &compiled.tables {
            table_start.push(exponents.len() as u32);
            exponents.extend_from_slice(&table.exponent);
        }
        let per_basis =
            |stencils: &Vec<FactorStencil>| stencils.iter().map(|s| s.others * s.factors.len()).sum();
        let updates: usize = compiled.stencils.iter().map(per_basis).max().unwrap_or(0);
        let filed = |b: usize| BondState {
            sum: 0,
            local: 0,
            place: 0,
            pattern: 0,
            class: IDLE,
            kind: (b % network.types()) as u8,
        };
        let bond_states = (0..bonds).map(filed).collect();
        let idle = SiteState { weight: 1.0, upper: 0.0, exponent: 0, occupied: 0 };
        let mut out = Self {
            network,
            compiled,
            energy,
            prefactor_hz: parameters.prefactor_hz,
            sites: vec![idle; grid.sites()],
            cell_of: (0..grid.sites()).map(|s| (s / grid.basis()) as u32).collect(),
            seen_by,
            seen_start,
            exponents,
            table_start,
            filing: Filing {
                bonds: bond_states,
                lists: vec![Vec::new(); classes],
                total: 0,
                offset: 0,
                top: 0,
            },
            scale: 1.0,
            dirty: vec![0; 2 * updates + 4],
            dirty_count: 0,
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
            self.sites[site].renew();
        }
        for site in 0..self.sites.len() {
            if self.sites[site].occupied == 1 {
                for k in self.seen_start[site]..self.seen_start[site + 1] {
                    let (bond, bit) = self.seen_by[k as usize];
                    self.filing.bonds[bond as usize].pattern |= bit;
                }
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
        for list in &mut self.filing.lists {
            list.clear();
        }
        self.filing.total = 0;
        self.filing.top = 0;
        let mut highest = i32::MIN;
        for bond in 0..self.filing.bonds.len() {
            self.filing.bonds[bond].class = IDLE;
            if let Some((sum, _)) = self.exponent_sum(bond) {
                highest = highest.max(sum);
            }
        }
        if highest == i32::MIN {
            return Err(HoppingError::Stuck { total_hz: 0.0, events: self.trajectory.events() });
        }
        self.filing.offset = (self.filing.lists.len() as i32) * 3 / 4 - highest;
        self.scale = (-f64::from(self.filing.offset)).exp2();
        if !self.scale.is_normal() {
            return Err(HoppingError::Stuck { total_hz: self.scale, events: self.trajectory.events() });
        }
        // No bond is above the highest class, so that none is left out.
        for bond in 0..self.filing.bonds.len() {
            self.file(bond);
        }
        Ok(())
    }

    /// Exponent of the local table entry of a bond.
    #[inline]
    fn local_exponent(&self, state: &BondState) -> i32 {
        self.exponents[self.table_start[usize::from(state.kind)] as usize + usize::from(state.pattern)]
    }

    /// Sum of the exponents of a bond's bounds and the local one; none if it cannot hop.
    fn exponent_sum(&self, bond: usize) -> Option<(i32, i32)> {
        let [a, b] = self.network.ends()[bond];
        let (a, b) = (&self.sites[a as usize], &self.sites[b as usize]);
        if a.occupied == b.occupied {
            return None;
        }
        let local = self.local_exponent(&self.filing.bonds[bond]);
        Some((a.exponent + b.exponent + local, local))
    }

    /// Puts a bond into its class from scratch; true if its bound is above the range.
    fn file(&mut self, bond: usize) -> bool {
        match self.exponent_sum(bond) {
            None => {
                self.filing.place_in(bond, IDLE);
                false
            }
            Some((sum, local)) => {
                self.filing.bonds[bond].local = local;
                self.filing.file_at(bond, sum)
            }
        }
    }

    /// Flips a site: weights of the sites that share a cluster, patterns of the bonds around.
    fn flip(&mut self, site: usize) {
        let cell = self.cell_of[site] as usize;
        let basis = site - cell * self.network.grid().basis();
        let here = self.sites[site].occupied;
        // Slices and a plain counter: the loops below are where the time goes. The list has room for every update of two flips.
        let sites = self.sites.as_mut_slice();
        let dirty = self.dirty.as_mut_slice();
        let mut count = self.dirty_count;
        for stencil in &self.compiled.stencils[basis] {
            let row = stencil.of(cell);
            match stencil.others {
                1 => {
                    for (other, factor) in row.iter().zip(&stencil.factors) {
                        let state = &mut sites[*other as usize];
                        dirty[count] = *other;
                        count += state.scale(factor[usize::from((here ^ state.occupied) & 1)]);
                    }
                }
                2 => {
                    for (others, factor) in row.chunks_exact(2).zip(&stencil.factors) {
                        let [a, b] = [others[0], others[1]];
                        let parity = here ^ sites[a as usize].occupied ^ sites[b as usize].occupied;
                        let factor = factor[usize::from(parity & 1)];
                        dirty[count] = a;
                        count += sites[a as usize].scale(factor);
                        dirty[count] = b;
                        count += sites[b as usize].scale(factor);
                    }
                }
                n => {
                    for (others, factor) in row.chunks_exact(n).zip(&stencil.factors) {
                        let parity = others.iter().fold(here, |p, s| p ^ sites[*s as usize].occupied);
                        for other in others {
                            dirty[count] = *other;
                            count += sites[*other as usize].scale(factor[usize::from(parity & 1)]);
                        }
                    }
                }
            }
        }
        let state = &mut sites[site];
        state.weight = 1.0 / state.weight;
        state.occupied ^= 1;
        state.upper = 0.0;
        dirty[count] = site as u32;
        self.dirty_count = count + 1;
        let (start, end) = (self.seen_start[site] as usize, self.seen_start[site + 1] as usize);
        let bonds = self.filing.bonds.as_mut_slice();
        for (bond, bit) in &self.seen_by[start..end] {
            bonds[*bond as usize].pattern ^= bit;
        }
    }

    /// Files a bond higher if its bound has risen above where it is filed; true if it is above the range.
    #[inline]
    fn raise(&mut self, bond: usize) -> bool {
        let state = self.filing.bonds[bond];
        if state.class == IDLE {
            return false;
        }
        let [a, b] = self.network.ends()[bond];
        let sum = self.sites[a as usize].exponent + self.sites[b as usize].exponent + state.local;
        sum > state.sum && self.filing.file_at(bond, sum)
    }

    /// Files a bond lower if its bound, with the tightest powers of two, is below where it is filed.
    fn lower(&mut self, bond: usize) {
        let [a, b] = self.network.ends()[bond];
        let state = self.filing.bonds[bond];
        let local = self.local_exponent(&state);
        let sum = self.sites[a as usize].tighten() + self.sites[b as usize].tighten() + local;
        if sum < state.sum {
            self.filing.bonds[bond].local = local;
            self.filing.file_at(bond, sum);
        }
    }

    /// Raises the bonds whose pattern holds a site and whose local exponent has risen; true if one is above the range.
    fn raise_around(&mut self, site: usize) -> bool {
        let (start, end) = (self.seen_start[site] as usize, self.seen_start[site + 1] as usize);
        let mut above = false;
        for k in start..end {
            let bond = self.seen_by[k].0 as usize;
            let state = self.filing.bonds[bond];
            if state.class != IDLE {
                let local = self.local_exponent(&state);
                if local > state.local {
                    self.filing.bonds[bond].local = local;
                    above |= self.raise(bond);
                }
            }
        }
        above
    }

    /// Moves the ion and files the bonds around anew.
    fn commit(&mut self, from: usize, to: usize) -> Result<(), HoppingError> {
        self.dirty_count = 0;
        self.flip(from);
        self.flip(to);
        let network = self.network;
        let mut above = false;
        for k in 0..self.dirty_count {
            let site = self.dirty[k] as usize;
            if self.sites[site].renew() > 0 && site != from && site != to {
                for b in network.incident(site) {
                    above |= self.raise(*b as usize);
                }
            }
        }
        for site in [from, to] {
            for b in network.incident(site) {
                above |= self.file(*b as usize);
            }
        }
        for site in [from, to] {
            above |= self.raise_around(site);
        }
        // A total near the bottom of the range means that all bounds have become loose.
        if above || self.filing.total < 1 << 12 {
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
            state.renew();
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
        let entry = &table.entries[usize::from(self.filing.bonds[bond].pattern)];
        let mut x = self.sites[a as usize].weight * self.sites[b as usize].weight * entry.coupling;
        let mut activation = entry.activation;
        if table.outer.is_some() || table.outer_count.is_some() {
            let cell = bond / self.network.types();
            let occupied = |s: u32| self.sites[s as usize].occupied;
            x *= table.outer_coupling(cell, occupied);
            let count = table.outer_occupied(cell, occupied);
            if count > 0 {
                let slope = table.slopes_ev[usize::from(entry.tsh)];
                activation *= (-slope * f64::from(count) / self.compiled.thermal_ev).exp();
            }
        }
        let bare = activation * x;
        let limit = entry.paths * if x < 1.0 { x * x } else { 1.0 };
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
        for (class, list) in self.filing.lists[..=self.filing.top].iter().enumerate().rev() {
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
        let entry = &table.entries[usize::from(self.filing.bonds[bond].pattern)];
        let tsh = entry.tsh;
        let mut kra = entry.kra_ev;
        if table.outer_count.is_some() {
            let count =
                table.outer_occupied(bond / self.network.types(), |s| self.sites[s as usize].occupied);
            kra += table.slopes_ev[usize::from(tsh)] * f64::from(count);
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

impl SiteState {
    /// Multiplies the weight; 1 if it rose above its bound.
    #[inline]
    fn scale(&mut self, factor: f64) -> usize {
        self.weight *= factor;
        usize::from(self.weight >= self.upper)
    }

    /// Brings the bound to the next power of two above the weight if the weight is not below the bound; returns the change of
    /// the exponent.
    #[inline]
    fn renew(&mut self) -> i32 {
        let before = self.exponent;
        if self.weight >= self.upper { self.tighten() - before } else { 0 }
    }

    /// Brings the bound to the next power of two above the weight; returns the exponent.
    #[inline]
    fn tighten(&mut self) -> i32 {
        // From the bits of the double: weights are positive and normal.
        let biased = self.weight.to_bits() >> 52;
        self.exponent = biased as i32 - 1022;
        self.upper = f64::from_bits((biased + 1) << 52);
        self.exponent
    }
}

/// For every site, the bonds whose pattern holds it with its bit.
fn reverse_patterns(network: &GridNetwork, compiled: &Compiled) -> (Vec<(u32, u16)>, Vec<u32>) {
    let grid = network.grid();
    let mut lists: Vec<Vec<(u32, u16)>> = vec![Vec::new(); grid.sites()];
    for (kind, table) in compiled.tables.iter().enumerate() {
        let from = network.network().bonds()[kind].from;
        for cell in 0..grid.cells() {
            let bond = (cell * network.types() + kind) as u32;
            for (k, site) in table.sites.iter().enumerate() {
                lists[grid.offset(cell * grid.basis() + from, *site)].push((bond, 1 << k));
            }
        }
    }
    let mut start = vec![0];
    let mut out = Vec::new();
    for list in lists {
        out.extend(list);
        start.push(out.len() as u32);
    }
    (out, start)
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
        self.commit(from, to)?;
        Ok(Attempt::Hopped)
    }

    fn time_s(&self) -> f64 {
        self.time_s
    }

    fn trajectory(&self) -> &Trajectory {
        &self.trajectory
    }

    fn attempts(&self) -> u64 {
        self.attempts
    }

    fn drift(&mut self, by_ion: &mut Vec<[f64; 3]>) -> [f64; 3] {
        // By type, so that what cancels between hops of one type leaves no rounding behind.
        let mut net = [0.0; 256];
        by_ion.clear();
        by_ion.resize(self.trajectory.ions(), [0.0; 3]);
        for (bond, state) in self.filing.bonds.iter().enumerate().filter(|b| b.1.class != IDLE) {
            let rate = self.local_rate(bond).rate;
            let [a, b] = self.network.ends()[bond].map(|s| s as usize);
            let forward = self.sites[a].occupied == 1;
            let signed = if forward { rate } else { -rate };
            net[usize::from(state.kind)] += signed;
            let vector = &self.network.network().bonds()[usize::from(state.kind)].vector_angstrom;
            let ion = self.trajectory.ion_at(if forward { a } else { b });
            if let Some(part) = ion.and_then(|i| by_ion.get_mut(i)) {
                for (p, v) in part.iter_mut().zip(vector) {
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
