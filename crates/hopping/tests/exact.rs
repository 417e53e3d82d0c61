//! Exact results for small cells.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use scalade_crystal::SiteGrid;
use scalade_handoff::LatticeHamiltonian;
use scalade_hopping::synthetic::{PairEnergy, lattice_gas};
use scalade_hopping::{
    ExactTransport, Follow, GridNetwork, HopNetwork, HopShell, KraModel, RateParameters, exact_transport,
};
use scalade_units::constants::BOLTZMANN_EV;

const KRA_EV: f64 = 0.4;
const TEMPERATURE_K: f64 = 300.0;

/// Unit hop rate nu e^(-E_KRA/kT) = 1 Hz at a lattice constant of 1 angstrom.
fn parameters() -> RateParameters {
    RateParameters {
        temperature_k: TEMPERATURE_K,
        prefactor_hz: (KRA_EV / (BOLTZMANN_EV * TEMPERATURE_K)).exp(),
    }
}

fn gas(dimensions: usize, coupling: f64) -> LatticeHamiltonian {
    let length = |axis: usize| if axis < dimensions { 1.0 } else { 7.0 };
    let lattice = [[length(0), 0.0, 0.0], [0.0, length(1), 0.0], [0.0, 0.0, length(2)]];
    let energy_ev = coupling * BOLTZMANN_EV * TEMPERATURE_K;
    lattice_gas(lattice, &[PairEnergy { distance_angstrom: 1.0, energy_ev }]).unwrap()
}

fn exact(dims: [usize; 3], ions: usize, coupling: f64, follow: Follow) -> ExactTransport {
    let dimensions = dims.iter().filter(|d| **d > 1).count();
    let h = gas(dimensions, coupling);
    let network = HopNetwork::new(&h, HopShell::Nearest).unwrap();
    let grid = GridNetwork::new(network, SiteGrid::new(dims, 1).unwrap()).unwrap();
    exact_transport(&grid, &h, &h.coefficients_ev, &KraModel::uniform(KRA_EV), &parameters(), ions, follow)
        .unwrap()
}

#[test]
fn i2_tracer_correlation_of_one_vacancy_on_finite_tori() {
    let cases = [
        ([4, 4, 1], 15, 17.0 / 31.0, 1e-11),
        ([3, 3, 3], 26, 34.0 / 47.0, 1e-11),
        ([12, 12, 12], 1727, 0.653653798, 1e-9),
    ];
    for (dims, ions, f, tolerance) in cases {
        let out = exact(dims, ions, 0.0, Follow::One);
        let got = out.diffusivity[0][0] / out.uncorrelated[0][0];
        assert!((got - f).abs() < tolerance, "{dims:?}: {got} {f}");
        assert!((out.diffusivity[1][1] / out.uncorrelated[1][1] - f).abs() < tolerance);
        assert!(out.diffusivity[0][1].abs() < 1e-12);
    }
}

#[test]
fn i5_jump_diffusivity_of_interacting_cells() {
    let cases = [
        ([8, 1, 1], 4, 0.0, 0.5714285714),
        ([8, 1, 1], 4, 1.0, 0.6412906417),
        ([12, 1, 1], 4, 1.0, 0.8078299132),
        ([4, 4, 1], 8, 0.0, 0.5333333333),
        ([4, 4, 1], 8, 1.0, 0.4446771166),
        ([4, 4, 1], 4, 1.0, 0.7826697444),
        ([4, 4, 1], 12, 1.0, 0.2608899148),
    ];
    for (dims, ions, coupling, expected) in cases {
        let out = exact(dims, ions, coupling, Follow::All);
        let got = out.diffusivity[0][0];
        assert!((got - expected).abs() < 1e-9, "{dims:?} {ions} {coupling}: {got} {expected}");
    }
    let out = exact([4, 4, 1], 8, 1.0, Follow::All);
    assert!((out.uncorrelated[0][0] - 0.4968398405).abs() < 1e-9);
    assert!((out.diffusivity[0][0] / out.uncorrelated[0][0] - 0.89501099).abs() < 1e-8);
}

#[test]
fn i5_tracer_diffusivity_of_interacting_cells() {
    let cases = [
        ([4, 4, 1], 4, 0.0, 0.7271788501),
        ([3, 3, 3], 3, 0.0, 0.9087457887),
        ([3, 3, 3], 3, 1.0, 0.8886740185),
    ];
    for (dims, ions, coupling, expected) in cases {
        let got = exact(dims, ions, coupling, Follow::One).diffusivity[0][0];
        assert!((got - expected).abs() < 1e-9, "{dims:?} {ions} {coupling}: {got} {expected}");
    }
}
