//! Vibrations and thermal electrons: the commands `phonon` and `electronic`, and the finite-temperature part of `voltage`.

use crate::error::ScaladeError;
use crate::orderings::{Orderings, read_text};
use crate::rungs::quantity;
use scalade_energetics::electronic::ElectronicDos;
use scalade_energetics::vibration::{PhononDos, Thermal, ThermalVoltage, thermal_voltage};
use scalade_energetics::{EnergeticsError, VoltageProfile};
use scalade_formats::{read_electronic_dos, read_phonon_dos};
use scalade_units::constants::FARADAY;
use scalade_units::dimension;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn input(path: &Path) -> impl Fn(EnergeticsError) -> ScaladeError + '_ {
    move |e| ScaladeError::input(format!("{}: {e}", path.display()))
}

/// Reads a phonon density of states. Where the number of atoms of its cell is not given it is a third of the modes, which must be a whole number
/// within 5 %.
fn read_phonons(path: &Path, atoms: Option<usize>) -> Result<(PhononDos, usize), ScaladeError> {
    let name = path.display().to_string();
    let table = read_phonon_dos(&read_text(path)?, &name).map_err(|e| ScaladeError::input(e.to_string()))?;
    let from_modes = || {
        let f = &table.frequency_thz;
        let width = |i: usize| 0.5 * (f[(i + 1).min(f.len() - 1)] - f[i.saturating_sub(1)]);
        let modes: f64 = table.density.iter().enumerate().map(|(i, d)| d * width(i)).sum();
        ((modes / 3.0).round() as usize).max(1)
    };
    let atoms = atoms.unwrap_or_else(from_modes);
    let dos = PhononDos::new(&table.frequency_thz, &table.density, atoms).map_err(input(path))?;
    Ok((dos, atoms))
}

fn read_electrons(path: &Path) -> Result<ElectronicDos, ScaladeError> {
    let name = path.display().to_string();
    let table =
        read_electronic_dos(&read_text(path)?, &name).map_err(|e| ScaladeError::input(e.to_string()))?;
    ElectronicDos::new(&table.energy_ev, &table.density).map_err(input(path))
}

/// A comma-separated list of temperatures in kelvin, not empty.
fn temperatures(text: &str) -> Result<Vec<f64>, ScaladeError> {
    let one = |t: &str| quantity("--temperatures", t.trim(), dimension::TEMPERATURE);
    let list: Vec<f64> =
        text.split(',').filter(|t| !t.trim().is_empty()).map(one).collect::<Result<_, _>>()?;
    if list.is_empty() {
        let message = "--temperatures is empty; give some, such as --temperatures \"0 K,300 K\"";
        return Err(ScaladeError::input(message));
    }
    Ok(list)
}

/// One part of 1/`formula_units`; at least one is due.
fn share(formula_units: usize) -> Result<f64, ScaladeError> {
    if formula_units == 0 {
        return Err(ScaladeError::input("--formula-units is 0; the formula units of the cell are due"));
    }
    Ok(1.0 / formula_units as f64)
}

/// Free energies, entropies and heat capacities as columns.
fn columns(document: &mut Value, at: &[f64], values: &[Thermal]) {
    let list = |get: fn(&Thermal) -> f64| values.iter().map(get).collect::<Vec<f64>>();
    document["temperature_K"] = json!(at);
    document["free_energy_eV"] = json!(list(|v| v.free_energy_ev));
    document["entropy_J_mol_K"] = json!(list(|v| v.entropy_ev_k * FARADAY));
    document["heat_capacity_J_mol_K"] = json!(list(|v| v.heat_capacity_ev_k * FARADAY));
}

/// `phonon`: free energy, entropy and heat capacity from a density of states, per formula unit.
pub fn phonon(
    path: &Path,
    atoms: Option<usize>,
    formula_units: usize,
    at: &str,
) -> Result<Value, ScaladeError> {
    let share = share(formula_units)?;
    let (dos, atoms) = read_phonons(path, atoms)?;
    let at = temperatures(at)?;
    let per_formula = |t: &f64| dos.thermal(*t).map(|v| v.times(share)).map_err(input(path));
    let values: Vec<Thermal> = at.iter().map(per_formula).collect::<Result<_, _>>()?;
    let mut document = json!({
        "atoms": atoms,
        "formula_units": formula_units,
        "highest_frequency_THz": dos.highest_thz(),
        "modes_over_three_per_atom": dos.mode_ratio,
        "imaginary_share": dos.imaginary_share,
        "zero_point_eV": values.first().map(|v| v.zero_point_ev),
    });
    columns(&mut document, &at, &values);
    Ok(document)
}

/// `electronic`: chemical potential, free energy, entropy and heat capacity of the electrons from a density of states, per formula unit.
pub fn electronic(path: &Path, formula_units: usize, at: &str) -> Result<Value, ScaladeError> {
    let share = share(formula_units)?;
    let dos = read_electrons(path)?;
    let at = temperatures(at)?;
    let per_formula = |t: &f64| dos.thermal(*t).map(|v| v.times(share)).map_err(input(path));
    let values: Vec<Thermal> = at.iter().map(per_formula).collect::<Result<_, _>>()?;
    let potentials: Vec<f64> =
        at.iter().map(|t| dos.chemical_potential_ev(*t)).collect::<Result<_, _>>().map_err(input(path))?;
    let mut document = json!({
        "formula_units": formula_units,
        "states_at_fermi_level_per_eV": dos.at_fermi_level() * share,
        "chemical_potential_eV": potentials,
    });
    columns(&mut document, &at, &values);
    Ok(document)
}

/// Densities of states of one kind that go with a voltage.
#[derive(Clone, Debug, Default)]
pub struct HostTables {
    /// `ID=FILE` for two frames.
    pub of_frames: Vec<String>,
    /// That of the working ion's reference.
    pub of_reference: Option<PathBuf>,
}

/// What a voltage at finite temperature is made of.
#[derive(Clone, Debug, Default)]
pub struct FiniteTemperature {
    /// Phonons: tables per cell of the frame; that of the reference holds three modes an atom.
    pub phonons: HostTables,
    /// Electrons: tables per cell of the frame, and per atom of the reference.
    pub electrons: HostTables,
    /// Temperatures, comma-separated.
    pub temperatures: String,
}

/// Empty host, full host and metal of one kind of excitation: thermal functions per formula unit and per ion.
struct Excitations {
    ids: [String; 2],
    content: [f64; 2],
    ends: [SharedFunctions; 2],
    metal: SharedFunctions,
}

/// A reader of a table of one kind: the thermal functions of its cell by temperature, and the atoms of the cell where the table tells.
type Reader = fn(&Path, Option<usize>) -> Result<(CellFunctions, usize), ScaladeError>;
type CellFunctions = Box<dyn Fn(f64) -> Result<Thermal, EnergeticsError>>;
/// The same per formula unit or ion, errors with the name of the file.
type SharedFunctions = Box<dyn Fn(f64) -> Result<Thermal, ScaladeError>>;

fn phonon_functions(path: &Path, atoms: Option<usize>) -> Result<(CellFunctions, usize), ScaladeError> {
    let (dos, atoms) = read_phonons(path, atoms)?;
    Ok((Box::new(move |t| dos.thermal(t)), atoms))
}

/// A table of electronic states does not tell the atoms of its cell: that of the reference is counted per atom.
fn electron_functions(path: &Path, atoms: Option<usize>) -> Result<(CellFunctions, usize), ScaladeError> {
    let dos = read_electrons(path)?;
    Ok((Box::new(move |t| dos.thermal(t)), atoms.unwrap_or(1)))
}

impl HostTables {
    fn is_given(&self) -> bool {
        !self.of_frames.is_empty() || self.of_reference.is_some()
    }

    /// The tables, read; `option` names them in messages.
    fn read(&self, option: &str, orderings: &Orderings, reader: Reader) -> Result<Excitations, ScaladeError> {
        let [first, second] = &self.of_frames[..] else {
            let message = format!(
                "--{option} was given {} times; two are due, ID=FILE for the empty and the full host",
                self.of_frames.len()
            );
            return Err(ScaladeError::input(message));
        };
        let Some(reference) = &self.of_reference else {
            let message = format!("--reference-{option} is due too: the metal has excitations as well");
            return Err(ScaladeError::input(message));
        };
        let space = orderings.host_space()?;
        let mut ends = Vec::new();
        for pair in [first, second] {
            let Some((id, file)) = pair.split_once('=') else {
                return Err(ScaladeError::input(format!("--{option} {pair}: ID=FILE is due")));
            };
            let Some(point) = space.points.iter().find(|p| p.id == id) else {
                let known: Vec<&str> = space.points.iter().map(|p| p.id.as_str()).take(12).collect();
                let message = format!("--{option}: no frame is called {id}; there are {}", known.join(", "));
                return Err(ScaladeError::input(message));
            };
            let (functions, _) = reader(Path::new(file), orderings.atoms_of(id))?;
            let functions = shared(functions, 1.0 / point.reduced_formulas as f64, PathBuf::from(file));
            ends.push((id.to_string(), point.x, functions));
        }
        ends.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (metal, atoms) = reader(reference, None)?;
        let metal = shared(metal, 1.0 / atoms as f64, reference.clone());
        let message = || ScaladeError::input(format!("--{option}: two frames are due"));
        let [empty, full]: [_; 2] = ends.try_into().map_err(|_| message())?;
        Ok(Excitations { ids: [empty.0, full.0], content: [empty.1, full.1], ends: [empty.2, full.2], metal })
    }
}

fn shared(functions: CellFunctions, share: f64, path: PathBuf) -> SharedFunctions {
    Box::new(move |t| functions(t).map(|v| v.times(share)).map_err(input(&path)))
}

impl Excitations {
    /// Their part of the voltage between the two frames.
    fn part(&self, temperature_k: f64, valence: u32) -> Result<ThermalVoltage, ScaladeError> {
        let (empty, full) = ((self.ends[0])(temperature_k)?, (self.ends[1])(temperature_k)?);
        let ion = (self.metal)(temperature_k)?;
        thermal_voltage(&full, &empty, &ion, self.content[1] - self.content[0], valence)
            .map_err(|e| ScaladeError::input(e.to_string()))
    }
}

impl FiniteTemperature {
    /// Whether any table was given.
    pub fn is_given(&self) -> bool {
        self.phonons.is_given() || self.electrons.is_given()
    }

    /// Voltage between the two frames at finite temperature, its parts kept apart.
    pub fn voltages(&self, orderings: &Orderings, profile: &VoltageProfile) -> Result<Value, ScaladeError> {
        let read = |tables: &HostTables, option, reader: Reader| {
            tables.is_given().then(|| tables.read(option, orderings, reader)).transpose()
        };
        let phonons = read(&self.phonons, "phonon-dos", phonon_functions)?;
        let electrons = read(&self.electrons, "electronic-dos", electron_functions)?;
        let Some(any) = phonons.as_ref().or(electrons.as_ref()) else { return Ok(json!([])) };
        if let Some(other) = electrons.as_ref().filter(|e| e.ids != any.ids) {
            let message = format!(
                "--electronic-dos is of {} and {}, --phonon-dos of {} and {}; the same two frames are due",
                other.ids[0], other.ids[1], any.ids[0], any.ids[1]
            );
            return Err(ScaladeError::input(message));
        }
        let step = profile
            .average_between(&any.ids[0], &any.ids[1])
            .map_err(|e| ScaladeError::input(e.to_string()))?;
        let valence = profile.reference.valence;
        let mut rows = Vec::new();
        for t in temperatures(&self.temperatures)? {
            let mut row = json!({
                "from": step.from_id,
                "to": step.to_id,
                "temperature_K": t,
                "zero_kelvin_without_zero_point_V": step.voltage_v,
            });
            let (mut voltage, mut slope) = (step.voltage_v, 0.0);
            if let Some(phonons) = &phonons {
                let part = phonons.part(t, valence)?;
                row["zero_point_V"] = json!(part.zero_point_v);
                row["vibrational_V"] = json!(part.total_v - part.zero_point_v);
                row["vibrational_slope_V_per_K"] = json!(part.slope_v_per_k);
                voltage += part.total_v;
                slope += part.slope_v_per_k;
            }
            if let Some(electrons) = &electrons {
                let part = electrons.part(t, valence)?;
                row["electronic_V"] = json!(part.total_v);
                row["electronic_slope_V_per_K"] = json!(part.slope_v_per_k);
                voltage += part.total_v;
                slope += part.slope_v_per_k;
            }
            row["voltage_V"] = json!(voltage);
            row["slope_V_per_K"] = json!(slope);
            rows.push(row);
        }
        Ok(Value::Array(rows))
    }
}
