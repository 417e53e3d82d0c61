//! Semi-grand-canonical Metropolis sampling: working ions exchange with a reservoir of chemical potential mu.
//!
//! The weight of an occupation is exp(-(E - mu N)/kT). A trial picks a site and flips it; delta(E - mu N) = -2 sigma_i (g_i - mu/2) with the
//! field g_i = dE/dsigma_i kept up to date by [`LatticeEnergy`].

use crate::LatticeError;
use scalade_handoff::LatticeEnergy;
use scalade_numerics::philox4x32;

/// Boltzmann constant, eV/K (exact in the SI of 2019).
pub const BOLTZMANN_EV_PER_K: f64 = 8.617333262145179e-5;

/// Random words made in blocks: word w of the stream (seed, stream, replica) is that of `scalade_numerics::Philox`.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    key: [u32; 2],
    stream: [u32; 2],
    block: u64,
    buffer: Vec<u32>,
    used: usize,
}

/// Words made at once.
const BATCH: usize = 1024;

impl Words {
    pub(crate) fn new(seed: u64, stream: u32, replica: u32) -> Self {
        let key = [seed as u32, (seed >> 32) as u32];
        Self { key, stream: [stream, replica], block: 0, buffer: vec![0; BATCH], used: BATCH }
    }

    fn fill(&mut self) {
        for four in self.buffer.chunks_exact_mut(4) {
            let counter = [self.block as u32, (self.block >> 32) as u32, self.stream[0], self.stream[1]];
            four.copy_from_slice(&philox4x32(counter, self.key));
            self.block = self.block.wrapping_add(1);
        }
        self.used = 0;
    }

    /// Two words.
    #[inline]
    pub(crate) fn pair(&mut self) -> [u32; 2] {
        if self.used + 2 > self.buffer.len() {
            self.fill();
        }
        let out = [self.buffer[self.used], self.buffer[self.used + 1]];
        self.used += 2;
        out
    }
}

/// Uniform in (0, 1): the midpoints of 2^32 intervals, so that zero does not occur and no move of vanishing weight is accepted.
#[inline]
pub(crate) fn open_uniform(word: u32) -> f64 {
    (f64::from(word) + 0.5) * (1.0 / 4_294_967_296.0)
}

/// Whether u < exp(-x), with bounds that decide most cases without the exponential: for x > 0, 1 - x < exp(-x) and
/// exp(-x) < 1/(1 + x + x^2/2 + x^3/6).
#[inline]
pub(crate) fn accepts(x: f64, u: f64) -> bool {
    if u * (1.0 + x * (1.0 + x * (0.5 + x * (1.0 / 6.0)))) >= 1.0 {
        return x <= 0.0;
    }
    u <= 1.0 - x || u < (-x).exp()
}

/// A Markov chain over occupations.
#[derive(Clone, Debug)]
pub struct Metropolis {
    energy: LatticeEnergy,
    words: Words,
    occupied: usize,
    /// Trials made so far.
    trials: u64,
    /// Trials accepted so far.
    accepted: u64,
}

impl Metropolis {
    /// A chain from the present occupation of `energy`, driven by the random stream (seed, stream, replica).
    pub fn new(energy: LatticeEnergy, seed: u64, stream: u32, replica: u32) -> Self {
        let occupied = energy.occupied_count();
        Self { energy, words: Words::new(seed, stream, replica), occupied, trials: 0, accepted: 0 }
    }

    /// The occupation and its energy.
    pub fn energy(&self) -> &LatticeEnergy {
        &self.energy
    }

    /// Number of occupied sites.
    pub fn occupied(&self) -> usize {
        self.occupied
    }

    /// Trials made and accepted so far.
    pub fn counts(&self) -> (u64, u64) {
        (self.trials, self.accepted)
    }

    /// Computes the energy anew and returns the drift of its increments, eV.
    pub fn recompute(&mut self) -> f64 {
        self.energy.recompute()
    }

    /// One sweep: as many trials as there are sites, each at a random site.
    pub fn sweep(&mut self, temperature_k: f64, chemical_potential_ev: f64) {
        let sites = self.energy.grid().sites();
        let beta = 1.0 / (BOLTZMANN_EV_PER_K * temperature_k);
        let mut occupied = self.occupied as i64;
        let mut accepted = 0;
        for _ in 0..sites {
            let [pick, chance] = self.words.pair();
            // Multiply-shift: every site's share is within 2^-32 of 1/sites, and the same whatever the occupation: detailed balance holds.
            let site = ((u64::from(pick) * sites as u64) >> 32) as usize;
            let spin = self.energy.spin(site);
            let x = beta * (self.energy.flip_delta_ev(site) + chemical_potential_ev * spin);
            if accepts(x, open_uniform(chance)) {
                self.energy.flip(site);
                occupied -= spin as i64;
                accepted += 1;
            }
        }
        self.occupied = occupied as usize;
        self.trials += sites as u64;
        self.accepted += accepted;
    }

    /// Sweeps `count` times and appends the number of occupied sites and the energy (eV) after each sweep.
    pub fn record(
        &mut self,
        temperature_k: f64,
        chemical_potential_ev: f64,
        count: usize,
        series: &mut Series,
    ) -> Result<(), LatticeError> {
        let holds = temperature_k > 0.0 && temperature_k.is_finite();
        LatticeError::require(holds, "temperature (kelvin)", temperature_k, "a positive number is due")?;
        LatticeError::require(
            chemical_potential_ev.is_finite(),
            "chemical potential (eV)",
            chemical_potential_ev,
            "a finite number is due",
        )?;
        for _ in 0..count {
            self.sweep(temperature_k, chemical_potential_ev);
            series.occupied.push(self.occupied as f64);
            series.energy_ev.push(self.energy.energy_ev());
        }
        Ok(())
    }
}

/// Observables after each sweep.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Number of occupied sites.
    pub occupied: Vec<f64>,
    /// Energy of the box, eV.
    pub energy_ev: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use scalade_numerics::Philox;

    #[test]
    fn words_are_those_of_the_stream() {
        let (mut words, mut rng) = (Words::new(1 << 40 | 5, 3, 9), Philox::new(1 << 40 | 5, 3, 9));
        for _ in 0..3 * BATCH {
            assert_eq!(words.pair(), [rng.next_u32(), rng.next_u32()]);
        }
    }

    #[test]
    fn shortcuts_decide_like_the_exponential() {
        let mut rng = Philox::new(2, 0, 0);
        for _ in 0..1_000_000 {
            let u = open_uniform(rng.next_u32());
            let x = 30.0 * rng.uniform() * rng.uniform() - 3.0 * rng.uniform();
            assert_eq!(accepts(x, u), u < (-x).exp(), "x {x} u {u}");
        }
        assert!(accepts(0.0, open_uniform(u32::MAX)));
        assert!(!accepts(30.0, open_uniform(0)));
        assert!(!accepts(f64::INFINITY, open_uniform(0)));
        assert!(accepts(-1e300, open_uniform(u32::MAX)) && accepts(f64::NEG_INFINITY, 0.5));
    }
}
