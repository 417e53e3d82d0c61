//! Files that ASE and pymatgen wrote: every reader gives the numbers that Python held (`data/python/README.md`).

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail with it")]

use scalade_formats::{
    AtomArray, FileFormat, Frame, InfoValue, StructureFormat, convert, energy_ev, read_extxyz,
    read_structures, read_structures_bytes,
};
use serde_json::Value;

fn bytes(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/python").join(name);
    std::fs::read(path).unwrap()
}

fn frames(name: &str) -> Vec<Frame> {
    read_structures_bytes(&bytes(name), name).unwrap()
}

fn expected(name: &str) -> Vec<Value> {
    let all: Value = serde_json::from_slice(&bytes("expected.json")).unwrap();
    all[name].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        Value::Null => Vec::new(),
        number => vec![number.as_f64().unwrap()],
    }
}

fn close(what: &str, found: &[f64], wanted: &[f64], tolerance: f64) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (a, b) in found.iter().zip(wanted) {
        assert!((a - b).abs() <= tolerance, "{what}: {a} is not {b}");
    }
}

fn text<'a>(frame: &'a Frame, key: &str) -> &'a str {
    match frame.info.get(key) {
        Some(InfoValue::Text(text)) => text,
        other => panic!("{key} is {other:?}"),
    }
}

/// Species, positions, cell, periodicity, energy, names and moments; atoms in the same order.
fn compare(name: &str, position_tolerance: f64, moment_tolerance: f64) {
    let (found, wanted) = (frames(name), expected(name));
    assert_eq!(found.len(), wanted.len(), "{name}");
    for (frame, wanted) in found.iter().zip(&wanted) {
        let what = format!("{name}, frame {}", frame.index);
        let species: Vec<&str> =
            wanted["species"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
        assert_eq!(frame.species, species, "{what}");
        let positions = frame.positions_angstrom.concat();
        close(&what, &positions, &numbers(&wanted["positions"]), position_tolerance);
        let cell = numbers(&wanted["cell"]);
        match frame.lattice_angstrom {
            Some(lattice) => close(&what, lattice.as_flattened(), &cell, position_tolerance.min(1e-8)),
            None => close(&what, &[0.0; 9], &cell, 0.0),
        }
        assert_eq!(Value::from(frame.periodic.to_vec()), wanted["pbc"], "{what}");
        match wanted["energy"].as_f64() {
            Some(energy) => close(&what, &[energy_ev(frame, "energy").unwrap()], &[energy], 1e-12),
            None => assert!(!frame.info.contains_key("energy"), "{what}"),
        }
        if let Some(id) = wanted["id"].as_str() {
            assert_eq!(frame.id(), id);
        }
        for key in ["initial_magmoms", "magmoms"] {
            match (frame.arrays.get(key), wanted[key].is_null()) {
                (None, true) => {}
                (Some(AtomArray::Real { width: 1, values }), false) => {
                    close(&format!("{what}, {key}"), values, &numbers(&wanted[key]), moment_tolerance);
                }
                other => panic!("{what}, {key}: {other:?}"),
            }
        }
    }
}

#[test]
fn database_of_ase() {
    compare("ase.db", 0.0, 0.0);
    let found = frames("ase.db");
    let methods = |frame: &Frame| {
        ["calculator", "functional", "hubbard_u"]
            .map(|key| frame.info.contains_key(key).then(|| text(frame, key).to_string()))
    };
    let some = |word: &str| Some(word.to_string());
    assert_eq!(methods(&found[0]), [some("VASP"), some("PBE"), some("Co:3.32")]);
    assert_eq!(methods(&found[1]), [some("VASP"), some("PBE"), some("Co:3.32")]);
    assert_eq!(methods(&found[2]), [some("VASP"), some("PBE"), None]);
    assert_eq!(methods(&found[3]), [some("emt"), None, None]);
    assert_eq!(methods(&found[4]), [None, None, None]);
    assert_eq!(energy_ev(&found[0], "free_energy").unwrap(), -22.7);
    assert_eq!(text(&found[0], "note"), "R-3m, \u{e5}ngstr\u{f6}m");
    assert_eq!(
        ["x", "relaxed", "n"].map(|key| &found[0].info[key]),
        [&InfoValue::Float(1.0), &InfoValue::Bool(true), &InfoValue::Int(3)]
    );
    assert_eq!(found[3].info["x"], InfoValue::Float(1.0 / 3.0));
    assert_eq!(found[3].info["big"], InfoValue::Float(1e22));
    assert!(found[5].lattice_angstrom.is_none());
}

/// The same rows as SQLite and as JSON are the same frames, bit by bit.
#[test]
fn database_and_json_are_the_same_frames() {
    compare("ase.json", 0.0, 0.0);
    let mut database = frames("ase.db");
    for frame in &mut database {
        frame.file = "ase.json".into();
    }
    assert_eq!(database, frames("ase.json"));
}

#[test]
fn the_content_tells_a_database() {
    assert_eq!(StructureFormat::of_path("runs/x.DB"), Some(StructureFormat::AseDatabase));
    assert_eq!(StructureFormat::of("rows", &bytes("ase.db")), StructureFormat::AseDatabase);
    assert_eq!(read_structures_bytes(&bytes("ase.db"), "rows").unwrap().len(), 6);
    let error = read_structures_bytes(&bytes("ase.db"), "rows.json").unwrap_err().to_string();
    assert!(error.contains("an SQLite database") && error.contains(".db"), "{error}");
    let error = read_structures_bytes(&bytes("ase.json"), "rows.db").unwrap_err().to_string();
    assert!(error.contains("looks like JSON, not an SQLite database of ASE"), "{error}");
    let error = read_structures("1\nLattice=\"3 0 0 0 3 0 0 0 3\"\nLi 0 0 0\n", "rows.db").unwrap_err();
    assert!(error.to_string().contains("looks like extended XYZ"), "{error}");
}

#[test]
fn conversions_of_a_database() {
    assert_eq!(FileFormat::of_path("x.db", None), Some(FileFormat::AseDatabase));
    let from = FileFormat::AseDatabase;
    let written = convert(&bytes("ase.db"), "ase.db", from, FileFormat::ExtendedXyz, None).unwrap();
    let again = read_extxyz(&written, "ase.db").unwrap();
    for (again, frame) in again.iter().zip(frames("ase.db")) {
        assert_eq!(
            (&again.species, &again.positions_angstrom, &again.info, &again.arrays, again.periodic),
            (&frame.species, &frame.positions_angstrom, &frame.info, &frame.arrays, frame.periodic)
        );
    }
    let poscar = convert(&bytes("ase.db"), "ase.db", from, FileFormat::Poscar, Some(3)).unwrap();
    assert_eq!(read_structures(&poscar, "POSCAR").unwrap()[0].species, ["Li", "Li"]);
    let error = convert("", "x.xyz", FileFormat::ExtendedXyz, from, None).unwrap_err().to_string();
    assert!(error.contains("ASE database is only read"), "{error}");
}

#[test]
fn extended_xyz_of_ase() {
    // Eight digits after the point.
    compare("ase.extxyz", 0.5001e-8, 0.5001e-8);
    let frame = &frames("ase.extxyz")[0];
    assert_eq!(frame.arrays["forces"].width(), 3);
    assert_eq!(
        frame.arrays["move_mask"],
        AtomArray::Logical { width: 1, values: vec![false, true, true, true] }
    );
}

#[test]
fn poscar_of_ase_and_pymatgen() {
    compare("ase.vasp", 1e-14, 0.0);
    compare("ase_cartesian.vasp", 1e-14, 0.0);
    // Twelve digits of fractional coordinates and of the vectors.
    compare("pymatgen.vasp", 2e-11, 0.0);
    let flags = vec![false, false, false, true, true, false, true, true, false, true, true, false];
    let mask = AtomArray::Logical { width: 3, values: flags };
    assert_eq!(frames("pymatgen.vasp")[0].arrays["move_mask"], mask);
}

/// The cell of a CIF lies as the reader puts it: edges and angles are compared, and every site modulo the cell,
/// in any order.
fn compare_cif(name: &str, tolerance: f64) {
    let (found, wanted) = (frames(name), expected(name));
    let structure = found[0].structure().unwrap();
    let wanted = &wanted[0];
    let cell = numbers(&wanted["cell"]);
    let lattice: [[f64; 3]; 3] = std::array::from_fn(|k| [cell[3 * k], cell[3 * k + 1], cell[3 * k + 2]]);
    let positions = numbers(&wanted["positions"]);
    let positions: Vec<[f64; 3]> = positions.as_chunks::<3>().0.to_vec();
    let species: Vec<String> =
        wanted["species"].as_array().unwrap().iter().map(|s| s.as_str().unwrap().to_string()).collect();
    let python = scalade_crystal::Structure::from_cartesian(lattice, species, &positions).unwrap();
    let metric = |lattice: &[[f64; 3]; 3]| -> Vec<f64> {
        let dot = |n: usize| (0..3).map(|k| lattice[n / 3][k] * lattice[n % 3][k]).sum();
        (0..9).map(dot).collect()
    };
    close(name, &metric(structure.lattice_angstrom()), &metric(&lattice), 100.0 * tolerance);
    assert_eq!(structure.len(), python.len(), "{name}");
    for (species, position) in python.species().iter().zip(python.fractional()) {
        let same = (0..structure.len()).filter(|i| {
            let apart = |k: usize| (structure.fractional()[*i][k] - position[k] + 0.5).rem_euclid(1.0) - 0.5;
            structure.species()[*i] == *species && (0..3).all(|k| apart(k).abs() <= tolerance)
        });
        assert_eq!(same.count(), 1, "{name}: {species} at {position:?}");
    }
}

#[test]
fn cif_of_ase_and_pymatgen() {
    compare_cif("ase.cif", 1e-12);
    compare_cif("pymatgen.cif", 1.1e-8);
    compare_cif("pymatgen_symmetry.cif", 1.1e-8);
    assert_eq!(frames("pymatgen_symmetry.cif")[0].id(), "LiCoO2");
}

#[test]
fn json_of_pymatgen() {
    compare("pymatgen_structure.json", 1e-14, 0.0);
    compare("pymatgen_entries.json", 1e-14, 0.0);
    let found = frames("pymatgen_entries.json");
    for (frame, wanted) in found.iter().zip(expected("pymatgen_entries.json")) {
        let corrected = wanted["corrected_energy"].as_f64().unwrap();
        close("corrected", &[energy_ev(frame, "corrected_energy").unwrap()], &[corrected], 1e-12);
        assert_eq!(
            ["functional", "hubbard_u", "run_type", "calculator"].map(|key| text(frame, key)),
            ["PBE", "Co:3.32", "GGA+U", "VASP"]
        );
    }
    assert_eq!(found[1].species, ["Li+", "Co3+", "O2-", "O2-"]);
}
