//! The document model: plain serialisable data, no behaviour but construction.

mod document;
mod figure;

pub use document::{
    Citation, Dependency, Excluded, Headline, LedgerRow, Note, NoteLevel, Report, RunStep, Rung, RungStatus,
    Section, StepOrigin, Table, VarianceDecomposition, VarianceShare,
};
pub use figure::{Axis, Dash, Figure, Marker, Orientation, ReferenceLine, Series, SeriesKind, Span};
