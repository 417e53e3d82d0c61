//! Shares of each prediction's variance, stacked bars by rung.

use super::{Page, retuned_badges};
use crate::describe;
use crate::html::Html;
use crate::model::VarianceDecomposition;
use crate::svg::frame::{TICK_SIZE, WIDTH, fit, text_width};
use crate::svg::marks::{Path, fill_with_hatch};
use crate::svg::theme::{Role, Theme};
use scalade_record::{typeset_unit, value_typeset};

const BAR: f64 = 18.0;
const ROW: f64 = 56.0;
const LEFT: f64 = 8.0;
const RIGHT: f64 = WIDTH - 8.0;

/// Stacked bars with their table.
pub(super) fn variance(page: &Page<'_>, number: &mut usize) -> Html {
    let mut html = Html::new();
    let rows = &page.report.variance;
    if rows.is_empty() {
        return html;
    }
    let rungs = rungs(rows);
    html.raw("<div class=\"figures\"><figure id=\"figure-variance-shares\"><div class=\"picture\"><div class=\"still\">");
    picture(&mut html, page, rows, &rungs);
    html.raw("</div></div><div class=\"words\"><figcaption>");
    super::figures::caption(
        &mut html,
        *number,
        "Shares of the variance",
        "For each prediction the part of its variance that the uncertainty of each rung brings in.",
    );
    for row in rows {
        let reasons = page.lineage.retuned_by_any_name(&row.prediction);
        if !reasons.is_empty() {
            html.text(page.lineage.label(&row.prediction)).raw(" ");
            retuned_badges(&mut html, &reasons);
        }
    }
    html.raw("</figcaption><details><summary>Data<span class=\"hidden\"> of the figure: Shares of the variance</span></summary><p>");
    super::figures::download(&mut html, &csv(rows), "variance-shares");
    html.raw("</p>");
    table(&mut html, page, rows);
    html.raw("</details></div></figure></div>");
    *number += 1;
    html
}

/// Rungs in the order in which they first appear; the place is the slot of the palette.
fn rungs(rows: &[VarianceDecomposition]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for share in rows.iter().flat_map(|r| &r.shares) {
        if !names.contains(&share.rung.as_str()) {
            names.push(&share.rung);
        }
    }
    names
}

fn picture(svg: &mut Html, page: &Page<'_>, rows: &[VarianceDecomposition], rungs: &[&str]) {
    let mut legend = Html::new();
    let (mut x, mut y) = (LEFT, 10.0);
    for (slot, rung) in rungs.iter().enumerate() {
        let name = fit(rung, TICK_SIZE, 200.0);
        let width = 22.0 + text_width(&name, TICK_SIZE) + 16.0;
        if x > LEFT && x + width > RIGHT {
            (x, y) = (LEFT, y + 17.0);
        }
        let mut path = Path::new();
        path.rectangle(x, y - 6.0, x + 16.0, y + 6.0);
        fill_with_hatch(&mut legend, &path, slot, Theme::Page.css(Role::Series(slot)), Theme::Page);
        text(&mut legend, x + 22.0, y + 4.0, "start", &name);
        x += width;
    }
    let top = y + 22.0;
    let height = top + ROW * rows.len() as f64;
    svg.raw("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" role=\"img\"");
    svg.attribute("viewBox", format!("0 0 {WIDTH} {height:.0}"));
    svg.raw(" aria-labelledby=\"svg-variance-t svg-variance-d\" font-family=\"system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif\"");
    svg.attribute("font-size", TICK_SIZE)
        .raw(" style=\"fill:var(--ink)\"><title id=\"svg-variance-t\">Shares of the variance</title>");
    svg.raw("<desc id=\"svg-variance-d\">").text(&description(page, rows)).raw("</desc>").append(&legend);
    for (index, row) in rows.iter().enumerate() {
        bar(svg, row, page.lineage.label(&row.prediction), rungs, top + ROW * index as f64);
    }
    svg.raw("</svg>");
}

fn bar(svg: &mut Html, row: &VarianceDecomposition, name: &str, rungs: &[&str], top: f64) {
    svg.raw("<g font-size=\"12.5\">");
    text(svg, LEFT, top + 11.0, "start", &fit(name, 12.5, RIGHT - LEFT));
    svg.raw("</g>");
    let mut outline = Path::new();
    outline.rectangle(LEFT, top + 17.0, RIGHT, top + 17.0 + BAR);
    crate::svg::marks::stroke(svg, &outline, Theme::Page.css(Role::Soft), "0.7", None);
    let mut x = LEFT;
    for share in &row.shares {
        let slot = rungs.iter().position(|r| *r == share.rung).unwrap_or(0);
        let width = (share.share * (RIGHT - LEFT)).min(RIGHT - x);
        if width > 0.05 {
            let mut path = Path::new();
            path.rectangle(x, top + 17.0, x + width, top + 17.0 + BAR);
            fill_with_hatch(svg, &path, slot, Theme::Page.css(Role::Series(slot)), Theme::Page);
        }
        let label = percent(share.share);
        if width > text_width(&label, 10.5) + 2.0 {
            svg.raw("<g font-size=\"10.5\">");
            text(svg, x + width / 2.0, top + 17.0 + BAR + 12.0, "middle", &label);
            svg.raw("</g>");
        }
        x += width;
    }
}

fn text(svg: &mut Html, x: f64, y: f64, anchor: &'static str, text: &str) {
    svg.raw("<text").attribute("x", format!("{x:.1}")).attribute("y", format!("{y:.1}"));
    svg.attribute("text-anchor", anchor).raw(">").text(text).raw("</text>");
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 1.0 { "<1\u{202f}%".to_string() } else { format!("{percent:.0}\u{202f}%") }
}

fn description(page: &Page<'_>, rows: &[VarianceDecomposition]) -> String {
    let each = rows.iter().map(|row| {
        let shares: Vec<String> =
            row.shares.iter().map(|s| format!("{} {}", s.rung, percent(s.share))).collect();
        format!("{}: {}.", page.lineage.label(&row.prediction), shares.join(", "))
    });
    each.collect::<Vec<_>>().join(" ")
}

fn csv(rows: &[VarianceDecomposition]) -> String {
    let mut out = "prediction,rung,share,standard deviation,unit\n".to_string();
    for row in rows {
        for share in &row.shares {
            let std = share.std.map(|s| s.to_string()).unwrap_or_default();
            let cells =
                [describe::cell(&row.prediction), describe::cell(&share.rung), share.share.to_string(), std];
            out.push_str(&cells.join(","));
            out.push(',');
            out.push_str(&describe::cell(&row.unit));
            out.push('\n');
        }
    }
    out
}

fn table(html: &mut Html, page: &Page<'_>, rows: &[VarianceDecomposition]) {
    super::tables::open_scroll(html, "Shares of the variance");
    html.raw("<table class=\"data\"><thead><tr><th scope=\"col\">Prediction</th><th scope=\"col\">Rung</th>");
    html.raw("<th scope=\"col\" class=\"n\">Share</th><th scope=\"col\" class=\"n\">Standard deviation</th></tr></thead><tbody>");
    for row in rows {
        let rest = 1.0 - row.shares.iter().map(|s| s.share).sum::<f64>();
        for share in &row.shares {
            html.raw("<tr><td>").text(page.lineage.label(&row.prediction)).raw("</td><td>").text(&share.rung);
            html.raw("</td><td class=\"n\">").show(format!("{:.1}\u{202f}%", share.share * 100.0));
            html.raw("</td><td class=\"n\">");
            match share.std {
                Some(std) => html.text(&value_typeset(std, None)).raw(" ").text(&typeset_unit(&row.unit)),
                None => html.raw("–"),
            };
            html.raw("</td></tr>");
        }
        // Rounded shares leave a per mille or two; more is a share of nobody, such as interactions of rungs.
        if rest > 5e-3 {
            html.raw("<tr><td>")
                .text(page.lineage.label(&row.prediction))
                .raw("</td><td>not attributed</td><td class=\"n\">");
            html.show(format!("{:.1}\u{202f}%", rest * 100.0)).raw("</td><td class=\"n\">–</td></tr>");
        }
    }
    html.raw("</tbody></table></div>");
}
