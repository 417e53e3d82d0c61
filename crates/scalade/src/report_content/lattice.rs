//! Sections of the lattice scale: voltage, thermodynamic factor, diffusion.

use super::{plain, step, with_notes};
use crate::kinds::{DiffusionDetail, HopDetail, Ladder, ThermoDetail, fraction_of_variance};
use scalade_energetics::VoltageProfile;
use scalade_lattice::{VoltageCurve, incremental_capacity};
use scalade_numerics::variance as sample_variance;
use scalade_report::{Axis, Figure, Section, Series, Table, VarianceDecomposition};
use scalade_study::RunRecord;

pub(super) fn sections(record: &RunRecord) -> Vec<Section> {
    [voltage(record), super::phases::section(record), diffusion(record)].into_iter().flatten().collect()
}

/// Standard deviation over members at every point.
fn spread(members: &[Vec<f64>], points: usize) -> Vec<f64> {
    (0..points).map(|i| sample_variance(&members.iter().map(|m| m[i]).collect::<Vec<_>>()).sqrt()).collect()
}

fn voltage(record: &RunRecord) -> Option<Section> {
    let (_, s) = step(record, "montecarlo")?;
    let detail: ThermoDetail = plain(s, "detail")?;
    let best = detail.mean.first()?;
    let std: Vec<f64> = spread(&detail.member_voltage_v, best.x.len())
        .iter()
        .zip(&best.voltage_std)
        .map(|(a, b)| 2.0 * a.hypot(*b))
        .collect();
    let shifted =
        |sign: f64| best.voltage_v.iter().zip(&std).map(|(v, s)| v + sign * s).collect::<Vec<f64>>();
    let mut curve = Figure::new("voltage-curve", format!("Open-circuit voltage at {} K", best.temperature_k), Axis::new("x", ""), Axis::new("voltage", "V"))
        .caption("Band: two standard deviations over the ensemble of expansions, with the noise of Monte Carlo. Shaded intervals hold two phases. Steps: the 0 K hull.")
        .series(Series::band("ensemble", best.x.clone(), shifted(-1.0), shifted(1.0)).color(0))
        .series(Series::line("Monte Carlo", best.x.clone(), best.voltage_v.clone()).color(0));
    for [low, high] in &best.two_phase {
        curve = curve.span(*low, *high, "two phases");
    }
    if let Some(profile) = step(record, "voltage").and_then(|(_, s)| plain::<VoltageProfile>(s, "profile")) {
        let x: Vec<f64> = profile.steps.iter().flat_map(|s| [s.x_from, s.x_to]).collect();
        let v: Vec<f64> = profile.steps.iter().flat_map(|s| [s.voltage_v; 2]).collect();
        curve = curve.series(Series::line("0 K hull", x, v).color(1).dash(scalade_report::Dash::Dash));
    }
    let entropic = Figure::new(
        "entropic",
        "Entropic coefficient (configurational)",
        Axis::new("x", ""),
        Axis::new("dV/dT", "mV/K"),
    )
    .caption("From fluctuations at one temperature: dV/dT = cov(N, E - mu N) / (e T var N).")
    .series(Series::line("dV/dT", best.x.clone(), best.dvdt_v_per_k.iter().map(|v| v * 1e3).collect()));
    let mut factor = Figure::new(
        "thermodynamic-factor",
        "Thermodynamic factor",
        Axis::new("x", ""),
        Axis::new("d(mu/kT)/d ln x", "").log(),
    )
    .caption("Large where the chemical potential is steep: near the full lattice, and where ions order. Two-phase intervals have no factor and are left out.");
    for curve in &detail.mean {
        let kept: Vec<usize> = (0..curve.x.len()).filter(|i| curve.theta[*i] > 0.0).collect();
        factor = factor.series(Series::line(
            format!("{} K", curve.temperature_k),
            kept.iter().map(|i| curve.x[*i]).collect(),
            kept.iter().map(|i| curve.theta[*i]).collect(),
        ));
    }
    let mixing =
        Figure::new("mixing", "Free energy of mixing", Axis::new("x", ""), Axis::new("per site", "meV"))
            .caption(format!(
                "Integrated from both ends, which agree to {:.2} meV (expected {:.2} from noise).",
                best.closure_ev.abs() * 1e3,
                best.closure_std_ev * 1e3
            ))
            .series(Series::line(
                "mixing",
                best.x.clone(),
                best.mixing_free_energy_ev.iter().map(|v| v * 1e3).collect(),
            ));
    let section = Section::new("voltage", "Voltage from lattice statistics")
        .paragraph("Monte Carlo at fixed chemical potential, scanned upwards from the empty and downwards from the full lattice. The voltage is the chemical potential against the metal; its error band comes from an ensemble of expansions.")
        .figure(curve)
        .figure(factor)
        .figure(incremental(best))
        .figure(chemical_potential(best))
        .figure(entropic)
        .figure(mixing);
    let section = if detail.mean.len() > 1 { section.figure(temperatures(&detail.mean)) } else { section };
    Some(with_notes(section, s))
}

/// -dx/dV over V.
fn incremental(best: &VoltageCurve) -> Figure {
    let capacity = incremental_capacity(best);
    let kept: Vec<usize> = (0..best.x.len()).filter(|i| capacity[*i].is_some()).collect();
    Figure::new(
        "incremental-capacity",
        "Incremental capacity",
        Axis::new("voltage", "V"),
        Axis::new("-dx/dV", "1/V"),
    )
    .caption("From the fluctuations of the composition. Plateaus, where it is infinite, are left out.")
    .series(Series::line(
        "-dx/dV",
        kept.iter().map(|i| best.voltage_v[*i]).collect(),
        kept.iter().filter_map(|i| capacity[*i]).map(|c| c.value).collect(),
    ))
}

/// mu(x) against its value at one half.
fn chemical_potential(best: &VoltageCurve) -> Figure {
    let middle = best.voltage_v.get(best.x.len() / 2).copied().unwrap_or(0.0);
    Figure::new(
        "chemical-potential",
        "Chemical potential",
        Axis::new("x", ""),
        Axis::new("chemical potential", "eV"),
    )
    .caption("Of the working ion, against its value at half filling. Flat where two phases coexist.")
    .series(Series::line("mu(x)", best.x.clone(), best.voltage_v.iter().map(|v| middle - v).collect()))
}

/// V(x) at every temperature.
fn temperatures(curves: &[VoltageCurve]) -> Figure {
    let mut figure = Figure::new(
        "voltage-temperature",
        "Voltage at several temperatures",
        Axis::new("x", ""),
        Axis::new("voltage", "V"),
    )
    .caption("Best coefficients; configurational entropy alone moves the curves.");
    for curve in curves {
        figure = figure.series(Series::line(
            format!("{} K", curve.temperature_k),
            curve.x.clone(),
            curve.voltage_v.clone(),
        ));
    }
    figure
}

fn diffusion(record: &RunRecord) -> Option<Section> {
    let (_, s) = step(record, "diffusion")?;
    let d: DiffusionDetail = plain(s, "detail")?;
    // Log-normal band of two standard deviations.
    let width: Vec<f64> =
        d.statistical_error.iter().zip(&d.member_log_std).map(|(a, b)| 2.0 * a.hypot(*b)).collect();
    let shifted = |sign: f64| {
        d.chemical_m2_per_s.iter().zip(&width).map(|(v, w)| v * (sign * w).exp()).collect::<Vec<f64>>()
    };
    let curve = Figure::new("diffusivity", format!("Diffusivity at {} K", d.temperature_k), Axis::new("x", ""), Axis::new("diffusivity", "m2/s").log())
        .caption("Chemical diffusivity with its band (ensemble and noise), the jump and tracer diffusivities it is made of, and the shortcut that multiplies the tracer diffusivity.")
        .series(Series::band("chemical, band", d.x.clone(), shifted(-1.0), shifted(1.0)).color(0))
        .series(Series::line_markers("chemical = factor × jump", d.x.clone(), d.chemical_m2_per_s.clone()).color(0))
        .series(Series::line_markers("jump", d.x.clone(), d.jump_m2_per_s.clone()).color(1))
        .series(Series::line_markers("tracer", d.x.clone(), d.tracer_m2_per_s.clone()).color(2))
        .series(Series::line_markers("shortcut = factor × tracer", d.x.clone(), d.shortcut_m2_per_s.clone()).color(3));
    let arrhenius = Figure::new("arrhenius", "Chemical diffusivity near half lithiation", Axis::new("1000/T", "1/K"), Axis::new("diffusivity", "m2/s").log())
        .caption("Activation energy of jumps from kinetic Monte Carlo at each temperature, that of the thermodynamic factor from Monte Carlo at each temperature.")
        .series(
            Series::line_markers("chemical", d.arrhenius.iter().map(|a| 1e3 / a.0).collect(), d.arrhenius.iter().map(|a| a.1).collect())
                .errors(d.arrhenius.iter().map(|a| a.2).collect()),
        );
    let mut table = Table::new(
        "haven",
        "What the shortcut misses",
        [
            "x",
            "thermodynamic factor",
            "jump (m2/s)",
            "tracer (m2/s)",
            "Haven ratio",
            "chemical (m2/s)",
            "shortcut (m2/s)",
            "activation energy (eV)",
        ],
    );
    for i in 0..d.x.len() {
        table = table.row([
            format!("{:.3}", d.x[i]),
            format!("{:.2}", d.thermodynamic_factor[i]),
            format!("{:.2e}", d.jump_m2_per_s[i]),
            format!("{:.2e}", d.tracer_m2_per_s[i]),
            format!("{:.3}", d.haven_ratio[i]),
            format!("{:.2e}", d.chemical_m2_per_s[i]),
            format!("{:.2e}", d.shortcut_m2_per_s[i]),
            match &d.activation_member_std_ev {
                Some(spread) => {
                    format!(
                        "{:.3} ± {:.3}",
                        d.activation_energy_ev[i],
                        d.activation_error_ev[i].hypot(spread[i])
                    )
                }
                None => format!("{:.3}", d.activation_energy_ev[i]),
            },
        ]);
    }
    let mut section = Section::new("diffusion", "Diffusion")
        .paragraph("Fick's law needs the chemical diffusivity: the thermodynamic factor times the collective (jump) diffusivity. The shortcut with the tracer diffusivity is shown beside it; the two differ by the Haven ratio.")
        .figure(curve)
        .figure(arrhenius);
    for figure in super::transport::figures(record, s) {
        section = section.figure(figure);
    }
    section = with_notes(section.table(table), s);
    if let Some((_, hop)) = step(record, "hop") {
        section = with_notes(section, hop);
    }
    Some(section)
}

/// Shares for the voltage and the diffusivity at half lithiation.
pub(super) fn variance(record: &RunRecord) -> Vec<VarianceDecomposition> {
    let mut out = Vec::new();
    if let Some(detail) = step(record, "montecarlo").and_then(|(_, s)| plain::<ThermoDetail>(s, "detail")) {
        let [members, noise] = detail.half_voltage_errors_v;
        let parts = [
            ("cluster expansion".to_string(), (members * members - noise * noise).max(0.0)),
            ("Monte Carlo noise".to_string(), noise * noise),
        ];
        out.push(decomposition("voltage at half lithiation", "V", &parts));
    }
    out.extend(diffusivity_variance(record));
    out
}

fn decomposition(prediction: &str, unit: &str, parts: &[(String, f64)]) -> VarianceDecomposition {
    let mut one = VarianceDecomposition::new(prediction, unit);
    for (name, share, std) in fraction_of_variance(parts) {
        one = one.share(name, share, Some(std));
    }
    one
}

/// ln D at the middle composition: the members vary expansion and barriers together, the barriers are also varied alone, the noise of every
/// point is known; what is left of the members' variance belongs to the expansion.
fn diffusivity_variance(record: &RunRecord) -> Option<VarianceDecomposition> {
    let detail: HopDetail = step(record, "hop").and_then(|(_, s)| plain(s, "detail"))?;
    let best = detail.points.iter().find(|p| p.ladder == Ladder::Best)?.point.temperature_k;
    let middle = detail
        .points
        .iter()
        .filter(|p| matches!(p.ladder, Ladder::BarriersOnly(_)))
        .map(|p| p.point.x)
        .next()?;
    let logs = |wanted: fn(&Ladder) -> bool| -> (Vec<f64>, Vec<f64>) {
        detail
            .points
            .iter()
            .filter(|p| wanted(&p.ladder) && p.point.x == middle && p.point.temperature_k == best)
            .filter_map(|p| p.point.jump.tensor())
            .map(|t| {
                let trace: f64 = (0..3).map(|i| t.value_m2_s[i][i]).sum();
                let error = (0..3).map(|i| t.std_m2_s[i][i].powi(2)).sum::<f64>().sqrt();
                (trace.ln(), (error / trace).powi(2))
            })
            .unzip()
    };
    let (members, noise) = logs(|l| matches!(l, Ladder::Member(_)));
    let (barriers, _) = logs(|l| matches!(l, Ladder::BarriersOnly(_)));
    if members.len() < 2 || barriers.len() < 2 {
        return None;
    }
    let noise = scalade_numerics::mean(&noise);
    let by_barriers = (sample_variance(&barriers) - noise).max(0.0);
    let by_expansion = (sample_variance(&members) - noise - by_barriers).max(0.0);
    let parts = [
        ("cluster expansion".to_string(), by_expansion),
        ("hop barriers".to_string(), by_barriers),
        ("kinetic Monte Carlo noise".to_string(), noise),
    ];
    Some(decomposition("ln of the jump diffusivity at half lithiation", "", &parts))
}
