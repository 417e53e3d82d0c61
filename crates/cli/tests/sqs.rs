//! Special quasi-random structures from outside.

#![allow(clippy::unwrap_used, reason = "a test fails with it")]

mod common;

use common::{document, refused};
use std::path::Path;

/// SQS-8 of fcc at one half: the first two pair correlations of Zunger et al., Phys. Rev. Lett. 65, 353 (1990), vanish.
#[test]
fn sqs_of_eight_sites_has_random_pairs() {
    let half = ["sqs", "--lattice", "fcc", "--composition", "A=1/2", "--composition", "B=1/2", "--size", "8"];
    let found = document(&half);
    assert_eq!(found["search"], "all colourings");
    assert_eq!(found["counts"]["A"], 4);
    let pairs = found["correlations"].as_array().unwrap();
    assert_eq!(pairs.len(), 3);
    for pair in pairs {
        assert_eq!(pair["random"], 0.0);
    }
    assert!(pairs[0]["achieved"].as_f64().unwrap().abs() < 1e-12);
    // The same from a file, with the anions as spectators, written and read again.
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("sqs.extxyz").display().to_string();
    let prim = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/lattice/lixnio2_prim.vasp");
    let prim = prim.display().to_string();
    let layered = [
        "sqs",
        "--structure",
        &prim,
        "--sites",
        "Li=Li,Vac",
        "--composition",
        "Li=0.5",
        "--composition",
        "Vac=0.5",
        "--supercell",
        "2,2,2",
        "--steps",
        "2000",
    ];
    let found = document(&[&layered[..], &["--out", &out]].concat());
    assert_eq!(found["counts"]["Vac"], 4);
    let text = std::fs::read_to_string(&out).unwrap();
    assert_eq!(text.lines().next(), Some("28"));
    assert!(!text.contains("Vac"));
    assert_eq!(document(&layered)["correlations"], found["correlations"]);
}

#[test]
fn mistakes_are_told() {
    let with = |more: &[&str], words: &[&str]| refused(&[&["sqs", "--lattice", "fcc"], more].concat(), words);
    with(&["--composition", "A=1/2", "--composition", "B=1/2"], &["--size", "--supercell"]);
    with(&["--composition", "A=half", "--size", "4"], &["half", "1/4"]);
    with(&["--composition", "A=1/2", "--size", "4"], &["fraction of B is missing"]);
    with(&["--composition", "A=1/3", "--composition", "B=2/3", "--size", "4"], &["no whole number"]);
    with(
        &["--composition", "A=1/2", "--composition", "B=1/2", "--supercell", "2,2"],
        &["2 numbers", "2,2,2"],
    );
    refused(&["sqs", "--size", "4"], &["--lattice", "--structure"]);
}
