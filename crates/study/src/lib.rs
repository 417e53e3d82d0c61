//! Studies: a TOML file of named steps becomes a checked graph, and the graph a run: cached by content, written
//! atomically, resumable after a kill at any moment, the same for any number of threads.
//!
//! # Study files
//!
//! ```toml
//! [study]
//! name = "licoo2"                            # required: a-z, 0-9, _ and -
//! title = "LiCoO2, from atoms to a cell"     # optional
//! seed = 2026                                # optional, 0 by default
//!
//! [steps.thermo]
//! kind = "montecarlo"                        # a registered kind
//! expansion = "@expand.ensemble"             # an output of another step
//! temperatures = ["280 K", "300 K"]          # quantities with their units
//! frames = "file:orderings.extxyz"           # a file, relative to the study file
//!
//! [steps.cell]
//! kind = "cell"
//! positive_radius = { value = "10 um", std = "0.5 um", doi = "10.1149/2.0341915jes", locator = "Table 1" }
//! positive_diffusivity = "@hop.diffusivity"
//!
//! [steps.cell.retune]                        # breaks a seal, on record
//! positive_diffusivity = { factor = 2.0, unseal = "PITT on this powder is twice as fast" }
//! ```
//! A literal may state its uncertainty (`std`, or `interval` and `level`, or `samples`) and its origin (`doi` and
//! `locator`, or `assumed`, or `data_set` and `method`). Quantities and numbers take literals or references to numbers of
//! their dimension; hand-offs take references only. [`Study::load`] collects every problem of a file as [`Diagnostics`].
//!
//! # Cache
//!
//! The key of a step is the BLAKE3 hash of its kind, algorithm revision, inputs and seed. Literals enter by their bits
//! in SI and their uncertainty, files by their content, references by the value they point to (an upstream change that
//! does not change that value stops there). Spelling, origins, paths, thread counts and hosts do not enter.
//!
//! # Seals
//!
//! What a step hands on is sealed at its scale. A step of a larger scale may multiply it only with a `retune` that says
//! why; every result downstream then carries the [`RetuneMark`].
//!
//! # Kinds
//!
//! The engine knows no physics. Kinds of steps are registered as [`StepKind`]s; each is a pure function of its inputs and
//! seed.
//!
//! ```
//! use scalade_record::{Scale, Uncertainty};
//! use scalade_study::*;
//! use scalade_units::dimension;
//! use std::path::Path;
//!
//! /// Time to diffuse through a particle, t = r^2 / D.
//! struct DiffusionTime(KindSpec);
//!
//! impl StepKind for DiffusionTime {
//!     fn spec(&self) -> &KindSpec {
//!         &self.0
//!     }
//!     fn run(&self, inputs: &Inputs, context: &StepContext<'_>) -> Result<Outputs, StepFailure> {
//!         let time = inputs.quantity_si("radius")?.powi(2) / inputs.quantity_si("diffusivity")?;
//!         let mut outputs = Outputs::new();
//!         outputs.number("time", context.tracked(time, "s", Uncertainty::none("not propagated"))?)?;
//!         Ok(outputs)
//!     }
//! }
//!
//! let spec = KindSpec::new("diffusion_time", 1, Scale::Particle, "time to diffuse through a particle")
//!     .input(InputSpec::new("radius", InputType::Quantity(dimension::LENGTH), "particle radius").positive())
//!     .input(InputSpec::new("diffusivity", InputType::Quantity(dimension::DIFFUSIVITY), "chemical").positive())
//!     .output(OutputSpec::number("time", "s", "r^2 / D"))
//!     .unseeded();
//! let mut registry = Registry::new();
//! registry.register(DiffusionTime(spec))?;
//!
//! let text = r#"
//! [study]
//! name = "particle"
//! [steps.slow]
//! kind = "diffusion_time"
//! radius = "5 um"
//! diffusivity = { value = "1e-14 m2/s", assumed = "a round number" }
//! "#;
//! let study = Study::from_text(text, Path::new("."), "particle.toml", &registry)?;
//! let directory = tempfile::tempdir()?;
//! let store = Store::open(directory.path())?;
//! let record = study.run(&store, &RunOptions::default())?;
//! let time = record.output("slow", "time").and_then(Output::number).expect("a number");
//! assert!((time.value - 2500.0).abs() < 1e-9);
//! // The same study again computes nothing.
//! assert_eq!(study.run(&store, &RunOptions::default())?.cached(), 1);
//! // Every number tells where it comes from.
//! assert!(why(&record, "slow.time")?.to_text().contains("assumed: a round number"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
extern crate self as scalade_study;

mod context;
mod diagnostic;
mod error;
mod finite;
mod graph;
mod inputs;
mod kind;
mod literal;
mod load;
mod outputs;
mod plan;
mod progress;
mod raw;
mod record;
mod resolve;
mod run;
mod schema;
mod spelling;
mod store;
mod study;
#[cfg(test)]
#[path = "../tests/toys/mod.rs"]
mod toys;
mod why;

pub use context::StepContext;
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use error::{FailureCategory, RunError, StepFailure, StudyError};
pub use inputs::Inputs;
pub use kind::{InputProblem, InputSpec, InputType, KindSpec, Need, OutputSpec, Registry, StepKind};
pub use outputs::{Citation, NUMBER, Output, Outputs, PLAIN};
pub use plan::{Plan, PlannedStep, Reason};
pub use progress::{Event, Progress, Silent};
pub use record::{FailureRecord, InputRecord, RetuneMark, RunRecord, StepRecord};
pub use run::RunOptions;
pub use schema::schema;
pub use spelling::did_you_mean;
pub use store::Store;
pub use study::{InputOverview, StepOverview, Study};
pub use why::{Lineage, LineageNode, why};
