//! BPX files: reading of all versions and models, what is found wrong, hostile input.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use scalade_cell::{
    BpxDiagnostic, BpxDocument, BpxOptions, CellError, ParameterSet, Property, RateConvention, Severity,
    check_bpx,
};
use serde_json::{Value, json};

const NMC: &str = include_str!("../../../data/cell/bpx/nmc_pouch_cell_BPX.json");
const LFP: &str = include_str!("../../../data/cell/bpx/lfp_18650_cell_BPX.json");
const SPM: &str = include_str!("../../../data/cell/bpx/nmc_pouch_cell_BPX_SPM.json");
const BLEND: &str = include_str!("../../../data/cell/bpx/nmc_pouch_cell_BPX_blended_electrode.json");
const HYSTERESIS: &str =
    include_str!("../../../data/cell/bpx/nmc_pouch_cell_BPX_user-defined_hysteresis.json");
const P: &str = "/Parameterisation";

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn check(document: &Value) -> Vec<BpxDiagnostic> {
    check_bpx(&document.to_string(), BpxOptions::default()).unwrap()
}

fn names(findings: &[BpxDiagnostic]) -> Vec<(&'static str, Severity)> {
    findings.iter().map(|d| (d.name, d.severity)).collect()
}

/// The NMC file in version 1.1.
fn new_version() -> Value {
    let mut document = parse(NMC);
    document["Header"]["BPX"] = json!("1.1.0");
    // The full cell of the file has 4.2018 V at rest, which is remarked otherwise.
    document["Parameterisation"]["Cell"]["Upper voltage cut-off [V]"] = json!(4.202);
    let cell = document["Parameterisation"]["Cell"].as_object_mut().unwrap();
    let temperature = cell.remove("Initial temperature [K]").unwrap();
    let ambient = cell.remove("Ambient temperature [K]").unwrap();
    cell.remove("Thermal conductivity [W.m-1.K-1]").unwrap();
    let liquid = document["Parameterisation"]["Electrolyte"].as_object_mut().unwrap();
    let salt = liquid.remove("Initial concentration [mol.m-3]").unwrap();
    document["State"] = json!({
        "Initial conditions": {
            "Initial state-of-charge": 1, "Initial temperature [K]": temperature,
            "Initial electrolyte concentration [mol.m-3]": salt,
        },
        "Thermal environment": { "Ambient temperature [K]": ambient },
    });
    document
}

#[test]
fn the_example_files_are_read_with_the_expected_remarks() {
    let remarks = |text: &str| names(&check_bpx(text, BpxOptions::default()).unwrap());
    let warned = |name| (name, Severity::Warning);
    // The package `bpx` finds 4.201761488607647 V at the window's end too.
    assert_eq!(remarks(NMC), [warned("rate-convention"), warned("voltage-window")]);
    assert_eq!(remarks(LFP), [warned("rate-convention")]);
    assert_eq!(remarks(SPM), [warned("voltage-window")]);
    assert_eq!(remarks(BLEND), []);
    // The branches of the file seem to be named the other way round.
    let wanted = ["constant-potential", "hysteresis-order", "voltage-window"].map(warned);
    assert_eq!(remarks(HYSTERESIS), wanted);
    for text in [NMC, LFP, SPM, BLEND, HYSTERESIS] {
        let set = ParameterSet::from_bpx(text).unwrap();
        assert_eq!(set.thermal.as_ref().unwrap().heat_transfer_coefficient, 0.0);
        assert!((set.total_area_m2() / set.electrode_area_m2 - set.parallel_pairs).abs() < 1e-12);
    }
}

#[test]
fn old_and_new_version_give_the_same_cell() {
    let document = new_version();
    assert_eq!(names(&check(&document)), []);
    let mut old = ParameterSet::from_bpx(NMC).unwrap();
    old.upper_voltage_v = 4.202;
    let new = ParameterSet::from_bpx(&document.to_string()).unwrap();
    assert_eq!(old, new);
    let negative = &old.negative.porous().unwrap().material;
    assert_eq!(negative.initial_concentration, 29_730.0 * 0.75668);
    assert_eq!(negative.fraction, 499_522.0 * 4.12e-6 / 3.0);
    assert_eq!(old.total_area_m2(), 34.0 * 0.016_808);
    let thermal = old.thermal.unwrap();
    assert_eq!(thermal.volumetric_heat_capacity, 1847.0 * 913.0);
    // j0 = F k sqrt(c_e/c_e0 x (1 - x)).
    let j0 = negative.exchange_current.at_reference.value([0.5, 4000.0, 0.0, 298.15]).unwrap();
    assert!((j0 / (96_485.332_123_310_02 * 5.199e-6) - 1.0).abs() < 1e-14, "{j0}");
}

#[test]
fn the_state_of_charge_and_the_start_are_taken_from_the_state() {
    let mut document = new_version();
    document["State"]["Initial conditions"]["Initial state-of-charge"] = json!(0.25);
    document["State"]["Initial conditions"]["Initial temperature [K]"] = json!(283.15);
    document["State"]["Initial conditions"]["Initial electrolyte concentration [mol.m-3]"] = json!(1200);
    document["State"]["Thermal environment"]["Heat transfer coefficient [W.m-2.K-1]"] = json!(12.5);
    let set = ParameterSet::from_bpx(&document.to_string()).unwrap();
    let wanted = 0.9621 + 0.25 * (0.42424 - 0.9621);
    assert!((set.positive.material.initial_stoichiometry() - wanted).abs() < 1e-14);
    assert_eq!((set.initial_temperature_k, set.electrolyte.initial_concentration), (283.15, 1200.0));
    assert_eq!(set.thermal.unwrap().heat_transfer_coefficient, 12.5);
    // What is missing is taken from elsewhere and said.
    document.as_object_mut().unwrap().remove("State");
    assert_eq!(names(&check(&document)), [("default", Severity::Warning)]);
    let set = ParameterSet::from_bpx(&document.to_string()).unwrap();
    assert_eq!((set.initial_temperature_k, set.electrolyte.initial_concentration), (298.15, 1000.0));
}

#[test]
fn single_particle_files_have_no_electrolyte() {
    let set = ParameterSet::from_bpx(SPM).unwrap();
    assert!(set.without_electrolyte);
    let full = ParameterSet::from_bpx(NMC).unwrap();
    assert!(!full.without_electrolyte);
    let (a, b) = (set.negative.porous().unwrap(), full.negative.porous().unwrap());
    assert_eq!(a.material, b.material);
    assert_eq!(set.positive.material, full.positive.material);
    // The models are told apart by their header.
    let mut document = parse(SPM);
    document["Header"]["Model"] = json!("SPMe");
    let missing = check(&document);
    let count = missing.iter().filter(|d| d.name == "missing-key").count();
    // Electrolyte, separator; porosity, efficiency and conductivity of each electrode.
    assert_eq!(count, 8, "{missing:?}");
    let mut document = parse(NMC);
    document["Header"]["Model"] = json!("SPM");
    assert!(names(&check(&document)).contains(&("model-mismatch", Severity::Warning)));
    assert!(!ParameterSet::from_bpx(&document.to_string()).unwrap().without_electrolyte);
    for model in ["SPMe", "DFN"] {
        document["Header"]["Model"] = json!(model);
        assert_eq!(ParameterSet::from_bpx(&document.to_string()).unwrap(), full);
    }
}

#[test]
fn blends_keep_the_order_of_their_materials() {
    let set = ParameterSet::from_bpx(BLEND).unwrap();
    let found: Vec<(&str, f64)> =
        set.positive.materials().map(|m| (m.name.as_str(), m.particle_radius_m)).collect();
    assert_eq!(found, [("Large Particles", 8e-6), ("Small Particles", 1e-6)]);
    assert!(set.negative.porous().unwrap().blended.is_empty());
    let mut document = parse(BLEND);
    document["Parameterisation"]["Positive electrode"]["OCP [V]"] = json!(3.0);
    let findings = check(&document);
    assert_eq!(names(&findings), [("moved-key", Severity::Error)]);
}

#[test]
fn branches_of_hysteresis_are_kept_and_their_mean_is_the_rest() {
    let set = ParameterSet::from_bpx(HYSTERESIS).unwrap();
    let material = &set.negative.porous().unwrap().material;
    let branches = material.hysteresis.as_ref().unwrap();
    let value = |p: &Property, x: f64| p.value([x, 0.0, 0.0, 298.15]).unwrap();
    for x in [0.02, 0.3, 0.5, 0.75] {
        let (low, high) = (value(&branches.lithiation, x), value(&branches.delithiation, x));
        let mean = value(&material.open_circuit.at_reference, x);
        assert!((mean - 0.5 * (low + high)).abs() < 2e-4, "{x}: {mean} {low} {high}");
    }
    assert_eq!((branches.decay_constant, branches.initial_state), (None, None));
    // Version 1.1: keys of the material, decay constant and state.
    let mut document = new_version();
    let negative = &mut document["Parameterisation"]["Negative electrode"];
    let ocp = negative["OCP [V]"].as_str().unwrap().to_owned();
    negative["OCP (lithiation) [V]"] = json!(format!("{ocp} - 0.01"));
    negative["OCP (delithiation) [V]"] = json!(format!("{ocp} + 0.01"));
    negative["OCP hysteresis decay constant"] = json!(0.02);
    document["State"]["Initial conditions"]["Initial hysteresis state: Negative electrode"] = json!(-0.5);
    assert_eq!(names(&check(&document)), []);
    let set = ParameterSet::from_bpx(&document.to_string()).unwrap();
    let material = &set.negative.porous().unwrap().material;
    let branches = material.hysteresis.as_ref().unwrap();
    assert_eq!((branches.decay_constant, branches.initial_state), (Some(0.02), Some(-0.5)));
    let rest = value(&material.open_circuit.at_reference, 0.4);
    assert!((value(&branches.delithiation, 0.4) - rest - 0.01).abs() < 1e-10);
    document["Parameterisation"]["Negative electrode"]["OCP (lithiation) [V]"] = Value::Null;
    assert_eq!(names(&check(&document)), [("half-hysteresis", Severity::Error)]);
}

#[test]
fn measured_curves_have_discharge_positive() {
    let document = BpxDocument::read(NMC).unwrap();
    let named: Vec<(&str, usize)> =
        document.validation.iter().map(|v| (v.name.as_str(), v.time_s.len())).collect();
    assert_eq!(named, [("C/20 discharge", 76), ("1C discharge", 38)]);
    let fast = &document.validation[1];
    assert!(fast.current_a.iter().all(|i| *i == 12.5));
    assert_eq!((fast.time_s[1], fast.voltage_v[1]), (100.0, 4.048_709_1));
    assert_eq!(fast.temperature_k.as_ref().unwrap()[0], 298.15);
    let mut turned = parse(NMC);
    for i in turned["Validation"]["1C discharge"]["Current [A]"].as_array_mut().unwrap() {
        *i = json!(12.5);
    }
    assert!(names(&check(&turned)).contains(&("current-sign", Severity::Warning)));
}

#[test]
fn the_old_convention_of_rates_halves_them_in_old_files_only() {
    let old = BpxOptions { rates: RateConvention::OneSinh };
    let j0 = |document: &Value, options: BpxOptions| {
        let set = BpxDocument::read_with(&document.to_string(), options).unwrap().parameters;
        set.positive.material.exchange_current.at_reference.value([0.5, 1000.0, 0.0, 298.15]).unwrap()
    };
    let mut document = parse(NMC);
    for (version, ratio) in
        [(json!("0.1.0"), 0.5), (json!(0.2), 0.5), (json!("0.3.0"), 1.0), (json!(0.4), 1.0)]
    {
        document["Header"]["BPX"] = version;
        let found = j0(&document, old) / j0(&document, BpxOptions::default());
        assert!((found - ratio).abs() < 1e-15, "{found} {ratio}");
    }
}

#[test]
fn tables_may_be_in_any_order_but_not_contradict_themselves() {
    let mut document = parse(LFP);
    let path = "/Parameterisation/Positive electrode/Entropic change coefficient [V.K-1]";
    let sorted = ParameterSet::from_bpx(LFP).unwrap();
    let table = document.pointer_mut(path).unwrap();
    for axis in ["x", "y"] {
        let list = table[axis].as_array_mut().unwrap();
        list.reverse();
        list.swap(0, 7);
        let again = list[3].clone();
        list.push(again);
    }
    assert_eq!(ParameterSet::from_bpx(&document.to_string()).unwrap(), sorted);
    let y = document.pointer_mut(path).unwrap()["y"].as_array_mut().unwrap();
    *y.last_mut().unwrap() = json!(1.0);
    let findings = check(&document);
    assert_eq!(findings[0].name, "table-duplicate");
    assert_eq!(findings[0].path, path);
}

/// The finding that a change of the NMC file in version 1.1 must give, and words of it.
fn finds(pointer: &str, value: Value, name: &str, words: &[&str]) {
    let mut document = new_version();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[key] = value;
    let findings = check(&document);
    let found = findings.iter().find(|d| d.name == name);
    let found = found.unwrap_or_else(|| panic!("{pointer}: no {name} in {findings:?}")).to_string();
    for word in words {
        assert!(found.contains(word), "{pointer}: {found}");
    }
}

#[test]
fn mistakes_of_the_sections_are_named_with_their_place() {
    let cell = "/Parameterisation/Cell";
    let start = "/State/Initial conditions";
    finds("/Header/BPX", json!("2.0.0"), "version", &["/Header/BPX", "versions 0 and 1"]);
    finds("/Header/BPX", json!("one"), "version", &["1.1.0"]);
    finds("/Header/BPX", json!("1.7"), "version", &["warning", "newer than 1.1"]);
    finds("/Header/BPX", json!(true), "wrong-type", &["true or false"]);
    finds("/Header/Model", json!("DFM"), "unknown-model", &["did you mean \"DFN\""]);
    finds("/Header/Author", json!("me"), "unknown-key", &["/Header/Author", "keys of this section"]);
    finds("/Parameterisation/Cells", json!({}), "unknown-key", &["did you mean \"Cell\""]);
    finds(&format!("{cell}/Lower voltage cut-off [V]"), json!(4.3), "voltage-order", &["4.3 V", "4.202 V"]);
    finds(&format!("{cell}/Electrode area [m2]"), json!(0.5715), "capacity-mismatch", &["pairs", "12.5 A h"]);
    let key = "Number of electrode pairs connected in parallel to make a cell";
    finds(&format!("{cell}/{key}"), json!(3.5), "not-whole", &["3.5"]);
    finds(&format!("{cell}/Initial temperature [K]"), json!(298.15), "moved-key", &["State/Initial"]);
    finds(
        &format!("{start}/Initial state-of-charge"),
        json!(1.2),
        "out-of-range",
        &["1.2", "between 0 and 1"],
    );
    finds(&format!("{start}/Initial temperature [K]"), json!(25), "out-of-range", &["25.0", "kelvin"]);
    finds("/Validation/1C discharge/Time [s]", json!([1, 2]), "lengths-differ", &["2 times", "38 currents"]);
    let ageing = json!({"LLI": 0.1, "LAM: Positive electrode": 0, "LAM: Negative electrode": 0});
    finds("/State/Degradation", ageing, "degradation", &["warning", "fresh cell"]);
}

#[test]
fn mistakes_of_an_electrode_are_named_with_their_place() {
    let section = "/Parameterisation/Negative electrode";
    let wrong = |key: &str, value: Value, name: &str, words: &[&str]| {
        finds(&format!("{section}/{key}"), value, name, &[words, &["/Parameterisation/"]].concat());
    };
    wrong("Porosity", json!(0.9), "overfilled", &["porosity 0.9", "1.586"]);
    wrong("Porosity", json!(-0.1), "out-of-range", &["-0.1"]);
    wrong("Porosity", json!("0.3"), "wrong-type", &["a text"]);
    wrong("Porositty", json!(0.3), "unknown-key", &["did you mean \"Porosity\""]);
    wrong("Thickness [mm]", json!(0.05), "wrong-unit", &["\"Thickness [m]\""]);
    wrong("Thickness [m]", json!(5.62e-4), "capacity-mismatch", &["A h"]);
    wrong("Particle radius [m]", json!(8e-6), "surface-radius", &["error", "1.33"]);
    wrong("Particle radius [m]", json!(1e-8), "surface-radius", &["warning", "only"]);
    wrong("Particle radius [m]", Value::Null, "missing-key", &["Particle radius [m]"]);
    wrong("Minimum stoichiometry", json!(0.9), "stoichiometry-order", &["0.9", "0.75668"]);
    wrong("Maximum stoichiometry", json!(1.5), "out-of-range", &["1.5", "between 0 and 1"]);
    wrong("Transport efficiency", json!(0.9), "transport-efficiency", &["0.9"]);
    wrong("Diffusivity [m2.s-1]", json!(-1e-14), "not-positive", &["-1e-14"]);
    wrong("Diffusivity [m2.s-1]", json!("x - 0.5"), "not-positive", &["x = 0.0055"]);
    wrong("Diffusivity [m2.s-1]", json!([1]), "wrong-type", &["a list"]);
    let ocp = "OCP [V]";
    wrong(ocp, json!("2 - tanh(x"), "bad-expression", &["column 11"]);
    wrong(ocp, json!("2 - sto"), "bad-expression", &["column 5", "'sto'"]);
    wrong(ocp, json!("2 - c_s"), "foreign-name", &["c_s"]);
    wrong(ocp, json!("sqrt(1 - x) - 0.3"), "further-function", &["sqrt"]);
    wrong(ocp, json!("0.1 + 0.05 * x"), "not-monotonic", &["37.6 mV"]);
    wrong(ocp, json!("1/(x - 0.005504)"), "undefined-value", &["x = 0.005504"]);
    wrong(ocp, json!({"x": [0.1, 1], "y": [1, 0]}), "window-outside-table", &["x = 0.1 to 1"]);
    wrong(ocp, json!({"x": [0, 1], "y": [1]}), "bad-table", &["2 values of x but 1 of y"]);
    wrong(ocp, json!({"x": [0], "y": [1]}), "bad-table", &["two points"]);
    wrong(ocp, json!({"x": [0, 1], "z": [1, 0]}), "unknown-key", &["x, y"]);
    wrong(ocp, json!("5 - x"), "voltage-window", &["error", "cut-off voltages"]);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let mut document = new_version();
    document["Parameterisation"]["Cell"]["Volume [m3]"] = json!("big");
    document["Parameterisation"]["Electrolyte"]["Conductivity [S.m-1]"] = json!("2 *");
    document["Parameterisation"]["Positive electrode"]["Porosity"] = json!(2);
    document["Parameterisation"]["Separator"] = json!([]);
    document["Header"]["Titel"] = json!("?");
    let error = ParameterSet::from_bpx(&document.to_string()).unwrap_err();
    let CellError::Bpx { findings } = &error else { panic!("{error}") };
    let mut found: Vec<&str> = findings.iter().map(|d| d.name).collect();
    found.sort_unstable();
    assert_eq!(found, ["bad-expression", "out-of-range", "unknown-key", "wrong-type", "wrong-type"]);
    assert!(
        error.to_string().contains("5 errors") && error.to_string().contains("/Parameterisation/Separator")
    );
    // Keys given twice are seen, though JSON readers keep one of them silently.
    let twice = NMC.replacen("\"Porosity\": 0.253991", "\"Porosity\": 0.253991, \"Porosity\": 0.25", 1);
    let findings = check_bpx(&twice, BpxOptions::default()).unwrap();
    assert_eq!(findings[0].name, "duplicate-key");
    assert_eq!(findings[0].path, format!("{P}/Negative electrode/Porosity"));
    // Version 0 keeps temperatures in the cell; two that differ contradict each other.
    let mut both = parse(NMC);
    both["State"] = json!({"Initial conditions": {"Initial temperature [K]": 300.0}});
    let names = names(&check(&both));
    assert!(
        names.contains(&("contradiction", Severity::Error))
            && names.contains(&("version", Severity::Warning))
    );
}

#[test]
fn partial_files_can_be_checked_but_not_run() {
    let mut document = new_version();
    document["Header"]["Model"] = json!("Partial");
    assert_eq!(names(&check(&document)), []);
    for gone in ["Cell", "Separator", "Positive electrode"] {
        document["Parameterisation"].as_object_mut().unwrap().remove(gone);
        assert_eq!(names(&check(&document)), [], "{gone}");
    }
    assert!(ParameterSet::from_bpx(&document.to_string()).unwrap_err().to_string().contains("[partial]"));
    document["Parameterisation"]["Negative electrode"]["Porosity"] = json!(2.0);
    assert_eq!(names(&check(&document)), [("out-of-range", Severity::Error)]);
}

#[test]
fn what_is_no_bpx_is_refused() {
    assert!(matches!(ParameterSet::from_bpx("{"), Err(CellError::Document(_))));
    assert!(matches!(ParameterSet::from_bpx(&"[".repeat(100_000)), Err(CellError::Document(_))));
    for text in [
        "{}",
        "[]",
        "null",
        "3",
        r#"{"Header": {"Model": "DFN"}}"#,
        r#"{"Header": 1, "Parameterisation": []}"#,
    ] {
        let error = ParameterSet::from_bpx(text).unwrap_err();
        assert!(matches!(error, CellError::Bpx { .. }), "{text}: {error}");
    }
    assert!(ParameterSet::from_bpx(&format!("\u{feff}{NMC}")).is_ok());
    assert!(ParameterSet::from_bpx(&NMC.replacen("4.2,", "1e999,", 1)).is_err());
}

#[test]
fn a_flood_of_mistakes_is_cut_short() {
    let mut document = new_version();
    let cell = document["Parameterisation"]["Cell"].as_object_mut().unwrap();
    for i in 0..50_000 {
        cell.insert(format!("Electrode area [m2] number {i}"), json!(i));
    }
    let findings = check(&document);
    assert_eq!(findings.len(), 501);
    let last = findings.last().unwrap();
    assert_eq!(last.name, "more-findings");
    assert!(last.message.starts_with("49500 "), "{last}");
}

fn leaves(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    let escape = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, v)| leaves(v, &format!("{at}/{}", escape(key)), out));
        }
        Value::Array(list) => {
            list.iter().take(3).enumerate().for_each(|(i, v)| leaves(v, &format!("{at}/{i}"), out));
        }
        _ => {}
    }
}

fn strange() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!(0)),
        Just(json!(-1)),
        Just(json!(1e300)),
        Just(json!(5e-324)),
        Just(json!(-0.0)),
        Just(json!(true)),
        Just(json!([])),
        Just(json!({})),
        Just(json!({"x": [0, 0.5, 1], "y": [1, 2, 3]})),
        Just(json!({"x": [0, 1e-320], "y": [0, 1e300]})),
        Just(json!("x**x**x / (x - x)")),
        "[x0-9+*/() .,a-z-]{0,30}".prop_map(Value::from),
        any::<f64>().prop_map(|v| json!(v)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn changed_files_never_panic_and_are_refused_or_valid(
        which in 0_usize..6,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), strange()), 1..5),
    ) {
        let mut document = match which {
            0 => parse(NMC), 1 => parse(LFP), 2 => parse(SPM), 3 => parse(BLEND), 4 => parse(HYSTERESIS),
            _ => new_version(),
        };
        for (index, value) in changes {
            let mut places = Vec::new();
            leaves(&document, "", &mut places);
            let place = index.get(&places);
            *document.pointer_mut(place).unwrap() = value;
        }
        let text = document.to_string();
        let findings = check_bpx(&text, BpxOptions::default()).unwrap();
        let errors = findings.iter().any(|d| d.severity == Severity::Error);
        match BpxDocument::read(&text) {
            Ok(read) => {
                prop_assert!(!errors);
                prop_assert!(read.parameters.validate().is_ok());
            }
            Err(CellError::Bpx { findings }) => prop_assert!(!findings.is_empty()),
            Err(other) => prop_assert!(false, "{other}"),
        }
        for finding in &findings {
            prop_assert!(finding.path.is_empty() || document.pointer(&finding.path).is_some(), "{}", finding);
        }
    }

    #[test]
    fn cut_and_spoiled_texts_never_panic(cut in 0_usize..6000, byte in any::<u8>(), at in 0_usize..6000) {
        let mut bytes = NMC.as_bytes()[..NMC.len().min(8000)].to_vec();
        if let Some(b) = bytes.get_mut(at) {
            *b = byte;
        }
        let _ = ParameterSet::from_bpx(&String::from_utf8_lossy(&bytes[..bytes.len() - cut.min(bytes.len())]));
        let mut whole = NMC.as_bytes().to_vec();
        whole[at] = byte;
        let _ = check_bpx(&String::from_utf8_lossy(&whole), BpxOptions::default());
    }
}
