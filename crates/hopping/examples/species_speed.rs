//! Events per CPU second of kinetic Monte Carlo with a local expansion: fcc, two species and 10 % vacancies, hops to nearest neighbours, one core.
//!
//! `cargo run --release -p scalade-hopping --example species_speed [EDGE ...]`

#![allow(clippy::print_stdout, reason = "an example prints")]

#[path = "../tests/made/mod.rs"]
mod made;

use made::{FCC, SPECIES, hamiltonian, hop, kind, model, prim, site};
use scalade_hopping::HoppingError;
use scalade_hopping::species::{SpeciesEngine, equilibrate_species, random_arrangement};
use scalade_numerics::{Philox, cpu_seconds};

/// CPU seconds of a measurement.
const SECONDS: f64 = 3.0;

fn main() -> Result<(), HoppingError> {
    let given: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let edges = if given.is_empty() { vec![10, 30] } else { given };
    let fcc = prim(FCC, &[([0.0; 3], &SPECIES)]);
    // Shells of fcc at 2.83, 4.00 and 4.90 angstrom.
    for (name, pairs, radii) in [
        ("dE pairs 1, KRA points 1", &[2.9][..], &[2.9][..]),
        ("dE pairs 2, KRA points 1 and pairs 1", &[4.1], &[2.9, 2.9]),
        ("dE pairs 2 and triplets 1, KRA points 1 and pairs 1", &[4.1, 2.9], &[2.9, 2.9]),
        ("dE pairs 3 and triplets 1, KRA points 2 and pairs 1", &[5.0, 2.9], &[4.1, 2.9]),
    ] {
        let energy = hamiltonian(&fcc, pairs, 0.02, 1);
        let kinds = ["A", "B"].map(|species| {
            let ion = SPECIES.iter().position(|s| *s == species).unwrap_or(0);
            let event = hop(site([0; 3], 0), site([1, 0, 0], 0), ion, 0);
            kind(&fcc, species, &event, (radii, 0.5, 0.03), ion as u64)
        });
        for edge in &edges {
            let crystal = model(&fcc, Some(&energy), &kinds, [*edge; 3], 1200.0)?;
            let sites = crystal.grid().sites();
            let mut rng = Philox::new(1, 0, 0);
            let counts = [sites / 10, sites / 2, sites - sites / 10 - sites / 2];
            let mut arrangement = random_arrangement(&crystal, &[counts.to_vec()], &mut rng)?;
            equilibrate_species(&crystal, &mut arrangement, 20, &mut rng)?;
            let mut engine = SpeciesEngine::new(&crystal, &arrangement, rng)?;
            engine.run_until(f64::INFINITY, 50_000)?;
            let (start, made) = (cpu_seconds(), engine.events());
            while cpu_seconds() - start < SECONDS {
                engine.run_until(f64::INFINITY, 20_000)?;
            }
            let rate = (engine.events() - made) as f64 / (cpu_seconds() - start);
            println!("{name}: {sites} sites, {:.1} k events per CPU second", rate / 1e3);
        }
    }
    Ok(())
}
