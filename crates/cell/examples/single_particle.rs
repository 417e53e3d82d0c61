//! Prints the CPU time of a whole 1C discharge of the single-particle model in closed form, with a dozen outputs and the
//! cut-off located, and its deviation from the formula.
//!
//! `cargo run --release -p scalade-cell --example single_particle`
#![allow(clippy::print_stdout)]

use scalade_cell::{
    CellError, DfnOptions, ModelKind, ParameterSet, Protocol, SphereSeries, single_particle_voltage, solve,
};
use scalade_numerics::cpu_seconds;

/// Discharges between two looks at the clock.
const BETWEEN: u32 = 20;

fn main() -> Result<(), CellError> {
    let options = DfnOptions { model: ModelKind::Spm, ..DfnOptions::default() };
    let times: Vec<f64> = (1..=12).map(|i| 280.0 * f64::from(i)).collect();
    let series = SphereSeries::default();
    for p in [ParameterSet::marquis2019()?, ParameterSet::chen2020()?] {
        let protocol = Protocol::discharge(1.0, p.lower_voltage_v);
        let solution = solve(&p, &protocol, &options, &times)?;
        let current = p.current_of_rate(1.0) / p.total_area_m2();
        let mut largest = 0.0_f64;
        for (t, v) in solution.time_s.iter().zip(&solution.voltage_v) {
            largest = largest.max((v - single_particle_voltage(&p, current, *t, &series)?).abs());
        }
        let mut best = f64::INFINITY;
        for _ in 0..1000 {
            let start = cpu_seconds();
            for _ in 0..BETWEEN {
                std::hint::black_box(solve(&p, &protocol, &options, &times)?);
            }
            best = best.min((cpu_seconds() - start) / f64::from(BETWEEN));
        }
        println!(
            "{}: {:.1} us, {} outputs within {largest:.1e} V of the formula, {:?} at {:.6} s, {} panels, {} voltages",
            p.name,
            best * 1e6,
            solution.time_s.len(),
            solution.end_reason,
            solution.end_time_s,
            solution.work.steps,
            solution.work.residuals
        );
    }
    Ok(())
}
