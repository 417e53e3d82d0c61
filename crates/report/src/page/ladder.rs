//! The ladder: rungs from atoms upward, each with its key number, and what passes between them.

use super::{Page, retuned_badges};
use crate::html::{Html, anchor};
use crate::model::{Rung, RungStatus};

/// The ladder as an ordered list that the style sheet draws as a staircase.
pub(super) fn ladder(page: &Page<'_>) -> Html {
    let mut html = Html::new();
    let rungs = &page.report.rungs;
    if rungs.is_empty() {
        return html;
    }
    html.raw("<ol class=\"ladder\"").attribute("style", format!("--n:{}", rungs.len())).raw(">");
    for (index, rung) in rungs.iter().enumerate() {
        html.raw("<li").attribute("style", format!("--i:{index}"));
        if rung.status == RungStatus::NotRun {
            html.raw(" class=\"idle\"");
        }
        html.raw("><div class=\"step\">");
        step(&mut html, page, rung);
        html.raw("</div>");
        if !rung.hand_off.is_empty() {
            html.raw("<p class=\"hand-off\"><span class=\"hidden\">Hands to the next rung: </span>");
            html.text(&rung.hand_off).raw(" <span class=\"arrow\" aria-hidden=\"true\">↗</span></p>");
        }
        html.raw("</li>");
    }
    html.raw("</ol>");
    html
}

fn step(html: &mut Html, page: &Page<'_>, rung: &Rung) {
    html.raw("<p class=\"scale\">").text(&rung.length_scale).raw("</p><h3>");
    match &rung.section {
        Some(section) => {
            html.raw("<a").attribute("href", format!("#{}", anchor("section", section))).raw(">");
            html.text(&rung.name).raw("</a>");
        }
        None => {
            html.text(&rung.name);
        }
    }
    html.raw("</h3><p class=\"method\">").text(&rung.method).raw("</p>");
    if !rung.key_value.is_empty() {
        html.raw("<p class=\"key\"><span class=\"label\">").text(&rung.key_label);
        html.raw("</span> <span class=\"value\">")
            .text(&scalade_record::typeset_numbers(&rung.key_value))
            .raw("</span></p>");
    }
    html.raw("<p class=\"status\">").text(rung.status.word()).raw("</p>");
    let mut reasons: Vec<&str> = rung.retuned.iter().map(String::as_str).collect();
    for reason in page.lineage.retuned_by_any_name(&rung.key_label) {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    retuned_badges(html, &reasons);
}
