//! Sections of the cell scale.

use super::{plain, step, with_notes};
use crate::kinds::CellDetail;
use scalade_report::{Axis, Figure, Section, Series, Table};
use scalade_study::RunRecord;

pub(super) fn sections(record: &RunRecord) -> Vec<Section> {
    section(record).into_iter().collect()
}

fn section(record: &RunRecord) -> Option<Section> {
    let (_, s) = step(record, "cell")?;
    let detail: CellDetail = plain(s, "detail")?;
    let curve = &detail.discharge;
    let mut discharge =
        Figure::new("discharge", "Discharge", Axis::new("capacity", "A.h"), Axis::new("voltage", "V"));
    // The band ends where the first member has ended.
    let all = curve.members_alive.first().copied().unwrap_or(0);
    let alive: Vec<usize> = (0..curve.capacity_ah.len()).filter(|i| curve.members_alive[*i] == all).collect();
    if all > 1 {
        let pick = |sign: f64| {
            alive
                .iter()
                .map(|i| curve.voltage_v[*i] + sign * 2.0 * curve.voltage_std_v[*i])
                .collect::<Vec<f64>>()
        };
        let x = alive.iter().map(|i| curve.capacity_ah[*i]).collect();
        discharge = discharge
            .caption(format!("Band: two standard deviations over {all} members of the ladder, each with its own V(x,T) and D(x,T); it ends where the first member does."))
            .series(Series::band("ensemble", x, pick(-1.0), pick(1.0)).color(0));
    }
    discharge =
        discharge.series(Series::line("best", curve.capacity_ah.clone(), curve.voltage_v.clone()).color(0));
    let temperature = Figure::new(
        "temperature",
        "Temperature of the cell",
        Axis::new("time", "s"),
        Axis::new("temperature", "K"),
    )
    .caption("One temperature for the whole cell: heat of every overpotential, reversible heat, cooling.")
    .series(Series::line("best", curve.time_s.clone(), curve.temperature_k.clone()));
    let mut section = Section::new("cell", "The cell")
        .paragraph(format!(
            "A Doyle-Fuller-Newman cell. The surface of the positive particles runs from x = {:.3} to {:.3}. Lithium in the particles is conserved to {:.0e}, salt to {:.0e} (relative). Ended because: {}.",
            detail.positive_stoichiometry[0], detail.positive_stoichiometry[1], detail.conservation_drift[0], detail.conservation_drift[1], detail.end_reason
        ))
        .figure(discharge)
        .figure(temperature);
    if !detail.rates.is_empty() {
        let mut rates =
            Figure::new("rates", "Rate sweep", Axis::new("capacity", "A.h"), Axis::new("voltage", "V"))
                .caption("Best member at each rate, down to the cut-off voltage.");
        let mut table =
            Table::new("rate-table", "Rate sweep", ["rate (C)", "capacity (A.h)", "peak temperature (K)"]);
        for rate in &detail.rates {
            rates = rates.series(Series::line(
                format!("{} C", rate.rate),
                rate.capacity_ah.clone(),
                rate.voltage_v.clone(),
            ));
            table = table.row([
                format!("{}", rate.rate),
                format!("{:.4}", rate.end_capacity_ah),
                format!("{:.2}", rate.peak_temperature_k),
            ]);
        }
        section = section.figure(rates).table(table);
    }
    let [reaction, electrolyte, solid, reversible] = detail.heat_j;
    let heat = Table::new("heat", "Where the heat comes from", ["source", "heat (J)"])
        .row(["reaction overpotential".to_string(), format!("{reaction:.1}")])
        .row(["ohmic, electrolyte".to_string(), format!("{electrolyte:.1}")])
        .row(["ohmic, solid".to_string(), format!("{solid:.1}")])
        .row(["reversible (entropic)".to_string(), format!("{reversible:.1}")]);
    Some(with_notes(section.table(heat), s))
}
