//! Special quasi-random structures: the exact search against annealing, correlations against explicit positions.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

use scalade_crystal::enumeration::{
    EnumerationError, Fraction, ParentLattice, Quasirandom, QuasirandomCell, QuasirandomSearch,
    QuasirandomSettings, special_quasirandom,
};
use scalade_crystal::{MoyoFinder, NamedLattice, Structure, norm, row_times};

fn binary(numerator: u64, denominator: u64) -> [(&'static str, Fraction); 2] {
    [("A", Fraction::new(numerator, denominator)), ("B", Fraction::new(denominator - numerator, denominator))]
}

fn search(
    parent: &ParentLattice,
    cell: QuasirandomCell,
    composition: &[(&str, Fraction)],
    settings: &QuasirandomSettings,
) -> Quasirandom {
    special_quasirandom(parent, cell, composition, settings).unwrap()
}

/// Mean of s s' over the pairs at a distance, s = +1 on A and -1 on B, from the positions of the atoms.
fn pair_correlation(structure: &Structure, distance: f64) -> f64 {
    let sign = |s: &str| if s == "A" { 1.0 } else { -1.0 };
    let (mut sum, mut count) = (0.0, 0.0);
    let reach = 8;
    for (from, a) in structure.fractional().iter().zip(structure.species()) {
        for (to, b) in structure.fractional().iter().zip(structure.species()) {
            for x in -reach..=reach {
                for y in -reach..=reach {
                    for z in -reach..=reach {
                        let shift = [x, y, z].map(f64::from);
                        let difference = std::array::from_fn(|k| to[k] + shift[k] - from[k]);
                        let apart = norm(row_times(difference, structure.lattice_angstrom()));
                        if (apart - distance).abs() < 1e-6 {
                            sum += sign(a) * sign(b);
                            count += 1.0;
                        }
                    }
                }
            }
        }
    }
    sum / count
}

#[test]
fn annealing_finds_the_best_of_all_fcc_structures_of_eight_atoms() {
    let parent = ParentLattice::named(NamedLattice::Fcc, &["A", "B"]).unwrap();
    let exact =
        QuasirandomSettings { pair_weights: vec![1.0, 0.5, 0.3, 0.2], ..QuasirandomSettings::default() };
    let best = search(&parent, QuasirandomCell::Size(8), &binary(1, 2), &exact);
    assert_eq!(best.search, QuasirandomSearch::Exact);
    for seed in 0..3 {
        let settings = QuasirandomSettings { exact_limit: 0, steps: 4000, seed, ..exact.clone() };
        let annealed = search(&parent, QuasirandomCell::Size(8), &binary(1, 2), &settings);
        assert_eq!(annealed.search, QuasirandomSearch::Annealing);
        assert!(
            (annealed.deviation - best.deviation).abs() < 1e-12,
            "{} {}",
            annealed.deviation,
            best.deviation
        );
        assert_eq!(annealed, search(&parent, QuasirandomCell::Size(8), &binary(1, 2), &settings));
    }
    // The structure has the correlations that are reported, shell by shell.
    let shells = [1.0, 2f64.sqrt(), 3f64.sqrt(), 2.0];
    assert_eq!(best.correlations.len(), 4);
    let mut deviation = 0.0;
    for (found, distance) in best.correlations.iter().zip(shells) {
        assert!((found.distances_angstrom[0] - distance).abs() < 1e-9);
        assert!((found.achieved - pair_correlation(&best.structure, distance)).abs() < 1e-12);
        assert_eq!(found.target, 0.0);
        deviation += found.weight * found.achieved.powi(2);
    }
    assert!((deviation - best.deviation).abs() < 1e-14);
    assert_eq!(best.structure.count("A"), 4);
    // Eight atoms are enough to match the first two shells at once; an ordered structure such as L1_0 is far off.
    assert!(best.correlations[0].achieved.abs() < 1e-12 && best.correlations[1].achieved.abs() < 1e-12);
}

#[test]
fn targets_are_those_of_the_random_alloy() {
    let parent = ParentLattice::named(NamedLattice::Bcc, &["A", "B"]).unwrap();
    let settings = QuasirandomSettings {
        triplet_shells: 2,
        triplet_weight: 0.1,
        steps: 200,
        exact_limit: 0,
        ..QuasirandomSettings::default()
    };
    let fixed = QuasirandomCell::Fixed([[2, 0, 0], [0, 2, 0], [0, 0, 2]]);
    for quarter in [1, 2, 3] {
        let found = search(&parent, fixed, &binary(quarter, 4), &settings);
        assert_eq!(found.hermite, [[2, 0, 0], [0, 2, 0], [0, 0, 2]]);
        let mean = 2.0 * quarter as f64 / 4.0 - 1.0;
        assert!(found.correlations.iter().any(|c| c.distances_angstrom.len() == 3));
        for correlation in &found.correlations {
            let order = if correlation.distances_angstrom.len() == 3 { 3 } else { 2 };
            assert!((correlation.target - mean.powi(order)).abs() < 1e-15, "{correlation:?}");
            assert!(correlation.achieved.abs() <= 1.0 + 1e-12);
        }
    }
    // Pure: nothing to choose, all correlations on their targets.
    let pure = search(&parent, fixed, &binary(4, 4), &settings);
    assert!(pure.deviation < 1e-24 && pure.correlations.iter().all(|c| (c.achieved - 1.0).abs() < 1e-12));
}

#[test]
fn targets_of_three_species_follow_from_the_means_of_the_site_functions() {
    let parent = ParentLattice::named(NamedLattice::Sc, &["A", "B", "C"]).unwrap();
    let composition = [("A", Fraction::new(1, 2)), ("B", Fraction::new(1, 3)), ("C", Fraction::new(1, 6))];
    let found = search(&parent, QuasirandomCell::Size(6), &composition, &QuasirandomSettings::default());
    // Means of -cos(2 pi c / 3) and -sin(2 pi c / 3) over the colours c = 0, 1, 2.
    let means = [-(0.5 - 0.5 / 3.0 - 0.5 / 6.0), -(0.75f64.sqrt() / 3.0 - 0.75f64.sqrt() / 6.0)];
    assert_eq!(found.correlations.len(), 3 * 3);
    for correlation in &found.correlations {
        let target: f64 = correlation.functions.iter().map(|f| means[*f]).product();
        assert!((correlation.target - target).abs() < 1e-15, "{correlation:?}");
    }
}

#[test]
fn large_cells_come_close_to_the_random_alloy() {
    let parent = ParentLattice::named(NamedLattice::Fcc, &["A", "B"]).unwrap();
    let cell = QuasirandomCell::Fixed([[-3, 3, 3], [3, -3, 3], [3, 3, -3]]);
    let found = search(&parent, cell, &binary(1, 2), &QuasirandomSettings::default());
    assert_eq!((found.search, found.structure.len()), (QuasirandomSearch::Annealing, 108));
    assert!(found.deviation < 1e-4, "{}", found.deviation);
    for correlation in &found.correlations {
        let measured = pair_correlation(&found.structure, correlation.distances_angstrom[0]);
        assert!((correlation.achieved - measured).abs() < 1e-12);
    }
}

#[test]
fn several_species_and_sublattices_with_spectators() {
    let cube = [[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 4.0]];
    let list = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let allowed = [list(&["A", "B", "C"]), list(&["X", "Y"]), list(&["O"])];
    let sites = vec![[0.0; 3], [0.5; 3], [0.5, 0.0, 0.0]];
    let parent = ParentLattice::new(cube, sites, &allowed, 3, &MoyoFinder, 1e-4).unwrap();
    let third = Fraction::new(1, 3);
    let half = Fraction::new(1, 2);
    let composition = [("A", third), ("B", third), ("C", third), ("X", half), ("Y", half)];
    let settings = QuasirandomSettings { exact_limit: 1_000_000, ..QuasirandomSettings::default() };
    let exact = search(&parent, QuasirandomCell::Size(6), &composition, &settings);
    assert_eq!((exact.structure.len(), exact.structure.count("O"), exact.structure.count("B")), (18, 6, 2));
    // The means of all site functions vanish at equal fractions, and so do all targets.
    assert!(exact.correlations.iter().all(|c| c.target.abs() < 1e-15));
    let annealed = QuasirandomSettings { exact_limit: 0, steps: 3000, ..settings };
    let annealed = search(&parent, QuasirandomCell::Size(6), &composition, &annealed);
    assert!(
        (annealed.deviation - exact.deviation).abs() < 1e-12,
        "{} {}",
        annealed.deviation,
        exact.deviation
    );
}

#[test]
fn requests_that_cannot_be_met_are_refused() {
    let parent = ParentLattice::named(NamedLattice::Square, &["A", "B"]).unwrap();
    let settings = QuasirandomSettings::default();
    let refuse = |cell, composition: &[(&str, Fraction)], settings: &QuasirandomSettings, word: &str| {
        let error = special_quasirandom(&parent, cell, composition, settings).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    let four = QuasirandomCell::Size(4);
    refuse(four, &binary(1, 3), &settings, "another size");
    refuse(four, &[("A", Fraction::new(1, 2))], &settings, "missing");
    refuse(four, &[("A", Fraction::new(1, 2)), ("B", Fraction::new(1, 4))], &settings, "add up");
    refuse(four, &[("A", Fraction::new(1, 2)), ("D", Fraction::new(1, 2))], &settings, "no site allows D");
    refuse(QuasirandomCell::Size(0), &binary(1, 2), &settings, "size 0");
    refuse(
        QuasirandomCell::Fixed([[2, 0, 0], [0, 1, 0], [1, 0, 1]]),
        &binary(1, 2),
        &settings,
        "mixes an axis",
    );
    for weights in [vec![], vec![0.0], vec![-1.0], vec![f64::NAN], vec![1.0; 60]] {
        let bad = QuasirandomSettings { pair_weights: weights, ..settings.clone() };
        let error = special_quasirandom(&parent, four, &binary(1, 2), &bad).unwrap_err();
        assert!(matches!(error, EnumerationError::Quasirandom { .. }));
    }
}
