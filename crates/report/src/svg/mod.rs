//! Figures as static SVG: ticks, legend, bands, error bars; no script, no font file, no network.

pub(crate) mod frame;
pub(crate) mod marks;
pub(crate) mod theme;

pub use theme::Theme;

use crate::error::ReportError;
use crate::html::{Html, anchor};
use crate::model::{Figure, Orientation, SeriesKind};
use frame::{Frame, TICK_SIZE, TITLE_SIZE, WIDTH, fit, text_width};
use marks::{BarPlace, Path, stroke};
use theme::{Role, Style, styles};

/// The figure as one `<svg>` element, 480 user units wide, with its title and its description (axes with their ranges, series
/// with theirs) inside for screen readers.
///
/// # Errors
/// [`ReportError`] when a number is not finite, lengths differ, or a logarithmic axis meets a number that is not positive.
///
/// ```
/// use scalade_report::{figure_svg, Axis, Figure, Series, Theme};
/// let figure = Figure::new("t", "Cell temperature", Axis::new("Time", "s"), Axis::new("T", "K"))
///     .series(Series::line("surface", vec![0.0, 10.0], vec![298.0, 301.5]));
/// let svg = figure_svg(&figure, Theme::Light)?;
/// assert!(svg.starts_with("<svg") && svg.contains("Cell temperature"));
/// # Ok::<(), scalade_report::ReportError>(())
/// ```
pub fn figure_svg(figure: &Figure, theme: Theme) -> Result<String, ReportError> {
    crate::validate::figure(figure)?;
    let mut svg = Html::new();
    draw(&mut svg, figure, theme);
    Ok(svg.finish())
}

/// Draws a figure that has passed validation.
pub(crate) fn draw(svg: &mut Html, figure: &Figure, theme: Theme) {
    let styles = styles(&figure.series);
    let id = anchor("svg", &figure.id);
    let mut legend = Html::new();
    let legend_height = draw_legend(&mut legend, figure, &styles, theme);
    let frame = frame::lay_out(figure, legend_height);
    svg.raw("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" role=\"img\"");
    svg.attribute("viewBox", format!("0 0 {WIDTH} {:.0}", frame.height));
    svg.attribute("aria-labelledby", format!("{id}-t {id}-d"));
    svg.attribute("font-family", "system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif");
    svg.attribute("font-size", TICK_SIZE);
    svg.attribute("style", format!("fill:{}", theme.css(Role::Ink))).raw(">");
    svg.raw("<title").attribute("id", format!("{id}-t")).raw(">").text(&figure.title).raw("</title>");
    svg.raw("<desc").attribute("id", format!("{id}-d")).raw(">");
    svg.text(&crate::describe::alternative_text(figure)).raw("</desc>");
    definitions(svg, figure, &frame, &styles, &id, theme);
    svg.append(&legend);
    let mut shelf = Shelf::new(frame.top);
    spans(svg, figure, &frame, theme);
    grid(svg, &frame, theme);
    svg.raw("<g").attribute("clip-path", format!("url(#{id}-clip)")).raw(">");
    reference_strokes(svg, figure, &frame, theme);
    let bars = figure.series.iter().filter(|s| s.kind == SeriesKind::Bars).count();
    let bar_count = if frame::bars_are_grouped(figure) { bars } else { bars.min(1) };
    let mut place = BarPlace { half_width: frame::bar_half_width(figure), index: 0, count: bar_count };
    for (series, style) in figure.series.iter().zip(&styles) {
        marks::draw(svg, &frame, series, *style, theme, &place);
        if series.kind == SeriesKind::Bars && bar_count > 1 {
            place.index += 1;
        }
    }
    if bars > 0 && !frame.y.scale.log {
        let mut zero = Path::new();
        zero.move_to(frame.left, frame.y.scale.at(0.0));
        zero.horizontal(frame.right);
        stroke(svg, &zero, theme.css(Role::Ink), "0.7", None);
    }
    svg.raw("</g>");
    axes(svg, &frame, theme);
    plane_labels(svg, figure, &frame, &mut shelf, theme);
    svg.raw("</svg>");
}

/// Outline in the ground's colour, so that text stays readable across lines.
pub(crate) fn halo(theme: Theme) -> String {
    format!(
        "paint-order:stroke;stroke:{};stroke-width:3px;stroke-linejoin:round;fill:{}",
        theme.css(Role::Paper),
        theme.css(Role::Ink)
    )
}

fn definitions(svg: &mut Html, figure: &Figure, frame: &Frame, styles: &[Style], id: &str, theme: Theme) {
    svg.raw("<defs><clipPath").attribute("id", format!("{id}-clip")).raw("><path");
    let mut path = Path::new();
    // Two units more than the plane: markers on its border are not cut.
    path.rectangle(frame.left, frame.top - 4.0, frame.right + 4.0, frame.bottom);
    svg.attribute("d", path.data()).raw("/></clipPath>");
    if theme != Theme::Page {
        let slots: Vec<usize> = figure
            .series
            .iter()
            .zip(styles)
            .filter(|(series, _)| series.kind == SeriesKind::Bars)
            .map(|(_, style)| style.slot)
            .collect();
        svg.append(&marks::hatch_definitions(&slots, theme));
    }
    svg.raw("</defs>");
}

/// Draws the legend in rows from the upper left and returns its height.
fn draw_legend(svg: &mut Html, figure: &Figure, styles: &[Style], theme: Theme) -> f64 {
    const ROW: f64 = 17.0;
    let (mut x, mut row) = (8.0, 0.0);
    let mut any = false;
    for (series, style) in figure.series.iter().zip(styles).filter(|(s, _)| !s.name.is_empty()) {
        let name = fit(&series.name, TICK_SIZE, WIDTH - 60.0);
        let width = 30.0 + text_width(&name, TICK_SIZE) + 16.0;
        if any && x + width > WIDTH - 4.0 {
            x = 8.0;
            row += 1.0;
        }
        any = true;
        let y = 10.0 + row * ROW;
        swatch(svg, series.kind, *style, x, y, theme);
        svg.raw("<text").attribute("x", format!("{:.1}", x + 29.0)).attribute("y", format!("{:.1}", y + 4.0));
        svg.raw(">").text(&name).raw("</text>");
        x += width;
    }
    if any { (row + 1.0) * ROW + 2.0 } else { 0.0 }
}

/// A sample of a series, 24 units wide.
fn swatch(svg: &mut Html, kind: SeriesKind, style: Style, x: f64, y: f64, theme: Theme) {
    let color = theme.css(Role::Series(style.slot));
    let mut path = Path::new();
    match kind {
        SeriesKind::Band => {
            path.rectangle(x, y - 5.0, x + 24.0, y + 5.0);
            svg.raw("<path").attribute("d", path.data()).raw(" fill-opacity=\"0.18\" stroke-width=\"0.7\"");
            svg.attribute("style", format!("fill:{color};stroke:{color}"))
                .raw(" stroke-dasharray=\"2.5 2\"/>");
        }
        SeriesKind::Bars => {
            path.rectangle(x + 4.0, y - 5.0, x + 20.0, y + 5.0);
            marks::fill_with_hatch(svg, &path, style.slot, color, theme);
        }
        SeriesKind::Line | SeriesKind::Step | SeriesKind::LineMarkers => {
            path.move_to(x, y);
            path.horizontal(x + 24.0);
            stroke(svg, &path, color, "1.7", theme::dash_array(style.dash));
        }
        SeriesKind::Markers => {}
    }
    if matches!(kind, SeriesKind::Markers | SeriesKind::LineMarkers) {
        let mut path = Path::new();
        path.marker(style.marker, x + 12.0, y);
        marks::markers(svg, &path, style.marker, color, theme);
    }
}

fn spans(svg: &mut Html, figure: &Figure, frame: &Frame, theme: Theme) {
    for span in &figure.spans {
        let clamp = |x: f64| frame.x.scale.at(x).clamp(frame.left, frame.right);
        let mut path = Path::new();
        path.rectangle(clamp(span.from), frame.top, clamp(span.to), frame.bottom);
        svg.raw("<path").attribute("d", path.data()).raw(" fill-opacity=\"0.1\"");
        svg.attribute("style", format!("fill:{}", theme.css(Role::Soft))).raw("/>");
    }
}

fn grid(svg: &mut Html, frame: &Frame, theme: Theme) {
    let mut path = Path::new();
    for tick in &frame.x.ticks.major {
        path.move_to(frame.x.scale.at(*tick), frame.top);
        path.vertical(frame.bottom);
    }
    for tick in &frame.y.ticks.major {
        path.move_to(frame.left, frame.y.scale.at(*tick));
        path.horizontal(frame.right);
    }
    stroke(svg, &path, theme.css(Role::Rule), "0.6", None);
}

fn reference_strokes(svg: &mut Html, figure: &Figure, frame: &Frame, theme: Theme) {
    for line in &figure.references {
        let mut path = Path::new();
        match line.orientation {
            Orientation::Horizontal => {
                path.move_to(frame.left, frame.y.scale.at(line.at));
                path.horizontal(frame.right);
            }
            Orientation::Vertical => {
                path.move_to(frame.x.scale.at(line.at), frame.top);
                path.vertical(frame.bottom);
            }
            Orientation::Diagonal => {
                for part in 0..=40 {
                    let scale = frame.x.scale;
                    let fraction = f64::from(part) / 40.0;
                    let x = if scale.log {
                        (scale.lower.ln() + fraction * (scale.upper.ln() - scale.lower.ln())).exp()
                    } else {
                        scale.lower + fraction * (scale.upper - scale.lower)
                    };
                    let (px, py) = (scale.at(x), frame.y.scale.at(x + line.at));
                    if part == 0 { path.move_to(px, py) } else { path.line_to(px, py) }
                }
            }
        }
        stroke(svg, &path, theme.css(Role::Soft), "1", Some("3 2"));
    }
}

fn axes(svg: &mut Html, frame: &Frame, theme: Theme) {
    let mut path = Path::new();
    path.move_to(frame.left, frame.top);
    path.vertical(frame.bottom);
    path.horizontal(frame.right);
    for (ticks, length) in [(&frame.x.ticks.major, 4.5), (&frame.x.ticks.minor, 2.5)] {
        for tick in ticks {
            path.move_to(frame.x.scale.at(*tick), frame.bottom);
            path.vertical(frame.bottom + length);
        }
    }
    for (ticks, length) in [(&frame.y.ticks.major, 4.5), (&frame.y.ticks.minor, 2.5)] {
        for tick in ticks {
            path.move_to(frame.left, frame.y.scale.at(*tick));
            path.horizontal(frame.left - length);
        }
    }
    stroke(svg, &path, theme.css(Role::Ink), "0.9", None);
    svg.raw("<g text-anchor=\"middle\">");
    for (tick, label) in frame.x.ticks.major.iter().zip(&frame.x.labels) {
        let x = frame.x.scale.at(*tick);
        // A label at the very border would be cut by the edge of the picture.
        let x = x.min(WIDTH - 1.0 - text_width(label, TICK_SIZE) / 2.0);
        text_at(svg, x, frame.bottom + 17.0, label);
    }
    svg.raw("</g><g text-anchor=\"end\">");
    for (tick, label) in frame.y.ticks.major.iter().zip(&frame.y.labels) {
        text_at(svg, frame.left - 7.5, frame.y.scale.at(*tick) + 4.0, label);
    }
    svg.raw("</g><g text-anchor=\"middle\"").attribute("font-size", TITLE_SIZE).raw(">");
    let middle = f64::midpoint(frame.left, frame.right);
    let title = fit(&frame.x.title, TITLE_SIZE, frame.right - frame.left + 40.0);
    text_at(svg, middle, frame.bottom + 37.0, &title);
    let title = fit(&frame.y.title, TITLE_SIZE, frame.bottom - frame.top + 20.0);
    svg.raw("<text").attribute(
        "transform",
        format!("translate(13 {:.1}) rotate(-90)", f64::midpoint(frame.top, frame.bottom)),
    );
    svg.raw(">").text(&title).raw("</text></g>");
}

fn text_at(svg: &mut Html, x: f64, y: f64, text: &str) {
    svg.raw("<text").attribute("x", format!("{x:.1}")).attribute("y", format!("{y:.1}"));
    svg.raw(">").text(text).raw("</text>");
}

/// Places labels along the upper border of the plane in rows that do not overlap.
struct Shelf {
    top: f64,
    rows: Vec<Vec<(f64, f64)>>,
}

impl Shelf {
    fn new(top: f64) -> Self {
        Self { top, rows: Vec::new() }
    }

    /// Baseline for a label between two positions; none when eight rows are taken.
    fn place(&mut self, from: f64, to: f64) -> Option<f64> {
        for row in 0..8 {
            if self.rows.len() <= row {
                self.rows.push(Vec::new());
            }
            if self.rows[row].iter().all(|(a, b)| to < *a || from > *b) {
                self.rows[row].push((from - 6.0, to + 6.0));
                return Some(self.top + 12.0 + 13.0 * row as f64);
            }
        }
        None
    }
}

/// Labels of spans and reference lines, in the plane.
fn plane_labels(svg: &mut Html, figure: &Figure, frame: &Frame, shelf: &mut Shelf, theme: Theme) {
    const SIZE: f64 = 10.5;
    svg.raw("<g font-size=\"10.5\"").attribute("style", halo(theme)).raw(">");
    let mut along_top = |svg: &mut Html, center: f64, label: &str| {
        let text = fit(label, SIZE, 0.6 * (frame.right - frame.left));
        let half = text_width(&text, SIZE) / 2.0;
        let center = center.clamp(frame.left + half + 3.0, (frame.right - half).max(frame.left + half + 3.0));
        if let Some(y) = shelf.place(center - half, center + half) {
            svg.raw("<text text-anchor=\"middle\"").attribute("x", format!("{center:.1}"));
            svg.attribute("y", format!("{y:.1}")).raw(">").text(&text).raw("</text>");
        }
    };
    for span in figure.spans.iter().filter(|s| !s.label.is_empty()) {
        let clamp = |x: f64| frame.x.scale.at(x).clamp(frame.left, frame.right);
        along_top(svg, f64::midpoint(clamp(span.from), clamp(span.to)), &span.label);
    }
    for line in figure.references.iter().filter(|l| !l.label.is_empty()) {
        match line.orientation {
            Orientation::Vertical => along_top(svg, frame.x.scale.at(line.at), &line.label),
            Orientation::Horizontal => {
                let y = frame.y.scale.at(line.at);
                let y = if y < frame.top + 14.0 { y + 12.0 } else { y - 4.0 };
                let text = fit(&line.label, SIZE, 0.8 * (frame.right - frame.left));
                svg.raw("<text text-anchor=\"end\"").attribute("x", format!("{:.1}", frame.right - 3.0));
                svg.attribute("y", format!("{y:.1}")).raw(">").text(&text).raw("</text>");
            }
            Orientation::Diagonal => {
                let text = fit(&line.label, SIZE, 0.4 * (frame.right - frame.left));
                svg.raw("<text text-anchor=\"end\"").attribute("x", format!("{:.1}", frame.right - 6.0));
                svg.attribute("y", format!("{:.1}", frame.bottom - 8.0));
                svg.raw(">").text(&text).raw("</text>");
            }
        }
    }
    svg.raw("</g>");
}
