//! Databases of ASE that are damaged, hostile or of other programs: an error that says what is wrong, no panic, and bounded time.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

use proptest::prelude::*;
use rusqlite::{Connection, MAIN_DB};
use scalade_formats::{FormatError, Frame, read_ase_database};
use std::time::Instant;

const SAMPLE: &[u8] = include_bytes!("data/python/ase.db");
const WAL: &[u8] = include_bytes!("data/python/wal.db");

/// The sample after some SQL, as its file would be.
fn changed(sql: &str) -> Vec<u8> {
    let mut connection = Connection::open_in_memory().unwrap();
    connection.deserialize_read_exact(MAIN_DB, SAMPLE, SAMPLE.len(), false).unwrap();
    connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
    connection.serialize(MAIN_DB).unwrap().to_vec()
}

/// A database made by SQL alone.
fn made(sql: &str) -> Vec<u8> {
    let mut connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(sql).unwrap();
    connection.serialize(MAIN_DB).unwrap().to_vec()
}

fn says(bytes: &[u8], words: &[&str]) {
    let said = read_ase_database(bytes, "rows.db").unwrap_err().to_string();
    for word in words {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
}

#[test]
fn files_that_are_none() {
    says(b"", &["rows.db", "empty"]);
    says(b"SQLite format 3\0", &["cut short", "100 bytes", "16"]);
    says(b"SQLite 2.1 database file, long enough to be one", &["no SQLite database"]);
    says(&SAMPLE[..SAMPLE.len() - 512], &["cut short", "15360", "14848"]);
    says(WAL, &["WAL", "PRAGMA journal_mode=DELETE"]);
    says(&made("CREATE TABLE other (id INTEGER)"), &["systems", "other"]);
    says(&made("PRAGMA user_version = 3"), &["systems", "no table at all"]);
}

#[test]
fn tables_that_are_none() {
    let versions =
        "CREATE TABLE information (name TEXT, value TEXT); INSERT INTO information VALUES ('version', '9');";
    says(&made("CREATE TABLE systems (id INTEGER PRIMARY KEY)"), &["no table information", "convert"]);
    says(
        &made(&format!("{versions} CREATE TABLE systems (id INTEGER PRIMARY KEY, numbers BLOB)")),
        &["column positions", "id, numbers"],
    );
    // A view that would never end.
    let endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n AS id, x'03000000' AS numbers, zeroblob(24) AS positions FROM c";
    says(&made(&format!("{versions} CREATE VIEW systems AS {endless}")), &["table systems"]);
    // A column that is computed.
    let computed = "CREATE TABLE systems (id INTEGER PRIMARY KEY, numbers BLOB, positions BLOB AS (zeroblob(1000000000)))";
    says(
        &made(&format!("{versions} {computed}; INSERT INTO systems (id, numbers) VALUES (1, x'03000000')")),
        &["column positions"],
    );
    says(
        &changed("UPDATE information SET value = '4' WHERE name = 'version'"),
        &["version", "'4'", "5 to 9"],
    );
    says(&changed("UPDATE information SET value = x'ff' WHERE name = 'version'"), &["version"]);
    says(&changed("DELETE FROM information"), &["version"]);
    says(&changed("DELETE FROM systems"), &["without rows"]);
}

#[test]
fn values_that_cannot_be() {
    let row =
        |column: &str, value: &str| changed(&format!("UPDATE systems SET {column} = {value} WHERE id = 1"));
    let nan = "x'000000000000f87f'";
    says(&row("positions", "zeroblob(8)"), &["row 1", "positions", "8"]);
    says(&row("positions", "NULL"), &["positions"]);
    says(&row("numbers", "NULL"), &["numbers"]);
    says(&row("numbers", "x'030000'"), &["row 1", "numbers"]);
    says(&row("numbers", "x'78030000' || x'03000000'"), &["row 1"]);
    says(&row("natoms", "1000000000000"), &["natoms", "1000000000000"]);
    says(&row("natoms", "-1"), &["natoms is -1"]);
    says(&row("pbc", "8"), &["pbc is 8"]);
    says(&row("cell", "zeroblob(71)"), &["cell", "71"]);
    says(&row("energy", "'low'"), &["energy", "low"]);
    says(&row("energy", "9e999"), &["energy", "inf"]);
    says(&row("magmoms", nan), &["magmoms"]);
    says(&row("calculator_parameters", "'{\"a\": '"), &["calculator_parameters"]);
    says(&row("key_value_pairs", "'[1]'"), &["key_value_pairs"]);
    says(&row("id", "1, positions = CAST(positions AS TEXT)"), &["positions"]);
    // Not a number among the coordinates.
    let some =
        format!("(SELECT substr(positions, 1, length(positions) - 8) || {nan} FROM systems WHERE id = 1)");
    says(&row("positions", &format!("CAST({some} AS BLOB)")), &["NaN", "positions"]);
    // A table that holds itself.
    let schema = "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 1 WHERE name = 'systems'";
    assert!(read_ase_database(&changed(schema), "rows.db").is_err());
}

fn finite(frames: &[Frame]) {
    for frame in frames {
        assert!(frame.positions_angstrom.iter().flatten().all(|c| c.is_finite()));
        assert!(frame.lattice_angstrom.iter().flatten().flatten().all(|c| c.is_finite()));
        let _ = frame.structure();
    }
}

#[derive(Clone, Debug)]
enum Mutation {
    Byte(usize, u8),
    Number(usize, u32),
    Copy(usize, usize, usize),
    Page(usize, usize),
    Truncate(usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        6 => (any::<usize>(), any::<u8>()).prop_map(|(a, b)| Mutation::Byte(a, b)),
        2 => (any::<usize>(), any::<u32>()).prop_map(|(a, n)| Mutation::Number(a, n)),
        3 => (any::<usize>(), any::<usize>(), 1usize..64).prop_map(|(a, b, n)| Mutation::Copy(a, b, n)),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Mutation::Page(a, b)),
        1 => any::<usize>().prop_map(Mutation::Truncate),
    ]
}

fn mutate(mutations: &[Mutation]) -> Vec<u8> {
    let mut bytes = SAMPLE.to_vec();
    let paste = |bytes: &mut Vec<u8>, from: usize, to: usize, length: usize| {
        let length = length.min(bytes.len() - from).min(bytes.len() - to);
        bytes.copy_within(from..from + length, to);
    };
    for mutation in mutations {
        let count = bytes.len();
        if count == 0 {
            break;
        }
        match *mutation {
            Mutation::Byte(a, b) => bytes[a % count] = b,
            Mutation::Number(a, n) => {
                for (at, byte) in n.to_be_bytes().into_iter().enumerate() {
                    bytes[(a + at) % count] = byte;
                }
            }
            Mutation::Copy(a, b, n) => paste(&mut bytes, a % count, b % count, n),
            Mutation::Page(a, b) => {
                let pages = count.div_ceil(512);
                paste(&mut bytes, a % pages * 512, b % pages * 512, 512);
            }
            Mutation::Truncate(a) => bytes.truncate(a % (count + 1)),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn damaged_databases_never_panic(mutations in proptest::collection::vec(mutation(), 1..6)) {
        let bytes = mutate(&mutations);
        let began = Instant::now();
        match read_ase_database(&bytes, "rows.db") {
            Ok(frames) => finite(&frames),
            Err(error) => prop_assert!(error.to_string().contains("rows.db"), "{error}"),
        }
        prop_assert!(began.elapsed().as_secs_f64() < 5.0);
    }
}

/// The same damage has the same outcome: nothing is read beyond the bytes given.
#[test]
fn what_is_read_is_a_function_of_the_bytes() {
    for at in (0..SAMPLE.len()).step_by(37) {
        let bytes = mutate(&[Mutation::Byte(at, 0xa5)]);
        let shown = |r: Result<Vec<Frame>, FormatError>| format!("{r:?}");
        let (first, second) = (read_ase_database(&bytes, "a"), read_ase_database(&bytes, "a"));
        assert_eq!(shown(first), shown(second), "byte {at}");
    }
}
