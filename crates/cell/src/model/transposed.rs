//! The transposed Newton system: the steps of the structured solve ([`super::linear`]) transposed and taken in
//! reverse order.

use super::{CellModel, ControlRow};

impl CellModel {
    /// Whether [`Self::solve_transposed`] serves this model: without side reactions and hysteresis.
    pub(crate) fn can_transpose(&self) -> bool {
        self.families().all(|family| family.side.is_none() && family.hysteresis.is_none())
    }

    /// Overwrites `g` by the solution x of J^T x = g with the factored Newton matrix J, and of the exact one where
    /// temperature is an unknown: its row, which the factors leave out, is a matrix of rank one.
    pub(crate) fn solve_transposed(&mut self, y: &[f64], g: &mut [f64]) {
        self.transposed_with_factors(g);
        if self.thermal.is_none() {
            return;
        }
        let mut row = vec![0.0; g.len()];
        self.temperature_row(y, &mut row);
        self.transposed_with_factors(&mut row);
        let at = self.layout.temperature;
        let share = g[at] / (1.0 + row[at]);
        for (g, r) in g.iter_mut().zip(&row) {
            *g -= share * r;
        }
    }

    /// Derivatives of the temperature row that the factors leave out: minus those of [`Self::total_heat`].
    fn temperature_row(&self, y: &[f64], row: &mut [f64]) {
        let l = self.layout;
        let kelvin = y[l.temperature];
        (row[l.current], row[l.voltage]) = (y[l.voltage], y[l.current]);
        for family in self.families() {
            let start = family.surface_start();
            for k in 0..family.count() {
                let j = y[family.flux + k];
                row[family.flux + k] =
                    family.surface[k] * (family.voltage[k] - kelvin * family.entropic_value[k]);
                row[start + k] = family.surface[k]
                    * j
                    * (family.voltage_slope[k] - kelvin * family.entropic_derivative[k]);
            }
        }
    }

    fn transposed_with_factors(&mut self, g: &mut [f64]) {
        let l = self.layout;
        let temperature = g[l.temperature];
        for family in self.electrodes.iter().flat_map(|e| &e.families) {
            let count = family.count();
            for (row, response) in family.response.chunks_exact(count).enumerate() {
                for k in 0..count {
                    let change = response[k] * g[family.base + row * count + k];
                    g[family.flux + k] -= change;
                }
            }
        }
        if self.averaged.is_some() {
            self.transposed_averaged(g);
        } else {
            self.transposed_chain(g);
        }
        for family in self.electrodes.iter().flat_map(|e| &e.families) {
            family.particles.solve_transposed(&mut g[family.range()]);
        }
        let (diagonal, column) = match self.thermal {
            Some(thermal) => {
                let column = self.temperature_column[..l.integrals].iter().zip(g.iter()).enumerate();
                let others = column.filter(|(i, _)| *i != l.temperature);
                let sum: f64 = others.map(|(_, (c, g))| c * g).sum();
                (self.leading * thermal.capacity + thermal.cooling, sum)
            }
            None => (self.leading, 0.0),
        };
        g[l.temperature] = (temperature - column) / diagonal;
    }

    /// The transposed of [`Self::bordered`]: what goes to the rows of current and voltage, and to the voltage row's
    /// own value, from what comes from current and voltage.
    fn transposed_border(&self, (current, voltage): (f64, f64), slope: f64) -> (f64, f64) {
        let (by_voltage, by_current) = match self.control {
            ControlRow::Current(_) => (0.0, 1.0),
            ControlRow::Voltage(_) => (1.0, 0.0),
            ControlRow::Power(_) => (self.kept_current, self.kept_voltage),
            ControlRow::Resistance(value) => (1.0, -value),
        };
        let to_current = (current + slope * voltage) / (by_current + by_voltage * slope);
        (to_current, voltage - by_voltage * to_current)
    }

    /// Takes the eliminated currents of node `k` of a family out, whose charge gets `charge`.
    fn transposed_local(family: &super::Family, k: usize, charge: f64, g: &mut [f64]) {
        let known = family.eliminated[k] * (g[family.flux + k] + charge);
        g[family.flux + k] = known;
        g[family.surface_start() + k] -= family.row_surface[k] * known;
    }

    fn transposed_chain(&mut self, g: &mut [f64]) {
        let l = self.layout;
        let n = self.line.len();
        let unit = self.electrolyte.initial;
        let half_cell = self.sheet.is_some();
        let mut chain = std::mem::take(&mut self.chain);
        let x = chain.right_hand_side();
        x.fill(0.0);
        for i in 0..n {
            (x[3 * i], x[3 * i + 1]) = (unit * g[l.salt + i], g[l.ionic + i]);
        }
        for electrode in &self.electrodes {
            for k in 0..electrode.count {
                let node = 3 * (electrode.first + k);
                x[node + 2] = g[l.solid + electrode.offset + k];
                for family in &electrode.families {
                    let (gains, own) = (&family.gains[k], g[family.flux + k]);
                    x[node] -= gains.salt * unit * self.electrolyte.kept.dilution[electrode.first + k] * own;
                    x[node + 1] += gains.potential * own;
                    x[node + 2] -= gains.potential * own;
                }
            }
        }
        let (response, by_border) = chain.border_sums(half_cell);
        let current = g[l.current] - by_border;
        let slope = -(response + self.contact_resistance);
        let (to_current, to_voltage) = self.transposed_border((current, g[l.voltage]), slope);
        let x = chain.right_hand_side();
        x[3 * n - 1] += to_voltage;
        if !half_cell {
            x[2] -= to_voltage;
        }
        chain.solve_transposed();
        let x = chain.right_hand_side();
        (g[l.current], g[l.voltage]) = (to_current, to_voltage);
        for i in 0..n {
            (g[l.salt + i], g[l.ionic + i]) = (x[3 * i], x[3 * i + 1]);
        }
        for electrode in &self.electrodes {
            for k in 0..electrode.count {
                let node = 3 * (electrode.first + k);
                g[l.solid + electrode.offset + k] = x[node + 2];
                // The row of the reference potential holds no charge.
                let solid = if node == 0 && !half_cell { 0.0 } else { x[node + 2] };
                for family in &electrode.families {
                    let charge = family.surface[k] * (x[node] + x[node + 1] - solid);
                    Self::transposed_local(family, k, charge, g);
                }
            }
        }
        self.chain = chain;
    }

    fn transposed_averaged(&mut self, g: &mut [f64]) {
        let l = self.layout;
        let Some(averaged) = self.averaged.take() else { return };
        let resolved = !averaged.response.is_empty();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let mut slope =
            -dot(&averaged.gradient, &averaged.response) - self.contact_resistance - averaged.kept_resistance;
        if let Some(sheet) = &self.sheet {
            slope -= sheet.kept[0];
        }
        let mut current = g[l.current];
        // What the potential differences get, and their shares: difference = (fixed + by_current I)/gain.
        let (mut own, mut shares) = ([0.0; 2], [[0.0; 2]; 2]);
        for (index, electrode) in self.electrodes.iter().enumerate() {
            let nodes = electrode.electrolyte_nodes();
            own[index] = g[l.solid + index];
            let (mut gain, mut by_current) = (0.0, -electrode.sign);
            for family in &electrode.families {
                let gains = family.gains[0];
                let bar = g[family.flux];
                own[index] -= gains.potential * bar;
                if resolved {
                    let scaled = -gains.kinetics * bar;
                    for (i, w) in nodes.clone().zip(&family.row_salt) {
                        g[l.salt + i] += scaled * w;
                    }
                    let response = dot(&family.row_salt, &averaged.response[nodes.clone()]);
                    by_current += family.surface[0] * gains.kinetics * response;
                }
                gain += family.surface[0] * gains.potential;
            }
            shares[index] = [1.0 / gain, by_current / gain];
            slope -= electrode.sign * by_current / gain;
            current += own[index] * by_current / gain;
        }
        current -= dot(&g[l.salt..l.ionic], &averaged.response);
        let (to_current, to_voltage) = self.transposed_border((current, g[l.voltage]), slope);
        (g[l.current], g[l.voltage]) = (to_current, to_voltage);
        for (index, electrode) in self.electrodes.iter().enumerate() {
            let nodes = electrode.electrolyte_nodes();
            let fixed = (own[index] - electrode.sign * to_voltage) * shares[index][0];
            g[l.solid + index] = -fixed;
            for family in &electrode.families {
                let charge = family.surface[0] * fixed;
                if resolved {
                    let scaled = -charge * family.gains[0].kinetics;
                    for (i, w) in nodes.clone().zip(&family.row_salt) {
                        g[l.salt + i] += scaled * w;
                    }
                }
                Self::transposed_local(family, 0, charge, g);
            }
        }
        for (value, gradient) in g[l.salt..l.ionic].iter_mut().zip(&averaged.gradient) {
            *value += to_voltage * gradient;
        }
        if !self.line.nodes.is_empty() {
            averaged.matrix.solve_transposed(&mut g[l.salt..l.ionic]);
        }
        self.averaged = Some(averaged);
    }
}
