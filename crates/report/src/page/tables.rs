//! Tables: headline numbers, the author's tables, data left out, steps, citations.

use super::{Page, retuned_badges};
use crate::html::{Html, anchor, safe_link};
use crate::model::{Headline, Report, StepOrigin, Table};
use scalade_record::{typeset_numbers, typeset_unit, value_typeset};

/// Rows shown of the list of data left out; the CSV file holds all.
const EXCLUDED_SHOWN: usize = 200;

/// The numbers a reader came for.
pub(super) fn headline(page: &Page<'_>) -> Html {
    let mut html = Html::new();
    let rows = &page.report.headline;
    if rows.is_empty() {
        return html;
    }
    html.raw("<p class=\"soft\">In parentheses the standard uncertainty of the last digits: 3.98(2) is 3.98 ± 0.02.</p>");
    open_scroll(&mut html, "Results");
    html.raw("<table class=\"results\"><thead><tr><th scope=\"col\">Quantity</th><th scope=\"col\" class=\"n\">Value</th>");
    html.raw("<th scope=\"col\">Unit</th><th scope=\"col\">Rung</th><th scope=\"col\">Origin</th>");
    let compared = rows.iter().any(|h| h.reference.is_some());
    if compared {
        html.raw("<th scope=\"col\">To compare</th>");
    }
    html.raw("</tr></thead><tbody>");
    for headline in rows {
        headline_row(&mut html, page, headline, compared);
    }
    html.raw("</tbody></table></div>");
    html
}

fn headline_row(html: &mut Html, page: &Page<'_>, headline: &Headline, compared: bool) {
    html.raw("<tr").attribute("id", anchor("result", &headline.id)).raw("><th scope=\"row\">");
    html.text(if headline.label.is_empty() { &headline.id } else { &headline.label });
    html.raw(" ");
    if headline.sealed {
        html.raw("<span class=\"badge sealed\">sealed</span> ");
    }
    retuned_badges(html, &page.lineage.retuned(&headline.id));
    html.raw("</th><td class=\"n value\">").text(&value_typeset(headline.value, headline.std_error));
    if headline.std_error.is_none() {
        html.raw("<span class=\"soft small\">uncertainty not known</span>");
    }
    html.raw("</td>");
    let unit = typeset_unit(&headline.unit);
    for text in [unit.as_str(), &headline.scale, &headline.provenance] {
        open_cell(html, false, text);
        html.text(text).raw("</td>");
    }
    if compared {
        let reference = headline.reference.as_deref().unwrap_or("–");
        open_cell(html, false, reference);
        html.text(&typeset_numbers(reference)).raw("</td>");
    }
    html.raw("</tr>");
}

/// A table that scrolls by itself on narrow screens, reachable by keyboard.
pub(super) fn open_scroll(html: &mut Html, label: &str) {
    html.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\"").attribute("aria-label", label).raw(">");
}

/// Opens a cell: flush right for numbers; one with a word too long for a column may break within it.
pub(super) fn open_cell(html: &mut Html, numeric: bool, text: &str) {
    let long = text.split_whitespace().any(|word| word.chars().count() > 28);
    html.raw(match (numeric, long) {
        (_, true) => "<td class=\"long\">",
        (true, false) => "<td class=\"n\">",
        (false, false) => "<td>",
    });
}

/// A table of the author's.
pub(super) fn table(html: &mut Html, table: &Table) {
    let numeric: Vec<bool> = (0..table.columns.len())
        .map(|column| table.rows.iter().all(|row| is_numeric(&row[column])))
        .collect();
    open_scroll(html, &table.title);
    html.raw("<table").attribute("id", anchor("table", &table.id)).raw("><caption>").text(&table.title);
    html.raw("</caption><thead><tr>");
    for (column, numeric) in table.columns.iter().zip(&numeric) {
        html.raw(if *numeric { "<th scope=\"col\" class=\"n\">" } else { "<th scope=\"col\">" });
        html.text(column).raw("</th>");
    }
    html.raw("</tr></thead><tbody>");
    for row in &table.rows {
        html.raw("<tr>");
        for (cell, numeric) in row.iter().zip(&numeric) {
            open_cell(&mut *html, *numeric, cell);
            html.text(&if *numeric { typeset_numbers(cell) } else { cell.clone() }).raw("</td>");
        }
        html.raw("</tr>");
    }
    html.raw("</tbody></table></div>");
}

/// A cell that reads as a number (with its uncertainty and power of ten) is set flush right.
fn is_numeric(cell: &str) -> bool {
    let mut characters = cell.trim_start_matches(['-', '+', '\u{2212}', '<', '≤', '≈', ' ']).chars();
    matches!(cell, "" | "–" | "-")
        || characters.next().is_some_and(|c| c.is_ascii_digit()) && !cell.contains(", ")
}

/// Frames left out of the input data.
pub(super) fn excluded(report: &Report) -> Html {
    let mut html = Html::new();
    let rows = &report.excluded;
    if rows.is_empty() {
        return html;
    }
    html.raw("<p>").show(rows.len());
    html.raw(if rows.len() == 1 { " frame was left out, " } else { " frames were left out, each " });
    html.raw("with its reason.</p>");
    let mut csv = "structure,frame,reason\n".to_string();
    for row in rows {
        let cells = [&row.structure, &row.frame, &row.reason].map(|c| crate::describe::cell(c));
        csv.push_str(&cells.join(","));
        csv.push('\n');
    }
    html.raw("<p>");
    super::figures::download(&mut html, &csv, "excluded");
    html.raw("</p>");
    open_scroll(&mut html, "Data left out");
    html.raw("<table>");
    if rows.len() > EXCLUDED_SHOWN {
        html.raw("<caption>The first ").show(EXCLUDED_SHOWN).raw("; the CSV file holds all.</caption>");
    }
    html.raw("<thead><tr><th scope=\"col\">Structure</th><th scope=\"col\">Frame</th><th scope=\"col\">Reason</th></tr></thead><tbody>");
    for row in rows.iter().take(EXCLUDED_SHOWN) {
        html.raw("<tr><td><code>").text(&row.structure).raw("</code></td>");
        for text in [&row.frame, &row.reason] {
            open_cell(&mut html, false, text);
            html.text(text).raw("</td>");
        }
        html.raw("</tr>");
    }
    html.raw("</tbody></table></div>");
    html
}

/// Steps of the run.
pub(super) fn steps(report: &Report) -> Html {
    let mut html = Html::new();
    if report.steps.is_empty() {
        return html;
    }
    open_scroll(&mut html, "Steps of the run");
    html.raw("<table><thead><tr><th scope=\"col\">Step</th><th scope=\"col\">Kind</th><th scope=\"col\">Result</th>");
    html.raw("<th scope=\"col\" class=\"n\">Time (s)</th><th scope=\"col\">Key</th></tr></thead><tbody>");
    for step in &report.steps {
        html.raw("<tr><th scope=\"row\">").text(&step.step).raw("</th><td><code>").text(&step.kind);
        html.raw("</code></td><td>").raw(match step.origin {
            StepOrigin::Computed => "computed",
            StepOrigin::Cached => "from cache",
            StepOrigin::Failed => "<b>failed</b>",
        });
        html.raw("</td><td class=\"n\">");
        match step.seconds {
            Some(seconds) => html.text(&scalade_record::significant(seconds, 3).typeset()),
            None => html.raw("–"),
        };
        html.raw("</td><td><code>").text(&step.key).raw("</code></td></tr>");
    }
    html.raw("</tbody></table></div>");
    html
}

/// Works to cite.
pub(super) fn citations(report: &Report) -> Html {
    let mut html = Html::new();
    if report.citations.is_empty() {
        return html;
    }
    html.raw(
        "<p>These works stand behind the numbers of this run; a publication that uses them cites them.</p>",
    );
    html.raw("<ol class=\"citations\">");
    for citation in &report.citations {
        html.raw("<li>").text(&citation.text);
        if let Some(doi) = &citation.doi {
            html.raw(" ");
            link(&mut html, doi, doi);
        }
        html.raw("</li>");
    }
    html.raw("</ol>");
    html
}

/// A link where the target is safe to click, else its text.
pub(super) fn link(html: &mut Html, target: &str, text: &str) {
    match safe_link(target) {
        Some(address) => html
            .raw("<a rel=\"noopener noreferrer\"")
            .attribute("href", address)
            .raw(">")
            .text(text)
            .raw("</a>"),
        None => html.text(text),
    };
}
