//! Runs demanding protocols and prints work and time: high rates, cycling, tabulated functions, lumped
//! temperature.
#![allow(clippy::print_stdout)]

use scalade_cell::{
    Activated, CellError, Control, DfnOptions, Outside, ParameterSet, Protocol, Step, Table, Thermal, solve,
};
use std::time::Instant;

fn run(name: &str, parameters: &ParameterSet, protocol: &Protocol, options: &DfnOptions) {
    let repeats = if protocol.step_count() > 1 { 1 } else { 15 };
    let mut best = f64::INFINITY;
    for _ in 1..repeats {
        let start = Instant::now();
        let _ = solve(parameters, protocol, options, &[]);
        best = best.min(start.elapsed().as_secs_f64());
    }
    let start = Instant::now();
    let outcome = solve(parameters, protocol, options, &[]);
    best = best.min(start.elapsed().as_secs_f64());
    match outcome {
        Ok(solution) => println!(
            "{name}: {:?} at {:.3} s, {:.6} Ah, {:.3} V, drift {:.1e}, {} steps, {} iterations, {} + {} failures, {:.2} ms",
            solution.end_reason,
            solution.end_time_s,
            solution.end_capacity_ah,
            solution.end_voltage_v,
            solution.inventory.solid_lithium_drift,
            solution.work.steps,
            solution.work.newton_iterations,
            solution.work.error_test_failures,
            solution.work.newton_failures,
            best * 1e3
        ),
        Err(error) => println!("{name}: {error}"),
    }
}

fn main() -> Result<(), CellError> {
    let options = DfnOptions::default();
    let lumped = DfnOptions { thermal: Thermal::Lumped, ..DfnOptions::default() };
    let sets = [ParameterSet::marquis2019()?, ParameterSet::chen2020()?, ParameterSet::prada2013()?];
    for p in &sets {
        for rate in [0.05, 0.2, 1.0, 3.0, 5.0] {
            run(&format!("{} {rate}C", p.name), p, &Protocol::discharge(rate, p.lower_voltage_v), &options);
        }
        let low = p.started_at_voltage(p.lower_voltage_v + 0.1)?;
        for rate in [-0.2, -1.0, -2.0] {
            run(
                &format!("{} {rate}C", p.name),
                &low,
                &Protocol::discharge(rate, p.upper_voltage_v),
                &options,
            );
        }
        if p.thermal.is_some() {
            run(&format!("{} 1C lumped", p.name), p, &Protocol::discharge(1.0, p.lower_voltage_v), &lumped);
        }
    }
    let chen = &sets[1];
    let cycle = vec![
        Step::lasting(Control::CRate(1.0), 7200.0).until_voltage_below(2.5),
        Step::lasting(Control::CRate(-0.5), 14_400.0).until_voltage_above(4.2),
        Step::lasting(Control::Voltage { volts: 4.2 }, 14_400.0).until_current_below(0.25),
        Step::lasting(Control::CRate(0.0), 1800.0),
    ];
    run("Chen2020, 20 cycles", chen, &Protocol::cycles(20, cycle), &options);
    let mut tabulated = sets[0].clone();
    let x: Vec<f64> = (0..=40).map(|i| f64::from(i) / 40.0).collect();
    let y = x.iter().map(|x| 1e-13 * 10.0_f64.powf(-1.5 * (-((x - 0.75) / 0.1).powi(2)).exp())).collect();
    tabulated.positive.material.diffusivity = Activated::isothermal(Table::new(x, y, true, Outside::Error)?);
    run("Marquis2019 1C with D(x) table", &tabulated, &Protocol::discharge(1.0, 3.105), &options);
    run("Marquis2019 1C with D(x) table, lumped", &tabulated, &Protocol::discharge(1.0, 3.105), &lumped);
    Ok(())
}
