//! First-principles LixNiO2 orderings (31 structures): all must map or be refused with a reason, and give the known hull.
#![allow(clippy::unwrap_used, clippy::panic)]

use scalade_crystal::{MoyoFinder, Structure};
use scalade_lattice::{
    Cutoffs, Exclusion, FitMethod, FitSettings, Frame, MappingSettings, Parent, choose_cutoffs,
    cutoff_candidates, fit_expansion, map_frames, sparing_choice,
};
use serde_json::Value;

fn vector(v: &Value) -> [f64; 3] {
    std::array::from_fn(|i| v[i].as_f64().unwrap())
}

fn lattice(v: &Value) -> [[f64; 3]; 3] {
    std::array::from_fn(|i| vector(&v[i]))
}

fn frames() -> (Structure, Vec<Frame>) {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/lattice/lixnio2_dft_31.json");
    let data: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let sites = data["prim"]["sites"].as_array().unwrap();
    let species = ["Li", "Ni", "O", "O"].map(String::from).to_vec();
    let prim = Structure::new(
        lattice(&data["prim"]["lattice_A"]),
        species,
        sites.iter().map(|s| vector(&s["frac"])).collect(),
    )
    .unwrap();
    let entries = data["entries"].as_array().unwrap();
    let frames = entries
        .iter()
        .map(|e| {
            let species = e["species"].as_array().unwrap();
            Frame {
                id: e["id"].to_string(),
                structure: Structure::new(
                    lattice(&e["lattice_A"]),
                    species.iter().map(|s| s.as_str().unwrap().to_string()).collect(),
                    e["frac"].as_array().unwrap().iter().map(vector).collect(),
                )
                .unwrap(),
                energy_ev: e["energy_eV"].as_f64(),
            }
        })
        .collect();
    (prim, frames)
}

#[test]
fn l12_all_31_orderings_map_or_are_refused_and_give_the_known_hull() {
    let (prim, frames) = frames();
    let parent = Parent::new(&prim, "Li", 1.0, &MoyoFinder, 1e-2).unwrap();
    // In three structures the empty slabs have glided: refused by default, each with its number. (Structure 0 is the empty end member.)
    let strict = map_frames(&parent, &frames, &MappingSettings::default());
    assert_eq!(strict.mapped.len(), 28);
    assert_eq!(strict.excluded.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(), ["0", "8", "9"]);
    for excluded in &strict.excluded {
        assert!(
            matches!(excluded.reason, Exclusion::NoLatticeMatch { closest, limit, .. } if closest > limit && closest < 0.25),
            "{excluded:?}"
        );
    }
    let glided = MappingSettings { max_strain: 0.25, ..MappingSettings::default() };
    let report = map_frames(&parent, &frames, &glided);
    assert_eq!(report.mapped.len(), 29);
    assert!(
        matches!(report.excluded[0].reason, Exclusion::HostMismatch { distance_angstrom: d, .. } if (d - 1.367).abs() < 2e-3),
        "{:?}",
        report.excluded[0]
    );
    assert!(
        matches!(report.excluded[1].reason, Exclusion::OffSite { distance_angstrom: d, .. } if (d - 0.920).abs() < 2e-3),
        "{:?}",
        report.excluded[1]
    );
    let far = MappingSettings {
        max_host_displacement_angstrom: 1.5,
        max_working_displacement_angstrom: 1.2,
        ..glided
    };
    let wide = map_frames(&parent, &frames, &far);
    // An ion of structure 8 lies as far from its site as from the middle between two.
    assert_eq!(wide.mapped.len(), 30);
    assert!(
        matches!(wide.excluded[0].reason, Exclusion::OffSite { distance_angstrom: d, .. } if (d - 1.377).abs() < 2e-3),
        "{:?}",
        wide.excluded[0]
    );
    let fit_settings = FitSettings::new(Cutoffs(vec![]));
    let candidates = [Cutoffs(vec![5.0]), Cutoffs(vec![6.0]), Cutoffs(vec![6.0, 3.0])];
    let (fit, _) = choose_cutoffs(&parent, &report.mapped, &fit_settings, &candidates).unwrap();
    let points: Vec<[f64; 2]> = fit.parity.iter().map(|p| [p.site_fraction, p.data_ev]).collect();
    let hull = scalade_lattice::hull::lower_hull(&points);
    let energy = |i: usize| points[hull[i]][1];
    assert!(
        (energy(0) - -31.381388333).abs() < 1e-6 && (energy(hull.len() - 1) - -37.465006667).abs() < 1e-6
    );
    let expected = [(0.0, 0.0), (0.5, -128.09), (5.0 / 6.0, -46.95), (1.0, 0.0)];
    assert_eq!(hull.len(), expected.len());
    for (i, (x, formation)) in hull.iter().zip(expected) {
        let [at, e] = points[*i];
        let got = 1e3 * (e - (1.0 - at) * energy(0) - at * energy(hull.len() - 1));
        assert!((at - x).abs() < 1e-12 && (got - formation).abs() < 0.01, "{at} {got}");
    }
    // Steps against a reference of -1.9 eV per Li.
    let step =
        |a: usize, b: usize| -1.9 - (energy(b) - energy(a)) / (points[hull[b]][0] - points[hull[a]][0]);
    for (a, b, v) in [(0, 1, 4.4398), (1, 2, 3.9402), (2, 3, 3.9019), (0, 3, 4.183618)] {
        assert!((step(a, b) - v).abs() < 1e-4, "{}", step(a, b));
    }
}

#[test]
fn l12_triplets_lower_the_training_error_and_raise_the_leave_one_out_error() {
    let (prim, frames) = frames();
    let parent = Parent::new(&prim, "Li", 1.0, &MoyoFinder, 1e-2).unwrap();
    let glided = MappingSettings { max_strain: 0.25, ..MappingSettings::default() };
    let report = map_frames(&parent, &frames, &glided);
    let candidates = [Cutoffs(vec![6.0]), Cutoffs(vec![6.0, 6.0])];
    let settings = FitSettings::new(Cutoffs(vec![]));
    let (fit, scores) = choose_cutoffs(&parent, &report.mapped, &settings, &candidates).unwrap();
    let [pairs, triplets] = &scores[..] else { panic!("{scores:?}") };
    assert!(triplets.orbits > pairs.orbits);
    assert!(triplets.training_rmse_ev < pairs.training_rmse_ev, "{scores:?}");
    assert!(triplets.leave_one_out_rmse_ev > pairs.leave_one_out_rmse_ev, "{scores:?}");
    assert_eq!(fit.columns, pairs.orbits + 1);
    // More structures would have to tell the two apart: the sparing choice agrees.
    let chosen = sparing_choice(&scores, report.mapped.len()).unwrap();
    assert_eq!(chosen, 0);
    assert_eq!(sparing_choice(&[], 29), None);
}

#[test]
fn l12_least_squares_agrees_and_its_leave_one_out_errors_are_those_of_refits() {
    let (prim, frames) = frames();
    let parent = Parent::new(&prim, "Li", 1.0, &MoyoFinder, 1e-2).unwrap();
    let glided = MappingSettings { max_strain: 0.25, ..MappingSettings::default() };
    let mut mapped = map_frames(&parent, &frames, &glided).mapped;
    // 13 and 16 have the same correlations of these pairs: they would share a fold.
    mapped.retain(|m| m.id != "16");
    let fit = |cutoffs: Vec<f64>| {
        let settings = FitSettings {
            method: FitMethod::LeastSquares,
            folds: Some(mapped.len()),
            end_member_weight: 1.0,
            ..FitSettings::new(Cutoffs(cutoffs))
        };
        fit_expansion(&parent, &mapped, &settings).unwrap()
    };
    let (pairs, triplets) = (fit(vec![6.0]), fit(vec![6.0, 3.0]));
    assert!(triplets.training_rmse_ev < pairs.training_rmse_ev);
    assert!(triplets.leave_one_out_rmse_ev > pairs.leave_one_out_rmse_ev);
    for fit in [&pairs, &triplets] {
        let (count, error) = fit.folds.unwrap();
        assert_eq!(count, mapped.len());
        assert!(
            (error / fit.leave_one_out_rmse_ev - 1.0).abs() < 1e-7,
            "{error} {}",
            fit.leave_one_out_rmse_ev
        );
        assert!((fit.effective_parameters - fit.columns as f64).abs() < 1e-6);
    }
}

#[test]
fn candidates_follow_the_shells_of_the_lattice() {
    let (prim, _) = frames();
    let parent = Parent::new(&prim, "Li", 1.0, &MoyoFinder, 1e-2).unwrap();
    let candidates = cutoff_candidates(&parent, 7.0, 5.5, 12).unwrap();
    assert!(candidates.iter().any(|c| c.0.len() == 1) && candidates.iter().any(|c| c.0.len() == 2));
    for c in &candidates {
        assert!(parent.sites.orbits(c).unwrap().len() <= 12, "{c:?}");
        assert!(c.0[0] < 7.1 && c.0.get(1).is_none_or(|t| *t < 5.6 && *t <= c.0[0]), "{c:?}");
    }
    // No two hold the same clusters.
    let mut counts: Vec<Vec<(usize, u64)>> = candidates
        .iter()
        .map(|c| {
            let orbits = parent.sites.orbits(c).unwrap();
            orbits.iter().map(|o| (o.order, (o.diameter_angstrom * 1e6) as u64)).collect()
        })
        .collect();
    let all = counts.len();
    counts.sort();
    counts.dedup();
    assert_eq!(counts.len(), all);
}
