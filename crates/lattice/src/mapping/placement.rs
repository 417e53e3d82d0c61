//! Puts the atoms of a relaxed structure on the sites of an ideal lattice, whatever may stand on them.

use super::{Exclusion, MappingSettings};
use crate::Supercell;
use crate::lattice_match::{lattice_matches, strain};
use scalade_crystal::{LatticeSite, Matrix3, Structure, determinant, inverse, norm, row_times};
use scalade_handoff::VACANT;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Largest frame in primitive cells: the search for a supercell grows steeply with it.
const MOST_CELLS: usize = 512;
/// Largest frame for which a wider search tells how far off an unmatched lattice is.
const MOST_CELLS_WIDE: usize = 12;
/// Settings of the lattice whose strain is within this of the least are tried: they may differ by a symmetry that the structure lacks.
const ALIKE: f64 = 0.04;
/// Root mean square displacement (angstrom) below which no better setting is looked for.
const CLOSE_ENOUGH_ANGSTROM: f64 = 0.15;

/// A site of the primitive cell and what may stand on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteChoice {
    /// Fractional position.
    pub fractional: [f64; 3],
    /// Species; [`VACANT`] where the site may be empty.
    pub species: Vec<String>,
}

/// The sites of a primitive cell with what may stand on each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteChoices {
    /// Lattice vectors as rows, angstrom.
    pub lattice_angstrom: Matrix3,
    /// The sites.
    pub sites: Vec<SiteChoice>,
}

/// A structure on the ideal lattice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arrangement {
    /// Supercell of the primitive cell, all sites numbered.
    pub supercell: Supercell,
    /// What stands on each site: an index into the species of its sublattice.
    pub species: Vec<u8>,
    /// Largest principal stretch minus one, in magnitude.
    pub strain: f64,
    /// Largest distance from its site of an atom by which the origin was found, angstrom.
    pub anchor_displacement_angstrom: f64,
    /// Largest distance of the other atoms from their sites, angstrom.
    pub other_displacement_angstrom: f64,
}

/// A supercell and an origin for which the anchors lie on their sites.
#[derive(Clone)]
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

/// A placement, and whether all atoms find sites in it. The anchors alone may have more symmetry than the lattice.
struct Candidate {
    occupied: bool,
    placement: Placement,
}

/// The best candidate so far: one in which all atoms find sites before one in which some do not, then that whose anchors lie closest.
#[derive(Default)]
struct Best(Option<Candidate>);

impl Best {
    fn take(&mut self, new: Candidate) {
        let better = |old: &Candidate| {
            let closer = new.placement.rms_angstrom < old.placement.rms_angstrom - 1e-6;
            if new.occupied == old.occupied { closer } else { new.occupied }
        };
        if self.0.as_ref().is_none_or(better) {
            self.0 = Some(new);
        }
    }
}

/// Where the anchors are for an origin.
struct Displacements {
    /// Mean, in primitive fractional coordinates.
    mean: [f64; 3],
    rms_angstrom: f64,
    largest_angstrom: f64,
    /// The atom furthest from its site.
    atom: usize,
}

/// Primitive fractional coordinates of an atom of the frame: f M - offset.
fn primitive_coordinates(fractional: [f64; 3], matrix: &[[i64; 3]; 3], offset: [f64; 3]) -> [f64; 3] {
    let m = matrix.map(|row| row.map(|e| e as f64));
    let moved = row_times(fractional, &m);
    std::array::from_fn(|i| moved[i] - offset[i])
}

/// Lattice vectors of the primitive cell as the structure has them: M^-1 F.
fn strained_primitive(structure: &Structure, supercell: &Supercell) -> Option<Matrix3> {
    let matrix = supercell.matrix().map(|row| row.map(|e| e as f64));
    Some(inverse(&matrix)?.map(|row| row_times(row, structure.lattice_angstrom())))
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

impl SiteChoice {
    fn takes(&self, species: &str) -> bool {
        self.species.iter().any(|s| s == species)
    }

    fn may_be_vacant(&self) -> bool {
        self.takes(VACANT)
    }
}

impl SiteChoices {
    fn sites_taking(&self, species: &str) -> Vec<(usize, [f64; 3])> {
        let taking =
            self.sites.iter().enumerate().filter(|(_, site)| species != VACANT && site.takes(species));
        taking.map(|(index, site)| (index, site.fractional)).collect()
    }

    /// Species that stand on sites without a choice and nowhere else.
    fn hosts(&self) -> BTreeSet<&str> {
        let fixed = self.sites.iter().filter(|s| s.species.len() == 1).map(|s| s.species[0].as_str());
        let chosen = |name: &&str| !self.sites.iter().any(|s| s.species.len() > 1 && s.takes(name));
        fixed.filter(|name| *name != VACANT).filter(chosen).collect()
    }

    /// Numbers of primitive cells that the atoms of a structure may fill: one from the host atoms, or all that suit volume and number of atoms.
    fn cells(&self, structure: &Structure, settings: &MappingSettings) -> Result<Vec<usize>, Exclusion> {
        for symbol in structure.species() {
            let known = self.sites.iter().any(|s| s.takes(symbol));
            if !known && !settings.vacancy_symbols.contains(symbol) {
                return Err(Exclusion::UnknownSpecies { symbol: symbol.clone() });
            }
        }
        let hosts = self.hosts();
        let atoms = |host: bool| {
            let is_atom = |s: &&String| !settings.vacancy_symbols.contains(*s);
            structure.species().iter().filter(is_atom).filter(|s| hosts.contains(s.as_str()) == host).count()
        };
        if hosts.is_empty() {
            return self.cells_by_volume(structure, atoms(false), settings);
        }
        let per_cell = |name: &str| self.sites.iter().filter(|s| s.takes(name)).count();
        let cells = hosts
            .iter()
            .map(|s| (structure.count(s) as f64 / per_cell(s) as f64).round() as usize)
            .max()
            .unwrap_or(0)
            .max(1);
        for species in &hosts {
            let (got, expected) = (structure.count(species), cells * per_cell(species));
            if got != expected {
                let species = (*species).to_string();
                return Err(Exclusion::LostHostAtoms { species, got, expected, cells });
            }
        }
        if cells > MOST_CELLS {
            return Err(Exclusion::TooLarge { cells, limit: MOST_CELLS });
        }
        let host_sites: usize = hosts.iter().map(|s| per_cell(s)).sum();
        let (ions, sites) = (atoms(false), cells * (self.sites.len() - host_sites));
        if ions > sites { Err(Exclusion::TooManyIons { ions, sites }) } else { Ok(vec![cells]) }
    }

    fn cells_by_volume(
        &self,
        structure: &Structure,
        atoms: usize,
        settings: &MappingSettings,
    ) -> Result<Vec<usize>, Exclusion> {
        let per_cell = self.sites.len();
        let never_vacant = self.sites.iter().filter(|s| !s.may_be_vacant()).count();
        let ratio = structure.volume_cubic_angstrom() / determinant(&self.lattice_angstrom).abs();
        let stretch = |cells: usize| ((ratio / cells as f64).cbrt() - 1.0).abs();
        let least = atoms.div_ceil(per_cell).max(1);
        let most = atoms.checked_div(never_vacant).unwrap_or(MOST_CELLS).min(MOST_CELLS);
        if least > MOST_CELLS {
            return Err(Exclusion::TooLarge { cells: least, limit: MOST_CELLS });
        }
        let mut cells: Vec<usize> = (least..=most).filter(|n| stretch(*n) <= settings.max_strain).collect();
        cells.sort_by(|a, b| stretch(*a).total_cmp(&stretch(*b)));
        if cells.is_empty() {
            let closest = stretch(least).min(stretch(most.max(least)));
            return Err(Exclusion::NoLatticeMatch { cells: least, closest, limit: settings.max_strain });
        }
        Ok(cells)
    }

    /// Puts every atom of a structure on a site that takes it.
    ///
    /// The supercell is that of least strain whose atoms come closest to their sites; the origin is found by the host atoms, which have no choice of
    /// sites, or by all atoms where there are none. An atom goes to the nearest site that takes its species.
    ///
    /// Errors: the [`Exclusion`] that says why the structure does not belong to the lattice.
    pub fn place(&self, structure: &Structure, settings: &MappingSettings) -> Result<Arrangement, Exclusion> {
        self.occupy(structure, self.placement(structure, settings)?, settings)
    }

    /// The same for structures that show one crystal with some of its atoms elsewhere, as the ends of a hop do: all of them get the supercell and the origin
    /// of the first, so that a site has the same number in all.
    ///
    /// Errors: the position of the structure in the list and the [`Exclusion`] that says why it does not belong to the lattice, or not in this setting.
    pub fn place_together(
        &self,
        structures: &[&Structure],
        settings: &MappingSettings,
    ) -> Result<Vec<Arrangement>, (usize, Exclusion)> {
        let Some(first) = structures.first() else { return Ok(Vec::new()) };
        let like = self.placement(first, settings).map_err(|e| (0, e))?;
        let place = |(n, structure): (usize, &&Structure)| {
            let placement = self.placement_like(structure, &like, settings);
            placement.and_then(|p| self.occupy(structure, p, settings)).map_err(|e| (n, e))
        };
        structures.iter().enumerate().map(place).collect()
    }

    /// The placement of a structure with supercell and origin of another, but for its strain and its drift.
    fn placement_like(
        &self,
        structure: &Structure,
        like: &Placement,
        settings: &MappingSettings,
    ) -> Result<Placement, Exclusion> {
        let (cells, limit) = (like.supercell.cells(), settings.max_strain);
        let no_match = |closest: f64| Exclusion::NoLatticeMatch { cells, closest, limit };
        if !self.cells(structure, settings)?.contains(&cells) {
            return Err(no_match(1e9));
        }
        let strained = strained_primitive(structure, &like.supercell).ok_or_else(|| no_match(1e9))?;
        let (strain, _) = strain(&self.lattice_angstrom, &strained).ok_or_else(|| no_match(1e9))?;
        if strain > limit {
            return Err(no_match(strain));
        }
        let (hosts, supercell) = (self.hosts(), &like.supercell);
        let drifted = self.displacements(structure, &hosts, supercell, &strained, like.offset)?;
        let offset = std::array::from_fn(|i| like.offset[i] + drifted.mean[i]);
        let found = self.displacements(structure, &hosts, supercell, &strained, offset)?;
        let limit = settings.max_host_displacement_angstrom;
        if found.largest_angstrom > limit {
            let (atom, distance_angstrom) = (found.atom, found.largest_angstrom);
            let species = structure.species()[atom].clone();
            return Err(Exclusion::HostMismatch { atom, species, distance_angstrom, limit });
        }
        Ok(Placement {
            supercell: supercell.clone(),
            strained,
            offset,
            rms_angstrom: found.rms_angstrom,
            largest_angstrom: found.largest_angstrom,
            strain,
        })
    }

    fn placement(&self, structure: &Structure, settings: &MappingSettings) -> Result<Placement, Exclusion> {
        let mut best = Best::default();
        let mut failure = None;
        for cells in self.cells(structure, settings)? {
            match self.place_cells(structure, cells, settings) {
                Ok(found) => best.take(found),
                Err(reason) => _ = failure.get_or_insert(reason),
            }
        }
        let none = Exclusion::NoLatticeMatch { cells: 0, closest: 1e9, limit: settings.max_strain };
        best.0.map(|b| b.placement).ok_or_else(|| failure.unwrap_or(none))
    }

    fn place_cells(
        &self,
        structure: &Structure,
        cells: usize,
        settings: &MappingSettings,
    ) -> Result<Candidate, Exclusion> {
        let matches_within = |limit: f64| {
            lattice_matches(&self.lattice_angstrom, structure.lattice_angstrom(), cells as i64, limit)
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
        let mut best = Best::default();
        let mut failure: Option<(f64, Exclusion)> = None;
        for candidate in matches.iter().filter(|m| m.strain_norm <= least + ALIKE) {
            let Ok(supercell) = Supercell::new(candidate.matrix, self.sites.len()) else {
                continue;
            };
            match self.anchor(structure, &supercell, settings) {
                Ok(placed) => {
                    let placement = Placement { strain: candidate.largest_strain, ..placed };
                    let occupied = self.occupy(structure, placement.clone(), settings).is_ok();
                    let enough = occupied && placement.rms_angstrom < CLOSE_ENOUGH_ANGSTROM;
                    best.take(Candidate { occupied, placement });
                    if enough {
                        break;
                    }
                }
                Err((badness, reason)) => {
                    if failure.as_ref().is_none_or(|f| badness < f.0) {
                        failure = Some((badness, reason));
                    }
                }
            }
        }
        best.0.ok_or_else(|| failure.map_or_else(no_match, |f| f.1))
    }

    /// Whether an atom serves to find the origin.
    fn is_anchor(&self, hosts: &BTreeSet<&str>, species: &str) -> bool {
        if hosts.is_empty() {
            species != VACANT && self.sites.iter().any(|s| s.takes(species))
        } else {
            hosts.contains(species)
        }
    }

    /// Tries every origin that puts the first atom of the rarest anchoring species on a site of its kind; the failure carries a badness.
    fn anchor(
        &self,
        structure: &Structure,
        supercell: &Supercell,
        settings: &MappingSettings,
    ) -> Result<Placement, (f64, Exclusion)> {
        let matrix = supercell.matrix();
        let limit = settings.max_host_displacement_angstrom;
        let no_match =
            || (f64::INFINITY, Exclusion::NoLatticeMatch { cells: supercell.cells(), closest: 1e9, limit });
        let strained = strained_primitive(structure, supercell).ok_or_else(no_match)?;
        let hosts = self.hosts();
        let rarest = structure
            .species()
            .iter()
            .filter(|s| self.is_anchor(&hosts, s))
            .min_by_key(|s| (self.sites_taking(s).len(), structure.count(s), (*s).clone()))
            .ok_or_else(no_match)?;
        let anchor = structure.species().iter().position(|s| s == rarest).ok_or_else(no_match)?;
        let anchored = primitive_coordinates(structure.fractional()[anchor], &matrix, [0.0; 3]);
        let mut best: Option<Placement> = None;
        let mut failure: Option<(f64, Exclusion)> = None;
        for (_, site) in self.sites_taking(rarest) {
            let mut offset = std::array::from_fn(|i| anchored[i] - site[i]);
            // The second pass measures from the mean of the anchors instead of from one atom.
            for pass in 0..2 {
                match self.displacements(structure, &hosts, supercell, &strained, offset) {
                    Ok(found) if pass == 0 => {
                        offset = std::array::from_fn(|i| offset[i] + found.mean[i]);
                    }
                    Ok(found) if found.largest_angstrom > limit => {
                        let atom = found.atom;
                        let species = structure.species()[atom].clone();
                        let distance_angstrom = found.largest_angstrom;
                        let reason = Exclusion::HostMismatch { atom, species, distance_angstrom, limit };
                        if failure.as_ref().is_none_or(|f| distance_angstrom < f.0) {
                            failure = Some((distance_angstrom, reason));
                        }
                    }
                    Ok(found) => {
                        if best.as_ref().is_none_or(|b| found.rms_angstrom < b.rms_angstrom - 1e-6) {
                            best = Some(Placement {
                                supercell: supercell.clone(),
                                strained,
                                offset,
                                rms_angstrom: found.rms_angstrom,
                                largest_angstrom: found.largest_angstrom,
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

    /// How far the anchors are from the sites that take them.
    fn displacements(
        &self,
        structure: &Structure,
        hosts: &BTreeSet<&str>,
        supercell: &Supercell,
        strained: &Matrix3,
        offset: [f64; 3],
    ) -> Result<Displacements, Exclusion> {
        let mut taken: Vec<Option<usize>> = vec![None; supercell.sites()];
        let (mut sum, mut squares, mut largest, mut count) = ([0.0; 3], 0.0, (0.0, 0), 0.0);
        for (atom, species) in structure.species().iter().enumerate() {
            if !self.is_anchor(hosts, species) {
                continue;
            }
            let position = primitive_coordinates(structure.fractional()[atom], &supercell.matrix(), offset);
            let Some((basis, cell, rest, distance)) =
                nearest(position, &self.sites_taking(species), strained)
            else {
                continue;
            };
            let slot = &mut taken[supercell.index(LatticeSite { cell, basis })];
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
        Ok(Displacements {
            mean: sum.map(|s| s / count),
            rms_angstrom: (squares / count).sqrt(),
            largest_angstrom: largest.0,
            atom: largest.1,
        })
    }

    /// Puts all atoms on their sites.
    fn occupy(
        &self,
        structure: &Structure,
        placement: Placement,
        settings: &MappingSettings,
    ) -> Result<Arrangement, Exclusion> {
        let Placement { supercell, strained, offset, largest_angstrom, strain, .. } = placement;
        let limit = settings.max_working_displacement_angstrom;
        let hosts = self.hosts();
        let mut taken: Vec<Option<usize>> = vec![None; supercell.sites()];
        let mut largest: f64 = 0.0;
        for (atom, species) in structure.species().iter().enumerate() {
            let sites = self.sites_taking(species);
            if sites.is_empty() {
                // A vacancy that is listed.
                continue;
            }
            let position = primitive_coordinates(structure.fractional()[atom], &supercell.matrix(), offset);
            let off_site = |distance_angstrom| Exclusion::OffSite { atom, distance_angstrom, limit };
            let (basis, cell, _, distance) = nearest(position, &sites, &strained).ok_or(off_site(1e9))?;
            if !self.is_anchor(&hosts, species) {
                if distance > limit {
                    return Err(off_site(distance));
                }
                largest = largest.max(distance);
            }
            let slot = &mut taken[supercell.index(LatticeSite { cell, basis })];
            if let Some(first) = *slot {
                return Err(Exclusion::SiteTakenTwice { first, second: atom });
            }
            *slot = Some(atom);
        }
        let species = taken.iter().enumerate().map(|(index, atom)| {
            let site = index % self.sites.len();
            let choice = &self.sites[site];
            let name = atom.map_or(VACANT, |a| structure.species()[a].as_str());
            let known = choice.species.iter().position(|s| s == name);
            let unfilled = || Exclusion::Unfilled { site, species: choice.species.join(", ") };
            known.map(|k| k as u8).ok_or_else(unfilled)
        });
        Ok(Arrangement {
            species: species.collect::<Result<_, _>>()?,
            supercell,
            strain,
            anchor_displacement_angstrom: largest_angstrom,
            other_displacement_angstrom: largest,
        })
    }
}
