//! Ground states of an expansion by exhaustive search: every ordering of the working ion and its vacancies in cells of up to a given size.

use crate::hull::{hull_energy, lower_hull};
use crate::{LatticeError, Parent, Supercell, correlations};
use rayon::prelude::*;
use scalade_crystal::enumeration::{DerivativeStructure, DerivativeStructures, ParentLattice, VACANCY};
use scalade_crystal::{LatticeSite, Structure, row_times};
use scalade_handoff::LatticeHamiltonian;
use std::collections::BTreeMap;

/// Orderings evaluated at once.
const BATCH: usize = 2048;
/// Energies closer than this count as equal, eV per formula unit.
const SAME_EV: f64 = 1e-9;

/// The ordering of lowest energy at a composition.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The ideal structure, vacancies left out.
    pub structure: Structure,
    /// Primitive cells.
    pub cells: usize,
    /// Its period.
    pub supercell: Supercell,
    /// Occupation of the working-ion sites of the period.
    pub occupied: Vec<bool>,
    /// Occupied over all working-ion sites.
    pub site_fraction: f64,
    /// Energy of the best expansion, eV per formula unit.
    pub energy_ev: f64,
    /// The same above the hull of all orderings searched, eV per formula unit.
    pub above_hull_ev: f64,
    /// Share of the posterior samples on whose own hull it lies; none without samples.
    pub on_hull_share: Option<f64>,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct GroundStates {
    /// Orderings evaluated.
    pub searched: u64,
    /// One candidate for each composition, in order of composition.
    pub candidates: Vec<Candidate>,
}

impl GroundStates {
    /// Those on the hull of the best expansion.
    pub fn on_hull(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().filter(|c| c.above_hull_ev <= SAME_EV)
    }

    /// How far a candidate lies below the lower hull of other points (site fraction, energy of the same expansion in eV per formula unit), eV; not
    /// positive if it does not, none outside their range.
    pub fn below_ev(candidate: &Candidate, points: &[[f64; 2]]) -> Option<f64> {
        let hull = lower_hull(points);
        hull_energy(points, &hull, candidate.site_fraction).map(|e| e - candidate.energy_ev)
    }
}

/// Sums over an ordering: ions, working-ion sites, energies per formula unit of the best expansion and of every sample.
struct Evaluated {
    ions: usize,
    sites: usize,
    energies_ev: Vec<f64>,
}

/// The occupation of the working-ion sites of an ordering.
fn occupation(
    parent: &Parent,
    found: &DerivativeStructure,
    full: &Structure,
) -> Result<(Supercell, Vec<bool>), LatticeError> {
    let basis = parent.sites.sites_fractional.len();
    let supercell = Supercell::new(found.hermite, basis)?;
    let mut occupied = vec![false; supercell.sites()];
    let hermite = found.hermite.map(|row| row.map(|e| e as f64));
    let mut sites = 0;
    for (species, fractional) in full.species().iter().zip(full.fractional()) {
        if *species != parent.working_ion && species != VACANCY {
            continue;
        }
        let at = row_times(*fractional, &hermite);
        let site = parent.sites.sites_fractional.iter().enumerate().find_map(|(basis, offset)| {
            let cell: [f64; 3] = std::array::from_fn(|k| at[k] - offset[k]);
            let whole = cell.map(f64::round);
            let near = (0..3).all(|k| (cell[k] - whole[k]).abs() < 1e-4);
            near.then(|| LatticeSite { cell: whole.map(|c| c as i32), basis })
        });
        let Some(site) = site else {
            let (expected, got) = (supercell.sites(), sites);
            return Err(LatticeError::Length { what: "working-ion sites of an ordering", expected, got });
        };
        sites += 1;
        occupied[supercell.index(site)] = species == &parent.working_ion;
    }
    let expected = supercell.sites();
    if sites != expected {
        return Err(LatticeError::Length { what: "working-ion sites of an ordering", expected, got: sites });
    }
    Ok((supercell, occupied))
}

fn evaluate(
    parent: &Parent,
    hamiltonian: &LatticeHamiltonian,
    found: &DerivativeStructure,
    full: &Structure,
) -> Result<Evaluated, LatticeError> {
    let (supercell, occupied) = occupation(parent, found, full)?;
    let sites = occupied.len();
    let correlations = correlations(&hamiltonian.orbits, &supercell, &occupied)?;
    let energy = |coefficients: &Vec<f64>| {
        let terms = coefficients[1..].iter().zip(&hamiltonian.orbits).zip(&correlations);
        let sum: f64 = terms.map(|((c, orbit), value)| c * orbit.clusters.len() as f64 * value).sum();
        (coefficients[0] + sum) / parent.formula_units_per_cell
    };
    let all = std::iter::once(&hamiltonian.coefficients_ev).chain(&hamiltonian.samples_ev);
    let ions = occupied.iter().filter(|o| **o).count();
    Ok(Evaluated { ions, sites, energies_ev: all.map(energy).collect() })
}

/// The lowest energies at one composition.
struct Lowest {
    site_fraction: f64,
    /// Of the best expansion and of every sample, whatever the ordering.
    energies_ev: Vec<f64>,
    /// The ordering that is lowest with the best expansion, and its energies.
    found: DerivativeStructure,
    own_ev: Vec<f64>,
}

/// Evaluates every ordering in cells of 1 to `max_cells` primitive cells, at most `limit` of them. Exact for the expansion within that size; larger
/// cells may hold lower states.
pub fn search_ground_states(
    parent: &Parent,
    hamiltonian: &LatticeHamiltonian,
    max_cells: usize,
    limit: u64,
) -> Result<GroundStates, LatticeError> {
    hamiltonian.check()?;
    let ion = &parent.working_ion;
    let tolerance = parent.sites.tolerance_angstrom;
    let refuse = |e: scalade_crystal::enumeration::EnumerationError| LatticeError::Enumeration(Box::new(e));
    let allowed = [(ion.clone(), vec![ion.clone(), VACANCY.to_string()])];
    let lattice =
        ParentLattice::from_structure(&parent.primitive, &allowed, false, tolerance).map_err(refuse)?;
    let orderings = DerivativeStructures::new(&lattice, &[]).map_err(refuse)?;
    let mut count: u128 = 0;
    for size in 1..=max_cells {
        count = count.saturating_add(orderings.count(size).map_err(refuse)?.structures);
        if count > u128::from(limit) {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            return Err(LatticeError::TooMany {
                what: "orderings to search (take smaller cells)",
                count,
                limit,
            });
        }
    }
    let mut lowest: BTreeMap<u64, Lowest> = BTreeMap::new();
    let mut searched = 0;
    let mut stream = orderings.stream(1..=max_cells).map_err(refuse)?;
    loop {
        let batch: Vec<DerivativeStructure> =
            stream.by_ref().take(BATCH).collect::<Result<_, _>>().map_err(refuse)?;
        if batch.is_empty() {
            break;
        }
        let results: Vec<Result<Evaluated, LatticeError>> = batch
            .par_iter()
            .map(|found| evaluate(parent, hamiltonian, found, &orderings.structure(found).map_err(refuse)?))
            .collect();
        for (found, result) in batch.into_iter().zip(results) {
            searched += 1;
            take(&mut lowest, found, result?);
        }
    }
    let points: Vec<Lowest> = lowest.into_values().collect();
    let hull_of = |k: usize| {
        let points: Vec<[f64; 2]> = points.iter().map(|p| [p.site_fraction, p.energies_ev[k]]).collect();
        let hull = lower_hull(&points);
        move |x: f64, e: f64| hull_energy(&points, &hull, x).map_or(0.0, |h| (e - h).max(0.0))
    };
    let samples = hamiltonian.samples_ev.len();
    let above: Vec<_> = (0..=samples).map(hull_of).collect();
    let candidates = points
        .iter()
        .map(|p| {
            let on = (1..=samples).filter(|k| above[*k](p.site_fraction, p.own_ev[*k]) <= SAME_EV).count();
            let full = orderings.structure(&p.found).map_err(refuse)?;
            let (supercell, occupied) = occupation(parent, &p.found, &full)?;
            Ok(Candidate {
                structure: without_vacancies(&full)?,
                cells: p.found.size,
                supercell,
                occupied,
                site_fraction: p.site_fraction,
                energy_ev: p.own_ev[0],
                above_hull_ev: above[0](p.site_fraction, p.own_ev[0]),
                on_hull_share: (samples > 0).then(|| on as f64 / samples as f64),
            })
        })
        .collect::<Result<_, LatticeError>>()?;
    Ok(GroundStates { searched, candidates })
}

fn take(lowest: &mut BTreeMap<u64, Lowest>, found: DerivativeStructure, one: Evaluated) {
    let site_fraction = one.ions as f64 / one.sites as f64;
    // Equal ratios are equal doubles, and the bits of positive doubles order as these do.
    match lowest.entry(site_fraction.to_bits()) {
        std::collections::btree_map::Entry::Vacant(entry) => {
            let own_ev = one.energies_ev.clone();
            entry.insert(Lowest { site_fraction, energies_ev: one.energies_ev, found, own_ev });
        }
        std::collections::btree_map::Entry::Occupied(mut entry) => {
            let known = entry.get_mut();
            for (low, new) in known.energies_ev.iter_mut().zip(&one.energies_ev) {
                *low = low.min(*new);
            }
            // The first of equal ones, in the smallest cell.
            if one.energies_ev[0] < known.own_ev[0] - SAME_EV {
                known.found = found;
                known.own_ev = one.energies_ev;
            }
        }
    }
}

fn without_vacancies(full: &Structure) -> Result<Structure, LatticeError> {
    let kept = full.species().iter().zip(full.fractional()).filter(|s| s.0 != VACANCY);
    let (species, fractional): (Vec<String>, Vec<[f64; 3]>) = kept.map(|(s, f)| (s.clone(), *f)).unzip();
    Ok(Structure::new(*full.lattice_angstrom(), species, fractional)?)
}
