//! Conservation, energy, symmetry, refinement and event properties of the whole model.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use scalade_cell::{
    Activated, Control, DfnOptions, DfnSolution, EndReason, MeshOptions, Outside, ParameterSet, Property,
    Protocol, Step, Table, Thermal, solve,
};

fn tight() -> DfnOptions {
    DfnOptions { rtol: 1e-7, atol: 1e-8, ..DfnOptions::default() }
}

fn assert_conserved(solution: &DfnSolution) {
    let inventory = &solution.inventory;
    assert!(inventory.solid_lithium_drift < 1e-12, "{inventory:?}");
    assert!(inventory.salt_drift < 1e-12, "{inventory:?}");
    assert!(inventory.coulomb_count_error < 1e-12, "{inventory:?}");
    assert!(inventory.charge_balance_error < 1e-12, "{inventory:?}");
}

/// Diffusivity that varies twentyfold, as a logarithmic table.
fn with_tabulated_diffusivity(mut p: ParameterSet) -> ParameterSet {
    let x: Vec<f64> = (0..=20).map(|i| f64::from(i) / 20.0).collect();
    let y = x.iter().map(|x| 1e-13 * 10.0_f64.powf(-1.3 * (-((x - 0.7) / 0.15).powi(2)).exp())).collect();
    p.positive.material.diffusivity = Activated::isothermal(Table::new(x, y, true, Outside::Error).unwrap());
    p
}

#[test]
fn lithium_salt_and_charge_are_conserved_in_every_model() {
    let marquis = ParameterSet::marquis2019().unwrap();
    let cases = [
        (marquis.clone(), Thermal::Isothermal, DfnOptions::default()),
        (marquis.clone(), Thermal::Lumped, DfnOptions::default()),
        (with_tabulated_diffusivity(marquis.clone()), Thermal::Isothermal, DfnOptions::default()),
        (
            marquis,
            Thermal::Isothermal,
            DfnOptions { mesh: MeshOptions::finite_volumes(10, 15), ..DfnOptions::default() },
        ),
        (ParameterSet::chen2020().unwrap(), Thermal::Lumped, DfnOptions::default()),
        (
            ParameterSet::prada2013().unwrap(),
            Thermal::Isothermal,
            DfnOptions { rtol: 1e-3, ..DfnOptions::default() },
        ),
    ];
    for (p, thermal, options) in cases {
        let options = DfnOptions { thermal, ..options };
        let solution = solve(&p, &Protocol::discharge(1.0, p.lower_voltage_v), &options, &[]).unwrap();
        assert_eq!(solution.end_reason, EndReason::MinimumVoltage);
        assert_conserved(&solution);
    }
}

/// Slow and long runs: rounding must not add up.
#[test]
fn conservation_holds_over_days() {
    let p = ParameterSet::chen2020().unwrap();
    let slow = solve(&p, &Protocol::discharge(0.02, 2.5), &DfnOptions::default(), &[]).unwrap();
    assert!(slow.end_time_s > 1.8e5);
    assert_conserved(&slow);
    let cycle = vec![
        Step::lasting(Control::CRate(1.0), 7200.0).until_voltage_below(2.5),
        Step::lasting(Control::CRate(-0.5), 14_400.0).until_voltage_above(4.2),
        Step::lasting(Control::Voltage { volts: 4.2 }, 14_400.0).until_current_below(0.25),
        Step::lasting(Control::CRate(0.0), 1800.0),
    ];
    let cycled = solve(&p, &Protocol::cycles(6, cycle), &DfnOptions::default(), &[]).unwrap();
    assert_eq!(cycled.steps.len(), 24);
    assert_conserved(&cycled);
    // Without ageing the cycles repeat.
    let (fifth, sixth) = (cycled.steps[16].charge_ah, cycled.steps[20].charge_ah);
    assert!((fifth - sixth).abs() < 1e-4, "{fifth} {sixth}");
}

#[test]
fn conservation_holds_through_a_protocol_with_constant_voltage_power_and_rest() {
    let p = ParameterSet::chen2020().unwrap();
    let protocol = Protocol::sequence(vec![
        Step::lasting(Control::CRate(1.0), 1200.0),
        Step::lasting(Control::CRate(0.0), 600.0),
        Step::lasting(Control::Power { watts: 10.0 }, 900.0),
        Step::lasting(Control::CRate(-0.5), 7200.0).until_voltage_above(4.2),
        Step::lasting(Control::Voltage { volts: 4.2 }, 20_000.0).until_current_below(0.25),
    ]);
    let times: Vec<f64> = (0..400).map(|i| f64::from(i) * 50.0).collect();
    let solution = solve(&p, &protocol, &DfnOptions::default(), &times).unwrap();
    assert_conserved(&solution);
    let reasons: Vec<EndReason> = solution.steps.iter().map(|s| s.end_reason).collect();
    use EndReason::{MaximumVoltage, MinimumCurrent, TimeLimit};
    assert_eq!(reasons, [TimeLimit, TimeLimit, TimeLimit, MaximumVoltage, MinimumCurrent]);
    let charge: f64 = solution.steps.iter().map(|s| s.charge_ah).sum();
    assert!((charge - solution.end_capacity_ah).abs() < 1e-12);
    for ((t, v), i) in solution.time_s.iter().zip(&solution.voltage_v).zip(&solution.current_a) {
        if *t > 1801.0 && *t < 2699.0 {
            assert!((v * i - 10.0).abs() < 1e-4, "power {} at {t}", v * i);
        }
        if *t > solution.steps[4].start_s {
            assert!((v - 4.2).abs() < 1e-6 && *i < 0.0);
        }
    }
    assert!((solution.steps[4].end_s - solution.steps[3].end_s) > 100.0);
}

/// Isothermal: electrical work + ohmic + reaction heat + dissipation in the particles + change of free
/// energy = 0. What is left is the integrator's tolerance and the quadrature error of the dissipation.
#[test]
fn energy_is_balanced_isothermally() {
    let p = ParameterSet::chen2020().unwrap();
    let options = DfnOptions { audit_heat_of_mixing: true, ..tight() };
    let protocol = Protocol::sequence(vec![Step::lasting(Control::CRate(1.0), 2400.0)]);
    let mut options_fine = options.clone();
    for electrode in [&mut options_fine.mesh.negative, &mut options_fine.mesh.positive] {
        electrode.particle.order = 24;
    }
    let e = solve(&p, &protocol, &options_fine, &[]).unwrap().energy;
    let sum = e.electrical_j
        + e.ohmic_solid_j
        + e.ohmic_electrolyte_j
        + e.reaction_j
        + e.mixing_j
        + e.free_energy_change_j;
    assert!(e.mixing_j > 1e-3 * e.electrical_j);
    assert!(sum.abs() < 1e-6 * e.electrical_j, "{sum} of {e:?}");
}

/// Lumped: heat stored and given away is the sum of the heats that are computed one by one.
#[test]
fn heat_split_adds_up_to_the_temperature_rise() {
    for p in [ParameterSet::marquis2019().unwrap(), ParameterSet::chen2020().unwrap()] {
        let adiabatic = {
            let mut p = p.clone();
            if let Some(thermal) = &mut p.thermal {
                thermal.heat_transfer_coefficient = 0.0;
            }
            p
        };
        let options = DfnOptions { thermal: Thermal::Lumped, ..tight() };
        let protocol = Protocol::sequence(vec![Step::lasting(Control::CRate(1.0), 3000.0)]);
        let solution = solve(&adiabatic, &protocol, &options, &[]).unwrap();
        let e = &solution.energy;
        assert!(e.residual_j.abs() < 1e-9 * e.electrical_j, "{e:?}");
        let heat = e.ohmic_solid_j + e.ohmic_electrolyte_j + e.reaction_j + e.reversible_j;
        assert!(solution.end_temperature_k > p.initial_temperature_k + 0.5);
        assert!((heat / e.stored_heat_j - 1.0).abs() < 1e-6, "{heat} against {e:?}");
    }
}

#[test]
fn rest_relaxes_to_the_open_circuit_voltage_of_the_mean_states() {
    let p = ParameterSet::marquis2019().unwrap();
    let rest = 200_000.0;
    let protocol = Protocol::sequence(vec![
        Step::lasting(Control::CRate(1.0), 1500.0),
        Step::lasting(Control::CRate(0.0), rest),
    ]);
    let solution = solve(&p, &protocol, &tight(), &[]).unwrap();
    let charge = solution.end_capacity_ah * 3600.0 / p.total_area_m2() / 96_485.332_12;
    let mean = |e: &scalade_cell::Electrode, sign: f64| {
        e.initial_content() + sign * charge * 96_485.332_12 / e.charge_per_area()
    };
    let u = |e: &scalade_cell::Electrode, x: f64| {
        e.material.open_circuit.at_reference.value([x, 1000.0, 0.0, 298.15]).unwrap()
    };
    let negative = p.negative.porous().unwrap();
    let expected = u(&p.positive, mean(&p.positive, 1.0)) - u(negative, mean(negative, -1.0));
    assert!(
        (solution.end_voltage_v - expected).abs() < 2e-6,
        "{} against {expected}",
        solution.end_voltage_v
    );
}

#[test]
fn exchanging_the_electrodes_mirrors_the_solution() {
    let p = with_tabulated_diffusivity(ParameterSet::marquis2019().unwrap());
    let times = [0.0, 60.0, 600.0, 1800.0];
    let mut options = DfnOptions { profile_times_s: vec![1800.0], ..tight() };
    options.mesh.negative.elements = 4;
    options.mesh.negative.particle.order = 9;
    let run = |p: &ParameterSet, options: &DfnOptions, rate: f64| {
        solve(p, &Protocol::sequence(vec![Step::lasting(Control::CRate(rate), 1900.0)]), options, &times)
            .unwrap()
    };
    let forward = run(&p, &options, 1.0);
    let mirror_options = DfnOptions { mesh: options.mesh.mirrored(), ..options.clone() };
    let mirror = run(&p.mirrored().unwrap(), &mirror_options, -1.0);
    for (a, b) in forward.voltage_v.iter().zip(&mirror.voltage_v) {
        assert!((a + b).abs() < 1e-6, "{a} {b}");
    }
    let (a, b) = (&forward.profiles[0], &mirror.profiles[0]);
    for (u, v) in a.electrolyte_concentration.iter().zip(b.electrolyte_concentration.iter().rev()) {
        assert!((u - v).abs() < 1e-3, "{u} {v}");
    }
}

/// A cell twice as large at twice the current gives the same voltage, bit for bit up to rounding of the
/// current density.
#[test]
fn area_and_current_scale_together() {
    let p = ParameterSet::marquis2019().unwrap();
    let mut large = p.clone();
    large.electrode_area_m2 *= 2.0;
    large.nominal_capacity_ah *= 2.0;
    let protocol = Protocol::discharge(1.0, 3.105);
    let a = solve(&p, &protocol, &DfnOptions::default(), &[100.0, 2000.0]).unwrap();
    let b = solve(&large, &protocol, &DfnOptions::default(), &[100.0, 2000.0]).unwrap();
    assert_eq!(a.voltage_v, b.voltage_v);
    assert_eq!(a.end_time_s, b.end_time_s);
    assert!((2.0 * a.end_capacity_ah - b.end_capacity_ah).abs() < 1e-14);
}

#[test]
fn event_time_does_not_depend_on_the_output_times() {
    let p = ParameterSet::chen2020().unwrap();
    let protocol = Protocol::discharge(1.0, 2.5);
    let options = DfnOptions::default();
    let none = solve(&p, &protocol, &options, &[]).unwrap();
    let times: Vec<f64> = (0..2000).map(|i| f64::from(i) * 1.9).collect();
    let many = solve(&p, &protocol, &options, &times).unwrap();
    assert_eq!(none.end_time_s, many.end_time_s);
    assert!((none.end_voltage_v - 2.5).abs() < 1e-8);
    // Ending before, by duration, changes the steps only at the end.
    let truncated = Protocol::sequence(vec![Step::lasting(Control::CRate(1.0), 3000.0)]);
    let short = solve(&p, &truncated, &options, &[2000.0]).unwrap();
    let long = solve(&p, &protocol, &options, &[2000.0]).unwrap();
    assert!((short.voltage_v[0] - long.voltage_v[0]).abs() < 2e-5);
}

/// Design order in the thickness: 2 for order 1, 4 for order 2 (nodal superconvergence), and in the radius
/// 2 for order 1.
#[test]
fn voltage_error_falls_at_the_design_order() {
    let p = ParameterSet::chen2020().unwrap();
    let voltage = |mesh: MeshOptions| {
        let options = DfnOptions { mesh, rtol: 1e-9, atol: 1e-10, ..DfnOptions::default() };
        let protocol = Protocol::sequence(vec![Step::lasting(Control::CRate(1.0), 1200.0)]);
        solve(&p, &protocol, &options, &[]).unwrap().end_voltage_v
    };
    let thickness = |order: usize, elements: usize| {
        let mut mesh = MeshOptions { order, separator_elements: elements, ..MeshOptions::default() };
        mesh.negative.elements = elements;
        mesh.positive.elements = elements;
        mesh
    };
    let exact = voltage(thickness(6, 6));
    let error = |mesh: MeshOptions| (voltage(mesh) - exact).abs();
    let ratio = error(thickness(1, 10)) / error(thickness(1, 20));
    assert!((ratio - 4.0).abs() < 0.4, "order 1: ratio {ratio}");
    let ratio = error(thickness(2, 4)) / error(thickness(2, 8));
    assert!(ratio > 11.0, "order 2: ratio {ratio}");
    let radial = |elements: usize| {
        let mut mesh = thickness(6, 6);
        for electrode in [&mut mesh.negative, &mut mesh.positive] {
            electrode.particle = scalade_cell::ParticleMeshOptions::even(elements, 1);
        }
        mesh
    };
    let ratio = error(radial(20)) / error(radial(40));
    assert!((ratio - 4.0).abs() < 0.6, "radius: ratio {ratio}");
}

/// Concentration-dependent diffusivity: the spectral particles and fine finite volumes tell the same.
#[test]
fn nonlinear_diffusion_agrees_between_schemes() {
    let p = with_tabulated_diffusivity(ParameterSet::marquis2019().unwrap());
    let protocol = Protocol::discharge(1.0, 3.105);
    let times = [60.0, 600.0, 1800.0, 3000.0];
    let mut options = tight();
    for electrode in [&mut options.mesh.negative, &mut options.mesh.positive] {
        electrode.particle.order = 20;
    }
    let spectral = solve(&p, &protocol, &options, &times).unwrap();
    let finite = |elements: usize| {
        let mut options = tight();
        options.mesh.positive.particle = scalade_cell::ParticleMeshOptions::even(elements, 1);
        solve(&p, &protocol, &options, &times).unwrap()
    };
    let (coarse, fine) = (finite(40), finite(80));
    for i in 0..times.len() {
        let extrapolated = (4.0 * fine.voltage_v[i] - coarse.voltage_v[i]) / 3.0;
        assert!(
            (extrapolated - spectral.voltage_v[i]).abs() < 2e-5,
            "{i}: {extrapolated} {}",
            spectral.voltage_v[i]
        );
    }
}

/// Tabulated material functions (potential, its entropic slope and the diffusivity) reproduce the formulas
/// they were taken from.
#[test]
fn tables_reproduce_formulas() {
    let p = ParameterSet::marquis2019().unwrap();
    let mut tabulated = p.clone();
    let x: Vec<f64> = (0..=4000).map(|i| 0.3 + 0.7 * f64::from(i) / 4000.0).collect();
    let of = |property: &Property| {
        x.iter().map(|x| property.value([*x, 1000.0, 0.0, 298.15]).unwrap()).collect::<Vec<_>>()
    };
    let table = |y: Vec<f64>| Property::from(Table::new(x.clone(), y, false, Outside::Error).unwrap());
    tabulated.positive.material.open_circuit.at_reference =
        table(of(&p.positive.material.open_circuit.at_reference));
    tabulated.positive.material.open_circuit.entropic_slope =
        table(of(&p.positive.material.open_circuit.entropic_slope));
    tabulated.positive.material.diffusivity.at_reference =
        Property::from(Table::new(vec![0.0, 1.0], vec![1e-13, 1e-13], true, Outside::Error).unwrap());
    let options = DfnOptions { thermal: Thermal::Lumped, ..DfnOptions::default() };
    let times = [60.0, 600.0, 1800.0, 3000.0];
    let protocol = Protocol::discharge(1.0, 3.105);
    let a = solve(&p, &protocol, &options, &times).unwrap();
    let b = solve(&tabulated, &protocol, &options, &times).unwrap();
    for i in 0..times.len() {
        assert!((a.voltage_v[i] - b.voltage_v[i]).abs() < 2e-5, "{} {}", a.voltage_v[i], b.voltage_v[i]);
        assert!((a.temperature_k[i] - b.temperature_k[i]).abs() < 2e-4);
    }
    assert!((a.end_time_s - b.end_time_s).abs() < 0.05);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// Whatever (decreasing) potential and (positive) diffusivity a smaller scale hands over: the run ends
    /// at a limit, conserves everything, and gives finite numbers inside the tables' range; or it says
    /// where it stopped.
    #[test]
    fn arbitrary_tables_give_a_conserved_run_or_an_error_with_its_place(
        drops in proptest::collection::vec(0.0_f64..1.0, 12),
        exponents in proptest::collection::vec(-15.0_f64..-12.0, 8),
        rate in 0.05_f64..2.0,
        lumped in any::<bool>(),
    ) {
        let mut p = ParameterSet::marquis2019().unwrap();
        let total: f64 = drops.iter().sum::<f64>() + 1e-3;
        let x: Vec<f64> = (0..=12).map(|i| 0.4 + 0.6 * f64::from(i) / 12.0).collect();
        let mut y = vec![4.4];
        for drop in &drops {
            y.push(y[y.len() - 1] - 1.2 * drop / total);
        }
        p.positive.material.open_circuit.at_reference = Table::new(x, y, false, Outside::Extend).unwrap().into();
        let x: Vec<f64> = (0..8).map(|i| 0.4 + 0.6 * f64::from(i) / 7.0).collect();
        let y = exponents.iter().map(|e| 10.0_f64.powf(*e)).collect();
        p.positive.material.diffusivity.at_reference = Table::new(x, y, true, Outside::Clamp).unwrap().into();
        let thermal = if lumped { Thermal::Lumped } else { Thermal::Isothermal };
        let options = DfnOptions { thermal, ..DfnOptions::default() };
        let times: Vec<f64> = (0..50).map(|i| f64::from(i) * 72.0 / rate).collect();
        match solve(&p, &Protocol::discharge(rate, 3.0), &options, &times) {
            Ok(solution) => {
                assert_conserved(&solution);
                prop_assert!(solution.voltage_v.iter().chain(&solution.temperature_k).all(|v| v.is_finite()));
                prop_assert!(solution.end_voltage_v > 2.9);
                for pair in solution.discharge_capacity_ah.windows(2) {
                    prop_assert!(pair[1] > pair[0]);
                }
            }
            Err(error) => prop_assert!(matches!(error, scalade_cell::CellError::TimeStep { .. }), "{}", error),
        }
    }
}

/// Work of the default discharge; it grows if the step control or Newton's method gets worse.
#[test]
fn work_stays_as_it_was() {
    let p = ParameterSet::marquis2019().unwrap();
    let work = solve(&p, &Protocol::discharge(1.0, 3.105), &DfnOptions::default(), &[]).unwrap().work;
    assert!((180..=250).contains(&work.steps), "{work:?}");
    assert!(work.newton_iterations <= 330 && work.residuals == work.newton_iterations, "{work:?}");
    assert!(work.linearizations <= 30 && work.factorizations <= 85, "{work:?}");
    assert!(work.error_test_failures <= 12 && work.newton_failures == 0, "{work:?}");
}

#[test]
fn runs_repeat_bit_for_bit() {
    let p = ParameterSet::prada2013().unwrap();
    let run = || solve(&p, &Protocol::discharge(1.0, 2.0), &DfnOptions::default(), &[10.0, 1000.0]).unwrap();
    assert_eq!(run(), run());
}
