//! Hop models in TOML: what `scalade hop MODEL.toml` reads.
//!
//! ```toml
//! [lattice]
//! name = "bcc"               # chain square triangular honeycomb sc bcc fcc diamond hcp; nearest neighbours at distance 1
//! size = [16, 16, 16]        # conventional cells of sc bcc fcc diamond, primitive cells of the others
//! # structure = "POSCAR"     # instead of a name: lengths in angstrom, size in its cells
//! # sites = ["Li"]           # atoms of the structure that are sites; all if not given
//!
//! [energy]                   # optional: without it ions only exclude each other
//! basis = "occupation"       # occupation: E = sum pairs[k] n n' over the bonds of shell k, each once; spin: s s'
//! pairs = [0.0]              # one per neighbour shell, nearest first
//! unit = "kT"                # or "eV", with [run] temperature in K
//! # expansion = "FILE"       # instead of pairs: the cluster expansion that expand --write writes; its cell and its sites, [run] temperature in K
//! # sample = 0               # a sample of its coefficients instead of the best ones
//!
//! [hops]
//! rate = 1.0                 # attempt rate per direction; the rate is rate * exp(-(E_final - E_initial)/2kT)
//! # kra = ["FILE"]           # instead of a rate: local expansions that barriers --write writes, one for each kind of hops
//! # barrier = 0.35           # or one kinetically resolved activation for all hops, eV
//! # attempt_frequency = 1e13 # with either, Hz; a list gives one for each kind; not with local expansions that hold attempt frequencies of their own
//! # within = 3.2             # with an expansion: hops between all sites so near, angstrom; the nearest neighbours if not given
//! # sample = 0               # a sample of the coefficients of every local expansion
//!
//! [state]
//! vacancies = 1              # or concentration = 0.5, or particles = 8
//! # composition = { Li = 0.3, Na = 0.5 }   # several species, with kra: shares of the sites of every sublattice that takes them; the one left out fills it
//!
//! [run]
//! standard_error = 2e-3      # on the tracer correlation factor, and relative on the diffusivities
//! seed = 1
//! max_events = 400_000_000   # most hops, all replicas together
//! exact = false              # the master equation of a small box instead
//! engine = "rejection"       # or "composition-rejection", "tree"; by measured acceptance if not given; the law is the same
//! ```
//!
//! Files stand beside the model file unless their paths are absolute.
//!
//! With local expansions a hop has the rate nu exp(-max(E_KRA + dE/2, dE, 0)/kT), dE = E_final - E_initial and E_KRA that of its surroundings sigma (A. Van der
//! Ven, G. Ceder, M. Asta, P. D. Tepesch, Phys. Rev. B 64, 184307 (2001)). Where the files tell attempt frequencies (G. H. Vineyard, J. Phys. Chem. Solids 3,
//! 121 (1957), for the nu of a hop), nu depends on sigma too: nu(sigma)/Hz = exp(c_0 + sum_o c_o <phi_o>), an expansion on the same orbits, which an exchange of
//! the two ends leaves as it is. So nu is the same there and back, and rates obey detailed balance. Then `attempt_frequency` must be left out; several files must
//! all have attempt frequencies or none.

use crate::error::ScaladeError;
use crate::model_file::{Section, bad, known};
use scalade_crystal::NamedLattice;
use scalade_hopping::ASSUMED_PREFACTOR_HZ;
use scalade_hopping::gas::Selection;
use scalade_units::constants::BOLTZMANN_EV;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// Hops at most where the file does not say.
const MOST_EVENTS: u64 = 400_000_000;
/// Standard error where the file does not say.
const STANDARD_ERROR: f64 = 5e-3;

/// How many ions there are.
#[derive(Clone, Debug, PartialEq)]
pub enum Filling {
    /// This many vacancies.
    Vacancies(u64),
    /// This many ions.
    Particles(u64),
    /// This share of the sites.
    Concentration(f64),
    /// Of each species this share of the sites of every sublattice that takes it; the species left out fills the rest.
    Composition(BTreeMap<String, f64>),
}

/// A lattice of sites.
#[derive(Clone, Debug, PartialEq)]
pub enum HopLattice {
    /// A named one.
    Named(NamedLattice),
    /// Atoms of a structure.
    Structure {
        /// Its file.
        file: String,
        /// Symbols of the atoms; all if empty.
        sites: Vec<String>,
    },
}

/// How fast the hops of a network are.
#[derive(Clone, Debug, PartialEq)]
pub enum HopActivation {
    /// rate exp(-(E_final - E_initial)/2kT), rate in Hz.
    Rate(f64),
    /// One kinetically resolved activation, eV, and its attempt frequency, Hz.
    Uniform {
        /// eV.
        barrier_ev: f64,
        /// Hz.
        attempt_frequency_hz: f64,
    },
    /// Local expansions.
    Local {
        /// Their files.
        files: Vec<String>,
        /// One for each, Hz, where the model file gives any.
        attempt_frequencies_hz: Option<Vec<f64>>,
        /// A sample of the coefficients.
        sample: Option<usize>,
    },
}

/// What moves, and how.
#[derive(Clone, Debug, PartialEq)]
pub enum HopSource {
    /// Pair energies and one attempt rate.
    Gas {
        /// The lattice.
        lattice: HopLattice,
        /// Energy of a pair of occupied sites in every shell, kT.
        pairs: Vec<f64>,
        /// Attempt rate.
        rate: f64,
    },
    /// A cluster expansion, local expansions, or both.
    Network {
        /// File of the energies; without, ions only exclude each other.
        expansion: Option<String>,
        /// A sample of its coefficients.
        sample: Option<usize>,
        /// The rates.
        activation: HopActivation,
        /// Longest hop, angstrom.
        within_angstrom: Option<f64>,
        /// K.
        temperature_k: f64,
    },
}

/// A hop model.
#[derive(Clone, Debug, PartialEq)]
pub struct HopFile {
    /// What moves.
    pub source: HopSource,
    /// Cells along each dimension of the lattice.
    pub size: Vec<usize>,
    /// Number of ions.
    pub filling: Filling,
    /// Standard error wanted.
    pub standard_error: f64,
    /// Most hops.
    pub most_events: u64,
    /// Seed.
    pub seed: u64,
    /// How hops are found, if not by the acceptance measured.
    pub selection: Option<Selection>,
    /// The master equation instead of a run.
    pub exact: bool,
}

impl HopFile {
    /// Reads a model; `file` is what messages call it.
    pub fn parse(text: &str, file: &str) -> Result<Self, ScaladeError> {
        let root: Table = text
            .parse()
            .map_err(|e: toml::de::Error| bad(format!("{file}: {}", e.to_string().trim_end())))?;
        known(file, "", &root, &["lattice", "energy", "hops", "state", "run"])?;
        let lattice = Section::of(file, &root, "lattice", &["name", "size", "structure", "sites"])?;
        let run_keys = ["standard_error", "seed", "max_events", "exact", "temperature", "engine"];
        let empty = Table::new();
        let run = match root.get("run") {
            None => Section::over(file, "run", &empty),
            Some(_) => Section::of(file, &root, "run", &run_keys)?,
        };
        let keys = ["basis", "pairs", "unit", "expansion", "sample"];
        let energy =
            root.contains_key("energy").then(|| Section::of(file, &root, "energy", &keys)).transpose()?;
        let hop_keys = ["rate", "kra", "barrier", "attempt_frequency", "within", "sample"];
        let hops = Section::of(file, &root, "hops", &hop_keys)?;
        let network = hops.has("kra") || energy.as_ref().is_some_and(|e| e.has("expansion"));
        let (source, size) = if network {
            read_network(&lattice, energy.as_ref(), &hops, &run)?
        } else {
            read_gas(&lattice, energy.as_ref(), &hops, &run)?
        };
        let engines = Selection::ALL.map(|s| (s.name(), s));
        let want = "a positive number below 1 is due";
        Ok(Self {
            source,
            size,
            filling: read_filling(&Section::of(
                file,
                &root,
                "state",
                &["vacancies", "concentration", "particles", "composition"],
            )?)?,
            standard_error: run
                .number("standard_error", |e| e > 0.0 && e < 1.0, want)?
                .unwrap_or(STANDARD_ERROR),
            most_events: run.count("max_events")?.unwrap_or(MOST_EVENTS),
            seed: run.count("seed")?.unwrap_or(0),
            selection: run.word("engine", &engines)?,
            exact: run.flag("exact")?,
        })
    }

    /// Number of ions on so many sites.
    pub fn ions(&self, sites: usize) -> Result<usize, ScaladeError> {
        let all = sites as u64;
        let ions = match &self.filling {
            Filling::Vacancies(n) => all.checked_sub(*n),
            Filling::Particles(n) => Some(*n),
            Filling::Concentration(c) => Some((c * sites as f64).round() as u64),
            Filling::Composition(_) => {
                return Err(bad(
                    "[state] composition belongs to local expansions ([hops] kra); give concentration, vacancies or particles",
                ));
            }
        };
        ions.filter(|n| *n > 0 && *n < all).map(|n| n as usize).ok_or_else(|| {
            bad(format!(
                "[state] {:?} leaves no ion or no vacancy on {sites} sites; change it or take a larger box",
                self.filling
            ))
        })
    }
}

/// Pair energies on a named lattice or on the atoms of a structure.
fn read_gas(
    lattice: &Section<'_>,
    energy: Option<&Section<'_>>,
    hops: &Section<'_>,
    run: &Section<'_>,
) -> Result<(HopSource, Vec<usize>), ScaladeError> {
    for (section, key, want) in [
        (
            Some(hops),
            "barrier",
            "it belongs to an expansion of the energies ([energy] expansion); give a rate",
        ),
        (Some(hops), "attempt_frequency", "it belongs to barriers; give a rate"),
        (
            Some(hops),
            "within",
            "it belongs to an expansion of the energies; hops lead to the nearest neighbours",
        ),
        (Some(hops), "sample", "it belongs to local expansions (kra); leave it out"),
        (energy, "sample", "it belongs to an expansion; leave it out"),
    ] {
        if let Some(section) = section.filter(|s| s.has(key)) {
            return Err(section.wrong(key, "has no meaning here", want));
        }
    }
    let (place, size) = match lattice.text("structure", "the name of a file is due")? {
        Some(_) if lattice.has("name") => {
            return Err(lattice.wrong("structure", "stands beside name", "give one of them"));
        }
        Some(structure) => {
            let sites = read_words(lattice, "sites", "symbols of atoms are due, such as [\"Li\"]")?;
            let (file, size) = (structure.to_string(), read_sizes(lattice, 3, "a structure")?);
            (HopLattice::Structure { file, sites }, size)
        }
        None if lattice.has("sites") => {
            return Err(lattice.wrong("sites", "belongs to structure", "leave it out or give a structure"));
        }
        None => {
            let (name, size) = read_lattice(lattice)?;
            (HopLattice::Named(name), size)
        }
    };
    let pairs = energy.map_or(Ok(Vec::new()), |energy| read_pairs(energy, run))?;
    Ok((HopSource::Gas { lattice: place, pairs, rate: rate_of(hops)? }, size))
}

/// Energies of an expansion, or rates of local expansions.
fn read_network(
    lattice: &Section<'_>,
    energy: Option<&Section<'_>>,
    hops: &Section<'_>,
    run: &Section<'_>,
) -> Result<(HopSource, Vec<usize>), ScaladeError> {
    for key in ["name", "structure", "sites"] {
        if lattice.has(key) {
            return Err(lattice.wrong(key, "is told by the expansion", "leave it out"));
        }
    }
    let mut of = (None, None);
    if let Some(energy) = energy {
        for key in ["basis", "pairs", "unit"] {
            if energy.has(key) {
                let want = "the energies are those of an expansion, in eV, or none: leave it out";
                return Err(energy.wrong(key, "has no meaning here", want));
            }
        }
        let file = energy.text("expansion", "the name of a file is due")?;
        let file = file.ok_or_else(|| energy.missing("expansion", "name a file, or leave [energy] out"))?;
        of = (Some(file.to_string()), energy.count("sample")?.map(|k| k as usize));
    }
    let temperature = run.number("temperature", |t| t > 0.0, "a positive number of kelvin is due")?;
    let temperature_k = temperature
        .ok_or_else(|| run.missing("temperature", "energies and barriers in eV need one, in K"))?;
    if let Some(engine) = run.text("engine", "a word is due")?
        && engine != Selection::CompositionRejection.name()
    {
        let want = "expansions have the engine composition-rejection; leave it out";
        return Err(run.wrong("engine", &format!("is \"{engine}\""), want));
    }
    let within_angstrom = hops.number("within", |w| w > 0.0, "a positive number of angstrom is due")?;
    if within_angstrom.is_some() && hops.has("kra") {
        return Err(hops.wrong(
            "within",
            "stands beside kra",
            "local expansions tell which sites are joined",
        ));
    }
    let source = HopSource::Network {
        expansion: of.0,
        sample: of.1,
        activation: read_activation(hops)?,
        within_angstrom,
        temperature_k,
    };
    Ok((source, read_sizes(lattice, 3, "an expansion")?))
}

fn read_activation(hops: &Section<'_>) -> Result<HopActivation, ScaladeError> {
    let given: Vec<&str> = ["rate", "kra", "barrier"].into_iter().filter(|k| hops.has(k)).collect();
    let [one] = given[..] else {
        let what = if given.is_empty() {
            "is missing".into()
        } else {
            format!("stands beside {}", given[1..].join(", "))
        };
        return Err(hops.wrong(given.first().unwrap_or(&"rate"), &what, "one of rate, kra, barrier is due"));
    };
    let want = "positive numbers of Hz are due";
    let frequencies = hops.numbers("attempt_frequency", |f| f > 0.0, want)?;
    if one == "rate" {
        if frequencies.is_some() || hops.has("sample") {
            let key = if frequencies.is_some() { "attempt_frequency" } else { "sample" };
            return Err(hops.wrong(key, "stands beside rate", "leave it out"));
        }
        return Ok(HopActivation::Rate(rate_of(hops)?));
    }
    let files = read_words(hops, "kra", "names of files are due, one for each kind of hops")?;
    let kinds = files.len().max(1);
    if let Some(frequencies) = frequencies.as_ref().filter(|f| f.len() != 1 && f.len() != kinds) {
        let what = format!("has {} entries for {kinds} kinds of hops", frequencies.len());
        return Err(hops.wrong("attempt_frequency", &what, "give one for all, or one for each"));
    }
    if one == "barrier" {
        if hops.has("sample") {
            return Err(hops.wrong("sample", "belongs to local expansions (kra)", "leave it out"));
        }
        let barrier = hops.number("barrier", |e| (0.0..=20.0).contains(&e), "0 to 20 eV are due")?;
        let barrier_ev = barrier.ok_or_else(|| hops.missing("barrier", "a number of eV is due"))?;
        let given = frequencies.and_then(|f| f.first().copied());
        let attempt_frequency_hz = given.unwrap_or(ASSUMED_PREFACTOR_HZ);
        return Ok(HopActivation::Uniform { barrier_ev, attempt_frequency_hz });
    }
    let attempt_frequencies_hz =
        frequencies.map(|given| if given.len() == kinds { given } else { vec![given[0]; kinds] });
    let sample = hops.count("sample")?.map(|k| k as usize);
    Ok(HopActivation::Local { files, attempt_frequencies_hz, sample })
}

/// A word or a list of words.
fn read_words(section: &Section<'_>, key: &str, want: &str) -> Result<Vec<String>, ScaladeError> {
    let word = |v: &Value| {
        v.as_str().map(str::to_string).ok_or_else(|| section.wrong(key, "holds what is no text", want))
    };
    match section.table.get(key) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) if items.is_empty() || items.len() > 64 => {
            Err(section.wrong(key, &format!("has {} entries", items.len()), want))
        }
        Some(Value::Array(items)) => items.iter().map(word).collect(),
        Some(item) => Ok(vec![word(item)?]),
    }
}

pub(crate) fn read_name(lattice: &Section<'_>) -> Result<NamedLattice, ScaladeError> {
    let names: Vec<(&str, NamedLattice)> = NamedLattice::ALL.iter().map(|l| (l.name(), *l)).collect();
    lattice.word("name", &names)?.ok_or_else(|| lattice.missing("name", "give a lattice, such as \"bcc\""))
}

pub(crate) fn read_lattice(lattice: &Section<'_>) -> Result<(NamedLattice, Vec<usize>), ScaladeError> {
    let name = read_name(lattice)?;
    Ok((name, read_sizes(lattice, name.dimensions(), "this lattice")?))
}

/// Cells along each dimension.
fn read_sizes(lattice: &Section<'_>, dimensions: usize, what: &str) -> Result<Vec<usize>, ScaladeError> {
    let want = "integers from 1 are due, one for each dimension";
    if !matches!(lattice.table.get("size"), Some(Value::Array(_)) | None) {
        return Err(lattice.wrong("size", "is no list", want));
    }
    let size: Vec<usize> = lattice
        .numbers("size", |n| n >= 1.0 && n.fract() == 0.0 && n <= 65_535.0, want)?
        .ok_or_else(|| lattice.missing("size", want))?
        .into_iter()
        .map(|n| n as usize)
        .collect();
    if size.len() != dimensions {
        let entries = format!("has {} entries", size.len());
        return Err(lattice.wrong("size", &entries, &format!("{what} has {dimensions} dimensions")));
    }
    Ok(size)
}

pub(crate) fn read_rate(file: &str, root: &Table) -> Result<f64, ScaladeError> {
    rate_of(&Section::of(file, root, "hops", &["rate"])?)
}

fn rate_of(hops: &Section<'_>) -> Result<f64, ScaladeError> {
    hops.number("rate", |r| r > 0.0, "a positive number is due")?
        .ok_or_else(|| hops.missing("rate", "give the attempt rate per direction, such as 1.0"))
}

/// Energies of pairs of occupied sites in kT.
pub(crate) fn read_pairs(energy: &Section<'_>, run: &Section<'_>) -> Result<Vec<f64>, ScaladeError> {
    let electronvolt = energy.word("unit", &[("kT", false), ("eV", true)])?.unwrap_or(false);
    let temperature = run.number("temperature", |t| t > 0.0, "a positive number of kelvin is due")?;
    let scale = match (electronvolt, temperature) {
        (true, Some(kelvin)) => 1.0 / (BOLTZMANN_EV * kelvin),
        (true, None) => return Err(run.missing("temperature", "energies in eV need one, in K")),
        (false, None) => 1.0,
        (false, Some(_)) => {
            return Err(run.wrong(
                "temperature",
                "belongs to energies in eV",
                "set unit = \"eV\" or leave it out",
            ));
        }
    };
    let basis = energy
        .word("basis", &[("occupation", 1.0), ("spin", 4.0)])?
        .ok_or_else(|| energy.missing("basis", "occupation or spin is due"))?;
    if !matches!(energy.table.get("pairs"), Some(Value::Array(_)) | None) {
        let want = "give one energy per neighbour shell, such as [0.5]";
        return Err(energy.wrong("pairs", "is no list", want));
    }
    let pairs = energy
        .numbers("pairs", |_| true, "finite numbers are due, one per neighbour shell")?
        .ok_or_else(|| energy.missing("pairs", "give one energy per neighbour shell, such as [0.5]"))?;
    // s s' = 4 n n' - 2 n - 2 n' + 1: with equal coordination the rest is a constant at a fixed number of ions, as on every lattice here.
    Ok(pairs.into_iter().map(|j| j * scale * basis).collect())
}

fn read_filling(state: &Section<'_>) -> Result<Filling, ScaladeError> {
    if let Some(value) = state.table.get("composition") {
        let want =
            "a table of shares between 0 and 1 is due, such as { Li = 0.3, Na = 0.5 }, and nothing beside it";
        let Value::Table(shares) = value else { return Err(state.wrong("composition", "is no table", want)) };
        if state.table.len() > 1 || shares.is_empty() {
            return Err(state.wrong("composition", "is empty or stands beside another key", want));
        }
        let share = |(name, value): (&String, &Value)| {
            let number = value.as_float().or_else(|| value.as_integer().map(|n| n as f64));
            let number = number.filter(|c| (0.0..=1.0).contains(c));
            Ok((
                name.clone(),
                number.ok_or_else(|| state.wrong(&format!("composition.{name}"), "is no share", want))?,
            ))
        };
        return Ok(Filling::Composition(shares.iter().map(share).collect::<Result<_, ScaladeError>>()?));
    }
    let vacancies = state.count("vacancies")?.map(Filling::Vacancies);
    let particles = state.count("particles")?.map(Filling::Particles);
    let concentration = state
        .number("concentration", |c| c > 0.0 && c < 1.0, "a number between 0 and 1 is due")?
        .map(Filling::Concentration);
    match (vacancies, particles, concentration) {
        (Some(filling), None, None) | (None, Some(filling), None) | (None, None, Some(filling)) => {
            Ok(filling)
        }
        (None, None, None) => {
            Err(state.missing("concentration", "give concentration, vacancies or particles"))
        }
        _ => Err(state.wrong(
            "concentration",
            "vacancies or particles are given beside each other",
            "give one of them",
        )),
    }
}
