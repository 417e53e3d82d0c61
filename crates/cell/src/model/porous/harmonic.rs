//! Harmonic response of the Doyle-Fuller-Newman model: the chain of (c_e, phi_e, phi_s) blocks with complex gains.
//!
//! Potentials of the solid are reckoned from those of the collectors, phi_e from that at the negative face of the
//! separator: what is left of them is as small as the ohmic drops, so that rounding does not show in the currents of a
//! solid that conducts well. The two potential differences of collectors and electrolyte that are taken out (in a half
//! cell the first of them is the current of the sheet's reaction) follow from the two balances of charge. Inner nodes of the elements are eliminated element by element.

use super::super::CellModel;
use super::super::harmonic::{DoubleLayers, FamilyResponse, HarmonicResponse, Losses};
use crate::solver::banded::Banded;
use crate::{FARADAY, GAS_CONSTANT};
use num_complex::Complex64;

/// Right-hand sides: one for each unknown that is taken out.
const SIDES: usize = 2;

/// Transport within one element: inner nodes first, then its two ends.
#[derive(Debug, Clone)]
struct Block {
    start: usize,
    /// Unknowns of a node: without phi_s in the separator.
    slots: usize,
    matrix: Vec<f64>,
}

/// What does not depend on the frequency.
#[derive(Debug, Clone)]
pub(in crate::model) struct HarmonicChain {
    blocks: Vec<Block>,
}

/// Reaction at a node at one frequency: minus the change, with the potential difference, of the currents of the
/// particles and of all; minus that with the salt's unknown; and the salt's storage.
#[derive(Debug, Clone, Copy, Default)]
struct NodeGains {
    faradaic: Complex64,
    total: Complex64,
    by_salt: Complex64,
    storage: Complex64,
    /// 0 in the negative electrode, 1 in the positive one.
    side: usize,
}

impl NodeGains {
    /// Adds to rows and columns of (c_e, phi_e, phi_s) at the node.
    fn add(&self, slots: usize, mut add: impl FnMut(usize, usize, Complex64)) {
        add(0, 0, self.storage);
        if slots == 3 {
            for (row, (sign, gain)) in self.rows().into_iter().enumerate() {
                add(row, 0, -sign * self.by_salt);
                add(row, 1, sign * gain);
                add(row, 2, -sign * gain);
            }
        }
    }

    /// Sign and gain of each row.
    fn rows(&self) -> [(f64, Complex64); 3] {
        [(-1.0, self.faradaic), (-1.0, self.total), (1.0, self.total)]
    }

    /// Right-hand side of each row for the potential difference that is taken out.
    fn drive(&self, row: usize, side: usize) -> Complex64 {
        let (sign, gain) = self.rows()[row];
        if side == self.side { sign * gain } else { Complex64::ZERO }
    }
}

/// Solution by node: (c_e, phi_e, phi_s) as they are reckoned here.
type Nodes = Vec<[Complex64; 3]>;

/// Elimination of one element.
struct Eliminated {
    rows: Vec<Complex64>,
    width: usize,
    inner: usize,
}

impl Eliminated {
    /// Eliminates the first `inner` rows of `rows`, which have `width` entries each; gives the row without a pivot.
    fn new(mut rows: Vec<Complex64>, width: usize, inner: usize) -> Result<Self, usize> {
        for k in 0..inner {
            let (upper, lower) = rows.split_at_mut((k + 1) * width);
            let source = &mut upper[k * width + k..];
            let reciprocal = source[0].inv();
            if !(reciprocal.re.is_finite() && reciprocal.im.is_finite()) {
                return Err(k);
            }
            source[0] = reciprocal;
            for row in lower.chunks_exact_mut(width) {
                let factor = row[k] * reciprocal;
                if factor == Complex64::ZERO {
                    continue;
                }
                for (t, v) in row[k + 1..].iter_mut().zip(&source[1..]) {
                    *t -= factor * v;
                }
            }
        }
        Ok(Self { rows, width, inner })
    }

    /// Fills the inner part of `values`, of which the rest is known, for right-hand side `side`.
    fn substitute(&self, side: usize, values: &mut [Complex64]) {
        let ends = self.width - SIDES;
        for k in (0..self.inner).rev() {
            let row = &self.rows[k * self.width..(k + 1) * self.width];
            let known: Complex64 = row[k + 1..ends].iter().zip(&values[k + 1..]).map(|(a, x)| a * x).sum();
            values[k] = (row[ends + side] - known) * row[k];
        }
    }
}

/// Node of an element at place `i` of a block's order: inner nodes, first, last.
fn place(i: usize, order: usize) -> usize {
    match i + 1 {
        inner if inner < order => inner,
        first if first == order => 0,
        _ => order,
    }
}

impl HarmonicChain {
    /// Of `model` as last linearised.
    pub(in crate::model) fn new(model: &CellModel) -> Self {
        let line = &model.line;
        let size = line.order + 1;
        let mut blocks = Vec::with_capacity(line.elements.len());
        for (index, element) in line.elements.iter().enumerate() {
            let slots = if element.layer == 1 { 2 } else { 3 };
            let width = slots * size;
            let mut matrix = vec![0.0; width * width];
            model.add_element_transport(index, |row, column, value| {
                let at = |unknown: usize| {
                    let node = unknown / 3 - element.start;
                    let i = match node {
                        0 => size - 2,
                        inner if inner < size - 1 => inner - 1,
                        last => last,
                    };
                    slots * i + unknown % 3
                };
                matrix[at(row) * width + at(column)] += value;
            });
            blocks.push(Block { start: element.start, slots, matrix });
        }
        Self { blocks }
    }

    /// Response to unit current, or the row at which the matrix is singular.
    pub(in crate::model) fn response(
        &self,
        model: &CellModel,
        s: Complex64,
        double_layers: &DoubleLayers,
        families: &[Vec<FamilyResponse>],
    ) -> Result<HarmonicResponse, usize> {
        let gains = node_gains(model, s, double_layers, families);
        let columns = self.solve(model, &gains)?;
        let taken = balance(model, s, double_layers, &gains, &columns).ok_or(0_usize)?;
        let [first, second] = &columns;
        let nodes: Nodes = first
            .iter()
            .zip(second)
            .map(|(a, b)| [0, 1, 2].map(|slot| taken[0] * a[slot] + taken[1] * b[slot]))
            .collect();
        Ok(evaluate(model, s, (double_layers, families), taken, &nodes))
    }

    /// Solutions for a unit of each unknown that is taken out.
    fn solve(&self, model: &CellModel, gains: &[NodeGains]) -> Result<[Nodes; SIDES], usize> {
        let (order, half_cell) = (model.line.order, model.sheet.is_some());
        let ends = 3 * (self.blocks.len() + 1);
        let mut matrix = Banded::new(ends, 5);
        let mut rhs = [vec![Complex64::ZERO; ends], vec![Complex64::ZERO; ends]];
        let mut eliminated = Vec::with_capacity(self.blocks.len());
        for (index, block) in self.blocks.iter().enumerate() {
            let done = block.eliminate(order, gains).map_err(|row| 3 * block.start + row)?;
            for i in 0..2 * block.slots {
                let row = &done.rows[(done.inner + i) * done.width..][..done.width];
                let global = |i: usize| 3 * (index + i / block.slots) + i % block.slots;
                for j in 0..2 * block.slots {
                    matrix.add(global(i), global(j), row[done.inner + j]);
                }
                for (side, rhs) in rhs.iter_mut().enumerate() {
                    rhs[global(i)] += row[done.width - SIDES + side];
                }
            }
            eliminated.push(done);
        }
        for end in 0..=self.blocks.len() {
            let node = gains[end * order];
            let in_solid = |block: Option<&Block>| block.is_some_and(|b| b.slots == 3);
            let solid = in_solid(self.blocks.get(end)) || (end > 0 && in_solid(self.blocks.get(end - 1)));
            let slots = if solid { 3 } else { 2 };
            node.add(slots, |row, column, value| matrix.add(3 * end + row, 3 * end + column, value));
            for (side, rhs) in rhs.iter_mut().enumerate() {
                for row in 0..slots {
                    rhs[3 * end + row] += node.drive(row, side);
                }
            }
            if !solid {
                matrix.add(3 * end + 2, 3 * end + 2, Complex64::ONE);
            }
        }
        // The potentials that are reckoned from.
        let separator = self.blocks.iter().position(|block| block.slots == 2).unwrap_or(0);
        for row in [3 * separator + 1, 2, ends - 1] {
            matrix.set_row_to_unit(row);
            for rhs in &mut rhs {
                rhs[row] = Complex64::ZERO;
            }
        }
        if half_cell {
            rhs[0][0] += 1.0;
        }
        matrix.factor().map_err(|row| 3 * (row / 3) * order + row % 3)?;
        Ok([0, 1].map(|side| {
            let solution = &mut rhs[side].clone();
            matrix.solve(solution);
            self.nodes(order, side, &eliminated, solution)
        }))
    }

    /// All nodes from the solution at the ends of the elements.
    fn nodes(&self, order: usize, side: usize, eliminated: &[Eliminated], ends: &[Complex64]) -> Nodes {
        let mut nodes = vec![[Complex64::ZERO; 3]; self.blocks.len() * order + 1];
        let mut values = vec![Complex64::ZERO; 3 * (order + 1)];
        for (index, (block, done)) in self.blocks.iter().zip(eliminated).enumerate() {
            for i in 0..2 * block.slots {
                values[done.inner + i] = ends[3 * (index + i / block.slots) + i % block.slots];
            }
            done.substitute(side, &mut values[..done.inner + 2 * block.slots]);
            for i in 0..=order {
                let node = &mut nodes[block.start + place(i, order)];
                node[..block.slots].copy_from_slice(&values[block.slots * i..block.slots * (i + 1)]);
            }
        }
        nodes
    }
}

impl Block {
    fn eliminate(&self, order: usize, gains: &[NodeGains]) -> Result<Eliminated, usize> {
        let (size, slots) = (self.slots * (order + 1), self.slots);
        let (width, inner) = (size + SIDES, slots * (order - 1));
        let mut rows = vec![Complex64::ZERO; size * width];
        for (row, entries) in rows.chunks_exact_mut(width).zip(self.matrix.chunks_exact(size)) {
            for (target, entry) in row.iter_mut().zip(entries) {
                target.re = *entry;
            }
        }
        for i in 0..order - 1 {
            let node = &gains[self.start + place(i, order)];
            let first = slots * i;
            node.add(slots, |row, column, value| rows[(first + row) * width + first + column] += value);
            for row in 0..slots {
                for side in 0..SIDES {
                    rows[(first + row) * width + size + side] = node.drive(row, side);
                }
            }
        }
        Eliminated::new(rows, width, inner)
    }
}

fn node_gains(
    model: &CellModel,
    s: Complex64,
    double_layers: &DoubleLayers,
    families: &[Vec<FamilyResponse>],
) -> Vec<NodeGains> {
    let e = &model.electrolyte;
    let mut gains: Vec<NodeGains> = e
        .pore
        .iter()
        .map(|pore| NodeGains { storage: s * (FARADAY * pore * e.initial), ..NodeGains::default() })
        .collect();
    for ((electrode, responses), capacitance) in
        model.electrodes.iter().zip(families).zip(&double_layers.electrodes)
    {
        for k in 0..electrode.count {
            let node = &mut gains[electrode.first + k];
            node.side = usize::from(electrode.sign < 0.0);
            let unit = e.initial * e.kept.dilution[electrode.first + k];
            for (family, response) in electrode.families.iter().zip(responses) {
                let gain = family.surface[k] * response.eliminated[k];
                node.faradaic += gain;
                node.total += gain - family.surface[k] * capacitance * s;
                node.by_salt += gain * family.row_salt[k] * unit;
            }
        }
    }
    gains
}

/// The unknowns that were taken out, at unit current: potential differences of the negative collector (in a half cell:
/// current of the sheet's reaction) and of the positive collector against the electrolyte at the separator.
fn balance(
    model: &CellModel,
    s: Complex64,
    double_layers: &DoubleLayers,
    gains: &[NodeGains],
    columns: &[Nodes; SIDES],
) -> Option<[Complex64; SIDES]> {
    let mut matrix = [[Complex64::ZERO; SIDES]; SIDES];
    let mut known = [Complex64::ONE, -Complex64::ONE];
    for electrode in &model.electrodes {
        for (i, node) in gains.iter().enumerate().skip(electrode.first).take(electrode.count) {
            for (side, values) in columns.iter().enumerate() {
                let [salt, ionic, solid] = values[i];
                let taken =
                    if side == node.side && !(side == 0 && model.sheet.is_some()) { 1.0 } else { 0.0 };
                matrix[node.side][side] -= node.total * (solid - ionic + taken) + node.by_salt * salt;
            }
        }
    }
    if let Some(sheet) = &model.sheet {
        // The double layer takes s C eta of the current, eta = k0 (current of the reaction) + k1 c.
        let capacity = s * double_layers.sheet;
        for (side, values) in columns.iter().enumerate() {
            matrix[0][side] = capacity * sheet.kept[1] * model.electrolyte.initial * values[0][0];
        }
        matrix[0][0] += 1.0 + capacity * sheet.kept[0];
        known[0] = Complex64::ONE;
    }
    let determinant = matrix[0][0] * matrix[1][1] - matrix[0][1] * matrix[1][0];
    let solution = [
        (known[0] * matrix[1][1] - known[1] * matrix[0][1]) / determinant,
        (known[1] * matrix[0][0] - known[0] * matrix[1][0]) / determinant,
    ];
    solution.iter().all(|v| v.re.is_finite() && v.im.is_finite()).then_some(solution)
}

/// Parts of the impedance from the solution.
fn evaluate(
    model: &CellModel,
    s: Complex64,
    (double_layers, families): (&DoubleLayers, &[Vec<FamilyResponse>]),
    taken: [Complex64; SIDES],
    nodes: &Nodes,
) -> HarmonicResponse {
    let (line, e) = (&model.line, &model.electrolyte);
    let mut losses = Losses::default();
    // Sums of the interfacial currents times the potentials on their way to the collector and the separator: by
    // parts, those of the currents times the gradients, but for rounding.
    let mut ionic_loss = Complex64::ZERO;
    let mut differences = taken;
    if let Some(sheet) = &model.sheet {
        let by_salt = sheet.kept[1] * e.initial * nodes[0][0];
        let overpotential = sheet.kept[0] * taken[0] + by_salt;
        differences[0] = overpotential;
        losses.transfer += taken[0] * taken[0] * sheet.kept[0];
        losses.concentration += taken[0] * by_salt;
        losses.double_layer += s * double_layers.sheet * overpotential * overpotential;
    }
    for ((electrode, responses), capacitance) in
        model.electrodes.iter().zip(families).zip(&double_layers.electrodes)
    {
        let difference = differences[usize::from(electrode.sign < 0.0)];
        for k in 0..electrode.count {
            let [salt, ionic, solid] = nodes[electrode.first + k];
            let salt = salt * (e.initial * e.kept.dilution[electrode.first + k]);
            let psi = difference + (solid - ionic);
            for (family, response) in electrode.families.iter().zip(responses) {
                let kinetic = family.row_salt[k] * salt;
                let current = response.add_losses(family, k, [psi, kinetic, s * *capacitance], &mut losses);
                losses.solid -= current * solid;
                ionic_loss += current * ionic;
            }
        }
    }
    losses.ionic = ohmic_loss(model, nodes);
    losses.concentration += ionic_loss - losses.ionic;
    let mut separator =
        line.elements.iter().filter(|element| element.layer == 1).map(|element| element.start);
    let first = separator.next().unwrap_or(0);
    let second = separator.next_back().unwrap_or(first) + line.order;
    let [at_first, at_second] = [first, second].map(|node| nodes[node][1]);
    let layers = [differences[0] - at_first, at_first - at_second, at_second - differences[1]];
    HarmonicResponse { layers, losses, contact: 0.0 }
}

/// Sum over the electrolyte of current squared over conductivity.
fn ohmic_loss(model: &CellModel, nodes: &Nodes) -> Complex64 {
    let (line, kept) = (&model.line, &model.electrolyte.kept);
    let (size, thermal_voltage) = (line.order + 1, model.kept_temperature * GAS_CONSTANT / FARADAY);
    let mut loss = Complex64::ZERO;
    for (index, element) in line.elements.iter().enumerate() {
        let own = &nodes[element.start..element.start + size];
        let unit = |q: usize| model.electrolyte.initial * kept.dilution[element.start + q];
        for (q, row) in line.derivative.chunks_exact(size).enumerate() {
            let (mut by_salt, mut potential) = (Complex64::ZERO, Complex64::ZERO);
            for (j, (d, node)) in row.iter().zip(own).enumerate() {
                by_salt += node[0] * (d * element.scale * unit(j));
                potential += node[1] * (d * element.scale);
            }
            let node = element.start + q;
            let (c, kappa) = (kept.salt[node], kept.kappa[node]);
            let (salt_gradient, voltage) =
                (kept.salt_gradient[index * size + q], thermal_voltage * kept.chi[node]);
            let drive = kept.ionic_gradient[index * size + q] - voltage * salt_gradient / c;
            let local = kept.kappa_slope[node] * drive
                + kappa * salt_gradient / c * (voltage / c - thermal_voltage * kept.chi_slope[node]);
            let density = kappa * potential - kappa * voltage / c * by_salt + local * own[q][0] * unit(q);
            let efficiency = model.electrolyte.efficiency(element.layer, node);
            loss += density * density * (efficiency / kappa * line.weights[q] / element.scale);
        }
    }
    loss
}
