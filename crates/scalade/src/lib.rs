//! Scalade: one engine that climbs the scales of a battery material, from first-principles energies to a cell.
//!
//! This crate binds the models to studies ([`kinds::registry`]), runs them ([`runner`]), and offers the rungs alone. The physics of each rung
//! lives in its own crate, re-exported here.

pub mod band_file;
pub mod band_source;
pub mod bands_figures;
mod bands_hall;
mod bands_masses;
pub mod bands_request;
pub mod cell_run;
pub mod compute;
pub mod demo;
pub mod document_text;
mod error;
mod figure_files;
mod headline;
mod hop_document;
pub mod hop_figures;
pub mod hop_file;
mod hop_theta;
pub mod kinds;
pub mod model_file;
pub mod ordering_files;
pub mod orderings;
pub mod prim_file;
pub mod report_content;
pub mod rungs;
pub mod rungs_bands;
mod rungs_bands_closed;
mod rungs_bands_series;
pub mod rungs_barriers;
pub mod rungs_enumerate;
pub mod rungs_groundstates;
pub mod rungs_hop_dilute;
pub mod rungs_hop_model;
mod rungs_hop_network;
mod rungs_hop_species;
pub mod rungs_model;
pub mod rungs_montecarlo;
pub mod rungs_phases;
pub mod rungs_refine;
pub mod rungs_reweighting;
pub mod rungs_species;
mod rungs_species_model;
pub mod rungs_sqs;
pub mod rungs_tangent;
pub mod rungs_thermal;
pub mod rungs_vineyard;
pub mod runner;
pub mod selftest;
pub mod species_model_file;

pub use error::ScaladeError;
pub use headline::{Headline, headlines};
pub use scalade_bands as bands;
pub use scalade_cell as cell;
pub use scalade_crystal as crystal;
pub use scalade_energetics as energetics;
pub use scalade_expansion as expansion;
pub use scalade_formats as formats;
pub use scalade_handoff as handoff;
pub use scalade_hopping as hopping;
pub use scalade_lattice as lattice;
pub use scalade_numerics as numerics;
pub use scalade_record as record;
pub use scalade_study as study;
pub use scalade_units as units;
