//! `scalade hop MODEL.toml --checkpoint FILE` from outside: runs that are killed go on to the same result; files that do not fit are refused.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use common::{document, refused};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn place(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    path
}

fn model(name: &str, error: &str, engine: &str) -> String {
    let path = place(name);
    let text = format!(
        "[lattice]\nname = \"square\"\nsize = [16, 16]\n[energy]\nbasis = \"occupation\"\npairs = [0.8]\nunit = \"kT\"\n[hops]\nrate = 1.0\n[state]\nconcentration = 0.4\n[run]\nstandard_error = {error}\nseed = 3\nengine = \"{engine}\"\n"
    );
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

/// The document without what depends on the machine.
fn lasting(mut document: Value) -> Value {
    let map = document.as_object_mut().unwrap();
    for key in ["events_per_cpu_second", "cpu_time_s"] {
        assert!(map.remove(key).is_some(), "{key}");
    }
    document
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scalade"));
    command.args(args).arg("--json").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs until done or killed; the document if done, and what was said.
fn run_for(args: &[&str], time: Duration) -> (Option<Value>, String) {
    let mut child = command(args).spawn().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() && start.elapsed() < time {
        std::thread::sleep(Duration::from_millis(5));
    }
    // SIGKILL: nothing can be tidied up. To a child that has ended it does nothing.
    let _ = child.kill();
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let document = done.status.success().then(|| serde_json::from_slice(&done.stdout).unwrap());
    (document, said)
}

/// A run that is killed at many moments, with one thread and several, while replicas settle and while they are measured: it ends with the bits of one that is not.
fn killed(file: &str, name: &str) {
    let start = Instant::now();
    let whole = lasting(document(&["hop", file]));
    let alone = start.elapsed();
    let path = place(&format!("killed_{name}.checkpoint"));
    let kept = path.to_string_lossy().into_owned();
    let (mut kills, mut continued) = (0, 0);
    let found = loop {
        let jobs = ["1", "2", "3"][kills % 3];
        let args = ["hop", file, "--checkpoint", &kept, "-j", jobs];
        // Shares of the time that the run takes, on this machine and beside whatever else it does: longer and longer, so that it ends.
        let share = [0.1, 0.33, 0.2, 0.5][kills % 4] + 0.1 * kills as f64;
        let (done, said) = run_for(&args, alone.mul_f64(share));
        continued += usize::from(said.contains("goes on from a checkpoint"));
        if let Some(document) = done {
            break lasting(document);
        }
        assert!(!said.contains("error"), "{said}");
        kills += 1;
    };
    assert!(kills > 0 && continued > 0, "{name}: {kills} kills, {continued} continued");
    assert_eq!(found, whole, "{name}: {kills} kills");
    // The file stays: the same result at once, and a smaller error from there.
    let again = command(&["hop", file, "--checkpoint", &kept]).output().unwrap();
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains(&format!("{} hops", whole["events"])), "{said}");
    assert_eq!(lasting(serde_json::from_slice(&again.stdout).unwrap()), whole);
}

#[test]
fn killed_runs_go_on_to_the_same_bits() {
    for engine in ["rejection", "composition-rejection", "tree"] {
        killed(&model(&format!("killed_{engine}.toml"), "1e-2", engine), engine);
    }
}

/// A hop of one species along the edges of a simple cubic lattice of constant 2 angstrom, with an activation that depends on the two sites in line with it.
fn edge_hop(species: &[&str], ion: usize) -> Value {
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
    let site = |x: i32| json!({ "cell": [x, 0, 0], "basis": 0 });
    let change =
        |x: i32, before: usize, after: usize| json!({ "site": site(x), "before": before, "after": after });
    let functions: Vec<Vec<f64>> = (1..species.len())
        .map(|f| (0..species.len()).map(|s| f64::from(u8::from(s == f))).collect())
        .collect();
    let term = |x: i32| vec![json!({ "site": site(x), "function": 1 })];
    json!({
        "lattice_angstrom": [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]],
        "sites": [{ "fractional": [0.0, 0.0, 0.0], "species": species, "functions": functions }],
        "operations": operations, "tolerance_angstrom": 1e-3,
        "event": [change(0, ion, 0), change(1, 0, ion)],
        "parity": "even",
        "orbits": [{ "order": 1, "diameter_angstrom": 0.0, "terms": [term(-1), term(2)] }],
        "coefficients_ev": [0.3, 0.02],
        "samples_ev": [],
    })
}

/// The file of a model whose hops have activations from files beside it.
fn with_activations(name: &str, species: &[&str], state: &str, error: &str) -> String {
    let mut files = Vec::new();
    for ion in 1..species.len() {
        let file = format!("{name}_{}.json", species[ion]);
        std::fs::write(place(&file), edge_hop(species, ion).to_string()).unwrap();
        files.push(format!("{file:?}"));
    }
    let path = place(&format!("{name}.toml"));
    let text = format!(
        "[lattice]\nsize = [6, 6, 6]\n[hops]\nkra = [{}]\nattempt_frequency = 1e13\n[state]\n{state}\n[run]\ntemperature = 300\nstandard_error = {error}\nseed = 3\n",
        files.join(", ")
    );
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn killed_runs_of_local_expansions_go_on_to_the_same_bits() {
    let file = with_activations("one_ion", &["Vac", "Li"], "concentration = 0.4", "1e-2");
    killed(&file, "one_ion");
    let kept = place("one_ion_other.checkpoint").to_string_lossy().into_owned();
    let refusal = ["master equation", "--checkpoint"];
    refused(&["hop", &file, "--exact", "--checkpoint", &kept], &["--exact", "--checkpoint"]);
    let exact = place("one_ion_exact.toml");
    std::fs::write(&exact, std::fs::read_to_string(&file).unwrap().replace("[run]", "[run]\nexact = true"))
        .unwrap();
    refused(&["hop", &exact.to_string_lossy(), "--checkpoint", &kept], &refusal);
}

#[test]
fn killed_runs_of_two_species_go_on_to_the_same_bits() {
    let state = "composition = { Li = 0.3, Na = 0.3 }";
    let file = with_activations("two_species", &["Vac", "Li", "Na"], state, "2e-2");
    killed(&file, "two_species");
    let kept = place("killed_one.checkpoint").to_string_lossy().into_owned();
    let one = with_activations("one_of_two", &["Vac", "Li"], "concentration = 0.4", "0.1");
    document(&["hop", &one, "--checkpoint", &kept]);
    refused(
        &["hop", &file, "--checkpoint", &kept],
        &["another model", "an expansion with one ion there, of several species here"],
    );
}

#[test]
fn a_finished_run_goes_on_to_a_smaller_error() {
    let file = model("finer.toml", "3e-2", "rejection");
    let kept = place("finer.checkpoint").to_string_lossy().into_owned();
    let coarse = document(&["hop", &file, "--checkpoint", &kept]);
    let file = model("finer.toml", "1e-2", "rejection");
    let fine = document(&["hop", &file, "--checkpoint", &kept]);
    let [first, second] = [&coarse, &fine].map(|d| d["events"].as_u64().unwrap());
    assert!(second > first, "{first} {second}");
    let error = |d: &Value| d["correlation_factor"]["std_error"].as_f64().unwrap();
    assert!(error(&fine) <= 1e-2 && error(&fine) < error(&coarse));
    assert_eq!(fine["converged"], true);
}

#[test]
fn files_that_do_not_fit_are_refused_and_kept() {
    let file = model("refused.toml", "5e-2", "rejection");
    let path = place("refused.checkpoint");
    let kept = path.to_string_lossy().into_owned();
    document(&["hop", &file, "--checkpoint", &kept]);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 3]).unwrap();
    refused(&["hop", &file, "--checkpoint", &kept], &["refused.checkpoint", "damaged", "remove it"]);
    assert_eq!(std::fs::read(&path).unwrap(), &whole[..whole.len() / 3]);
    refused(&["hop", &file, "--checkpoint", &file], &["refused.toml", "is no checkpoint"]);
    std::fs::write(&path, &whole).unwrap();
    let other = place("other.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    for (from, to, words) in [
        ("[0.8]", "[0.9]", ["another model", "energies"]),
        ("seed = 3", "seed = 4", ["another model", "seed 3 there, 4 here"]),
        ("= 0.4", "= 0.3", ["another model", "ions 102 there, 77 here"]),
        ("\"rejection\"", "\"tree\"", ["another model", "engine"]),
    ] {
        std::fs::write(&other, text.replace(from, to)).unwrap();
        refused(&["hop", &other.to_string_lossy(), "--checkpoint", &kept], &words);
    }
    assert_eq!(std::fs::read(&path).unwrap(), whole);
    let nowhere = format!("{kept}/no/file");
    refused(&["hop", &file, "--checkpoint", &nowhere], &["checkpoint", "cannot be"]);
    refused(&["hop", &file, "--exact", "--checkpoint", &kept], &["--exact", "--checkpoint"]);
    refused(&["hop", "frames.extxyz", "--checkpoint", &kept], &["--checkpoint", ".toml"]);
    std::fs::write(&other, text.replace("[run]", "[run]\nexact = true")).unwrap();
    refused(&["hop", &other.to_string_lossy(), "--checkpoint", &kept], &["master equation", "--checkpoint"]);
}
