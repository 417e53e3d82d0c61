//! `scalade bpx` from outside.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use common::{Folder, refused, scalade};
use serde_json::{Value, json};
use std::path::Path;

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/cell/bpx");
    folder.join(name).to_string_lossy().into_owned()
}

fn document(arguments: &[&str]) -> Value {
    common::document(&[&["bpx"], arguments].concat())
}

fn names(findings: &Value) -> Vec<&str> {
    findings.as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect()
}

#[test]
fn a_good_file_is_checked_with_its_remarks() {
    let path = file("nmc_pouch_cell_BPX.json");
    let found = document(&["check", &path]);
    assert_eq!((found["errors"].as_u64(), found["warnings"].as_u64()), (Some(0), Some(2)));
    assert_eq!(names(&found["findings"]), ["rate-convention", "voltage-window"]);
    assert_eq!(found["findings"][0]["severity"], "warning");
    assert_eq!(found["header"]["bpx"], "0.1.0");
    assert_eq!(found["header"]["model"], "DFN");
    assert!((found["cell"]["area_m2"].as_f64().unwrap() - 34.0 * 0.016_808).abs() < 1e-12);
    assert_eq!(found["cell"]["validation"][1]["name"], "1C discharge");
    assert_eq!(found["cell"]["negative"][0]["stoichiometry_full"], 0.75668);
    let done = scalade(&["bpx", "check", &path]);
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(text.starts_with("BPX 0.1.0 for DFN: Parameterisation example of an NMC111"), "{text}");
    assert!(text.contains("warning[voltage-window] /Parameterisation/Cell\n    the full cell has 4.2018 V"));
    assert!(text.trim_end().ends_with("0 errors, 2 warnings"), "{text}");
}

#[test]
fn a_bad_file_ends_with_two_and_all_its_mistakes() {
    let folder = Folder::new();
    let text = std::fs::read_to_string(file("lfp_18650_cell_BPX.json")).unwrap();
    let mut spoiled: Value = serde_json::from_str(&text).unwrap();
    spoiled["Parameterisation"]["Cell"]["Electrode aera [m2]"] = json!(1);
    spoiled["Parameterisation"]["Positive electrode"]["OCP [V]"] = json!("3.4 - 0.1 * tanh(x");
    spoiled["Parameterisation"]["Separator"]["Porosity"] = json!(-0.5);
    let path = folder.write("bad.json", &spoiled.to_string());
    let done = scalade(&["bpx", "check", &path, "--json"]);
    assert_eq!(done.status.code(), Some(2));
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(found["errors"], 3);
    let mut kinds = names(&found["findings"]);
    kinds.sort_unstable();
    assert_eq!(kinds, ["bad-expression", "out-of-range", "rate-convention", "unknown-key"]);
    let misspelt = found["findings"].as_array().unwrap().iter().find(|f| f["name"] == "unknown-key").unwrap();
    assert_eq!(misspelt["path"], "/Parameterisation/Cell/Electrode aera [m2]");
    assert_eq!(misspelt["advice"], "did you mean \"Electrode area [m2]\"?");
    assert!(found["cell"].is_null());
    let done = scalade(&["bpx", "check", &path]);
    assert_eq!(done.status.code(), Some(2));
    let (said, told) = (String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap());
    assert!(said.contains("error[bad-expression] /Parameterisation/Positive electrode/OCP [V]"), "{said}");
    assert!(said.contains("column 19"), "{said}");
    assert!(told.contains("cannot be used: 3 errors, 1 warning"), "{told}");
    // Commands that need the file say the same.
    let out = folder.path("out.json");
    refused(&["bpx", "convert", &path, &out], &["bad.json", "3 errors", "Electrode area [m2]"]);
    refused(&["bpx", "check", "/nowhere.json"], &["/nowhere.json"]);
    let not_json = folder.write("text.json", "BPX");
    refused(&["bpx", "check", &not_json], &["text.json", "not JSON"]);
}

#[test]
fn files_are_converted_there_and_back() {
    let folder = Folder::new();
    let source = file("nmc_pouch_cell_BPX_blended_electrode.json");
    let (new, native, again) =
        (folder.path("new.json"), folder.path("cell.scalade.json"), folder.path("again.json"));
    let told = document(&["convert", &source, &new]);
    assert_eq!((told["format"].as_str(), told["from"].as_str()), (Some("bpx"), Some("bpx")));
    assert_eq!(folder.json("new.json")["Header"]["BPX"], "1.1.0");
    assert_eq!(document(&["check", &new])["errors"], 0);
    assert_eq!(document(&["convert", &new, &native])["format"], "scalade");
    let kept = folder.json("cell.scalade.json");
    assert_eq!(kept["scalade_cell"], 1);
    assert_eq!(kept["parameters"]["positive"]["blended"][0]["name"], "Small Particles");
    assert!(kept["sources"][0]["text"].as_str().unwrap().starts_with("Test case: blended electrode"));
    assert_eq!(document(&["convert", &native, &again])["from"], "scalade");
    let (first, second) = (folder.json("new.json"), folder.json("again.json"));
    for section in ["Positive electrode", "Negative electrode", "Cell", "Electrolyte", "Separator"] {
        let (a, b) = (&first["Parameterisation"][section], &second["Parameterisation"][section]);
        if section != "Cell" {
            assert_eq!(a, b, "{section}");
        }
        assert_eq!(a["Electrode area [m2]"], b["Electrode area [m2]"]);
    }
    assert_eq!(first["State"]["Initial conditions"], second["State"]["Initial conditions"]);
    let script = folder.path("cell.py");
    assert_eq!(document(&["convert", &source, &script])["format"], "pybamm");
    let text = std::fs::read_to_string(&script).unwrap();
    assert!(
        text.contains("def get_parameter_values():")
            && text.contains("\"Secondary: Positive particle radius [m]\": 1e-6,")
    );
}

#[test]
fn bundled_sets_are_listed_and_converted() {
    let list = document(&["sets"]);
    let list = list["sets"].as_array().unwrap();
    assert_eq!(list.len(), 9);
    assert!(list.iter().all(|set| set["doi"].as_str().unwrap().starts_with("10.")));
    let text = String::from_utf8(scalade(&["bpx", "sets"]).stdout).unwrap();
    assert!(text.contains("OKane2022") && text.contains("10.1039/d2cp00417h"), "{text}");
    let folder = Folder::new();
    let out = folder.path("chen.json");
    document(&["convert", "chen2020", &out]);
    let written = folder.json("chen.json");
    assert!(written["Header"]["References"].as_str().unwrap().contains("10.1149/1945-7111/ab9050"));
    // Another state of charge, another form than the name of the file tells.
    let half = folder.path("half.json");
    document(&["convert", "Mohtat2020", &half, "--state-of-charge", "0.5"]);
    let soc =
        folder.json("half.json")["State"]["Initial conditions"]["Initial state-of-charge"].as_f64().unwrap();
    assert!((soc - 0.5).abs() < 1e-9, "{soc}");
    let told = document(&["convert", "ecker2015", &folder.path("e.json"), "--to", "scalade"]);
    assert_eq!(told["format"], "scalade");
    assert_eq!(folder.json("e.json")["scalade_cell"], 1);
    let done = scalade(&["bpx", "convert", "okane2022", &folder.path("o.py")]);
    assert!(done.status.success());
    let done = scalade(&["bpx", "convert", "chen2020", &folder.path("c.json")]);
    assert!(
        String::from_utf8(done.stderr).unwrap().contains("warning[left-out] /negative/porous/material/sei")
    );
}

#[test]
fn mistakes_say_what_to_do() {
    let folder = Folder::new();
    let (out, text) = (folder.path("out.json"), folder.path("out.txt"));
    refused(&["bpx", "convert", "chen2021", &out], &["no file chen2021", "Chen2020"]);
    refused(&["bpx", "convert", "chen2020", &text], &["tells no form", "--to"]);
    refused(&["bpx", "convert", "chen2020", &out, "--to", "yaml"], &["yaml", "pybamm"]);
    refused(&["bpx", "convert", "chen2020", &out, "--state-of-charge", "1.5"], &["state of charge", "1.5"]);
    refused(&["bpx", "convert", "ai2020", &out], &["/electrolyte/conductivity", "formula has T"]);
    refused(&["bpx", "convert", "xu2019", &out], &["lithium metal"]);
    assert!(!folder.at("out.json").exists(), "a refused conversion writes nothing");
    let bad = folder.write("native.json", r#"{"scalade_cell": 1, "parameters": {"nam": 1}}"#);
    refused(&["bpx", "convert", &bad, &out], &["native.json", "unknown field `nam`"]);
    refused(&["bpx"], &["check", "convert", "sets"]);
}

#[test]
fn old_rates_are_halved_on_request() {
    let folder = Folder::new();
    let (new, old) = (folder.path("new.json"), folder.path("old.json"));
    let source = file("nmc_pouch_cell_BPX.json");
    document(&["convert", &source, &new]);
    document(&["convert", &source, &old, "--old-rates"]);
    let rate = |name: &str| {
        let key = "/Parameterisation/Negative electrode/Reaction rate constant [mol.m-2.s-1]";
        folder.json(name).pointer(key).unwrap().as_f64().unwrap()
    };
    assert_eq!(rate("new.json"), 5.199e-6);
    assert!((rate("old.json") / 5.199e-6 - 0.5).abs() < 1e-15);
}
