//! One particle for a whole electrode, as in the single-particle models: the elimination of
//! [`ParticleBatch`] without its loops over particles.

use super::ParticleBatch;

impl ParticleBatch {
    /// Whether there is one particle only.
    pub(super) fn is_single(&self) -> bool {
        self.count == 1
    }

    /// As [`Self::residual`], for a constant diffusivity.
    pub(super) fn single_residual(&self, c: &[f64], rate: &[f64], diffusivity: f64, out: &mut [f64]) {
        let (n, band) = (self.mesh.len(), self.mesh.bandwidth);
        let scale = diffusivity * self.inverse_square;
        // Concentrations relative to the surface, as in the batch.
        let surface = c[n - 1];
        for i in 0..n {
            let (low, high) = (i.saturating_sub(band), (i + band).min(n - 2));
            let row = &self.mesh.stiffness[i * n + low..=i * n + high];
            let flux: f64 = row.iter().zip(&c[low..=high]).map(|(k, c)| k * (c - surface)).sum();
            out[i] = self.mesh.mass[i] * rate[i] + scale * flux;
        }
    }

    /// As [`Self::factor`], of the assembled matrix.
    pub(super) fn single_factor(&mut self) -> Result<(), usize> {
        let (n, band) = (self.mesh.len(), self.mesh.bandwidth);
        for k in 0..n {
            let (upper, lower) = self.factors.split_at_mut((k + 1) * n);
            let row = &mut upper[k * n..];
            let value = row[k];
            if !value.is_finite() || value.abs() < 1e-250 {
                return Err(0);
            }
            let reciprocal = 1.0 / value;
            row[k] = reciprocal;
            let end = (k + band).min(n - 1);
            let pivot = &row[k + 1..=end];
            for target in lower.chunks_exact_mut(n).take(end - k) {
                let multiplier = target[k] * reciprocal;
                target[k] = multiplier;
                for (t, p) in target[k + 1..=end].iter_mut().zip(pivot) {
                    *t -= multiplier * p;
                }
            }
        }
        Ok(())
    }

    /// As [`Self::solve`].
    pub(super) fn single_solve(&self, rhs: &mut [f64]) {
        let (n, band) = (self.mesh.len(), self.mesh.bandwidth);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        for i in 1..n {
            let low = i.saturating_sub(band);
            rhs[i] -= dot(&self.factors[i * n + low..i * n + i], &rhs[low..i]);
        }
        for i in (0..n).rev() {
            let row = &self.factors[i * n..(i + 1) * n];
            let end = (i + band).min(n - 1) + 1;
            rhs[i] = (rhs[i] - dot(&row[i + 1..end], &rhs[i + 1..end])) * row[i];
        }
    }
}
