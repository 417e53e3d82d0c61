//! Phonon densities of states: tables with a header (CSV), and two columns of numbers as phonopy writes them (`total_dos.dat`).

use crate::error::{FormatError, Place};
use crate::table::read_csv;
use crate::text::demand_number;

/// Frequencies and densities as they stand in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct PhononTable {
    /// Frequencies, THz; imaginary ones negative.
    pub frequency_thz: Vec<f64>,
    /// States per THz and cell.
    pub density: Vec<f64>,
}

/// Reads a density of states. A first line that begins with a letter is the header of a CSV table, whose first column that begins with
/// `frequency_THz` and first column that begins with `dos` or `density` are taken; otherwise lines hold frequency (THz) and density in two columns,
/// `#` begins a comment.
pub fn read_phonon_dos(text: &str, name: &str) -> Result<PhononTable, FormatError> {
    let first = text.lines().map(str::trim).find(|l| !l.is_empty());
    let Some(first) = first else {
        return Err(FormatError::syntax(Place::file(name), "the file is empty; a density of states is due"));
    };
    if first.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return from_csv(text, name);
    }
    let (mut frequency_thz, mut density) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        let data = line.split('#').next().unwrap_or_default().trim();
        if data.is_empty() {
            continue;
        }
        let place = || Place::line(name, index + 1);
        let mut tokens = data.split([' ', '\t', ',']).filter(|t| !t.is_empty());
        let (Some(a), Some(b), None) = (tokens.next(), tokens.next(), tokens.next()) else {
            let problem =
                "two numbers are due, frequency (THz) and total density; partial densities are not read";
            return Err(FormatError::syntax(place(), problem));
        };
        frequency_thz.push(demand_number(a, place, "frequency (THz)")?);
        density.push(demand_number(b, place, "density (1/THz)")?);
    }
    Ok(PhononTable { frequency_thz, density })
}

fn from_csv(text: &str, name: &str) -> Result<PhononTable, FormatError> {
    let table = read_csv(text, name)?;
    let column = |prefixes: &[&str], wanted: &str| {
        let found = table.columns().iter().find(|c| prefixes.iter().any(|p| c.to_lowercase().starts_with(p)));
        found.cloned().ok_or_else(|| {
            let have = table.columns().join(", ");
            FormatError::syntax(Place::line(name, 1), format!("no column {wanted}; there are: {have}"))
        })
    };
    let frequency = column(&["frequency_thz"], "frequency_THz")?;
    let density = column(&["dos", "density"], "dos... or density... (states per THz and cell)")?;
    Ok(PhononTable { frequency_thz: table.numbers(&frequency)?, density: table.numbers(&density)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let phonopy =
            "# Sigma = 0.063253\n   -0.1000000000        0.0000000000\n   0.5   1.25\n\n 1.1 2.5 # end\n";
        let columns = read_phonon_dos(phonopy, "total_dos.dat").unwrap();
        assert_eq!(columns.frequency_thz, [-0.1, 0.5, 1.1]);
        assert_eq!(columns.density, [0.0, 1.25, 2.5]);
        let csv = "frequency_THz,dos_states_per_THz_per_cell\n-0.1,0.0\n0.5,1.25\n1.1,2.5\n";
        assert_eq!(read_phonon_dos(csv, "dos.csv").unwrap(), columns);
    }

    #[test]
    fn mistakes_name_line_and_reason() {
        let said = |text: &str| read_phonon_dos(text, "dos").unwrap_err().to_string();
        assert!(said("").contains("empty"));
        assert!(said("1.0 2.0\n2.0 x\n").contains("line 2"));
        assert!(said("1.0 nan\n").contains("NaN"));
        assert!(said("1.0 2.0 3.0\n").contains("partial"));
        assert!(said("energy,dos\n1,2\n").contains("frequency_THz"));
        assert!(said("frequency_THz,weight\n1,2\n").contains("weight"));
    }
}
