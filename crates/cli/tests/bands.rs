//! `scalade bands` from outside: reference values through files, errors beside values, and what is refused.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use serde_json::Value;

fn document(arguments: &[&str]) -> Value {
    common::document(&[&["bands"], arguments].concat())
}

fn refused(arguments: &[&str], words: &[&str]) {
    common::refused(&[&["bands"], arguments].concat(), words);
}

fn written(name: &str, text: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

fn data(name: &str) -> String {
    format!("{}/../../data/licoo2_bands/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn at(of: &Value, row: usize) -> (f64, f64) {
    (of["value"][row][row].as_f64().unwrap(), of["error"][row][row].as_f64().unwrap())
}

fn number(of: &Value) -> (f64, f64) {
    (of["value"].as_f64().unwrap(), of["error"].as_f64().unwrap())
}

const CUBIC: &str = "[lattice]\nname = \"sc\"\nconstant = \"6 bohr\"\n[tight_binding]\nonsite = [0.0]\nshells = [-0.02]\nunit = \"Ha\"\n";

/// The value lies within its stated error (and the digits of the reference) of the reference.
fn within((value, error): (f64, f64), exact: f64, digits: f64, most: f64) {
    assert!((value - exact).abs() <= error + digits, "{value} {error} {exact}");
    assert!(error <= most, "{error} {most}");
}

/// Reference results E3 and E4: sigma within 0.1 %, S within 0.2 uV/K, the mass to 1e-6, by potential and by count.
#[test]
fn e3_and_e4_cubic_band() {
    let file = written("cubic.toml", CUBIC);
    let found = document(&[&file, "--potential", "0 Ha, -0.088 Ha"]);
    let [half, low] = found["points"].as_array().unwrap().as_slice() else { unreachable!() };
    for axis in 0..3 {
        within(at(&half["conductivity_over_tau"], axis), 4.233_855_04e20, 1e12, 4e17);
        within(at(&low["conductivity_over_tau"], axis), 8.288_486_06e19, 1e11, 8e16);
        within(at(&half["seebeck"], axis), 0.0, 1e-9, 0.2);
        within(at(&low["seebeck"], axis), -12.174_679, 1e-6, 0.2);
        within(at(&low["effective_mass"], axis), 25.0 / 36.0, 1e-9, 1e-6);
    }
    assert!((low["carriers"].as_f64().unwrap() - 0.078_302_69).abs() < 1e-7);
    // The same from the count, in one point whose results stand at the top.
    let counted = document(&[&file, "--carriers", "0.07830269", "--tau", "10 fs"]);
    within(number(&counted["fermi_level_eV"]), -0.088 * 27.211_386_245_981, 1e-6, 1e-4);
    let (sigma, _) = at(&counted["conductivity_over_tau"], 0);
    assert!((at(&counted["conductivity_S_m"], 0).0 - 1e-14 * sigma).abs() < 1e-9 * 1e-14 * sigma);
    assert_eq!((&counted["converged"], &counted["seebeck"]["unit"]), (&true.into(), &"uV/K".into()));
    // At R the mass is the negative of that at Gamma.
    let full = document(&[&file, "--carriers", "1.9"]);
    within(at(&full["effective_mass"], 1), -25.0 / 36.0, 1e-9, 1e-6);
    assert_eq!(full["effective_mass"]["carrier"], "hole");
    assert!(at(&full["seebeck"], 0).0 > 0.0);
}

/// One band written in three ways is one band: shells, single hoppings, and a cell of two sites with the band folded.
#[test]
fn a_band_does_not_depend_on_how_it_is_written() {
    let a = 6.0 * 0.529_177_210_544;
    let listed = format!(
        "[lattice]\nvectors_angstrom = [[{a}, 0, 0], [0, {a}, 0], [0, 0, {a}]]\n[tight_binding]\nunit = \"Ha\"\nhopping = [{{ from = 0, to = 0, cell = [1, 0, 0], amplitude = -0.02 }}, {{ from = 0, to = 0, cell = [0, 1, 0], amplitude = [-0.02, 0.0] }}, {{ from = 0, to = 0, cell = [0, 0, -1], amplitude = -0.02 }}]\n"
    );
    let doubled = format!(
        "[lattice]\nvectors_angstrom = [[{}, 0, 0], [0, {a}, 0], [0, 0, {a}]]\n[tight_binding]\nunit = \"Ha\"\nonsite = [0.0, 0.0]\nhopping = [{{ from = 0, to = 1, cell = [0, 0, 0], amplitude = -0.02 }}, {{ from = 1, to = 0, cell = [1, 0, 0], amplitude = -0.02 }}, {{ from = 0, to = 0, cell = [0, 1, 0], amplitude = -0.02 }}, {{ from = 1, to = 1, cell = [0, 1, 0], amplitude = -0.02 }}, {{ from = 0, to = 0, cell = [0, 0, 1], amplitude = -0.02 }}, {{ from = 1, to = 1, cell = [0, 0, 1], amplitude = -0.02 }}]\n",
        2.0 * a
    );
    let one = document(&[&written("shells.toml", CUBIC), "--potential", "-0.05 Ha"]);
    for (name, text) in [("listed.toml", listed), ("doubled.toml", doubled)] {
        let other = document(&[&written(name, &text), "--potential", "-0.05 Ha"]);
        for key in ["conductivity_over_tau", "seebeck"] {
            for axis in 0..3 {
                let ((x, ex), (y, ey)) = (at(&one[key], axis), at(&other[key], axis));
                assert!((x - y).abs() <= ex + ey + 1e-9 * x.abs(), "{name} {key}: {x} {y}");
            }
        }
    }
}

/// Reference results E2 and Drude's formula, and E5, through model files.
#[test]
fn e2_and_e5_closed_forms() {
    let band = |extra: &str| written("parabolic.toml", &format!("[parabolic]\nmasses = [1.0]\n{extra}"));
    let kt = 8.617_333_262_145_179e-5 * 300.0;
    for (r, eta, seebeck, lorenz) in [
        (-0.5, -2.0, 350.239_35, 2.031_724_9),
        (-0.5, 2.0, 112.389_19, 2.499_590_2),
        (0.0, 0.0, 244.167_14, 2.578_840_7),
        (0.0, 2.0, 145.449_97, 2.744_287_1),
    ] {
        let file = band(&format!("exponent = {r}\n"));
        let found = document(&[&file, "--potential", &format!("{} eV", eta * kt)]);
        assert!((number(&found["seebeck"]).0 + seebeck).abs() < 1e-5, "{found}");
        assert!((number(&found["lorenz"]).0 - lorenz).abs() < 1e-7);
    }
    let found = document(&[&band(""), "--carriers", "1e19 cm^-3"]);
    assert!((number(&found["fermi_level_eV"]).0 + 0.020_162_865).abs() < 1e-9);
    let half = written("half.toml", "[parabolic]\nmasses = 0.5\ncarrier = \"hole\"\n");
    let drude = document(&[&half, "--carriers", "1e25 m^-3", "--tau", "10 fs"]);
    assert!((number(&drude["conductivity_S_m"]).0 - 5_635.880_65).abs() < 1e-4);
    assert!(number(&drude["seebeck"]).0 > 0.0);
    let polaron = "[polaron]\nsite_density = \"1.38e28 m^-3\"\nhop_length = \"3 angstrom\"\nattempt_frequency = \"1e13 Hz\"\nbarrier = \"175 meV\"\n";
    let found = document(&[&written("polaron.toml", polaron), "--carriers", "0.5"]);
    assert!((number(&found["conductivity_S_cm"]).0 - 0.221_007_62).abs() < 1e-8);
    assert!((number(&found["dilute_mobility_m2_Vs"]).0 - 3.998_321_9e-8).abs() < 1e-14);
}

/// LiCoO2 hardly conducts, CoO2 is a metal; holes give a positive Seebeck coefficient, and conduct less across the layers of CoO2.
#[test]
fn lithium_makes_the_metal_an_insulator() {
    let full = document(&[&data("bands_LiCoO2.json"), "--carriers", "0,-0.05"]);
    let [pure, doped] = full["points"].as_array().unwrap().as_slice() else { unreachable!() };
    let empty = document(&[&data("bands_CoO2.json"), "--temperature", "300"]);
    let sigma = |of: &Value| at(&of["conductivity_over_tau"], 0).0;
    assert!(sigma(pure) < 1e-8 * sigma(&empty), "{} {}", sigma(pure), sigma(&empty));
    assert!(sigma(doped) > 1e7 * sigma(pure));
    assert!(at(&doped["seebeck"], 0).0 > 50.0);
    let (along, across) = (sigma(&empty), at(&empty["conductivity_over_tau"], 2).0);
    assert!(along > 3.0 * across, "{along} {across}");
    let level = number(&pure["fermi_level_eV"]).0;
    // Between the band edges of the file, 1.045 eV apart.
    let open = document(&[&data("bands_LiCoO2.json"), "--carriers", "-0.05", "--gap", "2.7 eV"]);
    let hole = number(&doped["fermi_level_eV"]).0;
    assert!((0.3..0.8).contains(&(level - hole)), "{level} {hole}");
    assert!((number(&open["fermi_level_eV"]).0 - hole).abs() < 0.02);
}

#[test]
fn what_is_wrong_is_named() {
    let cubic = written("good_cubic.toml", CUBIC);
    refused(&[&cubic], &["--carriers is missing", "0.1"]);
    refused(&[&cubic, "--carriers", "2.0"], &["2", "electrons"]);
    refused(&[&cubic, "--carriers", "-0.1"], &["-0.1"]);
    refused(&[&cubic, "--carriers", "0.1", "--potential", "0 eV"], &["one of them"]);
    refused(&[&cubic, "--carriers", "nan"], &["--carriers"]);
    refused(&[&cubic, "--carriers", "0.1", "--temperature", "-3 K"], &["-3 K"]);
    refused(&[&cubic, "--carriers", "0.1", "--temperature", "0"], &["0 K"]);
    refused(&[&cubic, "--carriers", "0.1", "--tau", "3 m"], &["--tau"]);
    refused(&[&cubic, "--potential", "9 eV"], &["carriers"]);
    refused(&["nowhere.json", "--carriers", "0.1"], &["nowhere.json"]);
    refused(&[&written("x.json", "{ \"a\": 1 }")], &["x.json"]);
    refused(&[&written("x.xml", "<modeling></modeling>")], &["XML", "EIGENVAL"]);
    refused(&[&written("wannier_hr.dat", "comment\n1\n1\n1\n")], &["--structure"]);
    let said = |from: &str, to: &str, words: &[&str]| {
        let text = CUBIC.replace(from, to);
        assert_ne!(text, CUBIC, "{from}");
        refused(&[&written("wrong.toml", &text), "--carriers", "0.1"], words);
    };
    said("\"sc\"", "\"sx\"", &["name", "sc"]);
    said("6 bohr", "6 eV", &["constant"]);
    said("[-0.02]", "[nan]", &["shells"]);
    said("shells = [-0.02]\n", "", &["shells or hopping"]);
    said("unit = \"Ha\"", "unit = \"H\"", &["unit"]);
    said("onsite = [0.0]", "onsite = [0.0, 1.0]", &["onsite", "1 sites"]);
    said("[tight_binding]", "[tightbinding]", &["tight"]);
    said("onsite", "onsight", &["onsight", "onsite"]);
}
