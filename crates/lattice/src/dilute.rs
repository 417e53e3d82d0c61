//! The dilute gas of ions in the empty lattice, and of vacancies in the full one, to second order in the activity: the exact ends of every scan.

use crate::{BOLTZMANN_EV_PER_K, LatticeError};
use scalade_handoff::LatticeEnergy;
use serde::{Deserialize, Serialize};

/// Second-order expansion of a dilute lattice gas at one temperature.
///
/// With the activity t = exp((mu - mu_0)/kT), n = t - B t^2 + O(t^3) per site, where B = sum over pairs of (1 - exp(-v/kT)), weighted by the
/// sublattices' Boltzmann factors, v being the energy of a pair beyond that of its members (infinite for two on one site)
/// (J. E. Mayer, M. G. Mayer, Statistical Mechanics, 1940, ch. 13, on a lattice).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiluteLimit {
    /// mu_0, eV.
    pub standard_potential_ev: f64,
    /// B.
    pub second: f64,
    /// The same sum over magnitudes: the relative error of the expansion is taken as 2 (bound t)^2, for the third
    /// order is 3/2 B^2 t^3 in mean field and less on a lattice of exclusions.
    pub bound: f64,
}

impl DiluteLimit {
    /// The gas of vacancies in the full lattice (`full`) or of ions in the empty one. Leaves the lattice full or empty.
    pub(crate) fn new(
        energy: &mut LatticeEnergy,
        full: bool,
        temperature_k: f64,
    ) -> Result<Self, LatticeError> {
        let kt = BOLTZMANN_EV_PER_K * temperature_k;
        let (sites, basis) = (energy.grid().sites(), energy.grid().basis());
        energy.set_occupation(&vec![full; sites])?;
        let alone: Vec<f64> = (0..basis).map(|b| energy.flip_delta_ev(b)).collect();
        let least = alone.iter().copied().fold(f64::INFINITY, f64::min);
        let weights: Vec<f64> = alone.iter().map(|e| (-(e - least) / kt).exp()).collect();
        let first = weights.iter().sum::<f64>() / basis as f64;
        let (mut second, mut bound) = (0.0, 0.0);
        for b in 0..basis {
            energy.flip(b);
            for other in 0..sites {
                let beyond = energy.flip_delta_ev(other) - alone[other % basis];
                let term = if other == b { 1.0 } else { 1.0 - (-beyond / kt).exp() };
                let weight = weights[b] * weights[other % basis];
                second += weight * term;
                bound += weight * term.abs();
            }
            energy.flip(b);
        }
        energy.set_occupation(&vec![full; sites])?;
        let scale = 1.0 / (basis as f64 * first * first);
        Ok(Self {
            standard_potential_ev: least - kt * first.ln(),
            second: second * scale,
            bound: bound * scale,
        })
    }

    /// Density n and n' = dn/d ln t with their relative error at the chemical potential of the gas; `None` where the expansion does not hold.
    pub(crate) fn density(&self, chemical_potential_ev: f64, kt: f64) -> Option<(f64, f64, f64)> {
        let t = ((chemical_potential_ev - self.standard_potential_ev) / kt).exp();
        let small = self.bound * t;
        let holds = small.is_finite() && small < 0.3 && t > 0.0;
        holds.then_some((t - self.second * t * t, t - 2.0 * self.second * t * t, 2.0 * small * small))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::Enumeration;
    use scalade_crystal::{LatticeSite, SiteGrid};
    use scalade_handoff::{ClusterOrbit, LatticeHamiltonian};

    #[test]
    fn the_expansion_meets_exact_sums_to_second_order_at_both_ends() {
        // Two sublattices that differ, pairs and a triplet.
        let site = |cell, basis| LatticeSite { cell, basis };
        let o = [0; 3];
        let orbit =
            |c: Vec<LatticeSite>| ClusterOrbit { order: c.len(), diameter_angstrom: 1.0, clusters: vec![c] };
        let model = LatticeHamiltonian {
            lattice_angstrom: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            basis_fractional: vec![[0.0; 3], [0.5; 3]],
            working_ion: "Li".into(),
            formula_units_per_cell: 1.0,
            orbits: vec![
                orbit(vec![site(o, 0)]),
                orbit(vec![site(o, 0), site([1, 0, 0], 0)]),
                orbit(vec![site(o, 0), site(o, 1)]),
                orbit(vec![site(o, 0), site([1, 0, 0], 0), site(o, 1)]),
            ],
            coefficients_ev: vec![0.0, 0.01, 0.008, -0.003, 0.002],
            samples_ev: Vec::new(),
        };
        let grid = SiteGrid::new([8, 1, 1], 2).unwrap();
        let mut energy = LatticeEnergy::new(&model, &model.coefficients_ev, grid, &[]).unwrap();
        let states = Enumeration::new(energy.clone()).unwrap();
        let kt = 300.0 * BOLTZMANN_EV_PER_K;
        for full in [false, true] {
            let gas = DiluteLimit::new(&mut energy, full, 300.0).unwrap();
            for t in [1e-3f64, 3e-3, 1e-2] {
                let own = gas.standard_potential_ev + kt * t.ln();
                let exact = states.at(300.0, if full { -own } else { own }).unwrap();
                let density = if full { 1.0 - exact.x } else { exact.x };
                let (n, rate, relative) = gas.density(own, kt).unwrap();
                assert!((n / density - 1.0).abs() < relative, "{n} {density} {relative}");
                assert!((rate / exact.variance - 1.0).abs() < 4.0 * relative, "{rate} {}", exact.variance);
                assert!((n / t - 1.0).abs() > relative, "the second order matters");
            }
        }
    }
}
