//! XML as a stream of leaves with their paths.

use crate::error::{FormatError, Place, shown};
use crate::text::demand_number;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

const DEPTH_LIMIT: usize = 64;

/// An open element.
#[derive(Clone, Debug, Default)]
pub(super) struct Open {
    pub tag: String,
    /// Its attributes as they stand.
    pub attributes: Vec<(String, String)>,
    text: String,
}

impl Open {
    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// The attribute `name`.
    pub fn name(&self) -> &str {
        self.attribute("name").unwrap_or("")
    }
}

/// Where in the file.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub text: &'a str,
    pub name: &'a str,
}

impl Source<'_> {
    pub fn place(&self, at: usize) -> Place {
        let line = 1 + self.text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count();
        Place::line(self.name, line)
    }

    pub fn refuse(&self, at: usize, problem: impl Into<String>) -> FormatError {
        FormatError::syntax(self.place(at), problem)
    }

    /// All numbers of a text.
    pub fn numbers(&self, text: &str, at: usize, what: &str) -> Result<Vec<f64>, FormatError> {
        text.split_whitespace().map(|token| demand_number(token, || self.place(at), what)).collect()
    }

    /// Exactly three numbers.
    pub fn vector(&self, text: &str, at: usize, what: &str) -> Result<[f64; 3], FormatError> {
        let list = self.numbers(text, at, what)?;
        <[f64; 3]>::try_from(list).map_err(|list| FormatError::Count {
            place: Box::new(self.place(at)),
            what: format!("numbers of {what}"),
            expected: 3,
            found: list.len() as u64,
        })
    }
}

/// What a reader does with elements as they open and close.
pub(super) trait Visitor {
    /// An element opened; it is the last of the path.
    ///
    /// Errors: those of the reader.
    fn open(&mut self, path: &[Open], source: Source<'_>, at: usize) -> Result<(), FormatError>;
    /// An element closed; it is the last of the path, `text` its own text.
    ///
    /// Errors: those of the reader.
    fn close(&mut self, path: &[Open], text: &str, source: Source<'_>, at: usize) -> Result<(), FormatError>;
}

/// Reads a whole document. Declared entities are refused; depth is bounded.
///
/// Errors: XML that is none, a file that ends early, and those of the visitor.
pub(super) fn visit(source: Source<'_>, visitor: &mut impl Visitor) -> Result<(), FormatError> {
    let mut reader = Reader::from_str(source.text.trim_start_matches('\u{feff}'));
    reader.config_mut().allow_dangling_amp = true;
    let mut path: Vec<Open> = Vec::new();
    let mut complete = false;
    loop {
        let event = reader.read_event();
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        match event {
            Ok(Event::Start(start)) => {
                open(&start, &mut path, source, at)?;
                visitor.open(&path, source, at)?;
            }
            Ok(Event::Empty(start)) => {
                open(&start, &mut path, source, at)?;
                visitor.open(&path, source, at)?;
                visitor.close(&path, "", source, at)?;
                path.pop();
                complete |= path.is_empty();
            }
            Ok(Event::End(_)) => {
                let text = path.last_mut().map(|o| std::mem::take(&mut o.text)).unwrap_or_default();
                visitor.close(&path, text.trim(), source, at)?;
                path.pop();
                complete |= path.is_empty();
            }
            Ok(Event::Text(text)) => {
                if let Some(last) = path.last_mut() {
                    last.text.push_str(text.as_ref());
                }
            }
            Ok(Event::DocType(_)) => {
                return Err(
                    source.refuse(at, "a document type is declared; remove it (entities are not expanded)")
                );
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(error) => {
                let position = usize::try_from(reader.error_position()).unwrap_or(at);
                let problem = format!("this is no well-formed XML: {}", shown(&error.to_string()));
                return Err(source.refuse(position, problem));
            }
        }
    }
    if complete && path.is_empty() {
        return Ok(());
    }
    let inside = path.iter().map(|o| o.tag.as_str()).collect::<Vec<_>>().join("/");
    let problem = format!("the file ends within {inside}: the run was interrupted or the copy is not whole");
    Err(source.refuse(source.text.len(), problem))
}

fn open(
    start: &BytesStart<'_>,
    path: &mut Vec<Open>,
    source: Source<'_>,
    at: usize,
) -> Result<(), FormatError> {
    if path.len() >= DEPTH_LIMIT {
        return Err(source.refuse(at, format!("elements are nested deeper than {DEPTH_LIMIT}")));
    }
    let tag = start.name().into_inner().to_string();
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let Ok(attribute) = attribute else { continue };
        let key = attribute.key.into_inner().to_string();
        attributes.push((key, attribute.value.to_string()));
    }
    path.push(Open { tag, attributes, text: String::new() });
    Ok(())
}
