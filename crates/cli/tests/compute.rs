//! `scalade compute` from outside, with calculators in plain Python. Without a python3 on the path these tests say so and pass.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "the helpers of a test fail with it")]

mod common;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Pair repulsion between lithium atoms in a triangular plane, and ways to go wrong.
const TOY: &str = r#"
import os, time

class Pairs:
    def __init__(self, strength=0.02, pause=0.0, wrong=""):
        self.strength, self.pause, self.wrong = strength, pause, wrong

    def scalade_calculate(self, numbers, positions, cell):
        print("this goes to the log")
        time.sleep(self.pause)
        lithium = [p for p, z in zip(positions, numbers) if z == 3]
        if self.wrong and len(lithium) == 1 and len(numbers) == 4:
            if self.wrong == "raises": raise ValueError("no such density")
            if self.wrong == "nan": return float("nan"), [[0.0] * 3] * len(numbers)
            if self.wrong == "ends": os._exit(7)
            if self.wrong == "hangs": time.sleep(60)
        energy = -4.0 * len(lithium) - 6.0 * (len(numbers) - len(lithium))
        shifts = [[sum(n[i] * cell[i][k] for i in range(3)) for k in range(3)]
                  for n in [(a, b, c) for a in range(-3, 4) for b in range(-3, 4) for c in range(-2, 3)]]
        for p in lithium:
            for q in lithium:
                for s in shifts:
                    d = sum((q[k] + s[k] - p[k]) ** 2 for k in range(3)) ** 0.5
                    if 0.1 < d < 3.2: energy += 0.5 * self.strength
        return energy, [[0.0] * 3] * len(numbers)
"#;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A folder with the calculator; none without a python3.
    fn new() -> Option<Self> {
        let found = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
        if !found.is_ok_and(|s| s.success()) {
            eprintln!("skipped: there is no python3");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("toy.py"), TOY).unwrap();
        Some(Self { folder })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scalade"));
        command.current_dir(self.folder.path()).args(arguments).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> (Output, Value) {
        let done = self.command(&[arguments, &["--json", "-q"]].concat()).output().unwrap();
        let document = serde_json::from_slice(&done.stdout).unwrap_or(Value::Null);
        (done, document)
    }
}

fn data(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/licoo2").join(file).to_string_lossy().into_owned()
}

/// The first frames of the ideal orderings.
fn some(place: &Place, count: usize) -> String {
    let text = std::fs::read_to_string(data("ideal_orderings.extxyz")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    for _ in 0..count {
        at += lines[at].trim().parse::<usize>().unwrap() + 2;
    }
    std::fs::write(place.path("some.extxyz"), lines[..at].join("\n") + "\n").unwrap();
    "some.extxyz".into()
}

#[test]
fn results_are_kept_and_read_by_the_other_commands() {
    let Some(place) = Place::new() else { return };
    let frames = some(&place, 20);
    let arguments = ["compute", &frames, "--calculator", "toy:Pairs", "--out", "out"];
    let (done, first) = place.run(&arguments);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(
        (&first["structures"], &first["computed"], &first["kept"]),
        (&20.into(), &20.into(), &0.into())
    );
    let text = std::fs::read_to_string(place.path("out/computed.extxyz")).unwrap();
    let (_, again) = place.run(&arguments);
    assert_eq!((&again["computed"], &again["kept"]), (&0.into(), &20.into()));
    assert_eq!(std::fs::read_to_string(place.path("out/computed.extxyz")).unwrap(), text);
    // Other options are another calculator.
    let (_, other) = place.run(&[&arguments[..], &["--option", "strength=0.05"]].concat());
    assert_eq!(other["kept"], 0);
    let (done, voltage) = place.run(&["voltage", "out/computed.extxyz", "--reference-energy", "-1 eV"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    // Six neighbours in the plane, half a bond each: -4 + 3 * 0.05 eV for the full lattice.
    assert!((voltage["average_voltage_V"].as_f64().unwrap() - (4.0 - 3.0 * 0.05 - 1.0)).abs() < 1e-9);
}

#[test]
fn what_fails_is_listed_and_the_others_go_on() {
    let Some(place) = Place::new() else { return };
    let frames = some(&place, 6);
    for (wrong, reason) in [
        ("raises", "ValueError: no such density"),
        ("nan", "a number of its result is not finite"),
        ("ends", "ended without an answer"),
        ("hangs", "no answer within 1 s"),
    ] {
        let option = format!("wrong={wrong}");
        let (done, document) = place.run(&[
            "compute",
            &frames,
            "--calculator",
            "toy:Pairs",
            "--out",
            wrong,
            "--option",
            &option,
            "--timeout",
            "1 s",
        ]);
        assert_eq!(done.status.code(), Some(3), "{wrong}: {}", String::from_utf8_lossy(&done.stderr));
        let failed = document["failed"].as_array().unwrap();
        assert_eq!(failed.len(), 1, "{wrong}: {failed:?}");
        assert!(failed[0]["reason"].as_str().unwrap().contains(reason), "{wrong}: {failed:?}");
        assert_eq!(failed[0]["id"], "lco-000-n1-li1");
        assert_eq!(document["computed"], 5);
    }
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let Some(place) = Place::new() else { return };
    let frames = some(&place, 12);
    let arguments = [
        "compute",
        &frames,
        "--calculator",
        "toy:Pairs",
        "--option",
        "pause=0.1",
        "--out",
        "out",
        "-q",
        "--json",
    ];
    let results = || {
        let all = std::fs::read_dir(place.path("out")).into_iter().flatten().flatten();
        all.filter(|e| e.path().extension().is_some_and(|x| x == "json")).count()
    };
    let mut child = place.command(&arguments).stdout(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while results() < 3 && start.elapsed() < Duration::from_mins(1) {
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = results();
    assert!((3..12).contains(&before), "{before}");
    let done = place.command(&arguments).output().unwrap();
    let document: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((document["kept"].as_u64().unwrap() as usize, results()), (before, 12));
}

#[test]
fn predictions_are_computed_and_fitted() {
    let Some(place) = Place::new() else { return };
    // Orderings of up to four cells are known; the ground states of the pairs at 1/3 and 2/3 need three.
    let (done, _) = place.run(&[
        "compute",
        &data("ideal_orderings.extxyz"),
        "--calculator",
        "toy:Pairs",
        "--out",
        "known",
    ]);
    assert!(done.status.success());
    let fit = ["--pair-cutoff", "3.2 angstrom", "--triplet-cutoff", "0 angstrom"];
    let (_, fitted) = place.run(&[&["expand", "known/computed.extxyz"], &fit[..]].concat());
    assert!(
        fitted["leave_one_out_error_eV"].as_f64().unwrap() < 1e-5,
        "{}",
        fitted["leave_one_out_error_eV"]
    );
    // One interaction: 0.02 eV a bond of occupations is 0.005 eV of spins.
    let pair = fitted["interactions"].as_array().unwrap().iter().find(|i| i["order"] == 2).unwrap();
    assert!((pair["eci_eV"].as_f64().unwrap() - 0.005).abs() < 1e-5, "{pair}");
    let (_, found) =
        place.run(&[&["groundstates", "known/computed.extxyz", "--max-size", "4"], &fit[..]].concat());
    let hull: Vec<f64> = found["hull"].as_array().unwrap().iter().map(|c| c["x"].as_f64().unwrap()).collect();
    for x in [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0] {
        assert!(hull.iter().any(|h| (h - x).abs() < 1e-9), "{x} is not among {hull:?}");
    }
}

/// From orderings at the ends and at one half alone, the loop finds the thirds of the triangular lattice by itself, and knows when to stop.
#[test]
fn the_loop_finds_ground_states_that_the_data_did_not_hold() {
    let Some(place) = Place::new() else { return };
    let text = std::fs::read_to_string(data("ideal_orderings.extxyz")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let (mut at, mut few) = (0, String::new());
    while at < lines.len() {
        let atoms: usize = lines[at].trim().parse().unwrap();
        let frame = &lines[at..at + 2 + atoms];
        let count = |symbol: &str| frame[2..].iter().filter(|l| l.starts_with(symbol)).count();
        let (lithium, cobalt) = (count("Li"), count("Co"));
        if cobalt <= 2 || (cobalt == 4 && lithium == 2) {
            few.push_str(&frame.join("\n"));
            few.push('\n');
        }
        at += 2 + atoms;
    }
    std::fs::write(place.path("few.extxyz"), few).unwrap();
    let start = [
        "refine",
        "few.extxyz",
        "--calculator",
        "toy:Pairs",
        "--out",
        "loop",
        "--max-size",
        "3",
        "--pair-cutoff",
        "3.2 angstrom",
        "--triplet-cutoff",
        "0 angstrom",
    ];
    let (done, found) = place.run(&start);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(found["converged"], true);
    let rounds = found["rounds"].as_array().unwrap();
    assert!(rounds.len() >= 2 && rounds[0]["predicted"].as_u64().unwrap() > 0, "{found}");
    assert_eq!(rounds.last().unwrap()["predicted"], 0);
    let computed = std::fs::read_to_string(place.path("loop/computed.extxyz")).unwrap();
    assert!(computed.contains("id=round-1-predicted-1"));
    assert!(place.path("loop/expansion.json").exists());
    // Again: everything is known, the same result.
    let (_, again) = place.run(&start);
    assert_eq!(again["converged"], true);
    assert_eq!(again["rounds"][0]["computed"], 0);
    // One round is not enough, and says so.
    let (short, partial) = place.run(&[&start[..], &["--rounds", "1"]].concat());
    assert_eq!(short.status.code(), Some(3));
    assert_eq!(partial["converged"], false);
}

#[test]
fn mistakes_are_told() {
    let Some(place) = Place::new() else { return };
    let frames = some(&place, 2);
    let refused = |more: &[&str], words: &[&str]| {
        let done = place.command(&[&["compute", &frames, "--out", "out"], more].concat()).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(2), "{more:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{more:?} does not say {word:?}:\n{said}");
        }
    };
    let toy = ["--calculator", "toy:Pairs"];
    refused(&["--calculator", "toy:Triplets"], &["Triplets", "calculator.log"]);
    refused(&["--calculator", "nothere:Pairs"], &["ModuleNotFoundError", "nothere"]);
    refused(&[&toy[..], &["--python", "/nonexistent/python"]].concat(), &["cannot start", "--python"]);
    refused(&[&toy[..], &["--relax", "cells"]].concat(), &["none, positions or cell"]);
    refused(&[&toy[..], &["--relax", "cell"]].concat(), &["cannot relax"]);
    refused(&[&toy[..], &["--option", "strength"]].concat(), &["key=value"]);
    refused(&[&toy[..], &["--fmax", "0.05 eV"]].concat(), &["energy"]);
    refused(&[&toy[..], &["--timeout", "0 s"]].concat(), &["must be positive"]);
}

/// What a frame says of an earlier calculation does not stay with the new energy.
#[test]
fn the_method_of_an_earlier_calculation_is_left_off() {
    let Some(place) = Place::new() else { return };
    let text = "2\nLattice=\"3 0 0 0 3 0 0 0 5\" Properties=species:S:1:pos:R:3 energy=-1 model=old functional=PBE corrected_energy=-2 x=0.5\nLi 0 0 0\nO 1 1 1\n";
    std::fs::write(place.path("old.extxyz"), text).unwrap();
    place.run(&["compute", "old.extxyz", "--calculator", "toy:Pairs", "--out", "new"]);
    let written = std::fs::read_to_string(place.path("new/computed.extxyz")).unwrap();
    for gone in ["model=", "functional=", "corrected_energy="] {
        assert!(!written.contains(gone), "{written}");
    }
    assert!(written.contains("x=0.5") && written.contains("calculator="), "{written}");
}

/// L15 through a real potential: the voltage of LiFePO4 by CHGNet 0.3.0 (chgnet 0.4.2), from the structures that it relaxed.
#[test]
#[ignore = "needs a Python with CHGNet, named by SCALADE_CHGNET_PYTHON"]
fn l15_chgnet_through_compute() {
    let Some(python) = std::env::var_os("SCALADE_CHGNET_PYTHON") else {
        eprintln!("skipped: SCALADE_CHGNET_PYTHON is not set");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/lifepo4/endmembers.extxyz");
    let out = folder.path().join("computed");
    let run = |arguments: &[&str]| common::document(arguments);
    let [data, python] = [data.display().to_string(), python.into_string().unwrap()];
    let out = out.display().to_string();
    let model = "model=CHGNet-0.3.0";
    run(&["compute", &data, "--where", model, "--python", &python, "--calculator", "chgnet", "--out", &out]);
    let found = run(&["voltage", &format!("{out}/computed.extxyz")]);
    let voltage = found["average_voltage_V"].as_f64().unwrap();
    assert!((voltage - 3.4217).abs() < 3e-4, "{voltage}");
    let stored = run(&["voltage", &data, "--where", model]);
    assert!((voltage - stored["average_voltage_V"].as_f64().unwrap()).abs() < 2e-5, "{voltage}");
}
