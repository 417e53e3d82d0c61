//! Steps, limits and repeats of protocols, and how a run ends by them.
#![allow(clippy::unwrap_used, clippy::panic)]

use scalade_cell::{
    CellError, Condition, Control, DfnOptions, EndReason, Limit, ParameterSet, Protocol, ProtocolItem, Step,
    StepState, solve,
};

fn repeat(count: usize, items: Vec<ProtocolItem>) -> ProtocolItem {
    ProtocolItem::Repeat { count, items }
}

fn rest(seconds: f64) -> ProtocolItem {
    ProtocolItem::Step(Step::lasting(Control::Rest, seconds))
}

#[test]
fn a_run_unfolds_repeats_and_counts_cycles() {
    // A row of two, two cycles of (1, then 3 times 2), a row of one.
    let inner = repeat(3, vec![rest(4.0)]);
    let items = vec![rest(1.0), rest(2.0), repeat(2, vec![rest(3.0), inner]), rest(5.0)];
    let protocol = Protocol { items };
    let found: Vec<(usize, usize, f64)> =
        protocol.steps().map(|p| (p.cycle, p.index_in_cycle, p.step.duration_s.unwrap())).collect();
    let pass = |cycle| [(cycle, 0, 3.0), (cycle, 1, 4.0), (cycle, 2, 4.0), (cycle, 3, 4.0)];
    let wanted = [&[(0, 0, 1.0), (0, 1, 2.0)][..], &pass(1), &pass(2), &[(3, 0, 5.0)]].concat();
    assert_eq!(found, wanted);
    assert_eq!(protocol.step_count(), found.len());
    assert!(protocol.steps().enumerate().all(|(i, placed)| placed.index == i));
}

#[test]
fn leaving_a_repeat_ends_its_innermost_passes_only() {
    let inner = repeat(3, vec![rest(4.0), rest(6.0)]);
    let protocol = Protocol { items: vec![repeat(2, vec![rest(3.0), inner, rest(7.0)]), rest(5.0)] };
    let mut steps = protocol.steps();
    let mut found = Vec::new();
    while let Some(placed) = steps.next() {
        let seconds = placed.step.duration_s.unwrap();
        found.push((placed.cycle, seconds));
        // Leave the inner repeat at its first step of the first cycle, the outer one at its last of the second.
        if (placed.cycle, seconds) == (0, 4.0) || (placed.cycle, seconds) == (1, 6.0) {
            steps.leave_repeat();
        }
        if seconds == 5.0 {
            steps.leave_repeat();
        }
    }
    let wanted = [(0, 3.0), (0, 4.0), (0, 7.0), (1, 3.0), (1, 4.0), (1, 6.0), (1, 7.0), (2, 5.0)];
    assert_eq!(found, wanted);
}

#[test]
fn endless_and_empty_protocols_are_refused() {
    let refused = |items: Vec<ProtocolItem>, words: &str| {
        let protocol = Protocol { items };
        let message = protocol.validate().unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
        // What is refused still unfolds without hanging.
        assert!(protocol.steps().take(10).count() <= 10);
    };
    refused(vec![], "number of steps = 0");
    refused(vec![repeat(usize::MAX, vec![repeat(usize::MAX, vec![])])], "does nothing");
    refused(vec![repeat(0, vec![rest(1.0)])], "does nothing");
    refused(vec![repeat(usize::MAX, vec![repeat(usize::MAX, vec![rest(1.0)])])], "number of steps");
    refused(vec![repeat(1_000_001, vec![rest(1.0)])], "number of steps = 1000001");
    let deep = (0..40).fold(rest(1.0), |item, _| repeat(2, vec![item]));
    refused(vec![deep], "deeper than 16");
    let mut leaving = Step::lasting(Control::Rest, 1.0);
    leaving.leaves_repeat = true;
    refused(vec![ProtocolItem::Step(leaving)], "stands in none");
    Protocol { items: vec![repeat(1000, vec![repeat(1000, vec![rest(1.0)])])] }.validate().unwrap();
}

/// Every kind of control with every kind of limit: accepted without a duration only if the control drives the
/// cell there; with a duration, always.
#[test]
fn steps_that_never_end_are_refused_with_advice() {
    use Limit as L;
    let limits = [
        L::VoltageBelow { volts: 3.0 },
        L::VoltageAbove { volts: 4.0 },
        L::CurrentBelow { amperes: 0.1 },
        L::CurrentAbove { amperes: 9.0 },
        L::ChargeAbove { ampere_hours: 1.0 },
        L::TemperatureAbove { kelvin: 320.0 },
        L::TemperatureBelow { kelvin: 300.0 },
        L::VoltageSlopeBelow { volts_per_second: 1e-6 },
        L::Custom(Condition::parse("V - 3").unwrap()),
    ];
    let controls = [
        (Control::Current { amperes: 1.0 }, "100010001", "until 2.5 V"),
        (Control::CRate(-1.0), "010010001", "until 4.2 V"),
        (Control::Voltage { volts: 4.2 }, "001010001", "until C/50"),
        (Control::Power { watts: 2.0 }, "100110001", "until 2.5 V"),
        (Control::Power { watts: -2.0 }, "011010001", "until 4.2 V"),
        (Control::Resistance { ohms: 2.0 }, "101010001", "until 2.5 V"),
        (Control::Resistance { ohms: -2.0 }, "010110001", "until 4.2 V"),
        (Control::Rest, "000001111", "dV/dt"),
        (Control::CRate(0.0), "000001111", "dV/dt"),
    ];
    for (control, accepted, advice) in controls {
        for (limit, accepted) in limits.iter().zip(accepted.chars()) {
            let step = Step::new(control.clone()).until(limit.clone());
            match Protocol::sequence(vec![step.clone()]).validate() {
                Ok(()) => assert_eq!(accepted, '1', "{control:?} {limit:?}"),
                Err(error) => {
                    assert_eq!(accepted, '0', "{control:?} {limit:?}");
                    assert!(error.to_string().contains(advice), "{error}");
                }
            }
            let timed = Step { duration_s: Some(60.0), ..step };
            Protocol::sequence(vec![timed]).validate().unwrap();
        }
    }
}

#[test]
fn numbers_of_steps_are_checked() {
    let refused = |step: Step| {
        let error = Protocol::sequence(vec![step]).validate().unwrap_err();
        assert!(matches!(error, CellError::Option { .. }), "{error}");
    };
    let good = Step::lasting(Control::CRate(1.0), 60.0);
    refused(Step { duration_s: Some(f64::NAN), ..good.clone() });
    refused(Step { duration_s: Some(1e9), ..good.clone() });
    refused(Step { period_s: Some(0.0), ..good.clone() });
    refused(Step { control: Control::Resistance { ohms: 0.0 }, ..good.clone() });
    refused(Step { control: Control::Power { watts: f64::NAN }, ..good.clone() });
    refused(good.clone().until_voltage_below(f64::INFINITY));
    refused(good.clone().until_current_below(-1.0));
    refused(good.until(Limit::VoltageSlopeBelow { volts_per_second: 0.0 }));
}

#[test]
fn limits_are_met_from_the_right_side() {
    let state = StepState {
        voltage_v: 3.6,
        current_a: -2.0,
        temperature_k: 310.0,
        time_s: 30.0,
        charge_ah: -0.5,
        voltage_slope_v_per_s: -2e-6,
    };
    let gap = |limit: Limit| (limit.gap(&state, 4.0) * 1e9).round() / 1e9;
    assert_eq!(gap(Limit::VoltageBelow { volts: 3.5 }), 0.1);
    assert_eq!(gap(Limit::VoltageAbove { volts: 3.5 }), -0.1);
    assert_eq!(gap(Limit::CurrentBelow { amperes: 0.5 }), 1.5);
    assert_eq!(gap(Limit::CurrentAbove { amperes: 0.5 }), -1.5);
    assert_eq!(gap(Limit::CRateBelow { rate: 0.25 }), 1.0);
    assert_eq!(gap(Limit::CRateAbove { rate: 1.0 }), 2.0);
    assert_eq!(gap(Limit::ChargeAbove { ampere_hours: 0.75 }), 0.25);
    assert_eq!(gap(Limit::TemperatureAbove { kelvin: 300.0 }), -10.0);
    assert_eq!(gap(Limit::TemperatureBelow { kelvin: 300.0 }), 10.0);
    assert_eq!(gap(Limit::VoltageSlopeBelow { volts_per_second: 1e-6 }), 1e-6);
    assert_eq!(gap(Limit::Custom(Condition::parse("V + 0.1*I + T/310 + t/30 + 2*Q > 5").unwrap())), 0.6);
}

#[test]
fn steps_without_duration_have_a_longest_one() {
    let of = |control: Control| Step::new(control).longest_s(4.0);
    assert_eq!(of(Control::Current { amperes: -2.0 }), (72_000.0, false));
    assert_eq!(of(Control::CRate(0.5)), (72_000.0, false));
    assert_eq!(of(Control::Power { watts: 10.0 }), (72_000.0, false));
    assert_eq!(of(Control::Resistance { ohms: -0.5 }), (72_000.0, false));
    assert_eq!(of(Control::Rest), (172_800.0, false));
    assert_eq!(of(Control::CRate(0.0)), (172_800.0, false));
    assert_eq!(of(Control::Voltage { volts: 4.0 }), (172_800.0, false));
    assert_eq!(of(Control::CRate(1e-9)), (3.2e8, false));
    assert_eq!(Step::lasting(Control::Rest, 5.0).longest_s(4.0), (5.0, true));
}

#[test]
fn runs_end_steps_by_charge_condition_slope_and_longest_duration() {
    let p = ParameterSet::marquis2019().unwrap();
    let capacity = p.nominal_capacity_ah;
    let steps = vec![
        Step::new(Control::CRate(1.0)).until(Limit::ChargeAbove { ampere_hours: 0.1 * capacity }),
        Step::new(Control::Rest).until(Limit::VoltageSlopeBelow { volts_per_second: 1e-6 }),
        Step::new(Control::CRate(1.0))
            .until(Limit::Custom(Condition::parse("t < 100 + 0 * V").unwrap()))
            .until(Limit::Custom(Condition::parse("900 - t").unwrap())),
        Step::new(Control::CRate(1.0)).until(Limit::Custom(Condition::parse("900 - t").unwrap())),
        Step::lasting(Control::CRate(-1.0), 60.0),
        Step::new(Control::Rest).until(Limit::TemperatureBelow { kelvin: 200.0 }),
    ];
    let solution = solve(&p, &Protocol::sequence(steps), &DfnOptions::default(), &[]).unwrap();
    let ends: Vec<EndReason> = solution.steps.iter().map(|s| s.end_reason).collect();
    use EndReason as R;
    let wanted = [R::Charge, R::VoltageSlope, R::Condition, R::Condition, R::TimeLimit, R::LongestDuration];
    assert_eq!(ends, wanted);
    let duration = |i: usize| solution.steps[i].end_s - solution.steps[i].start_s;
    assert!((duration(0) - 360.0).abs() < 1e-4, "{}", duration(0));
    assert!((solution.steps[0].charge_ah - 0.1 * capacity).abs() < 1e-8);
    assert!(duration(1) > 60.0 && duration(1) < 172_800.0, "{}", duration(1));
    assert_eq!(duration(2), 0.0);
    assert!((duration(3) - 900.0).abs() < 1e-4, "{}", duration(3));
    assert!((duration(5) - 172_800.0).abs() < 1e-6);
    assert!(ends.iter().map(|e| e.warning().is_some()).eq([false, false, false, false, false, true]));
}

/// Charge limits count from the start of their step, whatever was drawn before, and without `leaves_repeat` a
/// repeat goes on.
#[test]
fn charge_is_counted_from_the_start_of_each_step() {
    let p = ParameterSet::marquis2019().unwrap();
    let charge = 0.05 * p.nominal_capacity_ah;
    let steps = [1.0, -0.5]
        .map(|rate| Step::new(Control::CRate(rate)).until(Limit::ChargeAbove { ampere_hours: charge }));
    let solution = solve(&p, &Protocol::cycles(3, steps.to_vec()), &DfnOptions::default(), &[]).unwrap();
    assert_eq!(solution.steps.len(), 6);
    for (index, step) in solution.steps.iter().enumerate() {
        let wanted = if index % 2 == 0 { charge } else { -charge };
        assert!((step.charge_ah - wanted).abs() < 1e-7, "{index}: {}", step.charge_ah);
        assert_eq!((step.end_reason, step.cycle), (EndReason::Charge, index / 2));
    }
}

/// The slope that ends a rest is that of the voltage told at the outputs.
#[test]
fn the_slope_that_ends_a_rest_is_that_of_the_voltage() {
    let p = ParameterSet::chen2020().unwrap();
    let slope = 2e-6;
    let run = |times: &[f64]| {
        let steps = vec![
            Step::lasting(Control::CRate(1.0), 1200.0),
            Step::new(Control::Rest).until(Limit::VoltageSlopeBelow { volts_per_second: slope }),
            Step::lasting(Control::Rest, 600.0),
        ];
        solve(&p, &Protocol::sequence(steps), &DfnOptions::default(), times).unwrap()
    };
    let end = run(&[]).steps[1].end_s;
    let solution = run(&[end - 20.0, end + 20.0]);
    let found = (solution.voltage_v[1] - solution.voltage_v[0]) / 40.0;
    assert!((found / slope - 1.0).abs() < 0.02, "{found} at {end}");
}

#[test]
fn a_step_that_leaves_its_repeat_ends_it() {
    let p = ParameterSet::marquis2019().unwrap();
    let mut pulse = Step::lasting(Control::CRate(1.0), 600.0).until_voltage_below(3.55);
    pulse.leaves_repeat = true;
    let items = vec![ProtocolItem::Step(pulse), rest(60.0)];
    let protocol = Protocol { items: vec![repeat(20, items), rest(10.0)] };
    let solution = solve(&p, &protocol, &DfnOptions::default(), &[]).unwrap();
    let last = solution.steps.len() - 1;
    assert!(last > 5 && last < 40, "{last}");
    for (index, step) in solution.steps.iter().enumerate() {
        let met = index == last - 1;
        assert_eq!(step.end_reason == EndReason::MinimumVoltage, met, "{index}");
    }
    assert_eq!(solution.steps[last].end_s - solution.steps[last].start_s, 10.0);
    assert_eq!(solution.steps[last].cycle, solution.steps[last - 1].cycle + 1);
}

#[test]
fn a_condition_without_value_is_an_error() {
    let p = ParameterSet::marquis2019().unwrap();
    let step = Step::new(Control::CRate(1.0)).until(Limit::Custom(Condition::parse("log(-V) < 1").unwrap()));
    let error = solve(&p, &Protocol::sequence(vec![step]), &DfnOptions::default(), &[]).unwrap_err();
    assert!(error.to_string().contains("has no value"), "{error}");
}

#[test]
fn conditions_are_read_with_places_of_faults() {
    let column = |text: &str| match Condition::parse(text) {
        Err(CellError::Formula { column, .. }) => column,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(column("V < x"), 5);
    assert_eq!(column("V < 3 < 4"), 7);
    assert_eq!(column("Ω < 3"), 1);
    assert_eq!(column(""), 1);
    assert_eq!(column("V <"), 4);
    let value = |text: &str| Condition::parse(text).unwrap().value([1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(value("V + 10*I + 100*T + 1000*t + 10000*Q"), 54_321.0);
    assert_eq!(value("V <= I"), -1.0);
    assert_eq!(value("V >= I"), 1.0);
    let message = Condition::parse("x + 1").unwrap_err().to_string();
    assert!(message.contains("V, I, T, t, Q"), "{message}");
}

#[test]
fn protocols_survive_documents() {
    let mut step =
        Step::new(Control::CRate(1.0)).until(Limit::Custom(Condition::parse("V < 3 + I").unwrap()));
    step.leaves_repeat = true;
    let protocol = Protocol { items: vec![repeat(3, vec![ProtocolItem::Step(step), rest(3.0)]), rest(2.0)] };
    let text = serde_json::to_string(&protocol).unwrap();
    assert_eq!(serde_json::from_str::<Protocol>(&text).unwrap(), protocol);
}
