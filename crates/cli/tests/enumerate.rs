//! `scalade enumerate` from outside: counts, files, interruption, refusals.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail with it")]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scalade"));
    command.arg("enumerate").args(arguments).stdin(Stdio::null());
    command
}

fn enumerate(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn document(arguments: &[&str]) -> Value {
    let done = enumerate(&[arguments, &["--json"]].concat());
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// Exit code 2 and a message with every one of `words`.
fn refused(arguments: &[&str], words: &[&str]) {
    let done = enumerate(arguments);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(2), "{arguments:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?} does not say {word:?}:\n{said}");
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("enumerate").tempdir().unwrap()
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

const ROCK_SALT: &str = "LiO\n4.2\n0 0.5 0.5\n0.5 0 0.5\n0.5 0.5 0\nLi O\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n";
const CONVENTIONAL: &str = "Li\n1.0\n3.44 0 0\n0 3.44 0\n0 0 3.44\nLi\n2\nDirect\n0 0 0\n0.5 0.5 0.5\n";

#[test]
fn l11_fcc_binary_counts_of_the_command() {
    let found = document(&["--lattice", "fcc", "--max-size", "10"]);
    assert_eq!(found["counts"], serde_json::json!([2, 2, 6, 19, 28, 80, 104, 390, 504, 1211]));
    assert_eq!(found["superlattices"], serde_json::json!([1, 2, 3, 7, 5, 10, 7, 20, 14, 18]));
    assert_eq!(found["sizes"], serde_json::json!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]));
    assert_eq!((&found["lattice"], &found["total"]), (&"fcc".into(), &2346.into()));
    assert_eq!(found["species"], serde_json::json!(["A", "B"]));
    assert!(!found.to_string().contains("time"));
    let table = enumerate(&["--lattice", "fcc", "--min-size", "9", "--max-size", "10"]);
    let text = String::from_utf8(table.stdout).unwrap();
    assert!(text.contains("    9             14                  504\n"), "{text}");
    assert!(text.contains("1715"), "{text}");
}

#[test]
fn concentrations_counts_and_many_species() {
    let half = document(&["--lattice", "fcc", "--max-size", "4", "--concentration", "A=1/2"]);
    // Of the 19 of size 4, A3B and AB3 have one for each of the 7 superlattices.
    assert_eq!(half["counts"], serde_json::json!([0, 2, 0, 19 - 2 * 7]));
    let open = document(&["--lattice", "fcc", "--max-size", "4", "--concentration", "A=0.25.."]);
    let closed = document(&["--lattice", "fcc", "--max-size", "4", "--concentration", "A=0.25..1"]);
    assert_eq!(open["counts"], closed["counts"]);
    let one = document(&["--lattice", "fcc", "--species", "Li,Vac", "--max-size", "8", "--count", "Vac=1"]);
    assert_eq!(one["counts"], one["superlattices"]);
    let eight = document(&["--lattice", "chain", "--species", "A,B,C,D,E,F,G,H", "--max-size", "2"]);
    assert_eq!(eight["counts"], serde_json::json!([8, 28]));
    // Beyond 64 bits a count is a text: 2^100 / 200 and more.
    let large = document(&["--lattice", "chain", "--min-size", "100", "--max-size", "100"]);
    assert!(large["counts"][0].as_str().is_some_and(|t| t.len() > 25), "{large}");
}

#[test]
fn structures_are_written_without_their_vacancies() {
    let folder = folder();
    let parent = write(folder.path(), "parent.vasp", ROCK_SALT);
    let out = folder.path().join("out.extxyz");
    let arguments =
        ["--structure", &parent, "--sites", "Li=Li,Vac", "--max-size", "3", "--out", out.to_str().unwrap()];
    let found = document(&arguments);
    // The lithium sites of rock salt are an fcc lattice.
    assert_eq!(found["counts"], serde_json::json!([2, 2, 6]));
    assert_eq!((&found["written"], &found["without_atoms"]), (&10.into(), &0.into()));
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(!text.contains("Vac"));
    assert_eq!(text.matches("Lattice=").count(), 10);
    // Oxygen on every oxygen site: 1 + 1 + 2 + 2 + 6 * 3; half of the lithium sites hold lithium.
    assert_eq!((text.matches("\nO ").count(), text.matches("\nLi ").count()), (24, 12));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    // A cell of nothing but vacancies is counted and left out.
    let named = folder.path().join("named.extxyz");
    let arguments =
        ["--lattice", "sc", "--species", "Li,Vac", "--max-size", "2", "--out", named.to_str().unwrap()];
    let found = document(&arguments);
    assert_eq!(found["without_atoms"], 1);
    assert_eq!(found["written"].as_u64().unwrap() + 1, found["total"].as_u64().unwrap());
}

#[test]
fn structures_in_every_format_give_the_same_counts() {
    let folder = folder();
    let poscar = write(folder.path(), "POSCAR", ROCK_SALT);
    for name in ["parent.extxyz", "parent.json"] {
        let target = folder.path().join(name);
        let path = target.to_str().unwrap();
        let convert =
            Command::new(env!("CARGO_BIN_EXE_scalade")).args(["convert", &poscar, path]).output().unwrap();
        assert!(convert.status.success());
        let found = document(&["--structure", path, "--sites", "Li=Li,Vac", "--max-size", "4"]);
        assert_eq!(found["counts"], serde_json::json!([2, 2, 6, 19]), "{name}");
    }
}

#[test]
fn a_structure_that_is_not_primitive_is_refused_unless_told() {
    let folder = folder();
    let parent = write(folder.path(), "bcc.vasp", CONVENTIONAL);
    let arguments = ["--structure", &parent, "--sites", "Li=Li,Vac", "--max-size", "4"];
    refused(&arguments, &["bcc.vasp", "2 primitive cells", "--primitive"]);
    let found = document(&[&arguments[..], &["--primitive"]].concat());
    let bcc = document(&["--lattice", "bcc", "--max-size", "4"]);
    assert_eq!(found["counts"], bcc["counts"]);
}

#[test]
fn mistakes_are_told_with_a_way_out() {
    let folder = folder();
    let parent = write(folder.path(), "parent.vasp", ROCK_SALT);
    let empty = write(folder.path(), "empty.extxyz", "");
    let fcc = |more: &[&str], words: &[&str]| refused(&[&["--lattice", "fcc"], more].concat(), words);
    refused(&["--max-size", "2"], &["--lattice", "--structure"]);
    refused(&["--lattice", "fcc", "--structure", &parent, "--max-size", "2"], &["either"]);
    refused(&["--lattice", "fc", "--max-size", "2"], &["did you mean", "fcc", "honeycomb"]);
    refused(&["--lattice", "hexagon", "--max-size", "2"], &["triangular"]);
    fcc(&[], &["--max-size"]);
    fcc(&["--max-size", "0"], &["size 0", "1 to 1000"]);
    fcc(&["--max-size", "-3"], &["-3"]);
    fcc(&["--max-size", "1001"], &["1001"]);
    fcc(&["--max-size", "18446744073709551615"], &["1 to 1000"]);
    fcc(&["--max-size", "400"], &["smaller sizes"]);
    fcc(&["--min-size", "5", "--max-size", "4"], &["swap"]);
    fcc(&["--max-size", "4", "--species", "A"], &["2 to 8"]);
    fcc(&["--max-size", "4", "--species", "A,B,C,D,E,F,G,H,I"], &["9 species"]);
    fcc(&["--max-size", "4", "--species", "A,A"], &["twice"]);
    fcc(&["--max-size", "4", "--species", "A,,B"], &["no species"]);
    fcc(&["--max-size", "4", "--concentration", "A"], &["A=0.25..0.5"]);
    fcc(&["--max-size", "4", "--concentration", "A=1.5"], &["between 0 and 1"]);
    fcc(&["--max-size", "4", "--concentration", "A=-0.5"], &["no fraction"]);
    fcc(&["--max-size", "4", "--concentration", "A=nan"], &["no fraction"]);
    fcc(&["--max-size", "4", "--concentration", "A=1/0"], &["no fraction"]);
    fcc(&["--max-size", "4", "--concentration", "A=0.5..0.25"], &["swap"]);
    fcc(&["--max-size", "4", "--concentration", "C=0.5"], &["C", "A, B"]);
    fcc(&["--max-size", "4", "--count", "A=1.5"], &["whole number"]);
    fcc(&["--max-size", "4", "--count", "A=3..1"], &["swap"]);
    fcc(&["--max-size", "4", "--sites", "A=A,B"], &["--species"]);
    fcc(&["--max-size", "4", "--resume"], &["--out"]);
    fcc(&["--max-size", "4", "--out", "somewhere.cif"], &[".extxyz"]);
    fcc(&["--max-size", "4", "--out", "no/such/folder/x.extxyz"], &["no/such/folder", "--out"]);
    let structure = |path: &str, more: &[&str], words: &[&str]| {
        refused(&[&["--structure", path, "--max-size", "2"], more].concat(), words);
    };
    structure(&empty, &["--sites", "Li=Li,Vac"], &["empty.extxyz", "empty"]);
    structure("nowhere.vasp", &["--sites", "Li=Li,Vac"], &["nowhere.vasp"]);
    structure("parent.docx", &["--sites", "Li=Li,Vac"], &["extxyz"]);
    structure(&parent, &[], &["--sites"]);
    structure(&parent, &["--sites", "Na=Na,Vac"], &["holds no Na", "Li"]);
    structure(&parent, &["--sites", "Li=Li"], &["more than one species"]);
    structure(&parent, &["--sites", "Li=Li,Li"], &["twice"]);
    structure(&parent, &["--sites", "Li"], &["Li=Li,Vac"]);
    structure(&parent, &["--sites", "Li=Li,Vac", "--sites", "Li=Li,Na"], &["twice"]);
    structure(&parent, &["--sites", "Li=Li,Vac", "--species", "A,B"], &["--sites"]);
    structure(&parent, &["--sites", "Li=Li,Vac", "--tolerance", "1 eV"], &["--tolerance"]);
    structure(&parent, &["--sites", "Li=Li,Vac", "--tolerance", "-1 angstrom"], &["positive"]);
}

#[test]
fn too_many_structures_are_not_written() {
    let folder = folder();
    let out = folder.path().join("out.extxyz");
    let path = out.to_str().unwrap();
    refused(
        &["--lattice", "fcc", "--max-size", "8", "--limit", "600", "--out", path],
        &["631", "600", "--limit"],
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(
        document(&["--lattice", "fcc", "--max-size", "8", "--limit", "631", "--out", path])["written"],
        631
    );
    // Without a file the limit does not matter.
    assert_eq!(document(&["--lattice", "fcc", "--max-size", "8", "--limit", "1"])["total"], 631);
}

/// Starts a run, kills it once its cursor is on disk, and says whether it was still at work.
fn killed(arguments: &[&str], cursor: &Path, pause: Duration) -> bool {
    let mut child = command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !cursor.exists() && child.try_wait().unwrap().is_none() {
        assert!(start.elapsed().as_secs() < 60);
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(pause);
    // SIGKILL on Unix: the process has no say.
    let running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    running
}

#[test]
fn a_killed_run_resumes_to_the_same_bytes() {
    let folder = folder();
    let (whole, out) = (folder.path().join("whole.extxyz"), folder.path().join("out.extxyz"));
    let cursor = folder.path().join("out.extxyz.cursor");
    let base = ["--lattice", "fcc", "--max-size", "13"];
    let undisturbed = document(&[&base[..], &["--out", whole.to_str().unwrap()]].concat());
    let first = [&base[..], &["--out", out.to_str().unwrap()]].concat();
    let again = [&first[..], &["--resume"]].concat();
    let mut cut = 0;
    cut += u32::from(killed(&first, &cursor, Duration::from_millis(3)));
    assert!(!out.exists() || cut == 0, "the file appears only when it is whole");
    for pause in [0, 5, 11] {
        if cut > 0 && cursor.exists() {
            cut += u32::from(killed(&again, &cursor, Duration::from_millis(pause)));
        }
    }
    assert!(cut > 0, "no run was cut");
    // Bytes that no cursor counts are dropped.
    let partial = folder.path().join("out.extxyz.partial");
    if partial.exists() {
        let mut bytes = std::fs::read(&partial).unwrap();
        bytes.extend_from_slice(b"half a fra");
        std::fs::write(&partial, bytes).unwrap();
        // Another request does not take the cursor.
        let other = ["--lattice", "fcc", "--max-size", "12", "--out", out.to_str().unwrap(), "--resume"];
        refused(&other, &["another request"]);
    }
    let resumed = document(&again);
    for key in ["counts", "total", "written", "without_atoms"] {
        assert_eq!(resumed[key], undisturbed[key], "{key}");
    }
    assert!(std::fs::read(&whole).unwrap() == std::fs::read(&out).unwrap());
    assert!(!partial.exists() && !cursor.exists());
}

#[test]
fn cursors_that_were_tampered_with_are_refused() {
    let folder = folder();
    let out = folder.path().join("out.extxyz");
    let cursor = folder.path().join("out.extxyz.cursor");
    let base = ["--lattice", "fcc", "--max-size", "13", "--out", out.to_str().unwrap()];
    assert!(killed(&base, &cursor, Duration::ZERO));
    let good = std::fs::read_to_string(&cursor).unwrap();
    let again = [&base[..], &["--resume"]].concat();
    let with = |text: &str, words: &[&str]| {
        std::fs::write(&cursor, text).unwrap();
        refused(&again, words);
    };
    with("{", &["no cursor", "without --resume"]);
    with("", &["out.extxyz.cursor"]);
    with(&good.replace("\"version\": 1", "\"version\": 7"), &["version"]);
    let mut document: Value = serde_json::from_str(&good).unwrap();
    document["cursor"]["superlattice"] = 1_000_000.into();
    with(&document.to_string(), &["no place"]);
    let mut document: Value = serde_json::from_str(&good).unwrap();
    document["progress"]["bytes"] = u64::MAX.into();
    with(&document.to_string(), &["without --resume"]);
    // Without --resume the run starts again.
    std::fs::write(&cursor, "{").unwrap();
    assert!(enumerate(&base).status.success());
    assert!(out.exists() && !cursor.exists());
}
