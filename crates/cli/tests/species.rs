//! Expansions and Monte Carlo of several species, from outside.

#![allow(clippy::unwrap_used, reason = "a test fails with it")]

mod common;

use common::{document, refused, scalade};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn data(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/lattice").join(name);
    path.display().to_string()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn expand(extra: &[&str]) -> Value {
    let (frames, prim) = (data("lmof.extxyz"), data("lmof_prim.toml"));
    let fixed =
        ["expand", &frames, "--prim", &prim, "--pair-cutoff", "3 angstrom", "--triplet-cutoff", "0 angstrom"];
    document(&[&fixed[..], extra].concat())
}

#[test]
fn an_oxyfluoride_of_five_cations_and_two_anions_is_expanded() {
    refused(
        &["expand", &data("lmof.extxyz"), "--prim", &data("lmof_prim.toml")],
        &["2 of 26 structures", "frame 7", "frame 11", "max_strain"],
    );
    let found = expand(&["--max-excluded", "2"]);
    assert_eq!(found["structures"], 24);
    let reasons: Vec<&str> =
        found["excluded"].as_array().unwrap().iter().map(|e| e["id"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["frame 7", "frame 11"]);
    // Rock salt's hausmannite maps once its strain is allowed.
    let wider = expand(&["--max-excluded", "1", "--max-strain", "0.2", "--max-drift", "1 angstrom"]);
    assert_eq!(wider["structures"], 25);
    // Functions of a point: two for each tetrahedral site, which symmetry joins; four of the octahedral one, one of the anion.
    let interactions = found["interactions"].as_array().unwrap();
    let points: Vec<u64> = interactions
        .iter()
        .filter(|i| i["order"] == 1)
        .map(|i| i["multiplicity"].as_u64().unwrap())
        .collect();
    assert_eq!(points.iter().sum::<u64>(), 2 + 2 + 4 + 1);
    assert_eq!(points.iter().filter(|m| **m == 2).count(), 2);
    // The electrostatic term comes out screened: oxides have relative permittivities of about ten.
    let inverse = found["electrostatic"]["inverse_permittivity"]["value"].as_f64().unwrap();
    assert!((0.02..0.3).contains(&inverse), "{inverse}");
    let parity = found["parity"].as_array().unwrap();
    assert!((parity[0]["composition"]["Li+"].as_f64().unwrap() - 0.5625).abs() < 1e-12);
    let codes: Vec<&str> =
        found["diagnostics"].as_array().unwrap().iter().map(|d| d["code"].as_str().unwrap()).collect();
    for code in ["duplicate-energies", "rank-deficient", "high-leverage"] {
        assert!(codes.contains(&code), "{codes:?}");
    }
}

/// Writes the expansion of the oxyfluorides into a folder.
fn written(folder: &Path) -> PathBuf {
    let out = folder.join("expansion.json");
    expand(&["--max-excluded", "2", "--write", out.to_str().unwrap()]);
    out
}

fn model(folder: &Path, size: &str, run: &str) -> String {
    let path = folder.join("model.toml");
    let text = format!("[lattice]\nsize = {size}\n[energy]\nexpansion = \"expansion.json\"\n[run]\n{run}\n");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn number(value: &Value) -> [f64; 2] {
    [value["value"].as_f64().unwrap(), value["std_error"].as_f64().unwrap()]
}

#[test]
fn sampling_agrees_with_the_exact_sum() {
    let folder = folder();
    written(folder.path());
    for (name, run) in [
        (
            "open",
            "ensemble = \"semigrand\"\nchemical_potential = { \"Li+\" = -4.0, \"Mn3+\" = -9.0, \"Mn4+\" = -8.0, \"Mn2+\" = -9.5 }",
        ),
        (
            "neutral",
            "ensemble = \"semigrand\"\ncharge_neutral = true\ncomposition = { \"Li+\" = 0.5, \"Mn3+\" = 0.5, \"O2-\" = 1, \"F-\" = 0, \"Mn2+\" = 0, \"Mn4+\" = 0 }\nchemical_potential = { \"Li+\" = -4.0 }",
        ),
        (
            "closed",
            "ensemble = \"canonical\"\nfrozen = [3]\ncomposition = { \"Li+\" = 0.5, \"Mn3+\" = 0.5, \"O2-\" = 0.5, \"F-\" = 0.5, \"Mn2+\" = 0, \"Mn4+\" = 0 }",
        ),
    ] {
        let run = format!("{run}\ntemperature = 20000\nprecision = 2e-3\nseed = 4");
        let path = model(folder.path(), "[2, 1, 1]", &run);
        let exact = document(&["montecarlo", &path, "--exact"]);
        let sampled = document(&["montecarlo", &path]);
        let (exact, sampled) = (&exact["points"][0], &sampled["points"][0]);
        for key in ["energy_per_formula_eV", "energy_per_site", "heat_capacity_per_formula"] {
            let ([want, _], [got, error]) = (number(&exact[key]), number(&sampled[key]));
            assert!(
                (got - want).abs() < 4.0 * error + 1e-9,
                "{name} {key}: {got} +- {error}, exactly {want}"
            );
        }
        assert!(number(&sampled["energy_per_formula_eV"])[1] <= 2e-3);
        for (species, want) in exact["composition"].as_object().unwrap() {
            let ([want, _], [got, error]) = (number(want), number(&sampled["composition"][species]));
            assert!(
                (got - want).abs() < 4.0 * error + 1e-9,
                "{name} {species}: {got} +- {error}, exactly {want}"
            );
        }
        assert!(exact["log_partition_per_formula"]["value"].is_number());
    }
}

/// At 6000 K these boxes freeze in states that are not the lowest ones, each without a single change, so that blocks show no error at all: they must not
/// pass for converged, nor tell an error that the exact energy lies outside of.
#[test]
fn frozen_boxes_do_not_converge() {
    let folder = folder();
    written(folder.path());
    let potentials =
        "chemical_potential = { \"Li+\" = -4.0, \"Mn3+\" = -9.0, \"Mn4+\" = -8.0, \"Mn2+\" = -9.5 }";
    let run = format!(
        "ensemble = \"semigrand\"\n{potentials}\ntemperature = 6000\nprecision = 1e-3\nseed = 4\nmax_moves = 1000000"
    );
    let path = model(folder.path(), "[2, 1, 1]", &run);
    let [exact, _] =
        number(&document(&["montecarlo", &path, "--exact"])["points"][0]["energy_per_formula_eV"]);
    let done = scalade(&["montecarlo", &path, "--json"]);
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    let [energy, error] = number(&found["points"][0]["energy_per_formula_eV"]);
    assert_eq!(done.status.code(), Some(3), "{energy} +- {error}, exactly {exact}");
    assert_eq!(found["converged"], false);
    assert!((energy - exact).abs() < 4.0 * error, "{energy} +- {error}, exactly {exact}");
}

#[test]
fn runs_go_on_from_what_others_wrote() {
    let folder = folder();
    written(folder.path());
    let run = "ensemble = \"canonical\"\ntemperature = [4000, 6000]\nprecision = 5e-3\nwrite = \"last.extxyz\"\ncomposition = { \"Li+\" = 0.5, \"Mn3+\" = 0.5, \"O2-\" = 1, \"F-\" = 0, \"Mn2+\" = 0, \"Mn4+\" = 0 }";
    let first = document(&["montecarlo", &model(folder.path(), "[4, 4, 4]", run)]);
    assert_eq!(first["points"].as_array().unwrap().len(), 2);
    assert_eq!(first["points"][0]["charge"], 0.0);
    let text = std::fs::read_to_string(folder.path().join("last.extxyz")).unwrap();
    // 64 formula units of LiMnO2 with half of each cation.
    assert_eq!(text.lines().next(), Some("128"));
    // From there with other random numbers: the same averages.
    let again =
        "ensemble = \"canonical\"\ntemperature = 4000\nprecision = 5e-3\nstart = \"last.extxyz\"\nseed = 8";
    let second = document(&["montecarlo", &model(folder.path(), "[4, 4, 4]", again)]);
    let ([a, e], [b, f]) = (
        number(&first["points"][0]["energy_per_formula_eV"]),
        number(&second["points"][0]["energy_per_formula_eV"]),
    );
    assert!((a - b).abs() < 4.0 * (e * e + f * f).sqrt(), "{a} +- {e}, {b} +- {f}");
    // Copies fill a larger box, if it holds a whole number of them.
    let larger = document(&["montecarlo", &model(folder.path(), "[4, 4, 8]", again)]);
    assert_eq!(number(&larger["points"][0]["composition"]["Li+"]), [0.5, 0.0]);
    refused(
        &["montecarlo", &model(folder.path(), "[4, 4, 3]", again)],
        &["does not repeat", "lattice vector 3"],
    );
}

#[test]
fn wrong_models_say_what_to_do() {
    let folder = folder();
    written(folder.path());
    let composition = "composition = { \"Li+\" = 0.5, \"Mn3+\" = 0.5, \"O2-\" = 1, \"F-\" = 0, \"Mn2+\" = 0, \"Mn4+\" = 0 }";
    for (run, words) in [
        ("ensemble = \"canonical\"\ntemperature = 300".to_string(), &["composition is missing"][..]),
        ("ensemble = \"grand\"\ntemperature = 300".into(), &["canonical", "semigrand"]),
        (format!("ensemble = \"canonical\"\ntemperature = -1\n{composition}"), &["temperature is -1"]),
        (
            format!("ensemble = \"canonical\"\ntemperature = 300\nfrozn = [1]\n{composition}"),
            &["frozn", "frozen"],
        ),
        (
            format!("ensemble = \"canonical\"\ntemperature = 300\nfrozen = [9]\n{composition}"),
            &["frozen sublattice 9"],
        ),
        (
            format!(
                "ensemble = \"canonical\"\ntemperature = 300\nexchanges = [[\"Li+\", \"Xe\"]]\n{composition}"
            ),
            &["Xe", "Li+"],
        ),
        (
            format!("ensemble = \"canonical\"\ntemperature = 300\ncharge_neutral = true\n{composition}"),
            &["semigrand"],
        ),
        (
            "ensemble = \"canonical\"\ntemperature = 300\ncomposition = { \"Li+\" = 0.3 }".into(),
            &["whole number"],
        ),
        (
            "ensemble = \"canonical\"\ntemperature = 300\ncomposition = { \"Li+\" = 0.5 }".into(),
            &["all but one"],
        ),
        ("ensemble = \"canonical\"\ntemperature = 300\nstart = \"none.extxyz\"".into(), &["none.extxyz"]),
    ] {
        refused(&["montecarlo", &model(folder.path(), "[2, 2, 2]", &run)], words);
    }
    let frames = data("lmof.extxyz");
    let prim = folder.path().join("prim.toml");
    let with = |text: &str, words: &[&str]| {
        std::fs::write(&prim, text).unwrap();
        refused(&["expand", &frames, "--prim", prim.to_str().unwrap()], words);
    };
    let lattice = "lattice_angstrom = [[0.0, 2.1, 2.1], [2.1, 0.0, 2.1], [2.1, 2.1, 0.0]]\n";
    with("basis = \"spin\"", &["lattice_angstrom", "[[site]]"]);
    with(
        &format!("basis = \"spinn\"\n{lattice}[[site]]\nfractional = [0, 0, 0]\nspecies = [\"A\", \"B\"]"),
        &["spin"],
    );
    with(
        &format!("{lattice}[[site]]\nfractional = [0, 0, 0]\nspecies = [\"A\"]"),
        &["more than one species"],
    );
    with(
        &format!(
            "electrostatic = true\n{lattice}[[site]]\nfractional = [0, 0, 0]\nspecies = [\"Li\", \"Vac\"]"
        ),
        &["charge of Li", "[charges]"],
    );
    with(
        &format!(
            "charges = {{ Xe = 1 }}\n{lattice}[[site]]\nfractional = [0, 0, 0]\nspecies = [\"Li\", \"X\"]"
        ),
        &["Xe"],
    );
    let out = scalade(&["expand", &frames, "--prim", "/nowhere/prim.toml"]);
    assert_eq!(out.status.code(), Some(2));
}
