//! Readers and writers of the field's file formats: extended XYZ, POSCAR, CIF, vasprun.xml, output of pw.x,
//! structures and
//! entries as JSON, databases of ASE, CSV tables, hop barriers and reference energies.
//!
//! Readers take text (and bytes, of databases) that may be hostile: memory grows with the text, never with what the text claims, and
//! every error
//! names the file, the line, the column and the frame where it can. No NaN and no infinity leaves a reader
//! as a number.
//!
//! ```
//! use scalade_formats::{energy_ev, read_extxyz, write_extxyz};
//! let text = "2\nLattice=\"3.4 0 0 0 3.4 0 0 0 3.4\" Properties=species:S:1:pos:R:3 id=bcc energy=-3.8\n\
//!             Li 0 0 0\nLi 1.7 1.7 1.7\n";
//! let frames = read_extxyz(text, "lithium.extxyz")?;
//! assert_eq!(frames[0].structure()?.count("Li"), 2);
//! assert_eq!(energy_ev(&frames[0], "energy")?, -3.8);
//! // What is written reads back to the bit.
//! assert_eq!(read_extxyz(&write_extxyz(&frames)?, "lithium.extxyz")?, frames);
//! // An error says where.
//! let error = read_extxyz(&text.replace("Li 1.7", "Li 1,7"), "lithium.extxyz").unwrap_err();
//! let place = "lithium.extxyz, line 4, column 4 (frame 1)";
//! assert!(error.to_string().starts_with(&format!("{place}: '1,7' is not a number")));
//! # Ok::<(), scalade_formats::FormatError>(())
//! ```

mod bands;
mod barriers;
mod computed;
mod convert;
mod density_of_states;
mod elements;
mod error;
mod extxyz;
mod frame;
mod json;
mod poscar;
mod references;
mod table;
mod text;

pub use bands::{ComputedBands, read_computed_bands};
pub use barriers::{HopBarrier, read_barriers};
pub use computed::{
    StructureFormat, decode_structures, read_ase_database, read_cif, read_espresso, read_structures,
    read_structures_bytes, read_structures_json, read_vasprun,
};
pub use convert::{FileFormat, convert};
pub use density_of_states::{ElectronicTable, PhononTable, read_electronic_dos, read_phonon_dos};
pub use elements::{atomic_number, element_symbol};
pub use error::{FormatError, Place};
pub use extxyz::{read_extxyz, write_extxyz};
pub use frame::{AtomArray, Frame, InfoValue, energy_ev, standard_error_ev};
pub use json::{read_frames_json, write_frames_json};
pub use poscar::{Poscar, read_poscar, write_poscar};
pub use references::{EnergyPer, ReferenceEnergy, read_references};
pub use table::{Table, read_csv, read_table_json, write_csv, write_table_json};
pub use text::{decode_text, parse_number};
