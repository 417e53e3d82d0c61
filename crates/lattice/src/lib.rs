//! Cluster expansion, lattice Monte Carlo, free energies and common tangents: from computed energies of orderings to the equilibrium
//! voltage of an insertion electrode. Lengths in angstrom, energies in eV.
//!
//! The way: [`map_frames`] puts relaxed structures on the sites of a [`Parent`] and accounts for each; [`choose_cutoffs`] or
//! [`fit_expansion`] gives a [`scalade_handoff::LatticeHamiltonian`] with posterior samples; [`compute_voltage`] samples one member at one temperature
//! in both directions and integrates to a [`VoltageCurve`]. [`exact`] sums small boxes exactly, [`RedlichKister`] and [`mean_field`] are models in closed form, [`tangent`] finds the
//! phases of any of them.
//!
//! Composition x is the occupied fraction of the sites of the working ion; chemical potentials and voltages are per ion.
//!
//! ```
//! use scalade_crystal::LatticeSite;
//! use scalade_handoff::{ClusterOrbit, LatticeHamiltonian};
//! use scalade_lattice::{Member, ScanSettings, Silent, VoltageSettings, compute_voltage};
//!
//! // Sites on a chain whose ions do not see one another, 0.1 eV each: an ideal lattice gas.
//! let site = LatticeSite { cell: [0; 3], basis: 0 };
//! let gas = LatticeHamiltonian {
//!     lattice_angstrom: [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]],
//!     basis_fractional: vec![[0.0; 3]],
//!     working_ion: "Li".into(),
//!     formula_units_per_cell: 1.0,
//!     orbits: vec![ClusterOrbit { order: 1, diameter_angstrom: 0.0, clusters: vec![vec![site]] }],
//!     coefficients_ev: vec![0.05, 0.05],
//!     samples_ev: Vec::new(),
//! };
//! let settings = VoltageSettings {
//!     scan: ScanSettings { dims: [8, 8, 8], ..ScanSettings::default() },
//!     x: vec![0.1, 0.5, 0.9],
//! };
//! let (curve, _) = compute_voltage(&gas, Member::Mean, 300.0, -1.9, &settings, &Silent)?;
//! // V(1/2) = E_ref - 0.1 eV, and the factor is 1/(1 - x).
//! assert!((curve.voltage_v[1] - -2.0).abs() < 5.0 * curve.voltage_std[1]);
//! assert!((curve.theta[1] - 2.0).abs() < 5.0 * curve.theta_std[1]);
//! # Ok::<(), scalade_lattice::LatticeError>(())
//! ```

mod clusters;
mod cutoff_choice;
mod diagnostics;
mod dilute;
mod error;
pub mod exact;
mod fit;
mod fit_method;
mod fit_problem;
pub mod free_energy;
pub mod ground_states;
mod hand_off;
pub mod hull;
mod lattice_match;
mod mapping;
pub mod mean_field;
mod metropolis;
pub mod model;
mod phases;
mod regression;
mod scan;
mod smoothing;
mod solution;
mod sparse;
mod statistics;
mod supercell;
pub mod tangent;
mod voltage;

pub use clusters::{Cutoffs, SiteLattice, correlations};
pub use cutoff_choice::{cutoff_candidates, sparing_choice};
pub use diagnostics::{Diagnostic, Examined, Subject, diagnose, examine};
pub use dilute::DiluteLimit;
pub use error::LatticeError;
pub use fit::{
    CutoffScore, Fit, FitSettings, HullDisagreement, Interaction, ParityPoint, choose_cutoffs, fit_expansion,
};
pub use fit_method::FitMethod;
pub use fit_problem::{Column, FitProblem, Hyperparameters, Inequality, Solution, SolveSettings};
pub use hand_off::{open_circuit_voltage, thermodynamic_factor};
pub use mapping::{
    Arrangement, Excluded, Exclusion, Frame, MappedStructure, MappingReport, MappingSettings, Parent,
    SiteChoice, SiteChoices, finite_energy, map_frame, map_frames,
};
pub use metropolis::{BOLTZMANN_EV_PER_K, Metropolis, Series};
pub use regression::{Posterior, Regression};
pub use scan::{Direction, Ends, Member, Monitor, Scan, ScanSettings, Silent, scan};
pub use solution::RedlichKister;
pub use statistics::{Estimate, PointStatistics, point_statistics, sample_point, transient};
pub use supercell::Supercell;
pub use voltage::{
    Transition, VoltageCurve, VoltageSettings, compute_voltage, incremental_capacity, voltage_curve,
};
