//! Fills the report's document model from the record of a run.

mod atomic;
mod cell;
mod lattice;
mod ledger;
mod phases;
mod transport;

use crate::error::ScaladeError;
use crate::headline::{Headline, headlines};
use crate::kinds::{CellDetail, ExpandDetail};
use scalade_record::value_with_uncertainty;
use scalade_report::{
    Citation, Excluded, NoteLevel, Report, RunStep, Rung, RungStatus, Section, StepOrigin, Theme,
    VarianceDecomposition, figure_svg, typeset_unit,
};
use scalade_study::{RunRecord, StepRecord};
use serde::de::DeserializeOwned;

/// The report of a run as one HTML page.
pub fn render(record: &RunRecord) -> Result<String, ScaladeError> {
    scalade_report::render(&report(record)).map_err(|e| ScaladeError::internal(format!("the report: {e}")))
}

/// Every figure of the report as an SVG document for a white ground: its id and its text.
pub fn figures(record: &RunRecord) -> Result<Vec<(String, String)>, ScaladeError> {
    let report = report(record);
    let all = report.sections.iter().flat_map(|s| &s.figures);
    all.map(|f| {
        let svg = figure_svg(f, Theme::Light)
            .map_err(|e| ScaladeError::internal(format!("figure {}: {e}", f.id)))?;
        Ok((f.id.clone(), svg))
    })
    .collect()
}

/// The first step of a kind, with its name.
fn step<'a>(record: &'a RunRecord, kind: &str) -> Option<(&'a str, &'a StepRecord)> {
    record.steps.iter().find(|(_, s)| s.kind == kind).map(|(n, s)| (n.as_str(), s))
}

/// Auxiliary data of a step.
fn plain<T: DeserializeOwned>(step: &StepRecord, key: &str) -> Option<T> {
    serde_json::from_value(step.outputs.get(key)?.tracked.value.clone()).ok()
}

/// What a step warned of, and which seals were broken before it.
fn with_notes(mut section: Section, step: &StepRecord) -> Section {
    for warning in &step.warnings {
        section = section.note(NoteLevel::Warning, warning.clone());
    }
    for mark in &step.retuned {
        let text = format!("Re-tuned upstream: {}.{} ({})", mark.step, mark.key, mark.reason);
        section = section.note(NoteLevel::Warning, text);
    }
    section
}

fn report(record: &RunRecord) -> Report {
    let version = format!("scalade {}", env!("CARGO_PKG_VERSION"));
    let title = if record.title.is_empty() { record.study.clone() } else { record.title.clone() };
    let mut report = Report::new(title, record.study.clone(), version).subtitle(
        "Every number carries its unit, its uncertainty and its origin. What a smaller scale computed is sealed: no larger scale re-tuned it, or it says so.",
    );
    let numbers = headlines(record);
    for h in &numbers {
        let mut line = scalade_report::Headline::new(
            h.id.clone(),
            h.label.clone(),
            h.value,
            h.std_error,
            h.unit.clone(),
        )
        .from_scale(h.scale.clone(), h.provenance.clone());
        if h.sealed {
            line = line.sealed();
        }
        if let Some(reference) = &h.reference {
            line = line.reference(reference.clone());
        }
        report = report.headline(line);
    }
    let sections: Vec<Section> =
        [atomic::sections(record), lattice::sections(record), cell::sections(record)]
            .into_iter()
            .flatten()
            .collect();
    for rung in rungs(record, &numbers, &sections) {
        report = report.rung(rung);
    }
    for section in sections {
        report = report.section(section);
    }
    report.ledger = ledger::rows(record);
    report.depends_on = ledger::dependencies(record, &numbers);
    report.variance = variance(record);
    report.excluded = excluded(record);
    report.citations = record
        .citations()
        .into_iter()
        .map(|c| Citation { text: c.text.clone(), doi: c.doi.clone() })
        .collect();
    report.steps = record
        .steps
        .iter()
        .map(|(name, s)| RunStep {
            step: name.clone(),
            kind: format!("{} (revision {})", s.kind, s.revision),
            // The page is the same bytes whether results were computed now or taken from the store.
            origin: StepOrigin::Computed,
            seconds: None,
            key: s.key.clone(),
        })
        .collect();
    report
}

/// (kind, name, length, method, headline id, hand-off, section).
const RUNGS: [(&str, &str, &str, &str, &str, &str, &str); 7] = [
    (
        "voltage",
        "Energies",
        "Å",
        "Convex hull of first-principles energies",
        "average_voltage",
        "energies of orderings",
        "energies",
    ),
    (
        "expand",
        "Expansion",
        "Å",
        "Bayesian cluster expansion",
        "",
        "lattice Hamiltonian, posterior samples",
        "expansion",
    ),
    (
        "montecarlo",
        "Lattice",
        "nm",
        "Semi-grand-canonical Monte Carlo",
        "voltage_at_half_lithiation",
        "V(x,T), dV/dT, thermodynamic factor",
        "voltage",
    ),
    ("phases", "Phases", "nm", "Free energies from low-temperature expansions", "", "", "phases"),
    ("hop", "Hops", "nm", "Kinetic Monte Carlo", "", "jump diffusivity tensor", "diffusion"),
    (
        "diffusion",
        "Diffusion",
        "nm",
        "Thermodynamic factor × jump diffusivity",
        "diffusivity_half_lithiation_300k",
        "D(x,T) tensor",
        "diffusion",
    ),
    ("cell", "Cell", "mm", "Doyle-Fuller-Newman, lumped temperature", "capacity_1c", "", "cell"),
];

fn rungs(record: &RunRecord, numbers: &[Headline], sections: &[Section]) -> Vec<Rung> {
    RUNGS
        .iter()
        .filter_map(|(kind, name, length, method, id, hand_off, section)| {
            let (_, step) = step(record, kind)?;
            let key = numbers.iter().find(|h| h.id == *id);
            let (label, value) = match key {
                Some(h) => (
                    h.label.clone(),
                    format!("{} {}", value_with_uncertainty(h.value, h.std_error), typeset_unit(&h.unit)),
                ),
                None => own_number(step)?,
            };
            let rung = Rung::new(*name, *length, *method, label, value)
                .hand_off(*hand_off)
                .status(RungStatus::Computed);
            // A study without the step that the section shows has no such section.
            let shown = sections.iter().any(|s| s.id == *section);
            let rung = if shown { rung.section(*section) } else { rung };
            Some(rung)
        })
        .collect()
}

/// The number by which a rung without a headline is known.
fn own_number(step: &StepRecord) -> Option<(String, String)> {
    let (key, label) = match step.kind.as_str() {
        "expand" => ("leave_one_out_error", "Leave-one-out error per formula unit"),
        "phases" => ("ground_states", "Ground states of the expansion"),
        _ => ("haven_ratio", "Haven ratio at half lithiation"),
    };
    let tracked = step.outputs.get(key)?.number()?;
    let value = value_with_uncertainty(tracked.value, tracked.uncertainty.standard());
    Some((label.into(), format!("{value} {}", tracked.unit).trim_end().to_string()))
}

fn excluded(record: &RunRecord) -> Vec<Excluded> {
    let Some(detail) = step(record, "expand").and_then(|(_, s)| plain::<ExpandDetail>(s, "detail")) else {
        return Vec::new();
    };
    detail
        .excluded
        .into_iter()
        .map(|(structure, frame, reason)| Excluded { structure, frame, reason })
        .collect()
}

/// Which rung the variance of each prediction comes from.
fn variance(record: &RunRecord) -> Vec<VarianceDecomposition> {
    let mut out = lattice::variance(record);
    if let Some(detail) = step(record, "cell").and_then(|(_, s)| plain::<CellDetail>(s, "detail")) {
        for shares in detail.variance {
            // A prediction that nothing varies has no shares to show.
            if shares.shares.iter().all(|s| s.1 == 0.0) {
                continue;
            }
            let mut one = VarianceDecomposition::new(shares.prediction, shares.unit);
            for (source, share, std) in shares.shares {
                one = one.share(source, share, Some(std));
            }
            out.push(one);
        }
    }
    out
}
