//! Bands of VASP: the file `EIGENVAL`.

use crate::bands::{BandSet, BandSetParts};
use crate::error::BandsError;
use crate::symmetry::Rotation;
use crate::wannier::shortened;
use scalade_crystal::Matrix3;

const FORMAT: &str = "EIGENVAL";

fn fail<T>(line: usize, reason: impl Into<String>) -> Result<T, BandsError> {
    Err(BandsError::Text { format: FORMAT, line, reason: reason.into() })
}

/// The words of a line as numbers.
fn numbers(line: usize, text: &str) -> Result<Vec<f64>, BandsError> {
    text.split_whitespace()
        .map(|word| match word.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => fail(line, format!("a finite number is due, found {:?}", shortened(word))),
        })
        .collect()
}

fn whole(line: usize, value: Option<&f64>, due: &str, most: f64) -> Result<usize, BandsError> {
    match value {
        Some(v) if v.fract() == 0.0 && (1.0..=most).contains(v) => Ok(*v as usize),
        other => fail(line, format!("{due} from 1 to {most} is due, found {other:?}")),
    }
}

/// Reads an EIGENVAL: one band set, or two (up, down) of a spin-polarised run. The lattice (rows, angstrom) and the rotations of fractional k are not in the
/// file. `noncollinear`: bands hold one electron (spin-orbit runs), which the file does not say either.
///
/// The electron count is that of the file for one set and absent for two, since the file gives the sum only; the Fermi level is not in the file.
///
/// Errors: text that does not follow the format, with its line, and those of [`BandSet::new`].
pub fn read_eigenval(
    text: &str,
    lattice_angstrom: Matrix3,
    rotations: &[Rotation],
    noncollinear: bool,
) -> Result<Vec<BandSet>, BandsError> {
    let mut lines = text.lines().enumerate().map(|(i, t)| (i + 1, t));
    let mut next = |due: &str| match lines.next() {
        Some(found) => Ok(found),
        None => fail(text.lines().count() + 1, format!("the file ends where {due} is due")),
    };
    let (line, first) = next("the header")?;
    let spins = whole(line, numbers(line, first)?.get(3), "the number of spins (fourth number)", 2.0)?;
    for _ in 0..4 {
        next("the header")?;
    }
    let (line, counts) = next("electrons, k points and bands")?;
    let counts = numbers(line, counts)?;
    let points = whole(line, counts.get(1), "the number of k points (second number)", 1e6)?;
    let bands = whole(line, counts.get(2), "the number of bands (third number)", 1e4)?;
    // A band takes four characters at least ("1 0" and the line's end).
    if points.saturating_mul(bands).saturating_mul(4) > text.len() {
        return fail(
            line,
            format!("{points} k points with {bands} bands do not fit into a file of {} bytes", text.len()),
        );
    }
    let mut k_points = Vec::with_capacity(points);
    let mut weights = Vec::with_capacity(points);
    let mut energies = vec![Vec::with_capacity(points); spins];
    for _ in 0..points {
        let (line, head) = loop {
            let (line, text) = next("a k point")?;
            if !text.trim().is_empty() {
                break (line, text);
            }
        };
        let head = numbers(line, head)?;
        let [x, y, z, weight] = head[..] else {
            return fail(
                line,
                format!("three coordinates and a weight are due, found {} numbers", head.len()),
            );
        };
        k_points.push([x, y, z]);
        weights.push(weight);
        let mut rows = vec![Vec::with_capacity(bands); spins];
        for band in 1..=bands {
            let (line, row) = next("a band")?;
            let row = numbers(line, row)?;
            if row.first() != Some(&(band as f64)) || row.len() < 1 + spins {
                return fail(line, format!("band {band} with {spins} energies is due, found {row:?}"));
            }
            for (list, energy) in rows.iter_mut().zip(&row[1..]) {
                list.push(*energy);
            }
        }
        for (list, row) in energies.iter_mut().zip(rows) {
            list.push(row);
        }
    }
    let single = spins == 1;
    energies
        .into_iter()
        .map(|energies_ev| {
            BandSet::new(BandSetParts {
                lattice_angstrom,
                k_points: k_points.clone(),
                weights: weights.clone(),
                energies_ev,
                rotations: rotations.to_vec(),
                spin_degeneracy: if single && !noncollinear { 2.0 } else { 1.0 },
                fermi_level_ev: None,
                electrons: if single { counts.first().copied() } else { None },
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CUBE: Matrix3 = [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]];
    const PAIRED: &str = "    1    1    1    1\n  0.8E+01  0.2E-09  0.2E-09  0.2E-09  0.5E-15\n  1.000E-004\n  CAR \n test\n      2      2      2\n\n  0.0E+00  0.0E+00  0.0E+00  0.25E+00\n    1       -5.0   1.000000\n    2        1.5   0.000000\n\n  0.5E+00  0.0E+00  0.0E+00  0.75E+00\n    1       -4.0   1.000000\n    2        2.5   0.000000\n";

    #[test]
    fn paired_and_polarised_runs_are_read() {
        let sets = read_eigenval(PAIRED, CUBE, &[], false).unwrap();
        assert_eq!(sets.len(), 1);
        assert_eq!(
            (sets[0].energies(1), sets[0].electrons(), sets[0].spin_degeneracy()),
            (&[-4.0, 2.5][..], Some(2.0), 2.0)
        );
        assert_eq!(sets[0].weights(), [0.25, 0.75]);
        let polarised = PAIRED
            .replacen("1    1    1    1", "1    1    1    2", 1)
            .replace("   1.000000\n", "  -3.0   1.000000   1.000000\n")
            .replace("   0.000000\n", "   3.5   0.000000   0.000000\n");
        let sets = read_eigenval(&polarised, CUBE, &[], false).unwrap();
        assert_eq!((sets.len(), sets[1].energies(0), sets[1].electrons()), (2, &[-3.0, 3.5][..], None));
        assert_eq!(read_eigenval(PAIRED, CUBE, &[], true).unwrap()[0].spin_degeneracy(), 1.0);
    }

    #[test]
    fn broken_files_are_refused_with_their_line() {
        let said = |from: &str, to: &str| {
            let text = PAIRED.replacen(from, to, 1);
            assert_ne!(text, PAIRED);
            read_eigenval(&text, CUBE, &[], false).unwrap_err().to_string()
        };
        assert!(said("1    1    1    1", "1    1    1    3").contains("line 1"));
        assert!(said("      2      2      2", "      2      9999      2").contains("line 6"));
        assert!(said("      2      2      2", "      2      2.5      2").contains("line 6"));
        assert!(said("1.5 ", "NaN ").contains("line 10"));
        assert!(said("    2        2.5", "    3        2.5").contains("line 14"));
        assert!(said("0.75E+00", "0.70E+00").contains("sum to"));
        assert!(said("    2        2.5   0.000000\n", "").contains("ends"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[ 0-9eENainf.\\-\n]{0,300}", cut in 0usize..400) {
            let _ = read_eigenval(&text, CUBE, &[], false);
            let _ = read_eigenval(&PAIRED[..cut.min(PAIRED.len())], CUBE, &[], false);
            let _ = read_eigenval(&format!("1 1 1 1\n\n\n\n\n1 1 1\n{text}"), CUBE, &[], true);
            let _ = BandSet::from_json(&text);
        }
    }
}
