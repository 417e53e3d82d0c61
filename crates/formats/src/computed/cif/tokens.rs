//! Words of a CIF: S. R. Hall, F. H. Allen, I. D. Brown, Acta Cryst. A47, 655 (1991).

use crate::error::{FormatError, Place};

/// One word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Word<'a> {
    /// `data_name`.
    Data(&'a str),
    /// `loop_`.
    Loop,
    /// A data name, from its underscore.
    Tag(&'a str),
    /// A value; `?` and `.` only without quotes say that there is none.
    Value {
        /// The text without its quotes.
        text: &'a str,
        /// Whether it stood in quotes or was a text field.
        quoted: bool,
    },
    /// `save_`, `global_`, `stop_`: not of the structures of small molecules and crystals.
    Other,
}

/// A word and its line, from 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Token<'a> {
    pub word: Word<'a>,
    pub line: usize,
}

impl<'a> Token<'a> {
    /// The value, if it says something.
    pub fn value(&self) -> Option<&'a str> {
        match self.word {
            Word::Value { text: "?" | ".", quoted: false } => None,
            Word::Value { text, .. } => Some(text),
            _ => None,
        }
    }
}

/// All words of a text. Errors: a quote or a text field that does not end.
pub(super) fn tokens<'a>(text: &'a str, name: &str) -> Result<Vec<Token<'a>>, FormatError> {
    let mut out = Vec::new();
    let mut lines = text.split_inclusive('\n').enumerate();
    let mut start = 0;
    while let Some((index, line)) = lines.next() {
        let number = index + 1;
        let line_start = start;
        start += line.len();
        if line.starts_with(';') {
            let end = loop {
                let Some((index, next)) = lines.next() else {
                    let problem =
                        "a text field that begins with ';' does not end with a line that begins with ';'";
                    return Err(FormatError::syntax(Place::line(name, number), problem));
                };
                let next_start = start;
                start += next.len();
                if next.starts_with(';') {
                    break (next_start, next, index + 1);
                }
            };
            let field = text.get(line_start + 1..end.0).unwrap_or("").trim_end_matches(['\n', '\r']);
            out.push(Token { word: Word::Value { text: field, quoted: true }, line: number });
            words_of_line(&end.1[1..], end.2, name, &mut out)?;
            continue;
        }
        words_of_line(line, number, name, &mut out)?;
    }
    Ok(out)
}

fn words_of_line<'a>(
    line: &'a str,
    number: usize,
    name: &str,
    out: &mut Vec<Token<'a>>,
) -> Result<(), FormatError> {
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '#' {
            return Ok(());
        }
        if matches!(first, '\'' | '"') {
            let body = &rest[1..];
            // A quote ends a text only before a blank: 'a dog's life' is one text.
            let closes =
                |(at, _): &(usize, &str)| body[at + 1..].chars().next().is_none_or(char::is_whitespace);
            let Some((end, _)) = body.match_indices(first).find(closes) else {
                let column = line.len() - rest.len() + 1;
                let problem = format!("a text that begins with {first} does not end on its line");
                return Err(FormatError::syntax(Place::line(name, number).column(column), problem));
            };
            out.push(Token { word: Word::Value { text: &body[..end], quoted: true }, line: number });
            rest = body[end + 1..].trim_start();
            continue;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        out.push(Token { word: bare(token), line: number });
        rest = after.trim_start();
    }
    Ok(())
}

fn bare(token: &str) -> Word<'_> {
    let begins =
        |prefix: &str| token.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
    if token.starts_with('_') {
        Word::Tag(token)
    } else if begins("data_") {
        Word::Data(&token[5..])
    } else if token.eq_ignore_ascii_case("loop_") {
        Word::Loop
    } else if begins("save_") || token.eq_ignore_ascii_case("global_") || token.eq_ignore_ascii_case("stop_")
    {
        Word::Other
    } else {
        Word::Value { text: token, quoted: false }
    }
}
