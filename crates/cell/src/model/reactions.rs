//! Kinetics of several parallel reactions with transfer coefficients of their own (MSMR):
//!
//! ```text
//! j = sum_i J_i (exp((1 - a_i) u) - exp(-a_i u)),    u = F eta/RT
//! ```
//!
//! (D. Baker, M. Verbrugge, J. Electrochem. Soc. 165 (2018) A3952, equation 15). The sum is monotone in u and is
//! inverted to rounding; its derivatives follow exactly.

use crate::msmr::Msmr;
use crate::parameters::{ActiveMaterial, Kinetics};
use crate::property::{Property, Undefined, point};

/// Largest |u|; no interface that a model should reach comes near it.
const LARGEST: f64 = 600.0;

/// The reactions of one family.
#[derive(Debug, Clone)]
pub(super) struct Reactions {
    curve: Msmr,
    transfer: Vec<f64>,
    /// Exchange-current densities and their derivatives with respect to the salt and to the surface concentration:
    /// by place, then by reaction.
    values: Vec<f64>,
    by_salt: Vec<f64>,
    by_solid: Vec<f64>,
    scratch: Vec<(f64, f64)>,
}

/// Overpotential and its derivatives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interface {
    /// V
    pub(super) eta: f64,
    /// With respect to the interfacial current, ohm m2.
    pub(super) by_flux: f64,
    /// With respect to the salt concentration, V m3/mol.
    pub(super) by_salt: f64,
    /// With respect to the surface concentration, V m3/mol.
    pub(super) by_solid: f64,
}

impl Reactions {
    /// `None` where one exchange-current density is all there is: also if all transfer coefficients are 1/2, for
    /// then the reactions add up to one.
    pub(super) fn new(material: &ActiveMaterial, places: usize) -> Option<Self> {
        let (Property::Msmr(curve), Kinetics::Msmr) =
            (&material.exchange_current.at_reference, material.kinetics)
        else {
            return None;
        };
        let transfer: Vec<f64> = curve.species().iter().map(|species| species.transfer_coefficient).collect();
        if transfer.iter().all(|a| *a == 0.5) {
            return None;
        }
        let zero = vec![0.0; places * transfer.len()];
        Some(Self {
            curve: curve.clone(),
            scratch: vec![(0.0, 0.0); transfer.len()],
            transfer,
            values: zero.clone(),
            by_salt: zero.clone(),
            by_solid: zero,
        })
    }

    /// Evaluates the exchange-current densities at all places; `inward` is the direction of the surface concentration.
    pub(super) fn evaluate(
        &mut self,
        variables: [&[f64]; 4],
        inward: [f64; 4],
        factor: f64,
        derivatives: bool,
    ) -> Result<(), Undefined> {
        let count = self.transfer.len();
        let directions: &[[f64; 4]] = if derivatives { &[[0.0, 1.0, 0.0, 0.0], inward] } else { &[[0.0; 4]] };
        for index in 0..self.values.len() / count {
            let point = point(variables, index);
            for (which, direction) in directions.iter().enumerate() {
                self.curve
                    .exchange_currents(point, *direction, &mut self.scratch)
                    .ok_or(Undefined { index, value: point[0] })?;
                for (i, (value, slope)) in self.scratch.iter().enumerate() {
                    let at = index * count + i;
                    self.values[at] = factor * value;
                    if which == 0 {
                        self.by_salt[at] = factor * slope;
                    } else {
                        self.by_solid[at] = factor * slope;
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn interface(&self, place: usize, j: f64, thermal_voltage: f64) -> Interface {
        let count = self.transfer.len();
        let range = place * count..(place + 1) * count;
        let currents = &self.values[range.clone()];
        let u = driving(currents, &self.transfer, j);
        let (_, slope) = current(currents, &self.transfer, u);
        let along = |derivatives: &[f64]| -> f64 {
            let terms = derivatives.iter().zip(&self.transfer);
            terms.map(|(d, a)| d * (-a * u).exp() * u.exp_m1()).sum::<f64>()
        };
        Interface {
            eta: thermal_voltage * u,
            by_flux: thermal_voltage / slope,
            by_salt: -thermal_voltage * along(&self.by_salt[range.clone()]) / slope,
            by_solid: -thermal_voltage * along(&self.by_solid[range]) / slope,
        }
    }
}

/// The sum of the reactions at u, and its derivative.
fn current(currents: &[f64], transfer: &[f64], u: f64) -> (f64, f64) {
    let (mut sum, mut slope) = (0.0, 0.0);
    for (current, a) in currents.iter().zip(transfer) {
        let backward = (-a * u).exp();
        sum += current * backward * u.exp_m1();
        slope += current * ((1.0 - a) * ((1.0 - a) * u).exp() + a * backward);
    }
    (sum, slope)
}

/// u at current density j, by Newton's method on asinh(sum/2J) = asinh(j/2J), J the sum of the exchange currents,
/// which is linear for transfer coefficients of 1/2; kept inside a bracket. +-600 where bounded reactions (a = 0 or 1)
/// cannot carry the current.
fn driving(currents: &[f64], transfer: &[f64], j: f64) -> f64 {
    let scale = 0.5 / currents.iter().sum::<f64>();
    let target = (j * scale).asinh();
    if target == 0.0 || !target.is_finite() {
        return target;
    }
    let sign = j.signum();
    let mut far = (2.0 * target.abs()).clamp(1e-300, LARGEST);
    while far < LARGEST && sign * (current(currents, transfer, sign * far).0 - j) < 0.0 {
        far = (2.0 * far).min(LARGEST);
    }
    // Sizes of u between which the root lies.
    let (mut near, mut size, mut before) = (0.0, far, far);
    for _ in 0..200 {
        let (sum, slope) = current(currents, transfer, sign * size);
        let scaled = sum * scale;
        let miss = sign * (target - scaled.asinh());
        if miss > 0.0 {
            near = size;
        } else {
            far = size;
        }
        let newton = size + miss * scaled.hypot(1.0) / (slope * scale);
        // A step that does not halve the last one is one of bisection.
        let good = newton >= near && newton <= far && (newton - size).abs() <= 0.5 * before;
        let next = if good { newton } else { 0.5 * (near + far) };
        let moved = (next - size).abs();
        (size, before) = (next, moved);
        if miss == 0.0 || moved <= 2.0 * f64::EPSILON * size {
            break;
        }
    }
    sign * size
}

#[cfg(test)]
mod tests {
    use super::{current, driving};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_inverse_gives_the_current_back(
            currents in proptest::collection::vec(1e-6_f64..1e3, 3),
            transfer in proptest::collection::vec(0.05_f64..0.95, 3),
            exponent in -12.0_f64..6.0,
            negative in any::<bool>(),
        ) {
            let j = 10.0_f64.powf(exponent) * if negative { -1.0 } else { 1.0 };
            let u = driving(&currents, &transfer, j);
            let (sum, slope) = current(&currents, &transfer, u);
            // u is known to its last digits.
            prop_assert!((sum - j).abs() <= 8.0 * f64::EPSILON * (slope * u).abs().max(j.abs()), "{u}: {sum} {j}");
        }
    }

    #[test]
    fn limits_of_the_inverse() {
        for j in [-1e3, -1e-9, 1e-14, 0.3, 1e5] {
            let u = driving(&[1.5, 0.5], &[0.5, 0.5], j);
            let exact = 2.0 * (j / 4.0_f64).asinh();
            assert!((u - exact).abs() <= 8.0 * f64::EPSILON * exact.abs(), "{j}: {u} {exact}");
        }
        assert_eq!(driving(&[1.0, 2.0], &[0.3, 0.9], 0.0), 0.0);
        // With a = 1, j = J (1 - exp(-u)) stays below J.
        let u = driving(&[2.0], &[1.0], 1.0);
        assert!((u - 2.0_f64.ln()).abs() < 1e-15, "{u}");
        assert_eq!(driving(&[2.0], &[1.0], 3.0), 600.0);
        assert!(driving(&[2.0], &[0.4], f64::NAN).is_nan());
    }
}
