//! Numbers as people write them: 3.9(4)e-14.

/// A value with its standard uncertainty in the last digits, such as `3.9(4)e-14` or `3.7954(12)`: the uncertainty keeps two
/// digits when they are below 30, else one. Without an uncertainty (or with zero) five significant digits are given.
///
/// ```
/// use scalade_record::value_with_uncertainty;
/// assert_eq!(value_with_uncertainty(3.94e-14, Some(4.1e-15)), "3.9(4)e-14");
/// assert_eq!(value_with_uncertainty(3.79541, Some(0.0012)), "3.7954(12)");
/// assert_eq!(value_with_uncertainty(1234.0, Some(56.0)), "1230(60)");
/// assert_eq!(value_with_uncertainty(0.5, None), "0.5");
/// ```
pub fn value_with_uncertainty(value: f64, standard: Option<f64>) -> String {
    let Some(sigma) = standard.filter(|s| s.is_finite() && *s > 0.0) else {
        return plain(value);
    };
    let mut last = decade(sigma);
    let mut digits = (sigma / power(last)).round();
    if digits < 3.0 {
        last -= 1;
        digits = (sigma / power(last)).round();
    }
    // Rounding up may have made 9.6 into 10.
    if digits >= 30.0 || (digits >= 10.0 && (sigma / power(last + 1)).round() >= 3.0) {
        last += 1;
        digits = (sigma / power(last)).round();
    }
    let magnitude = if value == 0.0 { last } else { decade(value.abs()).max(last) };
    if (-4..6).contains(&magnitude) {
        if last >= 0 {
            let step = power(last);
            return format!("{:.0}({:.0})", (value / step).round() * step, digits * step);
        }
        return format!("{value:.*}({digits:.0})", (-last) as usize);
    }
    let decimals = (magnitude - last) as usize;
    format!("{:.*}({digits:.0})e{magnitude}", decimals, value / power(magnitude))
}

fn plain(value: f64) -> String {
    let rounded: f64 = format!("{value:.4e}").parse().unwrap_or(value);
    if rounded == 0.0 || (1e-4..1e6).contains(&rounded.abs()) {
        format!("{rounded}")
    } else {
        format!("{rounded:e}")
    }
}

fn power(exponent: i32) -> f64 {
    10f64.powi(exponent)
}

fn decade(x: f64) -> i32 {
    x.log10().floor() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges() {
        assert_eq!(value_with_uncertainty(0.0, Some(0.02)), "0.000(20)");
        assert_eq!(value_with_uncertainty(-3.5627, Some(0.00096)), "-3.5627(10)");
        assert_eq!(value_with_uncertainty(300.0, Some(0.31)), "300.0(3)");
        assert_eq!(value_with_uncertainty(3.9e-14, None), "3.9e-14");
        assert_eq!(value_with_uncertainty(1.0, Some(5.0)), "1(5)");
        assert_eq!(value_with_uncertainty(5.2e-9, Some(1.7e-9)), "5.2(17)e-9");
    }
}
