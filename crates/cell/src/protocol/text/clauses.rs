//! The parts of a sentence behind what it holds: durations, limits, periods of output.

use super::cursor::{Amount, Cursor};
use super::units::Kind;
use crate::error::CellError;
use crate::expression::Condition;
use crate::protocol::Limit;

/// What may follow.
const ALLOWED: &str =
    "what may follow is 'for 30 minutes', 'until 4.2 V', 'or until C/50', 'then leave', '(5 minute period)'";
/// Most limits of a step.
const MOST_LIMITS: usize = 16;

/// The parts of a sentence behind what it holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Clauses {
    pub(super) duration_s: Option<f64>,
    pub(super) limits: Vec<Limit>,
    pub(super) period_s: Option<f64>,
    pub(super) leaves_repeat: bool,
}

/// What a voltage without a sign means as a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// The voltage falls: below.
    Discharge,
    /// The voltage rises: above.
    Charge,
    /// Neither is known.
    Unknown,
}

/// How an amount bounds its quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Below,
    Above,
}

/// Reads clauses up to the end of the statement.
pub(super) fn clauses(cursor: &mut Cursor, direction: Direction) -> Result<Clauses, CellError> {
    let mut out = Clauses::default();
    while !cursor.is_at_end() {
        let at = cursor.here();
        if cursor.peek() == Some('(') {
            let period = period(cursor)?;
            if out.period_s.replace(period).is_some() {
                return Err(cursor.fault(at, "a second period of output; one is enough"));
            }
            continue;
        }
        let joined = cursor.accept_word(&["or"]);
        if cursor.accept_word(&["for"]) {
            if cursor.accept_word(&["at"]) {
                cursor.expect_word("most", "as in 'for at most 4 h'")?;
            }
            let duration = cursor.duration()?;
            if out.duration_s.replace(duration).is_some() {
                return Err(cursor.fault(at, "a second duration; a step has one"));
            }
        } else if cursor.accept_word(&["until"]) {
            if out.limits.len() == MOST_LIMITS {
                return Err(cursor.fault(at, format!("more than {MOST_LIMITS} limits in one step")));
            }
            out.limits.push(limit(cursor, direction)?);
        } else if joined {
            return Err(cursor.unexpected(&["until", "for"], "write 'or until 4.2 V' or 'or for 1 h'"));
        } else if cursor.accept_word(&["then"]) {
            cursor.expect_word("leave", "'then leave' ends the repeat when a limit of this step is met")?;
            cursor.accept_word(&["repeat"]);
            out.leaves_repeat = true;
        } else if cursor.peek_word().as_deref() == Some("to") {
            return Err(cursor.fault(at, "expected 'until', found 'to'; write 'until 4.2 V'"));
        } else if cursor.peek_word().as_deref() == Some("and") {
            return Err(cursor.fault(at, "a step ends by whatever is met first: write 'or until ...'; the next step is a sentence of its own"));
        } else {
            return Err(cursor.unexpected(&["for", "until", "or", "then"], ALLOWED));
        }
    }
    if out.leaves_repeat && out.limits.is_empty() {
        let at = cursor.here();
        return Err(
            cursor.fault(at, "'then leave' needs a limit: the repeat is left when 'until ...' is met")
        );
    }
    Ok(out)
}

/// "(5 minute period)" or "(every 5 minutes)".
fn period(cursor: &mut Cursor) -> Result<f64, CellError> {
    cursor.accept('(');
    let every = cursor.accept_word(&["every"]);
    let seconds = cursor.duration()?;
    if !every {
        cursor.expect_word("period", "as in '(5 minute period)' or '(every 5 minutes)'")?;
    }
    if cursor.accept(')') { Ok(seconds) } else { Err(cursor.unexpected(&[")"], "")) }
}

/// What stands behind "until".
fn limit(cursor: &mut Cursor, direction: Direction) -> Result<Limit, CellError> {
    if cursor.accept_word(&["formula"]) {
        return formula(cursor);
    }
    let quantity = quantity(cursor)?;
    let side = side(cursor)?;
    let Some(amount) = cursor.amount()? else {
        let more = "a limit is a voltage (2.5 V), a current (50 mA, C/50), a charge (0.5 A.h), 'temperature 60 degC', 'dV/dt < 1 mV/h' or 'formula (V - 0.05*I < 3)'";
        let words = if quantity.is_some() || side.is_some() {
            &[][..]
        } else {
            &["voltage", "current", "temperature"]
        };
        return Err(cursor.unexpected(words, more));
    };
    if let Some((kind, name)) = quantity {
        let rate_of_current = kind == Kind::Current && amount.kind == Kind::CRate;
        if kind != amount.kind && !rate_of_current {
            let hint = if kind == Kind::Temperature { "; write degrees Celsius as degC" } else { "" };
            let message = format!("{name} cannot be compared with {}{hint}", amount.kind.name());
            return Err(cursor.fault(amount.at, message));
        }
    }
    bound(cursor, amount, side, direction)
}

/// The limit that an amount means.
fn bound(
    cursor: &Cursor,
    amount: Amount,
    side: Option<Side>,
    direction: Direction,
) -> Result<Limit, CellError> {
    let Amount { kind, value, at } = amount;
    let may_be_negative = matches!(kind, Kind::Voltage | Kind::Temperature);
    if !may_be_negative && value <= 0.0 {
        let message = "a limit of 0 or less is never met; limits of current, charge and slope are magnitudes, whatever the direction";
        return Err(cursor.fault(at, message));
    }
    let wrong_side = |message: &str| Err(cursor.fault(at, message));
    Ok(match kind {
        Kind::Voltage => match (side, direction) {
            (Some(Side::Below), _) | (None, Direction::Discharge) => Limit::VoltageBelow { volts: value },
            (Some(Side::Above), _) | (None, Direction::Charge) => Limit::VoltageAbove { volts: value },
            (None, Direction::Unknown) => {
                let message = format!(
                    "this step does not tell whether the voltage rises or falls: write 'until > {value} V' or 'until < {value} V'"
                );
                return Err(cursor.fault(at, message));
            }
        },
        Kind::Current if side == Some(Side::Above) => Limit::CurrentAbove { amperes: value },
        Kind::Current => Limit::CurrentBelow { amperes: value },
        Kind::CRate if side == Some(Side::Above) => Limit::CRateAbove { rate: value },
        Kind::CRate => Limit::CRateBelow { rate: value },
        Kind::Charge if side == Some(Side::Below) => {
            return wrong_side("the charge of a step starts at 0 and grows: write 'until 0.5 A.h'");
        }
        Kind::Charge => Limit::ChargeAbove { ampere_hours: value },
        Kind::Temperature if side == Some(Side::Below) => Limit::TemperatureBelow { kelvin: value },
        Kind::Temperature => Limit::TemperatureAbove { kelvin: value },
        Kind::VoltageSlope if side == Some(Side::Above) => {
            return wrong_side("a step ends when the slope is small: write 'until dV/dt < 1 mV/h'");
        }
        Kind::VoltageSlope => Limit::VoltageSlopeBelow { volts_per_second: value },
        Kind::Time => return wrong_side("a duration is told with 'for': write 'for 10 minutes'"),
        Kind::Power | Kind::Resistance => {
            let message =
                format!("{} is no limit; write one as a formula, 'until formula (V*I < 2)'", kind.name());
            return wrong_side(&message);
        }
    })
}

/// The name of a quantity, if one stands here.
fn quantity(cursor: &mut Cursor) -> Result<Option<(Kind, &'static str)>, CellError> {
    if cursor.accept_word(&["dv"]) {
        let at = cursor.here();
        if cursor.accept('/') && cursor.accept_word(&["dt"]) {
            return Ok(Some((Kind::VoltageSlope, "dV/dt")));
        }
        return Err(cursor.fault(at, "expected 'dV/dt < 1 mV/h'"));
    }
    let names = [
        ("voltage", Kind::Voltage),
        ("current", Kind::Current),
        ("charge", Kind::Charge),
        ("capacity", Kind::Charge),
        ("temperature", Kind::Temperature),
    ];
    Ok(names.into_iter().find(|(name, _)| cursor.accept_word(&[name])).map(|(name, kind)| (kind, name)))
}

/// A sign of comparison, if one stands here.
fn side(cursor: &mut Cursor) -> Result<Option<Side>, CellError> {
    let side = if cursor.accept('<') || cursor.accept('≤') {
        Side::Below
    } else if cursor.accept('>') || cursor.accept('≥') {
        Side::Above
    } else if cursor.accept_word(&["below"]) {
        return Ok(Some(Side::Below));
    } else if cursor.accept_word(&["above"]) {
        return Ok(Some(Side::Above));
    } else if matches!(cursor.peek(), Some('=')) {
        let at = cursor.here();
        return Err(cursor.fault(at, "a limit is met by passing it: write '<', '>' or no sign"));
    } else {
        return Ok(None);
    };
    if cursor.raw_peek() == Some('=') {
        cursor.advance();
    }
    Ok(Some(side))
}

/// "formula (V - 0.05*I < 3)".
fn formula(cursor: &mut Cursor) -> Result<Limit, CellError> {
    let Some((start, text)) = cursor.parenthesised()? else {
        return Err(cursor.unexpected(&["("], "as in 'until formula (V - 0.05*I < 3)'"));
    };
    Condition::parse(&text).map(Limit::Custom).map_err(|error| match error {
        CellError::Formula { column, message, .. } => {
            let spaces = text.chars().take_while(|c| c.is_whitespace()).count();
            cursor.fault(start + spaces + column - 1, message)
        }
        other => other,
    })
}
