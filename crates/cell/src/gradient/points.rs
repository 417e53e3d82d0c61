//! States of a run at several times with their tangents, and the polynomials through them.

/// One state and its derivative with respect to each parameter.
#[derive(Debug, Clone, Default)]
pub(super) struct Point {
    pub(super) time: f64,
    pub(super) y: Vec<f64>,
    pub(super) tangents: Vec<Vec<f64>>,
}

/// Most points of a polynomial.
pub(super) const MOST: usize = 6;

/// Weights of the values at `points` in the value and in the slope of the polynomial through them at `time`.
pub(super) fn polynomial(points: &[f64], time: f64) -> [[f64; MOST]; 2] {
    let mut weights = [[0.0; MOST]; 2];
    let n = points.len().min(MOST);
    for i in 0..n {
        let (mut value, mut slope) = (1.0, 0.0);
        for j in (0..n).filter(|j| *j != i) {
            let distance = points[i] - points[j];
            slope = (slope * (time - points[j]) + value) / distance;
            value *= (time - points[j]) / distance;
        }
        (weights[0][i], weights[1][i]) = (value, slope);
    }
    weights
}

/// Weights c of earlier states in the slope that a multistep formula takes, y' = leading y + sum c_i y_i: the slope
/// of the polynomial through them, corrected by the leading coefficient times its miss. `points` are their times,
/// `time` is that of y.
pub(super) fn multistep(points: &[f64], time: f64, leading: f64) -> [f64; MOST] {
    let mut weights = [0.0; MOST];
    if points.len() == 1 {
        weights[0] = -leading;
        return weights;
    }
    let [value, slope] = polynomial(points, time);
    for i in 0..points.len().min(MOST) {
        weights[i] = slope[i] - leading * value[i];
    }
    weights
}

/// sum w_i v_i over vectors.
pub(super) fn combine<'a>(weights: &[f64], vectors: impl Iterator<Item = &'a [f64]>, out: &mut [f64]) {
    out.fill(0.0);
    for (weight, vector) in weights.iter().zip(vectors) {
        for (o, v) in out.iter_mut().zip(vector) {
            *o += weight * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{multistep, polynomial};

    #[test]
    fn polynomials_are_exact_with_their_slopes() {
        let points = [3.0, 2.5, 1.0, -0.5, -0.6];
        let f = |t: f64| 1.0 - t + 0.3 * t.powi(3) - 0.1 * t.powi(4);
        let slope = |t: f64| -1.0 + 0.9 * t.powi(2) - 0.4 * t.powi(3);
        for time in [3.0, 2.9, 2.5, 0.0, 4.0] {
            let [w, v] = polynomial(&points, time);
            let sum = |w: &[f64]| points.iter().zip(w).map(|(t, w)| w * f(*t)).sum::<f64>();
            assert!((sum(&w) - f(time)).abs() < 1e-13, "{time}");
            assert!((sum(&v) - slope(time)).abs() < 1e-12, "{time}: {} {}", sum(&v), slope(time));
        }
    }

    #[test]
    fn equal_steps_give_the_classical_second_order_formula() {
        // y' = (3 y2 - 4 y1 + y0)/(2 h); the third point has no part in it.
        let h = 0.25;
        let weights = multistep(&[2.0 * h, h, 0.0], 3.0 * h, 1.5 / h);
        for (found, wanted) in weights.iter().zip([-2.0 / h, 0.5 / h, 0.0]) {
            assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
        }
    }
}
