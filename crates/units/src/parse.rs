//! Reading "3.9e-14 m2/s".
//!
//! Grammar: number, then an optional unit expression: factors `symbol[^][-]digits`, joined by a space, `.`, `*`
//! or `·`; `/` divides by the next factor or parenthesised group. The number is read in its decimal form and the
//! decimal exponents of prefixes are added to it before rounding, so that "5.8 um" and "5.8e-6 m" have equal bits.

use crate::dimension::{self, Dimension};
use crate::quantity::UnitError;
use crate::table::{find_unit, units};

/// A unit expression: factor `mantissa * 10^exponent` and dimension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ParsedUnit {
    mantissa: f64,
    exponent: i32,
    pub(crate) dimension: Dimension,
}

impl ParsedUnit {
    const ONE: Self = Self { mantissa: 1.0, exponent: 0, dimension: dimension::NONE };

    /// Converts a value in SI base units to this unit.
    pub(crate) fn convert_si(self, si: f64) -> f64 {
        scale_decimal(si / self.mantissa, -self.exponent)
    }
}

/// Multiplies by a power of ten through the decimal text: correctly rounded, unlike a product with 10^n.
fn scale_decimal(value: f64, exponent: i32) -> f64 {
    if exponent == 0 || value == 0.0 || !value.is_finite() {
        return value;
    }
    let text = format!("{value:e}");
    match text.split_once('e').and_then(|(m, e)| e.parse::<i32>().ok().map(|e| (m, e))) {
        Some((mantissa, e)) => format!("{mantissa}e{}", e + exponent).parse().unwrap_or(f64::NAN),
        None => f64::NAN,
    }
}

/// Splits the leading decimal number off; returns (mantissa text, decimal exponent, rest).
fn split_number(text: &str) -> Option<(&str, i32, &str)> {
    let bytes = text.as_bytes();
    let mut end = 0;
    if matches!(bytes.first(), Some(b'+' | b'-')) {
        end += 1;
    }
    let digits_from = end;
    while end < bytes.len() && (bytes[end].is_ascii_digit() || bytes[end] == b'.') {
        end += 1;
    }
    let mantissa = &text[..end];
    if !text[digits_from..end].bytes().any(|b| b.is_ascii_digit()) || mantissa.matches('.').count() > 1 {
        return None;
    }
    let mut exponent = 0;
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let mut stop = end + 1;
        if matches!(bytes.get(stop), Some(b'+' | b'-')) {
            stop += 1;
        }
        let first_digit = stop;
        while stop < bytes.len() && bytes[stop].is_ascii_digit() {
            stop += 1;
        }
        // "1 eV" has a blank before its unit and "1eV" no digit after the e: both are no exponent.
        if stop > first_digit {
            exponent = text[end + 1..stop].parse::<i32>().ok().filter(|e| e.abs() < 100_000)?;
            end = stop;
        }
    }
    Some((mantissa, exponent, &text[end..]))
}

/// Reads a value with its unit.
pub(crate) fn quantity(text: &str) -> Result<(f64, Dimension), UnitError> {
    let trimmed = text.trim();
    let Some((mantissa, exponent, rest)) = split_number(trimmed) else {
        return Err(UnitError::Number { text: text.to_string() });
    };
    let parsed = Parser::new(text, rest).run()?;
    let not_finite = || UnitError::NotFinite { text: text.to_string() };
    let decimal: f64 =
        format!("{mantissa}e{}", exponent + parsed.exponent).parse().map_err(|_| not_finite())?;
    let si = decimal * parsed.mantissa;
    if si.is_finite() { Ok((si, parsed.dimension)) } else { Err(not_finite()) }
}

/// Reads a unit alone.
pub(crate) fn unit(text: &str) -> Result<ParsedUnit, UnitError> {
    Parser::new(text, text).run()
}

const MAX_DEPTH: usize = 16;

struct Parser<'a> {
    whole: &'a str,
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    column: usize,
}

impl<'a> Parser<'a> {
    fn new(whole: &'a str, rest: &'a str) -> Self {
        let column = whole.chars().count() - rest.chars().count().min(whole.chars().count());
        Self { whole, rest: rest.chars().peekable(), column }
    }

    fn run(mut self) -> Result<ParsedUnit, UnitError> {
        let out = self.product(0)?;
        match self.peek() {
            None => Ok(out),
            Some(_) => Err(self.error("a unit symbol was expected")),
        }
    }

    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    fn next(&mut self) {
        self.rest.next();
        self.column += 1;
    }

    fn error(&self, reason: &'static str) -> UnitError {
        UnitError::Syntax { text: self.whole.to_string(), column: self.column + 1, reason }
    }

    fn skip_joiners(&mut self) -> usize {
        let mut explicit = 0;
        while let Some(c) = self.peek() {
            if c.is_whitespace() {
                self.next();
            } else if matches!(c, '.' | '*' | '·') {
                explicit += 1;
                self.next();
            } else {
                break;
            }
        }
        explicit
    }

    fn product(&mut self, depth: usize) -> Result<ParsedUnit, UnitError> {
        let mut out = ParsedUnit::ONE;
        loop {
            let joiners = self.skip_joiners();
            match self.peek() {
                None | Some(')') if joiners == 0 => return Ok(out),
                Some('/') if joiners == 0 => {
                    self.next();
                    self.skip_joiners();
                    let factor = self.factor(depth)?;
                    out = self.combine(out, factor, -1)?;
                }
                _ => {
                    let factor = self.factor(depth)?;
                    out = self.combine(out, factor, 1)?;
                }
            }
        }
    }

    fn factor(&mut self, depth: usize) -> Result<ParsedUnit, UnitError> {
        if depth > MAX_DEPTH {
            return Err(self.error("at most 16 nested parentheses are allowed"));
        }
        if self.peek() == Some('(') {
            self.next();
            let inner = self.product(depth + 1)?;
            if self.peek() != Some(')') {
                return Err(self.error("a closing parenthesis was expected"));
            }
            self.next();
            return self.power(inner);
        }
        let mut symbol = String::new();
        if self.peek() == Some('1') {
            self.next();
            return Ok(ParsedUnit::ONE);
        }
        while let Some(c) = self.peek().filter(|c| c.is_alphabetic() || *c == '%') {
            symbol.push(c);
            self.next();
        }
        if symbol.is_empty() {
            return Err(self.error("a unit symbol was expected"));
        }
        let parsed = lookup(&symbol).ok_or_else(|| UnitError::UnknownUnit {
            hint: hint(&symbol),
            symbol: symbol.clone(),
            text: self.whole.to_string(),
        })?;
        self.power(parsed)
    }

    fn power(&mut self, base: ParsedUnit) -> Result<ParsedUnit, UnitError> {
        let mut digits = String::new();
        let mut had_caret = false;
        if self.peek() == Some('^') {
            had_caret = true;
            self.next();
        }
        while let Some(c) = self.peek() {
            let c = match c {
                '²' => '2',
                '³' => '3',
                '⁻' => '-',
                '¹' => '1',
                other => other,
            };
            if c.is_ascii_digit() || (digits.is_empty() && matches!(c, '-' | '+')) {
                digits.push(c);
                self.next();
            } else {
                break;
            }
        }
        if digits.is_empty() {
            return if had_caret { Err(self.error("an integer exponent was expected")) } else { Ok(base) };
        }
        let too_large = "an integer exponent between -9 and 9 was expected";
        let n: i8 = digits.parse().map_err(|_| self.error(too_large))?;
        if n.abs() > 9 {
            return Err(self.error(too_large));
        }
        let dimension = base.dimension.checked_pow(n).ok_or_else(|| self.error(too_large))?;
        Ok(ParsedUnit {
            mantissa: base.mantissa.powi(i32::from(n)),
            exponent: base.exponent * i32::from(n),
            dimension,
        })
    }

    fn combine(&self, a: ParsedUnit, b: ParsedUnit, sign: i8) -> Result<ParsedUnit, UnitError> {
        let range = "the combined unit has an exponent out of range";
        let dimension = if sign > 0 {
            a.dimension.checked_mul(b.dimension)
        } else {
            a.dimension.checked_div(b.dimension)
        };
        let dimension = dimension.ok_or_else(|| self.error(range))?;
        let mantissa = if sign > 0 { a.mantissa * b.mantissa } else { a.mantissa / b.mantissa };
        let exponent = a.exponent + i32::from(sign) * b.exponent;
        if exponent.abs() > 100_000 {
            return Err(self.error(range));
        }
        Ok(ParsedUnit { mantissa, exponent, dimension })
    }
}

fn lookup(symbol: &str) -> Option<ParsedUnit> {
    let of = |s: &str| {
        find_unit(s).map(|(unit, prefix)| ParsedUnit {
            mantissa: unit.mantissa,
            exponent: unit.exponent + prefix,
            dimension: unit.dimension,
        })
    };
    // "Ah", "mAh", "Wh": the one product the field writes without a joiner.
    of(symbol).or_else(|| {
        let before = symbol.strip_suffix('h')?;
        let (unit, _) = find_unit(before).filter(|(u, _)| matches!(u.symbol, "A" | "W"))?;
        let base = of(before)?;
        let dimension = unit.dimension.checked_mul(dimension::TIME)?;
        Some(ParsedUnit { mantissa: base.mantissa * 3600.0, exponent: base.exponent, dimension })
    })
}

fn hint(symbol: &str) -> String {
    match symbol {
        "au" | "a.u" => return "; write bohr lengths in angstrom and hartree energies in eV: \"au\" is ambiguous (bohr, hartree, astronomical unit)".into(),
        "degC" | "celsius" | "Celsius" | "°C" => return "; temperatures are absolute, in K (25 degrees Celsius is \"298.15 K\")".into(),
        _ => {}
    }
    let lower = symbol.to_lowercase();
    let exact = ["m", "k", "u", "n", "c", ""]
        .iter()
        .flat_map(|p| units().iter().map(move |u| format!("{p}{}", u.symbol)))
        .find(|candidate| candidate.to_lowercase() == lower && find_unit(candidate).is_some());
    match exact {
        Some(candidate) => format!("; did you mean \"{candidate}\"?"),
        None => String::new(),
    }
}
