//! Sections of the atomic scale: hull, expansion, barriers.

use super::{plain, step, with_notes};
use crate::kinds::ExpandDetail;
use scalade_energetics::VoltageProfile;
use scalade_report::{Axis, Figure, Orientation, Section, Series, Table};
use scalade_study::RunRecord;

const MILLI: f64 = 1e3;

pub(super) fn sections(record: &RunRecord) -> Vec<Section> {
    [energies(record), expansion(record), barriers(record)].into_iter().flatten().collect()
}

fn energies(record: &RunRecord) -> Option<Section> {
    let (_, s) = step(record, "voltage")?;
    let profile: VoltageProfile = plain(s, "profile")?;
    let points = &profile.hull.points;
    let of = |vertex: bool| points.iter().filter(move |p| p.vertex == vertex);
    let x = |vertex: bool| of(vertex).map(|p| p.x).collect::<Vec<f64>>();
    let formation = |vertex: bool| of(vertex).map(|p| p.formation_energy_ev * MILLI).collect::<Vec<f64>>();
    let last = points.iter().map(|p| p.x).fold(f64::MIN_POSITIVE, f64::max);
    let hull = Figure::new(
        "hull",
        "Formation energies and convex hull",
        // Room on the right for the name of the last vertex.
        Axis::new(format!("x in {}{}", profile.reference.symbol, profile.host_formula), "")
            .range(-0.03 * last, 1.14 * last),
        Axis::new("formation energy per formula unit", "meV"),
    )
    .caption(format!(
        "{} structures; {} lie on the lower hull. Energies are against the end members.",
        points.len(),
        profile.hull.vertices.len()
    ))
    .series(
        Series::markers("above the hull", x(false), formation(false))
            .labels(of(false).map(|p| p.id.clone()))
            .color(1),
    )
    .series(
        Series::line_markers("hull", x(true), formation(true))
            .labels(of(true).map(|p| p.id.clone()))
            .color(0),
    );
    let mut table = Table::new(
        "steps",
        "Voltage steps between hull vertices, 0 K",
        ["x from", "x to", "voltage (V)", "from", "to"],
    );
    for step in &profile.steps {
        table = table.row([
            format!("{:.4}", step.x_from),
            format!("{:.4}", step.x_to),
            format!("{:.4}", step.voltage_v),
            step.from_id.clone(),
            step.to_id.clone(),
        ]);
    }
    let section = Section::new("energies", "Energies of orderings")
        .paragraph(format!(
            "Total energies of {} arrangements of {} and vacancies in {} give the voltage at 0 K: the slope of the lower convex hull against the energy of {} metal.",
            points.len(), profile.reference.symbol, profile.host_formula, profile.reference.symbol
        ))
        .figure(hull)
        .table(table);
    Some(with_notes(section, s))
}

fn expansion(record: &RunRecord) -> Option<Section> {
    let (_, s) = step(record, "expand")?;
    let detail: ExpandDetail = plain(s, "detail")?;
    let parity = parity_figure(&detail);
    let mut interactions = Figure::new(
        "eci",
        "Effective cluster interactions",
        Axis::new("cluster diameter", "Å"),
        Axis::new("interaction per cluster", "meV"),
    )
    .caption("Posterior mean and standard deviation of each orbit. The prior narrows with size and diameter; its strength is set by the evidence.")
    .reference(Orientation::Horizontal, 0.0, "");
    for (order, name) in [(2, "pairs"), (3, "triplets"), (4, "quadruplets")] {
        let of = || detail.interactions.iter().filter(move |i| i.order == order);
        if of().next().is_none() {
            continue;
        }
        interactions = interactions.series(
            Series::markers(
                name,
                of().map(|i| i.diameter_angstrom).collect(),
                of().map(|i| i.value_ev * MILLI).collect(),
            )
            .errors(of().map(|i| i.standard_deviation_ev * MILLI).collect()),
        );
    }
    let error = s.outputs.get("leave_one_out_error").and_then(scalade_study::Output::number);
    let left_out = error.map_or_else(String::new, |e| format!("{:.2} meV per formula unit", e.value * MILLI));
    let mut section = Section::new("expansion", "From energies to a lattice Hamiltonian")
        .paragraph(format!(
            "{} structures were mapped to the ideal lattice, {} were left out. Leave-one-out error {left_out}, training error {:.2} meV, {:.0} effective parameters of {}. Largest strain {:.1} %, largest displacement of a working ion {:.2} Å.",
            detail.parity.len(),
            detail.excluded.len(),
            detail.training_rmse_ev * MILLI,
            detail.effective_parameters,
            detail.interactions.len() + 1,
            detail.largest_distortion[0] * 100.0,
            detail.largest_distortion[1],
        ))
        .figure(parity)
        .figure(interactions);
    if !detail.hull_disagreements.is_empty() {
        let mut table = Table::new(
            "hull-disagreements",
            "Structures about which the hulls of data and expansion differ",
            ["structure", "x", "above the hull of the data (meV)", "above the hull of the expansion (meV)"],
        );
        for d in &detail.hull_disagreements {
            table = table.row([
                d.id.clone(),
                format!("{:.4}", d.site_fraction),
                format!("{:.2}", d.above_data_hull_ev * MILLI),
                format!("{:.2}", d.above_fitted_hull_ev * MILLI),
            ]);
        }
        section = section.table(table);
    }
    Some(with_notes(section, s))
}

/// Leave-one-out predictions of formation energies against the data: the prediction of a structure by a fit that has not seen it.
fn parity_figure(detail: &ExpandDetail) -> Figure {
    let lowest = |wanted: f64| {
        let at = detail.parity.iter().filter(|p| (p.site_fraction - wanted).abs() < 1e-9);
        at.map(|p| p.data_ev).min_by(f64::total_cmp).unwrap_or(0.0)
    };
    let (empty, full) = (lowest(0.0), lowest(1.0));
    let line = |x: f64| (1.0 - x) * empty + x * full;
    let data: Vec<f64> = detail.parity.iter().map(|p| (p.data_ev - line(p.site_fraction)) * MILLI).collect();
    let predicted: Vec<f64> =
        detail.parity.iter().zip(&data).map(|(p, d)| d - p.leave_one_out_residual_ev * MILLI).collect();
    Figure::new(
        "parity",
        "Formation energies: expansion against data",
        Axis::new("data", "meV"),
        Axis::new("leave-one-out prediction", "meV"),
    )
    .caption("Each structure is predicted by a fit without it.")
    .reference(Orientation::Diagonal, 0.0, "equal")
    .equal_aspect()
    .series(Series::markers("structures", data, predicted).labels(detail.parity.iter().map(|p| p.id.clone())))
}

fn barriers(record: &RunRecord) -> Option<Section> {
    let (_, s) = step(record, "barriers")?;
    let rows: Vec<(String, f64, String, u32, f64)> = plain(s, "rows")?;
    let laws: scalade_hopping::KraFit =
        serde_json::from_value(s.outputs.get("barriers")?.tracked.value.clone()).ok()?;
    let mut figure = Figure::new(
        "barriers",
        "Kinetically resolved activation",
        Axis::new("occupied neighbours of both ends", ""),
        Axis::new("activation", "eV"),
    )
    .caption("Hops of the table and the law fitted to each mechanism. Which form a law has (constant or linear) is decided by its leave-one-out error.");
    for (slot, (mechanism, name)) in [
        (scalade_hopping::Mechanism::Odh, "oxygen dumbbell"),
        (scalade_hopping::Mechanism::Tsh, "tetrahedral site"),
    ]
    .into_iter()
    .enumerate()
    {
        let of = || rows.iter().filter(move |r| r.2 == mechanism.name());
        let law = laws.model.law(mechanism);
        let ends = [0.0, 10.0];
        figure = figure
            .series(
                Series::markers(name, of().map(|r| f64::from(r.3)).collect(), of().map(|r| r.4).collect())
                    .labels(of().map(|r| r.0.clone()))
                    .color(slot),
            )
            .series(
                Series::line(
                    format!("{name}, law"),
                    ends.to_vec(),
                    ends.map(|n| law.intercept_ev + law.slope_ev * n).to_vec(),
                )
                .color(slot),
            );
    }
    let section = Section::new("barriers", "Hop barriers")
        .paragraph("The barrier of a hop is its activation plus half the energy difference of its ends, which comes from the same Hamiltonian as the thermodynamics, so that detailed balance holds. A hop next to a vacancy goes through a tetrahedral site; the hop of a lone vacancy squeezes between two oxygen ions.")
        .figure(figure);
    Some(with_notes(section, s))
}
