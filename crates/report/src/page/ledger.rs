//! The parameter ledger, and what each prediction depends on.

use super::tables::{link, open_cell, open_scroll};
use super::{Page, retuned_badges};
use crate::html::{Html, anchor};
use crate::model::LedgerRow;
use scalade_record::{typeset_numbers, typeset_unit};
use std::collections::BTreeSet;

/// Nesting beyond which the list of inputs points to the table instead.
const DEPTH_SHOWN: usize = 12;

/// Every parameter with value, uncertainty, unit, source, rung, seal and users.
pub(super) fn ledger(page: &Page<'_>) -> Html {
    let mut html = Html::new();
    let rows = &page.report.ledger;
    if rows.is_empty() {
        return html;
    }
    html.raw("<p>Every number that entered, with where it comes from. A <span class=\"badge sealed\">sealed</span> parameter ");
    html.raw("was identified at its own scale and no fit at a larger scale may move it; one that was unsealed and moved says so ");
    html.raw("here and on every result downstream.</p><p>");
    super::figures::download(&mut html, &csv(rows), "ledger");
    html.raw("</p>");
    open_scroll(&mut html, "Parameter ledger");
    html.raw("<table class=\"ledger\" data-sortable><thead><tr><th scope=\"col\">Quantity</th>");
    html.raw("<th scope=\"col\" class=\"n\">Value</th><th scope=\"col\" class=\"n\">Uncertainty</th><th scope=\"col\">Unit</th>");
    html.raw("<th scope=\"col\">Source</th><th scope=\"col\">Rung</th><th scope=\"col\">State</th>");
    html.raw("<th scope=\"col\">Used by</th></tr></thead><tbody>");
    for row in rows {
        ledger_row(&mut html, page, row);
    }
    html.raw("</tbody></table></div>");
    html
}

fn ledger_row(html: &mut Html, page: &Page<'_>, row: &LedgerRow) {
    html.raw("<tr").attribute("id", anchor("parameter", &row.quantity)).raw("><th scope=\"row\">");
    html.text(&row.quantity).raw("</th>");
    for (numeric, text) in [
        (true, typeset_numbers(&row.value)),
        (true, typeset_numbers(&row.uncertainty)),
        (false, typeset_unit(&row.unit)),
    ] {
        open_cell(html, numeric, &text);
        html.text(&text).raw("</td>");
    }
    open_cell(
        html,
        false,
        if row.source.is_empty() { row.link.as_deref().unwrap_or("") } else { &row.source },
    );
    match &row.link {
        Some(target) => link(html, target, if row.source.is_empty() { target } else { &row.source }),
        None => {
            html.text(&row.source);
        }
    }
    html.raw("</td>");
    open_cell(html, false, &row.scale);
    html.text(&row.scale).raw("</td><td>");
    match &row.retuned {
        Some(reason) => retuned_badges(html, &[reason]),
        None if row.sealed => {
            html.raw("<span class=\"badge sealed\">sealed</span>");
        }
        None => {
            html.raw("open");
        }
    }
    html.raw("</td>");
    let users: Vec<&str> = row.used_by.iter().map(|user| page.lineage.label(user)).collect();
    let users = users.join(", ");
    open_cell(html, false, &users);
    html.text(&users).raw("</td></tr>");
}

fn csv(rows: &[LedgerRow]) -> String {
    let mut out = "quantity,value,uncertainty,unit,source,link,rung,sealed,re-tuned,used by\n".to_string();
    for row in rows {
        let used_by = row.used_by.join("; ");
        let cells = [
            row.quantity.as_str(),
            &row.value,
            &row.uncertainty,
            &row.unit,
            &row.source,
            row.link.as_deref().unwrap_or_default(),
            &row.scale,
            if row.sealed { "yes" } else { "no" },
            row.retuned.as_deref().unwrap_or_default(),
            &used_by,
        ];
        // A negative number is no formula: only texts are guarded.
        let cells =
            cells.map(|c| if c.parse::<f64>().is_ok() { c.to_string() } else { crate::describe::cell(c) });
        out.push_str(&cells.join(","));
        out.push('\n');
    }
    out
}

/// The dependencies as a table of direct inputs and as nested lists down to the parameters.
pub(super) fn lineage(page: &Page<'_>) -> Html {
    let mut html = Html::new();
    if page.report.depends_on.is_empty() {
        return html;
    }
    let quantities: BTreeSet<&str> = page.report.ledger.iter().map(|r| r.quantity.as_str()).collect();
    open_scroll(&mut html, "Direct inputs of each prediction");
    html.raw("<table class=\"lineage\"><caption>Direct inputs</caption><thead><tr><th scope=\"col\">Prediction</th>");
    html.raw("<th scope=\"col\">Made from</th></tr></thead><tbody>");
    for dependency in &page.report.depends_on {
        html.raw("<tr><th scope=\"row\">").text(page.lineage.label(&dependency.prediction)).raw(" ");
        retuned_badges(&mut html, &page.lineage.retuned(&dependency.prediction));
        html.raw("</th><td>");
        for (index, input) in dependency.inputs.iter().enumerate() {
            if index > 0 {
                html.raw(", ");
            }
            name(&mut html, page, &quantities, input);
        }
        html.raw("</td></tr>");
    }
    html.raw("</tbody></table></div><h3>Down to the parameters</h3><ul class=\"tree\">");
    let mut told = BTreeSet::new();
    for root in &page.lineage.roots {
        branch(&mut html, page, &quantities, root, 0, &mut told);
    }
    html.raw("</ul>");
    html
}

fn name(html: &mut Html, page: &Page<'_>, quantities: &BTreeSet<&str>, input: &str) {
    if quantities.contains(input) {
        html.raw("<a").attribute("href", format!("#{}", anchor("parameter", input))).raw(">");
        html.text(input).raw("</a>");
    } else {
        html.text(page.lineage.label(input));
    }
}

/// One prediction with its inputs beneath. Each is expanded once, so that a dense graph stays readable.
fn branch<'a>(
    html: &mut Html,
    page: &'a Page<'_>,
    quantities: &BTreeSet<&str>,
    node: &'a str,
    depth: usize,
    told: &mut BTreeSet<&'a str>,
) {
    html.raw("<li>");
    name(html, page, quantities, node);
    if let Some(inputs) = page.lineage.inputs.get(node).filter(|inputs| !inputs.is_empty()) {
        if depth >= DEPTH_SHOWN || !told.insert(node) {
            html.raw(" <span class=\"soft\">(inputs listed elsewhere here)</span>");
        } else {
            html.raw("<ul>");
            for input in inputs {
                branch(html, page, quantities, input, depth + 1, told);
            }
            html.raw("</ul>");
        }
    }
    html.raw("</li>");
}
