//! Pairs and triplets of a parent and their correlations in a supercell.

use super::super::sites::{CellGroup, SupercellSites};
use super::super::{EnumerationError, ParentLattice};
use crate::{LatticeSite, cross, determinant, norm, row_times};
use std::collections::BTreeMap;
use std::f64::consts::PI;

/// Farthest cells that are searched for shells.
const MOST_CELLS: f64 = 2e6;

/// Most clusters of a primitive cell.
const MOST_TEMPLATES: usize = 1 << 20;

/// Site function `function` (from 0) of the colour `colour` out of `colours`: +1 and -1 for two colours; for more the cosines and sines of
/// A. van de Walle, Calphad 33, 266 (2009).
pub(crate) fn site_function(function: usize, colour: usize, colours: usize) -> f64 {
    if colours == 2 {
        return if colour == 0 { 1.0 } else { -1.0 };
    }
    let angle = 2.0 * PI * (function / 2 + 1) as f64 * colour as f64 / colours as f64;
    if function.is_multiple_of(2) { -angle.cos() } else { -angle.sin() }
}

/// A correlation: the mean of a product of site functions over the clusters of one shape.
#[derive(Clone, Debug)]
pub(crate) struct CorrelationKind {
    /// Distances of the shape, increasing, angstrom.
    pub(crate) distances_angstrom: Vec<f64>,
    /// (class, function) of each site, increasing.
    pub(crate) functions: Vec<(usize, usize)>,
    pub(crate) weight: f64,
    /// Products that are averaged, for one primitive cell.
    terms: u64,
}

/// Shells of the distances and (class, function) of the sites, both increasing.
type KindKey = (Vec<usize>, Vec<(usize, usize)>);

/// A cluster on the sublattice of its first site: where the others are, and the correlation of every choice of functions.
#[derive(Clone, Debug)]
struct ClusterTemplate {
    first: usize,
    others: Vec<LatticeSite>,
    /// Correlations by the functions of the sites, the last running fastest.
    kinds: Vec<u32>,
}

/// All clusters of a parent up to some shells.
#[derive(Clone, Debug)]
pub(crate) struct ClusterSet {
    pub(crate) kinds: Vec<CorrelationKind>,
    templates: Vec<ClusterTemplate>,
    /// Class of each sublattice; spectators have none.
    class_of: Vec<Option<usize>>,
    /// Place of each sublattice among those with a choice.
    place_of: Vec<usize>,
    colours: Vec<usize>,
}

/// Sites around each sublattice with a choice, with the number of their shell.
struct Neighbours {
    shells_angstrom: Vec<f64>,
    around: Vec<Vec<(LatticeSite, usize)>>,
}

fn class_of_sublattices(parent: &ParentLattice) -> Vec<Option<usize>> {
    let of = |b| parent.classes().iter().position(|c| c.sublattices.contains(&b));
    (0..parent.sites().len()).map(of).collect()
}

/// All pairs of sites with a choice that are at most `radius` apart, and their distances.
fn pairs_within(
    parent: &ParentLattice,
    radius: f64,
) -> Result<Vec<(usize, LatticeSite, f64)>, EnumerationError> {
    let lattice = parent.lattice_angstrom();
    let volume = determinant(lattice).abs();
    let reach: [i32; 3] = std::array::from_fn(|k| {
        if k >= parent.dimensions() {
            return 0;
        }
        // Distance between the planes that the other two vectors span.
        let spacing = volume / norm(cross(lattice[(k + 1) % 3], lattice[(k + 2) % 3]));
        (radius / spacing).ceil() as i32 + 1
    });
    if reach.iter().map(|r| 2.0 * f64::from(*r) + 1.0).product::<f64>() > MOST_CELLS {
        let problem = format!("shells within {radius} angstrom span too many cells; ask for fewer shells");
        return Err(EnumerationError::Quasirandom { problem });
    }
    let class_of = class_of_sublattices(parent);
    let active = |b: &usize| class_of[*b].is_some();
    let mut out = Vec::new();
    for first in (0..parent.sites().len()).filter(active) {
        for basis in (0..parent.sites().len()).filter(active) {
            for x in -reach[0]..=reach[0] {
                for y in -reach[1]..=reach[1] {
                    for z in -reach[2]..=reach[2] {
                        let site = LatticeSite { cell: [x, y, z], basis };
                        let distance = separation(parent, LatticeSite { cell: [0; 3], basis: first }, site);
                        if distance <= radius && (first != basis || [x, y, z] != [0; 3]) {
                            out.push((first, site, distance));
                        }
                    }
                }
            }
        }
    }
    Ok(out)
}

fn separation(parent: &ParentLattice, a: LatticeSite, b: LatticeSite) -> f64 {
    let (p, q) = (parent.sites()[a.basis], parent.sites()[b.basis]);
    let difference = std::array::from_fn(|k| q[k] - p[k] + f64::from(b.cell[k]) - f64::from(a.cell[k]));
    norm(row_times(difference, parent.lattice_angstrom()))
}

impl Neighbours {
    /// The first `shells` shells of distances.
    fn new(parent: &ParentLattice, shells: usize) -> Result<Self, EnumerationError> {
        let shortest = (0..parent.dimensions())
            .map(|k| norm(parent.lattice_angstrom()[k]))
            .fold(f64::INFINITY, f64::min);
        let mut radius = shortest;
        loop {
            let pairs = pairs_within(parent, radius)?;
            let mut distances: Vec<f64> = pairs.iter().map(|p| p.2).collect();
            distances.sort_unstable_by(f64::total_cmp);
            let apart = |a: f64, b: f64| b - a > 2.0 * parent.tolerance_angstrom() + 1e-6 * b;
            let mut found: Vec<f64> = Vec::new();
            let mut last = f64::NEG_INFINITY;
            for d in distances {
                if apart(last, d) {
                    found.push(d);
                }
                last = d;
            }
            // The last shell may be cut by the radius: one more is wanted.
            if found.len() > shells {
                let number = |d: f64| found.partition_point(|s| *s <= d) - 1;
                let mut around = vec![Vec::new(); parent.sites().len()];
                for (first, site, distance) in pairs {
                    if number(distance) < shells {
                        around[first].push((site, number(distance)));
                    }
                }
                found.truncate(shells);
                return Ok(Self { shells_angstrom: found, around });
            }
            radius *= 1.4;
        }
    }
}

impl ClusterSet {
    /// Pairs of the shells with a weight, and triplets with all distances within the first `triplet_shells` shells.
    pub(crate) fn new(
        parent: &ParentLattice,
        pair_weights: &[f64],
        triplet_shells: usize,
        triplet_weight: f64,
    ) -> Result<Self, EnumerationError> {
        let neighbours = Neighbours::new(parent, pair_weights.len().max(triplet_shells))?;
        let mut place_of = vec![0; parent.sites().len()];
        for (place, b) in parent.classes().iter().flat_map(|c| c.sublattices.iter()).enumerate() {
            place_of[*b] = place;
        }
        let mut set = Self {
            kinds: Vec::new(),
            templates: Vec::new(),
            class_of: class_of_sublattices(parent),
            place_of,
            colours: parent.classes().iter().map(|c| c.species.len()).collect(),
        };
        let mut known = BTreeMap::new();
        for (first, around) in neighbours.around.iter().enumerate() {
            for (index, (site, shell)) in around.iter().enumerate() {
                if *shell < pair_weights.len() {
                    set.add(&mut known, &neighbours, first, vec![*site], vec![*shell], pair_weights[*shell]);
                }
                if set.templates.len() > MOST_TEMPLATES {
                    let problem =
                        format!("a cell has more than {MOST_TEMPLATES} clusters; ask for fewer shells");
                    return Err(EnumerationError::Quasirandom { problem });
                }
                if *shell >= triplet_shells {
                    continue;
                }
                for (third, third_shell) in around[..index].iter().filter(|n| n.1 < triplet_shells) {
                    let offset = LatticeSite {
                        cell: std::array::from_fn(|k| site.cell[k] - third.cell[k]),
                        basis: site.basis,
                    };
                    let between = neighbours.around[third.basis].iter().find(|n| n.0 == offset);
                    if let Some((_, last)) = between.filter(|n| n.1 < triplet_shells) {
                        let shells = vec![*shell, *third_shell, *last];
                        set.add(&mut known, &neighbours, first, vec![*site, *third], shells, triplet_weight);
                    }
                }
            }
        }
        Ok(set)
    }

    /// Number of clusters of a primitive cell; a pair counts from both of its sites, a triplet from all three.
    pub(crate) fn clusters_per_cell(&self) -> usize {
        self.templates.len()
    }

    fn add(
        &mut self,
        known: &mut BTreeMap<KindKey, u32>,
        neighbours: &Neighbours,
        first: usize,
        others: Vec<LatticeSite>,
        mut shells: Vec<usize>,
        weight: f64,
    ) {
        shells.sort_unstable();
        let classes: Vec<usize> = std::iter::once(first)
            .chain(others.iter().map(|o| o.basis))
            .filter_map(|b| self.class_of[b])
            .collect();
        let functions: Vec<usize> = classes.iter().map(|c| self.colours[*c] - 1).collect();
        let mut kinds = Vec::new();
        for mut choice in 0..functions.iter().product::<usize>() {
            let mut assigned: Vec<(usize, usize)> = Vec::with_capacity(classes.len());
            for (class, count) in classes.iter().zip(&functions).rev() {
                assigned.push((*class, choice % count));
                choice /= count;
            }
            assigned.sort_unstable();
            let kind = *known.entry((shells.clone(), assigned.clone())).or_insert_with(|| {
                let distances_angstrom = shells.iter().map(|s| neighbours.shells_angstrom[*s]).collect();
                self.kinds.push(CorrelationKind {
                    distances_angstrom,
                    functions: assigned,
                    weight,
                    terms: 0,
                });
                self.kinds.len() as u32 - 1
            });
            self.kinds[kind as usize].terms += 1;
            kinds.push(kind);
        }
        self.templates.push(ClusterTemplate { first, others, kinds });
    }

    /// Correlations of the random alloy: products of the means of the site functions. `fractions[class][colour]` are the concentrations.
    pub(crate) fn random_targets(&self, fractions: &[Vec<f64>]) -> Vec<f64> {
        let mean = |(class, function): &(usize, usize)| -> f64 {
            let of_class = &fractions[*class];
            of_class.iter().enumerate().map(|(c, x)| x * site_function(*function, c, of_class.len())).sum()
        };
        self.kinds.iter().map(|k| k.functions.iter().map(mean).product()).collect()
    }
}

/// A cluster in a supercell.
#[derive(Clone, Debug)]
struct Cluster {
    template: u32,
    sites: [u32; 3],
}

/// The clusters of a supercell.
#[derive(Clone, Debug)]
pub(crate) struct SupercellClusters<'a> {
    set: &'a ClusterSet,
    clusters: Vec<Cluster>,
    /// Clusters that a site belongs to, each once.
    of_site: Vec<Vec<u32>>,
    class_of_site: Vec<usize>,
    /// One over the number of products in each mean.
    scale: Vec<f64>,
}

impl<'a> SupercellClusters<'a> {
    pub(crate) fn new(set: &'a ClusterSet, sites: &SupercellSites) -> Self {
        let group: &CellGroup = &sites.group;
        let n = sites.cells();
        let mut made = Self {
            set,
            clusters: Vec::new(),
            of_site: vec![Vec::new(); sites.sites()],
            class_of_site: sites
                .class_sizes
                .iter()
                .enumerate()
                .flat_map(|(c, s)| std::iter::repeat_n(c, *s))
                .collect(),
            scale: set.kinds.iter().map(|k| 1.0 / (k.terms * n as u64) as f64).collect(),
        };
        for g in 0..n {
            let here = group.cell(g);
            for (template, of) in set.templates.iter().enumerate() {
                let mut places = [u32::MAX; 3];
                places[0] = (set.place_of[of.first] * n + g) as u32;
                for (place, other) in places[1..].iter_mut().zip(&of.others) {
                    let cell = std::array::from_fn(|k| here[k] + i64::from(other.cell[k]));
                    *place = (set.place_of[other.basis] * n + group.number_of_cell(cell)) as u32;
                }
                let number = made.clusters.len() as u32;
                for (index, place) in places.iter().enumerate().filter(|(_, p)| **p != u32::MAX) {
                    if !places[..index].contains(place) {
                        made.of_site[*place as usize].push(number);
                    }
                }
                made.clusters.push(Cluster { template: template as u32, sites: places });
            }
        }
        made
    }

    /// Adds `factor` times the products of one cluster.
    fn add(&self, cluster: &Cluster, colours: &[u8], factor: f64, sums: &mut [f64]) {
        let template = &self.set.templates[cluster.template as usize];
        let size = 1 + template.others.len();
        for (choice, kind) in template.kinds.iter().enumerate() {
            let (mut rest, mut product) = (choice, factor);
            for site in cluster.sites[..size].iter().rev() {
                let count = self.set.colours[self.class_of_site[*site as usize]];
                product *= site_function(rest % (count - 1), usize::from(colours[*site as usize]), count);
                rest /= count - 1;
            }
            sums[*kind as usize] += product;
        }
    }

    /// Correlations of a colouring.
    pub(crate) fn correlations(&self, colours: &[u8]) -> Vec<f64> {
        let mut sums = vec![0.0; self.scale.len()];
        for cluster in &self.clusters {
            self.add(cluster, colours, 1.0, &mut sums);
        }
        sums.iter().zip(&self.scale).map(|(s, f)| s * f).collect()
    }

    /// Gives a site another colour and moves the correlations along.
    pub(crate) fn recolour(&self, colours: &mut [u8], site: usize, colour: u8, correlations: &mut [f64]) {
        let mut change = vec![0.0; self.scale.len()];
        let touched = || self.of_site[site].iter().map(|c| &self.clusters[*c as usize]);
        for cluster in touched() {
            self.add(cluster, colours, -1.0, &mut change);
        }
        colours[site] = colour;
        for cluster in touched() {
            self.add(cluster, colours, 1.0, &mut change);
        }
        for ((value, change), scale) in correlations.iter_mut().zip(&change).zip(&self.scale) {
            *value += change * scale;
        }
    }
}
