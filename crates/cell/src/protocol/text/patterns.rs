//! Sentences that stand for several steps.

use super::clauses::{Clauses, Direction, clauses};
use super::cursor::Cursor;
use super::sentence::{level, voltage};
use crate::error::CellError;
use crate::protocol::{Control, Limit, ProtocolItem, Step};

/// Most pulses of a pattern.
const MOST_PULSES: usize = 1_000_000;

const GITT: &str = "as in 'GITT 20 pulses C/10 for 30 min rest 2 h until 2.5 V'";
const HPPC: &str = "as in 'HPPC 9 pulses 1C for 30 s rest 40 s charge 0.75C for 10 s rest 40 s then C/3 for 18 min rest 1 h within 2.5 V to 4.2 V'";

/// "CCCV charge at C/2 to 4.2 V until C/50": a current to a voltage, which is then held.
pub(super) fn constant_current_constant_voltage(
    cursor: &mut Cursor,
    start: usize,
) -> Result<Vec<ProtocolItem>, CellError> {
    const EXAMPLE: &str = "as in 'CCCV charge at C/2 to 4.2 V until C/50'";
    let sign = if cursor.accept_word(&["charge"]) {
        -1.0
    } else if cursor.accept_word(&["discharge"]) {
        1.0
    } else {
        return Err(cursor.unexpected(&["charge", "discharge"], EXAMPLE));
    };
    cursor.expect_word("at", EXAMPLE)?;
    let control = level(cursor, sign)?;
    cursor.expect_word("to", EXAMPLE)?;
    let volts = voltage(cursor, EXAMPLE)?;
    let tail = clauses(cursor, Direction::Unknown)?;
    let sentence = cursor.text_from(start);
    let reached = if sign > 0.0 { Limit::VoltageBelow { volts } } else { Limit::VoltageAbove { volts } };
    let current = Step {
        period_s: tail.period_s,
        label: part(&sentence, "constant current"),
        ..Step::new(control).until(reached)
    };
    let Clauses { duration_s, limits, period_s, leaves_repeat } = tail;
    let label = part(&sentence, "constant voltage");
    let hold =
        Step { control: Control::Voltage { volts }, limits, duration_s, period_s, leaves_repeat, label };
    Ok(vec![ProtocolItem::Step(current), ProtocolItem::Step(hold)])
}

/// "GITT 20 pulses C/10 for 30 min rest 2 h until 2.5 V": pulses and rests, left when a limit ends a pulse.
pub(super) fn titration(cursor: &mut Cursor, start: usize) -> Result<Vec<ProtocolItem>, CellError> {
    let sign = sign(cursor);
    let count = pulses(cursor, GITT)?;
    let control = level(cursor, sign)?;
    let seconds = lasting(cursor, GITT)?;
    let rest = rest(cursor, GITT)?;
    let direction = if sign > 0.0 { Direction::Discharge } else { Direction::Charge };
    let tail = clauses(cursor, direction)?;
    if tail.duration_s.is_some() || tail.leaves_repeat {
        let at = cursor.here();
        return Err(cursor.fault(at, format!("behind the rest only limits and a period may stand, {GITT}")));
    }
    let sentence = cursor.text_from(start);
    let pulse = Step {
        leaves_repeat: !tail.limits.is_empty(),
        limits: tail.limits,
        period_s: tail.period_s,
        label: part(&sentence, "pulse"),
        ..Step::lasting(control, seconds)
    };
    let rest = Step {
        period_s: tail.period_s,
        label: part(&sentence, "rest"),
        ..Step::lasting(Control::Rest, rest)
    };
    let items = vec![ProtocolItem::Step(pulse), ProtocolItem::Step(rest)];
    Ok(vec![ProtocolItem::Repeat { count, items }])
}

/// Hybrid pulse power characterization: a discharge pulse, a rest, a charge pulse, a rest, a discharge to the next
/// state of charge, a rest, and so on. Steps that discharge end the whole at the lower voltage.
pub(super) fn pulse_power(cursor: &mut Cursor, start: usize) -> Result<Vec<ProtocolItem>, CellError> {
    let count = pulses(cursor, HPPC)?;
    let pulse = (level(cursor, 1.0)?, lasting(cursor, HPPC)?, rest(cursor, HPPC)?);
    cursor.expect_word("charge", HPPC)?;
    cursor.accept_word(&["at"]);
    let back = (level(cursor, -1.0)?, lasting(cursor, HPPC)?, rest(cursor, HPPC)?);
    cursor.expect_word("then", HPPC)?;
    let next = (level(cursor, 1.0)?, lasting(cursor, HPPC)?, rest(cursor, HPPC)?);
    let mut window = None;
    if cursor.accept_word(&["within"]) {
        let at = cursor.here();
        let low = voltage(cursor, HPPC)?;
        cursor.expect_word("to", HPPC)?;
        let high = voltage(cursor, HPPC)?;
        if low >= high {
            return Err(cursor.fault(at, format!("{low} V to {high} V: the lower voltage comes first")));
        }
        window = Some((low, high));
    }
    let tail = clauses(cursor, Direction::Unknown)?;
    if tail.duration_s.is_some() || !tail.limits.is_empty() || tail.leaves_repeat {
        let at = cursor.here();
        return Err(cursor.fault(at, format!("voltages that end it are told by 'within', {HPPC}")));
    }
    let sentence = cursor.text_from(start);
    let mut items = Vec::new();
    for (name, (control, seconds, rest), discharges) in
        [("pulse", pulse, true), ("charge pulse", back, false), ("discharge", next, true)]
    {
        let mut step = Step::lasting(control, seconds);
        if let Some((low, high)) = window {
            step = if discharges { step.until_voltage_below(low) } else { step.until_voltage_above(high) };
            step.leaves_repeat = discharges;
        }
        for (name, step) in [(name, step), ("rest", Step::lasting(Control::Rest, rest))] {
            items.push(ProtocolItem::Step(Step {
                period_s: tail.period_s,
                label: part(&sentence, name),
                ..step
            }));
        }
    }
    Ok(vec![ProtocolItem::Repeat { count, items }])
}

/// Label of one step of a pattern.
fn part(sentence: &str, name: &str) -> String {
    format!("{sentence} [{name}]")
}

/// "charge" or "discharge", which may be left out.
fn sign(cursor: &mut Cursor) -> f64 {
    if cursor.accept_word(&["charge"]) {
        return -1.0;
    }
    cursor.accept_word(&["discharge"]);
    1.0
}

/// "20 pulses", with "of" or "at" behind if wished.
fn pulses(cursor: &mut Cursor, example: &str) -> Result<usize, CellError> {
    let count = cursor.count("pulses", MOST_PULSES)?;
    if !cursor.accept_word(&["pulses", "pulse"]) {
        return Err(cursor.unexpected(&["pulses"], example));
    }
    cursor.accept_word(&["of", "at"]);
    Ok(count)
}

/// "for 30 min".
fn lasting(cursor: &mut Cursor, example: &'static str) -> Result<f64, CellError> {
    cursor.expect_word("for", example)?;
    cursor.duration()
}

/// "rest 2 h".
fn rest(cursor: &mut Cursor, example: &'static str) -> Result<f64, CellError> {
    cursor.expect_word("rest", example)?;
    cursor.accept_word(&["for"]);
    cursor.duration()
}
