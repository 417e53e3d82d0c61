//! Exact transport of several species in small boxes: the master equation over all arrangements.
//!
//! With canonical weights pi, rates w and displacements d_a of all atoms of species a in a transition,
//!
//! L_ab = (1/N) [ 1/2 < sum w d_a d_b^T > - < b_a ((-W)^-1 b_b)^T > ], b_a = sum w d_a in each state
//!
//! (R. Kubo's formula for a reversible jump process, as in [`crate::oracle`]); for D* one atom is followed in the frame that moves with it, N = 1. Energies and activations
//! are summed straight from the Hamiltonian and the local expansions.

use super::model::SpeciesModel;
use crate::HoppingError;
use crate::oracle::{Equilibrium, conjugate_gradient, equilibrium};
use scalade_crystal::{LatticeSite, Matrix3};

/// States the solver takes.
const STATE_LIMIT: usize = 200_000;
/// Transitions the solver takes.
const TRANSITION_LIMIT: usize = 20_000_000;
/// Partial arrangements looked at.
const NODE_LIMIT: usize = 50_000_000;
/// Rounding of a drift that cancels, relative to the sum of its parts.
const ROUNDING: f64 = 1e-13;
/// Square angstrom in square metres.
const SQUARE_ANGSTROM: f64 = 1e-20;

/// Exact transport coefficients of a small box.
#[derive(Clone, Debug, PartialEq)]
pub struct ExactSpecies {
    /// L_ab by numbers of species, m2/s.
    pub l_m2_s: Vec<Vec<Matrix3>>,
    /// Its uncorrelated part.
    pub uncorrelated_m2_s: Vec<Vec<Matrix3>>,
    /// D*_a, m2/s; none where there is no atom.
    pub tracer_m2_s: Vec<Option<Matrix3>>,
    /// Its uncorrelated part.
    pub tracer_uncorrelated_m2_s: Vec<Option<Matrix3>>,
    /// Arrangements.
    pub states: usize,
    /// Iterations of the linear solves, all together.
    pub iterations: usize,
}

/// Numbers that the events keep: how many of a species stand on each connected part of its network.
struct Kept<'m> {
    model: &'m SpeciesModel,
    left: Vec<Vec<usize>>,
}

impl<'m> Kept<'m> {
    fn new(model: &'m SpeciesModel, arrangement: &[u8]) -> Self {
        let parts = |m: &super::Mobility| m.parts.iter().flatten().max().map_or(0, |p| p + 1);
        let left = model.mobility().iter().map(|m| vec![0; parts(m)]).collect();
        let mut out = Self { model, left };
        for (site, s) in arrangement.iter().enumerate() {
            if let Some(count) = out.count(site, *s) {
                *count += 1;
            }
        }
        out
    }

    fn count(&mut self, site: usize, species: u8) -> Option<&mut usize> {
        let basis = site % self.model.grid().basis();
        let global = self.model.global(basis, usize::from(species));
        let part = self.model.mobility()[global].parts[basis]?;
        Some(&mut self.left[global][part])
    }

    /// All arrangements with the same numbers in ascending order, one after another; with one site held if that is given.
    fn all(&mut self, sites: usize, held: Option<(usize, u8)>) -> Result<Vec<u8>, HoppingError> {
        let mut out = Vec::new();
        let mut here: Vec<u8> = Vec::with_capacity(sites);
        let mut next = 0u8;
        let mut nodes = 0usize;
        loop {
            nodes += 1;
            let states = out.len() / sites;
            if states > STATE_LIMIT || nodes > NODE_LIMIT {
                let states = if states > STATE_LIMIT { states as u64 } else { u64::MAX };
                return Err(HoppingError::TooManyStates { states, limit: STATE_LIMIT as u64 });
            }
            let site = here.len();
            if site == sites {
                out.extend_from_slice(&here);
            } else {
                let choices = self.model.sites()[site % self.model.grid().basis()].species.len() as u8;
                let fits = |s: u8| held.is_none_or(|(at, species)| at != site || species == s);
                let found =
                    (next..choices).find(|s| fits(*s) && self.count(site, *s).is_some_and(|n| *n > 0));
                if let Some(s) = found {
                    if let Some(count) = self.count(site, s) {
                        *count -= 1;
                    }
                    here.push(s);
                    next = 0;
                    continue;
                }
            }
            let Some(s) = here.pop() else { return Ok(out) };
            if let Some(count) = self.count(here.len(), s) {
                *count += 1;
            }
            next = s + 1;
        }
    }
}

/// States, their energies and transitions; what is followed has a displacement in every transition.
struct Chain {
    energy: Vec<f64>,
    start: Vec<usize>,
    target: Vec<u32>,
    rate: Vec<f64>,
    /// By quantity and state.
    drift: Vec<Vec<[f64; 3]>>,
    activity: f64,
    /// By pairs of quantities and state: sum w d_a d_b^T.
    spread: Vec<Vec<Matrix3>>,
}

struct Builder<'m> {
    model: &'m SpeciesModel,
    /// By sublattice of the followed atom, or one list: arrangements one after another.
    lists: Vec<(usize, Vec<u8>)>,
    followed: Option<usize>,
    /// The same with the number of its first state.
    first: Vec<usize>,
    /// By cell and event: (site, species before, species after) of every change.
    places: Vec<Vec<Vec<(usize, u8, u8)>>>,
}

impl<'m> Builder<'m> {
    fn new(
        model: &'m SpeciesModel,
        arrangement: &[u8],
        followed: Option<usize>,
    ) -> Result<Self, HoppingError> {
        let sites = arrangement.len();
        let mut lists = Vec::new();
        match followed {
            None => lists.push((0, Kept::new(model, arrangement).all(sites, None)?)),
            Some(species) => {
                for basis in 0..model.grid().basis() {
                    let choices = model.sites()[basis].species.len();
                    for local in (0..choices).filter(|s| model.global(basis, *s) == species) {
                        let held = Some((basis, local as u8));
                        lists.push((basis, Kept::new(model, arrangement).all(sites, held)?));
                    }
                }
            }
        }
        let mut first = vec![0];
        for (_, list) in &lists {
            first.push(first.last().copied().unwrap_or(0) + list.len() / sites);
        }
        let states = first.last().copied().unwrap_or(0);
        if states > STATE_LIMIT {
            return Err(HoppingError::TooManyStates { states: states as u64, limit: STATE_LIMIT as u64 });
        }
        let grid = model.grid();
        let places = (0..grid.cells())
            .map(|c| {
                let cell = grid.site(c * grid.basis()).cell;
                let of = |t: &super::model::EventType| {
                    t.local
                        .changes
                        .iter()
                        .map(|c| (model.at(c.site, cell), c.before as u8, c.after as u8))
                        .collect()
                };
                model.types().iter().map(of).collect()
            })
            .collect();
        Ok(Self { model, lists, followed, first, places })
    }

    fn states(&self) -> usize {
        self.first.last().copied().unwrap_or(0)
    }

    fn state_of(&self, basis: usize, arrangement: &[u8]) -> Option<usize> {
        let sites = arrangement.len();
        let list = self.lists.iter().position(|(b, _)| self.followed.is_none() || *b == basis)?;
        let states = &self.lists[list].1;
        let (mut low, mut high) = (0, states.len() / sites);
        while low < high {
            let middle = usize::midpoint(low, high);
            match states[middle * sites..(middle + 1) * sites].cmp(arrangement) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(self.first[list] + middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    fn build(&self) -> Result<Chain, HoppingError> {
        let model = self.model;
        let quantities = if self.followed.is_some() { 1 } else { model.species().len() };
        let states = self.states();
        let mut chain = Chain {
            energy: Vec::with_capacity(states),
            start: vec![0],
            target: Vec::new(),
            rate: Vec::new(),
            drift: vec![vec![[0.0; 3]; states]; quantities],
            activity: 0.0,
            spread: vec![vec![[[0.0; 3]; 3]; states]; quantities * quantities],
        };
        for (_, list) in &self.lists {
            for arrangement in list.chunks_exact(model.grid().sites()) {
                chain.energy.push(model.energy_ev(arrangement)?);
            }
        }
        let mut state = 0;
        for (basis, list) in &self.lists {
            for arrangement in list.chunks_exact(model.grid().sites()) {
                self.add_state(&mut chain, state, *basis, arrangement)?;
                state += 1;
            }
        }
        Ok(chain)
    }

    fn add_state(
        &self,
        chain: &mut Chain,
        state: usize,
        basis: usize,
        arrangement: &[u8],
    ) -> Result<(), HoppingError> {
        let model = self.model;
        let grid = model.grid();
        for (number, places) in self.places.iter().enumerate() {
            for (event, backward) in (0..model.types().len()).flat_map(|e| [(e, false), (e, true)]) {
                let due = |c: &(usize, u8, u8)| arrangement[c.0] == if backward { c.2 } else { c.1 };
                if !places[event].iter().all(due) {
                    continue;
                }
                let cell = grid.site(number * grid.basis()).cell;
                let mut after = arrangement.to_vec();
                model.apply(event, backward, cell, &mut after);
                let (vectors, end) = self.displacements(event, backward, cell, basis);
                if let Some(end) = end {
                    after = moved_to_origin(model, &after, end);
                }
                let Some(target) = self.state_of(end.map_or(basis, |e| e.basis), &after) else {
                    let kind = model.kind_of(event).name.clone();
                    let reason = "it leads to an arrangement that is not in the list of states".into();
                    return Err(HoppingError::EventKind { kind, reason });
                };
                let delta = chain.energy[target] - chain.energy[state];
                let rate = model.reference_rate_hz(event, cell, arrangement, delta);
                chain.target.push(target as u32);
                chain.rate.push(rate);
                let count = vectors.len();
                for (a, v) in vectors.iter().enumerate() {
                    for k in 0..3 {
                        chain.drift[a][state][k] += rate * v[k];
                        chain.activity = chain.activity.max(rate * v[k].abs());
                    }
                    for (b, u) in vectors.iter().enumerate() {
                        let spread = &mut chain.spread[a * count + b][state];
                        for i in 0..3 {
                            for j in 0..3 {
                                spread[i][j] += rate * v[i] * u[j];
                            }
                        }
                    }
                }
            }
        }
        chain.start.push(chain.target.len());
        if chain.target.len() > TRANSITION_LIMIT {
            let states = self.states() as u64;
            return Err(HoppingError::TooManyStates { states, limit: state as u64 });
        }
        Ok(())
    }

    /// Displacement of every species, or of the followed atom with the site to which it goes if it is one that moves.
    fn displacements(
        &self,
        event: usize,
        backward: bool,
        cell: [i32; 3],
        basis: usize,
    ) -> (Vec<[f64; 3]>, Option<LatticeSite>) {
        let model = self.model;
        let kind = &model.types()[event];
        let sign = if backward { -1.0 } else { 1.0 };
        let followed_site = LatticeSite { cell: [0; 3], basis };
        let count = if self.followed.is_some() { 1 } else { model.species().len() };
        let mut vectors = vec![[0.0; 3]; count];
        let mut end = None;
        for m in &kind.moves {
            let (from, to) = if backward { (m.to, m.from) } else { (m.from, m.to) };
            let (from, to) = (kind.local.changes[from].site, kind.local.changes[to].site);
            let quantity = match self.followed {
                None => m.species,
                Some(_) if model.at(from, cell) == model.grid().index(followed_site) => {
                    end = Some(model.grid().site(model.at(to, cell)));
                    0
                }
                Some(_) => continue,
            };
            for (sum, v) in vectors[quantity].iter_mut().zip(m.vector_angstrom) {
                *sum += sign * v;
            }
        }
        (vectors, end)
    }
}

/// The arrangement in the frame in which a site lies in cell (0, 0, 0).
fn moved_to_origin(model: &SpeciesModel, arrangement: &[u8], end: LatticeSite) -> Vec<u8> {
    let grid = model.grid();
    let mut out = vec![0; arrangement.len()];
    for (site, s) in arrangement.iter().enumerate() {
        let here = grid.site(site);
        let cell = std::array::from_fn(|k| here.cell[k] - end.cell[k]);
        out[grid.index(LatticeSite { cell, ..here })] = *s;
    }
    out
}

/// (Transport, uncorrelated part) by pairs of quantities in square angstrom per second, and iterations.
type Solved = (Vec<Vec<Matrix3>>, Vec<Vec<Matrix3>>, usize);

fn solve(chain: &Chain, thermal_ev: f64) -> Result<Solved, HoppingError> {
    let states = chain.energy.len();
    let energy: Vec<f64> = chain.energy.iter().map(|e| e / thermal_ev).collect();
    let rows = (chain.start.as_slice(), chain.target.as_slice());
    let Equilibrium { weight, conductance, diagonal } = equilibrium(&energy, rows, &chain.rate);
    let count = chain.drift.len();
    let mut iterations = 0;
    let mut solutions = Vec::new();
    for drift in &chain.drift {
        for k in 0..3 {
            // Where displacements cancel, what is left of the drift is rounding: it is no source.
            let noise = ROUNDING * chain.activity;
            let source: Vec<f64> = (0..states)
                .map(|s| if drift[s][k].abs() > noise { weight[s] * drift[s][k] } else { 0.0 })
                .collect();
            let (potential, made) = conjugate_gradient(rows, &conductance, &diagonal, &source)?;
            iterations += made;
            solutions.push((source, potential));
        }
    }
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let mut plain = vec![vec![[[0.0; 3]; 3]; count]; count];
    let mut whole = plain.clone();
    for a in 0..count {
        for b in 0..count {
            for i in 0..3 {
                for j in 0..3 {
                    let spread = &chain.spread[a * count + b];
                    let half = 0.5 * (0..states).map(|s| weight[s] * spread[s][i][j]).sum::<f64>();
                    let (one, other) = (&solutions[3 * a + i], &solutions[3 * b + j]);
                    plain[a][b][i][j] = half;
                    whole[a][b][i][j] = half - 0.5 * (dot(&one.0, &other.1) + dot(&other.0, &one.1));
                }
            }
        }
    }
    Ok((whole, plain, iterations))
}

fn scaled(m: Matrix3, by: f64) -> Matrix3 {
    m.map(|row| row.map(|v| v * SQUARE_ANGSTROM / by))
}

/// Exact tracer diffusivity of one species in a small box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExactTracer {
    /// D*, m2/s.
    pub tracer_m2_s: Matrix3,
    /// Its uncorrelated part.
    pub uncorrelated_m2_s: Matrix3,
    /// Arrangements about the atom.
    pub states: usize,
    /// Iterations of the linear solves.
    pub iterations: usize,
}

/// Solves the master equation of one atom of a species (by its number) among all arrangements of the others with the numbers of a given one. There are fewer of these than for
/// [`exact_species_transport`] by the number of cells over that of the atoms.
///
/// Errors: as [`exact_species_transport`]; no such atom.
pub fn exact_species_tracer(
    model: &SpeciesModel,
    arrangement: &[u8],
    species: usize,
) -> Result<ExactTracer, HoppingError> {
    model.check_arrangement(arrangement)?;
    if model.counts(arrangement).get(species).is_none_or(|n| *n == 0) {
        let (what, want) = ("number of the species", "that of one with an atom is due");
        return Err(HoppingError::Arrangement { what, value: species, site: arrangement.len(), want });
    }
    if !model.mobility()[species].moves {
        let none = [[0.0; 3]; 3];
        return Ok(ExactTracer { tracer_m2_s: none, uncorrelated_m2_s: none, states: 0, iterations: 0 });
    }
    let builder = Builder::new(model, arrangement, Some(species))?;
    let (whole, plain, iterations) = solve(&builder.build()?, model.thermal_energy_ev())?;
    Ok(ExactTracer {
        tracer_m2_s: scaled(whole[0][0], 1.0),
        uncorrelated_m2_s: scaled(plain[0][0], 1.0),
        states: builder.states(),
        iterations,
    })
}

/// Solves the master equation over all arrangements with the numbers of atoms of a given one: of every species on each connected part of its network.
///
/// Errors: an arrangement that does not fit, more than 200 000 states, no convergence.
pub fn exact_species_transport(
    model: &SpeciesModel,
    arrangement: &[u8],
) -> Result<ExactSpecies, HoppingError> {
    model.check_arrangement(arrangement)?;
    let thermal = model.thermal_energy_ev();
    let builder = Builder::new(model, arrangement, None)?;
    let (whole, plain, mut iterations) = solve(&builder.build()?, thermal)?;
    let sites = model.mobile_sites() as f64;
    let all = |list: Vec<Vec<Matrix3>>| -> Vec<Vec<Matrix3>> {
        list.into_iter().map(|row| row.into_iter().map(|m| scaled(m, sites)).collect()).collect()
    };
    let (mut tracer, mut tracer_plain) = (Vec::new(), Vec::new());
    for (species, count) in model.counts(arrangement).into_iter().enumerate() {
        if count == 0 {
            tracer.push(None);
            tracer_plain.push(None);
            continue;
        }
        let exact = exact_species_tracer(model, arrangement, species)?;
        iterations += exact.iterations;
        tracer.push(Some(exact.tracer_m2_s));
        tracer_plain.push(Some(exact.uncorrelated_m2_s));
    }
    Ok(ExactSpecies {
        l_m2_s: all(whole),
        uncorrelated_m2_s: all(plain),
        tracer_m2_s: tracer,
        tracer_uncorrelated_m2_s: tracer_plain,
        states: builder.states(),
        iterations,
    })
}
