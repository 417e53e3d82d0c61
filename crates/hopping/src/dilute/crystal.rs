//! The walk of a vacancy in a perfect crystal.

use crate::HoppingError;
use crate::error::positive;
use crate::gas::GasModel;
use scalade_crystal::{LatticeSite, Matrix3, inverse, norm, row_times};
use std::collections::BTreeMap;

/// Most sublattices.
const MOST_SUBLATTICES: usize = 64;
/// Most hops of all sublattices together.
const MOST_HOPS: usize = 4096;
/// Most cells that a hop goes along an axis.
const MOST_CELLS: i32 = 16;
/// Largest |ln| of a ratio of rates, and of weights of sublattices.
const LARGEST_LOG: f64 = 30.0;
/// Mismatch of ln(forward/backward) that counts as rounding.
const BALANCE_TOLERANCE: f64 = 1e-9;

/// A hop of the vacancy from a site of a sublattice: an atom goes the other way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VacancyHop {
    /// Sublattice of the vacancy.
    pub from: usize,
    /// Where it goes, relative to the cell of its site.
    pub to: LatticeSite,
    /// Rate.
    pub rate: f64,
}

/// A hop with its way back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct VacancyBond {
    pub from: usize,
    pub to: LatticeSite,
    /// Weight of the first end times the rate of leaving it.
    pub conductance: f64,
    /// Cartesian.
    pub vector: [f64; 3],
}

/// A crystal in which vacancies hop. Weights p of the sublattices have the mean 1, so that a site fraction c_v of vacancies means c_v p on each.
#[derive(Clone, Debug, PartialEq)]
pub struct VacancyCrystal {
    lattice: Matrix3,
    inverse: Matrix3,
    basis: Vec<[f64; 3]>,
    dimensions: usize,
    weights: Vec<f64>,
    bonds: Vec<VacancyBond>,
    /// Of every sublattice: bonds that begin (true) or end (false) there.
    incident: Vec<Vec<(usize, bool)>>,
    /// Shifts of the sublattices that take the drift of the vacancy away, Cartesian.
    shifts: Vec<[f64; 3]>,
}

impl VacancyCrystal {
    /// A crystal of any lattice: rows are vectors, sites are fractional; it extends along the first `dimensions` of the vectors. Hops with their ways back, rates in
    /// any unit of inverse time.
    ///
    /// Errors: numbers that are not finite, a hop without its way back or twice, rates that no weights of the sublattices bring to detailed balance, and hops that do not
    /// join all sites.
    pub fn new(
        lattice: Matrix3,
        basis: Vec<[f64; 3]>,
        dimensions: usize,
        hops: &[VacancyHop],
    ) -> Result<Self, HoppingError> {
        let parameter = |what, value, want| Err(HoppingError::Parameter { what, value, want });
        if !(1..=3).contains(&dimensions) {
            return parameter("dimensions", dimensions as f64, "1, 2 or 3 are possible");
        }
        if basis.is_empty() || basis.len() > MOST_SUBLATTICES {
            return parameter("sublattices", basis.len() as f64, "1 to 64 are possible");
        }
        if hops.is_empty() || hops.len() > MOST_HOPS {
            return parameter("hops", hops.len() as f64, "1 to 4096 are possible");
        }
        if let Some(value) = lattice.iter().chain(&basis).flatten().copied().find(|x| !x.is_finite()) {
            return parameter("a lattice vector or a position", value, "finite numbers are due");
        }
        let Some(inverse) = inverse(&lattice) else {
            return parameter("lattice determinant", 0.0, "three independent vectors are due");
        };
        let pairs = pairs(&basis, dimensions, hops)?;
        let weights = weights(basis.len(), &pairs)?;
        spans(basis.len(), dimensions, &pairs)?;
        let position = |site: LatticeSite| {
            row_times(std::array::from_fn(|a| f64::from(site.cell[a]) + basis[site.basis][a]), &lattice)
        };
        let bonds: Vec<VacancyBond> = pairs
            .iter()
            .map(|(forth, _)| {
                let start = position(LatticeSite { cell: [0; 3], basis: forth.from });
                let end = position(forth.to);
                VacancyBond {
                    from: forth.from,
                    to: forth.to,
                    conductance: weights[forth.from] * forth.rate,
                    vector: std::array::from_fn(|a| end[a] - start[a]),
                }
            })
            .collect();
        if let Some(bond) = bonds.iter().find(|b| norm(b.vector) < 1e-9 * norm(lattice[0])) {
            return parameter("length of a hop", norm(bond.vector), "sites at different places are due");
        }
        let mut incident = vec![Vec::new(); basis.len()];
        for (k, bond) in bonds.iter().enumerate() {
            incident[bond.from].push((k, true));
            incident[bond.to.basis].push((k, false));
        }
        let shifts = shifts(basis.len(), &bonds)?;
        Ok(Self { lattice, inverse, basis, dimensions, weights, bonds, incident, shifts })
    }

    /// The crystal of a lattice gas full but for one vacancy. What a vacancy on sublattice j lacks is the energy of the bonds of an ion there,
    /// e_j = sum_k J_k z_k(j); an ion that hops from i to the vacancy on j changes the energy by e_j - e_i. Rates are bare where all
    /// sites have the same numbers of neighbours, whatever the pair energies. The box of the model plays no part.
    pub fn of_gas(model: &GasModel) -> Result<Self, HoppingError> {
        let sublattices = model.basis().len();
        let bound: Vec<f64> = (0..sublattices)
            .map(|b| {
                let listed =
                    model.neighbours()[b].iter().zip(model.energies()).map(|(n, j)| n.len() as f64 * j);
                listed.sum::<f64>() + 2.0 * model.own_difference(0, b)
            })
            .collect();
        let mut hops = Vec::new();
        for (from, list) in model.hops().iter().enumerate() {
            for hop in list {
                let change = bound[from] - bound[hop.to.basis];
                hops.push(VacancyHop { from, to: hop.to, rate: model.rate() * (-0.5 * change).exp() });
            }
        }
        Self::new(*model.lattice(), model.basis().to_vec(), model.dimensions(), &hops)
    }

    /// Number of dimensions.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Number of sublattices.
    pub fn sublattices(&self) -> usize {
        self.basis.len()
    }

    /// Vacancies on every sublattice over their mean.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    pub(super) fn lattice(&self) -> &Matrix3 {
        &self.lattice
    }

    pub(super) fn basis(&self) -> &[[f64; 3]] {
        &self.basis
    }

    pub(super) fn bonds(&self) -> &[VacancyBond] {
        &self.bonds
    }

    /// Hops from a site: its other end, the conductance, and the vector to it.
    pub(super) fn hops_of(
        &self,
        site: LatticeSite,
    ) -> impl Iterator<Item = (LatticeSite, f64, [f64; 3])> + '_ {
        self.incident[site.basis].iter().map(move |(k, begins)| {
            let bond = &self.bonds[*k];
            let (sign, basis) = if *begins { (1, bond.to.basis) } else { (-1, bond.from) };
            let cell = std::array::from_fn(|a| site.cell[a] + sign * bond.to.cell[a]);
            (LatticeSite { cell, basis }, bond.conductance, bond.vector.map(|v| f64::from(sign) * v))
        })
    }

    /// The vector of a hop of the vacancy between the shifted sites.
    pub(super) fn shifted(&self, from: usize, to: usize, vector: [f64; 3]) -> [f64; 3] {
        std::array::from_fn(|a| vector[a] + self.shifts[to][a] - self.shifts[from][a])
    }

    /// Diffusivity of a vacancy and its uncorrelated part, (1/n) sum c d d^T over the bonds of a cell, with and without the shifts.
    pub(super) fn vacancy_diffusivity(&self) -> (Matrix3, Matrix3) {
        let mut out = [[[0.0; 3]; 3]; 2];
        for bond in &self.bonds {
            let vectors = [self.shifted(bond.from, bond.to.basis, bond.vector), bond.vector];
            for (tensor, d) in out.iter_mut().zip(vectors) {
                for i in 0..3 {
                    for j in 0..3 {
                        tensor[i][j] += bond.conductance * d[i] * d[j] / self.basis.len() as f64;
                    }
                }
            }
        }
        (out[0], out[1])
    }

    /// The quadratic form of the vacancy's diffusivity in fractional coordinates of the reciprocal lattice, up to a factor.
    pub(super) fn quadratic_form(&self) -> Matrix3 {
        let (diffusivity, _) = self.vacancy_diffusivity();
        let half: Matrix3 = std::array::from_fn(|i| row_times(diffusivity[i], &self.inverse));
        let mut out = [[0.0; 3]; 3];
        for (a, row) in out.iter_mut().enumerate() {
            for (b, value) in row.iter_mut().enumerate() {
                *value = (0..3).map(|i| self.inverse[i][a] * half[i][b]).sum();
            }
        }
        out
    }
}

fn reversed(from: usize, to: LatticeSite) -> (usize, LatticeSite) {
    (to.basis, LatticeSite { cell: to.cell.map(|c| -c), basis: from })
}

/// Every hop once, with its way back.
type Pairs = Vec<(VacancyHop, VacancyHop)>;

fn pairs(basis: &[[f64; 3]], dimensions: usize, hops: &[VacancyHop]) -> Result<Pairs, HoppingError> {
    let parameter = |what, value, want| Err(HoppingError::Parameter { what, value, want });
    let mut found: BTreeMap<(usize, LatticeSite), VacancyHop> = BTreeMap::new();
    for (k, hop) in hops.iter().enumerate() {
        positive("rate of a vacancy hop", hop.rate)?;
        if hop.from >= basis.len() || hop.to.basis >= basis.len() {
            return parameter("sublattice of a hop", hop.from.max(hop.to.basis) as f64, "there are fewer");
        }
        if let Some(cell) = hop.to.cell.iter().find(|c| c.unsigned_abs() > MOST_CELLS as u32) {
            return parameter("cells that a hop goes", f64::from(*cell), "at most 16 are possible");
        }
        if hop.to.cell[dimensions..].iter().any(|c| *c != 0) {
            let want = "none may leave the dimensions of the crystal";
            return parameter("index of a hop across them", k as f64, want);
        }
        if (hop.to.basis, hop.to.cell) == (hop.from, [0; 3]) {
            return parameter("index of a hop to its own site", k as f64, "hops lead to other sites");
        }
        if found.insert((hop.from, hop.to), *hop).is_some() {
            return parameter(
                "index of a hop given before",
                k as f64,
                "give each hop once, with its whole rate",
            );
        }
    }
    let mut out = Vec::new();
    for (key, hop) in &found {
        let back = reversed(key.0, key.1);
        let Some(back_hop) = found.get(&back) else {
            return Err(HoppingError::DetailedBalance {
                bond: hops.iter().position(|h| h == hop).unwrap_or(0),
                got: f64::INFINITY,
                expected: 0.0,
            });
        };
        if *key < back {
            out.push((*hop, *back_hop));
        }
    }
    Ok(out)
}

/// Weights with p_i w_ij = p_j w_ji and the mean 1, found along a tree of hops and checked on all.
fn weights(sublattices: usize, pairs: &Pairs) -> Result<Vec<f64>, HoppingError> {
    let mut logs: Vec<Option<f64>> = vec![None; sublattices];
    logs[0] = Some(0.0);
    // One more round than a path can be long.
    for _ in 0..sublattices {
        for (forth, back) in pairs {
            let ratio = (forth.rate / back.rate).ln();
            match (logs[forth.from], logs[forth.to.basis]) {
                (Some(known), None) => logs[forth.to.basis] = Some(known + ratio),
                (None, Some(known)) => logs[forth.from] = Some(known - ratio),
                _ => {}
            }
        }
    }
    let reached = logs.iter().flatten().count();
    let logs: Vec<f64> = logs.into_iter().flatten().collect();
    if reached < sublattices {
        let want = "fewer than there are; sublattices that no hop joins are crystals of their own: give them one by one";
        return Err(HoppingError::Parameter {
            what: "sublattices that hops join with the first",
            value: reached as f64,
            want,
        });
    }
    for (k, (forth, back)) in pairs.iter().enumerate() {
        let got = (forth.rate / back.rate).ln();
        let expected = logs[forth.to.basis] - logs[forth.from];
        if (got - expected).abs() > BALANCE_TOLERANCE {
            return Err(HoppingError::DetailedBalance { bond: k, got, expected });
        }
    }
    let highest = logs.iter().copied().fold(f64::MIN, f64::max);
    let lowest = logs.iter().copied().fold(f64::MAX, f64::min);
    if highest - lowest > LARGEST_LOG {
        let want = "at most 30 is possible; leave sublattices without vacancies out";
        return Err(HoppingError::Parameter {
            what: "logarithm of a ratio of vacancies on two sublattices",
            value: highest - lowest,
            want,
        });
    }
    let sum: f64 = logs.iter().map(|l| (l - highest).exp()).sum();
    Ok(logs.iter().map(|l| (l - highest).exp() * sublattices as f64 / sum).collect())
}

/// Whether closed ways of hops reach every cell: their translations must span the lattice with index 1.
fn spans(sublattices: usize, dimensions: usize, pairs: &Pairs) -> Result<(), HoppingError> {
    let mut cells: Vec<Option<[i64; 3]>> = vec![None; sublattices];
    cells[0] = Some([0; 3]);
    for _ in 0..sublattices {
        for (hop, _) in pairs {
            let step = hop.to.cell.map(i64::from);
            match (cells[hop.from], cells[hop.to.basis]) {
                (Some(c), None) => {
                    cells[hop.to.basis] = Some(std::array::from_fn(|a| c[a] + step[a]));
                }
                (None, Some(c)) => cells[hop.from] = Some(std::array::from_fn(|a| c[a] - step[a])),
                _ => {}
            }
        }
    }
    let cells: Vec<[i64; 3]> = cells.into_iter().map(Option::unwrap_or_default).collect();
    let mut rows: Vec<[i64; 3]> = pairs
        .iter()
        .map(|(hop, _)| {
            let (start, end) = (cells[hop.from], cells[hop.to.basis]);
            std::array::from_fn(|a| start[a] + i64::from(hop.to.cell[a]) - end[a])
        })
        .collect();
    // Euclid's algorithm on the columns: the product of the pivots is the index.
    let mut index = 1_i64;
    for axis in 0..dimensions {
        loop {
            rows.retain(|r| r.iter().any(|c| *c != 0));
            let smallest = rows.iter().enumerate().filter(|r| r.1[axis] != 0).min_by_key(|r| r.1[axis].abs());
            let Some((pivot, row)) = smallest.map(|(k, r)| (k, *r)) else {
                return Err(HoppingError::Parameter {
                    what: "dimensions that hops cross",
                    value: axis as f64,
                    want: "fewer than those of the crystal: give it as a crystal of fewer dimensions",
                });
            };
            let mut changed = false;
            for (k, other) in rows.iter_mut().enumerate() {
                if k != pivot && other[axis] != 0 {
                    let times = other[axis] / row[axis];
                    for a in 0..3 {
                        other[a] -= times * row[a];
                    }
                    changed = true;
                }
            }
            if !changed {
                index *= row[axis].abs();
                rows.remove(pivot);
                break;
            }
        }
    }
    if index != 1 {
        return Err(HoppingError::Parameter {
            what: "crystals that no hop joins",
            value: index as f64,
            want: "one is due; take the cell of the sites that hops reach",
        });
    }
    Ok(())
}

/// chi with sum over the hops of a site of c (d + chi(end) - chi(start)) = 0 on every sublattice and chi = 0 on the first.
fn shifts(sublattices: usize, bonds: &[VacancyBond]) -> Result<Vec<[f64; 3]>, HoppingError> {
    let mut out = vec![[0.0; 3]; sublattices];
    if sublattices == 1 {
        return Ok(out);
    }
    let n = sublattices - 1;
    let mut matrix = scalade_numerics::Matrix::zeros(n, n);
    let mut drift = vec![[0.0; 3]; sublattices];
    for bond in bonds {
        let (i, j, c) = (bond.from, bond.to.basis, bond.conductance);
        for a in 0..3 {
            drift[i][a] += c * bond.vector[a];
            drift[j][a] -= c * bond.vector[a];
        }
        if i == j {
            continue;
        }
        for (x, y) in [(i, j), (j, i)] {
            if x > 0 {
                matrix.row_mut(x - 1)[x - 1] += c;
                if y > 0 {
                    matrix.row_mut(x - 1)[y - 1] -= c;
                }
            }
        }
    }
    let factor = scalade_numerics::Cholesky::new(&matrix)?;
    for a in 0..3 {
        let side: Vec<f64> = drift[1..].iter().map(|d| d[a]).collect();
        for (shift, value) in out[1..].iter_mut().zip(factor.solve(&side)) {
            shift[a] = value;
        }
    }
    Ok(out)
}
