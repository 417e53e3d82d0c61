//! A run killed at random moments, and run again, ends as if nothing had happened.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The example program, which cargo builds beside the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join("examples/crash_target");
    assert!(path.is_file(), "{} is not built: run the whole package's tests", path.display());
    path
}

fn start(store: &Path) -> Child {
    Command::new(program()).arg(store).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Lines of a run that was left alone.
fn finish(store: &Path) -> Vec<String> {
    let output = start(store).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(ToString::to_string).collect()
}

/// Moments in [0, 1), the same in every run of the test.
fn moments(count: u64) -> impl Iterator<Item = f64> {
    (0..count).map(|i| {
        let mixed = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1u64 << 53) as f64
    })
}

fn kill_at_random_moments(count: u64) {
    let directory = tempfile::tempdir().unwrap();
    let begin = Instant::now();
    let expected = finish(&directory.path().join("undisturbed"))[0].clone();
    let whole = begin.elapsed();
    let mut store = directory.path().join("killed");
    let (mut kills, mut progress) = (0, 0);
    for (attempt, moment) in moments(count * 10).enumerate() {
        if kills == count {
            break;
        }
        let mut child = start(&store);
        std::thread::sleep(whole.mul_f64(moment * 0.9));
        let killed = child.try_wait().unwrap().is_none();
        if killed {
            // SIGKILL: nothing of the process runs after it.
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
        progress += usize::from(std::fs::read_dir(store.join("steps")).is_ok_and(|d| d.count() > 0));
        // Several kills on one store, then a run to the end; a store whose run ended before its kill is done with too.
        if !killed || kills % 3 == 0 {
            let lines = finish(&store);
            assert_eq!(lines[0], expected, "after kill {kills}");
            assert!(lines[1..].iter().all(|l| l.contains("journal")), "{lines:?}");
            assert_eq!(finish(&store), std::slice::from_ref(&expected), "from the store");
            store = directory.path().join(format!("killed-{attempt}"));
        }
    }
    assert_eq!(finish(&store)[0], expected);
    assert_eq!(kills, count, "too many runs ended before their kill");
    assert!(progress > 0, "no killed run had finished a step");
}

#[test]
fn twenty_kills_change_nothing() {
    kill_at_random_moments(20);
}

#[test]
#[ignore = "two minutes"]
fn two_hundred_kills_change_nothing() {
    kill_at_random_moments(200);
}

#[test]
fn two_processes_on_one_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    let first = start(&store);
    std::thread::sleep(Duration::from_millis(60));
    let second = start(&store).wait_with_output().unwrap();
    let first = first.wait_with_output().unwrap();
    let refused: Vec<_> = [&first, &second].into_iter().filter(|o| !o.status.success()).collect();
    assert!(refused.len() <= 1);
    for output in refused {
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("Busy") || text.contains("another run"), "{text}");
    }
    assert_eq!(finish(&store).len(), 1);
}
