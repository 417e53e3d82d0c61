//! Hop barriers, kinetic Monte Carlo and diffusivities
