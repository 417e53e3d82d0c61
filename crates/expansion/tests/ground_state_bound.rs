//! Bounds on ground states against what is known exactly.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

use scalade_crystal::{LatticeSite, NamedLattice};
use scalade_expansion::{BoundSettings, GroundStateBound};
use scalade_handoff::{FunctionOrbit, SiteFactor, SpeciesHamiltonian, SpeciesSite};
use std::collections::BTreeMap;

/// Spins on a lattice with given pairs: (cell offsets, energy).
fn spins(lattice: NamedLattice, shells: &[(&[[i32; 3]], f64)]) -> SpeciesHamiltonian {
    let factor = |cell| SiteFactor { site: LatticeSite { cell, basis: 0 }, function: 1 };
    let orbit = |cells: &[[i32; 3]]| FunctionOrbit {
        order: 2,
        diameter_angstrom: 1.0,
        terms: cells.iter().map(|c| vec![factor([0; 3]), factor(*c)]).collect(),
    };
    SpeciesHamiltonian {
        lattice_angstrom: lattice.vectors(),
        sites: vec![SpeciesSite {
            fractional: [0.0; 3],
            species: vec!["A".into(), "B".into()],
            functions: vec![vec![-1.0, 1.0]],
            charges: Vec::new(),
        }],
        formula_units_per_cell: 1.0,
        orbits: shells.iter().map(|s| orbit(s.0)).collect(),
        coefficients_ev: std::iter::once(0.0).chain(shells.iter().map(|s| s.1)).collect(),
        coulomb_coefficient: 0.0,
        samples_ev: Vec::new(),
    }
}

const SQUARE: [[i32; 3]; 2] = [[1, 0, 0], [0, 1, 0]];
const DIAGONAL: [[i32; 3]; 2] = [[1, 1, 0], [1, -1, 0]];
const TRIANGLE: [[i32; 3]; 3] = [[1, 0, 0], [0, 1, 0], [1, -1, 0]];

fn bound(hamiltonian: &SpeciesHamiltonian, mu: f64, known: f64, sites: usize) -> f64 {
    let settings = BoundSettings { most_sites: sites, ..BoundSettings::default() };
    let mus: BTreeMap<String, f64> = [("B".to_string(), mu)].into();
    let found = GroundStateBound::new(hamiltonian, settings).unwrap().at(&mus, known).unwrap();
    assert!(found.bound_ev <= known + 1e-9);
    found.bound_ev
}

/// Ground states of spins with J1 and J2 on the square lattice: -2 |J1| + 2 J2, or stripes at -2 J2.
#[test]
fn square_lattice_with_two_shells() {
    for (j1, j2) in [(1.0, 0.3), (1.0, 0.8), (-1.0, 0.2), (-1.0, 0.9)] {
        let hamiltonian = spins(NamedLattice::Square, &[(&SQUARE, j1), (&DIAGONAL, j2)]);
        let exact = f64::min(-2.0 * f64::abs(j1) + 2.0 * j2, -2.0 * j2);
        let found = bound(&hamiltonian, 0.0, exact, 9);
        assert!((found - exact).abs() < 1e-6, "{j1} {j2}: {found} {exact}");
    }
}

/// The frustrated triangle has -J per site, which the motif of a triangle proves; a motif of one bond could not.
#[test]
fn triangular_antiferromagnet() {
    let hamiltonian = spins(NamedLattice::Triangular, &[(&TRIANGLE, 1.0)]);
    let found = bound(&hamiltonian, 0.0, -1.0, 9);
    assert!((found + 1.0).abs() < 1e-6, "{found}");
    // In a field the sqrt(3) x sqrt(3) order: one spin of three down; E - mu N = -1 - mu (2/3) for 0 < mu < 12.
    let found = bound(&hamiltonian, 5.0, -1.0 - 10.0 / 3.0, 9);
    assert!((found + 1.0 + 10.0 / 3.0).abs() < 1e-6, "{found}");
}

/// Bounds that are not exact are still bounds: never above the energy of any arrangement, and they rise with the motif.
#[test]
fn larger_motifs_bound_no_worse() {
    let hamiltonian =
        spins(NamedLattice::Triangular, &[(&TRIANGLE, 1.0), (&[[1, 1, 0], [2, -1, 0], [1, -2, 0]], 0.37)]);
    // Collinear stripes: two neighbours alike, four unlike; of the second shell two alike and four unlike.
    let stripes = -1.0 - 0.37;
    let mut last = f64::NEG_INFINITY;
    for sites in [9, 12, 16] {
        let found = bound(&hamiltonian, 0.0, stripes, sites);
        assert!(found >= last - 1e-7, "{sites}: {found} {last}");
        last = found;
    }
    assert!(last > stripes - 0.1, "{last} {stripes}");
}

#[test]
fn what_no_motif_holds_is_refused() {
    let far = spins(NamedLattice::Square, &[(&[[9, 9, 0]], 1.0)]);
    assert!(GroundStateBound::new(&far, BoundSettings::default()).is_err());
    let mut charged = spins(NamedLattice::Square, &[(&SQUARE, 1.0)]);
    charged.sites[0].charges = vec![1.0, -1.0];
    charged.coulomb_coefficient = 0.1;
    assert!(GroundStateBound::new(&charged, BoundSettings::default()).is_err());
}
