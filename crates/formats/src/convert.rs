//! From one format to another.

use crate::computed::{
    decode_structures, read_ase_database, read_cif, read_espresso, read_structures_json, read_vasprun,
};
use crate::error::FormatError;
use crate::extxyz::{read_extxyz, write_extxyz};
use crate::frame::{Frame, InfoValue};
use crate::json::write_frames_json;
use crate::poscar::{Poscar, read_poscar, write_poscar};
use crate::table::{read_csv, read_table_json, write_csv, write_table_json};
use std::path::Path;

/// A format that [`convert`] knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// Extended XYZ: frames.
    ExtendedXyz,
    /// POSCAR or CONTCAR: one structure.
    Poscar,
    /// Frames as JSON; also read: entries and structures of pymatgen, databases and atoms of ASE.
    FramesJson,
    /// CIF; only read.
    Cif,
    /// vasprun.xml of VASP; only read.
    Vasprun,
    /// Output of pw.x of Quantum ESPRESSO; only read.
    Espresso,
    /// SQLite database of ASE; only read.
    AseDatabase,
    /// A table as CSV.
    Csv,
    /// A table as JSON.
    TableJson,
}

impl FileFormat {
    /// Name for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::ExtendedXyz => "extended XYZ",
            Self::Poscar => "POSCAR",
            Self::FramesJson => "frames as JSON",
            Self::Cif => "CIF",
            Self::Vasprun => "vasprun.xml",
            Self::Espresso => "pw.x output",
            Self::AseDatabase => "ASE database",
            Self::Csv => "CSV",
            Self::TableJson => "a table as JSON",
        }
    }

    /// Whether this format holds a table, not structures.
    pub fn is_table(self) -> bool {
        matches!(self, Self::Csv | Self::TableJson)
    }

    /// Whether this format can be written.
    pub fn is_written(self) -> bool {
        !matches!(self, Self::Cif | Self::Vasprun | Self::Espresso | Self::AseDatabase)
    }

    /// Format of a file by its name: `.extxyz` and `.xyz`, `.vasp` and names that begin with POSCAR or
    /// CONTCAR, `.cif`, `.xml` and names that begin with vasprun, `.pwo`, `.db`, `.csv`, and `.json` (a table
    /// if `other`, the format on the other side of the conversion, is one).
    pub fn of_path(path: &str, other: Option<Self>) -> Option<Self> {
        let file = Path::new(path).file_name()?.to_str()?;
        let ending = Path::new(file).extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
        match ending.as_str() {
            "extxyz" | "xyz" => Some(Self::ExtendedXyz),
            "csv" => Some(Self::Csv),
            "json" if other.is_some_and(Self::is_table) => Some(Self::TableJson),
            "json" => Some(Self::FramesJson),
            "vasp" | "poscar" => Some(Self::Poscar),
            "cif" => Some(Self::Cif),
            "xml" => Some(Self::Vasprun),
            "pwo" => Some(Self::Espresso),
            "db" => Some(Self::AseDatabase),
            _ if file.starts_with("POSCAR") || file.starts_with("CONTCAR") => Some(Self::Poscar),
            _ if file.starts_with("vasprun") => Some(Self::Vasprun),
            _ => None,
        }
    }
}

/// A file's content (text or bytes) in another format. `frame` (from 1) picks one frame where the target holds only one.
///
/// A POSCAR keeps lattice, species and positions only; selective dynamics become the per-atom logicals
/// `move_mask` of a frame, and
/// back. Structures and tables do not become each other.
///
/// ```
/// use scalade_formats::{FileFormat, convert};
/// let json = convert("x,V\n0.5,3.9\n", "ocv.csv", FileFormat::Csv, FileFormat::TableJson, None)?;
/// assert_eq!(json, r#"{"columns":["x","V"],"rows":[[0.5,3.9]]}"#);
/// # Ok::<(), scalade_formats::FormatError>(())
/// ```
pub fn convert(
    content: &(impl AsRef<[u8]> + ?Sized),
    name: &str,
    from: FileFormat,
    to: FileFormat,
    frame: Option<usize>,
) -> Result<String, FormatError> {
    let refuse = |reason: String| FormatError::Conversion { from: from.name(), to: to.name(), reason };
    if !to.is_written() {
        return Err(refuse(format!("{} is only read; write .extxyz, .vasp or .json", to.name())));
    }
    if from.is_table() != to.is_table() {
        return Err(refuse("structures and tables do not become each other".into()));
    }
    let bytes = content.as_ref();
    if from.is_table() {
        let text = decode_structures(bytes, name)?;
        let table = match from {
            FileFormat::Csv => read_csv(&text, name)?,
            _ => read_table_json(&text, name)?,
        };
        return if to == FileFormat::Csv { write_csv(&table) } else { write_table_json(&table) };
    }
    let mut frames = frames_of(bytes, name, from)?;
    if let Some(wanted) = frame {
        let count = frames.len();
        if wanted == 0 || wanted > count {
            return Err(refuse(format!("frame {wanted} is asked for, {name} has frames 1 to {count}")));
        }
        frames = vec![frames.swap_remove(wanted - 1)];
    }
    match to {
        FileFormat::ExtendedXyz => write_extxyz(&frames),
        FileFormat::FramesJson => write_frames_json(&frames),
        _ => match frames.as_slice() {
            [single] => write_poscar(&poscar_of_frame(single)?),
            many => {
                Err(refuse(format!("{name} has {} frames and a POSCAR holds one; say which", many.len())))
            }
        },
    }
}

/// Frames of a file of structures.
fn frames_of(bytes: &[u8], name: &str, from: FileFormat) -> Result<Vec<Frame>, FormatError> {
    if from == FileFormat::AseDatabase {
        return read_ase_database(bytes, name);
    }
    let text = decode_structures(bytes, name)?;
    Ok(match from {
        FileFormat::ExtendedXyz => read_extxyz(&text, name)?,
        FileFormat::FramesJson => read_structures_json(&text, name)?,
        FileFormat::Cif => read_cif(&text, name)?,
        FileFormat::Vasprun => vec![read_vasprun(&text, name)?],
        FileFormat::Espresso => vec![read_espresso(&text, name)?],
        _ => vec![frame_of_poscar(&read_poscar(&text, name)?, name)],
    })
}

pub(crate) fn frame_of_poscar(poscar: &Poscar, name: &str) -> Frame {
    let mut frame = Frame::from_structure(&poscar.structure);
    frame.file = name.to_string();
    if !poscar.comment.is_empty() {
        frame.info.insert("comment".into(), InfoValue::Text(poscar.comment.clone()));
    }
    if let Some(flags) = &poscar.selective {
        let values = flags.iter().flatten().copied().collect();
        frame.arrays.insert("move_mask".into(), crate::AtomArray::Logical { width: 3, values });
    }
    frame
}

fn poscar_of_frame(frame: &Frame) -> Result<Poscar, FormatError> {
    let comment = match frame.info.get("comment") {
        Some(InfoValue::Text(text)) => text.clone(),
        _ => frame.id(),
    };
    let selective = match frame.arrays.get("move_mask") {
        Some(crate::AtomArray::Logical { width: 3, values }) => {
            Some(values.chunks_exact(3).map(|f| [f[0], f[1], f[2]]).collect())
        }
        _ => None,
    };
    Ok(Poscar {
        comment: comment.trim().replace(['\n', '\r'], " "),
        structure: frame.structure()?,
        selective,
        unread_lines: 0,
    })
}
