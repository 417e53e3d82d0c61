//! All points of a run taken together, against exact sums.
#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with them")]

use scalade_crystal::NamedLattice;
use scalade_lattice::Estimate;
use scalade_lattice::model::exact::{ExactAverages, Levels, ring};
use scalade_lattice::model::{
    Algorithm, Condition, PairModel, RunSettings, SampledPoint, Variables, reweight, sample, sample_laws,
};
use scalade_numerics::Cholesky;

const KT: f64 = 8.617333262e-5 * 300.0;

fn deviation(got: Estimate, want: f64) -> f64 {
    (got.value - want) / got.error
}

fn l10() -> PairModel {
    PairModel::named(NamedLattice::Triangular, &[4, 4], Variables::Occupation, &[0.03, -0.004]).unwrap()
}

/// g per site and its chi^2 against the exact one, whose zero is that of the first sampled point.
fn chi_squared(
    sampled: &[SampledPoint],
    at: &[Condition],
    sites: usize,
    exact: impl Fn(Condition) -> ExactAverages,
) -> f64 {
    let curve = &reweight(sites, sampled, at).unwrap().curves[0];
    let zero = exact(sampled[0].condition).log_partition;
    let deviations: Vec<f64> = at
        .iter()
        .zip(&curve.free_energy)
        .map(|(condition, g)| {
            let want = exact(*condition);
            g - (condition.mu * want.concentration - condition.kt * (want.log_partition - zero))
        })
        .collect();
    Cholesky::new(&curve.covariance).unwrap().inverse_quadratic(&deviations)
}

#[test]
fn l10_reweighted_from_points_between_its_own() {
    let model = l10();
    let levels = Levels::enumerate(&model).unwrap();
    let conditions = [-0.03, 0.02, 0.07, 0.1, 0.14].map(|mu| Condition { kt: KT, mu });
    // Columns of the table: mu, theta, E/N, var(N)/N.
    let table = [
        (0.0, 0.24026993, 0.002064146, 0.08326450),
        (0.05, 0.40521454, 0.008815369, 0.08696492),
        (0.09, 0.54073178, 0.018623907, 0.08763823),
        (0.12, 0.64165787, 0.028416375, 0.08611395),
    ];
    for algorithm in [Algorithm::HeatBath, Algorithm::Single, Algorithm::RejectionFree] {
        let settings =
            RunSettings { precision: 2e-5, seed: 5, algorithm, samples: 8192, ..RunSettings::default() };
        let sampled = sample(&model, &conditions, &settings).unwrap();
        for point in &sampled {
            let samples = point.samples.as_ref().unwrap();
            assert!((1024..=8192).contains(&samples.values.len()), "{algorithm:?} {}", samples.values.len());
            assert!(samples.inefficiency >= 1.0 && samples.inefficiency < 20.0, "{}", samples.inefficiency);
        }
        let mut at: Vec<Condition> = table.iter().map(|row| Condition { kt: KT, mu: row.0 }).collect();
        at.extend(table.iter().map(|row| Condition { kt: 1.15 * KT, mu: row.0 }));
        let found = reweight(model.sites(), &sampled, &at).unwrap();
        assert_eq!((found.points.len(), found.curves.len()), (8, 2));
        let zero = levels.at(KT, conditions[0].mu).log_partition;
        for (point, condition) in found.points.iter().zip(&at) {
            let want = levels.at(condition.kt, condition.mu);
            let deviations = [
                deviation(point.concentration, want.concentration),
                deviation(point.energy, want.energy),
                deviation(point.log_partition, want.log_partition - zero),
            ];
            assert!(deviations.iter().all(|z| z.abs() < 4.0), "{algorithm:?} {condition:?} {deviations:?}");
            assert!(point.concentration.error < 2e-3 && point.energy.error < 1e-4, "{point:?}");
            assert!((point.variance / want.variance - 1.0).abs() < 0.05, "{point:?} {want:?}");
            assert!((point.heat_capacity / want.heat_capacity - 1.0).abs() < 0.06, "{point:?} {want:?}");
            assert!(point.effective_samples > 1000.0, "{}", point.effective_samples);
        }
        for (point, row) in found.points.iter().zip(&table) {
            let deviations = [deviation(point.concentration, row.1), deviation(point.energy, row.2)];
            assert!(deviations.iter().all(|z| z.abs() < 4.0), "{algorithm:?} {row:?} {deviations:?}");
            assert!((point.variance / row.3 - 1.0).abs() < 0.05);
        }
    }
}

#[test]
fn free_energy_curves_scatter_as_their_covariance_says() {
    let model = l10();
    let levels = Levels::enumerate(&model).unwrap();
    let conditions = [-0.02, 0.05, 0.12].map(|mu| Condition { kt: KT, mu });
    let at = [0.0, 0.03, 0.06, 0.1].map(|mu| Condition { kt: KT, mu });
    let squares: Vec<f64> = (0..40)
        .map(|seed| {
            // The configurations kept are dense enough in time to be correlated: the inefficiency counts.
            let settings = RunSettings {
                precision: 3e-5,
                seed,
                algorithm: Algorithm::Single,
                samples: 4096,
                ..RunSettings::default()
            };
            let sampled = sample(&model, &conditions, &settings).unwrap();
            chi_squared(&sampled, &at, model.sites(), |c| levels.at(c.kt, c.mu))
        })
        .collect();
    // Mean of 40 chi^2 of 4 numbers: 4 +- sqrt(8/40). (Errors of shorter runs are estimates on the safe side, the larger of several.)
    let mean = squares.iter().sum::<f64>() / 40.0;
    assert!((mean - 4.0).abs() < 4.0 * (8.0f64 / 40.0).sqrt(), "{mean} {squares:?}");
}

#[test]
fn long_chain_of_states_spans_a_large_box() {
    // A ring of 400 with repulsion: neighbouring points overlap, first and last do not.
    let model = PairModel::named(NamedLattice::Chain, &[400], Variables::Occupation, &[0.05]).unwrap();
    let grid = |from: f64, step: f64, count: i32| -> Vec<Condition> {
        (0..count).map(|i| Condition { kt: KT, mu: from + step * f64::from(i) }).collect()
    };
    let settings = RunSettings { precision: 2e-5, seed: 2, samples: 1024, ..RunSettings::default() };
    let sampled = sample(&model, &grid(-0.1, 0.008, 28), &settings).unwrap();
    let at = grid(-0.096, 0.02, 10);
    let found = reweight(400, &sampled, &at).unwrap();
    for (point, condition) in found.points.iter().zip(&at) {
        let want = ring(&model, condition.kt, condition.mu).unwrap();
        let deviations =
            [deviation(point.concentration, want.concentration), deviation(point.energy, want.energy)];
        assert!(deviations.iter().all(|z| z.abs() < 4.0), "{condition:?} {deviations:?}");
        assert!(point.concentration.error < 2e-3);
    }
    let chi = chi_squared(&sampled, &at, 400, |c| ring(&model, c.kt, c.mu).unwrap());
    assert!(chi < 10.0 + 4.0 * 20f64.sqrt(), "{chi}");
    // Without the middle the two ends share nothing, and the message names the gap.
    let ends: Vec<SampledPoint> = sampled[..4].iter().chain(&sampled[20..]).cloned().collect();
    let error = reweight(400, &ends, &at).unwrap_err().to_string();
    assert!(error.contains("neighbours 3 and 4"), "{error}");
}

#[test]
fn keeping_samples_changes_no_average_and_exchanges_may_go_on() {
    let model = l10();
    let conditions = [0.0, 0.05, 0.1].map(|mu| Condition { kt: KT, mu });
    for replica_exchange in [false, true] {
        let with = RunSettings {
            precision: 1e-4,
            seed: 8,
            samples: 1024,
            replica_exchange,
            ..RunSettings::default()
        };
        let kept = sample(&model, &conditions, &with).unwrap();
        let plain = sample(&model, &conditions, &RunSettings { samples: 0, ..with }).unwrap();
        for (k, p) in kept.iter().zip(&plain) {
            assert_eq!(k.summary, p.summary);
            assert!(p.samples.is_none() && k.samples.as_ref().unwrap().values.len() <= 1024);
        }
        let at = [Condition { kt: KT, mu: 0.075 }];
        let found = &reweight(model.sites(), &kept, &at).unwrap().points[0];
        let want = Levels::enumerate(&model).unwrap().at(KT, 0.075);
        assert!(deviation(found.energy, want.energy).abs() < 4.0);
        // Points that kept nothing are refused by name.
        let error = reweight(model.sites(), &plain, &at).unwrap_err().to_string();
        assert!(error.contains("state 0 has no samples"), "{error}");
    }
}

#[test]
fn samples_of_every_law_have_the_mean_of_the_run() {
    let model = l10();
    let settings = RunSettings { precision: 1e-4, seed: 4, samples: 4096, ..RunSettings::default() };
    let laws = [(KT, scalade_lattice::model::Law::Canonical { occupied: 7 })];
    for point in sample_laws(&model, &laws, &settings).unwrap() {
        let samples = point.samples.unwrap();
        assert!(samples.values.iter().all(|v| v[1] == 7.0));
        let mean = samples.values.iter().map(|v| v[0]).sum::<f64>() / samples.values.len() as f64 / 16.0;
        let variance = point.summary.heat_capacity.value * KT * KT / 16.0;
        let error = (samples.inefficiency * variance / samples.values.len() as f64).sqrt();
        let apart = (mean - point.summary.energy.value) / error.hypot(point.summary.energy.error);
        assert!(apart.abs() < 4.0, "{apart}");
    }
}
