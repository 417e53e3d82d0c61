//! A periodic grid of lattice sites: `dims` cells along the three lattice vectors, `basis` sites in each.

use crate::CrystalError;
use serde::{Deserialize, Serialize};

/// A site of an infinite lattice: the cell it belongs to and its sublattice index within the cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LatticeSite {
    /// Cell, in units of the lattice vectors.
    pub cell: [i32; 3],
    /// Sublattice within the cell.
    pub basis: usize,
}

/// Site numbering of a periodic box: `index = ((i * n1 + j) * n2 + k) * basis + b` for cell (i, j, k), sublattice b.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteGrid {
    dims: [usize; 3],
    basis: usize,
}

impl SiteGrid {
    /// A grid; refuses an empty one and more than 2^31 sites.
    pub fn new(dims: [usize; 3], basis: usize) -> Result<Self, CrystalError> {
        let sites = dims.iter().try_fold(basis, |n, d| n.checked_mul(*d));
        match sites {
            Some(n) if n > 0 && n <= 1 << 31 => Ok(Self { dims, basis }),
            _ => Err(CrystalError::Grid { dims, basis }),
        }
    }

    /// Cells along each lattice vector.
    pub fn dims(&self) -> [usize; 3] {
        self.dims
    }

    /// Sites per cell.
    pub fn basis(&self) -> usize {
        self.basis
    }

    /// Number of cells.
    pub fn cells(&self) -> usize {
        self.dims[0] * self.dims[1] * self.dims[2]
    }

    /// Number of sites.
    pub fn sites(&self) -> usize {
        self.cells() * self.basis
    }

    /// Index of a lattice site, wrapped into the box. The sublattice must be below `basis`.
    pub fn index(&self, site: LatticeSite) -> usize {
        let wrapped: [usize; 3] =
            std::array::from_fn(|a| i64::from(site.cell[a]).rem_euclid(self.dims[a] as i64) as usize);
        ((wrapped[0] * self.dims[1] + wrapped[1]) * self.dims[2] + wrapped[2]) * self.basis + site.basis
    }

    /// The lattice site with this index, with its cell inside the box.
    pub fn site(&self, index: usize) -> LatticeSite {
        let (cell, basis) = (index / self.basis, index % self.basis);
        let (rest, k) = (cell / self.dims[2], cell % self.dims[2]);
        let (i, j) = (rest / self.dims[1], rest % self.dims[1]);
        LatticeSite { cell: [i as i32, j as i32, k as i32], basis }
    }

    /// Index of the site at `offset.cell` cells from the cell of site `from`, on sublattice `offset.basis`.
    pub fn offset(&self, from: usize, offset: LatticeSite) -> usize {
        let base = self.site(from).cell;
        let cell = std::array::from_fn(|a| base[a].wrapping_add(offset.cell[a]));
        self.index(LatticeSite { cell, basis: offset.basis })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_empty_and_huge_grids() {
        assert!(SiteGrid::new([0, 1, 1], 1).is_err());
        assert!(SiteGrid::new([usize::MAX, 2, 1], 1).is_err());
        assert!(SiteGrid::new([1 << 20, 1 << 20, 1], 1).is_err());
    }

    proptest! {
        #[test]
        fn index_and_site_are_inverse_and_offsets_are_periodic(
            n in proptest::array::uniform3(1usize..7), basis in 1usize..4, pick in 0usize..10_000, shift in proptest::array::uniform3(-20i32..20)
        ) {
            let grid = SiteGrid::new(n, basis).unwrap();
            let index = pick % grid.sites();
            prop_assert_eq!(grid.index(grid.site(index)), index);
            let there = LatticeSite { cell: shift, basis: grid.site(index).basis };
            let back = LatticeSite { cell: shift.map(|s| -s), ..there };
            prop_assert_eq!(grid.offset(grid.offset(index, there), back), index);
        }
    }
}
