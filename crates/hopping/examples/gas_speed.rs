//! Hops per CPU second of the engines for lattice gases: simple cubic, half filled, nearest-neighbour pair energy J in kT.
//!
//! `cargo run --release -p scalade-hopping --example gas_speed`

#![allow(clippy::print_stdout, reason = "an example prints")]

use scalade_crystal::NamedLattice;
use scalade_hopping::gas::{GasModel, RejectionEngine, equilibrate_gas};
use scalade_hopping::{Engine, HoppingError, random_occupation};
use scalade_numerics::Philox;

fn cpu_seconds() -> f64 {
    // utime and stime of this process, fields 14 and 15 of its status, in hundredths of a second.
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = text.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn main() -> Result<(), HoppingError> {
    println!("cells,sites,coupling_kT,concentration,acceptance,million_hops_per_cpu_s");
    for edge in [22, 46, 100] {
        for (coupling, concentration) in
            [(0.0, 0.5), (0.25, 0.5), (0.5, 0.5), (-0.5, 0.5), (1.0, 0.5), (0.25, 0.95)]
        {
            let model = GasModel::named(NamedLattice::Sc, &[edge; 3], &[coupling], 1.0)?;
            let ions = (concentration * model.sites() as f64).round() as usize;
            let mut rng = Philox::new(1, 0, 0);
            let mut occupied = random_occupation(model.sites(), ions, &mut rng)?;
            equilibrate_gas(&model, &mut occupied, 20, &mut rng)?;
            let mut engine = RejectionEngine::new(&model, &occupied, rng)?;
            engine.run_hops(100_000)?;
            let (start, hops, attempts) = (cpu_seconds(), engine.events(), engine.attempts());
            while cpu_seconds() - start < 1.5 {
                engine.run_until(f64::INFINITY, 100_000)?;
            }
            let (seconds, made) = (cpu_seconds() - start, engine.events() - hops);
            let acceptance = made as f64 / (engine.attempts() - attempts) as f64;
            let speed = made as f64 / seconds / 1e6;
            println!("{edge},{},{coupling},{concentration},{acceptance:.4},{speed:.3}", model.sites());
        }
    }
    Ok(())
}
