//! Cells, supercells, symmetry operations
