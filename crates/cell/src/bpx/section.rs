//! Reading of single values; what is wrong with one is noted, and the rest is read on.

use super::diagnostic::Findings;
use super::tree::Node;
use crate::error::CellError;
use crate::expression::Variable;
use crate::property::{Activated, Property};
use crate::spelling::closest;
use crate::table::{Outside, Table};

/// Functions that formulas of BPX files surely may use; other programs may not know further ones.
const FUNCTIONS: [&str; 3] = ["exp", "tanh", "cosh"];

/// Range of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Range {
    /// Any finite number.
    Any,
    /// Above zero.
    Positive,
    /// Zero or above.
    NotNegative,
    /// Above 0 and at most 1.
    Fraction,
    /// From 0 to 1.
    Unit,
    /// A temperature in kelvin.
    Temperature,
}

impl Range {
    /// What is wrong with a value, as a name of a finding and in words.
    fn refuse(self, value: f64) -> Option<(&'static str, &'static str)> {
        let (good, name, words) = match self {
            Self::Any => (true, "out-of-range", ""),
            Self::Positive => (value > 0.0, "not-positive", "must be positive"),
            Self::NotNegative => (value >= 0.0, "negative", "must not be negative"),
            Self::Fraction => (value > 0.0 && value <= 1.0, "out-of-range", "must be above 0 and at most 1"),
            Self::Unit => ((0.0..=1.0).contains(&value), "out-of-range", "must lie between 0 and 1"),
            Self::Temperature => (
                (100.0..=2000.0).contains(&value),
                "out-of-range",
                "must be a temperature in kelvin between 100 and 2000",
            ),
        };
        if !value.is_finite() {
            return Some(("not-finite", "must be finite"));
        }
        (!good).then_some((name, words))
    }
}

/// A key as one step of a JSON pointer.
fn escaped(key: &str) -> String {
    let short: String = key.chars().take(200).collect();
    short.replace('~', "~0").replace('/', "~1")
}

/// An object of the document with its place.
#[derive(Debug, Clone)]
pub(super) struct Section<'a> {
    pub(super) path: String,
    pub(super) entries: &'a [(String, Node)],
}

impl<'a> Section<'a> {
    /// The object as a section; anything else is a finding.
    pub(super) fn of(node: &'a Node, path: String, findings: &mut Findings) -> Option<Self> {
        match node {
            Node::Object(entries) => Some(Self { path, entries }),
            other => {
                let message = format!("is {}, not an object", other.kind());
                findings.error("wrong-type", &path, message, "give the section's keys in braces");
                None
            }
        }
    }

    pub(super) fn at(&self, key: &str) -> String {
        format!("{}/{}", self.path, escaped(key))
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// Value of a key that may be missing, or null.
    fn given(&self, key: &str) -> Option<&'a Node> {
        self.get(key).filter(|node| **node != Node::Null)
    }

    fn missing(&self, key: &str, findings: &mut Findings) {
        let message = format!("\"{key}\" is missing");
        findings.error("missing-key", &self.path, message, "add it; every key with its unit is due");
    }

    /// A section inside that may be missing.
    pub(super) fn optional(&self, key: &str, findings: &mut Findings) -> Option<Section<'a>> {
        Section::of(self.given(key)?, self.at(key), findings)
    }

    /// A section inside that must be there.
    pub(super) fn section(&self, key: &str, findings: &mut Findings) -> Option<Section<'a>> {
        if self.given(key).is_none() {
            self.missing(key, findings);
            return None;
        }
        self.optional(key, findings)
    }

    /// Notes keys that are given twice and keys that are not in `known`; `elsewhere` says of some where they
    /// belong.
    pub(super) fn check_keys(
        &self,
        known: &[&'static str],
        elsewhere: &[(&str, &str)],
        findings: &mut Findings,
    ) {
        let mut names: Vec<&str> = self.entries.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let mut twice: Vec<&str> = names.windows(2).filter(|w| w[0] == w[1]).map(|w| w[0]).collect();
        twice.dedup();
        for name in twice {
            findings.error("duplicate-key", &self.at(name), "is given more than once", "keep one of them");
        }
        for (name, _) in self.entries {
            if !known.contains(&name.as_str()) {
                self.unknown(name, known, elsewhere, findings);
            }
        }
    }

    fn unknown(
        &self,
        name: &str,
        known: &[&'static str],
        elsewhere: &[(&str, &str)],
        findings: &mut Findings,
    ) {
        let path = self.at(name);
        if findings.is_full() {
            return findings.error("unknown-key", &path, "is not a key of this section", "");
        }
        let bare = |key: &str| key.split(" [").next().unwrap_or(key).trim().to_lowercase();
        if let Some((_, place)) = elsewhere.iter().find(|(key, _)| *key == name) {
            findings.error("moved-key", &path, "does not belong here", format!("it belongs to {place}"));
        } else if let Some(key) = known.iter().find(|key| bare(key) == bare(name)) {
            let message = format!("the key's unit is not that of the format, \"{key}\"");
            findings.error("wrong-unit", &path, message, "give the value in that unit under that key");
        } else {
            let advice = closest(name, known.iter().copied()).map_or_else(
                || format!("keys of this section are {}", known.join(", ")),
                |key| format!("did you mean \"{key}\"?"),
            );
            findings.error("unknown-key", &path, "is not a key of this section", advice);
        }
    }

    pub(super) fn number_or_none(&self, key: &str, range: Range, findings: &mut Findings) -> Option<f64> {
        let value = match self.given(key)? {
            Node::Number(value) => *value,
            other => {
                let message = format!("is {}, not a number", other.kind());
                findings.error("wrong-type", &self.at(key), message, "give a plain JSON number");
                return None;
            }
        };
        if let Some((name, words)) = range.refuse(value) {
            findings.error(name, &self.at(key), format!("is {value:?} and {words}"), "correct the value");
            return None;
        }
        Some(value)
    }

    pub(super) fn number(&self, key: &str, range: Range, findings: &mut Findings) -> Option<f64> {
        if self.given(key).is_none() {
            self.missing(key, findings);
            return None;
        }
        self.number_or_none(key, range, findings)
    }

    pub(super) fn text(&self, key: &str, findings: &mut Findings) -> Option<String> {
        match self.given(key)? {
            Node::Text(text) => Some(text.clone()),
            other => {
                let message = format!("is {}, not a text", other.kind());
                findings.error("wrong-type", &self.at(key), message, "put it in quotes");
                None
            }
        }
    }

    /// A number, formula in x, or table.
    pub(super) fn function_or_none(
        &self,
        key: &str,
        range: Range,
        findings: &mut Findings,
    ) -> Option<Property> {
        let path = self.at(key);
        let property = function(self.given(key)?, &path, findings)?;
        if let Some((name, words)) = property.as_constant().and_then(|value| range.refuse(value)) {
            let value = property.as_constant().unwrap_or(f64::NAN);
            findings.error(name, &path, format!("is {value:?} and {words}"), "correct the value");
            return None;
        }
        Some(property)
    }

    pub(super) fn function(&self, key: &str, range: Range, findings: &mut Findings) -> Option<Property> {
        if self.given(key).is_none() {
            self.missing(key, findings);
            return None;
        }
        self.function_or_none(key, range, findings)
    }

    /// A positive function with an activation energy.
    pub(super) fn activated(&self, key: &str, energy: &str, findings: &mut Findings) -> Option<Activated> {
        let at_reference = self.function(key, Range::Positive, findings);
        let energy = self.number_or_none(energy, Range::Any, findings);
        Some(Activated { at_reference: at_reference?, activation_energy_j_per_mol: energy.unwrap_or(0.0) })
    }

    /// A list of finite numbers.
    pub(super) fn numbers(&self, key: &str, findings: &mut Findings) -> Option<Vec<f64>> {
        if self.given(key).is_none() {
            self.missing(key, findings);
            return None;
        }
        numbers(self.given(key)?, &self.at(key), findings)
    }
}

fn numbers(node: &Node, path: &str, findings: &mut Findings) -> Option<Vec<f64>> {
    let Node::List(list) = node else {
        let message = format!("is {}, not a list of numbers", node.kind());
        findings.error("wrong-type", path, message, "give the numbers in brackets");
        return None;
    };
    let mut out = Vec::with_capacity(list.len());
    for (i, item) in list.iter().enumerate() {
        let Node::Number(value) = item else {
            let message = format!("entry {i} is {}, not a number", item.kind());
            findings.error("wrong-type", &format!("{path}/{i}"), message, "give a plain JSON number");
            return None;
        };
        out.push(*value);
    }
    Some(out)
}

/// Reads a number, a formula in x or a table.
pub(super) fn function(node: &Node, path: &str, findings: &mut Findings) -> Option<Property> {
    match node {
        Node::Number(value) => Some(Property::Constant(*value)),
        Node::Text(text) => formula(text, path, findings),
        Node::Object(_) => table(node, path, findings),
        other => {
            let message = format!("is {}, not a number, formula or table", other.kind());
            let advice = "give a number, a text such as \"2.1 - tanh(x)\", or {\"x\": [...], \"y\": [...]}";
            findings.error("wrong-type", path, message, advice);
            None
        }
    }
}

fn formula(text: &str, path: &str, findings: &mut Findings) -> Option<Property> {
    let property = match Property::formula(text) {
        Ok(property) => property,
        Err(CellError::Formula { column, message, source_text }) => {
            let message = format!("column {column}: {message}, in \"{source_text}\"");
            findings.error("bad-expression", path, message, "correct the formula at that column");
            return None;
        }
        Err(error) => {
            findings.error("bad-expression", path, error.to_string(), "correct the formula");
            return None;
        }
    };
    let Property::Formula(formula) = &property else { return Some(property) };
    let foreign =
        [Variable::ElectrolyteConcentration, Variable::ParticleConcentration, Variable::Temperature];
    let mut names: Vec<&str> =
        foreign.into_iter().filter(|v| formula.depends_on(*v)).map(Variable::name).collect();
    let used = formula.names();
    names.extend(["R", "F", "pi"].into_iter().filter(|name| used.contains(name)));
    if !names.is_empty() {
        let message = format!("uses {}; formulas of this format know only x", names.join(", "));
        findings.error("foreign-name", path, message, "write it in x (stoichiometry, or concentration)");
        return None;
    }
    let further: Vec<&str> =
        ["sinh", "log", "sqrt", "pow"].into_iter().filter(|name| used.contains(name)).collect();
    if !further.is_empty() {
        let message =
            format!("uses {}; other programs may know only {}", further.join(", "), FUNCTIONS.join(", "));
        findings.warning("further-function", path, message, "write powers with **");
    }
    Some(property)
}

/// Reads a table; rows may stand in any order, and a row may be there twice.
fn table(node: &Node, path: &str, findings: &mut Findings) -> Option<Property> {
    let section = Section::of(node, path.to_owned(), findings)?;
    section.check_keys(&["x", "y"], &[], findings);
    let (x, y) = (section.numbers("x", findings), section.numbers("y", findings));
    let (x, y) = (x?, y?);
    if x.len() != y.len() {
        let message = format!("has {} values of x but {} of y", x.len(), y.len());
        findings.error("bad-table", path, message, "give one y for every x");
        return None;
    }
    let mut rows: Vec<(f64, f64)> = x.into_iter().zip(y).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    rows.dedup();
    if let Some(pair) = rows.windows(2).find(|w| w[0].0 == w[1].0) {
        let message = format!("has y = {:?} and y = {:?} at x = {:?}", pair[0].1, pair[1].1, pair[0].0);
        findings.error("table-duplicate", path, message, "keep one of the rows");
        return None;
    }
    let (x, y) = rows.into_iter().unzip();
    match Table::new(x, y, false, Outside::Error) {
        Ok(table) => Some(table.into()),
        Err(error) => {
            findings.error("bad-table", path, error.to_string(), "correct the table");
            None
        }
    }
}
