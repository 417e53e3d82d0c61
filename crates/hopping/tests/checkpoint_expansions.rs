//! Checkpoints of networks with local expansions and of several species: a run that goes on from a file ends with the same bits, and what is wrong with a file is told.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail with it")]

mod made;

use made::{SC, SPECIES, SQUARE, hamiltonian, hop, kind, model, prim, site};
use scalade_crystal::SiteGrid;
use scalade_handoff::{LatticeHamiltonian, LocalExpansion, VACANT};
use scalade_hopping::gas::{GasModel, GasRequest, gas_transport_resumable};
use scalade_hopping::species::{
    SpeciesModel, SpeciesRequest, SpeciesTransport, random_arrangement, species_transport,
    species_transport_resumable,
};
use scalade_hopping::synthetic::{PairEnergy, lattice_gas};
use scalade_hopping::{
    Budget, EventKind, GridNetwork, HopNetwork, HoppingError, KraModel, Progress, RateParameters, Resumed,
    TransportPoint, TransportRequest, transport_to_error, transport_to_error_resumable,
};
use scalade_numerics::Philox;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

/// Cancels from the n-th time on that it is asked.
struct Until(AtomicI64);

impl Until {
    fn new(n: i64) -> Self {
        Self(AtomicI64::new(n))
    }
}

impl Progress for Until {
    fn report(&self, _share: f64) {}
    fn cancelled(&self) -> bool {
        self.0.fetch_sub(1, Ordering::SeqCst) <= 1
    }
}

fn file(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    path
}

fn threads<T: Send>(count: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap().install(work)
}

/// Runs that are stopped again and again, at other moments and with other numbers of threads, until one ends. What is read and written again is the same to the last
/// bit: also what would seldom make itself felt in a result, as the rounding that sums carry along.
fn stopped<T: Send>(
    stops: &[i64],
    path: &Path,
    run: impl Fn(&Until) -> Result<(T, Resumed), HoppingError> + Sync,
) -> (T, Resumed) {
    for (k, stop) in stops.iter().enumerate() {
        let found = threads(1 + k % 3, || run(&Until::new(*stop)));
        assert!(matches!(found, Err(HoppingError::Cancelled)), "stop {k} after {stop} was not met");
        let kept = std::fs::read(path).unwrap();
        assert!(matches!(run(&Until::new(1)), Err(HoppingError::Cancelled)));
        assert!(kept == std::fs::read(path).unwrap(), "stop {k}: the state that is read is another one");
    }
    let (found, resumed) = threads(2, || run(&Until::new(i64::MAX))).unwrap();
    assert_eq!(resumed.failure, None);
    (found, resumed)
}

struct Crystal {
    energies: LatticeHamiltonian,
    network: GridNetwork,
}

/// Ions that repel each other on a simple cubic lattice, with activations and attempt frequencies that depend on the sites around.
fn crystal(dims: [usize; 3], repulsion_ev: f64) -> Crystal {
    let sc = prim(SC, &[([0.0; 3], &[VACANT, "A"])]);
    let hops = hop(site([0; 3], 0), site([1, 0, 0], 0), 1, 0);
    let local: LocalExpansion = kind(&sc, "A", &hops, (&[4.3, 3.1], 0.3, 0.04), 4).expansion;
    let energies =
        lattice_gas(SC, &[PairEnergy { distance_angstrom: 3.0, energy_ev: repulsion_ev }]).unwrap();
    // Attempt frequencies as well.
    let ln_attempts: Vec<f64> = local.coefficients_ev.iter().map(|c| -2.0 * c).collect();
    let kinds = [EventKind {
        expansion: &local,
        coefficients_ev: &local.coefficients_ev,
        attempts: 1.0,
        ln_attempts: Some(&ln_attempts),
    }];
    let network =
        HopNetwork::from_events(energies.lattice_angstrom, energies.basis_fractional.clone(), &kinds);
    let network = GridNetwork::new(network.unwrap(), SiteGrid::new(dims, 1).unwrap()).unwrap();
    Crystal { energies, network }
}

fn request(of: &Crystal) -> TransportRequest<'_> {
    TransportRequest {
        network: &of.network,
        hamiltonian: &of.energies,
        coefficients_ev: &of.energies.coefficients_ev,
        model: KraModel::uniform(0.0),
        parameters: RateParameters { temperature_k: 500.0, prefactor_hz: 1e13 },
        x: 0.3,
        budget: Budget { hops: 12_000, replicas: 8, blocks_per_replica: 3, equilibration_sweeps: 40 },
        seed: 5,
        stream: 0,
    }
}

const MOST: u64 = 20_000_000;

fn resumable(
    request: &TransportRequest<'_>,
    wanted: f64,
    progress: &dyn Progress,
    file: &Path,
) -> Result<(TransportPoint, Resumed), HoppingError> {
    transport_to_error_resumable(&mut request.clone(), wanted, MOST, progress, file, &|_| {})
}

#[test]
fn interrupted_networks_end_with_the_same_bits() {
    let crystal = crystal([5, 5, 5], 0.03);
    let request = request(&crystal);
    let mut spent = request;
    let whole = transport_to_error(&mut spent, 0.008, MOST, &()).unwrap();
    assert!(spent.budget.hops > request.budget.hops, "more than one round");
    assert!(whole.jump.relative_error() <= 0.008 && whole.tracer.relative_error() <= 0.008);
    let path = file("network_bits");
    // Before anything, while replicas settle, between blocks of the first round and of later ones: eight replicas ask once each as they settle, then before each block.
    let stops = [1, 3, 2, 6, 4, 5, 1, 9, 20, 25, 40];
    let (found, resumed) = stopped(&stops, &path, |until| resumable(&request, 0.008, until, &path));
    assert_eq!(found, whole);
    assert!(resumed.from_events > 0);
    // What is finished is told again at once, and goes on to a smaller error in a further round.
    let again = resumable(&request, 0.008, &(), &path).unwrap();
    assert_eq!((again.0, again.1.from_events), (whole.clone(), whole.events));
    let (finer, _) = resumable(&request, 0.005, &(), &path).unwrap();
    assert!(finer.events > whole.events && finer.jump.relative_error() <= 0.005);
    // More hops of a run that spent all that it had.
    let path = file("network_hops");
    let short = transport_to_error_resumable(&mut request.clone(), 0.001, 60_000, &(), &path, &|_| {});
    let from = std::cell::Cell::new(0);
    let tell = |hops| from.set(hops);
    let long = transport_to_error_resumable(&mut request.clone(), 0.001, 300_000, &(), &path, &tell);
    assert_eq!(from.get(), short.unwrap().0.events);
    assert!(long.unwrap().0.events > 2 * from.get());
}

/// Long enough that weights are compared with ones computed anew and bonds are filed anew, in a state that is read between.
#[test]
fn what_a_network_carries_along_is_kept() {
    let crystal = crystal([3, 3, 3], 0.05);
    let mut request = request(&crystal);
    request.budget = Budget { hops: 9_000_000, replicas: 8, blocks_per_replica: 3, equilibration_sweeps: 40 };
    let whole = transport_to_error(&mut request.clone(), 0.0, MOST, &()).unwrap();
    let path = file("network_long");
    let (found, resumed) = stopped(&[12, 9, 4], &path, |until| resumable(&request, 0.0, until, &path));
    assert_eq!(found, whole);
    assert!(resumed.from_events > 1_000_000);
}

fn two_species(cells: [usize; 3], energy_ev: f64) -> (SpeciesModel, Vec<u8>) {
    let layer = prim(SQUARE, &[([0.0; 3], &SPECIES)]);
    let energy = hamiltonian(&layer, &[4.3, 3.1], energy_ev, 3);
    let kinds = [1usize, 2].map(|ion| {
        let event = hop(site([0; 3], 0), site([1, 0, 0], 0), ion, 0);
        kind(&layer, SPECIES[ion], &event, (&[4.3, 3.1], 0.3 + 0.03 * ion as f64, 0.03), ion as u64)
    });
    let model = model(&layer, Some(&energy), &kinds, cells, 500.0).unwrap();
    let sites = model.grid().sites();
    let counts = [vec![sites / 4, sites - sites / 4 - sites / 3, sites / 3]];
    let start = random_arrangement(&model, &counts, &mut Philox::new(1, 9, 0)).unwrap();
    (model, start)
}

fn of_species<'a>(model: &'a SpeciesModel, arrangement: &'a [u8]) -> SpeciesRequest<'a> {
    SpeciesRequest { model, arrangement, relative_error: 0.03, most_events: 10_000_000, sweeps: 40, seed: 5 }
}

fn species_resumable(
    request: &SpeciesRequest<'_>,
    progress: &dyn Progress,
    file: &Path,
) -> Result<(SpeciesTransport, Resumed), HoppingError> {
    species_transport_resumable(request, progress, file, &|_| {})
}

#[test]
fn interrupted_runs_of_two_species_end_with_the_same_bits() {
    let (model, start) = two_species([6, 6, 1], 0.02);
    let request = of_species(&model, &start);
    let whole = species_transport(&request, &()).unwrap();
    assert!(whole.reached);
    let path = file("species_bits");
    let stops = [1, 3, 2, 6, 5, 1, 9, 20, 25, 40];
    let (found, resumed) = stopped(&stops, &path, |until| species_resumable(&request, until, &path));
    assert_eq!(found, whole);
    assert!(resumed.from_events > 0);
    let again = species_resumable(&request, &(), &path).unwrap();
    assert_eq!((again.0, again.1.from_events), (whole.clone(), whole.events));
    let finer = SpeciesRequest { relative_error: 0.015, ..request };
    let (finer, resumed) = species_resumable(&finer, &(), &path).unwrap();
    assert!(finer.reached && finer.events > whole.events && resumed.from_events == whole.events);
    // More events of a run that spent all that it had.
    let path = file("species_events");
    let short = SpeciesRequest { relative_error: 1e-3, most_events: 100_000, ..request };
    let first = species_resumable(&short, &(), &path).unwrap().0;
    let long = SpeciesRequest { most_events: 600_000, ..short };
    let (long, resumed) = species_resumable(&long, &(), &path).unwrap();
    assert!(!first.reached && resumed.from_events == first.events && long.events > 2 * first.events);
}

/// Long enough that sums are compared with ones computed anew.
#[test]
fn what_species_carry_along_is_kept() {
    let (model, start) = two_species([3, 3, 1], 0.02);
    // An error that nothing reaches: longer blocks, then more of them, until the events are spent.
    let request =
        SpeciesRequest { relative_error: 1e-5, most_events: 9_000_000, ..of_species(&model, &start) };
    let whole = species_transport(&request, &()).unwrap();
    assert!(whole.largest_deviation > 0.0, "sums were compared");
    let path = file("species_long");
    let (found, _) = stopped(&[30, 60, 90, 45], &path, |until| species_resumable(&request, until, &path));
    assert_eq!(found, whole);
}

/// Refuses bytes by these words, and leaves them as they are.
fn said(path: &Path, bytes: &[u8], run: &dyn Fn() -> Result<u64, HoppingError>, words: &[&str]) {
    std::fs::write(path, bytes).unwrap();
    let text = run().unwrap_err().to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
    assert_eq!(std::fs::read(path).unwrap(), bytes, "{text}");
}

/// Every length and many bits; then the same with a hash that fits, which only a forger can do: told or taken, but never a panic. What is taken is not run on.
fn damaged(path: &Path, whole: &[u8], run: &dyn Fn() -> Result<u64, HoppingError>) {
    for length in 23..whole.len().min(2400) {
        said(path, &whole[..length], run, &["is damaged", &format!("{length} bytes"), "put back a copy"]);
    }
    for at in (27..whole.len()).step_by(1 + whole.len() / 300) {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 1 << (at % 8);
        said(path, &bytes, run, &["is damaged", "hash"]);
    }
    let body = &whole[..whole.len() - 32];
    let forged = |body: &[u8]| [body, blake3::hash(body).as_bytes()].concat();
    let header = 31 + u32::from_le_bytes(whole[27..31].try_into().unwrap()) as usize;
    let step = 1 + (body.len() - header) / 80;
    for length in (header..body.len()).step_by(step) {
        said(path, &forged(&body[..length]), run, &["is damaged"]);
    }
    for at in (header..header + 60).chain((header..body.len()).step_by(step)) {
        for value in [0xff, body[at].wrapping_add(1)] {
            let mut bytes = body.to_vec();
            bytes[at] = value;
            std::fs::write(path, forged(&bytes)).unwrap();
            let _ = run();
        }
    }
}

#[test]
fn networks_refuse_files_that_do_not_fit() {
    let small = crystal([3, 3, 3], 0.03);
    let mut one = request(&small);
    one.budget = Budget { hops: 2_400, ..one.budget };
    let path = file("network_refused");
    resumable(&one, 0.0, &(), &path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let with = |request: TransportRequest<'_>, words: &[&str]| {
        said(&path, &whole, &|| resumable(&request, 0.0, &(), &path).map(|f| f.0.events), words);
    };
    with(
        TransportRequest { seed: 6, ..one },
        &["another model", "seed 5 there, 6 here", "give another file"],
    );
    with(TransportRequest { x: 0.5, ..one }, &["ions 8 there, 14 here"]);
    let warmer = RateParameters { temperature_k: 501.0, ..one.parameters };
    with(TransportRequest { parameters: warmer, ..one }, &["temperature_K 500.0 there, 501.0 here"]);
    let other = crystal([3, 3, 3], 0.030_001);
    with(request(&other), &["another model", "energies or activations differ"]);
    let larger = crystal([3, 3, 4], 0.03);
    with(request(&larger), &["sites 27 there, 36 here"]);
    let mut bytes = whole.clone();
    bytes[23] = 9;
    let again = || resumable(&one, 0.0, &(), &path).map(|f| f.0.events);
    said(&path, &bytes, &again, &["version 9", "reads 1", "the program that wrote it"]);
    said(&path, b"[lattice]\n", &again, &["is no checkpoint", "10 bytes"]);
    said(&path, &[&whole[..], b"more"].concat(), &again, &["is damaged"]);
    // Kinds of runs are told apart, either way.
    let gas = GasModel::named(scalade_crystal::NamedLattice::Sc, &[3, 3, 3], &[0.5], 1.0).unwrap();
    let of_gas =
        GasRequest { model: &gas, ions: 8, standard_error: 0.1, most_hops: 1000, seed: 5, selection: None };
    let by_gas = || gas_transport_resumable(&of_gas, &(), &path, &|_| {}).map(|f| f.0.events);
    said(&path, &whole, &by_gas, &["an expansion with one ion there, of a lattice gas here"]);
    std::fs::remove_file(&path).unwrap();
    by_gas().unwrap();
    let kept = std::fs::read(&path).unwrap();
    said(&path, &kept, &again, &["a lattice gas there, of an expansion with one ion here"]);
    let stopped = || resumable(&one, 0.0, &Until::new(1), &path).map(|f| f.0.events);
    damaged(&path, &whole, &stopped);
    let nowhere = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no such folder").join("file");
    let text = resumable(&one, 0.0, &(), &nowhere).unwrap_err().to_string();
    assert!(text.contains("cannot be written"), "{text}");
}

#[test]
fn several_species_refuse_files_that_do_not_fit() {
    let (small, start) = two_species([3, 3, 1], 0.02);
    let one = SpeciesRequest { most_events: 6_400, ..of_species(&small, &start) };
    let path = file("species_refused");
    species_resumable(&one, &(), &path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let with = |request: SpeciesRequest<'_>, words: &[&str]| {
        said(&path, &whole, &|| species_resumable(&request, &(), &path).map(|f| f.0.events), words);
    };
    with(SpeciesRequest { seed: 6, ..one }, &["another model", "seed 5 there, 6 here"]);
    let mut fewer = start.clone();
    *fewer.iter_mut().find(|s| **s == 1).unwrap() = 2;
    with(SpeciesRequest { arrangement: &fewer, ..one }, &["another model", "atoms", "\"A\":4", "\"A\":3"]);
    let (other, _) = two_species([3, 3, 1], 0.020_001);
    with(SpeciesRequest { model: &other, ..one }, &["another model", "energies or events differ"]);
    let (larger, start) = two_species([3, 4, 1], 0.02);
    with(SpeciesRequest { model: &larger, arrangement: &start, ..one }, &["sites 9 there, 12 here"]);
    damaged(&path, &whole, &|| species_resumable(&one, &Until::new(1), &path).map(|f| f.0.events));
}
