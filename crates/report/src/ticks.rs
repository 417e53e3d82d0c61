//! Where an axis is marked.

/// Marks of an axis: `major` carry a label, `minor` do not. Both ascend and lie within the range asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ticks {
    /// Labelled positions.
    pub major: Vec<f64>,
    /// Unlabelled positions.
    pub minor: Vec<f64>,
    /// Distance of the major ticks on a linear scale; 0 where they are spaced by factors.
    pub step: f64,
}

/// Ticks of a linear axis at multiples of 1, 2 or 5 times a power of ten, about `target` of them (at least 2 are aimed at).
///
/// Every tick is an integer multiple of the step, formed as `k * step` for steps above 1 and as `k / (1 / step)` below, so that
/// 0.3 comes out as 0.3 and not as 0.30000000000000004. An empty, reversed or non-finite range gives no ticks.
///
/// ```
/// use scalade_report::linear_ticks;
/// assert_eq!(linear_ticks(0.0, 1.0, 5).major, vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
/// ```
pub fn linear_ticks(lower: f64, upper: f64, target: usize) -> Ticks {
    let span = upper - lower;
    if !(span.is_finite() && span > 0.0) || span < 1e-300 {
        return Ticks::default();
    }
    let ideal = span / target.clamp(2, 50) as f64;
    let decade = ideal.log10().floor() as i32;
    let fraction = ideal / 10f64.powi(decade);
    // The step of the series 1, 2, 5, 10 nearest to the ideal one on a logarithmic scale: the borders are geometric means.
    let (multiple, decade) = match fraction {
        f if f < std::f64::consts::SQRT_2 => (1.0, decade),
        f if f < 10f64.sqrt() => (2.0, decade),
        f if f < 50f64.sqrt() => (5.0, decade),
        _ => (1.0, decade + 1),
    };
    let at = |k: f64| {
        if decade < 0 { k * multiple / 10f64.powi(-decade) } else { k * multiple * 10f64.powi(decade) }
    };
    let step = at(1.0);
    let first = (lower / step).ceil() - 1.0;
    let major = (0..200)
        .map(|i| at(first + f64::from(i)))
        .skip_while(|tick| *tick < lower)
        .take_while(|tick| *tick <= upper)
        // `0 * -1` is -0, which would be labelled so.
        .map(|tick| if tick == 0.0 { 0.0 } else { tick })
        .collect::<Vec<f64>>();
    // Far from zero neighbouring multiples may round to one number.
    let mut major = major;
    major.dedup();
    Ticks { major, minor: Vec::new(), step }
}

/// Ticks of a logarithmic axis: decades (every n-th of them on long axes) with 2 and 5 between them on short axes; a range
/// within one decade falls back to the positions of a linear axis. The minor ticks are the other integer multiples. A range
/// that is not positive, empty, reversed or not finite gives no ticks.
///
/// ```
/// use scalade_report::log_ticks;
/// assert_eq!(log_ticks(1e-3, 1e2, 6).major, vec![1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2]);
/// ```
pub fn log_ticks(lower: f64, upper: f64, target: usize) -> Ticks {
    if !(lower > 0.0 && upper.is_finite() && upper > lower) {
        return Ticks::default();
    }
    let target = target.clamp(2, 50);
    let first = lower.log10().floor() as i32 - 1;
    let last = upper.log10().ceil() as i32 + 1;
    let inside = |tick: &f64| (lower..=upper).contains(tick) && tick.is_finite();
    let decades: Vec<i32> = (first..=last).filter(|e| inside(&decade(*e))).collect();
    if decades.len() >= 4 || (decades.len() >= 3 && target <= 4) {
        let stride = decades.len().div_ceil(target + 2) as i32;
        let major: Vec<f64> =
            decades.iter().filter(|e| e.rem_euclid(stride) == 0).map(|e| decade(*e)).collect();
        let minor = if stride == 1 {
            multiples(first, last, &[2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
                .into_iter()
                .filter(inside)
                .collect()
        } else {
            decades.iter().filter(|e| e.rem_euclid(stride) != 0).map(|e| decade(*e)).collect()
        };
        return Ticks { major, minor, step: 0.0 };
    }
    let labelled: &[f64] = if decades.len() >= 3 { &[1.0, 3.0] } else { &[1.0, 2.0, 5.0] };
    let major: Vec<f64> = multiples(first, last, labelled).into_iter().filter(inside).collect();
    if major.len() >= 3 {
        let minor = multiples(first, last, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
            .into_iter()
            .filter(|tick| inside(tick) && !major.contains(tick))
            .collect();
        return Ticks { major, minor, step: 0.0 };
    }
    // A short range may hold a single multiple of the step aimed at: a finer step then.
    [target, 2 * target, 4 * target]
        .iter()
        .map(|target| linear_ticks(lower, upper, *target))
        .find(|linear| linear.major.len() >= 2)
        .unwrap_or_else(|| Ticks { major: vec![lower, upper], ..Ticks::default() })
}

/// 10^e without the error that repeated multiplication would bring to negative exponents.
fn decade(exponent: i32) -> f64 {
    if exponent >= -300 {
        if exponent < 0 { 1.0 / 10f64.powi(-exponent) } else { 10f64.powi(exponent) }
    } else {
        10f64.powi(exponent)
    }
}

fn multiples(first: i32, last: i32, factors: &[f64]) -> Vec<f64> {
    let mut out = Vec::new();
    for exponent in first..=last {
        for factor in factors {
            let tick = if (-300..0).contains(&exponent) {
                factor / 10f64.powi(-exponent)
            } else {
                factor * 10f64.powi(exponent)
            };
            out.push(tick);
        }
    }
    out
}

/// Labels of the major ticks, and the power of ten taken out of them (0 for none): an axis from 0 to 4e-14 is labelled
/// 0, 1, 2, 3, 4 with 10⁻¹⁴ beside its unit.
pub(crate) fn labels(ticks: &Ticks, log: bool) -> (Vec<String>, i32) {
    let largest = ticks.major.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    if log && ticks.step == 0.0 {
        let written_out = ticks.major.iter().all(|t| (1e-3..1e5).contains(t)) && largest <= 1e4;
        return (ticks.major.iter().map(|t| log_label(*t, written_out)).collect(), 0);
    }
    if largest == 0.0 {
        return (ticks.major.iter().map(|_| "0".to_string()).collect(), 0);
    }
    let magnitude = largest.log10().floor() as i32;
    let factor = if (-3..5).contains(&magnitude) { 0 } else { magnitude };
    let scaled_step = ticks.step / 10f64.powi(factor);
    let decimals =
        if scaled_step > 0.0 { (-(scaled_step * 1.0001).log10().floor()).max(0.0) as usize } else { 3 };
    let decimals = decimals.min(12);
    let text = |tick: f64| {
        let scaled =
            if factor < -300 { tick * 1e300 / 10f64.powi(factor + 300) } else { tick / 10f64.powi(factor) };
        let text = format!("{scaled:.decimals$}");
        let bare = text.trim_start_matches('-');
        if bare.chars().all(|c| c == '0' || c == '.') {
            bare.to_string()
        } else {
            text.replace('-', "\u{2212}")
        }
    };
    (ticks.major.iter().map(|t| text(*t)).collect(), factor)
}

fn log_label(tick: f64, written_out: bool) -> String {
    if written_out {
        return scalade_record::significant(tick, 3).typeset();
    }
    let text = format!("{tick:.0e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text.as_str(), "0"));
    let power = format!("10{}", scalade_record::superscript(exponent));
    if mantissa == "1" { power } else { format!("{mantissa}·{power}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ticks_are_clean_decimals() {
        assert_eq!(linear_ticks(-0.05, 0.35, 4).major, vec![0.0, 0.1, 0.2, 0.3]);
        assert_eq!(linear_ticks(3.6, 4.25, 6).major, vec![3.6, 3.7, 3.8, 3.9, 4.0, 4.1, 4.2]);
        assert_eq!(linear_ticks(-2.1, 2.1, 4).major, vec![-2.0, -1.0, 0.0, 1.0, 2.0]);
        assert_eq!(linear_ticks(0.0, 7200.0, 5).major, vec![0.0, 2000.0, 4000.0, 6000.0]);
    }

    #[test]
    fn degenerate_ranges_have_no_ticks() {
        for (lower, upper) in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY), (-1e308, 1e308)]
        {
            let ticks = linear_ticks(lower, upper, 5);
            assert!(ticks.major.is_empty(), "{lower}..{upper}: {ticks:?}");
        }
        for (lower, upper) in [(0.0, 1.0), (-1.0, 1.0), (1.0, 1.0), (1.0, f64::INFINITY)] {
            assert!(log_ticks(lower, upper, 5).major.is_empty());
        }
    }

    #[test]
    fn labels_take_out_the_power_of_ten() {
        let (text, factor) = labels(&linear_ticks(0.0, 4e-14, 4), false);
        assert_eq!((text.join(" "), factor), ("0 1 2 3 4".to_string(), -14));
        let (text, factor) = labels(&linear_ticks(-0.2, 0.2, 4), false);
        assert_eq!((text.join(" "), factor), ("\u{2212}0.2 \u{2212}0.1 0.0 0.1 0.2".to_string(), 0));
        let (text, _) = labels(&log_ticks(1e-16, 1e-12, 5), true);
        assert_eq!(text.join(" "), "10⁻¹⁶ 10⁻¹⁵ 10⁻¹⁴ 10⁻¹³ 10⁻¹²");
        let (text, _) = labels(&log_ticks(0.02, 3.0, 5), true);
        assert_eq!(text.join(" "), "0.02 0.05 0.1 0.2 0.5 1 2");
        let (text, factor) = labels(&log_ticks(1.551e-218, 1.624e-218, 2), true);
        assert_eq!((text.join(" "), factor), ("1.56 1.58 1.60 1.62".to_string(), -218));
    }

    proptest! {
        #[test]
        fn linear_ticks_hold_their_promises(
            centre in -1e12f64..1e12, exponent in -9i32..12, mantissa in 1.0f64..10.0, target in 2usize..12
        ) {
            let span = mantissa * 10f64.powi(exponent);
            let (lower, upper) = (centre - span / 2.0, centre + span / 2.0);
            // A span of few units in the last place of its position has no room for ticks.
            prop_assume!(upper - lower > 1e-11 * centre.abs());
            let ticks = linear_ticks(lower, upper, target);
            prop_assert!(ticks.major.len() >= target / 2 && ticks.major.len() <= 2 * target + 1, "{:?}", ticks);
            prop_assert!(ticks.major.iter().all(|t| (lower..=upper).contains(t)));
            prop_assert!(ticks.major.windows(2).all(|w| w[1] > w[0]));
            for pair in ticks.major.windows(2) {
                prop_assert!(((pair[1] - pair[0]) / ticks.step - 1.0).abs() < 1e-3);
            }
            // No room left for a further tick at either end.
            if let (Some(first), Some(last)) = (ticks.major.first(), ticks.major.last()) {
                prop_assert!(first - lower < ticks.step * 1.001 && upper - last < ticks.step * 1.001);
            }
            let leading: f64 = format!("{:e}", ticks.step).split('e').next().and_then(|m| m.parse().ok()).unwrap_or(0.0);
            prop_assert!([1.0, 2.0, 5.0].contains(&leading), "{}", ticks.step);
        }

        #[test]
        fn log_ticks_hold_their_promises(lower in -250.0f64..240.0, decades in 0.02f64..60.0, target in 2usize..12) {
            let (low, high) = (10f64.powf(lower), 10f64.powf(lower + decades));
            let ticks = log_ticks(low, high, target);
            prop_assert!(ticks.major.len() >= 2, "{:?}", ticks);
            prop_assert!(ticks.major.len() <= 2 * target + 4, "{:?}", ticks);
            for list in [&ticks.major, &ticks.minor] {
                prop_assert!(list.iter().all(|t| (low..=high).contains(t)));
                prop_assert!(list.windows(2).all(|w| w[1] > w[0]));
            }
            prop_assert!(ticks.minor.iter().all(|t| !ticks.major.contains(t)));
            let (text, _) = labels(&ticks, true);
            let mut distinct = text.clone();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), text.len(), "{:?}", text);
        }
    }
}
