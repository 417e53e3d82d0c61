//! `scalade montecarlo FRAMES` from outside: V(x,T) with bands.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use serde_json::Value;
use std::path::Path;

fn run(more: &[&str]) -> Value {
    common::document(&[&["montecarlo", &orderings(), "--reference-energy", "-2.06 eV"], more].concat())
}

fn orderings() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/licoo2/orderings.extxyz");
    path.to_string_lossy().into_owned()
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

#[test]
fn several_temperatures_are_the_single_ones_and_the_band_holds_both_errors() {
    let several = run(&["--temperature", "290 K, 330 K", "--members", "3"]);
    let curves = several["curves"].as_array().unwrap();
    assert_eq!(curves.len(), 2);
    let single = run(&["--temperature", "330 K", "-j", "1"]);
    for key in
        ["temperature_K", "x", "voltage_V", "std_error_V", "thermodynamic_factor", "two_phase_intervals"]
    {
        assert_eq!(curves[1][key], single[key], "{key}");
    }
    assert!(single.get("band_V").is_none() && single.get("curves").is_none());
    for curve in curves {
        assert_eq!(curve["members"], 3);
        let (x, band) = (numbers(&curve["x"]), numbers(&curve["band_V"]));
        let (fit, statistical) = (numbers(&curve["fit_std_V"]), numbers(&curve["std_error_V"]));
        for i in 0..x.len() {
            assert!((band[i] - 1.96 * fit[i].hypot(statistical[i])).abs() < 1e-12);
        }
        // The members are other expansions: they part by more than the sampling does.
        let mean = |list: &[f64]| list.iter().sum::<f64>() / list.len() as f64;
        assert!(mean(&fit) > 2.0 * mean(&statistical), "{} {}", mean(&fit), mean(&statistical));
        let widest = curve["widest_statistical_band_V"].as_f64().unwrap();
        assert!(widest > 1e-4 && widest < 3e-3, "{widest}");
    }
}

#[test]
fn the_incremental_capacity_is_that_of_the_curve() {
    let curve = run(&[]);
    let (x, v) = (numbers(&curve["x"]), numbers(&curve["voltage_V"]));
    let capacity = numbers(&curve["incremental_capacity_per_V"]);
    // The integral of dx/dV over V gives x back.
    let area: f64 = (1..x.len()).map(|i| 0.5 * (capacity[i] + capacity[i - 1]) * (v[i - 1] - v[i])).sum();
    assert!((area - (x[x.len() - 1] - x[0])).abs() < 0.01, "{area}");
    // Twice the charge, half the voltage: the capacity per volt is twice as large.
    let twice = run(&["--valence", "2"]);
    assert!((twice["voltage_V"][99].as_f64().unwrap() - 0.5 * v[99]).abs() < 1e-12);
    let ratio = twice["incremental_capacity_per_V"][99].as_f64().unwrap() / capacity[99];
    assert!((ratio - 2.0).abs() < 1e-12);
}

#[test]
fn mistakes_are_told() {
    let refused = |more: &[&str], words: &[&str]| {
        let frames = orderings();
        let start = ["montecarlo", &frames, "--reference-energy", "-2.06 eV"];
        common::refused(&[&start, more].concat(), words);
    };
    refused(&["--temperature", "300 K,300 K"], &["300 K stands twice"]);
    refused(&["--temperature", " , "], &["empty"]);
    refused(&["--temperature", "300 K,nan"], &["nan"]);
    refused(&["--temperature", "300 eV"], &["got an energy", "want a temperature"]);
    refused(&["--members", "5000"], &["5000 members"]);
    refused(&["--valence", "0"], &["--valence 0"]);
}
