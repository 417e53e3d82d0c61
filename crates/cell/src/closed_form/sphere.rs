//! Surface of a sphere under a flux that changes in steps: exact at any time, without stepping.
//!
//! A flux J out of a sphere that was uniform lowers the surface concentration by J R/D S(tau), tau = D t/R^2,
//! S(tau) = 3 tau + E(tau) (Carslaw and Jaeger, Conduction of Heat in Solids, 9.7), with
//!
//! ```text
//! E = 1/5 - 2 sum exp(-l^2 tau)/l^2, tan l = l,        for long times,
//! S = exp(tau) (1 + erf sqrt(tau)) - 1 = sum tau^(k/2)/Gamma(k/2 + 1),        for short times.
//! ```
//!
//! The second form is the exact inverse of the Laplace transform 1/(s (sqrt(s) - 1)), which differs from that of
//! S, tanh q/(s (q - tanh q)) with q = sqrt(s), by terms of the size exp(-2q), in time exp(-1/tau). The diffusion
//! equation is linear: the state is the sum of the responses to all changes of the flux. Those that lie back far
//! enough are kept together as amplitudes of the first modes; the others one by one.

use crate::single_particle::SphereSeries;
use std::sync::LazyLock;

/// Modes in which old changes of the flux are kept.
const MODES: usize = 32;
/// Below this tau the short-time form holds to rounding, above it the first eleven modes do.
const SHORT: f64 = 0.03;
/// Terms of the short-time form that are not below rounding up to [`SHORT`].
const TERMS: usize = 17;
/// exp(-NEGLIGIBLE) is below rounding.
const NEGLIGIBLE: f64 = 37.0;

/// l^2 of the modes.
static SQUARES: LazyLock<[f64; MODES]> = LazyLock::new(|| {
    let series = SphereSeries::new(MODES);
    std::array::from_fn(|n| series.roots()[n] * series.roots()[n])
});

/// Coefficients of E in powers of sqrt(tau).
const COEFFICIENTS: [f64; TERMS] = coefficients();

const fn coefficients() -> [f64; TERMS] {
    let mut c = [0.0; TERMS];
    c[0] = 1.0;
    c[1] = std::f64::consts::FRAC_2_SQRT_PI;
    let mut k = 2;
    while k < TERMS {
        c[k] = 2.0 / k as f64 * c[k - 2];
        k += 1;
    }
    // S has no constant, and E = S - 3 tau.
    c[0] = 0.0;
    c[2] -= 3.0;
    c
}

/// E(tau), to rounding.
fn transient(tau: f64, squares: &[f64; MODES]) -> f64 {
    if tau < SHORT {
        let root = tau.sqrt();
        return COEFFICIENTS.iter().rev().fold(0.0, |sum, c| sum * root + c);
    }
    let mut sum = 0.0;
    for square in squares {
        let decay = square * tau;
        if decay > NEGLIGIBLE {
            break;
        }
        sum += (-decay).exp() / square;
    }
    0.2 - 2.0 * sum
}

/// A change of the flux.
#[derive(Debug, Clone, Copy)]
struct Change {
    /// D t/R^2 since then.
    age: f64,
    /// Change of J R/(D c_max).
    size: f64,
}

/// The particles of one electrode.
#[derive(Debug, Clone)]
pub(super) struct Sphere {
    squares: &'static [f64; MODES],
    /// D/R^2, 1/s.
    rate: f64,
    /// J R/(D c_max) for a cell current density of 1 A/m2, m2/A.
    gain: f64,
    /// Mean stoichiometry.
    mean: f64,
    /// Present J R/(D c_max).
    flux: f64,
    /// Whether any change is old.
    old: bool,
    /// Distance of surface and mean in the steady state of the old changes, and the modes' part of it.
    steady: f64,
    amplitudes: [f64; MODES],
    recent: Vec<Change>,
}

impl Sphere {
    /// A sphere at rest at stoichiometry `mean`; `rate` is D/R^2 (1/s), `gain` is J R/(D c_max) for a cell
    /// current density of 1 A/m2.
    pub(super) fn new(mean: f64, rate: f64, gain: f64) -> Self {
        Self {
            squares: &SQUARES,
            rate,
            gain,
            mean,
            flux: 0.0,
            old: false,
            steady: 0.0,
            amplitudes: [0.0; MODES],
            recent: Vec::with_capacity(4),
        }
    }

    pub(super) fn mean(&self) -> f64 {
        self.mean
    }

    /// Rate of the mean stoichiometry, 1/s.
    pub(super) fn mean_rate(&self) -> f64 {
        -3.0 * self.flux * self.rate
    }

    /// D/R^2, 1/s.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// From now on the cell current density is `current`, A/m2.
    pub(super) fn set_current(&mut self, current: f64) {
        let flux = self.gain * current;
        if flux != self.flux {
            self.recent.push(Change { age: 0.0, size: flux - self.flux });
            self.flux = flux;
        }
    }

    /// Stoichiometry of the surface `seconds` from now.
    pub(super) fn surface(&self, seconds: f64) -> f64 {
        let tau = self.rate * seconds;
        let mut x = self.mean - 3.0 * self.flux * tau - self.steady;
        if self.old {
            for (amplitude, square) in self.amplitudes.iter().zip(self.squares) {
                let decay = square * tau;
                if decay > NEGLIGIBLE {
                    break;
                }
                x += amplitude * (-decay).exp();
            }
        }
        for change in &self.recent {
            x -= change.size * transient(change.age + tau, self.squares);
        }
        x
    }

    /// Lets `seconds` pass.
    pub(super) fn advance(&mut self, seconds: f64) {
        let tau = self.rate * seconds;
        self.mean -= 3.0 * self.flux * tau;
        if self.old {
            for (amplitude, square) in self.amplitudes.iter_mut().zip(self.squares) {
                *amplitude *= (-square * tau).exp();
            }
        }
        // The modes that are left out of the amplitudes have died away by then.
        let old = NEGLIGIBLE / self.squares[MODES - 1];
        let Self { squares, amplitudes, steady, old: any, .. } = self;
        self.recent.retain_mut(|change| {
            change.age += tau;
            if change.age < old {
                return true;
            }
            *any = true;
            *steady += 0.2 * change.size;
            for (amplitude, square) in amplitudes.iter_mut().zip(squares.iter()) {
                *amplitude += 2.0 * change.size / square * (-square * change.age).exp();
            }
            false
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_agree_where_they_meet_and_with_the_long_series() {
        let long = SphereSeries::new(20_000);
        for tau in [1e-4, 1e-3, 0.01, 0.02, 0.029_999, 0.03, 0.05, 0.3, 2.0] {
            let wanted = long.surface_deviation(tau) - 3.0 * tau;
            // The tail of 20 000 modes has died away at tau = 1e-8.
            let found = transient(tau, &SQUARES);
            assert!((found - wanted).abs() < 2e-15, "{tau}: {found} {wanted}");
        }
        let (below, above) = (transient(SHORT * (1.0 - 1e-15), &SQUARES), transient(SHORT, &SQUARES));
        assert!((below - above).abs() < 2e-15, "{below} {above}");
    }

    /// A row of short and long steps against the sum of the responses to every change.
    #[test]
    fn history_is_the_sum_of_all_changes() {
        let (rate, gain, start) = (2e-4, 0.011, 0.6);
        let mut sphere = Sphere::new(start, rate, gain);
        let series = SphereSeries::new(4000);
        let mut changes: Vec<(f64, f64)> = Vec::new();
        let (mut now, mut before) = (0.0, 0.0);
        let steps =
            [(20.0, 100.0), (0.0, 0.3), (-7.0, 40.0), (-7.0, 3.0), (3.0, 900.0), (0.0, 5000.0), (9.0, 0.01)];
        for (current, seconds) in steps {
            changes.push((now, current - before));
            before = current;
            sphere.set_current(current);
            for part in [0.0, 1e-3, 0.2, 1.0] {
                let at = now + part * seconds;
                let wanted = changes
                    .iter()
                    .fold(start, |x, (t, i)| x - gain * i * series.surface_deviation(rate * (at - t)));
                let found = sphere.surface(part * seconds);
                assert!((found - wanted).abs() < 1e-13, "{now} {part}: {found} {wanted}");
            }
            sphere.advance(seconds);
            now += seconds;
        }
        let drawn: f64 = steps.iter().map(|(i, t)| i * t).sum();
        assert!((sphere.mean() - (start - 3.0 * gain * rate * drawn)).abs() < 1e-14);
        assert!(sphere.recent.len() < 3 && sphere.old);
    }
}
