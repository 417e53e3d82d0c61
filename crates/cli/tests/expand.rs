//! `scalade expand` from outside: methods and diagnostics.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use serde_json::Value;
use std::path::Path;

fn data(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data").join(file).to_string_lossy().into_owned()
}

fn expand(frames: &str, more: &[&str]) -> Value {
    common::document(&[&["expand", frames], more].concat())
}

fn number(of: &Value, key: &str) -> f64 {
    of[key].as_f64().unwrap()
}

/// Texts of the frames of the LiCoO2 data.
fn frames() -> Vec<String> {
    let text = std::fs::read_to_string(data("licoo2/orderings.extxyz")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let (mut at, mut out) = (0, Vec::new());
    while at < lines.len() {
        let atoms: usize = lines[at].trim().parse().unwrap();
        out.push(lines[at..at + atoms + 2].join("\n"));
        at += atoms + 2;
    }
    out
}

/// The value of a key on the comment line of a frame.
fn value(frame: &str, key: &str) -> f64 {
    let start = frame.find(&format!(" {key}=")).unwrap() + key.len() + 2;
    frame[start..].split(' ').next().unwrap().trim_matches('"').parse().unwrap()
}

fn fit_of(frames: &[String], more: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.extxyz");
    std::fs::write(&path, frames.join("\n") + "\n").unwrap();
    expand(path.to_str().unwrap(), more)
}

fn codes(fit: &Value) -> Vec<&str> {
    fit["diagnostics"].as_array().unwrap().iter().map(|d| d["code"].as_str().unwrap()).collect()
}

#[test]
fn every_method_predicts_what_it_has_not_seen() {
    let frames = data("licoo2/orderings.extxyz");
    let fits: Vec<Value> = ["bayes", "least-squares", "ridge", "ard"]
        .iter()
        .map(|m| expand(&frames, &["--method", m, "--folds", "5"]))
        .collect();
    for fit in &fits {
        assert!(number(fit, "leave_one_out_error_eV") < 3.3e-3);
        assert!(number(fit, "leave_one_out_error_eV") > number(fit, "training_error_eV"));
        let folds = number(&fit["folds"], "error_eV");
        assert!(fit["folds"]["count"] == 5 && folds > 2.8e-3 && folds < 3.5e-3, "{folds}");
        assert_eq!((&fit["rank"], &fit["columns"]), (&8.into(), &8.into()));
    }
    // Least squares has the smallest training error of all.
    for fit in &fits {
        assert!(number(&fits[1], "training_error_eV") <= number(fit, "training_error_eV") * 1.01);
    }
    // The default is the Bayesian method.
    let default = expand(&frames, &[]);
    assert_eq!(default["interactions"], fits[0]["interactions"]);
    // A LASSO with a large penalty leaves the constant and the point term.
    let sparse = expand(&frames, &["--method", "lasso", "--penalty", "1"]);
    let interactions = sparse["interactions"].as_array().unwrap();
    for i in interactions {
        assert_eq!(number(i, "eci_eV") != 0.0, i["order"] == 1, "{i}");
    }
    // A ridge without a penalty is least squares.
    let ridge = expand(&frames, &["--method", "ridge", "--penalty", "0"]);
    let pairs =
        ridge["interactions"].as_array().unwrap().iter().zip(fits[1]["interactions"].as_array().unwrap());
    for (a, b) in pairs {
        assert!((number(a, "eci_eV") - number(b, "eci_eV")).abs() < 1e-9);
    }
}

#[test]
fn l12_least_squares_is_refused_where_clusters_are_not_told_apart() {
    let (frames, parent) = (data("lattice/lixnio2.extxyz"), data("lattice/lixnio2_prim.vasp"));
    let given = [
        "--parent",
        &parent,
        "--max-strain",
        "0.25",
        "--max-excluded",
        "2",
        "--pair-cutoff",
        "8 angstrom",
        "--triplet-cutoff",
        "6 angstrom",
    ];
    let fit = expand(&frames, &given);
    assert!(
        codes(&fit).contains(&"rank-deficient") && codes(&fit).contains(&"self-image"),
        "{:?}",
        codes(&fit)
    );
    assert!(codes(&fit).contains(&"relaxation-drift"));
    assert_eq!(fit["not_told_apart"].as_array().unwrap().len(), 3);
    let start = [&["expand", &frames], &given[..]].concat();
    common::refused(
        &[&start[..], &["--method", "least-squares"]].concat(),
        &["rank-deficient", "17 of 20", "3 sites, 5.144"],
    );
    // With a prior or a penalty the same clusters can be fitted; triplets do not help to predict.
    let with = number(&fit, "leave_one_out_error_eV");
    let without = number(&expand(&frames, &given[..8]), "leave_one_out_error_eV");
    assert!(with > 0.95 * without, "{with} {without}");
}

#[test]
fn duplicates_gaps_and_lone_structures_are_named() {
    let all = frames();
    let clean: Vec<String> = all.iter().step_by(3).cloned().collect();
    // The same structure again, with an energy 50 meV higher per cell and with the same one.
    let mut twice = clean.clone();
    let energy = value(&clean[5], "energy");
    let id = clean[5].split(" id=").nth(1).unwrap().split(' ').next().unwrap().to_string();
    let copy = clean[5].replace(&format!(" id={id}"), " id=copy");
    twice.push(copy.clone());
    let same = fit_of(&twice, &[]);
    let of = |fit: &Value, code: &str| -> Vec<Vec<String>> {
        let all = fit["diagnostics"].as_array().unwrap().iter().filter(|d| d["code"] == code);
        all.map(|d| serde_json::from_value(d["structures"].clone()).unwrap()).collect()
    };
    assert!(of(&same, "same-ordering").iter().any(|s| s.contains(&"copy".to_string())), "{:?}", codes(&same));
    let high = copy.replace(&format!("energy={energy}"), &format!("energy={}", energy + 0.5));
    assert!(high != copy, "the energy of {copy} was not found");
    *twice.last_mut().unwrap() = high;
    let different = fit_of(&twice, &[]);
    assert!(of(&different, "duplicate-energies").iter().any(|s| s.contains(&"copy".to_string())));
    // Without compositions between 0.3 and 0.7.
    let gap: Vec<String> = all.iter().filter(|f| (value(f, "x") - 0.5).abs() > 0.21).cloned().collect();
    assert!(codes(&fit_of(&gap, &[])).contains(&"gap-in-composition"));
    assert!(!codes(&fit_of(&all, &[])).contains(&"gap-in-composition"));
}

#[test]
fn the_hull_of_the_data_is_kept() {
    let frames = data("licoo2/orderings.extxyz");
    let long = ["--pair-cutoff", "9 angstrom", "--triplet-cutoff", "5.8 angstrom"];
    let free = expand(&frames, &long);
    let kept = expand(&frames, &[&long[..], &["--keep-hull"]].concat());
    assert!(!free["hull_disagreements"].as_array().unwrap().is_empty());
    assert!(kept["hull_disagreements"].as_array().unwrap().is_empty());
    assert_eq!(kept["keeps_hull"], true);
}

#[test]
fn mistakes_are_told() {
    let frames = data("licoo2/orderings.extxyz");
    let refused =
        |more: &[&str], words: &[&str]| common::refused(&[&["expand", &frames], more].concat(), words);
    refused(&["--method", "laso"], &["laso", "lasso"]);
    refused(&["--method", "ard", "--penalty", "1"], &["--penalty belongs to ridge and lasso"]);
    refused(&["--method", "lasso", "--penalty", "2"], &["penalty of the LASSO is 2"]);
    refused(&["--method", "ridge", "--penalty", "nan"], &["penalty of the ridge is NaN"]);
    refused(&["--folds", "1"], &["folds is 1"]);
    refused(&["--keep-hull"], &["cannot keep the hull", "lco-054-n8-li7", "raise the cutoffs"]);
}
