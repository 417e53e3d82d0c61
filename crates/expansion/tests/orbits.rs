//! Orbits and fits: known multiplicities, the two-species case, and that no basis changes what a full expansion says.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use common::{FCC, charges, choices, random_hamiltonian, random_species, rock_salt};
use scalade_crystal::{MoyoFinder, NamedLattice, Structure};
use scalade_expansion::{
    ArrangedStructure, Prim, SiteBasis, correlations, coulomb_energy_ev, fit_species_expansion,
    function_orbits,
};
use scalade_handoff::{LatticeHamiltonian, SpeciesHamiltonian};
use scalade_lattice::{Arrangement, Column, Cutoffs, FitMethod, MappingSettings, SolveSettings, Supercell};
use scalade_numerics::Philox;

/// Multiplicities of decorated clusters: those of the undecorated ones (fcc: 6, 3, 12 pairs and 8 nearest triangles per site) times the assignments of
/// functions that symmetry does not join.
#[test]
fn multiplicities_of_three_species_on_fcc() {
    let sites = choices(NamedLattice::Fcc.vectors(), &[([0.0; 3], &["A", "B", "C"])]);
    let prim = Prim::new(sites, SiteBasis::Occupation, 1.0, &MoyoFinder, 1e-4).unwrap();
    let orbits = function_orbits(&prim, &Cutoffs(vec![1.8, 1.1])).unwrap();
    let of = |order: usize| -> Vec<usize> {
        orbits.iter().filter(|o| o.order == order).map(|o| o.terms.len()).collect()
    };
    assert_eq!(of(1), [1, 1]);
    let mut pairs = of(2);
    let (first, rest) = (pairs.drain(..3).collect::<Vec<_>>(), pairs);
    let sorted = |mut v: Vec<usize>| {
        v.sort_unstable();
        v
    };
    assert_eq!(sorted(first), [6, 6, 12]);
    assert_eq!(sorted(rest[..3].to_vec()), [3, 3, 6]);
    assert_eq!(sorted(rest[3..].to_vec()), [12, 12, 24]);
    assert_eq!(sorted(of(3)), [8, 8, 24, 24]);
    for orbit in &orbits {
        for term in &orbit.terms {
            assert!(term.iter().all(|f| f.function == 1 || f.function == 2));
        }
    }
}

/// Sites of one kind that symmetry joins, spectators between.
#[test]
fn two_species_have_the_orbits_of_the_binary_expansion() {
    let lattice = [[2.8, 0.0, 0.0], [-1.4, 2.424_871, 0.0], [0.0, 0.0, 4.9]];
    let spots = [[1.0 / 3.0, 2.0 / 3.0, 0.2], [2.0 / 3.0, 1.0 / 3.0, 0.8], [0.0, 0.0, 0.5]];
    let atoms = |third: &str| ["Li", "Li", third].map(String::from).to_vec();
    let structure = Structure::new(lattice, atoms("O"), spots.to_vec()).unwrap();
    let parent = scalade_lattice::Parent::new(&structure, "Li", 1.0, &MoyoFinder, 1e-3).unwrap();
    let cutoffs = Cutoffs(vec![5.0, 4.0, 3.5]);
    let binary = parent.sites.orbits(&cutoffs).unwrap();
    let two: [&str; 2] = ["Vac", "Li"];
    let sites = choices(lattice, &[(spots[0], &two), (spots[1], &two), (spots[2], &["O"])]);
    let prim = Prim::new(sites, SiteBasis::Sinusoid, 1.0, &MoyoFinder, 1e-3).unwrap();
    let orbits = function_orbits(&prim, &cutoffs).unwrap();
    assert_eq!(orbits.len(), binary.len());
    for (a, b) in orbits.iter().zip(&binary) {
        assert_eq!((a.order, a.terms.len()), (b.order, b.clusters.len()));
        assert!((a.diameter_angstrom - b.diameter_angstrom).abs() < 1e-9);
    }
    // The hand-off of one is that of the other.
    let mut rng = Philox::new(5, 0, 0);
    let coefficients_ev: Vec<f64> = (0..=binary.len()).map(|_| rng.normal()).collect();
    let hamiltonian = LatticeHamiltonian {
        lattice_angstrom: lattice,
        basis_fractional: parent.sites.sites_fractional.clone(),
        working_ion: "Li".into(),
        formula_units_per_cell: 1.0,
        orbits: binary.clone(),
        coefficients_ev,
        samples_ev: Vec::new(),
    };
    let converted = SpeciesHamiltonian::from(&hamiltonian);
    let supercell = Supercell::new([[2, 1, 0], [0, 2, 0], [1, 0, 2]], 2).unwrap();
    for seed in 0..8 {
        let species = random_species(&converted, supercell.sites(), seed);
        let occupied: Vec<bool> = species.iter().map(|s| *s == 1).collect();
        let want = scalade_lattice::correlations(&binary, &supercell, &occupied).unwrap();
        let got = correlations(&converted.orbits, &converted.sites, &supercell, &species).unwrap();
        assert!(got.iter().zip(&want).all(|(g, w)| (g - w).abs() < 1e-12));
    }
}

fn supercells() -> Vec<Supercell> {
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[2, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 1, 0], [0, 2, 0], [0, 0, 2]],
        [[2, 0, 1], [0, 2, 0], [0, 0, 2]],
        [[3, 0, 0], [1, 2, 0], [0, 0, 2]],
    ]
    .map(|m| Supercell::new(m, 3).unwrap())
    .to_vec()
}

fn data(hamiltonian: &SpeciesHamiltonian, count: u64) -> Vec<ArrangedStructure> {
    let cells = supercells();
    (0..count)
        .map(|n| {
            let supercell = cells[n as usize % cells.len()].clone();
            let species = random_species(hamiltonian, supercell.sites(), n + 1);
            let means = correlations(&hamiltonian.orbits, &hamiltonian.sites, &supercell, &species).unwrap();
            let mut per_cell = hamiltonian.coefficients_ev[0];
            for ((mean, orbit), c) in
                means.iter().zip(&hamiltonian.orbits).zip(&hamiltonian.coefficients_ev[1..])
            {
                per_cell += mean * orbit.terms.len() as f64 * c;
            }
            let charged =
                coulomb_energy_ev(&hamiltonian.lattice_angstrom, &hamiltonian.sites, &supercell, &species);
            let energy_ev =
                per_cell * supercell.cells() as f64 + hamiltonian.coulomb_coefficient * charged.unwrap();
            let arrangement = Arrangement {
                supercell,
                species,
                strain: 0.0,
                anchor_displacement_angstrom: 0.0,
                other_displacement_angstrom: 0.0,
            };
            ArrangedStructure { frame: n as usize, id: n.to_string(), arrangement, energy_ev }
        })
        .collect()
}

/// Energies of one expansion, fitted in each basis: least squares finds them again whatever the functions, and the permittivity with them.
#[test]
fn every_basis_spans_the_same_energies() {
    let made = rock_salt(SiteBasis::Spin).with_charges(charges(), true).unwrap();
    let mut truth = random_hamiltonian(&made, &[2.2], 0.2, 9);
    truth.coulomb_coefficient = 0.13;
    let structures = data(&truth, 120);
    for (name, basis) in SiteBasis::ALL {
        let prim = rock_salt(basis).with_charges(charges(), true).unwrap();
        let settings = SolveSettings { method: FitMethod::LeastSquares, folds: None, samples: 2, seed: 1 };
        let fit = fit_species_expansion(&prim, &structures, &Cutoffs(vec![2.2]), &settings).unwrap();
        assert!(fit.solution.training_rmse() < 1e-6, "{name} {}", fit.solution.training_rmse());
        assert!(fit.solution.leave_one_out_rmse() < 1e-5, "{name}");
        assert!((fit.hamiltonian.coulomb_coefficient - 0.13).abs() < 1e-6, "{name}");
        assert_eq!(fit.columns.last(), Some(&Column::Coulomb));
        if basis == SiteBasis::Spin {
            for (a, b) in fit.hamiltonian.coefficients_ev.iter().zip(&truth.coefficients_ev) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
        }
    }
}

#[test]
fn structures_are_found_again_where_they_were_put() {
    // No spectators: cations and anions both have choices, so that the origin comes from all atoms.
    let sites = choices(FCC, &[([0.0; 3], &["Vac", "Li", "Mn"]), ([0.5; 3], &["O", "F"])]);
    let prim = Prim::new(sites, SiteBasis::Spin, 1.0, &MoyoFinder, 1e-3).unwrap();
    let hamiltonian = random_hamiltonian(&prim, &[3.0, 3.0], 1.0, 2);
    let mut rng = Philox::new(3, 0, 0);
    for (n, matrix) in
        [[[2, 0, 0], [0, 2, 0], [0, 0, 2]], [[3, 0, 0], [0, 1, 1], [0, -1, 2]]].iter().enumerate()
    {
        let supercell = Supercell::new(*matrix, 2).unwrap();
        let species = random_species(&hamiltonian, supercell.sites(), n as u64 + 3);
        let vectors =
            matrix.map(|row: [i64; 3]| scalade_crystal::row_times(row.map(|e| e as f64 * 1.02), &FCC));
        let (mut names, mut positions) = (Vec::new(), Vec::new());
        for (index, s) in species.iter().enumerate() {
            let (cell, basis) = (supercell.cell(index / 2), index % 2);
            let site = &hamiltonian.sites[basis];
            if site.species[usize::from(*s)] == "Vac" {
                continue;
            }
            names.push(site.species[usize::from(*s)].clone());
            let at = std::array::from_fn(|i| site.fractional[i] + f64::from(cell[i]) + 0.3);
            let moved = scalade_crystal::row_times(at, &FCC).map(|v| 1.02 * v + 0.1 * rng.normal());
            positions.push(moved);
        }
        let structure = Structure::from_cartesian(vectors, names, &positions).unwrap();
        let found = prim.choices().place(&structure, &MappingSettings::default()).unwrap();
        let means = |arrangement: (&Supercell, &[u8])| {
            correlations(&hamiltonian.orbits, &hamiltonian.sites, arrangement.0, arrangement.1).unwrap()
        };
        let (got, want) = (means((&found.supercell, &found.species)), means((&supercell, &species)));
        for (g, w) in got.iter().zip(&want) {
            assert!((g - w).abs() < 1e-9, "{g} {w}");
        }
        assert!((found.strain - 0.02).abs() < 1e-9);
    }
}

#[test]
fn hostile_cells_are_refused() {
    let prim = |sites: &[([f64; 3], &[&str])], units: f64| {
        Prim::new(choices(FCC, sites), SiteBasis::Spin, units, &MoyoFinder, 1e-3)
    };
    let good: &[&str] = &["A", "B"];
    assert!(prim(&[([0.0; 3], good)], 1.0).is_ok());
    assert!(prim(&[([0.0; 3], good)], 0.0).is_err());
    assert!(prim(&[([0.0; 3], &["A"])], 1.0).is_err());
    assert!(prim(&[([0.0; 3], &["A", "A"])], 1.0).is_err());
    assert!(prim(&[([0.0; 3], &[])], 1.0).is_err());
    let double = [[2.1, 2.1, 0.0], [2.1, -2.1, 0.0], [0.0, 0.0, 4.2]];
    let both = choices(double, &[([0.0; 3], good), ([0.5; 3], good)]);
    let refused = Prim::new(both, SiteBasis::Spin, 1.0, &MoyoFinder, 1e-3).unwrap_err();
    assert!(refused.to_string().contains("2 primitive cells"), "{refused}");
    assert!(prim(&[([0.0; 3], good)], 1.0).unwrap().with_charges([].into(), true).is_err());
}
