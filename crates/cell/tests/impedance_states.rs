//! Impedances away from rest: against the closed form, the time-dependent models and one another.
#![allow(clippy::unwrap_used, clippy::panic)]

use num_complex::Complex64;
use proptest::prelude::*;
use scalade_cell::{
    AgeingOptions, CellError, Contribution, Control, DfnOptions, DriveCycle, DriveQuantity, FARADAY,
    GAS_CONSTANT, Hold, MeshOptions, ModelKind, NegativeElectrode, ParameterSet, ParticleMeshOptions,
    Property, Protocol, SeiLaw, Spectrum, StateSpectrum, Step, impedance_after, impedance_at_rest, solve,
    sphere_impedance,
};
use std::f64::consts::PI;
use std::sync::Arc;

const MODELS: [ModelKind; 3] = [ModelKind::Dfn, ModelKind::Spme, ModelKind::Spm];

fn decades(from: i32, to: i32) -> Vec<f64> {
    (2 * from..=2 * to).map(|k| 10_f64.powf(0.5 * f64::from(k))).collect()
}

fn options(model: ModelKind) -> DfnOptions {
    DfnOptions { model, ..DfnOptions::default() }
}

fn resting(seconds: f64) -> Protocol {
    Protocol::sequence(vec![Step::lasting(Control::Rest, seconds)])
}

fn discharging(rate: f64, seconds: f64) -> Protocol {
    Protocol::sequence(vec![Step::lasting(Control::CRate(rate), seconds)])
}

fn after(p: &ParameterSet, protocol: &Protocol, model: ModelKind, frequencies: &[f64]) -> StateSpectrum {
    impedance_after(p, protocol, &options(model), frequencies).unwrap()
}

fn values(real: &[f64], imaginary: &[f64]) -> Vec<Complex64> {
    real.iter().zip(imaginary).map(|(re, im)| Complex64::new(*re, *im)).collect()
}

fn impedance(s: &Spectrum) -> Vec<Complex64> {
    values(&s.z_real_ohm, &s.z_imag_ohm)
}

/// Largest |a - b|/|scale|.
fn miss(a: &[Complex64], b: &[Complex64], scale: &[Complex64]) -> f64 {
    a.iter().zip(b).zip(scale).map(|((a, b), s)| (a - b).norm() / s.norm()).fold(0.0, f64::max)
}

fn parts_miss(a: &[Contribution], b: &[Contribution], scale: &[Complex64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| {
            assert_eq!(a.name, b.name);
            miss(&values(&a.z_real_ohm, &a.z_imag_ohm), &values(&b.z_real_ohm, &b.z_imag_ohm), scale)
        })
        .fold(0.0, f64::max)
}

/// All bundled cells: full cells, a half cell, a blend, LFP, and diffusivities that depend on concentration.
fn cells() -> Vec<ParameterSet> {
    ParameterSet::names()
        .iter()
        .map(|set| {
            let cell = ParameterSet::bundled(set.name).unwrap();
            // The blend starts out of equilibrium, and Mohtat2020 empty.
            match set.name {
                "Chen2020_composite" | "Mohtat2020" => cell.started_at_state_of_charge(0.5).unwrap(),
                _ => cell,
            }
        })
        .collect()
}

#[test]
fn at_rest_it_is_the_closed_form() {
    let frequencies = decades(-4, 4);
    let mut compared = 0;
    for cell in cells() {
        for model in MODELS {
            let exact = impedance_at_rest(&cell, model, &frequencies).unwrap();
            let found = after(&cell, &resting(1.0), model, &frequencies);
            let scale = impedance(&exact);
            let off = miss(&scale, &impedance(&found.spectrum), &scale);
            assert!(off < 5e-7, "{} {model:?}: {off:e}", cell.name);
            let layers = parts_miss(&exact.contributions, &found.spectrum.contributions, &scale);
            let processes = parts_miss(&exact.processes, &found.spectrum.processes, &scale);
            assert!(layers < 1e-6 && processes < 1e-6, "{} {model:?}: {layers:e} {processes:e}", cell.name);
            assert_sums(&exact, &cell.name);
            compared += 1;
        }
    }
    assert_eq!(compared, 27);
}

/// The mesh converges to the closed form, and its estimate is not far below what is missed.
#[test]
fn the_estimate_tells_the_error_at_rest() {
    let frequencies = decades(-4, 4);
    for cell in cells() {
        let scale = impedance(&impedance_at_rest(&cell, ModelKind::Dfn, &frequencies).unwrap());
        let found = after(&cell, &resting(1.0), ModelKind::Dfn, &frequencies);
        let off = miss(&scale, &impedance(&found.spectrum), &scale);
        let estimate = found.error_estimate;
        assert!(off < 2.0 * estimate + 1e-9 && estimate < 2e-6, "{}: {off:e} {estimate:e}", cell.name);
    }
}

/// A cell that has rested long enough after a discharge has the impedance of a cell that starts where it has come to.
#[test]
fn after_a_long_rest_it_is_the_closed_form() {
    let frequencies = decades(-4, 4);
    let protocol = Protocol::sequence(vec![
        Step::lasting(Control::CRate(1.0), 1200.0),
        Step::lasting(Control::Rest, 4e5),
    ]);
    for (mut cell, model) in [
        (ParameterSet::marquis2019().unwrap(), ModelKind::Dfn),
        (ParameterSet::chen2020().unwrap(), ModelKind::Spme),
        (ParameterSet::bundled("ecker2015").unwrap(), ModelKind::Spm),
        (ParameterSet::bundled("xu2019").unwrap(), ModelKind::Dfn),
    ] {
        let options = DfnOptions { rtol: 1e-7, atol: 1e-8, ..options(model) };
        let found = impedance_after(&cell, &protocol, &options, &frequencies).unwrap();
        cell.positive.material.initial_concentration =
            found.state.positive_stoichiometry * cell.positive.material.max_concentration;
        if let (Some(electrode), Some(x)) = (cell.negative.porous_mut(), found.state.negative_stoichiometry) {
            electrode.material.initial_concentration = x * electrode.material.max_concentration;
        }
        let scale = impedance(&impedance_at_rest(&cell, model, &frequencies).unwrap());
        let off = miss(&scale, &impedance(&found.spectrum), &scale);
        assert!(off < 1e-6, "{} {model:?}: {off:e}", cell.name);
        assert!(found.state.current_a == 0.0 && found.state.time_s == 401_200.0);
    }
}

/// -U' diffusion + RT/(F sqrt(j^2/4 + j0^2)) / 2 and the derivative of the overpotential by j0, at the surface that
/// the run has come to: the single-particle model in any state, with the double layer beside it.
fn single_particle(p: &ParameterSet, found: &StateSpectrum, frequency: f64) -> Complex64 {
    let s = Complex64::new(0.0, 2.0 * PI * frequency);
    let NegativeElectrode::Porous(negative) = &p.negative else { panic!("a full cell") };
    let state = &found.state;
    let surfaces = [state.negative_surface_stoichiometry.unwrap(), state.positive_surface_stoichiometry];
    let mut sum = Complex64::ZERO;
    for ((electrode, sign), x) in [(negative, 1.0), (&p.positive, -1.0)].into_iter().zip(surfaces) {
        let m = &electrode.material;
        let area = m.specific_surface() * electrode.thickness_m;
        let j = sign * state.current_a / p.total_area_m2() / area;
        let salt = p.electrolyte.initial_concentration;
        let kelvin = p.initial_temperature_k;
        let voltage = GAS_CONSTANT * kelvin / FARADAY;
        let j0 = |x: f64| {
            let point = [x, salt, x * m.max_concentration, kelvin];
            m.exchange_current.at_reference.value(point).unwrap()
                * m.exchange_current.arrhenius_factor(kelvin, p.reference_temperature_k)
        };
        let open = |x: f64| {
            let point = [x, 0.0, x * m.max_concentration, kelvin];
            m.open_circuit.at_reference.value(point).unwrap()
        };
        // Potential over the interface at fixed current, as a function of the surface stoichiometry.
        let at = |x: f64| open(x) + 2.0 * voltage * (j / (2.0 * j0(x))).asinh();
        let h = 1e-4;
        let slope = (8.0 * (at(x + h) - at(x - h)) - (at(x + 2.0 * h) - at(x - 2.0 * h))) / (12.0 * h);
        let diffusivity = m.diffusivity.at_reference.as_constant().unwrap()
            * m.diffusivity.arrhenius_factor(kelvin, p.reference_temperature_k);
        let radius = m.particle_radius_m;
        let diffusion = -slope / m.max_concentration * radius / (FARADAY * diffusivity)
            * sphere_impedance(s * radius * radius / diffusivity);
        let transfer = voltage / (0.25 * j * j + j0(x) * j0(x)).sqrt();
        let faradaic = 1.0 / (transfer + diffusion);
        sum += 1.0 / (area * (faradaic + s * electrode.double_layer_capacitance));
    }
    sum / p.total_area_m2() + p.contact_resistance_ohm
}

#[test]
fn the_single_particle_model_under_current_has_a_closed_form() {
    let mut p = ParameterSet::chen2020().unwrap();
    p.contact_resistance_ohm = 0.003;
    let frequencies = decades(-4, 4);
    let found = after(&p, &discharging(1.0, 1200.0), ModelKind::Spm, &frequencies);
    assert!((found.state.current_a - 5.0).abs() < 1e-12 && found.state.time_s == 1200.0);
    for (f, z) in frequencies.iter().zip(impedance(&found.spectrum)) {
        let wanted = single_particle(&p, &found, *f);
        assert!((z - wanted).norm() < 1e-8 * wanted.norm(), "{f} Hz: {z} {wanted}");
    }
    // The surface is that of the exact solution of the sphere.
    let m = &p.positive.material;
    let d = m.diffusivity.at_reference.as_constant().unwrap();
    let r = m.particle_radius_m;
    let flux =
        found.state.current_a / (p.total_area_m2() * m.specific_surface() * p.positive.thickness_m * FARADAY);
    let deviation = scalade_cell::sphere_surface_deviation(1200.0 * d / (r * r)) * flux * r / d;
    let exact = (m.initial_concentration + deviation) / m.max_concentration;
    assert!((found.state.positive_surface_stoichiometry - exact).abs() < 1e-5);
}

/// Voltage of a run whose current is the rate plus a small sine, and -dV/dI by Fourier's sum over its last period.
fn by_sine(p: &ParameterSet, model: ModelKind, rate: f64, frequency: f64) -> (Complex64, f64) {
    const POINTS: usize = 64;
    let current = p.current_of_rate(rate);
    let amplitude = 2e-3 * p.current_of_rate(1.0);
    let before = 600.0;
    let periods = 16.0;
    let samples = 256 * periods as usize;
    let period = 1.0 / frequency;
    let trace = |amplitude: f64| {
        let (times, values): (Vec<f64>, Vec<f64>) = (0..=samples)
            .map(|i| {
                let t = period * periods * i as f64 / samples as f64;
                (t, current + amplitude * (2.0 * PI * frequency * t).sin())
            })
            .unzip();
        let cycle = DriveCycle::new("sine", DriveQuantity::Current, times, values, Hold::Linear).unwrap();
        let control = Control::Profile { cycle: Arc::new(cycle), factor: 1.0 };
        Protocol::sequence(vec![
            Step::lasting(Control::CRate(rate), before),
            Step::lasting(control, periods * period),
        ])
    };
    let last = before + (periods - 1.0) * period;
    let times: Vec<f64> = (0..POINTS).map(|i| last + period * i as f64 / POINTS as f64).collect();
    let options = DfnOptions { rtol: 1e-9, atol: 1e-10, ..options(model) };
    let voltage = |a: f64| solve(p, &trace(a), &options, &times).unwrap().voltage_v;
    let (plus, minus) = (voltage(amplitude), voltage(-amplitude));
    let mut sum = Complex64::ZERO;
    for (i, (a, b)) in plus.iter().zip(&minus).enumerate() {
        sum += 0.5 * (a - b) * Complex64::from_polar(1.0, -2.0 * PI * i as f64 / POINTS as f64);
    }
    // sin = Im exp: amplitude times exp(-i pi/2).
    let z = -sum * (2.0 / POINTS as f64) * Complex64::I / amplitude;
    (z, last + 0.5 * period)
}

/// The linear response agrees with the nonlinear time-dependent model under a small sinusoidal current on top of a
/// discharge (without double layers, which the time-dependent model does not have).
#[test]
fn it_is_what_a_small_sine_does_to_the_running_model() {
    for (name, model, rate, frequency) in [
        ("chen2020", ModelKind::Dfn, 1.0, 0.1),
        ("marquis2019", ModelKind::Dfn, -1.0, 0.5),
        ("ecker2015", ModelKind::Dfn, 2.0, 0.2),
        ("chen2020", ModelKind::Spme, 1.5, 0.1),
        ("xu2019", ModelKind::Spme, 0.5, 0.2),
        ("xu2019", ModelKind::Dfn, 0.5, 0.2),
    ] {
        let mut p = ParameterSet::bundled(name).unwrap();
        if rate < 0.0 {
            p = p.started_at_state_of_charge(0.4).unwrap();
        }
        match &mut p.negative {
            NegativeElectrode::Porous(electrode) => electrode.double_layer_capacitance = 0.0,
            NegativeElectrode::LithiumMetal(metal) => metal.double_layer_capacitance = 0.0,
        }
        p.positive.double_layer_capacitance = 0.0;
        let (z, at) = by_sine(&p, model, rate, frequency);
        let found = impedance_after(&p, &discharging(rate, at), &options(model), &[frequency]).unwrap();
        let linear = impedance(&found.spectrum)[0];
        let off = (z - linear).norm() / z.norm();
        assert!(off < 3e-4, "{name} {model:?}: {z} {linear} ({off:e})");
        let rest = impedance(&impedance_at_rest(&p, model, &[frequency]).unwrap())[0];
        assert!((rest - linear).norm() > 10.0 * (z - linear).norm(), "{name}: as at rest");
    }
}

fn assert_sums(spectrum: &Spectrum, name: &str) {
    let z = impedance(spectrum);
    for parts in [&spectrum.contributions, &spectrum.processes] {
        let mut sum = vec![Complex64::ZERO; z.len()];
        for part in parts {
            for (sum, value) in sum.iter_mut().zip(values(&part.z_real_ohm, &part.z_imag_ohm)) {
                *sum += value;
            }
        }
        let off = miss(&sum, &z, &z);
        assert!(off < 1e-12, "{name}: {off:e}");
    }
}

#[test]
fn parts_add_up() {
    let frequencies = decades(-4, 4);
    for cell in cells() {
        let cell = ParameterSet { contact_resistance_ohm: 0.01, ..cell };
        for model in MODELS {
            let found = after(&cell, &discharging(0.5, 300.0), model, &frequencies);
            assert_sums(&found.spectrum, &cell.name);
            assert_eq!(found.spectrum.contributions.len(), 4);
            assert_eq!(found.spectrum.processes.len(), 7);
        }
    }
}

/// At rest the parts of a process have simple values in the single-particle model: at high frequency the double layer
/// takes all, at low frequency charge transfer its resistance.
#[test]
fn processes_have_their_limits() {
    let p = ParameterSet::chen2020().unwrap();
    let found = after(&p, &resting(1.0), ModelKind::Dfn, &[1e-4, 1e4]);
    let part = |name: &str| found.spectrum.processes.iter().find(|c| c.name == name).unwrap().clone();
    let z = impedance(&found.spectrum);
    assert!(part("double layer").z_real_ohm[0].abs() < 1e-3 * z[0].norm());
    assert!(part("charge transfer").z_real_ohm[1].abs() < 1e-2 * z[1].norm());
    assert!(part("electrolyte conduction").z_real_ohm[1] > 0.5 * z[1].re);
    // Without inertia of the interface all current reacts: the ohmic parts are those of the reaction's distribution.
    assert!(part("charge transfer").z_real_ohm[0] > 0.01 && part("solid diffusion").z_imag_ohm[0] < -0.1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// Cells take no energy out of nowhere: Re Z > 0; and Z is that of a causal system, so that it is smooth in the
    /// frequency: 400 times closer frequencies differ as little.
    #[test]
    fn impedances_are_passive(
        which in 0_usize..4, kind in 0_usize..3, rate in -1.5_f64..1.5, seconds in 1.0_f64..900.0,
        radius in 0.5_f64..2.0, conductivity in 0.3_f64..3.0, exchange in 0.3_f64..3.0,
    ) {
        let name = ["marquis2019", "chen2020", "ecker2015", "xu2019"][which];
        let mut p = ParameterSet::bundled(name).unwrap().started_at_state_of_charge(0.5).unwrap();
        p.positive.material.particle_radius_m *= radius;
        p.positive.conductivity_s_per_m *= conductivity;
        p.electrolyte.conductivity.at_reference = match p.electrolyte.conductivity.at_reference.as_constant() {
            Some(value) => Property::Constant(value * conductivity),
            None => p.electrolyte.conductivity.at_reference.clone(),
        };
        if let Some(value) = p.positive.material.exchange_current.at_reference.as_constant() {
            p.positive.material.exchange_current.at_reference = Property::Constant(value * exchange);
        }
        let frequencies = [1e-3, 0.1, 0.1 * (1.0 + 1e-6), 10.0, 1e3, 1e5];
        let protocol = Protocol::sequence(vec![
            Step::lasting(Control::CRate(rate), seconds)
                .until_voltage_below(p.lower_voltage_v)
                .until_voltage_above(p.upper_voltage_v),
        ]);
        let found = impedance_after(&p, &protocol, &options(MODELS[kind]), &frequencies).unwrap();
        let z = impedance(&found.spectrum);
        for (f, z) in frequencies.iter().zip(&z) {
            prop_assert!(z.re > 0.0 && z.im < 0.0, "{name} {f} Hz: {z}");
        }
        prop_assert!((z[1] - z[2]).norm() < 3e-6 * z[1].norm());
        assert_sums(&found.spectrum, name);
    }
}

/// Kramers and Kronig: the resistance between two frequencies follows from the reactance between them and beyond,
/// Re Z(f) - Re Z(inf) = (2/pi) int (x Im Z(x) - f Im Z(f))/(x^2 - f^2) dx with Im Z that tends to 0 at both ends
/// (the charge that the cell stores is taken away first: it is the residue of Z at 0).
#[test]
fn real_and_imaginary_part_belong_together() {
    let p = ParameterSet::marquis2019().unwrap();
    let per_decade = 24;
    let count = 18 * per_decade + 1;
    let frequencies: Vec<f64> =
        (0..count).map(|i| 10_f64.powf(-8.0 + i as f64 / per_decade as f64)).collect();
    let found = after(&p, &discharging(1.0, 900.0), ModelKind::Dfn, &frequencies);
    let z = impedance(&found.spectrum);
    // -1/(omega C) of the insertion capacity.
    let store = z[0].im * frequencies[0];
    let reactance: Vec<f64> = z.iter().zip(&frequencies).map(|(z, f)| z.im - store / f).collect();
    let step = 10_f64.ln() / per_decade as f64;
    for at in [7, 8, 9, 10, 11].map(|d| d * per_decade) {
        let f = frequencies[at];
        let mut sum = 0.0;
        for (i, (x, value)) in frequencies.iter().zip(&reactance).enumerate() {
            // In ln x; the point itself by its neighbours.
            if i == at {
                let (low, high) = (i - 1, i + 1);
                let slope = (frequencies[high] * reactance[high] - frequencies[low] * reactance[low])
                    / (frequencies[high] - frequencies[low]);
                sum += step * x * slope / (2.0 * f);
            } else {
                sum += step * x * (x * value - f * reactance[at]) / (x * x - f * f);
            }
        }
        let wanted = z[at].re - z[count - 1].re;
        let found = -2.0 / PI * sum;
        let scale = z[at].re;
        assert!((found - wanted).abs() < 2e-2 * scale, "{f} Hz: {found} {wanted}");
    }
}

#[test]
fn results_do_not_depend_on_order_or_company() {
    let p = ParameterSet::chen2020().unwrap();
    let protocol = discharging(1.0, 600.0);
    let all = after(&p, &protocol, ModelKind::Dfn, &[1e3, 1e-2, 1.0]);
    for (i, f) in [1e3, 1e-2, 1.0].into_iter().enumerate() {
        let one = after(&p, &protocol, ModelKind::Dfn, &[f]);
        assert_eq!(impedance(&one.spectrum)[0], impedance(&all.spectrum)[i]);
    }
    assert_eq!(all.spectrum.frequency_hz, [1e3, 1e-2, 1.0]);
    assert_eq!(after(&p, &protocol, ModelKind::Dfn, &[1e3, 1e-2, 1.0]), all);
}

/// The state is that of the run, whatever ends it.
#[test]
fn the_state_is_where_the_protocol_ends() {
    let p = ParameterSet::chen2020().unwrap();
    let step = Step::lasting(Control::CRate(1.0), 7200.0).until_voltage_below(3.5);
    let protocol = Protocol::sequence(vec![step, Step::lasting(Control::Voltage { volts: 3.5 }, 60.0)]);
    let found = after(&p, &protocol, ModelKind::Dfn, &[1.0]);
    let run = solve(&p, &protocol, &options(ModelKind::Dfn), &[]).unwrap();
    assert!((found.state.voltage_v - 3.5).abs() < 1e-9 && found.state.time_s == run.end_time_s);
    assert!(found.state.current_a > 0.1 && found.state.current_a < 5.0);
    let charge = run.end_capacity_ah * 3600.0;
    let positive = &p.positive;
    let capacity = FARADAY
        * positive.material.fraction
        * positive.thickness_m
        * p.total_area_m2()
        * positive.material.max_concentration;
    let start = positive.material.initial_concentration / positive.material.max_concentration;
    assert!((found.state.positive_stoichiometry - start - charge / capacity).abs() < 1e-9);
    assert_eq!(found.state.end_reason, run.end_reason);
}

/// A finer mesh of the run changes the impedance of a working cell by as much as the default one leaves open.
#[test]
fn the_state_converges_with_the_mesh_of_the_run() {
    let p = ParameterSet::chen2020().unwrap();
    let frequencies = decades(-3, 4);
    let on = |elements: usize, order: usize, rtol: f64| {
        let mut options = DfnOptions { rtol, atol: 0.1 * rtol, ..DfnOptions::default() };
        let mesh: &mut MeshOptions = &mut options.mesh;
        (mesh.order, mesh.separator_elements) = (order, 2);
        for electrode in [&mut mesh.negative, &mut mesh.positive] {
            electrode.elements = elements;
            electrode.particle = ParticleMeshOptions::graded(4, 7);
        }
        impedance(&impedance_after(&p, &discharging(1.0, 1200.0), &options, &frequencies).unwrap().spectrum)
    };
    let fine = on(6, 7, 1e-8);
    let default = impedance(&after(&p, &discharging(1.0, 1200.0), ModelKind::Dfn, &frequencies).spectrum);
    let middle = on(4, 6, 1e-7);
    let (first, second) = (miss(&default, &fine, &fine), miss(&middle, &fine, &fine));
    assert!(first < 5e-4 && second < 2e-5, "{first:e} {second:e}");
}

#[test]
fn input_that_makes_no_sense_is_refused() {
    let p = ParameterSet::marquis2019().unwrap();
    let try_with = |p: &ParameterSet, protocol: &Protocol, options: &DfnOptions, f: &[f64]| {
        impedance_after(p, protocol, options, f).map(|_| ()).unwrap_err()
    };
    for f in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = try_with(&p, &resting(1.0), &DfnOptions::default(), &[1.0, f]);
        assert!(matches!(error, CellError::Option { option: "frequency [Hz]", .. }), "{error}");
    }
    // A run that does not reach its end gives no impedance.
    let short = DfnOptions { max_steps: 3, ..DfnOptions::default() };
    let error = try_with(&p, &discharging(1.0, 600.0), &short, &[1.0]);
    assert!(matches!(error, CellError::TooManySteps { steps: 3, .. }), "{error}");
    let ageing = AgeingOptions { sei: SeiLaw::SolventDiffusion, ..AgeingOptions::default() };
    let okane = ParameterSet::bundled("okane2022").unwrap();
    let error = try_with(&okane, &resting(1.0), &DfnOptions { ageing, ..DfnOptions::default() }, &[1.0]);
    assert!(error.to_string().contains("side reactions"), "{error}");
    let options = DfnOptions { rtol: f64::NAN, ..DfnOptions::default() };
    assert!(matches!(try_with(&p, &resting(1.0), &options, &[1.0]), CellError::Option { .. }));
    let error = try_with(&p, &Protocol::sequence(Vec::new()), &DfnOptions::default(), &[1.0]);
    assert!(matches!(error, CellError::Option { option: "number of steps", .. }), "{error}");
    // Nothing asked for is nothing given.
    assert!(after(&p, &resting(1.0), ModelKind::Dfn, &[]).spectrum.z_real_ohm.is_empty());
}
