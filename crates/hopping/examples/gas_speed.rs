//! Hops per CPU second of the engines for lattice gases: simple cubic, nearest-neighbour pair energy J in kT, displacements tracked.
//!
//! `cargo run --release -p scalade-hopping --example gas_speed [EDGE ...]`

#![allow(clippy::print_stdout, reason = "an example prints")]

use scalade_crystal::NamedLattice;
use scalade_hopping::gas::{GasEngine, GasModel, Selection, equilibrate_gas};
use scalade_hopping::{Engine, HoppingError, random_occupation};
use scalade_numerics::Philox;
use scalade_numerics::cpu_seconds;

/// CPU seconds of a measurement.
const SECONDS: f64 = 1.0;

fn main() -> Result<(), HoppingError> {
    let given: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let edges = if given.is_empty() { vec![22, 46, 100] } else { given };
    println!(
        "engine,sites,coupling_kT,concentration,trials_per_hop,million_hops_per_cpu_s,million_trials_per_cpu_s"
    );
    for edge in edges {
        for (coupling, concentration) in [
            (0.0, 0.5),
            (0.25, 0.5),
            (0.5, 0.5),
            (-0.5, 0.5),
            (1.0, 0.5),
            (-2.0, 0.5),
            (0.25, 0.95),
            (1.0, 0.95),
        ] {
            if coupling == -2.0 && edge > 50 {
                // The phases part too slowly for a benchmark.
                continue;
            }
            let model = GasModel::named(NamedLattice::Sc, &[edge; 3], &[coupling], 1.0)?;
            let ions = (concentration * model.sites() as f64).round() as usize;
            let mut rng = Philox::new(1, 0, 0);
            let mut occupied = random_occupation(model.sites(), ions, &mut rng)?;
            equilibrate_gas(&model, &mut occupied, if edge > 50 { 4 } else { 20 }, &mut rng)?;
            for selection in Selection::ALL {
                let mut engine = GasEngine::new(&model, &occupied, selection, rng.clone())?;
                engine.run_until(f64::INFINITY, 200_000)?;
                let (start, hops, attempts) = (cpu_seconds(), engine.events(), engine.attempts());
                while cpu_seconds() - start < SECONDS {
                    engine.run_until(f64::INFINITY, 100_000)?;
                }
                let (seconds, made) = (cpu_seconds() - start, (engine.events() - hops) as f64);
                let tried = (engine.attempts() - attempts) as f64;
                println!(
                    "{},{},{coupling},{concentration},{:.2},{:.3},{:.2}",
                    selection.name(),
                    model.sites(),
                    tried / made,
                    made / seconds / 1e6,
                    tried / seconds / 1e6
                );
            }
        }
    }
    Ok(())
}
