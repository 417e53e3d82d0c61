//! `scalade phonon`, and voltages at finite temperature, from outside.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use common::{document, refused};
use std::path::Path;

fn data(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/lifepo4").join(name);
    path.to_string_lossy().into_owned()
}

/// Columns T, F, S, C of a table of thermal functions computed from the same force constants on a mesh of wave vectors.
fn thermal(name: &str) -> Vec<[f64; 4]> {
    let text = std::fs::read_to_string(data(name)).unwrap();
    let numbers = |line: &str| {
        let row: Vec<f64> = line.split(',').map(|v| v.parse().unwrap()).collect();
        [row[0], row[1], row[2], row[3]]
    };
    text.lines().skip(1).map(numbers).collect()
}

#[test]
fn thermal_functions_agree_with_those_of_the_mesh() {
    for (id, formula_units, atoms) in [("LiFePO4", "4", 28), ("FePO4", "4", 24), ("Li_bcc", "1", 1)] {
        let table = thermal(&format!("thermal_{id}.csv"));
        let file = data(&format!("phonon_dos_{id}.csv"));
        let found = document(&[
            "phonon",
            &file,
            "--formula-units",
            formula_units,
            "--temperatures",
            "0 K,100 K,300 K,600 K",
        ]);
        assert_eq!(found["atoms"], atoms);
        for (k, t) in [0usize, 10, 30, 60].into_iter().enumerate() {
            let row = table[t];
            let at = |key: &str| found[key][k].as_f64().unwrap();
            // The density of states is binned and scaled to 3N: a few tenths of a meV.
            assert!((at("free_energy_eV") - row[1]).abs() < 2.5e-4, "{id} {row:?} {}", at("free_energy_eV"));
            assert!((at("entropy_J_mol_K") - row[2]).abs() < 0.1, "{id} {row:?} {}", at("entropy_J_mol_K"));
            assert!((at("heat_capacity_J_mol_K") - row[3]).abs() < 0.1, "{id} {row:?}");
        }
    }
}

#[test]
fn lithium_iron_phosphate_at_finite_temperature() {
    let (full, empty) = (
        format!("LiFePO4={}", data("phonon_dos_LiFePO4.csv")),
        format!("FePO4={}", data("phonon_dos_FePO4.csv")),
    );
    let (frames, metal) = (data("endmembers.extxyz"), data("phonon_dos_Li_bcc.csv"));
    let of =
        |condition: &str| vec!["voltage".to_string(), frames.clone(), "--where".into(), condition.into()];
    let mut arguments = of("model=CHGNet-0.3.0");
    for (option, value) in [
        ("--phonon-dos", &full),
        ("--phonon-dos", &empty),
        ("--reference-phonon-dos", &metal),
        ("--temperatures", &"0 K,300 K".to_string()),
    ] {
        arguments.extend([option.to_string(), value.clone()]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let found = document(&arguments);
    // l15: the reference is the metal of the same file.
    assert!((found["average_voltage_V"].as_f64().unwrap() - 3.4215).abs() < 1e-4);
    let rows = found["finite_temperature"].as_array().unwrap();
    let at = |k: usize, key: &str| rows[k][key].as_f64().unwrap();
    // From the tabled free energies: -(F_full - F_empty - F_metal).
    for (k, t) in [0usize, 30].into_iter().enumerate() {
        let f = |name: &str| thermal(name)[t][1];
        let change = -(f("thermal_LiFePO4.csv") - f("thermal_FePO4.csv") - f("thermal_Li_bcc.csv"));
        let got = at(k, "zero_point_V") + at(k, "vibrational_V");
        assert!((got - change).abs() < 3e-4, "{got} {change}");
        assert!((at(k, "voltage_V") - at(k, "zero_kelvin_without_zero_point_V") - got).abs() < 1e-12);
    }
    let s = |name: &str| thermal(name)[30][2];
    let slope =
        (s("thermal_LiFePO4.csv") - s("thermal_FePO4.csv") - s("thermal_Li_bcc.csv")) / 96_485.332_123;
    assert!((at(1, "slope_V_per_K") - slope).abs() < 2e-6, "{slope}");
    // One density of states, none of the metal, an unknown frame.
    refused(&arguments[..6], &["--phonon-dos", "two"]);
    refused(&arguments[..8], &["--reference-phonon-dos"]);
    let wrong = full.replace("LiFePO4=", "LiFeP=");
    let swapped: Vec<&str> = arguments.iter().map(|a| if *a == full { wrong.as_str() } else { a }).collect();
    refused(&swapped, &["LiFeP", "FePO4"]);
}

#[test]
fn methods_are_not_mixed() {
    let frames = data("endmembers.extxyz");
    refused(&["voltage", &frames], &["different methods", "--where"]);
    refused(&["voltage", &frames, "--reference-energy", "-1.88 eV"], &["mixed", "--where"]);
    refused(&["voltage", &frames, "--where", "model=PBE"], &["CHGNet-0.3.0"]);
    refused(&["voltage", &frames, "--where", "model"], &["KEY=VALUE"]);
    let bare = ["voltage", &frames, "--where", "model=CHGNet-0.3.0", "--where", "id=LiFePO4"];
    refused(&bare, &["--reference-energy"]);
}

#[test]
fn bad_densities_of_states_are_refused() {
    let file = data("phonon_dos_Li_bcc.csv");
    refused(&["phonon", &file, "--atoms", "2"], &["modes", "atoms"]);
    refused(&["phonon", &file, "--formula-units", "0"], &["--formula-units"]);
    refused(&["phonon", &file, "--temperatures", "300"], &["--temperatures"]);
    refused(&["phonon", &file, "--temperatures", "-1 K"], &["temperature"]);
    refused(&["phonon", &data("endmembers.extxyz")], &["line"]);
    refused(&["phonon", "/nowhere"], &["/nowhere"]);
}
