//! Several species with local expansions: against the master equation, exact results of lattice gases, straight summation, and what is refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail with it")]

mod made;

use made::{FCC, SC, SPECIES, SQUARE, hamiltonian, hop, kind, model, prim, site};
use scalade_expansion::Prim;
use scalade_handoff::{LocalFrequencies, Parity, SpeciesChange, SpeciesHamiltonian, VACANT};
use scalade_hopping::species::{
    EventKind, ExactSpecies, SpeciesEngine, SpeciesModel, SpeciesRequest, SpeciesTransport,
    exact_species_tracer, exact_species_transport, random_arrangement, species_transport,
};
use scalade_hopping::{Diffusivity, HoppingError, Progress, RateParameters, TensorWithError};
use scalade_numerics::Philox;

fn layer() -> Prim {
    prim(SQUARE, &[([0.0; 3], &SPECIES)])
}

fn hops(prim: &Prim, radii: &[f64], size: f64) -> Vec<EventKind> {
    [1usize, 2]
        .map(|ion| {
            let event = hop(site([0; 3], 0), site([1, 0, 0], 0), ion, 0);
            let kra = 0.3 + 0.03 * ion as f64;
            kind(prim, SPECIES[ion], &event, (radii, kra, size), ion as u64)
        })
        .to_vec()
}

fn number(model: &SpeciesModel, name: &str) -> usize {
    model.species().iter().position(|s| s == name).unwrap()
}

fn arranged(model: &SpeciesModel, counts: &[Vec<usize>], seed: u64) -> Vec<u8> {
    random_arrangement(model, counts, &mut Philox::new(seed, 9, 0)).unwrap()
}

fn run(model: &SpeciesModel, arrangement: &[u8], error: f64, events: u64, seed: u64) -> SpeciesTransport {
    let request =
        SpeciesRequest { model, arrangement, relative_error: error, most_events: events, sweeps: 60, seed };
    species_transport(&request, &()).unwrap()
}

fn tensor(value: &Diffusivity) -> &TensorWithError {
    value.tensor().unwrap_or_else(|| panic!("{value:?}"))
}

/// All L_ab and D*_a within four standard errors of the exact ones; the errors not above a share of the largest.
fn agrees(found: &SpeciesTransport, exact: &ExactSpecies, share: f64) {
    let near = |what: &str, value: &Diffusivity, exact: &[[f64; 3]; 3], scale: f64| {
        let found = tensor(value);
        for i in 0..3 {
            for j in 0..3 {
                let (v, e, x) = (found.value_m2_s[i][j], found.std_m2_s[i][j], exact[i][j]);
                assert!(
                    (v - x).abs() <= 4.0 * e + 1e-12 * scale,
                    "{what} {i}{j}: {v:e} +- {e:e}, exact {x:e}"
                );
                assert!(e <= share * scale, "{what} {i}{j}: {v:e} +- {e:e}, scale {scale:e}");
            }
        }
    };
    let trace = |m: &[[f64; 3]; 3]| m[0][0] + m[1][1] + m[2][2];
    for (a, s) in found.species.iter().enumerate() {
        near(&format!("L {}", s.species), &s.collective, &exact.l_m2_s[a][a], trace(&exact.l_m2_s[a][a]));
        if let Some(tracer) = &exact.tracer_m2_s[a] {
            near(&format!("D* {}", s.species), &s.tracer, tracer, trace(tracer));
        }
    }
    for c in &found.cross {
        let [a, b] = c.species;
        let scale = (trace(&exact.l_m2_s[a][a]) * trace(&exact.l_m2_s[b][b])).sqrt();
        near(&format!("L {a} {b}"), &c.value, &exact.l_m2_s[a][b], scale);
    }
}

#[test]
fn two_species_with_interactions_agree_with_the_master_equation() {
    let layer = layer();
    let energy = hamiltonian(&layer, &[4.3, 3.1], 0.02, 3);
    let kinds = hops(&layer, &[4.3, 3.1], 0.03);
    let model = model(&layer, Some(&energy), &kinds, [4, 4, 1], 500.0).unwrap();
    let start = arranged(&model, &[vec![2, 12, 2]], 1);
    let exact = exact_species_transport(&model, &start).unwrap();
    assert_eq!(exact.states, 10_920);
    let found = run(&model, &start, 0.01, 6_000_000, 5);
    assert!(found.reached && found.equilibrated, "{found:?}");
    agrees(&found, &exact, 0.02);
    // Correlations are strong, and signs differ: the test is not one of the uncorrelated part.
    let (a, b) = (number(&model, "A"), number(&model, "B"));
    assert!(exact.l_m2_s[a][b][0][0].abs() > 0.05 * exact.l_m2_s[b][b][0][0]);
    assert!(exact.tracer_m2_s[b].unwrap()[0][0] < 0.97 * exact.tracer_uncorrelated_m2_s[b].unwrap()[0][0]);
    // Layers apart: nothing moves along z, and that is said.
    let note = found.species[a].note.as_ref().unwrap();
    assert!(note.contains("axes z"), "{note}");
    assert_eq!(tensor(&found.species[a].tracer).value_m2_s[2], [0.0; 3]);
    // The vacancies carry what the atoms carry: exactly so in the exact result.
    let v = model.vacancy().unwrap();
    let sum = exact.l_m2_s[a][v][0][0] + exact.l_m2_s[b][v][0][0] + exact.l_m2_s[v][v][0][0];
    assert!(sum.abs() < 1e-9 * exact.l_m2_s[v][v][0][0]);
}

#[test]
fn two_names_for_one_species_make_the_lattice_gas() {
    let cubic = prim(SC, &[([0.0; 3], &SPECIES)]);
    let kinds = [1usize, 2].map(|ion| {
        kind(&cubic, SPECIES[ion], &hop(site([0; 3], 0), site([1, 0, 0], 0), ion, 0), (&[], 0.2, 0.0), 0)
    });
    let model = model(&cubic, None, &kinds, [6, 6, 6], 600.0).unwrap();
    let start = arranged(&model, &[vec![108, 72, 36]], 2);
    let found = run(&model, &start, 0.006, 8_000_000, 7);
    let (a, b) = (number(&model, "A"), number(&model, "B"));
    let rate = RateParameters { temperature_k: 600.0, prefactor_hz: 1e12 };
    let nu = rate.prefactor_hz * (-0.2 / rate.thermal_energy_ev()).exp();
    // D_J = nu a^2 (sites - N)/(sites - 1), times the occupied share of the sites.
    let exact = nu * 9e-20 * (108.0 / 215.0) * 0.5;
    let trace = |t: &TensorWithError| (t.value_m2_s[0][0] + t.value_m2_s[1][1] + t.value_m2_s[2][2]) / 3.0;
    let error = |t: &TensorWithError| {
        (t.std_m2_s[0][0].powi(2) + t.std_m2_s[1][1].powi(2) + t.std_m2_s[2][2].powi(2)).sqrt() / 3.0
    };
    let cross = &found.cross.iter().find(|c| c.species == [a.min(b), a.max(b)]).unwrap().value;
    let parts = [tensor(&found.species[a].collective), tensor(&found.species[b].collective), tensor(cross)];
    let sum = trace(parts[0]) + trace(parts[1]) + 2.0 * trace(parts[2]);
    let std = (error(parts[0]).powi(2) + error(parts[1]).powi(2) + 4.0 * error(parts[2]).powi(2)).sqrt();
    assert!((sum - exact).abs() < 4.0 * std && std < 0.015 * exact, "{sum:e} +- {std:e}, exact {exact:e}");
    // The tracer correlation factor at half filling, Monte Carlo of 32^3 sites: 0.8454(9), to 0.4 %.
    for s in [a, b] {
        let f = found.species[s].tracer_correlation.unwrap();
        assert!((f.value - 0.8454).abs() < 0.0034 + 3.0 * f.std && f.std < 0.006, "{f:?}");
    }
}

/// A vacancy bound to a solute in fcc, and how much faster the solute exchanges.
fn solute(cells: usize, binding_kt: f64, exchange: f64) -> (SpeciesModel, Vec<u8>) {
    let temperature = 700.0;
    let thermal = RateParameters::at(temperature).thermal_energy_ev();
    let fcc = prim(FCC, &[([0.0; 3], &["A", "B", VACANT])]);
    let mut energy = hamiltonian(&fcc, &[2.9], 0.0, 0);
    // The orbits of pairs of B and vacancies: functions 1 and 2 of this sublattice.
    for (orbit, c) in energy.orbits.iter().zip(&mut energy.coefficients_ev[1..]) {
        let functions: Vec<usize> = orbit.terms[0].iter().map(|f| f.function).collect();
        if functions.len() == 2 && functions[0] != functions[1] {
            *c = binding_kt * thermal;
        }
    }
    let event = |ion: usize| hop(site([0; 3], 0), site([1, 0, 0], 0), ion, 2);
    let mut kinds =
        [0usize, 1].map(|ion| kind(&fcc, ["A", "B"][ion], &event(ion), (&[], 0.4, 0.0), 0)).to_vec();
    kinds[1].prefactor_hz *= exchange;
    let model = model(&fcc, Some(&energy), &kinds, [cells; 3], temperature).unwrap();
    let sites = model.grid().sites();
    let start = arranged(&model, &[vec![sites - 2, 1, 1]], 4);
    (model, start)
}

#[test]
fn a_solute_with_one_vacancy_agrees_with_the_master_equation_and_the_infinite_crystal() {
    use scalade_hopping::dilute::{TaggedAtom, VacancyCrystal, dilute_transport};
    use scalade_hopping::gas::GasModel;
    let (model, start) = solute(3, -1.0, 3.0);
    let exact = exact_species_transport(&model, &start).unwrap();
    assert_eq!(exact.states, 27 * 26);
    let found = run(&model, &start, 0.01, 6_000_000, 11);
    assert!(found.reached, "{found:?}");
    agrees(&found, &exact, 0.02);
    // Boxes that grow lead to the vacancy in the infinite crystal.
    let lattice = scalade_crystal::NamedLattice::Fcc;
    let gas = GasModel::new(lattice.vectors(), lattice.basis(), 3, [4; 3], &[], 1.0).unwrap();
    let crystal = VacancyCrystal::of_gas(&gas).unwrap();
    for (binding, exchange) in [(0.0, 1.0), (-1.0, 3.0), (0.7, 0.2)] {
        let tagged = TaggedAtom { exchange, binding_kt: vec![binding], hops: Vec::new() };
        let factor = dilute_transport(&crystal, &tagged).unwrap().correlation_factor();
        let of = |cells: usize| {
            let (model, start) = solute(cells, binding, exchange);
            let exact = exact_species_tracer(&model, &start, number(&model, "B")).unwrap();
            assert_eq!(exact.states, cells.pow(3) - 1);
            exact.tracer_m2_s[0][0] / exact.uncorrelated_m2_s[0][0]
        };
        let (small, large) = (of(5), of(6));
        // Linear in the inverse of the number of sites.
        let limit = (216.0 * large - 125.0 * small) / (216.0 - 125.0);
        assert!(
            (limit - factor).abs() < 0.01 * factor,
            "{binding} {exchange}: {small} {large} {limit} {factor}"
        );
        assert!((large - factor).abs() < (small - factor).abs(), "{small} {large} {factor}");
    }
}

/// Rates of every event in a state from straight summation: the local expansion of the event's own image and total energies before and after.
fn straight(model: &SpeciesModel, kinds: &[EventKind], arrangement: &[u8]) -> Vec<(usize, bool, usize, f64)> {
    let grid = model.grid();
    let before = model.energy_ev(arrangement).unwrap();
    let mut out = Vec::new();
    let mut number = 0;
    let events: Vec<(usize, Vec<SpeciesChange>)> = model.events().map(|e| (e.0, e.1.to_vec())).collect();
    for cell in 0..grid.cells() {
        let by = grid.site(cell * grid.basis()).cell;
        let at = |s: scalade_crystal::LatticeSite| {
            grid.index(scalade_crystal::LatticeSite { cell: std::array::from_fn(|k| s.cell[k] + by[k]), ..s })
        };
        for (event, (which, changes)) in events.iter().enumerate() {
            for backward in [false, true] {
                let due =
                    |c: &SpeciesChange| if backward { (c.after, c.before) } else { (c.before, c.after) };
                if changes.iter().any(|c| usize::from(arrangement[at(c.site)]) != due(c).0) {
                    continue;
                }
                let mut after = arrangement.to_vec();
                for c in changes {
                    after[at(c.site)] = due(c).1 as u8;
                }
                let kind = &kinds[*which];
                let local = kind.expansion.events().unwrap();
                let sorted = |mut list: Vec<SpeciesChange>| {
                    list.sort_unstable();
                    list
                };
                let wanted = sorted(changes.clone());
                let local = local.iter().find(|l| sorted(l.changes.clone()) == wanted).unwrap();
                let kra = local.value_ev(&kind.expansion.sites, &kind.expansion.coefficients_ev, |s| {
                    usize::from(arrangement[at(s)])
                });
                let delta = model.energy_ev(&after).unwrap() - before;
                let thermal = RateParameters::at(model.temperature_k()).thermal_energy_ev();
                let barrier = (kra + 0.5 * delta).max(delta).max(0.0);
                let frequency = kind.expansion.attempt_frequency.as_ref().map_or(1.0, |own| {
                    let here = |s| usize::from(arrangement[at(s)]);
                    local.value_ev(&kind.expansion.sites, &own.coefficients_ln_hz, here).exp()
                });
                out.push((event, backward, cell, frequency * kind.prefactor_hz * (-barrier / thermal).exp()));
                number += 1;
            }
        }
    }
    assert!(number > 0);
    out.sort_by_key(|e| (e.0, e.1, e.2));
    out
}

fn same_rates(engine: &SpeciesEngine<'_>, kinds: &[EventKind]) {
    let mut found: Vec<_> = engine.possible().collect();
    found.sort_by_key(|e| (e.0, e.1, e.2));
    let due = straight(engine.model(), kinds, &engine.arrangement());
    assert_eq!(found.len(), due.len());
    for (a, b) in found.iter().zip(&due) {
        assert_eq!((a.0, a.1, a.2), (b.0, b.1, b.2));
        assert!((a.3 / b.3).ln().abs() < 1e-9, "{a:?} {b:?}");
    }
    let total: f64 = due.iter().map(|e| e.3).sum();
    assert!((engine.total_rate_hz() / total - 1.0).abs() < 1e-9);
}

#[test]
fn rates_are_those_of_straight_summation_after_any_number_of_events() {
    // Large and small coefficients, so that some events have no barrier; boxes in which images coincide.
    let fcc = prim(FCC, &[([0.0; 3], &SPECIES)]);
    for (cells, size, seed) in [([4, 4, 4], 0.03, 1), ([5, 3, 4], 0.2, 2), ([3, 3, 3], 0.05, 3)] {
        let energy = hamiltonian(&fcc, &[4.1, 2.9, 2.9], size, seed);
        let radii: &[f64] = if cells == [3; 3] { &[2.9] } else { &[2.9, 2.9] };
        let kinds = [1usize, 2].map(|ion| {
            let event = hop(site([0; 3], 0), site([1, 0, 0], 0), ion, 0);
            kind(&fcc, SPECIES[ion], &event, (radii, 0.2, size), seed + ion as u64)
        });
        let model = model(&fcc, Some(&energy), &kinds, cells, 900.0).unwrap();
        let sites = model.grid().sites();
        let start = arranged(&model, &[vec![sites / 5, sites / 2, sites - sites / 5 - sites / 2]], seed);
        let mut engine = SpeciesEngine::new(&model, &start, Philox::new(seed, 0, 0)).unwrap();
        for _ in 0..4 {
            same_rates(&engine, &kinds);
            engine.run_until(f64::INFINITY, 57).unwrap();
        }
        engine.resync().unwrap();
        assert!(engine.largest_deviation() < 1e-11, "{}", engine.largest_deviation());
        let audit = engine.audit(40, &mut Philox::new(1, 1, 1)).unwrap();
        assert!(audit.events > 20 && audit.largest_gap < 1e-9 && audit.largest_rate_gap < 1e-9);
    }
}

/// Attempt frequencies that depend on the surroundings, as ln(nu/Hz) of coefficients about the constant.
fn with_frequencies(mut kind: EventKind, of: impl FnMut(f64) -> f64, ln_hz: f64) -> EventKind {
    assert!(!kind.expansion.orbits.is_empty());
    let rest = kind.expansion.coefficients_ev[1..].iter().copied().map(of);
    let coefficients_ln_hz = std::iter::once(ln_hz).chain(rest).collect();
    kind.expansion.attempt_frequency = Some(LocalFrequencies { coefficients_ln_hz, samples_ln_hz: vec![] });
    kind.prefactor_hz = 1.0;
    kind
}

/// As above with attempt frequencies of the surroundings: small and large ones, under the rule for missing barriers, and such that make up for the
/// activation whatever the surroundings are, at the temperature of the run.
#[test]
fn frequencies_of_the_surroundings_are_those_of_straight_summation() {
    let layer = layer();
    let energy = hamiltonian(&layer, &[3.1, 4.3], 0.1, 3);
    let kelvin = 700.0;
    let thermal = RateParameters::at(kelvin).thermal_energy_ev();
    for case in 0..3 {
        let mut rng = Philox::new(case, 3, 3);
        let mut random = |_: f64| 0.8 * rng.normal();
        let kra = [0.4, 0.05, 0.0][case as usize];
        let kinds = [1usize, 2].map(|ion| {
            let event = hop(site([0; 3], 0), site([1, 0, 0], 0), ion, 0);
            let kind = kind(&layer, SPECIES[ion], &event, (&[3.1, 3.1], kra, 0.06), ion as u64);
            if case == 2 {
                with_frequencies(kind, |c| c / thermal, 29.0)
            } else {
                with_frequencies(kind, &mut random, 30.0)
            }
        });
        // Without energies nothing else tells of a change of the surroundings.
        let energy = (case < 2).then_some(&energy);
        let model = model(&layer, energy, &kinds, [6, 5, 1], kelvin).unwrap();
        let start = arranged(&model, &[vec![8, 12, 10]], 4);
        let mut engine = SpeciesEngine::new(&model, &start, Philox::new(4, 0, 0)).unwrap();
        for _ in 0..6 {
            same_rates(&engine, &kinds);
            engine.run_until(f64::INFINITY, 41).unwrap();
        }
        let audit = engine.audit(40, &mut Philox::new(1, 1, 1)).unwrap();
        assert!(audit.events > 10 && audit.largest_gap < 1e-9 && audit.largest_rate_gap < 1e-9);
    }
}

#[test]
fn frequencies_of_the_surroundings_agree_with_the_master_equation() {
    let layer = layer();
    let energy = hamiltonian(&layer, &[3.1], 0.03, 2);
    let mut rng = Philox::new(8, 3, 3);
    let kinds: Vec<EventKind> = hops(&layer, &[3.1], 0.04)
        .into_iter()
        .map(|kind| with_frequencies(kind, |_| 2.5 * rng.normal(), 29.0))
        .collect();
    let model_of = |kinds: &[EventKind]| model(&layer, Some(&energy), kinds, [3, 3, 1], 600.0).unwrap();
    let model = model_of(&kinds);
    let start = arranged(&model, &[vec![3, 3, 3]], 1);
    let exact = exact_species_transport(&model, &start).unwrap();
    let found = run(&model, &start, 0.01, 20_000_000, 5);
    assert!(found.reached, "{found:?}");
    agrees(&found, &exact, 0.02);
    // They are no small matter: with the constant alone transport is another.
    let mut plain = kinds.clone();
    for kind in &mut plain {
        kind.expansion.attempt_frequency = None;
        kind.prefactor_hz = 29f64.exp();
    }
    let without = exact_species_transport(&model_of(&plain), &start).unwrap();
    let a = number(&model, "A");
    let [with, without] = [&exact, &without].map(|e| e.l_m2_s[a][a][0][0]);
    assert!((with / without - 1.0).abs() > 0.1, "{with} {without}");
}

#[test]
fn frequencies_that_no_double_holds_are_refused() {
    let layer = layer();
    let kinds = hops(&layer, &[3.1], 0.04);
    for (of, ln_hz) in [(100.0, 30.0), (0.0, 400.0), (0.0, -400.0)] {
        let wild: Vec<EventKind> =
            kinds.iter().cloned().map(|kind| with_frequencies(kind, |_| of, ln_hz)).collect();
        let said = model(&layer, None, &wild, [4, 4, 1], 600.0).unwrap_err().to_string();
        assert!(said.contains("ln(attempt frequency/Hz)"), "{said}");
    }
}

/// Two sublattices: A hops between octahedral sites, B between tetrahedral ones and over to the octahedral ones, in rock salt with all sites of a cube.
fn two_sublattices(cells: [usize; 3]) -> (SpeciesModel, Vec<EventKind>) {
    let crystal = prim(SC, &[([0.0; 3], &SPECIES), ([0.5; 3], &[VACANT, "B"])]);
    let energy = hamiltonian(&crystal, &[3.1], 0.03, 8);
    let (o, t) = (site([0; 3], 0), site([0; 3], 1));
    let kinds = vec![
        kind(&crystal, "A along edges", &hop(o, site([1, 0, 0], 0), 1, 0), (&[2.7], 0.25, 0.02), 1),
        kind(
            &crystal,
            "B to the middle",
            &[SpeciesChange { site: o, before: 2, after: 0 }, SpeciesChange { site: t, before: 0, after: 1 }],
            (&[2.7], 0.2, 0.02),
            2,
        ),
        // B knocks A on: B from the middle takes the place of A, which goes to the next corner.
        kind(
            &crystal,
            "B knocks A on",
            &[
                SpeciesChange { site: t, before: 1, after: 0 },
                SpeciesChange { site: o, before: 1, after: 2 },
                SpeciesChange { site: site([-1, 0, 0], 0), before: 0, after: 1 },
            ],
            (&[], 0.3, 0.0),
            3,
        ),
    ];
    let model = model(&crystal, Some(&energy), &kinds, cells, 600.0).unwrap();
    (model, kinds)
}

#[test]
fn concerted_events_on_several_sublattices_agree_with_the_master_equation() {
    let (model, kinds) = two_sublattices([3, 3, 2]);
    let start = arranged(&model, &[vec![16, 1, 1], vec![18, 0]], 3);
    let engine = SpeciesEngine::new(&model, &start, Philox::new(3, 3, 3)).unwrap();
    same_rates(&engine, &kinds);
    let exact = exact_species_transport(&model, &start).unwrap();
    // A on 18 sites and B on the 35 left.
    assert_eq!(exact.states, 18 * 35);
    let found = run(&model, &start, 0.01, 6_000_000, 13);
    assert!(found.reached, "{found:?}");
    agrees(&found, &exact, 0.02);
    let (a, b) = (number(&model, "A"), number(&model, "B"));
    // The knock moves both.
    assert!(exact.uncorrelated_m2_s[a][b][0][0].abs() > 1e-3 * exact.l_m2_s[a][a][0][0]);
}

#[test]
fn pairs_that_move_together_agree_with_the_master_equation() {
    // Two A side by side step aside together.
    let layer = layer();
    let sites = [site([0; 3], 0), site([1, 0, 0], 0), site([0, 1, 0], 0), site([1, 1, 0], 0)];
    let change = |k: usize, before: usize, after: usize| SpeciesChange { site: sites[k], before, after };
    let pair = [change(0, 1, 0), change(1, 1, 0), change(2, 0, 1), change(3, 0, 1)];
    let exchange = vec![
        SpeciesChange { site: sites[0], before: 1, after: 2 },
        SpeciesChange { site: sites[1], before: 2, after: 1 },
    ];
    let kinds = vec![
        kind(&layer, "pair steps aside", &pair, (&[], 0.28, 0.0), 1),
        kind(&layer, "exchange of A and B", &exchange, (&[3.1], 0.3, 0.05), 2),
        kind(&layer, "B", &hop(sites[0], sites[1], 2, 0), (&[3.1], 0.3, 0.05), 3),
    ];
    let energy = hamiltonian(&layer, &[3.1], 0.03, 4);
    let model = model(&layer, Some(&energy), &kinds, [4, 4, 1], 600.0).unwrap();
    for (_, changes, moves) in model.events().filter(|e| e.1.len() == 4) {
        // By one site each, not by the diagonal.
        assert!(
            moves.iter().all(|m| (m.vector_angstrom.map(|v| v * v).iter().sum::<f64>() - 9.0).abs() < 1e-9)
        );
        assert_eq!((moves.len(), changes.len()), (4, 4));
    }
    let start = arranged(&model, &[vec![12, 3, 1]], 3);
    let exact = exact_species_transport(&model, &start).unwrap();
    assert_eq!(exact.states, 560 * 13);
    let found = run(&model, &start, 0.01, 6_000_000, 17);
    assert!(found.reached, "{found:?}");
    agrees(&found, &exact, 0.02);
}

#[test]
fn species_and_displacements_are_kept_exactly() {
    let (model, _) = two_sublattices([4, 4, 4]);
    let start = arranged(&model, &[vec![30, 20, 14], vec![50, 14]], 3);
    let mut engine = SpeciesEngine::new(&model, &start, Philox::new(1, 2, 3)).unwrap();
    engine.run_until(f64::INFINITY, 20_000).unwrap();
    let now = engine.arrangement();
    assert_ne!(now, start);
    assert_eq!(model.counts(&now), model.counts(&start));
    let grid = model.grid();
    let mut sums = vec![[0.0; 3]; model.species().len()];
    for (here, atom) in engine.atoms().iter().enumerate() {
        let atom = *atom as usize;
        let species = usize::from(engine.species_of_atoms()[atom]);
        assert_eq!(model.global(here % 2, usize::from(now[here])), species);
        // Where it is, is where it began plus its displacement, up to the box.
        let (begin, end) = (grid.site(atom), grid.site(here));
        let moved = engine.displacement_angstrom(atom);
        for k in 0..3 {
            let shift =
                f64::from(end.cell[k] - begin.cell[k]) + 0.5 * (end.basis as f64 - begin.basis as f64);
            let boxes = (moved[k] / 3.0 - shift) / 4.0;
            assert!((boxes - boxes.round()).abs() < 1e-9, "{boxes}");
            sums[species][k] += moved[k];
        }
    }
    for (sum, kept) in sums.iter().zip(engine.collective_displacements_angstrom()) {
        for k in 0..3 {
            assert!((sum[k] - kept[k]).abs() < 1e-7, "{sum:?} {kept:?}");
        }
    }
}

#[test]
fn vacancies_that_move_by_exchange_carry_the_opposite_of_the_atoms() {
    let fcc = prim(FCC, &[([0.0; 3], &SPECIES)]);
    let kinds = hops(&fcc, &[2.9], 0.05);
    let model = model(&fcc, None, &kinds, [4; 3], 600.0).unwrap();
    let start = arranged(&model, &[vec![6, 30, 28]], 3);
    let mut engine = SpeciesEngine::new(&model, &start, Philox::new(5, 0, 0)).unwrap();
    engine.run_until(f64::INFINITY, 5000).unwrap();
    let sums = engine.collective_displacements_angstrom();
    let vacancy = model.vacancy().unwrap();
    for k in 0..3 {
        let all: f64 = sums.iter().map(|s| s[k]).sum();
        assert!(all.abs() < 1e-9 * (1.0 + sums[vacancy][k].abs()), "{sums:?}");
        assert!(sums[vacancy][k] != 0.0);
    }
}

#[test]
fn the_audit_finds_energies_that_are_not_those_of_the_rates() {
    let layer = layer();
    let energy = hamiltonian(&layer, &[3.1], 0.05, 3);
    let model = model(&layer, Some(&energy), &hops(&layer, &[], 0.0), [4, 4, 1], 500.0).unwrap();
    let start = arranged(&model, &[vec![4, 8, 4]], 1);
    let engine = SpeciesEngine::new(&model, &start, Philox::new(1, 0, 0)).unwrap();
    let mut rng = Philox::new(2, 0, 0);
    let with = |h: SpeciesHamiltonian| move |s: &[u8]| h.reference_energy_ev(&h.coefficients_ev, &grid(), s);
    fn grid() -> scalade_crystal::SiteGrid {
        scalade_crystal::SiteGrid::new([4, 4, 1], 1).unwrap()
    }
    engine.audit_against(with(energy.clone()), 32, &mut rng).unwrap();
    // A term that is not one of the Hamiltonian: half of an orbit is missing, as in an expansion that lacks a symmetry.
    let mut broken = energy;
    let last = broken.orbits.len() - 1;
    broken.orbits[last].terms.pop();
    let refused = engine.audit_against(with(broken), 32, &mut rng).unwrap_err();
    let HoppingError::DetailedBalance { got, expected, .. } = refused else { panic!("{refused}") };
    assert!((got - expected).abs() > 1e-3);
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let layer = layer();
    let good = hops(&layer, &[3.1], 0.05);
    let energy = hamiltonian(&layer, &[3.1], 0.05, 3);
    // A becomes B.
    let turned = [
        SpeciesChange { site: site([0; 3], 0), before: 1, after: 0 },
        SpeciesChange { site: site([1, 0, 0], 0), before: 0, after: 2 },
    ];
    let kinds = [kind(&layer, "turns A into B", &turned, (&[], 0.3, 0.0), 0)];
    let refused = model(&layer, None, &kinds, [4, 4, 1], 500.0).unwrap_err();
    let HoppingError::NotConserved { kind, species, before, after } = &refused else { panic!("{refused}") };
    assert_eq!((kind.as_str(), species.as_str(), *before, *after), ("turns A into B", "A", 1, 0));
    // Of one direction only.
    let mut directed = good.clone();
    directed[0].expansion.parity = Parity::Directed;
    let refused = model(&layer, None, &directed, [4, 4, 1], 500.0).unwrap_err();
    assert!(refused.to_string().contains("directed"), "{refused}");
    // Boxes in which an event meets itself, or its activation does.
    let refused = model(&layer, None, &good, [1, 4, 1], 500.0).unwrap_err();
    assert!(matches!(&refused, HoppingError::EventBox { cells: [1, 4, 1], .. }), "{refused}");
    let refused = model(&layer, None, &good, [2, 4, 1], 500.0).unwrap_err();
    assert!(matches!(&refused, HoppingError::EventBox { .. }), "{refused}");
    // Other sublattices.
    let other = prim(SQUARE, &[([0.0; 3], &["A", "B", VACANT])]);
    let foreign = hamiltonian(&other, &[3.1], 0.05, 3);
    let refused = model(&layer, Some(&foreign), &good, [4, 4, 1], 500.0).unwrap_err();
    assert!(matches!(&refused, HoppingError::Sublattices { sublattice: 0, .. }), "{refused}");
    let mut stretched = energy.clone();
    stretched.lattice_angstrom[0][0] = 3.1;
    let refused = model(&layer, Some(&stretched), &good, [4, 4, 1], 500.0).unwrap_err();
    assert!(refused.to_string().contains("3.1"), "{refused}");
    // Numbers that are none.
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(model(&layer, None, &good, [4, 4, 1], value).is_err());
        let mut broken = good.clone();
        broken[0].prefactor_hz = value;
        assert!(model(&layer, None, &broken, [4, 4, 1], 500.0).is_err());
    }
    let mut broken = energy.clone();
    broken.coefficients_ev[1] = f64::NAN;
    assert!(model(&layer, Some(&broken), &good, [4, 4, 1], 500.0).is_err());
    assert!(model(&layer, None, &[], [4, 4, 1], 500.0).is_err());
    assert!(model(&layer, None, &good, [1 << 20, 1 << 20, 1], 500.0).is_err());
    // Arrangements.
    let whole = model(&layer, Some(&energy), &good, [4, 4, 1], 500.0).unwrap();
    assert!(SpeciesEngine::new(&whole, &[0; 15], Philox::new(0, 0, 0)).is_err());
    assert!(SpeciesEngine::new(&whole, &[3; 16], Philox::new(0, 0, 0)).is_err());
    assert!(random_arrangement(&whole, &[vec![1, 2, 3]], &mut Philox::new(0, 0, 0)).is_err());
    let mut still = SpeciesEngine::new(&whole, &[1; 16], Philox::new(0, 0, 0)).unwrap();
    assert!(matches!(still.step(f64::INFINITY), Err(HoppingError::Stuck { .. })));
    let half: Vec<u8> = (0..64).map(|n| (n % 3) as u8).collect();
    let large = model(&layer, Some(&energy), &good, [8, 8, 1], 500.0).unwrap();
    let refused = exact_species_transport(&large, &half).unwrap_err();
    assert!(matches!(refused, HoppingError::TooManyStates { limit: 200_000, .. }), "{refused}");
}

#[test]
fn doubled_events_and_folded_boxes_are_warned_of_and_counted() {
    let layer = layer();
    let twice = [hops(&layer, &[], 0.0), hops(&layer, &[], 0.0)].concat();
    let model_twice = model(&layer, None, &twice, [4, 4, 1], 500.0).unwrap();
    assert!(model_twice.warnings().iter().any(|w| w.contains("rates add")), "{:?}", model_twice.warnings());
    // Two cells along x: hops there and on are the same changes, and both count.
    let once = hops(&layer, &[], 0.0);
    let folded = model(&layer, None, &once, [2, 4, 1], 500.0).unwrap();
    assert!(folded.warnings().iter().any(|w| w.contains("periodicity")), "{:?}", folded.warnings());
    let wide = model(&layer, None, &once, [4, 4, 1], 500.0).unwrap();
    let of = |model: &SpeciesModel| {
        let mut arrangement = vec![0u8; model.grid().sites()];
        arrangement[0] = 1;
        exact_species_transport(model, &arrangement).unwrap().tracer_m2_s[number(model, "A")].unwrap()[0][0]
    };
    // A single atom in an empty lattice: D = nu a^2 in every box, and twice that with every event twice.
    let thermal = RateParameters::at(500.0).thermal_energy_ev();
    let free = 1e12 * (-0.33 / thermal).exp() * 9e-20;
    assert!((of(&folded) / free - 1.0).abs() < 1e-9, "{:e} {free:e}", of(&folded));
    assert!((of(&wide) / free - 1.0).abs() < 1e-9);
    assert!((of(&model_twice) / free - 2.0).abs() < 1e-9);
    let engine = SpeciesEngine::new(&folded, &[1, 0, 0, 0, 0, 0, 0, 0], Philox::new(0, 0, 0)).unwrap();
    assert_eq!(engine.possible().count(), 4);
}

#[test]
fn networks_that_lead_nowhere_are_named() {
    // B only swings between a corner and the middle next to it; A runs along x alone; C never moves.
    let tetragonal = [[3.0, 0.0, 0.0], [0.0, 3.5, 0.0], [0.0, 0.0, 4.0]];
    let crystal = prim(tetragonal, &[([0.0; 3], &[VACANT, "A", "C"]), ([0.5, 0.5, 0.3], &[VACANT, "B"])]);
    let (o, t) = (site([0; 3], 0), site([0; 3], 1));
    let kinds = [kind(&crystal, "A along x", &hop(o, site([1, 0, 0], 0), 1, 0), (&[], 0.3, 0.0), 1)];
    let rows = model(&crystal, None, &kinds, [8, 2, 2], 500.0).unwrap();
    let of = |name: &str| &rows.mobility()[number(&rows, name)];
    assert_eq!((of("A").dimensions, of("A").frozen_cartesian), (1, [false, true, true]));
    assert!(of("A").why_frozen().unwrap().contains("y, z"));
    assert!(of("B").why_zero().unwrap().contains("no event moves B"));
    let start = arranged(&rows, &[vec![16, 12, 4], vec![20, 12]], 1);
    let found = run(&rows, &start, 0.05, 400_000, 1);
    let a = &found.species[number(&rows, "A")];
    // Rows of atoms that cannot pass one another.
    assert!(matches!(a.tracer, Diffusivity::SubDiffusive { .. }), "{:?}", a.tracer);
    let b = &found.species[number(&rows, "B")];
    assert_eq!(tensor(&b.tracer).value_m2_s, [[0.0; 3]; 3]);
    assert!(b.note.as_ref().unwrap().contains("no event moves B"));
    let _ = t;
}

#[test]
fn the_same_bits_come_from_any_number_of_threads() {
    let layer = layer();
    let energy = hamiltonian(&layer, &[4.3, 3.1], 0.02, 3);
    let model = model(&layer, Some(&energy), &hops(&layer, &[3.1], 0.03), [6, 5, 1], 500.0).unwrap();
    let start = arranged(&model, &[vec![6, 14, 10]], 1);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(&model, &start, 0.03, 300_000, 21))
    };
    let one = on(1);
    assert_eq!(one, on(2));
    assert_eq!(one, on(3));
    assert_ne!(one, run(&model, &start, 0.03, 300_000, 22));
}

#[test]
fn a_run_is_cancelled_and_tells_how_far_it_is() {
    struct Stop;
    impl Progress for Stop {
        fn report(&self, _share: f64) {}
        fn cancelled(&self) -> bool {
            true
        }
    }
    let layer = layer();
    let model = model(&layer, None, &hops(&layer, &[], 0.0), [4, 4, 1], 500.0).unwrap();
    let start = arranged(&model, &[vec![4, 8, 4]], 1);
    let request = SpeciesRequest {
        model: &model,
        arrangement: &start,
        relative_error: 0.1,
        most_events: 100_000,
        sweeps: 10,
        seed: 1,
    };
    assert_eq!(species_transport(&request, &Stop).unwrap_err(), HoppingError::Cancelled);
    let short = SpeciesRequest { most_events: 10, ..request };
    assert!(species_transport(&short, &()).is_err());
    let vague = SpeciesRequest { relative_error: f64::NAN, ..request };
    assert!(species_transport(&vague, &()).is_err());
}
