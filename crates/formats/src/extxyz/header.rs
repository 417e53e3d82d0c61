//! The header line: `key=value` pairs with typed values.
//!
//! Types by the specification: the first of integer, real, logical, text that fits all elements. A value in
//! double quotes,
//! single quotes or braces that is a whitespace-separated list of numbers or logicals is a list, and a
//! scalar if it has one
//! element; in brackets it is always a list, and brackets in brackets are a matrix. A quoted value with a
//! backslash escape is a
//! text, whatever it looks like, and so is a quoted element of a list: so every text can be written. A key
//! without value is true.

use crate::error::{FormatError, Place, shown};
use crate::frame::InfoValue;
use crate::text::{parse_integer, parse_logical, parse_number};

/// A key, its value, and the byte offset where the value begins (the key, if it has no value).
pub(crate) type Pair = (String, InfoValue, usize);

/// All pairs of a header line, in order.
pub(crate) fn parse_header(line: &str, place: &Place) -> Result<Vec<Pair>, FormatError> {
    let mut cursor = Cursor { line, offset: 0, place };
    let mut pairs = Vec::new();
    loop {
        cursor.skip_blanks();
        let Some(first) = cursor.peek() else { return Ok(pairs) };
        let start = cursor.offset;
        let key = match first {
            '"' | '\'' => cursor.quoted()?.0,
            _ => cursor.bare(|c| c == '=').to_string(),
        };
        if key.is_empty() {
            return Err(cursor.error_at(start, "a key is missing before '='; write key=value"));
        }
        cursor.skip_blanks();
        if cursor.peek() != Some('=') {
            pairs.push((key, InfoValue::Bool(true), start));
            continue;
        }
        cursor.offset += 1;
        let adjacent = cursor.peek().is_some_and(|c| !c.is_whitespace());
        cursor.skip_blanks();
        let at = cursor.offset;
        let value = cursor.value(&key, adjacent)?;
        pairs.push((key, value, at));
    }
}

/// A text between delimiters, and whether it held an escape.
type Quoted = (String, bool);

struct Cursor<'a> {
    line: &'a str,
    offset: usize,
    place: &'a Place,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        self.line.get(self.offset..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.offset += rest.len() - rest.trim_start().len();
    }

    fn column_at(&self, offset: usize) -> usize {
        self.line.get(..offset).map_or(1, |before| before.chars().count() + 1)
    }

    fn error_at(&self, offset: usize, problem: impl Into<String>) -> FormatError {
        FormatError::syntax(self.place.clone().column(self.column_at(offset)), problem)
    }

    /// Characters up to whitespace or a stop.
    fn bare(&mut self, stop: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || stop(c)).unwrap_or(rest.len());
        self.offset += end;
        &rest[..end]
    }

    /// A text in quotes, escapes resolved: a backslash stands for the next character, `\n` for a line break.
    fn quoted(&mut self) -> Result<Quoted, FormatError> {
        let start = self.offset;
        let mut characters = self.rest().char_indices();
        let Some((_, quote)) = characters.next() else { return Ok((String::new(), false)) };
        let (mut out, mut escaped) = (String::new(), false);
        while let Some((at, c)) = characters.next() {
            match c {
                '\\' => {
                    escaped = true;
                    match characters.next() {
                        Some((_, 'n')) => out.push('\n'),
                        Some((_, next)) => out.push(next),
                        None => break,
                    }
                }
                c if c == quote => {
                    self.offset = start + at + c.len_utf8();
                    return Ok((out, escaped));
                }
                c => out.push(c),
            }
        }
        Err(self.error_at(start, format!("the quote {quote} that opens here is never closed on this line")))
    }

    fn value(&mut self, key: &str, adjacent: bool) -> Result<InfoValue, FormatError> {
        let start = self.offset;
        let value = match self.peek() {
            None => return Ok(InfoValue::Text(String::new())),
            Some('"' | '\'') => {
                let (text, escaped) = self.quoted()?;
                if escaped {
                    InfoValue::Text(text)
                } else {
                    scalar_or_list(&text).unwrap_or(InfoValue::Text(text))
                }
            }
            Some('{') => self.braces()?,
            Some('[') => self.brackets()?,
            Some(_) => {
                let word = self.bare(|_| false);
                // ASE writes an empty text as nothing: `key= next=1`.
                if !adjacent && word.contains('=') {
                    self.offset = start;
                    return Ok(InfoValue::Text(String::new()));
                }
                return Ok(scalar(word));
            }
        };
        if self.peek().is_some_and(|c| !c.is_whitespace()) {
            let problem = format!("a blank is missing after the value of '{}'", shown(key));
            return Err(self.error_at(self.offset, problem));
        }
        Ok(value)
    }

    /// The old list `{a b c}`.
    fn braces(&mut self) -> Result<InfoValue, FormatError> {
        let start = self.offset;
        self.offset += 1;
        let mut elements = Elements::default();
        loop {
            self.skip_blanks();
            match self.peek() {
                None => {
                    return Err(
                        self.error_at(start, "the brace { that opens here is never closed on this line")
                    );
                }
                Some('}') => {
                    self.offset += 1;
                    break;
                }
                Some('"' | '\'') => elements.push_text(self.quoted()?.0),
                Some(_) => elements.words.push(self.bare(|c| c == '}').to_string()),
            }
        }
        match elements.words.as_slice() {
            [single] if elements.has_text => Ok(InfoValue::Text(single.clone())),
            [single] => Ok(scalar(single)),
            _ => Ok(elements.list()),
        }
    }

    /// The list `[a, b, c]` or the matrix `[[a, b], [c, d]]`.
    fn brackets(&mut self) -> Result<InfoValue, FormatError> {
        let start = self.offset;
        self.offset += 1;
        self.skip_blanks();
        if self.peek() != Some('[') {
            return Ok(self.elements(start)?.list());
        }
        let (mut rows, mut has_text) = (Vec::<Vec<String>>::new(), false);
        loop {
            self.skip_blanks();
            match self.peek() {
                Some('[') => {
                    let row_start = self.offset;
                    self.offset += 1;
                    let row = self.elements(row_start)?;
                    has_text |= row.has_text;
                    rows.push(row.words);
                }
                Some(',') => self.offset += 1,
                Some(']') => {
                    self.offset += 1;
                    break;
                }
                Some(_) => {
                    return Err(self.error_at(self.offset, "expected a row [...] of the matrix, ',' or ']'"));
                }
                None => {
                    return Err(
                        self.error_at(start, "the bracket [ that opens here is never closed on this line")
                    );
                }
            }
        }
        if rows.iter().any(|row| row.len() != rows[0].len()) {
            return Err(self.error_at(start, "the rows of this matrix have different lengths"));
        }
        let kind = Elements { words: rows.concat(), has_text }.list();
        Ok(InfoValue::Rows(rows.iter().map(|row| list_of_kind(row, &kind)).collect()))
    }

    /// The elements of a bracket whose opening stands at `start` and is already behind the cursor.
    fn elements(&mut self, start: usize) -> Result<Elements, FormatError> {
        let mut elements = Elements::default();
        loop {
            self.skip_blanks();
            match self.peek() {
                None => {
                    return Err(
                        self.error_at(start, "the bracket [ that opens here is never closed on this line")
                    );
                }
                Some(']') => {
                    self.offset += 1;
                    return Ok(elements);
                }
                Some(',') => self.offset += 1,
                Some('[') => {
                    return Err(self
                        .error_at(self.offset, "brackets are nested more than twice, or mixed with values"));
                }
                Some('"' | '\'') => elements.push_text(self.quoted()?.0),
                Some(_) => elements.words.push(self.bare(|c| matches!(c, ',' | ']' | '[')).to_string()),
            }
        }
    }
}

/// The elements of a list; one in quotes makes all of them texts.
#[derive(Default)]
struct Elements {
    words: Vec<String>,
    has_text: bool,
}

impl Elements {
    fn push_text(&mut self, text: String) {
        self.words.push(text);
        self.has_text = true;
    }

    fn list(self) -> InfoValue {
        if self.has_text { InfoValue::Texts(self.words) } else { list(&self.words) }
    }
}

/// One token, typed.
fn scalar(token: &str) -> InfoValue {
    if let Some(value) = parse_integer(token) {
        InfoValue::Int(value)
    } else if let Some(value) = real(token) {
        InfoValue::Float(value)
    } else if let Some(value) = parse_logical(token) {
        InfoValue::Bool(value)
    } else {
        InfoValue::Text(token.to_string())
    }
}

/// A finite number that is not an identifier with leading zeros such as 0042.
fn real(token: &str) -> Option<f64> {
    let digits = token.strip_prefix(['+', '-']).unwrap_or(token);
    let identifier =
        digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    if identifier { None } else { parse_number(token) }
}

/// A quoted text as a scalar or a list of numbers or logicals; `None` if it is a text.
fn scalar_or_list(text: &str) -> Option<InfoValue> {
    let mut tokens = text.split_whitespace();
    let value = match (tokens.next(), tokens.next()) {
        (Some(single), None) => scalar(single),
        (Some(_), Some(_)) => {
            // A long text is recognised by its first word, before anything is collected.
            let first = text.split_whitespace().next().unwrap_or("");
            if matches!(scalar(first), InfoValue::Text(_)) {
                return None;
            }
            list(&text.split_whitespace().map(str::to_string).collect::<Vec<_>>())
        }
        _ => return None,
    };
    (!matches!(value, InfoValue::Text(_) | InfoValue::Texts(_))).then_some(value)
}

/// A list of the first kind that fits every element.
fn list(elements: &[String]) -> InfoValue {
    fn all<T>(elements: &[String], parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        elements.iter().map(|e| parse(e)).collect()
    }
    if let Some(values) = all(elements, parse_integer) {
        InfoValue::Ints(values)
    } else if let Some(values) = all(elements, real) {
        InfoValue::Floats(values)
    } else if let Some(values) = all(elements, parse_logical) {
        InfoValue::Bools(values)
    } else {
        InfoValue::Texts(elements.to_vec())
    }
}

/// A list of the kind of another one, whose elements include these.
fn list_of_kind(elements: &[String], kind: &InfoValue) -> InfoValue {
    match kind {
        InfoValue::Ints(_) | InfoValue::Bools(_) => list(elements),
        InfoValue::Floats(_) => InfoValue::Floats(elements.iter().filter_map(|e| real(e)).collect()),
        _ => InfoValue::Texts(elements.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> InfoValue {
        let pairs = parse_header(&format!("key={text}"), &Place::file("t")).unwrap();
        assert_eq!(pairs.len(), 1, "{text}: {pairs:?}");
        pairs[0].1.clone()
    }

    fn problem(line: &str) -> String {
        parse_header(line, &Place::line("t", 2)).unwrap_err().to_string()
    }

    #[test]
    fn values_are_typed_as_the_specification_says() {
        use InfoValue::{Bool, Bools, Float, Floats, Int, Ints, Rows, Text, Texts};
        let text = |s: &str| Text(s.to_string());
        for (written, read) in [
            ("5", Int(5)),
            ("-5.0", Float(-5.0)),
            ("1d-3", Float(1e-3)),
            ("1E+2", Float(100.0)),
            ("T", Bool(true)),
            ("false", Bool(false)),
            ("0042", text("0042")),
            ("nan", text("nan")),
            ("Li-1", text("Li-1")),
            ("a=b", text("a=b")),
            ("\"5\"", Int(5)),
            ("\"\\5\"", text("5")),
            ("\"1 2 3\"", Ints(vec![1, 2, 3])),
            ("\"1 2.5\"", Floats(vec![1.0, 2.5])),
            ("'T F'", Bools(vec![true, false])),
            ("\"1 b\"", text("1 b")),
            ("\"a \\\"quoted\\\" \\\\ word\"", text("a \"quoted\" \\ word")),
            ("'it\\'s'", text("it's")),
            ("\"two\\nlines\"", text("two\nlines")),
            ("\"\"", text("")),
            ("{1 2}", Ints(vec![1, 2])),
            ("{7}", Int(7)),
            ("{a b}", Texts(vec!["a".into(), "b".into()])),
            ("[1, 2]", Ints(vec![1, 2])),
            ("[7]", Ints(vec![7])),
            ("[1 , 2.0,3]", Floats(vec![1.0, 2.0, 3.0])),
            ("[a, \"b c\"]", Texts(vec!["a".into(), "b c".into()])),
            ("[\"1\", \"2\"]", Texts(vec!["1".into(), "2".into()])),
            ("[]", Ints(vec![])),
            ("[1, T]", Texts(vec!["1".into(), "T".into()])),
            ("[[1, 2], [3, 4.5]]", Rows(vec![Floats(vec![1.0, 2.0]), Floats(vec![3.0, 4.5])])),
            ("[[1], [x]]", Rows(vec![Texts(vec!["1".into()]), Texts(vec!["x".into()])])),
        ] {
            assert_eq!(value(written), read, "{written}");
        }
    }

    #[test]
    fn keys_without_value_blanks_around_equals_and_quoted_keys() {
        let pairs = parse_header("flag a = 1 \"my key\"=2\tlast", &Place::file("t")).unwrap();
        let short: Vec<_> = pairs.iter().map(|(k, v, offset)| (k.as_str(), v.number(), *offset)).collect();
        assert_eq!(
            short,
            [("flag", None, 0), ("a", Some(1.0), 9), ("my key", Some(2.0), 20), ("last", None, 22)]
        );
    }

    #[test]
    fn an_empty_text_may_be_nothing() {
        let empty = InfoValue::Text(String::new());
        for line in ["a= b=2", "a=  b=2", "b=2 a=", "b=2 a= ", "a=\"\" b=2"] {
            let pairs = parse_header(line, &Place::file("t")).unwrap();
            assert_eq!(pairs.len(), 2, "{line}");
            assert!(pairs.iter().any(|(k, v, _)| k == "a" && *v == empty), "{line}: {pairs:?}");
            assert!(pairs.iter().any(|(k, v, _)| k == "b" && *v == InfoValue::Int(2)), "{line}: {pairs:?}");
        }
    }

    #[test]
    fn errors_name_the_column() {
        assert_eq!(
            problem("a=1 b=\"open"),
            "t, line 2, column 7: the quote \" that opens here is never closed on this line"
        );
        assert!(problem("=3").contains("column 1: a key is missing"));
        assert!(problem("a=\"1\"b=2").contains("column 6: a blank is missing"));
        assert!(problem("a=[[1,2],[3]]").contains("different lengths"));
        assert!(problem("a=[[[1]]]").contains("nested"));
        assert!(problem("a=[1, 2").contains("never closed"));
        assert!(problem("a={1 2").contains("never closed"));
        assert!(problem("a=\"\\").contains("never closed"));
    }
}
