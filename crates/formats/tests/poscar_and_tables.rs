//! POSCAR and CSV: forms, errors, round trips.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use scalade_crystal::Structure;
use scalade_formats::{
    FileFormat, Poscar, Table, convert, read_csv, read_poscar, read_table_json, write_csv, write_poscar,
    write_table_json,
};

const LICOO2: &str = "LiCoO2 test\n  2.0\n 1.4 0 0\n 0 1.4 0\n 0 0 7.0\n Li_sv Co/1a2b O\n 1 1 2\nSelective dynamics\nDirect\n\
 0 0 0 T T F\n 0 0 0.5 F F F\n 0 0 0.26 .TRUE. f t ! z free\n 0 0 0.74 T T T\n\n 0.0 0.0 0.0\n 0.1 0.1 0.1\n";

fn refused(text: &str) -> String {
    read_poscar(text, "POSCAR").unwrap_err().to_string()
}

#[test]
fn scaling_modes_suffixes_and_selective_dynamics() {
    let poscar = read_poscar(LICOO2, "POSCAR").unwrap();
    assert_eq!(poscar.comment, "LiCoO2 test");
    assert_eq!(poscar.structure.species(), ["Li", "Co", "O", "O"]);
    assert_eq!(poscar.structure.lattice_angstrom()[2], [0.0, 0.0, 14.0]);
    assert_eq!(poscar.structure.fractional()[3], [0.0, 0.0, 0.74]);
    let flags = [[true, true, false], [false; 3], [true, false, true], [true; 3]];
    assert_eq!(poscar.selective.as_deref(), Some(flags.as_slice()));
    assert_eq!(poscar.unread_lines, 2);
    let comment = read_poscar(&LICOO2.replace("LiCoO2 test", "[data_] {test}"), "p").unwrap().comment;
    assert_eq!(comment, "[data_] {test}");
    // A negative factor is the volume.
    let volume = read_poscar(&LICOO2.replace("  2.0\n", " -54.88\n"), "p").unwrap().structure;
    assert!((volume.volume_cubic_angstrom() - 54.88).abs() < 1e-12);
    // Cartesian coordinates are scaled too.
    let cartesian = LICOO2.replace("Direct", "cartesian").replace("0 0 0.5 F", "0 0 3.5 F");
    let position = read_poscar(&cartesian, "p").unwrap().structure.cartesian_angstrom(1);
    assert!((position[2] - 7.0).abs() < 1e-12);
    let three = read_poscar(&LICOO2.replace("  2.0\n", " 2.0 2.0 1.0\n"), "p").unwrap().structure;
    assert_eq!(three.lattice_angstrom()[2][2], 7.0);
}

#[test]
fn selective_dynamics_survive_conversion() {
    let xyz = convert(LICOO2, "POSCAR", FileFormat::Poscar, FileFormat::ExtendedXyz, None).unwrap();
    assert!(xyz.contains("move_mask:L:3"));
    let back = convert(&xyz, "x", FileFormat::ExtendedXyz, FileFormat::Poscar, None).unwrap();
    let (new, old) = (read_poscar(&back, "p").unwrap(), read_poscar(LICOO2, "p").unwrap());
    assert_eq!((new.selective, new.comment), (old.selective, old.comment));
    assert_eq!(FileFormat::of_path("run/CONTCAR", None), Some(FileFormat::Poscar));
    assert_eq!(FileFormat::of_path("a.json", Some(FileFormat::Csv)), Some(FileFormat::TableJson));
    assert_eq!(FileFormat::of_path("a.json", None), Some(FileFormat::FramesJson));
    assert_eq!(FileFormat::of_path("a.tar", None), None);
}

#[test]
fn malformed_poscars_name_their_line() {
    for (old, new, part) in [
        ("  2.0\n", " 0\n", "POSCAR, line 2: the scaling factor"),
        ("  2.0\n", " x\n", "line 2: the scaling factor"),
        (" 0 1.4 0\n", " 0 1.4\n", "line 4: numbers of a lattice vector: expected 3, found 2"),
        (" 0 1.4 0\n", " 0 one 0\n", "line 4, column 4: 'one' is not a number"),
        (" 0 1.4 0\n", " 1.4 0 0\n", "span no volume"),
        (" Li_sv Co/1a2b O\n", "", "files of VASP 4 have none"),
        (" 1 1 2\n", " 1 1\n", "expected 3, found 2"),
        (" 1 1 2\n", " 1 -1 2\n", "line 7, column 4: '-1' is not a number of atoms"),
        (" 1 1 2\n", " 1 1 999999999999\n", "the file ends"),
        ("Direct", "Fractional", "line 9: expected 'Direct' or 'Cartesian', found 'Fractional'"),
        ("0 0 0.26 ", "0 0 nan ", "NaN and infinity are refused"),
        ("F F F", "F F", "selective dynamics needs three"),
    ] {
        let text = LICOO2.replace(old, new);
        let text = if new.contains("999") { text.split("\n\n").next().unwrap().to_string() } else { text };
        let found = refused(&text);
        assert!(found.contains(part), "{found}\n not {part}");
    }
    assert!(refused("").contains("empty"));
    assert!(refused("1\nLattice=\"1 0 0 0 1 0 0 0 1\"\nLi 0 0 0\n").contains("looks like extended XYZ"));
    assert!(refused("data_x\n_cell_length_a 3\n").contains("CIF"));
}

#[test]
fn tables_with_quotes_comments_and_typed_columns() {
    let text = "# made by hand\r\nid, x ,note,ok\r\na,1e-3,\"said \"\"so\"\",\nthen left\",True\r\n\r\n# between\nb,2d0, \"plain\" ,no\n";
    let table = read_csv(text, "t.csv").unwrap();
    assert_eq!(table.columns(), ["id", "x", "note", "ok"]);
    assert_eq!(table.numbers("x").unwrap(), [1e-3, 2.0]);
    assert_eq!(table.texts("note").unwrap(), ["said \"so\",\nthen left", "plain"]);
    assert_eq!(table.logicals("ok").unwrap(), [true, false]);
    assert_eq!((table.line(0), table.line(1)), (3, 7));
    let again = read_csv(&write_csv(&table).unwrap(), "t.csv").unwrap();
    assert_eq!((again.columns(), again.rows()), (table.columns(), table.rows()));
}

#[test]
fn malformed_tables_name_their_line() {
    let refused = |text: &str| read_csv(text, "t.csv").unwrap_err().to_string();
    for (text, part) in [
        ("", "t.csv: the file is empty"),
        ("# only\n", "empty"),
        (
            "a,b\n1,2\n3\n",
            "t.csv, line 3: fields of this row, as the header names columns: expected 2, found 1",
        ),
        ("a,a\n", "stands twice"),
        ("a,,b\n", "has no name"),
        ("# c\na,\"\"\n", "has no name"),
        ("a;b\n1;2\n", "semicolons"),
        ("a\tb\n", "tabs"),
        ("1,2\n3,4\n", "header line"),
        ("a,b\n1,\"2\n3,4\n", "t.csv, line 2: a quoted field that begins in this row is never closed"),
        ("a,b\n1,\"2\"x\n", "follows a closed quote"),
        ("[1]", "looks like JSON"),
        ("data_x,b\n1\n", "expected 2, found 1"),
    ] {
        let found = refused(text);
        assert!(found.contains(part), "{text:?} gave {found}");
    }
    let table = read_csv("id,v,n\na,1,1\nb,nan,1.5\nc,,x\n", "t.csv").unwrap();
    let found = table.numbers("v").unwrap_err().to_string();
    assert!(found.starts_with("t.csv, line 3: 'nan' is not a number that can be used for v; NaN"), "{found}");
    assert!(
        table
            .integers("n")
            .unwrap_err()
            .to_string()
            .starts_with("t.csv, line 3: '1.5' is not an integer for n")
    );
    assert!(table.logicals("n").unwrap_err().to_string().contains("line 3"));
    assert_eq!(table.texts("w").unwrap_err().to_string(), "t.csv: column 'w' is missing; there is: id, v, n");
    assert_eq!(read_csv("v\n1\n\n", "t").unwrap().optional_numbers("v").unwrap(), [Some(1.0)]);
    assert!(
        read_table_json("{\"columns\":[\"a\"],\"rows\":[[[1,2]]]}", "t")
            .unwrap_err()
            .to_string()
            .contains("one value")
    );
    assert!(
        read_table_json("{\"columns\":[\"a\"],\"rows\":[[1,2]]}", "t")
            .unwrap_err()
            .to_string()
            .contains("expected 1, found 2")
    );
}

/// Fields that a reader could take for comments, blanks or several fields.
fn field() -> impl Strategy<Value = String> {
    let awkward = [" # x", "  ", "\t", "", "#", "\"", " a ", "a\r", "x\r\ny"].map(str::to_string).to_vec();
    prop_oneof!["[ -~\n\"#,é]{0,8}", proptest::sample::select(awkward)]
}

proptest! {
    #[test]
    fn poscar_round_trip_to_the_bit(
        cell in proptest::array::uniform3(proptest::array::uniform3(-9.0..9.0f64)),
        atoms in proptest::collection::vec((proptest::sample::select(vec!["Li", "Co", "O"]), proptest::array::uniform3(any::<f64>().prop_filter("finite", |v| v.is_finite())), any::<[bool; 3]>()), 1..6),
        selective in any::<bool>(),
    ) {
        let species = atoms.iter().map(|a| a.0.to_string()).collect();
        let Ok(structure) = Structure::new(cell, species, atoms.iter().map(|a| a.1).collect()) else { return Ok(()) };
        let flags = selective.then(|| atoms.iter().map(|a| a.2).collect());
        let poscar = Poscar { comment: "c d".into(), structure, selective: flags, unread_lines: 0 };
        let back = read_poscar(&write_poscar(&poscar).unwrap(), "p").unwrap();
        prop_assert_eq!(format!("{back:?}"), format!("{poscar:?}"));
    }

    #[test]
    fn csv_round_trip(
        rows in proptest::collection::vec(proptest::collection::vec(field(), 2), 0..6),
        width in 1usize..3,
        names in proptest::sample::select(vec![["a", "b"], ["# x", "y,z"], ["\"q\"", "é"]]),
    ) {
        let rows: Vec<Vec<String>> = rows.into_iter().map(|r| r[..width].to_vec()).collect();
        let table = Table::new("t", names[..width].iter().map(ToString::to_string).collect(), rows).unwrap();
        let back = read_csv(&write_csv(&table).unwrap(), "t").map_err(|e| TestCaseError::fail(format!("{e}\n{:?}", write_csv(&table))))?;
        prop_assert_eq!(back.columns(), table.columns());
        prop_assert_eq!(back.rows(), table.rows());
    }

    #[test]
    fn numbers_survive_csv_to_json_and_back(values in proptest::collection::vec(any::<f64>().prop_filter("finite", |v| v.is_finite()), 1..6)) {
        let rows = values.iter().map(|v| vec![format!("{v:?}")]).collect();
        let table = Table::new("t", vec!["v".into()], rows).unwrap();
        let back = read_table_json(&write_table_json(&table).unwrap(), "t").unwrap();
        prop_assert_eq!(format!("{:?}", back.numbers("v").unwrap()), format!("{values:?}"));
    }
}
