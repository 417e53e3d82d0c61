//! Energy of an arrangement of any number of species on any number of sublattices.

use crate::lattice_hamiltonian::canonical;
use crate::{HandoffError, LatticeHamiltonian};
use scalade_crystal::{LatticeSite, Matrix3, SiteGrid};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Symbol of an empty site.
pub const VACANT: &str = scalade_crystal::enumeration::VACANCY;
/// Most species of one site.
pub const MOST_SPECIES: usize = 32;
/// Furthest cell that a term may name.
pub(crate) const FURTHEST_CELL: u32 = 1 << 20;

/// A sublattice: where it is and what may stand on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpeciesSite {
    /// Fractional position in the primitive cell.
    pub fractional: [f64; 3],
    /// The species that may stand here, [`VACANT`] among them where the site may be empty. One alone: nothing changes here.
    pub species: Vec<String>,
    /// Site functions phi_1, phi_2 ... beside phi_0 = 1: `functions[f - 1][s]` is the value of phi_f on `species[s]`. One fewer than species.
    pub functions: Vec<Vec<f64>>,
    /// Charge of each species, in elementary charges; empty without a Coulomb term.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charges: Vec<f64>,
}

/// A factor of a term: a site function at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteFactor {
    /// The site.
    pub site: LatticeSite,
    /// Number f of the site function phi_f, 1 or more.
    pub function: usize,
}

/// A set of symmetry-equivalent products of site functions.
///
/// `terms` holds one representative of every translation class: translating each by all lattice vectors gives every product of the
/// orbit exactly once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionOrbit {
    /// Number of sites of a term: 1 point, 2 pair, 3 triplet ...
    pub order: usize,
    /// Largest distance between two sites of a term, angstrom (0 for points).
    pub diameter_angstrom: f64,
    /// The terms per primitive cell (their number is the multiplicity per cell).
    pub terms: Vec<Vec<SiteFactor>>,
}

/// A cluster expansion of the energy for any species on any sublattices.
///
/// With s_i the species on site i and sums over all cells R,
///
/// E = cells * c_0 + sum_orbits c_o sum_(R, terms of o) prod_((i, f) in term) phi_f(s_(R+i)) + c_C E_C
///
/// (J. M. Sanchez, F. Ducastelle, D. Gratias, Physica A 128, 334 (1984)). E_C is the electrostatic energy (eV) of the point charges of the
/// species in vacuum by Ewald summation with conducting surroundings (a uniform background where the box is charged) and c_C the inverse of an
/// effective permittivity (A. Seko, I. Tanaka, J. Phys.: Condens. Matter 26, 115403 (2014)). Coefficients are in eV: c_0 per cell, c_o per term.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpeciesHamiltonian {
    /// Lattice vectors of the primitive cell as rows, angstrom.
    pub lattice_angstrom: Matrix3,
    /// The sublattices.
    pub sites: Vec<SpeciesSite>,
    /// Formula units per primitive cell.
    pub formula_units_per_cell: f64,
    /// The orbits.
    pub orbits: Vec<FunctionOrbit>,
    /// Best coefficients: `[c_0, c_1, ...]`, one more than there are orbits, eV.
    pub coefficients_ev: Vec<f64>,
    /// c_C, without a dimension; 0 without a Coulomb term.
    #[serde(default)]
    pub coulomb_coefficient: f64,
    /// Posterior samples, each like `coefficients_ev` with c_C as one more entry at its end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples_ev: Vec<Vec<f64>>,
}

pub(crate) fn finite(what: &'static str, list: &[f64]) -> Result<(), HandoffError> {
    match list.iter().position(|c| !c.is_finite()) {
        None => Ok(()),
        Some(index) => {
            let value = list[index];
            Err(HandoffError::Value { what, index, value, want: "finite numbers are due" })
        }
    }
}

pub(crate) fn length(what: &'static str, expected: usize, got: usize) -> Result<(), HandoffError> {
    if got == expected { Ok(()) } else { Err(HandoffError::Length { what, expected, got }) }
}

impl SpeciesSite {
    /// Checks lengths, names and finiteness.
    pub(crate) fn check(&self) -> Result<(), HandoffError> {
        let species = self.species.len();
        if species == 0 || species > MOST_SPECIES {
            let (expected, got) = (species.clamp(1, MOST_SPECIES), species);
            return Err(HandoffError::Length { what: "species of a site (1 to 32)", expected, got });
        }
        let distinct = self.species.iter().collect::<BTreeSet<_>>().len();
        length("distinct species of a site", species, distinct)?;
        finite("fractional position of a site", &self.fractional)?;
        length("site functions (one fewer than species)", species - 1, self.functions.len())?;
        for function in &self.functions {
            length("values of a site function (one per species)", species, function.len())?;
            finite("values of a site function", function)?;
        }
        if !self.charges.is_empty() {
            length("charges of a site (one per species)", species, self.charges.len())?;
        }
        finite("charges of a site", &self.charges)
    }
}

impl SpeciesHamiltonian {
    /// Checks lengths, sublattices, site functions, finiteness, and that no term repeats a site or stands twice (up to translation).
    pub fn check(&self) -> Result<(), HandoffError> {
        if self.sites.is_empty() {
            return Err(HandoffError::Length { what: "sites of the primitive cell", expected: 1, got: 0 });
        }
        for row in &self.lattice_angstrom {
            finite("lattice vectors", row)?;
        }
        for site in &self.sites {
            site.check()?;
        }
        finite("formula units per cell", &[self.formula_units_per_cell])?;
        finite("Coulomb coefficient", &[self.coulomb_coefficient])?;
        if self.coulomb_coefficient != 0.0 {
            let with_charges = self.sites.iter().filter(|s| !s.charges.is_empty()).count();
            length("sites with charges (a Coulomb term needs all)", self.sites.len(), with_charges)?;
        }
        length("coefficients", self.orbits.len() + 1, self.coefficients_ev.len())?;
        finite("coefficients", &self.coefficients_ev)?;
        for sample in &self.samples_ev {
            length("coefficients of a sample", self.orbits.len() + 2, sample.len())?;
            finite("coefficients of a sample", sample)?;
        }
        self.check_terms()
    }

    fn check_terms(&self) -> Result<(), HandoffError> {
        let mut seen = BTreeSet::new();
        for (orbit, list) in self.orbits.iter().enumerate() {
            for (cluster, term) in list.terms.iter().enumerate() {
                let error = |reason| HandoffError::Cluster { orbit, cluster, reason };
                if term.len() != list.order || term.is_empty() {
                    return Err(error("its number of sites is not the order of its orbit"));
                }
                for factor in term {
                    let Some(site) = self.sites.get(factor.site.basis) else {
                        return Err(error("it names a sublattice that does not exist"));
                    };
                    if factor.function == 0 || factor.function > site.functions.len() {
                        return Err(error("it names a site function that its sublattice does not have"));
                    }
                    if factor.site.cell.iter().any(|n| n.unsigned_abs() > FURTHEST_CELL) {
                        return Err(error("a site lies more than 2^20 cells away"));
                    }
                }
                let sites: Vec<LatticeSite> = term.iter().map(|f| f.site).collect();
                if canonical(&sites).windows(2).any(|w| w[0] == w[1]) {
                    return Err(error("it holds a site twice"));
                }
                if !seen.insert(canonical_term(term)) {
                    return Err(error("it stands twice up to a translation: every term is counted once"));
                }
            }
        }
        Ok(())
    }

    /// The short-range energy (eV; all but the Coulomb term) of an arrangement by straight summation: the slow, readable reference for every fast
    /// kernel. `species` has one index into the species of its sublattice per site of `grid`.
    pub fn reference_energy_ev(&self, coefficients_ev: &[f64], grid: &SiteGrid, species: &[u8]) -> f64 {
        let mut energy = coefficients_ev[0] * grid.cells() as f64;
        for (orbit, coefficient) in self.orbits.iter().zip(&coefficients_ev[1..]) {
            for cell in (0..grid.cells()).map(|c| grid.site(c * grid.basis()).cell) {
                for term in &orbit.terms {
                    let product: f64 = term
                        .iter()
                        .map(|f| {
                            let there = std::array::from_fn(|a| f.site.cell[a] + cell[a]);
                            let site = grid.index(LatticeSite { cell: there, ..f.site });
                            self.sites[f.site.basis].functions[f.function - 1][usize::from(species[site])]
                        })
                        .product();
                    energy += coefficient * product;
                }
            }
        }
        energy
    }
}

impl From<&LatticeHamiltonian> for SpeciesHamiltonian {
    /// The same energy: sublattices with [`VACANT`] (index 0, function -1) and the working ion (index 1, function +1).
    fn from(binary: &LatticeHamiltonian) -> Self {
        let site = |fractional: &[f64; 3]| SpeciesSite {
            fractional: *fractional,
            species: vec![VACANT.into(), binary.working_ion.clone()],
            functions: vec![vec![-1.0, 1.0]],
            charges: Vec::new(),
        };
        let term = |cluster: &Vec<LatticeSite>| {
            cluster.iter().map(|site| SiteFactor { site: *site, function: 1 }).collect()
        };
        let with_coulomb = |sample: &Vec<f64>| sample.iter().copied().chain([0.0]).collect();
        Self {
            lattice_angstrom: binary.lattice_angstrom,
            sites: binary.basis_fractional.iter().map(site).collect(),
            formula_units_per_cell: binary.formula_units_per_cell,
            orbits: binary
                .orbits
                .iter()
                .map(|o| FunctionOrbit {
                    order: o.order,
                    diameter_angstrom: o.diameter_angstrom,
                    terms: o.clusters.iter().map(term).collect(),
                })
                .collect(),
            coefficients_ev: binary.coefficients_ev.clone(),
            coulomb_coefficient: 0.0,
            samples_ev: binary.samples_ev.iter().map(with_coulomb).collect(),
        }
    }
}

/// The term moved so that one of its sites lies in cell (0, 0, 0), of such the one that sorts first: equal for terms that differ by a translation.
pub fn canonical_term(term: &[SiteFactor]) -> Vec<SiteFactor> {
    least_translate(term, |f| &mut f.site)
}

/// The sorted list, moved so that one of its sites lies in cell (0, 0, 0), that is the smallest of such: equal for lists that differ by a translation.
pub(crate) fn least_translate<T: Copy + Ord>(
    list: &[T],
    site: impl Fn(&mut T) -> &mut LatticeSite,
) -> Vec<T> {
    let moved = |anchor: &T| {
        let by = site(&mut anchor.clone()).cell;
        let mut list = list.to_vec();
        for entry in &mut list {
            let cell = &mut site(entry).cell;
            *cell = std::array::from_fn(|a| cell[a].wrapping_sub(by[a]));
        }
        list.sort_unstable();
        list
    };
    list.iter().map(moved).min().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClusterOrbit;

    fn site(cell: [i32; 3]) -> LatticeSite {
        LatticeSite { cell, basis: 0 }
    }

    fn chain() -> LatticeHamiltonian {
        LatticeHamiltonian {
            lattice_angstrom: [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]],
            basis_fractional: vec![[0.0; 3]],
            working_ion: "Li".into(),
            formula_units_per_cell: 1.0,
            orbits: vec![
                ClusterOrbit { order: 1, diameter_angstrom: 0.0, clusters: vec![vec![site([0; 3])]] },
                ClusterOrbit {
                    order: 2,
                    diameter_angstrom: 3.0,
                    clusters: vec![vec![site([0; 3]), site([1, 0, 0])]],
                },
            ],
            coefficients_ev: vec![0.3, -0.2, 0.07],
            samples_ev: vec![vec![0.1, 0.2, 0.3]],
        }
    }

    #[test]
    fn a_binary_expansion_keeps_its_energy() {
        let binary = chain();
        let general = SpeciesHamiltonian::from(&binary);
        general.check().unwrap();
        let grid = SiteGrid::new([6, 1, 1], 1).unwrap();
        for state in 0..64u32 {
            let occupied: Vec<bool> = (0..6).map(|i| state >> i & 1 == 1).collect();
            let species: Vec<u8> = occupied.iter().map(|o| u8::from(*o)).collect();
            let a = binary.reference_energy_ev(&binary.coefficients_ev, &grid, &occupied);
            let b = general.reference_energy_ev(&general.coefficients_ev, &grid, &species);
            assert!((a - b).abs() < 1e-14);
        }
        let text = serde_json::to_string(&general).unwrap();
        assert_eq!(serde_json::from_str::<SpeciesHamiltonian>(&text).unwrap(), general);
    }

    #[test]
    fn what_is_not_admissible_is_refused() {
        type Change = fn(&mut SpeciesHamiltonian);
        let changes: [Change; 10] = [
            |h| h.sites[0].species.clear(),
            |h| h.sites[0].species[1] = VACANT.into(),
            |h| h.sites[0].functions[0][0] = f64::NAN,
            |h| h.sites[0].functions.clear(),
            |h| h.orbits[1].terms[0][1].function = 2,
            |h| h.orbits[1].terms[0][1].function = 0,
            |h| h.orbits[1].terms[0][1].site.basis = 1,
            |h| h.orbits[1].terms[0][1].site.cell = [0; 3],
            |h| {
                let mut again = h.orbits[1].terms[0].clone();
                for factor in &mut again {
                    factor.site.cell[1] += 4;
                }
                h.orbits[1].terms.push(again);
            },
            |h| h.coulomb_coefficient = 0.1,
        ];
        for (n, change) in changes.iter().enumerate() {
            let mut broken = SpeciesHamiltonian::from(&chain());
            change(&mut broken);
            assert!(broken.check().is_err(), "change {n}");
        }
    }
}
