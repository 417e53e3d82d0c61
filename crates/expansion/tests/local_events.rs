//! Local cluster expansions: hops between sublattices, events of several sites in small boxes, errors of prediction, and what would never end.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use common::local::{
    cutoffs, distance, fcc, hop, least_squares, made_up, ordered_sets, random_expansion, site,
};
use common::{FCC, choices};
use scalade_crystal::{LatticeSite, MoyoFinder, Structure, row_times};
use scalade_expansion::local::{
    EventClass, Hop, HopExclusion, HopReport, LocalCutoffs, arrange_hops, fit_local_expansion, local_orbits,
};
use scalade_expansion::{ExpansionError, Prim, SiteBasis};
use scalade_handoff::{Parity, SpeciesChange};
use scalade_lattice::{FitMethod, MappingSettings, SolveSettings, Supercell};
use scalade_numerics::Philox;
use std::collections::BTreeSet;

/// Octahedral and both tetrahedral sites of fcc, each empty or taken.
fn interstitial(basis: SiteBasis) -> Prim {
    let taken: &[&str] = &["Vac", "Li"];
    let sites = [([0.0; 3], taken), ([0.25; 3], taken), ([0.75; 3], taken)];
    Prim::new(choices(FCC, &sites), basis, 1.0, &MoyoFinder, 1e-3).unwrap()
}

/// Sizes of the orbits about a hop from (0, 0, 0) to (1, 1, 1) a/4 by trying all sets of sites: the six permutations of the axes keep it, and nothing
/// reverses it.
fn brute_force(order: usize, radius: f64, diameter: f64) -> Vec<usize> {
    let ends = [[0.0; 3], [1.05; 3]];
    let mut near = Vec::new();
    for n in 0..9 * 9 * 9 {
        let cell = [n / 81, n / 9 % 9, n % 9].map(|c| f64::from(c) - 4.0);
        for within in [0.0, 0.25, 0.75] {
            let p = row_times(cell.map(|c| c + within), &FCC);
            let from = distance(p, ends[0]).min(distance(p, ends[1]));
            if from > 0.1 && from < radius + 1e-6 {
                near.push(p);
            }
        }
    }
    let sets = ordered_sets(&near, order, diameter);
    let turns = [[0, 1, 2], [1, 2, 0], [2, 0, 1], [1, 0, 2], [0, 2, 1], [2, 1, 0]];
    let turned = |set: &[[f64; 3]], turn: [usize; 3]| {
        let mut image: Vec<[i64; 3]> =
            set.iter().map(|p| turn.map(|axis| (1000.0 * p[axis]).round() as i64)).collect();
        image.sort_unstable();
        image
    };
    let orbit = |set: &Vec<[f64; 3]>| -> BTreeSet<Vec<[i64; 3]>> {
        turns.iter().map(|turn| turned(set, *turn)).collect()
    };
    let orbits: BTreeSet<_> = sets.iter().map(orbit).collect();
    let mut sizes: Vec<usize> = orbits.iter().map(BTreeSet::len).collect();
    sizes.sort_unstable();
    sizes
}

#[test]
fn hops_between_sublattices_have_the_symmetry_of_their_axis() {
    let limits = cutoffs(&[4.3, 2.6], &[2.6]);
    let event = hop(site([0; 3], 0), site([0; 3], 1), 1, 0);
    for basis in [SiteBasis::Occupation, SiteBasis::Spin, SiteBasis::Sinusoid] {
        let prim = interstitial(basis);
        for parity in [Parity::Even, Parity::Directed] {
            let orbits = local_orbits(&prim, &event, parity, &limits).unwrap();
            for (k, (radius, diameter)) in [(4.3, 1e9), (2.6, 2.6)].into_iter().enumerate() {
                let mut sizes: Vec<usize> =
                    orbits.iter().filter(|o| o.order == k + 1).map(|o| o.terms.len()).collect();
                sizes.sort_unstable();
                assert_eq!(sizes, brute_force(k + 1, radius, diameter), "{parity:?}, {} sites", k + 1);
            }
            // Eight tetrahedra about each octahedron.
            assert_eq!(EventClass::new(&prim, &event, parity).unwrap().multiplicity(), 8);
        }
        let truth = random_expansion(&prim, &event, Parity::Even, &limits);
        let hops = made_up(&truth, [4, 4, 4], 2 * truth.coefficients_ev.len() + 20);
        let fit = fit_local_expansion(&prim, &event, Parity::Even, &hops, &limits, &least_squares()).unwrap();
        for (found, known) in fit.expansion.coefficients_ev.iter().zip(&truth.coefficients_ev) {
            assert!((found - known).abs() < 1e-9, "{basis:?}: {found} {known}");
        }
    }
}

/// The list of events of a hand-off and the search for the map to an event are two ways to one number.
#[test]
fn both_ways_give_the_values_of_all_events_of_a_box() {
    let prim = fcc(&["Vac", "Li", "Mn"], SiteBasis::Sinusoid);
    let supercell = Supercell::new([[3, 0, 0], [1, 3, 0], [0, 0, 4]], 1).unwrap();
    let mut rng = Philox::new(9, 0, 0);
    for (parity, per_cell) in [(Parity::Even, 6), (Parity::Directed, 12)] {
        let event = hop(site([0; 3], 0), site([1, 0, 0], 0), 1, 0);
        let expansion = random_expansion(&prim, &event, parity, &cutoffs(&[4.3, 3.0], &[3.0]));
        let class = EventClass::new(&prim, &event, parity).unwrap();
        let species: Vec<u8> = (0..supercell.sites()).map(|_| rng.below(3) as u8).collect();
        let (mut compared, mut values) = (0, Vec::new());
        for about in expansion.events().unwrap() {
            for cell in 0..supercell.cells() {
                let by = supercell.cell(cell);
                let moved =
                    |at: LatticeSite| LatticeSite { cell: std::array::from_fn(|i| at.cell[i] + by[i]), ..at };
                let here: Vec<SpeciesChange> =
                    about.changes.iter().map(|c| SpeciesChange { site: moved(c.site), ..*c }).collect();
                let means = class.correlations(&expansion.orbits, &here, &supercell, &species).unwrap();
                let summed = expansion.coefficients_ev[0]
                    + means.iter().zip(&expansion.coefficients_ev[1..]).map(|(m, c)| m * c).sum::<f64>();
                let listed = about.value_ev(&expansion.sites, &expansion.coefficients_ev, |at| {
                    usize::from(species[supercell.index(moved(at))])
                });
                assert!((summed - listed).abs() < 1e-12, "{here:?}: {summed} {listed}");
                compared += 1;
                values.push(summed);
            }
        }
        assert_eq!(compared, per_cell * supercell.cells());
        values.sort_by(f64::total_cmp);
        assert!(values.windows(2).filter(|w| w[1] - w[0] > 1e-9).count() > compared / 2);
    }
}

/// Noise of known size on the values: the residuals of prediction scatter as their standard deviations say.
#[test]
fn errors_of_prediction_are_of_the_size_that_they_are_told_to_be() {
    let prim = fcc(&["Vac", "Li"], SiteBasis::Spin);
    let event = hop(site([0; 3], 0), site([1, 0, 0], 0), 1, 0);
    let limits = cutoffs(&[4.3, 3.0], &[3.0]);
    let truth = random_expansion(&prim, &event, Parity::Even, &limits);
    let mut hops = made_up(&truth, [4, 4, 4], 150);
    let noise = 0.005;
    let mut rng = Philox::new(21, 0, 0);
    for hop in &mut hops {
        hop.value_ev += noise * rng.normal();
    }
    for method in [FitMethod::LeastSquares, FitMethod::Bayesian, FitMethod::Ridge { penalty: None }] {
        let settings = SolveSettings { method, samples: 4, ..least_squares() };
        let fit = fit_local_expansion(&prim, &event, Parity::Even, &hops, &limits, &settings).unwrap();
        let told = |p: &scalade_expansion::local::LocalParity| {
            (p.leave_one_out_residual_ev / p.leave_one_out_std_ev).powi(2)
        };
        let ratio = (fit.parity.iter().map(told).sum::<f64>() / hops.len() as f64).sqrt();
        let found = fit.solution.hyperparameters.noise_ev;
        assert!((ratio - 1.0).abs() < 0.1, "{method:?} {ratio}");
        assert!((found / noise - 1.0).abs() < 0.15, "{method:?} {found}");
        assert!(fit.parity.iter().all(|p| p.leave_one_out_std_ev > found));
        // Coefficients of means lie as far from the truth as their samples and standard deviations say.
        assert_eq!(fit.expansion.samples_ev.len(), 4);
        let terms = std::iter::once(1).chain(fit.expansion.orbits.iter().map(|o| o.terms.len()));
        let off: Vec<f64> = terms
            .zip(fit.expansion.coefficients_ev.iter().zip(&truth.coefficients_ev))
            .zip(&fit.solution.standard_deviations)
            .map(|((n, (c, t)), s)| ((c - t) / (n as f64 * s)).powi(2))
            .collect();
        let off = (off.iter().sum::<f64>() / off.len() as f64).sqrt();
        assert!((0.6..1.5).contains(&off), "{method:?} {off}");
    }
}

/// Ions in a box of a host, their cells and species.
fn boxed(size: [i32; 3], ions: &[([i32; 3], &str)]) -> Structure {
    let lattice = std::array::from_fn(|i| FCC[i].map(|v| v * f64::from(size[i])));
    let place = |cell: [i32; 3], within: f64| {
        std::array::from_fn(|i| (f64::from(cell[i]) + within) / f64::from(size[i]))
    };
    let mut atoms: Vec<(String, [f64; 3])> =
        ions.iter().map(|(c, s)| ((*s).into(), place(*c, 0.0))).collect();
    for n in 0..size[0] * size[1] * size[2] {
        let cell = [n / (size[1] * size[2]), n / size[2] % size[1], n % size[2]];
        atoms.push(("O".into(), place(cell, 0.5)));
    }
    let (species, positions) = atoms.into_iter().unzip();
    Structure::new(lattice, species, positions).unwrap()
}

fn between(initial: Structure, last: Structure) -> (Prim, HopReport) {
    let sites: [([f64; 3], &[&str]); 2] = [([0.0; 3], &["Vac", "Li", "Mn"]), ([0.5; 3], &["O"])];
    let prim = Prim::new(choices(FCC, &sites), SiteBasis::Spin, 1.0, &MoyoFinder, 1e-3).unwrap();
    let hop = Hop { id: "one".into(), initial, last, value_ev: 0.3 };
    let report = arrange_hops(&prim, &[hop], &MappingSettings::default());
    (prim, report)
}

#[test]
fn neighbours_that_are_not_clear_in_a_small_box_are_refused() {
    let reason = |report: HopReport| report.excluded[0].reason.clone();
    // Both ways round a box of two cells lead from one site to the other.
    let ends = |size| (boxed(size, &[([0; 3], "Li")]), boxed(size, &[([1, 0, 0], "Li")]));
    let (initial, last) = ends([2, 3, 3]);
    let HopExclusion::Ambiguous { distance_angstrom } = reason(between(initial, last).1) else {
        panic!("the hop goes one of two ways")
    };
    assert!((distance_angstrom - 2.1 * 2f64.sqrt()).abs() < 1e-9, "{distance_angstrom}");
    let (initial, last) = ends([3, 3, 3]);
    assert_eq!(between(initial, last).1.arranged.len(), 1);
    // A chain of three over the boundary: its ends are two neighbours apart, the same both ways round four cells, but its links are clear.
    let chain = |length: i32| {
        let wrapped = |n: i32| [(n + length - 1) % length, 0, 0];
        let size = [length, 3, 3];
        let initial = boxed(size, &[(wrapped(0), "Li"), (wrapped(1), "Mn")]);
        between(initial, boxed(size, &[(wrapped(1), "Li"), (wrapped(2), "Mn")]))
    };
    let (prim, report) = chain(4);
    let change = |n, before, after| SpeciesChange { site: site([n, 0, 0], 0), before, after };
    let known = [change(0, 1, 0), change(1, 2, 1), change(2, 0, 2)];
    let class = EventClass::new(&prim, &known, Parity::Directed).unwrap();
    let found = &report.arranged[0].event;
    assert!(class.map_to(found).is_some(), "{found:?}");
    assert!(class.map_to(&scalade_handoff::local_expansion::reversed(found)).is_none());
    // Round three cells the ends are neighbours themselves: the chain may begin anywhere.
    let refused = reason(chain(3).1);
    assert!(matches!(refused, HopExclusion::Ambiguous { .. }), "{refused:?}");
    // More changes than an event has.
    let many =
        |name| -> Vec<([i32; 3], &str)> { (0..17).map(|n| ([n / 9, n / 3 % 3, n % 3], name)).collect() };
    let refused = reason(between(boxed([3, 3, 3], &many("Li")), boxed([3, 3, 3], &many("Mn"))).1);
    assert_eq!(refused, HopExclusion::TooManyChanges { changes: 17, limit: 16 });
    assert!(refused.to_string().contains("17 sites"));
}

#[test]
fn what_would_never_end_or_is_no_number_is_refused() {
    let prim = fcc(&["Vac", "Li"], SiteBasis::Spin);
    let event = hop(site([0; 3], 0), site([1, 0, 0], 0), 1, 0);
    let said =
        |limits: LocalCutoffs| local_orbits(&prim, &event, Parity::Even, &limits).unwrap_err().to_string();
    let radii = |order: usize, radius: f64| {
        let mut radii = vec![0.0; order];
        radii[order - 1] = radius;
        radii
    };
    // Of 58 sites there are 4 10^7 sets of 6, and more than 10^15 sets of 40.
    assert!(said(cutoffs(&radii(6, 5.2), &[])).contains("limit of 1000000"));
    assert!(said(cutoffs(&radii(40, 5.2), &[])).contains("limit of"));
    // Sets of 30 with no two further apart than 8.6 angstrom are long to find: there are many more ways to begin one.
    assert!(said(cutoffs(&radii(30, 9.0), &[8.6; 29])).contains("distances"));
    // More sites than there are: no clusters, at once.
    assert!(local_orbits(&prim, &event, Parity::Even, &cutoffs(&radii(59, 5.2), &[])).unwrap().is_empty());
    assert!(said(cutoffs(&[3.0, 3.0], &[f64::INFINITY])).contains("inf"));
    assert!(said(cutoffs(&[3.0, 3.0], &[f64::NAN])).contains("NaN"));

    let limits = cutoffs(&[3.0], &[]);
    let truth = random_expansion(&prim, &event, Parity::Even, &limits);
    let good = made_up(&truth, [4, 4, 4], 30);
    let fit = |hops: &[_]| {
        fit_local_expansion(&prim, &event, Parity::Even, hops, &limits, &least_squares())
            .map(|f| f.parity.len())
    };
    assert_eq!(fit(&good), Ok(30));
    assert!(matches!(fit(&[]), Err(ExpansionError::Length { expected: 3, got: 0, .. })));
    let with = |change: &dyn Fn(&mut scalade_expansion::local::ArrangedHop)| {
        let mut hops = good.clone();
        change(&mut hops[4]);
        fit(&hops).map_err(|e| e.to_string())
    };
    for value in [f64::NAN, f64::INFINITY] {
        let error = with(&|h| h.value_ev = value).unwrap_err();
        assert!(error.contains("entry 4") && error.contains(&value.to_string()), "{error}");
    }
    assert!(with(&|h| _ = h.initial.species.pop()).unwrap_err().contains("arrangement"));
    assert!(with(&|h| h.initial.species[7] = 9).unwrap_err().contains("species of a site"));
    // Events that are of no kind, or far away.
    assert_eq!(with(&|h| h.event[0].site.basis = 9), Ok(29));
    assert_eq!(with(&|h| h.event.clear()), Ok(29));
    assert_eq!(with(&|h| h.event[0].site.cell = [i32::MIN, i32::MAX, 0]), Ok(29));
}
