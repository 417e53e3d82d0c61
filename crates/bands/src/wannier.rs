//! Hamiltonians of Wannier90: the file `seedname_hr.dat`.

use crate::error::{BandsError, refuse};
use crate::model::{Hopping, TightBinding};
use scalade_crystal::Matrix3;

const FORMAT: &str = "Wannier90 _hr.dat";
const MOST_ELEMENTS: usize = 1 << 26;

fn fail<T>(line: usize, reason: impl Into<String>) -> Result<T, BandsError> {
    Err(BandsError::Text { format: FORMAT, line, reason: reason.into() })
}

/// Numbered lines with their words.
struct Lines<'a> {
    lines: std::iter::Enumerate<std::str::Lines<'a>>,
    last: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self, due: &str) -> Result<(usize, &'a str), BandsError> {
        match self.lines.next() {
            Some((index, text)) => {
                self.last = index + 1;
                Ok((index + 1, text))
            }
            None => fail(self.last + 1, format!("the file ends where {due} is due")),
        }
    }

    fn count(&mut self, due: &'static str, most: usize) -> Result<usize, BandsError> {
        let (line, text) = self.next(due)?;
        match text.trim().parse::<usize>() {
            Ok(n) if (1..=most).contains(&n) => Ok(n),
            _ => fail(line, format!("{due} from 1 to {most} is due, found {:?}", shortened(text))),
        }
    }
}

/// The start of a line, for messages.
pub(crate) fn shortened(text: &str) -> String {
    text.trim().chars().take(60).collect()
}

fn number<T: std::str::FromStr>(line: usize, word: Option<&str>, due: &str) -> Result<T, BandsError> {
    match word.map(str::parse::<T>) {
        Some(Ok(value)) => Ok(value),
        Some(Err(_)) => fail(line, format!("{due} is due, found {:?}", shortened(word.unwrap_or_default()))),
        None => fail(line, format!("{due} is missing")),
    }
}

/// Reads a `_hr.dat`: a comment, the numbers of Wannier functions and of cells, the degeneracies of the cells (15 on a line), then lines
/// `R1 R2 R3 m n Re Im` with <m, 0| H |n, R> in eV, each divided by the degeneracy of its cell. The lattice is not in the file: rows, angstrom.
///
/// Errors: text that does not follow the format, with its line; numbers that are not finite; a Hamiltonian that is not Hermitian to 1e-5 of its largest element.
pub fn read_hr(
    text: &str,
    lattice_angstrom: Matrix3,
    spin_degeneracy: f64,
) -> Result<TightBinding, BandsError> {
    let mut lines = Lines { lines: text.lines().enumerate(), last: 0 };
    lines.next("a comment")?;
    let orbitals = lines.count("the number of Wannier functions", 2000)?;
    let cells = lines.count("the number of cells", 200_000)?;
    let elements = orbitals * orbitals * cells;
    // An element takes 14 characters at least ("0 0 0 1 1 0 0" and the line's end).
    if elements > MOST_ELEMENTS || elements.saturating_mul(14) > text.len().saturating_add(64) {
        return refuse(
            "the number of matrix elements announced",
            elements as f64,
            "the file is too short for them, or they are more than 2^26",
        );
    }
    let mut degeneracies: Vec<f64> = Vec::with_capacity(cells);
    while degeneracies.len() < cells {
        let (line, text) = lines.next("a line of degeneracies")?;
        for word in text.split_whitespace() {
            let value: u32 = number(line, Some(word), "a whole degeneracy")?;
            if value == 0 || degeneracies.len() == cells {
                return fail(
                    line,
                    format!(
                        "{cells} degeneracies from 1 are due; found {value} at number {}",
                        degeneracies.len() + 1
                    ),
                );
            }
            degeneracies.push(f64::from(value));
        }
    }
    let mut hoppings = Vec::with_capacity(elements);
    for degeneracy in degeneracies {
        let mut own = None;
        for _ in 0..orbitals * orbitals {
            let (line, text) = lines.next("a matrix element")?;
            let mut words = text.split_whitespace();
            let mut cell = [0i32; 3];
            for c in &mut cell {
                *c = number(line, words.next(), "a whole cell index")?;
            }
            if *own.get_or_insert(cell) != cell {
                return fail(
                    line,
                    format!(
                        "the cell changes to {cell:?} before {} elements of {own:?}",
                        orbitals * orbitals
                    ),
                );
            }
            let row: usize = number(line, words.next(), "the index of a Wannier function")?;
            let column: usize = number(line, words.next(), "the index of a Wannier function")?;
            if !(1..=orbitals).contains(&row) || !(1..=orbitals).contains(&column) {
                return fail(line, format!("functions {row} and {column}: 1 to {orbitals} is due"));
            }
            let re: f64 = number(line, words.next(), "a real part (eV)")?;
            let im: f64 = number(line, words.next(), "an imaginary part (eV)")?;
            if !(re.abs() < 1e6 && im.abs() < 1e6) {
                return fail(line, format!("the matrix element is {re} + {im} i; finite numbers are due"));
            }
            let amplitude_ev = [re / degeneracy, im / degeneracy];
            hoppings.push(Hopping { row: row - 1, column: column - 1, cell, amplitude_ev });
        }
    }
    TightBinding::new(lattice_angstrom, orbitals, &hoppings, false, spin_degeneracy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CUBE: Matrix3 = [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]];
    const CHAIN: &str =
        " a chain\n 1\n 3\n 1 2 1\n -1 0 0 1 1 -0.5 0.1\n 0 0 0 1 1 0.6 0.0\n 1 0 0 1 1 -0.5 -0.1\n";

    #[test]
    fn a_chain_has_its_bands() {
        let model = read_hr(CHAIN, CUBE, 2.0).unwrap();
        for k in [0.0, 0.13, 0.37] {
            let (s, c) = (2.0 * std::f64::consts::PI * k).sin_cos();
            let want = 0.3 - c + 0.2 * s;
            assert!((model.energies([k, 0.2, 0.0]).unwrap()[0] - want).abs() < 1e-14);
        }
    }

    #[test]
    fn broken_files_are_refused_with_their_line() {
        let said = |from: &str, to: &str| {
            let text = CHAIN.replacen(from, to, 1);
            assert_ne!(text, CHAIN);
            read_hr(&text, CUBE, 2.0).unwrap_err().to_string()
        };
        assert!(said(" 1\n 3", " x\n 3").contains("line 2"));
        assert!(said(" 1 2 1\n", " 1 0 1\n").contains("line 4"));
        assert!(said("1 1 0.6", "1 7 0.6").contains("line 6"));
        assert!(said("0.6", "NaN").contains("line 6"));
        assert!(said("0.6", "inf").contains("line 6"));
        assert!(said(" 3\n", " 900\n").contains("too short"));
        assert!(said(" 1 0 0 1 1 -0.5 -0.1\n", "").contains("line 7"));
        assert!(said("-0.5 -0.1", "-0.5 0.1").contains("adjoint"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[ 0-9eENainf.\\-\n]{0,300}", cut in 0usize..100) {
            let _ = read_hr(&text, CUBE, 2.0);
            let _ = read_hr(&CHAIN[..cut.min(CHAIN.len())], CUBE, 2.0);
            let _ = read_hr(&format!("x\n1\n1\n1\n{text}"), CUBE, 2.0);
        }
    }
}
