//! The real binary, from outside: what its commands print, how it refuses, what it leaves on disk.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data").join(path)
}

fn scalade(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_scalade")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn document(arguments: &[&str]) -> Value {
    let done = scalade(arguments);
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// Exit code 2 and a message with every one of `words`.
fn refused(arguments: &[&str], words: &[&str]) {
    let done = scalade(arguments);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(2), "{arguments:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?} does not say {word:?}:\n{said}");
    }
}

fn folder(name: &str) -> tempfile::TempDir {
    tempfile::Builder::new().prefix(name).tempdir().unwrap()
}

fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn voltage_of_the_bundled_orderings() {
    let frames = data("licoo2/orderings.extxyz");
    let found = document(&[
        "voltage",
        frames.to_str().unwrap(),
        "--working-ion",
        "Li",
        "--reference-energy",
        "-2.0623168473947775 eV",
        "--json",
    ]);
    assert!((found["average_voltage_V"].as_f64().unwrap() - 3.797).abs() < 1e-3);
    let steps = found["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 9);
    let expected = [4.042, 3.964, 3.907, 3.816, 3.751, 3.7125, 3.655, 3.575, 3.563];
    for (step, want) in steps.iter().zip(expected) {
        assert!((step["voltage_V"].as_f64().unwrap() - want).abs() < 6e-4, "{step}");
    }
    // The same reference in another unit is the same reference.
    let joule = document(&[
        "voltage",
        frames.to_str().unwrap(),
        "--reference-energy",
        "-2062.3168473947775 meV",
        "--json",
    ]);
    assert_eq!(joule["average_voltage_V"], found["average_voltage_V"]);
}

#[test]
fn cells_agree_with_their_spectral_solutions() {
    for (set, voltages, capacity) in [
        ("marquis2019", [3.749_774, 3.720_785], 0.683_972_27),
        ("chen2020", [3.943_921, 3.897_456], 4.937_780),
    ] {
        let arguments = ["cell", "--parameters", set, "--rate", "1C", "--times", "60 s,300 s", "--json"];
        let found = document(&arguments);
        assert_eq!(found["time_s"], serde_json::json!([60.0, 300.0]));
        for (got, want) in found["voltage_V"].as_array().unwrap().iter().zip(voltages) {
            assert!((got.as_f64().unwrap() - want).abs() < 1e-4, "{set}: {got} against {want}");
        }
        assert!((found["capacity_Ah"].as_f64().unwrap() - capacity).abs() < 1e-5, "{set}: {found}");
        assert!(found["end_reason"].as_str().unwrap().contains("cut-off"));
        assert!(
            found["end_time_s"].as_f64().unwrap() > 3500.0 && found["solve_time_s"].as_f64().unwrap() > 0.0
        );
    }
}

#[test]
fn mistakes_on_the_command_line_are_told_with_a_way_out() {
    refused(&[], &["Usage"]);
    refused(&["voltag"], &["voltage"]);
    refused(&["cell", "--parameters", "marquis2018"], &["marquis2019", "chen2020"]);
    refused(&["cell", "--parameters", "marquis2019", "--rate", "fast"], &["1C"]);
    refused(&["cell", "--parameters", "marquis2019", "--times", "60 V"], &["time", "a voltage"]);
    refused(&["cell", "--parameters", "prada2013", "--thermal"], &["thermal data"]);
    refused(&["voltage", "nowhere.extxyz", "--reference-energy", "-1.9 eV"], &["nowhere.extxyz"]);
    let frames = data("licoo2/orderings.extxyz");
    refused(&["voltage", frames.to_str().unwrap(), "--reference-energy", "-1.9"], &["energy", "eV"]);
    refused(&["check", "nowhere.toml"], &["nowhere.toml"]);
    refused(&["new", "somewhere", "--from", "licoo"], &["licoo2"]);
}

#[test]
fn bad_frames_are_refused_with_their_place() {
    let folder = folder("frames");
    let good = std::fs::read_to_string(data("licoo2/orderings.extxyz")).unwrap();
    let voltage = |path: &str, words: &[&str]| {
        refused(&["voltage", path, "--reference-energy", "-1.9 eV"], words);
    };
    voltage(&write(&folder, "empty.extxyz", ""), &["empty.extxyz", "empty"]);
    // The second frame loses its energy.
    let second = good.find("id=lco-001").unwrap();
    let missing = format!("{}{}", &good[..second], good[second..].replacen(" energy=", " energie=", 1));
    voltage(&write(&folder, "missing.extxyz", &missing), &["frame 2", "lco-001", "energy"]);
    let nan = format!("{}{}", &good[..second], good[second..].replacen(" energy=-", " energy=nan x=-", 1));
    voltage(&write(&folder, "nan.extxyz", &nan), &["frame 2"]);
    let short = &good[..good.len() / 2];
    voltage(&write(&folder, "short.extxyz", short), &["short.extxyz", "line"]);
    let poscar =
        "LiCoO2\n1.0\n2.8 0 0\n0 2.8 0\n0 0 14\nLi Co O\n1 1 2\nDirect\n0 0 0\n0 0 0.5\n0 0 0.2\n0 0 0.8\n";
    voltage(&write(&folder, "structure.extxyz", poscar), &["POSCAR"]);
    voltage(&write(&folder, "toml.extxyz", "[study]\nname = \"x\"\n"), &["toml.extxyz", "not extended XYZ"]);
}

#[test]
fn frames_with_one_name_and_without_a_lattice_have_voltages() {
    // Compositions and energies are all that a voltage takes.
    let folder = folder("names");
    let text = "3\nname=a Properties=species:S:1:pos:R:3 energy=-17.181656\nCo 0 0 0\nO 1 0 0\nO 2 0 0\n4\nname=a Properties=species:S:1:pos:R:3 energy=-22.462356\nLi 0 0 0\nCo 0 0 1\nO 1 0 0\nO 2 0 0\n";
    let path = write(&folder, "two.extxyz", text);
    let found = document(&["voltage", &path, "--reference-energy", "-1.9043 eV", "--json"]);
    assert!((found["average_voltage_V"].as_f64().unwrap() - 3.3764).abs() < 1e-6, "{found}");
    assert_eq!(found["steps"].as_array().unwrap().len(), 1);
}

#[test]
fn a_structure_off_the_lattice_is_refused_with_its_frame() {
    let folder = folder("lattice");
    let good = std::fs::read_to_string(data("licoo2/orderings.extxyz")).unwrap();
    // The cobalt of the first frame with two formula units moves by more than an angstrom.
    let third = good.find("id=lco-002").unwrap();
    let atom = third + good[third..].find("\nCo").unwrap() + 1;
    let end = atom + good[atom..].find('\n').unwrap();
    let fields: Vec<&str> = good[atom..end].split_whitespace().collect();
    let moved = format!("Co 9.1 8.3 {} {}", fields[3], fields[4..].join(" "));
    let bad = format!("{}{moved}{}", &good[..atom], &good[end..]);
    let path = write(&folder, "moved.extxyz", &bad);
    refused(&["expand", &path], &["lco-002", "frame 3", "max_excluded"]);
    let fitted = document(&["expand", &path, "--max-excluded", "1", "--json"]);
    assert_eq!(fitted["structures"], 137);
    assert_eq!(fitted["excluded"][0]["frame"], 3);
    assert_eq!(fitted["excluded"][0]["id"], "lco-002-n2-li1");
}

#[test]
fn bad_barriers_are_refused_with_their_line() {
    let folder = folder("barriers");
    let frames = data("licoo2/orderings.extxyz");
    let good = std::fs::read_to_string(data("licoo2/barriers.csv")).unwrap();
    let negative = write(&folder, "negative.csv", &good.replacen("0.2165,0.2209", "-0.2165,0.2209", 1));
    refused(&["hop", frames.to_str().unwrap(), "--barriers", &negative], &["h02", "line 3", "-0.2165"]);
    let empty = write(&folder, "none.csv", "");
    refused(&["hop", frames.to_str().unwrap(), "--barriers", &empty], &["none.csv"]);
}

#[test]
fn studies_are_refused_with_a_caret() {
    let folder = folder("study");
    let study = |text: &str| write(&folder, "study.toml", text);
    let head = "[study]\nname = \"s\"\n[steps.cell]\nkind = \"cell\"\n";
    refused(&["check", &study("[study\nname = 1")], &["study.toml:1", "^"]);
    refused(
        &["check", &study(&format!("{head}parameters = \"marquis2019\"\nrat = 1.0\n"))],
        &["rat", "rate", "^"],
    );
    let wrong_unit = format!("{head}parameters = \"marquis2019\"\npositive_particle_radius = \"10 V\"\n");
    refused(&["run", &study(&wrong_unit)], &["a voltage (V)", "a length (m)", "^"]);
    let bare = format!("{head}parameters = \"marquis2019\"\npositive_particle_radius = 1e-5\n");
    refused(&["run", &study(&bare)], &["um", "^"]);
    let broken = format!("{head}parameters = \"marquis2019\"\npositive_voltage = \"@thermo.voltage\"\n");
    refused(&["run", &study(&broken)], &["thermo", "^"]);
    assert!(!folder.path().join("result.json").exists());
}

#[test]
fn a_study_runs_is_cached_and_runs_again_only_where_it_changed() {
    let folder = folder("cached");
    let target = folder.path().join("mycell");
    let made = scalade(&["new", target.to_str().unwrap(), "--from", "cell"]);
    assert!(made.status.success());
    refused(&["new", target.to_str().unwrap(), "--from", "cell"], &["exists"]);
    let study = target.join("study.toml");
    let path = study.to_str().unwrap();
    let plan = document(&["plan", path, "--json"]);
    assert_eq!(plan["steps"][0]["cached"], false);
    refused(&["why", path, "cell.capacity"], &["run"]);
    let first = document(&["run", path, "--json"]);
    assert!(target.join("report.html").exists());
    let again = document(&["run", path, "--json"]);
    assert_eq!(first, again);
    assert_eq!(document(&["plan", path, "--json"])["steps"][0]["cached"], true);
    // The same quantity in another unit is no change; another value is.
    let text = std::fs::read_to_string(&study).unwrap();
    std::fs::write(&study, format!("{text}positive_particle_radius = \"10 um\"\n")).unwrap();
    let named = document(&["run", path, "--json"]);
    std::fs::write(&study, format!("{text}positive_particle_radius = \"1e-5 m\"\n")).unwrap();
    assert_eq!(document(&["plan", path, "--json"])["steps"][0]["cached"], true);
    assert_eq!(named["headline"], first["headline"]);
    std::fs::write(&study, format!("{text}positive_particle_radius = \"5 um\"\n")).unwrap();
    let changed = document(&["run", path, "--json"]);
    assert_ne!(changed["result_hash"], first["result_hash"]);
    let why = document(&["why", path, "cell.capacity", "--json"]);
    assert!(why.to_string().contains("positive_particle_radius"), "{why}");
    refused(&["why", path, "cell.capacitee"], &["capacity"]);
}

#[test]
fn files_convert_there_and_back() {
    let folder = folder("convert");
    let frames = data("licoo2/orderings.extxyz");
    let poscar = folder.path().join("one.vasp");
    let back = folder.path().join("back.extxyz");
    let convert = |from: &Path, to: &Path, frame: &str| {
        let mut arguments = vec!["convert", from.to_str().unwrap(), to.to_str().unwrap()];
        if !frame.is_empty() {
            arguments.extend(["--frame", frame]);
        }
        let done = scalade(&arguments);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    convert(&frames, &poscar, "3");
    convert(&poscar, &back, "");
    let text = std::fs::read_to_string(&back).unwrap();
    assert_eq!(text.lines().next(), Some("7"));
    refused(
        &["convert", frames.to_str().unwrap(), folder.path().join("many.vasp").to_str().unwrap()],
        &["138"],
    );
    refused(
        &["convert", frames.to_str().unwrap(), folder.path().join("x.docx").to_str().unwrap()],
        &["extxyz"],
    );
}

#[test]
fn the_committed_schema_is_the_programs() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/study.schema.json");
    let printed = document(&["schema", "--json"]);
    if std::env::var_os("SCALADE_UPDATE_SCHEMA").is_some() {
        std::fs::write(&committed, serde_json::to_string_pretty(&printed).unwrap() + "\n").unwrap();
    }
    let kept: Value = serde_json::from_slice(&std::fs::read(&committed).unwrap()).unwrap();
    assert!(kept == printed, "docs/study.schema.json is old: run the test with SCALADE_UPDATE_SCHEMA=1");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_scalade"))
        .args(["schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert!(!String::from_utf8_lossy(&done.stderr).contains("panicked"));
    assert_eq!(done.status.code(), Some(0));
}

#[test]
fn the_selftest_passes() {
    let found = document(&["selftest", "--json"]);
    assert!(found["checks"].as_array().unwrap().len() >= 10);
}
