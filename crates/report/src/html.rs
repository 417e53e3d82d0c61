//! Markup writer: markup comes only from literals of this crate, everything else passes through the escape.
//!
//! [`Html::raw`] takes `&'static str`, so a string that a user wrote cannot reach the page as markup by mistake.

use std::fmt::{Display, Write as _};

/// A growing piece of HTML or SVG.
#[derive(Debug, Default, Clone)]
pub(crate) struct Html(String);

impl Html {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Literal markup of this crate.
    pub(crate) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text from anywhere, escaped.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        escape_into(&mut self.0, text);
        self
    }

    /// A displayable value, escaped.
    pub(crate) fn show(&mut self, value: impl Display) -> &mut Self {
        self.text(&value.to_string())
    }

    /// ` name="value"`, the value escaped.
    pub(crate) fn attribute(&mut self, name: &'static str, value: impl Display) -> &mut Self {
        self.0.push(' ');
        self.0.push_str(name);
        self.0.push_str("=\"");
        escape_into(&mut self.0, &value.to_string());
        self.0.push('"');
        self
    }

    /// `<tag>text</tag>`; `open` and `close` are literal markup.
    pub(crate) fn wrap(&mut self, open: &'static str, text: &str, close: &'static str) -> &mut Self {
        self.raw(open).text(text).raw(close)
    }

    /// A piece built by another writer.
    pub(crate) fn append(&mut self, other: &Self) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }

    /// JSON for a `<script type="application/json">` block: characters that could end the block or start a comment
    /// are written as `\uXXXX`, which JSON reads back as the same characters.
    pub(crate) fn json(&mut self, json: &str) -> &mut Self {
        for character in json.chars() {
            match character {
                '<' => self.0.push_str("\\u003c"),
                '>' => self.0.push_str("\\u003e"),
                '&' => self.0.push_str("\\u0026"),
                '\u{2028}' => self.0.push_str("\\u2028"),
                '\u{2029}' => self.0.push_str("\\u2029"),
                other => self.0.push(visible(other)),
            }
        }
        self
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

/// Escapes for element content and for quoted attributes. Control characters that HTML forbids, and the invisible
/// characters that reorder text, become U+FFFD so that they are seen.
fn escape_into(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(visible(other)),
        }
    }
}

/// The character itself, or U+FFFD for what HTML forbids or the eye cannot see.
pub(crate) fn visible(character: char) -> char {
    match character {
        '\n' | '\t' => character,
        '\u{0}'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{fdd0}'..='\u{fdef}' => '\u{fffd}',
        other if u32::from(other) & 0xfffe == 0xfffe => '\u{fffd}',
        other => other,
    }
}

/// An identifier usable in `id`, `href` and `aria-*`: `prefix-` and the identifier with every character other than ASCII
/// letters, digits and `-` written as `_hex_`. Different identifiers give different anchors.
pub(crate) fn anchor(prefix: &str, id: &str) -> String {
    let mut out = String::with_capacity(prefix.len() + id.len() + 1);
    out.push_str(prefix);
    out.push('-');
    for character in id.chars() {
        if character.is_ascii_alphanumeric() || character == '-' {
            out.push(character);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "_{:x}_", u32::from(character));
        }
    }
    out
}

/// A link target that is safe to click: a DOI as `https://doi.org/...`, or an `https://` / `http://` address.
/// Anything else (such as `javascript:`) is no link.
pub(crate) fn safe_link(target: &str) -> Option<String> {
    let target = target.trim();
    let bare = ["https://doi.org/", "http://doi.org/", "https://dx.doi.org/", "http://dx.doi.org/", "doi:"]
        .iter()
        .find_map(|prefix| target.strip_prefix(prefix))
        .unwrap_or(target)
        .trim();
    let clean = |text: &str| !text.chars().any(|c| c.is_whitespace() || c.is_control() || visible(c) != c);
    if bare.starts_with("10.") && bare.contains('/') && clean(bare) {
        return Some(format!("https://doi.org/{}", percent_encode(bare, b"-._~/():;")));
    }
    let web = target.starts_with("https://") || target.starts_with("http://");
    (web && clean(target)).then(|| target.to_string())
}

/// Percent-encoding of every byte that is neither an ASCII letter or digit nor in `keep`.
pub(crate) fn percent_encode(text: &str, keep: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || keep.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_content_and_attributes() {
        let mut html = Html::new();
        html.raw("<p").attribute("title", "\"'><script>").raw(">").text("a<b & \u{0}\u{202e}c").raw("</p>");
        assert_eq!(
            html.finish(),
            "<p title=\"&quot;&#39;&gt;&lt;script&gt;\">a&lt;b &amp; \u{fffd}\u{fffd}c</p>"
        );
    }

    #[test]
    fn json_cannot_end_its_block() {
        let mut html = Html::new();
        html.json(r#""</script><!--""#);
        assert_eq!(html.finish(), r#""\u003c/script\u003e\u003c!--""#);
    }

    #[test]
    fn anchors_differ_where_identifiers_do() {
        assert_eq!(anchor("figure", "v-x"), "figure-v-x");
        assert_ne!(anchor("f", "a b"), anchor("f", "a_b"));
        assert_ne!(anchor("f", "a_20_b"), anchor("f", "a b"));
    }

    #[test]
    fn only_dois_and_web_addresses_are_links() {
        assert_eq!(safe_link("doi:10.1149/1.3247001").as_deref(), Some("https://doi.org/10.1149/1.3247001"));
        assert_eq!(safe_link("https://doi.org/10.1/a<b").as_deref(), Some("https://doi.org/10.1/a%3Cb"));
        assert_eq!(safe_link("javascript:alert(1)"), None);
        assert_eq!(safe_link("data:text/html,x"), None);
        assert_eq!(safe_link(" JaVaScRiPt:x"), None);
        assert_eq!(safe_link("see 10.1/x"), None);
    }
}
