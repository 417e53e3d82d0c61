//! Hop models in TOML: what `scalade hop MODEL.toml` reads.
//!
//! ```toml
//! [lattice]
//! name = "bcc"               # chain square triangular honeycomb sc bcc fcc diamond hcp; nearest neighbours at distance 1
//! size = [16, 16, 16]        # conventional cells of sc bcc fcc diamond, primitive cells of the others
//!
//! [energy]                   # optional: without it ions only exclude each other
//! basis = "occupation"       # occupation: E = sum pairs[k] n n' over the bonds of shell k, each once; spin: s s'
//! pairs = [0.0]              # one per neighbour shell, nearest first
//! unit = "kT"                # or "eV", with [run] temperature in K
//!
//! [hops]
//! rate = 1.0                 # attempt rate per direction; the rate is rate * exp(-(E_final - E_initial)/2kT)
//!
//! [state]
//! vacancies = 1              # or concentration = 0.5, or particles = 8
//!
//! [run]
//! standard_error = 2e-3      # on the tracer correlation factor, and relative on the diffusivities
//! seed = 1
//! max_events = 400_000_000   # most hops, all replicas together
//! exact = false              # the master equation of a small box instead
//! engine = "rejection"       # or "composition-rejection", "tree"; by measured acceptance if not given; the law is the same
//! ```

use crate::error::ScaladeError;
use crate::model_file::{Section, bad, known};
use scalade_crystal::NamedLattice;
use scalade_hopping::gas::Selection;
use scalade_units::constants::BOLTZMANN_EV;
use toml::{Table, Value};

/// Hops at most where the file does not say.
const MOST_EVENTS: u64 = 400_000_000;
/// Standard error where the file does not say.
const STANDARD_ERROR: f64 = 5e-3;

/// How many ions there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Filling {
    /// This many vacancies.
    Vacancies(u64),
    /// This many ions.
    Particles(u64),
    /// This share of the sites.
    Concentration(f64),
}

/// A hop model.
#[derive(Clone, Debug, PartialEq)]
pub struct HopFile {
    /// The lattice.
    pub lattice: NamedLattice,
    /// Cells along each of its dimensions.
    pub size: Vec<usize>,
    /// Energy of a pair of occupied sites in every shell, kT.
    pub pairs: Vec<f64>,
    /// Attempt rate.
    pub rate: f64,
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
        let (lattice, size) = read_lattice(&Section::of(file, &root, "lattice", &["name", "size"])?)?;
        let run_keys = ["standard_error", "seed", "max_events", "exact", "temperature", "engine"];
        let empty = Table::new();
        let run = match root.get("run") {
            None => Section::over(file, "run", &empty),
            Some(_) => Section::of(file, &root, "run", &run_keys)?,
        };
        let pairs = if root.contains_key("energy") {
            read_pairs(&Section::of(file, &root, "energy", &["basis", "pairs", "unit"])?, &run)?
        } else {
            Vec::new()
        };
        let engines = Selection::ALL.map(|s| (s.name(), s));
        let rate = read_rate(file, &root)?;
        let want = "a positive number below 1 is due";
        Ok(Self {
            lattice,
            size,
            pairs,
            rate,
            filling: read_filling(&Section::of(
                file,
                &root,
                "state",
                &["vacancies", "concentration", "particles"],
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
        let ions = match self.filling {
            Filling::Vacancies(n) => all.checked_sub(n),
            Filling::Particles(n) => Some(n),
            Filling::Concentration(c) => Some((c * sites as f64).round() as u64),
        };
        ions.filter(|n| *n > 0 && *n < all).map(|n| n as usize).ok_or_else(|| {
            bad(format!(
                "[state] {:?} leaves no ion or no vacancy on {sites} sites; change it or take a larger box",
                self.filling
            ))
        })
    }
}

pub(crate) fn read_name(lattice: &Section<'_>) -> Result<NamedLattice, ScaladeError> {
    let names: Vec<(&str, NamedLattice)> = NamedLattice::ALL.iter().map(|l| (l.name(), *l)).collect();
    lattice.word("name", &names)?.ok_or_else(|| lattice.missing("name", "give a lattice, such as \"bcc\""))
}

pub(crate) fn read_lattice(lattice: &Section<'_>) -> Result<(NamedLattice, Vec<usize>), ScaladeError> {
    let name = read_name(lattice)?;
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
    if size.len() != name.dimensions() {
        let (what, want) = (
            format!("has {} entries", size.len()),
            format!("this lattice has {} dimensions", name.dimensions()),
        );
        return Err(lattice.wrong("size", &what, &want));
    }
    Ok((name, size))
}

pub(crate) fn read_rate(file: &str, root: &Table) -> Result<f64, ScaladeError> {
    let hops = Section::of(file, root, "hops", &["rate"])?;
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
