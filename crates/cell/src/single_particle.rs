//! Closed-form references: constant flux out of a sphere, and the single-particle model built on it.

use crate::error::CellError;
use crate::parameters::{Electrode, ParameterSet};
use crate::{FARADAY, GAS_CONSTANT};

/// Series of the surface concentration of a sphere under constant flux (Carslaw and Jaeger, Conduction of
/// Heat in Solids, 9.7).
#[derive(Debug, Clone)]
pub struct SphereSeries {
    /// Positive roots of tan l = l.
    roots: Vec<f64>,
}

impl Default for SphereSeries {
    fn default() -> Self {
        Self::new(400)
    }
}

impl SphereSeries {
    /// The series with `terms` terms.
    pub fn new(terms: usize) -> Self {
        let roots = (1..=terms)
            .map(|n| {
                // Newton's method on sin l - l cos l from the asymptotic root (n + 1/2) pi - 1/((n + 1/2) pi).
                let base = (n as f64 + 0.5) * std::f64::consts::PI;
                let mut root = base - 1.0 / base;
                for _ in 0..20 {
                    root -= (root.sin() - root * root.cos()) / (root * root.sin());
                }
                root
            })
            .collect();
        Self { roots }
    }

    /// Positive roots of tan l = l, increasing.
    pub(crate) fn roots(&self) -> &[f64] {
        &self.roots
    }

    /// (c0 - c_surface) D / (J R) at tau = D t / R^2, for a flux J out of the sphere:
    /// 3 tau + 1/5 - 2 sum exp(-l^2 tau)/l^2. Below tau = 1e-5 the short-time expansion is used.
    pub fn surface_deviation(&self, tau: f64) -> f64 {
        if tau <= 0.0 {
            return 0.0;
        }
        if tau < 1e-5 {
            // Laplace inversion of tanh(q)/(q^2 (q - tanh q)) for large q, i.e. of q^-3 + q^-4 + q^-5 +
            // q^-6 + ...
            let root = (tau / std::f64::consts::PI).sqrt();
            return 2.0 * root + tau + 4.0 / 3.0 * tau * root + 0.5 * tau * tau;
        }
        let sum: f64 = self.roots.iter().map(|l| (-l * l * tau).exp() / (l * l)).sum();
        3.0 * tau + 0.2 - 2.0 * sum
    }
}

/// [`SphereSeries::surface_deviation`] of the default series.
pub fn sphere_surface_deviation(tau: f64) -> f64 {
    SphereSeries::default().surface_deviation(tau)
}

/// Terminal voltage at `time_s` of the single-particle model under constant current density `current` (A
/// per m2 of electrode pair), with the surface concentrations of [`SphereSeries`]: V = U_p - U_n - eta_n -
/// eta_p, eta = (2RT/F) asinh(j/(2 j0)), no losses in the electrolyte.
///
/// # Errors
/// [`CellError::Parameter`] if a diffusivity is not constant, or a property has no value at the surface
/// concentration.
pub fn single_particle_voltage(
    p: &ParameterSet,
    current: f64,
    time_s: f64,
    series: &SphereSeries,
) -> Result<f64, CellError> {
    let negative = match p.negative.porous() {
        Some(electrode) => surface(electrode, current, time_s, series, p)?,
        None => {
            return Err(CellError::Parameter {
                name: "lithium metal electrode".to_owned(),
                value: f64::NAN,
                requirement: "has no particles: the closed form is that of a full cell".to_owned(),
            });
        }
    };
    let positive = surface(&p.positive, -current, time_s, series, p)?;
    Ok(positive - negative)
}

/// Potential U + eta of one electrode whose lithium leaves with `current`.
fn surface(
    electrode: &Electrode,
    current: f64,
    time_s: f64,
    series: &SphereSeries,
    p: &ParameterSet,
) -> Result<f64, CellError> {
    let e = &electrode.material;
    let kelvin = p.initial_temperature_k;
    let reference = p.reference_temperature_k;
    let constant = e.diffusivity.at_reference.as_constant().ok_or_else(|| CellError::Parameter {
        name: "particle diffusivity".to_owned(),
        value: f64::NAN,
        requirement: "must be constant for the closed form".to_owned(),
    })?;
    let d = constant * e.diffusivity.arrhenius_factor(kelvin, reference);
    let radius = e.particle_radius_m;
    let j = current / (e.specific_surface() * electrode.thickness_m);
    let tau = d * time_s / (radius * radius);
    let c = e.initial_concentration - j / FARADAY * radius / d * series.surface_deviation(tau);
    let x = c / e.max_concentration;
    let point = [x, p.electrolyte.initial_concentration, c, kelvin];
    let u = e.open_circuit.at_reference.value(point)?
        + e.open_circuit.excess(kelvin, reference) * e.open_circuit.entropic_slope.value(point)?;
    let j0 = e.exchange_current.at_reference.value(point)?
        * e.exchange_current.arrhenius_factor(kelvin, reference);
    Ok(u + 2.0 * GAS_CONSTANT * kelvin / FARADAY * (j / (2.0 * j0)).asinh())
}
