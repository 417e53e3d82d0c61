//! Protocols as text that is read back as the same protocol.

use super::cursor::begins_clause;
use crate::protocol::{Control, DriveCycle, Hold, Limit, Protocol, ProtocolItem, Step};
use std::fmt::{Display, Formatter, Result};

/// Writes a protocol one sentence a line; patterns are written as the steps they stand for.
impl Display for Protocol {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        items(out, &self.items, 0)
    }
}

fn items(out: &mut Formatter<'_>, items_of: &[ProtocolItem], depth: usize) -> Result {
    let indent = "    ".repeat(depth);
    for item in items_of {
        match item {
            ProtocolItem::Step(step) => writeln!(out, "{indent}{step}")?,
            ProtocolItem::Repeat { count, items: repeated } => {
                writeln!(out, "{indent}repeat {count} times {{")?;
                items(out, repeated, depth + 1)?;
                writeln!(out, "{indent}}}")?;
            }
        }
    }
    Ok(())
}

/// Writes the step as a sentence.
impl Display for Step {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match &self.control {
            Control::Current { amperes } => level(out, *amperes, "A")?,
            Control::CRate(rate) => {
                out.write_str(if *rate < 0.0 { "Charge at " } else { "Discharge at " })?;
                c_rate(out, rate.abs())?;
            }
            Control::Power { watts } => level(out, *watts, "W")?,
            Control::Resistance { ohms } => level(out, *ohms, "Ohm")?,
            Control::Voltage { volts } => write!(out, "Hold at {} V", Number(*volts))?,
            Control::Rest => out.write_str("Rest")?,
            Control::Profile { cycle, factor } => trace(out, cycle, *factor)?,
        }
        if let Some(seconds) = self.duration_s {
            out.write_str(" for ")?;
            duration(out, seconds)?;
        }
        for (index, limit) in self.limits.iter().enumerate() {
            let first = index == 0 && self.duration_s.is_none();
            out.write_str(if first { " until " } else { " or until " })?;
            write_limit(out, limit, self.direction())?;
        }
        if self.leaves_repeat {
            out.write_str(" then leave repeat")?;
        }
        if let Some(seconds) = self.period_s {
            write!(out, " ({} s period)", Number(seconds))?;
        }
        Ok(())
    }
}

fn level(out: &mut Formatter<'_>, value: f64, unit: &str) -> Result {
    let verb = if value < 0.0 { "Charge" } else { "Discharge" };
    write!(out, "{verb} at {} {unit}", Number(value.abs()))
}

fn write_limit(out: &mut Formatter<'_>, limit: &Limit, direction: i8) -> Result {
    match limit {
        Limit::VoltageBelow { volts } if direction == 1 => write!(out, "{} V", Number(*volts)),
        Limit::VoltageAbove { volts } if direction == -1 => write!(out, "{} V", Number(*volts)),
        Limit::VoltageBelow { volts } => write!(out, "voltage < {} V", Number(*volts)),
        Limit::VoltageAbove { volts } => write!(out, "voltage > {} V", Number(*volts)),
        Limit::CurrentBelow { amperes } => write!(out, "{} A", Number(*amperes)),
        Limit::CurrentAbove { amperes } => write!(out, "current > {} A", Number(*amperes)),
        Limit::CRateBelow { rate } => c_rate(out, *rate),
        Limit::CRateAbove { rate } => {
            out.write_str("current > ")?;
            c_rate(out, *rate)
        }
        Limit::ChargeAbove { ampere_hours } => write!(out, "{} A.h", Number(*ampere_hours)),
        Limit::TemperatureAbove { kelvin } => write!(out, "temperature > {} K", Number(*kelvin)),
        Limit::TemperatureBelow { kelvin } => write!(out, "temperature < {} K", Number(*kelvin)),
        Limit::VoltageSlopeBelow { volts_per_second } => {
            write!(out, "dV/dt < {} V/s", Number(*volts_per_second))
        }
        Limit::Custom(condition) => write!(out, "formula ({})", condition.text()),
    }
}

/// C/20 where that is the same number, 0.3C otherwise.
fn c_rate(out: &mut Formatter<'_>, rate: f64) -> Result {
    let divisor = (1.0 / rate).round();
    if divisor > 1.0 && divisor < 1e6 && 1.0 / divisor == rate {
        return write!(out, "C/{divisor}");
    }
    write!(out, "{}C", Number(rate))
}

fn duration(out: &mut Formatter<'_>, seconds: f64) -> Result {
    for (unit, length) in [("hour", 3600.0), ("minute", 60.0)] {
        if seconds >= length && seconds % length == 0.0 {
            let count = seconds / length;
            return write!(out, "{} {unit}{}", Number(count), if count == 1.0 { "" } else { "s" });
        }
    }
    write!(out, "{} s", Number(seconds))
}

fn trace(out: &mut Formatter<'_>, cycle: &DriveCycle, factor: f64) -> Result {
    let name = cycle.name();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    if name.chars().all(plain) && !begins_clause(name) {
        write!(out, "Run {name} ({})", cycle.quantity().unit())?;
    } else {
        write!(out, "Run \"{name}\" ({})", cycle.quantity().unit())?;
    }
    if factor != 1.0 {
        write!(out, " scaled by {}", Number(factor))?;
    }
    if cycle.hold() == Hold::Step {
        out.write_str(" stepwise")?;
    }
    Ok(())
}

/// The shortest digits that are read back as the same number, with an exponent where that is shorter.
struct Number(f64);

impl Display for Number {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let size = self.0.abs();
        if size != 0.0 && !(1e-4..1e9).contains(&size) {
            write!(out, "{:e}", self.0)
        } else {
            write!(out, "{}", self.0)
        }
    }
}
