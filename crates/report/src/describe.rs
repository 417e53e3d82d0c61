//! Figures in words and numbers: alternative text, data table, CSV, and the data that the page's script draws from.

use crate::error::ReportError;
use crate::html::{Html, percent_encode};
use crate::model::{Axis, Dash, Figure, Marker, Orientation, Series, SeriesKind};
use crate::svg::theme::styles;
use scalade_record::{significant, typeset_unit};
use serde::Serialize;

/// Rows of a data table shown on the page; the CSV file holds all.
const ROWS_SHOWN: usize = 40;

/// What a reader who does not see the figure is told: axes with the ranges of the data, then each series.
pub(crate) fn alternative_text(figure: &Figure) -> String {
    let all = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)))
    };
    let x = all(&mut figure.series.iter().flat_map(|s| s.x.iter().copied()));
    let y = all(&mut figure.series.iter().flat_map(|s| s.y.iter().chain(&s.upper).copied()));
    let each: Vec<String> = figure.series.iter().map(|s| series_words(s, &figure.y)).collect();
    let count = if each.len() == 1 { "One".to_string() } else { each.len().to_string() };
    let mut sentences = vec![
        format!("Horizontal axis: {}.", axis_words(&figure.x, x)),
        format!("Vertical axis: {}.", axis_words(&figure.y, y)),
        format!("{count} series: {}.", each.join("; ")),
    ];
    for span in &figure.spans {
        let unit = spaced_unit(&figure.x.unit);
        let label = if span.label.is_empty() { "Marked interval" } else { &span.label };
        sentences.push(format!("{label}: from {} to {}{unit}.", words(span.from), words(span.to)));
    }
    for line in &figure.references {
        let label = if line.label.is_empty() { "Reference line" } else { &line.label };
        let unit = match line.orientation {
            Orientation::Horizontal => &figure.y.unit,
            Orientation::Vertical => &figure.x.unit,
            Orientation::Diagonal => {
                sentences.push(format!("{label}: the diagonal."));
                continue;
            }
        };
        sentences.push(format!("{label}: at {}{}.", words(line.at), spaced_unit(unit)));
    }
    sentences.join(" ")
}

fn words(value: f64) -> String {
    significant(value, 4).typeset()
}

fn spaced_unit(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!("\u{a0}{}", typeset_unit(unit)) }
}

fn axis_words(axis: &Axis, (lower, upper): (f64, f64)) -> String {
    if !axis.categories.is_empty() {
        return format!("{}, {} categories", axis.label, axis.categories.len());
    }
    let log = if axis.log { ", logarithmic" } else { "" };
    format!("{}{log}, from {} to {}{}", axis.label, words(lower), words(upper), spaced_unit(&axis.unit))
}

fn kind_words(kind: SeriesKind) -> &'static str {
    match kind {
        SeriesKind::Line => "line",
        SeriesKind::Markers => "markers",
        SeriesKind::LineMarkers => "line with markers",
        SeriesKind::Step => "steps",
        SeriesKind::Band => "band",
        SeriesKind::Bars => "bars",
    }
}

fn series_words(series: &Series, y: &Axis) -> String {
    let fold = |values: &[f64]| {
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)))
    };
    let (mut lower, mut upper) = fold(&series.y);
    if series.kind == SeriesKind::Band {
        let (low, high) = fold(&series.upper);
        (lower, upper) = (lower.min(low), upper.max(high));
    }
    let name = if series.name.is_empty() { "unnamed" } else { &series.name };
    let points =
        if series.x.len() == 1 { "1 point".to_string() } else { format!("{} points", series.x.len()) };
    let errors = if series.y_error.is_empty() { "" } else { " with error bars" };
    let unit = spaced_unit(&y.unit);
    let range = if lower == upper { words(lower) } else { format!("{} to {}", words(lower), words(upper)) };
    format!("{name} ({}{errors}, {points}, {range}{unit})", kind_words(series.kind))
}

/// Columns beyond series, x and y that some series of the figure fills.
struct Columns {
    upper: bool,
    error: bool,
    label: bool,
}

impl Columns {
    fn of(figure: &Figure) -> Self {
        Self {
            upper: figure.series.iter().any(|s| !s.upper.is_empty()),
            error: figure.series.iter().any(|s| !s.y_error.is_empty()),
            label: figure.series.iter().any(|s| !s.labels.is_empty()) || !figure.x.categories.is_empty(),
        }
    }
}

fn heading(axis: &Axis) -> String {
    if axis.unit.is_empty() { axis.label.clone() } else { format!("{} ({})", axis.label, axis.unit) }
}

fn point_label<'a>(figure: &'a Figure, series: &'a Series, index: usize) -> &'a str {
    if let Some(label) = series.labels.get(index) {
        return label;
    }
    let x = series.x.get(index).copied().unwrap_or(-1.0);
    if x >= 0.0 && x == x.trunc() && !figure.x.categories.is_empty() {
        return figure.x.categories.get(x as usize).map_or("", String::as_str);
    }
    ""
}

/// All points of the figure to eight significant digits. Series that share their x stand side by side, one column each (two
/// for a band, one more for errors); others one below the other with the name of the series in front. Texts that a
/// spreadsheet would take for a formula are quoted with an apostrophe.
pub(crate) fn csv(figure: &Figure) -> String {
    let mut out = String::new();
    let one_grid = figure.series.windows(2).all(|pair| pair[0].x == pair[1].x);
    if one_grid && figure.series.len() > 1 {
        wide_csv(&mut out, figure);
    } else {
        long_csv(&mut out, figure);
    }
    out
}

fn wide_csv(out: &mut String, figure: &Figure) {
    let names = !figure.x.categories.is_empty();
    out.push_str(&cell(&heading(&figure.x)));
    if names {
        out.push_str(",label");
    }
    let mut columns: Vec<&[f64]> = Vec::new();
    let unit = if figure.y.unit.is_empty() { String::new() } else { format!(" ({})", figure.y.unit) };
    for series in &figure.series {
        let name = if series.name.is_empty() { &figure.y.label } else { &series.name };
        for (what, values) in [
            (if series.upper.is_empty() { "" } else { ", lower edge" }, &series.y),
            (", upper edge", &series.upper),
            (", error", &series.y_error),
        ] {
            if !values.is_empty() {
                out.push(',');
                out.push_str(&cell(&format!("{name}{what}{unit}")));
                columns.push(values);
            }
        }
        if !series.labels.is_empty() {
            out.push(',');
            out.push_str(&cell(&format!("{name}, label")));
        }
    }
    out.push('\n');
    let Some(first) = figure.series.first() else { return };
    for (index, x) in first.x.iter().enumerate() {
        out.push_str(&eight_digits(*x));
        if names {
            out.push(',');
            out.push_str(&cell(point_label(figure, first, index)));
        }
        let mut next = columns.iter();
        for series in &figure.series {
            let count = 1 + usize::from(!series.upper.is_empty()) + usize::from(!series.y_error.is_empty());
            for values in next.by_ref().take(count) {
                out.push(',');
                out.push_str(&values.get(index).map_or_else(String::new, |v| eight_digits(*v)));
            }
            if let Some(label) = series.labels.get(index) {
                out.push(',');
                out.push_str(&cell(label));
            }
        }
        out.push('\n');
    }
}

fn long_csv(out: &mut String, figure: &Figure) {
    let columns = Columns::of(figure);
    let mut head = vec!["series".to_string(), cell(&heading(&figure.x)), cell(&heading(&figure.y))];
    for (present, name) in [(columns.upper, "upper edge"), (columns.error, "error"), (columns.label, "label")]
    {
        if present {
            head.push(name.to_string());
        }
    }
    out.push_str(&head.join(","));
    out.push('\n');
    for series in &figure.series {
        let name = cell(&series.name);
        for index in 0..series.x.len() {
            out.push_str(&name);
            let mut number = |present: bool, values: &[f64]| {
                if present {
                    out.push(',');
                    out.push_str(&values.get(index).map_or_else(String::new, |v| eight_digits(*v)));
                }
            };
            number(true, &series.x);
            number(true, &series.y);
            number(columns.upper, &series.upper);
            number(columns.error, &series.y_error);
            if columns.label {
                out.push(',');
                out.push_str(&cell(point_label(figure, series, index)));
            }
            out.push('\n');
        }
    }
}

/// Shortest text of the number rounded to eight significant digits.
fn eight_digits(value: f64) -> String {
    let value: f64 = format!("{value:.7e}").parse().unwrap_or(value);
    let magnitude = value.abs();
    if value == 0.0 || (1e-4..1e15).contains(&magnitude) { format!("{value}") } else { format!("{value:e}") }
}

/// A text cell of a CSV file.
pub(crate) fn cell(text: &str) -> String {
    let guarded = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_string()
    };
    if guarded.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

/// A CSV file as a `data:` address.
pub(crate) fn csv_address(csv: &str) -> String {
    format!("data:text/csv;charset=utf-8,{}", percent_encode(csv, b",.-_~()*"))
}

/// The data table of a figure: every point while they are few, else evenly spaced ones with a line that says so.
pub(crate) fn data_table(html: &mut Html, figure: &Figure) {
    let columns = Columns::of(figure);
    let total: usize = figure.series.iter().map(|s| s.x.len()).sum();
    let stride = total.div_ceil(ROWS_SHOWN).max(1);
    html.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\"");
    html.attribute("aria-label", format!("Data of the figure: {}", figure.title))
        .raw("><table class=\"data\">");
    if stride > 1 {
        let points = if stride == 2 { "Every second".to_string() } else { format!("One in {stride}") };
        html.raw("<caption>")
            .show(format!("{points} of {total} points and the last of each series; the CSV file holds all."));
        html.raw("</caption>");
    }
    html.raw("<thead><tr><th scope=\"col\" class=\"n\">");
    html.text(&crate::svg::frame::title(&figure.x, 0)).raw("</th><th scope=\"col\" class=\"n\">");
    html.text(&crate::svg::frame::title(&figure.y, 0)).raw("</th>");
    for (present, name) in [(columns.upper, "upper edge"), (columns.error, "error")] {
        if present {
            html.raw("<th scope=\"col\" class=\"n\">").text(name).raw("</th>");
        }
    }
    if columns.label {
        html.raw("<th scope=\"col\">label</th>");
    }
    let width = 2 + [columns.upper, columns.error, columns.label].iter().filter(|present| **present).count();
    html.raw("</tr></thead>");
    for series in &figure.series {
        html.raw("<tbody><tr><th scope=\"rowgroup\"").attribute("colspan", width).raw(">");
        html.text(if series.name.is_empty() { "unnamed series" } else { &series.name }).raw("</th></tr>");
        let last = series.x.len() - 1;
        for index in (0..series.x.len()).filter(|i| i % stride == 0 || *i == last) {
            html.raw("<tr>");
            let mut number = |present: bool, values: &[f64]| {
                if present {
                    html.raw("<td class=\"n\">");
                    html.text(&values.get(index).map_or_else(String::new, |v| significant(*v, 6).typeset()));
                    html.raw("</td>");
                }
            };
            number(true, &series.x);
            number(true, &series.y);
            number(columns.upper, &series.upper);
            number(columns.error, &series.y_error);
            if columns.label {
                html.raw("<td class=\"long\">").text(point_label(figure, series, index)).raw("</td>");
            }
            html.raw("</tr>");
        }
        html.raw("</tbody>");
    }
    html.raw("</table></div>");
}

#[derive(Serialize)]
struct PlotData<'a> {
    x: PlotAxis<'a>,
    y: PlotAxis<'a>,
    equal: bool,
    /// Bars of different series stand side by side.
    grouped: bool,
    /// Width of a bar on a linear axis.
    bar: f64,
    series: Vec<PlotSeries<'a>>,
    spans: Vec<(f64, f64, &'a str)>,
    lines: Vec<(Orientation, f64, &'a str)>,
}

#[derive(Serialize)]
struct PlotAxis<'a> {
    title: String,
    unit: String,
    log: bool,
    range: [f64; 2],
    names: &'a [String],
    /// Some number on the axis is not positive: a logarithmic scale is not offered.
    signed: bool,
}

#[derive(Serialize)]
struct PlotSeries<'a> {
    name: &'a str,
    kind: SeriesKind,
    slot: usize,
    dash: Dash,
    marker: Marker,
    /// The numbers, or the index of an earlier series with the same ones.
    x: Positions,
    y: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    upper: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    error: Vec<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    labels: &'a [String],
}

#[derive(Serialize)]
#[serde(untagged)]
enum Positions {
    Own(Vec<f64>),
    Of(usize),
}

/// Seven significant digits: finer than any screen. The CSV file has eight.
fn rounded(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| format!("{v:.6e}").parse().unwrap_or(*v)).collect()
}

/// JSON from which the page's script draws the figure.
pub(crate) fn plot_json(figure: &Figure) -> Result<String, ReportError> {
    let frame = crate::svg::frame::lay_out(figure, 0.0);
    let axis = |axis: &'_ Axis, laid: &crate::svg::frame::LaidAxis, signed: bool| PlotAxis {
        title: crate::svg::frame::title(axis, 0),
        unit: typeset_unit(&axis.unit),
        log: axis.log,
        range: [laid.scale.lower, laid.scale.upper],
        names: &[],
        signed,
    };
    let positive = |values: &[f64]| values.iter().all(|v| *v > 0.0);
    let x_signed =
        !figure.series.iter().all(|s| positive(&s.x)) || figure.spans.iter().any(|s| s.from <= 0.0);
    let y_signed = !figure.series.iter().all(|s| positive(&s.y));
    let data = PlotData {
        x: PlotAxis { names: &figure.x.categories, ..axis(&figure.x, &frame.x, x_signed) },
        y: PlotAxis { names: &figure.y.categories, ..axis(&figure.y, &frame.y, y_signed) },
        equal: figure.equal_aspect,
        grouped: crate::svg::frame::bars_are_grouped(figure),
        bar: 2.0 * crate::svg::frame::bar_half_width(figure),
        series: figure
            .series
            .iter()
            .zip(styles(&figure.series))
            .enumerate()
            .map(|(index, (series, style))| PlotSeries {
                name: &series.name,
                kind: series.kind,
                slot: style.slot,
                dash: style.dash,
                marker: style.marker,
                x: match figure.series.iter().position(|earlier| earlier.x == series.x) {
                    Some(earlier) if earlier < index => Positions::Of(earlier),
                    _ => Positions::Own(rounded(&series.x)),
                },
                y: rounded(&series.y),
                upper: rounded(&series.upper),
                error: rounded(&series.y_error),
                labels: &series.labels,
            })
            .collect(),
        spans: figure.spans.iter().map(|s| (s.from, s.to, s.label.as_str())).collect(),
        lines: figure.references.iter().map(|l| (l.orientation, l.at, l.label.as_str())).collect(),
    };
    serde_json::to_string(&data)
        .map_err(|error| ReportError::Serialise { figure: figure.id.clone(), message: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_keeps_eight_digits_and_defuses_formulas() {
        let figure = Figure::new("f", "F", Axis::new("x", "m"), Axis::new("a, b", ""))
            .series(
                Series::markers("=cmd()", vec![0.1 + 0.2, 1.0 / 3e20], vec![1.0, -2.0])
                    .labels(["p\"q", "@r"]),
            )
            .series(Series::band("b", vec![1.0], vec![2.0], vec![3.0]));
        assert_eq!(
            csv(&figure),
            "series,x (m),\"a, b\",upper edge,label\n'=cmd(),0.3,1,,\"p\"\"q\"\n'=cmd(),3.3333333e-21,-2,,'@r\nb,1,2,3,\n"
        );
    }

    #[test]
    fn series_of_one_grid_stand_side_by_side() {
        let x = vec![0.0, 1.0];
        let figure = Figure::new("f", "F", Axis::new("t", "s"), Axis::new("V", "V"))
            .series(Series::band("95 %", x.clone(), vec![3.0, 2.0], vec![4.0, 3.0]))
            .series(Series::markers("median", x, vec![3.5, 2.5]).errors(vec![0.1, 0.2]).labels(["", "end"]));
        assert_eq!(
            csv(&figure),
            "t (s),\"95 %, lower edge (V)\",\"95 %, upper edge (V)\",median (V),\"median, error (V)\",\"median, label\"\n\
             0,3,4,3.5,0.1,\n1,2,3,2.5,0.2,end\n"
        );
    }

    #[test]
    fn alternative_text_tells_the_ranges() {
        let figure = Figure::new("f", "F", Axis::new("x", ""), Axis::new("D", "m2/s").log())
            .series(Series::line("chemical", vec![0.5, 1.0], vec![1e-14, 4e-13]))
            .span(0.75, 0.93, "two phases");
        assert_eq!(
            alternative_text(&figure),
            "Horizontal axis: x, from 0.5 to 1. Vertical axis: D, logarithmic, from 1\u{a0}×\u{a0}10⁻¹⁴ to 4\u{a0}×\u{a0}10⁻¹³\u{a0}m²/s. \
             One series: chemical (line, 2 points, 1\u{a0}×\u{a0}10⁻¹⁴ to 4\u{a0}×\u{a0}10⁻¹³\u{a0}m²/s). two phases: from 0.75 to 0.93."
        );
    }
}
