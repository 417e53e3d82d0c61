//! The other ensembles, symmetries and bookkeeping of pair models.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail with them")]

use scalade_crystal::{LatticeSite, NamedLattice, SiteGrid, Structure};
use scalade_handoff::{ClusterOrbit, LatticeEnergy, LatticeHamiltonian};
use scalade_lattice::model::exact::{Levels, ring};
use scalade_lattice::model::{
    Algorithm, Condition, Law, PairModel, PairTables, RunSettings, SampledPoint, Variables, flat_histogram,
    hot, sample, sample_chains, sample_laws,
};
use scalade_lattice::{Estimate, LatticeError};

fn named(lattice: NamedLattice, size: &[usize], variables: Variables, pairs: &[f64]) -> PairModel {
    PairModel::named(lattice, size, variables, pairs).unwrap()
}

fn close(what: &str, got: Estimate, want: f64) {
    let z = (got.value - want) / got.error;
    assert!(z.abs() < 4.0, "{what}: {} +- {} against {want}, z = {z}", got.value, got.error);
}

fn with(precision: f64) -> RunSettings {
    RunSettings { precision, seed: 3, ..RunSettings::default() }
}

/// Means of E and var E, and the weight, of the states with each N.
fn by_composition(levels: &Levels, kt: f64) -> Vec<(f64, f64, f64)> {
    (0..=levels.sites() as u32)
        .map(|n| {
            let of = || levels.levels().iter().filter(move |l| l.occupied == n);
            let z: f64 = of().map(|l| l.states as f64 * (-l.energy / kt).exp()).sum();
            let mean = of().map(|l| l.energy * l.states as f64 * (-l.energy / kt).exp()).sum::<f64>() / z;
            let square = of()
                .map(|l| (l.energy - mean).powi(2) * l.states as f64 * (-l.energy / kt).exp())
                .sum::<f64>()
                / z;
            (mean, square, z)
        })
        .collect()
}

#[test]
fn canonical_chains_sample_the_states_of_one_composition() {
    for (lattice, size, variables, pairs) in [
        (NamedLattice::Triangular, vec![4, 4], Variables::Occupation, vec![0.8, -0.3]),
        (NamedLattice::Honeycomb, vec![3, 3], Variables::Spin, vec![-0.4, 0.2]),
    ] {
        let model = named(lattice, &size, variables, &pairs);
        let levels = Levels::enumerate(&model).unwrap();
        let sites = model.sites() as f64;
        let kt = 0.7;
        let exact = by_composition(&levels, kt);
        for occupied in [1, 5, model.sites() / 2] {
            let point = &sample_laws(&model, &[(kt, Law::Canonical { occupied })], &with(1e-3)).unwrap()[0];
            assert!(point.converged);
            let (mean, square, _) = exact[occupied];
            if square > 1e-12 {
                close("u", point.summary.energy, mean / sites);
                close("c", point.summary.heat_capacity, square / (kt * kt * sites));
            } else {
                assert!((point.summary.energy.value - mean / sites).abs() < 1e-12);
            }
            assert_eq!(point.summary.concentration.value, occupied as f64 / sites);
        }
    }
    // Empty and full boxes have one state.
    let model = named(NamedLattice::Square, &[4, 4], Variables::Occupation, &[-1.0]);
    for (occupied, energy) in [(0, 0.0), (16, -2.0)] {
        let point = &sample_laws(&model, &[(1.0, Law::Canonical { occupied })], &with(1e-3)).unwrap()[0];
        assert_eq!((point.summary.energy.value, point.summary.energy.error), (energy, 0.0));
    }
}

#[test]
fn variance_constrained_chains_have_their_weight() {
    let model = named(NamedLattice::Triangular, &[4, 4], Variables::Occupation, &[-0.8]);
    let levels = Levels::enumerate(&model).unwrap();
    let (kt, sites) = (0.6, 16.0);
    let exact = by_composition(&levels, kt);
    for (phi, kappa) in [(-1.0, 3.0), (-0.6, 20.0), (-1.7, 0.5)] {
        let weight = |n: usize| {
            let c: f64 = n as f64 / sites;
            exact[n].2 * (-kappa * sites * (c + 0.5 * phi).powi(2)).exp()
        };
        let z: f64 = (0..=16).map(weight).sum();
        let n: f64 = (0..=16).map(|n| n as f64 * weight(n)).sum::<f64>() / z;
        let energy: f64 = (0..=16).map(|n| exact[n].0 * weight(n)).sum::<f64>() / z;
        let law = Law::VarianceConstrained { phi, kappa };
        let point = &sample_laws(&model, &[(kt, law)], &with(1e-3)).unwrap()[0];
        close("theta", point.summary.concentration, n / sites);
        close("u", point.summary.energy, energy / sites);
    }
}

#[test]
fn l02_wang_landau_density_of_states() {
    let model = named(NamedLattice::Square, &[4, 4], Variables::Spin, &[-1.0]);
    let levels = Levels::enumerate(&model).unwrap();
    let tables = PairTables::new(&model);
    let kts = [2.0, 3.0];
    let found = flat_histogram(&tables.empty(), hot(&model, 0.0) * 16.0, &kts, &with(1e-3)).unwrap();
    assert!(found.converged);
    let exact = levels.density_of_states();
    assert_eq!(found.density.len(), exact.len());
    let mut total = 0.0;
    for (got, (energy, g)) in found.density.iter().zip(exact) {
        assert_eq!(got.energy, energy);
        let difference = (got.ln_g.value - (g as f64).ln()).abs();
        assert!(difference < 0.01, "{energy}: {:?} against {}", got.ln_g, (g as f64).ln());
        total += got.ln_g.value.exp();
    }
    assert!((total / 65536.0 - 1.0).abs() < 1e-4, "{total}");
    for (kt, point) in kts.iter().zip(found.points) {
        let want = levels.at(*kt, 0.0);
        close("lnZ", point.log_partition, want.log_partition);
        close("u", point.energy, want.energy);
        close("c", point.heat_capacity, want.heat_capacity);
        close("theta", point.concentration, 0.5);
        close("var", point.variance, want.variance);
        close("|m|", point.absolute_magnetisation, want.absolute_magnetisation.unwrap());
    }
}

#[test]
fn energies_without_a_common_measure_are_refused_by_the_density_of_states() {
    let model = named(NamedLattice::Triangular, &[12, 12], Variables::Spin, &[-1.0, 0.3781, 0.1193, 0.0717]);
    let tables = PairTables::new(&model);
    let found = flat_histogram(&tables.empty(), hot(&model, 0.0) * 144.0, &[2.0], &with(1e-3));
    assert!(matches!(found, Err(LatticeError::TooMany { .. })));
}

#[test]
fn replica_exchange_keeps_the_law_of_every_point() {
    // A strong antiferromagnet in a staggered box, and a lattice gas over temperatures and chemical potentials.
    let model = named(NamedLattice::Triangular, &[3, 4], Variables::Occupation, &[0.7, -0.2]);
    let levels = Levels::enumerate(&model).unwrap();
    let conditions: Vec<Condition> =
        [0.2, 0.35, 0.6].iter().flat_map(|kt| [0.4, 1.1].map(|mu| Condition { kt: *kt, mu })).collect();
    let settings = RunSettings { replica_exchange: true, ..with(3e-4) };
    for point in sample(&model, &conditions, &settings).unwrap() {
        assert!(point.converged);
        let want = levels.at(point.condition.kt, point.condition.mu);
        close("theta", point.summary.concentration, want.concentration);
        close("u", point.summary.energy, want.energy);
        close("c", point.summary.heat_capacity, want.heat_capacity);
        close("var", point.summary.variance, want.variance);
    }
    // Without a field, where replicas are turned over.
    let ising = named(NamedLattice::Square, &[4, 4], Variables::Spin, &[-1.0]);
    let levels = Levels::enumerate(&ising).unwrap();
    let conditions = [2.0, 2.4, 2.9].map(|kt| Condition { kt, mu: 0.0 });
    let points = sample(&ising, &conditions, &RunSettings { replica_exchange: true, ..with(5e-4) }).unwrap();
    for point in &points {
        let want = levels.at(point.condition.kt, 0.0);
        close("u", point.summary.energy, want.energy);
        close("theta", point.summary.concentration, 0.5);
        close("var", point.summary.variance, want.variance);
    }
    assert!(points[0].exchange_acceptance.unwrap() > 0.2 && points[2].exchange_acceptance.is_none());
}

#[test]
fn slabs_and_replicas_obey_the_same_law() {
    // A ring of 65 536 sites in 16 slabs, and one of 2^20 in 64.
    for length in [65_536, 1 << 20] {
        let model = named(NamedLattice::Chain, &[length], Variables::Occupation, &[0.9, -0.4]);
        let condition = Condition { kt: 0.8, mu: 0.3 };
        let point = &sample(&model, &[condition], &with(2e-5)).unwrap()[0];
        let want = ring(&model, 0.8, 0.3).unwrap();
        assert!(point.converged && point.algorithm == Algorithm::HeatBath);
        close("theta", point.summary.concentration, want.concentration);
        close("u", point.summary.energy, want.energy);
        close("c", point.summary.heat_capacity, want.heat_capacity);
        close("var", point.summary.variance, want.variance);
    }
}

#[test]
fn many_shells_and_small_boxes_agree_with_enumeration() {
    // Many bits of counts (a table per lane), boxes in which bonds coincide or end at their own site, and all kernels.
    for (lattice, size, variables, pairs) in [
        (NamedLattice::Fcc, vec![2, 2, 3], Variables::Spin, vec![-0.3, 0.1, 0.05]),
        (NamedLattice::Fcc, vec![2, 2, 3], Variables::Occupation, vec![0.5, -0.4, 0.1]),
        (NamedLattice::Honeycomb, vec![2, 3], Variables::Occupation, vec![-0.5, 0.3]),
        (NamedLattice::Bcc, vec![2, 2, 2], Variables::Spin, vec![-0.2]),
        (NamedLattice::Hcp, vec![2, 2, 1], Variables::Spin, vec![0.3]),
        (NamedLattice::Square, vec![1, 7], Variables::Occupation, vec![-0.8, 0.2, 0.1]),
        (NamedLattice::Chain, vec![1], Variables::Occupation, vec![0.5]),
    ] {
        let model = named(lattice, &size, variables, &pairs);
        let want = Levels::enumerate(&model).unwrap().at(0.9, 0.25);
        for (algorithm, precision) in [
            (Algorithm::HeatBath, 5e-4),
            (Algorithm::Single, 2e-3),
            (Algorithm::RejectionFree, 2e-3),
            (Algorithm::Reference, 2e-2),
        ] {
            let settings = RunSettings { algorithm, ..with(precision) };
            let point = &sample(&model, &[Condition { kt: 0.9, mu: 0.25 }], &settings).unwrap()[0];
            let what = format!("{lattice:?} {size:?} {algorithm:?}");
            close(&what, point.summary.concentration, want.concentration);
            close(&what, point.summary.energy, want.energy);
            close(&what, point.summary.heat_capacity, want.heat_capacity);
            close(&what, point.summary.variance, want.variance);
        }
    }
}

#[test]
fn clusters_serve_several_shells_and_the_symmetric_lattice_gas() {
    for (variables, mu, pairs) in [
        (Variables::Spin, 0.0, vec![-0.7, -0.2]),
        (Variables::Occupation, -6.0 * 0.5 - 6.0 * 0.2 * 0.5, vec![-1.0, -0.2]),
    ] {
        let model = named(NamedLattice::Triangular, &[4, 4], variables, &pairs);
        let kt = if variables == Variables::Spin { 3.0 } else { 1.0 };
        let want = Levels::enumerate(&model).unwrap().at(kt, mu);
        let settings = RunSettings { algorithm: Algorithm::Wolff, ..with(2e-3) };
        let point = &sample(&model, &[Condition { kt, mu }], &settings).unwrap()[0];
        close("u", point.summary.energy, want.energy);
        close("c", point.summary.heat_capacity, want.heat_capacity);
        close("var", point.summary.variance, want.variance);
        close("|m|", point.summary.absolute_magnetisation, want.absolute_magnetisation.unwrap());
        assert!(sample(&model, &[Condition { kt, mu: mu + 0.1 }], &settings).is_err());
    }
}

#[test]
fn slope_of_the_isotherm_is_the_variance_and_holes_are_particles() {
    let model = named(NamedLattice::Triangular, &[4, 4], Variables::Occupation, &[0.03, -0.004]);
    let levels = Levels::enumerate(&model).unwrap();
    let (kt, h) = (0.0258, 1e-4);
    for mu in [-0.02, 0.05, 0.11] {
        let slope = (levels.at(kt, mu + h).concentration - levels.at(kt, mu - h).concentration) / (2.0 * h);
        let point = levels.at(kt, mu);
        assert!((slope * kt / point.variance - 1.0).abs() < 1e-4);
        // theta(mu_s + d) + theta(mu_s - d) = 1 about the symmetric chemical potential.
        let centre = model.symmetric_chemical_potential().unwrap();
        let sum = point.concentration + levels.at(kt, 2.0 * centre - mu).concentration;
        assert!((sum - 1.0).abs() < 1e-12, "{sum}");
    }
    let settings = with(1e-5);
    let centre = model.symmetric_chemical_potential().unwrap();
    let points = sample(
        &model,
        &[Condition { kt, mu: centre + 0.04 }, Condition { kt, mu: centre - 0.04 }],
        &settings,
    )
    .unwrap();
    let (a, b) = (points[0].summary.concentration, points[1].summary.concentration);
    close("holes", Estimate { value: a.value + b.value, error: a.error.hypot(b.error) }, 1.0);
}

#[test]
fn the_choice_of_the_cell_changes_nothing() {
    // The square lattice as a cell of two sites: sizes 2 x 4 against 4 x 4, and with a skew cell.
    let square = named(NamedLattice::Square, &[4, 4], Variables::Occupation, &[0.7, -0.3]);
    let lattice = [[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 5.0]];
    let double = Structure::new(lattice, vec!["A".into(); 2], vec![[0.0; 3], [0.5, 0.0, 0.0]]).unwrap();
    let skew =
        Structure::new([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 5.0]], vec!["A".into()], vec![[0.0; 3]]);
    let want = Levels::enumerate(&square).unwrap().at(0.5, 0.2);
    let settings = with(1e-3);
    for (structure, dims) in [(double, [2, 4, 1]), (skew.unwrap(), [4, 4, 1])] {
        let model = PairModel::new(&structure, 2, dims, Variables::Occupation, &[0.7, -0.3]).unwrap();
        let got = Levels::enumerate(&model).unwrap().at(0.5, 0.2);
        assert!(
            (got.log_partition - want.log_partition).abs() < 1e-12
                && (got.energy - want.energy).abs() < 1e-12
        );
        assert!((got.heat_capacity - want.heat_capacity).abs() < 1e-11);
        let point = &sample(&model, &[Condition { kt: 0.5, mu: 0.2 }], &settings).unwrap()[0];
        close("u", point.summary.energy, want.energy);
    }
}

#[test]
fn expansions_are_sampled_in_every_ensemble() {
    // An Ising square with a triplet term, in the form of an expansion.
    let site = |x, y| LatticeSite { cell: [x, y, 0], basis: 0 };
    let orbit = |clusters: Vec<Vec<LatticeSite>>| ClusterOrbit {
        order: clusters[0].len(),
        diameter_angstrom: 1.0,
        clusters,
    };
    let expansion = LatticeHamiltonian {
        lattice_angstrom: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        basis_fractional: vec![[0.0; 3]],
        working_ion: "Li".into(),
        formula_units_per_cell: 1.0,
        orbits: vec![
            orbit(vec![vec![site(0, 0), site(1, 0)], vec![site(0, 0), site(0, 1)]]),
            orbit(vec![vec![site(0, 0), site(1, 0), site(0, 1)]]),
        ],
        coefficients_ev: vec![0.1, -0.6, 0.25],
        samples_ev: Vec::new(),
    };
    let grid = SiteGrid::new([4, 4, 1], 1).unwrap();
    let energy = LatticeEnergy::new(&expansion, &expansion.coefficients_ev, grid, &[]).unwrap();
    let states = scalade_lattice::exact::Enumeration::new(energy.clone()).unwrap();
    let levels = Levels::of_states(16, states.states());
    let (kt, mu) = (1.5, 0.2);
    let run = |law, mu| -> SampledPoint {
        sample_chains(&energy, law, Condition { kt, mu }, 10.0, Algorithm::Single, &with(3e-3), 0)
    };
    let want = levels.at(kt, mu);
    let grand = run(Law::SemiGrand { mu }, mu);
    close("theta", grand.summary.concentration, want.concentration);
    close("u", grand.summary.energy, want.energy);
    close("c", grand.summary.heat_capacity, want.heat_capacity);
    let exact = by_composition(&levels, kt);
    close("u", run(Law::Canonical { occupied: 6 }, 0.0).summary.energy, exact[6].0 / 16.0);
    let found = flat_histogram(&energy, 200.0, &[kt], &with(3e-3)).unwrap();
    close("u", found.points[0].energy, levels.at(kt, 0.0).energy);
    close("theta", found.points[0].concentration, levels.at(kt, 0.0).concentration);
}

#[test]
fn bits_depend_on_the_seed_and_not_on_the_threads() {
    let conditions = [1.8, 2.3, 3.0].map(|kt| Condition { kt, mu: 0.1 });
    let ising = named(NamedLattice::Square, &[16, 16], Variables::Spin, &[-1.0]);
    let critical = named(NamedLattice::Square, &[72, 72], Variables::Spin, &[-1.0]);
    let run = |threads: usize, seed: u64, replica_exchange: bool| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let settings = RunSettings { seed, replica_exchange, ..with(5e-3) };
            let mut points = sample(&ising, &conditions, &settings).unwrap();
            let wolff = RunSettings { algorithm: Algorithm::Wolff, replica_exchange: false, ..settings };
            points.extend(sample(&critical, &[Condition { kt: 2.27, mu: 0.0 }], &wolff).unwrap());
            points
        })
    };
    for exchange in [false, true] {
        let one = run(1, 5, exchange);
        assert_eq!(one, run(2, 5, exchange));
        assert_eq!(one, run(4, 5, exchange));
        assert_ne!(one, run(1, 6, exchange));
    }
}

#[test]
fn a_run_that_may_not_finish_says_so() {
    let ising = named(NamedLattice::Square, &[16, 16], Variables::Spin, &[-1.0]);
    let settings = RunSettings { most_moves: 2_000_000, ..with(1e-6) };
    let point = &sample(&ising, &[Condition { kt: 2.3, mu: 0.1 }], &settings).unwrap()[0];
    assert!(!point.converged && point.summary.energy.error > 1e-6);
}

#[test]
fn events_replace_trials_where_nothing_is_accepted() {
    // A strongly bound lattice gas with few holes: exact from the enumeration of 20 sites, and the automatic choice on 400.
    let small = named(NamedLattice::Square, &[4, 5], Variables::Occupation, &[-1.0]);
    let (kt, mu) = (0.33, 0.6);
    let want = Levels::enumerate(&small).unwrap().at(kt, mu);
    let settings = RunSettings { algorithm: Algorithm::RejectionFree, ..with(2e-6) };
    let point = &sample(&small, &[Condition { kt, mu }], &settings).unwrap()[0];
    assert!(point.converged);
    close("theta", point.summary.concentration, want.concentration);
    close("u", point.summary.energy, want.energy);
    close("c", point.summary.heat_capacity, want.heat_capacity);
    close("var", point.summary.variance, want.variance);
    let large = named(NamedLattice::Square, &[20, 20], Variables::Occupation, &[-1.0]);
    let point = &sample(&large, &[Condition { kt, mu }], &with(2e-7)).unwrap()[0];
    assert!(point.converged && point.algorithm == Algorithm::RejectionFree, "{point:?}");
    // Holes hardly meet: boxes of both sizes agree to the square of their share.
    let share = 1.0 - want.concentration;
    assert!((point.summary.energy.value - want.energy).abs() < 20.0 * share * share + 1e-6);
}
