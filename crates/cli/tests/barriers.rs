//! `scalade barriers`: from NEB images to a local cluster expansion, from outside.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use common::{document, refused};
use serde_json::Value;
use std::path::Path;

fn data(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/licoo2").join(name).to_string_lossy().into_owned()
}

fn barriers(more: &[&str]) -> Value {
    let (images, prim) = (data("neb.extxyz"), data("prim.toml"));
    document(&[&["barriers", &images, "--prim", &prim][..], more].concat())
}

#[test]
fn hops_of_licoo2_are_one_kind_and_their_barriers_follow_the_gate() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("local.json");
    let found = barriers(&["--write", file.to_str().unwrap()]);
    // The same numbers as in the table beside the images, which has four digits.
    let table = std::fs::read_to_string(data("barriers.csv")).unwrap();
    let mut lines = table.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|h| *h == name).unwrap();
    let list = found["barriers"].as_array().unwrap();
    assert_eq!(list.len(), 15);
    for (line, one) in lines.zip(list) {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(one["id"], cells[column("id")]);
        for key in ["forward_eV", "backward_eV", "kra_eV"] {
            let known: f64 = cells[column(key)].parse().unwrap();
            assert!((one[key].as_f64().unwrap() - known).abs() < 1.01e-4, "{key}: {one} {line}");
        }
    }
    // Hops to a neighbour in the layer: three directions, and no other kind, whichever way the ion takes.
    let kinds = found["kinds"].as_array().unwrap();
    assert_eq!((kinds.len(), &kinds[0]["events_per_cell"]), (1, &Value::from(3)));
    assert_eq!(kinds[0]["hops"].as_array().unwrap().len(), 15);
    // What decides is the gate: the two sites that neighbour both ends, and both of them at once (A. Van der Ven, G. Ceder, Electrochem. Solid-State Lett.
    // 3, 301 (2000): through the tetrahedron where one of them is empty, between the oxygens where both are taken).
    let strongest = found["interactions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|i| i["keci_eV"].as_f64().unwrap() > 0.05)
        .map(|i| (i["order"].as_u64().unwrap(), i["multiplicity"].as_u64().unwrap()))
        .collect::<Vec<_>>();
    assert_eq!(strongest, [(1, 2), (2, 1)]);
    let error = |key: &str| found[key].as_f64().unwrap();
    let (predicted, mean) = (error("leave_one_out_error_eV"), error("leave_one_out_error_of_the_mean_eV"));
    assert!(predicted < 0.04 && mean > 0.15, "{predicted} {mean}");
    // Every residual of prediction comes with its size.
    let sized = |p: &Value| p["leave_one_out_std_error_eV"].as_f64().is_some_and(|s| s > 0.0);
    assert!(found["parity"].as_array().unwrap().iter().all(sized));
    // The file: constant and coefficients of means.
    let written: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let coefficients = written["coefficients_ev"].as_array().unwrap();
    assert_eq!(coefficients[0], found["constant"]["value"]);
    for (coefficient, interaction) in coefficients[1..].iter().zip(found["interactions"].as_array().unwrap())
    {
        let whole = interaction["keci_eV"].as_f64().unwrap() * interaction["multiplicity"].as_f64().unwrap();
        assert!((coefficient.as_f64().unwrap() - whole).abs() < 1e-12);
    }
    assert_eq!(written["orbits"].as_array().unwrap().len() + 1, coefficients.len());
    assert_eq!((&written["parity"], written["samples_ev"].as_array().unwrap().len()), (&"even".into(), 8));
}

#[test]
fn directed_barriers_count_both_ways() {
    let found = barriers(&["--directed", "--radius", "3 angstrom", "--method", "ridge"]);
    assert_eq!(found["hops"], 30);
    assert_eq!(found["kinds"][0]["events_per_cell"], 6);
    let parity = found["parity"].as_array().unwrap();
    assert_eq!(parity[0]["data_eV"], found["barriers"][0]["forward_eV"]);
    assert_eq!(parity[1]["data_eV"], found["barriers"][0]["backward_eV"]);
    assert_eq!(parity[1]["id"], "h01 (back)");
    // Both ways of a path are left out together: leaving out one of them alone would flatter the fit.
    assert!(found["leave_one_out_error_eV"].is_null());
    let error = found["leave_one_path_out_error_eV"].as_f64().unwrap();
    let alone: Vec<f64> = parity.iter().map(|p| p["leave_one_out_residual_eV"].as_f64().unwrap()).collect();
    let flattering = (alone.iter().map(|r| r * r).sum::<f64>() / 30.0).sqrt();
    assert!(error > flattering && error < 0.2, "{error} {flattering}");
}

/// The first `frames` frames of the file of images, each comment line changed.
fn cut(frames: usize, change: impl Fn(usize, &str) -> String) -> String {
    let text = std::fs::read_to_string(data("neb.extxyz")).unwrap();
    let mut lines = text.lines();
    let mut out = String::new();
    for n in 0..frames {
        let count = lines.next().unwrap();
        let atoms: usize = count.trim().parse().unwrap();
        let comment = change(n, lines.next().unwrap());
        out.extend([count, "\n", &comment, "\n"]);
        for _ in 0..atoms {
            out.push_str(lines.next().unwrap());
            out.push('\n');
        }
    }
    out
}

#[test]
fn what_is_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let prim = data("prim.toml");
    let said = |text: &str, more: &[&str], words: &[&str]| {
        let file = folder.path().join("images.extxyz");
        std::fs::write(&file, text).unwrap();
        refused(&[&["barriers", file.to_str().unwrap(), "--prim", &prim][..], more].concat(), words);
    };
    let as_is = |_: usize, line: &str| line.to_string();
    said(&cut(9, as_is), &["--kind", "2"], &["--kind is 2", "1 kinds"]);
    said(&cut(9, as_is), &["--radius", "5"], &["--radius", "a length"]);
    said(&cut(9, as_is), &["--diameter", "5 angstrom,4 angstrom"], &["diameters"]);
    said(&cut(6, as_is), &[], &["hops of the kind of the prototype", "expected 3"]);
    said(
        &cut(9, as_is),
        &["--method", "least-squares"],
        &["3 of 19 columns", "from the event (2 functions)"],
    );
    said(&cut(8, as_is), &[], &["hop h03", "2 images"]);
    said(&cut(9, |_, l| l.replace("state=saddle", "state=initial")), &[], &["two images", "initial"]);
    // Without states the highest image must lie between the ends.
    let plain =
        |l: &str| l.replace("state=saddle", "").replace("state=initial", "").replace("state=final", "");
    let lower = |n: usize, l: &str| {
        let l = plain(l);
        if n == 1 { l.replace("energy=-310.58", "energy=-319.58") } else { l }
    };
    said(&cut(9, lower), &[], &["hop h01", "no barrier"]);
    said(&cut(9, |_, l| l.replace("id=h", "label=h")), &[], &["images.extxyz", "hop=NAME"]);
    // Ends off the lattice are named, and may not be left out all.
    said(&cut(12, as_is), &["--max-drift", "0.02 angstrom"], &["of 4 hops", "h01", "--max-excluded"]);
    said(&cut(12, as_is), &["--max-drift", "0.02 angstrom", "--max-excluded", "4"], &["0 kinds"]);
    refused(&["barriers", &data("neb.extxyz"), "--prim", "/nowhere.toml"], &["/nowhere.toml"]);
    refused(&["barriers", &data("barriers.csv"), "--prim", &prim], &["barriers.csv"]);
    // Without states the result is the same: three images, the middle one the highest.
    let file = folder.path().join("plain.extxyz");
    std::fs::write(&file, cut(45, |_, l| plain(l))).unwrap();
    let found = document(&["barriers", file.to_str().unwrap(), "--prim", &prim]);
    assert_eq!(found["barriers"], barriers(&[])["barriers"]);
}

/// Attempt frequencies of hops by name, with their ratio tied to the ends.
#[test]
fn frequencies_of_hops_give_their_prefactors() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("modes.toml");
    let name = barriers(&[])["barriers"][2]["id"].as_str().unwrap().to_string();
    let text = format!(
        "unit = \"THz\"\n[[hop]]\nid = \"{name}\"\ninitial = [0.0, 0.01, -0.02, 2.0, 9.0, 8.0]\nsaddle = [-4.0, 0.0, 0.0, 3.0, 8.0, 0.0]\nfinal = [2.0, 8.0, 4.5, 0, 0, 0]\n"
    );
    std::fs::write(&file, &text).unwrap();
    let found = barriers(&["--frequencies", file.to_str().unwrap()]);
    let hop = &found["attempt_frequencies"]["hops"][0];
    let of = |key: &str| hop[key].as_f64().unwrap();
    assert!((of("forward_THz") - 6.0).abs() < 1e-12 && (of("backward_THz") - 3.0).abs() < 1e-12, "{hop}");
    assert!((of("free_energy_difference_kT") + 2f64.ln()).abs() < 1e-12);
    assert!((of("symmetric_THz") - 18f64.sqrt()).abs() < 1e-12);
    assert_eq!(found["attempt_frequencies"]["without"].as_array().unwrap().len(), 14);
    let said = |from: &str, to: &str, words: &[&str]| {
        std::fs::write(&file, text.replace(from, to)).unwrap();
        let (images, prim) = (data("neb.extxyz"), data("prim.toml"));
        refused(&["barriers", &images, "--prim", &prim, "--frequencies", file.to_str().unwrap()], words);
    };
    said("-4.0", "4.0", &[&name, "imaginary modes of the saddle is 0"]);
    said(&format!("\"{name}\""), "\"elsewhere\"", &["elsewhere", "no image"]);
    said("unit = \"THz\"", "unit = \"Hz\"", &["unit", "THz"]);
    said("0.01", "1.5", &["acoustic", "1.5"]);
    said("[[hop]]", "[hop]", &["[[hop]]"]);
}
