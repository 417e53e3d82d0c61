//! The figures of `docs/benchmarks.md`, measured on this machine: `cargo run --release -p scalade --example benchmarks`.
//!
//! Each figure is per CPU second of this process, on one thread, the best of three.

use scalade::ScaladeError;
use scalade::cell_run::{Discharge, parameter_set};
use scalade::crystal::SiteGrid;
use scalade::handoff::{LatticeEnergy, LatticeHamiltonian};
use scalade::hopping::{Engine, FastEngine, RateParameters, equilibrate, random_occupation};
use scalade::lattice::Metropolis;
use scalade::numerics::Philox;
use scalade::numerics::cpu_seconds;
use std::io::Write;
use std::path::Path;

fn best_of_three(mut work: impl FnMut() -> Result<(), ScaladeError>) -> Result<f64, ScaladeError> {
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let before = cpu_seconds();
        work()?;
        best = best.min(cpu_seconds() - before);
    }
    Ok(best)
}

fn input(error: impl std::fmt::Display) -> ScaladeError {
    ScaladeError::input(error.to_string())
}

/// The Hamiltonian and barrier laws of the bundled study.
fn licoo2() -> Result<(LatticeHamiltonian, scalade::hopping::KraFit), ScaladeError> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/licoo2");
    let text = scalade::orderings::read_text(&data.join("orderings.extxyz"))?;
    let orderings = scalade::orderings::Orderings::read(&text, "orderings.extxyz", "Li", "energy")?;
    let mut request = scalade::rungs::FitRequest::new(["6 angstrom", "3 angstrom", "0 angstrom"]);
    request.seed = 1;
    let fitted = scalade::rungs::fit(&orderings, &request)?;
    let table = scalade::orderings::read_text(&data.join("barriers.csv"))?;
    let (laws, _) = scalade::kinds::fit_barrier_laws(&table, "barriers.csv", 0, 1)?;
    Ok((fitted.fit.hamiltonian, laws))
}

fn monte_carlo(h: &LatticeHamiltonian, kelvin: f64) -> Result<f64, ScaladeError> {
    let grid = SiteGrid::new([12, 12, 12], 1).map_err(input)?;
    let energy = LatticeEnergy::new(h, &h.coefficients_ev, grid, &[])?;
    let mut chain = Metropolis::new(energy, 1, 0, 0);
    // The chemical potential of half lithiation in the bundled study: E_ref - V(1/2).
    let mu = -2.0623 - 3.7918;
    (0..200).for_each(|_| chain.sweep(kelvin, mu));
    let sweeps = 2000;
    let seconds = best_of_three(|| {
        (0..sweeps).for_each(|_| chain.sweep(kelvin, mu));
        Ok(())
    })?;
    Ok(f64::from(sweeps) * grid.sites() as f64 / seconds)
}

fn kinetic(
    h: &LatticeHamiltonian,
    laws: &scalade::hopping::KraFit,
    cells: [i64; 3],
    x: f64,
    kelvin: f64,
) -> Result<f64, ScaladeError> {
    let network = scalade::kinds::hop_network(h, &cells)?;
    let sites = network.grid().sites();
    let parameters = RateParameters::at(kelvin);
    let mut rng = Philox::new(1, 0, 0);
    let occupied = random_occupation(sites, (x * sites as f64).round() as usize, &mut rng).map_err(input)?;
    let mut energy = LatticeEnergy::new(h, &h.coefficients_ev, *network.grid(), &[])?;
    energy.set_occupation(&occupied)?;
    equilibrate(&mut energy, &parameters, 100, &mut rng).map_err(input)?;
    let start = energy.occupation();
    let mut engine = FastEngine::new(&network, h, &h.coefficients_ev, &laws.model, &parameters, &start, rng)
        .map_err(input)?;
    engine.run_hops(50_000).map_err(input)?;
    let hops = 1_000_000;
    let seconds = best_of_three(|| engine.run_hops(hops).map_err(input))?;
    Ok(hops as f64 / seconds)
}

fn main() -> Result<(), ScaladeError> {
    let mut out = std::io::stdout().lock();
    let mut say = |text: String| writeln!(out, "{text}").map_err(input);
    let (h, laws) = licoo2()?;
    for kelvin in [300.0, 600.0] {
        let speed = monte_carlo(&h, kelvin)? / 1e6;
        say(format!(
            "Monte Carlo, LiCoO2, 12x12x12 sites, x near 1/2, {kelvin} K: {speed:.2} million trials per CPU second"
        ))?;
    }
    for (cells, x) in [([6, 6, 6], 0.5), ([12, 12, 12], 0.5), ([6, 6, 6], 0.8), ([12, 12, 12], 0.95)] {
        let speed = kinetic(&h, &laws, cells, x, 300.0)? / 1e6;
        say(format!(
            "kinetic Monte Carlo, LiCoO2, {cells:?} sites, x = {x}, 300 K: {speed:.2} million hops per CPU second"
        ))?;
    }
    for name in ["marquis2019", "chen2020", "prada2013"] {
        let set = parameter_set(name)?;
        // The scheduler counts in ticks of a few milliseconds: many discharges make one measurement.
        let discharges = 50;
        let seconds = best_of_three(|| {
            (0..discharges).try_for_each(|_| Discharge::at(1.0).solve(&set, &[]).map(|_| ()))
        })?;
        say(format!("1C discharge, {name}: {:.2} ms of CPU", seconds * 1e3 / f64::from(discharges)))?;
    }
    Ok(())
}
