//! Prints the time of a drive cycle: Chen2020 from 80 % state of charge, a profile of 1 Hz.
//!
//! Arguments, all optional: seconds, rtol, repeats.
//!
//! `cargo run --release -p scalade-cell --example drive -- 600`
#![allow(clippy::print_stdout)]

use scalade_cell::{
    CellError, Control, DfnOptions, DriveCycle, DriveQuantity, Hold, ParameterSet, Protocol, Step, solve,
};
use std::sync::Arc;
use std::time::Instant;

fn main() -> Result<(), CellError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |index: usize, default: f64| arguments.get(index).and_then(|a| a.parse().ok()).unwrap_or(default);
    let seconds = number(0, 600.0) as usize;
    let times: Vec<f64> = (0..=seconds).map(|t| t as f64).collect();
    let turn = 2.0 * std::f64::consts::PI;
    let profile = |t: &f64| 2.0 + 4.0 * (turn * t / 37.0).sin() + 2.0 * (turn * t / 11.3).sin();
    let values = times.iter().map(profile).collect();
    let cycle = DriveCycle::new("profile", DriveQuantity::Current, times.clone(), values, Hold::Linear)?;
    let parameters = ParameterSet::chen2020()?.started_at_state_of_charge(0.8)?;
    let control = Control::Profile { cycle: Arc::new(cycle), factor: 1.0 };
    let protocol = Protocol::sequence(vec![Step::lasting(control, seconds as f64)]);
    let rtol = number(1, 1e-4);
    let options = DfnOptions { rtol, atol: 1e-6_f64.min(rtol), ..DfnOptions::default() };
    let mut best = f64::INFINITY;
    let mut solution = solve(&parameters, &protocol, &options, &times)?;
    for _ in 0..number(2, 5.0) as usize {
        let start = Instant::now();
        solution = solve(&parameters, &protocol, &options, &times)?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    let at = |t: usize| solution.voltage_v.get(t).copied().unwrap_or(f64::NAN);
    println!(
        "V(100 s) = {:.7}, V(end) = {:.7}, end {} s",
        at(100),
        solution.end_voltage_v,
        solution.end_time_s
    );
    println!("{:?}", solution.work);
    println!("{:?}", solution.inventory);
    println!("{:.4} s, {:.1} us per second of the profile", best, 1e6 * best / seconds as f64);
    Ok(())
}
