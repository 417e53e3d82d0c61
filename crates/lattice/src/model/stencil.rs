//! Neighbours of sites by translation: no table per site.

use super::{PairModel, Variables};
use scalade_crystal::SiteGrid;

/// A neighbour relation from one sublattice.
#[derive(Clone, Copy, Debug)]
struct Step {
    shell: u32,
    cell: [i32; 3],
    basis: u32,
    /// Difference of the site numbers where no side of the box is crossed.
    delta: i64,
}

/// Most entries of a table of neighbours: it serves boxes that fit into the caches.
const MOST_ENTRIES: usize = 1 << 20;

/// The neighbours of every site without its own images, from offsets that are the same for all sites of a sublattice (and listed by site in
/// boxes that are small enough for a list to be faster).
#[derive(Clone, Debug)]
pub struct Stencil {
    grid: SiteGrid,
    steps: Vec<Vec<Step>>,
    reach: [i32; 3],
    /// `wrap[a][x + reach[a]]`: contribution of the coordinate x (wrapped into the box) to the number of a site.
    wrap: [Vec<i64>; 3],
    /// Bonds of a site with its own images, by sublattice and shell.
    own: Vec<Vec<i64>>,
    /// Neighbours of the sites of a small box, `width` entries each; empty for larger ones.
    table: Vec<u32>,
    width: usize,
}

impl Stencil {
    /// The stencil of a model.
    pub fn new(model: &PairModel) -> Self {
        let grid = model.grid();
        let dims = grid.dims();
        let stride =
            [dims[1] * dims[2] * grid.basis(), dims[2] * grid.basis(), grid.basis()].map(|s| s as i64);
        let mut steps = vec![Vec::new(); grid.basis()];
        let mut reach = [0; 3];
        for (shell, of) in model.shells().iter().enumerate() {
            for (from, around) in of.neighbours.iter().enumerate() {
                for site in around.iter().filter(|s| grid.index(**s) != from) {
                    let along: i64 = (0..3).map(|a| i64::from(site.cell[a]) * stride[a]).sum();
                    steps[from].push(Step {
                        shell: shell as u32,
                        cell: site.cell,
                        basis: site.basis as u32,
                        delta: along + site.basis as i64 - from as i64,
                    });
                    for (r, c) in reach.iter_mut().zip(site.cell) {
                        *r = (*r).max(c.abs());
                    }
                }
            }
        }
        let wrap = std::array::from_fn(|a| {
            (-reach[a]..dims[a] as i32 + reach[a])
                .map(|x| i64::from(x.rem_euclid(dims[a] as i32)) * stride[a])
                .collect()
        });
        let own = (0..grid.basis())
            .map(|b| (0..model.shells().len()).map(|k| model.self_bonds(b, k) as i64).collect())
            .collect();
        let width = steps.iter().map(Vec::len).max().unwrap_or(0);
        let mut stencil = Self { grid, steps, reach, wrap, own, table: Vec::new(), width };
        if grid.sites().saturating_mul(width) <= MOST_ENTRIES {
            stencil.table = stencil.tabulate();
        }
        stencil
    }

    fn tabulate(&self) -> Vec<u32> {
        let mut table = vec![0; self.grid.sites() * self.width];
        for site in 0..self.grid.sites() {
            let mut at = site * self.width;
            self.wrapped(site, |_, n| {
                table[at] = n as u32;
                at += 1;
            });
        }
        table
    }

    /// Calls `see(shell, neighbour)` for each neighbour of a site.
    #[inline]
    pub fn visit(&self, site: usize, mut see: impl FnMut(usize, usize)) {
        if self.table.is_empty() {
            return self.wrapped(site, see);
        }
        let sublattice = if self.steps.len() == 1 { 0 } else { site % self.steps.len() };
        let around = &self.table[site * self.width..(site + 1) * self.width];
        for (step, neighbour) in self.steps[sublattice].iter().zip(around) {
            see(step.shell as usize, *neighbour as usize);
        }
    }

    #[inline]
    fn wrapped(&self, site: usize, mut see: impl FnMut(usize, usize)) {
        let here = self.grid.site(site);
        let steps = &self.steps[here.basis];
        let dims = self.grid.dims();
        let inside =
            (0..3).all(|a| here.cell[a] >= self.reach[a] && here.cell[a] + self.reach[a] < dims[a] as i32);
        if inside {
            for step in steps {
                see(step.shell as usize, (site as i64 + step.delta) as usize);
            }
        } else {
            for step in steps {
                let along = |a: usize| self.wrap[a][(here.cell[a] + step.cell[a] + self.reach[a]) as usize];
                see(step.shell as usize, (along(0) + along(1) + along(2)) as usize + step.basis as usize);
            }
        }
    }
}

impl Stencil {
    /// Energy of an occupation: sums over bonds in integers.
    pub fn energy(&self, model: &PairModel, occupied: &[u8]) -> f64 {
        let mut twice = vec![0i64; model.shells().len()];
        let basis = self.own.len();
        let spins = model.variables() == Variables::Spin;
        for (site, n) in occupied.iter().enumerate() {
            if spins {
                self.visit(site, |k, there| twice[k] += 1 - 2 * i64::from(n ^ occupied[there]));
            } else if *n == 1 {
                self.visit(site, |k, there| twice[k] += i64::from(occupied[there]));
            }
            if spins || *n == 1 {
                for (sum, own) in twice.iter_mut().zip(&self.own[site % basis]) {
                    *sum += 2 * own;
                }
            }
        }
        let sums: Vec<i64> = twice.iter().map(|t| t / 2).collect();
        model.energy_of(&sums)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Variables;
    use super::*;
    use scalade_crystal::NamedLattice;

    #[test]
    fn neighbours_are_those_of_the_definition() {
        for (lattice, size) in [
            (NamedLattice::Chain, vec![3]),
            (NamedLattice::Honeycomb, vec![2, 5]),
            (NamedLattice::Triangular, vec![1, 7]),
            (NamedLattice::Fcc, vec![4, 3, 5]),
        ] {
            let model = PairModel::named(lattice, &size, Variables::Spin, &[1.0; 3]).unwrap();
            let stencil = Stencil::new(&model);
            for site in 0..model.sites() {
                let mut got = Vec::new();
                stencil.visit(site, |k, n| got.push((k, n)));
                let mut want = Vec::new();
                for (k, shell) in model.shells().iter().enumerate() {
                    let around = &shell.neighbours[site % model.grid().basis()];
                    want.extend(around.iter().map(|n| (k, model.grid().offset(site, *n))));
                }
                want.retain(|(_, n)| *n != site);
                got.sort_unstable();
                want.sort_unstable();
                assert_eq!(got, want, "{lattice:?}");
                let mut wrapped = Vec::new();
                stencil.wrapped(site, |k, n| wrapped.push((k, n)));
                wrapped.sort_unstable();
                assert_eq!(wrapped, want, "{lattice:?}");
            }
            let occupied: Vec<u8> = (0..model.sites()).map(|s| (s * s % 7 % 2) as u8).collect();
            assert!((stencil.energy(&model, &occupied) - model.reference_energy(&occupied)).abs() < 1e-9);
        }
    }
}
