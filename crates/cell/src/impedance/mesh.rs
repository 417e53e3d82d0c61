//! Meshes that resolve a harmonic current.
//!
//! At high frequency the current keeps to thin layers at the separator and at the collectors, the salt to thinner
//! ones at the separator, and the lithium to the surfaces of the particles. The elements of the run are kept, and
//! the outermost ones of each layer divided in geometric progression until the smallest is as thin as that.

use crate::mesh::{LineMesh, ParticleMeshOptions};
use crate::model::harmonic::Lengths;
use crate::options::ModelKind;

/// Width of an element over that of its neighbour.
const RATIO: f64 = 0.25;
/// Most divisions of an element.
const MOST: usize = 12;

/// Accuracy of a mesh.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolution {
    /// Degree of the elements through the thickness.
    pub(super) order: usize,
    /// Degree of the elements along the radius.
    pub(super) radial_order: usize,
    /// Widths of the outermost elements over the lengths of reaction and salt, and of the particles' over theirs.
    pub(super) widths: [f64; 3],
}

/// How often the first and the last element of each layer are divided, and the elements along the radius.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Divisions {
    thickness: [[usize; 2]; 3],
    radius: usize,
}

impl Divisions {
    pub(super) fn new(line: &LineMesh, model: ModelKind, lengths: &Lengths, resolution: &Resolution) -> Self {
        let [by_reaction, by_salt, by_particle] = resolution.widths;
        let mut thickness = [[0; 2]; 3];
        for (layer, divisions) in thickness.iter_mut().enumerate() {
            let edges = edges(line, layer);
            if edges.len() < 2 {
                continue;
            }
            // Beside a sheet all of the salt's flux comes out of one place.
            let beside_sheet = layer == 1 && edges[0] <= 0.0;
            let salt = lengths.salt[layer] * if beside_sheet { 1.0 } else { by_salt };
            let reaction =
                if model == ModelKind::Dfn { by_reaction * lengths.reaction[layer] } else { f64::INFINITY };
            let inner = salt.min(reaction);
            // The separator has two faces, the electrodes one face and one collector.
            let wanted = [[reaction, inner], [inner, inner], [inner, reaction]][layer];
            let widths = [edges[1] - edges[0], edges[edges.len() - 1] - edges[edges.len() - 2]];
            for (count, (width, wanted)) in divisions.iter_mut().zip(widths.into_iter().zip(wanted)) {
                *count = steps(width, wanted);
            }
        }
        // Elements of particles get thinner by 0.2; where they respond exactly, only the surface counts.
        let radius = match lengths.particles {
            length if length.is_infinite() => 0,
            length => 3 + steps_by(0.2, 0.04, by_particle * length),
        };
        Self { thickness, radius }
    }

    pub(super) fn line(&self, run: &LineMesh, order: usize) -> LineMesh {
        let mut layers = [Vec::new(), Vec::new(), Vec::new()];
        for (layer, out) in layers.iter_mut().enumerate() {
            let edges = edges(run, layer);
            if edges.len() < 2 {
                continue;
            }
            let [at_start, at_end] = self.thickness[layer];
            let last = edges.len() - 1;
            let mut all = edges.clone();
            // A single element is divided from both ends: each takes its half.
            let half = if last == 1 && at_start > 0 && at_end > 0 { 0.5 } else { 1.0 };
            if half < 1.0 {
                all.push(0.5 * (edges[0] + edges[1]));
            }
            let (first_width, last_width) =
                (half * (edges[1] - edges[0]), half * (edges[last] - edges[last - 1]));
            all.extend((1..=at_start).map(|k| edges[0] + first_width * RATIO.powi(k as i32)));
            all.extend((1..=at_end).map(|k| edges[last] - last_width * RATIO.powi(k as i32)));
            all.sort_by(f64::total_cmp);
            *out = all;
        }
        LineMesh::between(order, &layers)
    }

    pub(super) fn particles(&self, order: usize) -> ParticleMeshOptions {
        if self.radius == 0 {
            ParticleMeshOptions::even(1, 1)
        } else {
            ParticleMeshOptions::graded(self.radius, order)
        }
    }
}

/// Ends of the elements of a layer.
fn edges(line: &LineMesh, layer: usize) -> Vec<f64> {
    let mut edges: Vec<f64> = Vec::new();
    for element in line.elements.iter().filter(|e| e.layer == layer) {
        if edges.is_empty() {
            edges.push(line.nodes[element.start]);
        }
        edges.push(line.nodes[element.start + line.order]);
    }
    edges
}

fn steps(width: f64, wanted: f64) -> usize {
    steps_by(RATIO, width, wanted)
}

/// Divisions by `ratio` that bring `width` down to `wanted`.
fn steps_by(ratio: f64, width: f64, wanted: f64) -> usize {
    if wanted >= width {
        return 0;
    }
    (((wanted / width).ln() / ratio.ln()).ceil() as usize).min(MOST)
}
