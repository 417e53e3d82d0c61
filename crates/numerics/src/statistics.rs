//! Statistics of correlated series, with fixed-order sums.

/// Sum in fixed chunks of 4096 with eight lanes: the same bits for any caller and thread count, and less rounding
/// error than a running sum.
pub fn ordered_sum(values: &[f64]) -> f64 {
    let mut total = 0.0;
    for chunk in values.chunks(4096) {
        let mut lanes = [0.0; 8];
        let mut parts = chunk.chunks_exact(8);
        for part in &mut parts {
            for (lane, v) in lanes.iter_mut().zip(part) {
                *lane += v;
            }
        }
        for (lane, v) in lanes.iter_mut().zip(parts.remainder()) {
            *lane += v;
        }
        total +=
            ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
    }
    total
}

/// Arithmetic mean; 0 for an empty slice.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { ordered_sum(values) / values.len() as f64 }
}

/// Unbiased variance sum (x - mean)^2 / (n - 1); 0 below two values.
pub fn variance(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let m = mean(values);
    let squares: Vec<f64> = values.iter().map(|v| (v - m) * (v - m)).collect();
    ordered_sum(&squares) / (values.len() - 1) as f64
}

/// Mean of a correlated series with the standard error that its correlation leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlockedMean {
    /// Mean.
    pub mean: f64,
    /// Standard error of the mean.
    pub standard_error: f64,
    /// Variance of single values (unbiased if uncorrelated).
    pub variance: f64,
    /// Statistical inefficiency: 2 x integrated autocorrelation time in steps, 1 if uncorrelated.
    pub inefficiency: f64,
    /// Whether the standard error reached its plateau before too few blocks were left.
    pub plateau: bool,
}

/// Blocking analysis of H. Flyvbjerg and H. G. Petersen, J. Chem. Phys. 91, 461 (1989): neighbours are averaged until the
/// standard error stops growing within its own error. The block level is the smallest for which
/// 2^(3 level) > 2 n (inefficiency)^2 (U. Wolff, Comput. Phys. Commun. 156, 143 (2004); R. M. Lee et al., PRE 83, 066706 (2011)).
pub fn blocked_mean(series: &[f64]) -> BlockedMean {
    let n = series.len();
    let m = mean(series);
    let var = variance(series);
    if n < 4 || var == 0.0 {
        let standard_error = if n > 1 { (var / n as f64).sqrt() } else { 0.0 };
        return BlockedMean { mean: m, standard_error, variance: var, inefficiency: 1.0, plateau: n >= 4 };
    }
    let naive = var / n as f64;
    let mut blocks = series.to_vec();
    let mut level = 0u32;
    let (mut chosen, mut plateau) = (naive, false);
    while blocks.len() >= 4 {
        let squared = variance(&blocks) / blocks.len() as f64;
        chosen = chosen.max(squared);
        let inefficiency = squared / naive;
        if 8f64.powi(level as i32) > 2.0 * n as f64 * inefficiency * inefficiency {
            chosen = squared;
            plateau = true;
            break;
        }
        blocks = blocks.chunks_exact(2).map(|p| 0.5 * (p[0] + p[1])).collect();
        level += 1;
    }
    let inefficiency = (chosen / naive).max(1.0);
    BlockedMean { mean: m, standard_error: chosen.sqrt(), variance: var, inefficiency, plateau }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Philox;

    #[test]
    fn autoregressive_series_have_the_right_error() {
        // x_t = phi x_{t-1} + noise has statistical inefficiency (1 + phi)/(1 - phi).
        for (phi, n) in [(0.0, 1 << 14), (0.8, 1 << 15), (0.95, 1 << 17)] {
            let exact = (1.0 + phi) / (1.0 - phi);
            let mut inside = 0;
            for replica in 0..40 {
                let mut rng = Philox::new(11, 0, replica);
                let mut x = rng.normal() / f64::sqrt(1.0 - phi * phi);
                let series: Vec<f64> = (0..n)
                    .map(|_| {
                        x = phi * x + rng.normal();
                        x
                    })
                    .collect();
                let blocked = blocked_mean(&series);
                assert!(blocked.plateau);
                assert!(
                    (blocked.inefficiency / exact - 1.0).abs() < 0.45,
                    "{} {exact}",
                    blocked.inefficiency
                );
                inside += u32::from(blocked.mean.abs() < 2.0 * blocked.standard_error);
            }
            assert!(inside >= 33, "phi {phi}: only {inside} of 40 means within two standard errors");
        }
    }

    #[test]
    fn sums_are_exact_where_they_can_be() {
        let values: Vec<f64> = (0..100_003).map(f64::from).collect();
        assert_eq!(ordered_sum(&values), 100_002.0 * 100_003.0 / 2.0);
        assert_eq!(ordered_sum(&[]), 0.0);
    }
}
