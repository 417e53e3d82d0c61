//! Open-circuit potentials with branches.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use scalade_cell::{
    CellError, Control, DfnOptions, DfnSolution, DriveCycle, DriveQuantity, Hold, Hysteresis, HysteresisLaw,
    ModelKind, Parameter, ParameterSet, Property, Protocol, Step, Thermal, impedance_after, solve,
    solve_with_sensitivities,
};

const LITHIATION: &str = " - 0.03 - 0.02*x";
const DELITHIATION: &str = " + 0.025 + 0.01*x";

fn formula(p: &ParameterSet, more: &str) -> Property {
    let at_reference = &p.negative.porous().unwrap().material.open_circuit.at_reference;
    let Property::Formula(text) = at_reference else { unreachable!("the potential is a formula") };
    Property::formula(&format!("{}{more}", text.text())).unwrap()
}

/// Chen2020 with branches in the negative electrode, half full.
fn cell(decay: f64, initial: f64) -> ParameterSet {
    let mut p = ParameterSet::chen2020().unwrap().started_at_state_of_charge(0.5).unwrap();
    let branches = Hysteresis {
        lithiation: formula(&p, LITHIATION),
        delithiation: formula(&p, DELITHIATION),
        decay_constant: Some(decay),
        initial_state: Some(initial),
    };
    p.negative.porous_mut().unwrap().material.hysteresis = Some(Box::new(branches));
    p
}

/// The same cell with one branch as its only potential.
fn on_branch(more: &str) -> ParameterSet {
    let mut p = cell(1.0, 0.0);
    let potential = formula(&p, more);
    let material = &mut p.negative.porous_mut().unwrap().material;
    material.open_circuit.at_reference = potential;
    material.hysteresis = None;
    p
}

fn options(model: ModelKind, hysteresis: HysteresisLaw) -> DfnOptions {
    DfnOptions { model, hysteresis, rtol: 1e-7, atol: 1e-8, ..DfnOptions::default() }
}

fn steps(pieces: &[(f64, f64)]) -> Protocol {
    Protocol::sequence(pieces.iter().map(|(rate, s)| Step::lasting(Control::CRate(*rate), *s)).collect())
}

/// Decay constant half of gamma times the rate of the mean stoichiometry, 1/s at 1C.
fn decay_rate(p: &ParameterSet, gamma: f64) -> f64 {
    let electrode = p.negative.porous().unwrap();
    0.5 * gamma * p.current_of_rate(1.0) / (p.total_area_m2() * electrode.charge_per_area())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    /// In the single-particle model the current is uniform, and each piece an exponential.
    #[test]
    fn minor_loops_follow_the_exponentials_and_stay_inside_the_branches(
        rates in proptest::collection::vec(-1.0_f64..1.0, 4),
        gamma in 1.0_f64..60.0,
        initial in -1.0_f64..1.0,
        decade in 4_i32..8,
    ) {
        let p = cell(gamma, initial);
        let pieces: Vec<(f64, f64)> = rates.iter().map(|r| (*r, 500.0)).collect();
        let times: Vec<f64> = (0..=40).map(|i| 50.0 * f64::from(i)).collect();
        let rtol = 10.0_f64.powi(-decade);
        let options = DfnOptions {
            profile_times_s: times.clone(), rtol, ..options(ModelKind::Spm, HysteresisLaw::OneState)
        };
        let run = solve(&p, &steps(&pieces), &options, &times).unwrap();
        let mut expected = initial;
        for (i, time) in times.iter().enumerate() {
            if i > 0 {
                let rate = pieces[(i - 1) / 10].0;
                expected = rate.signum() - (rate.signum() - expected)
                    * (-decay_rate(&p, gamma) * rate.abs() * 50.0).exp();
            }
            let h = run.profiles[i].hysteresis_states[0][0];
            prop_assert!((h - expected).abs() < 30.0 * rtol, "{time} s: {h}, not {expected}");
            prop_assert!(h.abs() <= 1.0);
        }
        let end = run.steps[3].hysteresis.unwrap().negative.unwrap();
        prop_assert!((end - run.profiles[40].hysteresis_states[0][0]).abs() < 1e-14);
        let off = DfnOptions { rtol: 1e-7, ..self::options(ModelKind::Spm, HysteresisLaw::Off) };
        let low = solve(&on_branch(DELITHIATION), &steps(&pieces), &off, &times).unwrap();
        let high = solve(&on_branch(LITHIATION), &steps(&pieces), &off, &times).unwrap();
        for (i, v) in run.voltage_v.iter().enumerate() {
            let slack = 10.0 * rtol;
            prop_assert!(*v > low.voltage_v[i] - slack && *v < high.voltage_v[i] + slack, "{i}: {v}");
        }
    }
}

/// Through the thickness too, also where the current changes its sign locally and at rest, with coarse tolerances.
#[test]
fn states_stay_between_the_branches_through_the_thickness() {
    let mut turned = 0;
    for gamma in [5.0, 500.0] {
        let profile_times_s: Vec<f64> = (0..=300).map(|i| 10.0 * f64::from(i)).collect();
        let options =
            DfnOptions { rtol: 1e-3, profile_times_s, ..options(ModelKind::Dfn, HysteresisLaw::OneState) };
        let protocol = steps(&[(2.0, 600.0), (0.0, 600.0), (-1.0, 600.0), (0.02, 600.0), (0.0, 600.0)]);
        let run = solve(&cell(gamma, -0.2), &protocol, &options, &[]).unwrap();
        for profile in &run.profiles {
            assert!(profile.hysteresis_states[0].iter().all(|h| h.abs() <= 1.0));
            let j = &profile.negative_interfacial_current;
            turned += usize::from(j.iter().any(|j| *j > 1e-3) && j.iter().any(|j| *j < -1e-3));
        }
        let end = run.steps[4].hysteresis.unwrap();
        assert!(end.negative.unwrap().abs() < 1.0 && end.positive.is_none());
    }
    assert!(turned > 20, "{turned}");
}

#[test]
fn slow_cycles_show_the_branches() {
    let p = cell(60.0, 0.0);
    let hour = 3600.0;
    let pieces = [(-0.02, 15.0 * hour), (0.02, 15.0 * hour)];
    let times = [14.9 * hour, 29.9 * hour];
    for model in [ModelKind::Dfn, ModelKind::Spme, ModelKind::Spm] {
        let run = solve(&p, &steps(&pieces), &options(model, HysteresisLaw::OneState), &times).unwrap();
        for (i, more) in [LITHIATION, DELITHIATION].into_iter().enumerate() {
            let drawn = run.discharge_capacity_ah[i] * 3600.0 / p.total_area_m2();
            let negative = p.negative.porous().unwrap();
            let x = negative.initial_content() - drawn / negative.charge_per_area();
            let y = p.positive.initial_content() + drawn / p.positive.charge_per_area();
            let rest = on_branch(more).open_circuit_voltage(x, y).unwrap();
            let off = rest - run.voltage_v[i];
            // The branches are 64 to 77 mV apart; at C/50 the overpotentials take 1 to 7 mV.
            let sign = if i == 0 { -1.0 } else { 1.0 };
            assert!((1e-3..8e-3).contains(&(sign * off)), "{model:?} {i}: {off}");
        }
        assert!(run.steps[0].hysteresis.unwrap().negative.unwrap() < -0.99);
        assert!(run.steps[1].hysteresis.unwrap().negative.unwrap() > 0.99);
    }
}

fn assert_conserved(solution: &DfnSolution) {
    let inventory = &solution.inventory;
    assert!(inventory.solid_lithium_drift < 1e-12, "{inventory:?}");
    assert!(inventory.salt_drift < 1e-12, "{inventory:?}");
    assert!(inventory.coulomb_count_error < 1e-12, "{inventory:?}");
    assert!(inventory.charge_balance_error < 1e-12, "{inventory:?}");
}

/// Electrical + ohmic + reaction + hysteresis + surface work at every instant, and the heat of the thermal model.
#[test]
fn lithium_and_energy_are_balanced() {
    let p = cell(30.0, 0.0);
    let blend = ParameterSet::bundled("Chen2020_composite").unwrap();
    let protocol = steps(&[(1.0, 900.0), (-0.5, 1800.0), (0.0, 300.0), (1.0, 300.0), (-1.0, 300.0)]);
    for model in [ModelKind::Dfn, ModelKind::Spme, ModelKind::Spm] {
        for law in [HysteresisLaw::OneState, HysteresisLaw::CurrentSigmoid] {
            for thermal in [Thermal::Isothermal, Thermal::Lumped] {
                for p in [&p, &blend] {
                    let mut p = p.clone();
                    for material in p.negative.porous_mut().unwrap().materials_mut() {
                        if let Some(branches) = &mut material.hysteresis {
                            branches.decay_constant = Some(20.0);
                        }
                    }
                    let options = DfnOptions { thermal, ..options(model, law) };
                    let run = solve(&p, &protocol, &options, &[]).unwrap();
                    assert_conserved(&run);
                    let e = &run.energy;
                    let scale = e.electrical_j.abs() + e.surface_work_j.abs() + e.reaction_j;
                    assert!(e.residual_j.abs() < 1e-9 * scale, "{model:?} {law:?}: {e:?}");
                    assert!(e.hysteresis_j > 0.0, "{e:?}");
                    let heat = e.ohmic_solid_j
                        + e.ohmic_electrolyte_j
                        + e.reaction_j
                        + e.hysteresis_j
                        + e.reversible_j;
                    if thermal == Thermal::Lumped {
                        let miss = (heat - e.cooling_j - e.stored_heat_j).abs();
                        assert!(miss < 1e-9 * heat && e.stored_heat_j > 0.0, "{miss} of {e:?}");
                    }
                }
            }
        }
    }
}

/// Along the outer branches, a closed loop over the charge Q dissipates Q times the distance of the branches.
#[test]
fn the_heat_of_a_loop_is_its_area() {
    let p = cell(4000.0, 1.0);
    let (rate, time) = (0.05, 3600.0);
    let options =
        DfnOptions { audit_heat_of_mixing: true, ..options(ModelKind::Spm, HysteresisLaw::OneState) };
    let run = solve(&p, &steps(&[(rate, time), (-rate, time)]), &options, &[]).unwrap();
    let e = &run.energy;
    let electrode = p.negative.porous().unwrap();
    let charge = p.current_of_rate(rate) * time;
    let x = electrode.initial_content();
    let half = 0.5 * charge / (p.total_area_m2() * electrode.charge_per_area());
    let gap = 0.055 + 0.03 * (x - half);
    // The change of branch takes 1/2000 of the capacity.
    assert!((e.hysteresis_j / (charge * gap) - 1.0).abs() < 0.02, "{} {}", e.hysteresis_j, charge * gap);
    let sum = e.electrical_j
        + e.ohmic_solid_j
        + e.reaction_j
        + e.hysteresis_j
        + e.mixing_j
        + e.free_energy_change_j;
    assert!(sum.abs() < 1e-5 * e.hysteresis_j, "{sum} of {e:?}");
}

#[test]
fn the_closed_form_is_left_where_branches_are_used() {
    let protocol = steps(&[(1.0, 600.0)]);
    let p = cell(10.0, 0.5);
    let off = solve(&p, &protocol, &options(ModelKind::Spm, HysteresisLaw::Off), &[600.0]).unwrap();
    assert_eq!(off.work.newton_iterations, 0);
    let plain =
        solve(&on_branch(""), &protocol, &options(ModelKind::Spm, HysteresisLaw::Off), &[600.0]).unwrap();
    assert_eq!(off.voltage_v, plain.voltage_v);
    for law in [HysteresisLaw::OneState, HysteresisLaw::CurrentSigmoid] {
        let run = solve(&p, &protocol, &options(ModelKind::Spm, law), &[600.0]).unwrap();
        assert!(run.work.newton_iterations > 0);
        // Delithiation lies 30 to 40 mV above the mean.
        let lower = off.voltage_v[0] - run.voltage_v[0];
        assert!((0.02..0.04).contains(&lower), "{law:?}: {lower}");
    }
}

/// The branch of the direction of the current; at rest the mean of both, also where a voltage is held.
#[test]
fn the_sigmoid_takes_the_branch_of_the_current() {
    let law = HysteresisLaw::CurrentSigmoid;
    for model in [ModelKind::Dfn, ModelKind::Spm] {
        let times = [1.0, 599.0, 700.0, 1300.0];
        let pieces = [(0.2, 600.0), (0.0, 600.0), (-0.2, 600.0)];
        let run = solve(&cell(1.0, 0.0), &steps(&pieces), &options(model, law), &times).unwrap();
        let branch = |more| {
            solve(&on_branch(more), &steps(&pieces), &options(model, HysteresisLaw::Off), &times)
                .unwrap()
                .voltage_v
        };
        let (low, high) = (branch(DELITHIATION), branch(LITHIATION));
        assert!((run.voltage_v[1] - low[1]).abs() < 1e-5, "{model:?}");
        assert!((run.voltage_v[3] - high[3]).abs() < 1e-5, "{model:?}");
        assert!((run.voltage_v[2] - 0.5 * (low[2] + high[2])).abs() < 1e-4, "{model:?}");
        let states: Vec<f64> = run.steps.iter().map(|s| s.hysteresis.unwrap().negative.unwrap()).collect();
        assert_eq!(states, [1.0, 0.0, -1.0]);
    }
    let hold = Step::lasting(Control::Voltage { volts: 3.8 }, 3600.0);
    let charge = Step::lasting(Control::CRate(-0.2), 60.0);
    let run =
        solve(&cell(1.0, 0.0), &Protocol::sequence(vec![charge, hold]), &options(ModelKind::Dfn, law), &[]);
    let run = run.unwrap();
    assert!((run.end_voltage_v - 3.8).abs() < 1e-9);
    assert_conserved(&run);
}

/// Traces, which a one-step method follows over their kinks, against pieces of constant current.
#[test]
fn traces_turn_the_state_too() {
    let p = cell(25.0, 0.4);
    let values = [1.0, -0.8, 0.3, 0.0, -1.5, 2.0, -0.2];
    let times = (0..=values.len()).map(|i| 60.0 * i as f64).collect();
    let held = [&values[..], &[0.0]].concat();
    let cycle = DriveCycle::new("turns", DriveQuantity::CRate, times, held, Hold::Step).unwrap();
    let protocol = Protocol::sequence(vec![Step::new(Control::Profile { cycle: cycle.into(), factor: 1.0 })]);
    let pieces: Vec<(f64, f64)> = values.iter().map(|rate| (*rate, 60.0)).collect();
    for model in [ModelKind::Dfn, ModelKind::Spm] {
        let options = options(model, HysteresisLaw::OneState);
        let traced = solve(&p, &protocol, &options, &[]).unwrap();
        let stepped = solve(&p, &steps(&pieces), &options, &[]).unwrap();
        let state = |run: &DfnSolution| run.steps[run.steps.len() - 1].hysteresis.unwrap().negative.unwrap();
        assert!((state(&traced) - state(&stepped)).abs() < 1e-5, "{model:?}");
        assert!((traced.end_voltage_v - stepped.end_voltage_v).abs() < 1e-5, "{model:?}");
        assert_conserved(&traced);
    }
}

/// Branches as tables in a BPX file of version 1.1.
#[test]
fn branches_of_bpx_files_are_solved() {
    let text = include_str!("../../../data/cell/bpx/nmc_pouch_cell_BPX_user-defined_hysteresis.json");
    let mut p = ParameterSet::from_bpx(text).unwrap();
    // In this file the branch called lithiation lies above the other one.
    let branches = p.negative.porous_mut().unwrap().material.hysteresis.as_mut().unwrap();
    std::mem::swap(&mut branches.lithiation, &mut branches.delithiation);
    (branches.decay_constant, branches.initial_state) = (Some(30.0), Some(-1.0));
    let p = p.started_at_state_of_charge(0.9).unwrap();
    for law in [HysteresisLaw::OneState, HysteresisLaw::CurrentSigmoid] {
        let options = DfnOptions { hysteresis: law, ..DfnOptions::default() };
        let run = solve(&p, &steps(&[(1.0, 1800.0), (-0.5, 1200.0)]), &options, &[]).unwrap();
        assert_conserved(&run);
        let states: Vec<f64> = run.steps.iter().map(|s| s.hysteresis.unwrap().negative.unwrap()).collect();
        assert!(states[0] > 0.95 && states[1] < -0.5, "{law:?}: {states:?}");
        assert!(
            run.energy.hysteresis_j > 0.0 && run.energy.residual_j.abs() < 1e-4 * run.energy.electrical_j
        );
    }
}

/// Forward sensitivities carry the state along.
#[test]
fn sensitivities_are_those_of_differences() {
    let p = cell(8.0, -0.3);
    let names =
        ["electrolyte.conductivity", "negative.material.particle_radius_m", "positive.material.diffusivity"];
    let parameters = names.map(Parameter::at);
    let times = [200.0, 700.0];
    let protocol = steps(&[(1.0, 400.0), (-0.7, 400.0)]);
    for law in [HysteresisLaw::OneState, HysteresisLaw::CurrentSigmoid] {
        let options = DfnOptions { rtol: 1e-8, atol: 1e-10, ..DfnOptions::draft() };
        let options = DfnOptions { hysteresis: law, ..options };
        let (_, found) = solve_with_sensitivities(&p, &protocol, &options, &times, &parameters).unwrap();
        for (index, parameter) in parameters.iter().enumerate() {
            let at = |theta: f64| {
                let changed = parameter.changed(&p, theta).unwrap();
                solve(&changed, &protocol, &options, &times).unwrap().voltage_v
            };
            let (low, high) = (at(-1e-3), at(1e-3));
            for i in 0..times.len() {
                let wanted = (high[i] - low[i]) / 2e-3;
                let slope = found.voltage_v[index][i];
                let miss = (slope - wanted).abs();
                assert!(miss < 1e-3 * wanted.abs() + 1e-6, "{law:?} {}: {slope} {wanted}", names[index]);
            }
        }
    }
}

#[test]
fn impedances_and_hysteresis_exclude_each_other() {
    let law = HysteresisLaw::OneState;
    let error =
        impedance_after(&cell(1.0, 0.0), &steps(&[(1.0, 60.0)]), &options(ModelKind::Dfn, law), &[1.0]);
    assert!(error.unwrap_err().to_string().contains("hysteresis"));
}

#[test]
fn hysteresis_without_data_is_refused() {
    let protocol = steps(&[(1.0, 60.0)]);
    let told = |p: &ParameterSet, law| -> String {
        let error = solve(p, &protocol, &options(ModelKind::Dfn, law), &[]).unwrap_err();
        assert!(matches!(error, CellError::Parameter { .. }));
        error.to_string()
    };
    let chen = ParameterSet::chen2020().unwrap();
    for law in [HysteresisLaw::OneState, HysteresisLaw::CurrentSigmoid] {
        assert!(told(&chen, law).contains("branches"), "{}", told(&chen, law));
    }
    let blend = ParameterSet::bundled("Chen2020_composite").unwrap();
    let text = told(&blend, HysteresisLaw::OneState);
    assert!(text.contains("silicon") && text.contains("decay constant"), "{text}");
    assert!(solve(&blend, &protocol, &options(ModelKind::Dfn, HysteresisLaw::CurrentSigmoid), &[]).is_ok());
}

/// `PyBaMM` 26.10.1.1 (BSD-3-Clause), DFN with rtol 1e-8 on meshes of 40 and 80 cells in every layer and particle:
/// Chen2020_composite with the graphite potential of Chen2020 (a formula, where the set has a table that both
/// programs interpolate differently) and silicon at x = 0.6 (nearer to 1 `PyBaMM` lowers the exchange current by
/// its regularised square root), "open-circuit potential": (("single", law), "single"), hysteresis decay rates 10
/// on lithiation and delithiation and initial hysteresis state -0.5 of the secondary material; 1C for 20 minutes,
/// charge at C/2 for 20 minutes, rest for 10. Its meshes converge at second order here.
#[test]
fn voltages_and_states_are_those_of_the_peer() {
    let laws = [
        (
            HysteresisLaw::OneState,
            [3.8828673, 3.737622, 4.0515433, 4.1693818, 4.07406],
            [3.8826906, 3.7375558, 4.0517404, 4.1694336, 4.0740234],
            [-0.5100292, -0.5479802, -0.6706725, -0.76982, -0.7987413],
        ),
        (
            HysteresisLaw::CurrentSigmoid,
            [3.8792149, 3.7292062, 4.0518688, 4.1725373, 4.0700556],
            [3.8790361, 3.7291434, 4.0520713, 4.1725894, 4.070019],
            [1.0, 1.0, -1.0, -1.0, 0.0],
        ),
    ];
    let mut p = ParameterSet::bundled("Chen2020_composite").unwrap();
    let graphite = ParameterSet::chen2020().unwrap().negative.porous().unwrap().material.open_circuit.clone();
    let negative = p.negative.porous_mut().unwrap();
    negative.material.open_circuit = graphite;
    negative.blended[0].initial_concentration = 166800.0;
    let branches = negative.blended[0].hysteresis.as_mut().unwrap();
    (branches.decay_constant, branches.initial_state) = (Some(10.0), Some(-0.5));
    let times = [300.0, 900.0, 1500.0, 2100.0, 2700.0];
    // Steps that end at these times, for their states.
    let pieces = [(1.0, 300.0), (1.0, 600.0), (1.0, 300.0), (-0.5, 300.0), (-0.5, 600.0), (-0.5, 300.0)];
    let protocol = steps(&[&pieces[..], &[(0.0, 300.0), (0.0, 300.0)]].concat());
    for (law, coarse, fine, states) in laws {
        let options = DfnOptions { hysteresis: law, ..DfnOptions::for_tolerance(1e-6).unwrap() };
        let run = solve(&p, &protocol, &options, &times).unwrap();
        for (i, step) in [0, 1, 3, 4, 6].into_iter().enumerate() {
            let limit = fine[i] + (fine[i] - coarse[i]) / 3.0;
            let miss = run.voltage_v[i] - limit;
            assert!(miss.abs() < 2e-6, "{law:?} at {} s: {} V, {miss:e}", times[i], run.voltage_v[i]);
            let state = run.steps[step].hysteresis.unwrap().negative.unwrap();
            assert!((state - states[i]).abs() < 3e-6, "{law:?} at {} s: {state}", times[i]);
        }
    }
}
