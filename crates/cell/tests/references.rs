//! Voltages, cut-off times, temperatures and closed forms against reference values.
//!
//! The voltage tables come from a Chebyshev collocation code (two meshes, rtol 1e-9) with a quoted
//! tolerance of 1 to 2 microvolts. That code does not conserve lithium exactly (drift of about 1e-6), so it
//! meets the cut-off about 6e-7 of the elapsed time too early, and where the voltage is steep the same
//! shift shows in the voltage: the tolerance here is 1e-6 V + 2e-6 of the elapsed time times the slope. The
//! present scheme conserves lithium to 1e-13 and its voltages agree between meshes of order 4, 5 and 6 to
//! 1e-8 V.
#![allow(clippy::unwrap_used, clippy::panic)]

use scalade_cell::{
    Control, DfnOptions, DfnSolution, EndReason, Kinetics, MeshOptions, ModelKind, ParameterSet, Property,
    Protocol, RadiusDistribution, SphereSeries, Step, Thermal, single_particle_voltage, solve,
};

const TIMES: [f64; 8] = [60.0, 300.0, 600.0, 1200.0, 1800.0, 2400.0, 3000.0, 3300.0];

fn fine() -> DfnOptions {
    let mut options = DfnOptions { rtol: 1e-7, atol: 1e-8, ..DfnOptions::default() };
    options.mesh.negative.elements = 4;
    options.mesh.positive.elements = 4;
    options.mesh.order = 5;
    options.mesh.negative.particle.order = 14;
    options.mesh.positive.particle.order = 14;
    options
}

fn discharge(p: &ParameterSet, rate: f64, options: &DfnOptions) -> DfnSolution {
    let times: Vec<f64> = TIMES.iter().map(|t| t / rate).collect();
    solve(p, &Protocol::discharge(rate, p.lower_voltage_v), options, &times).unwrap()
}

/// Compares with `reference` to `tolerance` plus the effect of a time shift of 2e-6 relative.
fn compare(solution: &DfnSolution, p: &ParameterSet, rate: f64, reference: &[f64], tolerance: f64) {
    assert_eq!(solution.voltage_v.len(), reference.len());
    let shifted: Vec<f64> =
        solution.time_s.iter().flat_map(|t| [t * (1.0 - 2e-6), t * (1.0 + 2e-6)]).collect();
    let around = solve(p, &Protocol::discharge(rate, p.lower_voltage_v), &fine(), &shifted).unwrap();
    for (i, (v, r)) in solution.voltage_v.iter().zip(reference).enumerate() {
        let shift = 0.5 * (around.voltage_v[2 * i] - around.voltage_v[2 * i + 1]).abs();
        assert!((v - r).abs() <= tolerance + shift, "t = {}: {v} against {r}", solution.time_s[i]);
    }
}

fn check_end(solution: &DfnSolution, seconds: f64, capacity_ah: f64) {
    assert_eq!(solution.end_reason, EndReason::MinimumVoltage);
    assert!(
        (solution.end_time_s / seconds - 1.0).abs() < 2e-6,
        "end {} against {seconds}",
        solution.end_time_s
    );
    assert!((solution.end_capacity_ah / capacity_ah - 1.0).abs() < 2e-6, "{} Ah", solution.end_capacity_ah);
}

const MARQUIS_HALF: [f64; 8] =
    [3.790373, 3.762765, 3.734449, 3.695756, 3.658297, 3.634898, 3.619337, 3.591464];
const MARQUIS_ONE: [f64; 8] =
    [3.749774, 3.720785, 3.692949, 3.652118, 3.612744, 3.592739, 3.570201, 3.530599];
const CHEN_ONE: [f64; 8] = [3.943921, 3.897456, 3.814638, 3.661639, 3.511836, 3.392967, 3.225358, 3.000476];
const PRADA_HALF: [f64; 8] = [3.300935, 3.270622, 3.256136, 3.229008, 3.217111, 3.142289, 2.893597, 2.120657];
const PRADA_ONE: [f64; 7] = [3.259410, 3.238872, 3.204757, 3.198269, 3.159114, 3.073034, 2.226920];

#[test]
fn marquis_half_c() {
    let p = ParameterSet::marquis2019().unwrap();
    let solution = discharge(&p, 0.5, &DfnOptions::default());
    compare(&solution, &p, 0.5, &MARQUIS_HALF, 1e-5);
    check_end(&solution, 7327.1772, 0.69263806);
    // At 6000 s every mesh (orders 4, 5, 6, 8, and second-order finite volumes extrapolated) gives
    // 3.6193385: 1.5e-6 V above the reference.
    compare(&discharge(&p, 0.5, &fine()), &p, 0.5, &MARQUIS_HALF, 1.6e-6);
}

#[test]
fn marquis_1c() {
    let p = ParameterSet::marquis2019().unwrap();
    let solution = discharge(&p, 1.0, &DfnOptions::default());
    compare(&solution, &p, 1.0, &MARQUIS_ONE, 1e-5);
    check_end(&solution, 3617.7524, 0.68397227);
    compare(&discharge(&p, 1.0, &fine()), &p, 1.0, &MARQUIS_ONE, 1e-6);
}

#[test]
fn chen_1c() {
    let p = ParameterSet::chen2020().unwrap();
    let solution = discharge(&p, 1.0, &DfnOptions::default());
    compare(&solution, &p, 1.0, &CHEN_ONE, 1e-5);
    check_end(&solution, 3555.2015, 4.937780);
    compare(&discharge(&p, 1.0, &fine()), &p, 1.0, &CHEN_ONE, 2e-6);
}

/// Depleted electrolyte: the reference itself is known to 1e-6, 1e-4 and 1e-3 V at the first, the next four
/// and the last three times.
#[test]
fn chen_2c() {
    let p = ParameterSet::chen2020().unwrap();
    let reference = [3.851538, 3.72611, 3.62728, 3.43261, 3.30263, 3.1572, 2.943, 2.679];
    let solution = discharge(&p, 2.0, &DfnOptions::default());
    for (i, (v, r)) in solution.voltage_v.iter().zip(reference).enumerate() {
        let tolerance = [1e-5, 1e-4, 1e-4, 1e-4, 1e-4, 1e-3, 1e-3, 1e-3][i];
        assert!((v - r).abs() < tolerance, "{i}: {v} against {r}");
    }
    assert!((solution.end_time_s - 1703.0).abs() < 0.1);
    assert!((solution.end_capacity_ah - 4.7305).abs() < 5e-4);
}

#[test]
fn prada_half_c() {
    let p = ParameterSet::prada2013().unwrap();
    let solution = discharge(&p, 0.5, &DfnOptions::default());
    compare(&solution, &p, 0.5, &PRADA_HALF, 1e-5);
    check_end(&solution, 6632.2120, 2.11862326);
    compare(&discharge(&p, 0.5, &fine()), &p, 0.5, &PRADA_HALF, 2e-6);
}

#[test]
fn prada_1c() {
    let p = ParameterSet::prada2013().unwrap();
    let solution = discharge(&p, 1.0, &DfnOptions::default());
    compare(&solution, &p, 1.0, &PRADA_ONE, 1e-5);
    check_end(&solution, 3033.8900, 1.93831862);
    // The first value differs by 2.1e-6 V on every mesh; the others agree to 1e-6 V.
    compare(&discharge(&p, 1.0, &fine()), &p, 1.0, &PRADA_ONE, 2.5e-6);
}

/// 12.5 A from the charged state of the BPX example cell, to 2e-6 V. Charged means an open-circuit voltage
/// of 4.2 V with the lithium of the file: the file's own limits of stoichiometry give 4.20176 V, and a
/// discharge from there lies 0.7 to 1.7 mV higher.
#[test]
fn bpx_nmc_1c() {
    let p = ParameterSet::from_bpx(include_str!("../../../data/cell/bpx/nmc_pouch_cell_BPX.json")).unwrap();
    assert!((p.total_area_m2() - 34.0 * 0.016808).abs() < 1e-12);
    let p = p.started_at_voltage(p.upper_voltage_v).unwrap();
    let protocol = Protocol::sequence(vec![Step::lasting(Control::Current { amperes: 12.5 }, 3310.0)]);
    let reference = [4.052469, 3.965581, 3.771557, 3.572422, 3.466802, 3.332803];
    let times: Vec<f64> = [60.0, 300.0, 900.0, 1800.0, 2700.0, 3300.0]
        .iter()
        .flat_map(|t| [t * (1.0 - 2e-6), *t, t * (1.0 + 2e-6)])
        .collect();
    for (options, tolerance) in [(DfnOptions::default(), 1e-5), (fine(), 2e-6)] {
        let solution = solve(&p, &protocol, &options, &times).unwrap();
        for (v, r) in solution.voltage_v.chunks_exact(3).zip(reference) {
            let shift = 0.5 * (v[0] - v[2]).abs();
            assert!((v[1] - r).abs() < tolerance + shift, "{} against {r}", v[1]);
        }
    }
}

/// The draft options stay within 1e-4 V.
#[test]
fn draft_options_are_accurate_to_a_tenth_of_a_millivolt() {
    for (p, reference) in [(ParameterSet::marquis2019(), MARQUIS_ONE), (ParameterSet::chen2020(), CHEN_ONE)] {
        let solution = discharge(&p.unwrap(), 1.0, &DfnOptions::draft());
        for (v, r) in solution.voltage_v.iter().zip(reference) {
            assert!((v - r).abs() < 1e-4, "{v} against {r}");
        }
    }
}

/// dV/d ln p at 300, 1200 and 2400 s, by central differences of 0.5 %, against those of the collocation code (which gives 5 and 4
/// digits).
#[test]
fn sensitivities_of_the_voltage() {
    let base = ParameterSet::marquis2019().unwrap();
    let options = DfnOptions { rtol: 1e-9, atol: 1e-10, ..fine() };
    let times = [300.0, 1200.0, 2400.0];
    let run =
        |p: &ParameterSet| solve(p, &Protocol::discharge(1.0, 3.105), &options, &times).unwrap().voltage_v;
    let scale_particle = |factor: f64| {
        let mut p = base.clone();
        p.positive.material.diffusivity.at_reference = Property::Constant(1e-13 * factor);
        run(&p)
    };
    let scale_salt = |factor: f64| {
        let mut p = base.clone();
        p.electrolyte.diffusivity.at_reference =
            Property::formula(&format!("{factor} * 5.34e-10 * exp(-0.00065 * c_e)")).unwrap();
        run(&p)
    };
    let step = 0.005_f64;
    let difference = |up: Vec<f64>, down: Vec<f64>| -> Vec<f64> {
        up.iter().zip(&down).map(|(a, b)| (a - b) / (2.0 * step)).collect()
    };
    let particle = difference(scale_particle(step.exp()), scale_particle((-step).exp()));
    for (found, wanted) in particle.iter().zip([6.7503e-3, 2.6380e-3, 1.1950e-3]) {
        assert!((found / wanted - 1.0).abs() < 1e-4, "{found} against {wanted}");
    }
    // At the last two times the reference is off: elements of order 2, 5 and 8 all give 1.146875e-2 and 9.16651e-3.
    let salt = difference(scale_salt(step.exp()), scale_salt((-step).exp()));
    let tolerances = [1e-4, 5e-4, 1.1e-3];
    for ((found, wanted), tolerance) in salt.iter().zip([8.154e-3, 1.1474e-2, 9.158e-3]).zip(tolerances) {
        assert!((found / wanted - 1.0).abs() < tolerance, "{found} against {wanted}");
    }
    for (found, converged) in salt.iter().zip([8.1542e-3, 1.146875e-2, 9.1665e-3]) {
        assert!((found / converged - 1.0).abs() < 1e-4, "{found} against {converged}");
    }
}

/// Lumped temperature: PyBaMM extrapolated in its mesh, tolerance 5e-3 K and 5e-5 V; energy to 3000 s
/// 15.0612 Wh within 2e-4.
#[test]
fn thermal_chen_1c() {
    let p = ParameterSet::chen2020().unwrap();
    let options = DfnOptions { thermal: Thermal::Lumped, ..DfnOptions::default() };
    let protocol = Protocol::sequence(vec![Step::lasting(Control::CRate(1.0), 3000.0)]);
    let solution = solve(&p, &protocol, &options, &[600.0, 1800.0, 3000.0]).unwrap();
    for (t, r) in solution.temperature_k.iter().zip([305.315, 309.111, 310.725]) {
        assert!((t - r).abs() < 5e-3, "{t} K against {r} K");
    }
    for (v, r) in solution.voltage_v.iter().zip([3.82939, 3.53262, 3.25021]) {
        assert!((v - r).abs() < 5e-5, "{v} V against {r} V");
    }
    assert!(
        (solution.energy.electrical_j / 3600.0 - 15.0612).abs() < 2e-4,
        "{}",
        solution.energy.electrical_j / 3600.0
    );
}

#[test]
fn spm_closed_form() {
    let p = ParameterSet::marquis2019().unwrap();
    let series = SphereSeries::default();
    for (t, r) in [(60.0, 3.765961983), (600.0, 3.710353503), (1800.0, 3.631043544), (3000.0, 3.595353649)] {
        let v = single_particle_voltage(&p, 24.0, t, &series).unwrap();
        assert!((v - r).abs() < 1e-8, "{v} against {r}");
    }
}

#[test]
fn sphere_series() {
    let series = SphereSeries::default();
    for (tau, r) in
        [(1e-4, 0.011384548954), (1e-3, 0.036706780329), (1e-2, 0.123643354199), (0.05, 0.312165429054)]
    {
        assert!((series.surface_deviation(tau) - r).abs() < 1e-11);
    }
    // Both expansions agree where they meet.
    let long = SphereSeries::new(4000).surface_deviation(1.00001e-5);
    assert!((long - series.surface_deviation(0.99999e-5)).abs() < 1e-7 * 1.0 && long > 0.0);
}

/// With fast electrolyte and solid, the DFN model is the single-particle model.
#[test]
fn dfn_tends_to_the_single_particle_model() {
    let mut p = ParameterSet::marquis2019().unwrap();
    p.negative.porous_mut().unwrap().conductivity_s_per_m = 1e9;
    p.positive.conductivity_s_per_m = 1e9;
    p.electrolyte.conductivity.at_reference = Property::Constant(1e8);
    p.electrolyte.diffusivity.at_reference = Property::Constant(1e-2);
    let area = p.total_area_m2();
    let series = SphereSeries::default();
    let control = Control::Current { amperes: 24.0 * area };
    let protocol = Protocol::sequence(vec![Step::lasting(control, 3100.0)]);
    let times = [60.0, 600.0, 1800.0, 3000.0];
    let solution = solve(&p, &protocol, &fine(), &times).unwrap();
    for (t, v) in times.iter().zip(&solution.voltage_v) {
        let r = single_particle_voltage(&p, 24.0, *t, &series).unwrap();
        assert!((v - r).abs() < 2e-7, "t = {t}: {v} against {r}");
    }
}

/// Two equal porous electrodes with linear kinetics at t = 0.
fn newman_cell() -> ParameterSet {
    let mut p = ParameterSet::marquis2019().unwrap();
    for electrode in [p.negative.porous_mut().unwrap(), &mut p.positive] {
        electrode.thickness_m = 1e-4;
        electrode.conductivity_s_per_m = 10.0;
        electrode.solid_efficiency = 1.0;
        electrode.electrolyte_efficiency = 1.0;
        electrode.material.fraction = 0.5;
        electrode.material.particle_radius_m = 3.0 * 0.5 / 5e5;
        electrode.material.exchange_current.at_reference = Property::Constant(1.0);
        electrode.material.kinetics = Kinetics::Linear;
    }
    p.negative.porous_mut().unwrap().material.open_circuit.at_reference = Property::Constant(0.1);
    p.positive.material.open_circuit.at_reference = Property::Constant(4.0);
    p.separator.electrolyte_efficiency = 1.0;
    p.electrolyte.conductivity.at_reference = Property::Constant(0.2);
    p
}

fn newman_drop(options: &DfnOptions) -> f64 {
    let p = newman_cell();
    let amperes = 24.0 * p.total_area_m2();
    let protocol = Protocol::sequence(vec![Step::lasting(Control::Current { amperes }, 1.0)]);
    let solution = solve(&p, &protocol, options, &[0.0]).unwrap();
    let separator = 24.0 * p.separator.thickness_m / 0.2;
    0.5 * (3.9 - solution.voltage_v[0] - separator)
}

/// Newman and Tobias 1962: resistance of a porous electrode, nu = L sqrt(a i0 F/RT (1/sigma + 1/kappa)).
#[test]
fn newman_porous_electrode() {
    let exact = 0.016183398333;
    let spectral = DfnOptions {
        mesh: scalade_cell::MeshOptions { order: 10, ..Default::default() },
        ..Default::default()
    };
    assert!((newman_drop(&spectral) - exact).abs() < 1e-10);
    let error = |nx: usize| {
        let mesh = scalade_cell::MeshOptions::finite_volumes(nx, 4);
        (newman_drop(&DfnOptions { mesh, ..Default::default() }) - exact).abs()
    };
    let (coarse, middle, fine) = (error(10), error(20), error(40));
    assert!(
        (coarse / middle - 4.0).abs() < 0.1 && (middle / fine - 4.0).abs() < 0.05,
        "{coarse} {middle} {fine}"
    );
}

/// The single-particle model run as a system of equations against its closed form.
#[test]
fn spm_closed_form_by_integration() {
    let p = ParameterSet::marquis2019().unwrap();
    let mut mesh = MeshOptions::default();
    for electrode in [&mut mesh.negative, &mut mesh.positive] {
        electrode.particle.order = 16;
    }
    // The audit of mixing is that of the system of equations: without it the closed form itself would run.
    let options = DfnOptions {
        model: ModelKind::Spm,
        mesh,
        rtol: 1e-10,
        atol: 1e-11,
        audit_heat_of_mixing: true,
        ..DfnOptions::default()
    };
    let control = Control::Current { amperes: 24.0 * p.total_area_m2() };
    let protocol = Protocol::sequence(vec![Step::lasting(control, 3100.0)]);
    let times = [60.0, 600.0, 1800.0, 3000.0];
    let solution = solve(&p, &protocol, &options, &times).unwrap();
    for (v, r) in solution.voltage_v.iter().zip([3.765961983, 3.710353503, 3.631043544, 3.595353649]) {
        assert!((v - r).abs() < 1e-8, "{v} against {r}");
    }
}

/// Single-particle model with electrolyte: PyBaMM 26.10.1.1 (SPMe, rtol 1e-8, 80 points in each layer,
/// 100 and for Chen2020 400 shells, within about 1e-5 V of its limit) at a conductivity of 1 S/m. A constant one, because that program
/// takes conductivities at an average of the concentration that is 1161 mol/m3 for a cell at rest at 1000.
#[test]
fn spme_agrees_with_an_independent_program() {
    let times = [60.0, 300.0, 600.0, 1200.0, 1800.0, 2400.0, 3000.0];
    let cases = [
        (
            ParameterSet::marquis2019().unwrap(),
            [3.746987, 3.717744, 3.690223, 3.654791, 3.610821, 3.590037, 3.575025],
        ),
        (
            ParameterSet::chen2020().unwrap(),
            [3.942213, 3.895493, 3.812392, 3.660693, 3.512839, 3.403439, 3.237128],
        ),
    ];
    for (mut p, expected) in cases {
        p.electrolyte.conductivity.at_reference = Property::Constant(1.0);
        let options = DfnOptions { model: ModelKind::Spme, ..fine() };
        let solution = solve(&p, &Protocol::discharge(1.0, 2.5), &options, &times).unwrap();
        for (v, r) in solution.voltage_v.iter().zip(expected) {
            assert!((v - r).abs() < 1e-5, "{}: {v} against {r}", p.name);
        }
        assert!(solution.inventory.salt_drift < 1e-12 && solution.inventory.solid_lithium_drift < 1e-12);
    }
}

/// Many-particle model: PyBaMM 26.10.1.1 (MPM, log-normal radii with a relative deviation of 0.3 up to five
/// times the mean, 120 points along the radii, 160 shells; with 80 shells its values are 6e-5 V higher at
/// first and 1e-5 V at the end).
#[test]
fn size_distribution_agrees_with_an_independent_program() {
    let mut p = ParameterSet::chen2020().unwrap();
    let distribution = Some(RadiusDistribution { relative_deviation: 0.3, classes: 20 });
    p.positive.material.radius_distribution = distribution;
    p.negative.porous_mut().unwrap().material.radius_distribution = distribution;
    let options = DfnOptions { model: ModelKind::Spm, ..fine() };
    let times = [60.0, 600.0, 1800.0, 3000.0];
    let solution = solve(&p, &Protocol::discharge(1.0, 2.5), &options, &times).unwrap();
    for (v, r) in solution.voltage_v.iter().zip([3.990464, 3.860300, 3.550311, 3.257751]) {
        assert!((v - r).abs() < 2.5e-5, "{v} against {r}");
    }
}
