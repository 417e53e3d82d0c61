//! Physical quantities with dimensions, unit strings, and CODATA constants
