//! All points of a semi-grand run together: the `reweighted` part of the document of `montecarlo MODEL.toml`.
//!
//! - `points`: for every pair of a temperature and a chemical potential of the table `[reweighting]`, averages as those of the sampled points;
//!   `log_partition_per_site` counts from the first sampled point; `effective_samples` says how many configurations carry the value, and
//!   `trusted` whether they are enough;
//! - `free_energy`: for every temperature g(x) = phi + mu x per site in the unit of the energies, phi = -kT ln Xi / sites, with the covariance of its
//!   values. Its zero is that of the first sampled point.

use crate::error::ScaladeError;
use crate::model_file::ReweightingRequest;
use scalade_lattice::model::exact::ExactAverages;
use scalade_lattice::model::{
    Condition, FEWEST_EFFECTIVE_SAMPLES, FreeEnergyCurve, Law, ReweightedAverages, SampledPoint, reweight,
};
use scalade_lattice::{Estimate, LatticeError};
use scalade_numerics::{Matrix, ReweightingError};
use serde_json::{Value, json};

/// The conditions asked for, temperatures first, with their temperatures.
fn conditions(request: &ReweightingRequest, boltzmann: f64) -> Vec<(f64, Condition)> {
    let of = |t: f64| {
        let kt = boltzmann * t;
        request.chemical_potential.iter().map(move |mu| (t, Condition { kt, mu: *mu }))
    };
    request.temperature.iter().flat_map(|t| of(*t)).collect()
}

/// The same from exact sums, for comparison.
pub(crate) fn exact_beside(
    request: &ReweightingRequest,
    zero: Condition,
    boltzmann: f64,
    exact: impl Fn(Condition) -> Result<ExactAverages, ScaladeError>,
) -> Result<Value, ScaladeError> {
    let first = exact(zero)?.log_partition;
    let sure = |value| Estimate { value, error: 0.0 };
    let (mut points, mut curves) = (Vec::new(), Vec::<(f64, FreeEnergyCurve)>::new());
    for (temperature, condition) in conditions(request, boltzmann) {
        let found = exact(condition)?;
        points.push(json!({
            "temperature": temperature,
            "mu": condition.mu,
            "concentration": estimate(sure(found.concentration)),
            "energy_per_site": estimate(sure(found.energy)),
            "heat_capacity_per_site": { "value": found.heat_capacity },
            "variance_per_site": { "value": found.variance },
            "log_partition_per_site": estimate(sure(found.log_partition - first)),
        }));
        if curves.last().is_none_or(|c| c.0 != temperature) {
            let (mu, concentration, free_energy) = (Vec::new(), Vec::new(), Vec::new());
            let (kt, covariance) = (condition.kt, Matrix::zeros(0, 0));
            curves.push((temperature, FreeEnergyCurve { kt, mu, concentration, free_energy, covariance }));
        }
        if let Some((_, c)) = curves.last_mut() {
            c.mu.push(condition.mu);
            c.concentration.push(sure(found.concentration));
            let phi = -condition.kt * (found.log_partition - first);
            c.free_energy.push(phi + condition.mu * found.concentration);
        }
    }
    for (_, c) in &mut curves {
        c.covariance = Matrix::zeros(c.mu.len(), c.mu.len());
    }
    let curves: Vec<Value> = curves.iter().map(|(t, c)| curve(*t, c)).collect();
    Ok(json!({ "method": "exact", "points": points, "free_energy": curves }))
}

/// Reweights the points; temperatures are kT over `boltzmann`.
pub(crate) fn reweighted(
    sites: usize,
    sampled: &[SampledPoint],
    request: &ReweightingRequest,
    boltzmann: f64,
) -> Result<Value, LatticeError> {
    let pairs = conditions(request, boltzmann);
    let at: Vec<Condition> = pairs.iter().map(|p| p.1).collect();
    let found = reweight(sites, sampled, &at)?;
    let points: Vec<Value> = pairs.iter().zip(&found.points).map(|((t, _), p)| point(*t, p)).collect();
    let curves: Vec<Value> = found.curves.iter().map(|c| curve(c.kt / boltzmann, c)).collect();
    let cited = "M. R. Shirts and J. D. Chodera, J. Chem. Phys. 129, 124105 (2008)";
    Ok(json!({
        "method": format!("multistate Bennett acceptance ratio ({cited})"),
        "samples": found.samples,
        "points": points,
        "free_energy": curves,
    }))
}

fn estimate(of: Estimate) -> Value {
    json!({ "value": of.value, "std_error": of.error })
}

fn point(temperature: f64, p: &ReweightedAverages) -> Value {
    json!({
        "temperature": temperature,
        "mu": p.condition.mu,
        "concentration": estimate(p.concentration),
        "energy_per_site": estimate(p.energy),
        "heat_capacity_per_site": { "value": p.heat_capacity },
        "variance_per_site": { "value": p.variance },
        "log_partition_per_site": estimate(p.log_partition),
        "effective_samples": p.effective_samples,
        "trusted": p.effective_samples >= FEWEST_EFFECTIVE_SAMPLES,
    })
}

fn curve(temperature: f64, c: &FreeEnergyCurve) -> Value {
    let rows = c.covariance.rows();
    let covariance: Vec<&[f64]> = (0..rows).map(|i| c.covariance.row(i)).collect();
    let concentration: Vec<Value> = c.concentration.iter().map(|x| estimate(*x)).collect();
    json!({
        "temperature": temperature,
        "mu": c.mu,
        "concentration": concentration,
        "free_energy_per_site": c.free_energy,
        "covariance": covariance,
    })
}

/// Why the sampled points cannot be taken together, with the conditions of those between which they fall apart.
pub(crate) fn apart_message(error: &LatticeError, sampled: &[(f64, Law)]) -> String {
    let name = |state: usize| match sampled.get(state) {
        Some((temperature, Law::SemiGrand { mu })) => format!("temperature {temperature}, mu {mu}"),
        _ => format!("point {state}"),
    };
    match error {
        LatticeError::Reweighting(inner) => match **inner {
            ReweightingError::NoOverlap { first, second, gap, .. } => format!(
                "reweighting: the points do not overlap between ({}) and ({}): their free energies differ by an unknown amount (standard error {gap:.2} kT); sample points between them, or a smaller box",
                name(first),
                name(second)
            ),
            ReweightingError::NoSamples { state } => format!(
                "reweighting: ({}) has no configuration after its transient; raise max_moves or lower precision",
                name(state)
            ),
            _ => error.to_string(),
        },
        _ => error.to_string(),
    }
}
