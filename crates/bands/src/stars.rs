//! Stars of lattice vectors: R and all its images under the rotations of k.

use crate::error::{BandsError, refuse, within};
use crate::symmetry::{PointGroup, Rotation, lattice_inverse};
use scalade_crystal::{Matrix3, determinant, norm, row_times};

const MOST_VECTORS: usize = 1 << 26;

/// One star.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Star {
    /// The member that stands for it.
    pub cell: [i32; 3],
    /// Length of its members, angstrom.
    pub length: f64,
}

/// M^T R: k . M-image pairing, (M k) . R = k . (M^T R).
pub(crate) fn image(rotation: &Rotation, cell: [i32; 3]) -> [i32; 3] {
    std::array::from_fn(|j| (0..3).map(|i| rotation[i][j] * cell[i]).sum())
}

/// The members of a star, each once, in ascending order.
#[cfg(test)]
pub(crate) fn members(group: &PointGroup, cell: [i32; 3]) -> Vec<[i32; 3]> {
    let mut out: Vec<[i32; 3]> = group.rotations().iter().map(|m| image(m, cell)).collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// The `count` shortest stars (a few more when a length is shared), the origin first; each stands for its largest member in ascending order.
pub(crate) fn shortest_stars(
    lattice: &Matrix3,
    group: &PointGroup,
    count: usize,
) -> Result<Vec<Star>, BandsError> {
    let back = lattice_inverse(lattice)?;
    let volume = determinant(lattice).abs();
    let mut vectors = (count * group.rotations().len()).max(30) as f64;
    loop {
        // A ball that holds about so many lattice vectors, with a margin for the surface.
        let radius = (3.0 * vectors * volume / (4.0 * std::f64::consts::PI)).cbrt() + norm(lattice[0]);
        let reach: [i64; 3] =
            std::array::from_fn(|i| (radius * norm([back[0][i], back[1][i], back[2][i]])).floor() as i64 + 1);
        let box_size = reach.iter().map(|r| (2 * r + 1) as f64).product::<f64>();
        if !within(box_size, MOST_VECTORS as f64) || reach.iter().any(|r| *r > 10_000) {
            return refuse(
                "the number of lattice vectors of the interpolation",
                box_size,
                "ask for fewer stars or k points",
            );
        }
        let mut out = Vec::new();
        for a in -reach[0]..=reach[0] {
            for b in -reach[1]..=reach[1] {
                for c in -reach[2]..=reach[2] {
                    let cell = [a as i32, b as i32, c as i32];
                    let length = norm(row_times(cell.map(f64::from), lattice));
                    if length > radius || group.rotations().iter().any(|m| image(m, cell) > cell) {
                        continue;
                    }
                    out.push(Star { cell, length });
                }
            }
        }
        if out.len() >= count {
            // Equal lengths within rounding go by their cells, so that the choice does not hang on the last bit.
            let key = |s: &Star| (s.length * s.length * 1e6).round() as i64;
            out.sort_by(|x, y| key(x).cmp(&key(y)).then(x.cell.cmp(&y.cell)));
            let last = key(&out[count - 1]);
            out.retain(|s| key(s) <= last);
            return Ok(out);
        }
        vectors *= 1.6;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symmetry::cubic_rotations;

    #[test]
    fn stars_of_a_cube_are_its_shells() {
        let cube = [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]];
        let group = PointGroup::new(&cube, &cubic_rotations(), true).unwrap();
        let stars = shortest_stars(&cube, &group, 9).unwrap();
        let shells: Vec<(f64, usize)> =
            stars.iter().map(|s| (s.length / 2.0, members(&group, s.cell).len())).collect();
        let want = [(0, 1), (1, 6), (2, 12), (3, 8), (4, 6), (5, 24), (6, 24), (8, 12), (9, 24), (9, 6)];
        assert_eq!(shells.len(), 10);
        for ((length, size), (square, count)) in shells.into_iter().zip(want) {
            assert!((length * length - f64::from(square)).abs() < 1e-9);
            assert!(size == count || square == 9);
        }
    }
}
