//! Tracked values: uncertainty, provenance, scale of identification, seal
