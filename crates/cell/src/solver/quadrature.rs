//! Nodes and weights of Jacobi type, and Lagrange bases on them.

/// Jacobi polynomial P_n^(a,b) at `x` and its derivative, by the three-term recurrence (Abramowitz and
/// Stegun 22.7.1).
fn jacobi(n: usize, a: f64, b: f64, x: f64) -> (f64, f64) {
    if n == 0 {
        return (1.0, 0.0);
    }
    let (mut before, mut before_slope) = (1.0, 0.0);
    let (mut value, mut slope) = (0.5 * (a - b) + 0.5 * (a + b + 2.0) * x, 0.5 * (a + b + 2.0));
    for k in 2..=n {
        let m = k as f64;
        let s = 2.0 * m + a + b;
        let scale = 2.0 * m * (m + a + b) * (s - 2.0);
        let linear = (s - 1.0) * s * (s - 2.0) / scale;
        let constant = (s - 1.0) * (a * a - b * b) / scale;
        let last = 2.0 * (m + a - 1.0) * (m + b - 1.0) * s / scale;
        let next = (linear * x + constant) * value - last * before;
        let next_slope = linear * value + (linear * x + constant) * slope - last * before_slope;
        (before, before_slope) = (value, slope);
        (value, slope) = (next, next_slope);
    }
    (value, slope)
}

/// The `n` zeros of P_n^(a,b) on (-1, 1), increasing: Newton's method with deflation from Chebyshev starts.
pub(crate) fn jacobi_zeros(n: usize, a: f64, b: f64) -> Vec<f64> {
    let mut zeros: Vec<f64> = Vec::with_capacity(n);
    for k in 0..n {
        let mut x = -((2 * k + 1) as f64 * std::f64::consts::PI / (2 * n) as f64).cos();
        if let Some(previous) = zeros.last() {
            x = 0.5 * (x + previous);
        }
        for _ in 0..100 {
            let (value, slope) = jacobi(n, a, b, x);
            let deflation: f64 = zeros.iter().map(|z| 1.0 / (x - z)).sum();
            let change = value / (slope - deflation * value);
            x -= change;
            if change.abs() < 1e-15 {
                break;
            }
        }
        zeros.push(x);
    }
    zeros
}

/// Gauss-Legendre nodes and weights on (-1, 1).
pub(crate) fn gauss_legendre(n: usize) -> (Vec<f64>, Vec<f64>) {
    let nodes = jacobi_zeros(n, 0.0, 0.0);
    let weights = nodes
        .iter()
        .map(|x| {
            let (_, slope) = jacobi(n, 0.0, 0.0, *x);
            2.0 / ((1.0 - x * x) * slope * slope)
        })
        .collect();
    (nodes, weights)
}

/// Gauss-Lobatto-Legendre nodes and weights of order `p` (p + 1 points) on [-1, 1]; exact to degree 2p - 1.
pub(crate) fn gauss_lobatto(p: usize) -> (Vec<f64>, Vec<f64>) {
    let mut nodes = vec![-1.0];
    nodes.extend(jacobi_zeros(p - 1, 1.0, 1.0));
    nodes.push(1.0);
    let weights = nodes
        .iter()
        .map(|x| {
            let (value, _) = jacobi(p, 0.0, 0.0, *x);
            2.0 / ((p * (p + 1)) as f64 * value * value)
        })
        .collect();
    (nodes, weights)
}

/// Nodes and weights of the Gauss rule for the standard normal distribution (mean 0, variance 1), increasing;
/// the weights sum to 1. Zeros of the Hermite polynomials He_n by bisection between those of He_{n-1}, which
/// they interlace.
pub(crate) fn gauss_hermite(n: usize) -> (Vec<f64>, Vec<f64>) {
    // Orthonormal recurrence: sqrt(k) h_k = x h_{k-1} - sqrt(k-1) h_{k-2}, which does not overflow.
    let pair = |n: usize, x: f64| {
        let (mut before, mut value) = (0.0, 1.0);
        for k in 1..=n {
            let next = (x * value - ((k - 1) as f64).sqrt() * before) / (k as f64).sqrt();
            (before, value) = (value, next);
        }
        (value, before)
    };
    let mut zeros: Vec<f64> = Vec::new();
    for k in 1..=n {
        let bound = 2.0 * (k as f64).sqrt() + 1.0;
        let mut edges = vec![-bound];
        edges.extend(&zeros);
        edges.push(bound);
        let bisect = |w: &[f64]| {
            let (mut a, mut b) = (w[0], w[1]);
            let at_a = pair(k, a).0;
            for _ in 0..200 {
                let middle = 0.5 * (a + b);
                if middle <= a || middle >= b {
                    break;
                }
                if pair(k, middle).0 * at_a > 0.0 { a = middle } else { b = middle }
            }
            0.5 * (a + b)
        };
        zeros = edges.windows(2).map(bisect).collect();
    }
    let weights = zeros.iter().map(|x| 1.0 / (n as f64 * pair(n, *x).1.powi(2))).collect();
    (zeros, weights)
}

/// Nodes on (0, 1] of the Gauss-Radau rule for the weight sqrt(s) with the end s = 1 included: the zeros of
/// P_{n-1}^(1,1/2) and 1.
pub(crate) fn gauss_radau_root(n: usize) -> Vec<f64> {
    let mut nodes: Vec<f64> = jacobi_zeros(n - 1, 1.0, 0.5).into_iter().map(|z| 0.5 * (1.0 + z)).collect();
    nodes.push(1.0);
    nodes
}

/// Barycentric weights of `nodes`.
fn barycentric(nodes: &[f64]) -> Vec<f64> {
    (0..nodes.len())
        .map(|i| {
            let product: f64 = (0..nodes.len()).filter(|j| *j != i).map(|j| nodes[i] - nodes[j]).product();
            1.0 / product
        })
        .collect()
}

/// Row-major matrix d l_j / dx at node i of the Lagrange basis on `nodes`. Rows sum to zero exactly as far
/// as rounding allows, which is what makes the discrete fluxes conservative.
pub(crate) fn differentiation_matrix(nodes: &[f64]) -> Vec<f64> {
    let n = nodes.len();
    let weights = barycentric(nodes);
    let mut matrix = vec![0.0; n * n];
    for i in 0..n {
        let mut sum = 0.0;
        for j in 0..n {
            if i != j {
                let entry = weights[j] / weights[i] / (nodes[i] - nodes[j]);
                matrix[i * n + j] = entry;
                sum += entry;
            }
        }
        matrix[i * n + i] = -sum;
    }
    matrix
}

/// Lagrange polynomial l_j on `nodes` at `x`.
pub(crate) fn lagrange(nodes: &[f64], j: usize, x: f64) -> f64 {
    (0..nodes.len()).filter(|k| *k != j).map(|k| (x - nodes[k]) / (nodes[j] - nodes[k])).product()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_integrate_polynomials_exactly() {
        let (nodes, weights) = gauss_legendre(7);
        let (lobatto, lobatto_weights) = gauss_lobatto(6);
        for degree in 0..=11_i32 {
            let exact = if degree % 2 == 0 { 2.0 / f64::from(degree + 1) } else { 0.0 };
            let sum: f64 = nodes.iter().zip(&weights).map(|(x, w)| w * x.powi(degree)).sum();
            assert!((sum - exact).abs() < 1e-14);
            let sum: f64 = lobatto.iter().zip(&lobatto_weights).map(|(x, w)| w * x.powi(degree)).sum();
            assert!((sum - exact).abs() < 1e-14);
        }
    }

    #[test]
    fn differentiation_is_exact_for_polynomials() {
        let nodes = gauss_radau_root(6);
        let d = differentiation_matrix(&nodes);
        for i in 0..6 {
            let slope: f64 = (0..6).map(|j| d[i * 6 + j] * nodes[j].powi(5)).sum();
            assert!((slope - 5.0 * nodes[i].powi(4)).abs() < 1e-12);
        }
        assert!((lagrange(&nodes, 2, nodes[2]) - 1.0).abs() < 1e-14);
    }
}
