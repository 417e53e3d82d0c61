//! Integer matrices that carry a primitive lattice onto a strained, rotated lattice given in any basis.

use scalade_crystal::{Matrix3, determinant, dot, inverse, norm, row_times};

/// An integer matrix M with F = M P D, where D is a rotation times a small strain.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LatticeMatch {
    pub matrix: [[i64; 3]; 3],
    /// Largest principal stretch minus one, in magnitude.
    pub largest_strain: f64,
    /// Frobenius norm of the Green-Lagrange strain (D D^T - 1)/2.
    pub strain_norm: f64,
}

/// A reduced basis `R = T F` of the lattice F: no vector can be shortened by adding the others with coefficients -1, 0, 1.
pub(crate) fn reduce(lattice: &Matrix3) -> (Matrix3, [[i64; 3]; 3]) {
    let mut basis = *lattice;
    let mut transform = [[1, 0, 0], [0, 1, 0], [0, 0, 1i64]];
    let add = |basis: &mut Matrix3, transform: &mut [[i64; 3]; 3], to: usize, from: usize, times: i64| {
        for c in 0..3 {
            basis[to][c] += times as f64 * basis[from][c];
            transform[to][c] = transform[to][c].saturating_add(times.saturating_mul(transform[from][c]));
        }
    };
    for _ in 0..1000 {
        let mut changed = false;
        for to in 0..3 {
            let (a, b) = ((to + 1) % 3, (to + 2) % 3);
            for from in [a, b] {
                let times = (dot(basis[to], basis[from]) / dot(basis[from], basis[from])).round();
                if times != 0.0 && times.abs() < 1e6 {
                    let before = norm(basis[to]);
                    let (kept, kept_transform) = (basis, transform);
                    add(&mut basis, &mut transform, to, from, -(times as i64));
                    if norm(basis[to]) < before * (1.0 - 1e-10) {
                        changed = true;
                    } else {
                        (basis, transform) = (kept, kept_transform);
                    }
                }
            }
            for (p, q) in [(1, 1), (1, -1), (-1, 1), (-1, -1)] {
                let (kept, kept_transform) = (basis, transform);
                add(&mut basis, &mut transform, to, a, p);
                add(&mut basis, &mut transform, to, b, q);
                if norm(basis[to]) < norm(kept[to]) * (1.0 - 1e-10) {
                    changed = true;
                } else {
                    (basis, transform) = (kept, kept_transform);
                }
            }
        }
        if !changed {
            break;
        }
    }
    (basis, transform)
}

/// Eigenvalues of a symmetric 3x3 matrix (O. K. Smith, Commun. ACM 4, 168 (1961)).
fn symmetric_eigenvalues(a: &Matrix3) -> [f64; 3] {
    let off = a[0][1].powi(2) + a[0][2].powi(2) + a[1][2].powi(2);
    let third = (a[0][0] + a[1][1] + a[2][2]) / 3.0;
    let p2 = (0..3).map(|i| (a[i][i] - third).powi(2)).sum::<f64>() + 2.0 * off;
    if p2 < 1e-30 {
        return [third; 3];
    }
    let p = (p2 / 6.0).sqrt();
    let b: Matrix3 =
        std::array::from_fn(|i| std::array::from_fn(|j| (a[i][j] - if i == j { third } else { 0.0 }) / p));
    let angle = (determinant(&b) / 2.0).clamp(-1.0, 1.0).acos() / 3.0;
    [0.0, 1.0, 2.0].map(|k| third + 2.0 * p * (angle + k * std::f64::consts::TAU / 3.0).cos())
}

/// Largest strain and strain norm of the deformation from lattice `from` to lattice `to` (rows are vectors); `None` if it is singular
/// or turns left into right.
pub(crate) fn strain(from: &Matrix3, to: &Matrix3) -> Option<(f64, f64)> {
    let inverse = inverse(from)?;
    let deformation = inverse.map(|row| row_times(row, to));
    let proper = determinant(&deformation) > 0.0;
    if !proper {
        return None;
    }
    let cauchy: Matrix3 =
        std::array::from_fn(|i| std::array::from_fn(|j| dot(deformation[i], deformation[j])));
    let largest =
        symmetric_eigenvalues(&cauchy).iter().map(|e| (e.max(0.0).sqrt() - 1.0).abs()).fold(0.0, f64::max);
    let squares: f64 = (0..9)
        .map(|k| {
            let (i, j) = (k / 3, k % 3);
            (0.5 * (cauchy[i][j] - f64::from(u8::from(i == j)))).powi(2)
        })
        .sum();
    Some((largest, squares.sqrt()))
}

/// Integer vector, the same in Cartesian components, and its direction.
type Candidate = ([i64; 3], [f64; 3], [f64; 3]);

/// All M of determinant +-`cells` with a strain of at most `max_strain`, least strained first. The second number is the smallest
/// strain met at all among candidates of the right volume (infinite if there is none).
pub(crate) fn lattice_matches(
    primitive: &Matrix3,
    frame: &Matrix3,
    cells: i64,
    max_strain: f64,
) -> (Vec<LatticeMatch>, f64) {
    let (reduced, transform) = reduce(frame);
    let Some(back) = integer_inverse(&transform) else { return (Vec::new(), f64::INFINITY) };
    let Some(inverse) = inverse(primitive) else { return (Vec::new(), f64::INFINITY) };
    let lengths = reduced.map(norm);
    let longest = lengths.iter().copied().fold(0.0, f64::max) * (1.0 + max_strain);
    let reach: [i64; 3] = std::array::from_fn(|i| {
        (longest * norm([inverse[0][i], inverse[1][i], inverse[2][i]])).ceil().min(200.0) as i64
    });
    let mut near: [Vec<Candidate>; 3] = [Vec::new(), Vec::new(), Vec::new()];
    for i in -reach[0]..=reach[0] {
        for j in -reach[1]..=reach[1] {
            for k in -reach[2]..=reach[2] {
                let vector = row_times([i as f64, j as f64, k as f64], primitive);
                let length = norm(vector);
                for axis in 0..3 {
                    let ratio = lengths[axis] / length;
                    if ratio >= 1.0 - max_strain && ratio <= 1.0 + max_strain {
                        near[axis].push(([i, j, k], vector, vector.map(|c| c / length)));
                    }
                }
            }
        }
    }
    let unit = [0, 1, 2].map(|a| reduced[a].map(|c| c / lengths[a]));
    let alike = |a: usize, b: usize, u: &Candidate, v: &Candidate| {
        (dot(unit[a], unit[b]) - dot(u.2, v.2)).abs() <= 2.2 * max_strain
    };
    let (mut out, mut closest) = (Vec::new(), f64::INFINITY);
    for first in &near[0] {
        for second in near[1].iter().filter(|c| alike(0, 1, first, c)) {
            for third in near[2].iter().filter(|c| alike(0, 2, first, c) && alike(1, 2, second, c)) {
                let m = [first.0, second.0, third.0];
                if integer_determinant(&m).abs() != cells {
                    continue;
                }
                if let Some((largest_strain, strain_norm)) = strain(&[first.1, second.1, third.1], &reduced) {
                    closest = closest.min(largest_strain);
                    if largest_strain <= max_strain {
                        let matrix = back.map(|row| {
                            std::array::from_fn(|c| (0..3).map(|r| row[r] * m[r][c]).sum::<i64>())
                        });
                        out.push(LatticeMatch { matrix, largest_strain, strain_norm });
                    }
                }
            }
        }
    }
    out.sort_by(|a, b| {
        let rounded = |m: &LatticeMatch| (m.strain_norm * 1e7).round();
        rounded(a).total_cmp(&rounded(b)).then_with(|| b.matrix.cmp(&a.matrix))
    });
    (out, closest)
}

fn integer_determinant(m: &[[i64; 3]; 3]) -> i64 {
    m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
}

/// Inverse of a unimodular matrix by cofactors; `None` if it is not unimodular or too large.
fn integer_inverse(m: &[[i64; 3]; 3]) -> Option<[[i64; 3]; 3]> {
    if m.iter().flatten().any(|e| e.unsigned_abs() > 1 << 20) {
        return None;
    }
    let det = integer_determinant(m);
    if det.abs() != 1 {
        return None;
    }
    let cofactor = |i: usize, j: usize| {
        let (r, c) = ([(i + 1) % 3, (i + 2) % 3], [(j + 1) % 3, (j + 2) % 3]);
        m[r[0]][c[0]] * m[r[1]][c[1]] - m[r[0]][c[1]] * m[r[1]][c[0]]
    };
    Some(std::array::from_fn(|i| std::array::from_fn(|j| cofactor(j, i) * det)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use scalade_numerics::Philox;

    /// Rows of an integer matrix times a lattice.
    fn integer_times(m: &[[i64; 3]; 3], lattice: &Matrix3) -> Matrix3 {
        m.map(|row| row_times(row.map(|e| e as f64), lattice))
    }

    #[test]
    fn a_strained_rotated_skewed_supercell_is_recovered() {
        let primitive = [[-1.41, 2.44, 0.0], [-2.82, 0.0, 0.0], [-1.41, 0.813, 4.64]];
        let mut rng = Philox::new(5, 0, 0);
        let mut tried = 0;
        while tried < 60 {
            let m: [[i64; 3]; 3] =
                std::array::from_fn(|_| std::array::from_fn(|_| i64::from(rng.below(5)) - 2));
            let cells = integer_determinant(&m).abs();
            if cells == 0 || cells > 8 {
                continue;
            }
            tried += 1;
            let (angle, c) = (rng.uniform() * 6.0, 0.94 + 0.08 * rng.uniform());
            let turn = [
                [angle.cos(), angle.sin(), 0.0],
                [-angle.sin() * c, angle.cos() * c, 0.0],
                [0.02, 0.0, 1.01],
            ];
            let frame = integer_times(&m, &primitive).map(|v| row_times(v, &turn));
            let (found, _) = lattice_matches(&primitive, &frame, cells, 0.12);
            let (_, expected) = strain(&integer_times(&m, &primitive), &frame).unwrap();
            assert!(found[0].strain_norm <= expected + 1e-6);
            assert!(found.iter().any(|f| (f.strain_norm - expected).abs() < 1e-6));
            for f in found.iter().take(50) {
                let (_, again) = strain(&integer_times(&f.matrix, &primitive), &frame).unwrap();
                assert!((again - f.strain_norm).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn eigenvalues_of_a_known_matrix() {
        let mut e = symmetric_eigenvalues(&[[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 5.0]]);
        e.sort_by(f64::total_cmp);
        for (a, b) in e.iter().zip([1.0, 3.0, 5.0]) {
            assert!((a - b).abs() < 1e-12);
        }
    }

    #[test]
    fn unrelated_lattices_do_not_match() {
        let cube = [[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 4.0]];
        let (found, closest) = lattice_matches(&cube, &cube.map(|v| v.map(|c| 1.3 * c)), 1, 0.12);
        assert!(found.is_empty() && closest > 0.12);
    }
}
