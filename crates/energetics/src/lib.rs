//! Voltages and convex hulls from first-principles energies
