//! Space-group operations of a structure, and its primitive cell.

use crate::matrix::{Matrix3, row_times};
use crate::structure::{CrystalError, Structure};
use crate::{LatticeSite, norm};
use moyo::MoyoDataset;
use moyo::base::{Cell, Lattice};
use nalgebra::{Matrix3 as NalgebraMatrix, Vector3};
use serde::{Deserialize, Serialize};

/// One operation of a space group: the fractional (column) position x goes to `rotation` x + `translation`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SymmetryOperation {
    /// Integer rotation in the basis of the lattice vectors, `rotation[i][j]` in row i and column j.
    pub rotation: [[i32; 3]; 3],
    /// Fractional translation.
    pub translation: [f64; 3],
}

impl SymmetryOperation {
    /// The identity.
    pub const IDENTITY: Self =
        Self { rotation: [[1, 0, 0], [0, 1, 0], [0, 0, 1]], translation: [0.0, 0.0, 0.0] };

    /// Image of a fractional position.
    pub fn apply(&self, position: [f64; 3]) -> [f64; 3] {
        std::array::from_fn(|i| {
            self.translation[i] + (0..3).map(|j| f64::from(self.rotation[i][j]) * position[j]).sum::<f64>()
        })
    }

    /// Image of an integer cell vector under the rotation alone.
    pub fn rotate_cell(&self, cell: [i32; 3]) -> [i32; 3] {
        std::array::from_fn(|i| (0..3).map(|j| self.rotation[i][j] * cell[j]).sum())
    }

    /// Whether the rotation is the identity, so that the operation is a pure translation.
    pub fn is_translation(&self) -> bool {
        self.rotation == Self::IDENTITY.rotation
    }
}

/// The operations of a structure modulo its lattice translations, with the tolerance at which they hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpaceGroup {
    /// Number of the space-group type in the International Tables, 1 to 230.
    pub number: u16,
    /// The operations; the identity is among them.
    pub operations: Vec<SymmetryOperation>,
    /// Largest distance in angstrom between the image of an atom and the atom it stands for, over all operations.
    pub residual_angstrom: f64,
}

/// Finds the space group of a structure: implemented by [`MoyoFinder`], replaceable in tests and by other engines.
pub trait SymmetryFinder {
    /// All operations that map the structure on itself with no atom further than `tolerance_angstrom` from an atom of the
    /// same species.
    fn space_group(&self, structure: &Structure, tolerance_angstrom: f64)
    -> Result<SpaceGroup, CrystalError>;
}

/// The symmetry search of the crate `moyo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MoyoFinder;

/// Species as numbers, in order of first appearance.
fn species_numbers(structure: &Structure) -> (Vec<i32>, Vec<String>) {
    let mut names: Vec<String> = Vec::new();
    let numbers = structure.species().iter().map(|s| {
        let index = names.iter().position(|n| n == s).unwrap_or(names.len());
        if index == names.len() {
            names.push(s.clone());
        }
        index as i32
    });
    (numbers.collect(), names)
}

fn dataset(structure: &Structure, tolerance_angstrom: f64) -> Result<MoyoDataset, CrystalError> {
    let refuse = |reason: String| CrystalError::Symmetry { tolerance_angstrom, reason };
    if !(tolerance_angstrom > 0.0 && tolerance_angstrom.is_finite()) {
        return Err(refuse("the tolerance must be positive".into()));
    }
    if structure.is_empty() {
        return Err(refuse("the structure has no atoms".into()));
    }
    let fractional = structure.fractional();
    for (first, a) in fractional.iter().enumerate() {
        for (n, b) in fractional[first + 1..].iter().enumerate() {
            let distance = periodic_distance_angstrom(structure.lattice_angstrom(), *a, *b);
            let apart = distance > 2.0 * tolerance_angstrom;
            if !apart {
                let second = first + 1 + n;
                return Err(refuse(format!("atoms {first} and {second} are {distance} angstrom apart")));
            }
        }
    }
    let (numbers, _) = species_numbers(structure);
    let lattice = Lattice::from_basis(*structure.lattice_angstrom());
    let positions = structure.fractional().iter().map(|f| Vector3::new(f[0], f[1], f[2])).collect();
    MoyoDataset::with_default(&Cell::new(lattice, positions, numbers), tolerance_angstrom)
        .map_err(|error| refuse(error.to_string()))
}

/// Shortest distance between two fractional positions over the periodic images next to the nearest one, angstrom.
/// Exact when the distance is below half the shortest lattice vector or the lattice is reduced.
pub fn periodic_distance_angstrom(lattice: &Matrix3, a: [f64; 3], b: [f64; 3]) -> f64 {
    let difference: [f64; 3] = std::array::from_fn(|i| (a[i] - b[i]) - (a[i] - b[i]).round());
    let mut shortest = f64::INFINITY;
    for image in 0..27 {
        let shift = [image / 9 - 1, image / 3 % 3 - 1, image % 3 - 1];
        let moved = std::array::from_fn(|i| difference[i] + f64::from(shift[i]));
        shortest = shortest.min(norm(row_times(moved, lattice)));
    }
    shortest
}

/// Largest distance from the image of an atom to the nearest atom of its species, over all operations.
fn residual(structure: &Structure, operations: &[SymmetryOperation]) -> f64 {
    let mut largest: f64 = 0.0;
    for operation in operations {
        for (position, species) in structure.fractional().iter().zip(structure.species()) {
            let image = operation.apply(*position);
            let nearest = structure
                .fractional()
                .iter()
                .zip(structure.species())
                .filter(|(_, s)| *s == species)
                .map(|(f, _)| periodic_distance_angstrom(structure.lattice_angstrom(), image, *f))
                .fold(f64::INFINITY, f64::min);
            largest = largest.max(nearest);
        }
    }
    largest
}

impl SymmetryFinder for MoyoFinder {
    fn space_group(
        &self,
        structure: &Structure,
        tolerance_angstrom: f64,
    ) -> Result<SpaceGroup, CrystalError> {
        let found = dataset(structure, tolerance_angstrom)?;
        let operations: Vec<SymmetryOperation> = found
            .operations
            .iter()
            .map(|o| SymmetryOperation {
                rotation: std::array::from_fn(|i| std::array::from_fn(|j| o.rotation[(i, j)])),
                translation: std::array::from_fn(|i| o.translation[i]),
            })
            .collect();
        // The engine may change its tolerance while it searches: hold it to the one that was asked for.
        let residual_angstrom = residual(structure, &operations);
        let holds = residual_angstrom <= tolerance_angstrom && !operations.is_empty();
        if !holds {
            return Err(CrystalError::Symmetry {
                tolerance_angstrom,
                reason: format!(
                    "{} operations leave an atom {residual_angstrom} angstrom from its image",
                    operations.len()
                ),
            });
        }
        Ok(SpaceGroup { number: found.number as u16, operations, residual_angstrom })
    }
}

/// The structure itself where it is primitive within the tolerance, else a primitive cell of it (in a standard setting that
/// may be rotated against the input).
pub fn primitive_cell(structure: &Structure, tolerance_angstrom: f64) -> Result<Structure, CrystalError> {
    let found = dataset(structure, tolerance_angstrom)?;
    let translations =
        found.operations.iter().filter(|o| o.rotation == NalgebraMatrix::<i32>::identity()).count();
    if translations <= 1 {
        return Ok(structure.clone());
    }
    let (_, names) = species_numbers(structure);
    let cell = &found.prim_std_cell;
    let basis = &cell.lattice.basis;
    let lattice = std::array::from_fn(|i| std::array::from_fn(|j| basis[(j, i)]));
    let species = cell.numbers.iter().filter_map(|n| names.get(*n as usize).cloned()).collect();
    let fractional = cell.positions.iter().map(|p| [p[0], p[1], p[2]]).collect();
    Structure::new(lattice, species, fractional)
}

/// Images of the lattice sites under an operation: `sites_fractional` are the positions of the sublattices; the image of sublattice
/// b in cell 0 is `images[b]`, and that in cell n is `images[b]` moved by the rotated n.
pub fn site_images(
    lattice_angstrom: &Matrix3,
    sites_fractional: &[[f64; 3]],
    operation: &SymmetryOperation,
    tolerance_angstrom: f64,
) -> Result<Vec<LatticeSite>, CrystalError> {
    let mut images = Vec::with_capacity(sites_fractional.len());
    for (index, site) in sites_fractional.iter().enumerate() {
        let image = operation.apply(*site);
        let mut best = (f64::INFINITY, LatticeSite { cell: [0; 3], basis: 0 });
        for (basis, candidate) in sites_fractional.iter().enumerate() {
            let cell: [f64; 3] = std::array::from_fn(|i| (image[i] - candidate[i]).round());
            let rest = std::array::from_fn(|i| image[i] - candidate[i] - cell[i]);
            let distance = norm(row_times(rest, lattice_angstrom));
            if distance < best.0 {
                best = (distance, LatticeSite { cell: cell.map(|c| c as i32), basis });
            }
        }
        let found = best.0 <= tolerance_angstrom;
        if !found {
            return Err(CrystalError::Symmetry {
                tolerance_angstrom,
                reason: format!(
                    "the image of site {index} (counted from 0) is {} angstrom from any site",
                    best.0
                ),
            });
        }
        images.push(best.1);
    }
    Ok(images)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn structure(lattice: Matrix3, atoms: &[(&str, [f64; 3])]) -> Structure {
        let species = atoms.iter().map(|a| a.0.to_string()).collect();
        Structure::new(lattice, species, atoms.iter().map(|a| a.1).collect()).unwrap()
    }

    const CUBE: Matrix3 = [[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 4.0]];

    #[test]
    fn known_groups_have_their_numbers_and_orders() {
        let salt: Vec<(&str, [f64; 3])> =
            [[0.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]
                .iter()
                .flat_map(|f| [("Na", *f), ("Cl", [f[0] + 0.5, f[1], f[2]])])
                .collect();
        let group = MoyoFinder.space_group(&structure(CUBE, &salt), 1e-4).unwrap();
        assert_eq!((group.number, group.operations.len()), (225, 192));
        let primitive = primitive_cell(&structure(CUBE, &salt), 1e-4).unwrap();
        assert!((primitive.volume_cubic_angstrom() - 16.0).abs() < 1e-9);
        assert_eq!((primitive.count("Na"), primitive.count("Cl")), (1, 1));
        let simple = structure(CUBE, &[("Po", [0.1, 0.2, 0.3])]);
        let group = MoyoFinder.space_group(&simple, 1e-4).unwrap();
        assert_eq!((group.number, group.operations.len()), (221, 48));
        assert_eq!(primitive_cell(&simple, 1e-4).unwrap(), simple);
    }

    #[test]
    fn layered_oxide_has_twelve_operations_that_close_into_a_group() {
        let lattice =
            [[-1.4085913, 2.4397516, 0.0], [-2.8171825, 0.0, 0.0], [-1.4085913, 0.8132505, 4.6392074]];
        let oxide = Structure::from_cartesian(
            lattice,
            ["Co", "O", "O", "Li"].map(String::from).to_vec(),
            &[
                [0.0; 3],
                [-4.2257738, 2.4397516, 3.5889715],
                [-1.4085913, 0.8132506, 1.0502359],
                [-2.8171825, 1.6265011, 2.3196037],
            ],
        )
        .unwrap();
        let group = MoyoFinder.space_group(&oxide, 1e-3).unwrap();
        assert_eq!((group.number, group.operations.len()), (166, 12));
        assert!(group.residual_angstrom < 1e-3);
        for a in &group.operations {
            for b in &group.operations {
                let product: [[i32; 3]; 3] = std::array::from_fn(|i| {
                    std::array::from_fn(|j| (0..3).map(|k| a.rotation[i][k] * b.rotation[k][j]).sum())
                });
                assert!(group.operations.iter().any(|c| c.rotation == product));
            }
            let images = site_images(&lattice, &oxide.fractional()[1..3], a, 1e-3).unwrap();
            assert_ne!(images[0].basis, images[1].basis);
        }
    }

    #[test]
    fn hostile_structures_are_refused_with_the_tolerance() {
        let simple = structure(CUBE, &[("Po", [0.0; 3])]);
        for tolerance in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(MoyoFinder.space_group(&simple, tolerance), Err(CrystalError::Symmetry { .. })));
        }
        assert!(MoyoFinder.space_group(&structure(CUBE, &[]), 1e-3).is_err());
        let overlapping = structure(CUBE, &[("Po", [0.0; 3]), ("Po", [1e-9, 0.0, 0.0])]);
        assert!(MoyoFinder.space_group(&overlapping, 1e-3).is_err());
        let identity = SymmetryOperation { translation: [0.3, 0.0, 0.0], ..SymmetryOperation::IDENTITY };
        assert!(site_images(&CUBE, &[[0.0; 3]], &identity, 1e-3).is_err());
    }
}
