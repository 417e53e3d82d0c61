//! `scalade groundstates` from outside.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use serde_json::Value;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

fn document(arguments: &[&str]) -> Value {
    common::document(&[&["groundstates"], arguments].concat())
}

fn refused(arguments: &[&str], words: &[&str]) {
    common::refused(&[&["groundstates"], arguments].concat(), words);
}

fn orderings() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/licoo2/orderings.extxyz");
    path.to_string_lossy().into_owned()
}

/// Depth below the hull of the data of the deepest prediction, meV.
fn deepest(found: &Value) -> f64 {
    let all = found["below_data_hull"].as_array().unwrap().iter();
    all.map(|c| c["below_data_hull_meV"].as_f64().unwrap()).fold(0.0, f64::max)
}

/// With pairs of nearest neighbours LixNiO2 is the triangular lattice gas, whose ground states are known: thirds and the ends. The bound proves them for cells
/// of every size; a search of cells too small for thirds shows its gap instead.
#[test]
fn bounds_prove_ground_states_or_show_how_far_they_may_be_off() {
    let data = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/lattice").join(name);
        path.to_string_lossy().into_owned()
    };
    let (frames, prim) = (data("lixnio2.extxyz"), data("lixnio2_prim.vasp"));
    let fixed = [
        &frames,
        "--parent",
        &prim,
        "--max-strain",
        "0.25",
        "--max-excluded",
        "2",
        "--pair-cutoff",
        "3 angstrom",
        "--triplet-cutoff",
        "0 angstrom",
    ];
    let with = |extra: &[&str]| document(&[&fixed[..], extra].concat());
    let found = with(&["--max-size", "6", "--bound", "9"]);
    assert_eq!(found["bound"]["proven"], true);
    assert_eq!(found["bound"]["motif_sites"], 8);
    let small = with(&["--max-size", "2", "--bound", "9"]);
    assert_eq!(small["bound"]["proven"], false);
    // What is missing at a third is what the larger search found there.
    let gap = small["bound"]["largest_gap_eV_per_formula"].as_f64().unwrap();
    let hull = |x: f64| {
        let all = found["hull"].as_array().unwrap();
        let c = all.iter().find(|c| (c["x"].as_f64().unwrap() - x).abs() < 1e-9).unwrap();
        c["energy_eV_per_formula"].as_f64().unwrap()
    };
    let missing = (hull(0.0) / 3.0 + 2.0 * hull(0.5) / 3.0) - hull(1.0 / 3.0);
    assert!((gap - missing).abs() < 1e-5, "{gap} {missing}");
    assert!(with(&["--max-size", "2"])["bound"].is_null());
    refused(&[&fixed[..], &["--bound", "0"]].concat(), &["--bound is 0"]);
    refused(
        &[&frames, "--parent", &prim, "--max-strain", "0.25", "--max-excluded", "2", "--bound", "4"],
        &["--bound 4", "18"],
    );
}

#[test]
fn predictions_that_are_computed_and_fitted_are_no_predictions_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("new.extxyz").to_string_lossy().into_owned();
    let first = document(&[&orderings(), "--max-size", "8", "--out", &new]);
    let predicted = first["below_data_hull"].as_array().unwrap();
    assert!(!predicted.is_empty() && deepest(&first) > 0.5, "{first}");
    assert_eq!(first["hull"][0]["x"], 0.0);
    // The data's own end members and its ordering at one half are found again, to rounding.
    for c in first["hull"].as_array().unwrap() {
        if [0.0, 0.5, 1.0].contains(&c["x"].as_f64().unwrap()) {
            assert!(c["below_data_hull_meV"].as_f64().unwrap().abs() < 1e-6, "{c}");
        }
    }
    // As if a calculation gave exactly the predicted energies.
    let text = std::fs::read_to_string(&new).unwrap();
    let mut joined = std::fs::read_to_string(orderings()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    while at < lines.len() {
        let atoms: usize = lines[at].trim().parse().unwrap();
        let frame = &lines[at..at + 2 + atoms];
        let formulas = frame.iter().filter(|l| l.starts_with("Co")).count() as f64;
        let energy: f64 = frame[1]
            .split("predicted_energy_per_formula=")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|v| v.parse().ok())
            .unwrap();
        writeln!(joined, "{}\n{} energy={}", frame[0], frame[1], energy * formulas).unwrap();
        frame[2..].iter().for_each(|l| writeln!(joined, "{l}").unwrap());
        at += frame.len();
    }
    let all = folder.path().join("all.extxyz");
    std::fs::write(&all, joined).unwrap();
    let second = document(&[all.to_str().unwrap(), "--max-size", "8"]);
    assert!(deepest(&second) < 0.2 * deepest(&first), "{}", deepest(&second));
    // Every number of threads gives the same document.
    let one = document(&[&orderings(), "--max-size", "6", "--jobs", "1"]);
    assert_eq!(one, document(&[&orderings(), "--max-size", "6", "--jobs", "2"]));
}

#[test]
fn mistakes_say_what_to_do() {
    refused(&[&orderings(), "--max-size", "0"], &["--max-size"]);
    refused(&[&orderings(), "--max-size", "30"], &["--max-size 30", "smaller cells"]);
    refused(&["/nowhere.extxyz"], &["/nowhere.extxyz"]);
    let folder = tempfile::tempdir().unwrap();
    let none = folder.path().join("none.extxyz");
    let found = document(&[&orderings(), "--max-size", "2", "--out", none.to_str().unwrap()]);
    assert!(found["written"].is_null() && !none.exists());
}

#[test]
fn cutoffs_are_chosen_sparingly() {
    let expand = |pair: &str| {
        let done = Command::new(env!("CARGO_BIN_EXE_scalade"))
            .args(["expand", &orderings(), "--pair-cutoff", pair, "--json"])
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice::<Value>(&done.stdout).unwrap()
    };
    let chosen = expand("auto");
    let error = |c: &Value| c["leave_one_out_error_eV"].as_f64().unwrap();
    let all = chosen["choice"].as_array().unwrap();
    let least = all.iter().map(error).fold(f64::INFINITY, f64::min);
    let structures = chosen["structures"].as_f64().unwrap();
    assert!(error(&chosen) <= least * (1.0 + 1.0 / (2.0 * structures).sqrt()) + 1e-12);
    // Nothing simpler is as good.
    let orbits = chosen["interactions"].as_array().unwrap().len();
    for c in all.iter().filter(|c| (c["orbits"].as_u64().unwrap() as usize) < orbits) {
        assert!(error(c) > least * (1.0 + 1.0 / (2.0 * structures).sqrt()), "{c}");
    }
    assert!(expand("6 angstrom")["choice"].as_array().unwrap().is_empty());
}
