//! BPX files that are written: read again they give the same cell; what they cannot say is refused.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use scalade_cell::{
    BpxDocument, CellError, Formula, Hysteresis, Kinetics, NegativeElectrode, Outside, ParameterSet,
    Property, RadiusDistribution, Table,
};
use serde_json::{Value, json};

const FILES: [&str; 5] = [
    include_str!("../../../data/cell/bpx/nmc_pouch_cell_BPX.json"),
    include_str!("../../../data/cell/bpx/lfp_18650_cell_BPX.json"),
    include_str!("../../../data/cell/bpx/nmc_pouch_cell_BPX_SPM.json"),
    include_str!("../../../data/cell/bpx/nmc_pouch_cell_BPX_blended_electrode.json"),
    include_str!("../../../data/cell/bpx/nmc_pouch_cell_BPX_user-defined_hysteresis.json"),
];

fn names(error: CellError) -> Vec<String> {
    let CellError::Bpx { findings } = error else { panic!("{error}") };
    findings.iter().filter(|d| d.is_error()).map(|d| format!("{} {}", d.name, d.path)).collect()
}

#[test]
fn example_files_survive_a_round_trip_bit_for_bit() {
    for text in FILES {
        let first = BpxDocument::read(text).unwrap();
        let written = first.to_bpx().unwrap();
        assert_eq!(written.warnings, []);
        let second = BpxDocument::read(&written.text).unwrap();
        assert_eq!(first.parameters, second.parameters);
        assert_eq!(first.validation, second.validation);
        assert_eq!(first.header.description, second.header.description);
        assert_eq!(second.header.version, "1.1.0");
        // A second round changes nothing at all.
        assert_eq!(second.to_bpx().unwrap().text, written.text);
    }
    let document: Value =
        serde_json::from_str(&BpxDocument::read(FILES[0]).unwrap().to_bpx().unwrap().text).unwrap();
    let source: Value = serde_json::from_str(FILES[0]).unwrap();
    for path in [
        "/Parameterisation/Negative electrode/OCP [V]",
        "/Parameterisation/Negative electrode/Reaction rate constant [mol.m-2.s-1]",
        "/Parameterisation/Positive electrode/Surface area per unit volume [m-1]",
        "/Parameterisation/Cell/Density [kg.m-3]",
        "/Parameterisation/Cell/Specific heat capacity [J.K-1.kg-1]",
        "/Parameterisation/Electrolyte/Conductivity [S.m-1]",
        "/Validation/1C discharge/Current [A]",
    ] {
        assert_eq!(document.pointer(path), source.pointer(path), "{path}");
    }
    let kept = document.pointer("/Parameterisation/User-defined/Thermal conductivity [W.m-1.K-1]");
    assert_eq!(kept.unwrap(), 2.04);
}

#[test]
fn bundled_sets_are_written_where_the_format_can_say_them() {
    for name in ["Marquis2019", "Chen2020", "Prada2013", "Mohtat2020"] {
        let set = ParameterSet::bundled(name).unwrap().started_at_state_of_charge(0.8).unwrap();
        let written = set.to_bpx().unwrap();
        let again = ParameterSet::from_bpx(&written.text).unwrap();
        let pairs = set.positive.materials().zip(again.positive.materials()).chain(
            set.negative.porous().unwrap().materials().zip(again.negative.porous().unwrap().materials()),
        );
        for (a, b) in pairs {
            assert!((a.initial_concentration / b.initial_concentration - 1.0).abs() < 1e-12, "{name}");
            assert!((a.fraction / b.fraction - 1.0).abs() < 1e-15, "{name}");
            for x in [0.03, 0.4, 0.9] {
                let point = [x, 700.0, x * a.max_concentration, 298.15];
                for of in [
                    |m: &scalade_cell::ActiveMaterial| m.open_circuit.at_reference.clone(),
                    |m: &scalade_cell::ActiveMaterial| m.exchange_current.at_reference.clone(),
                    |m: &scalade_cell::ActiveMaterial| m.diffusivity.at_reference.clone(),
                    |m: &scalade_cell::ActiveMaterial| m.open_circuit.entropic_slope.clone(),
                ] {
                    let (u, v) = (of(a).value(point).unwrap(), of(b).value(point).unwrap());
                    assert!((u - v).abs() <= 1e-13 * u.abs(), "{name} {x}: {u} {v}");
                }
            }
            let energies = |m: &scalade_cell::ActiveMaterial| {
                (m.diffusivity.activation_energy_j_per_mol, m.exchange_current.activation_energy_j_per_mol)
            };
            assert_eq!(energies(a), energies(b));
        }
        let liquid = |s: &ParameterSet| s.electrolyte.conductivity.at_reference.value([800.0; 4]).unwrap();
        assert_eq!(liquid(&set), liquid(&again), "{name}");
        let heat = |s: &ParameterSet| s.thermal.as_ref().map(|t| t.volumetric_heat_capacity);
        assert_eq!(heat(&set), heat(&again));
        let solid = |s: &ParameterSet| s.positive.conductivity_s_per_m * s.positive.solid_efficiency;
        assert_eq!(solid(&set), solid(&again));
        assert_eq!(again.positive.double_layer_capacitance, 0.2);
    }
}

#[test]
fn a_blend_is_written_where_its_materials_have_one_state_of_charge() {
    let set = ParameterSet::bundled("Chen2020_composite").unwrap();
    // Between full and empty each material takes its own way.
    let half = set.started_at_state_of_charge(0.5).unwrap();
    assert_eq!(names(half.to_bpx().unwrap_err()), ["not-expressible /initial_concentration"]);
    let full = set.started_at_state_of_charge(1.0).unwrap();
    let again = ParameterSet::from_bpx(&full.to_bpx().unwrap().text).unwrap();
    let silicon = |s: &ParameterSet| s.negative.porous().unwrap().blended[0].clone();
    assert_eq!(silicon(&again).name, "silicon");
    assert_eq!(silicon(&again).hysteresis, silicon(&full).hysteresis);
    let empty = silicon(&again).window.unwrap().empty;
    assert!(empty > 0.0 && empty < 0.02, "{empty}");
    let volts = |s: &ParameterSet| {
        let negative = s.negative.porous().unwrap();
        s.open_circuit_voltage(negative.initial_content(), s.positive.initial_content()).unwrap()
    };
    assert!((volts(&again) - 4.2).abs() < 1e-6, "{}", volts(&again));
}

#[test]
fn what_the_format_cannot_say_is_named() {
    let refused = |name: &str| names(ParameterSet::bundled(name).unwrap().to_bpx().unwrap_err());
    // Formulas of temperature, a thermodynamic factor that is a function.
    assert_eq!(
        refused("Ai2020"),
        [
            "not-expressible /electrolyte/diffusivity",
            "not-expressible /electrolyte/conductivity",
            "not-expressible /electrolyte/thermodynamic_factor",
        ]
    );
    assert_eq!(refused("Xu2019"), ["not-expressible /negative"]);
    let mut set = ParameterSet::chen2020().unwrap();
    let formula = |text: &str| Property::Formula(Formula::parse(text).unwrap());
    set.positive.material.exchange_current.at_reference = formula("1e-3 * c_e**0.6 * x");
    set.positive.material.kinetics = Kinetics::Linear;
    set.positive.material.open_circuit.entropic_slope = formula("1e-5 * log(x)");
    set.positive.material.radius_distribution =
        Some(RadiusDistribution { relative_deviation: 0.3, classes: 3 });
    let table = Table::new(vec![0.0, 1.0], vec![1e-15, 1e-14], true, Outside::Clamp).unwrap();
    set.positive.material.diffusivity.at_reference = Property::Table(table);
    set.electrolyte.transference_number = formula("0.3 + 1e-4 * c_e");
    set.parallel_pairs = 1.5;
    let mut found = names(set.to_bpx().unwrap_err());
    found.sort();
    let wanted = [
        "/electrolyte/transference_number",
        "/parallel_pairs",
        "/positive/material/diffusivity",
        "/positive/material/exchange_current",
        "/positive/material/kinetics",
        "/positive/material/open_circuit/entropic_slope",
        "/positive/material/radius_distribution",
    ];
    assert_eq!(found, wanted.map(|path| format!("not-expressible {path}")));
    // A start off the line between empty and full.
    let mut set = ParameterSet::chen2020().unwrap();
    set.positive.material.window = Some(scalade_cell::StoichiometryWindow { empty: 0.9, full: 0.3 });
    let NegativeElectrode::Porous(negative) = &mut set.negative else { panic!() };
    negative.material.window = Some(scalade_cell::StoichiometryWindow { empty: 0.03, full: 0.8 });
    assert_eq!(names(set.to_bpx().unwrap_err()), ["not-expressible /initial_concentration"]);
    // Ageing data are left out with a word.
    let warnings = ParameterSet::bundled("Mohtat2020")
        .unwrap()
        .started_at_state_of_charge(1.0)
        .unwrap()
        .to_bpx()
        .unwrap()
        .warnings;
    assert_eq!(warnings.iter().map(|d| d.name).collect::<Vec<_>>(), ["left-out", "left-out"]);
}

#[test]
fn formulas_are_put_into_the_words_of_the_format() {
    let mut set = ParameterSet::from_bpx(FILES[0]).unwrap();
    let formula = |text: &str| Property::Formula(Formula::parse(text).unwrap());
    let material = &mut set.positive.material;
    material.diffusivity.at_reference =
        formula("1e-14*sqrt( c_s / 1e5 ) + 1e-16 * sinh(x) + 1e-15*pow(x + 1, -2) + F*1e-22");
    material.hysteresis = Some(Box::new(Hysteresis {
        lithiation: formula("4.1 - x"),
        delithiation: formula("4.2 - x"),
        decay_constant: Some(0.3),
        initial_state: Some(-1.0),
    }));
    let again = ParameterSet::from_bpx(&set.to_bpx().unwrap().text).unwrap();
    assert_eq!(again.positive.material.hysteresis, set.positive.material.hysteresis);
    for x in [0.45, 0.7, 0.95] {
        let point = [x, 0.0, x * 46_200.0, 298.15];
        let value = |s: &ParameterSet| s.positive.material.diffusivity.at_reference.value(point).unwrap();
        assert!((value(&set) / value(&again) - 1.0).abs() < 1e-14);
    }
    let text = match &again.positive.material.diffusivity.at_reference {
        Property::Formula(formula) => formula.text().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        text,
        "1e-14*(((46200.0 * x) / 1e5 )**0.5) + 1e-16 * ((exp(x) - exp(-(x)))/2) + 1e-15*((x + 1)**(-2)) + 96485.33212331001*1e-22"
    );
}

/// A number near `value`, as people write it.
fn near(value: f64) -> impl Strategy<Value = f64> {
    (0.9_f64..1.1).prop_map(move |factor| value * factor)
}

proptest! {
    #[test]
    fn files_with_other_numbers_survive_a_round_trip(
        which in 0_usize..5,
        soc in prop_oneof![Just(0.0), Just(1.0), 0.0_f64..1.0],
        salt in near(1000.0),
        temperature in near(300.0),
        rate in near(5e-6),
        radius in near(4e-6),
        maximum in near(3e4),
        coefficient in prop::option::of(near(10.0)),
    ) {
        let mut document: Value = serde_json::from_str(FILES[which]).unwrap();
        document["Header"]["BPX"] = json!("1.0.0");
        let cell = document["Parameterisation"]["Cell"].as_object_mut().unwrap();
        for key in ["Initial temperature [K]", "Ambient temperature [K]", "Thermal conductivity [W.m-1.K-1]"] {
            cell.remove(key);
        }
        if let Some(liquid) = document["Parameterisation"].get_mut("Electrolyte") {
            liquid.as_object_mut().unwrap().remove("Initial concentration [mol.m-3]");
        }
        let negative = &mut document["Parameterisation"]["Negative electrode"];
        negative["Reaction rate constant [mol.m-2.s-1]"] = json!(rate);
        negative["Particle radius [m]"] = json!(radius);
        negative["Maximum concentration [mol.m-3]"] = json!(maximum);
        document["State"] = json!({
            "Initial conditions": {
                "Initial state-of-charge": soc, "Initial temperature [K]": temperature,
                "Initial electrolyte concentration [mol.m-3]": salt,
            },
            "Thermal environment": {
                "Ambient temperature [K]": temperature, "Heat transfer coefficient [W.m-2.K-1]": coefficient,
            },
        });
        let first = ParameterSet::from_bpx(&document.to_string()).unwrap();
        let second = ParameterSet::from_bpx(&first.to_bpx().unwrap().text).unwrap();
        prop_assert_eq!(&first, &second);
        let third = ParameterSet::from_json(&scalade_cell::CellDocument::new(first.clone()).to_json().unwrap());
        prop_assert_eq!(first, third.unwrap());
    }
}

#[test]
fn data_of_heat_are_kept_also_where_they_are_not_complete() {
    let mut document: Value = serde_json::from_str(FILES[0]).unwrap();
    document["Parameterisation"]["Cell"].as_object_mut().unwrap().remove("Volume [m3]");
    document["Parameterisation"]["Cell"]["Ambient temperature [K]"] = json!(285.0);
    let read = BpxDocument::read(&document.to_string()).unwrap();
    assert!(read.parameters.thermal.is_none());
    let written: Value = serde_json::from_str(&read.to_bpx().unwrap().text).unwrap();
    assert_eq!(written["State"]["Thermal environment"]["Ambient temperature [K]"], 285);
    assert_eq!(written["Parameterisation"]["Cell"]["Density [kg.m-3]"], 1847);
    assert_eq!(written["Parameterisation"]["Cell"].get("Volume [m3]"), None);
}
