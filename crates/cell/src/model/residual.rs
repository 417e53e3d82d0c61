//! The residual F(y, y').

use super::beside::Parts;
use super::{CellModel, ControlRow};
use crate::FARADAY;
use crate::mesh::LineMesh;
use crate::solver::bdf::Trouble;

/// Largest number of nodes of an element (orders up to 12).
pub(super) const MAX_NODES: usize = 13;

/// Gradient of nodal values `u` of one element at its nodes.
///
/// Rows of the derivative matrix sum to zero: taking values relative to the first one changes nothing but the
/// rounding, which would otherwise show in the balance of a well-conducting solid at 4 V.
pub(super) fn gradient(line: &LineMesh, u: &[f64], scale: f64, out: &mut [f64; MAX_NODES]) {
    let size = line.order + 1;
    let first = u[0];
    for (q, row) in line.derivative.chunks_exact(size).enumerate() {
        let sum: f64 = row[1..].iter().zip(&u[1..]).map(|(d, v)| d * (v - first)).sum();
        out[q] = scale * sum;
    }
}

/// Adds the weak divergence sum_q w_q D_qi flux_q of one element to `out`.
pub(super) fn add_divergence(line: &LineMesh, flux: &[f64; MAX_NODES], out: &mut [f64]) {
    let size = line.order + 1;
    for (q, row) in line.derivative.chunks_exact(size).enumerate() {
        let weighted = line.weights[q] * flux[q];
        for (o, d) in out.iter_mut().zip(row) {
            *o += weighted * d;
        }
    }
}

impl CellModel {
    /// Evaluates all material functions at y.
    pub(crate) fn evaluate_materials(&mut self, y: &[f64], derivatives: bool) -> Result<(), Trouble> {
        let l = self.layout;
        let temperatures = self.temperatures(y);
        if !(temperatures.kelvin > 50.0 && temperatures.kelvin < 5000.0) {
            let reason = "the temperature is not plausible";
            return Err(super::trouble(l.temperature, temperatures.kelvin, reason));
        }
        self.outside = 0;
        self.fill_pores(y)?;
        self.electrolyte.concentrations(0, &y[l.salt..l.ionic], &mut self.salt);
        let salt = self.salt.as_slice();
        let workspace = &mut self.workspace;
        self.electrolyte.evaluate(salt, temperatures, derivatives, workspace, l.salt)?;
        let salt = if salt.is_empty() { self.resting_salt.as_slice() } else { salt };
        for electrode in &mut self.electrodes {
            let nodes = if l.salt == l.ionic { 0..1 } else { electrode.electrolyte_nodes() };
            for family in &mut electrode.families {
                family.evaluate(y, &salt[nodes.clone()], temperatures, derivatives, workspace)?;
                self.outside += family.outside;
            }
        }
        if let Some(sheet) = &mut self.sheet {
            sheet.evaluate(salt[0], temperatures, workspace, l.salt)?;
        }
        if let Some(averaged) = &mut self.averaged {
            averaged.evaluate(&self.salt, temperatures, workspace, l.salt)?;
        }
        Ok(())
    }

    /// Salt concentrations at y.
    pub(crate) fn salt_concentrations(&mut self, y: &[f64]) -> Result<Vec<f64>, Trouble> {
        self.fill_pores(y)?;
        let mut c = vec![0.0; self.line.len()];
        self.electrolyte.concentrations(0, &y[self.layout.salt..self.layout.ionic], &mut c);
        Ok(c)
    }

    /// Fills the pores of the negative electrode with the products of its side reactions, if that is asked for.
    fn fill_pores(&mut self, y: &[f64]) -> Result<(), Trouble> {
        if !self.pore_clogging {
            return Ok(());
        }
        let electrode = &self.electrodes[0];
        let volume = &self.line.layer_weights[0][..electrode.count];
        let filled: Vec<f64> = (0..electrode.count)
            .map(|k| electrode.families.iter().map(|f| f.product_volume(y, k)).sum::<f64>() / volume[k])
            .collect();
        self.electrolyte.fill_pores(&filled, volume).map_err(|k| {
            let reason = "the pores of the negative electrode are full of the products of side reactions";
            super::trouble(self.layout.salt + k, filled[k], reason)
        })
    }

    /// F(y, y') of all unknowns but the integrals; see the module for the order. Charge and salt rows in
    /// A/m2, kinetic and voltage rows in V.
    pub(crate) fn full_residual(&mut self, y: &[f64], slope: &[f64], out: &mut [f64]) -> Result<(), Trouble> {
        self.evaluate_materials(y, false)?;
        self.residual_from_materials(y, slope, out);
        Ok(())
    }

    /// The residual with the material functions as they were last evaluated.
    pub(super) fn residual_from_materials(&mut self, y: &[f64], slope: &[f64], out: &mut [f64]) {
        self.residual_parts(y, slope, Parts::ALL, out);
    }

    /// The same of some parts.
    pub(super) fn residual_parts(&mut self, y: &[f64], slope: &[f64], parts: Parts<'_>, out: &mut [f64]) {
        let l = self.layout;
        for (i, pore) in self.electrolyte.pore.iter().enumerate() {
            out[l.salt + i] = FARADAY * pore * slope[l.salt + i];
        }
        out[l.ionic..l.flux].fill(0.0);
        self.particle_rows(y, slope, parts, out);
        if self.averaged.is_some() {
            self.averaged_rows(y, slope, out);
        } else {
            self.porous_rows(y, slope, parts, out);
        }
        let change = self.control_change;
        out[l.current] = match self.control {
            ControlRow::Current(value) => y[l.current] - (value + change),
            ControlRow::Voltage(value) => y[l.voltage] - (value + change),
            ControlRow::Power(value) => y[l.current] * y[l.voltage] - (value + change),
            ControlRow::Resistance(value) => y[l.voltage] - value * y[l.current],
        };
        out[l.temperature] = match self.thermal {
            None => slope[l.temperature],
            Some(t) => {
                let heat = self.total_heat(y);
                t.capacity * slope[l.temperature] - heat + t.cooling * (y[l.temperature] - t.ambient)
            }
        };
    }

    fn particle_rows(&mut self, y: &[f64], slope: &[f64], parts: Parts<'_>, out: &mut [f64]) {
        let families = self.electrodes.iter_mut().flat_map(|e| &mut e.families).enumerate();
        for (_, family) in families.filter(|(index, _)| parts.has_particles(*index)) {
            let range = family.range();
            let diffusivity = &family.diffusivity_value;
            let block = &mut out[range.clone()];
            family.particles.residual(&y[range.clone()], &slope[range], diffusivity, block);
            let start = family.surface_start();
            for k in 0..family.count() {
                out[start + k] += family.flux_scale * y[family.flux + k];
            }
            if let Some(hysteresis) = &family.hysteresis {
                hysteresis.residual((y, slope), family.flux, out);
            }
        }
    }

    /// Rows of the Doyle-Fuller-Newman model that are not those of the particles.
    fn porous_rows(&self, y: &[f64], slope: &[f64], parts: Parts<'_>, out: &mut [f64]) {
        let l = self.layout;
        let kelvin = y[l.temperature];
        let thermal_voltage = self.temperatures(y).thermal_voltage();
        let kinetics = if parts.kinetics { self.electrodes.as_slice() } else { &[] };
        for electrode in kinetics {
            for family in &electrode.families {
                for k in 0..electrode.count {
                    let position = l.solid + electrode.offset + k;
                    let node = electrode.first + k;
                    let j = y[family.flux + k];
                    let charge = family.surface[k] * family.total_current(y, k);
                    out[l.salt + node] -= charge;
                    out[l.ionic + node] -= charge;
                    out[position] += charge;
                    let eta = family.interface(k, j, thermal_voltage).eta;
                    let psi = y[position] - y[l.ionic + node];
                    let film = family.side_rows((y, slope), k, psi, kelvin, out);
                    out[family.flux + k] = psi - family.voltage[k] - eta - film;
                }
            }
        }
        if parts.transport {
            self.transport_rows(y, out);
        }
        // Current enters at the negative collector and leaves at the positive one. One charge balance is
        // the sum of all others: its row holds the reference of the potential.
        out[l.flux - 1] += y[l.current];
        if let Some(sheet) = &self.sheet {
            let current = y[l.current];
            out[l.salt] -= current;
            out[l.ionic] = -y[l.ionic] - sheet.overpotential(current, thermal_voltage);
        } else {
            out[l.solid] = y[l.solid];
        }
        out[l.voltage] = y[l.voltage] - self.collector_difference(y) + self.contact_resistance * y[l.current];
    }

    /// Potential of the positive collector against the negative one.
    pub(super) fn collector_difference(&self, y: &[f64]) -> f64 {
        let l = self.layout;
        y[l.flux - 1] - if self.sheet.is_some() { 0.0 } else { y[l.solid] }
    }

    /// Diffusion and migration of salt and conduction in electrolyte and solid.
    fn transport_rows(&self, y: &[f64], out: &mut [f64]) {
        let l = self.layout;
        let line = &self.line;
        let e = &self.electrolyte;
        let p = line.order;
        let thermal_voltage = self.temperatures(y).thermal_voltage();
        let mut c = [0.0; MAX_NODES];
        let mut salt_gradient = [0.0; MAX_NODES];
        let mut potential_gradient = [0.0; MAX_NODES];
        let mut flux = [0.0; MAX_NODES];
        let mut current = [0.0; MAX_NODES];
        for element in &line.elements {
            let (start, end) = (element.start, element.start + p + 1);
            e.concentrations(start, &y[l.salt + start..l.salt + end], &mut c);
            gradient(line, &c[..=p], element.scale, &mut salt_gradient);
            gradient(line, &y[l.ionic + start..l.ionic + end], element.scale, &mut potential_gradient);
            for q in 0..=p {
                let node = start + q;
                let drive = potential_gradient[q] - thermal_voltage * e.chi[node] * salt_gradient[q] / c[q];
                let efficiency = e.efficiency(element.layer, node);
                current[q] = efficiency * e.kappa[node] * drive;
                flux[q] = efficiency * FARADAY * e.d[node] * salt_gradient[q] + e.t[node] * current[q];
            }
            add_divergence(line, &flux, &mut out[l.salt + start..l.salt + end]);
            add_divergence(line, &current, &mut out[l.ionic + start..l.ionic + end]);
            if element.layer == 1 {
                continue;
            }
            let first = self.solid_start(element.layer, start);
            let conductivity = self.solid_conductivity(element.layer);
            gradient(line, &y[first..=first + p], element.scale, &mut potential_gradient);
            for q in 0..=p {
                flux[q] = conductivity * potential_gradient[q];
            }
            add_divergence(line, &flux, &mut out[first..=first + p]);
        }
    }

    /// Position of the solid potential at electrolyte node `start` of an electrode's layer.
    pub(super) fn solid_start(&self, layer: usize, start: usize) -> usize {
        let index = if layer == 0 { 0 } else { self.electrodes.len() - 1 };
        let electrode = &self.electrodes[index];
        self.layout.solid + electrode.offset + start - electrode.first
    }
}
