//! Functions of the complex frequency that neither overflow nor cancel.

use num_complex::Complex64;

/// Impedance of diffusion in a sphere, tanh r / (r - tanh r) with r = sqrt(s), in units of
/// (R/D)(-dU/dc)/F, at s = i omega R^2/D (T. Jacobsen, K. West, Electrochim. Acta 40 (1995) 255).
///
/// ```
/// use num_complex::Complex64;
/// let z = scalade_cell::sphere_impedance(Complex64::new(0.0, 100.0));
/// assert!((z - Complex64::new(0.06989671603527, -0.08140954627451)).norm() < 1e-14);
/// ```
pub fn sphere_impedance(s: Complex64) -> Complex64 {
    if s.norm() < 0.05 {
        // Laurent series: the two terms of the difference agree in their leading digits there.
        return 3.0 / s + 0.2 - s / 175.0 + s * s * (2.0 / 7875.0) - s * s * s * (37.0 / 3_031_875.0);
    }
    let r = s.sqrt();
    let t = tanh(r);
    t / (r - t)
}

/// tanh for a nonnegative real part.
fn tanh(r: Complex64) -> Complex64 {
    let decay = (-2.0 * r).exp();
    (1.0 - decay) / (1.0 + decay)
}

/// coth(l)/l at l^2 = `square`.
pub(super) fn coth_over(square: Complex64) -> Complex64 {
    if square.norm() < 1e-2 {
        return 1.0 / square + 1.0 / 3.0 - square / 45.0 + square * square * (2.0 / 945.0)
            - square * square * square / 4725.0
            + square.powi(4) * (2.0 / 93_555.0);
    }
    let l = square.sqrt();
    1.0 / (l * tanh(l))
}

/// 1/(l sinh l) at l^2 = `square`.
pub(super) fn csch_over(square: Complex64) -> Complex64 {
    if square.norm() < 1e-2 {
        return 1.0 / square - 1.0 / 6.0 + square * (7.0 / 360.0) - square * square * (31.0 / 15_120.0)
            + square * square * square * (127.0 / 604_800.0)
            - square.powi(4) * (73.0 / 3_421_440.0);
    }
    let l = square.sqrt();
    let decay = (-l).exp();
    2.0 * decay / (l * (1.0 - decay * decay))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e06_sphere_kernel() {
        let table = [
            (0.01, 0.1999999746032, -300.0000571428),
            (1.0, 0.1997466290531, -3.005702111538),
            (100.0, 0.06989671603527, -0.08140954627451),
            (1e4, 0.007070350634381, -0.007171774846929),
        ];
        for (omega, re, im) in table {
            let z = sphere_impedance(Complex64::new(0.0, omega));
            assert!((z.re - re).abs() < 1e-12 && (z.im / im - 1.0).abs() < 1e-12, "{omega}: {z}");
        }
        let far = sphere_impedance(Complex64::new(0.0, 1e12));
        assert!((far.re / (0.5e-12_f64).sqrt() - 1.0).abs() < 1e-5 && far.is_finite());
        let near = sphere_impedance(Complex64::new(0.0, 1e-8));
        assert!((near.re - 0.2).abs() < 1e-7 && (near.im + 3e8).abs() < 1.0);
    }

    #[test]
    fn series_and_closed_forms_meet() {
        for (edge, function) in
            [(0.05, sphere_impedance as fn(Complex64) -> Complex64), (1e-2, coth_over), (1e-2, csch_over)]
        {
            for phase in [0.0_f64, 0.8, 1.57] {
                let at = |size: f64| function(Complex64::from_polar(size, phase));
                let (below, above) = (at(edge * (1.0 - 1e-9)), at(edge * (1.0 + 1e-9)));
                let slope = (at(edge * 1.0002) - at(edge * 1.0001)) / (1e-4 * edge);
                let expected = slope * 2e-9 * edge;
                assert!(((above - below - expected) / above).norm() < 2e-11, "{below} {above}");
            }
        }
    }
}
