//! Diffusivities from kinetic Monte Carlo against exact and tabled results.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use scalade_crystal::{Matrix3, SiteGrid, inverse, row_times};
use scalade_handoff::LatticeHamiltonian;
use scalade_hopping::synthetic::{PairEnergy, lattice_gas};
use scalade_hopping::{
    Budget, Diffusivity, Follow, GridNetwork, HopNetwork, HopShell, HoppingError, KraModel, Progress,
    RateParameters, TransportPoint, TransportRequest, exact_transport, transport_point,
};
use scalade_units::constants::BOLTZMANN_EV;

const KRA_EV: f64 = 0.4;
const TEMPERATURE_K: f64 = 300.0;
/// Square angstrom per second in m2/s.
const UNIT: f64 = 1e-20;

/// Unit hop rate at a lattice constant of 1 angstrom.
fn parameters() -> RateParameters {
    RateParameters {
        temperature_k: TEMPERATURE_K,
        prefactor_hz: (KRA_EV / (BOLTZMANN_EV * TEMPERATURE_K)).exp(),
    }
}

fn cubic(dimensions: usize) -> Matrix3 {
    let length = |axis: usize| if axis < dimensions { 1.0 } else { 7.0 };
    [[length(0), 0.0, 0.0], [0.0, length(1), 0.0], [0.0, 0.0, length(2)]]
}

fn gas(lattice: Matrix3, coupling: f64) -> LatticeHamiltonian {
    let energy_ev = coupling * BOLTZMANN_EV * TEMPERATURE_K;
    lattice_gas(lattice, &[PairEnergy { distance_angstrom: 1.0, energy_ev }]).unwrap()
}

fn network(h: &LatticeHamiltonian, dims: [usize; 3]) -> GridNetwork {
    let network = HopNetwork::new(h, HopShell::Nearest).unwrap();
    GridNetwork::new(network, SiteGrid::new(dims, 1).unwrap()).unwrap()
}

fn request<'a>(
    network: &'a GridNetwork,
    h: &'a LatticeHamiltonian,
    x: f64,
    budget: Budget,
    seed: u64,
) -> TransportRequest<'a> {
    TransportRequest {
        network,
        hamiltonian: h,
        coefficients_ev: &h.coefficients_ev,
        model: KraModel::uniform(KRA_EV),
        parameters: parameters(),
        x,
        budget,
        seed,
        stream: 0,
    }
}

fn budget(hops: u64, blocks_per_replica: u32) -> Budget {
    Budget { hops, replicas: 4, blocks_per_replica, equilibration_sweeps: 100 }
}

/// Mean of the diagonal over the hopping directions with a conservative error, in square angstrom per second.
fn isotropic(d: &Diffusivity, dimensions: usize) -> (f64, f64) {
    let tensor = d.tensor().unwrap_or_else(|| panic!("{d:?}"));
    let mean = |m: &Matrix3| (0..dimensions).map(|k| m[k][k]).sum::<f64>() / dimensions as f64 / UNIT;
    (mean(&tensor.value_m2_s), mean(&tensor.std_m2_s) / (dimensions as f64).sqrt())
}

#[test]
fn i3_jump_diffusivity_of_the_hard_core_gas() {
    // A small cell: the total displacement does not average over ions, so that few ions give most windows.
    let h = gas(cubic(3), 0.0);
    let net = network(&h, [4, 4, 4]);
    let (sites, ions) = (64.0, 48.0);
    let point = transport_point(&request(&net, &h, 0.75, budget(4_000_000, 64), 1), &()).unwrap();
    let expected = (sites - ions) / (sites - 1.0);
    let (jump, error) = isotropic(&point.jump, 3);
    println!("I3 {jump} +- {error}, exact {expected}");
    assert!((jump - expected).abs() < 4.0 * error);
    assert!(error / expected < 0.005, "{}", error / expected);
    assert!((jump / expected - 1.0).abs() < 0.005);
    let f_i = point.collective_correlation.unwrap();
    // Without interactions the drift vanishes in every state: nothing is lost to correlations, up to rounding.
    assert!((f_i.value - 1.0).abs() < 4.0 * f_i.std + 1e-9, "{f_i:?}");
    // The uncorrelated part counts hops over time; its noise is that of the attempts per hop.
    let diagonal = |m: &Matrix3| (0..3).map(|k| m[k][k] / 3.0).sum::<f64>() / UNIT;
    let (value, error) =
        (diagonal(&point.uncorrelated.value_m2_s), diagonal(&point.uncorrelated.std_m2_s) / 3f64.sqrt());
    assert!(error < 1e-3 * expected, "{error}");
    assert!((value - expected).abs() < 4.0 * error, "{value} {error}");
}

#[test]
fn i4_tracer_correlation_of_the_hard_core_gas() {
    let h = gas(cubic(3), 0.0);
    let net = network(&h, [16, 16, 16]);
    // One run has a standard error of 0.0015; eight bring that of the mean to a seventh of the tolerance, so that the test says something about the
    // engine and the estimator, and little about its seed.
    let seeds = 20..28;
    for (x, f, uncertainty) in [(0.25, 0.9297, 0.0012), (0.5, 0.8454, 0.0009)] {
        let runs: Vec<f64> = seeds
            .clone()
            .map(|seed| {
                let point = transport_point(&request(&net, &h, x, budget(2_000_000, 4), seed), &()).unwrap();
                point.tracer_correlation.unwrap().value
            })
            .collect();
        let mean = runs.iter().sum::<f64>() / runs.len() as f64;
        let scatter = runs.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (runs.len() - 1) as f64;
        let error = (scatter / runs.len() as f64).sqrt();
        println!("I4 {x}: {mean} +- {error}, table {f}");
        assert!(error < 0.0008, "{x}: {error}");
        assert!((mean - f).abs() < 0.004 * f, "{x}: {mean} +- {error}, table {f}");
        assert!((mean - f).abs() < 4.0 * error.hypot(uncertainty), "{x}: {mean} +- {error}, table {f}");
    }
}

#[test]
fn i5_monte_carlo_agrees_with_the_master_equation() {
    for (dims, ions, coupling, tracer) in
        [([4, 4, 1], 8, 1.0, true), ([4, 4, 1], 12, 1.0, false), ([3, 3, 3], 3, 1.0, true)]
    {
        let dimensions = dims.iter().filter(|d| **d > 1).count();
        let h = gas(cubic(dimensions), coupling);
        let net = network(&h, dims);
        let model = KraModel::uniform(KRA_EV);
        let x = f64::from(ions) / net.grid().sites() as f64;
        let point = transport_point(&request(&net, &h, x, budget(3_000_000, 64), 3), &()).unwrap();
        for follow in [Follow::All, Follow::One] {
            if follow == Follow::One && !tracer {
                continue;
            }
            let exact =
                exact_transport(&net, &h, &h.coefficients_ev, &model, &parameters(), ions as usize, follow)
                    .unwrap();
            let estimate = if follow == Follow::All { &point.jump } else { &point.tracer };
            let (got, error) = isotropic(estimate, dimensions);
            let expected = exact.diffusivity[0][0];
            println!("I5 {dims:?} {ions} {follow:?}: {got} +- {error}, exact {expected}");
            assert!((got - expected).abs() < 4.0 * error, "{dims:?} {follow:?}: {got} {error} {expected}");
            assert!(error < 0.005 * expected && (got / expected - 1.0).abs() < 0.01);
            let part = point.uncorrelated.value_m2_s[0][0] / UNIT;
            assert!((part / exact.uncorrelated[0][0] - 1.0).abs() < 2e-3);
        }
    }
}

#[test]
fn i7_single_file_is_called_sub_diffusive() {
    let h = gas(cubic(1), 0.0);
    let net = network(&h, [512, 1, 1]);
    let point = transport_point(&request(&net, &h, 0.5, budget(2_000_000, 4), 4), &()).unwrap();
    match point.tracer {
        Diffusivity::SubDiffusive { exponent, exponent_std } => {
            println!("I7 exponent {exponent} +- {exponent_std}");
            assert!(exponent > 0.4 && exponent < 0.65, "{exponent}");
        }
        other => panic!("{other:?}"),
    }
    assert!(point.haven.is_none());
    let (jump, error) = isotropic(&point.jump, 1);
    assert!((jump - 256.0 / 511.0).abs() < 4.0 * error);
}

#[test]
fn i8_dilute_diffusivity() {
    let cases = [
        ([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]], [5, 5, 5], 3, 8.212291e-12),
        ([[2.8, 0.0, 0.0], [1.4, 1.4 * 3f64.sqrt(), 0.0], [0.0, 0.0, 9.0]], [6, 6, 1], 2, 1.073073e-11),
    ];
    for (lattice, dims, dimensions, expected) in cases {
        let h = gas_without_pairs(lattice);
        let net = network(&h, dims);
        let model = KraModel::uniform(0.3);
        let at = RateParameters { temperature_k: 300.0, prefactor_hz: 1e13 };
        let exact = exact_transport(&net, &h, &h.coefficients_ev, &model, &at, 1, Follow::All).unwrap();
        assert!((exact.diffusivity[0][0] * UNIT / expected - 1.0).abs() < 1e-6);
        let x = 1.0 / net.grid().sites() as f64;
        let mut request = request(&net, &h, x, budget(400_000, 16), 5);
        request.model = model;
        request.parameters = at;
        let point = transport_point(&request, &()).unwrap();
        // The uncorrelated part counts hops over time: its only noise is that of the attempts per hop.
        assert!((point.uncorrelated.value_m2_s[0][0] / expected - 1.0).abs() < 0.02);
        let (got, error) = isotropic(&point.tracer, dimensions);
        assert!((got * UNIT - expected).abs() < 4.0 * error * UNIT);
    }
}

fn gas_without_pairs(lattice: Matrix3) -> LatticeHamiltonian {
    lattice_gas(lattice, &[]).unwrap()
}

#[test]
fn i10_stated_intervals_cover_the_exact_value() {
    // Student's 97.5 % quantile for 23 and 3 degrees of freedom (all blocks, or replicas alone where they differ).
    let quantile = |degrees: usize| if degrees == 23 { 2.069 } else { 3.182 };
    for (coupling, ions) in [(0.0, 8), (2.0, 8)] {
        let h = gas(cubic(2), coupling);
        let net = network(&h, [4, 4, 1]);
        let model = KraModel::uniform(KRA_EV);
        let exact =
            exact_transport(&net, &h, &h.coefficients_ev, &model, &parameters(), ions, Follow::All).unwrap();
        let expected = exact.diffusivity[0][0] + exact.diffusivity[1][1];
        let (mut inside, mut given, mut sum, mut squares) = (0, 0, 0.0, 0.0);
        for seed in 0..200 {
            let plan = Budget { hops: 60_000, replicas: 4, blocks_per_replica: 6, equilibration_sweeps: 40 };
            let point = transport_point(&request(&net, &h, 0.5, plan, 100 + seed), &()).unwrap();
            let Diffusivity::Converged { tensor, degrees_of_freedom, .. } = &point.jump else {
                continue;
            };
            let value = (tensor.value_m2_s[0][0] + tensor.value_m2_s[1][1]) / UNIT;
            // x and y are independent by symmetry; their errors add in squares.
            let error = tensor.std_m2_s[0][0].hypot(tensor.std_m2_s[1][1]) / UNIT;
            given += 1;
            sum += value;
            squares += value * value;
            inside += i32::from((value - expected).abs() < quantile(*degrees_of_freedom) * error);
        }
        let n = f64::from(given);
        let (mean, spread) = (sum / n, (squares / n - (sum / n).powi(2)).sqrt());
        println!("I10 J={coupling}: {inside}/{given}, mean {mean} exact {expected} spread {spread}");
        let share = f64::from(inside) / n;
        assert!(given >= 190 && (0.91..=0.98).contains(&share), "{inside} of {given}");
        assert!((mean / expected - 1.0).abs() < 0.01 + 4.0 * spread / n.sqrt() / expected);
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let h = gas(cubic(2), 1.0);
    let net = network(&h, [6, 6, 1]);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| transport_point(&request(&net, &h, 0.5, budget(50_000, 4), 6), &()).unwrap())
    };
    let one = run(1);
    assert_eq!(one, run(3));
    let text = serde_json::to_string(&one).unwrap();
    assert_eq!(serde_json::from_str::<TransportPoint>(&text).unwrap(), one);
}

#[test]
fn a_rotated_lattice_gives_the_rotated_tensor() {
    let lattice = cubic(2);
    let (c, s) = (0.3f64.cos(), 0.3f64.sin());
    let (c2, s2) = (1.1f64.cos(), 1.1f64.sin());
    let about_z = [[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]];
    let about_x = [[1.0, 0.0, 0.0], [0.0, c2, s2], [0.0, -s2, c2]];
    // Rows are vectors, so that a rotation acts from the right.
    let rotation = about_z.map(|row| row_times(row, &about_x));
    let turned = lattice.map(|row| row_times(row, &rotation));
    let tensors: Vec<Matrix3> = [lattice, turned]
        .into_iter()
        .map(|l| {
            let h = gas(l, 1.0);
            let net = network(&h, [6, 6, 1]);
            let point = transport_point(&request(&net, &h, 0.5, budget(100_000, 4), 7), &()).unwrap();
            point.jump.tensor().unwrap().value_m2_s
        })
        .collect();
    let back = inverse(&rotation).unwrap();
    let expected = back.map(|row| row_times(row, &tensors[0])).map(|row| row_times(row, &rotation));
    for i in 0..3 {
        for j in 0..3 {
            assert!((tensors[1][i][j] - expected[i][j]).abs() < 1e-9 * tensors[0][0][0], "{i} {j}");
        }
    }
}

#[test]
fn attempt_frequency_scales_every_diffusivity() {
    let h = gas(cubic(2), 1.0);
    let net = network(&h, [6, 6, 1]);
    let plain = request(&net, &h, 0.5, budget(100_000, 4), 8);
    let mut faster = plain;
    faster.parameters.prefactor_hz *= 8.0;
    let (one, eight) = (transport_point(&plain, &()).unwrap(), transport_point(&faster, &()).unwrap());
    for (a, b) in [(&one.jump, &eight.jump), (&one.tracer, &eight.tracer)] {
        let (a, b) = (isotropic(a, 2).0, isotropic(b, 2).0);
        assert!((b / a / 8.0 - 1.0).abs() < 1e-9, "{a} {b}");
    }
}

#[test]
fn a_supercell_gives_the_same_local_transport() {
    let plain = gas(cubic(2), 1.0);
    // The primitive cell doubled along x, as two sublattices: the same sites under other names.
    let doubled = HopNetwork::from_lattice(
        [[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 7.0]],
        vec![[0.0; 3], [0.5, 0.0, 0.0]],
        HopShell::Nearest,
    )
    .unwrap();
    let grid = GridNetwork::new(doubled, SiteGrid::new([2, 4, 1], 2).unwrap()).unwrap();
    let site = |cell, basis| scalade_crystal::LatticeSite { cell, basis };
    let o = [0, 0, 0];
    let mut h = plain.clone();
    h.lattice_angstrom[0][0] = 2.0;
    h.basis_fractional.push([0.5, 0.0, 0.0]);
    h.coefficients_ev[0] *= 2.0;
    h.orbits[0].clusters.push(vec![site(o, 1)]);
    h.orbits[1].clusters = vec![
        vec![site(o, 0), site(o, 1)],
        vec![site(o, 1), site([1, 0, 0], 0)],
        vec![site(o, 0), site([0, 1, 0], 0)],
        vec![site(o, 1), site([0, 1, 0], 1)],
    ];
    h.check().unwrap();
    let model = KraModel::uniform(KRA_EV);
    for follow in [Follow::All, Follow::One] {
        let small = network(&plain, [4, 4, 1]);
        let a = exact_transport(&small, &plain, &plain.coefficients_ev, &model, &parameters(), 5, follow)
            .unwrap();
        let b = exact_transport(&grid, &h, &h.coefficients_ev, &model, &parameters(), 5, follow).unwrap();
        for k in 0..2 {
            assert!((a.diffusivity[k][k] - b.diffusivity[k][k]).abs() < 1e-9);
        }
    }
}

struct Stop;

impl Progress for Stop {
    fn report(&self, _share: f64) {}
    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn cancellation_and_bad_requests_are_errors() {
    let h = gas(cubic(2), 1.0);
    let net = network(&h, [6, 6, 1]);
    let good = request(&net, &h, 0.5, budget(100_000, 4), 9);
    assert_eq!(transport_point(&good, &Stop), Err(HoppingError::Cancelled));
    for x in [0.0, 1.0, -1.0, f64::NAN, 1e-9] {
        assert!(transport_point(&TransportRequest { x, ..good }, &()).is_err());
    }
    for temperature_k in [0.0, f64::NAN, f64::INFINITY, 1e-3] {
        let parameters = RateParameters { temperature_k, ..good.parameters };
        assert!(transport_point(&TransportRequest { parameters, ..good }, &()).is_err(), "{temperature_k}");
    }
    assert!(transport_point(&TransportRequest { coefficients_ev: &[1.0], ..good }, &()).is_err());
    assert!(matches!(
        GridNetwork::new(
            HopNetwork::new(&h, HopShell::Nearest).unwrap(),
            SiteGrid::new([2, 4, 1], 1).unwrap()
        ),
        Err(HoppingError::GridTooSmall { .. })
    ));
}

#[test]
fn flicker_without_motion_is_not_called_a_diffusivity() {
    // Strong attraction at low temperature: ions rattle at the edge of their cluster.
    let h = gas(cubic(2), -12.0);
    let net = network(&h, [6, 6, 1]);
    let mut low = request(&net, &h, 0.25, budget(4_000, 2), 10);
    low.model = KraModel::uniform(2.0);
    let point = transport_point(&low, &()).unwrap();
    assert!(point.tracer.tensor().is_none(), "{:?}", point.tracer);
    assert!(point.jump.tensor().is_none(), "{:?}", point.jump);
}
