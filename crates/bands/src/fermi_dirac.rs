//! Complete Fermi-Dirac integrals, normalised so that F_j tends to e^eta for eta -> -infinity:
//!
//! F_j(eta) = 1/Gamma(j+1) int_0^inf x^j / (e^(x - eta) + 1) dx, dF_j/deta = F_(j-1)
//!
//! (J. S. Blakemore, Solid-State Electron. 25, 1067 (1982)). Orders are whole and half numbers from -1/2. No fitted formula enters:
//! - eta <= 0: the series -Li_(j+1)(-e^eta), an alternating one, summed by the method of H. Cohen, F. Rodriguez Villegas and D. Zagier
//!   (Exp. Math. 9, 3 (2000), algorithm 1), whose error falls as 5.8^-n;
//! - whole j, eta > 0: the reflection F_j(eta) = (-1)^j F_j(-eta) + a polynomial, which is exact;
//! - half-whole j, 0 < eta < 40: with x = y^2 the integrand is even and analytic within |Im y| < Im sqrt(eta + i pi), so that the trapezoidal rule
//!   converges exponentially (N. Mohankumar, A. Natarajan, Phys. Status Solidi B 188, 635 (1995));
//! - half-whole j, eta >= 40: Sommerfeld's expansion, whose smallest term is of the size e^-eta.

use crate::error::{BandsError, positive, refuse};

/// Above this the expansion of Sommerfeld is used: e^-40 is below the rounding of a double.
const SOMMERFELD: f64 = 40.0;
/// Terms of the accelerated alternating series: 5.8^-26 = 1e-20.
const ALTERNATING_TERMS: usize = 26;
/// Step of the trapezoidal rule in y: e^(-2 pi 0.248 / 0.04) = 1e-17 at eta = 40, where the pole is nearest.
const STEP: f64 = 0.04;
/// Largest order, times two.
const LARGEST_TWICE: u8 = 40;

/// Order j of a Fermi-Dirac integral: a whole or half number from -1/2 to 20.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    twice: i32,
}

impl Order {
    /// j = -1/2.
    pub const MINUS_HALF: Self = Self { twice: -1 };
    /// j = 0, where F_0 = ln(1 + e^eta).
    pub const ZERO: Self = Self { twice: 0 };
    /// j = 1/2.
    pub const HALF: Self = Self { twice: 1 };
    /// j = 1.
    pub const ONE: Self = Self { twice: 2 };
    /// j = 3/2.
    pub const THREE_HALVES: Self = Self { twice: 3 };
    /// j = 2.
    pub const TWO: Self = Self { twice: 4 };
    /// j = 5/2.
    pub const FIVE_HALVES: Self = Self { twice: 5 };

    /// The order j.
    ///
    /// Errors: a number that is not a half of a whole one, or outside -1/2 to 20.
    pub fn new(order: f64) -> Result<Self, BandsError> {
        let twice = 2.0 * order;
        if twice.fract() == 0.0 && (-1.0..=f64::from(LARGEST_TWICE)).contains(&twice) {
            Ok(Self { twice: twice as i32 })
        } else {
            refuse(
                "the order of a Fermi-Dirac integral",
                order,
                "a whole or half number from -1/2 to 20 is due",
            )
        }
    }

    /// j.
    pub fn value(self) -> f64 {
        f64::from(self.twice) / 2.0
    }
}

/// Gamma(t/2) for a whole t >= 1, by the recurrence from 1/2 or 1.
pub(crate) fn gamma_of_half(t: i32) -> f64 {
    let (mut value, mut argument) = if t % 2 == 0 { (1.0, 1.0) } else { (std::f64::consts::PI.sqrt(), 0.5) };
    while argument < f64::from(t) / 2.0 - 0.25 {
        value *= argument;
        argument += 1.0;
    }
    value
}

/// n^-s for s = twice/2.
fn power_of(n: f64, twice: i32) -> f64 {
    if twice % 2 == 0 { n.powi(-(twice / 2)) } else { n.powi(-((twice - 1) / 2)) / n.sqrt() }
}

/// sum_(n>=1) (-1)^(n-1) e^(n eta) n^-(j+1) for eta <= 0.
fn series(twice: i32, eta: f64) -> f64 {
    if eta < -40.0 {
        // The second term is below the rounding of the first.
        return eta.exp();
    }
    let fugacity = eta.exp();
    let n = ALTERNATING_TERMS as f64;
    let d = (3.0 + 8f64.sqrt()).powi(ALTERNATING_TERMS as i32);
    let d = 0.5 * (d + 1.0 / d);
    let (mut b, mut c, mut sum, mut power) = (-1.0, -d, 0.0, 1.0);
    for k in 0..ALTERNATING_TERMS {
        let k = k as f64;
        c = b - c;
        sum += c * power * power_of(k + 1.0, twice + 2);
        power *= fugacity;
        b *= (k + n) * (k - n) / ((k + 0.5) * (k + 1.0));
    }
    fugacity * sum / d
}

/// Dirichlet's eta(2n) = sum_(k>=1) (-1)^(k-1) k^-2n; 1/2 for n = 0.
fn dirichlet(n: i32) -> f64 {
    match n {
        0 => 0.5,
        1 => std::f64::consts::PI.powi(2) / 12.0,
        2 => 7.0 * std::f64::consts::PI.powi(4) / 720.0,
        _ => {
            // From 6 on, 40 terms leave 40^-6 = 2e-10 without acceleration: take the accelerated series.
            series(4 * n - 2, 0.0)
        }
    }
}

/// 2 sum_n eta(2n) eta^(j+1-2n) / Gamma(j+2-2n): to the smallest term for half-whole j, finite for whole j.
fn sommerfeld(twice: i32, eta: f64) -> f64 {
    // The factor of the n-th term is that of the one before times (j+3-2n)(j+2-2n) / eta^2.
    let j = f64::from(twice) / 2.0;
    let mut factor = 2.0 * eta.powi(twice / 2 + 1) / gamma_of_half(twice + 4);
    if twice % 2 != 0 {
        let whole = (twice - 1) / 2 + 1;
        factor = 2.0 * eta.powi(whole) * eta.sqrt() / gamma_of_half(twice + 4);
    }
    let mut sum = factor * dirichlet(0);
    for n in 1..60 {
        let m = f64::from(2 * n);
        let ratio = (j + 3.0 - m) * (j + 2.0 - m) / (eta * eta);
        if ratio == 0.0 || (twice % 2 != 0 && ratio.abs() > 1.0 && m > j + 3.0) {
            break;
        }
        factor *= ratio;
        let term = factor * dirichlet(n);
        sum += term;
        if term.abs() < 1e-18 * sum.abs() {
            break;
        }
    }
    sum
}

/// The trapezoidal rule in y = sqrt(x) for half-whole j.
fn trapezoid(twice: i32, eta: f64) -> f64 {
    let steps = ((eta + 45.0).sqrt() / STEP).ceil() as usize;
    let mut sum = if twice == -1 { 0.5 / ((-eta).exp() + 1.0) } else { 0.0 };
    for step in 1..=steps {
        let y = STEP * step as f64;
        sum += y.powi(twice + 1) / ((y * y - eta).exp() + 1.0);
    }
    2.0 * STEP * sum / gamma_of_half(twice + 2)
}

/// F_j(eta), to a relative 1e-12 or better over the whole range of a double (tested from -50 to 1e4).
pub fn fermi_dirac(order: Order, eta: f64) -> f64 {
    let twice = order.twice;
    if eta.is_nan() {
        f64::NAN
    } else if eta <= 0.0 {
        series(twice, eta)
    } else if twice == 0 {
        eta + (-eta).exp().ln_1p()
    } else if twice % 2 == 0 {
        let sign = if twice % 4 == 0 { 1.0 } else { -1.0 };
        sommerfeld(twice, eta) + sign * series(twice, -eta)
    } else if eta < SOMMERFELD {
        trapezoid(twice, eta)
    } else {
        sommerfeld(twice, eta)
    }
}

/// The eta at which F_j(eta) = value, for j >= 1/2 (also 0), to a relative 1e-13 of e^eta or of eta.
///
/// Newton's method on ln F, whose slope F_(j-1)/F_j lies between 0 and 1 and falls with eta, kept inside a bracket.
///
/// Errors: a value that is not a finite number > 0, and the order -1/2, whose derivative is not among the integrals here.
pub fn inverse_fermi_dirac(order: Order, value: f64) -> Result<f64, BandsError> {
    positive("the value of a Fermi-Dirac integral", value)?;
    if order.twice < 0 {
        return refuse("the order of an inverse Fermi-Dirac integral", order.value(), "0 or more is due");
    }
    if order.twice == 0 {
        // ln(1 + e^eta) = value, without loss of digits at either end.
        return Ok(if value < 1.0 { value.exp_m1().ln() } else { value + (-(-value).exp()).ln_1p() });
    }
    let j = order.value();
    let target = value.ln();
    // F_j < e^eta bounds eta from below; F_j(eta) > eta^(j+1)/Gamma(j+2)/2 and F_j(eta) > e^eta/2 for eta <= 0 from above.
    let mut low = target;
    let degenerate = ((2.0 * value).ln() + gamma_of_half(order.twice + 4).ln()) / (j + 1.0);
    let mut high = if value < 0.5 { target + std::f64::consts::LN_2 } else { degenerate.exp().max(1.0) };
    let mut eta = if value < 1.0 { target } else { (degenerate - 0.6 / (j + 1.0)).exp() }.clamp(low, high);
    let lower = Order { twice: order.twice - 2 };
    for _ in 0..200 {
        let f = fermi_dirac(order, eta);
        let miss = f.ln() - target;
        if miss > 0.0 {
            high = eta;
        } else {
            low = eta;
        }
        let step = miss * f / fermi_dirac(lower, eta);
        let next = eta - step;
        let next = if next > low && next < high { next } else { 0.5 * (low + high) };
        let moved = (next - eta).abs();
        eta = next;
        if moved <= 4e-16 * eta.abs().max(1.0) || high <= low {
            break;
        }
    }
    Ok(eta)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(what: &str, got: f64, want: f64, relative: f64) {
        assert!((got / want - 1.0).abs() <= relative, "{what}: {got:.17e} against {want:.17e}");
    }

    #[test]
    fn e1_fermi_dirac_integrals() {
        let table = [
            (-4.0, [0.018081922991399, 0.018198203508367, 0.018256727585108]),
            (-2.0, [0.12366562180121, 0.12929851332008, 0.13224678225177]),
            (0.0, [0.60489864342163, 0.765147024625408, 0.86719988901218]),
            (2.0, [1.4642945890876, 2.8237212774016, 4.1654144598683]),
            (10.0, [3.5527792395366, 24.084656964638, 101.00510084333]),
        ];
        for (eta, want) in table {
            for (order, want) in [Order::MINUS_HALF, Order::HALF, Order::THREE_HALVES].into_iter().zip(want) {
                close(&format!("F_{}({eta})", order.value()), fermi_dirac(order, eta), want, 1e-12);
            }
        }
        close("F_0(2)", fermi_dirac(Order::ZERO, 2.0), 2.12692801104297, 1e-12);
    }

    /// Polylogarithms with 30 digits, and quadrature with 30 digits for the last three.
    #[test]
    fn integrals_agree_with_thirty_digit_references() {
        let etas = [-50.0, -7.5, -0.75, 0.3, 1.7, 5.0, 12.0, 27.0, 45.0, 200.0, 10000.0];
        #[rustfmt::skip]
        let table: [(i32, [f64; 11]); 8] = [
            (-1, [1.9287498479639178e-22, 0.0005528681621776332, 0.3579073242216916, 0.7238460148294636, 1.3366045608996704, 2.472987622482944, 3.8972682319254393, 5.859902602403522, 7.567857081040255, 15.957527139903197, 112.8379162455239]),
            (0, [1.9287498479639178e-22, 0.0005529314753607964, 0.38687100611489994, 0.8543552444685272, 1.8677860293862658, 5.006715348489118, 12.000006144193478, 27.00000000000188, 45.0, 200.0, 10000.0]),
            (1, [1.9287498479639178e-22, 0.0005529762498941281, 0.4090911903855376, 0.964223954840028, 2.4034781210765326, 8.844208895242954, 31.540203287044243, 105.7169610939248, 227.22033247157214, 2127.757786932864, 752252.7873442218]),
            (2, [1.9287498479639178e-22, 0.0005530079133607274, 0.4258943061238318, 1.0540336671330217, 2.9149788270864345, 14.138207435970704, 73.64492792264531, 366.14493406684636, 1014.1449340668482, 20001.644934066848, 50000001.644934066]),
            (3, [1.9287498479639178e-22, 0.0005530303045971386, 0.4384529031479768, 1.1257130920710814, 3.382292350599269, 20.91446740276263, 156.51518642795727, 1149.4527374974177, 4099.924072164106, 170241.62213226332, 3009011297.865633]),
            (4, [1.9287498479639178e-22, 0.0005530461386225977, 0.44774940097062627, 1.1818086593647148, 3.7939429882855245, 29.06473595087995, 307.73921494638637, 3324.913219804904, 15261.52203300817, 1333662.320146703, 166666683116.00735]),
            (5, [1.9287498479639178e-22, 0.0005530573355642951, 0.45457689134305307, 1.2249978002708741, 4.145617677298468, 38.361745734018335, 566.372380835691, 8966.64412743581, 52926.94011726613, 9730092.730100917, 8597175843848.232]),
            (7, [1.9287498479639178e-22, 0.0005530708522532732, 0.46317350860217393, 1.2824288532003354, 4.676588543482919, 59.089189766551236, 1626.623125113301, 54643.026631501096, 532270.4210348589, 432573034.0111259, 1.91048374083851e+16]),
        ];
        for (twice, row) in table {
            let order = Order::new(f64::from(twice) / 2.0).unwrap();
            for (eta, want) in etas.into_iter().zip(row) {
                close(&format!("F_{twice}/2({eta})"), fermi_dirac(order, eta), want, 1e-12);
            }
        }
    }

    /// Composite Gauss-Legendre quadrature of four points in x = u^2: another rule than those of the module.
    fn by_quadrature(twice: i32, eta: f64) -> f64 {
        let rule = [
            (0.069_431_844_202_973_7, 0.173_927_422_568_726_9),
            (0.330_009_478_207_571_9, 0.326_072_577_431_273_1),
            (0.669_990_521_792_428_1, 0.326_072_577_431_273_1),
            (0.930_568_155_797_026_3, 0.173_927_422_568_726_9),
        ];
        let end = (eta.max(0.0) + 60.0).sqrt();
        let pieces = 20_000;
        let width = end / f64::from(pieces);
        let mut sum = 0.0;
        for piece in 0..pieces {
            for (node, weight) in rule {
                let u = width * (f64::from(piece) + node);
                sum += weight * width * 2.0 * u.powi(twice + 1) / ((u * u - eta).exp() + 1.0);
            }
        }
        sum / gamma_of_half(twice + 2)
    }

    #[test]
    fn integrals_agree_with_gauss_quadrature_and_with_their_neighbours_at_the_seams() {
        for twice in [-1, 0, 1, 2, 3, 4, 5, 7] {
            let order = Order::new(f64::from(twice) / 2.0).unwrap();
            for eta in [-12.0, -3.3, -0.01, 0.01, 0.8, 3.3, 17.0, 39.9, 40.1, 90.0] {
                close(
                    &format!("F_{twice}/2({eta})"),
                    fermi_dirac(order, eta),
                    by_quadrature(twice, eta),
                    2e-12,
                );
            }
        }
        for twice in [-1, 1, 3, 5] {
            close("seam at 40", sommerfeld(twice, 40.0), trapezoid(twice, 40.0), 1e-14);
            close("seam at 0", series(twice, 0.0), trapezoid(twice, 0.0), 1e-14);
        }
        for twice in [2, 4, 6] {
            let reflected =
                sommerfeld(twice, 1e-9) + if twice % 4 == 0 { 1.0 } else { -1.0 } * series(twice, -1e-9);
            close("seam at 0", reflected, series(twice, 0.0), 3e-9);
        }
    }

    #[test]
    fn the_derivative_is_the_integral_of_the_order_below() {
        for twice in [1, 2, 3, 4, 5, 6, 7] {
            let (order, lower) = (Order { twice }, Order { twice: twice - 2 });
            for eta in [-20.0, -2.0, -0.3, 0.4, 6.0, 30.0, 39.0, 60.0, 5000.0] {
                let f = |x: f64| fermi_dirac(order, eta + x);
                let h = 0.02;
                // Eighth order: error h^8/630 of the ninth derivative.
                let d = (4.0 / 5.0) * (f(h) - f(-h)) - 0.2 * (f(2.0 * h) - f(-2.0 * h))
                    + (4.0 / 105.0) * (f(3.0 * h) - f(-3.0 * h))
                    - (1.0 / 280.0) * (f(4.0 * h) - f(-4.0 * h));
                let rounding = 4e-14 / h * f(0.0) / fermi_dirac(lower, eta);
                close(&format!("F'_{twice}/2({eta})"), d / h, fermi_dirac(lower, eta), 1e-11 + rounding);
            }
        }
    }

    #[test]
    fn inverses_return_their_argument_and_bad_values_are_refused() {
        for twice in [0, 1, 2, 3, 5] {
            for eta in [-300.0, -40.0, -3.0, -0.5, 0.0, 0.7, 4.0, 39.0, 41.0, 900.0] {
                let order = Order { twice };
                let got = inverse_fermi_dirac(order, fermi_dirac(order, eta)).unwrap();
                assert!((got - eta).abs() < 2e-13 * eta.abs().max(1.0), "{twice} {eta} {got}");
            }
        }
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(inverse_fermi_dirac(Order::HALF, bad).is_err());
        }
        assert!(inverse_fermi_dirac(Order::MINUS_HALF, 1.0).is_err());
        assert!(Order::new(0.3).is_err() && Order::new(-1.0).is_err() && Order::new(f64::NAN).is_err());
        assert!(fermi_dirac(Order::HALF, f64::NAN).is_nan());
    }
}
