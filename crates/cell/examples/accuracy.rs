//! Prints error against reference voltages and the time of one constant-current discharge.
//!
//! Arguments, all optional, in this order: set (marquis, chen, prada), C-rate, order, elements of the negative
//! electrode, of the separator, of the positive electrode, particle elements, particle order, rtol, repeats.
//!
//! `cargo run --release -p scalade-cell --example accuracy -- chen 1`
#![allow(clippy::print_stdout)]

use scalade_cell::{
    CellError, DfnOptions, ElectrodeMeshOptions, ParameterSet, ParticleMeshOptions, Protocol, solve,
};
use std::time::Instant;

/// Reference voltages at t = 60, 300, 600, 1200, 1800, 2400, 3000, 3300 s divided by the C-rate.
const REFERENCES: [(&str, f64, &[f64], f64); 6] = [
    (
        "marquis",
        0.5,
        &[3.790373, 3.762765, 3.734449, 3.695756, 3.658297, 3.634898, 3.619337, 3.591464],
        7327.1772,
    ),
    (
        "marquis",
        1.0,
        &[3.749774, 3.720785, 3.692949, 3.652118, 3.612744, 3.592739, 3.570201, 3.530599],
        3617.7524,
    ),
    (
        "chen",
        1.0,
        &[3.943921, 3.897456, 3.814638, 3.661639, 3.511836, 3.392967, 3.225358, 3.000476],
        3555.2015,
    ),
    ("chen", 2.0, &[3.851538, 3.72611, 3.62728, 3.43261, 3.30263, 3.1572, 2.943, 2.679], 1703.0),
    (
        "prada",
        0.5,
        &[3.300935, 3.270622, 3.256136, 3.229008, 3.217111, 3.142289, 2.893597, 2.120657],
        6632.2120,
    ),
    ("prada", 1.0, &[3.259410, 3.238872, 3.204757, 3.198269, 3.159114, 3.073034, 2.226920], 3033.8900),
];

fn main() -> Result<(), CellError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |index: usize, default: f64| arguments.get(index).and_then(|a| a.parse().ok()).unwrap_or(default);
    let set = arguments.first().map_or("marquis", String::as_str);
    let rate = number(1, 1.0);
    let parameters = match set {
        "chen" => ParameterSet::chen2020()?,
        "prada" => ParameterSet::prada2013()?,
        _ => ParameterSet::marquis2019()?,
    };
    let mut options = DfnOptions::default();
    let mesh = &mut options.mesh;
    mesh.order = number(2, mesh.order as f64) as usize;
    let particle = ParticleMeshOptions::even(
        number(6, mesh.negative.particle.elements as f64) as usize,
        number(7, mesh.negative.particle.order as f64) as usize,
    );
    mesh.negative =
        ElectrodeMeshOptions { elements: number(3, mesh.negative.elements as f64) as usize, particle };
    mesh.separator_elements = number(4, mesh.separator_elements as f64) as usize;
    mesh.positive =
        ElectrodeMeshOptions { elements: number(5, mesh.positive.elements as f64) as usize, particle };
    options.rtol = number(8, options.rtol);
    options.atol = options.atol.min(options.rtol);
    let times: Vec<f64> =
        [60.0, 300.0, 600.0, 1200.0, 1800.0, 2400.0, 3000.0, 3300.0].iter().map(|t| t / rate).collect();
    let protocol = Protocol::discharge(rate, parameters.lower_voltage_v);
    let mut best = f64::INFINITY;
    let mut solution = solve(&parameters, &protocol, &options, &times)?;
    for _ in 0..number(9, 20.0) as usize {
        let start = Instant::now();
        solution = solve(&parameters, &protocol, &options, &times)?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{:?}", solution.work);
    println!("{:?}", solution.inventory);
    if let Some((_, _, voltages, end)) = REFERENCES.iter().find(|r| r.0 == set && r.1 == rate) {
        let errors: Vec<String> =
            solution.voltage_v.iter().zip(*voltages).map(|(v, r)| format!("{:9.2e}", v - r)).collect();
        let worst = solution.voltage_v.iter().zip(*voltages).map(|(v, r)| (v - r).abs()).fold(0.0, f64::max);
        println!("dV {} | max {worst:.2e} V", errors.join(" "));
        println!("end {:.4} s (reference {end}), {:.7} Ah", solution.end_time_s, solution.end_capacity_ah);
    }
    println!("{:.3} ms per discharge ({:?})", best * 1e3, solution.end_reason);
    Ok(())
}
