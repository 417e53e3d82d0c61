//! Units of protocol sentences.

/// What a number with a unit is an amount of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Current,
    CRate,
    Voltage,
    Power,
    Resistance,
    Charge,
    Temperature,
    Time,
    VoltageSlope,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Current => "a current",
            Self::CRate => "a C-rate",
            Self::Voltage => "a voltage",
            Self::Power => "a power",
            Self::Resistance => "a resistance",
            Self::Charge => "a charge",
            Self::Temperature => "a temperature",
            Self::Time => "a time",
            Self::VoltageSlope => "a slope of the voltage",
        }
    }
}

/// A unit: value in SI (charge in A h) = (number * factor) / divisor + offset. Small parts are divisors, because
/// 50/1000 rounds to the number that 0.05 is read as.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Unit {
    pub(super) kind: Kind,
    factor: f64,
    divisor: f64,
    offset: f64,
}

impl Unit {
    pub(super) fn si(self, number: f64) -> f64 {
        number * self.factor / self.divisor + self.offset
    }
}

/// Spellings with kind, factor and divisor.
const UNITS: [(&str, Kind, f64, f64); 62] = [
    ("A", Kind::Current, 1.0, 1.0),
    ("mA", Kind::Current, 1.0, 1e3),
    ("uA", Kind::Current, 1.0, 1e6),
    ("µA", Kind::Current, 1.0, 1e6),
    ("kA", Kind::Current, 1e3, 1.0),
    ("C", Kind::CRate, 1.0, 1.0),
    ("V", Kind::Voltage, 1.0, 1.0),
    ("mV", Kind::Voltage, 1.0, 1e3),
    ("W", Kind::Power, 1.0, 1.0),
    ("mW", Kind::Power, 1.0, 1e3),
    ("uW", Kind::Power, 1.0, 1e6),
    ("µW", Kind::Power, 1.0, 1e6),
    ("kW", Kind::Power, 1e3, 1.0),
    ("Ohm", Kind::Resistance, 1.0, 1.0),
    ("Ohms", Kind::Resistance, 1.0, 1.0),
    ("mOhm", Kind::Resistance, 1.0, 1e3),
    ("kOhm", Kind::Resistance, 1e3, 1.0),
    ("Ω", Kind::Resistance, 1.0, 1.0),
    ("mΩ", Kind::Resistance, 1.0, 1e3),
    ("kΩ", Kind::Resistance, 1e3, 1.0),
    ("A.h", Kind::Charge, 1.0, 1.0),
    ("Ah", Kind::Charge, 1.0, 1.0),
    ("A·h", Kind::Charge, 1.0, 1.0),
    ("mA.h", Kind::Charge, 1.0, 1e3),
    ("mAh", Kind::Charge, 1.0, 1e3),
    ("mA·h", Kind::Charge, 1.0, 1e3),
    ("K", Kind::Temperature, 1.0, 1.0),
    ("degC", Kind::Temperature, 1.0, 1.0),
    ("oC", Kind::Temperature, 1.0, 1.0),
    ("°C", Kind::Temperature, 1.0, 1.0),
    ("celsius", Kind::Temperature, 1.0, 1.0),
    ("ms", Kind::Time, 1.0, 1e3),
    ("s", Kind::Time, 1.0, 1.0),
    ("sec", Kind::Time, 1.0, 1.0),
    ("secs", Kind::Time, 1.0, 1.0),
    ("second", Kind::Time, 1.0, 1.0),
    ("seconds", Kind::Time, 1.0, 1.0),
    ("m", Kind::Time, 60.0, 1.0),
    ("min", Kind::Time, 60.0, 1.0),
    ("mins", Kind::Time, 60.0, 1.0),
    ("minute", Kind::Time, 60.0, 1.0),
    ("minutes", Kind::Time, 60.0, 1.0),
    ("h", Kind::Time, 3600.0, 1.0),
    ("hr", Kind::Time, 3600.0, 1.0),
    ("hrs", Kind::Time, 3600.0, 1.0),
    ("hour", Kind::Time, 3600.0, 1.0),
    ("hours", Kind::Time, 3600.0, 1.0),
    ("d", Kind::Time, 86_400.0, 1.0),
    ("day", Kind::Time, 86_400.0, 1.0),
    ("days", Kind::Time, 86_400.0, 1.0),
    ("V/s", Kind::VoltageSlope, 1.0, 1.0),
    ("V/min", Kind::VoltageSlope, 1.0, 60.0),
    ("V/h", Kind::VoltageSlope, 1.0, 3600.0),
    ("mV/s", Kind::VoltageSlope, 1.0, 1e3),
    ("mV/min", Kind::VoltageSlope, 1.0, 6e4),
    ("mV/h", Kind::VoltageSlope, 1.0, 3.6e6),
    ("uV/s", Kind::VoltageSlope, 1.0, 1e6),
    ("uV/min", Kind::VoltageSlope, 1.0, 6e7),
    ("uV/h", Kind::VoltageSlope, 1.0, 3.6e9),
    ("µV/s", Kind::VoltageSlope, 1.0, 1e6),
    ("µV/min", Kind::VoltageSlope, 1.0, 6e7),
    ("µV/h", Kind::VoltageSlope, 1.0, 3.6e9),
];

/// Units named in advice.
pub(super) const COMMON: [&str; 16] = [
    "A", "mA", "C", "V", "mV", "W", "mW", "Ohm", "A.h", "mAh", "degC", "K", "seconds", "minutes", "hours",
    "mV/h",
];

/// The unit spelled `text`, case aside.
///
/// # Errors
/// What is wrong with the spelling and what to write.
pub(super) fn unit(text: &str) -> Result<Unit, String> {
    // Greek mu and omega, as keyboards write them.
    let spelled =
        text.replace('\u{3bc}', "\u{b5}").replace('\u{2126}', "\u{3a9}").replace('\u{22c5}', "\u{b7}");
    let exact = UNITS.iter().find(|u| u.0 == spelled);
    let lower = spelled.to_lowercase();
    let found = exact.or_else(|| UNITS.iter().find(|u| u.0.to_lowercase() == lower));
    let Some((name, kind, factor, divisor)) = found.copied() else {
        let near = crate::spelling::closest(&spelled, COMMON);
        let hint = near.map_or_else(
            || format!("known are {}", COMMON.join(", ")),
            |near| format!("did you mean '{near}'?"),
        );
        return Err(format!("unknown unit '{text}'; {hint}"));
    };
    if kind != Kind::Time && name.starts_with('m') && spelled.starts_with('M') {
        return Err(format!("'{text}' would be millions; did you mean '{name}'?"));
    }
    let offset = if kind == Kind::Temperature && name != "K" { 273.15 } else { 0.0 };
    Ok(Unit { kind, factor, divisor, offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_in_any_case_but_not_as_millions() {
        let si = |text: &str, number: f64| unit(text).map(|u| (u.kind, u.si(number)));
        assert_eq!(si("ma", 50.0), Ok((Kind::Current, 0.05)));
        assert_eq!(si("HOURS", 2.0), Ok((Kind::Time, 7200.0)));
        assert_eq!(si("MIN", 2.0), Ok((Kind::Time, 120.0)));
        assert_eq!(si("μA", 2.0), Ok((Kind::Current, 2e-6)));
        assert_eq!(si("\u{3bc}A", 2.0), si("\u{b5}A", 2.0));
        assert_eq!(si("m\u{2126}", 2.0), Ok((Kind::Resistance, 0.002)));
        assert_eq!(si("m\u{3a9}", 2.0), Ok((Kind::Resistance, 0.002)));
        assert_eq!(si("mah", 200.0), Ok((Kind::Charge, 0.2)));
        assert_eq!(si("degC", 60.0), Ok((Kind::Temperature, 333.15)));
        assert_eq!(si("K", 300.0), Ok((Kind::Temperature, 300.0)));
        assert_eq!(si("mV/h", 3.6), Ok((Kind::VoltageSlope, 1e-6)));
        assert!(unit("MW").unwrap_err().contains("did you mean 'mW'"));
        assert!(unit("MAh").unwrap_err().contains("did you mean 'mAh'"));
        assert!(unit("hurs").unwrap_err().contains("did you mean 'hours'"));
        assert!(unit("furlong").unwrap_err().contains("known are"));
    }
}
