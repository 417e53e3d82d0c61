//! Kinetic Monte Carlo on any crystal with several species and sublattices, with events given by local cluster expansions.
//!
//! **Rates.** An event changes the species of 2 to 16 sites. With E the energy of the arrangement and E_KRA the kinetically resolved activation
//! in the surroundings of the event, the same for the event and its reverse,
//!
//! k = nu exp(-max(E_KRA + dE/2, dE, 0)/kT), dE = E_after - E_before
//!
//! (A. Van der Ven, G. Ceder, M. Asta, P. D. Tepesch, Phys. Rev. B 64, 184307 (2001); the rule where a saddle would lie below an end is that of
//! [`crate::rates`]). Both E_KRA and dE are sums over clusters of sites around the event and do not depend on the sites of the event but through its kind. They are kept for
//! every event that can happen and changed by the clusters that hold a changed site.
//!
//! **Transport.** With the sum R_a of the displacements of all atoms of species a, N sites on the sublattices that events change, and a single atom's displacement r,
//!
//! L_ab = lim < dR_a dR_b^T >/(2 N t), D*_a = lim < dr dr^T >/(2 t)
//!
//! in m2/s, each a 3x3 tensor (rows of a, columns of b; L_ab is the transpose of L_ba). With the number density n = N/V the flux of a species is
//! J_a = -(n/kT) sum_b L_ab grad mu_b (A. R. Allnatt, A. B. Lidiard, Atomic Transport in Solids (Cambridge, 1993), chapter 5: their L_ab is n/kT times this one). Vacancies are a
//! species like others: where they move by exchanges only, the sum of R_a over all atoms is -R_V.
//!
//! **Boxes.** Sites are told apart by their index in the periodic box: energies in small boxes are those of the Hamiltonian summed over the box, also where images coincide. Refused
//! are boxes in which two sites of an event, or a site of an event and one of the surroundings of its activation, are the same.

mod audit;
mod engine;
mod equilibrium;
mod model;
mod moves;
mod oracle;
mod sampling;
mod stencil;
mod tables;
mod transport;

pub use audit::BalanceAudit;
pub use engine::SpeciesEngine;
pub use equilibrium::{equilibrate_species, random_arrangement};
pub use model::{EventKind, SpeciesModel, SpeciesParts};
pub use moves::{AtomMove, Mobility};
pub use oracle::{ExactSpecies, ExactTracer, exact_species_tracer, exact_species_transport};
pub use transport::{
    OnsagerCoefficient, SpeciesCoefficients, SpeciesRequest, SpeciesTransport, species_transport,
    species_transport_resumable,
};
