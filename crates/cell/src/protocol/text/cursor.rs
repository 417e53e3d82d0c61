//! A place in one statement of a protocol's text, and what can be read there.

use super::units::{Kind, unit};
use crate::error::CellError;
use crate::spelling::closest;

/// A number with a unit, in SI (charge in A h), and where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Amount {
    pub(super) kind: Kind,
    pub(super) value: f64,
    pub(super) at: usize,
}

/// Whether a name is a word that begins a clause, so that it must be quoted to be a name.
pub(super) fn begins_clause(name: &str) -> bool {
    ["for", "until", "or", "then"].contains(&name.to_lowercase().as_str())
}

/// A place in one statement. Positions count characters of the line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    /// The whole line, for messages.
    chars: &'a [char],
    at: usize,
    end: usize,
    line: usize,
}

impl<'a> Cursor<'a> {
    /// The statement between two characters of line number `line`.
    pub(super) fn new(chars: &'a [char], start: usize, end: usize, line: usize) -> Self {
        Self { chars, at: start, end, line }
    }

    /// An error at a position.
    pub(super) fn fault(&self, at: usize, message: impl Into<String>) -> CellError {
        CellError::Protocol {
            line: self.line,
            column: at + 1,
            message: message.into(),
            source_text: self.chars.iter().collect(),
        }
    }

    /// An error of the whole statement that starts at `at`, told with its place.
    pub(super) fn placed(&self, at: usize, error: CellError) -> CellError {
        match error {
            CellError::Protocol { message, line: 0, .. } => self.fault(at, message),
            CellError::Protocol { .. } => error,
            other => self.fault(at, other.to_string()),
        }
    }

    /// The text from `start` to here, without spaces around it.
    pub(super) fn text_from(&self, start: usize) -> String {
        let text: String = self.chars[start..self.at.max(start)].iter().collect();
        text.trim().to_owned()
    }

    pub(super) fn skip_spaces(&mut self) {
        while self.at < self.end && self.chars[self.at].is_whitespace() {
            self.at += 1;
        }
    }

    /// Position of the next character that is no space.
    pub(super) fn here(&mut self) -> usize {
        self.skip_spaces();
        self.at
    }

    /// The next character that is no space.
    pub(super) fn peek(&mut self) -> Option<char> {
        self.skip_spaces();
        self.raw_peek()
    }

    /// The next character.
    pub(super) fn raw_peek(&self) -> Option<char> {
        if self.at < self.end { Some(self.chars[self.at]) } else { None }
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    pub(super) fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Takes `symbol` if it is next.
    pub(super) fn accept(&mut self, symbol: char) -> bool {
        let found = self.peek() == Some(symbol);
        if found {
            self.at += 1;
        }
        found
    }

    /// The next word in lower case (letters, underscores), without taking it.
    pub(super) fn peek_word(&mut self) -> Option<String> {
        self.skip_spaces();
        let letters = self.chars[self.at..self.end].iter().take_while(|c| c.is_alphabetic() || **c == '_');
        let word: String = letters.flat_map(|c| c.to_lowercase()).collect();
        (!word.is_empty()).then_some(word)
    }

    /// Takes the next word if it is one of `words`.
    pub(super) fn accept_word(&mut self, words: &[&str]) -> bool {
        let found = self.peek_word().is_some_and(|word| words.contains(&word.as_str()));
        if found {
            while self.raw_peek().is_some_and(|c| c.is_alphabetic() || c == '_') {
                self.at += 1;
            }
        }
        found
    }

    /// Takes a word that must be next.
    pub(super) fn expect_word(&mut self, word: &'static str, then: &str) -> Result<(), CellError> {
        if self.accept_word(&[word]) { Ok(()) } else { Err(self.unexpected(&[word], then)) }
    }

    /// What stands here, for messages: a word, a number or a symbol.
    pub(super) fn found(&mut self) -> String {
        let at = self.here();
        let rest = &self.chars[at..self.end];
        let word = |c: &&char| c.is_alphanumeric() || matches!(**c, '_' | '.' | '/' | '-' | '+');
        match rest.first() {
            None => "the end".to_owned(),
            Some(first) if word(&first) => {
                let text: String = rest.iter().take_while(word).take(40).collect();
                format!("'{text}'")
            }
            Some(first) => format!("{first:?}"),
        }
    }

    /// An error that says what is expected here: one of `words`; `more` says it at length, with an example.
    pub(super) fn unexpected(&mut self, words: &[&str], more: &str) -> CellError {
        let at = self.here();
        let found = self.found();
        if self.raw_peek() == Some(',') {
            let message = "unexpected ','; a decimal sign is a point (2.5 V), and sentences are separated by ';' or line ends";
            return self.fault(at, message);
        }
        let near = self.peek_word().and_then(|word| closest(&word, words.iter().copied()));
        let near = near.map_or(String::new(), |near| format!("; did you mean '{near}'?"));
        let listed: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let expected =
            if listed.is_empty() { String::new() } else { format!("expected {}, ", listed.join(" or ")) };
        let more = if more.is_empty() { String::new() } else { format!("; {more}") };
        self.fault(at, format!("{expected}found {found}{near}{more}"))
    }

    /// A number, if one is next: digits with a point, sign and exponent.
    pub(super) fn number(&mut self) -> Result<Option<f64>, CellError> {
        let start = self.here();
        let char_at = |index: usize| if index < self.end { self.chars[index] } else { '\0' };
        let mut at = start + usize::from(matches!(char_at(start), '-' | '+'));
        if !(char_at(at).is_ascii_digit() || char_at(at) == '.' && char_at(at + 1).is_ascii_digit()) {
            return Ok(None);
        }
        while char_at(at).is_ascii_digit() || char_at(at) == '.' {
            at += 1;
        }
        if matches!(char_at(at), 'e' | 'E') {
            let digits = at + 1 + usize::from(matches!(char_at(at + 1), '-' | '+'));
            if char_at(digits).is_ascii_digit() {
                at = digits;
                while char_at(at).is_ascii_digit() {
                    at += 1;
                }
            }
        }
        let text: String = self.chars[start..at].iter().collect();
        if char_at(at) == ',' && char_at(at + 1).is_ascii_digit() {
            return Err(self.fault(at, "a decimal sign is a point: write 2.5, not 2,5"));
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => {
                self.at = at;
                Ok(Some(value))
            }
            _ => {
                Err(self
                    .fault(start, format!("'{}' is not a number", text.chars().take(40).collect::<String>())))
            }
        }
    }

    /// A whole number from 1 to `most`, of `what`.
    pub(super) fn count(&mut self, what: &str, most: usize) -> Result<usize, CellError> {
        let at = self.here();
        let message = format!("expected the number of {what}, a whole number from 1 to {most}");
        match self.number()? {
            Some(value) if value.fract() == 0.0 && value >= 1.0 && value <= most as f64 => Ok(value as usize),
            Some(value) => Err(self.fault(at, format!("{message}, found {value}"))),
            None => {
                let found = self.found();
                Err(self.fault(at, format!("{message}, found {found}")))
            }
        }
    }

    /// The letters of a unit: words joined by '.', '·' or '/'.
    fn unit_text(&mut self) -> String {
        let start = self.here();
        let letter = |c: char| c.is_alphabetic() || matches!(c, '°' | '%');
        let mut at = start;
        while at < self.end {
            let joins = matches!(self.chars[at], '.' | '·' | '⋅' | '/') && at > start;
            let joined = joins && at + 1 < self.end && letter(self.chars[at + 1]);
            if !letter(self.chars[at]) && !joined {
                break;
            }
            at += 1;
        }
        self.at = at;
        self.chars[start..at].iter().collect()
    }

    /// An amount, if one is next: a number with a unit, or C, C/20.
    pub(super) fn amount(&mut self) -> Result<Option<Amount>, CellError> {
        let at = self.here();
        let Some(number) = self.number()? else {
            return self.fraction_of_c();
        };
        let unit_at = self.here();
        let text = self.unit_text();
        if text.is_empty() {
            let found = self.found();
            let message = format!(
                "a unit is missing after {number}: expected A, C, V, W, Ohm, s, min, h ..., found {found}"
            );
            return Err(self.fault(unit_at, message));
        }
        let mut unit = unit(&text).map_err(|message| self.fault(unit_at, message))?;
        // "A h" as in "0.5 A h".
        if unit.kind == Kind::Current && self.accept_word(&["h"]) {
            unit.kind = Kind::Charge;
        }
        let value = unit.si(number);
        if unit.kind == Kind::CRate && self.raw_peek() == Some('/') {
            return Err(self
                .fault(self.at, format!("write {number}C/x as one number, for example {}C", number / 2.0)));
        }
        Ok(Some(Amount { kind: unit.kind, value, at }))
    }

    /// "C" or "C/20".
    fn fraction_of_c(&mut self) -> Result<Option<Amount>, CellError> {
        let at = self.here();
        if self.peek_word().as_deref() != Some("c") {
            return Ok(None);
        }
        self.advance();
        if !self.accept('/') {
            return Ok(Some(Amount { kind: Kind::CRate, value: 1.0, at }));
        }
        let divisor_at = self.here();
        match self.number()? {
            Some(divisor) if divisor > 0.0 && (1.0 / divisor).is_finite() => {
                Ok(Some(Amount { kind: Kind::CRate, value: 1.0 / divisor, at }))
            }
            _ => Err(self.fault(divisor_at, "expected a positive number after 'C/', as in C/20")),
        }
    }

    /// A duration: one or more amounts of time, as in "1 h 30 min".
    pub(super) fn duration(&mut self) -> Result<f64, CellError> {
        let at = self.here();
        let mut total = 0.0;
        let mut parts = 0;
        loop {
            let before = self.at;
            match self.amount() {
                Ok(Some(Amount { kind: Kind::Time, value, .. })) => {
                    total += value;
                    parts += 1;
                }
                _ if parts > 0 => {
                    self.at = before;
                    break;
                }
                Ok(Some(amount)) => {
                    let message =
                        format!("expected a duration, as in 'for 30 minutes', found {}", amount.kind.name());
                    return Err(self.fault(at, message));
                }
                Ok(None) => return Err(self.unexpected(&[], "expected a duration, as in '30 minutes'")),
                Err(error) => return Err(error),
            }
        }
        if total > 0.0 && total <= 3.2e8 {
            Ok(total)
        } else {
            Err(self.fault(
                at,
                format!("a duration of {total} s; it must be positive and at most 3.2e8 s (10 years)"),
            ))
        }
    }

    /// What stands in parentheses that balance, if '(' is next.
    pub(super) fn parenthesised(&mut self) -> Result<Option<(usize, String)>, CellError> {
        let open = self.here();
        if !self.accept('(') {
            return Ok(None);
        }
        let mut depth = 1;
        for at in self.at..self.end {
            match self.chars[at] {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let text = self.chars[open + 1..at].iter().collect();
                self.at = at + 1;
                return Ok(Some((open + 1, text)));
            }
        }
        Err(self.fault(open, "this '(' has no ')'"))
    }

    /// A name with its place: in quotes, or up to a space or '('. None where a clause begins instead.
    pub(super) fn name(&mut self) -> Result<Option<(usize, String)>, CellError> {
        let start = self.here();
        if self.accept('"') {
            let name: String = self.chars[self.at..self.end].iter().take_while(|c| **c != '"').collect();
            self.at += name.chars().count() + 1;
            if self.at > self.end {
                return Err(self.fault(start, "this quote has no end"));
            }
            return Ok(Some((start, name)).filter(|(_, name)| !name.is_empty()));
        }
        while self.raw_peek().is_some_and(|c| !c.is_whitespace() && c != '(') {
            self.at += 1;
        }
        let name: String = self.chars[start..self.at].iter().collect();
        Ok(Some((start, name)).filter(|(_, name)| !name.is_empty() && !begins_clause(name)))
    }
}
