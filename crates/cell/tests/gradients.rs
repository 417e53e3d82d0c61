//! Gradients by a pass backwards against forward sensitivities, of which they are the transposed.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::protocol;
use scalade_cell::{
    DfnOptions, LossSlope, ModelKind, Parameter, ParameterSet, Protocol, Thermal, solve_with_gradient,
    solve_with_sensitivities,
};

const NAMES: [&str; 9] = [
    "positive.material.diffusivity",
    "negative.material.exchange_current",
    "negative.material.max_concentration",
    "electrolyte.conductivity",
    "negative.thickness_m",
    "positive.electrolyte_efficiency",
    "separator.thickness_m",
    "electrode_area_m2",
    "negative.material.initial_concentration",
];

/// Some weights of either sign.
fn weights(count: usize, seed: f64, scale: f64) -> Vec<f64> {
    (0..count).map(|i| scale * (seed + 1.7 * i as f64).sin()).collect()
}

/// A scalar of everything, of which both ways give the derivatives.
fn compare(
    cell: &ParameterSet,
    protocol: &Protocol,
    options: &DfnOptions,
    times: &[f64],
    names: &[&str],
    tolerance: f64,
) {
    let parameters: Vec<Parameter> = names.iter().map(|name| Parameter::at(name)).collect();
    let (outcome, forward) = solve_with_sensitivities(cell, protocol, options, times, &parameters).unwrap();
    assert_eq!(outcome.failure, None);
    let (outputs, steps) = (outcome.solution.time_s.len(), outcome.solution.steps.len());
    let everything = LossSlope {
        value: 1.0,
        voltage_v: weights(outputs, 0.3, 1.0),
        current_a: weights(outputs, 1.1, 0.1),
        temperature_k: weights(outputs, 2.0, 0.01),
        discharge_capacity_ah: weights(outputs, 2.5, 0.2),
        end_time_s: weights(steps, 0.9, 1e-3),
        charge_ah: weights(steps, 0.1, 0.3),
        energy_wh: weights(steps, 1.9, 0.1),
    };
    let alone = [
        LossSlope { voltage_v: everything.voltage_v.clone(), ..LossSlope::default() },
        LossSlope { end_time_s: everything.end_time_s.clone(), ..LossSlope::default() },
        LossSlope { charge_ah: everything.charge_ah.clone(), ..LossSlope::default() },
    ];
    for loss in alone.into_iter().chain([everything]) {
        let found =
            solve_with_gradient(cell, protocol, options, times, &parameters, |_| loss.clone()).unwrap();
        assert_eq!(found.value.to_bits(), loss.value.to_bits());
        for (index, name) in names.iter().enumerate() {
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).collect::<Vec<f64>>();
            let of_steps = |w: &[f64], of: &dyn Fn(&scalade_cell::StepSensitivity) -> f64| {
                w.iter().zip(&forward.steps).map(|(w, s)| w * of(s)).collect::<Vec<f64>>()
            };
            let terms: Vec<f64> = [
                dot(&loss.voltage_v, &forward.voltage_v[index]),
                dot(&loss.current_a, &forward.current_a[index]),
                dot(&loss.temperature_k, &forward.temperature_k[index]),
                dot(&loss.discharge_capacity_ah, &forward.discharge_capacity_ah[index]),
                of_steps(&loss.end_time_s, &|s| s.end_time_s[index]),
                of_steps(&loss.charge_ah, &|s| s.charge_ah[index]),
                of_steps(&loss.energy_wh, &|s| s.energy_wh[index]),
            ]
            .concat();
            let wanted: f64 = terms.iter().sum();
            let size = terms.iter().fold(1e-7_f64, |m, t| m.max(t.abs()));
            let miss = (found.by_parameter[index] - wanted).abs() / size;
            assert!(miss < tolerance, "{name}: {} {wanted}, {miss:e}", found.by_parameter[index]);
        }
    }
}

const CYCLE: &str = "Charge at 1C until 4.1 V; Hold at 4.1 V until C/10; Rest for 10 minutes; \
                     Discharge at 5 W for 5 minutes; Discharge at C/2 until 3.4 V";
const TIMES: [f64; 9] = [0.0, 100.0, 1000.0, 2000.0, 3500.0, 4000.0, 5000.0, 6000.0, 8000.0];

#[test]
fn every_model_through_events_and_jumps() {
    let cell = ParameterSet::chen2020().unwrap().started_at_state_of_charge(0.3).unwrap();
    for model in [ModelKind::Dfn, ModelKind::Spme, ModelKind::Spm] {
        let options = DfnOptions { model, ..DfnOptions::draft() };
        compare(&cell, &protocol(CYCLE), &options, &TIMES, &NAMES, 1e-6);
    }
}

#[test]
fn half_cells_and_blends() {
    for name in ["Xu2019", "Chen2020_composite"] {
        let cell = ParameterSet::bundled(name).unwrap();
        let names: Vec<&str> =
            NAMES.iter().copied().filter(|n| name != "Xu2019" || !n.starts_with("neg")).collect();
        let text = "Discharge at C/2 for 10 minutes; Charge at C/5 for 5 minutes; Rest for 1 minute";
        compare(&cell, &protocol(text), &DfnOptions::draft(), &[60.0, 500.0, 700.0, 950.0], &names, 1e-6);
    }
}

#[test]
fn materials_of_several_reactions() {
    let text = include_str!("../../../data/cell/msmr/msmr_example.json");
    let cell = scalade_cell::CellDocument::read(text).unwrap().parameters;
    let names = ["electrolyte.conductivity", "negative.thickness_m", "positive.material.particle_radius_m"];
    let text = "Discharge at C/2 for 10 minutes; Charge at C/5 for 5 minutes";
    compare(&cell, &protocol(text), &DfnOptions::draft(), &[60.0, 500.0, 700.0], &names, 1e-6);
}

/// Forward sensitivities are corrected for the heat's derivatives, the pass backwards has them in its matrix.
#[test]
fn a_cell_that_warms_up() {
    let cell = ParameterSet::chen2020().unwrap().started_at_state_of_charge(0.9).unwrap();
    let options = DfnOptions { thermal: Thermal::Lumped, ..DfnOptions::draft() };
    let text = "Discharge at 2C until 2.7 V; Rest for 5 minutes; Charge at 1C until 27 degC or until 3.9 V";
    let names = [
        "positive.material.exchange_current",
        "thermal.heat_transfer_coefficient",
        "electrolyte.conductivity",
    ];
    compare(&cell, &protocol(text), &options, &[300.0, 900.0, 1500.0, 2000.0], &names, 2e-4);
}

#[test]
fn a_trace_with_kinks() {
    let cell = ParameterSet::marquis2019().unwrap();
    let protocol = common::trace(&[0.0, 10.0, 10.0, 20.0, 30.0, 40.0], &[1.0, 2.0, -1.0, 0.5, 2.5, 0.0]);
    compare(&cell, &protocol, &DfnOptions::draft(), &[5.0, 10.0, 15.0, 25.0, 40.0], &NAMES, 1e-5);
}

#[test]
fn what_has_no_pass_backwards_is_told() {
    let cell = ParameterSet::bundled("OKane2022").unwrap();
    let discharge = Protocol::discharge(1.0, 3.0);
    let slope = |_: &scalade_cell::DfnSolution| LossSlope::default();
    let ageing = scalade_cell::AgeingOptions {
        sei: scalade_cell::SeiLaw::SolventDiffusion,
        ..scalade_cell::AgeingOptions::default()
    };
    let options = DfnOptions { ageing, ..DfnOptions::draft() };
    let radius = [Parameter::at("positive.material.particle_radius_m")];
    let error = solve_with_gradient(&cell, &discharge, &options, &[], &radius, slope).unwrap_err();
    assert!(error.to_string().contains("no backward pass"), "{error}");
    let warm = [Parameter::at("initial_temperature_k")];
    let error = solve_with_gradient(&cell, &discharge, &DfnOptions::draft(), &[], &warm, slope).unwrap_err();
    assert!(error.to_string().contains("initial_temperature_k"), "{error}");
    let long = |_: &scalade_cell::DfnSolution| LossSlope { voltage_v: vec![1.0; 3], ..LossSlope::default() };
    let error =
        solve_with_gradient(&cell, &discharge, &DfnOptions::draft(), &[1.0], &radius, long).unwrap_err();
    assert!(error.to_string().contains("length"), "{error}");
}
