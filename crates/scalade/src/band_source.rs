//! Bands from files of any kind, made continuous: what `scalade bands` computes with.

use crate::band_file::{BandFile, TightModel};
use crate::error::ScaladeError;
use crate::model_file::bad;
use crate::ordering_files::{read_bytes, structure_in};
use crate::orderings::read_text;
use crate::rungs_model::is_model;
use scalade_bands::{
    BandSet, BandSetParts, Bands, BandsError, Curved, PointGroup, Rotation, SpinChannels, StarInterpolation,
    vasp, wannier,
};
use scalade_crystal::{Matrix3, MoyoFinder, Structure, SymmetryFinder, determinant};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Stars per k point of the interpolations.
const STARS: f64 = 5.0;
/// Tolerance of the symmetry search, angstrom.
const TOLERANCE_ANGSTROM: f64 = 1e-3;
/// Weights of k points fit a mesh within this share of them: files give eight decimals or fewer.
const WEIGHT: f64 = 2e-3;
/// Texts beyond this are no model files.
const LONGEST_MODEL: usize = 1 << 22;

/// How files are read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading<'a> {
    /// Structure of formats that do not hold one.
    pub structure: Option<&'a Path>,
    /// Electrons per cell of the neutral crystal in these bands.
    pub electrons: Option<f64>,
    /// Electrons that a band holds at a k, where the file does not say.
    pub spin_degeneracy: Option<f64>,
    /// Leave the symmetry of the structure alone.
    pub no_symmetry: bool,
    /// Gap to put in place of the computed one, eV.
    pub gap_ev: Option<f64>,
}

/// A remark with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// Name, the same for the same circumstance.
    pub name: &'static str,
    /// What it means here.
    pub message: String,
}

impl Diagnostic {
    pub(crate) fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, message: message.into() }
    }

    pub(crate) fn told(list: &[Self]) -> Value {
        list.iter().map(|d| json!({ "name": d.name, "message": d.message })).collect()
    }
}

/// Bands that are known at every k.
pub struct CrystalBands {
    /// The bands.
    pub bands: Box<dyn Curved>,
    /// A less smooth interpolation of the same data, which tells how far they determine the bands; none for models.
    pub second: Option<Box<dyn Curved>>,
    /// Electrons per cell of the neutral crystal in these bands; none if unknown.
    pub neutral: Option<f64>,
    /// Fermi level that the file states, eV.
    pub stated_level_ev: Option<f64>,
    /// Directions in which the crystal extends.
    pub dimensions: usize,
    /// Volume of the cell of `bands` over the true one.
    pub dilution: f64,
    /// Whether the bands are computed ones, of which only some are there.
    pub computed: bool,
    /// What the source is, for the document.
    pub told: Value,
    /// Remarks.
    pub diagnostics: Vec<Diagnostic>,
}

impl CrystalBands {
    /// Volume of the true cell, m3.
    pub fn cell_volume(&self) -> f64 {
        determinant(self.bands.lattice_angstrom()).abs() * 1e-30 / self.dilution
    }
}

/// What a file holds.
pub enum BandSource {
    /// Bands of a crystal.
    Crystal(Box<CrystalBands>),
    /// Parabolic bands or polarons.
    Closed(BandFile),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Model,
    Own,
    Eigenval,
    Wannier,
}

/// Format of a text by its content.
fn format_of(text: &str, path: &Path) -> Option<Format> {
    if is_model(path) {
        return Some(Format::Model);
    }
    let head = text.trim_start();
    if head.starts_with('{') {
        return text.contains("\"eigenvalues_eV\"").then_some(Format::Own);
    }
    let whole = |line: Option<&str>| -> Option<usize> {
        let mut count = 0;
        for word in line?.split_whitespace() {
            word.parse::<i64>().ok()?;
            count += 1;
        }
        Some(count)
    };
    let line = |n: usize| text.lines().nth(n);
    if whole(line(0)) == Some(4) && whole(line(5)) == Some(3) {
        return Some(Format::Eigenval);
    }
    if whole(line(1)) == Some(1) && whole(line(2)) == Some(1) && whole(line(3)).is_some_and(|n| n > 0) {
        return Some(Format::Wannier);
    }
    let model = text.len() < LONGEST_MODEL
        && text
            .parse::<toml::Table>()
            .is_ok_and(|t| ["lattice", "band", "polaron", "hopping"].iter().any(|key| t.contains_key(*key)));
    model.then_some(Format::Model)
}

/// Reads a file.
///
/// Errors: files that cannot be read or are of no known format, and those of the readers, with the file's name.
pub fn read_bands(path: &Path, reading: &Reading<'_>) -> Result<BandSource, ScaladeError> {
    let name = path.display().to_string();
    let text = read_text(path)?;
    if text.trim().is_empty() {
        return Err(bad(format!("{name}: the file is empty; bands or a model are due")));
    }
    if let Some(found) = scalade_formats::read_computed_bands(&text, &name).filter(|_| !is_model(path)) {
        let found = of_computed(found.map_err(|e| bad(e.to_string()))?, reading)?;
        return interpolated(&found, &name, reading).map(|b| BandSource::Crystal(Box::new(b)));
    }
    let format = format_of(&text, path).ok_or_else(|| {
        bad(format!(
            "{name}: no bands of a known format; read are vasprun.xml and EIGENVAL of VASP, data-file-schema.xml of Quantum ESPRESSO, _hr.dat of Wannier90, BandStructure of pymatgen (JSON), bands of this project (JSON with eigenvalues_eV), and models (.toml)"
        ))
    })?;
    if format == Format::Model {
        let file = BandFile::parse(&text, &name)?;
        for (option, given) in [
            ("--structure", reading.structure.is_some()),
            ("--electrons", reading.electrons.is_some()),
            ("--spin-degeneracy", reading.spin_degeneracy.is_some()),
            ("--no-symmetry", reading.no_symmetry),
            ("--gap", reading.gap_ev.is_some()),
        ] {
            if given {
                return Err(bad(format!(
                    "{option} does not belong to a model, whose settings stand in the file"
                )));
            }
        }
        return Ok(match file {
            BandFile::TightBinding(model) => BandSource::Crystal(Box::new(of_model(*model, &name))),
            closed => BandSource::Closed(closed),
        });
    }
    let found = match format {
        Format::Own => of_own(&text, &name, reading)?,
        Format::Eigenval => of_eigenval(&text, path, reading)?,
        _ => return of_wannier(&text, path, reading).map(|b| BandSource::Crystal(Box::new(b))),
    };
    interpolated(&found, &name, reading).map(|b| BandSource::Crystal(Box::new(b)))
}

fn of_model(found: TightModel, name: &str) -> CrystalBands {
    let TightModel { model, dimensions, electrons, dilution } = found;
    let told = json!({
        "file": name, "format": "tight-binding model", "bands": model.orbitals(),
        "spin_degeneracy": model.spin_degeneracy(), "rotations": model.group().rotations().len(),
    });
    CrystalBands {
        bands: Box::new(model),
        second: None,
        neutral: Some(electrons),
        stated_level_ev: None,
        dimensions,
        dilution,
        computed: false,
        told,
        diagnostics: Vec::new(),
    }
}

/// Eigenvalues of one spin or two, before their symmetry is known.
struct Eigenvalues {
    format: &'static str,
    lattice: Matrix3,
    structure: Option<Structure>,
    /// Rotations that the file gives.
    rotations: Vec<Rotation>,
    k_points: Vec<[f64; 3]>,
    /// None where the format has none: those of the mesh that the symmetry makes of the points.
    weights: Option<Vec<f64>>,
    /// \[spin\]\[k\]\[band\], eV.
    energies: Vec<Vec<Vec<f64>>>,
    spin_degeneracy: f64,
    electrons: Option<f64>,
    fermi_level_ev: Option<f64>,
}

impl Eigenvalues {
    fn of_sets(format: &'static str, sets: &[BandSet], rotations: Vec<Rotation>) -> Self {
        let first = &sets[0];
        let rows = |set: &BandSet| (0..set.k_points().len()).map(|k| set.energies(k).to_vec()).collect();
        Self {
            format,
            lattice: *first.lattice_angstrom(),
            structure: None,
            rotations,
            k_points: first.k_points().to_vec(),
            weights: Some(first.weights().to_vec()),
            energies: sets.iter().map(rows).collect(),
            spin_degeneracy: first.spin_degeneracy(),
            electrons: first.electrons(),
            fermi_level_ev: first.fermi_level_ev(),
        }
    }
}

fn named(name: &str) -> impl Fn(BandsError) -> ScaladeError + '_ {
    move |e| bad(format!("{name}: {e}"))
}

fn of_computed(
    found: scalade_formats::ComputedBands,
    reading: &Reading<'_>,
) -> Result<Eigenvalues, ScaladeError> {
    if found.structure.is_some() && reading.structure.is_some() {
        return Err(bad("--structure does not belong to a file that holds its own"));
    }
    let structure = match reading.structure {
        Some(file) => Some(structure_in(&read_bytes(file)?, &file.display().to_string())?),
        None => found.structure,
    };
    let spin_degeneracy = match reading.spin_degeneracy {
        Some(given) if found.energies_ev.len() == 2 && given != 1.0 => {
            return Err(bad(format!(
                "--spin-degeneracy is {given}; bands of two spins hold one electron each"
            )));
        }
        Some(given) if given == 1.0 || given == 2.0 => given,
        Some(given) => return Err(bad(format!("--spin-degeneracy is {given}; 1 or 2 is due"))),
        None => found.spin_degeneracy,
    };
    Ok(Eigenvalues {
        format: found.format,
        lattice: found.lattice_angstrom,
        structure,
        rotations: Vec::new(),
        k_points: found.k_points,
        weights: found.weights,
        energies: found.energies_ev,
        spin_degeneracy,
        electrons: found.electrons,
        fermi_level_ev: found.fermi_level_ev,
    })
}

fn of_own(text: &str, name: &str, reading: &Reading<'_>) -> Result<Eigenvalues, ScaladeError> {
    if reading.structure.is_some() {
        return Err(bad("--structure does not belong to a file that holds its own"));
    }
    let set = BandSet::from_json(text).map_err(named(name))?;
    let rotations = set.group().rotations().to_vec();
    Ok(Eigenvalues::of_sets("bands in JSON", &[set], rotations))
}

/// The structure that belongs to a file without one.
fn structure_beside(path: &Path, reading: &Reading<'_>, format: &str) -> Result<Structure, ScaladeError> {
    let candidates: Vec<PathBuf> = match reading.structure {
        Some(given) => vec![given.to_path_buf()],
        None => {
            ["POSCAR", "CONTCAR"].iter().map(|f| path.with_file_name(f)).filter(|p| p.is_file()).collect()
        }
    };
    let Some(file) = candidates.first() else {
        return Err(bad(format!(
            "{}: {format} does not hold its lattice; put the POSCAR beside it or give --structure FILE",
            path.display()
        )));
    };
    structure_in(&read_bytes(file)?, &file.display().to_string())
}

fn of_eigenval(text: &str, path: &Path, reading: &Reading<'_>) -> Result<Eigenvalues, ScaladeError> {
    let name = path.display().to_string();
    let structure = structure_beside(path, reading, "EIGENVAL")?;
    let noncollinear = reading.spin_degeneracy == Some(1.0);
    let sets =
        vasp::read_eigenval(text, *structure.lattice_angstrom(), &[], noncollinear).map_err(named(&name))?;
    let mut found = Eigenvalues::of_sets("EIGENVAL", &sets, Vec::new());
    // The sum over both spins, which a set of one spin does not keep.
    let counted = text.lines().nth(5).and_then(|l| l.split_whitespace().next()).and_then(|n| n.parse().ok());
    found.electrons = found.electrons.or(counted);
    found.structure = Some(structure);
    Ok(found)
}

fn of_wannier(text: &str, path: &Path, reading: &Reading<'_>) -> Result<CrystalBands, ScaladeError> {
    let name = path.display().to_string();
    if reading.gap_ev.is_some() {
        return Err(bad("--gap moves computed eigenvalues; it does not belong to a Hamiltonian (_hr.dat)"));
    }
    let structure = structure_beside(path, reading, "_hr.dat")?;
    let spin = reading.spin_degeneracy.unwrap_or(2.0);
    let model = wannier::read_hr(text, *structure.lattice_angstrom(), spin).map_err(named(&name))?;
    let mut diagnostics = Vec::new();
    if reading.electrons.is_none() {
        diagnostics.push(Diagnostic::new(
            "electrons-unknown",
            "the file does not say how many electrons the neutral cell has in these bands; --carriers counts from empty bands (--electrons N sets it)",
        ));
    }
    let group = if reading.no_symmetry { None } else { structure_group(&structure) };
    let with = |rotations: &[Rotation], reversal| model.clone().with_rotations(rotations, reversal).ok();
    // Without time reversal only where it does not hold, as with magnetism.
    let model = group.and_then(|g| with(&g, true)).or_else(|| with(&[], true)).unwrap_or(model);
    let capacity = spin * model.orbitals() as f64;
    let neutral = reading.electrons.unwrap_or(0.0);
    if !(0.0..=capacity).contains(&neutral) {
        return Err(named(&name)(BandsError::Electrons { electrons: neutral, capacity }));
    }
    let told = json!({
        "file": name, "format": "Wannier90 _hr.dat", "bands": model.orbitals(), "spin_degeneracy": spin,
        "rotations": model.group().rotations().len(),
    });
    Ok(CrystalBands {
        bands: Box::new(model),
        second: None,
        neutral: Some(neutral),
        stated_level_ev: None,
        dimensions: 3,
        dilution: 1.0,
        computed: false,
        told,
        diagnostics,
    })
}

/// Rotations of fractional k of a structure's space group.
fn structure_group(structure: &Structure) -> Option<Vec<Rotation>> {
    let group = MoyoFinder.space_group(structure, TOLERANCE_ANGSTROM).ok()?;
    let group = PointGroup::of_space_group(structure.lattice_angstrom(), &group, true).ok()?;
    Some(group.rotations().to_vec())
}

/// Orbit of every k point under the rotations: its number, and how many images it has.
fn orbits(k_points: &[[f64; 3]], group: &PointGroup) -> (Vec<usize>, Vec<usize>) {
    let key = |k: [f64; 3]| k.map(|x| ((x * 1e5).round() as i64).rem_euclid(100_000));
    let mut known: BTreeMap<[i64; 3], usize> = BTreeMap::new();
    let (mut numbers, mut sizes) = (Vec::with_capacity(k_points.len()), Vec::new());
    for k in k_points {
        let mut images: Vec<[i64; 3]> = group
            .rotations()
            .iter()
            .map(|m| key(std::array::from_fn(|i| (0..3).map(|j| f64::from(m[i][j]) * k[j]).sum())))
            .collect();
        images.sort_unstable();
        images.dedup();
        let number = *known.entry(images[0]).or_insert_with(|| {
            sizes.push(images.len());
            sizes.len() - 1
        });
        numbers.push(number);
    }
    (numbers, sizes)
}

/// Whether the weights are those of a mesh that the rotations make of the k points: those of equivalent points together are their share of all images.
fn weights_fit(k_points: &[[f64; 3]], weights: &[f64], group: &PointGroup) -> bool {
    let (numbers, sizes) = orbits(k_points, group);
    let mut together = vec![0.0; sizes.len()];
    for (number, weight) in numbers.iter().zip(weights) {
        together[*number] += weight;
    }
    let total: usize = sizes.iter().sum();
    let sum: f64 = weights.iter().sum();
    let off = |w: f64, size: usize| (w / sum * total as f64 / size as f64 - 1.0).abs();
    together.iter().zip(&sizes).all(|(w, size)| off(*w, *size) < WEIGHT)
}

/// Weights of the mesh that the rotations make of the k points.
fn weights_of(k_points: &[[f64; 3]], group: &PointGroup) -> Vec<f64> {
    let (numbers, sizes) = orbits(k_points, group);
    let mut shared = vec![0usize; sizes.len()];
    for number in &numbers {
        shared[*number] += 1;
    }
    let total: usize = sizes.iter().sum();
    numbers.iter().map(|n| sizes[*n] as f64 / (total * shared[*n]) as f64).collect()
}

/// Whether all k points lie on a few lines: such a set tells nothing of the bands between them.
fn on_lines(k_points: &[[f64; 3]]) -> bool {
    if k_points.len() < 10 {
        return false;
    }
    let straight = k_points
        .windows(3)
        .filter(|w| {
            let step: [f64; 3] = std::array::from_fn(|i| w[1][i] - w[0][i]);
            let next: [f64; 3] = std::array::from_fn(|i| w[2][i] - w[1][i]);
            let size = |v: [f64; 3]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
            let apart: [f64; 3] = std::array::from_fn(|i| step[i] - next[i]);
            size(apart) < 1e-3 * (size(step) + size(next))
        })
        .count();
    let planes = |axis: usize| {
        let mut own: Vec<i64> = k_points.iter().map(|k| (k[axis] * 1e5).round() as i64).collect();
        own.sort_unstable();
        own.dedup();
        own.len()
    };
    // A mesh repeats its coordinates; a path has a new one at most of its points.
    straight * 10 > k_points.len() * 7 && (0..3).map(planes).max().unwrap_or(0) * 3 > k_points.len()
}

/// Rotations under which the k points are a mesh: those of the file or the structure, or k -> -k alone.
fn rotations_of(
    found: &Eigenvalues,
    reading: &Reading<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Vec<Rotation>, BandsError> {
    let group = |rotations: &[Rotation]| PointGroup::new(&found.lattice, rotations, true);
    let fits = |g: &PointGroup| found.weights.as_ref().is_none_or(|w| weights_fit(&found.k_points, w, g));
    let none = group(&[])?;
    let candidate = if reading.no_symmetry {
        None
    } else if found.rotations.is_empty() {
        found.structure.as_ref().and_then(structure_group)
    } else {
        Some(found.rotations.clone())
    };
    let candidate = candidate.map(|r| group(&r)).transpose()?;
    match candidate {
        Some(full) if fits(&full) => Ok(full.rotations().to_vec()),
        Some(_) if fits(&none) => {
            diagnostics.push(Diagnostic::new(
                "asymmetric-mesh",
                "the weights of the k points do not fit the symmetry of the structure (magnetism, or a mesh that does not have it); only k -> -k is used",
            ));
            Ok(none.rotations().to_vec())
        }
        Some(full) => {
            diagnostics.push(Diagnostic::new(
                "asymmetric-mesh",
                "the weights of the k points are those of no mesh with the symmetry given: points are missing or weights are not those of a mesh; the interpolation goes through the points given, its error may be large between them",
            ));
            Ok(full.rotations().to_vec())
        }
        None => {
            if !fits(&none) {
                diagnostics.push(Diagnostic::new(
                    "asymmetric-mesh",
                    "the k points with k -> -k are no mesh with these weights; give the whole mesh, or the symmetry that reduced it",
                ));
            }
            Ok(none.rotations().to_vec())
        }
    }
}

fn interpolated(
    found: &Eigenvalues,
    name: &str,
    reading: &Reading<'_>,
) -> Result<CrystalBands, ScaladeError> {
    let refused = named(name);
    let none = PointGroup::new(&found.lattice, &[], true).map_err(&refused)?;
    let is_mesh = found.weights.as_ref().is_some_and(|w| weights_fit(&found.k_points, w, &none));
    if !is_mesh && on_lines(&found.k_points) {
        return Err(bad(format!(
            "{name}: the {} k points lie along lines (a band structure for a plot); integrals need a uniform mesh: run the calculation again on one",
            found.k_points.len()
        )));
    }
    let mut diagnostics = Vec::new();
    let rotations = rotations_of(found, reading, &mut diagnostics).map_err(&refused)?;
    let weights = if let Some(given) = &found.weights {
        given.clone()
    } else {
        let group = PointGroup::new(&found.lattice, &rotations, true).map_err(&refused)?;
        weights_of(&found.k_points, &group)
    };
    let electrons = reading.electrons.or(found.electrons);
    let mut sets = Vec::with_capacity(found.energies.len());
    for energies in &found.energies {
        let parts = BandSetParts {
            lattice_angstrom: found.lattice,
            k_points: found.k_points.clone(),
            weights: weights.clone(),
            energies_ev: energies.clone(),
            rotations: rotations.clone(),
            spin_degeneracy: found.spin_degeneracy,
            fermi_level_ev: found.fermi_level_ev,
            electrons: if found.energies.len() == 1 { electrons } else { None },
        };
        sets.push(BandSet::new(parts).map_err(&refused)?);
    }
    if let Some(gap) = reading.gap_ev {
        widen(&mut sets, gap, electrons, name)?;
    }
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for set in &sets {
        first.push(StarInterpolation::new(set, STARS).map_err(&refused)?);
        second.push(StarInterpolation::less_smooth(set, STARS).map_err(&refused)?);
    }
    let stars = first[0].stars();
    let capacity = found.spin_degeneracy * sets.iter().map(|s| s.bands() as f64).sum::<f64>();
    if let Some(n) = electrons.filter(|n| !(0.0..=capacity).contains(n)) {
        return Err(refused(BandsError::Electrons { electrons: n, capacity }));
    }
    if electrons.is_none() {
        diagnostics.push(Diagnostic::new(
            "electrons-unknown",
            "the file does not say how many electrons the neutral cell has in these bands: give --electrons N, or --chemical-potential",
        ));
    }
    let told = json!({
        "file": name, "format": found.format, "bands": sets.iter().map(BandSet::bands).sum::<usize>(),
        "spins": sets.len(), "spin_degeneracy": found.spin_degeneracy, "k_points": found.k_points.len(),
        "rotations": sets[0].group().rotations().len(), "stars": stars,
        "stated_fermi_level_eV": found.fermi_level_ev, "gap_set_eV": reading.gap_ev,
    });
    let joined = |mut channels: Vec<StarInterpolation>| -> Result<Box<dyn Curved>, ScaladeError> {
        match (channels.pop(), channels.pop()) {
            (Some(down), Some(up)) => Ok(Box::new(SpinChannels::new(up, down).map_err(named(name))?)),
            (Some(only), None) => Ok(Box::new(only)),
            _ => Err(ScaladeError::internal("bands without a spin")),
        }
    };
    let bands = joined(first)?;
    let second = joined(second)?;
    few_points(&*bands, &*second, &mut diagnostics).map_err(&refused)?;
    Ok(CrystalBands {
        bands,
        second: Some(second),
        neutral: electrons,
        stated_level_ev: sets[0].fermi_level_ev(),
        dimensions: 3,
        dilution: 1.0,
        computed: true,
        told,
        diagnostics,
    })
}

/// Puts a gap in place of the computed one.
fn widen(sets: &mut [BandSet], gap_ev: f64, electrons: Option<f64>, name: &str) -> Result<(), ScaladeError> {
    let [set] = sets else {
        return Err(bad(
            "--gap is for bands without spin polarisation; shift the bands of the spins in the file",
        ));
    };
    let filled = electrons.map(|n| n / set.spin_degeneracy()).filter(|n| n.fract() == 0.0 && *n > 0.0);
    let Some(filled) = filled.map(|n| n as usize).filter(|n| *n < set.bands()) else {
        return Err(bad(format!(
            "{name}: --gap needs whole filled bands with empty ones above; this is a metal"
        )));
    };
    let points = 0..set.k_points().len();
    let top = points.clone().map(|k| set.energies(k)[filled - 1]).fold(f64::NEG_INFINITY, f64::max);
    let bottom = points.map(|k| set.energies(k)[filled]).fold(f64::INFINITY, f64::min);
    if bottom <= top {
        return Err(bad(format!(
            "{name}: --gap needs a computed gap; bands {filled} and {} overlap by {:.3} eV",
            filled + 1,
            top - bottom
        )));
    }
    *set = set.clone().with_scissors(filled, gap_ev - (bottom - top)).map_err(named(name))?;
    Ok(())
}

/// Names data too coarse for an interpolation: the two leave different energies between the points.
fn few_points(
    first: &dyn Bands,
    second: &dyn Bands,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<(), BandsError> {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for i in 1..=16 {
        // A sequence of low discrepancy.
        let k = [0.754_877_666, 0.569_840_291, 0.430_159_709].map(|s| (s * f64::from(i)).fract());
        first.points(k, &mut a)?;
        second.points(k, &mut b)?;
    }
    let square: f64 = a.iter().zip(&b).map(|(x, y)| (x.energy_ev - y.energy_ev).powi(2)).sum();
    let mean = (square / a.len() as f64).sqrt();
    if mean > 0.01 {
        diagnostics.push(Diagnostic::new(
            "few-k-points",
            format!(
                "two interpolations of the same data differ by {:.0} meV (root mean square) between the k points: the mesh is too coarse for these bands; compute them on a denser one",
                1e3 * mean
            ),
        ));
    }
    Ok(())
}
