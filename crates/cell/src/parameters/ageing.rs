//! Data of ageing: the solid-electrolyte interphase, lithium plating, stress and cracks.
//!
//! Symbols and laws as in O'Kane et al., Phys. Chem. Chem. Phys. 24 (2022) 7909; values of the bundled sets are
//! those of PyBaMM's parameter modules.

use super::checks::{Of, activated, positive, property_within, refuse, within};
use crate::error::CellError;
use crate::property::{Activated, Property};
use serde::{Deserialize, Serialize};

/// Solid-electrolyte interphase (SEI) of one material: the constants of the growth laws (solvent diffusion,
/// electron migration, interstitial diffusion, reaction, diffusion of ethylene carbonate).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeiParameters {
    /// Moles of lithium that one mole of SEI holds, z.
    pub lithium_per_sei: f64,
    /// Molar volume of the SEI, m3/mol.
    pub partial_molar_volume_m3_per_mol: f64,
    /// Resistivity against the interfacial current, ohm m.
    pub resistivity_ohm_m: f64,
    /// Thickness at the start, m.
    pub initial_thickness_m: f64,
    /// Thickness on the walls of cracks at the start, m, if the set gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_thickness_on_cracks_m: Option<f64>,
    /// Potential of the forming reaction against lithium, V.
    pub open_circuit_potential_v: f64,
    /// Exchange-current density of the forming reaction, A/m2.
    pub exchange_current_a_per_m2: f64,
    /// Transfer coefficient of the forming reaction.
    pub growth_transfer_coefficient: f64,
    /// Activation energy of growth, J/mol.
    pub growth_activation_energy_j_per_mol: f64,
    /// Diffusivity of the solvent in the SEI, m2/s.
    pub solvent_diffusivity_m2_per_s: f64,
    /// Concentration of the solvent in the electrolyte, mol/m3.
    pub bulk_solvent_concentration_mol_per_m3: f64,
    /// Conductivity of the SEI for electrons, S/m.
    pub electron_conductivity_s_per_m: f64,
    /// Diffusivity of lithium interstitials in the SEI, m2/s.
    pub interstitial_diffusivity_m2_per_s: f64,
    /// Reference concentration of lithium interstitials, mol/m3.
    pub interstitial_reference_concentration_mol_per_m3: f64,
    /// Concentration of ethylene carbonate (EC) in the electrolyte, mol/m3.
    pub ec_concentration_mol_per_m3: f64,
    /// Diffusivity of ethylene carbonate in the SEI, m2/s.
    pub ec_diffusivity_m2_per_s: f64,
    /// Rate constant of the reaction of ethylene carbonate, m/s.
    pub ec_rate_constant_m_per_s: f64,
    /// Active material lost per charge of the side reaction (reaction-driven loss factor), m3/mol.
    #[serde(default)]
    pub reaction_driven_loss_m3_per_mol: f64,
}

impl SeiParameters {
    pub(super) fn validate(&self, which: &str) -> Result<(), CellError> {
        let name = |quantity| Of(which, "SEI ", quantity);
        let positives = [
            ("lithium per SEI", self.lithium_per_sei),
            ("partial molar volume [m3/mol]", self.partial_molar_volume_m3_per_mol),
            ("initial thickness [m]", self.initial_thickness_m),
        ];
        for (quantity, value) in positives {
            positive(name(quantity), value)?;
        }
        let not_negative = [
            ("resistivity [ohm m]", self.resistivity_ohm_m),
            ("initial thickness on cracks [m]", self.initial_thickness_on_cracks_m.unwrap_or(0.0)),
            ("exchange-current density [A/m2]", self.exchange_current_a_per_m2),
            ("solvent diffusivity [m2/s]", self.solvent_diffusivity_m2_per_s),
            ("bulk solvent concentration [mol/m3]", self.bulk_solvent_concentration_mol_per_m3),
            ("electron conductivity [S/m]", self.electron_conductivity_s_per_m),
            ("interstitial diffusivity [m2/s]", self.interstitial_diffusivity_m2_per_s),
            (
                "interstitial reference concentration [mol/m3]",
                self.interstitial_reference_concentration_mol_per_m3,
            ),
            ("EC concentration [mol/m3]", self.ec_concentration_mol_per_m3),
            ("EC diffusivity [m2/s]", self.ec_diffusivity_m2_per_s),
            ("EC rate constant [m/s]", self.ec_rate_constant_m_per_s),
            ("reaction-driven loss factor [m3/mol]", self.reaction_driven_loss_m3_per_mol),
        ];
        for (quantity, value) in not_negative {
            within(name(quantity), value, 0.0, f64::MAX)?;
        }
        within(name("open-circuit potential [V]"), self.open_circuit_potential_v, -10.0, 10.0)?;
        within(name("growth transfer coefficient"), self.growth_transfer_coefficient, 0.0, 1.0)?;
        within(name("growth activation energy [J/mol]"), self.growth_activation_energy_j_per_mol, -1e6, 1e6)
    }
}

/// Lithium plating on one material: j = j0_stripping exp((1 - alpha) F eta/RT) - j0_plating exp(-alpha F
/// eta/RT), and plated lithium that goes dead at the rate gamma = decay constant x initial over present
/// thickness of the SEI.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatingParameters {
    /// Exchange-current density of plating, A/m2; a function of `c_e` (F k c_e with the rate constant k).
    pub exchange_current: Property,
    /// Rate constant k, m/s, of stripping: its exchange-current density is F k times the concentration of
    /// plated lithium; absent if the set gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stripping_rate_constant_m_per_s: Option<f64>,
    /// Transfer coefficient alpha of plating.
    pub transfer_coefficient: f64,
    /// Molar volume of lithium metal, m3/mol.
    pub lithium_metal_partial_molar_volume_m3_per_mol: f64,
    /// Plated lithium per volume of the electrode at the start, mol/m3.
    pub initial_concentration_mol_per_m3: f64,
    /// Typical plated lithium per volume of the electrode, mol/m3: a scale.
    pub typical_concentration_mol_per_m3: f64,
    /// Decay constant of plated into dead lithium at the initial thickness of the SEI, 1/s; absent if the set
    /// gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_lithium_decay_constant_per_s: Option<f64>,
}

impl PlatingParameters {
    pub(super) fn validate(&self, which: &str) -> Result<(), CellError> {
        let name = |quantity| Of(which, "plating ", quantity);
        property_within(name("exchange-current density [A/m2]"), &self.exchange_current, 0.0, f64::MAX)?;
        within(name("transfer coefficient"), self.transfer_coefficient, 0.0, 1.0)?;
        positive(
            name("molar volume of lithium metal [m3/mol]"),
            self.lithium_metal_partial_molar_volume_m3_per_mol,
        )?;
        positive(name("typical concentration [mol/m3]"), self.typical_concentration_mol_per_m3)?;
        let not_negative = [
            ("rate constant [m/s]", self.stripping_rate_constant_m_per_s.unwrap_or(0.0)),
            ("initial concentration [mol/m3]", self.initial_concentration_mol_per_m3),
            ("decay constant [1/s]", self.dead_lithium_decay_constant_per_s.unwrap_or(0.0)),
        ];
        for (quantity, value) in not_negative {
            within(name(quantity), value, 0.0, f64::MAX)?;
        }
        Ok(())
    }
}

/// Stress in the particles of one material, growth of cracks by Paris' law and loss of active material by
/// stress (W. Ai et al., J. Electrochem. Soc. 167 (2020) 013512; R. Deshpande et al., J. Electrochem. Soc.
/// 159 (2012) A1730).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MechanicsParameters {
    /// Young's modulus, Pa.
    pub youngs_modulus_pa: f64,
    /// Poisson's ratio.
    pub poisson_ratio: f64,
    /// Partial molar volume of lithium in the particle, m3/mol; may be negative.
    pub partial_molar_volume_m3_per_mol: f64,
    /// Concentration at which the particle is free of deformation, mol/m3.
    pub reference_concentration_mol_per_m3: f64,
    /// Relative change of the particle's volume as a function of `x`.
    pub volume_change: Property,
    /// Stress beyond which material is lost, Pa.
    pub critical_stress_pa: f64,
    /// Rate of loss at the critical stress, 1/s.
    pub loss_rate_per_s: f64,
    /// Exponent of the stress in the rate of loss.
    pub loss_exponent: f64,
    /// Cracking rate k of Paris' law dl/dN = k (b sigma sqrt(pi l))^m, m/(Pa m^0.5)^m.
    pub cracking_rate: Activated,
    /// Constant b of Paris' law.
    pub paris_b: f64,
    /// Exponent m of Paris' law.
    pub paris_m: f64,
    /// Length of the cracks at the start, m.
    pub initial_crack_length_m: f64,
    /// Width of the cracks, m.
    pub initial_crack_width_m: f64,
    /// Cracks per particle surface, 1/m2.
    pub cracks_per_area_per_m2: f64,
}

impl MechanicsParameters {
    pub(super) fn validate(&self, which: &str) -> Result<(), CellError> {
        let name = |quantity| Of(which, "", quantity);
        positive(name("Young's modulus [Pa]"), self.youngs_modulus_pa)?;
        positive(name("critical stress [Pa]"), self.critical_stress_pa)?;
        within(name("Poisson's ratio"), self.poisson_ratio, -1.0, 0.5)?;
        let volume = self.partial_molar_volume_m3_per_mol;
        if !volume.is_finite() {
            return Err(refuse(name("partial molar volume [m3/mol]"), volume, "must be finite".to_owned()));
        }
        activated(name("cracking rate"), &self.cracking_rate)?;
        let not_negative = [
            ("reference concentration [mol/m3]", self.reference_concentration_mol_per_m3),
            ("loss rate [1/s]", self.loss_rate_per_s),
            ("loss exponent", self.loss_exponent),
            ("Paris' law constant b", self.paris_b),
            ("Paris' law exponent m", self.paris_m),
            ("initial crack length [m]", self.initial_crack_length_m),
            ("initial crack width [m]", self.initial_crack_width_m),
            ("cracks per area [1/m2]", self.cracks_per_area_per_m2),
        ];
        for (quantity, value) in not_negative {
            within(name(quantity), value, 0.0, f64::MAX)?;
        }
        Ok(())
    }
}
