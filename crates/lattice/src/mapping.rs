//! Assigns the atoms of relaxed structures to the sites of an ideal parent lattice, and accounts for every structure.

use crate::lattice_match::{integer_times, lattice_matches};
use crate::{LatticeError, SiteLattice, Supercell};
use rayon::prelude::*;
use scalade_crystal::{
    LatticeSite, Matrix3, Structure, SymmetryFinder, inverse, norm, primitive_cell, row_times,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Largest frame in primitive cells: the search for a supercell grows steeply with it.
const MOST_CELLS: usize = 512;
/// Largest frame for which a wider search tells how far off an unmatched lattice is.
const MOST_CELLS_WIDE: usize = 12;

/// The ideal structure: a primitive cell whose host atoms stay and whose working-ion sites may be vacant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parent {
    /// Primitive cell, all sites of the working ion occupied.
    pub primitive: Structure,
    /// Symbol of the working ion.
    pub working_ion: String,
    /// Formula units of the host per primitive cell.
    pub formula_units_per_cell: f64,
    /// Sites of the working ion with the symmetry of the whole primitive cell.
    pub sites: SiteLattice,
}

impl Parent {
    /// A parent from a structure with all working-ion sites occupied (reduced to its primitive cell if it is not primitive) that holds
    /// `formula_units` formula units of the host. Symmetry is sought within `tolerance_angstrom`.
    pub fn new(
        structure: &Structure,
        working_ion: &str,
        formula_units: f64,
        finder: &dyn SymmetryFinder,
        tolerance_angstrom: f64,
    ) -> Result<Self, LatticeError> {
        let holds = formula_units > 0.0 && formula_units.is_finite();
        LatticeError::require(
            holds,
            "formula units of the parent structure",
            formula_units,
            "a positive number is due",
        )?;
        let primitive = primitive_cell(structure, tolerance_angstrom)?;
        let working = primitive.count(working_ion);
        let host = primitive.len() - working;
        if working == 0 || host == 0 {
            return Err(LatticeError::Parent { ion: working_ion.into(), working, host });
        }
        let sites_fractional: Vec<[f64; 3]> = (0..primitive.len())
            .filter(|a| primitive.species()[*a] == working_ion)
            .map(|a| primitive.fractional()[a])
            .collect();
        let sites = SiteLattice {
            lattice_angstrom: *primitive.lattice_angstrom(),
            sites_fractional,
            space_group: finder.space_group(&primitive, tolerance_angstrom)?,
            tolerance_angstrom: 10.0 * tolerance_angstrom,
        };
        let share = primitive.len() as f64 / structure.len() as f64;
        Ok(Self {
            primitive,
            working_ion: working_ion.into(),
            formula_units_per_cell: formula_units * share,
            sites,
        })
    }
}

/// A computed structure: relaxed geometry and total energy of the whole cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Name in the data set.
    pub id: String,
    /// Relaxed structure; vacancies may be listed under one of [`MappingSettings::vacancy_symbols`].
    pub structure: Structure,
    /// Total energy of the cell, eV.
    pub energy_ev: Option<f64>,
}

/// Limits of the mapping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingSettings {
    /// Largest principal stretch minus one between ideal and relaxed lattice, in magnitude.
    pub max_strain: f64,
    /// Largest distance of a host atom from its site after the homogeneous strain, angstrom.
    pub max_host_displacement_angstrom: f64,
    /// Largest distance of a working ion from its site, angstrom.
    pub max_working_displacement_angstrom: f64,
    /// Symbols that stand for a vacant site and are skipped.
    pub vacancy_symbols: Vec<String>,
}

impl Default for MappingSettings {
    fn default() -> Self {
        Self {
            max_strain: 0.12,
            max_host_displacement_angstrom: 0.8,
            max_working_displacement_angstrom: 0.8,
            vacancy_symbols: ["X", "Va", "Vac", "Vacancy"].map(String::from).to_vec(),
        }
    }
}

/// A structure on the ideal lattice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappedStructure {
    /// Position in the list of frames, counted from 0.
    pub frame: usize,
    /// Name in the data set.
    pub id: String,
    /// Supercell of the parent's primitive cell.
    pub supercell: Supercell,
    /// Occupation, one entry per working-ion site of the supercell.
    pub occupied: Vec<bool>,
    /// Total energy of the cell, eV.
    pub energy_ev: f64,
    /// Largest principal stretch minus one, in magnitude.
    pub strain: f64,
    /// Largest distance of a host atom from its site, angstrom.
    pub host_displacement_angstrom: f64,
    /// Largest distance of a working ion from its site, angstrom.
    pub working_displacement_angstrom: f64,
}

impl MappedStructure {
    /// Occupied over all working-ion sites.
    pub fn site_fraction(&self) -> f64 {
        self.occupied.iter().filter(|o| **o).count() as f64 / self.occupied.len() as f64
    }
}

/// Why a structure was left out.
#[derive(Clone, Debug, PartialEq, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Exclusion {
    /// No energy is given.
    #[error("no energy is given")]
    MissingEnergy,
    /// The energy is not a finite number.
    #[error("its energy is {value}")]
    NonFiniteEnergy {
        /// Printed value.
        value: String,
    },
    /// A species that the parent does not have.
    #[error("species {symbol:?} is not in the parent structure")]
    UnknownSpecies {
        /// Its symbol.
        symbol: String,
    },
    /// The host atoms are not those of a whole number of primitive cells.
    #[error("lost host atoms: {got} {species:?} where {cells} primitive cells need {expected}")]
    LostHostAtoms {
        /// Species.
        species: String,
        /// Atoms in the frame.
        got: usize,
        /// Atoms of `cells` primitive cells.
        expected: usize,
        /// Primitive cells, from the most abundant host species.
        cells: usize,
    },
    /// A frame too large to search for its supercell.
    #[error("{cells} primitive cells are more than the {limit} for which a supercell is sought")]
    TooLarge {
        /// Primitive cells.
        cells: usize,
        /// The limit.
        limit: usize,
    },
    /// More working ions than sites.
    #[error("{ions} working ions for {sites} sites")]
    TooManyIons {
        /// Working ions.
        ions: usize,
        /// Sites.
        sites: usize,
    },
    /// No supercell of the parent resembles the lattice.
    #[error(
        "no lattice match: the closest supercell of {cells} cells is strained by {closest} (limit {limit})"
    )]
    NoLatticeMatch {
        /// Primitive cells.
        cells: usize,
        /// Smallest strain met (a large number if no candidate has the volume).
        closest: f64,
        /// The limit.
        limit: f64,
    },
    /// The lattice fits but the host atoms do not.
    #[error("host atom {atom} ({species}) is {distance_angstrom} angstrom from its site (limit {limit})")]
    HostMismatch {
        /// Atom, counted from 0.
        atom: usize,
        /// Its species.
        species: String,
        /// Distance, angstrom.
        distance_angstrom: f64,
        /// The limit, angstrom.
        limit: f64,
    },
    /// Two atoms want one site.
    #[error("site taken twice: atoms {first} and {second} (counted from 0) are nearest to the same site")]
    SiteTakenTwice {
        /// First atom.
        first: usize,
        /// Second atom.
        second: usize,
    },
    /// A working ion far from every site.
    #[error(
        "working ion at atom {atom} is {distance_angstrom} angstrom from the nearest site (limit {limit})"
    )]
    OffSite {
        /// Atom, counted from 0.
        atom: usize,
        /// Distance, angstrom.
        distance_angstrom: f64,
        /// The limit, angstrom.
        limit: f64,
    },
}

/// A structure that was left out, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Excluded {
    /// Position in the list of frames, counted from 0.
    pub frame: usize,
    /// Name in the data set.
    pub id: String,
    /// The reason.
    pub reason: Exclusion,
}

/// The fate of every frame: `mapped` and `excluded` together hold each exactly once, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingReport {
    /// Structures on the lattice.
    pub mapped: Vec<MappedStructure>,
    /// Structures left out.
    pub excluded: Vec<Excluded>,
}

/// Maps all frames; parallel over frames, the report in their order.
pub fn map_frames(parent: &Parent, frames: &[Frame], settings: &MappingSettings) -> MappingReport {
    let fates: Vec<Result<MappedStructure, Exclusion>> =
        frames.par_iter().enumerate().map(|(n, f)| map_frame(parent, n, f, settings)).collect();
    let mut report = MappingReport { mapped: Vec::new(), excluded: Vec::new() };
    for (frame, fate) in fates.into_iter().enumerate() {
        match fate {
            Ok(mapped) => report.mapped.push(mapped),
            Err(reason) => report.excluded.push(Excluded { frame, id: frames[frame].id.clone(), reason }),
        }
    }
    report
}

/// Number of primitive cells from the host atoms.
fn host_cells(parent: &Parent, frame: &Frame, settings: &MappingSettings) -> Result<usize, Exclusion> {
    let primitive = &parent.primitive;
    for symbol in frame.structure.species() {
        if !primitive.species().contains(symbol) && !settings.vacancy_symbols.contains(symbol) {
            return Err(Exclusion::UnknownSpecies { symbol: symbol.clone() });
        }
    }
    let mut hosts: Vec<&String> = primitive.species().iter().filter(|s| **s != parent.working_ion).collect();
    hosts.sort();
    hosts.dedup();
    let cells = hosts
        .iter()
        .map(|s| (frame.structure.count(s) as f64 / primitive.count(s) as f64).round() as usize)
        .max()
        .unwrap_or(0)
        .max(1);
    for species in hosts {
        let (got, expected) = (frame.structure.count(species), cells * primitive.count(species));
        if got != expected {
            return Err(Exclusion::LostHostAtoms { species: species.clone(), got, expected, cells });
        }
    }
    if cells > MOST_CELLS {
        return Err(Exclusion::TooLarge { cells, limit: MOST_CELLS });
    }
    let (ions, sites) =
        (frame.structure.count(&parent.working_ion), cells * parent.sites.sites_fractional.len());
    if ions > sites { Err(Exclusion::TooManyIons { ions, sites }) } else { Ok(cells) }
}

/// Maps one frame.
pub fn map_frame(
    parent: &Parent,
    number: usize,
    frame: &Frame,
    settings: &MappingSettings,
) -> Result<MappedStructure, Exclusion> {
    let energy_ev = frame.energy_ev.ok_or(Exclusion::MissingEnergy)?;
    if !energy_ev.is_finite() {
        return Err(Exclusion::NonFiniteEnergy { value: energy_ev.to_string() });
    }
    let cells = host_cells(parent, frame, settings)?;
    let matches_within = |limit: f64| {
        let (ideal, relaxed) = (parent.primitive.lattice_angstrom(), frame.structure.lattice_angstrom());
        lattice_matches(ideal, relaxed, cells as i64, limit)
    };
    let (matches, closest) = matches_within(settings.max_strain);
    // The search passes over what its limit excludes: look once more, wider, only to say how far off the lattice is.
    let no_match = || {
        let look = closest.is_infinite() && cells <= MOST_CELLS_WIDE;
        let closest = if look { matches_within(0.4).1 } else { closest };
        Exclusion::NoLatticeMatch { cells, closest: closest.min(1e9), limit: settings.max_strain }
    };
    let Some(least) = matches.first().map(|m| m.strain_norm) else {
        return Err(no_match());
    };
    let mut best: Option<Placement> = None;
    let mut failure: Option<(f64, Exclusion)> = None;
    // Settings that differ by a symmetry of the lattice but not of the structure are strained alike: the host atoms decide.
    for candidate in matches.iter().filter(|m| m.strain_norm <= least + 0.04) {
        let Ok(supercell) = Supercell::new(candidate.matrix, parent.sites.sites_fractional.len()) else {
            continue;
        };
        match place_host(parent, frame, &supercell, settings) {
            Ok(placed) => {
                if best.as_ref().is_none_or(|b| placed.rms_angstrom < b.rms_angstrom - 1e-6) {
                    let enough = placed.rms_angstrom < 0.15;
                    best = Some(Placement { strain: candidate.largest_strain, ..placed });
                    if enough {
                        break;
                    }
                }
            }
            Err((badness, reason)) => {
                if failure.as_ref().is_none_or(|f| badness < f.0) {
                    failure = Some((badness, reason));
                }
            }
        }
    }
    let Some(placement) = best else { return Err(failure.map_or_else(no_match, |f| f.1)) };
    occupy(parent, number, frame, energy_ev, placement, settings)
}

/// A supercell and an origin for which the host atoms lie on their sites.
struct Placement {
    supercell: Supercell,
    /// Lattice vectors of the strained primitive cell, angstrom.
    strained: Matrix3,
    /// Origin of the parent in primitive fractional coordinates of the frame.
    offset: [f64; 3],
    rms_angstrom: f64,
    largest_angstrom: f64,
    strain: f64,
}

/// Primitive fractional coordinates of an atom of the frame: f M - offset.
fn primitive_coordinates(fractional: [f64; 3], matrix: &[[i64; 3]; 3], offset: [f64; 3]) -> [f64; 3] {
    let m = matrix.map(|row| row.map(|e| e as f64));
    let moved = row_times(fractional, &m);
    std::array::from_fn(|i| moved[i] - offset[i])
}

/// Nearest of the candidate sites: its index among them, its cell, the displacement from it in primitive fractional coordinates, and the
/// distance in angstrom.
fn nearest(
    position: [f64; 3],
    candidates: &[(usize, [f64; 3])],
    strained: &Matrix3,
) -> Option<(usize, [i32; 3], [f64; 3], f64)> {
    let mut best: Option<(usize, [i32; 3], [f64; 3], f64)> = None;
    for (index, site) in candidates {
        let base: [f64; 3] = std::array::from_fn(|i| (position[i] - site[i]).round());
        for image in 0..27 {
            let shift = [image / 9 - 1, image / 3 % 3 - 1, image % 3 - 1].map(f64::from);
            let cell: [f64; 3] = std::array::from_fn(|i| base[i] + shift[i]);
            let rest: [f64; 3] = std::array::from_fn(|i| position[i] - site[i] - cell[i]);
            let distance = norm(row_times(rest, strained));
            if best.is_none_or(|b| distance < b.3) {
                best = Some((*index, cell.map(|c| c as i32), rest, distance));
            }
        }
    }
    best
}

/// Tries every origin that puts the first atom of the rarest host species on a site of its kind; the failure carries a badness.
fn place_host(
    parent: &Parent,
    frame: &Frame,
    supercell: &Supercell,
    settings: &MappingSettings,
) -> Result<Placement, (f64, Exclusion)> {
    let primitive = &parent.primitive;
    let matrix = supercell.matrix();
    let limit = settings.max_host_displacement_angstrom;
    let no_match =
        || (f64::INFINITY, Exclusion::NoLatticeMatch { cells: supercell.cells(), closest: 1e9, limit });
    let inverse = inverse(&integer_times(&matrix, &[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
        .ok_or_else(no_match)?;
    let strained = inverse.map(|row| row_times(row, frame.structure.lattice_angstrom()));
    let host: Vec<usize> =
        (0..primitive.len()).filter(|a| primitive.species()[*a] != parent.working_ion).collect();
    let rarest = host
        .iter()
        .map(|a| &primitive.species()[*a])
        .min_by_key(|s| (primitive.count(s), (*s).clone()))
        .ok_or_else(no_match)?;
    let anchor = frame.structure.species().iter().position(|s| s == rarest).ok_or_else(no_match)?;
    let anchored = primitive_coordinates(frame.structure.fractional()[anchor], &matrix, [0.0; 3]);
    let mut best: Option<Placement> = None;
    let mut failure: Option<(f64, Exclusion)> = None;
    for site in host.iter().filter(|a| primitive.species()[**a] == *rarest) {
        let mut offset = std::array::from_fn(|i| anchored[i] - primitive.fractional()[*site][i]);
        // The second pass measures from the mean of the host instead of from one atom.
        for pass in 0..2 {
            match host_displacements(parent, frame, supercell, &strained, offset) {
                Ok((mean, rms_angstrom, largest_angstrom, atom)) => {
                    if pass == 0 {
                        offset = std::array::from_fn(|i| offset[i] + mean[i]);
                    } else if largest_angstrom > limit {
                        let species = frame.structure.species()[atom].clone();
                        let reason = Exclusion::HostMismatch {
                            atom,
                            species,
                            distance_angstrom: largest_angstrom,
                            limit,
                        };
                        if failure.as_ref().is_none_or(|f| largest_angstrom < f.0) {
                            failure = Some((largest_angstrom, reason));
                        }
                    } else if best.as_ref().is_none_or(|b| rms_angstrom < b.rms_angstrom - 1e-6) {
                        let supercell = supercell.clone();
                        best = Some(Placement {
                            supercell,
                            strained,
                            offset,
                            rms_angstrom,
                            largest_angstrom,
                            strain: 0.0,
                        });
                    }
                }
                Err(reason) => {
                    failure.get_or_insert((1e6, reason));
                    break;
                }
            }
        }
    }
    best.ok_or_else(|| failure.unwrap_or_else(no_match))
}

/// Mean displacement (primitive fractional), root mean square and largest displacement (angstrom, with its atom) of the host.
fn host_displacements(
    parent: &Parent,
    frame: &Frame,
    supercell: &Supercell,
    strained: &Matrix3,
    offset: [f64; 3],
) -> Result<([f64; 3], f64, f64, usize), Exclusion> {
    let primitive = &parent.primitive;
    let sites_of = |species: &String| -> Vec<(usize, [f64; 3])> {
        (0..primitive.len())
            .filter(|a| primitive.species()[*a] == *species)
            .map(|a| (a, primitive.fractional()[a]))
            .collect()
    };
    let numbering = Supercell::new(supercell.matrix(), primitive.len())
        .map_err(|_| Exclusion::NoLatticeMatch { cells: supercell.cells(), closest: 1e9, limit: 0.0 })?;
    let mut taken: Vec<Option<usize>> = vec![None; numbering.sites()];
    let (mut sum, mut squares, mut largest, mut count) = ([0.0; 3], 0.0, (0.0, 0), 0.0);
    for (atom, species) in frame.structure.species().iter().enumerate() {
        if *species == parent.working_ion || !primitive.species().contains(species) {
            continue;
        }
        let position = primitive_coordinates(frame.structure.fractional()[atom], &supercell.matrix(), offset);
        let Some((basis, cell, rest, distance)) = nearest(position, &sites_of(species), strained) else {
            continue;
        };
        let slot = &mut taken[numbering.index(LatticeSite { cell, basis })];
        if let Some(first) = *slot {
            return Err(Exclusion::SiteTakenTwice { first, second: atom });
        }
        *slot = Some(atom);
        for (s, r) in sum.iter_mut().zip(rest) {
            *s += r;
        }
        squares += distance * distance;
        count += 1.0;
        if distance > largest.0 {
            largest = (distance, atom);
        }
    }
    Ok((sum.map(|s| s / count), (squares / count).sqrt(), largest.0, largest.1))
}

/// Puts the working ions on their sites.
fn occupy(
    parent: &Parent,
    number: usize,
    frame: &Frame,
    energy_ev: f64,
    placement: Placement,
    settings: &MappingSettings,
) -> Result<MappedStructure, Exclusion> {
    let Placement { supercell, strained, offset, largest_angstrom, strain, .. } = placement;
    let sites: Vec<(usize, [f64; 3])> = parent.sites.sites_fractional.iter().copied().enumerate().collect();
    let limit = settings.max_working_displacement_angstrom;
    let mut taken: Vec<Option<usize>> = vec![None; supercell.sites()];
    let mut largest: f64 = 0.0;
    for (atom, species) in frame.structure.species().iter().enumerate() {
        if *species != parent.working_ion {
            continue;
        }
        let position = primitive_coordinates(frame.structure.fractional()[atom], &supercell.matrix(), offset);
        let off_site = |distance_angstrom| Exclusion::OffSite { atom, distance_angstrom, limit };
        let (basis, cell, _, distance) = nearest(position, &sites, &strained).ok_or(off_site(1e9))?;
        if distance > limit {
            return Err(off_site(distance));
        }
        let slot = &mut taken[supercell.index(LatticeSite { cell, basis })];
        if let Some(first) = *slot {
            return Err(Exclusion::SiteTakenTwice { first, second: atom });
        }
        *slot = Some(atom);
        largest = largest.max(distance);
    }
    Ok(MappedStructure {
        frame: number,
        id: frame.id.clone(),
        supercell,
        occupied: taken.iter().map(Option::is_some).collect(),
        energy_ev,
        strain,
        host_displacement_angstrom: largest_angstrom,
        working_displacement_angstrom: largest,
    })
}
