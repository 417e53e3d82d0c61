//! Counting without listing: Burnside's lemma, with the colourings of smaller period taken out.
//!
//! A group Q of operations leaves (1/|Q|) sum over q of fix(q) classes of colourings, where fix(q) counts the colourings that q keeps. Those
//! of smaller period are kept by a subgroup of the translations T; Moebius inversion over the subgroups of T (P. Hall, Q. J. Math. 7, 134
//! (1936): only products S of elementary abelian groups count, with mu = prod over p of (-1)^k p^(k(k-1)/2) for k generators of order p)
//! leaves
//!
//! N = (1/|Q|) sum over q, sum over S of mu(S) fix(<q, S>),
//!
//! and fix of a group follows from its orbits on the sites: one colour for each.

use super::limits::SpeciesBounds;
use super::sites::SupercellSites;
use super::{EnumerationError, ParentLattice};
use std::collections::BTreeMap;

/// Largest table of species counts.
const MOST_STATES: u128 = 1 << 20;

/// Which colourings are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Period {
    /// Those without a smaller period.
    Full,
    /// All.
    Any,
}

/// A subgroup of the translations: its generators and its Moebius function.
struct Subgroup {
    generators: Vec<usize>,
    moebius: i128,
}

/// Subspaces of the `rank`-dimensional vectors modulo a prime, each as the rows of its reduced echelon form.
fn subspaces(rank: usize, prime: usize) -> Vec<Vec<[usize; 3]>> {
    let mut out = Vec::new();
    for pivots in 0..1usize << rank {
        let columns: Vec<usize> = (0..rank).filter(|c| pivots >> c & 1 == 1).collect();
        let mut free = Vec::new();
        for (row, pivot) in columns.iter().enumerate() {
            free.extend((pivot + 1..rank).filter(|c| !columns.contains(c)).map(|c| (row, c)));
        }
        for mut choice in 0..prime.pow(free.len() as u32) {
            let mut rows = vec![[0; 3]; columns.len()];
            for (row, pivot) in rows.iter_mut().zip(&columns) {
                row[*pivot] = 1;
            }
            for (row, column) in &free {
                rows[*row][*column] = choice % prime;
                choice /= prime;
            }
            out.push(rows);
        }
    }
    out
}

/// Subgroups of the translations with a Moebius function other than zero.
fn subgroups(sites: &SupercellSites, period: Period) -> Vec<Subgroup> {
    let mut out = vec![Subgroup { generators: Vec::new(), moebius: 1 }];
    if period == Period::Any {
        return out;
    }
    let diagonal = sites.group.diagonal();
    let n = sites.cells();
    let is_prime = |p: &usize| (2..*p).take_while(|d| d * d <= *p).all(|d| !p.is_multiple_of(d));
    for prime in (2..=n).filter(|p| n.is_multiple_of(*p)).filter(is_prime) {
        let axes: Vec<usize> = (0..3).filter(|k| diagonal[*k].is_multiple_of(prime)).collect();
        let mut next = Vec::new();
        for rows in subspaces(axes.len(), prime) {
            let k = rows.len() as u32;
            let sign = if k.is_multiple_of(2) { 1 } else { -1 };
            let moebius = sign * (prime as i128).pow(k * k.saturating_sub(1) / 2);
            let generators: Vec<usize> = rows
                .iter()
                .map(|row| {
                    let mut coordinates = [0; 3];
                    for (value, axis) in row.iter().zip(&axes) {
                        coordinates[*axis] = value * (diagonal[*axis] / prime);
                    }
                    sites.group.of_coordinates(coordinates)
                })
                .collect();
            for subgroup in &out {
                next.push(Subgroup {
                    generators: [subgroup.generators.as_slice(), &generators].concat(),
                    moebius: subgroup.moebius * moebius,
                });
            }
        }
        out = next;
    }
    out
}

/// Root of a site, with the path to it halved.
fn root(parents: &mut [u32], mut site: usize) -> usize {
    while parents[site] as usize != site {
        let grandparent = parents[parents[site] as usize];
        parents[site] = grandparent;
        site = grandparent as usize;
    }
    site
}

fn join(parents: &mut [u32], a: usize, b: usize) {
    let (a, b) = (root(parents, a), root(parents, b));
    parents[a.max(b)] = a.min(b) as u32;
}

/// Counts colourings that are constant on orbits.
struct FixedColourings<'a> {
    parent: &'a ParentLattice,
    bounds: &'a SpeciesBounds,
    /// Step of each limited species in the table of counts.
    strides: Vec<usize>,
    states: usize,
    size: usize,
    /// By the sorted (class, orbit size) of the orbits.
    known: BTreeMap<Vec<(u16, u32)>, u128>,
}

impl<'a> FixedColourings<'a> {
    fn new(
        parent: &'a ParentLattice,
        bounds: &'a SpeciesBounds,
        size: usize,
    ) -> Result<Self, EnumerationError> {
        let mut states = 1u128;
        let mut strides = vec![0; parent.species().len()];
        for species in 0..strides.len() {
            if bounds.limited[species] {
                strides[species] = states as usize;
                states *= u128::from(bounds.maximum[species]) + 1;
                if states > MOST_STATES {
                    return Err(EnumerationError::TooManyCounts { size, states, largest: MOST_STATES });
                }
            }
        }
        Ok(Self { parent, bounds, strides, states: states as usize, size, known: BTreeMap::new() })
    }

    fn count(&mut self, orbits: Vec<(u16, u32)>) -> Result<u128, EnumerationError> {
        if let Some(known) = self.known.get(&orbits) {
            return Ok(*known);
        }
        let counted = if self.bounds.limited.contains(&true) {
            self.within_limits(&orbits)
        } else {
            self.unlimited(&orbits)
        };
        let counted = counted.ok_or(EnumerationError::TooManyColourings { size: self.size })?;
        self.known.insert(orbits, counted);
        Ok(counted)
    }

    fn unlimited(&self, orbits: &[(u16, u32)]) -> Option<u128> {
        orbits.iter().try_fold(1u128, |n, (class, _)| {
            n.checked_mul(self.parent.classes()[usize::from(*class)].species.len() as u128)
        })
    }

    /// Orbit by orbit, a table of the number of colourings by the counts of the limited species.
    fn within_limits(&self, orbits: &[(u16, u32)]) -> Option<u128> {
        let bounds = self.bounds;
        if bounds.minimum.iter().zip(&bounds.maximum).any(|(low, high)| low > high) {
            return Some(0);
        }
        let digit = |state: usize, species: usize| {
            (state / self.strides[species]) as u64 % (u64::from(bounds.maximum[species]) + 1)
        };
        let mut table = vec![0u128; self.states];
        table[0] = 1;
        for (class, sites) in orbits {
            let species = &self.parent.classes()[usize::from(*class)].species;
            let free = species.iter().filter(|s| !bounds.limited[**s]).count() as u128;
            let mut next = vec![0u128; self.states];
            for (state, ways) in table.iter().enumerate().filter(|(_, w)| **w > 0) {
                next[state] = next[state].checked_add(ways.checked_mul(free)?)?;
                for species in species.iter().filter(|s| bounds.limited[**s]) {
                    if digit(state, *species) + u64::from(*sites) <= u64::from(bounds.maximum[*species]) {
                        let target = state + *sites as usize * self.strides[*species];
                        next[target] = next[target].checked_add(*ways)?;
                    }
                }
            }
            table = next;
        }
        let limited: Vec<usize> = (0..bounds.limited.len()).filter(|s| bounds.limited[*s]).collect();
        let enough = |state: usize| limited.iter().all(|s| digit(state, *s) >= u64::from(bounds.minimum[*s]));
        table
            .iter()
            .enumerate()
            .filter(|(s, _)| enough(*s))
            .try_fold(0u128, |n, (_, ways)| n.checked_add(*ways))
    }
}

/// Joins every site to its image under a permutation followed by a translation of the cells.
fn join_images(parents: &mut [u32], operation: &[u32], translation: &[u32]) {
    let n = translation.len();
    for (site, image) in operation.iter().enumerate() {
        let image = *image as usize;
        join(parents, site, image / n * n + translation[image % n] as usize);
    }
}

/// Translations to combine with an operation, each with the number of those that give as many fixed colourings: conjugation by a translation u
/// adds u - R u, and translations that generate the same group keep the same colourings.
fn representatives(sites: &SupercellSites, operation: &[u32], is_identity: bool) -> Vec<(usize, u32)> {
    let n = sites.cells();
    let mut seen = vec![false; n];
    let mut out = Vec::new();
    let mut moves: Vec<usize> = Vec::new();
    if !is_identity {
        let images = sites.cell_images(operation);
        moves = (0..n).map(|u| sites.group.difference(u, images[u])).collect();
        moves.sort_unstable();
        moves.dedup();
    }
    let mut translation = Vec::with_capacity(n);
    for t in 0..n {
        if seen[t] {
            continue;
        }
        translation.clear();
        sites.group.append_translation(t, &mut translation);
        let mut weight = 0;
        if is_identity {
            // Multiples k t with k prime to the order of t, which are the generators of its group.
            let mut multiples = vec![0];
            let mut next = t;
            while next != 0 {
                multiples.push(next);
                next = translation[next] as usize;
            }
            let order = multiples.len();
            for (k, multiple) in multiples.iter().enumerate() {
                if greatest_common_divisor(k, order) == 1 {
                    seen[*multiple] = true;
                    weight += 1;
                }
            }
        } else {
            for shift in &moves {
                seen[translation[*shift] as usize] = true;
                weight += 1;
            }
        }
        out.push((t, weight));
    }
    out
}

fn greatest_common_divisor(mut a: usize, mut b: usize) -> usize {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Number of inequivalent colourings of a supercell within bounds.
pub(crate) fn inequivalent(
    parent: &ParentLattice,
    sites: &SupercellSites,
    bounds: &SpeciesBounds,
    period: Period,
) -> Result<u128, EnumerationError> {
    let size = sites.cells();
    let overflow = || EnumerationError::TooManyColourings { size };
    let mut fixed = FixedColourings::new(parent, bounds, size)?;
    let class_of: Vec<u16> =
        sites.class_sizes.iter().enumerate().flat_map(|(c, s)| std::iter::repeat_n(c as u16, *s)).collect();
    let Some(identity) = sites.operations.first() else { return Ok(0) };
    let elements: Vec<Vec<(usize, u32)>> =
        sites.operations.iter().enumerate().map(|(i, o)| representatives(sites, o, i == 0)).collect();
    let (mut plus, mut minus) = (0u128, 0u128);
    let (mut parents, mut sizes, mut translation) = (Vec::new(), Vec::new(), Vec::with_capacity(size));
    for subgroup in subgroups(sites, period) {
        let mut of_subgroup: Vec<u32> = identity.clone();
        for t in &subgroup.generators {
            translation.clear();
            sites.group.append_translation(*t, &mut translation);
            join_images(&mut of_subgroup, identity, &translation);
        }
        for (operation, elements) in sites.operations.iter().zip(&elements) {
            for (t, weight) in elements {
                translation.clear();
                sites.group.append_translation(*t, &mut translation);
                parents.clone_from(&of_subgroup);
                join_images(&mut parents, operation, &translation);
                sizes.clear();
                sizes.resize(parents.len(), 0);
                for site in 0..parents.len() {
                    sizes[root(&mut parents, site)] += 1;
                }
                let of_root = sizes.iter().zip(&class_of).filter(|(s, _)| **s > 0);
                let mut orbits: Vec<(u16, u32)> = of_root.map(|(s, c)| (*c, *s)).collect();
                orbits.sort_unstable();
                let factor = subgroup.moebius.unsigned_abs() * u128::from(*weight);
                let term = fixed.count(orbits)?.checked_mul(factor).ok_or_else(overflow)?;
                let sum = if subgroup.moebius > 0 { &mut plus } else { &mut minus };
                *sum = sum.checked_add(term).ok_or_else(overflow)?;
            }
        }
    }
    Ok((plus - minus) / u128::from(sites.group_order()))
}

/// Number of colourings of one supercell within bounds, equivalent ones included.
pub(crate) fn colourings(
    parent: &ParentLattice,
    bounds: &SpeciesBounds,
    size: usize,
) -> Result<u128, EnumerationError> {
    let sites = |c: usize| parent.classes()[c].sublattices.len() * size;
    let orbits = (0..parent.classes().len()).flat_map(|c| std::iter::repeat_n((c as u16, 1), sites(c)));
    FixedColourings::new(parent, bounds, size)?.count(orbits.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subspaces_are_as_many_as_the_gaussian_binomials_say() {
        assert_eq!(subspaces(0, 2).len(), 1);
        assert_eq!(subspaces(1, 5).len(), 2);
        assert_eq!(subspaces(2, 3).len(), 1 + 4 + 1);
        assert_eq!(subspaces(3, 2).len(), 1 + 7 + 7 + 1);
        assert_eq!(subspaces(3, 5).len(), 1 + 31 + 31 + 1);
    }
}
