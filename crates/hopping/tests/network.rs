//! Hop bonds from geometry, equilibrium, and the chemical diffusivity.

#![allow(clippy::unwrap_used, clippy::panic)]

use scalade_crystal::SiteGrid;
use scalade_handoff::LatticeEnergy;
use scalade_hopping::synthetic::{PairEnergy, lattice_gas, layered_host};
use scalade_hopping::{
    HopNetwork, HopShell, HoppingError, RateParameters, TensorWithError, chemical_diffusivity, equilibrate,
    random_occupation,
};
use scalade_numerics::Philox;
use scalade_units::constants::BOLTZMANN_EV;

#[test]
fn bonds_and_common_neighbours_of_known_lattices() {
    let sc = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let fcc = [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]];
    let layered = layered_host().unwrap().lattice_angstrom;
    let ring = [[1.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 5.0]];
    // Bonds per site, common neighbours of a bond, sum of the weights of its surroundings.
    for (lattice, bonds, common, weight) in
        [(sc, 3, 0, 10), (fcc, 6, 4, 22), (layered, 3, 2, 10), (ring, 1, 0, 2)]
    {
        let network = HopNetwork::from_lattice(lattice, vec![[0.0; 3]], HopShell::Nearest).unwrap();
        assert_eq!(network.bonds().len(), bonds);
        for bond in network.bonds() {
            assert_eq!(bond.common.len(), common);
            assert_eq!(bond.surroundings.iter().map(|s| s.1).sum::<u32>(), weight);
        }
        assert_eq!(network.is_single_file(), bonds == 1);
    }
    // In a layered host the nearest shell lies in the plane; a wider cutoff reaches the next layer.
    let plane = HopNetwork::from_lattice(layered, vec![[0.0; 3]], HopShell::Nearest).unwrap();
    assert!(plane.bonds().iter().all(|b| b.vector_angstrom[2].abs() < 1e-12));
    let wide = HopNetwork::from_lattice(layered, vec![[0.0; 3]], HopShell::Within(5.0)).unwrap();
    assert!(wide.bonds().iter().any(|b| b.vector_angstrom[2].abs() > 1.0));
    for cutoff in [0.5, -1.0, f64::NAN, 1e9] {
        assert!(HopNetwork::from_lattice(sc, vec![[0.0; 3]], HopShell::Within(cutoff)).is_err(), "{cutoff}");
    }
    assert!(HopNetwork::from_lattice(sc, vec![[0.0; 3], [0.0; 3]], HopShell::Nearest).is_err());
}

/// Canonical mean energy of a ring of 8 with 4 ions against the sum over its 70 states.
#[test]
fn equilibrium_has_the_canonical_mean_energy() {
    let (temperature_k, coupling) = (300.0, 1.5);
    let thermal = BOLTZMANN_EV * temperature_k;
    let ring = [[1.0, 0.0, 0.0], [0.0, 7.0, 0.0], [0.0, 0.0, 7.0]];
    let pair = PairEnergy { distance_angstrom: 1.0, energy_ev: coupling * thermal };
    let h = lattice_gas(ring, &[pair]).unwrap();
    let grid = SiteGrid::new([8, 1, 1], 1).unwrap();
    let mut energy = LatticeEnergy::new(&h, &h.coefficients_ev, grid, &[]).unwrap();
    let (mut partition, mut sum) = (0.0, 0.0);
    for state in 0u32..256 {
        if state.count_ones() == 4 {
            energy.set_occupation(&(0..8).map(|k| state >> k & 1 == 1).collect::<Vec<_>>()).unwrap();
            let weight = (-energy.energy_ev() / thermal).exp();
            partition += weight;
            sum += weight * energy.energy_ev();
        }
    }
    let mut means = Vec::new();
    for replica in 0..40 {
        let mut rng = Philox::new(3, 0, replica);
        energy.set_occupation(&random_occupation(8, 4, &mut rng).unwrap()).unwrap();
        let out = equilibrate(&mut energy, &RateParameters::at(temperature_k), 2000, &mut rng).unwrap();
        assert!(out.equilibrated && out.acceptance > 0.0);
        means.push(out.mean_energy_ev);
    }
    let mean = means.iter().sum::<f64>() / 40.0;
    let error = (means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (40.0 * 39.0)).sqrt();
    assert!((mean - sum / partition).abs() < 4.0 * error, "{mean} {} {error}", sum / partition);
}

#[test]
fn chemical_diffusivity_carries_both_errors_and_keeps_a_negative_sign() {
    let mut jump = TensorWithError { value_m2_s: [[0.0; 3]; 3], std_m2_s: [[0.0; 3]; 3] };
    jump.value_m2_s[0][0] = 2e-14;
    jump.std_m2_s[0][0] = 1e-15;
    let out = chemical_diffusivity(5.0, 0.5, &jump).unwrap();
    assert!((out.value_m2_s[0][0] - 1e-13).abs() < 1e-27);
    assert!((out.std_m2_s[0][0] - 5e-15f64.hypot(1e-14)).abs() < 1e-27);
    assert!(chemical_diffusivity(-0.3, 0.0, &jump).unwrap().value_m2_s[0][0] < 0.0);
    assert!(matches!(chemical_diffusivity(f64::NAN, 0.0, &jump), Err(HoppingError::Parameter { .. })));
    assert!(chemical_diffusivity(1.0, -1.0, &jump).is_err());
}
