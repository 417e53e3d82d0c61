//! Arrangements to start from.

use super::moves::species_names;
use crate::error::ExpansionError;
use scalade_crystal::{LatticeSite, SiteGrid};
use scalade_handoff::SpeciesSite;
use scalade_lattice::Arrangement;
use scalade_numerics::Philox;
use std::collections::{BTreeMap, VecDeque};

const STREAM_START: u32 = 0x5800;

fn refuse(problem: impl Into<String>) -> ExpansionError {
    ExpansionError::Run { problem: problem.into() }
}

/// Fills a box with copies of a smaller arrangement.
pub fn tile(grid: &SiteGrid, arrangement: &Arrangement) -> Result<Vec<u8>, ExpansionError> {
    let supercell = &arrangement.supercell;
    if supercell.basis() != grid.basis() {
        let (expected, got) = (grid.basis(), supercell.basis());
        return Err(ExpansionError::Length { what: "sublattices of the start", expected, got });
    }
    for axis in 0..3 {
        let mut cell = [0; 3];
        cell[axis] = grid.dims()[axis] as i32;
        if supercell.index(LatticeSite { cell, basis: 0 }) != 0 {
            return Err(refuse(format!(
                "the start of {} cells does not repeat after {} cells along lattice vector {}; choose a size that holds it",
                supercell.cells(),
                grid.dims()[axis],
                axis + 1
            )));
        }
    }
    Ok((0..grid.sites()).map(|site| arrangement.species[supercell.index(grid.site(site))]).collect())
}

/// A random arrangement with given numbers of the species on the sites with a choice; where they leave sites empty and one species is not named, that
/// one fills them. Numbers are distributed over the sublattices that take a species (a flow that fills all sites), then at random within each.
pub fn arrange_composition(
    sublattices: &[SpeciesSite],
    grid: &SiteGrid,
    numbers: &BTreeMap<String, usize>,
    seed: u64,
) -> Result<Vec<u8>, ExpansionError> {
    let names = species_names(sublattices);
    if let Some(unknown) = numbers.keys().find(|n| !names.contains(n)) {
        return Err(refuse(format!(
            "no site with a choice takes {unknown}; the species are {}",
            names.join(", ")
        )));
    }
    let cells = grid.cells();
    let active: Vec<usize> = (0..sublattices.len()).filter(|b| sublattices[*b].species.len() > 1).collect();
    let sites = active.len() * cells;
    let mut wanted: Vec<usize> = names.iter().map(|n| numbers.get(n).copied().unwrap_or(0)).collect();
    let given: usize = wanted.iter().sum();
    let open: Vec<usize> = (0..names.len()).filter(|s| !numbers.contains_key(&names[*s])).collect();
    if given < sites
        && let [single] = open[..]
    {
        wanted[single] = sites - given;
    }
    let total: usize = wanted.iter().sum();
    if total != sites {
        return Err(refuse(format!(
            "{given} atoms and vacancies are given for {sites} sites with a choice; give the number of every species, or of all but one"
        )));
    }
    let takes = |s: usize, b: usize| sublattices[active[b]].species.iter().any(|n| *n == names[s]);
    let shares = distribute(&wanted, active.len(), cells, takes).ok_or_else(|| {
        refuse(
            "the sublattices cannot take this composition: a species has more atoms than sites that take it",
        )
    })?;
    let mut rng = Philox::new(seed, STREAM_START, 0);
    let mut out = vec![0; grid.sites()];
    for (b, basis) in active.iter().enumerate() {
        let place = |s: usize| sublattices[*basis].species.iter().position(|n| *n == names[s]).unwrap_or(0);
        let mut list: Vec<u8> =
            (0..names.len()).flat_map(|s| std::iter::repeat_n(place(s) as u8, shares[s][b])).collect();
        for last in (1..list.len()).rev() {
            let other = rng.below(last as u32 + 1) as usize;
            list.swap(last, other);
        }
        for (cell, species) in list.into_iter().enumerate() {
            out[cell * grid.basis() + basis] = species;
        }
    }
    Ok(out)
}

/// `[species][sublattice]` numbers that fill every sublattice, by augmenting paths; `None` if there are none.
fn distribute(
    wanted: &[usize],
    sublattices: usize,
    capacity: usize,
    takes: impl Fn(usize, usize) -> bool,
) -> Option<Vec<Vec<usize>>> {
    let mut flow = vec![vec![0; sublattices]; wanted.len()];
    let mut room = vec![capacity; sublattices];
    for start in 0..wanted.len() {
        let mut left = wanted[start];
        while left > 0 {
            // Shortest way from the species to a sublattice with room: put s on b, push another species of b elsewhere.
            let mut from: Vec<Option<(usize, usize)>> = vec![None; sublattices];
            let mut queue: VecDeque<usize> = VecDeque::new();
            for b in (0..sublattices).filter(|b| takes(start, *b)) {
                from[b] = Some((start, usize::MAX));
                queue.push_back(b);
            }
            let mut end = None;
            while let Some(b) = queue.pop_front() {
                if room[b] > 0 {
                    end = Some(b);
                    break;
                }
                for s in (0..flow.len()).filter(|s| flow[*s][b] > 0) {
                    for other in (0..sublattices).filter(|o| takes(s, *o)) {
                        if from[other].is_none() {
                            from[other] = Some((s, b));
                            queue.push_back(other);
                        }
                    }
                }
            }
            let mut path = Vec::new();
            let mut at = end?;
            let mut amount = left.min(room[at]);
            while let Some((s, before)) = from[at] {
                path.push((s, before, at));
                if before == usize::MAX {
                    break;
                }
                amount = amount.min(flow[s][before]);
                at = before;
            }
            room[end?] -= amount;
            left -= amount;
            for (s, before, at) in path {
                flow[s][at] += amount;
                if before != usize::MAX {
                    flow[s][before] -= amount;
                }
            }
        }
    }
    Some(flow)
}
