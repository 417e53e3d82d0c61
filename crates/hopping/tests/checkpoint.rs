//! Checkpoints of lattice gases: a run that goes on from a file ends with the same bits, and what is wrong with a file is told.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

use scalade_crystal::NamedLattice;
use scalade_hopping::gas::{
    GasModel, GasRequest, GasTransport, Selection, gas_transport, gas_transport_resumable,
};
use scalade_hopping::{HoppingError, Progress};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Cancels at the n-th time it is asked.
struct Until(AtomicU64);

impl Progress for Until {
    fn report(&self, _share: f64) {}
    fn cancelled(&self) -> bool {
        self.0.fetch_sub(1, Ordering::SeqCst) == 1
    }
}

fn file(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    path
}

fn request(model: &GasModel, selection: Option<Selection>) -> GasRequest<'_> {
    let ions = model.sites() / 3;
    GasRequest { model, ions, standard_error: 8e-3, most_hops: 40_000_000, seed: 5, selection }
}

fn resumable(
    request: &GasRequest<'_>,
    progress: &dyn Progress,
    file: &Path,
) -> Result<(GasTransport, u64), HoppingError> {
    let found = gas_transport_resumable(request, progress, file, &|_| {})?;
    assert_eq!(found.1.failure, None);
    Ok((found.0, found.1.from_events))
}

/// Stopped again and again, after more and more blocks, with other numbers of threads, every engine.
#[test]
fn interrupted_runs_end_with_the_same_bits() {
    let model = GasModel::named(NamedLattice::Square, &[12, 12], &[0.7, -0.2], 1.0).unwrap();
    for selection in Selection::ALL {
        let request = request(&model, Some(selection));
        let whole = gas_transport(&request, &()).unwrap();
        assert!(whole.reached);
        let path = file(&format!("bits_{}", selection.name()));
        let (mut stops, mut kept) = (0, Vec::new());
        let found = loop {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1 + stops % 3).build().unwrap();
            // The checks of the first calls fall before the first block, the later ones between blocks of the first rounds and beyond.
            let until = Until(AtomicU64::new(1 + 37 * stops as u64));
            match pool.install(|| resumable(&request, &until, &path)) {
                Err(HoppingError::Cancelled) => stops += 1,
                other => break other.unwrap(),
            }
            kept.push(std::fs::metadata(&path).unwrap().len());
        };
        assert!(stops > 2 && found.1 > 0, "{stops} stops, last from {} hops", found.1);
        assert_eq!(found.0, whole, "{selection:?}");
        assert!(kept.iter().all(|n| *n > 1000), "{kept:?}");
        // What is finished is told again at once, and goes on to a smaller error.
        let again = resumable(&request, &(), &path).unwrap();
        assert_eq!((again.0, again.1), (whole.clone(), whole.events));
        let finer = GasRequest { standard_error: 4e-3, ..request };
        let (finer, from) = resumable(&finer, &(), &path).unwrap();
        assert!(finer.reached && finer.events > from && from == whole.events);
        let error = |of: &GasTransport| of.tracer.tensor().unwrap().std_m2_s[0][0];
        assert!(error(&finer) < error(&whole));
    }
}

/// Few vacancies and no energies, where the order of the vacancies is part of the state, single ions are sampled seldom, and the engine is chosen by acceptance.
#[test]
fn few_vacancies_are_followed_on() {
    let model = GasModel::named(NamedLattice::Bcc, &[5, 5, 5], &[], 1.0).unwrap();
    let request = GasRequest { ions: 247, standard_error: 2e-3, ..request(&model, None) };
    let whole = gas_transport(&request, &()).unwrap();
    assert!(whole.follows_vacancies);
    let path = file("vacancies");
    for stop in [1, 2, 30, 60] {
        let until = Until(AtomicU64::new(stop));
        assert_eq!(resumable(&request, &until, &path).unwrap_err(), HoppingError::Cancelled);
    }
    assert_eq!(resumable(&request, &(), &path).unwrap().0, whole);
}

#[test]
fn files_that_do_not_fit_are_named_and_left_as_they_are() {
    let model = GasModel::named(NamedLattice::Square, &[8, 8], &[0.5], 1.0).unwrap();
    let request = GasRequest { standard_error: 0.05, ..request(&model, None) };
    let path = file("whole");
    resumable(&request, &(), &path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let said = |bytes: &[u8], request: &GasRequest<'_>, words: &[&str]| {
        std::fs::write(&path, bytes).unwrap();
        let text = resumable(request, &(), &path).unwrap_err().to_string();
        for word in words {
            assert!(text.contains(word), "{word:?} is not in {text:?}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{text}");
    };
    said(b"", &request, &["whole", "is no checkpoint", "0 bytes"]);
    said(b"[lattice]\nname = \"sc\"\n", &request, &["is no checkpoint"]);
    for length in [24, 26, 30, 60, whole.len() / 2, whole.len() - 1] {
        said(&whole[..length], &request, &["is damaged", &format!("{length} bytes")]);
    }
    // One bit anywhere.
    for at in (30..whole.len()).step_by(whole.len() / 40) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        said(&bytes, &request, &["is damaged", "hash"]);
    }
    let mut bytes = whole.clone();
    bytes[23] = 9;
    said(&bytes, &request, &["version 9", "reads 1"]);
    let longer = [&whole[..], b"more"].concat();
    said(&longer, &request, &["is damaged"]);
    said(&whole, &GasRequest { seed: 6, ..request }, &["another model", "seed 5 there, 6 here"]);
    said(&whole, &GasRequest { ions: 20, ..request }, &["ions 21 there, 20 here"]);
    let tree = Some(Selection::Tree);
    said(&whole, &GasRequest { selection: tree, ..request }, &["engine", "by acceptance", "tree"]);
    let other = GasModel::named(NamedLattice::Square, &[8, 8], &[0.500_001], 1.0).unwrap();
    said(&whole, &GasRequest { model: &other, ..request }, &["lattice, energies or rate differ"]);
    let larger = GasModel::named(NamedLattice::Square, &[8, 9], &[0.5], 1.0).unwrap();
    said(&whole, &GasRequest { model: &larger, ..request }, &["sites 64 there, 72 here"]);
    // A folder that is not there is found out before the run.
    let nowhere = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no such folder").join("file");
    let text = resumable(&request, &(), &nowhere).unwrap_err().to_string();
    assert!(text.contains("cannot be written"), "{text}");
}

/// A state of a quarter of a million sites, in the engine that files sites by the rates they had before; without energies, so that nothing has to settle.
#[test]
fn large_boxes_are_kept_too() {
    let model = GasModel::named(NamedLattice::Sc, &[64, 64, 64], &[], 1.0).unwrap();
    let request = GasRequest {
        model: &model,
        ions: model.sites() / 2,
        standard_error: 0.5,
        most_hops: 1,
        seed: 1,
        selection: Some(Selection::CompositionRejection),
    };
    let path = file("large");
    // Stopped before the first block: the file holds all replicas as they begin.
    let until = Until(AtomicU64::new(1));
    assert_eq!(resumable(&request, &until, &path).unwrap_err(), HoppingError::Cancelled);
    assert!(std::fs::metadata(&path).unwrap().len() > 8 * 17 * 131_072);
    let before = std::fs::read(&path).unwrap();
    let until = Until(AtomicU64::new(1));
    assert_eq!(resumable(&request, &until, &path).unwrap_err(), HoppingError::Cancelled);
    assert!(before == std::fs::read(&path).unwrap(), "read and written again, the state is another one");
    std::fs::remove_file(&path).unwrap();
}
