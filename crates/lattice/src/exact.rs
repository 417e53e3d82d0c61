//! Exact semi-grand-canonical sums over all occupations of a small box: the reference for sampling.

use crate::LatticeError;
use crate::metropolis::BOLTZMANN_EV_PER_K;
use scalade_handoff::LatticeEnergy;
use serde::{Deserialize, Serialize};

/// Most sites that can be enumerated.
const MOST_SITES: usize = 26;

/// All states of a box: energy and number of ions of each, by the binary number of its occupation.
#[derive(Clone, Debug)]
pub struct Enumeration {
    sites: usize,
    /// Energy (eV) and number of ions.
    states: Vec<(f64, u32)>,
}

/// Exact averages of a box at one (T, mu).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExactPoint {
    /// ln Xi per site.
    pub log_partition: f64,
    /// Mean number of ions over sites.
    pub x: f64,
    /// Mean energy over sites, eV.
    pub energy_ev: f64,
    /// var(N)/sites.
    pub variance: f64,
    /// cov(N, E)/sites, eV.
    pub covariance_ev: f64,
    /// var(E)/sites, eV^2.
    pub energy_variance_ev2: f64,
}

impl Enumeration {
    /// Visits all 2^sites states in Gray-code order, one flip each (at most 26 sites).
    pub fn new(mut energy: LatticeEnergy) -> Result<Self, LatticeError> {
        let sites = energy.grid().sites();
        if sites > MOST_SITES {
            return Err(LatticeError::TooMany {
                what: "sites of an enumeration",
                count: sites,
                limit: MOST_SITES,
            });
        }
        energy.set_occupation(&vec![false; sites])?;
        let mut states = vec![(0.0, 0); 1 << sites];
        let (mut code, mut ions) = (0usize, 0u32);
        states[0] = (energy.energy_ev(), 0);
        for step in 1usize..1 << sites {
            let site = step.trailing_zeros() as usize;
            code ^= 1 << site;
            ions = if code >> site & 1 == 1 { ions + 1 } else { ions - 1 };
            energy.flip(site);
            if step % 4096 == 0 {
                energy.recompute();
            }
            states[code] = (energy.energy_ev(), ions);
        }
        Ok(Self { sites, states })
    }

    /// Energy (eV) and number of ions of every state; bit s of the index is site s.
    pub fn states(&self) -> &[(f64, u32)] {
        &self.states
    }

    /// Averages over the states with weights exp(-(E - mu N)/kT).
    pub fn at(&self, temperature_k: f64, chemical_potential_ev: f64) -> Result<ExactPoint, LatticeError> {
        let holds = temperature_k > 0.0 && temperature_k.is_finite();
        LatticeError::require(holds, "temperature (kelvin)", temperature_k, "a positive number is due")?;
        let mu = chemical_potential_ev;
        LatticeError::require(mu.is_finite(), "chemical potential (eV)", mu, "a finite number is due")?;
        let beta = 1.0 / (BOLTZMANN_EV_PER_K * temperature_k);
        let exponent = |s: &(f64, u32)| -beta * (s.0 - mu * f64::from(s.1));
        let largest = self.states.iter().map(exponent).fold(f64::NEG_INFINITY, f64::max);
        let mut sums = [0.0; 3];
        for state in &self.states {
            let weight = (exponent(state) - largest).exp();
            sums[0] += weight;
            sums[1] += weight * f64::from(state.1);
            sums[2] += weight * state.0;
        }
        let (n, e) = (sums[1] / sums[0], sums[2] / sums[0]);
        let (mut nn, mut ne, mut ee) = (0.0, 0.0, 0.0);
        for state in &self.states {
            let weight = (exponent(state) - largest).exp() / sums[0];
            let (dn, de) = (f64::from(state.1) - n, state.0 - e);
            nn += weight * dn * dn;
            ne += weight * dn * de;
            ee += weight * de * de;
        }
        let size = self.sites as f64;
        Ok(ExactPoint {
            log_partition: (largest + sums[0].ln()) / size,
            x: n / size,
            energy_ev: e / size,
            variance: nn / size,
            covariance_ev: ne / size,
            energy_variance_ev2: ee / size,
        })
    }
}
