//! The n-fold way: every move is an event, weighted by the time for which the state before it lasts.

use super::local::{Configuration, PairConfiguration};
use super::multispin::Observed;
use super::recorder::Recorder;
use super::run::{Condition, Walker};
use crate::metropolis::{Words, open_uniform};

/// Chains in continuous time (A. B. Bortz, M. H. Kalos and J. L. Lebowitz, J. Comput. Phys. 17, 10 (1975)): site i flips at the rate
/// w_i = 1/(1 + exp(change of (E - mu N)/kT)) per sweep, the flip probability of the heat bath; a state lasts 1/(sum w) sweeps in the mean, and its
/// observables count with the time drawn from that exponential law. An event costs a path of a tree of partial sums for the site and each of its
/// neighbours, however rarely a trial would be accepted.
pub struct RejectionFree<'a> {
    chains: Vec<Chain<'a>>,
    condition: Condition,
    /// Time of a record, sweeps.
    interval: f64,
}

struct Chain<'a> {
    state: PairConfiguration<'a>,
    random: Words,
    /// Sums of rates: node k has the children 2k and 2k + 1, site i is the leaf `leaves + i`.
    tree: Vec<f64>,
    leaves: usize,
    energy: f64,
    count: f64,
    /// Time until the next event, sweeps.
    left: f64,
}

impl<'a> Chain<'a> {
    fn new(mut state: PairConfiguration<'a>, condition: Condition, random: Words) -> Self {
        let sites = state.sites();
        let leaves = sites.next_power_of_two();
        let energy = state.energy();
        let count = (0..sites).filter(|s| state.is_occupied(*s)).count() as f64;
        let mut chain = Self { state, random, tree: vec![0.0; 2 * leaves], leaves, energy, count, left: 0.0 };
        for site in 0..sites {
            chain.tree[leaves + site] = chain.change(site, condition).1;
        }
        for node in (1..leaves).rev() {
            chain.tree[node] = chain.tree[2 * node] + chain.tree[2 * node + 1];
        }
        chain.draw_time();
        chain
    }

    /// Change of the energy on flipping a site, and the rate of that.
    fn change(&mut self, site: usize, condition: Condition) -> (f64, f64) {
        let sign = if self.state.is_occupied(site) { -1.0 } else { 1.0 };
        let gap = self.state.gap(site);
        (sign * gap, 1.0 / (1.0 + (sign * (gap - condition.mu) / condition.kt).exp()))
    }

    fn draw_time(&mut self) {
        self.left = -open_uniform(self.random.pair()[0]).ln() / self.tree[1];
    }

    fn set_rate(&mut self, site: usize, condition: Condition) {
        let mut node = self.leaves + site;
        self.tree[node] = self.change(site, condition).1;
        while node > 1 {
            node /= 2;
            // Sums of the children, not increments: no rounding accumulates.
            self.tree[node] = self.tree[2 * node] + self.tree[2 * node + 1];
        }
    }

    fn event(&mut self, condition: Condition) {
        let [a, b] = self.random.pair();
        let uniform = (f64::from(a) + open_uniform(b)) * (1.0 / 4_294_967_296.0);
        let mut target = uniform * self.tree[1];
        let mut node = 1;
        while node < self.leaves {
            let left = self.tree[2 * node];
            // Rounding must not lead to a side without rates.
            let right = target >= left && self.tree[2 * node + 1] > 0.0;
            if right {
                target -= left;
            }
            node = 2 * node + usize::from(right);
        }
        let site = node - self.leaves;
        let (change, _) = self.change(site, condition);
        self.count += if self.state.is_occupied(site) { -1.0 } else { 1.0 };
        self.energy += change;
        self.state.flip(site);
        let mut touched = vec![site];
        self.state.neighbours(site, |n| touched.push(n));
        touched.sort_unstable();
        touched.dedup();
        for site in touched {
            self.set_rate(site, condition);
        }
        self.draw_time();
    }

    /// Runs for a time and calls `see` with each state and its share of it; returns the number of events.
    fn run(&mut self, interval: f64, condition: Condition, mut see: impl FnMut(Observed, f64)) -> u64 {
        let (mut rest, mut events) = (interval, 0);
        // The energy is summed anew now and then, so that increments do not drift.
        self.energy = self.state.energy();
        loop {
            let seen = Observed { energy: self.energy, occupied: self.count };
            if self.left >= rest {
                self.left -= rest;
                see(seen, rest / interval);
                return events;
            }
            see(seen, self.left / interval);
            rest -= self.left;
            self.event(condition);
            events += 1;
        }
    }
}

impl<'a> RejectionFree<'a> {
    /// Chains that go on from the given states, driven by the random streams (seed, stream, `replica` x chains + chain).
    pub fn new(
        states: Vec<PairConfiguration<'a>>,
        condition: Condition,
        seed: u64,
        stream: u32,
        replica: u32,
    ) -> Self {
        let first = replica.wrapping_mul(states.len() as u32);
        let mut chains: Vec<Chain<'a>> = states
            .into_iter()
            .enumerate()
            .map(|(c, state)| {
                Chain::new(state, condition, Words::new(seed, stream, first.wrapping_add(c as u32)))
            })
            .collect();
        // A record lasts for about as many events as a quarter of the sites, as found before anything is recorded.
        let wanted = chains.first().map_or(1, |c| c.state.sites() / 4 + 16);
        let mut time = 0.0;
        if let Some(chain) = chains.first_mut() {
            for _ in 0..wanted {
                time += chain.left;
                chain.event(condition);
            }
        }
        let interval = if time.is_finite() && time > 0.0 { time } else { 1.0 };
        Self { chains, condition, interval }
    }

    /// Number of chains.
    pub fn replicas(&self) -> usize {
        self.chains.len()
    }

    /// Sweeps of an ordinary run that a record stands for.
    pub fn interval(&self) -> f64 {
        self.interval
    }
}

impl Walker for RejectionFree<'_> {
    fn record(&mut self, recorder: &mut Recorder) -> u64 {
        let (interval, condition) = (self.interval, self.condition);
        let mut events = 0;
        for (replica, chain) in self.chains.iter_mut().enumerate() {
            events += chain.run(interval, condition, |seen, share| recorder.add_share(replica, seen, share));
        }
        recorder.end_record();
        events
    }
}
