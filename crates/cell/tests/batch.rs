//! Batches: every member is what it is alone, on any number of threads.
#![allow(clippy::unwrap_used, clippy::panic)]

use scalade_cell::{
    CellError, Control, DfnOptions, DfnSolution, ModelKind, ParameterSet, Protocol, Step, Thermal, solve,
    solve_batch, solve_variations,
};

type Runs = Vec<Result<DfnSolution, CellError>>;

fn cells(count: usize) -> Vec<ParameterSet> {
    let sets = [ParameterSet::chen2020().unwrap(), ParameterSet::marquis2019().unwrap()];
    (0..count)
        .map(|k| {
            let mut cell = sets[k % 2].clone();
            let factor = 0.9 + 0.2 * (0.618034 * k as f64).fract();
            cell.positive.material.particle_radius_m *= factor;
            cell.negative.porous_mut().unwrap().electrolyte_efficiency /= factor;
            cell
        })
        .collect()
}

/// Bit for bit, which equality of numbers is not for signed zeros.
fn text(run: &Result<DfnSolution, CellError>) -> String {
    match run {
        Ok(run) => serde_json::to_string(run).unwrap(),
        Err(error) => error.to_string(),
    }
}

fn assert_equal(a: &Runs, b: &Runs) {
    assert_eq!(a.len(), b.len());
    for (k, (a, b)) in a.iter().zip(b).enumerate() {
        assert_eq!(text(a), text(b), "member {k}");
    }
}

#[test]
fn members_are_the_single_runs_bit_for_bit_on_any_number_of_threads() {
    let times = [1.0, 600.0, 2000.0];
    for (model, count) in [(ModelKind::Spm, 40), (ModelKind::Spme, 12), (ModelKind::Dfn, 6)] {
        let cells = cells(count);
        let protocol = Protocol::sequence(vec![
            Step::lasting(Control::CRate(1.0), 2500.0).until_voltage_below(3.4),
            Step::lasting(Control::Rest, 100.0),
        ]);
        let options = DfnOptions { model, ..DfnOptions::draft() };
        let single: Runs = cells.iter().map(|cell| solve(cell, &protocol, &options, &times)).collect();
        assert!(single.iter().all(|run| run.as_ref().unwrap().voltage_v.len() >= 2));
        assert_ne!(text(&single[0]), text(&single[2]));
        for threads in [0, 1, 2, 4, 1000] {
            assert_equal(&single, &solve_batch(&cells, &protocol, &options, &times, threads));
            let cell = |k: usize| Ok(cells[k].clone());
            assert_equal(&single, &solve_variations(count, cell, &protocol, &options, &times, threads));
        }
    }
}

/// Meshes kept from one run must not leak into the next with other options.
#[test]
fn runs_with_other_meshes_in_between_change_nothing() {
    let cell = ParameterSet::chen2020().unwrap();
    let protocol = Protocol::sequence(vec![Step::lasting(Control::CRate(1.0), 300.0)]);
    let run = |options: &DfnOptions| text(&solve(&cell, &protocol, options, &[100.0]));
    let variants: Vec<DfnOptions> = (1..=12)
        .map(|k| {
            let mut options = DfnOptions { model: ModelKind::Spme, ..DfnOptions::draft() };
            options.mesh.order = 2 + k % 5;
            options.mesh.positive.particle.order = 3 + k;
            options.mesh.negative.particle.elements = 1 + k % 3;
            options
        })
        .collect();
    // A new thread has kept nothing.
    let fresh: Vec<String> = variants
        .iter()
        .map(|options| std::thread::scope(|s| s.spawn(|| run(options)).join().unwrap()))
        .collect();
    for _ in 0..2 {
        for (options, fresh) in variants.iter().zip(&fresh) {
            assert_eq!(&run(options), fresh);
        }
    }
}

#[test]
fn a_member_that_fails_leaves_the_others_alone() {
    let protocol = Protocol::discharge(1.0, 3.2);
    let options = DfnOptions { model: ModelKind::Spme, ..DfnOptions::draft() };
    let good = cells(6);
    let mut some = good.clone();
    some[1].positive.porosity = f64::NAN;
    some[4].electrolyte.initial_concentration = -1.0;
    let runs = solve_batch(&some, &protocol, &options, &[600.0], 2);
    let whole = solve_batch(&good, &protocol, &options, &[600.0], 2);
    for k in 0..6 {
        if k == 1 || k == 4 {
            assert!(matches!(runs[k], Err(CellError::Parameter { .. })), "{k}");
        } else {
            assert_eq!(text(&runs[k]), text(&whole[k]));
        }
    }
    // An error of the maker of cells is the member's.
    let cell = |k: usize| if k == 2 { ParameterSet::bundled("nothing") } else { Ok(good[k].clone()) };
    let runs = solve_variations(6, cell, &protocol, &options, &[600.0], 2);
    assert!(matches!(runs[2], Err(CellError::Document(_))));
    assert_eq!(text(&runs[3]), text(&whole[3]));
    // Options that make no sense are told by every member; no members, no runs.
    let lumped = DfnOptions { rtol: f64::NAN, thermal: Thermal::Lumped, ..options.clone() };
    assert!(solve_batch(&good, &protocol, &lumped, &[], 2).iter().all(Result::is_err));
    assert!(solve_batch(&[], &protocol, &options, &[], 2).is_empty());
}

/// Accuracy that the documentation of the draft options promises, from the first second on.
#[test]
fn draft_options_hold_their_accuracy_over_variations() {
    let times = [1.0, 5.0, 20.0, 60.0, 300.0, 900.0, 1500.0, 2100.0, 2700.0, 3300.0];
    for (model, count, promised) in [(ModelKind::Spme, 10, 1e-4), (ModelKind::Dfn, 4, 3e-4)] {
        let cells = cells(count);
        let fine = DfnOptions { model, ..DfnOptions::for_tolerance(1e-6).unwrap() };
        for cell in &cells {
            let protocol = Protocol::discharge(1.0, cell.lower_voltage_v);
            let draft = DfnOptions { model, ..DfnOptions::draft() };
            let run = solve(cell, &protocol, &draft, &times).unwrap();
            let reference = solve(cell, &protocol, &fine, &times).unwrap();
            for ((t, v), r) in times.iter().zip(&run.voltage_v).zip(&reference.voltage_v) {
                assert!((v - r).abs() < promised, "{model:?} {} at {t} s: {v} {r}", cell.name);
            }
        }
    }
}
