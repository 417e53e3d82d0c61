//! Tables: comma-separated values with a header line, and the same as JSON.

use crate::error::{FormatError, Place, shown};
use crate::frame::InfoValue;
use crate::text::{demand_number, parse_integer, parse_number, recognise};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const NAME: &str = "CSV";

/// A table of texts with named columns; typed getters name file, line and column in their errors.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    name: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    lines: Vec<usize>,
}

impl Table {
    /// A table from its columns' names and rows, all of the same width. `name` is used in messages.
    pub fn new(name: &str, columns: Vec<String>, rows: Vec<Vec<String>>) -> Result<Self, FormatError> {
        let mut names = BTreeSet::new();
        for (index, column) in columns.iter().enumerate() {
            if column.is_empty() || column.trim() != column || !names.insert(column) {
                let problem = format!(
                    "column {} ('{}') has no name, one with blanks at its ends, or one that stands twice",
                    index + 1,
                    shown(column)
                );
                return Err(FormatError::syntax(Place::file(name), problem));
            }
        }
        if let Some(row) = rows.iter().position(|row| row.len() != columns.len()) {
            let what = format!("fields of row {}", row + 1);
            let (expected, found) = (columns.len() as u64, rows[row].len() as u64);
            return Err(FormatError::Count { place: Box::new(Place::file(name)), what, expected, found });
        }
        let lines = (2..rows.len() + 2).collect();
        Ok(Self { name: name.to_string(), columns, rows, lines })
    }

    /// Name of the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names of the columns, in order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rows as texts.
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// Line of a row in its file, from 1.
    pub fn line(&self, row: usize) -> usize {
        self.lines.get(row).copied().unwrap_or(0)
    }

    /// Whether there is a column of this name.
    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|c| c == column)
    }

    fn index(&self, column: &str) -> Result<usize, FormatError> {
        self.columns.iter().position(|c| c == column).ok_or_else(|| {
            let what = format!("column '{}'", shown(column));
            FormatError::missing(Place::file(&self.name), what, shown_list(&self.columns))
        })
    }

    /// A column as texts. Errors: [`FormatError::Missing`] with the columns there are.
    pub fn texts(&self, column: &str) -> Result<Vec<&str>, FormatError> {
        let index = self.index(column)?;
        Ok(self.rows.iter().map(|row| row[index].as_str()).collect())
    }

    fn parse<T>(
        &self,
        column: &str,
        parse: impl Fn(&str, Place) -> Result<T, FormatError>,
    ) -> Result<Vec<T>, FormatError> {
        let texts = self.texts(column)?;
        texts
            .iter()
            .enumerate()
            .map(|(row, text)| parse(text.trim(), Place::line(&self.name, self.line(row))))
            .collect()
    }

    /// A column of finite numbers; an empty field, NaN and infinity are errors with their line.
    pub fn numbers(&self, column: &str) -> Result<Vec<f64>, FormatError> {
        self.parse(column, |text, place| demand_number(text, || place, column))
    }

    /// A column of finite numbers in which fields may be empty.
    pub fn optional_numbers(&self, column: &str) -> Result<Vec<Option<f64>>, FormatError> {
        self.parse(column, |text, place| {
            if text.is_empty() { Ok(None) } else { demand_number(text, || place, column).map(Some) }
        })
    }

    /// A column of integers.
    pub fn integers(&self, column: &str) -> Result<Vec<i64>, FormatError> {
        self.parse(column, |text, place| {
            parse_integer(text).ok_or_else(|| {
                FormatError::syntax(place, format!("'{}' is not an integer for {column}", shown(text)))
            })
        })
    }

    /// A column of logicals: true, false, T, F, 1, 0, yes, no in any case.
    pub fn logicals(&self, column: &str) -> Result<Vec<bool>, FormatError> {
        self.parse(column, |text, place| match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" | "yes" => Ok(true),
            "false" | "f" | "0" | "no" => Ok(false),
            _ => {
                let problem = format!("'{}' is not a logical for {column}; write True or False", shown(text));
                Err(FormatError::syntax(place, problem))
            }
        })
    }

    /// A column whose fields hold blank-separated finite numbers.
    pub fn number_lists(&self, column: &str) -> Result<Vec<Vec<f64>>, FormatError> {
        self.parse(column, |text, place| {
            text.split_whitespace().map(|token| demand_number(token, || place.clone(), column)).collect()
        })
    }
}

fn shown_list(columns: &[String]) -> String {
    let mut list: Vec<String> = columns.iter().take(30).map(|c| shown(c)).collect();
    if columns.len() > 30 {
        list.push("...".into());
    }
    list.join(", ")
}

/// A table from comma-separated values: the first line that is neither blank nor a `#` comment names the
/// columns; fields
/// may be quoted with `"` (doubled inside) and then hold commas and line breaks (RFC 4180).
///
/// Errors: [`FormatError::Empty`], [`FormatError::WrongFormat`], [`FormatError::Count`] for rows of another
/// width than the header,
/// [`FormatError::Syntax`] for quotes that are not closed and names that stand twice.
pub fn read_csv(text: &str, name: &str) -> Result<Table, FormatError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(FormatError::Empty { place: Box::new(Place::file(name)), wanted: NAME });
    }
    if let Some((looks_like, way_out)) = recognise(text) {
        return Err(FormatError::WrongFormat {
            place: Box::new(Place::file(name)),
            looks_like,
            wanted: NAME,
            way_out,
        });
    }
    let (mut header, mut rows, mut lines) = (None::<Vec<String>>, Vec::new(), Vec::new());
    let (mut rest, mut line) = (text, 1usize);
    while !rest.is_empty() {
        let first = rest.split('\n').next().unwrap_or("");
        if first.trim().is_empty() || first.trim_start().starts_with('#') {
            rest = rest.get(first.len() + 1..).unwrap_or("");
            line += 1;
            continue;
        }
        let (fields, used) =
            record(rest).map_err(|problem| FormatError::syntax(Place::line(name, line), problem))?;
        match &header {
            None => {
                check_header(&fields, name, line)?;
                header = Some(fields.iter().map(|f| f.trim().to_string()).collect());
            }
            Some(columns) if columns.len() != fields.len() => {
                let what = "fields of this row, as the header names columns".to_string();
                let (expected, found) = (columns.len() as u64, fields.len() as u64);
                return Err(FormatError::Count {
                    place: Box::new(Place::line(name, line)),
                    what,
                    expected,
                    found,
                });
            }
            Some(_) => {
                rows.push(fields);
                lines.push(line);
            }
        }
        line += rest[..used].matches('\n').count();
        rest = rest.get(used..).unwrap_or("");
    }
    let header =
        header.ok_or_else(|| FormatError::Empty { place: Box::new(Place::file(name)), wanted: NAME })?;
    let mut table = Table::new(name, header, rows)?;
    table.lines = lines;
    Ok(table)
}

fn check_header(fields: &[String], name: &str, line: usize) -> Result<(), FormatError> {
    if let [single] = fields
        && let Some(separator) = [';', '\t'].into_iter().find(|s| single.contains(*s))
    {
        let word = if separator == ';' { "semicolons" } else { "tabs" };
        let problem =
            format!("the columns are separated by {word}; write commas (and points as decimal separator)");
        return Err(FormatError::syntax(Place::line(name, line), problem));
    }
    if fields.iter().all(|f| parse_number(f.trim()).is_some()) {
        let problem =
            "the first line holds only numbers; write a header line with the columns' names and units"
                .to_string();
        return Err(FormatError::syntax(Place::line(name, line), problem));
    }
    Ok(())
}

/// The fields of the record at the beginning of `text`, and the bytes it takes with its line break.
fn record(text: &str) -> Result<(Vec<String>, usize), String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let (mut in_quotes, mut was_quoted) = (false, false);
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' if in_quotes => {
                if characters.peek().is_some_and(|(_, next)| *next == '"') {
                    characters.next();
                    field.push('"');
                } else {
                    in_quotes = false;
                }
            }
            c if in_quotes => field.push(c),
            '"' if field.trim().is_empty() && !was_quoted => {
                field.clear();
                (in_quotes, was_quoted) = (true, true);
            }
            ',' => {
                fields.push(std::mem::take(&mut field));
                was_quoted = false;
            }
            '\r' if characters.peek().is_none_or(|(_, next)| *next == '\n') => {}
            '\n' => {
                fields.push(field);
                return Ok((fields, at + 1));
            }
            c if was_quoted && !c.is_whitespace() => {
                return Err(format!(
                    "'{}' follows a closed quote; double the quotes inside a quoted field",
                    c.escape_default()
                ));
            }
            c if was_quoted && c.is_whitespace() => {}
            c => field.push(c),
        }
    }
    if in_quotes {
        return Err("a quoted field that begins in this row is never closed".into());
    }
    fields.push(field);
    Ok((fields, text.len()))
}

/// A table as CSV; it reads back the same.
///
/// Errors: [`FormatError::Unwritable`] for a table without columns.
pub fn write_csv(table: &Table) -> Result<String, FormatError> {
    if table.columns.is_empty() {
        return Err(FormatError::unwritable(&table.name, NAME, "it has no columns"));
    }
    let mut out = String::new();
    for row in std::iter::once(&table.columns).chain(&table.rows) {
        let fields: Vec<String> = row.iter().enumerate().map(|(i, field)| csv_field(field, i == 0)).collect();
        out.push_str(&fields.join(","));
        out.push('\n');
    }
    Ok(out)
}

/// Quoted where a reader would otherwise take it apart, strip it, or skip its line as a comment or a blank.
fn csv_field(field: &str, first: bool) -> String {
    let comment = first && (field.is_empty() || field.starts_with('#'));
    if comment || field.contains([',', '"', '\n', '\r']) || field.trim() != field {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_string()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableDocument {
    columns: Vec<String>,
    rows: Vec<Vec<Option<InfoValue>>>,
}

/// A table as JSON, `{"columns": [...], "rows": [[...], ...]}`: fields that are finite numbers as numbers,
/// empty ones as null.
pub fn write_table_json(table: &Table) -> Result<String, FormatError> {
    let cell = |text: &String| {
        let token = text.trim();
        match (token.is_empty(), parse_integer(token), parse_number(token)) {
            (true, ..) => None,
            (_, Some(integer), _) => Some(InfoValue::Int(integer)),
            (_, _, Some(number)) if !is_identifier(token) => Some(InfoValue::Float(number)),
            _ => Some(InfoValue::Text(text.clone())),
        }
    };
    let rows = table.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let document = TableDocument { columns: table.columns.clone(), rows };
    serde_json::to_string(&document)
        .map_err(|error| FormatError::unwritable(&table.name, "JSON", error.to_string()))
}

/// Digits with leading zeros: a name, not a number.
fn is_identifier(token: &str) -> bool {
    token.len() > 1 && token.starts_with('0') && token.bytes().all(|b| b.is_ascii_digit())
}

/// A table from the JSON that [`write_table_json`] writes; lines are counted as rows after a header line.
pub fn read_table_json(text: &str, name: &str) -> Result<Table, FormatError> {
    let document: TableDocument = crate::json::parse(text, name)?;
    let cell = |value: &Option<InfoValue>| match value {
        None => Ok(String::new()),
        Some(InfoValue::Text(text)) => Ok(text.clone()),
        Some(InfoValue::Int(value)) => Ok(value.to_string()),
        Some(InfoValue::Float(value)) => Ok(format!("{value:?}")),
        Some(InfoValue::Bool(value)) => Ok(if *value { "True".into() } else { "False".into() }),
        Some(other) => {
            let problem = format!("a field of the table is {}; a field holds one value", other.kind());
            Err(FormatError::syntax(Place::file(name), problem))
        }
    };
    let rows: Result<Vec<Vec<String>>, FormatError> =
        document.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    Table::new(name, document.columns, rows?)
}
