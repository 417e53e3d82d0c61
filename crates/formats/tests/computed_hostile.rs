//! Arbitrary, cut and mutated files of other programs: no reader panics, what is read is finite, and the time is bounded.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use scalade_formats::{
    Frame, InfoValue, decode_structures, read_cif, read_espresso, read_structures, read_structures_json,
    read_vasprun, write_extxyz,
};
use std::time::Instant;

const FILES: [(&str, &str); 9] = [
    ("licoo2.cif", include_str!("data/licoo2.cif")),
    ("p1.cif", include_str!("data/p1.cif")),
    ("vasprun.xml", include_str!("data/vasprun.xml")),
    ("relax.pwo", include_str!("data/relax.pwo")),
    ("ase_db.json", include_str!("data/ase_db.json")),
    ("ase_atoms.json", include_str!("data/ase_atoms.json")),
    ("litio2.json", include_str!("data/litio2.json")),
    ("structure.json", include_str!("data/structure.json")),
    ("entries.json", include_str!("data/entries.json")),
];

const TOKENS: [&str; 30] = [
    "\n",
    "\"",
    "'",
    ";",
    "\n;",
    "loop_\n",
    "_atom_site_fract_x",
    "data_",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "nan",
    "-inf",
    "1e999",
    "1e308",
    "-1",
    "999999999999",
    "<",
    ">",
    "</v>",
    "<v>",
    "&a;",
    "<!DOCTYPE a>",
    "\u{0}",
    "é",
    "(",
    "ATOMIC_POSITIONS (crystal)\n",
];

fn finite(frames: &[Frame]) {
    for frame in frames {
        assert!(frame.positions_angstrom.iter().flatten().all(|c| c.is_finite()));
        assert!(frame.lattice_angstrom.iter().flatten().flatten().all(|c| c.is_finite()));
        for (key, value) in &frame.info {
            assert!(!matches!(value, InfoValue::Float(number) if !number.is_finite()), "{key}");
        }
        let _ = frame.structure();
    }
    let _ = write_extxyz(frames);
}

fn read_everything(text: &str, name: &str) {
    for frames in [
        read_structures(text, name),
        read_structures(text, "unnamed"),
        read_cif(text, name),
        read_vasprun(text, name).map(|frame| vec![frame]),
        read_espresso(text, name).map(|frame| vec![frame]),
        read_structures_json(text, name),
    ]
    .into_iter()
    .flatten()
    {
        finite(&frames);
    }
}

#[derive(Clone, Debug)]
enum Mutation {
    Delete(usize, usize),
    Insert(usize, usize),
    Duplicate(usize, usize),
    Byte(usize, u8),
    Truncate(usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        4 => (any::<usize>(), 1usize..40).prop_map(|(a, n)| Mutation::Delete(a, n)),
        4 => (any::<usize>(), 0..TOKENS.len()).prop_map(|(a, t)| Mutation::Insert(a, t)),
        4 => (any::<usize>(), 1usize..200).prop_map(|(a, n)| Mutation::Duplicate(a, n)),
        4 => (any::<usize>(), any::<u8>()).prop_map(|(a, b)| Mutation::Byte(a, b)),
        1 => any::<usize>().prop_map(Mutation::Truncate),
    ]
}

fn mutate(seed: &str, mutations: &[Mutation]) -> Vec<u8> {
    let mut bytes = seed.as_bytes().to_vec();
    for mutation in mutations {
        let at = |a: usize| a % (bytes.len() + 1);
        match mutation {
            Mutation::Delete(a, n) => {
                let start = at(*a);
                bytes.drain(start..(start + n).min(bytes.len()));
            }
            Mutation::Insert(a, token) => {
                let start = at(*a);
                bytes.splice(start..start, TOKENS[*token].bytes());
            }
            Mutation::Duplicate(a, n) => {
                let start = at(*a);
                let part = bytes[start..(start + n).min(bytes.len())].to_vec();
                bytes.splice(start..start, part);
            }
            Mutation::Byte(a, b) => {
                let start = at(*a);
                if let Some(byte) = bytes.get_mut(start) {
                    *byte = *b;
                }
            }
            Mutation::Truncate(a) => bytes.truncate(at(*a)),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn mutated_files_never_panic(file in 0..FILES.len(), mutations in proptest::collection::vec(mutation(), 1..6)) {
        let (name, seed) = FILES[file];
        let bytes = mutate(seed, &mutations);
        let start = Instant::now();
        if let Ok(text) = decode_structures(&bytes, name) {
            read_everything(&text, name);
        }
        read_everything(&String::from_utf8_lossy(&bytes), name);
        prop_assert!(start.elapsed().as_secs_f64() < 5.0);
    }

    #[test]
    fn arbitrary_bytes_never_panic(file in 0..FILES.len(), bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let name = FILES[file].0;
        if let Ok(text) = decode_structures(&bytes, name) {
            read_everything(&text, name);
        }
        read_everything(&String::from_utf8_lossy(&bytes), name);
    }

    #[test]
    fn arbitrary_words_never_panic(words in proptest::collection::vec(0..TOKENS.len(), 0..60)) {
        let text: String = words.iter().flat_map(|word| [TOKENS[*word], " "]).collect();
        for head in ["", "data_a\n", "<modeling>", "Program PWSCF\n", "{\"numbers\":"] {
            read_everything(&format!("{head}{text}"), "unnamed");
        }
    }
}

/// Every beginning of every file: an error or a frame, at once. A vasprun.xml without its end is never a frame.
#[test]
fn truncated_files_never_panic() {
    for (name, text) in FILES {
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let read = read_structures(&text[..end], name);
            if name == "vasprun.xml" && end < text.len() - 1 {
                assert!(read.is_err(), "{name} to byte {end}");
            }
            if let Ok(frames) = read {
                finite(&frames);
            }
        }
    }
}

/// The time of long inputs grows with their length: ten times the limit of a linear reader is not reached.
#[test]
fn long_files_take_linear_time() {
    let start = Instant::now();
    let many = 200_000;
    let site = "Li1 0.1 0.2 0.3\n".repeat(many);
    let cif = format!("{}{site}", FILES[1].1.split("Na1").next().unwrap());
    assert_eq!(read_cif(&cif, "f").unwrap()[0].species.len(), 1);
    for filler in ["'a' ", "_x y\n", "loop_\n", "data_a\n", "a ", "\n;\n;"] {
        let _ = read_cif(&format!("data_x\n_cell_length_a 3\n{}", filler.repeat(many)), "f");
        let _ = read_cif(&format!("data_x\nloop_\n_atom_site_fract_x\n{}", filler.repeat(many)), "f");
    }
    for filler in ["<i>1</i>", "<a ", "&amp;", "a='1' ", "<i name='GGA'>PE</i>", "<scstep/>"] {
        let _ = read_vasprun(&format!("<modeling><incar>{}</incar></modeling>", filler.repeat(many)), "f");
        let _ = read_vasprun(&format!("<modeling><calculation>{}", filler.repeat(many)), "f");
    }
    let attributes: Vec<String> = (0..many).map(|i| format!("a{i}='1'")).collect();
    let attributes = attributes.join(" ");
    let _ = read_vasprun(&format!("<modeling {attributes}></modeling>"), "f");
    for filler in [
        "ATOMIC_POSITIONS (crystal)\n",
        "! total energy = 1 Ry\n",
        "CELL_PARAMETERS (bohr)\n1 0 0\n0 1 0\n0 0 1\n",
        "U(Co-3d) = 3\n",
    ] {
        let _ = read_espresso(&format!("{}{}", FILES[3].1, filler.repeat(many)), "f");
    }
    for filler in ["[", "{\"a\":", "1,", "[1],"] {
        let _ = read_structures_json(&format!("[{}", filler.repeat(many)), "f");
        let _ = read_structures_json(&format!("{{\"numbers\": [{}", filler.repeat(many)), "f");
    }
    assert!(start.elapsed().as_secs_f64() < 20.0, "{:?}", start.elapsed());
}

/// Claims of few digits do not make many atoms.
#[test]
fn claims_do_not_take_memory() {
    let entry = "{\"composition\": {\"Li\": 1999999}, \"energy\": -1},".repeat(100);
    let error = read_structures_json(&format!("[{}]", entry.trim_end_matches(',')), "f").unwrap_err();
    assert!(error.to_string().contains("2000000 atoms"), "{error}");
    let array =
        "{\"numbers\": {\"__ndarray__\": [[4000000000, 4000000000], \"int64\", [1]]}, \"positions\": []}";
    assert!(read_structures_json(array, "f").unwrap_err().to_string().contains("shape"));
    let pwo = FILES[3]
        .1
        .replace("number of atoms/cell      =            2", "number of atoms/cell      = 9999999999999");
    assert!(read_espresso(&pwo, "f").is_err());
    let operations = "'x, y, z'\n".repeat(1000);
    let cif =
        FILES[0].1.replace("36 'x+1/3, x-y+2/3, z+2/3'\n", "").replace("_symmetry_equiv_pos_site_id\n", "");
    let head = cif.split("1 'x, y, z'").next().unwrap();
    let tail = cif.split("loop_\n_atom_site_label").nth(1).unwrap();
    let many = format!("{head}{operations}loop_\n_atom_site_label{tail}");
    assert!(read_cif(&many, "f").unwrap_err().to_string().contains("192"));
}
