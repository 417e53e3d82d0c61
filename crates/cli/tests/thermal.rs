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

/// A file of this test run.
fn written(name: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

/// (pi^2/6) (k T)^2 g, eV: Sommerfeld's free energy of a constant density g, with the sign turned.
fn sommerfeld(density: f64, temperature: f64) -> f64 {
    let kt = 8.617_333_262e-5 * temperature;
    std::f64::consts::PI.powi(2) / 6.0 * kt * kt * density
}

#[test]
fn electrons_have_a_part_of_their_own() {
    // Per cell of four formula units: 12 states per eV in the full host and 40 in the empty one; 0.5 per atom of the metal.
    let full = written("full.csv", "energy_eV,dos_per_eV\n-5,12\n5,12\n");
    let empty = written("empty.dat", "# energy, states\n-5 40\n5 40\n");
    let metal = written("metal.dat", "-5 0.5\n5 0.5\n");
    let (of_full, of_empty) = (format!("LiFePO4={full}"), format!("FePO4={empty}"));
    let frames = data("endmembers.extxyz");
    let electrons = ["--electronic-dos", &of_full, "--electronic-dos", &of_empty];
    let base = ["voltage", &frames, "--where", "model=CHGNet-0.3.0", "--temperatures", "0 K,300 K"];
    let mut arguments = [&base[..], &electrons].concat();
    refused(&arguments, &["--reference-electronic-dos"]);
    arguments.extend(["--reference-electronic-dos", &metal]);
    let alone = document(&arguments);
    let at = |found: &serde_json::Value, k: usize, key: &str| {
        found["finite_temperature"][k][key].as_f64().unwrap()
    };
    // V = -(F_full - F_empty - F_metal)/e with F = -(pi^2/6) (kT)^2 g: more states in the empty host lower the voltage.
    let part = sommerfeld(12.0 / 4.0 - 40.0 / 4.0 - 0.5, 300.0);
    assert!((at(&alone, 1, "electronic_V") - part).abs() < 1e-9 && part < -5e-3);
    assert_eq!(at(&alone, 0, "electronic_V"), 0.0);
    assert!((at(&alone, 1, "slope_V_per_K") - 2.0 * part / 300.0).abs() < 1e-11);
    assert!(alone["finite_temperature"][1].get("vibrational_V").is_none());
    // With phonons the parts stand side by side, each as it is alone.
    let dos = |id: &str| format!("{id}={}", data(&format!("phonon_dos_{id}.csv")));
    let (a, b, c) = (dos("LiFePO4"), dos("FePO4"), data("phonon_dos_Li_bcc.csv"));
    let phonons = ["--phonon-dos", &a, "--phonon-dos", &b, "--reference-phonon-dos", &c];
    let vibrations = document(&[&base[..], &phonons].concat());
    let both = document(&[&arguments[..], &phonons].concat());
    for k in 0..2 {
        assert_eq!(at(&both, k, "electronic_V"), at(&alone, k, "electronic_V"));
        assert_eq!(at(&both, k, "vibrational_V"), at(&vibrations, k, "vibrational_V"));
        let sum: f64 = ["zero_kelvin_without_zero_point_V", "zero_point_V", "vibrational_V", "electronic_V"]
            .map(|key| at(&both, k, key))
            .iter()
            .sum();
        assert!((at(&both, k, "voltage_V") - sum).abs() < 1e-12);
        let slopes = at(&vibrations, k, "slope_V_per_K") + at(&alone, k, "slope_V_per_K");
        assert!((at(&both, k, "slope_V_per_K") - slopes).abs() < 1e-15);
    }
    // Two kinds of tables of different frames, a table that ends too early.
    let short = written("short.dat", "-0.3 1\n0.3 1\n");
    let narrow = arguments.iter().map(|a| if *a == metal { short.as_str() } else { a }).collect::<Vec<_>>();
    refused(&narrow, &["25 kT", "short.dat"]);
    let frequencies = format!("FePO4={}", data("phonon_dos_FePO4.csv"));
    let mixed = arguments.iter().map(|a| if *a == of_empty { frequencies.as_str() } else { a });
    refused(&mixed.collect::<Vec<_>>(), &["energy (eV)", "frequency_THz"]);
}

#[test]
fn thermal_functions_of_electrons() {
    let file = written("gas.dat", "-5 3\n5 3\n");
    let found = document(&["electronic", &file, "--formula-units", "2", "--temperatures", "0 K,500 K"]);
    assert_eq!(found["states_at_fermi_level_per_eV"], 1.5);
    let at = |key: &str, k: usize| found[key][k].as_f64().unwrap();
    let free = sommerfeld(1.5, 500.0);
    assert!((at("free_energy_eV", 1) + free).abs() < 1e-10 && at("free_energy_eV", 0) == 0.0);
    let molar = 2.0 * free / 500.0 * 96_485.332_123;
    assert!((at("entropy_J_mol_K", 1) - molar).abs() < 1e-7);
    assert!((at("heat_capacity_J_mol_K", 1) - molar).abs() < 1e-7);
    assert!(at("chemical_potential_eV", 1).abs() < 1e-12);
    refused(&["electronic", &file, "--temperatures", ""], &["--temperatures"]);
    refused(&["electronic", &file, "--temperatures", "5000 K"], &["25 kT"]);
    refused(&["electronic", &data("phonon_dos_Li_bcc.csv")], &["energy (eV)"]);
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
