//! Diffusivities of the synthetic layered host over composition and temperature with the default budget, and what they cost.

use scalade_crystal::SiteGrid;
use scalade_hopping::synthetic::layered_host;
use scalade_hopping::{
    BarrierLaw, Budget, GridNetwork, HopNetwork, HopShell, KraModel, Paths, RateParameters, TransportRequest,
    arrhenius, transport_point,
};
use scalade_numerics::cpu_seconds;

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let side: usize = std::env::args().nth(1).map_or(Ok(6), |v| v.parse())?;
    let hops: u64 = std::env::args().nth(2).map_or(Ok(Budget::default().hops), |v| v.parse())?;
    let hamiltonian = layered_host()?;
    let model = KraModel {
        odh: BarrierLaw { intercept_ev: 0.41, slope_ev: 0.017 },
        tsh: BarrierLaw { intercept_ev: 0.28, slope_ev: -0.010 },
        paths: Paths::PerVacantCommon,
    };
    let network = HopNetwork::new(&hamiltonian, HopShell::Nearest)?;
    let network = GridNetwork::new(network, SiteGrid::new([side; 3], 1)?)?;
    // One thread, so that the time below is that of the work.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build()?;
    println!(
        "     x   T/K    D* xx (m2/s)        D_J xx (m2/s)       D_zz   Haven   f     f_I   tsh    lasting flicker accept  Ea/eV  CPU s"
    );
    let mut points = Vec::new();
    let compositions = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97];
    let jobs =
        compositions.map(|x| (x, 300.0)).into_iter().chain([260.0, 280.0, 320.0, 350.0].map(|t| (0.5, t)));
    for (stream, (x, temperature)) in jobs.enumerate() {
        let before = cpu_seconds();
        let request = TransportRequest {
            network: &network,
            hamiltonian: &hamiltonian,
            coefficients_ev: &hamiltonian.coefficients_ev,
            model,
            parameters: RateParameters::at(temperature),
            x,
            budget: Budget { hops, ..Budget::default() },
            seed: 1,
            stream: stream as u32,
        };
        let point = pool.install(|| transport_point(&request, &()))?;
        let show = |d: &scalade_hopping::Diffusivity| match d.tensor() {
            Some(t) => format!(
                "{:.3e} +- {:4.1}%",
                t.value_m2_s[0][0],
                100.0 * t.std_m2_s[0][0] / t.value_m2_s[0][0]
            ),
            None => format!("{d:?}"),
        };
        let number =
            |v: Option<scalade_hopping::WithError>| v.map_or("-".into(), |v| format!("{:.3}", v.value));
        println!(
            "{:6.3} {temperature:5} {} {} {:9.1e} {} {} {} {:.4} {:.4} {:.3} {:.3} {:.3} {:.2}",
            point.x,
            show(&point.tracer),
            show(&point.jump),
            point.jump.tensor().map_or(0.0, |t| t.value_m2_s[2][2]),
            number(point.haven),
            number(point.tracer_correlation),
            number(point.collective_correlation),
            point.hop_shares[1],
            point.lasting_hop_shares[1],
            point.flicker_share,
            point.acceptance,
            point.mean_activation_ev,
            cpu_seconds() - before,
        );
        if x == 0.5
            && let Some(t) = point.jump.tensor()
        {
            points.push((temperature, t.value_m2_s[0][0], t.std_m2_s[0][0]));
        }
    }
    println!("{:?}", arrhenius(&points)?);
    println!("{:.1} CPU s", cpu_seconds());
    Ok(())
}
