//! The Rust block of the guide of cells is this code.
#![allow(clippy::unwrap_used)]

use scalade_cell::{
    CellError, DfnOptions, DriveRequest, ModelKind, ParameterSet, Protocol, impedance_at_rest,
    solve_to_tolerance,
};

const GUIDE: &str = include_str!("../../../docs/guide/cells.md");
const THIS: &str = include_str!("cells_guide.rs");

#[allow(clippy::print_stdout)]
fn example() -> Result<(f64, f64), CellError> {
    // begin
    let cell = ParameterSet::bundled("chen2020")?.started_at_state_of_charge(0.8)?;
    let mut no_files = |wanted: &DriveRequest| {
        Err(CellError::Trace { name: wanted.name.clone(), line: 0, message: "no traces here".into() })
    };
    let protocol = Protocol::parse("Discharge at 1C for 20 min or until 3 V; Rest for 1 h", &mut no_files)?;
    let run = solve_to_tolerance(&cell, &protocol, &DfnOptions::default(), &[60.0, 1200.0, 4800.0], 1e-4)?;
    let solution = &run.outcome.solution;
    println!("{:?} V, off by about {:?} V at most", solution.voltage_v, run.voltage_error_v);
    let spectrum = impedance_at_rest(&cell, ModelKind::Dfn, &[0.01, 1.0, 100.0])?;
    println!("{:?} ohm", spectrum.z_real_ohm);
    // end
    Ok((solution.voltage_v[2], spectrum.z_real_ohm[1]))
}

#[test]
fn the_rust_block_of_the_guide_runs() {
    let (volts, ohm) = example().unwrap();
    assert!((3.6..3.8).contains(&volts) && (0.033..0.035).contains(&ohm), "{volts} {ohm}");
    let code = THIS.split_once("    // begin\n").unwrap().1.split_once("    // end\n").unwrap().0;
    let lines: Vec<&str> = code.lines().map(|line| line.strip_prefix("    ").unwrap()).collect();
    let dedented = lines.join("\n");
    assert!(
        GUIDE.contains(&format!("```rust\n{dedented}\n```\n")),
        "the guide shows other code:\n{dedented}"
    );
}
