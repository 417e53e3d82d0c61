//! Activation energy of a diffusivity, and the chemical diffusivity.

use crate::{HoppingError, error::exceeds};
use scalade_units::constants::BOLTZMANN_EV;
use serde::{Deserialize, Serialize};

/// ln D = ln D_0 - E_a/kT fitted to diffusivities at several temperatures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arrhenius {
    /// Activation energy, eV.
    pub activation_ev: f64,
    /// Its standard error, eV.
    pub activation_std_ev: f64,
    /// ln of the prefactor, whose unit is that of the diffusivities.
    pub log_prefactor: f64,
    /// Its standard error.
    pub log_prefactor_std: f64,
    /// Sum of squared residuals over their errors; about (points - 2) where the law holds.
    pub chi2: f64,
    /// Number of points less two.
    pub degrees_of_freedom: usize,
}

/// Weighted least squares of ln D against 1/kT with weights (D/std)^2. `points` are (temperature in K, D, standard error of D).
///
/// ```
/// use scalade_hopping::arrhenius;
/// let k = 8.617_333_262_145_179e-5;
/// let d = |t: f64| 3e-7 * (-0.3 / (k * t)).exp();
/// let points: Vec<_> = [280.0, 320.0, 360.0].iter().map(|t| (*t, d(*t), 0.05 * d(*t))).collect();
/// let fit = arrhenius(&points)?;
/// assert!((fit.activation_ev - 0.3).abs() < 1e-12 && fit.chi2 < 1e-15);
/// # Ok::<(), scalade_hopping::HoppingError>(())
/// ```
pub fn arrhenius(points: &[(f64, f64, f64)]) -> Result<Arrhenius, HoppingError> {
    let (mut s, mut sx, mut sy) = (0.0, 0.0, 0.0);
    let mut rows = Vec::with_capacity(points.len());
    for (temperature, diffusivity, error) in points {
        let temperature = crate::error::positive("temperature (K)", *temperature)?;
        let diffusivity = crate::error::positive("diffusivity", *diffusivity)?;
        let error = crate::error::positive("standard error of a diffusivity", *error)?;
        let (x, y) = (1.0 / (BOLTZMANN_EV * temperature), diffusivity.ln());
        let weight = (diffusivity / error).powi(2);
        rows.push((x, y, weight));
        s += weight;
        sx += weight * x;
        sy += weight * y;
    }
    let (x_mean, y_mean) = (sx / s, sy / s);
    let sxx: f64 = rows.iter().map(|(x, _, w)| w * (x - x_mean).powi(2)).sum();
    let sxy: f64 = rows.iter().map(|(x, y, w)| w * (x - x_mean) * (y - y_mean)).sum();
    if rows.len() < 2 || exceeds(1e-12 * s * x_mean * x_mean, sxx) {
        let want = "at least two different temperatures are due";
        return Err(HoppingError::Parameter { what: "Arrhenius points", value: rows.len() as f64, want });
    }
    let slope = sxy / sxx;
    let chi2 = rows.iter().map(|(x, y, w)| w * (y - y_mean - slope * (x - x_mean)).powi(2)).sum();
    Ok(Arrhenius {
        activation_ev: -slope,
        activation_std_ev: (1.0 / sxx).sqrt(),
        log_prefactor: y_mean - slope * x_mean,
        log_prefactor_std: (1.0 / s + x_mean * x_mean / sxx).sqrt(),
        chi2,
        degrees_of_freedom: rows.len() - 2,
    })
}

/// A tensor with the standard error of each component, m2/s.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TensorWithError {
    /// Cartesian components, m2/s.
    pub value_m2_s: [[f64; 3]; 3],
    /// Standard errors, m2/s.
    pub std_m2_s: [[f64; 3]; 3],
}

/// Chemical diffusivity D_chem = theta D_J with the thermodynamic factor theta = d(mu/kT)/d ln x. Errors of the two factors are
/// independent. A negative theta (inside a spinodal) gives a negative diffusivity, reported as it is.
///
/// The textbook shortcut theta D* is wrong by the Haven ratio D*/D_J; pass the tracer tensor instead of the jump tensor to
/// report it for comparison.
pub fn chemical_diffusivity(
    theta: f64,
    theta_std: f64,
    jump: &TensorWithError,
) -> Result<TensorWithError, HoppingError> {
    if !(theta.is_finite() && theta_std.is_finite() && theta_std >= 0.0) {
        let value = if theta.is_finite() { theta_std } else { theta };
        let want = "a finite factor with a finite error >= 0 is due";
        return Err(HoppingError::Parameter { what: "thermodynamic factor", value, want });
    }
    let combine = |v: f64, s: f64| (theta * s).hypot(theta_std * v);
    Ok(TensorWithError {
        value_m2_s: jump.value_m2_s.map(|row| row.map(|v| theta * v)),
        std_m2_s: std::array::from_fn(|i| {
            std::array::from_fn(|j| combine(jump.value_m2_s[i][j], jump.std_m2_s[i][j]))
        }),
    })
}
