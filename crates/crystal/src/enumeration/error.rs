//! What can be wrong with a request for derivative structures.

use crate::CrystalError;
use thiserror::Error;

/// Why derivative structures cannot be listed.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum EnumerationError {
    /// The parent is no crystal, or no symmetry was found for it.
    #[error(transparent)]
    Crystal(#[from] CrystalError),
    /// The parent repeats within its cell.
    #[error(
        "the parent holds {copies} primitive cells (sites with the same allowed species count as alike); give its primitive cell"
    )]
    NotPrimitive {
        /// Primitive cells in the parent.
        copies: usize,
    },
    /// A parent of a wrong form.
    #[error("{problem}")]
    Parent {
        /// What is wrong and what to do.
        problem: String,
    },
    /// Operations that are no group on the sites.
    #[error(
        "operation {operation} (counted from 0) and others form no group on the sites; use another tolerance"
    )]
    NoGroup {
        /// Index of the operation.
        operation: usize,
    },
    /// A size out of range.
    #[error("size {size} is out of range: use 1 to {largest} primitive cells, and at most {sites} sites")]
    Size {
        /// Number of primitive cells asked for.
        size: usize,
        /// Largest number of primitive cells.
        largest: usize,
        /// Largest number of sites with a choice.
        sites: usize,
    },
    /// First size above the last.
    #[error("the smallest size {smallest} is above the largest, {largest}; swap them")]
    Sizes {
        /// Smallest size.
        smallest: usize,
        /// Largest size.
        largest: usize,
    },
    /// A limit on a species that makes no sense.
    #[error("limit of {species}: {problem}")]
    Limit {
        /// The species.
        species: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// More colourings than can be counted or numbered.
    #[error(
        "a supercell of {size} primitive cells has more colourings than can be numbered (2^113 can); use smaller sizes or narrower concentrations"
    )]
    TooManyColourings {
        /// Number of primitive cells.
        size: usize,
    },
    /// Limits on so many species that the table of their counts is too large.
    #[error(
        "at size {size} the limits ask for a table of {states} counts, at most {largest} are kept; limit fewer species or narrow the limits"
    )]
    TooManyCounts {
        /// Number of primitive cells.
        size: usize,
        /// Entries of the table.
        states: u128,
        /// Largest number.
        largest: u128,
    },
    /// A supercell matrix that is no superlattice of the parent.
    #[error(
        "the supercell {matrix:?} is singular, has entries above {largest}, or mixes an axis along which the lattice does not extend"
    )]
    Supercell {
        /// The matrix: rows in units of the parent's vectors.
        matrix: [[i64; 3]; 3],
        /// Largest entry.
        largest: i64,
    },
    /// A cursor that names no place of the stream.
    #[error(
        "the cursor (size {size}, superlattice {superlattice}, colouring {colouring}) is no place of this stream; start again without it"
    )]
    Cursor {
        /// Size.
        size: usize,
        /// Superlattice.
        superlattice: u64,
        /// Colouring.
        colouring: u128,
    },
    /// A request for a special quasi-random structure that cannot be met.
    #[error("{problem}")]
    Quasirandom {
        /// What is wrong and what to do.
        problem: String,
    },
}
