//! Formulas in the words of other languages.

use super::parser::{Token, tokenize};
use super::{Formula, Variable};

/// Another language in which a formula is to be written. Infix operators, powers as `**` and parentheses are
/// those of Python.
pub(crate) trait Dialect {
    /// A variable; `None` if the language has none such.
    fn variable(&self, variable: Variable) -> Option<String>;
    /// A call of a function with arguments that are translated already.
    fn call(&self, function: &str, arguments: &[String]) -> Option<String>;
    /// A number as it stands in the formula.
    fn number(&self, text: &str, value: f64) -> String;
}

/// A token with its text and the blanks behind it.
struct Piece<'a> {
    token: Token,
    text: &'a str,
    blanks: &'a str,
}

impl Formula {
    fn pieces(&self) -> Vec<Piece<'_>> {
        // A formula that has been read is ASCII, so columns are bytes.
        let tokens = tokenize(self.text()).unwrap_or_default();
        let text = |from: usize, to: usize| self.text().get(from - 1..to - 1).unwrap_or("");
        tokens
            .windows(2)
            .map(|pair| {
                let whole = text(pair[0].0, pair[1].0);
                let body = whole.trim_end();
                Piece { token: pair[0].1.clone(), text: body, blanks: &whole[body.len()..] }
            })
            .collect()
    }

    /// Names of variables, constants and functions that stand in the formula.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.pieces().into_iter().filter(|p| matches!(p.token, Token::Name(_))).map(|p| p.text).collect()
    }

    /// The formula in another language; `Err` with the first name that the
    /// language cannot say.
    pub(crate) fn translate(&self, dialect: &dyn Dialect) -> Result<String, String> {
        translate(&self.pieces(), dialect)
    }
}

fn translate(pieces: &[Piece<'_>], dialect: &dyn Dialect) -> Result<String, String> {
    let mut out = String::new();
    let mut i = 0;
    while let Some(piece) = pieces.get(i) {
        match &piece.token {
            Token::Number(value) => out.push_str(&dialect.number(piece.text, *value)),
            Token::Name(name) => {
                if let Some(end) = end_of_call(pieces, i) {
                    let arguments = arguments(&pieces[i + 2..end])
                        .into_iter()
                        .map(|argument| translate(argument, dialect))
                        .collect::<Result<Vec<_>, _>>()?;
                    out.push_str(&dialect.call(name, &arguments).ok_or_else(|| name.clone())?);
                    out.push_str(pieces[end].blanks);
                    i = end + 1;
                    continue;
                }
                out.push_str(&leaf(name, dialect)?);
            }
            Token::Symbol(symbol) => out.push_str(symbol),
            Token::End => {}
        }
        out.push_str(piece.blanks);
        i += 1;
    }
    Ok(out)
}

fn leaf(name: &str, dialect: &dyn Dialect) -> Result<String, String> {
    let variables = [
        Variable::X,
        Variable::ElectrolyteConcentration,
        Variable::ParticleConcentration,
        Variable::Temperature,
    ];
    if let Some(variable) = variables.into_iter().find(|v| v.name() == name) {
        return dialect.variable(variable).ok_or_else(|| name.to_owned());
    }
    let value = match name {
        "R" => crate::GAS_CONSTANT,
        "F" => crate::FARADAY,
        "pi" => std::f64::consts::PI,
        _ => return Err(name.to_owned()),
    };
    Ok(dialect.number(&format!("{value:?}"), value))
}

/// Index of the parenthesis that closes the call that begins at `start`, if one does.
fn end_of_call(pieces: &[Piece<'_>], start: usize) -> Option<usize> {
    if pieces.get(start + 1).is_none_or(|p| p.token != Token::Symbol("(")) {
        return None;
    }
    let mut depth = 0_usize;
    for (i, piece) in pieces.iter().enumerate().skip(start + 1) {
        match piece.token {
            Token::Symbol("(") => depth += 1,
            Token::Symbol(")") => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(i);
        }
    }
    None
}

/// The pieces between the commas of a list of arguments.
fn arguments<'a, 'b>(pieces: &'a [Piece<'b>]) -> Vec<&'a [Piece<'b>]> {
    let mut depth = 0_i64;
    let mut out = Vec::new();
    let mut start = 0;
    for (i, piece) in pieces.iter().enumerate() {
        match piece.token {
            Token::Symbol("(") => depth += 1,
            Token::Symbol(")") => depth -= 1,
            Token::Symbol(",") if depth == 0 => {
                out.push(&pieces[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    out.push(&pieces[start..]);
    out
}
