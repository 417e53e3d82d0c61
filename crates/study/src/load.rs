//! From the text of a study to a checked graph of steps. All problems are collected.

use crate::diagnostic::{Diagnostics, Severity};
use crate::graph;
use crate::kind::{InputType, Need, OutputSpec, RESERVED, Registry, StepKind, is_name};
use crate::literal::{Binding, Bound, Reader, Retune, read_default};
use crate::outputs::NUMBER;
use crate::raw::{self, Entry, Node, Raw, Span};
use crate::spelling::{did_you_mean, listed};
use crate::study::{Step, Study};
use scalade_record::RecordError;
use scalade_units::Dimension;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use toml::de::DeTable;

/// Largest study file, bytes.
const LARGEST: u64 = 64 << 20;
/// Most steps of a study.
const MOST_STEPS: usize = 10_000;

pub(crate) fn from_path(path: &Path, registry: &Registry) -> Result<Study, Diagnostics> {
    let name = path.display().to_string();
    let refuse = |code, message: String, help: Option<String>| {
        let mut problems = Diagnostics::new(&name, "");
        problems.error(code, None, message, help);
        problems
    };
    let unreadable =
        |e: std::io::Error| refuse("study::unreadable", format!("cannot read the study: {e}"), None);
    let found = std::fs::metadata(path).map_err(unreadable)?;
    if !found.is_file() {
        let help = Some("give the study's TOML file".to_string());
        return Err(refuse("study::not_a_file", "the study is not a file".into(), help));
    }
    if found.len() > LARGEST {
        return Err(refuse("study::too_large", too_large(found.len()), None));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        refuse(
            "study::encoding",
            format!("the study is not UTF-8: byte {at} is not part of a character"),
            None,
        )
    })?;
    let base = path.parent().unwrap_or_else(|| Path::new(""));
    from_text(&text, base, &name, registry)
}

fn too_large(bytes: u64) -> String {
    format!("the study has {bytes} bytes; the largest allowed has {LARGEST}. Large data belong in files")
}

pub(crate) fn from_text(
    text: &str,
    base: &Path,
    name: &str,
    registry: &Registry,
) -> Result<Study, Diagnostics> {
    if text.len() as u64 > LARGEST {
        let mut problems = Diagnostics::new(name, "");
        problems.error("study::too_large", None, too_large(text.len() as u64), None);
        return Err(problems);
    }
    let mut problems = Diagnostics::new(name, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    let root = raw::from_document(&document);
    drop(document);
    let broken = report_syntax(&errors, &mut problems);
    let mut loader = Loader { registry, base, problems };
    let study = loader.study(&root);
    let mut problems = loader.problems;
    if broken {
        // A broken line may hide what other lines refer to: such problems would be echoes of the first.
        let echoes = ["study::missing_key", "study::unknown_step", "study::missing_table"];
        problems.retain(|d| !echoes.contains(&d.code));
    }
    problems.sort();
    match study {
        Some(mut study) if !problems.has_errors() => {
            study.warnings = problems;
            Ok(study)
        }
        _ => Err(problems),
    }
}

/// Reports the parser's errors; whether any of them may have lost content.
fn report_syntax(errors: &[toml::de::Error], problems: &mut Diagnostics) -> bool {
    let mut broken = false;
    for error in errors {
        let message = error.message().replace('\n', "; ");
        if message.contains("duplicate key") {
            let help = Some("every key may stand once; remove one of the two".to_string());
            problems.error("study::duplicate_key", error.span(), message, help);
        } else {
            broken = true;
            problems.error("study::syntax", error.span(), format!("not valid TOML: {message}"), None);
        }
    }
    broken
}

/// A step while it is checked.
struct Draft {
    name: String,
    name_span: Span,
    kind: Arc<dyn StepKind>,
    bindings: BTreeMap<String, Binding>,
    retunes: Option<Raw>,
    sound: bool,
}

struct Loader<'a> {
    registry: &'a Registry,
    base: &'a Path,
    problems: Diagnostics,
}

impl Loader<'_> {
    fn study(&mut self, root: &Raw) -> Option<Study> {
        let Node::Table(entries) = &root.node else { return None };
        self.unknown_keys(entries, &["study", "steps"], "a study");
        let head = self.head(root);
        let mut drafts = self.drafts(root)?;
        if drafts.len() > MOST_STEPS {
            let message = format!("the study has {} steps; the most allowed is {MOST_STEPS}", drafts.len());
            self.problems.error("study::too_large", None, message, None);
            return None;
        }
        drafts.sort_by(|a, b| a.name.cmp(&b.name));
        self.references(&mut drafts);
        for at in 0..drafts.len() {
            self.retunes(&mut drafts, at);
        }
        let order = self.order(&drafts);
        self.validate(&drafts);
        let (name, title, seed) = head?;
        let index: BTreeMap<String, usize> =
            drafts.iter().enumerate().map(|(i, d)| (d.name.clone(), i)).collect();
        let steps = drafts
            .into_iter()
            .map(|draft| {
                let dependencies = targets(&draft.bindings, &index);
                Step { name: draft.name, kind: draft.kind, bindings: draft.bindings, dependencies }
            })
            .collect();
        Some(Study { name, title, seed, steps, order: order?, warnings: Diagnostics::new("", "") })
    }

    fn error(&mut self, code: &'static str, span: &Span, message: String, help: Option<String>) {
        self.problems.error(code, span.clone(), message, help);
    }

    fn unknown_keys(&mut self, entries: &[Entry], known: &[&str], owner: &str) {
        for entry in entries.iter().filter(|e| !known.contains(&e.key.as_str())) {
            let help = did_you_mean(&entry.key, known.iter().copied())
                .unwrap_or_else(|| format!("{owner} takes {}", listed(known.iter().copied())));
            let message = format!("unknown key \"{}\"", entry.key);
            self.error("study::unknown_key", &entry.key_span, message, Some(help));
        }
    }

    /// `[study]`: name, title, seed.
    fn head(&mut self, root: &Raw) -> Option<(String, Option<String>, u64)> {
        let Some(entry) = root.entry("study") else {
            let help = Some("begin the file with [study] and name = \"...\"".to_string());
            self.error("study::missing_table", &None, "the study has no [study] table".into(), help);
            return None;
        };
        let Node::Table(entries) = &entry.value.node else {
            self.error("study::wrong_type", &entry.key_span, "[study] must be a table".into(), None);
            return None;
        };
        self.unknown_keys(entries, &["name", "title", "seed"], "[study]");
        let mut title = None;
        if let Some(found) = entry.value.entry("title") {
            match &found.value.node {
                Node::Text(text) => title = Some(text.clone()),
                _ => self.error(
                    "study::wrong_type",
                    &found.value.span,
                    "\"title\" must be a text".into(),
                    None,
                ),
            }
        }
        let mut seed = 0;
        if let Some(found) = entry.value.entry("seed") {
            match found.value.node {
                Node::Integer(Some(i)) if i >= 0 => seed = i as u64,
                _ => {
                    let message = "\"seed\" must be an integer from 0 to 9223372036854775807".to_string();
                    self.error("study::wrong_type", &found.value.span, message, None);
                }
            }
        }
        let Some(found) = entry.value.entry("name") else {
            let message = "the study has no name".to_string();
            self.error("study::missing_key", &entry.key_span, message, Some("add name = \"...\"".into()));
            return None;
        };
        match &found.value.node {
            Node::Text(text) if is_name(text) && !text.bytes().any(|b| b.is_ascii_uppercase()) => {
                Some((text.clone(), title, seed))
            }
            _ => {
                let message = "the name of a study consists of a-z, 0-9, _ and -".to_string();
                self.error("study::name", &found.value.span, message, None);
                None
            }
        }
    }

    fn drafts(&mut self, root: &Raw) -> Option<Vec<Draft>> {
        let Some(entry) = root.entry("steps") else {
            let help = Some("add a table [steps.name] with kind = \"...\"".to_string());
            self.error("study::missing_table", &None, "the study has no steps".into(), help);
            return None;
        };
        let Node::Table(entries) = &entry.value.node else {
            self.error("study::wrong_type", &entry.key_span, "[steps] must be a table".into(), None);
            return None;
        };
        Some(entries.iter().filter_map(|step| self.draft(step)).collect())
    }

    fn draft(&mut self, step: &Entry) -> Option<Draft> {
        if !is_name(&step.key) {
            let message = format!("\"{}\" cannot name a step", step.key);
            let help = Some("use letters, digits, _ and -, at most 128".to_string());
            self.error("study::name", &step.key_span, message, help);
            return None;
        }
        let Node::Table(entries) = &step.value.node else {
            let message = format!("the step \"{}\" must be a table", step.key);
            self.error("study::wrong_type", &step.key_span, message, None);
            return None;
        };
        let kind = self.kind(step)?;
        let spec = kind.spec();
        let problems_before = self.problems.items().len() + self.problems.omitted();
        let known: Vec<&str> = spec.inputs.iter().map(|i| i.key.as_str()).chain(RESERVED).collect();
        self.unknown_keys(entries, &known, &format!("the kind \"{}\"", spec.name));
        let mut bindings = BTreeMap::new();
        for input in &spec.inputs {
            let mut reader = Reader { base: self.base, problems: &mut self.problems };
            let binding = match (step.value.entry(&input.key), &input.need) {
                (Some(entry), _) => reader.read(input, &entry.value),
                (None, Need::Required) => {
                    let message = format!("the step \"{}\" needs \"{}\"", step.key, input.key);
                    let help = format!("{}: {}", input.about, input.kind.described());
                    self.error("study::missing_key", &step.key_span, message, Some(help));
                    None
                }
                (None, Need::Optional) => None,
                (None, Need::Default(_)) => read_default(input),
            };
            if let Some(binding) = binding {
                bindings.insert(input.key.clone(), binding);
            }
        }
        Some(Draft {
            name: step.key.clone(),
            name_span: step.key_span.clone(),
            sound: self.problems.items().len() + self.problems.omitted() == problems_before,
            retunes: step.value.entry("retune").map(|e| e.value.clone()),
            kind,
            bindings,
        })
    }

    fn kind(&mut self, step: &Entry) -> Option<Arc<dyn StepKind>> {
        let Some(entry) = step.value.entry("kind") else {
            let message = format!("the step \"{}\" has no kind", step.key);
            let help = format!("add kind = \"...\"; known kinds: {}", listed(self.registry.names()));
            self.error("study::missing_key", &step.key_span, message, Some(help));
            return None;
        };
        let Node::Text(name) = &entry.value.node else {
            self.error("study::wrong_type", &entry.value.span, "\"kind\" must be a text".into(), None);
            return None;
        };
        let found = self.registry.get(name).cloned();
        if found.is_none() {
            let help = did_you_mean(name, self.registry.names())
                .unwrap_or_else(|| format!("known kinds: {}", listed(self.registry.names())));
            let message = format!("there is no kind of step \"{name}\"");
            self.error("study::unknown_kind", &entry.value.span, message, Some(help));
        }
        found
    }

    /// Every reference must name an output of the right type.
    fn references(&mut self, drafts: &mut [Draft]) {
        let producers: BTreeMap<String, Arc<dyn StepKind>> =
            drafts.iter().map(|d| (d.name.clone(), Arc::clone(&d.kind))).collect();
        for draft in drafts {
            let kind = Arc::clone(&draft.kind);
            for (key, binding) in &draft.bindings {
                let Some(input) = kind.spec().find_input(key) else { continue };
                let mut wanted = &input.kind;
                while let InputType::List(inner) = wanted {
                    wanted = inner;
                }
                for (step, output, span) in binding.references() {
                    draft.sound &= self.reference(&producers, wanted, key, step, output, span);
                }
            }
        }
    }

    fn reference(
        &mut self,
        producers: &BTreeMap<String, Arc<dyn StepKind>>,
        wanted: &InputType,
        key: &str,
        step: &str,
        output: &str,
        span: &Span,
    ) -> bool {
        let Some(producer) = producers.get(step) else {
            let names = || producers.keys().map(String::as_str);
            let help = (!self.problems.is_long()).then(|| {
                did_you_mean(step, names()).unwrap_or_else(|| format!("steps: {}", listed(names())))
            });
            self.error("study::unknown_step", span, format!("there is no step \"{step}\""), help);
            return false;
        };
        let spec = producer.spec();
        let Some(found) = spec.find_output(output) else {
            let names = || spec.outputs.iter().map(|o| o.key.as_str());
            let help = did_you_mean(output, names())
                .unwrap_or_else(|| format!("outputs of \"{}\": {}", spec.name, listed(names())));
            let message = format!("the step \"{step}\" ({}) has no output \"{output}\"", spec.name);
            self.error("study::unknown_output", span, message, Some(help));
            return false;
        };
        match mismatch(wanted, found) {
            None => true,
            Some((code, reason)) => {
                let message = format!("\"{key}\" cannot take @{step}.{output}: {reason}");
                let fitting = spec.outputs.iter().filter(|o| mismatch(wanted, o).is_none());
                let names: Vec<&str> = fitting.map(|o| o.key.as_str()).collect();
                let help =
                    (!names.is_empty()).then(|| format!("fitting outputs of \"{step}\": {}", listed(names)));
                self.error(code, span, message, help);
                false
            }
        }
    }

    /// The `retune` table of a step: factors on references, and the seals they would break.
    fn retunes(&mut self, drafts: &mut [Draft], at: usize) {
        let Some(raw) = drafts[at].retunes.take() else { return };
        let Node::Table(entries) = &raw.node else {
            self.error("study::wrong_type", &raw.span, "\"retune\" must be a table".into(), None);
            return;
        };
        for entry in entries {
            if let Some(retune) = self.retune(drafts, at, entry) {
                if let Some(Binding { bound: Bound::Reference { retune: slot, .. }, .. }) =
                    drafts[at].bindings.get_mut(&entry.key)
                {
                    *slot = Some(retune);
                }
            } else {
                drafts[at].sound = false;
            }
        }
    }

    fn retune(&mut self, drafts: &[Draft], at: usize, entry: &Entry) -> Option<Retune> {
        let draft = &drafts[at];
        let spec = draft.kind.spec();
        let key = &entry.key;
        if spec.find_input(key).is_none() {
            let names = || spec.inputs.iter().map(|i| i.key.as_str());
            let help = did_you_mean(key, names()).unwrap_or_else(|| format!("inputs: {}", listed(names())));
            let message = format!("cannot re-tune \"{key}\": the step \"{}\" has no such input", draft.name);
            self.error("study::unknown_key", &entry.key_span, message, Some(help));
            return None;
        }
        let producer = match draft.bindings.get(key).map(|b| &b.bound) {
            Some(Bound::Reference { step, .. }) => step,
            Some(Bound::List(_)) => {
                let message = format!("cannot re-tune the list \"{key}\"");
                self.error("study::retune", &entry.key_span, message, None);
                return None;
            }
            Some(_) => {
                let message = format!("\"{key}\" is a literal, not a result of another step");
                let help = Some("edit the literal instead of re-tuning it".to_string());
                self.error("study::retune", &entry.key_span, message, help);
                return None;
            }
            // It is absent, or its own problem was reported.
            None => {
                if draft.sound {
                    let message = format!("cannot re-tune \"{key}\": it is not given");
                    self.error("study::retune", &entry.key_span, message, None);
                }
                return None;
            }
        };
        let (factor, unseal) = self.retune_fields(entry)?;
        let producer = drafts.binary_search_by(|d| d.name.cmp(producer)).ok()?;
        let identified = drafts[producer].kind.spec().scale;
        if identified < spec.scale && unseal.is_none() {
            let message = format!("\"{key}\": {}", RecordError::Sealed { identified, asked: spec.scale });
            self.error("study::sealed", &entry.key_span, message, None);
            return None;
        }
        Some(Retune { factor, unseal })
    }

    fn retune_fields(&mut self, entry: &Entry) -> Option<(f64, Option<String>)> {
        let Node::Table(fields) = &entry.value.node else {
            let help = Some("write { factor = 2.0, unseal = \"why\" }".to_string());
            self.error("study::retune", &entry.value.span, "a re-tuning must be a table".into(), help);
            return None;
        };
        self.unknown_keys(fields, &["factor", "unseal"], "a re-tuning");
        let Some(field) = entry.value.entry("factor") else {
            let message = format!("the re-tuning of \"{}\" has no factor", entry.key);
            self.error("study::missing_key", &entry.key_span, message, Some("add factor = 2.0".into()));
            return None;
        };
        let factor = match field.value.node {
            Node::Float(x) => x,
            Node::Integer(Some(i)) => i as f64,
            _ => f64::NAN,
        };
        if !(factor.is_finite() && factor > 0.0) {
            let message = "the factor of a re-tuning must be a finite number greater than zero".to_string();
            self.error("study::retune", &field.value.span, message, None);
            return None;
        }
        let unseal = match entry.value.entry("unseal").map(|e| (&e.value.node, &e.value.span)) {
            None => None,
            Some((Node::Text(reason), _)) if !reason.trim().is_empty() => Some(reason.trim().to_string()),
            Some((_, span)) => {
                self.error("study::sealed", span, RecordError::Reason.to_string(), None);
                return None;
            }
        };
        Some((factor, unseal))
    }

    /// Running order; every loop is reported once.
    fn order(&mut self, drafts: &[Draft]) -> Option<Vec<usize>> {
        let index: BTreeMap<String, usize> =
            drafts.iter().enumerate().map(|(i, d)| (d.name.clone(), i)).collect();
        let dependencies: Vec<BTreeSet<usize>> =
            drafts.iter().map(|d| targets(&d.bindings, &index)).collect();
        let (order, loops) = graph::order(&dependencies);
        for cycle in &loops {
            let shown = cycle.iter().take(12).map(|i| drafts[*i].name.as_str()).collect::<Vec<_>>();
            let dots = if cycle.len() > 12 { " -> ..." } else { "" };
            let first = &drafts[cycle[0]];
            let message =
                format!("these steps wait for one another: {}{dots} -> {}", shown.join(" -> "), first.name);
            let next = &drafts[*cycle.get(1).unwrap_or(&cycle[0])].name;
            let place = first.bindings.values().flat_map(Binding::references).find(|r| r.0 == next);
            let span = place.map_or_else(|| first.name_span.clone(), |r| r.2.clone());
            let help = Some("a step may use only the outputs of steps that do not need it".to_string());
            self.error("study::cycle", &span, message, help);
        }
        loops.is_empty().then_some(order)
    }

    /// What the kinds themselves have to say about sound inputs.
    fn validate(&mut self, drafts: &[Draft]) {
        for draft in drafts.iter().filter(|d| d.sound) {
            let inputs = crate::inputs::Inputs::unresolved(&draft.bindings, draft.kind.spec().scale);
            for problem in draft.kind.validate(&inputs) {
                let span = draft.bindings.get(&problem.key).and_then(|b| b.span.clone());
                self.problems.push(crate::diagnostic::Diagnostic {
                    code: "study::invalid",
                    severity: Severity::Error,
                    message: format!("\"{}\": {}", problem.key, problem.message),
                    span: span.or_else(|| draft.name_span.clone()),
                    help: problem.help,
                });
            }
        }
    }
}

fn targets(bindings: &BTreeMap<String, Binding>, index: &BTreeMap<String, usize>) -> BTreeSet<usize> {
    bindings
        .values()
        .flat_map(Binding::references)
        .filter_map(|(step, _, _)| index.get(step).copied())
        .collect()
}

/// Why an output does not fit an input, with the diagnostic's code.
fn mismatch(wanted: &InputType, found: &OutputSpec) -> Option<(&'static str, String)> {
    let dimension_of = |wanted: Dimension| match found.dimension() {
        Some(d) if d == wanted => None,
        Some(d) => Some(("study::dimension", format!("got {}, want {}", named(d), named(wanted)))),
        None => Some(("study::handoff_type", format!("it is a {}, not a number", found.type_name))),
    };
    match wanted {
        InputType::Quantity(d) => dimension_of(*d),
        InputType::Number { .. } => dimension_of(scalade_units::dimension::NONE),
        InputType::HandOff(name) if *name == found.type_name => None,
        InputType::HandOff(name) => {
            let is = if found.type_name == NUMBER { "a number" } else { &found.type_name };
            Some(("study::handoff_type", format!("it is {is}, not {name}")))
        }
        _ => Some(("study::reference", "this input takes no reference".into())),
    }
}

fn named(dimension: Dimension) -> String {
    match dimension.name() {
        Some(name) => format!("{name} ({dimension})"),
        None => dimension.to_string(),
    }
}
