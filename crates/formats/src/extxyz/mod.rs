//! Extended XYZ, after the specification of libAtoms (github.com/libAtoms/extxyz, README): many frames, each
//! a count
//! line, a header of `key=value` pairs, and one line per atom with the columns that `Properties` declares.

mod header;
mod read;
mod write;

pub use read::read_extxyz;
pub use write::write_extxyz;

/// Name used in messages.
pub(crate) const NAME: &str = "extended XYZ";

/// What is read from `Properties` when it is not there.
pub(crate) const PLAIN_PROPERTIES: &str = "species:S:1:pos:R:3";
