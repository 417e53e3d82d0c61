//! One sentence: what is held, and its clauses.

use super::clauses::{Clauses, Direction, clauses};
use super::cursor::Cursor;
use super::units::Kind;
use super::{DriveRequest, Reader};
use crate::error::CellError;
use crate::protocol::{Control, DriveCycle, DriveQuantity, Hold, ProtocolItem, Step};
use std::sync::Arc;

/// Words that may begin a sentence.
pub(super) const VERBS: [&str; 9] =
    ["Discharge", "Charge", "Hold", "Rest", "Run", "CCCV", "GITT", "HPPC", "repeat"];
/// Most files of traces.
const MOST_TRACES: usize = 1000;

impl Reader<'_> {
    /// Reads a sentence up to the end of its statement.
    pub(super) fn sentence(&mut self, cursor: &mut Cursor) -> Result<Vec<ProtocolItem>, CellError> {
        let start = cursor.here();
        let items = if cursor.accept_word(&["cccv"]) {
            super::patterns::constant_current_constant_voltage(cursor, start)?
        } else if cursor.accept_word(&["gitt"]) {
            super::patterns::titration(cursor, start)?
        } else if cursor.accept_word(&["hppc"]) {
            super::patterns::pulse_power(cursor, start)?
        } else {
            let step = self.step(cursor, start)?;
            vec![ProtocolItem::Step(step)]
        };
        check(&items).map_err(|error| cursor.placed(start, error))?;
        Ok(items)
    }

    fn step(&mut self, cursor: &mut Cursor, start: usize) -> Result<Step, CellError> {
        let (control, direction) = if cursor.accept_word(&["discharge"]) {
            cursor.expect_word("at", "as in 'Discharge at 1C'")?;
            (level(cursor, 1.0)?, Direction::Discharge)
        } else if cursor.accept_word(&["charge"]) {
            cursor.expect_word("at", "as in 'Charge at 1C'")?;
            (level(cursor, -1.0)?, Direction::Charge)
        } else if cursor.accept_word(&["hold"]) {
            cursor.expect_word("at", "as in 'Hold at 4.2 V'")?;
            (
                Control::Voltage { volts: voltage(cursor, "a hold is at a voltage, as in 'Hold at 4.2 V'")? },
                Direction::Unknown,
            )
        } else if cursor.accept_word(&["rest"]) {
            (Control::Rest, Direction::Unknown)
        } else if cursor.accept_word(&["run", "drive"]) {
            (self.trace(cursor)?, Direction::Unknown)
        } else {
            return Err(no_verb(cursor));
        };
        let Clauses { duration_s, limits, period_s, leaves_repeat } = clauses(cursor, direction)?;
        let label = cursor.text_from(start);
        Ok(Step { control, limits, duration_s, period_s, leaves_repeat, label })
    }

    /// "drive.csv (A) scaled by 0.5 stepwise".
    fn trace(&mut self, cursor: &mut Cursor) -> Result<Control, CellError> {
        let start = cursor.here();
        let Some((at, name)) = cursor.name()? else {
            return Err(cursor.fault(start, "expected the name of a file, as in 'Run drive.csv (A)'"));
        };
        let quantity = quantity(cursor)?;
        let mut factor = 1.0;
        let mut hold = Hold::Linear;
        loop {
            if cursor.accept_word(&["stepwise"]) {
                hold = Hold::Step;
            } else if cursor.accept_word(&["scaled"]) {
                cursor.expect_word("by", "as in 'scaled by 0.5'")?;
                factor = match cursor.number()? {
                    Some(factor) => factor,
                    None => return Err(cursor.unexpected(&[], "expected a number, as in 'scaled by 0.5'")),
                };
            } else {
                break;
            }
        }
        let request = DriveRequest { name, quantity, hold };
        let cycle = self.resolved(request).map_err(|error| cursor.placed(at, error))?;
        Ok(Control::Profile { cycle, factor })
    }

    /// The trace asked for, read once.
    fn resolved(&mut self, request: DriveRequest) -> Result<Arc<DriveCycle>, CellError> {
        if let Some(cycle) = self.traces.get(&request) {
            return Ok(Arc::clone(cycle));
        }
        let fault = |message: String| CellError::Trace {
            name: request.name.chars().take(120).collect(),
            line: 0,
            message,
        };
        if self.traces.len() >= MOST_TRACES {
            return Err(fault(format!("more than {MOST_TRACES} files of traces in one protocol")));
        }
        let cycle = (self.resolve)(&request)?;
        if let Some(asked) = request.quantity.filter(|asked| *asked != cycle.quantity()) {
            let (found, asked) = (cycle.quantity().name(), asked.name());
            return Err(fault(format!("holds a {found}, but the protocol asks for a {asked}")));
        }
        let cycle = Arc::new(cycle.named(&request.name)?.held(request.hold));
        self.traces.insert(request, Arc::clone(&cycle));
        Ok(cycle)
    }
}

/// Every step of `items` is sound.
fn check(items: &[ProtocolItem]) -> Result<(), CellError> {
    items.iter().try_for_each(|item| match item {
        ProtocolItem::Step(step) => step.validate(),
        ProtocolItem::Repeat { items, .. } => check(items),
    })
}

/// What is discharged (`sign` 1) or charged (-1) at.
pub(super) fn level(cursor: &mut Cursor, sign: f64) -> Result<Control, CellError> {
    let verb = if sign > 0.0 { "Discharge" } else { "Charge" };
    let Some(amount) = cursor.amount()? else {
        let more = format!(
            "expected a current, as in '{verb} at 1 A' or '{verb} at C/20', a power (2 W) or a resistance (4 Ohm)"
        );
        return Err(cursor.unexpected(&[], &more));
    };
    let value = amount.value;
    if value < 0.0 && amount.kind != Kind::Voltage {
        let other = if sign > 0.0 { "Charge" } else { "Discharge" };
        let message = format!("the direction is in the verb: write '{other} at ...' and a positive number");
        return Err(cursor.fault(amount.at, message));
    }
    Ok(match amount.kind {
        Kind::Current => Control::Current { amperes: sign * value },
        Kind::CRate => Control::CRate(sign * value),
        Kind::Power => Control::Power { watts: sign * value },
        Kind::Resistance => Control::Resistance { ohms: sign * value },
        Kind::Voltage => {
            let message = format!("a voltage is held: write 'Hold at {value} V'");
            return Err(cursor.fault(amount.at, message));
        }
        Kind::Charge | Kind::Temperature | Kind::Time | Kind::VoltageSlope => {
            let message =
                format!("{} cannot be held; expected a current, a power or a resistance", amount.kind.name());
            return Err(cursor.fault(amount.at, message));
        }
    })
}

/// A voltage; `more` says what it is for.
pub(super) fn voltage(cursor: &mut Cursor, more: &str) -> Result<f64, CellError> {
    match cursor.amount()? {
        Some(amount) if amount.kind == Kind::Voltage => Ok(amount.value),
        Some(amount) => {
            let message = format!("expected a voltage, found {}; {more}", amount.kind.name());
            Err(cursor.fault(amount.at, message))
        }
        None => Err(cursor.unexpected(&[], &format!("expected a voltage; {more}"))),
    }
}

/// "(A)": the quantity of a trace; a parenthesis with a period is left alone.
fn quantity(cursor: &mut Cursor) -> Result<Option<DriveQuantity>, CellError> {
    let mut ahead = *cursor;
    let inside = ahead.peek() == Some('(') && {
        ahead.advance();
        ahead.peek_word().is_some_and(|word| word != "every")
    };
    if !inside {
        return Ok(None);
    }
    let quantity = if ahead.accept_word(&["a"]) {
        DriveQuantity::Current
    } else if ahead.accept_word(&["c"]) {
        DriveQuantity::CRate
    } else if ahead.accept_word(&["w"]) {
        DriveQuantity::Power
    } else if ahead.accept_word(&["v"]) {
        DriveQuantity::Voltage
    } else {
        let more = "it says what the file prescribes; units of its numbers stand in the file's header";
        return Err(ahead.unexpected(&["A", "C", "W", "V"], more));
    };
    if !ahead.accept(')') {
        return Err(ahead.unexpected(&[")"], ""));
    }
    *cursor = ahead;
    Ok(Some(quantity))
}

fn no_verb(cursor: &mut Cursor) -> CellError {
    if matches!(cursor.peek(), Some('"' | '\'' | '[' | '(')) {
        let at = cursor.here();
        let message = "write sentences without quotes and brackets, one a line or separated by ';'";
        return cursor.fault(at, message);
    }
    cursor.unexpected(&VERBS, "as in 'Discharge at 1C until 2.5 V'")
}
