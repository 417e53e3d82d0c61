//! Local cluster expansions: a property of an event, such as the kinetically resolved activation of a hop, as a function of the species around it.
//!
//! Q = c_0 + sum_orbits c_o (1/N_o) sum_(terms of o) prod phi_f(s_i), with the terms about the event and the sites of the event left out
//! (A. Van der Ven, G. Ceder, M. Asta, P. D. Tepesch, Phys. Rev. B 64, 184307 (2001)). The way: [`arrange_hops`] finds the event between the two ends of
//! each computed hop; [`hop_kinds`] tells which of them symmetry joins; [`fit_local_expansion`] gives a [`scalade_handoff::LocalExpansion`].

mod event_class;
mod fit;
mod hops;
mod orbits;

pub use event_class::EventClass;
pub use fit::{LocalFit, LocalParity, fit_local_expansion};
pub use hops::{
    ArrangedHop, ExcludedHop, Hop, HopExclusion, HopKind, HopReport, arrange_hops, hop_kinds,
    kinetically_resolved_activation_ev,
};
pub use orbits::{LocalCutoffs, local_orbits, reach_angstrom};
