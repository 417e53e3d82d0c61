//! The fast kernel against straight sums, in boxes so small that terms meet their own images too.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use common::{charges, random_hamiltonian, random_species, rock_salt};
use proptest::prelude::*;
use scalade_crystal::{Ewald, SiteGrid, row_times};
use scalade_expansion::montecarlo::SpeciesEnergy;
use scalade_expansion::{SiteBasis, coulomb_energy_ev};
use scalade_lattice::Supercell;

fn basis_of(pick: usize) -> SiteBasis {
    SiteBasis::ALL[pick % 3].1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn energies_and_changes_are_those_of_straight_sums(
        dims in proptest::array::uniform3(1usize..4), pick in 0usize..3, seed in 0u64..1000, electrostatic in proptest::bool::ANY
    ) {
        let prim = rock_salt(basis_of(pick)).with_charges(charges(), electrostatic).unwrap();
        let mut hamiltonian = random_hamiltonian(&prim, &[4.3, 3.1, 3.0], 0.3, seed);
        hamiltonian.coulomb_coefficient = if electrostatic { 0.07 } else { 0.0 };
        let grid = SiteGrid::new(dims, 3).unwrap();
        let supercell = Supercell::new(std::array::from_fn(|i| std::array::from_fn(|j| if i == j { dims[i] as i64 } else { 0 })), 3).unwrap();
        let coefficients = hamiltonian.coefficients_ev.clone();
        let straight = |species: &[u8]| {
            let short = hamiltonian.reference_energy_ev(&coefficients, &grid, species);
            let charged = coulomb_energy_ev(&hamiltonian.lattice_angstrom, &hamiltonian.sites, &supercell, species).unwrap();
            short + hamiltonian.coulomb_coefficient * charged
        };
        let mut energy = SpeciesEnergy::new(&hamiltonian, &coefficients, hamiltonian.coulomb_coefficient, grid).unwrap();
        let mut species = random_species(&hamiltonian, grid.sites(), seed);
        energy.set(&species).unwrap();
        let scale = 1.0 + straight(&species).abs();
        prop_assert!((energy.energy_ev() - straight(&species)).abs() < 1e-9 * scale);
        for step in 0..12 {
            let other = random_species(&hamiltonian, grid.sites(), seed + 7 * step + 1);
            let a = (step as usize * 5 + 1) % grid.sites();
            let b = (step as usize * 11 + 3) % grid.sites();
            let before = straight(&species);
            let mut changed = species.clone();
            changed[a] = other[a];
            let want = straight(&changed) - before;
            prop_assert!((energy.delta_ev(a, other[a]) - want).abs() < 1e-9 * scale);
            if a != b {
                changed[b] = other[b];
                let want = straight(&changed) - before;
                let got = energy.delta_pair_ev((a, other[a]), (b, other[b]));
                prop_assert!((got - want).abs() < 1e-9 * scale, "{} {}", got, want);
                energy.change(b, other[b]);
            }
            energy.change(a, other[a]);
            species = changed;
            prop_assert!((energy.energy_ev() - straight(&species)).abs() < 1e-9 * scale);
        }
        prop_assert!(energy.recompute().abs() < 1e-9 * scale);
        prop_assert_eq!(energy.species(), &species[..]);
    }
}

#[test]
fn electrostatic_energies_are_those_of_the_positions() {
    let prim = rock_salt(SiteBasis::Spin).with_charges(charges(), true).unwrap();
    let hamiltonian = random_hamiltonian(&prim, &[], 0.1, 1);
    // A sheared cell of five.
    let supercell = Supercell::new([[2, 1, 0], [0, 1, 1], [-1, 0, 2]], 3).unwrap();
    let species = random_species(&hamiltonian, supercell.sites(), 4);
    let lattice = hamiltonian.lattice_angstrom;
    let mut positions = Vec::new();
    let mut held = Vec::new();
    for (index, s) in species.iter().enumerate() {
        let (cell, basis) = (supercell.cell(index / 3), index % 3);
        let fractional = hamiltonian.sites[basis].fractional;
        positions.push(row_times(std::array::from_fn(|i| fractional[i] + f64::from(cell[i])), &lattice));
        held.push(hamiltonian.sites[basis].charges[usize::from(*s)]);
    }
    let vectors = supercell.matrix().map(|row| row_times(row.map(|e| e as f64), &lattice));
    let straight = Ewald::new(&vectors).unwrap().energy_ev(&held, &positions);
    let got = coulomb_energy_ev(&lattice, &hamiltonian.sites, &supercell, &species).unwrap();
    assert!((got - straight).abs() < 1e-9 * straight.abs(), "{got} {straight}");
}
