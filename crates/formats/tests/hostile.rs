//! Mutated files: no reader panics, and every answer comes at once.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use scalade_formats::{
    FileFormat, convert, decode_text, read_barriers, read_csv, read_extxyz, read_frames_json, read_poscar,
    read_references, read_table_json, write_extxyz,
};

const SEEDS: [&str; 6] = [
    "2\nLattice=\"3.4 0 0 0 3.4 0 0 0 3.4\" Properties=species:S:1:pos:R:3:forces:R:3:magmoms:R:1 id=a energy=-1e-3 m=[[1, 2], [3, 4]] l={a b} q='x \\' y' flag pbc=\"T T T\"\n\
     Li 0 0 0 0 0 0 1\nO 1.7 1.7 1.7 0 1d-3 0 1\n1\n\nH 0 0 0\n",
    "cell\n-40.0\n3 0 0\n0 3 0\n0 0 3\nLi O\n1 1\nSelective\nDirect\n0 0 0 T T T\n0.5 0.5 0.5 F F F\n",
    "id,x,mechanism,forward_eV,backward_eV,kra_eV,profile_eV\n# c\nh1,0.5,odh,0.5,0.7,0.6,0.0 0.5 -0.2\n\"h\"\"2\",0.5,tsh,0.2,0.2,,\n",
    "{\"Li\": {\"energy_eV_per_atom\": -1.9, \"converged\": true}, \"CoO2\": {\"energy_eV_per_fu\": -20.5}}",
    "{\"format\":\"scalade-frames\",\"version\":1,\"frames\":[{\"lattice_angstrom\":[[3,0,0],[0,3,0],[0,0,3]],\"periodic\":[true,true,true],\"species\":[\"Li\"],\"positions_angstrom\":[[0,0,0]],\"info\":{\"e\":1.5,\"a\":[1,2]},\"arrays\":{\"q\":{\"kind\":\"real\",\"width\":1,\"values\":[0.5]}}}]}",
    "{\"columns\":[\"a\",\"b\"],\"rows\":[[1,null],[2.5,\"x\"]]}",
];

const TOKENS: [&str; 24] = [
    "\n",
    "\"",
    "'",
    "[",
    "]",
    "{",
    "}",
    "=",
    ",",
    "\\",
    "nan",
    "-inf",
    "1e999",
    "18446744073709551616",
    "999999999999",
    "-1",
    "T",
    "\u{0}",
    "\u{2028}",
    "é",
    ":",
    "#",
    " ",
    "Properties=",
];

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
        (any::<usize>(), 1usize..20).prop_map(|(a, n)| Mutation::Delete(a, n)),
        (any::<usize>(), 0..TOKENS.len()).prop_map(|(a, t)| Mutation::Insert(a, t)),
        (any::<usize>(), 1usize..60).prop_map(|(a, n)| Mutation::Duplicate(a, n)),
        (any::<usize>(), any::<u8>()).prop_map(|(a, b)| Mutation::Byte(a, b)),
        any::<usize>().prop_map(Mutation::Truncate),
    ]
}

fn mutate(seed: &str, mutations: &[Mutation]) -> Vec<u8> {
    let mut bytes = seed.as_bytes().to_vec();
    for mutation in mutations {
        let at = |a: usize| a % (bytes.len() + 1);
        match mutation {
            Mutation::Delete(a, n) => {
                let start = at(*a);
                let end = (start + n).min(bytes.len());
                bytes.drain(start..end);
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

/// Every reader on a text; what is read is finite and can be written and read again.
fn read_everything(text: &str) {
    if let Ok(frames) = read_extxyz(text, "f") {
        for frame in &frames {
            assert!(frame.positions_angstrom.iter().flatten().all(|c| c.is_finite()));
            let _ = frame.structure();
        }
        if let Ok(written) = write_extxyz(&frames) {
            let again = read_extxyz(&written, "f").unwrap();
            assert_eq!(again.len(), frames.len());
            for (new, old) in again.iter().zip(&frames) {
                assert_eq!(
                    (&new.info, &new.arrays, &new.positions_angstrom),
                    (&old.info, &old.arrays, &old.positions_angstrom)
                );
            }
        }
    }
    if let Ok(poscar) = read_poscar(text, "f") {
        assert!(poscar.structure.fractional().iter().flatten().all(|c| c.is_finite()));
    }
    if let Ok(table) = read_csv(text, "f") {
        let _ = read_barriers(&table);
    }
    let _ = read_references(text, "f");
    let _ = read_frames_json(text, "f");
    let _ = read_table_json(text, "f");
    for from in [
        FileFormat::ExtendedXyz,
        FileFormat::Poscar,
        FileFormat::FramesJson,
        FileFormat::Csv,
        FileFormat::TableJson,
    ] {
        for to in [
            FileFormat::ExtendedXyz,
            FileFormat::Poscar,
            FileFormat::FramesJson,
            FileFormat::Csv,
            FileFormat::TableJson,
        ] {
            let _ = convert(text, "f", from, to, None);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn mutated_files_never_panic(seed in 0..SEEDS.len(), mutations in proptest::collection::vec(mutation(), 1..6)) {
        let bytes = mutate(SEEDS[seed], &mutations);
        let start = std::time::Instant::now();
        if let Ok(text) = decode_text(&bytes, "f", "anything") {
            read_everything(text);
        }
        read_everything(&String::from_utf8_lossy(&bytes));
        prop_assert!(start.elapsed().as_secs_f64() < 2.0);
    }
}

#[test]
fn seeds_are_valid() {
    assert_eq!(read_extxyz(SEEDS[0], "f").unwrap().len(), 2);
    assert_eq!(read_poscar(SEEDS[1], "f").unwrap().structure.len(), 2);
    assert_eq!(read_barriers(&read_csv(SEEDS[2], "f").unwrap()).unwrap()[1].id, "h\"2");
    assert_eq!(read_references(SEEDS[3], "f").unwrap().len(), 2);
    assert_eq!(read_frames_json(SEEDS[4], "f").unwrap().len(), 1);
    assert_eq!(read_table_json(SEEDS[5], "f").unwrap().rows().len(), 2);
}

#[test]
fn long_lines_take_linear_time() {
    let start = std::time::Instant::now();
    for filler in ["a=1 ", "[", "\"", "{ ", "x", "[1,", "T "] {
        let line = filler.repeat(300_000);
        let _ = read_extxyz(&format!("1\nLattice=\"3 3 3\" k={line}\nLi 0 0 0\n"), "f");
        let _ = read_csv(&line, "f");
        let _ = read_csv(&format!("a,b\n{line}\n{line}"), "f");
        let _ = read_poscar(&line, "f");
    }
    assert!(start.elapsed().as_secs_f64() < 20.0, "{:?}", start.elapsed());
}
