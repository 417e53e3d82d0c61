//! Half cells, blends and properties that depend on concentration, against an independent program.
#![allow(clippy::unwrap_used, clippy::panic)]

use scalade_cell::{DfnOptions, ModelKind, ParameterSet, Protocol, impedance_at_rest, solve};

/// PyBaMM 26.10.1.1 (DFN, 1C, rtol 1e-7, 60 shells) extrapolated to infinitely many points from 20 and 40 points
/// in each layer, at its first order. What is left of its mesh (5e-5 V at 60 s), and of the interpolation of
/// tables (a spline there, a monotone cubic here; 5e-5 V), is inside the tolerance of 1e-4 V.
#[test]
fn sets_agree_with_an_independent_program() {
    let times = [60.0, 600.0, 1800.0, 3000.0];
    let cases: [(&str, &[f64]); 4] = [
        // A half cell with a sheet of lithium.
        ("Xu2019", &[4.141883, 4.029617, 3.859057, 3.758565]),
        // A thermodynamic factor that depends on the concentration.
        ("Ai2020", &[4.018963, 3.876386, 3.664137]),
        // Diffusivities of both particles depend on the concentration.
        ("Ecker2015", &[4.084482, 3.911169, 3.714866]),
        // Graphite and silicon.
        ("Chen2020_composite", &[3.917254, 3.794871, 3.502358]),
    ];
    for (name, expected) in cases {
        let p = ParameterSet::bundled(name).unwrap();
        let options = DfnOptions::for_tolerance(1e-5).unwrap();
        let protocol = Protocol::discharge(1.0, p.lower_voltage_v);
        let solution = solve(&p, &protocol, &options, &times).unwrap();
        for (v, r) in solution.voltage_v.iter().zip(expected) {
            assert!((v - r).abs() < 1e-4, "{name}: {v} against {r}");
        }
        let i = &solution.inventory;
        assert!(i.solid_lithium_drift < 1e-12 && i.salt_drift < 1e-12, "{name}: {i:?}");
        assert!(i.coulomb_count_error < 1e-12 && i.charge_balance_error < 1e-11, "{name}: {i:?}");
        assert!(solution.energy.residual_j.abs() < 1e-7 * solution.energy.electrical_j, "{name}");
    }
}

/// Reduced models of the same cells run, conserve, and lie within tens of millivolts of the full one.
#[test]
fn reduced_models_are_near_the_full_one() {
    for set in ParameterSet::names() {
        let p = ParameterSet::bundled(set.name).unwrap().started_at_state_of_charge(0.95).unwrap();
        let at = |model| {
            let options = DfnOptions { model, ..DfnOptions::default() };
            let solution =
                solve(&p, &Protocol::discharge(0.5, p.lower_voltage_v), &options, &[1200.0]).unwrap();
            let i = &solution.inventory;
            assert!(i.solid_lithium_drift < 1e-12 && i.salt_drift < 1e-12, "{} {model:?}: {i:?}", set.name);
            solution.voltage_v[0]
        };
        let (full, with_salt, single) = (at(ModelKind::Dfn), at(ModelKind::Spme), at(ModelKind::Spm));
        assert!(
            (full - with_salt).abs() < 0.03 && (full - single).abs() < 0.08,
            "{}: {full} {with_salt} {single}",
            set.name
        );
        assert!(
            (full - with_salt).abs() < (full - single).abs(),
            "{}: {full} {with_salt} {single}",
            set.name
        );
    }
}

/// The impedance at a low frequency is that of the voltage's response to a small step of current, less the drift
/// of the state: at 1e-5 Hz the real parts of all models lie in order, and the imaginary part is the
/// capacitance of the open-circuit curve.
#[test]
fn low_frequency_impedance_is_the_slope_of_the_open_circuit_voltage() {
    for name in ["Marquis2019", "Chen2020", "Xu2019", "Chen2020_composite"] {
        let p = ParameterSet::bundled(name).unwrap().started_at_state_of_charge(0.5).unwrap();
        let f = 1e-7;
        let spectrum = impedance_at_rest(&p, ModelKind::Dfn, &[f]).unwrap();
        // dV/dq from two neighbouring states at equal lithium.
        let window = p.voltage_window().unwrap();
        let near = |s: f64| {
            let started = p.started_at_state_of_charge(s).unwrap();
            let negative = started.negative.porous().map_or(0.5, scalade_cell::Electrode::initial_content);
            started.open_circuit_voltage(negative, started.positive.initial_content()).unwrap()
        };
        let slope = (near(0.5 + 1e-4) - near(0.5 - 1e-4)) / (2e-4 * window.capacity_ah * 3600.0);
        let expected = -slope / (2.0 * std::f64::consts::PI * f);
        let found = spectrum.z_imag_ohm[0];
        assert!((found / expected - 1.0).abs() < 2e-3, "{name}: {found} {expected}");
    }
}
