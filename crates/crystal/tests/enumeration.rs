//! Derivative structures against a published table, brute force on explicit positions, Burnside's lemma and themselves.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod slow_reference;

use proptest::prelude::*;
use scalade_crystal::enumeration::{
    ConcentrationLimit, Cursor, DerivativeStructure, DerivativeStructures, EnumerationError, Fraction,
    ParentLattice, Superlattices, hermite_normal_form,
};
use scalade_crystal::{Matrix3, MoyoFinder, NamedLattice, row_times};
use slow_reference::{BoxOf, Parent};
use std::collections::BTreeSet;

fn names(species: &[&str]) -> Vec<String> {
    species.iter().map(ToString::to_string).collect()
}

fn counts(structures: &DerivativeStructures, largest: usize) -> Vec<u128> {
    (1..=largest).map(|n| structures.count(n).unwrap().structures).collect()
}

fn listed(structures: &DerivativeStructures, smallest: usize, largest: usize) -> Vec<DerivativeStructure> {
    structures.stream(smallest..=largest).unwrap().map(Result::unwrap).collect()
}

/// Counts of the listed structures by size.
fn listed_counts(structures: &DerivativeStructures, largest: usize) -> Vec<u128> {
    let mut out = vec![0; largest];
    for found in listed(structures, 1, largest) {
        out[found.size - 1] += 1;
    }
    out
}

#[test]
fn l11_fcc_binary_derivative_structures() {
    let parent = ParentLattice::named(NamedLattice::Fcc, &["A", "B"]).unwrap();
    let structures = DerivativeStructures::new(&parent, &[]).unwrap();
    let known = [2, 2, 6, 19, 28, 80, 104, 390, 504, 1211];
    assert_eq!(counts(&structures, 10), known);
    assert_eq!(listed_counts(&structures, 10), known);
}

#[test]
fn superlattices_of_fcc_are_as_many_as_the_table_says() {
    // Hart and Forcade (2008), table I.
    let parent = ParentLattice::named(NamedLattice::Fcc, &["A", "B"]).unwrap();
    let structures = DerivativeStructures::new(&parent, &[]).unwrap();
    let all: Vec<u64> = (1..=10).map(|n| structures.count(n).unwrap().superlattices).collect();
    assert_eq!(all, [1, 7, 13, 35, 31, 91, 57, 155, 130, 217]);
    let inequivalent: Vec<u64> =
        (1..=10).map(|n| structures.count(n).unwrap().inequivalent_superlattices).collect();
    assert_eq!(inequivalent, [1, 2, 3, 7, 5, 10, 7, 20, 14, 18]);
    for n in 1..=10 {
        assert_eq!(structures.superlattices(n).unwrap().count() as u64, inequivalent[n - 1]);
    }
}

fn brute_force_agrees(parent: &ParentLattice, allowed: Vec<Vec<u8>>, sizes: std::ops::RangeInclusive<usize>) {
    let reference = Parent {
        lattice: *parent.lattice_angstrom(),
        sites: parent.sites().to_vec(),
        allowed,
        dimensions: parent.dimensions(),
    };
    let structures = DerivativeStructures::new(parent, &[]).unwrap();
    for n in sizes {
        let of_size = BoxOf::new(&reference, n);
        let slow = of_size.classes();
        let count = structures.count(n).unwrap();
        assert_eq!(of_size.superlattices().len() as u64, count.superlattices, "size {n}");
        assert_eq!(slow.len() as u128, count.structures, "size {n}");
        let mut seen = BTreeSet::new();
        for found in listed(&structures, n, n) {
            let structure = structures.structure(&found).unwrap();
            let (colours, lattice) = of_size.fill(&structure, parent.species());
            assert!(of_size.has_full_period(&colours, &lattice), "{found:?}");
            let canonical = of_size.canonical(&colours, &lattice);
            let pairs = found.equivalent_colourings * found.equivalent_superlattices;
            assert_eq!(slow.get(&canonical), Some(&pairs), "{found:?}");
            assert!(seen.insert(canonical), "{found:?} is there twice");
        }
        assert_eq!(seen.len(), slow.len());
    }
}

#[test]
fn named_lattices_agree_with_brute_force() {
    for lattice in NamedLattice::ALL {
        let parent = ParentLattice::named(lattice, &["A", "B"]).unwrap();
        let largest = if lattice == NamedLattice::Diamond { 4 } else { 5 };
        brute_force_agrees(&parent, vec![vec![0, 1]; parent.sites().len()], 1..=largest);
    }
    let ternary = ParentLattice::named(NamedLattice::Triangular, &["A", "B", "C"]).unwrap();
    brute_force_agrees(&ternary, vec![vec![0, 1, 2]], 1..=5);
}

/// Lattices from cubic to triclinic, scaled to angstrom.
fn frames() -> Vec<Matrix3> {
    let h = 0.5 * 3f64.sqrt();
    vec![
        [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]],
        [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 4.1]],
        [[3.0, 0.0, 0.0], [0.0, 3.6, 0.0], [0.0, 0.0, 4.1]],
        [[3.0, 0.0, 0.0], [-1.5, 3.0 * h, 0.0], [0.0, 0.0, 4.4]],
        [[0.0, 2.0, 2.0], [2.0, 0.0, 2.0], [2.0, 2.0, 0.0]],
        [[3.0, 0.0, 0.0], [0.0, 3.6, 0.0], [0.7, 0.0, 4.1]],
        [[3.0, 0.1, 0.2], [0.3, 3.6, 0.0], [0.7, 0.4, 4.1]],
    ]
}

/// A parent from random numbers; none where sites overlap or the cell is not primitive.
fn random_parent(frame: usize, sites: &[(usize, usize)]) -> Option<(ParentLattice, Vec<Vec<u8>>)> {
    let places =
        [[0.0; 3], [0.5; 3], [0.5, 0.5, 0.0], [1.0 / 3.0, 2.0 / 3.0, 0.5], [0.25; 3], [0.0, 0.0, 0.37]];
    let sets: [&[u8]; 4] = [&[0, 1], &[0, 1, 2], &[1], &[0, 2]];
    let alphabet = ["A", "B", "C"];
    let positions = sites.iter().map(|s| places[s.0]).collect();
    let used: Vec<&[u8]> = sites.iter().map(|s| sets[s.1]).collect();
    let allowed: Vec<Vec<String>> =
        used.iter().map(|set| set.iter().map(|c| alphabet[usize::from(*c)].to_string()).collect()).collect();
    let parent = ParentLattice::new(frames()[frame], positions, &allowed, 3, &MoyoFinder, 1e-4).ok()?;
    let colour = |name: &str| parent.species().iter().position(|s| s == name).unwrap() as u8;
    let colours = allowed.iter().map(|set| set.iter().map(|n| colour(n)).collect()).collect();
    Some((parent, colours))
}

#[test]
fn parents_with_several_classes_and_spectators_agree_with_brute_force() {
    // Every frame with sublattices of one class, of two, and with a spectator between.
    for frame in 0..frames().len() {
        for (sites, largest) in [
            (vec![(0, 0), (2, 2)], 4),
            (vec![(0, 0), (1, 3)], 3),
            (vec![(0, 1), (5, 2)], 3),
            (vec![(0, 0), (3, 0), (1, 2)], 3),
        ] {
            let (parent, colours) = random_parent(frame, &sites).unwrap();
            brute_force_agrees(&parent, colours, 1..=largest);
        }
    }
}

fn arbitrary_sites() -> impl Strategy<Value = Vec<(usize, usize)>> {
    proptest::collection::vec((0usize..6, 0usize..4), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn random_parents_agree_with_brute_force(frame in 0usize..7, sites in arbitrary_sites()) {
        let Some((parent, colours)) = random_parent(frame, &sites) else { return Ok(()) };
        let choices: usize = colours.iter().map(Vec::len).product();
        brute_force_agrees(&parent, colours, 1..=(if choices > 8 { 2 } else { 3 }));
    }

    #[test]
    fn counts_do_not_depend_on_the_choice_of_the_cell(
        frame in 0usize..7, sites in arbitrary_sites(), steps in proptest::collection::vec((0usize..3, 1usize..3, -1i64..2), 0..5),
        angles in proptest::array::uniform3(0.0f64..6.0)
    ) {
        let Some((parent, _)) = random_parent(frame, &sites) else { return Ok(()) };
        let mut unimodular = [[1i64, 0, 0], [0, 1, 0], [0, 0, 1]];
        for (row, other, times) in steps {
            let source = unimodular[(row + other) % 3];
            for (e, s) in unimodular[row].iter_mut().zip(source) {
                *e += times * s;
            }
        }
        let float = unimodular.map(|row| row.map(|e| e as f64));
        let back = scalade_crystal::inverse(&float).unwrap();
        let turn = |v: [f64; 3]| {
            let mut v = v;
            for (k, angle) in angles.iter().enumerate() {
                let (a, b) = (v[k], v[(k + 1) % 3]);
                v[k] = a * angle.cos() - b * angle.sin();
                v[(k + 1) % 3] = a * angle.sin() + b * angle.cos();
            }
            v
        };
        let lattice = float.map(|row| turn(row_times(row, parent.lattice_angstrom())));
        let moved = parent.sites().iter().map(|s| row_times(*s, &back)).collect();
        let allowed: Vec<Vec<String>> = (0..parent.sites().len())
            .map(|b| parent.allowed(b).iter().map(|s| parent.species()[*s].clone()).collect())
            .collect();
        let other = ParentLattice::new(lattice, moved, &allowed, 3, &MoyoFinder, 1e-4).unwrap();
        prop_assert_eq!(other.operation_count(), parent.operation_count());
        let (a, b) = (DerivativeStructures::new(&parent, &[]).unwrap(), DerivativeStructures::new(&other, &[]).unwrap());
        for n in 1..=4 {
            prop_assert_eq!(a.count(n).unwrap(), b.count(n).unwrap());
        }
        prop_assert_eq!(listed_counts(&a, 2), listed_counts(&b, 2));
    }

    #[test]
    fn a_resumed_stream_is_the_undisturbed_one(cut in 0usize..700, memory in prop::sample::select(vec![0u64, 8, 1 << 20])) {
        let parent = ParentLattice::named(NamedLattice::Hcp, &["A", "B"]).unwrap();
        let limit = ConcentrationLimit::Count { species: "B".into(), minimum: 0, maximum: 3 };
        let structures = DerivativeStructures::new(&parent, &[limit]).unwrap();
        let whole = listed(&structures, 1, 5);
        let cut = cut % (whole.len() + 1);
        let mut stream = structures.stream(1..=5).unwrap();
        for expected in &whole[..cut] {
            prop_assert_eq!(&stream.next().unwrap().unwrap(), expected);
        }
        let stored = serde_json::to_string(&stream.cursor()).unwrap();
        let cursor: Cursor = serde_json::from_str(&stored).unwrap();
        let other = structures.clone().with_memory_bytes(memory);
        let rest: Vec<_> = other.resume(1..=5, cursor).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(&rest, &whole[cut..]);
    }
}

#[test]
fn counting_and_listing_agree_within_limits() {
    let fraction = |species: &str, low: (u64, u64), high: (u64, u64)| ConcentrationLimit::Fraction {
        species: species.into(),
        minimum: Fraction::new(low.0, low.1),
        maximum: Fraction::new(high.0, high.1),
    };
    let ternary = ParentLattice::named(NamedLattice::Bcc, &["A", "B", "C"]).unwrap();
    let hcp = ParentLattice::named(NamedLattice::Hcp, &["A", "B", "C"]).unwrap();
    let all = DerivativeStructures::new(&ternary, &[]).unwrap();
    let everything = listed(&all, 1, 6);
    for limits in [
        vec![fraction("A", (1, 4), (1, 2))],
        vec![fraction("B", (1, 3), (1, 3))],
        vec![fraction("A", (0, 1), (1, 2)), fraction("C", (1, 5), (3, 4))],
        vec![ConcentrationLimit::Count { species: "C".into(), minimum: 1, maximum: 1 }],
        vec![ConcentrationLimit::Count { species: "C".into(), minimum: 9, maximum: 12 }],
    ] {
        let structures = DerivativeStructures::new(&ternary, &limits).unwrap();
        assert_eq!(listed_counts(&structures, 6), counts(&structures, 6), "{limits:?}");
        // What is left is what a filter would leave.
        let within = |s: &&DerivativeStructure| {
            limits.iter().all(|limit| {
                let index = ternary.species().iter().position(|n| n == limit.species()).unwrap();
                let count = s.species.iter().filter(|c| usize::from(**c) == index).count() as u64;
                match limit {
                    ConcentrationLimit::Fraction { minimum, maximum, .. } => {
                        count * minimum.denominator >= minimum.numerator * s.size as u64
                            && count * maximum.denominator <= maximum.numerator * s.size as u64
                    }
                    ConcentrationLimit::Count { minimum, maximum, .. } => {
                        (u64::from(*minimum)..=u64::from(*maximum)).contains(&count)
                    }
                }
            })
        };
        let colours = |s: &DerivativeStructure| (s.superlattice, s.size, s.species.clone());
        let filtered: Vec<_> = everything.iter().filter(within).map(colours).collect();
        assert_eq!(listed(&structures, 1, 6).iter().map(colours).collect::<Vec<_>>(), filtered, "{limits:?}");
        let structures = DerivativeStructures::new(&hcp, &limits).unwrap();
        assert_eq!(listed_counts(&structures, 4), counts(&structures, 4), "{limits:?}");
    }
}

#[test]
fn spectators_count_in_fractions_where_their_species_is_limited() {
    // B sits on a spectator and may sit on the other site: at least half of the sites hold it.
    let cube = frames()[0];
    let allowed = [names(&["A", "B"]), names(&["B"])];
    let parent = ParentLattice::new(cube, vec![[0.0; 3], [0.5; 3]], &allowed, 3, &MoyoFinder, 1e-4).unwrap();
    let limited = |low: u64, high: u64| {
        let limit = ConcentrationLimit::Fraction {
            species: "B".into(),
            minimum: Fraction::new(low, 4),
            maximum: Fraction::new(high, 4),
        };
        let structures = DerivativeStructures::new(&parent, &[limit]).unwrap();
        assert_eq!(listed_counts(&structures, 4), counts(&structures, 4));
        counts(&structures, 4)
    };
    assert_eq!(limited(0, 1), [0, 0, 0, 0]);
    assert_eq!(limited(0, 2), [1, 0, 0, 0]);
    let (half, all) = (limited(3, 3), limited(0, 4));
    assert_eq!((half[0], half[1]), (0, all[1]));
}

/// Classes of all pairs of a superlattice and a colouring, by looking at every one.
fn orbits_by_definition(parent: &Parent, n: usize) -> u64 {
    let of_size = BoxOf::new(parent, n);
    let mut seen = BTreeSet::new();
    for lattice in of_size.superlattices() {
        of_size.every_colouring(&lattice, &mut |colours| {
            // A colouring of smaller period counts once for every class of superlattices that it fits.
            seen.insert(of_size.canonical_pair(colours, &lattice));
        });
    }
    seen.len() as u64
}

#[test]
fn burnside_counts_agree_with_orbits_of_all_colourings() {
    for (lattice, species, largest) in [
        (NamedLattice::Fcc, &["A", "B"][..], 4),
        (NamedLattice::Square, &["A", "B"], 5),
        (NamedLattice::Honeycomb, &["A", "B"], 3),
        (NamedLattice::Triangular, &["A", "B", "C"], 4),
        (NamedLattice::Chain, &["A", "B", "C"], 5),
        (NamedLattice::Hcp, &["A", "B"], 3),
    ] {
        let parent = ParentLattice::named(lattice, species).unwrap();
        let reference = Parent {
            lattice: lattice.vectors(),
            sites: lattice.basis(),
            allowed: vec![(0..species.len() as u8).collect(); parent.sites().len()],
            dimensions: lattice.dimensions(),
        };
        let structures = DerivativeStructures::new(&parent, &[]).unwrap();
        for n in 1..=largest {
            let all = structures.count_with_smaller_periods(n).unwrap().structures;
            assert_eq!(all, u128::from(orbits_by_definition(&reference, n)), "{lattice:?} {n}");
        }
    }
}

#[test]
fn necklaces_are_the_derivative_structures_of_the_chain() {
    // Bracelets of n beads of two colours without a period: OEIS A001371.
    let parent = ParentLattice::named(NamedLattice::Chain, &["A", "B"]).unwrap();
    let structures = DerivativeStructures::new(&parent, &[]).unwrap();
    let known = [2, 1, 2, 3, 6, 8, 16, 24, 42, 69, 124, 208, 378, 668, 1214, 2220];
    assert_eq!(counts(&structures, 16), known);
    assert_eq!(listed_counts(&structures, 16), known);
    // With periods: bracelets, OEIS A000029.
    let bracelets: Vec<u128> =
        (1..=12).map(|n| structures.count_with_smaller_periods(n).unwrap().structures).collect();
    assert_eq!(bracelets, [2, 3, 4, 6, 8, 13, 18, 30, 46, 78, 126, 224]);
}

#[test]
fn equivalent_colourings_add_up_to_all_colourings_of_full_period() {
    // Of 2^n colourings of index n, those of full period: Moebius over superlattices, here for a prime n all but the two uniform ones.
    for lattice in [NamedLattice::Fcc, NamedLattice::Sc, NamedLattice::Square] {
        let parent = ParentLattice::named(lattice, &["A", "B"]).unwrap();
        let structures = DerivativeStructures::new(&parent, &[]).unwrap();
        for n in [2u32, 3, 5, 7, 11] {
            let total: u64 = listed(&structures, n as usize, n as usize)
                .iter()
                .map(|s| s.equivalent_colourings * s.equivalent_superlattices)
                .sum();
            let superlattices = Superlattices::new(n as usize, lattice.dimensions()).count();
            assert_eq!(total, superlattices * (2u64.pow(n) - 2), "{lattice:?} {n}");
        }
    }
}

#[test]
fn one_vacancy_in_a_large_cell_is_cheap() {
    let parent = ParentLattice::named(NamedLattice::Fcc, &["Li", "Vac"]).unwrap();
    let limit = ConcentrationLimit::Count { species: "Vac".into(), minimum: 1, maximum: 1 };
    let structures = DerivativeStructures::new(&parent, &[limit]).unwrap();
    // 2^101 colourings without the limit; each superlattice has one structure with it.
    let start = std::time::Instant::now();
    let count = structures.count(101).unwrap();
    assert_eq!(count.structures, u128::from(count.inequivalent_superlattices));
    let all = listed(&structures, 101, 101);
    assert_eq!(all.len() as u64, count.inequivalent_superlattices);
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn requests_that_are_too_large_are_refused_with_numbers() {
    let parent = ParentLattice::named(NamedLattice::Chain, &["A", "B"]).unwrap();
    let structures = DerivativeStructures::new(&parent, &[]).unwrap();
    assert!(matches!(structures.count(0), Err(EnumerationError::Size { size: 0, .. })));
    assert!(matches!(structures.count(1001), Err(EnumerationError::Size { size: 1001, .. })));
    let (first, last) = (3, 2);
    assert!(matches!(
        structures.stream(first..=last),
        Err(EnumerationError::Sizes { smallest: 3, largest: 2 })
    ));
    assert!(structures.count(110).is_ok());
    assert!(matches!(structures.count(130), Err(EnumerationError::TooManyColourings { size: 130 })));
    assert!(structures.stream(1..=100).is_ok());
    let error = structures.stream(1..=200).unwrap_err();
    assert!(matches!(error, EnumerationError::TooManyColourings { size: 113 }), "{error}");
    for (size, superlattice) in [(0, 0), (2, 1), (4, 1), (9, 0)] {
        let cursor = Cursor { size, superlattice, colouring: 0 };
        assert!(
            matches!(structures.resume(1..=3, cursor), Err(EnumerationError::Cursor { .. })),
            "{cursor:?}"
        );
    }
    let past = Cursor { size: 3, superlattice: 0, colouring: u128::MAX };
    assert_eq!(structures.resume(1..=3, past).unwrap().count(), 0);
    let eight: Vec<String> = (0..8).map(|k| format!("S{k}")).collect();
    let eight: Vec<&str> = eight.iter().map(String::as_str).collect();
    let parent = ParentLattice::named(NamedLattice::Chain, &eight).unwrap();
    let limit = |s: &&str| ConcentrationLimit::Count { species: (*s).into(), minimum: 1, maximum: 20 };
    let limits: Vec<_> = eight.iter().map(limit).collect();
    let error = DerivativeStructures::new(&parent, &limits).unwrap().count(24).unwrap_err();
    assert!(matches!(error, EnumerationError::TooManyCounts { size: 24, .. }));
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    let parent = ParentLattice::named(NamedLattice::Sc, &["A", "B"]).unwrap();
    let fraction = |species: &str, low: (u64, u64), high: (u64, u64)| ConcentrationLimit::Fraction {
        species: species.into(),
        minimum: Fraction::new(low.0, low.1),
        maximum: Fraction::new(high.0, high.1),
    };
    for limits in [
        vec![fraction("C", (0, 1), (1, 1))],
        vec![fraction("A", (3, 4), (1, 4))],
        vec![fraction("A", (1, 4), (5, 4))],
        vec![fraction("A", (1, 0), (1, 1))],
        vec![fraction("A", (0, 1), (1, 1)), fraction("A", (0, 1), (1, 2))],
        vec![ConcentrationLimit::Count { species: "A".into(), minimum: 2, maximum: 1 }],
    ] {
        let error = DerivativeStructures::new(&parent, &limits).unwrap_err();
        assert!(matches!(error, EnumerationError::Limit { .. }), "{limits:?}: {error}");
    }
}

#[test]
fn parents_that_make_no_sense_are_refused() {
    let cube = frames()[0];
    let new = |sites: Vec<[f64; 3]>, allowed: &[Vec<String>], dimensions| {
        ParentLattice::new(cube, sites, allowed, dimensions, &MoyoFinder, 1e-4).unwrap_err()
    };
    let binary = names(&["A", "B"]);
    let twice = new(vec![[0.0; 3], [0.5; 3]], &[binary.clone(), binary.clone()], 3);
    assert_eq!(twice, EnumerationError::NotPrimitive { copies: 2 });
    for (sites, allowed) in [
        (vec![[0.0; 3]], vec![names(&["A"])]),
        (vec![[0.0; 3]], vec![vec![]]),
        (vec![[0.0; 3]], vec![names(&["A", "A"])]),
        (vec![[0.0; 3], [0.5; 3]], vec![binary.clone()]),
        (vec![], vec![]),
    ] {
        assert!(matches!(new(sites, &allowed, 3), EnumerationError::Parent { .. }));
    }
    assert!(matches!(new(vec![[0.0; 3]], std::slice::from_ref(&binary), 4), EnumerationError::Parent { .. }));
    assert!(matches!(
        new(vec![[f64::NAN; 3]], std::slice::from_ref(&binary), 3),
        EnumerationError::Crystal(_)
    ));
    // A conventional cell is taken as its primitive one where that is asked for.
    let conventional =
        scalade_crystal::Structure::new(cube, names(&["Li", "Na"]), vec![[0.0; 3], [0.5; 3]]).unwrap();
    let replaced: Vec<(String, Vec<String>)> =
        vec![("Li".into(), names(&["Li", "Na"])), ("Na".into(), names(&["Li", "Na"]))];
    assert!(ParentLattice::from_structure(&conventional, &replaced, false, 1e-3).is_err());
    let primitive = ParentLattice::from_structure(&conventional, &replaced, true, 1e-3).unwrap();
    let bcc = ParentLattice::named(NamedLattice::Bcc, &["A", "B"]).unwrap();
    let (a, b) =
        (DerivativeStructures::new(&primitive, &[]).unwrap(), DerivativeStructures::new(&bcc, &[]).unwrap());
    assert_eq!(counts(&a, 6), counts(&b, 6));
    let absent: Vec<(String, Vec<String>)> = vec![("K".into(), names(&["K", "Vac"]))];
    let error = ParentLattice::from_structure(&conventional, &absent, false, 1e-3).unwrap_err();
    assert!(error.to_string().contains("it holds Li, Na"), "{error}");
}

#[test]
fn normal_forms_name_the_superlattice() {
    let h = hermite_normal_form(&[[2, 0, 0], [0, 2, 0], [0, 0, 2]]).unwrap();
    assert_eq!(h, [[2, 0, 0], [0, 2, 0], [0, 0, 2]]);
}
