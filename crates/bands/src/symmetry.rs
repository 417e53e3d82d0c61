//! Rotations of k space, and which points of a grid they make equivalent.

use crate::error::{BandsError, refuse};
use scalade_crystal::{Matrix3, SpaceGroup, determinant, inverse};

/// A rotation of fractional k points: k'_i = sum_j M_ij k_j.
pub type Rotation = [[i32; 3]; 3];

const IDENTITY: Rotation = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
/// Cartesian rotations must be orthogonal within this.
const ORTHOGONAL: f64 = 1e-4;

/// A point group acting on k, checked: closed, unimodular, orthogonal in the metric of the lattice.
#[derive(Clone, Debug, PartialEq)]
pub struct PointGroup {
    rotations: Vec<Rotation>,
    cartesian: Vec<Matrix3>,
}

fn product(a: &Rotation, b: &Rotation) -> Rotation {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

fn determinant_of(m: &Rotation) -> i32 {
    m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
}

/// A^-1 M A with rows of A the lattice vectors: the rotation on Cartesian column vectors, because k_i = a_i . k / 2 pi.
fn to_cartesian(lattice: &Matrix3, back: &Matrix3, m: &Rotation) -> Matrix3 {
    std::array::from_fn(|i| {
        std::array::from_fn(|j| {
            let mut sum = 0.0;
            for (p, row) in m.iter().enumerate() {
                for (q, entry) in row.iter().enumerate() {
                    sum += back[i][p] * f64::from(*entry) * lattice[q][j];
                }
            }
            sum
        })
    })
}

impl PointGroup {
    /// From rotations of fractional k points (repeats are dropped, the identity is added); with `time_reversal` also -M for every M, since
    /// E(k) = E(-k) without a magnetic field.
    ///
    /// Errors: rotations that are not unimodular, do not keep lengths, or are no group.
    pub fn new(lattice: &Matrix3, rotations: &[Rotation], time_reversal: bool) -> Result<Self, BandsError> {
        let reason = |reason: String| BandsError::Symmetry { reason };
        if rotations.len() > 192 {
            return Err(reason(format!(
                "{} rotations are given, a point group has 48 at most",
                rotations.len()
            )));
        }
        let back = lattice_inverse(lattice)?;
        let mut all = vec![IDENTITY];
        for (index, rotation) in rotations.iter().enumerate() {
            if rotation.iter().flatten().any(|entry| entry.abs() > 1000)
                || determinant_of(rotation).abs() != 1
            {
                return Err(reason(format!(
                    "rotation {} is {rotation:?}; whole numbers with the determinant 1 or -1 are due",
                    index + 1
                )));
            }
            let negative = rotation.map(|row| row.map(|entry| -entry));
            for candidate in std::iter::once(*rotation).chain(time_reversal.then_some(negative)) {
                if !all.contains(&candidate) {
                    all.push(candidate);
                }
            }
        }
        if time_reversal && !all.contains(&IDENTITY.map(|row| row.map(|entry| -entry))) {
            all.push(IDENTITY.map(|row| row.map(|entry| -entry)));
        }
        if all.len() > 48 {
            return Err(reason(format!("{} different rotations, a point group has 48 at most", all.len())));
        }
        for a in &all {
            for b in &all {
                if !all.contains(&product(a, b)) {
                    return Err(reason(format!(
                        "the product of {a:?} and {b:?} is not among them: give the whole group"
                    )));
                }
            }
        }
        let cartesian: Vec<Matrix3> = all.iter().map(|m| to_cartesian(lattice, &back, m)).collect();
        for (rotation, c) in all.iter().zip(&cartesian) {
            for i in 0..3 {
                for j in 0..3 {
                    let inner: f64 = (0..3).map(|k| c[i][k] * c[j][k]).sum();
                    let off = (inner - f64::from(u8::from(i == j))).abs();
                    if off > ORTHOGONAL {
                        return Err(reason(format!(
                            "{rotation:?} changes lengths by {off:e} in this lattice: is it a rotation of positions, or of another cell?"
                        )));
                    }
                }
            }
        }
        Ok(Self { rotations: all, cartesian })
    }

    /// The identity alone.
    pub fn identity() -> Self {
        let unit = std::array::from_fn(|i| std::array::from_fn(|j| f64::from(u8::from(i == j))));
        Self { rotations: vec![IDENTITY], cartesian: vec![unit] }
    }

    /// From a space group: the position x goes to W x + t, hence k to (W^-1)^T k.
    ///
    /// Errors: as [`Self::new`].
    pub fn of_space_group(
        lattice: &Matrix3,
        group: &SpaceGroup,
        time_reversal: bool,
    ) -> Result<Self, BandsError> {
        let rotations: Vec<Rotation> =
            group.operations.iter().map(|o| inverse_transposed(&o.rotation)).collect();
        Self::new(lattice, &rotations, time_reversal)
    }

    /// The rotations on fractional k.
    pub fn rotations(&self) -> &[Rotation] {
        &self.rotations
    }

    /// The same on Cartesian column vectors, in the same order.
    pub fn cartesian(&self) -> &[Matrix3] {
        &self.cartesian
    }

    /// Mean of C T C^T over the group, T symmetric as (xx, yy, zz, yz, xz, xy).
    pub(crate) fn symmetrise(&self, t: [f64; 6]) -> [f64; 6] {
        if self.rotations.len() == 1 {
            return t;
        }
        let full = full_tensor(t);
        let mut out = [0.0; 6];
        for c in &self.cartesian {
            for (o, (i, j)) in out.iter_mut().zip(PAIRS) {
                for p in 0..3 {
                    for q in 0..3 {
                        *o += c[i][p] * full[p][q] * c[j][q];
                    }
                }
            }
        }
        out.map(|o| o / self.rotations.len() as f64)
    }
}

/// (W^-1)^T of a unimodular matrix: its cofactors times its determinant.
fn inverse_transposed(m: &Rotation) -> Rotation {
    let sign = determinant_of(m);
    std::array::from_fn(|i| {
        std::array::from_fn(|j| {
            let (a, b) = ((i + 1) % 3, (i + 2) % 3);
            let (c, d) = ((j + 1) % 3, (j + 2) % 3);
            sign * (m[a][c] * m[b][d] - m[a][d] * m[b][c])
        })
    })
}

/// Index pairs of the six components of a symmetric tensor.
pub(crate) const PAIRS: [(usize, usize); 6] = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)];

/// The full matrix of a symmetric tensor.
pub(crate) fn full_tensor(t: [f64; 6]) -> Matrix3 {
    [[t[0], t[5], t[4]], [t[5], t[1], t[3]], [t[4], t[3], t[2]]]
}

/// Inverse of a lattice of finite volume.
pub(crate) fn lattice_inverse(lattice: &Matrix3) -> Result<Matrix3, BandsError> {
    let volume = determinant(lattice);
    let finite = lattice.iter().flatten().all(|x| x.is_finite() && x.abs() < 1e6);
    let long = lattice.iter().map(|row| scalade_crystal::norm(*row)).product::<f64>();
    if !finite || volume.abs() <= 1e-9 * long {
        return Err(BandsError::Lattice { volume });
    }
    inverse(lattice).ok_or(BandsError::Lattice { volume })
}

/// Cell volume, cubic angstrom.
pub(crate) fn cell_volume(lattice: &Matrix3) -> f64 {
    determinant(lattice).abs()
}

/// A point of a grid that stands for its images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridPoint {
    /// i2 n3 + i3 in the plane of its i1.
    pub index: u32,
    /// How many points of the grid it stands for.
    pub multiplicity: u32,
}

/// A uniform grid k = (i1/n1, i2/n2, i3/n3) holding Gamma, reduced by a point group.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Points along each reciprocal vector.
    pub divisions: [usize; 3],
    /// Irreducible points by i1.
    pub planes: Vec<Vec<GridPoint>>,
}

/// Most points of one grid.
pub(crate) const MOST_POINTS: usize = 1 << 30;

impl Grid {
    /// The irreducible points.
    ///
    /// Errors: no points or more than 2^30, and rotations that do not map the grid onto itself (use equal divisions for axes that they exchange).
    pub fn new(divisions: [usize; 3], group: &PointGroup) -> Result<Self, BandsError> {
        let total = divisions.iter().try_fold(1usize, |a, n| a.checked_mul(*n)).unwrap_or(usize::MAX);
        if total == 0 || total > MOST_POINTS {
            return refuse("the number of points of a grid", total as f64, "1 to 2^30 is due");
        }
        if !maps_onto_itself(divisions, group) {
            return Err(BandsError::Symmetry {
                reason: format!("the grid {divisions:?} is not mapped onto itself: use equal divisions"),
            });
        }
        let n = divisions.map(|d| d as i64);
        // (M k)_i n_i = sum_j M_ij m_j n_i / n_j in whole numbers.
        let steps: Vec<[[i64; 3]; 3]> = group
            .rotations
            .iter()
            .map(|m| std::array::from_fn(|i| std::array::from_fn(|j| i64::from(m[i][j]) * n[i] / n[j])))
            .collect();
        let mut seen = vec![0u64; total.div_ceil(64)];
        let mut planes = Vec::with_capacity(divisions[0]);
        for i1 in 0..n[0] {
            let mut plane = Vec::new();
            for i2 in 0..n[1] {
                for i3 in 0..n[2] {
                    let own = ((i1 * n[1] + i2) * n[2] + i3) as usize;
                    if seen[own / 64] >> (own % 64) & 1 == 1 {
                        continue;
                    }
                    let mut multiplicity = 0;
                    for s in &steps {
                        let image: [i64; 3] = std::array::from_fn(|i| {
                            (s[i][0] * i1 + s[i][1] * i2 + s[i][2] * i3).rem_euclid(n[i])
                        });
                        let at = ((image[0] * n[1] + image[1]) * n[2] + image[2]) as usize;
                        if seen[at / 64] >> (at % 64) & 1 == 0 {
                            seen[at / 64] |= 1 << (at % 64);
                            multiplicity += 1;
                        }
                    }
                    plane.push(GridPoint { index: (i2 * n[2] + i3) as u32, multiplicity });
                }
            }
            planes.push(plane);
        }
        Ok(Self { divisions, planes })
    }

    /// Points of the whole grid.
    pub fn points(&self) -> usize {
        self.divisions.iter().product()
    }

    /// Fractional coordinates of a point in plane `i1`.
    pub fn k(&self, i1: usize, index: u32) -> [f64; 3] {
        let n3 = self.divisions[2];
        let (i2, i3) = (index as usize / n3, index as usize % n3);
        [
            i1 as f64 / self.divisions[0] as f64,
            i2 as f64 / self.divisions[1] as f64,
            i3 as f64 / self.divisions[2] as f64,
        ]
    }
}

fn maps_onto_itself(divisions: [usize; 3], group: &PointGroup) -> bool {
    let n = divisions.map(|d| d as i64);
    group
        .rotations
        .iter()
        .all(|m| (0..3).all(|i| (0..3).all(|j| n[j] > 0 && (i64::from(m[i][j]) * n[i]) % n[j] == 0)))
}

/// Divisions of a grid about equally dense along the three reciprocal vectors, `longest` of them along the longest; equal ones where the rotations
/// ask for it.
pub(crate) fn even_divisions(
    lattice: &Matrix3,
    group: &PointGroup,
    longest: usize,
) -> Result<[usize; 3], BandsError> {
    let back = lattice_inverse(lattice)?;
    let lengths: [f64; 3] =
        std::array::from_fn(|i| (0..3).map(|j| back[j][i] * back[j][i]).sum::<f64>().sqrt());
    let most = lengths.iter().fold(0.0f64, |a, b| a.max(*b));
    let divisions = lengths.map(|l| smooth_even((longest as f64 * l / most - 1e-6).ceil().max(1.0) as usize));
    if maps_onto_itself(divisions, group) { Ok(divisions) } else { Ok([smooth_even(longest); 3]) }
}

/// The next even number without prime factors above 5: inversion keeps half the grid.
pub(crate) fn smooth_even(at_least: usize) -> usize {
    let mut n = at_least.max(2).next_multiple_of(2);
    loop {
        let mut rest = n;
        for p in [2, 3, 5] {
            while rest.is_multiple_of(p) {
                rest /= p;
            }
        }
        if rest == 1 {
            return n;
        }
        n += 2;
    }
}

/// The 48 rotations of a cube, for axes along the lattice vectors.
pub fn cubic_rotations() -> Vec<Rotation> {
    let mut out = Vec::with_capacity(48);
    for axes in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for signs in 0..8 {
            let mut m = [[0; 3]; 3];
            for i in 0..3 {
                m[i][axes[i]] = if signs >> i & 1 == 0 { 1 } else { -1 };
            }
            out.push(m);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use scalade_crystal::{MoyoFinder, Structure, SymmetryFinder};

    const CUBE: Matrix3 = [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]];

    #[test]
    fn a_cubic_grid_is_reduced_forty_eight_fold() {
        let group = PointGroup::new(&CUBE, &cubic_rotations(), true).unwrap();
        assert_eq!(group.rotations().len(), 48);
        let grid = Grid::new([8; 3], &group).unwrap();
        let points: Vec<u32> = grid.planes.iter().flatten().map(|p| p.multiplicity).collect();
        // Points 0 <= i1 <= i2 <= i3 <= 4.
        assert_eq!(points.len(), 35);
        assert_eq!(points.iter().sum::<u32>(), 512);
        assert_eq!(Grid::new([7, 5, 3], &PointGroup::identity()).unwrap().planes.concat().len(), 105);
        assert!(Grid::new([8, 8, 6], &group).is_err());
        assert!(Grid::new([0, 8, 6], &PointGroup::identity()).is_err());
        assert!(Grid::new([usize::MAX; 3], &PointGroup::identity()).is_err());
    }

    #[test]
    fn a_space_group_acts_on_k() {
        let oxide = Structure::new(
            [[1.41, 0.81406388, 4.43333333], [-1.41, 0.81406388, 4.43333333], [0.0, -1.62812776, 4.43333333]],
            ["Co", "O", "O"].map(String::from).to_vec(),
            vec![[0.0; 3], [0.2615; 3], [0.7385; 3]],
        )
        .unwrap();
        let found = MoyoFinder.space_group(&oxide, 1e-3).unwrap();
        let group = PointGroup::of_space_group(oxide.lattice_angstrom(), &found, true).unwrap();
        assert_eq!(group.rotations().len(), 12);
        let grid = Grid::new([12; 3], &group).unwrap();
        assert_eq!(grid.planes.concat().len(), 189);
        // Uniaxial tensors only.
        let t = group.symmetrise([1.0, 2.0, 3.0, 0.4, 0.5, 0.6]);
        assert!((t[0] - 1.5).abs() < 1e-6 && (t[1] - 1.5).abs() < 1e-6 && (t[2] - 3.0).abs() < 1e-6);
        assert!(t[3..].iter().all(|x| x.abs() < 1e-6), "{t:?}");
    }

    #[test]
    fn rotations_that_are_no_symmetry_are_refused() {
        let said = |m: &[Rotation]| PointGroup::new(&CUBE, m, false).unwrap_err().to_string();
        assert!(said(&[[[2, 0, 0], [0, 1, 0], [0, 0, 1]]]).contains("determinant"));
        assert!(said(&[[[1, 1, 0], [0, 1, 0], [0, 0, 1]]]).contains("product"));
        assert!(said(&[[[0, -1, 0], [1, 0, 0], [0, 0, 1]]]).contains("whole group"));
        assert!(
            said(&[[[0, -1, 0], [1, -1, 0], [0, 0, 1]], [[-1, 1, 0], [-1, 0, 0], [0, 0, 1]]])
                .contains("lengths")
        );
        assert!(said(&[[[i32::MAX, 0, 0], [0, 1, 0], [0, 0, 1]]]).contains("determinant"));
        assert!(PointGroup::new(&[[1.0, 0.0, 0.0]; 3], &[], true).is_err());
        assert_eq!(smooth_even(97), 100);
        assert_eq!(smooth_even(0), 2);
    }
}
