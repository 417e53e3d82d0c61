//! The structured Newton solve against dense references.

use super::{CellModel, ControlRow};
use crate::ageing::{AgeingOptions, PlatingLaw, SeiLaw};
use crate::mesh::{ElectrodeMeshOptions, MeshOptions, ParticleMeshOptions};
use crate::msmr::{Msmr, MsmrSpecies};
use crate::options::{DfnOptions, HysteresisLaw, ModelKind, Thermal};
use crate::parameters::{Kinetics, LithiumMetal, NegativeElectrode, ParameterSet, RadiusDistribution};
use crate::property::{Activated, Hysteresis, Property};
use crate::solver::bdf::DaeSystem;
use proptest::prelude::*;

fn options(order: usize, thermal: Thermal) -> DfnOptions {
    let electrode = |elements| ElectrodeMeshOptions { elements, particle: ParticleMeshOptions::even(2, 2) };
    let mesh = MeshOptions { order, negative: electrode(2), separator_elements: 1, positive: electrode(1) };
    DfnOptions { mesh, thermal, ..DfnOptions::default() }
}

/// A cell in which every material function depends on everything it may depend on.
fn nonlinear_cell(kinetics: Kinetics) -> ParameterSet {
    let mut p = ParameterSet::marquis2019().unwrap();
    p.negative.porous_mut().unwrap().material.diffusivity = Activated {
        at_reference: Property::formula("3.9e-14*(0.2 + x**2)").unwrap(),
        activation_energy_j_per_mol: 3e4,
    };
    p.positive.material.diffusivity = Activated {
        at_reference: Property::formula("1e-13*exp(-2*x)").unwrap(),
        activation_energy_j_per_mol: 2e4,
    };
    p.negative.porous_mut().unwrap().material.kinetics = kinetics;
    p.electrolyte.transference_number = Property::formula("0.3 + 1e-4*(c_e - 1000)").unwrap();
    p.electrolyte.thermodynamic_factor = Property::formula("1 + 4e-4*c_e + 1e-3*(T - 298.15)").unwrap();
    p.contact_resistance_ohm = 0.01;
    p
}

/// The same as a half cell, or with a blend of two materials with three classes of radii, in any model.
fn variant(p: &ParameterSet, index: usize) -> (ParameterSet, ModelKind) {
    let mut p = p.clone();
    match index / 3 {
        0 => {}
        1 => {
            let exchange = Property::formula("12 * (c_e/1000)**0.3").unwrap();
            p.negative = NegativeElectrode::LithiumMetal(LithiumMetal {
                exchange_current: Activated { at_reference: exchange, activation_energy_j_per_mol: 2e4 },
                double_layer_capacitance: 0.0,
            });
        }
        _ => {
            let negative = p.negative.porous_mut().unwrap();
            let mut second = negative.material.clone();
            second.particle_radius_m *= 0.3;
            second.fraction *= 0.2;
            negative.material.fraction *= 0.8;
            second.open_circuit.at_reference = Property::formula("0.4 - 0.3*x").unwrap();
            negative.blended.push(second);
            p.positive.material.radius_distribution =
                Some(RadiusDistribution { relative_deviation: 0.4, classes: 3 });
        }
    }
    (p, [ModelKind::Dfn, ModelKind::Spme, ModelKind::Spm][index % 3])
}

/// The same with branches of the open-circuit potential in all materials.
fn with_branches(p: &ParameterSet) -> ParameterSet {
    let mut p = p.clone();
    let negative = p.negative.porous_mut().into_iter().flat_map(crate::parameters::Electrode::materials_mut);
    let negative = negative.map(|material| (material, "0.3 - 0.4*x"));
    let positive = p.positive.materials_mut().map(|material| (material, "4.3 - 0.8*x"));
    for (index, (material, base)) in negative.chain(positive).enumerate() {
        material.hysteresis = Some(Box::new(Hysteresis {
            lithiation: Property::formula(&format!("{base} - 0.05*x*(1.2 - x)")).unwrap(),
            delithiation: Property::formula(&format!("{base} + 0.03 + 0.02*x")).unwrap(),
            decay_constant: Some(15.0 + index as f64),
            initial_state: Some(0.3),
        }));
    }
    p
}

/// The same with reactions of several transfer coefficients in all materials.
fn with_reactions(p: &ParameterSet) -> ParameterSet {
    let site = |standard_potential_v, fraction, ideality, transfer_coefficient| MsmrSpecies {
        standard_potential_v,
        fraction,
        ideality,
        transfer_coefficient,
        exchange_current_a_per_m2: 3.0 + ideality,
    };
    let mut p = p.clone();
    let negative = p.negative.porous_mut().into_iter().flat_map(crate::parameters::Electrode::materials_mut);
    let negative = negative.map(|material| (material, 0.1));
    let positive = p.positive.materials_mut().map(|material| (material, 3.8));
    for (material, u) in negative.chain(positive) {
        let sites =
            vec![site(u, 0.4, 1.5, 0.3), site(u + 0.1, 0.35, 2.5, 0.6), site(u + 0.25, 0.25, 4.0, 1.0)];
        material.open_circuit.at_reference = Msmr::potential(sites.clone()).unwrap().into();
        material.open_circuit.entropic_slope = Msmr::entropic_slope(sites.clone()).unwrap().into();
        material.diffusivity.at_reference = Msmr::diffusivity(sites.clone(), 3e-14).unwrap().into();
        material.exchange_current.at_reference = Msmr::exchange_current(sites, 900.0).unwrap().into();
        material.kinetics = Kinetics::Msmr;
    }
    p
}

/// A state away from equilibrium, perturbed by `noise` in (-1, 1).
fn disturbed_state(
    model: &mut CellModel,
    p: &ParameterSet,
    current: f64,
    noise: &[f64],
) -> (Vec<f64>, Vec<f64>) {
    model.control = ControlRow::Current(current);
    let mut y = model.rested_state(p);
    model.guess_potentials(&mut y, 0.0).unwrap();
    model.solve_potentials(&mut y, 0.0).unwrap();
    let l = model.layout;
    let mut slope = vec![0.0; l.dimension];
    for i in 0..l.integrals {
        let random = noise[i % noise.len()];
        let size = if i < l.salt {
            600.0
        } else if i < l.ionic {
            150.0
        } else if i < l.flux {
            0.02
        } else if i < l.current {
            0.05
        } else if i == l.voltage {
            0.01
        } else {
            1.0
        };
        y[i] += size * random;
        slope[i] = 0.01 * size * noise[(i * 7 + 3) % noise.len()];
    }
    if model.thermal.is_none() {
        // The isothermal temperature never changes, and its column is not kept.
        (y[l.temperature], slope[l.temperature]) = (p.initial_temperature_k, 0.0);
    }
    for family in model.families() {
        let Some(hysteresis) = &family.hysteresis else { continue };
        for i in hysteresis.range() {
            (y[i], slope[i]) = (0.9 * noise[i % noise.len()], 1e-3 * noise[(i * 7 + 3) % noise.len()]);
        }
        // The one-state model has a kink at zero current, where a difference says nothing.
        for j in &mut y[family.flux..family.flux + family.count()] {
            *j = j.abs().max(5e-3).copysign(*j);
        }
    }
    (y, slope)
}

/// Dense Jacobian dF/dy + leading dF/dy' by central differences with one Richardson extrapolation.
fn dense_jacobian(model: &mut CellModel, y: &[f64], slope: &[f64], leading: f64) -> Vec<Vec<f64>> {
    let n = model.layout.integrals;
    let model_layout = model.layout;
    let mut matrix = vec![vec![0.0; n]; n];
    let scales: Vec<(std::ops::Range<usize>, f64)> =
        model.families().filter_map(|f| f.side.as_ref()).flat_map(|side| side.states()).collect();
    let model_has_sigmoid = model.families().any(|f| (0..f.count()).any(|k| f.row_current(k) != 0.0));
    let mut evaluate = |j: usize, h: f64| {
        let side = |model: &mut CellModel, h: f64| {
            let (mut u, mut v) = (y.to_vec(), slope.to_vec());
            u[j] += h;
            v[j] += leading * h;
            let mut out = vec![0.0; y.len()];
            model.full_residual(&u, &v, &mut out).unwrap();
            out
        };
        let (plus, minus) = (side(model, h), side(model, -h));
        plus.iter().zip(&minus).map(|(a, b)| (a - b) / (2.0 * h)).collect::<Vec<f64>>()
    };
    for j in 0..n {
        // Potentials and the cell current enter (bi)linearly, so that a large difference costs nothing, except in
        // the laws of side reactions.
        let l = model_layout;
        let state = scales.iter().find(|(range, _)| range.contains(&j));
        let h = if let Some((_, scale)) = state {
            1e-2 * scale
        } else if j < l.salt {
            if scales.is_empty() { 4.0 } else { 0.25 }
        } else if j < l.ionic {
            1.0
        } else if j < l.flux {
            if scales.is_empty() { 0.1 } else { 2e-3 }
        } else if j == l.current && model_has_sigmoid {
            1e-5
        } else {
            1e-3
        };
        let (coarse, fine) = (evaluate(j, h), evaluate(j, 0.5 * h));
        for i in 0..n {
            matrix[i][j] = (4.0 * fine[i] - coarse[i]) / 3.0;
        }
    }
    matrix
}

/// Readable reference: Gaussian elimination with row scaling and pivoting.
fn dense_solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for i in 0..n {
        let scale = a[i].iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        a[i].iter_mut().for_each(|v| *v /= scale);
        b[i] /= scale;
    }
    for k in 0..n {
        let p = (k..n).max_by(|i, j| a[*i][k].abs().total_cmp(&a[*j][k].abs())).unwrap();
        a.swap(k, p);
        b.swap(k, p);
        let pivot_row = a[k].clone();
        for i in k + 1..n {
            let f = a[i][k] / pivot_row[k];
            if f != 0.0 {
                for j in k..n {
                    a[i][j] -= f * pivot_row[j];
                }
                b[i] -= f * b[k];
            }
        }
    }
    for k in (0..n).rev() {
        let sum: f64 = (k + 1..n).map(|j| a[k][j] * b[j]).sum();
        b[k] = (b[k] - sum) / a[k][k];
    }
    b
}

/// Puts the structured solution into the dense Jacobian (to `tolerance`), and compares it with the dense
/// solution (to `forward`, relative to the largest entry of each kind of unknown).
fn compare(model: &mut CellModel, y: &[f64], slope: &[f64], leading: f64, tolerance: f64, forward: f64) {
    model.linearize(y, slope).unwrap();
    model.factor(leading).unwrap();
    let mut residual = vec![0.0; y.len()];
    model.residual(y, slope, &mut residual).unwrap();
    let n = model.layout.integrals;
    let mut dense = dense_jacobian(model, y, slope, leading);
    if let Some(thermal) = model.thermal {
        // The structured solve leaves out the temperature row's dependence on the other unknowns, by design.
        let row = model.layout.temperature;
        for j in 0..n {
            if j != row {
                dense[row][j] = 0.0;
            }
        }
        dense[row][row] = leading * thermal.capacity + thermal.cooling;
    }
    let rhs = residual[..n].to_vec();
    model.solve(&mut residual);
    // Backward error: every row of the difference Jacobian is satisfied relative to its largest term.
    for (i, row) in dense.iter().enumerate() {
        let terms: Vec<f64> = row.iter().zip(&residual).map(|(a, x)| a * x).collect();
        let size = terms.iter().fold(rhs[i].abs().max(1e-300), |m, t| m.max(t.abs()));
        let miss = (terms.iter().sum::<f64>() - rhs[i]).abs() / size;
        assert!(miss < tolerance, "row {i} ({:?}): {miss}", model.describe(i));
    }
    // Forward error: the difference Jacobian is known to about 1e-9, the condition number of the scaled
    // system is about 1e5.
    let reference = dense_solve(dense, rhs);
    let l = model.layout;
    let mut kinds: Vec<std::ops::Range<usize>> = model.families().map(super::family::Family::range).collect();
    kinds.extend([
        l.salt..l.ionic,
        l.ionic..l.flux,
        l.flux..l.current,
        l.current..l.voltage,
        l.voltage..l.temperature,
        l.temperature..n,
    ]);
    for kind in kinds {
        let size = reference[kind.clone()].iter().fold(1e-12_f64, |m, v| m.max(v.abs()));
        for i in kind {
            let miss = (residual[i] - reference[i]).abs() / size;
            assert!(
                miss < forward,
                "unknown {i} ({:?}): {} against {}",
                model.describe(i),
                residual[i],
                reference[i]
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn structured_solve_agrees_with_dense_elimination_of_a_difference_jacobian(
        noise in proptest::collection::vec(-1.0_f64..1.0, 61),
        order in 1_usize..4,
        current in -40.0_f64..40.0,
        leading in -3.0_f64..2.0,
        control in 0_usize..4,
        linear in any::<bool>(),
        index in 0_usize..9,
        law in 0_usize..4,
    ) {
        let p = nonlinear_cell(if linear { Kinetics::Linear } else { Kinetics::ButlerVolmer });
        let (p, kind) = variant(&p, index);
        let hysteresis = [HysteresisLaw::Off, HysteresisLaw::CurrentSigmoid, HysteresisLaw::OneState, HysteresisLaw::Off][law];
        let p = match law { 0 => p, 3 => with_reactions(&p), _ => with_branches(&p) };
        let options = DfnOptions { model: kind, hysteresis, ..options(order, Thermal::Isothermal) };
        let mut model = CellModel::new(&p, &options).unwrap();
        let (mut y, slope) = disturbed_state(&mut model, &p, current, &noise);
        if hysteresis == HysteresisLaw::CurrentSigmoid {
            // Where the sigmoid is steep.
            y[model.layout.current] = 4e-4 * current;
        }
        model.control = [ControlRow::Current(10.0), ControlRow::Voltage(3.7), ControlRow::Power(60.0), ControlRow::Resistance(0.2)][control];
        compare(&mut model, &y, &slope, 10.0_f64.powf(leading), 1e-8, 1e-5);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    /// J^T x of a difference Jacobian gives back the right-hand side of the transposed solve, the temperature's row
    /// included.
    #[test]
    fn transposed_solve_agrees_with_a_difference_jacobian(
        noise in proptest::collection::vec(-1.0_f64..1.0, 61),
        order in 1_usize..4,
        current in -40.0_f64..40.0,
        leading in -3.0_f64..2.0,
        control in 0_usize..4,
        thermal in any::<bool>(),
        index in 0_usize..9,
    ) {
        let (p, kind) = variant(&nonlinear_cell(Kinetics::ButlerVolmer), index);
        // Half cells of the variants have no data of heat.
        let thermal = if thermal && p.thermal.is_some() { Thermal::Lumped } else { Thermal::Isothermal };
        let options = DfnOptions { model: kind, ..options(order, thermal) };
        let mut model = CellModel::new(&p, &options).unwrap();
        prop_assert!(model.can_transpose());
        let (y, slope) = disturbed_state(&mut model, &p, current, &noise);
        model.control = [ControlRow::Current(10.0), ControlRow::Voltage(3.7), ControlRow::Power(60.0), ControlRow::Resistance(0.2)][control];
        let leading = 10.0_f64.powf(leading);
        let dense = dense_jacobian(&mut model, &y, &slope, leading);
        model.linearize(&y, &slope).unwrap();
        model.factor(leading).unwrap();
        let n = model.layout.integrals;
        let mut x = vec![0.0; y.len()];
        // Of a size that every column sees.
        for j in 0..n {
            let size = (0..n).fold(0.0_f64, |m, i| m.max(dense[i][j].abs()));
            x[j] = size * (1.5 + noise[(3 * j + 1) % noise.len()]);
        }
        let wanted = x.clone();
        model.solve_transposed(&y, &mut x);
        // A temperature that stays has no column.
        let temperature = model.thermal.is_none().then_some(model.layout.temperature);
        for j in (0..n).filter(|j| Some(*j) != temperature) {
            let terms: Vec<f64> = (0..n).map(|i| dense[i][j] * x[i]).collect();
            let size = terms.iter().fold(wanted[j].abs(), |m, t| m.max(t.abs()));
            let miss = (terms.iter().sum::<f64>() - wanted[j]).abs() / size;
            // The temperature's column is a difference of 0.01 K.
            let tolerance = if j == model.layout.temperature { 1e-3 } else { 1e-7 };
            prop_assert!(miss < tolerance, "column {j} ({:?}): {miss}", model.describe(j));
        }
    }
}

/// Every law of ageing in the structured solve. The mean concentration of a particle, which drives cracks, has
/// no derivative there (it moves slowly): the test gives cracks no growth.
#[test]
fn structured_solve_agrees_with_dense_elimination_with_ageing() {
    let laws = [
        SeiLaw::ReactionLimited,
        SeiLaw::ReactionLimitedAsymmetric,
        SeiLaw::SolventDiffusion,
        SeiLaw::ElectronMigration,
        SeiLaw::InterstitialDiffusion,
        SeiLaw::EcReaction,
        SeiLaw::EcReactionAsymmetric,
    ];
    let plating =
        [PlatingLaw::None, PlatingLaw::Reversible, PlatingLaw::PartlyReversible, PlatingLaw::Irreversible];
    let mut p = ParameterSet::bundled("OKane2022").unwrap();
    p.negative.porous_mut().unwrap().material.mechanics.as_mut().unwrap().youngs_modulus_pa = 1e-3;
    for (index, sei) in laws.into_iter().enumerate() {
        for model in [ModelKind::Dfn, ModelKind::Spme, ModelKind::Spm] {
            let ageing = AgeingOptions {
                sei,
                cracking: true,
                sei_on_cracks: index % 2 == 0,
                plating: plating[(index + usize::from(model == ModelKind::Spm)) % 4],
                film_resistance: index != 3,
                pore_clogging: false,
            };
            let hysteresis = [HysteresisLaw::Off, HysteresisLaw::OneState][index % 2];
            let options = DfnOptions { model, ageing, hysteresis, ..options(2, Thermal::Isothermal) };
            let mut p = if index % 2 == 0 { p.clone() } else { with_branches(&p) };
            if model == ModelKind::Spme {
                // The structured solve leaves out the mean salt's part in plating.
                let material = &mut p.negative.porous_mut().unwrap().material;
                material.plating.as_mut().unwrap().exchange_current = Property::Constant(0.1);
            }
            let mut model = CellModel::new(&p, &options).unwrap();
            let noise: Vec<f64> = (0..61).map(|i| (f64::from(i) * 1.7 + index as f64).sin()).collect();
            let (mut y, mut slope) = disturbed_state(&mut model, &p, 20.0, &noise);
            // States of the films in their own units.
            for side in model.families().filter_map(|f| f.side.as_ref()) {
                for (range, scale) in side.states() {
                    for i in range {
                        y[i] = scale * (1.2 + 0.5 * noise[i % 61]);
                        slope[i] = 1e-4 * scale * noise[(7 * i) % 61];
                    }
                }
            }
            compare(&mut model, &y, &slope, 0.02, 1e-5, 1e-3);
        }
    }
}

#[test]
fn structured_solve_agrees_with_dense_elimination_with_temperature() {
    let p = nonlinear_cell(Kinetics::ButlerVolmer);
    let mut model = CellModel::new(&p, &options(2, Thermal::Lumped)).unwrap();
    let noise: Vec<f64> = (0..61).map(|i| (f64::from(i) * 1.7).sin()).collect();
    let (y, slope) = disturbed_state(&mut model, &p, 24.0, &noise);
    // The temperature column is a forward difference of 0.01 K.
    compare(&mut model, &y, &slope, 0.05, 1e-4, 1e-2);
}

/// The chain's own matrix, before elimination, times the structured solution gives back the right-hand side.
#[test]
fn conservation_rows_vanish_after_one_correction() {
    let p = nonlinear_cell(Kinetics::ButlerVolmer);
    let mut model = CellModel::new(&p, &options(3, Thermal::Isothermal)).unwrap();
    let noise: Vec<f64> = (0..61).map(|i| (f64::from(i) * 2.3).cos()).collect();
    let (y, slope) = disturbed_state(&mut model, &p, 24.0, &noise);
    let leading = 0.1;
    model.linearize(&y, &slope).unwrap();
    model.factor(leading).unwrap();
    let mut correction = vec![0.0; y.len()];
    model.residual(&y, &slope, &mut correction).unwrap();
    model.solve(&mut correction);
    let moved: Vec<f64> = y.iter().zip(&correction).map(|(a, b)| a - b).collect();
    let moved_slope: Vec<f64> = slope.iter().zip(&correction).map(|(a, b)| a - leading * b).collect();
    let current = moved[model.layout.current];
    assert!((model.electrodes[0].interfacial_current(&moved) - current).abs() < 1e-12 * current);
    assert!((model.electrodes[1].interfacial_current(&moved) + current).abs() < 1e-12 * current);
    // d(lithium)/dt = -+ I/F.
    for (index, sign) in [(0, -1.0), (1, 1.0)] {
        let rate = model.electrodes[index].lithium(&moved_slope);
        let expected = sign * current / crate::FARADAY;
        assert!((rate - expected).abs() < 1e-10 * model.electrodes[index].lithium(&moved).abs() * leading);
    }
    assert!(model.salt(&moved_slope).abs() < 1e-12 * model.salt(&moved));
}

/// First-order elements: the flux between two nodes is one number, and solid and ionic current add up to
/// the cell current at every such face.
#[test]
fn solid_and_ionic_current_add_up_at_every_face() {
    let p = nonlinear_cell(Kinetics::ButlerVolmer);
    let mut model = CellModel::new(&p, &options(1, Thermal::Isothermal)).unwrap();
    model.control = ControlRow::Current(24.0);
    let mut y = model.rested_state(&p);
    model.guess_potentials(&mut y, 0.0).unwrap();
    // A salt gradient, so that both terms of the ionic current count.
    let l = model.layout;
    for (i, x) in model.line.nodes.iter().enumerate() {
        y[l.salt + i] *= 1.3 - 2000.0 * x;
    }
    model.solve_potentials(&mut y, 0.0).unwrap();
    let e = &model.electrolyte;
    let thermal_voltage = crate::GAS_CONSTANT * y[l.temperature] / crate::FARADAY;
    for element in &model.line.elements {
        let (a, b) = (element.start, element.start + 1);
        let width = 2.0 / element.scale;
        let slope = |start: usize| (y[start + b] - y[start + a]) / width;
        let side = |i: usize| {
            e.kappa[i] * (slope(l.ionic) - thermal_voltage * e.chi[i] * slope(l.salt) / y[l.salt + i])
        };
        let ionic = -0.5 * e.efficiency(element.layer, a) * (side(a) + side(b));
        let solid = if element.layer == 1 {
            0.0
        } else {
            let electrode = &model.electrodes[element.layer / 2];
            -electrode.solid_conductivity * slope(l.solid + electrode.offset - electrode.first)
        };
        assert!((ionic + solid - 24.0).abs() < 1e-8, "face after node {a}: {ionic} + {solid}");
    }
}
