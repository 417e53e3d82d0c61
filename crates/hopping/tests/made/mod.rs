//! Crystals with made-up energies and events.

#![allow(clippy::unwrap_used, dead_code, reason = "a test takes what it needs, and fails with it")]

use scalade_crystal::{LatticeSite, Matrix3, MoyoFinder};
use scalade_expansion::local::{LocalCutoffs, local_orbits};
use scalade_expansion::{Prim, SiteBasis, function_orbits};
use scalade_handoff::{LocalExpansion, Parity, SpeciesChange, SpeciesHamiltonian, VACANT};
use scalade_hopping::species::{EventKind, SpeciesModel, SpeciesParts};
use scalade_lattice::{Cutoffs, SiteChoice, SiteChoices};
use scalade_numerics::Philox;

pub const FCC: Matrix3 = [[0.0, 2.0, 2.0], [2.0, 0.0, 2.0], [2.0, 2.0, 0.0]];
pub const SC: Matrix3 = [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]];
/// Square layers far apart.
pub const SQUARE: Matrix3 = [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 9.0]];
pub const SPECIES: [&str; 3] = [VACANT, "A", "B"];

pub fn prim(lattice_angstrom: Matrix3, sites: &[([f64; 3], &[&str])]) -> Prim {
    let choice = |(fractional, species): &([f64; 3], &[&str])| SiteChoice {
        fractional: *fractional,
        species: species.iter().map(ToString::to_string).collect(),
    };
    let choices = SiteChoices { lattice_angstrom, sites: sites.iter().map(choice).collect() };
    Prim::new(choices, SiteBasis::Occupation, 1.0, &MoyoFinder, 1e-3).unwrap()
}

/// Pairs, triplets ... within the cutoffs with random coefficients of about `size` eV.
pub fn hamiltonian(prim: &Prim, cutoffs: &[f64], size: f64, seed: u64) -> SpeciesHamiltonian {
    let orbits = function_orbits(prim, &Cutoffs(cutoffs.to_vec())).unwrap();
    let mut rng = Philox::new(seed, 0, 0);
    let out = SpeciesHamiltonian {
        lattice_angstrom: *prim.lattice_angstrom(),
        sites: prim.hand_off_sites(),
        formula_units_per_cell: prim.formula_units(),
        coefficients_ev: (0..=orbits.len()).map(|_| size * rng.normal()).collect(),
        orbits,
        coulomb_coefficient: 0.0,
        samples_ev: Vec::new(),
    };
    out.check().unwrap();
    out
}

pub fn site(cell: [i32; 3], basis: usize) -> LatticeSite {
    LatticeSite { cell, basis }
}

/// Species `ion` goes from a site to another one where species `hole` was.
pub fn hop(from: LatticeSite, to: LatticeSite, ion: usize, hole: usize) -> Vec<SpeciesChange> {
    vec![
        SpeciesChange { site: from, before: ion, after: hole },
        SpeciesChange { site: to, before: hole, after: ion },
    ]
}

/// An event with E_KRA = `kra` plus orbits within the radii (of points, pairs ...) with random coefficients of about `size` eV for the mean of an orbit.
pub fn kind(
    prim: &Prim,
    name: &str,
    event: &[SpeciesChange],
    (radii, kra, size): (&[f64], f64, f64),
    seed: u64,
) -> EventKind {
    let limits = LocalCutoffs {
        radius_angstrom: radii.to_vec(),
        diameter_angstrom: radii.iter().skip(1).copied().collect(),
    };
    let orbits =
        if radii.is_empty() { Vec::new() } else { local_orbits(prim, event, Parity::Even, &limits).unwrap() };
    let mut rng = Philox::new(seed, 1, 0);
    let mut coefficients_ev = vec![kra];
    coefficients_ev.extend(orbits.iter().map(|_| size * rng.normal()));
    let expansion = LocalExpansion {
        lattice_angstrom: *prim.lattice_angstrom(),
        sites: prim.hand_off_sites(),
        operations: prim.space_group().operations.clone(),
        tolerance_angstrom: 2e-3,
        event: event.to_vec(),
        parity: Parity::Even,
        orbits,
        coefficients_ev,
        samples_ev: Vec::new(),
        attempt_frequency: None,
    };
    expansion.check().unwrap();
    EventKind { name: name.into(), expansion, prefactor_hz: 1e12 }
}

/// The model of a box.
pub fn model(
    prim: &Prim,
    hamiltonian: Option<&SpeciesHamiltonian>,
    kinds: &[EventKind],
    cells: [usize; 3],
    temperature_k: f64,
) -> Result<SpeciesModel, scalade_hopping::HoppingError> {
    SpeciesModel::new(&SpeciesParts {
        lattice_angstrom: *prim.lattice_angstrom(),
        sites: &prim.hand_off_sites(),
        hamiltonian: hamiltonian.map(|h| (h, h.coefficients_ev.as_slice())),
        kinds,
        cells,
        temperature_k,
    })
}
