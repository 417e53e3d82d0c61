//! Events per CPU second of the fast engine on a synthetic layered host, and diffusivities.

use scalade_crystal::SiteGrid;
use scalade_hopping::synthetic::layered_host;
use scalade_hopping::{
    BarrierLaw, Engine, FastEngine, GridNetwork, HopNetwork, HopShell, KraModel, Paths, RateParameters,
    Tracked, equilibrate, random_occupation,
};
use scalade_numerics::Philox;
use scalade_numerics::cpu_seconds;

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hamiltonian = layered_host()?;
    let pairs: usize = hamiltonian.orbits.iter().filter(|o| o.order == 2).map(|o| 2 * o.clusters.len()).sum();
    let triplets: usize =
        hamiltonian.orbits.iter().filter(|o| o.order == 3).map(|o| 3 * o.clusters.len()).sum();
    println!("{pairs} pair neighbours, {triplets} triplets per site");
    let model = KraModel {
        odh: BarrierLaw { intercept_ev: 0.41, slope_ev: 0.017 },
        tsh: BarrierLaw { intercept_ev: 0.28, slope_ev: -0.010 },
        paths: Paths::PerVacantCommon,
    };
    println!("  grid     x    T/K  Mevents/CPU-s  trials/event  returned   tsh share  refilings");
    for dims in [[12, 12, 12], [6, 6, 6]] {
        let network = HopNetwork::new(&hamiltonian, HopShell::Nearest)?;
        let network = GridNetwork::new(network, SiteGrid::new(dims, 1)?)?;
        let sites = network.grid().sites();
        for (x, temperature) in [(0.5, 300.0), (0.5, 400.0), (0.3, 300.0), (0.75, 300.0), (0.95, 300.0)] {
            let ions = (x * sites as f64).round() as usize;
            let parameters = RateParameters::at(temperature);
            let mut rng = Philox::new(1, 0, 0);
            let occupied = random_occupation(sites, ions, &mut rng)?;
            let mut energy = scalade_handoff::LatticeEnergy::new(
                &hamiltonian,
                &hamiltonian.coefficients_ev,
                *network.grid(),
                &[],
            )?;
            energy.set_occupation(&occupied)?;
            equilibrate(&mut energy, &parameters, 200, &mut rng)?;
            let coefficients = &hamiltonian.coefficients_ev;
            let mut engine = FastEngine::new(
                &network,
                &hamiltonian,
                coefficients,
                &model,
                &parameters,
                &energy.occupation(),
                rng,
            )?;
            engine.run_hops(20_000)?;
            let (before, hops, tries) = (cpu_seconds(), 1_000_000u32, engine.attempts());
            engine.run_hops(u64::from(hops))?;
            let seconds = cpu_seconds() - before;
            let trajectory = engine.trajectory();
            let events = trajectory.events() as f64;
            println!(
                "{:>8} {x:>5} {temperature:>6} {:>14.3} {:>13.2} {:>9.3} {:>11.5} {:>10}",
                format!("{}^3", dims[0]),
                f64::from(hops) / seconds * 1e-6,
                (engine.attempts() - tries) as f64 / f64::from(hops),
                2.0 * (trajectory.returns[0] + trajectory.returns[1]) as f64 / events,
                trajectory.by_mechanism[1] as f64 / events,
                engine.rebounds(),
            );
        }
    }
    Ok(())
}
