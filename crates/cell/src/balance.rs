//! Equilibrium of the cell: open-circuit voltage, the state that belongs to a voltage or to a state of
//! charge, and the electrodes' stoichiometries at the ends of the voltage window.

use crate::FARADAY;
use crate::error::CellError;
use crate::parameters::{ActiveMaterial, Electrode, ParameterSet};
use crate::solver::root::root;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;

/// States tried when a voltage is looked for, in electrodes of one material and in blends.
const SAMPLES: [usize; 2] = [4000, 400];

/// The electrodes at the ends of the cell's voltage window (the "electrode state of health").
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct VoltageWindow {
    /// Lithium content of the negative electrode at the lower and at the upper cut-off voltage, as a
    /// fraction of what its active materials can hold; `None` in a half cell.
    pub negative: Option<[f64; 2]>,
    /// The same of the positive electrode.
    pub positive: [f64; 2],
    /// Charge between the two states, A h.
    pub capacity_ah: f64,
}

impl ActiveMaterial {
    fn rest_potential(&self, x: f64, temperature: Temperature) -> Result<f64, CellError> {
        let point = [x, 0.0, x * self.max_concentration, temperature.kelvin];
        let entropic = self.open_circuit.entropic_slope.value(point)?;
        let excess = self.open_circuit.excess(temperature.kelvin, temperature.kelvin - temperature.excess);
        Ok(self.open_circuit.at_reference.value(point)? + excess * entropic)
    }

    /// Stoichiometry in equilibrium with `potential`: the potential falls with lithium.
    fn stoichiometry_at(&self, potential: f64, temperature: Temperature) -> f64 {
        /// Beyond every potential, V.
        const FAR: f64 = 1e3;
        let (low, high) = (1e-9, 1.0 - 1e-9);
        // Where a table does not reach, the nearer end of the range is the nearest state it knows.
        let above = |x: f64| match self.rest_potential(x, temperature) {
            Ok(value) => value - potential,
            Err(_) => {
                if x < 0.5 {
                    FAR
                } else {
                    -FAR
                }
            }
        };
        let (at_low, at_high) = (above(low), above(high));
        if at_low <= 0.0 || at_high >= 0.0 {
            return if at_low <= 0.0 { low } else { high };
        }
        let found =
            root((low, at_low), (high, at_high), 0.5, None, 1e-16, |x| Ok::<f64, Infallible>(above(x)));
        let Ok(x) = found;
        x
    }
}

/// Temperature of an equilibrium, and its distance from that at which potentials are given.
#[derive(Debug, Clone, Copy)]
struct Temperature {
    kelvin: f64,
    excess: f64,
}

impl Electrode {
    /// Charge of lithium that the active materials can hold per area of one electrode pair, C/m2:
    /// F L sum of fraction times maximum concentration.
    pub fn charge_per_area(&self) -> f64 {
        self.materials().map(|m| FARADAY * m.fraction * self.thickness_m * m.max_concentration).sum()
    }

    /// Lithium at the start as a fraction of what the active materials can hold.
    pub fn initial_content(&self) -> f64 {
        let held: f64 = self.materials().map(|m| m.fraction * m.initial_concentration).sum();
        held / self.materials().map(|m| m.fraction * m.max_concentration).sum::<f64>()
    }

    /// Stoichiometry of each material when the electrode is in equilibrium at lithium content `content`.
    fn stoichiometries(&self, content: f64, temperature: Temperature) -> Result<Vec<f64>, CellError> {
        if self.blended.is_empty() {
            return Ok(vec![content]);
        }
        let held = |potential: f64| -> f64 {
            let sum: f64 = self
                .materials()
                .map(|m| m.fraction * m.max_concentration * m.stoichiometry_at(potential, temperature))
                .sum();
            sum / self.materials().map(|m| m.fraction * m.max_concentration).sum::<f64>()
        };
        let (low, high) = (-1.0, 6.0);
        let (at_low, at_high) = (held(low) - content, held(high) - content);
        let potential = if at_low <= 0.0 || at_high >= 0.0 {
            if at_low <= 0.0 { low } else { high }
        } else {
            let excess = |potential: f64| Ok::<f64, Infallible>(held(potential) - content);
            let start = low + (high - low) * at_low / (at_low - at_high);
            let Ok(potential) = root((low, at_low), (high, at_high), start, None, 1e-16, excess);
            potential
        };
        let found: Vec<f64> = self.materials().map(|m| m.stoichiometry_at(potential, temperature)).collect();
        let miss = held(potential) - content;
        if miss.abs() > 1e-6 {
            return Err(CellError::Parameter {
                name: "lithium content of a blended electrode".to_owned(),
                value: content,
                requirement: format!("has no equilibrium of its materials (misses it by {miss:e})"),
            });
        }
        Ok(found)
    }

    fn rest_potential(&self, content: f64, temperature: Temperature) -> Result<f64, CellError> {
        let stoichiometries = self.stoichiometries(content, temperature)?;
        // All materials of a blend are at one potential; the one with most lithium to give defines it best.
        let weight = |m: &ActiveMaterial| m.fraction * m.max_concentration;
        let (mut best, mut at) = (&self.material, stoichiometries[0]);
        for (material, x) in self.materials().zip(&stoichiometries) {
            if weight(material) > weight(best) {
                (best, at) = (material, *x);
            }
        }
        best.rest_potential(at, temperature)
    }

    fn set_content(&mut self, content: f64, temperature: Temperature) -> Result<(), CellError> {
        let stoichiometries = self.stoichiometries(content, temperature)?;
        for (material, x) in self.materials_mut().zip(stoichiometries) {
            material.initial_concentration = x * material.max_concentration;
        }
        Ok(())
    }
}

impl ParameterSet {
    fn rest_temperature(&self) -> Temperature {
        let kelvin = self.initial_temperature_k;
        Temperature { kelvin, excess: kelvin - self.reference_temperature_k }
    }

    /// Open-circuit voltage at lithium contents `negative` and `positive` (fractions of what the electrode
    /// can hold: stoichiometries where it has one active material) and the initial temperature, V. The
    /// negative content of a half cell does not matter.
    ///
    /// # Errors
    /// [`CellError::Parameter`] where a potential has no value.
    pub fn open_circuit_voltage(&self, negative: f64, positive: f64) -> Result<f64, CellError> {
        let temperature = self.rest_temperature();
        let lower = match self.negative.porous() {
            Some(electrode) => electrode.rest_potential(negative, temperature)?,
            None => 0.0,
        };
        Ok(self.positive.rest_potential(positive, temperature)? - lower)
    }

    /// The same cell, started at rest at open-circuit voltage `volts`: lithium is moved between the
    /// electrodes, its total stays. Where the voltage is reached at several states (a non-monotonic
    /// potential), the one nearest to the present state is taken.
    ///
    /// # Errors
    /// [`CellError::Parameter`] if no state with both stoichiometries inside (0, 1), and inside the tables,
    /// has this voltage.
    pub fn started_at_voltage(&self, volts: f64) -> Result<Self, CellError> {
        self.discharged_by(self.charge_to(volts)?)
    }

    /// The same cell, started at rest at a state of charge between 0 (empty) and 1 (full): at equal charge
    /// between the states whose open-circuit voltages are the cut-off voltages. Where these are not
    /// open-circuit voltages of the cell, at the stoichiometries of [`ActiveMaterial::window`], if all materials
    /// have them.
    ///
    /// # Errors
    /// [`CellError::Parameter`] for a state of charge outside 0 to 1, or if neither is known.
    pub fn started_at_state_of_charge(&self, state_of_charge: f64) -> Result<Self, CellError> {
        if !(0.0..=1.0).contains(&state_of_charge) {
            return Err(CellError::Parameter {
                name: "state of charge".to_owned(),
                value: state_of_charge,
                requirement: "must lie between 0 and 1".to_owned(),
            });
        }
        let by_voltage = || -> Result<Self, CellError> {
            let full = self.charge_to(self.upper_voltage_v)?;
            if state_of_charge == 1.0 {
                return self.discharged_by(full);
            }
            let empty = self.charge_to(self.lower_voltage_v)?;
            self.discharged_by(empty + state_of_charge * (full - empty))
        };
        by_voltage().or_else(|error| {
            let mut started = self.clone();
            for material in started.all_materials_mut() {
                let Some(window) = material.window else { return Err(error) };
                let x = window.empty + state_of_charge * (window.full - window.empty);
                material.initial_concentration = x * material.max_concentration;
            }
            Ok(started)
        })
    }

    /// Where the cell's lithium is at the lower and at the upper cut-off voltage, at rest.
    ///
    /// # Errors
    /// [`CellError::Parameter`] if the cut-off voltages are not open-circuit voltages of this cell.
    pub fn voltage_window(&self) -> Result<VoltageWindow, CellError> {
        let (empty, full) = (self.charge_to(self.lower_voltage_v)?, self.charge_to(self.upper_voltage_v)?);
        let positive = |drawn: f64| self.contents(drawn).1;
        let negative = |drawn: f64| self.contents(drawn).0;
        Ok(VoltageWindow {
            negative: negative(empty).zip(negative(full)).map(|(low, high)| [low, high]),
            positive: [positive(empty), positive(full)],
            capacity_ah: (empty - full) * self.total_area_m2() / 3600.0,
        })
    }

    /// The same cell with `lithium_mol` of lithium in its particles: what is gained or lost is put into, or
    /// taken from, the negative electrode (the positive one of a half cell).
    ///
    /// # Errors
    /// [`CellError::Parameter`] if that electrode cannot hold it.
    pub fn with_particle_lithium(&self, lithium_mol: f64) -> Result<Self, CellError> {
        let temperature = self.rest_temperature();
        let held = |e: &Electrode| e.charge_per_area() * self.total_area_m2() / FARADAY;
        let mut changed = self.clone();
        let positive = held(&self.positive) * self.positive.initial_content();
        let (electrode, content) = match changed.negative.porous_mut() {
            Some(electrode) => {
                let content = (lithium_mol - positive) / held(electrode);
                (electrode, content)
            }
            None => (&mut changed.positive, lithium_mol / held(&self.positive)),
        };
        if !(content > 0.0 && content < 1.0) {
            return Err(CellError::Parameter {
                name: "lithium content of the electrode that takes up the change".to_owned(),
                value: content,
                requirement: "must lie inside 0 to 1".to_owned(),
            });
        }
        electrode.set_content(content, temperature)?;
        Ok(changed)
    }

    fn all_materials_mut(&mut self) -> impl Iterator<Item = &mut ActiveMaterial> {
        let negative = self.negative.porous_mut().into_iter().flat_map(Electrode::materials_mut);
        negative.chain(self.positive.materials_mut())
    }

    /// Lithium contents after `drawn` C/m2 of discharge from the initial state.
    fn contents(&self, drawn: f64) -> (Option<f64>, f64) {
        let negative = self.negative.porous().map(|e| e.initial_content() - drawn / e.charge_per_area());
        (negative, self.positive.initial_content() + drawn / self.positive.charge_per_area())
    }

    fn discharged_by(&self, drawn: f64) -> Result<Self, CellError> {
        let temperature = self.rest_temperature();
        let (negative, positive) = self.contents(drawn);
        let mut started = self.clone();
        if let (Some(electrode), Some(content)) = (started.negative.porous_mut(), negative) {
            electrode.set_content(content, temperature)?;
        }
        started.positive.set_content(positive, temperature)?;
        Ok(started)
    }

    /// Charge to be drawn from the initial state, C/m2, to be at rest at `volts`.
    fn charge_to(&self, volts: f64) -> Result<f64, CellError> {
        let positive = self.positive.charge_per_area();
        let y = self.positive.initial_content();
        // Both contents stay inside (0, 1).
        let (mut low, mut high) = (-y * positive, (1.0 - y) * positive);
        let mut blends = !self.positive.blended.is_empty();
        if let Some(electrode) = self.negative.porous() {
            let (x, negative) = (electrode.initial_content(), electrode.charge_per_area());
            (low, high) = (low.max(-(1.0 - x) * negative), high.min(x * negative));
            blends |= !electrode.blended.is_empty();
        }
        let miss = |drawn: f64| -> Option<f64> {
            let (negative, positive) = self.contents(drawn);
            self.open_circuit_voltage(negative.unwrap_or(0.5), positive).ok().map(|v| v - volts)
        };
        let samples = SAMPLES[usize::from(blends)];
        let mut best: Option<f64> = None;
        let mut before: Option<(f64, f64)> = None;
        for share in shares(samples) {
            let charge = low + (high - low) * share;
            let now = miss(charge).map(|m| (charge, m));
            if let (Some((a, u)), Some((b, v))) = (before, now)
                && (u == 0.0 || u * v < 0.0)
            {
                let root = bisect(a, b, u, &miss);
                if best.is_none_or(|old| root.abs() < old.abs()) {
                    best = Some(root);
                }
            }
            before = now;
        }
        best.ok_or_else(|| CellError::Parameter {
            name: "initial open-circuit voltage [V]".to_owned(),
            value: volts,
            requirement: "is not reached by any state of this cell with the lithium it holds".to_owned(),
        })
    }
}

/// Shares of a range between its ends, evenly, and in tenths towards each end, where potentials are steep.
fn shares(samples: usize) -> Vec<f64> {
    let ends: Vec<f64> = (4..=8).rev().map(|k| 0.1_f64.powi(k)).collect();
    let middle = (1..samples).map(|i| i as f64 / samples as f64);
    let mut out: Vec<f64> = ends.iter().copied().chain(middle).collect();
    out.extend(ends.iter().rev().map(|e| 1.0 - e));
    out
}

/// Root of `miss` between `a` and `b`, where `at_a` is its value at `a`.
fn bisect(mut a: f64, mut b: f64, at_a: f64, miss: &impl Fn(f64) -> Option<f64>) -> f64 {
    for _ in 0..200 {
        let middle = 0.5 * (a + b);
        if middle <= a || middle >= b {
            break;
        }
        match miss(middle) {
            Some(value) if value * at_a > 0.0 => a = middle,
            _ => b = middle,
        }
    }
    0.5 * (a + b)
}
