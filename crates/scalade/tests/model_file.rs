//! The reader of lattice models takes anything and answers with a model or a message.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail with them")]

use scalade::model_file::{EnergySource, Ensemble, LatticeSource, ModelFile};
use scalade::numerics::Philox;

const GOOD: &str = r#"
[lattice]
name = "square"
size = [16, 16]
[energy]
basis = "spin"
pairs = [-1.0, 0.25]
unit = "1"
[run]
ensemble = "semigrand"
temperature = [2.5, 3]
chemical_potential = [0.0]
precision = 5e-4
seed = 1
exact = false
replica_exchange = true
algorithm = "auto"
max_moves = 1e9
"#;

#[test]
fn a_model_is_read_as_written() {
    let file = ModelFile::parse(GOOD, "good.toml").unwrap();
    assert_eq!(file.size, [16, 16]);
    assert_eq!(file.temperature, [2.5, 3.0]);
    assert_eq!((file.precision, file.seed, file.exact, file.replica_exchange), (5e-4, 1, false, true));
    assert_eq!(file.most_moves, Some(1_000_000_000));
    assert!(matches!(file.lattice, LatticeSource::Named(_)) && !file.electronvolt);
    assert!(matches!(file.energy, EnergySource::Pairs { pairs, .. } if pairs == [-1.0, 0.25]));
    assert!(
        matches!(file.ensemble, Ensemble::SemiGrand { chemical_potential } if chemical_potential == [0.0])
    );
}

#[test]
fn no_text_makes_the_reader_panic() {
    let pieces = [
        "nan",
        "inf",
        "-inf",
        "-1",
        "0",
        "1e400",
        "9223372036854775807",
        "-0.0",
        "[]",
        "[[]]",
        "{}",
        "true",
        "\"\"",
        "\"eV\"",
        "\"vcsgc\"",
        "\"canonical\"",
        "\"wang-landau\"",
        "1979-05-27",
        "[lattice]",
        "[[run]]",
        "phi = [-1]\n",
        "kappa = nan\n",
        "concentration = [2]\n",
        "expansion = \"x\"\n",
        "structure = \"y\"\n",
        "\u{0}",
        "\u{1F600}",
        "=",
        "\n",
        "#",
        "\"",
        "[",
        "]",
        "\\",
        "name = 3\n",
        "a.b.c = 1\n",
        "size = [1e9]\n",
        "\"chain\"",
        "\"fcc\"",
    ];
    let mut rng = Philox::new(4, 0, 0);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..30_000 {
        let mut text: Vec<char> = GOOD.chars().collect();
        for _ in 0..=rng.below(4) {
            let at = rng.below(text.len() as u32 + 1) as usize;
            match rng.below(4) {
                0 => {
                    let end = (at + rng.below(12) as usize).min(text.len());
                    text.drain(at..end);
                }
                1 => {
                    let piece = pieces[rng.below(pieces.len() as u32) as usize];
                    text.splice(at..at, piece.chars());
                }
                2 => {
                    // A value becomes another one.
                    let from = text[at..].iter().position(|c| *c == '=').map_or(text.len(), |p| at + p + 1);
                    let to = text[from..].iter().position(|c| *c == '\n').map_or(text.len(), |p| from + p);
                    let piece = pieces[rng.below(pieces.len() as u32) as usize];
                    text.splice(from..to, piece.chars());
                }
                _ => {
                    if at < text.len() {
                        text[at] = char::from_u32(rng.below(0x250)).unwrap_or('x');
                    }
                }
            }
        }
        let text: String = text.into_iter().collect();
        match ModelFile::parse(&text, "fuzz.toml") {
            Ok(file) => {
                read += 1;
                assert!(file.temperature.iter().all(|t| *t > 0.0 && t.is_finite()));
                assert!(file.size.iter().all(|n| *n >= 1) && file.precision > 0.0);
            }
            Err(error) => {
                refused += 1;
                let message = error.to_string();
                assert!(message.starts_with("fuzz.toml: ") && message.len() > 20, "{message}");
                assert_eq!(error.exit_code(), 2);
            }
        }
    }
    assert!(read > 200 && refused > 10_000, "{read} {refused}");
}

#[test]
fn every_key_refuses_every_wrong_type() {
    let wrong = [
        "nan",
        "inf",
        "-3",
        "\"text\"",
        "{ a = 1 }",
        "[\"x\"]",
        "[[1]]",
        "[nan]",
        "[-3]",
        "1979-05-27",
        "[]",
    ];
    let keys = [
        "name",
        "size",
        "basis",
        "pairs",
        "unit",
        "ensemble",
        "temperature",
        "chemical_potential",
        "precision",
        "seed",
        "exact",
        "replica_exchange",
        "algorithm",
        "max_moves",
    ];
    for key in keys {
        for value in wrong {
            // Energies and chemical potentials may be negative.
            let signed = ["pairs", "chemical_potential"].contains(&key) && ["[-3]", "-3"].contains(&value);
            if signed && !(key == "pairs" && value == "-3") {
                continue;
            }
            let text: String = GOOD
                .lines()
                .map(|l| {
                    if l.starts_with(&format!("{key} =")) {
                        format!("{key} = {value}\n")
                    } else {
                        format!("{l}\n")
                    }
                })
                .collect();
            let error = ModelFile::parse(&text, "f.toml").unwrap_err().to_string();
            assert!(error.contains(key), "{key} = {value}: {error}");
        }
    }
}
