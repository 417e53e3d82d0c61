//! Parameter sets of cells.

use crate::error::CellError;
use crate::property::{Activated, OpenCircuitPotential, Property};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const THREE_SETS: &str = include_str!("../../../data/cell/dfn_three_sets.json");
const THERMAL: &str = include_str!("../../../data/cell/thermal.json");

/// Rate law of the interface, j in A per m2 of particle surface, overpotential eta in V.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Kinetics {
    /// j = 2 j0 sinh(F eta / (2 R T)).
    #[default]
    ButlerVolmer,
    /// j = j0 F eta / (R T), its small-overpotential limit.
    Linear,
}

/// One porous electrode with its particles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Electrode {
    /// Thickness, m.
    pub thickness_m: f64,
    /// Volume fraction of electrolyte.
    pub porosity: f64,
    /// Volume fraction of active material; with the radius it gives the surface a = 3 fraction / radius.
    pub active_fraction: f64,
    /// Transport efficiency of the electrolyte (effective over bulk conductivity), for example porosity^1.5.
    pub electrolyte_efficiency: f64,
    /// Transport efficiency of the solid, for example (1 - porosity)^1.5.
    pub solid_efficiency: f64,
    /// Electronic conductivity of the solid before `solid_efficiency`, S/m.
    pub conductivity_s_per_m: f64,
    /// Particle radius, m.
    pub particle_radius_m: f64,
    /// Lithium concentration at stoichiometry 1, mol/m3.
    pub max_concentration: f64,
    /// Lithium concentration at the start, mol/m3.
    pub initial_concentration: f64,
    /// Open-circuit potential against lithium.
    pub open_circuit: OpenCircuitPotential,
    /// Chemical diffusivity of lithium in the particles, m2/s; a function of `x` or `c_s` (`c_e` is 0 there).
    pub diffusivity: Activated,
    /// Exchange-current density j0 (in j = 2 j0 sinh), A/m2.
    pub exchange_current: Activated,
    /// Rate law.
    #[serde(default)]
    pub kinetics: Kinetics,
}

/// The separator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
pub struct Electrolyte {
    /// Salt concentration at the start, mol/m3.
    pub initial_concentration: f64,
    /// Cation transference number.
    pub transference_number: f64,
    /// Thermodynamic factor 1 + d ln f / d ln c.
    pub thermodynamic_factor: f64,
    /// Salt diffusivity, m2/s.
    pub diffusivity: Activated,
    /// Ionic conductivity, S/m.
    pub conductivity: Activated,
}

/// What the lumped thermal model needs beside the entropic slopes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
/// cell.positive.open_circuit.at_reference = ocp.into();
/// cell.positive.open_circuit.entropic_slope = entropic.into();
/// cell.positive.diffusivity =
///     Activated { at_reference: diffusivity.into(), activation_energy_j_per_mol: 3e4 };
/// let cell = cell.started_at_voltage(4.1)?;
/// let solution = solve(&cell, &Protocol::discharge(1.0, 3.0), &DfnOptions::default(), &[600.0])?;
/// assert!(solution.voltage_v[0] < 4.05 && solution.inventory.solid_lithium_drift < 1e-12);
/// # Ok::<(), scalade_cell::CellError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParameterSet {
    /// Name.
    pub name: String,
    /// Negative electrode.
    pub negative: Electrode,
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

    /// Electrode area times pairs in parallel, m2.
    pub fn total_area_m2(&self) -> f64 {
        self.electrode_area_m2 * self.parallel_pairs
    }

    /// Current of `rate` C, A.
    pub fn current_of_rate(&self, rate: f64) -> f64 {
        rate * self.nominal_capacity_ah
    }

    /// The same cell seen from the other side: the electrodes change places, so that voltage and current
    /// change sign.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        Self { negative: self.positive.clone(), positive: self.negative.clone(), ..self.clone() }
    }

    /// Checks every number against its physical range.
    ///
    /// # Errors
    /// [`CellError::Parameter`] with the first one that does not fit.
    pub fn validate(&self) -> Result<(), CellError> {
        self.negative.validate("negative electrode")?;
        self.positive.validate("positive electrode")?;
        positive("separator thickness [m]", self.separator.thickness_m)?;
        fraction("separator porosity", self.separator.porosity)?;
        fraction("separator electrolyte efficiency", self.separator.electrolyte_efficiency)?;
        positive("initial electrolyte concentration [mol/m3]", self.electrolyte.initial_concentration)?;
        positive("thermodynamic factor", self.electrolyte.thermodynamic_factor)?;
        within("cation transference number", self.electrolyte.transference_number, -1.0, 1.0)?;
        activated("electrolyte diffusivity", &self.electrolyte.diffusivity)?;
        activated("electrolyte conductivity", &self.electrolyte.conductivity)?;
        positive("electrode area [m2]", self.electrode_area_m2)?;
        positive("electrode pairs in parallel", self.parallel_pairs)?;
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

impl Electrode {
    /// Particle surface per electrode volume a = 3 active_fraction / radius, 1/m.
    pub fn specific_surface(&self) -> f64 {
        3.0 * self.active_fraction / self.particle_radius_m
    }

    /// Stoichiometry at the start.
    pub fn initial_stoichiometry(&self) -> f64 {
        self.initial_concentration / self.max_concentration
    }

    fn validate(&self, which: &str) -> Result<(), CellError> {
        let name = |quantity: &str| format!("{which}: {quantity}");
        positive(&name("thickness [m]"), self.thickness_m)?;
        fraction(&name("porosity"), self.porosity)?;
        fraction(&name("active material fraction"), self.active_fraction)?;
        fraction(&name("electrolyte efficiency"), self.electrolyte_efficiency)?;
        fraction(&name("solid efficiency"), self.solid_efficiency)?;
        positive(&name("conductivity [S/m]"), self.conductivity_s_per_m)?;
        positive(&name("particle radius [m]"), self.particle_radius_m)?;
        positive(&name("maximum concentration [mol/m3]"), self.max_concentration)?;
        positive(&name("initial concentration [mol/m3]"), self.initial_concentration)?;
        within(&name("initial stoichiometry"), self.initial_stoichiometry(), 0.0, 1.0)?;
        activated(&name("diffusivity"), &self.diffusivity)?;
        activated(&name("exchange-current density"), &self.exchange_current)?;
        if let Some(value) = self.open_circuit.entropic_slope.as_constant() {
            within(&name("entropic slope [V/K]"), value, -1.0, 1.0)?;
        }
        Ok(())
    }
}

fn refuse(name: &str, value: f64, requirement: String) -> CellError {
    CellError::Parameter { name: name.to_owned(), value, requirement }
}

fn positive(name: &str, value: f64) -> Result<(), CellError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(refuse(name, value, "must be positive and finite".to_owned()))
}

fn within(name: &str, value: f64, low: f64, high: f64) -> Result<(), CellError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(refuse(name, value, format!("must lie between {low} and {high}")))
}

fn fraction(name: &str, value: f64) -> Result<(), CellError> {
    if value > 0.0 && value <= 1.0 {
        return Ok(());
    }
    Err(refuse(name, value, "must be above 0 and at most 1".to_owned()))
}

fn activated(name: &str, property: &Activated) -> Result<(), CellError> {
    within(&format!("{name}: activation energy [J/mol]"), property.activation_energy_j_per_mol, -1e6, 1e6)?;
    property.at_reference.as_constant().map_or(Ok(()), |value| positive(name, value))
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
        Ok(Electrode {
            thickness_m: number("electrode thickness [m]")?,
            porosity,
            active_fraction: number("electrode active material volume fraction")?,
            electrolyte_efficiency: porosity.powf(number("electrode Bruggeman coefficient (electrolyte)")?),
            solid_efficiency: (1.0 - porosity).powf(number("electrode Bruggeman coefficient (electrode)")?),
            conductivity_s_per_m: number("electrode conductivity [S.m-1]")?,
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
        negative: reader.electrode("Negative")?,
        separator: Separator {
            thickness_m: reader.number("Separator thickness [m]")?,
            porosity: separator_porosity,
            electrolyte_efficiency: separator_porosity
                .powf(reader.number("Separator Bruggeman coefficient (electrolyte)")?),
        },
        positive: reader.electrode("Positive")?,
        electrolyte: Electrolyte {
            initial_concentration: reader.number("Initial concentration in electrolyte [mol.m-3]")?,
            transference_number: reader.number("Cation transference number")?,
            thermodynamic_factor: reader.number("Thermodynamic factor")?,
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
