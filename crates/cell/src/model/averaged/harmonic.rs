//! Harmonic response of the single-particle models.
//!
//! The salt answers linearly to the current that it carries and to the currents of the particles of each electrode
//! (or of the lithium sheet); these and the potential differences are two unknowns per electrode.

use super::super::harmonic::{DoubleLayers, FamilyResponse, HarmonicResponse, Losses};
use super::super::{CellModel, ElectrodeModel};
use crate::FARADAY;
use crate::solver::banded::Banded;
use num_complex::Complex64;

/// What does not depend on the frequency.
#[derive(Debug, Clone)]
pub(in crate::model) struct HarmonicAverage {
    /// Diffusion of the salt, and minus the divergence of what the unit current carries.
    diffusion: Banded,
    carried: Vec<Complex64>,
    /// Derivatives of the electrolyte's voltage E, by layers, with respect to the salt: in an electrode that of mean
    /// and separator's face, in the separator that of its faces.
    by_salt: [Vec<f64>; 3],
    /// L/(3 kappa) of the electrodes, L/kappa of the separator; the same of the solid; ohm m2.
    ionic_resistance: [f64; 3],
    solid_resistance: [f64; 3],
}

/// One side of the cell: its interfacial current is sign - capacity psi, and -gain psi - coupling . c.
struct Side {
    sign: f64,
    capacity: Complex64,
    gain: Complex64,
    coupling: Vec<Complex64>,
    /// Shares of the nodes in the source of salt.
    source: Vec<f64>,
}

/// Salt by the current that it carries, and by the interfacial current of each side, mol/m3 per A/m2.
type SaltResponse = (Vec<Complex64>, [Vec<Complex64>; 2]);

fn dot<A: Copy + Into<Complex64>>(a: &[A], b: &[Complex64]) -> Complex64 {
    a.iter().zip(b).map(|(a, b)| (*a).into() * b).sum()
}

impl HarmonicAverage {
    /// Of `model`, linearised at `y`.
    pub(in crate::model) fn new(model: &mut CellModel, y: &[f64]) -> Self {
        let n = model.line.len();
        let mut this = Self {
            diffusion: Banded::new(n, model.line.order),
            carried: Vec::new(),
            by_salt: [vec![0.0; n], vec![0.0; n], vec![0.0; n]],
            ionic_resistance: [0.0; 3],
            solid_resistance: [0.0; 3],
        };
        let Some(mut averaged) = model.averaged.take() else { return this };
        if n > 0 {
            model.leading = 0.0;
            averaged.response.fill(0.0);
            model.assemble_salt(&mut averaged);
            this.diffusion = averaged.matrix.clone();
            // The response holds the derivative of the rows, sources included: what is carried is the rest.
            for electrode in &model.electrodes {
                for (i, weight) in electrode.electrolyte_nodes().zip(&electrode.mean_weights) {
                    averaged.response[i] += electrode.sign * weight;
                }
            }
            if model.sheet.is_some() {
                averaged.response[0] += 1.0;
            }
            this.carried = averaged.response.iter().map(|v| Complex64::from(-v)).collect();
            this.fill_voltages(model, &averaged, y);
        }
        model.averaged = Some(averaged);
        this
    }

    fn fill_voltages(&mut self, model: &CellModel, averaged: &super::AveragedCell, y: &[f64]) {
        let (l, line) = (model.layout, &model.line);
        let salt = &y[l.salt..l.ionic];
        let (first, second) = faces(model);
        let thermal_voltage = model.temperatures(y).thermal_voltage();
        let scale = averaged.chi[0] * thermal_voltage;
        // Mean of ln c_e over each electrode and its value at the separator: their differences are the parts of E.
        let (at_first, at_second) = (salt[first].ln(), salt[second].ln());
        let mut logarithms = [0.0, at_second - at_first, 0.0];
        self.by_salt[1][second] += scale / salt[second];
        self.by_salt[1][first] -= scale / salt[first];
        for electrode in &model.electrodes {
            let layer = if electrode.sign > 0.0 { 0 } else { 2 };
            let (face, at_face) = if layer == 0 { (first, at_first) } else { (second, at_second) };
            for (i, weight) in electrode.electrolyte_nodes().zip(&electrode.mean_weights) {
                logarithms[layer] -= electrode.sign * weight * (salt[i].ln() - at_face);
                self.by_salt[layer][i] -= electrode.sign * scale * weight / salt[i];
            }
            self.by_salt[layer][face] += electrode.sign * scale / salt[face];
        }
        for layer in 0..3 {
            let thickness: f64 = line.layer_weights[layer].iter().sum();
            let share = if layer == 1 { 1.0 } else { 1.0 / 3.0 };
            if thickness > 0.0 {
                let node = if layer == 0 { 0 } else { second };
                let efficiency = model.electrolyte.efficiency(layer, node);
                let length = share * thickness / efficiency;
                self.ionic_resistance[layer] = length / averaged.kappa[0];
                let by_mean = averaged.chi[1] * thermal_voltage * logarithms[layer]
                    + y[l.current] * length * averaged.kappa[1] / averaged.kappa[0].powi(2);
                for (g, w) in self.by_salt[layer].iter_mut().zip(&averaged.mean_weights) {
                    *g += by_mean * w;
                }
                let conductivity = model.solid_conductivity(layer);
                if conductivity > 0.0 {
                    self.solid_resistance[layer] = share * thickness / conductivity;
                }
            }
        }
    }

    /// Response to unit current, or the row at which the matrix is singular.
    pub(in crate::model) fn response(
        &self,
        model: &CellModel,
        s: Complex64,
        double_layers: &DoubleLayers,
        families: &[Vec<FamilyResponse>],
    ) -> Result<HarmonicResponse, usize> {
        let sides = sides(model, s, double_layers, families);
        let (carried, sourced) = self.salt(model, s, &sides)?;
        // J = sign - capacity psi and J = -gain psi - coupling . (carried + sum of J sourced).
        let mut matrix = [[Complex64::ZERO; 2]; 2];
        let mut known = [Complex64::ZERO; 2];
        for (row, side) in sides.iter().enumerate() {
            known[row] = -side.sign - dot(&side.coupling, &carried);
            matrix[row][row] += side.gain - side.capacity;
            for (column, other) in sides.iter().enumerate() {
                let coupling = dot(&side.coupling, &sourced[column]);
                known[row] -= coupling * other.sign;
                matrix[row][column] -= coupling * other.capacity;
            }
        }
        let determinant = matrix[0][0] * matrix[1][1] - matrix[0][1] * matrix[1][0];
        let psi = [
            (known[0] * matrix[1][1] - known[1] * matrix[0][1]) / determinant,
            (known[1] * matrix[0][0] - known[0] * matrix[1][0]) / determinant,
        ];
        let mut salt = carried;
        for ((side, psi), sourced) in sides.iter().zip(psi).zip(&sourced) {
            let current = side.sign - side.capacity * psi;
            for (c, by_current) in salt.iter_mut().zip(sourced) {
                *c += current * by_current;
            }
        }
        Ok(self.evaluate(model, s, (double_layers, families), psi, &salt))
    }

    /// Salt that unit current carries, and that of unit interfacial current of each side.
    fn salt(&self, model: &CellModel, s: Complex64, sides: &[Side; 2]) -> Result<SaltResponse, usize> {
        let n = model.line.len();
        if n == 0 {
            return Ok((Vec::new(), [Vec::new(), Vec::new()]));
        }
        let mut matrix = Banded::new(n, model.line.order);
        matrix.copy_from(&self.diffusion);
        for (i, pore) in model.electrolyte.pore.iter().enumerate() {
            matrix.add(i, i, s * (FARADAY * pore));
        }
        matrix.factor()?;
        let mut carried = self.carried.clone();
        matrix.solve(&mut carried);
        let sourced = [&sides[0], &sides[1]].map(|side| {
            let mut salt: Vec<Complex64> = side.source.iter().map(|v| Complex64::from(*v)).collect();
            matrix.solve(&mut salt);
            salt
        });
        Ok((carried, sourced))
    }

    fn evaluate(
        &self,
        model: &CellModel,
        s: Complex64,
        (double_layers, families): (&DoubleLayers, &[Vec<FamilyResponse>]),
        psi: [Complex64; 2],
        salt: &[Complex64],
    ) -> HarmonicResponse {
        let mut losses = Losses::default();
        let positive = model.electrodes.len() - 1;
        for (index, electrode) in model.electrodes.iter().enumerate() {
            let psi = psi[usize::from(index == positive)];
            let capacity = s * double_layers.electrodes[index];
            for (family, response) in electrode.families.iter().zip(&families[index]) {
                let kinetic = kinetic(electrode, &family.row_salt, salt);
                response.add_losses(family, 0, [psi, kinetic, capacity], &mut losses);
            }
        }
        if let Some(sheet) = &model.sheet {
            let capacity = s * double_layers.sheet;
            let current = 1.0 - capacity * psi[0];
            let beside = salt.first().copied().unwrap_or_default();
            losses.transfer += current * current * sheet.kept[0];
            losses.concentration += current * sheet.kept[1] * beside;
            losses.double_layer += capacity * psi[0] * psi[0];
        }
        let mut layers = [psi[0], Complex64::ZERO, -psi[1]];
        for (layer, part) in layers.iter_mut().enumerate() {
            let concentration = -dot(&self.by_salt[layer], salt);
            *part += concentration + self.ionic_resistance[layer] + self.solid_resistance[layer];
            losses.concentration += concentration;
            losses.ionic += self.ionic_resistance[layer];
            losses.solid += self.solid_resistance[layer];
        }
        HarmonicResponse { layers, losses, contact: 0.0 }
    }
}

/// First and last electrolyte node of the separator.
fn faces(model: &CellModel) -> (usize, usize) {
    let mut starts = model.line.elements.iter().filter(|e| e.layer == 1).map(|e| e.start);
    let first = starts.next().unwrap_or(0);
    (first, starts.next_back().unwrap_or(first) + model.line.order)
}

/// Change of a kinetic row with the salt.
fn kinetic(electrode: &ElectrodeModel, row_salt: &[f64], salt: &[Complex64]) -> Complex64 {
    if salt.is_empty() { Complex64::ZERO } else { dot(row_salt, &salt[electrode.electrolyte_nodes()]) }
}

/// Negative (electrode or sheet) and positive side.
fn sides(
    model: &CellModel,
    s: Complex64,
    double_layers: &DoubleLayers,
    families: &[Vec<FamilyResponse>],
) -> [Side; 2] {
    let n = model.line.len();
    let of = |index: usize| {
        let electrode = &model.electrodes[index];
        let mut side = Side {
            sign: electrode.sign,
            capacity: s * double_layers.electrodes[index] * electrode.total_surface(),
            gain: Complex64::ZERO,
            coupling: vec![Complex64::ZERO; n],
            source: vec![0.0; n],
        };
        for (family, response) in electrode.families.iter().zip(&families[index]) {
            let gain = family.surface[0] * response.eliminated[0];
            side.gain += gain;
            if n > 0 {
                for (slot, row) in
                    side.coupling[electrode.electrolyte_nodes()].iter_mut().zip(&family.row_salt)
                {
                    *slot += gain * row;
                }
            }
        }
        if n > 0 {
            side.source[electrode.electrolyte_nodes()].copy_from_slice(&electrode.mean_weights);
        }
        side
    };
    let Some(sheet) = &model.sheet else { return [of(0), of(1)] };
    let mut side = Side {
        sign: 1.0,
        capacity: s * double_layers.sheet,
        gain: Complex64::from(-1.0 / sheet.kept[0]),
        coupling: vec![Complex64::ZERO; n],
        source: vec![0.0; n],
    };
    if n > 0 {
        side.coupling[0] = Complex64::from(sheet.kept[1] / sheet.kept[0]);
        side.source[0] = 1.0;
    }
    [side, of(0)]
}
