//! The page around its content: head, banner, contents, footer, scripts.

use super::Part;
use crate::digest::source_expression;
use crate::html::Html;
use crate::model::Report;
use crate::svg::marks::hatch_definitions;
use crate::svg::theme::{DARK, LIGHT, Palette, SLOTS, Theme};

const STYLE: &str = include_str!("../../assets/report.css");
const SCRIPT: &str = include_str!("../../assets/report.js");
const PLOTLY: &str = include_str!("../../assets/plotly-basic.min.js");
const PLOTLY_LICENSE: &str = include_str!("../../assets/LICENSE-plotly.txt");

/// Bytes of every page, whatever it shows.
pub(super) fn fixed_size() -> usize {
    STYLE.len() + SCRIPT.len() + PLOTLY.len() + PLOTLY_LICENSE.len()
}

/// Doctype and head. The content security policy allows no request at all, and only the two scripts of this crate by digest.
pub(super) fn head(html: &mut Html, report: &Report) {
    html.raw("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.raw("<meta http-equiv=\"Content-Security-Policy\"");
    html.attribute(
        "content",
        format!(
            "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; script-src {} {}; base-uri 'none'; form-action 'none'",
            source_expression(PLOTLY),
            source_expression(SCRIPT)
        ),
    );
    html.raw("><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    html.raw(
        "<meta name=\"color-scheme\" content=\"light dark\"><meta name=\"referrer\" content=\"no-referrer\">",
    );
    html.raw("<meta name=\"generator\"").attribute("content", &report.generated_by).raw("><title>");
    html.text(if report.title.is_empty() { "Report" } else { &report.title }).raw("</title><style>");
    variables(html, ":root", &LIGHT);
    html.raw("@media screen and (prefers-color-scheme:dark){");
    variables(html, ":root", &DARK);
    html.raw("}\n").raw(STYLE).raw("</style></head>");
}

fn variables(html: &mut Html, selector: &'static str, palette: &Palette) {
    const NAMES: [&str; SLOTS] = ["--s0:", "--s1:", "--s2:", "--s3:", "--s4:", "--s5:", "--s6:", "--s7:"];
    html.raw(selector).raw("{");
    let roles = [
        ("--paper:", palette.paper),
        ("--panel:", palette.panel),
        ("--ink:", palette.ink),
        ("--soft:", palette.soft),
        ("--rule:", palette.rule),
        ("--link:", palette.link),
        ("--amber-ink:", palette.amber_ink),
        ("--amber-ground:", palette.amber_ground),
    ];
    for (name, value) in roles.into_iter().chain(NAMES.into_iter().zip(palette.series)) {
        html.raw(name).raw(value).raw(";");
    }
    html.raw("}");
}

/// Title, subtitle, study.
pub(super) fn banner(html: &mut Html, report: &Report) {
    html.raw("<header class=\"banner\"><h1>").text(if report.title.is_empty() {
        "Report"
    } else {
        &report.title
    });
    html.raw("</h1>");
    if !report.subtitle.is_empty() {
        html.wrap("<p class=\"subtitle\">", &report.subtitle, "</p>");
    }
    html.raw("<p class=\"byline\">");
    if !report.study_name.is_empty() {
        html.raw("Study <b>").text(&report.study_name).raw("</b>");
    }
    if !report.generated_by.is_empty() {
        html.raw(if report.study_name.is_empty() { "written by " } else { ", written by " });
        html.text(&report.generated_by);
    }
    html.raw("</p>");
    // Hatch patterns used by every figure with bars.
    html.raw("<svg width=\"0\" height=\"0\" aria-hidden=\"true\" class=\"patterns\"><defs>");
    html.append(&hatch_definitions(&(1..SLOTS).collect::<Vec<_>>(), Theme::Page))
        .raw("</defs></svg></header>");
}

/// Table of contents.
pub(super) fn contents(html: &mut Html, parts: &[Part]) {
    html.raw("<nav class=\"contents\" aria-label=\"Contents\"><ol>");
    for part in parts {
        html.raw("<li><a").attribute("href", format!("#{}", part.anchor)).raw(">").text(&part.title);
        html.raw("</a></li>");
    }
    html.raw("</ol></nav>");
}

/// What wrote the page, and the licence of the plotting library within it.
pub(super) fn footer(html: &mut Html, report: &Report) {
    html.raw("<footer><p>");
    if !report.generated_by.is_empty() {
        html.raw("Written by ").text(&report.generated_by).raw(". ");
    }
    html.raw("This file is complete in itself: it asks nothing of the network.</p>");
    html.raw(
        "<details><summary>Licence of the plotting library</summary><p>plotly.js, basic bundle</p><pre>",
    );
    html.text(PLOTLY_LICENSE).raw("</pre></details></footer>");
}

/// The plotting library and the script that uses it.
pub(super) fn scripts(html: &mut Html) {
    html.raw("<script>").raw(PLOTLY).raw("</script><script>").raw(SCRIPT).raw("</script>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_cannot_end_their_element() {
        for script in [PLOTLY, SCRIPT] {
            let lower = script.to_ascii_lowercase();
            assert!(!lower.contains("</script") && !lower.contains("<!--") && !lower.contains("<script"));
            // The digest is taken of the text as parsed, where a carriage return would have become a line feed.
            assert!(!script.contains('\r'));
        }
        assert!(!STYLE.to_ascii_lowercase().contains("</style"));
    }

    #[test]
    fn nothing_is_fetched() {
        let style = STYLE.to_ascii_lowercase();
        assert!(!style.contains("url(") && !style.contains("@import"));
        let own = SCRIPT.to_ascii_lowercase();
        for word in
            ["fetch(", "xmlhttprequest", "import(", "eval(", "new function", "http:", "https:", "innerhtml"]
        {
            assert!(!own.contains(word), "{word}");
        }
    }
}
