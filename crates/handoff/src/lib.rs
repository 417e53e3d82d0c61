//! The typed properties that pass between scales
