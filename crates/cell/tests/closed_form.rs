//! The closed form of the single-particle model against formulas, against the general solver, and its limits.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use scalade_cell::{
    AgeingOptions, CellError, Checkpoint, Condition, Control, DfnOptions, DfnSolution, EndReason, FARADAY,
    Limit, ModelKind, Outside, ParameterSet, ParticleMeshOptions, Property, Protocol, ProtocolItem,
    RadiusDistribution, Record, SeiLaw, SphereSeries, Step, StepSummary, Table, Thermal, Watch,
    single_particle_voltage, solve, solve_to_tolerance, solve_watched,
};

fn spm() -> DfnOptions {
    DfnOptions { model: ModelKind::Spm, ..DfnOptions::default() }
}

/// The system of equations on a fine mesh: the closed form has no audit of mixing.
fn general() -> DfnOptions {
    let mut options = DfnOptions { rtol: 1e-9, atol: 1e-10, audit_heat_of_mixing: true, ..spm() };
    for electrode in [&mut options.mesh.negative, &mut options.mesh.positive] {
        electrode.particle = ParticleMeshOptions::even(1, 24);
    }
    options
}

/// The closed form makes no linearisations.
fn in_closed_form(solution: &DfnSolution) -> bool {
    solution.work.linearizations == 0 && solution.work.residuals > 0
}

fn run(p: &ParameterSet, steps: Vec<Step>, times: &[f64]) -> DfnSolution {
    let solution = solve(p, &Protocol::sequence(steps), &spm(), times).unwrap();
    assert!(in_closed_form(&solution), "{:?}", solution.work);
    solution
}

/// 1 A/m2 through the whole area, A.
fn density(p: &ParameterSet, amperes_per_m2: f64) -> Control {
    Control::Current { amperes: amperes_per_m2 * p.total_area_m2() }
}

/// Reference values of the closed form (Marquis2019 at 24 A/m2).
#[test]
fn reference_voltages() {
    let p = ParameterSet::marquis2019().unwrap();
    let times = [60.0, 600.0, 1800.0, 3000.0];
    let solution = run(&p, vec![Step::lasting(density(&p, 24.0), 3100.0)], &times);
    for (v, r) in solution.voltage_v.iter().zip([3.765961983, 3.710353503, 3.631043544, 3.595353649]) {
        assert!((v - r).abs() < 1e-8, "{v} against {r}");
    }
    assert_eq!((solution.time_s.as_slice(), solution.end_reason), (&times[..], EndReason::TimeLimit));
    assert_eq!(solution.end_time_s, 3100.0);
}

#[test]
fn voltages_are_those_of_the_formula_at_all_times() {
    let series = SphereSeries::new(4000);
    for (p, current) in [
        (ParameterSet::marquis2019().unwrap(), 24.0),
        (ParameterSet::chen2020().unwrap(), 48.0),
        (ParameterSet::prada2013().unwrap(), 10.0),
        (ParameterSet::bundled("OKane2022").unwrap(), 30.0),
    ] {
        let mut p = p;
        p.initial_temperature_k += 7.0;
        let times: Vec<f64> = (0..200).map(|i| 1e-4 * 1.08_f64.powi(i)).filter(|t| *t < 3000.0).collect();
        let solution = run(&p, vec![Step::lasting(density(&p, current), 3000.0)], &times);
        for (t, v) in solution.time_s.iter().zip(&solution.voltage_v) {
            let mut wanted = single_particle_voltage(&p, current, *t, &series).unwrap();
            wanted -= current * p.total_area_m2() * p.contact_resistance_ohm;
            assert!((v - wanted).abs() < 1e-11, "{} at {t} s: {v} against {wanted}", p.name);
        }
        assert_eq!(solution.time_s.len(), times.len());
    }
}

#[test]
fn cut_off_is_where_the_formula_meets_it() {
    let series = SphereSeries::default();
    for p in [ParameterSet::marquis2019().unwrap(), ParameterSet::chen2020().unwrap()] {
        let solution = solve(&p, &Protocol::discharge(1.0, p.lower_voltage_v), &spm(), &[]).unwrap();
        let current = p.current_of_rate(1.0) / p.total_area_m2();
        let at = |t: f64| single_particle_voltage(&p, current, t, &series).unwrap() - p.lower_voltage_v;
        assert_eq!(solution.end_reason, EndReason::MinimumVoltage);
        assert!((solution.end_voltage_v - p.lower_voltage_v).abs() < 1e-10);
        // 1e-10 of the time on both sides.
        let width = 1e-10 * solution.end_time_s;
        assert!(at(solution.end_time_s - width) > 0.0 && at(solution.end_time_s + width) < 0.0, "{}", p.name);
        let hours = solution.end_time_s / 3600.0;
        assert!((solution.end_capacity_ah - p.current_of_rate(1.0) * hours).abs() < 1e-14 * hours);
    }
}

fn close(what: &str, found: f64, wanted: f64, tolerance: f64) -> Result<(), TestCaseError> {
    prop_assert!((found - wanted).abs() <= tolerance, "{what}: {found} against {wanted}");
    Ok(())
}

/// One step: C-rate (0 rests), duration, and whether it has the voltage limits of the set.
fn steps() -> impl Strategy<Value = Vec<(f64, f64, bool)>> {
    let rate = prop_oneof![Just(0.0), 0.2..2.0, -1.0..-0.2];
    prop::collection::vec((rate, 120.0..2500.0, any::<bool>()), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Any cell that has a closed form, any row of steps, at the tolerance of the general solver.
    #[test]
    fn agrees_with_the_general_solver(
        cell in 0..6_usize,
        charged in 0.3..0.95,
        warmer in prop_oneof![Just(0.0), -15.0..15.0],
        ohms in prop_oneof![Just(0.0), 1e-4..1e-2],
        steps in steps(),
    ) {
        let name = ["Marquis2019", "Chen2020", "Prada2013", "Mohtat2020", "Xu2019", "Ai2020"][cell];
        let mut p = ParameterSet::bundled(name).unwrap().started_at_state_of_charge(charged).unwrap();
        p.initial_temperature_k += warmer;
        p.contact_resistance_ohm = ohms / p.nominal_capacity_ah;
        let (low, high) = (p.lower_voltage_v, p.upper_voltage_v);
        let protocol = Protocol::sequence(steps.iter().map(|(rate, duration, limited)| {
            let step = Step::lasting(Control::CRate(*rate), *duration);
            if *limited { step.until_voltage_below(low).until_voltage_above(high) } else { step }
        }).collect());
        let times: Vec<f64> = (0..60).map(|i| 0.37 + 171.3 * f64::from(i)).collect();
        // At the usual margin a restart beside empty particles has no time step at 1e-9 V.
        let at_margin = |options: DfnOptions| DfnOptions { stoichiometry_margin: 1e-4, ..options };
        let closed = solve(&p, &protocol, &at_margin(spm()), &times).unwrap();
        prop_assert!(in_closed_form(&closed));
        let general = solve(&p, &protocol, &at_margin(general()), &times).unwrap();
        prop_assert!(general.work.linearizations > 0 || general.end_time_s == 0.0);
        prop_assert_eq!(closed.steps.len(), general.steps.len());
        let mut starts = Vec::new();
        for (a, b) in closed.steps.iter().zip(&general.steps) {
            prop_assert_eq!(a.end_reason, b.end_reason);
            prop_assert_eq!(a.cycle, b.cycle);
            // Where the voltage hardly falls, its error moves the end of a step; what comes later moves with it.
            close("end of step", a.end_s, b.end_s, 1e-5 * (1.0 + b.end_s))?;
            let capacity = p.nominal_capacity_ah;
            close("charge of step", a.charge_ah, b.charge_ah, 1e-5 * capacity)?;
            close("energy of step", a.energy_wh, b.energy_wh, 4e-5 * capacity)?;
            starts.push(a.start_s);
            starts.push(b.start_s);
        }
        let area = p.total_area_m2();
        prop_assert_eq!(&closed.time_s, &general.time_s);
        for (i, t) in closed.time_s.iter().enumerate() {
            // The mesh does not resolve the first seconds after a jump of the current.
            let after = starts.iter().map(|s| t - s).filter(|d| *d > -1.0).fold(f64::INFINITY, f64::min);
            if after < 5.0 { continue; }
            close("voltage", closed.voltage_v[i], general.voltage_v[i], 2e-6)?;
            close("current", closed.current_a[i], general.current_a[i], 1e-12 * area)?;
            close("charge", closed.discharge_capacity_ah[i], general.discharge_capacity_ah[i], 1e-5 * p.nominal_capacity_ah)?;
        }
        close("end", closed.end_time_s, general.end_time_s, 1e-5 * (1.0 + general.end_time_s))?;
        let exhausted = [EndReason::NegativeStoichiometry, EndReason::PositiveStoichiometry];
        // Where particles run empty or full the voltage changes without bound.
        if !closed.steps.iter().any(|step| exhausted.contains(&step.end_reason))
            && (low - 0.1..high + 0.1).contains(&closed.end_voltage_v)
        {
            close("end voltage", closed.end_voltage_v, general.end_voltage_v, 2e-6)?;
        }
        let scale = 3600.0 * p.nominal_capacity_ah;
        let (a, b) = (&closed.energy, &general.energy);
        for (what, a, b) in [
            ("electrical", a.electrical_j, b.electrical_j),
            ("contact", a.ohmic_solid_j, b.ohmic_solid_j),
            ("reaction", a.reaction_j, b.reaction_j),
            ("reversible", a.reversible_j, b.reversible_j),
        ] {
            close(what, a, b, 4e-5 * scale)?;
        }
        // Energy balance with the mixing and the change of free energy of the system of equations; these are those
        // at the reference temperature, and their quadrature is not made for tables.
        let audited = name != "Ai2020" && warmer == 0.0;
        let balance = a.electrical_j + a.ohmic_solid_j + a.reaction_j + b.mixing_j + b.free_energy_change_j;
        prop_assert!(!audited || balance.abs() < 1e-4 * scale, "energy balance: {balance}");
        for (a, b) in [
            (closed.negative_stoichiometry, general.negative_stoichiometry),
            (closed.positive_stoichiometry, general.positive_stoichiometry),
        ] {
            // The general solver also counts what its last time step overstepped a limit by.
            prop_assert!((-1e-5..0.03).contains(&(a.low - b.low)), "least stoichiometry: {a:?} {b:?}");
            prop_assert!((-1e-5..0.03).contains(&(b.high - a.high)), "largest stoichiometry: {a:?} {b:?}");
        }
        prop_assert!(a.residual_j.abs() < 1e-12 * scale && a.surface_work_j.is_finite());
        close("surface work", a.surface_work_j, b.surface_work_j, 4e-5 * scale)?;
        let inventory = &closed.inventory;
        close("lithium", inventory.solid_lithium_mol, general.inventory.solid_lithium_mol, 1e-12)?;
        prop_assert!(inventory.solid_lithium_drift < 1e-12 && inventory.coulomb_count_error < 1e-12);
        prop_assert!(inventory.charge_balance_error < 1e-14);
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// A dip of the open-circuit potential through the limit, as narrow as promised, is not stepped over.
    #[test]
    fn narrow_dips_end_the_step(centre in 0.4..0.75, width in 0.005..0.02, depth in 0.02..0.2, above in 0.05..0.9) {
        let mut p = ParameterSet::chen2020().unwrap();
        let text = format!("4.2 - 0.5*x - {depth}*exp(-((x - {centre})/{width})**2)");
        p.positive.material.open_circuit.at_reference = Property::formula(&text).unwrap();
        p.negative.porous_mut().unwrap().material.open_circuit.at_reference = Property::Constant(0.1);
        let step = || Step::lasting(Control::CRate(1.0), 3300.0);
        let times: Vec<f64> = (0..=6600).map(|i| 0.5 * f64::from(i)).collect();
        let whole = run(&p, vec![step()], &times);
        // A voltage between the bottom of the dip and the shoulder before it.
        let x = |t: f64| {
            let half = times.partition_point(|s| *s < t);
            whole.voltage_v[half.min(6600)]
        };
        let found = whole.voltage_v.windows(3).position(|w| w[1] < w[0] && w[1] <= w[2]);
        prop_assume!(found.is_some());
        let bottom = x(times[found.unwrap() + 1]);
        let after = whole.voltage_v[found.unwrap() + 1..].iter().copied().fold(f64::MIN, f64::max);
        prop_assume!(after > bottom + 1e-4);
        let limit = bottom + above * (after - bottom);
        let ended = run(&p, vec![step().until_voltage_below(limit)], &[]);
        let first = whole.voltage_v.iter().position(|v| *v <= limit).unwrap();
        prop_assert_eq!(ended.end_reason, EndReason::MinimumVoltage);
        prop_assert!(
            ended.end_time_s <= times[first] && ended.end_time_s >= times[first - 1],
            "{} is not within {} and {}", ended.end_time_s, times[first - 1], times[first]
        );
    }
}

/// Integral of the voltage over the outputs by Simpson's rule in the square root of time.
#[test]
fn energies_are_the_integrals_of_the_outputs() {
    let p = ParameterSet::marquis2019().unwrap();
    let (duration, n) = (3400.0, 4000);
    let root = |i: usize| (i as f64 / n as f64).powi(2) * duration;
    let times: Vec<f64> = (0..=n).map(root).collect();
    let options = DfnOptions { rtol: 1e-9, ..spm() };
    let protocol = Protocol::sequence(vec![Step::lasting(Control::CRate(1.0), duration)]);
    let solution = solve(&p, &protocol, &options, &times).unwrap();
    assert!(in_closed_form(&solution));
    let simpson: f64 = (0..=n)
        .map(|i| {
            let weight = if i == 0 || i == n { 1.0 } else { 2.0 + 2.0 * (i % 2) as f64 };
            let jacobian = 2.0 * duration * i as f64 / n as f64;
            weight / (3.0 * n as f64) * jacobian * solution.voltage_v[i]
        })
        .sum();
    let wanted = p.current_of_rate(1.0) * simpson;
    assert!((solution.energy.electrical_j / wanted - 1.0).abs() < 1e-10, "{wanted}");
    assert!((solution.steps[0].energy_wh * 3600.0 / wanted - 1.0).abs() < 1e-10);
    // At default tolerance too, nearly.
    let default = solve(&p, &protocol, &spm(), &[]).unwrap();
    assert!((default.energy.electrical_j / wanted - 1.0).abs() < 1e-6);
    assert!((default.energy.reversible_j / solution.energy.reversible_j - 1.0).abs() < 1e-3);
    assert!(default.work.residuals < 110, "{:?}", default.work);
}

#[test]
fn limits_of_every_kind() {
    let p = ParameterSet::chen2020().unwrap().started_at_state_of_charge(0.6).unwrap();
    let one = |step: Step| {
        let solution = run(&p, vec![step], &[]);
        (solution.end_reason, solution.end_time_s, solution.end_voltage_v)
    };
    let discharge = || Step::lasting(Control::CRate(0.5), 36_000.0);
    let charge = || Step::lasting(Control::CRate(-0.5), 36_000.0);
    let (reason, _, volts) = one(discharge().until_voltage_below(3.2));
    assert!(reason == EndReason::MinimumVoltage && (volts - 3.2).abs() < 1e-10);
    let (reason, _, volts) = one(charge().until_voltage_above(4.1));
    assert!(reason == EndReason::MaximumVoltage && (volts - 4.1).abs() < 1e-10);
    // 0.7 A h at 2.5 A.
    let (reason, time, _) = one(discharge().until(Limit::ChargeAbove { ampere_hours: 0.7 }));
    assert!(reason == EndReason::Charge && (time - 0.28 * 3600.0).abs() < 1e-9);
    let (reason, time, _) = one(charge().until(Limit::ChargeAbove { ampere_hours: 0.7 }));
    assert!(reason == EndReason::Charge && (time - 0.28 * 3600.0).abs() < 1e-9);
    // Constant quantities meet their limits at once or never.
    for (limit, expected) in [
        (Limit::CurrentBelow { amperes: 2.6 }, Some(EndReason::MinimumCurrent)),
        (Limit::CurrentBelow { amperes: 2.4 }, None),
        (Limit::CurrentAbove { amperes: 2.4 }, Some(EndReason::MaximumCurrent)),
        (Limit::CurrentAbove { amperes: 2.6 }, None),
        (Limit::CRateBelow { rate: 0.51 }, Some(EndReason::MinimumCurrent)),
        (Limit::CRateAbove { rate: 0.49 }, Some(EndReason::MaximumCurrent)),
        (Limit::CRateAbove { rate: 0.51 }, None),
        (Limit::TemperatureAbove { kelvin: 298.0 }, Some(EndReason::MaximumTemperature)),
        (Limit::TemperatureAbove { kelvin: 299.0 }, None),
        (Limit::TemperatureBelow { kelvin: 299.0 }, Some(EndReason::MinimumTemperature)),
        (Limit::VoltageBelow { volts: 5.0 }, Some(EndReason::MinimumVoltage)),
        (Limit::VoltageAbove { volts: 1.0 }, Some(EndReason::MaximumVoltage)),
    ] {
        let (reason, time, _) = one(Step::lasting(Control::CRate(0.5), 60.0).until(limit.clone()));
        let wanted = expected.map_or((EndReason::TimeLimit, 60.0), |reason| (reason, 0.0));
        assert_eq!((reason, time), wanted, "{limit:?}");
    }
    // The first of several.
    let (reason, _, _) =
        one(discharge().until(Limit::ChargeAbove { ampere_hours: 10.0 }).until_voltage_below(3.4));
    assert_eq!(reason, EndReason::MinimumVoltage);
    let step = Step::new(Control::CRate(0.01)).until(Limit::ChargeAbove { ampere_hours: 1e3 });
    let (reason, time, _) = one(step);
    assert_eq!(reason, EndReason::NegativeStoichiometry);
    assert!(time < 3.6e6);
}

/// A rest in which the voltage recovers through a limit, on the way up and, after a charge, on the way down.
#[test]
fn rests_meet_voltage_limits() {
    let p = ParameterSet::chen2020().unwrap().started_at_state_of_charge(0.5).unwrap();
    for (rate, direction) in [(1.0, 1.0), (-1.0, -1.0)] {
        let pulse = || Step::lasting(Control::CRate(rate), 600.0);
        let rest = || Step::lasting(Control::Rest, 3600.0);
        let times: Vec<f64> = (0..=3600).map(|i| 600.0 + f64::from(i)).collect();
        let whole = run(&p, vec![pulse(), rest()], &times);
        let limit = 0.5 * (whole.voltage_v[20] + whole.end_voltage_v);
        let limited = if direction > 0.0 {
            rest().until_voltage_above(limit)
        } else {
            rest().until_voltage_below(limit)
        };
        let solution = run(&p, vec![pulse(), limited], &[]);
        let first = whole.voltage_v.iter().skip(1).position(|v| (v - limit) * direction >= 0.0).unwrap() + 1;
        assert!(solution.end_time_s > times[first - 1] && solution.end_time_s <= times[first]);
        assert!((solution.end_voltage_v - limit).abs() < 1e-10);
        assert_eq!(solution.steps.len(), 2);
    }
}

/// Particles run empty or full exactly at the margin, whatever the voltage is.
#[test]
fn particles_end_the_step_at_the_margin() {
    let (marquis, chen) = (ParameterSet::marquis2019().unwrap(), ParameterSet::chen2020().unwrap());
    let mut ends = Vec::new();
    for (p, rate, margin) in [
        (&marquis, 1.0, 1e-6),
        (&marquis, 3.0, 1e-3),
        (&marquis, -1.0, 1e-6),
        (&chen, 1.0, 1e-6),
        (&chen, -0.1, 0.01),
    ] {
        let options = DfnOptions { stoichiometry_margin: margin, ..spm() };
        let protocol = Protocol::sequence(vec![Step::lasting(Control::CRate(rate), 2e5)]);
        let solution = solve(p, &protocol, &options, &[]).unwrap();
        assert!(in_closed_form(&solution));
        ends.push((solution.end_reason, rate > 0.0));
        let (negative, positive) = (solution.negative_stoichiometry, solution.positive_stoichiometry);
        let room = match (solution.end_reason, rate > 0.0) {
            (EndReason::NegativeStoichiometry, true) => negative.low,
            (EndReason::NegativeStoichiometry, false) => 1.0 - negative.high,
            (EndReason::PositiveStoichiometry, true) => 1.0 - positive.high,
            (EndReason::PositiveStoichiometry, false) => positive.low,
            other => panic!("{other:?}"),
        };
        assert!((room - margin).abs() < 1e-10, "{rate}: {room}");
        let general =
            solve(p, &protocol, &DfnOptions { stoichiometry_margin: margin, ..general() }, &[]).unwrap();
        assert_eq!(solution.end_reason, general.end_reason);
        assert!((solution.end_time_s / general.end_time_s - 1.0).abs() < 1e-6);
    }
    // Empty and full.
    assert!(ends.contains(&(EndReason::NegativeStoichiometry, true)), "{ends:?}");
    assert!(ends.contains(&(EndReason::PositiveStoichiometry, true)), "{ends:?}");
    assert!(ends.iter().any(|(_, discharged)| !discharged));
}

#[test]
fn repeats_profiles_and_outputs_are_those_of_the_general_solver() {
    let p = ParameterSet::chen2020().unwrap().started_at_state_of_charge(0.8).unwrap();
    let pulse = Step::lasting(Control::CRate(1.0), 300.0).until_voltage_below(3.4);
    let pulse = Step { leaves_repeat: true, ..pulse };
    let items = vec![
        ProtocolItem::Repeat {
            count: 20,
            items: vec![ProtocolItem::Step(pulse), ProtocolItem::Step(Step::lasting(Control::Rest, 200.0))],
        },
        ProtocolItem::Step(Step::new(Control::CRate(-2.0)).until_voltage_above(4.0)),
    ];
    let protocol = Protocol { items };
    let profile_times_s = vec![0.0, 150.0, 300.0, 1100.0, 1e6];
    let times = [0.0, 0.0, 300.0, 300.0, 500.0, 800.0, 1e5, 1e6];
    let closed =
        solve(&p, &protocol, &DfnOptions { profile_times_s: profile_times_s.clone(), ..spm() }, &times);
    let closed = closed.unwrap();
    let general = solve(&p, &protocol, &DfnOptions { profile_times_s, ..general() }, &times).unwrap();
    assert!(in_closed_form(&closed) && general.work.linearizations > 0);
    assert!(closed.steps.len() > 5 && closed.steps.len() < 41);
    assert_eq!(closed.steps.len(), general.steps.len());
    for (a, b) in closed.steps.iter().zip(&general.steps) {
        assert_eq!((a.cycle, a.end_reason), (b.cycle, b.end_reason));
        assert!((a.end_s - b.end_s).abs() < 1e-3, "{a:?} {b:?}");
    }
    assert_eq!(closed.time_s, general.time_s);
    for i in 0..closed.time_s.len() {
        assert!(
            (closed.voltage_v[i] - general.voltage_v[i]).abs() < 1e-4 * f64::from(u8::from(i < 2)) + 2e-6
        );
        assert!((closed.current_a[i] - general.current_a[i]).abs() < 1e-12);
    }
    assert_eq!(closed.profiles.len(), general.profiles.len());
    for (a, b) in closed.profiles.iter().zip(&general.profiles) {
        assert_eq!(a.time_s, b.time_s);
        assert!(a.position_m.is_empty() && a.electrolyte_concentration.is_empty());
        for (a, b) in [
            (&a.negative_surface_stoichiometry, &b.negative_surface_stoichiometry),
            (&a.positive_surface_stoichiometry, &b.positive_surface_stoichiometry),
            (&a.negative_interfacial_current, &b.negative_interfacial_current),
            (&a.positive_interfacial_current, &b.positive_interfacial_current),
        ] {
            assert!(a.len() == 1 && b.len() == 1 && (a[0] - b[0]).abs() < 1e-6, "{a:?} {b:?}");
        }
    }
}

/// Periods of steps and the samples that the run takes by itself, in order and with the ends of steps.
#[test]
fn periods_and_own_samples_are_outputs() {
    let p = ParameterSet::chen2020().unwrap();
    let periodic = |period_s| Step { period_s, ..Step::lasting(Control::CRate(1.0), 100.0) };
    let steps = || vec![periodic(Some(30.0)), periodic(None), periodic(Some(60.0))];
    let times = [30.0, 45.0, 150.0, 200.0, 260.0];
    let closed = run(&p, steps(), &times);
    let reference = solve(&p, &Protocol::sequence(steps()), &general(), &times).unwrap();
    assert_eq!(closed.time_s, [0.0, 30.0, 45.0, 60.0, 90.0, 100.0, 150.0, 200.0, 200.0, 260.0, 300.0]);
    assert_eq!(closed.time_s, reference.time_s);
    let dense = DfnOptions { record_every_step: true, ..spm() };
    let sampled = solve(&p, &Protocol::discharge(1.0, 2.5), &dense, &[0.0, 1000.0, 1000.0]).unwrap();
    assert!(in_closed_form(&sampled));
    let series = SphereSeries::default();
    let current = p.current_of_rate(1.0) / p.total_area_m2();
    for (t, v) in sampled.time_s.iter().zip(&sampled.voltage_v) {
        assert!((v - single_particle_voltage(&p, current, *t, &series).unwrap()).abs() < 1e-11);
    }
    assert!(sampled.time_s.windows(2).all(|w| w[0] < w[1] || w[0] == 1000.0));
    assert_eq!(sampled.time_s.iter().filter(|t| **t == 1000.0).count(), 2);
    assert_eq!(sampled.time_s.len(), 8 * sampled.work.steps + 3);
    assert_eq!((sampled.time_s[0], sampled.time_s.last()), (0.0, Some(&sampled.end_time_s)));
    assert!((sampled.voltage_v.last().unwrap() - 2.5).abs() < 1e-10);
}

/// A sample that falls on an output is kept once.
#[test]
fn own_samples_on_outputs_are_kept_once() {
    let p = ParameterSet::chen2020().unwrap();
    let options = DfnOptions { record_every_step: true, ..spm() };
    let protocol = Protocol::sequence(vec![
        Step::lasting(Control::CRate(1.0), 500.0),
        Step::lasting(Control::Rest, 500.0),
    ]);
    let run = |times: &[f64]| solve(&p, &protocol, &options, times).unwrap().time_s;
    assert_eq!(run(&[]), run(&[0.0, 500.0, 1000.0]));
    assert!(run(&[]).windows(2).all(|w| w[0] < w[1]));
}

/// A run that is followed makes its records and checkpoints, which the closed form does not.
#[test]
fn followed_runs_are_left_to_the_general_solver() {
    #[derive(Default)]
    struct Count(usize, usize);
    impl Watch for Count {
        fn record(&mut self, _: &Record) -> bool {
            self.0 += 1;
            false
        }
        fn step_done(
            &mut self,
            _: &StepSummary,
            make: &mut dyn FnMut() -> Checkpoint,
        ) -> Result<(), CellError> {
            self.1 += make().steps_done();
            Ok(())
        }
    }
    let p = ParameterSet::chen2020().unwrap();
    let protocol = Protocol::sequence(vec![Step::lasting(Control::CRate(1.0), 500.0); 2]);
    let mut count = Count::default();
    let outcome = solve_watched(&p, &protocol, &spm(), &[100.0, 600.0], None, &mut count).unwrap();
    assert!(outcome.failure.is_none() && !in_closed_form(&outcome.solution));
    assert_eq!((count.0, count.1), (2, 3));
}

/// A wanted accuracy is reached without refinement.
#[test]
fn runs_to_a_tolerance_need_no_second_run() {
    let p = ParameterSet::marquis2019().unwrap();
    let protocol = Protocol::discharge(1.0, 3.105);
    let run = solve_to_tolerance(&p, &protocol, &spm(), &[600.0], 1e-6).unwrap();
    assert!(in_closed_form(&run.outcome.solution) && run.outcome.failure.is_none() && !run.not_reached);
    assert!(run.voltage_error_v.unwrap() < 1e-9 && run.end_time_error_s.unwrap() < 1e-6);
    assert_eq!((run.compared_steps, run.states, run.options.rtol), (0, 0, 1e-6));
    assert!(solve_to_tolerance(&p, &protocol, &spm(), &[-1.0], 1e-6).is_err());
}

/// Ten thousand short pulses: the history of the flux is kept in a bounded state.
#[test]
fn many_short_steps() {
    let p = ParameterSet::chen2020().unwrap();
    let cycle = vec![Step::lasting(Control::CRate(2.0), 0.5), Step::lasting(Control::Rest, 0.5)];
    let solution = solve(&p, &Protocol::cycles(5000, cycle), &spm(), &[]).unwrap();
    assert!(in_closed_form(&solution) && solution.steps.len() == 10_000);
    // What is left of the pulses is their mean: a rest after them ends where one after the mean current does.
    let after = |mut steps: Vec<ProtocolItem>| {
        steps.push(ProtocolItem::Step(Step::lasting(Control::Rest, 40_000.0)));
        solve(&p, &Protocol { items: steps }, &spm(), &[]).unwrap()
    };
    let cycle = vec![
        ProtocolItem::Step(Step::lasting(Control::CRate(2.0), 0.5)),
        ProtocolItem::Step(Step::lasting(Control::Rest, 0.5)),
    ];
    let pulsed = after(vec![ProtocolItem::Repeat { count: 1800, items: cycle }]);
    let even = after(vec![ProtocolItem::Step(Step::lasting(Control::CRate(1.0), 1800.0))]);
    assert!((pulsed.end_capacity_ah - even.end_capacity_ah).abs() < 1e-12);
    assert!((pulsed.end_voltage_v - even.end_voltage_v).abs() < 1e-8);
    let drawn = even.end_capacity_ah * 3600.0 / FARADAY;
    assert!((drawn - 2.5 * 3600.0 / FARADAY).abs() < 1e-12);
}

/// What the closed form does not cover is left to the general solver, with its errors.
#[test]
fn everything_else_is_left_to_the_general_solver() {
    let p = ParameterSet::chen2020().unwrap();
    let newton = |p: &ParameterSet, step: Step| {
        solve(p, &Protocol::sequence(vec![step]), &spm(), &[]).unwrap().work.linearizations > 0
    };
    let minute = |control: Control| Step::lasting(control, 60.0);
    assert!(!newton(&p, minute(Control::CRate(1.0))));
    assert!(newton(&p, minute(Control::Voltage { volts: 4.0 })));
    assert!(newton(&p, minute(Control::Power { watts: 1.0 })));
    assert!(newton(&p, minute(Control::Resistance { ohms: 5.0 })));
    assert!(newton(
        &p,
        minute(Control::CRate(1.0)).until(Limit::VoltageSlopeBelow { volts_per_second: 1e-9 })
    ));
    let condition = Condition::parse("V < 1").unwrap();
    assert!(newton(&p, minute(Control::CRate(1.0)).until(Limit::Custom(condition))));
    assert!(newton(&ParameterSet::bundled("Ecker2015").unwrap(), minute(Control::CRate(1.0))));
    assert!(newton(&ParameterSet::bundled("Chen2020_composite").unwrap(), minute(Control::CRate(1.0))));
    let work = |p: &ParameterSet, options: &DfnOptions| {
        let protocol = Protocol::sequence(vec![minute(Control::CRate(1.0))]);
        solve(p, &protocol, options, &[]).unwrap().work.linearizations
    };
    assert!(work(&p, &DfnOptions { thermal: Thermal::Lumped, ..spm() }) > 0);
    assert!(work(&p, &DfnOptions { model: ModelKind::Spme, ..spm() }) > 0);
    let ageing = AgeingOptions { sei: SeiLaw::SolventDiffusion, ..AgeingOptions::default() };
    assert!(work(&ParameterSet::bundled("OKane2022").unwrap(), &DfnOptions { ageing, ..spm() }) > 0);
    let mut several = p.clone();
    several.positive.material.radius_distribution =
        Some(RadiusDistribution { relative_deviation: 0.3, classes: 5 });
    assert!(work(&several, &spm()) > 0);
    // A table that ends before the discharge does: the general solver says where.
    let mut short = p.clone();
    let table = Table::new(vec![0.2, 0.5, 0.6], vec![4.3, 3.9, 3.8], false, Outside::Error).unwrap();
    short.positive.material.open_circuit.at_reference = table.into();
    let protocol = Protocol::discharge(1.0, 2.5);
    let refused = solve(&short, &protocol, &spm(), &[]).unwrap_err();
    assert_eq!(
        refused,
        solve(&short, &protocol, &DfnOptions { audit_heat_of_mixing: true, ..spm() }, &[]).unwrap_err()
    );
    assert!(matches!(refused, CellError::TimeStep { time_s, .. } if time_s > 500.0), "{refused}");
    // With a policy the points are counted.
    let table = Table::new(vec![0.2, 0.5, 0.6], vec![4.3, 3.9, 3.8], false, Outside::Clamp).unwrap();
    short.positive.material.open_circuit.at_reference = table.into();
    let clamped = run(&short, vec![Step::lasting(Control::CRate(1.0), 3000.0)], &[]);
    assert!(clamped.work.outside_table > 0);
    // Too few panels are told.
    let few = DfnOptions { max_steps: 3, ..spm() };
    let refused = solve(&p, &protocol, &few, &[]).unwrap_err();
    assert!(matches!(refused, CellError::TooManySteps { steps: 3, .. }), "{refused}");
    let mut wrong = spm();
    wrong.mesh.order = 0;
    assert!(solve(&p, &protocol, &wrong, &[]).is_err());
    let mut nonsense = p.clone();
    nonsense.positive.material.diffusivity.at_reference = Property::Constant(f64::NAN);
    assert!(matches!(solve(&nonsense, &protocol, &spm(), &[]), Err(CellError::Parameter { .. })));
}
