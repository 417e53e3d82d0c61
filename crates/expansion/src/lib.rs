//! Cluster expansion and Monte Carlo of any species on any sublattices. Lengths in angstrom, energies in eV.
//!
//! The way: a [`Prim`] says what may stand on each site; [`arrange_frames`] puts relaxed structures on its lattice and accounts for each;
//! [`fit_species_expansion`] gives a [`scalade_handoff::SpeciesHamiltonian`].
//!
//! ```
//! use scalade_crystal::{MoyoFinder, NamedLattice};
//! use scalade_expansion::{Prim, SiteBasis, function_orbits};
//! use scalade_lattice::{Cutoffs, SiteChoice, SiteChoices};
//!
//! // Three species on an fcc lattice with neighbours at distance 1: two point functions, and for nearest neighbours phi_1 phi_1, phi_1 phi_2, phi_2 phi_2.
//! let site = SiteChoice { fractional: [0.0; 3], species: ["Li", "Mn", "Vac"].map(String::from).to_vec() };
//! let choices = SiteChoices { lattice_angstrom: NamedLattice::Fcc.vectors(), sites: vec![site] };
//! let prim = Prim::new(choices, SiteBasis::Spin, 1.0, &MoyoFinder, 1e-4)?;
//! let orbits = function_orbits(&prim, &Cutoffs(vec![1.1]))?;
//! let sizes: Vec<usize> = orbits.iter().map(|o| o.terms.len()).collect();
//! assert_eq!(sizes, [1, 1, 6, 12, 6]);
//! # Ok::<(), scalade_expansion::ExpansionError>(())
//! ```

mod correlations;
mod error;
mod fit;
mod function_orbits;
mod ground_state_bound;
pub mod local;
pub mod montecarlo;
mod prim;
mod site_basis;
mod site_span;

pub use correlations::{correlations, coulomb_energy_ev};
pub use error::ExpansionError;
pub use fit::{
    ArrangedStructure, ArrangementReport, SpeciesFit, SpeciesParity, arrange_frames, fit_species_expansion,
};
pub use function_orbits::function_orbits;
pub use ground_state_bound::{BoundSettings, EnergyBound, GroundStateBound};
pub use prim::Prim;
pub use site_basis::SiteBasis;
