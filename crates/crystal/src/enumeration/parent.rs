//! The parent of derivative structures: a primitive cell, the species allowed on each of its sites, its symmetry.

use super::EnumerationError;
use crate::{
    CrystalError, LatticeSite, Matrix3, MoyoFinder, NamedLattice, Structure, SymmetryFinder, primitive_cell,
    site_images,
};

/// Symbol of an empty site: such sites are kept in colourings and structures and left out of written files.
pub const VACANCY: &str = "Vac";

/// Most species that a parent may hold.
const MOST_SPECIES: usize = 64;

/// Tolerance on positions in the symmetry search of a named lattice, whose nearest neighbours are at distance 1.
const NAMED_TOLERANCE: f64 = 1e-6;

/// An operation of the parent on its lattice sites: the site b of cell n goes to `images[b]` moved by `rotation` n.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SiteOperation {
    pub(crate) rotation: [[i32; 3]; 3],
    pub(crate) images: Vec<LatticeSite>,
}

/// Sublattices that allow the same species, at least two of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SiteClass {
    /// Sublattices.
    pub(crate) sublattices: Vec<usize>,
    /// Allowed species, increasing.
    pub(crate) species: Vec<usize>,
}

/// A primitive cell with the species allowed on each sublattice. A sublattice with one species is a spectator.
#[derive(Clone, Debug, PartialEq)]
pub struct ParentLattice {
    lattice_angstrom: Matrix3,
    sites: Vec<[f64; 3]>,
    species: Vec<String>,
    allowed: Vec<Vec<usize>>,
    dimensions: usize,
    tolerance_angstrom: f64,
    classes: Vec<SiteClass>,
    operations: Vec<SiteOperation>,
}

fn parent_error(problem: impl Into<String>) -> EnumerationError {
    EnumerationError::Parent { problem: problem.into() }
}

/// Species in the order of first appearance, and those of each sublattice as increasing indices.
fn index_species(allowed: &[Vec<String>]) -> Result<(Vec<String>, Vec<Vec<usize>>), EnumerationError> {
    let mut species: Vec<String> = Vec::new();
    let mut indices = Vec::with_capacity(allowed.len());
    for (site, names) in allowed.iter().enumerate() {
        if names.is_empty() {
            return Err(parent_error(format!(
                "site {site} (counted from 0) allows no species; give it at least one"
            )));
        }
        let mut of_site = Vec::with_capacity(names.len());
        for name in names {
            let index = species.iter().position(|s| s == name).unwrap_or(species.len());
            if index == species.len() {
                species.push(name.clone());
            }
            if of_site.contains(&index) {
                return Err(parent_error(format!(
                    "species {name} is given twice for site {site} (counted from 0)"
                )));
            }
            of_site.push(index);
        }
        of_site.sort_unstable();
        indices.push(of_site);
    }
    if species.len() > MOST_SPECIES {
        return Err(parent_error(format!("{} species, at most {MOST_SPECIES} are possible", species.len())));
    }
    Ok((species, indices))
}

/// A structure whose species are the distinct sets of allowed species, numbered.
fn labelled(lattice: Matrix3, sites: &[[f64; 3]], allowed: &[Vec<usize>]) -> Result<Structure, CrystalError> {
    let label = |set: &Vec<usize>| allowed.iter().position(|a| a == set).unwrap_or(0).to_string();
    Structure::new(lattice, allowed.iter().map(label).collect(), sites.to_vec())
}

impl ParentLattice {
    /// A parent from its cell, the fractional positions of its sublattices and the species allowed on each. The lattice extends along its first
    /// `dimensions` vectors (1, 2 or 3); operations that mix these with the others are left out.
    ///
    /// Errors: [`EnumerationError::NotPrimitive`] for a cell that repeats itself (sublattices with the same allowed set count as alike),
    /// [`EnumerationError::Parent`] for lists that do not fit or leave no choice, [`EnumerationError::NoGroup`] and
    /// [`EnumerationError::Crystal`] for a symmetry search that failed.
    pub fn new(
        lattice_angstrom: Matrix3,
        sites: Vec<[f64; 3]>,
        allowed: &[Vec<String>],
        dimensions: usize,
        finder: &dyn SymmetryFinder,
        tolerance_angstrom: f64,
    ) -> Result<Self, EnumerationError> {
        if sites.len() != allowed.len() {
            return Err(parent_error(format!(
                "{} sites with {} lists of species",
                sites.len(),
                allowed.len()
            )));
        }
        if !(1..=3).contains(&dimensions) {
            return Err(parent_error(format!("{dimensions} dimensions; use 1, 2 or 3")));
        }
        let (species, allowed) = index_species(allowed)?;
        let classes = site_classes(&allowed);
        if classes.is_empty() {
            return Err(parent_error("no site allows more than one species: there is nothing to enumerate"));
        }
        let structure = labelled(lattice_angstrom, &sites, &allowed)?;
        let group = finder.space_group(&structure, tolerance_angstrom)?;
        let copies = group.operations.iter().filter(|o| o.is_translation()).count();
        if copies > 1 {
            return Err(EnumerationError::NotPrimitive { copies });
        }
        let keeps_axes = |r: &[[i32; 3]; 3]| {
            (0..dimensions).all(|i| (dimensions..3).all(|j| r[i][j] == 0 && r[j][i] == 0))
        };
        let mut operations = Vec::new();
        for operation in group.operations.iter().filter(|o| keeps_axes(&o.rotation)) {
            // Twice the tolerance: both the image and its site may be off by it.
            let images = site_images(&lattice_angstrom, &sites, operation, 2.0 * tolerance_angstrom)?;
            operations.push(SiteOperation { rotation: operation.rotation, images });
        }
        check_group(&operations, &allowed)?;
        Ok(Self {
            lattice_angstrom,
            sites,
            species,
            allowed,
            dimensions,
            tolerance_angstrom,
            classes,
            operations,
        })
    }

    /// A named lattice with the same species allowed on every site.
    ///
    /// ```
    /// use scalade_crystal::{NamedLattice, enumeration::ParentLattice};
    /// let parent = ParentLattice::named(NamedLattice::Fcc, &["A", "B"])?;
    /// assert_eq!((parent.sites().len(), parent.operation_count()), (1, 48));
    /// # Ok::<(), scalade_crystal::enumeration::EnumerationError>(())
    /// ```
    pub fn named(lattice: NamedLattice, species: &[&str]) -> Result<Self, EnumerationError> {
        let sites = lattice.basis();
        let names: Vec<String> = species.iter().map(ToString::to_string).collect();
        let allowed = vec![names; sites.len()];
        Self::new(lattice.vectors(), sites, &allowed, lattice.dimensions(), &MoyoFinder, NAMED_TOLERANCE)
    }

    /// A parent from a structure: sites of a species named in `replacements` may hold the species listed there, others are spectators. With
    /// `primitive` a structure that repeats itself is replaced by its primitive cell (in a standard setting that may be rotated); without, it is
    /// refused.
    ///
    /// Errors: as [`ParentLattice::new`], and [`EnumerationError::Parent`] for a replaced species that the structure does not hold.
    pub fn from_structure(
        structure: &Structure,
        replacements: &[(String, Vec<String>)],
        primitive: bool,
        tolerance_angstrom: f64,
    ) -> Result<Self, EnumerationError> {
        for (index, (name, _)) in replacements.iter().enumerate() {
            if structure.count(name) == 0 {
                let mut present: Vec<&str> = structure.species().iter().map(String::as_str).collect();
                present.sort_unstable();
                present.dedup();
                return Err(parent_error(format!(
                    "the structure holds no {name}; it holds {}",
                    present.join(", ")
                )));
            }
            if replacements[..index].iter().any(|r| r.0 == *name) {
                return Err(parent_error(format!("the sites of {name} are given twice; give one list")));
            }
        }
        let of_species = |name: &String| {
            let given = replacements.iter().find(|r| r.0 == *name);
            given.map_or_else(|| vec![name.clone()], |r| r.1.clone())
        };
        let allowed: Vec<Vec<String>> = structure.species().iter().map(of_species).collect();
        let new = |lattice, sites, allowed: &[Vec<String>]| {
            Self::new(lattice, sites, allowed, 3, &MoyoFinder, tolerance_angstrom)
        };
        if !primitive {
            return new(*structure.lattice_angstrom(), structure.fractional().to_vec(), &allowed);
        }
        let (_, indices) = index_species(&allowed)?;
        let marked = labelled(*structure.lattice_angstrom(), structure.fractional(), &indices)?;
        let cell = primitive_cell(&marked, tolerance_angstrom)?;
        let of_label = |label: &String| {
            let site = label.parse::<usize>().ok().and_then(|l| allowed.get(l));
            site.cloned().ok_or_else(|| parent_error("the primitive cell lost the labels of its sites"))
        };
        let primitive_allowed = cell.species().iter().map(of_label).collect::<Result<Vec<_>, _>>()?;
        new(*cell.lattice_angstrom(), cell.fractional().to_vec(), &primitive_allowed)
    }

    /// Lattice vectors as rows, angstrom.
    pub fn lattice_angstrom(&self) -> &Matrix3 {
        &self.lattice_angstrom
    }

    /// Fractional positions of the sublattices.
    pub fn sites(&self) -> &[[f64; 3]] {
        &self.sites
    }

    /// All species, in the order of first appearance.
    pub fn species(&self) -> &[String] {
        &self.species
    }

    /// Species allowed on a sublattice, as indices into [`ParentLattice::species`], increasing.
    pub fn allowed(&self, sublattice: usize) -> &[usize] {
        &self.allowed[sublattice]
    }

    /// Number of lattice vectors along which the lattice extends; they come first.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Number of operations modulo lattice translations.
    pub fn operation_count(&self) -> usize {
        self.operations.len()
    }

    /// Number of sublattices that may hold a species.
    pub(crate) fn sublattices_with(&self, species: usize) -> usize {
        self.allowed.iter().filter(|a| a.contains(&species)).count()
    }

    /// Number of sublattices with a choice.
    pub(crate) fn active_sublattices(&self) -> usize {
        self.classes.iter().map(|c| c.sublattices.len()).sum()
    }

    pub(crate) fn tolerance_angstrom(&self) -> f64 {
        self.tolerance_angstrom
    }

    pub(crate) fn classes(&self) -> &[SiteClass] {
        &self.classes
    }

    pub(crate) fn operations(&self) -> &[SiteOperation] {
        &self.operations
    }

    pub(crate) fn rotations(&self) -> Vec<[[i32; 3]; 3]> {
        self.operations.iter().map(|o| o.rotation).collect()
    }
}

fn site_classes(allowed: &[Vec<usize>]) -> Vec<SiteClass> {
    let mut classes: Vec<SiteClass> = Vec::new();
    for (sublattice, species) in allowed.iter().enumerate().filter(|(_, s)| s.len() > 1) {
        match classes.iter_mut().find(|c| c.species == *species) {
            Some(class) => class.sublattices.push(sublattice),
            None => classes.push(SiteClass { sublattices: vec![sublattice], species: species.clone() }),
        }
    }
    classes
}

/// The operations must permute the sublattices within their sets, and their rotations must be distinct and closed: an incomplete group would
/// leave equivalent structures apart.
fn check_group(operations: &[SiteOperation], allowed: &[Vec<usize>]) -> Result<(), EnumerationError> {
    for (index, operation) in operations.iter().enumerate() {
        let refuse = || EnumerationError::NoGroup { operation: index };
        let mut seen = vec![false; allowed.len()];
        for (from, image) in operation.images.iter().enumerate() {
            if std::mem::replace(&mut seen[image.basis], true) || allowed[from] != allowed[image.basis] {
                return Err(refuse());
            }
        }
        for (other_index, other) in operations.iter().enumerate() {
            let product: [[i32; 3]; 3] = std::array::from_fn(|i| {
                std::array::from_fn(|j| (0..3).map(|k| operation.rotation[i][k] * other.rotation[k][j]).sum())
            });
            let twin = other_index != index && other.rotation == operation.rotation;
            if twin || !operations.iter().any(|o| o.rotation == product) {
                return Err(refuse());
            }
        }
    }
    if operations.is_empty() { Err(EnumerationError::NoGroup { operation: 0 }) } else { Ok(()) }
}
