//! Heat and the integrals that audit a run.

use super::residual::{MAX_NODES, gradient};
use super::{CellModel, ElectrodeModel, integral};
use crate::FARADAY;
use crate::solution::{AgeingState, HysteresisState};

impl ElectrodeModel {
    /// Lithium in the particles and in the products of side reactions per area, mol/m2.
    pub(crate) fn lithium(&self, y: &[f64]) -> f64 {
        let mut total = 0.0;
        for family in &self.families {
            for k in 0..self.count {
                let products = family.side.as_ref().map_or(0.0, |side| side.products(y, k).lithium());
                total += family.volume(k) * family.volume_integral(y, k) + family.surface[k] * products;
            }
        }
        total
    }

    /// Lithium that the particles can hold per area, mol/m2.
    pub(crate) fn capacity(&self) -> f64 {
        let volume = |f: &super::Family| (0..self.count).map(|k| f.volume(k)).sum::<f64>() / 3.0;
        self.families.iter().map(|f| f.max_concentration * volume(f)).sum()
    }

    /// Mean over the surfaces of the particles of the stoichiometry there.
    pub(crate) fn surface_stoichiometry(&self, y: &[f64]) -> f64 {
        let of = |f: &super::Family| -> f64 {
            let c = &y[f.surface_start()..];
            f.surface.iter().zip(c).map(|(s, c)| s * c / f.max_concentration).sum()
        };
        self.families.iter().map(of).sum::<f64>() / self.total_surface()
    }

    /// Interfacial current per area, A/m2.
    pub(crate) fn interfacial_current(&self, y: &[f64]) -> f64 {
        let of = |f: &super::Family| {
            f.surface.iter().enumerate().map(|(k, s)| s * f.total_current(y, k)).sum::<f64>()
        };
        self.families.iter().map(of).sum()
    }
}

impl super::Family {
    /// Integral of c r^2 dr over the unit sphere of the particle at node `k`.
    pub(super) fn volume_integral(&self, y: &[f64], k: usize) -> f64 {
        let c = &y[self.base..];
        self.particles.mesh.mass.iter().enumerate().map(|(i, m)| m * c[i * self.count() + k]).sum()
    }
}

impl CellModel {
    /// Mean state of hysteresis of each electrode over the particle surface of its materials with branches, if
    /// there are any.
    pub(crate) fn hysteresis_state(&self, y: &[f64]) -> Option<HysteresisState> {
        let mean = |sign: f64| -> Option<f64> {
            let (mut sum, mut surface) = (0.0, 0.0);
            let of = self.electrodes.iter().filter(|e| e.sign == sign);
            for family in of.flat_map(|e| &e.families) {
                let Some(hysteresis) = &family.hysteresis else { continue };
                for (k, own) in family.surface.iter().enumerate() {
                    sum += own * hysteresis.state_at(y, k);
                    surface += own;
                }
            }
            (surface > 0.0).then(|| sum / surface)
        };
        let state = HysteresisState { negative: mean(1.0), positive: mean(-1.0) };
        (state.negative.is_some() || state.positive.is_some()).then_some(state)
    }

    /// States of hysteresis at the nodes of each family with branches.
    pub(crate) fn hysteresis_states(&self, y: &[f64]) -> Vec<Vec<f64>> {
        let of = |f: &super::Family| {
            f.hysteresis.as_ref().map(|h| (0..f.count()).map(|k| h.state_at(y, k)).collect())
        };
        self.families().filter_map(of).collect()
    }

    /// State of ageing, if anything ages; of the whole cell of area `area` m2, against the SEI of `start`.
    pub(crate) fn ageing_state(&self, y: &[f64], start: &[f64], area: f64) -> Option<AgeingState> {
        let mut state = AgeingState::default();
        let (mut surface, mut any) = (0.0, false);
        for family in self.families() {
            for k in 0..family.count() {
                state.particle_lithium_mol += area * family.volume(k) * family.volume_integral(y, k);
            }
            let Some(side) = &family.side else { continue };
            any = true;
            for (k, own) in family.surface.iter().enumerate() {
                let (now, before) = (side.products(y, k), side.products(start, k));
                surface += own;
                state.sei_lithium_mol += area * own * (now.sei_lithium - before.sei_lithium);
                state.plated_lithium_mol += area * own * now.plated_lithium;
                state.dead_lithium_mol += area * own * now.dead_lithium;
                state.sei_thickness_m += own * now.sei_thickness;
                state.crack_length_m += own * now.crack_length;
            }
        }
        state.sei_thickness_m /= surface;
        state.crack_length_m /= surface;
        any.then_some(state)
    }

    /// Total heat per area, W/m2: -I V - sum a j (U - T dU/dT), with the potential U without hysteresis.
    ///
    /// This is the sum of ohmic, reaction, hysteresis and reversible heats of [`Self::integral_rates`]: multiplying the
    /// charge rows by their potentials and adding them gives I V + ohmic + sum a j (phi_s - phi_e) = 0
    /// exactly, also for the discrete equations.
    pub(super) fn total_heat(&self, y: &[f64]) -> f64 {
        let l = self.layout;
        let temperature = y[l.temperature];
        let mut heat = -y[l.current] * y[l.voltage];
        for family in self.families() {
            for k in 0..family.count() {
                let charge = family.surface[k] * y[family.flux + k];
                let rest = family.voltage[k] - family.departure(k);
                heat -= charge * (rest - temperature * family.entropic_value[k]);
                if let Some(side) = &family.side {
                    heat -= family.surface[k] * side.equilibrium_power(y, k);
                }
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
        out[integral::ENERGY] = current * y[l.voltage];
        out[integral::OHMIC_SOLID] = current * current * self.contact_resistance;
        let temperature = y[l.temperature];
        for electrode in &mut self.electrodes {
            for family in &mut electrode.families {
                family.refresh_entropic(y, temperature, &mut self.workspace);
                for k in 0..electrode.count {
                    let charge = family.surface[k] * y[family.flux + k];
                    let solid = y[l.solid + electrode.offset + k];
                    let ionic = if self.averaged.is_some() { 0.0 } else { y[l.ionic + electrode.first + k] };
                    out[integral::REACTION] += charge * (solid - ionic - family.voltage[k]);
                    if let Some(side) = &family.side {
                        let power = side.side_current(y, k) * (solid - ionic) - side.equilibrium_power(y, k);
                        out[integral::REACTION] += family.surface[k] * power;
                        out[integral::SURFACE] += family.surface[k] * side.equilibrium_power(y, k);
                    }
                    let departure = family.departure(k);
                    out[integral::HYSTERESIS] += charge * departure;
                    out[integral::SURFACE] += charge * (family.voltage[k] - departure);
                    out[integral::REVERSIBLE] += charge * temperature * family.entropic_value[k];
                }
            }
        }
        if let Some(sheet) = &self.sheet {
            let thermal_voltage = self.temperatures(y).thermal_voltage();
            out[integral::REACTION] += current * sheet.overpotential(current, thermal_voltage);
        }
        if self.averaged.is_some() {
            self.add_averaged_ohmic_heat(y, out);
        } else {
            self.add_ohmic_heat(y, out);
        }
        if self.audit_mixing {
            out[integral::MIXING] = self.mixing_heat(y);
        }
    }

    fn add_ohmic_heat(&self, y: &[f64], out: &mut [f64]) {
        let l = self.layout;
        let (line, e) = (&self.line, &self.electrolyte);
        let p = line.order;
        let thermal_voltage = self.temperatures(y).thermal_voltage();
        let mut c = [0.0; MAX_NODES];
        let mut salt = [0.0; MAX_NODES];
        let mut potential = [0.0; MAX_NODES];
        for element in &line.elements {
            let (start, end) = (element.start, element.start + p + 1);
            e.concentrations(start, &y[l.salt + start..l.salt + end], &mut c);
            gradient(line, &c[..=p], element.scale, &mut salt);
            gradient(line, &y[l.ionic + start..l.ionic + end], element.scale, &mut potential);
            for q in 0..=p {
                let node = start + q;
                let drive = potential[q] - thermal_voltage * e.chi[node] * salt[q] / c[q];
                let density = e.efficiency(element.layer, node) * e.kappa[node] * drive * potential[q];
                out[integral::OHMIC_ELECTROLYTE] += density * line.weights[q] / element.scale;
            }
            if element.layer != 1 {
                let first = self.solid_start(element.layer, start);
                let conductivity = self.solid_conductivity(element.layer);
                gradient(line, &y[first..=first + p], element.scale, &mut potential);
                for q in 0..=p {
                    let density = conductivity * potential[q] * potential[q];
                    out[integral::OHMIC_SOLID] += density * line.weights[q] / element.scale;
                }
            }
        }
    }

    /// Dissipation by diffusion in the particles, W/m2: sum over particles of -F U'(c) D (dc/dr)^2 over
    /// their volume. NaN if U has no value somewhere inside, so that an audit never passes unseen.
    fn mixing_heat(&mut self, y: &[f64]) -> f64 {
        let kelvin = y[self.layout.temperature];
        let mut heat = 0.0;
        for family in self.electrodes.iter().flat_map(|e| &e.families) {
            let c = &y[family.range()];
            let inverse = 1.0 / family.max_concentration;
            let x: Vec<f64> = c.iter().map(|v| v * inverse).collect();
            let mut value = vec![0.0; c.len()];
            let mut slope = vec![0.0; c.len()];
            let variables = [x.as_slice(), &[0.0], c, &[kelvin]];
            let direction = [inverse, 0.0, 1.0, 0.0];
            let workspace = &mut self.workspace;
            if family
                .potential
                .evaluate_dual(variables, direction, workspace, &mut value, &mut slope)
                .is_err()
            {
                return f64::NAN;
            }
            for k in 0..family.count() {
                let dissipation = family.particles.dissipation(c, &family.diffusivity_value, &slope, k);
                heat -= FARADAY * family.volume(k) * dissipation;
            }
        }
        heat
    }

    /// Salt in the electrolyte per area, mol/m2.
    pub(crate) fn salt(&self, y: &[f64]) -> f64 {
        self.electrolyte.pore.iter().zip(&y[self.layout.salt..]).map(|(w, c)| w * c).sum()
    }

    /// Free energy of lithium in the particles per area, J/m2, up to a constant: minus F times the integral
    /// of U over concentration, from the starting stoichiometry to the local one (Gauss quadrature with 24
    /// points). NaN where U has no value.
    pub(crate) fn free_energy(&self, y: &[f64]) -> f64 {
        let (points, weights) = crate::solver::quadrature::gauss_legendre(24);
        let kelvin = y[self.layout.temperature];
        let mut energy = 0.0;
        for family in self.families() {
            let c = &y[family.base..];
            let from = family.initial_concentration;
            for k in 0..family.count() {
                for (i, mass) in family.particles.mesh.mass.iter().enumerate() {
                    let to = c[i * family.count() + k];
                    let mut integral = 0.0;
                    for (t, w) in points.iter().zip(&weights) {
                        let at = from + 0.5 * (1.0 + t) * (to - from);
                        let u = family.potential.value([at / family.max_concentration, 0.0, at, kelvin]);
                        integral += 0.5 * (to - from) * w * u.unwrap_or(f64::NAN);
                    }
                    energy -= FARADAY * family.volume(k) * mass * integral;
                }
            }
        }
        energy
    }
}
