//! A reader for the extended XYZ files of the bundled data: just what the tests and the example need.
#![allow(dead_code)]

use scalade_crystal::Structure;
use scalade_lattice::Frame;
use std::path::PathBuf;

/// Path of a file of the bundled LiCoO2 data.
pub fn data(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data/licoo2").join(file)
}

/// Value of `key=value` or `key="value"` on a comment line.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let start =
        line.match_indices(&format!("{key}=")).find(|(at, _)| *at == 0 || line.as_bytes()[at - 1] == b' ')?.0;
    let rest = &line[start + key.len() + 1..];
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split(' ').next(),
    }
}

/// All frames of a file; the first four columns must be species and Cartesian positions.
pub fn read_frames(file: &str) -> Vec<Frame> {
    let text = std::fs::read_to_string(data(file)).unwrap();
    let mut lines = text.lines();
    let mut frames = Vec::new();
    while let Some(count) = lines.next() {
        let count: usize = count.trim().parse().unwrap();
        let comment = lines.next().unwrap();
        let l: Vec<f64> =
            value(comment, "Lattice").unwrap().split_whitespace().map(|v| v.parse().unwrap()).collect();
        let (mut species, mut positions) = (Vec::new(), Vec::new());
        for line in lines.by_ref().take(count) {
            let mut words = line.split_whitespace();
            species.push(words.next().unwrap().to_string());
            positions.push(std::array::from_fn(|_| words.next().unwrap().parse().unwrap()));
        }
        let lattice = [[l[0], l[1], l[2]], [l[3], l[4], l[5]], [l[6], l[7], l[8]]];
        frames.push(Frame {
            id: value(comment, "id").unwrap().to_string(),
            structure: Structure::from_cartesian(lattice, species, &positions).unwrap(),
            energy_ev: value(comment, "energy").map(|e| e.parse().unwrap()),
        });
    }
    frames
}
