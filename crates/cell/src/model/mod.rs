//! The semi-discrete models: unknowns, residual, linear algebra, heat and starting values.
//!
//! Unknowns per area of one electrode pair, in this order: particle concentrations of each family of each
//! electrode (by radial node, then by node through the thickness), electrolyte concentration, electrolyte
//! potential, solid potential, interfacial current densities of each family, unknowns of their side reactions,
//! their states of hysteresis, cell current density I, terminal voltage, temperature, and the integrals of
//! [`integral`]. The solid potential of the negative collector is the reference, 0 V.
//!
//! The single-particle models have one node per electrode, no electrolyte potential, and in place of the
//! solid potential the mean potential difference of solid and electrolyte of each electrode.

mod averaged;
mod beside;
pub(crate) mod electrolyte;
pub(crate) mod family;
pub(crate) mod harmonic;
mod heat;
mod hysteresis;
mod initial;
mod linear;
pub(crate) mod particle;
mod porous;
mod reactions;
mod residual;
pub(crate) mod side;
mod tangent;
#[cfg(test)]
mod tests;
mod transfer;
mod transposed;

use crate::ageing::{AgeingOptions, SideReactions};
use crate::error::CellError;
use crate::expression::FormulaWorkspace;
use crate::mesh::{ElectrodeMeshOptions, LineMesh, MeshOptions};
use crate::options::{DfnOptions, HysteresisLaw, ModelKind, Thermal};
use crate::parameters::{Electrode, ParameterSet};
use crate::solver::bdf::Trouble;
use averaged::AveragedCell;
use electrolyte::{ElectrolyteModel, Sheet};
use family::{Family, FamilyParts, Temperatures};
use hysteresis::HysteresisBlock;
use porous::PorousChain;

pub(crate) use beside::Difference;
pub(crate) use tangent::{CORRECTION, INSTANT, MOST_CORRECTIONS};

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
    /// Heat of hysteresis, J/m2: work of the interfacial currents at what the potential has above that without
    /// hysteresis. Negative for a while after a reversal, never over a loop.
    pub(crate) const HYSTERESIS: usize = 5;
    /// Reversible heat, J/m2.
    pub(crate) const REVERSIBLE: usize = 6;
    /// Dissipation by diffusion inside the particles (heat of mixing), J/m2; 0 unless asked for.
    pub(crate) const MIXING: usize = 7;
    /// Work of the interfacial currents at the equilibrium potentials (without hysteresis) of the surfaces, J/m2.
    pub(crate) const SURFACE: usize = 8;
    /// Number of integrals.
    pub(crate) const COUNT: usize = 9;
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
    /// V = value times I, ohm m2.
    Resistance(f64),
}

impl ControlRow {
    /// What is held.
    pub(crate) fn value(self) -> f64 {
        match self {
            Self::Current(value) | Self::Voltage(value) | Self::Power(value) | Self::Resistance(value) => {
                value
            }
        }
    }
}

/// Where each kind of unknown starts. The particle concentrations come first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) salt: usize,
    pub(crate) ionic: usize,
    pub(crate) solid: usize,
    pub(crate) flux: usize,
    pub(crate) current: usize,
    pub(crate) voltage: usize,
    pub(crate) temperature: usize,
    pub(crate) integrals: usize,
    pub(crate) dimension: usize,
}

/// One porous electrode.
#[derive(Debug, Clone)]
pub(crate) struct ElectrodeModel {
    /// 1 for the negative electrode, which gives its lithium away at positive current; -1 for the positive.
    pub(crate) sign: f64,
    /// First node through the thickness.
    pub(crate) first: usize,
    /// Nodes through the thickness; 1 in the single-particle models.
    pub(crate) count: usize,
    /// First of its entries among the solid potentials.
    pub(crate) offset: usize,
    pub(crate) families: Vec<Family>,
    pub(crate) solid_conductivity: f64,
    /// Shares of the electrolyte's nodes in the mean over the electrode, in the single-particle model with
    /// electrolyte; else empty.
    pub(super) mean_weights: Vec<f64>,
}

/// What an electrode takes from the options of a run.
struct ElectrodeOptions {
    averaged: bool,
    ageing: AgeingOptions,
    hysteresis: HysteresisLaw,
    reference_kelvin: f64,
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
pub(crate) struct CellModel {
    pub(crate) layout: Layout,
    /// Nodes through the thickness; none in the single-particle model without electrolyte.
    pub(crate) line: LineMesh,
    /// Negative (unless it is a lithium sheet) and positive electrode.
    pub(crate) electrodes: Vec<ElectrodeModel>,
    pub(crate) electrolyte: ElectrolyteModel,
    pub(super) sheet: Option<Sheet>,
    /// Linear algebra of the Doyle-Fuller-Newman model; empty in the single-particle models.
    chain: PorousChain,
    /// What the single-particle models need in its place.
    averaged: Option<AveragedCell>,
    pub(crate) thermal: Option<ThermalModel>,
    pub(crate) reference_temperature: f64,
    pub(crate) control: ControlRow,
    /// Rate of change of the controlled value, per second, since the time `control_start`, s; what it has
    /// changed by now.
    pub(crate) control_slope: f64,
    pub(crate) control_start: f64,
    control_change: f64,
    /// Resistance in series, ohm m2.
    pub(super) contact_resistance: f64,
    /// Whether products of side reactions fill the pores.
    pub(super) pore_clogging: bool,
    /// Salt concentrations at the last evaluation.
    pub(super) salt: Vec<f64>,
    /// Salt concentration where the electrolyte is not resolved.
    resting_salt: Vec<f64>,
    pub(crate) audit_mixing: bool,
    pub(crate) rtol: f64,
    pub(crate) atol: f64,
    workspace: FormulaWorkspace,
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
    /// `weights` are those of the line's nodes in this electrode; `averaged` asks for one node.
    fn new(
        p: &Electrode,
        mesh: &ElectrodeMeshOptions,
        sign: f64,
        weights: &[f64],
        options: &ElectrodeOptions,
    ) -> Result<Self, CellError> {
        let averaged = options.averaged;
        let nodes: Vec<usize> = (0..weights.len()).filter(|i| weights[*i] > 0.0).collect();
        let inside: Vec<f64> = nodes.iter().map(|i| weights[*i]).collect();
        let mean_weights: Vec<f64> =
            if averaged { inside.iter().map(|w| w / p.thickness_m).collect() } else { Vec::new() };
        let mut families = Vec::new();
        for material in p.materials() {
            for (radius, share) in material.radius_classes() {
                // Share of the surface a = 3 fraction / mean radius.
                let area = material.specific_surface() * share;
                let surface = if averaged {
                    vec![area * p.thickness_m]
                } else {
                    inside.iter().map(|w| w * area).collect()
                };
                let places = if averaged { inside.len().max(1) } else { surface.len() };
                // Side reactions take place at the potential of the negative electrode only.
                let side = if sign > 0.0 {
                    SideReactions::new(material, options.ageing, options.reference_kelvin)?
                } else {
                    None
                };
                let scale = 1.0 / (crate::FARADAY * radius);
                let hysteresis =
                    HysteresisBlock::new(material, options.hysteresis, (sign, scale), surface.len())?;
                let parts = FamilyParts {
                    radius,
                    surface,
                    places,
                    mesh: mesh.particle,
                    side,
                    hysteresis,
                    weights: mean_weights.clone(),
                };
                families.push(Family::new(material, parts));
            }
        }
        Ok(Self {
            sign,
            first: nodes.first().copied().unwrap_or(0),
            count: if averaged { 1 } else { inside.len() },
            offset: 0,
            families,
            solid_conductivity: p.conductivity_s_per_m * p.solid_efficiency,
            mean_weights,
        })
    }

    /// Electrolyte nodes that lie in the electrode.
    pub(super) fn electrolyte_nodes(&self) -> std::ops::Range<usize> {
        let count = if self.mean_weights.is_empty() { self.count } else { self.mean_weights.len() };
        self.first..self.first + count
    }

    /// Particle surface of all families per cell area, in all nodes.
    pub(super) fn total_surface(&self) -> f64 {
        self.families.iter().flat_map(|family| &family.surface).sum()
    }
}

impl CellModel {
    pub(crate) fn new(p: &ParameterSet, options: &DfnOptions) -> Result<Self, CellError> {
        p.validate()?;
        options.mesh.validate()?;
        check_model(p, options)?;
        Self::unchecked(p, options)
    }

    /// The model of parameters that may lie a little outside their range, beside those of a model in range.
    pub(crate) fn unchecked(p: &ParameterSet, options: &DfnOptions) -> Result<Self, CellError> {
        let line = match options.model {
            ModelKind::Spm => LineMesh::empty(),
            ModelKind::Dfn | ModelKind::Spme => line_mesh(p, &options.mesh),
        };
        Self::on_line(p, options, line)
    }

    /// The model of checked parameters and options on the mesh `line` through the thickness.
    pub(crate) fn on_line(p: &ParameterSet, options: &DfnOptions, line: LineMesh) -> Result<Self, CellError> {
        let averaged = options.model != ModelKind::Dfn;
        let mut electrodes = Vec::new();
        let choices = ElectrodeOptions {
            averaged,
            ageing: options.ageing,
            hysteresis: options.hysteresis,
            reference_kelvin: p.reference_temperature_k,
        };
        if let Some(negative) = p.negative.porous() {
            let weights = &line.layer_weights[0];
            electrodes.push(ElectrodeModel::new(negative, &options.mesh.negative, 1.0, weights, &choices)?);
        }
        let weights = &line.layer_weights[2];
        electrodes.push(ElectrodeModel::new(&p.positive, &options.mesh.positive, -1.0, weights, &choices)?);
        let thermal = thermal_model(p, options)?;
        for family in electrodes.iter_mut().flat_map(|e| &mut e.families) {
            family.entropic_always = thermal.is_some();
        }
        let electrolyte = ElectrolyteModel::new(p, &line);
        let layout = Layout::new(&mut electrodes, line.len(), averaged);
        let (chain, averaged) = if averaged {
            (PorousChain::default(), Some(AveragedCell::new(p, &line)))
        } else {
            (PorousChain::new(&line), None)
        };
        let sheet = match &p.negative {
            crate::NegativeElectrode::LithiumMetal(metal) => Some(Sheet::new(metal)),
            crate::NegativeElectrode::Porous(_) => None,
        };
        Ok(Self {
            electrodes,
            electrolyte,
            sheet,
            chain,
            averaged,
            thermal,
            reference_temperature: p.reference_temperature_k,
            control: ControlRow::Current(0.0),
            control_slope: 0.0,
            control_start: 0.0,
            control_change: 0.0,
            contact_resistance: p.contact_resistance_ohm * p.total_area_m2(),
            pore_clogging: options.ageing.pore_clogging && options.ageing.is_active(),
            salt: vec![0.0; line.len()],
            resting_salt: vec![p.electrolyte.initial_concentration],
            audit_mixing: options.audit_heat_of_mixing,
            rtol: options.rtol,
            atol: options.atol,
            workspace: FormulaWorkspace::default(),
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

    pub(super) fn temperatures(&self, y: &[f64]) -> Temperatures {
        Temperatures { kelvin: y[self.layout.temperature], reference: self.reference_temperature }
    }

    /// All families, the negative electrode's first.
    pub(crate) fn families(&self) -> impl Iterator<Item = &Family> {
        self.electrodes.iter().flat_map(|electrode| &electrode.families)
    }

    /// The kind of unknown at position `index`, for messages, and its node through the thickness.
    pub(crate) fn describe(&self, index: usize) -> (&'static str, usize) {
        let l = &self.layout;
        for electrode in &self.electrodes {
            for family in &electrode.families {
                if family.range().contains(&index) {
                    let name = if electrode.sign > 0.0 {
                        "lithium concentration in the negative particles"
                    } else {
                        "lithium concentration in the positive particles"
                    };
                    return (name, electrode.first + (index - family.base) % family.count());
                }
                if let Some(side) = &family.side
                    && (side.start..side.start + side.len()).contains(&index)
                {
                    return ("side reaction", electrode.first + (index - side.start) % family.count());
                }
                if let Some(hysteresis) = family.hysteresis.as_ref().filter(|h| h.range().contains(&index)) {
                    return ("state of hysteresis", electrode.first + index - hysteresis.range().start);
                }
                if (family.flux..family.flux + family.count()).contains(&index) {
                    return ("interfacial current density", electrode.first + index - family.flux);
                }
            }
            if index >= l.solid
                && (electrode.offset..electrode.offset + electrode.count).contains(&(index - l.solid))
            {
                return ("solid potential", electrode.first + index - l.solid - electrode.offset);
            }
        }
        if index < l.ionic {
            ("electrolyte concentration", index - l.salt)
        } else if index < l.solid {
            ("electrolyte potential", index - l.ionic)
        } else if index == l.current {
            ("cell current", 0)
        } else if index == l.voltage {
            ("terminal voltage", 0)
        } else {
            ("temperature", 0)
        }
    }
}

/// The mesh through the thickness of a full or half cell.
fn line_mesh(p: &ParameterSet, mesh: &MeshOptions) -> LineMesh {
    let negative = p.negative.porous();
    let elements = if negative.is_some() { mesh.negative.elements } else { 0 };
    LineMesh::new(
        mesh.order,
        [elements, mesh.separator_elements, mesh.positive.elements],
        [negative.map_or(0.0, |e| e.thickness_m), p.separator.thickness_m, p.positive.thickness_m],
    )
}

fn check_model(p: &ParameterSet, options: &DfnOptions) -> Result<(), CellError> {
    if options.ageing.is_active() && p.negative.porous().is_none() {
        return Err(CellError::Parameter {
            name: "ageing of a half cell".to_owned(),
            value: f64::NAN,
            requirement: "has no law: side reactions are those of a porous negative electrode".to_owned(),
        });
    }
    let materials = || {
        let negative = p.negative.porous().into_iter().flat_map(Electrode::materials);
        negative.chain(p.positive.materials())
    };
    if options.hysteresis != HysteresisLaw::Off && materials().all(|m| m.hysteresis.is_none()) {
        return Err(CellError::Parameter {
            name: format!("hysteresis of {}", p.name),
            value: f64::NAN,
            requirement: "has no data: no material has branches of its open-circuit potential; give them, or switch it off".to_owned(),
        });
    }
    if options.ageing.pore_clogging && options.model != ModelKind::Dfn {
        return Err(CellError::Parameter {
            name: "pore clogging".to_owned(),
            value: f64::NAN,
            requirement: "changes the electrolyte through the thickness: it needs the model dfn".to_owned(),
        });
    }
    if p.without_electrolyte && options.model != ModelKind::Spm {
        return Err(CellError::Parameter {
            name: format!("electrolyte of {}", p.name),
            value: f64::NAN,
            requirement: "is not known: only the single-particle model (spm) can be run".to_owned(),
        });
    }
    Ok(())
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
    /// Gives every family its place.
    fn new(electrodes: &mut [ElectrodeModel], nodes: usize, averaged: bool) -> Self {
        let mut next = 0;
        for family in electrodes.iter_mut().flat_map(|e| &mut e.families) {
            family.base = next;
            next += family.particles.len();
        }
        let salt = next;
        let ionic = salt + nodes;
        let solid = ionic + if averaged { 0 } else { nodes };
        let mut offset = 0;
        for electrode in electrodes.iter_mut() {
            electrode.offset = offset;
            offset += electrode.count;
        }
        let flux = solid + offset;
        next = flux;
        for family in electrodes.iter_mut().flat_map(|e| &mut e.families) {
            family.flux = next;
            next += family.count();
        }
        for family in electrodes.iter_mut().flat_map(|e| &mut e.families) {
            if let Some(side) = &mut family.side {
                side.start = next;
                next += side.len();
            }
        }
        let states = electrodes.iter().flat_map(|e| &e.families).filter_map(|f| f.hysteresis.as_ref());
        let current = next + states.map(|hysteresis| hysteresis.len()).sum::<usize>();
        for family in electrodes.iter_mut().flat_map(|e| &mut e.families) {
            if let Some(hysteresis) = &mut family.hysteresis {
                (hysteresis.start, hysteresis.current) = (next, current);
                next += hysteresis.len();
            }
        }
        let integrals = current + 3;
        Self {
            salt,
            ionic,
            solid,
            flux,
            current,
            voltage: current + 1,
            temperature: current + 2,
            integrals,
            dimension: integrals + integral::COUNT,
        }
    }
}

/// A trouble with unknown `unknown`.
pub(crate) fn trouble(unknown: usize, value: f64, reason: &'static str) -> Trouble {
    Trouble { unknown, value, reason }
}
