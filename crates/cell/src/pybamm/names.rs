//! Names of `PyBaMM`'s parameters and the values that go with them.

use super::script::{Call, Script};
use crate::parameters::{
    ActiveMaterial, Electrode, Kinetics, LithiumMetal, MechanicsParameters, NegativeElectrode, ParameterSet,
    PlatingParameters, SeiParameters,
};
use crate::property::Activated;

/// Conductivity of collectors that do not matter, S/m (value of `PyBaMM`'s own reader of BPX files).
const COLLECTOR_CONDUCTIVITY: f64 = 4e7;
/// Density that stands where only the heat capacity per volume is known, kg/m3; a power of two keeps it exact.
const NOMINAL_DENSITY: f64 = 2048.0;
/// Lithium metal: molar volume, m3/mol, thickness of the sheet, m, and conductivity, S/m (`PyBaMM`'s Xu2019).
const LITHIUM: [f64; 3] = [1.3e-5, 7e-4, 1.0776e7];
/// Bruggeman exponent where any gives the same.
const ANY_EXPONENT: f64 = 1.5;

/// Writes all entries; gives the options of the model as names and Python source.
pub(super) fn fill(set: &ParameterSet, script: &mut Script) -> Vec<(&'static str, String)> {
    cell(set, script);
    let mut phases = [1, 1];
    match &set.negative {
        NegativeElectrode::Porous(negative) => {
            electrode("Negative", "negative", negative, script);
            phases[0] = negative.materials().count();
        }
        NegativeElectrode::LithiumMetal(sheet) => metal(sheet, script),
    }
    electrode("Positive", "positive", &set.positive, script);
    phases[1] = set.positive.materials().count();
    liquid(set, script);
    let mut options = Vec::new();
    if set.negative.porous().is_none() {
        options.push(("working electrode", "\"positive\"".to_owned()));
    }
    if phases.iter().any(|n| *n > 2) {
        let message =
            format!("{} and {} active materials; the model takes two in an electrode", phases[0], phases[1]);
        script.refuse("", message, "join materials");
    }
    if phases != [1, 1] {
        options.push(("particle phases", format!("(\"{}\", \"{}\")", phases[0], phases[1])));
    }
    let materials = || {
        let negative = set.negative.porous().into_iter().flat_map(Electrode::materials);
        negative.chain(set.positive.materials())
    };
    let linear = materials().filter(|m| m.kinetics == Kinetics::Linear).count();
    if linear == materials().count() {
        options.push(("intercalation kinetics", "\"linear\"".to_owned()));
    } else if linear > 0 {
        script.refuse("", "kinetics that differ from material to material", "choose one for all");
    }
    if materials().any(|m| m.radius_distribution.is_some()) {
        script.refuse("", "a distribution of particle radii", "give one radius, or two materials");
    }
    options
}

fn cell(set: &ParameterSet, script: &mut Script) {
    // Height times width is all that a one-dimensional model knows of them.
    let edge = set.electrode_area_m2.sqrt();
    script.number("Electrode height [m]", edge);
    script.number("Electrode width [m]", set.electrode_area_m2 / edge);
    script.number("Number of electrodes connected in parallel to make a cell", set.parallel_pairs);
    script.number("Number of cells connected in series to make a battery", 1.0);
    script.number("Nominal cell capacity [A.h]", set.nominal_capacity_ah);
    script.number("Current function [A]", set.nominal_capacity_ah);
    script.number("Contact resistance [Ohm]", set.contact_resistance_ohm);
    script.number("Lower voltage cut-off [V]", set.lower_voltage_v);
    script.number("Upper voltage cut-off [V]", set.upper_voltage_v);
    script.number("Open-circuit voltage at 0% SOC [V]", set.lower_voltage_v);
    script.number("Open-circuit voltage at 100% SOC [V]", set.upper_voltage_v);
    script.number("Reference temperature [K]", set.reference_temperature_k);
    script.number("Initial temperature [K]", set.initial_temperature_k);
    let ambient = set.thermal.as_ref().map_or(set.initial_temperature_k, |t| t.ambient_temperature_k);
    script.number("Ambient temperature [K]", ambient);
    for side in ["Negative", "Positive"] {
        script.number(&format!("{side} current collector thickness [m]"), 0.0);
        script.number(&format!("{side} current collector conductivity [S.m-1]"), COLLECTOR_CONDUCTIVITY);
    }
    if let Some(thermal) = &set.thermal {
        script.number("Total heat transfer coefficient [W.m-2.K-1]", thermal.heat_transfer_coefficient);
        script.number("Cell cooling surface area [m2]", thermal.cooling_area_m2);
        script.number("Cell volume [m3]", thermal.cell_volume_m3);
        let layers = [
            "Negative current collector",
            "Negative electrode",
            "Separator",
            "Positive electrode",
            "Positive current collector",
        ];
        for layer in layers {
            script.number(&format!("{layer} density [kg.m-3]"), NOMINAL_DENSITY);
            let heat = thermal.volumetric_heat_capacity / NOMINAL_DENSITY;
            script.number(&format!("{layer} specific heat capacity [J.kg-1.K-1]"), heat);
        }
    }
}

/// b with efficiency = porosity^b.
fn bruggeman(name: &str, porosity: f64, efficiency: f64, script: &mut Script) {
    let exponent = if porosity < 1.0 {
        efficiency.ln() / porosity.ln()
    } else if efficiency < 1.0 {
        let message =
            format!("{name}: transport efficiency {efficiency} at porosity 1 is no power of the porosity");
        return script.refuse("", message, "give a porosity below 1");
    } else {
        ANY_EXPONENT
    };
    script.number(&format!("{name} Bruggeman coefficient (electrolyte)"), exponent);
}

fn electrode(side: &str, lower: &str, electrode: &Electrode, script: &mut Script) {
    let name = format!("{side} electrode");
    script.number(&format!("{name} thickness [m]"), electrode.thickness_m);
    script.number(&format!("{name} porosity"), electrode.porosity);
    bruggeman(&name, electrode.porosity, electrode.electrolyte_efficiency, script);
    let effective = electrode.conductivity_s_per_m * electrode.solid_efficiency;
    script.number(&format!("{name} conductivity [S.m-1]"), effective);
    script.number(&format!("{name} Bruggeman coefficient (electrode)"), 0.0);
    script.number(&format!("{name} double-layer capacity [F.m-2]"), electrode.double_layer_capacitance);
    let blend = !electrode.blended.is_empty();
    for (i, material) in electrode.materials().enumerate() {
        let (prefix, tag) = match (blend, i) {
            (false, _) => ("", String::new()),
            (true, 0) => ("Primary: ", "_primary".to_owned()),
            (true, _) => ("Secondary: ", "_secondary".to_owned()),
        };
        self::material(prefix, side, &format!("{lower}{tag}"), material, script);
    }
}

fn material(prefix: &str, side: &str, identifier: &str, material: &ActiveMaterial, script: &mut Script) {
    let maximum = material.max_concentration;
    let lower = side.to_lowercase();
    let name = |what: &str| format!("{prefix}{side} {what}");
    let id = |what: &str| format!("{identifier}_{what}");
    script.number(&name("electrode active material volume fraction"), material.fraction);
    script.number(&name("particle radius [m]"), material.particle_radius_m);
    script.number(&format!("{prefix}Maximum concentration in {lower} electrode [mol.m-3]"), maximum);
    let key = format!("{prefix}Initial concentration in {lower} electrode [mol.m-3]");
    script.number(&key, material.initial_concentration);
    let rest = &material.open_circuit;
    let of_x = Call::Stoichiometry(maximum);
    script.property(&name("electrode OCP [V]"), &id("ocp"), &rest.at_reference, of_x);
    let key = name("electrode OCP entropic change [V.K-1]");
    script.property(&key, &id("entropic_change"), &rest.entropic_slope, of_x);
    let key = name("particle diffusivity [m2.s-1]");
    let warm = Call::StoichiometryAndTemperature(maximum);
    script.activated(&key, &id("diffusivity"), &material.diffusivity, warm);
    let key = name("electrode exchange-current density [A.m-2]");
    let surface = Call::Surface(maximum);
    script.activated(&key, &id("exchange_current"), &material.exchange_current, surface);
    if let Some(hysteresis) = &material.hysteresis {
        let key = name("electrode lithiation OCP [V]");
        script.property(&key, &id("lithiation_ocp"), &hysteresis.lithiation, of_x);
        let key = name("electrode delithiation OCP [V]");
        script.property(&key, &id("delithiation_ocp"), &hysteresis.delithiation, of_x);
        for direction in ["lithiation", "delithiation"] {
            if let Some(decay) = hysteresis.decay_constant {
                script.number(&name(&format!("particle {direction} hysteresis decay rate")), decay);
            }
        }
        if let Some(state) = hysteresis.initial_state {
            script.number(&format!("{prefix}Initial hysteresis state in {lower} electrode"), state);
        }
    }
    if let Some(sei) = &material.sei {
        interphase(prefix, side, sei, script);
    }
    if let Some(plating) = &material.plating {
        self::plating(prefix, identifier, plating, material.sei.as_deref(), script);
    }
    if let Some(mechanics) = &material.mechanics {
        self::mechanics(&name("electrode"), identifier, mechanics, maximum, script);
    }
}

fn interphase(prefix: &str, side: &str, sei: &SeiParameters, script: &mut Script) {
    let cracks =
        sei.initial_thickness_on_cracks_m.map(|value| ("Initial SEI on cracks thickness [m]", value));
    let entries = [
        ("Ratio of lithium moles to SEI moles", sei.lithium_per_sei),
        ("SEI partial molar volume [m3.mol-1]", sei.partial_molar_volume_m3_per_mol),
        ("SEI resistivity [Ohm.m]", sei.resistivity_ohm_m),
        ("Initial SEI thickness [m]", sei.initial_thickness_m),
        ("SEI open-circuit potential [V]", sei.open_circuit_potential_v),
        ("SEI reaction exchange current density [A.m-2]", sei.exchange_current_a_per_m2),
        ("SEI growth transfer coefficient", sei.growth_transfer_coefficient),
        ("SEI growth activation energy [J.mol-1]", sei.growth_activation_energy_j_per_mol),
        ("SEI solvent diffusivity [m2.s-1]", sei.solvent_diffusivity_m2_per_s),
        ("Bulk solvent concentration [mol.m-3]", sei.bulk_solvent_concentration_mol_per_m3),
        ("SEI electron conductivity [S.m-1]", sei.electron_conductivity_s_per_m),
        ("SEI lithium interstitial diffusivity [m2.s-1]", sei.interstitial_diffusivity_m2_per_s),
        (
            "Lithium interstitial reference concentration [mol.m-3]",
            sei.interstitial_reference_concentration_mol_per_m3,
        ),
        ("EC initial concentration in electrolyte [mol.m-3]", sei.ec_concentration_mol_per_m3),
        ("EC diffusivity [m2.s-1]", sei.ec_diffusivity_m2_per_s),
        ("SEI kinetic rate constant [m.s-1]", sei.ec_rate_constant_m_per_s),
    ];
    for (name, value) in entries.into_iter().chain(cracks) {
        script.number(&format!("{prefix}{name}"), value);
    }
    let key = format!("{prefix}{side} electrode reaction-driven LAM factor [m3.mol-1]");
    script.number(&key, sei.reaction_driven_loss_m3_per_mol);
}

fn plating(
    prefix: &str,
    identifier: &str,
    plating: &PlatingParameters,
    sei: Option<&SeiParameters>,
    script: &mut Script,
) {
    let name = |what: &str| format!("{prefix}{what}");
    let key = name("Exchange-current density for plating [A.m-2]");
    script.property(&key, &format!("{identifier}_plating"), &plating.exchange_current, Call::Metal);
    if let Some(rate) = plating.stripping_rate_constant_m_per_s {
        script.number(&name("Lithium plating kinetic rate constant [m.s-1]"), rate);
        script.source(
            &name("Exchange-current density for stripping [A.m-2]"),
            &format!("{identifier}_stripping"),
            "c_e, c_Li, T",
            &format!("pybamm.constants.F * {rate:?} * c_Li"),
        );
    }
    if let (Some(decay), Some(sei)) = (plating.dead_lithium_decay_constant_per_s, sei) {
        script.number(&name("Dead lithium decay constant [s-1]"), decay);
        script.source(
            &name("Dead lithium decay rate [s-1]"),
            &format!("{identifier}_dead_lithium"),
            "L_sei",
            &format!("{decay:?} * {:?} / L_sei", sei.initial_thickness_m),
        );
    }
    script.number(&name("Lithium plating transfer coefficient"), plating.transfer_coefficient);
    let volume = plating.lithium_metal_partial_molar_volume_m3_per_mol;
    script.number("Lithium metal partial molar volume [m3.mol-1]", volume);
    let initial = plating.initial_concentration_mol_per_m3;
    script.number(&name("Initial plated lithium concentration [mol.m-3]"), initial);
    let typical = plating.typical_concentration_mol_per_m3;
    script.number(&name("Typical plated lithium concentration [mol.m-3]"), typical);
}

fn mechanics(name: &str, identifier: &str, stress: &MechanicsParameters, maximum: f64, script: &mut Script) {
    let entries = [
        ("Young's modulus [Pa]", stress.youngs_modulus_pa),
        ("Poisson's ratio", stress.poisson_ratio),
        ("partial molar volume [m3.mol-1]", stress.partial_molar_volume_m3_per_mol),
        (
            "reference concentration for free of deformation [mol.m-3]",
            stress.reference_concentration_mol_per_m3,
        ),
        ("critical stress [Pa]", stress.critical_stress_pa),
        ("LAM constant proportional term [s-1]", stress.loss_rate_per_s),
        ("LAM constant exponential term", stress.loss_exponent),
        ("Paris' law constant b", stress.paris_b),
        ("Paris' law constant m", stress.paris_m),
        ("initial crack length [m]", stress.initial_crack_length_m),
        ("initial crack width [m]", stress.initial_crack_width_m),
        ("number of cracks per unit area [m-2]", stress.cracks_per_area_per_m2),
    ];
    for (what, value) in entries {
        script.number(&format!("{name} {what}"), value);
    }
    let id = |what: &str| format!("{identifier}_{what}");
    let of_x = Call::Stoichiometry(maximum);
    script.property(&format!("{name} volume change"), &id("volume_change"), &stress.volume_change, of_x);
    let key = format!("{name} cracking rate");
    script.activated(&key, &id("cracking_rate"), &stress.cracking_rate, Call::Temperature);
}

fn metal(sheet: &LithiumMetal, script: &mut Script) {
    let [volume, thickness, conductivity] = LITHIUM;
    script.number("Lithium metal partial molar volume [m3.mol-1]", volume);
    script.number("Negative electrode thickness [m]", thickness);
    script.number("Negative electrode conductivity [S.m-1]", conductivity);
    script.number("Negative electrode OCP [V]", 0.0);
    script.number("Negative electrode OCP entropic change [V.K-1]", 0.0);
    script.number("Negative electrode double-layer capacity [F.m-2]", sheet.double_layer_capacitance);
    let key = "Exchange-current density for lithium metal electrode [A.m-2]";
    script.activated(key, "lithium_metal_exchange_current", &sheet.exchange_current, Call::Metal);
}

fn liquid(set: &ParameterSet, script: &mut Script) {
    let (separator, salt) = (&set.separator, &set.electrolyte);
    script.number("Separator thickness [m]", separator.thickness_m);
    script.number("Separator porosity", separator.porosity);
    bruggeman("Separator", separator.porosity, separator.electrolyte_efficiency, script);
    script.number("Initial concentration in electrolyte [mol.m-3]", salt.initial_concentration);
    let mut entry = |name: &str, identifier: &str, property: &Activated| {
        script.activated(name, identifier, property, Call::Salt);
    };
    let plain = |property: &crate::property::Property| Activated::isothermal(property.clone());
    entry("Cation transference number", "transference_number", &plain(&salt.transference_number));
    entry("Thermodynamic factor", "thermodynamic_factor", &plain(&salt.thermodynamic_factor));
    entry("Electrolyte diffusivity [m2.s-1]", "electrolyte_diffusivity", &salt.diffusivity);
    entry("Electrolyte conductivity [S.m-1]", "electrolyte_conductivity", &salt.conductivity);
}
