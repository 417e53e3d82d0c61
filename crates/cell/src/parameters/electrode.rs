//! Electrodes and their active materials.

use super::ageing::{MechanicsParameters, PlatingParameters, SeiParameters};
use super::checks::{Of, activated, fraction, positive, refuse, within};
use crate::error::CellError;
use crate::msmr::MsmrQuantity;
use crate::property::{Activated, Hysteresis, OpenCircuitPotential, Property};
use crate::solver::quadrature::gauss_hermite;
use serde::{Deserialize, Serialize};

/// Rate law of the interface, j in A per m2 of particle surface, overpotential eta in V.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Kinetics {
    /// j = 2 j0 sinh(F eta / (2 R T)).
    #[default]
    ButlerVolmer,
    /// j = j0 F eta / (R T), its small-overpotential limit.
    Linear,
    /// j = sum_i j0_i (exp((1 - a_i) F eta/RT) - exp(-a_i F eta/RT)) over the reactions of the exchange-current density,
    /// which must be one of a multi-species, multi-reaction material ([`crate::Msmr`]).
    Msmr,
}

/// One active material: particles of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActiveMaterial {
    /// Name, for messages and tables.
    #[serde(default)]
    pub name: String,
    /// Volume of this material per volume of the electrode; with the radius it gives the surface
    /// a = 3 fraction / radius.
    pub fraction: f64,
    /// Particle radius, m.
    pub particle_radius_m: f64,
    /// Distribution of the radii about `particle_radius_m`; absent if all particles are equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub radius_distribution: Option<RadiusDistribution>,
    /// Lithium concentration at stoichiometry 1, mol/m3.
    pub max_concentration: f64,
    /// Lithium concentration at the start, mol/m3.
    pub initial_concentration: f64,
    /// Stoichiometries of the empty and of the full cell, if they are known as data; else they follow from
    /// the cut-off voltages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<StoichiometryWindow>,
    /// Open-circuit potential against lithium.
    pub open_circuit: OpenCircuitPotential,
    /// Chemical diffusivity of lithium in the particles, m2/s; a function of `x` or `c_s` (`c_e` is 0 there).
    pub diffusivity: Activated,
    /// Exchange-current density j0 (in j = 2 j0 sinh), A/m2.
    pub exchange_current: Activated,
    /// Rate law.
    #[serde(default)]
    pub kinetics: Kinetics,
    /// Potentials on lithiation and on delithiation, where they differ at rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hysteresis: Option<Box<Hysteresis>>,
    /// Data of the solid-electrolyte interphase (SEI) on the particles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sei: Option<Box<SeiParameters>>,
    /// Data of lithium plating on the particles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plating: Option<Box<PlatingParameters>>,
    /// Data of stress, cracks and loss of active material.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanics: Option<Box<MechanicsParameters>>,
}

/// Stoichiometries of one material at the ends of the cell's range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoichiometryWindow {
    /// At 0 % state of charge.
    pub empty: f64,
    /// At 100 % state of charge.
    pub full: f64,
}

/// Particle radii of one material, log-normal in the share of the surface: ln(R) has mean ln(R_a) -
/// ln(1 + s^2)/2 and variance ln(1 + s^2), R_a the area-weighted mean radius and s the relative standard
/// deviation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RadiusDistribution {
    /// Standard deviation relative to the area-weighted mean radius.
    pub relative_deviation: f64,
    /// Classes of radii (points of a Gauss quadrature of the distribution).
    pub classes: usize,
}

/// One porous electrode: what all its particles share, and its active materials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Electrode {
    /// Thickness, m.
    pub thickness_m: f64,
    /// Volume fraction of electrolyte.
    pub porosity: f64,
    /// Transport efficiency of the electrolyte (effective over bulk conductivity), for example porosity^1.5.
    pub electrolyte_efficiency: f64,
    /// Transport efficiency of the solid, for example (1 - porosity)^1.5.
    pub solid_efficiency: f64,
    /// Electronic conductivity of the solid before `solid_efficiency`, S/m.
    pub conductivity_s_per_m: f64,
    /// Capacitance of the double layer per particle surface, F/m2; enters impedances only.
    #[serde(default)]
    pub double_layer_capacitance: f64,
    /// The active material.
    pub material: ActiveMaterial,
    /// Further active materials of a blend, such as silicon beside graphite.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blended: Vec<ActiveMaterial>,
}

/// A sheet of lithium metal as negative electrode (half cell).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LithiumMetal {
    /// Exchange-current density j0 of plating and stripping (in i = 2 j0 sinh) per area of the sheet, A/m2;
    /// a function of `c_e`.
    pub exchange_current: Activated,
    /// Capacitance of the double layer per area of the sheet, F/m2; enters impedances only.
    #[serde(default)]
    pub double_layer_capacitance: f64,
}

/// The negative electrode of a full cell or of a half cell.
#[allow(clippy::large_enum_variant, reason = "there is one of it in a parameter set")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NegativeElectrode {
    /// A porous electrode.
    Porous(Electrode),
    /// A sheet of lithium metal.
    LithiumMetal(LithiumMetal),
}

impl NegativeElectrode {
    /// The porous electrode of a full cell.
    pub fn porous(&self) -> Option<&Electrode> {
        match self {
            Self::Porous(electrode) => Some(electrode),
            Self::LithiumMetal(_) => None,
        }
    }

    /// The porous electrode of a full cell, to be changed.
    pub fn porous_mut(&mut self) -> Option<&mut Electrode> {
        match self {
            Self::Porous(electrode) => Some(electrode),
            Self::LithiumMetal(_) => None,
        }
    }

    pub(super) fn validate(&self) -> Result<(), CellError> {
        match self {
            Self::Porous(electrode) => electrode.validate("negative electrode"),
            Self::LithiumMetal(metal) => {
                activated("lithium metal: exchange-current density", &metal.exchange_current)?;
                let capacitance = metal.double_layer_capacitance;
                within("lithium metal: double-layer capacitance [F/m2]", capacitance, 0.0, 1e6)
            }
        }
    }
}

impl ActiveMaterial {
    /// Particle surface per electrode volume a = 3 fraction / radius, 1/m.
    pub fn specific_surface(&self) -> f64 {
        3.0 * self.fraction / self.particle_radius_m
    }

    /// Classes of radii with their shares of the surface: a Gauss-Hermite rule in ln R, with the radii
    /// scaled so that their area-weighted mean is exactly `particle_radius_m`.
    pub fn radius_classes(&self) -> Vec<(f64, f64)> {
        let Some(distribution) = &self.radius_distribution else {
            return vec![(self.particle_radius_m, 1.0)];
        };
        let variance = distribution.relative_deviation.powi(2).ln_1p();
        let (nodes, weights) = gauss_hermite(distribution.classes);
        let radii: Vec<f64> = nodes.iter().map(|t| (t * variance.sqrt()).exp()).collect();
        let mean: f64 = radii.iter().zip(&weights).map(|(r, w)| r * w).sum();
        radii.iter().zip(weights).map(|(r, w)| (self.particle_radius_m * r / mean, w)).collect()
    }

    /// Stoichiometry at the start.
    pub fn initial_stoichiometry(&self) -> f64 {
        self.initial_concentration / self.max_concentration
    }

    /// Functions of multi-species, multi-reaction materials stand where they belong.
    fn validate_msmr(&self, which: &str) -> Result<(), CellError> {
        let mut branches = Vec::new();
        if let Some(hysteresis) = &self.hysteresis {
            branches = vec![
                ("branch of lithiation", &hysteresis.lithiation, MsmrQuantity::Potential),
                ("branch of delithiation", &hysteresis.delithiation, MsmrQuantity::Potential),
            ];
        }
        let own = [
            ("open-circuit potential", &self.open_circuit.at_reference, MsmrQuantity::Potential),
            ("entropic slope", &self.open_circuit.entropic_slope, MsmrQuantity::EntropicSlope),
            ("diffusivity", &self.diffusivity.at_reference, MsmrQuantity::Diffusivity),
            ("exchange-current density", &self.exchange_current.at_reference, MsmrQuantity::ExchangeCurrent),
        ];
        for (what, property, wanted) in own.into_iter().chain(branches) {
            if let Some(found) = property.msmr().filter(|found| *found != wanted) {
                return Err(refuse(
                    Of(which, what, ""),
                    f64::NAN,
                    format!("is the MSMR quantity {found:?}; it must be {wanted:?}"),
                ));
            }
        }
        let skewed = match &self.exchange_current.at_reference {
            Property::Msmr(reactions) => reactions.species().iter().find(|s| s.transfer_coefficient != 0.5),
            _ if self.kinetics == Kinetics::Msmr => {
                let requirement = "must be one of an MSMR material, for the kinetics are Msmr".to_owned();
                return Err(refuse(Of(which, "exchange-current density", ""), f64::NAN, requirement));
            }
            _ => None,
        };
        match skewed {
            Some(species) if self.kinetics != Kinetics::Msmr => Err(refuse(
                Of(which, "transfer coefficient", ""),
                species.transfer_coefficient,
                "is not 1/2: the kinetics must be Msmr".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    fn validate(&self, which: &str) -> Result<(), CellError> {
        let name = |quantity| Of(which, "", quantity);
        fraction(name("active material fraction"), self.fraction)?;
        positive(name("particle radius [m]"), self.particle_radius_m)?;
        positive(name("maximum concentration [mol/m3]"), self.max_concentration)?;
        positive(name("initial concentration [mol/m3]"), self.initial_concentration)?;
        within(name("initial stoichiometry"), self.initial_stoichiometry(), 0.0, 1.0)?;
        activated(name("diffusivity"), &self.diffusivity)?;
        activated(name("exchange-current density"), &self.exchange_current)?;
        self.validate_msmr(which)?;
        if let Some(value) = self.open_circuit.entropic_slope.as_constant() {
            within(name("entropic slope [V/K]"), value, -1.0, 1.0)?;
        }
        if let Some(window) = &self.window {
            within(name("stoichiometry of the empty cell"), window.empty, 0.0, 1.0)?;
            within(name("stoichiometry of the full cell"), window.full, 0.0, 1.0)?;
        }
        if let Some(distribution) = &self.radius_distribution {
            let deviation = distribution.relative_deviation;
            within(name("relative deviation of the radius"), deviation, 1e-3, 2.0)?;
            within(name("classes of radii"), distribution.classes as f64, 2.0, 40.0)?;
        }
        if let Some(hysteresis) = &self.hysteresis {
            hysteresis.validate(which)?;
        }
        if let Some(sei) = &self.sei {
            sei.validate(which)?;
        }
        if let Some(plating) = &self.plating {
            plating.validate(which)?;
        }
        if let Some(mechanics) = &self.mechanics {
            mechanics.validate(which)?;
        }
        Ok(())
    }
}

impl Electrode {
    /// The active materials, the first one first.
    pub fn materials(&self) -> impl Iterator<Item = &ActiveMaterial> {
        std::iter::once(&self.material).chain(&self.blended)
    }

    /// The active materials, to be changed.
    pub fn materials_mut(&mut self) -> impl Iterator<Item = &mut ActiveMaterial> {
        std::iter::once(&mut self.material).chain(&mut self.blended)
    }

    /// Volume fraction of all active materials.
    pub fn active_fraction(&self) -> f64 {
        self.materials().map(|material| material.fraction).sum()
    }

    pub(super) fn validate(&self, which: &str) -> Result<(), CellError> {
        let name = |quantity| Of(which, "", quantity);
        positive(name("thickness [m]"), self.thickness_m)?;
        fraction(name("porosity"), self.porosity)?;
        fraction(name("electrolyte efficiency"), self.electrolyte_efficiency)?;
        fraction(name("solid efficiency"), self.solid_efficiency)?;
        positive(name("conductivity [S/m]"), self.conductivity_s_per_m)?;
        within(name("double-layer capacitance [F/m2]"), self.double_layer_capacitance, 0.0, 1e6)?;
        for material in self.materials() {
            let label = if material.name.is_empty() {
                which.to_owned()
            } else {
                format!("{which}, {}", material.name)
            };
            material.validate(&label)?;
        }
        // What the solid leaves is all that the electrolyte can fill; the margin is for rounded data.
        let filled = self.porosity + self.active_fraction();
        within(name("porosity + active material fraction"), filled, 0.0, 1.0 + 1e-6)
    }
}
