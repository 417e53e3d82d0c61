//! Measured curves and the state of ageing that a BPX file carries.

use super::diagnostic::Findings;
use super::schema;
use super::section::{Range, Section};
use super::tree::Node;
use super::{BpxDegradation, BpxValidation};

/// Reads the section Validation. Files store a discharge as negative current; here it is positive.
pub(super) fn experiments(section: &Section<'_>, findings: &mut Findings) -> Vec<BpxValidation> {
    let mut out = Vec::new();
    let mut names: Vec<&str> = section.entries.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|w| w[0] == w[1]) {
        findings.error(
            "duplicate-key",
            &section.at(pair[0]),
            "is given more than once",
            "rename one of them",
        );
    }
    for (name, node) in section.entries {
        let read = Section::of(node, section.at(name), findings)
            .and_then(|experiment| one_experiment(name, &experiment, findings));
        out.extend(read);
    }
    out
}

fn one_experiment(name: &str, section: &Section<'_>, findings: &mut Findings) -> Option<BpxValidation> {
    section.check_keys(schema::EXPERIMENT, &[], findings);
    let time = section.numbers("Time [s]", findings);
    let current = section.numbers("Current [A]", findings);
    let voltage = section.numbers("Voltage [V]", findings);
    let temperature = match section.get("Temperature [K]") {
        None | Some(Node::Null) => None,
        Some(_) => Some(section.numbers("Temperature [K]", findings)?),
    };
    let (time_s, current, voltage_v) = (time?, current?, voltage?);
    let lengths = [current.len(), voltage_v.len(), temperature.as_ref().map_or(time_s.len(), Vec::len)];
    if lengths.iter().any(|n| *n != time_s.len()) {
        let message = format!(
            "has {} times, {} currents, {} voltages and {} temperatures",
            time_s.len(),
            lengths[0],
            lengths[1],
            temperature.as_ref().map_or(0, Vec::len)
        );
        findings.error("lengths-differ", &section.path, message, "give lists of one length");
        return None;
    }
    if let Some(i) = (1..time_s.len()).find(|i| time_s[*i] < time_s[i - 1]) {
        let message = format!("time goes back from {} s to {} s", time_s[i - 1], time_s[i]);
        findings.error("time-order", &section.at("Time [s]"), message, "sort the rows by time");
        return None;
    }
    let mean = current.iter().sum::<f64>() / current.len().max(1) as f64;
    if let (Some(first), Some(last)) = (voltage_v.first(), voltage_v.last())
        && ((mean > 0.0 && last < first) || (mean < 0.0 && last > first))
    {
        let message =
            format!("the mean current is {mean:.4} A while the voltage goes from {first} V to {last} V");
        let advice = "discharge is negative current in this section; it is read so";
        findings.warning("current-sign", &section.at("Current [A]"), message, advice);
    }
    // 0 - i rather than -i: a rest stays +0.
    let current_a = current.into_iter().map(|i| 0.0 - i).collect();
    Some(BpxValidation { name: name.to_owned(), time_s, current_a, voltage_v, temperature_k: temperature })
}

/// Reads the section State/Degradation.
pub(super) fn degradation(section: &Section<'_>, findings: &mut Findings) -> Option<BpxDegradation> {
    let lli = section.number("LLI", Range::Unit, findings);
    let mut loss = |side: &str| -> Option<Vec<(String, f64)>> {
        let key = format!("LAM: {side} electrode");
        let Some(Node::Object(entries)) = section.get(&key) else {
            return section.number(&key, Range::Unit, findings).map(|value| vec![(String::new(), value)]);
        };
        let inside = Section { path: section.at(&key), entries };
        entries
            .iter()
            .map(|(name, _)| Some((name.clone(), inside.number(name, Range::Unit, findings)?)))
            .collect()
    };
    let (negative, positive) = (loss("Negative"), loss("Positive"));
    let found = BpxDegradation {
        loss_of_lithium_inventory: lli?,
        loss_of_negative_material: negative?,
        loss_of_positive_material: positive?,
    };
    let lost = found.loss_of_negative_material.iter().chain(&found.loss_of_positive_material);
    if found.loss_of_lithium_inventory != 0.0 || lost.clone().any(|(_, value)| *value != 0.0) {
        let message = "a state of ageing is given; the parameters are those of the fresh cell";
        findings.warning("degradation", &section.path, message, "take it into account yourself");
    }
    Some(found)
}
