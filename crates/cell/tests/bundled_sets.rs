//! Bundled parameter sets against PyBaMM's modules and against the files they were first taken from.
#![allow(clippy::unwrap_used, clippy::panic)]

use scalade_cell::{Activated, CellDocument, CellError, DfnOptions, ParameterSet, Property, Protocol, solve};
use serde_json::Value;

const THREE_SETS: &str = include_str!("../../../data/cell/dfn_three_sets.json");
const THERMAL: &str = include_str!("../../../data/cell/thermal.json");
const CHECKS: &str = include_str!("../../../data/cell/sets/check_values.json");

/// The value at a JSON pointer of a serialised set: a property, or one with an activation energy.
fn evaluate(set: &ParameterSet, tree: &Value, path: &str, point: [f64; 4]) -> f64 {
    let node = tree.pointer(path).unwrap_or_else(|| panic!("{path}")).clone();
    if node.get("at_reference").is_some() && node.get("entropic_slope").is_none() {
        let activated: Activated = serde_json::from_value(node).unwrap();
        let factor = activated.arrhenius_factor(point[3], set.reference_temperature_k);
        return activated.at_reference.value(point).unwrap() * factor;
    }
    serde_json::from_value::<Property>(node).unwrap().value(point).unwrap()
}

#[test]
fn every_function_of_every_set_has_the_values_of_its_source() {
    let checks: Vec<Value> = serde_json::from_str(CHECKS).unwrap();
    let mut worst = (0.0_f64, String::new());
    for name in ParameterSet::names().iter().map(|s| s.name) {
        let set = ParameterSet::bundled(name).unwrap();
        let tree = serde_json::to_value(&set).unwrap();
        let mut checked = 0;
        for check in checks.iter().filter(|c| c["set"] == name) {
            let number = |key: &str, default: f64| check.get(key).and_then(Value::as_f64).unwrap_or(default);
            let point = [
                number("x", 0.5),
                number("c_e", 1000.0),
                number("c_s", 1e4),
                number("T", set.reference_temperature_k),
            ];
            let path = check["path"].as_str().unwrap();
            let wanted = number("value", f64::NAN);
            let found = evaluate(&set, &tree, path, point);
            // Sums of terms that cancel are known only to the rounding of the terms.
            let rounding = 2.0 * f64::EPSILON * number("magnitude", 0.0);
            let miss = ((found - wanted).abs() - rounding).max(0.0) / wanted.abs();
            if miss > worst.0 {
                worst = (miss, format!("{name}{path} at {point:?}: {found} {wanted}"));
            }
            checked += 1;
        }
        assert!(checked >= 20, "{name}: {checked}");
    }
    assert!(worst.0 <= 1e-12, "{worst:?}");
}

#[test]
fn the_first_three_sets_are_bit_for_bit_those_of_their_files() {
    let sets: Value = serde_json::from_str(THREE_SETS).unwrap();
    let thermal: Value = serde_json::from_str(THERMAL).unwrap();
    for name in ["Marquis2019", "Chen2020", "Prada2013"] {
        let set = ParameterSet::bundled(name).unwrap();
        let number = |key: &str| sets[name][key].as_f64().unwrap_or_else(|| panic!("{key}"));
        let formula = |key: &str| Property::formula(sets[name]["functions"][key].as_str().unwrap()).unwrap();
        let warm = |key: &str| thermal[name].get(key).map_or(0.0, |v| v.as_f64().unwrap());
        for (side, electrode) in [("Negative", set.negative.porous().unwrap()), ("Positive", &set.positive)] {
            let lower = side.to_lowercase();
            let porosity = number(&format!("{side} electrode porosity"));
            let power = |what: &str| number(&format!("{side} electrode Bruggeman coefficient ({what})"));
            let material = &electrode.material;
            let pairs = [
                (electrode.thickness_m, number(&format!("{side} electrode thickness [m]"))),
                (electrode.porosity, porosity),
                (electrode.electrolyte_efficiency, porosity.powf(power("electrolyte"))),
                (electrode.solid_efficiency, (1.0 - porosity).powf(power("electrode"))),
                (electrode.conductivity_s_per_m, number(&format!("{side} electrode conductivity [S.m-1]"))),
                (material.fraction, number(&format!("{side} electrode active material volume fraction"))),
                (material.particle_radius_m, number(&format!("{side} particle radius [m]"))),
                (
                    material.max_concentration,
                    number(&format!("Maximum concentration in {lower} electrode [mol.m-3]")),
                ),
                (
                    material.initial_concentration,
                    number(&format!("Initial concentration in {lower} electrode [mol.m-3]")),
                ),
                (
                    material.diffusivity.activation_energy_j_per_mol,
                    warm(&format!("{side} particle diffusivity activation energy [J.mol-1]")),
                ),
                (electrode.double_layer_capacitance, 0.2),
            ];
            if thermal.get(name).is_some() {
                let wanted = warm(&format!("{side} exchange-current density activation energy [J.mol-1]"));
                assert_eq!(material.exchange_current.activation_energy_j_per_mol, wanted);
            }
            for (i, (found, wanted)) in pairs.iter().enumerate() {
                assert_eq!(found.to_bits(), wanted.to_bits(), "{name} {side} {i}: {found} {wanted}");
            }
            assert_eq!(material.open_circuit.at_reference, formula(&format!("{side} OCP [V]")));
            let key = format!("{side} particle diffusivity [m2.s-1]");
            assert_eq!(material.diffusivity.at_reference, formula(&key));
            let key = format!("{side} exchange-current density [A.m-2]");
            assert_eq!(material.exchange_current.at_reference, formula(&key));
        }
        assert_eq!(
            set.electrode_area_m2,
            number("Electrode height [m]") * number("Electrode width [m]"),
            "{name}"
        );
        assert_eq!(set.electrolyte.conductivity.at_reference, formula("Electrolyte conductivity [S.m-1]"));
        assert_eq!(set.electrolyte.diffusivity.at_reference, formula("Electrolyte diffusivity [m2.s-1]"));
        assert_eq!(set.nominal_capacity_ah, number("Nominal cell capacity [A.h]"));
        assert_eq!(set.thermal.is_some(), thermal.get(name).is_some());
    }
}

#[test]
fn ageing_data_are_those_of_the_modules() {
    let set = ParameterSet::bundled("OKane2022").unwrap();
    let graphite = &set.negative.porous().unwrap().material;
    let sei = graphite.sei.as_ref().unwrap();
    assert_eq!((sei.lithium_per_sei, sei.growth_activation_energy_j_per_mol), (1.0, 38_000.0));
    assert_eq!(sei.initial_thickness_on_cracks_m, Some(5e-13));
    let plating = graphite.plating.as_ref().unwrap();
    assert_eq!((plating.transfer_coefficient, plating.stripping_rate_constant_m_per_s), (0.65, Some(1e-9)));
    let stress = graphite.mechanics.as_ref().unwrap();
    assert_eq!((stress.youngs_modulus_pa, stress.loss_rate_per_s, stress.paris_m), (15e9, 2.7778e-7, 2.2));
    assert_eq!(set.positive.material.mechanics.as_ref().unwrap().critical_stress_pa, 375e6);
    assert!(set.positive.material.sei.is_none());
    let composite = ParameterSet::bundled("chen2020_COMPOSITE").unwrap();
    let blend = composite.negative.porous().unwrap();
    assert_eq!(blend.materials().map(|m| m.name.as_str()).collect::<Vec<_>>(), ["graphite", "silicon"]);
    assert!(blend.blended[0].hysteresis.is_some() && blend.blended[0].sei.is_some());
    assert!(ParameterSet::bundled("Xu2019").unwrap().negative.porous().is_none());
}

#[test]
fn cells_with_two_porous_electrodes_can_be_discharged() {
    for name in ["Ai2020", "Mohtat2020", "OKane2022", "Ecker2015"] {
        let set = ParameterSet::bundled(name).unwrap();
        // Mohtat2020 starts empty.
        let mut set = set.started_at_state_of_charge(0.9).unwrap();
        // That of Ai2020 is a function, which does not change what is tested here.
        set.electrolyte.thermodynamic_factor = Property::Constant(1.0);
        let protocol = Protocol::discharge(0.5, set.lower_voltage_v);
        let solution = solve(&set, &protocol, &DfnOptions::default(), &[60.0, 1800.0]).unwrap();
        assert!(solution.voltage_v[0] > solution.voltage_v[1], "{name}");
        let of_nominal = solution.end_capacity_ah / set.nominal_capacity_ah;
        assert!((0.6..1.1).contains(&of_nominal), "{name}: {of_nominal}");
    }
}

#[test]
fn documents_say_what_is_wrong_with_them() {
    let good = CellDocument::new(ParameterSet::chen2020().unwrap()).to_json().unwrap();
    assert_eq!(ParameterSet::from_json(&good).unwrap(), ParameterSet::chen2020().unwrap());
    let refused = |from: &str, to: &str, words: &[&str]| {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from}");
        let error = ParameterSet::from_json(&changed).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{from} -> {to}: {error}");
        }
    };
    refused("\"scalade_cell\": 1", "\"scalade_cell\": 2", &["scalade_cell is 2", "version 1"]);
    refused("\"scalade_cell\": 1", "\"version\": 1", &["\"scalade_cell\": 1 is missing"]);
    refused("\"porosity\"", "\"porosty\"", &["unknown field `porosty`", "line"]);
    refused("\"porosity\": 0.25,", "\"porosity\": 0.25, \"porosity\": 0.3,", &["duplicate field `porosity`"]);
    refused("\"porosity\": 0.25,", "", &["missing field `porosity`"]);
    refused("\"porosity\": 0.25", "\"porosity\": -0.25", &["negative electrode: porosity", "-0.25"]);
    refused("\"diffusivity\": {", "\"diffusivity\": {\"Energy\": 1,", &["unknown field `Energy`"]);
    refused("\"at_reference\": \"", "\"at_reference\": \"(", &["column", "')'"]);
    refused("\"at_reference\": ", "\"at_reference\": [1], \"no\": ", &["a number, a formula"]);
    assert!(matches!(ParameterSet::from_json("[1]"), Err(CellError::Document(_))));
    assert!(ParameterSet::from_json(&"[".repeat(100_000)).is_err());
    let unknown = ParameterSet::bundled("Chen2021").unwrap_err().to_string();
    assert!(unknown.contains("Chen2021") && unknown.contains("Mohtat2020"), "{unknown}");
}
