//! Linear algebra of a Newton step: particles and interfacial currents are eliminated node by node; what is
//! left, with the cell current, the terminal voltage and the temperature as bordered unknowns, is solved by
//! the model through the thickness.

use super::residual::{MAX_NODES, gradient};
use super::{CellModel, ControlRow};
use crate::solver::bdf::{DaeSystem, Trouble};

impl CellModel {
    /// Keeps the derivatives of the material functions and of the kinetic rows at y.
    pub(super) fn keep_derivatives(&mut self, y: &[f64]) -> Result<(), Trouble> {
        self.evaluate_materials(y, true)?;
        let l = self.layout;
        let thermal_voltage = self.temperatures(y).thermal_voltage();
        let averaged = self.averaged.is_some();
        for electrode in &mut self.electrodes {
            for family in &mut electrode.families {
                family.keep_derivatives(y, thermal_voltage, &electrode.mean_weights);
                for k in 0..electrode.count {
                    let ionic = if averaged { 0.0 } else { y[l.ionic + electrode.first + k] };
                    let psi = y[l.solid + electrode.offset + k] - ionic;
                    family.keep_side(y, k, psi, y[l.temperature]);
                }
            }
        }
        if let Some(sheet) = &mut self.sheet {
            sheet.keep(y[l.current], thermal_voltage);
        }
        let e = &mut self.electrolyte;
        e.keep(&self.salt);
        let p = self.line.order;
        let mut values = [0.0; MAX_NODES];
        for (index, element) in self.line.elements.iter().enumerate() {
            let range = element.start..element.start + p + 1;
            gradient(&self.line, &self.salt[range.clone()], element.scale, &mut values);
            e.kept.salt_gradient[index * (p + 1)..(index + 1) * (p + 1)].copy_from_slice(&values[..=p]);
            if self.averaged.is_none() {
                let potential = &y[l.ionic + range.start..l.ionic + range.end];
                gradient(&self.line, potential, element.scale, &mut values);
                e.kept.ionic_gradient[index * (p + 1)..(index + 1) * (p + 1)].copy_from_slice(&values[..=p]);
            }
        }
        self.kept_temperature = y[l.temperature];
        self.kept_current = y[l.current];
        self.kept_voltage = y[l.voltage];
        self.keep_electrolyte_gradient(y);
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

    pub(super) fn factor_all(&mut self, leading: f64) -> Result<(), Trouble> {
        self.leading = leading;
        let with_particles = (!self.potentials_only).then_some(leading);
        for family in self.electrodes.iter_mut().flat_map(|e| &mut e.families) {
            family.factor(with_particles)?;
        }
        if self.averaged.is_some() { self.factor_averaged() } else { self.factor_chain() }
    }

    /// Cell current and terminal voltage from the control row and the voltage row
    /// V = (voltage row's right-hand side) + own + slope times current.
    pub(super) fn bordered(&self, b: &[f64], own: f64, slope: f64) -> (f64, f64) {
        let l = self.layout;
        let (by_voltage, by_current) = match self.control {
            ControlRow::Current(_) => (0.0, 1.0),
            ControlRow::Voltage(_) => (1.0, 0.0),
            ControlRow::Power(_) => (self.kept_current, self.kept_voltage),
            ControlRow::Resistance(value) => (1.0, -value),
        };
        let fixed = b[l.voltage] + own;
        let current = (b[l.current] - by_voltage * fixed) / (by_current + by_voltage * slope);
        (current, fixed + slope * current)
    }

    /// Overwrites `b` by the solution of the factored Newton system.
    pub(super) fn solve_all(&mut self, b: &mut [f64]) {
        let temperature = self.solve_particles(b);
        if self.averaged.is_some() {
            self.solve_averaged(b);
        } else {
            self.solve_chain(b);
        }
        self.substitute_particles(b, temperature);
    }

    /// Overwrites each of `vectors` by the solution of the factored Newton system.
    pub(crate) fn solve_several(&mut self, vectors: &mut [Vec<f64>]) {
        if self.averaged.is_some() || vectors.len() < 2 {
            for b in vectors {
                self.solve_all(b);
            }
            return;
        }
        let temperatures: Vec<f64> = vectors.iter_mut().map(|b| self.solve_particles(b)).collect();
        self.solve_chains(vectors);
        for (b, temperature) in vectors.iter_mut().zip(temperatures) {
            self.substitute_particles(b, temperature);
        }
    }

    /// Takes the temperature, which is given, and the particles' solutions for no current out of the right-hand
    /// side `b`.
    fn solve_particles(&self, b: &mut [f64]) -> f64 {
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
        for family in self.electrodes.iter().flat_map(|e| &e.families) {
            let block = &mut b[family.range()];
            if self.potentials_only {
                block.fill(0.0);
            } else {
                family.particles.solve(block);
            }
        }
        temperature
    }

    /// Puts the currents and the temperature that were found into the particles.
    fn substitute_particles(&self, b: &mut [f64], temperature: f64) {
        for family in self.electrodes.iter().flat_map(|e| &e.families) {
            let count = family.count();
            for (row, response) in family.response.chunks_exact(count).enumerate() {
                for k in 0..count {
                    let change = response[k] * b[family.flux + k];
                    b[family.base + row * count + k] -= change;
                }
            }
            if let Some(hysteresis) = &family.hysteresis {
                hysteresis.finish(b, family.flux);
            }
        }
        b[self.layout.temperature] = temperature;
    }
}

impl DaeSystem for CellModel {
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
        for family in self.families() {
            let start = family.surface_start();
            for i in start..start + family.count() {
                let bound = if candidate[i] <= 0.0 { 0.0 } else { family.max_concentration };
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
        for family in self.electrodes.iter().flat_map(|e| &e.families) {
            let floor = atol * family.max_concentration;
            let range = family.range();
            for (w, c) in self.inverse_weights[range.clone()].iter_mut().zip(&y[range]) {
                *w = 1.0 / (rtol * c.abs() + floor);
            }
        }
        for side in self.electrodes.iter().flat_map(|e| &e.families).filter_map(|f| f.side.as_ref()) {
            for (range, scale) in side.states() {
                for (w, v) in self.inverse_weights[range.clone()].iter_mut().zip(&y[range]) {
                    *w = 1.0 / (rtol * v.abs() + atol * scale);
                }
            }
        }
        for hysteresis in
            self.electrodes.iter().flat_map(|e| &e.families).filter_map(|f| f.hysteresis.as_ref())
        {
            // The state has the scale 1 also where it is near 0.
            self.inverse_weights[hysteresis.range()].fill(1.0 / (rtol + atol));
        }
        let floor = atol * self.electrolyte.initial;
        for (w, c) in self.inverse_weights[l.salt..l.ionic].iter_mut().zip(&y[l.salt..l.ionic]) {
            *w = 1.0 / (rtol * c.abs() + floor);
        }
        // Potentials have no natural zero: their tolerance is rtol of one volt.
        self.inverse_weights[l.ionic..l.flux].fill(1.0 / (rtol + atol));
        self.inverse_weights[l.temperature] = 1.0 / (rtol * y[l.temperature].abs());
    }

    /// Largest of the root mean squares over the kinds of unknowns.
    fn norm(&self, v: &[f64]) -> f64 {
        let l = &self.layout;
        let temperature = v[l.temperature] * self.inverse_weights[l.temperature];
        let mut largest = temperature * temperature;
        let mut consider = |range: std::ops::Range<usize>| {
            if range.is_empty() {
                return;
            }
            let count = range.len() as f64;
            let mut sum = 0.0;
            for (x, w) in v[range.clone()].iter().zip(&self.inverse_weights[range]) {
                sum += (x * w) * (x * w);
            }
            let mean = sum / count;
            // NaN must not be lost in a maximum.
            if mean.is_nan() || mean > largest {
                largest = mean;
            }
        };
        for family in self.families() {
            consider(family.range());
        }
        for side in self.families().filter_map(|family| family.side.as_ref()) {
            for (range, _) in side.states() {
                consider(range);
            }
        }
        for hysteresis in self.families().filter_map(|family| family.hysteresis.as_ref()) {
            consider(hysteresis.range());
        }
        consider(l.salt..l.ionic);
        consider(l.ionic..l.flux);
        largest.sqrt()
    }

    fn largest(&self, v: &[f64]) -> usize {
        let weighted = v.iter().zip(&self.inverse_weights).map(|(x, w)| (x * w).abs());
        weighted
            .enumerate()
            .fold((0, -1.0), |best, (i, s)| if s > best.1 || s.is_nan() { (i, s) } else { best })
            .0
    }

    fn differential(&self) -> Vec<bool> {
        let l = &self.layout;
        let mut differential = vec![false; l.integrals];
        for family in self.families() {
            differential[family.range()].fill(true);
            for (range, _) in family.side.iter().flat_map(|side| side.states()) {
                differential[range].fill(true);
            }
            if let Some(hysteresis) = &family.hysteresis {
                differential[hysteresis.range()].fill(true);
            }
        }
        differential[l.salt..l.ionic].fill(true);
        differential[l.temperature] = true;
        differential
    }

    fn set_time(&mut self, time: f64) {
        self.control_change = self.control_slope * (time - self.control_start);
    }

    fn quadrature_rates(&mut self, y: &[f64], out: &mut [f64]) {
        self.integral_rates(y, out);
    }
}
