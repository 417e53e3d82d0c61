//! The section of the phase diagram.

use super::{plain, step, with_notes};
use crate::kinds::{BoundaryPoint, PhaseDetail};
use scalade_report::{Axis, Figure, Section, Series, Table};
use scalade_study::RunRecord;

/// Curves shown at most.
const MOST_CURVES: usize = 4;
/// Compositions nearer to an end member are left out of the voltages, which run away there.
const NEAR_END: f64 = 2e-3;

pub(super) fn section(record: &RunRecord) -> Option<Section> {
    let (_, s) = step(record, "phases")?;
    let d: PhaseDetail = plain(s, "detail")?;
    let names: Vec<String> = d.ground_states.iter().map(|(n, x)| format!("{n} (x = {x:.3})")).collect();
    let check = d.anchors.map_or_else(String::new, |(t, low, high, z)| {
        format!(
            " At {t} K the potentials from the low-temperature side and from infinite temperature differ by {:.2} meV ({:.1} standard errors).",
            (low.value - high.value).abs() * 1e3,
            z.abs()
        )
    });
    let section = Section::new("phases", "Phases of the expansion")
        .paragraph(format!(
            "Every ground state is followed from its own low-temperature expansion over temperature and chemical potential, in a box of {} × {} × {} cells; where two grand potentials cross, the phases coexist. Ground states: {}.{check}",
            d.cells[0], d.cells[1], d.cells[2], names.join(", ")
        ))
        .figure(voltages(&d))
        .figure(diagram(&d))
        .table(plateaus(&d));
    Some(with_notes(section, s))
}

/// V(x) at some of the temperatures.
fn voltages(d: &PhaseDetail) -> Figure {
    let mut figure = Figure::new(
        "phase-voltages",
        "Voltage with the plateaus of the phases",
        Axis::new("x", "").range(0.0, 1.0),
        Axis::new("voltage", "V"),
    )
    .caption("Equilibrium of all phases at some of the temperatures; on every plateau two phases coexist.");
    let stride = d.curves.len().div_ceil(MOST_CURVES).max(1);
    for (t, x, v) in d.curves.iter().step_by(stride) {
        let inside: Vec<usize> =
            (0..x.len()).filter(|i| x[*i] > NEAR_END && x[*i] < 1.0 - NEAR_END).collect();
        let of = |list: &[f64]| inside.iter().map(|i| list[*i]).collect::<Vec<f64>>();
        figure = figure.series(Series::line(format!("{t} K"), of(x), of(v)));
    }
    figure
}

/// Compositions of coexisting phases over temperature.
fn diagram(d: &PhaseDetail) -> Figure {
    let mut pairs: Vec<&[String; 2]> = d.boundaries.iter().map(|b| &b.phases).collect();
    pairs.sort();
    pairs.dedup();
    let place = |pair: &[String; 2]| {
        let first = d.boundaries.iter().find(|b| b.phases == *pair);
        first.map_or(0.0, |b| b.x[0].value)
    };
    pairs.sort_by(|a, b| place(a).total_cmp(&place(b)));
    let mut figure = Figure::new(
        "phase-diagram",
        "Phase diagram",
        Axis::new("x", "").range(0.0, 1.0),
        Axis::new("temperature", "K"),
    )
    .caption("Compositions of coexisting phases: from the poor phase up and down again along the rich one. Inside each loop both coexist; it ends at the last temperature at which the pair was found.");
    for pair in pairs {
        let of: Vec<&BoundaryPoint> = d.boundaries.iter().filter(|b| b.phases == *pair).collect();
        let side = |k: usize| of.iter().map(move |b| (b.x[k].value, b.temperature_k));
        let (x, t) = side(0).chain(side(1).rev()).unzip();
        figure = figure.series(Series::line_markers(format!("{} + {}", pair[0], pair[1]), x, t));
    }
    figure
}

fn plateaus(d: &PhaseDetail) -> Table {
    let mut table =
        Table::new("plateaus", "Plateaus", ["temperature (K)", "phases", "voltage (V)", "x from", "x to"]);
    for b in &d.boundaries {
        table = table.row([
            format!("{}", b.temperature_k),
            b.phases.join(" + "),
            scalade_record::value_with_uncertainty(b.voltage_v.value, Some(b.voltage_v.error)),
            format!("{:.4}", b.x[0].value),
            format!("{:.4}", b.x[1].value),
        ]);
    }
    table
}
