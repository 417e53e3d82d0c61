//! The rejection engine of a lattice gas: a carrier and a direction at random, accepted with rate over the largest rate there is.
//!
//! Carriers are the ions or the vacancies, whichever are fewer. A trial takes the time 1/(carriers times directions times largest rate) whatever comes of it,
//! so that every hop happens at its rate (the mean residence time of a state is that of the rejection-free method). The largest rate is that of the tables
//! that hold all of them: none lies above, and a trial that finds one stops the run. Neighbours are reached by coordinates, without a table of them;
//! occupied neighbours are counted by increments, and Boltzmann factors are looked up.

use super::model::GasModel;
use crate::engine::cleared;
use crate::error::exceeds;
use crate::{Attempt, Engine, HoppingError};
use scalade_crystal::LatticeSite;
use scalade_numerics::Philox;

/// Marks a vacant site.
const VACANT: u32 = u32::MAX;
/// Room for rounding between a product of factors and the bound of it.
const ROUNDING: f64 = 1.0 + 1e-12;

/// A place in the box.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    cell: [u16; 3],
    basis: u8,
}

/// An ion with what it has travelled.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ion {
    place: Place,
    /// Sublattice on which it started.
    start: u8,
    /// Cells travelled, unwrapped.
    moved: [i32; 3],
}

/// A step from a place, wrapped into the box.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Between 0 and the number of cells.
    cell: [u16; 3],
    basis: u8,
}

/// Numbering of the sites from coordinates.
#[derive(Clone, Copy, Debug)]
struct Box3 {
    dims: [u16; 3],
    strides: [u32; 3],
}

impl Box3 {
    fn new(model: &GasModel) -> Self {
        let (dims, basis) = (model.grid().dims(), model.grid().basis() as u32);
        let [_, y, z] = dims.map(|d| d as u32);
        Self { dims: dims.map(|d| d as u16), strides: [y * z * basis, z * basis, basis] }
    }

    fn step(&self, to: &LatticeSite) -> Step {
        let wrap = |a: usize| to.cell[a].rem_euclid(i32::from(self.dims[a])) as u16;
        Step { cell: std::array::from_fn(wrap), basis: to.basis as u8 }
    }

    #[inline]
    fn index(&self, place: Place) -> usize {
        let along = |a: usize| u32::from(place.cell[a]) * self.strides[a];
        (along(0) + along(1) + along(2) + u32::from(place.basis)) as usize
    }

    #[inline]
    fn stepped(&self, from: Place, step: Step) -> Place {
        let cell = std::array::from_fn(|a| {
            let sum = u32::from(from.cell[a]) + u32::from(step.cell[a]);
            let beyond = sum >= u32::from(self.dims[a]);
            (sum - if beyond { u32::from(self.dims[a]) } else { 0 }) as u16
        });
        Place { cell, basis: step.basis }
    }
}

/// A hop of a sublattice, ready to be tried.
#[derive(Clone, Debug)]
struct Direction {
    step: Step,
    /// Cells of the hop vector, not wrapped.
    cell: [i32; 3],
    /// The direction of the other end that leads back.
    back: u8,
    /// Per shell: where the factor of no difference stands in the table, bonds between the ends taken off.
    origin: Vec<i32>,
    /// e^(-(own energy after - before)/2kT) over the bound.
    own: f64,
}

/// The rejection engine.
#[derive(Clone, Debug)]
pub struct RejectionEngine<'a> {
    model: &'a GasModel,
    shape: Box3,
    directions: Vec<Vec<Direction>>,
    /// Directions tried per carrier: the most of any sublattice.
    width: u64,
    /// Per shell: e^(-J (occupied neighbours after - before)/2kT) of all differences.
    factors: Vec<Vec<f64>>,
    /// By sublattice and shell: steps to the neighbours.
    around: Vec<Vec<Vec<Step>>>,
    /// Ion of every site.
    holder: Vec<u32>,
    /// Occupied neighbours of every site, by shell.
    counts: Vec<u8>,
    ions: Vec<Ion>,
    /// The vacancies, where they are the carriers.
    holes: Option<Vec<Place>>,
    /// Hops by sublattice and direction.
    made: Vec<Vec<u64>>,
    events: u64,
    attempts: u64,
    interval: f64,
    bound: f64,
    rng: Philox,
}

impl<'a> RejectionEngine<'a> {
    /// Starts from an occupation.
    pub fn new(model: &'a GasModel, occupied: &[bool], rng: Philox) -> Result<Self, HoppingError> {
        let sites = model.sites();
        let count = occupied.iter().filter(|o| **o).count();
        if occupied.len() != sites || count == 0 || count >= sites {
            return Err(HoppingError::Composition { ions: count, sites });
        }
        let shape = Box3::new(model);
        let (factors, highest) = factors(model);
        let (directions, bound) = directions(model, &shape, &highest);
        let shells = model.energies().len();
        let steps = |list: &Vec<LatticeSite>| list.iter().map(|s| shape.step(s)).collect::<Vec<Step>>();
        let around: Vec<Vec<Vec<Step>>> =
            model.neighbours().iter().map(|by_shell| by_shell.iter().map(steps).collect()).collect();
        let place = |site: usize| {
            let at = model.grid().site(site);
            Place { cell: at.cell.map(|c| c as u16), basis: at.basis as u8 }
        };
        let mut out = Self {
            model,
            shape,
            width: directions.iter().map(Vec::len).max().unwrap_or(0) as u64,
            made: directions.iter().map(|d| vec![0; d.len()]).collect(),
            directions,
            factors,
            around,
            holder: vec![VACANT; sites],
            counts: vec![0; sites * shells],
            ions: Vec::with_capacity(count),
            holes: None,
            events: 0,
            attempts: 0,
            interval: 0.0,
            bound,
            rng,
        };
        for (site, _) in occupied.iter().enumerate().filter(|o| *o.1) {
            let place = place(site);
            out.holder[site] = out.ions.len() as u32;
            out.ions.push(Ion { place, start: place.basis, moved: [0; 3] });
            out.count(place, 1);
        }
        if sites - count < count {
            out.holes = Some((0..sites).filter(|s| !occupied[*s]).map(place).collect());
        }
        out.interval = 1.0 / (model.rate() * bound * out.carriers() as f64 * out.width as f64);
        Ok(out)
    }

    /// Number of sites.
    pub fn sites(&self) -> usize {
        self.holder.len()
    }

    /// Ions or vacancies, whichever are tried.
    pub fn carriers(&self) -> usize {
        self.holes.as_ref().map_or(self.ions.len(), Vec::len)
    }

    /// Whether vacancies are tried.
    pub fn follows_vacancies(&self) -> bool {
        self.holes.is_some()
    }

    /// Adds to the counts of the neighbours of a site (wrapping: -1 is 255).
    #[inline]
    fn count(&mut self, place: Place, by: u8) {
        let shells = self.factors.len();
        for (k, steps) in self.around[usize::from(place.basis)].iter().enumerate() {
            for step in steps {
                let site = self.shape.index(self.shape.stepped(place, *step));
                let count = &mut self.counts[site * shells + k];
                *count = count.wrapping_add(by);
            }
        }
    }

    /// Rate of a hop over the largest one.
    #[inline]
    fn share(&self, from: usize, to: usize, direction: &Direction) -> f64 {
        let shells = self.factors.len();
        let mut share = direction.own;
        for (k, table) in self.factors.iter().enumerate() {
            let (before, after) = (self.counts[from * shells + k], self.counts[to * shells + k]);
            let at = direction.origin[k] + i32::from(after) - i32::from(before);
            // Differences beyond the table cannot be; NaN stops the run.
            share *= table.get(at as usize).copied().unwrap_or(f64::NAN);
        }
        share
    }

    /// One trial.
    #[inline]
    fn trial(&mut self) -> Result<bool, HoppingError> {
        let carriers = self.carriers() as u64;
        let product = u128::from(self.rng.next_u64()) * u128::from(carriers * self.width);
        let pick = (product >> 64) as u64;
        // What is left of the random integer below the unit decides on acceptance.
        let uniform = ((product as u64) >> 11) as f64 * (1.0 / (1u64 << 53) as f64);
        let (carrier, turn) = ((pick / self.width) as usize, (pick % self.width) as usize);
        let start = match &self.holes {
            Some(holes) => holes[carrier],
            None => self.ions[carrier].place,
        };
        let Some(outward) = self.directions[usize::from(start.basis)].get(turn) else { return Ok(false) };
        let end = self.shape.stepped(start, outward.step);
        let (start_site, end_site) = (self.shape.index(start), self.shape.index(end));
        let other = self.holder[end_site];
        // From here on a hop leads from an ion's site to a vacant one, whichever of the two was picked.
        let (ion, from, to, from_site, to_site, way) = if self.holes.is_some() {
            if other == VACANT {
                return Ok(false);
            }
            (other as usize, end, start, end_site, start_site, usize::from(outward.back))
        } else {
            if other != VACANT {
                return Ok(false);
            }
            (carrier, start, end, start_site, end_site, turn)
        };
        let direction = &self.directions[usize::from(from.basis)][way];
        let share = self.share(from_site, to_site, direction);
        if exceeds(share, ROUNDING) {
            let (rate, bound) = (share * self.bound, self.bound);
            return Err(HoppingError::Bound { bond: from_site, rate, bound, time_s: self.time_s() });
        }
        if uniform >= share {
            return Ok(false);
        }
        let moved = &mut self.ions[ion];
        for (sum, cell) in moved.moved.iter_mut().zip(direction.cell) {
            *sum += cell;
        }
        moved.place = to;
        self.made[usize::from(from.basis)][way] += 1;
        self.events += 1;
        self.holder[from_site] = VACANT;
        self.holder[to_site] = ion as u32;
        if let Some(holes) = &mut self.holes {
            holes[carrier] = from;
        }
        if !self.factors.is_empty() {
            self.count(from, 255);
            self.count(to, 1);
        }
        Ok(true)
    }

    /// The occupation.
    pub fn occupation(&self) -> Vec<bool> {
        self.holder.iter().map(|h| *h != VACANT).collect()
    }

    /// Compares the counts with ones made anew: the largest difference, 0 unless the engine is defective.
    pub fn count_error(&self) -> usize {
        let (shells, occupied) = (self.factors.len(), self.occupation());
        let mut worst = 0;
        for site in 0..occupied.len() {
            for (k, list) in self.model.neighbours()[site % self.model.basis().len()].iter().enumerate() {
                let anew = list.iter().filter(|n| occupied[self.model.grid().offset(site, **n)]).count();
                worst = worst.max(anew.abs_diff(usize::from(self.counts[site * shells + k])));
            }
        }
        worst
    }
}

/// Tables of Boltzmann factors by shell, and the largest entry of each that can be met.
fn factors(model: &GasModel) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut tables = Vec::new();
    let mut highest = Vec::new();
    for (k, energy) in model.energies().iter().enumerate() {
        let most = model.neighbours().iter().map(|by_shell| by_shell[k].len()).max().unwrap_or(0) as i32;
        let table: Vec<f64> = (-most..=most).map(|d| (-0.5 * energy * f64::from(d)).exp()).collect();
        highest.push(table.iter().copied().fold(0.0, f64::max));
        tables.push(table);
    }
    (tables, highest)
}

/// The hops of every sublattice with the bound of all rates in units of the attempt rate.
///
/// A hop whose ends share bonds cannot meet all differences: the ion itself is no neighbour that it finds, and the vacancy none that it leaves. The bound
/// takes that off, so that fewer trials fail.
fn directions(model: &GasModel, shape: &Box3, highest: &[f64]) -> (Vec<Vec<Direction>>, f64) {
    let mut bound: f64 = 0.0;
    let mut own = Vec::new();
    for (b, list) in model.hops().iter().enumerate() {
        let by_hop: Vec<f64> =
            list.iter().map(|h| (-0.5 * model.own_difference(b, h.to.basis)).exp()).collect();
        for (hop, own) in list.iter().zip(&by_hop) {
            let shell = |(k, energy): (usize, &f64)| {
                let most = |basis: usize| model.neighbours()[basis][k].len() as f64 - f64::from(hop.bonds[k]);
                // Repulsion speeds a hop by what it leaves, attraction by what it finds.
                let steps = if *energy > 0.0 { most(b) } else { most(hop.to.basis) };
                (0.5 * energy.abs() * steps.max(0.0)).exp().min(highest[k])
            };
            let product: f64 = model.energies().iter().enumerate().map(shell).product();
            bound = bound.max(own * product);
        }
        own.push(by_hop);
    }
    let direction = |(hop, own): (&super::model::GasHop, &f64)| Direction {
        step: shape.step(&hop.to),
        cell: hop.to.cell,
        back: hop.back as u8,
        origin: (0..model.energies().len())
            .map(|k| {
                let most = model.neighbours().iter().map(|n| n[k].len()).max().unwrap_or(0) as i32;
                most - i32::from(hop.bonds[k])
            })
            .collect(),
        own: own / bound,
    };
    let all =
        |(b, list): (usize, &Vec<super::model::GasHop>)| list.iter().zip(&own[b]).map(direction).collect();
    (model.hops().iter().enumerate().map(all).collect(), bound)
}

impl Engine for RejectionEngine<'_> {
    fn attempt(&mut self, limit_s: f64) -> Result<Attempt, HoppingError> {
        if (self.attempts + 1) as f64 * self.interval > limit_s {
            return Ok(Attempt::TimeReached);
        }
        self.attempts += 1;
        Ok(if self.trial()? { Attempt::Hopped } else { Attempt::Rejected })
    }

    fn run_until(&mut self, limit_s: f64, max_attempts: u64) -> Result<bool, HoppingError> {
        // The same attempts as one by one, without a look at the clock between them.
        let mut due = (limit_s / self.interval).min(9e15) as u64;
        while due > self.attempts && due as f64 * self.interval > limit_s {
            due -= 1;
        }
        let wanted = due.saturating_sub(self.attempts);
        for _ in 0..wanted.min(max_attempts) {
            self.attempts += 1;
            self.trial()?;
        }
        Ok(wanted < max_attempts)
    }

    fn time_s(&self) -> f64 {
        self.attempts as f64 * self.interval
    }

    fn attempts(&self) -> u64 {
        self.attempts
    }

    fn events(&self) -> u64 {
        self.events
    }

    fn ions(&self) -> usize {
        self.ions.len()
    }

    fn displacement_angstrom(&self, ion: usize) -> [f64; 3] {
        let ion = &self.ions[ion];
        let here = self.model.position(ion.moved, usize::from(ion.place.basis));
        let start = self.model.position([0; 3], usize::from(ion.start));
        std::array::from_fn(|a| here[a] - start[a])
    }

    fn total_displacement_angstrom(&self) -> [f64; 3] {
        // Hops and hops back by bond, so that what cancels leaves no rounding behind.
        let mut out = [0.0; 3];
        for (b, list) in self.model.hops().iter().enumerate() {
            for (k, hop) in list.iter().enumerate() {
                let net = self.made[b][k] as f64 - self.made[hop.to.basis][hop.back] as f64;
                for (sum, v) in out.iter_mut().zip(hop.vector) {
                    *sum += 0.5 * net * v;
                }
            }
        }
        out
    }

    fn squared_hops(&self) -> [[f64; 3]; 3] {
        let mut out = [[0.0; 3]; 3];
        for (list, made) in self.model.hops().iter().zip(&self.made) {
            for (hop, n) in list.iter().zip(made) {
                for a in 0..3 {
                    for b in 0..3 {
                        out[a][b] += *n as f64 * hop.vector[a] * hop.vector[b];
                    }
                }
            }
        }
        out
    }

    fn drift(&mut self, by_ion: Option<&mut Vec<[f64; 3]>>) -> [f64; 3] {
        let scale = self.model.rate() * self.bound;
        let mut parts = by_ion.map(|p| cleared(p, self.ions.len()));
        let mut net: Vec<Vec<f64>> = self.made.iter().map(|m| vec![0.0; m.len()]).collect();
        let mut add = |ion: usize, b: usize, k: usize, share: f64| {
            net[b][k] += share;
            if let Some(parts) = &mut parts {
                for (sum, v) in parts[ion].iter_mut().zip(self.model.hops()[b][k].vector) {
                    *sum += scale * share * v;
                }
            }
        };
        if let Some(holes) = &self.holes {
            for hole in holes {
                let to = self.shape.index(*hole);
                for outward in &self.directions[usize::from(hole.basis)] {
                    let place = self.shape.stepped(*hole, outward.step);
                    let (from, b, k) =
                        (self.shape.index(place), usize::from(place.basis), usize::from(outward.back));
                    let ion = self.holder[from];
                    if ion != VACANT {
                        add(ion as usize, b, k, self.share(from, to, &self.directions[b][k]));
                    }
                }
            }
        } else {
            for (number, ion) in self.ions.iter().enumerate() {
                let (b, from) = (usize::from(ion.place.basis), self.shape.index(ion.place));
                for (k, direction) in self.directions[b].iter().enumerate() {
                    let to = self.shape.index(self.shape.stepped(ion.place, direction.step));
                    if self.holder[to] == VACANT {
                        add(number, b, k, self.share(from, to, direction));
                    }
                }
            }
        }
        let mut out = [0.0; 3];
        for (b, list) in self.model.hops().iter().enumerate() {
            for (k, hop) in list.iter().enumerate() {
                let difference = net[b][k] - net[hop.to.basis][hop.back];
                for (sum, v) in out.iter_mut().zip(hop.vector) {
                    *sum += 0.5 * scale * difference * v;
                }
            }
        }
        out
    }

    fn is_occupied(&self, site: usize) -> bool {
        self.holder[site] != VACANT
    }
}
