//! Parameter sets of cells.

mod ageing;
mod bundled;
mod checks;
mod document;
mod electrode;

use crate::error::CellError;
use crate::property::{Activated, Property};
use checks::{activated, fraction, positive, property_within, within};
use serde::{Deserialize, Serialize};

pub use ageing::{MechanicsParameters, PlatingParameters, SeiParameters};
pub use bundled::BundledSet;
pub use document::{CellDocument, CellSource};
pub use electrode::{
    ActiveMaterial, Electrode, Kinetics, LithiumMetal, NegativeElectrode, RadiusDistribution,
    StoichiometryWindow,
};

/// The separator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Separator {
    /// Thickness, m.
    pub thickness_m: f64,
    /// Volume fraction of electrolyte.
    pub porosity: f64,
    /// Transport efficiency of the electrolyte.
    pub electrolyte_efficiency: f64,
}

/// The electrolyte.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Electrolyte {
    /// Salt concentration at the start, mol/m3.
    pub initial_concentration: f64,
    /// Cation transference number.
    pub transference_number: Property,
    /// Thermodynamic factor 1 + d ln f / d ln c.
    pub thermodynamic_factor: Property,
    /// Salt diffusivity, m2/s.
    pub diffusivity: Activated,
    /// Ionic conductivity, S/m.
    pub conductivity: Activated,
}

/// What the lumped thermal model needs beside the entropic slopes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThermalParameters {
    /// Volumetric heat capacity of the cell, J/(m3 K).
    pub volumetric_heat_capacity: f64,
    /// Volume of the cell, m3.
    pub cell_volume_m3: f64,
    /// Surface through which heat leaves, m2.
    pub cooling_area_m2: f64,
    /// Heat transfer coefficient, W/(m2 K).
    pub heat_transfer_coefficient: f64,
    /// Ambient temperature, K.
    pub ambient_temperature_k: f64,
}

/// All parameters of a cell. Every field can be replaced, for example by functions that come from a smaller scale:
///
/// ```
/// use scalade_cell::{Activated, DfnOptions, Outside, ParameterSet, Protocol, Table, solve};
/// let mut cell = ParameterSet::marquis2019()?;
/// // Open-circuit potential, its entropic slope and the diffusivity (as log10) of the positive material over x.
/// let x = vec![0.4, 0.5, 0.6, 0.8, 1.0];
/// let ocp = Table::new(x.clone(), vec![4.3, 4.15, 4.05, 3.92, 3.7], false, Outside::Error)?;
/// let entropic = Table::new(x.clone(), vec![-1e-4, 2e-5, 1e-5, 0.0, 0.0], false, Outside::Clamp)?;
/// let diffusivity = Table::new(x, vec![2e-14, 5e-15, 8e-14, 1e-13, 6e-14], true, Outside::Error)?;
/// let material = &mut cell.positive.material;
/// material.open_circuit.at_reference = ocp.into();
/// material.open_circuit.entropic_slope = entropic.into();
/// material.diffusivity =
///     Activated { at_reference: diffusivity.into(), activation_energy_j_per_mol: 3e4 };
/// let cell = cell.started_at_voltage(4.1)?;
/// let solution = solve(&cell, &Protocol::discharge(1.0, 3.0), &DfnOptions::default(), &[600.0])?;
/// assert!(solution.voltage_v[0] < 4.05 && solution.inventory.solid_lithium_drift < 1e-12);
/// # Ok::<(), scalade_cell::CellError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterSet {
    /// Name.
    pub name: String,
    /// Negative electrode.
    pub negative: NegativeElectrode,
    /// Separator.
    pub separator: Separator,
    /// Positive electrode.
    pub positive: Electrode,
    /// Electrolyte.
    pub electrolyte: Electrolyte,
    /// Area of one electrode pair, m2.
    pub electrode_area_m2: f64,
    /// Electrode pairs in parallel.
    pub parallel_pairs: f64,
    /// Resistance of contacts and leads in series with the cell, ohm.
    #[serde(default)]
    pub contact_resistance_ohm: f64,
    /// No data of the electrolyte are known: only the single-particle model can be run, into which the
    /// electrolyte's fields do not enter.
    #[serde(default)]
    pub without_electrolyte: bool,
    /// Nominal capacity, A h: 1C is this current.
    pub nominal_capacity_ah: f64,
    /// Usual lower cut-off voltage, V.
    pub lower_voltage_v: f64,
    /// Usual upper cut-off voltage, V.
    pub upper_voltage_v: f64,
    /// Temperature at the start, K.
    pub initial_temperature_k: f64,
    /// Temperature at which the properties are given, K.
    pub reference_temperature_k: f64,
    /// Data of the lumped thermal model, if known.
    pub thermal: Option<ThermalParameters>,
}

impl ParameterSet {
    /// Electrode area times pairs in parallel, m2.
    pub fn total_area_m2(&self) -> f64 {
        self.electrode_area_m2 * self.parallel_pairs
    }

    /// Current of `rate` C, A.
    pub fn current_of_rate(&self, rate: f64) -> f64 {
        rate * self.nominal_capacity_ah
    }

    /// The same cell seen from the other side: the electrodes change places, so that voltage and current
    /// change sign. `None` for a half cell.
    #[must_use]
    pub fn mirrored(&self) -> Option<Self> {
        let negative = self.negative.porous()?.clone();
        let positive = self.positive.clone();
        Some(Self { negative: NegativeElectrode::Porous(positive), positive: negative, ..self.clone() })
    }

    /// Checks every number against its physical range.
    ///
    /// # Errors
    /// [`CellError::Parameter`] with the first one that does not fit.
    pub fn validate(&self) -> Result<(), CellError> {
        self.negative.validate()?;
        self.positive.validate("positive electrode")?;
        positive("separator thickness [m]", self.separator.thickness_m)?;
        fraction("separator porosity", self.separator.porosity)?;
        fraction("separator electrolyte efficiency", self.separator.electrolyte_efficiency)?;
        positive("initial electrolyte concentration [mol/m3]", self.electrolyte.initial_concentration)?;
        property_within("thermodynamic factor", &self.electrolyte.thermodynamic_factor, 1e-6, 1e6)?;
        property_within("cation transference number", &self.electrolyte.transference_number, -1.0, 1.0)?;
        activated("electrolyte diffusivity", &self.electrolyte.diffusivity)?;
        activated("electrolyte conductivity", &self.electrolyte.conductivity)?;
        positive("electrode area [m2]", self.electrode_area_m2)?;
        positive("electrode pairs in parallel", self.parallel_pairs)?;
        within("contact resistance [ohm]", self.contact_resistance_ohm, 0.0, 1e6)?;
        positive("nominal capacity [A h]", self.nominal_capacity_ah)?;
        within("initial temperature [K]", self.initial_temperature_k, 100.0, 2000.0)?;
        within("reference temperature [K]", self.reference_temperature_k, 100.0, 2000.0)?;
        if let Some(thermal) = &self.thermal {
            positive("volumetric heat capacity [J/(m3 K)]", thermal.volumetric_heat_capacity)?;
            positive("cell volume [m3]", thermal.cell_volume_m3)?;
            within("cooling area [m2]", thermal.cooling_area_m2, 0.0, f64::MAX)?;
            within("heat transfer coefficient [W/(m2 K)]", thermal.heat_transfer_coefficient, 0.0, f64::MAX)?;
            within("ambient temperature [K]", thermal.ambient_temperature_k, 1.0, 2000.0)?;
        }
        Ok(())
    }
}
