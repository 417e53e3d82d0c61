//! Every diagnostic, with its line and caret.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod toys;

use proptest::prelude::*;
use scalade_study::{Diagnostics, Study};
use std::fmt::Write as _;
use std::path::Path;

const GOOD: &str = r#"[study]
name = "good"
title = "A good study"
seed = 3

[steps.base]
kind = "add"
a = { value = "10 um", std = "0.5 um", doi = "10.1149/2.0341915jes", locator = "Table 1" }

[steps.noise]
kind = "noise"
n = 10

[steps.many]
kind = "many"
temperatures = ["280 K", "300 K"]
method = "heat_bath"
fast = true
low = 1
high = 2.5

[steps.cell]
kind = "total"
series = "@noise.series"
weight = 2
[steps.cell.retune]
series = { factor = 2.0, unseal = "why not" }
"#;

fn check(text: &str) -> Result<Study, Diagnostics> {
    let (registry, _) = toys::registry();
    Study::from_text(text, Path::new(env!("CARGO_MANIFEST_DIR")), "study.toml", &registry)
}

/// The diagnostics of a study with these steps, rendered without colour.
fn problems(steps: &str) -> String {
    let text = format!("[study]\nname = \"s\"\n{steps}\n");
    match check(&text) {
        Ok(_) => "no problem".into(),
        Err(found) => found.render(false),
    }
}

fn codes(text: &str) -> Vec<&'static str> {
    check(text).err().map_or_else(Vec::new, |d| d.items().iter().map(|i| i.code).collect())
}

#[track_caller]
fn expect(steps: &str, expected: &str) {
    let found = problems(steps);
    assert_eq!(found.trim(), expected.trim(), "\n--- found\n{found}\n---");
}

#[test]
fn a_good_study_passes() {
    let study = check(GOOD).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(study.step_names(), ["base", "many", "noise", "cell"]);
    assert_eq!((study.title(), study.seed()), ("A good study", 3));
    let overview = study.overview();
    assert_eq!(overview[3].depends_on, ["noise"]);
    assert!(overview[0].inputs[0].origin_stated && !overview[0].inputs[1].origin_stated);
}

#[test]
fn wrong_dimension_and_missing_unit() {
    expect(
        "[steps.x]\nkind = \"add\"\na = \"3 V\"",
        r#"
error[study::dimension]: "a": got a voltage (V), want a length (m) (accepted: m, cm, mm, um, nm, angstrom, bohr)
 --> study.toml:5:5
  |
5 | a = "3 V"
  |     ^^^^^
  |
  = help: write a value and a unit: m, cm, mm, um, nm, angstrom, bohr"#,
    );
    expect(
        "[steps.x]\nkind = \"add\"\na = 3.5",
        r#"
error[study::bare_number]: "a" is a length and needs a unit
 --> study.toml:5:5
  |
5 | a = 3.5
  |     ^^^
  |
  = help: accepted units: m, cm, mm, um, nm, angstrom, bohr"#,
    );
    assert!(problems("[steps.x]\nkind = \"add\"\na = \"12\"").contains("study::bare_number"));
    assert!(problems("[steps.x]\nkind = \"add\"\na = \"12 furlong\"").contains("unknown unit \"furlong\""));
    assert!(problems("[steps.x]\nkind = \"add\"\na = \"1e400 m\"").contains("study::not_finite"));
    assert!(problems("[steps.x]\nkind = \"add\"\na = \"nan\"").contains("study::unit"));
}

#[test]
fn unknown_keys_and_kinds_suggest_the_right_one() {
    expect(
        "[steps.x]\nkind = \"many\"\ntempratures = [\"3 K\"]",
        r#"
error[study::missing_key]: the step "x" needs "temperatures"
 --> study.toml:3:8
  |
3 | [steps.x]
  |        ^
  |
  = help: temperatures: a list of which each item is a temperature with its unit (K (absolute))

error[study::unknown_key]: unknown key "tempratures"
 --> study.toml:5:1
  |
5 | tempratures = ["3 K"]
  | ^^^^^^^^^^^
  |
  = help: did you mean "temperatures"?"#,
    );
    expect(
        "[steps.x]\nkind = \"nosie\"",
        r#"
error[study::unknown_kind]: there is no kind of step "nosie"
 --> study.toml:4:8
  |
4 | kind = "nosie"
  |        ^^^^^^^
  |
  = help: did you mean "noise"?"#,
    );
    assert!(problems("[steps.x]\na = \"1 m\"").contains("the step \"x\" has no kind"));
    let text = "[studdy]\n[study]\nname = \"s\"\nsed = 1\n[steps.x]\nkind = \"add\"\na = \"1 m\"\n";
    assert_eq!(codes(text), ["study::unknown_key", "study::unknown_key"]);
    assert!(
        problems("[steps.x]\nkind = \"nan\"\nfrobnicate = 1")
            .contains("the kind \"nan\" takes a, kind, retune")
    );
}

#[test]
fn ranges_types_and_choices() {
    expect(
        "[steps.x]\nkind = \"noise\"\nn = 0",
        r#"
error[study::range]: "n" = 0 is outside 1 to 1000000
 --> study.toml:5:5
  |
5 | n = 0
  |     ^"#,
    );
    expect(
        "[steps.x]\nkind = \"many\"\ntemperatures = [\"1 K\", \"-2 K\", 3]",
        r#"
error[study::range]: "temperatures": -2 K is not greater than zero
 --> study.toml:5:24
  |
5 | temperatures = ["1 K", "-2 K", 3]
  |                        ^^^^^^

error[study::bare_number]: "temperatures" is a temperature and needs a unit
 --> study.toml:5:32
  |
5 | temperatures = ["1 K", "-2 K", 3]
  |                                ^
  |
  = help: accepted units: K (absolute)"#,
    );
    expect(
        "[steps.x]\nkind = \"many\"\ntemperatures = \"3 K\"\nmethod = \"metropolys\"",
        r#"
error[study::wrong_type]: "temperatures" must be a list of which each item is a temperature with its unit (K (absolute)), not a text
 --> study.toml:5:16
  |
5 | temperatures = "3 K"
  |                ^^^^^
  |
  = help: write [ ... ] around the items

error[study::choice]: "method" must be one of metropolis, heat_bath, not "metropolys"
 --> study.toml:6:10
  |
6 | method = "metropolys"
  |          ^^^^^^^^^^^^
  |
  = help: did you mean "metropolis"?"#,
    );
    let found = problems(
        "[steps.x]\nkind = \"many\"\ntemperatures = []\nfast = \"yes\"\nlabel = 3\nlow = nan\nhigh = inf\nmethod = 1979-05-27",
    );
    for part in [
        "\"fast\" must be true or false, not a text",
        "\"label\" must be a text, not an integer",
        "\"low\" is NaN",
        "\"high\" is inf",
        "not a date",
    ] {
        assert!(found.contains(part), "{part}\n{found}");
    }
    assert!(
        problems("[steps.x]\nkind = \"noise\"\nn = 2.0").contains("\"n\" must be an integer, not a number")
    );
    assert!(problems("[steps.x]\nkind = \"noise\"\nn = 99999999999999999999").contains("beyond 64 bits"));
    assert!(
        problems("[steps.x]\nkind = \"total\"\nseries = 3").contains("\"series\" must refer to a Series")
    );
    expect(
        "[steps.x]\nkind = \"many\"\ntemperatures = [\"1 K\"]\nlow = 3\nhigh = 2",
        r#"
error[study::invalid]: "high": 2 is below low = 3
 --> study.toml:7:8
  |
7 | high = 2
  |        ^
  |
  = help: swap the two"#,
    );
}

#[test]
fn files_must_exist_and_be_files() {
    let found = problems("[steps.x]\nkind = \"count\"\nfile = \"file:no/such.csv\"");
    assert!(
        found.contains("study::missing_file") && found.contains("5 | file = \"file:no/such.csv\""),
        "{found}"
    );
    let found = problems("[steps.x]\nkind = \"count\"\nfile = \"file:src\"");
    assert!(found.contains("study::not_a_file") && found.contains("is a directory"), "{found}");
    expect(
        "[steps.x]\nkind = \"count\"\nfile = \"Cargo.toml\"",
        r#"
error[study::file]: "file" must name a file
 --> study.toml:5:8
  |
5 | file = "Cargo.toml"
  |        ^^^^^^^^^^^^
  |
  = help: write "file:Cargo.toml", relative to the study file"#,
    );
    assert_eq!(problems("[steps.x]\nkind = \"count\"\nfile = \"file:Cargo.toml\""), "no problem");
    assert!(
        problems("[steps.x]\nkind = \"count\"\nfile = \"file:a\\u0000b\"").contains("study::missing_file")
    );
}

#[test]
fn broken_references_name_the_nearest() {
    let noise =
        "[steps.noise]\nkind = \"noise\"\nn = 3\n[steps.base]\nkind = \"add\"\na = \"1 m\"\n[steps.x]\n";
    expect(
        &format!("{noise}kind = \"total\"\nseries = \"@nosie.series\""),
        r#"
error[study::unknown_step]: there is no step "nosie"
  --> study.toml:11:10
   |
11 | series = "@nosie.series"
   |          ^^^^^^^^^^^^^^^
   |
   = help: did you mean "noise"?"#,
    );
    expect(
        &format!("{noise}kind = \"total\"\nseries = \"@noise.serie\""),
        r#"
error[study::unknown_output]: the step "noise" (noise) has no output "serie"
  --> study.toml:11:10
   |
11 | series = "@noise.serie"
   |          ^^^^^^^^^^^^^^
   |
   = help: did you mean "series"?"#,
    );
    expect(
        &format!("{noise}kind = \"total\"\nseries = \"@noise.mean\""),
        r#"
error[study::handoff_type]: "series" cannot take @noise.mean: it is a number, not Series
  --> study.toml:11:10
   |
11 | series = "@noise.mean"
   |          ^^^^^^^^^^^^^
   |
   = help: fitting outputs of "noise": series"#,
    );
    expect(
        &format!("{noise}kind = \"add\"\na = \"@noise.mean\"\nb = \"@noise.series\""),
        r#"
error[study::dimension]: "a" cannot take @noise.mean: got a pure number (1), want a length (m)
  --> study.toml:11:5
   |
11 | a = "@noise.mean"
   |     ^^^^^^^^^^^^^

error[study::handoff_type]: "b" cannot take @noise.series: it is a Series, not a number
  --> study.toml:12:5
   |
12 | b = "@noise.series"
   |     ^^^^^^^^^^^^^^^"#,
    );
    assert!(problems("[steps.x]\nkind = \"add\"\na = \"@base\"").contains("write \"@step.output\""));
    assert!(
        problems("[steps.x]\nkind = \"noise\"\nn = \"@x.mean\"").contains("must be an integer, not a text")
    );
}

#[test]
fn cycles_are_named() {
    expect(
        "[steps.a]\nkind = \"add\"\na = \"@c.sum\"\n[steps.b]\nkind = \"add\"\na = \"@a.sum\"\n[steps.c]\nkind = \"add\"\na = \"@b.sum\"\n[steps.d]\nkind = \"add\"\na = \"@d.sum\"",
        r#"
error[study::cycle]: these steps wait for one another: a -> c -> b -> a
 --> study.toml:5:5
  |
5 | a = "@c.sum"
  |     ^^^^^^^^
  |
  = help: a step may use only the outputs of steps that do not need it

error[study::cycle]: these steps wait for one another: d -> d
  --> study.toml:14:5
   |
14 | a = "@d.sum"
   |     ^^^^^^^^
   |
   = help: a step may use only the outputs of steps that do not need it"#,
    );
}

#[test]
fn seals_hold() {
    let base =
        "[steps.base]\nkind = \"add\"\na = \"1 m\"\n[steps.cell]\nkind = \"round\"\na = \"@base.sum\"\n";
    expect(
        &format!("{base}[steps.cell.retune]\na = {{ factor = 2.0 }}"),
        r#"
error[study::sealed]: "a": this value was identified and sealed at the atomic scale; the cell scale may not re-tune it. Improve it where it was identified, or break the seal on record with unseal = "reason"
  --> study.toml:10:1
   |
10 | a = { factor = 2.0 }
   | ^"#,
    );
    expect(
        &format!("{base}[steps.cell.retune]\na = {{ factor = 2.0, unseal = \"  \" }}"),
        r#"
error[study::sealed]: breaking a seal needs a reason: write unseal = "why this value must move"
  --> study.toml:10:30
   |
10 | a = { factor = 2.0, unseal = "  " }
   |                              ^^^^"#,
    );
    expect(
        "[steps.base]\nkind = \"add\"\na = \"1 m\"\n[steps.base.retune]\na = { factor = 2.0, unseal = \"x\" }",
        r#"
error[study::retune]: "a" is a literal, not a result of another step
 --> study.toml:7:1
  |
7 | a = { factor = 2.0, unseal = "x" }
  | ^
  |
  = help: edit the literal instead of re-tuning it"#,
    );
    for factor in ["0", "-1.0", "nan", "inf", "\"2\""] {
        let found =
            problems(&format!("{base}[steps.cell.retune]\na = {{ factor = {factor}, unseal = \"x\" }}"));
        assert!(found.contains("must be a finite number greater than zero"), "{found}");
    }
    assert!(
        problems(&format!("{base}[steps.cell.retune]\naa = {{ factor = 2.0 }}"))
            .contains("did you mean \"a\"?")
    );
    assert!(problems(&format!("{base}[steps.cell.retune]\na = 2.0")).contains("a re-tuning must be a table"));
    assert!(
        problems(&format!("{base}[steps.cell.retune]\na = {{ unseal = \"x\" }}")).contains("has no factor")
    );
    // At its own scale a value may be moved without breaking a seal.
    let own = "[steps.base]\nkind = \"add\"\na = \"1 m\"\n[steps.more]\nkind = \"add\"\na = \"@base.sum\"\n[steps.more.retune]\na = { factor = 2 }";
    assert_eq!(problems(own), "no problem");
}

#[test]
fn malformed_files_are_explained_and_all_problems_are_collected() {
    expect(
        "[steps.x]\nkind = \"add\"\na = \"1 m\"\na = \"2 m\"",
        r#"
error[study::duplicate_key]: duplicate key
 --> study.toml:6:1
  |
6 | a = "2 m"
  | ^
  |
  = help: every key may stand once; remove one of the two"#,
    );
    let found =
        problems("[steps.x]\nkind = \"add\"\na = \"1 m\nb = = 3\n[steps.y]\nkind = \"noise\"\nn = -1");
    assert!(found.contains("5 | a = \"1 m\n") && found.contains("study::syntax"), "{found}");
    assert!(found.contains("\"n\" = -1 is outside"), "{found}");
    let all = codes(
        "[study]\nseed = -1\n[steps.x]\nkind = \"add\"\na = \"1 V\"\nc = 1\n[steps.y]\nkind = \"what\"\n[steps.z]\nkind = \"add\"\na = \"@x.summ\"\n",
    );
    assert_eq!(
        all,
        [
            "study::missing_key",
            "study::wrong_type",
            "study::dimension",
            "study::unknown_key",
            "study::unknown_kind",
            "study::unknown_output"
        ]
    );
    assert_eq!(codes(""), ["study::missing_table", "study::missing_table"]);
    assert!(codes("[study]\nname = \"Caps\"\n[steps]\n").contains(&"study::name"));
    assert!(codes("[study]\nname = \"a\"\n[steps.\"a.b\"]\nkind = \"add\"\n").contains(&"study::name"));
    assert_eq!(codes("study = 1\nsteps = 2\n"), ["study::wrong_type", "study::wrong_type"]);
}

#[test]
fn origins_must_be_clear() {
    let origin = |fields: &str| problems(&format!("[steps.x]\nkind = \"add\"\na = {{ {fields} }}"));
    assert_eq!(origin("value = \"1 m\", data_set = \"a set\", method = \"fit\""), "no problem");
    for (fields, message) in [
        ("doi = \"10.1/x\"", "\"a\" has no value"),
        ("value = \"1 m\", doi = \"10.1/x\", assumed = \"why\"", "the origin of \"a\" is not clear"),
        ("value = \"1 m\", locator = \"Table 1\"", "the origin of \"a\" is not clear"),
        ("value = \"1 m\", assumed = \" \"", "must be a text that is not blank"),
        ("value = \"1 m\", std = \"1 V\"", "got a voltage"),
        ("value = \"1 m\", std = \"-1 m\"", "not a finite number >= 0"),
        ("value = \"1 m\", interval = [\"2 m\", \"1 m\"], level = 0.9", "is not an interval"),
        ("value = \"1 m\", interval = [\"0 m\", \"2 m\"]", "level = 0.95"),
        ("value = \"1 m\", level = 0.9", "a level without an interval"),
        ("value = \"1 m\", std = \"1 m\", samples = []", "more than one uncertainty"),
        ("value = \"1 m\", sdt = \"1 m\"", "did you mean \"std\"?"),
        ("value = \"@y.sum\"", "states the origin itself"),
        ("value = { value = \"1 m\" }", "not a table"),
        ("value = \"1 m\", data_set = \"file:none.csv\"", "cannot find the data set"),
    ] {
        let found = origin(fields);
        assert!(found.contains(message), "{fields}\n{found}");
    }
    assert!(
        problems("[steps.x]\nkind = \"noise\"\nn = { value = 3, std = 1 }")
            .contains("only numbers have an uncertainty")
    );
}

#[test]
fn absurd_sizes_are_refused() {
    let huge = " ".repeat((64 << 20) + 1);
    assert_eq!(codes(&huge), ["study::too_large"]);
    let mut text = String::from("[study]\nname = \"s\"\n");
    for i in 0..10_001 {
        let _ = writeln!(text, "[steps.s{i}]\nkind = \"add\"\na = \"1 m\"");
    }
    assert_eq!(codes(&text), ["study::too_large"]);
    let deep = format!(
        "[study]\nname = \"s\"\n[steps.x]\nkind = \"add\"\na = {}1{}\n",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(codes(&deep).contains(&"study::syntax"));
    let deep = format!("[study]\nname = \"s\"\n[steps.x]\n{}b = 1\n", "a.".repeat(5_000));
    assert!(codes(&deep).contains(&"study::syntax"));
    // Ten thousand mistakes are answered quickly too.
    let mut text = String::from("[study]\nname = \"s\"\n");
    for i in 0..10_000 {
        let _ = writeln!(text, "[steps.step_number_{i}]\nkind = \"add\"\na = \"@setp_number_{i}.sum\"");
    }
    let begin = std::time::Instant::now();
    let found = check(&text).unwrap_err();
    assert_eq!((found.items().len(), found.omitted()), (200, 9_800));
    assert!(found.render(false).contains("9800 further problems"));
    assert!(begin.elapsed().as_secs() < 5, "{:?}", begin.elapsed());
    // A chain of ten thousand steps is no problem.
    let mut text = String::from("[study]\nname = \"s\"\n[steps.s0]\nkind = \"add\"\na = \"1 m\"\n");
    for i in 1..10_000 {
        let _ = writeln!(text, "[steps.s{i}]\nkind = \"add\"\na = \"@s{}.sum\"", i - 1);
    }
    assert_eq!(check(&text).unwrap().step_names().len(), 10_000);
}

#[test]
fn files_that_are_no_studies() {
    let (registry, _) = toys::registry();
    let directory = tempfile::tempdir().unwrap();
    let code = |path: &Path| Study::load(path, &registry).unwrap_err().items()[0].code;
    assert_eq!(code(&directory.path().join("none.toml")), "study::unreadable");
    assert_eq!(code(directory.path()), "study::not_a_file");
    let path = directory.path().join("binary.toml");
    std::fs::write(&path, [0xff, 0xfe, 0]).unwrap();
    assert_eq!(code(&path), "study::encoding");
    std::fs::write(&path, GOOD).unwrap();
    assert!(Study::load(&path, &registry).is_ok());
}

#[test]
fn diagnostics_as_json_and_in_colour() {
    let found = check("[study]\nname = \"s\"\n[steps.x]\nkind = \"add\"\na = \"3 V\"\n").unwrap_err();
    let json = found.to_json();
    assert_eq!(json["source"], "study.toml");
    let one = &json["diagnostics"][0];
    assert_eq!((&one["line"], &one["column"], &one["end_column"]), (&5.into(), &5.into(), &10.into()));
    assert_eq!((&one["code"], &one["severity"]), (&"study::dimension".into(), &"error".into()));
    assert!(found.render(true).contains('\u{1b}') && !found.render(false).contains('\u{1b}'));
}

#[test]
fn the_schema_knows_every_kind() {
    let (registry, _) = toys::registry();
    let schema = scalade_study::schema(&registry);
    let kinds = schema["properties"]["steps"]["additionalProperties"]["oneOf"].as_array().unwrap();
    assert_eq!(kinds.len(), registry.names().count());
    let total = kinds.iter().find(|k| k["title"] == "total").unwrap();
    assert_eq!(total["required"], serde_json::json!(["kind", "series"]));
    assert_eq!(total["properties"]["weight"]["default"], 1.0);
    assert_eq!(total["properties"]["kind"]["const"], "total");
    assert_eq!(total["properties"]["weight"]["anyOf"][0]["anyOf"][0]["maximum"], 10.0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Bytes of a good study replaced, removed, doubled: a clear answer, never a panic, and renderable.
    #[test]
    fn mutations_of_a_good_study_never_panic(
        edits in proptest::collection::vec((0usize..GOOD.len(), 0u8..4, "[\\PC\n\"'\\[\\]{}=.@#]{0,3}"), 1..6)
    ) {
        let mut text: Vec<char> = GOOD.chars().collect();
        for (at, what, with) in edits {
            let at = at % text.len().max(1);
            match what {
                0 => { text.splice(at..at, with.chars()); }
                1 => { text.drain(at..(at + with.chars().count()).min(text.len())); }
                2 => { let tail: Vec<char> = text[at..].to_vec(); text.extend(tail.into_iter().take(120)); }
                _ => { text.truncate(at + 1); }
            }
        }
        let text: String = text.into_iter().collect();
        if let Err(found) = check(&text) {
            prop_assert!(found.has_errors());
            found.render(true);
            found.to_json();
        }
    }

    /// Words of studies in any order.
    #[test]
    fn shuffled_words_never_panic(words in proptest::collection::vec(0usize..24, 0..60)) {
        const WORDS: [&str; 24] = [
            "[study]\n", "name = \"s\"\n", "[steps.x]\n", "[steps.y]\n", "kind = \"add\"\n", "kind = \"total\"\n",
            "a = ", "\"1 m\"\n", "\"@x.sum\"\n", "\"@y.sum\"\n", "b = ", "[steps.x.retune]\n", "{ factor = 2 }\n",
            "series = ", "\"@n.series\"\n", "[steps.n]\n", "kind = \"noise\"\n", "n = 3\n", "{ value = \"1 m\" }\n",
            "more = [\"@n.series\"]\n", "[[steps.x]]\n", "1e999\n", "seed = 1\n", "\"\"\"\n",
        ];
        let text: String = words.into_iter().map(|w| WORDS[w]).collect();
        if let Err(found) = check(&text) {
            found.render(false);
        }
    }
}
