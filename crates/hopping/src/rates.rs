//! From barriers to rates: the kinetically resolved activation of a hop in its surroundings, transition-state rates, and the
//! audit of detailed balance.
//!
//! A hop i -> j has the saddle energy E_s = (E_i + E_j)/2 + E_KRA, with the kinetically resolved activation E_KRA the same for
//! hop and reverse hop (A. Van der Ven, G. Ceder, M. Asta, P. D. Tepesch, Phys. Rev. B 64, 184307 (2001)). The forward barrier is
//! E_KRA + dE/2, the backward one E_KRA - dE/2, and the rate nu m exp(-barrier/kT).
//!
//! **Paths.** In a layer of octahedral sites two neighbouring sites share two common neighbours, one on either side of the hop. Beside
//! each lies a tetrahedral site through which the ion can pass if that common neighbour is vacant (if it is occupied, the ion at
//! the tetrahedral site would touch it across a shared face). The two paths are distinct channels in parallel, so their rates add: m =
//! number of vacant common neighbours. Since m does not depend on which of i and j is occupied, forward and backward rate carry
//! the same m and detailed balance holds. With no vacant common neighbour the ion squeezes through the oxygen dumbbell between the two
//! sites: one path.
//!
//! **No barrier.** Where E_KRA < |dE|/2 the saddle would lie below the higher end. Then E_KRA is replaced by |dE|/2: the barrier is
//! max(0, dE), the rate nu m min(1, exp(-dE/kT)). The replacement is the same for hop and reverse hop, so detailed
//! balance holds; such hops are counted.

use crate::{GridNetwork, HoppingError, error::exceeds, error::positive};
use scalade_handoff::LatticeEnergy;
use scalade_numerics::Philox;
use scalade_units::constants::BOLTZMANN_EV;
use serde::{Deserialize, Serialize};

/// How an ion gets from one site to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mechanism {
    /// Oxygen dumbbell hop: every common neighbour of the two sites is occupied (single vacancy).
    Odh,
    /// Tetrahedral site hop: at least one common neighbour is vacant (divacancy).
    Tsh,
}

impl Mechanism {
    /// Both mechanisms, in the order of all arrays indexed by mechanism.
    pub const ALL: [Self; 2] = [Self::Odh, Self::Tsh];

    /// The short name used in barrier tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Odh => "odh",
            Self::Tsh => "tsh",
        }
    }
}

/// E_KRA = intercept + slope n, with n the occupied neighbours of both ends (see [`crate::HopBond::surroundings`]).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BarrierLaw {
    /// E_KRA at n = 0, eV.
    pub intercept_ev: f64,
    /// Change per occupied neighbour, eV.
    pub slope_ev: f64,
}

/// How many parallel paths a hop has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Paths {
    /// One.
    One,
    /// One for a hop without vacant common neighbour, otherwise one for each vacant common neighbour.
    PerVacantCommon,
}

/// Barriers of every hop of a lattice.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KraModel {
    /// Law where every common neighbour is occupied (or where there is none).
    pub odh: BarrierLaw,
    /// Law where at least one is vacant.
    pub tsh: BarrierLaw,
    /// Number of parallel paths.
    pub paths: Paths,
}

/// Barrier of one hop in its surroundings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LocalBarrier {
    /// Mechanism.
    pub mechanism: Mechanism,
    /// Kinetically resolved activation, eV.
    pub kra_ev: f64,
    /// Number of parallel paths m, times the attempt frequency of the bond in units of that of the run.
    pub paths: f64,
}

impl KraModel {
    /// The same activation for every hop, one path.
    pub fn uniform(kra_ev: f64) -> Self {
        let law = BarrierLaw { intercept_ev: kra_ev, slope_ev: 0.0 };
        Self { odh: law, tsh: law, paths: Paths::One }
    }

    /// The law of a mechanism.
    pub fn law(&self, mechanism: Mechanism) -> BarrierLaw {
        match mechanism {
            Mechanism::Odh => self.odh,
            Mechanism::Tsh => self.tsh,
        }
    }

    /// The barrier for a number of vacant common neighbours and the count n of occupied neighbours.
    pub fn barrier(&self, vacant_common: u32, occupied: u32) -> LocalBarrier {
        let mechanism = if vacant_common == 0 { Mechanism::Odh } else { Mechanism::Tsh };
        let law = self.law(mechanism);
        let paths = match self.paths {
            Paths::One => 1.0,
            Paths::PerVacantCommon => f64::from(vacant_common.max(1)),
        };
        LocalBarrier { mechanism, kra_ev: law.intercept_ev + law.slope_ev * f64::from(occupied), paths }
    }

    /// Refuses coefficients that are not finite or above 20 eV in magnitude.
    pub fn check(&self) -> Result<(), HoppingError> {
        for law in [self.odh, self.tsh] {
            for value in [law.intercept_ev, law.slope_ev] {
                if !(value.is_finite() && value.abs() <= 20.0) {
                    let want = "a finite number within +-20 eV is due";
                    return Err(HoppingError::Parameter {
                        what: "barrier law coefficient (eV)",
                        value,
                        want,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Temperature and attempt frequency.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateParameters {
    /// Temperature, K.
    pub temperature_k: f64,
    /// Attempt frequency nu, Hz. The usual assumption is 1e13 Hz.
    pub prefactor_hz: f64,
}

/// The customary attempt frequency where none was computed, Hz.
pub const ASSUMED_PREFACTOR_HZ: f64 = 1e13;

impl RateParameters {
    /// Temperature with the customary attempt frequency.
    pub fn at(temperature_k: f64) -> Self {
        Self { temperature_k, prefactor_hz: ASSUMED_PREFACTOR_HZ }
    }

    /// kT, eV.
    pub fn thermal_energy_ev(&self) -> f64 {
        BOLTZMANN_EV * self.temperature_k
    }

    /// Refuses numbers that are not finite and positive.
    pub fn check(&self) -> Result<(), HoppingError> {
        positive("temperature (K)", self.temperature_k)?;
        positive("attempt frequency (Hz)", self.prefactor_hz)?;
        Ok(())
    }

    /// Barrier of a hop, eV, and whether the rule for missing barriers was applied.
    pub fn barrier_ev(local: &LocalBarrier, delta_ev: f64) -> (f64, bool) {
        let bare = local.kra_ev + 0.5 * delta_ev;
        let floor = delta_ev.max(0.0);
        (bare.max(floor), bare < floor)
    }

    /// Rate of a hop with energy change `delta_ev`, Hz.
    pub fn rate_hz(&self, local: &LocalBarrier, delta_ev: f64) -> f64 {
        let (barrier, _) = Self::barrier_ev(local, delta_ev);
        self.prefactor_hz * local.paths * (-barrier / self.thermal_energy_ev()).exp()
    }
}

/// Barrier of a bond in its surroundings: what the laws say and what is its own.
pub(crate) fn local_barrier(
    network: &GridNetwork,
    model: &KraModel,
    bond: usize,
    occupied: impl Fn(usize) -> bool + Copy,
) -> LocalBarrier {
    let mut local =
        model.barrier(network.vacant_common(bond, occupied), network.occupied_surroundings(bond, occupied));
    local.kra_ev += network.own_activation_ev(bond, occupied);
    local.paths *= network.own_attempts(bond, occupied);
    local
}

/// The slow, readable rate of one bond in the present occupation: `None` unless exactly one end is occupied.
/// Returns (occupied end, vacant end, rate in Hz, local barrier, energy change in eV).
/// The energy kernel must have registered [`crate::HopNetwork::directed`].
pub fn bond_rate(
    network: &GridNetwork,
    energy: &LatticeEnergy,
    model: &KraModel,
    parameters: &RateParameters,
    bond: usize,
) -> Option<(usize, usize, f64, LocalBarrier, f64)> {
    let [a, b] = network.ends()[bond].map(|s| s as usize);
    let (from, to, direction) = match (energy.is_occupied(a), energy.is_occupied(b)) {
        (true, false) => (a, b, 0),
        (false, true) => (b, a, 1),
        _ => return None,
    };
    let occupied = |s: usize| energy.is_occupied(s);
    let local = local_barrier(network, model, bond, occupied);
    let delta = energy.swap_delta_ev(2 * (bond % network.types()) + direction, from, to);
    Some((from, to, parameters.rate_hz(&local, delta), local, delta))
}

/// Checks k_forward/k_backward = exp(-dE/kT) on `samples` random hops of the present occupation: the reverse rate is computed anew
/// after the move, dE from total energies computed anew. Returns the largest |ln(k_f/k_b) + dE/kT|; above 1e-10 (plus the
/// rounding of the total energy) is an error.
pub fn audit_detailed_balance(
    network: &GridNetwork,
    energy: &LatticeEnergy,
    model: &KraModel,
    parameters: &RateParameters,
    samples: usize,
    rng: &mut Philox,
) -> Result<f64, HoppingError> {
    parameters.check()?;
    model.check()?;
    let thermal = parameters.thermal_energy_ev();
    let mut worst: f64 = 0.0;
    let mut scratch = energy.clone();
    scratch.recompute();
    let mut found = 0;
    for _ in 0..samples * 64 {
        if found == samples {
            break;
        }
        let bond = rng.below(network.ends().len() as u32) as usize;
        let Some((from, to, forward, ..)) = bond_rate(network, &scratch, model, parameters, bond) else {
            continue;
        };
        found += 1;
        let before = scratch.energy_ev();
        scratch.flip(from);
        scratch.flip(to);
        scratch.recompute();
        let after = scratch.energy_ev();
        let Some((.., backward, _, _)) = bond_rate(network, &scratch, model, parameters, bond) else {
            continue;
        };
        let (got, expected) = ((forward / backward).ln(), -(after - before) / thermal);
        let rounding = 1e-13 * (before.abs() + after.abs() + 1.0) / thermal;
        let gap = (got - expected).abs();
        if exceeds(gap, 1e-10 + rounding) {
            return Err(HoppingError::DetailedBalance { bond, got, expected });
        }
        worst = worst.max(gap);
        // Every other move is kept, so that the audit wanders through states.
        if found % 2 == 0 {
            scratch.flip(to);
            scratch.flip(from);
            scratch.recompute();
        }
    }
    Ok(worst)
}
