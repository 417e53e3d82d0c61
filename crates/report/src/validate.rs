//! Checks before anything is drawn.

use crate::error::ReportError;
use crate::model::{Axis, Figure, Report, Series, SeriesKind};
use std::collections::BTreeSet;

/// Largest magnitude drawn: differences of such numbers stay finite.
const LARGEST: f64 = 1e300;

/// Checks every number, length and identifier of the document.
pub(crate) fn report(report: &Report) -> Result<(), ReportError> {
    unique("section", report.sections.iter().map(|s| s.id.as_str()))?;
    unique("figure", report.sections.iter().flat_map(|s| &s.figures).map(|f| f.id.as_str()))?;
    unique("table", report.sections.iter().flat_map(|s| &s.tables).map(|t| t.id.as_str()))?;
    unique("headline", report.headline.iter().map(|h| h.id.as_str()))?;
    unique("ledger row", report.ledger.iter().map(|r| r.quantity.as_str()))?;
    unique("dependency row", report.depends_on.iter().map(|d| d.prediction.as_str()))?;
    let sections: BTreeSet<&str> = report.sections.iter().map(|s| s.id.as_str()).collect();
    for rung in &report.rungs {
        if let Some(section) = rung.section.as_deref().filter(|id| !sections.contains(id)) {
            return Err(ReportError::UnknownSection {
                rung: rung.name.clone(),
                section: section.to_string(),
            });
        }
    }
    for headline in &report.headline {
        number("headline", &headline.id, headline.value)?;
        if let Some(sigma) = headline.std_error {
            not_negative("headline, standard error", &headline.id, sigma)?;
        }
    }
    for step in &report.steps {
        if let Some(seconds) = step.seconds {
            not_negative("run, seconds", &step.step, seconds)?;
        }
    }
    for variance in &report.variance {
        let mut sum = 0.0;
        for share in &variance.shares {
            not_negative("variance, share", &variance.prediction, share.share)?;
            if let Some(std) = share.std {
                not_negative("variance, standard deviation", &variance.prediction, std)?;
            }
            sum += share.share;
        }
        // Shares rounded to three digits may overshoot the whole by their rounding.
        if sum > 1.0 + 5e-3 {
            return Err(ReportError::SharesExceedWhole { prediction: variance.prediction.clone(), sum });
        }
    }
    for section in &report.sections {
        for table in &section.tables {
            if let Some((row, cells)) =
                table.rows.iter().enumerate().find(|(_, cells)| cells.len() != table.columns.len())
            {
                return Err(ReportError::RaggedTable {
                    table: table.id.clone(),
                    row,
                    expected: table.columns.len(),
                    found: cells.len(),
                });
            }
        }
        section.figures.iter().try_for_each(figure)?;
    }
    Ok(())
}

fn unique<'a>(what: &'static str, ids: impl Iterator<Item = &'a str>) -> Result<(), ReportError> {
    let mut seen = BTreeSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(ReportError::DuplicateId { what, id: id.to_string() });
        }
    }
    Ok(())
}

fn number(place: &'static str, name: &str, value: f64) -> Result<(), ReportError> {
    if value.is_finite() {
        return Ok(());
    }
    Err(ReportError::NonFiniteNumber { place, name: name.to_string(), value })
}

fn not_negative(place: &'static str, name: &str, value: f64) -> Result<(), ReportError> {
    number(place, name, value)?;
    if value < 0.0 {
        return Err(ReportError::NegativeNumber { place, name: name.to_string(), value });
    }
    Ok(())
}

/// Checks one figure.
pub(crate) fn figure(figure: &Figure) -> Result<(), ReportError> {
    if figure.series.is_empty() {
        return Err(ReportError::Empty { figure: figure.id.clone(), what: "the list of series".to_string() });
    }
    axis(figure, &figure.x, "x axis")?;
    axis(figure, &figure.y, "y axis")?;
    figure.series.iter().try_for_each(|s| series(figure, s))?;
    for (index, span) in figure.spans.iter().enumerate() {
        let name = format!("span {index}");
        numbers(figure, &name, "from", &[span.from], figure.x.log)?;
        numbers(figure, &name, "to", &[span.to], figure.x.log)?;
        ordered(figure, &name, "span", index, span.from, span.to)?;
    }
    for (index, line) in figure.references.iter().enumerate() {
        let log = match line.orientation {
            crate::model::Orientation::Horizontal => figure.y.log,
            crate::model::Orientation::Vertical => figure.x.log,
            crate::model::Orientation::Diagonal => false,
        };
        numbers(figure, &format!("reference line {index}"), "at", &[line.at], log)?;
    }
    Ok(())
}

fn axis(figure: &Figure, axis: &Axis, name: &str) -> Result<(), ReportError> {
    if let Some(range) = axis.range {
        numbers(figure, name, "range", &range, axis.log)?;
        ordered(figure, name, "range", 0, range[0], range[1])?;
        if range[0] == range[1] {
            return Err(unordered(figure, name, "range", 0, range[0], range[1]));
        }
    }
    Ok(())
}

fn series(figure: &Figure, series: &Series) -> Result<(), ReportError> {
    if series.x.is_empty() {
        return Err(ReportError::Empty {
            figure: figure.id.clone(),
            what: format!("series `{}`", series.name),
        });
    }
    let band = series.kind == SeriesKind::Band;
    let length = |part: &'static str, found: usize, needed: bool| {
        if found == series.x.len() || (found == 0 && !needed) {
            return Ok(());
        }
        Err(ReportError::LengthMismatch {
            figure: figure.id.clone(),
            series: series.name.clone(),
            part,
            expected: series.x.len(),
            found,
        })
    };
    length("y", series.y.len(), true)?;
    length("upper", series.upper.len(), band)?;
    length("y_error", series.y_error.len(), false)?;
    length("labels", series.labels.len(), false)?;
    // Bars on a logarithmic axis stand on its foot; elsewhere zero is a bar like any other.
    numbers(figure, &series.name, "x", &series.x, figure.x.log)?;
    numbers(figure, &series.name, "y", &series.y, figure.y.log)?;
    numbers(figure, &series.name, "upper", &series.upper, figure.y.log)?;
    numbers(figure, &series.name, "y_error", &series.y_error, false)?;
    for (index, error) in series.y_error.iter().enumerate() {
        ordered(figure, &series.name, "y_error", index, 0.0, *error)?;
    }
    for (index, (lower, upper)) in series.y.iter().zip(&series.upper).enumerate() {
        ordered(figure, &series.name, "upper", index, *lower, *upper)?;
    }
    Ok(())
}

fn unordered(
    figure: &Figure,
    series: &str,
    part: &'static str,
    index: usize,
    lower: f64,
    upper: f64,
) -> ReportError {
    ReportError::Unordered {
        figure: figure.id.clone(),
        series: series.to_string(),
        part,
        index,
        lower,
        upper,
    }
}

fn ordered(
    figure: &Figure,
    series: &str,
    part: &'static str,
    index: usize,
    lower: f64,
    upper: f64,
) -> Result<(), ReportError> {
    if lower <= upper { Ok(()) } else { Err(unordered(figure, series, part, index, lower, upper)) }
}

fn numbers(
    figure: &Figure,
    series: &str,
    part: &'static str,
    values: &[f64],
    log: bool,
) -> Result<(), ReportError> {
    for (index, &value) in values.iter().enumerate() {
        let fine = value.is_finite() && value.abs() <= LARGEST && !(log && value <= 0.0);
        if fine {
            continue;
        }
        let (figure, series) = (figure.id.clone(), series.to_string());
        if !value.is_finite() {
            return Err(ReportError::NonFinite { figure, series, part, index, value });
        }
        if value.abs() > LARGEST {
            return Err(ReportError::TooFarOut { figure, series, part, index, value, limit: LARGEST });
        }
        return Err(ReportError::NotPositiveOnLogAxis { figure, series, part, index, value });
    }
    Ok(())
}
