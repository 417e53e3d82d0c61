//! `scalade bands` from outside: reference values, every kind of input, and what is refused.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use common::{document, refused};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

fn written(name: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

fn bundled(name: &str) -> String {
    format!("{}/../../data/licoo2_bands/bands_{name}.json", env!("CARGO_MANIFEST_DIR"))
}

fn run(arguments: &[&str]) -> Value {
    document(&[&["bands"], arguments].concat())
}

fn wrong(arguments: &[&str], words: &[&str]) {
    refused(&[&["bands"], arguments].concat(), words);
}

/// Value and error of a scalar.
fn number(of: &Value) -> (f64, f64) {
    assert_eq!(of["error"], of["std_error"]);
    assert!(of["unit"].is_string(), "{of}");
    (of["value"].as_f64().unwrap(), of["error"].as_f64().unwrap())
}

/// Value and error of a component of a tensor.
fn component(of: &Value, i: usize, j: usize) -> (f64, f64) {
    (of["value"][i][j].as_f64().unwrap(), of["error"][i][j].as_f64().unwrap())
}

fn near(got: (f64, f64), want: f64, tolerance: f64) {
    let off = (got.0 - want).abs();
    assert!(off <= tolerance && off <= 3.0 * got.1 + 0.51 * tolerance, "{got:?} {want}");
}

const CUBIC: &str = "[lattice]\nname = \"sc\"\nconstant = \"6 bohr\"\n[tight_binding]\nunit = \"Ha\"\n[[hopping]]\nshell = 1\namplitude = -0.02\n";

fn cubic() -> String {
    written("bands_e3.toml", CUBIC)
}

/// Reference result E3: the cubic band at half filling and near its bottom, by potential and by count.
#[test]
fn e3_cubic_band() {
    let file = cubic();
    let half = run(&[&file, "--carriers", "1.0"]);
    assert_eq!(half["converged"], true);
    near(number(&half["fermi_level_eV"]), 0.0, 1e-9);
    near(component(&half["conductivity_over_tau"], 0, 0), 4.23385504e20, 5e16);
    near(component(&half["seebeck"], 1, 1), 0.0, 1e-6);
    assert_eq!(half["diagnostics"][0]["name"], "metal");
    assert_eq!(half["points"][0]["fermi_level_eV"], half["fermi_level_eV"]);
    for (option, value) in [("--chemical-potential", "-0.088 Ha"), ("--carriers", "0.07830269")] {
        let low = run(&[&file, option, value, "--temperature", "300", "--relative-error", "1e-5"]);
        near(component(&low["conductivity_over_tau"], 2, 2), 8.28848606e19, 1e15);
        near(component(&low["seebeck"], 0, 0), -12.174679, 1e-2);
        near(number(&low["electrons_per_cell"]), 0.07830269, 1e-7);
        let hartree = number(&low["fermi_level_eV"]).0 / 27.211_386_245_981;
        assert!((hartree + 0.088).abs() < 1e-6, "{hartree}");
        assert_eq!(low["seebeck"]["unit"], "uV/K");
    }
    // Threads do not change a bit; with tau the conductivity itself.
    let one = run(&[&file, "--carriers", "1.0", "-j", "1", "--tau", "10 fs"]);
    assert_eq!(one["conductivity_over_tau"], half["conductivity_over_tau"]);
    let ratio = component(&one["conductivity"], 0, 0).0 / component(&half["conductivity_over_tau"], 0, 0).0;
    assert!((ratio / 1e-14 - 1.0).abs() < 1e-12);
}

/// Reference result E4: the mass at Gamma, as the edge of the carriers and where it is asked for.
#[test]
fn e4_mass_of_the_cubic_band() {
    let found = run(&[&cubic(), "--carriers", "0.1", "--mass-at", "0,0,0", "--mass-at", "0.5,0.5,0.5:1"]);
    let mass = &found["effective_mass"];
    for i in 0..3 {
        near(component(mass, i, i), 1.0 / (2.0 * 0.02 * 36.0), 1e-6);
    }
    assert_eq!((&mass["carrier"], &mass["k"]), (&json!("electrons"), &json!([0.0, 0.0, 0.0])));
    assert!((component(&found["masses"][0], 1, 1).0 - 0.694444).abs() < 1e-6);
    assert!((component(&found["masses"][1], 1, 1).0 + 0.694444).abs() < 1e-6);
    // Near the top holes carry, with a mass above 0.
    let holes = run(&[&cubic(), "--carriers", "1.9"]);
    assert_eq!(holes["effective_mass"]["carrier"], "holes");
    assert!((component(&holes["effective_mass"], 0, 0).0 - 0.694444).abs() < 1e-6);
    assert!(component(&holes["seebeck"], 0, 0).0 > 0.0);
}

/// Reference result E2: one parabolic band, and Drude's conductivity.
#[test]
fn e2_parabolic_band() {
    let text = "[[band]]\ncarrier = \"electron\"\nmass = 0.5\nedge = 0.25\n";
    let file = written("bands_e2.toml", text);
    let found = run(&[&file, "--chemical-potential", "0.25"]);
    assert!((component(&found["seebeck"], 0, 0).0 + 244.16714).abs() < 1e-5);
    assert!((number(&found["lorenz_reduced"]).0 - 2.5788407).abs() < 1e-7);
    // The reference took the electron mass of CODATA 2018, 1.4e-9 of itself apart.
    let drude = run(&[&file, "--carriers", "1e25 m^-3", "--tau", "1e-14", "--hall"]);
    assert!((component(&drude["conductivity"], 0, 0).0 / 5635.88065 - 1.0).abs() < 1e-8);
    let hall = drude["hall_coefficient"]["value"][2].as_f64().unwrap();
    assert!((hall * 1e25 * 1.602_176_634e-19 + 1.0).abs() < 1e-9, "{hall}");
    let acoustic = run(&[&file, "--chemical-potential", "0.25", "--scattering-exponent", "-0.5"]);
    assert!(component(&acoustic["seebeck"], 0, 0).0.abs() < 244.0);
    // The sign of the carriers is that of S.
    let holes = written("bands_e2_holes.toml", &text.replace("electron", "hole"));
    let found = run(&[&holes, "--chemical-potential", "0.25"]);
    assert!((component(&found["seebeck"], 0, 0).0 - 244.16714).abs() < 1e-5);
    wrong(&[&holes, "--carriers", "1e25 m^-3"], &["band of holes"]);
    wrong(&[&file, "--carriers", "0.1"], &["no cell", "density"]);
    wrong(&[&file], &["--carriers", "--chemical-potential"]);
}

/// Reference result E5: small polarons.
#[test]
fn e5_polarons() {
    let text = "[polaron]\nsite_density = \"1.38e22 cm^-3\"\nhop_length = \"3 angstrom\"\nattempt_frequency = \"1e13 Hz\"\nbarrier = \"0.175 eV\"\nfilling = 0.5\n";
    let file = written("bands_e5.toml", text);
    let found = run(&[&file]);
    assert!((number(&found["conductivity_S_per_cm"]).0 - 0.22100762).abs() < 0.51e-8);
    assert!((number(&found["conductivity"]).0 - 22.100762).abs() < 0.51e-6);
    let list = run(&[&file, "--carriers", "0, 0.2, 0.8", "--temperature", "300 K, 400 K"]);
    let points = list["points"].as_array().unwrap();
    assert_eq!(points.len(), 6);
    assert_eq!(number(&points[0]["conductivity"]).0, 0.0);
    assert!(
        (number(&points[1]["conductivity"]).0 / number(&points[2]["conductivity"]).0 - 1.0).abs() < 1e-12
    );
    wrong(&[&file, "--carriers", "1.2"], &["0 to 1"]);
    wrong(&[&written("bands_e5b.toml", &text.replace("0.175", "-0.175"))], &["barrier", "-0.175"]);
    wrong(&[&written("bands_e5c.toml", &text.replace("filling = 0.5\n", ""))], &["filling"]);
}

/// Eigenvalues of the cubic band on the irreducible points of an 8^3 mesh, as bands of this project.
fn sampled(n: usize) -> Value {
    let (a, t) = (3.0, 0.4);
    let (mut k, mut weights, mut energies) = (Vec::new(), Vec::new(), Vec::new());
    let half = n / 2;
    for x in 0..=half {
        for y in x..=half {
            for z in y..=half {
                let at = [x, y, z];
                let mut images: Vec<[usize; 3]> = Vec::new();
                for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
                    for signs in 0..8 {
                        images.push(std::array::from_fn(|i| {
                            let v = at[order[i]];
                            if signs >> i & 1 == 0 { v } else { (n - v) % n }
                        }));
                    }
                }
                images.sort_unstable();
                images.dedup();
                k.push(at.map(|v| v as f64 / n as f64));
                weights.push(images.len() as f64 / (n * n * n) as f64);
                let cosines: f64 =
                    at.map(|v| (2.0 * std::f64::consts::PI * v as f64 / n as f64).cos()).iter().sum();
                energies.push(vec![-2.0 * t * cosines]);
            }
        }
    }
    let mut rotations = Vec::new();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for signs in 0..8 {
            let mut m = [[0; 3]; 3];
            for i in 0..3 {
                m[i][order[i]] = if signs >> i & 1 == 0 { 1 } else { -1 };
            }
            rotations.push(m);
        }
    }
    json!({
        "structure": { "cell_rows_A": [[a, 0.0, 0.0], [0.0, a, 0.0], [0.0, 0.0, a]] },
        "k_points_fractional": k, "weights": weights, "eigenvalues_eV": energies, "symmetry_rotations": rotations,
        "n_valence_electrons_in_these_bands": 0.6, "spin_degeneracy": 2.0,
    })
}

#[test]
fn computed_bands_agree_with_their_model_within_their_errors() {
    let file = written("bands_sampled.json", &sampled(8).to_string());
    let model = written(
        "bands_model.toml",
        "[lattice]\nname = \"sc\"\nconstant = 3.0\n[tight_binding]\nelectrons = 0.6\n[[hopping]]\nshell = 1\namplitude = -0.4\n",
    );
    // Neutral where nothing is said.
    let options = ["--temperature", "500 K", "--hall"];
    let got = run(&[&[file.as_str()], &options[..]].concat());
    let want = run(&[&[model.as_str()], &options[..]].concat());
    for key in ["conductivity_over_tau", "seebeck", "effective_mass", "heat_conductivity_over_tau"] {
        let ((a, error), (b, own)) = (component(&got[key], 0, 0), component(&want[key], 0, 0));
        assert!((a - b).abs() < 4.0 * (error + own), "{key}: {a} {error} {b} {own}");
        assert!(error < 0.05 * b.abs(), "{key}: {error} of {b}");
    }
    let ((a, error), (b, _)) = (number(&got["fermi_level_eV"]), number(&want["fermi_level_eV"]));
    assert!((a - b).abs() < 4.0 * error + 1e-6, "{a} {error} {b}");
    let hall = |of: &Value| number(&of["hall_coefficient"]["mean"]);
    assert!((hall(&got).0 - hall(&want).0).abs() < 4.0 * (hall(&got).1 + hall(&want).1));
    let names = |of: &Value| of["diagnostics"].to_string();
    assert!(names(&got).contains("metal") && names(&got).contains("too-few-bands"), "{}", names(&got));
    // Weights that are those of no mesh are named.
    let mut lame = sampled(8);
    let weights = lame["weights"].as_array_mut().unwrap();
    let moved = weights[0].as_f64().unwrap();
    weights[0] = json!(0.0);
    weights[1] = json!(weights[1].as_f64().unwrap() + moved);
    let lame = run(&[&written("bands_lame.json", &lame.to_string()), "--temperature", "500 K"]);
    assert!(names(&lame).contains("asymmetric-mesh"), "{}", names(&lame));
}

#[test]
fn insulators_have_a_level_and_no_conductivity() {
    let text = "[lattice]\nname = \"sc\"\nconstant = 4.0\n[tight_binding]\nelectrons = 2\n[[orbital]]\nenergy = -2\n[[orbital]]\nenergy = 2\n[[hopping]]\nfrom = 1\nto = 1\ncell = [1, 0, 0]\namplitude = 0.1\n[[hopping]]\nfrom = 2\nto = 2\ncell = [1, 0, 0]\namplitude = -0.1\n";
    let file = written("bands_insulator.toml", text);
    let cold = run(&[&file, "--temperature", "10 K"]);
    let (level, error) = number(&cold["fermi_level_eV"]);
    assert!(level.abs() < 1e-6 && (error - 1.8).abs() < 1e-6, "{level} {error}");
    assert_eq!(component(&cold["conductivity_over_tau"], 0, 0).0, 0.0);
    assert!(
        cold["seebeck"]["value"].is_null()
            && cold["seebeck"]["reason"].as_str().unwrap().contains("no carriers")
    );
    assert!(cold["diagnostics"].to_string().contains("no-carriers"));
    assert!((number(&cold["gap_eV"]).0 - 3.6).abs() < 1e-9);
}

/// LiCoO2 with the bands of the data: an insulator; CoO2 a metal; sigma(x) rises from the full to the empty host.
#[test]
fn lithium_taken_out_makes_an_insulator_conduct() {
    let (full, empty) = (bundled("LiCoO2"), bundled("CoO2"));
    let options = ["--relative-error", "0.05", "--temperature", "300 K", "--max-points", "1000000"];
    let oxide = run(&[&[full.as_str()], &options[..]].concat());
    assert!((number(&oxide["gap_eV"]).0 - 1.045).abs() < 0.03, "{}", oxide["gap_eV"]);
    let series = run(&[&[full.as_str(), empty.as_str(), "--x", "1,0"], &options[..]].concat());
    let rows = series["series"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let sigma = |row: &Value| component(&row["conductivity_over_tau"], 0, 0).0;
    assert!(sigma(&rows[1]) > 1e3 * sigma(&rows[0]).max(1.0), "{} {}", sigma(&rows[1]), sigma(&rows[0]));
    // A measured gap in place of the computed one leaves fewer carriers.
    let open = run(&[&[full.as_str(), "--gap", "2.7 eV"], &options[..]].concat());
    assert!((number(&open["gap_eV"]).0 - 2.7).abs() < 0.03);
    assert!(component(&open["conductivity_over_tau"], 0, 0).0 < 1e-6 * sigma(&rows[0]));
    wrong(&[&full, &empty], &["--x"]);
    wrong(&[&full, &empty, "--x", "1"], &["one each"]);
    wrong(&[&full, "--x", "1", "--carriers", "0"], &["--carriers", "series"]);
    wrong(&[&empty, "--gap", "2 eV"], &["metal"]);
}

#[test]
fn files_of_other_programs_are_read() {
    // The chain of Wannier functions along z, and an EIGENVAL of two points beside its POSCAR.
    let poscar = written("bands_vasp/POSCAR", "test\n1.0\n3 0 0\n0 3 0\n0 0 3\nLi\n1\nDirect\n0 0 0\n");
    let hr = written(
        "bands_vasp/x_hr.dat",
        " cube\n 1\n 7\n 1 1 1 1 1 1 1\n 0 0 0 1 1 0 0\n 1 0 0 1 1 -0.4 0\n -1 0 0 1 1 -0.4 0\n 0 1 0 1 1 -0.4 0\n 0 -1 0 1 1 -0.4 0\n 0 0 1 1 1 -0.4 0\n 0 0 -1 1 1 -0.4 0\n",
    );
    let model = written(
        "bands_model.toml",
        "[lattice]\nname = \"sc\"\nconstant = 3.0\n[tight_binding]\nelectrons = 0.6\n[[hopping]]\nshell = 1\namplitude = -0.4\n",
    );
    let own = run(&[&hr, "--carriers", "0.6", "--temperature", "500"]);
    let want = run(&[&model, "--temperature", "500"]);
    let sigma = |of: &Value| component(&of["conductivity_over_tau"], 0, 0).0;
    assert!((sigma(&own) / sigma(&want) - 1.0).abs() < 1e-9);
    assert_eq!(own["source"]["rotations"], 48);
    let lonely = written("bands_alone/x_hr.dat", &std::fs::read_to_string(&hr).unwrap());
    wrong(&[&lonely, "--carriers", "0.6"], &["--structure"]);
    let again = run(&[&lonely, "--carriers", "0.6", "--temperature", "500", "--structure", &poscar]);
    assert_eq!(sigma(&again), sigma(&own));
    let mesh = sampled(8);
    let points = mesh["k_points_fractional"].as_array().unwrap();
    let mut text = format!("1 1 1 1\n1 1 1 1 1\n1\nCAR\nx\n1 {} 1\n", points.len());
    for ((k, w), e) in
        points.iter().zip(mesh["weights"].as_array().unwrap()).zip(mesh["eigenvalues_eV"].as_array().unwrap())
    {
        write!(text, "\n{} {} {} {w}\n1 {} 1\n", k[0], k[1], k[2], e[0]).unwrap();
    }
    let eigenval = written("bands_vasp/EIGENVAL", &text);
    let found = run(&[&eigenval, "--carriers", "-0.4", "--temperature", "500"]);
    assert!((sigma(&found) / sigma(&want) - 1.0).abs() < 5e-3);
}

#[test]
fn lower_dimensions_have_smaller_tensors() {
    let text = "[lattice]\nname = \"square\"\nconstant = 3.0\nthickness = 5.0\n[[hopping]]\nshell = 1\namplitude = -0.4\n";
    let layer = run(&[&written("bands_layer.toml", text), "--carriers", "0.3", "--temperature", "600"]);
    assert_eq!(layer["conductivity_over_tau"]["value"].as_array().unwrap().len(), 2);
    assert_eq!(layer["effective_mass"]["value"][0].as_array().unwrap().len(), 2);
    // The conductivity of the sheet does not depend on its thickness.
    let thick = written("bands_thick.toml", &text.replace("5.0", "10.0"));
    let thick = run(&[&thick, "--carriers", "0.3", "--temperature", "600"]);
    let sigma = |of: &Value| component(&of["conductivity_over_tau"], 0, 0).0;
    assert!((sigma(&layer) / sigma(&thick) - 2.0).abs() < 1e-9);
    wrong(
        &[&written("bands_flat.toml", &text.replace("thickness = 5.0\n", "")), "--carriers", "1"],
        &["thickness"],
    );
}

#[test]
fn what_is_wrong_is_named() {
    let file = cubic();
    wrong(&[], &["FILES"]);
    wrong(&["/nowhere.toml"], &["/nowhere.toml"]);
    wrong(&["/nowhere.json"], &["cannot read"]);
    wrong(&[&file], &["--carriers"]);
    wrong(&[&file, "--carriers", "3"], &["hold 0 to 2", "bands"]);
    wrong(&[&file, "--carriers", "nan"], &["--carriers"]);
    wrong(&[&file, "--carriers", "many"], &["many", "cm^-3"]);
    wrong(&[&file, "--carriers", "1", "--chemical-potential", "0"], &["one of them"]);
    wrong(&[&file, "--carriers", "1", "--temperature", "0 K"], &["--temperature", "0 K"]);
    wrong(&[&file, "--carriers", "1", "--temperature", "-5"], &["--temperature", "-5"]);
    wrong(&[&file, "--carriers", "1", "--temperature", "nan"], &["--temperature"]);
    wrong(&[&file, "--carriers", "1", "--tau", "-1 fs"], &["--tau"]);
    wrong(&[&file, "--carriers", "1", "--scattering-exponent", "-3"], &["exponent", "-3"]);
    wrong(&[&file, "--carriers", "1", "--mass-at", "0,0"], &["--mass-at"]);
    wrong(&[&file, "--carriers", "1", "--mass-at", "0,0,0:2"], &["band 2"]);
    wrong(&[&file, "--carriers", "1", "--gap", "1 eV"], &["--gap", "does not belong"]);
    wrong(&[&file, "--carriers", "1", "--relative-error", "0"], &["--relative-error"]);
    let said = |from: &str, to: &str, words: &[&str]| {
        let text = CUBIC.replacen(from, to, 1);
        assert_ne!(text, CUBIC);
        wrong(&[&written("bands_wrong.toml", &text), "--carriers", "1"], words);
    };
    said("\"sc\"", "\"cs\"", &["[lattice] name", "cs"]);
    said("6 bohr", "6 bor", &["constant"]);
    said("6 bohr", "-6 bohr", &["constant", "-3.1"]);
    said("constant", "constnt", &["constnt", "constant"]);
    said("\"Ha\"", "\"hartree\"", &["unit", "hartree"]);
    said("shell = 1", "shell = 0", &["shell", "0"]);
    said("shell = 1", "shel = 1", &["shel", "shell"]);
    said("amplitude = -0.02", "amplitude = nan", &["amplitude"]);
    said("amplitude = -0.02", "amplitude = [0.1, 0.1]", &["imaginary"]);
    said("[[hopping]]", "[hopping]", &["[[hopping]]"]);
    said("[[hopping]]", "[[orbital]]\nenergy = inf\n[[hopping]]", &["energy", "inf"]);
    said("shell = 1", "from = 1\nto = 2\ncell = [1, 0, 0]", &["to", "1 to 1"]);
    said("shell = 1", "from = 1\nto = 1\ncell = [0, 0, 0]", &["onsite"]);
    let other = written("bands_other.txt", "some text\nthat is none\n");
    wrong(&[&other, "--carriers", "1"], &["vasprun.xml", "EIGENVAL", "_hr.dat"]);
    wrong(&[&written("bands_empty.json", "")], &["empty"]);
    let mut bad = sampled(4);
    bad["eigenvalues_eV"][3][0] = json!(null);
    wrong(&[&written("bands_bad.json", &bad.to_string())], &["bands_bad.json"]);
    // Points along a line tell nothing between.
    let path = json!({
        "@class": "BandStructureSymmLine", "lattice_rec": { "matrix": [[2, 0, 0], [0, 2, 0], [0, 0, 2]] }, "efermi": 0.0,
        "kpoints": (0..40).map(|i| [f64::from(i) / 80.0, 0.0, 0.0]).collect::<Vec<_>>(),
        "bands": { "1": [(0..40).map(|i| f64::from(i) * 0.01).collect::<Vec<_>>()] },
    });
    wrong(&[&written("bands_path.json", &path.to_string()), "--carriers", "0.1"], &["along lines", "mesh"]);
}
