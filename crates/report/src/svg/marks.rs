//! Lines, markers, bands, bars and error bars as compact SVG paths.

use super::frame::{Frame, bar_edges};
use super::theme::{Role, Style, Theme, dash_array};
use crate::html::Html;
use crate::model::{Marker, Series, SeriesKind};
use std::fmt::Write as _;

/// Writes path data with one decimal.
#[derive(Default)]
pub(crate) struct Path(String);

impl Path {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn number(&mut self, value: f64) {
        let rounded = (value * 10.0).round() / 10.0;
        // Writing to a String cannot fail.
        let _ = if rounded == rounded.trunc() {
            write!(self.0, "{}", rounded as i64)
        } else {
            write!(self.0, "{rounded:.1}")
        };
    }

    fn pair(&mut self, command: char, x: f64, y: f64) {
        self.0.push(command);
        self.number(x);
        self.0.push(' ');
        self.number(y);
    }

    pub(crate) fn move_to(&mut self, x: f64, y: f64) {
        self.pair('M', x, y);
    }

    pub(crate) fn line_to(&mut self, x: f64, y: f64) {
        self.pair('L', x, y);
    }

    pub(crate) fn horizontal(&mut self, x: f64) {
        self.0.push('H');
        self.number(x);
    }

    pub(crate) fn vertical(&mut self, y: f64) {
        self.0.push('V');
        self.number(y);
    }

    pub(crate) fn close(&mut self) {
        self.0.push('Z');
    }

    /// A rectangle.
    pub(crate) fn rectangle(&mut self, x0: f64, y0: f64, x1: f64, y1: f64) {
        self.move_to(x0, y0);
        self.horizontal(x1);
        self.vertical(y1);
        self.horizontal(x0);
        self.close();
    }

    /// A marker of about 7 units centred at (x, y).
    pub(crate) fn marker(&mut self, marker: Marker, x: f64, y: f64) {
        match marker {
            Marker::Circle | Marker::CircleOpen => {
                self.move_to(x - 3.2, y);
                self.0.push_str("a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0 -6.4 0Z");
            }
            Marker::Square | Marker::SquareOpen => {
                self.move_to(x - 3.0, y - 3.0);
                self.0.push_str("h6v6h-6Z");
            }
            Marker::Diamond => {
                self.move_to(x, y - 4.1);
                self.0.push_str("l4.1 4.1l-4.1 4.1l-4.1 -4.1Z");
            }
            Marker::TriangleUp => {
                self.move_to(x, y - 4.2);
                self.0.push_str("l3.9 6.8h-7.8Z");
            }
            Marker::Cross => {
                self.move_to(x - 3.0, y - 3.0);
                self.0.push_str("l6 6m0 -6l-6 6");
            }
            Marker::Plus => {
                self.move_to(x - 3.9, y);
                self.0.push_str("h7.8m-3.9 -3.9v7.8");
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn data(&self) -> &str {
        &self.0
    }
}

/// Points in pixels.
fn pixels(frame: &Frame, x: &[f64], y: &[f64]) -> Vec<(f64, f64)> {
    x.iter().zip(y).map(|(x, y)| (frame.x.scale.at(*x), frame.y.scale.at(*y))).collect()
}

/// Deviation that no eye sees, in user units (CSS pixels).
const TOLERANCE: f64 = 0.12;

/// The same picture with fewer points. Of each run of points within one half-pixel column the first, the lowest, the highest
/// and the last are kept in their order; then points that lie within [`TOLERANCE`] of the chord of their neighbours are
/// dropped (Ramer, Comput. Graph. Image Process. 1 (1972) 244; Douglas and Peucker, Cartographica 10 (1973) 112).
fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() < 40 { points.to_vec() } else { simplify(&envelope(points)) }
}

fn envelope(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let column = |p: &(f64, f64)| (p.0 * 2.0).floor();
    let mut kept = Vec::with_capacity(points.len().min(2048));
    for run in points.chunk_by(|a, b| column(a) == column(b)) {
        if run.len() <= 4 {
            kept.extend_from_slice(run);
            continue;
        }
        let extreme = |sign: f64| {
            let best = |best: usize, i: usize| if sign * run[i].1 > sign * run[best].1 { i } else { best };
            (0..run.len()).fold(0, best)
        };
        let mut chosen = [0, extreme(1.0), extreme(-1.0), run.len() - 1];
        chosen.sort_unstable();
        let mut last = None;
        for index in chosen {
            if last != Some(index) {
                kept.push(run[index]);
                last = Some(index);
            }
        }
    }
    kept
}

fn simplify(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    // Stretches of at most 256 points bound the work to 256 distances a point, whatever the shape.
    const STRETCH: usize = 256;
    let mut keep = vec![false; points.len()];
    let mut open: Vec<(usize, usize)> = (0..points.len().saturating_sub(1))
        .step_by(STRETCH)
        .map(|start| (start, (start + STRETCH).min(points.len() - 1)))
        .collect();
    while let Some((start, end)) = open.pop() {
        (keep[start], keep[end]) = (true, true);
        let (mut farthest, mut distance) = (start, 0.0);
        for index in start + 1..end {
            let d = distance_to_segment(points[index], points[start], points[end]);
            if d > distance {
                (farthest, distance) = (index, d);
            }
        }
        if distance > TOLERANCE {
            open.push((start, farthest));
            open.push((farthest, end));
        }
    }
    points.iter().zip(keep).filter(|(_, keep)| *keep).map(|(point, _)| *point).collect()
}

fn distance_to_segment(point: (f64, f64), start: (f64, f64), end: (f64, f64)) -> f64 {
    let (dx, dy) = (end.0 - start.0, end.1 - start.1);
    let (px, py) = (point.0 - start.0, point.1 - start.1);
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 { ((px * dx + py * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    (px - along * dx).hypot(py - along * dy)
}

fn polyline(points: &[(f64, f64)], step: bool) -> Path {
    let mut path = Path::new();
    let mut previous: Option<(f64, f64)> = None;
    for &(x, y) in points {
        match previous {
            None => path.move_to(x, y),
            Some(_) if step => {
                path.horizontal(x);
                path.vertical(y);
            }
            Some(_) => path.line_to(x, y),
        }
        previous = Some((x, y));
    }
    path
}

/// Draws one series into the clipped plane.
pub(crate) fn draw(
    svg: &mut Html,
    frame: &Frame,
    series: &Series,
    style: Style,
    theme: Theme,
    bars: &BarPlace,
) {
    let color = theme.css(Role::Series(style.slot));
    match series.kind {
        SeriesKind::Band => band(svg, frame, series, color),
        SeriesKind::Bars => draw_bars(svg, frame, series, style, color, theme, bars),
        SeriesKind::Line | SeriesKind::LineMarkers | SeriesKind::Step => {
            let points = pixels(frame, &series.x, &series.y);
            // A staircase turns at its own points: a chord is no measure of it.
            let step = series.kind == SeriesKind::Step;
            let path = polyline(&if step { envelope(&points) } else { thin(&points) }, step);
            stroke(svg, &path, color, "1.7", dash_array(style.dash));
        }
        SeriesKind::Markers => {}
    }
    let shift = if series.kind == SeriesKind::Bars { Some(bars) } else { None };
    // On a bar of its own colour the lower half of an error bar would vanish.
    let bar_color = if shift.is_some() { theme.css(Role::Ink) } else { color };
    error_bars(svg, frame, series, bar_color, shift);
    if matches!(series.kind, SeriesKind::Markers | SeriesKind::LineMarkers) {
        let mut path = Path::new();
        for (x, y) in pixels(frame, &series.x, &series.y) {
            path.marker(style.marker, x, y);
        }
        markers(svg, &path, style.marker, color, theme);
    }
    point_labels(svg, frame, series, theme);
}

pub(crate) fn stroke(svg: &mut Html, path: &Path, color: &str, width: &str, dash: Option<&str>) {
    svg.raw("<path").attribute("d", path.data()).raw(" fill=\"none\" stroke-linejoin=\"round\"");
    svg.attribute("stroke-width", width);
    if let Some(dash) = dash {
        svg.attribute("stroke-dasharray", dash);
    }
    svg.attribute("style", format!("stroke:{color}")).raw("/>");
}

pub(crate) fn markers(svg: &mut Html, path: &Path, marker: Marker, color: &str, theme: Theme) {
    let fill = match marker {
        Marker::Circle | Marker::Square | Marker::Diamond | Marker::TriangleUp => color,
        Marker::CircleOpen | Marker::SquareOpen => theme.css(Role::Paper),
        Marker::Cross | Marker::Plus => "none",
    };
    // A hairline in the ground's colour keeps overlapping filled markers apart.
    let (line, width) = if fill == color { (theme.css(Role::Paper), "0.7") } else { (color, "1.5") };
    svg.raw("<path").attribute("d", path.data()).attribute("stroke-width", width);
    svg.attribute("style", format!("fill:{fill};stroke:{line}")).raw("/>");
}

fn band(svg: &mut Html, frame: &Frame, series: &Series, color: &str) {
    let lower = thin(&pixels(frame, &series.x, &series.y));
    let upper = thin(&pixels(frame, &series.x, &series.upper));
    let mut area = polyline(&upper, false);
    for (x, y) in lower.iter().rev() {
        area.line_to(*x, *y);
    }
    area.close();
    svg.raw("<path").attribute("d", area.data()).raw(" fill-opacity=\"0.18\"");
    svg.attribute("style", format!("fill:{color}")).raw("/>");
    // The edges are drawn too: a shade alone vanishes on poor printers.
    for edge in [&lower, &upper] {
        stroke(svg, &polyline(edge, false), color, "0.7", Some("2.5 2"));
    }
}

/// Which of the side-by-side bars a series has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BarPlace {
    pub(crate) half_width: f64,
    pub(crate) index: usize,
    pub(crate) count: usize,
}

impl BarPlace {
    fn edges(&self, frame: &Frame, x: f64) -> (f64, f64) {
        let (left, right) = bar_edges(x, self.half_width, frame.x.scale.log);
        let (left, right) = (frame.x.scale.at(left), frame.x.scale.at(right));
        let share = (right - left) / self.count.max(1) as f64;
        let start = left + share * self.index as f64;
        // A bar narrower than a pixel would not be seen.
        (start, (start + share).max(start + 1.0))
    }
}

fn draw_bars(
    svg: &mut Html,
    frame: &Frame,
    series: &Series,
    style: Style,
    color: &str,
    theme: Theme,
    place: &BarPlace,
) {
    let foot = if frame.y.scale.log { frame.bottom } else { frame.y.scale.at(0.0) };
    let mut path = Path::new();
    for (x, y) in series.x.iter().zip(&series.y) {
        let (left, right) = place.edges(frame, *x);
        path.rectangle(left, foot, right, frame.y.scale.at(*y));
    }
    fill_with_hatch(svg, &path, style.slot, color, theme);
}

/// Fills bars: slot 0 plain, the others hatched with their own angle, so that bars differ without colour.
pub(crate) fn fill_with_hatch(svg: &mut Html, path: &Path, slot: usize, color: &str, theme: Theme) {
    svg.raw("<path").attribute("d", path.data());
    svg.attribute("style", format!("fill:{color};stroke:{};stroke-width:0.6", theme.css(Role::Paper)))
        .raw("/>");
    if slot > 0 {
        svg.raw("<path").attribute("d", path.data());
        svg.attribute("style", format!("fill:url(#{})", hatch_id(slot, theme))).raw("/>");
    }
}

fn hatch_id(slot: usize, theme: Theme) -> String {
    let scheme = match theme {
        Theme::Light => "light",
        Theme::Dark => "dark",
        Theme::Page => "page",
    };
    format!("hatch-{scheme}-{}", slot % super::theme::SLOTS)
}

/// Hatch patterns for the slots in use. A page defines each once.
pub(crate) fn hatch_definitions(slots: &[usize], theme: Theme) -> Html {
    let mut svg = Html::new();
    for slot in slots.iter().filter(|s| **s > 0) {
        let angle = [0, 45, -45, 90, 0, 22, -22, 67][slot % 8];
        let spacing = [5, 5, 5, 5, 4, 4, 4, 4][slot % 8];
        svg.raw("<pattern").attribute("id", hatch_id(*slot, theme));
        svg.attribute("width", spacing).attribute("height", spacing);
        svg.raw(" patternUnits=\"userSpaceOnUse\"").attribute("patternTransform", format!("rotate({angle})"));
        svg.raw("><path d=\"M0 0H9\" stroke-width=\"1.6\"");
        svg.attribute("style", format!("stroke:{}", theme.css(Role::Paper))).raw("/></pattern>");
    }
    svg
}

fn error_bars(svg: &mut Html, frame: &Frame, series: &Series, color: &str, place: Option<&BarPlace>) {
    let mut path = Path::new();
    for ((x, y), error) in series.x.iter().zip(&series.y).zip(&series.y_error) {
        let at = place.map_or_else(
            || frame.x.scale.at(*x),
            |place| {
                let (left, right) = place.edges(frame, *x);
                f64::midpoint(left, right)
            },
        );
        let (low, high) = (frame.y.scale.at(y - error), frame.y.scale.at(y + error));
        path.move_to(at - 3.0, low);
        path.horizontal(at + 3.0);
        path.move_to(at, low);
        path.vertical(high);
        path.move_to(at - 3.0, high);
        path.horizontal(at + 3.0);
    }
    if path.is_empty() {
        return;
    }
    stroke(svg, &path, color, "1.1", None);
}

/// Labels stand beside their points as long as they are few.
fn point_labels(svg: &mut Html, frame: &Frame, series: &Series, theme: Theme) {
    if series.labels.len() > 14 {
        return;
    }
    for ((x, y), label) in series.x.iter().zip(&series.y).zip(&series.labels).filter(|(_, l)| !l.is_empty()) {
        let (px, py) = (frame.x.scale.at(*x), frame.y.scale.at(*y));
        let text = super::frame::fit(label, 10.5, 110.0);
        let flip = px + 8.0 + super::frame::text_width(&text, 10.5) > frame.right;
        let above = if py < frame.top + 16.0 { 13.0 } else { -6.0 };
        svg.raw("<text class=\"halo\" font-size=\"10.5\"");
        svg.attribute("x", format!("{:.1}", if flip { px - 6.0 } else { px + 6.0 }));
        svg.attribute("y", format!("{:.1}", py + above));
        svg.attribute("text-anchor", if flip { "end" } else { "start" });
        svg.attribute("style", super::halo(theme)).raw(">").text(&text).raw("</text>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_envelope() {
        let points: Vec<(f64, f64)> =
            (0..20_000).map(|i| (f64::from(i) * 0.02, (f64::from(i) * 0.37).sin() * 100.0)).collect();
        let kept = thin(&points);
        assert!(kept.len() < 3400, "{}", kept.len());
        assert_eq!((kept.first(), kept.last()), (points.first(), points.last()));
        let extreme =
            |p: &[(f64, f64)]| p.iter().fold((f64::MAX, f64::MIN), |a, b| (a.0.min(b.1), a.1.max(b.1)));
        assert_eq!(extreme(&kept), extreme(&points));
        assert!(kept.windows(2).all(|w| w[1].0 >= w[0].0));
    }

    #[test]
    fn thinning_of_a_smooth_curve_is_invisible() {
        let points: Vec<(f64, f64)> = (0..=1000)
            .map(|i| {
                let t = f64::from(i) / 1000.0;
                (t * 400.0, 200.0 * t.powi(3) + 30.0 * (6.0 * t).sin())
            })
            .collect();
        let kept = thin(&points);
        assert!(kept.len() < 120, "{}", kept.len());
        for point in &points {
            let nearest =
                kept.windows(2).map(|w| distance_to_segment(*point, w[0], w[1])).fold(f64::MAX, f64::min);
            assert!(nearest <= 2.0 * TOLERANCE, "{point:?}: {nearest}");
        }
    }

    #[test]
    fn path_numbers_are_short() {
        let mut path = Path::new();
        path.move_to(1.0, 2.25);
        path.line_to(-0.04, 7.56789);
        assert_eq!(path.data(), "M1 2.3L0 7.6");
    }
}
