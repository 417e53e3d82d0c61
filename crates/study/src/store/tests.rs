//! The store under full disks, damage, and several users.

use super::*;
use crate::toys::{ran, registry};
use crate::{Registry, RunError, RunOptions, Study, StudyError};
use disk::faults::Faults;
use std::sync::atomic::AtomicBool;

const TEXT: &str = r#"
[study]
name = "toy"
[steps.a]
kind = "add"
a = "2 m"
[steps.b]
kind = "round"
a = "@a.sum"
[steps.noise]
kind = "noise"
n = 2000
[steps.sum]
kind = "total"
series = "@noise.series"
[steps.s]
kind = "slow"
rounds = 3
"#;

fn study(registry: &Registry) -> Study {
    Study::from_text(TEXT, Path::new("."), "study.toml", registry).unwrap()
}

fn options() -> RunOptions<'static> {
    RunOptions { jobs: 1, checkpoint_interval: std::time::Duration::ZERO, ..RunOptions::default() }
}

/// All files of a store but its lock, with their content.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut out = BTreeMap::new();
    let mut directories = vec![root.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            if entry.path().is_dir() {
                directories.push(entry.path());
            } else if entry.file_name() != "lock" {
                out.insert(entry.path(), std::fs::read(entry.path()).unwrap());
            }
        }
    }
    out
}

#[test]
fn a_disk_that_fills_up_at_any_write_leaves_a_sound_store() {
    let (registry, _) = registry();
    let study = study(&registry);
    let directory = tempfile::tempdir().unwrap();
    let expected = {
        let store = Store::open(&directory.path().join("good")).unwrap();
        study.run(&store, &options()).unwrap().result_hash
    };
    let mut finished = false;
    for changes in 0..500 {
        let root = directory.path().join(format!("full-{changes}"));
        let faults = Arc::new(Faults::after(changes));
        let outcome = Store::on_failing_disk(&root, &faults).map(|store| study.run(&store, &options()));
        match outcome {
            // The store could not even be created.
            Err(StudyError::Io { source, .. }) => assert_eq!(source.kind(), std::io::ErrorKind::StorageFull),
            Ok(Err(RunError::Store { source: StudyError::Io { source, .. }, .. })) => {
                assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
            }
            // A checkpoint that cannot be stored fails its step.
            Ok(Err(RunError::Failed { record })) => {
                assert!(record.failures["s"].message.contains("no space left"), "{record:?}");
            }
            Ok(Ok(record)) => {
                assert_eq!(record.result_hash, expected);
                finished = !faults.exhausted();
            }
            other => panic!("after {changes} changes: {other:?}"),
        }
        // With space again, the same study finishes with the same result, and nothing half-written is left.
        let store = Store::open(&root).unwrap();
        let record = study.run(&store, &options()).unwrap();
        assert_eq!(record.result_hash, expected, "after {changes} changes");
        assert!(
            record.warnings.is_empty() || record.warnings[0].contains("journal"),
            "{:?}",
            record.warnings
        );
        assert_eq!(std::fs::read_dir(root.join("tmp")).unwrap().count(), 0);
        assert_eq!(study.plan(&store).unwrap().would_run(), 0);
        std::fs::remove_dir_all(&root).unwrap();
        if finished {
            assert!(changes > 20, "only {changes} changes were tried");
            return;
        }
    }
    panic!("the disk was never large enough");
}

#[test]
fn damage_of_any_file_is_noticed_and_repaired() {
    let (registry, runs) = registry();
    let study = study(&registry);
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let expected = study.run(&store, &options()).unwrap().result_hash;
    let all = files(directory.path());
    assert!(all.keys().any(|p| p.to_string_lossy().contains("objects")), "no output was large");
    for (path, content) in &all {
        if path.ends_with("journal") {
            continue;
        }
        for at in [0, content.len() / 3, content.len() / 2, content.len() - 1] {
            let mut bytes = content.clone();
            bytes[at] ^= 1;
            std::fs::write(path, &bytes).unwrap();
            assert!(study.plan(&store).unwrap().would_run() >= 1);
            let record = study.run(&store, &options()).unwrap();
            assert_eq!(record.result_hash, expected);
            assert!(
                record.warnings.iter().any(|w| w.contains("damaged")),
                "{path:?} {at}: {:?}",
                record.warnings
            );
            let again = study.run(&store, &options()).unwrap();
            assert_eq!((again.cached(), again.warnings.len()), (5, 0));
        }
        std::fs::write(path, &content[..content.len() / 2]).unwrap();
        assert!(!study.run(&store, &options()).unwrap().warnings.is_empty());
        std::fs::remove_file(path).unwrap();
        assert_eq!(study.run(&store, &options()).unwrap().result_hash, expected);
    }
    assert!(ran(&runs, "noise") > 5);
}

#[test]
fn a_damaged_journal_costs_only_explanations() {
    let (registry, _) = registry();
    let study = study(&registry);
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    study.run(&store, &options()).unwrap();
    let path = directory.path().join("journal");
    for bytes in [&b""[..], b"SCALJ", b"something else that is longer than the magic"] {
        std::fs::write(&path, bytes).unwrap();
        let record = study.run(&store, &options()).unwrap();
        assert_eq!(record.cached(), 5);
        assert_eq!(record.warnings.is_empty(), bytes.is_empty());
        assert!(study.run(&store, &options()).unwrap().warnings.is_empty());
    }
}

#[test]
fn one_run_at_a_time() {
    let (registry, _) = registry();
    let study = study(&registry);
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let session = store.session().unwrap();
    let error = study.run(&store, &options()).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    let message = error.to_string();
    assert!(message.contains("another run") && message.contains("is using this store"), "{message}");
    assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
    // A plan needs no lock.
    assert_eq!(study.plan(&store).unwrap().would_run(), 5);
    drop(session);
    // A lock file that a dead process left is no lock.
    std::fs::write(directory.path().join("lock"), "4000000\n").unwrap();
    assert!(study.run(&store, &options()).is_ok());
}

#[test]
fn several_runs_at_once_all_end_well() {
    let (registry, _) = registry();
    let study = study(&registry);
    let directory = tempfile::tempdir().unwrap();
    let hashes: Vec<String> = std::thread::scope(|scope| {
        let run = || {
            let store = Store::open(directory.path()).unwrap();
            loop {
                match study.run(&store, &options()) {
                    Ok(record) => return record.result_hash,
                    Err(RunError::Store { source: StudyError::Busy { .. }, .. }) => std::thread::yield_now(),
                    Err(e) => panic!("{e}"),
                }
            }
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(hashes.iter().all(|h| *h == hashes[0]));
}

#[test]
fn torn_checkpoints_are_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let key = hash_bytes(b"key");
    store.put_checkpoint(&key, "../state of / anything", b"some state").unwrap();
    assert_eq!(store.get_checkpoint(&key, "../state of / anything").unwrap(), b"some state");
    assert!(store.get_checkpoint(&key, "other").is_none() && store.has_checkpoint(&key));
    let path = store.checkpoint_path(&key, "../state of / anything");
    let whole = std::fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert!(store.get_checkpoint(&key, "../state of / anything").is_none(), "cut at {cut}");
    }
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        std::fs::write(&path, &bytes).unwrap();
        assert!(store.get_checkpoint(&key, "../state of / anything").is_none(), "flipped at {at}");
    }
    store.remove_checkpoints(&key).unwrap();
    assert!(!store.has_checkpoint(&key));
}

#[test]
fn a_result_without_a_declared_output_does_not_serve() {
    let (registry, _) = registry();
    let spec = registry.get("add").unwrap().spec();
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let key = hash_bytes(b"key");
    let cached = Cached {
        outputs: BTreeMap::new(),
        hashes: BTreeMap::new(),
        seconds: 0.0,
        warnings: vec![],
        citations: vec![],
    };
    assert!(matches!(store.get(&key, "x", spec).unwrap(), Lookup::Miss));
    store.put(&key, "x", "add", &cached).unwrap();
    let Lookup::Corrupt(what) = store.get(&key, "x", spec).unwrap() else { panic!("it serves") };
    assert_eq!(what, "the stored result has no output \"sum\"");
}

#[test]
fn a_store_that_cannot_be_a_directory_is_a_typed_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = Store::open(&file.join("store")).unwrap_err();
    assert!(matches!(&error, StudyError::Io { .. }) && error.to_string().contains("file/store"), "{error}");
}

/// Permissions bind everyone but the superuser: as that one, the file system of the kernel stands in.
#[test]
#[cfg(target_os = "linux")]
fn a_read_only_directory_is_a_typed_error() {
    let error = Store::open(Path::new("/proc/scalade-store")).unwrap_err();
    assert!(matches!(error, StudyError::Io { action: "create the directory", .. }), "{error}");
}

#[test]
fn a_run_stopped_by_a_full_disk_stops_its_neighbours() {
    let (registry, _) = registry();
    let text = "[study]\nname = \"toy\"\n[steps.a]\nkind = \"add\"\na = \"1 m\"\n[steps.s]\nkind = \"slow\"\nrounds = 100000\n";
    let study = Study::from_text(text, Path::new("."), "study.toml", &registry).unwrap();
    let directory = tempfile::tempdir().unwrap();
    Store::open(directory.path()).unwrap();
    // Room for the journal, none for the first result; the long step must not go on for its 100 seconds.
    let faults = Arc::new(Faults::after(8));
    let store = Store::on_failing_disk(directory.path(), &faults).unwrap();
    let never = AtomicBool::new(false);
    let options = RunOptions { jobs: 2, cancel: &never, ..RunOptions::default() };
    let begin = std::time::Instant::now();
    assert!(matches!(study.run(&store, &options), Err(RunError::Store { .. })));
    assert!(begin.elapsed().as_secs() < 30);
}
