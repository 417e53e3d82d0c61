//! Bands of small files of each format, and what is wrong with them.

use super::*;
use proptest::prelude::*;

const VASPRUN: &str = r#"<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
 <kpoints><varray name="kpointlist"><v> 0.0 0.0 0.0 </v><v> 0.5 0.0 0.0 </v><v> 0.1 0.0 0.0 </v></varray>
  <varray name="weights"><v> 0.25 </v><v> 0.75 </v><v> 0.0 </v></varray></kpoints>
 <parameters><i name="NELECT"> 2.0</i><i type="logical" name="LNONCOLLINEAR"> F </i><i type="logical" name="LSORBIT"> F </i></parameters>
 <atominfo><array name="atoms"><set><rc><c>Li</c><c> 1</c></rc></set></array>
  <array name="atomtypes"><set><rc><c> 1</c><c>Li</c></rc></set></array></atominfo>
 <structure name="initialpos"><crystal><varray name="basis"><v>9 0 0</v><v>0 9 0</v><v>0 0 9</v></varray></crystal>
  <varray name="positions"><v>0.5 0 0</v></varray></structure>
 <calculation>
  <structure><crystal><varray name="basis"><v>3 0 0</v><v>0 3 0</v><v>0 0 4</v></varray>
   <varray name="rec_basis"><v>0.3 0 0</v><v>0 0.3 0</v><v>0 0 0.25</v></varray></crystal>
   <varray name="positions"><v>0 0 0</v></varray></structure>
  <varray name="forces"><v>1 2 3</v></varray>
  <eigenvalues><array><field>eigene</field><set><set comment="spin 1">
   <set comment="kpoint 1"><r> -5.0 1.0 </r><r> 1.5 0.0 </r></set>
   <set comment="kpoint 2"><r> -4.0 1.0 </r><r> 2.5 0.0 </r></set>
   <set comment="kpoint 3"><r> -4.9 1.0 </r><r> 1.6 0.0 </r></set></set></set></array></eigenvalues>
  <projected><eigenvalues><array><set><set comment="spin 1"><set comment="kpoint 1"><r> 9 9 </r></set></set></set></array></eigenvalues></projected>
  <dos><i name="efermi"> -1.25 </i></dos>
 </calculation>
</modeling>
"#;

const ESPRESSO: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<qes:espresso xmlns:qes="http://www.quantum-espresso.org/ns/qes/qes-1.0">
 <input><atomic_structure nat="1" alat="1.0"><cell><a1>1 0 0</a1><a2>0 1 0</a2><a3>0 0 1</a3></cell></atomic_structure></input>
 <output>
  <atomic_structure nat="1" alat="6.0"><atomic_positions><atom name="Li" index="1">0.0 0.0 0.0</atom></atomic_positions>
   <cell><a1>6.0 0.0 0.0</a1><a2>0.0 6.0 0.0</a2><a3>0.0 0.0 12.0</a3></cell></atomic_structure>
  <band_structure><lsda>false</lsda><noncolin>false</noncolin><spinorbit>false</spinorbit><nbnd>2</nbnd><nelec>1.0e0</nelec>
   <fermi_energy>0.125</fermi_energy><nks>2</nks>
   <ks_energies><k_point weight="0.5">0.0 0.0 0.0</k_point><npw>9</npw><eigenvalues size="2">-0.5 0.25</eigenvalues></ks_energies>
   <ks_energies><k_point weight="1.5">0.5 0.0 0.25</k_point><npw>9</npw><eigenvalues size="2">0.0 0.5</eigenvalues></ks_energies>
  </band_structure>
 </output>
</qes:espresso>
"#;

fn bands(text: &str) -> ComputedBands {
    read_computed_bands(text, "file").unwrap().unwrap()
}

fn said(from: &str, to: &str, text: &str) -> String {
    let changed = text.replacen(from, to, 1);
    assert_ne!(changed, text);
    read_computed_bands(&changed, "file").unwrap().unwrap_err().to_string()
}

#[test]
fn vasprun_gives_the_last_step_and_its_mesh() {
    let found = bands(VASPRUN);
    assert_eq!(found.lattice_angstrom[2], [0.0, 0.0, 4.0]);
    // The point without a weight belongs to no mesh.
    assert_eq!(found.k_points, [[0.0; 3], [0.5, 0.0, 0.0]]);
    assert_eq!(found.energies_ev, [[[-5.0, 1.5], [-4.0, 2.5]]]);
    assert_eq!(found.weights, Some(vec![0.25, 0.75]));
    assert_eq!((found.electrons, found.fermi_level_ev, found.spin_degeneracy), (Some(2.0), Some(-1.25), 2.0));
    assert_eq!(found.structure.unwrap().species(), ["Li"]);
    let orbit = VASPRUN.replace("\"LSORBIT\"> F", "\"LSORBIT\"> T");
    assert_eq!(bands(&orbit).spin_degeneracy, 1.0);
    let start = VASPRUN.find("   <set comment=\"kpoint 1\"").unwrap();
    let end = VASPRUN.find("</set></array></eigenvalues>\n  <projected>").unwrap();
    let spin = VASPRUN[start..end].replace("-5.0", "-3.0");
    let two = format!("{}<set comment=\"spin 2\">{spin}{}", &VASPRUN[..end], &VASPRUN[end..]);
    let found = bands(&two);
    assert_eq!((found.energies_ev.len(), found.energies_ev[1][0][0], found.spin_degeneracy), (2, -3.0, 1.0));
}

#[test]
fn espresso_gives_hartree_and_alat_in_their_units() {
    let found = bands(ESPRESSO);
    assert!((found.lattice_angstrom[2][2] - 12.0 * 0.529_177_210_544).abs() < 1e-12);
    // k in 2 pi/alat: the third vector is twice as long.
    assert_eq!(found.k_points[1], [0.5, 0.0, 0.5]);
    assert_eq!(found.weights, Some(vec![0.25, 0.75]));
    assert!((found.energies_ev[0][0][0] + 13.605_693_122_990_5).abs() < 1e-9);
    assert!((found.fermi_level_ev.unwrap() - 3.401_423).abs() < 1e-5);
    assert_eq!((found.electrons, found.spin_degeneracy), (Some(1.0), 2.0));
    let polarised = ESPRESSO
        .replace("<lsda>false", "<lsda>true")
        .replace("<nbnd>2</nbnd>", "<nbnd_up>1</nbnd_up><nbnd_dw>1</nbnd_dw>");
    let found = bands(&polarised);
    assert_eq!((found.energies_ev.len(), found.energies_ev[1][0].len(), found.spin_degeneracy), (2, 1, 1.0));
}

#[test]
fn pymatgen_gives_spins_and_counts_whole_bands() {
    let text = r#"{"@module": "pymatgen.electronic_structure.bandstructure", "@class": "BandStructure",
        "lattice_rec": {"matrix": [[2, 0, 0], [0, 2, 0], [0, 0, 1]]}, "efermi": 0.5, "kpoints": [[0, 0, 0], [0.5, 0, 0]],
        "bands": {"1": [[-1.0, -0.5], [1.0, 2.0]], "-1": [[-0.9, -0.4], [1.1, NaN]]}}"#;
    assert!(read_computed_bands(text, "file").unwrap().is_err());
    let found = bands(&text.replace("NaN", "2.1"));
    assert_eq!((found.energies_ev.len(), found.electrons, found.weights), (2, Some(2.0), None));
    assert_eq!(bands(&text.replace("NaN", "0.2")).electrons, None);
    assert!(said("[[0, 0, 0], [0.5, 0, 0]]", "[[0, 0, 0]]", text).contains("expected 1, found 2"));
    assert!(said("\"efermi\"", "\"bad", &text.replace("NaN", "1")).contains("file"));
}

#[test]
fn broken_files_are_refused_with_their_place() {
    assert!(
        said("-5.0 1.0", "NaN 1.0", VASPRUN).contains("line 16"),
        "{}",
        said("-5.0 1.0", "NaN 1.0", VASPRUN)
    );
    assert!(said(" 0.75 ", " -0.75 ", VASPRUN).contains("weights"));
    assert!(said("<v> 0.75 </v>", "", VASPRUN).contains("weights"));
    assert!(said("</calculation>\n</modeling>", "", VASPRUN).contains("ends within"));
    assert!(said("<v>3 0 0</v>", "<v>3 0</v>", VASPRUN).contains("lattice vector"));
    let none = VASPRUN.replace("<r> ", "<x> ").replace(" </r>", " </x>");
    assert!(read_computed_bands(&none, "file").unwrap().is_ok_and(|b| b.energies_ev[0][0].is_empty()));
    assert!(said("<?xml", "<!DOCTYPE a [<!ENTITY b \"c\">]><?xml", VASPRUN).contains("document type"));
    assert!(said("-0.5 0.25", "-0.5 inf", ESPRESSO).contains("eigenvalue"));
    assert!(said("alat=\"6.0\"", "", ESPRESSO).contains("alat"));
    assert!(said("<a3>0.0 0.0 12.0</a3>", "", ESPRESSO).contains("three vectors"));
    assert!(read_computed_bands("<html></html>", "file").is_none());
    assert!(read_computed_bands("1 2 3", "file").is_none());
}

proptest! {
    #[test]
    fn no_text_panics(cut in 0usize..2000, at in 0usize..2000, insert in "[<>/a-z\"= 0-9.eN\\-]{0,20}") {
        for text in [VASPRUN, ESPRESSO] {
            let cut: String = text.chars().take(cut).collect();
            let _ = read_computed_bands(&cut, "file");
            let changed: String =
                text.chars().take(at).chain(insert.chars()).chain(text.chars().skip(at)).collect();
            let _ = read_computed_bands(&changed, "file");
        }
    }
}
