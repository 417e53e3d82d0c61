//! Band models in TOML: what `scalade bands MODEL.toml` reads. One of three kinds.
//!
//! ```toml
//! # 1. Tight binding
//! [lattice]
//! name = "sc"                # chain square triangular honeycomb sc bcc fcc diamond hcp
//! constant = "6 bohr"        # edge a of the conventional cell; or neighbour_distance = "3 angstrom"; numbers are angstrom
//! # thickness = "3.35 angstrom"        # of lattices of two dimensions, to which conductivities per volume refer
//! # cross_section = "20 angstrom^2"    # of the chain
//! # vectors = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]   # instead of a name: rows, times the constant (default 1 angstrom)
//!
//! [tight_binding]
//! unit = "Ha"                # of onsite energies and hoppings: eV (default), meV, Ha, Ry
//! spin_degeneracy = 2        # electrons that a band holds at a k: 2 (default), or 1 where orbitals carry a spin
//! electrons = 0              # electrons per cell of the neutral crystal, from which carriers are counted (default 0: from empty bands)
//!
//! [[orbital]]                # default: one with energy 0 on every site of a named lattice
//! energy = 0.0               # onsite energy
//! position = [0, 0, 0]       # fractional (default: the sites of the named lattice in turn, else the origin)
//!
//! [[hopping]]                # <orbital i, cell 0| H |orbital j, cell R>; the reverse is added
//! shell = 1                  # between all pairs of orbitals at the k-th distance, 1 the shortest
//! amplitude = -0.02          # of one orbital on sc: E = 2 amplitude (cos kx a + cos ky a + cos kz a)
//!
//! [[hopping]]                # or one by one; orbitals count from 1
//! from = 1
//! to = 1
//! cell = [2, 0, 0]
//! amplitude = [0.001, 0.0]   # a number, or real and imaginary part
//! ```
//!
//! ```toml
//! # 2. Parabolic bands
//! [parabolic]
//! unit = "eV"                # of the edges
//! exponent = 0               # r of tau = tau0 (E/kT)^r, E from the edge of each band: -1/2 acoustic phonons, 3/2 ionised impurities
//!
//! [[band]]
//! carrier = "electron"       # or "hole"
//! mass = [0.92, 0.19, 0.19]  # principal masses along x, y, z in electron masses, or one number
//! valleys = 6                # more than one: equivalent by cubic symmetry (default 1)
//! edge = 1.12                # energy of the edge
//! ```
//!
//! ```toml
//! # 3. Small polarons: sigma = N x (1 - x) e^2 a^2 nu exp(-E_a/kT)/kT
//! [polaron]
//! site_density = "1.38e22 cm^-3"
//! hop_length = "3 angstrom"
//! attempt_frequency = "1e13 Hz"
//! barrier = "0.175 eV"
//! filling = [0.25, 0.5]      # share of the sites that hold a polaron (or --carriers)
//! ```

use crate::error::ScaladeError;
use crate::model_file::{Section, bad, known};
use crate::rungs::{electronvolt, quantity};
use scalade_bands::constants::{BOHR_ANGSTROM, HARTREE_EV};
use scalade_bands::parabolic::Carrier;
use scalade_bands::parabolic_model::Valleys;
use scalade_bands::polaron::PolaronHopping;
use scalade_bands::{BandsError, Hopping, PointGroup, TightBinding};
use scalade_crystal::{Matrix3, MoyoFinder, NamedLattice, Structure, SymmetryFinder, determinant, norm};
use scalade_units::{Dimension, dimension};
use toml::{Table, Value};

/// Length of a lattice vector along which nothing hops, in the longest of the others: one k point is enough there, and grids follow the vectors.
const EMPTY_AXIS: f64 = 1e3;
/// Most orbitals and hoppings of a file.
const MOST_ENTRIES: usize = 10_000;
/// Farthest shell.
const MOST_SHELLS: f64 = 50.0;

/// A tight-binding model with what a file says beside.
#[derive(Clone, Debug, PartialEq)]
pub struct TightModel {
    /// The Hamiltonian, with the rotations that it was found to have.
    pub model: TightBinding,
    /// Directions in which the lattice extends; they come first.
    pub dimensions: usize,
    /// Electrons per cell of the neutral crystal.
    pub electrons: f64,
    /// Volume of the cell of `model` over the true one: lattices of lower dimension are held apart.
    pub dilution: f64,
}

/// A model file.
#[derive(Clone, Debug, PartialEq)]
pub enum BandFile {
    /// Tight binding.
    TightBinding(Box<TightModel>),
    /// Parabolic bands with their exponent of the relaxation time, if the file gives one.
    Parabolic {
        /// The bands.
        valleys: Vec<Valleys>,
        /// r of tau = tau0 (E/kT)^r.
        exponent: Option<f64>,
    },
    /// Small polarons and the shares of sites that they fill.
    Polaron {
        /// The hops.
        hopping: PolaronHopping,
        /// Shares of the sites.
        filling: Vec<f64>,
    },
}

/// A number with a unit in a text: bohr are lengths here, Ha and Ry energies.
pub(crate) fn length_angstrom(what: &str, text: &str) -> Result<f64, ScaladeError> {
    let text = text.trim();
    if let Some(Ok(number)) = text.strip_suffix("bohr").map(|n| n.trim().parse::<f64>()) {
        return Ok(number * BOHR_ANGSTROM);
    }
    Ok(quantity(what, text, dimension::LENGTH)? * 1e10)
}

/// An energy in eV; a number without a unit is taken as eV.
pub(crate) fn energy_ev(what: &str, text: &str) -> Result<f64, ScaladeError> {
    let text = text.trim();
    let number = |n: &str| n.trim().parse::<f64>().ok().filter(|x| x.is_finite());
    if let Some(plain) = number(text) {
        return Ok(plain);
    }
    for (unit, size) in [("Ha", HARTREE_EV), ("Ry", 0.5 * HARTREE_EV)] {
        if let Some(found) = text.strip_suffix(unit).and_then(number) {
            return Ok(found * size);
        }
    }
    electronvolt(what, text)
}

fn refused(file: &str) -> impl Fn(BandsError) -> ScaladeError + '_ {
    move |e| bad(format!("{file}: {e}"))
}

impl BandFile {
    /// Reads a model; `file` is what messages call it.
    ///
    /// Errors: text that is no TOML, unknown keys, numbers that cannot be, models without a Hermitian Hamiltonian.
    pub fn parse(text: &str, file: &str) -> Result<Self, ScaladeError> {
        let root: Table = text
            .parse()
            .map_err(|e: toml::de::Error| bad(format!("{file}: {}", e.to_string().trim_end())))?;
        let all = ["lattice", "tight_binding", "orbital", "hopping", "parabolic", "band", "polaron"];
        known(file, "", &root, &all)?;
        let kinds: [(&str, &[&str]); 3] = [
            ("tight binding", &["lattice", "tight_binding", "orbital", "hopping"]),
            ("parabolic bands", &["parabolic", "band"]),
            ("small polarons", &["polaron"]),
        ];
        let given: Vec<&str> = kinds
            .iter()
            .filter(|(_, tables)| tables.iter().any(|t| root.contains_key(*t)))
            .map(|k| k.0)
            .collect();
        match given[..] {
            ["tight binding"] => read_tight_binding(&root, file),
            ["parabolic bands"] => read_parabolic(&root, file),
            ["small polarons"] => read_polaron(&root, file),
            [] => Err(bad(format!(
                "{file}: no model; give [lattice] with [[hopping]], or [[band]], or [polaron]"
            ))),
            _ => {
                Err(bad(format!("{file}: {} stand beside each other; give one of them", given.join(" and "))))
            }
        }
    }
}

/// The entries of an array of tables, with the names that messages call them.
fn entries<'a>(root: &'a Table, key: &str, file: &str) -> Result<Vec<(String, &'a Table)>, ScaladeError> {
    let list = match root.get(key) {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(bad(format!("{file}: {key} is no list of tables; write [[{key}]]"))),
    };
    if list.len() > MOST_ENTRIES {
        return Err(bad(format!("{file}: {} tables [[{key}]]; at most 10000 are possible", list.len())));
    }
    let one = |(index, value): (usize, &'a Value)| match value {
        Value::Table(table) => Ok((format!("[{key}] {}", index + 1), table)),
        _ => Err(bad(format!("{file}: {key} is no list of tables; write [[{key}]]"))),
    };
    list.iter().enumerate().map(one).collect()
}

/// A table that may be left out.
fn optional<'a>(
    root: &'a Table,
    empty: &'a Table,
    name: &'a str,
    file: &'a str,
    keys: &[&str],
) -> Result<Section<'a>, ScaladeError> {
    match root.get(name) {
        None => Ok(Section::over(file, name, empty)),
        Some(_) => Section::of(file, root, name, keys),
    }
}

/// A quantity as a text, or a number in the unit that is customary; in that unit.
fn measured(
    section: &Section<'_>,
    key: &str,
    example: &str,
    read: impl Fn(&str) -> Result<f64, ScaladeError>,
) -> Result<Option<f64>, ScaladeError> {
    let want = format!("a positive number is due, such as {example}");
    let value = match section.table.get(key) {
        Some(Value::String(text)) => Some(
            read(text).map_err(|e| section.wrong(key, &format!("is {text:?}"), &format!("{e}; {want}")))?,
        ),
        _ => section.number(key, |x| x > 0.0, &want)?,
    };
    match value {
        Some(x) if !(x > 0.0 && x.is_finite()) => Err(section.wrong(key, &format!("is {x}"), &want)),
        other => Ok(other),
    }
}

/// Three numbers.
fn triple(section: &Section<'_>, key: &str, want: &str) -> Result<Option<[f64; 3]>, ScaladeError> {
    let Some(list) = section.numbers(key, |x| x.abs() < 1e4, want)? else { return Ok(None) };
    <[f64; 3]>::try_from(list)
        .map(Some)
        .map_err(|list| section.wrong(key, &format!("has {} entries", list.len()), want))
}

struct Lattice {
    vectors: Matrix3,
    sites: Vec<[f64; 3]>,
    dimensions: usize,
    dilution: f64,
}

/// Edge of the conventional cell in nearest-neighbour distances.
fn conventional_edge(lattice: NamedLattice) -> f64 {
    match lattice {
        NamedLattice::Bcc => 2.0 / 3f64.sqrt(),
        NamedLattice::Fcc => 2f64.sqrt(),
        NamedLattice::Diamond => 4.0 / 3f64.sqrt(),
        NamedLattice::Honeycomb => 3f64.sqrt(),
        NamedLattice::Chain
        | NamedLattice::Square
        | NamedLattice::Triangular
        | NamedLattice::Sc
        | NamedLattice::Hcp => 1.0,
    }
}

fn read_lattice(root: &Table, file: &str) -> Result<Lattice, ScaladeError> {
    let keys = ["name", "vectors", "constant", "neighbour_distance", "thickness", "cross_section"];
    let section = Section::of(file, root, "lattice", &keys)?;
    let length =
        |key: &str| measured(&section, key, "\"6 bohr\" or 3.2 (angstrom)", |t| length_angstrom(key, t));
    let (constant, neighbour) = (length("constant")?, length("neighbour_distance")?);
    if constant.is_some() && neighbour.is_some() {
        return Err(section.wrong("constant", "and neighbour_distance are both given", "give one of them"));
    }
    let names: Vec<(&str, NamedLattice)> = NamedLattice::ALL.iter().map(|l| (l.name(), *l)).collect();
    let named = section.word("name", &names)?;
    let Some(named) = named else {
        let rows = read_vectors(&section)?
            .ok_or_else(|| section.missing("name", "give a named lattice, such as \"sc\", or vectors"))?;
        for key in ["neighbour_distance", "thickness", "cross_section"] {
            if section.has(key) {
                return Err(section.wrong(key, "belongs to named lattices", "use constant with vectors"));
            }
        }
        let scale = constant.unwrap_or(1.0);
        let vectors = rows.map(|row| row.map(|x| x * scale));
        return Ok(Lattice { vectors, sites: vec![[0.0; 3]], dimensions: 3, dilution: 1.0 });
    };
    if section.has("vectors") {
        return Err(section.wrong("vectors", "stand beside a name", "give one of them"));
    }
    let scale = match (constant, neighbour) {
        (Some(a), None) => a / conventional_edge(named),
        (None, Some(d)) => d,
        _ => {
            return Err(
                section.missing("constant", "give the edge of the conventional cell, such as \"6 bohr\"")
            );
        }
    };
    let dimensions = named.dimensions();
    let mut vectors = named.vectors().map(|row| row.map(|x| x * scale));
    let area = |key: &str| {
        let squared: Dimension = dimension::AREA;
        measured(&section, key, "\"20 angstrom^2\" or 20 (angstrom^2)", |t| {
            Ok(quantity(key, t, squared)? * 1e20)
        })
    };
    let (thickness, cross_section) = (length("thickness")?, area("cross_section")?);
    let own = match dimensions {
        1 => cross_section.map(|a| a * norm(vectors[0])),
        2 => thickness.map(|t| t * determinant(&vectors).abs() / norm(vectors[2])),
        _ => Some(determinant(&vectors).abs()),
    };
    let due = ["", "cross_section", "thickness", ""][dimensions];
    for (key, given) in [("thickness", thickness.is_some()), ("cross_section", cross_section.is_some())] {
        if given && key != due {
            return Err(section.wrong(key, &format!("means nothing for {}", named.name()), "remove it"));
        }
    }
    let own = own.ok_or_else(|| {
        section.missing(
            due,
            "conductivities are per volume: say to how much space beside the lattice they refer",
        )
    })?;
    let longest = vectors[..dimensions].iter().map(|row| norm(*row)).fold(0.0, f64::max);
    for (axis, row) in vectors.iter_mut().enumerate().skip(dimensions) {
        *row = [0.0; 3];
        row[axis] = longest * EMPTY_AXIS;
    }
    let dilution = determinant(&vectors).abs() / own;
    Ok(Lattice { vectors, sites: named.basis(), dimensions, dilution })
}

fn read_vectors(section: &Section<'_>) -> Result<Option<Matrix3>, ScaladeError> {
    let want = "three rows of three numbers are due, such as [[1, 0, 0], [0, 1, 0], [0, 0, 1]]";
    let Some(value) = section.table.get("vectors") else { return Ok(None) };
    let wrong = || section.wrong("vectors", "are no three vectors", want);
    let rows = value.as_array().ok_or_else(wrong)?;
    let mut out = [[0.0; 3]; 3];
    if rows.len() != 3 {
        return Err(wrong());
    }
    for (row, given) in out.iter_mut().zip(rows) {
        let numbers = given.as_array().filter(|n| n.len() == 3).ok_or_else(wrong)?;
        for (x, n) in row.iter_mut().zip(numbers) {
            let number = n.as_float().or_else(|| n.as_integer().map(|i| i as f64));
            *x = number.filter(|v| v.abs() < 1e6).ok_or_else(wrong)?;
        }
    }
    Ok(Some(out))
}

fn energy_unit(section: &Section<'_>) -> Result<f64, ScaladeError> {
    let units = [("eV", 1.0), ("meV", 1e-3), ("Ha", HARTREE_EV), ("Ry", 0.5 * HARTREE_EV)];
    Ok(section.word("unit", &units)?.unwrap_or(1.0))
}

struct Orbital {
    energy_ev: f64,
    position: [f64; 3],
}

fn read_orbitals(
    root: &Table,
    file: &str,
    lattice: &Lattice,
    unit: f64,
) -> Result<Vec<Orbital>, ScaladeError> {
    let listed = entries(root, "orbital", file)?;
    if listed.is_empty() {
        return Ok(lattice.sites.iter().map(|p| Orbital { energy_ev: 0.0, position: *p }).collect());
    }
    let mut out = Vec::with_capacity(listed.len());
    for (index, (name, table)) in listed.iter().enumerate() {
        known(file, &format!("[{name}] "), table, &["energy", "position"])?;
        let section = Section::over(file, name, table);
        let energy = section.number("energy", |e| e.abs() < 1e5, "a finite energy is due")?.unwrap_or(0.0);
        let site = lattice.sites[index % lattice.sites.len()];
        let position = triple(&section, "position", "three fractional coordinates are due")?.unwrap_or(site);
        out.push(Orbital { energy_ev: energy * unit, position });
    }
    Ok(out)
}

/// One pair of orbitals, the second in another cell, with their distance.
struct Pair {
    from: usize,
    to: usize,
    cell: [i32; 3],
    distance: f64,
}

/// Pairs within a growing ball until `shells` distances and the next are among them, sorted by distance; then the number of the shell of each.
fn pairs_by_shell(
    lattice: &Lattice,
    orbitals: &[Orbital],
    shells: usize,
) -> Result<Vec<(usize, Pair)>, ScaladeError> {
    let back = scalade_crystal::inverse(&lattice.vectors)
        .ok_or_else(|| bad("the lattice vectors lie in one plane; three independent ones are due"))?;
    let volume = determinant(&lattice.vectors).abs();
    let mut radius = match lattice.dimensions {
        3 => volume.cbrt(),
        d => lattice.vectors[..d].iter().map(|row| norm(*row)).fold(0.0, f64::max),
    };
    loop {
        let mut found = Vec::new();
        let reach: [i32; 3] = std::array::from_fn(|i| {
            if i >= lattice.dimensions {
                return 0;
            }
            (radius * norm([back[0][i], back[1][i], back[2][i]])).ceil() as i32 + 2
        });
        let cells = reach.iter().map(|r| 2.0 * f64::from(*r) + 1.0).product::<f64>();
        if cells * (orbitals.len() * orbitals.len()) as f64 > 2e7 {
            return Err(bad(format!(
                "the {shells} shells of {} orbitals hold too many pairs; give hoppings one by one",
                orbitals.len()
            )));
        }
        for a in -reach[0]..=reach[0] {
            for b in -reach[1]..=reach[1] {
                for c in -reach[2]..=reach[2] {
                    let cell = [a, b, c];
                    for (from, i) in orbitals.iter().enumerate() {
                        for (to, j) in orbitals.iter().enumerate() {
                            let apart: [f64; 3] =
                                std::array::from_fn(|k| f64::from(cell[k]) + j.position[k] - i.position[k]);
                            let distance = norm(scalade_crystal::row_times(apart, &lattice.vectors));
                            if distance <= radius && distance > 1e-6 * radius {
                                found.push(Pair { from, to, cell, distance });
                            }
                        }
                    }
                }
            }
        }
        found.sort_by(|x, y| {
            x.distance.total_cmp(&y.distance).then((x.from, x.to, x.cell).cmp(&(y.from, y.to, y.cell)))
        });
        let mut numbered = Vec::with_capacity(found.len());
        let (mut shell, mut last) = (0, f64::NEG_INFINITY);
        for pair in found {
            if pair.distance > last * (1.0 + 1e-5) {
                shell += 1;
                last = pair.distance;
            }
            numbered.push((shell, pair));
        }
        // The farthest distance of the ball may be cut off: one more than asked for must be there.
        if shell > shells {
            return Ok(numbered);
        }
        radius *= 1.3;
    }
}

fn amplitude(section: &Section<'_>, unit: f64) -> Result<[f64; 2], ScaladeError> {
    let want = "a number is due, or a real and an imaginary part as [re, im]";
    let list = section
        .numbers("amplitude", |x| x.abs() < 1e5, want)?
        .ok_or_else(|| section.missing("amplitude", want))?;
    match list[..] {
        [re] => Ok([re * unit, 0.0]),
        [re, im] => Ok([re * unit, im * unit]),
        _ => Err(section.wrong("amplitude", &format!("has {} entries", list.len()), want)),
    }
}

/// Hoppings as the Hamiltonian takes them: both directions of every pair are in the list.
fn read_hoppings(
    root: &Table,
    file: &str,
    lattice: &Lattice,
    orbitals: &[Orbital],
    unit: f64,
) -> Result<Vec<Hopping>, ScaladeError> {
    let listed = entries(root, "hopping", file)?;
    if listed.is_empty() {
        return Err(bad(format!(
            "{file}: [[hopping]] is missing; give at least one, such as shell = 1 and amplitude = -0.5"
        )));
    }
    let mut out: Vec<Hopping> = orbitals
        .iter()
        .enumerate()
        .map(|(i, o)| Hopping { row: i, column: i, cell: [0; 3], amplitude_ev: [o.energy_ev, 0.0] })
        .collect();
    let mut shells = Vec::new();
    let mut one_by_one = std::collections::BTreeSet::new();
    for (name, table) in &listed {
        known(file, &format!("[{name}] "), table, &["shell", "from", "to", "cell", "amplitude"])?;
        let section = Section::over(file, name, table);
        let value = amplitude(&section, unit)?;
        let shell = section.number(
            "shell",
            |s| s.fract() == 0.0 && (1.0..=MOST_SHELLS).contains(&s),
            "a whole number from 1 to 50 is due",
        )?;
        if let Some(shell) = shell {
            if section.has("from") || section.has("to") || section.has("cell") {
                return Err(section.wrong(
                    "shell",
                    "stands beside from, to or cell",
                    "give one or the other",
                ));
            }
            if value[1] != 0.0 {
                let want = "a shell has both directions of every pair: a real number is due";
                return Err(section.wrong("amplitude", "has an imaginary part", want));
            }
            if shells.iter().any(|(s, _)| *s == shell as usize) {
                return Err(section.wrong("shell", &format!("{shell} is given twice"), "give it once"));
            }
            shells.push((shell as usize, value[0]));
            continue;
        }
        let pair = explicit(&section, orbitals.len(), lattice.dimensions, value)?;
        let place = |h: &Hopping| (h.row, h.column, h.cell);
        if one_by_one.contains(&place(&pair[0])) {
            let want = "the reverse of every hopping is added: give each pair once";
            return Err(section.wrong("cell", "with from and to stands twice", want));
        }
        one_by_one.extend(pair.iter().map(place));
        out.extend(pair);
    }
    if let Some(most) = shells.iter().map(|s| s.0).max() {
        for (shell, pair) in pairs_by_shell(lattice, orbitals, most)? {
            if let Some((_, value)) = shells.iter().find(|s| s.0 == shell) {
                let Pair { from: row, to: column, cell, .. } = pair;
                out.push(Hopping { row, column, cell, amplitude_ev: [*value, 0.0] });
            }
        }
    }
    Ok(out)
}

/// One element and its reverse.
fn explicit(
    section: &Section<'_>,
    orbitals: usize,
    dimensions: usize,
    [re, im]: [f64; 2],
) -> Result<[Hopping; 2], ScaladeError> {
    let want = format!("the number of an orbital from 1 to {orbitals} is due (or shell instead)");
    let orbital = |key: &str| -> Result<usize, ScaladeError> {
        let holds = |n: f64| n.fract() == 0.0 && n >= 1.0 && n <= orbitals as f64;
        let found = section.number(key, holds, &want)?.ok_or_else(|| section.missing(key, &want))?;
        Ok(found as usize - 1)
    };
    let (row, column) = (orbital("from")?, orbital("to")?);
    let due = "three whole numbers are due, the cell of the second orbital, such as [1, 0, 0]";
    let cell = triple(section, "cell", due)?.ok_or_else(|| section.missing("cell", due))?;
    if cell.iter().any(|c| c.fract() != 0.0) {
        return Err(section.wrong("cell", &format!("is {cell:?}"), due));
    }
    let cell = cell.map(|c| c as i32);
    if cell[dimensions..].iter().any(|c| *c != 0) {
        let want = format!("this lattice has {dimensions} dimensions: the others are 0");
        return Err(section.wrong("cell", &format!("is {cell:?}"), &want));
    }
    if row == column && cell == [0; 3] {
        let want = "that is an onsite energy: give it as energy of the [[orbital]]";
        return Err(section.wrong("cell", "is the own one", want));
    }
    let back = Hopping { row: column, column: row, cell: cell.map(|c| -c), amplitude_ev: [re, -im] };
    Ok([Hopping { row, column, cell, amplitude_ev: [re, im] }, back])
}

/// The largest group of rotations that the bands have: those of the positions, k -> -k alone, or none.
fn with_symmetry(model: TightBinding, lattice: &Lattice, orbitals: &[Orbital]) -> TightBinding {
    let mut sites: Vec<([f64; 3], String)> = Vec::new();
    for o in orbitals {
        let label = format!("{:e} ", o.energy_ev);
        let same = |p: &[f64; 3]| {
            (0..3).all(|i| {
                let d = p[i] - o.position[i];
                (d - d.round()).abs() < 1e-6
            })
        };
        match sites.iter_mut().find(|(p, _)| same(p)) {
            Some((_, own)) => own.push_str(&label),
            None => sites.push((o.position, label)),
        }
    }
    let (positions, species): (Vec<[f64; 3]>, Vec<String>) = sites.into_iter().unzip();
    let group = Structure::new(lattice.vectors, species, positions)
        .ok()
        .and_then(|s| MoyoFinder.space_group(&s, 1e-4).ok())
        .and_then(|g| PointGroup::of_space_group(&lattice.vectors, &g, true).ok());
    if let Some(group) = group
        && let Ok(found) = model.clone().with_rotations(group.rotations(), true)
    {
        return found;
    }
    model.clone().with_rotations(&[], true).unwrap_or(model)
}

fn read_tight_binding(root: &Table, file: &str) -> Result<BandFile, ScaladeError> {
    let empty = Table::new();
    let keys = ["unit", "spin_degeneracy", "electrons"];
    let section = optional(root, &empty, "tight_binding", file, &keys)?;
    let unit = energy_unit(&section)?;
    let lattice = read_lattice(root, file)?;
    let orbitals = read_orbitals(root, file, &lattice, unit)?;
    let hoppings = read_hoppings(root, file, &lattice, &orbitals, unit)?;
    let spin = section.number("spin_degeneracy", |s| s == 1.0 || s == 2.0, "1 or 2 is due")?.unwrap_or(2.0);
    let capacity = spin * orbitals.len() as f64;
    let want = format!("0 to {capacity} is due, what {} orbitals hold", orbitals.len());
    let electrons = section.number("electrons", |n| (0.0..=capacity).contains(&n), &want)?.unwrap_or(0.0);
    let model =
        TightBinding::new(lattice.vectors, orbitals.len(), &hoppings, false, spin).map_err(refused(file))?;
    let model = with_symmetry(model, &lattice, &orbitals);
    Ok(BandFile::TightBinding(Box::new(TightModel {
        model,
        dimensions: lattice.dimensions,
        electrons,
        dilution: lattice.dilution,
    })))
}

fn read_parabolic(root: &Table, file: &str) -> Result<BandFile, ScaladeError> {
    let empty = Table::new();
    let section = optional(root, &empty, "parabolic", file, &["unit", "exponent"])?;
    let unit = energy_unit(&section)?;
    let want = "a whole or half number from -1 to 10 is due, such as -0.5 for acoustic phonons";
    let exponent =
        section.number("exponent", |r| (2.0 * r).fract() == 0.0 && (-1.0..=10.0).contains(&r), want)?;
    let listed = entries(root, "band", file)?;
    if listed.is_empty() {
        return Err(bad(format!(
            "{file}: [[band]] is missing; give at least one, with carrier, mass and edge"
        )));
    }
    let mut valleys = Vec::with_capacity(listed.len());
    for (name, table) in &listed {
        known(file, &format!("[{name}] "), table, &["carrier", "mass", "valleys", "edge"])?;
        let section = Section::over(file, name, table);
        let carrier = section
            .word("carrier", &[("electron", Carrier::Electron), ("hole", Carrier::Hole)])?
            .ok_or_else(|| section.missing("carrier", "\"electron\" or \"hole\" is due"))?;
        let want = "a mass in electron masses or three along the principal axes are due, all > 0";
        let masses = section
            .numbers("mass", |m| m > 0.0 && m < 1e6, want)?
            .ok_or_else(|| section.missing("mass", want))?;
        let masses = match masses[..] {
            [m] => [m; 3],
            [a, b, c] => [a, b, c],
            _ => return Err(section.wrong("mass", &format!("has {} entries", masses.len()), want)),
        };
        let whole = |n: f64| n.fract() == 0.0 && (1.0..=1000.0).contains(&n);
        let count = section.number("valleys", whole, "a whole number from 1 to 1000 is due")?.unwrap_or(1.0);
        let edge = section.number("edge", |e| e.abs() < 1e5, "a finite energy is due")?.unwrap_or(0.0);
        valleys.push(Valleys { carrier, masses, count: count as u32, edge_ev: edge * unit });
    }
    Ok(BandFile::Parabolic { valleys, exponent })
}

fn read_polaron(root: &Table, file: &str) -> Result<BandFile, ScaladeError> {
    let keys = ["site_density", "hop_length", "attempt_frequency", "barrier", "filling"];
    let section = Section::of(file, root, "polaron", &keys)?;
    let due = |key: &str, example: &str, found: Result<Option<f64>, ScaladeError>| {
        found?.ok_or_else(|| section.missing(key, &format!("give it, such as {example}")))
    };
    let per_volume = Dimension([-3, 0, 0, 0, 0, 0, 0]);
    let example = "\"1.38e22 cm^-3\" (numbers: per m3)";
    let read = |t: &str| quantity("site_density", t, per_volume);
    let site_density = due("site_density", example, measured(&section, "site_density", example, read))?;
    let example = "\"3 angstrom\"";
    let read = |t: &str| length_angstrom("hop_length", t);
    let hop_length_angstrom = due("hop_length", example, measured(&section, "hop_length", example, read))?;
    let example = "\"1e13 Hz\"";
    let read = |t: &str| quantity("attempt_frequency", t, dimension::FREQUENCY);
    let attempt_hz =
        due("attempt_frequency", example, measured(&section, "attempt_frequency", example, read))?;
    let want = "an energy that is not negative is due, such as \"0.175 eV\" (numbers: eV)";
    let barrier_ev = match section.table.get("barrier") {
        Some(Value::String(text)) => Some(
            energy_ev("barrier", text)
                .map_err(|e| section.wrong("barrier", &format!("is {text:?}"), &e.to_string()))?,
        ),
        _ => section.number("barrier", |_| true, want)?,
    };
    let barrier_ev = barrier_ev.ok_or_else(|| section.missing("barrier", want))?;
    if !(0.0..1e3).contains(&barrier_ev) {
        return Err(section.wrong("barrier", &format!("is {barrier_ev} eV"), want));
    }
    let share = |x: f64| (0.0..=1.0).contains(&x);
    let filling = section.numbers("filling", share, "shares of the sites from 0 to 1 are due")?;
    let hopping = PolaronHopping { site_density, hop_length_angstrom, attempt_hz, barrier_ev };
    Ok(BandFile::Polaron { hopping, filling: filling.unwrap_or_default() })
}
