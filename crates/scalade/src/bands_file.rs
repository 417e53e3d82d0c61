//! Sources of bands: band models in TOML and files of eigenvalues or Wannier functions, for `scalade bands`.
//!
//! ```toml
//! [lattice]
//! name = "sc"                    # chain square triangular honeycomb sc bcc fcc diamond hcp; or vectors_angstrom = [[..], [..], [..]]
//! constant = "3.175 angstrom"    # edge of the cube of sc, bcc, fcc and diamond, distance of neighbours of the others
//!
//! [tight_binding]
//! onsite = [0.0]                 # one per orbital; on a named lattice one orbital a site, and one number will do for all
//! shells = [-0.544]              # amplitude to each neighbour shell of a named lattice, nearest first: E = sum of amplitudes times phases
//! unit = "eV"                    # or "Ha"
//! spin_degeneracy = 2            # 2: both spins in a band; 1: orbitals carry a spin
//! electrons = 0.0                # of the neutral cell; --carriers counts from here
//! hopping = [                    # instead of shells: amplitude from orbital `to` in cell R to orbital `from` in cell 0; the reverse follows
//!   { from = 0, to = 0, cell = [1, 0, 0], amplitude = [-0.544, 0.0] },
//! ]
//! ```
//!
//! or one parabolic band, `tau = tau0 (E/kT)^exponent`,
//!
//! ```toml
//! [parabolic]
//! carrier = "electron"           # or "hole"
//! masses = [0.9163, 0.1905, 0.1905]   # of the ellipsoids, m_e; or one number
//! valleys = 6
//! exponent = 0.0
//! ```
//!
//! or small polarons,
//!
//! ```toml
//! [polaron]
//! site_density = "1.38e28 m^-3"
//! hop_length = "3 angstrom"
//! attempt_frequency = "1e13 Hz"
//! barrier = "0.175 eV"
//! ```

use crate::error::ScaladeError;
use crate::model_file::{Section, bad, known};
use crate::ordering_files::first_structure;
use crate::orderings::read_text;
use crate::rungs::{electronvolt, quantity};
use scalade_bands::constants::HARTREE_EV;
use scalade_bands::parabolic::{Carrier, ParabolicBand};
use scalade_bands::polaron::PolaronHopping;
use scalade_bands::{BandSet, Hopping, PointGroup, TightBinding, vasp, wannier};
use scalade_crystal::{Matrix3, MoyoFinder, NamedLattice, Structure, SymmetryFinder, norm, row_times};
use scalade_units::dimension::{self, Dimension};
use std::path::Path;
use toml::{Table, Value};

/// Most shells of a model.
const MOST_SHELLS: usize = 12;
/// Distances closer than this, relative, are one shell.
const SHELL_TOLERANCE: f64 = 1e-6;
/// Tolerance of symmetry, angstrom.
const SYMMETRY_TOLERANCE: f64 = 1e-4;
/// 1/volume.
pub(crate) const DENSITY: Dimension = Dimension([-3, 0, 0, 0, 0, 0, 0]);

/// Where bands come from.
#[derive(Clone, Debug)]
pub enum BandSource {
    /// A tight-binding model with the electrons of its neutral cell.
    Model(TightBinding, f64),
    /// Eigenvalues on k points: one set, or one for each spin.
    Sets(Vec<BandSet>),
    /// A parabolic band with the exponent of its relaxation time.
    Parabolic(ParabolicBand, f64),
    /// Small polarons.
    Polaron(PolaronHopping),
}

impl BandSource {
    /// Reads a file of any kind, told by its content; `structure` holds the lattice where the file does not.
    pub fn read(path: &Path, structure: Option<&Path>) -> Result<Self, ScaladeError> {
        let (text, name) = (read_text(path)?, path.display().to_string());
        let of = |e: scalade_bands::BandsError| bad(format!("{name}: {e}"));
        if path.extension().is_some_and(|e| e == "toml") {
            return Self::parse(&text, &name);
        }
        if text.trim_start().starts_with('{') {
            return Ok(Self::Sets(vec![BandSet::from_json(&text).map_err(of)?]));
        }
        if text.trim_start().starts_with('<') {
            return Err(bad(format!(
                "{name} is XML, which is not read for bands; give the EIGENVAL of the same run with --structure POSCAR"
            )));
        }
        let wanted =
            || bad(format!("{name} holds no lattice: give --structure with the POSCAR or CIF of the run"));
        let structure = read_structure(structure.ok_or_else(wanted)?)?;
        let rotations = PointGroup::of_space_group(structure.lattice_angstrom(), &group(&structure)?, true)
            .map_err(of)?
            .rotations()
            .to_vec();
        let lattice = *structure.lattice_angstrom();
        // EIGENVAL begins with four whole numbers, a `_hr.dat` with a comment.
        let first: Vec<&str> = text.lines().next().unwrap_or_default().split_whitespace().collect();
        if first.len() == 4 && first.iter().all(|w| w.parse::<u32>().is_ok()) {
            return Ok(Self::Sets(vasp::read_eigenval(&text, lattice, &rotations, false).map_err(of)?));
        }
        let model = wannier::read_hr(&text, lattice, 2.0).map_err(of)?;
        // Wannier functions may break the symmetry of the crystal a little: then no use is made of it.
        let symmetric = model.clone().with_rotations(&rotations, true).unwrap_or(model);
        Ok(Self::Model(symmetric, 0.0))
    }

    /// Reads a model; `file` is what messages call it.
    pub fn parse(text: &str, file: &str) -> Result<Self, ScaladeError> {
        let root: Table = text
            .parse()
            .map_err(|e: toml::de::Error| bad(format!("{file}: {}", e.to_string().trim_end())))?;
        known(file, "", &root, &["lattice", "tight_binding", "parabolic", "polaron"])?;
        let kinds: Vec<&str> = ["tight_binding", "parabolic", "polaron"]
            .into_iter()
            .filter(|kind| root.contains_key(*kind))
            .collect();
        match kinds[..] {
            ["tight_binding"] => tight_binding(file, &root),
            ["parabolic"] => parabolic(file, &root),
            ["polaron"] => polaron(file, &root),
            [] => Err(bad(format!("{file}: one of [tight_binding], [parabolic] and [polaron] is due"))),
            _ => Err(bad(format!("{file}: [{}] stand beside each other; give one", kinds.join("], [")))),
        }
    }
}

fn read_structure(path: &Path) -> Result<Structure, ScaladeError> {
    first_structure(path)
}

fn group(structure: &Structure) -> Result<scalade_crystal::SpaceGroup, ScaladeError> {
    MoyoFinder.space_group(structure, SYMMETRY_TOLERANCE).map_err(|e| bad(e.to_string()))
}

/// Lattice vectors and sites of [lattice]; sites only of a named one.
type Cell = (Matrix3, Option<Vec<[f64; 3]>>, usize);

fn read_lattice(file: &str, root: &Table) -> Result<Cell, ScaladeError> {
    let lattice = Section::of(file, root, "lattice", &["name", "constant", "vectors_angstrom"])?;
    let names: Vec<(&str, NamedLattice)> = NamedLattice::ALL.iter().map(|l| (l.name(), *l)).collect();
    let name = lattice.word("name", &names)?;
    if let Some(rows) = lattice.table.get("vectors_angstrom") {
        if name.is_some() {
            let want = "give one of them";
            return Err(lattice.wrong("vectors_angstrom", "stands beside a name", want));
        }
        let want = "three rows of three finite numbers are due";
        let row = |row: &Value| -> Option<[f64; 3]> {
            let numbers: Vec<f64> = row.as_array()?.iter().filter_map(as_number).collect();
            <[f64; 3]>::try_from(numbers).ok()
        };
        let rows: Option<Vec<[f64; 3]>> = rows.as_array().and_then(|r| r.iter().map(row).collect());
        let vectors = rows.and_then(|r| Matrix3::try_from(r).ok());
        return Ok((
            vectors.ok_or_else(|| lattice.wrong("vectors_angstrom", "is no lattice", want))?,
            None,
            3,
        ));
    }
    let name = name.ok_or_else(|| lattice.missing("name", "give a lattice, such as \"sc\""))?;
    let want = "a length is due, such as \"3.9 angstrom\"";
    let constant = lattice.text("constant", want)?.ok_or_else(|| lattice.missing("constant", want))?;
    let constant = 1e10 * quantity("[lattice] constant", constant, dimension::LENGTH)?;
    if !(constant > 0.0 && constant < 1e3) {
        return Err(lattice.wrong("constant", &format!("is {constant} angstrom"), "0 to 1000 is due"));
    }
    // Named lattices have neighbours at distance 1; the edge of the cube is this long then.
    let edge = match name {
        NamedLattice::Bcc => 2.0 / 3f64.sqrt(),
        NamedLattice::Fcc => 2f64.sqrt(),
        NamedLattice::Diamond => 4.0 / 3f64.sqrt(),
        _ => 1.0,
    };
    let vectors = name.vectors().map(|row| row.map(|x| x * constant / edge));
    Ok((vectors, Some(name.basis()), name.dimensions()))
}

fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(n) => Some(*n as f64),
        Value::Float(x) if x.is_finite() => Some(*x),
        _ => None,
    }
}

fn tight_binding(file: &str, root: &Table) -> Result<BandSource, ScaladeError> {
    let (vectors, sites, dimensions) = read_lattice(file, root)?;
    let keys = ["onsite", "shells", "unit", "spin_degeneracy", "electrons", "hopping"];
    let model = Section::of(file, root, "tight_binding", &keys)?;
    let unit = model.word("unit", &[("eV", 1.0), ("Ha", HARTREE_EV)])?.unwrap_or(1.0);
    let want = "finite numbers are due, one per orbital";
    let mut onsite = model.numbers("onsite", |e| e.abs() < 1e5, want)?.unwrap_or_else(|| vec![0.0]);
    if let Some(sites) = &sites
        && onsite.len() == 1
    {
        onsite = vec![onsite[0]; sites.len()];
    }
    let orbitals = onsite.len();
    let mut hoppings: Vec<Hopping> = onsite
        .iter()
        .enumerate()
        .map(|(n, e)| Hopping { row: n, column: n, cell: [0; 3], amplitude_ev: [e * unit, 0.0] })
        .collect();
    let mut group = None;
    match (model.has("shells"), model.has("hopping"), &sites) {
        (true, true, _) => return Err(model.wrong("shells", "stands beside hopping", "give one of them")),
        (false, false, _) => return Err(model.missing("shells", "give shells or hopping")),
        (true, false, None) => {
            return Err(model.wrong("shells", "needs a named lattice", "give hopping instead"));
        }
        (true, false, Some(sites)) => {
            if sites.len() != orbitals {
                let what = format!("has {orbitals} entries");
                return Err(model.wrong("onsite", &what, &format!("{} sites are in the cell", sites.len())));
            }
            let want = "finite numbers are due, one per neighbour shell";
            let shells = model.numbers("shells", |e| e.abs() < 1e4, want)?.unwrap_or_default();
            hoppings.extend(by_shell(&vectors, sites, dimensions, &shells, unit, &model)?);
            // Sites of one energy are alike.
            let species = onsite.iter().map(|e| format!("E{e}")).collect();
            let structure =
                Structure::new(vectors, species, sites.clone()).map_err(|e| bad(e.to_string()))?;
            group = Some(self::group(&structure)?);
        }
        (false, true, _) => hoppings.extend(by_list(&model, unit)?),
    }
    let want = "1 or 2 is due";
    let spin = model.number("spin_degeneracy", |s| s == 1.0 || s == 2.0, want)?.unwrap_or(2.0);
    let electrons = model.number("electrons", |n| n >= 0.0, "a number from 0 is due")?.unwrap_or(0.0);
    let of = |e: scalade_bands::BandsError| bad(format!("{file}: {e}"));
    let bands = TightBinding::new(vectors, orbitals, &hoppings, true, spin).map_err(of)?;
    let rotations = match &group {
        Some(group) => PointGroup::of_space_group(&vectors, group, true).map_err(of)?.rotations().to_vec(),
        None => PointGroup::identity().rotations().to_vec(),
    };
    // Complex amplitudes may tell k from -k.
    let bands = bands.clone().with_rotations(&rotations, true).unwrap_or(bands);
    Ok(BandSource::Model(bands, electrons))
}

/// Amplitudes to the neighbours of every shell, each pair of sites once.
fn by_shell(
    vectors: &Matrix3,
    sites: &[[f64; 3]],
    dimensions: usize,
    shells: &[f64],
    unit: f64,
    model: &Section<'_>,
) -> Result<Vec<Hopping>, ScaladeError> {
    if shells.len() > MOST_SHELLS {
        let what = format!("has {} entries", shells.len());
        return Err(model.wrong("shells", &what, "at most 12 are possible"));
    }
    // Twelve shells lie within six nearest-neighbour distances on all named lattices but the chain.
    let reach = if dimensions == 1 { MOST_SHELLS as i32 + 1 } else { 8 };
    let range = |axis: usize| if axis < dimensions { -reach..=reach } else { 0..=0 };
    let mut pairs: Vec<(f64, usize, usize, [i32; 3])> = Vec::new();
    for i in range(0) {
        for j in range(1) {
            for k in range(2) {
                for (row, a) in sites.iter().enumerate() {
                    for (column, b) in sites.iter().enumerate() {
                        let cell = [i, j, k];
                        let step = std::array::from_fn(|x| f64::from(cell[x]) + b[x] - a[x]);
                        let distance = norm(row_times(step, vectors));
                        // Of a pair and its reverse, one.
                        if distance > 1e-9 && (cell, row, column) > (cell.map(|c| -c), column, row) {
                            pairs.push((distance, row, column, cell));
                        }
                    }
                }
            }
        }
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| (a.1, a.2, a.3).cmp(&(b.1, b.2, b.3))));
    let (mut shell, mut last, mut out) = (0, 0.0, Vec::new());
    for (distance, row, column, cell) in pairs {
        if last > 0.0 && distance > last * (1.0 + SHELL_TOLERANCE) {
            shell += 1;
        }
        last = distance;
        let Some(amplitude) = shells.get(shell) else { break };
        out.push(Hopping { row, column, cell, amplitude_ev: [amplitude * unit, 0.0] });
    }
    Ok(out)
}

fn by_list(model: &Section<'_>, unit: f64) -> Result<Vec<Hopping>, ScaladeError> {
    let want = "a list of { from = 0, to = 0, cell = [1, 0, 0], amplitude = -0.5 } is due";
    let items = model.table.get("hopping").and_then(Value::as_array);
    let items = items.ok_or_else(|| model.wrong("hopping", "is no list", want))?;
    let one = |(n, item): (usize, &Value)| {
        let read = || {
            let table = item.as_table()?;
            if table.keys().any(|k| !["from", "to", "cell", "amplitude"].contains(&k.as_str())) {
                return None;
            }
            let orbital = |key: &str| usize::try_from(table.get(key)?.as_integer()?).ok();
            let cell: Vec<i32> = table
                .get("cell")?
                .as_array()?
                .iter()
                .filter_map(|c| i32::try_from(c.as_integer()?).ok())
                .collect();
            let amplitude = match table.get("amplitude")? {
                Value::Array(parts) => {
                    let parts: Vec<f64> = parts.iter().filter_map(as_number).collect();
                    <[f64; 2]>::try_from(parts).ok()?
                }
                number => [as_number(number)?, 0.0],
            };
            Some(Hopping {
                row: orbital("from")?,
                column: orbital("to")?,
                cell: <[i32; 3]>::try_from(cell).ok()?,
                amplitude_ev: amplitude.map(|a| a * unit),
            })
        };
        read().ok_or_else(|| model.wrong(&format!("hopping[{n}]"), "cannot be read", want))
    };
    items.iter().enumerate().map(one).collect()
}

fn parabolic(file: &str, root: &Table) -> Result<BandSource, ScaladeError> {
    let band = Section::of(file, root, "parabolic", &["carrier", "masses", "valleys", "exponent"])?;
    let carriers = [("electron", Carrier::Electron), ("hole", Carrier::Hole)];
    let carrier = band.word("carrier", &carriers)?.unwrap_or(Carrier::Electron);
    let want = "one mass or three principal masses in electron masses are due, > 0";
    let masses = band.numbers("masses", |m| m > 0.0, want)?.ok_or_else(|| band.missing("masses", want))?;
    let masses = match masses[..] {
        [m] => [m; 3],
        [a, b, c] => [a, b, c],
        _ => return Err(band.wrong("masses", &format!("has {} entries", masses.len()), want)),
    };
    let valleys = band.count("valleys")?.unwrap_or(1);
    let valleys =
        u32::try_from(valleys).map_err(|_| band.wrong("valleys", "is too large", "a count is due"))?;
    let exponent = band.number("exponent", |_| true, "a number is due")?.unwrap_or(0.0);
    let found =
        ParabolicBand::ellipsoids(carrier, valleys, masses).map_err(|e| bad(format!("{file}: {e}")))?;
    Ok(BandSource::Parabolic(found, exponent))
}

fn polaron(file: &str, root: &Table) -> Result<BandSource, ScaladeError> {
    let keys = ["site_density", "hop_length", "attempt_frequency", "barrier"];
    let polaron = Section::of(file, root, "polaron", &keys)?;
    let text = |key: &str, such: &str| -> Result<String, ScaladeError> {
        let want = format!("a quantity is due, such as \"{such}\"");
        let found = polaron.text(key, &want)?.ok_or_else(|| polaron.missing(key, &want))?;
        Ok(found.to_string())
    };
    let of = |key: &str, such: &str, dimension| {
        text(key, such).and_then(|t| quantity(&format!("{file}: [polaron] {key}"), &t, dimension))
    };
    Ok(BandSource::Polaron(PolaronHopping {
        site_density: of("site_density", "1.38e28 m^-3", DENSITY)?,
        hop_length_angstrom: 1e10 * of("hop_length", "3 angstrom", dimension::LENGTH)?,
        attempt_hz: of("attempt_frequency", "1e13 Hz", dimension::FREQUENCY)?,
        barrier_ev: electronvolt(&format!("{file}: [polaron] barrier"), &text("barrier", "0.175 eV")?)?,
    }))
}
