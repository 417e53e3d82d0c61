//! `scalade phasediagram` from outside.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use serde_json::Value;
use std::path::Path;

fn data(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/lattice").join(file);
    path.to_string_lossy().into_owned()
}

/// LixNiO2, with what its fit takes.
fn run(command: &str, more: &[&str]) -> Value {
    let (frames, parent) = (data("lixnio2.extxyz"), data("lixnio2_prim.vasp"));
    let start = [
        command,
        &frames,
        "--parent",
        &parent,
        "--max-strain",
        "0.25",
        "--max-excluded",
        "2",
        "--pair-cutoff",
        "auto",
    ];
    common::document(&[&start, more].concat())
}

fn value(of: &Value) -> [f64; 2] {
    [of["value"].as_f64().unwrap(), of["std_error"].as_f64().unwrap()]
}

#[test]
fn plateaus_go_over_into_the_steps_of_the_hull_and_both_anchors_agree() {
    let arguments = ["--reference-energy", "-1.9 eV", "--cells", "12,12,12", "--max-size", "4"];
    let cold_and_hot = [&arguments[..], &["--temperature", "150 K, 900 K"]].concat();
    let found = run("phasediagram", &cold_and_hot);
    let isotherms = found["isotherms"].as_array().unwrap();
    // At 900 K all is disordered; at 150 K every pair of neighbouring ground states coexists.
    assert_eq!(isotherms[1]["boundaries"].as_array().unwrap().len(), 0);
    let boundaries = isotherms[0]["boundaries"].as_array().unwrap();
    let phases: Vec<&str> =
        found["phases"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(phases, ["empty", "1/4", "1/2", "3/4", "full"]);
    let ground = run("groundstates", &["--max-size", "4"]);
    let hull = ground["hull"].as_array().unwrap();
    assert_eq!((boundaries.len(), hull.len()), (4, 5));
    for (k, boundary) in boundaries.iter().enumerate() {
        assert_eq!(boundary["phases"], serde_json::json!([phases[k], phases[k + 1]]));
        let number = |i: usize, key: &str| hull[i][key].as_f64().unwrap();
        let step = (number(k + 1, "energy_eV_per_formula") - number(k, "energy_eV_per_formula"))
            / (number(k + 1, "x") - number(k, "x"));
        let [mu, error] = value(&boundary["chemical_potential_eV"]);
        assert!((mu - step).abs() < 1e-4 && error < 1e-4, "{mu} {error} {step}");
        assert!((boundary["voltage_V"].as_f64().unwrap() - (-1.9 - mu)).abs() < 1e-12);
        for (side, at) in [(0, k), (1, k + 1)] {
            let [x, _] = value(&boundary["x"][side]);
            assert!((x - number(at, "x")).abs() < 1e-3, "{x}");
        }
    }
    let anchors = &found["anchors"];
    let (difference, z) = (anchors["difference_eV"].as_f64().unwrap(), anchors["z"].as_f64().unwrap());
    assert!(difference.abs() < 1e-3 && z.abs() < 4.0, "{anchors}");
    assert!(found["warnings"].as_array().unwrap().is_empty(), "{}", found["warnings"]);
    assert_eq!(found["boundaries"].as_array().unwrap().len(), 4);
    assert_eq!(found["boundaries"][0]["ends_between_K"], serde_json::json!([[150.0, 900.0]]));
}

#[test]
fn phases_that_do_not_fit_are_named_and_mistakes_are_told() {
    // Periods of five cells do not fit a box of twelve.
    let found = run(
        "phasediagram",
        &["--cells", "12,12,12", "--max-size", "5", "--temperature", "900 K", "--sweeps", "30"],
    );
    let warnings = found["warnings"].as_array().unwrap();
    assert!(
        warnings.iter().any(|w| w.as_str().unwrap().contains("phase 2/5 with a period of 5 cells")),
        "{warnings:?}"
    );
    let frames = data("lixnio2.extxyz");
    let parent = data("lixnio2_prim.vasp");
    let refused = |more: &[&str], words: &[&str]| {
        let start =
            ["phasediagram", &frames, "--parent", &parent, "--max-strain", "0.25", "--max-excluded", "2"];
        common::refused(&[&start, more].concat(), words);
    };
    refused(&["--cells", "12,12"], &["three numbers"]);
    refused(&["--cells", "0,12,12"], &["12"]);
    refused(&["--temperature", "-300 K"], &["300"]);
    refused(&["--temperature", "300 K", "--resolution", "0 K"], &["resolution"]);
    refused(&["--max-size", "0"], &["--max-size is 0"]);
    refused(&["--temperature", "300 K", "--sweeps", "2"], &["sweeps"]);
}
