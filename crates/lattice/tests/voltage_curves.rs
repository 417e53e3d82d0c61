//! Voltage curves of models whose answer is known, and of the bundled data.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/models.rs"]
mod models;

use common::read_frames;
use models::{kelvin, lattice_gas, triangular_gas};
use scalade_crystal::MoyoFinder;
use scalade_handoff::OutOfDomain;
use scalade_lattice::{
    BOLTZMANN_EV_PER_K, Cutoffs, Fit, FitSettings, LatticeError, MappedStructure, MappingSettings, Member,
    Monitor, Parent, ScanSettings, Silent, VoltageSettings, choose_cutoffs, compute_voltage, fit_expansion,
    map_frames, open_circuit_voltage, thermodynamic_factor,
};

fn settings(dims: [usize; 3], sweeps: usize) -> VoltageSettings {
    let scan = ScanSettings { dims, sweeps, ..ScanSettings::default() };
    VoltageSettings { scan, ..VoltageSettings::default() }
}

#[test]
fn l18_ideal_lattice_gas() {
    let (t, x_index) = (298.15, |x: f64| (x / 0.005).round() as usize - 1);
    let kt = BOLTZMANN_EV_PER_K * t;
    assert!((kt - 0.0256925791).abs() < 1e-10);
    let (curve, _) =
        compute_voltage(&lattice_gas(1, &[]), Member::Mean, t, 0.0, &settings([10, 10, 10], 80), &Silent)
            .unwrap();
    let i = x_index(0.1);
    assert!((curve.x[i] - 0.1).abs() < 1e-12);
    let z = (curve.voltage_v[i] - 0.0564523663) / curve.voltage_std[i];
    assert!(z.abs() < 4.0 && curve.voltage_std[i] < 5e-4, "{z} {}", curve.voltage_std[i]);
    let half = x_index(0.5);
    let slope = -kt * curve.theta[half] / curve.x[half];
    assert!(
        (slope / -0.1027703165 - 1.0).abs() < 4.0 * curve.theta_std[half] / curve.theta[half] + 2e-3,
        "{slope}"
    );
    for i in 0..curve.x.len() {
        let x = curve.x[i];
        let z = |got: f64, std: f64, exact: f64| (got - exact) / std;
        assert!(
            z(curve.voltage_v[i], curve.voltage_std[i].max(2e-5), -kt * (x / (1.0 - x)).ln()).abs() < 4.5,
            "V at {x}"
        );
        let factor = curve.theta[i] * (1.0 - x) - 1.0;
        assert!(
            factor.abs() < 4.5 * curve.theta_std[i] * (1.0 - x) + 0.02,
            "theta at {x}: {}",
            curve.theta[i]
        );
        let entropy = -BOLTZMANN_EV_PER_K * (x / (1.0 - x)).ln();
        assert!((curve.dvdt_v_per_k[i] - entropy).abs() < 4.5 * curve.dvdt_std[i] + 2e-6, "dV/dT at {x}");
        let mixing = kt * (x * x.ln() + (1.0 - x) * (1.0 - x).ln());
        assert!(
            (curve.mixing_free_energy_ev[i] - mixing).abs() < 5.0 * curve.free_energy_std[i] + 2e-6,
            "g at {x}"
        );
    }
    assert!(curve.two_phase.is_empty());
    assert!(curve.closure_ev.abs() < 5.0 * curve.closure_std_ev);
}

#[test]
fn attractive_square_gas_has_onsagers_binodal_and_a_flat_voltage() {
    // E = -e sum n n' on the square lattice: J = e/4, coexistence at mu = -2e, densities (1 +- m)/2 (L. Onsager, C. N. Yang).
    let e = 0.1;
    let model = lattice_gas(1, &[(0, [1, 0, 0], 0, -e), (0, [0, 1, 0], 0, -e)]);
    for (scale, spacing_kt, hanging) in [(0.6, 0.1, true), (0.75, 0.5, false), (0.85, 0.5, false)] {
        let kt = scale * 2.269185314213 * e / 4.0;
        let m = (1.0 - (2.0 * e / 4.0 / kt).sinh().powi(-4)).powf(0.125);
        let mut settings = settings([40, 40, 1], 400);
        settings.scan.spacing_kt = spacing_kt;
        let (curve, scan) =
            compute_voltage(&model, Member::Mean, kelvin(kt), 0.0, &settings, &Silent).unwrap();
        assert_eq!(curve.two_phase.len(), 1, "{:?}", curve.two_phase);
        let [low, high] = curve.two_phase[0];
        assert!(
            (low - 0.5 * (1.0 - m)).abs() < 0.006 && (high - 0.5 * (1.0 + m)).abs() < 0.006,
            "{low} {high} {m}"
        );
        let transition = &curve.transitions[0];
        assert!((transition.chemical_potential_ev + 2.0 * e).abs() < 1e-3, "{transition:?}");
        let flat: Vec<f64> = (0..curve.x.len())
            .filter(|i| curve.x[*i] > low && curve.x[*i] < high)
            .map(|i| curve.voltage_v[i])
            .collect();
        assert!(flat.len() > 100 && flat.iter().all(|v| *v == flat[0]));
        assert!(curve.voltage_v.windows(2).all(|w| w[1] <= w[0]));
        let hangs = scan.up.iter().zip(&scan.down).filter(|(u, d)| d.x.value - u.x.value > 0.5).count();
        assert!(!hanging || hangs >= 2, "no hysteresis: {hangs}");
        // By symmetry the free energy of mixing at x and 1 - x is the same.
        let n = curve.x.len();
        for i in 0..n {
            let difference = curve.mixing_free_energy_ev[i] - curve.mixing_free_energy_ev[n - 1 - i];
            assert!(difference.abs() < 1e-3, "{difference}");
        }
    }
}

#[test]
fn two_kinds_of_sites_give_a_step_at_the_exact_place_and_height() {
    // Independent sites at -0.12 and +0.12 eV: x is the mean of two Fermi functions; V falls by 0.24 V within a few percent of x = 1/2.
    let mut model = lattice_gas(2, &[]);
    model.orbits[0].clusters[0][0].basis = 0;
    model.coefficients_ev = vec![0.0, -0.06, 0.06];
    let kt = 300.0 * BOLTZMANN_EV_PER_K;
    let (curve, _) =
        compute_voltage(&model, Member::Mean, 300.0, 0.0, &settings([10, 10, 10], 150), &Silent).unwrap();
    let coverage = |mu: f64| 0.5 / (1.0 + ((-0.12 - mu) / kt).exp()) + 0.5 / (1.0 + ((0.12 - mu) / kt).exp());
    for i in 0..curve.x.len() {
        let (mut low, mut high) = (-1.0, 1.0);
        for _ in 0..80 {
            let middle = 0.5 * (low + high);
            if coverage(middle) < curve.x[i] { low = middle } else { high = middle }
        }
        // Interpolation between potentials half a kT apart adds up to a percent of kT.
        let error = 4.5 * curve.voltage_std[i] + 0.01 * kt;
        assert!(
            (curve.voltage_v[i] + low).abs() < error,
            "x {} V {} exact {} +- {}",
            curve.x[i],
            curve.voltage_v[i],
            -low,
            curve.voltage_std[i]
        );
    }
    assert!(curve.two_phase.is_empty());
}

#[test]
fn temperature_coefficient_agrees_with_differences_of_curves() {
    let model = triangular_gas(0.05, 0.01);
    let at = |t: f64| {
        compute_voltage(&model, Member::Mean, t, 0.0, &settings([18, 18, 1], 600), &Silent).unwrap().0
    };
    let (cold, middle, warm) = (at(380.0), at(400.0), at(420.0));
    let (mut chi2, mut count) = (0.0, 0.0);
    for i in (0..middle.x.len()).step_by(5) {
        let difference = (warm.voltage_v[i] - cold.voltage_v[i]) / 40.0;
        let error = (warm.voltage_std[i].hypot(cold.voltage_std[i]) / 40.0).hypot(middle.dvdt_std[i]);
        chi2 += ((difference - middle.dvdt_v_per_k[i]) / error).powi(2);
        count += 1.0;
    }
    // Neighbouring points share their noise: the mean square has a wide distribution about one.
    assert!(chi2 / count < 3.0, "{}", chi2 / count);
}

#[test]
fn error_bars_say_how_far_curves_of_other_seeds_lie() {
    let model = triangular_gas(0.05, 0.01);
    let at = |seed: u64| {
        let mut s = settings([18, 18, 1], 60);
        s.scan.seed = seed;
        compute_voltage(&model, Member::Mean, 400.0, 0.0, &s, &Silent).unwrap().0
    };
    let exact = {
        let mut s = settings([18, 18, 1], 1500);
        s.scan.spacing_kt = 0.25;
        compute_voltage(&model, Member::Mean, 400.0, 0.0, &s, &Silent).unwrap().0
    };
    let (mut v2, mut theta2, mut slope2, mut g2, mut count) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for curve in (1..=12).map(at) {
        for i in (3..exact.x.len()).step_by(8) {
            let z2 = |a: &[f64], b: &[f64], s: &[f64], t: &[f64]| ((a[i] - b[i]) / s[i].hypot(t[i])).powi(2);
            v2 += z2(&curve.voltage_v, &exact.voltage_v, &curve.voltage_std, &exact.voltage_std);
            theta2 += z2(&curve.theta, &exact.theta, &curve.theta_std, &exact.theta_std);
            slope2 += z2(&curve.dvdt_v_per_k, &exact.dvdt_v_per_k, &curve.dvdt_std, &exact.dvdt_std);
            g2 += z2(
                &curve.free_energy_ev,
                &exact.free_energy_ev,
                &curve.free_energy_std,
                &exact.free_energy_std,
            );
            count += 1.0;
        }
    }
    for (what, sum) in [("V", v2), ("theta", theta2), ("dV/dT", slope2), ("g", g2)] {
        let rms = (sum / count).sqrt();
        assert!((0.4..1.6).contains(&rms), "{what}: {rms} error bars");
    }
}

struct Bundled {
    parent: Parent,
    mapped: Vec<MappedStructure>,
}

fn bundled() -> Bundled {
    let frames = read_frames("orderings.extxyz");
    let parent = Parent::new(&frames[0].structure, "Li", 1.0, &MoyoFinder, 1e-3).unwrap();
    let mapped = map_frames(&parent, &frames, &MappingSettings::default()).mapped;
    Bundled { parent, mapped }
}

fn fit(data: &Bundled) -> Fit {
    fit_expansion(&data.parent, &data.mapped, &FitSettings::new(Cutoffs(vec![8.0, 5.0, 5.0]))).unwrap()
}

const LITHIUM_EV: f64 = -2.0623168473947775;

#[test]
fn bundled_data_fit_within_three_mev_and_give_the_mean_voltage() {
    let data = bundled();
    let fit = fit(&data);
    assert_eq!(fit.parity.len(), 138);
    assert_eq!(fit.rank, fit.columns);
    assert!(fit.leave_one_out_rmse_ev < 3e-3 && fit.leave_one_out_rmse_ev > fit.training_rmse_ev);
    let (curve, _) = compute_voltage(
        &fit.hamiltonian,
        Member::Mean,
        300.0,
        LITHIUM_EV,
        &settings([12, 12, 12], 30),
        &Silent,
    )
    .unwrap();
    assert!(curve.voltage_v.windows(2).all(|w| w[1] <= w[0]));
    // The integral of V over x is the energy of the reaction, whatever happens between: E(0) + E_Li - E(1) of the expansion.
    let energy = |x: f64| fit.parity.iter().find(|p| p.site_fraction == x).map_or(f64::NAN, |p| p.fitted_ev);
    let exact = energy(0.0) + LITHIUM_EV - energy(1.0);
    let last = curve.x.len() - 1;
    let ends = 0.5 * 0.005 * (curve.voltage_v[0] + curve.voltage_v[last]);
    let inner: f64 = curve
        .x
        .windows(2)
        .zip(curve.voltage_v.windows(2))
        .map(|(x, v)| 0.5 * (x[1] - x[0]) * (v[0] + v[1]))
        .sum();
    // The ends beyond the grid miss kT times the entropy there, a few tenths of a millivolt each and of opposite sign.
    assert!((inner + 2.0 * ends - exact).abs() < 5e-4, "{} {exact}", inner + 2.0 * ends);
    assert!((exact - 3.797).abs() < 5e-3, "{exact}");
}

#[test]
fn curves_are_admissible_hand_offs() {
    let data = bundled();
    let fit = fit(&data);
    let settings = settings([6, 6, 6], 40);
    let at = |member: Member, t: f64| {
        compute_voltage(&fit.hamiltonian, member, t, LITHIUM_EV, &settings, &Silent).unwrap().0
    };
    let members: Vec<_> = (0..3).map(|k| at(Member::Sample(k), 300.0)).collect();
    let curves = [at(Member::Mean, 280.0), at(Member::Mean, 300.0), at(Member::Mean, 320.0)];
    let voltage = open_circuit_voltage(&curves[1], &members, "Li", 1.0, OutOfDomain::Error).unwrap();
    assert_eq!(voltage.member_count(), 3);
    for (sum, own) in voltage.table().standard_error_v.iter().zip(&curves[1].voltage_std) {
        assert!(sum >= own);
    }
    let at_320: Vec<_> = (0..3).map(|k| at(Member::Sample(k), 320.0)).collect();
    assert!(thermodynamic_factor(&curves, 1, &members, None).unwrap().table().second.is_none());
    let both = thermodynamic_factor(&curves, 1, &members, Some((2, &at_320))).unwrap();
    let x = [0.5];
    let middle = at_320[1].x.iter().position(|v| (v - 0.5).abs() < 1e-9).unwrap();
    let (here, there) = (both.evaluate_member(1, &x).unwrap()[0], at_320[1].theta[middle]);
    let energy = both.member_activation_energy_ev(1, &x).unwrap().unwrap()[0];
    let expected = (there / here).ln() * BOLTZMANN_EV_PER_K / (1.0 / 300.0 - 1.0 / 320.0);
    assert!((energy - expected).abs() < 1e-9, "{energy} {expected}");
    // Members at another temperature than the curve they belong to, and curves that do not exist.
    assert!(thermodynamic_factor(&curves, 1, &members, Some((0, &at_320))).is_err());
    assert!(thermodynamic_factor(&curves, 1, &members, Some((3, &at_320))).is_err());
    assert!(thermodynamic_factor(&curves, 3, &members, None).is_err());
    assert!(open_circuit_voltage(&curves[0], &members, "Li", 1.0, OutOfDomain::Error).is_err());
}

#[test]
fn a_constant_per_host_formula_unit_shifts_no_voltage() {
    let data = bundled();
    let base = fit(&data);
    let mut shifted = Bundled { parent: data.parent.clone(), mapped: data.mapped.clone() };
    for m in &mut shifted.mapped {
        m.energy_ev += 17.3 * m.supercell.cells() as f64;
    }
    let other = fit(&shifted);
    let (a, b) = (&base.hamiltonian.coefficients_ev, &other.hamiltonian.coefficients_ev);
    assert!((b[0] - a[0] - 17.3).abs() < 1e-8);
    for (x, y) in a[1..].iter().zip(&b[1..]) {
        assert!((x - y).abs() < 1e-8, "{x} {y}");
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads_and_the_seed_matters() {
    let data = bundled();
    let run = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let candidates = [Cutoffs(vec![6.0]), Cutoffs(vec![8.0, 5.0])];
            let (fit, _) =
                choose_cutoffs(&data.parent, &data.mapped, &FitSettings::new(Cutoffs(vec![])), &candidates)
                    .unwrap();
            let mut settings = settings([6, 6, 6], 20);
            settings.scan.seed = seed;
            let (curve, scan) =
                compute_voltage(&fit.hamiltonian, Member::Sample(2), 300.0, LITHIUM_EV, &settings, &Silent)
                    .unwrap();
            (fit.hamiltonian, curve, scan)
        })
    };
    let base = run(1, 1);
    assert!(base == run(3, 1));
    assert!(base.1 != run(1, 2).1);
}

struct Stopping(std::sync::atomic::AtomicUsize);

impl Monitor for Stopping {
    fn progress(&self, done: usize, total: usize) {
        assert!(done <= total);
        self.0.fetch_max(done, std::sync::atomic::Ordering::Relaxed);
    }
    fn cancelled(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed) >= 5
    }
}

#[test]
fn a_run_can_be_stopped_and_hostile_settings_are_refused() {
    let model = lattice_gas(1, &[]);
    let stopping = Stopping(std::sync::atomic::AtomicUsize::new(0));
    let base = settings([6, 6, 6], 20);
    let stopped = compute_voltage(&model, Member::Mean, 300.0, 0.0, &base, &stopping);
    assert!(matches!(stopped, Err(LatticeError::Cancelled { done, .. }) if (5..9).contains(&done)));
    let refused = |t: f64, reference: f64, change: &dyn Fn(&mut VoltageSettings)| {
        let mut s = base.clone();
        change(&mut s);
        compute_voltage(&model, Member::Mean, t, reference, &s, &Silent).is_err()
    };
    for t in [0.0, -3.0, f64::NAN, f64::INFINITY, 1e-300] {
        assert!(refused(t, 0.0, &|_| ()), "{t}");
    }
    assert!(refused(300.0, f64::NAN, &|_| ()));
    assert!(refused(300.0, 0.0, &|s| s.x = vec![0.5, 0.4]));
    assert!(refused(300.0, 0.0, &|s| s.x = vec![0.0, 0.4]));
    assert!(refused(300.0, 0.0, &|s| s.x = vec![1e-9, 0.4]));
    assert!(refused(300.0, 0.0, &|s| s.scan.dims = [0, 1, 1]));
    assert!(refused(300.0, 0.0, &|s| s.scan.dims = [1000, 1000, 1000]));
    assert!(refused(300.0, 0.0, &|s| s.scan.refinement = 0));
    assert!(refused(300.0, 0.0, &|s| s.scan.sweeps = 2));
    assert!(refused(300.0, 0.0, &|s| s.scan.spacing_kt = 0.0));
    assert!(compute_voltage(&model, Member::Sample(7), 300.0, 0.0, &base, &Silent).is_err());
}
