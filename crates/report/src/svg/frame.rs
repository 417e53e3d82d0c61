//! The plane of a figure: ranges, scales from data to pixels, margins and ticks.

use crate::model::{Axis, Figure, Orientation, SeriesKind};
use crate::ticks::{self, Ticks};

/// Width of every figure in user units; one unit is one CSS pixel in a column of the page.
pub(crate) const WIDTH: f64 = 480.0;
/// Height of the plane and its axes, the legend apart.
const HEIGHT: f64 = 316.0;

/// Text width in units of the font size: a coarse table of a sans-serif face, a little on the wide side.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    let width = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ';' | ':' | '\'' | '|' | '!' => 0.29,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | ' ' | '/' | '-' => 0.36,
        '⁰'..='⁹' | '⁻' | '¹' | '²' | '³' => 0.4,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.88,
        'A'..='Z' => 0.68,
        c if u32::from(c) >= 0x1100 => 1.0,
        _ => 0.57,
    };
    text.chars().map(width).sum::<f64>() * size
}

/// The text cut to a width, with an ellipsis where something was cut.
pub(crate) fn fit(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_string();
    }
    let mut out = String::new();
    for character in text.chars() {
        out.push(character);
        if text_width(&out, size) > width - size {
            out.pop();
            break;
        }
    }
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

/// Maps data to pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    pub(crate) log: bool,
    pub(crate) start: f64,
    pub(crate) end: f64,
}

impl Scale {
    /// Position in user units. Numbers below the foot of a logarithmic axis (lower ends of error bars) go to minus infinity and
    /// are caught at the border; far positions are drawn at a finite distance outside the clip.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let fraction = if self.log {
            if value <= 0.0 {
                -1e3
            } else {
                (value.ln() - self.lower.ln()) / (self.upper.ln() - self.lower.ln())
            }
        } else {
            (value - self.lower) / (self.upper - self.lower)
        };
        self.start + fraction.clamp(-1e3, 1e3) * (self.end - self.start)
    }

    fn ticks(&self, target: usize) -> Ticks {
        if self.log {
            ticks::log_ticks(self.lower, self.upper, target)
        } else {
            ticks::linear_ticks(self.lower, self.upper, target)
        }
    }
}

/// Smallest and largest of the numbers that the axis has to show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent(pub(crate) f64, pub(crate) f64);

impl Extent {
    const NONE: Self = Self(f64::INFINITY, f64::NEG_INFINITY);

    fn add(&mut self, value: f64) {
        self.0 = self.0.min(value);
        self.1 = self.1.max(value);
    }

    fn add_all(&mut self, values: &[f64]) {
        for value in values {
            self.add(*value);
        }
    }
}

/// Half the width of a bar in data units: 0.4 of the smallest distance of two bars, of all series together. On a
/// logarithmic axis the width is a factor instead, see `bar_edges`.
pub(crate) fn bar_half_width(figure: &Figure) -> f64 {
    let mut at: Vec<f64> = figure
        .series
        .iter()
        .filter(|s| s.kind == SeriesKind::Bars)
        .flat_map(|s| s.x.iter().copied())
        .collect();
    if figure.x.log {
        for x in &mut at {
            *x = x.ln();
        }
    }
    at.sort_by(f64::total_cmp);
    let gap = at.windows(2).map(|w| w[1] - w[0]).filter(|d| *d > 0.0).fold(f64::INFINITY, f64::min);
    let span = at.last().copied().unwrap_or(1.0) - at.first().copied().unwrap_or(0.0);
    if gap.is_finite() {
        0.4 * gap.max(span / 200.0)
    } else if figure.x.log {
        0.1
    } else {
        0.4 * at.first().map_or(1.0, |x| x.abs().max(1.0))
    }
}

/// Whether bars of different series stand side by side: they do where two series have a bar at one x, else each bar stands
/// at its own x.
pub(crate) fn bars_are_grouped(figure: &Figure) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    let bars = figure.series.iter().filter(|s| s.kind == SeriesKind::Bars);
    bars.flat_map(|s| {
        let own: std::collections::BTreeSet<u64> = s.x.iter().map(|x| (x + 0.0).to_bits()).collect();
        own.into_iter()
    })
    .any(|bits| !seen.insert(bits))
}

/// x of the edges of a bar's place (all series together).
pub(crate) fn bar_edges(x: f64, half: f64, log: bool) -> (f64, f64) {
    if log { (x * (-half).exp(), x * half.exp()) } else { (x - half, x + half) }
}

/// Ranges of the data alone: x and y.
pub(crate) fn data_extent(figure: &Figure) -> (Extent, Extent) {
    let (mut x, mut y) = (Extent::NONE, Extent::NONE);
    let half = bar_half_width(figure);
    for series in &figure.series {
        x.add_all(&series.x);
        y.add_all(&series.y);
        y.add_all(&series.upper);
        if series.kind == SeriesKind::Bars {
            for at in &series.x {
                let (left, right) = bar_edges(*at, half, figure.x.log);
                x.add(left);
                x.add(right);
            }
            if !figure.y.log {
                y.add(0.0);
            }
        }
        for (value, error) in series.y.iter().zip(&series.y_error) {
            y.add(value + error);
            if !figure.y.log || *error < *value {
                y.add(value - error);
            }
        }
    }
    (x, y)
}

fn shown_range(axis: &Axis, mut extent: Extent, foot_at_zero: bool) -> (f64, f64) {
    if let Some([lower, upper]) = axis.range {
        return (lower, upper);
    }
    if !axis.categories.is_empty() {
        extent.add(-0.5);
        extent.add(axis.categories.len() as f64 - 0.5);
        return (extent.0, extent.1);
    }
    let Extent(lower, upper) = extent;
    if axis.log {
        let pad =
            ((upper.ln() - lower.ln()) * 0.04).max(if upper > lower * (1.0 + 1e-9) { 0.0 } else { 0.7 });
        // Numbers at the very ends of the floating-point range leave no room for the padding.
        return ((lower.ln() - pad).exp().max(f64::from_bits(1)), (upper.ln() + pad).exp().min(1e305));
    }
    let magnitude = lower.abs().max(upper.abs());
    if upper - lower <= 1e-10 * magnitude || upper == lower {
        let pad = if magnitude > 1e-290 { 0.05 * magnitude } else { 1.0 };
        return (lower - pad, upper + pad);
    }
    let pad = (upper - lower) * 0.04;
    let foot = if foot_at_zero && lower == 0.0 { 0.0 } else { lower - pad };
    let head = if foot_at_zero && upper == 0.0 { 0.0 } else { upper + pad };
    (foot, head)
}

/// Labelled axis of a laid-out figure.
#[derive(Debug, Clone)]
pub(crate) struct LaidAxis {
    pub(crate) scale: Scale,
    pub(crate) ticks: Ticks,
    pub(crate) labels: Vec<String>,
    pub(crate) title: String,
}

/// Geometry of a figure.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) x: LaidAxis,
    pub(crate) y: LaidAxis,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) height: f64,
}

pub(crate) const TICK_SIZE: f64 = 11.5;
pub(crate) const TITLE_SIZE: f64 = 12.5;

/// Lays the axes out beneath a legend of the given height.
pub(crate) fn lay_out(figure: &Figure, legend_height: f64) -> Frame {
    let (mut x, mut y) = data_extent(figure);
    for line in &figure.references {
        match line.orientation {
            Orientation::Horizontal => y.add(line.at),
            Orientation::Vertical => x.add(line.at),
            Orientation::Diagonal => {}
        }
    }
    for span in &figure.spans {
        x.add(span.from);
        x.add(span.to);
    }
    let bars = figure.series.iter().any(|s| s.kind == SeriesKind::Bars);
    let mut x_range = shown_range(&figure.x, x, false);
    let mut y_range = shown_range(&figure.y, y, bars);
    let top = legend_height + 10.0;
    let bottom = top + HEIGHT - 52.0;
    let right = WIDTH - 14.0;
    let mut left = 58.0;
    let mut frame = None;
    // The left margin depends on the labels, these on the range, and with equal aspect the range on the margin.
    for _ in 0..2 {
        if figure.equal_aspect && !figure.x.log && !figure.y.log {
            (x_range, y_range) = equalise(x_range, y_range, right - left, bottom - top);
        }
        let y = laid_axis(&figure.y, y_range, bottom, top, 5);
        let widest = y.labels.iter().map(|l| text_width(l, TICK_SIZE)).fold(0.0, f64::max);
        left = (widest + 8.0 + 24.0).clamp(46.0, 150.0);
        let x = laid_axis(&figure.x, x_range, left, right, 6);
        frame = Some((x, y));
    }
    let (mut x, y) = frame.unwrap_or_else(|| {
        (laid_axis(&figure.x, x_range, left, right, 6), laid_axis(&figure.y, y_range, bottom, top, 5))
    });
    if crowded(&x) {
        x = laid_axis(&figure.x, x_range, left, right, 3);
    }
    Frame { x, y, top, bottom, left, right, height: bottom + 46.0 }
}

fn crowded(axis: &LaidAxis) -> bool {
    let widths = axis.labels.iter().map(|l| text_width(l, TICK_SIZE) + 8.0);
    widths.sum::<f64>() > (axis.scale.end - axis.scale.start).abs()
}

fn equalise(x: (f64, f64), y: (f64, f64), width: f64, height: f64) -> ((f64, f64), (f64, f64)) {
    let unit = ((x.1 - x.0) / width).max((y.1 - y.0) / height);
    let widen = |(lower, upper): (f64, f64), pixels: f64| {
        let extra = (unit * pixels - (upper - lower)).max(0.0) / 2.0;
        (lower - extra, upper + extra)
    };
    (widen(x, width), widen(y, height))
}

fn laid_axis(axis: &Axis, range: (f64, f64), start: f64, end: f64, target: usize) -> LaidAxis {
    let scale = Scale { lower: range.0, upper: range.1, log: axis.log, start, end };
    let (ticks, labels, factor) = if axis.categories.is_empty() {
        let ticks = scale.ticks(target);
        let (labels, factor) = ticks::labels(&ticks, axis.log);
        (ticks, labels, factor)
    } else {
        let room = (end - start).abs() / axis.categories.len() as f64;
        // Where names would overlap every n-th is written; the data table holds them all.
        let stride = (14.0 / room).ceil().max(1.0) as usize;
        let (major, labels) = axis
            .categories
            .iter()
            .enumerate()
            .step_by(stride)
            .filter(|(i, _)| (range.0..=range.1).contains(&(*i as f64)))
            .map(|(i, name)| (i as f64, fit(name, TICK_SIZE, (room * stride as f64 - 4.0).max(24.0))))
            .unzip();
        (Ticks { major, ..Ticks::default() }, labels, 0)
    };
    LaidAxis { scale, ticks, labels, title: title(axis, factor) }
}

/// `label (10ⁿ unit)`.
pub(crate) fn title(axis: &Axis, factor: i32) -> String {
    let unit = scalade_record::typeset_unit(&axis.unit);
    let power = if factor == 0 { String::new() } else { scalade_record::power_of_ten(factor) };
    match (power.is_empty(), unit.is_empty()) {
        (true, true) => axis.label.clone(),
        (true, false) => format!("{} ({unit})", axis.label),
        (false, true) => format!("{} ({power})", axis.label),
        (false, false) => format!("{} ({power} {unit})", axis.label),
    }
}
