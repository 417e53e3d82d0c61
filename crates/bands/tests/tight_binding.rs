//! Transport of analytic bands against references (E3, E4), closed forms and symmetry.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use scalade_bands::constants::{BOHR_ANGSTROM, HARTREE_EV, REDUCED_PLANCK};
use scalade_bands::mass::MassTensor;
use scalade_bands::parabolic::{Carrier, ParabolicBand};
use scalade_bands::{
    BandSet, BandSetParts, Bands, BandsError, Condition, Grid, Hopping, Level, PointGroup, Refinement,
    RelaxationTime, StarInterpolation, StateTimes, TightBinding, cubic_rotations, transport,
    transport_on_grid,
};
use scalade_units::constants::{BOLTZMANN_EV, ELEMENTARY_CHARGE};
use std::f64::consts::PI;

const A: f64 = 6.0 * BOHR_ANGSTROM;
const T: f64 = 0.02 * HARTREE_EV;

type M3 = [[f64; 3]; 3];

fn hop(row: usize, column: usize, cell: [i32; 3], re: f64, im: f64) -> Hopping {
    Hopping { row, column, cell, amplitude_ev: [re, im] }
}

fn cube(a: f64) -> M3 {
    [[a, 0.0, 0.0], [0.0, a, 0.0], [0.0, 0.0, a]]
}

fn cubic(a: f64, t: f64) -> TightBinding {
    let hoppings = [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map(|cell| hop(0, 0, cell, -t, 0.0));
    TightBinding::new(cube(a), 1, &hoppings, true, 2.0)
        .unwrap()
        .with_rotations(&cubic_rotations(), true)
        .unwrap()
}

fn at(mu_ev: f64, temperature_k: f64) -> Condition {
    Condition { level: Level::Potential(mu_ev), temperature_k }
}

fn filled(electrons: f64, temperature_k: f64) -> Condition {
    Condition { level: Level::Electrons { neutral: electrons, added: 0.0 }, temperature_k }
}

fn unit_time() -> RelaxationTime {
    RelaxationTime::constant(1.0).unwrap()
}

/// Within half a unit of the last digit given.
fn digits(what: &str, got: f64, want: f64, unit: f64) {
    assert!((got - want).abs() <= 0.51 * unit, "{what}: {got:.12e} against {want:.12e}");
}

fn close(what: &str, got: f64, want: f64, relative: f64) {
    assert!((got - want).abs() <= relative * want.abs(), "{what}: {got:.10e} against {want:.10e}");
}

/// Bands of a model on the irreducible points of an n^3 grid.
fn sampled(model: &TightBinding, n: usize, reverse: bool) -> BandSet {
    let grid = Grid::new([n; 3], model.group()).unwrap();
    let mut points: Vec<([f64; 3], f64)> = Vec::new();
    for (i1, plane) in grid.planes.iter().enumerate() {
        points.extend(
            plane.iter().map(|p| (grid.k(i1, p.index), f64::from(p.multiplicity) / grid.points() as f64)),
        );
    }
    if reverse {
        points.reverse();
    }
    let k_points: Vec<[f64; 3]> = points.iter().map(|p| p.0).collect();
    BandSet::new(BandSetParts {
        lattice_angstrom: *model.lattice_angstrom(),
        energies_ev: k_points.iter().map(|k| model.energies(*k).unwrap()).collect(),
        weights: points.iter().map(|p| p.1).collect(),
        k_points,
        rotations: model.group().rotations().to_vec(),
        spin_degeneracy: model.spin_degeneracy(),
        fermi_level_ev: None,
        electrons: None,
    })
    .unwrap()
}

#[test]
fn e3_cubic_band_from_the_model_to_all_digits() {
    let band = cubic(A, T);
    let conditions = [at(0.0, 300.0), at(-0.088 * HARTREE_EV, 300.0), filled(0.07830269, 300.0)];
    let got = transport_on_grid(&band, &conditions, &unit_time(), [400; 3]).unwrap();
    let [half, low, counted] = got.points[..] else { panic!() };
    digits("sigma/tau", half.conductivity[0][0], 4.23385504e20, 1e12);
    digits("sigma/tau", low.conductivity[1][1], 8.28848606e19, 1e11);
    assert!(half.seebeck[2][2].abs() < 1e-16, "{:e}", half.seebeck[2][2]);
    digits("S", low.seebeck[0][0] * 1e6, -12.174679, 1e-6);
    digits("N", half.electrons, 1.0, 1e-9);
    digits("N", low.electrons, 0.07830269, 1e-8);
    assert!(half.conductivity[0][1].abs() < 1e-10 * half.conductivity[0][0]);
    assert_eq!(half.conducting, 3);
    // The level from the count, which is given to 5e-9.
    assert!(
        (counted.potential_ev / HARTREE_EV + 0.088).abs() < 2e-9,
        "{}",
        counted.potential_ev / HARTREE_EV
    );
    digits("N", counted.electrons, 0.07830269, 1e-13);
}

#[test]
fn e3_sum_rule() {
    // sigma/tau = -2 e^2 <f E>/(3 hbar^2 a) by partial integration; <f E> by a plain sum.
    let n = 200;
    for (mu, temperature) in [(0.0, 300.0), (-0.088 * HARTREE_EV, 300.0), (0.9, 900.0)] {
        let kt = BOLTZMANN_EV * temperature;
        let cosines: Vec<f64> = (0..n).map(|i| (PI * (f64::from(i) + 0.5) / f64::from(n)).cos()).collect();
        let mut sum = 0.0;
        for x in &cosines {
            for y in &cosines {
                for z in &cosines {
                    let e = -2.0 * T * (x + y + z);
                    sum += e / (((e - mu) / kt).exp() + 1.0);
                }
            }
        }
        let mean = sum / f64::from(n).powi(3) * ELEMENTARY_CHARGE;
        let want = -2.0 * ELEMENTARY_CHARGE.powi(2) * mean / (3.0 * REDUCED_PLANCK.powi(2) * A * 1e-10);
        let got = transport_on_grid(&cubic(A, T), &[at(mu, temperature)], &unit_time(), [400; 3]).unwrap();
        close("sum rule", got.points[0].conductivity[2][2], want, 2e-9);
    }
}

#[test]
fn e3_cubic_band_from_eight_cubed_points() {
    let set = sampled(&cubic(A, T), 8, false);
    assert_eq!(set.k_points().len(), 35);
    let bands = StarInterpolation::new(&set, 5.0).unwrap();
    let conditions = [at(0.0, 300.0), at(-0.088 * HARTREE_EV, 300.0)];
    let got = transport(&bands, &conditions, &unit_time(), &Refinement::default()).unwrap();
    let mut worst = 0.0f64;
    for i in 0..200 {
        let k = [0.37, 0.61, 0.83].map(|s| (s * f64::from(i)).fract());
        let exact = -2.0 * T * k.iter().map(|k| (2.0 * PI * k).cos()).sum::<f64>();
        worst = worst.max((bands.at(&[k]).unwrap()[0].energy_ev - exact).abs());
    }
    println!("interpolation off by {:.4} meV, grids {:?}, errors {:?}", 1e3 * worst, got.grids, got.errors);
    assert!(got.converged);
    let want = [(4.23385504e20, 0.0, 1.0), (8.28848606e19, -12.174679, 0.07830269)];
    for ((point, error), (sigma, seebeck, electrons)) in got.points.iter().zip(&got.errors).zip(want) {
        println!("{:e} {} {}", point.conductivity[0][0], point.seebeck[0][0] * 1e6, point.electrons);
        close("sigma/tau", point.conductivity[0][0], sigma, 1e-3);
        assert!((point.seebeck[1][1] * 1e6 - seebeck).abs() < 0.2, "{}", point.seebeck[1][1] * 1e6);
        close("N", point.electrons, electrons, 1e-3);
        assert!(error.conductivity_relative <= 1e-3 && error.seebeck <= 1e-7);
    }
    assert!(worst < 1e-3);
}

#[test]
fn e4_masses_at_gamma_and_r() {
    let model = cubic(A, T);
    let bands = StarInterpolation::new(&sampled(&model, 16, false), 5.0).unwrap();
    for (k, sign) in [([0.0; 3], 1.0), ([0.5; 3], -1.0)] {
        let exact = MassTensor::of_curvature(&model.curvature(k, 0).unwrap(), 0).unwrap();
        let want = sign / (2.0 * 0.02 * 36.0);
        for i in 0..3 {
            close("m*", exact.mass[i][i], want, 1e-6);
            close("m*", exact.principal[i], want, 1e-6);
        }
        assert!(exact.mass[0][1].abs() < 1e-12);
        // Through 16^3 points the mass follows to what the interpolation of the energies allows.
        let fitted = MassTensor::of_curvature(&bands.curvature(k, 0).unwrap(), 0).unwrap();
        println!("mass through 16^3 points off by {:e}", fitted.mass[0][0] / want - 1.0);
        close("m* interpolated", fitted.mass[0][0], want, 1e-3);
    }
}

#[test]
fn interpolated_derivatives_are_those_of_the_interpolated_energies() {
    let lattice = [[3.1, 0.0, 0.2], [0.4, 2.7, 0.0], [0.0, 0.3, 4.2]];
    let list = [
        hop(0, 0, [1, 0, 0], -0.7, 0.0),
        hop(0, 0, [0, 1, 1], 0.3, 0.0),
        hop(0, 0, [1, -1, 0], 0.2, 0.0),
        hop(0, 0, [0, 0, 1], 0.3, 0.0),
    ];
    let model = TightBinding::new(lattice, 1, &list, true, 2.0).unwrap().with_rotations(&[], true).unwrap();
    let bands = StarInterpolation::new(&sampled(&model, 6, false), 5.0).unwrap();
    let k = [0.13, 0.29, -0.41];
    let h = 1e-4;
    let moved = |axis: usize, d: f64| -> [f64; 3] {
        std::array::from_fn(|i| k[i] + lattice[i][axis] * d / (2.0 * PI))
    };
    let here = bands.at(&[k]).unwrap()[0];
    let curvature = bands.curvature(k, 0).unwrap();
    for i in 0..3 {
        let pair = bands.at(&[moved(i, h), moved(i, -h)]).unwrap();
        assert!(((pair[0].energy_ev - pair[1].energy_ev) / (2.0 * h) - here.slope[i]).abs() < 1e-6);
        for j in 0..3 {
            assert!(((pair[0].slope[j] - pair[1].slope[j]) / (2.0 * h) - curvature[i][j]).abs() < 1e-5);
        }
    }
    // The whole band is one of nearest shells: 6^3 points find it again.
    assert!((here.energy_ev - model.energies(k).unwrap()[0]).abs() < 0.01);
    assert!(bands.at(&[[f64::NAN, 0.0, 0.0]]).is_err() && bands.curvature(k, 1).is_err());
}

#[test]
fn few_carriers_behave_as_a_parabolic_band() {
    // kT is 1/460 of the band width: the band is parabolic to about kT/t.
    let (a, t) = (4.0, 1.0);
    let band = cubic(a, t);
    let mass =
        REDUCED_PLANCK.powi(2) / (2.0 * t * ELEMENTARY_CHARGE * (a * 1e-10).powi(2)) / 9.109_383_713_9e-31;
    let kt = BOLTZMANN_EV * 300.0;
    let settings = Refinement {
        relative_error: 1e-3,
        seebeck_error: 2e-7,
        first_divisions: 48,
        most_points: 200_000_000,
    };
    for (r, tau) in [
        (0.0, unit_time()),
        (-0.5, RelaxationTime::power(1.0, -0.5, -6.0 * t).unwrap()),
        (1.5, RelaxationTime::power(1.0, 1.5, -6.0 * t).unwrap()),
    ] {
        for eta in [-3.0, 1.0] {
            let got = transport(&band, &[at(-6.0 * t + eta * kt, 300.0)], &tau, &settings).unwrap();
            let want = ParabolicBand::isotropic(Carrier::Electron, mass)
                .unwrap()
                .transport(eta, 300.0, 1.0, r)
                .unwrap();
            let point = got.points[0];
            println!(
                "r {r} eta {eta}: {:?} {:?} sigma {:.5} S {:.3} {:.3} L {:.5}",
                got.grids.last(),
                got.errors[0].conductivity_relative,
                point.conductivity[0][0] / want.conductivity,
                point.seebeck[0][0] * 1e6,
                want.seebeck * 1e6,
                point.lorenz / want.lorenz
            );
            close("sigma", point.conductivity[0][0], want.conductivity, 0.03);
            close("S", point.seebeck[0][0], want.seebeck, 0.03);
            close("L", point.lorenz, want.lorenz, 0.03);
        }
    }
    // The other end of the band holds holes: S changes its sign and nothing else.
    let pair =
        transport(&band, &[at(-6.0 + 2.0 * kt, 300.0), at(6.0 - 2.0 * kt, 300.0)], &unit_time(), &settings)
            .unwrap();
    close("hole S", pair.points[1].seebeck[0][0], -pair.points[0].seebeck[0][0], 1e-6);
    close("hole sigma", pair.points[1].conductivity[0][0], pair.points[0].conductivity[0][0], 1e-8);
}

fn skew(turn: impl Fn([f64; 3]) -> [f64; 3], scale: f64) -> TightBinding {
    let lattice = [[3.1, 0.0, 0.2], [0.4, 2.7, 0.0], [0.0, 0.3, 4.2]].map(turn);
    let list = [
        hop(0, 0, [0, 0, 0], 0.4, 0.0),
        hop(0, 0, [1, 0, 0], -0.7, 0.2),
        hop(0, 0, [0, 1, 1], 0.3, 0.0),
        hop(1, 1, [0, 0, 0], -0.3, 0.0),
        hop(0, 1, [0, 0, 0], 0.25, 0.1),
        hop(1, 0, [0, 1, 0], 0.5, -0.3),
        hop(1, 1, [0, 0, 1], 0.6, 0.0),
    ]
    .map(|h| Hopping { amplitude_ev: h.amplitude_ev.map(|x| x * scale), ..h });
    TightBinding::new(lattice, 2, &list, true, 2.0).unwrap()
}

#[test]
fn tensors_turn_with_the_crystal_and_scale_with_the_energies() {
    let (s, c) = 0.7f64.sin_cos();
    let q = [[c, -s * 0.6, s * 0.8], [s, c * 0.6, -c * 0.8], [0.0, 0.8, 0.6]];
    let turn = |v: [f64; 3]| -> [f64; 3] { std::array::from_fn(|i| (0..3).map(|j| q[i][j] * v[j]).sum()) };
    let run = |model: &TightBinding, mu: f64, t: f64| {
        transport_on_grid(model, &[at(mu, t)], &unit_time(), [24; 3]).unwrap().points[0]
    };
    let plain = run(&skew(|v| v, 1.0), 0.1, 900.0);
    let turned = run(&skew(turn, 1.0), 0.1, 900.0);
    let expect = |m: &M3| -> M3 {
        std::array::from_fn(|i| {
            std::array::from_fn(|j| (0..9).map(|n| q[i][n / 3] * m[n / 3][n % 3] * q[j][n % 3]).sum())
        })
    };
    for (a, b) in [
        (plain.conductivity, turned.conductivity),
        (plain.seebeck, turned.seebeck),
        (plain.heat_conductivity, turned.heat_conductivity),
    ] {
        let want = expect(&a);
        let size = want.iter().flatten().map(|x| x.abs()).fold(0.0, f64::max);
        for i in 0..3 {
            for j in 0..3 {
                assert!((b[i][j] - want[i][j]).abs() < 1e-11 * size, "{b:?} {want:?}");
            }
        }
    }
    // Symmetric and positive.
    for m in [plain.conductivity, plain.heat_conductivity] {
        assert!((m[0][1] - m[1][0]).abs() <= 1e-12 * m[0][0] && (m[0][2] - m[2][0]).abs() <= 1e-12 * m[0][0]);
        assert!(
            m[0][0] > 0.0 && m[0][0] * m[1][1] > m[0][1] * m[0][1] && scalade_crystal::determinant(&m) > 0.0
        );
    }
    // Energies, potential and temperature doubled: sigma and S T/E scale.
    let double = run(&skew(|v| v, 2.0), 0.2, 1800.0);
    close("sigma", double.conductivity[0][0], 2.0 * plain.conductivity[0][0], 1e-12);
    close("S", double.seebeck[1][1], plain.seebeck[1][1], 1e-10);
    close("kappa", double.heat_conductivity[2][2], 4.0 * plain.heat_conductivity[2][2], 1e-10);
    close("N", double.electrons, plain.electrons, 1e-12);
}

#[test]
fn the_order_of_k_points_and_the_number_of_threads_do_not_matter() {
    let model = cubic(3.0, 0.4);
    let conditions = [at(-1.0, 400.0), filled(0.6, 300.0)];
    let run =
        |bands: &dyn Bands| transport(bands, &conditions, &unit_time(), &Refinement::default()).unwrap();
    let forward = run(&StarInterpolation::new(&sampled(&model, 8, false), 5.0).unwrap());
    let backward = run(&StarInterpolation::new(&sampled(&model, 8, true), 5.0).unwrap());
    for (a, b) in forward.points.iter().zip(&backward.points) {
        close("sigma", a.conductivity[0][0], b.conductivity[0][0], 1e-9);
        assert!((a.seebeck[0][0] - b.seebeck[0][0]).abs() < 1e-13);
    }
    let set = sampled(&model, 8, false);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let bands = StarInterpolation::new(&set, 5.0).unwrap();
            (run(&bands), run(&model), bands.at(&[[0.1, 0.2, 0.3], [0.7, 0.1, 0.4]]).unwrap())
        })
    };
    let one = on(1);
    assert_eq!(one, on(2));
    assert_eq!(one, on(4));
    assert_eq!(one.0, forward);
}

#[test]
fn rotations_change_the_effort_and_not_the_result() {
    let with = cubic(3.0, 0.4);
    let list = [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map(|cell| hop(0, 0, cell, -0.4, 0.0));
    let without = TightBinding::new(cube(3.0), 1, &list, true, 2.0).unwrap();
    let run = |bands: &dyn Bands| {
        transport_on_grid(bands, &[at(-1.0, 300.0)], &unit_time(), [36; 3]).unwrap().points[0]
    };
    let (a, b) = (run(&with), run(&without));
    close("sigma", a.conductivity[0][0], b.conductivity[0][0], 1e-12);
    close("S", a.seebeck[0][0], b.seebeck[0][0], 1e-10);
    close("N", a.electrons, b.electrons, 1e-12);
    assert_eq!(without.group(), &PointGroup::identity());
}

#[test]
fn refinement_converges_and_the_estimate_covers_the_error() {
    let band = cubic(A, T);
    let exact = transport_on_grid(&band, &[at(-0.088 * HARTREE_EV, 300.0)], &unit_time(), [400; 3])
        .unwrap()
        .points[0];
    let mut before = f64::INFINITY;
    for wanted in [3e-2, 1e-3, 1e-5, 1e-7] {
        let settings = Refinement {
            relative_error: wanted,
            seebeck_error: 1.0,
            most_points: 300_000_000,
            ..Refinement::default()
        };
        let got = transport(&band, &[at(-0.088 * HARTREE_EV, 300.0)], &unit_time(), &settings).unwrap();
        let off = (got.points[0].conductivity[0][0] / exact.conductivity[0][0] - 1.0).abs();
        println!(
            "wanted {wanted:e}: {:?} estimate {:e} true {off:e}",
            got.grids.last(),
            got.errors[0].conductivity_relative
        );
        assert!(got.converged && off <= got.errors[0].conductivity_relative && off <= before);
        before = off;
    }
    // A bound that is too low is said, with the error reached.
    let settings = Refinement { relative_error: 1e-9, most_points: 40_000, ..Refinement::default() };
    let got = transport(&band, &[at(-0.088 * HARTREE_EV, 300.0)], &unit_time(), &settings).unwrap();
    assert!(!got.converged && got.errors[0].conductivity_relative > 1e-9);
    assert!(got.grids.last().unwrap().iter().product::<usize>() <= 40_000);
}

/// Two bands with a gap of 2.7 eV between them.
fn insulator() -> TightBinding {
    let mut list = vec![hop(0, 0, [0; 3], -2.15, 0.0), hop(1, 1, [0; 3], 2.15, 0.0)];
    for cell in [[1, 0, 0], [0, 1, 0], [0, 0, 1]] {
        list.push(hop(0, 0, cell, 0.1, 0.0));
        list.push(hop(1, 1, cell, -0.166_666_666_666_666_67, 0.0));
    }
    TightBinding::new(cube(4.0), 2, &list, true, 2.0)
        .unwrap()
        .with_rotations(&cubic_rotations(), true)
        .unwrap()
}

#[test]
fn insulators_are_neutral_to_the_last_carrier_or_said_to_have_none() {
    let bands = insulator();
    let settings = Refinement { relative_error: 1e-4, first_divisions: 32, ..Refinement::default() };
    let electrons = |added: f64, temperature_k: f64| Condition {
        level: Level::Electrons { neutral: 2.0, added },
        temperature_k,
    };
    let got = transport(
        &bands,
        &[electrons(0.0, 300.0), electrons(1e-12, 300.0), electrons(-1e-6, 300.0)],
        &unit_time(),
        &settings,
    )
    .unwrap();
    assert!(got.converged, "{:?}", got.errors);
    let (n, p) = got.points[0].carriers.unwrap();
    // Edges -1.55 and 1.15 eV: kT ln sqrt(m_h/m_e)^(3/2) shifts the level from the middle; n p = N_c N_v e^(-2.7/kT).
    close("n = p", n, p, 1e-10);
    let kt = BOLTZMANN_EV * 300.0;
    // N_c a^3 = 2 (kT/4 pi t)^(3/2); the bands bend away from parabolas by about kT/8t.
    let states = |t: f64| 2.0 * (kt / (4.0 * PI * t)).powf(1.5);
    close("n", n, (states(0.1) * states(1.0 / 6.0)).sqrt() * (-1.35 / kt).exp(), 0.08);
    assert!(
        (got.points[0].potential_ev + 0.2 - 0.75 * kt * (0.1f64 / 0.166_666_67).ln().abs()).abs() < 2e-3,
        "{}",
        got.points[0].potential_ev
    );
    let (n1, p1) = got.points[1].carriers.unwrap();
    close("doped", n1 - p1, 1e-12, 1e-10);
    close("mass action", n1 * p1, n * p, 1e-6);
    assert!(got.points[1].seebeck[0][0] < -1e-3 && got.points[2].seebeck[0][0] > 3e-4);
    let none = transport(&bands, &[electrons(0.0, 10.0)], &unit_time(), &settings).unwrap_err();
    assert!(matches!(none, BandsError::NoCarriers { distance_kt, .. } if distance_kt > 1000.0), "{none}");
    let none = transport(&bands, &[at(-0.2, 10.0)], &unit_time(), &settings).unwrap_err();
    assert!(none.to_string().contains("no carriers"), "{none}");
}

#[test]
fn relaxation_times_of_every_kind_agree_where_they_must() {
    let model = cubic(3.0, 0.4);
    let set = sampled(&model, 8, false);
    let bands = StarInterpolation::new(&set, 5.0).unwrap();
    let run = |bands: &dyn Bands, tau: &RelaxationTime| {
        transport_on_grid(bands, &[at(-1.0, 400.0)], tau, [30; 3]).unwrap().points[0]
    };
    let constant = run(&bands, &RelaxationTime::constant(2e-14).unwrap());
    let table = run(&bands, &RelaxationTime::table(&[-9.0, 9.0], &[2e-14; 2]).unwrap());
    assert_eq!(constant.conductivity, table.conductivity);
    // ln tau = ln 2e-14 at every k point; then times that follow the energy: tau(n, k) against tau(E).
    let times = |law: &dyn Fn(f64) -> f64| {
        BandSet::new(BandSetParts {
            lattice_angstrom: *set.lattice_angstrom(),
            k_points: set.k_points().to_vec(),
            weights: set.weights().to_vec(),
            energies_ev: (0..set.k_points().len()).map(|k| vec![law(set.energies(k)[0])]).collect(),
            rotations: set.group().rotations().to_vec(),
            spin_degeneracy: 2.0,
            fermi_level_ev: None,
            electrons: None,
        })
        .unwrap()
    };
    let flat = StarInterpolation::new(&times(&|_| 2e-14f64.ln()), 5.0).unwrap();
    let of_states = run(&StateTimes::new(&bands, &flat).unwrap(), &unit_time());
    close("sigma", of_states.conductivity[0][0], constant.conductivity[0][0], 1e-10);
    let rising = StarInterpolation::new(&times(&|e| 2e-14f64.ln() + 0.8 * e), 5.0).unwrap();
    let of_states = run(&StateTimes::new(&bands, &rising).unwrap(), &unit_time());
    let law = RelaxationTime::table(&[-5.0, 5.0], &[2e-14 * (-4f64).exp(), 2e-14 * 4f64.exp()]).unwrap();
    let of_energy = run(&bands, &law);
    close("sigma", of_states.conductivity[0][0], of_energy.conductivity[0][0], 1e-6);
    close("S", of_states.seebeck[0][0], of_energy.seebeck[0][0], 1e-5);
    let two = StarInterpolation::new(&sampled(&insulator(), 6, false), 5.0).unwrap();
    assert!(StateTimes::new(&bands, &two).is_err());
}

#[test]
fn a_layer_conducts_in_two_directions() {
    let list = [[1, 0, 0], [0, 1, 0]].map(|cell| hop(0, 0, cell, -0.4, 0.0));
    let layer = TightBinding::new(cube(3.0), 1, &list, true, 2.0).unwrap();
    let got = transport_on_grid(&layer, &[at(-1.0, 600.0)], &unit_time(), [64, 64, 1]).unwrap().points[0];
    assert_eq!(got.conducting, 2);
    assert!(got.conductivity[2][2] == 0.0 && got.seebeck[2][2] == 0.0 && got.seebeck[0][0] < 0.0);
    assert!(got.lorenz.is_finite());
}

#[test]
fn questions_that_cannot_be_are_refused() {
    let band = cubic(3.0, 0.4);
    let ask =
        |c: Condition| transport(&band, &[c], &unit_time(), &Refinement::default()).unwrap_err().to_string();
    assert!(ask(at(0.0, 0.0)).contains("temperature"));
    assert!(ask(at(0.0, f64::NAN)).contains("temperature"));
    assert!(ask(at(f64::INFINITY, 300.0)).contains("potential"));
    assert!(ask(filled(2.5, 300.0)).contains("hold 0 to 2"));
    assert!(ask(filled(f64::NAN, 300.0)).contains("hold 0 to 2"));
    assert!(transport(&band, &[], &unit_time(), &Refinement::default()).is_err());
    let bad = Refinement { relative_error: 0.0, ..Refinement::default() };
    assert!(transport(&band, &[at(0.0, 300.0)], &unit_time(), &bad).is_err());
    let bad = Refinement { first_divisions: 0, ..Refinement::default() };
    assert!(transport(&band, &[at(0.0, 300.0)], &unit_time(), &bad).is_err());
    assert!(transport_on_grid(&band, &[at(0.0, 300.0)], &unit_time(), [8, 8, 6]).is_err());
    // Far from the band there is nothing.
    assert!(ask(at(90.0, 300.0)).contains("no carriers"));
}

fn few_points(k_points: &[[f64; 3]], energies: &[f64]) -> BandSet {
    BandSet::new(BandSetParts {
        lattice_angstrom: cube(3.0),
        k_points: k_points.to_vec(),
        weights: vec![1.0 / k_points.len() as f64; k_points.len()],
        energies_ev: energies.iter().map(|e| vec![*e]).collect(),
        rotations: cubic_rotations(),
        spin_degeneracy: 2.0,
        fermi_level_ev: None,
        electrons: None,
    })
    .unwrap()
}

#[test]
fn equivalent_points_are_taken_when_they_agree_and_named_when_not() {
    let k = [[0.0; 3], [0.25, 0.0, 0.0], [0.0, 0.0, -0.25], [0.5, 0.5, 0.0]];
    let bands = StarInterpolation::new(&few_points(&k, &[0.0, 0.3, 0.3, 1.0]), 5.0).unwrap();
    for (k, e) in k.iter().zip([0.0, 0.3, 0.3, 1.0]) {
        assert!((bands.at(&[*k]).unwrap()[0].energy_ev - e).abs() < 1e-12);
    }
    let said = StarInterpolation::new(&few_points(&k, &[0.0, 0.3, 0.4, 1.0]), 5.0).unwrap_err();
    assert!(matches!(said, BandsError::Residual { residual_ev, .. } if residual_ev > 0.04), "{said}");
    // One point makes a flat band, which does not conduct.
    let flat = StarInterpolation::new(&few_points(&k[..1], &[0.7]), 5.0).unwrap();
    assert!((flat.at(&[[0.3, 0.1, 0.2]]).unwrap()[0].energy_ev - 0.7).abs() < 1e-12);
    let none = transport(&flat, &[at(0.7, 300.0)], &unit_time(), &Refinement::default());
    assert!(matches!(none, Err(BandsError::NoCarriers { .. })), "{none:?}");
    for multiplier in [0.0, f64::NAN, 1e9] {
        assert!(StarInterpolation::new(&few_points(&k, &[0.0, 0.3, 0.3, 1.0]), multiplier).is_err());
    }
}

#[test]
fn a_less_smooth_interpolation_bounds_the_error_of_the_usual_one() {
    let model = cubic(3.0, 0.4);
    for n in [6, 8, 12] {
        let set = sampled(&model, n, false);
        let (smooth, rough) =
            (StarInterpolation::new(&set, 5.0).unwrap(), StarInterpolation::less_smooth(&set, 5.0).unwrap());
        let (mut error, mut apart) = (0.0f64, 0.0f64);
        for i in 0..200 {
            let k = [0.37, 0.61, 0.83].map(|s| (s * f64::from(i)).fract());
            let [a, b] = [&smooth, &rough].map(|s| s.at(&[k]).unwrap()[0].energy_ev);
            error += (a - model.energies(k).unwrap()[0]).powi(2);
            apart += (a - b).powi(2);
        }
        println!("{n}: error {:e}, difference {:e}", (error / 200.0).sqrt(), (apart / 200.0).sqrt());
        assert!(apart > error && rough.residual_ev() < 1e-9);
    }
}
