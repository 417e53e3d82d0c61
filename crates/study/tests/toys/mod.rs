//! Toy kinds of steps for the tests.
#![allow(dead_code, clippy::unwrap_used, missing_docs)]

use scalade_record::{Scale, Uncertainty};
use scalade_study::{
    InputProblem, InputSpec, InputType, Inputs, KindSpec, OutputSpec, Outputs, Registry, StepContext,
    StepFailure, StepKind,
};
use scalade_units::dimension;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How often each step ran.
pub type Runs = Arc<Mutex<BTreeMap<String, usize>>>;

type Body = fn(&Inputs, &StepContext<'_>) -> Result<Outputs, StepFailure>;

struct Toy {
    spec: KindSpec,
    body: Body,
    runs: Runs,
}

impl StepKind for Toy {
    fn spec(&self) -> &KindSpec {
        &self.spec
    }

    fn validate(&self, inputs: &Inputs) -> Vec<InputProblem> {
        let (Ok(low), Ok(high)) = (inputs.number("low"), inputs.number("high")) else { return vec![] };
        if low <= high {
            return vec![];
        }
        vec![InputProblem {
            key: "high".into(),
            message: format!("{high} is below low = {low}"),
            help: Some("swap the two".into()),
        }]
    }

    fn estimate_seconds(&self, inputs: &Inputs) -> Option<f64> {
        inputs.integer("rounds").ok().map(|n| n as f64 * 1e-3)
    }

    fn run(&self, inputs: &Inputs, context: &StepContext<'_>) -> Result<Outputs, StepFailure> {
        *self.runs.lock().unwrap().entry(context.step().to_string()).or_default() += 1;
        (self.body)(inputs, context)
    }

    fn scale_handoff(&self, key: &str, value: Value, factor: f64) -> Result<Value, String> {
        match value {
            Value::Array(items) => {
                Ok(items.iter().map(|x| Value::from(x.as_f64().unwrap_or(0.0) * factor)).collect())
            }
            _ => Err(format!("{key} is no series")),
        }
    }
}

fn number(context: &StepContext<'_>, key: &str, value: f64, unit: &str) -> Result<Outputs, StepFailure> {
    let mut outputs = Outputs::new();
    outputs
        .number(key, context.tracked(value, unit, Uncertainty::Standard { value: value.abs() * 0.01 })?)?;
    outputs.cite(format!("The authors of {}", context.step()), None);
    Ok(outputs)
}

fn add(inputs: &Inputs, context: &StepContext<'_>) -> Result<Outputs, StepFailure> {
    let sum = inputs.quantity_si("a")? + inputs.quantity_si("b")?;
    number(context, "sum", sum, "m")
}

/// Its output does not change below a millimetre: an upstream that ends early.
fn round(inputs: &Inputs, context: &StepContext<'_>) -> Result<Outputs, StepFailure> {
    number(context, "value", (inputs.quantity_si("a")? * 1e3).round(), "mm")
}

fn count(inputs: &Inputs, context: &StepContext<'_>) -> Result<Outputs, StepFailure> {
    let bytes = inputs.bytes("file")?;
    let mut outputs = number(context, "bytes", bytes.len() as f64, "")?;
    outputs.plain("histogram", &[1.0, 2.0])?;
    outputs.warn("counted");
    Ok(outputs)
}

/// A series of pseudo-random numbers: a function of the seed alone, computed on all threads.
fn noise(inputs: &Inputs, context: &StepContext<'_>) -> Result<Outputs, StepFailure> {
    use rayon::prelude::*;
    let n = inputs.count("n")?;
    let seed = context.seed();
    let series: Vec<f64> =
        context.install(|| (0..n as u64).into_par_iter().map(|i| hash(seed ^ i)).collect());
    let mean = series.iter().sum::<f64>() / n as f64;
    let mut outputs = number(context, "mean", mean, "")?;
    outputs.hand_off("series", "Series", context.tracked(series, "", Uncertainty::none("exact"))?)?;
    Ok(outputs)
}

fn hash(x: u64) -> f64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

fn total(inputs: &Inputs, context: &StepContext<'_>) -> Result<Outputs, StepFailure> {
    let series = inputs.hand_off::<Vec<f64>>("series")?;
    let mut sum: f64 = series.value.iter().sum();
    if inputs.has("more") {
        sum += inputs.hand_offs::<Vec<f64>>("more")?.iter().flat_map(|t| t.value.clone()).sum::<f64>();
    }
    number(context, "total", sum * inputs.number("weight")?, "")
}

/// A long iteration with a checkpoint after each round.
fn slow(inputs: &Inputs, context: &StepContext<'_>) -> Result<Outputs, StepFailure> {
    let rounds = inputs.integer("rounds")?;
    let (mut round, mut state) = (0, 0.5);
    if let Some(bytes) = context.checkpoint_load("state") {
        let text = String::from_utf8(bytes).map_err(StepFailure::internal)?;
        let (a, b) = text.split_once(' ').unwrap();
        (round, state) = (a.parse().unwrap(), f64::from_bits(b.parse().unwrap()));
    }
    while round < rounds {
        if context.cancelled() {
            return Err(StepFailure::Interrupted);
        }
        state = hash(f64::to_bits(state) ^ context.seed());
        round += 1;
        std::thread::sleep(Duration::from_millis(1));
        if context.checkpoint_due() {
            context.checkpoint_store("state", format!("{round} {}", state.to_bits()).as_bytes())?;
        }
        context.progress(round as f64 / rounds as f64, "iterating");
    }
    let mut outputs = number(context, "state", state, "")?;
    outputs.plain("rounds", &rounds)?;
    Ok(outputs)
}

fn stall(_: &Inputs, context: &StepContext<'_>) -> Result<Outputs, StepFailure> {
    let partial = Box::new(number(context, "value", 1.5, "m")?);
    Err(StepFailure::NotConverged { message: "potential at node 3, residual 2e-3".into(), partial })
}

fn nan(_: &Inputs, context: &StepContext<'_>) -> Result<Outputs, StepFailure> {
    let mut outputs = Outputs::new();
    let curve = BTreeMap::from([("voltage", vec![4.1, f64::NAN])]);
    outputs.hand_off("value", "Curve", context.tracked(curve, "", Uncertainty::none("exact"))?)?;
    Ok(outputs)
}

#[allow(clippy::panic)]
fn panic(_: &Inputs, _: &StepContext<'_>) -> Result<Outputs, StepFailure> {
    panic!("index out of bounds")
}

fn fail(_: &Inputs, _: &StepContext<'_>) -> Result<Outputs, StepFailure> {
    Err(StepFailure::bad_input("a", "the lattice is singular"))
}

fn undeclared(_: &Inputs, context: &StepContext<'_>) -> Result<Outputs, StepFailure> {
    number(context, "other", 1.0, "m")
}

fn many(inputs: &Inputs, context: &StepContext<'_>) -> Result<Outputs, StepFailure> {
    let sum: f64 = inputs.quantities_si("temperatures")?.iter().sum();
    number(context, "value", sum, "K")
}

fn length(key: &str) -> InputSpec {
    InputSpec::new(key, InputType::Quantity(dimension::LENGTH), "a length")
}

/// The toy kinds; `revision` is that of `add`.
pub fn registry_at(revision: u32) -> (Registry, Runs) {
    let runs = Runs::default();
    let mut registry = Registry::new();
    let mut register = |spec: KindSpec, body: Body| {
        registry.register(Toy { spec, body, runs: Arc::clone(&runs) }).unwrap();
    };
    let kind = |name: &str, revision, scale| KindSpec::new(name, revision, scale, "a toy");
    let out = OutputSpec::number;
    register(
        kind("add", revision, Scale::Atomic)
            .input(length("a"))
            .input(length("b").default("1 m"))
            .output(out("sum", "m", "a + b"))
            .unseeded(),
        add,
    );
    register(
        kind("round", 1, Scale::Cell).input(length("a")).output(out("value", "mm", "rounded")).unseeded(),
        round,
    );
    register(
        kind("count", 1, Scale::Atomic)
            .input(InputSpec::new("file", InputType::File, "a file"))
            .output(out("bytes", "", "its length"))
            .unseeded(),
        count,
    );
    register(
        kind("noise", 1, Scale::Lattice)
            .input(InputSpec::new("n", InputType::Integer { min: Some(1), max: Some(1_000_000) }, "length"))
            .output(out("mean", "", "mean"))
            .output(OutputSpec::hand_off("series", "Series", "the numbers")),
        noise,
    );
    register(
        kind("total", 1, Scale::Cell)
            .input(InputSpec::new("series", InputType::hand_off("Series"), "a series"))
            .input(InputSpec::new("more", InputType::hand_off("Series").list(), "more series").optional())
            .input(InputSpec::new("weight", InputType::number_within(0.0, 10.0), "a weight").default(1.0))
            .output(out("total", "", "weighted sum"))
            .unseeded(),
        total,
    );
    register(
        kind("slow", 1, Scale::Particle)
            .input(InputSpec::new("rounds", InputType::integer_from(1), "number of rounds"))
            .input(InputSpec::new("start", InputType::number(), "a number to wait for").optional())
            .output(out("state", "", "last state")),
        slow,
    );
    register(
        kind("many", 1, Scale::Lattice)
            .input(
                InputSpec::new(
                    "temperatures",
                    InputType::Quantity(dimension::TEMPERATURE).list(),
                    "temperatures",
                )
                .positive(),
            )
            .input(
                InputSpec::new("method", InputType::choice(&["metropolis", "heat_bath"]), "method")
                    .default("metropolis"),
            )
            .input(InputSpec::new("label", InputType::Text, "a label").optional())
            .input(InputSpec::new("fast", InputType::Boolean, "a switch").default(false))
            .input(InputSpec::new("low", InputType::number(), "low end").optional())
            .input(InputSpec::new("high", InputType::number(), "high end").optional())
            .output(out("value", "K", "their sum")),
        many,
    );
    for (name, body) in
        [("stall", stall as Body), ("nan", nan), ("panic", panic), ("fail", fail), ("undeclared", undeclared)]
    {
        let output = if name == "nan" {
            OutputSpec::hand_off("value", "Curve", "a curve")
        } else {
            out("value", "m", "nothing")
        };
        register(kind(name, 1, Scale::Particle).input(length("a").optional()).output(output), body);
    }
    (registry, runs)
}

/// The toy kinds.
pub fn registry() -> (Registry, Runs) {
    registry_at(1)
}

/// How often a step ran.
pub fn ran(runs: &Runs, step: &str) -> usize {
    runs.lock().unwrap().get(step).copied().unwrap_or(0)
}

/// How often any step ran.
pub fn ran_in_all(runs: &Runs) -> usize {
    runs.lock().unwrap().values().sum()
}
