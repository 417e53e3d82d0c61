//! What a document can be refused for.

/// Why a document or a figure was refused. Every variant names the place and says what to mend.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A plotted number is NaN or infinite.
    #[error(
        "figure `{figure}`, series `{series}`: {part}[{index}] is {value}; plot finite numbers only (drop or mend the point)"
    )]
    NonFinite {
        /// Identifier of the figure.
        figure: String,
        /// Name of the series, or of the axis, span or reference line.
        series: String,
        /// Which array: `x`, `y`, `upper`, `y_error`, `range`, `at`.
        part: &'static str,
        /// Index in the array.
        index: usize,
        /// The value met.
        value: f64,
    },
    /// Two arrays of one series disagree in length.
    #[error(
        "figure `{figure}`, series `{series}`: {part} holds {found} values where x holds {expected}; give one per point"
    )]
    LengthMismatch {
        /// Identifier of the figure.
        figure: String,
        /// Name of the series.
        series: String,
        /// Which array.
        part: &'static str,
        /// Number of x values.
        expected: usize,
        /// Number of values in `part`.
        found: usize,
    },
    /// A figure without series, or a series without points.
    #[error("figure `{figure}`: {what} is empty; leave out what holds no data")]
    Empty {
        /// Identifier of the figure.
        figure: String,
        /// What is empty.
        what: String,
    },
    /// A logarithmic axis met a number that is not positive.
    #[error(
        "figure `{figure}`, series `{series}`: {part}[{index}] = {value} cannot stand on a logarithmic axis; use a linear axis or drop the point"
    )]
    NotPositiveOnLogAxis {
        /// Identifier of the figure.
        figure: String,
        /// Name of the series, or of the axis, span or reference line.
        series: String,
        /// Which array.
        part: &'static str,
        /// Index in the array.
        index: usize,
        /// The value met.
        value: f64,
    },
    /// Two bounds in the wrong order: an axis range, a span, or the edges of a band; or a negative error bar.
    #[error(
        "figure `{figure}`, `{series}`: {part}[{index}] runs from {lower} to {upper}; the lower bound comes first"
    )]
    Unordered {
        /// Identifier of the figure.
        figure: String,
        /// Name of the series, axis or span.
        series: String,
        /// Which pair.
        part: &'static str,
        /// Index of the pair.
        index: usize,
        /// The first bound.
        lower: f64,
        /// The second bound.
        upper: f64,
    },
    /// The plotted numbers are too large to be drawn.
    #[error(
        "figure `{figure}`, series `{series}`: {part}[{index}] = {value} lies beyond the largest magnitude that can be drawn, {limit:e}"
    )]
    TooFarOut {
        /// Identifier of the figure.
        figure: String,
        /// Name of the series.
        series: String,
        /// Which array.
        part: &'static str,
        /// Index in the array.
        index: usize,
        /// The value met.
        value: f64,
        /// The largest magnitude drawn.
        limit: f64,
    },
    /// A number outside the figures is NaN or infinite.
    #[error("{place}: `{name}` is {value}; only finite numbers are reported")]
    NonFiniteNumber {
        /// The part of the document.
        place: &'static str,
        /// Identifier of the entry.
        name: String,
        /// The value met.
        value: f64,
    },
    /// A standard error, a duration or a share is negative.
    #[error("{place}: `{name}` is {value}; it cannot be negative")]
    NegativeNumber {
        /// The part of the document.
        place: &'static str,
        /// Identifier of the entry.
        name: String,
        /// The value met.
        value: f64,
    },
    /// Shares of a variance exceed the whole.
    #[error(
        "variance of `{prediction}`: the shares sum to {sum}, more than 1; give fractions of the total variance"
    )]
    SharesExceedWhole {
        /// The prediction decomposed.
        prediction: String,
        /// Sum of its shares.
        sum: f64,
    },
    /// Two parts of the document carry one identifier.
    #[error("two {what}s share the identifier `{id}`; identifiers are unique within the report")]
    DuplicateId {
        /// `section`, `figure`, `table`, ...
        what: &'static str,
        /// The identifier.
        id: String,
    },
    /// A rung points to a section that the report lacks.
    #[error("rung `{rung}` points to section `{section}`, which the report lacks")]
    UnknownSection {
        /// Name of the rung.
        rung: String,
        /// The section named.
        section: String,
    },
    /// A table's row has not one cell for each column.
    #[error("table `{table}`, row {row}: {found} cells for {expected} columns")]
    RaggedTable {
        /// Identifier of the table.
        table: String,
        /// Index of the row.
        row: usize,
        /// Number of columns.
        expected: usize,
        /// Number of cells.
        found: usize,
    },
    /// Predictions depend on each other in a circle.
    #[error("the predictions depend on each other in a circle through `{through}`; a lineage has none")]
    DependencyCycle {
        /// A prediction on the circle.
        through: String,
    },
    /// The page would be larger than a report may be.
    #[error(
        "the report needs at least {bytes} bytes, above the limit of {limit}; thin the longest series or tables"
    )]
    TooLarge {
        /// Size of the page, or a lower bound of it.
        bytes: usize,
        /// The largest size allowed.
        limit: usize,
    },
    /// The plot data could not be serialised.
    #[error("figure `{figure}`: the plot data could not be serialised: {message}")]
    Serialise {
        /// Identifier of the figure.
        figure: String,
        /// What the serialiser said.
        message: String,
    },
}
