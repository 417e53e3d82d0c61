//! `scalade tangent` from outside.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use serde_json::Value;
use std::fmt::Write;

fn document(arguments: &[&str]) -> Value {
    common::document(&[&["tangent"], arguments].concat())
}

fn refused(arguments: &[&str], words: &[&str]) {
    common::refused(&[&["tangent"], arguments].concat(), words);
}

fn near(value: &Value, expected: f64, tolerance: f64) {
    let got = value.as_f64().unwrap();
    assert!((got - expected).abs() < tolerance, "{got} {expected}");
}

#[test]
fn l08_subregular_common_tangent() {
    let at = ["--l0", "0.08 eV", "--l1", "0.01 eV", "--temperature", "300 K"];
    let found = document(&[&["--kind", "subregular"][..], &at].concat());
    near(&found["tangent"][0], 0.0393206126, 1e-9);
    near(&found["tangent"][1], 0.9076319794, 1e-9);
    near(&found["chemical_potential_eV"], -0.00117796365, 1e-9);
    assert_eq!(found["spinodal"].as_array().unwrap().len(), 2);
    assert!(found["residual_eV"].as_f64().unwrap() < 1e-12);
}

#[test]
fn l07_regular_solution_in_any_unit() {
    // w/kT = 3 at 300 K.
    let omega = 3.0 * 8.617_333_262_145_179e-5 * 300.0;
    for text in [
        format!("{omega} eV"),
        format!("{} meV", omega * 1e3),
        format!("{} kJ/mol", omega * 96.485_332_123_310_02),
    ] {
        let found = document(&["--kind", "regular", "--omega", &text, "--temperature", "300 K"]);
        near(&found["tangent"][0], 0.070720182, 1e-9);
        near(&found["spinodal"][1], 1.0 - 0.211324865, 1e-9);
    }
    let hot = document(&["--kind", "regular", "--omega", "0.08 eV", "--temperature", "1000 K"]);
    assert!(hot["tangent"].is_null() && hot["spinodal"].is_null() && hot["miscible"] == true);
}

#[test]
fn mean_field_phases_and_a_table() {
    let at = ["--pair-energy", "-0.04 eV", "--neighbours", "6", "--temperature", "300 K"];
    let simple = document(&[&["--kind", "bragg-williams"][..], &at].concat());
    let pairs = document(&[&["--kind", "quasi-chemical"][..], &at].concat());
    for found in [&simple, &pairs] {
        near(&found["chemical_potential_eV"], -0.12, 1e-9);
    }
    // Correlations narrow the gap.
    assert!(simple["tangent"][0].as_f64() < pairs["tangent"][0].as_f64());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.csv");
    let mut text = String::from("x,free_energy_eV\n");
    for i in 0..=30 {
        let x = f64::from(i) / 30.0;
        let term = |v: f64| if v > 0.0 { v * v.ln() } else { 0.0 };
        let g = 8.617_333_262_145_179e-5 * 300.0 * (term(x) + term(1.0 - x)) - 0.12 * x * x;
        writeln!(text, "{x},{g}").unwrap();
    }
    std::fs::write(&path, text).unwrap();
    let found = document(&["--file", path.to_str().unwrap(), "--temperature", "300 K"]);
    near(&found["tangent"][0], simple["tangent"][0].as_f64().unwrap(), 1e-9);
    std::fs::write(&path, "x,energy\n0,0\n").unwrap();
    refused(&["--file", path.to_str().unwrap(), "--temperature", "300 K"], &["free_energy_eV", "energy"]);
}

#[test]
fn mistakes_say_what_to_do() {
    refused(&["--temperature", "300 K"], &["--kind", "--file"]);
    refused(&["--kind", "regular", "--temperature", "300 K"], &["--omega"]);
    refused(&["--kind", "regular", "--omega", "1 eV", "--l1", "1 eV", "--temperature", "300 K"], &["--l1"]);
    refused(&["--kind", "regula", "--temperature", "300 K"], &["regula", "subregular"]);
    refused(&["--kind", "regular", "--omega", "1 m", "--temperature", "300 K"], &["--omega", "energy"]);
    refused(&["--kind", "regular", "--omega", "1 eV", "--temperature", "-3 K"], &["--temperature"]);
    refused(&["--file", "/nowhere.csv", "--temperature", "300 K"], &["/nowhere.csv"]);
    refused(
        &["--kind", "quasi-chemical", "--pair-energy", "-1 eV", "--temperature", "300 K"],
        &["--neighbours"],
    );
}
