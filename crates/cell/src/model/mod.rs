//! The semi-discrete DFN model: unknowns, residual, linear algebra, heat and starting values.
//!
//! Unknowns per area of one electrode pair, in this order: particle concentrations of the negative and the
//! positive electrode (by radial node, then by node through the thickness), electrolyte concentration,
//! electrolyte potential, solid potential, interfacial current density j, cell current density I,
//! temperature, and the integrals of [`integral`]. The solid potential of the negative collector is the
//! reference, 0 V.

mod heat;
mod initial;
mod linear;
pub(crate) mod particle;
mod residual;
#[cfg(test)]
mod tests;

use crate::error::CellError;
use crate::expression::FormulaWorkspace;
use crate::mesh::{LineMesh, MeshOptions, ParticleMesh};
use crate::parameters::{Electrode, Electrolyte, Kinetics, ParameterSet};
use crate::property::{Activated, Property};
use crate::solve::{DfnOptions, Thermal};
use crate::solver::banded::Banded;
use crate::solver::bdf::Trouble;
use crate::{FARADAY, GAS_CONSTANT};
use particle::ParticleBatch;

/// Positions of the integrals behind the unknowns, all per electrode-pair area.
pub(crate) mod integral {
    /// Charge drawn, C/m2.
    pub(crate) const CHARGE: usize = 0;
    /// Electrical energy delivered, J/m2.
    pub(crate) const ENERGY: usize = 1;
    /// Ohmic heat of the solid, J/m2.
    pub(crate) const OHMIC_SOLID: usize = 2;
    /// Ohmic (and concentration-gradient) heat of the electrolyte, J/m2.
    pub(crate) const OHMIC_ELECTROLYTE: usize = 3;
    /// Heat of the reaction overpotential, J/m2.
    pub(crate) const REACTION: usize = 4;
    /// Reversible heat, J/m2.
    pub(crate) const REVERSIBLE: usize = 5;
    /// Dissipation by diffusion inside the particles (heat of mixing), J/m2; 0 unless asked for.
    pub(crate) const MIXING: usize = 6;
    /// Number of integrals.
    pub(crate) const COUNT: usize = 7;
}

/// The row that closes the system, per area.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ControlRow {
    /// I = value, A/m2.
    Current(f64),
    /// Terminal voltage = value, V.
    Voltage(f64),
    /// I V = value, W/m2.
    Power(f64),
}

/// Where each kind of unknown starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) particles: [usize; 2],
    pub(crate) salt: usize,
    pub(crate) ionic: usize,
    pub(crate) solid: usize,
    pub(crate) flux: usize,
    pub(crate) current: usize,
    pub(crate) temperature: usize,
    pub(crate) integrals: usize,
    pub(crate) dimension: usize,
}

/// One electrode: its constants and the values of its material functions at the last evaluation.
#[derive(Debug, Clone)]
pub(crate) struct ElectrodeModel {
    /// First node through the thickness.
    pub(crate) first: usize,
    pub(crate) count: usize,
    /// First of its entries among the solid potentials and the interfacial currents.
    pub(crate) offset: usize,
    pub(crate) particles: ParticleBatch,
    pub(crate) max_concentration: f64,
    /// 1/(F R), mol/(C m): surface flux per interfacial current.
    pub(crate) flux_scale: f64,
    /// Particle surface per cell area that belongs to each node.
    pub(crate) surface: Vec<f64>,
    pub(crate) solid_conductivity: f64,
    pub(crate) kinetics: Kinetics,
    pub(crate) potential: Property,
    pub(crate) entropic: Property,
    /// Whether the entropic slope enters the equations at every evaluation (thermal model) and not only the
    /// audit.
    pub(crate) entropic_always: bool,
    pub(crate) diffusivity: Activated,
    pub(crate) exchange: Activated,
    pub(crate) x: Vec<f64>,
    pub(crate) voltage: Vec<f64>,
    pub(crate) voltage_slope: Vec<f64>,
    pub(crate) entropic_value: Vec<f64>,
    pub(crate) entropic_derivative: Vec<f64>,
    pub(crate) j0: Vec<f64>,
    pub(crate) j0_salt: Vec<f64>,
    pub(crate) j0_solid: Vec<f64>,
    /// Stoichiometry, diffusivity and its derivative at every particle node (only if it depends on
    /// concentration).
    pub(crate) x_inside: Vec<f64>,
    pub(crate) zeros: Vec<f64>,
    pub(crate) diffusivity_value: Vec<f64>,
    pub(crate) diffusivity_slope: Vec<f64>,
    /// Derivatives of the kinetic row with respect to j, c_e and surface concentration.
    pub(crate) row_flux: Vec<f64>,
    pub(crate) row_salt: Vec<f64>,
    pub(crate) row_surface: Vec<f64>,
    /// Particle response to unit interfacial current, and the reciprocal of the eliminated diagonal.
    pub(crate) response: Vec<f64>,
    pub(crate) eliminated: Vec<f64>,
    /// Points outside a table at the last evaluation.
    pub(crate) outside: usize,
}

/// Constants and last values of the electrolyte.
#[derive(Debug, Clone)]
pub(crate) struct ElectrolyteModel {
    pub(crate) diffusivity: Activated,
    pub(crate) conductivity: Activated,
    pub(crate) initial: f64,
    pub(crate) transference: f64,
    /// 2 (1 - t+) TDF R / F, V/K.
    pub(crate) concentration_factor: f64,
    pub(crate) efficiency: [f64; 3],
    /// Pore volume per area that belongs to each node, m.
    pub(crate) pore: Vec<f64>,
    pub(crate) d: Vec<f64>,
    pub(crate) d_slope: Vec<f64>,
    pub(crate) kappa: Vec<f64>,
    pub(crate) kappa_slope: Vec<f64>,
    /// Kept for the factors: values and gradients at each element node.
    pub(crate) kept_d: Vec<f64>,
    pub(crate) kept_d_slope: Vec<f64>,
    pub(crate) kept_kappa: Vec<f64>,
    pub(crate) kept_kappa_slope: Vec<f64>,
    pub(crate) kept_salt: Vec<f64>,
    pub(crate) salt_gradient: Vec<f64>,
    pub(crate) ionic_gradient: Vec<f64>,
}

/// Lumped temperature per area.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ThermalModel {
    /// J/(m2 K)
    pub(crate) capacity: f64,
    /// W/(m2 K)
    pub(crate) cooling: f64,
    pub(crate) ambient: f64,
}

/// The model.
#[derive(Debug, Clone)]
pub(crate) struct Dfn {
    pub(crate) layout: Layout,
    pub(crate) line: LineMesh,
    pub(crate) electrodes: [ElectrodeModel; 2],
    pub(crate) electrolyte: ElectrolyteModel,
    pub(crate) thermal: Option<ThermalModel>,
    pub(crate) reference_temperature: f64,
    pub(crate) control: ControlRow,
    pub(crate) audit_mixing: bool,
    pub(crate) rtol: f64,
    pub(crate) atol: f64,
    workspace: FormulaWorkspace,
    chain: Banded,
    chain_rhs: Vec<f64>,
    /// Response of the chain to unit cell current.
    border: Vec<f64>,
    leading: f64,
    kept_temperature: f64,
    kept_current: f64,
    kept_voltage: f64,
    /// Only the potentials are unknown (starting values); concentrations are fixed.
    potentials_only: bool,
    temperature_column: Vec<f64>,
    inverse_weights: Vec<f64>,
    scratch: Vec<f64>,
    pub(crate) outside: usize,
}

impl ElectrodeModel {
    fn new(
        electrode: &Electrode,
        mesh: ParticleMesh,
        first: usize,
        count: usize,
        offset: usize,
        weights: &[f64],
    ) -> Self {
        let p = &electrode.material;
        let nonlinear = p.diffusivity.at_reference.as_constant().is_none();
        let particles = ParticleBatch::new(mesh, count, p.particle_radius_m, nonlinear);
        let inside = if nonlinear { particles.len() } else { 0 };
        let zero = || vec![0.0; count];
        let constant = p.diffusivity.at_reference.as_constant().unwrap_or(0.0);
        Self {
            first,
            count,
            offset,
            max_concentration: p.max_concentration,
            flux_scale: 1.0 / (FARADAY * p.particle_radius_m),
            surface: weights[first..first + count].iter().map(|w| w * p.specific_surface()).collect(),
            solid_conductivity: electrode.conductivity_s_per_m * electrode.solid_efficiency,
            kinetics: p.kinetics,
            potential: p.open_circuit.at_reference.clone(),
            entropic: p.open_circuit.entropic_slope.clone(),
            entropic_always: false,
            diffusivity: p.diffusivity.clone(),
            exchange: p.exchange_current.clone(),
            x: zero(),
            voltage: zero(),
            voltage_slope: zero(),
            entropic_value: vec![p.open_circuit.entropic_slope.as_constant().unwrap_or(0.0); count],
            entropic_derivative: zero(),
            j0: zero(),
            j0_salt: zero(),
            j0_solid: zero(),
            x_inside: vec![0.0; inside],
            zeros: vec![0.0; particles.len().max(count)],
            diffusivity_value: vec![constant; inside.max(1)],
            diffusivity_slope: vec![0.0; inside.max(1)],
            row_flux: zero(),
            row_salt: zero(),
            row_surface: zero(),
            response: vec![0.0; particles.len()],
            eliminated: zero(),
            particles,
            outside: 0,
        }
    }

    /// Position of the surface concentrations inside its block of particle unknowns.
    pub(crate) fn surface_offset(&self) -> usize {
        (self.particles.mesh.len() - 1) * self.count
    }
}

impl ElectrolyteModel {
    fn new(
        p: &Electrolyte,
        [transference, factor]: [f64; 2],
        efficiency: [f64; 3],
        porosity: [f64; 3],
        line: &LineMesh,
    ) -> Self {
        let n = line.len();
        let kept = line.elements.len() * (line.order + 1);
        let pore = (0..n)
            .map(|i| (0..3).map(|layer| porosity[layer] * line.layer_weights[layer][i]).sum())
            .collect();
        let zero = || vec![0.0; n];
        Self {
            diffusivity: p.diffusivity.clone(),
            conductivity: p.conductivity.clone(),
            initial: p.initial_concentration,
            transference,
            concentration_factor: 2.0 * (1.0 - transference) * factor * GAS_CONSTANT / FARADAY,
            efficiency,
            pore,
            d: zero(),
            d_slope: zero(),
            kappa: zero(),
            kappa_slope: zero(),
            kept_d: zero(),
            kept_d_slope: zero(),
            kept_kappa: zero(),
            kept_kappa_slope: zero(),
            kept_salt: zero(),
            salt_gradient: vec![0.0; kept],
            ionic_gradient: vec![0.0; kept],
        }
    }
}

impl Dfn {
    pub(crate) fn new(p: &ParameterSet, options: &DfnOptions) -> Result<Self, CellError> {
        p.validate()?;
        options.mesh.validate()?;
        let mesh: &MeshOptions = &options.mesh;
        let negative = p.negative.porous().ok_or_else(|| not_solved("a half cell"))?;
        if !negative.blended.is_empty() || !p.positive.blended.is_empty() {
            return Err(not_solved("a blend of active materials"));
        }
        let (Some(transference), Some(factor)) = (
            p.electrolyte.transference_number.as_constant(),
            p.electrolyte.thermodynamic_factor.as_constant(),
        ) else {
            return Err(not_solved("a transference number that is not constant"));
        };
        let line =
            LineMesh::new(mesh, [negative.thickness_m, p.separator.thickness_m, p.positive.thickness_m]);
        let n = line.len();
        let positive_first = n - line.positive_nodes;
        let mut electrodes = [
            ElectrodeModel::new(
                negative,
                ParticleMesh::new(mesh.negative.particle),
                0,
                line.negative_nodes,
                0,
                &line.layer_weights[0],
            ),
            ElectrodeModel::new(
                &p.positive,
                ParticleMesh::new(mesh.positive.particle),
                positive_first,
                line.positive_nodes,
                line.negative_nodes,
                &line.layer_weights[2],
            ),
        ];
        let thermal = thermal_model(p, options)?;
        for electrode in &mut electrodes {
            electrode.entropic_always = thermal.is_some();
        }
        let efficiency = [
            negative.electrolyte_efficiency,
            p.separator.electrolyte_efficiency,
            p.positive.electrolyte_efficiency,
        ];
        let porosity = [negative.porosity, p.separator.porosity, p.positive.porosity];
        let electrolyte =
            ElectrolyteModel::new(&p.electrolyte, [transference, factor], efficiency, porosity, &line);
        let layout = Layout::new(&electrodes, n);
        Ok(Self {
            electrodes,
            electrolyte,
            thermal,
            reference_temperature: p.reference_temperature_k,
            control: ControlRow::Current(0.0),
            audit_mixing: options.audit_heat_of_mixing,
            rtol: options.rtol,
            atol: options.atol,
            workspace: FormulaWorkspace::default(),
            chain: Banded::new(3 * n, 3 * line.order + 2),
            chain_rhs: vec![0.0; 3 * n],
            border: vec![0.0; 3 * n],
            leading: 0.0,
            kept_temperature: p.initial_temperature_k,
            kept_current: 0.0,
            kept_voltage: 0.0,
            potentials_only: false,
            temperature_column: vec![0.0; layout.dimension],
            inverse_weights: vec![0.0; layout.dimension],
            scratch: vec![0.0; layout.dimension],
            outside: 0,
            layout,
            line,
        })
    }

    /// Terminal voltage, V.
    pub(crate) fn voltage(&self, y: &[f64]) -> f64 {
        y[self.layout.flux - 1] - y[self.layout.solid]
    }

    /// The kind of unknown at position `index`, for messages, and its node through the thickness.
    pub(crate) fn describe(&self, index: usize) -> (&'static str, usize) {
        let l = &self.layout;
        let node = |position: usize| {
            let negative = self.electrodes[0].count;
            if position < negative { position } else { self.electrodes[1].first + position - negative }
        };
        if index < l.particles[1] {
            ("lithium concentration in the negative particles", index % self.electrodes[0].count)
        } else if index < l.salt {
            let position = (index - l.particles[1]) % self.electrodes[1].count;
            ("lithium concentration in the positive particles", self.electrodes[1].first + position)
        } else if index < l.ionic {
            ("electrolyte concentration", index - l.salt)
        } else if index < l.solid {
            ("electrolyte potential", index - l.ionic)
        } else if index < l.flux {
            ("solid potential", node(index - l.solid))
        } else if index < l.current {
            ("interfacial current density", node(index - l.flux))
        } else if index == l.current {
            ("cell current", 0)
        } else {
            ("temperature", 0)
        }
    }
}

fn not_solved(what: &str) -> CellError {
    CellError::Parameter {
        name: what.to_owned(),
        value: f64::NAN,
        requirement: "cannot be solved by this model".to_owned(),
    }
}

fn thermal_model(p: &ParameterSet, options: &DfnOptions) -> Result<Option<ThermalModel>, CellError> {
    if options.thermal == Thermal::Isothermal {
        return Ok(None);
    }
    let data = p.thermal.as_ref().ok_or_else(|| CellError::Parameter {
        name: "thermal".to_owned(),
        value: f64::NAN,
        requirement: format!("'{}' has no thermal data; give them or run isothermally", p.name),
    })?;
    let area = p.total_area_m2();
    Ok(Some(ThermalModel {
        capacity: data.volumetric_heat_capacity * data.cell_volume_m3 / area,
        cooling: data.heat_transfer_coefficient * data.cooling_area_m2 / area,
        ambient: data.ambient_temperature_k,
    }))
}

impl Layout {
    fn new(electrodes: &[ElectrodeModel; 2], nodes: usize) -> Self {
        let solid_nodes = electrodes[0].count + electrodes[1].count;
        let positive = electrodes[0].particles.len();
        let salt = positive + electrodes[1].particles.len();
        let ionic = salt + nodes;
        let solid = ionic + nodes;
        let flux = solid + solid_nodes;
        let current = flux + solid_nodes;
        let integrals = current + 2;
        Self {
            particles: [0, positive],
            salt,
            ionic,
            solid,
            flux,
            current,
            temperature: current + 1,
            integrals,
            dimension: integrals + integral::COUNT,
        }
    }
}

/// A trouble with unknown `unknown`.
pub(crate) fn trouble(unknown: usize, value: f64, reason: &'static str) -> Trouble {
    Trouble { unknown, value, reason }
}
