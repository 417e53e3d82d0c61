//! Axes along which the star functions of a lattice come apart into products.
//!
//! Lattice vectors are written R = n_0 b_0 + n_1 b_1 + n_2 b_2 with whole n. A rotation that is diagonal in n joins e^(ik.R) of both signs of some n_i into cosines
//! and sines of x_i = k.b_i. Twofold axes that stand on each other (mmm) leave products of three cosines; a single one (2/m) leaves the cosine of its own x.
//! Since R + C R lies on a twofold axis, halves of its shortest lattice vector measure every R.

use crate::stars::image;
use crate::symmetry::Rotation;
use scalade_crystal::{Matrix3, dot, row_times};

pub(crate) type Whole = [[i32; 3]; 3];
const UNIT: Whole = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];

/// b_i = `vectors[i]` (in lattice vectors) over `divisors[i]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axes {
    pub vectors: Whole,
    pub divisors: [i32; 3],
    /// n = back R det / `determinant` with R in lattice vectors.
    back: [[i64; 3]; 3],
    determinant: i64,
}

impl Axes {
    /// The lattice vectors themselves, in this order.
    pub fn of_lattice(order: [usize; 3]) -> Self {
        let vectors = order.map(|i| UNIT[i]);
        Self { vectors, divisors: [1; 3], back: vectors.map(|v| v.map(i64::from)), determinant: 1 }
    }

    /// None for vectors in a plane.
    fn new(vectors: Whole) -> Option<Self> {
        // Cofactors over the determinant are the inverse of the matrix with the vectors as columns.
        let wide = vectors.map(|v| v.map(i64::from));
        let back: [[i64; 3]; 3] = std::array::from_fn(|i| {
            let (a, b) = (wide[(i + 1) % 3], wide[(i + 2) % 3]);
            std::array::from_fn(|j| {
                let (p, q) = ((j + 1) % 3, (j + 2) % 3);
                a[p] * b[q] - a[q] * b[p]
            })
        });
        let determinant = inner(wide[0], back[0]);
        if determinant == 0 {
            return None;
        }
        let divisors = back.map(|row| if row.iter().all(|x| x % determinant == 0) { 1 } else { 2 });
        Some(Self { vectors, divisors, back, determinant })
    }

    /// n of a lattice vector.
    pub fn count(&self, cell: [i32; 3]) -> [i32; 3] {
        let cell = cell.map(i64::from);
        let along = |i: usize| i64::from(self.divisors[i]) * inner(self.back[i], cell) / self.determinant;
        std::array::from_fn(|i| along(i) as i32)
    }

    /// x_i / 2 pi of a fractional k, between -1/2 and 1/2.
    pub fn turns(&self, k: [f64; 3]) -> [f64; 3] {
        std::array::from_fn(|i| {
            let along: f64 = (0..3).map(|j| k[j] * f64::from(self.vectors[i][j])).sum();
            let turns = along / f64::from(self.divisors[i]);
            turns - turns.round()
        })
    }

    /// b_i, Cartesian, angstrom.
    pub fn steps(&self, lattice: &Matrix3) -> Matrix3 {
        std::array::from_fn(|i| {
            row_times(self.vectors[i].map(f64::from), lattice).map(|x| x / f64::from(self.divisors[i]))
        })
    }

    /// Volume of a cell of the b_i in eighths of that of the lattice: the larger, the fewer n hold no lattice vector.
    fn eighths(&self) -> i64 {
        8 * self.determinant.abs() / i64::from(self.divisors.iter().product::<i32>())
    }

    /// Axes along as many twofold axes as stand on each other; last the one that most rotations keep or turn round.
    pub fn adapted(lattice: &Matrix3, rotations: &[Rotation]) -> Self {
        let twofold: Vec<(Whole, [i32; 3])> =
            signed(rotations).filter_map(|m| Some((m, turned_about(&m)?))).collect();
        let kept = |w: [i32; 3]| {
            let is = |m: &Rotation| [w, w.map(|x| -x)].contains(&image(m, w));
            rotations.iter().filter(|m| is(m)).count()
        };
        let mut best: Option<(bool, usize, i64, Self)> = None;
        let mut offer = |three: bool, vectors: Whole| {
            let Some(axes) = Self::new(vectors) else { return };
            let key = (three, kept(vectors[2]), axes.eighths());
            if best.as_ref().is_none_or(|b| key > (b.0, b.1, b.2)) {
                best = Some((key.0, key.1, key.2, axes));
            }
        };
        for (m, last) in &twofold {
            for (other, first) in &twofold {
                // Two that commute have a third, their product.
                let third = product(m, other);
                if let Some((_, second)) =
                    twofold.iter().find(|(n, _)| *n == third && third == product(other, m))
                {
                    offer(true, [*first, *second, *last]);
                }
            }
            let [u, v] = plane_across(lattice, m);
            offer(false, [u, v, *last]);
        }
        best.map_or_else(|| Self::of_lattice([0, 1, 2]), |b| b.3)
    }
}

fn inner(a: [i64; 3], b: [i64; 3]) -> i64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn product(a: &Whole, b: &Whole) -> Whole {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

/// The rotations and their negatives, each once.
pub(crate) fn signed(rotations: &[Rotation]) -> impl Iterator<Item = Rotation> + '_ {
    let negative = |m: &Rotation| m.map(|row| row.map(|x| -x));
    rotations.iter().copied().chain(rotations.iter().map(negative).filter(|m| !rotations.contains(m)))
}

/// The shortest lattice vector along the axis of a twofold rotation; None for other rotations. Lattice vectors turn by the transposed matrix.
fn turned_about(m: &Rotation) -> Option<[i32; 3]> {
    let trace = m[0][0] + m[1][1] + m[2][2];
    if product(m, m) != UNIT || trace != -1 {
        return None;
    }
    // M^T + 1 projects on twice the axis.
    let column = UNIT.map(|e| plus(image(m, e), e)).into_iter().find(|c| *c != [0; 3])?;
    Some(primitive(column))
}

fn plus(a: [i32; 3], b: [i32; 3]) -> [i32; 3] {
    std::array::from_fn(|i| a[i] + b[i])
}

fn primitive(v: [i32; 3]) -> [i32; 3] {
    let divisor = v.iter().fold(0, |g, x| extended(g, *x)[0].abs());
    if divisor == 0 { v } else { v.map(|x| x / divisor) }
}

/// [g, x, y] with a x + b y = g, the greatest common divisor but for its sign.
fn extended(a: i32, b: i32) -> [i32; 3] {
    if b == 0 {
        return [a, 1, 0];
    }
    let [g, x, y] = extended(b, a % b);
    [g, y, x - a / b * y]
}

/// Two short lattice vectors that span those turned round by a twofold rotation.
fn plane_across(lattice: &Matrix3, m: &Rotation) -> [[i32; 3]; 2] {
    // A row of M^T + 1 is normal to them.
    let rows: Whole = std::array::from_fn(|i| std::array::from_fn(|j| m[j][i] + UNIT[i][j]));
    let normal = primitive(rows.into_iter().find(|r| *r != [0; 3]).unwrap_or(UNIT[2]));
    let [a, b, c] = normal;
    let (mut u, mut v) = if (a, b) == (0, 0) {
        (UNIT[0], UNIT[1])
    } else {
        let [g, x, y] = extended(a, b);
        ([b / g, -a / g, 0], [-x * c, -y * c, g])
    };
    let cartesian = |v: [i32; 3]| row_times(v.map(f64::from), lattice);
    // Gauss reduction; the bound stands against rounding.
    for _ in 0..64 {
        let (p, q) = (cartesian(u), cartesian(v));
        let times = (dot(p, q) / dot(p, p)).round() as i32;
        v = std::array::from_fn(|i| v[i] - times * u[i]);
        let q = cartesian(v);
        if dot(q, q) >= dot(p, p) * (1.0 - 1e-9) {
            break;
        }
        (u, v) = (v, u);
    }
    [u, v]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symmetry::{PointGroup, cubic_rotations};

    #[test]
    fn whole_counts_measure_every_vector() {
        let fcc = [[0.0, 1.5, 1.5], [1.5, 0.0, 1.5], [1.5, 1.5, 0.0]];
        // Cubic rotations in the coordinates of the primitive cell.
        let back = crate::symmetry::lattice_inverse(&fcc).unwrap();
        let turned: Vec<Rotation> = cubic_rotations()
            .iter()
            .map(|m| {
                let c = m.map(|row| row.map(f64::from));
                std::array::from_fn(|i| {
                    std::array::from_fn(|j| {
                        let sum: f64 = (0..9).map(|p| fcc[i][p / 3] * c[p / 3][p % 3] * back[p % 3][j]).sum();
                        sum.round() as i32
                    })
                })
            })
            .collect();
        let group = PointGroup::new(&fcc, &turned, true).unwrap();
        let axes = Axes::adapted(&fcc, group.rotations());
        assert_eq!((axes.divisors, axes.determinant.abs()), ([2; 3], 4));
        let steps = axes.steps(&fcc);
        for cell in [[1, 0, 0], [0, 1, 0], [0, 0, 1], [3, -2, 5]] {
            let n = axes.count(cell);
            let got = row_times(n.map(f64::from), &steps);
            let want = row_times(cell.map(f64::from), &fcc);
            assert!((0..3).all(|i| (got[i] - want[i]).abs() < 1e-12), "{cell:?} {n:?}");
        }
        assert!((0..3).all(|i| (0..i).all(|j| dot(steps[i], steps[j]).abs() < 1e-12)));
    }

    #[test]
    fn one_twofold_axis_gets_a_plane_across_it() {
        let lattice = [[3.0, 0.0, 0.7], [3.0 * 4.0, 0.0, 5.1 + 4.0 * 0.7], [0.0, 4.0, 0.0]];
        // About the third vector.
        let group = PointGroup::new(&lattice, &[[[-1, 0, 0], [0, -1, 0], [0, 0, 1]]], true).unwrap();
        let axes = Axes::adapted(&lattice, group.rotations());
        assert_eq!((axes.vectors[2].map(i32::abs), axes.divisors), ([0, 0, 1], [1; 3]));
        assert!(axes.steps(&lattice).iter().all(|b| dot(*b, *b) < 30.0));
        assert_eq!(extended(12, 18)[0].abs(), 6);
        assert_eq!(Axes::adapted(&lattice, PointGroup::identity().rotations()), Axes::of_lattice([0, 1, 2]));
    }
}
