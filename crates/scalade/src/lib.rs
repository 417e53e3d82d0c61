//! The ladder: every model registered as a step of a study
