//! Documents as text for a terminal.
//!
//! Scalars stand one on a line, values with their standard errors as `0.2401(10)`. A list of objects is a table; what is equal in all of its rows
//! stands once below it. Lists of numbers of one length stand side by side. All numbers are in the JSON in full.

use scalade_record::value_with_uncertainty;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Width beyond which a table goes on below with its other columns.
const WIDTH: usize = 118;
/// Numbers of a list that fit in a cell.
const SHORT_LIST: usize = 6;

/// A document as text.
pub fn as_text(document: &Value) -> String {
    let mut out = String::new();
    match document {
        Value::Object(map) => write_object(&mut out, map, 0),
        other => out = plain(other),
    }
    out
}

fn write_object(out: &mut String, map: &Map<String, Value>, indent: usize) {
    let pad = " ".repeat(indent);
    let mut lists: Vec<(&str, &Vec<Value>)> = Vec::new();
    for (key, value) in map {
        match value {
            value if cell(value).is_some() => {
                let _ = writeln!(out, "{pad}{key}: {}", cell(value).unwrap_or_default());
            }
            Value::Array(items) if items.iter().all(|i| cell(i).is_some()) && !items.is_empty() => {
                lists.push((key, items));
            }
            Value::Array(items) if items.iter().all(Value::is_object) => {
                let _ = writeln!(out, "{pad}{key}: {}", items.len());
                let rows: Vec<&Map<String, Value>> = items.iter().filter_map(Value::as_object).collect();
                write_rows(out, &rows, indent + 2);
            }
            Value::Object(inner) => {
                let _ = writeln!(out, "{pad}{key}:");
                write_object(out, inner, indent + 2);
            }
            other => {
                let _ = writeln!(out, "{pad}{key}: {}", plain(other));
            }
        }
    }
    // Lists of one length belong together.
    while let Some((_, first)) = lists.first() {
        let length = first.len();
        let (together, rest): (Vec<_>, Vec<_>) = lists.into_iter().partition(|c| c.1.len() == length);
        lists = rest;
        let columns = together
            .into_iter()
            .map(|(name, items)| {
                let cells = items.iter().map(|i| cell(i).unwrap_or_default()).collect();
                Column::new(name.to_string(), cells)
            })
            .collect();
        write_table(out, columns, indent, false);
    }
}

/// A column of a table, and the width of its widest cell.
struct Column {
    name: String,
    cells: Vec<String>,
    width: usize,
}

impl Column {
    fn new(name: String, cells: Vec<String>) -> Self {
        let widest = cells.iter().map(|c| c.chars().count()).max().unwrap_or(0);
        let width = widest.max(name.chars().count());
        Self { name, cells, width }
    }
}

fn write_rows(out: &mut String, rows: &[&Map<String, Value>], indent: usize) {
    let pad = " ".repeat(indent);
    let keys: BTreeSet<&String> = rows.iter().flat_map(|r| r.keys()).collect();
    let (mut columns, mut common) = (Vec::new(), Vec::new());
    let mut nested = Vec::new();
    for key in keys {
        let cells: Option<Vec<String>> =
            rows.iter().map(|r| r.get(key).map_or(Some("-".to_string()), cell)).collect();
        match cells {
            Some(cells) if rows.len() > 2 && cells.windows(2).all(|w| w[0] == w[1]) => {
                common.push(format!("{key} {}", cells[0]));
            }
            Some(cells) => columns.push(Column::new(key.clone(), cells)),
            None => nested.push(key),
        }
    }
    write_table(out, columns, indent, true);
    if !common.is_empty() {
        let _ = writeln!(out, "{pad}in all {}: {}", rows.len(), common.join(", "));
    }
    for (number, row) in rows.iter().enumerate() {
        let inner: Map<String, Value> =
            nested.iter().filter_map(|k| row.get(*k).map(|v| ((*k).clone(), v.clone()))).collect();
        if !inner.is_empty() {
            let _ = writeln!(out, "{pad}{}:", number + 1);
            write_object(out, &inner, indent + 2);
        }
    }
}

/// Columns side by side, those that do not fit below; then rows are numbered, so that they can be found again.
fn write_table(out: &mut String, columns: Vec<Column>, indent: usize, may_number: bool) {
    let Some(rows) = columns.first().map(|c| c.cells.len()) else { return };
    let room = WIDTH.saturating_sub(indent);
    let total: usize = columns.iter().map(|c| c.width + 2).sum();
    let numbered = may_number && total > room && rows > 1;
    let mut rest = columns.into_iter().peekable();
    while rest.peek().is_some() {
        let mut part = Vec::new();
        let mut used = 0;
        if numbered {
            let cells = (1..=rows).map(|n| n.to_string()).collect();
            let number = Column::new("#".into(), cells);
            used += number.width + 2;
            part.push(number);
        }
        let least = part.len() + 1;
        while let Some(column) = rest.next_if(|c| part.len() < least || used + c.width <= room) {
            used += column.width + 2;
            part.push(column);
        }
        let pad = " ".repeat(indent);
        let line = |of: &dyn Fn(&Column) -> String| -> String {
            let cells: Vec<String> = part.iter().map(|c| format!("{:<1$}", of(c), c.width)).collect();
            format!("{pad}{}", cells.join("  ").trim_end())
        };
        let _ = writeln!(out, "{}", line(&|c| c.name.clone()));
        for row in 0..rows {
            let _ = writeln!(out, "{}", line(&|c| c.cells[row].clone()));
        }
    }
}

/// What fits in a cell: scalars, values with their errors and units, short lists of scalars.
fn cell(value: &Value) -> Option<String> {
    match value {
        Value::Object(map) => {
            let number = map.get("value")?.as_f64()?;
            if map.keys().any(|k| !matches!(k.as_str(), "value" | "error" | "std_error" | "unit")) {
                return None;
            }
            let error = map.get("std_error").or_else(|| map.get("error")).and_then(Value::as_f64);
            let text = value_with_uncertainty(number, error);
            Some(match map.get("unit").and_then(Value::as_str) {
                Some(unit) if unit != "1" => format!("{text} {unit}"),
                _ => text,
            })
        }
        Value::Array(items) if items.is_empty() => Some("none".into()),
        Value::Array(items) if items.len() <= SHORT_LIST && items.iter().all(Value::is_number) => {
            Some(format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", ")))
        }
        Value::Array(_) => None,
        scalar => Some(plain(scalar)),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".into(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Number(n) if n.is_f64() => {
            n.as_f64().map_or_else(|| n.to_string(), |x| value_with_uncertainty(x, None))
        }
        Value::Number(n) => n.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            map.iter().map(|(k, v)| format!("{k} {}", plain(v))).collect::<Vec<_>>().join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_read_as_tables() {
        let point = |t: f64, x: f64| json!({ "temperature": t, "x": { "value": x, "std_error": 0.0012 }, "converged": true, "shape": [1, 2.5] });
        let document = json!({
            "points": [point(300.0, 0.25), point(400.0, 0.5), point(500.0, 0.75)],
            "warnings": [],
            "grid": { "x": [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5], "y": [1, 2, 3, 4, 5, 6, 7] },
            "done": true,
            "none": null,
        });
        let text = as_text(&document);
        let want = "\
done: yes
grid:
  x     y
  0     1
  0.25  2
  0.5   3
  0.75  4
  1     5
  1.25  6
  1.5   7
none: -
points: 3
  temperature  x
  300          0.2500(12)
  400          0.5000(12)
  500          0.7500(12)
  in all 3: converged yes, shape [1, 2.5]
warnings: none
";
        assert_eq!(text, want);
    }

    #[test]
    fn wide_tables_go_on_below_and_nothing_is_left_out() {
        let row = |i: usize| -> Value {
            let cells = (0..30).map(|c| (format!("column_{c:02}"), json!(100 * c + i)));
            Value::Object(cells.chain([("inner".to_string(), json!({ "deep": i }))]).collect())
        };
        let text = as_text(&json!({ "rows": [row(1), row(2), row(3)] }));
        assert!(text.lines().all(|l| l.chars().count() <= WIDTH), "{text}");
        for i in 1..=3 {
            for c in 0..30 {
                assert!(text.split_whitespace().any(|w| w == (100 * c + i).to_string()), "{c} {i}\n{text}");
            }
            assert!(text.contains(&format!("deep: {i}")), "{text}");
        }
        assert!(text.lines().filter(|l| l.trim_start().starts_with('#')).count() > 1, "{text}");
    }
}
