//! One figure of the page: picture, caption, data.

use crate::describe;
use crate::error::ReportError;
use crate::html::{Html, anchor};
use crate::model::Figure;
use crate::svg::{self, Theme};

/// Writes the figure with its number.
pub(super) fn figure(html: &mut Html, figure: &Figure, number: usize) -> Result<(), ReportError> {
    let id = anchor("figure", &figure.id);
    html.raw("<figure data-plot").attribute("id", &id).raw("><div class=\"picture\"><div class=\"still\">");
    svg::draw(html, figure, Theme::Page);
    html.raw("</div></div><div class=\"words\"><figcaption>");
    caption(html, number, &figure.title, &figure.caption);
    let reasons: Vec<&str> = figure.retuned.iter().map(String::as_str).collect();
    super::retuned_badges(html, &reasons);
    html.raw("</figcaption>");
    let csv = describe::csv(figure);
    details(html, figure, &csv);
    html.raw("</div><script type=\"application/json\" class=\"plot-data\">");
    html.json(&describe::plot_json(figure)?).raw("</script></figure>");
    Ok(())
}

/// `Figure 3. Title. Caption`.
pub(super) fn caption(html: &mut Html, number: usize, title: &str, caption: &str) {
    html.raw("<b>Figure ").show(number).raw(".</b> <span class=\"title\">").text(title);
    html.raw(if title.ends_with(['.', '?', '!']) { "</span> " } else { ".</span> " });
    html.text(caption).raw(" ");
}

fn details(html: &mut Html, figure: &Figure, csv: &str) {
    html.raw("<details><summary>Data<span class=\"hidden\"> of the figure: ").text(&figure.title);
    html.raw("</span></summary><p>");
    download(html, csv, &figure.id);
    html.raw("</p><p class=\"soft\">").text(&describe::alternative_text(figure)).raw("</p>");
    describe::data_table(html, figure);
    html.raw("</details>");
}

/// Link that saves a CSV file.
pub(super) fn download(html: &mut Html, csv: &str, id: &str) {
    let name: String =
        id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).take(80).collect();
    html.raw("<a class=\"download\"").attribute("href", describe::csv_address(csv));
    html.attribute("download", format!("{name}.csv")).raw(">Download ").text(&name).raw(".csv</a>");
}
