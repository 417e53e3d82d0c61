//! Starting values: uniform concentrations, and potentials consistent with the control.

use super::hysteresis::STEEPNESS;
use super::{CellModel, ControlRow, ElectrodeModel, integral};
use crate::FARADAY;
use crate::error::CellError;
use crate::parameters::ParameterSet;
use crate::solver::bdf::Trouble;

const MAX_ITERATIONS: usize = 60;
/// A Newton correction below this (volts, or relative in current) ends the iteration: convergence is
/// quadratic, so what is left is at rounding level.
const CORRECTION_LIMIT: f64 = 1e-9;

impl CellModel {
    /// Unknowns of the rested cell.
    pub(crate) fn rested_state(&self, p: &ParameterSet) -> Vec<f64> {
        let l = self.layout;
        let mut y = vec![0.0; l.dimension];
        for family in self.families() {
            y[family.range()].fill(family.initial_concentration);
            if let Some(side) = &family.side {
                side.initialise(&mut y);
            }
            if let Some(hysteresis) = &family.hysteresis {
                hysteresis.initialise(&mut y);
            }
        }
        y[l.salt..l.ionic].fill(p.electrolyte.initial_concentration);
        y[l.temperature] = p.initial_temperature_k;
        y
    }

    /// First guess of the potentials: open-circuit values and a uniform interfacial current.
    pub(crate) fn guess_potentials(&mut self, y: &mut [f64], time_s: f64) -> Result<(), CellError> {
        self.evaluate_materials(y, false).map_err(|t| {
            let (variable, node) = self.describe(t.unknown);
            CellError::InitialPotentials { variable, node, time_s, residual: t.value, iterations: 0 }
        })?;
        let l = self.layout;
        let rest = |electrode: &ElectrodeModel| electrode.families[0].voltage[0];
        let positive = self.electrodes.last().map_or(0.0, rest);
        let negative = if self.sheet.is_some() { 0.0 } else { rest(&self.electrodes[0]) };
        y[l.ionic..l.solid].fill(-negative);
        let averaged = self.averaged.is_some();
        for electrode in &self.electrodes {
            let potential = match (electrode.sign > 0.0, averaged) {
                (true, false) => 0.0,
                (false, false) => positive - negative,
                (true, true) => negative,
                (false, true) => positive,
            };
            let start = l.solid + electrode.offset;
            y[start..start + electrode.count].fill(potential);
        }
        let voltage = positive - negative;
        let current = match self.control {
            ControlRow::Current(value) => value,
            ControlRow::Voltage(_) => 0.0,
            ControlRow::Power(value) => value / voltage,
            ControlRow::Resistance(value) => voltage / value,
        };
        (y[l.current], y[l.voltage]) = (current, voltage);
        for electrode in &self.electrodes {
            let j = electrode.sign * current / electrode.total_surface();
            for family in &electrode.families {
                y[family.flux..family.flux + electrode.count].fill(j);
            }
        }
        Ok(())
    }

    /// Solves the potentials, interfacial currents and the cell current for fixed concentrations and
    /// temperature, by Newton's method. A step is halved until the next correction, computed with the same
    /// matrix, is smaller than the present one (natural monotonicity test, Deuflhard 2004, section 3.3):
    /// unlike a test of residuals it does not depend on how the rows are scaled.
    pub(crate) fn solve_potentials(&mut self, y: &mut [f64], time_s: f64) -> Result<(), CellError> {
        self.potentials_only = true;
        let sigmoid = self.has_sigmoid();
        let start = if sigmoid { y.to_vec() } else { Vec::new() };
        let mut outcome = self.damped_newton(y);
        if outcome.is_err() && sigmoid {
            y.copy_from_slice(&start);
            outcome = self.approach_sigmoid(y);
        }
        self.potentials_only = false;
        outcome.map_err(|(unknown, residual, iterations)| {
            let (variable, node) = self.describe(unknown);
            CellError::InitialPotentials { variable, node, time_s, residual, iterations }
        })
    }

    /// Whether a potential depends on the cell current.
    fn has_sigmoid(&self) -> bool {
        self.families().any(|f| f.hysteresis.as_ref().is_some_and(|h| h.range().is_empty()))
    }

    /// The same where a potential depends steeply on the cell current: with a gentle sigmoid first, whose steepness
    /// grows to the full one.
    fn approach_sigmoid(&mut self, y: &mut [f64]) -> Result<(), (usize, f64, usize)> {
        const STAGES: i32 = 8;
        let mut outcome = Ok(());
        for stage in (0..=STAGES).rev() {
            let steepness = STEEPNESS * 1e-4_f64.powf(f64::from(stage) / f64::from(STAGES));
            for family in self.electrodes.iter_mut().flat_map(|e| &mut e.families) {
                if let Some(hysteresis) = &mut family.hysteresis {
                    hysteresis.steepness = steepness;
                }
            }
            outcome = outcome.and_then(|()| self.damped_newton(y));
        }
        outcome
    }

    /// The iteration of [`Self::solve_potentials`]; a failure gives the unknown with the largest
    /// correction, its size and the iterations done.
    fn damped_newton(&mut self, y: &mut [f64]) -> Result<(), (usize, f64, usize)> {
        let l = self.layout;
        let sigmoid = self.has_sigmoid();
        let zero = vec![0.0; l.dimension];
        let mut step = vec![0.0; l.dimension];
        let mut next = vec![0.0; l.dimension];
        let mut trial = y.to_vec();
        let mut worst = (l.ionic, f64::INFINITY);
        for iteration in 0..MAX_ITERATIONS {
            let failure = |t: Trouble| (t.unknown, t.value, iteration);
            self.keep_derivatives(y).map_err(failure)?;
            self.factor_all(1.0).map_err(failure)?;
            self.residual_from_materials(y, &zero, &mut step);
            self.solve_all(&mut step);
            worst = self.largest_correction(y, &step);
            let mut fraction = 1.0;
            loop {
                for i in l.ionic..l.temperature {
                    trial[i] = y[i] - fraction * step[i];
                }
                if worst.1 < CORRECTION_LIMIT {
                    y.copy_from_slice(&trial);
                    return Ok(());
                }
                if sigmoid {
                    self.evaluate_materials(&trial, false).map_err(failure)?;
                }
                self.residual_from_materials(&trial, &zero, &mut next);
                self.solve_all(&mut next);
                let (_, size) = self.largest_correction(&trial, &next);
                if size <= (1.0 - 0.25 * fraction) * worst.1 || size < CORRECTION_LIMIT {
                    break;
                }
                fraction *= 0.5;
                if fraction < 1e-6 {
                    return Err((worst.0, worst.1, iteration));
                }
            }
            y.copy_from_slice(&trial);
        }
        Err((worst.0, worst.1, MAX_ITERATIONS))
    }

    /// Largest correction of a potential (V), or of the cell current relative to it (to 1 A/m2 if that is
    /// less).
    fn largest_correction(&self, y: &[f64], b: &[f64]) -> (usize, f64) {
        let l = self.layout;
        let current = b[l.current].abs() / y[l.current].abs().max(1.0);
        let mut largest = (l.current, current);
        for i in l.ionic..l.flux {
            let size = b[i].abs();
            if size > largest.1 || size.is_nan() {
                largest = (i, size);
            }
        }
        if largest.1.is_nan() { (largest.0, f64::INFINITY) } else { largest }
    }

    /// Rates of change of a consistent state: of concentrations, temperature and the integrals; 0 for the
    /// potentials.
    pub(crate) fn starting_slope(&mut self, y: &[f64], time_s: f64) -> Result<Vec<f64>, CellError> {
        let l = self.layout;
        let mut slope = vec![0.0; l.dimension];
        let mut rest = vec![0.0; l.dimension];
        self.full_residual(y, &slope, &mut rest).map_err(|t| {
            let (variable, node) = self.describe(t.unknown);
            CellError::InitialPotentials { variable, node, time_s, residual: t.value, iterations: 0 }
        })?;
        for family in self.families() {
            for (i, mass) in family.particles.mesh.mass.iter().enumerate() {
                for k in 0..family.count() {
                    let at = family.base + i * family.count() + k;
                    slope[at] = -rest[at] / mass;
                }
            }
        }
        for side in self.families().filter_map(|family| family.side.as_ref()) {
            for (range, _) in side.states() {
                for i in range {
                    slope[i] = -rest[i];
                }
            }
        }
        for i in self.families().filter_map(|f| f.hysteresis.as_ref()).flat_map(|h| h.range()) {
            slope[i] = -rest[i];
        }
        for i in 0..self.line.len() {
            slope[l.salt + i] = -rest[l.salt + i] / (FARADAY * self.electrolyte.pore[i]);
        }
        if let Some(thermal) = self.thermal {
            slope[l.temperature] = -rest[l.temperature] / thermal.capacity;
        }
        let mut rates = [0.0; integral::COUNT];
        self.integral_rates(y, &mut rates);
        slope[l.integrals..].copy_from_slice(&rates);
        Ok(slope)
    }
}
