//! Invariants, metamorphic relations, and the hull against a slow reference.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use scalade_energetics::{ComputedEntry, IonReference, VoltageProfile, voltage_profile};
use scalade_numerics::Philox;
use scalade_record::{Provenance, Uncertainty};
use std::collections::BTreeMap;

fn lithium() -> IonReference {
    IonReference::new("Li", -1.9).unwrap()
}

/// Entries from (formula units, ions, energy per formula unit).
fn entries(cells: &[(u64, u64, f64)]) -> Vec<ComputedEntry> {
    let build = |(index, (units, ions, energy)): (usize, &(u64, u64, f64))| {
        let atoms = [("Li", *ions), ("Co", *units), ("O", 2 * units)];
        ComputedEntry::new(&format!("e{index:03}"), atoms, energy * *units as f64)
    };
    cells.iter().enumerate().map(build).collect()
}

fn cells() -> impl Strategy<Value = Vec<(u64, u64, f64)>> {
    // Energies near a parabola, on a coarse grid so that ties and collinear points occur.
    let cell = (1u64..9, 0.0..1.0f64, -20i32..20).prop_map(|(units, share, noise)| {
        let ions = (share * (units + 1) as f64) as u64;
        let x = ions as f64 / units as f64;
        (units, ions, -20.0 - 5.5 * x + (x * x - x) * 0.25 + f64::from(noise / 4) * 0.0625)
    });
    proptest::collection::vec(cell, 1..30).prop_map(|mut cells| {
        cells.push((1, 0, -20.0));
        cells.push((2, 2, -25.5));
        cells
    })
}

/// Energy of the hull at x by trying every pair of points on both sides.
fn slow_hull_energy(points: &[(f64, f64)], x: f64) -> f64 {
    let mut lowest = f64::INFINITY;
    for (xa, ea) in points.iter().filter(|p| p.0 <= x) {
        for (xb, eb) in points.iter().filter(|p| p.0 >= x) {
            let energy = if xa == xb { ea.min(*eb) } else { ea + (eb - ea) * (x - xa) / (xb - xa) };
            lowest = lowest.min(energy);
        }
    }
    lowest
}

fn same_steps(a: &VoltageProfile, b: &VoltageProfile, tolerance: f64) -> Result<(), TestCaseError> {
    prop_assert_eq!(a.steps.len(), b.steps.len());
    for (p, q) in a.steps.iter().zip(&b.steps) {
        prop_assert_eq!((p.x_from, p.x_to), (q.x_from, q.x_to));
        prop_assert!((p.voltage_v - q.voltage_v).abs() <= tolerance, "{} {}", p.voltage_v, q.voltage_v);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn hull_is_convex_below_all_points_and_equals_the_slow_one(cells in cells()) {
        let profile = voltage_profile(&entries(&cells), &lithium(), 1).unwrap();
        let hull = &profile.hull;
        let plain: Vec<(f64, f64)> = hull.points.iter().map(|p| (p.x, p.energy_ev)).collect();
        for point in &hull.points {
            let slow = point.energy_ev - slow_hull_energy(&plain, point.x);
            prop_assert!((point.above_hull_ev - slow).abs() < 1e-12, "{} {}", point.above_hull_ev, slow);
            prop_assert!(point.above_hull_ev >= 0.0 && (!point.vertex || point.above_hull_ev == 0.0));
        }
        let vertices: Vec<_> = hull.vertex_points().collect();
        prop_assert_eq!(vertices.len(), hull.points.iter().filter(|p| p.vertex).count());
        prop_assert_eq!(vertices[0].x, hull.points[0].x);
        prop_assert_eq!(vertices[vertices.len() - 1].x, hull.points[hull.points.len() - 1].x);
        prop_assert_eq!((vertices[0].formation_energy_ev, vertices[vertices.len() - 1].formation_energy_ev), (0.0, 0.0));
        for pair in profile.steps.windows(2) {
            // Energies lie on a grid of 1/16 eV and x has denominators to 8, so a true corner is far above
            // rounding.
            prop_assert!(pair[0].voltage_v > pair[1].voltage_v + 1e-9, "{:?}", pair);
            prop_assert_eq!(pair[0].x_to, pair[1].x_from);
        }
    }

    #[test]
    fn the_integral_of_the_voltage_is_the_reaction_energy(cells in cells()) {
        let profile = voltage_profile(&entries(&cells), &lithium(), 1).unwrap();
        let integral: f64 = profile.steps.iter().map(|s| s.voltage_v * (s.x_to - s.x_from)).sum();
        let range = profile.steps[profile.steps.len() - 1].x_to - profile.steps[0].x_from;
        prop_assert!((integral - profile.average_voltage_v * range).abs() < 1e-12);
    }

    #[test]
    fn a_constant_per_host_shifts_nothing(cells in cells(), shift in -64i32..64) {
        let shifted: Vec<_> = cells.iter().map(|(n, k, e)| (*n, *k, e + f64::from(shift))).collect();
        let (a, b) = (voltage_profile(&entries(&cells), &lithium(), 1).unwrap(), voltage_profile(&entries(&shifted), &lithium(), 1).unwrap());
        same_steps(&a, &b, 1e-11)?;
        for (p, q) in a.hull.points.iter().zip(&b.hull.points) {
            prop_assert!((p.formation_energy_ev - q.formation_energy_ev).abs() < 1e-11);
        }
    }

    #[test]
    fn an_energy_per_ion_shifts_all_voltages_alike(cells in cells(), shift in -3.0..3.0f64) {
        let tilted: Vec<_> = cells.iter().map(|(n, k, e)| (*n, *k, e + shift * *k as f64 / *n as f64)).collect();
        let a = voltage_profile(&entries(&cells), &lithium(), 1).unwrap();
        let b = voltage_profile(&entries(&tilted), &lithium(), 1).unwrap();
        let c = voltage_profile(&entries(&cells), &IonReference::new("Li", -1.9 - shift).unwrap(), 1).unwrap();
        same_steps(&b, &c, 1e-11)?;
        prop_assert!((b.average_voltage_v - (a.average_voltage_v - shift)).abs() < 1e-11);
    }

    #[test]
    fn scaling_cells_and_permuting_entries(cells in cells(), factor in 2u64..9, seed in any::<u64>()) {
        let straight = entries(&cells);
        let scaled: Vec<ComputedEntry> = straight.iter().map(|e| ComputedEntry {
            counts: e.counts.iter().map(|(s, n)| (s.clone(), n * factor)).collect::<BTreeMap<_, _>>(),
            energy_ev: e.energy_ev.map(|e| e * factor as f64),
            ..e.clone()
        }).collect();
        let a = voltage_profile(&straight, &lithium(), 1).unwrap();
        same_steps(&a, &voltage_profile(&scaled, &lithium(), 1).unwrap(), 1e-12)?;
        let mut random = Philox::new(seed, 0, 0);
        let mut keyed: Vec<(f64, ComputedEntry)> = straight.into_iter().map(|e| (random.normal(), e)).collect();
        keyed.sort_by(|p, q| p.0.total_cmp(&q.0));
        let permuted: Vec<_> = keyed.into_iter().map(|p| p.1).collect();
        prop_assert_eq!(voltage_profile(&permuted, &lithium(), 1).unwrap(), a.clone());
        // Counting per two formula units halves no voltage.
        let doubled = voltage_profile(&permuted, &lithium(), 2).unwrap();
        prop_assert_eq!(doubled.steps.len(), a.steps.len());
        for (p, q) in doubled.steps.iter().zip(&a.steps) {
            prop_assert!((p.voltage_v - q.voltage_v).abs() < 1e-12 && p.x_to == 2.0 * q.x_to);
        }
    }
}

#[test]
fn collinear_and_equal_points_make_no_steps() {
    // Decimal energies on one line: not one line in binary.
    let line = entries(&[
        (1, 0, -0.1),
        (3, 1, -0.2),
        (3, 2, -0.3),
        (1, 1, -0.4),
        (2, 1, -0.25),
        (1, 1, -0.4),
        (4, 1, -0.175),
    ]);
    let profile = voltage_profile(&line, &lithium(), 1).unwrap();
    assert_eq!(profile.steps.len(), 1);
    // Of equal entries the first id is the vertex.
    assert_eq!((profile.steps[0].from_id.as_str(), profile.steps[0].to_id.as_str()), ("e000", "e003"));
    assert!(profile.hull.points.iter().all(|p| p.above_hull_ev < 1e-15));
    // A picoelectronvolt is above rounding.
    let bent = entries(&[(1, 0, -0.1), (2, 1, -0.25 - 1e-12), (1, 1, -0.4)]);
    assert_eq!(voltage_profile(&bent, &lithium(), 1).unwrap().steps.len(), 2);
}

#[test]
fn standard_errors_propagate_as_samples_say() {
    let cells = [(2, 0, -20.0), (4, 2, -23.2), (1, 1, -25.5)];
    let errors = [0.02, 0.05, 0.01];
    let reference = lithium().with_standard_error_ev(0.008);
    let with_errors: Vec<_> =
        entries(&cells).into_iter().zip(errors).map(|(e, s)| e.with_standard_error_ev(s)).collect();
    let profile = voltage_profile(&with_errors, &reference, 1).unwrap();
    let covariance = profile.step_covariance().unwrap();
    for (k, step) in profile.steps.iter().enumerate() {
        assert!((covariance[k][k].sqrt() - step.standard_error_v.unwrap()).abs() < 1e-15);
    }
    // Both steps together are the average, also in their errors.
    let width: Vec<f64> = profile.steps.iter().map(|s| s.x_to - s.x_from).collect();
    let total: f64 = (0..2)
        .flat_map(|i| (0..2).map(move |j| (i, j)))
        .map(|(i, j)| width[i] * covariance[i][j] * width[j])
        .sum();
    assert!((total.sqrt() - profile.average_standard_error_v.unwrap()).abs() < 1e-15);

    let mut random = Philox::new(5, 0, 0);
    let n = 40_000;
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..n {
        let drawn: Vec<_> = with_errors
            .iter()
            .map(|e| ComputedEntry {
                energy_ev: e.energy_ev.map(|v| v + random.normal() * e.standard_error_ev.unwrap()),
                ..e.clone()
            })
            .collect();
        let metal = IonReference::new("Li", -1.9 + 0.008 * random.normal()).unwrap();
        let profile = voltage_profile(&drawn, &metal, 1).unwrap();
        assert_eq!(profile.steps.len(), 2);
        samples[0].push(profile.steps[0].voltage_v);
        samples[1].push(profile.steps[1].voltage_v);
    }
    let means = [scalade_numerics::mean(&samples[0]), scalade_numerics::mean(&samples[1])];
    for (i, j) in [(0, 0), (0, 1), (1, 1)] {
        let products: Vec<f64> =
            samples[i].iter().zip(&samples[j]).map(|(a, b)| (a - means[i]) * (b - means[j])).collect();
        let z = (scalade_numerics::mean(&products) - covariance[i][j])
            / (scalade_numerics::variance(&products) / f64::from(n)).sqrt();
        assert!(z.abs() < 4.0, "covariance {i} {j}: z = {z}");
    }
}

#[test]
fn errors_that_are_not_stated_stay_unstated() {
    let mut set = entries(&[(1, 0, -20.0), (1, 1, -25.5)]);
    let why = || Provenance::Assumed { why: "test".into() };
    let profile = voltage_profile(&set, &lithium(), 1).unwrap();
    assert_eq!((profile.average_standard_error_v, profile.step_covariance()), (None, None));
    assert!(matches!(profile.tracked_average(why()).unwrap().uncertainty, Uncertainty::None { .. }));
    set[0].standard_error_ev = Some(0.1);
    assert_eq!(voltage_profile(&set, &lithium(), 1).unwrap().average_standard_error_v, None);
    set[1].standard_error_ev = Some(0.0);
    let profile = voltage_profile(&set, &lithium(), 1).unwrap();
    assert!((profile.average_standard_error_v.unwrap() - 0.1).abs() < 1e-15);
    let tracked = profile.tracked_steps(&why()).unwrap();
    assert_eq!(
        (tracked.len(), tracked[0].unit.as_str(), tracked[0].value),
        (1, "V", profile.average_voltage_v)
    );
    let text = serde_json::to_string(&profile).unwrap();
    assert_eq!(serde_json::from_str::<VoltageProfile>(&text).unwrap(), profile);
}
