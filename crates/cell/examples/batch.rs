//! Solves a 1C discharge of many cells around Chen2020 and prints members per second and their accuracy. Five parameters
//! vary by 10 % up and down: diffusivities and radii of the particles of both electrodes, and the transport efficiency
//! of the positive electrode.
//!
//! Arguments, all optional, in this order: model (spme, spm, dfn), members, threads (0: all cores).
//!
//! `cargo run --release -p scalade-cell --example batch -- spme 10000 2`
#![allow(clippy::print_stdout)]

use scalade_cell::{
    CellError, DfnOptions, ModelKind, ParameterSet, Property, Protocol, solve, solve_variations,
};
use scalade_numerics::cpu_seconds;
use std::time::Instant;

/// Members of which the error is measured.
const MEASURED: usize = 40;

/// The positive root of x^6 = x + 1: fractional parts of multiples of its powers fill five dimensions evenly
/// (M. Roberts, The unreasonable effectiveness of quasirandom sequences (2018)).
const ROOT: f64 = 1.134_724_138_401_519_4;

/// Factor of parameter `dimension` of member `k`, from 0.9 to 1.1.
fn factor(k: usize, dimension: i32) -> f64 {
    0.9 + 0.2 * (0.5 + (k + 1) as f64 * ROOT.powi(-1 - dimension)).fract()
}

/// Member `k` of the variations of `base`.
fn member(base: &ParameterSet, k: usize) -> ParameterSet {
    let mut cell = base.clone();
    let (negative, positive) = (cell.negative.porous_mut(), &mut cell.positive);
    positive.electrolyte_efficiency *= factor(k, 0);
    let materials =
        negative.map(|electrode| &mut electrode.material).into_iter().chain([&mut positive.material]);
    for (material, first) in materials.zip([1, 3]) {
        material.particle_radius_m *= factor(k, first);
        if let Some(value) = material.diffusivity.at_reference.as_constant() {
            material.diffusivity.at_reference = Property::Constant(value * factor(k, first + 1));
        }
    }
    cell
}

fn main() -> Result<(), CellError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default| arguments.get(index).and_then(|a| a.parse().ok()).unwrap_or(default);
    let model = match arguments.first().map(String::as_str) {
        Some("dfn") => ModelKind::Dfn,
        Some("spm") => ModelKind::Spm,
        _ => ModelKind::Spme,
    };
    let (count, threads) = (number(1, 10_000), number(2, 2));
    let base = ParameterSet::chen2020()?;
    let protocol = Protocol::discharge(1.0, base.lower_voltage_v);
    let options = DfnOptions { model, ..DfnOptions::draft() };
    let times: Vec<f64> = std::iter::once(1.0).chain((1..=11).map(|i| 300.0 * f64::from(i))).collect();
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let runs = solve_variations(count, |k| Ok(member(&base, k)), &protocol, &options, &times, threads);
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let failed = runs.iter().filter(|run| run.is_err()).count();
    println!(
        "{model:?}: {count} members ({failed} failed) on {threads} threads in {wall:.2} s: {:.0} per second, {:.3} ms of CPU each",
        count as f64 / wall,
        cpu / count as f64 * 1e3
    );
    // The audit of mixing keeps the reference of the single-particle model from being the closed form again.
    let audit_heat_of_mixing = model == ModelKind::Spm;
    let fine = DfnOptions { model, audit_heat_of_mixing, ..DfnOptions::for_tolerance(1e-6)? };
    let (mut error, mut end) = (0.0_f64, 0.0_f64);
    for k in (0..count).step_by((count / MEASURED).max(1)) {
        let reference = solve(&member(&base, k), &protocol, &fine, &times)?;
        let run = runs[k].clone()?;
        for (v, r) in run.voltage_v.iter().zip(&reference.voltage_v) {
            error = error.max((v - r).abs());
        }
        end = end.max((run.end_time_s - reference.end_time_s).abs());
    }
    println!("largest error of {MEASURED} of them: {error:.1e} V, {end:.1e} s at the cut-off");
    Ok(())
}
