//! Models of several species in TOML: what `scalade montecarlo MODEL.toml` reads where the energy is the expansion that `scalade expand --prim --write`
//! writes.
//!
//! ```toml
//! [lattice]
//! size = [4, 4, 4]                 # primitive cells along each lattice vector
//!
//! [energy]
//! expansion = "expansion.json"     # beside this file
//!
//! [run]
//! ensemble = "canonical"           # or semigrand
//! temperature = [600.0, 900.0]     # K
//! composition = { "Li+" = 0.5, "Mn3+" = 0.5, "O2-" = 1.0, "F-" = 0.0 }   # per formula unit, on the sites with a choice; one species may be left out: it fills them
//! # start = "start.extxyz"         # instead of a composition: copies of a structure
//! # chemical_potential = [{ "Li+" = -1.0 }]     # eV, semigrand; 0 for the others
//! # charge_neutral = true          # semigrand: moves keep the charge
//! # frozen = [3]                   # sublattices that stay, numbered from 0
//! # exchanges = [["Li+", "Vac"]]   # only these take each other's place
//! precision = 1e-4                 # standard error wanted on the energy, eV per formula unit
//! seed = 1
//! # write = "last.extxyz"          # the last arrangement of each point
//! ```

use crate::error::ScaladeError;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Most points of one file.
const MOST_POINTS: usize = 10_000;

/// A number or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn into_list(self) -> Vec<T> {
        match self {
            Self::One(item) => vec![item],
            Self::Many(list) => list,
        }
    }
}

/// What stays fixed in number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum EnsembleName {
    Canonical,
    Semigrand,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    lattice: RawLattice,
    energy: RawEnergy,
    run: RawRun,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLattice {
    size: [usize; 3],
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEnergy {
    /// Read before: it tells that this is a model of several species.
    #[serde(rename = "expansion")]
    _expansion: String,
    unit: Option<String>,
    sample: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRun {
    ensemble: EnsembleName,
    temperature: OneOrMany<f64>,
    composition: Option<BTreeMap<String, f64>>,
    start: Option<String>,
    chemical_potential: Option<OneOrMany<BTreeMap<String, f64>>>,
    #[serde(default)]
    charge_neutral: bool,
    #[serde(default)]
    frozen: Vec<usize>,
    #[serde(default)]
    exchanges: Vec<[String; 2]>,
    precision: Option<f64>,
    #[serde(default)]
    seed: u64,
    max_moves: Option<u64>,
    #[serde(default)]
    exact: bool,
    write: Option<String>,
}

/// Where a run starts.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// Atoms and vacancies per formula unit, at random.
    Composition(BTreeMap<String, f64>),
    /// Copies of a structure from a file.
    Structure(String),
    /// The first species of every site.
    First,
}

/// A model file.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeciesModelFile {
    /// Primitive cells along each lattice vector.
    pub size: [usize; 3],
    /// Sample of the posterior to take instead of the best coefficients, counted from 0.
    pub sample: Option<usize>,
    /// Where a run starts.
    pub start: Start,
    /// Chemical potentials of each point, eV; none in the canonical ensemble.
    pub chemical_potentials_ev: Option<Vec<BTreeMap<String, f64>>>,
    /// Whether moves keep the charge.
    pub neutral: bool,
    /// Sublattices that stay.
    pub frozen: Vec<usize>,
    /// Species that take each other's place.
    pub exchanges: Vec<[String; 2]>,
    /// Temperatures, K.
    pub temperature_k: Vec<f64>,
    /// Standard error wanted on the energy, eV per formula unit.
    pub precision_ev: f64,
    /// Seed of the random streams.
    pub seed: u64,
    /// Most moves of a point.
    pub most_moves: Option<u64>,
    /// Exact sums instead of sampling.
    pub exact: bool,
    /// File for the last arrangements.
    pub write: Option<String>,
}

impl SpeciesModelFile {
    /// Reads a model; `file` is what messages call it.
    pub fn parse(text: &str, file: &str) -> Result<Self, ScaladeError> {
        let bad = |problem: String| ScaladeError::input(format!("{file}: {problem}"));
        let raw: RawFile = toml::from_str(text).map_err(|e| bad(e.to_string().trim_end().to_string()))?;
        if raw.energy.unit.as_deref().is_some_and(|u| u != "eV") {
            return Err(bad("[energy] unit: the coefficients of an expansion are in eV".into()));
        }
        let run = raw.run;
        let open = run.ensemble == EnsembleName::Semigrand;
        if !open && (run.chemical_potential.is_some() || run.charge_neutral) {
            return Err(bad(
                "[run] chemical_potential and charge_neutral belong to ensemble = \"semigrand\"".into(),
            ));
        }
        let start = match (run.composition, run.start) {
            (Some(_), Some(_)) => {
                return Err(bad("[run] start stands beside composition; give one of them".into()));
            }
            (Some(composition), None) => Start::Composition(composition),
            (None, Some(name)) => Start::Structure(name),
            (None, None) if open && !run.charge_neutral => Start::First,
            (None, None) => {
                return Err(bad(
                    "[run] composition is missing: give the atoms per formula unit, such as { \"Li+\" = 0.5 }, or start = \"FILE\""
                        .into(),
                ));
            }
        };
        let temperature_k = run.temperature.into_list();
        if let Some(t) = temperature_k.iter().find(|t| !(**t > 0.0 && t.is_finite())) {
            return Err(bad(format!("[run] temperature is {t}; positive numbers are due")));
        }
        let precision_ev = run.precision.unwrap_or(1e-3);
        if !(precision_ev > 0.0 && precision_ev.is_finite()) {
            return Err(bad(format!("[run] precision is {precision_ev}; a positive number is due")));
        }
        let potentials =
            open.then(|| run.chemical_potential.map_or_else(|| vec![BTreeMap::new()], OneOrMany::into_list));
        let points = temperature_k.len() * potentials.as_ref().map_or(1, Vec::len);
        if points == 0 || points > MOST_POINTS {
            return Err(bad(format!("[run] gives {points} points; 1 to {MOST_POINTS} are possible")));
        }
        if raw.lattice.size.contains(&0) {
            return Err(bad("[lattice] size holds a 0; integers from 1 are due".into()));
        }
        Ok(Self {
            size: raw.lattice.size,
            sample: raw.energy.sample,
            start,
            chemical_potentials_ev: potentials,
            neutral: run.charge_neutral,
            frozen: run.frozen,
            exchanges: run.exchanges,
            temperature_k,
            precision_ev,
            seed: run.seed,
            most_moves: run.max_moves,
            exact: run.exact,
            write: run.write,
        })
    }
}
