use super::*;
use crate::model::ControlRow;
use crate::options::{DfnOptions, ModelKind};
use crate::parameters::{NegativeElectrode, ParameterSet};
use crate::property::Property;
use crate::protocol::{Control, Protocol, Step};
use crate::run::run_to_end;
use crate::solver::bdf::DaeSystem;

/// Diffusivities that depend on concentration, so that particles are resolved, and contacts. The solid conducts so
/// badly that the rounding of 4 V does not show in its currents.
fn cell(name: &str) -> ParameterSet {
    let mut p = ParameterSet::bundled(name).unwrap();
    p.contact_resistance_ohm = 0.01;
    p.positive.conductivity_s_per_m = 0.5;
    let varied = |property: &mut Property| {
        if let Some(value) = property.as_constant() {
            *property = Property::formula(&format!("{value:e} * (1.3 - 0.6 * x)")).unwrap();
        }
    };
    varied(&mut p.positive.material.diffusivity.at_reference);
    if let NegativeElectrode::Porous(electrode) = &mut p.negative {
        electrode.conductivity_s_per_m = 1.5;
        varied(&mut electrode.material.diffusivity.at_reference);
    }
    p
}

/// Central differences of fourth order of the residual along (dy, s dy), and the size of what adds up in each row.
fn differences(model: &mut CellModel, y: &[f64], dy: &[f64], s: f64) -> Vec<(f64, f64)> {
    let h = 4e-3;
    let n = model.layout.integrals;
    let mut side = |state: f64, rate: f64| {
        let moved: Vec<f64> = y.iter().zip(dy).map(|(y, d)| y + state * d).collect();
        let slope: Vec<f64> = dy.iter().map(|d| rate * s * d).collect();
        let mut out = vec![0.0; y.len()];
        model.full_residual(&moved, &slope, &mut out).unwrap();
        out
    };
    let [plus, minus, far, behind] = [h, -h, 2.0 * h, -2.0 * h].map(|state| side(state, 0.0));
    let (rate, none) = (side(0.0, h), side(0.0, 0.0));
    (0..n)
        .map(|i| {
            let by_state = (8.0 * (plus[i] - minus[i]) - (far[i] - behind[i])) / (12.0 * h);
            let by_rate = (rate[i] - none[i]) / h;
            (by_state + by_rate, by_state.abs() + by_rate.abs())
        })
        .collect()
}

/// For real s the response is what Newton's matrix with the leading coefficient s gives, and solves the equations
/// linearised by differences.
fn check(name: &str, kind: ModelKind, rate: f64) {
    let p = cell(name);
    let options = DfnOptions { model: kind, rtol: 1e-6, ..DfnOptions::default() };
    let protocol = Protocol::sequence(vec![Step::lasting(Control::CRate(rate), 300.0)]);
    let end = run_to_end(&p, &protocol, &options).unwrap();
    let (mut model, y) = (end.model, end.y);
    let l = model.layout;
    model.control = ControlRow::Current(y[l.current]);
    let double_layers = DoubleLayers { electrodes: vec![0.0; model.electrodes.len()], sheet: 0.0 };
    let harmonic = Harmonic::new(model.clone(), &y, double_layers).unwrap();
    let still = vec![0.0; l.dimension];
    for s in [1e-3, 0.1, 30.0] {
        model.linearize(&y, &still).unwrap();
        model.factor(s).unwrap();
        let mut dy = vec![0.0; l.dimension];
        dy[l.current] = 1.0;
        model.solve(&mut dy);
        let found = harmonic.response(Complex64::from(s)).unwrap();
        let z = found.layers.iter().sum::<Complex64>() + found.contact;
        let miss = (z + dy[l.voltage]).norm() / z.norm();
        assert!(miss < 1e-8, "{name} {kind:?} s = {s}: {z} {} ({miss:e})", dy[l.voltage]);
        for (row, (sum, size)) in differences(&mut model, &y, &dy, s).into_iter().enumerate() {
            let wanted = if row == l.current { 1.0 } else { 0.0 };
            let (what, node) = model.describe(row);
            assert!(
                (sum - wanted).abs() < 1e-6 * size + 5e-8,
                "{name} {kind:?} s = {s}, {what} at {node}: {sum} of {size}"
            );
        }
    }
}

#[test]
fn it_solves_the_linearised_equations() {
    for kind in [ModelKind::Dfn, ModelKind::Spme, ModelKind::Spm] {
        check("chen2020", kind, 1.0);
        check("ecker2015", kind, 2.0);
        check("xu2019", kind, -1.0);
    }
    check("marquis2019", ModelKind::Dfn, 2.0);
}
