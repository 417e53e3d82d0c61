//! Lattice models in TOML: what `scalade montecarlo MODEL.toml` reads.
//!
//! ```toml
//! [lattice]
//! name = "square"            # chain square triangular honeycomb sc bcc fcc diamond hcp, nearest neighbours at distance 1
//! size = [16, 16]            # primitive cells along each dimension
//! # structure = "POSCAR"     # instead of a name: all atoms are sites, three sizes
//!
//! [energy]
//! basis = "spin"             # spin: E = sum pairs[k] s s' over the bonds of shell k, each once; occupation: n n'
//! pairs = [-1.0]             # one per neighbour shell, nearest first
//! unit = "1"                 # "1": kB = 1, one unit for energies and temperature; "eV": energies in eV, temperature in K
//!
//! [run]
//! ensemble = "semigrand"     # semigrand canonical vcsgc wang-landau
//! temperature = [2.5]
//! chemical_potential = [0.0] # of an occupied site (spin +1), in both bases
//! precision = 5e-4           # standard error wanted on the energy per site
//! seed = 1
//!
//! [reweighting]              # optional: all points of a semigrand run together, and what they tell anywhere between them
//! temperature = [2.5]        # default: those of the run
//! chemical_potential = [0.1, 0.2]
//! samples = 2048             # configurations kept of every point
//! ```

use crate::error::ScaladeError;
use scalade_crystal::NamedLattice;
use scalade_lattice::model::{Algorithm, Variables};
use scalade_study::did_you_mean;
use toml::{Table, Value};

/// Most points of one file.
const MOST_POINTS: usize = 10_000;

/// Where the sites come from.
#[derive(Clone, Debug, PartialEq)]
pub enum LatticeSource {
    /// A named lattice.
    Named(NamedLattice),
    /// A structure file, beside the model file unless absolute.
    Structure(String),
    /// The lattice of the expansion.
    Expansion,
}

/// Where the energies come from.
#[derive(Clone, Debug, PartialEq)]
pub enum EnergySource {
    /// Pair energies by shell.
    Pairs {
        /// What they multiply.
        variables: Variables,
        /// One per shell.
        pairs: Vec<f64>,
    },
    /// A cluster expansion, JSON of a `LatticeHamiltonian`, beside the model file unless absolute.
    Expansion(String),
}

/// What is held fixed.
#[derive(Clone, Debug, PartialEq)]
pub enum Ensemble {
    /// Temperature and chemical potentials.
    SemiGrand {
        /// Chemical potentials of an occupied site.
        chemical_potential: Vec<f64>,
    },
    /// Temperature and concentrations.
    Canonical {
        /// Occupied sites over sites.
        concentration: Vec<f64>,
    },
    /// Temperature and a variance constraint.
    VarianceConstrained {
        /// Average constraint, by icet's convention between -2 and 0 for concentrations of 1 to 0.
        phi: Vec<f64>,
        /// Variance constraint.
        kappa: f64,
    },
    /// All energies at once.
    WangLandau,
}

/// Where all points of a run are reweighted to.
#[derive(Clone, Debug, PartialEq)]
pub struct ReweightingRequest {
    /// Temperatures.
    pub temperature: Vec<f64>,
    /// Chemical potentials of an occupied site.
    pub chemical_potential: Vec<f64>,
    /// Configurations kept of every sampled point.
    pub samples: usize,
}

/// A model file.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFile {
    /// Sites.
    pub lattice: LatticeSource,
    /// Primitive cells along each dimension.
    pub size: Vec<usize>,
    /// Energies.
    pub energy: EnergySource,
    /// Whether energies are in eV and temperatures in K.
    pub electronvolt: bool,
    /// What is held fixed.
    pub ensemble: Ensemble,
    /// Temperatures.
    pub temperature: Vec<f64>,
    /// Standard error wanted on the energy per site.
    pub precision: f64,
    /// Seed of the random streams.
    pub seed: u64,
    /// Exact sum instead of sampling.
    pub exact: bool,
    /// Whether neighbouring points exchange configurations.
    pub replica_exchange: bool,
    /// How configurations are updated.
    pub algorithm: Algorithm,
    /// Most trial moves of a point.
    pub most_moves: Option<u64>,
    /// What is asked of all points together.
    pub reweighting: Option<ReweightingRequest>,
}

pub(crate) fn bad(message: impl Into<String>) -> ScaladeError {
    ScaladeError::input(message)
}

/// A table of the file with its name.
pub(crate) struct Section<'a> {
    pub(crate) file: &'a str,
    name: &'a str,
    pub(crate) table: &'a Table,
}

/// Refuses keys that nothing reads.
pub(crate) fn known(file: &str, place: &str, table: &Table, keys: &[&str]) -> Result<(), ScaladeError> {
    for key in table.keys() {
        if !keys.contains(&key.as_str()) {
            let short: String = key.chars().take(60).collect();
            let hint = did_you_mean(key, keys.iter().copied())
                .unwrap_or_else(|| format!("known are {}", keys.join(", ")));
            return Err(bad(format!("{file}: {place}unknown key \"{short}\"; {hint}")));
        }
    }
    Ok(())
}

impl<'a> Section<'a> {
    pub(crate) fn of(
        file: &'a str,
        root: &'a Table,
        name: &'a str,
        keys: &[&str],
    ) -> Result<Self, ScaladeError> {
        let table = match root.get(name) {
            Some(Value::Table(table)) => table,
            Some(_) => return Err(bad(format!("{file}: {name} is no table; write [{name}]"))),
            None => return Err(bad(format!("{file}: the table [{name}] is missing"))),
        };
        known(file, &format!("[{name}] "), table, keys)?;
        Ok(Self { file, name, table })
    }

    /// A table that was found elsewhere.
    pub(crate) fn over(file: &'a str, name: &'a str, table: &'a Table) -> Self {
        Self { file, name, table }
    }

    pub(crate) fn wrong(&self, key: &str, what: &str, want: &str) -> ScaladeError {
        bad(format!("{}: [{}] {key} {what}; {want}", self.file, self.name))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(crate) fn missing(&self, key: &str, want: &str) -> ScaladeError {
        self.wrong(key, "is missing", want)
    }

    pub(crate) fn text(&self, key: &str, want: &str) -> Result<Option<&'a str>, ScaladeError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(key, &format!("is of type {}", other.type_str()), want)),
        }
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<Option<T>, ScaladeError> {
        let names: Vec<&str> = words.iter().map(|w| w.0).collect();
        let want = format!("one of {} is due", names.join(", "));
        let Some(text) = self.text(key, &want)? else { return Ok(None) };
        if let Some((_, value)) = words.iter().find(|w| w.0 == text) {
            return Ok(Some(*value));
        }
        let short: String = text.chars().take(60).collect();
        let hint = did_you_mean(text, names.iter().copied()).unwrap_or(want);
        Err(self.wrong(key, &format!("is \"{short}\""), &hint))
    }

    pub(crate) fn flag(&self, key: &str) -> Result<bool, ScaladeError> {
        match self.table.get(key) {
            None => Ok(false),
            Some(Value::Boolean(flag)) => Ok(*flag),
            Some(other) => {
                Err(self.wrong(key, &format!("is of type {}", other.type_str()), "true or false is due"))
            }
        }
    }

    pub(crate) fn count(&self, key: &str) -> Result<Option<u64>, ScaladeError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::Integer(n)) if *n >= 0 => Ok(Some(*n as u64)),
            Some(Value::Float(x)) if *x >= 0.0 && *x <= 1e18 && x.fract() == 0.0 => Ok(Some(*x as u64)),
            Some(other) => {
                let what = format!("is {}", shown(other));
                Err(self.wrong(key, &what, "an integer that is not negative is due"))
            }
        }
    }

    /// A number or a list of numbers, each of which must hold.
    pub(crate) fn numbers(
        &self,
        key: &str,
        holds: impl Fn(f64) -> bool,
        want: &str,
    ) -> Result<Option<Vec<f64>>, ScaladeError> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let single = std::slice::from_ref(value);
        let (items, list) = match value {
            Value::Array(items) => (items.as_slice(), true),
            _ => (single, false),
        };
        if items.is_empty() {
            return Err(self.wrong(key, "is empty", want));
        }
        if items.len() > MOST_POINTS {
            return Err(self.wrong(
                key,
                &format!("has {} entries", items.len()),
                "at most 10000 are possible",
            ));
        }
        let mut out = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let number = match item {
                Value::Integer(n) => Some(*n as f64),
                Value::Float(x) => Some(*x),
                _ => None,
            };
            let Some(x) = number.filter(|x| x.is_finite() && holds(*x)) else {
                let place = if list { format!("{key}[{index}]") } else { key.to_string() };
                return Err(self.wrong(&place, &format!("is {}", shown(item)), want));
            };
            out.push(x);
        }
        Ok(Some(out))
    }

    pub(crate) fn number(
        &self,
        key: &str,
        holds: impl Fn(f64) -> bool,
        want: &str,
    ) -> Result<Option<f64>, ScaladeError> {
        match self.table.get(key) {
            Some(Value::Array(_)) => Err(self.wrong(key, "is a list", want)),
            _ => Ok(self.numbers(key, holds, want)?.map(|v| v[0])),
        }
    }
}

/// A value for a message, cut.
fn shown(value: &Value) -> String {
    match value {
        Value::Float(x) => format!("{x}"),
        Value::Integer(n) => n.to_string(),
        Value::String(text) => format!("the text \"{}\"", text.chars().take(40).collect::<String>()),
        other => format!("of type {}", other.type_str()),
    }
}

impl ModelFile {
    /// Reads a model; `file` is what messages call it.
    pub fn parse(text: &str, file: &str) -> Result<Self, ScaladeError> {
        let root: Table = text
            .parse()
            .map_err(|e: toml::de::Error| bad(format!("{file}: {}", e.to_string().trim_end())))?;
        known(file, "", &root, &["lattice", "energy", "run", "reweighting"])?;
        let energy = Section::of(file, &root, "energy", &["basis", "pairs", "unit", "expansion"])?;
        let (energy_source, electronvolt) = read_energy(&energy)?;
        let lattice = Section::of(file, &root, "lattice", &["name", "size", "structure"])?;
        let (lattice, size) = read_lattice(&lattice, &energy_source)?;
        let keys = [
            "ensemble",
            "temperature",
            "chemical_potential",
            "concentration",
            "phi",
            "kappa",
            "precision",
            "seed",
            "exact",
            "replica_exchange",
            "algorithm",
            "max_moves",
        ];
        let run = Section::of(file, &root, "run", &keys)?;
        let temperature = run
            .numbers("temperature", |t| t > 0.0, "positive numbers are due")?
            .ok_or_else(|| run.missing("temperature", "give a list, such as [2.5]"))?;
        let ensemble = read_ensemble(&run)?;
        let second = match &ensemble {
            Ensemble::SemiGrand { chemical_potential: list }
            | Ensemble::Canonical { concentration: list }
            | Ensemble::VarianceConstrained { phi: list, .. } => list.len(),
            Ensemble::WangLandau => 1,
        };
        if temperature.len() * second > MOST_POINTS {
            let what = format!("gives {} points", temperature.len() * second);
            return Err(run.wrong("temperature", &what, "at most 10000 are possible"));
        }
        let reweighting = read_reweighting(file, &root, &ensemble, &temperature)?;
        let algorithms = [
            ("auto", Algorithm::Auto),
            ("heat-bath", Algorithm::HeatBath),
            ("wolff", Algorithm::Wolff),
            ("single", Algorithm::Single),
            ("rejection-free", Algorithm::RejectionFree),
            ("reference", Algorithm::Reference),
        ];
        Ok(Self {
            lattice,
            size,
            energy: energy_source,
            electronvolt,
            ensemble,
            temperature,
            precision: run.number("precision", |p| p > 0.0, "a positive number is due")?.unwrap_or(1e-3),
            seed: run.count("seed")?.unwrap_or(0),
            exact: run.flag("exact")?,
            replica_exchange: run.flag("replica_exchange")?,
            algorithm: run.word("algorithm", &algorithms)?.unwrap_or(Algorithm::Auto),
            most_moves: run.count("max_moves")?,
            reweighting,
        })
    }
}

fn read_energy(energy: &Section<'_>) -> Result<(EnergySource, bool), ScaladeError> {
    let electronvolt = energy.word("unit", &[("1", false), ("eV", true)])?;
    if let Some(path) = energy.text("expansion", "the name of a file is due")? {
        if energy.has("pairs") || energy.has("basis") {
            return Err(energy.wrong("expansion", "stands beside pairs", "give one of them"));
        }
        if electronvolt == Some(false) {
            return Err(energy.wrong("unit", "is \"1\"", "the coefficients of an expansion are in eV"));
        }
        return Ok((EnergySource::Expansion(path.to_string()), true));
    }
    let variables = energy
        .word("basis", &[("spin", Variables::Spin), ("occupation", Variables::Occupation)])?
        .ok_or_else(|| energy.missing("basis", "spin or occupation is due"))?;
    if !matches!(energy.table.get("pairs"), Some(Value::Array(_)) | None) {
        return Err(energy.wrong(
            "pairs",
            "is no list",
            "give one energy per neighbour shell, such as [-1.0]",
        ));
    }
    let pairs = energy
        .numbers("pairs", |_| true, "finite numbers are due, one per neighbour shell")?
        .ok_or_else(|| energy.missing("pairs", "give one energy per neighbour shell, such as [-1.0]"))?;
    Ok((EnergySource::Pairs { variables, pairs }, electronvolt.unwrap_or(false)))
}

fn read_lattice(
    lattice: &Section<'_>,
    energy: &EnergySource,
) -> Result<(LatticeSource, Vec<usize>), ScaladeError> {
    let names: Vec<(&str, NamedLattice)> = NamedLattice::ALL.iter().map(|l| (l.name(), *l)).collect();
    let name = lattice.word("name", &names)?;
    let structure = lattice.text("structure", "the name of a file is due")?;
    let source = match (name, structure, energy) {
        (Some(_), Some(_), _) => {
            return Err(lattice.wrong("structure", "stands beside name", "give one of them"));
        }
        (None, None, EnergySource::Expansion(_)) => LatticeSource::Expansion,
        (_, _, EnergySource::Expansion(_)) => {
            return Err(lattice.wrong(
                "name",
                "or structure is given",
                "the lattice is that of the expansion; leave it out",
            ));
        }
        (Some(named), None, _) => LatticeSource::Named(named),
        (None, Some(path), _) => LatticeSource::Structure(path.to_string()),
        (None, None, _) => {
            return Err(lattice.missing("name", "give a name, such as \"square\", or a structure"));
        }
    };
    let dimensions = if let LatticeSource::Named(named) = source { named.dimensions() } else { 3 };
    let want = "integers from 1 are due, one for each dimension";
    if !matches!(lattice.table.get("size"), Some(Value::Array(_)) | None) {
        return Err(lattice.wrong("size", "is no list", want));
    }
    let size: Vec<usize> = lattice
        .numbers("size", |n| n >= 1.0 && n.fract() == 0.0 && n <= 1e9, want)?
        .ok_or_else(|| lattice.missing("size", want))?
        .into_iter()
        .map(|n| n as usize)
        .collect();
    if size.len() != dimensions {
        return Err(lattice.wrong(
            "size",
            &format!("has {} entries", size.len()),
            &format!("this lattice has {dimensions} dimensions"),
        ));
    }
    Ok((source, size))
}

/// Configurations kept of a point where the file does not say.
const KEPT_SAMPLES: u64 = 2048;
/// Most conditions that a run is reweighted to.
const MOST_REWEIGHTED: usize = 1000;

fn read_reweighting(
    file: &str,
    root: &Table,
    ensemble: &Ensemble,
    temperature: &[f64],
) -> Result<Option<ReweightingRequest>, ScaladeError> {
    if !root.contains_key("reweighting") {
        return Ok(None);
    }
    let section = Section::of(file, root, "reweighting", &["temperature", "chemical_potential", "samples"])?;
    let Ensemble::SemiGrand { chemical_potential } = ensemble else {
        return Err(bad(format!(
            "{file}: [reweighting] takes the points of the ensemble \"semigrand\"; leave it out"
        )));
    };
    let temperature = section
        .numbers("temperature", |t| t > 0.0, "positive numbers are due")?
        .unwrap_or_else(|| temperature.to_vec());
    let chemical_potential = section
        .numbers("chemical_potential", |_| true, "finite numbers are due")?
        .unwrap_or_else(|| chemical_potential.clone());
    let count = temperature.len().saturating_mul(chemical_potential.len());
    if count > MOST_REWEIGHTED {
        let what = format!("gives {count} points");
        return Err(section.wrong("temperature", &what, "at most 1000 are possible"));
    }
    let samples = section.count("samples")?.unwrap_or(KEPT_SAMPLES);
    if !(100..=1_000_000).contains(&samples) {
        return Err(section.wrong("samples", &format!("is {samples}"), "100 to 1000000 are due"));
    }
    Ok(Some(ReweightingRequest { temperature, chemical_potential, samples: samples as usize }))
}

fn read_ensemble(run: &Section<'_>) -> Result<Ensemble, ScaladeError> {
    let kinds = [("semigrand", 0), ("canonical", 1), ("vcsgc", 2), ("wang-landau", 3)];
    let kind = run.word("ensemble", &kinds)?.unwrap_or(0);
    let belongs: [&[&str]; 4] =
        [&["chemical_potential"], &["concentration"], &["phi", "kappa"], &["chemical_potential"]];
    for key in ["chemical_potential", "concentration", "phi", "kappa"] {
        if run.has(key) && !belongs[kind].contains(&key) {
            let what = format!("does not belong to the ensemble \"{}\"", kinds[kind].0);
            return Err(run.wrong(key, &what, &format!("it takes {}", belongs[kind].join(" and "))));
        }
    }
    let mu =
        run.numbers("chemical_potential", |_| true, "finite numbers are due")?.unwrap_or_else(|| vec![0.0]);
    Ok(match kind {
        0 => Ensemble::SemiGrand { chemical_potential: mu },
        1 => Ensemble::Canonical {
            concentration: run
                .numbers("concentration", |x| (0.0..=1.0).contains(&x), "numbers from 0 to 1 are due")?
                .ok_or_else(|| run.missing("concentration", "give a list, such as [0.5]"))?,
        },
        2 => Ensemble::VarianceConstrained {
            phi: run
                .numbers("phi", |_| true, "finite numbers are due")?
                .ok_or_else(|| run.missing("phi", "give a list, such as [-1.0]"))?,
            kappa: run
                .number("kappa", |k| k > 0.0, "a positive number is due")?
                .ok_or_else(|| run.missing("kappa", "give a positive number, such as 200"))?,
        },
        _ => {
            if mu.iter().any(|m| *m != 0.0) {
                return Err(run.wrong(
                    "chemical_potential",
                    "is not 0",
                    "the density of states over energies serves mu = 0 only; use semigrand",
                ));
            }
            Ensemble::WangLandau
        }
    })
}
