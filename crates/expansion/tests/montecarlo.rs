//! Sampled averages against exact sums over all arrangements.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use common::{charges, choices, random_hamiltonian, random_species};
use scalade_crystal::{MoyoFinder, SiteGrid};
use scalade_expansion::montecarlo::{
    ExactSpeciesPoint, MoveRules, Reservoir, SpeciesEnergy, SpeciesPoint, SpeciesRunSettings,
    arrange_composition, exact_point, sample_species,
};
use scalade_expansion::{Prim, SiteBasis};
use std::collections::BTreeMap;

/// Two cation sites that differ, with three species each, and an anion site with two: 10 sites in a chain of small cells.
fn chain() -> Prim {
    let sites = choices(
        [[3.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 8.0]],
        &[
            ([0.0; 3], &["Vac", "Li", "Mn3"]),
            ([0.5, 0.2, 0.0], &["Li", "Mn3", "Mn4"]),
            ([0.4, 0.1, 0.2], &["O", "F"]),
        ],
    );
    Prim::new(sites, SiteBasis::Sinusoid, 1.0, &MoyoFinder, 1e-3)
        .unwrap()
        .with_charges(charges(), true)
        .unwrap()
}

fn energy(seed: u64) -> SpeciesEnergy {
    let mut hamiltonian = random_hamiltonian(&chain(), &[3.7, 3.2], 0.02, seed);
    hamiltonian.coulomb_coefficient = 0.004;
    let grid = SiteGrid::new([4, 1, 1], 3).unwrap();
    let mut energy =
        SpeciesEnergy::new(&hamiltonian, &hamiltonian.coefficients_ev, hamiltonian.coulomb_coefficient, grid)
            .unwrap();
    energy.set(&random_species(&hamiltonian, grid.sites(), seed)).unwrap();
    energy
}

fn settings(rules: MoveRules, reservoir: Reservoir) -> SpeciesRunSettings {
    SpeciesRunSettings {
        rules,
        reservoir,
        temperature_k: 500.0,
        precision_ev: 1.5e-4,
        most_moves: 400_000_000,
        seed: 11,
        point: 0,
    }
}

fn compare(name: &str, exact: &ExactSpeciesPoint, point: &SpeciesPoint, formulas: f64) {
    assert!(point.converged, "{name}: {point:?}");
    let near = |what: &str, value: f64, error: f64, want: f64| {
        let z = (value - want) / error.max(1e-12);
        assert!(z.abs() < 4.0, "{name}: {what} {value} +- {error}, exactly {want}, z = {z}");
    };
    assert!(point.energy_ev.error < 1.6e-4);
    near("energy", point.energy_ev.value, point.energy_ev.error, exact.energy_ev / formulas);
    let c = point.heat_capacity;
    near("heat capacity", c.value, c.error, exact.heat_capacity / formulas);
    for ((species, got), (_, want)) in point.composition.iter().zip(&exact.numbers) {
        near(species, got.value, got.error, want / formulas);
    }
    for (row, want) in point.covariance.iter().zip(&exact.covariance) {
        for (got, want) in row.iter().zip(want) {
            near("covariance", got.value, got.error, want / formulas);
        }
    }
}

fn open(neutral: bool) -> Reservoir {
    let mu = [("Li", 0.03), ("Mn4", -0.05), ("F", 0.02)].map(|(n, v)| (n.to_string(), v));
    Reservoir::Open { chemical_potentials_ev: mu.into(), neutral }
}

#[test]
fn every_ensemble_has_the_averages_of_its_exact_sum() {
    for (seed, name, rules, reservoir) in [
        (3, "open", MoveRules::default(), open(false)),
        (4, "neutral", MoveRules::default(), open(true)),
        (5, "closed", MoveRules::default(), Reservoir::Closed),
        (6, "frozen anions", MoveRules { frozen: vec![2], ..MoveRules::default() }, open(true)),
        (7, "closed, frozen", MoveRules { frozen: vec![1], ..MoveRules::default() }, Reservoir::Closed),
    ] {
        let mut start = energy(seed);
        let exact = exact_point(&mut start, &rules, &reservoir, 500.0).unwrap();
        assert!(exact.states > 5, "{name} {}", exact.states);
        let point = sample_species(&start, 1.0, &settings(rules, reservoir)).unwrap();
        compare(name, &exact, &point, 4.0);
        let held: f64 = point.occupancies.iter().flat_map(|o| &o.shares).map(|s| s.1.value).sum();
        assert!((held - 3.0).abs() < 1e-9);
    }
}

#[test]
fn closed_and_neutral_boxes_keep_what_they_hold() {
    let start = energy(9);
    let count = |species: &[u8]| {
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        for (site, s) in species.iter().enumerate() {
            let name = &start.sublattices()[site % 3].species[usize::from(*s)];
            *numbers.entry(name.clone()).or_default() += 1;
        }
        numbers
    };
    let charge = |species: &[u8]| -> f64 {
        species.iter().enumerate().map(|(i, s)| start.sublattices()[i % 3].charges[usize::from(*s)]).sum()
    };
    let mut quick = settings(MoveRules::default(), Reservoir::Closed);
    quick.most_moves = 400_000;
    let point = sample_species(&start, 1.0, &quick).unwrap();
    assert_eq!(count(&point.arrangement), count(start.species()));
    quick.reservoir = open(true);
    let point = sample_species(&start, 1.0, &quick).unwrap();
    assert!((charge(&point.arrangement) - charge(start.species())).abs() < 1e-12);
    assert_eq!(point.charge.map(|q| (q - charge(start.species())).abs() < 1e-9), Some(true));
    // Only lithium and vacancies move: manganese stays where it was, everywhere.
    quick.reservoir = Reservoir::Closed;
    quick.rules.exchanges = vec![["Li".into(), "Vac".into()]];
    let point = sample_species(&start, 1.0, &quick).unwrap();
    for (site, (before, after)) in start.species().iter().zip(&point.arrangement).enumerate() {
        let names = &start.sublattices()[site % 3].species;
        let kinds = [before, after].map(|s| names[usize::from(*s)].as_str());
        assert!(kinds[0] == kinds[1] || (kinds.contains(&"Li") && kinds.contains(&"Vac")), "{kinds:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let mut quick = settings(MoveRules::default(), open(true));
    quick.most_moves = 200_000;
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| sample_species(&energy(2), 1.0, &quick).unwrap())
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn compositions_are_distributed_over_the_sublattices_that_take_them() {
    let start = energy(1);
    let grid = SiteGrid::new([5, 2, 2], 3).unwrap();
    let numbers = |list: &[(&str, usize)]| -> BTreeMap<String, usize> {
        list.iter().map(|(n, c)| (n.to_string(), *c)).collect()
    };
    // All manganese(4) fills the second sublattice, so that lithium has to go to the first, whatever is placed first.
    let full = numbers(&[("Li", 12), ("Mn3", 8), ("Mn4", 20), ("O", 15), ("F", 5)]);
    let found = arrange_composition(start.sublattices(), &grid, &full, 3).unwrap();
    let mut got: BTreeMap<String, usize> = BTreeMap::new();
    for (site, s) in found.iter().enumerate() {
        *got.entry(start.sublattices()[site % 3].species[usize::from(*s)].clone()).or_default() += 1;
    }
    assert_eq!(got, full);
    // Of all but one the rest is that one.
    let but_one = numbers(&[("Li", 12), ("Mn3", 8), ("Mn4", 20), ("O", 15), ("Vac", 0)]);
    let found = arrange_composition(start.sublattices(), &grid, &but_one, 3).unwrap();
    assert_eq!(found.iter().skip(2).step_by(3).filter(|s| **s == 1).count(), 5);
    for bad in [
        numbers(&[("Li", 1)]),
        numbers(&[("Li", 12), ("Mn3", 7), ("Mn4", 21), ("O", 20), ("F", 0), ("Vac", 0)]),
        numbers(&[("Xe", 60)]),
    ] {
        assert!(arrange_composition(start.sublattices(), &grid, &bad, 3).is_err());
    }
}

#[test]
fn impossible_runs_are_refused() {
    let start = energy(1);
    let mut run = settings(MoveRules { frozen: vec![0, 1, 2], ..MoveRules::default() }, Reservoir::Closed);
    assert!(sample_species(&start, 1.0, &run).is_err());
    run.rules.frozen = vec![7];
    assert!(sample_species(&start, 1.0, &run).is_err());
    run.rules = MoveRules { exchanges: vec![["Li".into(), "Xe".into()]], ..MoveRules::default() };
    assert!(sample_species(&start, 1.0, &run).is_err());
    run.rules = MoveRules::default();
    for temperature in [0.0, f64::NAN] {
        run.temperature_k = temperature;
        assert!(sample_species(&start, 1.0, &run).is_err());
    }
    run.temperature_k = 300.0;
    run.most_moves = 10;
    assert!(!sample_species(&start, 1.0, &run).unwrap().converged);
}
