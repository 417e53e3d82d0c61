//! Structures and energies of other programs: what is read of each format, and what is refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail with it")]

use scalade_formats::{
    AtomArray, FileFormat, Frame, InfoValue, StructureFormat, convert, decode_structures, energy_ev,
    read_cif, read_espresso, read_extxyz, read_structures, read_structures_json, read_vasprun, write_extxyz,
};

fn data(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn text<'a>(frame: &'a Frame, key: &str) -> &'a str {
    match frame.info.get(key) {
        Some(InfoValue::Text(text)) => text,
        other => panic!("{key} is {other:?}"),
    }
}

fn close(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance, "{a} is not {b}");
}

/// The message of a refusal holds every word.
fn says<T: std::fmt::Debug>(result: Result<T, scalade_formats::FormatError>, words: &[&str]) {
    let message = result.unwrap_err().to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
}

#[test]
fn cif_with_symmetry_gives_the_whole_cell() {
    let frames = read_cif(&data("licoo2.cif"), "licoo2.cif").unwrap();
    let structure = frames[0].structure().unwrap();
    assert_eq!(frames[0].id(), "LiCoO2");
    assert_eq!(["Li", "Co", "O"].map(|s| structure.count(s)), [3, 3, 6]);
    // Volume of a hexagonal cell: a^2 c sin(60 degrees).
    close(structure.volume_cubic_angstrom(), 2.8166_f64.powi(2) * 14.052 * 0.75_f64.sqrt(), 1e-9);
    // Six equal distances from cobalt to oxygen: the octahedron, from a, c and the coordinate of oxygen.
    let lattice = structure.lattice_angstrom();
    let (cobalt, oxygen): (Vec<usize>, Vec<usize>) =
        (0..12).filter(|i| structure.species()[*i] != "Li").partition(|i| structure.species()[*i] == "Co");
    let expected = (2.8166_f64.powi(2) / 3.0 + (14.052_f64 * (0.23951 + 1.0 / 3.0 - 0.5)).powi(2)).sqrt();
    for first in &cobalt {
        let mut bonds = 0;
        for second in &oxygen {
            for (i, j, k) in (0..27).map(|n| (n % 3 - 1, n / 3 % 3 - 1, n / 9 - 1)) {
                let shift = [f64::from(i), f64::from(j), f64::from(k)];
                let difference: [f64; 3] = std::array::from_fn(|a| {
                    structure.fractional()[*second][a] + shift[a] - structure.fractional()[*first][a]
                });
                let distance = (0..3)
                    .map(|c| (0..3).map(|a| difference[a] * lattice[a][c]).sum::<f64>().powi(2))
                    .sum::<f64>()
                    .sqrt();
                if distance < 2.5 {
                    close(distance, expected, 1e-9);
                    bonds += 1;
                }
            }
        }
        assert_eq!(bonds, 6);
    }
    says(energy_ev(&frames[0], "energy"), &["no key 'energy'"]);
}

#[test]
fn cif_of_three_digits_lands_on_its_special_positions() {
    let cif = data("licoo2.cif").replace("Li1 Li1+ 0 0 0 1 .", "Li1 Li1+ 0.667 0.333 0.333 1 .");
    let frames = read_cif(&cif, "f").unwrap();
    let structure = frames[0].structure().unwrap();
    assert_eq!(structure.count("Li"), 3);
    for (species, position) in structure.species().iter().zip(structure.fractional()) {
        if species == "Li" {
            for coordinate in position {
                let thirds = coordinate * 3.0;
                close(thirds, thirds.round(), 1e-9);
            }
        }
    }
}

#[test]
fn cif_without_symmetry() {
    let frame = &read_cif(&data("p1.cif"), "p1.cif").unwrap()[0];
    assert_eq!(frame.id(), "p1.cif");
    assert_eq!(frame.species, ["Na", "Cl"]);
    let structure = frame.structure().unwrap();
    // Metric of the triclinic cell from its edges and angles.
    let lattice = structure.lattice_angstrom();
    let dot = |a: usize, b: usize| (0..3).map(|k| lattice[a][k] * lattice[b][k]).sum::<f64>();
    close(dot(0, 0), 16.0, 1e-12);
    close(dot(1, 1), 25.0, 1e-12);
    close(dot(2, 2), 36.0, 1e-12);
    close(dot(1, 2), 30.0 * 80_f64.to_radians().cos(), 1e-12);
    close(dot(0, 2), 24.0 * 95_f64.to_radians().cos(), 1e-12);
    close(dot(0, 1), 20.0 * 100_f64.to_radians().cos(), 1e-12);
    for (found, wanted) in structure.fractional()[1].iter().zip([0.6, 0.7, 0.8]) {
        close(*found, wanted, 1e-12);
    }
}

#[test]
fn cif_refuses_by_name() {
    let cif = data("licoo2.cif");
    let with = |from: &str, to: &str| {
        assert!(cif.contains(from), "{from}");
        read_cif(&cif.replace(from, to), "a.cif")
    };
    says(with("0.5 1.000", "0.5 0.95(1)"), &["Co1", "occupancy 0.95", "line 67"]);
    says(with("0.23951(15)", "nan"), &["'nan' is not a number", "line 68"]);
    says(with("0.23951(15)", "?"), &["a coordinate", "line 68"]);
    says(with("Co1 Co3+ 0 0 0.5", "Co1 Co3+ 0 0 0"), &["Co1", "Li1", "shared"]);
    says(with("Co1 Co3+", "Co1 Qq3+"), &["Qq3+", "no known element"]);
    says(with("2 '-y, x-y, z'", "2 '-y, x-w, z'"), &["'-y, x-w, z'", "symmetry operation", "line 23"]);
    says(with("'R -3 m'", "'R -3 m"), &["does not end", "line 17"]);
    says(with(";\n_cell", "_cell"), &["text field", "line 6"]);
    says(with("120.0", "200"), &["_cell_angle_gamma", "180"]);
    says(with("0.01(1)", ""), &["makes no whole rows", "line 58"]);
    says(with("_cell_length_c   14.052(5)\n", ""), &["_cell_length_c", "missing"]);
    let start = cif.find("loop_\n_symmetry_equiv").unwrap();
    let end = cif.find("loop_\n_atom_site_label").unwrap();
    let bare = format!("{}{}", &cif[..start], &cif[end..]);
    says(read_cif(&bare, "a.cif"), &["R -3 m", "operations are not listed", "P 1"]);
    says(read_cif("data_x\n_cell_length_a 3\n", "a.cif"), &["without sites"]);
    says(
        read_cif("1\nLattice=\"3 0 0 0 3 0 0 0 3\"\nLi 0 0 0\n", "a.cif"),
        &["looks like extended XYZ, not CIF"],
    );
    says(read_cif(" \n", "a.cif"), &["empty"]);
}

#[test]
fn vasprun_gives_the_last_step() {
    let frame = read_vasprun(&data("vasprun.xml"), "run/vasprun.xml").unwrap();
    // The e_0_energy of the ionic step is wrong in the file, as some versions write it.
    close(energy_ev(&frame, "energy").unwrap(), -22.69, 1e-12);
    close(energy_ev(&frame, "e_fr_energy").unwrap(), -22.70, 1e-12);
    close(energy_ev(&frame, "e_wo_entrp").unwrap(), -22.68, 1e-12);
    assert_eq!(text(&frame, "functional"), "PBE");
    assert_eq!(text(&frame, "hubbard_u"), "Co:3.32");
    assert_eq!(text(&frame, "calculator"), "VASP");
    assert_eq!(frame.info["ispin"], InfoValue::Int(2));
    assert_eq!(frame.info["ionic_steps"], InfoValue::Int(2));
    assert!(text(&frame, "potentials").contains("Li_sv 10Sep2004"));
    assert_eq!(frame.id(), "run/vasprun.xml");
    assert_eq!(frame.species, ["Li", "Co", "O", "O"]);
    assert_eq!(frame.lattice_angstrom.unwrap()[2], [0.0, 1.62616484, 4.684]);
    let structure = frame.structure().unwrap();
    close(structure.fractional()[3][1], 0.76049, 1e-12);
}

#[test]
fn vasprun_names_its_method() {
    let label = |changes: &[(&str, &str)]| {
        let mut xml = data("vasprun.xml");
        for (from, to) in changes {
            assert!(xml.contains(from), "{from}");
            xml = xml.replace(from, to);
        }
        let frame = read_vasprun(&xml, "f").unwrap();
        let hubbard = frame.info.get("hubbard_u").map(|_| text(&frame, "hubbard_u").to_string());
        (text(&frame, "functional").to_string(), hubbard)
    };
    let u = Some("Co:3.32".to_string());
    let gga = |tag: &str| format!("name=\"GGA\">{tag}<");
    assert_eq!(label(&[(&gga("PE"), &gga("--"))]), ("PBE".into(), u.clone()));
    assert_eq!(label(&[(&gga("PE"), &gga("PS"))]), ("PBEsol".into(), u.clone()));
    assert_eq!(label(&[(&gga("PE"), &gga("--")), ("PAW_PBE", "PAW")]), ("LDA".into(), u.clone()));
    assert_eq!(label(&[("METAGGA\">--", "METAGGA\">R2SCAN")]), ("R2SCAN".into(), u.clone()));
    let hybrid = [
        ("LHFCALC\"> F", "LHFCALC\"> T"),
        ("<i name=\"AEXX\">      0.0", "<i name=\"HFSCREEN\">0.2</i><i name=\"AEXX\">      0.25"),
    ];
    assert_eq!(label(&hybrid).0, "HSE06");
    assert_eq!(label(&[("IVDW\">     0", "IVDW\">     12")]).0, "PBE+IVDW=12");
    assert_eq!(label(&[("LDAU\"> T", "LDAU\"> F")]).1, None);
    assert_eq!(
        label(&[("LDAUJ\">      0.00000000      0.0", "LDAUJ\">      0.00000000      1.0")]).1,
        Some("Co:2.32".into())
    );
}

#[test]
fn vasprun_refuses_what_is_not_finished() {
    let xml = data("vasprun.xml");
    let with = |from: &str, to: &str| {
        assert!(xml.contains(from), "{from}");
        read_vasprun(&xml.replace(from, to), "v.xml")
    };
    says(
        with("\"NELM\">    60", "\"NELM\">    2"),
        &["2 electronic steps", "NELM", "not converged", "leave the file out"],
    );
    assert!(with("\"NELM\">    60", "\"NELM\">    3").is_ok());
    let cut = xml.find("</calculation>\n</modeling>").unwrap();
    says(
        read_vasprun(&xml[..cut], "v.xml"),
        &["ends within modeling/calculation", "interrupted", "v.xml, line"],
    );
    says(with("-22.70000000", "**********"), &["'**********'", "line 165"]);
    says(with("-22.70000000", "NaN"), &["NaN", "e_fr_energy"]);
    let entity = "<?xml version=\"1.0\"?>\n<!DOCTYPE modeling [<!ENTITY a \"b\">]>\n<modeling>&a;</modeling>";
    says(read_vasprun(entity, "v.xml"), &["line 2", "document type", "entities"]);
    says(with("LiCoO2 &amp;", "&secret;"), &["&secret;", "not expanded"]);
    assert!(with("LiCoO2 &amp;", "Li & Co").is_ok());
    says(with("</rc>", "</r>"), &["well-formed", "line"]);
    says(read_vasprun("<?xml version=\"1.0\"?>\n<html></html>", "v.xml"), &["html", "no vasprun.xml"]);
    says(read_vasprun("<modeling></modeling>", "v.xml"), &["energy", "ionic step"]);
    let deep = format!("<modeling>{}", "<a>".repeat(100));
    says(read_vasprun(&deep, "v.xml"), &["nested deeper than 64"]);
    says(read_extxyz(&xml, "v.extxyz"), &["looks like a vasprun.xml", "not extended XYZ", ".xml"]);
    says(read_vasprun("{\"a\": 1}", "v.xml"), &["looks like JSON, not vasprun.xml"]);
    assert_eq!(with("<c>Co</c>", "<c>r </c>").unwrap().species[1], "Zr");
    says(with("<c>Co</c>", "<c>Q </c>"), &["'Q'", "no element"]);
    let ran_out = with("\"NSW\">    99", "\"NSW\">     2").unwrap();
    assert_eq!(ran_out.info["relaxation_converged"], InfoValue::Bool(false));
    // A file in ISO 8859-1, as its first line says.
    let mut bytes = xml.clone().into_bytes();
    let at = xml.find("friends").unwrap();
    bytes[at] = 0xe9;
    let decoded = decode_structures(&bytes, "vasprun.xml").unwrap();
    assert!(decoded.contains("\u{e9}riends") && read_vasprun(&decoded, "v.xml").is_ok());
    says(decode_structures(&bytes, "v.extxyz"), &["not UTF-8"]);
}

const RYDBERG_EV: f64 = 13.605_693_122_99;
const BOHR: f64 = 0.529_177_210_544;

#[test]
fn espresso_gives_the_last_finished_step() {
    let frame = read_espresso(&data("relax.pwo"), "relax.pwo").unwrap();
    close(energy_ev(&frame, "energy").unwrap(), -89.5 * RYDBERG_EV, 1e-9);
    close(energy_ev(&frame, "smearing_contribution").unwrap(), -0.002 * RYDBERG_EV, 1e-12);
    assert_eq!((text(&frame, "functional"), text(&frame, "hubbard_u")), ("PBE", "Co:3.32"));
    assert_eq!(frame.species, ["Co", "O"]);
    let labels = AtomArray::Text { width: 1, values: vec!["Co1".into(), "O".into()] };
    assert_eq!(frame.arrays["species_label"], labels);
    // The positions of the step that was begun and not finished are not those of the energy.
    close(frame.lattice_angstrom.unwrap()[1][1], 5.1 * BOHR, 1e-9);
    close(frame.positions_angstrom[1][2], 2.55 * BOHR, 1e-9);
    assert_eq!(frame.info["job_done"], InfoValue::Bool(false));
    assert_eq!(frame.info["ionic_steps"], InfoValue::Int(2));
}

#[test]
fn espresso_units_and_versions() {
    let pwo = data("relax.pwo");
    let block = "O             0.5000000000        0.5000000000        0.5000000000\n\n!";
    for (unit, factor) in [("alat", 5.0 * BOHR), ("bohr", BOHR), ("angstrom", 1.0)] {
        let changed = pwo.replacen("ATOMIC_POSITIONS (crystal)", &format!("ATOMIC_POSITIONS ({unit})"), 1);
        assert!(changed.contains(block));
        let frame = read_espresso(&changed, "f").unwrap();
        close(frame.positions_angstrom[1][0], 0.5 * factor, 1e-12);
    }
    for (unit, factor) in [("bohr", BOHR), ("angstrom", 1.0), ("alat", 5.0 * BOHR)] {
        let changed =
            pwo.replace("CELL_PARAMETERS (alat=  5.00000000)", &format!("CELL_PARAMETERS ({unit})"));
        let frame = read_espresso(&changed, "f").unwrap();
        close(frame.lattice_angstrom.unwrap()[0][0], 1.02 * factor, 1e-12);
    }
    // The first step alone: the tables at the beginning.
    let end = pwo.find("CELL_PARAMETERS").unwrap();
    let frame = read_espresso(&pwo[..end], "f").unwrap();
    close(energy_ev(&frame, "energy").unwrap(), -89.0 * RYDBERG_EV, 1e-9);
    close(frame.positions_angstrom[1][2], 0.45 * 5.0 * BOHR, 1e-12);
    let newer = pwo
        .replace("     Simplified LDA+U calculation (l_max = 2) with parameters (eV):\n", "")
        .replace(
            "     atomic species    L          U    alpha       J0     beta\n",
            "     Hubbard parameters of DFT+U (Dudarev formulation) in eV:\n",
        )
        .replace(
            "        Co1            2     3.3200   0.0000   0.0000   0.0000",
            "     U(Co1-3d)  =  4.1000",
        )
        .replace("SLA  PW   PBX  PBC", "PBESOL");
    let frame = read_espresso(&newer, "f").unwrap();
    assert_eq!((text(&frame, "functional"), text(&frame, "hubbard_u")), ("PBEsol", "Co:4.1"));
    let done = format!("{pwo}\n     The maximum number of steps has been reached.\n   JOB DONE.\n");
    let frame = read_espresso(&done, "f").unwrap();
    assert!(!frame.info.contains_key("job_done"));
    assert_eq!(frame.info["relaxation_converged"], InfoValue::Bool(false));
}

#[test]
fn espresso_refuses() {
    let pwo = data("relax.pwo");
    let not = format!("{pwo}\n     convergence NOT achieved after 100 iterations: stopping\n");
    says(read_espresso(&not, "q.pwo"), &["NOT achieved", "line 61", "mixing_beta"]);
    let later = format!("{not}\n!    total energy              =     -90.00000000 Ry\n");
    assert!(read_espresso(&later, "q.pwo").is_ok());
    let end = pwo.find('!').unwrap();
    says(read_espresso(&pwo[..end], "q.pwo"), &["energy", "no finished ionic step"]);
    says(read_espresso(&pwo.replace("-89.50000000", "NaN"), "q.pwo"), &["'NaN'", "line 52"]);
    says(read_espresso(&pwo.replace("(crystal)", "(miles)"), "q.pwo"), &["miles", "angstrom"]);
    says(
        read_espresso(&pwo.replace("O             0.5000000000        0.5", "O  0.5"), "q.pwo"),
        &["numbers of a position", "line 50"],
    );
    says(
        read_espresso(
            &pwo.replace(
                "number of atoms/cell      =            2",
                "number of atoms/cell      =            3",
            ),
            "q.pwo",
        ),
        &["positions", "expected 3, found 2"],
    );
    says(read_espresso(&data("vasprun.xml"), "q.pwo"), &["looks like a vasprun.xml (XML), not pw.x output"]);
    says(read_espresso("hello\n", "q.pwo"), &["Program PWSCF"]);
    says(read_extxyz(&pwo, "q.extxyz"), &["looks like output of pw.x"]);
}

#[test]
fn ase_databases_and_atoms() {
    let frames = read_structures_json(&data("ase_db.json"), "db.json").unwrap();
    assert_eq!(frames.len(), 2);
    let first = &frames[0];
    assert_eq!((first.id().as_str(), frames[1].id().as_str()), ("rocksalt", "10"));
    assert_eq!(energy_ev(first, "energy").unwrap(), -10.25);
    assert_eq!(energy_ev(first, "free_energy").unwrap(), -10.5);
    assert_eq!(
        (text(first, "functional"), text(first, "hubbard_u"), text(first, "calculator")),
        ("PBE", "Co:3.32", "VASP")
    );
    assert_eq!(first.positions_angstrom, [[0.0; 3], [1.5; 3]]);
    assert_eq!(first.species, ["Co", "O"]);
    assert_eq!(
        (&first.info["x"], &first.info["relaxed"], &first.info["n"]),
        (&InfoValue::Float(0.5), &InfoValue::Bool(true), &InfoValue::Int(3))
    );
    let second = &frames[1];
    assert_eq!((text(second, "functional"), text(second, "hubbard_u")), ("BEEF-vdW", "Co:3.3"));
    assert_eq!(second.lattice_angstrom.unwrap()[2], [0.0, 0.0, 3.5]);
    let atoms = read_structures_json(&data("ase_atoms.json"), "li.json").unwrap();
    assert_eq!((atoms.len(), atoms[0].structure().unwrap().count("Li")), (1, 2));
    let database = data("ase_db.json");
    says(
        read_structures_json(&database.replace("\"float64\"", "\"complex128\""), "db.json"),
        &["complex128", "entry 2"],
    );
    says(
        read_structures_json(&database.replacen("-10.25", "NaN", 1), "db.json"),
        &["NaN", "refused", "entry 2"],
    );
    says(read_structures_json(&database.replacen("27,", "270,", 1), "db.json"), &["no atomic number"]);
    says(
        read_structures_json("{\"numbers\": [3], \"positions\": [[0, 0]]}", "a.json"),
        &["expected 3, found 2"],
    );
}

#[test]
fn pymatgen_entries_and_structures() {
    let frames = read_structures_json(&data("litio2.json"), "e.json").unwrap();
    let ids: Vec<String> = frames.iter().map(Frame::id).collect();
    assert_eq!(ids, ["empty", "half", "full"]);
    assert_eq!(energy_ev(&frames[1], "energy").unwrap(), -114.92282305);
    close(energy_ev(&frames[1], "corrected_energy").unwrap(), -120.42282305, 1e-12);
    assert_eq!(energy_ev(&frames[1], "correction").unwrap(), -5.5);
    assert_eq!((text(&frames[2], "functional"), text(&frames[2], "run_type")), ("PBE", "GGA"));
    assert_eq!(frames[2].species.iter().filter(|s| *s == "Li").count(), 4);
    assert!(frames[2].is_composition());
    says(frames[2].structure(), &["full", "composition of 16 atoms", "ComputedStructureEntry"]);
    says(write_extxyz(&frames), &["12 species for 0 positions"]);

    let frame = &read_structures_json(&data("entries.json"), "e.json").unwrap()[0];
    assert_eq!(energy_ev(frame, "energy").unwrap(), -12.5);
    close(energy_ev(frame, "corrected_energy").unwrap(), -13.5, 1e-12);
    assert_eq!(
        (text(frame, "functional"), text(frame, "hubbard_u"), frame.id().as_str()),
        ("PBE", "Co:3.32", "mp-1")
    );
    assert_eq!(frame.arrays["magmoms"], AtomArray::Real { width: 1, values: vec![2.5, 0.0] });
    let alone = &read_structures_json(&data("structure.json"), "s.json").unwrap()[0];
    assert_eq!(alone.structure().unwrap(), frame.structure().unwrap());
    assert_eq!(alone.positions_angstrom[1], [2.1, 2.1, 2.1]);
    says(energy_ev(alone, "energy"), &["frame 1 (id frame 1, s.json) has no energy"]);
}

#[test]
fn pymatgen_oxidation_states_stay_with_the_species() {
    let entries = data("entries.json");
    let first = |to: &str| {
        let text = entries.replace("\"element\": \"Co\"", to);
        read_structures_json(&text, "e.json").unwrap()[0].species[0].clone()
    };
    assert_eq!(first("\"oxidation_state\": 2, \"element\": \"Co\""), "Co2+");
    assert_eq!(first("\"oxidation_state\": 1.0, \"element\": \"Co\""), "Co+");
    assert_eq!(first("\"oxidation_state\": -2.5, \"element\": \"Co\""), "Co2.5-");
    assert_eq!(first("\"oxidation_state\": 0, \"element\": \"Co\""), "Co");
    assert_eq!(first("\"element\": \"Co1+\""), "Co+");
    let text = "[{\"composition\": {\"Li+\": 2, \"O2-\": 1}, \"energy\": -1}]";
    assert_eq!(read_structures_json(text, "e.json").unwrap()[0].species, ["Li+", "Li+", "O2-"]);
}

#[test]
fn pymatgen_refuses_by_name() {
    let entries = data("entries.json");
    let with = |from: &str, to: &str| {
        assert!(entries.contains(from), "{from}");
        read_structures_json(&entries.replace(from, to), "e.json")
    };
    says(with("\"element\": \"Co\"", "\"element\": \"Xy2+\""), &["Xy", "no element", "mp-1"]);
    says(with("\"element\": \"Co\"", "\"element\": \"Co2+-\""), &["Co2+-", "no element"]);
    says(
        with("\"element\": \"Co\"", "\"oxidation_state\": 2, \"element\": \"Co2+\""),
        &["Co2+", "no element"],
    );
    says(with("\"occu\": 1", "\"occu\": 0.5"), &["site 1", "partly occupied", "Co 0.5"]);
    says(
        with("\"element\": \"O\",", "\"element\": \"O\", \"occu\": 0.5}, {\"element\": \"F\","),
        &["site 2", "disordered", "O 0.5", "F 1"],
    );
    let no_u = with("\"Co\": 3.32", "\"Co\": 0.0").unwrap();
    assert_eq!((text(&no_u[0], "functional"), no_u[0].info.get("hubbard_u")), ("PBE+U", None));
    says(with("\"energy\": -12.5", "\"energy\": null"), &["energy", "mp-1"]);
    says(with("\"energy\": -12.5", "\"energy\": \"low\""), &["energy is no number"]);
    says(with("\"energy\": -12.5", "\"energy\": Infinity"), &["energy is Infinity", "refused", "mp-1"]);
    says(
        with("ComputedStructureEntry", "GibbsComputedStructureEntry"),
        &["GibbsComputedStructureEntry is not read"],
    );
    says(with("0.5", "1e999"), &["e.json"]);
    let bare = |composition: &str| {
        read_structures_json(&format!("[{{\"composition\": {composition}, \"energy\": -1}}]"), "e.json")
    };
    assert!(bare("{\"Li\": 2}").is_ok());
    says(bare("{\"Li++\": 2}"), &["Li++", "no element"]);
    says(bare("{\"Li\": 0.5, \"O\": 1}"), &["Li", "whole number"]);
    says(bare("{\"Li\": 1e15}"), &["2000000 atoms"]);
    says(bare("{}"), &["empty"]);
    says(read_structures_json("{\"a\": 1}", "e.json"), &["keys a", "pymatgen"]);
    says(read_structures_json("[]", "e.json"), &["a list of 0 values"]);
    says(read_structures_json(&"[".repeat(100_000), "e.json"), &["e.json, line 1", "recursion"]);
}

#[test]
fn names_and_contents_choose_the_reader() {
    for (name, format) in [
        ("a/POSCAR", Some(StructureFormat::Poscar)),
        ("CONTCAR.1", Some(StructureFormat::Poscar)),
        ("x.CIF", Some(StructureFormat::Cif)),
        ("vasprun.xml", Some(StructureFormat::Vasprun)),
        ("vasprun.relax", Some(StructureFormat::Vasprun)),
        ("x.pwo", Some(StructureFormat::Espresso)),
        ("x.json", Some(StructureFormat::Json)),
        ("x.xyz", Some(StructureFormat::ExtendedXyz)),
        ("x.out", None),
    ] {
        assert_eq!(StructureFormat::of_path(name), format, "{name}");
    }
    for file in ["licoo2.cif", "vasprun.xml", "relax.pwo", "ase_db.json", "litio2.json"] {
        let (named, unnamed) =
            (read_structures(&data(file), file).unwrap(), read_structures(&data(file), "unnamed"));
        assert_eq!(named.len(), unnamed.unwrap().len(), "{file}");
    }
    says(read_structures(&data("vasprun.xml"), "x.json"), &["looks like a vasprun.xml", "not JSON"]);
    says(
        read_structures("1\nLattice=\"3 0 0 0 3 0 0 0 3\"\nLi 0 0 0\n", "x.json"),
        &["looks like extended XYZ"],
    );
}

#[test]
fn conversions_keep_the_numbers() {
    for (file, from) in [
        ("licoo2.cif", FileFormat::Cif),
        ("vasprun.xml", FileFormat::Vasprun),
        ("relax.pwo", FileFormat::Espresso),
        ("ase_db.json", FileFormat::FramesJson),
        ("entries.json", FileFormat::FramesJson),
    ] {
        assert_eq!(FileFormat::of_path(file, None), Some(from));
        let read = read_structures(&data(file), file).unwrap();
        let written = convert(&data(file), file, from, FileFormat::ExtendedXyz, None).unwrap();
        let again = read_extxyz(&written, file).unwrap();
        let parts = |frames: &[Frame]| -> Vec<_> {
            let part = |f: &Frame| {
                (
                    f.lattice_angstrom,
                    f.species.clone(),
                    f.positions_angstrom.clone(),
                    f.info.clone(),
                    f.arrays.clone(),
                )
            };
            frames.iter().map(part).collect()
        };
        assert_eq!(parts(&again), parts(&read), "{file}");
        let json = convert(&data(file), file, from, FileFormat::FramesJson, None).unwrap();
        assert_eq!(parts(&read_structures(&json, "x.json").unwrap()), parts(&read), "{file}");
        let poscar = convert(&data(file), file, from, FileFormat::Poscar, Some(1)).unwrap();
        let structure = read_structures(&poscar, "POSCAR").unwrap()[0].structure().unwrap();
        assert_eq!(structure.species(), read[0].species, "{file}");
    }
    says(convert(&data("p1.cif"), "p1.cif", FileFormat::Cif, FileFormat::Vasprun, None), &["only read"]);
}
