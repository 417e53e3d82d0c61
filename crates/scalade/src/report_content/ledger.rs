//! The parameter ledger: every number with its origin, and what each prediction depends on.

use crate::headline::Headline;
use scalade_record::{Provenance, Uncertainty, value_with_uncertainty};
use scalade_report::{Dependency, LedgerRow};
use scalade_study::{InputRecord, RunRecord, StepRecord};
use std::collections::{BTreeMap, BTreeSet};

fn uncertainty_text(uncertainty: &Uncertainty) -> String {
    match uncertainty {
        Uncertainty::None { why } if why.contains("ensemble") || why.contains("samples") => "ensemble".into(),
        Uncertainty::None { .. } => "not stated".into(),
        other => other.standard().map_or_else(|| "not stated".into(), |s| value_with_uncertainty(s, None)),
    }
}

fn doi(provenance: &Provenance) -> Option<&str> {
    match provenance {
        Provenance::Published { doi, .. } => Some(doi),
        Provenance::Retuned { from, .. } => self::doi(from),
        _ => None,
    }
}

/// Steps that take an output, by (step, output).
fn users(record: &RunRecord) -> BTreeMap<(String, String), Vec<String>> {
    let mut out: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (name, step) in &record.steps {
        for (from, output) in references(step) {
            out.entry((from, output)).or_default().push(name.clone());
        }
    }
    out
}

fn references(step: &StepRecord) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut waiting: Vec<&InputRecord> = step.inputs.values().collect();
    while let Some(input) = waiting.pop() {
        match input {
            InputRecord::Reference { step, output, .. } => out.push((step.clone(), output.clone())),
            InputRecord::List { items } => waiting.extend(items),
            _ => {}
        }
    }
    out.sort();
    out
}

/// All literals with a number, all files, and all outputs that are handed on or reported.
pub(super) fn rows(record: &RunRecord) -> Vec<LedgerRow> {
    let users = users(record);
    let mut rows = Vec::new();
    for (name, step) in &record.steps {
        for (key, input) in &step.inputs {
            rows.extend(input_row(name, key, input, step));
        }
        for (key, output) in &step.outputs {
            if output.type_name == "plain" {
                continue;
            }
            let t = &output.tracked;
            let (value, unit) = match output.number() {
                Some(n) => (value_with_uncertainty(n.value, n.uncertainty.standard()), n.unit),
                None => (output.type_name.clone(), String::new()),
            };
            let mut row =
                LedgerRow::new(format!("{name}.{key}"), value, uncertainty_text(&t.uncertainty), unit)
                    .source(t.provenance.to_string(), doi(&t.provenance))
                    .identified_at(t.scale.to_string(), t.sealed)
                    .used_by(users.get(&(name.clone(), key.clone())).cloned().unwrap_or_default());
            for mark in &step.retuned {
                row = row.retuned(format!("{}.{}: {}", mark.step, mark.key, mark.reason));
            }
            rows.push(row);
        }
    }
    rows
}

fn input_row(name: &str, key: &str, input: &InputRecord, step: &StepRecord) -> Option<LedgerRow> {
    match input {
        InputRecord::Literal { written, value, unit, uncertainty, provenance } => {
            // Texts and choices are settings, not numbers.
            if !(value.is_number() || value.is_array()) {
                return None;
            }
            let shown = if unit.is_empty() { value.to_string() } else { written.clone() };
            Some(
                LedgerRow::new(format!("{name}.{key}"), shown, uncertainty_text(uncertainty), String::new())
                    .source(provenance.to_string(), doi(provenance))
                    .identified_at(step.scale.to_string(), false)
                    .used_by([name.to_string()]),
            )
        }
        InputRecord::File { written, hash, bytes } => Some(
            LedgerRow::new(format!("{name}.{key}"), written.clone(), "–".to_string(), String::new())
                .source(format!("file of {bytes} bytes, BLAKE3 {}", &hash[..hash.len().min(16)]), None)
                .identified_at(step.scale.to_string(), false)
                .used_by([name.to_string()]),
        ),
        InputRecord::Reference { unseal: Some(reason), step: from, output, factor } => Some(
            LedgerRow::new(
                format!("{name}.{key}"),
                format!("{} x {from}.{output}", factor.unwrap_or(1.0)),
                "as its source".to_string(),
                String::new(),
            )
            .source(format!("re-tuned from {from}.{output}"), None)
            .identified_at(step.scale.to_string(), false)
            .retuned(reason.clone())
            .used_by([name.to_string()]),
        ),
        _ => None,
    }
}

/// For each headline number: the ledger rows it depends on, through all scales.
pub(super) fn dependencies(record: &RunRecord, numbers: &[Headline]) -> Vec<Dependency> {
    let rows: BTreeSet<String> = rows(record).into_iter().map(|r| r.quantity).collect();
    numbers
        .iter()
        .filter_map(|h| {
            let (name, _) = h.quantity.split_once('.')?;
            let mut inputs = BTreeSet::new();
            collect(record, name, &mut inputs, &mut BTreeSet::new());
            let listed: Vec<String> = inputs.into_iter().filter(|i| rows.contains(i)).collect();
            Some(Dependency::new(h.id.clone(), listed))
        })
        .collect()
}

fn collect(record: &RunRecord, name: &str, inputs: &mut BTreeSet<String>, seen: &mut BTreeSet<String>) {
    let Some(step) = record.steps.get(name) else { return };
    if !seen.insert(name.to_string()) {
        return;
    }
    inputs.extend(step.inputs.keys().map(|key| format!("{name}.{key}")));
    for (from, output) in references(step) {
        inputs.insert(format!("{from}.{output}"));
        collect(record, &from, inputs, seen);
    }
}
