//! Times of counting and listing derivative structures: `cargo run --release -p scalade-crystal --example enumeration_speed`.

#![allow(clippy::print_stdout, reason = "an example prints")]

use scalade_crystal::NamedLattice;
use scalade_crystal::enumeration::{DerivativeStructures, EnumerationError, ParentLattice};
use std::time::Instant;

fn main() -> Result<(), EnumerationError> {
    let parent = ParentLattice::named(NamedLattice::Fcc, &["A", "B"])?;
    let structures = DerivativeStructures::new(&parent, &[])?;
    for largest in [10, 12, 14, 16] {
        let start = Instant::now();
        let mut total = 0;
        for size in 1..=largest {
            total += structures.count(size)?.structures;
        }
        println!("fcc binaries to size {largest}: {total} counted in {:.4} s", start.elapsed().as_secs_f64());
    }
    for largest in [10, 12, 14, 16, 18] {
        let start = Instant::now();
        let found = structures.stream(1..=largest)?.map(|s| s.map(|_| 1u64)).sum::<Result<u64, _>>()?;
        println!("fcc binaries to size {largest}: {found} listed in {:.4} s", start.elapsed().as_secs_f64());
    }
    let one_by_one = structures.with_memory_bytes(0);
    for largest in [10, 12, 14, 16, 18] {
        let start = Instant::now();
        let found = one_by_one.stream(1..=largest)?.count();
        println!(
            "fcc binaries to size {largest}: {found} listed without marks in {:.4} s",
            start.elapsed().as_secs_f64()
        );
    }
    Ok(())
}
