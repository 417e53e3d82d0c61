//! Numbers as people write them: `3.9(4)e-14` in text, 3.9(4) × 10⁻¹⁴ on the page.

/// A number split into what stands before and after the multiplication sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    /// Mantissa with the uncertainty of its last digits in parentheses, such as `3.9(4)`.
    pub mantissa: String,
    /// Power of ten, none when the number is written out.
    pub exponent: Option<i32>,
}

impl Decimal {
    /// ASCII form, such as `3.9(4)e-14`.
    pub fn ascii(&self) -> String {
        match self.exponent {
            Some(exponent) => format!("{}e{exponent}", self.mantissa),
            None => self.mantissa.clone(),
        }
    }

    /// Typeset form with true minus, multiplication sign and superscripts, such as `3.9(4) × 10⁻¹⁴`.
    pub fn typeset(&self) -> String {
        let mantissa = self.mantissa.replace('-', "\u{2212}");
        match self.exponent {
            Some(exponent) => format!("{mantissa}\u{a0}×\u{a0}{}", power_of_ten(exponent)),
            None => mantissa,
        }
    }
}

/// A value with its standard uncertainty in the last digits, such as `3.9(4)e-14` or `3.7954(12)`. The uncertainty keeps two
/// digits when they round to less than 30, else one. Without an uncertainty (or with zero) five significant digits are given.
/// Numbers that are not finite are written as such (`NaN`, `inf`): a report refuses them before.
///
/// ```
/// use scalade_record::value_with_uncertainty;
/// assert_eq!(value_with_uncertainty(3.94e-14, Some(4.1e-15)), "3.9(4)e-14");
/// assert_eq!(value_with_uncertainty(3.79541, Some(0.0012)), "3.7954(12)");
/// assert_eq!(value_with_uncertainty(-0.25, None), "-0.25");
/// ```
pub fn value_with_uncertainty(value: f64, standard_error: Option<f64>) -> String {
    decimal(value, standard_error).ascii()
}

/// [`value_with_uncertainty`] typeset for reading.
///
/// ```
/// use scalade_record::value_typeset;
/// assert_eq!(value_typeset(3.94e-14, Some(4.1e-15)), "3.9(4)\u{a0}×\u{a0}10⁻¹⁴");
/// ```
pub fn value_typeset(value: f64, standard_error: Option<f64>) -> String {
    decimal(value, standard_error).typeset()
}

/// The parts of a value with its standard uncertainty; see [`value_with_uncertainty`].
pub fn decimal(value: f64, standard_error: Option<f64>) -> Decimal {
    if !value.is_finite() {
        return Decimal { mantissa: format!("{value}"), exponent: None };
    }
    match standard_error.filter(|sigma| sigma.is_finite() && *sigma > 0.0) {
        Some(sigma) => with_uncertainty(value, sigma),
        None => significant(value, 5),
    }
}

/// A value to `digits` significant digits, trailing zeros dropped.
pub fn significant(value: f64, digits: usize) -> Decimal {
    if value == 0.0 {
        return Decimal { mantissa: "0".to_string(), exponent: None };
    }
    let (rounded, exponent) = scientific(value, digits.clamp(1, 17) - 1);
    if (-4..6).contains(&exponent) {
        let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
        return Decimal { mantissa: trim_zeros(&format!("{value:.decimals$}")), exponent: None };
    }
    Decimal { mantissa: trim_zeros(&rounded), exponent: Some(exponent) }
}

/// Mantissa (as digits) and exponent of `value` rounded to `decimals` digits after the point: the formatter rounds the exact
/// binary value, so that no scaling by powers of ten adds an error of its own.
fn scientific(value: f64, decimals: usize) -> (String, i32) {
    let text = format!("{value:.decimals$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa.to_string(), exponent.parse().unwrap_or(0)),
        None => (text, 0),
    }
}

fn trim_zeros(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_string()
    } else {
        text.to_string()
    }
}

fn with_uncertainty(value: f64, sigma: f64) -> Decimal {
    // Two digits of the uncertainty, kept when below 30 (its own rounding then stays below a few per cent), else one.
    let (two, exponent) = scientific(sigma, 1);
    let leading: String = two.chars().filter(char::is_ascii_digit).collect();
    let (digits, last) = if leading.parse::<u32>().unwrap_or(99) < 30 {
        (leading, exponent - 1)
    } else {
        let (one, exponent) = scientific(sigma, 0);
        // 0.96 rounds to 1: written as 1.0 it keeps the two digits of its class.
        if one == "1" { ("10".to_string(), exponent - 1) } else { (one, exponent) }
    };
    let magnitude = if value == 0.0 { last } else { scientific(value, 0).1.max(last) };
    if (-4..6).contains(&magnitude) {
        if last <= 0 {
            let mantissa = format!("{value:.*}({digits})", (-last) as usize);
            return Decimal { mantissa: unsigned_zero(mantissa), exponent: None };
        }
        let step = 10f64.powi(last);
        let zeros = "0".repeat(last as usize);
        let mantissa = format!("{:.0}({digits}{zeros})", (value / step).round() * step);
        return Decimal { mantissa: unsigned_zero(mantissa), exponent: None };
    }
    // The value rounded at the position of the uncertainty's last digit, in units of 10^magnitude. Rounding may carry
    // (9.96 -> 10.0); the exponent then follows.
    let decimals = (magnitude - last).max(0) as usize;
    let (mantissa, shown) = scientific(value, decimals);
    if shown > magnitude && value != 0.0 {
        let (mantissa, shown) = scientific(value, decimals + 1);
        return Decimal { mantissa: format!("{mantissa}({digits})"), exponent: Some(shown) };
    }
    if shown < magnitude || value == 0.0 {
        // The uncertainty exceeds the value: the value keeps the uncertainty's position.
        let scaled = value / 10f64.powi(magnitude);
        let mantissa = format!("{scaled:.decimals$}({digits})");
        return Decimal { mantissa: unsigned_zero(mantissa), exponent: Some(magnitude) };
    }
    Decimal { mantissa: format!("{mantissa}({digits})"), exponent: Some(shown) }
}

/// `-0.00(3)` and `0.00(3)` are one number.
fn unsigned_zero(text: String) -> String {
    let value = text.split('(').next().unwrap_or_default();
    match value.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| c == '0' || c == '.') => text[1..].to_string(),
        _ => text,
    }
}

/// Numbers within a text as they are printed: `3.9(4)e-14` becomes 3.9(4) × 10⁻¹⁴, and a minus sign before a digit is a true
/// one. What does not read as a number between blanks or punctuation stays as it is.
///
/// ```
/// use scalade_record::typeset_numbers;
/// assert_eq!(typeset_numbers("-2e-3 V"), "\u{2212}2\u{a0}×\u{a0}10⁻³ V");
/// ```
pub fn typeset_numbers(text: &str) -> String {
    text.split_inclusive([' ', ',', ';', '\n', '\u{a0}'])
        .map(|piece| {
            let word = piece.trim_end_matches([' ', ',', ';', '\n', '\u{a0}']);
            let rest = &piece[word.len()..];
            number_word(word).map_or_else(|| piece.to_string(), |number| number + rest)
        })
        .collect()
}

fn number_word(word: &str) -> Option<String> {
    let (mantissa, exponent) = match word.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.parse::<i32>().ok()?)),
        None => (word, None),
    };
    let digits = mantissa.strip_prefix(['-', '\u{2212}']).unwrap_or(mantissa);
    let number = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '(' | ')'));
    number.then(|| Decimal { mantissa: mantissa.to_string(), exponent }.typeset())
}

/// `10⁻¹⁴` in Unicode superscripts.
pub fn power_of_ten(exponent: i32) -> String {
    format!("10{}", superscript(&exponent.to_string()))
}

/// Digits and minus sign as Unicode superscripts; other characters stay.
pub fn superscript(text: &str) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    text.chars()
        .map(|character| match character {
            '-' => '⁻',
            other => other.to_digit(10).map_or(other, |digit| DIGITS[digit as usize]),
        })
        .collect()
}

/// A unit as it is printed: `m2/s` becomes m²/s, `mol m-3` becomes mol m⁻³, `ohm` and `um` their symbols; a product `A*h` or
/// `A.h` gets its dot. Only a number straight after a letter (or `^`) is an exponent.
///
/// ```
/// use scalade_record::typeset_unit;
/// assert_eq!(typeset_unit("m2/s"), "m²/s");
/// assert_eq!(typeset_unit("W/(m*K)"), "W/(m·K)");
/// ```
pub fn typeset_unit(unit: &str) -> String {
    let mut out = String::with_capacity(unit.len());
    let mut word = String::new();
    let mut characters = unit.chars().peekable();
    let flush = |word: &mut String, out: &mut String| {
        out.push_str(match word.as_str() {
            "um" => "µm",
            "ohm" | "Ohm" => "Ω",
            "angstrom" => "Å",
            "degC" => "°C",
            other => other,
        });
        word.clear();
    };
    while let Some(character) = characters.next() {
        let after_letter =
            !word.is_empty() || out.ends_with(|c: char| c.is_alphabetic() && c != 'e') || character == '^';
        let starts_number = match character {
            '-' | '^' => characters.peek().is_some_and(|c| c.is_ascii_digit() || *c == '-'),
            other => other.is_ascii_digit(),
        };
        if after_letter && starts_number {
            flush(&mut word, &mut out);
            let mut number = String::new();
            if character != '^' {
                number.push(character);
            }
            while let Some(next) = characters.next_if(|c| c.is_ascii_digit() || matches!(c, '-' | '.')) {
                number.push(next);
            }
            let integer = number.trim_end_matches('.');
            if integer.contains('.') {
                // Unicode has no raised decimal point.
                out.push('^');
                out.push_str(integer);
            } else {
                out.push_str(&superscript(integer));
            }
            if number.ends_with('.') {
                out.push('·');
            }
        } else if character.is_alphabetic() {
            word.push(character);
        } else {
            flush(&mut word, &mut out);
            out.push(match character {
                '*' | '.' => '·',
                other => other,
            });
        }
    }
    flush(&mut word, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_uncertainty() {
        let cases = [
            (3.94e-14, Some(4.1e-15), "3.9(4)e-14"),
            (3.79541, Some(0.0012), "3.7954(12)"),
            (1234.0, Some(56.0), "1230(60)"),
            (0.5, None, "0.5"),
            (0.0, Some(0.02), "0.000(20)"),
            (-3.5627, Some(0.00096), "-3.5627(10)"),
            (300.0, Some(0.31), "300.0(3)"),
            (3.9e-14, None, "3.9e-14"),
            (1.0, Some(5.0), "1(5)"),
            (5.2e-9, Some(1.7e-9), "5.2(17)e-9"),
            (-0.0001, Some(0.04), "0.00(4)"),
            (1e-14, Some(5e-14), "1(5)e-14"),
            (9.96e-14, Some(4e-15), "1.00(4)e-13"),
            (1.5e300, Some(2e299), "1.50(20)e300"),
            (5e-324, None, "4.9407e-324"),
            (123456.0, None, "123456"),
            (1234567.0, None, "1.2346e6"),
            (0.0, None, "0"),
            (0.1, Some(0.0299), "0.10(3)"),
            (12.0, Some(0.0), "12"),
        ];
        for (value, sigma, text) in cases {
            assert_eq!(value_with_uncertainty(value, sigma), text, "{value} +- {sigma:?}");
        }
    }

    #[test]
    fn numbers_within_text() {
        assert_eq!(typeset_numbers("3.9(4)e-14 m2/s"), "3.9(4)\u{a0}×\u{a0}10⁻¹⁴ m2/s");
        assert_eq!(typeset_numbers("-0.5 to 1e5, x-1"), "\u{2212}0.5 to 1\u{a0}×\u{a0}10⁵, x-1");
        assert_eq!(typeset_numbers("3.5e-3.2 a1e5 2e enum-12 1e5b"), "3.5e-3.2 a1e5 2e enum-12 1e5b");
        assert_eq!(typeset_numbers(""), "");
    }

    #[test]
    fn typeset_forms() {
        assert_eq!(value_typeset(-3.9e-14, None), "\u{2212}3.9\u{a0}×\u{a0}10⁻¹⁴");
        assert_eq!(typeset_unit("m2/s"), "m²/s");
        assert_eq!(typeset_unit("mol m-3"), "mol m⁻³");
        assert_eq!(typeset_unit("mol/m^3"), "mol/m³");
        assert_eq!(typeset_unit("1/K"), "1/K");
        assert_eq!(typeset_unit("ohm*m2"), "Ω·m²");
        assert_eq!(typeset_unit("um"), "µm");
        assert_eq!(typeset_unit("1000/K"), "1000/K");
        assert_eq!(typeset_unit("m2.5 mol-0.5 s-1"), "m^2.5 mol^-0.5 s⁻¹");
        assert_eq!(typeset_unit("A.h"), "A·h");
        assert_eq!(typeset_unit("mA h/g"), "mA h/g");
    }
}
