//! Canonical equilibrium of a lattice gas.

use super::model::GasModel;
use crate::HoppingError;
use crate::equilibrium::{Equilibration, Exchanges, settle};
use scalade_numerics::Philox;

/// Occupation with a table of neighbours, for exchanges over any distance.
struct Arrangement<'a> {
    model: &'a GasModel,
    occupied: Vec<bool>,
    lists: [Vec<u32>; 2],
    /// By sublattice and shell: neighbours of every site.
    table: Vec<u32>,
    /// Where a shell begins within the row of a site, by sublattice.
    starts: Vec<Vec<usize>>,
    width: usize,
    energy: f64,
}

impl<'a> Arrangement<'a> {
    fn new(model: &'a GasModel, occupied: &[bool]) -> Self {
        let grid = model.grid();
        let count = |by_shell: &Vec<Vec<_>>| by_shell.iter().map(Vec::len).sum::<usize>();
        let width = model.neighbours().iter().map(count).max().unwrap_or(0);
        let mut table = vec![u32::MAX; width * grid.sites()];
        for (site, row) in table.chunks_exact_mut(width.max(1)).enumerate() {
            let list = model.neighbours()[site % grid.basis()].iter().flatten();
            for (entry, neighbour) in row.iter_mut().zip(list) {
                *entry = grid.offset(site, *neighbour) as u32;
            }
        }
        let starts = |by_shell: &Vec<Vec<_>>| {
            let mut at = 0;
            let mut out = vec![0];
            for shell in by_shell {
                at += shell.len();
                out.push(at);
            }
            out
        };
        let listed =
            |wanted: bool| (0..occupied.len() as u32).filter(|s| occupied[*s as usize] == wanted).collect();
        Self {
            model,
            lists: [listed(true), listed(false)],
            starts: model.neighbours().iter().map(starts).collect(),
            energy: model.energy(occupied),
            occupied: occupied.to_vec(),
            table,
            width,
        }
    }

    /// Energy of an ion on a site with the other ions, kT.
    fn field(&self, site: usize) -> f64 {
        let b = site % self.model.basis().len();
        let row = &self.table[site * self.width..(site + 1) * self.width];
        let shell = |(k, energy): (usize, &f64)| {
            let list = &row[self.starts[b][k]..self.starts[b][k + 1]];
            energy * list.iter().filter(|s| self.occupied[**s as usize]).count() as f64
        };
        self.model.energies().iter().enumerate().map(shell).sum()
    }
}

impl Exchanges for Arrangement<'_> {
    fn sweep(&mut self, factor: f64, rng: &mut Philox) -> u64 {
        let mut accepted = 0;
        for _ in 0..self.pairs() {
            let ion = rng.below(self.lists[0].len() as u32) as usize;
            let hole = rng.below(self.lists[1].len() as u32) as usize;
            let (from, to) = (self.lists[0][ion] as usize, self.lists[1][hole] as usize);
            let before = self.field(from);
            self.occupied[from] = false;
            let basis = self.model.basis().len();
            let delta = self.field(to) - before + self.model.own_difference(from % basis, to % basis);
            if delta <= 0.0 || rng.uniform() < (-delta / factor).exp() {
                self.occupied[to] = true;
                self.lists[0][ion] = to as u32;
                self.lists[1][hole] = from as u32;
                self.energy += delta;
                accepted += 1;
            } else {
                self.occupied[from] = true;
            }
        }
        accepted
    }

    fn energy(&self) -> f64 {
        self.energy
    }

    fn recompute(&mut self) {
        self.energy = self.model.energy(&self.occupied);
    }

    fn pairs(&self) -> usize {
        self.lists[0].len().min(self.lists[1].len())
    }
}

/// Brings an occupation to canonical equilibrium, as [`crate::equilibrate`] does, energies in kT. Without pair energies every occupation is as likely as any.
pub fn equilibrate_gas(
    model: &GasModel,
    occupied: &mut Vec<bool>,
    sweeps: usize,
    rng: &mut Philox,
) -> Result<Equilibration, HoppingError> {
    let (ions, sites) = (occupied.iter().filter(|o| **o).count(), model.sites());
    if occupied.len() != sites || ions == 0 || ions >= sites {
        return Err(HoppingError::Composition { ions, sites });
    }
    if model.is_hard_core() {
        return Ok(Equilibration {
            sweeps: 0,
            drift_z: 0.0,
            equilibrated: true,
            mean_energy_ev: 0.0,
            acceptance: 1.0,
        });
    }
    let mut arrangement = Arrangement::new(model, occupied);
    let result = settle(&mut arrangement, sweeps, rng);
    *occupied = arrangement.occupied;
    result.ok_or(HoppingError::Composition { ions, sites })
}
