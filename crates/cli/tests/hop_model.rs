//! `scalade hop MODEL.toml` from outside: the format, exact values, errors, and what is refused.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use common::{document, refused};
use serde_json::Value;
use std::process::Command;

fn written(name: &str, text: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

fn model(lattice: &str, size: &str, pairs: &str, state: &str, error: &str) -> String {
    format!(
        "[lattice]\nname = \"{lattice}\"\nsize = {size}\n[energy]\nbasis = \"occupation\"\npairs = {pairs}\nunit = \"kT\"\n[hops]\nrate = 1.0\n[state]\n{state}\n[run]\nstandard_error = {error}\nseed = 1\n"
    )
}

fn number(of: &Value) -> (f64, f64) {
    (of["value"].as_f64().unwrap(), of["std_error"].as_f64().unwrap())
}

/// Mean of the diagonal and its error.
fn isotropic(of: &Value) -> (f64, f64) {
    let rows = |key: &str| -> Vec<f64> {
        let list = of[key].as_array().unwrap();
        list.iter().enumerate().map(|(k, row)| row[k].as_f64().unwrap()).collect()
    };
    let (values, errors) = (rows("value"), rows("std_error"));
    let n = values.len() as f64;
    (values.iter().sum::<f64>() / n, errors.iter().map(|e| e * e).sum::<f64>().sqrt() / n)
}

/// Reference result I1 by a file as users write it, comments and all.
#[test]
fn i1_a_vacancy_in_a_bcc_crystal() {
    let text = r#"
[lattice]
name = "bcc"             # as for montecarlo
size = [16, 16, 16]      # conventional cells for sc bcc fcc diamond; primitive cells in 2-D
[energy]
basis = "occupation"
pairs = [0.0]            # per shell
unit = "kT"
[hops]
rate = 1.0               # attempt rate per direction
[state]
vacancies = 1            # or concentration = 0.5, or particles = 8
[run]
standard_error = 2e-3    # wanted on the tracer correlation factor or, relative, on the diffusivities
seed = 1
"#;
    let file = written("bcc.toml", text);
    let found = document(&["hop", &file]);
    assert_eq!((found["sites"].as_u64(), found["particles"].as_u64()), (Some(8192), Some(8191)));
    let (f, error) = number(&found["correlation_factor"]);
    assert!((f - 0.727_194_1).abs() < 4.0 * error && error <= 2e-3, "{f} {error}");
    let (jump, error) = isotropic(&found["jump"]);
    let exact = 8.0 / 6.0 / 8191.0;
    assert!((jump - exact).abs() < 4.0 * error + 1e-12 * exact, "{jump} {exact}");
    // theta = 1/(1 - c) = 8192: the chemical diffusivity is that of a free vacancy.
    let (chemical, _) = isotropic(&found["chemical"]);
    assert!((chemical - 8192.0 * jump).abs() < 1e-9 * chemical);
    let haven = number(&found["haven_ratio"]).0;
    assert!((haven - isotropic(&found["tracer"]).0 / jump).abs() < 1e-9);
    assert_eq!((&found["engine"], &found["converged"]), (&"rejection".into(), &true.into()));
    assert!(found["events_per_cpu_second"].as_f64().unwrap() > 1e4);
    let one = document(&["hop", &file, "-j", "1"]);
    for key in ["tracer", "jump", "correlation_factor", "events"] {
        assert_eq!(one[key], found[key], "{key}");
    }
}

/// Reference result I6: theta of the interacting chain, and the verdict of a single file (I7).
#[test]
fn i6_thermodynamic_factor_of_a_chain() {
    let cases =
        [("0.5", "1.0", 3.297_442_541_4), ("0.3", "1.0", 2.085_964_276_3), ("0.5", "-1.0", 1.213_061_319_4)];
    for (n, (concentration, coupling, theta)) in cases.into_iter().enumerate() {
        let state = format!("concentration = {concentration}");
        let text = model("chain", "[1000]", &format!("[{coupling}]"), &state, "4e-3");
        let found = document(&["hop", &written(&format!("chain{n}.toml"), &text)]);
        let (value, error) = number(&found["thermodynamic_factor"]);
        assert!((value - theta).abs() < 4.0 * error && error < 0.005 * theta, "{value} {error} {theta}");
        assert_eq!(found["tracer"]["verdict"], "sub_diffusive");
        assert_eq!(found["tracer"]["value"], serde_json::json!([[0.0]]));
        let exponent = found["tracer"]["exponent"]["value"].as_f64().unwrap();
        // On the way from 1, within the gap to the next ion, to 1/2.
        assert!((0.45..0.8).contains(&exponent), "{exponent}");
        assert_eq!(number(&found["correlation_factor"]).0, 0.0);
    }
}

/// Attraction above that at which the ions of a box separate: theta and the chemical diffusivity are negative, by sampling and from all states, and said so.
#[test]
fn ions_that_separate_go_uphill() {
    let file = written("separating.toml", &model("square", "[4, 4]", "[-2.0]", "particles = 8", "2e-2"));
    let (found, exact) = (document(&["hop", &file]), document(&["hop", &file, "--exact"]));
    let ((a, error), (b, _)) =
        (number(&found["thermodynamic_factor"]), number(&exact["thermodynamic_factor"]));
    assert!((a - b).abs() < 4.0 * error && b < -0.1, "{a} {error} {b}");
    for document in [&found, &exact] {
        assert!(isotropic(&document["chemical"]).0 < 0.0 && isotropic(&document["jump"]).0 > 0.0);
        for key in ["chemical", "thermodynamic_factor"] {
            assert_eq!(document[key]["verdict"], "spinodal", "{key}");
            assert!(document[key]["reason"].as_str().unwrap().contains("negative"), "{key}");
        }
    }
}

#[test]
fn i5_sampled_and_exact_boxes_agree() {
    let file = written("square.toml", &model("square", "[4, 4]", "[1.0]", "particles = 8", "2e-3"));
    let (found, exact) = (document(&["hop", &file]), document(&["hop", &file, "--exact"]));
    assert!((isotropic(&exact["jump"]).0 - 0.444_677_116_6).abs() < 1e-9);
    assert!((number(&exact["collective_correlation_factor"]).0 - 0.895_010_99).abs() < 1e-8);
    for key in ["tracer", "jump", "chemical"] {
        let ((a, error), (b, _)) = (isotropic(&found[key]), isotropic(&exact[key]));
        assert!((a - b).abs() < 4.0 * error && error < 5e-3 * b, "{key}: {a} {error} {b}");
    }
    for key in ["correlation_factor", "collective_correlation_factor", "haven_ratio", "thermodynamic_factor"]
    {
        let ((a, error), (b, _)) = (number(&found[key]), number(&exact[key]));
        assert!((a - b).abs() < 4.0 * error, "{key}: {a} {error} {b}");
    }
    assert_eq!(exact["engine"], "master equation");
    // Reference results I2, and energies in electronvolts at a temperature or as spins.
    let file = written("vacancy.toml", &model("square", "[4, 4]", "[0.0]", "vacancies = 1", "1e-2"));
    let exact = document(&["hop", &file, "--exact"]);
    assert!((number(&exact["correlation_factor"]).0 - 17.0 / 31.0).abs() < 1e-10);
    let kt = 8.617_333_262_145e-5 * 400.0;
    let text = model("square", "[4, 4]", &format!("[{}]", 0.25 * kt), "particles = 8", "1e-2")
        .replace("\"kT\"", "\"eV\"")
        .replace("occupation", "spin")
        .replace("[run]\n", "[run]\ntemperature = 400.0\nexact = true\n");
    let spins = document(&["hop", &written("spins.toml", &text)]);
    assert!((isotropic(&spins["jump"]).0 - 0.444_677_116_6).abs() < 1e-8);
}

#[test]
fn images_are_counted_by_vector_with_a_warning() {
    let file = written("narrow.toml", &model("square", "[2, 3]", "[1.0]", "particles = 3", "1e-2"));
    let exact = document(&["hop", &file, "--exact"]);
    assert!(exact["warnings"][0].as_str().unwrap().contains("by vector"));
    let found = document(&["hop", &file]);
    let at = |of: &Value, key: &str, k: usize| of["jump"][key][k][k].as_f64().unwrap();
    for k in 0..2 {
        let gap = at(&found, "value", k) - at(&exact, "value", k);
        assert!(gap.abs() < 4.0 * at(&found, "std_error", k), "{k}: {gap}");
    }
    // Short and long axis differ: a tensor, not a number.
    assert!(at(&exact, "value", 0) > 1.5 * at(&exact, "value", 1));
}

#[test]
fn runs_that_miss_their_error_keep_what_they_have() {
    let text = model("sc", "[8, 8, 8]", "[0.0]", "concentration = 0.5", "1e-3")
        .replace("[run]\n", "[run]\nmax_events = 300_000\n");
    let done = Command::new(env!("CARGO_BIN_EXE_scalade"))
        .args(["hop", &written("short.toml", &text), "--json"])
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&done.stderr).contains("max_events"));
    let kept: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(kept["converged"], false);
    assert!(kept["events"].as_u64().unwrap() > 0);
}

#[test]
fn what_is_wrong_is_named() {
    let good = model("square", "[4, 4]", "[1.0]", "particles = 8", "1e-2");
    let said = |text: &str, words: &[&str]| refused(&["hop", &written("wrong.toml", text)], words);
    said(&good.replace("square", "squar"), &["name", "square"]);
    said(&good.replace("[4, 4]", "[4, 4, 4]"), &["size", "2 dimensions"]);
    said(&good.replace("[4, 4]", "[4, 0]"), &["size[1]", "0"]);
    said(&good.replace("pairs = [1.0]", "pairs = 1.0"), &["pairs", "list"]);
    said(&good.replace("[1.0]", "[nan]"), &["pairs"]);
    said(&good.replace("[1.0]", "[1e3]"), &["pair energy", "100 kT"]);
    said(&good.replace("rate = 1.0", "rate = -1.0"), &["rate"]);
    said(&good.replace("rate = 1.0", ""), &["rate", "missing"]);
    said(&good.replace("particles = 8", "particles = 16"), &["Particles(16)", "16 sites"]);
    said(&good.replace("particles = 8", "vacancies = 17"), &["17"]);
    said(&good.replace("particles = 8", "particles = 8\nvacancies = 1"), &["one of them"]);
    said(&good.replace("particles = 8", ""), &["concentration, vacancies or particles"]);
    said(&good.replace("1e-2", "0"), &["standard_error"]);
    said(&good.replace("seed", "sed"), &["sed", "seed"]);
    said(&good.replace("\"kT\"", "\"eV\""), &["temperature", "missing"]);
    said(&good.replace("[hops]", "[hop]"), &["hop"]);
    said(&good.replace("[run]\n", "[run]\ntemperature = 300\n"), &["temperature", "eV"]);
    // Ions that stick together, with an engine that would wait for ever for one to leave.
    let stuck = good.replace("[1.0]", "[-30.0]").replace("[run]\n", "[run]\nengine = \"rejection\"\n");
    said(&stuck, &["too rare", "temperature"]);
    let large = model("sc", "[12, 12, 12]", "[0.0]", "concentration = 0.5", "1e-2");
    refused(&["hop", &written("large.toml", &large), "--exact"], &["states", "shrink the cell"]);
    let file = written("good.toml", &good);
    refused(&["hop", &file, &file], &["stands alone"]);
    refused(&["hop", &file, "--pair-cutoff", "3 angstrom"], &["--pair-cutoff", "does not belong"]);
    for flag in [["--composition", "0.3"], ["--temperature", "300 K"], ["--barriers", "b.csv"]] {
        refused(&["hop", &file, flag[0], flag[1]], &[flag[0], "does not belong"]);
    }
    refused(&["hop", "/nowhere.toml"], &["/nowhere.toml"]);
    refused(&["hop", "frames.extxyz"], &["--barriers"]);
    refused(&["hop", "frames.extxyz", "--exact"], &["--exact"]);
}

/// Engines by name give one law; the file chooses, else the acceptance.
#[test]
fn engines_can_be_chosen() {
    let text = model("square", "[4, 4]", "[1.0]", "particles = 8", "1e-2");
    for engine in ["rejection", "composition-rejection", "tree"] {
        let chosen = text.replace("[run]\n", &format!("[run]\nengine = \"{engine}\"\n"));
        let found = document(&["hop", &written(&format!("{engine}.toml"), &chosen)]);
        assert_eq!(found["engine"], engine);
        let (jump, error) = isotropic(&found["jump"]);
        assert!(
            (jump - 0.444_677_116_6).abs() < 4.0 * error && error < 0.01 * jump,
            "{engine}: {jump} {error}"
        );
        assert!(found["detailed_balance_error"].as_f64().unwrap() < 1e-12);
    }
    let file = written("wrong_engine.toml", &text.replace("[run]\n", "[run]\nengine = \"treee\"\n"));
    refused(&["hop", &file], &["engine", "treee", "did you mean \"tree\""]);
    // Repulsion so strong that trials at random hardly ever come to a hop.
    let file = written("strong.toml", &model("square", "[6, 6]", "[3.0]", "particles = 10", "5e-2"));
    let found = document(&["hop", &file]);
    assert_eq!((&found["engine"], &found["acceptance"]), (&"tree".into(), &1.0.into()));
    assert!(found["rejection_acceptance"].as_f64().unwrap() < 0.02);
}

/// One vacancy in the infinite crystal: the values of the books, without a box; the same keys as in a small box.
#[test]
fn i1_dilute_limit_of_named_lattices() {
    let pi = std::f64::consts::PI;
    for (lattice, exact, tolerance) in [
        ("chain", 0.0, 1e-12),
        ("square", 1.0 / (pi - 1.0), 1e-11),
        ("honeycomb", 1.0 / 3.0, 1e-11),
        ("diamond", 0.5, 1e-11),
        ("fcc", 0.781_451_42, 5e-9),
    ] {
        let text = format!("[lattice]\nname = \"{lattice}\"\n[hops]\nrate = 2.0\n");
        let found = document(&["hop", &written("dilute.toml", &text), "--dilute"]);
        let (f, error) = number(&found["correlation_factor"]);
        assert!((f - exact).abs() < tolerance && error < 1e-11, "{lattice}: {f} {error}");
        // D*/c_v = f D_v where a vacancy's own steps are uncorrelated.
        let (tracer, jump) = (isotropic(&found["tracer"]).0, isotropic(&found["jump"]).0);
        assert!((tracer - f * jump).abs() < 1e-12 && found["jump"] != found["tracer"], "{lattice}");
        assert_eq!(found["tracer"]["per"], "vacancy site fraction");
        assert_eq!((&found["engine"], &found["converged"]), (&"Green function".into(), &true.into()));
        assert!((found["haven_ratio"]["value"].as_f64().unwrap() - f).abs() < 1e-12);
        let verdict = if lattice == "chain" { "sub_diffusive" } else { "exact" };
        assert_eq!(found["tracer"]["verdict"], verdict, "{lattice}");
    }
}

/// The file of a box serves, its box and state aside; pair energies play no part where all sites are alike; a solute does.
#[test]
fn dilute_limit_of_a_file_with_a_box_and_of_a_solute() {
    let text = model("fcc", "[4, 4, 4]", "[0.7]", "vacancies = 1", "1e-2");
    let same = document(&["hop", &written("box.toml", &text), "--dilute"]);
    let bare = document(&["hop", &written("bare.toml", &text.replace("0.7", "0.0")), "--dilute"]);
    assert_eq!(same["tracer"], bare["tracer"]);
    let solute = "[solute]\nexchange_rate = 1.0\n";
    let alike = document(&["hop", &written("alike.toml", &format!("{text}{solute}")), "--dilute", "-j", "1"]);
    assert_eq!(alike["solute"]["tracer"]["value"], alike["tracer"]["value"]);
    let solute = "[solute]\nexchange_rate = 4.0\nbinding = [-0.5]\nhops = [{ shells = [1, 1], factor = 2 }, { shells = [1, 0], factor = 0.5 }]\n";
    let found = document(&["hop", &written("solute.toml", &format!("{text}{solute}")), "--dilute"]);
    let (f, _) = number(&found["solute"]["correlation_factor"]);
    // w1 = 2, w2 = 4, w3 = 0.5 e^(-1/4), w4 = 0.5 e^(1/4): within Manning's 1 % of 7 F.
    let x: f64 = 0.5 * 0.25f64.exp();
    let top = 10.0 * x.powi(4) + 180.5 * x.powi(3) + 927.0 * x * x + 1341.0 * x;
    let bottom = 2.0 * x.powi(4) + 40.2 * x.powi(3) + 254.0 * x * x + 597.0 * x + 436.0;
    let escape = (7.0 - top / bottom) * 0.5 * (-0.25f64).exp();
    let manning = (4.0 + escape) / (4.0 + 8.0 + escape);
    assert!((f / manning - 1.0).abs() < 5e-3, "{f} {manning}");
    let words = |text: &str, words: &[&str]| refused(&["hop", &written("no.toml", text), "--dilute"], words);
    words(&format!("{text}[solute]\n"), &["exchange_rate", "missing"]);
    words(&format!("{text}[solute]\nexchange_rate = 0\n"), &["exchange_rate"]);
    words(&format!("{text}[solute]\nexchange_rate = 1\nunit = \"eV\"\n"), &["temperature"]);
    words(&format!("{text}[solute]\nexchange_rate = 1\nhops = [3]\n"), &["hops[0]", "shells"]);
    words(&format!("{text}[solute]\nexchange_rate = 1\nbinding = [99.0]\n"), &["binding energy", "30 kT"]);
    let both = ["hop", &written("both.toml", &text), "--dilute", "--exact"];
    refused(&both, &["--dilute", "--exact"]);
    refused(&["hop", &written("box.toml", &format!("{text}{solute}"))], &["solute"]);
}

/// Figures hold their curves, with error bars and the windows that were read; the document names them; a run cut short draws what it has.
#[test]
fn figures_hold_the_curves() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("hop_figures");
    let _ = std::fs::remove_dir_all(&folder);
    let out = folder.to_string_lossy().into_owned();
    let file = written("figures.toml", &model("square", "[8, 8]", "[1.0]", "particles = 32", "2e-2"));
    let found = document(&["hop", &file, "--figures", &out]);
    let plain = document(&["hop", &file]);
    for key in ["tracer", "jump", "running", "mean_squared_displacement", "events"] {
        assert_eq!(found[key], plain[key], "{key}");
    }
    let names: Vec<&str> = found["figures"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(names.len(), 2);
    for (name, id) in names.iter().zip(["mean-squared-displacement", "running-diffusivity"]) {
        assert!(name.ends_with(&format!("{id}.svg")), "{name}");
        let svg = std::fs::read_to_string(name).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("error bars"), "{svg}");
        for word in ["together", "window"] {
            assert!(svg.contains(if id.starts_with("mean") { word } else { "collective" }), "{word}");
        }
        assert!(svg.contains("read"), "{id}");
    }
    // The displacement is the integral of its slope: M(2t) - M(t) = 2 d D(t) t, which the running diffusivity is read from where both are of one estimator.
    let rows = |key: &str| found[key].as_array().unwrap().clone();
    let (displacements, running) = (rows("mean_squared_displacement"), rows("running"));
    assert!(running.len() > 2);
    let at = |row: &Value, key: &str| row[key].as_f64().unwrap();
    for slope in &running {
        let time = at(slope, "window");
        let near = |t: f64| displacements.iter().find(|r| (at(r, "window") / t - 1.0).abs() < 1e-9).unwrap();
        for (of, d) in [("tracer", "tracer"), ("collective", "jump")] {
            let rise = at(near(2.0 * time), of) - at(near(time), of);
            let noise = at(near(2.0 * time), &format!("{of}_std_error")) / (4.0 * time);
            let gap = rise / (4.0 * time) - at(slope, d);
            let error = noise.hypot(at(slope, &format!("{d}_std_error")));
            assert!(gap.abs() < 5.0 * error, "{of} at {time}: {gap} {error}");
        }
    }
    let short = model("sc", "[8, 8, 8]", "[0.0]", "concentration = 0.5", "1e-3")
        .replace("[run]\n", "[run]\nmax_events = 300_000\n");
    let done = Command::new(env!("CARGO_BIN_EXE_scalade"))
        .args(["hop", &written("short_figures.toml", &short), "--json", "--figures", &out])
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(3));
    let kept: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(kept["figures"].as_array().unwrap().len(), 2);
    refused(&["hop", &file, "--exact", "--figures", &out], &["--exact", "--figures"]);
    refused(&["hop", "frames.extxyz", "--figures", &out], &["--figures", ".toml"]);
    refused(&["hop", &file, "--figures", &format!("{file}/no")], &["cannot make", "figures.toml"]);
    let text = std::fs::read_to_string(&file).unwrap().replace("[run]", "[run]\nexact = true");
    let text = text.replace("[8, 8]", "[3, 3]").replace("32", "3");
    refused(&["hop", &written("exact_figures.toml", &text), "--figures", &out], &["two windows"]);
}
