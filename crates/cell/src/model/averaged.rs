//! Single-particle models: one particle (of each family) stands for an electrode, and the interfacial
//! current is uniform. With electrolyte: the canonical composite model of Marquis et al., J. Electrochem.
//! Soc. 166 (2019) A3693, section "SPMe": salt diffuses with the uniform source, and the voltage gains
//!
//! ```text
//! E = chi RT/F (mean_p ln c_e - mean_n ln c_e) - I (L_n/(3 k_n) + L_s/k_s + L_p/(3 k_p) + L_n/(3 s_n) + L_p/(3 s_p)),
//! ```
//!
//! chi = 2 (1 - t+) (thermodynamic factor) and the effective conductivities k at the mean concentration, s
//! those of the solid. The reaction overpotential is the mean over the electrode of that with the local
//! electrolyte concentration.

pub(super) mod harmonic;

use super::family::{NO_VALUE, Temperatures};
use super::residual::{MAX_NODES, add_divergence, gradient};
use super::{CellModel, integral, trouble};
use crate::FARADAY;
use crate::expression::FormulaWorkspace;
use crate::mesh::LineMesh;
use crate::parameters::ParameterSet;
use crate::property::{Activated, Property, Undefined};
use crate::solver::banded::Banded;
use crate::solver::bdf::Trouble;

/// What the single-particle models keep beside the electrodes.
#[derive(Debug, Clone)]
pub(super) struct AveragedCell {
    conductivity: Activated,
    transference: Property,
    factor: Property,
    /// Shares of the nodes in the mean over the cell.
    mean_weights: Vec<f64>,
    /// Ionic resistance times conductivity, and resistance of the solid, ohm m2.
    ionic_length: f64,
    solid_resistance: f64,
    /// Electrolyte current over cell current at each element node.
    ramp: Vec<f64>,
    /// Conductivity and chi at the mean concentration, with derivatives.
    kappa: [f64; 2],
    chi: [f64; 2],
    pub(super) matrix: Banded,
    /// Response of the salt to unit cell current; of the means of both electrodes, (own, by current).
    pub(super) response: Vec<f64>,
    /// Derivatives of E at the last linearisation: with respect to the concentrations, and minus that with
    /// respect to the current.
    pub(super) gradient: Vec<f64>,
    pub(super) kept_resistance: f64,
}

impl AveragedCell {
    pub(super) fn new(p: &ParameterSet, line: &LineMesh) -> Self {
        let n = line.len();
        let negative = p.negative.porous();
        let total: f64 = line.layer_weights.iter().flatten().sum();
        let mean_weights =
            (0..n).map(|i| line.layer_weights.iter().map(|w| w[i]).sum::<f64>() / total).collect();
        let mut ionic_length = p.separator.thickness_m / p.separator.electrolyte_efficiency;
        let mut solid_resistance = 0.0;
        for electrode in negative.into_iter().chain([&p.positive]) {
            ionic_length += electrode.thickness_m / (3.0 * electrode.electrolyte_efficiency);
            solid_resistance +=
                electrode.thickness_m / (3.0 * electrode.conductivity_s_per_m * electrode.solid_efficiency);
        }
        if n == 0 {
            (ionic_length, solid_resistance) = (0.0, 0.0);
        }
        let first = negative.map_or(0.0, |e| e.thickness_m);
        let second = first + p.separator.thickness_m;
        let mut ramp = Vec::new();
        for element in &line.elements {
            for x in &line.nodes[element.start..=element.start + line.order] {
                ramp.push(match element.layer {
                    0 => x / first,
                    1 => 1.0,
                    _ => 1.0 - (x - second) / p.positive.thickness_m,
                });
            }
        }
        Self {
            conductivity: p.electrolyte.conductivity.clone(),
            transference: p.electrolyte.transference_number.clone(),
            factor: p.electrolyte.thermodynamic_factor.clone(),
            mean_weights,
            ionic_length,
            solid_resistance,
            ramp,
            kappa: [1.0, 0.0],
            chi: [0.0, 0.0],
            matrix: Banded::new(n, line.order),
            response: vec![0.0; n],
            gradient: vec![0.0; n],
            kept_resistance: 0.0,
        }
    }

    /// Of electrolyte and solid, ohm m2.
    fn resistance(&self) -> f64 {
        self.ionic_length / self.kappa[0] + self.solid_resistance
    }

    /// Evaluates conductivity and chi at the mean of `salt`.
    pub(super) fn evaluate(
        &mut self,
        salt: &[f64],
        temperatures: Temperatures,
        workspace: &mut FormulaWorkspace,
        base: usize,
    ) -> Result<(), Trouble> {
        if salt.is_empty() {
            return Ok(());
        }
        let mean: f64 = self.mean_weights.iter().zip(salt).map(|(w, c)| w * c).sum();
        let mut at_mean = |property: &Property| -> Result<[f64; 2], Undefined> {
            if let Some(value) = property.as_constant() {
                return Ok([value, 0.0]);
            }
            let (mut value, mut slope) = ([0.0], [0.0]);
            let variables = [&[mean][..], &[mean], &[0.0], &[temperatures.kelvin]];
            let toward = [1.0, 1.0, 0.0, 0.0];
            property.evaluate_dual(variables, toward, workspace, &mut value, &mut slope)?;
            Ok([value[0], slope[0]])
        };
        let mut evaluate = || -> Result<[[f64; 2]; 3], Undefined> {
            Ok([
                at_mean(&self.conductivity.at_reference)?,
                at_mean(&self.transference)?,
                at_mean(&self.factor)?,
            ])
        };
        let [kappa, t, factor] = evaluate().map_err(|u| trouble(base, u.value, NO_VALUE))?;
        let activation = self.conductivity.arrhenius_factor(temperatures.kelvin, temperatures.reference);
        self.kappa = kappa.map(|v| v * activation);
        self.chi = [2.0 * (1.0 - t[0]) * factor[0], 2.0 * ((1.0 - t[0]) * factor[1] - t[1] * factor[0])];
        Ok(())
    }
}

impl CellModel {
    /// Salt, kinetic, charge and voltage rows.
    pub(super) fn averaged_rows(&self, y: &[f64], slope: &[f64], out: &mut [f64]) {
        let l = self.layout;
        let current = y[l.current];
        let kelvin = y[l.temperature];
        let thermal_voltage = self.temperatures(y).thermal_voltage();
        self.averaged_salt_rows(y, out);
        for (index, electrode) in self.electrodes.iter().enumerate() {
            let potential = y[l.solid + index];
            out[l.solid + index] = -electrode.sign * current;
            for family in &electrode.families {
                let j = y[family.flux];
                out[l.solid + index] += family.surface[0] * family.total_current(y, 0);
                let eta = family.mean_overpotential(0, j, thermal_voltage, &electrode.mean_weights);
                let film = family.side_rows((y, slope), 0, potential, kelvin, out);
                out[family.flux] = potential - family.voltage[0] - eta - film;
            }
        }
        let negative = match &self.sheet {
            Some(sheet) => sheet.overpotential(current, thermal_voltage),
            None => y[l.solid],
        };
        let loss = self.electrolyte_voltage(y) - self.contact_resistance * current;
        out[l.voltage] = y[l.voltage] - (y[l.flux - 1] - negative) - loss;
    }

    fn averaged_salt_rows(&self, y: &[f64], out: &mut [f64]) {
        let l = self.layout;
        let (line, e) = (&self.line, &self.electrolyte);
        let Some(averaged) = &self.averaged else { return };
        let (p, current) = (line.order, y[l.current]);
        let mut salt_gradient = [0.0; MAX_NODES];
        let mut flux = [0.0; MAX_NODES];
        for (index, element) in line.elements.iter().enumerate() {
            let (start, end) = (element.start, element.start + p + 1);
            gradient(line, &y[l.salt + start..l.salt + end], element.scale, &mut salt_gradient);
            for q in 0..=p {
                let node = start + q;
                let diffusion = e.efficiency(element.layer, node) * FARADAY * e.d[node] * salt_gradient[q];
                flux[q] = diffusion - e.t[node] * current * averaged.ramp[index * (p + 1) + q];
            }
            add_divergence(line, &flux, &mut out[l.salt + start..l.salt + end]);
        }
        for electrode in &self.electrodes {
            for (i, weight) in electrode.electrolyte_nodes().zip(&electrode.mean_weights) {
                out[l.salt + i] -= electrode.sign * current * weight;
            }
        }
        if self.sheet.is_some() && !line.nodes.is_empty() {
            out[l.salt] -= current;
        }
    }

    /// Mean of ln c_e in both electrodes (beside the sheet of a half cell), positive minus negative.
    fn logarithms(&self, y: &[f64]) -> f64 {
        let salt = &y[self.layout.salt..self.layout.ionic];
        let mut difference = 0.0;
        for electrode in &self.electrodes {
            for (i, weight) in electrode.electrolyte_nodes().zip(&electrode.mean_weights) {
                difference -= electrode.sign * weight * salt[i].ln();
            }
        }
        if self.sheet.is_some() { difference - salt[0].ln() } else { difference }
    }

    /// E of the module, with the properties as they were last evaluated.
    fn electrolyte_voltage(&self, y: &[f64]) -> f64 {
        let Some(averaged) = &self.averaged else { return 0.0 };
        if self.line.nodes.is_empty() {
            return 0.0;
        }
        let thermal_voltage = self.temperatures(y).thermal_voltage();
        averaged.chi[0] * thermal_voltage * self.logarithms(y)
            - y[self.layout.current] * averaged.resistance()
    }

    /// Ohmic heats of the single-particle models: what E takes from the voltage.
    pub(super) fn add_averaged_ohmic_heat(&self, y: &[f64], out: &mut [f64]) {
        let Some(averaged) = &self.averaged else { return };
        let current = y[self.layout.current];
        let solid = current * current * averaged.solid_resistance;
        out[integral::OHMIC_SOLID] += solid;
        out[integral::OHMIC_ELECTROLYTE] -= current * self.electrolyte_voltage(y) + solid;
    }

    /// Keeps the derivative of E with respect to the concentrations.
    pub(super) fn keep_electrolyte_gradient(&mut self, y: &[f64]) {
        let l = self.layout;
        if self.line.nodes.is_empty() || self.averaged.is_none() {
            return;
        }
        let thermal_voltage = self.temperatures(y).thermal_voltage();
        let logarithms = self.logarithms(y);
        let Some(averaged) = &mut self.averaged else { return };
        averaged.kept_resistance = averaged.resistance();
        let by_mean = averaged.chi[1] * thermal_voltage * logarithms
            + y[l.current] * averaged.ionic_length * averaged.kappa[1] / averaged.kappa[0].powi(2);
        for (g, w) in averaged.gradient.iter_mut().zip(&averaged.mean_weights) {
            *g = by_mean * w;
        }
        let scale = averaged.chi[0] * thermal_voltage;
        for electrode in &self.electrodes {
            for (i, weight) in electrode.electrolyte_nodes().zip(&electrode.mean_weights) {
                averaged.gradient[i] -= scale * electrode.sign * weight / y[l.salt + i];
            }
        }
        if let Some(sheet) = &self.sheet {
            averaged.gradient[0] -= scale / y[l.salt] + sheet.kept[1];
        }
    }

    /// Factors the salt's matrix and keeps its response to the current.
    pub(super) fn factor_averaged(&mut self) -> Result<(), Trouble> {
        let Some(mut averaged) = self.averaged.take() else { return Ok(()) };
        averaged.response.fill(0.0);
        let mut outcome = Ok(());
        if !self.potentials_only && !self.line.nodes.is_empty() {
            self.assemble_salt(&mut averaged);
            outcome = averaged
                .matrix
                .factor()
                .map_err(|row| trouble(self.layout.salt + row, 0.0, "the Newton matrix is singular"));
            if outcome.is_ok() {
                averaged.matrix.solve(&mut averaged.response);
            }
        }
        self.averaged = Some(averaged);
        outcome
    }

    /// Matrix of the salt, and the derivative of its rows with respect to the current (in `response`).
    fn assemble_salt(&self, averaged: &mut AveragedCell) {
        let (line, e) = (&self.line, &self.electrolyte);
        let kept = &e.kept;
        let size = line.order + 1;
        averaged.matrix.clear();
        for (i, pore) in e.pore.iter().enumerate() {
            averaged.matrix.add(i, i, self.leading * FARADAY * pore);
        }
        for (index, element) in line.elements.iter().enumerate() {
            let scale = FARADAY * e.efficiency(element.layer, element.start);
            for i in 0..size {
                for j in 0..size {
                    let trial: f64 = (0..size)
                        .map(|q| {
                            line.weights[q]
                                * line.derivative[q * size + i]
                                * line.derivative[q * size + j]
                                * kept.d[element.start + q]
                        })
                        .sum();
                    let node = element.start + j;
                    let test = line.weights[j] * line.derivative[j * size + i];
                    let ramp = averaged.ramp[index * size + j];
                    let local = test
                        * (scale * kept.d_slope[node] * kept.salt_gradient[index * size + j]
                            - kept.t_slope[node] * self.kept_current * ramp);
                    averaged.matrix.add(element.start + i, node, scale * element.scale * trial + local);
                    averaged.response[element.start + i] -= test * kept.t[node] * ramp;
                }
            }
        }
        for electrode in &self.electrodes {
            for (i, weight) in electrode.electrolyte_nodes().zip(&electrode.mean_weights) {
                averaged.response[i] -= electrode.sign * weight;
            }
        }
        if self.sheet.is_some() {
            averaged.response[0] -= 1.0;
        }
    }

    /// Solves for salt, potential differences, interfacial currents, cell current and voltage; the
    /// particles' blocks of `b` already hold their solution.
    pub(super) fn solve_averaged(&mut self, b: &mut [f64]) {
        let l = self.layout;
        let Some(averaged) = self.averaged.take() else { return };
        if self.potentials_only {
            b[l.salt..l.ionic].fill(0.0);
        } else if !self.line.nodes.is_empty() {
            averaged.matrix.solve(&mut b[l.salt..l.ionic]);
        }
        let dot = |g: &[f64], v: &[f64]| g.iter().zip(v).map(|(a, b)| a * b).sum::<f64>();
        // Every potential difference is own + slope times the cell current.
        let mut own = dot(&averaged.gradient, &b[l.salt..l.ionic]);
        let mut slope =
            -dot(&averaged.gradient, &averaged.response) - self.contact_resistance - averaged.kept_resistance;
        if let Some(sheet) = &self.sheet {
            slope -= sheet.kept[0];
        }
        let mut differences = [[0.0; 2]; 2];
        for (index, electrode) in self.electrodes.iter().enumerate() {
            let nodes = electrode.electrolyte_nodes();
            let (mut gain, mut fixed, mut by_current) = (0.0, -b[l.solid + index], -electrode.sign);
            for family in &electrode.families {
                let gains = family.gains[0];
                let mut charge = family.solve_local(b, 0, !self.potentials_only);
                if !averaged.response.is_empty() {
                    let known = dot(&family.row_salt, &b[l.salt + nodes.start..l.salt + nodes.end]);
                    charge -= gains.kinetics * known;
                    let response = dot(&family.row_salt, &averaged.response[nodes.clone()]);
                    by_current += family.surface[0] * gains.kinetics * response;
                }
                by_current -= family.surface[0] * gains.kinetics * family.row_current(0);
                gain += family.surface[0] * gains.potential;
                fixed += family.surface[0] * charge;
            }
            differences[index] = [fixed / gain, by_current / gain];
            own -= electrode.sign * differences[index][0];
            slope -= electrode.sign * differences[index][1];
        }
        let (current, voltage) = self.bordered(b, own, slope);
        for (value, response) in b[l.salt..l.ionic].iter_mut().zip(&averaged.response) {
            *value -= current * response;
        }
        for (index, electrode) in self.electrodes.iter().enumerate() {
            let nodes = electrode.electrolyte_nodes();
            let difference = differences[index][0] + current * differences[index][1];
            b[l.solid + index] = difference;
            for family in &electrode.families {
                let mut kinetic = -family.row_current(0) * current;
                if !averaged.response.is_empty() {
                    kinetic -= dot(&family.row_salt, &b[l.salt + nodes.start..l.salt + nodes.end]);
                }
                family.substitute_local(b, 0, difference, 0.0, kinetic);
            }
        }
        (b[l.current], b[l.voltage]) = (current, voltage);
        self.averaged = Some(averaged);
    }
}
