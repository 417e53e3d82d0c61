//! Vibrations: the command `phonon`, and the finite-temperature part of `voltage`.

use crate::error::ScaladeError;
use crate::orderings::{Orderings, read_text};
use crate::rungs::quantity;
use scalade_energetics::vibration::{PhononDos, Thermal, thermal_voltage};
use scalade_energetics::{EnergeticsError, VoltageProfile};
use scalade_formats::read_phonon_dos;
use scalade_units::constants::FARADAY;
use scalade_units::dimension;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn input(path: &Path) -> impl Fn(EnergeticsError) -> ScaladeError + '_ {
    move |e| ScaladeError::input(format!("{}: {e}", path.display()))
}

/// Reads a density of states. Where the number of atoms of its cell is not given it is a third of the modes, which must be a whole number within
/// 5 %.
fn read(path: &Path, atoms: Option<usize>) -> Result<(PhononDos, usize), ScaladeError> {
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

/// A comma-separated list of temperatures in kelvin.
fn temperatures(text: &str) -> Result<Vec<f64>, ScaladeError> {
    let one = |t: &str| quantity("--temperatures", t.trim(), dimension::TEMPERATURE);
    text.split(',').filter(|t| !t.trim().is_empty()).map(one).collect()
}

/// `phonon`: free energy, entropy and heat capacity from a density of states, per formula unit.
pub fn phonon(
    path: &Path,
    atoms: Option<usize>,
    formula_units: usize,
    at: &str,
) -> Result<Value, ScaladeError> {
    if formula_units == 0 {
        return Err(ScaladeError::input("--formula-units is 0; the formula units of the cell are due"));
    }
    let (dos, atoms) = read(path, atoms)?;
    let at = temperatures(at)?;
    if at.is_empty() {
        return Err(ScaladeError::input(
            "--temperatures is empty; give some, such as --temperatures \"0 K,300 K\"",
        ));
    }
    let per_formula =
        |t: f64| dos.thermal(t).map(|v| v.times(1.0 / formula_units as f64)).map_err(input(path));
    let values: Vec<Thermal> = at.iter().map(|t| per_formula(*t)).collect::<Result<_, _>>()?;
    let list = |get: fn(&Thermal) -> f64| values.iter().map(get).collect::<Vec<f64>>();
    Ok(json!({
        "atoms": atoms,
        "formula_units": formula_units,
        "highest_frequency_THz": dos.highest_thz(),
        "modes_over_three_per_atom": dos.mode_ratio,
        "imaginary_share": dos.imaginary_share,
        "zero_point_eV": values.first().map(|v| v.zero_point_ev),
        "temperature_K": at,
        "free_energy_eV": list(|v| v.free_energy_ev),
        "entropy_J_mol_K": list(|v| v.entropy_ev_k * FARADAY),
        "heat_capacity_J_mol_K": list(|v| v.heat_capacity_ev_k * FARADAY),
    }))
}

/// Densities of states that go with a voltage.
#[derive(Clone, Debug, Default)]
pub struct Vibrations {
    /// `ID=FILE` for two frames.
    pub of_frames: Vec<String>,
    /// That of the working ion's reference.
    pub of_reference: Option<PathBuf>,
    /// Temperatures, comma-separated.
    pub temperatures: String,
}

impl Vibrations {
    /// Whether any was given.
    pub fn is_given(&self) -> bool {
        !self.of_frames.is_empty() || self.of_reference.is_some()
    }

    /// Voltage between the two frames at finite temperature, its parts kept apart.
    pub fn finite_temperature(
        &self,
        orderings: &Orderings,
        profile: &VoltageProfile,
    ) -> Result<Value, ScaladeError> {
        let [first, second] = &self.of_frames[..] else {
            let message = format!(
                "--phonon-dos was given {} times; two are due, ID=FILE for the empty and the full host",
                self.of_frames.len()
            );
            return Err(ScaladeError::input(message));
        };
        let Some(reference) = &self.of_reference else {
            let message = "--reference-phonon-dos is due too: the metal vibrates as well";
            return Err(ScaladeError::input(message));
        };
        let space = orderings.host_space()?;
        let mut ends = Vec::new();
        for pair in [first, second] {
            let Some((id, file)) = pair.split_once('=') else {
                return Err(ScaladeError::input(format!("--phonon-dos {pair}: ID=FILE is due")));
            };
            let Some(point) = space.points.iter().find(|p| p.id == id) else {
                let known: Vec<&str> = space.points.iter().map(|p| p.id.as_str()).take(12).collect();
                let message =
                    format!("--phonon-dos: no frame is called {id}; there are {}", known.join(", "));
                return Err(ScaladeError::input(message));
            };
            let path = PathBuf::from(file);
            let atoms = orderings.atoms_of(id);
            let (dos, _) = read(&path, atoms)?;
            ends.push((point, dos, path));
        }
        ends.sort_by(|a, b| a.0.x.total_cmp(&b.0.x));
        let (metal, metal_atoms) = read(reference, None)?;
        let step = profile
            .average_between(&ends[0].0.id, &ends[1].0.id)
            .map_err(|e| ScaladeError::input(e.to_string()))?;
        let mut rows = Vec::new();
        for t in temperatures(&self.temperatures)? {
            let host = |k: usize| {
                let (point, dos, path) = &ends[k];
                let per_formula = 1.0 / point.reduced_formulas as f64;
                dos.thermal(t).map(|v| v.times(per_formula)).map_err(input(path))
            };
            let ion =
                metal.thermal(t).map(|v| v.times(1.0 / metal_atoms as f64)).map_err(input(reference))?;
            let (empty, full) = (host(0)?, host(1)?);
            let part =
                thermal_voltage(&full, &empty, &ion, step.x_to - step.x_from, profile.reference.valence)
                    .map_err(|e| ScaladeError::input(e.to_string()))?;
            rows.push(json!({
                "from": step.from_id,
                "to": step.to_id,
                "temperature_K": t,
                "voltage_V": step.voltage_v + part.total_v,
                "zero_kelvin_without_zero_point_V": step.voltage_v,
                "zero_point_V": part.zero_point_v,
                "vibrational_V": part.total_v - part.zero_point_v,
                "slope_V_per_K": part.slope_v_per_k,
            }));
        }
        Ok(Value::Array(rows))
    }
}
