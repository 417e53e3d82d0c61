//! Runs to a wanted accuracy: the error that is left is inside the estimate, and inside the tolerance.
#![allow(clippy::unwrap_used, clippy::panic)]

use scalade_cell::{
    Control, DfnOptions, DriveCycle, DriveQuantity, Hold, ModelKind, ParameterSet, Protocol, Step, solve,
    solve_to_tolerance,
};
use std::sync::Arc;

const TIMES: [f64; 8] = [60.0, 300.0, 600.0, 1200.0, 1800.0, 2400.0, 3000.0, 3300.0];

#[test]
fn errors_against_references_are_inside_estimate_and_tolerance() {
    let cases = [
        (
            ParameterSet::marquis2019().unwrap(),
            1.0,
            vec![3.749774, 3.720785, 3.692949, 3.652118, 3.612744, 3.592739, 3.570201, 3.530599],
        ),
        (
            ParameterSet::chen2020().unwrap(),
            1.0,
            vec![3.943921, 3.897456, 3.814638, 3.661639, 3.511836, 3.392967, 3.225358, 3.000476],
        ),
        (
            ParameterSet::prada2013().unwrap(),
            1.0,
            vec![3.259410, 3.238872, 3.204757, 3.198269, 3.159114, 3.073034],
        ),
    ];
    for (p, rate, expected) in cases {
        for tolerance in [1e-3, 1e-4, 1e-5] {
            let protocol = Protocol::discharge(rate, p.lower_voltage_v);
            let times: Vec<f64> = TIMES.iter().map(|t| t / rate).collect();
            let run = solve_to_tolerance(&p, &protocol, &DfnOptions::default(), &times, tolerance).unwrap();
            assert!(run.outcome.failure.is_none() && !run.not_reached);
            let estimate = run.voltage_error_v.unwrap();
            assert!(estimate <= tolerance, "{}: {estimate:e}", p.name);
            for (v, r) in run.outcome.solution.voltage_v.iter().zip(&expected) {
                // The references have six decimals.
                let error = (v - r).abs() - 1.2e-6;
                assert!(error <= estimate && error <= tolerance, "{} {tolerance:e}: {error:e}", p.name);
            }
        }
    }
}

/// Depletion of the electrolyte: the mesh is refined until it is resolved. Expected values are those of a mesh
/// with 24 elements of order 6 in each electrode; the literature's agree to its tolerance.
#[test]
fn fronts_are_found_and_resolved() {
    let p = ParameterSet::chen2020().unwrap();
    let protocol = Protocol::discharge(3.0, 2.5);
    let run = solve_to_tolerance(&p, &protocol, &DfnOptions::default(), &[200.0, 400.0], 1e-4).unwrap();
    assert!(run.outcome.failure.is_none() && !run.not_reached, "{:?}", run.outcome.failure);
    let mut fine = run.options.clone();
    for electrode in [&mut fine.mesh.negative, &mut fine.mesh.positive] {
        electrode.elements *= 2;
        electrode.particle.order += 4;
    }
    let finer =
        solve(&p, &protocol, &DfnOptions { rtol: 1e-6, atol: 1e-8, ..fine }, &[200.0, 400.0]).unwrap();
    for (v, r) in run.outcome.solution.voltage_v.iter().zip(&finer.voltage_v) {
        assert!((v - r).abs() < 1e-4, "{v} {r}");
    }
}

/// A trace whose values are held is the same as a list of constant currents, which another integrator solves.
#[test]
fn traces_agree_with_lists_of_constant_currents() {
    let p = ParameterSet::chen2020().unwrap().started_at_state_of_charge(0.7).unwrap();
    let currents = [3.0, -2.0, 0.0, 7.0, -4.0, 1.0];
    let times: Vec<f64> = (0..=6).map(|i| f64::from(i) * 20.0).collect();
    let values: Vec<f64> = currents.iter().copied().chain([0.0]).collect();
    let trace = DriveCycle::new("held", DriveQuantity::Current, times, values, Hold::Step).unwrap();
    let followed = vec![Step::lasting(Control::Profile { cycle: Arc::new(trace), factor: 1.0 }, 120.0)];
    let listed = currents.iter().map(|i| Step::lasting(Control::Current { amperes: *i }, 20.0)).collect();
    let outputs: Vec<f64> = (1..24).map(|i| f64::from(i) * 5.0 + 0.1).collect();
    for model in [ModelKind::Dfn, ModelKind::Spme, ModelKind::Spm] {
        // Both by integrators: with the audit the list does not run in closed form.
        let audit_heat_of_mixing = model == ModelKind::Spm;
        let options =
            DfnOptions { model, rtol: 1e-7, atol: 1e-8, audit_heat_of_mixing, ..DfnOptions::default() };
        let run = |steps| solve(&p, &Protocol::sequence(steps), &options, &outputs).unwrap();
        let (followed, listed) = (run(followed.clone()), run(Vec::clone(&listed)));
        for ((t, u), v) in outputs.iter().zip(&followed.voltage_v).zip(&listed.voltage_v) {
            assert!((u - v).abs() < 5e-6, "{model:?} at {t} s: {u} {v}");
        }
        assert!((followed.end_capacity_ah - listed.end_capacity_ah).abs() < 1e-12);
        assert!((followed.energy.electrical_j / listed.energy.electrical_j - 1.0).abs() < 1e-6);
        assert!(followed.inventory.solid_lithium_drift < 1e-12 && followed.inventory.salt_drift < 1e-12);
    }
}

/// A trace of power and one of voltage hold what they prescribe, between samples too.
#[test]
fn traces_of_power_and_voltage_are_followed() {
    let p = ParameterSet::marquis2019().unwrap();
    let times = vec![0.0, 10.0, 20.0, 30.0];
    for (quantity, values) in [
        (DriveQuantity::Power, vec![1.0, 3.0, -1.0, 2.0]),
        (DriveQuantity::Voltage, vec![3.8, 3.75, 3.78, 3.7]),
        (DriveQuantity::CRate, vec![0.5, 2.0, -1.0, 0.0]),
    ] {
        let trace = DriveCycle::new("trace", quantity, times.clone(), values, Hold::Linear).unwrap();
        let control = Control::Profile { cycle: Arc::new(trace.clone()), factor: 0.5 };
        let factor = if quantity == DriveQuantity::Voltage { 1.0 } else { 0.5 };
        let control =
            if factor == 1.0 { Control::Profile { cycle: Arc::new(trace.clone()), factor } } else { control };
        let step = Step::lasting(control, 30.0);
        let outputs = [0.0, 4.0, 10.0, 17.0, 26.0, 30.0];
        let options = DfnOptions { rtol: 1e-6, ..DfnOptions::default() };
        let solution = solve(&p, &Protocol::sequence(vec![step]), &options, &outputs).unwrap();
        assert_eq!(solution.time_s.len(), outputs.len());
        for ((t, v), i) in solution.time_s.iter().zip(&solution.voltage_v).zip(&solution.current_a) {
            let found = match quantity {
                DriveQuantity::Power => v * i,
                DriveQuantity::Voltage => *v,
                DriveQuantity::CRate => i / p.nominal_capacity_ah,
                DriveQuantity::Current => *i,
            };
            let expected = factor * trace.value(*t);
            let expected = if *t == 30.0 { factor * trace.values()[3] } else { expected };
            assert!((found - expected).abs() < 2e-5, "{quantity:?} at {t} s: {found} {expected}");
        }
    }
}

#[test]
fn a_run_that_cannot_go_on_gives_what_it_has() {
    let p = ParameterSet::chen2020().unwrap();
    let options = DfnOptions { max_steps: 60, record_every_step: true, ..DfnOptions::default() };
    let outcome =
        scalade_cell::solve_or_partial(&p, &Protocol::discharge(1.0, 2.5), &options, &[1.0]).unwrap();
    let solution = &outcome.solution;
    assert!(outcome.failure.is_some());
    assert!(solution.end_time_s > 10.0 && solution.end_voltage_v > 2.5 && solution.voltage_v.len() > 50);
    assert!((solution.end_capacity_ah / (5.0 * solution.end_time_s / 3600.0) - 1.0).abs() < 1e-9);
    assert_eq!(solution.end_reason, scalade_cell::EndReason::Failure);
}

/// From the first second on, against a run that is a hundred times as accurate.
#[test]
fn errors_of_bundled_sets_are_inside_the_estimate() {
    let times: Vec<f64> = [1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0]
        .into_iter()
        .chain((1..60).map(|i| 60.0 * f64::from(i)))
        .collect();
    for name in ["Marquis2019", "Chen2020", "Prada2013", "Ai2020", "Mohtat2020", "Ecker2015", "Xu2019"] {
        let p = ParameterSet::bundled(name).unwrap().started_at_state_of_charge(1.0).unwrap();
        let protocol = Protocol::discharge(1.0, p.lower_voltage_v);
        let run = solve_to_tolerance(&p, &protocol, &DfnOptions::default(), &times, 1e-4).unwrap();
        let fine = solve(&p, &protocol, &DfnOptions::for_tolerance(1e-6).unwrap(), &times).unwrap();
        let pairs = run.outcome.solution.voltage_v.iter().zip(&fine.voltage_v);
        let error = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let estimate = run.voltage_error_v.unwrap();
        assert!(error <= estimate && estimate <= 1e-4, "{name}: {error:e}, estimate {estimate:e}");
    }
}

/// A profile of 600 s with a sample a second, whose time steps its samples dictate.
#[test]
fn errors_along_a_trace_are_inside_the_estimate() {
    let p = ParameterSet::chen2020().unwrap().started_at_state_of_charge(0.7).unwrap();
    let times: Vec<f64> = (0..=600).map(f64::from).collect();
    let values = times.iter().map(|t| 3.0 + 4.0 * (0.1 * t).sin() + 2.0 * (0.73 * t).sin()).collect();
    let trace =
        DriveCycle::new("profile", DriveQuantity::Current, times.clone(), values, Hold::Linear).unwrap();
    let step = Step::lasting(Control::Profile { cycle: Arc::new(trace), factor: 1.0 }, 600.0);
    let protocol = Protocol::sequence(vec![step]);
    let run = solve_to_tolerance(&p, &protocol, &DfnOptions::default(), &times[2..], 1e-4).unwrap();
    let fine = solve(&p, &protocol, &DfnOptions::for_tolerance(1e-6).unwrap(), &times[2..]).unwrap();
    let pairs = run.outcome.solution.voltage_v.iter().zip(&fine.voltage_v);
    let error = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let estimate = run.voltage_error_v.unwrap();
    assert!(error <= estimate, "{error:e}, estimate {estimate:e}");
}
