//! Response of particles to a small harmonic flux, with the diffusivity linearised at every node.
//!
//! Only the surface is needed: inner nodes are eliminated element by element from the centre outwards, until one
//! complex number per particle is left.

use super::ParticleBatch;
use num_complex::Complex64;

/// The linearised diffusion of all particles of a batch.
#[derive(Debug, Clone)]
pub(crate) struct HarmonicParticles {
    /// Nodes of an element.
    size: usize,
    /// Matrices, [particle][element][row][column], 1/s.
    stiffness: Vec<f64>,
    /// Mass of the nodes that are eliminated in each element; then that of the surface.
    mass: Vec<f64>,
    elements: usize,
}

impl HarmonicParticles {
    /// Of particles whose diffusivity depends on concentration, as last linearised.
    pub(crate) fn new(batch: &ParticleBatch) -> Self {
        let (mesh, lanes) = (&batch.mesh, batch.count);
        let (size, elements) = (mesh.bandwidth + 1, mesh.elements.len());
        let mut stiffness = vec![0.0; lanes * elements * size * size];
        for (e, element) in mesh.elements.iter().enumerate() {
            for lane in 0..lanes {
                let target = &mut stiffness[(lane * elements + e) * size * size..][..size * size];
                for q in 0..size {
                    let position = (e * size + q) * lanes + lane;
                    let weight = element.flux_weights[q] * batch.inverse_square;
                    let (d, d_slope) = (batch.frozen[position], batch.frozen_slope[position]);
                    let row = &element.derivative[q * size..(q + 1) * size];
                    for i in 0..size {
                        let outer = weight * row[i];
                        for j in 0..size {
                            target[i * size + j] += outer * d * row[j];
                        }
                        target[i * size + q] += outer * d_slope;
                    }
                }
            }
        }
        Self { size, stiffness, mass: mesh.mass.clone(), elements }
    }

    /// Flux form of the surface over its concentration, for particle `lane` and concentrations that go as
    /// exp(s t), 1/s; `work` holds an element's matrix.
    pub(crate) fn surface(&self, s: Complex64, lane: usize, work: &mut Vec<Complex64>) -> Complex64 {
        let (n, matrix) = (self.size, self.size * self.size);
        let mut carried = Complex64::ZERO;
        for e in 0..self.elements {
            let element = &self.stiffness[(lane * self.elements + e) * matrix..][..matrix];
            work.clear();
            work.extend(element.iter().map(|v| Complex64::from(*v)));
            for (i, mass) in self.mass[e * (n - 1)..(e + 1) * (n - 1)].iter().enumerate() {
                work[i * n + i] += s * mass;
            }
            work[0] += carried;
            for k in 0..n - 1 {
                let (upper, lower) = work.split_at_mut((k + 1) * n);
                let source = &upper[k * n + k..];
                let reciprocal = source[0].inv();
                for row in lower.chunks_exact_mut(n) {
                    let factor = row[k] * reciprocal;
                    for (t, v) in row[k + 1..].iter_mut().zip(&source[1..]) {
                        *t -= factor * v;
                    }
                }
            }
            carried = work[matrix - 1];
        }
        carried + s * self.mass[self.mass.len() - 1]
    }
}
