//! Heat and the integrals that audit a run.

use super::residual::{MAX_NODES, gradient};
use super::{Dfn, integral};
use crate::FARADAY;

impl Dfn {
    /// Total heat per area, W/m2: -I V - sum a j (U - T dU/dT).
    ///
    /// This is the sum of ohmic, reaction and reversible heats of [`Self::integral_rates`]: multiplying the
    /// charge rows by their potentials and adding them gives I V + ohmic + sum a j (phi_s - phi_e) = 0
    /// exactly, also for the discrete equations.
    pub(super) fn total_heat(&self, y: &[f64]) -> f64 {
        let l = self.layout;
        let temperature = y[l.temperature];
        let mut heat = -y[l.current] * self.voltage(y);
        for electrode in &self.electrodes {
            for k in 0..electrode.count {
                let charge = electrode.surface[k] * y[l.flux + electrode.offset + k];
                heat -= charge * (electrode.voltage[k] - temperature * electrode.entropic_value[k]);
            }
        }
        heat
    }

    /// Rates of the integrals of [`integral`], with the material functions as last evaluated.
    pub(super) fn integral_rates(&mut self, y: &[f64], out: &mut [f64]) {
        let l = self.layout;
        out.fill(0.0);
        let current = y[l.current];
        out[integral::CHARGE] = current;
        out[integral::ENERGY] = current * self.voltage(y);
        let temperature = y[l.temperature];
        for (electrode, base) in self.electrodes.iter_mut().zip(l.particles) {
            let salt = &y[l.salt + electrode.first..l.salt + electrode.first + electrode.count];
            let c = &y[base..base + electrode.particles.len()];
            electrode.refresh_entropic(c, salt, temperature, &mut self.workspace);
            for k in 0..electrode.count {
                let position = electrode.offset + k;
                let charge = electrode.surface[k] * y[l.flux + position];
                let drop = y[l.solid + position] - y[l.ionic + electrode.first + k];
                out[integral::REACTION] += charge * (drop - electrode.voltage[k]);
                out[integral::REVERSIBLE] += charge * temperature * electrode.entropic_value[k];
            }
        }
        self.add_ohmic_heat(y, out);
        if self.audit_mixing {
            out[integral::MIXING] = self.mixing_heat(y);
        }
    }

    fn add_ohmic_heat(&self, y: &[f64], out: &mut [f64]) {
        let l = self.layout;
        let line = &self.line;
        let p = line.order;
        let concentration_voltage = self.electrolyte.concentration_factor * y[l.temperature];
        let mut salt = [0.0; MAX_NODES];
        let mut potential = [0.0; MAX_NODES];
        for element in &line.elements {
            let (start, end) = (element.start, element.start + p + 1);
            let efficiency = self.electrolyte.efficiency[element.layer];
            gradient(line, &y[l.salt + start..l.salt + end], element.scale, &mut salt);
            gradient(line, &y[l.ionic + start..l.ionic + end], element.scale, &mut potential);
            for q in 0..=p {
                let drive = potential[q] - concentration_voltage * salt[q] / y[l.salt + start + q];
                let density = efficiency * self.electrolyte.kappa[start + q] * drive * potential[q];
                out[integral::OHMIC_ELECTROLYTE] += density * line.weights[q] / element.scale;
            }
            if element.layer != 1 {
                let electrode = &self.electrodes[element.layer / 2];
                let first = l.solid + electrode.offset + start - electrode.first;
                gradient(line, &y[first..=first + p], element.scale, &mut potential);
                for q in 0..=p {
                    let density = electrode.solid_conductivity * potential[q] * potential[q];
                    out[integral::OHMIC_SOLID] += density * line.weights[q] / element.scale;
                }
            }
        }
    }

    /// Dissipation by diffusion in the particles, W/m2: sum over particles of -F U'(c) D (dc/dr)^2 over
    /// their volume. NaN if U has no value somewhere inside, so that an audit never passes unseen.
    fn mixing_heat(&mut self, y: &[f64]) -> f64 {
        let l = self.layout;
        let mut heat = 0.0;
        for (electrode, base) in self.electrodes.iter_mut().zip(l.particles) {
            let n = electrode.particles.len();
            let c = &y[base..base + n];
            let inverse = 1.0 / electrode.max_concentration;
            let x: Vec<f64> = c.iter().map(|v| v * inverse).collect();
            let mut value = vec![0.0; n];
            let mut slope = vec![0.0; n];
            let variables = [x.as_slice(), electrode.zeros.as_slice(), c, &[y[l.temperature]]];
            let direction = [inverse, 0.0, 1.0, 0.0];
            if electrode
                .potential
                .evaluate_dual(variables, direction, &mut self.workspace, &mut value, &mut slope)
                .is_err()
            {
                return f64::NAN;
            }
            for k in 0..electrode.count {
                let dissipation = electrode.particles.dissipation(c, &electrode.diffusivity_value, &slope, k);
                // Volume of particles per surface is R/3, the mesh integrates r^2 dr over the unit sphere
                // (total 1/3).
                let volume = electrode.surface[k] / (electrode.flux_scale * FARADAY);
                heat -= FARADAY * volume * dissipation;
            }
        }
        heat
    }

    /// Lithium in the particles of one electrode per area, mol/m2.
    pub(crate) fn lithium(&self, index: usize, y: &[f64]) -> f64 {
        let electrode = &self.electrodes[index];
        let c = &y[self.layout.particles[index]..];
        let mut total = 0.0;
        for k in 0..electrode.count {
            let mean: f64 = electrode
                .particles
                .mesh
                .mass
                .iter()
                .enumerate()
                .map(|(i, m)| m * c[i * electrode.count + k])
                .sum();
            total += electrode.surface[k] / (electrode.flux_scale * FARADAY) * mean;
        }
        total
    }

    /// Salt in the electrolyte per area, mol/m2.
    pub(crate) fn salt(&self, y: &[f64]) -> f64 {
        self.electrolyte.pore.iter().zip(&y[self.layout.salt..]).map(|(w, c)| w * c).sum()
    }

    /// Mean stoichiometry of one electrode.
    pub(crate) fn mean_stoichiometry(&self, index: usize, y: &[f64]) -> f64 {
        let electrode = &self.electrodes[index];
        let volume: f64 =
            electrode.surface.iter().map(|s| s / (electrode.flux_scale * FARADAY)).sum::<f64>() / 3.0;
        self.lithium(index, y) / (volume * electrode.max_concentration)
    }

    /// Interfacial current of one electrode per area, A/m2.
    pub(crate) fn interfacial_current(&self, index: usize, y: &[f64]) -> f64 {
        let electrode = &self.electrodes[index];
        let j = &y[self.layout.flux + electrode.offset..];
        electrode.surface.iter().zip(j).map(|(s, j)| s * j).sum()
    }

    /// Free energy of lithium in the particles of both electrodes per area, J/m2, up to a constant: minus F
    /// times the integral of U over concentration, from the starting stoichiometry to the local one (Gauss
    /// quadrature with 24 points). NaN where U has no value.
    pub(crate) fn free_energy(&mut self, y: &[f64], reference: [f64; 2]) -> f64 {
        let (points, weights) = crate::solver::quadrature::gauss_legendre(24);
        let mut energy = 0.0;
        for (index, electrode) in self.electrodes.iter().enumerate() {
            let c = &y[self.layout.particles[index]..];
            let from = reference[index];
            for k in 0..electrode.count {
                for (i, mass) in electrode.particles.mesh.mass.iter().enumerate() {
                    let to = c[i * electrode.count + k];
                    let mut integral = 0.0;
                    for (t, w) in points.iter().zip(&weights) {
                        let at = from + 0.5 * (1.0 + t) * (to - from);
                        let u = electrode.potential.value([
                            at / electrode.max_concentration,
                            0.0,
                            at,
                            y[self.layout.temperature],
                        ]);
                        integral += 0.5 * (to - from) * w * u.unwrap_or(f64::NAN);
                    }
                    energy -= electrode.surface[k] / electrode.flux_scale * mass * integral;
                }
            }
        }
        energy
    }
}
