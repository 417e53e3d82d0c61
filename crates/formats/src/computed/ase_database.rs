//! The SQLite database of ASE, `ase.db.connect("x.db")`.
//!
//! SQLite reads the file; here stand only what the columns of ASE mean and what is refused. The file may be
//! hostile, so it is opened as the documentation of SQLite advises for such files: from a copy in memory that
//! cannot be written, without trust in its schema, with bounds on the length of values and on the work, and
//! with a check of each table before it is read.

use super::ase::{Arrays, frame, unpack};
use super::json_tree::{Node, words_for_nan};
use crate::error::{FormatError, Place, shown};
use crate::frame::Frame;
use crate::text::{SQLITE_MAGIC, decode_text};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, MAIN_DB, OptionalExtension, Row};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

const NAME: &str = "an SQLite database of ASE";
/// Length of the header of an SQLite file, bytes.
const HEADER_BYTES: usize = 100;
/// Longest file, bytes: SQLite allots no more at once.
const LONGEST_FILE: usize = 2_147_483_391;
/// Versions of the tables that are read; ASE itself reads no older ones.
const VERSIONS: std::ops::RangeInclusive<u32> = 5..=9;
/// Steps of SQLite between two looks at their number.
const STEPS_AT_ONCE: i32 = 1000;
/// Columns without which there is no structure.
const NEEDED: [&str; 3] = ["id", "numbers", "positions"];
/// Columns that are read where they are there.
const OPTIONAL: [&str; 10] = [
    "cell",
    "pbc",
    "natoms",
    "initial_magmoms",
    "magmoms",
    "energy",
    "free_energy",
    "calculator",
    "calculator_parameters",
    "key_value_pairs",
];

/// Structures of the SQLite database that `ase.db.connect("x.db")` writes, one frame a row, in the order of
/// the row numbers.
///
/// A row gives what the JSON of ASE gives, under the same keys ([`read_structures_json`]): `energy` and
/// `free_energy` in eV, positions and cell in angstrom, `initial_magmoms` and `magmoms` in Bohr magnetons as
/// per-atom properties, `calculator`, `functional`, `hubbard_u`, the key-value pairs, and `id`, the row where the
/// pairs have no id, name or label. The columns `data` and `constraints` and tables of your own are not read.
/// The bytes are read from memory: nothing is written beside the file.
///
/// [`read_structures_json`]: crate::read_structures_json
///
/// Errors: [`FormatError::Empty`]; [`FormatError::WrongFormat`] for files of another format;
/// [`FormatError::Syntax`] for a file cut short or damaged, one in the journal mode WAL (whose last rows stand in
/// another file), other versions than 5 to 9, values of the wrong kind, and NaN or infinity;
/// [`FormatError::Missing`] for a database without the table `systems`, its columns, or a row;
/// [`FormatError::Count`] with expected and found bytes for an array that does not fit its atoms.
pub fn read_ase_database(bytes: &[u8], name: &str) -> Result<Vec<Frame>, FormatError> {
    check_header(bytes, name)?;
    let file = File { connection: open(bytes, name)?, name };
    file.check_version()?;
    file.check_table("systems")?;
    let columns = file.columns()?;
    let frames = file.rows(&columns)?;
    if frames.is_empty() {
        return Err(FormatError::missing(Place::file(name), "a row", "a database of ASE without rows"));
    }
    Ok(frames)
}

/// Refuses what SQLite would refuse in fewer words.
fn check_header(bytes: &[u8], name: &str) -> Result<(), FormatError> {
    let refuse = |problem: String| Err(FormatError::syntax(Place::file(name), problem));
    if bytes.is_empty() {
        return Err(FormatError::Empty { place: Box::new(Place::file(name)), wanted: NAME });
    }
    if !bytes.starts_with(SQLITE_MAGIC) {
        return Err(not_sqlite(bytes, name));
    }
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
        return refuse(format!(
            "the file is cut short: the header of a database has {HEADER_BYTES} bytes, the file has {}",
            bytes.len()
        ));
    };
    if bytes.len() > LONGEST_FILE {
        return refuse(format!(
            "the file has {} bytes, at most {LONGEST_FILE} are read; write its rows to several files (ase db {} QUERY --insert-into PART.db)",
            bytes.len(),
            shown(name)
        ));
    }
    let [write, read] = [header[18], header[19]];
    if write == 2 || read == 2 {
        return refuse(format!(
            "the database is in the journal mode WAL (bytes 18 and 19 of its header are {write} and {read}), so rows may stand in a file beside it that is not read; bring all into one file: sqlite3 {} \"PRAGMA journal_mode=DELETE\"",
            shown(name)
        ));
    }
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let page = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        size => u64::from(size),
    };
    // The number of pages counts only where the same program wrote it as the last change.
    let pages = if number(24) == number(92) { u64::from(number(28)) } else { 0 };
    if pages * page > bytes.len() as u64 {
        return refuse(format!(
            "the file is cut short: its header tells {pages} pages of {page} bytes, which are {} bytes, and the file has {}",
            pages * page,
            bytes.len()
        ));
    }
    Ok(())
}

fn not_sqlite(bytes: &[u8], name: &str) -> FormatError {
    let found = match decode_text(bytes, name, NAME) {
        Ok(text) => super::wrong_format(text, name, NAME, &[]),
        Err(error @ FormatError::WrongFormat { .. }) => Some(error),
        Err(_) => None,
    };
    found.unwrap_or_else(|| {
        let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(16)]);
        let problem = format!(
            "this is no SQLite database: it begins with '{}', not with 'SQLite format 3'; give the file that ase.db wrote",
            shown(&beginning)
        );
        FormatError::syntax(Place::file(name), problem)
    })
}

/// What SQLite says of a damaged file.
fn damaged(name: &str, doing: &str, error: &rusqlite::Error) -> FormatError {
    let problem = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::OperationInterrupted) => {
            format!("{doing} takes more steps than a file of this length can need; the database is damaged")
        }
        _ => format!(
            "{doing}: SQLite says '{}'; the database is damaged: write it again, or as JSON (ase db {} --insert-into x.json)",
            shown(&error.to_string()),
            shown(name)
        ),
    };
    FormatError::syntax(Place::file(name), problem)
}

/// The database in memory, read-only and bounded.
fn open(bytes: &[u8], name: &str) -> Result<Connection, FormatError> {
    let opened = || -> rusqlite::Result<Connection> {
        let mut connection = Connection::open_in_memory()?;
        connection.deserialize_read_exact(MAIN_DB, bytes, bytes.len(), true)?;
        // No value is longer than the file that holds it; expressions of the schema can claim any length.
        let longest = i32::try_from(bytes.len()).unwrap_or(i32::MAX).max(65_536);
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, longest)?;
        connection.set_limit(Limit::SQLITE_LIMIT_EXPR_DEPTH, 100)?;
        connection.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100)?;
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        // Time grows with the file: a tree of pages that are their own children would be walked for ever.
        let mut left = (bytes.len() as u64).saturating_mul(64).saturating_add(1_000_000);
        connection.progress_handler(
            STEPS_AT_ONCE,
            Some(move || {
                left = left.saturating_sub(STEPS_AT_ONCE as u64);
                left == 0
            }),
        )?;
        for (pragma, value) in [
            ("trusted_schema", "OFF"),
            ("cell_size_check", "ON"),
            ("ignore_check_constraints", "ON"),
            ("temp_store", "MEMORY"),
        ] {
            connection.pragma_update(None, pragma, value)?;
        }
        Ok(connection)
    };
    opened().map_err(|error| damaged(name, "opening the file", &error))
}

struct File<'a> {
    connection: Connection,
    name: &'a str,
}

impl File<'_> {
    fn refuse(&self, problem: impl Into<String>) -> FormatError {
        FormatError::syntax(Place::file(self.name), problem)
    }

    /// A table, not a view or a virtual table, without damage: only such are read in a time that grows with the
    /// file.
    fn check_table(&self, table: &str) -> Result<(), FormatError> {
        let failed = |e: &rusqlite::Error| damaged(self.name, &format!("looking for the table {table}"), e);
        let text = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        let sql = self.connection.query_row(text, [table], |row| row.get::<_, Option<String>>(0));
        let Some(sql) = sql.optional().map_err(|e| failed(&e))? else {
            return Err(FormatError::missing(
                Place::file(self.name),
                format!("the table {table}"),
                format!("{}; give a file that ase.db wrote", self.tables().map_err(|e| failed(&e))?),
            ));
        };
        // SQLite writes this beginning of every ordinary table, whatever the user typed.
        if !sql.as_deref().is_some_and(|sql| sql.starts_with("CREATE TABLE ")) {
            return Err(self.refuse(format!("{table} is no ordinary table, as ase.db writes")));
        }
        let doing = format!("checking the table {table}");
        let found = self
            .connection
            .query_row(&format!("PRAGMA quick_check('{table}')"), [], |row| row.get::<_, String>(0))
            .map_err(|e| damaged(self.name, &doing, &e))?;
        if found == "ok" {
            return Ok(());
        }
        Err(self.refuse(format!(
            "the table {table} is damaged, SQLite says: {}; was the file copied while it was written? Copy or write it again",
            shown(&found)
        )))
    }

    /// The tables in words.
    fn tables(&self) -> rusqlite::Result<String> {
        let text = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name LIMIT 8";
        let mut statement = self.connection.prepare(text)?;
        let names = statement.query_map([], |row| row.get::<_, String>(0))?;
        let names = names.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(if names.is_empty() {
            "no table at all".into()
        } else {
            format!("the tables {}", shown(&names.join(", ")))
        })
    }

    fn check_version(&self) -> Result<(), FormatError> {
        let way_out = |problem: String| {
            self.refuse(format!(
                "{problem}; versions {} to {} are read: convert the file (python -m ase.db.convert {name}), or write it as JSON (ase db {name} --insert-into x.json)",
                VERSIONS.start(),
                VERSIONS.end(),
                name = shown(self.name)
            ))
        };
        let failed = |e: rusqlite::Error| damaged(self.name, "reading the version", &e);
        let known = "SELECT count(*) FROM sqlite_schema WHERE name = ?1";
        let tables = |name: &str| self.connection.query_row(known, [name], |row| row.get::<_, i64>(0));
        if tables("information").map_err(failed)? == 0 {
            // Without the table of rows it is no database of ASE at all, which the next check says.
            if tables("systems").map_err(failed)? == 0 {
                return Ok(());
            }
            return Err(way_out(
                "the database has no table information, so it is of a version before 3".into(),
            ));
        }
        self.check_table("information")?;
        let text = "SELECT CAST(value AS TEXT) FROM information WHERE name = 'version'";
        let version = self.connection.query_row(text, [], |row| row.get::<_, Option<String>>(0));
        let version = version.optional().map_err(failed)?.flatten().unwrap_or_default();
        match version.trim().parse::<u32>() {
            Ok(number) if VERSIONS.contains(&number) => Ok(()),
            _ => Err(way_out(format!("the version of the database is '{}'", shown(&version)))),
        }
    }

    /// The columns that are read, in the order in which they are asked for.
    fn columns(&self) -> Result<Vec<&'static str>, FormatError> {
        let listed = || -> rusqlite::Result<BTreeSet<String>> {
            // Names columns that hold values; those that are computed from an expression are left out.
            let mut statement = self.connection.prepare("PRAGMA table_info('systems')")?;
            statement.query_map([], |row| row.get::<_, String>("name"))?.collect()
        };
        let there = listed().map_err(|e| damaged(self.name, "listing the columns of systems", &e))?;
        if let Some(missing) = NEEDED.iter().find(|column| !there.contains(**column)) {
            let names: Vec<&str> = there.iter().map(String::as_str).collect();
            return Err(FormatError::missing(
                Place::file(self.name),
                format!("the column {missing} of the table systems"),
                format!("the columns {}; give a file that ase.db wrote", shown(&names.join(", "))),
            ));
        }
        Ok(NEEDED.into_iter().chain(OPTIONAL).filter(|column| there.contains(*column)).collect())
    }

    fn rows(&self, columns: &[&'static str]) -> Result<Vec<Frame>, FormatError> {
        let failed = |e: rusqlite::Error| damaged(self.name, "reading the rows", &e);
        let text = format!("SELECT {} FROM systems ORDER BY id", columns.join(", "));
        let mut statement = self.connection.prepare(&text).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        let mut frames = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let index = frames.len() + 1;
            let record = Record::new(self.name, index, columns, row)?;
            frames.push(record.frame()?.checked()?);
        }
        Ok(frames)
    }
}

/// The kind of a value in words.
fn kind(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "nothing (NULL)".into(),
        ValueRef::Integer(number) => format!("the integer {number}"),
        ValueRef::Real(number) => format!("the number {number}"),
        ValueRef::Text(text) => format!("the text '{}'", shown(&String::from_utf8_lossy(text))),
        ValueRef::Blob(bytes) => format!("a blob of {} bytes", bytes.len()),
    }
}

/// One row of the table.
struct Record<'a> {
    name: &'a str,
    index: usize,
    id: String,
    columns: &'a [&'static str],
    row: &'a Row<'a>,
}

impl<'a> Record<'a> {
    fn new(
        name: &'a str,
        index: usize,
        columns: &'a [&'static str],
        row: &'a Row<'a>,
    ) -> Result<Self, FormatError> {
        let mut record = Self { name, index, id: index.to_string(), columns, row };
        record.id = match record.value("id")? {
            ValueRef::Integer(id) => id.to_string(),
            other => return Err(record.refuse(&format!("id is {}; an integer is due", kind(other)))),
        };
        Ok(record)
    }

    fn place(&self) -> Place {
        Place::file(self.name).frame(self.index)
    }

    fn refuse(&self, problem: &str) -> FormatError {
        FormatError::syntax(self.place(), format!("row {}: {problem}", self.id))
    }

    /// What stands in a column; NULL where the table has no such column.
    fn value(&self, column: &str) -> Result<ValueRef<'a>, FormatError> {
        let Some(at) = self.columns.iter().position(|known| *known == column) else {
            return Ok(ValueRef::Null);
        };
        self.row
            .get_ref(at)
            .map_err(|e| damaged(self.name, &format!("reading {column} of row {}", self.id), &e))
    }

    fn integer(&self, column: &str) -> Result<Option<i64>, FormatError> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => Ok(Some(number)),
            other => Err(self.refuse(&format!("{column} is {}; an integer is due", kind(other)))),
        }
    }

    /// A finite number. SQLite keeps NaN as NULL.
    fn number(&self, column: &str) -> Result<Option<f64>, FormatError> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => Ok(Some(number as f64)),
            ValueRef::Real(number) if number.is_finite() => Ok(Some(number)),
            other => Err(self.refuse(&format!("{column} is {}; a finite number is due", kind(other)))),
        }
    }

    fn text(&self, column: &str) -> Result<Option<&'a str>, FormatError> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(text) => std::str::from_utf8(text).map(Some).map_err(|error| {
                self.refuse(&format!("{column}: byte {} is not UTF-8 text", error.valid_up_to()))
            }),
            other => Err(self.refuse(&format!("{column} is {}; a text is due", kind(other)))),
        }
    }

    fn json(&self, column: &str) -> Result<Option<Value>, FormatError> {
        let Some(text) = self.text(column)? else { return Ok(None) };
        let parsed = serde_json::from_str(text).or_else(|error| match words_for_nan(text) {
            Some(text) => serde_json::from_str(&text),
            None => Err(error),
        });
        parsed.map(Some).map_err(|error| {
            self.refuse(&format!("{column} is no JSON: {}; repair the row", shown(&error.to_string())))
        })
    }

    fn blob(&self, column: &str) -> Result<Option<&'a [u8]>, FormatError> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(bytes) => Ok(Some(bytes)),
            other => Err(self.refuse(&format!("{column} is {}; a blob of numbers is due", kind(other)))),
        }
    }

    fn count(&self, what: String, expected: u64, found: u64) -> FormatError {
        FormatError::Count { place: Box::new(self.place()), what, expected, found }
    }

    /// The numbers of a blob, as ASE packs them: little-endian, without shape.
    fn numbers(&self, column: &str, bytes: &[u8], kind: &str) -> Result<Vec<f64>, FormatError> {
        unpack(bytes, kind).map_err(|problem| self.refuse(&format!("{column}: {problem}")))
    }

    /// A blob of `width` numbers of 8 bytes.
    fn reals(&self, column: &str, width: usize, of: &str) -> Result<Option<Vec<f64>>, FormatError> {
        let Some(bytes) = self.blob(column)? else { return Ok(None) };
        if bytes.len() != 8 * width {
            let what = format!("bytes of {column} in row {} ({of})", self.id);
            return Err(self.count(what, 8 * width as u64, bytes.len() as u64));
        }
        self.numbers(column, bytes, "float64").map(Some)
    }

    /// Atomic numbers, of 4 bytes each, as many as the column `natoms` says.
    fn atomic_numbers(&self) -> Result<Option<Vec<f64>>, FormatError> {
        let Some(bytes) = self.blob("numbers")? else { return Ok(None) };
        if let Some(atoms) = self.integer("natoms")? {
            let expected = u64::try_from(atoms)
                .ok()
                .and_then(|atoms| atoms.checked_mul(4))
                .ok_or_else(|| self.refuse(&format!("natoms is {atoms}, which is no number of atoms")))?;
            if expected != bytes.len() as u64 {
                let what = format!("bytes of numbers in row {} (natoms is {atoms}, 4 an atom)", self.id);
                return Err(self.count(what, expected, bytes.len() as u64));
            }
        }
        self.numbers("numbers", bytes, "int32").map(Some)
    }

    /// Magnetic moments: one or three an atom. A calculator that gives them in single precision (neural networks
    /// do) leaves them so in the blob; the number of atoms tells.
    fn moments(&self, column: &str, atoms: usize) -> Result<Option<Vec<f64>>, FormatError> {
        let Some(bytes) = self.blob(column)?.filter(|_| atoms > 0) else { return Ok(None) };
        let kind = match (bytes.len().checked_div(atoms), bytes.len().checked_rem(atoms)) {
            (Some(8 | 24), Some(0)) => "float64",
            (Some(4 | 12), Some(0)) => "float32",
            _ => {
                let what = format!(
                    "bytes of {column} in row {} ({atoms} atoms, 8 each; 24 for vectors, half of it in single precision)",
                    self.id
                );
                return Err(self.count(what, 8 * atoms as u64, bytes.len() as u64));
            }
        };
        self.numbers(column, bytes, kind).map(Some)
    }

    fn arrays(&self) -> Result<Arrays, FormatError> {
        // Without atoms the frame is refused, whatever the other columns hold.
        let Some(numbers) = self.atomic_numbers()? else { return Ok(Arrays::default()) };
        let atoms = numbers.len();
        let periodic = match self.integer("pbc")? {
            None => [false; 3],
            // One bit for each vector.
            Some(bits @ 0..=7) => [bits & 1 != 0, bits & 2 != 0, bits & 4 != 0],
            Some(other) => {
                return Err(self.refuse(&format!("pbc is {other}; three bits, 0 to 7, are due")));
            }
        };
        Ok(Arrays {
            positions: self.reals("positions", 3 * atoms, &format!("{atoms} atoms, 24 each"))?,
            cell: self.reals("cell", 9, "three vectors")?,
            initial_magmoms: self.moments("initial_magmoms", atoms)?,
            magmoms: self.moments("magmoms", atoms)?,
            periodic,
            numbers: Some(numbers),
        })
    }

    /// The frame, made by the reader of ASE's JSON from what that would find in the row.
    fn frame(&self) -> Result<Frame, FormatError> {
        let mut object = Map::new();
        for column in ["energy", "free_energy"] {
            if let Some(number) = self.number(column)? {
                object.insert(column.into(), Value::from(number));
            }
        }
        if let Some(calculator) = self.text("calculator")? {
            object.insert("calculator".into(), Value::from(calculator));
        }
        for column in ["calculator_parameters", "key_value_pairs"] {
            if let Some(value) = self.json(column)? {
                object.insert(column.into(), value);
            }
        }
        let node = Node { object: &object, name: self.name, index: self.index, id: &self.id };
        frame(&node, self.arrays()?)
    }
}
