//! Structures and energies of other programs, from the files to voltages: the real binary, from outside.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../formats/tests/data").join(name)
}

fn scalade(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_scalade")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn document(arguments: &[&str]) -> Value {
    let done = scalade(arguments);
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// Exit code 2 and a message with every one of `words`.
fn refused(arguments: &[&str], words: &[&str]) {
    let done = scalade(arguments);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(2), "{arguments:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?} does not say {word:?}:\n{said}");
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

/// A finished vasprun.xml of atoms `species` in a cubic cell; every element is a type of its own.
fn vasprun(species: &[&str], energy: f64, hubbard: &str) -> String {
    let mut types: Vec<&str> = species.to_vec();
    types.dedup();
    let atoms: String = species.iter().fold(String::new(), |mut out, s| {
        let _ = write!(out, "<rc><c>{s}</c><c>1</c></rc>");
        out
    });
    let rows: String = types.iter().fold(String::new(), |mut out, s| {
        let _ = write!(out, "<rc><c>1</c><c>{s}</c><c>1</c><c>1</c><c>PAW_PBE {s} 01Jan2000</c></rc>");
        out
    });
    let positions: String = (0..species.len()).fold(String::new(), |mut out, i| {
        let _ = write!(out, "<v>0 0 {}</v>", i as f64 / species.len() as f64);
        out
    });
    format!(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<modeling>\n<parameters><i type=\"int\" name=\"NELM\">60</i>{hubbard}</parameters>\n\
         <atominfo><array name=\"atoms\"><set>{atoms}</set></array><array name=\"atomtypes\"><set>{rows}</set></array></atominfo>\n\
         <calculation><structure><crystal><varray name=\"basis\"><v>5 0 0</v><v>0 5 0</v><v>0 0 5</v></varray></crystal>\
         <varray name=\"positions\">{positions}</varray></structure>\
         <energy><i name=\"e_fr_energy\">{energy}</i><i name=\"e_wo_entrp\">{energy}</i><i name=\"e_0_energy\">{energy}</i></energy></calculation>\n</modeling>\n"
    )
}

fn u_on_cobalt(position: usize, u: f64) -> String {
    let list = |value: f64, other: f64| -> String {
        (0..3)
            .map(|i| if i == position { value.to_string() } else { other.to_string() })
            .collect::<Vec<_>>()
            .join(" ")
    };
    format!(
        "<i type=\"logical\" name=\"LDAU\">T</i><i type=\"int\" name=\"LDAUTYPE\">2</i><v name=\"LDAUL\">{}</v><v name=\"LDAUU\">{}</v><v name=\"LDAUJ\">0 0 0</v>",
        list(2.0, -1.0),
        list(u, 0.0)
    )
}

const L13: f64 = 0.897_023_81;

/// Reference result L13: LiTiO2 of the Materials Project, x = 0.5 to 1 lithium per TiO2.
#[test]
fn l13_voltage_of_computed_entries() {
    let entries = sample("litio2.json");
    let arguments = [
        "voltage",
        entries.to_str().unwrap(),
        "--reference-energy",
        "-1.90753119 eV",
        "--working-ion",
        "Li",
        "--json",
    ];
    let found = document(&arguments);
    assert_eq!(found["host"], "TiO2");
    let steps = found["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 2);
    let last = &steps[1];
    assert_eq!((last["x_from"].as_f64(), last["x_to"].as_f64()), (Some(0.5), Some(1.0)));
    assert_eq!((last["from"].as_str(), last["to"].as_str()), (Some("half"), Some("full")));
    assert!((last["voltage_V"].as_f64().unwrap() - L13).abs() < 1e-6, "{last}");
    // V = -[E(0.5) - E(0) - 2 E_Li] / 2 in the cell of four TiO2.
    let first = -(-114.922_823_05 + 105.535_967_12 - 2.0 * -1.907_531_19) / 2.0;
    assert!((steps[0]["voltage_V"].as_f64().unwrap() - first).abs() < 1e-9);
    // The corrections cancel in the voltage where all entries have the same.
    let corrected = document(&[&arguments[..], &["--energy-key", "corrected_energy"]].concat());
    assert!((corrected["steps"][1]["voltage_V"].as_f64().unwrap() - L13).abs() < 1e-6);
}

#[test]
fn entries_without_structures_are_no_orderings() {
    let entries = sample("litio2.json");
    refused(
        &["expand", entries.to_str().unwrap()],
        &["full", "composition of 16 atoms", "ComputedStructureEntry"],
    );
}

#[test]
fn several_vasp_runs_and_their_folder() {
    let folder = tempfile::tempdir().unwrap();
    let charged =
        write(folder.path(), "a/vasprun.xml", &vasprun(&["Co", "O", "O"], -17.0, &u_on_cobalt(0, 3.32)));
    let full = write(
        folder.path(),
        "b/vasprun.xml",
        &vasprun(&["Li", "Co", "O", "O"], -22.5, &u_on_cobalt(1, 3.32)),
    );
    let metal = write(folder.path(), "li/vasprun.xml", &vasprun(&["Li"], -1.9, ""));
    write(folder.path(), "a/POSCAR", "not asked for");
    write(folder.path(), "a/deeper/vasprun.xml", "not asked for");
    write(folder.path(), "result.json", "{\"average_voltage_V\": 1}");
    let named = document(&["voltage", &charged, &full, "--reference-energy", "-1.9 eV", "--json"]);
    assert!((named["average_voltage_V"].as_f64().unwrap() - 3.6).abs() < 1e-9);
    assert_eq!(named["hull"][1]["id"], full.as_str());
    // The metal has no cobalt and hence no U: its method is that of the oxides.
    let with_metal = document(&["voltage", &charged, &full, &metal, "--json"]);
    assert!((with_metal["average_voltage_V"].as_f64().unwrap() - 3.6).abs() < 1e-9);
    let found = document(&["voltage", folder.path().to_str().unwrap(), "--json"]);
    assert_eq!(found, with_metal);
    // A file that is named twice is one file.
    let twice = document(&["voltage", &charged, &full, &charged, "--reference-energy", "-1.9 eV", "--json"]);
    assert_eq!(twice, named);
    // What pw.x wrote is known by its content, other output is not; entries are known by their marks.
    write(folder.path(), "c/pw.out", &std::fs::read_to_string(sample("relax.pwo")).unwrap());
    write(folder.path(), "c/slurm.out", "no structure");
    refused(
        &["voltage", folder.path().to_str().unwrap(), "--reference-energy", "-1.9 eV"],
        &["calculator=Quantum ESPRESSO", "calculator=VASP", "other files"],
    );
    let entries = tempfile::tempdir().unwrap();
    write(entries.path(), "entries.json", &std::fs::read_to_string(sample("litio2.json")).unwrap());
    write(entries.path(), "result.json", "{\"average_voltage_V\": 1}");
    let options = ["--reference-energy", "-1.90753119 eV", "--json"];
    let found = document(&[&["voltage", entries.path().to_str().unwrap()][..], &options].concat());
    assert!((found["steps"][1]["voltage_V"].as_f64().unwrap() - L13).abs() < 1e-6);
    let none = tempfile::tempdir().unwrap();
    refused(&["voltage", none.path().to_str().unwrap()], &["no file of structures", "vasprun.xml", "pwo"]);
}

#[test]
fn methods_are_not_mixed_across_files() {
    let folder = tempfile::tempdir().unwrap();
    let charged = write(folder.path(), "a.xml", &vasprun(&["Co", "O", "O"], -17.0, &u_on_cobalt(0, 3.32)));
    let full = write(folder.path(), "b.xml", &vasprun(&["Li", "Co", "O", "O"], -22.5, &u_on_cobalt(1, 4.0)));
    let plain = write(folder.path(), "c.xml", &vasprun(&["Li", "Co", "O", "O"], -23.5, ""));
    let reference = ["--reference-energy", "-1.9 eV"];
    refused(
        &[&["voltage", &charged, &full][..], &reference].concat(),
        &["hubbard_u=Co:3.32", "hubbard_u=Co:4", "--where", "1 other files"],
    );
    refused(&[&["voltage", &charged, &plain][..], &reference].concat(), &["hubbard_u=Co:3.32", "labelled"]);
    let other =
        write(folder.path(), "d.xml", &vasprun(&["Li", "Co", "O", "O"], -22.5, &u_on_cobalt(1, 3.32)));
    let all = [
        &["voltage", &charged, &full, &plain, &other, "--where", "hubbard_u=Co:3.32", "--json"][..],
        &reference,
    ];
    assert!((document(&all.concat())["average_voltage_V"].as_f64().unwrap() - 3.6).abs() < 1e-9);
    // VASP and Quantum ESPRESSO do not share their zero of energy.
    let espresso = sample("relax.pwo");
    let vasp = write(folder.path(), "e.xml", &vasprun(&["Li", "Co", "O"], -20.0, &u_on_cobalt(1, 3.32)));
    refused(
        &[&["voltage", espresso.to_str().unwrap(), &vasp][..], &reference].concat(),
        &["calculator=Quantum ESPRESSO", "calculator=VASP"],
    );
}

#[test]
fn structures_without_energies_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let cif = sample("licoo2.cif");
    refused(
        &["voltage", cif.to_str().unwrap(), "--reference-energy", "-1.9 eV"],
        &["licoo2.cif", "CIF", "without an energy", "vasprun.xml"],
    );
    let poscar = write(
        folder.path(),
        "POSCAR",
        "cell\n1\n3 0 0\n0 3 0\n0 0 3\nLi O\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n",
    );
    refused(&["expand", &poscar], &["POSCAR", "without an energy", "scalade convert"]);
    let json = sample("structure.json");
    refused(
        &["voltage", json.to_str().unwrap(), "--reference-energy", "-1.9 eV"],
        &["no energy", "no key 'energy'"],
    );
    let wrong = write(folder.path(), "x.extxyz", &std::fs::read_to_string(sample("vasprun.xml")).unwrap());
    refused(&["voltage", &wrong], &["looks like a vasprun.xml", "not extended XYZ"]);
    refused(&["voltage"], &["FRAMES"]);
}

#[test]
fn conversions_of_the_other_programs() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.extxyz");
    let out = out.to_str().unwrap();
    for (file, words) in [
        ("licoo2.cif", "id=LiCoO2"),
        ("vasprun.xml", "hubbard_u=Co:3.32"),
        ("relax.pwo", "functional=PBE"),
        ("ase_db.json", "name=rocksalt"),
        ("entries.json", "corrected_energy=-13.5"),
    ] {
        document(&["convert", sample(file).to_str().unwrap(), out, "--json"]);
        let written = std::fs::read_to_string(out).unwrap();
        assert!(written.contains(words), "{file}: {written}");
    }
    // The energy goes the same way through extended XYZ as from the file itself.
    let entries = sample("entries.json");
    document(&["convert", entries.to_str().unwrap(), out, "--json"]);
    let options = ["--working-ion", "Co", "--reference-energy", "-7 eV"];
    let direct = scalade(&[&["voltage", entries.to_str().unwrap(), "--json"][..], &options].concat());
    let through = scalade(&[&["voltage", out, "--json"][..], &options].concat());
    assert_eq!(direct.status.code(), through.status.code());
    refused(&["convert", sample("p1.cif").to_str().unwrap(), "x.cif"], &["CIF is only read"]);
}

/// The bundled orderings give one and the same document, split over files or not.
#[test]
fn split_files_give_the_same_voltages() {
    let folder = tempfile::tempdir().unwrap();
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/licoo2/orderings.extxyz");
    let text = std::fs::read_to_string(&bundled).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let (mut at, mut frames) = (0, Vec::new());
    while at < lines.len() {
        let count: usize = lines[at].trim().parse().unwrap();
        frames.push(lines[at..at + count + 2].join("\n") + "\n");
        at += count + 2;
    }
    let half = frames.len() / 2;
    let first = write(folder.path(), "one.extxyz", &frames[..half].concat());
    let second = write(folder.path(), "two.extxyz", &frames[half..].concat());
    let options = ["--reference-energy", "-2.0623168473947775 eV", "--json"];
    let whole = document(&[&["voltage", bundled.to_str().unwrap()][..], &options].concat());
    let split = document(&[&["voltage", &first, &second][..], &options].concat());
    assert_eq!(whole, split);
}

/// The bundled orderings as a database of ASE: the expansion is the same to the last bit, and so is what hops take.
#[test]
fn a_database_of_ase_gives_the_same_expansion() {
    let folder = tempfile::tempdir().unwrap();
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/licoo2/orderings.extxyz");
    let bundled = bundled.to_str().unwrap();
    let frames = folder.path().join("frames.json");
    document(&["convert", bundled, frames.to_str().unwrap(), "--json"]);
    let converted: Value = serde_json::from_str(&std::fs::read_to_string(&frames).unwrap()).unwrap();
    let mut rows = serde_json::Map::new();
    for (index, frame) in converted["frames"].as_array().unwrap().iter().enumerate() {
        let numbers: Vec<u32> = frame["species"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| match s.as_str().unwrap() {
                "Li" => 3,
                "Co" => 27,
                _ => 8,
            })
            .collect();
        let pairs: serde_json::Map<String, Value> = frame["info"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(key, value)| *key != "energy" && (value.is_string() || value.is_number()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        rows.insert(
            (index + 1).to_string(),
            serde_json::json!({
                "numbers": {"__ndarray__": [[numbers.len()], "int64", numbers]},
                "positions": frame["positions_angstrom"],
                "cell": {"array": frame["lattice_angstrom"], "__ase_objtype__": "cell"},
                "pbc": [true, true, true],
                "energy": frame["info"]["energy"],
                "key_value_pairs": pairs,
            }),
        );
    }
    let database = write(folder.path(), "db.json", &Value::Object(rows).to_string());
    assert_eq!(document(&["expand", &database, "--json"]), document(&["expand", bundled, "--json"]));
    assert_eq!(
        document(&["expand", frames.to_str().unwrap(), "--json"]),
        document(&["expand", bundled, "--json"])
    );
}

/// Frames without a name are called by their file, names that stand twice are told apart by it.
#[test]
fn names_of_frames_from_several_files() {
    let folder = tempfile::tempdir().unwrap();
    let frame = |species: &[&str], keys: &str, energy: f64| {
        let atoms: Vec<String> = species.iter().enumerate().map(|(i, s)| format!("{s} 0 0 {i}\n")).collect();
        format!("{}\nLattice=\"5 0 0 0 5 0 0 0 5\" energy={energy} {keys}\n{}", species.len(), atoms.concat())
    };
    let (empty, full) = (["Co", "O", "O"], ["Li", "Co", "O", "O"]);
    let ends = |arguments: &[&str]| {
        let options = ["--reference-energy", "-1.9 eV", "--json"];
        let found = document(&[&["voltage"][..], arguments, &options].concat());
        let id = |key: &str| found["steps"][0][key].as_str().unwrap().to_string();
        (id("from"), id("to"))
    };
    let charged = write(folder.path(), "charged.extxyz", &frame(&empty, "", -17.0));
    let discharged = write(folder.path(), "full.extxyz", &frame(&full, "", -22.5));
    assert_eq!(ends(&[&charged, &discharged]), (charged.clone(), discharged.clone()));
    let both = write(
        folder.path(),
        "both.extxyz",
        &format!("{}{}", frame(&empty, "", -16.0), frame(&full, "", -23.0)),
    );
    assert_eq!(ends(&[&both]), ("frame 1".into(), "frame 2".into()));
    assert_eq!(ends(&[&charged, &both]), (charged, format!("{both} (frame 2)")));
    let one = write(folder.path(), "one.extxyz", &frame(&empty, "id=a", -17.0));
    let two = write(folder.path(), "two.extxyz", &frame(&full, "id=a", -22.5));
    assert_eq!(ends(&[&one, &two]), (format!("a ({one}, frame 1)"), format!("a ({two}, frame 1)")));
}

#[test]
fn a_database_in_sqlite_is_read_like_the_others() {
    let database = sample("python/ase.db");
    let voltage = |file: &str| {
        let found = document(&["voltage", file, "--where", "calculator=VASP", "--json"]);
        (found["average_voltage_V"].as_f64().unwrap(), found["steps"].clone())
    };
    // -(-22.690123456789014 + 17.142857142857142 - E_Li), two atoms of the metal with -3.8 eV.
    let wanted = 22.690_123_456_789_014 - 17.142_857_142_857_142 - 1.9;
    let (found, steps) = voltage(database.to_str().unwrap());
    assert!((found - wanted).abs() < 1e-12);
    // The same from the same rows as JSON, and from a folder with the database in it.
    assert_eq!(voltage(sample("python/ase.json").to_str().unwrap()), (found, steps.clone()));
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(&database, folder.path().join("rows.db")).unwrap();
    assert_eq!(voltage(folder.path().to_str().unwrap()), (found, steps));
    let entries = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(entries, 1, "nothing is written beside the database");
    // Converted, and as a structure to enumerate on.
    let out = folder.path().join("out.extxyz");
    let out = out.to_str().unwrap();
    assert!(scalade(&["convert", database.to_str().unwrap(), out]).status.success());
    assert_eq!(voltage(out).0, found);
    let counts = |file: &Path| {
        let file = file.to_str().unwrap().to_string();
        document(&["enumerate", "--structure", &file, "--sites", "Li=Li,Vac", "--max-size", "2", "--json"])["counts"].clone()
    };
    assert_eq!(counts(&database), counts(Path::new(out)));
    refused(&["voltage", sample("python/wal.db").to_str().unwrap()], &["WAL", "PRAGMA"]);
    let cut = folder.path().join("cut.db");
    std::fs::write(&cut, &std::fs::read(&database).unwrap()[..8000]).unwrap();
    refused(&["voltage", cut.to_str().unwrap()], &["cut short", "8000"]);
}
