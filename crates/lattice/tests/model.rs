//! Exact sums and Monte Carlo of pair models against reference results.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail with them")]

use scalade_crystal::NamedLattice;
use scalade_lattice::model::exact::{Levels, kaufman, ring};
use scalade_lattice::model::{Algorithm, Condition, PairModel, RunSettings, SampledPoint, Variables, sample};
use scalade_lattice::{BOLTZMANN_EV_PER_K, Estimate};

const CRITICAL: f64 = 2.269185314213;

fn named(lattice: NamedLattice, size: &[usize], variables: Variables, pairs: &[f64]) -> PairModel {
    PairModel::named(lattice, size, variables, pairs).unwrap()
}

fn ising(size: &[usize]) -> PairModel {
    named(NamedLattice::Square, size, Variables::Spin, &[-1.0])
}

fn close(what: &str, got: Estimate, want: f64) {
    let z = (got.value - want) / got.error;
    assert!(z.abs() < 4.0, "{what}: {} +- {} against {want}, z = {z}", got.value, got.error);
}

fn sampled(
    model: &PairModel,
    conditions: &[(f64, f64)],
    precision: f64,
    algorithm: Algorithm,
) -> Vec<SampledPoint> {
    let conditions: Vec<Condition> =
        conditions.iter().map(|(kt, mu)| Condition { kt: *kt, mu: *mu }).collect();
    let settings = RunSettings { precision, seed: 7, algorithm, ..RunSettings::default() };
    let points = sample(model, &conditions, &settings).unwrap();
    for point in &points {
        assert!(point.converged, "{point:?}");
        assert!(point.summary.energy.error <= precision);
    }
    points
}

#[test]
fn l01_onsager() {
    // Corrections of the torus fall as exp(-L/xi): xi(2.5) = 1/(ln coth(1/2.5) - 2/2.5) = 5.9, so L = 128 is infinite to 1e-9.
    let table = [
        (1.5, -1.951116573, 0.197274540),
        (2.5, -1.106079204, 0.861698357),
        (3.0, -0.817309593, 0.401379576),
        (4.0, -0.557272241, 0.171188411),
    ];
    for (t, u, c) in table {
        let finite = kaufman(128, 128, t);
        assert!(
            (finite.energy - u).abs() < 2e-9 && (finite.heat_capacity - c).abs() < 2e-8,
            "{t} {finite:?}"
        );
    }
    let conditions: Vec<(f64, f64)> = table.iter().map(|r| (r.0, 0.0)).collect();
    let points = sampled(&ising(&[128, 128]), &conditions, 1e-4, Algorithm::Auto);
    for (point, (_, u, c)) in points.iter().zip(table) {
        close("u", point.summary.energy, u);
        close("c", point.summary.heat_capacity, c);
    }
    close("|m|", points[0].summary.absolute_magnetisation, 0.986499603);
}

#[test]
fn l02_density_of_states_of_the_4x4_ising_model() {
    let levels = Levels::enumerate(&ising(&[4, 4])).unwrap();
    let half = [(-32, 2), (-24, 32), (-20, 64), (-16, 424), (-12, 1728), (-8, 6688), (-4, 13568), (0, 20524)];
    let mut want: Vec<(f64, u64)> =
        half.iter().flat_map(|(e, g)| [(f64::from(*e), *g), (-f64::from(*e), *g)]).collect();
    want.sort_by(|a, b| a.0.total_cmp(&b.0));
    want.dedup();
    assert_eq!(levels.density_of_states(), want);
}

#[test]
fn l03_exact_and_sampled_4x4_ising_model() {
    let model = ising(&[4, 4]);
    let levels = Levels::enumerate(&model).unwrap();
    for (t, log_z, u, c, m) in [
        (2.0, 17.105367119, -1.755380289, 0.605532657, 0.918943267),
        (CRITICAL, 15.521915459, -1.565623788, 0.783266826, 0.843860445),
        (3.0, 13.281033456, -1.017069627, 0.603134714, 0.601291326),
    ] {
        let exact = levels.at(t, 0.0);
        let closed = kaufman(4, 4, t);
        assert!(
            (16.0 * exact.log_partition - log_z).abs() < 1e-9
                && (16.0 * closed.log_partition - log_z).abs() < 1e-9
        );
        assert!((exact.energy - u).abs() < 1e-9 && (closed.energy - u).abs() < 1e-9);
        assert!((exact.heat_capacity - c).abs() < 1e-9 && (closed.heat_capacity - c).abs() < 1e-9);
        assert!((exact.absolute_magnetisation.unwrap() - m).abs() < 1e-9);
        for (algorithm, precision) in [
            (Algorithm::HeatBath, 1e-4),
            (Algorithm::Wolff, 1e-3),
            (Algorithm::Single, 1e-3),
            (Algorithm::Reference, 2e-2),
        ] {
            let point = &sampled(&model, &[(t, 0.0)], precision, algorithm)[0].summary;
            close("u", point.energy, u);
            close("c", point.heat_capacity, c);
            close("|m|", point.absolute_magnetisation, m);
            close("theta", point.concentration, 0.5);
            close("var", point.variance, exact.variance);
            close("binder", point.binder_cumulant, exact.binder_cumulant.unwrap());
        }
    }
}

#[test]
fn l04_kaufman() {
    for (l, t, log_z, u, c) in [
        (8, CRITICAL, 0.9397153248, -1.4915890, 1.14556),
        (16, 2.0, 1.0285008220, -1.7455306, 0.72551),
        (16, CRITICAL, 0.9321963150, -1.4530647, 1.49870),
        (32, CRITICAL, 0.9303203902, -1.4336582, 1.84676),
        (64, CRITICAL, 0.9298516317, -1.4239379, 2.19220),
    ] {
        let closed = kaufman(l, l, t);
        assert!((closed.log_partition - log_z).abs() < 1e-10, "{l} {t} {closed:?}");
        assert!(
            (closed.energy - u).abs() < 2e-6 && (closed.heat_capacity - c).abs() < 2e-4,
            "{l} {t} {closed:?}"
        );
        if l <= 32 {
            let point = &sampled(&ising(&[l, l]), &[(t, 0.0)], 1.9e-4, Algorithm::Auto)[0];
            close("u", point.summary.energy, closed.energy);
            close("c", point.summary.heat_capacity, closed.heat_capacity);
            assert!(point.summary.energy.error < 2e-4);
        }
    }
}

#[test]
fn l09_lattice_gas_on_a_chain() {
    let kt = BOLTZMANN_EV_PER_K * 300.0;
    for (eps, rows) in [
        (-0.05, vec![(-0.1, 0.026321063), (0.0, 0.973678937)]),
        (0.05, vec![(-0.1, 0.019783958), (0.0, 0.303370356), (0.05, 0.5), (0.1, 0.696629644)]),
    ] {
        let model = named(NamedLattice::Chain, &[512], Variables::Occupation, &[eps]);
        let conditions: Vec<(f64, f64)> = rows.iter().map(|r| (kt, r.0)).collect();
        let points = sampled(&model, &conditions, 1e-5, Algorithm::Auto);
        for ((mu, theta), point) in rows.iter().zip(points) {
            let exact = ring(&model, kt, *mu).unwrap();
            assert!((exact.concentration - theta).abs() < 1e-8, "{eps} {mu}: {exact:?}");
            close("theta", point.summary.concentration, *theta);
            close("u", point.summary.energy, exact.energy);
            close("c", point.summary.heat_capacity, exact.heat_capacity);
            close("var", point.summary.variance, exact.variance);
        }
    }
}

#[test]
fn l10_triangular_lattice_gas() {
    let kt = BOLTZMANN_EV_PER_K * 300.0;
    let model = named(NamedLattice::Triangular, &[4, 4], Variables::Occupation, &[0.03, -0.004]);
    let levels = Levels::enumerate(&model).unwrap();
    let rows = [
        (0.0, 0.43039099, 0.24026993, 0.002064146, 0.08326450),
        (0.05, 1.05346303, 0.40521454, 0.008815369, 0.08696492),
        (0.09, 1.78513962, 0.54073178, 0.018623907, 0.08763823),
        (0.12, 2.47136657, 0.64165787, 0.028416375, 0.08611395),
    ];
    let conditions: Vec<(f64, f64)> = rows.iter().map(|r| (kt, r.0)).collect();
    for algorithm in [Algorithm::HeatBath, Algorithm::Single] {
        let points = sampled(&model, &conditions, 2e-5, algorithm);
        for ((mu, log_xi, theta, energy, variance), point) in rows.into_iter().zip(points) {
            let exact = levels.at(kt, mu);
            assert!((exact.log_partition - log_xi).abs() < 1e-8, "{exact:?}");
            assert!((exact.concentration - theta).abs() < 1e-8, "{exact:?}");
            assert!(
                (exact.energy - energy).abs() < 1e-9 && (exact.variance - variance).abs() < 1e-8,
                "{exact:?}"
            );
            close("theta", point.summary.concentration, theta);
            close("u", point.summary.energy, energy);
            close("var", point.summary.variance, variance);
            close("c", point.summary.heat_capacity, exact.heat_capacity);
        }
    }
}

#[test]
fn l18_ising_ring() {
    // K = 0.5 and h = 0.1 in units of kT = 1: E - h M with M = 2N - sites, so mu = 2h and lnZ/N = lnXi/N - h.
    let model = named(NamedLattice::Chain, &[10], Variables::Spin, &[-0.5]);
    for exact in [Levels::enumerate(&model).unwrap().at(1.0, 0.2), ring(&model, 1.0, 0.2).unwrap()] {
        assert!((exact.log_partition - 0.1 - 0.826655436).abs() < 1e-9, "{exact:?}");
    }
}

/// Crossing of Binder's cumulants of two boxes by linear interpolation between kT = tc (1 -+ 0.004), and its error.
fn binder_crossing(lattice: NamedLattice, sizes: [usize; 2], tc: f64, precision: f64) -> Estimate {
    let delta = 0.004;
    let mut gaps = Vec::new();
    for sign in [-1.0, 1.0] {
        let kt = tc * (1.0 + sign * delta);
        let cumulants = sizes.map(|l| {
            let model = named(lattice, &vec![l; lattice.dimensions()], Variables::Spin, &[-1.0]);
            sampled(&model, &[(kt, 0.0)], precision, Algorithm::Wolff)[0].summary.binder_cumulant
        });
        gaps.push(Estimate {
            value: cumulants[1].value - cumulants[0].value,
            error: cumulants[1].error.hypot(cumulants[0].error),
        });
    }
    let (low, high) = (gaps[0], gaps[1]);
    let range = low.value - high.value;
    let at = low.value / range;
    let error = ((1.0 - at) * low.error).hypot(at * high.error) / range;
    Estimate { value: tc * (1.0 + delta * (2.0 * at - 1.0)), error: 2.0 * delta * tc * error }
}

fn crossing_is_critical(lattice: NamedLattice, sizes: [usize; 2], tc: f64, precision: f64) {
    let crossing = binder_crossing(lattice, sizes, tc, precision);
    let allowed = 0.002 * tc;
    assert!(crossing.error < 0.25 * allowed, "{lattice:?} {crossing:?}");
    assert!((crossing.value - tc).abs() < allowed, "{lattice:?}: {crossing:?} against {tc}");
}

#[test]
fn l05_critical_temperatures_by_binder_crossings() {
    crossing_is_critical(NamedLattice::Square, [16, 32], CRITICAL, 8e-4);
    crossing_is_critical(NamedLattice::Triangular, [16, 32], 4.0 / 3f64.ln(), 1.3e-3);
    crossing_is_critical(NamedLattice::Honeycomb, [16, 32], 2.0 / (2.0 + 3f64.sqrt()).ln(), 4e-4);
    crossing_is_critical(NamedLattice::Sc, [10, 20], 1.0 / 0.221654626, 1e-3);
}

#[test]
#[ignore = "a minute of sampling"]
fn l05_critical_temperatures_of_bcc_and_fcc() {
    crossing_is_critical(NamedLattice::Bcc, [8, 16], 1.0 / 0.1573725, 1e-3);
    crossing_is_critical(NamedLattice::Fcc, [8, 16], 1.0 / 0.1020707, 1.5e-3);
}
