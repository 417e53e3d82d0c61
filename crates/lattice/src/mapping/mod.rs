//! Assigns the atoms of relaxed structures to the sites of an ideal parent lattice, and accounts for every structure.

mod placement;

pub use placement::{Arrangement, SiteChoice, SiteChoices};

use crate::{LatticeError, SiteLattice, Supercell};
use rayon::prelude::*;
use scalade_crystal::{Structure, SymmetryFinder, primitive_cell};
use scalade_handoff::VACANT;
use serde::{Deserialize, Serialize};
use thiserror::Error;

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
    /// A site without an atom that may not be vacant.
    #[error(
        "site {site} of the primitive cell (counted from 0), which takes {species}, is left without an atom"
    )]
    Unfilled {
        /// Sublattice, counted from 0.
        site: usize,
        /// What may stand there.
        species: String,
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

/// Maps one frame.
pub fn map_frame(
    parent: &Parent,
    number: usize,
    frame: &Frame,
    settings: &MappingSettings,
) -> Result<MappedStructure, Exclusion> {
    let energy_ev = finite_energy(frame)?;
    let arrangement = parent.choices().place(&frame.structure, settings)?;
    let working: Vec<usize> = (0..parent.primitive.len())
        .filter(|a| parent.primitive.species()[*a] == parent.working_ion)
        .collect();
    let unfit = || Exclusion::NoLatticeMatch {
        cells: arrangement.supercell.cells(),
        closest: arrangement.strain,
        limit: settings.max_strain,
    };
    let supercell = Supercell::new(arrangement.supercell.matrix(), working.len()).map_err(|_| unfit())?;
    let per_cell = arrangement.supercell.basis();
    // Cells are numbered alike in both.
    let of_cell = |cell: usize| working.iter().map(move |site| cell * per_cell + site);
    let occupied = (0..supercell.cells())
        .flat_map(of_cell)
        .map(|site| arrangement.species[site] == WORKING_ION)
        .collect();
    Ok(MappedStructure {
        frame: number,
        id: frame.id.clone(),
        supercell,
        occupied,
        energy_ev,
        strain: arrangement.strain,
        host_displacement_angstrom: arrangement.anchor_displacement_angstrom,
        working_displacement_angstrom: arrangement.other_displacement_angstrom,
    })
}

/// Place of the working ion in the choice of its sites.
const WORKING_ION: u8 = 1;

impl Parent {
    /// What may stand on each site: one host species, or a vacancy and the working ion.
    pub fn choices(&self) -> SiteChoices {
        let choice = |(fractional, species): (&[f64; 3], &String)| SiteChoice {
            fractional: *fractional,
            species: if *species == self.working_ion {
                vec![VACANT.into(), species.clone()]
            } else {
                vec![species.clone()]
            },
        };
        let atoms = self.primitive.fractional().iter().zip(self.primitive.species());
        SiteChoices {
            lattice_angstrom: *self.primitive.lattice_angstrom(),
            sites: atoms.map(choice).collect(),
        }
    }
}

/// The energy of a frame, if it has one that is finite.
pub fn finite_energy(frame: &Frame) -> Result<f64, Exclusion> {
    let energy = frame.energy_ev.ok_or(Exclusion::MissingEnergy)?;
    if energy.is_finite() {
        Ok(energy)
    } else {
        Err(Exclusion::NonFiniteEnergy { value: energy.to_string() })
    }
}
