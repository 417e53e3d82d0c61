//! d
use scalade_cell::*;
fn main() -> Result<(), CellError> {
    for name in ["Marquis2019", "Chen2020"] {
    let cell = ParameterSet::bundled(name)?.started_at_state_of_charge(1.0)?;
    let all = ["positive.material.diffusivity", "electrolyte.diffusivity", "negative.material.diffusivity", "positive.material.exchange_current", "negative.material.exchange_current", "electrolyte.conductivity", "negative.porosity", "positive.thickness_m", "negative.material.particle_radius_m", "positive.material.fraction", "negative.thickness_m", "negative.material.fraction", "positive.porosity", "separator.thickness_m", "separator.porosity", "positive.material.particle_radius_m", "positive.conductivity_s_per_m", "negative.conductivity_s_per_m", "positive.electrolyte_efficiency", "electrode_area_m2"];
    let options = DfnOptions::for_tolerance(1e-4)?;
    let protocol = Protocol::discharge(1.0, cell.lower_voltage_v);
    let times: Vec<f64> = (1..55).map(|i| f64::from(i) * 60.0).collect();
    let clock = |f: &mut dyn FnMut()| { let mut best = 1e9_f64; for _ in 0..25 { let t = scalade_numerics::cpu_seconds(); f(); best = best.min(scalade_numerics::cpu_seconds() - t); } best * 1e3 };
    let base = clock(&mut || { solve(&cell, &protocol, &options, &times).unwrap(); });
    println!("{name} solve {base:.2} ms");
    for n in [1usize, 5, 10, 20] {
        let p: Vec<Parameter> = all[..n].iter().map(|a| Parameter::at(a)).collect();
        let t = clock(&mut || { solve_with_sensitivities(&cell, &protocol, &options, &times, &p).unwrap(); });
        let g = clock(&mut || { solve_with_gradient(&cell, &protocol, &options, &times, &p, |s| LossSlope { voltage_v: vec![1.0; s.voltage_v.len()], ..LossSlope::default() }).unwrap(); });
        println!("{n}: forward {t:.2} ms, {:.0} % of a solve each; gradient {g:.2} ms, {:.2} solves", (t - base) / base * 100.0 / n as f64, g / base);
    }}
    Ok(())
}
