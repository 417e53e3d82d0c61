//! Densities of states of phonons and electrons: tables with a header (CSV), two columns of numbers as phonopy writes them (`total_dos.dat`), and
//! `DOSCAR` of VASP.

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

/// Energies and densities as they stand in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct ElectronicTable {
    /// Energies from the Fermi level, eV.
    pub energy_ev: Vec<f64>,
    /// States per eV and cell, both spins.
    pub density: Vec<f64>,
}

/// What two columns hold.
struct Columns {
    /// Name and unit of the first.
    position: &'static str,
    /// How the header of the first begins, in lower case.
    position_header: &'static str,
    /// Name and unit of the second.
    density: &'static str,
}

const PHONONS: Columns =
    Columns { position: "frequency (THz)", position_header: "frequency_thz", density: "density (1/THz)" };
const ELECTRONS: Columns =
    Columns { position: "energy (eV)", position_header: "energy_ev", density: "density (1/eV)" };

/// Reads a density of states of phonons. A first line that begins with a letter is the header of a CSV table, whose first column that begins with
/// `frequency_THz` and first column that begins with `dos` or `density` are taken; otherwise lines hold frequency (THz) and density in two columns,
/// `#` begins a comment.
pub fn read_phonon_dos(text: &str, name: &str) -> Result<PhononTable, FormatError> {
    let (frequency_thz, density) = read_columns(text, name, &PHONONS)?;
    Ok(PhononTable { frequency_thz, density })
}

/// Reads a density of states of electrons (states per eV and cell, both spins): a `DOSCAR` of VASP, whose energies are counted from the Fermi level that
/// it tells and whose spins are added; or columns as for phonons, energies (header `energy_eV`) counted from the Fermi level.
pub fn read_electronic_dos(text: &str, name: &str) -> Result<ElectronicTable, FormatError> {
    let (energy_ev, density) = match doscar_header(text) {
        Some(header) => from_doscar(text, name, header)?,
        None => read_columns(text, name, &ELECTRONS)?,
    };
    Ok(ElectronicTable { energy_ev, density })
}

fn read_columns(text: &str, name: &str, columns: &Columns) -> Result<(Vec<f64>, Vec<f64>), FormatError> {
    let first = text.lines().map(str::trim).find(|l| !l.is_empty());
    let Some(first) = first else {
        return Err(FormatError::syntax(Place::file(name), "the file is empty; a density of states is due"));
    };
    if first.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return from_csv(text, name, columns);
    }
    let (mut positions, mut densities) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        let data = line.split('#').next().unwrap_or_default().trim();
        if data.is_empty() {
            continue;
        }
        let place = || Place::line(name, index + 1);
        let mut tokens = data.split([' ', '\t', ',']).filter(|t| !t.is_empty());
        let (Some(a), Some(b), None) = (tokens.next(), tokens.next(), tokens.next()) else {
            let problem = format!(
                "two numbers are due, {} and total density; partial densities are not read",
                columns.position
            );
            return Err(FormatError::syntax(place(), problem));
        };
        positions.push(demand_number(a, place, columns.position)?);
        densities.push(demand_number(b, place, columns.density)?);
    }
    Ok((positions, densities))
}

fn from_csv(text: &str, name: &str, columns: &Columns) -> Result<(Vec<f64>, Vec<f64>), FormatError> {
    let table = read_csv(text, name)?;
    let column = |prefixes: &[&str], wanted: &str| {
        let found = table.columns().iter().find(|c| prefixes.iter().any(|p| c.to_lowercase().starts_with(p)));
        found.cloned().ok_or_else(|| {
            let have = table.columns().join(", ");
            FormatError::syntax(Place::line(name, 1), format!("no column {wanted}; there are: {have}"))
        })
    };
    let position = column(&[columns.position_header], columns.position)?;
    let density =
        column(&["dos", "density"], &format!("dos... or density..., a {} per cell", columns.density))?;
    Ok((table.numbers(&position)?, table.numbers(&density)?))
}

/// Number of energies and Fermi level (eV) of a DOSCAR: its sixth line holds highest and lowest energy, the number of energies, the Fermi level and a
/// weight; the first, four integers.
fn doscar_header(text: &str) -> Option<(usize, f64)> {
    let numbers =
        |line: &str| line.split_whitespace().map(|t| t.parse::<f64>().ok()).collect::<Option<Vec<f64>>>();
    let mut lines = text.lines();
    let first = numbers(lines.next()?)?;
    let sixth = numbers(lines.nth(4)?)?;
    match (first.as_slice(), sixth.as_slice()) {
        ([_, _, _, _], [highest, lowest, count, fermi, _])
            if highest > lowest && count.fract() == 0.0 && (1.0..1e7).contains(count) =>
        {
            Some((*count as usize, *fermi))
        }
        _ => None,
    }
}

/// The total density of a DOSCAR: energy, density and its integral, or energy, two densities and two integrals.
fn from_doscar(text: &str, name: &str, header: (usize, f64)) -> Result<(Vec<f64>, Vec<f64>), FormatError> {
    let (count, fermi) = header;
    let (mut energies, mut densities) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate().skip(6).take(count) {
        let place = || Place::line(name, index + 1);
        let tokens: Vec<&str> = line.split_whitespace().collect();
        let spins = match tokens.len() {
            3 => 1,
            5 => 2,
            found => {
                let problem = format!(
                    "energy, density and integral are due (three numbers, or five with two spins), found {found}"
                );
                return Err(FormatError::syntax(place(), problem));
            }
        };
        energies.push(demand_number(tokens[0], place, "energy (eV)")? - fermi);
        let mut sum = 0.0;
        for token in &tokens[1..=spins] {
            sum += demand_number(token, place, "density (1/eV)")?;
        }
        densities.push(sum);
    }
    if energies.len() < count {
        let problem =
            format!("line 6 tells {count} energies, {} follow: the file is cut short", energies.len());
        return Err(FormatError::syntax(Place::file(name), problem));
    }
    Ok((energies, densities))
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
        let electrons = read_electronic_dos("energy_eV,dos\n-0.1,0.0\n0.5,1.25\n", "dos.csv").unwrap();
        assert_eq!((electrons.energy_ev, electrons.density), (vec![-0.1, 0.5], vec![0.0, 1.25]));
        assert_eq!(read_electronic_dos("-1 2\n1 3\n", "dos").unwrap().density, [2.0, 3.0]);
    }

    #[test]
    fn doscar_with_and_without_spin() {
        let head =
            "  4  4  1  0\n 0.9E+01 0.3E-09 0.3E-09 0.3E-09 0.5E-15\n 1.0E-004\n CAR\n unknown system\n";
        let plain =
            format!("{head}  12.5  -3.5  3  2.5  1.0\n -3.5 0.0 0.0\n 2.0 0.25E+01 1.0\n 12.5 1.0 2.0\n");
        let table = read_electronic_dos(&plain, "DOSCAR").unwrap();
        assert_eq!((table.energy_ev, table.density), (vec![-6.0, -0.5, 10.0], vec![0.0, 2.5, 1.0]));
        // Densities of single atoms follow; they are passed over.
        let spins = format!(
            "{head} 12.5 -3.5 2 2.5 1.0\n -3.5 1.0 0.5 0 0\n 2.0 2.0 0.25 1 1\n 12.5 -3.5 2 2.5 1.0\n 1 2\n"
        );
        assert_eq!(read_electronic_dos(&spins, "DOSCAR").unwrap().density, [1.5, 2.25]);
        let said = |text: &str| read_electronic_dos(text, "DOSCAR").unwrap_err().to_string();
        assert!(said(&plain.replace(" 12.5 1.0 2.0\n", "")).contains("3 energies, 2 follow"));
        assert!(said(&plain.replace("0.25E+01 1.0", "0.25E+01")).contains("line 8"));
        assert!(said(&plain.replace("0.25E+01", "NaN")).contains("NaN"));
    }

    #[test]
    fn mistakes_name_line_and_reason() {
        let said = |text: &str| read_phonon_dos(text, "dos").unwrap_err().to_string();
        assert!(said("").contains("empty"));
        assert!(said("1.0 2.0\n2.0 x\n").contains("line 2"));
        assert!(said("1.0 nan\n").contains("NaN"));
        assert!(said("1.0 2.0 3.0\n").contains("partial"));
        assert!(said("energy,dos\n1,2\n").contains("frequency (THz)"));
        assert!(said("frequency_THz,weight\n1,2\n").contains("weight"));
        let electrons = read_electronic_dos("frequency_THz,dos\n1,2\n", "dos").unwrap_err().to_string();
        assert!(electrons.contains("energy (eV)") && electrons.contains("frequency_THz"), "{electrons}");
    }
}
