//! The state of a lattice gas that all its engines share: who sits where, what each ion has travelled, occupied neighbours of every site, and the rate of any
//! hop from tables of Boltzmann factors, as a share of the largest rate that there can be.
//!
//! Neighbours are reached by coordinates, without a table of them; occupied neighbours are counted by increments, and Boltzmann factors are looked up.

mod saved;

use super::model::{GasHop, GasModel};
use crate::HoppingError;
use crate::engine::cleared;
use crate::error::exceeds;
pub(super) use saved::Saved;
use scalade_crystal::LatticeSite;

/// Set in the first mark of an occupied site.
pub(super) const OCCUPIED: u8 = 1 << 7;
/// Marks a vacant site among the holders; the bits below number its vacancy where vacancies are listed.
const VACANT: u32 = 1 << 31;
/// Room for rounding between a product of factors and the bound of it.
const ROUNDING: f64 = 1.0 + 1e-12;

/// A place in the box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) cell: [u16; 3],
    pub(super) basis: u8,
}

/// What an ion has travelled.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Travel {
    /// Cells, unwrapped.
    cells: [i32; 3],
    /// Sublattice on which it started.
    start: u8,
}

/// A step from a place, wrapped into the box.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Between 0 and the number of cells.
    cell: [u16; 3],
    pub(super) basis: u8,
}

impl Step {
    /// Nowhere else.
    pub(super) const NONE: Self = Self { cell: [0; 3], basis: 0 };
}

/// Sites of a tile at most, where the lattice has several dimensions: their marks fill a line of the cache.
const TILE: u32 = 64;

/// Numbering of the sites from coordinates: cells by tiles, so that what is near in space is near in memory. Where tiles do not fill the box, numbers are left
/// out.
#[derive(Clone, Debug)]
pub(super) struct Numbering {
    dims: [u16; 3],
    basis: u32,
    /// Cells of a tile along each axis, as powers of two.
    tile: [u32; 3],
    /// Tiles along each axis.
    tiles: [u32; 3],
    /// Part of the number by cell along each axis, over two periods: a step that leads beyond the box needs no wrapping.
    axes: [Vec<u32>; 3],
}

impl Numbering {
    fn new(model: &GasModel) -> Self {
        let (dims, basis) = (model.grid().dims().map(|d| d as u32), model.grid().basis() as u32);
        let mut tile: [u32; 3] = [0; 3];
        // Doubled axis by axis, the last first, while a tile has room and the axis is longer.
        let mut axis = 2;
        for _ in 0..18 {
            let sites = basis << (tile[0] + tile[1] + tile[2] + 1);
            if sites <= TILE && 2 << tile[axis] <= dims[axis] {
                tile[axis] += 1;
            }
            axis = (axis + 2) % 3;
        }
        let tiles: [u32; 3] = std::array::from_fn(|a| dims[a].div_ceil(1 << tile[a]));
        let cells = 1u32 << (tile[0] + tile[1] + tile[2]);
        let inner = [1 << (tile[1] + tile[2]), 1 << tile[2], 1];
        let outer = [tiles[1] * tiles[2], tiles[2], 1];
        let along = |a: usize| {
            let part =
                |x: u32| ((x >> tile[a]) * outer[a] * cells + (x & ((1 << tile[a]) - 1)) * inner[a]) * basis;
            (0..2 * dims[a]).map(|x| part(x % dims[a])).collect()
        };
        Self { dims: dims.map(|d| d as u16), basis, tile, tiles, axes: std::array::from_fn(along) }
    }

    /// One more than the largest number.
    fn room(&self) -> usize {
        let tiles = self.tiles.iter().map(|t| *t as usize).product::<usize>();
        (tiles << (self.tile[0] + self.tile[1] + self.tile[2])) * self.basis as usize
    }

    fn step(&self, to: &LatticeSite) -> Step {
        let wrap = |a: usize| to.cell[a].rem_euclid(i32::from(self.dims[a])) as u16;
        Step { cell: std::array::from_fn(wrap), basis: to.basis as u8 }
    }

    /// Number of a place.
    #[inline]
    pub(super) fn index(&self, place: Place) -> usize {
        let [x, y, z] = place.cell.map(usize::from);
        (self.axes[0][x] + self.axes[1][y] + self.axes[2][z] + u32::from(place.basis)) as usize
    }

    /// Number of the place that a step leads to.
    #[inline]
    pub(super) fn index_after(&self, from: Place, step: Step) -> usize {
        let [x, y, z]: [usize; 3] =
            std::array::from_fn(|a| usize::from(from.cell[a]) + usize::from(step.cell[a]));
        (self.axes[0][x] + self.axes[1][y] + self.axes[2][z] + u32::from(step.basis)) as usize
    }

    /// Parts of the number along an axis.
    pub(super) fn along(&self, axis: usize) -> &[u32] {
        &self.axes[axis][..usize::from(self.dims[axis])]
    }

    /// Place of a number.
    #[inline]
    pub(super) fn place(&self, index: usize) -> Place {
        let (cell, basis) = (index as u32 / self.basis, index as u32 % self.basis);
        let bits = self.tile[0] + self.tile[1] + self.tile[2];
        let (tile, inner) = (cell >> bits, cell & ((1 << bits) - 1));
        let low = |a: usize, shift: u32| (inner >> shift) & ((1 << self.tile[a]) - 1);
        let (z, rest) = (tile % self.tiles[2], tile / self.tiles[2]);
        let (y, x) = (rest % self.tiles[1], rest / self.tiles[1]);
        let full = |a: usize, tile: u32, shift: u32| ((tile << self.tile[a]) + low(a, shift)) as u16;
        Place {
            cell: [full(0, x, self.tile[1] + self.tile[2]), full(1, y, self.tile[2]), full(2, z, 0)],
            basis: basis as u8,
        }
    }

    #[inline]
    pub(super) fn stepped(&self, from: Place, step: Step) -> Place {
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
pub(super) struct Direction {
    pub(super) step: Step,
    /// Cells of the hop vector, not wrapped.
    cell: [i32; 3],
    /// The direction of the other end that leads back.
    pub(super) back: u8,
    /// Per shell: where the factor of no difference stands in the table, bonds between the ends taken off.
    pub(super) origin: Vec<i32>,
    /// e^(-(own energy after - before)/2kT) over the bound.
    pub(super) own: f64,
}

/// Boltzmann factors by shell: e^(-J (occupied neighbours after - before)/2kT) of all differences.
#[derive(Clone, Debug)]
pub(super) struct Factors(pub(super) Vec<Vec<f64>>);

impl Factors {
    /// Share of a hop from a site with these marks to one with those.
    #[inline]
    pub(super) fn share(&self, direction: &Direction, before: &[u8], after: &[u8]) -> f64 {
        let mut share = direction.own;
        let mut counted = !OCCUPIED;
        for (((table, origin), before), after) in self.0.iter().zip(&direction.origin).zip(before).zip(after)
        {
            let at = origin + i32::from(after & counted) - i32::from(before & counted);
            counted = u8::MAX;
            // Differences beyond the table cannot be; NaN stops the run.
            share *= table.get(at as usize).copied().unwrap_or(f64::NAN);
        }
        share
    }
}

/// A hop that can happen: sublattice and direction of the ion, and the sites.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) from: Place,
    pub(super) to: Place,
    pub(super) from_site: usize,
    pub(super) to_site: usize,
    pub(super) way: usize,
}

/// Occupation, ions, counts and rates.
#[derive(Clone, Debug)]
pub(super) struct GasState<'a> {
    pub(super) model: &'a GasModel,
    pub(super) shape: Numbering,
    pub(super) directions: Vec<Vec<Direction>>,
    pub(super) factors: Factors,
    /// Largest rate that there can be over the attempt rate.
    pub(super) bound: f64,
    /// By sublattice and shell: steps to the neighbours.
    around: Vec<Vec<Vec<Step>>>,
    /// Ion of every site, or [`VACANT`].
    holder: Vec<u32>,
    /// Of every site the number of occupied neighbours by shell, the first with [`OCCUPIED`]: all that a trial has to know of it lies together.
    pub(super) marks: Vec<u8>,
    /// Marks of a site.
    width: usize,
    /// Where the ions are; apart from what they have travelled, which only hops need.
    pub(super) places: Vec<Place>,
    travels: Vec<Travel>,
    /// The vacancies, where they are fewer than the ions.
    pub(super) holes: Option<Vec<Place>>,
    /// Hops by sublattice and direction.
    made: Vec<Vec<u64>>,
    pub(super) events: u64,
}

impl<'a> GasState<'a> {
    /// From an occupation.
    pub(super) fn new(model: &'a GasModel, occupied: &[bool]) -> Result<Self, HoppingError> {
        let sites = model.sites();
        let count = occupied.iter().filter(|o| **o).count();
        if occupied.len() != sites || count == 0 || count >= sites {
            return Err(HoppingError::Composition { ions: count, sites });
        }
        let shape = Numbering::new(model);
        let (factors, highest) = factors(model);
        let (directions, bound) = directions(model, &shape, &highest);
        let shells = model.energies().len();
        let steps = |list: &Vec<LatticeSite>| list.iter().map(|s| shape.step(s)).collect::<Vec<Step>>();
        let around: Vec<Vec<Vec<Step>>> =
            model.neighbours().iter().map(|by_shell| by_shell.iter().map(steps).collect()).collect();
        let mut out = Self {
            model,
            made: directions.iter().map(|d| vec![0; d.len()]).collect(),
            directions,
            factors: Factors(factors),
            bound,
            around,
            holder: vec![VACANT; shape.room()],
            marks: vec![0; shape.room() * shells.max(1)],
            shape,
            width: shells.max(1),
            places: Vec::with_capacity(count),
            travels: Vec::with_capacity(count),
            holes: (sites - count < count).then(Vec::new),
            events: 0,
        };
        // Ions are numbered in the order of the sites of the model's grid.
        for (site, filled) in occupied.iter().enumerate() {
            let site = out.here(site);
            let place = out.shape.place(site);
            if *filled {
                out.holder[site] = out.places.len() as u32;
                out.places.push(place);
                out.travels.push(Travel { cells: [0; 3], start: place.basis });
                out.marks[site * out.width] |= OCCUPIED;
                out.count(place, 1);
            } else if let Some(holes) = &mut out.holes {
                out.holder[site] |= holes.len() as u32;
                holes.push(place);
            }
        }
        Ok(out)
    }

    /// Number of sites.
    pub(super) fn sites(&self) -> usize {
        self.model.sites()
    }

    /// One more than the largest number of a site here.
    pub(super) fn room(&self) -> usize {
        self.holder.len()
    }

    /// All places in the order of the numbering here.
    pub(super) fn all_places(&self) -> Vec<Place> {
        let inside = |place: &Place| (0..3).all(|a| place.cell[a] < self.shape.dims[a]);
        (0..self.shape.room()).map(|n| self.shape.place(n)).filter(inside).collect()
    }

    /// Number of a place in the grid of the model.
    fn on_grid(&self, place: Place) -> usize {
        self.model
            .grid()
            .index(LatticeSite { cell: place.cell.map(i32::from), basis: usize::from(place.basis) })
    }

    /// Number here of a site of the grid of the model.
    fn here(&self, site: usize) -> usize {
        let at = self.model.grid().site(site);
        self.shape.index(Place { cell: at.cell.map(|c| c as u16), basis: at.basis as u8 })
    }

    /// Whether a site of the grid of the model is occupied.
    pub(super) fn is_occupied(&self, site: usize) -> bool {
        !self.is_vacant(self.here(site))
    }

    /// Ions or vacancies, whichever are fewer.
    pub(super) fn carriers(&self) -> usize {
        self.holes.as_ref().map_or(self.places.len(), Vec::len)
    }

    /// Adds to the counts of the neighbours of a site (wrapping: -1 is 255).
    #[inline]
    fn count(&mut self, place: Place, by: u8) {
        for (k, steps) in self.around[usize::from(place.basis)].iter().enumerate() {
            for step in steps {
                let site = self.shape.index_after(place, *step);
                let mark = &mut self.marks[site * self.width + k];
                *mark = mark.wrapping_add(by);
            }
        }
    }

    /// Share of a hop as if its ends had equally many occupied neighbours, the ion itself among those of the end.
    pub(super) fn bare_share(&self, basis: usize, way: usize) -> f64 {
        let bonds = &self.model.hops()[basis][way].bonds;
        let energy: f64 = self.model.energies().iter().zip(bonds).map(|(j, n)| j * f64::from(*n)).sum();
        self.directions[basis][way].own * (0.5 * energy).exp()
    }

    /// Number of shells with an energy.
    pub(super) fn shells(&self) -> usize {
        self.factors.0.len()
    }

    /// Marks of a site: occupied neighbours by shell, the first with [`OCCUPIED`].
    #[inline]
    pub(super) fn marks(&self, site: usize) -> &[u8] {
        &self.marks[site * self.width..(site + 1) * self.width]
    }

    /// Whether a site is vacant.
    #[inline]
    pub(super) fn is_vacant(&self, site: usize) -> bool {
        self.marks[site * self.width] & OCCUPIED == 0
    }

    /// Rate of a hop over the largest one.
    #[inline]
    pub(super) fn share(&self, from: usize, to: usize, direction: &Direction) -> f64 {
        self.factors.share(direction, self.marks(from), self.marks(to))
    }

    /// The share of a hop as [`Self::share`], and an error where it lies above the largest there can be.
    #[inline]
    pub(super) fn checked_share(&self, hop: &Move, time: f64) -> Result<f64, HoppingError> {
        let direction = &self.directions[usize::from(hop.from.basis)][hop.way];
        let share = self.share(hop.from_site, hop.to_site, direction);
        if exceeds(share, ROUNDING) {
            let (rate, bound) = (share * self.bound, self.bound);
            return Err(HoppingError::Bound { bond: hop.from_site, rate, bound, time_s: time });
        }
        Ok(share)
    }

    /// Makes a hop.
    #[inline]
    pub(super) fn make(&mut self, hop: &Move) {
        let basis = usize::from(hop.from.basis);
        let ion = self.holder[hop.from_site];
        let vacancy = self.holder[hop.to_site];
        let travel = &mut self.travels[ion as usize];
        for (sum, cell) in travel.cells.iter_mut().zip(self.directions[basis][hop.way].cell) {
            *sum += cell;
        }
        self.places[ion as usize] = hop.to;
        self.made[basis][hop.way] += 1;
        self.events += 1;
        self.holder[hop.from_site] = vacancy;
        self.holder[hop.to_site] = ion;
        self.marks[hop.from_site * self.width] ^= OCCUPIED;
        self.marks[hop.to_site * self.width] ^= OCCUPIED;
        if let Some(holes) = &mut self.holes {
            holes[(vacancy & !VACANT) as usize] = hop.from;
        }
        if !self.factors.0.is_empty() {
            self.count(hop.from, 255);
            self.count(hop.to, 1);
        }
    }

    /// The occupation.
    pub(super) fn occupation(&self) -> Vec<bool> {
        (0..self.sites()).map(|site| self.is_occupied(site)).collect()
    }

    /// Compares the counts with ones made anew: the largest difference.
    pub(super) fn count_error(&self) -> usize {
        let occupied = self.occupation();
        let mut worst = 0;
        for site in 0..occupied.len() {
            for (k, list) in self.model.neighbours()[site % self.model.basis().len()].iter().enumerate() {
                let anew = list.iter().filter(|n| occupied[self.model.grid().offset(site, **n)]).count();
                let kept = self.marks(self.here(site))[k] & if k == 0 { !OCCUPIED } else { u8::MAX };
                worst = worst.max(anew.abs_diff(usize::from(kept)));
            }
        }
        worst
    }

    /// Calls for every hop that can happen: the number of its ion and the hop.
    fn each_move(&self, mut call: impl FnMut(usize, Move)) {
        if let Some(holes) = &self.holes {
            for hole in holes {
                let to_site = self.shape.index(*hole);
                for outward in &self.directions[usize::from(hole.basis)] {
                    let from = self.shape.stepped(*hole, outward.step);
                    let from_site = self.shape.index(from);
                    if !self.is_vacant(from_site) {
                        let way = usize::from(outward.back);
                        call(
                            self.holder[from_site] as usize,
                            Move { from, to: *hole, from_site, to_site, way },
                        );
                    }
                }
            }
        } else {
            for (number, place) in self.places.iter().enumerate() {
                let from_site = self.shape.index(*place);
                for (way, direction) in self.directions[usize::from(place.basis)].iter().enumerate() {
                    let to_site = self.shape.index_after(*place, direction.step);
                    if self.is_vacant(to_site) {
                        let to = self.shape.stepped(*place, direction.step);
                        call(number, Move { from: *place, to, from_site, to_site, way });
                    }
                }
            }
        }
    }

    /// Largest |ln(rate there / rate back) + (E after - E before)/kT| over all hops that can happen, the energy difference from the pairs one by one: 0 to
    /// rounding where detailed balance holds. NaN if a rate is none.
    pub(super) fn balance_error(&self) -> f64 {
        let mut worst: f64 = 0.0;
        let grid = self.model.grid();
        let field = |place: Place, other: Place| {
            let (site, other, basis) = (self.on_grid(place), self.on_grid(other), usize::from(place.basis));
            let shell = |(k, energy): (usize, &f64)| {
                let list = &self.model.neighbours()[basis][k];
                let occupied = |n: &&LatticeSite| {
                    let at = grid.offset(site, **n);
                    at != other && self.is_occupied(at)
                };
                energy * list.iter().filter(occupied).count() as f64
            };
            self.model.energies().iter().enumerate().map(shell).sum::<f64>()
        };
        let (mut before, mut after) = (Vec::new(), Vec::new());
        self.each_move(|_, hop| {
            let (b, to) = (usize::from(hop.from.basis), usize::from(hop.to.basis));
            let direction = &self.directions[b][hop.way];
            let there = self.share(hop.from_site, hop.to_site, direction);
            // After the hop the start has lost the ion as a neighbour of the end, and the end is one of the start.
            before.clear();
            after.clear();
            for k in 0..self.shells() {
                let bonds = self.model.hops()[b][hop.way].bonds[k];
                before.push(self.marks(hop.to_site)[k].wrapping_sub(bonds));
                after.push(self.marks(hop.from_site)[k].wrapping_add(bonds));
            }
            let back = self.factors.share(&self.directions[to][usize::from(direction.back)], &before, &after);
            let change = field(hop.to, hop.from) - field(hop.from, hop.to) + self.model.own_difference(b, to);
            let error = ((there / back).ln() + change).abs();
            // Written so that NaN is kept.
            if exceeds(error, worst) {
                worst = error;
            }
        });
        worst
    }

    /// Position of an ion less that of its start.
    pub(super) fn displacement(&self, ion: usize) -> [f64; 3] {
        let travel = &self.travels[ion];
        let here = self.model.position(travel.cells, usize::from(self.places[ion].basis));
        let start = self.model.position([0; 3], usize::from(travel.start));
        std::array::from_fn(|a| here[a] - start[a])
    }

    /// Sum over hops of half the difference between hops there and back, so that what cancels leaves no rounding behind.
    fn net_sum(&self, there: &[Vec<f64>]) -> [f64; 3] {
        let mut out = [0.0; 3];
        for (b, list) in self.model.hops().iter().enumerate() {
            for (k, hop) in list.iter().enumerate() {
                let net = there[b][k] - there[hop.to.basis][hop.back];
                for (sum, v) in out.iter_mut().zip(hop.vector) {
                    *sum += 0.5 * net * v;
                }
            }
        }
        out
    }

    /// Sum of the displacements of all ions.
    pub(super) fn total_displacement(&self) -> [f64; 3] {
        let made: Vec<Vec<f64>> =
            self.made.iter().map(|list| list.iter().map(|n| *n as f64).collect()).collect();
        self.net_sum(&made)
    }

    /// Sum over all hops of d d^T.
    pub(super) fn squared_hops(&self) -> [[f64; 3]; 3] {
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

    /// The drift, see [`crate::Engine::drift`].
    pub(super) fn drift(&self, by_ion: Option<&mut Vec<[f64; 3]>>) -> [f64; 3] {
        let scale = self.model.rate() * self.bound;
        let mut parts = by_ion.map(|p| cleared(p, self.places.len()));
        let mut sums: Vec<Vec<f64>> = self.made.iter().map(|m| vec![0.0; m.len()]).collect();
        self.each_move(|ion, hop| {
            let (b, k) = (usize::from(hop.from.basis), hop.way);
            let share = self.share(hop.from_site, hop.to_site, &self.directions[b][k]);
            sums[b][k] += share;
            if let Some(parts) = &mut parts {
                for (sum, v) in parts[ion].iter_mut().zip(self.model.hops()[b][k].vector) {
                    *sum += scale * share * v;
                }
            }
        });
        self.net_sum(&sums).map(|sum| scale * sum)
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
fn directions(model: &GasModel, shape: &Numbering, highest: &[f64]) -> (Vec<Vec<Direction>>, f64) {
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
    let direction = |(hop, own): (&GasHop, &f64)| Direction {
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
    let all = |(b, list): (usize, &Vec<GasHop>)| list.iter().zip(&own[b]).map(direction).collect();
    (model.hops().iter().enumerate().map(all).collect(), bound)
}

/// What an engine with a `state` tells of it beyond [`crate::Engine`].
macro_rules! told_by_the_state {
    () => {
        /// Number of sites.
        pub fn sites(&self) -> usize {
            self.state.sites()
        }

        /// Ions or vacancies, whichever are fewer.
        pub fn carriers(&self) -> usize {
            self.state.carriers()
        }

        /// Whether vacancies are fewer than ions.
        pub fn follows_vacancies(&self) -> bool {
            self.state.holes.is_some()
        }

        /// The occupation.
        pub fn occupation(&self) -> Vec<bool> {
            self.state.occupation()
        }

        /// The same state with another random stream: for statistics over many runs from one start.
        #[must_use]
        pub fn clone_with_stream(&self, rng: scalade_numerics::Philox) -> Self {
            Self { rng, ..self.clone() }
        }

        /// Compares the counts of occupied neighbours with ones made anew: the largest difference, 0 unless the engine is defective.
        pub fn count_error(&self) -> usize {
            self.state.count_error()
        }

        /// Largest |ln(rate there / rate back) + (E after - E before)/kT| over all hops that can happen in the present state, with energy differences from
        /// the pairs one by one: 0 to rounding where detailed balance holds.
        pub fn balance_error(&self) -> f64 {
            self.state.balance_error()
        }
    };
}
pub(super) use told_by_the_state;

/// What the state tells of the motion, for [`crate::Engine`].
macro_rules! motion_of_the_state {
    () => {
        fn events(&self) -> u64 {
            self.state.events
        }

        fn ions(&self) -> usize {
            self.state.places.len()
        }

        fn displacement_angstrom(&self, ion: usize) -> [f64; 3] {
            self.state.displacement(ion)
        }

        fn total_displacement_angstrom(&self) -> [f64; 3] {
            self.state.total_displacement()
        }

        fn squared_hops(&self) -> [[f64; 3]; 3] {
            self.state.squared_hops()
        }

        fn drift(&mut self, by_ion: Option<&mut Vec<[f64; 3]>>) -> [f64; 3] {
            self.state.drift(by_ion)
        }

        fn is_occupied(&self, site: usize) -> bool {
            self.state.is_occupied(site)
        }
    };
}
pub(super) use motion_of_the_state;

#[cfg(test)]
mod tests {
    use super::*;
    use scalade_crystal::NamedLattice;

    /// All that is kept of a site, displacements and room that is not used included.
    #[test]
    fn a_site_takes_forty_bytes_at_most() {
        let model = GasModel::named(NamedLattice::Sc, &[100; 3], &[-0.5], 1.0).unwrap();
        for (ions, most) in [(500_000usize, 18.0), (100_000, 8.0), (950_000, 32.0), (999_999, 30.0)] {
            let occupied: Vec<bool> =
                (0..1_000_000).map(|site| site * ions / 1_000_000 != (site + 1) * ions / 1_000_000).collect();
            assert_eq!(occupied.iter().filter(|filled| **filled).count(), ions);
            let state = GasState::new(&model, &occupied).unwrap();
            let bytes = state.holder.capacity() * size_of::<u32>()
                + state.marks.capacity()
                + state.places.capacity() * size_of::<Place>()
                + state.travels.capacity() * size_of::<Travel>()
                + state.holes.as_ref().map_or(0, |holes| holes.capacity() * size_of::<Place>())
                + state.shape.axes.iter().map(|axis| axis.capacity() * size_of::<u32>()).sum::<usize>();
            let each = bytes as f64 / 1e6;
            assert!(each < most, "{ions} ions: {each} bytes");
        }
    }
}
