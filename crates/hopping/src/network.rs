//! Which sites an ion can hop between: bonds from the geometry of the lattice, their common neighbours and their surroundings.

use crate::{BondActivation, HoppingError};
use scalade_crystal::{LatticeSite, Matrix3, SiteGrid, inverse, norm, row_times};
use scalade_handoff::{Bond, LatticeHamiltonian};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Relative width of a neighbour shell: distances within 1 % count as one shell (relaxed lattices are slightly distorted).
const SHELL_WIDTH: f64 = 0.01;

/// Which neighbours an ion hops to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum HopShell {
    /// The nearest shell of sites. In a layered host this is the in-plane shell.
    Nearest,
    /// Every site within this distance, angstrom.
    Within(f64),
}

/// An undirected hop bond of the infinite lattice, from sublattice `from` in cell (0, 0, 0) to `to`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HopBond {
    /// Sublattice of one end, in cell (0, 0, 0).
    pub from: usize,
    /// The other end.
    pub to: LatticeSite,
    /// Vector from one end to the other, Cartesian, angstrom.
    pub vector_angstrom: [f64; 3],
    /// Sites that are hop neighbours of both ends.
    pub common: Vec<LatticeSite>,
    /// Hop neighbours of either end except the ends themselves, with their weight: 2 for a common neighbour, 1 otherwise.
    /// The count n of the barrier laws is the sum of the weights of the occupied ones.
    pub surroundings: Vec<(LatticeSite, u32)>,
    /// What this bond's own surroundings add to the activation.
    #[serde(default)]
    pub activation: BondActivation,
}

/// The hop bonds of a lattice, one representative of each translation class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HopNetwork {
    lattice_angstrom: Matrix3,
    basis_fractional: Vec<[f64; 3]>,
    bonds: Vec<HopBond>,
    degree: Vec<usize>,
}

pub(crate) fn shifted(site: LatticeSite, by: [i32; 3]) -> LatticeSite {
    LatticeSite { cell: std::array::from_fn(|a| site.cell[a] + by[a]), ..site }
}

/// A site and the vector to it, angstrom.
pub(crate) type Neighbour = (LatticeSite, [f64; 3]);

/// All sites within `cutoff` of each basis site, with the vectors to them (angstrom).
pub(crate) fn sites_within(
    lattice: &Matrix3,
    basis: &[[f64; 3]],
    cutoff: f64,
) -> Result<Vec<Vec<Neighbour>>, HoppingError> {
    let degenerate = HoppingError::Parameter {
        what: "lattice determinant",
        value: 0.0,
        want: "three independent vectors are due",
    };
    let inverse = inverse(lattice).ok_or(degenerate)?;
    // |n_a| <= |r| |column a of the inverse| + spread of the fractional coordinates.
    let reach: [i32; 3] = std::array::from_fn(|a| {
        let height = norm([inverse[0][a], inverse[1][a], inverse[2][a]]);
        (cutoff * height).ceil().min(1e3) as i32 + 1
    });
    let mut out = vec![Vec::new(); basis.len()];
    for (from, list) in out.iter_mut().enumerate() {
        for i in -reach[0]..=reach[0] {
            for j in -reach[1]..=reach[1] {
                for k in -reach[2]..=reach[2] {
                    for (to, position) in basis.iter().enumerate() {
                        let shift = [f64::from(i), f64::from(j), f64::from(k)];
                        let fractional = std::array::from_fn(|a| position[a] + shift[a] - basis[from][a]);
                        let vector = row_times(fractional, lattice);
                        if (to, i, j, k) != (from, 0, 0, 0) && norm(vector) <= cutoff {
                            list.push((LatticeSite { cell: [i, j, k], basis: to }, vector));
                        }
                    }
                }
            }
        }
    }
    Ok(out)
}

impl HopNetwork {
    /// The network of a Hamiltonian's sites. Refuses sites closer than 0.1 angstrom and an empty shell.
    pub fn new(hamiltonian: &LatticeHamiltonian, shell: HopShell) -> Result<Self, HoppingError> {
        Self::from_lattice(hamiltonian.lattice_angstrom, hamiltonian.basis_fractional.clone(), shell)
    }

    /// The network of a lattice (rows are vectors, angstrom) with basis sites at fractional positions within (-1, 2).
    pub fn from_lattice(
        lattice_angstrom: Matrix3,
        basis_fractional: Vec<[f64; 3]>,
        shell: HopShell,
    ) -> Result<Self, HoppingError> {
        let numbers = lattice_angstrom.iter().flatten().chain(basis_fractional.iter().flatten());
        if let Some(value) = numbers.copied().find(|v| !v.is_finite()) {
            return Err(HoppingError::Parameter { what: "lattice", value, want: "finite numbers are due" });
        }
        let shortest = lattice_angstrom.iter().map(|v| norm(*v)).fold(f64::INFINITY, f64::min);
        let search = match shell {
            HopShell::Nearest => shortest * (1.0 + 2.0 * SHELL_WIDTH),
            HopShell::Within(cutoff) => crate::error::positive("hop cutoff (angstrom)", cutoff)?,
        };
        if search > 50.0 * shortest {
            let want = "at most 50 times the shortest lattice vector";
            return Err(HoppingError::Parameter { what: "hop cutoff (angstrom)", value: search, want });
        }
        let mut near = sites_within(&lattice_angstrom, &basis_fractional, search)?;
        let nearest = near.iter().flatten().map(|n| norm(n.1)).fold(f64::INFINITY, f64::min);
        if !nearest.is_finite() {
            return Err(HoppingError::NoBonds { cutoff_angstrom: search });
        }
        if nearest < 0.1 {
            let want = "sites at least 0.1 angstrom apart";
            return Err(HoppingError::Parameter { what: "site distance (angstrom)", value: nearest, want });
        }
        if shell == HopShell::Nearest {
            for list in &mut near {
                list.retain(|n| norm(n.1) <= nearest * (1.0 + SHELL_WIDTH));
            }
        }
        let bonds = undirected_bonds(&near);
        let degree = near.iter().map(Vec::len).collect();
        Ok(Self { lattice_angstrom, basis_fractional, bonds, degree })
    }

    /// A network of given bonds.
    pub(crate) fn of_bonds(
        lattice_angstrom: Matrix3,
        basis_fractional: Vec<[f64; 3]>,
        bonds: Vec<HopBond>,
    ) -> Result<Self, HoppingError> {
        if bonds.is_empty() {
            return Err(HoppingError::NoBonds { cutoff_angstrom: 0.0 });
        }
        let mut degree = vec![0; basis_fractional.len()];
        for bond in &bonds {
            degree[bond.from] += 1;
            degree[bond.to.basis] += 1;
        }
        Ok(Self { lattice_angstrom, basis_fractional, bonds, degree })
    }

    /// Lattice vectors as rows, angstrom.
    pub fn lattice_angstrom(&self) -> &Matrix3 {
        &self.lattice_angstrom
    }

    /// Fractional positions of the sublattices.
    pub fn basis_fractional(&self) -> &[[f64; 3]] {
        &self.basis_fractional
    }

    /// The undirected bonds.
    pub fn bonds(&self) -> &[HopBond] {
        &self.bonds
    }

    /// Whether ions move in single file: no site has more than two hop neighbours, so they cannot pass each other.
    pub fn is_single_file(&self) -> bool {
        self.degree.iter().all(|d| *d <= 2)
    }

    /// An orthonormal basis of the space spanned by the lattice vectors that a walk along bonds can cross: three where the network is connected along all
    /// directions, none where it falls into finite pieces. Diffusivities vanish outside of it.
    pub fn span(&self) -> Vec<[f64; 3]> {
        let joined: Vec<(usize, LatticeSite)> = self.bonds.iter().map(|b| (b.from, b.to)).collect();
        crossed(&self.lattice_angstrom, self.basis_fractional.len(), &joined)
    }

    /// The bonds in the form the energy kernel registers them: forward and backward of bond k are entries 2k and 2k + 1.
    pub fn directed(&self) -> Vec<Bond> {
        let mut out = Vec::with_capacity(2 * self.bonds.len());
        for bond in &self.bonds {
            out.push(Bond { from: bond.from, to: bond.to });
            let back = LatticeSite { cell: bond.to.cell.map(|c| -c), basis: bond.from };
            out.push(Bond { from: bond.to.basis, to: back });
        }
        out
    }
}

/// An orthonormal basis of the space spanned by the lattice vectors that a walk can cross which joins sublattices in cell (0, 0, 0) to sites.
pub(crate) fn crossed(
    lattice: &Matrix3,
    sublattices: usize,
    joined: &[(usize, LatticeSite)],
) -> Vec<[f64; 3]> {
    // In the graph of sublattices, a loop that does not close in space crosses the lattice vector it misses by.
    let mut cell: Vec<Option<[i32; 3]>> = vec![None; sublattices];
    let mut crossed: BTreeSet<[i32; 3]> = BTreeSet::new();
    for start in 0..sublattices {
        if cell[start].is_some() {
            continue;
        }
        cell[start] = Some([0; 3]);
        let mut open = vec![start];
        while let Some(here) = open.pop() {
            let at = cell[here].unwrap_or_default();
            for (from, to) in joined {
                let ends = [
                    (*from == here).then_some((to.basis, to.cell)),
                    (to.basis == here).then_some((*from, to.cell.map(|c| -c))),
                ];
                for (next, step) in ends.into_iter().flatten() {
                    let there: [i32; 3] = std::array::from_fn(|a| at[a] + step[a]);
                    match cell[next] {
                        None => {
                            cell[next] = Some(there);
                            open.push(next);
                        }
                        Some(known) => {
                            crossed.insert(std::array::from_fn(|a| there[a] - known[a]));
                        }
                    }
                }
            }
        }
    }
    let vectors: Vec<[f64; 3]> = crossed.iter().map(|c| row_times(c.map(f64::from), lattice)).collect();
    orthonormal(&vectors)
}

/// An orthonormal basis of the space that vectors span (Gram and Schmidt).
fn orthonormal(vectors: &[[f64; 3]]) -> Vec<[f64; 3]> {
    let mut out: Vec<[f64; 3]> = Vec::new();
    for vector in vectors {
        let mut rest = *vector;
        for known in &out {
            let along: f64 = rest.iter().zip(known).map(|(r, k)| r * k).sum();
            for (r, k) in rest.iter_mut().zip(known) {
                *r -= along * k;
            }
        }
        let length = norm(rest);
        if length > 1e-6 * norm(*vector) && length > 0.0 {
            out.push(rest.map(|r| r / length));
        }
    }
    out
}

fn undirected_bonds(near: &[Vec<Neighbour>]) -> Vec<HopBond> {
    let neighbours_of = |site: LatticeSite| -> BTreeSet<LatticeSite> {
        near[site.basis].iter().map(|n| shifted(n.0, site.cell)).collect()
    };
    let mut bonds = Vec::new();
    for (from, list) in near.iter().enumerate() {
        let start = LatticeSite { cell: [0; 3], basis: from };
        for (to, vector) in list {
            let reversed = LatticeSite { cell: to.cell.map(|c| -c), basis: from };
            // Each pair stands in both directions: keep the one whose end sorts first.
            if (reversed, to.basis) < (*to, from) {
                continue;
            }
            let (a, b) = (neighbours_of(start), neighbours_of(*to));
            let common: Vec<LatticeSite> = a.intersection(&b).copied().collect();
            let mut weights: BTreeMap<LatticeSite, u32> = BTreeMap::new();
            for site in a.iter().chain(&b).filter(|s| **s != start && *s != to) {
                *weights.entry(*site).or_insert(0) += 1;
            }
            bonds.push(HopBond {
                from,
                to: *to,
                vector_angstrom: *vector,
                common,
                surroundings: weights.into_iter().collect(),
                activation: BondActivation::default(),
            });
        }
    }
    bonds
}

/// The bonds laid out on a periodic grid. Bond `cell * types + t` is bond type t translated to `cell`.
#[derive(Clone, Debug, PartialEq)]
pub struct GridNetwork {
    network: HopNetwork,
    grid: SiteGrid,
    ends: Vec<[u32; 2]>,
    /// Per type: indices `[cell][k]` of the common neighbours.
    common: Vec<Vec<u32>>,
    /// Per type: weights and indices `[cell][k]` of the surroundings, merged where they coincide by periodicity.
    surroundings: Vec<(Vec<u32>, Vec<u32>)>,
    incident: Vec<u32>,
    incident_start: Vec<u32>,
}

impl GridNetwork {
    /// Lays the network out; refuses a grid on which two bonds of a site coincide.
    pub fn new(network: HopNetwork, grid: SiteGrid) -> Result<Self, HoppingError> {
        if grid.basis() != network.basis_fractional.len() || grid.sites() * network.bonds.len() > 1 << 30 {
            let want = "one site per sublattice and at most 2^30 bonds are due";
            return Err(HoppingError::Parameter {
                what: "grid sublattices",
                value: grid.basis() as f64,
                want,
            });
        }
        let mut pairs = BTreeSet::new();
        for (index, bond) in network.bonds.iter().enumerate() {
            let end = grid.offset(bond.from, bond.to);
            let reversed = LatticeSite { cell: bond.to.cell.map(|c| -c), basis: bond.from };
            let back = grid.offset(bond.to.basis, reversed);
            let mut around = bond.activation.sites();
            let meets = around.any(|s| [bond.from, end].contains(&grid.offset(bond.from, *s)));
            let twice = !pairs.insert((bond.from, end)) || !pairs.insert((bond.to.basis, back));
            if end == bond.from || twice || meets {
                return Err(HoppingError::GridTooSmall { dims: grid.dims(), bond: index });
            }
        }
        let types = network.bonds.len();
        let mut ends = Vec::with_capacity(grid.cells() * types);
        let mut per_site: Vec<Vec<u32>> = vec![Vec::new(); grid.sites()];
        for cell in 0..grid.cells() {
            for bond in &network.bonds {
                let a = cell * grid.basis() + bond.from;
                let b = grid.offset(a, bond.to);
                per_site[a].push(ends.len() as u32);
                per_site[b].push(ends.len() as u32);
                ends.push([a as u32, b as u32]);
            }
        }
        let mut incident_start = vec![0u32];
        let mut incident = Vec::with_capacity(2 * ends.len());
        for list in &per_site {
            incident.extend_from_slice(list);
            incident_start.push(incident.len() as u32);
        }
        let common = network.bonds.iter().map(|b| indices(&grid, b.from, &b.common)).collect();
        let surroundings = network
            .bonds
            .iter()
            .map(|b| {
                let merged = merge(&grid, &b.surroundings);
                let sites: Vec<LatticeSite> = merged.iter().map(|m| m.0).collect();
                (merged.iter().map(|m| m.1).collect(), indices(&grid, b.from, &sites))
            })
            .collect();
        Ok(Self { network, grid, ends, common, surroundings, incident, incident_start })
    }

    /// The infinite network.
    pub fn network(&self) -> &HopNetwork {
        &self.network
    }

    /// The grid.
    pub fn grid(&self) -> &SiteGrid {
        &self.grid
    }

    /// Number of bond types.
    pub fn types(&self) -> usize {
        self.network.bonds.len()
    }

    /// End sites of every bond.
    pub fn ends(&self) -> &[[u32; 2]] {
        &self.ends
    }

    /// Bonds that meet at a site.
    #[inline]
    pub fn incident(&self, site: usize) -> &[u32] {
        &self.incident[self.incident_start[site] as usize..self.incident_start[site + 1] as usize]
    }

    /// Activation that a bond has of its own (see [`BondActivation`]), eV, by straight summation.
    pub fn own_activation_ev(&self, bond: usize, occupied: impl Fn(usize) -> bool) -> f64 {
        let own = &self.network.bonds[bond % self.types()].activation;
        own.constant_ev + self.sum_of_terms(bond, &own.terms, occupied)
    }

    /// Attempt frequency of a bond in units of that of the run, by straight summation.
    pub fn own_attempts(&self, bond: usize, occupied: impl Fn(usize) -> bool) -> f64 {
        let own = &self.network.bonds[bond % self.types()].activation;
        if own.attempt_terms.is_empty() {
            return own.attempts;
        }
        own.attempts * self.sum_of_terms(bond, &own.attempt_terms, occupied).exp()
    }

    fn sum_of_terms(
        &self,
        bond: usize,
        terms: &[(Vec<LatticeSite>, f64)],
        occupied: impl Fn(usize) -> bool,
    ) -> f64 {
        let start = bond / self.types() * self.grid.basis() + self.network.bonds[bond % self.types()].from;
        let spin = |s: &LatticeSite| if occupied(self.grid.offset(start, *s)) { 1.0 } else { -1.0 };
        terms.iter().map(|(sites, c)| c * sites.iter().map(spin).product::<f64>()).sum()
    }

    /// Vacant common neighbours of a bond.
    pub fn vacant_common(&self, bond: usize, occupied: impl Fn(usize) -> bool) -> u32 {
        let (cell, kind) = (bond / self.types(), bond % self.types());
        let width = self.common[kind].len() / self.grid.cells();
        let row = &self.common[kind][cell * width..(cell + 1) * width];
        row.iter().filter(|s| !occupied(**s as usize)).count() as u32
    }

    /// The count n of a bond: occupied hop neighbours of its two ends, common ones counted twice, the ends not counted.
    pub fn occupied_surroundings(&self, bond: usize, occupied: impl Fn(usize) -> bool) -> u32 {
        let (cell, kind) = (bond / self.types(), bond % self.types());
        let (weights, sites) = &self.surroundings[kind];
        let row = &sites[cell * weights.len()..(cell + 1) * weights.len()];
        row.iter().zip(weights).filter(|(s, _)| occupied(**s as usize)).map(|(_, w)| w).sum()
    }
}

/// Sites that coincide on the grid merged, their weights added.
pub(crate) fn merge(grid: &SiteGrid, sites: &[(LatticeSite, u32)]) -> Vec<(LatticeSite, u32)> {
    let mut merged: BTreeMap<usize, (LatticeSite, u32)> = BTreeMap::new();
    for (site, weight) in sites {
        merged.entry(grid.index(*site)).or_insert((*site, 0)).1 += weight;
    }
    merged.into_values().collect()
}

/// Indices `[cell][k]` of sites given relative to the cell of a site on sublattice `from`.
pub(crate) fn indices(grid: &SiteGrid, from: usize, sites: &[LatticeSite]) -> Vec<u32> {
    let mut out = Vec::with_capacity(grid.cells() * sites.len());
    for cell in 0..grid.cells() {
        let start = cell * grid.basis() + from;
        out.extend(sites.iter().map(|s| grid.offset(start, *s) as u32));
    }
    out
}
