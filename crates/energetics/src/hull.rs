//! The lower convex hull of energies per host formula unit.

use crate::composition::{HostPoint, HostSpace};
use crate::error::EnergeticsError;
use serde::{Deserialize, Serialize};

/// An entry with its place relative to the hull.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HullPoint {
    /// Id of the entry.
    pub id: String,
    /// Working ions per host formula unit.
    pub x: f64,
    /// Energy per host formula unit, eV.
    pub energy_ev: f64,
    /// Its standard error, eV, if one is stated.
    pub standard_error_ev: Option<f64>,
    /// Formation energy per host formula unit against the lowest entries at the smallest and the largest x,
    /// eV.
    pub formation_energy_ev: f64,
    /// Energy above the hull per host formula unit, eV, not negative; zero on the hull.
    pub above_hull_ev: f64,
    /// Whether this entry is a vertex.
    pub vertex: bool,
}

/// The lower convex hull of E(x).
///
/// Three entries whose energies lie on one line to the rounding of `f64` count as collinear, and the middle
/// one is no vertex. Of entries
/// with the same composition the lowest can be a vertex; of equal ones that with the first id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConvexHull {
    /// All entries, sorted by composition, then energy, then id.
    pub points: Vec<HullPoint>,
    /// Positions of the vertices in `points`, in order of x.
    pub vertices: Vec<usize>,
}

impl ConvexHull {
    /// The hull of a set. Errors: [`EnergeticsError::OneComposition`] when all entries have the same
    /// composition.
    pub fn new(space: &HostSpace) -> Result<Self, EnergeticsError> {
        let all = &space.points;
        let (Some(first), Some(last)) = (all.first(), all.last()) else { return Err(EnergeticsError::Empty) };
        if first.x == last.x {
            return Err(EnergeticsError::OneComposition {
                entries: all.len(),
                x: first.x,
                ion: space.working_ion.clone(),
                host: space.host_formula.clone(),
            });
        }
        let vertices = lower_hull(all);
        let (low, high) = (&all[vertices[0]], &all[vertices[vertices.len() - 1]]);
        let mut segment = 0;
        let mut points = Vec::with_capacity(all.len());
        for (index, point) in all.iter().enumerate() {
            while segment + 2 < vertices.len() && point.x > all[vertices[segment + 1]].x {
                segment += 1;
            }
            let (left, right) = (&all[vertices[segment]], &all[vertices[segment + 1]]);
            let vertex = vertices.binary_search(&index).is_ok();
            // Entries that rounding alone puts below the line are on it.
            let above = (point.energy_ev - on_line(left, right, point.x)).max(0.0);
            points.push(HullPoint {
                id: point.id.clone(),
                x: point.x,
                energy_ev: point.energy_ev,
                standard_error_ev: point.standard_error_ev,
                formation_energy_ev: point.energy_ev - on_line(low, high, point.x),
                above_hull_ev: if vertex { 0.0 } else { above },
                vertex,
            });
        }
        Ok(Self { points, vertices })
    }

    /// The vertices, in order of x.
    pub fn vertex_points(&self) -> impl Iterator<Item = &HullPoint> {
        self.vertices.iter().filter_map(|index| self.points.get(*index))
    }

    /// The entry of this id. Errors: [`EnergeticsError::UnknownId`].
    pub fn point(&self, id: &str) -> Result<&HullPoint, EnergeticsError> {
        let unknown = || EnergeticsError::UnknownId { id: id.to_string(), entries: self.points.len() };
        self.points.iter().find(|point| point.id == id).ok_or_else(unknown)
    }
}

/// Energy at x on the line through two points; exact at both.
fn on_line(left: &HostPoint, right: &HostPoint, x: f64) -> f64 {
    if x == left.x {
        left.energy_ev
    } else if x == right.x {
        right.energy_ev
    } else {
        (left.energy_ev * (right.x - x) + right.energy_ev * (x - left.x)) / (right.x - left.x)
    }
}

/// Monotone chain (A. M. Andrew, Inf. Process. Lett. 9, 216 (1979)) over points sorted by x, then energy.
fn lower_hull(points: &[HostPoint]) -> Vec<usize> {
    let mut chain: Vec<usize> = Vec::new();
    for (index, point) in points.iter().enumerate() {
        // Only the lowest entry of a composition, the first in order, can be a vertex.
        if index > 0 && points[index - 1].x == point.x {
            continue;
        }
        while let [.., a, b] = chain.as_slice() {
            if below_chord(&points[*a], &points[*b], point) {
                break;
            }
            chain.pop();
        }
        chain.push(index);
    }
    chain
}

/// Whether the middle of three points in order of x lies below the line through the others by more than
/// rounding.
///
/// With n reduced host formulas, k ions and total energy E of each cell, the sign is that of the determinant
/// of the rows (n, k, E): its
/// 2x2 minors of atom counts are exact integers, so neither the division by n nor the rounding of x enters.
fn below_chord(a: &HostPoint, b: &HostPoint, c: &HostPoint) -> bool {
    let minor = |p: &HostPoint, q: &HostPoint| {
        (i128::from(p.reduced_formulas) * i128::from(q.ions)
            - i128::from(p.ions) * i128::from(q.reduced_formulas)) as f64
    };
    let terms =
        [a.total_energy_ev * minor(b, c), -b.total_energy_ev * minor(a, c), c.total_energy_ev * minor(a, b)];
    let determinant = terms[0] + terms[1] + terms[2];
    let magnitude = terms[0].abs() + terms[1].abs() + terms[2].abs();
    // Half an epsilon each for the stored energies and the products, one for the two sums; doubled.
    determinant > 4.0 * f64::EPSILON * magnitude
}
