//! Free energies of phases from both ends of the temperature scale against the exact square lattice.
#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

use scalade_crystal::{LatticeSite, SiteGrid};
use scalade_handoff::{ClusterOrbit, LatticeEnergy, LatticeHamiltonian};
use scalade_lattice::exact::Enumeration;
use scalade_lattice::free_energy::{
    Branch, BranchSettings, DiagramSettings, LowTemperature, PhaseSeed, from_infinite_temperature, isotherm,
    trace,
};
use scalade_lattice::{BOLTZMANN_EV_PER_K, Estimate, Supercell};

/// The coupling in eV for which the temperature in kelvin is 1000 times that in units of the coupling.
const J: f64 = 1000.0 * BOLTZMANN_EV_PER_K;

/// Onsager's free energy per site at zero field (units of the coupling).
const ONSAGER: [(f64, f64); 5] =
    [(1.5, -2.008443185), (2.0, -2.051585625), (2.5, -2.198409552), (3.0, -2.447648196), (4.0, -3.036425914)];

/// The square lattice with E = -sign J sum s s'.
fn square(sign: f64) -> LatticeHamiltonian {
    let site = |i: i32, j: i32| LatticeSite { cell: [i, j, 0], basis: 0 };
    let clusters = vec![vec![site(0, 0), site(1, 0)], vec![site(0, 0), site(0, 1)]];
    LatticeHamiltonian {
        lattice_angstrom: [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 30.0]],
        basis_fractional: vec![[0.0; 3]],
        working_ion: "Li".into(),
        formula_units_per_cell: 1.0,
        orbits: vec![ClusterOrbit { order: 2, diameter_angstrom: 3.0, clusters }],
        coefficients_ev: vec![0.0, -sign * J],
        samples_ev: Vec::new(),
    }
}

fn seed(name: &str, matrix: [[i64; 3]; 3], occupied: &[bool]) -> PhaseSeed {
    PhaseSeed {
        name: name.into(),
        supercell: Supercell::new(matrix, 1).unwrap(),
        occupied: occupied.to_vec(),
    }
}

const UNIT: [[i64; 3]; 3] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];

fn uniform() -> Vec<PhaseSeed> {
    vec![seed("empty", UNIT, &[false]), seed("full", UNIT, &[true])]
}

fn neel() -> PhaseSeed {
    seed("chequered", [[1, 1, 0], [0, 2, 0], [0, 0, 1]], &[true, false])
}

fn box_of(dims: [usize; 3], model: &LatticeHamiltonian) -> LatticeEnergy {
    LatticeEnergy::new(model, &model.coefficients_ev, SiteGrid::new(dims, 1).unwrap(), &[]).unwrap()
}

fn settings(dims: [usize; 3], sweeps: usize) -> BranchSettings {
    BranchSettings { dims, spacing_kt: 1.0, equilibration: sweeps / 8, sweeps, seed: 5 }
}

fn close(what: &str, got: Estimate, want: f64, largest: f64) {
    assert!(got.error > 0.0 && got.error < largest, "{what}: sigma {} is not below {largest}", got.error);
    let z = (got.value - want) / got.error;
    assert!(z.abs() < 4.0, "{what}: {} +- {} against {want}, z = {z}", got.value, got.error);
}

/// The potential of a branch at mu = 0, in units of the coupling.
fn at_zero(branch: &Branch) -> Estimate {
    let k = branch.mu_ev.iter().position(|m| m.abs() < 1e-12).unwrap();
    let p = branch.potential_ev[k];
    Estimate { value: p.value / J, error: p.error / J }
}

#[test]
fn l01_both_anchors_give_onsagers_free_energy() {
    let model = square(1.0);
    let dims = [32, 32, 1];
    let energy = box_of(dims, &model);
    for (t, f) in ONSAGER {
        let found = isotherm(&uniform(), &energy, 1000.0 * t, &settings(dims, 2000)).unwrap();
        assert_eq!(found.branches.len(), 2);
        for branch in &found.branches {
            // Above the critical point (2.269) the way leads through strong fluctuations of the composition.
            let largest = if t > 2.4 { 2.5e-3 } else { 5e-4 };
            close(&format!("from phase {} at {t}", branch.phase), at_zero(branch), f, largest);
        }
        if t > 2.4 {
            assert!(found.boundaries.is_empty(), "{t}: {:?}", found.boundaries);
            let hot = from_infinite_temperature(
                &model,
                &model.coefficients_ev,
                1000.0 * t,
                0.0,
                &settings(dims, 2000),
            )
            .unwrap();
            let hot = Estimate { value: hot.value / J, error: hot.error / J };
            close(&format!("from infinite temperature at {t}"), hot, f, 5e-4);
        } else {
            // Onsager and Yang: m = (1 - sinh(2/T)^-4)^(1/8).
            let m = (1.0 - (2.0 / t).sinh().powi(-4)).powf(0.125);
            let [boundary] = &found.boundaries[..] else { unreachable!("{:?}", found.boundaries) };
            assert!(boundary.resolved);
            close("mu", boundary.chemical_potential_ev, 0.0, 1e-3 * J);
            close("poor phase", boundary.x[0], 0.5 * (1.0 - m), 2e-3);
            close("rich phase", boundary.x[1], 0.5 * (1.0 + m), 2e-3);
        }
    }
}

#[test]
fn an_ordered_phase_has_the_free_energy_of_its_mirror_image() {
    // Turning over every second spin makes the antiferromagnet at zero field a ferromagnet.
    let model = square(-1.0);
    let dims = [32, 32, 1];
    let energy = box_of(dims, &model);
    let seeds = [uniform(), vec![neel()]].concat();
    for (t, f) in &ONSAGER[..2] {
        let found = isotherm(&seeds, &energy, 1000.0 * t, &settings(dims, 2000)).unwrap();
        let ordered = found.branches.iter().find(|b| b.phase == 2).unwrap();
        close(&format!("chequered at {t}"), at_zero(ordered), *f, 5e-4);
        assert!(found.stable.iter().any(|s| found.branches[s.0].phase == 2));
    }
    // A period that does not fit the box is no phase of it.
    assert!(neel().pattern(&SiteGrid::new([3, 4, 1], 1).unwrap()).is_none());
    assert!(neel().pattern(&SiteGrid::new([4, 4, 1], 1).unwrap()).is_some());
}

#[test]
fn the_low_temperature_expansion_is_wrong_by_less_than_its_last_order() {
    for (sign, phase) in [(1.0, seed("empty", UNIT, &[false])), (-1.0, neel())] {
        let model = square(sign);
        let mut energy = box_of([4, 4, 1], &model);
        let exact = Enumeration::new(energy.clone()).unwrap();
        let pattern = phase.pattern(energy.grid()).unwrap();
        energy.set_occupation(&pattern).unwrap();
        let series = LowTemperature::new(&phase, &mut energy).unwrap();
        // Both chequered arrangements and, at mu = 0, both uniform ones count in the exact sum.
        let copies = 2f64.ln() / 16.0;
        let mut last = f64::INFINITY;
        for t in [1400.0, 1000.0, 700.0] {
            let point = series.at(t, 0.0);
            let kt = BOLTZMANN_EV_PER_K * t;
            let want = -kt * (exact.at(t, 0.0).unwrap().log_partition - copies);
            let missing = (point.potential_ev - want).abs();
            assert!(missing < point.last_order_ev + 1e-12, "{t}: {missing} {}", point.last_order_ev);
            assert!(point.last_order_ev < last);
            last = point.last_order_ev;
        }
        let [low, high] = series.window_ev();
        assert!((high - 8.0 * J).abs() < 1e-12 && (sign > 0.0 || (low + 8.0 * J).abs() < 1e-12));
    }
}

#[test]
fn a_boundary_is_traced_to_its_critical_point_and_results_do_not_depend_on_threads() {
    let model = square(1.0);
    let request = DiagramSettings {
        temperatures_k: vec![1500.0, 2000.0, 3000.0],
        resolution_k: Some(70.0),
        branch: settings([32, 32, 1], 1500),
    };
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| trace(&uniform(), &model, &model.coefficients_ev, &request).unwrap())
    };
    let found = run(1);
    assert_eq!(found, run(2));
    let [(pair, [below, above])] = &found.ends[..] else { unreachable!("{:?}", found.ends) };
    assert_eq!(*pair, [0, 1]);
    assert!(above - below <= 70.0);
    // 2/ln(1 + sqrt 2) = 2.269; a box of 32 x 32 keeps its phases apart a little beyond it.
    assert!(*below > 2150.0 && *above < 2400.0, "{below} {above}");
    assert!(found.isotherms.windows(2).all(|w| w[0].temperature_k < w[1].temperature_k));
}

#[test]
fn hostile_settings_are_refused() {
    let model = square(1.0);
    let energy = box_of([8, 8, 1], &model);
    for t in [f64::NAN, -3.0, 0.0, 1e9] {
        assert!(isotherm(&uniform(), &energy, t, &settings([8, 8, 1], 100)).is_err());
    }
    assert!(isotherm(&[], &energy, 300.0, &settings([8, 8, 1], 100)).is_err());
    assert!(isotherm(&uniform(), &energy, 1000.0, &settings([8, 8, 1], 3)).is_err());
    let none =
        DiagramSettings { temperatures_k: Vec::new(), resolution_k: None, branch: settings([8, 8, 1], 100) };
    assert!(trace(&uniform(), &model, &model.coefficients_ev, &none).is_err());
    let fine = DiagramSettings { temperatures_k: vec![300.0], resolution_k: Some(0.0), ..none };
    assert!(trace(&uniform(), &model, &model.coefficients_ev, &fine).is_err());
}
