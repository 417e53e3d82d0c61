//! Parameter sets that come with the crate.

use super::checks::refuse;
use super::{
    ActiveMaterial, Electrode, Electrolyte, Kinetics, NegativeElectrode, ParameterSet, Separator,
    ThermalParameters,
};
use crate::error::CellError;
use crate::property::{Activated, OpenCircuitPotential, Property};
use serde_json::Value;

const THREE_SETS: &str = include_str!("../../../../data/cell/dfn_three_sets.json");
const THERMAL: &str = include_str!("../../../../data/cell/thermal.json");
/// Capacitance of the double layer that PyBaMM's modules of these three sets give, F/m2.
const DOUBLE_LAYER: f64 = 0.2;

impl ParameterSet {
    /// Kokam SLPB78205130H of Marquis et al., J. Electrochem. Soc. 166 (2019) A3693 (graphite / LiCoO2,
    /// 0.68 A h).
    ///
    /// # Errors
    /// None for the data that come with the crate.
    pub fn marquis2019() -> Result<Self, CellError> {
        Self::bundled("Marquis2019")
    }

    /// LG M50 of Chen et al., J. Electrochem. Soc. 167 (2020) 080534 (graphite-SiOx / NMC811, 5 A h).
    ///
    /// # Errors
    /// None for the data that come with the crate.
    pub fn chen2020() -> Result<Self, CellError> {
        Self::bundled("Chen2020")
    }

    /// A123 26650 of Prada et al., J. Electrochem. Soc. 160 (2013) A616 (graphite / LiFePO4, 2.3 A h); no
    /// thermal data.
    ///
    /// # Errors
    /// None for the data that come with the crate.
    pub fn prada2013() -> Result<Self, CellError> {
        Self::bundled("Prada2013")
    }

    fn bundled(name: &str) -> Result<Self, CellError> {
        let sets: Value = read_document(THREE_SETS)?;
        let thermal: Value = read_document(THERMAL)?;
        let set = sets.get(name).ok_or_else(|| CellError::Document(format!("no set named {name}")))?;
        from_document(name, set, thermal.get(name))
    }
}

fn read_document(text: &str) -> Result<Value, CellError> {
    serde_json::from_str(text).map_err(|error| CellError::Document(error.to_string()))
}

/// Looks up names of a parameter document.
struct Reader<'a> {
    set: &'a Value,
    thermal: Option<&'a Value>,
}

impl Reader<'_> {
    fn number(&self, key: &str) -> Result<f64, CellError> {
        self.set.get(key).and_then(Value::as_f64).ok_or_else(|| missing(key))
    }

    fn property(&self, key: &str) -> Result<Property, CellError> {
        let text = self.set.get("functions").and_then(|f| f.get(key)).and_then(Value::as_str);
        Property::formula(text.ok_or_else(|| missing(key))?)
    }

    fn thermal_number(&self, key: &str) -> Result<f64, CellError> {
        match self.thermal {
            Some(document) => document.get(key).and_then(Value::as_f64).ok_or_else(|| missing(key)),
            None => Ok(0.0),
        }
    }

    fn activated(&self, key: &str, energy: &str) -> Result<Activated, CellError> {
        Ok(Activated {
            at_reference: self.property(key)?,
            activation_energy_j_per_mol: self.thermal_number(energy)?,
        })
    }

    /// `side` is "Negative" or "Positive".
    fn electrode(&self, side: &str) -> Result<Electrode, CellError> {
        let number = |suffix: &str| self.number(&format!("{side} {suffix}"));
        let lower = side.to_lowercase();
        let porosity = number("electrode porosity")?;
        let entropic = match self.thermal {
            None => Property::Constant(0.0),
            Some(document) => {
                let key = format!("{side} electrode OCP entropic change [V.K-1]");
                Property::formula(document.get(&key).and_then(Value::as_str).ok_or_else(|| missing(&key))?)?
            }
        };
        let energy = |what: &str| format!("{side} {what} activation energy [J.mol-1]");
        let material = ActiveMaterial {
            name: String::new(),
            fraction: number("electrode active material volume fraction")?,
            radius_distribution: None,
            window: None,
            particle_radius_m: number("particle radius [m]")?,
            max_concentration: self
                .number(&format!("Maximum concentration in {lower} electrode [mol.m-3]"))?,
            initial_concentration: self
                .number(&format!("Initial concentration in {lower} electrode [mol.m-3]"))?,
            open_circuit: OpenCircuitPotential {
                at_reference: self.property(&format!("{side} OCP [V]"))?,
                entropic_slope: entropic,
            },
            diffusivity: self.activated(
                &format!("{side} particle diffusivity [m2.s-1]"),
                &energy("particle diffusivity"),
            )?,
            exchange_current: self.activated(
                &format!("{side} exchange-current density [A.m-2]"),
                &energy("exchange-current density"),
            )?,
            kinetics: Kinetics::ButlerVolmer,
        };
        Ok(Electrode {
            thickness_m: number("electrode thickness [m]")?,
            porosity,
            electrolyte_efficiency: porosity.powf(number("electrode Bruggeman coefficient (electrolyte)")?),
            solid_efficiency: (1.0 - porosity).powf(number("electrode Bruggeman coefficient (electrode)")?),
            conductivity_s_per_m: number("electrode conductivity [S.m-1]")?,
            double_layer_capacitance: DOUBLE_LAYER,
            material,
            blended: Vec::new(),
        })
    }

    fn thermal_parameters(&self) -> Result<Option<ThermalParameters>, CellError> {
        if self.thermal.is_none() {
            return Ok(None);
        }
        Ok(Some(ThermalParameters {
            volumetric_heat_capacity: self.effective_heat_capacity()?,
            cell_volume_m3: self.thermal_number("Cell volume [m3]")?,
            cooling_area_m2: self.thermal_number("Cell cooling surface area [m2]")?,
            heat_transfer_coefficient: self.thermal_number("Total heat transfer coefficient [W.m-2.K-1]")?,
            ambient_temperature_k: self.thermal_number("Ambient temperature [K]")?,
        }))
    }

    /// Thickness-weighted mean of density times specific heat over the two collectors, the electrodes and
    /// the separator.
    fn effective_heat_capacity(&self) -> Result<f64, CellError> {
        let mut capacity = 0.0;
        let mut thickness = 0.0;
        let layers = [
            "Negative current collector",
            "Negative electrode",
            "Separator",
            "Positive electrode",
            "Positive current collector",
        ];
        for layer in layers {
            let key = format!("{layer} thickness [m]");
            let width =
                if layer.ends_with("collector") { self.thermal_number(&key)? } else { self.number(&key)? };
            let density = self.thermal_number(&format!("{layer} density [kg.m-3]"))?;
            let heat = self.thermal_number(&format!("{layer} specific heat capacity [J.kg-1.K-1]"))?;
            capacity += width * density * heat;
            thickness += width;
        }
        Ok(capacity / thickness)
    }
}

fn missing(key: &str) -> CellError {
    refuse(key, f64::NAN, "is missing from the document".to_owned())
}

fn from_document(name: &str, set: &Value, thermal: Option<&Value>) -> Result<ParameterSet, CellError> {
    let reader = Reader { set, thermal };
    let separator_porosity = reader.number("Separator porosity")?;
    let parameters = ParameterSet {
        name: name.to_owned(),
        negative: NegativeElectrode::Porous(reader.electrode("Negative")?),
        separator: Separator {
            thickness_m: reader.number("Separator thickness [m]")?,
            porosity: separator_porosity,
            electrolyte_efficiency: separator_porosity
                .powf(reader.number("Separator Bruggeman coefficient (electrolyte)")?),
        },
        positive: reader.electrode("Positive")?,
        electrolyte: Electrolyte {
            initial_concentration: reader.number("Initial concentration in electrolyte [mol.m-3]")?,
            transference_number: Property::Constant(reader.number("Cation transference number")?),
            thermodynamic_factor: Property::Constant(reader.number("Thermodynamic factor")?),
            diffusivity: reader.activated(
                "Electrolyte diffusivity [m2.s-1]",
                "Electrolyte diffusivity activation energy [J.mol-1]",
            )?,
            conductivity: reader.activated(
                "Electrolyte conductivity [S.m-1]",
                "Electrolyte conductivity activation energy [J.mol-1]",
            )?,
        },
        electrode_area_m2: reader.number("Electrode height [m]")? * reader.number("Electrode width [m]")?,
        parallel_pairs: reader.number("Number of electrodes connected in parallel to make a cell")?,
        contact_resistance_ohm: 0.0,
        without_electrolyte: false,
        nominal_capacity_ah: reader.number("Nominal cell capacity [A.h]")?,
        lower_voltage_v: reader.number("Lower voltage cut-off [V]")?,
        upper_voltage_v: reader.number("Upper voltage cut-off [V]")?,
        initial_temperature_k: reader.number("Initial temperature [K]")?,
        reference_temperature_k: reader.number("Reference temperature [K]")?,
        thermal: reader.thermal_parameters()?,
    };
    parameters.validate()?;
    Ok(parameters)
}
