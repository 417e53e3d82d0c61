//! Exact transport of small periodic cells: the master equation solved over all states.
//!
//! With canonical weights pi, rates w and hop vectors d, the diffusivity tensor of M ions followed together is
//!
//! D = (1/M) [ 1/2 < sum w d d^T > - < b (-W)^-1 b^T > ], b = sum w d in each state
//!
//! (R. Kubo's formula for a reversible jump process). Collective transport follows all N ions (M = N); for the tracer one ion is
//! followed (M = 1) in the frame that moves with it, which leaves the arrangements of the others as states. The singular symmetric
//! system sum_s' pi w (phi_s - phi_s') = pi b is solved by conjugate gradients.

use crate::gas::GasModel;
use crate::rates::local_barrier;
use crate::{GridNetwork, HoppingError, KraModel, RateParameters};
use scalade_crystal::{LatticeSite, SiteGrid};
use scalade_handoff::{LatticeEnergy, LatticeHamiltonian};

/// States the solver takes.
const STATE_LIMIT: u64 = 300_000;
/// Transitions the solver takes (16 bytes each).
const TRANSITION_LIMIT: u64 = 20_000_000;
/// Relative residual of the linear solves.
const TOLERANCE: f64 = 1e-12;

/// Exact transport of a small cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExactTransport {
    /// Diffusivity tensor, square angstrom per second.
    pub diffusivity: [[f64; 3]; 3],
    /// Its uncorrelated part, (1/2M) < sum w d d^T >, square angstrom per second.
    pub uncorrelated: [[f64; 3]; 3],
    /// Number of states.
    pub states: usize,
    /// Conjugate gradient iterations, all directions together.
    pub iterations: usize,
}

/// Which ions are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// All of them: the jump diffusivity D_J.
    All,
    /// One of them: the tracer diffusivity D*.
    One,
}

/// All subsets of `size` out of `sites` in colexicographic order, found by the combinatorial number system.
struct Subsets {
    size: usize,
    binomial: Vec<Vec<u64>>,
}

impl Subsets {
    fn new(sites: usize, size: usize) -> Self {
        let mut binomial = vec![vec![0u64; size + 2]; sites + 1];
        for n in 0..=sites {
            binomial[n][0] = 1;
            for k in 1..=size {
                binomial[n][k] =
                    if n == 0 { 0 } else { binomial[n - 1][k - 1].saturating_add(binomial[n - 1][k]) };
            }
        }
        Self { size, binomial }
    }

    fn count(&self) -> u64 {
        self.binomial[self.binomial.len() - 1][self.size]
    }

    fn rank(&self, sorted: &[u32]) -> usize {
        sorted.iter().enumerate().map(|(k, s)| self.binomial[*s as usize][k + 1]).sum::<u64>() as usize
    }

    /// The next subset; false after the last.
    fn advance(sorted: &mut [u32], sites: usize) -> bool {
        for k in 0..sorted.len() {
            let limit = if k + 1 < sorted.len() { sorted[k + 1] } else { sites as u32 };
            if sorted[k] + 1 < limit {
                sorted[k] += 1;
                for (j, s) in sorted[..k].iter_mut().enumerate() {
                    *s = j as u32;
                }
                return true;
            }
        }
        false
    }
}

/// Transitions out of all states, in compressed rows.
#[derive(Default)]
struct Chain {
    /// In kT.
    energy: Vec<f64>,
    start: Vec<usize>,
    target: Vec<u32>,
    rate: Vec<f64>,
    drift: Vec<[f64; 3]>,
    /// Per state: sum w |d| along each axis.
    activity: Vec<[f64; 3]>,
    /// Upper triangle of sum w d d^T: xx, yy, zz, xy, xz, yz.
    spread: Vec<[f64; 6]>,
}

const PAIRS: [(usize, usize); 6] = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)];

/// Solves the master equation of `ions` ions on the network's grid.
///
/// Errors: a composition without ions or vacancies, more than 300 000 states, or no convergence.
pub fn exact_transport(
    network: &GridNetwork,
    hamiltonian: &LatticeHamiltonian,
    coefficients_ev: &[f64],
    model: &KraModel,
    parameters: &RateParameters,
    ions: usize,
    follow: Follow,
) -> Result<ExactTransport, HoppingError> {
    parameters.check()?;
    model.check()?;
    let sites = network.grid().sites();
    if ions == 0 || ions >= sites {
        return Err(HoppingError::Composition { ions, sites });
    }
    let energy = LatticeEnergy::new(hamiltonian, coefficients_ev, *network.grid(), &[])?;
    let mut rates = NetworkRates { network, model, parameters, energy };
    transport_of(&mut rates, ions, follow)
}

/// The same for a lattice gas: hops and bonds are counted by vector even where their images in the box coincide.
///
/// Errors: as [`exact_transport`].
pub fn exact_gas_transport(
    model: &GasModel,
    ions: usize,
    follow: Follow,
) -> Result<ExactTransport, HoppingError> {
    let sites = model.sites();
    if ions == 0 || ions >= sites {
        return Err(HoppingError::Composition { ions, sites });
    }
    transport_of(&mut GasRates { model }, ions, follow)
}

fn transport_of(
    rates: &mut impl StateRates,
    ions: usize,
    follow: Follow,
) -> Result<ExactTransport, HoppingError> {
    let sites = rates.grid().sites();
    let chain = Builder { rates, sites, ions, follow }.build()?;
    let followed = if follow == Follow::All { ions as f64 } else { 1.0 };
    solve(&chain, followed)
}

/// A hop out of a state: from, to, rate, vector.
type Hop = (usize, usize, f64, [f64; 3]);

/// Energies and hops of every state of a model.
trait StateRates {
    fn grid(&self) -> &SiteGrid;
    /// Most hops of an ion.
    fn directions(&self) -> usize;
    /// Energy in kT, and all hops.
    fn state(&mut self, occupied: &[bool], hops: &mut Vec<Hop>) -> Result<f64, HoppingError>;
}

struct NetworkRates<'a> {
    network: &'a GridNetwork,
    model: &'a KraModel,
    parameters: &'a RateParameters,
    energy: LatticeEnergy,
}

impl StateRates for NetworkRates<'_> {
    fn grid(&self) -> &SiteGrid {
        self.network.grid()
    }

    fn directions(&self) -> usize {
        2 * self.network.types()
    }

    fn state(&mut self, occupied: &[bool], hops: &mut Vec<Hop>) -> Result<f64, HoppingError> {
        self.energy.set_occupation(occupied)?;
        let here = self.energy.energy_ev() / self.parameters.thermal_energy_ev();
        for (bond, ends) in self.network.ends().iter().enumerate() {
            let [a, b] = ends.map(|s| s as usize);
            if occupied[a] == occupied[b] {
                continue;
            }
            let (from, to, sign) = if occupied[a] { (a, b, 1.0) } else { (b, a, -1.0) };
            let look = |s: usize| occupied[s];
            let local = local_barrier(self.network, self.model, bond, look);
            let delta = self.energy.flip(from) + self.energy.flip(to);
            self.energy.flip(to);
            self.energy.flip(from);
            let vector = self.network.network().bonds()[bond % self.network.types()].vector_angstrom;
            hops.push((from, to, self.parameters.rate_hz(&local, delta), vector.map(|v| sign * v)));
        }
        Ok(here)
    }
}

struct GasRates<'a> {
    model: &'a GasModel,
}

impl StateRates for GasRates<'_> {
    fn grid(&self) -> &SiteGrid {
        self.model.grid()
    }

    fn directions(&self) -> usize {
        self.model.hops().iter().map(Vec::len).max().unwrap_or(0)
    }

    fn state(&mut self, occupied: &[bool], hops: &mut Vec<Hop>) -> Result<f64, HoppingError> {
        let here = self.model.energy(occupied);
        let mut moved = occupied.to_vec();
        for from in (0..occupied.len()).filter(|s| occupied[*s]) {
            for hop in &self.model.hops()[from % self.model.basis().len()] {
                let to = self.model.grid().offset(from, hop.to);
                if occupied[to] {
                    continue;
                }
                let change = if self.model.is_hard_core() {
                    0.0
                } else {
                    moved.swap(from, to);
                    let after = self.model.energy(&moved);
                    moved.swap(from, to);
                    after - here
                };
                hops.push((from, to, self.model.rate() * (-0.5 * change).exp(), hop.vector));
            }
        }
        Ok(here)
    }
}

struct Builder<'a, R> {
    rates: &'a mut R,
    sites: usize,
    ions: usize,
    follow: Follow,
}

impl<R: StateRates> Builder<'_, R> {
    /// States: subsets of minority sites. Following one ion, the frame is fixed to its cell and the states are
    /// (its sublattice, subset of the other sites); the subset numbers the other sites in increasing order.
    fn build(self) -> Result<Chain, HoppingError> {
        let tags: Vec<Option<usize>> = match self.follow {
            Follow::All => vec![None],
            Follow::One => (0..self.rates.grid().basis()).map(Some).collect(),
        };
        let free = self.sites - usize::from(self.follow == Follow::One);
        let others = self.ions - usize::from(self.follow == Follow::One);
        let minority_is_occupied = others <= free - others;
        let size = others.min(free - others);
        let subsets = Subsets::new(free, size);
        let states = subsets.count().saturating_mul(tags.len() as u64);
        let transitions = states.saturating_mul((size as u64 + 1) * self.rates.directions() as u64);
        if states > STATE_LIMIT || transitions > TRANSITION_LIMIT {
            return Err(HoppingError::TooManyStates { states, limit: STATE_LIMIT });
        }
        let mut chain = Chain { start: vec![0], ..Chain::default() };
        let mut hops = Vec::new();
        for tag in &tags {
            let mut subset: Vec<u32> = (0..size as u32).collect();
            loop {
                let occupied = occupation(self.sites, *tag, &subset, minority_is_occupied);
                hops.clear();
                let energy = self.rates.state(&occupied, &mut hops)?;
                chain.energy.push(energy);
                self.add_state(&mut chain, &subsets, *tag, &occupied, minority_is_occupied, &hops);
                if !Subsets::advance(&mut subset, free) {
                    break;
                }
            }
        }
        Ok(chain)
    }

    fn add_state(
        &self,
        chain: &mut Chain,
        subsets: &Subsets,
        tag: Option<usize>,
        occupied: &[bool],
        minority_is_occupied: bool,
        hops: &[Hop],
    ) {
        let (mut drift, mut activity, mut spread) = ([0.0; 3], [0.0; 3], [0.0; 6]);
        let mut moved = occupied.to_vec();
        for (from, to, rate, d) in hops.iter().copied() {
            if tag.is_none_or(|t| t == from) {
                for k in 0..3 {
                    drift[k] += rate * d[k];
                    activity[k] += rate * d[k].abs();
                }
                for (s, (i, j)) in spread.iter_mut().zip(PAIRS) {
                    *s += rate * d[i] * d[j];
                }
            }
            moved.swap(from, to);
            chain.target.push(self.state_of(subsets, tag, &moved, from, to, minority_is_occupied) as u32);
            moved.swap(from, to);
            chain.rate.push(rate);
        }
        chain.start.push(chain.target.len());
        chain.drift.push(drift);
        chain.activity.push(activity);
        chain.spread.push(spread);
    }

    fn state_of(
        &self,
        subsets: &Subsets,
        tag: Option<usize>,
        moved: &[bool],
        from: usize,
        to: usize,
        minority_is_occupied: bool,
    ) -> usize {
        let Some(tag) = tag else {
            return subsets.rank(&minority(moved, None, minority_is_occupied));
        };
        if tag != from {
            let rank = subsets.rank(&minority(moved, Some(tag), minority_is_occupied));
            return tag * subsets.count() as usize + rank;
        }
        // The followed ion moved: shift everything so that its cell is the origin again.
        let grid = self.rates.grid();
        let end = grid.site(to);
        let mut shifted = vec![false; moved.len()];
        for (site, o) in moved.iter().enumerate() {
            let here = grid.site(site);
            let cell = std::array::from_fn(|a| here.cell[a] - end.cell[a]);
            shifted[grid.index(LatticeSite { cell, basis: here.basis })] = *o;
        }
        let rank = subsets.rank(&minority(&shifted, Some(end.basis), minority_is_occupied));
        end.basis * subsets.count() as usize + rank
    }
}

/// The occupation of a state; a tagged ion sits on site `tag` (sublattice `tag` of cell 0) and is left out of the subset's numbering.
fn occupation(sites: usize, tag: Option<usize>, subset: &[u32], minority_is_occupied: bool) -> Vec<bool> {
    let mut out = vec![!minority_is_occupied; sites];
    for s in subset {
        let site = *s as usize + usize::from(tag.is_some_and(|t| *s as usize >= t));
        out[site] = minority_is_occupied;
    }
    if let Some(t) = tag {
        out[t] = true;
    }
    out
}

/// The subset of a state, the inverse of [`occupation`].
fn minority(occupied: &[bool], tag: Option<usize>, minority_is_occupied: bool) -> Vec<u32> {
    let chosen = occupied.iter().enumerate().filter(|(s, o)| tag != Some(*s) && **o == minority_is_occupied);
    chosen.map(|(s, _)| (s - usize::from(tag.is_some_and(|t| s > t))) as u32).collect()
}

/// Equilibrium of a chain of states.
pub(crate) struct Equilibrium {
    /// Probability of every state.
    pub weight: Vec<f64>,
    /// Probability of the start of every transition times its rate.
    pub conductance: Vec<f64>,
    /// Their sum over the transitions out of a state that do not lead back to it.
    pub diagonal: Vec<f64>,
}

/// Boltzmann weights of states (energies in kT) and conductances of their transitions: those of state s are from `start[s]` to `start[s + 1]`.
pub(crate) fn equilibrium(
    energy_kt: &[f64],
    (start, target): (&[usize], &[u32]),
    rate: &[f64],
) -> Equilibrium {
    let lowest = energy_kt.iter().copied().fold(f64::INFINITY, f64::min);
    let mut weight: Vec<f64> = energy_kt.iter().map(|e| (-(e - lowest)).exp()).collect();
    let sum: f64 = weight.iter().sum();
    for w in &mut weight {
        *w /= sum;
    }
    let mut conductance = rate.to_vec();
    let mut diagonal = vec![0.0; energy_kt.len()];
    for s in 0..energy_kt.len() {
        for t in start[s]..start[s + 1] {
            conductance[t] *= weight[s];
            if target[t] as usize != s {
                diagonal[s] += conductance[t];
            }
        }
    }
    Equilibrium { weight, conductance, diagonal }
}

fn solve(chain: &Chain, followed: f64) -> Result<ExactTransport, HoppingError> {
    let states = chain.energy.len();
    let rows = (chain.start.as_slice(), chain.target.as_slice());
    let Equilibrium { weight, conductance, diagonal } = equilibrium(&chain.energy, rows, &chain.rate);
    let mut uncorrelated = [[0.0; 3]; 3];
    for ((i, j), p) in PAIRS.into_iter().zip(0..) {
        let value: f64 = (0..states).map(|s| weight[s] * chain.spread[s][p]).sum::<f64>() / (2.0 * followed);
        uncorrelated[i][j] = value;
        uncorrelated[j][i] = value;
    }
    let mut potentials = Vec::new();
    let mut iterations = 0;
    for axis in 0..3 {
        // Where the hop vectors cancel, what is left of b is rounding: it is no source.
        let noise = chain.activity.iter().map(|v| v[axis]).fold(0.0, f64::max) * 1e-13;
        let drift = |s: usize| if chain.drift[s][axis].abs() > noise { chain.drift[s][axis] } else { 0.0 };
        let source: Vec<f64> = (0..states).map(|s| weight[s] * drift(s)).collect();
        let (potential, made) = conjugate_gradient(rows, &conductance, &diagonal, &source)?;
        iterations += made;
        potentials.push((source, potential));
    }
    let mut diffusivity = uncorrelated;
    for i in 0..3 {
        for j in 0..3 {
            let forth: f64 = potentials[i].0.iter().zip(&potentials[j].1).map(|(b, phi)| b * phi).sum();
            let back: f64 = potentials[j].0.iter().zip(&potentials[i].1).map(|(b, phi)| b * phi).sum();
            diffusivity[i][j] -= 0.5 * (forth + back) / followed;
        }
    }
    Ok(ExactTransport { diffusivity, uncorrelated, states, iterations })
}

/// Solves sum_t g (phi_s - phi_target) = source by conjugate gradients with the diagonal as preconditioner. The transitions of state s are those from
/// `start[s]` to `start[s + 1]`; the solution comes with the number of iterations.
pub(crate) fn conjugate_gradient(
    (start, target): (&[usize], &[u32]),
    conductance: &[f64],
    diagonal: &[f64],
    source: &[f64],
) -> Result<(Vec<f64>, usize), HoppingError> {
    let n = source.len();
    let mut phi = vec![0.0; n];
    let mut residual = source.to_vec();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let precondition = |r: &[f64]| -> Vec<f64> {
        r.iter().zip(diagonal).map(|(r, d)| if *d > 0.0 { r / d } else { 0.0 }).collect()
    };
    let mut z = precondition(&residual);
    let first = dot(&residual, &z);
    if first == 0.0 {
        return Ok((phi, 0));
    }
    let mut direction = z.clone();
    let mut square = first;
    let limit = 20 * n.clamp(100, 5000);
    for iteration in 1..=limit {
        let mut image = vec![0.0; n];
        for s in 0..n {
            for t in start[s]..start[s + 1] {
                image[s] += conductance[t] * (direction[s] - direction[target[t] as usize]);
            }
        }
        let step = square / dot(&direction, &image);
        for s in 0..n {
            phi[s] += step * direction[s];
            residual[s] -= step * image[s];
        }
        z = precondition(&residual);
        let next = dot(&residual, &z);
        if !next.is_finite() {
            break;
        }
        if next <= TOLERANCE * TOLERANCE * first {
            return Ok((phi, iteration));
        }
        let ratio = next / square;
        square = next;
        for s in 0..n {
            direction[s] = z[s] + ratio * direction[s];
        }
    }
    let residual = (square / first).sqrt();
    Err(HoppingError::NotConverged { what: "master equation", iterations: limit, residual })
}
