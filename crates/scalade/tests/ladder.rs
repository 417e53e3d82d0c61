//! The whole ladder on the bundled data, with small budgets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail with them")]

use scalade::handoff::{Diffusivity, OpenCircuitVoltage, kind};
use scalade::runner::{Failure, Finished, Workspace};
use scalade::study::RunOptions;
use std::path::{Path, PathBuf};

/// The bundled study with two members and budgets of seconds.
fn small_study(folder: &Path) -> PathBuf {
    let study = scalade::demo::new_study(folder, "licoo2").unwrap();
    let text = std::fs::read_to_string(&study).unwrap();
    let text = text
        .replace("members = 8", "members = 2")
        .replace("kind = \"montecarlo\"", "kind = \"montecarlo\"\ncells = [6, 6, 6]\nsweeps = 60")
        .replace(
            "kind = \"hop\"",
            "kind = \"hop\"\ncompositions = [0.4, 0.5, 0.6, 0.75]\nhops = 60000\nreplicas = 8\nequilibration = 40",
        )
        .replace("rates = [0.2, 0.5, 1.0, 2.0, 3.0]", "rates = [1.0]");
    std::fs::write(&study, text).unwrap();
    study
}

fn run(study: &Path, jobs: usize) -> Result<Finished, Failure> {
    Workspace::load(study)?.run(&RunOptions { jobs, ..RunOptions::default() })
}

fn finish(study: &Path, jobs: usize) -> Finished {
    run(study, jobs).unwrap_or_else(|f| panic!("{}", f.render(false)))
}

fn hand_off<T: serde::de::DeserializeOwned>(done: &Finished, step: &str, key: &str) -> T {
    serde_json::from_value(done.record.output(step, key).unwrap().tracked.value.clone()).unwrap()
}

fn headline(done: &Finished, id: &str) -> f64 {
    done.headline.iter().find(|h| h.id == id).unwrap().value
}

#[test]
fn every_rung_stands_and_thread_counts_give_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let study = small_study(&folder.path().join("one"));
    let one = finish(&study, 1);
    assert_eq!(one.headline.len(), 8, "{:?}", one.headline);
    for h in &one.headline {
        assert!(h.value.is_finite() && h.std_error.is_some_and(|s| s > 0.0 && s.is_finite()), "{h:?}");
        assert!(h.sealed && h.retuned.is_empty(), "{h:?}");
    }
    for jobs in [2, 4] {
        let other = finish(&small_study(&folder.path().join(format!("jobs{jobs}"))), jobs);
        assert_eq!(other.record.result_hash, one.record.result_hash, "{jobs} threads");
    }

    // The integral of V(x) is the average voltage of the energies, up to the fit at the end members.
    let voltage: OpenCircuitVoltage = hand_off(&one, "thermo", "voltage");
    let table = voltage.table();
    let (x, g) = (&table.stoichiometry, &table.free_energy_ev);
    let (first, last) = (x[0], x[x.len() - 1]);
    let ends = first * table.voltage_v[0] + (1.0 - last) * table.voltage_v[x.len() - 1];
    let average = -g[g.len() - 1] + ends;
    assert!((average - headline(&one, "average_voltage")).abs() < 8e-3, "{average}");

    // Chemical = factor x jump, and larger than the shortcut with the tracer diffusivity by the Haven ratio.
    let jump: Diffusivity<kind::Jump> = hand_off(&one, "hop", "jump");
    let tracer: Diffusivity<kind::Tracer> = hand_off(&one, "hop", "tracer");
    let chemical: Diffusivity<kind::Chemical> = hand_off(&one, "diffusion", "diffusivity");
    let factor: scalade::handoff::ThermodynamicFactor = hand_off(&one, "thermo", "thermodynamic_factor");
    let nodes = &jump.table().stoichiometry;
    let theta = factor.evaluate(nodes, 300.0).unwrap();
    chemical.check_link(&jump, &theta).unwrap();
    // Each member climbs with its own activation energies; their spread is in the stated error.
    let i = nodes.iter().position(|x| (x - 0.5).abs() < 1e-6).unwrap();
    let energies = &chemical.table().member_activation_energy_ev;
    assert_eq!(energies.len(), 2);
    let of_factor = factor.member_activation_energy_ev(1, nodes).unwrap().unwrap()[i];
    let of_jump = jump.table().member_activation_energy_ev[1][i];
    assert!((energies[1][i] - of_jump - of_factor).abs() < 1e-12);
    let spread = (energies[0][i] - energies[1][i]).abs() / 2f64.sqrt();
    let expected = chemical.table().activation_standard_error_ev[i].hypot(spread);
    let stated = one.headline.iter().find(|h| h.id == "diffusion_activation_energy").unwrap();
    assert!((stated.std_error.unwrap() - expected).abs() < 1e-12, "{stated:?} {expected}");
    for (j, t) in jump.table().tensor_m2_per_s.iter().zip(&tracer.table().tensor_m2_per_s) {
        assert!(t.trace() < j.trace());
        // Ions of a layered host stay in their planes.
        assert!(j.0[2].abs() < 1e-6 * j.trace());
    }
    diffusion_figures(&one, &theta);
}

/// Arrhenius plots have a curve a composition, curves over composition one a temperature; their numbers are those of the run.
fn diffusion_figures(done: &Finished, theta: &[f64]) {
    let figures = scalade::report_content::figures(&done.record).unwrap();
    let find = |id: &str| &figures.iter().find(|f| f.0 == id).unwrap_or_else(|| panic!("{id} is missing")).1;
    for id in ["arrhenius-chemical", "arrhenius-jump", "arrhenius-tracer"] {
        let svg = find(id);
        for x in ["0.40", "0.50", "0.60", "0.75"] {
            assert!(svg.contains(&format!("x = {x} (line with markers with error bars")), "{id} {x}: {svg}");
        }
    }
    for id in ["diffusivity-temperature", "thermodynamic-factor-points", "haven-ratio"] {
        assert!(find(id).contains("300 K (line with markers with error bars, 4 points"), "{id}");
    }
    // The range told of theta is that of the hand-off at the same compositions.
    let ends = [theta.iter().copied().fold(f64::MAX, f64::min), theta.iter().copied().fold(0.0, f64::max)];
    let svg = find("thermodynamic-factor-points");
    let told = svg.split("300 K (line with markers with error bars, 4 points, ").nth(1).unwrap();
    let told = told.split(')').next().unwrap();
    let numbers: Vec<f64> = told.split(" to ").map(|n| n.trim().parse().unwrap()).collect();
    for (number, end) in numbers.iter().zip(ends) {
        assert!((number / end - 1.0).abs() < 0.02, "{told}: {number} {end}");
    }
}

#[test]
fn a_sealed_value_is_moved_only_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let study = small_study(folder.path());
    let before = finish(&study, 0);
    let text = std::fs::read_to_string(&study).unwrap();
    let retuned = format!("{text}\n[steps.cell.retune]\npositive_diffusivity = {{ factor = 1e-4 }}\n");
    std::fs::write(&study, &retuned).unwrap();
    match run(&study, 0) {
        Err(Failure::Study(diagnostics)) => {
            let shown = diagnostics.render(false);
            assert!(shown.contains("unseal") && shown.contains('^'), "{shown}");
        }
        other => panic!("{other:?}"),
    }
    let on_record = retuned.replace("factor = 1e-4", "factor = 1e-4, unseal = \"a slower powder\"");
    std::fs::write(&study, on_record).unwrap();
    let after = finish(&study, 0);
    // Only the cell ran, with a slower electrode; it and only it carries the mark.
    for step in ["voltage", "expand", "barriers", "thermo", "hop", "diffusion"] {
        assert!(after.record.steps[step].cached && after.record.steps[step].retuned.is_empty(), "{step}");
    }
    assert!(headline(&after, "capacity_1c") < headline(&before, "capacity_1c") - 1e-3);
    let marks = &after.record.steps["cell"].retuned;
    assert!(marks.iter().any(|m| m.reason == "a slower powder"), "{marks:?}");
    let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("a slower powder"));
}

/// A wanted error is reached at every composition and temperature, by more replicas where few carriers scatter.
#[test]
fn diffusivities_reach_the_error_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let text = "kind = \"hop\"\ncompositions = [0.4, 0.6, 0.85]\nhops = 40000\nreplicas = 8\nequilibration = 40\nstandard_error = 0.04\nevery_temperature = true";
    let steps = |name: &str, hop: &str| {
        let study = scalade::demo::new_study(&folder.path().join(name), "licoo2").unwrap();
        let whole = std::fs::read_to_string(&study).unwrap();
        let kept = whole.split("[steps.diffusion]").next().unwrap();
        let kept = kept.replace("members = 8", "members = 0").replace("kind = \"hop\"", hop);
        let kept =
            kept.replace("kind = \"montecarlo\"", "kind = \"montecarlo\"\ncells = [6, 6, 6]\nsweeps = 60");
        std::fs::write(&study, kept).unwrap();
        finish(&study, 2)
    };
    let done = steps("asked", text);
    let detail = &done.record.output("hop", "detail").unwrap().tracked.value;
    let points = detail["points"].as_array().unwrap();
    assert_eq!(points.len(), 9, "three compositions at three temperatures");
    for table in ["jump", "tracer"] {
        let jump: serde_json::Value = hand_off(&done, "hop", table);
        for error in jump["relative_standard_error"].as_array().unwrap() {
            assert!(error.as_f64().unwrap() <= 0.04, "{table}: {error}");
        }
    }
    // Without, hops are what was given, and the dilute end scatters more.
    let plain = steps("plain", &text.replace("standard_error = 0.04\nevery_temperature = true", ""));
    let jump: serde_json::Value = hand_off(&plain, "hop", "jump");
    let worst = jump["relative_standard_error"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(serde_json::Value::as_f64)
        .fold(0.0, f64::max);
    assert!(worst > 0.04, "{worst}");
    assert_eq!(
        plain.record.output("hop", "detail").unwrap().tracked.value["points"].as_array().unwrap().len(),
        7
    );
}
