//! A study file as a tree of values with their places, apart from the parser that made it.

use serde_json::Value;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Byte range in the source; `None` for values that come from a kind's specification.
pub(crate) type Span = Option<Range<usize>>;

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub span: Span,
    pub node: Node,
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Text(String),
    /// `None`: more than 64 bits.
    Integer(Option<i64>),
    /// The number and, for one that overflows, the fact that it did (TOML reads 1e999 as infinity).
    Float(f64),
    Boolean(bool),
    Date,
    List(Vec<Raw>),
    Table(Vec<Entry>),
}

/// One entry of a table.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub key: String,
    pub key_span: Span,
    pub value: Raw,
}

impl Raw {
    /// What a message calls this value.
    pub fn called(&self) -> &'static str {
        match self.node {
            Node::Text(_) => "a text",
            Node::Integer(_) => "an integer",
            Node::Float(_) => "a number",
            Node::Boolean(_) => "a boolean",
            Node::Date => "a date",
            Node::List(_) => "a list",
            Node::Table(_) => "a table",
        }
    }

    /// The entry of a table.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.node {
            Node::Table(entries) => entries.iter().find(|e| e.key == key),
            _ => None,
        }
    }

    /// The value as a person writes it, for messages.
    pub fn shown(&self) -> String {
        match &self.node {
            Node::Text(text) => text.clone(),
            Node::Integer(Some(i)) => i.to_string(),
            Node::Integer(None) => "an integer beyond 64 bits".into(),
            Node::Float(x) => format!("{x:?}"),
            Node::Boolean(b) => b.to_string(),
            Node::Date => "a date".into(),
            Node::List(items) => {
                let shown: Vec<String> = items.iter().take(8).map(Raw::shown).collect();
                let more =
                    if items.len() > 8 { format!(", ... {} in all", items.len()) } else { String::new() };
                format!("[{}{more}]", shown.join(", "))
            }
            Node::Table(_) => self.entry("value").map_or_else(|| "a table".into(), |e| e.value.shown()),
        }
    }
}

/// The whole document; the order of the file is restored from the places.
pub(crate) fn from_document(document: &Spanned<DeTable<'_>>) -> Raw {
    Raw { span: Some(document.span()), node: table(document.get_ref()) }
}

fn table(entries: &DeTable<'_>) -> Node {
    let mut out: Vec<Entry> = entries
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_span: Some(key.span()),
            value: Raw { span: Some(value.span()), node: node(value.get_ref()) },
        })
        .collect();
    out.sort_by_key(|e| e.key_span.as_ref().map_or(0, |s| s.start));
    Node::Table(out)
}

fn node(value: &DeValue<'_>) -> Node {
    match value {
        DeValue::String(text) => Node::Text(text.to_string()),
        DeValue::Integer(i) => Node::Integer(i64::from_str_radix(i.as_str(), i.radix()).ok()),
        DeValue::Float(x) => Node::Float(x.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(b) => Node::Boolean(*b),
        DeValue::Datetime(_) => Node::Date,
        DeValue::Array(items) => {
            Node::List(items.iter().map(|v| Raw { span: Some(v.span()), node: node(v.get_ref()) }).collect())
        }
        DeValue::Table(entries) => table(entries),
    }
}

/// A literal given as JSON, the form of defaults.
pub(crate) fn from_json(value: &Value) -> Raw {
    let node = match value {
        Value::Null => Node::Text(String::new()),
        Value::Bool(b) => Node::Boolean(*b),
        Value::Number(n) => match n.as_i64() {
            Some(i) => Node::Integer(Some(i)),
            None => Node::Float(n.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Node::Text(text.clone()),
        Value::Array(items) => Node::List(items.iter().map(from_json).collect()),
        Value::Object(map) => Node::Table(
            map.iter()
                .map(|(key, v)| Entry { key: key.clone(), key_span: None, value: from_json(v) })
                .collect(),
        ),
    };
    Raw { span: None, node }
}
