//! Diffusion in all particles of an electrode at once. Arrays are ordered by radial node, then by node
//! through the thickness, so that the innermost loops run over the thickness with unit stride.

pub(crate) mod harmonic;
mod single;

use crate::mesh::ParticleMesh;
use std::sync::Arc;

/// Particles of one electrode.
#[derive(Debug, Clone)]
pub(crate) struct ParticleBatch {
    pub(crate) mesh: Arc<ParticleMesh>,
    /// Particles, one per node of the electrode.
    pub(crate) count: usize,
    /// 1/R^2, 1/m2.
    inverse_square: f64,
    /// LU factors, [row][column][lane]; one lane if all particles share their matrix, else one per particle.
    factors: Vec<f64>,
    lanes: usize,
    scratch: Vec<f64>,
    /// Linearised flux weights at each element node, [element node][particle]: D and D' dc/ds.
    frozen: Vec<f64>,
    frozen_slope: Vec<f64>,
    /// Diffusivity of the kept derivatives if it is the same everywhere.
    frozen_constant: f64,
    /// Whether the diffusivity depends on concentration.
    pub(crate) nonlinear: bool,
}

impl ParticleBatch {
    pub(crate) fn new(
        mesh: impl Into<Arc<ParticleMesh>>,
        count: usize,
        radius: f64,
        nonlinear: bool,
    ) -> Self {
        let mesh = mesh.into();
        let n = mesh.len();
        let lanes = if nonlinear { count } else { 1 };
        let element_nodes: usize = mesh.elements.iter().map(|e| e.size).sum();
        let frozen = if nonlinear { element_nodes * count } else { 0 };
        Self {
            count,
            inverse_square: 1.0 / (radius * radius),
            factors: vec![0.0; n * n * lanes],
            lanes,
            scratch: vec![0.0; count],
            frozen: vec![0.0; frozen],
            frozen_slope: vec![0.0; frozen],
            frozen_constant: 0.0,
            nonlinear,
            mesh,
        }
    }

    /// 1/R^2, 1/m2.
    pub(super) fn inverse_square(&self) -> f64 {
        self.inverse_square
    }

    pub(crate) fn len(&self) -> usize {
        self.mesh.len() * self.count
    }

    /// out = mass dc/dt + stiffness(D) c, without the surface flux; `diffusivity` holds one value, or one
    /// per node and particle.
    pub(crate) fn residual(&mut self, c: &[f64], rate: &[f64], diffusivity: &[f64], out: &mut [f64]) {
        if self.is_single() && !self.nonlinear {
            return self.single_residual(c, rate, diffusivity[0], out);
        }
        let (n, m) = (self.mesh.len(), self.count);
        for i in 0..n {
            let mass = self.mesh.mass[i];
            for k in 0..m {
                out[i * m + k] = mass * rate[i * m + k];
            }
        }
        if self.nonlinear {
            self.add_nonlinear_flux(c, diffusivity, out);
        } else {
            let scale = diffusivity[0] * self.inverse_square;
            let band = self.mesh.bandwidth;
            // Rows of the stiffness sum to zero: taking concentrations relative to the surface changes
            // nothing but the rounding, which would otherwise show in the lithium balance of slow
            // discharges.
            let surface = &c[(n - 1) * m..];
            for i in 0..n {
                let target = &mut out[i * m..(i + 1) * m];
                for j in i.saturating_sub(band)..=(i + band).min(n - 2) {
                    let entry = scale * self.mesh.stiffness[i * n + j];
                    for ((t, v), s) in target.iter_mut().zip(&c[j * m..(j + 1) * m]).zip(surface) {
                        *t += entry * (v - s);
                    }
                }
            }
        }
    }

    fn add_nonlinear_flux(&mut self, c: &[f64], diffusivity: &[f64], out: &mut [f64]) {
        let m = self.count;
        for element in &self.mesh.elements {
            let size = element.size;
            for q in 0..size {
                let node = element.start + q;
                let row = &element.derivative[q * size..(q + 1) * size];
                self.scratch.fill(0.0);
                for (j, entry) in row.iter().enumerate() {
                    let values = &c[(element.start + j) * m..(element.start + j + 1) * m];
                    for (s, v) in self.scratch.iter_mut().zip(values) {
                        *s += entry * v;
                    }
                }
                let weight = element.flux_weights[q] * self.inverse_square;
                for (s, d) in self.scratch.iter_mut().zip(&diffusivity[node * m..(node + 1) * m]) {
                    *s *= weight * d;
                }
                for (i, entry) in row.iter().enumerate() {
                    let target = &mut out[(element.start + i) * m..(element.start + i + 1) * m];
                    for (t, s) in target.iter_mut().zip(&self.scratch) {
                        *t += entry * s;
                    }
                }
            }
        }
    }

    /// Dissipation sum_q (4 s w)_q D_q U'_q (dc/ds)_q^2 / R^2 of one particle, where `slope` holds U' at
    /// node and particle.
    pub(crate) fn dissipation(&self, c: &[f64], diffusivity: &[f64], slope: &[f64], particle: usize) -> f64 {
        let m = self.count;
        let mut sum = 0.0;
        for element in &self.mesh.elements {
            let size = element.size;
            for q in 0..size {
                let node = element.start + q;
                let gradient: f64 = (0..size)
                    .map(|j| element.derivative[q * size + j] * c[(element.start + j) * m + particle])
                    .sum();
                let d = if self.nonlinear { diffusivity[node * m + particle] } else { diffusivity[0] };
                sum += element.flux_weights[q] * d * slope[node * m + particle] * gradient * gradient;
            }
        }
        sum * self.inverse_square
    }

    /// Keeps the diffusivity and its derivative with respect to c at `c` for later factors.
    pub(crate) fn linearize(&mut self, c: &[f64], diffusivity: &[f64], diffusivity_slope: &[f64]) {
        if !self.nonlinear {
            self.frozen_constant = diffusivity[0];
            return;
        }
        let m = self.count;
        let mut position = 0;
        for element in &self.mesh.elements {
            let size = element.size;
            for q in 0..size {
                let node = element.start + q;
                for k in 0..m {
                    let gradient: f64 = (0..size)
                        .map(|j| element.derivative[q * size + j] * c[(element.start + j) * m + k])
                        .sum();
                    self.frozen[position * m + k] = diffusivity[node * m + k];
                    self.frozen_slope[position * m + k] = diffusivity_slope[node * m + k] * gradient;
                }
                position += 1;
            }
        }
    }

    /// Matrix leading mass + d(stiffness(D(c)) c)/dc, [row][column][lane].
    fn assemble(&mut self, leading: f64) {
        let (n, lanes) = (self.mesh.len(), self.lanes);
        if self.nonlinear {
            self.factors.fill(0.0);
            let mut position = 0;
            for element in &self.mesh.elements {
                let size = element.size;
                for q in 0..size {
                    let weight = element.flux_weights[q] * self.inverse_square;
                    let d = &self.frozen[position * lanes..(position + 1) * lanes];
                    let d_slope = &self.frozen_slope[position * lanes..(position + 1) * lanes];
                    for i in 0..size {
                        let outer = weight * element.derivative[q * size + i];
                        for j in 0..size {
                            let inner = element.derivative[q * size + j];
                            let own = if q == j { 1.0 } else { 0.0 };
                            let base = ((element.start + i) * n + element.start + j) * lanes;
                            let target = &mut self.factors[base..base + lanes];
                            for k in 0..lanes {
                                target[k] += outer * (d[k] * inner + d_slope[k] * own);
                            }
                        }
                    }
                    position += 1;
                }
            }
        } else {
            let scale = self.frozen_constant * self.inverse_square;
            for (f, s) in self.factors.iter_mut().zip(&self.mesh.stiffness) {
                *f = scale * s;
            }
        }
        for i in 0..n {
            let base = (i * n + i) * lanes;
            for f in &mut self.factors[base..base + lanes] {
                *f += leading * self.mesh.mass[i];
            }
        }
    }

    /// Factors the matrices without pivoting: they are a positive diagonal plus a (nearly) positive
    /// semidefinite matrix. Gives the particle whose pivot is not usable, if any.
    pub(crate) fn factor(&mut self, leading: f64) -> Result<(), usize> {
        self.assemble(leading);
        if self.is_single() {
            return self.single_factor();
        }
        let (n, lanes, band) = (self.mesh.len(), self.lanes, self.mesh.bandwidth);
        for k in 0..n {
            let pivot = (k * n + k) * lanes;
            for lane in 0..lanes {
                let value = self.factors[pivot + lane];
                if !value.is_finite() || value.abs() < 1e-250 {
                    return Err(lane);
                }
                self.factors[pivot + lane] = 1.0 / value;
            }
            let end = (k + band).min(n - 1);
            for i in k + 1..=end {
                let (upper, lower) = self.factors.split_at_mut(i * n * lanes);
                let reciprocal = &upper[pivot..pivot + lanes];
                let multiplier = k * lanes;
                for lane in 0..lanes {
                    lower[multiplier + lane] *= reciprocal[lane];
                }
                for j in k + 1..=end {
                    for lane in 0..lanes {
                        lower[j * lanes + lane] -=
                            lower[multiplier + lane] * upper[(k * n + j) * lanes + lane];
                    }
                }
            }
        }
        Ok(())
    }

    /// Solves in place for all particles; `rhs` is ordered by radial node, then particle.
    pub(crate) fn solve(&self, rhs: &mut [f64]) {
        if self.is_single() {
            return self.single_solve(rhs);
        }
        let (n, m, band) = (self.mesh.len(), self.count, self.mesh.bandwidth);
        for i in 1..n {
            let (before, target) = rhs.split_at_mut(i * m);
            for j in i.saturating_sub(band)..i {
                self.subtract(i, j, &before[j * m..(j + 1) * m], &mut target[..m]);
            }
        }
        for i in (0..n).rev() {
            let (head, after) = rhs.split_at_mut((i + 1) * m);
            let target = &mut head[i * m..];
            for j in i + 1..=(i + band).min(n - 1) {
                self.subtract(i, j, &after[(j - i - 1) * m..(j - i) * m], target);
            }
            let base = (i * n + i) * self.lanes;
            if self.lanes == 1 {
                let reciprocal = self.factors[base];
                for t in target {
                    *t *= reciprocal;
                }
            } else {
                for (t, f) in target.iter_mut().zip(&self.factors[base..base + m]) {
                    *t *= f;
                }
            }
        }
    }

    /// Solution for a right-hand side that is `value` at every surface and 0 inside.
    pub(crate) fn respond(&self, value: f64, out: &mut [f64]) {
        let (n, m, band) = (self.mesh.len(), self.count, self.mesh.bandwidth);
        if self.lanes > 1 {
            out.fill(0.0);
            out[(n - 1) * m..].fill(value);
            return self.solve(out);
        }
        // All particles share their matrix, and forward elimination leaves such a right-hand side as it is.
        for i in (0..n).rev() {
            let row = &self.factors[i * n..(i + 1) * n];
            let own = if i + 1 == n { value } else { 0.0 };
            let known: f64 = (i + 1..=(i + band).min(n - 1)).map(|j| row[j] * out[j * m]).sum();
            out[i * m..(i + 1) * m].fill((own - known) * row[i]);
        }
    }

    /// Solves in place with the transposed matrices, for all particles.
    pub(crate) fn solve_transposed(&self, rhs: &mut [f64]) {
        let (n, m, band) = (self.mesh.len(), self.count, self.mesh.bandwidth);
        for i in 0..n {
            let (head, after) = rhs.split_at_mut((i + 1) * m);
            let source = &mut head[i * m..];
            let base = (i * n + i) * self.lanes;
            for (k, value) in source.iter_mut().enumerate() {
                *value *= self.factors[base + if self.lanes == 1 { 0 } else { k }];
            }
            for j in i + 1..=(i + band).min(n - 1) {
                self.subtract(i, j, source, &mut after[(j - i - 1) * m..(j - i) * m]);
            }
        }
        for i in (1..n).rev() {
            let (before, source) = rhs.split_at_mut(i * m);
            for j in i.saturating_sub(band)..i {
                self.subtract(i, j, &source[..m], &mut before[j * m..(j + 1) * m]);
            }
        }
    }

    fn subtract(&self, i: usize, j: usize, source: &[f64], target: &mut [f64]) {
        let base = (i * self.mesh.len() + j) * self.lanes;
        if self.lanes == 1 {
            let factor = self.factors[base];
            for (t, s) in target.iter_mut().zip(source) {
                *t -= factor * s;
            }
        } else {
            let factors = &self.factors[base..base + self.count];
            for ((t, s), f) in target.iter_mut().zip(source).zip(factors) {
                *t -= f * s;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ParticleBatch;
    use crate::mesh::{ParticleMesh, ParticleMeshOptions};
    use crate::single_particle::SphereSeries;

    /// Dense matrix exponential by scaling and squaring of the Taylor series.
    fn exponential(a: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let n = a.len();
        let multiply = |x: &[Vec<f64>], y: &[Vec<f64>]| {
            let mut z = vec![vec![0.0; n]; n];
            for i in 0..n {
                for k in 0..n {
                    for j in 0..n {
                        z[i][j] += x[i][k] * y[k][j];
                    }
                }
            }
            z
        };
        let size = a.iter().map(|r| r.iter().map(|v| v.abs()).sum::<f64>()).fold(0.0, f64::max);
        let squarings = (size.log2().ceil() as i32 + 3).max(0);
        let scaled: Vec<Vec<f64>> =
            a.iter().map(|r| r.iter().map(|v| v * 0.5_f64.powi(squarings)).collect()).collect();
        let mut sum: Vec<Vec<f64>> =
            (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
        let mut term = sum.clone();
        for k in 1..20 {
            term = multiply(&term, &scaled);
            term.iter_mut().flatten().for_each(|v| *v /= f64::from(k));
            for i in 0..n {
                for j in 0..n {
                    sum[i][j] += term[i][j];
                }
            }
        }
        for _ in 0..squarings {
            sum = multiply(&sum, &sum);
        }
        sum
    }

    /// (c0 - c_surface) D/(J R) at tau of the semi-discrete particle, exact in time.
    fn semi_discrete(options: ParticleMeshOptions, tau: f64) -> f64 {
        let mesh = ParticleMesh::new(options);
        let n = mesh.len();
        // Augmented with a constant: d/dt (c, 1) = ((-M^-1 K, -M^-1 e), (0, 0)) (c, 1), for unit flux,
        // radius and diffusivity.
        let mut a = vec![vec![0.0; n + 1]; n + 1];
        for i in 0..n {
            for j in 0..n {
                a[i][j] = -tau * mesh.stiffness[i * n + j] / mesh.mass[i];
            }
        }
        a[n - 1][n] = -tau / mesh.mass[n - 1];
        -exponential(&a)[n - 1][n]
    }

    #[test]
    fn sphere_spectral_accuracy() {
        let exact =
            [(1e-4, 0.011384548954), (1e-3, 0.036706780329), (1e-2, 0.123643354199), (0.05, 0.312165429054)];
        for (tau, value) in exact {
            let order = if tau < 5e-4 { 40 } else { 24 };
            let found = semi_discrete(ParticleMeshOptions::even(1, order), tau);
            assert!((found - value).abs() < 1e-9, "tau {tau}: {found} against {value}");
        }
        // The default particle mesh at the time scale of a discharge.
        let found = semi_discrete(crate::mesh::MeshOptions::default().negative.particle, 0.05);
        assert!((found - 0.312165429054).abs() < 1e-7, "{found}");
    }

    #[test]
    fn sphere_order_of_convergence() {
        let exact = SphereSeries::default().surface_deviation(0.05);
        let error =
            |elements, order| (semi_discrete(ParticleMeshOptions::even(elements, order), 0.05) - exact).abs();
        let ratio = error(16, 1) / error(32, 1);
        assert!((ratio - 4.0).abs() < 0.4, "{ratio}");
        let ratio = error(4, 2) / error(8, 2);
        assert!(ratio > 10.0, "{ratio}");
    }

    #[test]
    fn particle_meshes_are_conservative() {
        for options in [(1, 1), (1, 11), (7, 1), (3, 4), (20, 2)] {
            let mesh = ParticleMesh::new(ParticleMeshOptions::even(options.0, options.1));
            let n = mesh.len();
            assert!((mesh.mass.iter().sum::<f64>() - 1.0 / 3.0).abs() < 1e-15 * 30.0);
            assert!(mesh.mass.iter().all(|m| *m > 0.0));
            for j in 0..n {
                let column: f64 = (0..n).map(|i| mesh.stiffness[i * n + j]).sum();
                let size: f64 = (0..n).map(|i| mesh.stiffness[i * n + j].abs()).sum();
                assert!(column.abs() < 1e-13 * size);
            }
        }
    }

    /// The batched elimination against the residual it inverts.
    #[test]
    fn batch_solve_inverts_the_linearised_residual() {
        for (nonlinear, count) in [(false, 3), (true, 3), (false, 1), (true, 1)] {
            let mesh = ParticleMesh::new(ParticleMeshOptions::even(3, 2));
            let n = mesh.len() * count;
            let mut batch = ParticleBatch::new(mesh, count, 2.0, nonlinear);
            let d = |c: f64| if nonlinear { 0.5 + c * c } else { 0.7 };
            let c: Vec<f64> = (0..n).map(|i| 1.0 + 0.3 * (i as f64).sin()).collect();
            let value: Vec<f64> = c.iter().map(|c| d(*c)).collect();
            let slope: Vec<f64> = c.iter().map(|c| if nonlinear { 2.0 * c } else { 0.0 }).collect();
            let leading = 0.8;
            batch.linearize(&c, &value, &slope);
            batch.factor(leading).unwrap();
            let direction: Vec<f64> = (0..n).map(|i| (1.3 * i as f64).cos()).collect();
            let side = |batch: &mut ParticleBatch, h: f64| {
                let moved: Vec<f64> = c.iter().zip(&direction).map(|(c, v)| c + h * v).collect();
                let rate: Vec<f64> = direction.iter().map(|v| leading * h * v).collect();
                let value: Vec<f64> = moved.iter().map(|c| d(*c)).collect();
                let mut out = vec![0.0; n];
                batch.residual(&moved, &rate, &value, &mut out);
                out
            };
            let (plus, minus) = (side(&mut batch, 1e-5), side(&mut batch, -1e-5));
            let mut rhs: Vec<f64> = plus.iter().zip(&minus).map(|(a, b)| (a - b) / 2e-5).collect();
            batch.solve(&mut rhs);
            for (found, wanted) in rhs.iter().zip(&direction) {
                assert!((found - wanted).abs() < 1e-7, "{found} {wanted}");
            }
        }
    }
}
