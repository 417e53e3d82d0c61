//! Trial moves per CPU-second of the semi-grand-canonical kernels: nearest neighbours on square and simple cubic lattices, and fcc with three
//! pair shells (12 + 6 + 24 neighbours), from 1e3 to 1e7 sites. Observing energy and composition after every sweep is included.
//!
//! Run it with `cargo run --release -p scalade-lattice --example model_speed`.
#![allow(clippy::print_stdout, reason = "a program that prints a table")]

use scalade_crystal::NamedLattice;
use scalade_lattice::LatticeError;
use scalade_lattice::model::{Chains, Law, Multispin, PairModel, PairTables, Variables};
use scalade_numerics::cpu_seconds;

/// CPU seconds of each row.
const SECONDS: f64 = 2.0;

fn main() -> Result<(), LatticeError> {
    let fcc = [-0.2, 0.05, -0.02];
    println!("{:<34} {:>10} {:>9} {:>14} {:>12}", "model", "sites", "replicas", "moves/CPU-s", "bytes/site");
    for (name, lattice, pairs, kt, sizes) in [
        (
            "square, nearest",
            NamedLattice::Square,
            &[-1.0][..],
            2.5,
            [[32, 32, 1], [320, 320, 1], [3200, 3200, 1]],
        ),
        ("sc, nearest", NamedLattice::Sc, &[-1.0], 5.0, [[10, 10, 10], [32, 56, 56], [192, 228, 228]]),
        ("fcc, three shells", NamedLattice::Fcc, &fcc, 4.0, [[10, 10, 10], [32, 56, 56], [192, 228, 228]]),
    ] {
        for size in sizes {
            let model = PairModel::named(lattice, &size[..lattice.dimensions()], Variables::Spin, pairs)?;
            let fewest = if model.sites() < 1 << 14 { 64 } else { 1 };
            let mut kernel = Multispin::new(&model, fewest, 1, 0, 0)?;
            kernel.randomize();
            kernel.set_law(&model, kt, 0.1);
            let mut observed = Vec::new();
            let (start, mut moves) = (cpu_seconds(), 0.0);
            while cpu_seconds() - start < SECONDS {
                kernel.sweep();
                kernel.observe(&mut observed);
                moves += (kernel.sites() * kernel.replicas()) as f64;
            }
            let rate = moves / (cpu_seconds() - start);
            let bytes = 8.0 / kernel.slabs() as f64;
            println!(
                "{:<34} {:>10} {:>9} {rate:>14.3e} {bytes:>12.3}",
                format!("{name}, 64 to a word"),
                model.sites(),
                kernel.replicas()
            );
        }
        for size in sizes {
            let model = PairModel::named(lattice, &size[..lattice.dimensions()], Variables::Spin, pairs)?;
            let tables = PairTables::new(&model);
            let mut chains = Chains::new(&tables.empty(), Law::SemiGrand { mu: 0.1 }, kt, 0.0, 1, 0, 0);
            let mut observed = Vec::new();
            let (start, mut moves) = (cpu_seconds(), 0.0);
            while cpu_seconds() - start < SECONDS {
                moves += chains.sweep(&mut observed) as f64;
            }
            let rate = moves / (cpu_seconds() - start);
            println!(
                "{:<34} {:>10} {:>9} {rate:>14.3e} {:>12}",
                format!("{name}, one by one"),
                model.sites(),
                chains.replicas(),
                1
            );
        }
    }
    Ok(())
}
