//! Published and recomputed voltages and hulls.

#![allow(clippy::unwrap_used)]

use scalade_energetics::{ComputedEntry, IonReference, VoltageProfile, voltage_profile};
use std::collections::BTreeMap;

const LIXNIO2: &str = include_str!("../../../data/lattice/lixnio2_dft_31.json");
const LICOO2: &str = include_str!("../../../data/licoo2/orderings.extxyz");
const LICOO2_HULL: &str = include_str!("../../../data/licoo2/hull.json");
const LICOO2_README: &str = include_str!("../../../data/licoo2/README.md");
const LICOO2_REFERENCES: &str = include_str!("../../../data/licoo2/references.json");

fn lithium(energy_ev: f64) -> IonReference {
    IonReference::new("Li", energy_ev).unwrap()
}

fn entry(id: &str, atoms: &[(&'static str, u64)], energy_ev: f64) -> ComputedEntry {
    ComputedEntry::new(id, atoms.iter().copied(), energy_ev)
}

fn near(value: f64, wanted: f64, tolerance: f64) {
    assert!((value - wanted).abs() <= tolerance, "{value} is not {wanted} within {tolerance}");
}

fn lixnio2() -> Vec<ComputedEntry> {
    let document: serde_json::Value = serde_json::from_str(LIXNIO2).unwrap();
    let entries = document["entries"].as_array().unwrap();
    let read = |e: &serde_json::Value| {
        let species = e["species"].as_array().unwrap().iter().map(|s| (s.as_str().unwrap(), 1));
        ComputedEntry::new(&e["id"].to_string(), species, e["energy_eV"].as_f64().unwrap())
    };
    entries.iter().map(read).collect()
}

#[test]
fn l12_lixnio2_hull_and_steps() {
    let entries = lixnio2();
    assert_eq!(entries.len(), 31);
    let profile = voltage_profile(&entries, &lithium(-1.9), 1).unwrap();
    assert_eq!(profile.host_formula, "NiO2");
    // All 31 are kept, among them the end member at x = 0 and the entry 9 at x = 1/3.
    assert_eq!(profile.hull.points.len(), 31);
    near(profile.hull.point("0").unwrap().energy_ev, -31.381388333, 5e-10);
    near(profile.hull.point("30").unwrap().energy_ev, -37.465006667, 5e-10);
    near(profile.hull.point("9").unwrap().formation_energy_ev, 5.8461e-3, 5e-8);
    let vertices: Vec<_> = profile.hull.vertex_points().collect();
    assert_eq!(vertices.iter().map(|v| v.id.as_str()).collect::<Vec<_>>(), ["0", "14", "28", "30"]);
    for (vertex, (x, formation)) in
        vertices.iter().zip([(0.0, 0.0), (0.5, -128.09), (0.8333, -46.95), (1.0, 0.0)])
    {
        near(vertex.x, x, 5e-5);
        near(1e3 * vertex.formation_energy_ev, formation, 5e-3);
    }
    assert_eq!(profile.steps.len(), 3);
    for (step, voltage) in profile.steps.iter().zip([4.4398, 3.9402, 3.9019]) {
        near(step.voltage_v, voltage, 5e-5);
    }
    near(profile.average_voltage_v, 4.183618, 5e-7);
}

#[test]
fn l13_litio2_of_the_materials_project() {
    let entries = [
        entry("half", &[("Li", 2), ("Ti", 4), ("O", 8)], -114.92282305),
        entry("full", &[("Li", 4), ("Ti", 4), ("O", 8)], -120.53193305),
        entry("anatase", &[("Ti", 4), ("O", 8)], -105.53571656),
        entry("empty", &[("Ti", 4), ("O", 8)], -105.53596712),
    ];
    let profile = voltage_profile(&entries, &lithium(-1.90753119), 1).unwrap();
    let step = profile.average_between("half", "full").unwrap();
    assert_eq!((step.x_from, step.x_to), (0.5, 1.0));
    near(step.voltage_v, 0.89702381, 5e-9);
    near(profile.steps[1].voltage_v, 0.89702381, 5e-9);
    // The other order of names is the same step.
    assert_eq!(profile.average_between("full", "half").unwrap(), step);
    assert!(
        profile.average_between("anatase", "empty").unwrap_err().to_string().contains("same composition")
    );
    assert!(profile.average_between("full", "none").is_err());
    near(profile.hull.point("anatase").unwrap().above_hull_ev, (105.53596712 - 105.53571656) / 4.0, 1e-12);
}

#[test]
fn l14_gpaw_pbe_licoo2() {
    let entries = [
        entry("LiCoO2", &[("Li", 1), ("Co", 1), ("O", 2)], -22.462356),
        entry("CoO2", &[("Co", 1), ("O", 2)], -17.181656),
    ];
    let profile = voltage_profile(&entries, &lithium(-1.904300), 1).unwrap();
    near(profile.average_voltage_v, 3.3764, 1e-6);
    assert_eq!(profile.steps.len(), 1);
}

#[test]
fn l15_chgnet_lifepo4() {
    let entries = [
        entry("LiFePO4", &[("Li", 4), ("Fe", 4), ("P", 4), ("O", 16)], -210.8559),
        entry("FePO4", &[("Fe", 4), ("P", 4), ("O", 16)], -189.6482),
    ];
    let profile = voltage_profile(&entries, &lithium(-1.88025), 1).unwrap();
    assert_eq!(profile.host_formula, "FePO4");
    near(profile.average_voltage_v, 3.4217, 5e-5);
}

/// Id, atoms and energy of the bundled frames: the file is machine-written, one layout throughout.
fn licoo2() -> Vec<ComputedEntry> {
    let mut lines = LICOO2.lines();
    let mut entries = Vec::new();
    while let Some(count) = lines.next() {
        let header = lines.next().unwrap();
        let value = |key: &str| header.split(' ').find_map(|pair| pair.strip_prefix(key)).unwrap();
        let species: Vec<(&str, u64)> = (0..count.trim().parse().unwrap())
            .map(|_| (lines.next().unwrap().split_whitespace().next().unwrap(), 1))
            .collect();
        entries.push(ComputedEntry::new(value("id="), species, value("energy=").parse().unwrap()));
    }
    entries
}

fn licoo2_profile(reference: &str) -> VoltageProfile {
    let references: serde_json::Value = serde_json::from_str(LICOO2_REFERENCES).unwrap();
    let energy = references[reference]["energy_eV_per_atom"].as_f64().unwrap();
    voltage_profile(&licoo2(), &lithium(energy), 1).unwrap()
}

#[test]
fn licoo2_hull_and_steps_with_both_references() {
    let (with_dispersion, plain) = (licoo2_profile("Li_bcc"), licoo2_profile("Li_bcc_no_d3"));
    assert_eq!(with_dispersion.hull.points.len(), 138);
    let hull: serde_json::Value = serde_json::from_str(LICOO2_HULL).unwrap();
    let stated = hull["hull"].as_array().unwrap();
    let vertices: Vec<_> = with_dispersion.hull.vertex_points().collect();
    assert_eq!((vertices.len(), stated.len()), (10, 10));
    for (vertex, stated) in vertices.iter().zip(stated) {
        assert_eq!(vertex.id, stated["id"].as_str().unwrap());
        near(vertex.x, stated["x"].as_f64().unwrap(), 5e-5);
        near(1e3 * vertex.formation_energy_ev, stated["formation_meV_per_fu"].as_f64().unwrap(), 5.001e-3);
    }
    for (stated, (first, second)) in
        hull["steps"].as_array().unwrap().iter().zip(with_dispersion.steps.iter().zip(&plain.steps))
    {
        near(first.voltage_v, stated["V_Li_d3"].as_f64().unwrap(), 5.001e-5);
        near(second.voltage_v, stated["V_Li_plain"].as_f64().unwrap(), 5.001e-5);
    }
    // The table of step voltages in the README, | x from | x to | V | V |, was rounded to three digits from
    // the four of hull.json: half a unit of
    // both together.
    let table = LICOO2_README.split("| x from | x to |").nth(1).unwrap();
    let rows: Vec<Vec<f64>> = table
        .lines()
        .skip(2)
        .map_while(|line| line.strip_prefix('|'))
        .map(|line| line.split('|').filter_map(|cell| cell.trim().parse().ok()).collect())
        .collect();
    assert_eq!((rows.len(), with_dispersion.steps.len()), (9, 9));
    for (row, (first, second)) in rows.iter().zip(with_dispersion.steps.iter().zip(&plain.steps)) {
        near(first.x_from, row[0], 5e-5);
        near(first.x_to, row[1], 5e-5);
        near(first.voltage_v, row[2], 5.501e-4);
        near(second.voltage_v, row[3], 5.501e-4);
    }
    near(with_dispersion.average_voltage_v, hull["average_voltage_V"]["Li_d3"].as_f64().unwrap(), 5.001e-5);
    near(plain.average_voltage_v, hull["average_voltage_V"]["Li_plain"].as_f64().unwrap(), 5.001e-5);
    // PBE single points of the same README.
    let entries = [
        entry("a", &[("Li", 1), ("Co", 1), ("O", 2)], -22.3950),
        entry("b", &[("Co", 1), ("O", 2)], -17.1632),
    ];
    near(voltage_profile(&entries, &lithium(-1.8942), 1).unwrap().average_voltage_v, 3.338, 5e-4);
}

#[test]
fn order_of_entries_changes_nothing() {
    let entries = licoo2();
    let straight = voltage_profile(&entries, &lithium(-2.0), 1).unwrap();
    let mut shuffled = entries.clone();
    shuffled.reverse();
    assert_eq!(voltage_profile(&shuffled, &lithium(-2.0), 1).unwrap(), straight);
    shuffled.sort_by_key(|e| e.id.bytes().rev().collect::<Vec<_>>());
    assert_eq!(voltage_profile(&shuffled, &lithium(-2.0), 1).unwrap(), straight);
}

#[test]
fn copies_in_larger_cells_are_no_new_vertices() {
    // The same structures in cells two, three and seven times as large: rounding of their energies must not
    // add steps.
    let entries = lixnio2();
    let straight = voltage_profile(&entries, &lithium(-1.9), 1).unwrap();
    let mut all = entries.clone();
    for factor in [2u64, 3, 7] {
        all.extend(entries.iter().map(|e| ComputedEntry {
            id: format!("{}x{factor}", e.id),
            counts: e.counts.iter().map(|(s, n)| (s.clone(), n * factor)).collect::<BTreeMap<_, _>>(),
            energy_ev: e.energy_ev.map(|e| e * factor as f64),
            ..e.clone()
        }));
    }
    let scaled = voltage_profile(&all, &lithium(-1.9), 1).unwrap();
    assert_eq!(scaled.steps.len(), straight.steps.len());
    for (a, b) in scaled.steps.iter().zip(&straight.steps) {
        near(a.voltage_v, b.voltage_v, 1e-12);
        assert_eq!((a.x_from, a.x_to), (b.x_from, b.x_to));
    }
}

#[test]
fn magnesium_takes_two_electrons() {
    let set = |ion: &'static str| {
        [
            entry("empty", &[("Mn", 2), ("O", 4)], -40.0),
            entry("half", &[(ion, 1), ("Mn", 4), ("O", 8)], -84.5),
            entry("full", &[(ion, 1), ("Mn", 2), ("O", 4)], -48.2),
        ]
    };
    let lithium = voltage_profile(&set("Li"), &lithium(-1.5), 2).unwrap();
    let magnesium = voltage_profile(&set("Mg"), &IonReference::new("Mg", -1.5).unwrap(), 2).unwrap();
    assert_eq!(magnesium.host_formula, "Mn2O4");
    for (li, mg) in lithium.steps.iter().zip(&magnesium.steps) {
        assert_eq!(mg.voltage_v, 0.5 * li.voltage_v);
    }
    assert!(IonReference::new("Fe", -8.0).unwrap_err().to_string().contains("with_valence"));
    assert!(IonReference::with_valence("Fe", 3, -8.0).is_ok());
    assert!(IonReference::with_valence("Li", 0, -1.9).is_err());
    assert!(IonReference::new("Li", f64::NAN).is_err());
}

#[test]
fn what_is_missing_is_said() {
    let one = [entry("a", &[("Co", 1), ("O", 2)], -17.0), entry("b", &[("Co", 2), ("O", 4)], -34.5)];
    let message = voltage_profile(&one, &lithium(-1.9), 1).unwrap_err().to_string();
    assert_eq!(
        message,
        "all 2 entries have x = 0 Li per CoO2; a voltage needs at least one more composition (the working ion is Li: right?)"
    );
    let two = [
        entry("a", &[("Co", 1), ("O", 2)], -17.0).with_label("PBE"),
        entry("b", &[("Li", 1), ("Co", 1), ("O", 2)], -22.0).with_label("PBE"),
    ];
    assert!(voltage_profile(&two, &lithium(-1.9), 1).is_ok());
    assert!(voltage_profile(&two, &lithium(-1.9).with_label("PBE"), 1).is_ok());
    let message = voltage_profile(&two, &lithium(-1.9).with_label("SCAN"), 1).unwrap_err().to_string();
    assert!(message.contains("the reference of Li is labelled 'SCAN'"), "{message}");
    let space = scalade_energetics::HostSpace::from_entries(&two, "Li", 1).unwrap();
    let sodium = IonReference::new("Na", -1.3).unwrap();
    assert!(VoltageProfile::new(&space, &sodium).unwrap_err().to_string().contains("give the energy of Li"));
    assert!(voltage_profile(&two, &lithium(-1.9).with_standard_error_ev(-1.0), 1).is_err());
}
