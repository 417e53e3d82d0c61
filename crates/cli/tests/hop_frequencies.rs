//! Attempt frequencies that depend on the surroundings, from the images of hops (`barriers`) to transport (`hop`), from outside.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail with it")]

mod common;

use common::{Folder, data, document, refused};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn number(of: &Value) -> f64 {
    of.as_f64().unwrap_or_else(|| panic!("no number: {of}"))
}

fn numbers(of: &Value) -> Vec<f64> {
    of.as_array().unwrap().iter().map(number).collect()
}

/// The images of LiCoO2 with something at the end of the comment lines, by the name of the hop and the number of the image within it.
fn images(add: impl Fn(&str, usize) -> String) -> String {
    let text = std::fs::read_to_string(data("neb.extxyz")).unwrap();
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    let line = |line: &str| {
        let Some(id) = line.split("id=").nth(1) else { return format!("{line}\n") };
        let id = id.split_whitespace().next().unwrap().to_string();
        let image = count.entry(id.clone()).or_default();
        let added = add(&id, *image);
        *image += 1;
        format!("{line} {added}\n")
    };
    text.lines().map(line).collect()
}

fn frequency(thz: f64) -> String {
    format!("attempt_frequency_THz={thz:e}")
}

fn barriers(images: &str, more: &[&str]) -> Value {
    document(
        &[&["barriers", images, "--prim", &data("prim.toml"), "--radius", "3 angstrom"][..], more].concat(),
    )
}

/// ln nu = 26 + 2 E/eV with E the fitted activation of each hop: a known expansion on the same clusters.
fn known_frequencies(folder: &Folder) -> Vec<f64> {
    let plain = folder.path("plain.json");
    let fitted = barriers(&data("neb.extxyz"), &["--method", "least-squares", "--write", &plain]);
    let value: BTreeMap<String, f64> = fitted["parity"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["id"].as_str().unwrap().to_string(), number(&p["fitted_eV"])))
        .collect();
    // Told by the saddle alone: one image is enough.
    let text =
        images(
            |id, image| {
                if image == 1 { frequency((26.0 + 2.0 * value[id]).exp() * 1e-12) } else { String::new() }
            },
        );
    folder.write("images.extxyz", &text);
    let coefficients = numbers(&folder.json("plain.json")["coefficients_ev"]);
    coefficients.iter().enumerate().map(|(k, c)| if k == 0 { 26.0 + 2.0 * c } else { 2.0 * c }).collect()
}

#[test]
fn frequencies_of_a_known_expansion_come_back() {
    let folder = Folder::new();
    let known = known_frequencies(&folder);
    let (file, text) = (folder.path("local.json"), folder.path("images.extxyz"));
    let found = barriers(&text, &["--method", "least-squares", "--write", &file]);
    let told = &found["ln_attempt_frequency"];
    assert_eq!(
        (&told["hops"], told["interactions"].as_array().unwrap().len() + 1),
        (&json!(15), known.len())
    );
    assert!(number(&told["leave_one_out_error"]) < 1e-9, "{told}");
    assert!(number(&told["leave_one_out_error_of_the_mean"]) > 0.1);
    let written = folder.json("local.json");
    let got = numbers(&written["attempt_frequency"]["coefficients_ln_hz"]);
    for (got, known) in got.iter().zip(&known) {
        assert!((got - known).abs() < 1e-9, "{got} {known}");
    }
    // The samples of both are as many, and those of the frequencies are about the best coefficients.
    let samples = written["attempt_frequency"]["samples_ln_hz"].as_array().unwrap();
    assert_eq!(samples.len(), written["samples_ev"].as_array().unwrap().len());
    assert!(samples.iter().all(|s| (numbers(s)[0] - known[0]).abs() < 1e-3));
    // What belongs to the activation is as without.
    let plain = folder.json("plain.json");
    assert!(plain.get("attempt_frequency").is_none());
    for key in ["coefficients_ev", "samples_ev", "orbits"] {
        assert_eq!(written[key], plain[key], "{key}");
    }
    let thz = number(&found["barriers"][0]["attempt_frequency_THz"]);
    assert!((number(&told["parity"][0]["data"]) - (thz * 1e12).ln()).abs() < 1e-12);
    // The method that switches clusters off finds them too.
    let found = barriers(&text, &[]);
    let error = number(&found["ln_attempt_frequency"]["leave_one_out_error"]);
    assert!(error < 1e-3, "{error}");
}

#[test]
fn what_is_wrong_with_frequencies_is_named() {
    let folder = Folder::new();
    let prim = data("prim.toml");
    let said = |add: &dyn Fn(&str, usize) -> String, more: &[&str], words: &[&str]| {
        let file = folder.write("wrong.extxyz", &images(add));
        let arguments = ["barriers", &file, "--prim", &prim, "--radius", "3 angstrom"];
        refused(&[&arguments[..], more].concat(), words);
    };
    for (wrong, word) in [
        ("0", "is 0"),
        ("-5.0", "is -5"),
        ("1e13", "THz are due"),
        ("inf", "attempt_frequency_THz"),
        ("NaN", "attempt_frequency_THz"),
        ("fast", "no number"),
        ("\"5 6\"", "no number"),
        ("T", "no number"),
    ] {
        let add = |id: &str, _: usize| {
            if id == "h03" { format!("attempt_frequency_THz={wrong}") } else { frequency(5.0) }
        };
        said(&add, &[], &["hop h03", "wrong.extxyz", word]);
    }
    let missing = |id: &str, _: usize| {
        if ["h04", "h09"].contains(&id) { String::new() } else { frequency(5.0) }
    };
    said(&missing, &[], &["hop h04 has no attempt_frequency_THz", "h01"]);
    said(
        &|id, image| frequency(if id == "h02" && image == 2 { 6.0 } else { 5.0 }),
        &[],
        &["hop h02", "6", "another image, 5"],
    );
    said(&|_, _| frequency(5.0), &["--directed"], &["--directed", "attempt_frequency_THz"]);
}

const KELVIN: f64 = 300.0;
const THERMAL_EV: f64 = 8.617_333_262_145_179e-5 * KELVIN;

fn network(energy: &str, hops: &str, size: &str, state: &str) -> String {
    format!(
        "[lattice]\nsize = {size}\n{energy}\n[hops]\n{hops}\n[state]\n{state}\n[run]\ntemperature = {KELVIN}\nstandard_error = 0.02\nseed = 3\n"
    )
}

/// Everything but the times that a run took.
fn untimed(mut of: Value) -> Value {
    for key in ["cpu_time_s", "events_per_cpu_second"] {
        of.as_object_mut().unwrap().remove(key);
    }
    of
}

fn near(found: &Value, exact: &Value, axes: std::ops::Range<usize>, what: &str) {
    for axis in axes {
        let (value, error) = (number(&found["value"][axis][axis]), number(&found["std_error"][axis][axis]));
        let z = (value - number(&exact["value"][axis][axis])) / error;
        assert!(z.abs() < 4.0 && error < 0.05 * value, "{what} {axis}: {value} {error} z = {z}");
    }
}

/// LiCoO2 with frequencies that follow the gate of its hops: sampled against the master equation.
#[test]
fn sampled_and_exact_transport_agree_in_licoo2() {
    let folder = Folder::new();
    known_frequencies(&folder);
    let prim = data("prim.toml");
    document(&[
        "expand",
        &data("orderings.extxyz"),
        "--prim",
        &prim,
        "--write",
        &folder.path("energies.json"),
    ]);
    barriers(&folder.path("images.extxyz"), &["--write", &folder.path("local.json")]);
    // Steeper: the gate alone makes a factor of more than three between frequencies.
    let mut local = folder.json("local.json");
    let gentle = numbers(&local["attempt_frequency"]["coefficients_ln_hz"]);
    let steeper: Vec<f64> =
        gentle.iter().enumerate().map(|(k, c)| if k == 0 { *c } else { 4.0 * c }).collect();
    local["attempt_frequency"]["coefficients_ln_hz"] = json!(steeper);
    folder.write("local.json", &local.to_string());
    let (energy, hops) = ("[energy]\nexpansion = \"energies.json\"", "kra = \"local.json\"");
    let model = |hops: &str| network(energy, hops, "[3, 3, 1]", "particles = 4");
    let file = folder.write("small.toml", &model(hops));
    let exact = document(&["hop", &file, "--exact"]);
    let found = document(&["hop", &file]);
    for key in ["tracer", "jump", "chemical"] {
        near(&found[key], &exact[key], 0..2, key);
    }
    assert!(number(&found["detailed_balance_error"]) < 1e-9);
    // The activation told is that of the barriers: no part of it comes from the frequencies.
    let activation = number(&found["mean_activation_eV"]);
    assert!(activation > 0.1 && activation < 0.7, "{activation}");
    // They matter: the constant alone gives another diffusivity.
    local["attempt_frequency"]["coefficients_ln_hz"] =
        json!(steeper.iter().enumerate().map(|(k, c)| if k == 0 { *c } else { 0.0 }).collect::<Vec<_>>());
    folder.write("flat.json", &local.to_string());
    let flat = model("kra = \"flat.json\"");
    let flat_exact = document(&["hop", &folder.write("flat.toml", &flat), "--exact"]);
    let [with, without] = [&exact, &flat_exact].map(|of| number(&of["jump"]["value"][0][0]));
    assert!((with / without - 1.0).abs() > 0.3, "{with} {without}");
    // A constant is what an attempt frequency is, to the last bit.
    local.as_object_mut().unwrap().remove("attempt_frequency");
    folder.write("plain.json", &local.to_string());
    let plain = model(&format!("kra = \"plain.json\"\nattempt_frequency = {:e}", steeper[0].exp()));
    let plain = folder.write("plain.toml", &plain);
    for more in [&["--exact"][..], &[]] {
        let of = |file: &str| {
            let mut found = untimed(document(&[&["hop", file][..], more].concat()));
            found.as_object_mut().unwrap().remove("lattice");
            found
        };
        assert_eq!(of(&folder.path("flat.toml")), of(&plain));
    }
    // Samples belong together.
    let sample = model(&format!("{hops}\nsample = 1"));
    let sampled = document(&["hop", &folder.write("sample.toml", &sample), "--exact"]);
    assert_ne!(sampled["jump"]["value"], exact["jump"]["value"]);
}

/// A file without frequencies has the customary one, or the one of the model.
#[test]
fn files_without_frequencies_are_read_as_before() {
    let folder = Folder::new();
    let mut ring = Ring::MILD.local();
    ring.as_object_mut().unwrap().remove("attempt_frequency");
    folder.write("ring.json", &ring.to_string());
    let text = network("", "kra = \"ring.json\"", "[5, 1, 1]", "particles = 2");
    let assumed = document(&["hop", &folder.write("assumed.toml", &text), "--exact"]);
    let given = text.replace("ring.json\"", "ring.json\"\nattempt_frequency = 1e13");
    let given = document(&["hop", &folder.write("given.toml", &given), "--exact"]);
    assert_eq!(assumed, given);
}

/// A ring of sites along x with a mirror: what stands before and behind a hop sets its activation and its attempt frequency.
struct Ring {
    /// Of spins of the two sites beyond the ends, as means: constant and coefficient.
    kra_ev: [f64; 2],
    ln_hz: [f64; 2],
    /// Energy of a pair of neighbours, eV.
    pair_ev: f64,
}

const SITES: usize = 6;

impl Ring {
    const MILD: Self = Self { kra_ev: [0.3, 0.02], ln_hz: [29.0, 0.7], pair_ev: 0.03 };
    /// Under the rule for missing barriers: neighbours bind by more than twice the activation.
    const STEEP: Self = Self { kra_ev: [0.03, 0.01], ln_hz: [28.0, -1.1], pair_ev: -0.12 };

    fn sites() -> Value {
        json!([{ "fractional": [0.0, 0.0, 0.0], "species": ["Vac", "Li"], "functions": [[-1.0, 1.0]] }])
    }

    fn local(&self) -> Value {
        let site = |x: i32| json!({ "cell": [x, 0, 0], "basis": 0 });
        let term = |x: i32| json!([{ "site": site(x), "function": 1 }]);
        let operation =
            |x: i32| json!({ "rotation": [[x, 0, 0], [0, 1, 0], [0, 0, 1]], "translation": [0.0, 0.0, 0.0] });
        json!({
            "lattice_angstrom": [[2.0, 0.0, 0.0], [0.0, 7.0, 0.0], [0.0, 0.0, 9.0]],
            "sites": Self::sites(), "operations": [operation(1), operation(-1)], "tolerance_angstrom": 1e-3,
            "event": [{ "site": site(0), "before": 1, "after": 0 }, { "site": site(1), "before": 0, "after": 1 }],
            "orbits": [{ "order": 1, "diameter_angstrom": 0.0, "terms": [term(-1), term(2)] }],
            "coefficients_ev": self.kra_ev,
            "attempt_frequency": { "coefficients_ln_hz": self.ln_hz },
        })
    }

    /// n n' of neighbours along x, in spins.
    fn energies(&self) -> Value {
        let site = |x: i32| json!({ "cell": [x, 0, 0], "basis": 0 });
        let quarter = 0.25 * self.pair_ev;
        json!({
            "lattice_angstrom": [[2.0, 0.0, 0.0], [0.0, 7.0, 0.0], [0.0, 0.0, 9.0]],
            "basis_fractional": [[0.0, 0.0, 0.0]], "working_ion": "Li", "formula_units_per_cell": 1.0,
            "orbits": [
                { "order": 1, "diameter_angstrom": 0.0, "clusters": [[site(0)]] },
                { "order": 2, "diameter_angstrom": 2.0, "clusters": [[site(0), site(1)]] },
            ],
            "coefficients_ev": [quarter, 2.0 * quarter, quarter], "samples_ev": [],
        })
    }

    /// D_J in angstrom^2/s by the master equation, written out: (1/N) [ 1/2 < sum w d^2 > - < b (-W)^-1 b > ].
    fn jump(&self, ions: u32) -> f64 {
        let states: Vec<usize> = (0..1usize << SITES).filter(|s| s.count_ones() == ions).collect();
        let taken = |state: usize, site: usize| state >> (site % SITES) & 1 == 1;
        let spin = |state: usize, site: usize| if taken(state, site) { 1.0 } else { -1.0 };
        let pairs = |s: usize| (0..SITES).filter(|k| taken(s, *k) && taken(s, k + 1)).count() as f64;
        let n = states.len();
        let weight: Vec<f64> =
            states.iter().map(|s| (-self.pair_ev * pairs(*s) / THERMAL_EV).exp()).collect();
        let total: f64 = weight.iter().sum();
        let (mut matrix, mut drift, mut plain) = (vec![vec![0.0; n]; n], vec![0.0; n], 0.0);
        for (i, state) in states.iter().enumerate() {
            for site in 0..SITES {
                let ends = (taken(*state, site), taken(*state, site + 1));
                if ends.0 == ends.1 {
                    continue;
                }
                let after = state ^ (1 << site) ^ (1 << ((site + 1) % SITES));
                let j = states.iter().position(|s| *s == after).unwrap();
                let around = 0.5 * (spin(*state, site + SITES - 1) + spin(*state, site + 2));
                let delta = self.pair_ev * (pairs(after) - pairs(*state));
                let barrier = (self.kra_ev[0] + self.kra_ev[1] * around + 0.5 * delta).max(delta).max(0.0);
                let frequency = (self.ln_hz[0] + self.ln_hz[1] * around).exp();
                let rate = frequency * (-barrier / THERMAL_EV).exp();
                let d = if ends.0 { 2.0 } else { -2.0 };
                matrix[i][i] += rate;
                matrix[i][j] -= rate;
                drift[i] += rate * d;
                plain += 0.5 * weight[i] / total * rate * d * d;
            }
        }
        let potential = solved(matrix, drift.clone());
        let back: f64 = (0..n).map(|i| weight[i] / total * drift[i] * potential[i]).sum();
        (plain - back) / f64::from(ions)
    }
}

/// Solves -W g = b, whose solutions differ by a constant: the last entry is set to 0.
fn solved(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len() - 1;
    for k in 0..n {
        let pivot = (k..n).max_by(|a, b| matrix[*a][k].abs().total_cmp(&matrix[*b][k].abs())).unwrap();
        matrix.swap(k, pivot);
        right.swap(k, pivot);
        for i in k + 1..n {
            let factor = matrix[i][k] / matrix[k][k];
            for j in k..n {
                matrix[i][j] -= factor * matrix[k][j];
            }
            right[i] -= factor * right[k];
        }
    }
    let mut out = vec![0.0; n + 1];
    for k in (0..n).rev() {
        let rest: f64 = (k + 1..n).map(|j| matrix[k][j] * out[j]).sum();
        out[k] = (right[k] - rest) / matrix[k][k];
    }
    out
}

/// A ring as one ion species and as a model of species: both master equations against the one above, and runs against them.
#[test]
fn a_ring_solved_by_hand() {
    let folder = Folder::new();
    for (name, ring) in [("mild", Ring::MILD), ("steep", Ring::STEEP)] {
        folder.write("ring.json", &ring.local().to_string());
        folder.write("energies.json", &ring.energies().to_string());
        let want = ring.jump(3);
        let (energy, hops) = ("[energy]\nexpansion = \"energies.json\"", "kra = \"ring.json\"");
        let size = format!("[{SITES}, 1, 1]");
        let one = folder.write("one.toml", &network(energy, hops, &size, "particles = 3"));
        let exact = document(&["hop", &one, "--exact"]);
        let got = number(&exact["jump"]["value"][0][0]);
        assert!((got / want - 1.0).abs() < 1e-10, "{name}: {got} {want}");
        // Ions of a ring do not pass: the run ends where their own diffusivity is known to be none.
        let coarse = std::fs::read_to_string(&one).unwrap().replace("= 0.02", "= 0.1");
        let found = document(&["hop", &folder.write("coarse.toml", &coarse)]);
        near(&found["jump"], &exact["jump"], 0..1, name);
        assert_eq!(number(&found["hops_without_barrier"]) > 0.0, name == "steep", "{found}");
        assert!(number(&found["detailed_balance_error"]) < 1e-9);
        let two = folder.write("two.toml", &network(energy, hops, &size, "composition = { Li = 0.5 }"));
        let exact = document(&["hop", &two, "--exact"]);
        let li = |of: &Value| {
            of["species"].as_array().unwrap().iter().find(|s| s["species"] == "Li").unwrap()["collective"]
                .clone()
        };
        // L is of the sites, D_J of the ions.
        let got = number(&li(&exact)["value"][0][0]);
        assert!((2.0 * got / want - 1.0).abs() < 1e-10, "{name}: {got} {want}");
        let found = document(&["hop", &two]);
        near(&li(&found), &li(&exact), 0..1, name);
        assert!(number(&found["detailed_balance_error"]) < 1e-9);
    }
}

#[test]
fn frequencies_given_twice_or_of_one_file_alone_are_refused() {
    let folder = Folder::new();
    let local = Ring::MILD.local();
    folder.write("ring.json", &local.to_string());
    let mut bare = local.clone();
    bare.as_object_mut().unwrap().remove("attempt_frequency");
    bare["event"][1]["site"]["cell"] = json!([0, 1, 0]);
    bare["orbits"] = json!([]);
    bare["coefficients_ev"] = json!([0.3]);
    folder.write("bare.json", &bare.to_string());
    for state in ["particles = 2", "composition = { Li = 0.4 }"] {
        let said = |hops: &str, words: &[&str]| {
            let text = network("", hops, "[5, 3, 1]", state);
            refused(&["hop", &folder.write("wrong.toml", &text)], words);
            refused(&["hop", &folder.path("wrong.toml"), "--exact"], words);
        };
        let twice = ["attempt_frequency", "ring.json", "leave one of them out"];
        said("kra = \"ring.json\"\nattempt_frequency = 1e13", &twice);
        said("kra = [\"bare.json\", \"ring.json\"]\nattempt_frequency = [1e13, 1e12]", &twice);
        said("kra = [\"bare.json\", \"ring.json\"]", &["ring.json has", "bare.json has none"]);
        type Change = fn(&mut Value);
        let changes: [(Change, &str); 6] = [
            (|f| f["coefficients_ln_hz"] = json!([29.0]), "attempt frequency"),
            (|f| f["coefficients_ln_hz"] = json!([29.0, 900.0]), "ln(nu/Hz)"),
            (|f| f["coefficients_ln_hz"] = json!([-290.0, 0.0]), "ln(nu/Hz)"),
            (|f| f["samples_ln_hz"] = json!([[29.0, 0.1]]), "samples of the attempt frequency"),
            (|f| f["coefficients_ln_hz"] = json!([null, 0.0]), "wrong.json"),
            (|f| f["coefficients_hz"] = json!([29.0, 0.0]), "coefficients_hz"),
        ];
        for (change, word) in changes {
            let mut wrong = local.clone();
            change(&mut wrong["attempt_frequency"]);
            folder.write("wrong.json", &wrong.to_string());
            said("kra = \"wrong.json\"", &["wrong.json", word]);
        }
    }
}
