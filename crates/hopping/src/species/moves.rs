//! Which atom goes where in an event, and where the moves of a species lead.

use super::model::check_count;
use crate::HoppingError;
use scalade_crystal::{LatticeSite, Matrix3, cross, dot, norm, row_times};
use scalade_handoff::SpeciesChange;
use std::collections::BTreeSet;

/// Paths whose sums of squares differ by less than this (square angstrom) are equally long.
const TIE: f64 = 1e-9;

/// The move of an atom (or of a vacancy) in an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtomMove {
    /// Number of the species among [`super::SpeciesModel::species`].
    pub species: usize,
    /// Which change it leaves.
    pub from: usize,
    /// Which change it goes to.
    pub to: usize,
    /// Displacement in the infinite crystal, Cartesian, angstrom.
    pub vector_angstrom: [f64; 3],
}

/// Pairs the sites that a species leaves with those that it takes so that the sum of squared displacements is least, the first of equals in the order of
/// sites. By dynamic programming over subsets of the arrivals.
///
/// Errors: a species whose number changes.
pub(super) fn moves_of(
    kind: &str,
    names: &[String],
    global: &[Vec<usize>],
    changes: &[SpeciesChange],
    position: impl Fn(LatticeSite) -> [f64; 3],
) -> Result<Vec<AtomMove>, HoppingError> {
    let mut out = Vec::new();
    for species in 0..names.len() {
        let having = |of: fn(&SpeciesChange) -> usize| -> Vec<usize> {
            let is = |c: &SpeciesChange| global[c.site.basis][of(c)] == species;
            (0..changes.len()).filter(|k| is(&changes[*k])).collect()
        };
        let (leaving, taking) = (having(|c| c.before), having(|c| c.after));
        check_count(kind, &names[species], leaving.len(), taking.len())?;
        let vector = |from: usize, to: usize| {
            let (a, b) = (position(changes[from].site), position(changes[to].site));
            std::array::from_fn::<f64, 3, _>(|k| b[k] - a[k])
        };
        let square = |from: usize, to: usize| {
            let v = vector(from, to);
            dot(v, v)
        };
        for (from, to) in least_squares_pairs(&leaving, &taking, square) {
            out.push(AtomMove { species, from, to, vector_angstrom: vector(from, to) });
        }
    }
    Ok(out)
}

/// The assignment of least total cost; lists of equal length, at most 16.
fn least_squares_pairs(
    from: &[usize],
    to: &[usize],
    cost: impl Fn(usize, usize) -> f64,
) -> Vec<(usize, usize)> {
    let n = from.len();
    // best[mask]: least cost of the last popcount(mask) departures on the arrivals of the mask, and the arrival of the first of them.
    let mut best = vec![(f64::INFINITY, 0usize); 1 << n];
    best[0].0 = 0.0;
    for mask in 1..1usize << n {
        let departure = n - mask.count_ones() as usize;
        for arrival in (0..n).filter(|a| mask >> a & 1 == 1) {
            let total = best[mask & !(1 << arrival)].0 + cost(from[departure], to[arrival]);
            if total < best[mask].0 - TIE {
                best[mask] = (total, arrival);
            }
        }
    }
    let mut mask = (1usize << n) - 1;
    let mut pairs = Vec::with_capacity(n);
    for departure in from {
        let arrival = best[mask].1;
        pairs.push((*departure, to[arrival]));
        mask &= !(1 << arrival);
    }
    pairs
}

/// A move as a step between sublattices: (from, to, cell of the end less that of the start).
pub(super) type Step = (usize, usize, [i32; 3]);

/// Where the moves of a species can take it.
#[derive(Clone, Debug, PartialEq)]
pub struct Mobility {
    /// The species.
    pub species: String,
    /// Whether any event moves it.
    pub moves: bool,
    /// Dimensions of the space along which its moves add up to displacements without a bound: 0 to 3.
    pub dimensions: usize,
    /// Cartesian axes along which it stays within bounds: its diffusivity along them is 0.
    pub frozen_cartesian: [bool; 3],
    /// The same for the fractional coordinates of the lattice vectors.
    pub frozen_lattice: [bool; 3],
    /// Projector (Cartesian) on the directions along which it can move without a bound.
    pub projector: Matrix3,
    /// Number of the connected part of its network for each sublattice; `None` where it may not stand.
    pub parts: Vec<Option<usize>>,
}

impl Mobility {
    /// Why its diffusivity is 0 altogether, if it is.
    pub fn why_zero(&self) -> Option<String> {
        let name = &self.species;
        if !self.moves {
            return Some(format!("no event moves {name}: its diffusivity is 0"));
        }
        (self.dimensions == 0)
            .then(|| format!("the moves of {name} never lead from one cell to another: its diffusivity is 0"))
    }

    /// Which axes are closed to it, if some are.
    pub fn why_frozen(&self) -> Option<String> {
        if !self.moves || self.dimensions == 3 {
            return None;
        }
        let listed = |frozen: [bool; 3], names: [&str; 3]| {
            let list: Vec<&str> = (0..3).filter(|k| frozen[*k]).map(|k| names[k]).collect();
            if list.is_empty() { "none".to_string() } else { list.join(", ") }
        };
        Some(format!(
            "the moves of {} reach {} of 3 dimensions: its diffusivity is 0 along the Cartesian axes {} (lattice vectors {})",
            self.species,
            self.dimensions,
            listed(self.frozen_cartesian, ["x", "y", "z"]),
            listed(self.frozen_lattice, ["a", "b", "c"])
        ))
    }
}

/// Connected parts and closed loops of the network of a species.
pub(super) fn mobility(
    species: &str,
    allowed: &[bool],
    steps: &BTreeSet<Step>,
    lattice_angstrom: &Matrix3,
) -> Mobility {
    let mut parts: Vec<Option<usize>> = vec![None; allowed.len()];
    let mut cell = vec![[0i64; 3]; allowed.len()];
    let mut loops: Vec<[i64; 3]> = Vec::new();
    let mut count = 0;
    for root in (0..allowed.len()).filter(|b| allowed[*b]) {
        if parts[root].is_some() {
            continue;
        }
        parts[root] = Some(count);
        let mut queue = vec![root];
        while let Some(here) = queue.pop() {
            for (from, to, shift) in steps {
                let directed = [(*from, *to, 1), (*to, *from, -1)];
                for (start, end, sign) in directed.into_iter().filter(|d| d.0 == here) {
                    let there: [i64; 3] =
                        std::array::from_fn(|k| cell[start][k] + sign * i64::from(shift[k]));
                    if parts[end].is_none() {
                        parts[end] = Some(count);
                        cell[end] = there;
                        queue.push(end);
                    } else {
                        let closed: [i64; 3] = std::array::from_fn(|k| there[k] - cell[end][k]);
                        if closed != [0; 3] && !loops.contains(&closed) {
                            loops.push(closed);
                        }
                    }
                }
            }
        }
        count += 1;
    }
    let axes = independent(&loops, lattice_angstrom);
    let projector = projector(&axes);
    Mobility {
        species: species.to_string(),
        moves: !steps.is_empty(),
        dimensions: axes.len(),
        frozen_cartesian: std::array::from_fn(|k| projector[k][k] < 1e-9),
        frozen_lattice: std::array::from_fn(|k| loops.iter().all(|l| l[k] == 0)),
        projector,
        parts,
    }
}

/// Cartesian vectors that span the loops.
fn independent(loops: &[[i64; 3]], lattice: &Matrix3) -> Vec<[f64; 3]> {
    let cartesian = |l: &[i64; 3]| row_times(l.map(|n| n as f64), lattice);
    let mut found: Vec<[f64; 3]> = Vec::new();
    for vector in loops.iter().map(cartesian) {
        let size = norm(vector);
        let new = match found.as_slice() {
            [] => true,
            [a] => norm(cross(*a, vector)) > 1e-9 * norm(*a) * size,
            [a, b] => {
                let normal = cross(*a, *b);
                dot(normal, vector).abs() > 1e-9 * norm(normal) * size
            }
            _ => false,
        };
        if new {
            found.push(vector);
        }
    }
    found
}

fn projector(axes: &[[f64; 3]]) -> Matrix3 {
    let mut out = [[0.0; 3]; 3];
    if axes.len() == 3 {
        return [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    }
    let mut unit: Vec<[f64; 3]> = Vec::new();
    for axis in axes {
        let mut v = *axis;
        for u in &unit {
            let along = dot(v, *u);
            v = std::array::from_fn(|k| v[k] - along * u[k]);
        }
        let size = norm(v);
        unit.push(v.map(|c| c / size));
    }
    for u in unit {
        for i in 0..3 {
            for j in 0..3 {
                out[i][j] += u[i] * u[j];
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_pairing_is_found_and_ties_go_by_order() {
        let place = [0.0, 1.0, 2.0, 3.0, 10.0, 11.5];
        let cost = |a: usize, b: usize| (place[a] - place[b]) * (place[a] - place[b]);
        assert_eq!(least_squares_pairs(&[0, 4], &[5, 1], cost), [(0, 1), (4, 5)]);
        assert_eq!(least_squares_pairs(&[0, 2, 4], &[1, 3, 5], cost), [(0, 1), (2, 3), (4, 5)]);
        let equal = |_: usize, _: usize| 1.0;
        assert_eq!(least_squares_pairs(&[0, 2], &[1, 3], equal), [(0, 1), (2, 3)]);
        assert!(least_squares_pairs(&[], &[], cost).is_empty());
    }

    #[test]
    fn dimensions_are_those_of_the_loops() {
        let lattice = [[2.0, 0.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 3.0]];
        let of = |steps: &[Step]| mobility("X", &[true, true], &steps.iter().copied().collect(), &lattice);
        let layer = of(&[(0, 1, [0; 3]), (0, 1, [1, 0, 0]), (0, 1, [0, 1, 0])]);
        assert_eq!((layer.dimensions, layer.frozen_cartesian), (2, [false, false, true]));
        assert_eq!(layer.parts, [Some(0), Some(0)]);
        let row = of(&[(0, 0, [0, 1, 0])]);
        assert_eq!((row.dimensions, row.frozen_lattice), (1, [true, false, true]));
        // Along (1, 2, 0): x and y both move.
        assert_eq!(row.frozen_cartesian, [false, false, true]);
        assert!((row.projector[0][1] - 0.4).abs() < 1e-15);
        assert_eq!(row.parts, [Some(0), Some(1)]);
        let caged = of(&[(0, 1, [0; 3])]);
        assert!(caged.why_zero().is_some() && caged.dimensions == 0);
        assert!(row.why_frozen().unwrap().contains("a, c"));
    }
}
