//! Hops whose activation is a local cluster expansion.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use scalade_crystal::{LatticeSite, SiteGrid, SymmetryOperation};
use scalade_handoff::local_expansion::stabiliser;
use scalade_handoff::{
    FunctionOrbit, LatticeEnergy, LatticeHamiltonian, LocalExpansion, Parity, SiteFactor, SiteMap,
    SpeciesChange, SpeciesSite,
};
use scalade_hopping::synthetic::{PairEnergy, lattice_gas};
use scalade_hopping::{
    Budget, Engine, EventKind, FastEngine, Follow, GridNetwork, HopNetwork, KraModel, RateParameters,
    Tracked, TransportRequest, audit_detailed_balance, bond_rate, exact_transport, random_occupation,
    transport_point,
};
use scalade_numerics::Philox;
use std::collections::BTreeSet;

fn site(cell: [i32; 3]) -> LatticeSite {
    LatticeSite { cell, basis: 0 }
}

/// The rotations of a cube.
fn cube() -> Vec<SymmetryOperation> {
    let mut out = Vec::new();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for signs in 0..8 {
            let mut rotation = [[0; 3]; 3];
            for (row, axis) in rotation.iter_mut().zip(order) {
                row[axis] = if signs >> axis & 1 == 0 { 1 } else { -1 };
            }
            out.push(SymmetryOperation { rotation, ..SymmetryOperation::IDENTITY });
        }
    }
    out
}

/// A hop along `step` of a simple cubic lattice, with clusters generated from seeds (without and with an ion's function), coefficients of the means, eV.
fn expansion(step: [i32; 3], seeds: &[(&[[i32; 3]], f64)], constant_ev: f64) -> LocalExpansion {
    let sites = vec![SpeciesSite {
        fractional: [0.0; 3],
        species: vec!["Vac".into(), "Li".into()],
        // No spin: a function with a mean and a slope.
        functions: vec![vec![0.3, 1.1]],
        charges: Vec::new(),
    }];
    let lattice = [[2.5, 0.0, 0.0], [0.0, 2.5, 0.0], [0.0, 0.0, 2.5]];
    let event = vec![
        SpeciesChange { site: site([0; 3]), before: 1, after: 0 },
        SpeciesChange { site: site(step), before: 0, after: 1 },
    ];
    let operations = cube();
    let maps: Vec<SiteMap> =
        operations.iter().map(|o| SiteMap::new(&lattice, &[[0.0; 3]], o, 1e-3).unwrap()).collect();
    let group = stabiliser(&maps, &event, Parity::Even);
    let orbits = seeds
        .iter()
        .map(|(cells, _)| {
            let seed: Vec<SiteFactor> =
                cells.iter().map(|c| SiteFactor { site: site(*c), function: 1 }).collect();
            let images: BTreeSet<Vec<SiteFactor>> = group
                .iter()
                .map(|m| {
                    let mut image = m.term_image(&seed);
                    image.sort_unstable();
                    image
                })
                .collect();
            FunctionOrbit { order: cells.len(), diameter_angstrom: 1.0, terms: images.into_iter().collect() }
        })
        .collect();
    let mut coefficients_ev = vec![constant_ev];
    coefficients_ev.extend(seeds.iter().map(|s| s.1));
    let out = LocalExpansion {
        lattice_angstrom: lattice,
        sites,
        operations,
        tolerance_angstrom: 1e-3,
        event,
        parity: Parity::Even,
        orbits,
        coefficients_ev,
        samples_ev: Vec::new(),
        attempt_frequency: None,
    };
    out.check().unwrap();
    out
}

/// Two kinds of hops: along the edges, with 26 sites around, and along face diagonals.
fn two_kinds() -> [LocalExpansion; 2] {
    let edges = expansion(
        [1, 0, 0],
        &[
            (&[[0, 1, 0]], 0.05),
            (&[[2, 0, 0]], -0.03),
            (&[[0, 1, 1]], 0.02),
            (&[[2, 1, 0]], 0.012),
            (&[[0, 1, 0], [1, 1, 0]], 0.03),
            (&[[0, 1, 0], [0, 0, 1], [1, 0, -1]], -0.02),
        ],
        0.35,
    );
    let diagonals = expansion([1, 1, 0], &[(&[[1, 0, 0]], 0.04), (&[[1, 0, 0], [0, 1, 0]], 0.06)], 0.45);
    [edges, diagonals]
}

fn energies() -> LatticeHamiltonian {
    let pairs = [
        PairEnergy { distance_angstrom: 2.5, energy_ev: 0.03 },
        PairEnergy { distance_angstrom: 2.5 * 2f64.sqrt(), energy_ev: -0.01 },
    ];
    lattice_gas([[2.5, 0.0, 0.0], [0.0, 2.5, 0.0], [0.0, 0.0, 2.5]], &pairs).unwrap()
}

fn network(kinds: &[LocalExpansion], dims: [usize; 3]) -> GridNetwork {
    network_with(kinds, &[None, None], dims)
}

fn network_with(
    kinds: &[LocalExpansion],
    ln_attempts: &[Option<Vec<f64>>; 2],
    dims: [usize; 3],
) -> GridNetwork {
    let kinds: Vec<EventKind<'_>> = kinds
        .iter()
        .zip([1.0, 0.4])
        .zip(ln_attempts)
        .map(|((e, attempts), ln_attempts)| EventKind {
            expansion: e,
            coefficients_ev: &e.coefficients_ev,
            attempts,
            ln_attempts: ln_attempts.as_deref(),
        })
        .collect();
    let h = energies();
    let network = HopNetwork::from_events(h.lattice_angstrom, h.basis_fractional, &kinds).unwrap();
    GridNetwork::new(network, SiteGrid::new(dims, 1).unwrap()).unwrap()
}

/// All that acts: the laws add nothing.
fn nothing() -> KraModel {
    KraModel::uniform(0.0)
}

const WARM: RateParameters = RateParameters { temperature_k: 500.0, prefactor_hz: 1e13 };

#[test]
fn activations_are_those_of_the_expansion() {
    let kinds = two_kinds();
    let grid = network(&kinds, [5, 4, 6]);
    assert_eq!(grid.types(), 3 + 6);
    let occupied = random_occupation(120, 55, &mut Philox::new(4, 0, 0)).unwrap();
    let mut compared = 0;
    for (kind, expansion) in kinds.iter().enumerate() {
        for event in expansion.events().unwrap() {
            for cell in 0..grid.grid().cells() {
                let at = grid.grid().site(cell).cell;
                let moved =
                    |s: LatticeSite| LatticeSite { cell: std::array::from_fn(|a| s.cell[a] + at[a]), ..s };
                let species = |s: LatticeSite| usize::from(occupied[grid.grid().index(moved(s))]);
                let want = event.value_ev(&expansion.sites, &expansion.coefficients_ev, species);
                let ends = event.changes.iter().map(|c| grid.grid().index(moved(c.site)) as u32);
                let ends: BTreeSet<u32> = ends.collect();
                let bond =
                    grid.ends().iter().position(|e| e.iter().copied().collect::<BTreeSet<u32>>() == ends);
                let got = grid.own_activation_ev(bond.unwrap(), |s| occupied[s]);
                assert!((got - want).abs() < 1e-13, "kind {kind} cell {cell}: {got} {want}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, grid.ends().len());
}

#[test]
fn rates_of_the_fast_engine_equal_the_reference_along_a_trajectory() {
    let (kinds, h) = (two_kinds(), energies());
    let mut without_barrier = 0;
    for (dims, lower_ev) in [([4, 4, 4], 0.0), ([5, 4, 6], 0.38)] {
        let mut kinds = kinds.clone();
        for kind in &mut kinds {
            // Low enough that some hops have no barrier of their own.
            kind.coefficients_ev[0] -= lower_ev;
        }
        let grid = network(&kinds, dims);
        let sites = grid.grid().sites();
        for share in [0.2, 0.5, 0.9] {
            let start =
                random_occupation(sites, (share * sites as f64) as usize, &mut Philox::new(1, 2, 3)).unwrap();
            let rng = Philox::new(5, 0, 0);
            let mut fast =
                FastEngine::new(&grid, &h, &h.coefficients_ev, &nothing(), &WARM, &start, rng).unwrap();
            for _ in 0..20 {
                let bonds = grid.network().directed();
                let mut energy = LatticeEnergy::new(&h, &h.coefficients_ev, *grid.grid(), &bonds).unwrap();
                energy.set_occupation(&fast.occupation()).unwrap();
                for (bond, got) in fast.rates_hz().iter().enumerate() {
                    let want = bond_rate(&grid, &energy, &nothing(), &WARM, bond).map_or(0.0, |r| r.2);
                    assert!((got - want).abs() <= 1e-9 * want, "share {share} bond {bond}: {got:e} {want:e}");
                }
                fast.run_hops(50).unwrap();
            }
            assert!(fast.resync().unwrap() < 1e-10);
            without_barrier += fast.trajectory().without_barrier;
            let trajectory = fast.trajectory();
            assert!(trajectory.activation_sum_ev / trajectory.events() as f64 > 0.0);
        }
    }
    assert!(without_barrier > 0, "the rule for missing barriers was never met");
}

/// Coefficients of the logarithms of attempt frequencies, for both kinds.
fn frequencies() -> [Option<Vec<f64>>; 2] {
    [Some(vec![0.3, 0.6, -0.9, 0.4, 1.1, -0.5, 0.8]), Some(vec![-0.2, 0.7, -1.2])]
}

/// Frequencies of the surroundings by straight summation over the events, and the rates of the fast engine with them: those of patterns, of sites beyond, and
/// under the rule for missing barriers, in which they take no part.
#[test]
fn rates_have_the_frequencies_of_their_surroundings() {
    let h = energies();
    let mut without_barrier = 0;
    for lower_ev in [0.0, 0.38] {
        let mut kinds = two_kinds();
        for kind in &mut kinds {
            kind.coefficients_ev[0] -= lower_ev;
        }
        let grid = network_with(&kinds, &frequencies(), [5, 4, 6]);
        let start = random_occupation(120, 60, &mut Philox::new(1, 2, 3)).unwrap();
        let rng = Philox::new(5, 0, 0);
        let mut fast =
            FastEngine::new(&grid, &h, &h.coefficients_ev, &nothing(), &WARM, &start, rng).unwrap();
        for _ in 0..10 {
            let occupied = fast.occupation();
            let mut energy =
                LatticeEnergy::new(&h, &h.coefficients_ev, *grid.grid(), &grid.network().directed()).unwrap();
            energy.set_occupation(&occupied).unwrap();
            let rates = fast.rates_hz();
            let mut compared = 0;
            for ((expansion, own), attempts) in kinds.iter().zip(frequencies()).zip([1.0, 0.4]) {
                for event in expansion.events().unwrap() {
                    for cell in 0..grid.grid().cells() {
                        let at = grid.grid().site(cell).cell;
                        let index = |s: LatticeSite| {
                            let cell = std::array::from_fn(|a| s.cell[a] + at[a]);
                            grid.grid().index(LatticeSite { cell, ..s })
                        };
                        let species = |s: LatticeSite| usize::from(occupied[index(s)]);
                        let sum = |c: &[f64]| event.value_ev(&expansion.sites, c, species);
                        let ends: BTreeSet<u32> =
                            event.changes.iter().map(|c| index(c.site) as u32).collect();
                        let same = |e: &[u32; 2]| e.iter().copied().collect::<BTreeSet<u32>>() == ends;
                        let bond = grid.ends().iter().position(same).unwrap();
                        let Some((.., delta)) = bond_rate(&grid, &energy, &nothing(), &WARM, bond) else {
                            assert_eq!(rates[bond], 0.0);
                            continue;
                        };
                        let barrier = (sum(&expansion.coefficients_ev) + 0.5 * delta).max(delta).max(0.0);
                        let frequency = 1e13 * attempts * sum(own.as_ref().unwrap()).exp();
                        let want = frequency * (-barrier / WARM.thermal_energy_ev()).exp();
                        let got = rates[bond];
                        assert!((got / want - 1.0).abs() < 1e-9, "bond {bond}: {got:e} {want:e}");
                        compared += 1;
                    }
                }
            }
            assert!(compared > 100);
            fast.run_hops(50).unwrap();
        }
        assert!(fast.resync().unwrap() < 1e-10);
        without_barrier += fast.trajectory().without_barrier;
        let gap = audit_detailed_balance(
            &grid,
            &{
                let mut energy =
                    LatticeEnergy::new(&h, &h.coefficients_ev, *grid.grid(), &grid.network().directed())
                        .unwrap();
                energy.set_occupation(&fast.occupation()).unwrap();
                energy
            },
            &nothing(),
            &WARM,
            200,
            &mut Philox::new(2, 2, 2),
        )
        .unwrap();
        assert!(gap < 1e-10, "{gap}");
    }
    assert!(without_barrier > 0, "the rule for missing barriers was never met");
    let wild = [Some(vec![0.3, 600.0, -0.9, 0.4, 1.1, -0.5, 0.8]), None];
    let of = |(expansion, ln): (_, &'_ Option<Vec<f64>>)| -> String {
        let expansion: &LocalExpansion = expansion;
        let kinds = [EventKind {
            expansion,
            coefficients_ev: &expansion.coefficients_ev,
            attempts: 1.0,
            ln_attempts: ln.as_deref(),
        }];
        HopNetwork::from_events(h.lattice_angstrom, vec![[0.0; 3]], &kinds).unwrap_err().to_string()
    };
    let [edges, _] = two_kinds();
    assert!(of((&edges, &wild[0])).contains("attempt frequencies in different surroundings"));
    assert!(of((&edges, &Some(vec![0.1]))).contains("coefficients"));
}

/// Mean activation of hops as the engine tells it, against the one summed over the bonds in each state.
#[test]
fn activations_told_are_those_of_the_hops_made() {
    let (kinds, h) = (two_kinds(), energies());
    // Attempt frequencies are no part of them.
    for own in [[None, None], frequencies()] {
        told_activations(&network_with(&kinds, &own, [4, 4, 4]), &h);
    }
}

fn told_activations(grid: &GridNetwork, h: &LatticeHamiltonian) {
    let start = random_occupation(64, 30, &mut Philox::new(1, 2, 3)).unwrap();
    let rng = Philox::new(6, 0, 0);
    let mut fast = FastEngine::new(grid, h, &h.coefficients_ev, &nothing(), &WARM, &start, rng).unwrap();
    let mut energy =
        LatticeEnergy::new(h, &h.coefficients_ev, *grid.grid(), &grid.network().directed()).unwrap();
    energy.set_occupation(&start).unwrap();
    let mut sum = 0.0;
    for _ in 0..300 {
        let before = fast.occupation();
        fast.run_hops(1).unwrap();
        let after = fast.occupation();
        let moved: Vec<u32> = (0..64u32).filter(|s| before[*s as usize] != after[*s as usize]).collect();
        let bond = grid.ends().iter().position(|e| e.iter().all(|s| moved.contains(s))).unwrap();
        energy.set_occupation(&before).unwrap();
        let (.., local, delta) = bond_rate(grid, &energy, &nothing(), &WARM, bond).unwrap();
        sum += local.kra_ev.max(0.5 * delta.abs());
    }
    let told = fast.trajectory().activation_sum_ev;
    assert!((told - sum).abs() < 1e-9 * sum, "{told} {sum}");
}

#[test]
fn sampled_and_exact_transport_agree() {
    let (kinds, h) = (two_kinds(), energies());
    let grid = network(&kinds, [3, 3, 3]);
    for ions in [3, 24] {
        let [one, all] = [Follow::One, Follow::All].map(|follow| {
            exact_transport(&grid, &h, &h.coefficients_ev, &nothing(), &WARM, ions, follow)
                .unwrap()
                .diffusivity
        });
        let request = TransportRequest {
            network: &grid,
            hamiltonian: &h,
            coefficients_ev: &h.coefficients_ev,
            model: nothing(),
            parameters: WARM,
            x: ions as f64 / 27.0,
            budget: Budget {
                hops: 2_000_000,
                replicas: 16,
                blocks_per_replica: 4,
                equilibration_sweeps: 100,
            },
            seed: 11,
            stream: 0,
        };
        let found = transport_point(&request, &()).unwrap();
        for (what, sampled, exact) in [("tracer", &found.tracer, one), ("jump", &found.jump, all)] {
            let tensor = sampled.tensor().unwrap();
            let trace = |m: &[[f64; 3]; 3]| m[0][0] + m[1][1] + m[2][2];
            let (got, want) = (trace(&tensor.value_m2_s) * 1e20, trace(&exact));
            let variance: f64 = (0..3).map(|a| (tensor.std_m2_s[a][a] * 1e20).powi(2)).sum();
            let z = (got - want) / variance.sqrt();
            println!("{ions} {what}: {got:e} {want:e} z = {z:.2}");
            assert!(
                z.abs() < 4.0 && variance.sqrt() < 0.02 * want,
                "{ions} {what}: {got:e} {want:e} z = {z:.2}"
            );
        }
    }
}

#[test]
fn a_wider_local_expansion_needs_a_wider_box() {
    let grid = network(&two_kinds(), [4, 4, 4]);
    for dims in [[4, 4, 1], [4, 2, 4]] {
        assert!(
            GridNetwork::new(grid.network().clone(), SiteGrid::new(dims, 1).unwrap()).is_err(),
            "{dims:?}"
        );
    }
}

#[test]
fn events_that_a_lattice_of_ions_cannot_have_are_named() {
    let h = energies();
    let said = |lattice: [[f64; 3]; 3], basis: Vec<[f64; 3]>, kinds: &[&LocalExpansion]| {
        let kinds: Vec<EventKind<'_>> = kinds
            .iter()
            .map(|e| EventKind {
                expansion: e,
                coefficients_ev: &e.coefficients_ev,
                attempts: 1.0,
                ln_attempts: None,
            })
            .collect();
        HopNetwork::from_events(lattice, basis, &kinds).unwrap_err().to_string()
    };
    let [edges, _] = two_kinds();
    let wider = h.lattice_angstrom.map(|row| row.map(|v| 1.01 * v));
    assert!(said(wider, vec![[0.0; 3]], &[&edges]).contains("0.0250 angstrom"));
    assert!(said(h.lattice_angstrom, vec![[0.5; 3]], &[&edges]).contains("none of the sites"));
    assert!(said(h.lattice_angstrom, vec![[0.0; 3]], &[&edges, &edges]).contains("join the same sites"));
    let mut third = edges.clone();
    third.sites[0].species.push("Na".into());
    third.sites[0].functions = vec![vec![0.3, 1.1, 0.2], vec![1.0, 0.0, 2.0]];
    assert!(said(h.lattice_angstrom, vec![[0.0; 3]], &[&third]).contains("Vac, Li, Na"));
    let mut born = edges.clone();
    born.event[1] = SpeciesChange { before: 1, after: 0, ..born.event[1] };
    born.orbits.clear();
    born.coefficients_ev.truncate(1);
    assert!(said(h.lattice_angstrom, vec![[0.0; 3]], &[&born]).contains("number of ions would change"));
    let attempts = [EventKind {
        expansion: &edges,
        coefficients_ev: &edges.coefficients_ev,
        attempts: f64::NAN,
        ln_attempts: None,
    }];
    assert!(HopNetwork::from_events(h.lattice_angstrom, vec![[0.0; 3]], &attempts).is_err());
    let few = [EventKind { expansion: &edges, coefficients_ev: &[0.1], attempts: 1.0, ln_attempts: None }];
    assert!(HopNetwork::from_events(h.lattice_angstrom, vec![[0.0; 3]], &few).is_err());
}

#[test]
fn networks_know_where_ions_can_go() {
    let cubic = |edges: [f64; 3]| {
        let lattice = [[edges[0], 0.0, 0.0], [0.0, edges[1], 0.0], [0.0, 0.0, edges[2]]];
        HopNetwork::from_lattice(lattice, vec![[0.0; 3]], scalade_hopping::HopShell::Nearest)
            .unwrap()
            .span()
            .len()
    };
    assert_eq!([cubic([2.0; 3]), cubic([2.0, 2.0, 5.0]), cubic([2.0, 5.0, 5.0])], [3, 2, 1]);
    // Pairs of sites apart from each other: nobody gets anywhere.
    let lattice = [[5.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 5.0]];
    let pairs = HopNetwork::from_lattice(
        lattice,
        vec![[0.0; 3], [0.3, 0.0, 0.0]],
        scalade_hopping::HopShell::Nearest,
    );
    assert!(pairs.unwrap().span().is_empty());
    // A zigzag: one direction only, along its lattice vector.
    let zigzag = HopNetwork::from_lattice(
        [[3.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]],
        vec![[0.0; 3], [0.5, 0.1, 0.0]],
        scalade_hopping::HopShell::Nearest,
    );
    let span = zigzag.unwrap().span();
    assert_eq!(span.len(), 1);
    assert!((span[0][0].abs() - 1.0).abs() < 1e-12 && span[0][1].abs() < 1e-12);
}
