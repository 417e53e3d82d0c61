//! Exactly solved models through the kernel that samples real expansions.
#![allow(clippy::unwrap_used)]

#[path = "common/models.rs"]
mod models;

use models::{
    chain, close, honeycomb_ising, kelvin, kernel, run, square_ising, triangular_gas, triangular_ising,
};
use scalade_lattice::exact::Enumeration;
use scalade_lattice::{BOLTZMANN_EV_PER_K, Estimate, Metropolis, Series};
use scalade_numerics::{Philox, blocked_mean};

const CRITICAL: f64 = 2.269185314213;

fn magnetization(series: &Series, sites: usize) -> Estimate {
    let m: Vec<f64> = series.occupied.iter().map(|n| (2.0 * n / sites as f64 - 1.0).abs()).collect();
    let b = blocked_mean(&m);
    Estimate { value: b.mean, error: b.standard_error }
}

#[test]
fn l01_onsager_energy_far_from_criticality() {
    let (point, series) = run(&square_ising(), [64, 64, 1], kelvin(1.5), 0.0, 9000, 1, true);
    close("u", point.energy_ev, -1.951116573, 4.0);
    close("c", point.heat_capacity_mu, 0.197274540, 4.0);
    close("m", magnetization(&series, 4096), 0.986499603, 4.0);
    assert!(point.energy_ev.error < 2e-4, "{:?}", point.energy_ev);
}

#[test]
#[ignore = "ten minutes of sampling"]
fn l01_onsager_whole_table() {
    for (t, u, c, sweeps) in [
        (1.5, -1.951116573, 0.197274540, 10_000),
        (2.0, -1.745564575, 0.724871449, 150_000),
        (2.5, -1.106079204, 0.861698357, 900_000),
        (3.0, -0.817309593, 0.401379576, 100_000),
        (4.0, -0.557272241, 0.171188411, 60_000),
    ] {
        let (point, _) = run(&square_ising(), [64, 64, 1], kelvin(t), 0.0, sweeps, 1, true);
        close("u", point.energy_ev, u, 4.0);
        close("c", point.heat_capacity_mu, c, 4.0);
        assert!(point.energy_ev.error < 2e-4, "{t} {:?}", point.energy_ev);
    }
}

#[test]
fn l02_density_of_states_of_the_4x4_ising_model() {
    let states = Enumeration::new(kernel(&square_ising(), [4, 4, 1])).unwrap();
    let mut counts = std::collections::BTreeMap::new();
    for (e, _) in states.states() {
        assert!((e - e.round()).abs() < 1e-12);
        *counts.entry(e.round() as i64).or_insert(0u64) += 1;
    }
    let half = [(-32, 2), (-24, 32), (-20, 64), (-16, 424), (-12, 1728), (-8, 6688), (-4, 13568), (0, 20524)];
    for (e, g) in half {
        assert_eq!((counts[&e], counts[&-e]), (g, g));
    }
    assert_eq!(counts.len(), 15);
}

#[test]
fn l03_exact_4x4_ising_by_enumeration_and_sampling() {
    let states = Enumeration::new(kernel(&square_ising(), [4, 4, 1])).unwrap();
    for (t, log_z, u, c, m) in [
        (2.0, 17.105367119, -1.755380289, 0.605532657, 0.918943267),
        (CRITICAL, 15.521915459, -1.565623788, 0.783266826, 0.843860445),
        (3.0, 13.281033456, -1.017069627, 0.603134714, 0.601291326),
    ] {
        let exact = states.at(kelvin(t), 0.0).unwrap();
        assert!((16.0 * exact.log_partition - log_z).abs() < 1e-8);
        assert!((exact.energy_ev - u).abs() < 1e-8 && (exact.energy_variance_ev2 / (t * t) - c).abs() < 1e-8);
        let (point, series) = run(&square_ising(), [4, 4, 1], kelvin(t), 0.0, 200_000, 7, false);
        close("u", point.energy_ev, u, 4.0);
        close("c", point.heat_capacity_mu, c, 4.0);
        close("|m|", magnetization(&series, 16), m, 4.0);
    }
}

#[test]
fn l04_kaufman_finite_lattices() {
    for (side, t, u, c, sweeps) in [
        (8, CRITICAL, -1.4915890, 1.14556, 200_000),
        (16, 2.0, -1.7455306, 0.72551, 60_000),
        (16, CRITICAL, -1.4530647, 1.49870, 60_000),
    ] {
        let (point, _) = run(&square_ising(), [side, side, 1], kelvin(t), 0.0, sweeps, 3, true);
        close("u", point.energy_ev, u, 4.0);
        close("c", point.heat_capacity_mu, c, 4.0);
    }
}

#[test]
fn l05_magnetizations_that_vanish_at_the_exact_critical_temperatures() {
    // R. B. Potts, Phys. Rev. 88, 352 (1952), x = exp(-4K); S. Naya, Prog. Theor. Phys. 11, 53 (1954), z = exp(-2K).
    let triangular = |t: f64| {
        let x = (-4.0 / t).exp();
        1.0 - 16.0 * x.powi(3) / ((1.0 + 3.0 * x) * (1.0 - x).powi(3))
    };
    let honeycomb = |t: f64| {
        let z = (-2.0 / t).exp();
        1.0 - 16.0 * z.powi(3) * (1.0 + z.powi(3)) / ((1.0 - z).powi(3) * (1.0 - z * z).powi(3))
    };
    let criticals = [4.0 / 3f64.ln(), 2.0 / (2.0 + 3f64.sqrt()).ln()];
    assert!((criticals[0] - 3.640956907).abs() < 1e-9 && (criticals[1] - 1.518651435).abs() < 1e-9);
    assert!(triangular(criticals[0]).abs() < 1e-12 && honeycomb(criticals[1]).abs() < 1e-12);
    for scale in [0.75, 0.85] {
        let [t, h] = criticals.map(|c| scale * c);
        for (model, t, m, side) in
            [(triangular_ising(), t, triangular(t), 64), (honeycomb_ising(), h, honeycomb(h), 48)]
        {
            let (point, series) = run(&model, [side, side, 1], kelvin(t), 0.0, 12000, 6, true);
            let magnetization = magnetization(&series, point.sites);
            close("m", magnetization, m.powf(0.125), 4.0);
            assert!(magnetization.error < 1e-3, "{magnetization:?}");
        }
    }
}

#[test]
fn l05_honeycomb_and_triangular_energies_of_small_boxes_are_exact() {
    // Both lattices on a 3 x 3 box against the enumerator, which sums every state.
    for (model, t) in [(honeycomb_ising(), 1.5), (triangular_ising(), 3.6)] {
        let exact = Enumeration::new(kernel(&model, [3, 3, 1])).unwrap().at(kelvin(t), 0.1).unwrap();
        let (point, _) = run(&model, [3, 3, 1], kelvin(t), 0.1, 200_000, 2, false);
        close("u", point.energy_ev, exact.energy_ev, 4.0);
        close("x", point.x, exact.x, 4.0);
        close("partial energy", point.partial_energy_ev, exact.covariance_ev / exact.variance, 4.0);
    }
}

/// Coverage of the infinite chain by the transfer matrix.
fn chain_coverage(e: f64, mu: f64, kt: f64) -> f64 {
    let (a, b) = ((mu / kt).exp(), ((mu - e) / kt).exp());
    // Eigenvalue l = (1 + b)/2 + sqrt((1 - b)^2/4 + a); theta = d ln l / d(mu/kT).
    let root = ((1.0 - b).powi(2) / 4.0 + a).sqrt();
    let l = 0.5 * (1.0 + b) + root;
    (0.5 * b + (-(1.0 - b) * b / 2.0 + a) / (2.0 * root)) / l
}

#[test]
fn l09_chain_coverage() {
    let kt = 300.0 * BOLTZMANN_EV_PER_K;
    for (e, mu, theta) in [
        (-0.05, -0.1, 0.026321063),
        (-0.05, 0.0, 0.973678937),
        (0.05, -0.1, 0.019783958),
        (0.05, 0.0, 0.303370356),
        (0.05, 0.05, 0.5),
        (0.05, 0.1, 0.696629644),
    ] {
        assert!((chain_coverage(e, mu, kt) - theta).abs() < 1e-8);
        let (point, _) = run(&chain(e), [400, 1, 1], 300.0, mu, 20_000, 4, false);
        close("theta", point.x, theta, 4.0);
        assert!(point.x.error < 1e-3);
    }
}

#[test]
fn i06_thermodynamic_factor_of_the_interacting_chain() {
    let kt = 300.0 * BOLTZMANN_EV_PER_K;
    for (c, j, factor) in [(0.5, 1.0, 3.2974425414), (0.3, 1.0, 2.0859642763), (0.5, -1.0, 1.2130613194)] {
        let e = j * kt;
        let (mut low, mut high) = (-1.0, 1.0);
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            if chain_coverage(e, middle, kt) < c { low = middle } else { high = middle }
        }
        // Correlations fall by a factor of four per site: sixteen sites are infinitely many to 1e-9.
        let (point, _) = run(&chain(e), [16, 1, 1], 300.0, low, 1_500_000, 11, false);
        let got = point.thermodynamic_factor;
        close("thermodynamic factor", got, factor, 4.0);
        assert!((got.value / factor - 1.0).abs() < 5e-3 && got.error / factor < 4e-3, "{got:?} {factor}");
    }
}

#[test]
fn l10_triangular_gas_by_enumeration_and_sampling() {
    let model = triangular_gas(0.03, -0.004);
    let states = Enumeration::new(kernel(&model, [4, 4, 1])).unwrap();
    for (mu, log_xi, theta, e, variance) in [
        (0.0, 0.43039099, 0.24026993, 0.002064146, 0.08326450),
        (0.05, 1.05346303, 0.40521454, 0.008815369, 0.08696492),
        (0.09, 1.78513962, 0.54073178, 0.018623907, 0.08763823),
        (0.12, 2.47136657, 0.64165787, 0.028416375, 0.08611395),
    ] {
        let exact = states.at(300.0, mu).unwrap();
        for (a, b) in [
            (exact.log_partition, log_xi),
            (exact.x, theta),
            (exact.energy_ev, e),
            (exact.variance, variance),
        ] {
            assert!((a - b).abs() < 1e-7, "{a} {b}");
        }
        let (point, _) = run(&model, [4, 4, 1], 300.0, mu, 150_000, 8, false);
        close("theta", point.x, theta, 4.0);
        close("E/N", point.energy_ev, e, 4.0);
        close("var(N)/N", point.variance, variance, 4.0);
        close("dE/dN", point.partial_energy_ev, exact.covariance_ev / exact.variance, 4.0);
    }
}

#[test]
fn response_formulas_agree_with_differences_of_the_exact_sums() {
    let states = Enumeration::new(kernel(&triangular_gas(0.03, -0.004), [4, 4, 1])).unwrap();
    let (t, mu) = (300.0, 0.07);
    let kt = t * BOLTZMANN_EV_PER_K;
    let at = |t: f64, mu: f64| states.at(t, mu).unwrap();
    let point = at(t, mu);
    let h = 1e-5;
    let slope = (at(t, mu + h).x - at(t, mu - h).x) / (2.0 * h);
    assert!((slope / (point.variance / kt) - 1.0).abs() < 1e-6);
    // (dmu/dT)_x by solving x(T +- 1, mu) = x for mu.
    let solve = |t: f64| {
        let (mut low, mut high) = (-0.5, 0.6);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if at(t, middle).x < point.x { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    };
    let difference = (solve(t + 0.5) - solve(t - 0.5)) / 1.0;
    let formula = -(point.covariance_ev - mu * point.variance) / (t * point.variance);
    assert!((difference / formula - 1.0).abs() < 1e-5, "{difference} {formula}");
}

#[test]
fn slow_reference_walks_the_same_trajectory() {
    // Full energies by straight summation, the same random words, the textbook test u < exp(-x).
    let model = triangular_gas(0.03, -0.004);
    let (t, mu, dims) = (300.0, 0.06, [6, 5, 1]);
    let mut fast = Metropolis::new(kernel(&model, dims), 21, 3, 1);
    let grid = *fast.energy().grid();
    let mut occupied = vec![false; grid.sites()];
    let mut rng = Philox::new(21, 3, 1);
    let energy = |o: &[bool]| model.reference_energy_ev(&model.coefficients_ev, &grid, o);
    let mut grand = energy(&occupied);
    for _ in 0..60 {
        fast.sweep(t, mu);
        for _ in 0..grid.sites() {
            let site = ((u64::from(rng.next_u32()) * grid.sites() as u64) >> 32) as usize;
            let u = (f64::from(rng.next_u32()) + 0.5) / 4_294_967_296.0;
            occupied[site] = !occupied[site];
            let ions = occupied.iter().filter(|o| **o).count() as f64;
            let trial = energy(&occupied) - mu * ions;
            if u < (-(trial - grand) / (BOLTZMANN_EV_PER_K * t)).exp() {
                grand = trial;
            } else {
                occupied[site] = !occupied[site];
            }
        }
        assert_eq!(fast.energy().occupation(), occupied);
        assert_eq!(fast.occupied(), occupied.iter().filter(|o| **o).count());
    }
    assert!((fast.energy().energy_ev() - energy(&occupied)).abs() < 1e-10);
}

#[test]
fn enumerations_beyond_reach_are_refused() {
    assert!(Enumeration::new(kernel(&square_ising(), [6, 6, 1])).is_err());
    let states = Enumeration::new(kernel(&square_ising(), [2, 2, 1])).unwrap();
    assert!(states.at(0.0, 0.0).is_err() && states.at(300.0, f64::NAN).is_err());
}
