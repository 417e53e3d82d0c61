//! Local cluster expansions: orbits against brute force, exact recovery, invariance, published data, and what is refused.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use common::local::{
    cutoffs, distance, fcc, hop, least_squares, made_up, ordered_sets, random_expansion, site,
};
use common::{FCC, rock_salt};
use scalade_crystal::{LatticeSite, Structure, row_times};
use scalade_expansion::local::{
    EventClass, Hop, HopExclusion, LocalCutoffs, arrange_hops, fit_local_expansion, hop_kinds, local_orbits,
    reach_angstrom,
};
use scalade_expansion::{ExpansionError, SiteBasis};
use scalade_handoff::local_expansion::{orbit_means, reversed};
use scalade_handoff::{Parity, SiteMap, SpeciesChange};
use scalade_lattice::{Column, FitMethod, FitProblem, LatticeError, MappingSettings, SolveSettings};
use scalade_numerics::{Matrix, Philox};
use std::collections::BTreeSet;

/// Coordinates from the middle of the hop along (1 1 0), (0 0 1) and (1 -1 0), in hundredths of the bond: the mirrors of a hop turn their signs.
fn framed(position: [f64; 3], middle: [f64; 3]) -> [i64; 3] {
    let d: [f64; 3] = std::array::from_fn(|i| position[i] - middle[i]);
    let along = [[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, -1.0]];
    along.map(|axis| (100.0 * (0..3).map(|i| axis[i] * d[i]).sum::<f64>()).round() as i64)
}

/// Sizes of the orbits of `order` sites by trying all sets of sites and the turns of sign given.
fn brute_force(order: usize, radius: f64, diameter: f64, flips: &[[i64; 3]]) -> Vec<usize> {
    let (a, b) = ([0.0; 3], FCC[0]);
    let middle: [f64; 3] = std::array::from_fn(|i| 0.5 * (a[i] + b[i]));
    let mut near = Vec::new();
    for i in -4..=4 {
        for j in -4..=4 {
            for k in -4..=4 {
                let p = row_times([f64::from(i), f64::from(j), f64::from(k)], &FCC);
                let from = distance(p, a).min(distance(p, b));
                if from > 0.1 && from < radius + 1e-6 {
                    near.push(p);
                }
            }
        }
    }
    let sets = ordered_sets(&near, order, diameter);
    let mut orbits: BTreeSet<Vec<Vec<[i64; 3]>>> = BTreeSet::new();
    for set in &sets {
        let places: Vec<[i64; 3]> = set.iter().map(|p| framed(*p, middle)).collect();
        let images: BTreeSet<Vec<[i64; 3]>> = flips
            .iter()
            .map(|flip| {
                let mut image: Vec<[i64; 3]> =
                    places.iter().map(|p| std::array::from_fn(|i| p[i] * flip[i])).collect();
                image.sort_unstable();
                image
            })
            .collect();
        orbits.insert(images.into_iter().collect());
    }
    let mut sizes: Vec<usize> = orbits.iter().map(Vec::len).collect();
    sizes.sort_unstable();
    sizes
}

#[test]
fn orbits_about_an_fcc_hop_are_those_of_brute_force() {
    let prim = fcc(&["Vac", "Li"], SiteBasis::Spin);
    let event = hop(site([0; 3], 0), site([1, 0, 0], 0), 1, 0);
    let sign = |bit: usize, of: usize| if of >> bit & 1 == 0 { 1 } else { -1 };
    let all: Vec<[i64; 3]> = (0..8).map(|n| std::array::from_fn(|bit| sign(bit, n))).collect();
    let forward: Vec<[i64; 3]> = all.iter().copied().filter(|f| f[0] == 1).collect();
    for (parity, flips) in [(Parity::Even, &all), (Parity::Directed, &forward)] {
        let limits = cutoffs(&[6.0, 4.3, 3.0], &[4.3, 3.0]);
        let orbits = local_orbits(&prim, &event, parity, &limits).unwrap();
        for (k, (radius, diameter)) in [(6.0, 1e9), (4.3, 4.3), (3.0, 3.0)].into_iter().enumerate() {
            let mut sizes: Vec<usize> =
                orbits.iter().filter(|o| o.order == k + 1).map(|o| o.terms.len()).collect();
            sizes.sort_unstable();
            assert_eq!(sizes, brute_force(k + 1, radius, diameter, flips), "{parity:?}, {} sites", k + 1);
        }
        // In order of sites, and of the distance from the event.
        let reach = |o: &scalade_handoff::FunctionOrbit| {
            let sites: Vec<LatticeSite> = o.terms[0].iter().map(|f| f.site).collect();
            (o.order, reach_angstrom(&prim, &event, &sites))
        };
        assert!(orbits.windows(2).all(|w| {
            let (a, b) = (reach(&w[0]), reach(&w[1]));
            a.0 < b.0 || (a.0 == b.0 && a.1 < b.1 + 1e-3)
        }));
    }
    // The common neighbours of both ends, four of them, come first: they are the gate of the hop.
    let orbits = local_orbits(&prim, &event, Parity::Even, &cutoffs(&[3.0], &[])).unwrap();
    let mut sizes: Vec<usize> = orbits.iter().map(|o| o.terms.len()).collect();
    sizes.sort_unstable();
    // 12 + 12 neighbours of the ends, less the ends, less 4 that count twice.
    assert_eq!(sizes.iter().sum::<usize>(), 18);
}

/// Multiplicities of classes: six directions of fcc bonds, twelve with their sense.
#[test]
fn multiplicities_of_fcc_hops() {
    let prim = fcc(&["Vac", "Li"], SiteBasis::Spin);
    let event = hop(site([0; 3], 0), site([1, 0, 0], 0), 1, 0);
    for (parity, count) in [(Parity::Even, 6), (Parity::Directed, 12)] {
        let class = EventClass::new(&prim, &event, parity).unwrap();
        assert_eq!(class.multiplicity(), count);
        assert!(class.events().all(|e| class.map_to(e).is_some()));
    }
    // Of another kind: a second neighbour, another ion, a single site.
    let class = EventClass::new(&prim, &event, Parity::Even).unwrap();
    assert!(class.map_to(&hop(site([0; 3], 0), site([1, 1, -1], 0), 1, 0)).is_none());
    assert!(class.map_to(&event[..1]).is_none());
    assert!(class.map_to(&[]).is_none());
    // A hop anywhere, its changes in any order.
    let there = hop(site([5, -7, 2], 0), site([5, -6, 2], 0), 0, 1);
    assert!(class.map_to(&there).is_some());
    let directed = EventClass::new(&prim, &event, Parity::Directed).unwrap();
    let mut swapped = there.clone();
    swapped.reverse();
    assert_eq!(directed.map_to(&there), directed.map_to(&swapped));
}

/// A species for every site of the infinite lattice, from a hash of the site.
fn scattered(site: LatticeSite, kinds: usize, seed: u64) -> usize {
    let mut h = seed;
    for n in site.cell.iter().map(|c| *c as u64).chain([site.basis as u64]) {
        h = (h ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        h ^= h >> 29;
    }
    (h >> 20) as usize % kinds
}

#[test]
fn values_turn_with_the_crystal() {
    let prim = rock_salt(SiteBasis::Sinusoid);
    let sites = prim.hand_off_sites();
    let event = hop(site([0; 3], 0), site([0, 0, 1], 0), 1, 0);
    for parity in [Parity::Even, Parity::Directed] {
        let orbits = local_orbits(&prim, &event, parity, &cutoffs(&[4.5, 3.0], &[3.0])).unwrap();
        let class = EventClass::new(&prim, &event, parity).unwrap();
        let mut rng = Philox::new(3, 0, 0);
        let weights: Vec<f64> = orbits.iter().map(|_| rng.normal()).collect();
        let value = |e: &[SpeciesChange], s: &dyn Fn(LatticeSite) -> usize| -> f64 {
            let map = class.map_to(e).unwrap();
            let means = orbit_means(&orbits, &sites, |at| s(map.image(at)));
            means.iter().zip(&weights).map(|(m, w)| m * w).sum()
        };
        let positions: Vec<[f64; 3]> = sites.iter().map(|s| s.fractional).collect();
        let here = |at: LatticeSite| scattered(at, sites[at.basis].species.len(), 11);
        let mut differing = 0;
        for (n, operation) in prim.space_group().operations.iter().enumerate() {
            let map = SiteMap::new(prim.lattice_angstrom(), &positions, operation, 2e-3).unwrap();
            let map = map.moved([2, -1, n as i32 % 3]);
            let turned = map.event_image(&event);
            // The turned event in the crystal is the event in the crystal turned back.
            let (a, b) = (value(&turned, &here), value(&event, &|at| here(map.image(at))));
            assert!((a - b).abs() < 1e-12, "{parity:?}, operation {n}: {a} {b}");
            differing += usize::from((a - value(&event, &here)).abs() > 1e-6);
            // The reverse is the same or another, as the parity says.
            let back = (value(&reversed(&turned), &here) - a).abs();
            match parity {
                Parity::Even => assert!(back < 1e-12),
                Parity::Directed => assert!(back > 1e-9),
            }
        }
        let settings = prim.space_group().operations.len();
        assert!(
            settings == 24 && differing > 20,
            "the surroundings differ in {differing} of {settings} settings"
        );
    }
}

#[test]
fn coefficients_are_recovered_exactly_in_every_basis() {
    for basis in [SiteBasis::Occupation, SiteBasis::Spin, SiteBasis::Sinusoid] {
        let ternary = fcc(&["Vac", "Li", "Mn"], basis);
        let salt = rock_salt(basis);
        let event = hop(site([0; 3], 0), site([1, 0, 0], 0), 1, 0);
        let cases = [
            (&ternary, Parity::Even, cutoffs(&[4.3, 3.0], &[3.0])),
            (&ternary, Parity::Directed, cutoffs(&[3.0], &[])),
            (&salt, Parity::Even, cutoffs(&[3.0, 2.2], &[3.0])),
        ];
        for (prim, parity, limits) in cases {
            let truth = random_expansion(prim, &event, parity, &limits);
            let hops = made_up(&truth, [4, 4, 4], 2 * truth.coefficients_ev.len() + 20);
            let fit = fit_local_expansion(prim, &event, parity, &hops, &limits, &least_squares()).unwrap();
            assert!(fit.excluded.is_empty() && fit.expansion.orbits == truth.orbits);
            for (found, known) in fit.expansion.coefficients_ev.iter().zip(&truth.coefficients_ev) {
                assert!((found - known).abs() < 1e-9, "{basis:?} {parity:?}: {found} {known}");
            }
            assert!(fit.solution.leave_one_out_rmse() < 1e-9);
            assert!(fit.diagnostics.iter().all(|d| d.code != "self-image"), "{:?}", fit.diagnostics);
        }
    }
}

#[test]
fn boxes_that_are_too_narrow_and_hops_of_other_kinds_are_named() {
    let prim = fcc(&["Vac", "Li"], SiteBasis::Spin);
    let event = hop(site([0; 3], 0), site([1, 0, 0], 0), 1, 0);
    let limits = cutoffs(&[4.3], &[]);
    let truth = random_expansion(&prim, &event, Parity::Even, &limits);
    let mut hops = made_up(&truth, [2, 2, 2], 40);
    hops[7].event = hop(site([0; 3], 0), site([1, 1, -1], 0), 1, 0);
    let settings = SolveSettings { method: FitMethod::Bayesian, ..least_squares() };
    let fit = fit_local_expansion(&prim, &event, Parity::Even, &hops, &limits, &settings).unwrap();
    assert_eq!(fit.excluded.len(), 1);
    assert_eq!((fit.excluded[0].id.as_str(), &fit.excluded[0].reason), ("hop-7", &HopExclusion::OtherEvent));
    assert_eq!(fit.parity.len(), 39);
    let narrow = fit.diagnostics.iter().find(|d| d.code == "self-image").unwrap();
    assert_eq!(narrow.structures.len(), 39);
    let kinds = hop_kinds(&prim, &hops, Parity::Even).unwrap();
    assert_eq!(kinds.iter().map(|k| k.hops.len()).collect::<Vec<_>>(), [39, 1]);
    // Too few, and clusters that the hops do not tell apart.
    let few = fit_local_expansion(&prim, &event, Parity::Even, &hops[..2], &limits, &settings);
    assert!(matches!(few, Err(ExpansionError::Length { expected: 3, got: 2, .. })));
    let blind = fit_local_expansion(&prim, &event, Parity::Even, &hops[..6], &limits, &least_squares());
    let said = blind.unwrap_err().to_string();
    assert!(said.contains("from the event"), "{said}");
}

/// A hop in a box of structures, one atom moved, the atoms in another order, the host drifted and the second cell strained.
#[test]
fn hops_are_found_between_structures() {
    let prim = rock_salt(SiteBasis::Spin);
    let size = 3;
    let lattice = FCC.map(|row| row.map(|v| v * f64::from(size)));
    let place = |cell: [i32; 3], within: f64| -> [f64; 3] {
        std::array::from_fn(|i| (f64::from(cell[i]) + within) / f64::from(size))
    };
    let structure = |ion: [i32; 3], drift: f64, strain: f64, backwards: bool| {
        let mut atoms: Vec<(String, [f64; 3])> = Vec::new();
        for i in 0..size {
            for j in 0..size {
                for k in 0..size {
                    let cell = [i, j, k];
                    atoms.push(("O".into(), place(cell, 0.5)));
                    atoms.push(("H".into(), place(cell, 0.25)));
                    if (i + j + k) % 3 == 0 && cell != [2, 2, 2] && cell != [0, 0, 0] {
                        atoms.push(("Mn3".into(), place(cell, 0.0)));
                    }
                }
            }
        }
        atoms.push(("Li".into(), place(ion, 0.0)));
        if backwards {
            atoms.reverse();
        }
        let (species, positions): (Vec<String>, Vec<[f64; 3]>) =
            atoms.into_iter().map(|(s, p)| (s, p.map(|x| x + drift))).unzip();
        Structure::new(lattice.map(|row| row.map(|v| v * (1.0 + strain))), species, positions).unwrap()
    };
    // Over the boundary of the box: from (0, 0, 0) to (2, 0, 0), which is (-1, 0, 0).
    let (from, to) = ([0, 0, 0], [2, 0, 0]);
    let given = |id: &str, initial, last, value_ev| Hop { id: id.into(), initial, last, value_ev };
    let hops = [
        given("good", structure(from, 0.0, 0.0, false), structure(to, 0.004, 0.01, true), 0.3),
        given("still", structure(from, 0.0, 0.0, false), structure(from, 0.0, 0.0, true), 0.3),
        given("nan", structure(from, 0.0, 0.0, false), structure(to, 0.0, 0.0, true), f64::NAN),
        given("strained", structure(from, 0.0, 0.0, false), structure(to, 0.0, 0.4, true), 0.3),
    ];
    let report = arrange_hops(&prim, &hops, &MappingSettings::default());
    assert_eq!(report.arranged.len(), 1, "{:?}", report.excluded);
    let found = &report.arranged[0];
    let class =
        EventClass::new(&prim, &hop(site([0; 3], 0), site([1, 0, 0], 0), 1, 0), Parity::Even).unwrap();
    assert!(class.map_to(&found.event).is_some(), "{:?}", found.event);
    let reasons: Vec<(&str, String)> =
        report.excluded.iter().map(|e| (e.id.as_str(), e.reason.to_string())).collect();
    assert!(reasons[0].0 == "still" && reasons[0].1.contains("same arrangement"), "{reasons:?}");
    assert!(reasons[1].0 == "nan" && reasons[1].1.contains("NaN"), "{reasons:?}");
    assert!(reasons[2].0 == "strained" && reasons[2].1.contains("last structure"), "{reasons:?}");
}

/// Numbers of a text of rows.
fn rows(text: &str) -> Vec<Vec<f64>> {
    text.lines()
        .filter(|l| !l.trim().is_empty())
        .map(|l| l.split_whitespace().map(|t| t.parse().unwrap()).collect())
        .collect()
}

/// Reference result N1: sodium hops in NASICON (`data/transport/nasicon_lce`).
#[test]
fn n1_published_local_expansion_of_nasicon() {
    let design = rows(include_str!("../../../data/transport/nasicon_lce/correlation_matrix.txt"));
    let column = |text: &str| rows(text).concat();
    let barriers = column(include_str!("../../../data/transport/nasicon_lce/e_kra.txt"));
    let weights = column(include_str!("../../../data/transport/nasicon_lce/weight.txt"));
    let published = column(include_str!("../../../data/transport/nasicon_lce/keci.txt"));
    assert_eq!((design.len(), design[0].len(), barriers.len(), published.len()), (15, 24, 15, 24));
    // Without the constant, which the file does not hold.
    let differences: Vec<f64> = design
        .iter()
        .zip(&barriers)
        .map(|(row, e)| row.iter().zip(&published).map(|(a, b)| a * b).sum::<f64>() - e)
        .collect();
    let mean = differences.iter().sum::<f64>() / 15.0;
    let rms = |values: &[f64]| (values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64).sqrt();
    let scatter = rms(&differences.iter().map(|d| d - mean).collect::<Vec<_>>());
    assert!((mean + 359.07).abs() < 0.005, "{mean}");
    assert!((scatter - 8.93).abs() < 0.005, "{scatter}");
    // The same data by the methods here, in eV.
    let mut matrix = Matrix::zeros(15, 25);
    for (i, row) in design.iter().enumerate() {
        matrix.row_mut(i)[0] = 1.0;
        matrix.row_mut(i)[1..].copy_from_slice(row);
    }
    let columns: Vec<Column> = std::iter::once(Column::Constant)
        .chain((0..24).map(|_| Column::Local { order: 1, reach_angstrom: 1.0 }))
        .collect();
    let ids = (0..15).map(|i| format!("hop {i}")).collect();
    let energies: Vec<f64> = barriers.iter().map(|e| e / 1000.0).collect();
    let problem = FitProblem::new(matrix, &energies, weights, columns, ids).unwrap();
    let settings = |method| SolveSettings { method, folds: None, samples: 0, seed: 1 };
    let refused = problem.solve(&settings(FitMethod::LeastSquares));
    assert!(matches!(refused, Err(LatticeError::RankDeficient { rows: 15, columns: 25, .. })), "{refused:?}");
    let average = barriers.iter().sum::<f64>() / 15.0;
    let spread = rms(&barriers.iter().map(|e| e - average).collect::<Vec<_>>());
    for method in [FitMethod::Bayesian, FitMethod::Ridge { penalty: None }, FitMethod::AutomaticRelevance] {
        let solved = problem.solve(&settings(method)).unwrap();
        let (training, predicted) = (1000.0 * rms(&solved.residuals), 1000.0 * rms(&solved.leave_one_out));
        // Fifteen hops do not tell 24 clusters: errors of training are far below those of prediction, whatever the method.
        assert!(2.0 * training < predicted, "{method:?} {training} {predicted}");
        assert!(predicted > spread, "the README of the data says otherwise: {method:?} {predicted} {spread}");
        if let FitMethod::Ridge { .. } = method {
            assert!(training < scatter, "{training} {scatter}");
        }
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let prim = rock_salt(SiteBasis::Spin);
    let event = hop(site([0; 3], 0), site([1, 0, 0], 0), 1, 0);
    let said = |event: &[SpeciesChange], limits: LocalCutoffs| {
        local_orbits(&prim, event, Parity::Even, &limits).unwrap_err().to_string()
    };
    assert!(said(&event, cutoffs(&[f64::NAN], &[])).contains("NaN"));
    assert!(said(&event, cutoffs(&[-1.0], &[])).contains("-1"));
    assert!(said(&event, cutoffs(&[3.0], &[3.0])).contains("diameters"));
    assert!(said(&event, cutoffs(&[1e6], &[])).contains("limit"));
    assert!(said(&event, cutoffs(&[3.0, 3.0, 8.0], &[3.0])).contains("limit"));
    let wrong = |change: &dyn Fn(&mut Vec<SpeciesChange>)| {
        let mut event = event.clone();
        change(&mut event);
        said(&event, cutoffs(&[3.0], &[]))
    };
    assert!(wrong(&|e| e.clear()).contains("sites of an event"));
    assert!(wrong(&|e| e[0].site.basis = 9).contains("sublattice"));
    assert!(wrong(&|e| e[0].after = 1).contains("nothing changes"));
    assert!(wrong(&|e| e[1].before = 70).contains("species"));
    assert!(wrong(&|e| e[1].site = e[0].site).contains("twice"));
    assert!(wrong(&|e| e[1].site.cell[0] = i32::MAX).contains("2^20"));
    assert!(EventClass::new(&prim, &[], Parity::Even).is_err());
    assert!(arrange_hops(&prim, &[], &MappingSettings::default()).arranged.is_empty());
    // No clusters at all: a constant, the mean of the values.
    let truth = random_expansion(&prim, &event, Parity::Even, &cutoffs(&[3.0], &[]));
    let hops = made_up(&truth, [4, 4, 4], 10);
    let fit =
        fit_local_expansion(&prim, &event, Parity::Even, &hops, &LocalCutoffs::default(), &least_squares())
            .unwrap();
    let mean = hops.iter().map(|h| h.value_ev).sum::<f64>() / 10.0;
    assert!((fit.expansion.coefficients_ev[0] - mean).abs() < 1e-12);
}
