//! House rules that a compiler does not check; run by `cargo test -p xtask` and by `cargo run -p xtask`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Rooms of the house by tier: a crate may depend only on lower tiers.
const TIERS: [(&str, u8); 17] = [
    ("scalade-units", 0),
    ("scalade-record", 1),
    ("scalade-numerics", 0),
    ("scalade-crystal", 1),
    ("scalade-handoff", 2),
    ("scalade-energetics", 3),
    ("scalade-lattice", 3),
    ("scalade-expansion", 4),
    ("scalade-hopping", 3),
    ("scalade-cell", 3),
    ("scalade-bands", 3),
    ("scalade-study", 4),
    ("scalade-formats", 4),
    ("scalade-report", 4),
    ("scalade", 5),
    ("scalade-cli", 6),
    ("xtask", 7),
];
const PHYSICS_TIER: u8 = 3;
/// The workflow engine and the report know no physics.
const PHYSICS_FREE: [&str; 2] = ["scalade-study", "scalade-report"];
const LONGEST_FILE: usize = 850;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Workspace dependencies (normal and build, not dev) of every member, from `cargo metadata`.
fn dependencies() -> Result<BTreeMap<String, Vec<String>>, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .map_err(|e| e.to_string())?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())?;
    let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_string();
    let mut out = BTreeMap::new();
    for package in metadata["packages"].as_array().ok_or("no packages in cargo metadata")? {
        let mut needs = Vec::new();
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            if dependency["kind"].as_str() != Some("dev") && dependency["path"].is_string() {
                needs.push(text(&dependency["name"]));
            }
        }
        out.insert(text(&package["name"]), needs);
    }
    Ok(out)
}

/// Every arrow that does not point downwards.
fn wrong_arrows(dependencies: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let tiers: BTreeMap<&str, u8> = TIERS.into_iter().collect();
    let mut wrong = Vec::new();
    for (package, needs) in dependencies {
        let Some(tier) = tiers.get(package.as_str()) else {
            wrong.push(format!(
                "{package} has no tier: add it to the map in xtask and in docs/architecture.md"
            ));
            continue;
        };
        for need in needs {
            match tiers.get(need.as_str()) {
                Some(lower) if lower < tier => {
                    if *lower == PHYSICS_TIER && PHYSICS_FREE.contains(&package.as_str()) {
                        wrong.push(format!("{package} may not know physics, but depends on {need}"));
                    }
                }
                other => wrong.push(format!(
                    "{package} (tier {tier}) depends on {need} (tier {other:?}): arrows point downwards"
                )),
            }
        }
    }
    wrong
}

fn source_files(folder: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|e| e.path()) {
        if path.is_dir() {
            source_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// Source files that have outgrown one room.
fn long_files() -> Vec<String> {
    let mut files = Vec::new();
    source_files(&root().join("crates"), &mut files);
    files.sort();
    let length = |p: &PathBuf| std::fs::read_to_string(p).map_or(0, |t| t.lines().count());
    files
        .iter()
        .map(|f| (f, length(f)))
        .filter(|(_, n)| *n > LONGEST_FILE)
        .map(|(f, n)| format!("{} has {n} lines, more than {LONGEST_FILE}", f.display()))
        .collect()
}

fn main() -> ExitCode {
    let mut problems = match dependencies() {
        Ok(found) => wrong_arrows(&found),
        Err(reason) => vec![reason],
    };
    problems.extend(long_files());
    use std::io::Write;
    for problem in &problems {
        let _ = writeln!(std::io::stderr(), "{problem}");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_point_downwards() {
        let found = dependencies().unwrap();
        assert_eq!(found.len(), TIERS.len(), "members: {:?}", found.keys());
        assert_eq!(wrong_arrows(&found), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_up_or_sideways_is_found() {
        let mut found = dependencies().unwrap();
        found.insert("scalade-lattice".into(), vec!["scalade-hopping".into()]);
        found.insert("scalade-units".into(), vec!["scalade".into()]);
        found.insert("scalade-study".into(), vec!["scalade-cell".into()]);
        assert_eq!(wrong_arrows(&found).len(), 3);
    }

    #[test]
    fn files_are_no_longer_than_a_room() {
        assert_eq!(long_files(), Vec::<String>::new());
    }
}
