//! Checks of numbers against one another.

use super::diagnostic::Findings;
use super::section::Section;
use crate::FARADAY;
use crate::parameters::{ActiveMaterial, Electrode, ParameterSet, StoichiometryWindow};
use crate::property::{Hysteresis, Property};

/// Points at which functions are looked at.
const SAMPLES: usize = 200;
/// Rise of an open-circuit potential with lithium that is told, V.
const RISE: f64 = 1e-3;
/// Tolerance on cut-off voltages, V: the default of the package `bpx`.
const VOLTAGE_TOLERANCE: f64 = 1e-3;
/// Ratio of capacities from which on one of them must be wrong.
const CAPACITY_RATIO: f64 = 1.5;
/// Rounding of porosity plus active fraction.
const ROUNDING: f64 = 1e-6;

/// The electrode's volume: electrolyte and active material.
pub(super) fn volume(section: &Section<'_>, porosity: Option<f64>, active: f64, findings: &mut Findings) {
    let advice = "check radius (not diameter) and surface area (per volume of the electrode)";
    if active > 1.0 {
        let message = format!(
            "surface area times radius / 3 gives an active material fraction of {active:.4}, more than 1"
        );
        findings.error("surface-radius", &section.path, message, advice);
    } else if let Some(porosity) = porosity
        && porosity + active > 1.0 + ROUNDING
    {
        let message = format!(
            "porosity {porosity} and active material fraction {active:.4} (surface area times radius / 3) add up to {:.4}",
            porosity + active
        );
        findings.error("overfilled", &section.path, message, advice);
    } else if active > 0.0 && active < 0.05 {
        let message =
            format!("surface area times radius / 3 gives an active material fraction of only {active:.2e}");
        findings.warning("surface-radius", &section.path, message, advice);
    }
}

fn samples(window: &StoichiometryWindow) -> impl Iterator<Item = f64> {
    let (low, high) = (window.empty.min(window.full), window.empty.max(window.full));
    (0..=SAMPLES).map(move |i| low + (high - low) * i as f64 / SAMPLES as f64)
}

fn at(property: &Property, x: f64) -> Option<f64> {
    property.value([x, x, x, 298.15]).ok()
}

/// The open-circuit potential over the window: it must have values, and should fall with lithium.
pub(super) fn potential(
    section: &Section<'_>,
    potential: &Property,
    window: &StoichiometryWindow,
    findings: &mut Findings,
) {
    let path = section.at("OCP [V]");
    let (low, high) = (window.empty.min(window.full), window.empty.max(window.full));
    if let Property::Table(table) = potential {
        let (first, last) = table.range();
        if low < first || high > last {
            let message = format!(
                "the table runs from x = {first} to {last}, the cell from {low} to {high} (minimum and maximum stoichiometry)"
            );
            findings.error("window-outside-table", &path, message, "extend the table or narrow the window");
            return;
        }
    }
    let mut least = (low, f64::INFINITY);
    let mut rise = (0.0, 0.0, 0.0);
    for x in samples(window) {
        let Some(value) = at(potential, x).filter(|v| v.is_finite()) else {
            let message = format!("has no finite value at x = {x}");
            findings.error("undefined-value", &path, message, "correct the function or the window");
            return;
        };
        if value - least.1 > rise.0 {
            rise = (value - least.1, least.0, x);
        }
        if value < least.1 {
            least = (x, value);
        }
    }
    if rise.0 > RISE {
        let message =
            format!("rises with lithium, by {:.1} mV from x = {:.4} to {:.4}", rise.0 * 1e3, rise.1, rise.2);
        findings.warning("not-monotonic", &path, message, "a potential at rest falls with lithium");
    }
}

/// The branches of hysteresis: more work is needed to take lithium out than comes from putting it in, so that
/// the potential on delithiation is the higher one.
pub(super) fn branches(
    section: &Section<'_>,
    hysteresis: &Hysteresis,
    window: &StoichiometryWindow,
    findings: &mut Findings,
) {
    let (mut sum, mut count) = (0.0, 0.0);
    for x in samples(window) {
        if let (Some(low), Some(high)) = (at(&hysteresis.lithiation, x), at(&hysteresis.delithiation, x)) {
            sum += low - high;
            count += 1.0;
        }
    }
    let mean = sum / count;
    if mean > RISE {
        let message = format!(
            "the branch of lithiation lies above that of delithiation, by {:.1} mV on average",
            mean * 1e3
        );
        findings.warning("hysteresis-order", &section.path, message, "they may be named the other way round");
    }
}

/// A function that must be positive over the window.
pub(super) fn positive_in_window(
    path: &str,
    property: &Property,
    window: &StoichiometryWindow,
    findings: &mut Findings,
) {
    for x in samples(window) {
        match at(property, x) {
            Some(value) if value > 0.0 => {}
            Some(value) => {
                let message = format!("is {value:?} at x = {x}, not positive");
                return findings.error("not-positive", path, message, "correct the function");
            }
            None => {
                let message = format!("has no finite value at x = {x}");
                return findings.error("undefined-value", path, message, "correct the function or its table");
            }
        }
    }
}

/// A function of the salt concentration, that must be positive about the initial one.
pub(super) fn positive_in_salt(path: &str, property: &Property, salt: f64, findings: &mut Findings) {
    for ratio in [1.0, 0.5, 1.5] {
        let concentration = ratio * salt;
        let value = property.value([concentration; 4]).unwrap_or(f64::NAN);
        if value.is_nan() || value <= 0.0 {
            let message = format!("is {value:?} at x = {concentration} mol/m3, not positive");
            let advice = "x is the salt concentration in mol/m3 in this function";
            return findings.error("not-positive", path, message, advice);
        }
    }
}

/// Charge that a material gives or takes over its window, A h per m2 of one electrode pair.
fn window_charge(material: &ActiveMaterial, thickness: f64) -> f64 {
    let span = material.window.map_or(0.0, |w| (w.full - w.empty).abs());
    FARADAY * thickness * material.fraction * material.max_concentration * span / 3600.0
}

/// Cut-off voltages, potentials at the ends of the windows and capacities against one another.
pub(super) fn cell(set: &ParameterSet, findings: &mut Findings) {
    let path = "/Parameterisation/Cell";
    let (lower, upper) = (set.lower_voltage_v, set.upper_voltage_v);
    let Some(negative) = set.negative.porous() else { return };
    if negative.blended.is_empty() && set.positive.blended.is_empty() {
        let end = |full: bool| -> Option<f64> {
            let of = |electrode: &Electrode| {
                let window = electrode.material.window?;
                let x = if full { window.full } else { window.empty };
                at(&electrode.material.open_circuit.at_reference, x)
            };
            Some(of(&set.positive)? - of(negative)?)
        };
        if let (Some(empty), Some(full)) = (end(false), end(true)) {
            voltages([empty, full], [lower, upper], findings);
        }
    }
    let charge = |electrode: &Electrode| -> f64 {
        electrode.materials().map(|m| window_charge(m, electrode.thickness_m)).sum()
    };
    let area = set.total_area_m2();
    let (of_negative, of_positive) = (charge(negative) * area, charge(&set.positive) * area);
    let differ = |a: f64, b: f64| a > CAPACITY_RATIO * b || b > CAPACITY_RATIO * a;
    if differ(of_negative, of_positive) {
        let message = format!(
            "between its stoichiometries the negative electrode holds {of_negative:.4} A h and the positive one {of_positive:.4} A h"
        );
        let advice = "check thicknesses, surface areas, maximum concentrations and windows";
        findings.warning("capacity-mismatch", path, message, advice);
    }
    let least = of_negative.min(of_positive);
    if differ(least, set.nominal_capacity_ah) {
        let message = format!(
            "the electrodes hold {least:.4} A h on {area} m2 (area times pairs), the nominal capacity is {} A h",
            set.nominal_capacity_ah
        );
        let advice = "the electrode area is that of one pair; the number of pairs multiplies it once";
        findings.warning("capacity-mismatch", path, message, advice);
    }
}

fn voltages(window: [f64; 2], cut_off: [f64; 2], findings: &mut Findings) {
    let path = "/Parameterisation/Cell";
    let ([empty, full], [lower, upper]) = (window, cut_off);
    let advice = "correct the stoichiometries, the potentials or the cut-off voltages";
    if full <= empty || full <= lower || empty >= upper {
        let message = format!(
            "at rest the empty cell has {empty:.4} V and the full one {full:.4} V, with cut-off voltages {lower} V and {upper} V"
        );
        return findings.error("voltage-window", path, message, advice);
    }
    if full > upper + VOLTAGE_TOLERANCE {
        let message =
            format!("the full cell has {full:.4} V at rest, above the upper cut-off voltage {upper} V");
        findings.warning("voltage-window", path, message, advice);
    }
    if empty < lower - VOLTAGE_TOLERANCE {
        let message =
            format!("the empty cell has {empty:.4} V at rest, below the lower cut-off voltage {lower} V");
        findings.warning("voltage-window", path, message, advice);
    }
}
