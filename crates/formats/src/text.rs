//! Text from bytes, numbers from tokens, and the recognition of files of another format.

use crate::error::{FormatError, Place, shown};

/// How every file of SQLite begins.
pub(crate) const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// Text of a file that is expected to be `wanted` (such as "extended XYZ"). A byte-order mark is dropped.
///
/// Errors: [`FormatError::WrongFormat`] for compressed and binary files by their first bytes;
/// [`FormatError::Syntax`] with
/// the line for bytes that are not UTF-8.
pub fn decode_text<'a>(bytes: &'a [u8], name: &str, wanted: &'static str) -> Result<&'a str, FormatError> {
    const MAGIC: [(&[u8], &str, &str); 9] = [
        (b"\x1f\x8b", "a gzip file", "decompress it first (gunzip)"),
        (b"BZh", "a bzip2 file", "decompress it first (bunzip2)"),
        (b"\xfd7zXZ", "an xz file", "decompress it first (unxz)"),
        (b"\x28\xb5\x2f\xfd", "a zstd file", "decompress it first (unzstd)"),
        (b"PK\x03\x04", "a zip archive", "unpack it first"),
        (b"\x89HDF", "an HDF5 file", "export it as text"),
        (b"CDF", "a netCDF file", "export it as text"),
        (SQLITE_MAGIC, "an SQLite database", "give it the ending .db if ASE wrote it"),
        (b"\x93NUMPY", "a NumPy array", "export it as text"),
    ];
    for (magic, looks_like, way_out) in MAGIC {
        if bytes.starts_with(magic) {
            return Err(FormatError::WrongFormat {
                place: Box::new(Place::file(name)),
                looks_like,
                wanted,
                way_out,
            });
        }
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let line = bytes[..error.valid_up_to()].split(|b| *b == b'\n').count();
            let problem = format!("byte {} is not UTF-8 text; save the file as UTF-8", error.valid_up_to());
            Err(FormatError::syntax(Place::line(name, line), problem))
        }
    }
}

/// What a text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Binary,
    Vasprun,
    Xml,
    Json,
    Cif,
    Espresso,
    Poscar,
    ExtendedXyz,
}

impl Look {
    /// What it looks like and what to do.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Binary => ("a binary or compressed file", "decompress it or export it as text"),
            Self::Vasprun => ("a vasprun.xml (XML)", "give it the ending .xml"),
            Self::Xml => ("an XML file", "the only XML that is read is vasprun.xml"),
            Self::Json => ("JSON", "give it the ending .json"),
            Self::Cif => ("CIF", "give it the ending .cif"),
            Self::Espresso => ("output of pw.x", "give it the ending .pwo"),
            Self::Poscar => ("a POSCAR file", "name the format poscar"),
            Self::ExtendedXyz => ("extended XYZ", "give it the ending .extxyz"),
        }
    }
}

/// Format of a text by its first lines, when it can be told: (what it looks like, what to do).
pub(crate) fn recognise(text: &str) -> Option<(&'static str, &'static str)> {
    look(text).map(Look::words)
}

/// Format of a text by its first lines, when it can be told.
pub(crate) fn look(text: &str) -> Option<Look> {
    let head = text.trim_start_matches('\u{feff}').trim_start();
    if text.contains('\0') || text.starts_with('\u{1f}') || text.contains('\u{fffd}') {
        return Some(Look::Binary);
    }
    let beginning = || text.lines().take(200);
    if head.starts_with("<?xml") || head.starts_with("<modeling") {
        let vasprun = beginning().any(|l| l.contains("<modeling"));
        return Some(if vasprun { Look::Vasprun } else { Look::Xml });
    }
    if head.starts_with('{') || head.starts_with('[') {
        return Some(Look::Json);
    }
    if beginning().any(|l| l.trim_start().starts_with("Program PWSCF")) {
        return Some(Look::Espresso);
    }
    let item = |l: &str| l.trim_start().starts_with('_') || l.trim_start().starts_with("loop_");
    let cell = |l: &str| l.trim_start().starts_with("_cell_length_a");
    if beginning().any(cell) || (head.starts_with("data_") && beginning().any(item)) {
        return Some(Look::Cif);
    }
    let lines: Vec<&str> = text.lines().take(6).collect();
    let numbers = |line: &&str| line.split_whitespace().map_while(parse_number).count();
    if lines.len() > 4
        && matches!(numbers(&lines[1]), 1 | 3)
        && lines[2..5].iter().all(|l| numbers(l) == 3 && l.split_whitespace().count() == 3)
    {
        return Some(Look::Poscar);
    }
    let counted =
        lines.first().is_some_and(|l| !l.trim().is_empty() && l.trim().bytes().all(|b| b.is_ascii_digit()));
    if counted && lines.get(1).is_some_and(|l| l.contains("Lattice=") || l.contains("Properties=")) {
        return Some(Look::ExtendedXyz);
    }
    None
}

/// A finite decimal number: digits with an optional point, sign and exponent written with e, E, d or D
/// (Fortran).
/// `None` for anything else, for the words nan and inf, and for numbers that overflow.
///
/// ```
/// use scalade_formats::parse_number;
/// assert_eq!(parse_number("-1.5D-03"), Some(-0.0015));
/// assert_eq!(parse_number("nan"), None);
/// assert_eq!(parse_number("1e999"), None);
/// ```
pub fn parse_number(token: &str) -> Option<f64> {
    let plain = |b: u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E');
    let fortran = |b: u8| matches!(b, b'd' | b'D');
    let number: f64 = if token.bytes().all(plain) {
        token.parse().ok()?
    } else if token.bytes().all(|b| plain(b) || fortran(b)) {
        token.replace(['d', 'D'], "e").parse().ok()?
    } else {
        return None;
    };
    number.is_finite().then_some(number)
}

/// A decimal integer with optional sign. Leading zeros make it a text (an identifier such as 0042).
pub(crate) fn parse_integer(token: &str) -> Option<i64> {
    let digits = token.strip_prefix(['+', '-']).unwrap_or(token);
    let canonical = digits == "0" || (!digits.starts_with('0') && !digits.is_empty());
    (canonical && digits.bytes().all(|b| b.is_ascii_digit())).then(|| token.parse().ok())?
}

/// A logical value as extended XYZ writes it.
pub(crate) fn parse_logical(token: &str) -> Option<bool> {
    match token {
        "T" | "True" | "true" | "TRUE" => Some(true),
        "F" | "False" | "false" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A number that is demanded: the error names the place and, for common slips, how to mend it.
pub(crate) fn demand_number(
    token: &str,
    place: impl FnOnce() -> Place,
    what: &str,
) -> Result<f64, FormatError> {
    parse_number(token).ok_or_else(|| {
        let lower = token.to_ascii_lowercase();
        let word = lower.trim_start_matches(['+', '-']);
        let hint = if word == "nan" || word.starts_with("inf") {
            "; NaN and infinity are refused: remove or repair the frame or row"
        } else if token.contains(',') {
            "; the decimal separator is a point"
        } else if token.contains('*') {
            "; the writer's field was too narrow"
        } else {
            ""
        };
        FormatError::Number { place: Box::new(place()), text: shown(token), what: what.to_string(), hint }
    })
}

/// Column (characters, from 1) at which a token, a part of `line`, begins.
pub(crate) fn column_of(line: &str, token: &str) -> usize {
    let offset = (token.as_ptr() as usize).saturating_sub(line.as_ptr() as usize).min(line.len());
    line.get(..offset).map_or(1, |before| before.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        for (token, value) in
            [("1", 1.0), ("+.5", 0.5), ("5.", 5.0), ("1.e-3", 1e-3), ("-2D+02", -200.0), ("1d3", 1e3)]
        {
            assert_eq!(parse_number(token), Some(value), "{token}");
        }
        for token in [
            "",
            "-",
            ".",
            "e5",
            "1e",
            "nan",
            "inf",
            "-Infinity",
            "1e400",
            "0x10",
            "1_000",
            "1,5",
            "--1",
            "1dd3",
        ] {
            assert_eq!(parse_number(token), None, "{token}");
        }
        assert_eq!(parse_integer("-12"), Some(-12));
        assert_eq!(parse_integer("0"), Some(0));
        for token in ["0042", "", "+", "1.0", "99999999999999999999"] {
            assert_eq!(parse_integer(token), None, "{token}");
        }
    }

    #[test]
    fn bytes_of_other_formats_are_named() {
        let error = decode_text(b"\x1f\x8b\x08\0", "a.xyz", "extended XYZ").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.xyz: this looks like a gzip file, not extended XYZ; decompress it first (gunzip)"
        );
        assert!(decode_text(b"\x89HDF\r\n", "a", "CSV").unwrap_err().to_string().contains("HDF5"));
        let error = decode_text(b"1\n2\n\xff", "a", "CSV").unwrap_err();
        assert!(error.to_string().starts_with("a, line 3: byte 4 is not UTF-8"));
        assert_eq!(decode_text("\u{feff}x".as_bytes(), "a", "CSV").unwrap(), "x");
    }
}
