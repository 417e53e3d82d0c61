//! What depends on what, and which predictions stand downstream of a re-tuned parameter.

use crate::error::ReportError;
use crate::model::Report;
use std::collections::{BTreeMap, BTreeSet};

/// Dependencies of the report, checked to be free of circles.
pub(crate) struct Lineage<'a> {
    /// Direct inputs of each prediction.
    pub(crate) inputs: BTreeMap<&'a str, Vec<&'a str>>,
    /// Display name of each headline identifier.
    labels: BTreeMap<&'a str, &'a str>,
    /// Re-tuned parameters upstream of each prediction, as sentences.
    retuned: BTreeMap<&'a str, BTreeSet<String>>,
    /// Predictions that are no other prediction's input, in the report's order.
    pub(crate) roots: Vec<&'a str>,
}

impl<'a> Lineage<'a> {
    /// Reads the dependencies.
    ///
    /// # Errors
    /// [`ReportError::DependencyCycle`].
    pub(crate) fn new(report: &'a Report) -> Result<Self, ReportError> {
        let inputs: BTreeMap<&str, Vec<&str>> = report
            .depends_on
            .iter()
            .map(|d| (d.prediction.as_str(), d.inputs.iter().map(String::as_str).collect()))
            .collect();
        let order = topological(&inputs)?;
        let mut retuned: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for row in &report.ledger {
            if let Some(reason) = &row.retuned {
                let sentence = format!("{}: {reason}", row.quantity);
                retuned.entry(&row.quantity).or_default().insert(sentence.clone());
                for user in &row.used_by {
                    retuned.entry(user).or_default().insert(sentence.clone());
                }
            }
        }
        for headline in &report.headline {
            if !headline.retuned.is_empty() {
                retuned.entry(&headline.id).or_default().extend(headline.retuned.iter().cloned());
            }
        }
        for prediction in order {
            let upstream: BTreeSet<String> = inputs
                .get(prediction)
                .into_iter()
                .flatten()
                .filter_map(|input| retuned.get(input))
                .flatten()
                .cloned()
                .collect();
            if !upstream.is_empty() {
                retuned.entry(prediction).or_default().extend(upstream);
            }
        }
        let used: BTreeSet<&str> = inputs.values().flatten().copied().collect();
        let roots = report
            .depends_on
            .iter()
            .map(|d| d.prediction.as_str())
            .filter(|prediction| !used.contains(prediction))
            .collect();
        let labels = report
            .headline
            .iter()
            .filter(|h| !h.label.is_empty())
            .map(|h| (h.id.as_str(), h.label.as_str()))
            .collect();
        Ok(Self { inputs, labels, retuned, roots })
    }

    /// Name to be shown for a prediction.
    pub(crate) fn label<'b>(&'b self, prediction: &'b str) -> &'b str {
        self.labels.get(prediction).copied().unwrap_or(prediction)
    }

    /// Re-tuned parameters upstream of a headline identifier, prediction or ledger quantity.
    pub(crate) fn retuned(&self, name: &str) -> Vec<&str> {
        self.retuned.get(name).into_iter().flatten().map(String::as_str).collect()
    }

    /// The same for a prediction known by its identifier or by its label.
    pub(crate) fn retuned_by_any_name(&self, name: &str) -> Vec<&str> {
        let direct = self.retuned(name);
        if !direct.is_empty() {
            return direct;
        }
        let by_label = self.labels.iter().find(|(_, label)| **label == name);
        by_label.map(|(id, _)| self.retuned(id)).unwrap_or_default()
    }
}

/// Predictions in an order in which inputs come first (Kahn's algorithm, ties by name).
fn topological<'a>(inputs: &BTreeMap<&'a str, Vec<&'a str>>) -> Result<Vec<&'a str>, ReportError> {
    let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
    let mut users: BTreeMap<&str, Vec<&'a str>> = BTreeMap::new();
    for (&prediction, its_inputs) in inputs {
        let own: Vec<&&str> = its_inputs.iter().filter(|i| inputs.contains_key(**i)).collect();
        waiting.insert(prediction, own.len());
        for input in own {
            users.entry(input).or_default().push(prediction);
        }
    }
    let mut ready: Vec<&'a str> = inputs.keys().filter(|p| waiting.get(*p) == Some(&0)).copied().collect();
    let mut order = Vec::with_capacity(inputs.len());
    while let Some(prediction) = ready.pop() {
        order.push(prediction);
        for &user in users.get(prediction).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(user) {
                *count -= 1;
                if *count == 0 {
                    ready.push(user);
                }
            }
        }
    }
    if order.len() == inputs.len() {
        return Ok(order);
    }
    let through = waiting.iter().find(|(_, count)| **count > 0).map_or("", |(name, _)| *name);
    Err(ReportError::DependencyCycle { through: through.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Dependency, Headline, LedgerRow};

    fn sample() -> Report {
        let mut report = Report::new("t", "s", "g");
        report.headline = vec![Headline::new("cap", "Capacity", 1.0, None, "")];
        report.depends_on = vec![
            Dependency::new("cap", ["ocv", "D"]),
            Dependency::new("ocv", ["eci"]),
            Dependency::new("other", ["eci"]),
        ];
        report.ledger =
            vec![LedgerRow::new("D", "1", "", "").retuned("did not fit"), LedgerRow::new("eci", "1", "", "")];
        report
    }

    #[test]
    fn retuning_travels_downstream_only() {
        let report = sample();
        let lineage = Lineage::new(&report).expect("no circle");
        assert_eq!(lineage.retuned("cap"), vec!["D: did not fit"]);
        assert_eq!(lineage.retuned_by_any_name("Capacity"), vec!["D: did not fit"]);
        assert!(lineage.retuned("ocv").is_empty() && lineage.retuned("other").is_empty());
        assert_eq!(lineage.roots, vec!["cap", "other"]);
    }

    #[test]
    fn retuning_travels_through_long_chains() {
        let mut report = Report::new("t", "s", "g");
        report.depends_on = ["c b", "d c", "b a", "e d"]
            .iter()
            .filter_map(|pair| pair.split_once(' '))
            .map(|(prediction, input)| Dependency::new(prediction, [input]))
            .collect();
        report.ledger = vec![LedgerRow::new("a", "1", "", "").retuned("why")];
        let lineage = Lineage::new(&report).expect("no circle");
        for prediction in ["b", "c", "d", "e"] {
            assert_eq!(lineage.retuned(prediction), vec!["a: why"]);
        }
    }

    #[test]
    fn a_circle_is_refused() {
        let mut report = sample();
        report.depends_on.push(Dependency::new("eci", ["cap"]));
        assert!(matches!(Lineage::new(&report), Err(ReportError::DependencyCycle { .. })));
        report.depends_on = vec![Dependency::new("a", ["a"])];
        assert!(
            matches!(Lineage::new(&report), Err(ReportError::DependencyCycle { through }) if through == "a")
        );
    }
}
