//! Cluster updates of ferromagnets without a field.

use super::multispin::Observed;
use super::{PairModel, Stencil, Variables};
use crate::metropolis::Words;

/// One replica that is updated by single clusters (U. Wolff, Phys. Rev. Lett. 62, 361 (1989)).
///
/// A bond between equal spins joins the cluster with probability 1 - exp(-2 J/kT), where J is the energy gained by equal over unequal spins,
/// halved: -pairs\[k\] for spins and -pairs\[k\]/4 for occupations. Valid if no J is negative and mu is that of
/// [`PairModel::symmetric_chemical_potential`].
#[derive(Clone, Debug)]
pub struct Wolff {
    stencil: Stencil,
    occupied: Vec<u8>,
    /// 2^32 times the probability to join, by shell.
    join: Vec<u64>,
    stack: Vec<u32>,
    random: Words,
    half: Option<u32>,
    visited: u64,
}

impl Wolff {
    /// All sites occupied; driven by the random stream (seed, stream, replica).
    pub fn new(model: &PairModel, kt: f64, seed: u64, stream: u32, replica: u32) -> Self {
        let factor = if model.variables() == Variables::Spin { 2.0 } else { 0.5 };
        let join = model
            .shells()
            .iter()
            .map(|s| (-(factor * s.energy.min(0.0) / kt).exp_m1() * 4_294_967_296.0) as u64)
            .collect();
        Self {
            stencil: Stencil::new(model),
            occupied: vec![1; model.sites()],
            join,
            stack: Vec::new(),
            random: Words::new(seed, stream, replica),
            half: None,
            visited: 0,
        }
    }

    /// Whether clusters may be used at this chemical potential.
    pub fn suits(model: &PairModel, mu: f64) -> bool {
        let scale: f64 = model.shells().iter().map(|s| s.energy.abs()).sum();
        model.is_ferromagnetic()
            && model.symmetric_chemical_potential().is_some_and(|m| (m - mu).abs() <= 1e-12 * scale)
    }

    #[inline]
    fn word(random: &mut Words, half: &mut Option<u32>) -> u32 {
        half.take().unwrap_or_else(|| {
            let [a, b] = random.pair();
            *half = Some(b);
            a
        })
    }

    /// Sites flipped so far.
    pub fn visited(&self) -> u64 {
        self.visited
    }

    /// Grows and flips one cluster; returns its size.
    pub fn step(&mut self) -> usize {
        let sites = self.occupied.len() as u64;
        let seed = ((u64::from(Self::word(&mut self.random, &mut self.half)) * sites) >> 32) as usize;
        let value = self.occupied[seed];
        self.occupied[seed] = 1 - value;
        self.stack.push(seed as u32);
        let mut size = 0;
        while let Some(site) = self.stack.pop() {
            size += 1;
            let (occupied, stack, random, half, join) =
                (&mut self.occupied, &mut self.stack, &mut self.random, &mut self.half, &self.join);
            self.stencil.visit(site as usize, |shell, neighbour| {
                if occupied[neighbour] == value && u64::from(Self::word(random, half)) < join[shell] {
                    occupied[neighbour] = 1 - value;
                    stack.push(neighbour as u32);
                }
            });
        }
        self.visited += size as u64;
        size
    }

    /// Energy and number of occupied sites.
    pub fn observe(&self, model: &PairModel) -> Observed {
        let count: u64 = self.occupied.iter().map(|n| u64::from(*n)).sum();
        Observed { energy: self.stencil.energy(model, &self.occupied), occupied: count as f64 }
    }
}
