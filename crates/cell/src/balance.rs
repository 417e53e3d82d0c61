//! Open-circuit voltage of the cell and the state that belongs to it.

use crate::FARADAY;
use crate::error::CellError;
use crate::parameters::{Electrode, ParameterSet};

impl Electrode {
    /// Charge of lithium between stoichiometry 0 and 1 per area of one electrode pair, C/m2: F eps L c_max.
    pub fn charge_per_area(&self) -> f64 {
        FARADAY * self.active_fraction * self.thickness_m * self.max_concentration
    }

    fn rest_potential(&self, x: f64, excess_kelvin: f64) -> Result<f64, CellError> {
        let c = x * self.max_concentration;
        let entropic = self.open_circuit.entropic_slope.value(x, 0.0, c)?;
        Ok(self.open_circuit.at_reference.value(x, 0.0, c)? + excess_kelvin * entropic)
    }
}

impl ParameterSet {
    /// Open-circuit voltage at stoichiometries `negative` and `positive` and the initial temperature, V.
    ///
    /// # Errors
    /// [`CellError::Parameter`] where a potential has no value.
    pub fn open_circuit_voltage(&self, negative: f64, positive: f64) -> Result<f64, CellError> {
        let excess = self.initial_temperature_k - self.reference_temperature_k;
        Ok(self.positive.rest_potential(positive, excess)?
            - self.negative.rest_potential(negative, excess)?)
    }

    /// The same cell, started at rest at open-circuit voltage `volts`: lithium is moved between the
    /// electrodes, its total stays. Where the voltage is reached at several states (a non-monotonic
    /// potential), the one nearest to the present state is taken.
    ///
    /// # Errors
    /// [`CellError::Parameter`] if no state with both stoichiometries inside (0, 1), and inside the tables,
    /// has this voltage.
    pub fn started_at_voltage(&self, volts: f64) -> Result<Self, CellError> {
        const SAMPLES: usize = 4000;
        let (negative, positive) = (self.negative.charge_per_area(), self.positive.charge_per_area());
        let (x, y) = (self.negative.initial_stoichiometry(), self.positive.initial_stoichiometry());
        // Charge drawn from the present state, C/m2; both stoichiometries stay inside (0, 1).
        let low = -((1.0 - x) * negative).min(y * positive);
        let high = (x * negative).min((1.0 - y) * positive);
        let miss = |charge: f64| -> Option<f64> {
            self.open_circuit_voltage(x - charge / negative, y + charge / positive).ok().map(|v| v - volts)
        };
        let mut best: Option<f64> = None;
        let mut before: Option<(f64, f64)> = None;
        for i in 1..SAMPLES {
            let charge = low + (high - low) * i as f64 / SAMPLES as f64;
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
        let charge = best.ok_or_else(|| CellError::Parameter {
            name: "initial open-circuit voltage [V]".to_owned(),
            value: volts,
            requirement: "is not reached by any state of this cell with the lithium it holds".to_owned(),
        })?;
        let mut started = self.clone();
        started.negative.initial_concentration = (x - charge / negative) * self.negative.max_concentration;
        started.positive.initial_concentration = (y + charge / positive) * self.positive.max_concentration;
        Ok(started)
    }
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
