//! Diffusivities of lattice gases to a wanted error, against exact results.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail with it")]

use scalade_crystal::NamedLattice;
use scalade_hopping::gas::{GasModel, GasRequest, GasTransport, Selection, gas_transport};
use scalade_hopping::{Diffusivity, Follow, exact_gas_transport};

fn transport(
    lattice: NamedLattice,
    size: &[usize],
    pairs: &[f64],
    ions: usize,
    error: f64,
    seed: u64,
) -> GasTransport {
    let model = GasModel::named(lattice, size, pairs, 1.0).unwrap();
    let request = GasRequest {
        model: &model,
        ions,
        standard_error: error,
        most_hops: 400_000_000,
        seed,
        selection: None,
    };
    gas_transport(&request, &()).unwrap()
}

/// Traces of value and error over the dimensions, in the unit of the model.
fn scalar(of: &Diffusivity, dimensions: f64) -> (f64, f64) {
    let tensor = of.tensor().unwrap_or_else(|| panic!("{of:?}"));
    let value: f64 = (0..3).map(|a| tensor.value_m2_s[a][a]).sum();
    let error = (0..3).map(|a| tensor.std_m2_s[a][a].powi(2)).sum::<f64>().sqrt();
    (value * 1e20 / dimensions, error * 1e20 / dimensions)
}

/// Reference result I1: tracer correlation of a single vacancy, in boxes whose own value differs from that of the infinite crystal by less than the error.
#[test]
fn i1_tracer_correlation_of_a_single_vacancy() {
    use NamedLattice::{Bcc, Diamond, Fcc, Honeycomb, Sc, Square};
    let cases: [(NamedLattice, &[usize], f64); 6] = [
        (Sc, &[12, 12, 12], 0.653_653_798),
        (Bcc, &[12, 12, 12], 0.727_194_1),
        (Fcc, &[10, 10, 10], 0.781_451_42),
        (Diamond, &[8, 8, 8], 0.5),
        (Square, &[48, 48], 1.0 / (std::f64::consts::PI - 1.0)),
        (Honeycomb, &[40, 40], 1.0 / 3.0),
    ];
    for (lattice, size, f) in cases {
        let cells = GasModel::named(lattice, size, &[], 1.0).unwrap().sites();
        let found = transport(lattice, size, &[], cells - 1, 1e-3, 3);
        let got = found.tracer_correlation.unwrap();
        assert!(found.reached && got.std <= 1e-3, "{lattice:?}: {got:?}");
        assert!((got.value - f).abs() < 4.0 * got.std, "{lattice:?}: {got:?} {f}");
        assert!(found.follows_vacancies && found.acceptance == 1.0);
        // One vacancy: D_J = nu a^2 z/(2 d N), and nothing correlates with it.
        let dimensions = lattice.dimensions() as f64;
        let exact = lattice.neighbours() as f64 / (2.0 * dimensions * (cells - 1) as f64);
        let (jump, error) = scalar(&found.jump, dimensions);
        assert!((jump - exact).abs() < 4.0 * error + 1e-12 * exact, "{lattice:?}: {jump} {error} {exact}");
        assert!(error < 1e-3 * exact);
    }
}

/// Reference results I3 and I4: D_J = nu a^2 (1 - c) and the tracer correlation of the hard-core gas.
#[test]
fn i3_and_i4_hard_core_gas() {
    for (concentration, f, tolerance) in
        [(0.25, 0.9297, 0.0012), (0.5, 0.8454, 0.0009), (0.95, 0.6735, 0.002)]
    {
        let sites = 24usize.pow(3);
        let ions = (concentration * sites as f64).round() as usize;
        let found = transport(NamedLattice::Sc, &[24, 24, 24], &[], ions, 2e-3, 5);
        let exact = (sites - ions) as f64 / (sites - 1) as f64;
        let (jump, error) = scalar(&found.jump, 3.0);
        assert!((jump - exact).abs() < 4.0 * error && error < 1e-3 * exact, "{jump} {error} {exact}");
        let got = found.tracer_correlation.unwrap();
        // The reference is itself a Monte Carlo result, accepted within 0.4 %.
        assert!(got.std <= 2e-3 && (got.value - f).abs() < 4.0 * got.std.hypot(tolerance), "{got:?} {f}");
        assert!((got.value - f).abs() < 0.004 * f + 2.0 * got.std, "{got:?} {f}");
    }
}

/// Reference result I5: exact values of interacting boxes, from windows that the engine chooses by itself.
#[test]
fn i5_interacting_boxes() {
    use NamedLattice::{Chain, Sc, Square};
    type Case<'a> = (NamedLattice, &'a [usize], usize, f64, Option<f64>, Option<f64>);
    let cases: [Case<'_>; 6] = [
        (Chain, &[12], 4, 1.0, None, Some(0.807_829_913_2)),
        (Square, &[4, 4], 8, 1.0, None, Some(0.444_677_116_6)),
        (Square, &[4, 4], 4, 1.0, None, Some(0.782_669_744_4)),
        (Square, &[4, 4], 12, 1.0, None, Some(0.260_889_914_8)),
        (Square, &[4, 4], 4, 0.0, Some(0.727_178_850_1), Some(12.0 / 15.0)),
        (Sc, &[3, 3, 3], 3, 1.0, Some(0.888_674_018_5), None),
    ];
    for (lattice, size, ions, coupling, tracer, jump) in cases {
        let found = transport(lattice, size, &[coupling], ions, 2e-3, 7);
        assert!(found.reached, "{lattice:?} {size:?}");
        for (of, exact) in [(&found.tracer, tracer), (&found.jump, jump)] {
            let Some(exact) = exact else { continue };
            let (value, error) = scalar(of, lattice.dimensions() as f64);
            assert!(
                (value - exact).abs() < 4.0 * error,
                "{lattice:?} {size:?} {ions}: {value} {error} {exact}"
            );
            assert!(error <= 2.5e-3 * exact, "{lattice:?} {size:?} {ions}: {error}");
        }
        assert_eq!(matches!(found.tracer, Diffusivity::SubDiffusive { .. }), lattice == Chain);
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| transport(NamedLattice::Fcc, &[4, 4, 4], &[0.4], 100, 5e-3, 2))
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(4));
    assert!(one != transport(NamedLattice::Fcc, &[4, 4, 4], &[0.4], 100, 5e-3, 9));
}

/// Where hardly any trial comes to a hop, an engine without them is taken, and gives what the master equation gives.
#[test]
fn i5_strong_interactions_choose_their_engine() {
    let model = GasModel::named(NamedLattice::Square, &[4, 4], &[-4.0], 1.0).unwrap();
    let ask = |selection, error| {
        let request = GasRequest {
            model: &model,
            ions: 5,
            standard_error: error,
            most_hops: 40_000_000,
            seed: 4,
            selection,
        };
        gas_transport(&request, &()).unwrap()
    };
    let exact = exact_gas_transport(&model, 5, Follow::All).unwrap().diffusivity[0][0];
    for (selection, error) in [(None, 1e-2), (Some(Selection::CompositionRejection), 1e-2)] {
        let found = ask(selection, error);
        assert_eq!(found.selection, selection.unwrap_or(Selection::Tree));
        assert!(found.reached && found.pilot_acceptance < 0.01 && found.balance_error < 1e-12);
        let (value, std) = scalar(&found.jump, 2.0);
        assert!((value - exact).abs() < 4.0 * std && std < 1.5e-2 * exact, "{value} {std} {exact}");
    }
    assert_eq!(ask(Some(Selection::Rejection), 0.2).selection, Selection::Rejection);
}

#[test]
fn what_cannot_be_is_refused() {
    let model = GasModel::named(NamedLattice::Sc, &[4, 4, 4], &[], 1.0).unwrap();
    let said = |ions: usize, standard_error: f64| {
        let request =
            GasRequest { model: &model, ions, standard_error, most_hops: 1000, seed: 1, selection: None };
        gas_transport(&request, &()).unwrap_err().to_string()
    };
    assert!(said(0, 1e-2).contains("nothing to move"));
    assert!(said(64, 1e-2).contains("nothing to move"));
    assert!(said(10, 0.0).contains("standard error"));
    assert!(said(10, f64::NAN).contains("standard error"));
}

/// Short blocks, of which an attempt is a good part: stated errors cover the exact values from many seeds, without a shift.
#[test]
fn i5_no_time_is_lost_between_blocks() {
    let (mut jumps, mut tracers) = (Vec::new(), Vec::new());
    for seed in 20..32 {
        let found = transport(NamedLattice::Square, &[4, 4], &[], 4, 2e-3, seed);
        let (jump, error) = scalar(&found.jump, 2.0);
        jumps.push((jump - 0.8) / error);
        let (tracer, error) = scalar(&found.tracer, 2.0);
        tracers.push((tracer - 0.727_178_850_1) / error);
    }
    for z in [jumps, tracers] {
        let mean = z.iter().sum::<f64>() / z.len() as f64;
        let square = z.iter().map(|z| z * z).sum::<f64>();
        // 4 standard deviations of a mean of 12 and of chi^2 of 12.
        assert!(mean.abs() < 4.0 / 12f64.sqrt() && square < 12.0 + 4.0 * 24f64.sqrt(), "{z:?}");
    }
}
