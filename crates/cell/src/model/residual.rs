//! Material functions and the residual.

use super::{ControlRow, Dfn, ElectrodeModel, ElectrolyteModel, trouble};
use crate::expression::FormulaWorkspace;
use crate::mesh::LineMesh;
use crate::parameters::Kinetics;
use crate::property::Undefined;
use crate::solver::bdf::Trouble;
use crate::{FARADAY, GAS_CONSTANT};

const NO_VALUE: &str = "a material function has no finite value";
const EMPTY_OR_FULL: &str = "the surface stoichiometry left the open interval (0, 1)";
const DEPLETED: &str = "the electrolyte concentration is not positive";
/// Largest number of nodes of an element (orders up to 12).
pub(super) const MAX_NODES: usize = 13;

impl ElectrodeModel {
    /// Evaluates the material functions at particle concentrations `c` and electrolyte concentrations
    /// `salt` of its nodes; with `derivatives` also their slopes. `base` is the position of the particle
    /// unknowns, for messages.
    fn evaluate(
        &mut self,
        c: &[f64],
        salt: &[f64],
        temperature: (f64, f64),
        derivatives: bool,
        workspace: &mut FormulaWorkspace,
        base: usize,
    ) -> Result<(), Trouble> {
        let (kelvin, reference) = temperature;
        let surface_offset = self.surface_offset();
        let surface = &c[surface_offset..surface_offset + self.count];
        let inverse = 1.0 / self.max_concentration;
        for (k, (x, c)) in self.x.iter_mut().zip(surface).enumerate() {
            *x = c * inverse;
            if !(*x > 0.0 && *x < 1.0) {
                return Err(trouble(base + surface_offset + k, *x, EMPTY_OR_FULL));
            }
        }
        let at = |u: Undefined| trouble(base + surface_offset + u.index, u.value, NO_VALUE);
        let variables = [self.x.as_slice(), salt, surface, &[kelvin]];
        // U as a function of the surface concentration: dx = dc/cmax.
        let inward = [inverse, 0.0, 1.0, 0.0];
        self.outside = if derivatives {
            self.potential.evaluate_dual(
                variables,
                inward,
                workspace,
                &mut self.voltage,
                &mut self.voltage_slope,
            )
        } else {
            self.potential.evaluate(variables, workspace, &mut self.voltage)
        }
        .map_err(at)?;
        let excess = kelvin - reference;
        if excess != 0.0 || self.entropic_always {
            if self.entropic.as_constant().is_none() {
                let (value, slope) = (&mut self.entropic_value, &mut self.entropic_derivative);
                if derivatives {
                    self.entropic.evaluate_dual(variables, inward, workspace, value, slope).map_err(at)?;
                } else {
                    self.entropic.evaluate(variables, workspace, value).map_err(at)?;
                }
            }
            for k in 0..self.count {
                self.voltage[k] += excess * self.entropic_value[k];
                self.voltage_slope[k] += if derivatives { excess * self.entropic_derivative[k] } else { 0.0 };
            }
        }
        let factor = self.exchange.arrhenius_factor(kelvin, reference);
        let exchange = &self.exchange.at_reference;
        if derivatives {
            let j0 = &mut self.j0;
            exchange
                .evaluate_dual(variables, [0.0, 1.0, 0.0, 0.0], workspace, j0, &mut self.j0_salt)
                .map_err(at)?;
            self.outside +=
                exchange.evaluate_dual(variables, inward, workspace, j0, &mut self.j0_solid).map_err(at)?;
            for k in 0..self.count {
                self.j0_salt[k] *= factor;
                self.j0_solid[k] *= factor;
            }
        } else {
            self.outside += exchange.evaluate(variables, workspace, &mut self.j0).map_err(at)?;
        }
        for (k, j0) in self.j0.iter_mut().enumerate() {
            *j0 *= factor;
            if *j0 <= 0.0 {
                return Err(trouble(
                    base + surface_offset + k,
                    *j0,
                    "the exchange-current density is not positive",
                ));
            }
        }
        self.evaluate_diffusivity(c, temperature, derivatives, workspace, base)
    }

    /// Entropic slopes at the surface concentrations last evaluated; 0 where the property has no value (its
    /// failure is reported when it enters an equation).
    pub(super) fn refresh_entropic(
        &mut self,
        c: &[f64],
        salt: &[f64],
        kelvin: f64,
        workspace: &mut FormulaWorkspace,
    ) {
        if self.entropic.as_constant().is_none() && !self.entropic_always {
            let start = self.surface_offset();
            let variables = [self.x.as_slice(), salt, &c[start..start + self.count], &[kelvin]];
            if self.entropic.evaluate(variables, workspace, &mut self.entropic_value).is_err() {
                self.entropic_value.fill(0.0);
            }
        }
    }

    fn evaluate_diffusivity(
        &mut self,
        c: &[f64],
        temperature: (f64, f64),
        derivatives: bool,
        workspace: &mut FormulaWorkspace,
        base: usize,
    ) -> Result<(), Trouble> {
        let factor = self.diffusivity.arrhenius_factor(temperature.0, temperature.1);
        let property = &self.diffusivity.at_reference;
        if let Some(value) = property.as_constant() {
            self.diffusivity_value[0] = value * factor;
            return Ok(());
        }
        let inverse = 1.0 / self.max_concentration;
        for (x, c) in self.x_inside.iter_mut().zip(c) {
            *x = c * inverse;
        }
        let variables = [self.x_inside.as_slice(), &self.zeros, c, &[temperature.0]];
        let at = |u: Undefined| trouble(base + u.index, u.value, NO_VALUE);
        let value = &mut self.diffusivity_value;
        self.outside += if derivatives {
            let slope = &mut self.diffusivity_slope;
            property.evaluate_dual(variables, [inverse, 0.0, 1.0, 0.0], workspace, value, slope)
        } else {
            property.evaluate(variables, workspace, value)
        }
        .map_err(at)?;
        for (i, v) in value.iter_mut().enumerate() {
            *v *= factor;
            if *v <= 0.0 {
                return Err(trouble(base + i, *v, "the particle diffusivity is not positive"));
            }
        }
        for v in &mut self.diffusivity_slope {
            *v *= factor;
        }
        Ok(())
    }

    /// Overpotential of current density j and its derivatives with respect to j and j0.
    pub(super) fn overpotential(&self, j: f64, j0: f64, thermal_voltage: f64) -> (f64, f64, f64) {
        match self.kinetics {
            Kinetics::ButlerVolmer => {
                let root = (j * j + 4.0 * j0 * j0).sqrt();
                let scale = 2.0 * thermal_voltage;
                (scale * (j / (2.0 * j0)).asinh(), scale / root, -scale * j / (j0 * root))
            }
            Kinetics::Linear => {
                let eta = thermal_voltage * j / j0;
                (eta, thermal_voltage / j0, -eta / j0)
            }
        }
    }
}

impl ElectrolyteModel {
    fn evaluate(
        &mut self,
        salt: &[f64],
        temperature: (f64, f64),
        derivatives: bool,
        workspace: &mut FormulaWorkspace,
        base: usize,
    ) -> Result<(), Trouble> {
        if let Some(i) = salt.iter().position(|c| c.is_nan() || *c <= 0.0) {
            return Err(trouble(base + i, salt[i], DEPLETED));
        }
        let at = |u: Undefined| trouble(base + u.index, u.value, NO_VALUE);
        let variables = [salt, salt, salt, &[temperature.0]];
        let toward = [0.0, 1.0, 0.0, 0.0];
        let jobs = [
            (&self.diffusivity, &mut self.d, &mut self.d_slope),
            (&self.conductivity, &mut self.kappa, &mut self.kappa_slope),
        ];
        for (property, value, slope) in jobs {
            let factor = property.arrhenius_factor(temperature.0, temperature.1);
            if derivatives {
                property
                    .at_reference
                    .evaluate_dual(variables, toward, workspace, value, slope)
                    .map_err(at)?;
                for s in slope.iter_mut() {
                    *s *= factor;
                }
            } else {
                property.at_reference.evaluate(variables, workspace, value).map_err(at)?;
            }
            for (i, v) in value.iter_mut().enumerate() {
                *v *= factor;
                if *v <= 0.0 {
                    return Err(trouble(base + i, *v, "an electrolyte transport property is not positive"));
                }
            }
        }
        Ok(())
    }
}

/// Gradient of nodal values `u` of one element at its nodes.
pub(super) fn gradient(line: &LineMesh, u: &[f64], scale: f64, out: &mut [f64; MAX_NODES]) {
    let size = line.order + 1;
    for (q, row) in line.derivative.chunks_exact(size).enumerate() {
        let sum: f64 = row.iter().zip(u).map(|(d, v)| d * v).sum();
        out[q] = scale * sum;
    }
}

/// Adds the weak divergence sum_q w_q D_qi flux_q of one element to `out`.
fn add_divergence(line: &LineMesh, flux: &[f64; MAX_NODES], factor: f64, out: &mut [f64]) {
    let size = line.order + 1;
    for (q, row) in line.derivative.chunks_exact(size).enumerate() {
        let weighted = factor * line.weights[q] * flux[q];
        for (o, d) in out.iter_mut().zip(row) {
            *o += weighted * d;
        }
    }
}

impl Dfn {
    /// Evaluates all material functions at y.
    pub(crate) fn evaluate_materials(&mut self, y: &[f64], derivatives: bool) -> Result<(), Trouble> {
        let l = self.layout;
        let temperature = (y[l.temperature], self.reference_temperature);
        if !(temperature.0 > 50.0 && temperature.0 < 5000.0) {
            return Err(trouble(l.temperature, temperature.0, "the temperature is not plausible"));
        }
        self.outside = 0;
        let salt = &y[l.salt..l.ionic];
        self.electrolyte.evaluate(salt, temperature, derivatives, &mut self.workspace, l.salt)?;
        for (electrode, base) in self.electrodes.iter_mut().zip(l.particles) {
            let c = &y[base..base + electrode.particles.len()];
            let local = &salt[electrode.first..electrode.first + electrode.count];
            electrode.evaluate(c, local, temperature, derivatives, &mut self.workspace, base)?;
            self.outside += electrode.outside;
        }
        Ok(())
    }

    /// F(y, y') of all unknowns but the integrals; see the module for the order. Charge and salt rows in
    /// A/m2, kinetic rows in V.
    pub(crate) fn full_residual(&mut self, y: &[f64], slope: &[f64], out: &mut [f64]) -> Result<(), Trouble> {
        self.evaluate_materials(y, false)?;
        self.residual_from_materials(y, slope, out);
        Ok(())
    }

    /// The residual with the material functions as they were last evaluated.
    pub(super) fn residual_from_materials(&mut self, y: &[f64], slope: &[f64], out: &mut [f64]) {
        let l = self.layout;
        let thermal_voltage = GAS_CONSTANT * y[l.temperature] / FARADAY;
        for (i, pore) in self.electrolyte.pore.iter().enumerate() {
            out[l.salt + i] = FARADAY * pore * slope[l.salt + i];
        }
        out[l.ionic..l.flux].fill(0.0);
        for index in 0..2 {
            self.electrode_rows(index, y, slope, thermal_voltage, out);
        }
        self.transport_rows(y, out);
        // Current enters at the negative collector (that row is replaced by the reference) and leaves at
        // the positive one.
        out[l.flux - 1] += y[l.current];
        out[l.solid] = y[l.solid];
        let voltage = self.voltage(y);
        out[l.current] = match self.control {
            ControlRow::Current(value) => y[l.current] - value,
            ControlRow::Voltage(value) => voltage - value,
            ControlRow::Power(value) => y[l.current] * voltage - value,
        };
        out[l.temperature] = match self.thermal {
            None => slope[l.temperature],
            Some(t) => {
                let heat = self.total_heat(y);
                t.capacity * slope[l.temperature] - heat + t.cooling * (y[l.temperature] - t.ambient)
            }
        };
    }

    fn electrode_rows(
        &mut self,
        index: usize,
        y: &[f64],
        slope: &[f64],
        thermal_voltage: f64,
        out: &mut [f64],
    ) {
        let l = self.layout;
        let source = 1.0 - self.electrolyte.transference;
        let electrode = &mut self.electrodes[index];
        let base = l.particles[index];
        let end = base + electrode.particles.len();
        let diffusivity = &electrode.diffusivity_value;
        electrode.particles.residual(&y[base..end], &slope[base..end], diffusivity, &mut out[base..end]);
        let surface_start = base + electrode.surface_offset();
        for k in 0..electrode.count {
            let position = electrode.offset + k;
            let node = electrode.first + k;
            let j = y[l.flux + position];
            out[surface_start + k] += electrode.flux_scale * j;
            let charge = electrode.surface[k] * j;
            out[l.salt + node] -= source * charge;
            out[l.ionic + node] -= charge;
            out[l.solid + position] += charge;
            let (eta, _, _) = electrode.overpotential(j, electrode.j0[k], thermal_voltage);
            out[l.flux + position] = y[l.solid + position] - y[l.ionic + node] - electrode.voltage[k] - eta;
        }
    }

    /// Diffusion of salt and conduction in electrolyte and solid.
    fn transport_rows(&mut self, y: &[f64], out: &mut [f64]) {
        let l = self.layout;
        let line = &self.line;
        let p = line.order;
        let concentration_voltage = self.electrolyte.concentration_factor * y[l.temperature];
        let mut salt_gradient = [0.0; MAX_NODES];
        let mut potential_gradient = [0.0; MAX_NODES];
        let mut flux = [0.0; MAX_NODES];
        for element in &line.elements {
            let (start, end) = (element.start, element.start + p + 1);
            let efficiency = self.electrolyte.efficiency[element.layer];
            gradient(line, &y[l.salt + start..l.salt + end], element.scale, &mut salt_gradient);
            for q in 0..=p {
                flux[q] = efficiency * self.electrolyte.d[start + q] * salt_gradient[q];
            }
            add_divergence(line, &flux, FARADAY, &mut out[l.salt + start..l.salt + end]);
            gradient(line, &y[l.ionic + start..l.ionic + end], element.scale, &mut potential_gradient);
            for q in 0..=p {
                let drive =
                    potential_gradient[q] - concentration_voltage * salt_gradient[q] / y[l.salt + start + q];
                flux[q] = efficiency * self.electrolyte.kappa[start + q] * drive;
            }
            add_divergence(line, &flux, 1.0, &mut out[l.ionic + start..l.ionic + end]);
            if element.layer == 1 {
                continue;
            }
            let electrode = &self.electrodes[element.layer / 2];
            let first = l.solid + electrode.offset + start - electrode.first;
            gradient(line, &y[first..=first + p], element.scale, &mut potential_gradient);
            for q in 0..=p {
                flux[q] = electrode.solid_conductivity * potential_gradient[q];
            }
            add_divergence(line, &flux, 1.0, &mut out[first..=first + p]);
        }
    }
}
