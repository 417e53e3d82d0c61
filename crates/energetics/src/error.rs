//! What can be wrong with a set of energies.

use thiserror::Error;

/// Why a set of energies gives no hull or no voltage. Entries are counted from 1.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum EnergeticsError {
    /// No entries.
    #[error("there are no entries; give at least two compositions of one host")]
    Empty,
    /// Two entries of one name.
    #[error("entries {first} and {second} are both called {id}; give every entry its own id")]
    DuplicateId {
        /// The id.
        id: String,
        /// The first of them.
        first: usize,
        /// The second of them.
        second: usize,
    },
    /// An entry without energy.
    #[error("entry {entry} ({id}) has no energy; give its total energy in eV or leave it out")]
    MissingEnergy {
        /// Entry.
        entry: usize,
        /// Its id.
        id: String,
    },
    /// An energy, or its standard error, that cannot be one.
    #[error("entry {entry} ({id}): {what} is {value} eV; {want}")]
    Energy {
        /// Entry.
        entry: usize,
        /// Its id.
        id: String,
        /// Which number.
        what: &'static str,
        /// The number, eV.
        value: f64,
        /// What is admissible.
        want: &'static str,
    },
    /// Energies that cannot be compared.
    #[error(
        "energies of different methods are mixed: {first_id} is {first_label}, {second_id} is {second_label}; compute all of them with one functional and one set of U, or keep one group only"
    )]
    MixedLabels {
        /// An entry.
        first_id: String,
        /// Its label.
        first_label: String,
        /// An entry of another label, or the reference.
        second_id: String,
        /// Its label.
        second_label: String,
    },
    /// An entry with nothing but the working ion, or nothing at all.
    #[error(
        "entry {entry} ({id}) has no host: it holds nothing but {ion}; give the energy of pure {ion} as the reference"
    )]
    NoHost {
        /// Entry.
        entry: usize,
        /// Its id.
        id: String,
        /// The working ion.
        ion: String,
    },
    /// Entries of different hosts.
    #[error(
        "entry {entry} ({id}) has the host {found}, the entries before it have {expected}; voltages need one host: leave it out, or check the working ion ({ion})"
    )]
    HostMismatch {
        /// Entry.
        entry: usize,
        /// Its id.
        id: String,
        /// Host of this entry.
        found: String,
        /// Host of the others.
        expected: String,
        /// The working ion.
        ion: String,
    },
    /// A cell too large to count exactly.
    #[error("entry {entry} ({id}) has {atoms} atoms; at most {limit} can be counted exactly")]
    Size {
        /// Entry.
        entry: usize,
        /// Its id.
        id: String,
        /// Atoms.
        atoms: u64,
        /// Limit.
        limit: u64,
    },
    /// All entries have the same composition.
    #[error(
        "all {entries} entries have x = {x} {ion} per {host}; a voltage needs at least one more composition (the working ion is {ion}: right?)"
    )]
    OneComposition {
        /// Entries.
        entries: usize,
        /// Their composition.
        x: f64,
        /// Working ion.
        ion: String,
        /// Host formula.
        host: String,
    },
    /// A formula multiple of zero, or too large.
    #[error("x is counted per {multiple} reduced host formulas; that must be 1 to 1000")]
    FormulaMultiple {
        /// The multiple.
        multiple: u64,
    },
    /// An ion whose valence is not known.
    #[error("the valence of the working ion {symbol} is not known; state it (with_valence)")]
    Valence {
        /// The ion.
        symbol: String,
    },
    /// A reference energy that cannot be one.
    #[error("the reference of {symbol}: {what} is {value}; {want}")]
    Reference {
        /// The ion.
        symbol: String,
        /// Which number.
        what: &'static str,
        /// The number.
        value: f64,
        /// What is admissible.
        want: &'static str,
    },
    /// A reference of another ion.
    #[error("x counts {ion}, the reference is of {reference}; give the energy of {ion}")]
    OtherIon {
        /// Working ion of the set.
        ion: String,
        /// Ion of the reference.
        reference: String,
    },
    /// An id that is not in the set.
    #[error("there is no entry {id} in this set of {entries}")]
    UnknownId {
        /// The id.
        id: String,
        /// Entries.
        entries: usize,
    },
    /// A number of a vibrational or electronic model that cannot be one.
    #[error("{what} is {value}; {want}")]
    Vibration {
        /// Which number.
        what: &'static str,
        /// The number.
        value: f64,
        /// What is admissible.
        want: &'static str,
    },
    /// A voltage between equal compositions.
    #[error("{first} and {second} have the same composition x = {x}; a voltage needs two")]
    SameComposition {
        /// The first.
        first: String,
        /// The second.
        second: String,
        /// Their composition.
        x: f64,
    },
}
