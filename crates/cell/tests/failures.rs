//! What cannot be solved is refused with numbers, never answered with a number that looks fine.
#![allow(clippy::unwrap_used, clippy::panic)]

use scalade_cell::{
    CellError, Control, DfnOptions, EndReason, MeshOptions, ModelKind, Outside, ParameterSet, Property,
    Protocol, Step, Table, Thermal, solve,
};

fn lasting(control: Control, seconds: f64) -> Protocol {
    Protocol::sequence(vec![Step::lasting(control, seconds)])
}

#[test]
fn options_and_protocols_are_checked() {
    let p = ParameterSet::marquis2019().unwrap();
    let run = |protocol: &Protocol, options: &DfnOptions, times: &[f64]| solve(&p, protocol, options, times);
    let good = Protocol::discharge(1.0, 3.105);
    let refused = |result: Result<_, CellError>| {
        matches!(result.map(|_: scalade_cell::DfnSolution| ()), Err(CellError::Option { .. }))
    };
    assert!(refused(run(&good, &DfnOptions { rtol: 0.0, ..DfnOptions::default() }, &[])));
    assert!(refused(run(&good, &DfnOptions { atol: f64::NAN, ..DfnOptions::default() }, &[])));
    assert!(refused(run(
        &good,
        &DfnOptions { mesh: MeshOptions::finite_volumes(0, 5), ..DfnOptions::default() },
        &[]
    )));
    assert!(refused(run(
        &good,
        &DfnOptions { mesh: MeshOptions::finite_volumes(5, 1_000_000), ..DfnOptions::default() },
        &[]
    )));
    assert!(refused(run(&good, &DfnOptions::default(), &[1.0, f64::NAN])));
    assert!(refused(run(&good, &DfnOptions::default(), &[2.0, 1.0])));
    assert!(refused(run(&Protocol::sequence(vec![]), &DfnOptions::default(), &[])));
    assert!(refused(run(&lasting(Control::CRate(f64::INFINITY), 1.0), &DfnOptions::default(), &[])));
    assert!(refused(run(&lasting(Control::CRate(1.0), -1.0), &DfnOptions::default(), &[])));
    let lumped = DfnOptions { thermal: Thermal::Lumped, ..DfnOptions::default() };
    let prada = ParameterSet::prada2013().unwrap();
    assert!(matches!(solve(&prada, &good, &lumped, &[]), Err(CellError::Parameter { .. })));
}

#[test]
fn a_discharge_without_voltage_limit_ends_at_the_edge_of_the_stoichiometry_or_says_why() {
    let p = ParameterSet::marquis2019().unwrap();
    match solve(&p, &lasting(Control::CRate(1.0), 20_000.0), &DfnOptions::default(), &[]) {
        Ok(solution) => {
            assert!(matches!(
                solution.end_reason,
                EndReason::NegativeStoichiometry | EndReason::PositiveStoichiometry
            ));
            assert!(solution.end_time_s < 4200.0);
            assert!(solution.end_voltage_v.is_finite());
        }
        Err(CellError::TimeStep { time_s, .. }) => assert!(time_s > 3600.0 && time_s < 4200.0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_table_that_ends_too_early_stops_the_run_with_its_place() {
    let mut p = ParameterSet::marquis2019().unwrap();
    let x: Vec<f64> = (0..=100).map(|i| 0.55 + 0.25 * f64::from(i) / 100.0).collect();
    let y: Vec<f64> = x
        .iter()
        .map(|x| p.positive.material.open_circuit.at_reference.value([*x, 0.0, 0.0, 298.15]).unwrap())
        .collect();
    let table = |outside| Property::from(Table::new(x.clone(), y.clone(), false, outside).unwrap());
    p.positive.material.open_circuit.at_reference = table(Outside::Error);
    let error = solve(&p, &Protocol::discharge(1.0, 3.105), &DfnOptions::default(), &[]).unwrap_err();
    let CellError::TimeStep { variable, time_s, value, .. } = &error else { panic!("{error}") };
    assert!(variable.contains("positive particles") && *time_s > 500.0 && *value > 0.79, "{error}");
    // The same with an extension is counted.
    p.positive.material.open_circuit.at_reference = table(Outside::Extend);
    let solution = solve(&p, &Protocol::discharge(1.0, 3.105), &DfnOptions::default(), &[]).unwrap();
    assert!(solution.work.outside_table > 0);
}

#[test]
fn an_absurd_current_is_an_error_or_an_immediate_end() {
    let p = ParameterSet::chen2020().unwrap();
    for rate in [1e3, 1e6, -1e6, 1e12] {
        match solve(
            &p,
            &Protocol::discharge(rate, if rate > 0.0 { 2.5 } else { 4.2 }),
            &DfnOptions::default(),
            &[],
        ) {
            Ok(solution) => assert!(solution.end_time_s < 3.6 && solution.end_voltage_v.is_finite()),
            Err(CellError::TimeStep { .. } | CellError::InitialPotentials { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_start_outside_the_data_is_refused() {
    let mut p = ParameterSet::marquis2019().unwrap();
    p.positive.material.open_circuit.at_reference =
        Property::from(Table::new(vec![0.7, 1.0], vec![4.0, 3.5], false, Outside::Error).unwrap());
    let error = solve(&p, &Protocol::discharge(1.0, 3.0), &DfnOptions::default(), &[]).unwrap_err();
    assert!(matches!(error, CellError::InitialPotentials { .. }), "{error}");
}

#[test]
fn a_voltage_below_the_limit_at_the_start_ends_the_step_at_once() {
    let p = ParameterSet::chen2020().unwrap();
    let solution = solve(&p, &Protocol::discharge(1.0, 4.1), &DfnOptions::default(), &[0.0, 10.0]).unwrap();
    assert_eq!(solution.end_reason, EndReason::MinimumVoltage);
    assert_eq!((solution.end_time_s, solution.time_s.as_slice()), (0.0, [0.0].as_slice()));
}

#[test]
fn too_few_steps_are_reported() {
    let p = ParameterSet::marquis2019().unwrap();
    let options = DfnOptions { max_steps: 20, ..DfnOptions::default() };
    let error = solve(&p, &Protocol::discharge(1.0, 3.105), &options, &[]).unwrap_err();
    assert!(matches!(error, CellError::TooManySteps { steps: 20, .. }));
}

/// At 3C the electrolyte of this cell is used up near the positive collector. The default mesh does not resolve the edge of the empty
/// region and says so; a mesh that does goes on to the end.
#[test]
fn depleted_electrolyte_is_resolved_or_reported() {
    let p = ParameterSet::chen2020().unwrap();
    let protocol = Protocol::discharge(3.0, 2.5);
    match solve(&p, &protocol, &DfnOptions::default(), &[]) {
        Ok(solution) => assert!(solution.end_time_s > 500.0 && solution.end_time_s < 1200.0),
        Err(CellError::TimeStep { variable, time_s, .. }) => {
            assert!(time_s > 400.0 && (variable.contains("electrolyte") || variable.contains("potential")));
        }
        Err(other) => panic!("{other}"),
    }
    let fine = |nx| {
        let mesh = MeshOptions::finite_volumes(nx, 20);
        solve(&p, &protocol, &DfnOptions { mesh, ..DfnOptions::default() }, &[400.0, 600.0]).unwrap()
    };
    let (coarse, fine) = (fine(60), fine(100));
    assert!(fine.inventory.solid_lithium_drift < 1e-12 && fine.inventory.salt_drift < 1e-12);
    assert!(
        (coarse.voltage_v[0] - fine.voltage_v[0]).abs() < 2e-3,
        "{:?} {:?}",
        coarse.voltage_v,
        fine.voltage_v
    );
    assert!((coarse.end_capacity_ah / fine.end_capacity_ah - 1.0).abs() < 0.02);
}

#[test]
fn constant_voltage_and_charging_power_start_from_rest() {
    let p = ParameterSet::marquis2019().unwrap();
    let hold =
        solve(&p, &lasting(Control::Voltage { volts: 3.7 }, 600.0), &DfnOptions::default(), &[0.0, 300.0])
            .unwrap();
    assert!(hold.voltage_v.iter().all(|v| (v - 3.7).abs() < 1e-9));
    // The cell rests above 3.7 V: it discharges, less and less.
    assert!(hold.current_a[0] > hold.current_a[1] && hold.current_a[1] > 0.0);
    let low = p.started_at_voltage(3.7).unwrap();
    let charge =
        solve(&low, &lasting(Control::Power { watts: -2.0 }, 600.0), &DfnOptions::default(), &[300.0])
            .unwrap();
    assert!((charge.voltage_v[0] * charge.current_a[0] + 2.0).abs() < 1e-6);
    assert!((charge.energy.electrical_j + 1200.0).abs() < 1e-3);
}

/// Particles that are empty or full end a discharge; what follows fills or empties them again and is not ended by
/// them, while going on is.
#[test]
fn steps_away_from_empty_or_full_particles_are_done() {
    let p = ParameterSet::chen2020().unwrap().started_at_state_of_charge(1.0).unwrap();
    for (model, audit_heat_of_mixing) in
        [(ModelKind::Dfn, false), (ModelKind::Spm, false), (ModelKind::Spm, true)]
    {
        let options =
            DfnOptions { model, audit_heat_of_mixing, stoichiometry_margin: 1e-3, ..DfnOptions::default() };
        let steps = [(2.0, 20_000.0), (0.0, 300.0), (1.0, 5_000.0), (-1.0, 600.0)];
        let steps = steps.map(|(rate, s)| Step::lasting(Control::CRate(rate), s)).to_vec();
        let run = solve(&p, &Protocol::sequence(steps), &options, &[]).unwrap();
        let [first, rest, on, back] = run.steps.as_slice() else { panic!("{:?}", run.steps) };
        for step in [first, on] {
            assert!(
                matches!(
                    step.end_reason,
                    EndReason::NegativeStoichiometry | EndReason::PositiveStoichiometry
                ),
                "{model:?}: {step:?}"
            );
        }
        assert!(on.end_s - on.start_s < 500.0);
        for (step, duration) in [(rest, 300.0), (back, 600.0)] {
            assert_eq!(step.end_reason, EndReason::TimeLimit, "{model:?}: {step:?}");
            assert!((step.end_s - step.start_s - duration).abs() < 1e-9);
        }
    }
}

/// The same at the usual margin and tolerance, where the voltage falls by volts in the last moment.
#[test]
fn steps_away_from_the_usual_margin_are_done() {
    for name in ["Marquis2019", "Chen2020", "Prada2013", "Ai2020", "Mohtat2020", "Ecker2015", "Xu2019"] {
        let p = ParameterSet::bundled(name).unwrap().started_at_state_of_charge(0.9).unwrap();
        for (model, audit_heat_of_mixing) in
            [(ModelKind::Dfn, false), (ModelKind::Spm, false), (ModelKind::Spm, true)]
        {
            let options = DfnOptions { model, audit_heat_of_mixing, ..DfnOptions::default() };
            for sign in [1.0, -1.0] {
                let steps = [(0.5 * sign, 20_000.0), (-0.2 * sign, 600.0), (0.0, 100.0)];
                let steps = steps.map(|(rate, s)| Step::lasting(Control::CRate(rate), s)).to_vec();
                let outcome =
                    scalade_cell::solve_or_partial(&p, &Protocol::sequence(steps), &options, &[]).unwrap();
                let steps = &outcome.solution.steps;
                assert_eq!(outcome.failure, None, "{name} {model:?} {sign}: {steps:?}");
                assert!(
                    matches!(
                        steps[0].end_reason,
                        EndReason::NegativeStoichiometry | EndReason::PositiveStoichiometry
                    ),
                    "{name} {model:?} {sign}"
                );
                assert!(
                    steps[1..].iter().all(|s| s.end_reason == EndReason::TimeLimit),
                    "{name} {model:?} {sign}"
                );
            }
        }
    }
}
