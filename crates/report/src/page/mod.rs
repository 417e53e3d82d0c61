//! The page.

mod figures;
mod ladder;
mod ledger;
mod shell;
mod tables;
mod variance;

use crate::error::ReportError;
use crate::html::{Html, anchor};
use crate::lineage::Lineage;
use crate::model::{NoteLevel, Report, Section};

/// Largest page that is written, bytes.
pub const SIZE_LIMIT: usize = 3_000_000;

/// Writes the report as one HTML file. A pure function: the same report gives the same bytes.
///
/// # Errors
/// [`ReportError`] for numbers that are not finite, lengths that differ, identifiers used twice, circles among the
/// dependencies, or a page that would exceed [`SIZE_LIMIT`].
pub fn render(report: &Report) -> Result<String, ReportError> {
    crate::validate::report(report)?;
    check_size_ahead(report)?;
    let page = Page { report, lineage: Lineage::new(report)? };
    let mut html = Html::new();
    page.write(&mut html)?;
    if html.len() > SIZE_LIMIT {
        return Err(ReportError::TooLarge { bytes: html.len(), limit: SIZE_LIMIT });
    }
    Ok(html.finish())
}

/// A lower bound of the size, so that a huge document is refused before it is written: a point costs at least four bytes
/// in the CSV file and four in the data of the script.
fn check_size_ahead(report: &Report) -> Result<(), ReportError> {
    let figures = report.sections.iter().flat_map(|s| &s.figures);
    let points: usize = figures.flat_map(|f| &f.series).map(|s| s.x.len()).sum();
    let bytes = shell::fixed_size().saturating_add(points.saturating_mul(8));
    if bytes > SIZE_LIMIT {
        return Err(ReportError::TooLarge { bytes, limit: SIZE_LIMIT });
    }
    Ok(())
}

/// What every part of the page reads.
struct Page<'a> {
    report: &'a Report,
    lineage: Lineage<'a>,
}

/// A part of the page with its place in the table of contents.
struct Part {
    anchor: String,
    title: String,
    body: Html,
}

impl Page<'_> {
    fn write(&self, html: &mut Html) -> Result<(), ReportError> {
        let parts = self.parts()?;
        shell::head(html, self.report);
        html.raw("<body><a class=\"skip\" href=\"#content\">Skip to the content</a>");
        shell::banner(html, self.report);
        html.raw("<div class=\"sheet\">");
        shell::contents(html, &parts);
        html.raw("<main id=\"content\" tabindex=\"-1\">");
        for (index, part) in parts.iter().enumerate() {
            html.raw("<section").attribute("aria-labelledby", format!("{}-h", part.anchor));
            html.attribute("id", &part.anchor).raw("><h2").attribute("id", format!("{}-h", part.anchor));
            html.raw("><span class=\"number\">")
                .show(index + 1)
                .raw("</span> ")
                .text(&part.title)
                .raw("</h2>");
            html.append(&part.body).raw("</section>");
        }
        html.raw("</main></div>");
        shell::footer(html, self.report);
        shell::scripts(html);
        html.raw("</body></html>\n");
        Ok(())
    }

    fn parts(&self) -> Result<Vec<Part>, ReportError> {
        let report = self.report;
        let mut parts = Vec::new();
        let mut add = |anchor: &str, title: &str, body: Html| {
            if !body.is_empty() {
                parts.push(Part { anchor: anchor.to_string(), title: title.to_string(), body });
            }
        };
        add("ladder", "The ladder", ladder::ladder(self));
        add("results", "Results", tables::headline(self));
        let mut number = 1;
        for section in &report.sections {
            add(&anchor("section", &section.id), &section.title, section_body(section, &mut number)?);
        }
        add("variance", "Where the uncertainty comes from", variance::variance(self, &mut number));
        add("ledger", "Parameter ledger", ledger::ledger(self));
        add("lineage", "What each prediction depends on", ledger::lineage(self));
        add("excluded", "Data left out", tables::excluded(report));
        add("run", "The run", tables::steps(report));
        add("citations", "Works to cite", tables::citations(report));
        Ok(parts)
    }
}

/// Paragraphs, notes, figures and tables of one section.
fn section_body(section: &Section, number: &mut usize) -> Result<Html, ReportError> {
    let mut html = Html::new();
    for paragraph in &section.paragraphs {
        html.wrap("<p>", paragraph, "</p>");
    }
    for note in &section.notes {
        match note.level {
            NoteLevel::Info => html.raw("<p class=\"note\" role=\"note\"><b>Note.</b> "),
            NoteLevel::Warning => html.raw("<p class=\"note warning\" role=\"note\"><b>Warning.</b> "),
        };
        html.text(&note.text).raw("</p>");
    }
    if !section.figures.is_empty() {
        html.raw("<div class=\"figures\">");
        for figure in &section.figures {
            figures::figure(&mut html, figure, *number)?;
            *number += 1;
        }
        html.raw("</div>");
    }
    for table in &section.tables {
        tables::table(&mut html, table);
    }
    // A section without content still has its heading.
    if html.is_empty() {
        html.raw("<p class=\"soft\">No content.</p>");
    }
    Ok(html)
}

/// Amber badges, one for each re-tuned parameter upstream.
fn retuned_badges(html: &mut Html, reasons: &[&str]) {
    for reason in reasons {
        html.raw("<span class=\"badge retuned\">re-tuned: ").text(reason).raw("</span> ");
    }
}
