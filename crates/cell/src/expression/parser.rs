//! Recursive-descent reader of formulas with limits against hostile input.

use super::tape::{Operation, Tape};
use crate::error::CellError;

/// Longest formula, bytes.
const MAX_LENGTH: usize = 20_000;
/// Deepest nesting of parentheses, signs and powers.
const MAX_DEPTH: usize = 64;
/// Most operations.
const MAX_OPERATIONS: usize = 4_000;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Name(String),
    Symbol(&'static str),
    End,
}

pub(super) struct Parser<'a> {
    text: &'a str,
    names: &'a [&'a str],
    tokens: Vec<(usize, Token)>,
    position: usize,
    depth: usize,
    tape: Tape,
}

/// Reads `text`, in which `names` are the variables, into a tape of operations.
pub(super) fn parse(text: &str, names: &[&str]) -> Result<Tape, CellError> {
    if text.len() > MAX_LENGTH {
        let message = format!("the formula has {} bytes, the limit is {MAX_LENGTH}", text.len());
        return Err(fault(text, 1, message));
    }
    let tokens = tokenize(text)?;
    let mut parser = Parser { text, names, tokens, position: 0, depth: 0, tape: Tape::default() };
    let result = parser.sum()?;
    if *parser.peek() != Token::End {
        return Err(parser.unexpected("an operator or the end"));
    }
    let mut tape = parser.tape;
    tape.finish(result);
    Ok(tape)
}

fn fault(text: &str, column: usize, message: String) -> CellError {
    let source_text: String = text.chars().take(160).collect();
    CellError::Formula { column, message, source_text }
}

const SYMBOLS: [&str; 9] = ["**", "+", "-", "*", "/", "(", ")", ",", "^"];

/// Tokens with their columns, counted in characters from 1; the last one is the end.
pub(super) fn tokenize(text: &str) -> Result<Vec<(usize, Token)>, CellError> {
    let mut tokens = Vec::new();
    let bytes = text.as_bytes();
    let column_of = |offset: usize| text.get(..offset).map_or(1, |s| s.chars().count() + 1);
    let mut i = 0;
    while i < bytes.len() {
        let byte = bytes[i];
        let start = i;
        if byte.is_ascii_whitespace() {
            i += 1;
        } else if byte.is_ascii_digit() || byte == b'.' {
            i = number_end(bytes, i);
            let value: f64 = text[start..i].parse().map_err(|_| {
                fault(text, column_of(start), format!("'{}' is not a number", &text[start..i]))
            })?;
            if !value.is_finite() {
                return Err(fault(text, column_of(start), format!("'{}' is too large", &text[start..i])));
            }
            tokens.push((column_of(start), Token::Number(value)));
        } else if byte.is_ascii_alphabetic() || byte == b'_' {
            while i < bytes.len() && (bytes[i].is_ascii_alphanumeric() || bytes[i] == b'_') {
                i += 1;
            }
            tokens.push((column_of(start), Token::Name(text[start..i].to_owned())));
        } else if let Some(symbol) = SYMBOLS.iter().find(|s| bytes[i..].starts_with(s.as_bytes())) {
            if *symbol == "^" {
                return Err(fault(text, column_of(start), "write a power as **".to_owned()));
            }
            tokens.push((column_of(start), Token::Symbol(symbol)));
            i += symbol.len();
        } else {
            let found = text.get(start..).and_then(|s| s.chars().next()).unwrap_or('?');
            return Err(fault(text, column_of(start), format!("unexpected character {found:?}")));
        }
    }
    tokens.push((text.chars().count() + 1, Token::End));
    Ok(tokens)
}

/// End of the number that starts at `i`: digits, point, exponent with optional sign.
fn number_end(bytes: &[u8], mut i: usize) -> usize {
    while i < bytes.len() && (bytes[i].is_ascii_digit() || bytes[i] == b'.') {
        i += 1;
    }
    if i < bytes.len() && (bytes[i] == b'e' || bytes[i] == b'E') {
        let mut k = i + 1;
        if k < bytes.len() && (bytes[k] == b'+' || bytes[k] == b'-') {
            k += 1;
        }
        if k < bytes.len() && bytes[k].is_ascii_digit() {
            while k < bytes.len() && bytes[k].is_ascii_digit() {
                k += 1;
            }
            i = k;
        }
    }
    i
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.position.min(self.tokens.len() - 1)].1
    }

    fn column(&self) -> usize {
        self.tokens[self.position.min(self.tokens.len() - 1)].0
    }

    fn advance(&mut self) {
        self.position += 1;
    }

    fn accept(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Token::Symbol(s) if *s == symbol);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, symbol: &'static str) -> Result<(), CellError> {
        if self.accept(symbol) { Ok(()) } else { Err(self.unexpected(&format!("'{symbol}'"))) }
    }

    fn unexpected(&self, wanted: &str) -> CellError {
        let found = match self.peek() {
            Token::Number(v) => format!("number {v}"),
            Token::Name(n) => format!("'{n}'"),
            Token::Symbol(s) => format!("'{s}'"),
            Token::End => "the end".to_owned(),
        };
        fault(self.text, self.column(), format!("expected {wanted}, found {found}"))
    }

    fn emit(&mut self, operation: Operation) -> Result<usize, CellError> {
        if self.tape.len() >= MAX_OPERATIONS {
            let message = format!("more than {MAX_OPERATIONS} operations");
            return Err(fault(self.text, self.column(), message));
        }
        Ok(self.tape.push(operation))
    }

    fn descend(&mut self) -> Result<(), CellError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(fault(self.text, self.column(), message));
        }
        Ok(())
    }

    fn sum(&mut self) -> Result<usize, CellError> {
        self.descend()?;
        let mut left = self.product()?;
        loop {
            if self.accept("+") {
                let right = self.product()?;
                left = self.emit(Operation::Add(left, right))?;
            } else if self.accept("-") {
                let right = self.product()?;
                left = self.emit(Operation::Subtract(left, right))?;
            } else {
                self.depth -= 1;
                return Ok(left);
            }
        }
    }

    fn product(&mut self) -> Result<usize, CellError> {
        let mut left = self.signed()?;
        loop {
            if self.accept("*") {
                let right = self.signed()?;
                left = self.emit(Operation::Multiply(left, right))?;
            } else if self.accept("/") {
                let right = self.signed()?;
                left = self.emit(Operation::Divide(left, right))?;
            } else {
                return Ok(left);
            }
        }
    }

    fn signed(&mut self) -> Result<usize, CellError> {
        if self.accept("-") {
            self.descend()?;
            let inner = self.signed()?;
            self.depth -= 1;
            self.emit(Operation::Negate(inner))
        } else if self.accept("+") {
            self.descend()?;
            let inner = self.signed()?;
            self.depth -= 1;
            Ok(inner)
        } else {
            self.power()
        }
    }

    fn power(&mut self) -> Result<usize, CellError> {
        let base = self.atom()?;
        if self.accept("**") {
            self.descend()?;
            let exponent = self.signed()?;
            self.depth -= 1;
            return self.emit(Operation::Power(base, exponent));
        }
        Ok(base)
    }

    fn atom(&mut self) -> Result<usize, CellError> {
        let column = self.column();
        match self.peek().clone() {
            Token::Number(value) => {
                self.advance();
                self.emit(Operation::Constant(value))
            }
            Token::Symbol("(") => {
                self.advance();
                let inner = self.sum()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Name(name) => {
                self.advance();
                self.named(&name, column)
            }
            _ => Err(self.unexpected("a number, a name or '('")),
        }
    }

    fn named(&mut self, name: &str, column: usize) -> Result<usize, CellError> {
        if let Some(variable) = self.names.iter().position(|known| *known == name) {
            return self.emit(Operation::Variable(variable));
        }
        let constant = match name {
            "R" => crate::GAS_CONSTANT,
            "F" => crate::FARADAY,
            "pi" => std::f64::consts::PI,
            _ => return self.call(name, column),
        };
        self.emit(Operation::Constant(constant))
    }

    fn call(&mut self, name: &str, column: usize) -> Result<usize, CellError> {
        let known = ["exp", "tanh", "cosh", "sinh", "log", "sqrt", "pow"];
        if !known.contains(&name) {
            let message = format!(
                "unknown name '{name}'; known are {}, R, F, pi and the functions {}",
                self.names.join(", "),
                known.join(", ")
            );
            return Err(fault(self.text, column, message));
        }
        self.expect("(")?;
        let argument = self.sum()?;
        let operation = match name {
            "exp" => Operation::Exponential(argument),
            "tanh" => Operation::HyperbolicTangent(argument),
            "cosh" => Operation::HyperbolicCosine(argument),
            "sinh" => Operation::HyperbolicSine(argument),
            "log" => Operation::Logarithm(argument),
            "sqrt" => Operation::SquareRoot(argument),
            _ => {
                self.expect(",")?;
                let exponent = self.sum()?;
                Operation::Power(argument, exponent)
            }
        };
        self.expect(")")?;
        self.emit(operation)
    }
}
