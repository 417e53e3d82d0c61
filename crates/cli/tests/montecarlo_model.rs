//! `scalade montecarlo MODEL.toml` from outside.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail with them")]

use serde_json::Value;
use std::process::{Command, Output, Stdio};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::Builder::new().prefix("model").tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }
}

fn scalade(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_scalade")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn document(arguments: &[&str]) -> Value {
    let done = scalade(arguments);
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

fn model(size: &str, energy: &str, run: &str) -> String {
    format!("[lattice]\nname = \"square\"\nsize = {size}\n[energy]\n{energy}\n[run]\n{run}\n")
}

const SPIN: &str = "basis = \"spin\"\npairs = [-1.0]\nunit = \"1\"";

fn near(value: &Value, want: f64, tolerance: f64) {
    let got = value["value"].as_f64().unwrap();
    assert!((got - want).abs() <= tolerance, "{got} against {want}");
}

fn within(value: &Value, want: f64) {
    near(value, want, 4.0 * value["std_error"].as_f64().unwrap());
}

#[test]
fn points_taken_together_agree_with_exact_sums() {
    let place = Place::new();
    let run = "temperature = [2.5]\nchemical_potential = [-1.0, 0.0, 1.0]\nprecision = 1e-3\nseed = 3\n[reweighting]\ntemperature = [2.5, 2.7]\nchemical_potential = [-0.5, 0.25, 0.5]";
    let path = place.write("together.toml", &model("[4, 4]", SPIN, run));
    let exact = document(&["montecarlo", &path, "--exact", "--json"]);
    let sampled = document(&["montecarlo", &path, "--json"]);
    let points = sampled["reweighted"]["points"].as_array().unwrap();
    assert_eq!(points.len(), 6);
    for (got, want) in points.iter().zip(exact["reweighted"]["points"].as_array().unwrap()) {
        assert_eq!((&got["temperature"], &got["mu"]), (&want["temperature"], &want["mu"]));
        for key in ["concentration", "energy_per_site", "log_partition_per_site"] {
            within(&got[key], want[key]["value"].as_f64().unwrap());
        }
        assert_eq!(got["trusted"], true);
    }
    let curve = &sampled["reweighted"]["free_energy"][0];
    for i in 0..3 {
        let g = |of: &Value| of["reweighted"]["free_energy"][0]["free_energy_per_site"][i].as_f64().unwrap();
        let error = curve["covariance"][i][i].as_f64().unwrap().sqrt();
        assert!((g(&sampled) - g(&exact)).abs() < 4.0 * error && error < 0.02, "{i} {error}");
    }
    // Boxes so large that the points share nothing: the averages stay, the gap is named.
    let apart = place.write("apart.toml", &model("[64, 64]", SPIN, run));
    let done = scalade(&["montecarlo", &apart, "--json"]);
    let message = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(3), "{message}");
    assert!(message.contains("do not overlap between (temperature 2.5, mu"), "{message}");
    assert_eq!(serde_json::from_slice::<Value>(&done.stdout).unwrap()["points"].as_array().unwrap().len(), 3);
    // A table that belongs to another ensemble, and a number out of range.
    let wrong = run.replace(
        "temperature = [2.5]\nchemical",
        "ensemble = \"wang-landau\"\ntemperature = [2.5]\nchemical",
    );
    let done = scalade(&[
        "montecarlo",
        &place.write("wl.toml", &model("[4, 4]", SPIN, &wrong.replace("[-1.0, 0.0, 1.0]", "[0.0]"))),
    ]);
    assert!(String::from_utf8_lossy(&done.stderr).contains("[reweighting] takes the points of the ensemble"));
    let few = format!("{run}\nsamples = 3");
    let done = scalade(&["montecarlo", &place.write("few.toml", &model("[4, 4]", SPIN, &few))]);
    assert!(String::from_utf8_lossy(&done.stderr).contains("samples is 3; 100 to 1000000 are due"));
}

#[test]
fn exact_and_sampled_4x4_ising_model() {
    let place = Place::new();
    let run = "temperature = [2.0, 3]\nchemical_potential = [0.0, 0.5]\nprecision = 1e-3\nseed = 1";
    let path = place.write("ising.toml", &model("[4, 4]", SPIN, run));
    let exact = document(&["montecarlo", &path, "--exact", "--json"]);
    let sampled = document(&["montecarlo", &path, "--json"]);
    let points = exact["points"].as_array().unwrap();
    assert_eq!(points.len(), 4);
    let order: Vec<(f64, f64)> =
        points.iter().map(|p| (p["temperature"].as_f64().unwrap(), p["mu"].as_f64().unwrap())).collect();
    assert_eq!(order, [(2.0, 0.0), (2.0, 0.5), (3.0, 0.0), (3.0, 0.5)]);
    near(&points[0]["energy_per_site"], -1.755380289, 1e-9);
    near(&points[0]["log_partition_per_site"], 17.105367119 / 16.0, 1e-10);
    near(&points[2]["heat_capacity_per_site"], 0.603134714, 1e-9);
    near(&points[2]["absolute_magnetisation"], 0.601291326, 1e-9);
    assert_eq!(exact["density_of_states"][0]["g"], 2);
    for (got, want) in sampled["points"].as_array().unwrap().iter().zip(points) {
        for key in ["concentration", "energy_per_site", "heat_capacity_per_site", "variance_per_site"] {
            within(&got[key], want[key]["value"].as_f64().unwrap());
        }
        assert!(got["energy_per_site"]["std_error"].as_f64().unwrap() <= 1e-3);
    }
    assert!(sampled["moves_per_cpu_second"].as_f64().unwrap() > 1e6);
    // The flag may stand in the file, and the threads change nothing but the clock.
    let path = place.write("exact.toml", &model("[4, 4]", SPIN, &format!("{run}\nexact = true")));
    assert_eq!(document(&["montecarlo", &path, "--json"])["points"], exact["points"]);
    let path = place.write("ising.toml", &model("[4, 4]", SPIN, run));
    for jobs in ["1", "2", "4"] {
        assert_eq!(document(&["montecarlo", &path, "--json", "-j", jobs])["points"], sampled["points"]);
    }
    let other = place.write("other.toml", &model("[4, 4]", SPIN, &run.replace("seed = 1", "seed = 2")));
    assert_ne!(document(&["montecarlo", &other, "--json"])["points"], sampled["points"]);
}

#[test]
fn electronvolt_and_kelvin() {
    let place = Place::new();
    let text = "[lattice]\nname = \"triangular\"\nsize = [4, 4]\n[energy]\nbasis = \"occupation\"\npairs = [0.03, -0.004]\nunit = \"eV\"\n[run]\nensemble = \"semigrand\"\ntemperature = 300\nchemical_potential = [0.05]\nprecision = 5e-5\n";
    let path = place.write("gas.toml", text);
    let exact = document(&["montecarlo", &path, "--exact", "--json"]);
    let point = &exact["points"][0];
    near(&point["log_partition_per_site"], 1.05346303, 1e-8);
    near(&point["concentration"], 0.40521454, 1e-8);
    near(&point["variance_per_site"], 0.08696492, 1e-8);
    let sampled = document(&["montecarlo", &path, "--json"]);
    within(&sampled["points"][0]["concentration"], 0.40521454);
    // A ring far beyond enumeration is still exact.
    let chain =
        text.replace("triangular", "chain").replace("[4, 4]", "[400]").replace("[0.03, -0.004]", "[-0.05]");
    let path = place.write("chain.toml", &chain.replace("[0.05]", "[-0.1]"));
    near(
        &document(&["montecarlo", &path, "--exact", "--json"])["points"][0]["concentration"],
        0.026321063,
        1e-8,
    );
}

#[test]
fn other_ensembles() {
    let place = Place::new();
    let run = "ensemble = \"wang-landau\"\ntemperature = [2.0, 3.0]\nprecision = 2e-3\nseed = 3";
    let found = document(&["montecarlo", &place.write("wl.toml", &model("[4, 4]", SPIN, run)), "--json"]);
    within(&found["points"][0]["energy_per_site"], -1.755380289);
    within(&found["points"][1]["heat_capacity_per_site"], 0.603134714);
    let density = found["density_of_states"].as_array().unwrap();
    assert_eq!(density.len(), 15);
    assert!((density[0]["ln_g"].as_f64().unwrap() - 2f64.ln()).abs() < 0.02);
    let run = "ensemble = \"canonical\"\ntemperature = [2.0]\nconcentration = [0.25, 0.5]\nprecision = 5e-3";
    let found =
        document(&["montecarlo", &place.write("canonical.toml", &model("[8, 8]", SPIN, run)), "--json"]);
    assert_eq!(found["points"][0]["concentration"]["value"], 0.25);
    assert!(found["points"][1]["mu"].is_null());
    let run = "ensemble = \"vcsgc\"\ntemperature = [1.5]\nphi = [-1.0, -0.5]\nkappa = 200\nprecision = 1e-2";
    let found = document(&["montecarlo", &place.write("vcsgc.toml", &model("[8, 8]", SPIN, run)), "--json"]);
    // Inside the miscibility gap the composition stays where the constraint wants it.
    near(&found["points"][1]["concentration"], 0.25, 0.02);
}

#[test]
fn structures_and_expansions_from_files() {
    let place = Place::new();
    place.write("POSCAR", "cell\n1.0\n2 0 0\n0 1 0\n0 0 9\nX\n2\nDirect\n0 0 0\n0.5 0 0\n");
    let text = "[lattice]\nstructure = \"POSCAR\"\nsize = [2, 4, 1]\n[energy]\nbasis = \"spin\"\npairs = [-1.0]\n[run]\ntemperature = [2.0]\n";
    let found = document(&["montecarlo", &place.write("cell.toml", text), "--exact", "--json"]);
    near(&found["points"][0]["energy_per_site"], -1.755380289, 1e-9);
    let site = |x, y| format!("{{\"cell\": [{x}, {y}, 0], \"basis\": 0}}");
    let orbit = format!("[[{}, {}], [{}, {}]]", site(0, 0), site(1, 0), site(0, 0), site(0, 1));
    place.write("ising.json", &format!("{{\"lattice_angstrom\": [[1,0,0],[0,1,0],[0,0,1]], \"basis_fractional\": [[0,0,0]], \"working_ion\": \"Li\", \"formula_units_per_cell\": 1.0, \"orbits\": [{{\"order\": 2, \"diameter_angstrom\": 1.0, \"clusters\": {orbit}}}], \"coefficients_ev\": [0.0, -1.0], \"samples_ev\": []}}"));
    let text = "[lattice]\nsize = [4, 4, 1]\n[energy]\nexpansion = \"ising.json\"\n[run]\ntemperature = [23209.0]\nprecision = 5e-3\n";
    let path = place.write("expansion.toml", text);
    let exact = document(&["montecarlo", &path, "--exact", "--json"]);
    // kT = 2 eV to five digits.
    near(&exact["points"][0]["energy_per_site"], -1.755380289, 1e-4);
    let sampled = document(&["montecarlo", &path, "--json"]);
    within(
        &sampled["points"][0]["energy_per_site"],
        exact["points"][0]["energy_per_site"]["value"].as_f64().unwrap(),
    );
}

#[test]
fn an_unconverged_run_keeps_its_result() {
    let place = Place::new();
    let run = "temperature = [2.3]\nchemical_potential = [0.01]\nprecision = 1e-9\nmax_moves = 1e7";
    let done = scalade(&["montecarlo", &place.write("short.toml", &model("[8, 8]", SPIN, run)), "--json"]);
    assert_eq!(done.status.code(), Some(3));
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(said.contains("not converged, partial result kept") && said.contains("max_moves"), "{said}");
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(found["converged"], false);
    assert!(found["points"][0]["energy_per_site"]["std_error"].as_f64().unwrap() > 1e-9);
}

#[test]
fn narrow_boxes_are_named_on_stderr() {
    let place = Place::new();
    let path = place.write("narrow.toml", &model("[2, 5]", SPIN, "temperature = [2.0]"));
    let done = scalade(&["montecarlo", &path, "--exact", "--json"]);
    assert!(String::from_utf8_lossy(&done.stderr).contains("warning: the box is so small"));
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(found["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn mistakes_are_told_with_a_way_out() {
    let place = Place::new();
    let good = model("[4, 4]", SPIN, "temperature = [2.0]");
    let refused = |text: &str, arguments: &[&str], words: &[&str]| {
        let path = place.write("bad.toml", text);
        let mut all = vec!["montecarlo", path.as_str()];
        all.extend_from_slice(arguments);
        let done = scalade(&all);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(2), "{text}\n{said}");
        for word in words {
            assert!(said.contains(word), "no {word:?} in: {said}");
        }
    };
    refused(
        &good.replace("temperature", "temperatur"),
        &[],
        &["bad.toml", "temperatur", "did you mean", "temperature"],
    );
    refused(&good.replace("[run]", "[runn]"), &[], &["runn", "did you mean \"run\""]);
    refused(&good.replace("\"square\"", "\"sqare\""), &[], &["sqare", "square"]);
    refused(&good.replace("[2.0]", "[nan]"), &[], &["temperature[0]", "NaN", "positive"]);
    refused(&good.replace("[2.0]", "[2.0, -1.0]"), &[], &["temperature[1]", "-1"]);
    refused(&good.replace("[2.0]", "\"2.0 K\""), &[], &["temperature", "text"]);
    refused(&good.replace("[4, 4]", "[4, 0]"), &[], &["size[1]", "0"]);
    refused(&good.replace("[4, 4]", "[4, 4, 4]"), &[], &["size", "2 dimensions"]);
    refused(&good.replace("[4, 4]", "[1000000, 1000000]"), &[], &["sites", "limit"]);
    refused(&good.replace("[-1.0]", "[]"), &[], &["pairs", "empty"]);
    refused(&good.replace("[-1.0]", "[inf]"), &[], &["pairs[0]", "inf"]);
    refused(&good.replace("pairs = [-1.0]", ""), &[], &["pairs", "missing"]);
    refused(&good.replace("temperature = [2.0]", ""), &[], &["temperature", "missing"]);
    refused(&good.replace("[2.0]", "[2.0]\nconcentration = [0.5]"), &[], &["concentration", "semigrand"]);
    refused(&good.replace("[4, 4]", "[8, 8]"), &["--exact"], &["2^64", "2^26"]);
    refused(&good.replace("[4, 4]", "[4, 4"), &[], &["bad.toml", "line 4", "comma"]);
    refused(&good, &["--reference-energy", "-1 eV"], &["--reference-energy", ".toml"]);
    refused("", &[], &["[energy]", "missing"]);
    // The command on frames still wants its reference energy.
    let frames = place.write("frames.extxyz", "");
    let done = scalade(&["montecarlo", &frames]);
    assert_eq!(done.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&done.stderr).contains("--reference-energy is missing"));
}
