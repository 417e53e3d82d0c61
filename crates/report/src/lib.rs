//! The offline HTML report: one document model in, one self-contained file out.
//!
//! [`render`] is a pure function: the same [`Report`] gives the same bytes. The page makes no network request (a content
//! security policy forbids it), reads without JavaScript (every figure is static SVG beneath), prints, follows the reader's
//! light or dark scheme, fits a phone, and serves keyboard and screen reader. Where JavaScript runs, Plotly's basic bundle
//! (MIT, `assets/`) replaces the static figures by ones that zoom and answer to the pointer.
//!
//! Every string of the document is text, never markup: it is escaped where it is written, and scripts run only if their
//! SHA-256 digest is the one that the page's policy names.
//!
//! ```
//! use scalade_report::{render, Axis, Figure, Headline, Report, Section, Series};
//! let report = Report::new("LiCoO2 cell", "licoo2", "scalade 0.1.0")
//!     .headline(Headline::new("v", "Average voltage", 3.98, Some(0.02), "V"))
//!     .section(Section::new("ocv", "Voltage").figure(
//!         Figure::new("v-x", "Open-circuit voltage", Axis::new("x", ""), Axis::new("V", "V"))
//!             .series(Series::line("computed", vec![0.5, 1.0], vec![4.2, 3.9])),
//!     ));
//! let page = render(&report)?;
//! assert!(page.starts_with("<!DOCTYPE html>") && page.contains("3.980(20)"));
//! # Ok::<(), scalade_report::ReportError>(())
//! ```

mod describe;
mod digest;
mod error;
mod html;
mod lineage;
mod model;
mod page;
mod svg;
mod ticks;
mod validate;

pub use error::ReportError;
pub use model::{
    Axis, Citation, Dash, Dependency, Excluded, Figure, Headline, LedgerRow, Marker, Note, NoteLevel,
    Orientation, ReferenceLine, Report, RunStep, Rung, RungStatus, Section, Series, SeriesKind, Span,
    StepOrigin, Table, VarianceDecomposition, VarianceShare,
};
pub use page::{SIZE_LIMIT, render};
pub use scalade_record::{
    Decimal, decimal, significant, typeset_numbers, typeset_unit, value_typeset, value_with_uncertainty,
};
pub use svg::{Theme, figure_svg};
pub use ticks::{Ticks, linear_ticks, log_ticks};
