//! The sites of a supercell that have a choice, numbered by the quotient group, and how symmetry permutes them.

use super::superlattice::{SmithForm, product, stabiliser};
use super::{EnumerationError, IntegerMatrix, ParentLattice};

/// Largest number of primitive cells.
pub(crate) const LARGEST_SIZE: usize = 1000;
/// Largest number of sites with a choice.
pub(crate) const MOST_SITES: usize = 1 << 14;

/// Refuses sizes out of range.
pub(crate) fn check_size(parent: &ParentLattice, size: usize) -> Result<(), EnumerationError> {
    let fits = (1..=LARGEST_SIZE).contains(&size) && size * parent.active_sublattices() <= MOST_SITES;
    if fits { Ok(()) } else { Err(EnumerationError::Size { size, largest: LARGEST_SIZE, sites: MOST_SITES }) }
}

/// The cells of a supercell as the finite group G = Z_d1 x Z_d2 x Z_d3 of the Smith normal form: cells that differ by a superlattice vector are
/// one element.
#[derive(Clone, Debug)]
pub(crate) struct CellGroup {
    diagonal: [i64; 3],
    right: IntegerMatrix,
    right_inverse: IntegerMatrix,
    order: usize,
}

impl CellGroup {
    pub(crate) fn new(hermite: &IntegerMatrix) -> Self {
        let SmithForm { diagonal, right, right_inverse } = SmithForm::of(hermite);
        // Modulo the last entry, which the others divide, columns of V may be reduced: products then stay small.
        let reduced = std::array::from_fn(|i| std::array::from_fn(|j| right[i][j].rem_euclid(diagonal[j])));
        let order = diagonal.iter().product::<i64>() as usize;
        Self { diagonal, right: reduced, right_inverse, order }
    }

    pub(crate) fn order(&self) -> usize {
        self.order
    }

    pub(crate) fn diagonal(&self) -> [usize; 3] {
        self.diagonal.map(|d| d as usize)
    }

    fn number(&self, element: [i64; 3]) -> usize {
        let [a, b, c]: [i64; 3] = std::array::from_fn(|k| element[k].rem_euclid(self.diagonal[k]));
        ((a * self.diagonal[1] + b) * self.diagonal[2] + c) as usize
    }

    /// Element with this number.
    pub(crate) fn element(&self, number: usize) -> [i64; 3] {
        let (n, [_, d1, d2]) = (number as i64, self.diagonal);
        [n / d2 / d1, n / d2 % d1, n % d2]
    }

    /// Number of the element that a cell belongs to.
    pub(crate) fn number_of_cell(&self, cell: [i64; 3]) -> usize {
        self.number(std::array::from_fn(|j| (0..3).map(|i| cell[i] * self.right[i][j]).sum()))
    }

    /// A cell of the element with this number.
    pub(crate) fn cell(&self, number: usize) -> [i64; 3] {
        let element = self.element(number);
        std::array::from_fn(|j| (0..3).map(|i| element[i] * self.right_inverse[i][j]).sum())
    }

    /// Numbers of all elements moved by the element with number `t`, appended to `out`.
    pub(crate) fn append_translation(&self, t: usize, out: &mut Vec<u32>) {
        let [a, b, c] = self.element(t).map(|e| e as u32);
        let [d0, d1, d2] = self.diagonal.map(|d| d as u32);
        let wrapped = |e: u32, d: u32| if e < d { e } else { e - d };
        for x in 0..d0 {
            for y in 0..d1 {
                let row = (wrapped(x + a, d0) * d1 + wrapped(y + b, d1)) * d2;
                out.extend((c..d2).chain(0..c).map(|z| row + z));
            }
        }
    }

    /// Number of the element a - b.
    pub(crate) fn difference(&self, a: usize, b: usize) -> usize {
        let (a, b) = (self.element(a), self.element(b));
        self.number(std::array::from_fn(|k| a[k] - b[k]))
    }

    /// Number of an element given by its coordinates.
    pub(crate) fn of_coordinates(&self, coordinates: [usize; 3]) -> usize {
        self.number(coordinates.map(|c| c as i64))
    }
}

/// Sites with a choice of one supercell and their permutations. The site of the `a`-th such sublattice in cell `g` has number `a * cells + g`;
/// sublattices are ordered by class.
#[derive(Clone, Debug)]
pub(crate) struct SupercellSites {
    pub(crate) hermite: IntegerMatrix,
    pub(crate) group: CellGroup,
    /// Permutations of the sites by operations of the parent that keep the superlattice, one of each coset of the translations; the first is the
    /// identity.
    pub(crate) operations: Vec<Vec<u32>>,
    /// Number of sites of each class.
    pub(crate) class_sizes: Vec<usize>,
    /// Superlattices that the parent's operations make of this one.
    pub(crate) equivalent_superlattices: u64,
}

impl SupercellSites {
    /// Of a superlattice; `None` if symmetry takes it to one with a smaller number.
    pub(crate) fn reduced(parent: &ParentLattice, hermite: &IntegerMatrix) -> Option<Self> {
        let kept = stabiliser(hermite, &parent.rotations())?;
        Some(Self::build(parent, hermite, &kept))
    }

    /// Of any superlattice, with the translations alone.
    pub(crate) fn without_symmetry(parent: &ParentLattice, hermite: &IntegerMatrix) -> Self {
        Self::build(parent, hermite, &[])
    }

    fn build(parent: &ParentLattice, hermite: &IntegerMatrix, kept: &[usize]) -> Self {
        let group = CellGroup::new(hermite);
        let n = group.order();
        let mut sites = Self {
            hermite: *hermite,
            group,
            operations: Vec::new(),
            class_sizes: parent.classes().iter().map(|c| c.sublattices.len() * n).collect(),
            equivalent_superlattices: (parent.operation_count() / kept.len().max(1)) as u64,
        };
        let order: Vec<usize> = parent.classes().iter().flat_map(|c| c.sublattices.iter().copied()).collect();
        let identity: Vec<u32> = (0..(order.len() * n) as u32).collect();
        let mut operations: Vec<Vec<u32>> =
            kept.iter().map(|o| sites.permutation(parent, &order, *o)).collect();
        operations.push(identity);
        // Operations that differ by a translation, or not at all on these sites, are one.
        operations.sort_unstable();
        operations.dedup();
        sites.operations = operations;
        sites
    }

    /// The permutation of an operation, followed by the translation that brings the image of the first site back to cell 0.
    fn permutation(&self, parent: &ParentLattice, order: &[usize], operation: usize) -> Vec<u32> {
        let operation = &parent.operations()[operation];
        let n = self.cells();
        let mut place = vec![0; parent.sites().len()];
        for (a, sublattice) in order.iter().enumerate() {
            place[*sublattice] = a;
        }
        let columns: IntegerMatrix =
            std::array::from_fn(|i| std::array::from_fn(|j| i64::from(operation.rotation[j][i])));
        let cells: Vec<[i64; 3]> =
            (0..n).map(|g| product(&[self.group.cell(g), [0; 3], [0; 3]], &columns)[0]).collect();
        let origin = order.first().map_or([0; 3], |s| operation.images[*s].cell);
        let mut out = Vec::with_capacity(order.len() * n);
        for sublattice in order {
            let image = operation.images[*sublattice];
            for cell in &cells {
                let moved =
                    std::array::from_fn(|k| cell[k] + i64::from(image.cell[k]) - i64::from(origin[k]));
                out.push((place[image.basis] * n + self.group.number_of_cell(moved)) as u32);
            }
        }
        out
    }

    /// Number of primitive cells.
    pub(crate) fn cells(&self) -> usize {
        self.group.order()
    }

    /// Number of sites with a choice.
    pub(crate) fn sites(&self) -> usize {
        self.class_sizes.iter().sum()
    }

    /// Number of distinct permutations.
    pub(crate) fn group_order(&self) -> u64 {
        (self.operations.len() * self.cells()) as u64
    }

    /// Species of every site of the supercell, sublattice by sublattice, from the colours of those with a choice.
    pub(crate) fn species(&self, parent: &ParentLattice, colours: &[u8]) -> Vec<u8> {
        let n = self.cells();
        let first = |sublattice: usize| parent.allowed(sublattice)[0] as u8;
        let mut species: Vec<u8> =
            (0..parent.sites().len()).flat_map(|b| std::iter::repeat_n(first(b), n)).collect();
        let places = parent.classes().iter().flat_map(|c| c.sublattices.iter().map(move |b| (c, *b)));
        for ((class, sublattice), of_sublattice) in places.zip(colours.chunks_exact(n)) {
            for (g, colour) in of_sublattice.iter().enumerate() {
                species[sublattice * n + g] = class.species[usize::from(*colour)] as u8;
            }
        }
        species
    }

    /// `table[t * cells + g]` is the cell g moved by t.
    pub(crate) fn translation_table(&self) -> Vec<u32> {
        let mut table = Vec::with_capacity(self.cells() * self.cells());
        for t in 0..self.cells() {
            self.group.append_translation(t, &mut table);
        }
        table
    }

    /// How an operation permutes the cells, up to a translation: a homomorphism of the group of cells.
    pub(crate) fn cell_images(&self, operation: &[u32]) -> Vec<usize> {
        // The first site goes to a cell with number 0, so that those of its sublattice go where the rotation takes their cells.
        let n = self.cells();
        operation[..n].iter().map(|site| *site as usize % n).collect()
    }
}
