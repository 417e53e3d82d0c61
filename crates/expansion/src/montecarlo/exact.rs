//! Exact sums over all arrangements of a small box.

use super::energy::SpeciesEnergy;
use super::moves::{MoveRules, Mover, Reservoir};
use crate::error::ExpansionError;
use scalade_lattice::BOLTZMANN_EV_PER_K;

/// Most arrangements.
const MOST_STATES: f64 = (1u64 << 24) as f64;

/// Exact averages of a box.
#[derive(Clone, Debug, PartialEq)]
pub struct ExactSpeciesPoint {
    /// Mean energy of the box, eV.
    pub energy_ev: f64,
    /// var(E - sum_s mu_s N_s)/(kT)^2 of the box, in units of k.
    pub heat_capacity: f64,
    /// Species of sites with a choice, with their mean numbers.
    pub numbers: Vec<(String, f64)>,
    /// Covariances of these numbers.
    pub covariance: Vec<Vec<f64>>,
    /// ln sum exp(-(E - sum_s mu_s N_s)/kT).
    pub log_partition: f64,
    /// Arrangements that count.
    pub states: u64,
}

/// Sums over all arrangements of the sites that may change, the others as they are. A closed box keeps the numbers of its species, one that is to stay
/// neutral its charge.
///
/// Errors: more than 2^24 arrangements; exchanges of chosen species only, which no sum respects.
pub fn exact_point(
    energy: &mut SpeciesEnergy,
    rules: &MoveRules,
    reservoir: &Reservoir,
    temperature_k: f64,
) -> Result<ExactSpeciesPoint, ExpansionError> {
    if !rules.exchanges.is_empty() {
        let problem = "an exact sum cannot respect exchanges of chosen species; leave them out".into();
        return Err(ExpansionError::Run { problem });
    }
    let mover = Mover::new(energy, rules, reservoir)?;
    let choices: Vec<u8> = mover
        .sites
        .iter()
        .map(|site| energy.sublattices()[energy.sublattice(*site as usize)].species.len() as u8)
        .collect();
    let states: f64 = choices.iter().map(|c| f64::from(*c)).product();
    if states > MOST_STATES {
        return Err(ExpansionError::TooMany {
            what: "arrangements of an exact sum",
            count: states.min(1e18) as usize,
            limit: MOST_STATES as usize,
        });
    }
    let conserved = Conserved::of(&mover, energy);
    let start = energy.species().to_vec();
    let mut sum = Sum::new(&mover, BOLTZMANN_EV_PER_K * temperature_k);
    for site in &mover.sites {
        energy.change(*site as usize, 0);
    }
    energy.recompute();
    loop {
        let counts = mover.counts(energy);
        if conserved.holds(energy, &counts) {
            sum.add(energy.energy_ev(), &counts);
        }
        let mut digit = 0;
        while let Some(site) = mover.sites.get(digit) {
            let site = *site as usize;
            let next = energy.species()[site] + 1;
            let rolls = next == choices[digit];
            energy.change(site, if rolls { 0 } else { next });
            if !rolls {
                break;
            }
            digit += 1;
        }
        if digit == mover.sites.len() {
            break;
        }
    }
    energy.set(&start)?;
    sum.finish(&mover)
}

/// What all arrangements have in common.
enum Conserved {
    Nothing,
    Charge(f64),
    Numbers(Vec<f64>),
}

impl Conserved {
    fn of(mover: &Mover, energy: &SpeciesEnergy) -> Self {
        match (mover.is_open(), mover.is_neutral()) {
            (false, _) => Self::Numbers(mover.counts(energy)),
            (true, true) => Self::Charge(energy.charge()),
            (true, false) => Self::Nothing,
        }
    }

    fn holds(&self, energy: &SpeciesEnergy, counts: &[f64]) -> bool {
        match self {
            Self::Nothing => true,
            Self::Charge(wanted) => (energy.charge() - wanted).abs() < 1e-9,
            Self::Numbers(wanted) => wanted == counts,
        }
    }
}

/// Sums of weights, relative to the largest met.
struct Sum {
    kt: f64,
    mu: Vec<f64>,
    largest: f64,
    /// Weight, and weight times E, W, W^2, N_s, N_s N_t, with W = E - sum mu N.
    moments: Vec<f64>,
    states: u64,
}

impl Sum {
    fn new(mover: &Mover, kt: f64) -> Self {
        let n = mover.names.len();
        let mu = mover.chemical_potentials_ev().to_vec();
        Self { kt, mu, largest: f64::NEG_INFINITY, moments: vec![0.0; 4 + n + n * n], states: 0 }
    }

    fn add(&mut self, energy: f64, counts: &[f64]) {
        let work: f64 = energy - self.mu.iter().zip(counts).map(|(m, n)| m * n).sum::<f64>();
        let log = -work / self.kt;
        if log > self.largest {
            let scale = (self.largest - log).exp();
            self.moments.iter_mut().for_each(|m| *m *= scale);
            self.largest = log;
        }
        let weight = (log - self.largest).exp();
        let n = counts.len();
        for (slot, value) in self.moments.iter_mut().zip([1.0, energy, work, work * work]) {
            *slot += weight * value;
        }
        for s in 0..n {
            self.moments[4 + s] += weight * counts[s];
            for t in 0..n {
                self.moments[4 + n + s * n + t] += weight * counts[s] * counts[t];
            }
        }
        self.states += 1;
    }

    fn finish(&self, mover: &Mover) -> Result<ExactSpeciesPoint, ExpansionError> {
        if self.states == 0 {
            let problem = "no arrangement has the charge or the composition of the start".into();
            return Err(ExpansionError::Run { problem });
        }
        let n = mover.names.len();
        let z = self.moments[0];
        let mean: Vec<f64> = self.moments.iter().map(|m| m / z).collect();
        let numbers: Vec<(String, f64)> =
            mover.names.iter().cloned().zip(mean[4..4 + n].iter().copied()).collect();
        let covariance = (0..n)
            .map(|s| (0..n).map(|t| mean[4 + n + s * n + t] - mean[4 + s] * mean[4 + t]).collect())
            .collect();
        Ok(ExactSpeciesPoint {
            energy_ev: mean[1],
            heat_capacity: (mean[3] - mean[2] * mean[2]) / (self.kt * self.kt),
            numbers,
            covariance,
            log_partition: self.largest + z.ln(),
            states: self.states,
        })
    }
}
