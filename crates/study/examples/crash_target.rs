//! Runs a study of slow, checkpointed steps and prints the hash of its results; made to be killed at any moment.
//!
//! `crash_target <store directory>`
#![allow(clippy::print_stdout)]

#[path = "../tests/toys/mod.rs"]
mod toys;

use scalade_study::{RunOptions, Store, Study};
use std::path::Path;
use std::time::Duration;

const TEXT: &str = r#"
[study]
name = "crash"
seed = 11
[steps.noise]
kind = "noise"
n = 3000
[steps.slow]
kind = "slow"
rounds = 120
[steps.other]
kind = "slow"
rounds = 90
[steps.after]
kind = "slow"
rounds = 60
start = "@slow.state"
[steps.sum]
kind = "total"
series = "@noise.series"
weight = "@after.state"
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).ok_or("usage: crash_target <store directory>")?;
    let (registry, _) = toys::registry();
    let study = Study::from_text(TEXT, Path::new("."), "crash.toml", &registry)?;
    let store = Store::open(Path::new(&directory))?;
    let options =
        RunOptions { jobs: 2, checkpoint_interval: Duration::from_millis(5), ..RunOptions::default() };
    let record = study.run(&store, &options)?;
    println!("{}", record.result_hash);
    for warning in &record.warnings {
        println!("warning: {warning}");
    }
    Ok(())
}
