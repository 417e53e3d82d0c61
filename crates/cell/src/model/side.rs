//! Side reactions in the structured Newton step. The unknowns of a node (intercalation current, side currents,
//! states of the films) depend on the rest only through the potential difference psi = phi_s - phi_e and the
//! salt; they are eliminated by a small dense matrix, once the particle has been.

use super::family::Family;
use crate::ageing::dual::{Dual, Real};
use crate::ageing::{Local, Products, SideReactions};
use crate::expression::FormulaWorkspace;
use crate::property::Undefined;

/// Most unknowns of the side reactions at a node.
const MOST: usize = 8;
/// Variables of the local laws: psi, salt, surface concentration, intercalation current, and the unknowns.
const VARIABLES: usize = 4 + MOST;
type Number = Dual<VARIABLES>;

/// The side reactions of a family with the small matrices of its nodes.
#[derive(Debug, Clone)]
pub(crate) struct SideBlock {
    pub(crate) reactions: SideReactions,
    /// Position of its unknowns: by unknown, then by node.
    pub(crate) start: usize,
    /// Exchange current of plating and its derivative with respect to salt at each node.
    exchange: Vec<f64>,
    exchange_slope: Vec<f64>,
    /// Shares of the places in the mean of the salt, if they are not the nodes.
    weights: Vec<f64>,
    /// Derivatives of the kinetic row's film drop and of the rows at the last linearisation:
    /// [node][row][variable], row 0 the film drop.
    kept: Vec<[f64; VARIABLES]>,
    nodes: Vec<NodeFactors>,
}

/// Factors of one node's matrix and its responses.
#[derive(Debug, Clone, Copy)]
struct NodeFactors {
    factors: [[f64; MOST + 1]; MOST + 1],
    pivots: [usize; MOST + 1],
    scales: [f64; MOST + 1],
    by_potential: [f64; MOST + 1],
    by_salt: [f64; MOST + 1],
    by_kinetics: [f64; MOST + 1],
}

/// Response of a node's charge per particle surface to psi, to the salt, and to the kinetic row's right-hand
/// side.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Gains {
    pub(super) potential: f64,
    pub(super) salt: f64,
    pub(super) kinetics: f64,
}

impl NodeFactors {
    const EMPTY: Self = Self {
        factors: [[0.0; MOST + 1]; MOST + 1],
        pivots: [0; MOST + 1],
        scales: [1.0; MOST + 1],
        by_potential: [0.0; MOST + 1],
        by_salt: [0.0; MOST + 1],
        by_kinetics: [0.0; MOST + 1],
    };

    /// Factors with row scaling and pivoting; false if singular.
    fn factor(&mut self, n: usize) -> bool {
        for row in 0..n {
            let largest = self.factors[row][..n].iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            if !largest.is_normal() {
                return false;
            }
            self.scales[row] = 1.0 / largest;
            for entry in &mut self.factors[row][..n] {
                *entry /= largest;
            }
        }
        for k in 0..n {
            let mut pivot = k;
            for row in k + 1..n {
                if self.factors[row][k].abs() > self.factors[pivot][k].abs() {
                    pivot = row;
                }
            }
            self.factors.swap(k, pivot);
            self.pivots[k] = pivot;
            let diagonal = self.factors[k][k];
            if diagonal == 0.0 || !diagonal.is_finite() {
                return false;
            }
            for row in k + 1..n {
                let factor = self.factors[row][k] / diagonal;
                self.factors[row][k] = factor;
                for column in k + 1..n {
                    self.factors[row][column] -= factor * self.factors[k][column];
                }
            }
        }
        true
    }

    fn solve(&self, n: usize, b: &mut [f64; MOST + 1]) {
        for (value, scale) in b[..n].iter_mut().zip(&self.scales) {
            *value *= scale;
        }
        // Rows were exchanged with their multipliers: all exchanges come first.
        for k in 0..n {
            b.swap(k, self.pivots[k]);
        }
        for k in 0..n {
            for row in k + 1..n {
                b[row] -= self.factors[row][k] * b[k];
            }
        }
        for k in (0..n).rev() {
            for column in k + 1..n {
                b[k] -= self.factors[k][column] * b[column];
            }
            b[k] /= self.factors[k][k];
        }
    }
}

impl SideBlock {
    pub(super) fn new(reactions: SideReactions, count: usize, weights: Vec<f64>) -> Self {
        let rows = reactions.unknowns.len() + 1;
        debug_assert!(rows <= MOST + 1);
        Self {
            reactions,
            start: 0,
            exchange: vec![0.0; count],
            exchange_slope: vec![0.0; count],
            weights,
            kept: vec![[0.0; VARIABLES]; rows * count],
            nodes: vec![NodeFactors::EMPTY; count],
        }
    }

    /// Number of unknowns of all nodes.
    pub(crate) fn len(&self) -> usize {
        self.reactions.unknowns.len() * self.nodes.len()
    }

    /// Positions of each state at all nodes, with its scale.
    pub(super) fn states(&self) -> impl Iterator<Item = (std::ops::Range<usize>, f64)> {
        let count = self.nodes.len();
        let unknowns = self.reactions.unknowns.iter().zip(&self.reactions.scale).enumerate();
        unknowns.filter(|(_, (unknown, _))| !unknown.is_current()).map(move |(u, (_, scale))| {
            let start = self.start + u * count;
            (start..start + count, *scale)
        })
    }

    /// Writes the initial values.
    pub(super) fn initialise(&self, y: &mut [f64]) {
        let count = self.nodes.len();
        for (u, value) in self.reactions.initial.iter().enumerate() {
            y[self.start + u * count..self.start + (u + 1) * count].fill(*value);
        }
    }

    /// Sum of the side currents times their equilibrium potentials at node `k`, W per m2 of particle surface.
    pub(super) fn equilibrium_power(&self, y: &[f64], k: usize) -> f64 {
        let count = self.nodes.len();
        let unknowns = self.reactions.unknowns.iter().enumerate();
        unknowns
            .map(|(u, unknown)| self.reactions.equilibrium(*unknown) * y[self.start + u * count + k])
            .sum()
    }

    /// Evaluates what depends on the salt (one value for each node).
    pub(super) fn evaluate(
        &mut self,
        salt: &[f64],
        kelvin: f64,
        workspace: &mut FormulaWorkspace,
    ) -> Result<(), Undefined> {
        let Some(property) = self.reactions.plating_exchange() else { return Ok(()) };
        let mean = [self.weights.iter().zip(salt).map(|(w, c)| w * c).sum::<f64>()];
        let salt = if self.weights.is_empty() { salt } else { &mean };
        let variables = [salt, salt, &[0.0], &[kelvin]];
        let (value, slope) = (&mut self.exchange, &mut self.exchange_slope);
        property.evaluate_dual(variables, [1.0, 1.0, 0.0, 0.0], workspace, value, slope).map(|_| ())
    }

    /// The laws at node `k` for plain numbers.
    fn local(&self, family: &Family, y: &[f64], k: usize, psi: f64, kelvin: f64) -> Local<f64> {
        Local {
            potential: psi,
            surface: y[family.surface_start() + k],
            current: y[family.flux + k],
            plating_exchange: self.exchange[k],
            mean: 3.0 * family.volume_integral(y, k),
            kelvin,
        }
    }

    fn values(&self, y: &[f64], k: usize) -> [f64; MOST] {
        let mut values = [0.0; MOST];
        for (u, value) in values.iter_mut().enumerate().take(self.reactions.unknowns.len()) {
            *value = y[self.start + u * self.nodes.len() + k];
        }
        values
    }

    /// Sum of the side currents at node `k`, A per m2 of particle surface.
    pub(super) fn side_current(&self, y: &[f64], k: usize) -> f64 {
        let count = self.nodes.len();
        let currents = self.reactions.unknowns.iter().enumerate().filter(|(_, unknown)| unknown.is_current());
        currents.map(|(u, _)| y[self.start + u * count + k]).sum()
    }

    /// The products at node `k` per particle surface.
    pub(super) fn products(&self, y: &[f64], k: usize) -> Products {
        self.reactions.products(&self.values(y, k)[..self.reactions.unknowns.len()])
    }

    /// Volume of the products beyond the initial SEI at node `k` per particle surface, m.
    pub(super) fn volume(&self, y: &[f64], k: usize) -> f64 {
        self.reactions.volume(&self.values(y, k)[..self.reactions.unknowns.len()])
    }

    /// Adds the rows of node `k` to `out` and gives the film's voltage drop.
    pub(super) fn residual(
        &self,
        family: &Family,
        (y, slope): (&[f64], &[f64]),
        k: usize,
        psi: f64,
        kelvin: f64,
        out: &mut [f64],
    ) -> f64 {
        let local = self.local(family, y, k, psi, kelvin);
        let values = self.values(y, k);
        let n = self.reactions.unknowns.len();
        let mut rows = [0.0; MOST];
        self.reactions.rows(&local, &values[..n], &mut rows[..n]);
        for (u, unknown) in self.reactions.unknowns.iter().enumerate() {
            let position = self.start + u * self.nodes.len() + k;
            out[position] = rows[u] + if unknown.is_current() { 0.0 } else { slope[position] };
        }
        self.reactions.film_drop(&local, &values[..n])
    }

    /// Keeps the derivatives of the rows of node `k`.
    pub(super) fn keep_derivatives(&mut self, family: &Family, y: &[f64], k: usize, psi: f64, kelvin: f64) {
        let plain = self.local(family, y, k, psi, kelvin);
        let mut exchange = Number::constant(plain.plating_exchange);
        exchange.gradient[1] = self.exchange_slope[k];
        let local = Local {
            potential: Number::variable(psi, 0),
            surface: Number::variable(plain.surface, 2),
            current: Number::variable(plain.current, 3),
            plating_exchange: exchange,
            mean: plain.mean,
            kelvin,
        };
        let n = self.reactions.unknowns.len();
        let plain_values = self.values(y, k);
        let values: [Number; MOST] = std::array::from_fn(|u| Number::variable(plain_values[u], 4 + u));
        let mut rows = [Number::constant(0.0); MOST];
        self.reactions.rows(&local, &values[..n], &mut rows[..n]);
        let kept = &mut self.kept[k * (n + 1)..(k + 1) * (n + 1)];
        kept[0] = self.reactions.film_drop(&local, &values[..n]).gradient;
        for (kept, row) in kept[1..].iter_mut().zip(&rows) {
            *kept = row.gradient;
        }
    }

    /// Eliminates node `k`: `kinetics` holds the kinetic row's derivatives with respect to j (the particle's
    /// response included) and to salt, `response` that of the surface concentration to j. With `leading` absent,
    /// states do not move. `None` if the matrix is singular.
    pub(super) fn factor(
        &mut self,
        k: usize,
        kinetics: (f64, f64),
        response: f64,
        leading: Option<f64>,
    ) -> Option<Gains> {
        let n = self.reactions.unknowns.len() + 1;
        let kept = &self.kept[k * n..(k + 1) * n];
        let node = &mut self.nodes[k];
        // The film's drop is subtracted in the kinetic row.
        let film = &kept[0];
        node.factors[0][0] = kinetics.0 - film[3] + film[2] * response;
        node.by_potential[0] = 1.0 - film[0];
        node.by_salt[0] = kinetics.1 - film[1];
        for u in 1..n {
            node.factors[0][u] = -film[3 + u];
        }
        for (row, gradient) in kept.iter().enumerate().skip(1) {
            let unknown = self.reactions.unknowns[row - 1];
            node.factors[row] = [0.0; MOST + 1];
            if leading.is_none() && !unknown.is_current() {
                node.factors[row][row] = 1.0;
                (node.by_potential[row], node.by_salt[row]) = (0.0, 0.0);
                continue;
            }
            node.factors[row][0] = gradient[3] - gradient[2] * response;
            node.factors[row][1..n].copy_from_slice(&gradient[4..n + 3]);
            if !unknown.is_current() {
                node.factors[row][row] += leading.unwrap_or(0.0);
            }
            (node.by_potential[row], node.by_salt[row]) = (gradient[0], gradient[1]);
        }
        if !node.factor(n) {
            return None;
        }
        let mut unit = [0.0; MOST + 1];
        unit[0] = 1.0;
        let factors = *node;
        factors.solve(n, &mut node.by_potential);
        factors.solve(n, &mut node.by_salt);
        factors.solve(n, &mut unit);
        node.by_kinetics = unit;
        let node = self.nodes[k];
        Some(Gains {
            potential: self.charge(&node.by_potential),
            salt: self.charge(&node.by_salt),
            kinetics: self.charge(&node.by_kinetics),
        })
    }

    /// Sum of the currents of a local vector.
    fn charge(&self, z: &[f64; MOST + 1]) -> f64 {
        let unknowns = self.reactions.unknowns.iter().zip(&z[1..]);
        z[0] + unknowns.filter(|(u, _)| u.is_current()).map(|(_, z)| z).sum::<f64>()
    }

    /// Solves node `k` for fixed psi and salt, with the kinetic row's right-hand side `kinetic` and the surface
    /// concentration's known change `surface`; leaves the unknowns' part in `b` and gives (change of j, charge).
    pub(super) fn solve(
        &self,
        k: usize,
        (kinetic, surface): (f64, f64),
        states_move: bool,
        b: &mut [f64],
    ) -> (f64, f64) {
        let n = self.reactions.unknowns.len() + 1;
        let count = self.nodes.len();
        let kept = &self.kept[k * n..(k + 1) * n];
        let mut z = [0.0; MOST + 1];
        z[0] = kinetic + kept[0][2] * surface;
        for row in 1..n {
            let moves = states_move || self.reactions.unknowns[row - 1].is_current();
            let known = b[self.start + (row - 1) * count + k] - kept[row][2] * surface;
            z[row] = if moves { known } else { 0.0 };
        }
        self.nodes[k].solve(n, &mut z);
        for row in 1..n {
            b[self.start + (row - 1) * count + k] = z[row];
        }
        (z[0], self.charge(&z))
    }

    /// Takes changes of psi, salt and the kinetic row's right-hand side into the solution of node `k`; gives the
    /// change of j.
    pub(super) fn substitute(&self, k: usize, potential: f64, salt: f64, kinetic: f64, b: &mut [f64]) -> f64 {
        let n = self.reactions.unknowns.len() + 1;
        let node = &self.nodes[k];
        let change = |row: usize| {
            kinetic * node.by_kinetics[row] - potential * node.by_potential[row] - salt * node.by_salt[row]
        };
        for row in 1..n {
            b[self.start + (row - 1) * self.nodes.len() + k] += change(row);
        }
        change(0)
    }
}
