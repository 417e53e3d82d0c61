//! Hall tensors beside the other numbers of `bands`.

use crate::band_source::CrystalBands;
use crate::bands_masses::Edges;
use crate::error::ScaladeError;
use crate::rungs_bands::{FLOOR, Outcome, Solved, absent, added, estimate};
use scalade_bands::{Condition, HallCondition, HallPoint, Refinement, RelaxationTime, hall};
use scalade_crystal::Matrix3;
use serde_json::{Value, json};

/// Adds `hall_conductivity_over_tau2` and `hall_coefficient` to the points; with a relaxation time, `hall_mobility` too.
pub(crate) fn add(
    source: &CrystalBands,
    conditions: &[Condition],
    solved: &Solved,
    (exponent, tau_s): (f64, Option<f64>),
    settings: &Refinement,
    points: &mut [Value],
) -> Result<(), ScaladeError> {
    if source.dimensions < 3 {
        let reason = "a lattice of fewer than three dimensions has no Hall tensor here";
        return Err(ScaladeError::input(format!("--hall: {reason}")));
    }
    let refused = |e: scalade_bands::BandsError| ScaladeError::input(format!("--hall: {e}"));
    // Second derivatives cost more than slopes, and a tensor at one percent serves.
    let settings = Refinement {
        relative_error: settings.relative_error.max(1e-3),
        most_points: settings.most_points / 4,
        ..*settings
    };
    let edges = Edges::new(source).map_err(refused)?;
    for ((condition, outcome), told) in conditions.iter().zip(&solved.outcomes).zip(points) {
        let Outcome::Found(known) = outcome else {
            told["hall_coefficient"] = absent("m^3/C", "no carriers");
            continue;
        };
        let edge = edges.of_carriers(outcome.mu_ev(), added(condition));
        let tau = match edge.filter(|_| exponent != 0.0) {
            Some(edge) => RelaxationTime::power(1.0, exponent, edge.energy_ev),
            None => RelaxationTime::constant(1.0),
        }
        .map_err(refused)?;
        let at =
            [HallCondition { potential_ev: known.0.potential_ev, temperature_k: condition.temperature_k }];
        let found = hall(&*source.bands, &at, &tau, &settings).map_err(refused)?;
        let second = match &source.second {
            Some(bands) => {
                let again = Refinement { most_points: settings.most_points / 4, ..settings };
                Some(hall(&**bands, &at, &tau, &again).map_err(refused)?.points[0])
            }
            None => None,
        };
        let (value, mut error) = (found.points[0], found.errors[0]);
        if let Some(second) = second {
            for (e, (a, b)) in error
                .iter_mut()
                .flatten()
                .zip(value.axial.iter().flatten().zip(second.axial.iter().flatten()))
            {
                *e += (a - b).abs();
            }
        }
        tell(told, &value, &error, known, source.dilution, tau_s, found.converged);
    }
    Ok(())
}

fn tell(
    told: &mut Value,
    value: &HallPoint,
    error: &Matrix3,
    known: &(scalade_bands::TransportPoint, scalade_bands::TransportError),
    dilution: f64,
    tau_s: Option<f64>,
    converged: bool,
) {
    let (point, errors) = known;
    let size = value.axial.iter().flatten().fold(0.0f64, |a, x| a.max(x.abs()));
    let error = HallPoint { axial: error.map(|row| row.map(|e| dilution * e.max(FLOOR * size))) };
    let scaled = HallPoint { axial: value.axial.map(|row| row.map(|x| dilution * x)) };
    let positive = error.tensor().map(|m| m.map(|row| row.map(f64::abs)));
    told["hall_conductivity_over_tau2"] = json!({
        "value": scaled.tensor(), "error": positive, "std_error": positive, "unit": "S/(m T s^2)",
        "indices": "sigma[a][b][c]: j_a = sigma_ab E_b + sigma_abc E_b B_c",
        "converged": converged,
    });
    let sigma = point.conductivity.map(|row| row.map(|x| x * dilution));
    let Some(r) = scaled.coefficient(&sigma).filter(|_| point.conducting == 3) else {
        told["hall_coefficient"] = absent("m^3/C", "not every direction conducts");
        return;
    };
    // R goes as H/sigma^2: the errors of both, the former in its largest component.
    let largest = error.axial.iter().flatten().fold(0.0f64, |a, x| a.max(*x));
    let rho = scalade_crystal::inverse(&sigma).unwrap_or([[0.0; 3]; 3]);
    let most = rho.iter().flatten().fold(0.0f64, |a, x| a.max(x.abs()));
    let off = |value: f64| largest * most * most + 2.0 * errors.conductivity_relative * value.abs();
    let mean = r.iter().sum::<f64>() / 3.0;
    told["hall_coefficient"] = json!({
        "value": r, "error": r.map(off), "std_error": r.map(off), "unit": "m^3/C",
        "field_along": ["x", "y", "z"], "mean": estimate(mean, off(mean), "m^3/C"),
    });
    // The density of one sort of free carriers that would give this coefficient; below zero for electrons.
    let charge = scalade_units::constants::ELEMENTARY_CHARGE;
    told["hall_density"] = if off(mean) < mean.abs() {
        let n = 1.0 / (mean * charge);
        estimate(n, (n * off(mean) / mean).abs(), "m^-3")
    } else {
        absent("m^-3", "the coefficient is 0 within its error: electrons and holes cancel")
    };
    if let Some(tau) = tau_s {
        let trace = (0..3).map(|i| sigma[i][i]).sum::<f64>() / 3.0 * tau;
        told["hall_mobility"] = estimate(mean * trace, off(mean) * trace, "m^2/(V s)");
    }
}
