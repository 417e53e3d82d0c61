//! Correlation functions and electrostatic energies of arrangements.

use crate::error::ExpansionError;
use scalade_crystal::{COULOMB_EV_ANGSTROM, Ewald, LatticeSite, Matrix3, row_times};
use scalade_handoff::{FunctionOrbit, SiteFactor, SpeciesSite};
use scalade_lattice::Supercell;
use std::collections::BTreeMap;

/// For every orbit the mean of its products of site functions over the supercell. `species` has one index into the species of its sublattice per site
/// of the supercell.
pub fn correlations(
    orbits: &[FunctionOrbit],
    sites: &[SpeciesSite],
    supercell: &Supercell,
    species: &[u8],
) -> Result<Vec<f64>, ExpansionError> {
    check(sites, supercell, species)?;
    let cells: Vec<[i32; 3]> = (0..supercell.cells()).map(|c| supercell.cell(c)).collect();
    // Many terms share factors: look each up once, for all cells.
    let mut tables: BTreeMap<SiteFactor, Vec<f64>> = BTreeMap::new();
    for factor in orbits.iter().flat_map(|o| o.terms.iter().flatten()) {
        let function = sites
            .get(factor.site.basis)
            .and_then(|s| s.functions.get(factor.function.wrapping_sub(1)))
            .ok_or(ExpansionError::Length {
                what: "site functions",
                expected: factor.function,
                got: sites.get(factor.site.basis).map_or(0, |s| s.functions.len()),
            })?;
        tables.entry(*factor).or_insert_with(|| {
            let at = |c: &[i32; 3]| {
                let cell = std::array::from_fn(|i| c[i] + factor.site.cell[i]);
                function[usize::from(species[supercell.index(LatticeSite { cell, ..factor.site })])]
            };
            cells.iter().map(at).collect()
        });
    }
    let mean = |orbit: &FunctionOrbit| {
        let mut sum = 0.0;
        for term in &orbit.terms {
            let columns: Vec<&Vec<f64>> = term.iter().filter_map(|f| tables.get(f)).collect();
            for cell in 0..cells.len() {
                sum += columns.iter().map(|c| c[cell]).product::<f64>();
            }
        }
        sum / (orbit.terms.len() * cells.len()) as f64
    };
    Ok(orbits.iter().map(mean).collect())
}

/// Checks that an arrangement belongs to its sites and supercell.
pub(crate) fn check(
    sites: &[SpeciesSite],
    supercell: &Supercell,
    species: &[u8],
) -> Result<(), ExpansionError> {
    if supercell.basis() != sites.len() {
        let (expected, got) = (supercell.basis(), sites.len());
        return Err(ExpansionError::Length { what: "sublattices", expected, got });
    }
    if species.len() != supercell.sites() {
        let (expected, got) = (supercell.sites(), species.len());
        return Err(ExpansionError::Length { what: "arrangement", expected, got });
    }
    for (index, s) in species.iter().enumerate() {
        let known = sites[index % sites.len()].species.len();
        if usize::from(*s) >= known {
            let (expected, got) = (known, usize::from(*s) + 1);
            return Err(ExpansionError::Length { what: "species of a site", expected, got });
        }
    }
    Ok(())
}

/// Electrostatic energy (eV) of the charges of an arrangement on the ideal lattice of a supercell, in vacuum.
pub fn coulomb_energy_ev(
    lattice_angstrom: &Matrix3,
    sites: &[SpeciesSite],
    supercell: &Supercell,
    species: &[u8],
) -> Result<f64, ExpansionError> {
    check(sites, supercell, species)?;
    let charge = |index: usize| {
        let site = &sites[index % sites.len()];
        site.charges.get(usize::from(species[index])).copied()
    };
    let charges: Vec<f64> = (0..species.len())
        .map(charge)
        .collect::<Option<_>>()
        .ok_or(ExpansionError::Length { what: "charges of a site", expected: 1, got: 0 })?;
    let vectors = supercell.matrix().map(|row| row_times(row.map(|e| e as f64), lattice_angstrom));
    let ewald = Ewald::new(&vectors)?;
    // The potential between two sites depends on their sublattices and on the difference of their cells alone.
    let n = sites.len();
    let cells: Vec<[i32; 3]> = (0..supercell.cells()).map(|c| supercell.cell(c)).collect();
    let mut table = vec![0.0; cells.len() * n * n];
    for (c, cell) in cells.iter().enumerate() {
        for a in 0..n {
            for b in 0..n {
                let step = std::array::from_fn(|i| {
                    sites[b].fractional[i] - sites[a].fractional[i] + f64::from(cell[i])
                });
                table[(c * n + a) * n + b] = ewald.potential(row_times(step, lattice_angstrom));
            }
        }
    }
    let mut sum = 0.0;
    for (c, here) in cells.iter().enumerate() {
        for (d, there) in cells.iter().enumerate() {
            let step = std::array::from_fn(|i| there[i] - here[i]);
            let offset = supercell.index(LatticeSite { cell: step, basis: 0 }) / n;
            for a in 0..n {
                for b in 0..n {
                    sum += charges[c * n + a] * charges[d * n + b] * table[(offset * n + a) * n + b];
                }
            }
        }
    }
    Ok(0.5 * COULOMB_EV_ANGSTROM * sum)
}
