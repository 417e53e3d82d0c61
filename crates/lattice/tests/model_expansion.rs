//! The heat bath of cluster expansions with terms of any order against exact sums.
#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

use proptest::prelude::*;
use scalade_crystal::{LatticeSite, SiteGrid};
use scalade_handoff::{ClusterOrbit, LatticeEnergy, LatticeHamiltonian};
use scalade_lattice::Estimate;
use scalade_lattice::exact::Enumeration;
use scalade_lattice::model::exact::Levels;
use scalade_lattice::model::{Condition, Counted, Multispin, RunSettings, SpinExpansion, sample_counted};

fn site(i: i32, j: i32, basis: usize) -> LatticeSite {
    LatticeSite { cell: [i, j, 0], basis }
}

/// An expansion with an orbit for every list of clusters.
fn expansion(basis: usize, orbits: Vec<(f64, Vec<Vec<LatticeSite>>)>) -> LatticeHamiltonian {
    let mut coefficients_ev = vec![0.37];
    coefficients_ev.extend(orbits.iter().map(|o| o.0));
    LatticeHamiltonian {
        lattice_angstrom: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        basis_fractional: (0..basis).map(|b| [b as f64 / basis as f64, 0.0, 0.0]).collect(),
        working_ion: "Li".into(),
        formula_units_per_cell: 1.0,
        orbits: orbits
            .into_iter()
            .map(|(_, clusters)| ClusterOrbit { order: clusters[0].len(), diameter_angstrom: 1.0, clusters })
            .collect(),
        coefficients_ev,
        samples_ev: Vec::new(),
    }
}

/// Pairs, a triplet and a quadruplet on a square lattice: few counts, so a table of all of them.
fn square() -> LatticeHamiltonian {
    let [o, x, y, xy] = [site(0, 0, 0), site(1, 0, 0), site(0, 1, 0), site(1, 1, 0)];
    expansion(
        1,
        vec![
            (0.21, vec![vec![o]]),
            (-0.30, vec![vec![o, x], vec![o, y]]),
            (0.17, vec![vec![o, x, y], vec![xy, x, y], vec![o, x, xy], vec![o, y, xy]]),
            (-0.11, vec![vec![o, x, y, xy]]),
            (0.05, vec![vec![x, o, site(-1, 0, 0)]]),
        ],
    )
}

/// Two sublattices with every cluster an orbit of its own: many counts, so sums over tables.
fn two_sublattices() -> LatticeHamiltonian {
    let [a, b] = [site(0, 0, 0), site(0, 0, 1)];
    let mut orbits = vec![(0.1, vec![vec![a]]), (-0.2, vec![vec![b]])];
    let ends = [site(1, 0, 0), site(0, 1, 0), site(1, 0, 1), site(0, 1, 1), site(1, 1, 0), site(1, 2, 1)];
    for (n, end) in ends.into_iter().enumerate() {
        let strength = 0.05 * (n as f64 - 2.3);
        orbits.push((strength, vec![vec![a, end]]));
        orbits.push((0.4 * strength, vec![vec![b, end, site(0, 2, 0)]]));
        orbits.push((-0.3 * strength, vec![vec![a, b, end, site(2, 0, 1)]]));
    }
    expansion(2, orbits)
}

fn close(what: &str, got: Estimate, want: f64, largest: f64) {
    assert!(got.error < largest, "{what}: sigma {} is not below {largest}", got.error);
    let z = (got.value - want) / got.error;
    assert!(z.abs() < 4.0, "{what}: {} +- {} against {want}, z = {z}", got.value, got.error);
}

#[test]
fn the_heat_bath_of_an_expansion_has_its_exact_averages() {
    for (model, dims) in [(square(), [5, 4, 1]), (two_sublattices(), [3, 3, 1])] {
        let grid = SiteGrid::new(dims, model.basis_fractional.len()).unwrap();
        let energy = LatticeEnergy::new(&model, &model.coefficients_ev, grid, &[]).unwrap();
        let levels = Levels::of_states(grid.sites(), Enumeration::new(energy).unwrap().states());
        let counted = SpinExpansion::new(&model, &model.coefficients_ev, grid).unwrap().unwrap();
        let conditions: Vec<Condition> = [(1.0, 0.4), (1.4, -0.3), (2.5, 0.0)]
            .iter()
            .map(|(kt, mu)| Condition { kt: *kt, mu: *mu })
            .collect();
        for replica_exchange in [false, true] {
            let settings =
                RunSettings { precision: 4e-4, seed: 11, replica_exchange, ..RunSettings::default() };
            let points = sample_counted(&counted, &conditions, &settings).unwrap();
            for (condition, point) in conditions.iter().zip(&points) {
                assert!(point.converged);
                let exact = levels.at(condition.kt, condition.mu);
                close("energy", point.summary.energy, exact.energy, 4e-4);
                close("concentration", point.summary.concentration, exact.concentration, 1e-3);
                close("variance", point.summary.variance, exact.variance, 2e-2);
                close("heat capacity", point.summary.heat_capacity, exact.heat_capacity, 3e-2);
            }
        }
    }
}

#[test]
fn boxes_in_which_a_cluster_meets_itself_are_left_to_the_slow_kernel() {
    let model = square();
    let coefficients = &model.coefficients_ev;
    for (dims, suits) in [([3, 2, 1], true), ([2, 3, 1], false), ([4, 1, 1], false)] {
        // {(-1,0), (0,0), (1,0)} holds a site twice where the box is two cells wide.
        let grid = SiteGrid::new(dims, 1).unwrap();
        assert_eq!(SpinExpansion::new(&model, coefficients, grid).unwrap().is_some(), suits, "{dims:?}");
    }
    let grid = SiteGrid::new([3, 3, 1], 1).unwrap();
    assert!(SpinExpansion::new(&model, &coefficients[1..], grid).is_err());
    assert!(SpinExpansion::new(&two_sublattices(), &two_sublattices().coefficients_ev, grid).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Uniform lanes have the energies of the empty and the full box, whatever the terms; and a sweep at low temperature never leaves lanes
    /// whose energy the straight sum does not know.
    #[test]
    fn energies_of_uniform_boxes(
        coefficients in prop::collection::vec(-1.0f64..1.0, 21),
        dims in [3usize..7, 3usize..9],
    ) {
        let model = two_sublattices();
        let grid = SiteGrid::new([dims[0], dims[1], 1], 2).unwrap();
        let counted = SpinExpansion::new(&model, &coefficients, grid).unwrap().unwrap();
        prop_assert!(Multispin::suits(&counted));
        let mut kernel = Multispin::new(&counted, 1, 7, 0, 0).unwrap();
        for (word, full) in [(0u64, false), (!0, true)] {
            kernel.fill(word);
            let mut observed = Vec::new();
            kernel.observe(&mut observed);
            let want = model.reference_energy_ev(&coefficients, &grid, &vec![full; grid.sites()]);
            for lane in &observed {
                prop_assert!((lane.energy - want).abs() < 1e-9 * grid.sites() as f64);
                prop_assert_eq!(lane.occupied, if full { grid.sites() as f64 } else { 0.0 });
            }
        }
        // The gap is the energy difference of one site in the empty and the full box.
        for b in 0..2 {
            let around = counted.coordination(b);
            let alone = |full: bool| {
                let mut state = vec![full; grid.sites()];
                state[b] = true;
                let occupied = model.reference_energy_ev(&coefficients, &grid, &state);
                state[b] = false;
                occupied - model.reference_energy_ev(&coefficients, &grid, &state)
            };
            let full = counted.gap(b, &around);
            prop_assert!((full - alone(true)).abs() < 1e-9);
            // Of the other sites of a cluster all are vacant: the product is +1 if their number is even.
            let mut counts = vec![0; around.len()];
            for (class, others) in counted.through(b) {
                counts[class] += usize::from(others.len() % 2 == 0);
            }
            prop_assert!((counted.gap(b, &counts) - alone(false)).abs() < 1e-9);
        }
    }
}
