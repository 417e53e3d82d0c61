//! Special quasi-random structures: the colouring of a small supercell whose correlations are nearest to those of the random alloy.
//!
//! A. Zunger, S.-H. Wei, L. G. Ferreira, J. E. Bernard, Phys. Rev. Lett. 65, 353 (1990).

mod clusters;

use super::colouring::{Composition, advance};
use super::sites::{SupercellSites, check_size};
use super::stream::structure_of;
use super::superlattice::{LARGEST_ENTRY, Superlattices, hermite_normal_form, stabiliser};
use super::{EnumerationError, Fraction, IntegerMatrix, ParentLattice};
use crate::Structure;
use clusters::{ClusterSet, SupercellClusters};
use scalade_numerics::Philox;
use std::cmp::Ordering;

/// Which supercells are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuasirandomCell {
    /// All inequivalent superlattices of this many primitive cells.
    Size(usize),
    /// One supercell: rows in units of the parent's vectors.
    Fixed(IntegerMatrix),
}

/// What is matched, and how hard it is tried.
#[derive(Clone, Debug, PartialEq)]
pub struct QuasirandomSettings {
    /// Weight of the pairs of each shell of distances, nearest first; not negative, not all zero.
    pub pair_weights: Vec<f64>,
    /// Triplets with all distances within the first so many shells take part; 0 for none.
    pub triplet_shells: usize,
    /// Weight of each triplet correlation.
    pub triplet_weight: f64,
    /// Seed of the random streams of the annealing.
    pub seed: u64,
    /// Exchanges tried by the annealing in each superlattice.
    pub steps: u64,
    /// All colourings are searched if they are at most this many over all superlattices.
    pub exact_limit: u64,
}

impl Default for QuasirandomSettings {
    /// Pairs of three shells with weights 1, 1/2, 1/3, no triplets, 20 000 exchanges per superlattice, exact up to a million colourings.
    fn default() -> Self {
        Self {
            pair_weights: vec![1.0, 0.5, 1.0 / 3.0],
            triplet_shells: 0,
            triplet_weight: 0.0,
            seed: 0,
            steps: 20_000,
            exact_limit: 1_000_000,
        }
    }
}

/// One correlation beside its value in the random alloy.
#[derive(Clone, Debug, PartialEq)]
pub struct QuasirandomCorrelation {
    /// Distances between the sites, increasing, angstrom: one for a pair, three for a triplet.
    pub distances_angstrom: Vec<f64>,
    /// Site function of each site, from 0; two species have only one, +1 on the first and -1 on the second.
    pub functions: Vec<usize>,
    /// Weight in the deviation.
    pub weight: f64,
    /// Mean of the products of the site functions.
    pub achieved: f64,
    /// The same for the random alloy: the product of the means.
    pub target: f64,
}

/// How a structure was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuasirandomSearch {
    /// All colourings were looked at: no better one exists.
    Exact,
    /// Simulated annealing.
    Annealing,
}

/// The best structure found.
#[derive(Clone, Debug, PartialEq)]
pub struct Quasirandom {
    /// The structure.
    pub structure: Structure,
    /// Rows of its cell in units of the parent's vectors.
    pub hermite: IntegerMatrix,
    /// Sum over correlations of weight times (achieved - target) squared.
    pub deviation: f64,
    /// Correlations beside their targets: pairs before triplets, by distance.
    pub correlations: Vec<QuasirandomCorrelation>,
    /// How it was found.
    pub search: QuasirandomSearch,
}

fn problem(problem: impl Into<String>) -> EnumerationError {
    EnumerationError::Quasirandom { problem: problem.into() }
}

fn check(settings: &QuasirandomSettings) -> Result<(), EnumerationError> {
    let weights = settings.pair_weights.iter().chain(std::iter::once(&settings.triplet_weight));
    if let Some(bad) = weights.clone().find(|w| !(w.is_finite() && **w >= 0.0)) {
        return Err(problem(format!("a weight is {bad}; weights are finite and not negative")));
    }
    let triplets = settings.triplet_shells > 0 && settings.triplet_weight > 0.0;
    if !settings.pair_weights.iter().any(|w| *w > 0.0) && !triplets {
        return Err(problem("no shell has a weight above 0; give at least one"));
    }
    if settings.pair_weights.len().max(settings.triplet_shells) > 50 {
        return Err(problem("more than 50 shells are asked for; give fewer"));
    }
    Ok(())
}

/// Fractions and whole numbers of sites of each colour of each class.
struct Contents {
    fractions: Vec<Vec<f64>>,
    counts: Vec<Vec<u32>>,
}

impl Contents {
    fn new(
        parent: &ParentLattice,
        composition: &[(&str, Fraction)],
        cells: usize,
    ) -> Result<Self, EnumerationError> {
        for (index, (name, fraction)) in composition.iter().enumerate() {
            if !parent.species().iter().any(|s| s == name) {
                return Err(problem(format!(
                    "no site allows {name}; the species are {}",
                    parent.species().join(", ")
                )));
            }
            if composition[..index].iter().any(|c| c.0 == *name) || fraction.denominator == 0 {
                return Err(problem(format!("the fraction of {name} is given twice or has denominator 0")));
            }
        }
        let mut contents = Self { fractions: Vec::new(), counts: Vec::new() };
        for class in parent.classes() {
            let sites = (class.sublattices.len() * cells) as u128;
            let (mut fractions, mut counts) = (Vec::new(), Vec::new());
            for species in &class.species {
                let name = &parent.species()[*species];
                let given = composition.iter().find(|c| c.0 == *name).map(|c| c.1);
                let fraction = given.ok_or_else(|| problem(format!("the fraction of {name} is missing")))?;
                let (above, below) =
                    (u128::from(fraction.numerator) * sites, u128::from(fraction.denominator));
                if !above.is_multiple_of(below) || above / below > sites {
                    return Err(problem(format!(
                        "{}/{} of {sites} sites is no whole number of sites of {name}; use another size",
                        fraction.numerator, fraction.denominator
                    )));
                }
                fractions.push(fraction.value());
                counts.push((above / below) as u32);
            }
            let sum: u128 = counts.iter().map(|c| u128::from(*c)).sum();
            if sum != sites {
                let names: Vec<&str> = class.species.iter().map(|s| parent.species()[*s].as_str()).collect();
                return Err(problem(format!("the fractions of {} do not add up to 1", names.join(", "))));
            }
            contents.fractions.push(fractions);
            contents.counts.push(counts);
        }
        Ok(contents)
    }
}

/// What every search in a superlattice takes.
struct Goal<'a> {
    set: &'a ClusterSet,
    targets: Vec<f64>,
}

impl Goal<'_> {
    fn deviation(&self, correlations: &[f64]) -> f64 {
        let terms = self.set.kinds.iter().zip(correlations).zip(&self.targets);
        terms.map(|((kind, value), target)| kind.weight * (value - target).powi(2)).sum()
    }
}

/// Most clusters of a supercell.
const MOST_CLUSTERS: usize = 1 << 25;

/// Deviations closer than this are one: rounding must not choose.
const SAME_DEVIATION: f64 = 1e-12;

/// The best colouring of a superlattice among all, and its deviation.
fn search_all(
    goal: &Goal,
    clusters: &SupercellClusters,
    sites: &SupercellSites,
    composition: &Composition,
) -> (f64, Vec<u8>) {
    let mut colours = vec![0; sites.sites()];
    composition.unrank(0, &mut colours);
    let mut best = (f64::INFINITY, colours.clone());
    loop {
        let deviation = goal.deviation(&clusters.correlations(&colours));
        if deviation < best.0 - SAME_DEVIATION {
            best = (deviation, colours.clone());
        }
        if !advance(&sites.class_sizes, &mut colours) {
            return best;
        }
    }
}

/// Simulated annealing by exchanges within a class, from hot to cold geometrically; the best colouring met is kept.
fn anneal(
    goal: &Goal,
    clusters: &SupercellClusters,
    sites: &SupercellSites,
    contents: &Contents,
    steps: u64,
    random: &mut Philox,
) -> (f64, Vec<u8>) {
    let mut colours = Vec::with_capacity(sites.sites());
    for counts in &contents.counts {
        let start = colours.len();
        colours
            .extend(counts.iter().enumerate().flat_map(|(c, n)| std::iter::repeat_n(c as u8, *n as usize)));
        for last in (start + 1..colours.len()).rev() {
            let other = start + random.below((last - start + 1) as u32) as usize;
            colours.swap(last, other);
        }
    }
    let mut values = clusters.correlations(&colours);
    let mut current = goal.deviation(&values);
    let mut best = (current, colours.clone());
    let mixed = contents.counts.iter().any(|c| c.iter().filter(|n| **n > 0).count() > 1);
    // Hot: the deviation of a random start. Cold: below any difference of deviations that matters.
    let (hot, cold) = (current.max(1e-3), 1e-7f64);
    for step in 0..if mixed { steps } else { 0 } {
        let temperature = hot * (cold / hot).powf(step as f64 / steps as f64);
        let a = random.below(colours.len() as u32) as usize;
        let (mut start, mut class) = (0, 0);
        while a >= start + sites.class_sizes[class] {
            start += sites.class_sizes[class];
            class += 1;
        }
        let b = start + random.below(sites.class_sizes[class] as u32) as usize;
        let (of_a, of_b) = (colours[a], colours[b]);
        if of_a == of_b {
            continue;
        }
        let mut moved = values.clone();
        clusters.recolour(&mut colours, a, of_b, &mut moved);
        clusters.recolour(&mut colours, b, of_a, &mut moved);
        let deviation = goal.deviation(&moved);
        if random.uniform() < ((current - deviation) / temperature).exp() {
            (values, current) = (moved, deviation);
            if current < best.0 - SAME_DEVIATION {
                best = (current, colours.clone());
            }
        } else {
            (colours[a], colours[b]) = (of_a, of_b);
        }
    }
    // Rounding of many small changes does not enter the result.
    best.0 = goal.deviation(&clusters.correlations(&best.1));
    best
}

/// The structure whose pair (and triplet) correlations are nearest to those of the random alloy: it minimises the sum of weight times the squared
/// difference over all correlations. `composition` gives the fraction of every species that has a choice, among the sites of each set of
/// sublattices with the same allowed species. For two species with a fraction x of the first the target of every pair is (2x - 1)^2.
///
/// The search is exact where the colourings are few, see [`QuasirandomSettings::exact_limit`]; otherwise each superlattice is annealed with its own
/// random stream (seed, number of the superlattice). Of equally good structures the first is taken.
///
/// Errors: [`EnumerationError::Quasirandom`] for a composition that the supercell cannot hold and for weights out of range,
/// [`EnumerationError::Size`] and [`EnumerationError::Supercell`] for the supercell.
///
/// ```
/// use scalade_crystal::NamedLattice;
/// use scalade_crystal::enumeration::{Fraction, ParentLattice, QuasirandomCell, QuasirandomSettings, special_quasirandom};
/// let parent = ParentLattice::named(NamedLattice::Fcc, &["A", "B"])?;
/// let half = Fraction::new(1, 2);
/// let found = special_quasirandom(&parent, QuasirandomCell::Size(4), &[("A", half), ("B", half)], &QuasirandomSettings::default())?;
/// assert!(found.correlations.iter().all(|c| c.target == 0.0));
/// assert_eq!(found.structure.count("A"), 2);
/// # Ok::<(), scalade_crystal::enumeration::EnumerationError>(())
/// ```
pub fn special_quasirandom(
    parent: &ParentLattice,
    cell: QuasirandomCell,
    composition: &[(&str, Fraction)],
    settings: &QuasirandomSettings,
) -> Result<Quasirandom, EnumerationError> {
    check(settings)?;
    let (size, superlattices) = superlattices(parent, cell)?;
    let contents = Contents::new(parent, composition, size)?;
    let set =
        ClusterSet::new(parent, &settings.pair_weights, settings.triplet_shells, settings.triplet_weight)?;
    if set.clusters_per_cell() * size > MOST_CLUSTERS {
        return Err(problem(format!(
            "{} clusters per primitive cell times {size} cells are more than {MOST_CLUSTERS}; ask for fewer shells",
            set.clusters_per_cell()
        )));
    }
    let goal = Goal { targets: set.random_targets(&contents.fractions), set: &set };
    let counted = Composition::new(contents.counts.clone());
    let exact = counted.filter(|c| {
        c.colourings.saturating_mul(superlattices.len() as u128) <= u128::from(settings.exact_limit)
    });
    let mut best: Option<(f64, Vec<u8>, SupercellSites)> = None;
    for (number, hermite) in superlattices {
        let sites = SupercellSites::without_symmetry(parent, &hermite);
        let clusters = SupercellClusters::new(&set, &sites);
        let (deviation, colours) = if let Some(composition) = &exact {
            search_all(&goal, &clusters, &sites, composition)
        } else {
            let mut random = Philox::new(settings.seed, number as u32, 0);
            anneal(&goal, &clusters, &sites, &contents, settings.steps, &mut random)
        };
        if best.as_ref().is_none_or(|b| deviation < b.0 - SAME_DEVIATION) {
            best = Some((deviation, colours, sites));
        }
    }
    let (deviation, colours, sites) = best.ok_or_else(|| problem("there is no superlattice to search"))?;
    let achieved = SupercellClusters::new(&set, &sites).correlations(&colours);
    let mut correlations: Vec<QuasirandomCorrelation> = set
        .kinds
        .iter()
        .zip(achieved)
        .zip(&goal.targets)
        .map(|((kind, achieved), target)| QuasirandomCorrelation {
            distances_angstrom: kind.distances_angstrom.clone(),
            functions: kind.functions.iter().map(|f| f.1).collect(),
            weight: kind.weight,
            achieved,
            target: *target,
        })
        .collect();
    correlations.sort_by(|a, b| {
        let by_size = a.distances_angstrom.len().cmp(&b.distances_angstrom.len());
        let by_distance =
            || a.distances_angstrom.partial_cmp(&b.distances_angstrom).unwrap_or(Ordering::Equal);
        by_size.then_with(by_distance).then_with(|| a.functions.cmp(&b.functions))
    });
    Ok(Quasirandom {
        structure: structure_of(parent, &sites.hermite, &sites.species(parent, &colours))?,
        hermite: sites.hermite,
        deviation,
        correlations,
        search: if exact.is_some() { QuasirandomSearch::Exact } else { QuasirandomSearch::Annealing },
    })
}

/// The superlattices to search, with their numbers, and their size.
fn superlattices(
    parent: &ParentLattice,
    cell: QuasirandomCell,
) -> Result<(usize, Vec<(u64, IntegerMatrix)>), EnumerationError> {
    let (size, fixed) = match cell {
        QuasirandomCell::Size(size) => (size, None),
        QuasirandomCell::Fixed(matrix) => {
            let hermite = hermite_normal_form(&matrix)?;
            ((0..3).map(|k| hermite[k][k] as usize).product(), Some((matrix, hermite)))
        }
    };
    check_size(parent, size)?;
    let list = Superlattices::new(size, parent.dimensions());
    let mut all = (0..list.count()).filter_map(|number| Some((number, list.get(number)?)));
    let Some((matrix, wanted)) = fixed else {
        let rotations = parent.rotations();
        return Ok((size, all.filter(|(_, h)| stabiliser(h, &rotations).is_some()).collect()));
    };
    // Only cells that mix an axis along which the lattice does not extend are not in the list.
    let found = all.find(|(_, h)| *h == wanted);
    let found = found.ok_or(EnumerationError::Supercell { matrix, largest: LARGEST_ENTRY })?;
    Ok((size, vec![found]))
}
