//! Expansions to test with.

#![allow(clippy::unwrap_used, dead_code, reason = "a test takes what it needs, and fails with it")]

pub mod local;

use scalade_crystal::{Matrix3, MoyoFinder};
use scalade_expansion::{Prim, SiteBasis, function_orbits};
use scalade_handoff::SpeciesHamiltonian;
use scalade_lattice::{Cutoffs, SiteChoice, SiteChoices};
use scalade_numerics::Philox;
use std::collections::BTreeMap;

pub fn choices(lattice_angstrom: Matrix3, sites: &[([f64; 3], &[&str])]) -> SiteChoices {
    let choice = |(fractional, species): &([f64; 3], &[&str])| SiteChoice {
        fractional: *fractional,
        species: species.iter().map(ToString::to_string).collect(),
    };
    SiteChoices { lattice_angstrom, sites: sites.iter().map(choice).collect() }
}

pub const FCC: Matrix3 = [[0.0, 2.1, 2.1], [2.1, 0.0, 2.1], [2.1, 2.1, 0.0]];

/// A disordered rock salt: three cation species and a vacancy, two anions, and a spectator.
pub fn rock_salt(basis: SiteBasis) -> Prim {
    let sites = choices(
        FCC,
        &[([0.0; 3], &["Vac", "Li", "Mn3", "Mn4"]), ([0.5; 3], &["O", "F"]), ([0.25; 3], &["H"])],
    );
    Prim::new(sites, basis, 1.0, &MoyoFinder, 1e-3).unwrap()
}

pub fn charges() -> BTreeMap<String, f64> {
    [("Li", 1.0), ("Mn3", 3.0), ("Mn4", 4.0), ("O", -2.0), ("F", -1.0), ("H", 0.5)]
        .map(|(n, q)| (n.to_string(), q))
        .into()
}

/// An expansion of a primitive cell with random coefficients of a given size.
pub fn random_hamiltonian(prim: &Prim, cutoffs: &[f64], size: f64, seed: u64) -> SpeciesHamiltonian {
    let orbits = function_orbits(prim, &Cutoffs(cutoffs.to_vec())).unwrap();
    let mut rng = Philox::new(seed, 0, 0);
    let mut hamiltonian = SpeciesHamiltonian {
        lattice_angstrom: *prim.lattice_angstrom(),
        sites: prim.hand_off_sites(),
        formula_units_per_cell: prim.formula_units(),
        coefficients_ev: vec![0.0; orbits.len() + 1],
        orbits,
        coulomb_coefficient: 0.0,
        samples_ev: Vec::new(),
    };
    for c in &mut hamiltonian.coefficients_ev {
        *c = size * rng.normal();
    }
    hamiltonian.check().unwrap();
    hamiltonian
}

pub fn random_species(hamiltonian: &SpeciesHamiltonian, sites: usize, seed: u64) -> Vec<u8> {
    let mut rng = Philox::new(seed, 1, 0);
    let basis = hamiltonian.sites.len();
    (0..sites).map(|s| rng.below(hamiltonian.sites[s % basis].species.len() as u32) as u8).collect()
}
