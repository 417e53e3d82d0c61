//! Density of states and transport distribution on an energy mesh, made so that thermal integrals of them are exact sums over k.
//!
//! Xi_ij(E) = g/N_k sum_nk v_i v_j tau delta(E - E_nk). What is wanted is the integral of Xi with a smooth F(E) (Fermi function, -df/dE and its moments), that
//! is g/N_k sum_nk v_i v_j tau F(E_nk). Writing F(E_nk) as the Lagrange interpolation of eight points of a mesh with twelve steps to kT gives
//! sum_m F(E_m) Xi_m, Xi_m = g/N_k sum_nk v_i v_j tau L_m(E_nk): one pass over k serves any number of potentials and temperatures, and the error is that of
//! interpolating F (1e-10 of it), not that of a histogram.

use crate::error::{BandsError, refuse, within};
use crate::field::{BandPoint, Bands};
use crate::relaxation::RelaxationTime;
use crate::symmetry::Grid;
use rayon::prelude::*;
use scalade_units::constants::BOLTZMANN_EV;

/// Mesh steps to kT.
const STEPS_PER_KT: f64 = 12.0;
/// Points of the interpolation.
const STENCIL: usize = 8;
/// Most points of a mesh.
const MOST_NODES: usize = 4_000_000;
/// Largest memory of the parts that are summed side by side, in numbers.
const PARALLEL_NUMBERS: usize = 1 << 26;
/// Parts of a grid that are summed side by side: fixed, so that the sums do not depend on the number of threads.
const PARTS: usize = 32;

/// An energy mesh.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mesh {
    pub start_ev: f64,
    pub step_ev: f64,
    pub nodes: usize,
}

impl Mesh {
    /// A mesh from `low` to `high` (eV) for temperatures from `coldest_k`.
    pub fn new(low: f64, high: f64, coldest_k: f64) -> Result<Self, BandsError> {
        let step_ev = BOLTZMANN_EV * coldest_k / STEPS_PER_KT;
        let nodes = ((high - low) / step_ev).ceil() + 2.0 * STENCIL as f64;
        if !within(nodes, MOST_NODES as f64) {
            let want = "the energies asked for span too many kT of the lowest temperature: ask for cold and hot points, or distant potentials, apart";
            return refuse("the number of points of the energy mesh", nodes, want);
        }
        Ok(Self { start_ev: low - STENCIL as f64 * step_ev, step_ev, nodes: nodes as usize })
    }

    pub fn energy(&self, node: usize) -> f64 {
        self.start_ev + self.step_ev * node as f64
    }

    pub fn end_ev(&self) -> f64 {
        self.energy(self.nodes - 1)
    }
}

/// Lagrange's weights of eight points 0..8 at t.
fn lagrange(t: f64) -> [f64; STENCIL] {
    // 1 / prod_(j != i) (i - j).
    const SCALE: [f64; STENCIL] = [
        -1.0 / 5040.0,
        1.0 / 720.0,
        -1.0 / 240.0,
        1.0 / 144.0,
        -1.0 / 144.0,
        1.0 / 240.0,
        -1.0 / 720.0,
        1.0 / 5040.0,
    ];
    let mut out = SCALE;
    let mut left = 1.0;
    for i in 0..STENCIL {
        out[i] *= left;
        left *= t - i as f64;
    }
    let mut right = 1.0;
    for i in (0..STENCIL).rev() {
        out[i] *= right;
        right *= t - i as f64;
    }
    out
}

/// States and transport distribution of one grid.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Distribution {
    pub mesh: Mesh,
    /// Per node: states per cell, then tau (dE/dk)^2 of the six pairs, (eV angstrom)^2 s per cell.
    pub nodes: Vec<[f64; 7]>,
    /// States per cell below the mesh.
    pub below: f64,
    /// Lowest and highest energy of each band on the grid.
    pub edges: Vec<[f64; 2]>,
    /// Largest |dE/dk|, eV angstrom.
    pub steepest: f64,
    /// Points of the grid.
    pub divisions: [usize; 3],
}

struct Part {
    nodes: Vec<[f64; 7]>,
    below: f64,
    edges: Vec<[f64; 2]>,
    steepest: f64,
}

impl Part {
    fn deposit(&mut self, mesh: &Mesh, weight: f64, point: &BandPoint, tau: &RelaxationTime) {
        let position = (point.energy_ev - mesh.start_ev) / mesh.step_ev;
        let first = position.floor() - (STENCIL / 2 - 1) as f64;
        if first < 0.0 {
            self.below += weight;
            return;
        }
        if first + STENCIL as f64 > mesh.nodes as f64 {
            return;
        }
        let shares = lagrange(position - first);
        let time = weight * tau.at(point.energy_ev);
        // A time that diverges at a band edge meets a slope of zero there.
        let products = point.products.map(|p| if p == 0.0 { 0.0 } else { p * time });
        for (node, share) in self.nodes[first as usize..].iter_mut().zip(shares) {
            node[0] += share * weight;
            for (n, p) in node[1..].iter_mut().zip(products) {
                *n += share * p;
            }
        }
    }
}

/// Sums a grid. Bands that `known` (lowest and highest energy with a margin, from a coarser grid) puts above the mesh are left out, those below counted.
pub(crate) fn accumulate(
    bands: &dyn Bands,
    grid: &Grid,
    mesh: Mesh,
    tau: &RelaxationTime,
    known: Option<&[[f64; 2]]>,
) -> Result<Distribution, BandsError> {
    let count = bands.bands();
    let empty = || Part {
        nodes: vec![[0.0; 7]; mesh.nodes],
        below: 0.0,
        edges: vec![[f64::INFINITY, f64::NEG_INFINITY]; count],
        steepest: 0.0,
    };
    let unit = bands.spin_degeneracy() / grid.points() as f64;
    let mut sum = empty();
    let parts = PARTS.min(PARALLEL_NUMBERS / (7 * mesh.nodes)).clamp(1, grid.divisions[0]);
    for batch in bands.batches() {
        if let Some(known) = known {
            let outside = |b: usize| known[b][1] < mesh.start_ev || known[b][0] > mesh.end_ev();
            if batch.clone().all(outside) {
                for b in batch.clone() {
                    sum.edges[b] = known[b];
                    if known[b][1] < mesh.start_ev {
                        sum.below += bands.spin_degeneracy();
                    }
                }
                continue;
            }
        }
        let planes = bands.on_grid(grid, batch.clone())?;
        let done: Result<Vec<Part>, BandsError> = (0..parts)
            .into_par_iter()
            .map(|part| {
                let mut own = empty();
                let mut points = Vec::new();
                // Dealt out in turn: with symmetry the first planes hold most of the irreducible points.
                for i1 in (part..grid.divisions[0]).step_by(parts) {
                    let wanted = &grid.planes[i1];
                    if wanted.is_empty() {
                        continue;
                    }
                    points.clear();
                    planes.plane(i1, wanted, &mut points)?;
                    for (p, at) in wanted.iter().zip(points.chunks(batch.len())) {
                        let weight = unit * f64::from(p.multiplicity);
                        for (b, point) in batch.clone().zip(at) {
                            let edge = &mut own.edges[b];
                            *edge = [edge[0].min(point.energy_ev), edge[1].max(point.energy_ev)];
                            let square = point.products[0] + point.products[1] + point.products[2];
                            own.steepest = own.steepest.max(square);
                            own.deposit(&mesh, weight, point, tau);
                        }
                    }
                }
                Ok(own)
            })
            .collect();
        for part in done? {
            sum.below += part.below;
            sum.steepest = sum.steepest.max(part.steepest);
            for (a, b) in sum.edges.iter_mut().zip(part.edges) {
                *a = [a[0].min(b[0]), a[1].max(b[1])];
            }
            for (a, b) in sum.nodes.iter_mut().zip(part.nodes) {
                a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            }
        }
    }
    for node in &mut sum.nodes {
        let [_, tensor @ ..] = *node;
        node[1..].copy_from_slice(&bands.group().symmetrise(tensor));
    }
    Ok(Distribution {
        mesh,
        nodes: sum.nodes,
        below: sum.below,
        edges: sum.edges,
        steepest: sum.steepest.sqrt(),
        divisions: grid.divisions,
    })
}

/// A gap that the bands leave open on the grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Gap {
    /// Bands below.
    pub filled: usize,
    pub top_ev: f64,
    pub bottom_ev: f64,
}

/// Fermi function.
pub(crate) fn fermi(x: f64) -> f64 {
    if x > 0.0 {
        let e = (-x).exp();
        e / (1.0 + e)
    } else {
        1.0 / (1.0 + x.exp())
    }
}

impl Distribution {
    /// The gap above the lowest `filled` bands; none where it is too narrow for the mesh to tell its sides apart.
    pub fn gap(&self, filled: usize) -> Option<Gap> {
        let top_ev = self.edges[..filled].iter().map(|e| e[1]).fold(f64::NEG_INFINITY, f64::max);
        let bottom_ev = self.edges[filled..].iter().map(|e| e[0]).fold(f64::INFINITY, f64::min);
        let wide = bottom_ev - top_ev > 2.5 * STENCIL as f64 * self.mesh.step_ev;
        (wide && top_ev.is_finite() && bottom_ev.is_finite()).then_some(Gap { filled, top_ev, bottom_ev })
    }

    /// The gap around an energy.
    pub fn gap_around(&self, energy_ev: f64) -> Option<Gap> {
        let filled = self.edges.iter().filter(|e| e[1] < energy_ev).count();
        self.gap(filled).filter(|g| g.top_ev < energy_ev && energy_ev < g.bottom_ev)
    }

    /// First node above the middle of a gap; 0 without one.
    fn first_above(&self, gap: Option<Gap>) -> usize {
        gap.map_or(0, |g| {
            let middle = 0.5 * (g.top_ev + g.bottom_ev);
            ((middle - self.mesh.start_ev) / self.mesh.step_ev).ceil().clamp(0.0, self.mesh.nodes as f64)
                as usize
        })
    }

    /// Electrons above and holes below the middle of the gap, per cell. Without a gap: all electrons on the mesh, no holes.
    pub fn carriers(&self, mu_ev: f64, kt: f64, gap: Option<Gap>) -> (f64, f64) {
        let split = self.first_above(gap);
        let (mut electrons, mut holes) = (0.0, 0.0);
        for (m, node) in self.nodes.iter().enumerate() {
            let x = (self.mesh.energy(m) - mu_ev) / kt;
            if m >= split {
                electrons += node[0] * fermi(x);
            } else {
                holes += node[0] * fermi(-x);
            }
        }
        (electrons, holes)
    }

    /// States that [`Self::carriers`] counts from: those below the gap (a whole number of bands), or those below the mesh.
    pub fn reference(&self, gap: Option<Gap>, spin_degeneracy: f64) -> f64 {
        gap.map_or(self.below, |g| spin_degeneracy * g.filled as f64)
    }

    /// int Xi (E - mu)^n (-df/dE) dE for n = 0, 1, 2 in (eV angstrom)^2 s eV^(n-1) per cell.
    pub fn moments(&self, mu_ev: f64, kt: f64) -> [[f64; 6]; 3] {
        let mut out = [[0.0; 6]; 3];
        for (m, node) in self.nodes.iter().enumerate() {
            let energy = self.mesh.energy(m) - mu_ev;
            let x = energy / kt;
            let bell = fermi(x) * fermi(-x) / kt;
            if bell == 0.0 {
                continue;
            }
            for (pair, xi) in node[1..].iter().enumerate() {
                let share = xi * bell;
                out[0][pair] += share;
                out[1][pair] += share * energy;
                out[2][pair] += share * energy * energy;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lagrange_weights_reproduce_polynomials_and_fermi_functions() {
        for t in [3.0, 3.2, 3.77, 0.4] {
            let w = lagrange(t);
            for power in 0..8 {
                let got: f64 = w.iter().enumerate().map(|(i, w)| w * (i as f64).powi(power)).sum();
                assert!((got - t.powi(power)).abs() < 1e-9 * t.powi(power).max(1.0), "{power} {got}");
            }
        }
        let mut worst = 0.0f64;
        for i in 0..2000 {
            let x = -20.0 + 0.02 * f64::from(i);
            let w = lagrange(3.5);
            let at = |j: usize| x + (j as f64 - 3.5) / STEPS_PER_KT;
            let bell = |x: f64| fermi(x) * fermi(-x);
            let got: f64 = w.iter().enumerate().map(|(j, w)| w * bell(at(j))).sum();
            worst = worst.max((got / bell(x) - 1.0).abs());
        }
        assert!(worst < 2e-9, "{worst:e}");
    }
}
