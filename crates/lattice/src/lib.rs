//! Cluster expansion, lattice Monte Carlo, free energies and common tangents
