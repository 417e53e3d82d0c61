//! Structures and energies as the programs of the field write them.

mod ase;
mod ase_database;
mod cif;
mod espresso;
mod json_tree;
mod method;
mod pymatgen;
mod vasprun;

pub use ase_database::read_ase_database;
pub use cif::read_cif;
pub use espresso::read_espresso;
pub use json_tree::read_structures_json;
pub(crate) use json_tree::words_for_nan;
pub use vasprun::read_vasprun;

use crate::error::FormatError;
use crate::extxyz::read_extxyz;
use crate::frame::Frame;
use crate::poscar::read_poscar;
use crate::text::{Look, SQLITE_MAGIC, decode_text, look};
use std::borrow::Cow;
use std::path::Path;

/// A format of structures, with or without energies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StructureFormat {
    /// Extended XYZ, [`read_extxyz`].
    ExtendedXyz,
    /// POSCAR and CONTCAR, [`read_poscar`]; no energies.
    Poscar,
    /// CIF, [`read_cif`]; no energies.
    Cif,
    /// vasprun.xml of VASP, [`read_vasprun`].
    Vasprun,
    /// Output of pw.x of Quantum ESPRESSO, [`read_espresso`].
    Espresso,
    /// JSON of this package, of pymatgen and of ASE, [`read_structures_json`].
    Json,
    /// SQLite database of ASE, [`read_ase_database`].
    AseDatabase,
}

impl StructureFormat {
    /// Name for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::ExtendedXyz => "extended XYZ",
            Self::Poscar => "POSCAR",
            Self::Cif => "CIF",
            Self::Vasprun => "vasprun.xml",
            Self::Espresso => "pw.x output",
            Self::Json => "JSON",
            Self::AseDatabase => "ASE database",
        }
    }

    /// Whether files of this format can hold energies.
    pub fn holds_energies(self) -> bool {
        !matches!(self, Self::Poscar | Self::Cif)
    }

    /// Format that a file's name promises: the endings `.extxyz`, `.xyz`, `.vasp`, `.poscar`, `.cif`, `.xml`,
    /// `.pwo`, `.json`, `.db`, and names that begin with POSCAR, CONTCAR or vasprun. `None` for other names,
    /// whose content decides.
    pub fn of_path(path: &str) -> Option<Self> {
        let file = Path::new(path).file_name()?.to_str()?;
        let ending = Path::new(file).extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
        match ending.as_str() {
            "extxyz" | "xyz" => Some(Self::ExtendedXyz),
            "vasp" | "poscar" => Some(Self::Poscar),
            "cif" => Some(Self::Cif),
            "xml" => Some(Self::Vasprun),
            "pwo" => Some(Self::Espresso),
            "json" => Some(Self::Json),
            "db" => Some(Self::AseDatabase),
            _ if file.starts_with("POSCAR") || file.starts_with("CONTCAR") => Some(Self::Poscar),
            _ if file.starts_with("vasprun") => Some(Self::Vasprun),
            _ => None,
        }
    }

    /// Format of a text by its beginning; `None` where it cannot be told.
    pub fn of_content(text: &str) -> Option<Self> {
        match look(text)? {
            Look::Binary => None,
            Look::Vasprun | Look::Xml => Some(Self::Vasprun),
            Look::Json => Some(Self::Json),
            Look::Cif => Some(Self::Cif),
            Look::Espresso => Some(Self::Espresso),
            Look::Poscar => Some(Self::Poscar),
            Look::ExtendedXyz => Some(Self::ExtendedXyz),
        }
    }

    /// Format of a file: what its name promises, else what its content (text or bytes) looks like, else
    /// extended XYZ.
    pub fn of(path: &str, content: &(impl AsRef<[u8]> + ?Sized)) -> Self {
        let bytes = content.as_ref();
        let by_content = || {
            if bytes.starts_with(SQLITE_MAGIC) {
                return Some(Self::AseDatabase);
            }
            Self::of_content(&String::from_utf8_lossy(bytes))
        };
        Self::of_path(path).or_else(by_content).unwrap_or(Self::ExtendedXyz)
    }
}

/// Structures of a text in the format that the file's name promises; where the name promises none, the
/// content decides.
///
/// Energies stand under `energy` (eV per cell); `functional`, `hubbard_u` and `calculator` say how they were
/// computed, as far as the file does; `id` names the frame. POSCAR and CIF have no energies.
///
/// ```
/// use scalade_formats::{energy_ev, read_structures};
/// let entries = r#"[{"@class": "ComputedEntry", "composition": {"Li": 2, "Ti": 4, "O": 8},
///     "energy": -114.92282305, "entry_id": "mp-1", "parameters": {"run_type": "GGA"}}]"#;
/// let frames = read_structures(entries, "entries.json")?;
/// assert_eq!(energy_ev(&frames[0], "energy")?, -114.92282305);
/// // A composition is all that it has: no lattice can be asked of it.
/// assert!(frames[0].structure().unwrap_err().to_string().contains("composition"));
/// # Ok::<(), scalade_formats::FormatError>(())
/// ```
///
/// Errors: those of the format's reader; [`FormatError::WrongFormat`] when name and content disagree.
pub fn read_structures(text: &str, name: &str) -> Result<Vec<Frame>, FormatError> {
    match StructureFormat::of(name, text) {
        StructureFormat::ExtendedXyz => read_extxyz(text, name)?.into_iter().map(Frame::checked).collect(),
        StructureFormat::Poscar => {
            Ok(vec![crate::convert::frame_of_poscar(&read_poscar(text, name)?, name).checked()?])
        }
        StructureFormat::Cif => read_cif(text, name),
        StructureFormat::Vasprun => Ok(vec![read_vasprun(text, name)?]),
        StructureFormat::Espresso => Ok(vec![read_espresso(text, name)?]),
        StructureFormat::Json => read_structures_json(text, name),
        StructureFormat::AseDatabase => read_ase_database(text.as_bytes(), name),
    }
}

/// Structures of a file by its bytes: [`read_ase_database`] for a database, else [`read_structures`] of its
/// text. This is the reader for files of any format, some of which are no text.
///
/// ```
/// use scalade_formats::read_structures_bytes;
/// let text = b"1\nLattice=\"3 0 0 0 3 0 0 0 3\"\nLi 0 0 0\n";
/// assert_eq!(read_structures_bytes(text, "lithium.extxyz")?.len(), 1);
/// let error = read_structures_bytes(text, "lithium.db").unwrap_err();
/// assert!(error.to_string().contains("looks like extended XYZ, not an SQLite database of ASE"));
/// # Ok::<(), scalade_formats::FormatError>(())
/// ```
///
/// Errors: those of the format's reader; as [`decode_structures`].
pub fn read_structures_bytes(bytes: &[u8], name: &str) -> Result<Vec<Frame>, FormatError> {
    match StructureFormat::of(name, bytes) {
        StructureFormat::AseDatabase => read_ase_database(bytes, name),
        _ => read_structures(&decode_structures(bytes, name)?, name),
    }
}

/// Text of a file of structures. XML and CIF may be in ISO 8859-1 (VASP declares it, authors' names need it):
/// where their bytes are not UTF-8 they are taken as that; all that is read of them is ASCII.
///
/// Errors: as [`decode_text`].
pub fn decode_structures<'a>(bytes: &'a [u8], name: &str) -> Result<Cow<'a, str>, FormatError> {
    match decode_text(bytes, name, "text") {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(FormatError::Syntax { .. })
            if matches!(
                StructureFormat::of_path(name),
                Some(StructureFormat::Vasprun | StructureFormat::Cif)
            ) =>
        {
            Ok(Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()))
        }
        Err(error) => Err(error),
    }
}

/// The error for a text that is not of the format its reader expects.
pub(crate) fn wrong_format(
    text: &str,
    name: &str,
    wanted: &'static str,
    except: &[Look],
) -> Option<FormatError> {
    let found = look(text).filter(|found| !except.contains(found))?;
    let (looks_like, way_out) = found.words();
    let place = Box::new(crate::error::Place::file(name));
    Some(FormatError::WrongFormat { place, looks_like, wanted, way_out })
}
