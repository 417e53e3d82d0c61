//! Expansion of the grand potential about an ordered arrangement in the number of excited sites.

use crate::ground_states::GroundStates;
use crate::{BOLTZMANN_EV_PER_K, LatticeError, Supercell};
use scalade_crystal::{LatticeSite, SiteGrid};
use scalade_handoff::LatticeEnergy;
use serde::{Deserialize, Serialize};

/// Most sites of a period of an ordered phase.
const MOST_PERIOD_SITES: usize = 512;
/// Couplings below this are none, eV.
const LEAST_COUPLING_EV: f64 = 1e-12;

/// An arrangement that a phase has at zero temperature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseSeed {
    /// Name of the phase.
    pub name: String,
    /// Its period.
    pub supercell: Supercell,
    /// Occupation of the sites of the period.
    pub occupied: Vec<bool>,
}

impl PhaseSeed {
    /// The ground states on the hull of a search, poorest in ions first, named by their composition.
    pub fn of_ground_states(found: &GroundStates) -> Vec<Self> {
        found
            .on_hull()
            .map(|candidate| {
                let sites = candidate.occupied.len();
                let ions = candidate.occupied.iter().filter(|o| **o).count();
                let name = match ions {
                    0 => "empty".to_string(),
                    _ if ions == sites => "full".to_string(),
                    _ => {
                        let divisor = greatest_common_divisor(ions, sites);
                        format!("{}/{}", ions / divisor, sites / divisor)
                    }
                };
                Self { name, supercell: candidate.supercell.clone(), occupied: candidate.occupied.clone() }
            })
            .collect()
    }

    /// Occupied over all sites.
    pub fn site_fraction(&self) -> f64 {
        self.occupied.iter().filter(|o| **o).count() as f64 / self.occupied.len().max(1) as f64
    }

    /// Whether all sites are alike: the empty and the full lattice.
    pub fn is_uniform(&self) -> bool {
        self.occupied.windows(2).all(|w| w[0] == w[1])
    }

    /// The arrangement in a box; `None` if the box is no multiple of the period.
    pub fn pattern(&self, grid: &SiteGrid) -> Option<Vec<bool>> {
        if self.supercell.basis() != grid.basis() || self.occupied.len() != self.supercell.sites() {
            return None;
        }
        let dims = grid.dims();
        let origin = LatticeSite { cell: [0; 3], basis: 0 };
        for axis in 0..3 {
            let mut cell = [0; 3];
            cell[axis] = i32::try_from(dims[axis]).ok()?;
            let turned = self.supercell.index(LatticeSite { cell, basis: 0 });
            if turned != self.supercell.index(origin) {
                return None;
            }
        }
        Some((0..grid.sites()).map(|s| self.occupied[self.supercell.index(grid.site(s))]).collect())
    }
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// One site of a period, flipped.
#[derive(Clone, Debug)]
struct Excitation {
    /// Energy of the flip, eV, and change of the number of ions.
    energy_ev: f64,
    ions: f64,
    /// Energies of the flips of other sites nearby, their change of ions, and the coupling of both flips, eV.
    coupled: Vec<(f64, f64, f64)>,
}

/// The grand potential of an ordered phase to second order in excited sites.
///
/// With eps_i = dE_i - mu dN_i the cost of a flip and v_ij the energy of two flips beyond their sum, over the M sites i of a period and all sites j,
///
/// phi = e - mu x - (kT/M) \[ sum_i z_i + 1/2 sum_i sum_(j != i) z_i z_j (exp(-v_ij/kT) - 1) - 1/2 sum_i z_i^2 \], z_i = exp(-eps_i/kT)
///
/// (low-temperature series, C. Domb, Adv. Phys. 9, 149 (1960)). The size of the second order tells how far the series can be trusted.
#[derive(Clone, Debug)]
pub struct LowTemperature {
    energy_ev: f64,
    site_fraction: f64,
    excitations: Vec<Excitation>,
}

/// phi and x, and the size of the last order of each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LowTemperaturePoint {
    /// Grand potential per site, eV.
    pub potential_ev: f64,
    /// Magnitude of its second order, eV.
    pub last_order_ev: f64,
}

impl LowTemperature {
    /// The expansion about a seed; `energy` must hold its pattern, in a box of `grid`.
    pub fn new(seed: &PhaseSeed, energy: &mut LatticeEnergy) -> Result<Self, LatticeError> {
        let sites = seed.supercell.sites();
        if sites > MOST_PERIOD_SITES {
            return Err(LatticeError::TooMany {
                what: "sites of a period of an ordered phase",
                count: sites,
                limit: MOST_PERIOD_SITES,
            });
        }
        let grid = *energy.grid();
        let ions = |site: usize, energy: &LatticeEnergy| if energy.is_occupied(site) { -1.0 } else { 1.0 };
        let alone: Vec<f64> = (0..grid.sites()).map(|s| energy.flip_delta_ev(s)).collect();
        let mut excitations = Vec::with_capacity(sites);
        for index in 0..sites {
            let basis = index % seed.supercell.basis();
            let cell = seed.supercell.cell(index / seed.supercell.basis());
            let site = grid.index(LatticeSite { cell, basis });
            let own = ions(site, energy);
            energy.flip(site);
            let coupled = (0..grid.sites())
                .filter(|other| *other != site)
                .filter_map(|other| {
                    let coupling = energy.flip_delta_ev(other) - alone[other];
                    (coupling.abs() > LEAST_COUPLING_EV)
                        .then(|| (alone[other], ions(other, energy), coupling))
                })
                .collect();
            energy.flip(site);
            excitations.push(Excitation { energy_ev: alone[site], ions: own, coupled });
        }
        let energy_ev = energy.energy_ev() / grid.sites() as f64;
        Ok(Self { energy_ev, site_fraction: seed.site_fraction(), excitations })
    }

    /// Energy per site at zero temperature, eV.
    pub fn energy_ev(&self) -> f64 {
        self.energy_ev
    }

    /// Chemical potentials between which no single flip lowers the grand potential; infinite towards the side on which a uniform phase has no end.
    pub fn window_ev(&self) -> [f64; 2] {
        let mut window = [f64::NEG_INFINITY, f64::INFINITY];
        for e in &self.excitations {
            if e.ions < 0.0 {
                window[0] = window[0].max(-e.energy_ev);
            } else {
                window[1] = window[1].min(e.energy_ev);
            }
        }
        window
    }

    /// phi at a temperature and chemical potential.
    pub fn at(&self, temperature_k: f64, mu: f64) -> LowTemperaturePoint {
        let kt = BOLTZMANN_EV_PER_K * temperature_k;
        let weight = |energy: f64, ions: f64| (-(energy - mu * ions) / kt).exp();
        let (mut first, mut second) = (0.0, 0.0);
        for e in &self.excitations {
            let z = weight(e.energy_ev, e.ions);
            first += z;
            let pairs: f64 = e.coupled.iter().map(|(de, dn, v)| weight(*de, *dn) * (-v / kt).exp_m1()).sum();
            second += 0.5 * z * pairs - 0.5 * z * z;
        }
        let share = kt / self.excitations.len().max(1) as f64;
        LowTemperaturePoint {
            potential_ev: self.energy_ev - mu * self.site_fraction - share * (first + second),
            last_order_ev: share * second.abs(),
        }
    }
}
