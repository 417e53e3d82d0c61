//! `scalade cell` and `scalade eis cell` from outside.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use common::{Folder, refused, scalade};
use serde_json::{Value, json};
use std::path::Path;

fn bpx(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/cell/bpx");
    folder.join(name).to_string_lossy().into_owned()
}

fn cell(arguments: &[&str]) -> Value {
    common::document(&[&["cell"], arguments].concat())
}

fn impedance(arguments: &[&str]) -> Value {
    common::document(&[&["eis", "cell"], arguments].concat())
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn number(document: &Value, pointer: &str) -> f64 {
    document.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

/// Largest difference of the voltages from `expected`.
#[track_caller]
fn near(document: &Value, expected: &[f64], tolerance: f64) {
    let found = numbers(&document["voltage_V"]);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < tolerance, "{found} {expected}");
    }
}

#[test]
fn a_discharge_has_every_key_of_the_document() {
    let found = cell(&["--parameters", "marquis2019"]);
    let times = numbers(&found["time_s"]);
    for list in ["voltage_V", "currents_A", "temperature_K", "discharge_capacity_Ah"] {
        assert_eq!(numbers(&found[list]).len(), times.len(), "{list}");
    }
    assert!(times.len() > 50 && times[0] == 0.0 && times.windows(2).all(|w| w[1] >= w[0]));
    let end = number(&found, "/end_time_s");
    assert!((end - 3617.7524).abs() < 0.05 && (times[times.len() - 1] - end).abs() < 1e-9, "{end}");
    assert!((number(&found, "/capacity_Ah") - 0.683_972_27).abs() < 1e-5);
    assert!((number(&found, "/end_voltage_V") - 3.105).abs() < 1e-6);
    // Energy is voltage times charge.
    let (volts, charge) = (numbers(&found["voltage_V"]), numbers(&found["discharge_capacity_Ah"]));
    let sum: f64 =
        (1..times.len()).map(|i| 0.5 * (volts[i] + volts[i - 1]) * (charge[i] - charge[i - 1])).sum();
    assert!((number(&found, "/energy_Wh") / sum - 1.0).abs() < 1e-4, "{sum}");
    assert_eq!(found["end_reason"], "the voltage reached its lower cut-off, 3.105 V");
    assert_eq!((found["model"].as_str(), found["parameters"].as_str()), (Some("dfn"), Some("Marquis2019")));
    assert_eq!((number(&found, "/rate_C"), number(&found, "/current_A")), (1.0, 0.680_616));
    assert!(found["states"].as_u64().unwrap() > 100 && found["steps"].as_u64().unwrap() > 50);
    assert!((0.0..10.0).contains(&number(&found, "/cpu_time_s")));
    let error = number(&found, "/voltage_error_estimate_V");
    assert!(error > 0.0 && error <= 1e-4, "{error}");
    for (balance, most) in [
        ("lithium_relative_drift", 1e-12),
        ("salt_relative_drift", 1e-12),
        ("coulomb_count_error", 1e-12),
        ("charge_balance_error", 1e-11),
        ("energy_relative_error", 1e-6),
    ] {
        let value = number(&found["balances"], &format!("/{balance}"));
        assert!((0.0..most).contains(&value), "{balance} {value}");
    }
    let row = &found["protocol_steps"][0];
    assert_eq!((number(row, "/cycle"), number(row, "/end_s")), (1.0, end));
    assert!((number(row, "/charge_Ah") - number(&found, "/capacity_Ah")).abs() < 1e-9);
    assert_eq!(found["warnings"], json!([]));
    // Without --json the same as text.
    let text = String::from_utf8(scalade(&["cell", "--parameters", "marquis2019"]).stdout).unwrap();
    for words in ["capacity_Ah: 0.68397", "the voltage reached its lower cut-off", "voltage_V"] {
        assert!(text.contains(words), "{text}");
    }
}

/// Chebyshev collocation on two meshes that agree to 2e-6 V.
#[test]
fn discharges_are_within_the_wanted_accuracy_of_reference_values() {
    let times = "60 s,300 s,600 s,1200 s,1800 s,2400 s,3000 s,3300 s";
    let marquis = [3.749774, 3.720785, 3.692949, 3.652118, 3.612744, 3.592739, 3.570201, 3.530599];
    let chen = [3.943921, 3.897456, 3.814638, 3.661639, 3.511836, 3.392967, 3.225358, 3.000476];
    for (set, expected, end) in [("marquis2019", marquis, 3617.7524), ("chen2020", chen, 3555.2015)] {
        let found = cell(&["--parameters", set, "--rate", "1C", "--times", times]);
        near(&found, &expected, 1e-4);
        assert!((number(&found, "/end_time_s") - end).abs() < 0.05);
        let found = cell(&["--parameters", set, "--times", times, "--tolerance", "1e-5"]);
        near(&found, &expected, 1.2e-5);
        assert!(number(&found, "/voltage_error_estimate_V") <= 1e-5);
    }
    // The cell of a BPX file starts at its upper cut-off voltage; charging is negative.
    let file = bpx("nmc_pouch_cell_BPX.json");
    let times = "60 s,300 s,900 s,1800 s,2700 s,3300 s";
    let found = cell(&["--bpx", &file, "--current", "12.5 A", "--times", times]);
    near(&found, &[4.052469, 3.965581, 3.771557, 3.572422, 3.466802, 3.332803], 1e-4);
    assert!((number(&found, "/start/open_circuit_voltage_V") - 4.2).abs() < 1e-9);
    assert!((number(&found, "/rate_C") - 1.0).abs() < 1e-12);
}

/// Surface concentrations in closed form: 600, 1800 and 3000 s of the single-particle model.
#[test]
fn models_are_chosen_by_name() {
    let times = ["--rate", "1C", "--times", "60 s,600 s,1800 s,3000 s"];
    let run = |model: &str, more: &[&str]| {
        cell(&[&["--parameters", "marquis2019", "--model", model], &times[..], more].concat())
    };
    let found = run("spm", &["--tolerance", "1e-6"]);
    assert_eq!(found["model"], "spm");
    near(&found, &[3.765961983, 3.710353503, 3.631043544, 3.595353649], 1e-6);
    let (full, with_electrolyte) = (run("dfn", &[]), run("spme", &[]));
    near(&with_electrolyte, &numbers(&full["voltage_V"]), 0.02);
    // Spheres alone, on a finer mesh.
    assert!(number(&found, "/states") < 100.0);
    assert!(number(&with_electrolyte, "/states") < number(&full, "/states"));
    // A file without electrolyte has one model only.
    let file = bpx("nmc_pouch_cell_BPX_SPM.json");
    assert_eq!(cell(&["--bpx", &file])["model"], "spm");
    refused(&["cell", "--bpx", &file, "--model", "dfn"], &["electrolyte", "only the single-particle model"]);
    // Finite volumes of a mesh that is given have no estimate.
    let found = run("dfn", &["--points", "20"]);
    assert_eq!((&found["voltage_error_estimate_V"], number(&found, "/states") > 900.0), (&Value::Null, true));
    near(&found, &numbers(&full["voltage_V"]), 2e-3);
}

#[test]
fn impedances_of_the_single_particle_model_are_exact() {
    let expected = [
        (1e-4, 0.083_209_984_3, -0.157_732_492),
        (1e-3, 0.063_490_931_7, -0.029_166_024_8),
        (1e-2, 0.048_055_991_9, -0.008_029_895_01),
        (0.1, 0.042_972_654_5, -0.003_015_212_18),
    ];
    let found =
        impedance(&["--parameters", "chen2020", "--model", "spm", "--frequencies", "1e-4,1e-3,1e-2,0.1"]);
    let (real, imaginary) = (numbers(&found["z_real_ohm"]), numbers(&found["z_imag_ohm"]));
    assert_eq!(numbers(&found["frequency_Hz"]), [1e-4, 1e-3, 1e-2, 0.1]);
    for (i, (_, re, im)) in expected.into_iter().enumerate() {
        assert!((real[i] / re - 1.0).abs() < 1e-8 && (imaginary[i] / im - 1.0).abs() < 1e-8, "{i}");
    }
    // The default range, its order, and that it is made of the cell's parts.
    let found = impedance(&["--parameters", "chen2020", "--soc", "80%"]);
    let frequencies = numbers(&found["frequency_Hz"]);
    assert_eq!((frequencies.len(), frequencies[0], frequencies[59]), (60, 1e-4, 1e4));
    let real = numbers(&found["z_real_ohm"]);
    let parts = found["contributions"].as_array().unwrap();
    assert_eq!(parts.len(), 4);
    for i in [0, 30, 59] {
        let sum: f64 = parts.iter().map(|part| part["z_real_ohm"][i].as_f64().unwrap()).sum();
        assert!((sum - real[i]).abs() < 1e-12, "{sum} {}", real[i]);
    }
    assert!(real[59] > 0.0 && real.windows(2).all(|w| w[1] < w[0]), "falls with the frequency");
    assert!((number(&found, "/start/negative_lithium_content") - 0.7338).abs() < 1e-3);
    let reversed = impedance(&["--parameters", "chen2020", "--soc", "0.8", "--frequencies", "1e4:1e-4:60"]);
    assert!((reversed["z_real_ohm"][59].as_f64().unwrap() - real[0]).abs() < 1e-9);
}

#[test]
fn starts_are_states_of_charge_voltages_or_the_sets_own() {
    let start = |soc: &str| {
        let found = cell(&["--parameters", "chen2020", "--model", "spm", "--soc", soc]);
        number(&found, "/start/open_circuit_voltage_V")
    };
    let half = start("0.5");
    assert_eq!((start("50%"), start("50 %")), (half, half));
    assert!((start("1") - 4.2).abs() < 1e-9 && (start("0") - 2.5).abs() < 1e-9);
    assert!((start("3.8 V") - 3.8).abs() < 1e-9 && (start("3800 mV") - 3.8).abs() < 1e-9);
    assert!((start("initial") - 4.180_941_425).abs() < 1e-8);
    // A set that starts empty says so instead of a discharge of nothing.
    let empty = cell(&["--parameters", "mohtat2020"]);
    assert_eq!((number(&empty, "/capacity_Ah"), number(&empty, "/end_time_s")), (0.0, 0.0));
    assert!(empty["end_reason"].as_str().unwrap().contains("below the limit from the start"), "{empty}");
    assert!(empty["warnings"][0].as_str().unwrap().contains("--soc"), "{empty}");
    assert!(number(&cell(&["--parameters", "mohtat2020", "--soc", "1"]), "/capacity_Ah") > 4.8);
    for (soc, words) in [
        ("9 V", ["--soc", "not reached"]),
        ("1.5", ["--soc", "between 0 and 1"]),
        ("-0.1", ["--soc", "between 0 and 1"]),
        ("-10%", ["--soc", "between 0 and 1"]),
        ("nan", ["--soc", "between 0 and 1"]),
        ("full", ["--soc", "80%"]),
        ("4.1 A", ["--soc", "4.1 V"]),
    ] {
        refused(&["cell", "--parameters", "chen2020", "--soc", soc], &words);
        refused(&["eis", "cell", "--parameters", "chen2020", "--soc", soc], &words);
    }
}

#[test]
fn a_constant_current_is_a_rate_or_a_current_of_either_sign() {
    let run =
        |arguments: &[&str]| cell(&[&["--parameters", "chen2020", "--model", "spm"], arguments].concat());
    let (rate, current) = (run(&["--rate", "C/2"]), run(&["--rate", "2.5 A"]));
    assert_eq!((number(&rate, "/rate_C"), number(&rate, "/current_A")), (0.5, 2.5));
    assert_eq!(rate["voltage_V"], current["voltage_V"]);
    assert_eq!(run(&["--current", "2500 mA"])["voltage_V"], current["voltage_V"]);
    let charge = run(&["--current", "-5 A", "--soc", "0.2"]);
    assert_eq!(charge["end_reason"], "the voltage reached its upper cut-off, 4.200 V");
    assert!(number(&charge, "/capacity_Ah") < -2.0 && number(&charge, "/energy_Wh") < -7.0);
    assert_eq!(number(&charge, "/rate_C"), -1.0);
    assert!(numbers(&charge["currents_A"]).iter().all(|i| *i == -5.0));
    let to_4 = run(&["--current=-5 A", "--soc", "0.2", "--until", "4 V"]);
    assert!((number(&to_4, "/end_voltage_V") - 4.0).abs() < 1e-6);
    assert!(number(&to_4, "/end_time_s") < number(&charge, "/end_time_s"));
    let short = run(&["--until", "3.5 V"]);
    assert!((number(&short, "/end_voltage_V") - 3.5).abs() < 1e-6);
    assert!((1500.0..2500.0).contains(&number(&short, "/end_time_s")));
    // Times behind the end are told; a charge of a full cell does not begin.
    let late = run(&["--times", "60 s,1e6 s"]);
    assert_eq!(numbers(&late["time_s"]), [60.0]);
    assert!(late["warnings"][0].as_str().unwrap().starts_with("1 of the 2 times"), "{late}");
    let full = run(&["--current", "-5 A", "--soc", "1"]);
    assert!(full["end_reason"].as_str().unwrap().contains("above the limit from the start"), "{full}");
    // Without a voltage limit within reach the particles end the run, with a warning.
    let deep = run(&["--until", "-0.5 V"]);
    assert!(deep["end_reason"].as_str().unwrap().contains("empty or full"), "{deep}");
    assert!(deep["warnings"][0].as_str().unwrap().contains("voltage limit"), "{deep}");
}

#[test]
fn a_constant_current_that_makes_no_sense_is_refused() {
    let bad = |arguments: &[&str], words: &[&str]| {
        refused(&[&["cell", "--parameters", "chen2020"], arguments].concat(), words);
    };
    bad(&["--rate", "0C"], &["rate", "positive"]);
    bad(&["--rate", "-1C"], &["rate", "positive"]);
    bad(&["--rate", "fast"], &["rate", "1C", "C/2"]);
    bad(&["--rate", "1e9C"], &["rate", "10000C"]);
    bad(&["--current", "0 A"], &["current", "must not be zero"]);
    bad(&["--current", "5"], &["current", "accepted: A, mA"]);
    bad(&["--current", "5 V"], &["current", "got a voltage"]);
    bad(&["--current", "nan A"], &["current", "finite"]);
    bad(&["--until", "3 A"], &["until", "accepted: V"]);
    bad(&["--times", "60"], &["times", "accepted: s"]);
    bad(&["--times", "-5 s"], &["times", "before the start"]);
    bad(&["--rate", "1C", "--current", "1 A"], &["--rate", "--current", "give one of them"]);
    bad(&["--rate", "1C", "--protocol", "Rest for 1 h"], &["--rate", "--protocol", "give one of them"]);
    bad(&["--current", "1 A", "--protocol", "Rest for 1 h"], &["--current", "--protocol"]);
    bad(&["--until", "3 V", "--protocol", "Rest for 1 h"], &["--until", "a protocol says itself"]);
    for tolerance in ["1", "0", "nan", "-1e-4", "1e-9", "inf"] {
        bad(&["--tolerance", tolerance], &["tolerance", "between 1e-7 and 1e-2 V"]);
    }
    bad(&["--tolerance", "fine"], &["--tolerance"]);
    bad(&["--model", "p2d"], &["--model", "dfn, spme, spm"]);
    bad(&["--points", "1"], &["finite volumes", "2 to 400"]);
    bad(&["--points", "100000"], &["finite volumes", "2 to 400"]);
}

#[test]
fn a_protocol_is_text() {
    let protocol =
        "Discharge at 1C until 3 V; Rest for 1 h; Charge at C/2 until 4.2 V; Hold at 4.2 V until C/20";
    let found = cell(&["--parameters", "chen2020", "--model", "spm", "--protocol", protocol]);
    let steps = found["protocol_steps"].as_array().unwrap();
    let reasons: Vec<&str> = steps.iter().map(|s| s["end_reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["MinimumVoltage", "TimeLimit", "MaximumVoltage", "MinimumCurrent"]);
    assert!((number(&steps[1], "/end_s") - number(&steps[1], "/start_s") - 3600.0).abs() < 1e-6);
    let charges: Vec<f64> = steps.iter().map(|s| number(s, "/charge_Ah")).collect();
    assert!(charges[0] > 4.0 && charges[1] == 0.0 && charges[2] < -3.0 && charges[3] < 0.0, "{charges:?}");
    assert!((charges.iter().sum::<f64>() - number(&found, "/capacity_Ah")).abs() < 1e-9);
    assert!(found.get("rate_C").is_none());
    assert_eq!(found["end_reason"], "the current fell to its limit");
    assert!((numbers(&found["currents_A"]).last().unwrap() + 0.25).abs() < 1e-6);
    // Cycles are counted, and periods are kept to.
    let cycles = "repeat 3 times { Discharge at 1C for 10 min (1 minute period); Charge at 1C for 10 min }";
    let found = cell(&["--parameters", "chen2020", "--model", "spm", "--protocol", cycles]);
    assert_eq!(number(&found, "/protocol_steps/5/cycle"), 3.0);
    assert!(
        numbers(&found["time_s"])[..11].iter().enumerate().all(|(i, t)| (t - 60.0 * i as f64).abs() < 1e-9)
    );
}

#[test]
fn a_protocol_is_a_file_with_its_traces_beside_it() {
    let folder = Folder::new();
    folder.write("drive.csv", "Time [s],Current [A]\n0,1\n10,5\n20,-2\n30,0\n40,3\n");
    let path = folder.write(
        "protocol.txt",
        "# a drive\nRun drive.csv (A) for 2 minutes (5 second period)\nRest for 10 min\n",
    );
    let run = |more: &[&str]| {
        cell(&[&["--parameters", "chen2020", "--model", "spm", "--protocol", &path], more].concat())
    };
    let found = run(&[]);
    let expected: Vec<f64> =
        [1.0, 3.0, 5.0, 1.5, -2.0, -1.0, 0.0, 1.5].into_iter().cycle().take(24).collect();
    let currents = numbers(&found["currents_A"]);
    for (i, current) in expected.iter().enumerate().skip(1) {
        // The trace begins anew every 40 s with a jump from 3 A to 1 A.
        assert!(i % 8 == 0 || (currents[i] - current).abs() < 1e-9, "{i} {} {current}", currents[i]);
    }
    // Straight lines between the samples: 30 + 15 - 10 + 15 = 50 A s in 40 s.
    assert!((number(&found, "/protocol_steps/0/charge_Ah") * 3600.0 - 3.0 * 50.0).abs() < 1e-6, "{found}");
    let held = run(&["--hold-samples"]);
    assert!((number(&held, "/protocol_steps/0/charge_Ah") * 3600.0 - 3.0 * 40.0).abs() < 1e-6);
    let charging = run(&["--charge-positive", "--soc", "0.5"]);
    assert!((number(&charging, "/protocol_steps/0/charge_Ah") * 3600.0 + 3.0 * 50.0).abs() < 1e-6);
    // Faults of both files have their place.
    let bad = folder.write("bad.txt", "Rest for 1 h\nDischrage at 1C until 2.5 V\n");
    refused(
        &["cell", "--parameters", "chen2020", "--protocol", &bad],
        &["bad.txt", "line 2", "did you mean 'Discharge'"],
    );
    folder.write("drive.csv", "Time [s],Current [A]\n0,1\n10,x\n");
    refused(&["cell", "--parameters", "chen2020", "--protocol", &path], &["drive.csv", "line 3"]);
    let missing = folder.write("missing.txt", "Run nowhere.csv (A)\n");
    refused(
        &["cell", "--parameters", "chen2020", "--protocol", &missing],
        &["line 1", "nowhere.csv", "No such file"],
    );
}

#[test]
fn mistakes_in_a_protocol_have_line_column_and_caret() {
    let bad = |protocol: &str, words: &[&str]| {
        refused(&["cell", "--parameters", "chen2020", "--protocol", protocol], words);
    };
    bad(
        "Rest for 1 h\n  Dischrage at 1C until 2.5 V",
        &[
            "protocol, line 2, column 3",
            "did you mean 'Discharge'",
            "\n    Dischrage at 1C until 2.5 V\n    ^",
        ],
    );
    bad("Hold at 4.2 V", &["a hold that may never end", "until C/50", "^"]);
    bad("Discharge at 1C until 3 V; Rest", &["column 28", "a rest that may never end", "for 1 hour"]);
    bad("nowhere.txt", &["line 1", "no file nowhere.txt"]);
    bad("", &["--protocol", "is empty"]);
    bad("# nothing", &["number of steps = 0"]);
    bad("Run nowhere.csv (A)", &["column 5", "nowhere.csv"]);
}

#[test]
fn cells_that_cannot_be_used_are_refused() {
    let folder = Folder::new();
    refused(&["cell"], &["--parameters", "Chen2020", "--bpx"]);
    refused(&["eis", "cell"], &["--parameters", "--bpx"]);
    refused(&["cell", "--parameters", "chen2021"], &["chen2021", "did you mean \"chen2020\""]);
    refused(&["eis", "cell", "--parameters", "x"], &["unknown parameter set", "mohtat2020"]);
    refused(
        &["cell", "--parameters", "/nowhere.scalade.json"],
        &["--parameters", "no file /nowhere", "chen2020"],
    );
    let file = bpx("nmc_pouch_cell_BPX.json");
    refused(&["cell", "--parameters", "chen2020", "--bpx", &file], &["--parameters", "--bpx", "one of them"]);
    refused(&["cell", "--bpx", "/nowhere.json"], &["/nowhere.json", "No such file"]);
    refused(&["cell", "--bpx", &folder.path(".")], &["cannot read"]);
    let text = folder.write("text.json", "{");
    refused(&["cell", "--bpx", &text], &["text.json", "not JSON"]);
    refused(&["cell", "--parameters", &text], &["text.json"]);
    let mut over: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    over["Parameterisation"]["Negative electrode"]["Porosity"] = json!(0.6);
    let over = folder.write("over.json", &over.to_string());
    refused(&["cell", "--bpx", &over], &["over.json", "Negative electrode", "add up to 1.2860", "radius"]);
    refused(&["eis", "cell", "--bpx", &over], &["add up to 1.2860"]);
}

#[test]
fn frequencies_that_cannot_be_used_are_refused() {
    let bad = |frequencies: &str, words: &[&str]| {
        refused(&["eis", "cell", "--parameters", "chen2020", "--frequencies", frequencies], words);
    };
    for text in ["", "a", "1:2", "1:2:3:4", "1,,2", "1 Hz"] {
        bad(text, &["--frequencies", "1e-4:1e4:60"]);
    }
    for text in ["0,1", "-1", "nan", "inf"] {
        bad(text, &["--frequencies", "not positive and finite"]);
    }
    for text in ["0:1:5", "1:2:1", "1e-4:1e4:1000000"] {
        bad(text, &["--frequencies", "2 to 100000"]);
    }
    refused(&["eis"], &["cell"]);
}

/// Chen2020 with a table for the potential of the positive electrode between two stoichiometries.
fn with_table(folder: &Folder, name: &str, range: [f64; 2]) -> String {
    let path = folder.path("plain.scalade.json");
    assert!(scalade(&["bpx", "convert", "chen2020", &path]).status.success());
    let mut set = folder.json("plain.scalade.json");
    let potential = |x: f64| {
        4.4875
            - 0.809 * x
            - 0.0428 * (18.5138 * (x - 0.5542)).tanh()
            - 17.7326 * (15.789 * (x - 0.3117)).tanh()
            + 17.5842 * (15.9308 * (x - 0.312)).tanh()
    };
    let x: Vec<f64> = (0..=100).map(|i| range[0] + (range[1] - range[0]) * f64::from(i) / 100.0).collect();
    let y: Vec<f64> = x.iter().map(|x| potential(*x)).collect();
    set["parameters"]["positive"]["material"]["open_circuit"]["at_reference"] = json!({"x": x, "y": y});
    folder.write(name, &set.to_string())
}

#[test]
fn a_run_that_cannot_go_on_keeps_what_it_has() {
    let folder = Folder::new();
    let path = with_table(&folder, "short.scalade.json", [0.2, 0.6]);
    let done = scalade(&["cell", "--parameters", &path, "--json"]);
    assert_eq!(done.status.code(), Some(3));
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains("not converged") && said.contains("positive particles"), "{said}");
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    let (end, whole) = (number(&found, "/end_time_s"), cell(&["--parameters", "chen2020"]));
    assert!((1000.0..2500.0).contains(&end), "{end}");
    let times = numbers(&found["time_s"]);
    assert!(times.len() > 30 && times[times.len() - 1] <= end);
    assert!(found["end_reason"].as_str().unwrap().contains("could not go on"), "{found}");
    assert!(said.contains(&format!("{end}")), "{said}");
    // The part before the failure is that of a cell whose table goes on.
    let shown = numbers(&whole["time_s"]).iter().position(|t| *t > 0.9 * end).unwrap();
    let (time, volts) = (numbers(&whole["time_s"])[shown], numbers(&whole["voltage_V"])[shown]);
    let times = format!("{time} s");
    let done = scalade(&["cell", "--parameters", &path, "--times", &times, "--json"]);
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(3));
    near(&found, &[volts], 5e-4);
}

#[test]
fn a_start_outside_a_table_is_refused() {
    let folder = Folder::new();
    let path = with_table(&folder, "late.scalade.json", [0.4, 0.9]);
    for command in [&["cell"][..], &["eis", "cell"]] {
        refused(&[command, &["--parameters", &path]].concat(), &["--soc", "state at the start", "0.26999"]);
        refused(&[command, &["--parameters", &path, "--soc", "1"]].concat(), &["--soc", "4.2"]);
    }
    let done = cell(&["--parameters", &path, "--soc", "3.7 V", "--until", "3.4 V"]);
    assert!(number(&done, "/capacity_Ah") > 0.2, "{done}");
}

#[test]
fn ageing_is_counted_cycle_by_cycle() {
    let protocol =
        "repeat 100 times { Discharge at 1C until 3 V; Charge at 1C until 4.2 V; Hold at 4.2 V until C/50 }";
    let arguments = ["--parameters", "mohtat2020", "--soc", "1", "--model", "spm", "--protocol", protocol];
    let found = cell(&[&arguments[..], &["--sei", "solvent-diffusion"]].concat());
    let steps = found["protocol_steps"].as_array().unwrap();
    assert_eq!((steps.len(), number(&steps[299], "/cycle")), (300, 100.0));
    let lost: Vec<f64> = steps.iter().map(|s| number(s, "/sei_lithium_mol")).collect();
    assert!(lost.windows(2).all(|w| w[1] > w[0]), "{lost:?}");
    // What the SEI takes is missing in the particles.
    let kept: Vec<f64> = steps.iter().map(|s| number(s, "/particle_lithium_mol")).collect();
    assert!(
        ((kept[0] - kept[299]) / (lost[299] - lost[0]) - 1.0).abs() < 1e-9,
        "{} {}",
        kept[299],
        lost[299]
    );
    // PyBaMM 26.10 on its default mesh loses 0.361029 % of the lithium.
    let percent = 100.0 * lost[299] / (kept[0] + lost[0]);
    assert!((percent - 0.361_029).abs() < 2e-4, "{percent}");
    assert!((8.5e-9..8.7e-9).contains(&number(&steps[299], "/sei_thickness_m")), "{}", steps[299]);
    assert!(number(&steps[297], "/charge_Ah") < number(&steps[0], "/charge_Ah") - 0.02);
    assert!(number(&found["balances"], "/lithium_relative_drift") < 1e-12);
    // Without ageing there is nothing to tell.
    let fresh = cell(&["--parameters", "mohtat2020", "--soc", "1", "--model", "spm"]);
    assert!(fresh["protocol_steps"][0].get("sei_lithium_mol").is_none());
}

#[test]
fn hysteresis_is_used_where_the_data_allow_it() {
    let composite = ["--parameters", "chen2020_composite", "--model", "spm", "--times", "600 s"];
    let plain = cell(&composite);
    let warning = plain["warnings"][0].as_str().unwrap();
    assert!(warning.contains("decay constant") && warning.contains("--hysteresis"), "{warning}");
    assert!(plain["protocol_steps"][0].get("hysteresis_state").is_none());
    let off = cell(&[&composite[..], &["--hysteresis", "off"]].concat());
    assert_eq!((&off["warnings"], &off["voltage_V"]), (&json!([]), &plain["voltage_V"]));
    let sigmoid = cell(&[&composite[..], &["--hysteresis", "current-sigmoid"]].concat());
    assert_eq!(sigmoid["warnings"], json!([]));
    assert_eq!(sigmoid["protocol_steps"][0]["hysteresis_state"], json!({"negative": 1.0, "positive": null}));
    let volts = |found: &Value| number(found, "/voltage_V/0");
    assert!((volts(&sigmoid) - volts(&plain)).abs() > 1e-4, "{sigmoid}");
    assert!(number(&sigmoid["balances"], "/hysteresis_J") > 100.0, "{sigmoid}");
    assert_eq!(number(&plain["balances"], "/hysteresis_J"), 0.0);
    // With a decay constant the one-state model is the default.
    let folder = Folder::new();
    let text = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/cell/sets/Chen2020_composite.json"),
    );
    let mut set: Value = serde_json::from_str(&text.unwrap()).unwrap();
    let silicon = &mut set["parameters"]["negative"]["porous"]["blended"][0];
    silicon["hysteresis"]["decay_constant"] = json!(4.0);
    silicon["hysteresis"]["initial_state"] = json!(-1.0);
    let path = folder.write("decays.scalade.json", &set.to_string());
    let one = cell(&["--parameters", &path, "--model", "spm", "--times", "600 s"]);
    assert_eq!(one["warnings"], json!([]));
    let state = number(&one, "/protocol_steps/0/hysteresis_state/negative");
    assert!((0.5..0.99).contains(&state), "{state}");
    assert!((volts(&one) - volts(&plain)).abs() > 1e-4 && (volts(&one) - volts(&sigmoid)).abs() > 1e-4);
    assert!(number(&one["balances"], "/energy_relative_error") < 1e-6);
    for (arguments, told) in [
        (["--parameters", "chen2020", "--hysteresis", "one-state"], "branches"),
        (["--parameters", "chen2020_composite", "--hysteresis", "one-state"], "decay constant"),
        (["--parameters", "chen2020", "--hysteresis", "plett"], "one-state, current-sigmoid and off"),
    ] {
        let done = scalade(&[&["cell"], &arguments[..]].concat());
        assert_eq!(done.status.code(), Some(2));
        let text = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(text.contains(told), "{text}");
    }
}

#[test]
fn ageing_that_the_cell_has_no_data_for_is_refused() {
    let bad = |set: &str, arguments: &[&str], words: &[&str]| {
        refused(&[&["cell", "--parameters", set], arguments].concat(), words);
    };
    bad("chen2020", &["--sei", "fast"], &["--sei", "solvent-diffusion", "\"fast\""]);
    bad("chen2020", &["--plating", "fast"], &["--plating", "partly-reversible", "\"fast\""]);
    bad("prada2013", &["--sei", "solvent-diffusion"], &["--sei", "Prada2013", "okane2022"]);
    bad("marquis2019", &["--plating", "irreversible"], &["--plating", "Marquis2019", "okane2022"]);
    bad("marquis2019", &["--cracking"], &["--cracking", "Marquis2019", "no data"]);
    bad("chen2020", &["--sei", "ec-reaction", "--sei-on-cracks"], &["--sei-on-cracks", "no data"]);
    bad("okane2022", &["--sei-on-cracks"], &["--sei-on-cracks", "--sei"]);
    bad("okane2022", &["--pore-clogging"], &["--pore-clogging", "--sei or --plating"]);
    bad(
        "okane2022",
        &["--plating", "reversible", "--pore-clogging", "--model", "spm"],
        &["pore clogging", "dfn"],
    );
    bad("xu2019", &["--sei", "solvent-diffusion"], &["half cell"]);
    bad("prada2013", &["--thermal"], &["thermal"]);
    let names = [
        "solvent-diffusion",
        "reaction-limited",
        "electron-migration",
        "interstitial-diffusion",
        "ec-reaction",
    ];
    for name in names {
        let arguments = ["--parameters", "okane2022", "--model", "spm", "--until", "4 V", "--sei", name];
        assert!(number(&cell(&arguments), "/protocol_steps/0/sei_lithium_mol") > 0.0, "{name}");
    }
    let all = [
        "--plating",
        "partly-reversible",
        "--cracking",
        "--sei",
        "ec-reaction",
        "--sei-on-cracks",
        "--pore-clogging",
    ];
    let found = cell(&[&["--parameters", "okane2022", "--until", "4 V"], &all[..]].concat());
    assert!(number(&found, "/protocol_steps/0/crack_length_m") > 2e-8, "{found}");
}

#[test]
fn heat_and_the_free_energy_are_balanced_on_request() {
    let run =
        |more: &[&str]| cell(&[&["--parameters", "chen2020", "--times", "600 s,1800 s"], more].concat());
    let (cold, warm) = (run(&[]), run(&["--thermal"]));
    assert_eq!(numbers(&cold["temperature_K"]), [298.15, 298.15]);
    // Lumped, h = 10 W/(m2 K): 305.315 and 309.111 K to 5e-3 K.
    let kelvin = numbers(&warm["temperature_K"]);
    assert!((kelvin[0] - 305.315).abs() < 0.01 && (kelvin[1] - 309.111).abs() < 0.01, "{kelvin:?}");
    let balances = &warm["balances"];
    assert!(number(balances, "/stored_heat_J") > 100.0 && number(balances, "/cooling_J") > 100.0);
    assert!(number(balances, "/energy_relative_error") < 1e-5, "{balances}");
    assert!(cold["balances"].get("mixing_J").is_none());
    let audited = run(&["--audit"]);
    let of = |key: &str| number(&audited["balances"], &format!("/{key}"));
    // Isothermal: what is delivered and what becomes heat is what the free energy falls by.
    let dissipated = of("ohmic_solid_J") + of("ohmic_electrolyte_J") + of("reaction_J") + of("mixing_J");
    assert!(of("mixing_J") > 0.0);
    let sum = of("electrical_J") + dissipated + of("free_energy_change_J");
    assert!((sum / of("electrical_J")).abs() < 1e-4, "{sum} {}", audited["balances"]);
}

#[test]
fn long_runs_go_to_disk() {
    let folder = Folder::new();
    let (table, kept) = (folder.path("run.csv"), folder.path("run.checkpoint"));
    let protocol =
        "repeat 20 times { Discharge at 1C for 10 min (1 minute period); Charge at 1C for 10 min }";
    let plain = ["--parameters", "chen2020", "--model", "spme", "--soc", "0.5", "--protocol", protocol];
    let memory = cell(&plain);
    let disk = cell(&[&plain[..], &["--stream", &table, "--checkpoint", &kept]].concat());
    assert_eq!(disk["protocol_steps"], memory["protocol_steps"]);
    let text = std::fs::read_to_string(&table).unwrap();
    let mut rows = text.lines();
    assert_eq!(
        rows.next().unwrap(),
        "cycle,step,time_s,voltage_V,current_A,temperature_K,discharge_capacity_Ah"
    );
    let volts: Vec<f64> = rows.map(|row| row.split(',').nth(3).unwrap().parse().unwrap()).collect();
    assert!(volts.len() > 200);
    assert_eq!(volts, numbers(&memory["voltage_V"]));
    // A checkpoint of another run is not gone on from.
    let other = [&plain[..4], &["--protocol", "Rest for 1 h", "--checkpoint", &kept]].concat();
    refused(&[&["cell"], &other[..]].concat(), &["run.checkpoint", "another run", "remove it"]);
    let points = [&plain[..4], &["--points", "20", "--stream", &table]].concat();
    refused(&[&["cell"], &points[..]].concat(), &["--points", "--stream"]);
}

/// `--after`: a protocol, then the impedance at its end.
#[test]
fn impedance_after_a_protocol() {
    let list = ["--parameters", "chen2020", "--frequencies", "0.01,1,100,1e4"];
    let rested = impedance(&list);
    let keys = |document: &Value| document.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert!(!keys(&rested).contains(&"state".to_owned()));
    let after = |text: &str| impedance(&[&list[..], &["--after", text]].concat());
    let mut same = after("Rest for 10 s");
    for key in ["frequency_Hz", "z_real_ohm", "z_imag_ohm"] {
        for (a, b) in numbers(&rested[key]).iter().zip(numbers(&same[key])) {
            assert!((a - b).abs() < 1e-6 * a.abs(), "{key} {a} {b}");
        }
    }
    assert_eq!(same["state"].take()["current_A"], json!(0.0));
    let working = after("Discharge at 1C for 20 minutes");
    assert_eq!(numbers(&working["z_real_ohm"]).len(), 4);
    let state = &working["state"];
    assert!((number(state, "/current_A") - 5.0).abs() < 1e-9 && number(state, "/time_s") == 1200.0);
    assert!((number(state, "/voltage_V") - 3.6616).abs() < 1e-3);
    assert!(number(&working, "/error_estimate") < 1e-4);
    // Charge transfer gets easier under current (j is twice j0 and more only near the separator).
    let (z, rest) = (numbers(&working["z_real_ohm"]), numbers(&rested["z_real_ohm"]));
    assert!((z[0] / rest[0] - 1.0).abs() > 0.02, "{z:?} {rest:?}");
    let total = |part: &str| -> f64 {
        working[part].as_array().unwrap().iter().map(|c| numbers(&c["z_real_ohm"])[1]).sum()
    };
    assert!((total("processes") - z[1]).abs() < 1e-12 && (total("contributions") - z[1]).abs() < 1e-12);

    let folder = Folder::new();
    std::fs::write(folder.path("first.txt"), "Discharge at 1C for 20 minutes\n").unwrap();
    let file = after(&folder.path("first.txt"));
    assert_eq!(file["z_real_ohm"], working["z_real_ohm"]);
    for (text, words) in [
        ("", &["--after", "is empty"][..]),
        ("Discharge at 1 parsec", &["line 1"]),
        ("no_such_file.txt", &["no file"]),
    ] {
        refused(&[&["eis", "cell"], &list[..], &["--after", text]].concat(), words);
    }
}

/// Every command of the guide, as it stands, in a folder that has `data` and `examples` of the repository.
#[cfg(unix)]
#[test]
fn commands_of_the_guide_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = Folder::new();
    for name in ["data", "examples"] {
        std::os::unix::fs::symlink(root.join(name), folder.at(name)).unwrap();
    }
    let guide = std::fs::read_to_string(root.join("docs/guide/cells.md")).unwrap();
    let mut run = 0;
    for block in guide.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            let mut arguments: Vec<&str> = Vec::new();
            // Quoted arguments keep their spaces.
            for (i, part) in line.split('"').enumerate() {
                if i % 2 == 1 {
                    arguments.push(part);
                } else {
                    arguments.extend(part.split_whitespace());
                }
            }
            assert_eq!(arguments[0], "scalade", "{line}");
            let done = std::process::Command::new(env!("CARGO_BIN_EXE_scalade"))
                .args(&arguments[1..])
                .current_dir(folder.path("."))
                .output()
                .unwrap();
            assert!(done.status.success(), "{line}\n{}", String::from_utf8_lossy(&done.stderr));
            assert!(done.stdout.len() > 500, "{line}");
            run += 1;
        }
    }
    assert!(run >= 15, "{run}");
}

#[test]
fn derivatives_stand_beside_the_curve() {
    let found = cell(&[
        "--parameters",
        "marquis2019",
        "--times",
        "300 s,1200 s",
        "--sensitivities",
        "positive.material.diffusivity, electrolyte.diffusivity",
    ]);
    let by_diffusivity = numbers(&found["sensitivities"]["voltage_V"]["positive.material.diffusivity"]);
    for (found, wanted) in by_diffusivity.iter().zip([6.7503e-3, 2.6380e-3]) {
        assert!((found / wanted - 1.0).abs() < 5e-4, "{found} {wanted}");
    }
    let end = &found["sensitivities"]["protocol_steps"][0]["end_time_s"]["electrolyte.diffusivity"];
    assert!(end.as_f64().unwrap() > 0.0);
    for (names, reason) in [
        ("positive.material.difusivity", "did you mean 'diffusivity'"),
        ("", "names no parameter"),
        ("electrode_area_m2,electrode_area_m2", "named twice"),
        ("contact_resistance_ohm", "relative change"),
    ] {
        refused(&["cell", "--parameters", "marquis2019", "--sensitivities", names], &[reason]);
    }
    let streamed =
        ["cell", "--parameters", "marquis2019", "--stream", "x.csv", "--sensitivities", "electrode_area_m2"];
    refused(&streamed, &["--stream"]);
}

#[test]
fn a_file_says_where_its_cell_starts() {
    let folder = common::Folder::new();
    let half = folder.path("half.json");
    common::document(&["bpx", "convert", "chen2020", &half, "--state-of-charge", "0.5"]);
    let of_file = cell(&["--bpx", &half, "--model", "spm", "--times", "60 s"]);
    let asked = cell(&["--bpx", &half, "--model", "spm", "--times", "60 s", "--soc", "0.5"]);
    let full = cell(&["--bpx", &half, "--model", "spm", "--times", "60 s", "--soc", "1"]);
    let start = |found: &Value| number(found, "/start/open_circuit_voltage_V");
    assert!((start(&of_file) - start(&asked)).abs() < 1e-3, "{} {}", start(&of_file), start(&asked));
    assert!((start(&full) - 4.2).abs() < 1e-9 && start(&of_file) < 4.0);
    assert_ne!(numbers(&of_file["voltage_V"]), numbers(&full["voltage_V"]));
    // Without a state of charge the cell is full.
    let without = cell(&["--bpx", &bpx("nmc_pouch_cell_BPX.json"), "--model", "spm", "--times", "60 s"]);
    assert!((start(&without) - 4.2).abs() < 1e-9);
}
