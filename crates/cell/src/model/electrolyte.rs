//! The electrolyte: its constants and the values of its properties at the last evaluation.

use super::family::{NO_VALUE, Temperatures, overpotential};
use super::trouble;
use crate::expression::FormulaWorkspace;
use crate::mesh::LineMesh;
use crate::parameters::{Electrolyte, Kinetics, LithiumMetal, ParameterSet};
use crate::property::{Activated, Property, Undefined};
use crate::solver::bdf::Trouble;

const DEPLETED: &str = "the electrolyte concentration is not positive";

/// Constants and last values of the electrolyte.
#[derive(Debug, Clone)]
pub(crate) struct ElectrolyteModel {
    diffusivity: Activated,
    conductivity: Activated,
    transference: Property,
    factor: Property,
    pub(crate) initial: f64,
    /// Transport efficiency of each layer with open pores.
    efficiency: [f64; 3],
    /// Porosity of the negative electrode with open pores, and the exponent that takes its porosity to its
    /// transport efficiency.
    open_pores: [f64; 2],
    /// Where pores fill: salt concentration over unknown (the unknown is the amount of salt per open pore
    /// volume), and efficiency of the negative electrode over that with open pores, at each node. Empty where
    /// they do not.
    dilution: Vec<f64>,
    constriction: Vec<f64>,
    /// Pore volume per area that belongs to each node, m.
    pub(crate) pore: Vec<f64>,
    pub(super) d: Vec<f64>,
    pub(super) d_slope: Vec<f64>,
    pub(super) kappa: Vec<f64>,
    pub(super) kappa_slope: Vec<f64>,
    pub(super) t: Vec<f64>,
    pub(super) t_slope: Vec<f64>,
    /// 2 (1 - t+) (thermodynamic factor) at each node, and its slope.
    pub(super) chi: Vec<f64>,
    pub(super) chi_slope: Vec<f64>,
    /// Neither t+ nor the thermodynamic factor depends on anything.
    constant: bool,
    /// Kept for the factors: values and gradients at each element node.
    pub(super) kept: Kept,
    scratch: [Vec<f64>; 2],
}

/// Values of the last linearisation.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    pub(super) d: Vec<f64>,
    pub(super) d_slope: Vec<f64>,
    pub(super) kappa: Vec<f64>,
    pub(super) kappa_slope: Vec<f64>,
    pub(super) t: Vec<f64>,
    pub(super) t_slope: Vec<f64>,
    pub(super) chi: Vec<f64>,
    pub(super) chi_slope: Vec<f64>,
    pub(super) salt: Vec<f64>,
    pub(super) dilution: Vec<f64>,
    pub(super) salt_gradient: Vec<f64>,
    pub(super) ionic_gradient: Vec<f64>,
}

impl ElectrolyteModel {
    pub(super) fn new(p: &ParameterSet, line: &LineMesh) -> Self {
        let Electrolyte { initial_concentration, transference_number, thermodynamic_factor, .. } =
            &p.electrolyte;
        let (negative, separator, positive) = (p.negative.porous(), &p.separator, &p.positive);
        let porosity = [negative.map_or(0.0, |e| e.porosity), separator.porosity, positive.porosity];
        let efficiency = [
            negative.map_or(0.0, |e| e.electrolyte_efficiency),
            separator.electrolyte_efficiency,
            positive.electrolyte_efficiency,
        ];
        let n = line.len();
        let at_elements = line.elements.len() * (line.order + 1);
        let pore = (0..n)
            .map(|i| (0..3).map(|layer| porosity[layer] * line.layer_weights[layer][i]).sum())
            .collect();
        let zero = || vec![0.0; n];
        let t = transference_number.as_constant();
        let factor = thermodynamic_factor.as_constant();
        let chi = t.zip(factor).map_or(0.0, |(t, factor)| 2.0 * (1.0 - t) * factor);
        Self {
            diffusivity: p.electrolyte.diffusivity.clone(),
            conductivity: p.electrolyte.conductivity.clone(),
            transference: transference_number.clone(),
            factor: thermodynamic_factor.clone(),
            initial: *initial_concentration,
            open_pores: [porosity[0], efficiency[0].ln() / porosity[0].ln()],
            efficiency,
            dilution: Vec::new(),
            constriction: Vec::new(),
            pore,
            d: zero(),
            d_slope: zero(),
            kappa: zero(),
            kappa_slope: zero(),
            t: vec![t.unwrap_or(0.0); n],
            t_slope: zero(),
            chi: vec![chi; n],
            chi_slope: zero(),
            constant: t.is_some() && factor.is_some(),
            kept: Kept {
                salt_gradient: vec![0.0; at_elements],
                ionic_gradient: vec![0.0; at_elements],
                ..Kept::default()
            },
            scratch: [zero(), zero()],
        }
    }

    /// Whether a property differs from that of `other`.
    pub(super) fn differs(&self, other: &Self) -> bool {
        self.diffusivity != other.diffusivity
            || self.conductivity != other.conductivity
            || self.transference != other.transference
            || self.factor != other.factor
    }

    /// Whether pores or transport efficiencies differ from those of `other`.
    pub(super) fn geometry_differs(&self, other: &Self) -> bool {
        self.pore != other.pore || self.efficiency != other.efficiency || self.initial != other.initial
    }

    /// Takes the values that another one last had.
    pub(super) fn copy_values(&mut self, other: &Self) {
        let pairs = [
            (&mut self.d, &other.d),
            (&mut self.kappa, &other.kappa),
            (&mut self.t, &other.t),
            (&mut self.chi, &other.chi),
        ];
        for (own, other) in pairs {
            own.copy_from_slice(other);
        }
    }

    /// Transport efficiency at `node` as seen from `layer`.
    pub(super) fn efficiency(&self, layer: usize, node: usize) -> f64 {
        match self.constriction.get(node) {
            Some(factor) if layer == 0 => self.efficiency[layer] * factor,
            _ => self.efficiency[layer],
        }
    }

    /// Salt concentration at `node` over its unknown.
    pub(super) fn dilution(&self, node: usize) -> f64 {
        self.dilution.get(node).copied().unwrap_or(1.0)
    }

    /// Concentrations of the nodes from `start` on from their unknowns.
    pub(super) fn concentrations(&self, start: usize, unknowns: &[f64], out: &mut [f64]) {
        for (i, (c, u)) in out.iter_mut().zip(unknowns).enumerate() {
            *c = u * self.dilution(start + i);
        }
    }

    /// Takes into account `filled`, the volume of products per volume of the negative electrode at its nodes,
    /// which are the first; `volume` is the electrode's volume per area at each, m. Gives the node whose pores
    /// are full, if any.
    pub(super) fn fill_pores(&mut self, filled: &[f64], volume: &[f64]) -> Result<(), usize> {
        /// Less than this part of the pores left is none.
        const LEAST: f64 = 0.01;
        let [open, exponent] = self.open_pores;
        self.dilution.resize(self.pore.len(), 1.0);
        self.constriction.resize(self.pore.len(), 1.0);
        for (k, (filled, volume)) in filled.iter().zip(volume).enumerate() {
            let left = 1.0 - filled / open;
            if left.is_nan() || left < LEAST {
                return Err(k);
            }
            self.constriction[k] = left.powf(exponent);
            self.dilution[k] = self.pore[k] / (self.pore[k] - filled * volume);
        }
        Ok(())
    }

    /// Evaluates the properties at concentrations `salt` (`base` is their position among the unknowns).
    pub(super) fn evaluate(
        &mut self,
        salt: &[f64],
        temperatures: Temperatures,
        derivatives: bool,
        workspace: &mut FormulaWorkspace,
        base: usize,
    ) -> Result<(), Trouble> {
        if let Some(i) = salt.iter().position(|c| c.is_nan() || *c <= 0.0) {
            return Err(trouble(base + i, salt[i], DEPLETED));
        }
        let at = |u: Undefined| trouble(base + u.index, u.value, NO_VALUE);
        let variables = [salt, salt, &[0.0], &[temperatures.kelvin]];
        let jobs = [
            (&self.diffusivity, &mut self.d, &mut self.d_slope),
            (&self.conductivity, &mut self.kappa, &mut self.kappa_slope),
        ];
        for (property, value, slope) in jobs {
            let factor = property.arrhenius_factor(temperatures.kelvin, temperatures.reference);
            let property = &property.at_reference;
            evaluate(property, variables, derivatives, workspace, value, slope).map_err(at)?;
            for (i, v) in value.iter_mut().enumerate() {
                *v *= factor;
                if *v <= 0.0 {
                    return Err(trouble(base + i, *v, "an electrolyte transport property is not positive"));
                }
            }
            if factor != 1.0 {
                for s in slope.iter_mut() {
                    *s *= factor;
                }
            }
        }
        if !self.constant {
            self.evaluate_migration(variables, derivatives, workspace).map_err(at)?;
        }
        Ok(())
    }

    fn evaluate_migration(
        &mut self,
        variables: [&[f64]; 4],
        derivatives: bool,
        workspace: &mut FormulaWorkspace,
    ) -> Result<(), Undefined> {
        let (t, t_slope) = (&mut self.t, &mut self.t_slope);
        evaluate(&self.transference, variables, derivatives, workspace, t, t_slope)?;
        let [factor, factor_slope] = &mut self.scratch;
        evaluate(&self.factor, variables, derivatives, workspace, factor, factor_slope)?;
        for i in 0..t.len() {
            self.chi[i] = 2.0 * (1.0 - t[i]) * factor[i];
            self.chi_slope[i] = 2.0 * ((1.0 - t[i]) * factor_slope[i] - t_slope[i] * factor[i]);
        }
        Ok(())
    }

    pub(super) fn keep(&mut self, salt: &[f64]) {
        let kept = &mut self.kept;
        let pairs = [
            (&mut kept.d, self.d.as_slice()),
            (&mut kept.d_slope, &self.d_slope),
            (&mut kept.kappa, &self.kappa),
            (&mut kept.kappa_slope, &self.kappa_slope),
            (&mut kept.t, &self.t),
            (&mut kept.t_slope, &self.t_slope),
            (&mut kept.chi, &self.chi),
            (&mut kept.chi_slope, &self.chi_slope),
            (&mut kept.salt, salt),
        ];
        for (kept, now) in pairs {
            kept.clear();
            kept.extend_from_slice(now);
        }
        kept.dilution.clear();
        kept.dilution.extend((0..salt.len()).map(|i| self.dilution.get(i).copied().unwrap_or(1.0)));
    }
}

/// Value and, if asked for, derivative along c_e.
fn evaluate(
    property: &Property,
    variables: [&[f64]; 4],
    derivatives: bool,
    workspace: &mut FormulaWorkspace,
    value: &mut [f64],
    slope: &mut [f64],
) -> Result<(), Undefined> {
    if !derivatives {
        return property.evaluate(variables, workspace, value).map(|_| ());
    }
    // Files name the concentration x or c_e.
    let toward = [1.0, 1.0, 0.0, 0.0];
    property.evaluate_dual(variables, toward, workspace, value, slope).map(|_| ())
}

/// The lithium sheet of a half cell.
#[derive(Debug, Clone)]
pub(crate) struct Sheet {
    exchange: Activated,
    j0: f64,
    j0_salt: f64,
    /// Derivatives of the overpotential with respect to current and salt at the last linearisation.
    pub(super) kept: [f64; 2],
}

impl Sheet {
    pub(super) fn new(p: &LithiumMetal) -> Self {
        Self { exchange: p.exchange_current.clone(), j0: 1.0, j0_salt: 0.0, kept: [0.0; 2] }
    }

    /// Overpotential, V, at cell current `current`, A/m2.
    pub(super) fn overpotential(&self, current: f64, thermal_voltage: f64) -> f64 {
        overpotential(Kinetics::ButlerVolmer, current, self.j0, thermal_voltage).0
    }

    /// Keeps the derivatives of the overpotential.
    pub(super) fn keep(&mut self, current: f64, thermal_voltage: f64) {
        let (_, by_current, by_exchange) =
            overpotential(Kinetics::ButlerVolmer, current, self.j0, thermal_voltage);
        self.kept = [by_current, by_exchange * self.j0_salt];
    }

    /// Exchange current at electrolyte concentration `salt` beside the sheet.
    pub(super) fn evaluate(
        &mut self,
        salt: f64,
        temperatures: Temperatures,
        workspace: &mut FormulaWorkspace,
        place: usize,
    ) -> Result<(), Trouble> {
        let factor = self.exchange.arrhenius_factor(temperatures.kelvin, temperatures.reference);
        let (mut value, mut slope) = ([0.0], [0.0]);
        let variables = [&[salt][..], &[salt], &[0.0], &[temperatures.kelvin]];
        evaluate(&self.exchange.at_reference, variables, true, workspace, &mut value, &mut slope)
            .map_err(|u| trouble(place, u.value, NO_VALUE))?;
        (self.j0, self.j0_salt) = (factor * value[0], factor * slope[0]);
        if self.j0 <= 0.0 {
            return Err(trouble(place, self.j0, "the exchange-current density of lithium is not positive"));
        }
        Ok(())
    }
}
