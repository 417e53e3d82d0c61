//! The state of a cell on another mesh.

use super::CellModel;
use crate::mesh::{LineMesh, ParticleMesh};
use crate::solver::quadrature::lagrange;

/// First of some values, and their shares.
type Shares = (usize, Vec<f64>);

impl CellModel {
    /// Unknowns `y` of `other`, the same cell on another mesh, at the nodes of this one: by the polynomials of the
    /// elements of `other`.
    pub(crate) fn state_from(&self, other: &CellModel, y: &[f64]) -> Vec<f64> {
        let (l, from) = (self.layout, other.layout);
        let mut out = vec![0.0; l.dimension];
        let line = line_shares(&other.line, &self.line);
        for (i, shares) in line.iter().enumerate() {
            out[l.salt + i] = apply(shares, &y[from.salt..]);
            if l.ionic < l.solid && from.ionic < from.solid && self.averaged.is_none() {
                out[l.ionic + i] = apply(shares, &y[from.ionic..]);
            }
        }
        let one = vec![(0, vec![1.0])];
        for (own, its) in self.electrodes.iter().zip(&other.electrodes) {
            let single = self.averaged.is_some();
            let nodes: Vec<Shares> = if single {
                one.clone()
            } else {
                let own_nodes = &line[own.first..own.first + own.count];
                own_nodes.iter().map(|(start, w)| (start - its.first, w.clone())).collect()
            };
            for (k, shares) in nodes.iter().enumerate() {
                out[l.solid + own.offset + k] = apply(shares, &y[from.solid + its.offset..]);
            }
            for (family, old) in own.families.iter().zip(&its.families) {
                let radial = particle_shares(&old.particles.mesh, &family.particles.mesh);
                for (k, shares) in nodes.iter().enumerate() {
                    out[family.flux + k] = apply(shares, &y[old.flux..]);
                    for (i, (start, weights)) in radial.iter().enumerate() {
                        let at = |row: usize| apply(shares, &y[old.base + row * old.count()..]);
                        out[family.base + i * family.count() + k] =
                            weights.iter().enumerate().map(|(r, w)| w * at(start + r)).sum();
                    }
                }
            }
        }
        for (own, its) in
            [(l.current, from.current), (l.voltage, from.voltage), (l.temperature, from.temperature)]
        {
            out[own] = y[its];
        }
        out
    }
}

fn apply((start, weights): &Shares, values: &[f64]) -> f64 {
    weights.iter().zip(&values[*start..]).map(|(w, v)| w * v).sum()
}

/// Shares of the polynomial through `nodes`, the first of which is number `start`, at `x`.
fn shares(start: usize, nodes: &[f64], x: f64) -> Shares {
    // A node is its own value, without rounding.
    if let Some(i) = nodes.iter().position(|node| *node == x) {
        return (start + i, vec![1.0]);
    }
    (start, (0..nodes.len()).map(|j| lagrange(nodes, j, x)).collect())
}

/// Shares of the nodes of `from` in each node of `to`, which has the same layers.
fn line_shares(from: &LineMesh, to: &LineMesh) -> Vec<Shares> {
    let mut out: Vec<Shares> = vec![(0, Vec::new()); to.len()];
    for element in &to.elements {
        for i in element.start..=element.start + to.order {
            let x = to.nodes[i];
            let mut of_layer = from.elements.iter().filter(|e| e.layer == element.layer);
            let first = of_layer.next();
            let found = of_layer.take_while(|e| from.nodes[e.start] <= x).last().or(first);
            if let Some(found) = found {
                out[i] = shares(found.start, &from.nodes[found.start..=found.start + from.order], x);
            }
        }
    }
    out
}

/// The same along the radius.
fn particle_shares(from: &ParticleMesh, to: &ParticleMesh) -> Vec<Shares> {
    let mut out: Vec<Shares> = vec![(0, Vec::new()); to.len()];
    let last = from.elements.len() - 1;
    for element in &to.elements {
        for (i, s) in element.nodes.iter().enumerate() {
            let found = from.elements.iter().position(|e| e.nodes[e.size - 1] >= *s).unwrap_or(last);
            let source = &from.elements[found];
            out[element.start + i] = shares(source.start, &source.nodes, *s);
        }
    }
    out
}
