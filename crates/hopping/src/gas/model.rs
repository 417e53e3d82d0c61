//! The lattice gas: sites, hops to the nearest shell, and pair energies by shell.

use crate::HoppingError;
use crate::error::{exceeds, positive};
use scalade_crystal::{LatticeSite, Matrix3, NamedLattice, SiteGrid, norm, row_times};

/// Distances closer than this, relative, are one shell.
const SHELL_TOLERANCE: f64 = 1e-5;
/// Most shells with an energy.
pub const MOST_SHELLS: usize = 8;
/// Most neighbours of a site over all shells: counts of occupied ones fit a byte.
const MOST_NEIGHBOURS: usize = 255;
/// Most in the nearest shell: a bit is left for the occupation of the site.
const MOST_NEAREST: usize = 127;
/// Largest pair energy, kT.
const LARGEST_ENERGY: f64 = 100.0;

/// A hop from a site of a sublattice.
#[derive(Clone, Debug, PartialEq)]
pub struct GasHop {
    /// Where it leads, relative to the cell of the site.
    pub to: LatticeSite,
    /// The hop vector, Cartesian, in the unit of the lattice vectors.
    pub vector: [f64; 3],
    /// The hop of the other end that leads back.
    pub back: usize,
    /// Bonds between the two ends in every shell, images in the box counted by vector.
    pub bonds: Vec<u8>,
}

/// A lattice gas in a periodic box. Energies in kT: E = sum_k J_k sum over the bonds of shell k of n n'. An ion hops to every vacant site of the nearest shell
/// with rate nu e^(-(E_final - E_initial)/2kT), each vector to it counted once.
#[derive(Clone, Debug, PartialEq)]
pub struct GasModel {
    grid: SiteGrid,
    dimensions: usize,
    lattice: Matrix3,
    basis: Vec<[f64; 3]>,
    hops: Vec<Vec<GasHop>>,
    /// Of every sublattice in every shell with an energy: neighbours, own images in the box left out.
    neighbours: Vec<Vec<Vec<LatticeSite>>>,
    /// Energy of a site with its own images, by sublattice.
    own: Vec<f64>,
    energies: Vec<f64>,
    rate: f64,
    warnings: Vec<String>,
}

/// Cell vectors and sites of a named lattice as `size` counts them: conventional cubes of sc, bcc, fcc and diamond, primitive cells of the others.
pub fn conventional_cell(lattice: NamedLattice) -> (Matrix3, Vec<[f64; 3]>) {
    let cube = |edge: f64, sites: &[[f64; 3]]| {
        ([[edge, 0.0, 0.0], [0.0, edge, 0.0], [0.0, 0.0, edge]], sites.to_vec())
    };
    let face = [[0.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]];
    match lattice {
        NamedLattice::Bcc => cube(2.0 / 3f64.sqrt(), &[[0.0; 3], [0.5; 3]]),
        NamedLattice::Fcc => cube(2f64.sqrt(), &face),
        NamedLattice::Diamond => {
            let other = face.map(|f| f.map(|x| x + 0.25));
            cube(4.0 / 3f64.sqrt(), &[face, other].concat())
        }
        _ => (lattice.vectors(), lattice.basis()),
    }
}

impl GasModel {
    /// A named lattice with nearest neighbours at distance 1; `size` counts cells as [`conventional_cell`].
    pub fn named(
        lattice: NamedLattice,
        size: &[usize],
        pairs: &[f64],
        rate: f64,
    ) -> Result<Self, HoppingError> {
        let (vectors, basis) = conventional_cell(lattice);
        let mut dims = [1; 3];
        if size.len() != lattice.dimensions() {
            let want = "one number of cells for each dimension of the lattice is due";
            return Err(HoppingError::Parameter { what: "entries of size", value: size.len() as f64, want });
        }
        dims[..size.len()].copy_from_slice(size);
        Self::new(vectors, basis, lattice.dimensions(), dims, pairs, rate)
    }

    /// Any lattice: rows are vectors, sites are fractional; it extends along the first `dimensions` of them. `pairs` holds the energy of a bond of every
    /// shell, nearest first, in kT; `rate` is nu.
    pub fn new(
        lattice: Matrix3,
        basis: Vec<[f64; 3]>,
        dimensions: usize,
        dims: [usize; 3],
        pairs: &[f64],
        rate: f64,
    ) -> Result<Self, HoppingError> {
        positive("hop rate", rate)?;
        if pairs.len() > MOST_SHELLS {
            let want = "at most 8 shells are possible";
            return Err(HoppingError::Parameter { what: "pair energies", value: pairs.len() as f64, want });
        }
        if let Some(value) = pairs.iter().copied().find(|j| exceeds(j.abs(), LARGEST_ENERGY)) {
            let want = "a finite number within +-100 kT is due";
            return Err(HoppingError::Parameter { what: "pair energy (kT)", value, want });
        }
        let grid = SiteGrid::new(dims, basis.len())?;
        if grid.sites() > 1 << 28 || dims.iter().any(|d| *d > usize::from(u16::MAX)) {
            let want = "at most 2^28 sites and 65535 cells along an axis are possible";
            return Err(HoppingError::Parameter { what: "sites", value: grid.sites() as f64, want });
        }
        // Shells beyond the last with an energy play no part.
        let used = pairs.iter().rposition(|j| *j != 0.0).map_or(0, |k| k + 1);
        let shells = shells(&lattice, &basis, dimensions, used.max(1))?;
        let energies = pairs[..used].to_vec();
        let flat = |site: &LatticeSite| grid.index(*site);
        let home = |b: usize| grid.index(LatticeSite { cell: [0; 3], basis: b });
        let mut warnings = Vec::new();
        let mut own = vec![0.0; basis.len()];
        let mut neighbours = vec![vec![Vec::new(); used]; basis.len()];
        for b in 0..basis.len() {
            for (k, energy) in energies.iter().enumerate() {
                let list = &shells[k][b];
                let images = list.iter().filter(|n| flat(&n.0) == home(b)).count();
                own[b] += 0.5 * energy * images as f64;
                neighbours[b][k] = list.iter().map(|n| n.0).filter(|s| flat(s) != home(b)).collect();
            }
            let most: usize = neighbours[b].iter().map(Vec::len).sum();
            if neighbours[b].first().is_some_and(|first| first.len() > MOST_NEAREST) || most > MOST_NEIGHBOURS
            {
                let want = "at most 127 in the nearest shell and 255 over all shells are possible";
                return Err(HoppingError::Parameter {
                    what: "neighbours of a site",
                    value: most as f64,
                    want,
                });
            }
        }
        let hops = hops(&shells[0], &grid, &neighbours)?;
        let coincide = hops.iter().enumerate().any(|(b, list)| {
            let mut ends: Vec<usize> = list.iter().map(|h| flat(&h.to)).collect();
            ends.sort_unstable();
            ends.windows(2).any(|w| w[0] == w[1]) || ends.contains(&home(b))
        });
        if coincide {
            warnings.push(format!(
                "in a box of {dims:?} cells neighbours of a site coincide or are the site itself: bonds and hops are counted by vector; take more cells for a lattice without such images"
            ));
        }
        Ok(Self { grid, dimensions, lattice, basis, hops, neighbours, own, energies, rate, warnings })
    }

    /// The numbering of the sites.
    pub fn grid(&self) -> &SiteGrid {
        &self.grid
    }

    /// Number of sites.
    pub fn sites(&self) -> usize {
        self.grid.sites()
    }

    /// Number of dimensions along which the lattice extends.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Lattice vectors as rows.
    pub fn lattice(&self) -> &Matrix3 {
        &self.lattice
    }

    /// Fractional positions of the sublattices.
    pub fn basis(&self) -> &[[f64; 3]] {
        &self.basis
    }

    /// Hops from a site of every sublattice.
    pub fn hops(&self) -> &[Vec<GasHop>] {
        &self.hops
    }

    /// Energy of a bond of every shell that has one, kT.
    pub fn energies(&self) -> &[f64] {
        &self.energies
    }

    /// Neighbours of a site of every sublattice in every shell with an energy, its own images left out.
    pub fn neighbours(&self) -> &[Vec<Vec<LatticeSite>>] {
        &self.neighbours
    }

    /// Attempt rate along each vector.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// What a user should know about the box.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether nothing but exclusion acts between ions.
    pub fn is_hard_core(&self) -> bool {
        self.energies.is_empty()
    }

    /// Whether ions cannot pass each other: no site has more than two hop neighbours.
    pub fn is_single_file(&self) -> bool {
        self.hops.iter().all(|list| list.len() <= 2)
    }

    /// An orthonormal basis of the space spanned by the lattice vectors that ions can cross, as [`crate::HopNetwork::span`].
    pub fn span(&self) -> Vec<[f64; 3]> {
        let of = |(from, list): (usize, &Vec<GasHop>)| list.iter().map(|h| (from, h.to)).collect::<Vec<_>>();
        let joined: Vec<(usize, LatticeSite)> = self.hops.iter().enumerate().flat_map(of).collect();
        crate::network::crossed(&self.lattice, self.basis.len(), &joined)
    }

    /// Length of a hop.
    pub fn hop_length(&self) -> f64 {
        self.hops.iter().flatten().map(|h| norm(h.vector)).fold(f64::INFINITY, f64::min)
    }

    /// Energy of an ion with its own images less that on another sublattice, kT.
    pub(crate) fn own_difference(&self, from: usize, to: usize) -> f64 {
        self.own[to] - self.own[from]
    }

    /// Energy of an occupation, kT; the slow reference of everything that is kept by increments.
    pub fn energy(&self, occupied: &[bool]) -> f64 {
        let mut twice = 0.0;
        for (site, _) in occupied.iter().enumerate().filter(|o| *o.1) {
            let b = site % self.basis.len();
            twice += 2.0 * self.own[b];
            for (list, energy) in self.neighbours[b].iter().zip(&self.energies) {
                let count = list.iter().filter(|n| occupied[self.grid.offset(site, **n)]).count();
                twice += energy * count as f64;
            }
        }
        0.5 * twice
    }

    /// Position of a site of the infinite lattice.
    pub fn position(&self, cell: [i32; 3], basis: usize) -> [f64; 3] {
        row_times(std::array::from_fn(|a| f64::from(cell[a]) + self.basis[basis][a]), &self.lattice)
    }
}

/// Neighbours of each sublattice in the nearest shells, with the vectors to them.
type Shell = Vec<Vec<(LatticeSite, [f64; 3])>>;

fn shells(
    lattice: &Matrix3,
    basis: &[[f64; 3]],
    dimensions: usize,
    count: usize,
) -> Result<Vec<Shell>, HoppingError> {
    let span = lattice[..dimensions].iter().map(|v| norm(*v)).fold(0.0, f64::max);
    // Doubled until it holds the shells and a bit more, so that none is cut.
    let mut cutoff = span;
    for _ in 0..6 {
        let near = crate::network::sites_within(lattice, basis, cutoff)?;
        let within: Shell = near
            .into_iter()
            .map(|list| list.into_iter().filter(|n| n.0.cell[dimensions..].iter().all(|c| *c == 0)).collect())
            .collect();
        let mut lengths: Vec<f64> = within.iter().flatten().map(|n| norm(n.1)).collect();
        lengths.sort_by(f64::total_cmp);
        lengths.dedup_by(|a, b| *a - *b <= SHELL_TOLERANCE * *b);
        if lengths.len() > count {
            let of = |length: &f64| -> Shell {
                let same =
                    |n: &&(LatticeSite, [f64; 3])| (norm(n.1) - length).abs() <= SHELL_TOLERANCE * length;
                within.iter().map(|list| list.iter().filter(same).copied().collect()).collect()
            };
            return Ok(lengths[..count].iter().map(of).collect());
        }
        cutoff *= 2.0;
    }
    Err(HoppingError::NoBonds { cutoff_angstrom: cutoff })
}

/// The hops to the nearest shell, with the way back and the bonds between their ends.
fn hops(
    nearest: &Shell,
    grid: &SiteGrid,
    neighbours: &[Vec<Vec<LatticeSite>>],
) -> Result<Vec<Vec<GasHop>>, HoppingError> {
    let reverse = |from: usize, to: &LatticeSite| LatticeSite { cell: to.cell.map(|c| -c), basis: from };
    let mut out = Vec::new();
    for (from, list) in nearest.iter().enumerate() {
        let mut hops = Vec::new();
        for (to, vector) in list {
            let wanted = reverse(from, to);
            let back = nearest[to.basis].iter().position(|n| n.0 == wanted);
            let back = back.ok_or(HoppingError::NoBonds { cutoff_angstrom: norm(*vector) })?;
            // Neighbours of the end that are the start.
            let start = grid.index(wanted);
            let meets =
                |shell: &Vec<LatticeSite>| shell.iter().filter(|s| grid.index(**s) == start).count() as u8;
            let own = grid.index(*to) == grid.index(LatticeSite { cell: [0; 3], basis: from });
            let bonds = if own {
                vec![0; neighbours[from].len()]
            } else {
                neighbours[to.basis].iter().map(meets).collect()
            };
            hops.push(GasHop { to: *to, vector: *vector, back, bonds });
        }
        if hops.len() > MOST_NEIGHBOURS {
            let want = "at most 255 are possible";
            return Err(HoppingError::Parameter { what: "hops of a site", value: hops.len() as f64, want });
        }
        out.push(hops);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_hold_the_neighbours_of_their_lattice() {
        for lattice in NamedLattice::ALL {
            let size = vec![4; lattice.dimensions()];
            let model = GasModel::named(lattice, &size, &[], 1.0).unwrap();
            let (_, basis) = conventional_cell(lattice);
            assert_eq!(model.sites(), 4usize.pow(size.len() as u32) * basis.len(), "{lattice:?}");
            for list in model.hops() {
                assert_eq!(list.len(), lattice.neighbours(), "{lattice:?}");
                assert!(list.iter().all(|h| (norm(h.vector) - 1.0).abs() < 1e-12), "{lattice:?}");
            }
            assert!(model.warnings().is_empty(), "{lattice:?}");
            assert_eq!(model.is_single_file(), lattice == NamedLattice::Chain);
        }
    }

    #[test]
    fn images_are_counted_by_vector() {
        let model = GasModel::named(NamedLattice::Square, &[2, 3], &[1.0], 1.0).unwrap();
        assert_eq!(model.warnings().len(), 1);
        // Along the short axis both neighbours are one site: its bond counts twice.
        let mut occupied = vec![false; 6];
        occupied[0] = true;
        occupied[3] = true;
        assert_eq!(model.energy(&occupied), 2.0);
        occupied[3] = false;
        occupied[1] = true;
        assert_eq!(model.energy(&occupied), 1.0);
        // A box of one cell along an axis: a site is its own neighbour.
        let model = GasModel::named(NamedLattice::Square, &[1, 4], &[0.7], 1.0).unwrap();
        assert!((model.energy(&[true, false, false, false]) - 0.7).abs() < 1e-15);
        assert!((model.energy(&[true; 4]) - 8.0 * 0.7).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let said = |size: &[usize], pairs: &[f64], rate: f64| {
            GasModel::named(NamedLattice::Sc, size, pairs, rate).unwrap_err().to_string()
        };
        assert!(said(&[4, 4], &[], 1.0).contains("size"));
        assert!(said(&[0, 4, 4], &[], 1.0).contains("grid") || said(&[0, 4, 4], &[], 1.0).contains('0'));
        assert!(said(&[4, 4, 4], &[f64::NAN], 1.0).contains("NaN"));
        assert!(said(&[4, 4, 4], &[0.0; 9], 1.0).contains("at most 8"));
        assert!(said(&[4, 4, 4], &[], 0.0).contains("hop rate"));
        assert!(said(&[100_000, 1, 1], &[], 1.0).contains("65535"));
    }
}
