//! Hops per CPU second of the engines for lattice gases: simple cubic, half filled, nearest-neighbour pair energy J in kT.
//!
//! `cargo run --release -p scalade-hopping --example gas_speed`

#![allow(clippy::print_stdout, reason = "an example prints")]

use scalade_crystal::NamedLattice;
use scalade_hopping::gas::{GasModel, RejectionEngine, equilibrate_gas};
use scalade_hopping::{Engine, HoppingError, random_occupation};
use scalade_numerics::Philox;
use scalade_numerics::cpu_seconds;

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
