//! Events, expansions about them and hops to test with.

use super::{FCC, choices};
use scalade_crystal::{LatticeSite, MoyoFinder};
use scalade_expansion::local::{ArrangedHop, LocalCutoffs, local_orbits};
use scalade_expansion::{Prim, SiteBasis};
use scalade_handoff::local_expansion::reversed;
use scalade_handoff::{LocalExpansion, Parity, SpeciesChange};
use scalade_lattice::{Arrangement, FitMethod, SolveSettings, Supercell};
use scalade_numerics::Philox;

pub fn site(cell: [i32; 3], basis: usize) -> LatticeSite {
    LatticeSite { cell, basis }
}

/// Species `ion` goes from a site to its neighbour, where species `hole` was.
pub fn hop(from: LatticeSite, to: LatticeSite, ion: usize, hole: usize) -> Vec<SpeciesChange> {
    vec![
        SpeciesChange { site: from, before: ion, after: hole },
        SpeciesChange { site: to, before: hole, after: ion },
    ]
}

pub fn fcc(species: &[&str], basis: SiteBasis) -> Prim {
    Prim::new(choices(FCC, &[([0.0; 3], species)]), basis, 1.0, &MoyoFinder, 1e-3).unwrap()
}

pub fn cutoffs(radius: &[f64], diameter: &[f64]) -> LocalCutoffs {
    LocalCutoffs { radius_angstrom: radius.to_vec(), diameter_angstrom: diameter.to_vec() }
}

pub fn least_squares() -> SolveSettings {
    SolveSettings { method: FitMethod::LeastSquares, folds: None, samples: 0, seed: 1 }
}

/// Hops with random surroundings in a box and values of a known expansion, by its own list of events.
pub fn made_up(expansion: &LocalExpansion, size: [i64; 3], count: usize) -> Vec<ArrangedHop> {
    let diagonal = [[size[0], 0, 0], [0, size[1], 0], [0, 0, size[2]]];
    let supercell = Supercell::new(diagonal, expansion.sites.len()).unwrap();
    let events = expansion.events().unwrap();
    let mut rng = Philox::new(77, 0, 0);
    (0..count)
        .map(|n| {
            let about = &events[rng.below(events.len() as u32) as usize];
            let by: [i32; 3] = std::array::from_fn(|i| rng.below(3 * size[i] as u32) as i32 - size[i] as i32);
            let moved =
                |at: LatticeSite| LatticeSite { cell: std::array::from_fn(|i| at.cell[i] + by[i]), ..at };
            let mut species: Vec<u8> = (0..supercell.sites())
                .map(|s| rng.below(expansion.sites[s % supercell.basis()].species.len() as u32) as u8)
                .collect();
            let changes: Vec<SpeciesChange> =
                about.changes.iter().map(|c| SpeciesChange { site: moved(c.site), ..*c }).collect();
            let backwards = expansion.parity == Parity::Even && rng.below(2) == 1;
            let event = if backwards { reversed(&changes) } else { changes };
            for change in &event {
                species[supercell.index(change.site)] = change.before as u8;
            }
            let value_ev = about.value_ev(&expansion.sites, &expansion.coefficients_ev, |at| {
                usize::from(species[supercell.index(moved(at))])
            });
            let initial = Arrangement {
                supercell: supercell.clone(),
                species,
                strain: 0.0,
                anchor_displacement_angstrom: 0.0,
                other_displacement_angstrom: 0.0,
            };
            ArrangedHop { id: format!("hop-{n}"), event, initial, displacement_angstrom: 0.0, value_ev }
        })
        .collect()
}

pub fn random_expansion(
    prim: &Prim,
    event: &[SpeciesChange],
    parity: Parity,
    limits: &LocalCutoffs,
) -> LocalExpansion {
    let orbits = local_orbits(prim, event, parity, limits).unwrap();
    let mut rng = Philox::new(5, 0, 0);
    let expansion = LocalExpansion {
        lattice_angstrom: *prim.lattice_angstrom(),
        sites: prim.hand_off_sites(),
        operations: prim.space_group().operations.clone(),
        tolerance_angstrom: 2e-3,
        event: event.to_vec(),
        parity,
        coefficients_ev: (0..=orbits.len()).map(|_| 0.1 * rng.normal()).collect(),
        orbits,
        samples_ev: Vec::new(),
        attempt_frequency: None,
    };
    expansion.check().unwrap();
    expansion
}

pub fn distance(p: [f64; 3], q: [f64; 3]) -> f64 {
    (0..3).map(|i| (p[i] - q[i]).powi(2)).sum::<f64>().sqrt()
}

/// All choices of `order` different places, in every order, with no two further apart than the diameter.
pub fn ordered_sets(near: &[[f64; 3]], order: usize, diameter: f64) -> Vec<Vec<[f64; 3]>> {
    let mut sets: Vec<Vec<[f64; 3]>> = vec![Vec::new()];
    for _ in 0..order {
        let mut longer = Vec::new();
        for set in &sets {
            for p in near {
                if set.iter().all(|q| distance(*p, *q) > 0.1 && distance(*p, *q) < diameter + 1e-6) {
                    longer.push([set.clone(), vec![*p]].concat());
                }
            }
        }
        sets = longer;
    }
    sets
}
