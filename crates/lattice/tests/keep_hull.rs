//! Fits that keep the hull of their data.
#![allow(clippy::unwrap_used, reason = "a test fails with it")]

mod common;

use common::read_frames;
use scalade_crystal::MoyoFinder;
use scalade_lattice::hull::{hull_energy, lower_hull};
use scalade_lattice::{
    Cutoffs, FitMethod, FitSettings, LatticeError, MappedStructure, MappingSettings, Parent, correlations,
    fit_expansion, map_frames,
};

fn mapped() -> (Parent, Vec<MappedStructure>) {
    let frames = read_frames("orderings.extxyz");
    let fullest = frames.iter().find(|f| f.id == "lco-000-n1-li1").unwrap();
    let parent = Parent::new(&fullest.structure, "Li", 1.0, &MoyoFinder, 0.02).unwrap();
    let report = map_frames(&parent, &frames, &MappingSettings::default());
    (parent, report.mapped)
}

fn settings(keep_hull: bool) -> FitSettings {
    FitSettings { keep_hull, samples: 12, ..FitSettings::new(Cutoffs(vec![9.0, 5.8])) }
}

#[test]
fn the_best_expansion_and_every_sample_have_the_hull_of_the_data() {
    let (parent, mapped) = mapped();
    let free = fit_expansion(&parent, &mapped, &settings(false)).unwrap();
    assert!(!free.hull_disagreements.is_empty());
    let kept = fit_expansion(&parent, &mapped, &settings(true)).unwrap();
    assert!(kept.hull_disagreements.is_empty(), "{:?}", kept.hull_disagreements);
    // It costs a little in the training error, and little only.
    assert!(kept.training_rmse_ev >= free.training_rmse_ev);
    assert!(kept.training_rmse_ev < 1.3 * free.training_rmse_ev);
    let data: Vec<[f64; 2]> = kept.parity.iter().map(|p| [p.site_fraction, p.data_ev]).collect();
    let vertices = lower_hull(&data);
    let h = &kept.hamiltonian;
    assert_eq!(h.samples_ev.len(), 12);
    for coefficients in h.samples_ev.iter().chain([&h.coefficients_ev]) {
        let energies: Vec<[f64; 2]> = mapped
            .iter()
            .map(|m| {
                let values = correlations(&h.orbits, &m.supercell, &m.occupied).unwrap();
                let terms = coefficients[1..].iter().zip(&h.orbits).zip(values);
                let sum: f64 = terms.map(|((c, o), v)| c * o.clusters.len() as f64 * v).sum();
                [m.site_fraction(), coefficients[0] + sum]
            })
            .collect();
        let hull = lower_hull(&energies);
        // Another structure with the correlations of a vertex may stand for it.
        for v in &vertices {
            let above = energies[*v][1] - hull_energy(&energies, &hull, energies[*v][0]).unwrap();
            assert!(above < 1e-8, "{}: {above}", mapped[*v].id);
        }
        assert_eq!(hull.len(), vertices.len());
    }
}

#[test]
fn a_hull_that_is_kept_anyway_changes_nothing() {
    let (parent, mapped) = mapped();
    // End members and the ordering at one half: a hull that any fit has.
    let few: Vec<MappedStructure> =
        mapped.into_iter().filter(|m| [0.0, 0.5, 1.0].contains(&m.site_fraction())).collect();
    let with = |keep_hull| {
        let settings = FitSettings { keep_hull, ..FitSettings::new(Cutoffs(vec![6.0])) };
        fit_expansion(&parent, &few, &settings).unwrap()
    };
    let (free, kept) = (with(false), with(true));
    assert!(free.hull_disagreements.is_empty(), "{:?}", free.hull_disagreements);
    assert_eq!(free.hamiltonian.coefficients_ev, kept.hamiltonian.coefficients_ev);
}

#[test]
fn contradictions_are_named() {
    let (parent, mapped) = mapped();
    let short = FitSettings { keep_hull: true, ..FitSettings::new(Cutoffs(vec![6.0, 3.0])) };
    let refused = fit_expansion(&parent, &mapped, &short).unwrap_err();
    assert!(
        matches!(&refused, LatticeError::Contradictory { count, structures, .. } if *count > 1 && structures.contains("lco-")),
        "{refused}"
    );
    let sparse = FitSettings { method: FitMethod::Lasso { penalty: None }, ..settings(true) };
    assert!(matches!(fit_expansion(&parent, &mapped, &sparse), Err(LatticeError::NoPosterior)));
}
