//! The one exchange-current density that BPX files know: j0 = F k sqrt(c_e/c_e0 x (1 - x)).

use super::RateConvention;
use crate::FARADAY;
use crate::expression::Formula;
use crate::parameters::ActiveMaterial;
use crate::property::{Activated, Property};

/// Steps in the last place that are tried to recover a number bit for bit.
const NEIGHBOURS: usize = 16;
/// Relative spread of j0/sqrt(...) that counts as rounding.
const ROUNDING: f64 = 1e-12;

/// The exchange-current density of a rate constant `rate`, mol/(m2 s), at the salt concentration `salt`,
/// mol/m3, that the file normalises with.
pub(super) fn exchange_current(
    rate: f64,
    energy: f64,
    salt: f64,
    convention: RateConvention,
) -> Option<Activated> {
    let factor = match convention {
        RateConvention::TwoSinh => 1.0,
        // j = j0 sinh is 2 (j0/2) sinh.
        RateConvention::OneSinh => 0.5,
    };
    let scale = FARADAY * rate * factor;
    let text = format!("{scale:e} * sqrt(c_e / {salt:e} * x * (1 - x))");
    Some(Activated {
        at_reference: Property::Formula(Formula::parse(&text).ok()?),
        activation_energy_j_per_mol: energy,
    })
}

/// Prefactor F k and concentration c_e0 of a formula as [`exchange_current`] writes it.
fn canonical(text: &str) -> Option<(f64, f64)> {
    let (scale, rest) = text.split_once(" * sqrt(c_e / ")?;
    let salt = rest.strip_suffix(" * x * (1 - x))")?;
    Some((scale.parse().ok()?, salt.parse().ok()?))
}

/// The rate constant k for which j0 = F k sqrt(c_e/salt x (1 - x)), or in words how far the material's
/// exchange-current density is from that form.
pub(super) fn rate_constant(material: &ActiveMaterial, salt: f64) -> Result<f64, String> {
    let exchange = &material.exchange_current.at_reference;
    if let Property::Formula(formula) = exchange
        && let Some((scale, reference)) = canonical(formula.text())
        && reference.to_bits() == salt.to_bits()
    {
        return Ok(neighbour(scale / FARADAY, |k| FARADAY * k == scale));
    }
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut at_middle = f64::NAN;
    let mut place = (0.0, 0.0);
    for x in [0.5, 0.02, 0.1, 0.3, 0.6, 0.8, 0.95, 0.99] {
        for ratio in [1.0, 0.05, 0.4, 1.7, 2.5] {
            for temperature in [298.15, 273.15, 330.0] {
                let point = [x, ratio * salt, x * material.max_concentration, temperature];
                let value = exchange.value(point).map_err(|e| e.to_string())?;
                let scale = value / (ratio * x * (1.0 - x)).sqrt();
                if at_middle.is_nan() {
                    at_middle = scale;
                }
                if scale < low || scale > high {
                    place = (x, ratio * salt);
                }
                low = low.min(scale);
                high = high.max(scale);
            }
        }
    }
    // Written so that NaN is refused too.
    if !(high - low <= ROUNDING * at_middle.abs() && at_middle > 0.0) {
        return Err(format!(
            "it is not F k sqrt(c_e/{salt} x (1 - x)): its ratio to sqrt(c_e/{salt} x (1 - x)) runs from {low:.4e} to {high:.4e} \
             A/m2, for example at x = {}, c_e = {} mol/m3",
            place.0, place.1
        ));
    }
    Ok(at_middle / FARADAY)
}

/// Of the numbers next to `guess` that fit, the one with the fewest digits; `guess` if none fits.
pub(super) fn neighbour(guess: f64, fits: impl Fn(f64) -> bool) -> f64 {
    let (mut up, mut down) = (guess, guess);
    let mut best: Option<(usize, f64)> = None;
    for _ in 0..NEIGHBOURS {
        for candidate in [up, down] {
            let digits = format!("{candidate:e}").len();
            if fits(candidate) && best.is_none_or(|(least, _)| digits < least) {
                best = Some((digits, candidate));
            }
        }
        up = up.next_up();
        down = down.next_down();
    }
    best.map_or(guess, |(_, value)| value)
}
