//! Linear algebra of the Doyle-Fuller-Newman model: the chain of (c_e, phi_e, phi_s) blocks through the
//! thickness, from which particles and interfacial currents have been eliminated, as a banded matrix. The
//! cell current is a bordered unknown.

pub(super) mod harmonic;

use super::residual::MAX_NODES;
use super::{CellModel, trouble};
use crate::FARADAY;
use crate::mesh::LineMesh;
use crate::solver::banded::Banded;
use crate::solver::bdf::Trouble;

/// The chain and its factors.
#[derive(Debug, Clone, Default)]
pub(super) struct PorousChain {
    matrix: Banded,
    rhs: Vec<f64>,
    /// Several right-hand sides, by row.
    several: Vec<f64>,
    /// Response of the chain to unit cell current.
    border: Vec<f64>,
}

impl PorousChain {
    pub(super) fn new(line: &LineMesh) -> Self {
        let n = 3 * line.len();
        Self {
            matrix: Banded::new(n, 3 * line.order + 2),
            rhs: vec![0.0; n],
            several: Vec::new(),
            border: vec![0.0; n],
        }
    }

    pub(super) fn right_hand_side(&mut self) -> &mut [f64] {
        &mut self.rhs
    }

    /// Potential difference of the collectors in the response to unit cell current, and the product of the response
    /// with the right-hand side.
    pub(super) fn border_sums(&self, half_cell: bool) -> (f64, f64) {
        let product = self.border.iter().zip(&self.rhs).map(|(a, b)| a * b).sum();
        (Self::difference(&self.border, half_cell), product)
    }

    /// Overwrites the right-hand side by the solution with the transposed matrix.
    pub(super) fn solve_transposed(&mut self) {
        self.matrix.solve_transposed(&mut self.rhs);
    }

    /// Potential difference of the collectors in a chain vector; the negative collector of a half cell has
    /// none.
    fn difference(values: &[f64], half_cell: bool) -> f64 {
        values[values.len() - 1] - if half_cell { 0.0 } else { values[2] }
    }
}

impl CellModel {
    /// Assembles and factors the chain.
    pub(super) fn factor_chain(&mut self) -> Result<(), Trouble> {
        let mut chain = std::mem::take(&mut self.chain);
        self.assemble_chain(&mut chain.matrix);
        let outcome = chain.matrix.factor().map_err(|row| {
            let unknown = self.chain_unknown(row);
            trouble(unknown, 0.0, "the Newton matrix is singular")
        });
        if outcome.is_ok() {
            self.fill_border(&mut chain.border);
            chain.matrix.solve(&mut chain.border);
        }
        self.chain = chain;
        outcome
    }

    /// Derivative of the chain's rows with respect to the cell current.
    fn fill_border(&self, border: &mut [f64]) {
        border.fill(0.0);
        let last = border.len() - 1;
        border[last] = 1.0;
        // A potential that depends on the cell current moves charge between solid and electrolyte.
        for electrode in &self.electrodes {
            for family in electrode.families.iter().filter(|f| f.hysteresis.is_some()) {
                for k in 0..electrode.count {
                    let node = 3 * (electrode.first + k);
                    let charge = family.surface[k] * family.gains[k].kinetics * family.row_current(k);
                    if !self.potentials_only {
                        border[node] += charge;
                    }
                    border[node + 1] += charge;
                    border[node + 2] -= charge;
                }
            }
        }
        // The row of the reference potential.
        border[if self.sheet.is_some() { 1 } else { 2 }] = 0.0;
        if let Some(sheet) = &self.sheet {
            border[0] = if self.potentials_only { 0.0 } else { -1.0 };
            border[1] = -sheet.kept[0];
        }
    }

    fn assemble_chain(&self, matrix: &mut Banded) {
        matrix.clear();
        let e = &self.electrolyte;
        let salt_unit = e.initial;
        for (i, pore) in e.pore.iter().enumerate() {
            matrix.add(3 * i, 3 * i, self.leading * FARADAY * pore * salt_unit);
        }
        self.add_transport(matrix);
        for electrode in &self.electrodes {
            for family in &electrode.families {
                for k in 0..electrode.count {
                    let node = 3 * (electrode.first + k);
                    let weight = family.surface[k] * family.gains[k].potential;
                    let by_salt = family.surface[k] * family.gains[k].salt;
                    for (slot, sign) in [(0, -1.0), (1, -1.0), (2, 1.0)] {
                        matrix.add(
                            node + slot,
                            node,
                            -sign * by_salt * salt_unit * e.kept.dilution[electrode.first + k],
                        );
                        matrix.add(node + slot, node + 1, sign * weight);
                        matrix.add(node + slot, node + 2, -sign * weight);
                    }
                }
            }
        }
        self.fix_rows(matrix);
    }

    /// Rows that are not balances: the reference potential, solid potentials where there is no solid, and
    /// concentrations while only the potentials are unknown.
    fn fix_rows(&self, matrix: &mut Banded) {
        let n = self.line.len();
        let solid = |i: usize| self.electrodes.iter().any(|e| (e.first..e.first + e.count).contains(&i));
        for i in (0..n).filter(|i| !solid(*i)) {
            matrix.set_row_to_unit(3 * i + 2);
        }
        if let Some(sheet) = &self.sheet {
            matrix.set_row_to_unit(1);
            matrix.add(1, 1, -2.0);
            matrix.add(1, 0, -sheet.kept[1] * self.electrolyte.initial);
        } else {
            matrix.set_row_to_unit(2);
        }
        if self.potentials_only {
            for i in 0..n {
                matrix.set_row_to_unit(3 * i);
            }
        }
    }

    fn add_transport(&self, matrix: &mut Banded) {
        for index in 0..self.line.elements.len() {
            self.add_element_transport(index, |row, column, value| matrix.add(row, column, value));
        }
    }

    /// Diffusion, migration and conduction in the element `index`: calls `add` with row, column and value.
    fn add_element_transport(&self, index: usize, mut add: impl FnMut(usize, usize, f64)) {
        let line = &self.line;
        let size = line.order + 1;
        let e = &self.electrolyte;
        let kept = &e.kept;
        let thermal_voltage = self.kept_temperature * crate::GAS_CONSTANT / FARADAY;
        let element = &line.elements[index];
        let solid = self.solid_conductivity(element.layer);
        // Coefficients at the nodes: of diffusion, conduction, conduction by concentration, both of these carried by
        // the salt's ions, and of the solid.
        let mut coefficients = [[0.0; 6]; MAX_NODES];
        for (q, own) in coefficients.iter_mut().enumerate().take(size) {
            let node = element.start + q;
            let weight = line.weights[q] * element.scale;
            let efficient = weight * e.efficiency(element.layer, node);
            let conductive = efficient * kept.kappa[node];
            let relative = conductive * (kept.chi[node] / kept.salt[node]);
            let t = kept.t[node];
            *own = [
                efficient * kept.d[node],
                conductive,
                relative,
                conductive * t,
                relative * t,
                weight * solid,
            ];
        }
        for i in 0..size {
            let mut sums = [[0.0; 6]; MAX_NODES];
            for (own, row) in coefficients.iter().zip(line.derivative.chunks_exact(size)) {
                let scaled = own.map(|c| c * row[i]);
                for (sum, entry) in sums.iter_mut().zip(row) {
                    for (s, c) in sum.iter_mut().zip(scaled) {
                        *s += c * entry;
                    }
                }
            }
            for (j, sum) in sums.iter().enumerate().take(size) {
                let [mut diffusion, conduction, concentration, carried, carried_concentration, electronic] =
                    *sum;
                let node = element.start + j;
                let test =
                    line.weights[j] * line.derivative[j * size + i] * e.efficiency(element.layer, node);
                let salt_unit = e.initial * kept.dilution[node];
                let salt_gradient = kept.salt_gradient[index * size + j];
                let c = kept.salt[node];
                let voltage = thermal_voltage * kept.chi[node];
                let drive = kept.ionic_gradient[index * size + j] - voltage * salt_gradient / c;
                // Derivative of the electrolyte current's density at this node with respect to c there.
                let local = test
                    * (kept.kappa_slope[node] * drive
                        + kept.kappa[node] * salt_gradient / c
                            * (voltage / c - thermal_voltage * kept.chi_slope[node]));
                let by_salt = local - thermal_voltage * concentration;
                let carried_by_salt = kept.t[node] * local - thermal_voltage * carried_concentration
                    + test * kept.t_slope[node] * kept.kappa[node] * drive;
                diffusion += test * kept.d_slope[node] * salt_gradient;
                let (row, column) = (3 * (element.start + i), 3 * node);
                add(row, column, (FARADAY * diffusion + carried_by_salt) * salt_unit);
                add(row, column + 1, carried);
                add(row + 1, column, by_salt * salt_unit);
                add(row + 1, column + 1, conduction);
                if element.layer != 1 {
                    add(row + 2, column + 2, electronic);
                }
            }
        }
    }

    /// Effective conductivity of the solid in a layer, S/m; 0 in the separator.
    pub(super) fn solid_conductivity(&self, layer: usize) -> f64 {
        let electrode = match layer {
            0 => self.electrodes.first(),
            2 => self.electrodes.last(),
            _ => None,
        };
        electrode.map_or(0.0, |e| e.solid_conductivity)
    }

    fn chain_unknown(&self, row: usize) -> usize {
        let node = row / 3;
        match row % 3 {
            0 => self.layout.salt + node,
            1 => self.layout.ionic + node,
            _ => self.layout.solid + node.min(self.layout.flux - self.layout.solid - 1),
        }
    }

    /// Solves the chain, the cell current and the terminal voltage for right-hand side `b`, in which the
    /// particles' blocks already hold their solution; leaves the solution in `b`.
    pub(super) fn solve_chain(&mut self, b: &mut [f64]) {
        let mut chain = std::mem::take(&mut self.chain);
        self.gather(b, &mut chain.rhs);
        chain.matrix.solve(&mut chain.rhs);
        self.finish_chain(&mut chain, b);
        self.chain = chain;
    }

    /// The same for several right-hand sides at once.
    pub(super) fn solve_chains(&mut self, vectors: &mut [Vec<f64>]) {
        let mut chain = std::mem::take(&mut self.chain);
        let (n, count) = (chain.rhs.len(), vectors.len());
        let mut several = std::mem::take(&mut chain.several);
        several.resize(n * count, 0.0);
        for (side, b) in vectors.iter_mut().enumerate() {
            self.gather(b, &mut chain.rhs);
            for (value, place) in chain.rhs.iter().zip(several[side..].iter_mut().step_by(count)) {
                *place = *value;
            }
        }
        chain.matrix.solve_several(&mut several, count);
        for (side, b) in vectors.iter_mut().enumerate() {
            for (value, place) in chain.rhs.iter_mut().zip(several[side..].iter().step_by(count)) {
                *value = *place;
            }
            self.finish_chain(&mut chain, b);
        }
        chain.several = several;
        self.chain = chain;
    }

    /// Cell current, voltage and all else from the chain's solution without them.
    fn finish_chain(&self, chain: &mut PorousChain, b: &mut [f64]) {
        let half_cell = self.sheet.is_some();
        let own = PorousChain::difference(&chain.rhs, half_cell);
        let response = PorousChain::difference(&chain.border, half_cell) + self.contact_resistance;
        let (current, voltage) = self.bordered(b, own, -response);
        for (value, response) in chain.rhs.iter_mut().zip(&chain.border) {
            *value -= current * response;
        }
        let sums = self.sums(b);
        self.scatter(b, &chain.rhs, current);
        self.project(b, sums, current);
        (b[self.layout.current], b[self.layout.voltage]) = (current, voltage);
    }

    /// Right-hand side of the chain after the elimination of the particles.
    fn gather(&self, b: &mut [f64], rhs: &mut [f64]) {
        let l = self.layout;
        for i in 0..self.line.len() {
            rhs[3 * i] = b[l.salt + i];
            rhs[3 * i + 1] = b[l.ionic + i];
            rhs[3 * i + 2] = 0.0;
        }
        for electrode in &self.electrodes {
            for k in 0..electrode.count {
                rhs[3 * (electrode.first + k) + 2] = b[l.solid + electrode.offset + k];
            }
            for family in &electrode.families {
                for k in 0..electrode.count {
                    let node = 3 * (electrode.first + k);
                    let charge = family.surface[k] * family.solve_local(b, k, !self.potentials_only);
                    rhs[node] += charge;
                    rhs[node + 1] += charge;
                    rhs[node + 2] -= charge;
                }
            }
        }
        if self.sheet.is_some() {
            rhs[1] = b[l.ionic];
        } else {
            rhs[2] = b[l.solid];
        }
        if self.potentials_only {
            for i in 0..self.line.len() {
                rhs[3 * i] = 0.0;
            }
        }
    }

    /// Sums of a right-hand side over the balances of charge in the positive solid, of charge in the electrolyte,
    /// and of salt.
    fn sums(&self, b: &[f64]) -> [f64; 3] {
        let l = self.layout;
        let solid = self
            .electrodes
            .last()
            .map_or(0.0, |e| b[l.solid + e.offset..l.solid + e.offset + e.count].iter().sum::<f64>());
        [solid, b[l.ionic..l.solid].iter().sum(), b[l.salt..l.ionic].iter().sum()]
    }

    /// Balances add up to totals from which conduction and diffusion drop out exactly. In the elimination they do
    /// so but for rounding, which a solid that conducts well makes large; what is missing is put back: into the
    /// interfacial currents of each electrode, and into the salt.
    fn project(&self, b: &mut [f64], [solid, ionic, salt]: [f64; 3], current: f64) {
        let l = self.layout;
        let total = |b: &[f64], electrode: &super::ElectrodeModel| -> f64 {
            let of = |f: &super::Family| -> f64 {
                f.surface.iter().enumerate().map(|(k, s)| s * f.total_current(b, k)).sum()
            };
            electrode.families.iter().map(of).sum()
        };
        let mut sum = 0.0;
        for (index, electrode) in self.electrodes.iter().enumerate().rev() {
            let positive = index + 1 == self.electrodes.len();
            let wanted = if positive { solid - current } else { -ionic - sum };
            let found = total(b, electrode);
            let share = (wanted - found) / electrode.total_surface();
            for family in &electrode.families {
                for j in &mut b[family.flux..family.flux + family.count()] {
                    *j += share;
                }
            }
            sum += wanted;
        }
        if self.potentials_only {
            return;
        }
        let from_sheet = if self.sheet.is_some() { current } else { 0.0 };
        let stored = salt + sum + from_sheet;
        let found: f64 = self.electrolyte.pore.iter().zip(&b[l.salt..]).map(|(pore, c)| pore * c).sum();
        let pores: f64 = self.electrolyte.pore.iter().sum();
        let share = (stored / (self.leading * FARADAY) - found) / pores;
        for c in &mut b[l.salt..l.ionic] {
            *c += share;
        }
    }

    fn scatter(&self, b: &mut [f64], chain: &[f64], current: f64) {
        let l = self.layout;
        let salt_unit = self.electrolyte.initial;
        for i in 0..self.line.len() {
            b[l.salt + i] = salt_unit * chain[3 * i];
            b[l.ionic + i] = chain[3 * i + 1];
        }
        for electrode in &self.electrodes {
            for k in 0..electrode.count {
                let node = electrode.first + k;
                let (ionic, solid) = (chain[3 * node + 1], chain[3 * node + 2]);
                b[l.solid + electrode.offset + k] = solid;
                let salt = b[l.salt + node] * self.electrolyte.kept.dilution[node];
                for family in &electrode.families {
                    let kinetic = -family.row_current(k) * current;
                    family.substitute_local(b, k, solid - ionic, salt, kinetic);
                }
            }
        }
    }
}
