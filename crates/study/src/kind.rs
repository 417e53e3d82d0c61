//! What a step is: its kind, the kind's inputs and outputs, and the registry of kinds.

use crate::context::StepContext;
use crate::error::{StepFailure, StudyError};
use crate::inputs::Inputs;
use crate::literal;
use crate::outputs::{NUMBER, Outputs, PLAIN};
use scalade_record::Scale;
use scalade_units::{Dimension, Quantity, dimension};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Type of an input of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum InputType {
    /// A physical quantity: `"3.9e-14 m2/s"`, or a reference to a number of the same dimension.
    Quantity(Dimension),
    /// A pure number within bounds (both included), or a reference to a dimensionless number.
    Number {
        /// Least value.
        min: Option<f64>,
        /// Greatest value.
        max: Option<f64>,
    },
    /// An integer within bounds (both included).
    Integer {
        /// Least value.
        min: Option<i64>,
        /// Greatest value.
        max: Option<i64>,
    },
    /// Any text.
    Text,
    /// One of the listed words.
    Choice(Vec<String>),
    /// `true` or `false`.
    Boolean,
    /// A file: `"file:orderings.extxyz"`, relative to the study file.
    File,
    /// A list of values of one type.
    List(Box<InputType>),
    /// A hand-off of this type name; only a reference can give it.
    HandOff(String),
}

impl InputType {
    /// Any number.
    pub fn number() -> Self {
        Self::Number { min: None, max: None }
    }

    /// A number within bounds, both included.
    pub fn number_within(min: f64, max: f64) -> Self {
        Self::Number { min: Some(min), max: Some(max) }
    }

    /// An integer not less than `min`.
    pub fn integer_from(min: i64) -> Self {
        Self::Integer { min: Some(min), max: None }
    }

    /// One of the given words.
    pub fn choice(words: &[&str]) -> Self {
        Self::Choice(words.iter().map(ToString::to_string).collect())
    }

    /// A hand-off by type name.
    pub fn hand_off(type_name: &str) -> Self {
        Self::HandOff(type_name.to_string())
    }

    /// A list of this type.
    #[must_use]
    pub fn list(self) -> Self {
        Self::List(Box::new(self))
    }

    /// What a message calls it ("a diffusivity").
    pub(crate) fn described(&self) -> String {
        match self {
            Self::Quantity(d) => match d.name() {
                Some(name) => format!("{name} with its unit ({})", scalade_units::accepted_units(*d)),
                None => format!("a quantity in {d}"),
            },
            Self::Number { .. } => "a number".into(),
            Self::Integer { .. } => "an integer".into(),
            Self::Text => "a text".into(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Boolean => "true or false".into(),
            Self::File => "a file, written \"file:path\"".into(),
            Self::List(inner) => format!("a list of which each item is {}", inner.described()),
            Self::HandOff(name) => format!("a reference to a {name}, written \"@step.output\""),
        }
    }
}

/// Whether an input must be given.
#[derive(Clone, Debug, PartialEq)]
pub enum Need {
    /// It must be given.
    Required,
    /// It may be absent; the step asks [`Inputs::has`].
    Optional,
    /// When absent it has this value, written as in a study file (text for quantities).
    Default(Value),
}

/// One input of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct InputSpec {
    /// Key in the study file.
    pub key: String,
    /// Type of the value.
    pub kind: InputType,
    /// Required, optional or defaulted.
    pub need: Need,
    /// Quantities: only values > 0 are accepted (each item, for a list).
    pub positive: bool,
    /// Quantities: bounds in SI, both included (each item, for a list).
    pub range_si: Option<(f64, f64)>,
    /// What it is, in one line.
    pub about: String,
}

impl InputSpec {
    /// A required input.
    pub fn new(key: &str, kind: InputType, about: &str) -> Self {
        let (key, about) = (key.to_string(), about.to_string());
        Self { key, kind, need: Need::Required, positive: false, range_si: None, about }
    }

    /// The same, with a default written as in a study file: `.default("298.15 K")`, `.default(3)`, `.default(true)`.
    #[must_use]
    pub fn default(mut self, literal: impl Into<Value>) -> Self {
        self.need = Need::Default(literal.into());
        self
    }

    /// The same, optional and without a default.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.need = Need::Optional;
        self
    }

    /// The same; a value <= 0 is refused.
    #[must_use]
    pub fn positive(mut self) -> Self {
        self.positive = true;
        self
    }

    /// The same; a value outside `[low, high]` (SI) is refused.
    #[must_use]
    pub fn within_si(mut self, low: f64, high: f64) -> Self {
        self.range_si = Some((low, high));
        self
    }

    /// What is wrong with a value in SI, if anything.
    pub(crate) fn out_of_range(&self, si: f64, dimension: Dimension) -> Option<String> {
        let shown =
            |x: f64| Quantity::from_si(x, dimension).map_or_else(|_| x.to_string(), |q| q.to_string());
        if self.positive && si <= 0.0 {
            return Some(format!("{} is not greater than zero", shown(si)));
        }
        match self.range_si {
            Some((low, high)) if !(low..=high).contains(&si) => {
                Some(format!("{} is outside {} to {}", shown(si), shown(low), shown(high)))
            }
            _ => None,
        }
    }
}

/// One output of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputSpec {
    /// Key, as in `@step.key`.
    pub key: String,
    /// `"number"`, or the name of a hand-off type.
    pub type_name: String,
    /// Unit of a number; empty for pure numbers and for hand-offs.
    pub unit: String,
    /// What it is, in one line.
    pub about: String,
}

impl OutputSpec {
    /// A tracked number in `unit`.
    pub fn number(key: &str, unit: &str, about: &str) -> Self {
        Self { key: key.into(), type_name: NUMBER.into(), unit: unit.into(), about: about.into() }
    }

    /// A hand-off.
    pub fn hand_off(key: &str, type_name: &str, about: &str) -> Self {
        Self { key: key.into(), type_name: type_name.into(), unit: String::new(), about: about.into() }
    }

    /// Dimension of a number; `None` for hand-offs.
    pub fn dimension(&self) -> Option<Dimension> {
        (self.type_name == NUMBER).then(|| unit_dimension(&self.unit)).flatten()
    }
}

/// Dimension of a unit symbol; the empty symbol is a pure number.
pub(crate) fn unit_dimension(unit: &str) -> Option<Dimension> {
    if unit.is_empty() {
        return Some(dimension::NONE);
    }
    format!("1 {unit}").parse::<Quantity>().ok().map(Quantity::dimension)
}

/// A kind of step: name, algorithm revision, scale, inputs, outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct KindSpec {
    /// Name in study files.
    pub name: String,
    /// Revision of the algorithm: raise it whenever results change, and only then.
    pub revision: u32,
    /// Scale at which the step identifies its outputs.
    pub scale: Scale,
    /// What it does, in one line.
    pub about: String,
    /// Inputs.
    pub inputs: Vec<InputSpec>,
    /// Outputs; auxiliary data need no entry here.
    pub outputs: Vec<OutputSpec>,
    /// Whether results depend on the seed. A kind without randomness says no, and is then not run again for another seed.
    pub seeded: bool,
}

impl KindSpec {
    /// A kind without inputs and outputs, whose results depend on the seed.
    pub fn new(name: &str, revision: u32, scale: Scale, about: &str) -> Self {
        Self {
            name: name.into(),
            revision,
            scale,
            about: about.into(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            seeded: true,
        }
    }

    /// With one more input.
    #[must_use]
    pub fn input(mut self, input: InputSpec) -> Self {
        self.inputs.push(input);
        self
    }

    /// With one more output.
    #[must_use]
    pub fn output(mut self, output: OutputSpec) -> Self {
        self.outputs.push(output);
        self
    }

    /// The same, without randomness: the seed is not part of its cache key, and the context gives seed 0.
    #[must_use]
    pub fn unseeded(mut self) -> Self {
        self.seeded = false;
        self
    }

    /// Specification of an input.
    pub fn find_input(&self, key: &str) -> Option<&InputSpec> {
        self.inputs.iter().find(|i| i.key == key)
    }

    /// Specification of an output.
    pub fn find_output(&self, key: &str) -> Option<&OutputSpec> {
        self.outputs.iter().find(|o| o.key == key)
    }
}

/// A problem that a kind finds in its own inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct InputProblem {
    /// Key of the input.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// A kind of step. A step is a pure function of its inputs and seed: no globals, no environment, no clock.
pub trait StepKind: Send + Sync {
    /// Name, revision, scale, inputs, outputs.
    fn spec(&self) -> &KindSpec;

    /// Problems that types and bounds cannot tell (two inputs that contradict each other). Called when a study is
    /// checked, when references are still [`StudyError::Pending`], and again before the step runs.
    fn validate(&self, _inputs: &Inputs) -> Vec<InputProblem> {
        Vec::new()
    }

    /// Estimated cost in seconds of one thread, if it can be told. References may be pending.
    fn estimate_seconds(&self, _inputs: &Inputs) -> Option<f64> {
        None
    }

    /// Runs the step.
    ///
    /// # Errors
    /// Bad input, no convergence (with partial outputs), a defect, or an interruption.
    fn run(&self, inputs: &Inputs, context: &StepContext) -> Result<Outputs, StepFailure>;

    /// A hand-off multiplied by `factor`, for a `retune` on input `key`. The default knows numbers only; a kind that allows
    /// its hand-offs to be re-tuned says here what a multiple of one is.
    ///
    /// # Errors
    /// A message that says why this hand-off cannot be multiplied.
    fn scale_handoff(&self, key: &str, value: Value, factor: f64) -> Result<Value, String> {
        match value.as_f64() {
            Some(x) => Ok(Value::from(x * factor)),
            None => Err(format!("the hand-off \"{key}\" cannot be multiplied by a factor")),
        }
    }
}

/// The kinds that studies may use, in the order of their names.
#[derive(Clone, Default)]
pub struct Registry {
    kinds: BTreeMap<String, Arc<dyn StepKind>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.kinds.keys()).finish()
    }
}

/// Keys of a step's table that are not inputs.
pub(crate) const RESERVED: [&str; 2] = ["kind", "retune"];

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind.
    ///
    /// # Errors
    /// A name that exists already, a reserved or doubled key, an unreadable unit or default.
    pub fn register(&mut self, kind: impl StepKind + 'static) -> Result<(), StudyError> {
        let spec = kind.spec();
        let name = spec.name.clone();
        let refuse = |reason: String| StudyError::Registration { kind: name.clone(), reason };
        if !is_name(&spec.name) {
            return Err(refuse("its name must consist of letters, digits, _ and -".into()));
        }
        if self.kinds.contains_key(&spec.name) {
            return Err(refuse("another kind has this name".into()));
        }
        let mut seen = BTreeSet::new();
        for input in &spec.inputs {
            if !is_name(&input.key) || RESERVED.contains(&input.key.as_str()) {
                return Err(refuse(format!("\"{}\" cannot be the key of an input", input.key)));
            }
            if !seen.insert(&input.key) {
                return Err(refuse(format!("the input \"{}\" is given twice", input.key)));
            }
            literal::check_default(input).map_err(|reason| {
                refuse(format!("the default of \"{}\" is not valid: {reason}", input.key))
            })?;
        }
        let mut seen = BTreeSet::new();
        for output in &spec.outputs {
            if output.key.is_empty() || output.type_name.is_empty() || output.type_name == PLAIN {
                return Err(refuse(format!("the output \"{}\" needs a key and a type name", output.key)));
            }
            if !seen.insert(&output.key) {
                return Err(refuse(format!("the output \"{}\" is given twice", output.key)));
            }
            if unit_dimension(&output.unit).is_none() {
                return Err(refuse(format!("\"{}\" of \"{}\" is no unit", output.unit, output.key)));
            }
        }
        self.kinds.insert(name, Arc::new(kind));
        Ok(())
    }

    /// A kind by name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn StepKind>> {
        self.kinds.get(name)
    }

    /// All kinds in the order of their names.
    pub fn kinds(&self) -> impl Iterator<Item = &dyn StepKind> {
        self.kinds.values().map(AsRef::as_ref)
    }

    /// All names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }
}

/// Letters, digits, `_`, `-`; 1 to 128 of them.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}
