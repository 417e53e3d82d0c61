//! 3x3 matrices with rows as lattice vectors.

/// Rows are vectors: `lattice[i]` is the `i`-th lattice vector in Cartesian components.
pub type Matrix3 = [[f64; 3]; 3];

/// Scalar product.
pub fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Vector product.
pub fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// Euclidean length.
pub fn norm(a: [f64; 3]) -> f64 {
    dot(a, a).sqrt()
}

/// Determinant; for a lattice its signed volume.
pub fn determinant(m: &Matrix3) -> f64 {
    dot(m[0], cross(m[1], m[2]))
}

/// Inverse by cofactors; `None` when the determinant is zero, subnormal or not finite.
pub fn inverse(m: &Matrix3) -> Option<Matrix3> {
    let det = determinant(m);
    if !det.is_normal() {
        return None;
    }
    let columns = [cross(m[1], m[2]), cross(m[2], m[0]), cross(m[0], m[1])];
    let mut out = [[0.0; 3]; 3];
    for i in 0..3 {
        for j in 0..3 {
            out[i][j] = columns[j][i] / det;
        }
    }
    Some(out)
}

/// Row vector times matrix: with rows as lattice vectors, fractional to Cartesian components.
pub fn row_times(v: [f64; 3], m: &Matrix3) -> [f64; 3] {
    let mut out = [0.0; 3];
    for j in 0..3 {
        out[j] = v[0] * m[0][j] + v[1] * m[1][j] + v[2] * m[2][j];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverse_times_matrix_is_the_identity() {
        let m = [[-1.4, 2.4, 0.1], [-2.8, 0.0, 0.3], [-1.4, 0.8, 4.6]];
        let inv = inverse(&m).unwrap();
        for i in 0..3 {
            let row = row_times(inv[i], &m);
            for j in 0..3 {
                assert!((row[j] - f64::from(u8::from(i == j))).abs() < 1e-14);
            }
        }
        assert_eq!(inverse(&[[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), None);
    }
}
