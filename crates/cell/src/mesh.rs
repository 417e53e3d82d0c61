//! Meshes: Gauss-Lobatto elements through the thickness of the cell, Gauss-Radau elements in s = (r/R)^2
//! inside a particle.
//!
//! Both schemes are Galerkin schemes with the quadrature on the nodes: mass matrices are diagonal, columns
//! of the discrete divergence sum to zero (nothing is lost between nodes), and nodes lie on the collectors,
//! the separator's faces and the particle's surface, so that no terminal value is extrapolated.

use crate::error::CellError;
use crate::solver::quadrature::{
    differentiation_matrix, gauss_legendre, gauss_lobatto, gauss_radau_root, lagrange,
};
use crate::store::Store;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    static PARTICLE_MESHES: RefCell<Store<ParticleMeshOptions, ParticleMesh>> = const { RefCell::new(Store::new()) };
    static LINE_RULES: RefCell<Store<usize, LineRule>> = const { RefCell::new(Store::new()) };
}

/// Widths of a particle's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grading {
    /// Equal widths in r.
    #[default]
    Even,
    /// Each element is 0.2 times as wide as the one before: what happens in the first seconds after a change
    /// of current happens in a thin layer at the surface.
    Surface,
}

/// Elements of the particles of one electrode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticleMeshOptions {
    /// Elements along the radius.
    pub elements: usize,
    /// Polynomial degree in r^2 of each element; 1 with many elements is a finite-volume scheme.
    pub order: usize,
    /// Their widths.
    #[serde(default)]
    pub grading: Grading,
}

impl ParticleMeshOptions {
    /// Elements of equal widths.
    pub fn even(elements: usize, order: usize) -> Self {
        Self { elements, order, grading: Grading::Even }
    }

    /// Elements that get thinner towards the surface.
    pub fn graded(elements: usize, order: usize) -> Self {
        Self { elements, order, grading: Grading::Surface }
    }
}

/// Elements of one electrode and of its particles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElectrodeMeshOptions {
    /// Elements through the thickness (equal widths).
    pub elements: usize,
    /// Elements of the particles.
    pub particle: ParticleMeshOptions,
}

/// The mesh of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshOptions {
    /// Polynomial degree of the elements through the thickness: 1 is the vertex-centred finite-volume
    /// scheme of second order.
    pub order: usize,
    /// Negative electrode.
    pub negative: ElectrodeMeshOptions,
    /// Elements of the separator.
    pub separator_elements: usize,
    /// Positive electrode.
    pub positive: ElectrodeMeshOptions,
}

impl Default for MeshOptions {
    fn default() -> Self {
        let electrode = ElectrodeMeshOptions { elements: 3, particle: ParticleMeshOptions::graded(3, 5) };
        Self { order: 4, negative: electrode, separator_elements: 1, positive: electrode }
    }
}

impl MeshOptions {
    /// Second-order finite volumes with `nx` cells in each layer and `nr` along each particle radius.
    pub fn finite_volumes(nx: usize, nr: usize) -> Self {
        let electrode = ElectrodeMeshOptions { elements: nx, particle: ParticleMeshOptions::even(nr, 1) };
        Self { order: 1, negative: electrode, separator_elements: nx, positive: electrode }
    }

    /// The mesh with the electrodes exchanged.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        Self { negative: self.positive, positive: self.negative, ..*self }
    }

    pub(crate) fn validate(&self) -> Result<(), CellError> {
        let check = |option: &'static str, value: usize, high: usize, requirement: &'static str| {
            if value == 0 || value > high {
                return Err(CellError::Option { option, value: value as f64, requirement });
            }
            Ok(())
        };
        check("mesh order", self.order, 12, "must be 1 to 12")?;
        let elements = "must be 1 to 1000";
        check("separator elements", self.separator_elements, 1000, elements)?;
        let thickness =
            (self.negative.elements + self.separator_elements + self.positive.elements) * self.order;
        check("nodes through the thickness", thickness, 3000, "must be at most 3000")?;
        for electrode in [&self.negative, &self.positive] {
            check("electrode elements", electrode.elements, 1000, elements)?;
            check("particle elements", electrode.particle.elements, 500, "must be 1 to 500")?;
            check("particle order", electrode.particle.order, 40, "must be 1 to 40")?;
            let radial = electrode.particle.elements * electrode.particle.order;
            check("nodes along the particle radius", radial, 500, "must be at most 500")?;
            let matrices = radial * radial * (electrode.elements * self.order + 1);
            check("entries of all particle matrices", matrices, 50_000_000, "must be at most 5e7")?;
        }
        Ok(())
    }
}

/// One element of the thickness.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element {
    /// First of its order + 1 nodes.
    pub(crate) start: usize,
    /// 2 / width, 1/m.
    pub(crate) scale: f64,
    /// 0 negative electrode, 1 separator, 2 positive electrode.
    pub(crate) layer: usize,
}

/// Lobatto points and weights on [-1, 1] and the derivative matrix there.
struct LineRule {
    points: Vec<f64>,
    weights: Vec<f64>,
    derivative: Vec<f64>,
}

impl LineRule {
    fn new(p: usize) -> Self {
        let (points, weights) = gauss_lobatto(p);
        Self { derivative: differentiation_matrix(&points), points, weights }
    }
}

/// The mesh through the thickness.
#[derive(Debug, Clone)]
pub(crate) struct LineMesh {
    pub(crate) order: usize,
    /// Lobatto weights on [-1, 1].
    pub(crate) weights: Vec<f64>,
    /// Row-major derivative matrix on [-1, 1].
    pub(crate) derivative: Vec<f64>,
    pub(crate) elements: Vec<Element>,
    /// Coordinates of the nodes from the negative collector, m.
    pub(crate) nodes: Vec<f64>,
    /// Quadrature weight of each node in each layer, m.
    pub(crate) layer_weights: [Vec<f64>; 3],
}

impl LineMesh {
    /// No nodes at all.
    pub(crate) fn empty() -> Self {
        Self {
            order: 1,
            weights: Vec::new(),
            derivative: Vec::new(),
            elements: Vec::new(),
            nodes: Vec::new(),
            layer_weights: [Vec::new(), Vec::new(), Vec::new()],
        }
    }

    /// `counts` elements of polynomial degree `p` in layers of given `thickness`; a layer may be absent.
    pub(crate) fn new(p: usize, counts: [usize; 3], thickness: [f64; 3]) -> Self {
        let left = [0.0, thickness[0], thickness[0] + thickness[1]];
        let width = |layer: usize| thickness[layer] / counts[layer].max(1) as f64;
        Self::build(
            p,
            counts,
            |layer, _| width(layer),
            |layer, e, point| left[layer] + width(layer) * (e as f64 + 0.5 * (1.0 + point)),
        )
    }

    /// Elements of polynomial degree `p` between the ends `edges` in each layer, m from the negative collector; no
    /// ends where a layer is absent.
    pub(crate) fn between(p: usize, edges: &[Vec<f64>; 3]) -> Self {
        Self::build(
            p,
            [0, 1, 2].map(|layer| edges[layer].len().saturating_sub(1)),
            |layer, e| edges[layer][e + 1] - edges[layer][e],
            |layer, e, point| {
                let (low, high) = (edges[layer][e], edges[layer][e + 1]);
                0.5 * (low * (1.0 - point) + high * (1.0 + point))
            },
        )
    }

    fn build(
        p: usize,
        counts: [usize; 3],
        width: impl Fn(usize, usize) -> f64,
        position: impl Fn(usize, usize, f64) -> f64,
    ) -> Self {
        let rule = LINE_RULES.with_borrow_mut(|store| store.get(p, || LineRule::new(p)));
        let LineRule { points, weights, derivative } = &*rule;
        let total: usize = counts.iter().sum::<usize>() * p + 1;
        let mut nodes = vec![0.0; total];
        let mut layer_weights = [vec![0.0; total], vec![0.0; total], vec![0.0; total]];
        let mut elements = Vec::new();
        for layer in 0..3 {
            for e in 0..counts[layer] {
                let (start, width) = (elements.len() * p, width(layer, e));
                for (i, point) in points.iter().enumerate() {
                    nodes[start + i] = position(layer, e, *point);
                    layer_weights[layer][start + i] += 0.5 * width * weights[i];
                }
                elements.push(Element { start, scale: 2.0 / width, layer });
            }
        }
        Self {
            order: p,
            derivative: derivative.clone(),
            weights: weights.clone(),
            elements,
            nodes,
            layer_weights,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }
}

/// One element of a particle.
#[derive(Debug, Clone)]
pub(crate) struct ParticleElement {
    pub(crate) start: usize,
    pub(crate) size: usize,
    /// s at its nodes.
    pub(crate) nodes: Vec<f64>,
    /// Row-major d l_j / ds at its nodes.
    pub(crate) derivative: Vec<f64>,
    /// 4 s w at its nodes: the flux form is sum_q (4 s w)_q D_q (dc/ds)_q (dl_i/ds)_q.
    pub(crate) flux_weights: Vec<f64>,
}

/// The mesh of a particle of unit radius; the last node is the surface.
#[derive(Debug, Clone)]
pub(crate) struct ParticleMesh {
    pub(crate) elements: Vec<ParticleElement>,
    /// Volume weights: integral of r^2 dr of the basis functions; their sum is 1/3.
    pub(crate) mass: Vec<f64>,
    /// Row-major stiffness for unit diffusivity and radius.
    pub(crate) stiffness: Vec<f64>,
    /// Largest distance of coupled nodes.
    pub(crate) bandwidth: usize,
}

impl ParticleMesh {
    /// The mesh with `options`, built once in each thread: it is the same for all cells, and its quadrature takes
    /// longer than the rest of setting up a cell.
    pub(crate) fn shared(options: ParticleMeshOptions) -> Arc<Self> {
        PARTICLE_MESHES.with_borrow_mut(|store| store.get(options, || Self::new(options)))
    }

    pub(crate) fn new(options: ParticleMeshOptions) -> Self {
        let p = options.order;
        let count = options.elements;
        let total = p + 1 + (count - 1) * p;
        let mut mass = vec![0.0; total];
        let ratio = match options.grading {
            Grading::Even => 1.0,
            Grading::Surface => SURFACE_RATIO,
        };
        let edges = edges(count, ratio);
        let mut elements = Vec::with_capacity(count);
        for e in 0..count {
            let (r0, r1) = (edges[e], edges[e + 1]);
            let start = if e == 0 { 0 } else { e * p };
            let nodes: Vec<f64> = if e == 0 {
                gauss_radau_root(p + 1).into_iter().map(|s| s * r1 * r1).collect()
            } else {
                let (low, high) = (r0 * r0, r1 * r1);
                gauss_lobatto(p).0.into_iter().map(|t| low + 0.5 * (1.0 + t) * (high - low)).collect()
            };
            let weights = radial_weights(&nodes, r0, r1);
            let flux_weights = nodes.iter().zip(&weights).map(|(s, w)| 4.0 * s * w).collect();
            for (total, weight) in mass[start..].iter_mut().zip(&weights) {
                *total += weight;
            }
            elements.push(ParticleElement {
                start,
                size: p + 1,
                derivative: differentiation_matrix(&nodes),
                flux_weights,
                nodes,
            });
        }
        let mut stiffness = vec![0.0; total * total];
        for element in &elements {
            let n = element.size;
            for i in 0..n {
                for j in 0..n {
                    let sum: f64 = (0..n)
                        .map(|q| {
                            element.flux_weights[q]
                                * element.derivative[q * n + i]
                                * element.derivative[q * n + j]
                        })
                        .sum();
                    stiffness[(element.start + i) * total + element.start + j] += sum;
                }
            }
        }
        Self { elements, mass, stiffness, bandwidth: p }
    }

    pub(crate) fn len(&self) -> usize {
        self.mass.len()
    }
}

/// Width of an element over that of the one before it, towards the surface.
const SURFACE_RATIO: f64 = 0.2;

/// Ends of `count` elements of [0, 1] whose widths fall by `ratio`.
fn edges(count: usize, ratio: f64) -> Vec<f64> {
    let widths: Vec<f64> = (0..count).map(|e| ratio.powi(e as i32)).collect();
    let total: f64 = widths.iter().sum();
    let mut sum = 0.0;
    let mut edges = vec![0.0];
    for width in &widths {
        sum += width;
        edges.push(sum / total);
    }
    edges[count] = 1.0;
    edges
}

/// Integrals of r^2 l_i(r^2) over [r0, r1], exact by Gauss-Legendre quadrature in r.
fn radial_weights(nodes: &[f64], r0: f64, r1: f64) -> Vec<f64> {
    let (points, weights) = gauss_legendre(nodes.len() + 2);
    (0..nodes.len())
        .map(|i| {
            points
                .iter()
                .zip(&weights)
                .map(|(t, w)| {
                    let r = 0.5 * (r0 + r1) + 0.5 * (r1 - r0) * t;
                    0.5 * (r1 - r0) * w * r * r * lagrange(nodes, i, r * r)
                })
                .sum()
        })
        .collect()
}
