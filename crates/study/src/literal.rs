//! Reading the value of one input: literal, literal with its origin, file, or reference.

use crate::diagnostic::Diagnostics;
use crate::kind::{InputSpec, InputType, Need};
use crate::raw::{Entry, Node, Raw, Span};
use crate::spelling::did_you_mean;
use scalade_record::{Provenance, Tracked, Uncertainty};
use scalade_units::{Dimension, Quantity, accepted_units, dimension};
use std::path::{Path, PathBuf};

/// Where a literal comes from and how well it is known. The uncertainty is in SI.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Origin {
    pub uncertainty: Uncertainty,
    pub provenance: Provenance,
    /// The study names an origin; false for plain literals and for defaults.
    pub stated: bool,
    /// Data set that exists as a file, to be hashed for the record.
    pub data_file: Option<PathBuf>,
}

impl Origin {
    fn unstated(why: &str) -> Self {
        Self {
            uncertainty: Uncertainty::none("none is stated"),
            provenance: Provenance::Assumed { why: why.into() },
            stated: false,
            data_file: None,
        }
    }
}

/// A multiplication of a referenced value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Retune {
    pub factor: f64,
    pub unseal: Option<String>,
}

/// What an input is bound to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bound {
    Quantity { si: f64, dimension: Dimension },
    Number(f64),
    Integer(i64),
    Text(String),
    Boolean(bool),
    File(PathBuf),
    Reference { step: String, output: String, retune: Option<Retune> },
    List(Vec<Binding>),
}

/// An input's value with its place, origin and text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Binding {
    pub bound: Bound,
    pub span: Span,
    pub origin: Origin,
    /// As written in the study.
    pub written: String,
}

impl Binding {
    /// All references in this binding, with their places.
    pub fn references(&self) -> Vec<(&str, &str, &Span)> {
        match &self.bound {
            Bound::Reference { step, output, .. } => vec![(step, output, &self.span)],
            Bound::List(items) => items.iter().flat_map(Binding::references).collect(),
            _ => Vec::new(),
        }
    }
}

/// Keys of a literal written as a table.
const ORIGIN_KEYS: [&str; 10] =
    ["value", "std", "interval", "level", "samples", "doi", "locator", "assumed", "data_set", "method"];

/// Whether a kind's default can be read as its input; else why not.
pub(crate) fn check_default(spec: &InputSpec) -> Result<(), String> {
    let Need::Default(default) = &spec.need else { return Ok(()) };
    let mut kind = &spec.kind;
    while let InputType::List(inner) = kind {
        kind = inner;
    }
    if matches!(kind, InputType::File | InputType::HandOff(_)) {
        return Err("files and hand-offs have no default".into());
    }
    let mut problems = Diagnostics::new("default", "");
    let binding = Reader { base: Path::new(""), problems: &mut problems }
        .read(spec, &crate::raw::from_json(default))
        .filter(|b| b.references().is_empty());
    match (binding, problems.items().first()) {
        (_, Some(problem)) => Err(problem.message.clone()),
        (None, None) => Err("it is no literal".into()),
        (Some(_), None) => Ok(()),
    }
}

/// The default of an input as a binding.
pub(crate) fn read_default(spec: &InputSpec) -> Option<Binding> {
    let Need::Default(default) = &spec.need else { return None };
    let mut problems = Diagnostics::new("default", "");
    let raw = crate::raw::from_json(default);
    let mut binding = Reader { base: Path::new(""), problems: &mut problems }.read(spec, &raw)?;
    binding.origin = Origin::unstated("the default of this kind of step");
    Some(binding)
}

/// Reads inputs and collects their problems.
pub(crate) struct Reader<'a> {
    /// Directory that file names are relative to.
    pub base: &'a Path,
    pub problems: &'a mut Diagnostics,
}

impl Reader<'_> {
    /// The value of an input; `None` when a problem was reported.
    pub fn read(&mut self, spec: &InputSpec, raw: &Raw) -> Option<Binding> {
        if let Node::Table(entries) = &raw.node {
            return self.with_origin(spec, raw, entries);
        }
        let bound = self.bound(spec, &spec.kind, raw)?;
        let origin = Origin::unstated("written in the study without an origin");
        Some(Binding { bound, span: raw.span.clone(), origin, written: raw.shown() })
    }

    fn error(&mut self, code: &'static str, raw: &Raw, message: String, help: Option<String>) {
        self.problems.error(code, raw.span.clone(), message, help);
    }

    fn wrong_type(&mut self, spec: &InputSpec, kind: &InputType, raw: &Raw) {
        let message = format!("\"{}\" must be {}, not {}", spec.key, kind.described(), raw.called());
        self.error("study::wrong_type", raw, message, None);
    }

    fn bound(&mut self, spec: &InputSpec, kind: &InputType, raw: &Raw) -> Option<Bound> {
        if let Node::Text(text) = &raw.node
            && takes_reference(kind)
            && let Some(target) = text.strip_prefix('@')
        {
            return self.reference(spec, raw, target);
        }
        match kind {
            InputType::Quantity(dimension) => self.quantity(spec, *dimension, raw),
            InputType::Number { min, max } => self.number(spec, kind, raw, *min, *max),
            InputType::Integer { min, max } => self.integer(spec, kind, raw, *min, *max),
            InputType::Text => {
                let Node::Text(text) = &raw.node else {
                    self.wrong_type(spec, kind, raw);
                    return None;
                };
                Some(Bound::Text(text.clone()))
            }
            InputType::Choice(words) => self.choice(spec, kind, words, raw),
            InputType::Boolean => {
                let Node::Boolean(flag) = raw.node else {
                    self.wrong_type(spec, kind, raw);
                    return None;
                };
                Some(Bound::Boolean(flag))
            }
            InputType::File => self.file(spec, kind, raw),
            InputType::List(inner) => self.list(spec, kind, inner, raw),
            InputType::HandOff(name) => {
                let message = format!("\"{}\" must refer to a {name} of another step", spec.key);
                let help = "write \"@step.output\"".to_string();
                self.error("study::reference", raw, message, Some(help));
                None
            }
        }
    }

    fn reference(&mut self, spec: &InputSpec, raw: &Raw, target: &str) -> Option<Bound> {
        match target.split_once('.') {
            Some((step, output)) if !step.is_empty() && !output.is_empty() => {
                Some(Bound::Reference { step: step.into(), output: output.into(), retune: None })
            }
            _ => {
                let message = format!("\"@{target}\" is no reference for \"{}\"", spec.key);
                self.error("study::reference", raw, message, Some("write \"@step.output\"".into()));
                None
            }
        }
    }

    fn quantity(&mut self, spec: &InputSpec, wanted: Dimension, raw: &Raw) -> Option<Bound> {
        let si = match &raw.node {
            Node::Text(text) => match text.parse::<Quantity>().and_then(|q| {
                // A text without a unit is the same slip as a bare number.
                q.in_si(wanted).map_err(|e| if is_bare(text) { bare(text) } else { e })
            }) {
                Ok(si) => si,
                Err(scalade_units::UnitError::Number { .. }) if is_bare(text) => {
                    self.bare_number(spec, wanted, raw);
                    return None;
                }
                Err(e) => {
                    let code = match e {
                        scalade_units::UnitError::Dimension { .. } => "study::dimension",
                        scalade_units::UnitError::NotFinite { .. } => "study::not_finite",
                        _ => "study::unit",
                    };
                    let help = format!("write a value and a unit: {}", accepted_units(wanted));
                    self.error(code, raw, format!("\"{}\": {e}", spec.key), Some(help));
                    return None;
                }
            },
            Node::Integer(_) | Node::Float(_) if wanted != dimension::NONE => {
                self.bare_number(spec, wanted, raw);
                return None;
            }
            Node::Integer(Some(i)) => *i as f64,
            Node::Float(x) if x.is_finite() => *x,
            Node::Float(x) => {
                let message = format!("\"{}\" is {x}: only finite numbers are accepted", spec.key);
                self.error("study::not_finite", raw, message, None);
                return None;
            }
            _ => {
                self.wrong_type(spec, &InputType::Quantity(wanted), raw);
                return None;
            }
        };
        if let Some(reason) = spec.out_of_range(si, wanted) {
            self.error("study::range", raw, format!("\"{}\": {reason}", spec.key), None);
            return None;
        }
        Some(Bound::Quantity { si, dimension: wanted })
    }

    fn bare_number(&mut self, spec: &InputSpec, wanted: Dimension, raw: &Raw) {
        let called = wanted.name().map_or_else(|| format!("a quantity in {wanted}"), ToString::to_string);
        let message = format!("\"{}\" is {called} and needs a unit", spec.key);
        let help = format!("accepted units: {}", accepted_units(wanted));
        self.error("study::bare_number", raw, message, Some(help));
    }

    fn number(
        &mut self,
        spec: &InputSpec,
        kind: &InputType,
        raw: &Raw,
        min: Option<f64>,
        max: Option<f64>,
    ) -> Option<Bound> {
        let x = match &raw.node {
            Node::Integer(Some(i)) => *i as f64,
            Node::Float(x) => *x,
            // "35 %" is a pure number too.
            Node::Text(text) => match text.parse::<Quantity>().and_then(|q| q.in_si(dimension::NONE)) {
                Ok(x) => x,
                Err(e) => {
                    self.error("study::dimension", raw, format!("\"{}\": {e}", spec.key), None);
                    return None;
                }
            },
            _ => {
                self.wrong_type(spec, kind, raw);
                return None;
            }
        };
        if !x.is_finite() {
            let message = format!("\"{}\" is {x}: only finite numbers are accepted", spec.key);
            self.error("study::not_finite", raw, message, None);
            return None;
        }
        if min.is_some_and(|m| x < m) || max.is_some_and(|m| x > m) {
            let message = format!("\"{}\" = {x} is outside {}", spec.key, bounds(min, max));
            self.error("study::range", raw, message, None);
            return None;
        }
        Some(Bound::Number(x))
    }

    fn integer(
        &mut self,
        spec: &InputSpec,
        kind: &InputType,
        raw: &Raw,
        min: Option<i64>,
        max: Option<i64>,
    ) -> Option<Bound> {
        match raw.node {
            Node::Integer(Some(i)) if min.is_none_or(|m| i >= m) && max.is_none_or(|m| i <= m) => {
                Some(Bound::Integer(i))
            }
            Node::Integer(_) => {
                let message = format!("\"{}\" = {} is outside {}", spec.key, raw.shown(), bounds(min, max));
                self.error("study::range", raw, message, None);
                None
            }
            _ => {
                self.wrong_type(spec, kind, raw);
                None
            }
        }
    }

    fn choice(&mut self, spec: &InputSpec, kind: &InputType, words: &[String], raw: &Raw) -> Option<Bound> {
        match &raw.node {
            Node::Text(text) if words.contains(text) => Some(Bound::Text(text.clone())),
            Node::Text(text) => {
                let help = did_you_mean(text, words.iter().map(String::as_str));
                let message = format!("\"{}\" must be {}, not \"{text}\"", spec.key, kind.described());
                self.error("study::choice", raw, message, help);
                None
            }
            _ => {
                self.wrong_type(spec, kind, raw);
                None
            }
        }
    }

    fn file(&mut self, spec: &InputSpec, kind: &InputType, raw: &Raw) -> Option<Bound> {
        let Node::Text(text) = &raw.node else {
            self.wrong_type(spec, kind, raw);
            return None;
        };
        let Some(written) = text.strip_prefix("file:").filter(|w| !w.trim().is_empty()) else {
            let help =
                format!("write \"file:{}\", relative to the study file", text.trim_start_matches("file:"));
            self.error("study::file", raw, format!("\"{}\" must name a file", spec.key), Some(help));
            return None;
        };
        let path = self.base.join(written);
        match std::fs::metadata(&path) {
            Ok(found) if found.is_file() => Some(Bound::File(path)),
            Ok(found) => {
                let what = if found.is_dir() { "a directory" } else { "not a regular file" };
                self.error("study::not_a_file", raw, format!("{} is {what}", path.display()), None);
                None
            }
            Err(e) => {
                let help = "file names are relative to the directory of the study file".to_string();
                let message = format!("cannot find {}: {e}", path.display());
                self.error("study::missing_file", raw, message, Some(help));
                None
            }
        }
    }

    fn list(&mut self, spec: &InputSpec, kind: &InputType, inner: &InputType, raw: &Raw) -> Option<Bound> {
        let Node::List(items) = &raw.node else {
            let message = format!("\"{}\" must be {}, not {}", spec.key, kind.described(), raw.called());
            self.error("study::wrong_type", raw, message, Some("write [ ... ] around the items".into()));
            return None;
        };
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            let bound = self.bound(spec, inner, item);
            out.push(bound.map(|bound| Binding {
                bound,
                span: item.span.clone(),
                origin: Origin::unstated("written in the study without an origin"),
                written: item.shown(),
            }));
        }
        out.into_iter().collect::<Option<Vec<_>>>().map(Bound::List)
    }

    /// `{ value = "10 um", std = "0.5 um", doi = "...", locator = "..." }`.
    fn with_origin(&mut self, spec: &InputSpec, raw: &Raw, entries: &[Entry]) -> Option<Binding> {
        if matches!(spec.kind, InputType::HandOff(_)) {
            self.wrong_type(spec, &spec.kind, raw);
            return None;
        }
        for entry in entries {
            if !ORIGIN_KEYS.contains(&entry.key.as_str()) {
                let help = did_you_mean(&entry.key, ORIGIN_KEYS)
                    .unwrap_or_else(|| format!("a literal takes {}", ORIGIN_KEYS.join(", ")));
                let message = format!("\"{}\" has no field \"{}\"", spec.key, entry.key);
                self.problems.error("study::unknown_key", entry.key_span.clone(), message, Some(help));
            }
        }
        let Some(value) = raw.entry("value") else {
            let help = "write { value = ..., doi = \"...\" }".to_string();
            let message = format!("\"{}\" has no value", spec.key);
            self.error("study::missing_key", raw, message, Some(help));
            return None;
        };
        if matches!(value.value.node, Node::Table(_)) {
            self.wrong_type(spec, &spec.kind, &value.value);
            return None;
        }
        let bound = self.bound(spec, &spec.kind, &value.value)?;
        if matches!(bound, Bound::Reference { .. }) {
            let message = format!("\"{}\" refers to a step, which states the origin itself", spec.key);
            self.error("study::origin", raw, message, Some("write the reference alone".into()));
            return None;
        }
        let (provenance, data_file) = self.provenance(spec, raw)?;
        let uncertainty = self.uncertainty(spec, &bound, raw)?;
        let stated = provenance.is_some();
        let provenance = provenance
            .unwrap_or_else(|| Provenance::Assumed { why: "written in the study without an origin".into() });
        let origin = Origin { uncertainty, provenance, stated, data_file };
        let bound = match bound {
            Bound::List(items) => Bound::List(with_provenance(items, &origin)),
            other => other,
        };
        Some(Binding { bound, span: value.value.span.clone(), origin, written: value.value.shown() })
    }

    /// The text of a field, which must not be blank. `Err` when a problem was reported.
    fn text_field(&mut self, raw: &Raw, key: &str) -> Result<Option<String>, ()> {
        let Some(entry) = raw.entry(key) else { return Ok(None) };
        match &entry.value.node {
            Node::Text(text) if !text.trim().is_empty() => Ok(Some(text.clone())),
            _ => {
                let message = format!("\"{key}\" must be a text that is not blank");
                self.error("study::origin", &entry.value, message, None);
                Err(())
            }
        }
    }

    #[allow(clippy::type_complexity)]
    fn provenance(&mut self, spec: &InputSpec, raw: &Raw) -> Option<(Option<Provenance>, Option<PathBuf>)> {
        let doi = self.text_field(raw, "doi").ok()?;
        let locator = self.text_field(raw, "locator").ok()?;
        let assumed = self.text_field(raw, "assumed").ok()?;
        let data_set = self.text_field(raw, "data_set").ok()?;
        let method = self.text_field(raw, "method").ok()?;
        let stray = (locator.is_some() && doi.is_none()) || (method.is_some() && data_set.is_none());
        let many = [doi.is_some(), assumed.is_some(), data_set.is_some()].iter().filter(|b| **b).count() > 1;
        if stray || many {
            let message = format!("the origin of \"{}\" is not clear", spec.key);
            let help = "give one of: doi (with locator), assumed, data_set (with method)".to_string();
            self.error("study::origin", raw, message, Some(help));
            return None;
        }
        if let Some(doi) = doi {
            let locator = locator.unwrap_or_else(|| "place not stated".into());
            return Some((Some(Provenance::Published { doi, locator }), None));
        }
        if let Some(why) = assumed {
            return Some((Some(Provenance::Assumed { why }), None));
        }
        let Some(data_set) = data_set else { return Some((None, None)) };
        let mut path = None;
        if let (Some(written), Some(entry)) = (data_set.strip_prefix("file:"), raw.entry("data_set")) {
            let found = self.base.join(written);
            if !found.is_file() {
                let message = format!("cannot find the data set {}", found.display());
                self.error("study::missing_file", &entry.value, message, None);
                return None;
            }
            path = Some(found);
        }
        let method = method.unwrap_or_else(|| "method not stated".into());
        Some((Some(Provenance::Measured { data_set, hash: None, method }), path))
    }

    /// The uncertainty of a literal, in SI.
    fn uncertainty(&mut self, spec: &InputSpec, bound: &Bound, raw: &Raw) -> Option<Uncertainty> {
        let fields = ["std", "interval", "samples"];
        let given: Vec<&Entry> = fields.iter().filter_map(|k| raw.entry(k)).collect();
        let level = raw.entry("level");
        let wanted = match bound {
            Bound::Quantity { dimension, .. } => Some(*dimension),
            Bound::Number(_) => Some(dimension::NONE),
            _ => None,
        };
        let trouble = |reader: &mut Self, at: &Raw, message: String| {
            reader.error("study::uncertainty", at, message, None);
            None
        };
        match (given.as_slice(), wanted) {
            ([], _) if level.is_some() => {
                trouble(self, raw, format!("\"{}\" has a level without an interval", spec.key))
            }
            ([], _) => Some(Uncertainty::none("none is stated")),
            ([only], Some(wanted)) => {
                let uncertainty = match only.key.as_str() {
                    "std" => Uncertainty::Standard { value: self.si_of(wanted, &only.value)? },
                    "interval" => {
                        let ends = self.si_list(wanted, &only.value)?;
                        let (&[low, high], Some(level)) = (ends.as_slice(), level.and_then(float)) else {
                            let message =
                                format!("\"{}\": write interval = [low, high] and level = 0.95", spec.key);
                            return trouble(self, &only.value, message);
                        };
                        Uncertainty::Interval { low, high, level }
                    }
                    _ => Uncertainty::Samples { values: self.si_list(wanted, &only.value)? },
                };
                let probe = Provenance::Assumed { why: "probe".into() };
                match Tracked::of((), "", uncertainty.clone(), probe, scalade_record::Scale::Atomic) {
                    Ok(_) => Some(uncertainty),
                    Err(e) => trouble(self, &only.value, format!("\"{}\": {e}", spec.key)),
                }
            }
            ([only, ..], None) => trouble(
                self,
                &only.value,
                format!("only numbers have an uncertainty, and \"{}\" is none", spec.key),
            ),
            ([_, second, ..], _) => {
                trouble(self, &second.value, format!("\"{}\" has more than one uncertainty", spec.key))
            }
        }
    }

    fn si_list(&mut self, wanted: Dimension, raw: &Raw) -> Option<Vec<f64>> {
        let Node::List(items) = &raw.node else {
            self.error("study::uncertainty", raw, "a list of values was expected".into(), None);
            return None;
        };
        items.iter().map(|item| self.si_of(wanted, item)).collect()
    }

    fn si_of(&mut self, wanted: Dimension, raw: &Raw) -> Option<f64> {
        let probe = InputSpec::new("uncertainty", InputType::Quantity(wanted), "");
        match self.quantity(&probe, wanted, raw)? {
            Bound::Quantity { si, .. } => Some(si),
            _ => None,
        }
    }
}

/// The origin of a list is that of its literals, which have no uncertainty of their own.
fn with_provenance(mut items: Vec<Binding>, origin: &Origin) -> Vec<Binding> {
    for item in &mut items {
        item.origin.provenance = origin.provenance.clone();
        item.origin.stated = origin.stated;
        item.origin.data_file.clone_from(&origin.data_file);
    }
    items
}

fn takes_reference(kind: &InputType) -> bool {
    matches!(kind, InputType::Quantity(_) | InputType::Number { .. } | InputType::HandOff(_))
}

fn is_bare(text: &str) -> bool {
    text.trim().parse::<f64>().is_ok_and(f64::is_finite)
}

fn bare(text: &str) -> scalade_units::UnitError {
    scalade_units::UnitError::Number { text: text.to_string() }
}

fn float(entry: &Entry) -> Option<f64> {
    match entry.value.node {
        Node::Float(x) => Some(x),
        Node::Integer(Some(i)) => Some(i as f64),
        _ => None,
    }
}

/// The numbers between two bounds, for messages.
pub(crate) fn bounds<T: std::fmt::Display>(min: Option<T>, max: Option<T>) -> String {
    match (min, max) {
        (Some(a), Some(b)) => format!("{a} to {b}"),
        (Some(a), None) => format!("the numbers from {a} up"),
        (None, Some(b)) => format!("the numbers up to {b}"),
        (None, None) => "64-bit numbers".into(),
    }
}
