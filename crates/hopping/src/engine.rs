//! What every kinetic Monte Carlo engine offers, and the slow, readable reference engine.

use crate::{GridNetwork, HoppingError, KraModel, RateParameters, Trajectory, bond_rate};
use scalade_handoff::LatticeEnergy;
use scalade_numerics::Philox;

/// What one attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// An ion hopped.
    Hopped,
    /// Nothing happened but time passed.
    Rejected,
    /// The next attempt lies beyond the time limit; the clock was left where it stands.
    TimeReached,
}

/// A kinetic Monte Carlo engine. The clock advances by mean residence times: exact for averages over time and for diffusivities.
pub trait Engine {
    /// One attempt, unless it would pass `limit_s`.
    fn attempt(&mut self, limit_s: f64) -> Result<Attempt, HoppingError>;
    /// Time, s.
    fn time_s(&self) -> f64;
    /// Attempts made, rejected ones included.
    fn attempts(&self) -> u64;
    /// Hops made.
    fn events(&self) -> u64;
    /// Number of ions.
    fn ions(&self) -> usize;
    /// Displacement of an ion since the start, unwrapped, angstrom.
    fn displacement_angstrom(&self, ion: usize) -> [f64; 3];
    /// Sum of the displacements of all ions since the start, angstrom.
    fn total_displacement_angstrom(&self) -> [f64; 3];
    /// Sum over all hops of the tensor d d^T of the hop vector, square angstrom.
    fn squared_hops(&self) -> [[f64; 3]; 3];
    /// The drift b = sum over possible hops of rate times hop vector in the present state, angstrom per second; the part of each ion
    /// goes to `by_ion` if that is given, which is made as long as there are ions.
    fn drift(&mut self, by_ion: Option<&mut Vec<[f64; 3]>>) -> [f64; 3];
    /// Whether a site is occupied.
    fn is_occupied(&self, site: usize) -> bool;

    /// Runs until `limit_s`, at most `max_attempts` attempts; returns whether the time was reached.
    fn run_until(&mut self, limit_s: f64, max_attempts: u64) -> Result<bool, HoppingError> {
        for _ in 0..max_attempts {
            if self.attempt(limit_s)? == Attempt::TimeReached {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Runs a number of hops.
    fn run_hops(&mut self, hops: u64) -> Result<(), HoppingError> {
        let mut done = 0;
        while done < hops {
            done += u64::from(self.attempt(f64::INFINITY)? == Attempt::Hopped);
        }
        Ok(())
    }
}

/// An engine with a trajectory that tells mechanisms apart.
pub trait Tracked: Engine {
    /// The trajectory.
    fn trajectory(&self) -> &Trajectory;
}

/// What the trajectory of a [`Tracked`] engine tells.
macro_rules! told_by_the_trajectory {
    () => {
        fn events(&self) -> u64 {
            self.trajectory.events()
        }

        fn ions(&self) -> usize {
            self.trajectory.ions()
        }

        fn displacement_angstrom(&self, ion: usize) -> [f64; 3] {
            self.trajectory.displacement_angstrom(ion)
        }

        fn total_displacement_angstrom(&self) -> [f64; 3] {
            self.trajectory.total_displacement_angstrom()
        }

        fn squared_hops(&self) -> [[f64; 3]; 3] {
            self.trajectory.squared_hops()
        }
    };
}
pub(crate) use told_by_the_trajectory;

/// A list of zeros, one for each ion.
pub(crate) fn cleared(list: &mut Vec<[f64; 3]>, ions: usize) -> &mut [[f64; 3]] {
    list.clear();
    list.resize(ions, [0.0; 3]);
    list
}

/// The slow, readable engine: every rate computed anew before each hop, chosen by linear selection, no rejection
/// (A. B. Bortz, M. H. Kalos, J. L. Lebowitz, J. Comput. Phys. 17, 10 (1975)).
#[derive(Clone, Debug)]
pub struct ReferenceEngine<'a> {
    network: &'a GridNetwork,
    energy: LatticeEnergy,
    model: KraModel,
    parameters: RateParameters,
    trajectory: Trajectory,
    rng: Philox,
    time_s: f64,
    rates_hz: Vec<f64>,
    fresh: bool,
}

impl<'a> ReferenceEngine<'a> {
    /// Starts from the occupation of `energy`, which must have registered the network's directed bonds.
    pub fn new(
        network: &'a GridNetwork,
        energy: LatticeEnergy,
        model: KraModel,
        parameters: RateParameters,
        rng: Philox,
    ) -> Result<Self, HoppingError> {
        parameters.check()?;
        model.check()?;
        let trajectory = Trajectory::new(network, &energy.occupation());
        let rates_hz = vec![0.0; network.ends().len()];
        Ok(Self { network, energy, model, parameters, trajectory, rng, time_s: 0.0, rates_hz, fresh: false })
    }

    /// Rate of every bond in the present state, Hz (0 where no hop is possible).
    pub fn rates_hz(&mut self) -> &[f64] {
        if !self.fresh {
            for bond in 0..self.rates_hz.len() {
                let rate = bond_rate(self.network, &self.energy, &self.model, &self.parameters, bond);
                self.rates_hz[bond] = rate.map_or(0.0, |r| r.2);
            }
            self.fresh = true;
        }
        &self.rates_hz
    }
}

impl Engine for ReferenceEngine<'_> {
    fn attempt(&mut self, limit_s: f64) -> Result<Attempt, HoppingError> {
        let total: f64 = self.rates_hz().iter().sum();
        if !(total.is_finite() && total > 0.0) {
            return Err(HoppingError::Stuck { total_hz: total, events: self.trajectory.events() });
        }
        if self.time_s + 1.0 / total > limit_s {
            return Ok(Attempt::TimeReached);
        }
        self.time_s += 1.0 / total;
        let mut rest = self.rng.uniform() * total;
        let mut chosen = None;
        for (bond, rate) in self.rates_hz.iter().enumerate().filter(|r| *r.1 > 0.0) {
            chosen = Some(bond);
            rest -= rate;
            if rest < 0.0 {
                break;
            }
        }
        let picked = chosen.and_then(|bond| {
            bond_rate(self.network, &self.energy, &self.model, &self.parameters, bond).map(|r| (bond, r))
        });
        let Some((bond, (from, to, _, local, delta))) = picked else {
            return Err(HoppingError::Stuck { total_hz: total, events: self.trajectory.events() });
        };
        let (barrier, without) = RateParameters::barrier_ev(&local, delta);
        self.trajectory.activation_sum_ev += barrier - 0.5 * delta;
        self.trajectory.without_barrier += u64::from(without);
        let forward = self.network.ends()[bond][0] as usize == from;
        self.trajectory.hop(bond, from, to, forward, local.mechanism);
        self.energy.flip(from);
        self.energy.flip(to);
        self.fresh = false;
        Ok(Attempt::Hopped)
    }

    fn time_s(&self) -> f64 {
        self.time_s
    }

    fn attempts(&self) -> u64 {
        self.trajectory.events()
    }

    told_by_the_trajectory!();

    fn drift(&mut self, by_ion: Option<&mut Vec<[f64; 3]>>) -> [f64; 3] {
        let network = self.network;
        let mut out = [0.0; 3];
        let mut parts = by_ion.map(|p| cleared(p, self.trajectory.ions()));
        for bond in 0..network.ends().len() {
            let rate = self.rates_hz()[bond];
            let [a, b] = network.ends()[bond].map(|s| s as usize);
            let forward = self.energy.is_occupied(a);
            let signed = if forward { rate } else { -rate };
            let vector = network.network().bonds()[bond % network.types()].vector_angstrom;
            for (o, v) in out.iter_mut().zip(vector) {
                *o += signed * v;
            }
            if let Some(parts) = &mut parts
                && let Some(ion) = self.trajectory.ion_at(if forward { a } else { b })
            {
                for (p, v) in parts[ion].iter_mut().zip(vector) {
                    *p += signed * v;
                }
            }
        }
        out
    }

    fn is_occupied(&self, site: usize) -> bool {
        self.energy.is_occupied(site)
    }
}

impl Tracked for ReferenceEngine<'_> {
    fn trajectory(&self) -> &Trajectory {
        &self.trajectory
    }
}
