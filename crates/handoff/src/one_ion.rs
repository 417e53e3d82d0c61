//! Expansions of any species where the sites with a choice hold one ion or none: the same in spins, sigma = +1 (occupied) or -1 (vacant).
//!
//! A site function becomes phi = a + b sigma with a = (phi(ion) + phi(vacancy))/2 and b = (phi(ion) - phi(vacancy))/2, and a product of site functions a sum
//! over the subsets of its sites.

use crate::lattice_hamiltonian::canonical;
use crate::species_hamiltonian::{finite, length};
use crate::{
    ClusterOrbit, HandoffError, LatticeHamiltonian, SiteFactor, SpeciesHamiltonian, SpeciesSite, VACANT,
};
use scalade_crystal::{LatticeSite, norm, row_times};
use std::collections::BTreeMap;

/// Most sites of a product that is written out in subsets.
const MOST_FACTORS: usize = 12;
/// Coefficients that differ by less, relative to the largest, belong to one orbit.
const SAME_COEFFICIENT: f64 = 1e-12;

impl SpeciesSite {
    /// The index of the ion among the species, where they are one ion and the vacancy.
    pub fn ion(&self) -> Option<usize> {
        match (self.species.len(), self.species.iter().position(|s| s == VACANT)) {
            (2, Some(vacant)) => Some(1 - vacant),
            _ => None,
        }
    }

    /// [a, b] of a site function, numbered from 1, as a + b sigma.
    fn in_spins(&self, function: usize) -> Option<[f64; 2]> {
        let ion = self.ion()?;
        let values = self.functions.get(function.wrapping_sub(1))?;
        let (occupied, vacant) = (*values.get(ion)?, *values.get(1 - ion)?);
        Some([0.5 * (occupied + vacant), 0.5 * (occupied - vacant)])
    }
}

/// A product of site functions as a sum over products of spins, with their coefficients; none where a factor is no function of an ion and its vacancy, or
/// there are more than 12.
pub fn product_in_spins(term: &[SiteFactor], sites: &[SpeciesSite]) -> Option<Vec<(Vec<LatticeSite>, f64)>> {
    if term.len() > MOST_FACTORS {
        return None;
    }
    let mut parts: Vec<(Vec<LatticeSite>, f64)> = vec![(Vec::new(), 1.0)];
    for factor in term {
        let [a, b] = sites.get(factor.site.basis)?.in_spins(factor.function)?;
        let mut next = Vec::with_capacity(2 * parts.len());
        for (chosen, c) in parts {
            let mut with = chosen.clone();
            with.push(factor.site);
            next.push((chosen, c * a));
            next.push((with, c * b));
        }
        parts = next.into_iter().filter(|p| p.1 != 0.0).collect();
    }
    Some(parts)
}

impl SpeciesHamiltonian {
    /// The same energies as an expansion in spins, with the given coefficients (the best ones or a sample without its Coulomb entry) and no samples.
    ///
    /// Errors: a site that takes more than one ion and its vacancy, two ions on different sites, a Coulomb term, no site with a choice.
    pub fn of_one_ion(&self, coefficients_ev: &[f64]) -> Result<LatticeHamiltonian, HandoffError> {
        self.check()?;
        length("coefficients", self.orbits.len() + 1, coefficients_ev.len())?;
        finite("coefficients", coefficients_ev)?;
        let wrong = |site: usize, reason: String| HandoffError::Site { site, reason };
        if self.coulomb_coefficient != 0.0 {
            let (what, want) = ("coulomb_coefficient", "ions and their vacancies alone take none");
            return Err(HandoffError::Value { what, index: 0, value: self.coulomb_coefficient, want });
        }
        let mut working_ion: Option<&String> = None;
        let mut place = vec![None; self.sites.len()];
        let mut basis_fractional = Vec::new();
        for (k, site) in self.sites.iter().enumerate().filter(|s| s.1.species.len() > 1) {
            let Some(ion) = site.ion() else {
                let reason = format!("takes {}; one ion and {VACANT} are due", site.species.join(", "));
                return Err(wrong(k, reason));
            };
            let name = &site.species[ion];
            if let Some(other) = working_ion.filter(|other| *other != name) {
                return Err(wrong(k, format!("takes {name}, another one {other}; one ion is due")));
            }
            working_ion = Some(name);
            place[k] = Some(basis_fractional.len());
            basis_fractional.push(site.fractional);
        }
        let Some(working_ion) = working_ion else {
            return Err(wrong(0, "no site takes an ion or its vacancy".into()));
        };
        let mut clusters: BTreeMap<Vec<LatticeSite>, f64> = BTreeMap::new();
        let mut constant = coefficients_ev[0];
        for (index, (orbit, coefficient)) in self.orbits.iter().zip(&coefficients_ev[1..]).enumerate() {
            for (cluster, term) in orbit.terms.iter().enumerate() {
                let reason = "it holds more than 12 sites, or a site without an ion and its vacancy";
                let parts = product_in_spins(term, &self.sites).ok_or(HandoffError::Cluster {
                    orbit: index,
                    cluster,
                    reason,
                })?;
                for (sites, c) in parts {
                    if sites.is_empty() {
                        constant += coefficient * c;
                        continue;
                    }
                    let moved: Vec<LatticeSite> = sites
                        .iter()
                        .filter_map(|s| Some(LatticeSite { basis: place[s.basis]?, ..*s }))
                        .collect();
                    *clusters.entry(canonical(&moved)).or_insert(0.0) += coefficient * c;
                }
            }
        }
        let mut out = LatticeHamiltonian {
            lattice_angstrom: self.lattice_angstrom,
            basis_fractional,
            working_ion: working_ion.clone(),
            formula_units_per_cell: self.formula_units_per_cell,
            orbits: Vec::new(),
            coefficients_ev: vec![constant],
            samples_ev: Vec::new(),
        };
        out.add(clusters);
        out.check()?;
        Ok(out)
    }
}

impl LatticeHamiltonian {
    /// Adds clusters, those of one order, diameter and coefficient as one orbit.
    fn add(&mut self, clusters: BTreeMap<Vec<LatticeSite>, f64>) {
        let largest = clusters.values().fold(0.0, |m: f64, c| m.max(c.abs()));
        let mut rows: Vec<(usize, f64, f64, Vec<LatticeSite>)> = clusters
            .into_iter()
            .filter(|c| c.1.abs() > SAME_COEFFICIENT * largest)
            .map(|(sites, c)| (sites.len(), self.diameter(&sites), c, sites))
            .collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0).then(a.2.total_cmp(&b.2)));
        for (order, diameter_angstrom, c, sites) in rows {
            if let (Some(orbit), Some(last)) = (self.orbits.last_mut(), self.coefficients_ev.last())
                && orbit.order == order
                && (last - c).abs() <= SAME_COEFFICIENT * largest
            {
                orbit.diameter_angstrom = orbit.diameter_angstrom.max(diameter_angstrom);
                orbit.clusters.push(sites);
            } else {
                self.orbits.push(ClusterOrbit { order, diameter_angstrom, clusters: vec![sites] });
                self.coefficients_ev.push(c);
            }
        }
    }

    /// Largest distance between two sites, angstrom.
    fn diameter(&self, sites: &[LatticeSite]) -> f64 {
        let position = |s: &LatticeSite| -> [f64; 3] {
            let basis = self.basis_fractional[s.basis];
            row_times(std::array::from_fn(|a| f64::from(s.cell[a]) + basis[a]), &self.lattice_angstrom)
        };
        let mut out: f64 = 0.0;
        for (k, a) in sites.iter().enumerate() {
            for b in &sites[..k] {
                let (p, q) = (position(a), position(b));
                out = out.max(norm(std::array::from_fn(|i| p[i] - q[i])));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FunctionOrbit;
    use scalade_crystal::SiteGrid;

    fn site(fractional: [f64; 3], species: &[&str], functions: &[&[f64]]) -> SpeciesSite {
        SpeciesSite {
            fractional,
            species: species.iter().map(|s| (*s).to_string()).collect(),
            functions: functions.iter().map(|f| f.to_vec()).collect(),
            charges: Vec::new(),
        }
    }

    fn factor(cell: [i32; 3], basis: usize) -> SiteFactor {
        SiteFactor { site: LatticeSite { cell, basis }, function: 1 }
    }

    /// A host between two sublattices of ions whose species stand in either order.
    fn expansion() -> SpeciesHamiltonian {
        let orbit = |terms: Vec<Vec<SiteFactor>>| FunctionOrbit {
            order: terms[0].len(),
            diameter_angstrom: 1.0,
            terms,
        };
        SpeciesHamiltonian {
            lattice_angstrom: [[2.0, 0.0, 0.0], [0.0, 2.5, 0.0], [0.0, 0.0, 3.0]],
            sites: vec![
                site([0.0; 3], &["Vac", "Li"], &[&[0.2, 1.3]]),
                site([0.5; 3], &["Co"], &[]),
                site([0.5, 0.0, 0.0], &["Li", "Vac"], &[&[1.0, -0.5]]),
            ],
            formula_units_per_cell: 1.0,
            orbits: vec![
                orbit(vec![vec![factor([0; 3], 0)]]),
                orbit(vec![
                    vec![factor([0; 3], 0), factor([0; 3], 2)],
                    vec![factor([1, 0, 0], 0), factor([0; 3], 2)],
                ]),
                orbit(vec![vec![factor([0; 3], 0), factor([0, 1, 0], 0), factor([0; 3], 2)]]),
            ],
            coefficients_ev: vec![-3.0, 0.1, 0.05, -0.02],
            coulomb_coefficient: 0.0,
            samples_ev: Vec::new(),
        }
    }

    #[test]
    fn energies_stay() {
        let of = expansion();
        let spins = of.of_one_ion(&of.coefficients_ev).unwrap();
        assert_eq!((spins.basis_fractional.len(), spins.working_ion.as_str()), (2, "Li"));
        let (dims, cells) = ([2, 3, 2], 12usize);
        let (grid, wide) = (SiteGrid::new(dims, 2).unwrap(), SiteGrid::new(dims, 3).unwrap());
        let mut state = 12345u64;
        for _ in 0..20 {
            let occupied: Vec<bool> = (0..2 * cells)
                .map(|_| {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    state >> 40 & 1 == 1
                })
                .collect();
            // Species of the whole crystal: Vac, Li on the first sublattice, Li, Vac on the third.
            let species: Vec<u8> = (0..3 * cells)
                .map(|s| match s % 3 {
                    0 => u8::from(occupied[s / 3 * 2]),
                    1 => 0,
                    _ => u8::from(!occupied[s / 3 * 2 + 1]),
                })
                .collect();
            let want = of.reference_energy_ev(&of.coefficients_ev, &wide, &species);
            let got = spins.reference_energy_ev(&spins.coefficients_ev, &grid, &occupied);
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        }
    }

    #[test]
    fn what_is_no_lattice_of_one_ion_is_named() {
        let said = |of: &SpeciesHamiltonian| of.of_one_ion(&of.coefficients_ev).unwrap_err().to_string();
        let mut of = expansion();
        of.sites[2].species[0] = "Na".into();
        assert!(said(&of).contains("takes Na, another one Li"));
        let mut of = expansion();
        of.sites[0] = site([0.0; 3], &["Vac", "Li", "Na"], &[&[0.0, 1.0, 0.0], &[1.0, 0.0, 0.0]]);
        assert!(said(&of).contains("Vac, Li, Na"));
        let mut of = expansion();
        of.coulomb_coefficient = 0.1;
        for (site, charges) in of.sites.iter_mut().zip([&[0.0, 1.0][..], &[3.0], &[1.0, 0.0]]) {
            site.charges = charges.to_vec();
        }
        assert!(said(&of).contains("coulomb_coefficient"));
        assert!(expansion().of_one_ion(&[1.0]).is_err());
    }
}
