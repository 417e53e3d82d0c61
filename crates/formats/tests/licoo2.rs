//! The bundled LiCoO2 data through every reader.

#![allow(clippy::unwrap_used)]

use scalade_formats::{
    EnergyPer, FileFormat, FormatError, convert, energy_ev, read_barriers, read_csv, read_extxyz,
    read_references, write_csv, write_extxyz,
};

const ORDERINGS: &str = include_str!("../../../data/licoo2/orderings.extxyz");
const IDEAL: &str = include_str!("../../../data/licoo2/ideal_orderings.extxyz");
const BARRIERS: &str = include_str!("../../../data/licoo2/barriers.csv");
const REFERENCES: &str = include_str!("../../../data/licoo2/references.json");

#[test]
fn orderings_read_whole_and_back() {
    let frames = read_extxyz(ORDERINGS, "orderings.extxyz").unwrap();
    let ideal = read_extxyz(IDEAL, "ideal_orderings.extxyz").unwrap();
    assert_eq!((frames.len(), ideal.len()), (138, 138));
    for (frame, ideal) in frames.iter().zip(&ideal) {
        let (structure, sites) = (frame.structure().unwrap(), ideal.structure().unwrap());
        let x = frame.info["x"].number().unwrap();
        assert!((structure.count("Li") as f64 / structure.count("Co") as f64 - x).abs() < 1e-12);
        assert!(
            (structure.volume_cubic_angstrom() / frame.info["volume"].number().unwrap() - 1.0).abs() < 1e-9
        );
        let per_unit = energy_ev(frame, "energy_per_fu").unwrap() * structure.count("Co") as f64;
        assert!((energy_ev(frame, "energy").unwrap() - per_unit).abs() < 1e-9);
        assert_eq!((frame.id(), frame.arrays["forces"].width()), (ideal.id(), 3));
        assert_eq!(sites.count("X") + sites.count("Li"), sites.count("Co"));
    }
    assert_eq!(read_extxyz(&write_extxyz(&frames[..1]).unwrap(), "orderings.extxyz").unwrap(), frames[..1]);
    let mut again = read_extxyz(&write_extxyz(&frames).unwrap(), "orderings.extxyz").unwrap();
    for (new, old) in again.iter_mut().zip(&frames) {
        new.line = old.line;
    }
    assert_eq!(again, frames);
}

#[test]
fn orderings_convert_and_come_back() {
    let json = convert(ORDERINGS, "o", FileFormat::ExtendedXyz, FileFormat::FramesJson, None).unwrap();
    let back = convert(&json, "o", FileFormat::FramesJson, FileFormat::ExtendedXyz, None).unwrap();
    assert_eq!(back, write_extxyz(&read_extxyz(ORDERINGS, "o").unwrap()).unwrap());
    let many = convert(ORDERINGS, "o", FileFormat::ExtendedXyz, FileFormat::Poscar, None).unwrap_err();
    assert!(many.to_string().contains("o has 138 frames and a POSCAR holds one; say which"));
    let poscar = convert(ORDERINGS, "o", FileFormat::ExtendedXyz, FileFormat::Poscar, Some(3)).unwrap();
    assert!(poscar.starts_with("lco-002-n2-li1\n1.0\n"));
    let frame = convert(&poscar, "p", FileFormat::Poscar, FileFormat::ExtendedXyz, None).unwrap();
    let (new, old) = (&read_extxyz(&frame, "p").unwrap()[0], &read_extxyz(ORDERINGS, "o").unwrap()[2]);
    for (a, b) in new.positions_angstrom.iter().flatten().zip(old.positions_angstrom.iter().flatten()) {
        assert!((a - b).abs() < 1e-13);
    }
    assert!(convert(ORDERINGS, "o", FileFormat::ExtendedXyz, FileFormat::Poscar, Some(139)).is_err());
    assert!(matches!(
        convert(ORDERINGS, "o", FileFormat::ExtendedXyz, FileFormat::Csv, None),
        Err(FormatError::Conversion { .. })
    ));
}

#[test]
fn barriers_and_their_refusals() {
    let rows = read_barriers(&read_csv(BARRIERS, "barriers.csv").unwrap()).unwrap();
    assert_eq!(rows.len(), 15);
    let h07 = &rows[6];
    assert_eq!((h07.id.as_str(), h07.line, h07.mechanism.as_str()), ("h07", 8, "tsh"));
    assert!((h07.kinetically_resolved_ev - 0.242).abs() < 6e-4);
    assert_eq!(
        (h07.neighbours_initial, h07.neighbours_final, h07.vacant_common),
        (Some(2), Some(0), Some(2))
    );
    for row in &rows {
        assert_eq!(row.converged, Some(true));
        let highest = row.profile_ev.iter().copied().fold(f64::MIN, f64::max);
        assert!((highest - row.forward_ev).abs() < 1e-3, "{}", row.id);
    }
    let forward = BARRIERS.lines().nth(7).unwrap().split(',').nth(8).unwrap();
    let negative = BARRIERS.replace(forward, "-0.1");
    let error = read_barriers(&read_csv(&negative, "barriers.csv").unwrap()).unwrap_err().to_string();
    assert!(
        error.starts_with("forward barrier -0.1 eV of h07 (line 8 of barriers.csv): a barrier is"),
        "{error}"
    );
    let inconsistent = BARRIERS.replacen("0.5806", "0.4", 1);
    let error = read_barriers(&read_csv(&inconsistent, "b").unwrap()).unwrap_err().to_string();
    assert!(error.contains("kra_eV is the mean"), "{error}");
    let error = read_barriers(&read_csv("id,x\nh,1\n", "b").unwrap()).unwrap_err().to_string();
    assert_eq!(error, "b: column 'mechanism' is missing; there is: id, x");
    let json = convert(BARRIERS, "b", FileFormat::Csv, FileFormat::TableJson, None).unwrap();
    let back = convert(&json, "b", FileFormat::TableJson, FileFormat::Csv, None).unwrap();
    let mut again = read_barriers(&read_csv(&back, "barriers.csv").unwrap()).unwrap();
    for (new, old) in again.iter_mut().zip(&rows) {
        new.line = old.line;
    }
    assert_eq!(again, rows);
    let table = read_csv(BARRIERS, "b").unwrap();
    assert_eq!(read_csv(&write_csv(&table).unwrap(), "b").unwrap(), table);
}

#[test]
fn references_and_their_refusals() {
    let references = read_references(REFERENCES, "references.json").unwrap();
    assert_eq!(references["Li_bcc"].energy_ev, -2.0623168473947775);
    assert_eq!(references["Li_bcc"].per, EnergyPer::Atom);
    assert_eq!(references["LiCoO2_O3"].per, EnergyPer::FormulaUnit);
    assert_eq!(references["CoO2_O3"].numbers["a_A"], 2.8157006086108645);
    let refused = |text: &str| read_references(text, "r").unwrap_err().to_string();
    assert!(refused("{\"Li\": {\"energy\": -1.9}}").contains("missing in reference 'Li'; there is: energy"));
    assert!(
        refused("{\"Li\": {\"energy_eV_per_atom\": -1, \"converged\": false}}").contains("not converged")
    );
    assert!(refused("{\"Li\": {\"energy_eV_per_atom\": -1, \"energy_eV_per_fu\": -1}}").contains("keep one"));
    assert!(refused("{\"Li\": 5}").starts_with("r, line 1, column"));
    assert!(refused("{\"Li\": {\"energy_eV_per_atom\": 1e999}}").starts_with("r, line 1, column"));
    assert!(refused("{}").contains("empty"));
    assert!(refused(&format!("{{\"a\":{{\"b\":{}", "[".repeat(100_000))).contains("recursion limit"));
}
