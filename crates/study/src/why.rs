//! The lineage of a number: everything it was made of, down to files and literals.

use crate::error::StudyError;
use crate::outputs::{NUMBER, Output};
use crate::record::{InputRecord, RetuneMark, RunRecord, StepRecord};
use crate::spelling::{did_you_mean, listed};
use scalade_record::{Provenance, Scale, Uncertainty, value_with_uncertainty};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// One node of a lineage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LineageNode {
    /// Distance from the number that was asked for.
    pub depth: usize,
    /// Key of the input that this node feeds; empty for the root.
    pub feeds: String,
    /// `step.output`, or the text of a literal or file.
    pub name: String,
    /// `output`, `literal`, `file` or `list`.
    pub source: &'static str,
    /// The value of a number, a short literal; null for hand-offs.
    pub value: Value,
    /// Its unit.
    pub unit: String,
    /// Its uncertainty.
    pub uncertainty: Option<Uncertainty>,
    /// Its origin.
    pub provenance: Option<Provenance>,
    /// Scale at which it was identified.
    pub scale: Option<Scale>,
    /// Whether it is sealed.
    pub sealed: bool,
    /// Hash of a file's content.
    pub hash: Option<String>,
    /// Factor and reason, when the value was re-tuned on its way into the node above.
    pub retuned: Option<(f64, String)>,
    /// Its inputs are listed where it stands first.
    pub repeated: bool,
}

/// The lineage of one number, in the order of a depth-first walk: the inputs of a node are those that follow it at the
/// next depth. What is used several times is followed once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lineage {
    /// What was asked for.
    pub quantity: String,
    /// The nodes.
    pub nodes: Vec<LineageNode>,
    /// Seals broken on the way.
    pub retuned: Vec<RetuneMark>,
}

/// The lineage of `step.output`, or of `step.input`.
///
/// # Errors
/// [`StudyError::UnknownQuantity`], with what may have been meant.
pub fn why(record: &RunRecord, quantity: &str) -> Result<Lineage, StudyError> {
    let (step_name, key) = quantity.split_once('.').unwrap_or((quantity, ""));
    let unknown = |hint: Option<String>| StudyError::UnknownQuantity {
        name: quantity.to_string(),
        hint: hint.map_or_else(String::new, |h| format!("; {h}")),
    };
    let Some(step) = record.steps.get(step_name) else {
        let names = || record.steps.keys().map(String::as_str);
        let near = did_you_mean(step_name, names());
        return Err(unknown(near.or_else(|| Some(format!("steps: {}", listed(names()))))));
    };
    let mut walk = Walk { record, nodes: Vec::new(), met: BTreeSet::new(), stack: Vec::new() };
    if let Some(output) = step.outputs.get(key) {
        let node = output_node(0, "", step_name, key, output);
        walk.stack.push(Pending::Output { node: Box::new(node), step: step_name, key });
    } else if let Some(input) = step.inputs.get(key) {
        walk.stack.push(Pending::Input { depth: 0, key, input });
    } else {
        let names = || step.outputs.keys().chain(step.inputs.keys()).map(String::as_str);
        let near = did_you_mean(key, names()).map(|m| format!("in step \"{step_name}\": {m}"));
        return Err(unknown(near.or_else(|| Some(format!("\"{step_name}\" has {}", listed(names()))))));
    }
    walk.run();
    Ok(Lineage { quantity: quantity.to_string(), nodes: walk.nodes, retuned: step.retuned.clone() })
}

enum Pending<'a> {
    Output { node: Box<LineageNode>, step: &'a str, key: &'a str },
    Input { depth: usize, key: &'a str, input: &'a InputRecord },
}

struct Walk<'a> {
    record: &'a RunRecord,
    nodes: Vec<LineageNode>,
    met: BTreeSet<(&'a str, &'a str)>,
    stack: Vec<Pending<'a>>,
}

impl<'a> Walk<'a> {
    fn run(&mut self) {
        while let Some(pending) = self.stack.pop() {
            match pending {
                Pending::Output { mut node, step, key } => {
                    let inputs: Option<&'a StepRecord> = self.record.steps.get(step);
                    // All outputs of a step have the same inputs: they are followed once for the step.
                    node.repeated =
                        !self.met.insert((step, "")) && inputs.is_some_and(|s| !s.inputs.is_empty());
                    self.met.insert((step, key));
                    let depth = node.depth + 1;
                    let follow = !node.repeated;
                    self.nodes.push(*node);
                    if let (true, Some(found)) = (follow, inputs) {
                        for (key, input) in found.inputs.iter().rev() {
                            self.stack.push(Pending::Input { depth, key, input });
                        }
                    }
                }
                Pending::Input { depth, key, input } => self.input(depth, key, input),
            }
        }
    }

    fn input(&mut self, depth: usize, feeds: &'a str, input: &'a InputRecord) {
        match input {
            InputRecord::Reference { step, output, factor, unseal } => {
                if let Some(found) = self.record.output(step, output) {
                    let mut node = output_node(depth, feeds, step, output, found);
                    node.retuned = factor.map(|f| {
                        (f, unseal.clone().unwrap_or_else(|| "at the scale where it was identified".into()))
                    });
                    self.stack.push(Pending::Output { node: Box::new(node), step, key: output });
                }
            }
            InputRecord::Literal { written, value, unit, uncertainty, provenance } => {
                let mut node = blank(depth, feeds, written, "literal");
                node.value = value.clone();
                node.unit.clone_from(unit);
                node.uncertainty = Some(uncertainty.clone());
                node.provenance = Some(provenance.clone());
                self.nodes.push(node);
            }
            InputRecord::File { written, hash, bytes } => {
                let mut node = blank(depth, feeds, written, "file");
                node.hash = Some(hash.clone());
                node.value = Value::from(*bytes);
                node.unit = "bytes".into();
                self.nodes.push(node);
            }
            InputRecord::List { items } => {
                self.nodes.push(blank(depth, feeds, &format!("{} items", items.len()), "list"));
                for item in items.iter().rev() {
                    self.stack.push(Pending::Input { depth: depth + 1, key: feeds, input: item });
                }
            }
        }
    }
}

fn blank(depth: usize, feeds: &str, name: &str, source: &'static str) -> LineageNode {
    LineageNode {
        depth,
        feeds: feeds.to_string(),
        name: name.to_string(),
        source,
        value: Value::Null,
        unit: String::new(),
        uncertainty: None,
        provenance: None,
        scale: None,
        sealed: false,
        hash: None,
        retuned: None,
        repeated: false,
    }
}

fn output_node(depth: usize, feeds: &str, step: &str, key: &str, output: &Output) -> LineageNode {
    let tracked = &output.tracked;
    let mut node = blank(depth, feeds, &format!("{step}.{key}"), "output");
    if output.type_name == NUMBER {
        node.value = tracked.value.clone();
    }
    node.unit.clone_from(&tracked.unit);
    node.uncertainty = Some(tracked.uncertainty.clone());
    node.provenance = Some(tracked.provenance.clone());
    node.scale = Some(tracked.scale);
    node.sealed = tracked.sealed;
    node
}

impl Lineage {
    /// The lineage as an indented text, one node a line.
    pub fn to_text(&self) -> String {
        const DEEPEST: usize = 40;
        let mut out = String::new();
        for node in &self.nodes {
            out.push_str(&"  ".repeat(node.depth.min(DEEPEST)));
            if !node.feeds.is_empty() {
                let _ = write!(out, "{} <- ", node.feeds);
            }
            out.push_str(&node_text(node));
            out.push('\n');
        }
        for mark in &self.retuned {
            let _ = writeln!(out, "re-tuned: {}.{} ({})", mark.step, mark.key, mark.reason);
        }
        out
    }

    /// The lineage as JSON: `{"quantity", "nodes": [...], "retuned": [...]}`.
    ///
    /// # Errors
    /// None for lineages made by [`why`].
    pub fn to_json(&self) -> Result<Value, StudyError> {
        crate::finite::to_finite_value(self)
            .map_err(|e| StudyError::Output { output: self.quantity.clone(), reason: e.to_string() })
    }
}

fn node_text(node: &LineageNode) -> String {
    let mut out = String::new();
    match (node.source, node.value.as_f64()) {
        ("output", Some(value)) => {
            let sigma = node.uncertainty.as_ref().and_then(Uncertainty::standard);
            let _ = write!(out, "{} = {}", node.name, value_with_uncertainty(value, sigma));
            if !node.unit.is_empty() {
                let _ = write!(out, " {}", node.unit);
            }
        }
        ("file", _) => {
            let hash = node.hash.as_deref().unwrap_or("");
            let _ = write!(out, "{} (BLAKE3 {})", node.name, &hash[..16.min(hash.len())]);
        }
        ("literal", Some(_)) => {
            out.push_str(&node.name);
            if let Some(sigma) = node.uncertainty.as_ref().and_then(Uncertainty::standard) {
                let _ = write!(out, " (standard uncertainty {sigma:.3e} {})", node.unit);
            }
        }
        _ => out.push_str(&node.name),
    }
    if let Some((factor, reason)) = &node.retuned {
        let _ = write!(out, ", RE-TUNED x {factor}: {reason}");
    }
    if let Some(provenance) = &node.provenance {
        let _ = write!(out, ", {provenance}");
    }
    if let Some(scale) = node.scale {
        let _ = write!(out, ", {scale} scale{}", if node.sealed { ", sealed" } else { "" });
    }
    if node.repeated {
        out.push_str(", inputs as above");
    }
    out
}
