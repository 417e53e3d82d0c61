//! LiCoO2 and CoO2: bands of GPAW (data/licoo2_bands).

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use scalade_bands::{
    BandSet, Bands, Condition, Grid, Level, Refinement, RelaxationTime, StarInterpolation, TetrahedronDos,
    transport,
};

fn text(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/licoo2_bands").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn set(name: &str) -> BandSet {
    BandSet::from_json(&text(&format!("bands_{name}.json"))).unwrap()
}

#[test]
fn the_bands_hold_their_electrons() {
    for (name, electrons) in [("LiCoO2", 22.0), ("CoO2", 21.0)] {
        let set = set(name);
        let filled = set.filling(set.fermi_level_ev().unwrap(), 0.05);
        println!("{name}: {filled:.6} electrons");
        assert!((filled - electrons).abs() < 5e-5, "{filled}");
        assert_eq!(set.electrons(), Some(electrons));
        assert_eq!(set.group().rotations().len(), 12);
    }
    let oxide = set("LiCoO2");
    let all = |from: usize| (0..189).flat_map(|k| oxide.energies(k)[from..].to_vec()).collect::<Vec<f64>>();
    let top = (0..189).map(|k| oxide.energies(k)[10]).fold(f64::MIN, f64::max);
    let bottom = all(11).into_iter().fold(f64::MAX, f64::min);
    assert!((bottom - top - 1.045).abs() < 5e-4, "{}", bottom - top);
    // With the measured gap in its place.
    let open = oxide.clone().with_scissors(11, 2.7 - (bottom - top)).unwrap();
    let raised = (0..189).map(|k| open.energies(k)[11]).fold(f64::MAX, f64::min);
    assert!((raised - top - 2.7).abs() < 1e-12);
}

#[test]
fn density_at_the_fermi_level_of_coo2() {
    let set = set("CoO2");
    let dos = TetrahedronDos::of_set(&set, [12; 3]).unwrap();
    let level = set.fermi_level_ev().unwrap();
    let got = [-0.05, 0.0, 0.05].map(|d| dos.density(level + d));
    println!(
        "g = {got:?} per eV and cell; level of the tetrahedra {:.4}",
        dos.fermi_level(21.0).unwrap() - level
    );
    // The data set's own tetrahedra, to its digits.
    for (g, want) in got.into_iter().zip([5.3614, 5.3274, 3.709]) {
        assert!((g - want).abs() < 1e-4, "{got:?}");
    }
    // The file's level is that of a width of 0.05 eV; the tetrahedra's lies a little lower.
    let sharp = dos.fermi_level(21.0).unwrap();
    assert!((dos.states(sharp) - 21.0).abs() < 1e-6 && (sharp - level).abs() < 0.015, "{sharp} {level}");
    assert!(TetrahedronDos::of_set(&set, [10; 3]).is_err());
    assert!(TetrahedronDos::of_set(&set, [24; 3]).is_err());
    let fine =
        TetrahedronDos::of_bands(&StarInterpolation::new(&set.window(8, 4).unwrap(), 5.0).unwrap(), [36; 3])
            .unwrap();
    let finer = [-0.05, 0.0, 0.05].map(|d| fine.density(level + d));
    println!("interpolated, 36^3: g = {finer:?}");
    // The density falls steeply above the level: a grid three times as dense puts it lower, and 5.33 belongs to 12^3.
    assert!((finer[1] - 4.99).abs() < 0.02, "{finer:?}");
}

/// What a Fourier interpolation of the sorted bands can do: 25 meV, 66 meV where O 2p bands cross.
#[test]
fn interpolation_off_the_grid() {
    for (name, crossing) in [("LiCoO2", 2..8), ("CoO2", 2..11)] {
        let raw = text(&format!("bands_{name}.json"));
        let bands = StarInterpolation::new(&set(name), 5.0).unwrap();
        assert!(bands.residual_ev() < 1e-10);
        let json: serde_json::Value = serde_json::from_str(&raw).unwrap();
        let general = &json["general_points"];
        let points = general["k_points_fractional"].as_array().unwrap();
        for (k, e) in points.iter().zip(general["eigenvalues_eV"].as_array().unwrap()) {
            let k: [f64; 3] = std::array::from_fn(|i| k[i].as_f64().unwrap());
            let got = bands.at(&[k]).unwrap();
            let off: Vec<f64> = (0..13).map(|b| 1e3 * (got[b].energy_ev - e[b].as_f64().unwrap())).collect();
            println!("{name} {k:?}: {}", off.iter().map(|x| format!("{x:.0}")).collect::<Vec<_>>().join(" "));
            for (band, off) in off.iter().enumerate() {
                let most = if crossing.contains(&band) { 66.0 } else { 25.0 };
                assert!(off.abs() <= most, "{name} band {band}: {off} meV");
            }
        }
        assert!(points.len() == 3);
    }
}

#[test]
fn fourier_transforms_and_single_points_agree() {
    let bands = StarInterpolation::new(&set("CoO2").window(8, 4).unwrap(), 5.0).unwrap();
    // Coarser and finer than the coefficients reach.
    for n in [6, 20, 40] {
        let grid = Grid::new([n; 3], bands.group()).unwrap();
        for batch in bands.batches() {
            let planes = bands.on_grid(&grid, batch.clone()).unwrap();
            for (i1, wanted) in grid.planes.iter().enumerate().filter(|(_, w)| !w.is_empty()) {
                let mut found = Vec::new();
                planes.plane(i1, wanted, &mut found).unwrap();
                for (p, got) in wanted.iter().zip(&found).step_by(7) {
                    let mut want = Vec::new();
                    bands.points(grid.k(i1, p.index), &mut want).unwrap();
                    let want = want[batch.start];
                    assert!((got.energy_ev - want.energy_ev).abs() < 1e-11, "{got:?} {want:?}");
                    for (a, b) in got.products.iter().zip(want.products) {
                        assert!((a - b).abs() < 1e-9, "{got:?} {want:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn layers_conduct_better_along_than_across_and_filling_follows_lithium() {
    // Rigid bands of CoO2 filled with x electrons; only the valence bands above the deep ones take part.
    let set = set("CoO2").window(2, 11).unwrap();
    let bands = StarInterpolation::new(&set, 5.0).unwrap();
    let neutral = set.electrons().unwrap();
    assert_eq!(neutral, 17.0);
    let at = |x: f64| Condition { level: Level::Electrons { neutral, added: x }, temperature_k: 300.0 };
    let conditions = [at(0.0), at(0.5), at(0.9)];
    let settings = Refinement { relative_error: 2e-2, seebeck_error: 1e-6, ..Refinement::default() };
    let start = std::time::Instant::now();
    let got = transport(&bands, &conditions, &RelaxationTime::constant(1e-14).unwrap(), &settings).unwrap();
    println!("{:?} in {:?}, converged {}", got.grids, start.elapsed(), got.converged);
    let mut level = f64::MIN;
    for ((point, error), x) in got.points.iter().zip(&got.errors).zip([0.0, 0.5, 0.9]) {
        let s = point.conductivity;
        println!(
            "x {x}: mu {:.4} eV, sigma {:.3e} along {:.3e} across S/m, S {:.2} {:.2} uV/K, L {:.3e}, {error:?}",
            point.potential_ev,
            s[0][0],
            s[2][2],
            1e6 * point.seebeck[0][0],
            1e6 * point.seebeck[2][2],
            point.lorenz
        );
        assert!((point.electrons - neutral - x).abs() < 1e-9);
        assert!(
            (s[0][0] / s[1][1] - 1.0).abs() < 1e-6
                && s[0][1].abs() < 1e-6 * s[0][0]
                && s[0][2].abs() < 1e-6 * s[0][0]
        );
        assert!(s[2][2] > 0.0 && s[2][2] < s[0][0]);
        assert!(point.potential_ev > level);
        level = point.potential_ev;
    }
    assert!(got.converged, "{:?}", got.errors);
}
