//! The two engines follow the same law.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use scalade_crystal::{LatticeSite, SiteGrid};
use scalade_handoff::{ClusterOrbit, LatticeEnergy, LatticeHamiltonian};
use scalade_hopping::synthetic::{PairEnergy, lattice_gas, layered_host};
use scalade_hopping::{
    Attempt, BarrierLaw, Engine, FastEngine, GridNetwork, HopNetwork, HopShell, KraModel, Paths,
    RateParameters, ReferenceEngine, Tracked, audit_detailed_balance, random_occupation,
};
use scalade_numerics::Philox;

fn layered_barriers() -> KraModel {
    KraModel {
        odh: BarrierLaw { intercept_ev: 0.40, slope_ev: 0.018 },
        tsh: BarrierLaw { intercept_ev: 0.29, slope_ev: -0.011 },
        paths: Paths::PerVacantCommon,
    }
}

/// Two sublattices with long triplets and a quadruplet: terms that reach beyond the pattern of a bond.
fn two_sublattices() -> LatticeHamiltonian {
    let site = |cell, basis| LatticeSite { cell, basis };
    let o = [0, 0, 0];
    let orbit = |clusters: Vec<Vec<LatticeSite>>| ClusterOrbit {
        order: clusters[0].len(),
        diameter_angstrom: 1.0,
        clusters,
    };
    let mut orbits = vec![
        orbit(vec![vec![site(o, 0)]]),
        orbit(vec![vec![site(o, 1)]]),
        orbit(vec![vec![site(o, 0), site(o, 1)], vec![site([0, 0, 1], 0), site(o, 1)]]),
        orbit(vec![vec![site(o, 0), site([1, 0, 0], 0), site(o, 1)]]),
        orbit(vec![vec![site(o, 0), site([1, 0, 0], 0), site([0, 1, 0], 1), site(o, 1)]]),
    ];
    for k in 0..14 {
        let far = site([k % 4 - 1, k / 4 - 1, 2], 1);
        orbits.push(orbit(vec![vec![site(o, 0), site(o, 1), far]]));
    }
    let mut coefficients_ev = vec![-3.0, 0.01, -0.02, 0.02, 0.01, 0.006];
    coefficients_ev.extend((0..14).map(|k| 0.004 * (1.0 - 0.1 * f64::from(k))));
    LatticeHamiltonian {
        lattice_angstrom: [[2.0, 0.0, 0.0], [0.0, 2.2, 0.0], [0.0, 0.0, 2.1]],
        basis_fractional: vec![[0.0; 3], [0.5; 3]],
        working_ion: "Li".into(),
        formula_units_per_cell: 1.0,
        samples_ev: vec![coefficients_ev.clone()],
        orbits,
        coefficients_ev,
    }
}

struct Case {
    hamiltonian: LatticeHamiltonian,
    network: GridNetwork,
    model: KraModel,
    parameters: RateParameters,
}

fn cases() -> Vec<Case> {
    let layered = layered_host().unwrap();
    let cubic = lattice_gas(
        [[0.0, 2.0, 2.0], [2.0, 0.0, 2.0], [2.0, 2.0, 0.0]],
        &[PairEnergy { distance_angstrom: 8f64.sqrt(), energy_ev: 0.03 }],
    )
    .unwrap();
    let two = two_sublattices();
    let shells = [HopShell::Nearest, HopShell::Nearest, HopShell::Within(2.15)];
    let dims = [[4, 4, 4], [4, 4, 4], [4, 4, 4]];
    let mut out = Vec::new();
    for (k, hamiltonian) in [layered, cubic, two].into_iter().enumerate() {
        let basis = hamiltonian.basis_fractional.len();
        let network = HopNetwork::new(&hamiltonian, shells[k]).unwrap();
        let network = GridNetwork::new(network, SiteGrid::new(dims[k], basis).unwrap()).unwrap();
        let parameters = RateParameters { temperature_k: 400.0, prefactor_hz: 1e13 };
        let mut model = layered_barriers();
        if k == 2 {
            // Low enough that some hops have no barrier of their own.
            model.odh.intercept_ev = 0.02;
            model.odh.slope_ev = 0.001;
        }
        out.push(Case { hamiltonian, network, model, parameters });
    }
    out
}

impl Case {
    fn energy(&self, occupied: &[bool]) -> LatticeEnergy {
        let bonds = self.network.network().directed();
        let h = &self.hamiltonian;
        let mut energy = LatticeEnergy::new(h, &h.coefficients_ev, *self.network.grid(), &bonds).unwrap();
        energy.set_occupation(occupied).unwrap();
        energy
    }

    fn fast(&self, occupied: &[bool], replica: u32) -> FastEngine<'_> {
        let h = &self.hamiltonian;
        let rng = Philox::new(5, 0, replica);
        FastEngine::new(&self.network, h, &h.coefficients_ev, &self.model, &self.parameters, occupied, rng)
            .unwrap()
    }

    fn reference(&self, occupied: &[bool], replica: u32) -> ReferenceEngine<'_> {
        let rng = Philox::new(5, 1, replica);
        ReferenceEngine::new(&self.network, self.energy(occupied), self.model, self.parameters, rng).unwrap()
    }
}

#[test]
fn rates_of_the_fast_engine_equal_the_reference_along_a_trajectory() {
    let mut without_barrier = 0;
    for (c, case) in cases().iter().enumerate() {
        for share in [0.2, 0.5, 0.9] {
            let sites = case.network.grid().sites();
            let ions = (share * sites as f64) as usize;
            let start = random_occupation(sites, ions, &mut Philox::new(1, 2, 3)).unwrap();
            let mut fast = case.fast(&start, 0);
            for _ in 0..40 {
                let mut reference = case.reference(&fast.occupation(), 0);
                let (got, want) = (fast.rates_hz(), reference.rates_hz());
                for (bond, (g, w)) in got.iter().zip(want).enumerate() {
                    assert!((g - w).abs() <= 1e-9 * w, "case {c} share {share} bond {bond}: {g:e} {w:e}");
                }
                fast.run_hops(25).unwrap();
            }
            assert!(fast.resync().unwrap() < 1e-10);
            without_barrier += fast.trajectory().without_barrier;
        }
    }
    assert!(without_barrier > 0, "the rule for missing barriers was never met");
}

#[test]
fn a_restarted_engine_is_a_new_one() {
    for (c, case) in cases().iter().enumerate() {
        let sites = case.network.grid().sites();
        let start = |seed| random_occupation(sites, sites / 2, &mut Philox::new(seed, 2, 3)).unwrap();
        let mut used = case.fast(&start(1), 0);
        used.run_hops(500).unwrap();
        let (mut again, mut new) =
            (used.restarted(&start(2), Philox::new(9, 0, 0)).unwrap(), case.fast(&start(2), 0));
        new = new.clone_with_stream(Philox::new(9, 0, 0));
        again.run_hops(2000).unwrap();
        new.run_hops(2000).unwrap();
        assert_eq!(again.trajectory(), new.trajectory(), "case {c}");
        assert_eq!((again.time_s(), again.attempts()), (new.time_s(), new.attempts()), "case {c}");
    }
}

#[test]
fn detailed_balance_holds_in_every_case() {
    for case in cases() {
        let sites = case.network.grid().sites();
        let mut rng = Philox::new(8, 0, 0);
        let start = random_occupation(sites, sites / 2, &mut rng).unwrap();
        let energy = case.energy(&start);
        let worst =
            audit_detailed_balance(&case.network, &energy, &case.model, &case.parameters, 100, &mut rng)
                .unwrap();
        assert!(worst < 1e-10, "{worst:e}");
    }
}

/// First hop out of a fixed state: which bond, chi-squared against the exact shares, and the mean time taken.
#[test]
fn first_hops_and_residence_times_follow_the_rates() {
    for (c, case) in cases().iter().enumerate() {
        let sites = case.network.grid().sites();
        let start = random_occupation(sites, sites / 2, &mut Philox::new(4, 4, 4)).unwrap();
        let mut reference = case.reference(&start, 0);
        let rates = reference.rates_hz().to_vec();
        let total: f64 = rates.iter().sum();
        let trials = 20_000u32;
        let fresh = case.fast(&start, 0);
        let mut counts = vec![0u32; rates.len()];
        let (mut time, mut squares) = (0.0, 0.0);
        for replica in 0..trials {
            let mut engine = fresh.clone_with_stream(Philox::new(77, c as u32, replica));
            engine.run_hops(1).unwrap();
            time += engine.time_s();
            squares += engine.time_s().powi(2);
            let moved = |s: &u32| engine.is_occupied(*s as usize) != start[*s as usize];
            let bond = case.network.ends().iter().position(|e| e.iter().all(moved)).unwrap();
            counts[bond] += 1;
        }
        let n = f64::from(trials);
        let (mut chi2, mut cells, mut rest, mut rest_count) = (0.0, 0.0, 0.0, 0.0);
        for (rate, count) in rates.iter().zip(&counts) {
            let expected = n * rate / total;
            if expected >= 10.0 {
                chi2 += (f64::from(*count) - expected).powi(2) / expected;
                cells += 1.0;
            } else {
                rest += expected;
                rest_count += f64::from(*count);
            }
        }
        if rest >= 1.0 {
            chi2 += (rest_count - rest).powi(2) / rest;
            cells += 1.0;
        }
        let degrees: f64 = cells - 1.0;
        let z = (chi2 - degrees) / (2.0 * degrees).sqrt();
        assert!(z.abs() < 4.0, "case {c}: chi2 {chi2} with {degrees} degrees of freedom");
        let mean = time / n;
        let error = ((squares / n - mean * mean) / n).sqrt();
        assert!(
            (mean - 1.0 / total).abs() < 4.0 * error + 1e-12 / total,
            "case {c}: {mean:e} {:e}",
            1.0 / total
        );
    }
}

/// Long runs of both engines from equilibrium: mean residence time, and mean squared total displacement after a number of hops.
#[test]
fn both_engines_give_the_same_clock_and_spread() {
    for case in cases().into_iter().take(2) {
        let sites = case.network.grid().sites();
        let start = random_occupation(sites, sites / 3, &mut Philox::new(4, 9, 4)).unwrap();
        let mut results = Vec::new();
        for kind in 0..2 {
            let (mut times, mut squares) = (Vec::new(), Vec::new());
            for replica in 0..60 {
                let mut measure = |engine: &mut dyn Engine| {
                    while engine.events() < 150 {
                        engine.attempt(f64::INFINITY).unwrap();
                    }
                    times.push(engine.time_s());
                    let p = engine.total_displacement_angstrom();
                    squares.push(p.iter().map(|v| v * v).sum::<f64>());
                };
                if kind == 0 {
                    measure(&mut case.fast(&start, replica));
                } else {
                    measure(&mut case.reference(&start, replica));
                }
            }
            results.push([times, squares]);
        }
        for k in 0..2 {
            let (a, b) = (&results[0][k], &results[1][k]);
            let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
            let squared = |v: &[f64]| {
                v.iter().map(|x| (x - mean(v)).powi(2)).sum::<f64>() / (v.len() * (v.len() - 1)) as f64
            };
            let z = (mean(a) - mean(b)) / (squared(a) + squared(b)).sqrt();
            assert!(z.abs() < 4.0, "{k}: {:e} {:e} z {z}", mean(a), mean(b));
        }
    }
}

/// A grid with cells away from its edges, and with different numbers of cells along its axes: neighbours by offsets that wrap or not.
#[test]
fn rates_of_the_fast_engine_equal_the_reference_on_a_long_grid() {
    for (c, mut case) in cases().into_iter().enumerate() {
        let network = case.network.network().clone();
        let basis = network.basis_fractional().len();
        case.network = GridNetwork::new(network, SiteGrid::new([9, 5, 7], basis).unwrap()).unwrap();
        let sites = case.network.grid().sites();
        let start = random_occupation(sites, sites / 2, &mut Philox::new(1, 2, 4)).unwrap();
        let mut fast = case.fast(&start, 0);
        for _ in 0..4 {
            fast.run_hops(2_000).unwrap();
            let mut reference = case.reference(&fast.occupation(), 0);
            for (bond, (g, w)) in fast.rates_hz().iter().zip(reference.rates_hz()).enumerate() {
                assert!((g - w).abs() <= 1e-9 * w, "case {c} bond {bond}: {g:e} {w:e}");
            }
        }
        assert!(fast.resync().unwrap() < 1e-10);
    }
}

/// Ions on one layer of a small layered cell, whose pair and triplet energies are of the order of kT.
fn small_cell() -> Case {
    let hamiltonian = layered_host().unwrap();
    let network = HopNetwork::new(&hamiltonian, HopShell::Nearest).unwrap();
    let network = GridNetwork::new(network, SiteGrid::new([4, 3, 1], 1).unwrap()).unwrap();
    let parameters = RateParameters { temperature_k: 400.0, prefactor_hz: 1e13 };
    Case { hamiltonian, network, model: layered_barriers(), parameters }
}

/// The fraction of time that the fast engine spends in each of the states of a small interacting cell is e^(-E/kT)/Z. Every bond turns
/// from idle to active and back thousands of times, and most trials are rejected: their time counts.
#[test]
fn time_in_each_state_follows_the_boltzmann_weights() {
    let case = small_cell();
    let sites = case.network.grid().sites();
    let key = |occupied: &[bool]| occupied.iter().rev().fold(0usize, |k, o| 2 * k + usize::from(*o));
    let start = random_occupation(sites, 3, &mut Philox::new(4, 4, 4)).unwrap();
    let mut energy = case.energy(&start);
    let mut expected = vec![0.0; 1 << sites];
    for state in (0usize..1 << sites).filter(|s| s.count_ones() == 3) {
        let occupied: Vec<bool> = (0..sites).map(|s| state >> s & 1 == 1).collect();
        energy.set_occupation(&occupied).unwrap();
        expected[state] = (-energy.energy_ev() / case.parameters.thermal_energy_ev()).exp();
    }
    let sum: f64 = expected.iter().sum();
    for weight in &mut expected {
        *weight /= sum;
    }
    let possible: Vec<usize> = (0..expected.len()).filter(|s| expected[*s] > 0.0).collect();
    let least = possible.iter().map(|s| expected[*s]).fold(1.0, f64::min);
    assert!(least < 0.5 / possible.len() as f64, "no interaction to speak of: {least}");
    let mut engine = case.fast(&start, 7);
    let (blocks, hops) = (100, 5_000);
    let (mut sums, mut squares) = (vec![0.0; expected.len()], vec![0.0; expected.len()]);
    for _ in 0..blocks {
        let (begin, first) = (engine.time_s(), engine.trajectory().events());
        let mut spent = vec![0.0; expected.len()];
        let mut state = key(&engine.occupation());
        while engine.trajectory().events() < first + hops {
            let before = engine.time_s();
            let hopped = engine.attempt(f64::INFINITY).unwrap() == Attempt::Hopped;
            spent[state] += engine.time_s() - before;
            if hopped {
                state = key(&engine.occupation());
            }
        }
        let time = engine.time_s() - begin;
        for s in &possible {
            sums[*s] += spent[*s] / time;
            squares[*s] += (spent[*s] / time).powi(2);
        }
        let mut reference = case.reference(&engine.occupation(), 0);
        for (bond, (g, w)) in engine.rates_hz().iter().zip(reference.rates_hz()).enumerate() {
            assert!((g - w).abs() <= 1e-9 * w, "bond {bond}: {g:e} {w:e}");
        }
    }
    assert!(engine.attempts() > 2 * engine.trajectory().events());
    let n = f64::from(blocks);
    let mut total = 0.0;
    for s in &possible {
        let mean = sums[*s] / n;
        let error = ((squares[*s] / n - mean * mean) / (n - 1.0)).sqrt();
        let z = (mean - expected[*s]) / error;
        assert!(z.abs() < 4.0, "state {s:b}: {mean} +- {error}, Boltzmann {}", expected[*s]);
        total += z * z;
    }
    let degrees = possible.len() as f64;
    println!("sum of z^2: {total}, states {degrees}, least weight {least}");
    // Block means correlate a little between states, so that the sum scatters more than that of independent ones.
    assert!((total - degrees).abs() < 6.0 * (2.0 * degrees).sqrt(), "sum of z^2: {total}, {degrees} states");
}
