//! Numerical kernels of the cell model: quadrature nodes, banded elimination, and the integrator.

pub(crate) mod banded;
pub(crate) mod bdf;
pub(crate) mod quadrature;
