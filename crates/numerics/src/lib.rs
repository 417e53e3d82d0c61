//! Dense and block-banded solves, interpolation, Philox streams, deterministic statistics
