//! The primitive cell: its sites, what may stand on each, and its symmetry.

use crate::error::{ExpansionError, prim};
use crate::site_basis::SiteBasis;
use scalade_crystal::{Matrix3, SpaceGroup, Structure, SymmetryFinder};
use scalade_handoff::species_hamiltonian::MOST_SPECIES;
use scalade_handoff::{SiteMap, SpeciesSite, VACANT};
use scalade_lattice::{SiteChoice, SiteChoices, SiteLattice};
use std::collections::{BTreeMap, BTreeSet};

/// A primitive cell whose sites each take one or more species.
#[derive(Clone, Debug, PartialEq)]
pub struct Prim {
    choices: SiteChoices,
    basis: SiteBasis,
    formula_units: f64,
    charges: Option<BTreeMap<String, f64>>,
    electrostatic: bool,
    space_group: SpaceGroup,
    tolerance_angstrom: f64,
    active: Vec<usize>,
}

impl Prim {
    /// A primitive cell. Sites that take the same species in the same order are alike; operations that exchange others are no symmetry of it.
    ///
    /// Errors: [`ExpansionError::Prim`] for lists that leave no choice, name a species twice, or describe a cell that repeats itself, and the errors of
    /// the symmetry search.
    pub fn new(
        choices: SiteChoices,
        basis: SiteBasis,
        formula_units: f64,
        finder: &dyn SymmetryFinder,
        tolerance_angstrom: f64,
    ) -> Result<Self, ExpansionError> {
        if !(formula_units > 0.0 && formula_units.is_finite()) {
            return Err(prim(format!("formula_units is {formula_units}; a positive number is due")));
        }
        for (index, site) in choices.sites.iter().enumerate() {
            let distinct = site.species.iter().collect::<BTreeSet<_>>().len();
            if site.species.is_empty() || distinct != site.species.len() || distinct > MOST_SPECIES {
                return Err(prim(format!(
                    "site {index} (counted from 0) takes [{}]; 1 to {MOST_SPECIES} different species are due",
                    site.species.join(", ")
                )));
            }
        }
        let active: Vec<usize> =
            (0..choices.sites.len()).filter(|i| choices.sites[*i].species.len() > 1).collect();
        if active.is_empty() {
            return Err(prim("no site takes more than one species: there is nothing to expand"));
        }
        let labels = choices.sites.iter().map(|s| s.species.join(","));
        let positions = choices.sites.iter().map(|s| s.fractional).collect();
        let structure = Structure::new(choices.lattice_angstrom, labels.collect(), positions)?;
        let space_group = finder.space_group(&structure, tolerance_angstrom)?;
        let copies = space_group.operations.iter().filter(|o| o.is_translation()).count();
        if copies > 1 {
            return Err(prim(format!(
                "the cell holds {copies} primitive cells: sites that take the same species count as alike; give the primitive cell"
            )));
        }
        Ok(Self {
            choices,
            basis,
            formula_units,
            charges: None,
            electrostatic: false,
            space_group,
            tolerance_angstrom,
            active,
        })
    }

    /// The same with the charge of every species but the vacancy, in elementary charges, so that moves can keep the charge; with `electrostatic` the
    /// expansion has a term for their energy.
    pub fn with_charges(
        mut self,
        charges: BTreeMap<String, f64>,
        electrostatic: bool,
    ) -> Result<Self, ExpansionError> {
        for species in self.choices.sites.iter().flat_map(|s| &s.species) {
            let known = species == VACANT || charges.get(species).is_some_and(|q| q.is_finite());
            if !known {
                return Err(prim(format!("the charge of {species} is missing or no finite number")));
            }
        }
        self.charges = Some(charges);
        self.electrostatic = electrostatic;
        Ok(self)
    }

    /// The sites with what may stand on each.
    pub fn choices(&self) -> &SiteChoices {
        &self.choices
    }

    /// Lattice vectors as rows, angstrom.
    pub fn lattice_angstrom(&self) -> &Matrix3 {
        &self.choices.lattice_angstrom
    }

    /// Formula units per cell.
    pub fn formula_units(&self) -> f64 {
        self.formula_units
    }

    /// The site functions.
    pub fn basis(&self) -> SiteBasis {
        self.basis
    }

    /// Whether the expansion has a term for the electrostatic energy.
    pub fn is_electrostatic(&self) -> bool {
        self.electrostatic
    }

    /// The space group of the cell with what may stand on its sites.
    pub fn space_group(&self) -> &SpaceGroup {
        &self.space_group
    }

    /// Distance within which the image of a site is taken for a site, angstrom.
    pub fn tolerance_angstrom(&self) -> f64 {
        self.tolerance_angstrom
    }

    /// Sites with a choice.
    pub fn active(&self) -> &[usize] {
        &self.active
    }

    /// The lattice of the sites with a choice, numbered as in [`Self::active`].
    pub(crate) fn active_lattice(&self) -> SiteLattice {
        self.lattice_of(self.active.iter().map(|i| self.choices.sites[*i].fractional).collect())
    }

    /// The lattice of all sites.
    pub(crate) fn site_lattice(&self) -> SiteLattice {
        self.lattice_of(self.positions())
    }

    fn lattice_of(&self, sites_fractional: Vec<[f64; 3]>) -> SiteLattice {
        SiteLattice {
            lattice_angstrom: self.choices.lattice_angstrom,
            sites_fractional,
            space_group: self.space_group.clone(),
            tolerance_angstrom: self.image_tolerance_angstrom(),
        }
    }

    /// Distance of the image of a site from the site it stands for: both may be off.
    pub(crate) fn image_tolerance_angstrom(&self) -> f64 {
        2.0 * self.tolerance_angstrom
    }

    fn positions(&self) -> Vec<[f64; 3]> {
        self.choices.sites.iter().map(|s| s.fractional).collect()
    }

    /// Number of site functions of every site.
    pub(crate) fn function_counts(&self) -> Vec<usize> {
        self.choices.sites.iter().map(|s| s.species.len() - 1).collect()
    }

    /// The operations of the space group as maps of the sites.
    pub(crate) fn site_maps(&self) -> Result<Vec<SiteMap>, ExpansionError> {
        let (lattice, positions) = (&self.choices.lattice_angstrom, self.positions());
        let tolerance = self.image_tolerance_angstrom();
        let map = |o| Ok(SiteMap::new(lattice, &positions, o, tolerance)?);
        self.space_group.operations.iter().map(map).collect()
    }

    /// The sites as an expansion hands them on, with their site functions and charges.
    pub fn hand_off_sites(&self) -> Vec<SpeciesSite> {
        self.choices.sites.iter().map(|site| self.species_site(site)).collect()
    }

    fn species_site(&self, site: &SiteChoice) -> SpeciesSite {
        let charge = |charges: &BTreeMap<String, f64>| {
            site.species.iter().map(|s| charges.get(s).copied().unwrap_or(0.0)).collect()
        };
        SpeciesSite {
            fractional: site.fractional,
            species: site.species.clone(),
            functions: self.basis.functions(site.species.len()),
            charges: self.charges.as_ref().map(charge).unwrap_or_default(),
        }
    }
}
