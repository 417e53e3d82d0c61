//! Multi-species, multi-reaction (MSMR) materials.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use scalade_cell::{
    CellDocument, CellError, Control, DfnOptions, Kinetics, ModelKind, Msmr, MsmrQuantity, MsmrSpecies,
    Parameter, ParameterSet, Property, Protocol, Step, Thermal, impedance_after, impedance_at_rest, solve,
    solve_with_sensitivities,
};

const EXAMPLE: &str = include_str!("../../../data/cell/msmr/msmr_example.json");
const KELVIN: f64 = 298.15;

fn cell() -> ParameterSet {
    CellDocument::read(EXAMPLE).unwrap().parameters
}

/// Sites of the negative and of the positive electrode.
fn sites() -> [Vec<MsmrSpecies>; 2] {
    let p = cell();
    [&p.negative.porous().unwrap().material, &p.positive.material].map(|material| {
        let Property::Msmr(curve) = &material.open_circuit.at_reference else {
            unreachable!("the potential is one of sites")
        };
        curve.species().to_vec()
    })
}

fn derivative(f: impl Fn(f64) -> f64, at: f64, step: f64) -> f64 {
    let central = |h: f64| (f(at + h) - f(at - h)) / (2.0 * h);
    (4.0 * central(0.5 * step) - central(step)) / 3.0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn the_inverse_is_exact_to_rounding(
        raw in proptest::collection::vec((0.0_f64..4.5, 0.05_f64..1.0, -1.3_f64..1.0), 1..8),
        x in 1e-9_f64..1.0,
        kelvin in 230.0_f64..360.0,
        near_full in any::<bool>(),
    ) {
        let sum: f64 = raw.iter().map(|(_, fraction, _)| fraction).sum();
        let species: Vec<MsmrSpecies> = raw.iter().map(|(u, fraction, w)| MsmrSpecies {
            standard_potential_v: *u,
            fraction: fraction / sum,
            ideality: 10.0_f64.powf(*w),
            transfer_coefficient: 0.5,
            exchange_current_a_per_m2: 1.0,
        }).collect();
        let curve = Msmr::potential(species).unwrap();
        let x = if near_full { 1.0 - 1e-9 / x.max(1e-8) } else { x };
        prop_assume!(x > 0.0 && x < 1.0 - 1e-15);
        let u = curve.potential_at(x, kelvin).unwrap();
        let found = curve.stoichiometry(u, kelvin);
        // A potential is known to its last digits, which on a sharp plateau at some volts moves x by more.
        let digit = (found - curve.stoichiometry(u * (1.0 + f64::EPSILON), kelvin)).abs();
        prop_assert!((found - x).abs() < 1e-15 + 3.0 * digit, "{u} V: {found} {x}");
    }

    #[test]
    fn stoichiometries_of_the_example_come_back(x in 1e-6_f64..0.999_99, kelvin in 250.0_f64..340.0) {
        for sites in sites() {
            let curve = Msmr::potential(sites).unwrap();
            if let Some(u) = curve.potential_at(x, kelvin) {
                let found = curve.stoichiometry(u, kelvin);
                prop_assert!((found - x).abs() < 1e-14, "{u} V: {found} {x}");
            }
        }
    }
}

#[test]
fn one_ideal_kind_of_sites_is_the_formula_of_nernst() {
    let one = MsmrSpecies {
        standard_potential_v: 3.4,
        fraction: 1.0,
        ideality: 1.0,
        transfer_coefficient: 0.5,
        exchange_current_a_per_m2: 2.0,
    };
    let curve = Msmr::potential(vec![one]).unwrap();
    let volt = scalade_cell::GAS_CONSTANT * KELVIN / scalade_cell::FARADAY;
    let current = Property::from(Msmr::exchange_current(vec![one], 1000.0).unwrap());
    let diffusivity = Property::from(Msmr::diffusivity(vec![one], 1e-14).unwrap());
    for x in [1e-12_f64, 1e-3, 0.5, 0.9, 1.0 - 1e-6] {
        let exact = 3.4 + volt * ((1.0 - x) / x).ln();
        assert!((curve.potential_at(x, KELVIN).unwrap() - exact).abs() < 1e-14 * exact.abs() + 1e-15, "{x}");
        // j0 = j0ref sqrt(x (1 - x) c_e/c_ref), and the thermodynamic factor of an ideal solution is 1.
        let j0 = current.value([x, 500.0, 0.0, KELVIN]).unwrap();
        assert!((j0 / (2.0 * (0.5 * x * (1.0 - x)).sqrt()) - 1.0).abs() < 1e-10, "{x}: {j0}");
        assert!((diffusivity.value([x, 0.0, 0.0, KELVIN]).unwrap() / 1e-14 - 1.0).abs() < 1e-10);
    }
    for x in [0.0, 1.0, -0.1, 1.5, f64::NAN] {
        assert_eq!(curve.potential_at(x, KELVIN), None);
    }
}

/// Along every variable, against differences.
#[test]
fn derivatives_are_those_of_the_values() {
    for sites in sites() {
        let properties = [
            Property::from(Msmr::potential(sites.clone()).unwrap()),
            Property::from(Msmr::entropic_slope(sites.clone()).unwrap()),
            Property::from(Msmr::diffusivity(sites.clone(), 3e-14).unwrap()),
            Property::from(Msmr::exchange_current(sites.clone(), 1000.0).unwrap()),
        ];
        for x in [0.02, 0.3, 0.5, 0.71, 0.95] {
            let point = [x, 800.0, 1e4, 310.0];
            for property in &properties {
                for (variable, step) in [(0, 1e-4), (1, 1.0), (2, 1.0), (3, 0.5)] {
                    let mut direction = [0.0; 4];
                    direction[variable] = 1.0;
                    let (mut value, mut slope) = ([0.0], [0.0]);
                    let lists: Vec<[f64; 1]> = point.iter().map(|v| [*v]).collect();
                    let variables = [&lists[0][..], &lists[1], &lists[2], &lists[3]];
                    let mut workspace = scalade_cell::FormulaWorkspace::default();
                    property
                        .evaluate_dual(variables, direction, &mut workspace, &mut value, &mut slope)
                        .unwrap();
                    let at = |v: f64| {
                        let mut moved = point;
                        moved[variable] = v;
                        property.value(moved).unwrap()
                    };
                    let expected = derivative(at, point[variable], step);
                    let scale = expected.abs() + value[0].abs() * 1e-3 / step;
                    assert!(
                        (slope[0] - expected).abs() < 1e-5 * scale,
                        "{x} {variable}: {slope:?} {expected}"
                    );
                }
            }
            // dU/dT is the derivative of U.
            let slope = derivative(|t| properties[0].value([x, 0.0, 0.0, t]).unwrap(), 310.0, 0.5);
            let found = properties[1].value(point).unwrap();
            assert!((found - slope).abs() < 1e-9, "{found} {slope}");
        }
    }
}

#[test]
fn documents_round_trip_and_wrong_ones_are_refused() {
    let p = cell();
    let text = serde_json::to_string(&p).unwrap();
    assert_eq!(serde_json::from_str::<ParameterSet>(&text).unwrap(), p);
    let site = r#"{"standard_potential_v": 3.5, "fraction": 1.0, "ideality": 1.0}"#;
    let good: Property = serde_json::from_str(&format!(r#"{{"msmr": {{"species": [{site}]}}}}"#)).unwrap();
    assert!(matches!(&good, Property::Msmr(curve) if curve.quantity() == MsmrQuantity::Potential));
    let table: Property = serde_json::from_str(r#"{"x": [0, 1], "y": [1, 2]}"#).unwrap();
    assert!(matches!(table, Property::Table(_)));
    for (text, told) in [
        (format!(r#"{{"msmr": {{"species": [{site}]}}, "x": [1]}}"#), "beside"),
        (r#"{"msmr": {"species": []}}"#.to_owned(), "number of species"),
        (format!(r#"{{"msmr": {{"species": [{site}, {site}]}}}}"#), "sum of the fractions"),
        (site.replace("1.0}", "0.0}"), "ideality"),
        (site.replace("3.5", "1e999"), "number out of range"),
        (site.replace("3.5", "-77"), "standard potential"),
        (site.replace(r#""ideality""#, r#""idealty""#), "idealty"),
        (format!(r#"{{"msmr": {{"species": [{site}], "quantity": "diffusivity"}}}}"#), "diffusivity"),
        (
            format!(r#"{{"msmr": {{"species": [{site}], "quantity": "exchange_current"}}}}"#),
            "exchange-current",
        ),
    ] {
        let text =
            if text.contains("msmr") { text } else { format!(r#"{{"msmr": {{"species": [{text}]}}}}"#) };
        let error = serde_json::from_str::<Property>(&text).unwrap_err().to_string();
        assert!(error.contains(told), "{text}: {error}");
    }
    // Each function in its place, and skewed reactions with their kinetics.
    let refused = |change: &dyn Fn(&mut ParameterSet)| {
        let mut p = cell();
        change(&mut p);
        assert!(matches!(p.validate(), Err(CellError::Parameter { .. })));
    };
    refused(&|p| {
        p.positive.material.diffusivity.at_reference = p.positive.material.open_circuit.at_reference.clone();
    });
    refused(&|p| p.positive.material.kinetics = Kinetics::ButlerVolmer);
    refused(&|p| p.positive.material.exchange_current.at_reference = Property::Constant(1.0));
    assert!(p.validate().is_ok());
}

/// `PyBaMM` 26.10.1.1 (BSD-3-Clause), model MSMR with ("6", "4") reactions and its MSMR_example parameters, rtol 1e-8,
/// at 1C, on meshes of 20, 40 and 80 cells in every layer and particle, whose errors a/N + b/N^2 are taken out.
#[test]
fn voltages_are_those_of_the_peer() {
    let times = [60.0, 300.0, 600.0, 1200.0, 1800.0, 2400.0, 3000.0];
    let coarse = [4.0269475, 3.9630411, 3.8931496, 3.7561762, 3.6373955, 3.55949, 3.4895996];
    let middle = [4.0266664, 3.9627775, 3.8928716, 3.7559009, 3.6370972, 3.5591773, 3.4893272];
    let fine = [4.0265179, 3.9626266, 3.8927169, 3.7557426, 3.6369312, 3.5590146, 3.4891718];
    let options = DfnOptions::for_tolerance(1e-6).unwrap();
    let protocol = Protocol::sequence(vec![Step::lasting(Control::CRate(1.0), 3000.0)]);
    let run = solve(&cell(), &protocol, &options, &times).unwrap();
    for i in 0..times.len() {
        let limit = (8.0 * fine[i] - 6.0 * middle[i] + coarse[i]) / 3.0;
        let miss = run.voltage_v[i] - limit;
        assert!(miss.abs() < 1.5e-5, "{} s: {} V, {miss:e}", times[i], run.voltage_v[i]);
    }
    assert!(run.inventory.solid_lithium_drift < 1e-12 && run.inventory.salt_drift < 1e-12);
}

/// At C/50 the voltage is that of the equilibrium, U(x) of both electrodes, but for small overpotentials.
#[test]
fn slow_discharges_follow_the_equilibrium() {
    let p = cell();
    let curves = sites().map(|sites| Msmr::potential(sites).unwrap());
    let hour = 3600.0;
    let times = [2.0 * hour, 15.0 * hour, 30.0 * hour, 45.0 * hour];
    for model in [ModelKind::Dfn, ModelKind::Spme, ModelKind::Spm] {
        let options = DfnOptions { model, ..DfnOptions::default() };
        let protocol = Protocol::sequence(vec![Step::lasting(Control::CRate(0.02), 46.0 * hour)]);
        let run = solve(&p, &protocol, &options, &times).unwrap();
        assert!(run.inventory.solid_lithium_drift < 1e-12 && run.inventory.coulomb_count_error < 1e-12);
        assert!(run.inventory.salt_drift < 1e-12);
        for (i, time) in times.iter().enumerate() {
            let drawn = p.current_of_rate(0.02) * time / p.total_area_m2();
            let negative = p.negative.porous().unwrap();
            let x = negative.initial_content() - drawn / negative.charge_per_area();
            let y = p.positive.initial_content() + drawn / p.positive.charge_per_area();
            let rest =
                curves[1].potential_at(y, KELVIN).unwrap() - curves[0].potential_at(x, KELVIN).unwrap();
            assert!((rest - p.open_circuit_voltage(x, y).unwrap()).abs() < 1e-12);
            let lost = rest - run.voltage_v[i];
            assert!(lost > 1e-4 && lost < 0.012, "{model:?} at {time} s: {lost}");
        }
    }
}

/// Transfer coefficients of 1/2 make the reactions one: the general kinetics go over into Butler and Volmer's.
#[test]
fn symmetric_reactions_add_up_to_one() {
    let with = |a: f64, kinetics: Kinetics| {
        let mut p = cell();
        let negative = &mut p.negative.porous_mut().unwrap().material;
        for material in [negative, &mut p.positive.material] {
            let Property::Msmr(reactions) = &material.exchange_current.at_reference else { continue };
            let mut species = reactions.species().to_vec();
            for (i, site) in species.iter_mut().enumerate() {
                site.transfer_coefficient = if i % 2 == 0 { a } else { 1.0 - a };
                site.exchange_current_a_per_m2 = 2.0;
            }
            material.exchange_current.at_reference = Msmr::exchange_current(species, 1000.0).unwrap().into();
            material.kinetics = kinetics;
        }
        let protocol = Protocol::sequence(vec![Step::lasting(Control::CRate(1.0), 600.0)]);
        let options = DfnOptions { rtol: 1e-9, atol: 1e-10, ..DfnOptions::default() };
        solve(&p, &protocol, &options, &[1.0, 600.0]).unwrap().voltage_v
    };
    let one = with(0.5, Kinetics::ButlerVolmer);
    assert_eq!(one, with(0.5, Kinetics::Msmr));
    let near = with(0.5 + 1e-7, Kinetics::Msmr);
    assert!(one.iter().zip(&near).all(|(a, b)| (a - b).abs() < 1e-7), "{one:?} {near:?}");
    let far = with(0.7, Kinetics::Msmr);
    assert!(one.iter().zip(&far).all(|(a, b)| (a - b).abs() > 1e-5), "{one:?} {far:?}");
}

/// The closed form at rest and the linearised equations of the mesh know the same reactions.
#[test]
fn impedances_at_rest_agree() {
    let still = Protocol::sequence(vec![Step::lasting(Control::Rest, 1.0)]);
    let p = cell().started_at_state_of_charge(0.5).unwrap();
    let frequencies = [1e-3, 0.1, 10.0, 1e3];
    for model in [ModelKind::Dfn, ModelKind::Spm] {
        let closed = impedance_at_rest(&p, model, &frequencies).unwrap();
        let options = DfnOptions { model, ..DfnOptions::default() };
        let solved = impedance_after(&p, &still, &options, &frequencies).unwrap().spectrum;
        for i in 0..frequencies.len() {
            let size = closed.z_real_ohm[i].hypot(closed.z_imag_ohm[i]);
            let miss = (closed.z_real_ohm[i] - solved.z_real_ohm[i])
                .hypot(closed.z_imag_ohm[i] - solved.z_imag_ohm[i]);
            assert!(miss < 1e-4 * size, "{model:?} at {} Hz: {miss} of {size}", frequencies[i]);
        }
    }
}

/// Derivatives of the voltage along parameters that the materials do not know, and along some that they do, against
/// differences of runs.
#[test]
fn sensitivities_are_those_of_differences() {
    let p = cell();
    let names = ["electrolyte.conductivity", "positive.material.particle_radius_m", "negative.thickness_m"];
    let parameters = names.map(Parameter::at);
    let protocol = Protocol::sequence(vec![Step::lasting(Control::CRate(1.0), 120.0)]);
    let options = DfnOptions { rtol: 1e-8, atol: 1e-10, ..DfnOptions::draft() };
    let times = [20.0, 120.0];
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
            assert!(
                (slope - wanted).abs() < 1e-3 * wanted.abs() + 1e-6,
                "{}: {slope} {wanted}",
                names[index]
            );
        }
    }
}

/// The potential follows the temperature by itself; its entropic slope is the reversible heat, and all heats add up.
#[test]
fn heat_is_balanced() {
    let p = cell();
    let options = DfnOptions { thermal: Thermal::Lumped, rtol: 1e-7, atol: 1e-8, ..DfnOptions::default() };
    let protocol = Protocol::sequence(vec![Step::lasting(Control::CRate(1.0), 1800.0)]);
    let run = solve(&p, &protocol, &options, &[]).unwrap();
    let e = &run.energy;
    let heat = e.ohmic_solid_j + e.ohmic_electrolyte_j + e.reaction_j + e.reversible_j;
    assert!((heat - e.cooling_j - e.stored_heat_j).abs() < 1e-9 * heat && run.end_temperature_k > 300.0);
    assert!(e.reversible_j.abs() > 1.0 && e.residual_j.abs() < 1e-9 * e.electrical_j, "{e:?}");
    let sites = sites();
    let warm = Msmr::potential(sites[1].clone()).unwrap();
    let found = p.positive.material.open_circuit.at_reference.value([0.5, 0.0, 0.0, 310.0]).unwrap();
    assert_eq!(Some(found), warm.potential_at(0.5, 310.0));
    let mut hot = p.clone();
    hot.initial_temperature_k = 310.0;
    let rest = hot.open_circuit_voltage(0.5, 0.5).unwrap();
    let low = Msmr::potential(sites[0].clone()).unwrap().potential_at(0.5, 310.0).unwrap();
    assert!((rest - (found - low)).abs() < 1e-14);
    // The model at rest at another temperature than the reference has the same.
    let still = Protocol::sequence(vec![Step::lasting(Control::Rest, 1.0)]);
    let negative = hot.negative.porous().unwrap().initial_content();
    let rest = hot.open_circuit_voltage(negative, hot.positive.initial_content()).unwrap();
    for model in [ModelKind::Dfn, ModelKind::Spm] {
        let options = DfnOptions { model, ..DfnOptions::default() };
        let run = solve(&hot, &still, &options, &[0.0]).unwrap();
        assert!((run.voltage_v[0] - rest).abs() < 1e-9, "{model:?}");
    }
}
