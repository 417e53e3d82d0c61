//! Exhaustive search for ground states against brute force over explicit supercells.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail with them")]

mod common;

use common::read_frames;
use scalade_crystal::MoyoFinder;
use scalade_handoff::LatticeHamiltonian;
use scalade_lattice::ground_states::{GroundStates, search_ground_states};
use scalade_lattice::{
    Cutoffs, Fit, FitSettings, LatticeError, MappingSettings, Parent, Supercell, correlations, fit_expansion,
    map_frames,
};
use std::collections::BTreeMap;

fn fitted() -> (Parent, Fit) {
    let frames = read_frames("orderings.extxyz");
    let fullest = frames.iter().find(|f| f.id == "lco-000-n1-li1").unwrap();
    let parent = Parent::new(&fullest.structure, "Li", 1.0, &MoyoFinder, 0.02).unwrap();
    let report = map_frames(&parent, &frames, &MappingSettings::default());
    assert!(report.excluded.is_empty());
    let fit = fit_expansion(&parent, &report.mapped, &FitSettings::new(Cutoffs(vec![6.0, 3.0]))).unwrap();
    (parent, fit)
}

fn energy_ev(h: &LatticeHamiltonian, supercell: &Supercell, occupied: &[bool]) -> f64 {
    let values = correlations(&h.orbits, supercell, occupied).unwrap();
    let terms = h.coefficients_ev[1..].iter().zip(&h.orbits).zip(values);
    h.coefficients_ev[0] + terms.map(|((c, o), v)| c * o.clusters.len() as f64 * v).sum::<f64>()
}

/// Every occupation of every supercell of `cells` cells: all lower triangular Hermite normal forms.
fn brute_force(h: &LatticeHamiltonian, cells: i64, lowest: &mut BTreeMap<(usize, usize), f64>) {
    for a in (1..=cells).filter(|a| cells % a == 0) {
        for b in (1..=cells / a).filter(|b| (cells / a) % b == 0) {
            let c = cells / a / b;
            for (p, q, r) in (0..a).flat_map(|p| (0..a).flat_map(move |q| (0..b).map(move |r| (p, q, r)))) {
                let supercell = Supercell::new([[a, 0, 0], [p, b, 0], [q, r, c]], 1).unwrap();
                for word in 0u32..1 << cells {
                    let occupied: Vec<bool> = (0..cells).map(|k| word >> k & 1 == 1).collect();
                    let key = (word.count_ones() as usize, cells as usize);
                    let e = energy_ev(h, &supercell, &occupied);
                    let known = lowest.entry(key).or_insert(f64::INFINITY);
                    *known = known.min(e);
                }
            }
        }
    }
}

#[test]
fn the_search_finds_what_brute_force_finds() {
    let (parent, fit) = fitted();
    let found = search_ground_states(&parent, &fit.hamiltonian, 6, 10_000).unwrap();
    let mut lowest = BTreeMap::new();
    for cells in 1..=6 {
        brute_force(&fit.hamiltonian, cells, &mut lowest);
    }
    assert!(found.searched > 100);
    for candidate in &found.candidates {
        let x = candidate.site_fraction;
        let same = |(ions, sites): (usize, usize)| (ions as f64 / sites as f64 - x).abs() < 1e-12;
        let expected =
            lowest.iter().filter(|(k, _)| same(**k)).map(|(_, e)| *e).fold(f64::INFINITY, f64::min);
        assert!((candidate.energy_ev - expected).abs() < 1e-9, "{x}: {} {expected}", candidate.energy_ev);
    }
    // Every composition of cells of up to six sites is there.
    assert_eq!(found.candidates.len(), 13);
}

#[test]
fn the_structures_found_have_the_energies_stated() {
    let (parent, fit) = fitted();
    let found = search_ground_states(&parent, &fit.hamiltonian, 8, 10_000).unwrap();
    let frames: Vec<scalade_lattice::Frame> = found
        .candidates
        .iter()
        .map(|c| scalade_lattice::Frame {
            id: format!("{}", c.site_fraction),
            structure: c.structure.clone(),
            energy_ev: Some(0.0),
        })
        .collect();
    let report = map_frames(&parent, &frames, &MappingSettings::default());
    assert!(report.excluded.is_empty(), "{:?}", report.excluded);
    for (candidate, mapped) in found.candidates.iter().zip(&report.mapped) {
        // One formula unit in a primitive cell.
        let values = energy_ev(&fit.hamiltonian, &mapped.supercell, &mapped.occupied);
        assert!(
            (values - candidate.energy_ev).abs() < 1e-9,
            "{}: {values} {}",
            candidate.site_fraction,
            candidate.energy_ev
        );
        assert!((mapped.site_fraction() - candidate.site_fraction).abs() < 1e-12);
    }
    // No structure of the data in cells of that size lies below the search.
    let data: Vec<[f64; 2]> = fit.parity.iter().map(|p| [p.site_fraction, p.fitted_ev]).collect();
    for candidate in &found.candidates {
        for [x, e] in &data {
            if (x - candidate.site_fraction).abs() < 1e-12 {
                assert!(candidate.energy_ev <= e + 1e-9, "{x}");
            }
        }
    }
    let below = |c| GroundStates::below_ev(c, &data).unwrap();
    assert!(found.on_hull().any(|c| below(c) > 5e-4), "the bundled data miss states of larger cells");
    assert!(found.on_hull().all(|c| c.on_hull_share.is_some_and(|s| (0.0..=1.0).contains(&s))));
}

#[test]
fn searches_that_are_too_large_are_refused() {
    let (parent, fit) = fitted();
    let refused = search_ground_states(&parent, &fit.hamiltonian, 12, 1000);
    assert!(matches!(refused, Err(LatticeError::TooMany { limit: 1000, .. })), "{refused:?}");
}
