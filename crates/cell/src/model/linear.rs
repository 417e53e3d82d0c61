//! Linear algebra of a Newton step: particles and interfacial currents are eliminated node by node, the
//! chain of (c_e, phi_e, phi_s) blocks is solved by banded elimination, and the cell current and the
//! temperature are bordered unknowns.

use super::residual::{MAX_NODES, gradient};
use super::{ControlRow, Dfn, trouble};
use crate::solver::bdf::{DaeSystem, Trouble};
use crate::{FARADAY, GAS_CONSTANT};

const SINGULAR: &str = "the Newton matrix is singular";

impl Dfn {
    /// Keeps the derivatives of the material functions and of the kinetic rows at y.
    pub(super) fn keep_derivatives(&mut self, y: &[f64]) -> Result<(), Trouble> {
        self.evaluate_materials(y, true)?;
        let l = self.layout;
        let thermal_voltage = GAS_CONSTANT * y[l.temperature] / FARADAY;
        for (electrode, base) in self.electrodes.iter_mut().zip(l.particles) {
            for k in 0..electrode.count {
                let j = y[l.flux + electrode.offset + k];
                let (_, by_flux, by_exchange) = electrode.overpotential(j, electrode.j0[k], thermal_voltage);
                electrode.row_flux[k] = -by_flux;
                electrode.row_salt[k] = -by_exchange * electrode.j0_salt[k];
                electrode.row_surface[k] = -electrode.voltage_slope[k] - by_exchange * electrode.j0_solid[k];
            }
            let c = &y[base..base + electrode.particles.len()];
            electrode.particles.linearize(c, &electrode.diffusivity_value, &electrode.diffusivity_slope);
        }
        let e = &mut self.electrolyte;
        e.kept_d.copy_from_slice(&e.d);
        e.kept_d_slope.copy_from_slice(&e.d_slope);
        e.kept_kappa.copy_from_slice(&e.kappa);
        e.kept_kappa_slope.copy_from_slice(&e.kappa_slope);
        e.kept_salt.copy_from_slice(&y[l.salt..l.ionic]);
        let p = self.line.order;
        let mut values = [0.0; MAX_NODES];
        for (index, element) in self.line.elements.iter().enumerate() {
            let range = element.start..element.start + p + 1;
            gradient(&self.line, &y[l.salt + range.start..l.salt + range.end], element.scale, &mut values);
            e.salt_gradient[index * (p + 1)..(index + 1) * (p + 1)].copy_from_slice(&values[..=p]);
            gradient(&self.line, &y[l.ionic + range.start..l.ionic + range.end], element.scale, &mut values);
            e.ionic_gradient[index * (p + 1)..(index + 1) * (p + 1)].copy_from_slice(&values[..=p]);
        }
        self.kept_temperature = y[l.temperature];
        self.kept_current = y[l.current];
        self.kept_voltage = self.voltage(y);
        Ok(())
    }

    /// Derivative of every residual with respect to temperature, by a forward difference of 0.01 K. The
    /// temperature row's dependence on the other unknowns is left out: heat changes little within a step,
    /// and Newton's iteration corrects for it.
    fn keep_temperature_column(&mut self, y: &[f64], slope: &[f64]) -> Result<(), Trouble> {
        const SHIFT: f64 = 0.01;
        let mut shifted = std::mem::take(&mut self.scratch);
        let mut column = std::mem::take(&mut self.temperature_column);
        shifted.copy_from_slice(y);
        shifted[self.layout.temperature] += SHIFT;
        let mut outcome = self.full_residual(&shifted, slope, &mut column);
        if outcome.is_ok() {
            outcome = self.full_residual(y, slope, &mut shifted);
        }
        for (c, base) in column.iter_mut().zip(&shifted) {
            *c = (*c - base) / SHIFT;
        }
        self.scratch = shifted;
        self.temperature_column = column;
        outcome
    }

    /// Eliminates the particles for the leading coefficient.
    fn factor_particles(&mut self) -> Result<(), Trouble> {
        let leading = self.leading;
        for (electrode, base) in self.electrodes.iter_mut().zip(self.layout.particles) {
            electrode.response.fill(0.0);
            if !self.potentials_only {
                electrode
                    .particles
                    .factor(leading)
                    .map_err(|particle| trouble(base + particle, 0.0, SINGULAR))?;
                let start = electrode.surface_offset();
                electrode.response[start..].fill(electrode.flux_scale);
                electrode.particles.solve(&mut electrode.response);
            }
            let start = electrode.surface_offset();
            for k in 0..electrode.count {
                let diagonal =
                    electrode.row_flux[k] - electrode.row_surface[k] * electrode.response[start + k];
                if diagonal == 0.0 || !diagonal.is_finite() {
                    return Err(trouble(self.layout.flux + electrode.offset + k, diagonal, SINGULAR));
                }
                electrode.eliminated[k] = 1.0 / diagonal;
            }
        }
        Ok(())
    }

    fn assemble_chain(&mut self) {
        self.chain.clear();
        let salt_unit = self.electrolyte.initial;
        for i in 0..self.line.len() {
            let storage = self.leading * FARADAY * self.electrolyte.pore[i];
            self.chain.add(3 * i, 3 * i, storage * salt_unit);
        }
        self.add_transport();
        let source = 1.0 - self.electrolyte.transference;
        for electrode in &self.electrodes {
            for k in 0..electrode.count {
                let node = 3 * (electrode.first + k);
                // j = e (b - row_surface c - row_salt dc_e - dphi_s + dphi_e), e the eliminated diagonal's
                // reciprocal.
                let weight = electrode.surface[k] * electrode.eliminated[k];
                for (slot, sign) in [(0, -source), (1, -1.0), (2, 1.0)] {
                    self.chain.add(node + slot, node, -sign * weight * electrode.row_salt[k] * salt_unit);
                    self.chain.add(node + slot, node + 1, sign * weight);
                    self.chain.add(node + slot, node + 2, -sign * weight);
                }
            }
        }
        self.chain.set_row_to_unit(2);
        for i in self.electrodes[0].count..self.electrodes[1].first {
            self.chain.set_row_to_unit(3 * i + 2);
        }
        if self.potentials_only {
            for i in 0..self.line.len() {
                self.chain.set_row_to_unit(3 * i);
            }
        }
    }

    fn add_transport(&mut self) {
        let line = &self.line;
        let size = line.order + 1;
        let e = &self.electrolyte;
        let concentration_voltage = e.concentration_factor * self.kept_temperature;
        for (index, element) in line.elements.iter().enumerate() {
            let efficiency = e.efficiency[element.layer];
            let solid =
                if element.layer == 1 { 0.0 } else { self.electrodes[element.layer / 2].solid_conductivity };
            for i in 0..size {
                for j in 0..size {
                    let (mut diffusion, mut conduction, mut concentration, mut electronic) =
                        (0.0, 0.0, 0.0, 0.0);
                    for q in 0..size {
                        let node = element.start + q;
                        let test = line.weights[q] * line.derivative[q * size + i];
                        let trial = test * element.scale * line.derivative[q * size + j];
                        diffusion += trial * e.kept_d[node];
                        conduction += trial * e.kept_kappa[node];
                        concentration += trial * e.kept_kappa[node] / e.kept_salt[node];
                        electronic += trial;
                    }
                    let node = element.start + j;
                    let test = line.weights[j] * line.derivative[j * size + i];
                    let salt_gradient = e.salt_gradient[index * size + j];
                    let c = e.kept_salt[node];
                    let relative = salt_gradient / c;
                    diffusion += test * e.kept_d_slope[node] * salt_gradient;
                    let drive = e.ionic_gradient[index * size + j] - concentration_voltage * relative;
                    let by_salt = test
                        * (e.kept_kappa_slope[node] * drive
                            + e.kept_kappa[node] * concentration_voltage * relative / c)
                        - concentration_voltage * concentration;
                    let (row, column) = (3 * (element.start + i), 3 * node);
                    self.chain.add(row, column, FARADAY * efficiency * diffusion * e.initial);
                    self.chain.add(row + 1, column, efficiency * by_salt * e.initial);
                    self.chain.add(row + 1, column + 1, efficiency * conduction);
                    if element.layer != 1 {
                        self.chain.add(row + 2, column + 2, solid * electronic);
                    }
                }
            }
        }
    }

    pub(super) fn factor_all(&mut self, leading: f64) -> Result<(), Trouble> {
        self.leading = leading;
        self.factor_particles()?;
        self.assemble_chain();
        self.chain.factor().map_err(|row| trouble(self.chain_unknown(row), 0.0, SINGULAR))?;
        self.border.fill(0.0);
        let last = self.border.len() - 1;
        self.border[last] = 1.0;
        self.chain.solve(&mut self.border);
        Ok(())
    }

    fn chain_unknown(&self, row: usize) -> usize {
        let node = row / 3;
        match row % 3 {
            0 => self.layout.salt + node,
            1 => self.layout.ionic + node,
            _ => self.layout.solid + node.min(self.layout.flux - self.layout.solid - 1),
        }
    }

    /// Right-hand side of the chain after the elimination of the particles, whose block of `b` already
    /// holds their solution.
    fn gather(&mut self, b: &[f64]) {
        let l = self.layout;
        for i in 0..self.line.len() {
            self.chain_rhs[3 * i] = if self.potentials_only { 0.0 } else { b[l.salt + i] };
            self.chain_rhs[3 * i + 1] = b[l.ionic + i];
            self.chain_rhs[3 * i + 2] = 0.0;
        }
        let source = 1.0 - self.electrolyte.transference;
        for (electrode, base) in self.electrodes.iter().zip(l.particles) {
            let surface = base + electrode.surface_offset();
            for k in 0..electrode.count {
                let node = 3 * (electrode.first + k);
                self.chain_rhs[node + 2] = b[l.solid + electrode.offset + k];
                let known = b[l.flux + electrode.offset + k] - electrode.row_surface[k] * b[surface + k];
                let charge = electrode.surface[k] * electrode.eliminated[k] * known;
                self.chain_rhs[node] += source * charge;
                self.chain_rhs[node + 1] += charge;
                self.chain_rhs[node + 2] -= charge;
            }
        }
        self.chain_rhs[2] = b[l.solid];
        if self.potentials_only {
            for i in 0..self.line.len() {
                self.chain_rhs[3 * i] = 0.0;
            }
        }
    }

    /// Cell current from the control row: by_voltage (x_L - x_0) + by_current x_I = b.
    fn bordered_current(&self, b: f64) -> f64 {
        let (by_voltage, by_current) = match self.control {
            ControlRow::Current(_) => (0.0, 1.0),
            ControlRow::Voltage(_) => (1.0, 0.0),
            ControlRow::Power(_) => (self.kept_current, self.kept_voltage),
        };
        let last = self.chain_rhs.len() - 1;
        let own = self.chain_rhs[last] - self.chain_rhs[2];
        let response = self.border[last] - self.border[2];
        (b - by_voltage * own) / (by_current - by_voltage * response)
    }

    /// Overwrites `b` by the solution of the factored Newton system.
    pub(super) fn solve_all(&mut self, b: &mut [f64]) {
        let l = self.layout;
        let mut temperature = 0.0;
        if let (Some(thermal), false) = (self.thermal, self.potentials_only) {
            temperature = b[l.temperature] / (self.leading * thermal.capacity + thermal.cooling);
            for (value, column) in b.iter_mut().zip(&self.temperature_column) {
                *value -= column * temperature;
            }
        } else if !self.potentials_only {
            temperature = b[l.temperature] / self.leading;
        }
        for (electrode, base) in self.electrodes.iter().zip(l.particles) {
            let block = &mut b[base..base + electrode.particles.len()];
            if self.potentials_only {
                block.fill(0.0);
            } else {
                electrode.particles.solve(block);
            }
        }
        self.gather(b);
        self.chain.solve(&mut self.chain_rhs);
        let current = self.bordered_current(b[l.current]);
        for (value, response) in self.chain_rhs.iter_mut().zip(&self.border) {
            *value -= current * response;
        }
        self.scatter(b);
        b[l.current] = current;
        b[l.temperature] = temperature;
    }

    fn scatter(&self, b: &mut [f64]) {
        let l = self.layout;
        let salt_unit = self.electrolyte.initial;
        for i in 0..self.line.len() {
            b[l.salt + i] = salt_unit * self.chain_rhs[3 * i];
            b[l.ionic + i] = self.chain_rhs[3 * i + 1];
        }
        for (electrode, base) in self.electrodes.iter().zip(l.particles) {
            let surface = base + electrode.surface_offset();
            for k in 0..electrode.count {
                let node = electrode.first + k;
                let (ionic, solid) = (self.chain_rhs[3 * node + 1], self.chain_rhs[3 * node + 2]);
                let position = electrode.offset + k;
                let known = b[l.flux + position]
                    - electrode.row_surface[k] * b[surface + k]
                    - electrode.row_salt[k] * b[l.salt + node]
                    - solid
                    + ionic;
                b[l.solid + position] = solid;
                b[l.flux + position] = electrode.eliminated[k] * known;
            }
            let count = electrode.count;
            let flux = l.flux + electrode.offset;
            for (row, response) in electrode.response.chunks_exact(count).enumerate() {
                for k in 0..count {
                    let change = response[k] * b[flux + k];
                    b[base + row * count + k] -= change;
                }
            }
        }
    }
}

impl DaeSystem for Dfn {
    fn dimension(&self) -> usize {
        self.layout.dimension
    }

    fn quadratures(&self) -> usize {
        self.layout.dimension - self.layout.integrals
    }

    fn residual(&mut self, y: &[f64], slope: &[f64], out: &mut [f64]) -> Result<(), Trouble> {
        self.full_residual(y, slope, out)
    }

    fn linearize(&mut self, y: &[f64], slope: &[f64]) -> Result<(), Trouble> {
        if self.thermal.is_some() {
            self.keep_temperature_column(y, slope)?;
        }
        self.keep_derivatives(y)
    }

    fn factor(&mut self, leading: f64) -> Result<(), Trouble> {
        self.factor_all(leading)
    }

    fn solve(&mut self, residual: &mut [f64]) {
        self.solve_all(residual);
    }

    fn restrain(&self, candidate: &mut [f64], from: &[f64]) -> bool {
        /// An unknown that would cross its bound goes this part of the way that is left.
        const PART: f64 = 0.9;
        let l = self.layout;
        let mut restrained = false;
        for i in l.salt..l.ionic {
            if candidate[i] <= 0.0 {
                candidate[i] = (1.0 - PART) * from[i];
                restrained = true;
            }
        }
        for (electrode, base) in self.electrodes.iter().zip(l.particles) {
            let start = base + electrode.surface_offset();
            for i in start..start + electrode.count {
                let bound = if candidate[i] <= 0.0 { 0.0 } else { electrode.max_concentration };
                if candidate[i] <= 0.0 || candidate[i] >= bound {
                    candidate[i] = bound + (1.0 - PART) * (from[i] - bound);
                    restrained = true;
                }
            }
        }
        restrained
    }

    fn set_weights(&mut self, y: &[f64]) {
        let l = self.layout;
        let (rtol, atol) = (self.rtol, self.atol);
        for (electrode, base) in self.electrodes.iter().zip(l.particles) {
            let end = base + electrode.particles.len();
            let floor = atol * electrode.max_concentration;
            for (w, c) in self.inverse_weights[base..end].iter_mut().zip(&y[base..end]) {
                *w = 1.0 / (rtol * c.abs() + floor);
            }
        }
        let floor = atol * self.electrolyte.initial;
        for (w, c) in self.inverse_weights[l.salt..l.ionic].iter_mut().zip(&y[l.salt..l.ionic]) {
            *w = 1.0 / (rtol * c.abs() + floor);
        }
        // Potentials have no natural zero: their tolerance is rtol of one volt.
        self.inverse_weights[l.ionic..l.flux].fill(1.0 / (rtol + atol));
        self.inverse_weights[l.temperature] = 1.0 / (rtol * y[l.temperature].abs());
    }

    fn norm(&self, v: &[f64]) -> f64 {
        let l = &self.layout;
        let groups = [
            (l.particles[0], l.particles[1]),
            (l.particles[1], l.salt),
            (l.salt, l.ionic),
            (l.ionic, l.flux),
        ];
        let temperature = v[l.temperature] * self.inverse_weights[l.temperature];
        let mut largest = temperature * temperature;
        for (start, end) in groups {
            let mut sum = 0.0;
            for (x, w) in v[start..end].iter().zip(&self.inverse_weights[start..end]) {
                sum += (x * w) * (x * w);
            }
            let mean = sum / (end - start) as f64;
            // NaN must not be lost in a maximum.
            if mean.is_nan() || mean > largest {
                largest = mean;
            }
        }
        largest.sqrt()
    }

    fn largest(&self, v: &[f64]) -> usize {
        let weighted = v.iter().zip(&self.inverse_weights).map(|(x, w)| (x * w).abs());
        weighted
            .enumerate()
            .fold((0, -1.0), |best, (i, s)| if s > best.1 || s.is_nan() { (i, s) } else { best })
            .0
    }

    fn quadrature_rates(&mut self, y: &[f64], out: &mut [f64]) {
        self.integral_rates(y, out);
    }
}
