//! Text output of pw.x of Quantum ESPRESSO.

use super::method::{Method, canonical_functional};
use crate::elements::{atomic_number, element_symbol};
use crate::error::{FormatError, Place, shown};
use crate::frame::{AtomArray, Frame, InfoValue};
use crate::text::{Look, column_of, demand_number};
use scalade_crystal::{Matrix3, Structure};
use std::collections::BTreeMap;

const NAME: &str = "pw.x output";
/// Rydberg energy, eV, and Bohr radius, angstrom: CODATA 2022.
const RYDBERG_EV: f64 = 13.605_693_122_990;
const BOHR_ANGSTROM: f64 = 0.529_177_210_544;

/// The last ionic step of an output of pw.x that was finished: its energy and the geometry it was computed for.
///
/// `energy` is `! total energy` in eV per cell (1 Ry = 13.60569312299 eV), for smeared occupations the free
/// energy F; `smearing_contribution` is its part -TS. The geometry is the one that was printed last before that
/// energy (`CELL_PARAMETERS`, `ATOMIC_POSITIONS` in alat, bohr, angstrom or crystal; at first the tables of
/// the crystal axes and sites). `functional` is `Exchange-correlation`; `hubbard_u` is U of every species that has
/// one, eV. Where two species are one element, the per-atom property `species_label` keeps their names.
/// `job_done=F` marks a run that did not end, `relaxation_converged=F` one whose steps ran out. `id` is the
/// name of the file.
///
/// Errors: with the line for a last step that did not converge, no finished step, blocks that are cut short,
/// numbers that are none, species of no known element; [`FormatError::WrongFormat`] for files of another format.
pub fn read_espresso(text: &str, name: &str) -> Result<Frame, FormatError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(FormatError::Empty { place: Box::new(Place::file(name)), wanted: NAME });
    }
    if let Some(error) = super::wrong_format(text, name, NAME, &[Look::Espresso]) {
        return Err(error);
    }
    if !text.contains("Program PWSCF") {
        let problem = "this is no output of pw.x: it does not say 'Program PWSCF'";
        return Err(FormatError::syntax(Place::file(name), problem));
    }
    let mut run = Run { lines: text.lines().collect(), name, ..Run::default() };
    run.read()?;
    run.frame()?.checked()
}

/// A geometry as it was printed last.
#[derive(Clone, Debug, Default)]
struct Geometry {
    /// Lattice vectors, angstrom.
    lattice: Option<Matrix3>,
    labels: Vec<String>,
    /// Cartesian, angstrom.
    positions: Vec<[f64; 3]>,
}

#[derive(Default)]
struct Run<'a> {
    lines: Vec<&'a str>,
    name: &'a str,
    /// Length unit `alat`, angstrom.
    alat: Option<f64>,
    atoms: Option<usize>,
    elements: BTreeMap<String, &'static str>,
    method: Method,
    current: Geometry,
    /// Geometry, energy (eV) and smearing part (eV) of the last finished step.
    finished: Option<(Geometry, f64, Option<f64>)>,
    steps: usize,
    not_converged: Option<usize>,
    job_done: bool,
    steps_ran_out: bool,
}

/// The number after the last `=` of a line.
fn after_equals(line: &str) -> Option<&str> {
    line.rsplit_once('=')?.1.split_whitespace().next()
}

impl<'a> Run<'a> {
    fn place(&self, at: usize) -> Place {
        Place::line(self.name, at + 1)
    }

    fn number(&self, at: usize, token: &str, what: &str) -> Result<f64, FormatError> {
        demand_number(token, || self.place(at).column(column_of(self.lines[at], token)), what)
    }

    fn read(&mut self) -> Result<(), FormatError> {
        let mut at = 0;
        while at < self.lines.len() {
            let line = self.lines[at].trim();
            at = self.line(at, line)?;
        }
        Ok(())
    }

    /// Reads what begins at a line; returns the line to go on with.
    fn line(&mut self, at: usize, line: &'a str) -> Result<usize, FormatError> {
        let next = at + 1;
        if line.starts_with("lattice parameter (alat)") {
            let bohr = self.number(at, after_equals(line).unwrap_or(""), "the lattice parameter")?;
            self.alat = Some(bohr * BOHR_ANGSTROM);
        } else if line.starts_with("number of atoms/cell") {
            let token = after_equals(line).unwrap_or("");
            self.atoms = Some(token.parse().map_err(|_| {
                FormatError::syntax(self.place(at), format!("'{}' is no number of atoms", shown(token)))
            })?);
        } else if let Some(found) = line.strip_prefix("Exchange-correlation") {
            self.method.functional = functional(found.trim_start().strip_prefix('=').unwrap_or(found));
        } else if line.contains("DFT-D3 Dispersion Correction") {
            let base = self.method.functional.take().unwrap_or_else(|| "unknown".into());
            self.method.functional = Some(if base.ends_with("+D3") { base } else { format!("{base}+D3") });
        } else if line.starts_with("atomic species   valence") {
            return Ok(self.species(next));
        } else if line.starts_with("atomic species") && line.contains(" U ") {
            return self.old_hubbard(next);
        } else if line.starts_with("U(") && line.contains('=') {
            self.new_hubbard(at, line)?;
        } else if line.starts_with("crystal axes:") {
            return self.axes(next);
        } else if line.starts_with("site n.") && line.contains("positions (alat units)") {
            return self.sites(next);
        } else if line.starts_with("CELL_PARAMETERS") {
            return self.cell_block(at, line);
        } else if line.starts_with("ATOMIC_POSITIONS") {
            return self.position_block(at, line);
        } else if line.starts_with('!') && line.contains("total energy") {
            let energy = self.number(at, after_equals(line).unwrap_or(""), "the total energy")?;
            if !line.contains("Ry") {
                return Err(FormatError::syntax(self.place(at), "the total energy is not in Ry"));
            }
            self.finished = Some((self.current.clone(), energy * RYDBERG_EV, None));
            self.steps += 1;
            self.not_converged = None;
        } else if line.starts_with("smearing contrib. (-TS)") {
            let part = self.number(at, after_equals(line).unwrap_or(""), "the smearing contribution")?;
            if let Some(finished) = &mut self.finished {
                finished.2 = Some(part * RYDBERG_EV);
            }
        } else if line.contains("convergence NOT achieved") {
            self.not_converged = Some(at);
        } else if line.starts_with("JOB DONE") {
            self.job_done = true;
        } else if line.starts_with("The maximum number of steps has been reached") {
            self.steps_ran_out = true;
        }
        Ok(next)
    }

    /// Rows `Co 9.00 58.93 Co( 1.00)` until a blank line: the element is that of the potential, else that of
    /// the label.
    fn species(&mut self, mut at: usize) -> usize {
        while let Some(row) = self.lines.get(at).map(|l| l.trim()).filter(|row| !row.is_empty()) {
            let tokens: Vec<&str> = row.split_whitespace().take(5).collect();
            let Some(label) = tokens.first() else { break };
            let potential = tokens.get(3).map_or("", |t| t.split('(').next().unwrap_or(""));
            let symbol =
                atomic_number(potential).and_then(element_symbol).or_else(|| element_of_label(label));
            if let Some(symbol) = symbol {
                self.elements.insert((*label).to_string(), symbol);
            }
            at += 1;
        }
        at
    }

    fn element(&self, label: &str) -> Option<&'static str> {
        self.elements.get(label).copied().or_else(|| element_of_label(label))
    }

    fn add_hubbard(&mut self, at: usize, label: &str, token: &str) -> Result<(), FormatError> {
        let value = self.number(at, token, "a Hubbard parameter")?;
        // Species of one element are told apart: their U may differ.
        let element = self.element(label).unwrap_or("X").to_string();
        if value == 0.0 || self.method.hubbard.get(&element).is_some_and(|known| *known == value.to_string())
        {
            return Ok(());
        }
        let key = if self.method.hubbard.contains_key(&element) { label.to_string() } else { element };
        self.method.add_hubbard(&key, value);
        Ok(())
    }

    /// Rows `Co 2 3.3200 0.0000 ...` (label, l, U) until a blank line, of versions before 7.1.
    fn old_hubbard(&mut self, mut at: usize) -> Result<usize, FormatError> {
        while let Some(row) = self.lines.get(at).map(|l| l.trim()).filter(|row| !row.is_empty()) {
            let tokens: Vec<&str> = row.split_whitespace().take(3).collect();
            let [label, _, value] = tokens.as_slice() else { break };
            self.add_hubbard(at, label, value)?;
            at += 1;
        }
        Ok(at)
    }

    /// `U(Co-3d)  =  3.3200`, of version 7.1 and later.
    fn new_hubbard(&mut self, at: usize, line: &str) -> Result<(), FormatError> {
        let label = line[2..].split([')', '-']).next().unwrap_or("").trim().to_string();
        self.add_hubbard(at, &label, after_equals(line).unwrap_or(""))
    }

    /// Three numbers in the brackets of `a(1) = ( 1.0 0.0 0.0 )`.
    fn bracketed(&self, at: usize, what: &str) -> Result<[f64; 3], FormatError> {
        let line = self.lines.get(at).copied().unwrap_or("");
        let inner = line.rsplit_once('(').map_or("", |(_, inner)| inner.trim_end().trim_end_matches(')'));
        self.three(at, inner, what)
    }

    fn three(&self, at: usize, tokens: &str, what: &str) -> Result<[f64; 3], FormatError> {
        let mut tokens = tokens.split_whitespace();
        let mut out = [0.0; 3];
        for (found, value) in out.iter_mut().enumerate() {
            let token = tokens.next().ok_or_else(|| FormatError::Count {
                place: Box::new(self.place(at)),
                what: format!("numbers of {what}"),
                expected: 3,
                found: found as u64,
            })?;
            let place = || self.place(at);
            *value = demand_number(token, place, what)?;
        }
        Ok(out)
    }

    fn alat(&self, at: usize) -> Result<f64, FormatError> {
        let available = "lengths in units of alat";
        self.alat
            .ok_or_else(|| FormatError::missing(self.place(at), "the lattice parameter (alat)", available))
    }

    fn axes(&mut self, at: usize) -> Result<usize, FormatError> {
        let alat = self.alat(at)?;
        let mut lattice: Matrix3 = [[0.0; 3]; 3];
        for (row, vector) in lattice.iter_mut().enumerate() {
            *vector = self.bracketed(at + row, "a crystal axis")?.map(|c| c * alat);
        }
        self.current.lattice = Some(lattice);
        Ok(at + 3)
    }

    /// Rows `1 Co tau( 1) = ( 0.0 0.0 0.0 )`, as many as there are.
    fn sites(&mut self, mut at: usize) -> Result<usize, FormatError> {
        let alat = self.alat(at)?;
        let (mut labels, mut positions) = (Vec::new(), Vec::new());
        while let Some(row) = self.lines.get(at).filter(|row| row.contains("tau(")) {
            labels.push(row.split_whitespace().nth(1).unwrap_or("").to_string());
            positions.push(self.bracketed(at, "a position")?.map(|c| c * alat));
            at += 1;
        }
        self.current.labels = labels;
        self.current.positions = positions;
        Ok(at)
    }

    /// Scale of a block's header, `CELL_PARAMETERS (alat= 5.32)`, angstrom.
    fn unit(&self, at: usize, header: &str) -> Result<Option<f64>, FormatError> {
        let unit =
            header.split_once(['(', '{']).map_or("", |(_, unit)| unit.trim_end_matches([')', '}'])).trim();
        let word = unit.split(['=', ' ']).next().unwrap_or("");
        match word {
            "alat" => match after_equals(unit) {
                Some(token) => Ok(Some(self.number(at, token, "alat")? * BOHR_ANGSTROM)),
                None => self.alat(at).map(Some),
            },
            "bohr" => Ok(Some(BOHR_ANGSTROM)),
            "angstrom" => Ok(Some(1.0)),
            "crystal" => Ok(None),
            _ => {
                let problem =
                    format!("the unit '{}' is not known; it is alat, bohr, angstrom or crystal", shown(unit));
                Err(FormatError::syntax(self.place(at), problem))
            }
        }
    }

    fn cell_block(&mut self, at: usize, header: &str) -> Result<usize, FormatError> {
        let Some(scale) = self.unit(at, header)? else {
            return Err(FormatError::syntax(
                self.place(at),
                "lattice vectors cannot be in units of crystal axes",
            ));
        };
        let mut lattice: Matrix3 = [[0.0; 3]; 3];
        for (row, vector) in lattice.iter_mut().enumerate() {
            let line = self.lines.get(at + 1 + row).copied().unwrap_or("");
            *vector = self.three(at + 1 + row, line, "a lattice vector")?.map(|c| c * scale);
        }
        self.current.lattice = Some(lattice);
        Ok(at + 4)
    }

    fn position_block(&mut self, header_at: usize, header: &str) -> Result<usize, FormatError> {
        let scale = self.unit(header_at, header)?;
        let (mut labels, mut positions) = (Vec::new(), Vec::new());
        let mut at = header_at + 1;
        let wanted = self.atoms.unwrap_or(usize::MAX);
        while let Some(row) = self.lines.get(at).map(|l| l.trim()) {
            let label = row.split_whitespace().next().unwrap_or("");
            if labels.len() == wanted || self.element(label).is_none() {
                break;
            }
            let numbers = self.three(at, &row[label.len()..], "a position")?;
            positions.push(match (scale, self.current.lattice) {
                (Some(scale), _) => numbers.map(|c| c * scale),
                (None, Some(axes)) => std::array::from_fn(|k| {
                    numbers[0] * axes[0][k] + numbers[1] * axes[1][k] + numbers[2] * axes[2][k]
                }),
                (None, None) => {
                    return Err(FormatError::missing(
                        self.place(header_at),
                        "the lattice",
                        "crystal coordinates",
                    ));
                }
            });
            labels.push(label.to_string());
            at += 1;
        }
        if self.atoms.is_some_and(|atoms| atoms != labels.len()) {
            return Err(FormatError::Count {
                place: Box::new(self.place(header_at)),
                what: "positions of the block ATOMIC_POSITIONS".into(),
                expected: wanted as u64,
                found: labels.len() as u64,
            });
        }
        self.current.labels = labels;
        self.current.positions = positions;
        Ok(at)
    }

    fn frame(self) -> Result<Frame, FormatError> {
        if let Some(at) = self.not_converged {
            let problem = "the last ionic step did not converge (convergence NOT achieved); raise electron_maxstep or lower mixing_beta and rerun, or leave the file out";
            return Err(FormatError::syntax(self.place(at), problem));
        }
        let place = Place::file(self.name);
        let Some((geometry, energy, smearing)) = &self.finished else {
            let available = "no finished ionic step (! total energy); finish the run, or leave the file out";
            return Err(FormatError::missing(place, "an energy", available));
        };
        let lattice = geometry.lattice.ok_or_else(|| {
            FormatError::missing(place.clone(), "the lattice", "an energy without crystal axes")
        })?;
        if geometry.labels.is_empty() || self.atoms.is_some_and(|atoms| atoms != geometry.labels.len()) {
            return Err(FormatError::Count {
                place: Box::new(place),
                what: "positions of the last finished step".into(),
                expected: self.atoms.unwrap_or(1) as u64,
                found: geometry.labels.len() as u64,
            });
        }
        let mut species = Vec::with_capacity(geometry.labels.len());
        for label in &geometry.labels {
            let Some(element) = self.element(label) else {
                let problem = format!("the species '{}' is of no known element", shown(label));
                return Err(FormatError::syntax(place, problem));
            };
            species.push(element.to_string());
        }
        let structure = Structure::from_cartesian(lattice, species, &geometry.positions)
            .map_err(|source| FormatError::Structure { place: Box::new(place), source })?;
        let mut frame = Frame::from_structure(&structure);
        // As they were read, without the rounding of a change of axes and back.
        frame.positions_angstrom.clone_from(&geometry.positions);
        frame.file = self.name.to_string();
        if frame.species != geometry.labels {
            let labels = AtomArray::Text { width: 1, values: geometry.labels.clone() };
            frame.arrays.insert("species_label".into(), labels);
        }
        let info = &mut frame.info;
        info.insert("id".into(), InfoValue::Text(self.name.to_string()));
        info.insert("energy".into(), InfoValue::Float(*energy));
        if let Some(part) = smearing {
            info.insert("smearing_contribution".into(), InfoValue::Float(*part));
        }
        self.method.write(info);
        info.insert("calculator".into(), InfoValue::Text(super::method::QUANTUM_ESPRESSO.into()));
        info.insert("ionic_steps".into(), InfoValue::Int(self.steps as i64));
        if !self.job_done {
            info.insert("job_done".into(), InfoValue::Bool(false));
        }
        if self.steps_ran_out {
            info.insert("relaxation_converged".into(), InfoValue::Bool(false));
        }
        Ok(frame)
    }
}

/// Element of a label such as `Co1`, `Fe_up`, `O`: two letters if they are one, else the first.
fn element_of_label(label: &str) -> Option<&'static str> {
    let letters: String = label.chars().take_while(char::is_ascii_alphabetic).take(2).collect();
    let mut word = letters.to_ascii_lowercase();
    word.get_mut(..1)?.make_ascii_uppercase();
    // Words of the output that could follow a block are no labels.
    let plain = label.len() <= 8 && !matches!(label, "End" | "Writing" | "Begin");
    let found = || {
        [word.as_str(), word.get(..1)?].into_iter().find_map(|s| atomic_number(s).and_then(element_symbol))
    };
    if plain { found() } else { None }
}

/// The usual name of a functional as pw.x prints it: a short name or four to seven words, then indices in brackets.
fn functional(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split('(').next().unwrap_or("").split_whitespace().take(12).collect();
    let joined = words.join(" ").to_ascii_uppercase();
    let name = match joined.as_str() {
        "" => return None,
        "SLA PW PBX PBC" | "SLA+PW+PBX+PBC" => "PBE".to_string(),
        "SLA PW PSX PSC" | "SLA+PW+PSX+PSC" => "PBEsol".to_string(),
        "SLA PW RPB PBC" => "RPBE".to_string(),
        "SLA PW REVX PBC" => "revPBE".to_string(),
        "SLA PZ NOGX NOGC" | "SLA PW NOGX NOGC" | "PZ" => "LDA".to_string(),
        "SLA PW GGX GGC" => "PW91".to_string(),
        "B88 LYP" | "SLA LYP B88 BLYP" => "BLYP".to_string(),
        _ => canonical_functional(&words.join(" ")),
    };
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functionals_and_labels() {
        assert_eq!(functional(" PBE ( 1 4 3 4 0 0 0)").as_deref(), Some("PBE"));
        assert_eq!(functional("  SLA  PW   PSX  PSC ( 1  4 10  8 0 0)").as_deref(), Some("PBEsol"));
        assert_eq!(functional(" SCAN").as_deref(), Some("SCAN"));
        assert_eq!(functional("("), None);
        for (label, element) in
            [("Co1", Some("Co")), ("O", Some("O")), ("Fe_up", Some("Fe")), ("H1", Some("H")), ("1", None)]
        {
            assert_eq!(element_of_label(label), element, "{label}");
        }
    }
}
