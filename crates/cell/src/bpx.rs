//! Reads parameter files of the Battery Parameter eXchange format (BPX 0.1 to 1.1, DFN model, one active
//! material per electrode).
//!
//! Conventions of the format: transport efficiencies are given directly, solid conductivities are effective
//! values, areas are per electrode pair, and j = 2 j0 sinh(F eta/2RT) with j0 = F k sqrt(c_e/c_e0 x (1 -
//! x)). The cell starts at 100 % state of charge.

use crate::FARADAY;
use crate::error::CellError;
use crate::parameters::{
    ActiveMaterial, Electrode, Electrolyte, Kinetics, NegativeElectrode, ParameterSet, Separator,
    StoichiometryWindow, ThermalParameters,
};
use crate::property::{Activated, OpenCircuitPotential, Property};
use crate::table::{Outside, Table};
use serde_json::Value;

/// One section of the file, with its name for messages.
struct Section<'a> {
    name: &'static str,
    value: &'a Value,
}

impl Section<'_> {
    fn number(&self, key: &str) -> Result<f64, CellError> {
        self.value.get(key).and_then(Value::as_f64).ok_or_else(|| self.missing(key))
    }

    fn number_or(&self, key: &str, default: f64) -> f64 {
        self.value.get(key).and_then(Value::as_f64).unwrap_or(default)
    }

    fn missing(&self, key: &str) -> CellError {
        CellError::Parameter {
            name: format!("{}: {key}", self.name),
            value: f64::NAN,
            requirement: "is missing or not a number, formula or table".to_owned(),
        }
    }

    /// Number, formula in x, or table; tables refuse to extrapolate.
    fn property(&self, key: &str) -> Result<Property, CellError> {
        match self.value.get(key) {
            Some(Value::Number(number)) => {
                number.as_f64().map(Property::Constant).ok_or_else(|| self.missing(key))
            }
            Some(Value::String(text)) => Property::formula(text),
            Some(table @ Value::Object(_)) => {
                let column = |axis: &str| -> Option<Vec<f64>> {
                    table.get(axis)?.as_array()?.iter().map(Value::as_f64).collect()
                };
                let (Some(x), Some(y)) = (column("x"), column("y")) else { return Err(self.missing(key)) };
                Ok(Table::new(x, y, false, Outside::Error)?.into())
            }
            _ => Err(self.missing(key)),
        }
    }

    fn activated(&self, key: &str, energy: &str) -> Result<Activated, CellError> {
        Ok(Activated {
            at_reference: self.property(key)?,
            activation_energy_j_per_mol: self.number_or(energy, 0.0),
        })
    }

    /// `empty` and `full` name the stoichiometry limits that belong to an empty and to a charged cell.
    fn electrode(&self, empty: &str, full: &str, salt: f64) -> Result<Electrode, CellError> {
        if self.value.get("Particle").is_some() {
            return Err(CellError::Document(format!(
                "{}: several active materials; this model takes one per electrode",
                self.name
            )));
        }
        let radius = self.number("Particle radius [m]")?;
        let maximum = self.number("Maximum concentration [mol.m-3]")?;
        let rate = self.number("Reaction rate constant [mol.m-2.s-1]")?;
        let scale = FARADAY * rate;
        let exchange = format!("{scale:e} * sqrt(c_e / {salt:e} * x * (1 - x))");
        let entropic = if self.value.get("Entropic change coefficient [V.K-1]").is_some() {
            self.property("Entropic change coefficient [V.K-1]")?
        } else {
            Property::Constant(0.0)
        };
        let material = ActiveMaterial {
            name: String::new(),
            fraction: self.number("Surface area per unit volume [m-1]")? * radius / 3.0,
            particle_radius_m: radius,
            radius_distribution: None,
            max_concentration: maximum,
            initial_concentration: maximum * self.number(full)?,
            window: Some(StoichiometryWindow { empty: self.number(empty)?, full: self.number(full)? }),
            open_circuit: OpenCircuitPotential {
                at_reference: self.property("OCP [V]")?,
                entropic_slope: entropic,
            },
            diffusivity: self.activated("Diffusivity [m2.s-1]", "Diffusivity activation energy [J.mol-1]")?,
            exchange_current: Activated {
                at_reference: Property::formula(&exchange)?,
                activation_energy_j_per_mol: self
                    .number_or("Reaction rate constant activation energy [J.mol-1]", 0.0),
            },
            kinetics: Kinetics::ButlerVolmer,
            hysteresis: None,
            sei: None,
            plating: None,
            mechanics: None,
        };
        Ok(Electrode {
            thickness_m: self.number("Thickness [m]")?,
            porosity: self.number("Porosity")?,
            electrolyte_efficiency: self.number("Transport efficiency")?,
            solid_efficiency: 1.0,
            conductivity_s_per_m: self.number("Conductivity [S.m-1]")?,
            double_layer_capacitance: 0.0,
            material,
            blended: Vec::new(),
        })
    }
}

impl ParameterSet {
    /// Reads a BPX document. Thermal data are taken only if the document gives a heat transfer coefficient
    /// (version 1.1, section State).
    ///
    /// # Errors
    /// [`CellError::Document`] if it is not JSON or not a DFN with one active material per electrode;
    /// [`CellError::Parameter`] with the section and key that is missing or out of range;
    /// [`CellError::Formula`] or [`CellError::Table`] for a function that cannot be read.
    pub fn from_bpx(text: &str) -> Result<Self, CellError> {
        let document: Value =
            serde_json::from_str(text).map_err(|error| CellError::Document(error.to_string()))?;
        let model = document.pointer("/Header/Model").and_then(Value::as_str).unwrap_or("");
        if model != "DFN" {
            return Err(CellError::Document(format!("Header/Model is '{model}', only 'DFN' can be read")));
        }
        let name = document.pointer("/Header/Title").and_then(Value::as_str).unwrap_or("BPX cell").to_owned();
        let null = Value::Null;
        let section = |name: &'static str| Section {
            name,
            value: document.get("Parameterisation").and_then(|p| p.get(name)).unwrap_or(&null),
        };
        let state = |group: &str, key: &str| {
            document.get("State").and_then(|s| s.get(group)).and_then(|g| g.get(key)).and_then(Value::as_f64)
        };
        let (cell, salt_section, separator) = (section("Cell"), section("Electrolyte"), section("Separator"));
        let key = "Initial concentration [mol.m-3]";
        let salt = state("Initial conditions", "Initial electrolyte concentration [mol.m-3]")
            .map_or_else(|| salt_section.number(key), Ok)?;
        let reference = cell.number("Reference temperature [K]")?;
        let temperature = state("Initial conditions", "Initial temperature [K]")
            .unwrap_or_else(|| cell.number_or("Initial temperature [K]", reference));
        let ambient = state("Thermal environment", "Ambient temperature [K]")
            .unwrap_or_else(|| cell.number_or("Ambient temperature [K]", temperature));
        let thermal = match state("Thermal environment", "Heat transfer coefficient [W.m-2.K-1]") {
            None => None,
            Some(coefficient) => Some(ThermalParameters {
                volumetric_heat_capacity: cell.number("Density [kg.m-3]")?
                    * cell.number("Specific heat capacity [J.K-1.kg-1]")?,
                cell_volume_m3: cell.number("Volume [m3]")?,
                cooling_area_m2: cell.number("External surface area [m2]")?,
                heat_transfer_coefficient: coefficient,
                ambient_temperature_k: ambient,
            }),
        };
        let parameters = Self {
            name,
            negative: section("Negative electrode")
                .electrode("Minimum stoichiometry", "Maximum stoichiometry", salt)
                .map(NegativeElectrode::Porous)?,
            separator: Separator {
                thickness_m: separator.number("Thickness [m]")?,
                porosity: separator.number("Porosity")?,
                electrolyte_efficiency: separator.number("Transport efficiency")?,
            },
            positive: section("Positive electrode").electrode(
                "Maximum stoichiometry",
                "Minimum stoichiometry",
                salt,
            )?,
            electrolyte: Electrolyte {
                initial_concentration: salt,
                transference_number: Property::Constant(salt_section.number("Cation transference number")?),
                thermodynamic_factor: Property::Constant(1.0),
                diffusivity: salt_section
                    .activated("Diffusivity [m2.s-1]", "Diffusivity activation energy [J.mol-1]")?,
                conductivity: salt_section
                    .activated("Conductivity [S.m-1]", "Conductivity activation energy [J.mol-1]")?,
            },
            electrode_area_m2: cell.number("Electrode area [m2]")?,
            parallel_pairs: cell.number("Number of electrode pairs connected in parallel to make a cell")?,
            contact_resistance_ohm: 0.0,
            without_electrolyte: false,
            nominal_capacity_ah: cell.number("Nominal cell capacity [A.h]")?,
            lower_voltage_v: cell.number("Lower voltage cut-off [V]")?,
            upper_voltage_v: cell.number("Upper voltage cut-off [V]")?,
            initial_temperature_k: temperature,
            reference_temperature_k: reference,
            thermal,
        };
        parameters.validate()?;
        Ok(parameters)
    }
}
