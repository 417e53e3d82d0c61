//! Problems of a study file, each with its place, and how they are shown.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::{Value, json};
use std::fmt::{self, Write as _};
use std::ops::Range;
use std::sync::Arc;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The study cannot run.
    Error,
    /// The study can run, and probably should not.
    Warning,
}

impl Severity {
    /// The lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One problem of a study file.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// Stable code, such as `study::dimension`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Byte range in the source, when the problem has a place.
    pub span: Option<Range<usize>>,
    /// What to do, when that is known.
    pub help: Option<String>,
}

/// Most problems that are kept; the rest is counted.
const MOST: usize = 200;

/// The problems of one study file, with its text.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    source_name: String,
    source: Arc<str>,
    items: Vec<Diagnostic>,
    omitted: usize,
}

impl Diagnostics {
    pub(crate) fn new(source_name: &str, source: &str) -> Self {
        Self {
            source_name: without_controls(source_name),
            source: source.into(),
            items: Vec::new(),
            omitted: 0,
        }
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        if self.items.len() >= MOST {
            self.omitted += 1;
            return;
        }
        // Text of the study appears in messages: no control character of it may reach a terminal.
        self.items.push(Diagnostic {
            message: without_controls(&diagnostic.message),
            help: diagnostic.help.map(|h| without_controls(&h)),
            ..diagnostic
        });
    }

    pub(crate) fn error(
        &mut self,
        code: &'static str,
        span: Option<Range<usize>>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.push(Diagnostic { code, severity: Severity::Error, message: message.into(), span, help });
    }

    /// Whether there are so many problems that further ones need no guesses at what was meant.
    pub(crate) fn is_long(&self) -> bool {
        self.items.len() >= MOST / 4
    }

    /// In the order of their places, those without a place first.
    pub(crate) fn sort(&mut self) {
        self.items.sort_by_key(|d| d.span.as_ref().map_or((0, 0), |s| (s.start + 1, s.end)));
    }

    pub(crate) fn retain(&mut self, keep: impl FnMut(&Diagnostic) -> bool) {
        self.items.retain(keep);
    }

    /// The problems in the order of their places.
    pub fn items(&self) -> &[Diagnostic] {
        &self.items
    }

    /// How many further problems were found and not kept (at most 200 are).
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// Whether any problem forbids a run.
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|d| d.severity == Severity::Error)
    }

    /// Name of the file, as shown.
    pub fn source_name(&self) -> &str {
        &self.source_name
    }

    /// Line and column, from 1 and in characters, of a byte offset in the source.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let offset = floor_boundary(&self.source, offset);
        let before = &self.source[..offset];
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        (line, before[start..].chars().count() + 1)
    }

    /// The problems as a terminal shows them: message, line with a caret, help. `colour` adds ANSI colours; the caller
    /// decides (terminal or not, `NO_COLOR`).
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for diagnostic in &self.items {
            if !out.is_empty() {
                out.push_str("\n\n");
            }
            out.push_str(&self.render_one(diagnostic, &renderer));
        }
        if self.omitted > 0 {
            let _ = write!(out, "\n\n{} further problems are not shown", self.omitted);
        }
        out
    }

    fn render_one(&self, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code);
        let mut group = match &diagnostic.span {
            Some(span) => {
                let (excerpt, line, within) = self.excerpt(span);
                title.element(
                    Snippet::source(excerpt)
                        .path(self.source_name.as_str())
                        .line_start(line)
                        .annotation(AnnotationKind::Primary.span(within)),
                )
            }
            None => title.element(annotate_snippets::Origin::path(self.source_name.as_str())),
        };
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }

    /// The line of a span (at most 200 bytes on each side), its number, and the span within it. A span of several lines is
    /// cut at the end of its first.
    fn excerpt(&self, span: &Range<usize>) -> (String, usize, Range<usize>) {
        const REACH: usize = 200;
        let source = &self.source;
        let start = floor_boundary(source, span.start);
        let line_start = source[..start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = source[start..].find('\n').map_or(source.len(), |i| start + i);
        let end = floor_boundary(source, span.end.clamp(start, line_end).min(start + REACH)).max(start);
        let from = floor_boundary(source, line_start.max(start.saturating_sub(REACH)));
        let to = floor_boundary(source, line_end.min(end + REACH)).max(end);
        let (line, _) = self.line_column(start);
        let mut excerpt = String::new();
        let mut within = 0..0;
        // Controls and tabs are one column wide here, so that the caret stands where it should.
        for (i, c) in source[from..to].char_indices() {
            if from + i == start {
                within.start = excerpt.len();
            }
            if from + i == end {
                within.end = excerpt.len();
            }
            excerpt.push(if c.is_control() { ' ' } else { c });
        }
        if start == to {
            within.start = excerpt.len();
        }
        if end == to {
            within.end = excerpt.len();
        }
        (excerpt, line, within)
    }

    /// The problems as a JSON document: `{"source", "diagnostics": [{"code", "severity", "message", "help", "line",
    /// "column", "end_line", "end_column"}], "omitted"}`, lines and columns from 1, null where a problem has no place.
    pub fn to_json(&self) -> Value {
        let items: Vec<Value> = self
            .items
            .iter()
            .map(|d| {
                let begin = d.span.as_ref().map(|s| self.line_column(s.start));
                let end = d.span.as_ref().map(|s| self.line_column(s.end));
                json!({
                    "code": d.code,
                    "severity": d.severity.name(),
                    "message": d.message,
                    "help": d.help,
                    "line": begin.map(|p| p.0),
                    "column": begin.map(|p| p.1),
                    "end_line": end.map(|p| p.0),
                    "end_column": end.map(|p| p.1),
                })
            })
            .collect();
        json!({ "source": self.source_name, "diagnostics": items, "omitted": self.omitted })
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// The nearest character boundary not after `offset`.
fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Control characters replaced, and no more than 600 characters kept.
pub(crate) fn without_controls(text: &str) -> String {
    const LONGEST: usize = 600;
    let mut out: String = text
        .chars()
        .take(LONGEST)
        .map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_span_in_long_and_odd_lines() {
        let long = format!("x = \"{}\"  # Ωå\nsecond\tline", "å".repeat(5000));
        let mut all = Diagnostics::new("study.toml", &long);
        let place = long.find("line").unwrap();
        all.error("study::test", Some(place..place + 4), "here", None);
        all.error("study::test", Some(5..long.len()), "many lines", Some("do this".into()));
        all.error("study::test", Some(long.len()..long.len() + 9), "past the end", None);
        all.error("study::test", None, "nowhere", None);
        let text = all.render(false);
        assert!(text.contains("2 | second line"), "{text}");
        assert!(text.contains("help: do this") && text.contains("error[study::test]: nowhere"), "{text}");
        assert!(text.len() < 5000);
        assert_eq!(all.to_json()["diagnostics"][0]["line"], 2);
        assert_eq!(all.to_json()["diagnostics"][0]["column"], 8);
    }

    #[test]
    fn no_control_character_of_the_source_reaches_the_terminal() {
        let mut all = Diagnostics::new("study\u{1b}[31m.toml", "a = \"\u{1b}[31m\"");
        all.error("study::test", Some(4..10), "unknown \u{1b}[2J", Some("\u{7}".into()));
        assert!(!all.render(false).contains('\u{1b}') && !all.render(false).contains('\u{7}'));
    }

    #[test]
    fn more_than_two_hundred_problems_are_counted() {
        let mut all = Diagnostics::new("s", "");
        for _ in 0..1000 {
            all.error("study::test", None, "m", None);
        }
        assert_eq!((all.items().len(), all.omitted()), (200, 800));
    }
}
