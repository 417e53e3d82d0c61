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

/// 31 orderings of LiNiO2, three of them with glided slabs, and their ideal structure.
fn lixnio2() -> [String; 2] {
    ["lixnio2.extxyz", "lixnio2_prim.vasp"].map(|file| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/lattice").join(file);
        path.to_string_lossy().into_owned()
    })
}

#[test]
fn an_ideal_structure_and_wider_limits_take_in_what_has_moved_far() {
    let [frames, parent] = lixnio2();
    common::refused(&["expand", &frames], &["4 of 31 structures", "lno-00", "parent", "max_strain 0.12"]);
    let given = ["expand", &frames, "--parent", &parent];
    common::refused(&given, &["3 of 31 structures", "lno-00", "lno-08", "lno-09"]);
    let strain = [&given[..], &["--max-strain", "0.25"]].concat();
    common::refused(&strain, &["2 of 31 structures", "lno-08", "lno-09"]);
    let listed = common::document(&[&strain[..], &["--max-excluded", "2"]].concat());
    assert_eq!((&listed["structures"], listed["excluded"].as_array().unwrap().len()), (&29.into(), 2));
    let drift = common::document(&[&strain[..], &["--max-drift", "1.5 angstrom"]].concat());
    assert_eq!(drift["structures"], 31);
    common::refused(&[&given[..], &["--max-strain", "nan"]].concat(), &["max_strain is NaN"]);
    common::refused(&[&given[..], &["--max-drift", "9 angstrom"]].concat(), &["max_drift is 9 angstrom"]);
    common::refused(&["expand", &frames, "--parent", &frames[..frames.len() - 7]], &["lixnio2"]);
}

#[test]
fn ions_that_attract_one_another_are_scanned_until_the_box_is_empty() {
    // Ordered phases at 1/4, 1/2 and 3/4 are stable far below the chemical potential at which a gas of single ions is dilute.
    let [frames, parent] = lixnio2();
    let curve = common::document(&[
        "montecarlo",
        &frames,
        "--parent",
        &parent,
        "--max-strain",
        "0.25",
        "--max-excluded",
        "2",
        "--pair-cutoff",
        "auto",
        "--reference-energy",
        "-1.9 eV",
        "--temperature",
        "400 K",
    ]);
    let intervals = curve["two_phase_intervals"].as_array().unwrap();
    assert_eq!(intervals.len(), 4, "{intervals:?}");
    for (interval, end) in intervals.iter().zip([0.25, 0.5, 0.75, 1.0]) {
        let [low, high] = [0, 1].map(|k| interval[k].as_f64().unwrap());
        assert!((high - end).abs() < 0.03 && (low - (end - 0.25)).abs() < 0.03, "{interval}");
    }
    // No capacity inside a plateau.
    let inside = numbers(&curve["x"]).iter().position(|x| (x - 0.625).abs() < 1e-9).unwrap();
    assert!(curve["incremental_capacity_per_V"][inside].is_null());
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
