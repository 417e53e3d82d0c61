//! Figures: axes, series, spans and reference lines.

use serde::{Deserialize, Serialize};

/// One plot: what is drawn, not how large or in which colours.
///
/// ```
/// use scalade_report::{Axis, Figure, Series};
/// let figure = Figure::new("ocv", "Open-circuit voltage", Axis::new("Stoichiometry x", ""), Axis::new("V", "V"))
///     .caption("Against lithium metal.")
///     .series(Series::line("computed", vec![0.5, 1.0], vec![4.2, 3.9]));
/// assert_eq!(figure.series.len(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// Identifier, unique within the report; part of anchors and of file names.
    pub id: String,
    /// Title: what is shown, in a few words.
    pub title: String,
    /// Caption: how to read it, and with what it was made.
    #[serde(default)]
    pub caption: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// What is drawn, from back to front.
    pub series: Vec<Series>,
    /// Shaded intervals of x, such as two-phase intervals.
    #[serde(default)]
    pub spans: Vec<Span>,
    /// Straight lines across the plot, such as an experimental value.
    #[serde(default)]
    pub references: Vec<ReferenceLine>,
    /// One unit of x is drawn as long as one unit of y (Nyquist and parity plots); linear axes only.
    #[serde(default)]
    pub equal_aspect: bool,
    /// Why this figure is not a pure prediction: one entry for each re-tuned parameter upstream.
    #[serde(default)]
    pub retuned: Vec<String>,
}

impl Figure {
    /// A figure without series.
    pub fn new(id: impl Into<String>, title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            caption: String::new(),
            x,
            y,
            series: Vec::new(),
            spans: Vec::new(),
            references: Vec::new(),
            equal_aspect: false,
            retuned: Vec::new(),
        }
    }

    /// Sets the caption.
    #[must_use]
    pub fn caption(mut self, caption: impl Into<String>) -> Self {
        self.caption = caption.into();
        self
    }

    /// Adds a series in front of the others.
    #[must_use]
    pub fn series(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// Adds a shaded interval of x.
    #[must_use]
    pub fn span(mut self, from: f64, to: f64, label: impl Into<String>) -> Self {
        self.spans.push(Span { from, to, label: label.into() });
        self
    }

    /// Adds a straight line at a value of x or y.
    #[must_use]
    pub fn reference(mut self, orientation: Orientation, at: f64, label: impl Into<String>) -> Self {
        self.references.push(ReferenceLine { orientation, at, label: label.into() });
        self
    }

    /// Draws one unit of x as long as one unit of y.
    #[must_use]
    pub fn equal_aspect(mut self) -> Self {
        self.equal_aspect = true;
        self
    }

    /// Marks the figure as downstream of a re-tuned parameter.
    #[must_use]
    pub fn retuned(mut self, reason: impl Into<String>) -> Self {
        self.retuned.push(reason.into());
        self
    }
}

/// An axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// Name of the quantity.
    pub label: String,
    /// Unit in plain characters (`m2/s`), empty for pure numbers.
    #[serde(default)]
    pub unit: String,
    /// Logarithmic axis; every number on it is positive.
    #[serde(default)]
    pub log: bool,
    /// Range to be shown, lower bound first; by default all data.
    #[serde(default)]
    pub range: Option<[f64; 2]>,
    /// Names standing at 0, 1, 2, ... instead of numbers; empty for a numeric axis.
    #[serde(default)]
    pub categories: Vec<String>,
}

impl Axis {
    /// A linear axis over all data.
    pub fn new(label: impl Into<String>, unit: impl Into<String>) -> Self {
        Self { label: label.into(), unit: unit.into(), log: false, range: None, categories: Vec::new() }
    }

    /// Makes the axis logarithmic.
    #[must_use]
    pub fn log(mut self) -> Self {
        self.log = true;
        self
    }

    /// Shows this range only.
    #[must_use]
    pub fn range(mut self, lower: f64, upper: f64) -> Self {
        self.range = Some([lower, upper]);
        self
    }

    /// Writes names at 0, 1, 2, ... instead of numbers.
    #[must_use]
    pub fn categories<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.categories = names.into_iter().map(Into::into).collect();
        self
    }
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeriesKind {
    /// Straight segments from point to point.
    Line,
    /// Markers alone.
    Markers,
    /// Segments and markers.
    LineMarkers,
    /// The value of a point holds until the next one.
    Step,
    /// The area between `y` (lower edge) and `upper`.
    Band,
    /// Bars from zero (or from the foot of a logarithmic axis) to y, centred at x.
    Bars,
}

/// Stroke of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dash {
    /// Unbroken.
    Solid,
    /// Dashes.
    Dash,
    /// Dots.
    Dot,
    /// Dash and dot in turn.
    DashDot,
    /// Long dashes.
    LongDash,
}

/// Shape of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Marker {
    /// Filled circle.
    Circle,
    /// Filled square.
    Square,
    /// Filled diamond.
    Diamond,
    /// Filled triangle, tip up.
    TriangleUp,
    /// Open circle.
    CircleOpen,
    /// Open square.
    SquareOpen,
    /// Diagonal cross.
    Cross,
    /// Upright cross.
    Plus,
}

/// Data of one kind with one name. Dash and marker not chosen by hand follow from the place in the figure, so that no two
/// series differ by colour alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// How it is drawn.
    pub kind: SeriesKind,
    /// Horizontal positions, in the unit of the x axis.
    pub x: Vec<f64>,
    /// Vertical positions, in the unit of the y axis; for a band its lower edge.
    pub y: Vec<f64>,
    /// Upper edge of a band; empty for every other kind.
    #[serde(default)]
    pub upper: Vec<f64>,
    /// Half length of the error bar of each point (one standard error unless the caption says otherwise); empty for none.
    #[serde(default)]
    pub y_error: Vec<f64>,
    /// A label for each point; empty for none.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Stroke; by default it follows from the place in the figure.
    #[serde(default)]
    pub dash: Option<Dash>,
    /// Marker; by default it follows from the place in the figure.
    #[serde(default)]
    pub marker: Option<Marker>,
    /// Slot of the palette, counted from 0 and taken modulo its length; by default the place in the figure. A band and its
    /// line share a slot.
    #[serde(default)]
    pub color: Option<usize>,
}

impl Series {
    fn of(kind: SeriesKind, name: impl Into<String>, x: Vec<f64>, y: Vec<f64>) -> Self {
        Self {
            name: name.into(),
            kind,
            x,
            y,
            upper: Vec::new(),
            y_error: Vec::new(),
            labels: Vec::new(),
            dash: None,
            marker: None,
            color: None,
        }
    }

    /// A line.
    pub fn line(name: impl Into<String>, x: Vec<f64>, y: Vec<f64>) -> Self {
        Self::of(SeriesKind::Line, name, x, y)
    }

    /// Markers.
    pub fn markers(name: impl Into<String>, x: Vec<f64>, y: Vec<f64>) -> Self {
        Self::of(SeriesKind::Markers, name, x, y)
    }

    /// A line with markers.
    pub fn line_markers(name: impl Into<String>, x: Vec<f64>, y: Vec<f64>) -> Self {
        Self::of(SeriesKind::LineMarkers, name, x, y)
    }

    /// A staircase: each value holds until the next x.
    pub fn step(name: impl Into<String>, x: Vec<f64>, y: Vec<f64>) -> Self {
        Self::of(SeriesKind::Step, name, x, y)
    }

    /// The area between two edges.
    pub fn band(name: impl Into<String>, x: Vec<f64>, lower: Vec<f64>, upper: Vec<f64>) -> Self {
        Self { upper, ..Self::of(SeriesKind::Band, name, x, lower) }
    }

    /// Bars.
    pub fn bars(name: impl Into<String>, x: Vec<f64>, y: Vec<f64>) -> Self {
        Self::of(SeriesKind::Bars, name, x, y)
    }

    /// Adds error bars.
    #[must_use]
    pub fn errors(mut self, y_error: Vec<f64>) -> Self {
        self.y_error = y_error;
        self
    }

    /// Labels the points.
    #[must_use]
    pub fn labels<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        self.labels = labels.into_iter().map(Into::into).collect();
        self
    }

    /// Chooses the stroke.
    #[must_use]
    pub fn dash(mut self, dash: Dash) -> Self {
        self.dash = Some(dash);
        self
    }

    /// Chooses the marker.
    #[must_use]
    pub fn marker(mut self, marker: Marker) -> Self {
        self.marker = Some(marker);
        self
    }

    /// Chooses the slot of the palette.
    #[must_use]
    pub fn color(mut self, slot: usize) -> Self {
        self.color = Some(slot);
        self
    }
}

/// A shaded interval of x.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Lower bound.
    pub from: f64,
    /// Upper bound.
    pub to: f64,
    /// What the interval is.
    #[serde(default)]
    pub label: String,
}

/// Direction of a reference line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orientation {
    /// At a value of y.
    Horizontal,
    /// At a value of x.
    Vertical,
    /// From the lower left to the upper right where y = x; its `at` is added to y.
    Diagonal,
}

/// A straight line across the plot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceLine {
    /// Direction.
    pub orientation: Orientation,
    /// Where it stands, in the unit of the axis it crosses.
    pub at: f64,
    /// What it is.
    #[serde(default)]
    pub label: String,
}
