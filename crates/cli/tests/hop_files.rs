//! `scalade hop MODEL.toml` with crystals, expansions and local expansions from files beside it.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use common::{Folder, data, document, refused};
use serde_json::{Value, json};
use std::path::PathBuf;

fn diagonal(of: &Value, axis: usize) -> (f64, f64) {
    (of["value"][axis][axis].as_f64().unwrap(), of["std_error"][axis][axis].as_f64().unwrap())
}

/// Coupling of nearest neighbours on a simple cubic lattice of constant 2 angstrom, n n' in spins; eV.
fn cubic(coupling_ev: f64) -> Value {
    let site = |cell: [i32; 3]| json!({ "cell": cell, "basis": 0 });
    let pair = |cell: [i32; 3]| vec![site([0; 3]), site(cell)];
    json!({
        "lattice_angstrom": [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]],
        "basis_fractional": [[0.0, 0.0, 0.0]],
        "working_ion": "Li", "formula_units_per_cell": 1.0,
        "orbits": [
            { "order": 1, "diameter_angstrom": 0.0, "clusters": [[site([0; 3])]] },
            { "order": 2, "diameter_angstrom": 2.0, "clusters": [pair([1, 0, 0]), pair([0, 1, 0]), pair([0, 0, 1])] },
        ],
        "coefficients_ev": [0.75 * coupling_ev, 1.5 * coupling_ev, 0.25 * coupling_ev],
        "samples_ev": [[0.0, 0.0, 0.0]],
    })
}

const KELVIN: f64 = 300.0;
const THERMAL_EV: f64 = 8.617_333_262e-5 * KELVIN;

fn network(energy: &str, hops: &str, size: &str, state: &str) -> String {
    format!(
        "[lattice]\nsize = {size}\n{energy}\n[hops]\n{hops}\n[state]\n{state}\n[run]\ntemperature = {KELVIN}\nstandard_error = 0.02\nseed = 3\n"
    )
}

/// Reference results I5 with the energies from a file and lengths in angstrom: rates nu exp(-dE/2kT), without a smallest barrier.
#[test]
fn i5_energies_of_an_expansion() {
    let folder = Folder::new();
    folder.write("cubic.json", &cubic(THERMAL_EV).to_string());
    let text = network("[energy]\nexpansion = \"cubic.json\"", "rate = 1.0", "[3, 3, 3]", "particles = 3");
    let file = folder.write("model.toml", &text);
    let exact = document(&["hop", &file, "--exact"]);
    assert_eq!(exact["length_unit"], "angstrom");
    for axis in 0..3 {
        let tracer = diagonal(&exact["tracer"], axis).0;
        assert!((tracer - 4.0 * 0.888_674_018_5).abs() < 1e-6, "{tracer}");
    }
    let found = document(&["hop", &file]);
    assert_eq!(found["engine"], "composition-rejection");
    for key in ["tracer", "jump"] {
        for axis in 0..3 {
            let (value, error) = diagonal(&found[key], axis);
            let z = (value - diagonal(&exact[key], axis).0) / error;
            assert!(z.abs() < 4.0 && error < 0.05 * value, "{key} {axis}: {value} {error} z = {z}");
        }
    }
    assert!(found["mean_activation_eV"].is_null() && found["time_unit"] == "inverse of the unit of rate");
    // A sample without couplings: sites that only exclude each other.
    let file = folder.write("sample.toml", &text.replace("[energy]\n", "[energy]\nsample = 0\n"));
    let exact = document(&["hop", &file, "--exact"]);
    let jump = diagonal(&exact["jump"], 0).0;
    assert!((jump - 4.0 * 24.0 / 26.0).abs() < 1e-6, "{jump}");
    // A barrier: the same rates times exp(-E/kT) where no energy changes.
    let hops = "barrier = 0.25\nattempt_frequency = 1e12";
    let file = folder.write(
        "barrier.toml",
        &text.replace("rate = 1.0", hops).replace("[energy]\n", "[energy]\nsample = 0\n"),
    );
    let exact = document(&["hop", &file, "--exact"]);
    let jump = diagonal(&exact["jump"], 0).0;
    let want = 4.0 * 24.0 / 26.0 * 1e12 * (-0.25 / THERMAL_EV).exp();
    assert!((jump / want - 1.0).abs() < 1e-7 && exact["time_unit"] == "s", "{jump} {want}");
}

/// Atoms of a structure as sites: the named lattice in angstrom; across layers nothing moves, which is said.
#[test]
fn sites_of_a_structure() {
    let folder = Folder::new();
    folder.write("POSCAR", "layers\n1.0\n2.8 0 0\n-1.4 2.4248711305964283 0\n0 0 9\nLi O\n1 1\nDirect\n0 0 0\n0.3333 0.6667 0.3\n");
    let rest =
        "[energy]\nbasis = \"occupation\"\npairs = [1.0]\n[hops]\nrate = 1.0\n[state]\nparticles = 6\n";
    let text = format!("[lattice]\nstructure = \"POSCAR\"\nsites = [\"Li\"]\nsize = [4, 4, 1]\n{rest}");
    let file = folder.write("structure.toml", &text);
    let named =
        folder.write("named.toml", &format!("[lattice]\nname = \"triangular\"\nsize = [4, 4]\n{rest}"));
    let (of, want) = (document(&["hop", &file, "--exact"]), document(&["hop", &named, "--exact"]));
    for key in ["tracer", "jump", "chemical"] {
        let (got, want) = (diagonal(&of[key], 0).0, 2.8 * 2.8 * diagonal(&want[key], 0).0);
        assert!((got / want - 1.0).abs() < 1e-9, "{key}: {got} {want}");
        assert_eq!(diagonal(&of[key], 2).0, 0.0);
    }
    let warnings = of["warnings"].to_string();
    assert!(warnings.contains("along 2 directions only"), "{warnings}");
    refused(
        &["hop", &folder.write("ion.toml", &text.replace("\"Li\"", "\"Na\""))],
        &["POSCAR", "no atom Na"],
    );
    refused(
        &["hop", &folder.write("both.toml", &text.replace("size", "name = \"sc\"\nsize"))],
        &["structure", "beside name"],
    );
}

/// LiCoO2: energies and barriers from first principles, both fitted with one primitive cell, to the diffusivity; against the master equation.
#[test]
fn barriers_and_energies_of_licoo2() {
    let folder = Folder::new();
    let (energies, local) = (folder.at("energies.json"), folder.at("local.json"));
    let path = |p: &PathBuf| p.to_string_lossy().into_owned();
    document(&[
        "expand",
        &data("orderings.extxyz"),
        "--prim",
        &data("prim.toml"),
        "--write",
        &path(&energies),
    ]);
    document(&[
        "barriers",
        &data("neb.extxyz"),
        "--prim",
        &data("prim.toml"),
        "--radius",
        "3 angstrom",
        "--write",
        &path(&local),
    ]);
    let (energy, hops) =
        ("[energy]\nexpansion = \"energies.json\"", "kra = \"local.json\"\nattempt_frequency = 1e13");
    let file = folder.write("small.toml", &network(energy, hops, "[3, 3, 1]", "particles = 4"));
    let exact = document(&["hop", &file, "--exact"]);
    let found = document(&["hop", &file]);
    for key in ["tracer", "jump", "chemical"] {
        for axis in 0..2 {
            let (value, error) = diagonal(&found[key], axis);
            let z = (value - diagonal(&exact[key], axis).0) / error;
            assert!(z.abs() < 4.0 && error < 0.05 * value, "{key} {axis}: {value} {error} z = {z}");
        }
        assert_eq!(diagonal(&found[key], 2), (0.0, 0.0));
    }
    assert_eq!(found["ion"], "Li");
    assert!(found["warnings"].to_string().contains("2 directions only"));
    assert!(found["detailed_balance_error"].as_f64().unwrap() < 1e-9);
    // The orderings alone, without what surrounds them, and samples of both.
    let file = folder.write("free.toml", &network("", hops, "[3, 3, 1]", "particles = 4"));
    let free = document(&["hop", &file, "--exact"]);
    assert!((free["thermodynamic_factor"]["value"].as_f64().unwrap() - 9.0 / 5.0).abs() < 1e-12);
    let sampled = network(
        &format!("{energy}\nsample = 1"),
        &format!("{hops}\nsample = 2"),
        "[3, 3, 1]",
        "particles = 4",
    );
    let sampled = document(&["hop", &folder.write("sampled.toml", &sampled), "--exact"]);
    assert_ne!(sampled["jump"]["value"], exact["jump"]["value"]);
    // What is refused.
    let said = |energy: &str, hops: &str, words: &[&str]| {
        refused(
            &["hop", &folder.write("wrong.toml", &network(energy, hops, "[3, 3, 1]", "particles = 4"))],
            words,
        );
    };
    said(energy, &hops.replace("local", "lokal"), &["lokal.json"]);
    said(energy, "kra = []", &["kra", "0 entries"]);
    said(energy, &format!("{hops}\nrate = 1.0"), &["rate", "beside kra"]);
    said(energy, &format!("{hops}\nwithin = 3.0"), &["within", "beside kra"]);
    said(energy, &hops.replace("1e13", "[1e13, 1e13]"), &["attempt_frequency", "2 entries", "1 kinds"]);
    said(energy, &hops.replace("1e13", "-1.0"), &["attempt_frequency", "-1"]);
    said(&format!("{energy}\nsample = 1000"), hops, &["energies.json", "sample 1000"]);
    said(&format!("{energy}\npairs = [1.0]"), hops, &["pairs", "leave it out"]);
    said(energy, "", &["one of rate, kra, barrier"]);
    said("", "barrier = 0.3", &["barrier", "expansion"]);
    said(energy, "barrier = 0.3\nwithin = 1.0", &["no hop bond", "widen"]);
    said("[energy]\nexpansion = \"local.json\"", hops, &["local.json"]);
    folder.write("cubic.json", &cubic(0.01).to_string());
    said("[energy]\nexpansion = \"cubic.json\"", hops, &["local.json", "lattice vectors differ"]);
    let directed = folder.at("directed.json");
    document(&[
        "barriers",
        &data("neb.extxyz"),
        "--prim",
        &data("prim.toml"),
        "--directed",
        "--write",
        &path(&directed),
    ]);
    said(energy, "kra = \"directed.json\"", &["directed.json", "balance"]);
    let tight = network(energy, hops, "[2, 2, 1]", "particles = 2");
    refused(&["hop", &folder.write("tight.toml", &tight)], &["[2, 2, 1]", "too small"]);
    let cold =
        network(energy, hops, "[3, 3, 1]", "particles = 4").replace(&format!("temperature = {KELVIN}\n"), "");
    refused(&["hop", &folder.write("cold.toml", &cold)], &["temperature", "missing"]);
}

/// Sites in pairs: no path through the crystal.
#[test]
fn networks_that_lead_nowhere_are_named() {
    let folder = Folder::new();
    let mut pairs = cubic(0.0);
    pairs["basis_fractional"] = json!([[0.0, 0.0, 0.0], [0.3, 0.0, 0.0]]);
    pairs["orbits"] = json!([]);
    pairs["coefficients_ev"] = json!([0.0]);
    pairs["samples_ev"] = json!([]);
    folder.write("pairs.json", &pairs.to_string());
    let text =
        network("[energy]\nexpansion = \"pairs.json\"", "barrier = 0.3", "[4, 4, 4]", "concentration = 0.5");
    refused(&["hop", &folder.write("pairs.toml", &text)], &["finite groups", "widen"]);
    // Joined by a longer hop, along one axis.
    let wider = text
        .replace("barrier = 0.3", "barrier = 0.3\nwithin = 1.5")
        .replace("concentration = 0.5", "vacancies = 20");
    let found = document(&["hop", &folder.write("chain.toml", &wider)]);
    assert!(found["warnings"].to_string().contains("along 1 direction only"));
    assert_eq!(found["tracer"]["verdict"], "sub_diffusive");
}

/// A hop of one species along the edges of a simple cubic lattice of constant 2 angstrom, the same in all surroundings.
fn edge_hop(ion: usize, constant_ev: f64) -> Value {
    let mut operations = Vec::new();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for signs in 0..8 {
            let mut rotation = [[0; 3]; 3];
            for (row, axis) in rotation.iter_mut().zip(order) {
                row[axis] = if signs >> axis & 1 == 0 { 1 } else { -1 };
            }
            operations.push(json!({ "rotation": rotation, "translation": [0.0, 0.0, 0.0] }));
        }
    }
    let change = |cell: [i32; 3], before: usize, after: usize| json!({ "site": { "cell": cell, "basis": 0 }, "before": before, "after": after });
    json!({
        "lattice_angstrom": [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]],
        "sites": [{ "fractional": [0.0, 0.0, 0.0], "species": ["Vac", "Li", "Na"], "functions": [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]] }],
        "operations": operations, "tolerance_angstrom": 1e-3,
        "event": [change([0; 3], ion, 0), change([1, 0, 0], 0, ion)],
        "orbits": [], "coefficients_ev": [constant_ev],
    })
}

/// Two species that only exclude each other and hop alike: together they are the lattice gas of reference result I3.
#[test]
fn i3_two_species_that_hop_alike() {
    let folder = Folder::new();
    folder.write("li.json", &edge_hop(1, 0.3).to_string());
    folder.write("na.json", &edge_hop(2, 0.3).to_string());
    let hops = "kra = [\"li.json\", \"na.json\"]\nattempt_frequency = 1e13";
    let shares = format!("composition = {{ Li = {}, Na = {} }}", 2.0 / 27.0, 2.0 / 27.0);
    let text = network("", hops, "[3, 3, 3]", &shares);
    let file = folder.write("two.toml", &text);
    let exact = document(&["hop", &file, "--exact"]);
    assert_eq!(exact["numbers"], json!({ "Li": 2, "Na": 2, "Vac": 23 }));
    let by_name = |of: &Value, name: &str| -> Value {
        of["species"].as_array().unwrap().iter().find(|s| s["species"] == name).unwrap().clone()
    };
    let pair = |of: &Value| -> Value {
        let wanted = [json!(["Li", "Na"]), json!(["Na", "Li"])];
        of["onsager"].as_array().unwrap().iter().find(|c| wanted.contains(&c["species"])).unwrap().clone()
    };
    let nu = 1e13 * (-0.3 / THERMAL_EV).exp();
    let (li, na, cross) = (by_name(&exact, "Li"), by_name(&exact, "Na"), pair(&exact));
    for axis in 0..3 {
        let [a, b, ab] = [&li["collective"], &na["collective"], &cross].map(|t| diagonal(t, axis).0);
        let want = 4.0 / 27.0 * 4.0 * nu * 23.0 / 26.0;
        assert!(((a + 2.0 * ab + b) / want - 1.0).abs() < 1e-7, "{a} {ab} {b} {want}");
        assert!((a / b - 1.0).abs() < 1e-9 && ab > 0.0);
    }
    let found = document(&["hop", &file]);
    for (name, key) in [("Li", "tracer"), ("Li", "collective"), ("Na", "tracer"), ("Na", "collective")] {
        let (value, error) = diagonal(&by_name(&found, name)[key], 0);
        let z = (value - diagonal(&by_name(&exact, name)[key], 0).0) / error;
        assert!(z.abs() < 4.0 && error < 0.05 * value, "{name} {key}: {value} {error} z = {z}");
    }
    assert_eq!(found["engine"], "tree");
    // What is refused.
    let said = |state: &str, words: &[&str]| {
        refused(&["hop", &folder.write("wrong.toml", &network("", hops, "[3, 3, 3]", state))], words);
    };
    said("composition = { Li = 0.5, K = 0.1 }", &["takes K", "known are"]);
    said("composition = { Li = 0.5 }", &["left out", "one may be"]);
    said("composition = { Li = 0.7, Na = 0.7 }", &["38 atoms for 27 sites"]);
    said("composition = { Li = -0.1, Na = 0.7 }", &["composition.Li", "no share"]);
    said("composition = { Li = 0.1, Na = 0.7 }\nvacancies = 1", &["beside another key"]);
    said("concentration = 0.5", &["li.json", "Vac, Li, Na"]);
    let mut born = edge_hop(1, 0.3);
    born["event"][1] = json!({ "site": { "cell": [1, 0, 0], "basis": 0 }, "before": 1, "after": 0 });
    folder.write("born.json", &born.to_string());
    let text = network("", "kra = \"born.json\"", "[3, 3, 3]", "composition = { Li = 0.2, Na = 0.2 }");
    refused(&["hop", &folder.write("born.toml", &text)], &["born.json", "Li"]);
}
